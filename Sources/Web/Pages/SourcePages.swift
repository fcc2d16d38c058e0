import Basics
import Catalogue
import Collect
import HTTPTypes
import Hummingbird
import Kernel
import Lake

/// Sources in the console: where data is collected from without hands, and what became of it.
enum SourcePages {
    static let routes: [Route] = [
        Route(.get, "/console/sources", .actions(["source.list"]), .console, zh: "归集来源", en: "Sources", handle: list),
        Route(.get, "/console/sources/new", .actions(["source.save"]), .console, zh: "新建归集来源页", en: "New source page") {
            web in
            _ = try ConsolePages.signedIn(web)
            try web.services.kernel.gate.require(Sources.saveDescriptor, web.caller)
            guard let kind = web.query("kind").flatMap(SourceKind.init(rawValue:)) else { return .page(choose(web)) }
            return .page(form(nil, kind, web))
        },
        Route(.post, "/console/sources", .actions(["source.save"]), .console, zh: "新建归集来源", en: "Add a source") { web in
            let id = try await web.perform(web.services.sources.saved, try change(try await web.form(), id: 0))
            return .redirect("/console/sources/\(id)")
        },
        Route(.get, "/console/sources/{id}", .actions(["source.show"]), .console, zh: "归集来源", en: "A source") { web in
            _ = try ConsolePages.signedIn(web)
            return .page(try await view(web, found: nil))
        },
        Route(
            .get,
            "/console/sources/{id}/edit",
            .actions(["source.show"]),
            .console,
            zh: "修改归集来源页",
            en: "Change a source, page"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            let (source, _) = try await web.perform(web.services.sources.show, try web.number("id"))
            return .page(form(source, source.kind, web))
        },
        Route(
            .post,
            "/console/sources/{id}",
            .actions(["source.save", "source.run", "source.remove", "source.rewind", "source.probe"]),
            .console,
            zh: "修改、试连、归集或删除",
            en: "Change, try, read or take away",
            handle: act
        ),
    ]

    static func act(_ web: WebRequest) async throws -> Response {
        let form = try await web.form()
        let id = try web.number("id")
        switch form["act"] {
        case "run": _ = try await web.perform(web.services.sources.run, id)
        case "rewind": try await web.perform(web.services.sources.rewound, id)
        case "probe":
            let found = try await web.perform(web.services.sources.probe, id)
            return .page(try await view(web, found: found))
        case "remove":
            try await web.perform(web.services.sources.removed, id)
            return .redirect("/console/sources")
        default: _ = try await web.perform(web.services.sources.saved, try change(form, id: id))
        }
        return .redirect("/console/sources/\(id)")
    }

    private static func change(_ form: Form, id: Int64) throws -> Sources.Change {
        let kind = SourceKind(rawValue: form["kind"])
        let settings = (kind?.settings ?? []).map { JSONValue.Member($0.name, .string(form["set_\($0.name)"])) }
        var members: [JSONValue.Member] = ["name", "resource", "kind", "mode", "schedule", "responsible"].map {
            .init($0, .string(form[$0]))
        }
        members += [
            .init("settings", .object(settings)), .init("silence_hours", .integer(Int64(form["silence_hours"]) ?? -1)),
            .init("enabled", .boolean(form.has("enabled"))),
        ]
        // An empty field keeps the secret there is.
        if !form["secret"].isEmpty { members.append(.init("secret", .string(form["secret"]))) }
        return try Sources.Change(json: .object(members), id: id)
    }

    // MARK: The list

    static func state(_ source: Source, _ web: WebRequest) -> HTML {
        var badges: [HTML] = []
        if !source.isEnabled { badges.append(Layout.badge(web.text("停用", "disabled"))) }
        if source.silentSince != nil { badges.append(Layout.badge(web.text("断更", "silent"), "poor")) }
        if source.failures > 0 {
            badges.append(Layout.badge(web.text("连续失败 \(source.failures) 次", "failed \(source.failures)×"), "poor"))
        }
        if badges.isEmpty {
            badges.append(
                source.lastSuccessAt == nil
                    ? Layout.badge(web.text("待首次归集", "not read yet"), "fair")
                    : Layout.badge(web.text("正常", "fine"), "good")
            )
        }
        return HTML(badges)
    }

    static func list(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let sources = try await web.perform(web.services.sources.listed, ())
        let mayAdd = web.services.kernel.gate.holds(.sourceManage, web.caller)
        let add: HTML =
            mayAdd
            ? "<p class=\"actions\"><a class=\"button\" href=\"/console/sources/new\">\(web.text("新建归集来源", "New source"))</a></p>"
            : .empty
        let rows = sources.map { source -> HTML in
            """
            <tr><td><a href="/console/sources/\(source.id)">\(source.name)</a></td><td>\(source.kind.title[web.language])</td>
            <td><a href="/console/entries/\(Entry.slug(source.code))"><code>\(source.code)</code></a></td><td>\(source.schedule.title[web.language])</td>
            <td>\(state(source, web))</td><td>\(minute(source.lastRowsAt))</td><td>\(minute(source.nextAt))</td><td>\(source.responsibleName)</td></tr>
            """
        }
        let heads = [
            web.text("名称", "Name"), web.text("种类", "Kind"), web.text("资源", "Resource"), web.text("调度", "Schedule"),
            web.text("状态", "State"), web.text("最近来数", "Last rows"), web.text("下次", "Next"),
            web.text("责任人", "Responsible"),
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(
                web.text(
                    "还没有归集来源。数据库表、接口、目录都可以按时自动归集。",
                    "No sources yet. Tables of databases, interfaces and folders can be read on a schedule."
                )
            ) : Layout.table(heads, rows, label: web.text("归集来源", "Sources"))
        return .page(
            Layout.console(
                web.text("归集来源", "Sources"),
                web,
                "<header class=\"title\"><h1>\(web.text("归集来源", "Sources"))</h1>\(add)</header><section class=\"card\">\(table)</section>"
            )
        )
    }

    static func minute(_ moment: Int64?) -> String { moment.map { CivilTime.minute($0) } ?? "—" }

    // MARK: One source

    static func view(_ web: WebRequest, found: [String]?) async throws -> HTML {
        let (source, runs) = try await web.perform(web.services.sources.show, try web.number("id"))
        let gate = web.services.kernel.gate
        let manages = gate.holds(.sourceManage, web.caller)
        func button(_ act: String, _ label: String, _ style: String = "quiet") -> HTML {
            "<form method=\"post\" action=\"/console/sources/\(source.id)\" class=\"inline\">\(Layout.csrf(web))<input type=\"hidden\" name=\"act\" value=\"\(act)\"><button class=\"\(style)\">\(label)</button></form>"
        }
        var buttons = [button("run", web.text("立即归集", "Read now"), "")]
        if manages {
            buttons += [
                button("probe", web.text("试连", "Try")),
                "<a class=\"button quiet\" href=\"/console/sources/\(source.id)/edit\">\(web.text("修改", "Change"))</a>",
                // Asked twice: neither can be taken back.
                "<details class=\"inline\"><summary>\(web.text("从头归集或删除……", "Start over or take away…"))</summary><p class=\"actions\">\(button("rewind", web.text("从头归集", "Start over"))) \(button("remove", web.text("删除来源", "Take away"), "danger"))</p></details>",
            ]
        }
        let alarm: HTML =
            source.silentSince.map { since in
                "<div class=\"alert\" role=\"alert\"><p>\(web.text("断更：已超过 \(source.silenceHours) 小时没有新数据(\(CivilTime.minute(since)) 起告警)。责任人：\(source.responsibleName)。", "Silent: no new rows for more than \(source.silenceHours) hours (alarm since \(CivilTime.minute(since))). Responsible: \(source.responsibleName)."))</p></div>"
            } ?? .empty
        let facts: [(String, HTML)] =
            [
                (web.text("状态", "State"), state(source, web)),
                (
                    web.text("资源", "Resource"),
                    "<a href=\"/console/entries/\(Entry.slug(source.code))\">\(source.code)</a>"
                ),
                (web.text("种类", "Kind"), "\(source.kind.title[web.language])"),
                (web.text("方式", "Mode"), "\(Words.title(source.mode)[web.language])"),
                (web.text("调度", "Schedule"), "\(source.schedule.title[web.language])"),
                (web.text("下次", "Next"), "\(minute(source.nextAt))"),
                (web.text("最近成功", "Last success"), "\(minute(source.lastSuccessAt))"),
                (web.text("最近来数", "Last rows"), "\(minute(source.lastRowsAt))"),
                (
                    web.text("断更告警", "Alarm after"),
                    "\(source.silenceHours == 0 ? web.text("不告警", "never") : web.text("\(source.silenceHours) 小时无新数据", "\(source.silenceHours) h without rows"))"
                ),
                (web.text("责任人", "Responsible"), "\(source.responsibleName)"),
            ] + (source.checkpoint.map { [(web.text("水位", "Watermark"), "<code>\($0)</code>" as HTML)] } ?? [])
            + source.kind.settings.compactMap { setting in
                source.settings[setting.name].flatMap { $0.isEmpty ? nil : (setting.title[web.language], "\($0)") }
            }
        let lines = facts.map { "<div><dt>\($0)</dt><dd>\($1)</dd></div>" as HTML }
        let isBusy = runs.first?.state == .running
        return Layout.console(
            source.name,
            web,
            refresh: isBusy ? 2 : nil,
            """
            <p class="crumbs"><a href="/console/sources">\(web.text("归集来源", "Sources"))</a></p>
            <header class="title"><h1>\(source.name)</h1></header>\(alarm)\(problem(source.problem, web))
            <div class="actions">\(buttons)</div>\(probe(found, web))
            <section class="card"><h2>\(web.text("设置", "Settings"))</h2><dl class="facts">\(lines)</dl></section>
            <section class="card"><h2>\(web.text("运行记录", "Runs"))</h2>\(table(runs, source, web))</section>
            """
        )
    }

    private static func problem(_ problem: JSONValue, _ web: WebRequest) -> HTML {
        guard let text = problem[web.language == .zh ? "zh" : "en"]?.string else { return .empty }
        return
            "<div class=\"alert\" role=\"alert\"><p>\(web.text("上次归集失败：", "The last reading failed: "))\(text)</p></div>"
    }

    private static func probe(_ found: [String]?, _ web: WebRequest) -> HTML {
        guard let found else { return .empty }
        let names = found.prefix(60).map { "<code>\($0)</code> " as HTML }
        let text = web.text("连接成功，找到 \(found.count) 项：", "It answers; \(found.count) found: ")
        return
            "<section class=\"card\" role=\"status\"><p class=\"good-text\">\(text)</p><p class=\"wrapped\">\(names)</p></section>"
    }

    private static func table(_ runs: [SourceRun], _ source: Source, _ web: WebRequest) -> HTML {
        guard !runs.isEmpty else { return Layout.empty(web.text("还没有运行过。", "It has not run yet.")) }
        let slug = Entry.slug(source.code)
        let rows = runs.map { run -> HTML in
            let state: LocalizedText =
                switch run.state {
                case .running: .init("进行中", "running")
                case .done: .init("完成", "done")
                case .failed: .init("失败", "failed")
                }
            let load: HTML =
                run.load.map { "<a href=\"/console/entries/\(slug)/loads/\($0)\">\($0)</a>" } ?? "—"
            let said = run.problem[web.language == .zh ? "zh" : "en"]?.string ?? run.what
            return
                "<tr><td>\(CivilTime.minute(run.startedAt))</td><td>\(Layout.badge(state[web.language], run.state == .failed ? "poor" : run.state == .done ? "good" : "fair"))</td><td class=\"number\">\(Numbers.grouped(run.rows))</td><td class=\"number\">\(Numbers.grouped(run.good))</td><td class=\"number\">\(Numbers.grouped(run.bad))</td><td>\(load)</td><td>\(said)</td></tr>"
        }
        let heads = [
            web.text("开始", "Started"), web.text("结果", "Outcome"), web.text("行数", "Rows") + "#",
            web.text("入库", "Good") + "#", web.text("问题", "Bad") + "#", web.text("批次", "Load"),
            web.text("水位、文件或原因", "Watermark, file or reason"),
        ]
        return Layout.table(heads, rows, label: web.text("运行记录", "Runs"))
    }

    // MARK: Forms

    private static func choose(_ web: WebRequest) -> HTML {
        let resource = web.query("resource").map { "&resource=\($0.addingPercentEncoding())" } ?? ""
        let kinds = SourceKind.allCases.map { kind -> HTML in
            "<a class=\"theme\" href=\"/console/sources/new?kind=\(kind.rawValue)\(resource)\"><span>\(kind.title[web.language])</span></a>"
        }
        return Layout.console(
            web.text("新建归集来源", "New source"),
            web,
            "<header class=\"title\"><h1>\(web.text("新建归集来源", "New source"))</h1><p class=\"hint\">\(web.text("选择从哪里归集。", "Choose where data comes from."))</p></header><div class=\"themes\">\(kinds)</div>"
        )
    }

    private static func form(_ source: Source?, _ kind: SourceKind, _ web: WebRequest) -> HTML {
        let settings = kind.settings.map { setting -> HTML in
            let value = source?.settings[setting.name] ?? (source == nil ? setting.standard : "")
            let name = "set_\(setting.name)"
            let must: HTML = setting.isRequired ? " required" : .empty
            let control: HTML =
                setting.choices.isEmpty
                ? setting.isLong
                    ? "<textarea name=\"\(name)\" rows=\"4\">\(value)</textarea>"
                    : "<input name=\"\(name)\" value=\"\(value)\"\(must)>"
                : Layout.select(name, setting.choices.map { ($0, $0) }, value)
            return Layout.field(setting.title[web.language], control, hint: setting.hint[web.language])
        }
        let secret: HTML =
            kind.secretTitle.map {
                Layout.field(
                    $0[web.language],
                    kind == .sftp
                        ? "<textarea name=\"secret\" rows=\"4\" autocomplete=\"off\"></textarea>"
                        : "<input name=\"secret\" type=\"password\" autocomplete=\"new-password\">",
                    hint: source?.hasSecret == true
                        ? web.text("不填则沿用现有的。", "Left empty, the present one stays.")
                        : web.text("以节点密钥加密保存。", "Kept sealed by the node's key.")
                )
            } ?? .empty
        let modes = LoadMode.allCases.map { ($0.rawValue, Words.title($0)[web.language]) }
        let chosen = source?.mode.rawValue ?? (kind == .folder || kind == .sftp ? "append" : "upsert")
        let code = source?.code ?? web.query("resource") ?? ""
        let isFixed: HTML = source == nil ? " required" : " readonly"
        let enabled: HTML = source?.isEnabled ?? true ? " checked" : .empty
        let login = source?.responsibleLogin ?? web.principal?.login ?? ""
        let action = source.map { "/console/sources/\($0.id)" } ?? "/console/sources"
        let title = source?.name ?? web.text("新建归集来源", "New source")
        return Layout.console(
            title,
            web,
            """
            <p class="crumbs"><a href="/console/sources">\(web.text("归集来源", "Sources"))</a></p>
            <header class="title"><h1>\(title)</h1><p class="muted">\(kind.title[web.language])</p></header>
            <section class="card"><form method="post" action="\(action)" class="stack">\(Layout.csrf(web))<input type="hidden" name="kind" value="\(kind.rawValue)"><div class="grid">
            \(Layout.field(web.text("名称", "Name"), "<input name=\"name\" value=\"\(source?.name ?? "")\" required maxlength=\"100\">"))
            \(Layout.field(web.text("资源代码", "Resource's code"), "<input name=\"resource\" value=\"\(code)\" placeholder=\"301001/000001\"\(isFixed)>"))
            \(Layout.field(web.text("加载方式", "Mode"), Layout.select("mode", modes, chosen)))
            \(Layout.field(web.text("调度", "Schedule"), "<input name=\"schedule\" value=\"\(source?.schedule.text ?? "daily 02:30")\" required>", hint: web.text("manual、every 15m、daily 02:30、weekly 1 02:30、monthly 5 02:30", "manual, every 15m, daily 02:30, weekly 1 02:30, monthly 5 02:30")))
            \(Layout.field(web.text("断更告警(小时，0 不告警)", "Alarm after hours without rows, 0 for never"), "<input name=\"silence_hours\" type=\"number\" min=\"0\" max=\"87600\" value=\"\(source?.silenceHours ?? 26)\" required>"))
            \(Layout.field(web.text("责任人账号", "Responsible account"), "<input name=\"responsible\" value=\"\(login)\" required>"))
            </div><h2>\(web.text("来源", "Where from"))</h2><div class="grid">\(settings)\(secret)</div>
            <label class="check"><input type="checkbox" name="enabled" value="true"\(enabled)><span>\(web.text("启用", "Enabled"))</span></label>
            <div class="actions"><button>\(web.text("保存", "Save"))</button></div></form></section>
            """
        )
    }
}
