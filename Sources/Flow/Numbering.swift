import Basics

extension ResourceDeclaration.Numbering {
    /// The parts of a format: texts and places.
    enum Part: Hashable {
        case text(String)
        case year, month, day, division
        case serial(width: Int)
    }

    /// The format's parts; nil with what is wrong in it.
    var parts: (parts: [Part], mistake: LocalizedText?) {
        var parts: [Part] = []
        var rest = Substring(format)
        while let open = rest.firstIndex(of: "{") {
            if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
            guard let close = rest[open...].firstIndex(of: "}") else {
                return ([], .init("“{”没有配对的“}”", "a “{” has no “}”"))
            }
            let name = rest[rest.index(after: open)..<close]
            let pieces = name.split(separator: ":", maxSplits: 1)
            switch pieces.first {
            case "year": parts.append(.year)
            case "month": parts.append(.month)
            case "day": parts.append(.day)
            case "division": parts.append(.division)
            case "serial":
                let width = pieces.count == 2 ? Int(pieces[1]) : 0
                guard let width, (0...12).contains(width) else {
                    return ([], .init("序号位数应为 1 至 12", "a serial has 1 to 12 digits"))
                }
                parts.append(.serial(width: width))
            default:
                return (
                    [],
                    .init(
                        "不认识的占位“{\(name)}”；可用：year、month、day、division、serial",
                        "the place “{\(name)}” is unknown; there are: year, month, day, division, serial"
                    )
                )
            }
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        return (parts, nil)
    }

    /// What is wrong with the format: without a serial, or without the period in which it begins again, numbers would be given twice.
    var mistake: LocalizedText? {
        let (parts, mistake) = parts
        if let mistake { return mistake }
        func has(_ part: Part) -> Bool { parts.contains(part) }
        guard parts.contains(where: { if case .serial = $0 { true } else { false } }) else {
            return .init("缺少 {serial}，编号会重复", "{serial} is missing: numbers would be given twice")
        }
        let isWhole: Bool =
            switch period {
            case .ever: true
            case .year: has(.year)
            case .month: has(.year) && has(.month)
            case .day: has(.year) && has(.month) && has(.day)
            }
        return isWhole
            ? nil
            : .init(
                "序号按 \(period.rawValue) 重新开始，格式中须有相应的年月日，否则编号会重复",
                "the serial begins again every \(period.rawValue): the format must name it, or numbers would be given twice"
            )
    }

    /// The period that a day lies in.
    func period(of day: Int32) -> String {
        let text = CivilTime.date(day)
        return switch period {
        case .ever: ""
        case .year: String(text.prefix(4))
        case .month: String(text.prefix(7))
        case .day: text
        }
    }

    /// A number.
    func number(_ serial: Int64, day: Int32, division: String) -> String {
        let (year, month, date) = CivilTime.civil(days: day)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
        return parts.parts.map { part in
            switch part {
            case .text(let text): text
            case .year: String(year)
            case .month: two(Int(month))
            case .day: two(Int(date))
            case .division: division
            case .serial(let width):
                String(repeating: "0", count: max(0, width - String(serial).count)) + String(serial)
            }
        }.joined()
    }
}
