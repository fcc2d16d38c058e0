import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// The indicators of a system: figures with their targets, months and units.
enum IndicatorPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/indicators",
            .actions(["flow.indicators"]),
            .console,
            zh: "业务指标",
            en: "Indicators of a system",
            handle: page
        )
    ]

    /// The figures that somebody may see, as a request asks for them: `until` (a day or month) and `periods`.
    static func figures(_ web: WebRequest) async throws -> (system: InstalledSystem, figures: [IndicatorFigures]) {
        _ = try ConsolePages.signedIn(web)
        let system = try await web.services.flows.systems.system(web.parameter("system"))
        let known = try await web.services.flows.indicators(of: system, web.caller)
        guard !known.isEmpty else { throw Problem.notFound(.init("指标", "the indicators")) }
        let until = try web.query("until").map { text throws(Problem) in
            let day = text.utf8.count == 7 ? text + "-01" : text.utf8.count == 4 ? text + "-01-01" : text
            guard let found = Array(day.utf8).withUnsafeBufferPointer({ CivilTime.parseISODate($0) }) else {
                throw Problem("request.date", zh: "日期应写作 2026-11-21。", en: "Dates are written 2026-11-21.")
            }
            return found
        }
        let periods = web.query("periods").flatMap { Int($0) } ?? 12
        var found: [IndicatorFigures] = []
        for indicator in known where web.query("key").map({ $0 == indicator.key }) ?? true {
            let query = IndicatorQuery(system.id, indicator.key, until: until, periods: periods)
            found.append(try await web.perform(web.services.flows.indicator, query))
        }
        return (system, found)
    }

    /// A value with its unit.
    static func shown(_ figure: Figure, _ figures: IndicatorFigures, _ web: WebRequest) -> String {
        guard let value = figures.value(figure) else { return "—" }
        return number(value) + unit(figures, web)
    }

    static func unit(_ figures: IndicatorFigures, _ web: WebRequest) -> String {
        let unit = figures.indicator.unit[web.language]
        return unit.isEmpty || unit == "%" ? unit : " " + unit
    }

    static func number(_ value: Double) -> String {
        guard value.magnitude < 9e15 else { return Numbers.short(value) }
        return value == value.rounded() ? Numbers.grouped(Int64(value)) : Numbers.short(value)
    }

    /// What a group is called.
    static func label(_ key: String, _ figures: IndicatorFigures, _ web: WebRequest) -> String {
        if key.isEmpty { return web.text("（空）", "(empty)") }
        if figures.indicator.by == "$clock" {
            return figures.declared.flow?.clock(key)?.title[web.language] ?? key
        }
        let field = figures.declared.field(figures.indicator.by)
        if field?.type == .boolean { return key == "1" ? web.text("是", "yes") : web.text("否", "no") }
        return FormText.shown(key, field, web)
    }

    static func by(_ figures: IndicatorFigures, _ web: WebRequest) -> String {
        if figures.indicator.by == "$clock" { return web.text("时限", "Time limit") }
        return figures.declared.field(figures.indicator.by).map { figures.declared.label($0, web.language) } ?? ""
    }

    private static func page(_ web: WebRequest) async throws -> Response {
        let (system, figures) = try await figures(web)
        let cards = figures.map { card($0, web) }
        let title = web.text("业务指标", "Indicators")
        let kept = RecordPages.kept(web, without: ["f"])
        let name = system.declaration.title[web.language]
        return .page(
            Layout.console(
                title,
                web,
                """
                <p class="crumbs"><a href="/systems">\(web.text("业务系统", "Systems"))</a> › <a href="/systems/\(system.id)">\(name)</a></p>
                <header class="title"><h1>\(title)</h1><p class="actions"><a class="button quiet" href="/api/v1/systems/\(system.id)/indicators?\(kept)f=csv">\(web.text("下载 CSV", "Download CSV"))</a></p></header>
                <form class="filters" method="get">\(Layout.field(web.text("截至", "Until"), "<input type=\"month\" name=\"until\" value=\"\(web.query("until") ?? "")\">"))
                \(Layout.field(web.text("期数", "Periods"), Layout.select("periods", ["6", "12", "24", "36"].map { ($0, $0) }, web.query("periods") ?? "12")))
                <div><button class="quiet">\(web.text("查看", "Show"))</button></div></form>
                <div class="grid indicators">\(cards)</div>
                """
            )
        )
    }

    private static func card(_ figures: IndicatorFigures, _ web: WebRequest) -> HTML {
        let indicator = figures.indicator
        let met: HTML =
            figures.isMet(figures.total).map {
                $0
                    ? Layout.badge(web.text("达标", "on target"), "good")
                    : Layout.badge(web.text("未达标", "off target"), "poor")
            } ?? .empty
        let count = figures.periods.count
        var facts: [(String, String)] = [
            (web.text("\(count) 期合计", "\(count) periods"), shown(figures.total, figures, web)),
            (figures.periods.last ?? "", figures.byPeriod.last.map { shown($0, figures, web) } ?? "—"),
        ]
        if let target = figures.target {
            let sign = indicator.good == .high ? "≥ " : "≤ "
            facts.append((web.text("目标", "Target"), sign + number(target) + unit(figures, web)))
        }
        let figured = facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" as HTML }
        let law: HTML = indicator.law.isEmpty ? .empty : "<p>\(web.text("依据：", "By: "))\(indicator.law)</p>"
        return """
            <section class="card"><h2>\(indicator.title[web.language]) \(met)</h2><dl class="figures">\(figured)</dl>\(trend(figures, web))\(groups(figures, web))
            <details><summary>\(web.text("怎样计算", "How it is made"))</summary><p class="wrapped">\(indicator.words(figures.declared, web.language))</p>\(law)</details></section>
            """
    }

    /// Bars of the periods with the target as a line; the numbers stand in the table beneath.
    private static func trend(_ figures: IndicatorFigures, _ web: WebRequest) -> HTML {
        let values = figures.byPeriod.map { figures.value($0) }
        let most = max(values.compactMap(\.self).max() ?? 0, figures.target ?? 0, figures.indicator.isShare ? 100 : 0)
        guard most > 0, values.count > 1 else { return .empty }
        let (width, height, base) = (360.0, 120.0, 98.0)
        let step = width / Double(values.count)
        func text(_ number: Double) -> String { Numbers.short(number) }
        var bars: [HTML] = []
        for (index, value) in values.enumerated() {
            let x = Double(index) * step
            let period = figures.periods[index]
            if let value {
                let tall = max(value > 0 ? 1.5 : 0, value / most * 84)
                let kind = figures.isMet(figures.byPeriod[index]) == false ? "off" : "bar"
                bars.append(
                    "<rect class=\"\(kind)\" x=\"\(text(x + step * 0.18))\" y=\"\(text(base - tall))\" width=\"\(text(step * 0.64))\" height=\"\(text(tall))\"><title>\(period): \(shown(figures.byPeriod[index], figures, web))</title></rect>"
                )
            }
            let every = max(1, values.count / 12)
            if (values.count - 1 - index) % every == 0 {
                let name = period.utf8.count == 7 ? String(period.suffix(2)) : period
                bars.append(
                    "<text x=\"\(text(x + step / 2))\" y=\"\(text(height - 8))\" text-anchor=\"middle\">\(name)</text>"
                )
            }
        }
        if let target = figures.target {
            let y = text(base - target / most * 84)
            bars.append("<line class=\"target\" x1=\"0\" x2=\"360\" y1=\"\(y)\" y2=\"\(y)\"/>")
        }
        let label = web.text(
            "\(figures.indicator.title.zh)，\(figures.periods.first ?? "") 至 \(figures.periods.last ?? "")",
            "\(figures.indicator.title.en), \(figures.periods.first ?? "") to \(figures.periods.last ?? "")"
        )
        let rows = figures.periods.indices.map { index -> HTML in
            let figure = figures.byPeriod[index]
            return
                "<tr><td class=\"key\">\(figures.periods[index])</td><td class=\"number\">\(shown(figure, figures, web))</td><td class=\"number\">\(parts(figure, figures))</td></tr>"
        }
        let heads = [web.text("期", "Period"), web.text("值", "Value") + "#", web.text("计数", "Counts") + "#"]
        return """
            <svg class="trend" viewBox="0 0 360 120" role="img" aria-label="\(label)"><line class="base" x1="0" x2="360" y1="98.5" y2="98.5"/>\(bars)</svg>
            <details><summary>\(web.text("各期数值", "Values of the periods"))</summary>\(Layout.table(heads, rows, label: label))</details>
            """
    }

    /// What a share or mean is made of.
    static func parts(_ figure: Figure, _ figures: IndicatorFigures) -> String {
        figures.indicator.isSum ? number(figure.top) : "\(number(figure.top)) / \(number(Double(figure.bottom)))"
    }

    private static func groups(_ figures: IndicatorFigures, _ web: WebRequest) -> HTML {
        guard !figures.groups.isEmpty else { return .empty }
        let shownGroups = figures.groups.prefix(50)
        let rows = shownGroups.map { group -> HTML in
            let met = figures.isMet(group.total)
            let mark: HTML =
                met == false ? " \(Layout.badge(web.text("未达标", "off target"), "poor"))" : .empty
            return
                "<tr><td>\(label(group.key, figures, web))\(mark)</td><td class=\"number\">\(group.periods.last.map { shown($0, figures, web) } ?? "—")</td><td class=\"number\">\(shown(group.total, figures, web))</td><td class=\"number\">\(parts(group.total, figures))</td></tr>"
        }
        let name = by(figures, web)
        let heads = [
            name, (figures.periods.last ?? "") + "#", web.text("合计", "All") + "#", web.text("计数", "Counts") + "#",
        ]
        let more: HTML =
            figures.groups.count > 50
            ? "<p class=\"hint\">\(web.text("只列前 50 个，其余见 CSV。", "The first 50 only; the rest is in the CSV file."))</p>"
            : .empty
        return "\(Layout.table(heads, rows, label: "\(figures.indicator.title[web.language]) · \(name)"))\(more)"
    }
}
