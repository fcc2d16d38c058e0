import Basics
import Kernel
import Store

/// What becomes of records, beside their rows: where they stand, what was done, which clocks run.
enum FlowStore {
    static let migrations = [
        Migration(
            "flow/001-records",
            [
                """
                CREATE TABLE flow_records (resource BIGINT NOT NULL, record BIGINT NOT NULL, number BIGINT NOT NULL, state TEXT NOT NULL,
                is_open INTEGER NOT NULL, due BIGINT NOT NULL, warn_at BIGINT NOT NULL, last_by BIGINT NOT NULL,
                opened_at BIGINT NOT NULL, changed_at BIGINT NOT NULL, PRIMARY KEY (resource, record))
                """,
                "CREATE INDEX flow_records_work ON flow_records (resource, state, due, record)",
                """
                CREATE TABLE flow_steps (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, record BIGINT NOT NULL, step TEXT NOT NULL,
                number BIGINT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL, principal BIGINT NOT NULL, at BIGINT NOT NULL,
                note TEXT NOT NULL, changed TEXT NOT NULL)
                """,
                "CREATE INDEX flow_steps_record ON flow_steps (resource, record, id)",
                """
                CREATE TABLE flow_clocks (resource BIGINT NOT NULL, record BIGINT NOT NULL, clock TEXT NOT NULL, state TEXT NOT NULL,
                started_at BIGINT NOT NULL, due BIGINT NOT NULL, warn_at BIGINT NOT NULL, paused_at BIGINT, ended_at BIGINT,
                PRIMARY KEY (resource, record, clock))
                """,
                "CREATE INDEX flow_clocks_due ON flow_clocks (state, due, resource, record, clock)",
                """
                CREATE TABLE flow_documents (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, record BIGINT NOT NULL, document TEXT NOT NULL,
                title TEXT NOT NULL, number TEXT NOT NULL, code TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, body TEXT NOT NULL,
                step BIGINT NOT NULL, principal BIGINT NOT NULL, issued_at BIGINT NOT NULL)
                """,
                "CREATE INDEX flow_documents_record ON flow_documents (resource, record, id)",
                """
                CREATE TABLE flow_attachments (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, record BIGINT NOT NULL, kind TEXT NOT NULL,
                name TEXT NOT NULL, type TEXT NOT NULL, size BIGINT NOT NULL, digest TEXT NOT NULL, principal BIGINT NOT NULL,
                at BIGINT NOT NULL, longitude REAL, latitude REAL)
                """,
                "CREATE INDEX flow_attachments_record ON flow_attachments (resource, record, id)",
                "CREATE TABLE flow_counters (resource BIGINT NOT NULL, number TEXT NOT NULL, period TEXT NOT NULL, last BIGINT NOT NULL, PRIMARY KEY (resource, number, period))",
                "CREATE TABLE flow_notices (resource BIGINT NOT NULL, role TEXT NOT NULL, record BIGINT NOT NULL, step TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (resource, role, record))",
            ]
        ),
        Migration(
            "flow/002-draws",
            [
                """
                CREATE TABLE flow_draws (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, draw TEXT NOT NULL, title TEXT NOT NULL,
                seed TEXT NOT NULL, pool TEXT NOT NULL, digest TEXT NOT NULL, size BIGINT NOT NULL, people TEXT NOT NULL, filter TEXT NOT NULL,
                drawn TEXT NOT NULL, principal BIGINT NOT NULL, at BIGINT NOT NULL)
                """,
                "CREATE INDEX flow_draws_resource ON flow_draws (resource, id)",
            ]
        ),
        AlertStore.migration,
        // What of a record stands on a paper; of those issued before it is not known.
        Migration("flow/003-shown", ["ALTER TABLE flow_documents ADD COLUMN shown TEXT"]),
        Migration("flow/004-taken", ["ALTER TABLE flow_attachments ADD COLUMN taken_at BIGINT"]),
    ]

    /// What stands for no due moment: the last of all, so that the order of an index is the order of work.
    static let never = Int64.max

    /// Where a record stands.
    struct Standing: Sendable {
        var number: Int64
        var state: String
        var due: Int64
        var lastBy: Int64
        var openedAt: Int64
        var changedAt: Int64
    }

    static func standing(_ resource: Int64, _ record: Int64, _ db: any SQLReading) throws -> Standing? {
        try db.row(
            "SELECT number, state, due, last_by, opened_at, changed_at FROM flow_records WHERE resource = ? AND record = ?",
            [.integer(resource), .integer(record)]
        ).map { row in
            Standing(
                number: row.integer(0),
                state: row.text(1),
                due: row.integer(2),
                lastBy: row.integer(3),
                openedAt: row.integer(4),
                changedAt: row.integer(5)
            )
        }
    }

    static func clocks(_ resource: Int64, _ record: Int64, _ db: any SQLReading) throws -> [RunningClock] {
        try db.rows(
            "SELECT clock, state, started_at, due, warn_at, paused_at, ended_at FROM flow_clocks WHERE resource = ? AND record = ? ORDER BY started_at, clock",
            [.integer(resource), .integer(record)]
        ).map { row in
            RunningClock(
                key: row.text(0),
                state: RunningClock.State(rawValue: row.text(1)) ?? .stopped,
                startedAt: row.integer(2),
                due: row.integer(3),
                warnAt: row.integer(4),
                pausedAt: row.optionalInteger(5),
                endedAt: row.optionalInteger(6)
            )
        }
    }

    static func save(_ clock: RunningClock, _ resource: Int64, _ record: Int64, _ db: any SQLWriting) throws {
        try db.execute(
            """
            INSERT INTO flow_clocks (resource, record, clock, state, started_at, due, warn_at, paused_at, ended_at) VALUES (?,?,?,?,?,?,?,?,?)
            ON CONFLICT (resource, record, clock) DO UPDATE SET state = excluded.state, started_at = excluded.started_at,
            due = excluded.due, warn_at = excluded.warn_at, paused_at = excluded.paused_at, ended_at = excluded.ended_at
            """,
            [
                .integer(resource), .integer(record), .text(clock.key), .text(clock.state.rawValue),
                .integer(clock.startedAt), .integer(clock.due), .integer(clock.warnAt), SQLValue(clock.pausedAt),
                SQLValue(clock.endedAt),
            ]
        )
    }

    /// More lines of a record than these are not shown at once.
    static let shown = 1000

    /// The last lines of a record in one of the tables beside it, in their order.
    static func last(
        _ columns: String,
        of table: String,
        _ resource: Int64,
        _ record: Int64,
        _ db: any SQLReading
    ) throws -> [SQLRow] {
        try db.rows(
            "SELECT \(columns) FROM \(table) WHERE resource = ? AND record = ? ORDER BY id DESC LIMIT \(shown)",
            [.integer(resource), .integer(record)]
        ).reversed()
    }

    /// The next number of a numbering.
    static func next(_ resource: Int64, _ number: String, _ period: String, _ db: any SQLWriting) throws -> Int64 {
        let key: [SQLValue] = [.integer(resource), .text(number), .text(period)]
        try db.execute(
            "INSERT INTO flow_counters (resource, number, period, last) VALUES (?,?,?,1) ON CONFLICT (resource, number, period) DO UPDATE SET last = flow_counters.last + 1",
            key
        )
        return try db.row(
            "SELECT last FROM flow_counters WHERE resource = ? AND number = ? AND period = ?",
            key
        )?.integer(0) ?? 1
    }
}

extension Principal {
    /// What pages and papers call whoever took a step: the node itself is no person.
    var shownName: String { kind == .service && login == Self.commandLine ? "系统" : name }
}
