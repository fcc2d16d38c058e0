import Basics
import Codes
import Tabular

/// Reads values as people write them. Used where a field allows it, and to suggest a mend where it does not.
enum LenientValue {
    /// The value of a cell that the strict reading refused; nil where nothing fits.
    static func read(_ cell: UnsafeBufferPointer<UInt8>, _ field: Field) -> Value? {
        let text = TextForms.trimmed(TextForms.halfWidth(String(decoding: cell.prefix(200), as: UTF8.self)))
        guard !text.isEmpty else { return .null }
        switch field.type {
        case .integer, .decimal, .real: return number(text, field)
        case .boolean: return boolean(text)
        case .date:
            if let date = CivilTime.parseWrittenDate(text) { return .date(date.days) }
            return moment(text).map { .date(CivilTime.chinaDay(microseconds: $0)) }
        case .timestamp:
            if let moment = moment(text) { return .timestamp(moment) }
            return CivilTime.parseWrittenDate(text).map {
                .timestamp(Int64($0.days) * CivilTime.microsecondsPerDay - CivilTime.chinaOffset)
            }
        case .time: return time(text).map { .time($0) }
        default: return nil
        }
    }

    static func number(_ text: String, _ field: Field) -> Value? {
        var plain = text.filter { $0 != "," && $0 != " " }
        if plain.hasPrefix("¥") || plain.hasPrefix("¥") { plain.removeFirst() }
        var percent = false
        if plain.hasSuffix("%"), field.type != .integer {
            plain.removeLast()
            percent = true
        }
        return Array(plain.utf8).withUnsafeBufferPointer { bytes in
            switch field.type {
            case .integer:
                if let value = Numbers.parseInteger(bytes) { return .integer(value) }
                guard let real = Numbers.parseReal(bytes), real.rounded() == real, real.magnitude < 9e15 else {
                    return nil
                }
                return .integer(Int64(real))
            case .decimal:
                return percent
                    ? nil : Numbers.parseDecimal(bytes, scale: field.scale).map { .decimal($0, scale: field.scale) }
            default: return Numbers.parseReal(bytes).map { .real(percent ? $0 / 100 : $0) }
            }
        }
    }

    static func boolean(_ text: String) -> Value? {
        switch text.lowercased() {
        case "true", "yes", "y", "1", "是", "有", "对", "√", "t": .boolean(true)
        case "false", "no", "n", "0", "否", "无", "错", "×", "f": .boolean(false)
        default: nil
        }
    }

    static func moment(_ text: String) -> Int64? {
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "T" }).map(String.init)
        guard parts.count == 2, let date = CivilTime.parseWrittenDate(parts[0]), date.precision == .day else {
            if text.utf8.count == 14, Identifier.normalise(text) == text,
                let date = CivilTime.parseWrittenDate(String(text.prefix(8)))
            {
                let clock = Array(text.suffix(6))
                return time("\(clock[0])\(clock[1]):\(clock[2])\(clock[3]):\(clock[4])\(clock[5])").map {
                    Int64(date.days) * CivilTime.microsecondsPerDay + $0 - CivilTime.chinaOffset
                }
            }
            return nil
        }
        return time(parts[1]).map { Int64(date.days) * CivilTime.microsecondsPerDay + $0 - CivilTime.chinaOffset }
    }

    static func time(_ text: String) -> Int64? {
        let padded = text.split(separator: ":", omittingEmptySubsequences: false).map {
            $0.count == 1 ? "0\($0)" : String($0)
        }
        return Array(padded.joined(separator: ":").utf8).withUnsafeBufferPointer { CivilTime.parseTime($0) }
    }
}
