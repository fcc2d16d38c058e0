import GRDBSQLite
import Tabular

/// A column of a batch laid open for binding: where its values lie, read without counting references per cell.
///
/// Valid only inside ``withCells(of:_:)``.
struct CellSource {
    enum Kind { case int64, int32, real, bits, text }
    let kind: Kind
    let values: UnsafeRawPointer
    /// Where texts start and end.
    let offsets: UnsafePointer<Int32>?
    let validity: UnsafePointer<UInt64>?

    @inline(__always)
    func isNull(_ row: Int) -> Bool {
        guard let validity else { return false }
        return validity[row >> 6] >> UInt64(row & 63) & 1 == 0
    }

    /// Binds one cell. Texts are not copied: the batch outlives the step.
    @inline(__always)
    func bind(_ row: Int, _ handle: OpaquePointer, _ at: Int32) {
        guard !isNull(row) else {
            sqlite3_bind_null(handle, at)
            return
        }
        switch kind {
        case .int64: sqlite3_bind_int64(handle, at, values.load(fromByteOffset: row &* 8, as: Int64.self))
        case .int32: sqlite3_bind_int64(handle, at, Int64(values.load(fromByteOffset: row &* 4, as: Int32.self)))
        case .real: sqlite3_bind_double(handle, at, values.load(fromByteOffset: row &* 8, as: Double.self))
        case .bits:
            let word = values.load(fromByteOffset: (row >> 6) &* 8, as: UInt64.self)
            sqlite3_bind_int64(handle, at, Int64(word >> UInt64(row & 63) & 1))
        case .text:
            guard let offsets else { return }
            let start = Int(offsets[row])
            let text = (values + start).assumingMemoryBound(to: CChar.self)
            sqlite3_bind_text(handle, at, text, offsets[row + 1] - offsets[row], nil)
        }
    }
}

extension CellSource {
    /// Lays open every column of a batch for the time of a closure; a point gives two cells.
    static func withCells<R>(of batch: Batch, _ body: ([CellSource]) throws -> R) throws -> R {
        var cells: [CellSource] = []
        cells.reserveCapacity(batch.columns.count + 1)
        return try open(batch.columns[...], &cells, body)
    }

    private static func open<R>(
        _ columns: ArraySlice<Tabular.Column>,
        _ cells: inout [CellSource],
        _ body: ([CellSource]) throws -> R
    ) throws -> R {
        guard let column = columns.first else { return try body(cells) }
        guard let validity = column.validity else {
            return try open(column.values, nil, columns.dropFirst(), &cells, body)
        }
        return try validity.words.withUnsafeBufferPointer {
            try open(column.values, $0.baseAddress, columns.dropFirst(), &cells, body)
        }
    }

    private static func open<R>(
        _ values: ColumnValues,
        _ validity: UnsafePointer<UInt64>?,
        _ rest: ArraySlice<Tabular.Column>,
        _ cells: inout [CellSource],
        _ body: ([CellSource]) throws -> R
    ) throws -> R {
        func take<T>(_ kind: Kind, _ buffer: UnsafeBufferPointer<T>, _ offsets: UnsafePointer<Int32>? = nil) {
            let start = buffer.baseAddress.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(SQLiteSession.emptyText)
            cells.append(CellSource(kind: kind, values: start, offsets: offsets, validity: validity))
        }
        switch values {
        case .int64(let numbers):
            return try numbers.withUnsafeBufferPointer {
                take(.int64, $0)
                return try open(rest, &cells, body)
            }
        case .int32(let numbers):
            return try numbers.withUnsafeBufferPointer {
                take(.int32, $0)
                return try open(rest, &cells, body)
            }
        case .real(let numbers):
            return try numbers.withUnsafeBufferPointer {
                take(.real, $0)
                return try open(rest, &cells, body)
            }
        case .bits(let bits):
            return try bits.words.withUnsafeBufferPointer {
                take(.bits, $0)
                return try open(rest, &cells, body)
            }
        case .text(let texts):
            return try texts.offsets.withUnsafeBufferPointer { offsets in
                try texts.bytes.withUnsafeBufferPointer {
                    take(.text, $0, offsets.baseAddress)
                    return try open(rest, &cells, body)
                }
            }
        case .points(let x, let y):
            return try x.withUnsafeBufferPointer { first in
                try y.withUnsafeBufferPointer {
                    take(.real, first)
                    take(.real, $0)
                    return try open(rest, &cells, body)
                }
            }
        }
    }
}
