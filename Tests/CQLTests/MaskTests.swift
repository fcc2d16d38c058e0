import Basics
import CQL
import Codes
import Foundation
import Mask
import Store
import StorePostgres
import StoreSQLite
import Tabular
import TestKit
import Testing

/// Masks over batches and in SQL make the same of the same values.
@Suite struct MaskTests {
    private static let fields = [
        Field("text"), Field("shape", .geometry), Field("number", .integer), Field("fee", .decimal, scale: 2),
        Field("x", .real), Field("place", .point), Field("day", .date), Field("at", .time), Field("seen", .timestamp),
        Field("open", .boolean),
    ]

    private static let masks: [Mask] =
        [
            .keep(prefix: 0, suffix: 0), .keep(prefix: 3, suffix: 4), .keep(prefix: 2, suffix: 0),
            .keep(prefix: 0, suffix: 2), .keep(prefix: 1_000_000, suffix: 1_000_000), .personName, .suppress,
            .generaliseTime(.quarterHour), .generaliseTime(.month), .generaliseTime(.year),
        ] + [0.01, 0.001, 0.3, 1, 2.5, 5, 10, 1e-9, 0.07].map { .roundPosition(grid: $0) }

    @Test func batchesAndSQLiteAgree() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-mask-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try SQLiteDatabase(path: folder.appending(path: "t.sqlite").path)
        try await agree(database, .sqlite, .sqlite)
        try await database.close()
    }

    @Test(.enabled(if: CQLTests.port != nil, "needs TONGQU_TEST_POSTGRES: run ./test"))
    func batchesAndPostgreSQLAgree() async throws {
        let address =
            "postgresql://tongqu:tongqu-test@127.0.0.1:\(CQLTests.port ?? "")/postgres?schema=mask\(Int.random(in: 0..<1_000_000_000))"
        let server = PostgresServer(try PostgresSettings(address, connections: 2))
        try await agree(try await server.database("t"), .postgresql, .postgresql())
        try await server.removeEverything()
        server.close()
    }

    private func agree(_ database: any Database, _ engine: Mask.Engine, _ language: SQLEngine) async throws {
        let rows = 6000
        var random = CQLTests.Random(state: 20_261_122)
        let batch = MaskTests.rows(rows, &random)
        var columns: [[String]] = []
        for (index, field) in Self.fields.enumerated() {
            columns.append(field.type == .point ? ["c\(index)x", "c\(index)y"] : ["c\(index)"])
        }
        let names = columns.flatMap(\.self)
        let types = zip(Self.fields, columns).flatMap { field, names in
            names.map { "\($0) \(database.dialect.columnType(field.type))" }
        }
        try await database.write { db in
            try db.execute("CREATE TABLE t (_id INTEGER PRIMARY KEY, \(types.joined(separator: ", ")))")
            try db.insert(
                into: "t",
                ["_id"] + names,
                batch,
                rows: (0..<Int32(rows)).map { $0 },
                lead: [.counting(from: 0)]
            )
        }
        for mask in Self.masks {
            for (index, field) in Self.fields.enumerated() {
                let selected = mask.sql(columns[index], of: field, for: engine).joined(separator: ", ")
                let made = try await database.read { db in
                    try db.batch("SELECT \(selected) FROM t ORDER BY _id", [], fields: [field], capacity: rows)
                }
                let masked = mask.apply(batch.columns[index], field: field)
                let wanted = Batch(fields: [field], columns: [masked], count: rows)
                let again = Batch(fields: [field], columns: [mask.apply(masked, field: field)], count: rows)
                let other = (0..<rows).first { made.value($0, 0) != wanted.value($0, 0) }
                if let other {
                    Issue.record(
                        "\(mask.code) of \(batch.value(other, index)) is \(wanted.value(other, 0)), in SQL \(made.value(other, 0)): \(selected)"
                    )
                }
                #expect(
                    (0..<rows).allSatisfy { again.value($0, 0) == wanted.value($0, 0) },
                    "\(mask.code): twice is once"
                )
            }
        }
        // As a function of expressions, over fields and over texts that are bound.
        for kind in SemanticKind.allCases {
            let masked = Self.texts(batch).map { $0.map { (Mask.standard(for: kind) ?? .suppress).apply($0) } }
            for (text, value) in zip(masked, Self.texts(batch)).prefix(12) {
                let quoted = "'\((text ?? "").replacing("'", with: "''").replacing("\\", with: "\\\\"))'"
                let argument = "'\((value ?? "").replacing("'", with: "''").replacing("\\", with: "\\\\"))'"
                for source in ["mask('\(kind.rawValue)', text)", "mask('\(kind.rawValue)', \(argument))"] {
                    let expression = try BoundExpression(text: "\(source) = \(quoted)", fields: Self.fields)
                    let predicate = expression.sql(for: language) { columns[Self.fields.firstIndex(of: $0) ?? 0] }
                    let fragment = try #require(predicate.fragment)
                    #expect(predicate.rest == nil)
                    let values = fragment.values.map { SQLValue($0) }
                    let found = try await database.read { db in
                        try db.rows("SELECT _id FROM t WHERE \(fragment.text) ORDER BY _id", values).map {
                            Int($0.integer(0))
                        }
                    }
                    let truths = expression.evaluate(batch)
                    #expect(found == truths.indices.filter { truths[$0] == .yes }, "\(source) = \(quoted)")
                }
            }
        }
    }

    private static func texts(_ batch: Batch) -> [String?] {
        (0..<batch.count).map { batch.columns[0].isNull($0) ? nil : batch.value($0, 0).text }
    }

    private static let scalars: [String] = [
        "a", "Z", "0", "9", " ", "*", "'", "\\", "%", "_", "é", "e\u{301}", "张", "三", "欧", "阳", "诸", "葛", "冀", "京", "·",
        "𠮷",
        "👨‍👩‍👧", "🇨🇳", "\u{200B}", "\u{FEFF}", "\u{FFFD}", "\u{10FFFF}", "ß", "İ", "\u{1F}", "\n", "葛\u{E0100}", "ʹ",
    ]

    private static func rows(_ count: Int, _ random: inout CQLTests.Random) -> Batch {
        var builders = fields.map { ColumnBuilder($0) }
        func number() -> Double {
            let whole = Double(random.next(2_000_000) - 1_000_000)
            return switch random.next(8) {
            case 0: whole / 2
            case 1: whole / 100 + 0.005
            case 2: whole * 1e4
            case 3: whole * 1e290
            case 4:
                [0, -0.0, 0.49999999999999994, -0.5, 1e9, -1e9, 999_999_999.9, .leastNonzeroMagnitude][random.next(8)]
            default: Double(random.next(360_000_000)) / 1e6 - 180
            }
        }
        for row in 0..<count {
            for index in fields.indices {
                guard random.next(9) > 0 else {
                    builders[index].appendNull()
                    continue
                }
                let near = Int64(random.next(4_000_000)) - 1_000_000
                switch fields[index].type {
                case .text, .geometry:
                    let name = row % 7 == 0 ? ["欧阳", "司马", "诸葛"][random.next(3)] : ""
                    let rest = (0..<random.next(12)).map { _ in scalars[random.next(scalars.count)] }.joined()
                    builders[index].append(.text(name + rest))
                case .integer: builders[index].append(.integer(near))
                case .decimal: builders[index].append(.decimal(near, scale: 2))
                case .real: builders[index].append(.real(number()))
                case .point: builders[index].append(.point(number(), number()))
                case .date: builders[index].append(.date(Int32(near)))
                case .time: builders[index].append(.time(near * 20_000))
                case .timestamp:
                    let moment = near * 86_400_000_000 + Int64(random.next(2_000_000_000)) * 43
                    builders[index].append(.timestamp(random.next(3) == 0 ? moment * 8 : moment))
                default: builders[index].append(.boolean(near % 2 == 0))
                }
            }
        }
        return Batch(fields: fields, columns: builders.indices.map { builders[$0].finish() }, count: count)
    }
}
