extension Bitmap {
    mutating func append(contentsOf other: Bitmap) {
        for index in 0..<other.count { append(other[index]) }
    }
}

extension Column {
    /// Appends the values of a column of the same type.
    public mutating func append(_ other: Column) {
        if validity != nil || other.validity != nil {
            var bits = validity ?? Bitmap(repeating: true, count: count)
            bits.append(contentsOf: other.validity ?? Bitmap(repeating: true, count: other.count))
            validity = bits
        }
        // Each array is taken out of the enumeration while it grows, so that it is not copied.
        switch (values, other.values) {
        case (.int64(var a), .int64(let b)):
            values = .int32([])
            a += b
            values = .int64(a)
        case (.int32(var a), .int32(let b)):
            values = .int64([])
            a += b
            values = .int32(a)
        case (.real(var a), .real(let b)):
            values = .int64([])
            a += b
            values = .real(a)
        case (.bits(var a), .bits(let b)):
            values = .int64([])
            a.append(contentsOf: b)
            values = .bits(a)
        case (.points(var x, var y), .points(let moreX, let moreY)):
            values = .int64([])
            x += moreX
            y += moreY
            values = .points(x: x, y: y)
        case (.text(var a), .text(let b)):
            values = .int64([])
            let start = a.offsets[a.count]
            a.bytes += b.bytes
            a.offsets += b.offsets.dropFirst().map { start + $0 }
            values = .text(a)
        default: break
        }
    }
}

extension Batch {
    /// The bytes that its values take, about.
    public var bytes: Int {
        columns.reduce(0) { sum, column in
            switch column.values {
            case .int64, .real: sum + 8 * count
            case .int32: sum + 4 * count
            case .bits: sum + count / 8
            case .points: sum + 16 * count
            case .text(let texts): sum + texts.bytes.count + 4 * count
            }
        }
    }
}
