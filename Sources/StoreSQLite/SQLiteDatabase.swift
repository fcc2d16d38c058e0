public import Basics
import Foundation
import GRDB
import GRDBSQLite
public import Store
import Synchronization
import Tabular

/// A SQLite file behind the ``Database`` seam: one writer, several readers, write-ahead log.
public final class SQLiteDatabase: Store.Database {
    let pool: DatabasePool
    private let glances: GlanceConnections
    private let ended = Atomic(0)

    public var writes: Int { ended.load(ordering: .sequentiallyConsistent) }

    public var dialect: Dialect { .sqlite }

    /// Whether files are held as this process's alone, as a node's lock has it: what SQLite would tell other processes at every read,
    /// two calls to the system, is left out.
    private static let isAlone: Bool = {
        guard let alone = sqlite3_vfs_find("unix-excl") else { return false }
        return sqlite3_vfs_register(alone, 1) == SQLITE_OK
    }()

    /// Opens or creates a file. `pageBytes` is the page size of a new file: large pages make bulk writing cheaper. `spills` says whether sorting may use temporary files, so that memory stays bounded while
    /// large indexes are built.
    ///
    /// - Throws: `store.unavailable`.
    public init(
        path: String,
        readers: Int = 4,
        cacheMegabytes: Int = 16,
        spills: Bool = false,
        pageBytes: Int = 4096,
        mappedMegabytes: Int = 0
    ) throws(Problem) {
        var configuration = Configuration()
        configuration.maximumReaderCount = readers
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            // Has an effect on a new file only.
            try db.execute(sql: "PRAGMA page_size = \(pageBytes)")
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA case_sensitive_like = ON")
            try db.execute(sql: "PRAGMA cache_size = -\((db.configuration.readonly ? 4 : cacheMegabytes) * 1024)")
            // Rows found one by one lie anywhere: looked at where the system holds the file, they are not copied page by page.
            if db.configuration.readonly { try db.execute(sql: "PRAGMA mmap_size = \(mappedMegabytes << 20)") }
            try db.execute(sql: "PRAGMA temp_store = \(spills ? "FILE" : "MEMORY")")
            try db.execute(sql: "PRAGMA foreign_keys = ON")
            // Statistics from a sample: ANALYZE after a load costs the same for any size.
            try db.execute(sql: "PRAGMA analysis_limit = 4000")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
        }
        _ = SQLiteDatabase.isAlone
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            configuration.readonly = true
            glances = GlanceConnections(path: path, configuration: configuration, limit: readers)
        } catch {
            throw SQLiteDatabase.problem(error)
        }
    }

    public func read<T: Sendable>(_ body: @escaping @Sendable (any SQLReading) throws -> T) async throws -> T {
        do {
            return try await pool.read { db in try body(SQLiteSession(db)) }
        } catch let error as DatabaseError {
            throw SQLiteDatabase.ending(error)
        }
    }

    public func glance<T: Sendable>(_ body: @escaping @Sendable (any SQLReading) throws -> T) async throws -> T {
        do {
            // Where every connection is busy it waits as other reads do, without holding the caller's thread.
            if let found = try glances.run(body) { return found }
        } catch let error as DatabaseError {
            throw SQLiteDatabase.problem(error)
        }
        return try await read(body)
    }

    @discardableResult
    public func write<T: Sendable>(_ body: @escaping @Sendable (any SQLWriting) throws -> T) async throws -> T {
        defer { ended.add(1, ordering: .sequentiallyConsistent) }
        do {
            return try await pool.write { db in try body(SQLiteSession(db)) }
        } catch let error as DatabaseError {
            throw SQLiteDatabase.ending(error)
        }
    }

    /// A copy by `VACUUM INTO`: compact, consistent, without stopping writers for long.
    public func backup(to path: String) async throws {
        do {
            try await pool.writeWithoutTransaction { db in try db.execute(sql: "VACUUM INTO ?", arguments: [path]) }
        } catch let error as DatabaseError {
            throw SQLiteDatabase.problem(error)
        }
    }

    public func integrityFault() async throws -> String? {
        let answer = try await read { try $0.rows("PRAGMA quick_check(1)").first?.text(0) ?? "" }
        return answer == "ok" ? nil : answer
    }

    public func close() async throws {
        try glances.close()
        _ = try? await pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        try pool.close()
    }

    /// How a transaction ended: a statement that was stopped because its task was cancelled has not failed.
    private static func ending(_ error: DatabaseError) -> any Error {
        error.resultCode == .SQLITE_INTERRUPT && Task.isCancelled ? CancellationError() : problem(error)
    }

    /// Turns an engine's error into a problem. Its text is kept out: it may quote values.
    static func problem(_ error: any Error) -> Problem {
        if let problem = error as? Problem { return problem }
        guard let error = error as? DatabaseError else {
            return Problem("store.unavailable", status: 503, zh: "数据库不可用。", en: "The database is not available.")
        }
        let details = ["engine": "sqlite", "code": String(error.extendedResultCode.rawValue)]
        switch error.resultCode {
        case .SQLITE_FULL, .SQLITE_IOERR:
            return Problem(
                "store.disk",
                status: 507,
                zh: "磁盘已满或写入出错，本次更改未保存。",
                en: "The disk is full or failed; this change was not saved.",
                details: details,
                hint: .init("清理磁盘后重试；此前已确认的数据没有丢失。", "Free space and try again; nothing acknowledged before was lost.")
            )
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return Problem(
                "store.busy",
                status: 503,
                zh: "数据库正忙，请稍后重试。",
                en: "The database is busy; try again shortly.",
                details: details
            )
        case .SQLITE_CONSTRAINT:
            return Problem(
                "store.conflict",
                status: 409,
                zh: "与已有数据冲突。",
                en: "It conflicts with data that is there.",
                details: details
            )
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return Problem(
                "store.corrupt",
                status: 500,
                zh: "数据库文件已损坏。",
                en: "The database file is damaged.",
                details: details,
                hint: .init("请从备份恢复：tongqu backup restore。", "Restore from a backup: tongqu backup restore.")
            )
        default:
            return Problem(
                "store.failed",
                status: 500,
                zh: "数据库操作失败。",
                en: "A database operation failed.",
                details: details.merging(["message": error.message ?? ""]) { first, _ in first }
            )
        }
    }
}
