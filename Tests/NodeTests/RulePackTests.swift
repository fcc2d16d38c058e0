import Basics
import CQL
import Declare
import Foundation
import Mask
import Tabular
import Testing

@testable import Flow

/// Alerts, indicators and rules of publication as people write them.
@Suite struct RulePackTests {
    /// The first pack of the documentation with one of each.
    static let example: String =
        PackTests.example.replacing(
            "- {name: fault, title: 故障情况, type: string}",
            with: "- {name: fault, title: 故障情况, type: string}\n"
                + "        - {name: checked_on, title: 检查日期, type: date, \"tongqu:index\": true}\n"
                + "        - {name: watts, title: 功率, type: integer}\n"
                + "        - {name: keeper_phone, title: 电话, type: string, \"tongqu:kind\": phone}"
        ) + """
            settings: [{key: shown_months, title: 公示月数, value: 12, unit: 月}]
            alerts:
              - {key: late, of: tunnel_lamps, title: 维修超期, clock: repair, at: overdue, level: 1, to: [lighting_keeper], every: 3, message: 请尽快修复}
              - {key: unchecked, of: tunnel_lamps, title: 久未检查, when: "state <> 'scrapped' AND checked_on < add_days(today, -365)", until: "checked_on >= add_days(today, -365)", level: 3, to: [lighting_keeper]}
            indicators:
              - {key: in_time, of: tunnel_lamps, title: 修复按期率, measure: "in_time:repair", by: tunnel, target: 95}
              - {key: broken_share, of: tunnel_lamps, title: 待修率, measure: ratio, where: "state = 'broken'", among: "state <> 'scrapped'", date: checked_on, period: year, good: low, target: $setting(shown_months)}
              - {key: watts, of: tunnel_lamps, title: 功率, unit: W, measure: "mean:watts"}
              - {key: repair_days, of: tunnel_lamps, title: 修复天数, measure: "days:report:repaired", good: low}
            publish:
              of: tunnel_lamps
              title: 隧道照明公示
              when: state = 'broken'
              until: {field: checked_on, months: $setting(shown_months)}
              fields: [number, {field: fault, mask: suppress, where: "tunnel = '示例'"}, keeper_phone]

            """

    @Test func theExampleIsRight() throws {
        #expect(PackTests.mistakes(Self.example) == [])
        let read = SystemDeclaration.read(
            Declaration(try DeclaredValue(yaml: Self.example), mistakes: Declaration.Mistakes()),
            files: { _ in nil }
        )
        #expect(read.alerts.map(\.key) == ["late", "unchecked"] && read.alerts[0].again == 3)
        #expect(read.indicators.map(\.measure)[3] == .days("report", "repaired"))
        // What is personal is masked though the pack does not say so.
        #expect(read.publications.first?.fields.last?.mask == .keep(prefix: 3, suffix: 4))
    }

    static let slips: [PackTests.Slip] = [
        .init("clock: repair, at", "clock: repiar, at", "did you mean “repair”?"),
        .init("clock: repair, at: overdue", "clock: repair, at: overdu", "did you mean “overdue”?"),
        .init("clock: repair, at: overdue", "clock: repair, when: fault IS NULL, at: overdue", "either when or clock"),
        .init("clock: repair, at: overdue, ", "", "either when or clock"),
        .init("level: 1, to: [lighting_keeper]", "level: 5, to: [lighting_keeper]", "levels are 1 (red)"),
        .init("level: 1, to: [lighting_keeper]", "level: 1, to: [lighting_keper]", "did you mean “lighting_keeper”?"),
        .init("level: 1, to: [lighting_keeper], ", "level: 1, ", "“to” is missing"),
        .init("every: 3, ", "every: often, ", "once or a number of days"),
        .init("message: 请尽快修复", "message: \"请修复 {{fault}}\"", "a message holds no fields"),
        .init("{key: late, of: tunnel_lamps", "{key: late, of: tunnel_lamp", "did you mean “tunnel_lamps”?"),
        .init("{key: late, of: tunnel_lamps", "{key: late", "“of” is missing"),
        .init("add_days(today, -365)\", until", "yesterday\", until", "no property “yesterday”"),
        .init("add_days(today, -365)\", until", "add_days(todai, -365)\", until", "Did you mean “today”?"),
        .init("add_days(today, -365)\", until", "setting.dayz\", until", "no property “setting.dayz”"),
        .init("checked_on < add_days", "cheked_on < add_days", "cheked_on"),
        .init("measure: \"in_time:repair\"", "measure: \"in_time:repiar\"", "did you mean “repair”?"),
        .init("measure: \"in_time:repair\"", "measure: punctual", "there is no measure “punctual”"),
        .init("by: tunnel, target", "by: tunel, target", "did you mean “tunnel”?"),
        .init("by: tunnel, target", "by: keeper_phone, target", "not told apart by what is personal"),
        .init("target: 95", "target: many", "a number or $setting(KEY)"),
        .init("target: $setting(shown_months)", "target: $setting(months)", "no setting “months”"),
        .init("where: \"state = 'broken'\", ", "", "“where” is missing"),
        .init("where: \"state = 'broken'\"", "where: \"casei(state) = 'broken'\"", "such as databases ask themselves"),
        .init("date: checked_on, period", "date: fault, period", "is no date"),
        .init("period: year", "period: week", "no choice “week”"),
        .init("measure: \"mean:watts\"", "measure: \"mean:fault\"", "is no number"),
        .init("days:report:repaired", "days:report:repair", "did you mean “repaired”?"),
        .init("days:report:repaired\"", "returned\"", "no step of the flow returns"),
        .init("good: low}", "where: fault IS NULL}", "“where” goes with ratio"),
        .init("when: state = 'broken'", "when: fault IS NOT NULL", "another field with tongqu:index"),
        .init("field: checked_on, months", "field: tunnel, months", "is no date"),
        .init("months: $setting(shown_months)", "months: soon", "a number of months"),
        .init("fields: [number, {", "fields: [numbr, {", "did you mean “number”?"),
        .init("mask: suppress", "mask: supress", "did you mean “suppress”?"),
        .init("mask: suppress, where", "where", "“where” goes with a mask"),
        .init("{field: fault, mask: suppress", "{field: keeper_phone, mask: suppress", "always masked"),
    ]

    @Test(arguments: slips) func aMistakeIsTold(_ slip: PackTests.Slip) throws {
        let place = try #require(Self.example.range(of: slip.old, options: .backwards))
        let text = Self.example.replacingCharacters(in: place, with: slip.new)
        let found = PackTests.mistakes(text)
        let told = try #require(found.first { $0.message.en.contains(slip.says) }, "\(found)")
        #expect(!told.message.zh.isEmpty)
        let line = text.prefix(upTo: place.lowerBound).count { $0 == "\n" } + 1
        #expect(abs(told.line - line) <= 1, "line \(told.line) for \(line)")
    }

    @Test(arguments: [
        ("a > today", "a > DATE('2026-11-22')"), ("a > year_start", "a > DATE('2026-01-01')"),
        ("a > add_days(month_start, -1)", "a > add_days(DATE('2026-11-01'), -1)"),
        ("n > setting.cap", "n > 7.0"), ("s = setting.word", "s = 'o''k'"), ("own = today", "own = DATE('2026-11-22')"),
        // As releases before wrote it.
        ("a > $today", "a > DATE('2026-11-22')"), ("a > $today+10", "a > add_days(DATE('2026-11-22'), 10)"),
        ("a > $today - 22", "a > add_days(DATE('2026-11-22'), -22)"), ("a = '$today'", "a = '$today'"),
        ("n > $setting(cap)", "n > 7.0"), ("s = $setting(word)", "s = 'o''k'"),
    ])
    func namesOfRulesAreSettled(_ text: String, _ settled: String) throws {
        let day = CivilTime.days(year: 2026, month: 11, day: 22)
        let asked = try RuleText(text).condition(of: Schema(fields: []), today: day) { $0 == "cap" ? "7" : "o'k" }
        #expect(try asked == CQL.Expression(settled))
    }

    /// A record's own field goes before a name of rules.
    @Test func fieldsGoBeforeNamesOfRules() throws {
        let schema = Schema(fields: [Field("today", .date)])
        let asked = try RuleText("today < year_start").condition(of: schema, today: 20_000) { _ in "" }
        #expect(asked?.properties == ["today"])
        #expect(RuleText("today < year_start").fields(of: schema) == ["today"])
    }

    /// The first day that is shown is that whose term ends today or later, over every length of month.
    @Test func termsOfPublicationEndOnTheirDay() throws {
        let system = InstalledSystem(
            declaration: SystemDeclaration.read(
                Declaration(try DeclaredValue(yaml: Self.example), mistakes: Declaration.Mistakes()),
                files: { _ in nil }
            ),
            number: 1,
            installedAt: 0,
            codes: [:],
            changed: [:]
        )
        let end = PublicationDeclaration.End(field: "checked_on", months: .number(1))
        func day(_ month: Int, _ day: Int) -> Int32 { CivilTime.days(year: 2026, month: month, day: day) }
        #expect(Flows.firstDay(shown: end, today: day(2, 28), system) == day(1, 28))
        #expect(Flows.firstDay(shown: end, today: day(3, 1), system) == day(2, 1))
        #expect(Flows.firstDay(shown: end, today: day(3, 31), system) == day(3, 1))
        #expect(Flows.firstDay(shown: .init(field: "x", months: nil), today: day(5, 5), system) == day(5, 5))
    }
}
