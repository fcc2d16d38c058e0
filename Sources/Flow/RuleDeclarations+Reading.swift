import Basics
import CQL
import Codes
import Declare
import Mask
import Tabular

extension SystemDeclaration {
    /// Reads the work, alerts, indicators and publications of a pack: those that stand with their resource, and those at the top that name it.
    mutating func readRules(_ place: Declaration, _ resourceList: [Declaration], _ known: Known) {
        alerts = read("alerts", place, resourceList, known, AlertDeclaration.read)
        indicators = read("indicators", place, resourceList, known, IndicatorDeclaration.read)
        publications = read("publish", place, resourceList, known, PublicationDeclaration.read)
        let workList = place.list("work")
        work = workList.map { WorkDeclaration.read($0, self, known) }
        Declaration.checkTwice(zip(work.map(\.key), workList).map { ($0, $1) })
        Declaration.checkTwice(
            zip(indicators.map(\.key), items("indicators", place, resourceList).map(\.item)).map { ($0, $1) }
        )
        Declaration.checkTwice(
            zip(alerts.map { "\($0.resource).\($0.key)" }, items("alerts", place, resourceList).map(\.item)).map {
                ($0, $1)
            }
        )
        var seen: Set<String> = []
        for (publication, item) in zip(publications, items("publish", place, resourceList).map(\.item))
        where !seen.insert(publication.resource).inserted {
            item.fail(
                "资源“\(publication.resource)”已有公示规则",
                "the resource “\(publication.resource)” has a rule of publication already"
            )
        }
    }

    private func items(
        _ name: String,
        _ place: Declaration,
        _ resourceList: [Declaration]
    ) -> [(item: Declaration, resource: ResourceDeclaration?)] {
        var found: [(item: Declaration, resource: ResourceDeclaration?)] = place.oneOrMore(name).map { item in
            let key = item.text("of")
            let resource = self.resource(key)
            if resource == nil {
                if key.isEmpty {
                    item.fail("缺少“of”", "“of” is missing")
                } else {
                    item.at("of")?.unknown(.init("资源", "resource"), key, among: resources.map(\.key))
                }
            }
            return (item, resource)
        }
        for (resource, item) in zip(resources, resourceList) {
            for one in item.oneOrMore(name) { found.append((one, resource)) }
        }
        return found
    }

    private func read<T>(
        _ name: String,
        _ place: Declaration,
        _ resourceList: [Declaration],
        _ known: Known,
        _ read: (Declaration, ResourceDeclaration, Known) -> T
    ) -> [T] {
        items(name, place, resourceList).compactMap { item, resource in
            guard let resource else { return nil }
            if item.has("of"), item.text("of") != resource.key {
                item.fail("of", "资源内的规则不另写 of", "a rule that stands with its resource names no other")
            }
            return read(item, resource, known)
        }
    }
}

extension ResourceDeclaration {
    /// Reads a condition with the names of rules; `isAsked` where the database itself must be able to ask it, `lookups` where it may use them.
    func rule(
        _ name: String,
        _ place: Declaration,
        _ known: SystemDeclaration.Known,
        required: Bool = false,
        isAsked: Bool = false,
        lookups: Bool = false
    ) -> String {
        let text = place.text(name, required: required)
        guard !text.isEmpty else { return "" }
        let item = place.at(name) ?? place
        let rule = RuleText(text)
        var asked = self
        asked.beside = RuleText.fields(known.settingList, schema) + (lookups ? self.lookups.map(\.field) : [])
        asked.check(rule.text, item, step: true)
        if isAsked,
            let settled = try? rule.condition(of: schema, today: 20_000, setting: { known.values[$0] ?? "1" }),
            let bound = try? BoundExpression(predicate: settled, fields: schema.fields),
            bound.sql(for: .sqlite, columns: { [$0.name, $0.name] }).rest != nil
                || bound.sql(for: .postgresql(), columns: { [$0.name, $0.name] }).rest != nil
        {
            item.fail(
                "指标的条件须能由数据库直接计算：比较、IN、LIKE、BETWEEN、IS NULL、+、-、*",
                "conditions of indicators are such as databases ask themselves: comparisons, IN, LIKE, BETWEEN, IS NULL, +, -, *"
            )
        }
        return text
    }

    /// The name of a step that there is.
    func checkStep(_ key: String, _ place: Declaration) {
        if flow?.step(key) == nil {
            place.unknown(.init("步骤", "step"), key, among: flow?.steps.map(\.key) ?? [])
        }
    }

    func checkClock(_ key: String, _ place: Declaration) {
        if flow?.clock(key) == nil {
            place.unknown(.init("时限", "clock"), key, among: flow?.clocks.map(\.key) ?? [])
        }
    }
}

extension AlertDeclaration {
    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> AlertDeclaration {
        place.allow(keys)
        if resource.flow == nil {
            place.fail("预警属于流程，资源缺少“flow”", "alerts belong to a flow: the resource has none")
        }
        let clock = place.text("clock")
        if !clock.isEmpty { resource.checkClock(clock, place.at("clock") ?? place) }
        if place.has("when") == place.has("clock") {
            place.fail("应写 when 或 clock，二者取一", "either when or clock is expected")
        }
        if place.has("at"), clock.isEmpty { place.fail("at", "at 只用于 clock", "“at” goes with a clock") }
        if place.has("until"), !clock.isEmpty {
            place.fail("until", "时限停止时预警即结束", "an alert of a clock ends with it: no “until”")
        }
        let at = place.choice("at", Moment.overdue)
        let when = resource.rule("when", place, known, lookups: true)
        let roles = place.texts("to")
        if roles.isEmpty { place.fail("缺少“to”", "“to” is missing") }
        for (role, item) in roles where !known.roles.contains(role) {
            item.unknown(.init("角色", "role"), role, among: known.roles)
        }
        let level = place.integer("level") ?? 3
        if !(1...4).contains(level) {
            place.fail("level", "级别是 1（红）、2（橙）、3（黄）、4（蓝）", "levels are 1 (red), 2 (orange), 3 (yellow), 4 (blue)")
        }
        var again: Int?
        if place.has("every"), place.text("every") != "once" {
            if let days = Int(place.text("every")), (1...3650).contains(days) {
                again = days
            } else {
                place.fail("every", "应是 once 或天数", "once or a number of days is expected")
            }
        }
        let title = place.title("title")
        let message = place.title("message", "")
        if message.zh.contains("{{") || message.en.contains("{{") {
            place.fail(
                "message",
                "消息不含字段：读到的人自己打开记录，看到多少由其权限决定",
                "a message holds no fields: whoever reads it opens the record and sees what they may"
            )
        }
        return AlertDeclaration(
            key: place.key(),
            resource: resource.key,
            title: title,
            cause: clock.isEmpty ? .condition(when) : .clock(clock, at),
            until: clock.isEmpty ? resource.rule("until", place, known, lookups: true) : "",
            level: Int(min(max(level, 1), 4)),
            to: roles.map(\.text),
            again: again,
            message: message
        )
    }
}

extension IndicatorDeclaration {
    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> IndicatorDeclaration {
        place.allow(keys)
        let measure = readMeasure(place, resource)
        var indicator = IndicatorDeclaration(
            key: place.key(),
            resource: resource.key,
            title: place.title("title"),
            unit: place.title("unit", ""),
            measure: measure,
            numerator: resource.rule("where", place, known, required: measure == .ratio, isAsked: true),
            among: resource.rule("among", place, known, isAsked: true),
            by: place.text("by"),
            period: place.choice("period", Period.month),
            date: place.text("date"),
            good: place.choice("good", Good.high),
            target: place.text("target"),
            law: place.text("law")
        )
        if place.has("where"), measure != .ratio {
            place.fail("where", "where 只用于 measure: ratio；缩小范围用 among", "“where” goes with ratio; “among” narrows")
        }
        if indicator.isShare, indicator.unit.zh.isEmpty { indicator.unit = .init("%", "%") }
        if indicator.by == byClock {
            if !indicator.isOfClocks {
                place.fail("by", "$clock 只用于 in_time 和 overdue", "$clock goes with in_time and overdue")
            }
        } else if !indicator.by.isEmpty {
            let item = place.at("by") ?? place
            resource.checkField(indicator.by, item)
            if let field = resource.field(indicator.by), ![.text, .integer, .boolean].contains(field.type) {
                item.fail("只能按文字、整数或是否字段分列", "it is told apart by a text, a whole number or a truth")
            }
            if resource.field(indicator.by)?.protectedKind?.isPersonal == true {
                item.fail("不按个人信息分列", "it is not told apart by what is personal")
            }
        }
        readDate(indicator.date, place, resource)
        if !indicator.target.isEmpty, Double(indicator.target) == nil {
            if case .setting(let key) = AssignedValue(indicator.target) {
                if !known.settings.contains(key) {
                    (place.at("target") ?? place).unknown(.init("设置", "setting"), key, among: known.settings)
                }
            } else {
                place.fail("target", "应是数或 $setting(键)", "a number or $setting(KEY) is expected")
            }
        }
        return indicator
    }

    /// A window of dates is found by an index.
    private static func readDate(_ name: String, _ place: Declaration, _ resource: ResourceDeclaration) {
        guard !name.isEmpty else {
            if resource.flow == nil { place.fail("没有流程的资源须写 date", "a resource without a flow needs “date”") }
            return
        }
        let item = place.at("date") ?? place
        resource.checkField(name, item)
        guard let field = resource.field(name) else { return }
        if field.type != .date && field.type != .timestamp {
            item.fail("“\(name)”不是日期", "“\(name)” is no date")
        } else if !field.indexed, resource.schema.key != [name] {
            item.fail("“\(name)”须写 tongqu:index: true", "“\(name)” needs tongqu:index: true")
        }
    }

    private static func readMeasure(_ place: Declaration, _ resource: ResourceDeclaration) -> Measure {
        let text = place.text("measure", required: true)
        let item = place.at("measure") ?? place
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func needsFlow(_ measure: Measure) -> Measure {
            if resource.flow == nil { item.fail("资源没有流程", "the resource has no flow") }
            return measure
        }
        func number(_ name: String) {
            resource.checkField(name, item)
            if let field = resource.field(name), ![.integer, .decimal, .real].contains(field.type) {
                item.fail("“\(name)”不是数", "“\(name)” is no number")
            }
        }
        switch (parts.first, parts.count) {
        case ("count", 1): return .count
        case ("ratio", 1): return .ratio
        case ("returned", 1):
            if let flow = resource.flow, !flow.steps.contains(where: { $0.kind == .return }) {
                item.fail("流程没有退回步骤（kind: return）", "no step of the flow returns a record (kind: return)")
            }
            return needsFlow(.returned)
        case ("sum", 2):
            number(parts[1])
            return .sum(parts[1])
        case ("mean", 2):
            number(parts[1])
            return .mean(parts[1])
        case ("in_time", 1): return needsFlow(.inTime(nil))
        case ("overdue", 1): return needsFlow(.overdue(nil))
        case ("in_time", 2), ("overdue", 2):
            resource.checkClock(parts[1], item)
            return needsFlow(parts[0] == "in_time" ? .inTime(parts[1]) : .overdue(parts[1]))
        case ("passed", 2):
            resource.checkStep(parts[1], item)
            return needsFlow(.passed(parts[1]))
        case ("days", 3):
            resource.checkStep(parts[1], item)
            resource.checkStep(parts[2], item)
            return needsFlow(.days(parts[1], parts[2]))
        default:
            if !text.isEmpty {
                let list = measures.joined(separator: ", ")
                item.fail("没有算法“\(text)”；可用：\(list)", "there is no measure “\(text)”; there are: \(list)")
            }
            return .count
        }
    }
}

extension PublicationDeclaration {
    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> PublicationDeclaration {
        place.allow(keys)
        if !resource.isOfRecords {
            place.fail("按规则公示的资源须 storage: records", "a resource with a rule of publication needs storage: records")
        }
        let when = resource.rule("when", place, known, required: true)
        if !when.isEmpty,
            let asked = RuleText(when).fields(of: resource.schema),
            !asked.contains(where: { name in
                resource.field(name)?.indexed == true || resource.schema.key == [name]
            })
        {
            place.fail(
                "when",
                "条件须用到状态或有索引的字段（tongqu:index: true）",
                "the condition asks for the state or another field with tongqu:index: true"
            )
        }
        let fields = place.list("fields").map { readField($0, resource, known) }
        if fields.isEmpty { place.fail("缺少“fields”", "“fields” is missing") }
        return PublicationDeclaration(
            resource: resource.key,
            title: place.title("title"),
            when: when,
            fields: fields,
            until: place.at("until").map { readEnd($0, place, resource, known) },
            law: place.text("law")
        )
    }

    /// A name, or `{field, mask, where}`. What is personal is masked, whether or not the pack says how.
    private static func readField(
        _ item: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> Shown {
        if let name = item.text {
            resource.checkField(name, item)
            return Shown(field: name, mask: resource.field(name).flatMap(standardMask), masked: "")
        }
        item.allow(["field", "mask", "where"])
        let name = item.text("field", required: true)
        if !name.isEmpty { resource.checkField(name, item.at("field") ?? item) }
        let code = item.text("mask")
        let mask = Mask(code: code)
        if mask == nil, item.has("mask") {
            item.at("mask")?.unknown(
                .init("脱敏方式", "mask"),
                code,
                among: ["keep:3:4", "suppress", "person_name", "time:month", "time:year", "round:0.01"]
            )
        }
        let masked = resource.rule("where", item, known)
        if !masked.isEmpty, mask == nil { item.fail("where", "where 须与 mask 同用", "“where” goes with a mask") }
        let standard = resource.field(name).flatMap(standardMask)
        if standard != nil, !masked.isEmpty {
            item.fail("where", "个人信息字段一律脱敏", "a personal field is always masked")
        }
        return Shown(field: name, mask: mask ?? standard, masked: masked)
    }

    private static func standardMask(_ field: Field) -> Mask? {
        guard let kind = field.protectedKind, kind.isPersonal else { return nil }
        return Mask.standard(for: kind) ?? .suppress
    }

    private static func readEnd(
        _ item: Declaration,
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> End {
        func field(_ name: String, _ item: Declaration) {
            resource.checkField(name, item)
            if let field = resource.field(name), field.type != .date, field.type != .timestamp {
                item.fail("“\(name)”不是日期", "“\(name)” is no date")
            }
        }
        if let name = item.text {
            field(name, item)
            return End(field: name, months: nil)
        }
        item.allow(["field", "months"])
        let name = item.text("field", required: true)
        if !name.isEmpty { field(name, item.at("field") ?? item) }
        let text = item.text("months", required: true)
        if text.isEmpty { return End(field: name, months: nil) }
        if let number = Int(text), (1...1200).contains(number) { return End(field: name, months: .number(number)) }
        guard case .setting(let key) = AssignedValue(text) else {
            item.fail("months", "应是月数或 $setting(键)", "a number of months or $setting(KEY) is expected")
            return End(field: name, months: nil)
        }
        if !known.settings.contains(key) {
            item.at("months")?.unknown(.init("设置", "setting"), key, among: known.settings)
        }
        return End(field: name, months: .setting(key))
    }
}
