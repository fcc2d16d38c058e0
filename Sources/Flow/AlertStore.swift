import Basics
import Store

/// Alerts as they are kept beside the records.
enum AlertStore {
    static let migration = Migration(
        "flow/002-alerts",
        [
            """
            CREATE TABLE flow_alerts (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, record BIGINT NOT NULL, alert TEXT NOT NULL,
            state TEXT NOT NULL, raised_at BIGINT NOT NULL, acknowledged_at BIGINT, acknowledged_by BIGINT, note TEXT NOT NULL,
            ended_at BIGINT)
            """,
            // Of one cause there is one alert, whoever finds it at once with others.
            "CREATE UNIQUE INDEX flow_alerts_once ON flow_alerts (resource, record, alert) WHERE state <> 'ended'",
            "CREATE INDEX flow_alerts_list ON flow_alerts (resource, alert, state, id)",
            "CREATE INDEX flow_alerts_record ON flow_alerts (resource, record, id)",
            """
            CREATE TABLE flow_alert_sweeps (resource BIGINT NOT NULL, alert TEXT NOT NULL, rule TEXT NOT NULL, upto BIGINT NOT NULL,
            place BIGINT NOT NULL, PRIMARY KEY (resource, alert))
            """,
            "CREATE INDEX flow_clocks_ending ON flow_clocks (resource, clock, due, record)",
            "CREATE INDEX flow_clocks_warning ON flow_clocks (resource, clock, warn_at, record)",
            "CREATE INDEX flow_records_opened ON flow_records (resource, opened_at, record)",
            "CREATE INDEX flow_steps_taken ON flow_steps (resource, record, step, at)",
        ]
    )

    /// How far an alert was looked for.
    struct Sweep: Sendable, Hashable {
        /// The condition as it was asked, with its day and settings; empty for clocks.
        var rule = ""
        /// Clocks up to this moment; of a condition 1 where every record was looked at, else 0.
        var upto: Int64 = 0
        /// The record looked at last.
        var place: Int64 = 0
    }

    static func sweeps(_ db: any SQLReading) throws -> [String: Sweep] {
        var found: [String: Sweep] = [:]
        for row in try db.rows("SELECT resource, alert, rule, upto, place FROM flow_alert_sweeps") {
            found["\(row.integer(0)) \(row.text(1))"] = Sweep(
                rule: row.text(2),
                upto: row.integer(3),
                place: row.integer(4)
            )
        }
        return found
    }

    static func save(_ sweep: Sweep, _ resource: Int64, _ alert: String, _ db: any SQLWriting) throws {
        try db.execute(
            """
            INSERT INTO flow_alert_sweeps (resource, alert, rule, upto, place) VALUES (?,?,?,?,?)
            ON CONFLICT (resource, alert) DO UPDATE SET rule = excluded.rule, upto = excluded.upto, place = excluded.place
            """,
            [.integer(resource), .text(alert), .text(sweep.rule), .integer(sweep.upto), .integer(sweep.place)]
        )
    }

    /// Records are looked at anew: of a demonstration's some have a past.
    static func forgetSweeps(_ resource: Int64, _ db: any SQLWriting) throws {
        try db.execute("DELETE FROM flow_alert_sweeps WHERE resource = ?", [.integer(resource)])
    }

    /// Tells of a record; nothing happens where it is told of already. Whether something was made.
    @discardableResult
    static func raise(
        _ alert: String,
        _ resource: Int64,
        _ record: Int64,
        at now: Int64,
        _ db: any SQLWriting
    ) throws -> Bool {
        try db.execute(
            "INSERT INTO flow_alerts (resource, record, alert, state, raised_at, note) VALUES (?,?,?,'open',?,'') ON CONFLICT DO NOTHING",
            [.integer(resource), .integer(record), .text(alert), .integer(now)]
        ) == 1
    }

    /// Ends the alert of a record, if it is told of.
    @discardableResult
    static func end(
        _ alert: String,
        _ resource: Int64,
        _ record: Int64,
        at now: Int64,
        _ db: any SQLWriting
    ) throws -> Bool {
        try db.execute(
            "UPDATE flow_alerts SET state = 'ended', ended_at = ? WHERE resource = ? AND record = ? AND alert = ? AND state <> 'ended'",
            [.integer(now), .integer(resource), .integer(record), .text(alert)]
        ) > 0
    }

    /// The records of which an alert tells, by the alerts' order.
    static func told(
        _ alert: String,
        _ resource: Int64,
        state: String,
        after id: Int64,
        limit: Int,
        _ db: any SQLReading
    ) throws -> [(id: Int64, record: Int64, at: Int64)] {
        try db.rows(
            "SELECT id, record, raised_at FROM flow_alerts WHERE resource = ? AND alert = ? AND state = ? AND id > ? ORDER BY id LIMIT \(limit)",
            [.integer(resource), .text(alert), .text(state), .integer(id)]
        ).map { ($0.integer(0), $0.integer(1), $0.integer(2)) }
    }

    /// The column that says when a clock is told of.
    static func column(_ moment: AlertDeclaration.Moment) -> String { moment == .overdue ? "due" : "warn_at" }

    /// Clocks that run and whose moment has passed, after a place, by their moments. Those already told of are left out.
    static func passed(
        _ alert: String,
        _ clock: String,
        _ moment: AlertDeclaration.Moment,
        _ resource: Int64,
        after sweep: Sweep,
        upTo now: Int64,
        _ db: any SQLReading
    ) throws -> [(record: Int64, at: Int64)] {
        let column = column(moment)
        return try db.rows(
            """
            SELECT c.record, c.\(column) FROM flow_clocks c WHERE c.resource = ? AND c.clock = ? AND c.\(column) <= ?
            AND (c.\(column), c.record) > (?, ?) AND (c.state = 'running' OR c.state = 'ended' AND c.ended_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM flow_alerts a WHERE a.resource = c.resource AND a.record = c.record AND a.alert = ? AND a.state <> 'ended')
            ORDER BY c.\(column), c.record LIMIT 200
            """,
            [
                .integer(resource), .text(clock), .integer(now), .integer(sweep.upto), .integer(sweep.place),
                .text(alert),
            ]
        ).map { ($0.integer(0), $0.integer(1)) }
    }

    /// Whether a clock of a record runs and its moment has passed.
    static func holds(
        _ clock: String,
        _ moment: AlertDeclaration.Moment,
        _ clocks: [RunningClock],
        at now: Int64
    ) -> Bool {
        guard let running = clocks.first(where: { $0.key == clock }), running.isPending else { return false }
        return (moment == .overdue ? running.due : running.warnAt) <= now
    }
}
