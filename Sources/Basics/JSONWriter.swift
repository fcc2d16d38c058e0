/// Writes JSON as bytes, with commas and escapes in the right places and nothing in between.
public struct JSONWriter: Sendable {
    public var bytes: [UInt8] = []
    @usableFromInline
    var needsComma = false

    public init(capacity: Int = 256) {
        bytes.reserveCapacity(capacity)
    }

    /// Goes on after bytes that were written before.
    public init(appendingTo bytes: consuming [UInt8]) { self.bytes = bytes }

    @inlinable
    mutating func separate() {
        if needsComma { bytes.append(0x2C) }
        needsComma = true
    }

    @inlinable
    public mutating func beginObject() {
        separate()
        bytes.append(0x7B)
        needsComma = false
    }

    @inlinable
    public mutating func endObject() {
        bytes.append(0x7D)
        needsComma = true
    }

    @inlinable
    public mutating func beginArray() {
        separate()
        bytes.append(0x5B)
        needsComma = false
    }

    @inlinable
    public mutating func endArray() {
        bytes.append(0x5D)
        needsComma = true
    }

    @inlinable
    public mutating func key(_ name: String) {
        string(name)
        bytes.append(0x3A)
        needsComma = false
    }

    /// Appends bytes that are JSON already (a key with its colon made once, a nested document).
    @inlinable
    public mutating func raw(_ json: [UInt8], isKey: Bool = false) {
        separate()
        bytes.append(contentsOf: json)
        if isKey { needsComma = false }
    }

    @inlinable
    public mutating func string(_ text: String) {
        separate()
        var text = text
        text.withUTF8 { JSONWriter.appendString($0, to: &bytes) }
    }

    @inlinable
    public mutating func string(_ text: UnsafeBufferPointer<UInt8>) {
        separate()
        JSONWriter.appendString(text, to: &bytes)
    }

    @inlinable
    public mutating func integer(_ value: Int64) {
        separate()
        Numbers.append(value, to: &bytes)
    }

    public mutating func integer(_ value: Int) { integer(Int64(value)) }

    @inlinable
    public mutating func real(_ value: Double) {
        separate()
        Numbers.append(value, to: &bytes)
    }

    /// A moment as text, as ``CivilTime/timestamp(_:)`` has it.
    public mutating func timestamp(_ microseconds: Int64) {
        separate()
        bytes.append(0x22)
        CivilTime.appendTimestamp(microseconds, to: &bytes)
        bytes.append(0x22)
    }

    @inlinable
    public mutating func boolean(_ value: Bool) {
        separate()
        bytes.append(contentsOf: value ? JSONWriter.yes : JSONWriter.no)
    }

    @inlinable
    public mutating func null() {
        separate()
        bytes.append(contentsOf: JSONWriter.nothing)
    }

    @usableFromInline static let yes = Array("true".utf8)
    @usableFromInline static let no = Array("false".utf8)
    @usableFromInline static let nothing = Array("null".utf8)
    @usableFromInline static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Appends a quoted, escaped string. `<`, `>` and `&` are left as they are: JSON is never put inside HTML here.
    @inlinable
    public static func appendString(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
        out.append(0x22)
        var clean = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C {
                out.append(contentsOf: UnsafeBufferPointer(rebasing: text[clean..<index]))
                out.append(0x5C)
                switch byte {
                case 0x22, 0x5C: out.append(byte)
                case 0x0A: out.append(0x6E)
                case 0x0D: out.append(0x72)
                case 0x09: out.append(0x74)
                default:
                    out.append(contentsOf: [0x75, 0x30, 0x30])
                    out.append(hexadecimal[Int(byte >> 4)])
                    out.append(hexadecimal[Int(byte & 15)])
                }
                clean = index + 1
            }
            index += 1
        }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: text[clean...]))
        out.append(0x22)
    }

    /// The document as a string.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}
