import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// The systems of a node: what they are, what awaits somebody in them.
enum SystemPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems",
            .actions(["system.list", "flow.tasks", "flow.alerts"]),
            .console,
            zh: "业务系统",
            en: "Systems",
            handle: index
        ),
        Route(
            .get,
            "/systems/{system}",
            .actions(["system.list", "flow.tasks", "flow.alerts"]),
            .console,
            zh: "业务系统主页",
            en: "A system",
            handle: home
        ),
        Route(
            .post,
            "/systems/{system}/settings",
            .actions(["system.setting"]),
            .console,
            zh: "修改业务设置",
            en: "Change a setting"
        ) { web in
            let form = try await web.form()
            let system = try web.parameter("system")
            try await web.perform(web.services.flows.setting, (system, form["key"], TextForms.trimmed(form["value"])))
            return .redirect("/systems/\(system)")
        },
    ]

    static func path(_ place: SystemPlace) -> String { "/systems/\(place.system.id)/\(place.declaration.key)" }

    private static func index(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let systems = try await web.perform(web.services.flows.listed, ())
        let tasks = try await web.perform(web.services.flows.tasks, 50)
        let cards = systems.map { system -> HTML in
            let text = system.declaration.description[web.language]
            let count = tasks.count { $0.place.system.id == system.id }
            let badge: HTML = count == 0 ? .empty : Layout.badge(web.text("待办 \(count)", "\(count) to do"), "fair")
            return
                "<article class=\"card entry\"><h2><a href=\"/systems/\(system.id)\">\(system.declaration.title[web.language])</a> \(badge)</h2><p class=\"summary\">\(text)</p></article>"
        }
        let title = web.text("业务系统", "Systems")
        let list: HTML =
            systems.isEmpty
            ? Layout.empty(
                web.text(
                    "没有您可以使用的业务系统。角色由安全管理员分配。",
                    "There is no system for you to work in. Roles are assigned by the security administrator."
                )
            ) : "<div class=\"cards\">\(cards)</div>"
        return .page(
            Layout.console(
                title,
                web,
                "<header class=\"title\"><h1>\(title)</h1></header>\(try await AlertPages.summary(web))\(tasksSection(tasks, web))\(list)"
            )
        )
    }

    /// What awaits somebody, those due first.
    static func tasksSection(_ tasks: [FlowTask], _ web: WebRequest) -> HTML {
        guard !tasks.isEmpty else { return .empty }
        let rows = tasks.map { task -> HTML in
            let flow = task.place.declaration.flow
            let state = flow?.state(task.state)?.title[web.language] ?? task.state
            return
                "<tr><td><a href=\"\(path(task.place))/\(task.record)\">\(task.name)</a></td><td>\(task.place.declaration.title(web.language))</td><td>\(Layout.badge(state))</td><td>\(due(task.due, web, warnAt: task.standing.warnAt))</td><td>\(CivilTime.minute(task.since))</td></tr>"
        }
        let title = web.text("我的业务待办", "My tasks")
        let heads = [
            web.text("记录", "Record"), web.text("业务", "Kind"), web.text("状态", "State"), web.text("期限", "Due"),
            web.text("到达时间", "Since"),
        ]
        return
            "<section class=\"card\"><h2>\(title) \(Layout.badge(String(tasks.count), "fair"))</h2><div data-keys>\(Layout.table(heads, rows, label: title))</div></section>"
    }

    /// The last day of a time limit, with how near it is.
    static func due(_ due: Int64?, _ web: WebRequest, warnAt: Int64? = nil) -> HTML {
        guard let due else { return "<span class=\"muted\">—</span>" }
        let now = web.services.kernel.clock.now()
        let last = CivilTime.chinaDay(microseconds: due - 1)
        let days = last - CivilTime.chinaDay(microseconds: now)
        let date = CivilTime.date(last)
        if due <= now {
            return
                "<time>\(date)</time> \(Layout.badge(web.text("超期 \(max(1, -days)) 天", "\(max(1, -days)) d overdue"), "poor"))"
        }
        let text = days == 0 ? web.text("今天", "today") : web.text("剩 \(days) 天", "\(days) d left")
        return "<time>\(date)</time> \(Layout.badge(text, now >= warnAt ?? .max ? "fair" : ""))"
    }

    private static func home(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let id = try web.parameter("system")
        guard let system = try await web.perform(web.services.flows.listed, ()).first(where: { $0.id == id }) else {
            throw Problem.notFound(.init("业务系统", "the system"))
        }
        let tasks = try await web.perform(web.services.flows.tasks, 50).filter { $0.place.system.id == id }
        let resources = try await web.services.flows.reachable(system, web.caller)
        let rows = resources.map { declared -> HTML in
            let path = "/systems/\(id)/\(declared.key)"
            var links: [HTML] = []
            if declared.flow != nil {
                links.append("<a href=\"\(path)/board\">\(web.text("看板", "Board"))</a> ")
                links.append("<a href=\"\(path)/flow\">\(web.text("流程图", "Flow"))</a> ")
            }
            if !declared.views.charts.isEmpty {
                links.append("<a href=\"\(path)/dashboard\">\(web.text("统计", "Figures"))</a> ")
            }
            if system.declaration.publications.contains(where: { $0.resource == declared.key }) {
                links.append(
                    "<a href=\"/systems/\(id)/published/\(declared.key)\">\(web.text("公示", "Published"))</a> "
                )
            }
            let code = system.codes[declared.key] ?? ""
            links.append(
                "<a href=\"/resources/\(code.replacing("/", with: "-"))\">\(web.text("数据资源", "Resource"))</a>"
            )
            return
                "<tr><td><a href=\"\(path)\">\(declared.title(web.language))</a></td><td>\(declared.summary)</td><td class=\"actions\">\(links)</td></tr>"
        }
        let heads = [web.text("业务", "Kind"), web.text("说明", "About"), web.text("查看", "Look")]
        let law: HTML =
            system.declaration.law.isEmpty
            ? .empty
            : "<details><summary>\(web.text("依据", "By"))</summary><ul>\(system.declaration.law.map { "<li>\($0)</li>" as HTML })</ul></details>"
        let hasIndicators = try await !web.services.flows.indicators(of: system, web.caller).isEmpty
        let figures: HTML =
            hasIndicators
            ? "<p class=\"actions\"><a class=\"button quiet\" href=\"/systems/\(id)/indicators\">\(web.text("业务指标", "Indicators"))</a></p>"
            : .empty
        let title = system.declaration.title[web.language]
        return .page(
            Layout.console(
                title,
                web,
                """
                <p class="crumbs"><a href="/systems">\(web.text("业务系统", "Systems"))</a></p>
                <header class="title"><h1>\(title)</h1><p class="muted">\(system.declaration.description[web.language])</p>\(law)\(figures)</header>
                \(try await AlertPages.summary(web, system: id))\(tasksSection(tasks, web))
                <section class="card"><h2>\(web.text("业务", "What it keeps"))</h2>\(Layout.table(heads, rows, label: web.text("业务", "What it keeps")))</section>
                \(try await WorkPages.section(system, web))
                \(settings(system, web))
                """
            )
        )
    }

    /// Settings, for those who keep the node.
    private static func settings(_ system: InstalledSystem, _ web: WebRequest) -> HTML {
        guard !system.declaration.settings.isEmpty, web.services.kernel.gate.holds(.systemManage, web.caller) else {
            return .empty
        }
        let rows = system.declaration.settings.map { setting -> HTML in
            let title = setting.title[web.language]
            return """
                <tr><td>\(title)</td><td><form method="post" action="/systems/\(system.id)/settings" class="row">\(Layout.csrf(web))<input type="hidden" name="key" value="\(setting.key)">
                <input name="value" value="\(system.setting(setting.key))" required aria-label="\(title)"><button class="quiet">\(web.text("保存", "Save"))</button></form></td><td>\(setting.unit)</td><td>\(setting.value)</td></tr>
                """
        }
        let heads = [
            web.text("设置", "Setting"), web.text("值", "Value"), web.text("单位", "Unit"), web.text("原值", "Declared"),
        ]
        return
            "<section class=\"card\"><h2>\(web.text("业务设置", "Settings"))</h2>\(Layout.table(heads, rows, label: web.text("业务设置", "Settings")))</section>"
    }
}
