import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Quality

/// Quality by department: the means, their history, whose faults they are, and how to gain points.
enum QualityPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/quality",
            .actions(["catalogue.ledger", "quality.department"]),
            .console,
            zh: "部门质量",
            en: "Quality by department"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            if let id = web.query("provider").flatMap({ Int64($0) }) {
                return .page(try await department(OrganisationID(id), web))
            }
            return .page(overview(try await web.perform(web.services.catalogue.ledger, ()), web))
        },
        Route(
            .get,
            "/api/v1/quality/{organisation}",
            .actions(["quality.department"]),
            .console,
            zh: "部门质量",
            en: "A department's quality"
        ) { web in
            let id = OrganisationID(try web.number("organisation"))
            return .json(json(try await web.perform(web.services.quality.department, id)))
        },
    ]

    static func json(_ found: DepartmentQuality) -> JSONValue {
        .object([
            .init(
                "history",
                .array(
                    found.history.map {
                        .object([
                            .init("month", .string($0.month)), .init("mean", .real($0.mean)),
                            .init("loads", .integer($0.loads)),
                        ])
                    }
                )
            ),
            .init(
                "lost",
                .object(QualityFault.allCases.map { .init($0.rawValue, .real(found.lost[$0] ?? 0)) })
            ),
            .init(
                "gains",
                .array(
                    found.gains.map {
                        .object([
                            .init("resource", .string($0.code)), .init("rule", .string($0.rule)),
                            .init("field", .string($0.field)), .init("count", .integer($0.count)),
                            .init("points", .real($0.points)), .init("fault", .string($0.fault.rawValue)),
                        ])
                    }
                )
            ),
            .init(
                "failures",
                .array(
                    found.failures.map {
                        .object([
                            .init("resource", .string($0.code)), .init("problem", .string($0.problem)),
                            .init("count", .integer($0.count)),
                        ])
                    }
                )
            ),
        ])
    }

    private static func overview(_ ledger: Ledger, _ web: WebRequest) -> HTML {
        let lines = ledger.departments.filter { $0.scored > 0 }.sorted { ($0.score ?? 0) < ($1.score ?? 0) }
        let rows = lines.map { line -> HTML in
            "<tr><th scope=\"row\"><a href=\"/console/quality?provider=\(line.key)\">\(LedgerPage.department(line, web))</a></th><td class=\"number\">\(Layout.score(line.score, web.language))</td><td class=\"number\">\(line.scored)</td><td class=\"number\">\(LedgerPage.percent(line.timelyRate))</td><td class=\"number\">\(LedgerPage.percent(line.conformingRate))</td></tr>"
        }
        let heads = [
            web.text("部门", "Department"), web.text("平均质量", "Mean") + "#", web.text("有评分的资源", "Scored") + "#",
            web.text("更新及时率", "In time") + "#", web.text("贯标率", "Conforming") + "#",
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有评分：加载数据后自动评分。", "Nothing is scored yet: loads are scored as they come."))
            : Layout.table(heads, rows, label: web.text("部门质量", "Quality by department"))
        return Layout.console(
            web.text("部门质量", "Quality"),
            web,
            "<header class=\"title\"><h1>\(web.text("部门质量", "Quality by department"))</h1><p class=\"muted\">\(web.text("最低分在前。点部门看历史、失分原因和提分办法。", "The lowest first. A department shows its history, what costs marks and how to gain them."))</p></header><section class=\"card\">\(table)</section>"
        )
    }

    private static func department(_ id: OrganisationID, _ web: WebRequest) async throws -> HTML {
        let found = try await web.perform(web.services.quality.department, id)
        let name = web.services.kernel.gate.organisations[id]?.name ?? ""
        let marks = JSONValue.array(
            found.history.map {
                .object([.init("label", .string($0.month)), .init("total", .real(($0.mean * 10).rounded() / 10))])
            }
        )
        let months = found.history.map {
            "<tr><td>\($0.month)</td><td class=\"number\">\(Layout.score($0.mean, web.language))</td><td class=\"number\">\($0.loads)</td></tr>"
                as HTML
        }
        let heads = [web.text("月份", "Month"), web.text("平均分", "Mean") + "#", web.text("批次", "Loads") + "#"]
        let chart: HTML =
            found.history.count > 1
            ? "<div class=\"chart\"><canvas data-marks=\"\(marks.text)\" role=\"img\" aria-label=\"\(web.text("平均分变化", "The mean over time"))\"></canvas></div>"
            : .empty
        let history: HTML =
            months.isEmpty
            ? Layout.empty(web.text("还没有批次。", "There are no loads yet."))
            : Layout.table(heads, months, label: web.text("历史", "History"))
        let faults = QualityFault.allCases.map { fault -> HTML in
            let value =
                fault == .platform
                ? web.text(
                    "\(found.failures.reduce(0) { $0 + $1.count }) 次失败",
                    "\(found.failures.reduce(0) { $0 + $1.count }) failures"
                )
                : web.text(
                    "\(Numbers.short(found.lost[fault] ?? 0)) 分",
                    "\(Numbers.short(found.lost[fault] ?? 0)) points"
                )
            return "<div><dt>\(web.text("\(fault.title.zh)的问题", "The \(fault.title.en)'s"))</dt><dd>\(value)</dd></div>"
        }
        return Layout.console(
            name,
            web,
            scripts: found.history.count > 1 ? ["/assets/chart.js"] : [],
            """
            <p class="crumbs"><a href="/console/quality">\(web.text("部门质量", "Quality by department"))</a></p>
            <header class="title"><h1>\(name)</h1></header>
            <dl class="figures">\(faults)</dl>
            <p class="hint">\(web.text("生产方：值缺失、错误、重复。映射：列与信息项没有对上，几乎每行都有同样的问题。平台：加载或归集失败。", "Producer: values missing, wrong or repeated. Mapping: columns that do not match the items, so that nearly every row has the same fault. Platform: loads and readings that failed."))</p>
            <section class="card"><h2>\(web.text("怎样提分", "How to gain points"))</h2>\(gains(found, web))</section>
            <section class="card"><h2>\(web.text("历史", "History"))</h2>\(chart)\(history)</section>\(failures(found, web))
            """
        )
    }

    private static func gains(_ found: DepartmentQuality, _ web: WebRequest) -> HTML {
        guard !found.gains.isEmpty else {
            return "<p class=\"good-text\">\(web.text("没有失分。", "No marks are lost."))</p>"
        }
        let rows = found.gains.map { gain -> HTML in
            "<tr><td><a href=\"/console/entries/\(Entry.slug(gain.code))\">\(gain.name)</a></td><td>\(gain.field)</td><td>\(Words.rule(gain.rule, web.language))</td><td>\(gain.fault.title[web.language])</td><td class=\"number\">\(Numbers.grouped(gain.count))</td><td class=\"number\">\(points(gain.points))</td></tr>"
        }
        let heads = [
            web.text("资源", "Resource"), web.text("列", "Column"), web.text("问题", "Finding"), web.text("责任", "Whose"),
            web.text("行数", "Rows") + "#", web.text("改正可得", "Gain") + "#",
        ]
        return Layout.table(heads, rows, label: web.text("怎样提分", "How to gain points"))
    }

    /// Small gains still show.
    private static func points(_ value: Double) -> String {
        value >= 0.1 ? "+" + Numbers.short(value) : "<0.1"
    }

    private static func failures(_ found: DepartmentQuality, _ web: WebRequest) -> HTML {
        guard !found.failures.isEmpty else { return .empty }
        let rows = found.failures.map {
            "<tr><td><a href=\"/console/entries/\(Entry.slug($0.code))\">\($0.code)</a></td><td><code>\($0.problem)</code></td><td class=\"number\">\($0.count)</td></tr>"
                as HTML
        }
        let heads = [web.text("资源", "Resource"), web.text("问题", "Problem"), web.text("次数", "Count") + "#"]
        return
            "<section class=\"card\"><h2>\(web.text("平台的问题(近 90 天)", "The platform's, last 90 days"))</h2>\(Layout.table(heads, rows, label: web.text("平台的问题", "The platform's")))</section>"
    }
}
