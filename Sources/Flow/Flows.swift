import Basics
import CQL
public import Foundation
public import Kernel
public import Lake
import Seal
public import Store
import Synchronization
import Tabular

/// What somebody asks of a flow.
public struct StepRequest: Sendable {
    /// The resource's code.
    public var code: String
    /// Nil where the step makes the record.
    public var record: Int64?
    public var step: String
    /// Texts by field, as typed. Fields left out keep their value.
    public var values: [String: String]
    public var note: String
    /// The clock whose step the node takes.
    var clock: String?
    /// The row of an import that the record is made of.
    var line: ImportLine?

    public init(_ code: String, record: Int64? = nil, step: String, values: [String: String] = [:], note: String = "") {
        self.code = code
        self.record = record
        self.step = step
        self.values = values
        self.note = note
    }
}

extension StepRequest {
    /// The request without characters that nobody sees.
    var visible: StepRequest {
        var request = self
        request.values = values.mapValues(TextForms.visible)
        return request
    }
}

/// What became of a step.
public struct StepOutcome: Sendable, Hashable {
    public var record: Int64
    public var state: String
    /// The documents issued.
    public var documents: [Int64]
    /// The records made elsewhere: the resource's code and the record.
    public var created: [Created]
    /// How many alerts it made.
    public var alerts = 0
    /// Whether the step led the record out of the rows of whoever took it.
    public var isOutOfReach = false

    public struct Created: Sendable, Hashable {
        public var code: String
        public var record: Int64
    }
}

/// The flows of a node: steps that are taken, clocks that run, documents that are issued.
public final class Flows: Sendable {
    public let systems: Systems
    let kernel: Kernel
    let lake: Lake
    let reading: LakeActions
    /// Where files lie that are bound to records.
    let folder: URL
    /// Makes PDF of documents; nil where nothing that does is installed.
    let printer: PaperPrinter?
    /// The rows that indicators were made of, by what was asked of which rows.
    let counted = Cache<String, [SQLRow]>(limit: 300)
    /// What the public sent in the present minute, by step.
    let sent = Mutex<[String: (minute: Int64, count: Int)]>([:])

    /// When imports of long ago were let go of last, in microseconds.
    let prunedAt = Mutex<Int64>(0)

    /// The moment that a demonstration's steps are taken at: their records have a past.
    @TaskLocal public static var moment: Int64?

    var now: Int64 { Self.moment ?? kernel.clock.now() }

    /// The tables beside the records, which the lake brings up to date with its own.
    public static let recordMigrations: [Migration] =
        FlowStore.migrations + [PackageStore.migration, FlowEvents.migration] + ImportStore.migrations
        + PaperStore.migrations

    public init(
        kernel: Kernel,
        lake: Lake,
        reading: LakeActions,
        systems: Systems,
        folder: URL,
        printer: PaperPrinter? = nil
    ) {
        self.kernel = kernel
        self.lake = lake
        self.reading = reading
        self.systems = systems
        self.folder = folder
        self.printer = printer
        KeptFile.sweep(folder)
    }

    /// Where a resource stands in a system.
    ///
    /// - Throws: `flow.none` for a resource without a flow.
    func place(_ code: String) async throws -> SystemPlace {
        guard let place = try await systems.place(code: code), place.declaration.flow != nil else {
            throw Problem(
                "flow.none",
                status: 409,
                zh: "该资源没有流程。",
                en: "The resource has no flow."
            )
        }
        return place
    }

    /// The declaration that a record goes by: that of its beginning.
    func declaration(_ place: SystemPlace, number: Int64?) async throws -> ResourceDeclaration {
        guard let number else { return place.declaration }
        return try await systems.declaration(place.system, number: number).resource(place.declaration.key)
            ?? place.declaration
    }

    func standing(_ resource: Resource, _ record: Int64) async throws -> FlowStore.Standing? {
        try await kernel.databases.records.read { try FlowStore.standing(resource.id.raw, record, $0) }
    }

    // MARK: A step

    /// Takes a step: the record, its history, clocks, documents and what is made elsewhere change in one transaction.
    func take(_ asked: StepRequest, _ resource: Resource, _ decision: Decision) async throws -> StepOutcome {
        let request = try await filled(asked.visible, resource, decision.caller)
        let work = try await work(request, resource, decision)
        let outcome = try await kernel.databases.records.write { db in
            try work.run(request, decision, db)
        }
        lake.recordsChanged(resource)
        for (_, target) in work.targets { lake.recordsChanged(target.resource) }
        decision.note("record", String(outcome.record))
        decision.note("step", work.step.key)
        decision.note("state", outcome.state)
        if work.step.event != nil { try? await tellEvents() }
        if outcome.alerts > 0 { decision.note("alerts", String(outcome.alerts)) }
        for created in outcome.created { decision.note("created", "\(created.code)#\(created.record)") }
        if let line = request.line {
            decision.note("import", line.id)
            decision.note("line", String(line.line))
        }
        return outcome
    }

    /// A step ready for its transaction: everything that it needs from elsewhere is there.
    func work(_ request: StepRequest, _ resource: Resource, _ decision: Decision) async throws -> StepWork {
        let place = try await place(request.code)
        let known = try await request.record.asyncMap { try await self.standing(resource, $0) }.flatMap(\.self)
        let declared = try await declaration(place, number: known?.number)
        guard let flow = declared.flow, let step = flow.step(request.step) else {
            throw Problem.notFound(.init("步骤", "the step"))
        }
        guard step.isBeginning == (request.record == nil) else {
            throw Problem.notFound(.init("步骤", "the step"))
        }
        guard let principal = decision.caller.principal ?? (step.isForAnyone ? .nobody : nil) else {
            throw Problem.notFound(.init("账号", "the account"))
        }
        try check(step, request, declared, principal, decision)
        try await checkReferences(request, declared, resource)
        if !step.isOfClock { try await checkEntries(request, declared, resource, decision.caller) }
        let surroundings = try await self.surroundings(place, declared, resource, step, request)
        let owners = try await owners(request, declared, resource)
        return StepWork(
            flows: self,
            place: place,
            declared: declared,
            flow: flow,
            step: step,
            resource: resource,
            number: known?.number ?? place.system.number,
            principal: principal,
            organisation: kernel.gate.organisations[principal.organisation],
            now: now,
            calendar: try await kernel.calendar(),
            targets: try await targets(of: step, depth: 0),
            related: try await related(of: declared, step, request, resource, decision.caller),
            people: step.issue.isEmpty ? [:] : try await people(resource, request.record),
            surroundings: surroundings,
            owners: owners
        )
    }

    /// What can be said of a request before the record is looked at.
    private func check(
        _ step: FlowStep,
        _ request: StepRequest,
        _ declared: ResourceDeclaration,
        _ principal: Principal,
        _ decision: Decision
    ) throws(Problem) {
        try Flows.check(step, principal)
        let asked = Set(step.fields.map(\.field))
        let writable = Set(decision.fields.filter { $0.mask == nil }.map(\.field.name))
        for name in request.values.keys {
            guard asked.contains(name) else {
                throw Problem(
                    "flow.field",
                    status: 422,
                    zh: "步骤“\(step.title.zh)”不填写字段“\(name)”。",
                    en: "The step “\(step.title.en)” does not ask for the field “\(name)”."
                )
            }
            guard writable.contains(name) else {
                throw Problem(
                    "record.field",
                    status: 403,
                    zh: "无权填写字段“\(name)”。",
                    en: "You may not write the field “\(name)”."
                )
            }
        }
        try PlaceValues.check(request.values, declared)
        guard request.note.utf8.count <= 20_000 else {
            throw Problem("request.too_large", status: 413, zh: "意见过长。", en: "The note is too long.")
        }
        if step.note == .required, TextForms.isBlank(request.note) {
            throw Problem("flow.note", status: 422, zh: "请填写意见。", en: "Write a note.")
        }
    }

    /// Whether somebody's roles allow a step.
    ///
    /// - Throws: `flow.role`.
    static func check(_ step: FlowStep, _ principal: Principal) throws(Problem) {
        guard !step.isForAnyone, !principal.has(oneOf: step.roles) else { return }
        // A clock's step is the node's own; nobody who signs in is it.
        if step.isOfClock, principal.login == Principal.commandLine { return }
        if step.roles.isEmpty {
            throw Problem(
                "flow.role",
                status: 403,
                zh: "步骤“\(step.title.zh)”由系统自动办理。",
                en: "The step “\(step.title.en)” is taken by the system itself."
            )
        }
        throw Problem(
            "flow.role",
            status: 403,
            zh: "步骤“\(step.title.zh)”由其他角色办理。",
            en: "The step “\(step.title.en)” is taken by another role.",
            details: ["roles": step.roles.joined(separator: ", ")]
        )
    }

    /// Where a step makes records, with what those make in their turn.
    func targets(of step: FlowStep, depth: Int) async throws -> [String: StepTarget] {
        var found: [String: StepTarget] = [:]
        var others = step.create.map { ($0.place, $0.resource, $0.step) }
        for telling in step.tell {
            if telling.isOptional, try await systems.place(key: telling.resource) == nil { continue }
            others.append((telling.place, telling.resource, telling.step))
        }
        for (name, key, stepKey) in others {
            guard depth < 3, let place = try await systems.place(key: key),
                let flow = place.declaration.flow, let first = flow.step(stepKey)
            else {
                throw Problem(
                    "flow.target",
                    status: 409,
                    zh: "关联的业务资源“\(key)”未安装，不能在那里办理。",
                    en: "The resource “\(key)” is not installed: nothing can be done there."
                )
            }
            let resource = try await kernel.resource(place.code)
            found[name] = StepTarget(
                place: place,
                flow: flow,
                step: first,
                resource: resource,
                surroundings: try await surroundings(
                    place,
                    place.declaration,
                    resource,
                    for: place.declaration.beside(in: first.expressions),
                    record: nil,
                    [:]
                )
            )
            found.merge(try await targets(of: first, depth: depth + 1)) { first, _ in first }
        }
        return found
    }

    /// The names of those who took steps of a record.
    func people(_ resource: Resource, _ record: Int64?) async throws -> [Int64: String] {
        guard let record else { return [:] }
        let ids = try await kernel.databases.records.read { db in
            try db.rows(
                "SELECT DISTINCT principal FROM flow_steps WHERE resource = ? AND record = ?",
                [.integer(resource.id.raw), .integer(record)]
            ).map { $0.integer(0) }
        }
        var names: [Int64: String] = [:]
        for id in ids { names[id] = try await kernel.accounts.find(PrincipalID(id))?.shownName }
        return names
    }

    /// The rows of related resources that documents of a step show, as whoever takes it may see them.
    private func related(
        of declared: ResourceDeclaration,
        _ step: FlowStep,
        _ request: StepRequest,
        _ resource: Resource,
        _ caller: Caller
    ) async throws -> [String: [[String: String]]] {
        let templates = declared.documents.filter { step.issue.contains($0.key) }.map(\.template)
        return try await related(of: declared, for: templates, request.record, resource, caller)
    }

    func related(
        of declared: ResourceDeclaration,
        for templates: [String],
        _ record: Int64?,
        _ resource: Resource,
        _ caller: Caller
    ) async throws -> [String: [[String: String]]] {
        guard let record else { return [:] }
        var found: [String: [[String: String]]] = [:]
        for related in declared.views.related
        where templates.contains(where: { DocumentTemplate.shows(related.resource, $0) }) {
            guard let other = try await systems.place(key: related.resource) else { continue }
            let values = try await kernel.databases.records.read { db in
                try self.lake.texts(of: record, in: resource, nil, db)
            }
            guard let condition = try related.condition(of: record, values, in: declared, other.declaration) else {
                continue
            }
            var query = RecordQuery(other.code, limit: 2000)
            query.condition = condition
            let page = try await kernel.gate.perform(reading.read, query, as: caller)
            // A document that leaves rows out is none.
            guard page.next == nil else {
                throw Problem(
                    "flow.document_rows",
                    status: 409,
                    zh: "关联记录超过 2000 条，不能列入文书。",
                    en: "There are more than 2,000 related records: a document does not list them."
                )
            }
            found[related.resource] = (0..<page.batch.count).map { row in
                Dictionary(
                    page.batch.fields.indices.map { index in
                        let field = page.batch.fields[index]
                        return (
                            field.name,
                            FilledDocument.shown(page.batch.value(row, index).text, other.declaration.field(field.name))
                        )
                    },
                    uniquingKeysWith: { first, _ in first }
                )
            }
        }
        return found
    }
}

extension Optional {
    /// What is there, or what is made.
    func orElse(_ make: () async throws -> Wrapped) async rethrows -> Wrapped {
        if let self { return self }
        return try await make()
    }

    func asyncMap<T>(_ body: (Wrapped) async throws -> T) async rethrows -> T? {
        guard let self else { return nil }
        return try await body(self)
    }
}

/// Where a step makes a record.
struct StepTarget: Sendable {
    var place: SystemPlace
    var flow: FlowDeclaration
    var step: FlowStep
    var resource: Resource
    var surroundings: StepSurroundings
}
