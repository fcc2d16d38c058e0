import Basics
import Codes
import Declare
import Kernel
import Tabular

/// The kinds of values that fields may name.
enum SemanticKinds {
    static let names: Set<String> = Set(SemanticKind.allCases.map(\.rawValue))
}

extension FlowDeclaration {
    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> FlowDeclaration {
        place.allow(["field", "states", "steps", "clocks"])
        let stateList = place.list("states")
        var flow = FlowDeclaration(
            field: place.has("field") ? place.text("field") : "state",
            states: stateList.map { item in
                item.allow(["key", "title", "kind"])
                return State(
                    key: item.key(),
                    title: item.title("title"),
                    kind: item.choice("kind", State.Kind.open)
                )
            },
            steps: [],
            clocks: []
        )
        Declaration.checkTwice(zip(flow.states.map(\.key), stateList).map { ($0, $1) })
        if flow.states.isEmpty { place.fail("缺少状态", "there are no states") }
        if resource.field(flow.field) == nil, !resource.schema.fields.isEmpty {
            place.fail("schema 中没有状态字段“\(flow.field)”", "the schema has no field “\(flow.field)” for the state")
        }
        let clockList = place.list("clocks")
        let stepList = place.list("steps")
        let stepKeys = Set(stepList.map { $0.text("key") })
        flow.clocks = clockList.map { FlowClock.read($0, resource, known, stepKeys) }
        Declaration.checkTwice(zip(flow.clocks.map(\.key), clockList).map { ($0, $1) })
        flow.steps = stepList.map { FlowStep.read($0, flow, resource, known) }
        Declaration.checkTwice(zip(flow.steps.map(\.key), stepList).map { ($0, $1) })
        flow.checkWhole(place, stateList, stepList)
        return flow
    }

    /// What only shows when the whole is there: states nobody reaches or leaves, clocks nobody starts.
    private func checkWhole(_ place: Declaration, _ stateList: [Declaration], _ stepList: [Declaration]) {
        if beginnings.isEmpty, !steps.isEmpty {
            place.fail("没有开始步骤（begin: true）", "no step begins a record (begin: true)")
        }
        let reached = Set(steps.compactMap(\.to))
        for (state, item) in zip(states, stateList) where !reached.contains(state.key) && !state.key.isEmpty {
            item.fail("没有步骤到达状态“\(state.key)”", "no step leads to the state “\(state.key)”")
        }
        for (state, item) in zip(states, stateList)
        where state.kind == .open && !state.key.isEmpty && steps(from: state.key).allSatisfy({ $0.to == nil }) {
            item.fail(
                "没有步骤离开状态“\(state.key)”；若是终点，请写 kind: done",
                "no step leads away from the state “\(state.key)”; where it is an end, write kind: done"
            )
        }
        let started = Set(steps.flatMap(\.start))
        for clock in clocks where !started.contains(clock.key) && !clock.key.isEmpty {
            place.at("clocks")?.items.first { $0.text("key") == clock.key }?
                .fail("没有步骤启动时限“\(clock.key)”", "no step starts the clock “\(clock.key)”")
        }
        for clock in clocks where !clock.step.isEmpty {
            guard let step = step(clock.step), !step.isOfClock else { continue }
            place.at("clocks")?.items.first { $0.text("key") == clock.key }?
                .fail("step", "步骤“\(clock.step)”的 roles 应为 [clock]", "the step “\(clock.step)” needs roles: [clock]")
        }
    }
}

extension FlowStep {
    static let keys: Set<String> = [
        "key", "title", "begin", "from", "to", "roles", "guard", "message", "shown", "fields", "attachments", "note",
        "kind", "others", "set", "start", "stop", "pause", "resume", "issue", "notify", "create",
        "tell", "extend", "limit", "event",
    ]

    /// What stands among roles for everybody, without an account too.
    static let anyone = "anyone"

    static func read(
        _ place: Declaration,
        _ flow: FlowDeclaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> FlowStep {
        place.allow(keys)
        var conditions: [String: String] = [:]
        func names(_ name: String, _ what: LocalizedText, _ all: [String]) -> [String] {
            place.texts(name).map { text, item in
                if !all.contains(text) { item.unknown(what, text, among: all) }
                return text
            }
        }
        func condition(_ item: Declaration, _ of: String) {
            let text = item.text("if")
            guard !text.isEmpty else { return }
            resource.check(text, item.at("if") ?? item, step: true)
            conditions[of] = text
        }
        /// Names, or names that count only where a condition holds.
        func conditional(_ name: String, _ member: String, _ what: LocalizedText, _ all: [String]) -> [String] {
            guard let list = place.at(name), case .list = list.value.content else { return names(name, what, all) }
            return list.items.compactMap { item in
                if let text = item.text {
                    if !all.contains(text) { list.unknown(what, text, among: all) }
                    return text
                }
                item.allow([member, "if"])
                let text = item.text(member, required: true)
                if !text.isEmpty, !all.contains(text) { item.at(member)?.unknown(what, text, among: all) }
                condition(item, "\(name)/\(text)")
                return text
            }
        }
        let stateKeys = flow.states.map(\.key)
        let state = LocalizedText("状态", "state")
        let from = place.texts("from")
        let clock = LocalizedText("时限", "clock")
        let clocks = flow.clocks.map(\.key)
        let isBeginning = place.truth("begin")
        let to = place.text("to")
        if !to.isEmpty, !stateKeys.contains(to) { place.at("to")?.unknown(state, to, among: stateKeys) }
        for (text, item) in from where text != "any" && !stateKeys.contains(text) {
            item.unknown(state, text, among: stateKeys)
        }
        if isBeginning, !from.isEmpty { place.fail("from", "开始步骤没有“from”", "a step that begins has no “from”") }
        for name in ["attachments", "shown", "others"] where isBeginning && place.has(name) {
            place.fail(name, "开始步骤还没有记录，不能有“\(name)”", "a step that begins has no record yet and cannot have “\(name)”")
        }
        if isBeginning, to.isEmpty { place.fail("开始步骤须有“to”", "a step that begins needs “to”") }
        if !isBeginning, from.isEmpty { place.fail("缺少“from”", "“from” is missing") }
        let roles = place.texts("roles")
        if roles.isEmpty { place.fail("缺少“roles”", "“roles” is missing") }
        for (text, item) in roles where text != "clock" && text != anyone && !known.roles.contains(text) {
            item.unknown(.init("角色", "role"), text, among: known.roles)
        }
        let isForAnyone = roles.contains { $0.text == anyone }
        if isForAnyone { checkOpen(place, resource) }
        if !isForAnyone, place.has("limit") {
            place.fail("limit", "“limit”只用于 roles: [anyone] 的步骤", "“limit” is of a step with roles: [anyone]")
        }
        let shownText = place.text("shown")
        if !shownText.isEmpty { resource.check(shownText, place.at("shown") ?? place, step: true) }
        let creations = place.oneOrMore("create")
        for (index, item) in creations.enumerated() { condition(item, "create/\(index)") }
        let tellings = place.oneOrMore("tell")
        for (index, item) in tellings.enumerated() { condition(item, "tell/\(index)") }
        let start = conditional("start", "clock", clock, clocks)
        let issue = conditional("issue", "document", .init("文书", "document"), resource.documents.map(\.key))
        return FlowStep(
            key: place.key(),
            title: place.title("title"),
            isBeginning: isBeginning,
            from: from.map(\.text).filter { $0 != "any" },
            fromAny: from.contains { $0.text == "any" },
            to: to.isEmpty ? nil : to,
            roles: roles.map(\.text).filter { $0 != "clock" && $0 != anyone },
            isOfClock: roles.contains { $0.text == "clock" },
            isForAnyone: isForAnyone,
            limit: Limit.read(place.at("limit"), resource),
            event: place.at("event").flatMap { Event.read($0, resource) },
            guards: guards(place, resource),
            shownText: shownText,
            fields: place.texts("fields").compactMap { asked($0, $1, flow, resource) },
            attachments: place.texts("attachments").compactMap { needed($0, $1, resource) },
            note: place.choice("note", isForAnyone ? Note.none : Note.optional),
            kind: place.choice("kind", Kind.forward),
            isForOthers: place.truth("others"),
            set: assignments(place.at("set"), resource, resource, known, stateField: flow.field),
            start: start,
            stop: names("stop", clock, clocks),
            pause: names("pause", clock, clocks),
            resume: names("resume", clock, clocks),
            issue: issue,
            notify: names("notify", .init("角色", "role"), Array(known.roles)),
            create: creations.map { creation($0, resource, known) },
            tell: tellings.map { telling($0, resource, known) },
            extend: place.oneOrMore("extend").map { item in
                item.allow(["clock", "days"])
                let name = item.text("clock", required: true)
                if !name.isEmpty, !clocks.contains(name) { item.at("clock")?.unknown(clock, name, among: clocks) }
                return Extension(clock: name, length: FlowClock.readLength(item, resource, known))
            },
            conditions: conditions
        )
    }

    /// `guard` with its `message`, or a list of several, each with its own.
    private static func guards(_ place: Declaration, _ resource: ResourceDeclaration) -> [Guard] {
        guard let item = place.at("guard") else { return [] }
        if let text = item.text {
            resource.check(text, item, step: true)
            if !place.has("message") {
                place.fail("有“guard”时须有“message”说明原因", "a “guard” needs a “message” that says why not")
            }
            return [Guard(condition: text, message: place.title("message", ""))]
        }
        return item.items.map { one in
            one.allow(["if", "message"])
            let text = one.text("if", required: true)
            if !text.isEmpty { resource.check(text, one.at("if") ?? one, step: true) }
            return Guard(condition: text, message: one.title("message"))
        }
    }

    private static func telling(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> Telling {
        place.allow(["resource", "field", "by", "step", "values", "if", "optional"])
        let by = place.text("by", required: true)
        if !by.isEmpty { resource.checkField(by, place.at("by") ?? place) }
        return Telling(
            resource: place.text("resource", required: true),
            field: place.text("field", required: true),
            by: by,
            step: place.text("step", required: true),
            values: assignments(place.at("values"), nil, resource, known),
            isOptional: place.truth("optional")
        )
    }

    private static func asked(
        _ text: String,
        _ place: Declaration,
        _ flow: FlowDeclaration,
        _ resource: ResourceDeclaration
    ) -> Asked? {
        let name = text.hasSuffix("!") ? String(text.dropLast()) : text
        resource.checkField(name, place)
        if name == flow.field {
            place.fail("状态由流程改变，不能填写", "the state is changed by the flow; it cannot be asked for")
            return nil
        }
        return Asked(field: name, isRequired: text.hasSuffix("!"))
    }

    private static func needed(_ text: String, _ place: Declaration, _ resource: ResourceDeclaration) -> Needed? {
        let parts = text.split(separator: ":", maxSplits: 1).map {
            String($0.trimmingPrefix(while: { $0 == " " }))
        }
        let kinds = resource.attachments.map(\.key)
        guard let kind = parts.first, kinds.contains(kind) else {
            place.unknown(.init("附件类别", "kind of attachment"), parts.first ?? text, among: kinds)
            return nil
        }
        guard let count = parts.count == 2 ? Int(parts[1]) : 1, count > 0 else {
            place.fail("数量应是正整数", "the count is a whole number above 0")
            return nil
        }
        return Needed(kind: kind, count: count)
    }

    /// `of` is the resource whose record the expressions are over, `target` the one whose fields are set.
    private static func assignments(
        _ place: Declaration?,
        _ target: ResourceDeclaration?,
        _ source: ResourceDeclaration,
        _ known: SystemDeclaration.Known,
        stateField: String = ""
    ) -> [Assignment] {
        guard let place else { return [] }
        return place.members.compactMap { name, item in
            if let target { target.checkField(name, item) }
            if let target, name == (target.flow?.field ?? stateField) {
                item.fail("状态由流程改变，不能设置", "the state is changed by the flow; it cannot be set")
            }
            guard let text = item.text else {
                item.fail("应是文字", "a text is expected")
                return nil
            }
            guard let value = AssignedValue(text) else {
                item.unknown(.init("写法", "word"), text, among: AssignedValue.words)
                return nil
            }
            switch value {
            case .number(let key) where !source.numbers.contains { $0.key == key }:
                item.unknown(.init("编号规则", "numbering"), key, among: source.numbers.map(\.key))
            case .setting(let key) where !known.settings.contains(key):
                item.unknown(.init("设置", "setting"), key, among: known.settings)
            case .owner(let field): source.checkEntry(field, item)
            case .expression(let expression): source.check(expression, item, isValue: true, step: true)
            default: break
            }
            return Assignment(field: name, value: value)
        }
    }

    private static func creation(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> Creation {
        place.allow(["resource", "step", "values", "link", "if"])
        let link = place.text("link")
        if !link.isEmpty { resource.checkField(link, place.at("link") ?? place) }
        return Creation(
            resource: place.text("resource", required: true),
            step: place.text("step", required: true),
            values: assignments(place.at("values"), nil, resource, known),
            link: link
        )
    }
}

extension FlowClock {
    /// `days`: a number, `$setting(KEY)` or `$field(FIELD)`.
    static func readLength(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> Length {
        if let text = place.at("days")?.text, text.hasPrefix("$field("), text.hasSuffix(")") {
            let name = String(text.dropFirst(7).dropLast())
            resource.checkField(name, place.at("days") ?? place)
            if let field = resource.field(name), field.type != .integer {
                place.fail("days", "字段“\(name)”不是整数", "the field “\(name)” is no whole number")
            }
            return .field(name)
        }
        if let text = place.at("days")?.text, case .setting(let key)? = AssignedValue(text) {
            if let value = known.values[key], !(Int64(value).map { (1...100_000).contains($0) } ?? false) {
                place.fail(
                    "days",
                    "设置“\(key)”应是 1 至 100000 的整数",
                    "the setting “\(key)” should be a whole number from 1 to 100,000"
                )
            }
            if !known.settings.contains(key) {
                place.at("days")?.unknown(.init("设置", "setting"), key, among: known.settings)
            }
            return .setting(key)
        }
        guard let days = place.integer("days") else {
            if !place.has("days") { place.fail("缺少“days”", "“days” is missing") }
            return .number(1)
        }
        if !(1...100_000).contains(days) { place.fail("days", "应是正整数", "a whole number above 0 is expected") }
        return .number(Int(clamping: days))
    }

    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known,
        _ steps: Set<String>
    ) -> FlowClock {
        place.allow(["key", "title", "days", "unit", "from", "warn", "law", "step", "holidays"])
        let length = readLength(place, resource, known)
        let from = place.text("from")
        if !from.isEmpty {
            resource.checkField(from, place.at("from") ?? place)
            if let field = resource.field(from), field.type != .date, field.type != .timestamp {
                place.fail("from", "字段“\(from)”不是日期", "the field “\(from)” is no date")
            }
        }
        let step = place.text("step")
        if !step.isEmpty, !steps.contains(step) {
            place.at("step")?.unknown(.init("步骤", "step"), step, among: steps)
        }
        let warn = place.integer("warn")
        if let warn, !(0...100_000).contains(warn) { place.fail("warn", "应是 0 至 100000", "0 to 100,000 is expected") }
        return FlowClock(
            key: place.key(),
            title: place.title("title"),
            length: length,
            unit: place.choice("unit", Unit.days),
            from: from,
            warn: warn.map { Int(clamping: $0) },
            law: place.text("law"),
            step: step,
            holidays: place.choice("holidays", Holidays.move)
        )
    }
}
