import Basics
import Codes
import Store

/// Organisations as they change, and the calendar of working days.
extension Administration {
    static let changeOrganisationDescriptor = ActionDescriptor(
        "organisation.change",
        .accountsManage,
        .write,
        zh: "修改机构",
        en: "change an organisation"
    )
    static let calendarDescriptor = ActionDescriptor(
        "system.calendar",
        .systemManage,
        .view,
        zh: "工作日历",
        en: "the working-day calendar"
    )
    static let setDayDescriptor = ActionDescriptor(
        "system.set_day",
        .systemManage,
        .write,
        zh: "修改工作日历",
        en: "change a day of the calendar"
    )
    static let nodeDescriptors = [changeOrganisationDescriptor, calendarDescriptor, setDayDescriptor]

    static func checkOrganisation(name: String, creditCode: String, division: String) throws(Problem) {
        func invalid(_ zh: String, _ en: String) -> Problem {
            Problem(
                "organisation.invalid",
                status: 422,
                zh: "机构填写有误：\(zh)。",
                en: "The organisation is not right: \(en)."
            )
        }
        guard (2...100).contains(TextForms.trimmed(name).count) else {
            throw invalid("名称应为 2–100 字", "a name has 2–100 characters")
        }
        guard creditCode.isEmpty || Identifier.read(.creditCode, creditCode)?.isValid == true else {
            throw invalid("统一社会信用代码无效", "the credit code is not valid")
        }
        guard division.isEmpty || division.count == 6 && division.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw invalid("行政区划代码应为 6 位数字", "a division code has six digits")
        }
    }

    /// Gives an organisation another name or credit code; its place in the tree stays.
    public var changeOrganisation: Action<(id: OrganisationID, name: String, creditCode: String), Void> {
        Action(Self.changeOrganisationDescriptor) { [kernel] input, decision in
            try Self.checkOrganisation(name: input.name, creditCode: input.creditCode, division: "")
            let changed = try await kernel.databases.control.write { db in
                try db.execute(
                    "UPDATE organisations SET name = ?, credit_code = ? WHERE id = ?",
                    [.text(TextForms.trimmed(input.name)), .text(input.creditCode), .integer(input.id.raw)]
                )
            }
            guard changed == 1 else { throw Problem.notFound(.init("机构", "the organisation")) }
            decision.note("organisation", String(input.id.raw))
            try await kernel.gate.reload()
        }
    }

    /// The days of a year that differ from the plain week: true is worked.
    public var calendar: Action<Int, [(day: Int32, isWorking: Bool)]> {
        Action(Self.calendarDescriptor) { [kernel] year, _ in
            let first = CivilTime.days(year: year, month: 1, day: 1)
            let last = CivilTime.days(year: year, month: 12, day: 31)
            return try await kernel.databases.control.read { db in
                try db.rows(
                    "SELECT day, working FROM calendar_days WHERE day BETWEEN ? AND ? ORDER BY day",
                    [.integer(Int64(first)), .integer(Int64(last))]
                ).map { (Int32($0.integer(0)), $0.flag(1)) }
            }
        }
    }

    /// Makes a day free or worked; nil gives it back to the plain week.
    public var setDay: Action<(day: Int32, isWorking: Bool?), Void> {
        Action(Self.setDayDescriptor) { [kernel] input, decision in
            decision.note("day", CivilTime.date(input.day))
            try await kernel.databases.control.write { db in
                guard let isWorking = input.isWorking else {
                    try db.execute("DELETE FROM calendar_days WHERE day = ?", [.integer(Int64(input.day))])
                    return
                }
                try db.execute(
                    "INSERT INTO calendar_days (day, working) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET working = excluded.working",
                    [.integer(Int64(input.day)), .integer(isWorking ? 1 : 0)]
                )
            }
        }
    }
}
