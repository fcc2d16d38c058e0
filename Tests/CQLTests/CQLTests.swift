import Basics
import CQL
import Foundation
import Store
import StorePostgres
import StoreSQLite
import Tabular
import TestKit
import Testing

@Suite struct CQLTests {
    static let fields = [
        Field("plate"), Field("axles", .integer), Field("mass", .real), Field("fee", .decimal, scale: 2),
        Field("day", .date), Field("seen", .timestamp),
        Field("open", .boolean), Field("总质量", .real),
    ]

    @Test(arguments: [
        ("axles = ", "cql.syntax", 9), ("axles == 3", "cql.syntax", 7), ("(axles = 3", "cql.syntax", 11),
        ("plate LIKE 'a", "cql.syntax", 12),
        ("axles NOT 3", "cql.syntax", 11), ("axles = 3 axles", "cql.syntax", 11),
        ("axles IN （2，3）", "cql.syntax", 10), ("S_INTERSECTS(geom, POLYGON((0 0,1 1,1 0,0 1)))", "cql.syntax", 44),
        ("axles = 2 ^ 3 ^ 2", "cql.syntax", 15),
    ])
    func syntaxErrorsNameThePosition(text: String, code: String, position: Int) {
        do {
            _ = try Expression(text)
            Issue.record("\(text) was accepted")
        } catch {
            #expect(error.code == code && error.details["position"] == String(position), "\(text): \(error.details)")
        }
    }

    @Test func unknownNamesGetASuggestion() {
        do {
            _ = try BoundExpression(text: "palte = 'x'", fields: CQLTests.fields)
            Issue.record("accepted")
        } catch {
            #expect(error.code == "cql.unknown_property" && error.hint?.en == "Did you mean “plate”?")
            #expect(error.details["position"] == "1")
        }
    }

    @Test(arguments: [
        "axles = 'x'", "plate = 3 AND mass", "plate + 1 > 2", "nofunction(plate) = 'x'", "day LIKE 'x'",
        "axles IN (plate)", "length(axles) = 1", "S_WITHIN(plate, POINT(1 2))", "T_DURING(seen, INTERVAL('..', '..'))",
        "T_AFTER(day, INTERVAL('2026-02-01', '2026-01-01'))", "A_EQUALS(axles, (1))", "valid('nothing', plate)",
    ])
    func typesAreChecked(text: String) {
        #expect(throws: Problem.self) { try BoundExpression(text: text, fields: CQLTests.fields) }
    }

    @Test func depthAndSizeAreLimited() {
        #expect(throws: Problem.self) {
            try Expression(String(repeating: "(", count: 300) + "axles = 1" + String(repeating: ")", count: 300))
        }
        #expect(throws: Problem.self) { try Expression(String(repeating: "axles = 1 AND ", count: 3000) + "axles = 1") }
    }

    /// Thousands of random expressions over random rows: in memory and in SQLite the answers are the same, null logic included.
    @Test func memoryAndSQLiteAgree() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-cql-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try SQLiteDatabase(path: folder.appending(path: "t.sqlite").path)
        try await agree(database, .sqlite)
        try await database.close()
    }

    /// The same in PostgreSQL.
    @Test(.enabled(if: CQLTests.port != nil, "needs TONGQU_TEST_POSTGRES: run ./test"))
    func memoryAndPostgreSQLAgree() async throws {
        let address =
            "postgresql://tongqu:tongqu-test@127.0.0.1:\(CQLTests.port ?? "")/postgres?schema=cql\(Int.random(in: 0..<1_000_000_000))"
        let server = PostgresServer(try PostgresSettings(address, connections: 2))
        try await agree(try await server.database("t"), .postgresql())
        try await server.removeEverything()
        server.close()
    }

    static let port = ProcessInfo.processInfo.environment["TONGQU_TEST_POSTGRES"]

    private func agree(_ database: any Database, _ engine: SQLEngine) async throws {
        var random = Random(state: 20_261_121)
        let rows = 60
        let batch = CQLTests.rows(rows, &random)
        let columns = CQLTests.fields.indices.map { "c\($0) \(database.dialect.columnType(CQLTests.fields[$0].type))" }
            .joined(separator: ", ")
        try await database.write { db in
            try db.execute("CREATE TABLE t (_id INTEGER PRIMARY KEY, \(columns))")
            try db.insert(
                into: "t",
                ["_id"] + CQLTests.fields.indices.map { "c\($0)" },
                batch,
                rows: (0..<Int32(rows)).map { $0 },
                lead: [.counting(from: 0)]
            )
        }
        var left = 0
        defer { #expect(left > 100 && left < 2000, "\(left) left to memory") }
        for _ in 0..<3000 {
            let text = CQLTests.predicate(&random, depth: 3)
            let expression = try BoundExpression(text: text, fields: CQLTests.fields)
            let memory = expression.evaluate(batch)
            let predicate = expression.sql(for: engine) { field in
                ["c\(CQLTests.fields.firstIndex { $0.name == field.name } ?? 0)"]
            }
            // What is left to memory: SQL lets through every row that fits.
            guard predicate.rest == nil, let fragment = predicate.fragment else {
                left += 1
                guard let fragment = predicate.fragment else { continue }
                let values = fragment.values.map { SQLValue($0) }
                let ids = try await database.read { db in
                    Set(try db.rows("SELECT _id FROM t WHERE \(fragment.text)", values).map { Int($0.integer(0)) })
                }
                let rest = predicate.rest?.evaluate(batch) ?? []
                let both = memory.indices.filter { ids.contains($0) && rest[$0] == .yes }
                #expect(both == memory.indices.filter { memory[$0] == .yes }, "\(text)\n\(fragment.text)")
                continue
            }
            let values = fragment.values.map { SQLValue($0) }
            let answers = try await database.read { db in
                try db.rows("SELECT \(fragment.text) FROM t ORDER BY _id", values)
            }
            let sql = answers.map { $0.values[0] == .null ? Truth.unknown : $0.integer(0) != 0 ? .yes : .no }
            #expect(memory == sql, "\(text)\n\(fragment.text)")
            if memory != sql { break }
        }
    }

    struct Random {
        var state: UInt64
        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }

    static func rows(_ count: Int, _ random: inout Random) -> Batch {
        let texts = ["冀A12345", "京B", "", "a%b", "A_b", "é", "abc", "ABC"]
        var builders = fields.map { ColumnBuilder($0) }
        for _ in 0..<count {
            for index in fields.indices {
                if random.next(5) == 0 {
                    builders[index].appendNull()
                    continue
                }
                switch fields[index].type {
                case .text: builders[index].append(.text(texts[random.next(texts.count)]))
                case .integer:
                    builders[index].append(.integer([0, 1, 2, 3, -4, 9_007_199_254_740_993][random.next(6)]))
                case .real: builders[index].append(.real([0, 1.5, -2.25, 3, 1e10, 0.1][random.next(6)]))
                case .decimal: builders[index].append(.decimal(Int64(random.next(900)) - 300, scale: 2))
                case .date: builders[index].append(.date(20_000 + Int32(random.next(800))))
                case .timestamp:
                    builders[index].append(.timestamp(1_700_000_000_000_000 + Int64(random.next(5)) * 1_000_000))
                default: builders[index].append(.boolean(random.next(2) == 0))
                }
            }
        }
        return Batch(fields: fields, columns: builders.indices.map { builders[$0].finish() }, count: count)
    }

    static func number(_ random: inout Random, depth: Int) -> String {
        switch random.next(depth > 0 ? 11 : 6) {
        case 0: "axles"
        case 1: "mass"
        case 2: "fee"
        case 3: "\"总质量\""
        case 4: ["0", "3", "-2.25", "1.5", "0.1", "9007199254740993"][random.next(6)]
        case 5: "length(plate)"
        case 6: "abs(\(number(&random, depth: depth - 1)))"
        case 7: "year(day)"
        case 8: "days_between(day, \(["DATE('2025-06-01')", "day", "add_days(day, 3)"][random.next(3)]))"
        case 9:
            "\(["least", "greatest"][random.next(2)])(\(number(&random, depth: depth - 1)), \(number(&random, depth: depth - 1)))"
        default:
            "(\(number(&random, depth: depth - 1)) \(["+", "-", "*", "/", "%", "div"][random.next(6)]) \(number(&random, depth: depth - 1)))"
        }
    }

    static func predicate(_ random: inout Random, depth: Int) -> String {
        let comparison = ["=", "<>", "<", "<=", ">", ">="][random.next(6)]
        switch random.next(depth > 0 ? 12 : 8) {
        case 0: return "plate \(comparison) '\(["冀A12345", "abc", ""][random.next(3)])'"
        case 1: return "\(number(&random, depth: depth - 1)) \(comparison) \(number(&random, depth: depth - 1))"
        case 2: return "plate LIKE '\(["%A%", "a\\%b", "_b", "abc", "%", "A_b"][random.next(6)])'"
        case 3: return "axles \(random.next(2) == 0 ? "" : "NOT ")IN (1, 3, 9007199254740993)"
        case 4: return "mass \(random.next(2) == 0 ? "" : "NOT ")BETWEEN 0 AND 2"
        case 5:
            return
                "\(["plate", "axles", "day", "open", "seen"][random.next(5)]) IS \(random.next(2) == 0 ? "" : "NOT ")NULL"
        case 6: return "day \(comparison) DATE('2025-06-01')"
        case 7:
            return [
                "open", "casei(plate) = casei('ABC')", "T_BEFORE(day, DATE('2025-06-01'))",
                "T_INTERSECTS(seen, INTERVAL('2023-11-14T22:13:21Z', '..'))", "lower(plate) = 'abc'",
                "T_EQUALS(INTERVAL(day, '..'), INTERVAL('2025-01-01', '..'))", "accenti(plate) = 'e'",
                "add_days(day, -30) \(comparison) DATE('2025-06-01')", "add_days(day, axles) IS NULL",
                "day \(comparison) add_days(DATE('2025-06-01'), 45)",
            ][random.next(10)]
        case 8: return "NOT (\(predicate(&random, depth: depth - 1)))"
        case 9: return "(\(predicate(&random, depth: depth - 1)) AND \(predicate(&random, depth: depth - 1)))"
        case 10: return "(\(predicate(&random, depth: depth - 1)) OR \(predicate(&random, depth: depth - 1)))"
        default: return "coalesce(axles, 0) \(comparison) 2"
        }
    }
}
