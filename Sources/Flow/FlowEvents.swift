import Basics
import Kernel
import Store

/// Events that steps tell of, on their way from the records database into the node's log of events: they lie beside the step until the log
/// has them, and the log takes each once.
enum FlowEvents {
    static let migration = Migration(
        "flow_events/001-events",
        [
            """
            CREATE TABLE flow_events (step BIGINT PRIMARY KEY, kind TEXT NOT NULL, code TEXT NOT NULL, record BIGINT NOT NULL,
            at BIGINT NOT NULL)
            """
        ]
    )

    static func add(
        _ kind: NodeEvent.Kind,
        of code: String,
        record: Int64,
        step: Int64,
        at now: Int64,
        _ db: any SQLWriting
    ) throws {
        try db.execute(
            "INSERT INTO flow_events (step, kind, code, record, at) VALUES (?,?,?,?,?)",
            [.integer(step), .text(kind.rawValue), .text(code), .integer(record), .integer(now)]
        )
    }
}

extension Flows {
    /// Puts what steps told of into the log of events; called after such a step, and every few seconds for what a stop left behind.
    func tellEvents() async throws {
        while true {
            let rows = try await kernel.databases.records.read { db in
                try db.rows("SELECT step, kind, code, record, at FROM flow_events ORDER BY step LIMIT 200")
            }
            for row in rows {
                let step = row.integer(0)
                if let kind = NodeEvent.Kind(rawValue: row.text(1)), let resource = try await entry(row.text(2)) {
                    let id = kernel.key.identifier(of: "flow event \(step)")
                    // Named as the kind is: `feedback.answered` tells of `feedback`.
                    let name = String(kind.rawValue.prefix { $0 != "." })
                    try await kernel.databases.control.write { db in
                        try EventLog.note(
                            kind,
                            resource,
                            [.init(name, .integer(row.integer(3)))],
                            id: id,
                            at: row.integer(4),
                            db
                        )
                    }
                }
                try await kernel.databases.records.write { db in
                    try db.execute("DELETE FROM flow_events WHERE step = ?", [.integer(step)])
                }
            }
            guard rows.count == 200 else { return }
        }
    }
}
