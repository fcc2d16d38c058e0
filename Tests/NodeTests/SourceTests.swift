import Composition
import Basics
@testable import Collect
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Kernel
import Store
import Synchronization
import TestKit
import Testing

/// Collection without hands: schedules, tables of real databases, an interface, folders here and by SFTP.
@Suite struct SourceTests {
    static let environment = ProcessInfo.processInfo.environment

    /// An empty resource that sources fill, by a key.
    static func resource(_ node: TestNode, _ session: [String: String]) async throws -> String {
        try await node.resource(
            try PathTests.file("id,name,updated_at\n0,零,2026-01-01 00:00:00\n", "seed.csv"),
            name: "归集测试 \(TimeOrderedID.make(microseconds: node.clock.now))",
            session: session,
            change: { schema in
                guard case .object(let members) = schema else { return schema }
                return .object(members.filter { $0.name != "primaryKey" } + [.init("primaryKey", .array(["id"]))])
            }
        ).code
    }

    static func body(
        _ code: String,
        _ kind: String,
        _ settings: [String: String],
        mode: String = "upsert",
        schedule: String = "every 1h",
        secret: String? = nil
    ) -> [UInt8] {
        var members: [JSONValue.Member] = [
            .init("name", "夜间归集"), .init("resource", .string(code)), .init("kind", .string(kind)),
            .init("mode", .string(mode)), .init("schedule", .string(schedule)), .init("silence_hours", 26),
            .init("responsible", "clerk"),
            .init("settings", .object(settings.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })),
        ]
        if let secret { members.append(.init("secret", .string(secret))) }
        return Array(JSONValue.object(members).text.utf8)
    }

    /// Adds a source as the steward; its number.
    static func add(_ node: TestNode, _ body: [UInt8]) async throws -> Int64 {
        let answer = try await node.ask(
            "POST",
            "/api/v1/sources",
            headers: try await node.session("steward"),
            body: body
        )
        return try #require(answer.json["id"]?.integer, "\(answer.text)")
    }

    /// Reads it now; the run as the API shows it.
    static func run(_ node: TestNode, _ source: Int64) async throws -> JSONValue {
        let session = try await node.session("steward")
        let queued = try await node.ask("POST", "/api/v1/sources/\(source)/runs", headers: session)
        #expect(queued.status == 202, "\(queued.text)")
        try await node.node.kernel.jobs.runPending()
        let shown = try await node.ask("GET", "/api/v1/sources/\(source)", headers: session)
        return try #require(shown.json["runs"]?.array?.first)
    }

    static func names(_ node: TestNode, _ code: String, _ session: [String: String]) async throws -> [String] {
        let slug = code.replacing("/", with: "-")
        let answer = try await node.ask("GET", "/api/v1/resources/\(slug)/records?sort=id&limit=1000", headers: session)
        return (answer.json["records"]?.array ?? []).compactMap { $0["name"]?.string }
    }

    @Test func schedulesAreOfChinasClock() throws {
        // 2026-11-21 14:00 in China, a Saturday.
        let now =
            CivilTime.chinaMidnight(day: try #require(CivilTime.checkedDays(year: 2026, month: 11, day: 21))) + 14
            * 3_600_000_000
        func next(_ text: String) throws -> String? {
            try Schedule(text: text).next(after: now).map { CivilTime.minute($0) }
        }
        #expect(try next("manual") == nil)
        #expect(try next("every 15m") == "2026-11-21 14:15")
        #expect(try next("daily 02:30") == "2026-11-22 02:30")
        #expect(try next("daily 14:00") == "2026-11-22 14:00", "the present minute is past")
        #expect(try next("daily 14:01") == "2026-11-21 14:01")
        #expect(try next("weekly 1 00:05") == "2026-11-23 00:05")
        #expect(try next("monthly 31 02:00") == "2026-11-30 02:00", "short months end with it")
        #expect(try next("monthly 5 02:00") == "2026-12-05 02:00")
        for text in ["daily", "daily 25:00", "every 0m", "weekly 8 02:00", "monthly 0 02:00", "hourly", "every 5"] {
            #expect(throws: Problem.self, "\(text)") { try Schedule(text: text) }
        }
        for text in ["manual", "every 6h", "every 45m", "daily 02:30", "weekly 7 23:59", "monthly 31 00:00"] {
            #expect(try Schedule(text: text).text == text)
        }
    }

    @Test func aFolderIsTakenFileByFileOnceEach() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let code = try await Self.resource(node, clerk)
        let drop = node.folder.appending(path: "drop")
        try FileManager.default.createDirectory(at: drop, withIntermediateDirectories: true)
        func put(_ name: String, _ text: String, age: Double) throws {
            let file = drop.appending(path: name)
            try Data(text.utf8).write(to: file)
            let at = Date(timeIntervalSince1970: Double(node.clock.now) / 1e6 - age)
            try FileManager.default.setAttributes([.modificationDate: at], ofItemAtPath: file.path)
        }
        let source = try await Self.add(
            node,
            Self.body(code, "folder", ["folder": drop.path, "pattern": "*.csv"], mode: "append")
        )
        #expect(try await Self.run(node, source)["rows"]?.integer == 0, "an empty folder is no fault")
        try put("a.csv", "id,name,updated_at\n1,甲,2026-01-02 00:00:00\n2,乙,x\n", age: 600)
        try put("b.csv", "id,name,updated_at\n3,丙,2026-01-03 00:00:00\n", age: 600)
        try put("still-growing.csv", "id,name,updated_at\n4,丁,2026-01-03 00:00:00\n", age: 5)
        try put("note.txt", "not data", age: 600)
        let first = try await Self.run(node, source)
        #expect(
            first["what"]?.string == "a.csv" && first["good"]?.integer == 1 && first["bad"]?.integer == 1,
            "\(first)"
        )
        // The next file is due at once, without anybody asking.
        try await node.node.sources.keepUp()
        try await node.node.kernel.jobs.runPending()
        #expect(try await Self.names(node, code, clerk) == ["零", "甲", "丙"])
        #expect(try await Self.run(node, source)["rows"]?.integer == 0, "files are taken once")
        node.clock.advance(microseconds: 120_000_000)
        #expect(try await Self.run(node, source)["what"]?.string == "still-growing.csv")
        // Only folders that were allowed are read, whatever way they are written.
        let steward = try await node.session("steward")
        for folder in ["/etc", "\(drop.path)/../..", "\(drop.path)-other"] {
            let refused = try await node.ask(
                "POST",
                "/api/v1/sources",
                headers: steward,
                body: Self.body(code, "folder", ["folder": folder], mode: "append")
            )
            #expect(refused.json["code"]?.string == "source.folder", "\(folder) \(refused.text)")
        }
        let foreign = try await node.ask(
            "POST",
            "/api/v1/sources",
            headers: clerk,
            body: Self.body(code, "folder", ["folder": drop.path])
        )
        #expect(foreign.status == 403, "clerks see sources, stewards make them")
        try await node.close()
    }

    /// A source that brings nothing for too long raises an alarm for the person who answers for it, until rows come again.
    @Test func silenceRaisesAnAlarm() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let code = try await Self.resource(node, clerk)
        let drop = node.folder.appending(path: "drop")
        try FileManager.default.createDirectory(at: drop, withIntermediateDirectories: true)
        let source = try await Self.add(node, Self.body(code, "folder", ["folder": drop.path], mode: "append"))
        node.clock.advance(microseconds: 25 * 3_600_000_000)
        try await node.node.sources.keepUp()
        #expect(try await node.node.sources.find(source).silentSince == nil)
        node.clock.advance(microseconds: 2 * 3_600_000_000)
        try await node.node.sources.keepUp()
        try await node.node.kernel.jobs.runPending()
        #expect(try await node.node.sources.find(source).silentSince != nil, "an empty reading is no news")
        let clerkAgain = try await node.session("clerk")
        let page = try await node.ask("GET", "/console", headers: clerkAgain).text
        #expect(page.contains("断更") && page.contains("夜间归集"))
        let evidence = try await node.ask(
            "GET",
            "/api/v1/evidence?limit=50",
            headers: try await node.session("auditor")
        ).text
        #expect(evidence.contains("source.alarm"))
        let file = drop.appending(path: "new.csv")
        try Data("id,name,updated_at\n9,玖,2026-01-02 00:00:00\n".utf8).write(to: file)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: Double(node.clock.now) / 1e6 - 600)],
            ofItemAtPath: file.path
        )
        #expect(try await Self.run(node, source)["good"]?.integer == 1)
        #expect(try await node.node.sources.find(source).silentSince == nil)
        try await node.close()
    }

    /// A job whose database was away for long is tried again by itself, three times at the most.
    @Test func jobsOutliveAnAbsentDatabase() async throws {
        let node = try await TestNode(demonstration: true)
        let jobs = node.node.kernel.jobs
        let tries = Mutex(0)
        let away = Problem("store.unavailable", status: 503, zh: "不在。", en: "Away.")
        jobs.register("test-away") { _, _ in
            if tries.withLock({ tries in
                tries += 1; return tries
            }) < 3 {
                throw away
            }
            return .null
        }
        jobs.register("test-gone") { _, _ in throw away }
        let once = try await jobs.add("test-away", .null, by: PrincipalID(1), resource: "")
        let never = try await jobs.add("test-gone", .null, by: PrincipalID(1), resource: "")
        try await jobs.runPending()
        let found = try await (jobs.find(once), jobs.find(never))
        #expect(found.0?.state == .done && found.0?.attempts == 3)
        #expect(
            found.1?.state == .failed && found.1?.attempts == 3
                && found.1?.result["code"]?.string == "store.unavailable"
        )
        try await node.close()
    }

    /// Work on the node's own data goes on while another machine keeps one waiting, even for the same resource.
    @Test func anotherMachinesSilenceHoldsNothingUp() async throws {
        let node = try await TestNode(demonstration: true)
        let jobs = node.node.kernel.jobs
        let (gate, open) = AsyncStream<Void>.makeStream()
        jobs.register("test-outside", lane: .outside) { _, _ in
            for await _ in gate { break }
            return .null
        }
        jobs.register("test-inside") { _, _ in .null }
        let running = Task { try await jobs.run() }
        let outside = try await jobs.add("test-outside", .null, by: PrincipalID(1), resource: "r")
        func state(_ id: Int64) async throws -> Job.State? { try await jobs.find(id)?.state }
        func wait(_ id: Int64, for wanted: Job.State) async throws {
            for _ in 0..<400 where try await state(id) != wanted { try await Task.sleep(for: .milliseconds(25)) }
            #expect(try await state(id) == wanted)
        }
        try await wait(outside, for: .running)
        let inside = try await jobs.add("test-inside", .null, by: PrincipalID(1), resource: "r")
        try await wait(inside, for: .done)
        #expect(try await state(outside) == .running)
        open.yield()
        try await wait(outside, for: .done)
        running.cancel()
        _ = try? await running.value
        try await node.close()
    }

    // MARK: Databases

    @discardableResult
    static func sql(_ text: String, port: String) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/psql")
        process.arguments = [
            "-h", "127.0.0.1", "-p", port, "-U", "tongqu", "-d", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1", "-c",
            text,
        ]
        process.environment = ["PGPASSWORD": "tongqu-test", "PATH": "/usr/bin:/bin"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
        return String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }

    /// A table by its watermark: what is new, what changed, what came late with the same moment; once each, through interruptions.
    @Test(
        .enabled(if: environment["TONGQU_TEST_POSTGRES"] != nil, "./test starts a PostgreSQL"),
        arguments: ["postgresql", "odbc"]
    )
    func aTableIsReadByItsWatermark(_ kind: String) async throws {
        let port = try #require(Self.environment["TONGQU_TEST_POSTGRES"])
        let table = "\(kind)_车辆"
        try Self.sql(
            """
            DROP TABLE IF EXISTS "\(table)"; CREATE TABLE "\(table)" (id int primary key, 名称 text, memo text, updated_at timestamptz);
            INSERT INTO "\(table)" VALUES (1, '甲,"引号"', 'x', '2026-01-01 08:00:00+08'), (2, '乙', NULL, '2026-01-01 09:00:00.123456+08'), (3, E'两\\n行', '', '2026-01-01 09:00:00.123456+08')
            """,
            port: port
        )
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let code = try await Self.resource(node, clerk)
        var settings = ["table": table, "watermark": "updated_at", "columns": "id\n名称=name\nupdated_at"]
        if kind == "postgresql" {
            settings.merge(["host": "127.0.0.1", "port": port, "database": "postgres", "user": "tongqu"]) { $1 }
        } else {
            settings["connection"] =
                "Driver={PostgreSQL Unicode};Server=127.0.0.1;Port=\(port);Database=postgres;UID=tongqu"
        }
        let source = try await Self.add(node, Self.body(code, kind, settings, secret: "tongqu-test"))
        let steward = try await node.session("steward")
        let probe = try await node.ask("POST", "/api/v1/sources/\(source)/probe", headers: steward)
        #expect(probe.json["found"]?.array == ["id", "名称", "memo", "updated_at"], "\(probe.text)")
        let first = try await Self.run(node, source)
        #expect(first["rows"]?.integer == 3 && first["good"]?.integer == 3, "\(first)")
        #expect(try await Self.names(node, code, clerk) == ["零", "甲,\"引号\"", "乙", "两\n行"])
        // Late rows of the last moment come too; known ones are replaced by key; only what is new is read.
        try Self.sql(
            """
            INSERT INTO "\(table)" VALUES (4, '丁', 'x', '2026-01-01 09:00:00.123456+08'), (5, '戊', 'x', '2026-01-02 09:00:00+08');
            UPDATE "\(table)" SET 名称 = '乙改', updated_at = '2026-01-02 10:00:00+08' WHERE id = 2
            """,
            port: port
        )
        let second = try await Self.run(node, source)
        #expect(second["rows"]?.integer == 4, "3 and 4 of the last moment, 5 and the changed 2: \(second)")
        #expect(try await Self.names(node, code, clerk) == ["零", "甲,\"引号\"", "乙改", "两\n行", "丁", "戊"])
        // Idle readings take the rows of the last moment again, but that is no news: no load for ever, and silence counts.
        let before = try await node.node.sources.find(source).lastRowsAt
        _ = try await Self.run(node, source)
        #expect(try await Self.run(node, source)["load"]?.isNull == true)
        #expect(try await node.node.sources.find(source).lastRowsAt == before)
        // The password lies sealed and is never shown.
        let sealed = try await node.node.kernel.databases.control.read { db in
            try db.row("SELECT secret FROM sources WHERE id = ?", [.integer(source)])?.text(0) ?? ""
        }
        #expect(!sealed.isEmpty && !sealed.contains("tongqu-test"))
        let shown = try await node.ask("GET", "/api/v1/sources/\(source)", headers: steward).text
        #expect(!shown.contains("tongqu-test") && !shown.contains(sealed))
        // A column that disappears stops the reading: nothing is emptied unseen.
        if kind == "postgresql" {
            let plain = try await Self.resource(node, clerk)
            var whole = settings
            whole["columns"] = nil
            let other = try await Self.add(node, Self.body(plain, kind, whole, secret: "tongqu-test"))
            #expect(try await Self.run(node, other)["state"]?.string == "done")
            try Self.sql("ALTER TABLE \"\(table)\" RENAME COLUMN memo TO memory", port: port)
            try Self.sql("UPDATE \"\(table)\" SET updated_at = '2026-01-03 10:00:00+08' WHERE id = 1", port: port)
            let gone = try await Self.run(node, other)
            #expect(gone["problem"]?["code"]?.string == "source.columns_gone", "\(gone)")
        }
        // A wrong table: a problem that says so, the next try soon, nothing lost.
        try Self.sql("ALTER TABLE \"\(table)\" RENAME TO \"\(table)_gone\"", port: port)
        let failed = try await Self.run(node, source)
        #expect(
            failed["state"]?.string == "failed" && failed["problem"]?["code"]?.string == "source.refused",
            "\(failed)"
        )
        let state = try await node.node.sources.find(source)
        #expect(state.failures == 1 && (state.nextAt ?? .max) < node.clock.now + 70_000_000, "tried again in a minute")
        try Self.sql("ALTER TABLE \"\(table)_gone\" RENAME TO \"\(table)\"", port: port)
        node.clock.advance(microseconds: 61_000_000)
        try await node.node.sources.keepUp()
        try await node.node.kernel.jobs.runPending()
        #expect(try await node.node.sources.find(source).failures == 0)
        #expect(try await Self.names(node, code, clerk).count == 6)
        try await node.close()
    }

    /// A stop between the load and the note of how far it came: the same job goes on and doubles nothing.
    @Test func anInterruptedReadingIsFinishedOnce() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let code = try await node.resource(
            try PathTests.file("id,name,updated_at\n0,零,2026-01-01 00:00:00\n", "seed.csv"),
            name: "无主键归集",
            session: clerk
        ).code
        let drop = node.folder.appending(path: "drop")
        try FileManager.default.createDirectory(at: drop, withIntermediateDirectories: true)
        let file = drop.appending(path: "a.csv")
        try Data("id,name,updated_at\n1,甲,2026-01-02 00:00:00\n".utf8).write(to: file)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)],
            ofItemAtPath: file.path
        )
        let source = try await Self.add(node, Self.body(code, "folder", ["folder": drop.path], mode: "append"))
        let run = try await Self.run(node, source)
        let job = try #require(run["job"]?.integer)
        // As if the node had stopped before the last transaction: the fetched file is there, the load is done, nothing is noted.
        let spool = node.folder.appending(path: "uploads/collect-\(job).csv")
        try FileManager.default.copyItem(at: file, to: spool)
        let json = "{\"name\":\"a.csv\",\"size\":1,\"modified\":1700000000}"
        try await node.node.kernel.databases.control.write { db in
            try db.execute("DELETE FROM source_files")
            try db.execute(
                "UPDATE source_runs SET state = 'running', spool = ?, file = ?",
                [.text("collect-\(job).csv"), .text(json)]
            )
            try db.execute("UPDATE jobs SET state = 'queued' WHERE id = ?", [.integer(job)])
        }
        try await node.node.kernel.jobs.runPending()
        #expect(try await Self.names(node, code, clerk) == ["零", "甲"])
        #expect(try await node.node.sources.runs(source, limit: 5).count == 1)
        #expect(!FileManager.default.fileExists(atPath: spool.path))
        try await node.close()
    }

    // MARK: An interface

    /// A source of 250 rows with the troubles of real ones: a fault at first, a key, four ways of paging.
    static func interface() -> some ApplicationProtocol {
        let asked = Mutex(0)
        let router = Router()
        @Sendable func rows(_ range: Range<Int>) -> JSONValue {
            .array(
                range.map { index in
                    .object([
                        .init("id", .integer(Int64(index))),
                        .init("info", .object([.init("name", .string("车\(index)"))])),
                        .init(
                            "updated_at",
                            .string(
                                "2026-01-01T00:\(index / 60 < 10 ? "0" : "")\(index / 60):\(index % 60 < 10 ? "0" : "")\(index % 60)+08:00"
                            )
                        ),
                    ])
                }
            )
        }
        router.get("data") { request, _ -> Response in
            let first = asked.withLock { asked in
                asked += 1
                return asked == 1
            }
            if first { return Response(status: .serviceUnavailable) }
            guard request.headers[.authorization] == "Bearer s3cret" else { return Response(status: .unauthorized) }
            let query = request.uri.queryParameters
            func number(_ name: Substring) -> Int? { query[name].flatMap { Int($0) } }
            let size = number("page_size") ?? 100
            let after = query["since"].map { since in Int(since.dropFirst(17).prefix(2)) ?? 0 } ?? -1
            let start = number("page").map { ($0 - 1) * size } ?? number("offset") ?? number("cursor") ?? 0
            let begin = min(250, max(start, after < 0 ? 0 : after + 1 + 240))
            let end = min(250, begin + size)
            let next: JSONValue = end < 250 ? .string(String(end)) : .null
            let body = JSONValue.object([
                .init("data", .object([.init("items", rows(begin..<end))])), .init("next", next),
            ])
            var response = Response(status: .ok, body: .init(byteBuffer: .init(string: body.text)))
            if end < 250 {
                response.headers[HTTPField.Name("Link")!] = "</data?cursor=\(end)&page_size=\(size)>; rel=\"next\""
            }
            return response
        }
        // Rows without end, of which every page is another; and two pages by turns.
        router.get("unending") { request, _ -> Response in
            let page = request.uri.queryParameters["page"].flatMap { Int($0) } ?? 0
            let text = String(repeating: "长", count: 30_000)
            let rows = (0..<10).map { row in
                JSONValue.object([.init("id", .integer(Int64(page * 10 + row))), .init("name", .string(text))])
            }
            return Response(status: .ok, body: .init(byteBuffer: .init(string: JSONValue.array(rows).text)))
        }
        router.get("turns") { request, _ -> Response in
            let page = request.uri.queryParameters["page"].flatMap { Int($0) } ?? 0
            let rows = (0..<10).map { JSONValue.object([.init("id", .integer(Int64(page % 2 * 10 + $0)))]) }
            return Response(status: .ok, body: .init(byteBuffer: .init(string: JSONValue.array(rows).text)))
        }
        // A source with a limit of its own, 404 behind its last page, and a "since" that means "from".
        router.get("capped") { request, _ -> Response in
            let query = request.uri.queryParameters
            let page = query["page"].flatMap { Int($0) } ?? 1
            let since = query["since"].flatMap { Int($0) } ?? 0
            let all = (0..<120).filter { $0 >= since }.map {
                JSONValue.object([
                    .init("id", .integer(Int64($0))), .init("name", .string("c\($0)")),
                    .init("mark", .integer(Int64($0))),
                    .init("updated_at", "2026-01-01 00:00:00"),
                ])
            }
            let start = (page - 1) * 50
            guard start < all.count else { return Response(status: .notFound) }
            let rows = JSONValue.array(Array(all[start..<min(all.count, start + 50)]))
            return Response(status: .ok, body: .init(byteBuffer: .init(string: rows.text)))
        }
        router.get("endless") { _, _ in Response(status: .ok, body: .init(byteBuffer: .init(string: "[{\"id\":1}]"))) }
        router.get("words") { _, _ in Response(status: .ok, body: .init(byteBuffer: .init(string: "<html>"))) }
        return Application(router: router)
    }

    @Test func anInterfaceIsReadPageByPage() async throws {
        try await Self.interface().test(.live) { client in
            let port = try #require(client.port)
            let node = try await TestNode(demonstration: true)
            let clerk = try await node.session("clerk")
            for (paging, extra) in [
                ("page", [:]), ("offset", ["page_parameter": "offset"]),
                ("cursor", ["page_parameter": "cursor", "cursor": "next"]), ("link", [:]),
            ] {
                let code = try await Self.resource(node, clerk)
                var settings = [
                    "address": "http://127.0.0.1:\(port)/data", "rows": "data.items", "paging": paging,
                    "columns": "id\ninfo.name=name\nupdated_at",
                ]
                settings.merge(extra) { $1 }
                let source = try await Self.add(node, Self.body(code, "rest", settings, secret: "Bearer s3cret"))
                let run = try await Self.run(node, source)
                #expect(run["rows"]?.integer == 250 && run["good"]?.integer == 250, "\(paging) \(run)")
                let names = try await Self.names(node, code, clerk)
                #expect(
                    names.count == 250 && names[1] == "车1" && names[249] == "车249",
                    "\(paging): 0 was replaced by key"
                )
            }
            // A page smaller than asked for is not the end; rows given again are not added again; an idle source brings no news.
            let added = try await Self.resource(node, clerk)
            let capped = [
                "address": "http://127.0.0.1:\(port)/capped", "paging": "page", "page_size": "100", "since": "since",
                "watermark": "mark", "columns": "id\nname\nupdated_at",
            ]
            let source = try await Self.add(node, Self.body(added, "rest", capped, mode: "append"))
            let first = try await Self.run(node, source)
            #expect(first["rows"]?.integer == 120 && first["what"]?.string == "119", "\(first)")
            let again = try await Self.run(node, source)
            #expect(again["rows"]?.integer == 0 && again["load"]?.isNull == true, "\(again)")
            // A kept secret does not follow the source to another place, and what was read of another says nothing.
            let steward = try await node.session("steward")
            let path = "/api/v1/sources/\(source)"
            _ = try await node.ask(
                "PUT",
                path,
                headers: steward,
                body: Self.body(added, "rest", capped, mode: "append", secret: "s")
            )
            var moved = capped
            moved["address"] = "http://127.0.0.1:\(port)/data"
            let refused = try await node.ask(
                "PUT",
                path,
                headers: steward,
                body: Self.body(added, "rest", moved, mode: "append")
            )
            #expect(refused.json["code"]?.string == "source.secret_needed", "\(refused.text)")
            _ = try await node.ask(
                "PUT",
                path,
                headers: steward,
                body: Self.body(added, "rest", moved, mode: "append", secret: "t")
            )
            #expect(try await node.node.sources.find(source).checkpoint == nil)
            for (kind, settings, mode, code) in [
                ("odbc", ["connection": "Driver=/tmp/evil.so;UID=a", "table": "t"], "replace", "source.connection"),
                (
                    "odbc", ["connection": "Driver={No Such Driver};UID=a", "table": "t"], "replace",
                    "source.connection"
                ),
                ("odbc", ["connection": "DSN=x;PWD=clear", "table": "t"], "replace", "source.connection"),
                (
                    "odbc", ["connection": "Driver={SQLite3};Database=control.sqlite", "table": "t"], "replace",
                    "source.connection"
                ),
                (
                    "odbc", ["connection": "Driver={PostgreSQL Unicode};ConnSettings=drop table x", "table": "t"],
                    "replace", "source.connection"
                ),
                ("rest", ["address": "http://127.0.0.1/"], "append", "source.invalid"),
                ("rest", ["address": "http://127.0.0.1/"], "upsrt", "request.body"),
            ] {
                let answer = try await node.ask(
                    "POST",
                    "/api/v1/sources",
                    headers: steward,
                    body: Self.body(added, kind, settings, mode: mode)
                )
                #expect(answer.json["code"]?.string == code, "\(settings) \(answer.text)")
            }
            // Faults are told apart, and a source that never ends does not fill the disk.
            let code = try await Self.resource(node, clerk)
            for (path, key, problem) in [
                ("data", "Bearer wrong", "source.refused"), ("words", "", "source.malformed"),
                ("nowhere", "", "source.refused"),
            ] {
                let source = try await Self.add(
                    node,
                    Self.body(
                        code,
                        "rest",
                        ["address": "http://127.0.0.1:\(port)/\(path)", "rows": "data.items"],
                        secret: key
                    )
                )
                let run = try await Self.run(node, source)
                #expect(run["problem"]?["code"]?.string == problem, "\(path) \(run)")
            }
            let endless = try await Self.add(
                node,
                Self.body(
                    code,
                    "rest",
                    ["address": "http://127.0.0.1:\(port)/endless", "paging": "page", "page_size": "1"]
                )
            )
            #expect(try await Self.run(node, endless)["problem"]?["code"]?.string == "source.malformed")
            let closed = try await Self.add(node, Self.body(code, "rest", ["address": "http://127.0.0.1:1/"]))
            node.node.kernel.forget(resource: code)
            #expect(try await Self.run(node, closed)["problem"]?["code"]?.string == "source.unreachable")
            #expect(try await Self.names(node, code, clerk) == ["零"])
            try await node.close()
        }
    }

    @Test(.enabled(if: environment["TONGQU_TEST_SFTP"] != nil, "./test starts an SFTP server"))
    func filesComeBySFTP() async throws {
        let words = try #require(Self.environment["TONGQU_TEST_SFTP"]).split(separator: " ").map(String.init)
        let key = try String(contentsOfFile: words[2], encoding: .utf8)
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let code = try await Self.resource(node, clerk)
        let file = URL(filePath: words[3]).appending(path: "车辆 名单.csv")
        try Data("id,name,updated_at\n7,柒,2026-01-02 00:00:00\n".utf8).write(to: file)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)],
            ofItemAtPath: file.path
        )
        var settings = [
            "host": "127.0.0.1", "port": words[0], "user": words[4], "fingerprint": "SHA256:AAAA", "folder": words[3],
            "pattern": "*.csv",
        ]
        let source = try await Self.add(node, Self.body(code, "sftp", settings, mode: "append", secret: key))
        // Nothing, not even the key, is shown to a machine with another host key.
        let strange = try await Self.run(node, source)
        #expect(strange["problem"]?["code"]?.string == "source.host_key", "\(strange)")
        settings["fingerprint"] = words[1]
        let steward = try await node.session("steward")
        // Another host key is another machine: the key that was kept is not for that one.
        let kept = try await node.ask(
            "PUT",
            "/api/v1/sources/\(source)",
            headers: steward,
            body: Self.body(code, "sftp", settings, mode: "append")
        )
        #expect(kept.status == 422, "\(kept.text)")
        let changed = try await node.ask(
            "PUT",
            "/api/v1/sources/\(source)",
            headers: steward,
            body: Self.body(code, "sftp", settings, mode: "append", secret: key)
        )
        #expect(changed.status == 200, "\(changed.text)")
        let run = try await Self.run(node, source)
        #expect(run["what"]?.string == "车辆 名单.csv" && run["good"]?.integer == 1, "\(run)")
        #expect(try await Self.run(node, source)["rows"]?.integer == 0)
        try await node.close()
    }

    /// A source without end is stopped by disabling it, and one whose pages come by turns by itself; some addresses are asked by nobody.
    @Test(.timeLimit(.minutes(6))) func sourcesWithoutEndAreStopped() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let steward = try await node.session("steward")
        let code = try await Self.resource(node, clerk)
        try await Self.interface().test(.live) { client in
            let port = try #require(client.port)
            func settings(_ path: String) -> [String: String] {
                ["address": "http://127.0.0.1:\(port)/\(path)", "paging": "page", "page_size": "10"]
            }
            let turns = try await Self.add(node, Self.body(code, "rest", settings("turns")))
            #expect(try await Self.run(node, turns)["problem"]?["code"]?.string == "source.malformed")
            let endless = try await Self.add(node, Self.body(code, "rest", settings("unending")))
            let queued = try await node.ask("POST", "/api/v1/sources/\(endless)/runs", headers: steward)
            async let ran = node.node.kernel.jobs.runPending()
            try await Task.sleep(for: .seconds(1))
            let off = try await node.ask("DELETE", "/api/v1/sources/\(endless)", headers: steward)
            #expect(off.status < 300, "\(off.text)")
            _ = try await ran
            let job = try #require(queued.json["job"]?.integer)
            #expect(try await node.node.kernel.jobs.find(job)?.result["code"]?.string == "source.stopped")
            let left = try FileManager.default.contentsOfDirectory(atPath: node.folder.appending(path: "uploads").path)
            #expect(!left.contains { $0.hasSuffix(".part") }, "\(left)")
        }
        for (address, head) in [
            ("http://169.254.169.254/latest", "Authorization"), ("http://2852039166/", "Authorization"),
            ("http://[fe80::1]/", "Authorization"), ("http://a:b@127.0.0.1/", "Authorization"),
            ("file:///etc/passwd", "Authorization"), ("http://127.0.0.1/", "Host"), ("http://127.0.0.1/", "X: y"),
        ] {
            let refused = try await node.ask(
                "POST",
                "/api/v1/sources",
                headers: steward,
                body: Self.body(code, "rest", ["address": address, "head": head])
            )
            #expect(refused.json["code"]?.string == "source.invalid", "\(address) \(head): \(refused.text)")
        }
        for host in ["@tq", "/tmp", "a@b"] {
            let refused = try await node.ask(
                "POST",
                "/api/v1/sources",
                headers: steward,
                body: Self.body(code, "postgresql", ["host": host, "database": "d", "user": "u", "table": "t"])
            )
            #expect(refused.json["code"]?.string == "source.invalid", "\(host): \(refused.text)")
        }
        try await node.close()
    }
}
