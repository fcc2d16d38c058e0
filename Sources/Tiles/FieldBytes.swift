/// Fields of Protocol Buffers, one after the other. The memory behind them is always larger, so that one check of its
/// size serves all bytes of a feature.
struct FieldBytes: ~Copyable {
    private var memory = Memory<UInt8>(capacity: 1024)
    private(set) var count = 0

    /// Writes so many bytes at most.
    @inline(__always)
    mutating func write(atMost most: Int, _ body: (inout FieldWriter) -> Void) {
        memory.reserve(count + most, keeping: count)
        var writer = FieldWriter(memory.base, at: count)
        body(&writer)
        count = writer.count
    }

    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) { write(atMost: bytes.count) { $0.bytes(bytes) } }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { append($0) } }

    mutating func cut(to count: Int) { self.count = count }

    /// Ends a field whose length was left open: the byte at an offset, before its content.
    @inline(__always)
    mutating func endField(at offset: Int) {
        let length = count - offset - 1
        if length < 0x80 {
            memory.base[offset] = UInt8(truncatingIfNeeded: length)
        } else {
            endLongField(at: offset, length)
        }
    }

    private mutating func endLongField(at offset: Int, _ length: Int) {
        let content = copy(from: offset + 1)
        count = offset
        write(atMost: 10 + length) { $0.varint(length) }
        append(content)
    }

    /// The bytes from an offset on, until the next change.
    func bytes(from offset: Int = 0) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: memory.base + offset, count: count - offset)
    }

    func copy(from offset: Int = 0) -> [UInt8] { Array(bytes(from: offset)) }
}

/// Writes into memory that is large enough.
struct FieldWriter {
    private let memory: UnsafeMutablePointer<UInt8>
    private var next: UnsafeMutablePointer<UInt8>

    init(_ memory: UnsafeMutablePointer<UInt8>, at offset: Int = 0) {
        self.memory = memory
        next = memory + offset
    }

    var count: Int { next - memory }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        next.pointee = value
        next += 1
    }

    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    /// A number below 16,384, without a loop.
    @inline(__always)
    mutating func shortVarint(_ value: UInt32) {
        let isLong = value >= 0x80
        next[0] = UInt8(truncatingIfNeeded: value) & 0x7F | (isLong ? 0x80 : 0)
        next[1] = UInt8(truncatingIfNeeded: value >> 7)
        next += isLong ? 2 : 1
    }

    @inline(__always)
    mutating func varint(_ value: UInt32) { varint(UInt64(value)) }

    @inline(__always)
    mutating func varint(_ value: Int) { varint(UInt64(bitPattern: Int64(value))) }

    mutating func bytes(_ values: UnsafeBufferPointer<UInt8>) {
        guard let base = values.baseAddress else { return }
        next.update(from: base, count: values.count)
        next += values.count
    }

    mutating func bytes(_ values: [UInt8]) { values.withUnsafeBufferPointer { bytes($0) } }

    /// A number's bytes, the lowest first.
    @inline(__always)
    mutating func fixed<Number: FixedWidthInteger & BitwiseCopyable>(_ value: Number) {
        UnsafeMutableRawPointer(next).storeBytes(of: value.littleEndian, as: Number.self)
        next += MemoryLayout<Number>.size
    }
}

/// Reads what ``FieldWriter`` wrote.
struct FieldReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var offset: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    /// The next byte, without going over it.
    var first: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    @inline(__always)
    mutating func byte() -> UInt8? {
        guard offset < bytes.count else { return nil }
        offset += 1
        return bytes[offset - 1]
    }

    @inline(__always)
    mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = byte() {
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    /// The content of a field, whose number and type are read already.
    @inline(__always)
    mutating func content() -> UnsafeBufferPointer<UInt8>? {
        guard let length = varint(), length <= UInt64(bytes.count - offset) else { return nil }
        offset += Int(length)
        return slice(offset - Int(length), offset)
    }

    /// The bytes between two offsets.
    func slice(_ from: Int, _ to: Int) -> UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[from..<to]) }
}

/// Numbers of seven bits a byte.
enum Varint {
    /// Bytes that a number takes, 1 to 10.
    @inline(__always)
    static func length(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

    @inline(__always)
    static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }

    @inline(__always)
    static func zigzag(_ value: Int32) -> UInt32 { UInt32(bitPattern: (value << 1) ^ (value >> 31)) }
}
