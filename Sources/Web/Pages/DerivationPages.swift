import Codes
import Lake
import Basics
import Catalogue
import Derive
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// Derived resources in the console: the list, and the form that says how rows are made.
enum DerivationPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/derivations",
            .actions(["derivation.list"]),
            .console,
            zh: "派生资源",
            en: "Derived resources"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            return .page(try await list(web))
        },
        Route(
            .get,
            "/console/derivations/new",
            .actions(["derivation.list", "catalogue.search"]),
            .console,
            zh: "新建派生资源",
            en: "A new derived resource"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            return .page(try await form(DerivationForm(), nil, nil, web))
        },
        Route(
            .get,
            "/console/derivations/{code}",
            .actions(["derivation.show", "catalogue.search"]),
            .console,
            zh: "派生定义",
            en: "A derivation"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            let record = try await web.perform(web.services.derivations.show, try web.code())
            return .page(try await form(DerivationForm(record.definition), record, nil, web))
        },
        Route(
            .post,
            "/console/derivations",
            .actions(["derivation.preview", "catalogue.create", "derivation.save", "catalogue.search"]),
            .console,
            zh: "试算或保存派生资源",
            en: "Try or make a derived resource",
            handle: act
        ),
        Route(
            .post,
            "/console/derivations/{code}",
            .actions([
                "derivation.show", "derivation.preview", "derivation.save", "derivation.refresh", "derivation.remove",
                "catalogue.search",
            ]),
            .console,
            zh: "试算、保存、重算或删除派生定义",
            en: "Try, save, make again or take away",
            handle: act
        ),
    ]

    private static func act(_ web: WebRequest) async throws -> Response {
        let sent = try await web.form()
        let isNew = web.request.uri.path == "/console/derivations"
        if !isNew {
            let code = try web.code()
            switch sent["act"] {
            case "run":
                _ = try await web.perform(web.services.derivations.refreshed, code)
                return .redirect("/console/derivations/\(Entry.slug(code))")
            case "remove":
                try await web.perform(web.services.derivations.removed, code)
                return .redirect("/console/derivations")
            default: break
            }
        }
        let written = DerivationForm(sent)
        let record =
            isNew ? nil : try await web.perform(web.services.derivations.show, try web.code())
        // What was typed stays on the page, with what is wrong with it beside it.
        do {
            let definition = try written.definition()
            if sent["act"] == "preview" {
                let preview = try await web.perform(web.services.derivations.preview, (definition, 20))
                return .page(try await form(written, record, .success(preview), web))
            }
            if let record {
                try await web.perform(web.services.derivations.saved, (record.resource.code, definition))
                return .redirect("/console/derivations/\(Entry.slug(record.resource.code))")
            }
            let entry = try await DerivationsAPI.create(written.content, definition, web)
            return .redirect("/console/derivations/\(entry.slug)")
        } catch let problem as Problem where problem.status < 500 && problem.code != "access.csrf" {
            let page = try await form(written, record, .failure(problem), web)
            return .page(page, status: .init(code: problem.status))
        }
    }

    // MARK: The list

    private static func list(_ web: WebRequest) async throws -> HTML {
        let records = try await web.perform(web.services.derivations.listed, ())
        let title = web.text("派生资源", "Derived resources")
        let rows = records.map { record -> HTML in
            let slug = Entry.slug(record.resource.code)
            let sources = record.definition.sources.map { "<code>\($0.code)</code> " as HTML }
            return """
                <tr><td><a href="/console/derivations/\(slug)">\(record.resource.name)</a><br><span class="muted">\(record.resource.code)</span></td>
                <td>\(sources)</td><td>\(kind(record, web))</td><td>\(state(record, web))</td>
                <td><a href="/resources/\(slug)/lineage">\(web.text("血缘", "Lineage"))</a></td></tr>
                """
        }
        let heads = [
            web.text("资源", "Resource"), web.text("来源", "Sources"), web.text("方式", "Kept"),
            web.text("状态", "State"), web.text("血缘", "Lineage"),
        ]
        let new: HTML =
            "<a class=\"button\" href=\"/console/derivations/new\">\(web.text("新建派生资源", "New derived resource"))</a>"
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(
                web.text(
                    "还没有派生资源。派生资源由已有资源关联、计算、分组而成，来源变化后自动更新，分级和共享类型随来源。",
                    "There are none yet. A derived resource is made of others by joins, expressions and groups; it follows them, and is protected as they are."
                )
            ) : Layout.table(heads, rows, label: title)
        return Layout.console(
            title,
            web,
            "<header class=\"title\"><h1>\(title)</h1><p class=\"actions\">\(new)</p></header><section class=\"card\">\(table)</section>"
        )
    }

    private static func kind(_ record: DerivationRecord, _ web: WebRequest) -> String {
        record.definition.isStored
            ? web.text("来源变化后生成", "made when sources change") : web.text("查看时生成", "made when asked for")
    }

    private static func state(_ record: DerivationRecord, _ web: WebRequest) -> HTML {
        if let problem = record.problem {
            return "\(Layout.badge(web.text("失败", "failed"), "poor")) \(problem.message[web.language])"
        }
        guard let made = record.madeAt else { return "\(web.text("尚未生成", "not made yet"))" }
        return "\(Layout.badge(web.text("已生成", "made"), "good")) \(CivilTime.minute(made))"
    }

    // MARK: The form

    private static func form(
        _ written: DerivationForm,
        _ record: DerivationRecord?,
        _ outcome: Result<Derivations.Preview, Problem>?,
        _ web: WebRequest
    ) async throws -> HTML {
        let title = record?.resource.name ?? web.text("新建派生资源", "New derived resource")
        let slug = record.map { Entry.slug($0.resource.code) }
        let told: HTML
        switch outcome {
        case .failure(let problem):
            let hint: HTML = problem.hint.map { "<p>\($0[web.language])</p>" } ?? .empty
            let place: HTML =
                problem.details["position"].map { "<p class=\"muted\">\(web.text("位置", "position")) \($0)</p>" }
                ?? .empty
            told =
                "<section class=\"card problem\" role=\"alert\"><p><b>\(problem.message[web.language])</b></p>\(hint)\(place)<p class=\"muted\">\(problem.code)</p></section>"
        case .success(let preview): told = shown(preview, web)
        case nil: told = .empty
        }
        let header: HTML =
            record.map { record in
                """
                <p class="summary">\(kind(record, web)) · \(state(record, web))</p><div class="actions">
                <a class="button quiet" href="/console/entries/\(slug ?? "")">\(web.text("目录条目", "Entry"))</a> <a class="button quiet" href="/resources/\(slug ?? "")/lineage">\(web.text("数据血缘", "Lineage"))</a>
                <form method="post" action="/console/derivations/\(slug ?? "")" class="inline">\(Layout.csrf(web))<button class="quiet" name="act" value="run">\(web.text("立即重算", "Make now"))</button></form>
                <details class="inline"><summary>\(web.text("删除……", "Take away…"))</summary><form method="post" action="/console/derivations/\(slug ?? "")" class="inline">\(Layout.csrf(web))<button class="danger" name="act" value="remove">\(web.text("确认删除派生定义(数据保留)", "Take the derivation away; rows stay"))</button></form></details></div>
                """
            } ?? .empty
        let entry: HTML = record == nil ? about(written, web) : .empty
        let kinds = [
            ("true", web.text("来源变化后生成并保存", "made and kept when sources change")),
            ("false", web.text("查看时生成(总与来源一致)", "made when asked for, as the sources are")),
        ]
        let body: HTML = """
            <header class="title"><h1>\(title)</h1>\(header)</header>\(told)
            <section class="card"><h2>\(web.text("定义", "Definition"))</h2>
            <form method="post" action="/console/derivations\(slug.map { "/" + $0 } ?? "")" class="stack">\(Layout.csrf(web))\(entry)
            \(Layout.field(web.text("来源", "Sources"), area("sources", written.sources, rows: 4, "a = 301001/000002\nb = 301001/000001 on id = a.point_id"), hint: web.text("每行一个：名称 = 资源代码。第二行起写关联：on 字段 = 表达式，多个条件用 and；默认保留无匹配的行，写 inner 则去掉。", "One a line: name = code. From the second on with a join: on field = expression, several by and; rows without a partner stay unless it says inner.")))
            \(Layout.field(web.text("筛选(CQL2)", "Filter (CQL2)"), area("filter", written.filter, rows: 2, "a.flow > 0")))
            \(Layout.field(web.text("字段", "Fields"), area("fields", written.fields, rows: 8, "road 路线 = b.road\ntotal 合计 = sum(a.flow)"), hint: web.text("每行一个：名称 标题 = 表达式。可用 CQL2 表达式与函数；写 sum、mean、min、max、count()、distinct、p95 时，其余字段即为分组。", "One a line: name title = expression. CQL2 and its functions; with sum, mean, min, max, count(), distinct or p95 the other fields are the groups.")))
            \(Layout.field(web.text("主键字段", "Key"), "<input name=\"key\" value=\"\(written.key)\" placeholder=\"road, month\">", hint: web.text("多个用逗号分隔，可空。", "Several with commas; may be empty.")))
            \(Layout.field(web.text("方式", "Kept"), Layout.select("stored", kinds, written.isStored ? "true" : "false")))
            <p class="actions"><button name="act" value="preview" class="quiet">\(web.text("试算", "Try"))</button> <button name="act" value="save">\(web.text("保存", "Save"))</button></p></form></section>
            \(try await sources(web))
            """
        return Layout.console(title, web, body)
    }

    private static func area(_ name: String, _ text: String, rows: Int, _ example: String) -> HTML {
        "<textarea name=\"\(name)\" rows=\"\(rows)\" spellcheck=\"false\" class=\"code\" placeholder=\"\(example)\">\n\(text)</textarea>"
    }

    private static func about(_ written: DerivationForm, _ web: WebRequest) -> HTML {
        let owners = web.services.kernel.gate.ownersReached(by: web.caller, with: .catalogueEdit)
        let providers = web.services.kernel.gate.organisations.sorted.filter { owners?.contains($0.id) ?? true }
            .prefix(2000).map { (String($0.id.raw), $0.name) }
        let categories = Classification.transport.map { ($0.code, $0.title[web.language]) }
        return """
            \(Layout.field(web.text("名称", "Name"), "<input name=\"name\" required maxlength=\"120\" value=\"\(written.name)\">"))
            \(Layout.field(web.text("摘要", "Summary"), "<textarea name=\"summary\" rows=\"2\" required>\n\(written.summary)</textarea>"))
            \(Layout.field(web.text("提供方", "Provider"), Layout.select("provider", Array(providers), written.provider)))
            \(Layout.field(web.text("分类", "Category"), Layout.select("category", categories, written.category.isEmpty ? "301099" : written.category)))
            """
    }

    private static func shown(_ preview: Derivations.Preview, _ web: WebRequest) -> HTML {
        let fields = zip(preview.fields, preview.sharing).map { field, sharing -> HTML in
            let personal: HTML =
                field.protectedKind?.isPersonal == true ? Layout.badge(web.text("个人信息", "personal"), "fair") : .empty
            return
                "<tr><td>\(field.display) <code>\(field.name)</code> \(personal)</td><td>\(field.type.title[web.language])</td><td>\(field.grade.title[web.language])</td><td>\(sharing.title[web.language])</td></tr>"
        }
        let heads = [
            web.text("字段", "Field"), web.text("类型", "Type"), web.text("分级(随来源)", "Grade, as its sources"),
            web.text("共享类型(随来源)", "Sharing, as its sources"),
        ]
        let rows: HTML =
            preview.rows.map { batch in
                batch.count > 0
                    ? ResourcePages.table(batch, masked: [], web)
                    : Layout.empty(web.text("没有符合条件的行。", "No rows fit."))
            } ?? .empty
        return """
            <section class="card"><h2>\(web.text("试算结果", "What it makes"))</h2>\(rows)</section>
            <section class="card"><h2>\(web.text("字段", "Fields"))</h2>\(Layout.table(heads, fields, label: web.text("字段", "Fields")))</section>
            """
    }

    /// Resources that may be read, with what expressions call their fields.
    private static func sources(_ web: WebRequest) async throws -> HTML {
        let hits = try await web.perform(
            web.services.catalogue.search,
            CatalogueQuery(isOpen: nil, offset: 0, limit: 100, order: .number)
        )
        let readable = hits.entries.filter { $0.rows > 0 && web.services.lake.mayRead($0.resource, web.caller) }
        guard !readable.isEmpty else { return .empty }
        let rows = readable.map { entry -> HTML in
            let fields = entry.resource.schema.fields.map { field -> HTML in
                "<code>\(field.name)</code> \(field.title) "
            }
            return
                "<tr><td>\(entry.resource.name)<br><code>\(entry.resource.code)</code></td><td class=\"wrapped\">\(fields)</td></tr>"
        }
        let title = web.text("可用的来源", "Resources to make it of")
        let heads = [web.text("资源", "Resource"), web.text("字段", "Fields")]
        return "<section class=\"card\"><h2>\(title)</h2>\(Layout.table(heads, rows, label: title))</section>"
    }
}

/// A definition as people write it: a line for each source and each field.
struct DerivationForm {
    var name = ""
    var summary = ""
    var provider = ""
    var category = ""
    var sources = ""
    var filter = ""
    var fields = ""
    var key = ""
    var isStored = true

    init() {}

    init(_ form: Form) {
        name = form["name"]
        summary = form["summary"]
        provider = form["provider"]
        category = form["category"]
        sources = form["sources"]
        filter = TextForms.trimmed(form["filter"])
        fields = form["fields"]
        key = form["key"]
        isStored = form["stored"] != "false"
    }

    init(_ definition: Derivation) {
        sources = definition.sources.map { source in
            guard !source.on.isEmpty else { return "\(source.name) = \(source.code)" }
            let pairs = source.on.map { "\($0.field) = \($0.expression)" }.joined(separator: " and ")
            return "\(source.name) = \(source.code)\(source.isOptional ? "" : " inner") on \(pairs)"
        }.joined(separator: "\n")
        filter = definition.filter
        fields = definition.outputs.map { output in
            "\(output.name)\(output.title.isEmpty ? "" : " " + output.title) = \(output.expression)"
        }.joined(separator: "\n")
        key = definition.key.joined(separator: ", ")
        isStored = definition.isStored
    }

    /// What the entry of a new resource says.
    var content: JSONValue {
        .object([
            .init("name", .string(TextForms.trimmed(name))), .init("summary", .string(TextForms.trimmed(summary))),
            .init("provider", .integer(Int64(provider) ?? 0)), .init("category", .string(category)),
        ])
    }

    /// - Throws: `derivation.invalid` with the line that cannot be read.
    func definition() throws(Problem) -> Derivation {
        var sources: [JSONValue] = []
        for line in Self.lines(self.sources) { sources.append(try Self.source(line)) }
        var fields: [JSONValue] = []
        for line in Self.lines(self.fields) {
            guard let (head, expression) = Self.split(line, at: "=") else { throw Self.unread(line) }
            let words = head.split(separator: " ", maxSplits: 1).map { TextForms.trimmed(String($0)) }
            guard let name = words.first, !expression.isEmpty else { throw Self.unread(line) }
            fields.append(
                .object([
                    .init("name", .string(name)), .init("title", .string(words.count > 1 ? words[1] : "")),
                    .init("expression", .string(expression)),
                ])
            )
        }
        let key = self.key.split { $0 == "," || $0 == "，" || $0 == " " }.map { JSONValue.string(String($0)) }
        return try Derivation(
            json: .object([
                .init("sources", .array(sources)), .init("filter", .string(filter)), .init("fields", .array(fields)),
                .init("key", .array(key)), .init("stored", .boolean(isStored)),
            ])
        )
    }

    private static func lines(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).map { TextForms.trimmed(String($0)) }.filter { !$0.isEmpty }
    }

    private static func unread(_ line: String) -> Problem {
        Problem(
            "derivation.invalid",
            status: 422,
            zh: "派生定义有误：这一行看不懂：\(line.prefix(80))",
            en: "The derivation is not right: this line cannot be read: \(line.prefix(80))"
        )
    }

    private static func split(_ text: String, at mark: String) -> (String, String)? {
        guard let range = text.firstRange(of: mark) else { return nil }
        return (
            TextForms.trimmed(String(text[..<range.lowerBound])), TextForms.trimmed(String(text[range.upperBound...]))
        )
    }

    /// `b = 301001/000001 inner on id = a.point and day = a.day`.
    private static func source(_ line: String) throws(Problem) -> JSONValue {
        guard let (name, rest) = split(line, at: "="), !name.isEmpty else { throw unread(line) }
        let (head, condition) = split(rest, at: " on ") ?? (rest, "")
        let words = head.split(separator: " ").map(String.init)
        guard let code = words.first, words.count <= 2 else { throw unread(line) }
        var members: [JSONValue.Member] = [
            .init("name", .string(name)), .init("resource", .string(Entry.code(slug: code))),
        ]
        if words.count == 2 { members.append(.init("join", .string(words[1].lowercased()))) }
        if !condition.isEmpty {
            var pairs: [JSONValue.Member] = []
            var left = condition
            while !left.isEmpty {
                let (one, next) = split(left, at: " and ") ?? (left, "")
                guard let (field, expression) = split(one, at: "="), !field.isEmpty, !expression.isEmpty else {
                    throw unread(line)
                }
                pairs.append(.init(field, .string(expression)))
                left = next
            }
            members.append(.init("on", .object(pairs)))
        }
        return .object(members)
    }
}
