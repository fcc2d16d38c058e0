import Basics

/// Builds a column value by value.
public struct ColumnBuilder: Sendable {
    public let field: Field
    var values: ColumnValues
    var validity: Bitmap?
    public private(set) var count = 0

    public init(_ field: Field, capacity: Int = 0) {
        self.field = field
        switch field.type {
        case .integer, .decimal, .time, .timestamp: values = .int64([])
        case .date: values = .int32([])
        case .real: values = .real([])
        case .boolean: values = .bits(Bitmap(repeating: false, count: 0))
        case .text, .geometry, .file: values = .text(TextBuffer(capacity: capacity))
        case .point: values = .points(x: [], y: [])
        }
    }

    mutating func mark(valid: Bool) {
        if !valid, validity == nil { validity = Bitmap(repeating: true, count: count) }
        if validity != nil { validity?.append(valid) }
        count += 1
    }

    public mutating func appendNull() {
        switch values {
        case .int64(var list):
            values = .int64([])
            list.append(0)
            values = .int64(list)
        case .int32(var list):
            values = .int32([])
            list.append(0)
            values = .int32(list)
        case .real(var list):
            values = .int64([])
            list.append(0)
            values = .real(list)
        case .bits(var bits):
            values = .int64([])
            bits.append(false)
            values = .bits(bits)
        case .text(var texts):
            values = .int64([])
            texts.append(UnsafeBufferPointer(start: nil, count: 0))
            values = .text(texts)
        case .points(var x, var y):
            values = .int64([])
            x.append(0)
            y.append(0)
            values = .points(x: x, y: y)
        }
        mark(valid: false)
    }

    public mutating func append(int64 value: Int64) {
        guard case .int64(var list) = values else { return append(Value.integer(value)) }
        values = .int32([])
        list.append(value)
        values = .int64(list)
        mark(valid: true)
    }

    public mutating func append(real value: Double) {
        guard case .real(var list) = values else { return append(Value.real(value)) }
        values = .int32([])
        list.append(value)
        values = .real(list)
        mark(valid: true)
    }

    public mutating func append(text: UnsafeBufferPointer<UInt8>) {
        guard case .text(var texts) = values else { return appendNull() }
        values = .int32([])
        texts.append(text)
        values = .text(texts)
        mark(valid: true)
    }

    /// Appends a value, converted where the conversion loses nothing; null where it would.
    public mutating func append(_ value: Value) {
        switch (values, value) {
        case (_, .null): appendNull()
        case (.int64, .integer(let number)):
            append(int64: field.type == .decimal ? number &* Numbers.powersOfTen[field.scale] : number)
        case (.int64, .decimal(let number, let scale)) where field.type == .decimal && scale == field.scale:
            append(int64: number)
        case (.int64, .time(let number)), (.int64, .timestamp(let number)): append(int64: number)
        case (.real, .real(let number)): append(real: number)
        case (.real, .integer(let number)): append(real: Double(number))
        case (.real, .decimal(let number, let scale)): append(real: Double(number) / Double(Numbers.powersOfTen[scale]))
        case (.int32(var list), .date(let days)):
            values = .real([])
            list.append(days)
            values = .int32(list)
            mark(valid: true)
        case (.bits(var bits), .boolean(let bit)):
            values = .real([])
            bits.append(bit)
            values = .bits(bits)
            mark(valid: true)
        case (.points(var x, var y), .point(let newX, let newY)):
            values = .real([])
            x.append(newX)
            y.append(newY)
            values = .points(x: x, y: y)
            mark(valid: true)
        case (.text, _):
            let bytes = Array(value.text.utf8)
            bytes.withUnsafeBufferPointer { append(text: $0) }
        default: appendNull()
        }
    }

    /// The column; the builder is empty afterwards.
    public mutating func finish() -> Column {
        let column = Column(values, validity: validity)
        self = ColumnBuilder(field, capacity: count)
        return column
    }
}
