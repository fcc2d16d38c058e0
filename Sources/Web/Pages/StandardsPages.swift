import Basics
import Catalogue
import Codes
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// The standards registry: for everybody to read, for stewards to keep.
enum StandardsPages {
    static let routes: [Route] = [
        Route(.get, "/standards", .actions(["standards.list"]), zh: "数据标准", en: "Standards", handle: list),
        Route(
            .get,
            "/standards/elements/{id}",
            .actions(["standards.list"]),
            zh: "数据元",
            en: "Data element",
            handle: element
        ),
        Route(.get, "/standards/codes/{id}", .actions(["standards.list"]), zh: "代码集", en: "Code list", handle: codes),
        Route(
            .get,
            "/standards/trees/{id}",
            .actions(["standards.list"]),
            zh: "分类树",
            en: "Classification tree",
            handle: tree
        ),
        Route(
            .get,
            "/console/standards",
            .actions(["standards.list", "catalogue.ledger"]),
            .console,
            zh: "标准与贯标",
            en: "Standards at work",
            handle: work
        ),
        Route(
            .get,
            "/console/compliance",
            .actions(["catalogue.list"]),
            .console,
            zh: "编制检查",
            en: "Compliance",
            handle: compliance
        ),
        Route(.post, "/console/standards", .actions(["standards.save"]), .console, zh: "维护数据标准", en: "Save a standard")
        {
            web in
            let form = try await web.form()
            let item = form["kind"] == "code_list" ? codeList(form) : dataElement(form)
            _ = try await web.perform(web.services.catalogue.saveStandards, [item])
            let id = form["id"].addingPercentEncoding()
            return .redirect(form["kind"] == "code_list" ? "/standards/codes/\(id)" : "/standards/elements/\(id)")
        },
    ]

    private static func crumbs(_ title: String, _ web: WebRequest) -> HTML {
        "<nav class=\"crumbs\" aria-label=\"\(web.text("位置", "Breadcrumb"))\"><a href=\"/standards\">\(web.text("数据标准", "Standards"))</a> › <span>\(title)</span></nav>"
    }

    static func limits(_ field: Field, _ web: WebRequest) -> String {
        var parts: [String] = []
        if field.type == .decimal { parts.append(web.text("\(field.scale) 位小数", "\(field.scale) digits")) }
        switch (field.minimumLength, field.maximumLength) {
        case (let low?, let high?): parts.append(low == high ? "\(low)" : "\(low)–\(high)")
        case (nil, let high?): parts.append("≤ \(high)")
        case (let low?, nil): parts.append("≥ \(low)")
        default: break
        }
        if let minimum = field.minimum { parts.append("≥ \(Numbers.short(minimum))") }
        if let maximum = field.maximum { parts.append("≤ \(Numbers.short(maximum))") }
        return parts.joined(separator: ", ")
    }

    static func list(_ web: WebRequest) async throws -> Response {
        let registry = try await web.perform(web.services.catalogue.standards, ())
        let kind = web.query("kind").flatMap(StandardKind.init(rawValue:)) ?? .element
        let counts: [StandardKind: Int] = [
            .element: registry.elements.count, .codeList: registry.codeLists.count, .tree: registry.trees.count,
        ]
        let tabs = StandardKind.allCases.map { item -> HTML in
            let here: HTML = item == kind ? " aria-current=\"page\"" : .empty
            return
                "<a href=\"/standards?kind=\(item.rawValue)\"\(here)>\(item.title[web.language]) \(counts[item] ?? 0)</a>"
        }
        let heads: [String]
        let rows: [HTML]
        switch kind {
        case .element:
            heads = [
                web.text("标识", "Id"), web.text("名称", "Name"), web.text("类型", "Type"), web.text("长度与范围", "Limits"),
                web.text("单位", "Unit"), web.text("代码集", "Code list"), web.text("依据", "Source"),
            ]
            rows = registry.elements.values.sorted { $0.id < $1.id }.map { element in
                let codes: HTML =
                    element.codes.isEmpty
                    ? "—"
                    : "<a href=\"/standards/codes/\(element.codes)\">\(registry.codeLists[element.codes]?.name[web.language] ?? element.codes)</a>"
                return
                    "<tr><td><code>\(element.id)</code></td><td><a href=\"/standards/elements/\(element.id)\">\(element.name[web.language])</a></td><td>\(element.field.type.title[web.language])</td><td>\(limits(element.field, web))</td><td>\(element.field.unit)</td><td>\(codes)</td><td>\(element.source)</td></tr>"
            }
        case .codeList:
            heads = [
                web.text("标识", "Id"), web.text("名称", "Name"), web.text("现行版本", "In force"),
                web.text("代码数", "Codes") + "#",
                web.text("版本数", "Versions") + "#", web.text("依据", "Source"),
            ]
            let today = CivilTime.chinaDay(microseconds: web.services.kernel.clock.now())
            rows = registry.codeLists.values.sorted { $0.id < $1.id }.map { list in
                let version = list.version(on: today)
                return
                    "<tr><td><code>\(list.id)</code></td><td><a href=\"/standards/codes/\(list.id)\">\(list.name[web.language])</a></td><td>\(version.version)</td><td class=\"number\">\(version.values.count)</td><td class=\"number\">\(list.versions.count)</td><td>\(list.source)</td></tr>"
            }
        case .tree:
            heads = [
                web.text("标识", "Id"), web.text("名称", "Name"), web.text("节点数", "Nodes") + "#", web.text("依据", "Source"),
            ]
            rows = registry.trees.values.sorted { $0.id < $1.id }.map { tree in
                "<tr><td><code>\(tree.id)</code></td><td><a href=\"/standards/trees/\(tree.id)\">\(tree.name[web.language])</a></td><td class=\"number\">\(tree.nodes.count)</td><td>\(tree.source)</td></tr>"
            }
        }
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("标准库里还没有\(kind.title.zh)。", "There are no \(kind.title.en) yet."))
            : Layout.table(heads, rows, label: kind.title[web.language])
        return .page(
            Layout.page(
                web.text("数据标准", "Standards"),
                web,
                """
                <div class="wrap"><header class="title"><h1>\(web.text("数据标准", "Standards"))</h1><p class="muted">\(web.text("数据元、代码集与分类树：数据资源的信息项按它们编制和检查。", "Data elements, code lists and classification trees: what the items of resources are made of and checked against."))</p></header>
                <nav class="tabs" aria-label="\(web.text("种类", "Kinds"))">\(tabs)</nav><section class="card">\(table)</section></div>
                """
            )
        )
    }

    static func element(_ web: WebRequest) async throws -> Response {
        let registry = try await web.perform(web.services.catalogue.standards, ())
        guard let element = registry.elements[try web.parameter("id")] else {
            throw Problem.notFound(.init("数据元", "the data element"))
        }
        let field = element.field
        let facts: [(String, HTML)] = [
            (web.text("标识", "Id"), "<code>\(element.id)</code>"), (web.text("英文名", "English"), "\(element.name.en)"),
            (web.text("定义", "Definition"), "\(element.definition)"),
            (web.text("类型", "Type"), "\(field.type.title[web.language])"),
            (web.text("长度与范围", "Limits"), "\(limits(field, web))"), (web.text("单位", "Unit"), "\(field.unit)"),
            (web.text("格式", "Pattern"), "<code>\(field.pattern ?? "")</code>"),
            (web.text("含义", "Meaning"), "\(field.kind?.title[web.language] ?? "")"),
            (web.text("分级", "Grade"), "\(field.grade.title[web.language])"),
            (
                web.text("代码集", "Code list"),
                element.codes.isEmpty ? "" : "<a href=\"/standards/codes/\(element.codes)\">\(element.codes)</a>"
            ), (web.text("依据", "Source"), "\(element.source)"),
        ]
        let lines = facts.filter { !$0.1.text.isEmpty && $0.1.text != "<code></code>" }.map {
            "<div><dt>\($0)</dt><dd>\($1)</dd></div>" as HTML
        }
        let name = element.name[web.language]
        return .page(
            Layout.page(
                name,
                web,
                "<div class=\"wrap\">\(crumbs(name, web))<header class=\"title\"><h1>\(name)</h1></header><section class=\"card\"><dl class=\"facts\">\(lines)</dl></section></div>"
            )
        )
    }

    static func codes(_ web: WebRequest) async throws -> Response {
        let registry = try await web.perform(web.services.catalogue.standards, ())
        guard let list = registry.codeLists[try web.parameter("id")] else {
            throw Problem.notFound(.init("代码集", "the code list"))
        }
        let today = CivilTime.chinaDay(microseconds: web.services.kernel.clock.now())
        let current = list.version(on: today)
        let sections = list.versions.reversed().map { version -> HTML in
            let rows = version.values.map {
                "<tr><td><code>\($0.value)</code></td><td>\($0.label.zh)</td><td>\($0.label.en)</td></tr>" as HTML
            }
            let table = Layout.table(
                [web.text("代码", "Code"), web.text("名称", "Name"), web.text("英文", "English")],
                rows,
                label: "\(web.text("版本", "Version")) \(version.version)"
            )
            let badge: HTML = version == current ? Layout.badge(web.text("现行", "in force"), "good") : .empty
            return
                "<section class=\"card\"><h2>\(web.text("版本", "Version")) \(version.version) \(badge)</h2><p class=\"muted\">\(web.text("自", "From")) \(CivilTime.date(version.from)) · \(version.note)</p>\(table)</section>"
        }
        let name = list.name[web.language]
        return .page(
            Layout.page(
                name,
                web,
                "<div class=\"wrap\">\(crumbs(name, web))<header class=\"title\"><h1>\(name)</h1><p class=\"muted\"><code>\(list.id)</code> · \(list.source)</p></header>\(sections)</div>"
            )
        )
    }

    static func tree(_ web: WebRequest) async throws -> Response {
        let registry = try await web.perform(web.services.catalogue.standards, ())
        guard let tree = registry.trees[try web.parameter("id")] else {
            throw Problem.notFound(.init("分类树", "the tree"))
        }
        let children = Dictionary(grouping: tree.nodes, by: \.parent)
        func branch(_ parent: String, _ level: Int = 0) -> HTML {
            guard level < ClassificationTree.mostLevels, let nodes = children[parent] else { return .empty }
            let items = nodes.map {
                "<li><code>\($0.code)</code> \($0.name[web.language])\(branch($0.code, level + 1))</li>" as HTML
            }
            return "<ul class=\"tree\">\(items)</ul>"
        }
        let name = tree.name[web.language]
        return .page(
            Layout.page(
                name,
                web,
                "<div class=\"wrap\">\(crumbs(name, web))<header class=\"title\"><h1>\(name)</h1><p class=\"muted\"><code>\(tree.id)</code> · \(tree.source)</p></header><section class=\"card\">\(branch(""))</section></div>"
            )
        )
    }

    // MARK: Compliance

    /// The entries with remarks of the compliance check (发改高技术〔2017〕1272号), what they are and what to do.
    static func compliance(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let offset = max(0, max(0, min(web.query("offset").flatMap { Int($0) } ?? 0, 10_000_000)))
        let query = EntryListQuery(
            provider: web.query("provider").flatMap { Int64($0) }.map { OrganisationID($0) },
            hasRemarks: true,
            offset: offset,
            limit: 50
        )
        let found = try await web.perform(web.services.catalogue.list, query)
        let organisations = web.services.kernel.gate.organisations
        let rows = found.entries.map { entry -> HTML in
            let remarks = (entry.content.map { web.services.catalogue.remarks($0) } ?? []).filter { !$0.isOfProvider }
            let items = remarks.map {
                "<li>\(Layout.badge($0.blocks ? web.text("须改", "must") : web.text("建议", "should"), $0.blocks ? "poor" : "fair")) \($0.message[web.language]) <span class=\"muted\">→ \($0.fix[web.language])</span></li>"
                    as HTML
            }
            return
                "<tr><td><a href=\"/console/entries/\(entry.slug)\">\(entry.content?.name ?? "")</a><br><code>\(entry.resource.code)</code></td><td>\(organisations[entry.resource.owner]?.name ?? "")</td><td><ul class=\"plain\">\(items)</ul></td></tr>"
        }
        let heads = [web.text("条目", "Entry"), web.text("提供方", "Provider"), web.text("问题与改法", "Remarks and what to do")]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("所有条目都合编制要求。", "Every entry meets the rules."))
            : Layout.table(heads, rows, label: web.text("编制检查", "Compliance"))
        let next: HTML =
            offset + 50 < found.total
            ? "<p class=\"pager\"><a href=\"/console/compliance?offset=\(offset + 50)\" rel=\"next\">\(web.text("下一页", "Next"))</a></p>"
            : .empty
        return .page(
            Layout.console(
                web.text("编制检查", "Compliance"),
                web,
                "<header class=\"title\"><h1>\(web.text("编制检查", "Compliance"))</h1><p class=\"muted\">\(web.text("按政务信息资源目录编制指南检查，共 \(found.total) 个条目有问题。", "Checked by the national guide; \(found.total) entries have remarks."))</p></header>\(codeless(web))<section class=\"card\">\(table)\(next)</section>"
            )
        )
    }

    /// The providers whose credit codes are missing: said once, not with each of their entries.
    private static func codeless(_ web: WebRequest) -> HTML {
        let gate = web.services.kernel.gate
        let names = gate.organisations.sorted.filter { $0.creditCode.isEmpty && $0.parent != nil }.map(\.name)
        guard !names.isEmpty else { return .empty }
        let more = names.count > 8 ? web.text("等 \(names.count) 个机构", " and others, \(names.count) in all") : ""
        let list = names.prefix(8).joined(separator: web.text("、", ", ")) + more
        let fix: HTML =
            gate.holds(.accountsManage, web.caller)
            ? "<a href=\"/console/organisations\">\(web.text("登记信用代码", "Enter the codes"))</a>"
            : "<span class=\"muted\">→ \(Compliance.providerCodeFix[web.language])</span>"
        return
            "<section class=\"card\"><h2>\(web.text("提供方缺统一社会信用代码", "Providers without a credit code")) \(Layout.badge(String(names.count), "fair"))</h2><p>\(list)</p><p>\(fix)</p></section>"
    }

    // MARK: At work

    static func work(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let registry = try await web.perform(web.services.catalogue.standards, ())
        let ledger = try await web.perform(web.services.catalogue.ledger, ())
        let rows = ledger.departments.filter { $0.bound > 0 || $0.items > 0 }.map { line -> HTML in
            let name = LedgerPage.department(line, web)
            return
                "<tr><th scope=\"row\"><a href=\"/console/entries?provider=\(line.key)&amp;deviating=true\">\(name)</a></th><td class=\"number\">\(Numbers.grouped(Int64(line.items)))</td><td class=\"number\">\(Numbers.grouped(Int64(line.bound)))</td><td class=\"number\">\(LedgerPage.percent(line.items == 0 ? nil : Double(line.bound) / Double(line.items)))</td><td class=\"number\">\(Numbers.grouped(Int64(line.bound - line.conforming)))</td><td class=\"number\">\(LedgerPage.percent(line.conformingRate))</td></tr>"
        }
        let heads = [
            web.text("部门", "Department"), web.text("信息项", "Items") + "#", web.text("引用数据元", "By elements") + "#",
            web.text("引用率", "Share") + "#", web.text("不符", "Deviating") + "#", web.text("贯标率", "Conforming") + "#",
        ]
        let report: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有信息项。", "There are no items yet."))
            : Layout.table(heads, rows, label: web.text("各部门贯标情况", "Conformance by department"))
        let keep = web.services.kernel.gate.holds(.standardsManage, web.caller) ? forms(registry, web) : .empty
        return .page(
            Layout.console(
                web.text("标准与贯标", "Standards"),
                web,
                """
                <header class="title"><h1>\(web.text("标准与贯标", "Standards at work"))</h1><p class="muted">\(web.text("贯标率 = 符合数据元的信息项 ÷ 引用了数据元的信息项。点部门看不符的条目。", "Conforming: of the items that name a data element, those that follow it. A department leads to its deviating entries."))</p>
                <p class="actions"><a class="button quiet" href="/standards">\(web.text("查看标准库", "See the registry"))</a></p></header>
                <section class="card"><h2>\(web.text("各部门贯标情况", "Conformance by department"))</h2>\(report)</section>\(keep)
                """
            )
        )
    }

    private static func forms(_ registry: StandardsRegistry, _ web: WebRequest) -> HTML {
        let types = ["string", "integer", "number", "boolean", "date", "time", "datetime", "geopoint"].map { ($0, $0) }
        let kinds = [("", "—")] + SemanticKind.allCases.map { ($0.rawValue, $0.title[web.language]) }
        let grades = Grade.allCases.map { (String($0.rawValue), $0.title[web.language]) }
        let lists =
            [("", "—")]
            + registry.codeLists.values.sorted { $0.id < $1.id }.map { ($0.id, "\($0.id) \($0.name[web.language])") }
        let id = "<input name=\"id\" required maxlength=\"60\" pattern=\"[A-Za-z0-9._\\-]+\">" as HTML
        func input(_ name: String, _ more: HTML = .empty) -> HTML {
            "<input name=\"\(name)\" maxlength=\"500\"\(more)>"
        }
        let number: HTML = " type=\"number\" step=\"any\""
        return """
            <section class="card"><h2>\(web.text("新增或修订数据元", "New or revised data element"))</h2><form method="post" action="/console/standards" class="stack">\(Layout.csrf(web))<input type="hidden" name="kind" value="element"><div class="grid">
            \(Layout.field(web.text("标识", "Id"), id))\(Layout.field(web.text("名称", "Name"), input("name", " required")))\(Layout.field(web.text("英文名", "English"), input("en")))
            \(Layout.field(web.text("类型", "Type"), Layout.select("type", types, "string")))\(Layout.field(web.text("小数位", "Digits after the point"), input("scale", number)))
            \(Layout.field(web.text("最短", "Shortest"), input("min_length", number)))\(Layout.field(web.text("最长", "Longest"), input("max_length", number)))
            \(Layout.field(web.text("下限", "Least"), input("minimum", number)))\(Layout.field(web.text("上限", "Greatest"), input("maximum", number)))
            \(Layout.field(web.text("单位", "Unit"), input("unit")))\(Layout.field(web.text("格式(正则)", "Pattern"), input("pattern")))
            \(Layout.field(web.text("含义", "Meaning"), Layout.select("semantic", kinds, "")))\(Layout.field(web.text("分级", "Grade"), Layout.select("grade", grades, "1")))\(Layout.field(web.text("代码集", "Code list"), Layout.select("codes", lists, "")))
            \(Layout.field(web.text("定义", "Definition"), input("definition")))\(Layout.field(web.text("依据", "Source"), input("source")))</div><div><button>\(web.text("保存数据元", "Save the element"))</button></div></form></section>
            <section class="card"><h2>\(web.text("新增代码集或版本", "New code list or version"))</h2><form method="post" action="/console/standards" class="stack">\(Layout.csrf(web))<input type="hidden" name="kind" value="code_list"><div class="grid">
            \(Layout.field(web.text("标识", "Id"), id, hint: web.text("已有的标识表示修订。", "A known id revises the list.")))\(Layout.field(web.text("名称", "Name"), input("name", " required")))\(Layout.field(web.text("依据", "Source"), input("source")))
            \(Layout.field(web.text("版本", "Version"), input("version", " required")))\(Layout.field(web.text("自何日起", "From"), "<input name=\"from\" type=\"date\" required>"))\(Layout.field(web.text("说明", "Note"), input("note")))</div>
            \(Layout.field(web.text("代码(每行：代码，名称，英文)", "Codes, one a line: code,name,English"), "<textarea name=\"values\" rows=\"6\" required></textarea>"))<div><button>\(web.text("保存代码集", "Save the code list"))</button></div></form></section>
            """
    }

    private static func dataElement(_ form: Form) -> (kind: StandardKind, json: JSONValue) {
        var members: [JSONValue.Member] = ["id", "name", "type", "unit", "pattern", "codes", "definition", "source"].map
        {
            .init($0, .string(TextForms.trimmed(form[$0])))
        }
        if !form["en"].isEmpty { members.append(.init("en", .string(form["en"]))) }
        members.append(.init("kind", .string(form["semantic"])))
        for name in ["scale", "min_length", "max_length", "grade"] {
            if let number = Int64(form[name]) { members.append(.init(name, .integer(number))) }
        }
        for name in ["minimum", "maximum"] {
            if let number = Double(form[name]) { members.append(.init(name, .real(number))) }
        }
        return (.element, .object(members))
    }

    private static func codeList(_ form: Form) -> (kind: StandardKind, json: JSONValue) {
        let values = form["values"].split(whereSeparator: \.isNewline).map { line -> JSONValue in
            let parts = line.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false).map {
                TextForms.trimmed(String($0))
            }
            var members: [JSONValue.Member] = [.init("value", .string(parts[0]))]
            if parts.count > 1 { members.append(.init("label", .string(parts[1]))) }
            if parts.count > 2 { members.append(.init("en", .string(parts[2]))) }
            return .object(members)
        }
        let version = JSONValue.object([
            .init("version", .string(form["version"])), .init("from", .string(form["from"])),
            .init("note", .string(form["note"])), .init("values", .array(values)),
        ])
        return (
            .codeList,
            .object(
                ["id", "name", "source"].map { .init($0, .string(TextForms.trimmed(form[$0]))) } + [
                    .init("versions", .array([version]))
                ]
            )
        )
    }
}
