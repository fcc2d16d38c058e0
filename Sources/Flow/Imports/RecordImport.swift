public import Basics
import Store

/// A file of records on its way through a beginning step: checked first, then taken in row by row.
public struct RecordImport: Sendable, Hashable {
    public enum State: String, Sendable {
        /// Its rows are being tried.
        case checking
        /// Every row was tried; nothing was made.
        case checked
        /// Every row was taken in or refused.
        case done
    }

    public var id: String
    public var resource: Int64
    public var step: String
    /// The file's name, as it was sent.
    public var name: String
    /// The file's name in the folder of imports.
    var file: String
    public var digest: String
    public var principal: Int64
    public var at: Int64
    public var state: State
    public var rows: Int64
    /// Rows that would be, or were, taken in; and those that were refused.
    public var good: Int64
    public var bad: Int64
    /// Columns that the step does not ask for.
    public var ignored: [String]
}

/// A row that was refused, and why.
public struct RefusedRow: Sendable, Hashable {
    /// The row's line in the file.
    public var line: Int64
    public var reason: LocalizedText
}

/// The row of a file that a record is made of: it is made of it once.
public struct ImportLine: Sendable, Hashable {
    var id: String
    var line: Int64
}

/// Where imports and their rows are kept, beside the records that are made of them.
enum ImportStore {
    static let migrations = [
        Migration(
            "flow_imports/001-imports",
            [
                """
                CREATE TABLE flow_imports (id TEXT PRIMARY KEY, resource BIGINT NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL,
                digest TEXT NOT NULL, principal BIGINT NOT NULL, at BIGINT NOT NULL, state TEXT NOT NULL, total BIGINT NOT NULL,
                good BIGINT NOT NULL, bad BIGINT NOT NULL, ignored TEXT NOT NULL)
                """,
                "CREATE INDEX flow_imports_mine ON flow_imports (resource, principal, at)",
                "CREATE INDEX flow_imports_at ON flow_imports (at)",
                """
                CREATE TABLE flow_import_rows (import_id TEXT NOT NULL, line BIGINT NOT NULL, record BIGINT, zh TEXT NOT NULL, en TEXT NOT NULL,
                PRIMARY KEY (import_id, line))
                """,
            ]
        )
    ]

    private static let columns =
        "id, resource, step, name, file, digest, principal, at, state, total, good, bad, ignored"

    private static func read(_ row: SQLRow) throws -> RecordImport {
        RecordImport(
            id: row.text(0),
            resource: row.integer(1),
            step: row.text(2),
            name: row.text(3),
            file: row.text(4),
            digest: row.text(5),
            principal: row.integer(6),
            at: row.integer(7),
            state: RecordImport.State(rawValue: row.text(8)) ?? .checking,
            rows: row.integer(9),
            good: row.integer(10),
            bad: row.integer(11),
            ignored: (try JSONValue(text: row.text(12)).array ?? []).compactMap(\.string)
        )
    }

    static func find(_ id: String, _ db: any SQLReading) throws -> RecordImport? {
        try db.row("SELECT \(columns) FROM flow_imports WHERE id = ?", [.text(id)]).map(read)
    }

    static func recent(_ resource: Int64, _ principal: Int64, _ db: any SQLReading) throws -> [RecordImport] {
        try db.rows(
            "SELECT \(columns) FROM flow_imports WHERE resource = ? AND principal = ? ORDER BY at DESC LIMIT 20",
            [.integer(resource), .integer(principal)]
        ).map(read)
    }

    static func older(than moment: Int64, _ db: any SQLReading) throws -> [RecordImport] {
        try db.rows("SELECT \(columns) FROM flow_imports WHERE at < ? ORDER BY at LIMIT 100", [.integer(moment)])
            .map(read)
    }

    static func add(_ made: RecordImport, _ db: any SQLWriting) throws {
        let ignored = JSONValue.array(made.ignored.map { .string($0) }).text
        try db.execute(
            "INSERT INTO flow_imports (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                .text(made.id), .integer(made.resource), .text(made.step), .text(made.name), .text(made.file),
                .text(made.digest), .integer(made.principal), .integer(made.at), .text(made.state.rawValue),
                .integer(made.rows), .integer(made.good), .integer(made.bad), .text(ignored),
            ]
        )
    }

    static func settle(_ made: RecordImport, _ db: any SQLWriting) throws {
        try db.execute(
            "UPDATE flow_imports SET state = ?, good = ?, bad = ? WHERE id = ?",
            [.text(made.state.rawValue), .integer(made.good), .integer(made.bad), .text(made.id)]
        )
    }

    static func remove(_ id: String, _ db: any SQLWriting) throws {
        try db.execute("DELETE FROM flow_import_rows WHERE import_id = ?", [.text(id)])
        try db.execute("DELETE FROM flow_imports WHERE id = ?", [.text(id)])
    }

    // MARK: Rows

    /// The lines that records were made of.
    static func taken(_ id: String, _ db: any SQLReading) throws -> Set<Int64> {
        Set(
            try db.rows(
                "SELECT line FROM flow_import_rows WHERE import_id = ? AND record IS NOT NULL",
                [.text(id)]
            ).map { $0.integer(0) }
        )
    }

    static func record(of line: ImportLine, _ db: any SQLReading) throws -> Int64? {
        try db.row(
            "SELECT record FROM flow_import_rows WHERE import_id = ? AND line = ?",
            [.text(line.id), .integer(line.line)]
        )?.optionalInteger(0)
    }

    /// Keeps which record a line became, in the transaction that makes it.
    static func take(_ line: ImportLine, _ record: Int64, _ db: any SQLWriting) throws {
        try db.execute(
            """
            INSERT INTO flow_import_rows (import_id, line, record, zh, en) VALUES (?,?,?,'','')
            ON CONFLICT (import_id, line) DO UPDATE SET record = excluded.record, zh = '', en = ''
            """,
            [.text(line.id), .integer(line.line), .integer(record)]
        )
    }

    static func refuse(_ rows: [RefusedRow], of id: String, _ db: any SQLWriting) throws {
        for row in rows {
            try db.execute(
                """
                INSERT INTO flow_import_rows (import_id, line, record, zh, en) VALUES (?,?,NULL,?,?)
                ON CONFLICT (import_id, line) DO UPDATE SET zh = excluded.zh, en = excluded.en
                """,
                [.text(id), .integer(row.line), .text(row.reason.zh), .text(row.reason.en)]
            )
        }
    }

    /// Forgets what was said of rows that no record was made of: they are tried again.
    static func forgive(_ id: String, _ db: any SQLWriting) throws {
        try db.execute("DELETE FROM flow_import_rows WHERE import_id = ? AND record IS NULL", [.text(id)])
    }

    static func refused(_ id: String, after line: Int64, limit: Int, _ db: any SQLReading) throws -> [RefusedRow] {
        try db.rows(
            "SELECT line, zh, en FROM flow_import_rows WHERE import_id = ? AND line > ? AND record IS NULL ORDER BY line LIMIT \(limit)",
            [.text(id), .integer(line)]
        ).map { RefusedRow(line: $0.integer(0), reason: .init($0.text(1), $0.text(2))) }
    }
}
