public import Basics
import Connect
public import Kernel
import Seal
public import Store
import Synchronization

/// The subscriptions of a node, and sending to them.
public final class Subscriptions: Sendable {
    let kernel: Kernel
    let settings: WebhookSettings
    /// Where others reach the node, without a slash at its end; empty where none is set.
    let address: String
    /// What is being sent to now, by this process.
    let underWay = Mutex<Set<Int64>>([])

    /// Subscriptions of a node at the most.
    static let most: Int64 = 500
    /// Attempts that are kept of each.
    static let keptDeliveries = 100
    /// How long the secret before a new one is signed with as well, in microseconds.
    static let oldSecret: Int64 = 24 * 3_600_000_000

    public static let migrations = [
        Migration(
            "webhooks/001-subscriptions",
            [
                """
                CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, kinds TEXT NOT NULL,
                codes TEXT NOT NULL, secret TEXT NOT NULL, old_secret TEXT NOT NULL DEFAULT '', old_until BIGINT NOT NULL DEFAULT 0,
                organisation BIGINT NOT NULL, principal BIGINT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
                position BIGINT NOT NULL, attempts BIGINT NOT NULL DEFAULT 0, failing_since BIGINT, next_at BIGINT NOT NULL,
                lease TEXT NOT NULL DEFAULT '', lease_until BIGINT NOT NULL DEFAULT 0, success_at BIGINT, failure_at BIGINT,
                failure TEXT, created_at BIGINT NOT NULL)
                """,
                "CREATE INDEX subscriptions_due ON subscriptions (state, next_at)",
                """
                CREATE TABLE deliveries (id INTEGER PRIMARY KEY, subscription BIGINT NOT NULL, event TEXT NOT NULL, type TEXT NOT NULL,
                subject TEXT NOT NULL, seq BIGINT, attempt BIGINT NOT NULL, at BIGINT NOT NULL, status BIGINT,
                milliseconds BIGINT NOT NULL, failure TEXT NOT NULL)
                """,
                "CREATE INDEX deliveries_subscription ON deliveries (subscription, id)",
            ]
        )
    ]

    public init(kernel: Kernel, settings: WebhookSettings, address: String?) {
        self.kernel = kernel
        self.settings = settings
        self.address = address ?? ""
    }

    var database: any Database { kernel.databases.control }

    /// The `source` of every event: the public address, or a name made of the node's key.
    public var source: String { address.isEmpty ? "urn:uuid:" + kernel.key.identifier(of: "node") : address }

    static let unknown = Problem.notFound(.init("订阅", "the subscription"))

    /// After a stop: where this is the only process, nothing is being sent now, whatever a killed one left.
    public func recover() async throws {
        guard kernel.databases.shared == nil else { return }
        let isAny = try await database.read {
            try $0.row("SELECT 1 FROM subscriptions WHERE lease <> '' LIMIT 1") != nil
        }
        guard isAny else { return }
        try await database.write { try $0.execute("UPDATE subscriptions SET lease = '', lease_until = 0") }
    }

    /// Takes away events older than the days they are kept. Called each minute by the process that leads.
    public func prune() async throws {
        let moment = kernel.clock.now() - settings.keptDays * 86_400_000_000
        while try await EventLog.prune(before: moment, database) {}
    }

    // MARK: Keeping them

    func find(_ id: Int64) async throws -> Subscription {
        let found = try await database.read { db in
            try db.row("SELECT \(Subscription.columns) FROM subscriptions WHERE id = ?", [.integer(id)]).map(
                Subscription.read
            )
        }
        guard let found else { throw Subscriptions.unknown }
        return found
    }

    func list() async throws -> [Subscription] {
        try await database.read { db in
            try db.rows("SELECT \(Subscription.columns) FROM subscriptions ORDER BY id LIMIT \(Self.most)").map(
                Subscription.read
            )
        }
    }

    func deliveries(_ id: Int64) async throws -> [Delivery] {
        try await database.read { db in
            try db.rows(
                "SELECT \(Delivery.columns) FROM deliveries WHERE subscription = ? ORDER BY id DESC LIMIT \(Self.keptDeliveries)",
                [.integer(id)]
            ).map(Delivery.read)
        }
    }

    /// Adds one that begins with what happens from now on; its number.
    func add(_ draft: SubscriptionDraft, secret: String, for principal: Principal) async throws -> Int64 {
        let now = kernel.clock.now()
        let sealed = try kernel.key.seal(secret)
        let values = Self.values(draft, principal)
        return try await database.write { db in
            guard try db.row("SELECT count(*) FROM subscriptions")?.integer(0) ?? 0 < Self.most else {
                throw Problem(
                    "subscription.too_many",
                    status: 409,
                    zh: "订阅过多，最多 \(Self.most) 项。",
                    en: "There are too many subscriptions: \(Self.most) at the most."
                )
            }
            try db.execute(
                "INSERT INTO subscriptions (name, address, kinds, codes, organisation, principal, secret, state, position, next_at, created_at) VALUES (?,?,?,?,?,?,?,'active',?,?,?)",
                values + [.text(sealed), .integer(try EventLog.bounds(db).last), .integer(now), .integer(now)]
            )
            return db.lastInsertedID
        }
    }

    private static func values(_ draft: SubscriptionDraft, _ principal: Principal) -> [SQLValue] {
        [
            .text(draft.name), .text(draft.address), .text(draft.kinds.map(\.rawValue).joined(separator: ",")),
            .text(draft.codes.joined(separator: ",")), .integer(principal.organisation.raw),
            .integer(principal.id.raw),
        ]
    }

    /// Changes one. It sends for whoever changed it from then on: nobody reads with another's rights.
    func change(_ id: Int64, _ draft: SubscriptionDraft, for principal: Principal) async throws {
        try await update(
            id,
            // A sending under way loses its lease: how it ends is no longer about this subscription.
            "name = ?, address = ?, kinds = ?, codes = ?, organisation = ?, principal = ?, next_at = ?, attempts = 0, failing_since = NULL, lease = '', lease_until = 0",
            Self.values(draft, principal) + [.integer(kernel.clock.now())]
        )
    }

    func pause(_ id: Int64) async throws {
        try await update(id, "state = 'paused', reason = ''", [])
    }

    /// Goes on from its position at once.
    func resume(_ id: Int64) async throws {
        try await update(
            id,
            "state = 'active', reason = '', attempts = 0, failing_since = NULL, next_at = ?",
            [.integer(kernel.clock.now())]
        )
    }

    /// Puts a new secret in place; the old one is signed with for a day as well.
    func rotate(_ id: Int64, to secret: String) async throws {
        try await update(
            id,
            "old_secret = secret, old_until = ?, secret = ?",
            [.integer(kernel.clock.now() + Self.oldSecret), .text(try kernel.key.seal(secret))]
        )
    }

    /// Sets the position: what comes after it is sent, again or for the first time.
    func move(_ id: Int64, to position: Int64) async throws {
        try await update(
            id,
            "position = ?, attempts = 0, failing_since = NULL, next_at = ?",
            [.integer(position), .integer(kernel.clock.now())]
        )
    }

    func remove(_ id: Int64) async throws {
        try await database.write { db in
            guard try db.execute("DELETE FROM subscriptions WHERE id = ?", [.integer(id)]) == 1 else {
                throw Subscriptions.unknown
            }
            try db.execute("DELETE FROM deliveries WHERE subscription = ?", [.integer(id)])
        }
    }

    private func update(_ id: Int64, _ changes: String, _ values: [SQLValue]) async throws {
        let changed = try await database.write { db in
            try db.execute("UPDATE subscriptions SET \(changes) WHERE id = ?", values + [.integer(id)])
        }
        guard changed == 1 else { throw Subscriptions.unknown }
    }

    /// The secrets to sign with; empty where the present one cannot be opened.
    func secrets(_ id: Int64) async throws -> [String] {
        let now = kernel.clock.now()
        let row = try await database.read { db in
            try db.row("SELECT secret, old_secret, old_until FROM subscriptions WHERE id = ?", [.integer(id)])
        }
        guard let row, let secret = try kernel.key.open(row.text(0)) else { return [] }
        guard row.integer(2) > now, let old = try kernel.key.open(row.text(1)) else { return [secret] }
        return [secret, old]
    }
}

extension Subscriptions {
    /// What a failure that a delivery or a subscription keeps means; nil where it speaks for itself, as `HTTP 500` does.
    public static func title(ofFailure text: String) -> LocalizedText? { ReceiverFailure(rawValue: text)?.title }
}
