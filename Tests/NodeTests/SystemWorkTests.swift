import Basics
import CQL
import Composition
import Declare
import Foundation
import Kernel
import Tabular
import TestKit
import Testing

@testable import Enforcement
@testable import Flow

/// The Swift of systems: functions of expressions, and work that people ask for or whose day has come.
@Suite struct SystemWorkTests {
    static let pack = """
        pack: keeping
        title: {zh: 保管, en: Keeping}
        roles: [{key: keeper, title: 保管员}, {key: looker, title: 查看人}]
        resources:
          - key: kept_things
            name: 保管物
            storage: records
            schema:
              primaryKey: [number]
              fields:
                - {name: number, title: 编号, type: string, constraints: {required: true, unique: true}}
                - {name: weight, title: 重量, type: integer}
                - {name: doubled, title: 两倍, type: integer}
                - {name: holder, title: 保管人, type: string}
                - {name: tag, title: 标签, type: string}
                - {name: state, title: 状态, type: string}
            lookups:
              - {key: others, of: kept_things, where: "holder = my.holder AND state = 'kept'", take: count}
            flow:
              states: [{key: kept, title: 在库}, {key: gone, title: 出库, kind: done}]
              steps:
                - key: keep
                  title: {zh: 入库, en: keep}
                  begin: true
                  to: kept
                  roles: [keeper]
                  fields: [number!, weight!, holder]
                  guard: "caller.login = 'keeper1' AND caller.organisation IS NOT NULL"
                  message: {zh: 只由一号保管员入库, en: only the first keeper}
                  set: {doubled: "=twice(weight)"}
                - {key: clear, title: 清出, from: [kept], to: gone, roles: [clock]}
                - {key: leave, title: 出库, from: [kept], to: gone, roles: [keeper]}
                - {key: label, title: 贴标签, from: [kept], roles: [keeper], kind: side, set: {tag: $code}, issue: [card]}
            documents: [{key: card, title: 标签, template: documents/card.html}]
            alerts:
              - {key: many, title: {zh: 一人保管过多, en: one holds many}, when: "state = 'kept' AND holder IS NOT NULL AND others >= 2", to: [looker]}
            grants: [{role: keeper, may: [read, act]}, {role: looker, may: [read]}]
            views:
              list: {filters: [holder]}
              form: {scan: [holder]}
        work:
          - {key: clear_light, title: {zh: 清出轻物, en: clear what is light}, of: kept_things, roles: [keeper], every: day}
        """

    static let card = "<h1>标签</h1><p>{{holder}} {{tag.qr}} {{tag}}</p>"

    static let code = SystemCode(
        pack: "keeping",
        functions: [
            AddedFunction("twice", .init("两倍", "twice"), [.integer], .integer) { values in
                guard case .integer(let number) = values[0] else { return .null }
                let (twice, isTooLarge) = number.multipliedReportingOverflow(by: 2)
                return isTooLarge ? .null : .integer(twice)
            }
        ],
        work: [
            .init("clear_light") { desk in
                var light: [String] = []
                try await desk.rows(of: "kept_things", where: "weight < 10 AND state = 'kept'", fields: ["number"]) {
                    batch in
                    for row in 0..<batch.count { light.append(batch.value(row, 0).text) }
                }
                for number in light {
                    guard let found = try await desk.record(of: "kept_things", where: "number = '\(number)'") else {
                        continue
                    }
                    try await desk.take("clear", of: "kept_things", record: found.0, [:])
                }
                return [.init(.init("清出", "cleared"), Int64(light.count))]
            }
        ]
    )

    private static func house() async throws -> (TestNode, [String: [String: String]]) {
        try SystemCode.add(code)
        let node = try await TestNode(demonstration: true)
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-\(UUID().uuidString)/keeping")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            at: folder.appending(path: "documents"),
            withIntermediateDirectories: true
        )
        try Data(card.utf8).write(to: folder.appending(path: "documents/card.html"))
        try Data(pack.utf8).write(to: folder.appending(path: "pack.yaml"))
        _ = try await SystemPacks.install(node.node, from: folder)
        var sessions: [String: [String: String]] = [:]
        for (login, role) in [("keeper1", "keeper"), ("keeper2", "keeper"), ("looker1", "looker")] {
            try await node.hire(login, as: role)
            sessions[login] = try await node.session(login)
        }
        return (node, sessions)
    }

    @Test func workFunctionsCallersAndGatheringAlerts() async throws {
        let (node, sessions) = try await Self.house()
        func ask(_ login: String, _ method: String, _ path: String, _ body: String = "") async throws -> TestNode.Answer
        {
            try await node.ask(
                method,
                "/api/v1/systems/keeping" + path,
                headers: sessions[login] ?? [:],
                body: Array(body.utf8)
            )
        }
        func keep(_ login: String, _ number: Int, weight: Int, _ holder: String = "") async throws -> TestNode.Answer {
            let values = #"{"number":"N\#(number)","weight":"\#(weight)","holder":"\#(holder)"}"#
            return try await ask(login, "POST", "/kept_things/records", #"{"step":"keep","values":\#(values)}"#)
        }
        func state(_ record: Int64) async throws -> JSONValue {
            try await ask("keeper1", "GET", "/kept_things/records/\(record)").json["values"] ?? .null
        }
        // Guards know who asks; values are computed by the system's Swift.
        let refused = try await keep("keeper2", 1, weight: 3)
        #expect(refused.status == 422 && refused.text.contains("只由一号保管员入库"), "\(refused.text)")
        let light = try #require(try await keep("keeper1", 1, weight: 3, "甲").json["record"]?.integer)
        let heavy = try #require(try await keep("keeper1", 2, weight: 30, "甲").json["record"]?.integer)
        #expect(try await state(heavy)["doubled"]?.string == "60")

        // The third thing of one holder alerts; when one goes by its own step, the alert stays with the record it tells of.
        func alerts() async throws -> Int {
            let answer = try await node.ask("GET", "/api/v1/alerts", headers: sessions["looker1"] ?? [:])
            return answer.json["alerts"]?.array?.count ?? -1
        }
        #expect(try await alerts() == 0)
        let third = try #require(try await keep("keeper1", 3, weight: 40, "甲").json["record"]?.integer)
        #expect(try await alerts() == 1)
        node.clock.advance(microseconds: 1_000_000)
        try await node.node.flows.keepUp()
        #expect(try await alerts() == 1)
        let left = try await ask("keeper1", "POST", "/kept_things/records/\(third)/steps", #"{"step":"leave"}"#)
        #expect(left.status == 200, "\(left.text)")
        #expect(try await alerts() == 0)

        // A label has a code that nobody guesses, which stays, and its picture; its form may read codes by camera.
        let label = #"{"step":"label"}"#
        let first = try await ask("keeper1", "POST", "/kept_things/records/\(heavy)/steps", label)
        let tag = try #require(try await state(heavy)["tag"]?.string)
        #expect(tag.count == 16)
        #expect(try await ask("keeper1", "POST", "/kept_things/records/\(heavy)/steps", label).status == 200)
        #expect(try await state(heavy)["tag"]?.string == tag)
        let document = try #require(first.json["documents"]?.array?.first?.integer, "\(first.text)")
        let paper = try await node.ask(
            "GET",
            "/systems/keeping/kept_things/\(heavy)/documents/\(document)",
            headers: sessions["keeper1"] ?? [:]
        )
        #expect(paper.text.contains("<svg class=\"qr\"") && paper.text.contains("甲") && paper.text.contains(tag))
        let form = try await node.ask("GET", "/systems/keeping/kept_things/new", headers: sessions["keeper1"] ?? [:])
        #expect(form.text.contains("data-scan=\"holder\""))

        // The sweep queued the day's work, once however often it looks; then people ask for it.
        try await node.node.flows.keepUp()
        #expect(try await node.node.kernel.jobs.runPending() == 1)
        #expect(try await state(light)["state"]?.string == "gone")
        #expect(try await state(heavy)["state"]?.string == "kept")
        let another = try #require(try await keep("keeper1", 4, weight: 1).json["record"]?.integer)
        try await node.node.flows.keepUp()
        #expect(try await node.node.kernel.jobs.runPending() == 0)
        #expect(try await ask("looker1", "POST", "/work/clear_light").status == 403)
        #expect(try await ask("keeper2", "POST", "/work/clear_dark").status == 404)
        let asked = try await ask("keeper2", "POST", "/work/clear_light")
        #expect(asked.status == 202 && asked.json["job"]?.integer != nil, "\(asked.text)")
        #expect(try await node.node.kernel.jobs.runPending() == 1)
        #expect(try await state(another)["state"]?.string == "gone")
        let page = try await node.ask("GET", "/systems/keeping", headers: sessions["keeper2"] ?? [:])
        #expect(page.text.contains("清出轻物") && page.text.contains("清出 1") && page.text.contains("每天"), "\(page.text)")
        #expect(
            try await !node.ask("GET", "/systems/keeping", headers: sessions["looker1"] ?? [:]).text.contains("清出轻物")
        )
        // Nobody takes the node's own steps.
        let own = try await ask("keeper1", "POST", "/kept_things/records/\(heavy)/steps", #"{"step":"clear"}"#)
        #expect(own.status == 403, "\(own.text)")
        // The next day it is done again by itself.
        node.clock.advance(microseconds: 86_400_000_000)
        try await node.node.flows.keepUp()
        #expect(try await node.node.kernel.jobs.runPending() == 1)
        try await node.close()
    }

    @Test func aPackIsToldWhatItsProgramHasNot() throws {
        try SystemCode.add(Self.code)
        let files = ["documents/card.html": Self.card]
        #expect(PackTests.mistakes(Self.pack, files: files).isEmpty, "\(PackTests.mistakes(Self.pack, files: files))")
        for (old, new, says) in [
            ("key: clear_light", "key: clear_lite", "did you mean “clear_light”?"),
            ("roles: [keeper], every: day", "every: never", "“roles” or “every” is needed"),
            ("of: kept_things, roles", "of: kept_thing, roles", "did you mean “kept_things”?"),
            ("=twice(weight)", "=thrice(weight)", "There is no function “thrice”"),
            ("=twice(weight)", "=twice(number)", "The arguments of twice do not fit"),
        ] {
            let found = PackTests.mistakes(Self.pack.replacing(old, with: new), files: files)
            #expect(found.contains { $0.message.en.contains(says) }, "\(new): \(found)")
        }
        #expect(throws: Problem.self) {
            try AddedFunction.add(.init("length", .init("", ""), [.text], .integer) { _ in .null })
        }
    }

    /// The three squares by which a reader finds a code stand in their corners (ISO/IEC 18004); what no code holds has no picture.
    @Test func picturesOfCodes() throws {
        let svg = try #require(QRCode.svg("https://data.example.gov.cn/verify/Ab3", label: "码"))
        let side = try #require(svg.firstMatch(of: /viewBox="0 0 (\d+) \d+"/).flatMap { Int($0.1) })
        #expect((side - 8 - 17).isMultiple(of: 4))
        for row in [4, 10] {
            #expect(svg.contains("M4 \(row)h7v1h-7z") && svg.contains("M\(side - 11) \(row)h7v1h-7z"))
        }
        for row in [side - 11, side - 5] { #expect(svg.contains("M4 \(row)h7v1h-7z")) }
        #expect(QRCode.svg(String(repeating: "x", count: 3000), label: "") == nil)
    }

    /// Article 3: what stands in the table, and what does not.
    @Test(
        arguments: [
            (2, "货车", false, 18_000), (3, "货车", false, 25_000), (4, "货车", true, 31_000), (5, "货车", false, nil),
            (2, "汽车列车", false, nil), (3, "汽车列车", false, 27_000), (4, "汽车列车", false, 36_000),
            (5, "汽车列车", true, 43_000), (6, "汽车列车", false, 49_000), (6, "汽车列车", true, 46_000),
            (8, "汽车列车", false, 49_000), (1, "货车", false, nil),
        ] as [(Int64, String, Bool, Int64?)]
    )
    func limitsOfMass(_ axles: Int64, _ form: String, _ single: Bool, _ limit: Int64?) throws {
        try BundledSystems.add()
        let fields = [Field("axles", .integer), Field("form", .text), Field("single", .boolean)]
        let asked = try BoundExpression(
            value: try Expression(value: "mass_limit(axles, form, single)"),
            fields: fields
        )
        var builders = fields.map { ColumnBuilder($0) }
        for (index, value) in [Value.integer(axles), .text(form), .boolean(single)].enumerated() {
            builders[index].append(value)
            builders[index].appendNull()
        }
        let batch = Batch(fields: fields, columns: builders.indices.map { builders[$0].finish() }, count: 2)
        let found = Batch(fields: [asked.field], columns: [asked.values(batch)], count: 2)
        #expect(found.value(0, 0) == limit.map { .integer($0) } ?? .null)
        #expect(found.value(1, 0) == .null)
    }

    /// Article 43: up to 1,000 kg over are warned of; more cost 500 yuan for each 1,000 kg, 30,000 at the most.
    @Test(
        arguments: [
            (49_000, 0), (50_000, 0), (50_001, 500), (50_999, 500), (51_000, 1000), (61_000, 6000), (108_999, 29_500),
            (109_000, 30_000), (300_000, 30_000), (0, 0),
        ] as [(Int64, Int64)]
    )
    func finesForMass(_ mass: Int64, _ fine: Int64) {
        #expect(OverloadLimits.fine(mass: mass, limit: 49_000) == fine)
    }
}
