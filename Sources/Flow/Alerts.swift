import Basics
import CQL
public import Kernel
import Lake
import Store
import Tabular

/// What somebody asks of alerts.
public struct AlertQuery: Sendable {
    public enum State: String, Sendable, CaseIterable { case open, acknowledged, ended }

    public var state: State
    /// 1 to 4; nil for all.
    public var level: Int?
    /// The resource's code and a record's number: the alerts of that record, whatever their state.
    public var record: (code: String, record: Int64)?
    /// The number of the alert that the page before ended with.
    public var before: Int64?
    public var limit: Int

    public init(
        state: State = .open,
        level: Int? = nil,
        record: (code: String, record: Int64)? = nil,
        before: Int64? = nil,
        limit: Int = 50
    ) {
        self.state = state
        self.level = level
        self.record = record
        self.before = before
        self.limit = max(1, min(limit, 200))
    }
}

/// An alert as those see it whom it is for.
public struct RaisedAlert: Sendable {
    public var id: Int64
    public var place: SystemPlace
    public var alert: AlertDeclaration
    public var record: Int64
    /// What the record is called, as the reader may see it.
    public var name: String
    public var state: AlertQuery.State
    /// Microseconds.
    public var raisedAt: Int64
    public var acknowledgedAt: Int64?
    public var acknowledgedBy: String
    public var note: String
    public var endedAt: Int64?
}

/// Alerts, the newest first, and where the next page begins.
public struct AlertPage: Sendable {
    public var alerts: [RaisedAlert]
    public var next: Int64?
}

extension Flows {
    static let alertsDescriptor = ActionDescriptor("flow.alerts", .sessionOwn, .view, zh: "预警", en: "alerts")
    static let acknowledgeDescriptor = ActionDescriptor(
        "flow.acknowledge",
        .dataRead,
        .write,
        zh: "处置预警",
        en: "acknowledge an alert"
    )

    static func isFor(_ alert: AlertDeclaration, _ principal: Principal) -> Bool {
        alert.to.contains { name in principal.roles.contains { $0.rawValue == name } }
    }

    /// Whether any system has alerts for somebody: for showing menus. Nothing is read for it.
    public func hasAlerts(for caller: Caller) -> Bool {
        guard let principal = caller.principal else { return false }
        return principal.roles.contains { systems.alerted.contains($0.rawValue) }
    }

    /// The alerts that are for somebody, of records that they may read.
    public var alerts: Action<AlertQuery, AlertPage> {
        Action(Self.alertsDescriptor) { [self] query, decision in
            guard let principal = decision.caller.principal else { return AlertPage(alerts: [], next: nil) }
            var rows: [(row: SQLRow, place: SystemPlace, alert: AlertDeclaration)] = []
            for system in try await systems.all() {
                for alert in system.declaration.alerts where Self.isFor(alert, principal) {
                    guard query.level.map({ $0 == alert.level }) ?? true, let code = system.codes[alert.resource],
                        let declared = system.declaration.resource(alert.resource),
                        query.record.map({ $0.code == code }) ?? true
                    else { continue }
                    let resource = try await kernel.resource(code)
                    guard kernel.gate.admits(Self.showDescriptor, resource, decision.caller) else { continue }
                    let place = SystemPlace(system: system, declaration: declared, code: code)
                    rows += try await found(query, alert.key, resource.id.raw).map {
                        (row: $0, place: place, alert: alert)
                    }
                }
            }
            rows.sort { $0.row.integer(0) > $1.row.integer(0) }
            let page = rows.prefix(query.limit)
            return AlertPage(
                alerts: try await shown(Array(page), decision.caller),
                next: rows.count > query.limit ? page.last?.row.integer(0) : nil
            )
        }
    }

    private func found(_ query: AlertQuery, _ alert: String, _ resource: Int64) async throws -> [SQLRow] {
        let columns =
            "id, record, state, raised_at, acknowledged_at, acknowledged_by, note, ended_at FROM flow_alerts WHERE resource = ? AND"
        let before = SQLValue.integer(query.before ?? .max)
        return try await kernel.databases.records.read { db in
            if let record = query.record {
                return try db.rows(
                    "SELECT \(columns) record = ? AND alert = ? AND id < ? ORDER BY id DESC LIMIT \(query.limit + 1)",
                    [.integer(resource), .integer(record.record), .text(alert), before]
                )
            }
            return try db.rows(
                "SELECT \(columns) alert = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT \(query.limit + 1)",
                [.integer(resource), .text(alert), .text(query.state.rawValue), before]
            )
        }
    }

    /// Names come through the gate: records out of reach are not told of.
    private func shown(
        _ rows: [(row: SQLRow, place: SystemPlace, alert: AlertDeclaration)],
        _ caller: Caller
    ) async throws -> [RaisedAlert] {
        var names: [String: [Int64: String]] = [:]
        for (code, group) in Dictionary(grouping: rows, by: { $0.place.code }) {
            names[code] = try await self.names(of: group.map { $0.row.integer(1) }, group[0].place, caller)
        }
        var people: [Int64: String] = [:]
        for id in Set(rows.compactMap { $0.row.optionalInteger(5) }) {
            people[id] = try await kernel.accounts.find(PrincipalID(id))?.name
        }
        // Notes are written freely: who sees some fields only, or masked, does not see them.
        var whole: Set<String> = []
        for code in names.keys {
            let resource = try await kernel.resource(code)
            let open = kernel.gate.unmaskedFields(reading.read.descriptor, resource, caller, anyRows: true)
            if resource.schema.fields.allSatisfy({ open.contains($0.name) }) { whole.insert(code) }
        }
        let readable = whole
        return rows.compactMap { row, place, alert -> RaisedAlert? in
            guard let name = names[place.code]?[row.integer(1)] else { return nil }
            return RaisedAlert(
                id: row.integer(0),
                place: place,
                alert: alert,
                record: row.integer(1),
                name: name.isEmpty ? "#\(row.integer(1))" : name,
                state: AlertQuery.State(rawValue: row.text(2)) ?? .ended,
                raisedAt: row.integer(3),
                acknowledgedAt: row.optionalInteger(4),
                acknowledgedBy: row.optionalInteger(5).flatMap { people[$0] } ?? "",
                note: readable.contains(place.code) ? row.text(6) : "",
                endedAt: row.optionalInteger(7)
            )
        }
    }

    /// What records are called, as somebody sees them; those out of reach are left out.
    func names(of records: [Int64], _ place: SystemPlace, _ caller: Caller) async throws -> [Int64: String] {
        var query = RecordQuery(place.code, limit: max(1, records.count))
        query.condition = .isIn(.property("_id"), Set(records).sorted().map { .literal(.integer($0)) })
        let title = place.declaration.titleField
        query.fields = ["_id"] + [title].compactMap(\.self)
        let page: RecordPage
        do {
            page = try await kernel.gate.perform(reading.read, query, as: caller)
        } catch let problem as Problem where problem.code == "query.field" {
            // What names a record may not be seen.
            query.fields = ["_id"]
            page = try await kernel.gate.perform(reading.read, query, as: caller)
        }
        return Dictionary(
            (0..<page.batch.count).map { row in
                (page.ids[row], page.batch.columns.count > 1 ? page.batch.value(row, 1).text : "")
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// Says that somebody knows of an alert, with what they say to it.
    public var acknowledge: Action<(code: String, id: Int64, note: String), Void> {
        Action(Self.acknowledgeDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal,
                let place = try await systems.place(code: resource.code)
            else { throw Problem.notFound(.init("预警", "the alert")) }
            let note = String(TextForms.visible(input.note).prefix(2000))
            guard !TextForms.isBlank(note) else {
                throw Problem("flow.note", status: 422, zh: "请填写意见。", en: "Write a note.")
            }
            let row = try await kernel.databases.records.read { db in
                try db.row(
                    "SELECT record, alert FROM flow_alerts WHERE id = ? AND resource = ?",
                    [.integer(input.id), .integer(resource.id.raw)]
                )
            }
            guard let row,
                let alert = place.system.declaration.alerts.first(where: {
                    $0.resource == place.declaration.key && $0.key == row.text(1)
                }), Self.isFor(alert, principal),
                try await names(of: [row.integer(0)], place, decision.caller)[row.integer(0)] != nil
            else { throw Problem.notFound(.init("预警", "the alert")) }
            decision.note("record", row.text(0))
            decision.note("alert", row.text(1))
            let now = kernel.clock.now()
            let changed = try await kernel.databases.records.write { db in
                try db.execute(
                    "UPDATE flow_alerts SET state = 'acknowledged', acknowledged_at = ?, acknowledged_by = ?, note = ? WHERE id = ? AND resource = ? AND state = 'open'",
                    [
                        .integer(now), .integer(principal.id.raw), .text(note), .integer(input.id),
                        .integer(resource.id.raw),
                    ]
                )
            }
            guard changed == 1 else {
                throw Problem(
                    "flow.moved",
                    status: 409,
                    zh: "预警已处置或已解除。",
                    en: "The alert was acknowledged or has ended.",
                    hint: .init("请刷新后查看。", "Look again.")
                )
            }
        }
    }
}
