import Open
import Codes
import Basics
import Catalogue
import Derive
import Flow
import Check
import Hummingbird
import HTTPTypes
import Kernel
import Lake
import Quality
import Tabular

/// A resource as its users see it.
enum ResourcePages {
    static let routes: [Route] = [
        Route(
            .get,
            "/resources/{code}",
            .actions([
                "catalogue.show", "quality.show", "data.read", "data.counts", "data.versions", "catalogue.history",
                "flow.published_of", "harvest.origin", "derivation.lineage",
            ]),
            zh: "资源页",
            en: "Resource",
            handle: show
        )
    ]

    static func show(_ web: WebRequest) async throws -> Response {
        let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
        let cards = try await web.perform(web.services.quality.show, (entry.resource.code, 12))
        var page: RecordPage?
        if web.services.kernel.gate.admits(web.services.lake.read.descriptor, entry.resource, web.caller) {
            page = try? await web.perform(web.services.lake.read, RecordQuery(entry.resource.code, limit: 20))
        }
        var counts: ValueCounts?
        var kept: [Version] = []
        if page != nil {
            counts = try await web.perform(web.services.lake.counts, entry.resource.code)
            kept = try await web.perform(web.services.lake.versions, entry.resource.code)
        }
        let origin = try await web.perform(web.services.harvests.origin, entry.resource.code)
        let data = AnalysisPages.card(kept, "/api/v1/resources/\(entry.slug)", entry.slug, web)
        let history = try await web.perform(web.services.catalogue.history, entry.resource.code)
        let lineage = try await web.perform(web.services.derivations.lineage, entry.resource.code)
        let remarks = try await FeedbackAPI.section(entry, web)
        return .page(
            view(
                entry,
                cards,
                page,
                remarks,
                "\(from(origin, web))\(made(lineage, web))\(bars(counts, web))\(data)\(versions(history, web))",
                web
            )
        )
    }

    static func view(
        _ entry: Entry,
        _ cards: [Scorecard],
        _ page: RecordPage?,
        _ remarks: HTML,
        _ more: HTML,
        _ web: WebRequest
    ) -> HTML {
        let content = entry.published ?? entry.draft
        let resource = entry.resource
        let base = "/api/v1/resources/\(entry.slug)"
        let hasMap = page.map { Schema(fields: $0.batch.fields).position != nil && $0.batch.count > 0 } ?? false
        let title = content?.name ?? resource.name
        let provider = web.services.kernel.gate.organisations[resource.owner]
        let map: HTML =
            hasMap
            ? "<section class=\"card\"><h2>\(web.text("地图", "Map"))</h2><div id=\"map\" class=\"map\" \(source(entry, base)) role=\"group\" aria-label=\"\(web.text("数据点位分布图", "Map of positions"))\"></div><p class=\"hint\">\(web.text("坐标系 CGCS2000。", "CGCS2000."))\(entry.rows > 5000 ? web.text("缩小时相近的点合并显示。", " Points close to each other are drawn as one until you zoom in.") : "")</p></section>"
            : .empty
        let downloads = OutputFormat.allCases.filter { $0 != .geojson || hasMap }.map { format -> HTML in
            "<a class=\"button\(format == .csv ? "" : " quiet")\" href=\"\(base)/records.\(format.rawValue)\(format == .csv ? "?bom=true" : "")\" download>\(format.rawValue.uppercased())</a>"
        }
        let facts: [(String, String)] = [
            (web.text("资源代码", "Code"), resource.code), (web.text("提供方", "Provider"), provider?.name ?? "—"),
            (
                web.text("统一社会信用代码", "Credit code"),
                provider?.creditCode.isEmpty == false ? provider?.creditCode ?? "" : "—"
            ),
            (web.text("分类", "Category"), Classification.title(content?.category ?? "")[web.language]),
            (web.text("更新周期", "Frequency"), content?.frequency.title[web.language] ?? "—"),
            (web.text("格式", "Format"), content?.formatType ?? "—"),
            (web.text("共享类型", "Sharing"), content?.sharing.title[web.language] ?? "—"),
            (
                web.text("开放", "Openness"),
                resource.isOpen ? web.text("已列入开放清单", "on the open list") : web.text("未开放", "not open")
            ),
            (web.text("发布日期", "Published"), Layout.day(entry.publishedAt)),
            (web.text("数据更新", "Data updated"), Layout.day(entry.dataAt)),
            (web.text("记录数", "Rows"), Numbers.grouped(entry.rows)), (web.text("版本", "Version"), String(entry.version)),
        ]
        let console: HTML =
            web.principal != nil
            ? "<a class=\"button quiet\" href=\"/console/entries/\(entry.slug)\">\(web.text("在工作台打开", "Open in the console"))</a>"
            : .empty
        let body: HTML = """
            <div class="wrap resource">
            <nav class="crumbs" aria-label="\(web.text("位置", "Breadcrumb"))"><a href="/search">\(web.text("数据目录", "Catalogue"))</a> › <span>\(title)</span></nav>
            <header class="title"><h1>\(title)</h1><p class="summary">\(content?.summary ?? "")</p>
            <p class="actions">\((page?.batch.count ?? 0) > 0 ? ["<span class=\"muted\">\(web.text("下载", "Download"))</span>"] + downloads : [])\(console)</p></header>
            <div class="columns"><div>
            <section class="card"><h2>\(web.text("数据预览", "Preview"))</h2>\(preview(page, web))</section>
            \(map)
            <section class="card"><h2>\(web.text("信息项", "Items"))</h2>\(items(entry, page, web))</section>
            \(samples(entry, base, page, hasMap, web))
            \(remarks)
            </div><div>
            <section class="card"><h2>\(web.text("基本信息", "About"))</h2><dl class="facts">\(facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" as HTML })</dl></section>
            <section class="card"><h2>\(web.text("数据质量", "Quality"))</h2>\(quality(cards, content, web))</section>\(more)
            </div></div></div>
            """
        return Layout.page(
            title,
            web,
            scripts: (hasMap ? ["/assets/map.js"] : []) + (cards.count > 1 ? ["/assets/chart.js"] : []),
            styles: hasMap ? ["/vendor/maplibre-gl.css"] : [],
            body
        )
    }

    /// Few points come as they are, many as tiles of what is in sight.
    private static func source(_ entry: Entry, _ base: String) -> HTML {
        entry.rows > 5000
            ? "data-tiles=\"\(base)/tiles.json\"" : "data-source=\"\(base)/records.geojson?limit=5000\""
    }

    /// The values of a coded field as bars.
    static func bars(_ counts: ValueCounts?, _ web: WebRequest) -> HTML {
        guard let counts, let greatest = counts.values.first?.count, counts.values.count > 1 else { return .empty }
        let lines = counts.values.map { value, count -> HTML in
            let label = value.label.isEmpty ? value.value : ResourceDeclaration.words(value.label, web.language)
            return
                "<div class=\"mark bar\"><span>\(label)</span><progress max=\"\(greatest)\" value=\"\(count)\" aria-label=\"\(label)\"></progress><b>\(Numbers.grouped(count))</b></div>"
        }
        return
            "<section class=\"card\"><h2>\(web.text("数据分布", "Distribution"))</h2><p class=\"muted\">\(counts.field.display)</p>\(lines)</section>"
    }

    /// The published versions of the entry.
    static func versions(_ history: [(version: Int64, at: Int64)], _ web: WebRequest) -> HTML {
        guard !history.isEmpty else { return .empty }
        let items = history.map {
            "<li><time>\(Layout.day($0.at))</time> \(web.text("第 \($0.version) 版", "version \($0.version)"))</li>"
                as HTML
        }
        return
            "<section class=\"card\"><h2>\(web.text("目录版本", "Versions"))</h2><ul class=\"timeline\">\(items)</ul></section>"
    }

    static func preview(_ page: RecordPage?, _ web: WebRequest) -> HTML {
        guard let page else {
            return Layout.empty(web.text("您没有查看这些数据的权限，或数据尚未开放。", "You may not see these rows, or they are not open."))
        }
        guard page.batch.count > 0 else { return Layout.empty(web.text("还没有数据。", "There are no rows yet.")) }
        return table(page.batch, masked: Set(page.masked.keys), web)
    }

    /// Rows as a table that scrolls sideways by itself.
    static func table(_ batch: Batch, masked: Set<String>, _ web: WebRequest) -> HTML {
        let head = batch.fields.map { field -> HTML in
            let mark: HTML = masked.contains(field.name) ? " \(Layout.badge(web.text("脱敏", "masked"), "fair"))" : .empty
            let isNumber = [FieldType.integer, .decimal, .real].contains(field.type)
            return
                "<th scope=\"col\"\(isNumber ? " class=\"number\"" as HTML : .empty) title=\"\(field.name)\">\(field.display)\(mark)</th>"
        }
        let rows = (0..<batch.count).map { row -> HTML in
            let cells = batch.fields.indices.map { column -> HTML in
                let value = batch.value(row, column)
                let isNumber: Bool =
                    switch value {
                    case .integer, .real, .decimal: true
                    default: false
                    }
                let text = String(value.text.prefix(120))
                return isNumber ? "<td class=\"number\">\(text)</td>" : "<td>\(text)</td>"
            }
            return "<tr>\(cells)</tr>"
        }
        return
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("数据表", "Rows"))\"><table><thead><tr>\(head)</tr></thead><tbody>\(rows)</tbody></table></div>"
    }

    static func items(_ entry: Entry, _ page: RecordPage?, _ web: WebRequest) -> HTML {
        let schema = entry.visibleSchema(web)
        let rows = schema.fields.map { field -> HTML in
            let index = entry.resource.schema.index(field.name) ?? 0
            let key: HTML =
                entry.resource.schema.key.contains(field.name) ? Layout.badge(web.text("主键", "key")) : .empty
            return """
                <tr><td><b>\(field.display)</b> <code>\(field.name)</code> \(key)</td><td>\(field.type.title[web.language])\(field.unit.isEmpty ? "" : " (\(field.unit))")</td>
                <td>\(field.kind?.title[web.language] ?? "—")</td><td>\(entry.resource.sharing(index).title[web.language])</td><td>\(entry.resource.openness(index).title[web.language])</td></tr>
                """
        }
        guard !rows.isEmpty else { return Layout.empty(web.text("没有可见的信息项。", "No items to show.")) }
        return """
            <div class="scroll" tabindex="0" role="region" aria-label="\(web.text("信息项", "Items"))"><table><thead><tr><th scope="col">\(web.text("名称", "Name"))</th><th scope="col">\(web.text("类型", "Type"))</th><th scope="col">\(web.text("含义", "Meaning"))</th><th scope="col">\(web.text("共享类型", "Sharing"))</th><th scope="col">\(web.text("开放", "Openness"))</th></tr></thead><tbody>\(rows)</tbody></table></div>
            """
    }

    static func quality(_ cards: [Scorecard], _ content: EntryContent?, _ web: WebRequest) -> HTML {
        guard let latest = cards.first else {
            return Layout.empty(web.text("加载数据后显示评分。", "Marks appear once data is loaded."))
        }
        let today = CivilTime.chinaDay(microseconds: web.services.kernel.clock.now())
        let card = latest.atAge(
            days: Int(today - CivilTime.chinaDay(microseconds: latest.at)),
            promised: content?.frequency.days
        )
        let marks = QualityDimension.allCases.map { dimension -> HTML in
            let mark = card.marks[dimension] ?? 0
            return
                "<div class=\"mark\"><span>\(dimension.title[web.language])</span><meter min=\"0\" max=\"100\" low=\"80\" high=\"95\" optimum=\"100\" value=\"\(Numbers.short(mark))\">\(Numbers.short(mark))</meter><b>\(Numbers.short(mark))</b></div>"
        }
        let losses = card.losses.prefix(5).map { loss -> HTML in
            "<li>\(loss.field.isEmpty ? Words.rule(loss.rule, web.language) : "\(loss.field) · \(Words.rule(loss.rule, web.language))") × \(Numbers.grouped(loss.count)) <span class=\"muted\">−\(Numbers.short(loss.points))</span></li>"
        }
        let how: HTML = losses.isEmpty ? .empty : "<h3>\(web.text("失分原因", "What cost points"))</h3><ul>\(losses)</ul>"
        let history: HTML = cards.count > 1 ? historyView(cards, web) : .empty
        return
            "<p class=\"total\">\(Layout.score(card.total, web.language)) <span class=\"muted\">\(web.text("批次 \(card.load)", "load \(card.load)"))</span></p>\(marks)\(how)\(history)"
    }

    /// The latest loads' marks, oldest first, as a line and as text.
    static func historyView(_ cards: [Scorecard], _ web: WebRequest) -> HTML {
        let oldest = Array(cards.prefix(12).reversed())
        let marks = JSONValue.array(
            oldest.map { card in
                .object([
                    .init("label", .string(String(CivilTime.minute(card.at).dropFirst(5)))),
                    .init("total", .real((card.total * 10).rounded() / 10)),
                ])
            }
        )
        let text = oldest.map { Numbers.short($0.total) }.joined(separator: " → ")
        return """
            <h3>\(web.text("历次评分", "History"))</h3><canvas class="chart" data-marks="\(marks.text)" role="img" aria-label="\(text)"></canvas><p class="muted">\(text)</p>
            """
    }

    /// What the rows are made of and what is made of them, where there is anything.
    static func made(_ lineage: Lineage, _ web: WebRequest) -> HTML {
        guard let here = lineage.nodes.first?.resource, lineage.nodes.count > 1 else { return .empty }
        func list(_ title: String, _ level: Int) -> HTML {
            let items = lineage.nodes.filter { $0.level == level }.prefix(12).map { node -> HTML in
                guard let resource = node.resource else {
                    return "<li class=\"muted\">\(web.text("(无权查看的资源)", "(a resource you may not see)"))</li>"
                }
                return "<li><a href=\"/resources/\(Entry.slug(resource.code))\">\(resource.name)</a></li>"
            }
            return items.isEmpty ? .empty : "<h3>\(title)</h3><ul>\(items)</ul>"
        }
        return """
            <section class="card"><h2>\(web.text("数据血缘", "Lineage"))</h2>\(list(web.text("由这些资源派生", "Made of"), -1))\(list(web.text("派生出这些资源", "Used in"), 1))
            <p><a href="/resources/\(Entry.slug(here.code))/lineage">\(web.text("血缘图与字段对应", "Drawn, field by field"))</a></p></section>
            """
    }

    /// Where an entry came from, where it was not made here.
    static func from(_ origin: EntryOrigin?, _ web: WebRequest) -> HTML {
        guard let origin else { return .empty }
        var links: [HTML] = []
        if let page = origin.content["landingPage"]?.string ?? origin.content["landing_page"]?.string {
            links.append("<li><a href=\"\(page)\" rel=\"noopener external\">\(web.text("来源页面", "page there"))</a></li>")
        }
        for resource in (origin.content["resources"]?.array ?? []).prefix(20) {
            guard let link = resource["link"]?.string else { continue }
            links.append(
                "<li><a href=\"\(link)\" rel=\"noopener external\">\(resource["name"]?.string ?? link)</a></li>"
            )
        }
        let gone: HTML = origin.isGone ? Layout.badge(web.text("来源已撤下", "gone there"), "poor") : .empty
        return """
            <section class="card"><h2>\(web.text("来源目录", "Where it comes from"))</h2><p>\(origin.harvest) \(gone)</p>
            <p class="muted">\(web.text("标识", "Identifier")) \(origin.identifier) · \(web.text("核对于", "checked")) \(SourcePages.minute(origin.checkedAt))</p><ul>\(links)</ul></section>
            """
    }

    static func samples(
        _ entry: Entry,
        _ base: String,
        _ page: RecordPage?,
        _ hasMap: Bool,
        _ web: WebRequest
    ) -> HTML {
        guard page != nil else { return .empty }
        let field =
            entry.visibleSchema(web).fields.first { $0.kind?.isPersonal != true && $0.type == .text }?.name ?? "_"
        let filter = "\"\(field)\" LIKE '%…%'"
        return """
            <section class="card"><h2>\(web.text("接口示例", "API"))</h2>
            <pre tabindex="0"><code>curl '\(web.origin)\(base)/records?limit=100'
            curl -G '\(web.origin)\(base)/records' --data-urlencode "filter=\(filter)"
            curl -O '\(web.origin)\(base)/records.csv'</code></pre>
            <p class="hint">\(web.text("筛选用 CQL2 文本；翻页用返回的 next。", "Filters are CQL2 text; pages follow `next`.")) </p><p>\(AnalysisPages.interfaces(entry, hasMap: hasMap, web))</p></section>
            """
    }
}

extension String {
    /// Encoded for a query value.
    func addingPercentEncoding() -> String {
        var out = ""
        for byte in utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "%" + Hexadecimal.text([byte]).uppercased()
            }
        }
        return out
    }
}
