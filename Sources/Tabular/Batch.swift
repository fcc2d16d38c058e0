public import Basics

/// Texts one after the other: Arrow's variable-size binary layout (`count + 1` offsets, then the bytes).
public struct TextBuffer: Sendable, Hashable {
    public var offsets: [Int32]
    public var bytes: [UInt8]

    public init(capacity: Int = 0) {
        offsets = []
        offsets.reserveCapacity(capacity + 1)
        offsets.append(0)
        bytes = []
    }

    public var count: Int { offsets.count - 1 }

    @inlinable
    public mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        bytes.append(contentsOf: text)
        offsets.append(Int32(truncatingIfNeeded: bytes.count))
    }

    public mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        offsets.append(Int32(truncatingIfNeeded: bytes.count))
    }

    /// Calls a closure with the bytes of one text.
    @inlinable
    public func withBytes<R>(_ index: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try bytes.withUnsafeBufferPointer { buffer in
            try body(UnsafeBufferPointer(rebasing: buffer[Int(offsets[index])..<Int(offsets[index + 1])]))
        }
    }

    public subscript(index: Int) -> String {
        String(decoding: bytes[Int(offsets[index])..<Int(offsets[index + 1])], as: UTF8.self)
    }
}

/// The values of a column in Arrow-compatible layout.
public enum ColumnValues: Sendable, Hashable {
    /// integer, decimal (scaled), time, timestamp (microseconds)
    case int64([Int64])
    /// date (days)
    case int32([Int32])
    case real([Double])
    case bits(Bitmap)
    /// text, geometry (GeoJSON), file
    case text(TextBuffer)
    case points(x: [Double], y: [Double])
}

/// One column of a batch: values and which of them are there.
public struct Column: Sendable, Hashable {
    public var values: ColumnValues
    /// A set bit is a value; nil where all are there.
    public var validity: Bitmap?

    public init(_ values: ColumnValues, validity: Bitmap? = nil) {
        self.values = values
        self.validity = validity
    }

    @inlinable
    public func isNull(_ row: Int) -> Bool { validity.map { !$0[row] } ?? false }

    /// A hash of one value, equal for equal values; the row is not null.
    public func hash(_ row: Int) -> Hash128 {
        switch values {
        case .int64(let values): Hash128(values[row])
        case .int32(let values): Hash128(Int64(values[row]))
        case .real(let values): Hash128(Int64(bitPattern: values[row].bitPattern))
        case .bits(let bits): Hash128(bits[row] ? 1 : 0)
        case .text(let texts): texts.withBytes(row) { Hash128($0) }
        case .points(let x, let y):
            {
                var hash = Hash128(Int64(bitPattern: x[row].bitPattern))
                hash.combine(Hash128(Int64(bitPattern: y[row].bitPattern)))
                return hash
            }()
        }
    }

    /// The number of rows.
    public var count: Int {
        switch values {
        case .int64(let values): values.count
        case .int32(let values): values.count
        case .real(let values): values.count
        case .bits(let bits): bits.count
        case .text(let texts): texts.count
        case .points(let x, _): x.count
        }
    }
}

/// Rows of one resource on the move.
public struct Batch: Sendable {
    public var fields: [Field]
    public var columns: [Column]
    public var count: Int

    public init(fields: [Field], columns: [Column], count: Int) {
        self.fields = fields
        self.columns = columns
        self.count = count
    }

    /// The position of a column.
    public func index(_ name: String) -> Int? { fields.firstIndex { $0.name == name } }

    /// One value; slow, for single rows, tests and messages.
    public func value(_ row: Int, _ column: Int) -> Value {
        guard !columns[column].isNull(row) else { return .null }
        switch columns[column].values {
        case .int64(let values):
            switch fields[column].type {
            case .decimal: return .decimal(values[row], scale: fields[column].scale)
            case .time: return .time(values[row])
            case .timestamp: return .timestamp(values[row])
            default: return .integer(values[row])
            }
        case .int32(let values): return .date(values[row])
        case .real(let values): return .real(values[row])
        case .bits(let bits): return .boolean(bits[row])
        case .text(let texts): return .text(texts[row])
        case .points(let x, let y): return .point(x[row], y[row])
        }
    }
}

/// One value outside a batch: a form's field, a parameter, a literal.
public enum Value: Sendable, Hashable {
    case null
    case text(String)
    case integer(Int64)
    case decimal(Int64, scale: Int)
    case real(Double)
    case boolean(Bool)
    case date(Int32)
    case time(Int64)
    case timestamp(Int64)
    case point(Double, Double)

    /// The text of the value as files and pages show it; empty for null.
    public var text: String {
        var out: [UInt8] = []
        append(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends the text of the value.
    public func append(to out: inout [UInt8]) {
        switch self {
        case .null: break
        case .text(let value): out.append(contentsOf: value.utf8)
        case .integer(let value): Numbers.append(value, to: &out)
        case .decimal(let value, let scale): Numbers.appendDecimal(value, scale: scale, to: &out)
        case .real(let value): Numbers.append(value, to: &out)
        case .boolean(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .date(let value): CivilTime.appendDate(value, to: &out)
        case .time(let value): CivilTime.appendTime(value, to: &out)
        case .timestamp(let value): CivilTime.appendTimestamp(value, to: &out)
        case .point(let x, let y):
            Numbers.append(x, to: &out)
            out.append(0x20)
            Numbers.append(y, to: &out)
        }
    }

    /// The value as JSON.
    public var json: JSONValue {
        switch self {
        case .null: .null
        case .integer(let value): .integer(value)
        case .real(let value): .real(value)
        case .boolean(let value): .boolean(value)
        case .decimal(let value, let scale): .real(Double(value) / Double(Numbers.powersOfTen[scale]))
        case .point(let x, let y): .array([.real(x), .real(y)])
        default: .string(text)
        }
    }
}

extension Column {
    /// The column of some rows only, in their order.
    public func taking(_ rows: [Int32]) -> Column {
        var kept: Bitmap?
        if let validity {
            var bits = Bitmap(repeating: false, count: rows.count)
            for (index, row) in rows.enumerated() where validity[Int(row)] { bits[index] = true }
            kept = bits
        }
        switch values {
        case .int64(let values): return Column(.int64(rows.map { values[Int($0)] }), validity: kept)
        case .int32(let values): return Column(.int32(rows.map { values[Int($0)] }), validity: kept)
        case .real(let values): return Column(.real(rows.map { values[Int($0)] }), validity: kept)
        case .bits(let bits):
            var taken = Bitmap(repeating: false, count: rows.count)
            for (index, row) in rows.enumerated() where bits[Int(row)] { taken[index] = true }
            return Column(.bits(taken), validity: kept)
        case .points(let x, let y):
            return Column(.points(x: rows.map { x[Int($0)] }, y: rows.map { y[Int($0)] }), validity: kept)
        case .text(let texts):
            var taken = TextBuffer(capacity: rows.count)
            taken.bytes.reserveCapacity(texts.bytes.count / max(texts.count, 1) * rows.count)
            texts.bytes.withUnsafeBufferPointer { bytes in
                for row in rows {
                    let start = Int(texts.offsets[Int(row)])
                    taken.append(UnsafeBufferPointer(rebasing: bytes[start..<Int(texts.offsets[Int(row) + 1])]))
                }
            }
            return Column(.text(taken), validity: kept)
        }
    }
}
