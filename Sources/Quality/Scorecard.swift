public import Basics
public import Check
public import Kernel
public import Lake
public import Store

/// A load's marks in the six dimensions, with what cost how much.
public struct Scorecard: Sendable {
    /// What a rule cost, and how to gain it back.
    public struct Loss: Sendable {
        public var rule: String
        public var field: String
        public var severity: String
        public var count: Int64
        public var points: Double
    }

    public var load: Int64
    public var at: Int64
    public var rows: Int64
    public var marks: [QualityDimension: Double]
    public var total: Double
    public var losses: [Loss]

    /// The weights of the dimensions; settings with these defaults (the standard leaves them to the user).
    public static let weights: [QualityDimension: Double] = [
        .normativity: 0.2, .completeness: 0.2, .accuracy: 0.2, .consistency: 0.2, .timeliness: 0.1, .accessibility: 0.1,
    ]

    /// Which dimension a rule of the report belongs to.
    static func dimension(_ rule: String) -> QualityDimension {
        switch rule {
        case "required": .completeness
        case "unique", "key", "reference": .consistency
        case "type", "length", "pattern", "codes", "normalised": .normativity
        default: rule.hasPrefix("row.") ? .normativity : .accuracy
        }
    }

    /// Computes the marks of a load.
    ///
    /// A dimension's mark is 100 × (1 − weighted findings ÷ rows), errors weighing 1 and warnings 0.3; completeness also takes the mean
    /// share of filled cells. Timeliness is full at the moment of loading and falls later (``atAge(days:promised:)``).
    public init(_ event: LoadedEvent) {
        let report = event.report["report"] ?? .null
        let rows = max(1, report["rows"]?.integer ?? (event.good + event.bad))
        var losses: [Loss] = []
        var lost: [QualityDimension: Double] = [:]
        for item in report["by_rule"]?.array ?? [] {
            let severity = item["severity"]?.string ?? "error"
            guard severity != "information" else { continue }
            let count = item["count"]?.integer ?? 0
            let share = Double(count) / Double(rows) * (severity == "error" ? 1 : 0.3)
            let dimension = Scorecard.dimension(item["rule"]?.string ?? "")
            lost[dimension, default: 0] += share
            let points = min(1, share) * 100 * (Scorecard.weights[dimension] ?? 0)
            losses.append(
                Loss(
                    rule: item["rule"]?.string ?? "",
                    field: item["field"]?.string ?? "",
                    severity: severity,
                    count: count,
                    points: points
                )
            )
        }
        let filled = (event.report["filled"]?.members ?? []).compactMap { $0.value.integer }
        let fill = filled.isEmpty ? 1 : filled.reduce(0) { $0 + Double($1) / Double(rows) } / Double(filled.count)
        var marks: [QualityDimension: Double] = [:]
        for dimension in QualityDimension.allCases { marks[dimension] = 100 * max(0, 1 - (lost[dimension] ?? 0)) }
        marks[.completeness] = 100 * max(0, min(1, fill) * (1 - min(1, lost[.completeness] ?? 0)))
        marks[.accessibility] = event.good > 0 ? 100 : 0
        load = event.load
        at = event.at
        self.rows = event.rows
        self.marks = marks
        total = Scorecard.total(marks)
        self.losses = losses.sorted { $0.points > $1.points }
    }

    static func total(_ marks: [QualityDimension: Double]) -> Double {
        QualityDimension.allCases.reduce(0) { $0 + (marks[$1] ?? 0) * (weights[$1] ?? 0) }
    }

    /// The scorecard some days later: timeliness falls from full at the promised period to nothing at three times it.
    public func atAge(days: Int, promised: Int?) -> Scorecard {
        guard let promised, days > promised else { return self }
        var aged = self
        aged.marks[.timeliness] = max(0, 100 * (1 - Double(days - promised) / Double(2 * promised)))
        aged.total = Scorecard.total(aged.marks)
        return aged
    }

    /// The scorecard as JSON.
    public var json: JSONValue {
        .object([
            .init("load", .integer(load)), .init("at", .string(CivilTime.timestamp(at))), .init("rows", .integer(rows)),
            .init("total", .real((total * 10).rounded() / 10)),
            .init(
                "marks",
                .object(
                    QualityDimension.allCases.map { .init($0.rawValue, .real(((marks[$0] ?? 0) * 10).rounded() / 10)) }
                )
            ),
            .init(
                "losses",
                .array(
                    losses.map {
                        .object([
                            .init("rule", .string($0.rule)), .init("field", .string($0.field)),
                            .init("severity", .string($0.severity)),
                            .init("count", .integer($0.count)),
                            .init("points", .real(($0.points * 1000).rounded() / 1000)),
                        ])
                    }
                )
            ),
        ])
    }

    init(load: Int64, at: Int64, rows: Int64, _ json: JSONValue) {
        self.load = load
        self.at = at
        self.rows = rows
        var marks: [QualityDimension: Double] = [:]
        for dimension in QualityDimension.allCases { marks[dimension] = json["marks"]?[dimension.rawValue]?.real ?? 0 }
        self.marks = marks
        total = json["total"]?.real ?? 0
        losses = (json["losses"]?.array ?? []).map {
            Loss(
                rule: $0["rule"]?.string ?? "",
                field: $0["field"]?.string ?? "",
                severity: $0["severity"]?.string ?? "",
                count: $0["count"]?.integer ?? 0,
                points: $0["points"]?.real ?? 0
            )
        }
    }
}

/// Scorecards with history.
public final class QualityStore: Sendable {
    let kernel: Kernel

    public static let migrations = [
        Migration(
            "quality/001-scorecards",
            [
                "CREATE TABLE scorecards (resource BIGINT NOT NULL, load BIGINT NOT NULL, at BIGINT NOT NULL, rows BIGINT NOT NULL, total REAL NOT NULL, card TEXT NOT NULL, PRIMARY KEY (resource, load))"
            ]
        ),
        // What department pages ask for, kept as loads come: the latest card of each resource, the mean of each month.
        Migration(
            "quality/002-departments",
            [
                "CREATE TABLE quality_current (resource BIGINT PRIMARY KEY, owner BIGINT NOT NULL, load BIGINT NOT NULL, total REAL NOT NULL)",
                "CREATE INDEX quality_current_owner ON quality_current (owner, total)",
                "CREATE TABLE quality_months (owner BIGINT NOT NULL, month TEXT NOT NULL, total REAL NOT NULL, loads BIGINT NOT NULL, PRIMARY KEY (owner, month))",
            ],
            // PostgreSQL came later: there is nothing to take over.
            sqlite: [
                """
                INSERT INTO quality_current SELECT s.resource, r.owner, s.load, s.total FROM scorecards s JOIN resources r ON r.id = s.resource
                WHERE s.load = (SELECT max(load) FROM scorecards l WHERE l.resource = s.resource)
                """,
                """
                INSERT INTO quality_months SELECT r.owner, strftime('%Y-%m', (s.at + 28800000000) / 1000000, 'unixepoch') AS month,
                sum(s.total), count(*) FROM scorecards s JOIN resources r ON r.id = s.resource GROUP BY 1, 2
                """,
            ]
        ),
    ]

    public init(kernel: Kernel) { self.kernel = kernel }

    /// Keeps the scorecard of a load; once, however often the event comes.
    public func take(_ event: LoadedEvent) async throws -> Scorecard {
        let card = Scorecard(event)
        let values: [SQLValue] = [
            .integer(event.resource.raw), .integer(event.load), .integer(event.at), .integer(event.rows),
            .real(card.total), .text(card.json.text),
        ]
        let month = String(CivilTime.timestamp(event.at).prefix(7))
        try await kernel.databases.control.write { db in
            let added = try db.execute(
                "INSERT INTO scorecards (resource, load, at, rows, total, card) VALUES (?,?,?,?,?,?) ON CONFLICT (resource, load) DO NOTHING",
                values
            )
            guard added == 1,
                let owner = try db.row("SELECT owner FROM resources WHERE id = ?", [.integer(event.resource.raw)])
            else { return }
            try db.execute(
                "INSERT INTO quality_current (resource, owner, load, total) VALUES (?,?,?,?) ON CONFLICT (resource) DO UPDATE SET load = excluded.load, total = excluded.total WHERE excluded.load >= quality_current.load",
                [values[0], owner.values[0], values[1], values[4]]
            )
            try db.execute(
                "INSERT INTO quality_months (owner, month, total, loads) VALUES (?,?,?,1) ON CONFLICT (owner, month) DO UPDATE SET total = quality_months.total + excluded.total, loads = quality_months.loads + 1",
                [owner.values[0], .text(month), values[4]]
            )
        }
        return card
    }

    static let showDescriptor = ActionDescriptor(
        "quality.show",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "查看质量",
        en: "show quality"
    )

    public static let descriptors = [showDescriptor, departmentDescriptor]

    /// The latest scorecards of a resource, newest first.
    public var show: Action<(code: String, limit: Int), [Scorecard]> {
        Action(Self.showDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [kernel] input, decision in
            guard let resource = decision.resource else { return [] }
            return try await kernel.databases.control.glance { db in
                try db.rows(
                    "SELECT load, at, rows, card FROM scorecards WHERE resource = ? ORDER BY load DESC LIMIT \(max(1, min(input.limit, 100)))",
                    [.integer(resource.id.raw)]
                ).map {
                    Scorecard(
                        load: $0.integer(0),
                        at: $0.integer(1),
                        rows: $0.integer(2),
                        try JSONValue(text: $0.text(3))
                    )
                }
            }
        }
    }
}
