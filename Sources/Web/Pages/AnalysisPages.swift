import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// What stands beside a resource's page: what differs between two versions, and its interface tried out.
enum AnalysisPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/resources/{code}/difference",
            .actions(["catalogue.show", "data.versions", "data.difference"]),
            zh: "版本差异页",
            en: "What differs between two versions",
            handle: difference
        ),
        Route(
            .get,
            "/resources/{code}/api",
            .actions(["catalogue.show", "data.fields", "data.read"]),
            zh: "接口试用页",
            en: "The interface tried out",
            handle: tryOut
        ),
    ]

    // MARK: Versions

    /// The versions of the rows on a resource's page, each with what it changed.
    static func card(_ versions: [Version], _ base: String, _ slug: String, _ web: WebRequest) -> HTML {
        guard !versions.isEmpty else { return .empty }
        let shown = Array(versions.prefix(10))
        let items = shown.enumerated().map { index, version -> HTML in
            let before = index + 1 < versions.count ? versions[index + 1] : nil
            let changes: HTML =
                before.map {
                    " · <a href=\"/resources/\(slug)/difference?from=\($0.id)&amp;to=\(version.id)\">\(web.text("差异", "differences"))</a>"
                } ?? .empty
            return
                "<li><time>\(CivilTime.minute(version.at))</time> \(web.text("批次", "load")) \(version.id) · <a href=\"\(base)/records.csv?version=\(version.id)\" download>\(Numbers.grouped(version.rows)) \(web.text("行", "rows"))</a>\(changes)\(version.isCurrent ? " \(Layout.badge(web.text("现行", "current"), "good"))" : .empty)</li>"
        }
        return
            "<section class=\"card\"><h2>\(web.text("数据版本", "Data versions"))</h2><ul class=\"timeline\">\(items)</ul></section>"
    }

    /// Changes shown on the page; the rest comes as a file.
    private static let shownChanges = 200

    private static func difference(_ web: WebRequest) async throws -> Response {
        let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
        let versions = try await web.perform(web.services.lake.versions, entry.resource.code)
        let (from, to) = try AnalysisAPI.versions(web)
        let found = try await web.perform(web.services.lake.difference, (entry.resource.code, from, to))
        var counts: [RowChange.Kind: Int] = [:]
        var shown: [RowChange] = []
        while let changes = try await found.next() {
            for change in changes { counts[change.kind, default: 0] += 1 }
            shown += changes.prefix(shownChanges - shown.count)
        }
        let title = entry.content?.name ?? entry.slug
        func label(_ id: Int64) -> String {
            let at = versions.first { $0.id == id }.map { " · \(CivilTime.minute($0.at))" } ?? ""
            return web.text("批次 \(id)", "load \(id)") + at
        }
        let file = "/api/v1/resources/\(entry.slug)/difference?from=\(from)&to=\(to)"
        let figures: [(String, RowChange.Kind)] = [
            (web.text("新增", "added"), .added), (web.text("删除", "removed"), .removed),
            (web.text("变更", "changed"), .changed),
        ]
        let totals = figures.map { name, kind -> HTML in
            "<div><dt>\(name)</dt><dd>\(Numbers.grouped(Int64(counts[kind] ?? 0)))</dd></div>"
        }
        let more: HTML =
            counts.values.reduce(0, +) > shown.count
            ? "<p class=\"hint\">\(web.text("只列出前 \(shownChanges) 处，全部见下载。", "The first \(shownChanges) are shown; the files have all of them."))</p>"
            : .empty
        let options = versions.prefix(200).map {
            (String($0.id), "\($0.id) · \(CivilTime.minute($0.at)) · \(Numbers.grouped($0.rows))")
        }
        let body: HTML = """
            <div class="wrap"><nav class="crumbs" aria-label="\(web.text("位置", "Breadcrumb"))"><a href="/resources/\(entry.slug)">\(title)</a> › <span>\(web.text("版本差异", "Differences"))</span></nav>
            <header class="title"><h1>\(web.text("版本差异", "Differences between versions"))</h1><p class="summary">\(label(from)) → \(label(to))</p>
            <p class="actions"><a class="button" href="\(file)&amp;f=csv" download>CSV</a><a class="button quiet" href="\(file)">JSON</a></p></header>
            <form class="card inline-form" method="get">\(Layout.field(web.text("从", "From"), Layout.select("from", Array(options), String(from))))\(Layout.field(web.text("到", "To"), Layout.select("to", Array(options), String(to))))<button class="quiet">\(web.text("比较", "Compare"))</button></form>
            <dl class="figures">\(totals)</dl>
            <section class="card"><h2>\(web.text("差异", "Changes"))</h2>\(table(shown, found, web))\(more)</section></div>
            """
        return .page(Layout.page(web.text("版本差异", "Differences"), web, body))
    }

    private static func table(_ changes: [RowChange], _ difference: VersionDifference, _ web: WebRequest) -> HTML {
        guard !changes.isEmpty else {
            return Layout.empty(web.text("两个版本的记录相同。", "The rows of both versions are the same."))
        }
        let rows = changes.map { change -> HTML in
            let values = change.after ?? change.before ?? []
            let word: HTML =
                switch change.kind {
                case .added: Layout.badge(web.text("新增", "added"), "good")
                case .removed: Layout.badge(web.text("删除", "removed"), "poor")
                case .changed: Layout.badge(web.text("变更", "changed"), "fair")
                }
            let cells = values.indices.map { index -> HTML in
                let now = values[index].text
                guard change.kind == .changed, let before = change.before?[index], before != values[index] else {
                    return "<td>\(now)</td>"
                }
                return "<td><del>\(before.text)</del> <ins>\(now)</ins></td>"
            }
            return "<tr><td>\(word)</td>\(cells)</tr>"
        }
        return Layout.table(
            [web.text("变化", "Change")] + difference.fields.map(\.display),
            rows,
            label: web.text("差异", "Changes")
        )
    }

    // MARK: The interface tried out

    private static func tryOut(_ web: WebRequest) async throws -> Response {
        let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
        let access = try await web.perform(web.services.lake.fields, entry.resource.code)
        let base = "/api/v1/resources/\(entry.slug)"
        let names = ["fields", "filter", "sort", "limit"]
        let asked = names.compactMap { name in web.query(name).map { "\(name)=\($0.addingPercentEncoding())" } }
        let address = "\(base)/records" + (asked.isEmpty ? "?limit=5" : "?" + asked.joined(separator: "&"))
        var answer: HTML
        do {
            var query = try await DataAPI.query(web)
            query.limit = min(query.limit, 20)
            if asked.isEmpty { query.limit = 5 }
            let page = try await web.perform(web.services.lake.read, query)
            var out: [UInt8] = []
            var writer = JSONBatchWriter(fields: page.batch.fields, lines: false)
            writer.begin(into: &out)
            writer.write(page.batch, into: &out)
            writer.end(into: &out)
            let note =
                page.next == nil
                ? "" : web.text("还有更多记录：页面最多显示 20 条。", "There are more rows: the page shows 20 at the most.")
            answer =
                "<p class=\"muted\">200 OK · \(page.batch.count) \(web.text("条", "rows"))</p><pre tabindex=\"0\"><code>\(String(decoding: out, as: UTF8.self))</code></pre><p class=\"hint\">\(note)</p>"
        } catch let problem as Problem {
            answer =
                "<div class=\"alert\" role=\"alert\"><p>\(String(problem.status)) · \(problem.message[web.language]) \(problem.hint?[web.language] ?? "")</p></div>"
        }
        let items = access.map { access -> HTML in
            "<tr><td><code>\(access.field.name)</code></td><td>\(access.field.display)</td><td>\(access.field.type.title[web.language])</td><td>\(access.mask == nil ? .empty : Layout.badge(web.text("脱敏", "masked"), "fair"))</td></tr>"
        }
        let title = entry.content?.name ?? entry.slug
        func input(_ name: String, _ hint: String) -> HTML {
            Layout.field(
                name,
                "<input name=\"\(name)\" value=\"\(web.query(name) ?? "")\" placeholder=\"\(hint)\" maxlength=\"4000\">"
            )
        }
        let body: HTML = """
            <div class="wrap"><nav class="crumbs" aria-label="\(web.text("位置", "Breadcrumb"))"><a href="/resources/\(entry.slug)">\(title)</a> › <span>\(web.text("接口试用", "Try the interface"))</span></nav>
            <header class="title"><h1>\(web.text("接口试用", "Try the interface"))</h1><p class="summary">\(title)</p></header>
            <form class="card stack" method="get">\(input("filter", example(access)))\(input("fields", access.prefix(3).map(\.field.name).joined(separator: ",")))\(input("sort", web.text("字段名，降序加 -", "a field, - before it for descending")))\(input("limit", "5"))
            <p class="actions"><button>\(web.text("发送请求", "Send"))</button><a class="button quiet" href="\(base)/openapi.json">OpenAPI</a></p></form>
            <section class="card"><h2>\(web.text("请求", "Request"))</h2><pre tabindex="0"><code>curl '\(web.origin)\(address)'</code></pre></section>
            <section class="card" aria-live="polite"><h2>\(web.text("应答", "Answer"))</h2>\(answer)</section>
            <section class="card"><h2>\(web.text("字段", "Fields"))</h2>\(Layout.table([web.text("字段名", "Name"), web.text("名称", "Title"), web.text("类型", "Type"), ""], items, label: web.text("字段", "Fields")))</section></div>
            """
        return .page(Layout.page(web.text("接口试用", "Try the interface"), web, body))
    }

    private static func example(_ access: [FieldAccess]) -> String {
        let open = access.filter { $0.mask == nil }.map(\.field)
        if let coded = open.first(where: { !$0.codes.isEmpty && $0.type == .text }), let code = coded.codes.first {
            return "\(coded.name) = '\(code.value)'"
        }
        return open.first.map { "\($0.name) IS NOT NULL" } ?? ""
    }

    /// Every way in which programs read a resource, on its page.
    static func interfaces(_ entry: Entry, hasMap: Bool, _ web: WebRequest) -> HTML {
        let base = "/api/v1/resources/\(entry.slug)"
        var links = [
            ("/resources/\(entry.slug)/api", web.text("在线试用", "try it")), ("\(base)/openapi.json", "OpenAPI"),
            ("\(base)/datapackage.json", "Data Package"), ("\(base)/package.zip", web.text("数据包 zip", "package (zip)")),
            ("\(base)/tableschema.json", "Table Schema"), ("\(base)/schema.json", "JSON Schema"),
        ]
        if hasMap { links.append(("\(base)/tiles.json", web.text("矢量图块", "vector tiles"))) }
        if entry.resource.isOpen { links.append(("/api/3/action/package_show?id=\(entry.slug.lowercased())", "CKAN")) }
        let items = links.map { "<a href=\"\($0.0)\">\($0.1)</a>" as HTML }
        return HTML(items.enumerated().map { $0 > 0 ? " · \($1)" : "\($1)" })
    }
}
