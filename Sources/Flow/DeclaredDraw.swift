public import Basics
import CQL
import Declare
import Tabular

/// A random draw: rows of another resource become records by a beginning step, each with people drawn for it (双随机).
public struct DeclaredDraw: Sendable, Hashable {
    /// The people drawn for each record.
    public struct People: Sendable, Hashable {
        public var resource: String
        /// CQL2 over the people's fields.
        public var condition: String
        /// What the record takes of the first, the second … of them.
        public var values: [[FlowStep.Assignment]]
    }

    public var key: String
    public var title: LocalizedText
    public var roles: [String]
    /// The resource that is drawn from.
    public var resource: String
    /// CQL2 over its fields: what may be drawn.
    public var condition: String
    /// Its fields by which whoever draws may narrow it.
    public var filters: [String]
    /// Its field with the weight of each row; empty where all weigh the same. Rows of weight 0 are not drawn.
    public var weight: String
    public var step: String
    /// The fields that are asked once, for all records.
    public var fields: [FlowStep.Asked]
    /// What a record takes of the row drawn: texts, words and `=EXPRESSION` over the row.
    public var values: [FlowStep.Assignment]
    public var people: People?

    /// The most records of one draw.
    public static let mostRecords = 200
    /// The most rows that are drawn from.
    static let mostRows = 200_000
}

extension DeclaredDraw {
    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> [DeclaredDraw] {
        let list = place.list("draws")
        if !list.isEmpty, resource.flow == nil {
            place.fail(
                "draws",
                "抽取由流程的开始步骤建立记录，缺少“flow”",
                "a draw makes records by a beginning step: “flow” is missing"
            )
        }
        let draws = list.map { item in
            item.allow([
                "key", "title", "roles", "from", "where", "filters", "weight", "step", "fields", "values", "people",
            ])
            let step = item.text("step", required: true)
            let beginnings = resource.flow?.beginnings.map(\.key) ?? []
            if !step.isEmpty, !beginnings.contains(step) {
                item.at("step")?.unknown(.init("开始步骤", "beginning step"), step, among: beginnings)
            }
            for (text, place) in item.texts("roles") where !known.roles.contains(text) {
                place.unknown(.init("角色", "role"), text, among: known.roles)
            }
            if !item.has("roles") { item.fail("缺少“roles”", "“roles” is missing") }
            return DeclaredDraw(
                key: item.key(),
                title: item.title("title"),
                roles: item.texts("roles").map(\.text),
                resource: item.text("from", required: true),
                condition: item.text("where"),
                filters: item.texts("filters").map(\.text),
                weight: item.text("weight"),
                step: step,
                fields: item.texts("fields").map { text, place in
                    let name = text.hasSuffix("!") ? String(text.dropLast()) : text
                    resource.checkField(name, place)
                    return FlowStep.Asked(field: name, isRequired: text.hasSuffix("!"))
                },
                values: assignments(item.at("values"), resource),
                people: item.at("people").map { people in
                    people.allow(["from", "where", "values"])
                    return People(
                        resource: people.text("from", required: true),
                        condition: people.text("where"),
                        values: people.list("values").map { assignments($0, resource) }
                    )
                }
            )
        }
        Declaration.checkTwice(zip(draws.map(\.key), list).map { ($0, $1) })
        return draws
    }

    private static func assignments(_ place: Declaration?, _ resource: ResourceDeclaration) -> [FlowStep.Assignment] {
        (place?.members ?? []).compactMap { name, item in
            resource.checkField(name, item)
            guard let text = item.text, let value = AssignedValue(text) else {
                item.unknown(.init("写法", "word"), item.text ?? "", among: ["TEXT", "=EXPRESSION"])
                return nil
            }
            switch value {
            case .text, .expression: return FlowStep.Assignment(field: name, value: value)
            default:
                item.unknown(.init("写法", "word"), text, among: ["TEXT", "=EXPRESSION"])
                return nil
            }
        }
    }

    /// Notes what the drawn resources do not have.
    func checkAcross(_ item: Declaration, _ all: [String: ResourceDeclaration]) {
        func other(_ key: String, _ place: Declaration) -> ResourceDeclaration? {
            guard !key.isEmpty else { return nil }
            guard let other = all[key] else {
                place.unknown(.init("资源", "resource"), key, among: all.keys)
                return nil
            }
            if other.schema.key.count != 1 {
                place.fail("资源“\(key)”没有单一主键", "the resource “\(key)” has no primary key of one field")
            }
            return other
        }
        if let drawn = other(resource, item.at("from") ?? item) {
            if !condition.isEmpty { drawn.check(condition, item.at("where") ?? item) }
            for (name, place) in item.texts("filters") { drawn.checkField(name, place) }
            if !weight.isEmpty {
                drawn.checkField(weight, item.at("weight") ?? item)
                if let field = drawn.field(weight), ![.integer, .decimal, .real].contains(field.type) {
                    item.fail("weight", "字段“\(weight)”不是数", "the field “\(weight)” is no number")
                }
            }
            Self.check(values, item.at("values"), drawn)
        }
        if let people, let place = item.at("people"), let drawn = other(people.resource, place.at("from") ?? place) {
            if people.values.isEmpty { place.fail("缺少“values”", "“values” is missing") }
            if !people.condition.isEmpty { drawn.check(people.condition, place.at("where") ?? place) }
            for (values, item) in zip(people.values, place.list("values")) { Self.check(values, item, drawn) }
        }
    }

    private static func check(_ values: [FlowStep.Assignment], _ place: Declaration?, _ drawn: ResourceDeclaration) {
        for assignment in values {
            if case .expression(let text) = assignment.value, let item = place?.at(assignment.field) {
                drawn.check(text, item, isValue: true)
            }
        }
    }
}
