import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel

/// Work of a system's Swift that people ask for; the node does it as a job.
enum WorkPages {
    static let routes: [Route] = [
        Route(
            .post,
            "/systems/{system}/work/{work}",
            .actions(["flow.work"]),
            .console,
            zh: "执行系统作业",
            en: "Do a system's work"
        ) { web in
            let system = try web.parameter("system")
            _ = try await web.form()
            _ = try await web.perform(web.services.flows.ask, (system, try web.parameter("work")))
            return .redirect("/systems/\(system)#work")
        },
        Route(
            .post,
            "/api/v1/systems/{system}/work/{work}",
            .actions(["flow.work"]),
            .console,
            zh: "执行系统作业，返回任务编号；已在排队的不重复排队",
            en: "Queue a system's work; the job's number, of one that waits where there is one"
        ) { web in
            try web.checkHeader()
            let asked = (try web.parameter("system"), try web.parameter("work"))
            let job = try await web.perform(web.services.flows.ask, asked)
            return .json(.object([.init("job", .integer(job))]), status: .accepted)
        },
    ]

    /// The work that somebody may ask for, with its last run.
    static func section(_ system: InstalledSystem, _ web: WebRequest) async throws -> HTML {
        var rows: [HTML] = []
        for work in try await web.services.flows.work(of: system, web.caller) {
            let title = work.title[web.language]
            let last = try await web.services.flows.lastRun(of: work, system)
            let button: HTML =
                """
                <form method="post" action="/systems/\(system.id)/work/\(work.key)" class="row">\(Layout.csrf(web))<button class="quiet" aria-label="\(web.text("现在执行：", "Do it now: "))\(title)">\(web.text("现在执行", "Do it now"))</button></form>
                """
            rows.append(
                "<tr><td>\(title)</td><td>\(interval(work.every, web))</td><td>\(state(last, web))</td><td class=\"actions\">\(button)</td></tr>"
            )
        }
        guard !rows.isEmpty else { return .empty }
        let title = web.text("系统作业", "Work")
        let heads = [
            web.text("作业", "Work"), web.text("自动执行", "By itself"), web.text("最近一次", "Last run"), "",
        ]
        return
            "<section class=\"card\" id=\"work\"><h2>\(title)</h2>\(Layout.table(heads, rows, label: title))</section>"
    }

    private static func interval(_ every: WorkDeclaration.Interval, _ web: WebRequest) -> String {
        switch every {
        case .never: web.text("否", "no")
        case .hour: web.text("每小时", "each hour")
        case .day: web.text("每天", "each day")
        case .month: web.text("每月", "each month")
        }
    }

    private static func state(_ job: Job?, _ web: WebRequest) -> HTML {
        guard let job else { return "<span class=\"muted\">—</span>" }
        switch job.state {
        case .queued, .running: return Layout.badge(web.text("进行中", "under way"), "fair")
        case .failed:
            let said = job.result[web.language == .zh ? "zh" : "en"]?.string ?? ""
            return "\(Layout.badge(web.text("失败", "failed"), "poor")) \(said)"
        case .done:
            let figures = (job.result.array ?? []).compactMap { figure -> String? in
                guard let title = figure[web.language == .zh ? "zh" : "en"]?.string else { return nil }
                return "\(title) \(figure["value"]?.integer ?? 0)"
            }
            return
                "\(CivilTime.minute(job.finishedAt ?? job.createdAt)) \(figures.joined(separator: web.text("，", ", ")))"
        }
    }
}
