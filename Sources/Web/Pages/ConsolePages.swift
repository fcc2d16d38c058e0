import Collect
import Basics
import Catalogue
import Hummingbird
import HTTPTypes
import Kernel
import Open

/// What awaits the person who signed in.
enum ConsolePages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console",
            .actions(["catalogue.work", "open.list", "job.list_own", "source.troubled"]),
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
        func list(_ title: String, _ stage: EntryStage, _ hint: String) async throws {
            let entries = try await web.perform(web.services.catalogue.work, (stage, 20))
            guard !entries.isEmpty else { return }
            sections.append(
                "<section class=\"card\"><h2>\(title) \(Layout.badge(String(entries.count)))</h2><p class=\"hint\">\(hint)</p>\(table(entries, web))</section>"
            )
        }
        let troubled = try await web.perform(web.services.sources.trouble, ())
        if !troubled.isEmpty {
            let items = troubled.map {
                "<li><a href=\"/console/sources/\($0.id)\">\($0.name)</a> \(SourcePages.state($0, web)) <span class=\"muted\">\($0.code)</span></li>"
                    as HTML
            }
            sections.append(
                "<section class=\"card\"><h2>\(web.text("归集异常", "Sources in trouble")) \(Layout.badge(String(troubled.count), "poor"))</h2><p class=\"hint\">\(web.text("您是这些来源的责任人。", "You answer for these sources."))</p><ul>\(items)</ul></section>"
            )
        }
        if gate.holds(.catalogueReviewDepartment, web.caller) {
            try await list(
                web.text("待部门审核", "For department review"),
                .department,
                web.text("请核对信息项、共享类型与提供方。", "Check items, sharing types and the provider.")
            )
        }
        if gate.holds(.catalogueReviewAuthority, web.caller) {
            try await list(
                web.text("待主管部门审核", "For authority review"),
                .authority,
                web.text("通过后条目即发布。", "An approved entry is published.")
            )
        }
        if gate.holds(.catalogueEdit, web.caller) {
            try await list(web.text("编目中", "Drafts"), .draft, web.text("补齐后提交审核。", "Complete them and submit."))
        }
        if gate.holds(.catalogueRead, web.caller) {
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
                sections.append(
                    "<section class=\"card\"><h2>\(web.text("开放申请", "Opening")):\(stage.title[web.language])</h2><ul>\(items)</ul></section>"
                )
            }
        }
        let jobs = try await web.perform(web.services.administration.ownJobs, 8)
        if !jobs.isEmpty {
            let items = jobs.map { job -> HTML in
                "<li><a href=\"/console/jobs/\(job.id)\">\(web.text("加载任务", "Load job")) \(job.id)</a> \(Layout.badge(Words.title(job.state)[web.language], job.state == .failed ? "poor" : job.state == .done ? "good" : "")) <span class=\"muted\">\(job.resource) · \(CivilTime.minute(job.createdAt))</span></li>"
            }
            sections.append(
                "<section class=\"card\"><h2>\(web.text("我的任务", "My jobs"))</h2><ul>\(items)</ul></section>"
            )
        }
        if sections.isEmpty {
            let upload: HTML =
                gate.holds(.dataLoad, web.caller)
                ? "<a class=\"button\" href=\"/console/upload\">\(web.text("上传第一个文件", "Upload a first file"))</a>"
                : .empty
            sections.append(Layout.empty(web.text("没有待办事项。", "Nothing awaits you."), upload))
        }
        let roles = principal.roles.map { Layout.badge($0.title[web.language]) }
        let organisation = gate.organisations[principal.organisation]?.name ?? ""
        return .page(
            Layout.console(
                web.text("我的工作", "My work"),
                web,
                "<header class=\"title\"><h1>\(principal.name)</h1><p class=\"muted\">\(organisation) \(roles)</p></header>\(sections)"
            )
        )
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
                "<p role=\"status\">\(web.text("正在加载,已处理 \(Numbers.grouped(job.progress)) 行……", "Loading, \(Numbers.grouped(job.progress)) rows done…"))</p><progress></progress>"
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
