import CQL
import Basics
public import Kernel
import Lake
import Store
public import Tabular

extension ResourceDeclaration.Reference {
    /// A key as the field that is referred to holds it.
    public func literal(_ key: String, _ other: ResourceDeclaration) -> Value {
        guard other.field(referenced)?.type == .integer, let number = Int64(key) else { return .text(key) }
        return .integer(number)
    }
}

extension ResourceDeclaration {
    /// The reference that fills a field in where a step asks for both.
    public func reference(filling name: String, in step: FlowStep) -> Reference? {
        references.first { reference in
            reference.fills.contains { $0.own == name } && step.fields.contains { $0.field == reference.field }
        }
    }
}

extension Flows {
    /// A request with what its references fill: fields that the step asks for and that were left empty take what the chosen row has.
    func filled(_ request: StepRequest, _ resource: Resource, _ caller: Caller) async throws -> StepRequest {
        let place = try await place(request.code)
        guard request.clock == nil, !request.values.isEmpty else { return request }
        let known = try await request.record.asyncMap { try await self.standing(resource, $0) }.flatMap(\.self)
        let declared = try await declaration(place, number: known?.number)
        guard declared.references.contains(where: { !$0.fills.isEmpty }), let step = declared.flow?.step(request.step)
        else { return request }
        var request = request
        let given = request.values
        request.values.merge(
            try await fills(of: given, step, declared, record: request.record, resource, caller)
        ) { _, filled in filled }
        return request
    }

    /// What the rows that were chosen give to fields of a step that are empty, as far as whoever takes it may read those rows and write those
    /// fields. What a record has already stays while its reference stays.
    func fills(
        of values: [String: String],
        _ step: FlowStep,
        _ declared: ResourceDeclaration,
        record: Int64?,
        _ resource: Resource,
        _ caller: Caller
    ) async throws -> [String: String] {
        let writable = kernel.gate.unmaskedFields(Self.stepDescriptor, resource, caller, anyRows: true)
        let asked = writable.intersection(step.fields.map(\.field))
        var old: [String: String]?
        var filled: [String: String] = [:]
        for reference in declared.references where !reference.fills.isEmpty {
            let key = TextForms.trimmed(values[reference.field] ?? "")
            var wanted = reference.fills.filter { asked.contains($0.own) && TextForms.isBlank(values[$0.own] ?? "") }
            guard !key.isEmpty, !wanted.isEmpty, let place = try await systems.place(key: reference.resource) else {
                continue
            }
            if let record {
                let kept = try await old.orElse {
                    try await self.kernel.databases.records.read {
                        try self.lake.texts(of: record, in: resource, nil, $0)
                    }
                }
                old = kept
                wanted.removeAll {
                    values[$0.own] == nil && kept[reference.field] == key && !(kept[$0.own] ?? "").isEmpty
                }
            }
            let other = try await kernel.resource(place.code)
            let readable = kernel.gate.unmaskedFields(reading.read.descriptor, other, caller, anyRows: true)
            wanted.removeAll { !readable.contains($0.their) }
            guard !wanted.isEmpty, readable.contains(reference.referenced) else { continue }
            var query = RecordQuery(place.code, fields: Array(Set(wanted.map(\.their))), limit: 1)
            query.condition = .compare(
                .equal,
                .property(reference.referenced),
                .literal(reference.literal(key, place.declaration))
            )
            let page = try await kernel.gate.perform(reading.read, query, as: caller)
            guard page.batch.count == 1 else { continue }
            for fill in wanted {
                guard let index = page.batch.fields.firstIndex(where: { $0.name == fill.their }) else { continue }
                let text = page.batch.value(0, index).text
                if !text.isEmpty { filled[fill.own] = text }
            }
        }
        return filled
    }

    /// Whether what a step is given is there where its fields refer to. What the record has already, what steps set by themselves, and
    /// references to resources that the node has not, are not asked.
    ///
    /// - Throws: `flow.reference`, naming the field and the resource.
    func checkReferences(
        _ request: StepRequest,
        _ declared: ResourceDeclaration,
        _ resource: Resource
    ) async throws {
        for reference in declared.references where reference.isEnforced {
            guard let text = request.values[reference.field], !TextForms.isBlank(text),
                let place = try await systems.place(key: reference.resource)
            else { continue }
            let value = TextForms.trimmed(text)
            let other = try await kernel.resource(place.code)
            guard try await lake.has(value, in: reference.referenced, of: other) == false else { continue }
            if let record = request.record {
                let kept = try await kernel.databases.records.read { db in
                    try self.lake.texts(of: record, in: resource, nil, db)[reference.field]
                }
                if kept == value { continue }
            }
            let title = declared.field(reference.field)
            let name = place.declaration
            throw Problem(
                "flow.reference",
                status: 422,
                zh:
                    "“\(title.map { declared.label($0, .zh) } ?? reference.field)”所填的值在“\(name.title(.zh))”中不存在。",
                en:
                    "What is given as “\(title.map { declared.label($0, .en) } ?? reference.field)” is not in “\(name.title(.en))”.",
                details: [reference.field: "reference"],
                hint: .init("请从列表中选取，或先在该资源中登记。", "Choose one from the list, or register it there first.")
            )
        }
    }

    /// Whether the entries of the catalogue that a step is given are there, and whoever takes it may see them. What the record has already
    /// is not asked.
    ///
    /// - Throws: `flow.reference`, which does not tell what is not there from what may not be seen.
    func checkEntries(
        _ request: StepRequest,
        _ declared: ResourceDeclaration,
        _ resource: Resource,
        _ caller: Caller
    ) async throws {
        for field in declared.entryFields {
            guard let text = request.values[field], !TextForms.isBlank(text) else { continue }
            let code = TextForms.trimmed(text)
            if try await isEntrySeen(code, by: caller) { continue }
            if let record = request.record {
                let kept = try await kernel.databases.records.read { db in
                    try self.lake.texts(of: record, in: resource, nil, db)[field]
                }
                if kept == code { continue }
            }
            let title = declared.field(field)
            throw Problem(
                "flow.reference",
                status: 422,
                zh: "“\(title.map { declared.label($0, .zh) } ?? field)”所填的目录条目不存在或不可见。",
                en:
                    "What is given as “\(title.map { declared.label($0, .en) } ?? field)” is no entry that you may see.",
                details: [field: "reference"],
                hint: .init("请填写数据目录中的资源代码，如 301001/000001。", "Give a code of the catalogue, as 301001/000001.")
            )
        }
    }

    private static let entryDescriptor = ActionDescriptor(
        "flow.entry",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "查看目录条目",
        en: "see an entry"
    )

    /// An entry of the catalogue; nil where there is none.
    func entry(_ code: String) async throws -> Resource? {
        do { return try await kernel.resource(code) } catch let problem as Problem where problem.status == 404 {
            return nil
        }
    }

    /// Whether somebody may see an entry of the catalogue.
    func isEntrySeen(_ code: String, by caller: Caller) async throws -> Bool {
        guard let entry = try await entry(code) else { return false }
        return kernel.gate.admits(Self.entryDescriptor, entry, caller)
    }

    /// The names of some entries as far as somebody may see them, by their codes.
    public func entryNames(_ codes: Set<String>, seenBy caller: Caller) async throws -> [String: String] {
        var names: [String: String] = [:]
        for code in codes where !code.isEmpty {
            guard let entry = try await entry(code), kernel.gate.admits(Self.entryDescriptor, entry, caller) else {
                continue
            }
            names[code] = entry.name
        }
        return names
    }

    /// The names of the organisations that own the entries which a record names.
    func owners(
        _ request: StepRequest,
        _ declared: ResourceDeclaration,
        _ resource: Resource
    ) async throws -> [String: String] {
        let fields = declared.entryFields
        guard !fields.isEmpty else { return [:] }
        var codes = Set(fields.compactMap { request.values[$0] }.map(TextForms.trimmed))
        if let record = request.record {
            let kept = try await kernel.databases.records.read { db in
                try self.lake.texts(of: record, in: resource, nil, db)
            }
            codes.formUnion(fields.compactMap { kept[$0] })
        }
        var owners: [String: String] = [:]
        for code in codes where !code.isEmpty {
            guard let entry = try await entry(code) else { continue }
            owners[code] = kernel.gate.organisations[entry.owner]?.name
        }
        return owners
    }
}
