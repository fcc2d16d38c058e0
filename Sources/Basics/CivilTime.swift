/// Dates and times as numbers: days and microseconds since 1970-01-01, in the proleptic Gregorian calendar.
///
/// The algorithms are the era-based ones of Howard Hinnant's `chrono` paper ("days_from_civil").
public enum CivilTime {
    /// Microseconds of one day.
    public static let microsecondsPerDay: Int64 = 86_400_000_000
    /// The offset of China Standard Time, in microseconds. Times without a zone are read, and all are shown, in it.
    public static let chinaOffset: Int64 = 8 * 3_600_000_000

    /// Days since 1970-01-01 of a civil date; the date must be valid.
    @inlinable
    public static func days(year: Int, month: Int, day: Int) -> Int32 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yoe = y - era * 400
        let doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy
        return Int32(era * 146_097 + doe - 719_468)
    }

    /// The civil date of a day number.
    @inlinable
    public static func civil(days: Int32) -> (year: Int, month: Int, day: Int) {
        let z = Int(days) + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let doe = z - era * 146_097
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1)
    }

    /// The number of days of a month, 0 for a month outside 1...12.
    @inlinable
    public static func daysInMonth(year: Int, month: Int) -> Int {
        switch month {
        case 1, 3, 5, 7, 8, 10, 12: 31
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 0
        }
    }

    /// Days since 1970-01-01, or nil where no such day exists (2026-02-30).
    @inlinable
    public static func checkedDays(year: Int, month: Int, day: Int) -> Int32? {
        guard year >= 0, year <= 9999, day >= 1, day <= daysInMonth(year: year, month: month) else { return nil }
        return days(year: year, month: month, day: day)
    }

    /// Day of the week of a day number: 1 Monday … 7 Sunday.
    public static func weekday(days: Int32) -> Int {
        let shifted = (Int(days) + 3) % 7
        return (shifted < 0 ? shifted + 7 : shifted) + 1
    }

    /// The day number of a moment as China counts it (UTC+8).
    public static func chinaDay(microseconds: Int64) -> Int32 {
        Int32(floorDivide(microseconds + chinaOffset, microsecondsPerDay))
    }

    @inlinable
    static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
        let quotient = a / b
        return a % b < 0 ? quotient - 1 : quotient
    }
}

// MARK: Writing

extension CivilTime {
    /// The moment (microseconds UTC) at which a day begins in China.
    public static func chinaMidnight(day: Int32) -> Int64 { Int64(day) * microsecondsPerDay - chinaOffset }

    /// Appends `YYYY-MM-DD`.
    @inlinable
    public static func appendDate(_ days: Int32, to out: inout [UInt8]) {
        let (year, month, day) = civil(days: days)
        appendDigits(year, width: 4, to: &out)
        out.append(0x2D)
        appendDigits(month, width: 2, to: &out)
        out.append(0x2D)
        appendDigits(day, width: 2, to: &out)
    }

    /// Appends `hh:mm:ss`, with `.ffffff` where the microseconds are not zero.
    @inlinable
    public static func appendTime(_ microseconds: Int64, to out: inout [UInt8]) {
        let seconds = Int(microseconds / 1_000_000)
        appendDigits(seconds / 3600, width: 2, to: &out)
        out.append(0x3A)
        appendDigits(seconds / 60 % 60, width: 2, to: &out)
        out.append(0x3A)
        appendDigits(seconds % 60, width: 2, to: &out)
        let fraction = Int(microseconds % 1_000_000)
        if fraction != 0 {
            out.append(0x2E)
            appendDigits(fraction, width: 6, to: &out)
        }
    }

    /// Appends `YYYY-MM-DDThh:mm:ss+08:00`.
    @inlinable
    public static func appendTimestamp(_ microseconds: Int64, to out: inout [UInt8]) {
        let local = microseconds + chinaOffset
        let day = floorDivide(local, microsecondsPerDay)
        appendDate(Int32(truncatingIfNeeded: day), to: &out)
        out.append(0x54)
        appendTime(local - day * microsecondsPerDay, to: &out)
        out.append(contentsOf: "+08:00".utf8)
    }

    /// `YYYY-MM-DD`.
    public static func date(_ days: Int32) -> String {
        var out: [UInt8] = []
        appendDate(days, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// `YYYY-MM-DDThh:mm:ss+08:00`.
    public static func timestamp(_ microseconds: Int64) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(32)
        appendTimestamp(microseconds, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// `YYYY-MM-DD hh:mm`, for people.
    public static func minute(_ microseconds: Int64) -> String {
        var out: [UInt8] = []
        appendTimestamp(microseconds, to: &out)
        out[10] = 0x20
        return String(decoding: out.prefix(16), as: UTF8.self)
    }

    @inlinable
    static func appendDigits(_ value: Int, width: Int, to out: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            out.append(UInt8(truncatingIfNeeded: 0x30 + value / divisor % 10))
            divisor /= 10
        }
    }
}

// MARK: Reading

extension CivilTime {
    /// Reads exactly `YYYY-MM-DD`; nil for anything else.
    @inlinable
    public static func parseISODate(_ text: UnsafeBufferPointer<UInt8>) -> Int32? {
        guard text.count == 10, text[4] == 0x2D, text[7] == 0x2D else { return nil }
        guard let year = number(text, 0, 4), let month = number(text, 5, 2), let day = number(text, 8, 2) else {
            return nil
        }
        return checkedDays(year: year, month: month, day: day)
    }

    /// Reads `hh:mm`, `hh:mm:ss` or `hh:mm:ss.ffffff`; microseconds of the day.
    @inlinable
    public static func parseTime(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard text.count >= 5, text[2] == 0x3A, let hour = number(text, 0, 2), let minute = number(text, 3, 2),
            hour < 24, minute < 60
        else { return nil }
        var result = Int64(hour * 60 + minute) * 60_000_000
        if text.count == 5 { return result }
        guard text.count >= 8, text[5] == 0x3A, let second = number(text, 6, 2), second < 60 else { return nil }
        result += Int64(second) * 1_000_000
        if text.count == 8 { return result }
        guard text[8] == 0x2E, text.count > 9, text.count <= 18 else { return nil }
        var scale: Int64 = 100_000
        for index in 9..<text.count {
            let digit = text[index] &- 0x30
            guard digit < 10 else { return nil }
            result += Int64(digit) * scale
            scale /= 10
        }
        return result
    }

    /// Reads `YYYY-MM-DDThh:mm[:ss[.f]]` (or a space for the T) with `Z`, `±hh:mm`, `±hhmm` or no zone (then UTC+8).
    @inlinable
    public static func parseISOTimestamp(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard text.count >= 16, text[10] == 0x54 || text[10] == 0x20,
            let day = parseISODate(UnsafeBufferPointer(rebasing: text[0..<10]))
        else { return nil }
        var end = text.count
        var offset = chinaOffset
        if text[end - 1] == 0x5A {
            end -= 1
            offset = 0
        } else if let sign = zoneStart(text) {
            let zone = UnsafeBufferPointer(rebasing: text[(sign + 1)...])
            guard let hours = number(zone, 0, 2),
                let minutes = zone.count == 2 ? 0 : number(zone, zone.count - 2, 2), hours < 24, minutes < 60
            else { return nil }
            offset = Int64(hours * 60 + minutes) * 60_000_000
            if text[sign] == 0x2D { offset = -offset }
            end = sign
        }
        guard end > 11, let time = parseTime(UnsafeBufferPointer(rebasing: text[11..<end])) else { return nil }
        return Int64(day) * microsecondsPerDay + time - offset
    }

    /// Where `±hh:mm`, `±hhmm` or `±hh` (as PostgreSQL writes) starts at the end of a text.
    @inlinable
    static func zoneStart(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        for length in [6, 5, 3] where text.count > 16 + length - 5 {
            let at = text.count - length
            guard at > 11, text[at] == 0x2B || text[at] == 0x2D else { continue }
            if length == 6, text[at + 3] != 0x3A { continue }
            return at
        }
        return nil
    }

    @inlinable
    static func number(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int) -> Int? {
        guard start >= 0, start + count <= text.count else { return nil }
        var value = 0
        for index in start..<(start + count) {
            let digit = text[index] &- 0x30
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value
    }
}

// MARK: Dates as people write them

extension CivilTime {
    /// A date people wrote, and how exactly they wrote it.
    public struct WrittenDate: Sendable, Hashable {
        public enum Precision: Sendable { case day, month, year }
        public var days: Int32
        public var precision: Precision
    }

    /// Reads `2025.3.1`, `2025/3/1`, `20250301`, `2025年3月1日`, `二〇二五年三月`, full-width digits, `2025-03`.
    ///
    /// A date without a day or a month stands for the first one of its period.
    public static func parseWrittenDate(_ text: String) -> WrittenDate? {
        var groups: [Int] = []
        var digits: [UInt8] = []
        var chinese = ""
        var separators = 0
        func close() -> Bool {
            if !digits.isEmpty {
                guard chinese.isEmpty, digits.count <= 8 else { return false }
                groups.append(digits.reduce(0) { $0 * 10 + Int($1) })
                if digits.count == 8, groups.count == 1 {
                    let whole = groups.removeLast()
                    groups = [whole / 10_000, whole / 100 % 100, whole % 100]
                }
                digits = []
            } else if !chinese.isEmpty {
                guard let value = ChineseNumerals.value(of: chinese) else { return false }
                groups.append(value)
                chinese = ""
            }
            return true
        }
        for scalar in TextForms.halfWidth(text).unicodeScalars {
            switch scalar {
            case "0"..."9": digits.append(UInt8(scalar.value - 0x30))
            case "-", "/", ".", "年", "月", "日", "号":
                separators += 1
                guard close() else { return nil }
            case " " where separators > 0: continue
            case _ where ChineseNumerals.isNumeral(scalar): chinese.unicodeScalars.append(scalar)
            default: return nil
            }
        }
        guard close(), let year = groups.first, (1000...2999).contains(year), groups.count <= 3 else { return nil }
        if groups.count == 1, separators == 0 { return nil }
        let precision: WrittenDate.Precision = groups.count == 3 ? .day : groups.count == 2 ? .month : .year
        let month = groups.count > 1 ? groups[1] : 1
        let day = groups.count > 2 ? groups[2] : 1
        return checkedDays(year: year, month: month, day: day).map { WrittenDate(days: $0, precision: precision) }
    }
}

/// Numerals of Chinese writing as they stand in dates and counts: 二〇二五, 十二, 三十一.
public enum ChineseNumerals {
    static let digits: [Unicode.Scalar: Int] = [
        "〇": 0, "○": 0, "零": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9,
    ]

    static func isNumeral(_ scalar: Unicode.Scalar) -> Bool { digits[scalar] != nil || scalar == "十" }

    /// The value of digits in a row (二〇二五) or of a number under a hundred (三十一); nil for anything else.
    public static func value(of text: String) -> Int? {
        let scalars = Array(text.unicodeScalars)
        guard let ten = scalars.firstIndex(of: "十") else {
            return scalars.isEmpty || scalars.count > 8
                ? nil
                : scalars.reduce(Int?.some(0)) { sum, next in digits[next].flatMap { d in sum.map { $0 * 10 + d } } }
        }
        guard ten <= 1, scalars.count <= ten + 2 else { return nil }
        let tens = ten == 0 ? 1 : digits[scalars[0]]
        let ones = ten + 1 < scalars.count ? digits[scalars[ten + 1]] : 0
        guard let tens, let ones else { return nil }
        return tens * 10 + ones
    }
}
