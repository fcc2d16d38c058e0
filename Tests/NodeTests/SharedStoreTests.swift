import Basics
@testable import Catalogue
@testable import Composition
import Foundation
@testable import Kernel
import Lake
import Store
import StorePostgres
import StoreSQLite
import Synchronization
import Tabular
import TestKit
import Testing

/// A node on PostgreSQL: several processes on one store, servers that are away, moves from SQLite.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["TONGQU_TEST_POSTGRES"] != nil,
        "needs TONGQU_TEST_POSTGRES: run ./test"
    )
)
struct SharedStoreTests {
    static let port = ProcessInfo.processInfo.environment["TONGQU_TEST_POSTGRES"]

    static func address(
        _ options: String = "",
        database: String = "postgres",
        user: String = "tongqu:tongqu-test"
    ) -> String {
        "postgresql://\(user)@127.0.0.1:\(port ?? "")/\(database)\(options)"
    }

    static func settings(connections: Int = 6) throws -> PostgresSettings {
        try PostgresSettings(address("?schema=s\(UInt64.random(in: 1..<1_000_000_000_000))"), connections: connections)
    }

    static func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-shared-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    static func remove(_ settings: PostgresSettings, _ folder: URL) async throws {
        let server = PostgresServer(settings)
        try await server.removeEverything()
        server.close()
        try FileManager.default.removeItem(at: folder)
    }

    /// Waits for what another process does.
    static func eventually(_ what: String, _ body: () async throws -> Bool) async throws {
        for _ in 0..<200 {
            if try await body() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("not in ten seconds: \(what)")
    }

    static func json(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Two processes are one node: sessions, grants, entries, rows and files of the one are the other's at once.
    @Test func twoProcessesAreOneNode() async throws {
        let settings = try Self.settings()
        let folder = try Self.folder()
        let first = try await TestNode(folder: folder, demonstration: true, store: .postgresql(settings))
        let second = try await TestNode(folder: folder, store: .postgresql(settings))
        #expect(first.node.kernel.key.fingerprint == second.node.kernel.key.fingerprint)

        // A directory with another key is another node's; a node under another prefix of the database is nobody's neighbour.
        let strange = try Self.folder()
        let refused = await #expect(throws: Problem.self) {
            _ = try await TestNode(folder: strange, store: .postgresql(settings))
        }
        #expect(refused?.code == "node.key_differs")
        let elsewhere = try Self.settings()
        let neighbour = try await TestNode(folder: strange.appending(path: "n"), store: .postgresql(elsewhere))
        #expect(try await neighbour.node.kernel.databases.shared?.connected().count == 1)
        try await neighbour.close()
        try await Self.remove(elsewhere, strange)

        // Sessions.
        let clerk = try await first.session("clerk")
        #expect(try await second.ask("GET", "/api/v1/entries", headers: clerk).status == 200)
        let other = try await second.session("clerk")
        #expect(try await first.ask("DELETE", "/api/v1/session", headers: clerk).status < 300)
        try await Self.eventually("a session that ended there ends here") {
            try await second.ask("GET", "/api/v1/entries", headers: clerk).status == 401
        }

        // Entries, found by their words, and their rows.
        let made = try await first.resource(
            try PathTests.file("编号,名称\n1,甲\n2,乙\n", "通衢共享.csv"),
            name: "跨进程共享试验",
            session: other
        )
        let slug = made.code.replacing("/", with: "-")
        try await Self.eventually("an entry made there is listed here") {
            try await second.ask("GET", "/api/v1/entries?q=%E8%B7%A8%E8%BF%9B%E7%A8%8B", headers: other).json["total"]?
                .integer
                == 1
        }
        let rows = "/api/v1/resources/\(slug)/records?count=exact"
        #expect(try await second.ask("GET", rows, headers: other).json["count"]?.integer == 2)
        let upload = try await first.upload("more.csv", Self.json("编号,名称\n3,丙\n4,丁\n5,戊\n"), session: other)
        _ = try await first.load(upload, into: slug, mode: "replace", session: other)
        try await Self.eventually("rows that were replaced there are seen here") {
            try await second.ask("GET", rows, headers: other).json["count"]?.integer == 3
        }

        // Entries that this process had shown before.
        let entry = "/api/v1/resources/\(slug)"
        #expect(try await second.ask("GET", entry, headers: other).json["rows"]?.integer == 3)
        let resource = try await first.node.kernel.resource(made.code)
        try await first.node.catalogue.attached(resource.id, rows: 4711, at: first.clock.now, score: 12)
        try await Self.eventually("what changed of an entry there is shown here") {
            try await second.ask("GET", entry, headers: other).json["rows"]?.integer == 4711
        }

        // Grants.
        let auditing = try await second.caller("auditor")
        let auditorID = try #require(auditing.principal?.id)
        let vehicles = try await second.node.kernel.resource("301003/000001")
        func seesPlates() async throws -> Bool {
            try await LakeTests.decision(second, vehicles, auditing).fields.contains { $0.field.name == "plate" }
        }
        #expect(try await !seesPlates())
        let grant = Grant(to: .principal(auditorID), [.dataRead], on: .resource(vehicles.id), fields: ["plate"])
        let granting = try await first.caller("secadmin")
        try await first.node.kernel.gate.perform(first.node.kernel.administration.grant, grant, as: granting)
        try await Self.eventually("a grant made there holds here") { try await seesPlates() }
        let grants = try await first.node.kernel.gate.perform(
            first.node.kernel.administration.grants,
            (),
            as: granting
        )
        let given = try #require(grants.first { $0.grantee == .principal(auditorID) }).id
        try await first.node.kernel.gate.perform(first.node.kernel.administration.revoke, given, as: granting)
        try await Self.eventually("a grant taken there is gone here") { try await !seesPlates() }

        // Roles.
        let steward = try await second.session("steward")
        let id = try #require(await first.node.kernel.accounts.find(login: "steward")).id.raw
        let security = try await first.session("secadmin")
        _ = try await first.ask(
            "PUT",
            "/api/v1/accounts/\(id)/roles",
            headers: security,
            body: Self.json(#"{"roles":[]}"#)
        )
        try await Self.eventually("a role taken there is gone here") {
            try await second.ask("GET", "/api/v1/sources", headers: steward).status == 403
        }

        // Each wrote a chain of its own; together they are sound, and either verifies both.
        for node in [first, second] {
            try await node.node.kernel.evidence.flush()
            try await node.node.kernel.evidence.seal()
        }
        let verdict = try await second.node.kernel.evidence.verify()
        #expect(verdict.fault == nil && verdict.intervals >= 2 && verdict.unsealed == 0, "\(verdict)")
        let chains = try await first.node.kernel.databases.evidence.read { db in
            try db.rows("SELECT DISTINCT seq / 1099511627776 FROM evidence").count
        }
        #expect(chains == 2)
        let auditor = try await first.session("auditor")
        let shown = try await first.ask("GET", "/console/evidence", headers: auditor).text
        #expect(shown.contains("1-"))
        try await first.close()
        try await second.close()
        try await Self.remove(settings, folder)
    }

    /// Jobs queued by either are taken once, whoever takes them.
    @Test func jobsAreTakenOnce() async throws {
        let settings = try Self.settings()
        let folder = try Self.folder()
        let first = try await TestNode(folder: folder, demonstration: true, store: .postgresql(settings))
        let second = try await TestNode(folder: folder, store: .postgresql(settings))
        let ran = Mutex<[Int64: Int]>([:])
        let by = Mutex<Set<String>>([])
        for (name, node) in [("first", first), ("second", second)] {
            node.node.kernel.jobs.register("test.once") { job, _ in
                ran.withLock { $0[job.id, default: 0] += 1 }
                by.withLock { _ = $0.insert(name) }
                try await Task.sleep(for: .milliseconds(5))
                return .null
            }
        }
        let principal = try #require(await first.node.kernel.accounts.find(login: "clerk")).id
        for index in 0..<60 {
            let node = index % 2 == 0 ? first : second
            _ = try await node.node.kernel.jobs.add("test.once", .null, by: principal, resource: "")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in [first, second] {
                for _ in 0..<2 { group.addTask { try await node.node.kernel.jobs.runPending() } }
            }
            try await group.waitForAll()
        }
        #expect(ran.withLock { $0.count } == 60)
        #expect(ran.withLock { $0.values.allSatisfy { $0 == 1 } })
        #expect(by.withLock { $0 } == ["first", "second"])
        try await first.close()
        try await second.close()
        try await Self.remove(settings, folder)
    }

    /// What a process that died had begun is taken up by another; if it was only asleep it ends nothing any more.
    @Test func theDeadAreTakenOver() async throws {
        let settings = try Self.settings()
        let folder = try Self.folder()
        let first = try await TestNode(folder: folder, demonstration: true, store: .postgresql(settings))
        let second = try await TestNode(folder: folder, store: .postgresql(settings))
        let started = Mutex(0)
        let wakes = Mutex(false)
        first.node.kernel.jobs.register("test.sleep") { _, _ in
            started.withLock { $0 += 1 }
            while !wakes.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(20)) }
            return .string("first")
        }
        second.node.kernel.jobs.register("test.sleep") { _, _ in .string("second") }
        let principal = try #require(await first.node.kernel.accounts.find(login: "clerk")).id
        let job = try await first.node.kernel.jobs.add("test.sleep", .null, by: principal, resource: "x")
        async let asleep = first.node.kernel.jobs.runPending()
        try await Self.eventually("the first takes it") { started.withLock { $0 } == 1 }
        let living = try await second.node.kernel.databases.shared?.connected() ?? []
        #expect(living.count >= 2)
        // While it lives nobody takes its job.
        try await second.node.kernel.jobs.recover(living: living)
        #expect(try await second.node.kernel.jobs.runPending() == 0)
        let dead = try #require(first.node.kernel.databases.shared?.process)
        try await second.node.kernel.jobs.recover(living: living.subtracting([dead]))
        #expect(try await second.node.kernel.jobs.runPending() == 1)
        wakes.withLock { $0 = true }
        _ = try await asleep
        #expect(try await second.node.kernel.jobs.find(job)?.result == .string("second"))

        // Its chain of evidence goes to another; when it wakes it goes on with one of its own, and all are sound.
        let database = first.node.kernel.databases.evidence
        try await database.write { db in
            try db.execute("UPDATE evidence_chains SET holder = 'gone' WHERE holder = ?", [.text(dead)])
        }
        let third = try await TestNode(folder: folder, store: .postgresql(settings))
        for node in [first, third] { _ = try await node.session("auditor") }
        #expect(try await second.node.kernel.evidence.verify().fault == nil)
        let holders = try await database.read { try $0.rows("SELECT holder FROM evidence_chains").map { $0.text(0) } }
        #expect(Set(holders).count == 3 && !holders.contains("gone"), "\(holders)")
        for node in [first, second, third] { try await node.close() }
        try await Self.remove(settings, folder)
    }

    /// Connections that are cut in the middle of a load, as a server's restart cuts them: every row once, or a clear failure.
    @Test func aLoadOutlivesLostConnections() async throws {
        let settings = try Self.settings()
        let folder = try Self.folder()
        let node = try await TestNode(folder: folder, demonstration: true, store: .postgresql(settings))
        let clerk = try await node.session("clerk")
        let made = try await node.resource(
            try PathTests.file("编号,名称\n1,甲\n", "cut.csv"),
            name: "断线试验",
            session: clerk
        )
        let slug = made.code.replacing("/", with: "-")
        let text = "编号,名称\n" + (1...200_000).map { "\($0),第\($0)行" }.joined(separator: "\n") + "\n"
        let upload = try await node.upload("big.csv", Self.json(text), session: clerk)
        let process = try #require(node.node.kernel.databases.shared?.process)
        let killer = PostgresServer(try PostgresSettings(Self.address("?schema=killer"), connections: 2))
        let cutting = Task { () -> Int in
            var cut = 0
            for _ in 0..<6 {
                try await Task.sleep(for: .milliseconds(150))
                let ended = try? await killer.database("k").read { db in
                    try db.rows(
                        "SELECT CAST(pg_terminate_backend(pid) AS INTEGER) FROM pg_stat_activity WHERE application_name = ?",
                        [.text("tongqu \(process)")]
                    ).count
                }
                cut += ended ?? 0
            }
            return cut
        }
        let count = "/api/v1/resources/\(slug)/records?count=exact&limit=1"
        var job = try await node.load(upload, into: slug, mode: "replace", session: clerk)
        #expect(try await cutting.value > 0, "no connection was cut")
        if job["state"]?.string != "done" {
            let code = job["result"]?["code"]?.string ?? ""
            #expect(["store.unknown_end", "store.unavailable"].contains(code), "\(job.text)")
            #expect(try await node.ask("GET", count, headers: clerk).json["count"]?.integer == 1)
            job = try await node.load(upload, into: slug, mode: "replace", session: clerk)
        }
        #expect(job["state"]?.string == "done", "\(job.text)")
        #expect(try await node.ask("GET", count, headers: clerk).json["count"]?.integer == 200_000)
        #expect(try await node.node.kernel.evidence.verify().fault == nil)
        try await killer.removeEverything()
        killer.close()
        try await node.close()
        try await Self.remove(settings, folder)
    }

    /// Servers that are away, refuse, or cannot carry a node are told apart; no password is in what is said.
    @Test func serversThatDoNotServeAreToldApart() async throws {
        func refusal(_ address: String) async -> Problem? {
            await #expect(throws: Problem.self) {
                let server = PostgresServer(try PostgresSettings(address))
                defer { server.close() }
                try await server.probe()
                _ = try await server.database("control")
            }
        }
        let administrator = PostgresServer(try PostgresSettings(Self.address("?schema=admin")))
        let name = "q\(UInt64.random(in: 1..<1_000_000_000))"
        try await administrator.database("a").write { db in
            try db.execute("CREATE ROLE \(name)_reader LOGIN PASSWORD 'tongqu-test'")
            try db.execute("ALTER ROLE \(name)_reader SET default_transaction_read_only = on")
            try db.execute("CREATE ROLE \(name)_weak LOGIN PASSWORD 'tongqu-test'")
        }
        let cases = [
            ("postgresql://tongqu:tongqu-test@127.0.0.1:1/postgres", "store.unavailable"),
            (Self.address(user: "tongqu:wrong-secret"), "store.sign_in"),
            (Self.address(user: "nobody:wrong-secret"), "store.sign_in"),
            (Self.address(database: "absent"), "store.missing"),
            (Self.address(user: "\(name)_reader:tongqu-test"), "store.read_only"),
            (Self.address("?schema=\(name)", user: "\(name)_weak:tongqu-test"), "store.refused"),
            (Self.address("?sslmode=require"), "store.unavailable"),
        ]
        for (address, code) in cases {
            let problem = await refusal(address)
            #expect(problem?.code == code, "\(address): \(problem?.code ?? "") \(problem?.details ?? [:])")
            let said = "\(problem?.text(.zh) ?? "") \(problem?.details ?? [:])"
            #expect(!said.contains("tongqu-test") && !said.contains("wrong-secret"), "\(said)")
        }
        for text in ["mysql://a@b/c", "postgresql://h/d?schema=A-b", "postgresql://h/d?schema=", "postgres"] {
            #expect(throws: Problem.self) { try StoreSettings(text) }
        }
        #expect(try !StoreSettings(Self.address()).described.contains("tongqu-test"))
        try await administrator.database("a").write { db in
            try db.execute("DROP ROLE \(name)_reader; DROP ROLE \(name)_weak")
        }
        try await administrator.removeEverything()
        administrator.close()
    }

    /// A node moves from SQLite, stopped halfway and gone on with; everything it held is there, and it goes on.
    @Test func aNodeMovesFromSQLite() async throws {
        let folder = try Self.folder()
        let settings = try Self.settings()
        let before = try await TestNode(folder: folder, demonstration: true, packs: TestNode.packs, store: .sqlite)
        let path = "/api/v1/resources/301001-000001/records?count=exact&limit=3&sort=id"
        let rows = try await before.ask("GET", path).json
        let hits = try await before.ask("GET", "/api/v1/resources?q=%E6%A1%A5%E6%A2%81").json["total"]
        let evidence = try await before.node.kernel.evidence.verify().records
        try await before.node.close()
        let pieces = Mutex(0)
        var copy = try StoreCopy(folder: folder, to: .postgresql(settings)) { _ in }
        copy.step = {
            let stops = pieces.withLock { pieces in
                pieces += 1
                return pieces == 25
            }
            if stops { throw Problem("test.stop", zh: "停", en: "stop") }
        }
        do {
            _ = try await copy.run()
            Issue.record("it was to stop")
        } catch let problem as Problem { #expect(problem.code == "test.stop") }
        // What is half there is no node.
        let half = try Self.folder()
        let early = await #expect(throws: Problem.self) {
            _ = try await TestNode(folder: half, store: .postgresql(settings))
        }
        #expect(early?.code == "store.half_copied")
        try FileManager.default.removeItem(at: half)
        let tables = try await copy.run()
        #expect(tables.count > 40 && tables.contains { $0.name == "evidence" && $0.rows >= Int64(evidence) })

        let after = try await TestNode(folder: folder, store: .postgresql(settings))
        #expect(try await after.ask("GET", path).json == rows)
        #expect(try await after.ask("GET", "/api/v1/resources?q=%E6%A1%A5%E6%A2%81").json["total"] == hits)
        let verdict = try await after.node.kernel.evidence.verify()
        #expect(verdict.fault == nil && verdict.records >= evidence, "\(verdict)")
        // New numbers follow the old ones.
        let clerk = try await after.session("clerk")
        let made = try await after.resource(
            try PathTests.file("编号,名称\n1,甲\n", "moved.csv"),
            name: "迁移之后",
            session: clerk
        )
        #expect(made.job["state"]?.string == "done", "\(made.job.text)")
        try await after.close()
        // The files are not opened any more, nor is another node put over this one.
        let refused = await #expect(throws: Problem.self) { _ = try await TestNode(folder: folder, store: .sqlite) }
        #expect(refused?.code == "node.moved")
        let stranger = try Self.folder()
        let other = try await TestNode(folder: stranger, demonstration: true, store: .sqlite)
        try await other.node.close()
        let occupied = await #expect(throws: Problem.self) {
            try await StoreCopy(folder: stranger, to: .postgresql(settings)) { _ in }.run()
        }
        #expect(occupied?.code == "copy.occupied")
        try FileManager.default.removeItem(at: stranger)
        try await Self.remove(settings, folder)
    }

    /// What the other engine does not take is told by table and row, and nothing half-moved opens.
    @Test func aMoveSaysWhichRowHoldsIt() async throws {
        let folder = try Self.folder()
        let settings = try Self.settings()
        let before = try await TestNode(folder: folder, demonstration: true, store: .sqlite)
        let databases = before.node.kernel.databases
        let row = try await databases.lake.write { db in
            let table = try db.row("SELECT physical, ordinals FROM tables ORDER BY resource LIMIT 1")?.text(0) ?? ""
            let column = try db.row("SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT'", [.text(table)])?.text(
                0
            )
            let id = try db.row("SELECT max(_id) FROM \(table)")?.integer(0) ?? 0
            try db.execute("UPDATE \(table) SET \(column ?? "") = 'a' || char(0) || 'b' WHERE _id = \(id)")
            return "\(table).\(column ?? "").\(id)"
        }
        try await before.node.close()
        let refused = await #expect(throws: Problem.self) {
            try await StoreCopy(folder: folder, to: .postgresql(settings)) { _ in }.run()
        }
        let details = refused?.details ?? [:]
        #expect(refused?.code == "store.text", "\(String(describing: refused))")
        #expect("\(details["table"] ?? "").\(details["column"] ?? "").\(details["row"] ?? "")" == row)
        try await Self.remove(settings, folder)
    }

    /// What a process left that died during a drill is removed by the next one; a living process's is not.
    @Test func leftDrillsAreRemoved() async throws {
        let settings = try Self.settings()
        let folder = try Self.folder()
        let first = try await TestNode(folder: folder, store: .postgresql(settings))
        // As a process would that was killed before it dropped it.
        let dead = PostgresServer(settings)
        let left = try await dead.scratch().database
        dead.close()
        let watcher = PostgresServer(settings)
        func databases() async throws -> Set<String> {
            try await watcher.database("control").read { db in
                Set(try db.rows("SELECT CAST(datname AS TEXT) FROM pg_database").map { $0.text(0) })
            }
        }
        #expect(try await databases().contains(left))
        let mine = try #require(first.node.store.server)
        let used = try await mine.scratch().database
        #expect(try await !databases().contains(left))
        let second = try await TestNode(folder: folder, store: .postgresql(settings))
        #expect(try await databases().contains(used))
        try await second.node.close()
        try await mine.dropScratch(used)
        watcher.close()
        try await first.close()
        try await Self.remove(settings, folder)
    }

    /// Ten thousand titles, real ones where they are at hand: SQLite and PostgreSQL find the same for the same words.
    @Test func bothEnginesFindTheSame() async throws {
        var titles: [String] = []
        if let file = SharedFiles.url("data/08_catalogues/kaohsiung_open_datasets_2018.csv"),
            let text = try? String(contentsOf: file, encoding: .utf8)
        {
            titles += text.split(separator: "\n").prefix(3000).map { String($0.prefix(120)) }
        }
        let pieces = [
            "公路", "桥梁", "12328", "K8+603", "G104国道", "AIS", "Größe", "café", "道路運輸", "ＧＰＳ轨迹", "e-mail", "it's", "a\\b",
            "2026年", "第3号", "北京-天津", "ÀÉÎ", "💡灯", "を走る", "한국", "x_y", "3.14", "“引号”", "(括号)", "车辆:号牌", "&|!<->", "ﬁne",
            "İstanbul",
        ]
        var random = SystemRandomNumberGenerator()
        while titles.count < 10_000 {
            let count = Int.random(in: 1...6, using: &random)
            let parts = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }
            titles.append(parts.joined(separator: Bool.random() ? " " : ""))
        }
        let folder = try Self.folder()
        let settings = try Self.settings()
        let server = PostgresServer(settings)
        let sqlite = try SQLiteDatabase(path: folder.appending(path: "t.sqlite").path)
        let databases: [any Store.Database] = [sqlite, try await server.database("text")]
        let all = titles
        let tables = try #require(Catalogue.migrations.first { $0.name == "catalogue/001-entries" })
        for database in databases {
            try await database.write { db in
                for statement in tables.own[db.dialect] ?? [] { try db.execute(statement) }
                for (index, title) in all.enumerated() {
                    try EntryText.put(Int64(index), title: title, body: all[(index * 7 + 1) % all.count], db)
                }
            }
        }
        var queries =
            pieces + [
                "路", "桥 梁", "g104", "GROSSE", "cafe", "a&b", "'", "\"", "\\", "公路*", "NOT 桥", "(公", "12 328", "ﬁ",
            ]
        for _ in 0..<400 {
            let title = Array(all.randomElement(using: &random) ?? "")
            guard title.count > 2 else { continue }
            let start = Int.random(in: 0..<title.count - 1, using: &random)
            queries.append(String(title[start..<min(title.count, start + Int.random(in: 1...6, using: &random))]))
        }
        for query in queries {
            guard let words = EntryText.Words(query) else { continue }
            for inTitles in [false, true] {
                var found: [[Int64]] = []
                for database in databases {
                    found.append(try await database.read { db in try EntryText.find(words, inTitles: inTitles, db) })
                }
                #expect(found[0] == found[1], "“\(query)” \(words.phrases): \(found[0].count) and \(found[1].count)")
            }
        }
        try await sqlite.close()
        try await server.removeEverything()
        server.close()
        try FileManager.default.removeItem(at: folder)
    }
}
