import Basics
import CQL
import Kernel
import Lake
import Store
import Tabular

extension StepWork {
    /// Makes and ends alerts of a record that a step changed, in the step's transaction; how many were made.
    func tell(_ id: Int64, _ values: [String: String], _ db: any SQLWriting) throws -> Int {
        let alerts = place.system.declaration.alerts.filter { $0.resource == place.declaration.key }
        guard !alerts.isEmpty else { return 0 }
        // A step that is taken in the past, in a demonstration, tells of nothing: what holds still is found when all steps are taken.
        let isPast = Flows.moment != nil
        let moment = isPast ? flows.kernel.clock.now() : now
        if isPast { try AlertStore.forgetSweeps(resource.id.raw, db) }
        let clocks = try FlowStore.clocks(resource.id.raw, id, db)
        // Read as a row only where a condition asks for it.
        let asks = alerts.contains { if case .condition = $0.cause { true } else { false } }
        let row =
            asks
            ? try Lake.checked(values.filter { resource.schema.index($0.key) != nil }, resource.schema.loose)
            : Batch(fields: [], columns: [], count: 0)
        var made = 0
        for alert in alerts {
            switch alert.cause {
            case .clock(let key, let when):
                if AlertStore.holds(key, when, clocks, at: moment) {
                    guard !isPast else { continue }
                    if try AlertStore.raise(alert.key, resource.id.raw, id, at: moment, db) { made += 1 }
                } else {
                    try AlertStore.end(alert.key, resource.id.raw, id, at: moment, db)
                }
            case .condition(let when):
                if try holds(when, row) {
                    guard !isPast else { continue }
                    if try AlertStore.raise(alert.key, resource.id.raw, id, at: moment, db) { made += 1 }
                } else if try alert.until.isEmpty || holds(alert.until, row) {
                    try AlertStore.end(alert.key, resource.id.raw, id, at: moment, db)
                }
            }
        }
        return made
    }

    /// Whether a rule's condition holds for a record; one that no longer fits its fields does not.
    private func holds(_ text: String, _ row: Batch) throws -> Bool {
        let day = CivilTime.chinaDay(microseconds: flows.kernel.clock.now())
        guard let condition = try RuleText(text).condition(today: day, setting: place.system.setting),
            let bound = try? BoundExpression(predicate: condition, fields: row.fields)
        else { return false }
        return bound.evaluate(row).first == .yes
    }
}
