public import Basics
import Catalogue
public import Foundation
import Kernel
import Lake
import Store
import StorePostgres
import StoreSQLite

/// Moves a node's rows from SQLite to PostgreSQL: table by table, in pieces that are kept with how far they came, so that a stopped copy
/// goes on; then compares every table by its count and digest. The files of the data directory stay where they are.
public struct StoreCopy {
    /// What came of one table.
    public struct Table: Sendable {
        public var database: String
        public var name: String
        public var rows: Int64
    }

    /// Beside the four files: they were moved, and a node must not go on writing them.
    public static let mark = "moved-to-postgresql"
    private static let piece = 5000

    let folder: URL
    let target: PostgresSettings
    let progress: @Sendable (Table) -> Void
    /// Called between pieces: tests stop a copy there.
    var step: @Sendable () throws -> Void = {}

    /// - Throws: `configuration.store` where the target is not PostgreSQL.
    public init(
        folder: URL,
        to target: StoreSettings,
        progress: @escaping @Sendable (Table) -> Void
    ) throws(Problem) {
        guard case .postgresql(let settings) = target else { throw PostgresSettings.invalid }
        self.folder = folder
        self.target = settings
        self.progress = progress
    }

    /// Copies and verifies.
    ///
    /// - Throws: `node.locked`, `store.*`, `copy.occupied` where another node lies in the target, `copy.differs`.
    public func run() async throws -> [Table] {
        // Brings the files up to date, ends what was interrupted, seals the evidence.
        let node = try await Node.open(NodeSettings(folder: folder, vendorFolder: folder))
        let identity = node.kernel.key.fingerprint
        try await node.close()
        let lock = try DirectoryLock(folder, isShared: false)
        defer { withExtendedLifetime(lock) {} }
        let server = PostgresServer(target)
        defer { server.close() }
        try await server.probe()
        return try await server.alone { try await copy(to: server, identity) }
    }

    private func copy(to server: PostgresServer, _ identity: String) async throws -> [Table] {
        var copied: [Table] = []
        let migrations = Node.migrations
        for name in NodeStore.names {
            let source = try SQLiteDatabase(path: folder.appendingPathComponent("\(name).sqlite").path, spills: true)
            let target = try await server.database(name)
            if name == "control" { try await begin(target, identity) }
            try await Migration.apply(migrations[name] ?? [], to: target, at: Clock.system.now())
            let tables = try await source.read { db in
                try db.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").map { $0.text(0) }
            }
            try await target.write { db in
                try db.execute(
                    "CREATE TABLE IF NOT EXISTS store_copy (name TEXT PRIMARY KEY, last BIGINT NOT NULL)"
                )
            }
            for table in tables where !Self.isOfEngine(table) {
                do { try await copy(table, source, target) } catch let problem as Problem {
                    throw try await explained(problem, table, source)
                }
                let rows = try await compare(table, source, target)
                copied.append(Table(database: name, name: table, rows: rows))
                progress(copied[copied.count - 1])
            }
            if name == "control" { try await Catalogue.indexAll(target) }
            try await source.close()
        }
        // First the mark: from here on the node lies in one place only.
        try Data(target.described.utf8).write(to: folder.appendingPathComponent(Self.mark))
        for name in NodeStore.names.reversed() {
            try await server.database(name).write { db in
                try db.execute("DROP TABLE IF EXISTS store_copy; DROP TABLE IF EXISTS store_copy_of")
            }
        }
        return copied
    }

    /// Tables that an engine keeps for itself, and what each store says of its own state.
    private static func isOfEngine(_ table: String) -> Bool {
        table.hasPrefix("sqlite_") || StoredRows.isIndex(table) || table.hasPrefix("entries_text")
            || ["schema_migrations", "evidence_chains", "retired"].contains(table)
    }

    /// A target is empty, or holds the beginning of this very copy.
    private func begin(_ control: any Database, _ identity: String) async throws {
        try await control.write { db in
            let isNew = try !db.tables().contains("schema_migrations")
            if isNew { try db.execute("CREATE TABLE IF NOT EXISTS store_copy_of (node TEXT PRIMARY KEY)") }
            let known = try db.tables().contains("store_copy_of")
            let of = known ? try db.row("SELECT node FROM store_copy_of")?.text(0) : nil
            if isNew, of == nil { try db.execute("INSERT INTO store_copy_of (node) VALUES (?)", [.text(identity)]) }
            guard isNew || of == identity else {
                throw Problem(
                    "copy.occupied",
                    status: 409,
                    zh: "目标数据库中已有另一个节点。",
                    en: "Another node lies in the target.",
                    hint: .init("请换一个 schema 或数据库。", "Take another schema or database.")
                )
            }
        }
    }

    private func columns(_ table: String, _ source: SQLiteDatabase) async throws -> [String] {
        try await source.read { db in try db.rows("PRAGMA table_info(\(table))").map { $0.text(1) } }
    }

    private func copy(_ table: String, _ source: SQLiteDatabase, _ target: any Database) async throws {
        let names = try await columns(table, source)
        let stored = try await source.read { db in try StoredRows(table, db) }
        let known = try await target.read { db in
            try db.row("SELECT last FROM store_copy WHERE name = ?", [.text(table)])?.integer(0)
        }
        if known == nil {
            try await target.write { db in
                try stored?.create(db)
                try db.execute("INSERT INTO store_copy (name, last) VALUES (?, ?)", [.text(table), .integer(.min)])
            }
        }
        var last = known ?? .min
        while true {
            try step()
            let from = last
            guard let end = try await move(table, names, stored, after: from, source, target) else { break }
            last = end
        }
        try await target.write { db in
            try stored?.finish(db)
            // Numbers go on after those that came along.
            for column in ["id", "_id"] where names.contains(column) {
                let sequence = try db.row("SELECT pg_get_serial_sequence(?, ?)", [.text(table), .text(column)])
                guard let name = sequence?.optionalText(0) else { continue }
                _ = try db.rows(
                    "SELECT setval(CAST(? AS regclass), coalesce(max(\(column)), 0) + 1, false) FROM \(table)",
                    [.text(name)]
                )
            }
        }
    }

    /// Says in which row the text stands that the target does not take.
    private func explained(_ problem: Problem, _ table: String, _ source: SQLiteDatabase) async throws -> Problem {
        guard ["store.text", "store.too_large"].contains(problem.code) else { return problem }
        let isLong = problem.code == "store.too_large"
        var told = problem
        told.details["table"] = table
        for column in try await columns(table, source) {
            let fault = isLong ? "length(CAST(\(column) AS BLOB)) > 2600" : "instr(\(column), char(0)) > 0"
            let row = try await source.read { db in
                try db.row("SELECT rowid FROM \(table) WHERE typeof(\(column)) = 'text' AND \(fault) LIMIT 1")?.integer(
                    0
                )
            }
            guard let row else { continue }
            told.details["column"] = column
            told.details["row"] = "\(row)"
            break
        }
        return told
    }

    /// Copies a piece together with how far it reaches; the row it ends at, nil where there was none.
    private func move(
        _ table: String,
        _ names: [String],
        _ stored: StoredRows?,
        after last: Int64,
        _ source: SQLiteDatabase,
        _ target: any Database
    ) async throws -> Int64? {
        let note = "UPDATE store_copy SET last = ? WHERE name = ?"
        if let stored {
            let found = try await source.read { db in try stored.read(after: last, limit: Self.piece, db) }
            guard let piece = found else { return nil }
            try await target.write { db in
                try stored.write(piece, db)
                try db.execute(note, [.integer(piece.last), .text(table)])
            }
            return piece.last
        }
        let list = names.joined(separator: ", ")
        let rows = try await source.read { db in
            try db.rows(
                "SELECT rowid, \(list) FROM \(table) WHERE rowid > ? ORDER BY rowid LIMIT \(Self.piece)",
                [.integer(last)]
            )
        }
        guard let end = rows.last?.integer(0) else { return nil }
        let marks = Array(repeating: "?", count: names.count).joined(separator: ",")
        let statement = "INSERT INTO \(table) (\(list)) VALUES (\(marks))"
        try await target.write { db in
            for row in rows { try db.execute(statement, Array(row.values.dropFirst())) }
            try db.execute(note, [.integer(end), .text(table)])
        }
        return end
    }

    // MARK: Comparing

    /// Compares a table of both by its count and digest; its rows.
    ///
    /// - Throws: `copy.differs`.
    private func compare(_ table: String, _ source: SQLiteDatabase, _ target: any Database) async throws -> Int64 {
        let list = try await columns(table, source).joined(separator: ", ")
        let ours = try await source.read { db -> RowsDigest in
            var digest = RowsDigest()
            var last: Int64 = .min
            while true {
                let rows = try db.rows(
                    "SELECT rowid, \(list) FROM \(table) WHERE rowid > ? ORDER BY rowid LIMIT \(Self.piece)",
                    [.integer(last)]
                )
                for row in rows { digest.add(row.values.dropFirst()) }
                guard rows.count == Self.piece, let end = rows.last?.integer(0) else { return digest }
                last = end
            }
        }
        let theirs = try await target.read { db -> RowsDigest in
            var digest = RowsDigest()
            _ = try db.rows("DECLARE copied NO SCROLL CURSOR FOR SELECT \(list) FROM \(table)")
            while true {
                let rows = try db.rows("FETCH \(Self.piece) FROM copied")
                for row in rows { digest.add(row.values[...]) }
                if rows.count < Self.piece { return digest }
            }
        }
        guard ours == theirs else {
            throw Problem(
                "copy.differs",
                status: 500,
                zh: "表 \(table) 复制后不一致。",
                en: "The table \(table) differs after it was copied.",
                details: ["rows": "\(ours.count)", "copied": "\(theirs.count)"],
                hint: .init("请清空目标 schema 后重新复制。", "Drop the target's schemas and copy again.")
            )
        }
        return ours.count
    }
}

/// A digest of rows in any order: the sum of each row's own.
private struct RowsDigest: Sendable, Equatable {
    var count: Int64 = 0
    var sum: UInt64 = 0

    mutating func add(_ values: ArraySlice<SQLValue>) {
        var bytes: [UInt8] = []
        for value in values {
            switch value {
            case .null: bytes.append(0)
            case .integer(let number): bytes += Array("i\(number)".utf8)
            case .real(let number): bytes += Array("r\(number.bitPattern)".utf8)
            case .text(let text): bytes += Array("t\(text.utf8.count):".utf8) + Array(text.utf8)
            case .blob(let blob): bytes += Array("b\(blob.count):".utf8) + blob
            }
        }
        count += 1
        let hash = bytes.withUnsafeBufferPointer { Hash128($0) }
        sum = sum &+ (hash.low ^ (hash.high &* 0x9E37_79B9_7F4A_7C15))
    }
}
