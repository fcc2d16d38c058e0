public import Basics
public import Store
import Tabular

/// Something that happened to a resource, for those who follow the node. It holds codes, names, counts and versions: no rows, no people.
public struct NodeEvent: Sendable, Hashable {
    /// What happened.
    public enum Kind: String, Sendable, CaseIterable {
        case published = "entry.published"
        case changed = "entry.changed"
        case withdrawn = "entry.withdrawn"
        case opened = "resource.opened"
        case closed = "resource.closed"
        case loaded = "data.loaded"
        case answered = "feedback.answered"

        /// Its CloudEvents type: `cn.tongqu.entry.published`.
        public var type: String { Self.prefix + rawValue }

        /// Reads a CloudEvents type; nil for one that the node does not have.
        public init?(type: String) {
            guard type.hasPrefix(Self.prefix) else { return nil }
            self.init(rawValue: String(type.dropFirst(Self.prefix.count)))
        }

        public static let prefix = "cn.tongqu."

        public var title: LocalizedText {
            switch self {
            case .published: .init("目录发布", "entry published")
            case .changed: .init("目录变更", "entry changed")
            case .withdrawn: .init("目录下线", "entry withdrawn")
            case .opened: .init("列入开放清单", "resource opened")
            case .closed: .init("停止开放", "resource closed")
            case .loaded: .init("数据更新", "data loaded")
            case .answered: .init("反馈已答复", "feedback answered")
            }
        }
    }

    /// Counts the node's events in the order in which they were committed.
    public var sequence: Int64
    /// Names it for ever: a UUID.
    public var id: String
    public var kind: Kind
    /// The resource as it is now.
    public var resource: Resource
    /// Microseconds.
    public var at: Int64
    /// Of what was taken away: whether the public could see it before.
    public var wasOpen: Bool
    public var data: JSONValue
}

/// The log of what happened, kept for some days: subscriptions and programs read it by its numbers.
public enum EventLog {
    static let migration = Migration(
        "kernel/008-events",
        [
            """
            CREATE TABLE events (seq BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, resource BIGINT NOT NULL,
            at BIGINT NOT NULL, was_open INTEGER NOT NULL, data TEXT NOT NULL)
            """,
            "CREATE INDEX events_at ON events (at, seq)",
            "CREATE TABLE event_counter (id INTEGER PRIMARY KEY, last BIGINT NOT NULL, pruned BIGINT NOT NULL)",
        ]
    )

    /// Notes an event inside the control transaction that makes the change. An event with the id of one that is there is noted once.
    ///
    /// The number comes from one row that each such transaction changes: on every engine numbers are in the order of the commits, and
    /// whoever has read up to one misses none before it.
    public static func note(
        _ kind: NodeEvent.Kind,
        _ resource: Resource,
        _ members: [JSONValue.Member],
        id: String? = nil,
        wasOpen: Bool = false,
        at moment: Int64,
        _ db: any SQLWriting
    ) throws {
        if let id, try db.row("SELECT 1 FROM events WHERE id = ?", [.text(id)]) != nil { return }
        try db.execute(
            "INSERT INTO event_counter (id, last, pruned) VALUES (1, 1, 0) ON CONFLICT (id) DO UPDATE SET last = event_counter.last + 1"
        )
        let data = JSONValue.object(
            [.init("code", .string(resource.code)), .init("name", .string(resource.name))] + members
        )
        try db.execute(
            "INSERT INTO events (seq, id, kind, resource, at, was_open, data) VALUES (?,?,?,?,?,?,?)",
            [
                .integer(try bounds(db).last), .text(id ?? TimeOrderedID.make(microseconds: moment)),
                .text(kind.rawValue), .integer(resource.id.raw), .integer(moment), .integer(wasOpen ? 1 : 0),
                .text(data.text),
            ]
        )
    }

    /// The number of the last event, and of the last that is no longer kept; 0 where there is none.
    public static func bounds(_ db: any SQLReading) throws -> (last: Int64, pruned: Int64) {
        let row = try db.row("SELECT last, pruned FROM event_counter WHERE id = 1")
        return (row?.integer(0) ?? 0, row?.integer(1) ?? 0)
    }

    /// The events after a number in their order, with their resources as they are now; of some kinds and resources, empty for all.
    public static func events(
        after sequence: Int64,
        kinds: [NodeEvent.Kind] = [],
        codes: [String] = [],
        limit: Int,
        _ db: any SQLReading
    ) throws -> [NodeEvent] {
        let (sql, values) = statement(after: sequence, kinds: kinds, codes: codes, limit: limit)
        let rows = try db.rows(sql, values)
        var resources: [Int64: Resource] = [:]
        return try rows.compactMap { row in
            let number = row.integer(3)
            if resources[number] == nil {
                resources[number] = try db.row(
                    "SELECT \(Kernel.resourceColumns) FROM resources WHERE id = ?",
                    [.integer(number)]
                ).map(Kernel.read)
            }
            // An event of a kind that a later release made is not this one's to give.
            guard let kind = NodeEvent.Kind(rawValue: row.text(2)), let resource = resources[number] else { return nil }
            return NodeEvent(
                sequence: row.integer(0),
                id: row.text(1),
                kind: kind,
                resource: resource,
                at: row.integer(4),
                wasOpen: row.flag(5),
                data: try JSONValue(text: row.text(6))
            )
        }
    }

    static func statement(
        after sequence: Int64,
        kinds: [NodeEvent.Kind],
        codes: [String],
        limit: Int
    ) -> (sql: String, values: [SQLValue]) {
        func among(_ column: String, _ count: Int) -> String {
            count == 0 ? "" : " AND \(column) IN (\(Array(repeating: "?", count: count).joined(separator: ",")))"
        }
        let chosen =
            codes.isEmpty ? "" : " AND resource IN (SELECT id FROM resources WHERE 1 = 1\(among("code", codes.count)))"
        return (
            "SELECT seq, id, kind, resource, at, was_open, data FROM events WHERE seq > ?\(among("kind", kinds.count))\(chosen) ORDER BY seq LIMIT \(limit)",
            [.integer(sequence)] + kinds.map { .text($0.rawValue) } + codes.map { .text($0) }
        )
    }

    /// The number before the first event at or after a moment: where a replay from then begins.
    public static func position(from moment: Int64, _ db: any SQLReading) throws -> Int64 {
        // Loads are numbered when they are told of, which may be after what happened later.
        let first = try db.row("SELECT min(seq) FROM events WHERE at >= ?", [.integer(moment)])?.optionalInteger(0)
        return try first.map { $0 - 1 } ?? bounds(db).last
    }

    /// Takes away what is older than a moment, some at a time; whether there may be more.
    public static func prune(before moment: Int64, _ database: any Database) async throws -> Bool {
        let old =
            "SELECT seq FROM events WHERE seq < coalesce((SELECT min(seq) FROM events WHERE at >= ?), (SELECT last + 1 FROM event_counter WHERE id = 1)) ORDER BY seq LIMIT 5000"
        // A node at rest only reads.
        let found = try await database.read { try $0.rows(old, [.integer(moment)]).map { $0.integer(0) } }
        guard let last = found.last else { return false }
        try await database.write { db in
            try db.execute("DELETE FROM events WHERE seq <= ?", [.integer(last)])
            try db.execute(
                "UPDATE event_counter SET pruned = ? WHERE id = 1 AND pruned < ?",
                [.integer(last), .integer(last)]
            )
        }
        return found.count == 5000
    }
}
