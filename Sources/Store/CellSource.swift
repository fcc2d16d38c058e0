public import Tabular

/// A column of a batch laid open for an engine: where its values lie, read without counting references per cell.
///
/// Valid only inside ``withCells(of:_:)``.
@frozen
public struct CellSource {
    @frozen
    public enum Kind { case int64, int32, real, bits, text }
    public let kind: Kind
    public let values: UnsafeRawPointer
    /// Where texts start and end.
    public let offsets: UnsafePointer<Int32>?
    public let validity: UnsafePointer<UInt64>?

    @inlinable @inline(__always)
    public func isNull(_ row: Int) -> Bool {
        guard let validity else { return false }
        return validity[row >> 6] >> UInt64(row & 63) & 1 == 0
    }
}

extension CellSource {
    /// Lays open every column of a batch for the time of a closure; a point gives two cells.
    public static func withCells<R>(of batch: Batch, _ body: ([CellSource]) throws -> R) throws -> R {
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
            let start = buffer.baseAddress.map { UnsafeRawPointer($0) } ?? CellSource.nothing
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

    /// An address for columns of no values.
    nonisolated(unsafe) private static let nothing = UnsafeRawPointer(
        UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
    )
}
