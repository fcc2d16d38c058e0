public import Basics
import CQL
import Declare
public import Lake
public import Tabular

/// A value or figure that a record's steps and documents take from other rows: a count of this year's checks, a fine's limits.
public struct DeclaredLookup: Sendable, Hashable {
    public var key: String
    public var title: LocalizedText
    /// The key of the resource that is asked.
    public var resource: String
    /// CQL2 over its fields; `my.FIELD` is this record's.
    public var condition: String
    public var taken: RowsTaken
    /// What comes out, under the lookup's key.
    public var field: Field
}

/// Names that expressions of steps know beside the record's fields.
public enum NamesBeside {
    /// The day a rule is asked on, and the first ones of its year and month.
    static let days: [Field] = [Field("today", .date), Field("year_start", .date), Field("month_start", .date)]
    /// Moments of the day a step is taken on.
    static let moments: [Field] = days + [Field("now", .timestamp)]
    /// Whoever takes a step; nothing where the node does.
    static let caller: [Field] = [Field("caller.login"), Field("caller.name"), Field("caller.organisation")]

    /// The day that a name of ``days`` stands for.
    static func day(_ name: String, today: Int32) -> Int32? {
        let (year, month, _) = CivilTime.civil(days: today)
        return switch name {
        case "today": today
        case "year_start": CivilTime.days(year: year, month: 1, day: 1)
        case "month_start": CivilTime.days(year: year, month: month, day: 1)
        default: nil
        }
    }

    static func setting(_ key: String) -> String { "setting.\(key)" }
    /// The key of a setting's name.
    static func settingKey(_ name: String) -> String? { name.hasPrefix("setting.") ? String(name.dropFirst(8)) : nil }
    /// The day on which a clock ends; nothing where it does not run.
    static func clock(_ key: String) -> String { "clock.\(key)" }
    /// A field of the record, in the condition of a lookup.
    static func mine(_ name: String) -> String { "my.\(name)" }

    /// A setting in expressions: a number where it is one.
    static func field(_ setting: SystemDeclaration.Setting) -> Field {
        Field(self.setting(setting.key), Double(setting.value) == nil ? .text : .real)
    }

    /// The names of a resource's steps; what the record itself has goes before.
    static func all(
        _ settings: [SystemDeclaration.Setting],
        _ lookups: [DeclaredLookup],
        _ clocks: [String],
        _ schema: Schema
    ) -> [Field] {
        let names = Set(schema.fields.map(\.name))
        return
            (moments + caller + settings.map(field) + clocks.map { Field(clock($0), .date) } + lookups.map(\.field))
            .filter { !names.contains($0.name) }
    }
}

extension DeclaredLookup {
    static let words = ["count", "FIELD", "sum:FIELD", "mean:FIELD", "min:FIELD", "max:FIELD", "median:FIELD"]

    /// Reads a resource's lookups; what they ask of others is settled against `schemas`, by the keys of resources.
    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known,
        _ schemas: [String: Schema]
    ) -> [DeclaredLookup] {
        let list = place.list("lookups")
        let found = list.compactMap { read(lookup: $0, resource, known, schemas) }
        Declaration.checkTwice(zip(found.map(\.key), list).map { ($0, $1) })
        for (lookup, item) in zip(found, list) where resource.field(lookup.key) != nil {
            item.fail("key", "已有字段“\(lookup.key)”", "there is a field “\(lookup.key)” already")
        }
        return found
    }

    private static func read(
        lookup item: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known,
        _ schemas: [String: Schema]
    ) -> DeclaredLookup? {
        item.allow(["key", "title", "of", "where", "take"])
        let (key, title) = (item.key(), item.title("title", ""))
        let of = item.text("of", required: true)
        let condition = item.text("where", required: true)
        let take = item.text("take", required: true)
        guard let schema = schemas[of] else {
            if !of.isEmpty { item.at("of")?.unknown(.init("资源", "resource"), of, among: schemas.keys) }
            return nil
        }
        guard let taken = RowsTaken(declared: take), !take.isEmpty else {
            if !take.isEmpty { item.at("take")?.unknown(.init("写法", "word"), take, among: words) }
            return nil
        }
        var field = Field(key, .integer)
        if let name = taken.field {
            guard let source = schema.fields.first(where: { $0.name == name }) else {
                item.at("take")?.unknown(.init("字段", "field"), name, among: schema.fields.map(\.name))
                return nil
            }
            field = Field(key, source.type)
            field.scale = source.scale
            let isNumber = [.integer, .decimal, .real].contains(source.type)
            switch taken {
            case .sum, .mean, .median:
                if !isNumber { item.at("take")?.fail("字段“\(name)”不是数", "the field “\(name)” is no number") }
            default: break
            }
        }
        check(condition, item.at("where") ?? item, schema, resource, known)
        return DeclaredLookup(
            key: key,
            title: title,
            resource: of,
            condition: condition,
            taken: taken,
            field: field
        )
    }

    /// Notes a condition that cannot be settled, or that a large table could not be asked.
    private static func check(
        _ condition: String,
        _ place: Declaration,
        _ schema: Schema,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) {
        guard !condition.isEmpty else { return }
        let mine = resource.schema.fields.map { field in
            var field = field
            field.name = NamesBeside.mine(field.name)
            return field
        }
        let beside = NamesBeside.moments + known.settingList.map(NamesBeside.field) + mine
        do {
            let expression = try Expression(either: condition)
            _ = try BoundExpression(predicate: expression, fields: schema.fields + beside)
            let given = Set(beside.map(\.name))
            let asked = expression.mapped { part in
                if case .property(let name) = part, given.contains(name) { .literal(.integer(0)) } else { nil }
            }
            if !Lake.isIndexed(asked, schema) {
                place.fail(
                    "须有“索引字段 = …”的条件（tongqu:index 或唯一的字段）",
                    "a condition “indexed field = …” is needed (a field with tongqu:index, or a unique one)"
                )
            }
        } catch {
            place.fail(
                error.message.zh + (error.hint?.zh ?? ""),
                error.message.en + (error.hint.map { " " + $0.en } ?? "")
            )
        }
    }
}

extension RowsTaken {
    /// Reads `count`, `FIELD`, `sum:FIELD`, `mean:FIELD`, `min:FIELD`, `max:FIELD`, `median:FIELD`; nil for another word before a colon.
    init?(declared text: String) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            self = text == "count" ? .count : .value(text)
            return
        }
        switch parts[0] {
        case "sum": self = .sum(parts[1])
        case "mean": self = .mean(parts[1])
        case "min": self = .minimum(parts[1])
        case "max": self = .maximum(parts[1])
        case "median": self = .median(parts[1])
        default: return nil
        }
    }
}
