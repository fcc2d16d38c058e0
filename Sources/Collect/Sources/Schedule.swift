public import Basics

/// When a source is read, by the clock of China (UTC+8).
///
/// Written `manual`, `every 15m`, `every 6h`, `daily 02:30`, `weekly 1 02:30` (1 is Monday), `monthly 5 02:30`.
public enum Schedule: Sendable, Hashable {
    case manual
    case every(minutes: Int)
    case daily(minute: Int)
    case weekly(day: Int, minute: Int)
    /// Months shorter than the day end with it on their last day.
    case monthly(day: Int, minute: Int)

    /// - Throws: `source.schedule`.
    public init(text: String) throws(Problem) {
        let words = text.split(separator: " ").map(String.init)
        switch (words.first ?? "", words.count) {
        case ("manual", 1), ("", 0): self = .manual
        case ("every", 2): self = .every(minutes: try Schedule.interval(words[1]))
        case ("daily", 2): self = .daily(minute: try Schedule.minute(words[1]))
        case ("weekly", 3):
            guard let day = Int(words[1]), (1...7).contains(day) else { throw Schedule.unreadable }
            self = .weekly(day: day, minute: try Schedule.minute(words[2]))
        case ("monthly", 3):
            guard let day = Int(words[1]), (1...31).contains(day) else { throw Schedule.unreadable }
            self = .monthly(day: day, minute: try Schedule.minute(words[2]))
        default: throw Schedule.unreadable
        }
    }

    static let unreadable = Problem(
        "source.schedule",
        zh: "调度写法无法识别。",
        en: "The schedule cannot be read.",
        hint: .init(
            "如：manual、every 15m、every 6h、daily 02:30、weekly 1 02:30、monthly 5 02:30。",
            "Such as: manual, every 15m, every 6h, daily 02:30, weekly 1 02:30, monthly 5 02:30."
        )
    )

    private static func interval(_ text: String) throws(Problem) -> Int {
        let unit = text.hasSuffix("h") ? 60 : text.hasSuffix("m") ? 1 : 0
        guard unit > 0, let number = Int(text.dropLast()), (1...10_000).contains(number) else { throw unreadable }
        return number * unit
    }

    private static func minute(_ text: String) throws(Problem) -> Int {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let hour = parts[0], let minute = parts[1], (0...23).contains(hour),
            (0...59).contains(minute)
        else { throw unreadable }
        return hour * 60 + minute
    }

    public var text: String {
        func clock(_ minute: Int) -> String {
            let hours = minute / 60
            let rest = minute % 60
            return "\(hours < 10 ? "0" : "")\(hours):\(rest < 10 ? "0" : "")\(rest)"
        }
        switch self {
        case .manual: return "manual"
        case .every(let minutes): return minutes % 60 == 0 ? "every \(minutes / 60)h" : "every \(minutes)m"
        case .daily(let minute): return "daily \(clock(minute))"
        case .weekly(let day, let minute): return "weekly \(day) \(clock(minute))"
        case .monthly(let day, let minute): return "monthly \(day) \(clock(minute))"
        }
    }

    /// For people.
    public var title: LocalizedText {
        let time = text.split(separator: " ").last.map(String.init) ?? ""
        switch self {
        case .manual: return .init("手动", "by hand")
        case .every(let minutes):
            return minutes % 60 == 0
                ? .init("每 \(minutes / 60) 小时", "every \(minutes / 60) h")
                : .init("每 \(minutes) 分钟", "every \(minutes) min")
        case .daily: return .init("每日 \(time)", "daily \(time)")
        case .weekly(let day, _):
            let names = ["一", "二", "三", "四", "五", "六", "日"]
            return .init("每周\(names[day - 1]) \(time)", "weekly, day \(day), \(time)")
        case .monthly(let day, _): return .init("每月 \(day) 日 \(time)", "monthly on the \(day)., \(time)")
        }
    }

    /// The first moment after another (microseconds UTC); nil for what is started by hand.
    public func next(after moment: Int64) -> Int64? {
        let perMinute: Int64 = 60_000_000
        if case .every(let minutes) = self { return moment + Int64(minutes) * perMinute }
        let today = CivilTime.chinaDay(microseconds: moment)
        for offset in Int32(0)...62 {
            guard let minute = minute(on: today + offset) else { continue }
            let at = CivilTime.chinaMidnight(day: today + offset) + Int64(minute) * perMinute
            if at > moment { return at }
        }
        return nil
    }

    /// The minute of a day at which it is due; nil on other days.
    private func minute(on day: Int32) -> Int? {
        switch self {
        case .manual, .every: return nil
        case .daily(let minute): return minute
        case .weekly(let weekday, let minute): return CivilTime.weekday(days: day) == weekday ? minute : nil
        case .monthly(let wanted, let minute):
            let date = CivilTime.civil(days: day)
            return date.day == min(wanted, CivilTime.daysInMonth(year: date.year, month: date.month)) ? minute : nil
        }
    }
}
