import Basics
import GRDB
import GRDBSQLite
import Store
import Tabular

/// A transaction on a connection. Statements go by way of GRDB's cache; hot paths bind and read by position.
final class SQLiteSession: SQLWriting {
    let db: GRDB.Database

    init(_ db: GRDB.Database) { self.db = db }

    var lastInsertedID: Int64 { db.lastInsertedRowID }

    /// Tells SQLite to copy a bound text.
    static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    func prepared(_ sql: String, _ values: [SQLValue]) throws -> OpaquePointer {
        let handle = try db.cachedStatement(sql: sql).sqliteStatement
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
        for (index, value) in values.enumerated() {
            let at = Int32(index + 1)
            switch value {
            case .null: sqlite3_bind_null(handle, at)
            case .integer(let number): sqlite3_bind_int64(handle, at, number)
            case .real(let number): sqlite3_bind_double(handle, at, number)
            case .text(let text): sqlite3_bind_text(handle, at, text, Int32(text.utf8.count), SQLiteSession.transient)
            case .blob(let bytes): sqlite3_bind_blob(handle, at, bytes, Int32(bytes.count), SQLiteSession.transient)
            }
        }
        return handle
    }

    func failure(_ handle: OpaquePointer) -> DatabaseError {
        let code = sqlite3_extended_errcode(db.sqliteConnection)
        let message = db.sqliteConnection.map { String(cString: sqlite3_errmsg($0)) }
        sqlite3_reset(handle)
        return DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
    }

    func rows(_ sql: String, _ values: [SQLValue]) throws -> [SQLRow] {
        let handle = try prepared(sql, values)
        defer { sqlite3_reset(handle) }
        var rows: [SQLRow] = []
        let width = sqlite3_column_count(handle)
        while true {
            let status = sqlite3_step(handle)
            if status == SQLITE_DONE { return rows }
            guard status == SQLITE_ROW else { throw failure(handle) }
            rows.append(SQLRow((0..<width).map { SQLiteSession.value(handle, $0) }))
        }
    }

    static func value(_ handle: OpaquePointer, _ index: Int32) -> SQLValue {
        switch sqlite3_column_type(handle, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, index))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, index))
        case SQLITE_TEXT:
            let count = Int(sqlite3_column_bytes(handle, index))
            return .text(
                String(
                    decoding: UnsafeBufferPointer(start: sqlite3_column_text(handle, index), count: count),
                    as: UTF8.self
                )
            )
        case SQLITE_BLOB:
            guard let bytes = sqlite3_column_blob(handle, index) else { return .blob([]) }
            return .blob(Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, index)))))
        default: return .null
        }
    }

    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int {
        if values.isEmpty, !sql.hasPrefix("INSERT"), !sql.hasPrefix("UPDATE"), !sql.hasPrefix("DELETE") {
            try db.execute(sql: sql)
            return 0
        }
        let handle = try prepared(sql, values)
        defer { sqlite3_reset(handle) }
        while true {
            let status = sqlite3_step(handle)
            if status == SQLITE_DONE { return Int(sqlite3_changes(db.sqliteConnection)) }
            guard status == SQLITE_ROW else { throw failure(handle) }
        }
    }

    func plan(_ sql: String, _ values: [SQLValue]) throws -> String {
        try rows("EXPLAIN QUERY PLAN " + sql, values).map { $0.text(3) }.joined(separator: "\n")
    }

    // MARK: Batches

    func batch(_ sql: String, _ values: [SQLValue], fields: [Field], capacity: Int) throws -> Batch {
        let handle = try prepared(sql, values)
        defer { sqlite3_reset(handle) }
        var readers = fields.map { ColumnReader($0, capacity: capacity) }
        var count = 0
        while true {
            let status = sqlite3_step(handle)
            if status == SQLITE_DONE { break }
            guard status == SQLITE_ROW else { throw failure(handle) }
            var at: Int32 = 0
            for index in readers.indices { readers[index].read(handle, &at) }
            count += 1
        }
        return Batch(fields: fields, columns: readers.map { $0.finish() }, count: count)
    }

    func insert(
        _ statement: String,
        _ batch: Batch,
        rows: [Int32],
        lead: (_ taken: Int, _ into: inout [Int64]) -> Void
    ) throws -> [Int32] {
        let handle = try prepared(statement, [])
        defer { sqlite3_reset(handle) }
        var refused: [Int32] = []
        var first: [Int64] = []
        let connection = db.sqliteConnection
        let ignores = statement.contains("OR IGNORE")
        for (taken, row) in rows.enumerated() {
            sqlite3_reset(handle)
            first.removeAll(keepingCapacity: true)
            lead(taken, &first)
            var at: Int32 = 1
            for value in first {
                sqlite3_bind_int64(handle, at, value)
                at += 1
            }
            for column in batch.columns { SQLiteSession.bind(column, Int(row), handle, &at) }
            let status = sqlite3_step(handle)
            guard status == SQLITE_DONE else { throw failure(handle) }
            if ignores, sqlite3_changes(connection) == 0 { refused.append(row) }
        }
        return refused
    }

    @inline(__always)
    static func bind(_ column: Tabular.Column, _ row: Int, _ handle: OpaquePointer, _ at: inout Int32) {
        if column.isNull(row) {
            sqlite3_bind_null(handle, at)
            at += 1
            if case .points = column.values {
                sqlite3_bind_null(handle, at)
                at += 1
            }
            return
        }
        switch column.values {
        case .int64(let values): sqlite3_bind_int64(handle, at, values[row])
        case .int32(let values): sqlite3_bind_int64(handle, at, Int64(values[row]))
        case .real(let values): sqlite3_bind_double(handle, at, values[row])
        case .bits(let bits): sqlite3_bind_int64(handle, at, bits[row] ? 1 : 0)
        case .text(let texts):
            // The batch outlives the step, so SQLite need not copy.
            texts.withBytes(row) { bytes in
                bytes.withMemoryRebound(to: CChar.self) { text in
                    _ = sqlite3_bind_text(
                        handle,
                        at,
                        text.baseAddress ?? SQLiteSession.emptyText,
                        Int32(text.count),
                        nil
                    )
                }
            }
        case .points(let x, let y):
            sqlite3_bind_double(handle, at, x[row])
            at += 1
            sqlite3_bind_double(handle, at, y[row])
        }
        at += 1
    }

    nonisolated(unsafe) static let emptyText: UnsafePointer<CChar> = {
        let text = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        text.initialize(to: 0)
        return UnsafePointer(text)
    }()
}

/// Collects one column of an answer.
struct ColumnReader {
    let field: Field
    private var integers: [Int64] = []
    private var days: [Int32] = []
    private var reals: [Double] = []
    private var second: [Double] = []
    private var texts = TextBuffer()
    private var bits = Bitmap(repeating: false, count: 0)
    private var validity: Bitmap?
    private var count = 0

    init(_ field: Field, capacity: Int) {
        self.field = field
        switch field.type {
        case .text, .geometry, .file: texts = TextBuffer(capacity: capacity)
        case .real: reals.reserveCapacity(capacity)
        case .date: days.reserveCapacity(capacity)
        default: integers.reserveCapacity(capacity)
        }
    }

    @inline(__always)
    mutating func read(_ handle: OpaquePointer, _ at: inout Int32) {
        let isNull = sqlite3_column_type(handle, at) == SQLITE_NULL
        if isNull || validity != nil {
            if validity == nil { validity = Bitmap(repeating: true, count: count) }
            validity?.append(!isNull)
        }
        switch field.type {
        case .integer, .decimal, .time, .timestamp: integers.append(sqlite3_column_int64(handle, at))
        case .date: days.append(Int32(truncatingIfNeeded: sqlite3_column_int64(handle, at)))
        case .real: reals.append(sqlite3_column_double(handle, at))
        case .boolean: bits.append(sqlite3_column_int64(handle, at) != 0)
        case .text, .geometry, .file:
            let text = sqlite3_column_text(handle, at)
            texts.append(UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(handle, at))))
        case .point:
            reals.append(sqlite3_column_double(handle, at))
            at += 1
            second.append(sqlite3_column_double(handle, at))
        }
        at += 1
        count += 1
    }

    func finish() -> Tabular.Column {
        let values: ColumnValues
        switch field.type {
        case .integer, .decimal, .time, .timestamp: values = .int64(integers)
        case .date: values = .int32(days)
        case .real: values = .real(reals)
        case .boolean: values = .bits(bits)
        case .text, .geometry, .file: values = .text(texts)
        case .point: values = .points(x: reals, y: second)
        }
        return Tabular.Column(values, validity: validity)
    }
}
