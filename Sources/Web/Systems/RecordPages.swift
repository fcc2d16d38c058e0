import Basics
import Codes
import CQL
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// The records of a system's resource: list, board, figures, the flow drawn.
enum RecordPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/{resource}",
            .actions(["data.read", "flow.standings"]),
            .console,
            zh: "业务记录列表",
            en: "Records of a system",
            handle: list
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/board",
            .actions(["data.read", "flow.standings"]),
            .console,
            zh: "业务看板",
            en: "Board",
            handle: board
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/dashboard",
            .actions(["data.aggregate"]),
            .console,
            zh: "业务统计",
            en: "Figures",
            handle: dashboard
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/flow",
            .actions(["system.list"]),
            .console,
            zh: "流程图",
            en: "The flow",
            handle: flow
        ),
    ]

    static func place(_ web: WebRequest) async throws -> SystemPlace {
        _ = try ConsolePages.signedIn(web)
        return try await web.services.flows.systems.place(web.parameter("system"), web.parameter("resource"))
    }

    /// The fields that somebody sees as they are: what lists show, sort and look for.
    static func visible(_ place: SystemPlace, _ web: WebRequest) async throws -> Set<String> {
        let resource = try await web.services.kernel.resource(place.code)
        return web.services.kernel.gate.unmaskedFields(
            web.services.lake.read.descriptor,
            resource,
            web.caller,
            anyRows: true
        )
    }

    static func crumbs(_ place: SystemPlace, _ web: WebRequest, isRecord: Bool = true) -> HTML {
        let system = place.system
        let list: HTML =
            isRecord
            ? " › <a href=\"\(SystemPages.path(place))\">\(place.declaration.title(web.language))</a>" : .empty
        return
            "<p class=\"crumbs\"><a href=\"/systems\">\(web.text("业务系统", "Systems"))</a> › <a href=\"/systems/\(system.id)\">\(system.declaration.title[web.language])</a>\(list)</p>"
    }

    static func head(_ place: SystemPlace, _ web: WebRequest, here: String) async throws -> HTML {
        let path = SystemPages.path(place)
        let declared = place.declaration
        var tabs: [(String, String)] = [("", web.text("列表", "List"))]
        if declared.flow != nil { tabs.append(("/board", web.text("看板", "Board"))) }
        let position = RecordMapPage.fields(declared.views.map)
        if !position.isEmpty, try await visible(place, web).isSuperset(of: position) {
            tabs.append(("/map", web.text("地图", "Map")))
        }
        if !declared.views.charts.isEmpty { tabs.append(("/dashboard", web.text("统计", "Figures"))) }
        if !declared.draws.isEmpty { tabs.append(("/draws", web.text("抽取", "Draws"))) }
        if declared.flow != nil { tabs.append(("/flow", web.text("流程图", "Flow"))) }
        // A package holds a whole record.
        let resource = try await web.services.kernel.resource(place.code)
        let packages = web.services.flows.packages.descriptor
        let seen = web.services.kernel.gate.unmaskedFields(packages, resource, web.caller, anyRows: true)
        if declared.transfer != nil, seen.isSuperset(of: resource.schema.fields.map(\.name)) {
            tabs.append(("/packages", web.text("收到的记录包", "Packages")))
        }
        let beginnings = try await web.services.flows.beginnings(place, web.caller)
        if !beginnings.isEmpty { tabs.append(("/imports", web.text("批量导入", "Import"))) }
        let links = tabs.map { tab, label -> HTML in
            tab == here
                ? "<a href=\"\(path)\(tab)\" aria-current=\"page\">\(label)</a>"
                : "<a href=\"\(path)\(tab)\">\(label)</a>"
        }
        let buttons = beginnings.map { step -> HTML in
            "<a class=\"button\" href=\"\(path)/new?step=\(step.key)\">\(step.title[web.language])</a> "
        }
        return """
            \(crumbs(place, web, isRecord: false))<header class="title"><h1>\(declared.title(web.language))</h1><p class="actions">\(buttons)</p></header>
            <nav class="tabs" aria-label="\(web.text("视图", "Views"))">\(links)</nav>
            """
    }

    // MARK: The list

    /// Numbers stand to the right, dates and numbers on one line.
    private static func style(_ field: Field?) -> String {
        switch field?.type {
        case .integer, .decimal, .real: "number"
        case .date, .timestamp, .time: "key"
        default: ""
        }
    }

    /// The fields of a list: those that the pack names, else the first that are short.
    static func columns(_ declared: ResourceDeclaration) -> [String] {
        if !declared.views.columns.isEmpty { return declared.views.columns }
        return Array(
            declared.schema.fields.filter {
                $0.type != .geometry && ($0.maximumLength ?? 0) <= 200 && $0.name != declared.flow?.field
            }.map(\.name).prefix(6)
        )
    }

    private static func list(_ web: WebRequest) async throws -> Response {
        let place = try await place(web)
        let seen = try await visible(place, web)
        let declared = place.declaration.showing(seen)
        let names = columns(declared)
        var query = RecordQuery(place.code, cursor: web.query("cursor"), limit: try web.askedLimit(50, 200))
        let state = declared.flow.map(\.field).flatMap { seen.contains($0) ? $0 : nil }
        query.fields = Array(Set(names + [state].compactMap(\.self)))
        query.sort = declared.views.sort.isEmpty ? nil : declared.views.sort
        query.condition = try condition(declared, web)
        let page = try await web.perform(web.services.lake.read, query)
        let standings =
            declared.flow == nil
            ? [:] : try await web.perform(web.services.flows.standings, (place.code, page.ids))
        let shown = names.filter { $0 != state && page.batch.schemaIndex($0) != nil }
        let labels = try await ReferenceLabels.read(declared, page.batch, shown, web)
        let entries = try await EntryNames(page.batch, web)
        let rows = (0..<page.batch.count).map { row -> HTML in
            let id = page.ids[row]
            let cells = shown.enumerated().map { index, name -> HTML in
                let text = labels.shown(cell(page.batch, row, name, declared, web), name)
                if index == 0 {
                    return
                        "<td class=\"key\"><a href=\"\(SystemPages.path(place))/\(id)\">\(text.isEmpty ? "#\(id)" : text)</a></td>"
                }
                let field = declared.field(name)
                let value: HTML =
                    field?.kind == .catalogueEntry
                    ? entries.html(RecordPages.cellRaw(page.batch, row, name), field, web) : "\(text)"
                return "<td class=\"\(style(field))\">\(value)</td>"
            }
            guard let flow = declared.flow else { return "<tr>\(cells)</tr>" }
            let standing = standings[id]
            return
                "<tr>\(cells)<td>\(badge(standing?.state ?? "", flow, web))</td><td>\(SystemPages.due(standing?.due, web, warnAt: standing?.warnAt))</td></tr>"
        }
        var heads = shown.compactMap { declared.field($0) }.map { declared.label($0, web.language) }
        if declared.flow != nil { heads += [web.text("状态", "State"), web.text("期限", "Due")] }
        let title = declared.title(web.language)
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("没有符合条件的记录。", "There are no such records."))
            : "<div data-keys>\(Layout.table(heads, rows, label: title))</div>"
        let more: HTML =
            page.next.map { next in
                "<p class=\"pager\"><a href=\"?\(kept(web, without: ["cursor"]))cursor=\(FormText.encoded(next))\">\(web.text("下一页", "Next page"))</a></p>"
            } ?? .empty
        let out = rows.isEmpty ? HTML.empty : exports(place, query, web)
        return .page(
            Layout.console(
                title,
                web,
                scripts: ["/assets/page.js"],
                "\(try await head(place, web, here: ""))<section class=\"card\">\(filters(declared, web))\(table)\(more)\(out)</section>"
            )
        )
    }

    /// The rows that the list is narrowed to, as files.
    private static func exports(_ place: SystemPlace, _ query: RecordQuery, _ web: WebRequest) -> HTML {
        let base = "/api/v1/resources/\(place.code.replacing("/", with: "-"))/records"
        let filter = query.condition.map { "&filter=\(FormText.encoded($0.json.text))" } ?? ""
        let sort = query.sort.map { "&sort=\(FormText.encoded($0))" } ?? ""
        return
            "<p class=\"hint\">\(web.text("导出符合条件的全部记录：", "Export all records found: "))<a href=\"\(base).xlsx?bom=true\(filter)\(sort)\" download>XLSX</a> <a href=\"\(base).csv?bom=true\(filter)\(sort)\" download>CSV</a></p>"
    }

    static func badge(_ state: String, _ flow: FlowDeclaration, _ web: WebRequest) -> HTML {
        guard let known = flow.state(state) else { return Layout.badge(state.isEmpty ? "—" : state) }
        return Layout.badge(
            known.title[web.language],
            known.kind == .done ? "good" : known.kind == .cancelled ? "" : "fair"
        )
    }

    /// A value as people read it: a code by its label, a moment to the minute.
    static func cell(
        _ batch: Batch,
        _ row: Int,
        _ name: String,
        _ declared: ResourceDeclaration,
        _ web: WebRequest
    ) -> String {
        guard let index = batch.schemaIndex(name) else { return "" }
        return FormText.shown(batch.value(row, index).text, declared.field(name), web)
    }

    /// What the list is narrowed by: a saved filter, the fields that the pack names, a word in the title.
    static func condition(_ declared: ResourceDeclaration, _ web: WebRequest) throws -> CQL.Expression? {
        var parts: [CQL.Expression] = []
        if let index = web.query("saved").flatMap({ Int($0) }), declared.views.saved.indices.contains(index) {
            parts.append(try CQL.Expression(either: declared.views.saved[index].filter))
        }
        for name in filterFields(declared) where declared.field(name) != nil {
            guard let text = web.query("f_\(name)"), let field = declared.field(name) else { continue }
            parts.append(try FormText.condition(field, text))
        }
        if let word = web.query("q"), let title = declared.titleField, declared.field(title)?.type == .text {
            let escaped = word.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
            parts.append(.like(.property(title), .literal(.text("%\(escaped)%"))))
        }
        return parts.isEmpty ? nil : parts.count == 1 ? parts[0] : .and(parts)
    }

    private static func filterFields(_ declared: ResourceDeclaration) -> [String] {
        let state = [declared.flow?.field].compactMap(\.self)
        // The title has a field of its own, which looks for a word in it.
        return state + declared.views.filters.filter { !state.contains($0) && $0 != declared.titleField }
    }

    static func filters(_ declared: ResourceDeclaration, _ web: WebRequest) -> HTML {
        let saved = declared.views.saved.enumerated().map { index, filter -> HTML in
            let isHere = web.query("saved") == String(index)
            return isHere
                ? "<a href=\"?\(kept(web, without: ["saved", "cursor"]))\" aria-current=\"true\">\(filter.title[web.language])</a>"
                : "<a href=\"?\(kept(web, without: ["saved", "cursor"]))saved=\(index)\">\(filter.title[web.language])</a>"
        }
        let tabs: HTML =
            saved.isEmpty
            ? .empty
            : "<p class=\"tabs views\" role=\"group\" aria-label=\"\(web.text("常用筛选", "Saved filters"))\">\(saved)</p>"
        let fields = filterFields(declared).compactMap { name -> HTML? in
            guard let field = declared.field(name) else { return nil }
            let label = declared.label(field, web.language)
            return Layout.field(label, FormText.filter(field, "f_\(name)", web.query("f_\(name)") ?? "", web))
        }
        let word: HTML =
            declared.titleField.flatMap { declared.field($0) }.flatMap { field in
                field.type == .text
                    ? Layout.field(
                        declared.label(field, web.language),
                        "<input type=\"search\" name=\"q\" value=\"\(web.query("q") ?? "")\">"
                    ) : nil
            } ?? .empty
        let hidden: HTML = web.query("saved").map { "<input type=\"hidden\" name=\"saved\" value=\"\($0)\">" } ?? .empty
        return
            "\(tabs)<form class=\"filters\" method=\"get\">\(hidden)\(word)\(more(declared, web, fields.count))\(fields)<div><button class=\"quiet\">\(web.text("筛选", "Filter"))</button></div></form>"
    }

    /// On narrow screens the filters after this stand there once it is opened, and where one of them is set; wide screens do not show it.
    private static func more(_ declared: ResourceDeclaration, _ web: WebRequest, _ count: Int) -> HTML {
        guard count > 2 else { return .empty }
        let isSet = filterFields(declared).contains { web.query("f_\($0)") != nil }
        return
            "<details class=\"more\"\(isSet ? " open" as HTML : .empty)><summary>\(web.text("更多筛选条件(\(count) 项)", "More filters (\(count))"))</summary></details>"
    }

    static func kept(_ web: WebRequest, without: Set<String>) -> String {
        web.parameters.filter { !without.contains($0.key) && !$0.value.isEmpty && $0.key != "lang" }.sorted {
            $0.key < $1.key
        }.map { "\(FormText.encoded($0.key))=\(FormText.encoded($0.value))&" }.joined()
    }

    // MARK: The board

    private static func board(_ web: WebRequest) async throws -> Response {
        let place = try await place(web)
        let seen = try await visible(place, web)
        let declared = place.declaration.showing(seen)
        guard let flow = declared.flow, seen.contains(flow.field) else {
            throw Problem.notFound(.init("页面", "the page"))
        }
        let title = declared.titleField
        let names = ([title].compactMap(\.self) + declared.views.boardFields).reduce(into: [String]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        var columns: [HTML] = []
        for state in flow.states where state.kind == .open {
            var query = RecordQuery(place.code, fields: names, limit: 20)
            query.condition = .compare(.equal, .property(flow.field), .literal(.text(state.key)))
            let page = try await web.perform(web.services.lake.read, query)
            let standings = try await web.perform(web.services.flows.standings, (place.code, page.ids))
            let order = (0..<page.batch.count).sorted {
                (standings[page.ids[$0]]?.due ?? .max) < (standings[page.ids[$1]]?.due ?? .max)
            }
            let cards = order.map { row -> HTML in
                let id = page.ids[row]
                let lines = names.dropFirst().map { name -> HTML in
                    "<p class=\"muted\">\(cell(page.batch, row, name, declared, web))</p>"
                }
                let name = title.map { cell(page.batch, row, $0, declared, web) } ?? ""
                return
                    "<li><a href=\"\(SystemPages.path(place))/\(id)\">\(name.isEmpty ? "#\(id)" : name)</a>\(lines)<p>\(SystemPages.due(standings[id]?.due, web, warnAt: standings[id]?.warnAt))</p></li>"
            }
            let more: HTML =
                page.next == nil
                ? .empty
                : "<p><a href=\"\(SystemPages.path(place))?f_\(flow.field)=\(state.key)\">\(web.text("更多……", "More…"))</a></p>"
            let count = page.next == nil ? String(page.batch.count) : "20+"
            columns.append(
                "<section class=\"lane\"><h2>\(state.title[web.language]) <span class=\"muted\">\(count)</span></h2><ul>\(cards)</ul>\(more)</section>"
            )
        }
        return .page(
            Layout.console(
                declared.title(web.language),
                web,
                "\(try await head(place, web, here: "/board"))<div class=\"board\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("看板", "Board"))\">\(columns)</div>"
            )
        )
    }

    // MARK: Figures

    private static func dashboard(_ web: WebRequest) async throws -> Response {
        let place = try await place(web)
        let declared = place.declaration
        var charts: [HTML] = []
        let seen = try await visible(place, web)
        for chart in declared.views.charts
        where seen.contains(chart.group)
            && chart.measure.split(separator: ":").dropFirst().allSatisfy({ seen.contains(String($0)) })
        {
            let step = AggregateQuery.Group.Step(rawValue: chart.by.rawValue)
            let parts = chart.measure.split(separator: ":").map(String.init)
            let text = parts.count == 2 ? "\(parts[0])(\(parts[1]))" : "count"
            let query = AggregateQuery(
                place.code,
                groups: [.init(field: chart.group, step: step)],
                measures: [try .init(text: text)],
                limit: 40
            )
            let found = try await web.perform(web.services.lake.aggregate, query)
            let field = declared.field(chart.group)
            var bars: [(String, Double)] = []
            for row in 0..<found.batch.count {
                let name = FormText.shown(found.batch.value(row, 0).text, step == nil ? field : nil, web)
                let value = Double(found.batch.value(row, 1).text) ?? 0
                bars.append((name.isEmpty ? web.text("(空)", "(empty)") : String(name.prefix(40)), value))
            }
            if step == nil { bars.sort { $0.1 > $1.1 } }
            let most = max(1, bars.map(\.1).max() ?? 1)
            let unit = parts.count == 2 ? declared.field(parts[1]).map(FormText.unit) ?? "" : ""
            let lines = bars.map { name, value -> HTML in
                "<div class=\"mark bar\"><span>\(name)</span><progress max=\"\(Numbers.short(most))\" value=\"\(Numbers.short(value))\" aria-label=\"\(name)\"></progress><b>\(IndicatorPages.number(value))\(unit)</b></div>"
            }
            let body: HTML =
                lines.isEmpty ? Layout.empty(web.text("还没有记录。", "There are no records yet.")) : HTML(lines)
            charts.append("<section class=\"card\"><h2>\(chart.title[web.language])</h2>\(body)</section>")
        }
        return .page(
            Layout.console(
                declared.title(web.language),
                web,
                "\(try await head(place, web, here: "/dashboard"))<div class=\"grid charts\">\(charts)</div>"
            )
        )
    }

    // MARK: The flow

    private static func flow(_ web: WebRequest) async throws -> Response {
        let place = try await place(web)
        let declared = place.declaration
        let mine = try await web.services.flows.reachable(place.system, web.caller)
        guard let flow = declared.flow, mine.contains(where: { $0.key == declared.key }) else {
            throw Problem.notFound(.init("页面", "the page"))
        }
        let gate = web.services.kernel.gate
        let rows = flow.steps.map { step -> HTML in
            let from =
                step.isBeginning
                ? "—"
                : step.fromAny
                    ? web.text("任一在办状态", "any open state")
                    : step.from.map { flow.state($0)?.title[web.language] ?? $0 }.joined(separator: web.text("、", ", "))
            let to = step.to.flatMap { flow.state($0)?.title[web.language] } ?? web.text("不变", "stays")
            let roles =
                step.roles.compactMap { Role(rawValue: $0) }.map { gate.title(of: $0)[web.language] }
                + (step.isOfClock ? [web.text("到期自动", "a clock's end")] : [])
                + (step.isForAnyone ? [web.text("公众", "everybody")] : [])
            let clocks = step.start.compactMap { flow.clock($0)?.title[web.language] }.joined(
                separator: web.text("、", ", ")
            )
            let documents = step.issue.compactMap { key in
                declared.documents.first { $0.key == key }?.title[web.language]
            }.joined(separator: web.text("、", ", "))
            return
                "<tr><td>\(step.title[web.language])</td><td>\(from)</td><td>\(to)</td><td>\(roles.joined(separator: web.text("、", ", ")))</td><td>\(clocks)</td><td>\(documents)</td></tr>"
        }
        let heads = [
            web.text("步骤", "Step"), web.text("从", "From"), web.text("到", "To"), web.text("办理角色", "Roles"),
            web.text("起算时限", "Starts"), web.text("文书", "Documents"),
        ]
        let clocks = flow.clocks.map { clock -> HTML in
            let length: String =
                switch clock.length {
                case .number(let number): String(number)
                case .setting(let key): place.system.setting(key)
                case .field(let name):
                    declared.field(name).map {
                        web.text("按“\(declared.label($0, .zh))”", "as “\(declared.label($0, .en))” says")
                    } ?? name
                }
            return
                "<tr><td>\(clock.title[web.language])</td><td>\(length) \(FormText.unit(clock.unit, web))</td><td>\(clock.law)</td></tr>"
        }
        let clockTable: HTML =
            clocks.isEmpty
            ? .empty
            : "<section class=\"card\"><h2>\(web.text("时限", "Time limits"))</h2>\(Layout.table([web.text("时限", "Limit"), web.text("长度", "Length"), web.text("依据", "By")], clocks, label: web.text("时限", "Time limits")))</section>"
        return .page(
            Layout.console(
                declared.title(web.language),
                web,
                """
                \(try await head(place, web, here: "/flow"))<section class="card"><div class="scroll lineage flowchart" tabindex="0" role="region" aria-label="\(web.text("流程图", "The flow"))">\(FlowDrawing(flow, web.language).svg)</div>
                <p class="hint">\(web.text("实线为前进，浅色虚线为退回、撤回和旁支；圆点为开始。停留在同一状态的步骤只列在表中。", "Lines lead on; light dashed ones lead back or aside; a dot begins. Steps that stay where they are stand in the table only."))</p></section>
                <section class="card"><h2>\(web.text("步骤", "Steps"))</h2>\(Layout.table(heads, rows, label: web.text("步骤", "Steps")))</section>\(clockTable)
                """
            )
        )
    }
}

extension Batch {
    func schemaIndex(_ name: String) -> Int? { fields.firstIndex { $0.name == name } }
}

extension ResourceDeclaration {
    /// The declaration as those see it who see some of its fields only.
    func showing(_ seen: Set<String>) -> ResourceDeclaration {
        guard schema.fields.contains(where: { !seen.contains($0.name) }) else { return self }
        var shown = self
        shown.schema.fields.removeAll { !seen.contains($0.name) }
        shown.views.columns.removeAll { !seen.contains($0) }
        shown.views.filters.removeAll { !seen.contains($0) }
        shown.views.boardFields.removeAll { !seen.contains($0) }
        if !seen.contains(views.boardTitle) { shown.views.boardTitle = "" }
        if !seen.contains(String(views.sort.drop { $0 == "-" })) { shown.views.sort = "" }
        if !RecordMapPage.fields(views.map).allSatisfy(seen.contains) { shown.views.map = nil }
        shown.views.saved.removeAll { saved in
            (try? CQL.Expression(either: saved.filter))?.properties.contains { !seen.contains($0) } ?? true
        }
        shown.schema.key = shown.schema.key.allSatisfy(seen.contains) ? shown.schema.key : []
        return shown
    }
}
