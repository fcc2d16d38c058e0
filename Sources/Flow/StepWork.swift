import Basics
import CQL
import Kernel
import Lake
import Seal
import Store
import Tabular

/// A step on its way through a records transaction.
struct StepWork: Sendable {
    let flows: Flows
    let place: SystemPlace
    let declared: ResourceDeclaration
    let flow: FlowDeclaration
    let step: FlowStep
    let resource: Resource
    /// The declaration that the record goes by.
    let number: Int64
    let principal: Principal
    let organisation: Organisation?
    let now: Int64
    let calendar: WorkingCalendar
    /// Where records are made, by the keys of their resources.
    let targets: [String: StepTarget]
    /// Rows that documents show, by the keys of their resources.
    let related: [String: [[String: String]]]
    /// The names of those who took steps before.
    let people: [Int64: String]
    /// What expressions know beside the record's fields.
    let surroundings: StepSurroundings
    /// The names of the owners of the entries that the record names, by their codes.
    var owners: [String: String] = [:]

    /// The surroundings with whoever takes the step in them.
    var asked: StepSurroundings { asked(surroundings) }

    private func asked(_ surroundings: StepSurroundings) -> StepSurroundings {
        guard !step.isOfClock else { return surroundings }
        var known = surroundings
        known.actor = .init(principal, organisation)
        return known
    }

    private var today: Int32 { CivilTime.chinaDay(microseconds: now) }

    /// - Throws: `flow.moved`, `flow.others`, `flow.guard`, `flow.required`, `flow.attachments`, `record.*`.
    func run(_ request: StepRequest, _ decision: Decision?, _ db: any SQLWriting) throws -> StepOutcome {
        if let line = request.line, let made = try ImportStore.record(of: line, db) {
            // The answer to making it got lost; the record is there.
            return StepOutcome(record: made, state: step.to ?? "", documents: [], created: [])
        }
        var old: [String: String] = [:]
        var standing: FlowStore.Standing?
        if let record = request.record {
            old = try flows.lake.texts(of: record, in: resource, decision, db)
            standing = try FlowStore.standing(resource.id.raw, record, db) ?? adopted(old)
            try check(standing, old, record, db)
        }
        let from = standing?.state ?? ""
        let to = step.to ?? from
        for asked in step.fields where asked.isRequired {
            guard TextForms.isBlank(request.values[asked.field] ?? old[asked.field] ?? "") else { continue }
            let title = declared.field(asked.field).map { declared.label($0, .zh) } ?? asked.field
            let label = declared.field(asked.field).map { declared.label($0, .en) } ?? asked.field
            throw Problem(
                "flow.required",
                status: 422,
                zh: "“\(step.title.zh)”须填写“\(title)”。",
                en: "“\(step.title.en)” needs “\(label)”.",
                details: [asked.field: "required"]
            )
        }
        var values = old.merging(request.values) { _, new in new }
        values[flow.field] = to
        let names = declared.beside(in: step.expressions)
        let before = try asked.values(names, of: request.record, values, flows.lake, db)
        // Expressions see what the plain words set.
        try assign(step.set.filter { !$0.value.isExpression }, to: &values, from: values, beside: before, db)
        try assign(step.set.filter(\.value.isExpression), to: &values, from: values, beside: before, db)
        values[flow.field] = to
        // The record's key is known before what is made elsewhere is linked to it. A step is taken of a record within one's rows, and may
        // lead it out of them as the flow says; what is begun lies within them.
        let (id, row) = try flows.lake.put(
            request.record,
            values,
            into: resource,
            request.record == nil ? decision : nil,
            by: principal.id,
            at: now,
            db
        )
        // What was stored counts, not how it was typed.
        values = Lake.texts(row, of: resource.schema)
        let beside = names.isEmpty ? [:] : try asked.values(names, of: id, values, flows.lake, db)
        let whole = names.isEmpty ? row : try asked.row(values, beside: known(names, beside))
        try checkGuards(whole)
        var outcome = StepOutcome(record: id, state: to, documents: [], created: [])
        outcome.isOutOfReach = try decision.map { try !Lake.isInScope(row, $0) } ?? false
        if let clock = request.clock { try end(clock, id, db) }
        try runClocks(id, values, whole, db)
        let stepID = try writeStep(id, standing, to, request, old, values, db)
        if let line = request.line { try ImportStore.take(line, id, db) }
        if let event = step.event, let code = values[event.field], !code.isEmpty {
            try FlowEvents.add(event.kind, of: code, record: id, step: stepID, at: now, db)
        }
        for (index, creation) in step.create.enumerated() where try happens("create/\(index)", whole) {
            try make(creation, id, &values, beside, &outcome, decision, db)
        }
        for (index, telling) in step.tell.enumerated() where try happens("tell/\(index)", whole) {
            try tell(telling, values, beside, &outcome, db)
        }
        for key in step.issue where try happens("issue/\(key)", whole) {
            guard let document = declared.documents.first(where: { $0.key == key }) else { continue }
            outcome.documents.append(try issue(document, id, values, stepID, db))
        }
        for role in step.notify {
            try db.execute(
                """
                INSERT INTO flow_notices (resource, role, record, step, at) VALUES (?,?,?,?,?)
                ON CONFLICT (resource, role, record) DO UPDATE SET step = excluded.step, at = excluded.at
                """,
                [.integer(resource.id.raw), .text(role), .integer(id), .text(step.key), .integer(now)]
            )
        }
        outcome.alerts = try tell(id, values, db) + outcome.alerts
        return outcome
    }

    /// A record that was there before its resource had a flow.
    private func adopted(_ values: [String: String]) -> FlowStore.Standing {
        let state = values[flow.field].flatMap { flow.state($0) == nil ? nil : $0 } ?? flow.states.first?.key ?? ""
        return FlowStore.Standing(
            number: number,
            state: state,
            due: FlowStore.never,
            lastBy: 0,
            openedAt: now,
            changedAt: now
        )
    }

    /// Whether the step may be taken from where the record stands.
    private func check(
        _ standing: FlowStore.Standing?,
        _ values: [String: String],
        _ record: Int64,
        _ db: any SQLWriting
    ) throws {
        guard let standing, flow.steps(from: standing.state).contains(where: { $0.key == step.key }),
            standing.number == number
        else {
            let title = standing.flatMap { flow.state($0.state)?.title } ?? .init("—", "—")
            throw Problem(
                "flow.moved",
                status: 409,
                zh: "记录现为“\(title.zh)”，不能再办“\(step.title.zh)”。",
                en: "The record is “\(title.en)” now; “\(step.title.en)” cannot be taken.",
                hint: .init("可能已由他人办理，请刷新后查看。", "Somebody else may have taken a step; look again.")
            )
        }
        if step.isForOthers, standing.lastBy == principal.id.raw {
            throw Problem(
                "flow.others",
                status: 403,
                zh: "“\(step.title.zh)”须由上一步以外的人办理。",
                en: "“\(step.title.en)” is taken by another person than the step before it."
            )
        }
        if !step.shownText.isEmpty {
            let row = try asked.row(for: [step.shownText], of: record, values, flows.lake, db)
            guard try BoundExpression(text: step.shownText, fields: row.fields).evaluate(row).first == .yes else {
                throw Problem(
                    "flow.guard",
                    status: 409,
                    zh: "“\(step.title.zh)”不适用于此记录。",
                    en: "“\(step.title.en)” does not apply to this record."
                )
            }
        }
        for needed in step.attachments {
            let count =
                try db.row(
                    "SELECT count(DISTINCT digest) FROM flow_attachments WHERE resource = ? AND record = ? AND kind = ?",
                    [.integer(resource.id.raw), .integer(record), .text(needed.kind)]
                )?.integer(0) ?? 0
            guard count < needed.count else { continue }
            let title = declared.attachments.first { $0.key == needed.kind }?.title ?? .init(needed.kind, needed.kind)
            throw Problem(
                "flow.attachments",
                status: 422,
                zh: "请先上传“\(title.zh)”(至少 \(needed.count) 份)。",
                en: "Attach “\(title.en)” first (at least \(needed.count)).",
                details: [needed.kind: String(needed.count)]
            )
        }
    }

    private func checkGuards(_ row: Batch) throws {
        for guarded in step.guards
        where try BoundExpression(text: guarded.condition, fields: row.fields).evaluate(row).first != .yes {
            let message = guarded.message
            throw Problem(
                "flow.guard",
                status: 422,
                zh: message.zh.isEmpty ? "不符合“\(step.title.zh)”的条件。" : message.zh,
                en: message.en.isEmpty ? "The conditions of “\(step.title.en)” are not met." : message.en
            )
        }
    }

    /// Whether an effect happens: it has no condition, or the condition holds.
    private func happens(_ effect: String, _ row: Batch) throws -> Bool {
        guard let condition = step.conditions[effect] else { return true }
        return try BoundExpression(text: condition, fields: row.fields).evaluate(row).first == .yes
    }

    /// The values of names; those that have none are null, not unknown.
    private func known(_ names: Set<String>, _ values: [String: String]) -> [String: String] {
        values.merging(names.map { ($0, "") }) { value, _ in value }
    }

    // MARK: What the step sets

    func assign(
        _ list: [FlowStep.Assignment],
        to values: inout [String: String],
        from source: [String: String],
        beside: [String: String],
        _ db: any SQLWriting
    ) throws {
        var row: Batch?
        for assignment in list {
            switch assignment.value {
            case .text(let text): values[assignment.field] = text
            case .empty: values[assignment.field] = ""
            case .today: values[assignment.field] = CivilTime.date(today)
            case .now: values[assignment.field] = CivilTime.timestamp(now)
            case .me: values[assignment.field] = principal.login
            case .myName: values[assignment.field] = principal.name
            case .myOrganisation: values[assignment.field] = organisation?.name ?? ""
            case .setting(let key): values[assignment.field] = place.system.setting(key)
            case .code:
                if values[assignment.field, default: ""].isEmpty { values[assignment.field] = Secrets.token(16) }
            case .owner(let field): values[assignment.field] = source[field].flatMap { owners[$0] } ?? ""
            case .number(let key):
                // A number that was given stays.
                if values[assignment.field, default: ""].isEmpty {
                    values[assignment.field] = try number(key, db)
                }
            case .expression(let text):
                let names = declared.beside(in: step.expressions)
                let batch = try row ?? surroundings.row(source, beside: known(names, beside))
                row = batch
                let bound = try BoundExpression(value: try Expression(value: text), fields: batch.fields)
                let made = Batch(fields: [bound.field], columns: [bound.values(batch)], count: 1)
                values[assignment.field] = made.value(0, 0).text
            }
        }
    }

    private func number(_ key: String, _ db: any SQLWriting) throws -> String {
        guard let numbering = declared.numbers.first(where: { $0.key == key }) else { return "" }
        let serial = try FlowStore.next(resource.id.raw, key, numbering.period(of: today), db)
        return numbering.number(serial, day: today, division: organisation?.division ?? "")
    }

    // MARK: Clocks

    private func runClocks(_ id: Int64, _ values: [String: String], _ row: Batch, _ db: any SQLWriting) throws {
        var clocks = Dictionary(
            try FlowStore.clocks(resource.id.raw, id, db).map { ($0.key, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var changed: Set<String> = []
        func change(_ keys: [String], _ body: (inout RunningClock, FlowClock) -> Void) {
            for key in keys {
                guard var clock = clocks[key], let declared = flow.clock(key) else { continue }
                body(&clock, declared)
                clocks[key] = clock
                changed.insert(key)
            }
        }
        change(step.stop) { clock, _ in
            guard clock.isPending || clock.state == .paused else { return }
            clock.state = .stopped
            clock.endedAt = clock.pausedAt ?? now
        }
        change(step.pause) { clock, _ in
            guard clock.state == .running else { return }
            clock.state = .paused
            clock.pausedAt = now
        }
        change(step.resume) { clock, declared in
            guard clock.state == .paused, let paused = clock.pausedAt else { return }
            let rest = clock.due - clock.warnAt
            clock.due = declared.due(clock.due, pausedAt: paused, resumedAt: now, calendar)
            clock.warnAt = clock.due - rest
            clock.state = .running
            clock.pausedAt = nil
        }
        for more in step.extend {
            let length = try length(more.length, values, flow.clock(more.clock)?.title)
            change([more.clock]) { clock, declared in
                guard clock.isPending || clock.state == .paused else { return }
                let rest = clock.due - clock.warnAt
                clock.due = declared.due(
                    from: declared.unit == .hours ? clock.due : clock.due - 1,
                    length: length,
                    calendar
                )
                clock.warnAt = clock.due - rest
                // One that ran out has time again.
                if clock.state == .ended, clock.due > now { clock.state = .running }
            }
        }
        for key in step.start where try happens("start/\(key)", row) {
            guard let declared = flow.clock(key) else { continue }
            let start = try moment(declared, values) ?? now
            let length = try length(declared.length, values, declared.title)
            let due = declared.due(from: start, length: length, calendar)
            clocks[key] = RunningClock(
                key: key,
                state: .running,
                startedAt: start,
                due: due,
                warnAt: declared.warning(before: due, from: start, length: length, calendar)
            )
            changed.insert(key)
        }
        let ends = step.to.flatMap { flow.state($0) }.map { $0.kind != .open } ?? false
        if ends {
            // What is over has no time limits any more.
            for (key, clock) in clocks where clock.isPending || clock.state == .paused {
                clocks[key]?.state = .stopped
                clocks[key]?.endedAt = clock.pausedAt ?? now
                changed.insert(key)
            }
        }
        for key in changed { if let clock = clocks[key] { try FlowStore.save(clock, resource.id.raw, id, db) } }
    }

    /// Ends the clock whose step this is; one that somebody stopped or began anew in the meantime has not run out.
    private func end(_ key: String, _ id: Int64, _ db: any SQLWriting) throws {
        let ended = try db.execute(
            "UPDATE flow_clocks SET state = 'stopped', ended_at = ? WHERE resource = ? AND record = ? AND clock = ? AND state = 'running' AND due <= ?",
            [.integer(now), .integer(resource.id.raw), .integer(id), .text(key), .integer(now)]
        )
        guard ended == 1 else {
            throw Problem("flow.moved", status: 409, zh: "时限已停止或重新起算。", en: "The clock was stopped or began anew.")
        }
    }

    /// - Throws: `flow.required` where the field that tells it is empty.
    private func length(_ length: FlowClock.Length, _ values: [String: String], _ title: LocalizedText?) throws -> Int {
        let number: Int
        switch length {
        case .number(let given): number = given
        case .setting(let key): number = Int(place.system.setting(key)) ?? 1
        case .field(let name):
            guard let given = values[name].flatMap({ Int($0) }), given > 0 else {
                let field = declared.field(name)
                throw Problem(
                    "flow.required",
                    status: 422,
                    zh: "“\(title?.zh ?? "")”的长短由“\(field.map { declared.label($0, .zh) } ?? name)”确定，请先填写。",
                    en:
                        "The length of “\(title?.en ?? "")” is told by “\(field.map { declared.label($0, .en) } ?? name)”; give it first.",
                    details: [name: "required"]
                )
            }
            number = given
        }
        return min(max(1, number), 100_000)
    }

    /// A date's midnight or a moment that a field holds.
    ///
    /// - Throws: `flow.required` where it holds none: a term of the law does not begin on whichever day somebody pressed a button.
    private func moment(_ clock: FlowClock, _ values: [String: String]) throws -> Int64? {
        guard !clock.from.isEmpty else { return nil }
        guard let text = values[clock.from], !text.isEmpty else {
            let title = declared.field(clock.from)
            throw Problem(
                "flow.required",
                status: 422,
                zh: "“\(clock.title.zh)”从“\(title.map { declared.label($0, .zh) } ?? clock.from)”起算，请先填写。",
                en:
                    "“\(clock.title.en)” counts from “\(title.map { declared.label($0, .en) } ?? clock.from)”; give it first.",
                details: [clock.from: "required"]
            )
        }
        return Array(text.utf8).withUnsafeBufferPointer { bytes in
            CivilTime.parseISOTimestamp(bytes)
                ?? CivilTime.parseISODate(bytes).map { CivilTime.chinaMidnight(day: $0) }
        }
    }

    // MARK: History

    private func writeStep(
        _ id: Int64,
        _ standing: FlowStore.Standing?,
        _ to: String,
        _ request: StepRequest,
        _ old: [String: String],
        _ values: [String: String],
        _ db: any SQLWriting
    ) throws -> Int64 {
        let from = standing?.state ?? ""
        let changed = values.keys.filter { values[$0] != old[$0, default: ""] && $0 != flow.field }.sorted()
        try db.execute(
            "INSERT INTO flow_steps (resource, record, step, number, from_state, to_state, principal, at, note, changed) VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                .integer(resource.id.raw), .integer(id), .text(step.key), .integer(number), .text(from), .text(to),
                .integer(principal.id.raw), .integer(now), .text(step.note == .none ? "" : request.note),
                .text(changed.joined(separator: ",")),
            ]
        )
        let stepID = db.lastInsertedID
        let isOpen = flow.state(to)?.kind == .open
        let clocks = isOpen ? try FlowStore.clocks(resource.id.raw, id, db).filter(\.isPending) : []
        // An approval by another person is another than who did the work: asides and clocks do not count.
        let counts = step.kind != .side && !step.isOfClock
        try db.execute(
            """
            INSERT INTO flow_records (resource, record, number, state, is_open, due, warn_at, last_by, opened_at, changed_at)
            VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (resource, record) DO UPDATE SET state = excluded.state, is_open = excluded.is_open,
            due = excluded.due, warn_at = excluded.warn_at, last_by = excluded.last_by, changed_at = excluded.changed_at
            """,
            [
                .integer(resource.id.raw), .integer(id), .integer(number), .text(to), .integer(isOpen ? 1 : 0),
                .integer(clocks.map(\.due).min() ?? FlowStore.never),
                .integer(clocks.map(\.warnAt).min() ?? FlowStore.never),
                .integer(counts ? principal.id.raw : standing?.lastBy ?? principal.id.raw),
                .integer(now), .integer(now),
            ]
        )
        // Who was told of it learns of the next thing only when it is told.
        for role in principal.roles {
            try db.execute(
                "DELETE FROM flow_notices WHERE resource = ? AND role = ? AND record = ?",
                [.integer(resource.id.raw), .text(role.rawValue), .integer(id)]
            )
        }
        return stepID
    }

    // MARK: Elsewhere

    private func make(
        _ creation: FlowStep.Creation,
        _ id: Int64,
        _ values: inout [String: String],
        _ beside: [String: String],
        _ outcome: inout StepOutcome,
        _ decision: Decision?,
        _ db: any SQLWriting
    ) throws {
        guard let target = targets[creation.place] else { return }
        var given: [String: String] = [:]
        try assign(creation.values, to: &given, from: values, beside: beside, db)
        let work = work(at: target, given, number: target.place.system.number)
        let made = try work.run(StepRequest(target.place.code, step: target.step.key, values: given), nil, db)
        outcome.created.append(.init(code: target.place.code, record: made.record))
        outcome.created += made.created
        guard !creation.link.isEmpty, let key = target.resource.schema.key.first else { return }
        let row = try flows.lake.texts(of: made.record, in: target.resource, nil, db)
        values[creation.link] = row[key] ?? ""
        _ = try flows.lake.put(id, values, into: resource, nil, by: principal.id, at: now, db)
    }

    /// A step of another record, taken by the rules of this one's flow.
    private func work(at target: StepTarget, _ given: [String: String], number: Int64) -> StepWork {
        StepWork(
            flows: flows,
            place: target.place,
            declared: target.place.declaration,
            flow: target.flow,
            step: target.step.taking(given),
            resource: target.resource,
            number: number,
            principal: principal,
            organisation: organisation,
            now: now,
            calendar: calendar,
            targets: targets,
            related: [:],
            people: [:],
            surroundings: target.surroundings,
            owners: owners
        )
    }

    /// Has another record take an aside, where there is such a record and its state allows it.
    private func tell(
        _ telling: FlowStep.Telling,
        _ values: [String: String],
        _ beside: [String: String],
        _ outcome: inout StepOutcome,
        _ db: any SQLWriting
    ) throws {
        guard let target = targets[telling.place], let key = values[telling.by], !key.isEmpty,
            let record = try flows.lake.record(where: telling.field, is: key, in: target.resource, db),
            let standing = try FlowStore.standing(target.resource.id.raw, record, db),
            target.flow.steps(from: standing.state).contains(where: { $0.key == telling.step }),
            try applies(target, record, db)
        else { return }
        var given: [String: String] = [:]
        try assign(telling.values, to: &given, from: values, beside: beside, db)
        let told = try work(at: target, given, number: standing.number)
            .run(StepRequest(target.place.code, record: record, step: telling.step, values: given), nil, db)
        outcome.created += told.created
    }

    /// Whether a step is offered on another record at all.
    private func applies(_ target: StepTarget, _ record: Int64, _ db: any SQLReading) throws -> Bool {
        let shown = target.step.shownText
        guard !shown.isEmpty else { return true }
        let values = try flows.lake.texts(of: record, in: target.resource, nil, db)
        let row = try asked(target.surroundings).row(for: [shown], of: record, values, flows.lake, db)
        return try BoundExpression(text: shown, fields: row.fields).evaluate(row).first == .yes
    }

    // MARK: Documents

    func issue(
        _ document: ResourceDeclaration.Document,
        _ id: Int64,
        _ values: [String: String],
        _ stepID: Int64,
        _ db: any SQLWriting
    ) throws -> Int64 {
        // A numbering's next number, or the one that a field has.
        let isOfField = !declared.numbers.contains { $0.key == document.number }
        let number = isOfField ? values[document.number] ?? "" : try number(document.number, db)
        let names = declared.beside(of: [document.template])
        let filled = FilledDocument(
            document: document,
            declared: declared,
            values: values,
            beside: try asked.values(names, of: id, values, flows.lake, db),
            related: related,
            steps: try history(id, db),
            attachments: try attachments(id, db),
            documents: try documents(id, db),
            number: number,
            code: Secrets.token(16),
            record: resource.schema.key.first.flatMap { values[$0] } ?? String(id),
            issuer: principal.name,
            organisation: organisation?.name ?? "",
            day: today
        )
        let body = try filled.html()
        try db.execute(
            "INSERT INTO flow_documents (resource, record, document, title, number, code, digest, body, step, principal, issued_at, shown) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                .integer(resource.id.raw), .integer(id), .text(document.key), .text(document.title.zh), .text(number),
                .text(filled.code), .text(Digest(.sm3, of: Array(body.utf8)).description), .text(body),
                .integer(stepID), .integer(principal.id.raw), .integer(now),
                .text(DocumentTemplate.shown(by: document, declared, values)),
            ]
        )
        return db.lastInsertedID
    }

    private func history(_ id: Int64, _ db: any SQLReading) throws -> [FilledDocument.Line] {
        try db.rows(
            "SELECT step, at, note, principal FROM flow_steps WHERE resource = ? AND record = ? ORDER BY id",
            [.integer(resource.id.raw), .integer(id)]
        ).map { row in
            FilledDocument.Line(
                title: TakenStep.title(of: row.text(0), in: flow).zh,
                detail: row.text(2),
                at: CivilTime.minute(row.integer(1)),
                by: row.integer(3) == principal.id.raw ? principal.name : people[row.integer(3)] ?? ""
            )
        }
    }

    /// The documents issued before this one.
    private func documents(_ id: Int64, _ db: any SQLReading) throws -> [FilledDocument.Line] {
        try db.rows(
            "SELECT title, number, issued_at FROM flow_documents WHERE resource = ? AND record = ? ORDER BY id LIMIT 500",
            [.integer(resource.id.raw), .integer(id)]
        ).map { row in
            FilledDocument.Line(
                title: row.text(0),
                detail: row.text(1),
                at: FilledDocument.chinese(CivilTime.chinaDay(microseconds: row.integer(2)))
            )
        }
    }

    private func attachments(_ id: Int64, _ db: any SQLReading) throws -> [FilledDocument.Line] {
        try db.rows(
            "SELECT kind, name, digest FROM flow_attachments WHERE resource = ? AND record = ? ORDER BY id",
            [.integer(resource.id.raw), .integer(id)]
        ).map { row in
            FilledDocument.Line(
                title: declared.attachments.first { $0.key == row.text(0) }?.title.zh ?? row.text(0),
                detail: row.text(1),
                at: row.text(2)
            )
        }
    }
}

extension Schema {
    /// The schema without what only a finished record must satisfy: what expressions are asked over.
    var loose: Schema {
        var schema = self
        schema.rules = []
        schema.key = []
        for index in schema.fields.indices {
            schema.fields[index].required = false
            schema.fields[index].unique = false
            schema.fields[index].codes = []
        }
        return schema
    }
}

extension FlowStep {
    /// The step as another record's step takes it: with the fields that are given, and nothing asked of people.
    func taking(_ values: [String: String]) -> FlowStep {
        var step = self
        step.fields = values.keys.map { Asked(field: $0, isRequired: false) }
        step.attachments = []
        return step
    }
}
