/// Makes identifiers that sort by the time they were made: UUID version 7 (RFC 9562).
public enum TimeOrderedID {
    /// A new identifier for a moment, 36 characters of lower-case hexadecimal and dashes.
    public static func make(microseconds: Int64) -> String {
        let milliseconds = UInt64(max(0, microseconds / 1000))
        var bytes: [UInt8] = (0..<6).map { UInt8(truncatingIfNeeded: milliseconds >> (40 - 8 * UInt64($0))) }
        var generator = SystemRandomNumberGenerator()
        let random = (generator.next(), generator.next())
        for shift in 0..<2 { bytes.append(UInt8(truncatingIfNeeded: random.0 >> (8 * UInt64(shift)))) }
        for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: random.1 >> (8 * UInt64(shift)))) }
        bytes[6] = bytes[6] & 0x0F | 0x70
        bytes[8] = bytes[8] & 0x3F | 0x80
        let text = Array(Hexadecimal.text(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }.joined(separator: "-")
    }
}
