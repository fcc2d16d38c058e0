import Basics
import CQL
import Kernel
import Lake
import Store
import Tabular

/// What an alert's sweep found: told of and ended in one transaction with how far it came.
struct AlertFindings: Sendable {
    var code: String
    var alert: AlertDeclaration
    var raise: [Int64] = []
    var end: [Int64] = []
    /// Told again: ended and made anew.
    var again: [Int64] = []
    var sweep: AlertStore.Sweep?

    var isEmpty: Bool { raise.isEmpty && end.isEmpty && again.isEmpty }
}

extension Flows {
    static let watchDescriptor = ActionDescriptor(
        "flow.watch",
        .flowAct,
        .write,
        zh: "产生预警",
        en: "make and end alerts"
    )

    /// Keeps what a sweep found, as the node.
    private var watch: Action<AlertFindings, Void> {
        Action(Self.watchDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [kernel] found, decision in
            guard let resource = decision.resource?.id.raw else { return }
            let now = kernel.clock.now()
            let made = try await kernel.databases.records.write { db in
                var made = 0
                for record in found.raise {
                    if case .clock(let key, let moment) = found.alert.cause {
                        // A step may have stopped it since it was found.
                        let running = try FlowStore.clocks(resource, record, db)
                        guard AlertStore.holds(key, moment, running, at: now) else { continue }
                    }
                    if try AlertStore.raise(found.alert.key, resource, record, at: now, db) { made += 1 }
                }
                for record in found.end { try AlertStore.end(found.alert.key, resource, record, at: now, db) }
                for record in found.again where try AlertStore.end(found.alert.key, resource, record, at: now, db) {
                    try AlertStore.raise(found.alert.key, resource, record, at: now, db)
                }
                if let sweep = found.sweep { try AlertStore.save(sweep, resource, found.alert.key, db) }
                return made
            }
            decision.note("alert", found.alert.key)
            decision.note("raised", String(made))
            decision.note("ended", String(found.end.count))
        }
    }

    /// A transaction of another process may still be under way with a clock that it started this long ago.
    private static let margin: Int64 = 60_000_000

    /// Looks for alerts that time alone made or ended: clocks that passed a moment, conditions of the day.
    func keepUpAlerts(_ caller: Caller) async throws {
        let sweeps = try await kernel.databases.records.read { try AlertStore.sweeps($0) }
        for system in try await systems.all() {
            for alert in system.declaration.alerts {
                guard let code = system.codes[alert.resource],
                    let declared = system.declaration.resource(alert.resource)
                else { continue }
                // One alert's trouble is not the next one's; a database that is away ends the sweep.
                do {
                    let resource = try await kernel.resource(code)
                    let place = SystemPlace(system: system, declaration: declared, code: code)
                    let sweep = sweeps["\(resource.id.raw) \(alert.key)"] ?? AlertStore.Sweep()
                    switch alert.cause {
                    case .clock(let key, let moment):
                        try await sweepClocks(key, moment, alert, resource, sweep, caller)
                    case .condition(let when) where !alert.looksUp(declared):
                        try await sweepRecords(when, alert, place, resource, sweep, caller)
                    case .condition: break
                    }
                    if let days = alert.again { try await tellAgain(alert, days, resource, caller) }
                } catch let problem as Problem {
                    if problem.code.hasPrefix("store.") { throw problem }
                }
            }
        }
    }

    private func sweepClocks(
        _ key: String,
        _ moment: AlertDeclaration.Moment,
        _ alert: AlertDeclaration,
        _ resource: Resource,
        _ from: AlertStore.Sweep,
        _ caller: Caller
    ) async throws {
        let now = kernel.clock.now()
        var sweep = from
        while true {
            let place = sweep
            let found = try await kernel.databases.records.read { db in
                try AlertStore.passed(alert.key, key, moment, resource.id.raw, after: place, upTo: now, db)
            }
            let isWhole = found.count == 200
            if let last = found.last, isWhole {
                sweep = AlertStore.Sweep(upto: last.at, place: last.record)
            } else {
                sweep = AlertStore.Sweep(upto: now - Self.margin, place: .max)
            }
            if !found.isEmpty {
                try await kernel.gate.perform(
                    watch,
                    AlertFindings(code: resource.code, alert: alert, raise: found.map(\.record), sweep: sweep),
                    as: caller
                )
            } else if sweep.upto - from.upto > 3_600_000_000 {
                // How far it came is written down now and then: until then the same empty range is looked at.
                let kept = sweep
                try await kernel.databases.records.write { db in
                    try AlertStore.save(kept, resource.id.raw, alert.key, db)
                }
            }
            guard isWhole else { return }
        }
    }

    /// Asks a condition of every record where its day, its settings or its text are others than when it was asked last. Between, steps tell.
    private func sweepRecords(
        _ when: String,
        _ alert: AlertDeclaration,
        _ place: SystemPlace,
        _ resource: Resource,
        _ from: AlertStore.Sweep,
        _ caller: Caller
    ) async throws {
        let today = CivilTime.chinaDay(microseconds: kernel.clock.now())
        func settled(_ text: String) -> String {
            RuleText(text).settled(of: resource.schema, today: today, setting: place.system.setting)
        }
        let rule = settled(when) + "\n" + settled(alert.until)
        var sweep = from
        if sweep.rule != rule {
            try await endOld(when, alert, place, resource, today, caller)
            sweep = AlertStore.Sweep(rule: rule)
        }
        guard sweep.upto == 0,
            let condition = try RuleText(when).condition(
                of: resource.schema,
                today: today,
                setting: place.system.setting
            )
        else { return }
        while sweep.upto == 0 {
            let after = sweep.place
            let (ids, told, last) = try await kernel.databases.records.read { db in
                let rows = try self.lake.rows(of: resource, fitting: [condition], after: after, limit: 500, db)
                return (rows.ids, try Self.told(alert.key, resource.id.raw, rows.ids, db), rows.last)
            }
            if let last { sweep.place = last } else { sweep.upto = 1 }
            let new = ids.filter { !told.contains($0) }
            if !new.isEmpty {
                try await kernel.gate.perform(
                    watch,
                    AlertFindings(code: resource.code, alert: alert, raise: new, sweep: sweep),
                    as: caller
                )
            } else {
                let kept = sweep
                try await kernel.databases.records.write { db in
                    try AlertStore.save(kept, resource.id.raw, alert.key, db)
                }
            }
        }
    }

    /// Those of some records of which an alert tells already.
    private static func told(
        _ alert: String,
        _ resource: Int64,
        _ records: [Int64],
        _ db: any SQLReading
    ) throws
        -> Set<Int64>
    {
        guard !records.isEmpty else { return [] }
        let marks = Array(repeating: "?", count: records.count).joined(separator: ",")
        return Set(
            try db.rows(
                "SELECT record FROM flow_alerts WHERE resource = ? AND alert = ? AND state <> 'ended' AND record IN (\(marks))",
                [.integer(resource), .text(alert)] + records.map { .integer($0) }
            ).map { $0.integer(0) }
        )
    }

    /// Ends the alerts whose condition no longer holds, or whose end has come.
    private func endOld(
        _ when: String,
        _ alert: AlertDeclaration,
        _ place: SystemPlace,
        _ resource: Resource,
        _ today: Int32,
        _ caller: Caller
    ) async throws {
        let text = alert.until.isEmpty ? when : alert.until
        guard
            let condition = try RuleText(text).condition(
                of: resource.schema,
                today: today,
                setting: place.system.setting
            )
        else { return }
        for state in ["open", "acknowledged"] {
            var after: Int64 = 0
            while true {
                let start = after
                let (told, fitting) = try await kernel.databases.records.read {
                    db -> ([(id: Int64, record: Int64, at: Int64)], Set<Int64>) in
                    let told = try AlertStore.told(
                        alert.key,
                        resource.id.raw,
                        state: state,
                        after: start,
                        limit: 500,
                        db
                    )
                    guard !told.isEmpty else { return (told, Set<Int64>()) }
                    let among = CQL.Expression.isIn(.property("_id"), told.map { .literal(.integer($0.record)) })
                    let rows = try self.lake.rows(of: resource, fitting: [condition, among], limit: 501, db)
                    return (told, Set(rows.ids))
                }
                let ended = told.map(\.record).filter { fitting.contains($0) != alert.until.isEmpty }
                if !ended.isEmpty {
                    try await kernel.gate.perform(
                        watch,
                        AlertFindings(code: resource.code, alert: alert, end: ended),
                        as: caller
                    )
                }
                guard told.count == 500, let last = told.last else { break }
                after = last.id
            }
        }
    }

    /// Tells again of what holds since so many days.
    private func tellAgain(_ alert: AlertDeclaration, _ days: Int, _ resource: Resource, _ caller: Caller) async throws
    {
        let limit = kernel.clock.now() - Int64(days) * CivilTime.microsecondsPerDay
        for state in ["open", "acknowledged"] {
            while true {
                // Alerts come in the order in which they were made: where the first is young, all are.
                let old = try await kernel.databases.records.read { db in
                    try AlertStore.told(alert.key, resource.id.raw, state: state, after: 0, limit: 200, db)
                }.prefix { $0.at <= limit }
                guard !old.isEmpty else { break }
                try await kernel.gate.perform(
                    watch,
                    AlertFindings(code: resource.code, alert: alert, again: old.map(\.record)),
                    as: caller
                )
            }
        }
    }
}
