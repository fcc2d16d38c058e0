import Basics
public import CQL
import Kernel
import Lake
import Store
import Tabular

/// What the expressions of a record's steps know beside its fields: the day, settings, ends of clocks, and what is looked up.
struct StepSurroundings: Sendable {
    /// A lookup with the resource that it asks.
    struct Source: Sendable {
        var lookup: DeclaredLookup
        var condition: Expression
        var resource: Resource
    }

    /// Whoever takes the step.
    struct Actor: Sendable {
        var login: String
        var name: String
        var organisation: String

        init(_ principal: Principal, _ organisation: Organisation?) {
            (login, name) = (principal.login, principal.name)
            self.organisation = organisation?.name ?? ""
        }
    }

    let system: InstalledSystem
    let declared: ResourceDeclaration
    let resource: Resource
    let now: Int64
    /// Lookups of rows in the records database, which a step's transaction asks.
    let sources: [Source]
    /// What was found elsewhere before the transaction began.
    let found: [String: String]
    /// Nil where the node takes the step.
    var actor: Actor?

    private var today: Int32 { CivilTime.chinaDay(microseconds: now) }

    /// The values of some names beside a record's fields, as texts.
    func values(
        _ names: Set<String>,
        of record: Int64?,
        _ values: [String: String],
        _ lake: Lake,
        _ db: any SQLReading
    ) throws -> [String: String] {
        guard !names.isEmpty else { return [:] }
        var known = plain(names)
        known.merge(found) { first, _ in first }
        for source in sources where names.contains(source.lookup.key) {
            known[source.lookup.key] = try look(source, record, values, lake, db)
        }
        let clocks = declared.flow?.clocks.filter { names.contains(NamesBeside.clock($0.key)) } ?? []
        if let record, !clocks.isEmpty {
            for clock in try FlowStore.clocks(resource.id.raw, record, db)
            where clock.state == .running || clock.state == .paused {
                known[NamesBeside.clock(clock.key)] = CivilTime.date(FlowClock.day(of: clock.due))
            }
        }
        return known
    }

    /// The day and the settings.
    private func plain(_ names: Set<String>) -> [String: String] {
        var known: [String: String] = [:]
        for field in NamesBeside.days where names.contains(field.name) {
            known[field.name] = NamesBeside.day(field.name, today: today).map(CivilTime.date)
        }
        if names.contains("now") { known["now"] = CivilTime.timestamp(now) }
        if let actor {
            known["caller.login"] = actor.login
            known["caller.name"] = actor.name
            known["caller.organisation"] = actor.organisation
            known = known.filter { names.contains($0.key) }
        }
        for setting in system.declaration.settings where names.contains(NamesBeside.setting(setting.key)) {
            known[NamesBeside.setting(setting.key)] = system.setting(setting.key)
        }
        return known
    }

    /// What a lookup finds for a record; nil where one of the record's fields that it names is empty, unless it counts.
    func look(
        _ source: Source,
        _ record: Int64?,
        _ values: [String: String],
        _ lake: Lake,
        _ db: any SQLReading
    ) throws -> String? {
        let row = try row(values, beside: plain(Set(source.condition.properties)))
        guard let condition = source.condition.filled(row, for: source.resource.schema) else {
            return source.lookup.taken == .count ? "0" : nil
        }
        return try lake.asked(
            source.lookup.taken,
            where: condition,
            of: source.resource,
            except: source.resource.id == resource.id ? record : nil,
            db
        )
    }

    /// A record with the names beside it as one typed row.
    func row(_ values: [String: String], beside: [String: String]) throws -> Batch {
        var schema = resource.schema.loose
        // A record goes by the declaration of its beginning, a setting by the one that there is.
        let fields = declared.beside.filter { beside[$0.name] != nil && schema.index($0.name) == nil }
        schema.fields += fields
        let given = values.filter { schema.index($0.key) != nil }
        return try Lake.checked(given.merging(beside.filter { schema.index($0.key) != nil }) { own, _ in own }, schema)
    }

    /// A record with all names beside it that some expressions use; those without a value are null.
    func row(
        for expressions: [String],
        of record: Int64?,
        _ values: [String: String],
        _ lake: Lake,
        _ db: any SQLReading
    ) throws -> Batch {
        let names = declared.beside(in: expressions)
        guard !names.isEmpty else { return try Lake.checked(values, resource.schema.loose) }
        var known = try self.values(names, of: record, values, lake, db)
        for name in names where known[name] == nil { known[name] = "" }
        return try row(values, beside: known)
    }
}

extension Expression {
    /// A condition over other rows with a record's values in it: `my.FIELD`, and names that the other rows have not. Nil where one of them
    /// is empty: then nothing fits.
    func filled(_ row: Batch, for schema: Schema) -> Expression? {
        var isEmpty = false
        let filled = mapped { part in
            guard case .property(let name) = part else { return nil }
            let own = name.hasPrefix("my.") ? String(name.dropFirst(3)) : name
            guard own != name || schema.index(name) == nil,
                let index = row.fields.firstIndex(where: { $0.name == own })
            else { return nil }
            let value = row.value(0, index)
            if value == .null { isEmpty = true }
            return .literal(value)
        }
        return isEmpty ? nil : filled
    }
}

extension ViewsDeclaration.Related {
    /// What the rows that belong to a record satisfy; nil where the record says nothing that they could be found by.
    public func condition(
        of record: Int64,
        _ values: [String: String],
        in own: ResourceDeclaration,
        _ other: ResourceDeclaration
    ) throws -> Expression? {
        var parts: [Expression] = []
        if !field.isEmpty {
            guard let value = values[key], !value.isEmpty else { return nil }
            parts.append(.compare(.equal, .property(field), .literal(.text(value))))
        }
        if !condition.isEmpty {
            let known = values.filter { own.schema.index($0.key) != nil }
            let row = try Lake.checked(known, own.schema.loose)
            guard let filled = try Expression(either: condition).filled(row, for: other.schema) else { return nil }
            parts.append(filled)
        }
        // A record is not like itself.
        if resource == own.key { parts.append(.compare(.notEqual, .property("_id"), .literal(.integer(record)))) }
        return parts.count == 1 ? parts[0] : .and(parts)
    }
}

extension ResourceDeclaration {
    /// The names beside the record's fields that some templates show.
    func beside(of templates: [String]) -> Set<String> {
        guard !beside.isEmpty else { return [] }
        let all = Set(beside.map(\.name))
        return templates.reduce(into: []) { $0.formUnion(all.intersection(DocumentTemplate.tags($1).map(\.name))) }
    }

    /// The names beside the record's fields that some expressions use.
    func beside(in expressions: [String]) -> Set<String> {
        guard !beside.isEmpty else { return [] }
        let all = Set(beside.map(\.name))
        return expressions.reduce(into: []) { names, text in
            guard !text.isEmpty, let expression = try? Expression(either: text) else { return }
            names.formUnion(all.intersection(expression.properties))
        }
    }
}

extension Flows {
    /// What a step's expressions know beside the fields.
    func surroundings(
        _ place: SystemPlace,
        _ declared: ResourceDeclaration,
        _ resource: Resource,
        _ step: FlowStep,
        _ request: StepRequest
    ) async throws -> StepSurroundings {
        let templates = declared.documents.filter { step.issue.contains($0.key) }.map(\.template)
        let alerts = place.system.declaration.alerts.filter { $0.resource == declared.key }.flatMap(\.conditions)
        let names = declared.beside(in: step.expressions + alerts).union(declared.beside(of: templates))
        var values = request.values
        if let record = request.record, declared.lookups.contains(where: { names.contains($0.key) }) {
            let old = try await kernel.databases.records.read { try self.lake.texts(of: record, in: resource, nil, $0) }
            values = old.merging(values) { _, new in new }
        }
        return try await surroundings(place, declared, resource, for: names, record: request.record, values)
    }

    /// What a record's steps know beside its fields, for some expressions and templates.
    func surroundings(
        _ place: SystemPlace,
        _ declared: ResourceDeclaration,
        _ resource: Resource,
        for names: Set<String>,
        record: Int64?,
        _ values: [String: String]
    ) async throws -> StepSurroundings {
        var inside: [StepSurroundings.Source] = []
        var outside: [StepSurroundings.Source] = []
        for lookup in declared.lookups where names.contains(lookup.key) {
            guard let other = try await systems.place(key: lookup.resource) else { continue }
            let source = StepSurroundings.Source(
                lookup: lookup,
                condition: try Expression(either: lookup.condition),
                resource: try await kernel.resource(other.code)
            )
            if source.resource.storage == .records { inside.append(source) } else { outside.append(source) }
        }
        let plain = StepSurroundings(
            system: place.system,
            declared: declared,
            resource: resource,
            now: now,
            sources: inside,
            found: [:]
        )
        guard !outside.isEmpty else { return plain }
        let asked = outside
        let found = try await kernel.databases.lake.read { db in
            try asked.reduce(into: [String: String]()) { found, source in
                found[source.lookup.key] = try plain.look(source, record, values, self.lake, db)
            }
        }
        return StepSurroundings(
            system: place.system,
            declared: declared,
            resource: resource,
            now: now,
            sources: inside,
            found: found
        )
    }
}
