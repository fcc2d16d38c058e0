import Basics
import CQL
import Codes
public import Kernel
import Lake
public import Tabular

/// A derivation settled against the fields of its sources: ready to run.
public struct DerivationPlan: Sendable {
    /// A source with what is read of it.
    struct Side: Sendable {
        var resource: Resource
        /// The fields read of it, by their names there.
        var read: [Field]
        /// Positions in `read` that the joined rows take, in their order.
        var taken: [Int]
        /// Positions in `read` that must equal what the expressions yield over the rows joined so far.
        var keys: [(field: Int, value: BoundExpression)]
        var isOptional: Bool
    }

    /// An output with what it is made by.
    struct Made: Sendable {
        var field: Field
        /// Nil for the count of rows.
        var value: BoundExpression?
        var measure: AggregateQuery.Measure.Kind?
    }

    /// Where a field, or every row (an empty field), comes from.
    public struct Origin: Sendable, Hashable {
        public enum Use: String, Sendable, CaseIterable {
            case value, join, filter
        }

        public var field: String
        public var resource: ResourceID
        public var source: String
        public var use: Use
    }

    let derivation: Derivation
    let sides: [Side]
    let filter: BoundExpression?
    let made: [Made]
    public let origins: [Origin]
    /// The sharing type that each field has at the least.
    public let sharing: [Sharing]

    var isGrouped: Bool { made.contains { $0.measure != nil } }

    /// The fields that the rows have.
    public var fields: [Field] { made.map(\.field) }

    /// Settles a derivation; the resources are those of its sources, in their order.
    ///
    /// - Throws: `derivation.invalid`, `cql.*` with the name of the part that is wrong.
    init(_ derivation: Derivation, _ resources: [Resource]) throws(Problem) {
        self.derivation = derivation
        let names = Names(derivation, resources)
        var used: Set<String> = []
        var origins: Set<Origin> = []
        func expression(_ text: String, _ part: String) throws(Problem) -> Expression {
            do { return names.qualified(try Expression(value: text)) } catch { throw Self.told(error, part) }
        }
        func note(_ expression: Expression, _ field: String, _ use: Origin.Use) throws(Problem) {
            for name in expression.properties {
                guard let (side, source) = names.place(name) else { throw names.unknown(name) }
                used.insert(name)
                origins.insert(Origin(field: field, resource: resources[side].id, source: source.name, use: use))
            }
        }

        // First what is used, then everything is settled against that alone.
        var joins: [[(field: Field, value: Expression)]] = []
        for (index, source) in derivation.sources.enumerated() {
            var pairs: [(Field, Expression)] = []
            for pair in source.on {
                let part = "on \(source.name).\(pair.field)"
                guard let field = resources[index].schema[pair.field] else {
                    throw Derivation.invalid(
                        "“\(source.code)”没有字段“\(pair.field)”",
                        "“\(source.code)” has no field “\(pair.field)”"
                    )
                }
                let value = try expression(pair.expression, part)
                do { try note(value, "", .join) } catch { throw Self.told(error, part) }
                origins.insert(Origin(field: "", resource: resources[index].id, source: field.name, use: .join))
                pairs.append((field, value))
            }
            joins.append(pairs)
        }
        var condition: Expression?
        if !derivation.filter.isEmpty {
            let value = try expression(derivation.filter, "filter")
            do { try note(value, "", .filter) } catch { throw Self.told(error, "filter") }
            condition = value
        }
        var values: [(value: Expression?, measure: AggregateQuery.Measure.Kind?)] = []
        for output in derivation.outputs {
            let whole = try expression(output.expression, output.name)
            let call = MeasureCall(whole)
            let value = call == nil ? whole : call?.argument
            if let value { do { try note(value, output.name, .value) } catch { throw Self.told(error, output.name) } }
            values.append((value, call?.kind))
        }

        var joined: [Field] = []
        var sides: [Side] = []
        for (index, resource) in resources.enumerated() {
            let alias = derivation.sources[index].name
            var keys: [(field: Int, value: BoundExpression)] = []
            var read = resource.schema.fields.filter { used.contains("\(alias).\($0.name)") }
            let taken = Array(read.indices)
            for pair in joins[index] {
                let part = "on \(alias).\(pair.field.name)"
                let value = try Self.bound(pair.value, joined, part)
                guard value.field.type == pair.field.type,
                    pair.field.type != .decimal || value.field.scale == pair.field.scale,
                    pair.field.type != .geometry, pair.field.type != .point
                else {
                    throw Derivation.invalid(
                        "关联条件 \(part) 两边类型不同：\(pair.field.type.title.zh)与\(value.field.type.title.zh)",
                        "both sides of \(part) should be of one type; they are \(pair.field.type.title.en) and \(value.field.type.title.en)"
                    )
                }
                let place = read.firstIndex { $0.name == pair.field.name }
                if place == nil { read.append(pair.field) }
                keys.append((place ?? read.count - 1, value))
            }
            // A source is read though nothing but its rows counts.
            if read.isEmpty, let first = resource.schema.fields.first { read = [first] }
            sides.append(
                Side(
                    resource: resource,
                    read: read,
                    taken: taken,
                    keys: keys,
                    isOptional: derivation.sources[index].isOptional
                )
            )
            joined += taken.map { read[$0] }.map { field in
                var named = field
                named.name = "\(alias).\(field.name)"
                return named
            }
        }
        do {
            filter = try condition.map { source throws(Problem) in
                try BoundExpression(predicate: source, fields: joined)
            }
        } catch { throw Self.told(error, "filter") }
        let equals = names.equals(joins.map { $0.map { ($0.field, $0.value) } })
        var made: [Made] = []
        for (output, (value, measure)) in zip(derivation.outputs, values) {
            let bound = try value.map { source throws(Problem) in try Self.bound(source, joined, output.name) }
            made.append(
                Made(field: try Self.field(output, bound, value, measure, equals), value: bound, measure: measure)
            )
        }
        self.sides = sides
        self.made = made
        self.origins = origins.sorted {
            ($0.field, $0.resource.raw, $0.source, $0.use.rawValue) < (
                $1.field, $1.resource.raw, $1.source, $1.use.rawValue
            )
        }
        let strictest = used.compactMap { names.sharing($0)?.rawValue }.max() ?? 1
        sharing = values.map { value, _ in
            let used = (value?.properties ?? []).flatMap { name in [name] + (equals[name] ?? []).map(\.name) }
            let own = used.compactMap { names.sharing($0)?.rawValue }.max()
            return Sharing(rawValue: own ?? strictest) ?? .none
        }
        let schema = Schema(fields: made.map(\.field), key: derivation.key)
        try schema.validate()
    }

    private static func bound(
        _ source: Expression,
        _ fields: [Field],
        _ part: String
    ) throws(Problem) -> BoundExpression {
        do { return try BoundExpression(value: source, fields: fields) } catch { throw told(error, part) }
    }

    /// What is wrong, and in which part of the definition.
    private static func told(_ problem: Problem, _ part: String) -> Problem {
        var told = problem
        told.details["part"] = part
        told.message = LocalizedText("\(part)：\(problem.message.zh)", "\(part): \(problem.message.en)")
        return told
    }

    /// The field of an output. Grade and personal kind come from every field it is made of: a value stays what it was made of.
    private static func field(
        _ output: Derivation.Output,
        _ value: BoundExpression?,
        _ source: Expression?,
        _ measure: AggregateQuery.Measure.Kind?,
        _ equals: [String: [Field]]
    ) throws(Problem) -> Field {
        let own = value.map { bound in bound.columns.sorted().map { bound.fields[$0] } } ?? []
        // What equals something is protected as that is.
        let parts = own + own.flatMap { equals[$0.name] ?? [] }
        let origin = value?.field ?? Field("count", .integer)
        let isPlain = own.count == 1 && origin == own[0]
        var type = origin.type
        switch measure {
        case .count, .distinct: type = .integer
        case .mean, .percentile: type = .real
        case .sum:
            guard [.integer, .decimal, .real].contains(type) else {
                throw Derivation.invalid("“\(output.name)”不是数，不能求和", "“\(output.name)” is no number and has no sum")
            }
        case .minimum, .maximum, nil: break
        }
        let keepsMeaning = isPlain && (measure == nil || measure == .minimum || measure == .maximum)
        // Masked is what the mask of its own kind made; a count tells nothing of a person.
        var isMasked = false
        if case .function("mask", let list)? = source, case .literal(.text(let kind))? = list.first {
            isMasked = parts.allSatisfy { $0.protectedKind?.rawValue == kind }
        }
        let isCounted = measure == .count || measure == .distinct
        let personal = isMasked || isCounted ? nil : parts.compactMap(\.protectedKind).first { $0.isPersonal }
        return Field(
            output.name,
            type,
            title: output.title.isEmpty && keepsMeaning ? origin.title : output.title,
            detail: keepsMeaning ? origin.detail : "",
            scale: origin.scale,
            unit: isPlain && !isCounted ? origin.unit : "",
            codes: keepsMeaning ? origin.codes : [],
            element: keepsMeaning ? origin.element : "",
            kind: personal ?? (keepsMeaning ? origin.kind : nil),
            grade: parts.map(\.grade).max() ?? .general1,
            indexed: keepsMeaning && origin.indexed
        )
    }
}

/// What names in expressions stand for: `a.plate`, or `plate` where one source alone has such a field.
private struct Names {
    let derivation: Derivation
    let resources: [Resource]

    init(_ derivation: Derivation, _ resources: [Resource]) {
        self.derivation = derivation
        self.resources = resources
    }

    func place(_ name: String) -> (side: Int, field: Field)? {
        for (index, source) in derivation.sources.enumerated() where name.hasPrefix(source.name + ".") {
            if let field = resources[index].schema[String(name.dropFirst(source.name.count + 1))] {
                return (index, field)
            }
        }
        return nil
    }

    func sharing(_ name: String) -> Sharing? {
        guard let (side, field) = place(name) else { return nil }
        return resources[side].schema.index(field.name).map { resources[side].sharing($0) }
    }

    /// The fields that equal each field by a join, by their names in expressions; over several joins too.
    func equals(_ joins: [[(field: Field, value: Expression)]]) -> [String: [Field]] {
        var groups: [Set<String>] = []
        for (index, pairs) in joins.enumerated() {
            for pair in pairs {
                var group = Set(pair.value.properties)
                group.insert("\(derivation.sources[index].name).\(pair.field.name)")
                for other in groups where !other.isDisjoint(with: group) { group.formUnion(other) }
                groups.removeAll { !$0.isDisjoint(with: group) }
                groups.append(group)
            }
        }
        var found: [String: [Field]] = [:]
        for group in groups {
            let fields = group.sorted().compactMap { name -> Field? in
                guard var field = place(name)?.field else { return nil }
                field.name = name
                return field
            }
            for name in group { found[name] = fields.filter { $0.name != name } }
        }
        return found
    }

    func qualified(_ expression: Expression) -> Expression {
        expression.mapped { part in
            guard case .property(let name) = part, place(name) == nil else { return nil }
            let fitting = resources.indices.filter { resources[$0].schema[name] != nil }
            return fitting.count == 1 ? .property("\(derivation.sources[fitting[0]].name).\(name)") : nil
        }
    }

    func unknown(_ name: String) -> Problem {
        let fitting = resources.indices.filter { resources[$0].schema[name] != nil }
        guard fitting.count < 2 else {
            let list = fitting.map { "\(derivation.sources[$0].name).\(name)" }
            return Derivation.invalid(
                "“\(name)”在多个来源中都有，请写明 \(list.joined(separator: " 或 "))",
                "several sources have “\(name)”; write \(list.joined(separator: " or "))"
            )
        }
        // The binder knows what was meant.
        let all = resources.indices.flatMap { index in
            resources[index].schema.fields.map { field in
                var named = field
                named.name = "\(derivation.sources[index].name).\(field.name)"
                return named
            }
        }
        do {
            _ = try BoundExpression(value: .property(name), fields: all)
            return Derivation.invalid("没有字段“\(name)”", "there is no field “\(name)”")
        } catch { return error }
    }
}
