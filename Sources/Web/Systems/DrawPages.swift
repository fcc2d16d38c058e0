import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// Random draws: who draws, what came out, and that anybody can find the same again.
enum DrawPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/{resource}/draws",
            .actions(["flow.draws"]),
            .console,
            zh: "随机抽取页",
            en: "Random draws",
            handle: list
        ),
        Route(
            .post,
            "/systems/{system}/{resource}/draws",
            .actions(["flow.draw"]),
            .console,
            zh: "随机抽取",
            en: "Draw at random",
            handle: draw
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/draws/{id}",
            .actions(["flow.draws"]),
            .console,
            zh: "抽取记录页",
            en: "A draw, page",
            handle: show
        ),
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/draws",
            .actions(["flow.draw"]),
            .console,
            zh: "随机抽取",
            en: "Draw at random"
        ) { web in
            let place = try await RecordPages.place(web)
            let body = try await web.json()
            let request = DrawRequest(
                place.code,
                draw: body["draw"]?.string ?? "",
                count: Int(clamping: body["count"]?.integer ?? 0),
                filter: body["filter"]?.typed ?? [:],
                values: body["values"]?.typed ?? [:]
            )
            return .json(json(try await web.perform(web.services.flows.draw, request)), status: .created)
        },
        Route(
            .get,
            "/api/v1/systems/{system}/{resource}/draws/{id}",
            .actions(["flow.draws"]),
            .console,
            zh: "抽取记录",
            en: "A draw"
        ) { web in
            let place = try await RecordPages.place(web)
            return .json(json(try await web.perform(web.services.flows.madeDraw, (place.code, try web.number("id")))))
        },
    ]

    private static func json(_ draw: MadeDraw) -> JSONValue {
        .object([
            .init("id", .integer(draw.id)), .init("draw", .string(draw.draw)), .init("seed", .string(draw.seed)),
            .init("filter", .string(draw.filter)), .init("size", .integer(draw.size)),
            .init("digest", .string(draw.digest)), .init("at", .string(CivilTime.timestamp(draw.at))),
            .init(
                "drawn",
                .array(
                    draw.drawn.map { one in
                        .object([
                            .init("key", .string(one.key)), .init("record", .integer(one.record)),
                            .init("people", .array(one.people.map { .string($0) })),
                        ])
                    }
                )
            ),
            .init("pool", .string(draw.pool)), .init("people", .string(draw.people)),
            .init("right", .boolean(draw.isRight)),
        ])
    }

    /// The draws of a resource that somebody may make.
    static func offered(_ place: SystemPlace, _ web: WebRequest) -> [DeclaredDraw] {
        place.declaration.draws.filter { draw in
            draw.roles.contains { name in web.caller.principal?.roles.contains { $0.rawValue == name } ?? false }
        }
    }

    private static func list(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        return .page(try await page(place, web, typed: nil, problem: nil))
    }

    private static func page(
        _ place: SystemPlace,
        _ web: WebRequest,
        typed: Form?,
        problem: Problem?
    ) async throws -> HTML {
        let made = try await web.perform(web.services.flows.draws, place.code)
        var forms: [HTML] = []
        for draw in offered(place, web) {
            let isHere = typed?["draw"] == draw.key
            forms.append(try await form(draw, place, web, isHere ? typed : nil, isHere ? problem : nil))
        }
        let path = SystemPages.path(place)
        let rows = made.map { draw -> HTML in
            "<tr><td><a href=\"\(path)/draws/\(draw.id)\">\(CivilTime.minute(draw.at))</a></td><td>\(title(draw, place, web))</td><td class=\"number\">\(draw.size)</td><td class=\"number\">\(draw.drawn.count)</td><td>\(draw.principal)</td></tr>"
        }
        let heads = [
            web.text("时间", "Time"), web.text("抽取", "Draw"), web.text("可抽取数", "Pool"), web.text("抽中数", "Drawn"),
            web.text("抽取人", "By"),
        ]
        let label = web.text("抽取记录", "Draws made")
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有抽取过。", "Nothing was drawn yet.")) : Layout.table(heads, rows, label: label)
        return Layout.console(
            web.text("随机抽取", "Random draws"),
            web,
            "\(try await RecordPages.head(place, web, here: "/draws"))\(forms)<section class=\"card\"><h2>\(label)</h2>\(table)</section>"
        )
    }

    private static func title(_ draw: MadeDraw, _ place: SystemPlace, _ web: WebRequest) -> String {
        place.declaration.draws.first { $0.key == draw.draw }?.title[web.language] ?? draw.title
    }

    private static func form(
        _ draw: DeclaredDraw,
        _ place: SystemPlace,
        _ web: WebRequest,
        _ typed: Form?,
        _ problem: Problem?
    ) async throws -> HTML {
        let declared = place.declaration
        var controls: [HTML] = [
            Layout.field(
                web.text("抽取数量", "How many") + " *",
                "<input name=\"count\" inputmode=\"numeric\" required value=\"\(typed?["count"] ?? "5")\">",
                hint: web.text("最多 \(DeclaredDraw.mostRecords) 个", "\(DeclaredDraw.mostRecords) at the most")
            )
        ]
        if let pool = try await web.services.flows.systems.place(key: draw.resource)?.declaration {
            for name in draw.filters {
                guard let field = pool.field(name) else { continue }
                let label = web.text("限定", "Only ") + pool.label(field, web.language)
                controls.append(
                    Layout.field(label, FormText.filter(field, "f_\(name)", typed?["f_\(name)"] ?? "", web))
                )
            }
        }
        for asked in draw.fields {
            guard let field = declared.field(asked.field) else { continue }
            let control = FormText.control(
                field,
                typed?["v_\(field.name)"] ?? "",
                isRequired: asked.isRequired,
                choices: try await FormText.choices(declared, field, web),
                web
            )
            let label = declared.label(field, web.language) + (asked.isRequired ? " *" : "")
            controls.append(Layout.field(label, control, hint: FormText.hint(field, web)))
        }
        let alert: HTML =
            problem.map { "<div class=\"alert\" role=\"alert\"><p>\($0.message[web.language])</p></div>" } ?? .empty
        return """
            <form method="post" class="card stack"><h2>\(draw.title[web.language])</h2>\(alert)\(Layout.csrf(web))<input type="hidden" name="draw" value="\(draw.key)">
            <div class="grid">\(controls)</div><p class="hint">\(web.text("按权重随机、不重复；种子和可抽取名单一并留存，任何人可以复核。抽中的各成一条记录。", "By weight and without repeats; the seed and the pool are kept, so that anybody can check it. Each row drawn becomes a record."))</p>
            <p class="actions"><button>\(web.text("抽取", "Draw"))</button></p></form>
            """
    }

    private static func draw(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let form = try await web.form()
        guard let draw = place.declaration.draws.first(where: { $0.key == form["draw"] }) else {
            throw Problem.notFound(.init("抽取", "the draw"))
        }
        var values: [String: String] = [:]
        for asked in draw.fields where form.has("v_\(asked.field)") {
            guard let field = place.declaration.field(asked.field) else { continue }
            values[asked.field] = FormText.typed(form["v_\(asked.field)"], field)
        }
        let filter = Dictionary(
            draw.filters.map { ($0, TextForms.trimmed(form["f_\($0)"])) }.filter { !$0.1.isEmpty },
            uniquingKeysWith: { first, _ in first }
        )
        let request = DrawRequest(
            place.code,
            draw: draw.key,
            count: Int(TextForms.trimmed(form["count"])) ?? 0,
            filter: filter,
            values: values
        )
        do {
            let made = try await web.perform(web.services.flows.draw, request)
            return .redirect("\(SystemPages.path(place))/draws/\(made.id)")
        } catch let problem as Problem where (400..<500).contains(problem.status) && problem.status != 401 {
            return .page(try await page(place, web, typed: form, problem: problem), status: .init(code: problem.status))
        }
    }

    private static func show(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let draw = try await web.perform(web.services.flows.madeDraw, (place.code, try web.number("id")))
        let path = SystemPages.path(place)
        let rows = draw.drawn.enumerated().map { index, one -> HTML in
            "<tr><td class=\"number\">\(index + 1)</td><td>\(one.key)</td><td>\(one.people.joined(separator: web.text("、", ", ")))</td><td><a href=\"\(path)/\(one.record)\">#\(one.record)</a></td></tr>"
        }
        let heads = [
            web.text("序", "No."), web.text("抽中", "Drawn"), web.text("人员", "People"), web.text("记录", "Record"),
        ]
        let facts: [(String, HTML)] = [
            (web.text("时间", "Time"), "\(CivilTime.minute(draw.at))"), (web.text("抽取人", "By"), "\(draw.principal)"),
            (web.text("可抽取数", "Pool"), "\(draw.size)"),
            (web.text("条件", "Conditions"), "<code>\(draw.filter.isEmpty ? "—" : draw.filter)</code>"),
            (web.text("种子", "Seed"), "<code>\(draw.seed)</code>"),
            (web.text("名单摘要", "Digest of the pool"), "<code>\(draw.digest)</code>"),
            (
                web.text("复核", "Check"),
                draw.isRight
                    ? Layout.badge(web.text("按种子和名单重算一致", "the seed and the pool give the same"), "good")
                    : Layout.badge(web.text("重算不一致", "the seed and the pool give another result"), "poor")
            ),
        ]
        let lines = facts.map { "<div><dt>\($0.0)</dt><dd class=\"wrapped\">\($0.1)</dd></div>" as HTML }
        let name = title(draw, place, web)
        return .page(
            Layout.console(
                name,
                web,
                """
                \(RecordPages.crumbs(place, web))<header class="title"><h1>\(web.text("抽取记录", "A draw"))</h1></header>
                <p><a href="\(path)/draws">\(web.text("全部抽取", "All draws"))</a></p>
                <section class="card"><p class="summary">\(name)</p><dl class="facts">\(lines)</dl>
                <p class="hint">\(web.text("算法：对名单每行取 SM3(种子:主键) 前 8 字节加 1 再除以 2 的 64 次方为 u，按 −ln(u)/权重 从小到大取；人员以“种子:主键”为种子。名单见接口。", "Of each row of the pool u is the first 8 bytes of SM3(seed:key) plus 1, by 2 to the 64th; the rows with the lowest −ln(u)/weight are drawn. The seed of people is “seed:key”. The API gives the pool."))</p></section>
                <section class="card"><h2>\(web.text("结果", "Result"))</h2>\(Layout.table(heads, rows, label: web.text("结果", "Result")))</section>
                """
            )
        )
    }
}
