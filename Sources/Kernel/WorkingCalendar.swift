import Basics
import Store

/// The Chinese working-day calendar. Weekends are free unless a notice makes them working days, and the other way round.
public struct WorkingCalendar: Sendable {
    /// Days that differ from the plain week: true is a working day.
    private var exceptions: [Int32: Bool]

    public init(exceptions: [Int32: Bool]) { self.exceptions = exceptions }

    /// Whether a day is a working day.
    public func isWorkingDay(_ day: Int32) -> Bool { exceptions[day] ?? (CivilTime.weekday(days: day) <= 5) }

    /// The day that lies a number of working days after another; the first day does not count.
    public func day(_ start: Int32, plusWorkingDays count: Int) -> Int32 {
        var day = start
        var left = count
        while left > 0 {
            day += 1
            if isWorkingDay(day) { left -= 1 }
        }
        return day
    }

    /// Working days after one day up to and including another.
    public func workingDays(from start: Int32, to end: Int32) -> Int {
        start >= end ? 0 : ((start + 1)...end).count { isWorkingDay($0) }
    }

    /// The notices of the State Council's General Office that a node begins with; administrators add each year's to the table.
    ///
    /// Days off and, behind the bar, weekend days worked. 2025 and 2026 as published (国办发明电); to be checked when a year is added.
    static let notices: [(year: Int, off: String, worked: String)] = [
        (
            2025,
            "01-01 01-28 01-29 01-30 01-31 02-01 02-02 02-03 02-04 04-04 04-05 04-06 05-01 05-02 05-03 05-04 05-05 05-31 06-01 06-02 10-01 10-02 10-03 10-04 10-05 10-06 10-07 10-08",
            "01-26 02-08 04-27 09-28 10-11"
        ),
        (
            2026,
            "01-01 01-02 01-03 02-15 02-16 02-17 02-18 02-19 02-20 02-21 02-22 02-23 04-04 04-05 04-06 05-01 05-02 05-03 05-04 05-05 06-19 06-20 06-21 09-25 09-26 09-27 10-01 10-02 10-03 10-04 10-05 10-06 10-07",
            "01-04 02-14 02-28 05-09 09-20 10-10"
        ),
    ]

    static func initialDays() -> [(day: Int32, isWorking: Bool)] {
        notices.flatMap { notice in
            [(notice.off, false), (notice.worked, true)].flatMap { list, isWorking in
                list.split(separator: " ").compactMap { text -> (day: Int32, isWorking: Bool)? in
                    let parts = text.split(separator: "-").compactMap { Int($0) }
                    return CivilTime.checkedDays(year: notice.year, month: parts[0], day: parts[1]).map {
                        ($0, isWorking)
                    }
                }
            }
        }
    }

    static func read(_ db: any SQLReading) throws -> WorkingCalendar {
        let rows = try db.rows("SELECT day, working FROM calendar_days")
        return WorkingCalendar(
            exceptions: Dictionary(
                rows.map { (Int32($0.integer(0)), $0.flag(1)) },
                uniquingKeysWith: { first, _ in first }
            )
        )
    }
}
