import Composition
import Basics
import Foundation
import Kernel
import Store
import Synchronization
import Tabular
import TestKit
import Testing

@testable import Lake

@Suite struct LakeTests {
    /// A CSV of numbered rows.
    static func csv(_ rows: Int, from first: Int = 0, mark: String = "v") -> String {
        var text = "id,kind,name,amount\n"
        for index in first..<(first + rows) {
            text += "\(index),\(["a", "b", "c"][index % 3]),\(mark)\(index),\(index % 7 == 0 ? "" : String(index))\n"
        }
        return text
    }

    static func schema(_ json: JSONValue) -> JSONValue {
        guard var schema = try? TableSchema.read(json) else { return json }
        schema.key = ["id"]
        for index in schema.fields.indices {
            schema.fields[index].codes = []
            if ["kind", "amount"].contains(schema.fields[index].name) { schema.fields[index].indexed = true }
        }
        return TableSchema.write(schema)
    }

    func start(
        _ rows: Int,
        faults: Lake.FaultPlan = .init(),
        folder: URL? = nil
    ) async throws -> (TestNode, [String: String], String) {
        let node = try await TestNode(folder: folder, demonstration: true, faults: faults)
        let clerk = try await node.session("clerk")
        let (code, job) = try await node.resource(
            try PathTests.file(Self.csv(rows), "rows.csv"),
            name: "行",
            session: clerk,
            change: Self.schema
        )
        #expect(job["state"]?.string == "done", "\(job.text)")
        return (node, clerk, code.replacing("/", with: "-"))
    }

    /// Every row exactly once, by cursor, in every order.
    @Test(arguments: ["", "amount", "-amount", "kind", "-kind", "id"])
    func pagesGiveEveryRowOnce(sort: String) async throws {
        let (node, clerk, id) = try await start(1000)
        var seen: [Int64] = []
        var values: [JSONValue] = []
        var cursor: String?
        repeat {
            let path = "/api/v1/resources/\(id)/records?limit=77&sort=\(sort)" + (cursor.map { "&cursor=\($0)" } ?? "")
            let page = try await node.ask("GET", path, headers: clerk).json
            for record in page["records"]?.array ?? [] {
                seen.append(record["id"]?.integer ?? -1)
                values.append(record[sort.isEmpty ? "id" : String(sort.drop { $0 == "-" })] ?? .null)
            }
            cursor = page["next"]?.string
        } while cursor != nil
        #expect(Set(seen).count == 1000 && seen.count == 1000)
        if sort.hasSuffix("amount") {
            let numbers = values.map(\.integer)
            let filled = numbers.compactMap { $0 }
            #expect(filled == (sort == "amount" ? filled.sorted() : filled.sorted(by: >)))
            #expect(numbers.dropFirst(filled.count).allSatisfy { $0 == nil }, "rows without a value come last")
        }
        try await node.close()
    }

    /// Downloads give the same rows whether they come from the version's file or from the table.
    @Test func fileAndTableGiveTheSameDownload() async throws {
        let (node, clerk, id) = try await start(5000)
        let whole = try await node.ask("GET", "/api/v1/resources/\(id)/records.csv", headers: clerk).text
        let filtered = try await node.ask("GET", "/api/v1/resources/\(id)/records.csv?filter=id%3E%3D0", headers: clerk)
            .text
        #expect(whole == filtered && whole.split(separator: "\n").count == 5001)
        let upload = try await node.upload("b.csv", Array(Self.csv(10, from: 5000).utf8), session: clerk)
        _ = try await node.load(upload, into: id, mode: "append", session: clerk)
        #expect(
            try await node.ask("GET", "/api/v1/resources/\(id)/records.csv", headers: clerk).text.split(separator: "\n")
                .count == 5011
        )
        try await node.close()
    }

    /// A load that fails at any step leaves the old rows, no trace of the new ones, and can be run again.
    @Test(arguments: ["rows", "indexes"])
    func aFailedLoadChangesNothing(step: String) async throws {
        let fails = Mutex(false)
        let plan = Lake.FaultPlan { name in
            if name == step, fails.withLock({ $0 }) {
                throw Problem("store.disk", status: 507, zh: "磁盘已满。", en: "The disk is full.")
            }
        }
        let (node, clerk, id) = try await start(300, faults: plan)
        let upload = try await node.upload("b.csv", Array(Self.csv(70_000, mark: "w").utf8), session: clerk)
        fails.withLock { $0 = true }
        let failed = try await node.load(upload, into: id, mode: "replace", session: clerk)
        #expect(failed["state"]?.string == "failed" && failed["result"]?["code"]?.string == "store.disk")
        let count = "/api/v1/resources/\(id)/records?limit=1&count=exact"
        #expect(try await node.ask("GET", count, headers: clerk).json["count"]?.integer == 300)
        let tables = try await node.node.kernel.databases.lake.read { db in
            let current = Set(try db.rows("SELECT physical FROM tables").map { $0.text(0) })
            return try db.tables().filter { $0.wholeMatch(of: /r\d+_\d+/) != nil && !current.contains($0) }
        }
        #expect(tables.isEmpty)
        fails.withLock { $0 = false }
        _ = try await node.load(upload, into: id, mode: "replace", session: clerk)
        #expect(try await node.ask("GET", count, headers: clerk).json["count"]?.integer == 70_000)
        try await node.close()
    }

    /// Texts that an index or an engine cannot hold lie in quarantine with their reasons; the other rows are there.
    @Test func textsNoEngineHoldsAreQuarantined() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let long = String(repeating: "长", count: 1000)
        let text = "编号,名称,说明\nA1,甲,好\n\(long),乙,主键过长\nA3,\(long),名称不建索引\nA4,丁\u{0}戊,空字符\n"
        let made = try await node.resource(
            try PathTests.file("编号,名称,说明\nA1,甲,好\n", "long.csv"),
            name: "长文本",
            session: clerk,
            change: { json in
                guard var schema = try? TableSchema.read(json) else { return json }
                schema.key = ["编号"]
                for index in schema.fields.indices { schema.fields[index].codes = [] }
                return TableSchema.write(schema)
            }
        )
        let id = made.code.replacing("/", with: "-")
        let upload = try await node.upload("long.csv", Array(text.utf8), session: clerk)
        let job = try await node.load(upload, into: id, mode: "replace", session: clerk)
        #expect(job["state"]?.string == "done" && job["result"]?["good"]?.integer == 2, "\(job.text)")
        #expect(job["result"]?["bad"]?.integer == 2)
        let load = job["result"]?["load"]?.integer ?? 0
        let refused = try await node.ask(
            "GET",
            "/api/v1/resources/\(id)/loads/\(load)/quarantine.csv",
            headers: clerk
        ).text
        #expect(refused.contains("过长，不能作为主键") && refused.contains("含有空字符"), "\(refused.suffix(300))")
        try await node.close()
    }

    /// What is read past a version's file (rows changed since, a filter) is the same rows, every type and its absence.
    @Test func changedResourcesAreExportedWhole() async throws {
        let (node, clerk, id) = try await start(9000)
        let more = try await node.upload("m.csv", Array(Self.csv(100, from: 8950, mark: "w").utf8), session: clerk)
        let job = try await node.load(more, into: id, mode: "upsert", session: clerk)
        #expect(job["state"]?.string == "done", "\(job.text)")
        func download(_ query: String) async throws -> [Substring] {
            let text = try await node.ask("GET", "/api/v1/resources/\(id)/records.csv\(query)", headers: clerk).text
            return text.split(whereSeparator: \.isNewline)
        }
        let whole = try await download("")
        #expect(whole.count == 9051 && Set(whole).count == 9051, "\(whole.count)")
        #expect(
            whole.contains { $0.contains("w9049") } && whole.contains { $0.hasSuffix("v7,") },
            "\(whole.prefix(10))"
        )
        #expect(Set(try await download("?filter=id%20%3E=%200")) == Set(whole))
        try await node.close()
    }

    /// Indexed filters and keyset pages use their index; nothing is sorted or scanned.
    @Test func plansUseIndexes() async throws {
        let (node, clerk, id) = try await start(2000)
        let resource = try await node.node.kernel.resource(id.replacing("-", with: "/"))
        let state = try #require(try await node.node.lake.state(resource))
        let actions = LakeActions(node.node.lake)
        _ = clerk
        let caller = try await node.caller("clerk")
        for (filter, sort, index) in [
            ("kind = 'a'", nil, "_c2"), ("id = 5", nil, "_key"), (nil, "amount", "_c4"),
            ("kind = 'a' AND amount > 3", nil, "_c"),
        ] as [(String?, String?, String)] {
            // A page is read to prove that the gate admits it; the plan is of the same statement.
            _ = try await node.node.kernel.gate.perform(
                actions.read,
                RecordQuery(resource.code, filter: filter, sort: sort),
                as: caller
            )
            let decision = try await Self.decision(node, resource, caller)
            let query = RecordQuery(resource.code, filter: filter, sort: sort)
            let decided = try DecidedQuery(
                query,
                decision,
                state,
                node.node.lake,
                node.node.kernel.databases.lake.dialect
            )
            let statement = decided.statement(after: nil, limit: 100)
            let (sql, values) = (statement.sql, statement.values)
            let plan = try await Self.plan(sql, values, without: "\(state.physical)_row", node)
            #expect(
                ["SEARCH", "USING INDEX", "Index Scan", "Index Only Scan"].contains { plan.contains($0) },
                "\(plan)"
            )
            #expect(plan.contains(index), "\(plan)")
            #expect(!plan.contains("TEMP B-TREE") && !plan.contains("Seq Scan"), "\(plan)")
        }
        try await node.close()
    }

    /// A statement's plan. On PostgreSQL neither reading a table of a few pages whole nor taking rows by id and leaving out what does not
    /// fit is open to the planner: whether the index serves is the question.
    static func plan(
        _ sql: String,
        _ values: [SQLValue],
        without index: String,
        _ node: TestNode
    ) async throws -> String {
        let lake = node.node.kernel.databases.lake
        guard !TestNode.isSQLite else { return try await lake.read { try $0.plan(sql, values) } }
        struct Undone: Error {}
        let plan = Mutex("")
        do {
            try await lake.write { db in
                _ = try db.rows("SELECT set_config('enable_seqscan', 'off', true)")
                try db.execute("DROP INDEX \(index)")
                let found = try db.plan(sql, values)
                plan.withLock { $0 = found }
                throw Undone()
            }
        } catch is Undone {}
        return plan.withLock(\.self)
    }

    static func decision(_ node: TestNode, _ resource: Resource, _ caller: Caller) async throws -> Decision {
        let probe = Action<String, Decision>(
            ActionDescriptor("test.probe", .dataRead, .view, zh: "", en: ""),
            target: { _ in resource },
            run: { _, decision in decision }
        )
        return try await node.node.kernel.gate.perform(probe, "", as: caller)
    }

    /// Two loads of one resource at once: one after the other, both whole.
    @Test func twoLoadsAtOnceDoNotMix() async throws {
        let (node, clerk, id) = try await start(100)
        let first = try await node.upload("a.csv", Array(Self.csv(3000, mark: "x").utf8), session: clerk)
        let second = try await node.upload("b.csv", Array(Self.csv(5000, mark: "y").utf8), session: clerk)
        for upload in [first, second] {
            let body = JSONValue.object([.init("upload", .string(upload)), .init("mode", "replace")]).text
            #expect(
                try await node.ask("POST", "/api/v1/resources/\(id)/loads", headers: clerk, body: Array(body.utf8))
                    .status == 202
            )
        }
        let jobs = node.node.kernel.jobs
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 { group.addTask { try await jobs.runPending() } }
            try await group.waitForAll()
        }
        try await jobs.runPending()
        let page = try await node.ask("GET", "/api/v1/resources/\(id)/records?count=exact&limit=10000", headers: clerk)
            .json
        let marks = Set((page["records"]?.array ?? []).compactMap { $0["name"]?.string?.first })
        #expect(page["count"]?.integer == 5000 && marks == ["y"])
        try await node.close()
    }

    @Test func recordsAreKeptByForms() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let schema = Schema(fields: [Field("id", required: true), Field("lanes", .integer, minimum: 1)], key: ["id"])
        let owner = try #require(try await node.node.kernel.accounts.find(login: "clerk")).organisation.raw
        let content = JSONValue.object([
            .init("name", "填报表"), .init("category", "301001"), .init("provider", .integer(owner)),
            .init("summary", "逐条填报的测试资源,十个字以上。"),
            .init("storage", "records"), .init("schema", TableSchema.write(schema)),
        ])
        let created = try await node.ask("POST", "/api/v1/resources", headers: clerk, body: Array(content.text.utf8))
        let id = try #require(created.json["id"]?.string)
        func send(_ method: String, _ path: String, _ body: String) async throws -> TestNode.Answer {
            try await node.ask(method, "/api/v1/resources/\(id)/records\(path)", headers: clerk, body: Array(body.utf8))
        }
        let first = try await send("POST", "", #"{"id":"A","lanes":2}"#)
        #expect(first.status == 201)
        #expect(try await send("POST", "", #"{"id":"A","lanes":3}"#).status == 409)
        #expect(try await send("POST", "", #"{"id":"B","lanes":0}"#).status == 422)
        #expect(try await send("POST", "", #"{"nothing":"B"}"#).status == 400)
        let row = try #require(first.json["_id"]?.integer)
        #expect(try await send("PATCH", "/\(row)", #"{"lanes":5}"#).status == 200)
        #expect(
            try await node.ask("GET", "/api/v1/resources/\(id)/records", headers: clerk).json["records"]?.array?.first?[
                "lanes"
            ]?.integer == 5
        )
        #expect(try await node.ask("DELETE", "/api/v1/resources/\(id)/records/\(row)", headers: clerk).status == 204)
        #expect(
            try await node.ask("GET", "/api/v1/resources/\(id)/records?count=exact", headers: clerk).json["count"]?
                .integer == 0
        )
        let tombstones = try await node.node.kernel.databases.records.read {
            try $0.rows("SELECT count(*) FROM tombstones")[0].integer(0)
        }
        #expect(tombstones == 1)
        try await node.close()
    }

    /// The files of strangers load whole, or are refused with words.
    @Test(arguments: [
        ("06_infrastructure/shijiazhuang_checkpoints_kakou.csv", "", 2683, 0),
        ("09_office_and_encodings/china_city_list_GBK.csv", "", 345, 0),
        ("09_office_and_encodings/csv_latin1_transport_site.csv", "", 60, 0),
        ("08_catalogues/kaohsiung_open_datasets_2018.csv", "", 1495, 0),
        ("06_infrastructure/us_docks_nav_units.xlsx", "?table=Data", 45025, 0),
        ("06_infrastructure/shenzhen_bus_lines.csv.gz", "", 2113, 0),
        ("06_infrastructure/ports_searoute.geojson", "", 3962, 0),
        ("07_hazardous_goods/cfr49_172_101_joined.csv", "", 3261, 0),
        ("11_freight/unlocode_2023-1_part1.csv.gz", "", 54679, 0),
        ("09_office_and_encodings/china_highspeed_timetable_20160310.xlsx", "?table=%E8%BD%A6%E6%AC%A1", 4458, 0),
    ])
    func realFilesLoad(path: String, query: String, rows: Int, bad: Int) async throws {
        guard let url = SharedFiles.url("data/\(path)") else { return }
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let (code, job) = try await node.resource(url, name: "真实文件", session: clerk, query: query)
        let good = job["result"]?["good"]?.integer ?? -1
        #expect(job["state"]?.string == "done" && good + (job["result"]?["bad"]?.integer ?? -1) == rows, "\(job.text)")
        #expect(good >= Int64(rows * 99 / 100), "\(job.text)")
        let count = try await node.ask(
            "GET",
            "/api/v1/resources/\(code.replacing("/", with: "-"))/records?limit=1&count=exact",
            headers: clerk
        )
        #expect(count.json["count"]?.integer == good)
        try await node.close()
    }
}
