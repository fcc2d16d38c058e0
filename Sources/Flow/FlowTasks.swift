import Basics
import CQL
public import Kernel
import Lake
import Store
import Tabular

extension Principal {
    /// Whether somebody has one of some roles, by their names.
    func has(oneOf roles: [String]) -> Bool {
        roles.contains { name in self.roles.contains { $0.rawValue == name } }
    }
}

extension Flows {
    // MARK: Tasks

    /// What awaits somebody: records in states from which their roles lead on, those due first, and what they were told of.
    public var tasks: Action<Int, [FlowTask]> {
        Action(Self.tasksDescriptor) { [self] limit, decision in
            guard let principal = decision.caller.principal else { return [] }
            var found: [FlowTask] = []
            for system in try await systems.all() {
                for declared in system.declaration.resources {
                    guard let flow = declared.flow, let code = system.codes[declared.key] else { continue }
                    let states = flow.states.filter { state in
                        state.kind == .open
                            && flow.steps(from: state.key).contains {
                                $0.kind == .forward && principal.has(oneOf: $0.roles)
                            }
                    }
                    let isTold = flow.steps.contains { principal.has(oneOf: $0.notify) }
                    guard !states.isEmpty || isTold else { continue }
                    let resource = try await kernel.resource(code)
                    guard kernel.gate.admits(Self.stepDescriptor, resource, decision.caller) else { continue }
                    let place = SystemPlace(system: system, declaration: declared, code: code)
                    found += try await tasks(place, states.map(\.key), resource, decision.caller, limit: limit)
                }
            }
            return Array(found.sorted { ($0.due ?? .max, $0.record) < ($1.due ?? .max, $1.record) }.prefix(limit))
        }
    }

    /// What is told of a record that is over is shown for so long: nobody takes a step of it any more.
    private static let toldOfWhatIsOver: Int64 = 14 * 86_400_000_000
    /// Records of other people's rows that are passed over in the search for one's own, at the most.
    private static let mostPassed = 20_000

    /// The first of a resource's records that await somebody. Rows out of their reach are passed over, so that they do not stand in the
    /// place of those within it.
    private func tasks(
        _ place: SystemPlace,
        _ states: [String],
        _ resource: Resource,
        _ caller: Caller,
        limit: Int
    ) async throws -> [FlowTask] {
        // What they were told of comes with the first of those that await them: one question to the gate is most often enough.
        var rows = try await told(resource, caller, limit: limit)
        var tasks: [FlowTask] = []
        var seen = Set(rows.map { $0.integer(0) })
        var after: (due: Int64, record: Int64)?
        var size = limit
        var passed = 0
        var awaiting = 0
        repeat {
            let waiting = states.isEmpty ? [] : try await waiting(states, resource, after: after, limit: size)
            rows += waiting.filter { seen.insert($0.integer(0)).inserted }
            let shown = try await named(rows, place, caller)
            let ids = Set(waiting.map { $0.integer(0) })
            awaiting += shown.count { ids.contains($0.record) }
            tasks += shown
            guard waiting.count == size, let last = waiting.last else { break }
            after = (last.integer(2), last.integer(0))
            rows = []
            passed += waiting.count
            size = min(size * 2, 2000)
        } while awaiting < limit && passed < Self.mostPassed
        return tasks
    }

    /// The records in some states after a due moment: of each state a range of the index, put together by their due moments.
    private func waiting(
        _ states: [String],
        _ resource: Resource,
        after: (due: Int64, record: Int64)?,
        limit: Int
    ) async throws -> [SQLRow] {
        let (sql, values) = Flows.waiting(states, resource.id.raw, after: after, limit: limit)
        return try await kernel.databases.records.read { db in try db.rows(sql, values) }
    }

    static func waiting(
        _ states: [String],
        _ resource: Int64,
        after: (due: Int64, record: Int64)?,
        limit: Int
    ) -> (sql: String, values: [SQLValue]) {
        let part =
            "SELECT * FROM (SELECT record, state, due, changed_at, warn_at FROM flow_records WHERE resource = ? AND state = ? AND (due, record) > (?, ?) ORDER BY due, record LIMIT \(limit)) p"
        let place: [SQLValue] = [.integer(after?.due ?? .min), .integer(after?.record ?? .min)]
        return (
            "SELECT * FROM (\(states.map { _ in part }.joined(separator: " UNION ALL "))) w ORDER BY due, record LIMIT \(limit)",
            states.flatMap { [.integer(resource), .text($0)] + place }
        )
    }

    /// What somebody's roles were told of, though the step is another's.
    private func told(_ resource: Resource, _ caller: Caller, limit: Int) async throws -> [SQLRow] {
        let roles = caller.principal?.roles.map(\.rawValue).sorted() ?? []
        let since = kernel.clock.now() - Self.toldOfWhatIsOver
        let rows = try await kernel.databases.records.read { db in
            try roles.flatMap { role in
                try db.rows(
                    """
                    SELECT r.record, r.state, r.due, r.changed_at, r.warn_at FROM flow_notices n JOIN flow_records r ON r.resource = n.resource
                    AND r.record = n.record WHERE n.resource = ? AND n.role = ? AND (r.is_open = 1 OR n.at > ?) ORDER BY n.at DESC LIMIT \(limit)
                    """,
                    [.integer(resource.id.raw), .text(role), .integer(since)]
                )
            }
        }
        var seen: Set<Int64> = []
        return rows.filter { seen.insert($0.integer(0)).inserted }
    }

    /// Records with their names, which come through the gate: rows out of reach are not told of.
    private func named(_ rows: [SQLRow], _ place: SystemPlace, _ caller: Caller) async throws -> [FlowTask] {
        guard !rows.isEmpty else { return [] }
        var query = RecordQuery(place.code, limit: rows.count)
        query.condition = .isIn(.property("_id"), rows.map { .literal(.integer($0.integer(0))) })
        let titles = place.declaration.nameFields
        query.fields = ["_id"] + titles
        let page: RecordPage
        do { page = try await kernel.gate.perform(reading.read, query, as: caller) } catch let problem as Problem
            where problem.status == 403
        {
            // Somebody may act on what they may not read: nothing is told of it. Every other trouble is told.
            return []
        }
        var names: [Int64: String] = [:]
        for row in 0..<page.batch.count {
            guard case .integer(let id) = page.batch.value(row, 0) else { continue }
            names[id] = titles.indices.map { page.batch.value(row, $0 + 1).text }.filter { !$0.isEmpty }
                .joined(separator: " · ")
        }
        return rows.compactMap { row in
            guard let name = names[row.integer(0)] else { return nil }
            return FlowTask(
                place: place,
                record: row.integer(0),
                name: name.isEmpty ? "#\(row.integer(0))" : name,
                standing: Standing(state: row.text(1), due: row.integer(2), warnAt: row.integer(4)),
                since: row.integer(3)
            )
        }
    }
}
