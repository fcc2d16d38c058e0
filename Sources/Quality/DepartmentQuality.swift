public import Basics
public import Kernel
import Store

/// Whose fault a loss of marks is.
public enum QualityFault: String, Sendable, CaseIterable {
    /// Values as they were made: missing, wrong, repeated.
    case producer
    /// Columns that do not fit the schema: nearly every row has the fault.
    case mapping
    /// Loads and readings that failed.
    case platform

    public var title: LocalizedText {
        switch self {
        case .producer: .init("生产方", "producer")
        case .mapping: .init("映射", "mapping")
        case .platform: .init("平台", "platform")
        }
    }

    /// The share of rows from which a fault of a column is the mapping's.
    static let mappingShare = 0.9

    /// Whose fault a finding is: one that nearly every row has comes from how columns were matched, as does a row of the wrong shape.
    static func of(_ loss: Scorecard.Loss, rows: Int64) -> QualityFault {
        let isShape = loss.rule.hasPrefix("row.") && loss.rule != "row.footer"
        let share = Double(loss.count) / Double(max(1, rows))
        return isShape || ["type", "required", "codes"].contains(loss.rule) && share >= mappingShare
            ? .mapping : .producer
    }
}

/// A department's quality: its mean over time, what costs marks, and what would gain most.
public struct DepartmentQuality: Sendable {
    /// What one finding costs a resource.
    public struct Gain: Sendable {
        public var code: String
        public var name: String
        public var rule: String
        public var field: String
        public var count: Int64
        /// Marks of the resource that correcting it would bring.
        public var points: Double
        public var fault: QualityFault
    }

    /// The mean of a month's loads, `2026-11`.
    public struct Month: Sendable {
        public var month: String
        public var mean: Double
        public var loads: Int64
    }

    public var history: [Month]
    /// What correcting would gain most, the greatest first.
    public var gains: [Gain]
    /// Marks lost by each kind of fault, summed over the fifty resources with the lowest marks.
    public var lost: [QualityFault: Double]
    /// Failed jobs of the last 90 days.
    public var failures: [(code: String, problem: String, count: Int64)]
}

extension QualityStore {
    static let departmentDescriptor = ActionDescriptor(
        "quality.department",
        .catalogueRead,
        .view,
        zh: "部门质量",
        en: "a department's quality"
    )

    /// The quality of an organisation's resources.
    public var department: Action<OrganisationID, DepartmentQuality> {
        Action(Self.departmentDescriptor) { [kernel] id, decision in
            if let owners = kernel.gate.ownersReached(by: decision.caller, with: .catalogueRead), !owners.contains(id) {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "没有查看该部门质量的权限。",
                    en: "You may not look at this department's quality."
                )
            }
            let since = kernel.clock.now() - 90 * CivilTime.microsecondsPerDay
            let value: SQLValue = .integer(id.raw)
            return try await kernel.databases.control.read { db in
                let history = try db.rows(
                    "SELECT month, total / loads, loads FROM quality_months WHERE owner = ? ORDER BY month DESC LIMIT 24",
                    [value]
                ).map { DepartmentQuality.Month(month: $0.text(0), mean: $0.real(1), loads: $0.integer(2)) }
                // The worst fifty tell where marks lie; the rest are better.
                let cards = try db.rows(
                    """
                    SELECT r.code, r.name, s.load, s.at, s.rows, s.card FROM quality_current c JOIN resources r ON r.id = c.resource
                    JOIN scorecards s ON s.resource = c.resource AND s.load = c.load WHERE c.owner = ? ORDER BY c.total LIMIT 50
                    """,
                    [value]
                )
                var gains: [DepartmentQuality.Gain] = []
                var lost: [QualityFault: Double] = [:]
                for row in cards {
                    let card = Scorecard(
                        load: row.integer(2),
                        at: row.integer(3),
                        rows: row.integer(4),
                        try JSONValue(text: row.text(5))
                    )
                    for loss in card.losses {
                        let fault = QualityFault.of(loss, rows: card.rows + loss.count)
                        lost[fault, default: 0] += loss.points
                        gains.append(
                            .init(
                                code: row.text(0),
                                name: row.text(1),
                                rule: loss.rule,
                                field: loss.field,
                                count: loss.count,
                                points: loss.points,
                                fault: fault
                            )
                        )
                    }
                }
                let failures = try db.rows(
                    """
                    SELECT j.resource, coalesce(\(db.dialect.member("code", of: "j.result")), ''), count(*) FROM jobs j
                    \(db.dialect.joinInOrder) resources r ON r.code = j.resource WHERE j.state = 'failed' AND j.created_at > ? AND r.owner = ?
                    GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50
                    """,
                    [.integer(since), value]
                ).map { (code: $0.text(0), problem: $0.text(1), count: $0.integer(2)) }
                return DepartmentQuality(
                    history: history.reversed(),
                    gains: Array(gains.sorted { $0.points > $1.points }.prefix(30)),
                    lost: lost,
                    failures: failures
                )
            }
        }
    }
}
