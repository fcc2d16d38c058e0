import Basics
import Composition
import Flow
import Foundation
import Kernel
import Seal
import TestKit
import Testing

/// What steps know and do beside their own record: lookups, conditions, settings, clocks, other records, random draws.
@Suite struct SurroundingsTests {
    static let pack = """
        pack: checks
        version: 1
        title: {zh: 检查, en: Checks}
        roles:
          - {key: checker, title: {zh: 检查员, en: checker}}
          - {key: check_chief, title: {zh: 负责人, en: chief of checks}}
        settings:
          - {key: high_fine, title: {zh: 大额, en: high fine}, value: 1000}
        resources:
          - key: fine_standards
            name: 裁量基准
            storage: lake
            schema:
              primaryKey: [number]
              fields:
                - {name: number, title: 编号, type: string, "tongqu:index": true, constraints: {required: true}}
                - {name: low, title: 下限, type: number, "tongqu:scale": 2}
                - {name: high, title: 上限, type: number, "tongqu:scale": 2}
            data: [{file: data/standards.csv}]
            grants: [{role: checker, may: [read]}]
          - key: firms
            name: 企业
            storage: records
            schema:
              primaryKey: [code]
              fields:
                - {name: code, title: 代码, type: string, constraints: {required: true}}
                - {name: weight, title: 权重, type: number, "tongqu:scale": 2}
                - {name: cap, title: 上限, type: integer}
                - {name: done, title: 次数, type: integer}
                - {name: state, title: 状态, type: string}
            flow:
              states: [{key: listed, title: 在册}, {key: closed, title: 注销, kind: done}]
              steps:
                - {key: list, title: 登记, begin: true, to: listed, roles: [check_chief], fields: [code!, weight, cap]}
                - {key: count, title: 计数, from: [any], roles: [check_chief], kind: side, fields: [done!]}
                - {key: close, title: 注销, from: [listed], to: closed, roles: [check_chief]}
            grants: [{role: check_chief, may: [read, act]}]
          - key: visits
            name: 检查
            storage: records
            schema:
              primaryKey: [number]
              fields:
                - {name: number, title: 编号, type: string, constraints: {required: true}}
                - {name: firm, title: 企业, type: string, "tongqu:index": true}
                - {name: day, title: 日期, type: date}
                - {name: before, title: 此前次数, type: integer}
                - {name: standard, title: 基准, type: string}
                - {name: fine, title: 罚款, type: number, "tongqu:scale": 2}
                - {name: reason, title: 理由, type: string}
                - {name: term, title: 期限, type: integer}
                - {name: person, title: 人员, type: string}
                - {name: usual, title: 通常罚款, type: number, "tongqu:scale": 2}
                - {name: state, title: 状态, type: string}
            numbers: [{key: visit, format: "J{serial:3}", per: ever}]
            lookups:
              - {key: visits_done, of: visits, where: "firm = my.firm AND day >= year_start AND state <> 'dropped'", take: count}
              - {key: firm_cap, of: firms, where: code = my.firm, take: cap}
              - {key: low, of: fine_standards, where: number = my.standard, take: low}
              - {key: high, of: fine_standards, where: number = my.standard, take: high}
              - {key: usual_fine, of: visits, where: "state = 'fined' AND standard = my.standard", take: "median:fine"}
              - {key: all_fines, of: visits, where: "state = 'fined' AND standard = my.standard", take: "sum:fine"}
            draws:
              - key: random
                title: {zh: 双随机, en: at random}
                roles: [check_chief]
                from: firms
                where: "state = 'listed' AND (done IS NULL OR done < cap)"
                weight: weight
                step: plan
                fields: [day!]
                values: {firm: =code}
                people: {from: firms, where: "code LIKE 'P%'", values: [{person: =code}]}
            documents:
              - {key: order, title: {zh: 责令改正, en: order}, template: documents/order.html}
              - {key: notice, title: {zh: 大额告知, en: notice}, template: documents/notice.html}
            flow:
              states:
                - {key: planned, title: 已计划}
                - {key: fined, title: 已处罚}
                - {key: over, title: 办结, kind: done}
                - {key: dropped, title: 取消, kind: cancelled}
              steps:
                - key: plan
                  title: {zh: 计划, en: plan}
                  begin: true
                  to: planned
                  roles: [checker, check_chief]
                  fields: [firm!, day!, reason, term]
                  guard:
                    - {if: firm_cap IS NOT NULL, message: {zh: 没有该企业, en: there is no such firm}}
                    - {if: "visits_done < firm_cap OR reason IS NOT NULL", message: {zh: 已达上限, en: the cap is reached}}
                  set: {number: $number(visit), before: =visits_done}
                  tell: {resource: firms, field: code, by: firm, step: count, values: {done: =visits_done + 1}}
                - key: fine
                  title: {zh: 处罚, en: fine}
                  from: [planned]
                  to: fined
                  roles: [checker]
                  fields: [standard!, fine!, term, reason]
                  guard: "(fine >= low AND fine <= high) OR reason IS NOT NULL"
                  message: {zh: 偏离基准应有理由, en: a deviation needs a reason}
                  set: {usual: =usual_fine}
                  start: [{clock: pay, if: fine > 0}]
                  issue: [order, {document: notice, if: "fine >= setting.high_fine"}]
                - {key: extend, title: 延期, from: [fined], roles: [check_chief], kind: side, extend: {clock: pay, days: 10}}
                - {key: clear, title: 清除理由, from: [fined], roles: [check_chief], kind: side, set: {reason: $empty}}
                - {key: paid, title: 缴清, from: [fined], to: over, roles: [checker], shown: "clock.pay >= today"}
                - {key: drop, title: 取消, from: [planned], to: dropped, roles: [check_chief]}
              clocks:
                - {key: pay, title: {zh: 缴款期限, en: to pay}, days: $field(term), unit: days, holidays: keep}
            views:
              related:
                - resource: visits
                  title: {zh: 同类处罚, en: Like fines}
                  where: "standard = my.standard AND state = 'fined'"
                  fields: [number, fine]
                  sort: -fine
                  measures: [count, p50(fine)]
            grants: [{role: checker, may: [read, act]}, {role: check_chief, may: [read, act]}]

        """

    struct Office {
        var node: TestNode
        var sessions: [String: [String: String]] = [:]

        func ask(_ login: String, _ method: String, _ path: String, _ body: String = "") async throws -> TestNode.Answer
        {
            try await node.ask(
                method,
                "/api/v1/systems/checks" + path,
                headers: sessions[login] ?? [:],
                body: Array(body.utf8)
            )
        }

        func begin(
            _ login: String,
            _ resource: String,
            _ step: String,
            _ values: String
        ) async throws -> TestNode.Answer {
            try await ask(login, "POST", "/\(resource)/records", #"{"step":"\#(step)","values":\#(values)}"#)
        }

        func step(
            _ login: String,
            _ record: Int64,
            _ step: String,
            _ values: String = "{}"
        ) async throws
            -> TestNode.Answer
        {
            try await ask(
                login,
                "POST",
                "/visits/records/\(record)/steps",
                #"{"step":"\#(step)","values":\#(values)}"#
            )
        }

        func values(_ resource: String, _ record: Int64) async throws -> JSONValue {
            try await ask("chief1", "GET", "/\(resource)/records/\(record)").json["values"] ?? .null
        }
    }

    static func office() async throws -> Office {
        let node = try await TestNode(demonstration: true)
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-pack-\(UUID().uuidString)/checks")
        for part in ["documents", "data"] {
            try FileManager.default.createDirectory(at: folder.appending(path: part), withIntermediateDirectories: true)
        }
        for (file, text) in [
            ("pack.yaml", pack),
            ("documents/order.html", "<p>{{number}} {{fine}} {{low}}-{{high}} {{setting.high_fine}} {{clock.pay}}</p>"),
            ("documents/notice.html", "<p>{{fine}}</p>"),
            ("data/standards.csv", "number,low,high\nA,100.00,500.00\nB,1000.00,5000.00\n"),
        ] { try Data(text.utf8).write(to: folder.appending(path: file)) }
        _ = try await SystemPacks.install(node.node, from: folder)
        var office = Office(node: node)
        for (login, role) in [("checker1", "checker"), ("chief1", "check_chief")] {
            try await node.hire(login, as: role, name: "测\(login)")
            office.sessions[login] = try await node.session(login)
        }
        return office
    }

    private static let day = "2026-11-20"

    @Test func aCapIsCountedByTheNode() async throws {
        let office = try await Self.office()
        let firm = try await office.begin("chief1", "firms", "list", #"{"code":"F1","weight":"1","cap":"2"}"#)
        let firmRecord = try #require(firm.json["record"]?.integer, "\(firm.text)")
        func plan(_ more: String = "") async throws -> TestNode.Answer {
            try await office.begin("checker1", "visits", "plan", #"{"firm":"F1","day":"\#(Self.day)"\#(more)}"#)
        }
        #expect(
            try await office.begin("checker1", "visits", "plan", #"{"firm":"F9","day":"2026-11-20"}"#).text.contains(
                "没有该企业"
            )
        )
        let first = try await plan()
        #expect(first.status == 201, "\(first.text)")
        #expect(try await office.values("firms", firmRecord)["done"]?.string == "1")
        let second = try #require(try await plan().json["record"]?.integer)
        #expect(try await office.values("visits", second)["before"]?.string == "1")
        let third = try await plan()
        #expect(third.status == 422 && third.text.contains("已达上限"), "\(third.text)")
        // A visit that was cancelled does not count, one of last year neither; a reason opens the way.
        #expect(try await office.step("chief1", second, "drop").status == 200)
        #expect(try await plan().status == 201)
        #expect(try await plan(#","reason":"群众举报""#).status == 201)
        #expect(try await office.values("firms", firmRecord)["done"]?.string == "3")
        // Nobody is told who is not there any more: what is closed stays as it is.
        let closed = try await office.ask("chief1", "POST", "/firms/records/\(firmRecord)/steps", #"{"step":"close"}"#)
        #expect(closed.status == 200)
        #expect(try await plan(#","reason":"复查""#).status == 201)
        #expect(try await office.values("firms", firmRecord)["done"]?.string == "3")
        try await office.node.close()
    }

    @Test func standardsSettingsClocksAndConditions() async throws {
        let office = try await Self.office()
        _ = try await office.begin("chief1", "firms", "list", #"{"code":"F1","weight":"1","cap":"9"}"#)
        func visit() async throws -> Int64 {
            try #require(
                try await office.begin("checker1", "visits", "plan", #"{"firm":"F1","day":"2026-11-20"}"#)
                    .json["record"]?.integer
            )
        }
        let record = try await visit()
        // Outside the standard of another resource, which lies in another database.
        let refused = try await office.step("checker1", record, "fine", #"{"standard":"A","fine":"800","term":"15"}"#)
        #expect(refused.status == 422 && refused.text.contains("偏离基准"), "\(refused.text)")
        let missing = try await office.step("checker1", record, "fine", #"{"standard":"A","fine":"300"}"#)
        #expect(missing.json["code"]?.string == "flow.required", "\(missing.text)")
        let fined = try await office.step("checker1", record, "fine", #"{"standard":"A","fine":"300","term":"15"}"#)
        #expect(fined.status == 200 && fined.json["documents"]?.array?.count == 1, "\(fined.text)")
        let shown = try await office.ask("checker1", "GET", "/visits/records/\(record)").json
        #expect(shown["clocks"]?.array?.count == 1)
        let due = try #require(shown["clocks"]?.array?.first?["due"]?.string)
        // What the document says of other rows, settings and clocks.
        let id = fined.json["documents"]?.array?.first?.integer ?? 0
        let page = try await office.node.ask(
            "GET",
            "/systems/checks/visits/\(record)/documents/\(id)",
            headers: office.sessions["checker1"] ?? [:]
        )
        #expect(page.text.contains("300 100-500 1000"), "\(page.text)")
        #expect(page.text.contains("月"), "the end of the clock as a date")
        // More time, and a field emptied.
        #expect(try await office.step("chief1", record, "extend").status == 200)
        let later = try await office.ask("checker1", "GET", "/visits/records/\(record)").json
        #expect(try #require(later["clocks"]?.array?.first?["due"]?.string) > due)
        #expect(later["steps"]?.array?.contains { $0["step"]?.string == "paid" } == true)
        // A fine above the setting gets a second paper; one of nothing no clock.
        let high = try await visit()
        let big = try await office.step(
            "checker1",
            high,
            "fine",
            #"{"standard":"B","fine":"2000","term":"15","reason":"x"}"#
        )
        #expect(big.json["documents"]?.array?.count == 2, "\(big.text)")
        #expect(try await office.step("chief1", high, "clear").status == 200)
        #expect(try await office.values("visits", high)["reason"]?.string == "")
        let none = try await visit()
        #expect(
            try await office.step("checker1", none, "fine", #"{"standard":"A","fine":"0","reason":"首违不罚"}"#).status
                == 200
        )
        #expect(
            try await office.ask("checker1", "GET", "/visits/records/\(none)").json["clocks"]?.array?.isEmpty == true
        )
        // The value in the middle of like cases, and these on the page: 0, 300 and the one that asks does not count.
        let last = try await visit()
        _ = try await office.step("checker1", last, "fine", #"{"standard":"A","fine":"400","term":"3"}"#)
        #expect(try await office.values("visits", last)["usual"]?.string == "0.00")
        let like = try await office.node.ask(
            "GET",
            "/systems/checks/visits/\(last)",
            headers: office.sessions["checker1"] ?? [:]
        )
        #expect(like.text.contains("同类处罚") && like.text.contains("中位数") && like.text.contains("150"), "\(like.text)")
        try await office.node.close()
    }

    @Test func aDrawIsRandomFairAndCanBeFoundAgain() async throws {
        let office = try await Self.office()
        for number in 1...12 {
            let weight = number == 12 ? "0" : "1"
            _ = try await office.begin(
                "chief1",
                "firms",
                "list",
                #"{"code":"F\#(number)","weight":"\#(weight)","cap":"1"}"#
            )
        }
        for number in 1...3 {
            _ = try await office.begin("chief1", "firms", "list", #"{"code":"P\#(number)","weight":"0","cap":"1"}"#)
        }
        let body = #"{"draw":"random","count":5,"values":{"day":"2026-11-20"}}"#
        #expect(try await office.ask("checker1", "POST", "/visits/draws", body).status == 403)
        #expect(
            try await office.ask("chief1", "POST", "/visits/draws", body.replacing("2026-11-20", with: "")).json[
                "code"
            ]?.string
                == "flow.required"
        )
        for count in ["0", "201", "-1"] {
            let answer = try await office.ask("chief1", "POST", "/visits/draws", body.replacing("5", with: count))
            #expect(answer.json["details"]?["place"]?.string == "count", "\(answer.text)")
        }
        let answer = try await office.ask("chief1", "POST", "/visits/draws", body)
        #expect(answer.status == 201, "\(answer.text)")
        let drawn = (answer.json["drawn"]?.array ?? []).compactMap { $0["key"]?.string }
        #expect(Set(drawn).count == 5 && !drawn.contains("F12"))
        #expect(answer.json["right"] == .boolean(true) && answer.json["size"]?.integer == 15)
        // Found again by hand, from the seed and the pool alone.
        let seed = try #require(answer.json["seed"]?.string)
        let scores = (answer.json["pool"]?.string ?? "").split(separator: "\n").compactMap {
            line -> (Double, String)? in
            let parts = line.split(separator: "\t").map(String.init)
            guard let weight = Double(parts[1]), weight > 0 else { return nil }
            let bytes = Digest(.sm3, of: Array("\(seed):\(parts[0])".utf8)).bytes.prefix(8)
            let number = Double(bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) + 1
            return (-log(number / 18_446_744_073_709_551_616) / weight, parts[0])
        }
        #expect(scores.sorted { $0.0 < $1.0 }.prefix(5).map(\.1) == drawn)
        // Each became a record with somebody drawn for it.
        let record = try #require(answer.json["drawn"]?.array?.first?["record"]?.integer)
        let values = try await office.values("visits", record)
        #expect(values["firm"]?.string == drawn.first && values["person"]?.string?.hasPrefix("P") == true)
        // Those drawn are at their cap: the next draw is of the other six, and then there are none.
        let rest = try await office.ask("chief1", "POST", "/visits/draws", body.replacing("5", with: "6"))
        let others = Set((rest.json["drawn"]?.array ?? []).compactMap { $0["key"]?.string })
        #expect(others.count == 6 && others.intersection(drawn).isEmpty, "\(rest.text)")
        #expect(try await office.ask("chief1", "POST", "/visits/draws", body).json["code"]?.string == "draw.too_few")
        let page = try await office.node.ask(
            "GET",
            "/systems/checks/visits/draws/\(answer.json["id"]?.integer ?? 0)",
            headers: office.sessions["checker1"] ?? [:]
        )
        #expect(page.status == 200 && page.text.contains(seed) && page.text.contains("重算一致"))
        try await office.node.close()
    }

    @Test func chancesAreAsTheWeights() {
        let pool = [("a", "1"), ("b", "2"), ("c", "7"), ("d", "0"), ("e", "x"), ("f", "-3")].map {
            RandomDraw.Candidate(key: $0.0, weight: $0.1)
        }
        var counts: [String: Int] = [:]
        for number in 0..<20_000 {
            let first = RandomDraw.drawn(1, from: pool, seed: "seed \(number)")
            counts[pool[first[0]].key, default: 0] += 1
        }
        #expect(counts["d"] == nil && counts["e"] == nil && counts["f"] == nil)
        // 10, 20 and 70 in a hundred, within four standard deviations.
        #expect(abs((counts["a"] ?? 0) - 2000) < 170 && abs((counts["b"] ?? 0) - 4000) < 227)
        #expect(RandomDraw.drawn(9, from: pool, seed: "s").count == 3)
    }
}
