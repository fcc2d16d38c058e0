import Basics
import Composition
import Flow
import Foundation
import Kernel
import Store
import TestKit
import Testing

/// Alerts, indicators and publication by rule, at work on both stores.
@Suite struct RuleTests {
    static let pack =
        FlowTests.pack.replacing(
            "- {name: granted_on, title: 批准日期, type: date}",
            with: "- {name: granted_on, title: 批准日期, type: date, \"tongqu:index\": true}"
        ) + """
            alerts:
              - {key: late, of: permits, title: {zh: 审批超期, en: late}, clock: decide, at: overdue, level: 1, to: [permit_chief], every: 7}
              - {key: wide, of: permits, title: {zh: 占道过宽, en: too wide}, when: "width > 3 AND state = 'received'", level: 2, to: [permit_chief, permit_guest], message: {zh: 请核对, en: look at it}}
              - {key: old, of: permits, title: {zh: 批准已满三十日, en: granted thirty days ago}, when: "granted_on <= add_days(today, -30)", level: 4, to: [permit_clerk]}
            indicators:
              - {key: applications, of: permits, title: {zh: 申请数, en: applications}, measure: count, by: applicant}
              - {key: total_width, of: permits, title: {zh: 总宽度, en: width}, unit: m, measure: "sum:width", by: applicant}
              - {key: mean_width, of: permits, title: {zh: 平均宽度, en: mean width}, measure: "mean:width"}
              - {key: narrow, of: permits, title: {zh: 不宽的比率, en: narrow}, measure: ratio, where: width <= 2, among: width IS NOT NULL, target: 60}
              - {key: punctual, of: permits, title: {zh: 审批按期率, en: in time}, measure: "in_time:decide", by: $clock}
              - {key: overdue_now, of: permits, title: {zh: 当前超期, en: overdue}, measure: "overdue:decide", good: low, target: 0}
              - {key: asked, of: permits, title: {zh: 补正率, en: asked}, measure: "passed:ask"}
              - {key: sent_back, of: permits, title: {zh: 退回率, en: returned}, measure: returned, good: low}
              - {key: wait, of: permits, title: {zh: 受理到补正天数, en: days}, measure: "days:apply:ask"}
              - {key: by_phone, of: permits, title: {zh: 有电话, en: with a phone}, measure: count, among: phone IS NOT NULL}
            publish:
              of: permits
              title: {zh: 占道许可公示, en: Permits published}
              when: state = 'granted' AND granted_on <= today
              until: {field: granted_on, months: 1}
              fields: [number, {field: applicant, mask: person_name, where: width < 2}, phone, granted_on]

            """

    static func town() async throws -> FlowTests.Town {
        let town = try await FlowTests.town()
        let next = pack.replacing("version: 1", with: "version: 2")
        _ = try await SystemPacks.install(town.node.node, from: try FlowTests.write(next))
        return town
    }

    static func alerts(_ town: FlowTests.Town, _ login: String, _ query: String = "") async throws -> [JSONValue] {
        try await town.ask(login, "GET", "/api/v1/alerts?\(query)").json["alerts"]?.array ?? []
    }

    static func days(_ count: Int64) -> Int64 { count * 86_400_000_000 }

    /// Sessions end while a test's time goes on.
    static func later(_ town: FlowTests.Town, days count: Int64) async throws -> FlowTests.Town {
        town.node.clock.advance(microseconds: days(count))
        var later = town
        for login in town.sessions.keys { later.sessions[login] = try await town.node.session(login) }
        return later
    }

    // MARK: Alerts

    @Test func ofOneCauseThereIsOneAlert() async throws {
        let town = try await Self.town()
        let record = try await town.apply(width: "5")
        // Eight at once who change what is too wide make nothing twice.
        _ = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { try await town.step("pclerk", record, "ask", note: "请补").status }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        // It is no longer received: the alert ended with the step that moved it.
        #expect(try await Self.alerts(town, "pchief").isEmpty)
        let ended = try await Self.alerts(town, "pchief", "state=ended")
        #expect(ended.count == 1 && ended.first?["alert"]?.string == "wide")
        _ = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { try await town.step("pclerk", record, "completed", #"{"width":"4"}"#).status }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        try await town.node.node.flows.keepUp()
        try await town.node.node.flows.keepUp()
        #expect(try await Self.alerts(town, "pchief").count == 1)
        try await town.node.close()
    }

    @Test func alertsAreForTheirRolesAndAreAcknowledgedOnce() async throws {
        let town = try await Self.town()
        let record = try await town.apply("某某公司", width: "5")
        let seen = try await Self.alerts(town, "pchief")
        let alert = try #require(seen.first)
        #expect(alert["record"]?.integer == record && alert["name"]?.string == "某某公司" && alert["level"]?.integer == 2)
        for login in ["pclerk", "pnobody"] { #expect(try await Self.alerts(town, login).isEmpty) }
        let id = alert["id"]?.integer ?? 0
        let body = #"{"resource":"\#(alert["resource"]?.string ?? "")","note":"已核对"}"#
        for login in ["pclerk", "pnobody", ""] {
            let answer = try await town.ask(login, "POST", "/api/v1/alerts/\(id)/acknowledge", body)
            #expect([401, 403, 404].contains(answer.status), "\(login) \(answer.status)")
        }
        #expect(try await town.ask("pguest", "POST", "/api/v1/alerts/\(id)/acknowledge", body).status == 200)
        #expect(
            try await town.ask("pchief", "POST", "/api/v1/alerts/\(id)/acknowledge", body).json["code"]?.string
                == "flow.moved"
        )
        #expect(try await Self.alerts(town, "pchief").isEmpty)
        let known = try await Self.alerts(town, "pchief", "state=acknowledged")
        #expect(known.first?["note"]?.string == "已核对" && known.first?["by"]?.string == "测pguest")
        for path in ["/alerts", "/alerts?state=acknowledged&lang=en", "/systems", "/systems/permits"] {
            #expect(try await town.ask("pchief", "GET", path).status == 200, "\(path)")
        }
        let page = try await town.ask("pchief", "GET", "/systems/permits/permits/\(record)")
        #expect(page.text.contains("占道过宽") && page.text.contains("已核对"))
        #expect(try await !town.ask("pnobody", "GET", "/console").text.contains("href=\"/alerts\""))
        try await town.node.close()
    }

    @Test func timeMakesAlertsAndTellsAgain() async throws {
        var town = try await Self.town()
        let record = try await town.apply()
        try await town.node.node.flows.keepUp()
        #expect(try await Self.alerts(town, "pchief").isEmpty)
        town = try await Self.later(town, days: 20)
        for _ in 0..<3 { try await town.node.node.flows.keepUp() }
        let late = try await Self.alerts(town, "pchief")
        #expect(late.count == 1 && late.first?["alert"]?.string == "late" && late.first?["record"]?.integer == record)
        // What holds still is told again after its days, acknowledged or not.
        let resource = late.first?["resource"]?.string ?? ""
        let id = late.first?["id"]?.integer ?? 0
        let silent = #"{"resource":"\#(resource)","note":" "}"#
        #expect(try await town.ask("pchief", "POST", "/api/v1/alerts/\(id)/acknowledge", silent).status == 422)
        let body = #"{"resource":"\#(resource)","note":"已催办"}"#
        #expect(try await town.ask("pchief", "POST", "/api/v1/alerts/\(id)/acknowledge", body).status == 200)
        town = try await Self.later(town, days: 6)
        try await town.node.node.flows.keepUp()
        #expect(try await Self.alerts(town, "pchief").isEmpty)
        town = try await Self.later(town, days: 3)
        try await town.node.node.flows.keepUp()
        #expect(try await Self.alerts(town, "pchief").count == 1)
        // A step that stops the clock ends it.
        _ = try await town.attach("pchief", record, "a.png", FlowTests.png)
        #expect(try await town.step("pchief", record, "grant").status == 200)
        #expect(try await Self.alerts(town, "pchief").isEmpty)
        // A condition of the day holds when its day has come.
        try await town.node.node.flows.keepUp()
        #expect(try await Self.alerts(town, "pclerk").isEmpty)
        town = try await Self.later(town, days: 31)
        try await town.node.node.flows.keepUp()
        #expect(try await Self.alerts(town, "pclerk").map { $0["alert"]?.string } == ["old"])
        try await town.node.close()
    }

    // MARK: Indicators

    static func figures(_ town: FlowTests.Town, _ login: String) async throws -> [String: JSONValue] {
        let answer = try await town.ask(login, "GET", "/api/v1/systems/permits/indicators").json
        return Dictionary(
            (answer["indicators"]?.array ?? []).map { ($0["key"]?.string ?? "", $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    @Test func indicatorsAreWhatTheRowsSay() async throws {
        var town = try await Self.town()
        // Widths 1, 2, 2.5 of 甲; 4 of 乙; one without a width.
        var records: [Int64] = []
        for (name, width) in [("甲", "1"), ("甲", "2"), ("甲", "2.5"), ("乙", "4"), ("乙", "")] {
            records.append(try await town.apply(name, width: width))
        }
        _ = try await town.attach("pchief", records[0], "a.png", FlowTests.png)
        #expect(try await town.step("pchief", records[0], "grant").status == 200)
        town = try await Self.later(town, days: 2)
        #expect(try await town.step("pclerk", records[1], "ask", note: "请补").status == 200)
        town = try await Self.later(town, days: 20)
        let found = try await Self.figures(town, "pclerk")
        func value(_ key: String) -> Double? { found[key]?["value"]?.real }
        #expect(value("applications") == 5 && value("total_width") == 9.5)
        #expect(value("mean_width") == 2.375 && value("narrow") == 50)
        // Granted in time: one of those that ended or are overdue; the one that is paused counts as neither.
        #expect(value("punctual") == 25 && value("overdue_now") == 3)
        #expect(value("asked") == 20 && value("sent_back") == 20)
        #expect(abs((value("wait") ?? 0) - 2) < 0.001)
        let groups = found["total_width"]?["groups"]?.array ?? []
        #expect(groups.map { $0["group"]?.string } == ["甲", "乙"], "\(groups)")
        #expect(groups.map { $0["value"]?.real } == [5.5, 4])
        let months = found["applications"]?["periods"]?.array ?? []
        #expect(months.count == 12 && months.compactMap { $0["value"]?.real }.reduce(0, +) == 5)
        // Who sees telephones masked gets no figure by them; who may not read gets none at all.
        #expect(value("by_phone") == 5)
        let seen = try await Self.figures(town, "pguest")
        #expect(seen["by_phone"] == nil && seen["applications"] != nil)
        #expect(try await town.ask("pnobody", "GET", "/api/v1/systems/permits/indicators").status == 404)
        #expect(try await town.node.ask("GET", "/api/v1/systems/permits/indicators").status == 401)
        let csv = try await town.ask("pclerk", "GET", "/api/v1/systems/permits/indicators?f=csv&key=total_width")
        #expect(csv.text.contains("total_width") && csv.text.contains("甲"))
        for path in ["/systems/permits/indicators", "/systems/permits/indicators?lang=en&periods=60&until=2026-12"] {
            let page = try await town.ask("pclerk", "GET", path)
            #expect(page.status == 200 && page.text.contains("class=\"trend\""), "\(path) \(page.status)")
        }
        #expect(try await town.ask("pclerk", "GET", "/systems/permits/indicators?until=x").status == 400)
        try await town.node.close()
    }

    /// The window is found by its index, and each record's steps and clocks by theirs.
    @Test func figuresAreFoundByIndexes() async throws {
        let town = try await Self.town()
        _ = try await town.apply()
        let indexes = try await town.node.node.kernel.databases.records.read { db in
            db.dialect == .sqlite
                ? try db.rows("SELECT name FROM sqlite_master WHERE type = 'index'").map { $0.text(0) }
                : try db.rows("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()").map { $0.text(0) }
        }
        for name in [
            "flow_records_opened", "flow_steps_taken", "flow_clocks_ending", "flow_clocks_warning", "flow_alerts_once",
            "flow_alerts_list",
        ] { #expect(indexes.contains(name), "\(name)") }
        try await town.node.close()
    }

    // MARK: Publication

    @Test func onlyWhatTheRuleLetsThroughIsPublished() async throws {
        var town = try await Self.town()
        let open = "/api/v1/systems/permits/published/permits"
        func published(_ query: String = "") async throws -> [JSONValue] {
            try await town.node.ask("GET", "\(open)?\(query)").json["records"]?.array ?? []
        }
        let record = try await town.apply("欧阳示例", width: "1.5")
        let other = try await town.apply("乙公司", width: "2.5")
        #expect(try await published().isEmpty)
        for id in [record, other] {
            _ = try await town.attach("pchief", id, "a.png", FlowTests.png)
            #expect(try await town.step("pchief", id, "grant").status == 200)
        }
        let shown = try await published()
        #expect(shown.count == 2)
        // The newest first; masked where the condition holds, and what is personal always; no field but those named.
        #expect(shown.first?["applicant"]?.string == "乙公司" && shown.last?["applicant"]?.string == "欧阳**")
        #expect(shown.allSatisfy { $0["phone"]?.string == "138****1111" })
        #expect(shown.first?.members?.map(\.name) == ["record", "number", "applicant", "phone", "granted_on"])
        // What is masked is not found; what is not is.
        for word in ["%E6%AC%A7%E9%98%B3", "13800001111"] { #expect(try await published("q=\(word)").isEmpty) }
        let number = shown.first?["number"]?.string ?? ""
        #expect(try await published("q=\(number)").count == 1)
        let first = try await town.node.ask("GET", "\(open)?limit=1").json
        #expect(first["next"]?.integer != nil)
        #expect(try await published("limit=1&before=\(first["next"]?.integer ?? 0)").count == 1)
        let page = try await town.node.ask("GET", "/systems/permits/published/permits")
        #expect(page.status == 200 && page.text.contains("乙公司") && !page.text.contains("13800001111"))
        #expect(try await town.node.ask("GET", "\(open)?f=csv").text.contains("138****1111"))
        #expect(try await town.node.ask("GET", "/systems/permits/published/works").status == 404)
        #expect(try await town.node.ask("GET", "/systems/nothing/published/permits").status == 404)
        // After its month nothing is shown.
        town = try await Self.later(town, days: 33)
        #expect(try await published().isEmpty)
        try await town.node.close()
    }
}
