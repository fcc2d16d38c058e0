import Basics
import CPostgres
import Store
import Tabular

/// A transaction on a connection.
struct PostgresSession: SQLWriting {
    let connection: PostgresConnection

    var dialect: Dialect { .postgresql }

    var lastInsertedID: Int64 {
        // Where this fails the transaction has failed, and its COMMIT says so.
        (try? rows("SELECT lastval()", []))?.first?.integer(0) ?? 0
    }

    func rows(_ sql: String, _ values: [SQLValue]) throws -> [SQLRow] {
        let result = try connection.query(sql, values)
        defer { PQclear(result) }
        let width = PQnfields(result)
        let types = (0..<width).map { PQftype(result, $0) }
        return (0..<PQntuples(result)).map { row in
            SQLRow((0..<width).map { Cell(result, row, $0)?.value(types[Int($0)]) ?? .null })
        }
    }

    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int {
        let isChange = ["INSERT", "UPDATE", "DELETE"].contains { sql.hasPrefix($0) }
        if values.isEmpty, !isChange {
            try connection.run(Statement.definition(sql))
            return 0
        }
        let result = try connection.query(sql, values)
        defer { PQclear(result) }
        return Int(String(cString: PQcmdTuples(result))) ?? 0
    }

    func tables() throws -> [String] {
        try rows("SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()", []).map {
            $0.text(0)
        }
    }

    func plan(_ sql: String, _ values: [SQLValue]) throws -> String {
        try rows("EXPLAIN " + sql, values).map { $0.text(0) }.joined(separator: "\n")
    }

    // MARK: Batches

    func batch(_ sql: String, _ values: [SQLValue], fields: [Field], capacity: Int) throws -> Batch {
        let result = try connection.query(sql, values)
        defer { PQclear(result) }
        let count = PQntuples(result)
        var at: Int32 = 0
        let columns = fields.map { field -> Column in
            defer { at += field.type == .point ? 2 : 1 }
            return PostgresColumn(AnsweredCells(result: result), at, count).read(field)
        }
        return Batch(fields: fields, columns: columns, count: Int(count))
    }

    /// By COPY: the server writes the rows as they are, and no answer is built of them here first.
    func batch(of table: String, _ columns: [String], after id: Int64, limit: Int, fields: [Field]) throws -> Batch {
        let list = columns.joined(separator: ", ")
        let answer = try connection.copyOut(
            "COPY (SELECT \(list) FROM \(table) WHERE _id > \(id) ORDER BY _id LIMIT \(limit)) TO STDOUT (FORMAT binary)",
            width: fields.reduce(0) { $0 + ($1.type == .point ? 2 : 1) },
            capacity: limit
        )
        return answer.bytes.withUnsafeBytes { bytes in
            answer.cells.withUnsafeBufferPointer { cells in
                let grid = CopiedCells(bytes: bytes, cells: cells, width: answer.width)
                var at: Int32 = 0
                let columns = fields.map { field -> Column in
                    defer { at += field.type == .point ? 2 : 1 }
                    return PostgresColumn(grid, at, Int32(answer.rows)).read(field)
                }
                return Batch(fields: fields, columns: columns, count: answer.rows)
            }
        }
    }

    func insert(into table: String, _ columns: [String], _ parts: [InsertedRows]) throws {
        guard parts.contains(where: { !$0.rows.isEmpty }) else { return }
        let statement = "COPY \(table) (\(columns.joined(separator: ", "))) FROM STDIN (FORMAT binary)"
        let width = columns.count
        try connection.copy(statement) { send in
            var writer = CopyWriter(width: width)
            for part in parts {
                try CellSource.withCells(of: part.batch) { cells in
                    try cells.withUnsafeBufferPointer { cells in
                        for (taken, row) in part.rows.enumerated() {
                            writer.begin()
                            for value in part.lead { writer.append(value, taken) }
                            for index in cells.indices { writer.append(cells[index], Int(row)) }
                            if writer.count > 1 << 18 { try writer.send(send) }
                        }
                    }
                }
            }
            writer.end()
            try writer.send(send)
        }
    }
}

/// A value of an answer, in binary form.
struct Cell {
    let bytes: UnsafeBufferPointer<UInt8>

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// Nil for null.
    @inline(__always)
    init?(_ result: OpaquePointer, _ row: Int32, _ column: Int32) {
        let count = Int(PQgetlength(result, row, column))
        if count == 0, PQgetisnull(result, row, column) == 1 { return nil }
        let start = UnsafeRawPointer(PQgetvalue(result, row, column))?.assumingMemoryBound(to: UInt8.self)
        bytes = UnsafeBufferPointer(start: start, count: count)
    }

    /// An integer of two, four or eight bytes.
    @inline(__always)
    var integer: Int64 {
        let raw = UnsafeRawBufferPointer(bytes)
        switch bytes.count {
        case 8: return Int64(bigEndian: raw.loadUnaligned(as: Int64.self))
        case 4: return Int64(Int32(bigEndian: raw.loadUnaligned(as: Int32.self)))
        case 2: return Int64(Int16(bigEndian: raw.loadUnaligned(as: Int16.self)))
        case 1: return Int64(bytes[0])
        default: return 0
        }
    }

    @inline(__always)
    var real: Double {
        let raw = UnsafeRawBufferPointer(bytes)
        switch bytes.count {
        case 8: return Double(bitPattern: UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)))
        case 4: return Double(Float(bitPattern: UInt32(bigEndian: raw.loadUnaligned(as: UInt32.self))))
        default: return 0
        }
    }

    func value(_ type: Oid) -> SQLValue {
        switch type {
        case ServerType.int8, ServerType.int4, ServerType.int2, ServerType.bool: .integer(integer)
        case ServerType.oid: .integer(integer & 0xFFFF_FFFF)
        case ServerType.float8, ServerType.float4: .real(real)
        case ServerType.numeric: numeric
        case ServerType.bytea: .blob(Array(bytes))
        default: .text(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// A `numeric`: what sums of integers are. Digits of base 10,000, the first of a weight.
    var numeric: SQLValue {
        let raw = UnsafeRawBufferPointer(bytes)
        guard raw.count >= 8 else { return .null }
        func word(_ at: Int) -> Int16 { Int16(bigEndian: raw.loadUnaligned(fromByteOffset: at, as: Int16.self)) }
        let count = Int(word(0))
        let weight = Int(word(2))
        let isNegative = UInt16(bitPattern: word(4)) == 0x4000
        guard raw.count >= 8 + count * 2 else { return .null }
        if word(6) == 0, weight < 4 {
            var whole: Int64 = 0
            for index in 0...max(0, weight) {
                whole = whole * 10_000 + (index < count ? Int64(word(8 + index * 2)) : 0)
            }
            return .integer(isNegative ? -whole : whole)
        }
        var text = isNegative ? "-0." : "0."
        for index in 0..<count {
            let digits = String(word(8 + index * 2))
            text += String(repeating: "0", count: 4 - digits.count) + digits
        }
        return .real(Double("\(text)e\((weight + 1) * 4)") ?? 0)
    }
}

/// Where cells of an answer are found.
protocol CellGrid {
    /// Nil for null.
    func cell(_ row: Int32, _ column: Int32) -> Cell?
}

/// The cells of a statement's answer.
struct AnsweredCells: CellGrid {
    let result: OpaquePointer

    @inline(__always)
    func cell(_ row: Int32, _ column: Int32) -> Cell? { Cell(result, row, column) }
}

/// The cells of a COPY.
struct CopiedCells: CellGrid {
    let bytes: UnsafeRawBufferPointer
    let cells: UnsafeBufferPointer<CopyAnswer.Place>
    let width: Int

    @inline(__always)
    func cell(_ row: Int32, _ column: Int32) -> Cell? {
        let place = cells[Int(row) &* width &+ Int(column)]
        guard place.count >= 0 else { return nil }
        let start = bytes.baseAddress?.advanced(by: place.start).assumingMemoryBound(to: UInt8.self)
        return Cell(UnsafeBufferPointer(start: start, count: Int(place.count)))
    }
}

/// Reads one column of an answer into a batch's.
struct PostgresColumn<Grid: CellGrid> {
    let grid: Grid
    let column: Int32
    let count: Int32

    init(_ grid: Grid, _ column: Int32, _ count: Int32) {
        self.grid = grid
        self.column = column
        self.count = count
    }

    func read(_ field: Field) -> Column {
        switch field.type {
        case .integer, .decimal, .time, .timestamp:
            let (values, validity) = fixed(Int64(0)) { $0.integer }
            return Column(.int64(values), validity: validity)
        case .date:
            let (values, validity) = fixed(Int32(0)) { Int32(truncatingIfNeeded: $0.integer) }
            return Column(.int32(values), validity: validity)
        case .real:
            let (values, validity) = fixed(0.0) { $0.real }
            return Column(.real(values), validity: validity)
        case .boolean:
            let (values, validity) = fixed(false) { $0.integer != 0 }
            var bits = Bitmap(repeating: false, count: 0)
            for value in values { bits.append(value) }
            return Column(.bits(bits), validity: validity)
        case .point:
            let (x, validity) = fixed(0.0) { $0.real }
            let (y, _) = PostgresColumn(grid, column + 1, count).fixed(0.0) { $0.real }
            return Column(.points(x: x, y: y), validity: validity)
        case .text, .geometry, .file:
            var texts = TextBuffer(capacity: Int(count))
            var validity: Bitmap?
            for row in 0..<count {
                let cell = grid.cell(row, column)
                note(cell == nil, row, &validity)
                texts.append(cell?.bytes ?? UnsafeBufferPointer(start: nil, count: 0))
            }
            return Column(.text(texts), validity: validity)
        }
    }

    private func fixed<T>(_ empty: T, _ body: (Cell) -> T) -> ([T], Bitmap?) {
        var values: [T] = []
        values.reserveCapacity(Int(count))
        var validity: Bitmap?
        for row in 0..<count {
            let cell = grid.cell(row, column)
            note(cell == nil, row, &validity)
            values.append(cell.map(body) ?? empty)
        }
        return (values, validity)
    }

    @inline(__always)
    private func note(_ isNull: Bool, _ row: Int32, _ validity: inout Bitmap?) {
        guard isNull || validity != nil else { return }
        if validity == nil { validity = Bitmap(repeating: true, count: Int(row)) }
        validity?.append(!isNull)
    }
}

/// Writes rows in the binary form of COPY into a buffer of its own, which grows by what a row needs at the most.
struct CopyWriter: ~Copyable {
    private var bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    private let width: Int16

    init(width: Int) {
        self.width = Int16(width)
        bytes = .allocate(byteCount: 1 << 19, alignment: 8)
        let head: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)
        bytes.copyBytes(from: head)
        count = head.count
    }

    deinit { bytes.deallocate() }

    @inline(__always)
    private mutating func put<T: FixedWidthInteger>(_ value: T) {
        bytes.storeBytes(of: value.bigEndian, toByteOffset: count, as: T.self)
        count &+= MemoryLayout<T>.size
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > bytes.count else { return }
        let grown = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count * 2, count + more), alignment: 8)
        grown.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        bytes.deallocate()
        bytes = grown
    }

    mutating func begin() {
        // Every cell of fixed width takes twelve bytes at the most; texts ask for themselves.
        reserve(2 + Int(width) * 12)
        put(width)
    }

    mutating func append(_ value: LeadValue, _ taken: Int) {
        let number: Int64 =
            switch value {
            case .constant(let number): number
            case .counting(let start): start + Int64(taken)
            case .listed(let values): values[taken]
            }
        put(Int32(8))
        put(number)
    }

    @inline(__always)
    mutating func append(_ cell: CellSource, _ row: Int) {
        guard !cell.isNull(row) else { return put(Int32(-1)) }
        switch cell.kind {
        case .int64:
            put(Int32(8))
            put(cell.values.load(fromByteOffset: row &* 8, as: Int64.self))
        case .int32:
            put(Int32(4))
            put(cell.values.load(fromByteOffset: row &* 4, as: Int32.self))
        case .real:
            put(Int32(8))
            put(cell.values.load(fromByteOffset: row &* 8, as: UInt64.self))
        case .bits:
            let word = cell.values.load(fromByteOffset: (row >> 6) &* 8, as: UInt64.self)
            put(Int32(2))
            put(Int16(word >> UInt64(row & 63) & 1))
        case .text:
            guard let offsets = cell.offsets else { return put(Int32(-1)) }
            let (start, end) = (Int(offsets[row]), Int(offsets[row + 1]))
            reserve(4 + end - start + Int(width) * 12)
            put(Int32(end - start))
            bytes.baseAddress.map { $0 + count }?.copyMemory(from: cell.values + start, byteCount: end - start)
            count &+= end - start
        }
    }

    mutating func end() {
        reserve(2)
        put(Int16(-1))
    }

    mutating func send(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        count = 0
    }
}
