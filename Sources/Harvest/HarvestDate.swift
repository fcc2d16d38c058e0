import Basics

/// Dates of other catalogues in the two forms that entries use.
enum HarvestDate {
    /// `YYYY-MM-DD` for a date, `YYYY-MM-DDThh:mm:ss+08:00` for a moment; nil where a text is neither.
    ///
    /// Read are ISO 8601 (fractions of seconds are dropped), a year alone, and dates as `CivilTime.parseWrittenDate` reads them. A year or
    /// a month stands for its first day. `zone` is the offset of moments without one, in microseconds.
    static func text(_ raw: String, zone: Int64) -> String? {
        let text = TextForms.trimmed(raw)
        guard (4...40).contains(text.utf8.count) else { return nil }
        let digits = Array(text.utf8)
        if let moment = moment(digits, zone: zone) { return CivilTime.timestamp(moment) }
        let day = digits.withUnsafeBufferPointer { CivilTime.parseISODate($0) }
        if let day { return isSensible(day) ? text : nil }
        if digits.count == 4, let year = Int(text), let day = CivilTime.checkedDays(year: year, month: 1, day: 1) {
            return isSensible(day) ? CivilTime.date(day) : nil
        }
        guard let written = CivilTime.parseWrittenDate(withoutTime(text)) else { return nil }
        return isSensible(written.days) ? CivilTime.date(written.days) : nil
    }

    /// Within the years that a catalogue can speak of: 1800 to 2199.
    private static func isSensible(_ day: Int32) -> Bool { (1800...2199).contains(CivilTime.civil(days: day).year) }

    private static func moment(_ text: [UInt8], zone: Int64) -> Int64? {
        guard text.count >= 16, text[10] == 0x54 || text[10] == 0x20 else { return nil }
        // Fractions are not kept, and some sources give nine digits of them.
        var plain = text
        if text.count > 19, text[19] == 0x2E || text[19] == 0x2C {
            let end = text[20...].firstIndex { !(0x30...0x39).contains($0) } ?? text.count
            plain.removeSubrange(19..<end)
        }
        if plain.last == 0x7A { plain[plain.count - 1] = 0x5A }
        let hasZone = plain.last == 0x5A || plain[11...].contains { $0 == 0x2B || $0 == 0x2D }
        guard let moment = plain.withUnsafeBufferPointer({ CivilTime.parseISOTimestamp($0) }) else { return nil }
        let shifted = hasZone ? moment : moment + CivilTime.chinaOffset - zone
        return isSensible(CivilTime.chinaDay(microseconds: shifted)) ? shifted : nil
    }

    /// `2025/3/1 10:20` without its time.
    private static func withoutTime(_ text: String) -> String {
        guard let space = text.firstIndex(of: " "), text[space...].contains(":") else { return text }
        return String(text[..<space])
    }
}
