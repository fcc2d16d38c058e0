import CQL
import Flow
import Collect
import Basics
import Catalogue
import Hummingbird
import HTTPTypes
import Kernel
import Lake
import Open
import Tabular

/// What awaits the person who signed in.
enum ConsolePages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console",
            .actions([
                "catalogue.work", "catalogue.returned", "catalogue.list", "open.list", "job.list_own",
                "source.troubled", "data.read", "system.pending", "grant.pending", "evidence.pending",
            ]),
            .console,
            zh: "我的工作",
            en: "My work",
            handle: work
        ),
        Route(
            .get,
            "/console/jobs/{job}",
            .actions(["job.own"]),
            .console,
            zh: "任务进度(本人的任务)",
            en: "A job of one's own",
            handle: job
        ),
    ]

    static func signedIn(_ web: WebRequest) throws -> Principal {
        guard let principal = web.principal else {
            throw Problem("access.sign_in", status: 401, zh: "请先登录。", en: "Sign in first.")
        }
        if principal.mustChangePassword { throw Gate.passwordChange }
        return principal
    }

    static func work(_ web: WebRequest) async throws -> Response {
        let principal = try signedIn(web)
        let gate = web.services.kernel.gate
        var sections: [HTML] = []
        var figures: [HTML] = []
        func figure(_ label: String, _ count: Int, _ link: String, _ style: String = "") {
            let kind = count > 0 ? style : ""
            figures.append(
                "<div class=\"\(kind)\"><dt>\(label)</dt><dd><a href=\"\(link)\">\(count)</a></dd></div>"
            )
        }
        func section(_ title: String, _ count: Int, _ hint: String, _ style: String = "fair", _ body: HTML) {
            let help: HTML = hint.isEmpty ? .empty : "<p class=\"hint\">\(hint)</p>"
            sections.append(
                "<section class=\"card\"><h2>\(title) \(Layout.badge(String(count), style))</h2>\(help)\(body)</section>"
            )
        }
        func list(_ title: String, _ stage: EntryStage, _ hint: String) async throws {
            let entries = try await web.perform(web.services.catalogue.work, (stage, 20))
            let total = try await web.perform(web.services.catalogue.list, EntryListQuery(stage: stage, limit: 1)).total
            figure(title, max(total, entries.count), "/console/entries?stage=\(stage.rawValue)", "fair")
            if !entries.isEmpty { section(title, max(total, entries.count), hint, "fair", table(entries, web)) }
        }
        let troubled = try await web.perform(web.services.sources.trouble, ())
        if !troubled.isEmpty {
            let items = troubled.map {
                "<li><a href=\"/console/sources/\($0.id)\">\($0.name)</a> \(SourcePages.state($0, web)) <code>\($0.code)</code></li>"
                    as HTML
            }
            let hint = web.text("您是这些来源的责任人。", "You answer for these sources.")
            section(web.text("归集异常", "Sources in trouble"), troubled.count, hint, "poor", "<ul>\(items)</ul>")
        }
        let tasks = gate.holds(.flowAct, web.caller) ? try await web.perform(web.services.flows.tasks, 20) : []
        if !tasks.isEmpty {
            figure(web.text("业务待办", "Tasks"), tasks.count, "/systems", "fair")
            sections.append(SystemPages.tasksSection(tasks, web))
        }
        if gate.holds(.catalogueReviewDepartment, web.caller) {
            let hint = web.text("请核对信息项、共享类型与提供方。", "Check items, sharing types and the provider.")
            try await list(web.text("待部门审核", "For department review"), .department, hint)
        }
        if gate.holds(.catalogueReviewAuthority, web.caller) {
            let hint = web.text("通过后条目即发布。", "An approved entry is published.")
            try await list(web.text("待主管部门审核", "For authority review"), .authority, hint)
        }
        try await openings(web, section)
        if gate.holds(.catalogueEdit, web.caller) {
            let returned = try await web.perform(web.services.catalogue.returned, 20)
            if !returned.isEmpty {
                let items = returned.map {
                    "<li><a href=\"/console/entries/\($0.entry.slug)\">\($0.entry.content?.name ?? "")</a><br><span class=\"muted\">\($0.note)</span></li>"
                        as HTML
                }
                let hint = web.text("按审核意见改正后再提交。", "Correct them as the reviewer says, then submit.")
                section(web.text("退回待改", "Returned to you"), returned.count, hint, "poor", "<ul>\(items)</ul>")
            }
            try await list(
                web.text("编目中", "Drafts"),
                .draft,
                web.text("补齐后提交审核。", "Complete them and submit.")
            )
            try await data(web, figure, section)
        }
        try await administration(web, section)
        try await jobs(web, section)
        if sections.isEmpty { sections.append(Layout.empty(web.text("没有待办事项。", "Nothing awaits you."))) }
        let roles = principal.roles.map { Layout.badge(web.title(of: $0)) }
        let organisation = gate.organisations[principal.organisation]?.name ?? ""
        let summary: HTML = figures.isEmpty ? .empty : "<dl class=\"figures\">\(figures)</dl>"
        return .page(
            Layout.console(
                web.text("我的工作", "My work"),
                web,
                "<header class=\"title\"><h1>\(web.text("我的工作", "My work"))</h1><p class=\"muted\">\(principal.name) · \(organisation) \(roles)</p></header>\(summary)\(shortcuts(web))\(sections)"
            )
        )
    }

    private typealias Section = (String, Int, String, String, HTML) -> Void

    private static func openings(_ web: WebRequest, _ section: Section) async throws {
        let gate = web.services.kernel.gate
        guard gate.holds(.catalogueRead, web.caller) else { return }
        let stages: [OpeningRequest.Stage] =
            (gate.holds(.openReviewSecrecy, web.caller) ? [.secrecy] : [])
            + (gate.holds(.openReviewAuthority, web.caller) ? [.authority] : [])
        for stage in stages {
            let requests = try await web.perform(web.services.opening.list, (stage, nil))
            guard !requests.isEmpty else { continue }
            let items = requests.map {
                "<li><a href=\"/console/openings/\($0.id)\">\($0.name)</a> <span class=\"muted\">\(Layout.day($0.at))</span></li>"
                    as HTML
            }
            let title = web.text("开放申请：", "Opening: ") + stage.title[web.language]
            section(title, requests.count, "", "fair", "<ul>\(items)</ul>")
        }
    }

    /// What is overdue, what is poor, what the public asked.
    private static func data(
        _ web: WebRequest,
        _ figure: (String, Int, String, String) -> Void,
        _ section: Section
    ) async throws {
        let list = web.services.catalogue.list
        let late = try await web.perform(list, EntryListQuery(isLate: true, order: .data, limit: 10))
        figure(web.text("逾期未更新", "Overdue"), late.total, "/console/entries?late=true&order=data", "poor")
        if late.total > 0 {
            let hint = web.text("已超过承诺的更新周期。", "Past the frequency that was promised.")
            section(web.text("逾期未更新", "Overdue"), late.total, hint, "poor", table(late.entries, web))
        }
        let poor = try await web.perform(list, EntryListQuery(isPoor: true, order: .score, limit: 10))
        figure(web.text("质量待改正", "To correct"), poor.total, "/console/entries?poor=true&order=score", "poor")
        if poor.total > 0 {
            let hint = web.text(
                "最近一批有失分。打开条目可下载问题数据，改正后重新上传。",
                "The last load lost marks. An entry lets you download its bad rows and load them again."
            )
            section(web.text("质量待改正", "To correct"), poor.total, hint, "fair", table(poor.entries, web))
        }
        let flows = web.services.flows
        if let place = try await flows.systems.place(key: FeedbackAPI.resource),
            web.services.kernel.gate.admits(
                flows.step.descriptor,
                try await web.services.kernel.resource(place.code),
                web.caller
            )
        {
            var query = RecordQuery(place.code, fields: ["number"], limit: 20)
            query.condition = .compare(.equal, .property("state"), .literal(.text("waiting")))
            // Who may act there and read nothing has no figure.
            let waiting = (try? await web.perform(web.services.lake.read, query).ids.count) ?? 0
            figure(web.text("待答复反馈", "Feedback to answer"), waiting, "\(FeedbackAPI.path)?saved=0", "fair")
        }
    }

    /// What administrators of the node should see to, by what they may do.
    private static func administration(_ web: WebRequest, _ section: Section) async throws {
        let gate = web.services.kernel.gate
        let administration = web.services.administration
        let asked: [(Permission, Action<Void, [PendingWork]>)] = [
            (.systemManage, administration.pendingSystem), (.grantsManage, administration.pendingGrants),
            (.evidenceRead, administration.pendingEvidence),
        ]
        for (permission, action) in asked where gate.holds(permission, web.caller) {
            let pending = try await web.perform(action, ())
            guard !pending.isEmpty else { continue }
            let items = pending.map { work -> HTML in
                let (what, link) = Words.pending(work, web.language)
                return "<li><a href=\"\(link)\">\(what)</a></li>"
            }
            section(web.text("管理待办", "To see to"), pending.count, "", "fair", "<ul>\(items)</ul>")
        }
    }

    private static func jobs(_ web: WebRequest, _ section: Section) async throws {
        let jobs = try await web.perform(web.services.administration.ownJobs, 5)
        guard !jobs.isEmpty else { return }
        let items = jobs.map { job -> HTML in
            "<li><a href=\"/console/jobs/\(job.id)\">\(Words.kind(job.kind, web.language)) \(job.id)</a> \(Layout.badge(Words.title(job.state)[web.language], job.state == .failed ? "poor" : job.state == .done ? "good" : "")) <span class=\"muted\">\(job.resource) · \(CivilTime.minute(job.createdAt))</span></li>"
        }
        section(web.text("我的任务", "My jobs"), jobs.count, "", "", "<ul>\(items)</ul>")
    }

    /// What a person of these rights mostly comes for.
    private static func shortcuts(_ web: WebRequest) -> HTML {
        let all: [(String, String, Permission)] = [
            ("/console/upload", web.text("上传数据", "Upload data"), .dataLoad),
            ("/console/import", web.text("导入目录工作簿", "Import a workbook"), .catalogueEdit),
            ("/console/quality", web.text("部门质量", "Quality"), .catalogueRead),
            ("/console/ledger", web.text("总账本", "Ledger"), .catalogueRead),
            ("/console/accounts", web.text("账号与角色", "Accounts"), .accountsManage),
            ("/console/grants", web.text("授权", "Grants"), .grantsManage),
            ("/console/evidence", web.text("验证存证", "Verify evidence"), .evidenceRead),
            ("/console/backups", web.text("备份与演练", "Backups"), .systemManage),
        ]
        let links = all.filter { web.services.kernel.gate.holds($0.2, web.caller) }.map {
            "<a class=\"theme\" href=\"\($0.0)\"><span>\($0.1)</span></a>" as HTML
        }
        return "<div class=\"themes\">\(links)</div>"
    }

    static func table(_ entries: [Entry], _ web: WebRequest) -> HTML {
        let organisations = web.services.kernel.gate.organisations
        let rows = entries.map { entry -> HTML in
            """
            <tr><td><a href="/console/entries/\(entry.slug)">\(entry.content?.name ?? entry.resource.name)</a><br><code>\(entry.resource.code)</code></td>
            <td>\(organisations[entry.resource.owner]?.name ?? "")</td><td>\(stateBadge(entry, web))</td><td class="number">\(Numbers.grouped(entry.rows))</td><td>\(Layout.score(entry.score, web.language))</td><td>\(CivilTime.minute(entry.changedAt))</td></tr>
            """
        }
        return """
            <div class="scroll" tabindex="0" role="region" aria-label="\(web.text("目录条目", "Entries"))"><table><thead><tr><th scope="col">\(web.text("名称与代码", "Name and code"))</th><th scope="col">\(web.text("提供方", "Provider"))</th><th scope="col">\(web.text("状态", "State"))</th><th scope="col" class="number">\(web.text("记录", "Rows"))</th><th scope="col">\(web.text("质量", "Quality"))</th><th scope="col">\(web.text("变更", "Changed"))</th></tr></thead><tbody>\(rows)</tbody></table></div>
            """
    }

    static func stateBadge(_ entry: Entry, _ web: WebRequest) -> HTML {
        let state: HTML =
            switch entry.resource.state {
            case .draft: Layout.badge(web.text("未发布", "unpublished"))
            case .published: Layout.badge(web.text("已发布", "published"), "good")
            case .offline: Layout.badge(web.text("已下线", "offline"), "poor")
            }
        let stage: HTML = entry.stage == .none ? .empty : Layout.badge(entry.stage.title[web.language], "fair")
        let open: HTML = entry.resource.isOpen ? Layout.badge(web.text("已开放", "open"), "good") : .empty
        return "\(state) \(stage) \(open)"
    }

    static func job(_ web: WebRequest) async throws -> Response {
        _ = try signedIn(web)
        let job = try await web.perform(web.services.administration.ownJob, try web.number("job"))
        let slug = Entry.slug(job.resource)
        if job.state == .done, let load = job.result["load"]?.integer {
            return .redirect("/console/entries/\(slug)/loads/\(load)")
        }
        let isOver = job.state == .failed || job.state == .done
        let body: HTML
        if job.state == .failed {
            body =
                "<div class=\"alert\" role=\"alert\"><p>\(job.result[web.language == .zh ? "zh" : "en"]?.string ?? "")</p><p class=\"muted\">\(job.result["code"]?.string ?? "")</p></div><p><a class=\"button\" href=\"/console/entries/\(slug)\">\(web.text("回到条目", "Back to the entry"))</a></p>"
        } else {
            body =
                "<p role=\"status\">\(web.text("正在加载，已处理 \(Numbers.grouped(job.progress)) 行……", "Loading, \(Numbers.grouped(job.progress)) rows done…"))</p><progress></progress>"
        }
        return .page(
            Layout.console(
                web.text("加载任务", "Load job"),
                web,
                refresh: isOver ? nil : 1,
                "<header class=\"title\"><h1>\(web.text("加载任务", "Load job")) \(job.id)</h1><p class=\"muted\">\(job.resource)</p></header><section class=\"card\">\(body)</section>"
            )
        )
    }
}
