import Basics
import Hummingbird
import HTTPTypes
import Kernel

/// Accounts, grants, evidence, jobs: each for its administrator.
enum AdministrationPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/accounts",
            .actions(["account.list"]),
            .console,
            zh: "账号",
            en: "Accounts",
            handle: accounts
        ),
        Route(.post, "/console/accounts", .actions(["account.create"]), .console, zh: "新建账号", en: "Create an account") {
            web in
            let form = try await web.form()
            _ = try await web.perform(
                web.services.administration.createAccount,
                .init(
                    login: form["login"],
                    name: form["name"],
                    organisation: OrganisationID(Int64(form["organisation"]) ?? 0),
                    password: form["password"]
                )
            )
            return .redirect("/console/accounts")
        },
        Route(
            .post,
            "/console/accounts/{id}/active",
            .actions(["account.set_active"]),
            .console,
            zh: "启用或停用",
            en: "Enable or disable"
        ) { web in
            let form = try await web.form()
            try await web.perform(
                web.services.administration.setActive,
                (PrincipalID(try web.number("id")), form["active"] == "true")
            )
            return .redirect("/console/accounts")
        },
        Route(
            .get,
            "/console/grants",
            .actions(["grant.list", "grant.holders"]),
            .console,
            zh: "授权",
            en: "Grants",
            handle: grants
        ),
        Route(
            .post,
            "/console/grants/roles/{id}",
            .actions(["grant.set_roles"]),
            .console,
            zh: "分配角色",
            en: "Assign roles"
        ) { web in
            let form = try await web.form()
            let all = web.services.kernel.gate.roles.map(\.role)
            let roles = Set(all.filter { form["role_\($0.rawValue)"] == "on" })
            try await web.perform(web.services.administration.setRoles, (PrincipalID(try web.number("id")), roles))
            return .redirect("/console/grants")
        },
        Route(
            .post,
            "/console/accounts/{id}/keys/{key}",
            .actions(["account.revoke_key"]),
            .console,
            zh: "吊销接口密钥",
            en: "Revoke an API key"
        ) { web in
            _ = try await web.form()
            let key = try web.parameter("key")
            try await web.perform(
                web.services.administration.revokeKey,
                (PrincipalID(try web.number("id")), key: key)
            )
            return .redirect("/console/accounts")
        },
        Route(.get, "/console/evidence", .actions(["evidence.list"]), .console, zh: "存证审计", en: "Evidence") { web in
            _ = try ConsolePages.signedIn(web)
            return .page(try await evidence(web, verdict: nil))
        },
        Route(
            .post,
            "/console/evidence/verify",
            .actions(["evidence.verify", "evidence.list"]),
            .console,
            zh: "验证",
            en: "Verify"
        ) { web in
            _ = try await web.form()
            let verdict = try await web.perform(web.services.administration.verifyEvidence, ())
            return .page(try await evidence(web, verdict: verdict))
        },
        Route(
            .get,
            "/console/backups",
            .actions(["system.backups"]),
            .console,
            zh: "备份",
            en: "Backups",
            handle: backups
        ),
        Route(.post, "/console/backups", .actions(["system.back_up"]), .console, zh: "提交备份", en: "Queue a backup") {
            web in
            let form = try await web.form()
            _ = try await web.perform(web.services.administration.backUp, form["kind"])
            return .redirect("/console/backups")
        },
        Route(.get, "/console/jobs", .actions(["job.list"]), .console, zh: "任务", en: "Jobs", handle: jobs),
    ]

    static func accounts(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let list = try await web.perform(web.services.administration.accounts, ())
        let organisations = web.services.kernel.gate.organisations
        var keys: [PrincipalID: [AccountKey]] = [:]
        for account in list where account.kind == .service && !account.isBuiltIn {
            keys[account.id] = try await web.perform(web.services.administration.keys, account.id)
        }
        let rows = list.filter { !$0.isBuiltIn }.map { account -> HTML in
            let isOwn = account.id == web.principal?.id
            let held = (keys[account.id] ?? []).map { key -> HTML in
                "<form method=\"post\" action=\"/console/accounts/\(account.id.raw)/keys/\(key.id)\" class=\"inline\">\(Layout.csrf(web))<span>\(web.text("密钥", "key")) \(key.note) <code>\(key.id)</code> \(web.text("至", "until")) \(Layout.day(key.until))</span> <button class=\"danger\">\(web.text("吊销", "Revoke"))</button></form>"
            }
            let toggle: HTML =
                isOwn
                ? .empty
                : """
                <form method="post" action="/console/accounts/\(account.id.raw)/active" class="inline">\(Layout.csrf(web))<input type="hidden" name="active" value="\(account.isActive ? "false" : "true")"><button class="\(account.isActive ? "danger" : "quiet")">\(account.isActive ? web.text("停用", "Disable") : web.text("启用", "Enable"))</button></form>
                """
            return
                "<tr><td>\(account.login)</td><td>\(account.name)</td><td>\(organisations[account.organisation]?.name ?? "")</td><td>\(account.roles.sorted { $0.rawValue < $1.rawValue }.map { Layout.badge(web.title(of: $0)) })</td><td>\(account.isActive ? Layout.badge(web.text("启用", "active"), "good") : Layout.badge(web.text("停用", "disabled"), "poor"))</td><td>\(toggle)\(held)</td></tr>"
        }
        let choices = organisations.sorted.map { (String($0.id.raw), $0.name) }
        return .page(
            Layout.console(
                web.text("账号与角色", "Accounts"),
                web,
                """
                <header class="title"><h1>\(web.text("账号与角色", "Accounts"))</h1><p class="muted">\(web.text("账号由系统管理员建立，角色由安全管理员分配。", "The system administrator makes accounts; the security administrator assigns roles."))</p></header>
                <section class="card"><div class="scroll" tabindex="0" role="region" aria-label="\(web.text("账号", "Accounts"))"><table><thead><tr><th scope="col">\(web.text("账号", "Login"))</th><th scope="col">\(web.text("姓名", "Name"))</th><th scope="col">\(web.text("机构", "Organisation"))</th><th scope="col">\(web.text("角色", "Roles"))</th><th scope="col">\(web.text("状态", "State"))</th><th scope="col"></th></tr></thead><tbody>\(rows)</tbody></table></div></section>
                <section class="card"><h2>\(web.text("新建账号", "New account"))</h2><form method="post" action="/console/accounts" class="stack">\(Layout.csrf(web))<div class="grid">
                \(Layout.field(web.text("账号", "Login"), "<input name=\"login\" required maxlength=\"40\" pattern=\"[a-z0-9._\\-]+\" autocomplete=\"off\">"))
                \(Layout.field(web.text("姓名", "Name"), "<input name=\"name\" required maxlength=\"60\">"))
                \(Layout.field(web.text("机构", "Organisation"), Layout.select("organisation", choices, "")))
                \(Layout.field(web.text("初始密码", "Password"), "<input name=\"password\" type=\"password\" required minlength=\"10\" autocomplete=\"new-password\">", hint: web.text("至少 10 位，含三类字符。", "Ten characters of three classes.")))
                </div><div><button>\(web.text("建立", "Create"))</button></div></form></section>
                """
            )
        )
    }

    static func grants(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let list = try await web.perform(web.services.administration.grants, ())
        let rows = list.map { grant -> HTML in
            "<tr><td>\(grant.id)</td><td>\(Words.title(grant.grantee, web))<br><code>\(AdministrationAPI.title(grant.grantee))</code></td><td>\(grant.permissions.sorted { $0.rawValue < $1.rawValue }.map { Layout.badge($0.title[web.language]) })</td><td>\(Words.title(grant.scope)[web.language])<br><code>\(AdministrationAPI.title(grant.scope))</code></td><td>\(grant.fields.map { $0.sorted().joined(separator: ", ") } ?? web.text("全部", "all"))</td><td>\(grant.rows ?? web.text("全部", "all"))</td><td>\(grant.purpose)</td><td>\(Layout.day(grant.until))</td></tr>"
        }
        let people = roles(try await web.perform(web.services.administration.holders, ()), web)
        let heads = [
            web.text("编号", "Id"), web.text("被授权者", "Grantee"), web.text("权限", "Permissions"), web.text("范围", "Scope"),
            web.text("字段", "Fields"), web.text("行", "Rows"), web.text("用途", "Purpose"), web.text("截止", "Until"),
        ]
        return .page(
            Layout.console(
                web.text("授权", "Grants"),
                web,
                "<header class=\"title\"><h1>\(web.text("授权", "Grants"))</h1><p class=\"muted\">\(web.text("所有权限都来自这张表：角色、共享、开放无一例外。", "Every right comes from this table: roles, sharing and opening alike."))</p></header>\(people)<section class=\"card\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("授权", "Grants"))\"><table><thead><tr>\(heads.map { "<th scope=\"col\">\($0)</th>" as HTML })</tr></thead><tbody>\(rows)</tbody></table></div></section>"
            )
        )
    }

    /// Who has which roles, those without one first, and the form that gives them.
    private static func roles(_ list: [Principal], _ web: WebRequest) -> HTML {
        let organisations = web.services.kernel.gate.organisations
        let people = list.filter(\.isActive).sorted {
            ($0.roles.isEmpty ? 0 : 1, $0.id.raw) < ($1.roles.isEmpty ? 0 : 1, $1.id.raw)
        }
        let rows = people.map { person -> HTML in
            let boxes = web.services.kernel.gate.roles.map { role, title -> HTML in
                "<label><input type=\"checkbox\" name=\"role_\(role.rawValue)\"\(person.roles.contains(role) ? " checked" as HTML : .empty)> \(title[web.language])</label> "
            }
            let badges =
                person.roles.isEmpty
                ? [Layout.badge(web.text("没有角色", "no role"), "poor")]
                : person.roles.sorted { $0.rawValue < $1.rawValue }.map { Layout.badge(web.title(of: $0)) }
            let form: HTML =
                person.id == web.principal?.id
                ? .empty
                : "<details><summary>\(web.text("分配", "Assign"))</summary><form method=\"post\" action=\"/console/grants/roles/\(person.id.raw)\" class=\"stack\">\(Layout.csrf(web))<div class=\"checks\">\(boxes)</div><div><button>\(web.text("保存", "Save"))</button></div></form></details>"
            return
                "<tr><td>\(person.login)<br><span class=\"muted\">\(person.name)</span></td><td>\(organisations[person.organisation]?.name ?? "")</td><td>\(badges)</td><td>\(form)</td></tr>"
        }
        let heads = [
            web.text("账号", "Login"), web.text("机构", "Organisation"), web.text("角色", "Roles"), web.text("操作", "Change"),
        ]
        let title = web.text("人员与角色", "People and roles")
        return "<section class=\"card\"><h2>\(title)</h2>\(Layout.table(heads, rows, label: title))</section>"
    }

    static func evidence(_ web: WebRequest, verdict: EvidenceVerdict?) async throws -> HTML {
        let rows = try await web.perform(
            web.services.administration.evidence,
            .init(
                before: web.query("before").flatMap { Int64($0) },
                resource: web.query("resource"),
                actor: web.query("actor"),
                limit: 50
            )
        )
        let answer: HTML =
            verdict.map { verdict in
                verdict.fault.map {
                    "<p class=\"alert\" role=\"alert\">\(web.text("存证链不完整：", "The chain is not sound: "))\($0[web.language])</p>"
                        as HTML
                }
                    ?? "<p class=\"good-text\" role=\"status\">\(web.text("存证链完整：\(verdict.records) 条记录、\(verdict.intervals) 个已封存区间全部验证通过，\(verdict.unsealed) 条待封存。", "The chain is sound: \(verdict.records) records and \(verdict.intervals) sealed intervals verified, \(verdict.unsealed) not sealed yet."))</p>"
            } ?? .empty
        let lines = rows.map { row -> HTML in
            "<tr><td class=\"number\">\(EvidenceChain.name(row.sequence))</td><td>\(CivilTime.minute(row.at))</td><td>\(row.actor)</td><td>\(Words.action(row.action, web.language))<br><code>\(row.action)</code></td><td>\(row.resource)</td><td>\(Layout.badge(Words.outcome(row.outcome, web.language), row.outcome == "denied" ? "poor" : row.outcome == "failed" ? "fair" : "good"))</td><td><code title=\"\(row.hash)\">\(String(row.hash.prefix(12)))…</code></td></tr>"
        }
        let older: HTML =
            rows.count == 50
            ? "<p class=\"pager\"><a href=\"/console/evidence?before=\(rows.last?.sequence ?? 0)\" rel=\"next\">\(web.text("更早", "Older"))</a></p>"
            : .empty
        let heads = [
            "##", web.text("时间", "Time"), web.text("主体", "Actor"), web.text("操作", "Action"), web.text("资源", "Resource"),
            web.text("结果", "Outcome"), web.text("摘要", "Hash"),
        ]
        return Layout.console(
            web.text("存证审计", "Evidence"),
            web,
            """
            <header class="title"><h1>\(web.text("存证审计", "Evidence"))</h1><p class="muted">\(web.text("每个决定一条记录，SM3 串链，区间以 SM2 签名封存。", "One record per decision, chained with SM3; intervals are sealed with an SM2 signature."))</p></header>
            <section class="card"><form method="post" action="/console/evidence/verify" class="inline">\(Layout.csrf(web))<button>\(web.text("验证整条链", "Verify the whole chain"))</button></form>\(answer)
            <form method="get" action="/console/evidence" class="row">\(Layout.field(web.text("资源代码", "Resource"), "<input name=\"resource\" value=\"\(web.query("resource") ?? "")\">"))\(Layout.field(web.text("主体", "Actor"), "<input name=\"actor\" value=\"\(web.query("actor") ?? "")\" placeholder=\"person:3\">"))<button class="quiet">\(web.text("筛选", "Filter"))</button></form>
            <div class="scroll" tabindex="0" role="region" aria-label="\(web.text("存证记录", "Records"))"><table><thead><tr>\(heads.map(Layout.head))</tr></thead><tbody>\(lines)</tbody></table></div>\(older)</section>
            """
        )
    }

    static func backups(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let list = try await web.perform(web.services.administration.backups, ())
        let rows = list.map { job -> HTML in
            let folder = job.result["folder"]?.string ?? ""
            let what: String =
                switch (job.state, job.kind) {
                case (.failed, _): job.result[web.language == .zh ? "zh" : "en"]?.string ?? ""
                case (.done, Administration.backupJob): backup(job.result, folder, web)
                case (.done, _): drill(job.result, folder, web)
                default: ""
                }
            return
                "<tr><td>\(CivilTime.minute(job.createdAt))</td><td>\(Words.kind(job.kind, web.language))</td><td>\(Layout.badge(Words.title(job.state)[web.language], job.state == .failed ? "poor" : job.state == .done ? "good" : "fair"))</td><td>\(what)</td></tr>"
        }
        let isBusy = list.contains { $0.state == .queued || $0.state == .running }
        func button(_ kind: String, _ label: String, _ style: String) -> HTML {
            "<form method=\"post\" action=\"/console/backups\" class=\"inline\">\(Layout.csrf(web))<input type=\"hidden\" name=\"kind\" value=\"\(kind)\"><button class=\"\(style)\">\(label)</button></form>"
        }
        let heads = [
            web.text("提交", "Queued"), web.text("种类", "Kind"), web.text("状态", "State"), web.text("结果", "Result"),
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有备份。", "No backups yet."))
            : Layout.table(heads, rows, label: web.text("备份", "Backups"))
        return .page(
            Layout.console(
                web.text("备份与演练", "Backups and drills"),
                web,
                refresh: isBusy ? 2 : nil,
                """
                <header class="title"><h1>\(web.text("备份与演练", "Backups and drills"))</h1><p class="hint">\(web.text("备份在节点运行时进行，完成后逐个文件验证。演练把最近的备份恢复到旁边的目录，打开并验证存证，记下可能丢失的时长(RPO)与恢复用时(RTO)。", "A backup is made while the node runs and verified file by file. A drill restores the newest one beside the node, opens it, verifies its evidence, and records how much time would be lost (RPO) and how long restoring took (RTO)."))</p></header>
                <div class="actions">\(button(Administration.backupJob, web.text("立即备份", "Back up now"), ""))\(button(Administration.drillJob, web.text("恢复演练", "Restore drill"), "quiet"))</div>
                <section class="card">\(table)</section>
                """
            )
        )
    }

    private static func backup(_ result: JSONValue, _ folder: String, _ web: WebRequest) -> String {
        let bytes = Numbers.grouped(result["bytes"]?.integer ?? 0)
        let isSealed = result["key_sealed"]?.boolean == true
        return web.text(
            "\(folder) · \(bytes) 字节 · 已验证 · 密钥\(isSealed ? "已加密" : "未加密")",
            "\(folder) · \(bytes) bytes · verified · key \(isSealed ? "sealed" : "not sealed")"
        )
    }

    private static func drill(_ result: JSONValue, _ folder: String, _ web: WebRequest) -> String {
        let lost = duration(result["rpo_seconds"], web)
        let taken = duration(result["rto_seconds"], web)
        let records = result["records"]?.integer ?? 0
        return web.text(
            "\(folder) · RPO \(lost) · RTO \(taken) · 存证 \(records) 条完整",
            "\(folder) · RPO \(lost) · RTO \(taken) · \(records) evidence records sound"
        )
    }

    /// Seconds as people say them.
    static func duration(_ seconds: JSONValue?, _ web: WebRequest) -> String {
        let value = seconds?.real ?? 0
        if value < 120 { return web.text("\(Numbers.short(value)) 秒", "\(Numbers.short(value)) s") }
        if value < 7200 { return web.text("\(Int(value / 60)) 分钟", "\(Int(value / 60)) min") }
        return web.text("\(Int(value / 3600)) 小时", "\(Int(value / 3600)) h")
    }

    static func jobs(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let list = try await web.perform(web.services.administration.jobs, 100)
        let rows = list.map { job -> HTML in
            "<tr><td class=\"number\">\(job.id)</td><td>\(Words.kind(job.kind, web.language))</td><td>\(job.resource)</td><td>\(Layout.badge(Words.title(job.state)[web.language], job.state == .failed ? "poor" : job.state == .done ? "good" : "fair"))</td><td class=\"number\">\(job.attempts)</td><td>\(CivilTime.minute(job.createdAt))</td><td>\(job.result["code"]?.string ?? "")</td></tr>"
        }
        let heads = [
            "#", web.text("种类", "Kind"), web.text("资源", "Resource"), web.text("状态", "State"),
            web.text("次数", "Attempts"), web.text("提交", "Queued"), web.text("问题", "Problem"),
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有任务。", "No jobs yet."))
            : "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("任务", "Jobs"))\"><table><thead><tr>\(heads.map { "<th scope=\"col\">\($0)</th>" as HTML })</tr></thead><tbody>\(rows)</tbody></table></div>"
        return .page(
            Layout.console(
                web.text("任务", "Jobs"),
                web,
                "<header class=\"title\"><h1>\(web.text("任务", "Jobs"))</h1></header><section class=\"card\">\(table)</section>"
            )
        )
    }
}
