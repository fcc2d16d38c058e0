import Basics

/// The layer's values, each written once (Vector Tile 2.1, 4.4), in the order of their first use.
struct ValueTable: ~Copyable {
    /// The values as fields of the layer.
    private(set) var fields = FieldBytes()
    /// By value: its kind and bits, or the text's hash.
    private var entries = Memory<Key>(capacity: 64)
    private(set) var count = 0
    private var slots = Slots(count: 256)
    private let hash = NumberHash()

    mutating func index(text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = Hash128(text)
        let (index, isNew) = find(Key(high: hash.high, low: hash.low))
        if isNew { append(text) }
        return index
    }

    mutating func index(integer: Int64) -> UInt32 {
        let (index, isNew) = find(UInt64(bitPattern: integer), Kind.integer)
        guard isNew else { return index }
        let field = integer < 0 ? Field.signed : Field.unsigned
        let bits = integer < 0 ? Varint.zigzag(integer) : UInt64(bitPattern: integer)
        fields.write(atMost: 13) {
            $0.byte(Field.layerValues)
            $0.varint(1 + Varint.length(bits))
            $0.byte(field)
            $0.varint(bits)
        }
        return index
    }

    /// For a finite number: with four bytes where they hold it exactly, else with eight.
    mutating func index(real: Double) -> UInt32 {
        let (index, isNew) = find(real.bitPattern, Kind.real)
        guard isNew else { return index }
        let short = Float(real)
        let isShort = Double(short) == real
        fields.write(atMost: 11) {
            $0.byte(Field.layerValues)
            $0.byte(isShort ? 5 : 9)
            $0.byte(isShort ? Field.float : Field.double)
            if isShort { $0.fixed(short.bitPattern) } else { $0.fixed(real.bitPattern) }
        }
        return index
    }

    mutating func index(boolean: Bool) -> UInt32 {
        let (index, isNew) = find(boolean ? 1 : 0, Kind.boolean)
        guard isNew else { return index }
        fields.append([Field.layerValues, 2, Field.boolean, boolean ? 1 : 0])
        return index
    }

    /// Forgets the values from an index on, whose bytes begin at an offset.
    mutating func cut(to count: Int, bytes length: Int) {
        fields.cut(to: length)
        self.count = count
        spread(over: slots.mask + 1)
    }

    // MARK: Writing

    private enum Field {
        static let layerValues: UInt8 = 0x22
        static let text: UInt8 = 0x0A
        static let float: UInt8 = 0x15
        static let double: UInt8 = 0x19
        static let unsigned: UInt8 = 0x28
        static let signed: UInt8 = 0x30
        static let boolean: UInt8 = 0x38
    }

    /// Text in protobuf is UTF-8: what is none is mended.
    private mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        guard (try? UTF8Span(validating: text.span)) == nil else { return appendSound(text) }
        var mended = String(decoding: text, as: UTF8.self)
        mended.withUTF8 { appendSound($0) }
    }

    private mutating func appendSound(_ text: UnsafeBufferPointer<UInt8>) {
        fields.write(atMost: 22 + text.count) {
            $0.byte(Field.layerValues)
            $0.varint(1 + Varint.length(UInt64(text.count)) + text.count)
            $0.byte(Field.text)
            $0.varint(text.count)
            $0.bytes(text)
        }
    }

    // MARK: Finding

    struct Key: BitwiseCopyable, Equatable {
        let high: UInt64
        let low: UInt64
    }

    /// Keeps a number's bits apart from those of another kind.
    private enum Kind {
        static let integer: UInt64 = 0x9E37_79B9_7F4A_7C15
        static let real: UInt64 = 0xC2B2_AE3D_27D4_EB4F
        static let boolean: UInt64 = 0x1656_67B1_9E37_79F9
    }

    @inline(__always)
    private mutating func find(_ bits: UInt64, _ kind: UInt64) -> (index: UInt32, isNew: Bool) {
        find(Key(high: hash(bits) ^ kind, low: bits))
    }

    @inline(__always)
    private mutating func find(_ key: Key) -> (index: UInt32, isNew: Bool) {
        let known = entries.base
        if let entry = slots.find(key.high, orPut: count, { known[$0] == key }) {
            return (UInt32(truncatingIfNeeded: entry), false)
        }
        entries.reserve(count + 1, keeping: count)
        entries.base[count] = key
        count += 1
        if slots.areFew(for: count) { spread(over: (slots.mask + 1) * 4) }
        return (UInt32(truncatingIfNeeded: count - 1), true)
    }

    private mutating func spread(over number: Int) {
        slots = Slots(count: number)
        for index in 0..<count { _ = slots.find(entries.base[index].high, orPut: index) { _ in false } }
    }
}
