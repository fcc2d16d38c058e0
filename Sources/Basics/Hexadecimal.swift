/// Bytes as lower-case hexadecimal text and back.
public enum Hexadecimal {
    /// The text of bytes.
    public static func text(_ bytes: some Sequence<UInt8>) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(2 * bytes.underestimatedCount)
        for byte in bytes {
            out.append(JSONWriter.hexadecimal[Int(byte >> 4)])
            out.append(JSONWriter.hexadecimal[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The text of bytes in memory, made without a copy.
    public static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: 2 * bytes.count) { out in
            JSONWriter.hexadecimal.withUnsafeBufferPointer { digits in
                for index in bytes.indices {
                    out[2 * index] = digits[Int(bytes[index] >> 4)]
                    out[2 * index + 1] = digits[Int(bytes[index] & 15)]
                }
            }
            return 2 * bytes.count
        }
    }

    /// The bytes of a text; nil where it is not hexadecimal.
    public static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.utf8.map { digit -> UInt8? in
            switch digit {
            case 0x30...0x39: digit - 0x30
            case 0x61...0x66: digit - 0x57
            case 0x41...0x46: digit - 0x37
            default: nil
            }
        }
        guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0) }
    }
}
