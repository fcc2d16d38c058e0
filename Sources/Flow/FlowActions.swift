import Codes
import Mask
import Basics
import CQL
import Foundation
public import Kernel
import Lake
import Seal
import Store
import Tabular

extension Flows {
    static let listDescriptor = ActionDescriptor("system.list", .sessionOwn, .view, zh: "业务系统", en: "list systems")
    static let installDescriptor = ActionDescriptor(
        "system.install",
        .systemManage,
        .write,
        zh: "安装系统包",
        en: "install a pack"
    )
    static let removeDescriptor = ActionDescriptor(
        "system.remove",
        .systemManage,
        .write,
        zh: "移除系统包",
        en: "remove a pack"
    )
    static let settingDescriptor = ActionDescriptor(
        "system.setting",
        .systemManage,
        .write,
        zh: "修改业务设置",
        en: "change a system's setting"
    )
    static let showDescriptor = ActionDescriptor(
        "flow.show",
        .dataRead,
        .read,
        zh: "查看办理情况",
        en: "show a record's flow"
    )
    static let standingsDescriptor = ActionDescriptor(
        "flow.standings",
        .dataRead,
        .view,
        zh: "记录时限",
        en: "clocks of records"
    )
    static let stepDescriptor = ActionDescriptor("flow.step", .flowAct, .write, zh: "办理步骤", en: "take a step")
    static let attachDescriptor = ActionDescriptor("flow.attach", .flowAct, .write, zh: "上传附件", en: "attach a file")
    static let fileDescriptor = ActionDescriptor("flow.file", .dataRead, .read, zh: "下载附件", en: "download a file")
    static let issueDescriptor = ActionDescriptor("flow.issue", .flowAct, .write, zh: "制发文书", en: "issue a document")
    static let documentDescriptor = ActionDescriptor(
        "flow.document",
        .dataRead,
        .read,
        zh: "查看文书",
        en: "show a document"
    )
    static let verifyDescriptor = ActionDescriptor(
        "flow.verify",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "核验文书",
        en: "verify a document"
    )
    static let tasksDescriptor = ActionDescriptor("flow.tasks", .sessionOwn, .view, zh: "业务待办", en: "tasks")

    public static let descriptors =
        [
            listDescriptor, installDescriptor, removeDescriptor, settingDescriptor, showDescriptor, standingsDescriptor,
            stepDescriptor, drawDescriptor, drawsDescriptor, attachDescriptor, fileDescriptor, issueDescriptor,
            documentDescriptor, verifyDescriptor,
            tasksDescriptor, importDescriptor, importRunDescriptor, importsDescriptor, importRefusedDescriptor,
            checkDescriptor, paperDescriptor, alertsDescriptor, acknowledgeDescriptor, watchDescriptor,
            indicatorsDescriptor, publishedDescriptor, publishedOfDescriptor, sendDescriptor, workDescriptor,
        ] + packageDescriptors

    // MARK: Systems

    /// The systems of which somebody may read or work on something.
    public var listed: Action<Void, [InstalledSystem]> {
        Action(Self.listDescriptor) { [self] _, decision in
            var found: [InstalledSystem] = []
            for system in try await systems.all() {
                if try await !reachable(system, decision.caller).isEmpty { found.append(system) }
            }
            return found
        }
    }

    /// The resources of a system that somebody may read.
    public func reachable(_ system: InstalledSystem, _ caller: Caller) async throws -> [ResourceDeclaration] {
        var found: [ResourceDeclaration] = []
        for declared in system.declaration.resources {
            guard let code = system.codes[declared.key] else { continue }
            if kernel.gate.admits(Self.showDescriptor, try await kernel.resource(code), caller) {
                found.append(declared)
            }
        }
        return found
    }

    /// Keeps a declaration whose resources are there: the last step of an installation.
    public var installed: Action<(body: PackBody, resources: [(key: String, resource: Resource)]), Void> {
        Action(Self.installDescriptor) { [systems] input, decision in
            guard let principal = decision.caller.principal else {
                throw Problem.notFound(.init("账号", "the account"))
            }
            let declaration = input.body.declaration
            decision.note("pack", declaration.id)
            decision.note("version", String(declaration.version))
            decision.note("digest", input.body.digest)
            try await systems.keep(input.body, declaration, resources: input.resources, by: principal.id)
        }
    }

    public var removed: Action<String, Void> {
        Action(Self.removeDescriptor) { [systems] id, decision in
            decision.note("pack", id)
            if let other = try await systems.all().first(where: { $0.id != id && $0.declaration.requires.contains(id) })
            {
                throw Problem(
                    "pack.required",
                    status: 409,
                    zh: "系统包“\(other.id)”要求“\(id)”，须先移除前者。",
                    en: "The pack “\(other.id)” requires “\(id)”; remove the former first.",
                    details: ["pack": other.id]
                )
            }
            try await systems.remove(id)
        }
    }

    public var setting: Action<(system: String, key: String, value: String), Void> {
        Action(Self.settingDescriptor) { [systems] input, decision in
            decision.note("pack", input.system)
            decision.note("setting", input.key)
            try await systems.set(input.key, of: input.system, to: input.value)
        }
    }

    // MARK: Records

    public var step: Action<StepRequest, StepOutcome> {
        Action(Self.stepDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] request, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            return try await take(request, resource, decision)
        }
    }

    /// A record with its history and what may be done with it now.
    public var show: Action<(code: String, record: Int64), FlowDetail> {
        Action(Self.showDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            decision.note("record", String(input.record))
            return try await detail(input.record, resource, decision)
        }
    }

    /// Where records stand: the state and the next due moment of each, by its number.
    public var standings: Action<(code: String, records: [Int64]), [Int64: Standing]> {
        Action(Self.standingsDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [kernel] input, decision in
            guard let resource = decision.resource, !input.records.isEmpty else { return [:] }
            let places = Array(repeating: "?", count: input.records.count).joined(separator: ",")
            let rows = try await kernel.databases.records.read { db in
                try db.rows(
                    "SELECT record, state, due, warn_at FROM flow_records WHERE resource = ? AND record IN (\(places))",
                    [.integer(resource.id.raw)] + input.records.map { .integer($0) }
                )
            }
            return Dictionary(
                rows.map { row in
                    (row.integer(0), Standing(state: row.text(1), due: row.integer(2), warnAt: row.integer(3)))
                },
                uniquingKeysWith: { first, _ in first }
            )
        }
    }

    private func detail(_ record: Int64, _ resource: Resource, _ decision: Decision) async throws -> FlowDetail {
        let place = try await place(resource.code)
        let now = kernel.clock.now()
        let (values, standing, clocks, steps, documents, attachments) = try await kernel.databases.records.read { db in
            (
                try self.lake.texts(of: record, in: resource, decision, db),
                try FlowStore.standing(resource.id.raw, record, db),
                try FlowStore.clocks(resource.id.raw, record, db),
                try Flows.steps(resource.id.raw, record, db),
                try Flows.documents(resource.id.raw, record, db),
                try Flows.attachments(resource.id.raw, record, db)
            )
        }
        let declared = try await declaration(place, number: standing?.number)
        guard let flow = declared.flow else { throw Problem.notFound(.init("流程", "the flow")) }
        let state = standing?.state ?? values[flow.field] ?? flow.states.first?.key ?? ""
        var shown: [String: String] = [:]
        for access in decision.fields {
            let text = values[access.field.name] ?? ""
            shown[access.field.name] = text.isEmpty ? "" : access.mask.map { $0.apply(text) } ?? text
        }
        var people: [Int64: String] = [:]
        let ids =
            steps.map(\.principal) + documents.map(\.principal) + attachments.map(\.principal)
        for id in Set(ids) { people[id] = try await kernel.accounts.find(PrincipalID(id))?.shownName }
        let isWhole = Flows.seesAll(decision, resource)
        let papers = documents.map { document in
            Flows.sees(document.shows, decision, resource) ? document : document.shown
        }
        let offered = try await offered(
            from: state,
            standing,
            values,
            declared,
            flow,
            resource,
            decision.caller,
            place,
            record
        )
        return FlowDetail(
            place: place,
            declared: declared,
            record: record,
            state: state,
            values: shown,
            number: standing?.number ?? place.system.number,
            openedAt: standing?.openedAt,
            clocks: clocks,
            steps: isWhole ? steps : steps.map { $0.shown(Set(shown.keys)) },
            documents: papers,
            attachments: isWhole ? attachments : attachments.map(\.shown),
            people: people,
            offered: offered,
            masked: Set(decision.fields.filter { $0.mask != nil }.map(\.field.name)),
            mayAct: mayAct(resource, decision.caller),
            mayAttach: flow.state(state)?.kind == .open && mayAct(resource, decision.caller),
            showsFiles: isWhole,
            issuable: declared.documents.filter { document in
                document.states.contains(state)
                    && Flows.sees(DocumentTemplate.shown(by: document, declared, values), decision, resource)
            },
            now: now
        )
    }

    private func mayAct(_ resource: Resource, _ caller: Caller) -> Bool {
        kernel.gate.admits(Self.stepDescriptor, resource, caller)
    }

    /// The steps that somebody may take now; whether a record satisfies a step's guard shows when it is taken.
    private func offered(
        from state: String,
        _ standing: FlowStore.Standing?,
        _ values: [String: String],
        _ declared: ResourceDeclaration,
        _ flow: FlowDeclaration,
        _ resource: Resource,
        _ caller: Caller,
        _ place: SystemPlace,
        _ record: Int64
    ) async throws -> [FlowStep] {
        guard let principal = caller.principal, mayAct(resource, caller) else { return [] }
        let candidates = flow.steps(from: state)
        let row = try? await shownRow(
            candidates.map(\.shownText),
            place,
            declared,
            resource,
            record,
            values,
            principal
        )
        return candidates.filter { step in
            guard step.isForAnyone || principal.has(oneOf: step.roles) else { return false }
            if step.isForOthers, standing?.lastBy == principal.id.raw { return false }
            guard !step.shownText.isEmpty, let row else { return true }
            return
                (try? BoundExpression(text: step.shownText, fields: row.fields).evaluate(row).first == .yes) ?? false
        }
    }

    /// A record with what the conditions of its buttons know beside its fields.
    private func shownRow(
        _ expressions: [String],
        _ place: SystemPlace,
        _ declared: ResourceDeclaration,
        _ resource: Resource,
        _ record: Int64,
        _ values: [String: String],
        _ principal: Principal
    ) async throws -> Batch {
        let names = declared.beside(in: expressions)
        guard !names.isEmpty else { return try Lake.checked(values, resource.schema.loose) }
        var asked = try await surroundings(place, declared, resource, for: names, record: record, values)
        asked.actor = .init(principal, kernel.gate.organisations[principal.organisation])
        let known = asked
        return try await kernel.databases.records.read { db in
            try known.row(for: expressions, of: record, values, self.lake, db)
        }
    }

    /// The beginning steps of a resource that somebody may take.
    public func beginnings(_ place: SystemPlace, _ caller: Caller) async throws -> [FlowStep] {
        guard let flow = place.declaration.flow, let principal = caller.principal,
            mayAct(try await kernel.resource(place.code), caller)
        else { return [] }
        return flow.beginnings.filter { $0.isForAnyone || principal.has(oneOf: $0.roles) }
    }

    static func steps(_ resource: Int64, _ record: Int64, _ db: any SQLReading) throws -> [TakenStep] {
        try FlowStore.last(
            "id, step, from_state, to_state, principal, at, note, changed",
            of: "flow_steps",
            resource,
            record,
            db
        ).map { row in
            TakenStep(
                id: row.integer(0),
                step: row.text(1),
                from: row.text(2),
                to: row.text(3),
                principal: row.integer(4),
                at: row.integer(5),
                note: row.text(6),
                changed: row.text(7).split(separator: ",").map(String.init)
            )
        }
    }

    // MARK: The node's own steps

    /// The clocks that ran out, after a place.
    static let sweepStatement = """
        SELECT due, resource, record, clock FROM flow_clocks WHERE state = 'running' AND due <= ?
        AND (due, resource, record, clock) > (?, ?, ?, ?) ORDER BY due, resource, record, clock LIMIT 200
        """

    /// Takes the steps of clocks that ran out; called each few seconds by the process that does scheduled work. What cannot be done now
    /// keeps nobody else's clock waiting.
    public func keepUp() async throws {
        let now = kernel.clock.now()
        guard let machine = try await kernel.accounts.find(login: Principal.commandLine) else { return }
        let caller = Caller(principal: machine, trace: "clock")
        var after: [SQLValue] = [.integer(0), .integer(0), .integer(0), .text("")]
        while true {
            let place = after
            let rows = try await kernel.databases.records.read { db in
                try db.rows(Self.sweepStatement, [.integer(now)] + place)
            }
            for row in rows {
                // One record's trouble is not the next one's; a database that is away ends the sweep.
                do { try await ranOut(row, caller) } catch let problem as Problem {
                    if problem.code.hasPrefix("store.") { throw problem }
                }
            }
            guard rows.count == 200, let last = rows.last else { break }
            after = last.values
        }
        // What cannot be told now is told the next time, and keeps nothing else waiting.
        do { try await tellEvents() } catch let problem as Problem where !problem.code.hasPrefix("store.un") {}
        try await keepUpAlerts(caller)
        try await keepUpWork(machine)
        try await keepUpImports()
    }

    private func ranOut(_ row: SQLRow, _ caller: Caller) async throws {
        let resource = try await kernel.resource(ResourceID(row.integer(1)))
        guard let place = try await systems.place(code: resource.code) else { return }
        let standing = try await standing(resource, row.integer(2))
        let clock = try await declaration(place, number: standing?.number).flow?.clock(row.text(3))
        if let clock, !clock.step.isEmpty {
            var request = StepRequest(resource.code, record: row.integer(2), step: clock.step)
            request.clock = clock.key
            do {
                _ = try await kernel.gate.perform(step, request, as: caller)
                return
            } catch let problem as Problem where !problem.code.hasPrefix("store.") {
                // The evidence tells why; the record stays overdue for people to see.
            }
        }
        try await kernel.databases.records.write { db in
            try db.execute(
                "UPDATE flow_clocks SET state = 'ended' WHERE due = ? AND resource = ? AND record = ? AND clock = ? AND state = 'running'",
                row.values
            )
        }
    }
}

extension ResourceDeclaration {
    /// The fields that tell one record from another where several stand together: its key, and what names it.
    public var nameFields: [String] {
        let key = schema.key.count == 1 ? schema.key : []
        return key + [titleField].compactMap(\.self).filter { !key.contains($0) }
    }

    /// The field that tells somebody who knows a row's key what the row is: a name, what heads a card, else the first other text that refers
    /// to nothing itself.
    public func labelField(beside key: String) -> String? {
        let names = schema.fields.filter { [.personName, .organisationName, .name].contains($0.kind) }.map(\.name)
        let heading = views.boardTitle.isEmpty || views.boardTitle == key ? nil : views.boardTitle
        let others = schema.fields.filter { field in
            field.name != key && field.type == .text && field.name != flow?.field
                && !references.contains { $0.field == field.name }
        }
        return names.first ?? heading ?? others.first?.name
    }

    /// The field that names a record: what heads a card, a name, else the key.
    public var titleField: String? {
        if !views.boardTitle.isEmpty { return views.boardTitle }
        return schema.key.first ?? schema.fields.first?.name
    }
}

/// A step that was taken.
public struct TakenStep: Sendable, Hashable {
    public var id: Int64
    public var step: String
    public var from: String
    public var to: String
    public var principal: Int64
    public var at: Int64
    public var note: String
    /// The fields that it changed.
    public var changed: [String]

    /// As those see it who see some fields only, or masked: free text may hold what is kept from them.
    func shown(_ fields: Set<String>) -> TakenStep {
        var step = self
        step.note = ""
        step.changed = changed.filter(fields.contains)
        return step
    }
}

/// A document of a record.
public struct IssuedDocument: Sendable, Hashable {
    public var id: Int64
    public var document: String
    public var title: String
    public var number: String
    public var code: String
    public var digest: String
    public var principal: Int64
    public var issuedAt: Int64
    /// Whether whoever asked may open it.
    public var isOpen = true
    /// The record's fields that stand on it; nil where that is not known.
    var shows: String?

    /// As those see it who may not open it.
    var shown: IssuedDocument {
        var document = self
        document.isOpen = false
        document.number = ""
        document.code = ""
        return document
    }
}

/// A file of a record.
public struct Attachment: Sendable, Hashable {
    public var id: Int64
    public var kind: String
    public var name: String
    public var type: String
    public var size: Int64
    public var digest: String
    public var principal: Int64
    public var at: Int64
    public var longitude: Double?
    public var latitude: Double?
    /// When a photo was taken, in microseconds.
    public var takenAt: Int64?

    /// As those see it who may not open it.
    var shown: Attachment {
        var file = self
        file.name = ""
        file.longitude = nil
        file.latitude = nil
        file.takenAt = nil
        return file
    }
}

/// A record as somebody sees it, with what they may do.
public struct FlowDetail: Sendable {
    public var place: SystemPlace
    /// The declaration that the record began with.
    public var declared: ResourceDeclaration
    public var record: Int64
    public var state: String
    /// Texts by field, masked as the decision says; fields that may not be seen are not there.
    public var values: [String: String]
    public var number: Int64
    public var openedAt: Int64?
    public var clocks: [RunningClock]
    public var steps: [TakenStep]
    public var documents: [IssuedDocument]
    public var attachments: [Attachment]
    /// Names by principal.
    public var people: [Int64: String]
    public var offered: [FlowStep]
    /// Fields that are shown masked.
    public var masked: Set<String>
    public var mayAct: Bool
    public var mayAttach: Bool
    /// Whether files may be opened: they show everything.
    public var showsFiles: Bool
    /// The documents that may be issued by hand now.
    public var issuable: [ResourceDeclaration.Document]
    public var now: Int64
}

/// A record that awaits somebody.
public struct FlowTask: Sendable {
    public var place: SystemPlace
    public var record: Int64
    public var name: String
    public var standing: Standing
    public var since: Int64

    public var state: String { standing.state }
    public var due: Int64? { standing.due }
}

/// Where a record stands, and until when something is to be done with it.
public struct Standing: Sendable, Hashable {
    public var state: String
    /// The next moment at which a clock runs out, or did; nil where none runs.
    public var due: Int64?
    /// From when it warns.
    public var warnAt: Int64?

    init(state: String, due: Int64, warnAt: Int64) {
        self.state = state
        self.due = due == FlowStore.never ? nil : due
        self.warnAt = warnAt == FlowStore.never ? nil : warnAt
    }
}
