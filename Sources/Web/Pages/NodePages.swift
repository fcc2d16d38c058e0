import Basics
import HTTPTypes
import Hummingbird
import Kernel

/// Organisations and settings of the node, and everybody's saved views.
enum NodePages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/organisations",
            .actions(["organisation.list", "account.list"]),
            .console,
            zh: "机构与人员",
            en: "Organisations and people",
            handle: organisations
        ),
        Route(
            .post,
            "/console/organisations",
            .actions(["organisation.create", "organisation.change"]),
            .console,
            zh: "新建或修改机构",
            en: "Create or change an organisation"
        ) { web in
            let form = try await web.form()
            if let id = Int64(form["id"]) {
                try await web.perform(
                    web.services.administration.changeOrganisation,
                    (OrganisationID(id), form["name"], form["credit_code"])
                )
            } else {
                let organisation = Organisation(
                    id: OrganisationID(0),
                    name: form["name"],
                    creditCode: form["credit_code"],
                    parent: Int64(form["parent"]).map { OrganisationID($0) },
                    division: form["division"],
                    level: Organisation.Level(rawValue: form["level"]) ?? .city
                )
                _ = try await web.perform(web.services.administration.createOrganisation, organisation)
            }
            return .redirect("/console/organisations")
        },
        Route(
            .get,
            "/console/settings",
            .actions(["system.calendar"]),
            .console,
            zh: "设置",
            en: "Settings",
            handle: settings
        ),
        Route(
            .post,
            "/console/settings",
            .actions(["system.set_day"]),
            .console,
            zh: "修改工作日历",
            en: "Change the calendar"
        ) {
            web in
            let form = try await web.form()
            let day = Array(form["day"].utf8).withUnsafeBufferPointer { CivilTime.parseISODate($0) }
            guard let day else { throw Problem("request.malformed", zh: "请求有误。", en: "The request is not right.") }
            let isWorking: Bool? = form["kind"] == "plain" ? nil : form["kind"] == "worked"
            try await web.perform(web.services.administration.setDay, (day, isWorking))
            return .redirect("/console/settings?year=\(CivilTime.civil(days: day).year)")
        },
        Route(
            .post,
            "/console/views",
            .actions(["view.save", "view.remove"]),
            .console,
            zh: "保存或删除视图",
            en: "Save or remove a view"
        ) { web in
            let form = try await web.form()
            if form["act"] == "remove" {
                try await web.perform(web.services.administration.removeView, ("entries", form["name"]))
            } else {
                let view = SavedView(name: form["name"], query: form["query"])
                try await web.perform(web.services.administration.saveView, ("entries", view))
            }
            return .redirect("/console/entries?\(form["query"])")
        },
    ]

    static func organisations(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let list = try await web.perform(web.services.administration.organisations, ())
        let accounts = try await web.perform(web.services.administration.accounts, ())
        let people = Dictionary(grouping: accounts.filter { $0.kind == .person }, by: \.organisation)
        let children = Dictionary(grouping: list, by: \.parent)
        var rows: [HTML] = []
        func add(_ parent: OrganisationID?, _ depth: Int) {
            for organisation in children[parent] ?? [] {
                let staff = people[organisation.id] ?? []
                let names = staff.map { person -> HTML in
                    let roles = person.roles.map { web.title(of: $0) }.sorted().joined(separator: "、")
                    return "<div>\(person.name) <span class=\"muted\">\(person.login) · \(roles)</span></div>"
                }
                let persons: HTML =
                    staff.isEmpty
                    ? "—"
                    : "<details><summary>\(web.text("\(staff.count) 人", "\(staff.count)"))</summary>\(names)</details>"
                let change: HTML = """
                    <details><summary>\(web.text("修改", "Change"))</summary><form method="post" action="/console/organisations" class="stack">\(Layout.csrf(web))<input type="hidden" name="id" value="\(organisation.id.raw)">
                    \(Layout.field(web.text("名称", "Name"), "<input name=\"name\" required maxlength=\"100\" value=\"\(organisation.name)\">"))\(Layout.field(web.text("统一社会信用代码", "Credit code"), "<input name=\"credit_code\" maxlength=\"18\" value=\"\(organisation.creditCode)\">"))<div><button>\(web.text("保存", "Save"))</button></div></form></details>
                    """
                rows.append(
                    "<tr><th scope=\"row\"><span class=\"depth d\(min(depth, 4))\">\(organisation.name)</span></th><td>\(organisation.level.title[web.language])</td><td>\(organisation.division)</td><td>\(organisation.creditCode.isEmpty ? "—" : organisation.creditCode)</td><td>\(persons)</td><td>\(change)</td></tr>"
                )
                add(organisation.id, depth + 1)
            }
        }
        add(nil, 0)
        let heads = [
            web.text("机构", "Organisation"), web.text("层级", "Level"), web.text("行政区划", "Division"),
            web.text("统一社会信用代码", "Credit code"), web.text("人员", "People"), web.text("操作", "Change"),
        ]
        let parents = [("", "—")] + list.map { (String($0.id.raw), $0.name) }
        let levels = Organisation.Level.allCases.map { ($0.rawValue, $0.title[web.language]) }
        return .page(
            Layout.console(
                web.text("机构与人员", "Organisations"),
                web,
                """
                <header class="title"><h1>\(web.text("机构与人员", "Organisations and people"))</h1></header>
                <section class="card">\(Layout.table(heads, rows, label: web.text("机构与人员", "Organisations and people")))</section>
                <section class="card"><h2>\(web.text("新建机构", "New organisation"))</h2><form method="post" action="/console/organisations" class="stack">\(Layout.csrf(web))<div class="grid">
                \(Layout.field(web.text("名称", "Name"), "<input name=\"name\" required minlength=\"2\" maxlength=\"100\">"))
                \(Layout.field(web.text("上级", "Above it"), Layout.select("parent", parents, "")))
                \(Layout.field(web.text("层级", "Level"), Layout.select("level", levels, "city")))
                \(Layout.field(web.text("行政区划代码", "Division code"), "<input name=\"division\" pattern=\"[0-9]{6}\" maxlength=\"6\">"))
                \(Layout.field(web.text("统一社会信用代码", "Credit code"), "<input name=\"credit_code\" maxlength=\"18\">"))
                </div><div><button>\(web.text("建立", "Create"))</button></div></form></section>
                """
            )
        )
    }

    static func settings(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let today = CivilTime.chinaDay(microseconds: web.services.kernel.clock.now())
        let year = web.query("year").flatMap { Int($0) } ?? CivilTime.civil(days: today).year
        let days = try await web.perform(web.services.administration.calendar, max(1990, min(year, 2199)))
        let facts = web.services.settings.described.map {
            "<div><dt>\($0.title[web.language])</dt><dd>\($0.value) <code>\($0.name)</code></dd></div>" as HTML
        }
        let rows = days.map { day, isWorking -> HTML in
            let date = CivilTime.date(day)
            let back: HTML =
                "<form method=\"post\" action=\"/console/settings\" class=\"inline\">\(Layout.csrf(web))<input type=\"hidden\" name=\"day\" value=\"\(date)\"><input type=\"hidden\" name=\"kind\" value=\"plain\"><button class=\"quiet\">\(web.text("恢复平常", "Plain"))</button></form>"
            return
                "<tr><td>\(date)</td><td>\(isWorking ? Layout.badge(web.text("上班", "worked"), "fair") : Layout.badge(web.text("放假", "free"), "good"))</td><td>\(back)</td></tr>"
        }
        let heads = [web.text("日期", "Day"), web.text("安排", "What"), web.text("操作", "Change")]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(
                web.text(
                    "\(year) 年的节假日尚未录入，暂按周一至周五计算。",
                    "The holidays of \(year) are not entered; weekdays count as worked."
                )
            )
            : Layout.table(heads, rows, label: web.text("工作日历", "Calendar"))
        let kinds = [("free", web.text("放假", "free")), ("worked", web.text("上班", "worked"))]
        return .page(
            Layout.console(
                web.text("设置", "Settings"),
                web,
                """
                <header class="title"><h1>\(web.text("设置", "Settings"))</h1><p class="muted">\(web.text("运行设置由命令行、环境变量或 tongqu.yaml 给出，重启后生效；口令不显示。", "Given by the command line, the environment or tongqu.yaml, and read at the start; secrets are not shown."))</p></header>
                <section class="card"><h2>\(web.text("运行设置", "As it runs"))</h2><dl class="facts">\(facts)</dl></section>
                <section class="card"><h2>\(web.text("工作日历", "Working days")) \(year)</h2>
                <p class="actions"><a href="/console/settings?year=\(year - 1)">← \(year - 1)</a> <a href="/console/settings?year=\(year + 1)">\(year + 1) →</a></p>
                <form method="post" action="/console/settings" class="row">\(Layout.csrf(web))\(Layout.field(web.text("日期", "Day"), "<input name=\"day\" type=\"date\" required>"))\(Layout.field(web.text("安排", "What"), Layout.select("kind", kinds, "free")))<button>\(web.text("保存", "Save"))</button></form>\(table)</section>
                """
            )
        )
    }
}
