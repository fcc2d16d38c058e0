import Basics
import Composition
import Declare
import Foundation
import Kernel
import TestKit
import Tabular
import Testing

@testable import Flow

/// Packs as people write them: what is right is taken, what is wrong is told with its line, its key and what to do.
@Suite struct PackTests {
    /// The first pack of docs/packs.md.
    static let example: String = {
        let file = DocumentationTests.root.appending(path: "docs/packs.md")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        guard let start = text.range(of: "```yaml\n"),
            let end = text[start.upperBound...].range(of: "\n```")
        else { return "" }
        return String(text[start.upperBound..<end.lowerBound]) + "\n"
    }()

    static func mistakes(_ yaml: String, files: [String: String] = [:]) -> [Declaration.Mistake] {
        let found = Declaration.Mistakes()
        guard let value = try? DeclaredValue(yaml: yaml) else { return [.init(line: 0, path: "yaml", .init("", ""))] }
        _ = SystemDeclaration.read(
            Declaration(value, mistakes: found),
            files: { files[$0] },
            roles: Set(Role.builtIn.map(\.rawValue))
        )
        return found.all
    }

    @Test func theExampleOfTheDocumentationIsRight() {
        #expect(Self.example.contains("tunnel_lamps"))
        #expect(Self.mistakes(Self.example) == [])
    }

    /// Fields take titles, limits and codes of the pack's own elements and lists.
    @Test func fieldsAreDeclaredByElementsAndLists() throws {
        let state = "        - {name: state, title: 状态, type: string}\n"
        let pack =
            Self.example.replacing(
                state,
                with: state + """
                            - {name: colour, "tongqu:element": E1, constraints: {maxLength: 4}}
                            - {name: lamp_kind, title: 灯具, type: string, "tongqu:codes": lamp-kinds}
                            - {name: side, title: 侧, type: string, constraints: {enum: [左, 右, 顶]}}

                    """
            ) + """
                words: {左: left, 右: right}
                code_lists:
                  - id: lamp-kinds
                    name: 灯具种类
                    versions:
                      - {version: "1", values: [{value: "1", label: 钠灯}]}
                      - {version: "2", values: [{value: "1", label: 钠灯}, {value: "2", label: LED}]}
                elements:
                  - {id: E1, name: 光色, en: colour of light, type: string, min_length: 1, max_length: 8, codes: lamp-kinds}

                """
        #expect(Self.mistakes(pack) == [])
        let read = SystemDeclaration.read(
            Declaration(try DeclaredValue(yaml: pack), mistakes: Declaration.Mistakes()),
            files: { _ in nil }
        )
        let lamps = try #require(read.resource("tunnel_lamps"))
        let colour = try #require(lamps.field("colour"))
        #expect(colour.title == "光色" && lamps.labels["colour"] == "colour of light")
        #expect(colour.minimumLength == 1 && colour.maximumLength == 4)
        #expect(colour.codes.map(\.label) == ["钠灯", "LED"])
        #expect(try #require(lamps.field("lamp_kind")).codes.map(\.value) == ["1", "2"])
        let side = try #require(lamps.field("side"))
        #expect(side.codes.map(\.value) == ["左", "右", "顶"])
        #expect(side.codes.map { ResourceDeclaration.words($0.label, .en) } == ["left", "right", "顶"])
        #expect(side.codes.map { ResourceDeclaration.words($0.label, .zh) } == ["左", "右", "顶"])
        let empty = Self.mistakes(pack.replacing("words: {左: left, 右: right}", with: "words: [左]"))
        #expect(empty.contains { $0.message.en == "VALUE: ENGLISH is expected" }, "\(empty)")
        let wrong = Self.mistakes(pack.replacing("\"tongqu:codes\": lamp-kinds", with: "\"tongqu:codes\": lamp-kind"))
        #expect(wrong.contains { $0.message.en.contains("did you mean “lamp-kinds”?") }, "\(wrong)")
    }

    /// Every key that the reader knows stands in the reference.
    @Test func everyKeyIsDocumented() throws {
        let text = try DocumentationTests.document("packs.md")
        let keys = SystemDeclaration.keys.union(ResourceDeclaration.keys).union(FlowStep.keys)
            .union(ResourceDeclaration.referenceKeys)
            .union(AlertDeclaration.keys).union(IndicatorDeclaration.keys).union(PublicationDeclaration.keys)
        for key in keys.sorted() { #expect(text.contains("`\(key)`"), "\(key)") }
        for word in AssignedValue.words + (NamesBeside.moments + NamesBeside.caller).map(\.name)
            + IndicatorDeclaration.measures
        {
            #expect(text.contains(word), "\(word)")
        }
    }

    /// A mistake put into the example: what is replaced, by what, and what must be said of it.
    struct Slip: Sendable, CustomTestStringConvertible {
        var old: String
        var new: String
        var says: String

        init(_ old: String, _ new: String, _ says: String) {
            self.old = old
            self.new = new
            self.says = says
        }

        var testDescription: String { says }
    }

    private static func reference(_ fills: String) -> String {
        "primaryKey: [number]\n      foreignKeys: [{fields: [tunnel], reference: {resource: tunnel_lamps, fields: [number], \(fills)}}]"
    }

    static let slips: [Slip] = [
        .init("pack: tunnel-lighting", "pack: Tunnel Lighting", "lower-case letters"),
        .init("version: 1", "version: one", "whole number"),
        .init("version: 1", "version: 0", "versions begin with 1"),
        .init("version: 1", "versoin: 1", "did you mean “version”?"),
        .init("title: {zh: 隧道照明台账, en: Tunnel lighting register}", "title: {cn: 隧道照明台账}", "no key “cn”"),
        .init(
            "{key: lighting_keeper, title: {zh: 照明管理员, en: lighting keeper}}",
            "{key: lighting_keeper}",
            "“title” is missing"
        ),
        .init("{key: lighting_keeper, title", "{key: LightingKeeper, title", "a letter first"),
        .init("{key: lighting_keeper, title", "{key: clerk, title", "a role of the node itself"),
        .init("    name: 隧道照明设施", "    nam: 隧道照明设施", "did you mean “name”?"),
        .init("storage: records", "storage: record", "did you mean “records”?"),
        .init("storage: records", "storage: lake", "needs storage: records"),
        .init("primaryKey: [number]", "primaryKey: [nubmer]", "nubmer"),
        .init("primaryKey: [number]", reference("fils: {fault: fault}"), "did you mean “fills”?"),
        .init("primaryKey: [number]", reference("fills: fault"), "OWN_FIELD: THEIR_FIELD"),
        .init("primaryKey: [number]", reference("fills: {falt: fault}"), "did you mean “fault”?"),
        .init("primaryKey: [number]", reference("fills: {fault: statte}"), "did you mean “state”?"),
        .init("primaryKey: [number]", reference("fills: {tunnel: fault}"), "not filled by itself"),
        .init("title: 隧道, type: string", "title: 隧道, type: text", "no type “text”"),
        .init("title: 隧道, type: string", "title: 隧道, type: string, \"tongqu:kind\": plates", "did you mean “plate”?"),
        .init(
            "- {name: fault, title: 故障情况, type: string}",
            "- {name: fault, title: 故障情况, type: string, required: true}",
            "no key “required”"
        ),
        .init(
            "- {name: state, title: 状态, type: string}",
            "- {name: status, title: 状态, type: string}",
            "no field “state” for the state"
        ),
        .init("- {name: state, title: 状态, type: string}", "- {name: state, title: 状态, type: integer}", "is a string"),
        .init("kind: done}", "kind: finished}", "no choice “finished”"),
        .init(
            "{key: scrapped, title: {zh: 报废, en: scrapped}, kind: done}",
            "{key: scrapped, title: {zh: 报废, en: scrapped}}",
            "no step leads away from the state “scrapped”"
        ),
        .init(
            "{key: working, title: {zh: 正常, en: working}}",
            "{key: working, title: {zh: 正常, en: working}}\n        - {key: lost, title: 遗失, kind: done}",
            "no step leads to the state “lost”"
        ),
        .init("from: [working], to: broken", "from: [workign], to: broken", "did you mean “working”?"),
        .init("from: [working], to: broken", "from: [working], to: brokn", "did you mean “broken”?"),
        .init("from: [working], to: broken, ", "to: broken, ", "“from” is missing"),
        .init("begin: true, to: working", "begin: true", "needs “to”"),
        .init(
            "roles: [lighting_keeper], fields: [number!, tunnel!]",
            "roles: [anyone], fields: [tunnel!]",
            "the required field “number” is neither asked for nor set"
        ),
        .init("roles: [lighting_keeper], fields: [number!, tunnel!]", "roles: [anyone]", "“fields” is missing"),
        .init("roles: [lighting_keeper], fields: [fault!]", "roles: [anyone], fields: [fault!]", "a step that begins"),
        .init(
            "roles: [lighting_keeper], fields: [number!",
            "roles: [anyone, lighting_keeper], fields: [number!",
            "“anyone” stands alone"
        ),
        .init(
            "roles: [lighting_keeper], fields: [number!",
            "roles: [anyone], note: optional, fields: [number!",
            "the public writes no note"
        ),
        .init("fields: [fault!]", "fields: [fault!], limit: {open: 3}", "“limit” is of a step with roles: [anyone]"),
        .init(
            "fields: [fault!]",
            "fields: [fault!], set: {fault: $owner(tunnel)}",
            "holds no entries of the catalogue"
        ),
        .init(
            "fields: [fault!]",
            "fields: [fault!], event: {kind: data.loaded, of: tunnel}",
            "no event “data.loaded”"
        ),
        .init(
            "may: [read, act]}",
            "may: [read, act], rows: \"tunnel = caller.organisations\"}",
            "FIELD IN (caller.organisations)"
        ),
        .init("begin: true, to: working", "to: working, from: [working]", "no step begins a record"),
        .init(
            "roles: [lighting_keeper], fields: [fault!]",
            "roles: [lighting_keper], fields: [fault!]",
            "did you mean “lighting_keeper”?"
        ),
        .init("roles: [lighting_keeper], fields: [fault!]", "fields: [fault!]", "“roles” is missing"),
        .init("fields: [fault!]", "fields: [falut!]", "did you mean “fault”?"),
        .init("fields: [fault!]", "fields: [fault!, state]", "changed by the flow"),
        .init("note: required", "note: always", "no choice “always”"),
        .init("note: required", "guard: fault IS NULL", "needs a “message”"),
        .init("note: required", "guard: falt IS NULL, message: 有故障", "falt"),
        .init("note: required", "guard: fault >, message: 有故障", "expression is not right"),
        .init("note: required", "set: {fault: $tody}", "no word “$tody”"),
        .init("note: required", "set: {fault: $number(lamp)}", "no numbering “lamp”"),
        .init("note: required", "set: {falut: 无}", "did you mean “fault”?"),
        .init("note: required", "issue: [slip]", "no document “slip”"),
        .init("note: required", "attachments: [photo]", "no kind of attachment “photo”"),
        .init("note: required", "create: {resource: cases, step: register}", "no resource “cases”"),
        .init("start: [repair]", "start: [repiar]", "did you mean “repair”?"),
        .init("start: [repair]", "start: [{clock: repiar}]", "did you mean “repair”?"),
        .init("start: [repair]", "start: [{clock: repair, if: falt IS NULL}]", "falt"),
        .init("start: [repair]", "start: [repair], extend: {clock: repiar, days: 2}", "did you mean “repair”?"),
        .init("note: required", "guard: [{if: fault IS NULL}]", "“message” is missing"),
        .init("note: required", "guard: [{if: clock.repare > today, message: 不行}]", "clock.repare"),
        .init("note: required", "tell: {resource: lamps, field: number, by: number, step: x}", "no resource “lamps”"),
        .init("days: 3", "days: $field(tunnel)", "is no whole number"),
        .init(
            "    storage: records",
            "    storage: records\n    lookups: [{key: others, of: tunnel_lamps, where: tunnel = my.tunnel, take: count}]",
            "indexed field"
        ),
        .init(
            "    storage: records",
            "    storage: records\n    lookups: [{key: others, of: tunnel_lamp, where: number = my.number, take: count}]",
            "did you mean “tunnel_lamps”?"
        ),
        .init(
            "    storage: records",
            "    storage: records\n    lookups: [{key: others, of: tunnel_lamps, where: number = my.numbr, take: count}]",
            "numbr"
        ),
        .init(
            "    storage: records",
            "    storage: records\n    lookups: [{key: others, of: tunnel_lamps, where: number = my.number, take: 'sum:tunnel'}]",
            "is no number"
        ),
        .init(
            "    storage: records",
            "    storage: records\n    draws: [{key: d, title: 抽, roles: [lighting_keeper], from: tunnel_lamps, step: report}]",
            "no beginning step “report”"
        ),
        .init("start: [repair]", "note: optional", "no step starts the clock “repair”"),
        .init("days: 3", "days: 0", "above 0"),
        .init("days: 3", "days: $setting(repair_days)", "no setting “repair_days”"),
        .init("unit: working_days", "unit: workdays", "no choice “workdays”"),
        .init("warn: 1", "from: fault", "is no date"),
        .init("warn: 1", "step: repaired", "needs roles: [clock]"),
        .init("may: [read, act]", "may: [read, acts]", "did you mean “act”?"),
        .init("may: [read, act]", "rows: tunnel =, may: [read, act]", "expression is not right"),
    ]

    /// `transfer` put before the grants, each with one mistake.
    static let transferSlips: [Slip] = [
        ("{step: registr, values: {number: =number, tunnel: =tunnel}}", "did you mean “register”?"),
        ("{step: report}", "no beginning step “report”"),
        ("{state: [scrapped]}", "did you mean “states”?"),
        ("{states: [scraped]}", "did you mean “scrapped”?"),
        ("{step: register, values: {number: =number}}", "needs the field “tunnel”, which is not given"),
        (
            "{step: register, values: {number: =number, tunnel: =tunnel, fault: =fault}}",
            "does not ask for the field “fault”"
        ),
        ("{step: register, values: {number: $sendr, tunnel: =tunnel}}", "did you mean “$sender”?"),
        ("{step: register, values: {number: $number(lamp), tunnel: =tunnel}}", "no numbering “lamp”"),
        ("{step: register, values: {number: =number, tunnel: =tunel}}", "tunel"),
        ("{step: register, values: {number: =number, tunel: =tunnel, tunnel: =tunnel}}", "did you mean “tunnel”?"),
        ("{values: {number: =number}}", "needs a “step”"),
    ].map { (text: String, says: String) in Slip("    grants:", "    transfer: \(text)\n    grants:", says) }

    @Test(arguments: slips + transferSlips) func aMistakeIsToldWithItsLine(_ slip: Slip) throws {
        #expect(Self.example.components(separatedBy: slip.old).count == 2, "\(slip.old) stands once")
        let text = Self.example.replacing(slip.old, with: slip.new)
        let found = Self.mistakes(text)
        let told = try #require(found.first { $0.message.en.contains(slip.says) }, "\(found)")
        #expect(!told.message.zh.isEmpty)
        // The line is that of the mistake, or of the thing around it that lacks something.
        let line =
            Self.example.prefix(upTo: try #require(Self.example.range(of: slip.old)).lowerBound)
            .count { $0 == "\n" } + 1
        let isOfWhole =
            slip.says.hasPrefix("no step") || slip.says.contains("needs storage") || slip.says.contains("for the state")
            || slip.says.contains("is a string") || slip.says.contains("needs roles")
        #expect(isOfWhole || abs(told.line - line) <= 1, "line \(told.line) for \(line)")
    }

    @Test func allMistakesOfAPackAreToldAtOnce() throws {
        let text = Self.example.replacing("version: 1", with: "version: one").replacing("days: 3", with: "days: 0")
            .replacing("may: [read, act]", with: "may: [reads]")
        let problem = Declaration.invalid(Self.mistakes(text), file: "p/pack.yaml")
        #expect(problem.code == "pack.invalid" && problem.details["mistakes"] == "3")
        #expect(problem.message.en.contains("p/pack.yaml:2: version: a whole number is expected"))
    }

    @Test(arguments: [
        "", "a: [", "a: b: c", "- 1\n- 2", "pack: x\npack: y", "a: &a [*a]", "\u{0}", "1", "{}", "pack: [x]",
        "pack: x\nresources: {a: b}", "pack: x\nresources: [null, 1, [2]]",
        "pack: x\nresources: [{key: [a], schema: 3, flow: [1], grants: 7, views: x, documents: {}}]",
        "pack: x\nroles: [{key: null}]\nsettings: 5\nmigrations: [{to: {}}]",
    ])
    func oddTextsEndNothing(_ text: String) {
        #expect(!Self.mistakes(text).isEmpty)
    }

    @Test func whatATemplateMayHold() {
        let pack = Self.example.replacing(
            "    grants:",
            with: "    documents:\n      - {key: slip, title: 单, template: documents/slip.html}\n    grants:"
        )
        func said(_ template: String) -> [String] {
            Self.mistakes(pack, files: ["documents/slip.html": template]).map(\.message.en)
        }
        #expect(
            said("<h1>{{title}}</h1><p>{{tunnel}} {{number}} {{#fault}}有{{/fault}}{{#steps}}{{by}}{{/steps}}</p>") == []
        )
        #expect(
            said("<p>\n{{tunel}}</p>").first?.contains("line 2: there is no field “tunel”; did you mean “tunnel”?")
                == true
        )
        for bad in [
            "<script>1</script>", "<p onclick='x'>", "<img src=x>", "<a href=\"//x\">", "{{{tunnel}}}", "{{> other}}",
            "{{&tunnel}}", "{{#tunnel}}", "{{/tunnel}}", "<svg/onload=x>", "<p style=\"x\">",
        ] { #expect(!said(bad).isEmpty, "\(bad)") }
        #expect(Self.mistakes(pack).contains { $0.message.en.contains("there is no file") })
    }

    @Test(arguments: [
        ("{year}-{serial:4}", "year", "2026-0007"), ("津交罚〔{year}〕{serial}号", "year", "津交罚〔2026〕7号"),
        ("{serial:6}", "ever", "000007"), ("{year}{month}{day}{serial:3}", "day", "20261105007"),
    ])
    func numbersAreMadeOfTheirFormat(_ format: String, _ period: String, _ made: String) throws {
        let numbering = ResourceDeclaration.Numbering(
            key: "n",
            format: format,
            period: try #require(.init(rawValue: period))
        )
        #expect(numbering.mistake == nil)
        let day = CivilTime.days(year: 2026, month: 11, day: 5)
        #expect(numbering.number(7, day: day, division: "120000") == made)
    }

    @Test(arguments: [
        ("{year}", "year"), ("{serial}", "year"), ("{serial", "ever"), ("{no}{serial}", "ever"),
        ("{year}{serial}", "month"),
    ])
    func formatsThatWouldRepeatAreRefused(_ format: String, _ period: String) throws {
        let period = try #require(ResourceDeclaration.Numbering.Period(rawValue: period))
        #expect(ResourceDeclaration.Numbering(key: "n", format: format, period: period).mistake != nil)
    }

    // MARK: Clocks

    /// When something starts, how long it is, and the last day it may end.
    @Test(arguments: [
        // The first day is not counted; the National Day holiday of 2026 (1–7 October, worked 20 September and 10 October) is left out.
        ("2026-09-29", 3, "working_days", "2026-10-09"), ("2026-09-30", 1, "working_days", "2026-10-08"),
        ("2026-10-08", 2, "working_days", "2026-10-10"), ("2026-02-12", 2, "working_days", "2026-02-14"),
        ("2026-02-13", 7, "working_days", "2026-03-02"),
        // Calendar days run on over holidays; an end on a holiday moves to the first working day.
        ("2026-09-20", 15, "days", "2026-10-08"), ("2026-07-01", 90, "days", "2026-09-29"),
        ("2026-11-02", 5, "days", "2026-11-09"), ("2026-08-31", 6, "months", "2027-03-01"),
        ("2026-01-31", 1, "months", "2026-02-28"),
    ])
    func clocksCountAsTheLawDoes(_ start: String, _ length: Int, _ unit: String, _ last: String) throws {
        let clock = try Self.clock(unit)
        let due = clock.due(from: try Self.midnight(start) + 50_000_000_000, length: length, Self.calendar)
        #expect(CivilTime.date(FlowClock.day(of: due)) == last)
        let warning = clock.warning(before: due, from: try Self.midnight(start), length: length, Self.calendar)
        #expect(warning < due)
    }

    @Test func aPausedClockGoesOnWithWhatWasLeft() throws {
        let clock = try Self.clock("working_days")
        let start = try Self.midnight("2026-11-02")
        let due = clock.due(from: start, length: 5, Self.calendar)
        #expect(CivilTime.date(FlowClock.day(of: due)) == "2026-11-09")
        // Two working days ran (3 and 4 November); three are left when it goes on.
        let resumed = clock.due(
            due,
            pausedAt: try Self.midnight("2026-11-04") + 1,
            resumedAt: try Self.midnight("2026-11-20"),
            Self.calendar
        )
        #expect(CivilTime.date(FlowClock.day(of: resumed)) == "2026-11-25")
    }

    private static func clock(_ unit: String) throws -> FlowClock {
        FlowClock(
            key: "c",
            title: .init("时限", "limit"),
            length: .number(1),
            unit: try #require(.init(rawValue: unit)),
            from: "",
            warn: nil,
            law: "",
            step: "",
            holidays: .move
        )
    }

    private static func midnight(_ date: String) throws -> Int64 {
        let day = Array(date.utf8).withUnsafeBufferPointer { CivilTime.parseISODate($0) }
        return CivilTime.chinaMidnight(day: try #require(day))
    }

    /// The holidays of 2026 as a node begins with them.
    private static let calendar: WorkingCalendar = {
        var days: [Int32: Bool] = [:]
        func add(_ month: Int, _ list: some Sequence<Int>, _ isWorking: Bool) {
            for day in list { days[CivilTime.days(year: 2026, month: month, day: day)] = isWorking }
        }
        add(2, 15...23, false)
        add(2, [14, 28], true)
        add(9, 25...27, false)
        add(9, [20], true)
        add(10, 1...7, false)
        add(10, [10], true)
        return WorkingCalendar(exceptions: days)
    }()
}
