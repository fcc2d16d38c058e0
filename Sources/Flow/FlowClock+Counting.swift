import Basics
import Kernel

/// A clock of a record. One that ran out is `ended` and goes on being overdue until a step stops it.
public struct RunningClock: Sendable, Hashable {
    public enum State: String, Sendable { case running, paused, stopped, ended }

    public var key: String
    public var state: State
    /// Microseconds.
    public var startedAt: Int64
    /// The moment it ends, microseconds: the end of its last day.
    public var due: Int64
    /// From when it warns.
    public var warnAt: Int64
    public var pausedAt: Int64?
    public var endedAt: Int64?

    /// Whether something is still to be done by it.
    public var isPending: Bool { state == .running || state == .ended && endedAt == nil }

    /// Whether it ran out, or was stopped after its time.
    public func isOverdue(at now: Int64) -> Bool {
        switch state {
        case .running: due <= now
        case .paused: false
        case .stopped, .ended: (endedAt ?? now) > due
        }
    }
}

extension FlowClock {
    /// The end of a day in China, microseconds: the first moment that is not in it.
    static func end(of day: Int32) -> Int64 { CivilTime.chinaMidnight(day: day + 1) }

    /// The day before whose end something is due.
    static func day(of due: Int64) -> Int32 { CivilTime.chinaDay(microseconds: due - 1) }

    /// When a clock that starts at a moment ends. The first day is not counted.
    func due(from start: Int64, length: Int, _ calendar: WorkingCalendar) -> Int64 {
        let day = CivilTime.chinaDay(microseconds: start)
        switch unit {
        case .hours: return start + Int64(length) * 3_600_000_000
        case .workingDays: return Self.end(of: calendar.day(day, plusWorkingDays: length))
        case .days: return Self.end(of: settled(day + Int32(clamping: length), calendar))
        case .months:
            let (year, month, date) = CivilTime.civil(days: day)
            let index = year * 12 + month - 1 + length
            let (nextYear, nextMonth) = (index / 12, index % 12 + 1)
            let last = CivilTime.daysInMonth(year: nextYear, month: nextMonth)
            return Self.end(
                of: settled(CivilTime.days(year: nextYear, month: nextMonth, day: min(date, last)), calendar)
            )
        }
    }

    /// A limit of calendar days that ends on a holiday ends on the first working day after it.
    private func settled(_ day: Int32, _ calendar: WorkingCalendar) -> Int32 {
        guard holidays == .move else { return day }
        var day = day
        while !calendar.isWorkingDay(day) { day += 1 }
        return day
    }

    /// From when it warns.
    func warning(before due: Int64, from start: Int64, length: Int, _ calendar: WorkingCalendar) -> Int64 {
        let warn = warn.map { min(max($0, 0), 100_000) }
        switch unit {
        case .hours: return due - Int64(min(warn.map { $0 * 24 } ?? max(1, length / 4), length)) * 3_600_000_000
        case .days, .months:
            let days = max(1, Int((due - start) / 86_400_000_000))
            return due - Int64(min(warn ?? max(1, days / 4), days)) * 86_400_000_000
        case .workingDays:
            var day = Self.day(of: due)
            var left = min(warn ?? max(1, length / 4), length)
            while left > 0 {
                if calendar.isWorkingDay(day) { left -= 1 }
                day -= 1
            }
            return Self.end(of: day)
        }
    }

    /// The end of a clock that rested from one moment to another: what was left of it begins again.
    func due(_ due: Int64, pausedAt: Int64, resumedAt: Int64, _ calendar: WorkingCalendar) -> Int64 {
        guard pausedAt < due else { return due }
        switch unit {
        case .hours: return due + resumedAt - pausedAt
        case .workingDays:
            let left = calendar.workingDays(from: CivilTime.chinaDay(microseconds: pausedAt), to: Self.day(of: due))
            return Self.end(of: calendar.day(CivilTime.chinaDay(microseconds: resumedAt), plusWorkingDays: left))
        case .days, .months:
            let left = Self.day(of: due) - CivilTime.chinaDay(microseconds: pausedAt)
            return Self.end(of: settled(CivilTime.chinaDay(microseconds: resumedAt) + left, calendar))
        }
    }
}
