import Basics
import GRDB
import GRDBSQLite
import Store
import Tabular

/// A transaction on a connection. Statements go by way of GRDB's cache; hot paths bind and read by position.
final class SQLiteSession: SQLWriting {
    let db: GRDB.Database

    init(_ db: GRDB.Database) { self.db = db }

    var dialect: Dialect { .sqlite }
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

    func tables() throws -> [String] {
        try rows("SELECT name FROM sqlite_master WHERE type = 'table'", []).map { $0.text(0) }
    }

    func plan(_ sql: String, _ values: [SQLValue]) throws -> String {
        try rows("EXPLAIN QUERY PLAN " + sql, values).map { $0.text(3) }.joined(separator: "\n")
    }

    // MARK: Batches

    func batch(_ sql: String, _ values: [SQLValue], fields: [Field], capacity: Int) throws -> Batch {
        let handle = try prepared(sql, values)
        defer { sqlite3_reset(handle) }
        var readers: [ColumnReader] = []
        readers.reserveCapacity(fields.count)
        for index in fields.indices { readers.append(ColumnReader(fields[index].type, capacity: capacity)) }
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

    func insert(into table: String, _ columns: [String], _ parts: [InsertedRows]) throws {
        let marks = Array(repeating: "?", count: columns.count).joined(separator: ",")
        let statement = "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(marks))"
        let handle = try prepared(statement, [])
        defer { sqlite3_reset(handle) }
        for part in parts { try insert(part, handle) }
    }

    private func insert(_ part: InsertedRows, _ handle: OpaquePointer) throws {
        let lead = part.lead
        var counters: [(at: Int32, start: Int64)] = []
        var lists: [(at: Int32, values: [Int64])] = []
        for (index, value) in lead.enumerated() {
            // What is bound stays bound from row to row.
            switch value {
            case .constant(let number): sqlite3_bind_int64(handle, Int32(index + 1), number)
            case .counting(let start): counters.append((Int32(index + 1), start))
            case .listed(let values): lists.append((Int32(index + 1), values))
            }
        }
        let firstCell = Int32(lead.count + 1)
        try CellSource.withCells(of: part.batch) { cells in
            try cells.withUnsafeBufferPointer { cells in
                for (taken, row) in part.rows.enumerated() {
                    for counter in counters { sqlite3_bind_int64(handle, counter.at, counter.start + Int64(taken)) }
                    for list in lists { sqlite3_bind_int64(handle, list.at, list.values[taken]) }
                    var at = firstCell
                    for index in cells.indices {
                        cells[index].bind(Int(row), handle, at)
                        at += 1
                    }
                    guard sqlite3_step(handle) == SQLITE_DONE else { throw failure(handle) }
                    sqlite3_reset(handle)
                }
            }
        }
    }
}

/// Collects one column of an answer.
struct ColumnReader {
    private enum Kind { case int64, int32, real, bits, text, point }
    private let kind: Kind
    private var integers: [Int64] = []
    private var days: [Int32] = []
    private var reals: [Double] = []
    private var second: [Double] = []
    private var texts = ColumnReader.noTexts
    private var bits = ColumnReader.noBits
    private var validity: Bitmap?
    private var count = 0

    /// What columns of other types begin with: nothing is made for them.
    private static let noTexts = TextBuffer()
    private static let noBits = Bitmap(repeating: false, count: 0)

    init(_ type: FieldType, capacity: Int) {
        switch type {
        case .integer, .decimal, .time, .timestamp:
            kind = .int64
            integers.reserveCapacity(capacity)
        case .date:
            kind = .int32
            days.reserveCapacity(capacity)
        case .real:
            kind = .real
            reals.reserveCapacity(capacity)
        case .boolean: kind = .bits
        case .text, .geometry, .file:
            kind = .text
            texts = TextBuffer(capacity: capacity)
        case .point: kind = .point
        }
    }

    @inline(__always)
    mutating func read(_ handle: OpaquePointer, _ at: inout Int32) {
        // One lookup of the cell; what is asked of it then takes no lock. The connection is this thread's alone.
        let cell = sqlite3_column_value(handle, at)
        let isNull = sqlite3_value_type(cell) == SQLITE_NULL
        if isNull || validity != nil {
            if validity == nil { validity = Bitmap(repeating: true, count: count) }
            validity?.append(!isNull)
        }
        switch kind {
        case .int64: integers.append(sqlite3_value_int64(cell))
        case .int32: days.append(Int32(truncatingIfNeeded: sqlite3_value_int64(cell)))
        case .real: reals.append(sqlite3_value_double(cell))
        case .bits: bits.append(sqlite3_value_int64(cell) != 0)
        case .text:
            let text = sqlite3_value_text(cell)
            texts.append(UnsafeBufferPointer(start: text, count: Int(sqlite3_value_bytes(cell))))
        case .point:
            reals.append(sqlite3_value_double(cell))
            at += 1
            second.append(sqlite3_column_double(handle, at))
        }
        at += 1
        count += 1
    }

    func finish() -> Tabular.Column {
        let values: ColumnValues =
            switch kind {
            case .int64: .int64(integers)
            case .int32: .int32(days)
            case .real: .real(reals)
            case .bits: .bits(bits)
            case .text: .text(texts)
            case .point: .points(x: reals, y: second)
            }
        return Tabular.Column(values, validity: validity)
    }
}
