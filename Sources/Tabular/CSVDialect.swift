/// How a delimited text is written.
public struct CSVDialect: Sendable, Hashable {
    public var delimiter: UInt8
    /// The quote character; 0 for none.
    public var quote: UInt8

    public init(delimiter: UInt8 = 0x2C, quote: UInt8 = 0x22) {
        self.delimiter = delimiter
        self.quote = quote
    }

    /// Guesses from a sample in UTF-8: the delimiter whose count per line is the most regular.
    public static func detect(_ sample: [UInt8]) -> CSVDialect {
        var best = CSVDialect()
        var bestScore = 0.0
        for delimiter: UInt8 in [0x2C, 0x09, 0x3B, 0x7C] {
            let counts = lineCounts(sample, delimiter)
            guard !counts.isEmpty else { continue }
            let groups = Dictionary(grouping: counts.filter { $0 > 0 }, by: { $0 })
            guard let mode = groups.max(by: { ($0.value.count, $0.key) < ($1.value.count, $1.key) }) else { continue }
            let score = Double(mode.value.count) / Double(counts.count) * (1 + min(Double(mode.key), 30) / 30)
            if score > bestScore {
                best.delimiter = delimiter
                bestScore = score
            }
        }
        return best
    }

    static func lineCounts(_ sample: [UInt8], _ delimiter: UInt8) -> [Int] {
        var counts: [Int] = []
        var count = 0
        var length = 0
        var quoted = false
        for byte in sample {
            if byte == 0x22 { quoted.toggle() }
            if byte == 0x0A, !quoted {
                if length > 0 { counts.append(count) }
                count = 0
                length = 0
                if counts.count >= 200 { break }
                continue
            }
            if byte != 0x0D { length += 1 }
            if byte == delimiter, !quoted { count += 1 }
        }
        if counts.isEmpty, length > 0 { counts.append(count) }
        return counts
    }
}
