import Basics
public import Tabular

/// Reading inside a transaction. Values are bound, never spliced into the text.
public protocol SQLReading {
    /// Every row of an answer; for answers known to be small.
    func rows(_ sql: String, _ values: [SQLValue]) throws -> [SQLRow]
    /// Rows of an answer as a typed batch; the answer's columns are those of the fields, a point taking two.
    func batch(_ sql: String, _ values: [SQLValue], fields: [Field], capacity: Int) throws -> Batch
    /// Rows of a table after an id, in the order of their ids, as fast as the engine gives them. The columns begin with `_id`.
    func batch(of table: String, _ columns: [String], after id: Int64, limit: Int, fields: [Field]) throws -> Batch
    var dialect: Dialect { get }
    /// The names of the database's tables.
    func tables() throws -> [String]
    /// The engine's plan of a statement, for tests.
    func plan(_ sql: String, _ values: [SQLValue]) throws -> String
}

/// Writing inside a transaction. Closures have no outside effects: an engine may run them again.
public protocol SQLWriting: SQLReading {
    /// Runs a statement; the number of rows changed.
    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int
    /// The id of the row inserted last.
    var lastInsertedID: Int64 { get }
    /// Inserts rows of batches, as fast as the engine can: of many at once, for beginning costs as much as a thousand rows. The table's
    /// columns are given in the order of the lead values, which go into BIGINT columns, and then of the batches' (a point: two), which
    /// have the types of ``Dialect/columnType(_:)``.
    func insert(into table: String, _ columns: [String], _ parts: [InsertedRows]) throws
}

/// Rows of a batch to be inserted, with the values put before their columns.
public struct InsertedRows: Sendable {
    public var batch: Batch
    public var rows: [Int32]
    public var lead: [LeadValue]

    public init(_ batch: Batch, rows: [Int32], lead: [LeadValue]) {
        self.batch = batch
        self.rows = rows
        self.lead = lead
    }
}

/// A value put before the columns of every row inserted.
public enum LeadValue: Sendable, Hashable {
    /// The same for each row.
    case constant(Int64)
    /// This for the first row, one more for each that follows.
    case counting(from: Int64)
    /// One for each row taken.
    case listed([Int64])
}

extension SQLReading {
    public func rows(_ sql: String) throws -> [SQLRow] { try rows(sql, []) }
    public func row(_ sql: String, _ values: [SQLValue] = []) throws -> SQLRow? { try rows(sql, values).first }

    public func batch(
        of table: String,
        _ columns: [String],
        after id: Int64,
        limit: Int,
        fields: [Field]
    ) throws -> Batch {
        try batch(
            "SELECT \(columns.joined(separator: ", ")) FROM \(table) WHERE _id > ? ORDER BY _id LIMIT \(limit)",
            [.integer(id)],
            fields: fields,
            capacity: limit
        )
    }
}

extension SQLWriting {
    /// Inserts rows of one batch.
    public func insert(into table: String, _ columns: [String], _ batch: Batch, rows: [Int32], lead: [LeadValue]) throws
    {
        try insert(into: table, columns, [InsertedRows(batch, rows: rows, lead: lead)])
    }

    @discardableResult
    public func execute(_ sql: String) throws -> Int { try execute(sql, []) }
}

/// A database: one file of SQLite, one schema of PostgreSQL.
public protocol Database: Sendable {
    var dialect: Dialect { get }
    /// Runs a closure in a read transaction on a database thread.
    func read<T: Sendable>(_ body: @escaping @Sendable (any SQLReading) throws -> T) async throws -> T
    /// Runs one statement that is known to be short: rows found by a key, the first few of a table. An engine that may runs it on the
    /// caller's thread, which costs less than to go to another and back.
    func glance<T: Sendable>(_ body: @escaping @Sendable (any SQLReading) throws -> T) async throws -> T
    /// Runs a closure in a write transaction on a database thread; durable when it returns.
    @discardableResult
    func write<T: Sendable>(_ body: @escaping @Sendable (any SQLWriting) throws -> T) async throws -> T
    /// How many write transactions of this process have ended. Whoever takes the number, then reads, knows as long as it stays the same
    /// that this process has changed nothing since: it grows after the commit and before ``write(_:)`` returns.
    var writes: Int { get }
}

extension Database {
    public func glance<T: Sendable>(_ body: @escaping @Sendable (any SQLReading) throws -> T) async throws -> T {
        try await read(body)
    }
}

/// The few places where engines differ. Everything else is the SQL both know.
public enum Dialect: String, Sendable {
    case sqlite, postgresql

    /// The type of a field's column, in the common words that every engine reads its own way.
    public func columnType(_ type: FieldType) -> String {
        switch type {
        case .text, .geometry, .file: "TEXT"
        case .real, .point: "REAL"
        case .date: "INTEGER"
        case .boolean: "SMALLINT"
        case .integer, .decimal, .time, .timestamp: "BIGINT"
        }
    }

    /// A join that SQLite runs in the order it is written in; PostgreSQL plans by its own statistics.
    public var joinInOrder: String { self == .sqlite ? "CROSS JOIN" : "JOIN" }

    /// A member of a JSON text, as text.
    public func member(_ name: String, of column: String) -> String {
        switch self {
        case .sqlite: "json_extract(\(column), '$.\(name)')"
        case .postgresql: "(CAST(\(column) AS json) ->> '\(name)')"
        }
    }
}

/// A store that several processes of one node work on together.
public protocol SharedStore: Sendable {
    /// Names this process among them; another name after each start.
    var process: String { get }
    /// The processes that are connected now.
    func connected() async throws -> Set<String>
    /// Gives on what others changed: a table's name and a row's key; nil where anything may have changed.
    func listen(_ body: @escaping @Sendable (_ changed: (table: String, key: String)?) -> Void)
}

/// The four databases of a node. No transaction spans two of them.
public struct Databases: Sendable {
    /// Organisations, principals, grants, entries, jobs, settings.
    public var control: any Database
    /// The evidence chain.
    public var evidence: any Database
    /// Resources written by forms and flows.
    public var records: any Database
    /// Resources written by loads.
    public var lake: any Database
    /// Where other processes of the node may be at work too; nil on SQLite, which is one process's.
    public var shared: (any SharedStore)?

    public init(
        control: any Database,
        evidence: any Database,
        records: any Database,
        lake: any Database,
        shared: (any SharedStore)? = nil
    ) {
        self.shared = shared
        self.control = control
        self.evidence = evidence
        self.records = records
        self.lake = lake
    }

    public var all: [(name: String, database: any Database)] {
        [("control", control), ("evidence", evidence), ("records", records), ("lake", lake)]
    }
}

/// A step of a database's schema: named `<area>/<nnn>-<what>`, literal, never edited once landed.
public struct Migration: Sendable {
    public var name: String
    public var statements: [String]
    /// What one engine alone is told after them, where the two must differ.
    public var own: [Dialect: [String]]

    public init(_ name: String, _ statements: [String], sqlite: [String] = [], postgresql: [String] = []) {
        self.name = name
        self.statements = statements
        own = [.sqlite: sqlite, .postgresql: postgresql]
    }

    /// Applies the steps a database does not have yet, each in a transaction of its own.
    ///
    /// - Throws: `store.newer` where the database knows steps that this program does not: it was written by a later one.
    public static func apply(_ migrations: [Migration], to database: any Database, at microseconds: Int64) async throws
    {
        let done = try await database.write { db in
            try db.execute(
                "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)"
            )
            return Set(try db.rows("SELECT name FROM schema_migrations").map { $0.text(0) })
        }
        let unknown = done.subtracting(migrations.map(\.name))
        guard unknown.isEmpty else {
            throw Problem(
                "store.newer",
                status: 500,
                zh: "数据目录由更新版本的程序写成，本程序不能打开。",
                en: "The data directory was written by a later release; this program cannot open it.",
                details: ["steps": unknown.sorted().joined(separator: ", ")],
                hint: .init("请使用更新的版本。", "Use the later release.")
            )
        }
        for migration in migrations where !done.contains(migration.name) {
            try await database.write { db in
                for statement in migration.statements + (migration.own[database.dialect] ?? []) {
                    try db.execute(statement)
                }
                try db.execute(
                    "INSERT INTO schema_migrations (name, applied_at) VALUES (?, ?)",
                    [.text(migration.name), .integer(microseconds)]
                )
            }
        }
    }
}
