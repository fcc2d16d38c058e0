import Basics
import Flow
import Foundation
import HTTPTypes
import Hummingbird
import Kernel

/// Alerts of the systems: what somebody is to know of, and what they said to it.
enum AlertPages {
    static let routes: [Route] = [
        Route(.get, "/alerts", .actions(["flow.alerts"]), .console, zh: "预警", en: "Alerts", handle: list),
        Route(
            .post,
            "/alerts/{id}/acknowledge",
            .actions(["flow.acknowledge"]),
            .console,
            zh: "处置预警",
            en: "Acknowledge an alert"
        ) { web in
            let form = try await web.form()
            try await web.perform(
                web.services.flows.acknowledge,
                (form["code"], try web.number("id"), TextForms.trimmed(form["note"]))
            )
            // Back to where the alert was seen, which is a page of this node.
            let back = form["back"]
            return .redirect(back.hasPrefix("/systems/") && !back.contains("\\") ? back : "/alerts")
        },
    ]

    static func level(_ level: Int, _ web: WebRequest) -> HTML {
        let names: [(String, String)] = [("红色", "red"), ("橙色", "orange"), ("黄色", "yellow"), ("蓝色", "blue")]
        let name = names[min(max(level, 1), 4) - 1]
        return Layout.badge(web.text(name.0, name.1), "level\(level)")
    }

    /// - Throws: `request.parameter` for what is no level.
    static func askedLevel(_ web: WebRequest) throws(Problem) -> Int? {
        guard let text = web.query("level") else { return nil }
        guard let level = Int(text), (1...4).contains(level) else {
            throw FeatureQuery.wrong("level", "应为 1 至 4", "it should be from 1 to 4")
        }
        return level
    }

    private static func title(_ state: AlertQuery.State, _ web: WebRequest) -> String {
        switch state {
        case .open: web.text("待处置", "Open")
        case .acknowledged: web.text("已处置", "Acknowledged")
        case .ended: web.text("已解除", "Ended")
        }
    }

    private static func list(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let state = try web.askedWord("state", AlertQuery.State.self) ?? .open
        let level = try askedLevel(web)
        let page = try await web.perform(
            web.services.flows.alerts,
            AlertQuery(
                state: state,
                level: level,
                before: try web.askedPlace("before"),
                limit: try web.askedLimit(50, 200)
            )
        )
        let tabs = AlertQuery.State.allCases.map { other -> HTML in
            let link = "/alerts?state=\(other.rawValue)\(level.map { "&level=\($0)" } ?? "")"
            return other == state
                ? "<a href=\"\(link)\" aria-current=\"page\">\(title(other, web))</a>"
                : "<a href=\"\(link)\">\(title(other, web))</a>"
        }
        let names = [
            ("", web.text("全部", "all")), ("1", web.text("红色", "red")), ("2", web.text("橙色", "orange")),
            ("3", web.text("黄色", "yellow")), ("4", web.text("蓝色", "blue")),
        ]
        let cards = page.alerts.map { card($0, web, back: "") }
        let body: HTML =
            cards.isEmpty
            ? Layout.empty(web.text("没有这样的预警。", "There are no such alerts.")) : "<div class=\"cards\">\(cards)</div>"
        let next: HTML =
            page.next.map {
                "<p class=\"pager\"><a href=\"?\(RecordPages.kept(web, without: ["before"]))before=\($0)\">\(web.text("下一页", "Next page"))</a></p>"
            } ?? .empty
        let heading = web.text("预警", "Alerts")
        return .page(
            Layout.console(
                heading,
                web,
                """
                <header class="title"><h1>\(heading)</h1></header><nav class="tabs" aria-label="\(web.text("预警状态", "State of alerts"))">\(tabs)</nav>
                <form class="filters" method="get"><input type="hidden" name="state" value="\(state.rawValue)">\(Layout.field(web.text("级别", "Level"), Layout.select("level", names, level.map(String.init) ?? "")))<div><button class="quiet">\(web.text("筛选", "Filter"))</button></div></form>
                \(body)\(next)
                """
            )
        )
    }

    private static func card(_ raised: RaisedAlert, _ web: WebRequest, back: String) -> HTML {
        let path = "\(SystemPages.path(raised.place))/\(raised.record)"
        let message: HTML =
            raised.alert.message.zh.isEmpty
            ? .empty : "<p class=\"wrapped\">\(raised.alert.message[web.language])</p>"
        var facts: [HTML] = [
            "<span>\(raised.place.declaration.title(web.language))</span>",
            "<span>\(web.text("产生", "made")) <time>\(CivilTime.minute(raised.raisedAt))</time></span>",
        ]
        if let at = raised.acknowledgedAt {
            facts.append(
                "<span>\(web.text("处置", "acknowledged")) <time>\(CivilTime.minute(at))</time> \(raised.acknowledgedBy)</span>"
            )
        }
        if let at = raised.endedAt {
            facts.append("<span>\(web.text("解除", "ended")) <time>\(CivilTime.minute(at))</time></span>")
        }
        let note: HTML = raised.note.isEmpty ? .empty : "<p class=\"answer wrapped\">\(raised.note)</p>"
        let form: HTML =
            raised.state == .open
            ? """
            <form method="post" action="/alerts/\(raised.id)/acknowledge" class="row">\(Layout.csrf(web))<input type="hidden" name="code" value="\(raised.place.code)"><input type="hidden" name="back" value="\(back)">
            <input name="note" maxlength="2000" required aria-label="\(web.text("处置意见：\(raised.name)", "Note on \(raised.name)"))" placeholder="\(web.text("处置意见", "note"))"><button class="quiet">\(web.text("处置", "Acknowledge"))</button></form>
            """ : .empty
        let name: HTML = back.isEmpty ? "<a href=\"\(path)\">\(raised.name)</a>" : .empty
        return """
            <article class="card entry alerted"><h2>\(level(raised.alert.level, web)) \(raised.alert.title[web.language]) \(name)</h2>\(message)
            <p class="muted told">\(facts)</p>\(note)\(form)</article>
            """
    }

    /// The alerts of a record that are for the reader, on its page.
    static func section(_ place: SystemPlace, _ record: Int64, _ web: WebRequest) async throws -> HTML {
        guard place.system.declaration.alerts.contains(where: { $0.resource == place.declaration.key }) else {
            return .empty
        }
        let page = try await web.perform(
            web.services.flows.alerts,
            AlertQuery(record: (place.code, record), limit: 20)
        )
        guard !page.alerts.isEmpty else { return .empty }
        let open = page.alerts.filter { $0.state != .ended }
        let ended = page.alerts.filter { $0.state == .ended }
        let path = "\(SystemPages.path(place))/\(record)"
        let past: HTML =
            ended.isEmpty
            ? .empty
            : "<details><summary>\(web.text("已解除 \(ended.count)", "\(ended.count) ended"))</summary><div class=\"cards\">\(ended.map { card($0, web, back: path) })</div></details>"
        return
            "<section class=\"card\" id=\"alerts\"><h2>\(web.text("预警", "Alerts"))</h2><div class=\"cards\">\(open.map { card($0, web, back: path) })</div>\(past)</section>"
    }

    /// The newest open alerts, for the page of systems: how many there are is counted to a hundred.
    static func summary(_ web: WebRequest, system: String? = nil) async throws -> HTML {
        guard web.services.flows.hasAlerts(for: web.caller) else { return .empty }
        let page = try await web.perform(web.services.flows.alerts, AlertQuery(limit: 100))
        let mine = page.alerts.filter { system == nil || $0.place.system.id == system }
        guard !mine.isEmpty else { return .empty }
        let count = page.next == nil ? String(mine.count) : "\(mine.count)+"
        let lines = mine.sorted { ($0.alert.level, $1.id) < ($1.alert.level, $0.id) }.prefix(5).map { raised -> HTML in
            "<li>\(level(raised.alert.level, web)) <a href=\"\(SystemPages.path(raised.place))/\(raised.record)\">\(raised.name)</a> \(raised.alert.title[web.language]) <span class=\"muted\">\(CivilTime.minute(raised.raisedAt))</span></li>"
        }
        return
            "<section class=\"card\"><h2><a href=\"/alerts\">\(web.text("预警", "Alerts"))</a> \(Layout.badge(count, "poor"))</h2><ul class=\"told\">\(lines)</ul></section>"
    }
}
