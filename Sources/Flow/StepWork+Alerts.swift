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
        let texts = alerts.flatMap(\.conditions)
        let own = values.filter { resource.schema.index($0.key) != nil }
        let row =
            texts.isEmpty
            ? Batch(fields: [], columns: [], count: 0)
            : try asked.row(for: texts, of: id, own, flows.lake, db)
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
                if holds(when, row) {
                    guard !isPast || alert.looksUp(declared) else { continue }
                    if try AlertStore.raise(alert.key, resource.id.raw, id, at: moment, db) { made += 1 }
                } else if alert.until.isEmpty || holds(alert.until, row) {
                    try AlertStore.end(alert.key, resource.id.raw, id, at: moment, db)
                }
            }
        }
        return made
    }

    /// Whether a rule's condition holds for a record; one that no longer fits its fields does not.
    private func holds(_ text: String, _ row: Batch) -> Bool {
        guard let bound = try? BoundExpression(text: RuleText(text).text, fields: row.fields) else { return false }
        return bound.evaluate(row).first == .yes
    }
}
