import Basics
import CQL
public import Kernel
import Lake
import Store
import Synchronization
import Tabular

/// What whoever sent something learns of it.
public struct SentRecord: Sendable, Hashable {
    public var record: Int64
    /// Its key: a number that the flow gave it.
    public var number: String
}

extension Flows {
    static let sendDescriptor = ActionDescriptor(
        "flow.send",
        .flowBegin,
        .write,
        isPublic: true,
        zh: "公众提交",
        en: "take a step that is open to everybody"
    )

    /// Takes a step that everybody may take, without an account too. Of the record nothing is told but its number.
    ///
    /// - Throws: `flow.busy` beyond the step's limits, and what steps throw.
    public var send: Action<StepRequest, SentRecord> {
        Action(Self.sendDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] asked, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            var request = asked.visible
            request.note = ""
            let place = try await place(request.code)
            guard request.record == nil, let step = place.declaration.flow?.step(request.step), step.isForAnyone
            else { throw Problem.notFound(.init("步骤", "the step")) }
            let work = try await work(request, resource, decision)
            let minute = try count(step, of: resource)
            let taken = request
            let (outcome, number): (StepOutcome, String)
            do {
                (outcome, number) = try await kernel.databases.records.write { db in
                    try work.checkOpen(taken, db)
                    let outcome = try work.run(taken, decision, db)
                    let row = try self.lake.texts(of: outcome.record, in: resource, nil, db)
                    return (outcome, resource.schema.key.first.flatMap { row[$0] } ?? String(outcome.record))
                }
            } catch {
                // What was refused takes nobody's place.
                uncount(step, of: resource, minute)
                throw error
            }
            lake.recordsChanged(resource)
            for (_, target) in work.targets { lake.recordsChanged(target.resource) }
            decision.note("record", String(outcome.record))
            decision.note("step", step.key)
            return SentRecord(record: outcome.record, number: number)
        }
    }

    /// The step that everybody may take of a resource, as far as the gate lets somebody: the first, or the one of a key.
    public func open(_ place: SystemPlace, step key: String?, to caller: Caller) async throws -> FlowStep? {
        let step = place.declaration.flow?.beginnings.first { $0.isForAnyone && (key == nil || $0.key == key) }
        guard let step, kernel.gate.admits(Self.sendDescriptor, try await kernel.resource(place.code), caller) else {
            return nil
        }
        return step
    }

    static let busy = Problem(
        "flow.busy",
        status: 429,
        zh: "提交过多，请稍后再试。",
        en: "Too much was sent just now; try again later.",
        hint: .init("等办理了一些之后再提交。", "Send it when some of it was dealt with.")
    )

    /// Takes a place of the minute, which is returned.
    private func count(_ step: FlowStep, of resource: Resource) throws(Problem) -> Int64 {
        let minute = kernel.clock.now() / 60_000_000
        let isFull = sent.withLock { sent in
            let key = "\(resource.id.raw)/\(step.key)"
            var taken = sent[key] ?? (minute, 0)
            if taken.minute != minute { taken = (minute, 0) }
            guard taken.count < step.limit.perMinute else { return true }
            taken.count += 1
            sent[key] = taken
            return false
        }
        if isFull { throw Self.busy }
        return minute
    }

    private func uncount(_ step: FlowStep, of resource: Resource, _ minute: Int64) {
        sent.withLock { sent in
            let key = "\(resource.id.raw)/\(step.key)"
            if let taken = sent[key], taken.minute == minute { sent[key] = (minute, taken.count - 1) }
        }
    }
}

extension StepWork {
    /// Whether as many records wait as the step allows.
    func checkOpen(_ request: StepRequest, _ db: any SQLReading) throws {
        let states = flow.states.filter { $0.kind == .open }.map { Expression.literal(.text($0.key)) }
        var parts: [Expression] = [.isIn(.property(flow.field), states)]
        if !step.limit.by.isEmpty, let value = request.values[step.limit.by].map(TextForms.trimmed), !value.isEmpty {
            parts.insert(.compare(.equal, .property(step.limit.by), .literal(.text(value))), at: 0)
        }
        let condition = parts.count == 1 ? parts[0] : Expression.and(parts)
        let waiting = try flows.lake.asked(.count, where: condition, of: resource, except: nil, db)
        if (waiting.flatMap { Int($0) } ?? 0) >= step.limit.open { throw Flows.busy }
    }
}
