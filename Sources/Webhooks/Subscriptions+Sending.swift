import Basics
import Connect
import Kernel
import Store
import Synchronization

/// Sending: one event at a time and in order to each receiver, to many receivers at once; a receiver that hangs holds up nobody else.
extension Subscriptions {
    /// Receivers that are sent to at once.
    private static let atOnce = 32
    /// How long a process holds a subscription after its last sign of life, in microseconds; more than one sending takes.
    private static let lease: Int64 = 30_000_000
    /// How long one receiver is served before it lines up again.
    private static let turn = Duration.seconds(20)
    /// Events that are read at once.
    private static let chunk = 50

    /// Sends until the task is cancelled.
    public func run() async {
        let pause = Duration.milliseconds(kernel.databases.shared == nil ? 500 : 1000)
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                // A busy database now: it is asked again.
                for id in (try? await due()) ?? [] where begin(id) {
                    group.addTask { [self] in
                        defer { end(id) }
                        try? await serve(id)
                    }
                }
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Sends until nothing is due now; how many turns receivers had. For tests.
    @discardableResult
    func runDue() async throws -> Int {
        var turns = 0
        while turns < 1000 {
            let found = try await due()
            guard !found.isEmpty else { break }
            turns += found.count
            await withDiscardingTaskGroup { group in
                for id in found {
                    group.addTask { [self] in try? await serve(id) }
                }
            }
        }
        return turns
    }

    private func begin(_ id: Int64) -> Bool {
        underWay.withLock { $0.count < Self.atOnce && $0.insert(id).inserted }
    }

    private func end(_ id: Int64) { underWay.withLock { _ = $0.remove(id) } }

    /// The active ones whose time has come and that have not read to the end, longest due first.
    private func due() async throws -> [Int64] {
        let now = kernel.clock.now()
        return try await database.read { db in
            try db.rows(
                Self.dueStatement,
                [.integer(now), .integer(now), .integer(try EventLog.bounds(db).last)]
            ).map { $0.integer(0) }
        }
    }

    static let dueStatement =
        "SELECT id FROM subscriptions WHERE state = 'active' AND next_at <= ? AND lease_until <= ? AND position < ? ORDER BY next_at LIMIT 200"

    // MARK: One receiver

    /// Serves one receiver for a while: takes it for this process, sends event after event, gives it back.
    private func serve(_ id: Int64) async throws {
        let now = kernel.clock.now()
        let lease = TimeOrderedID.make(microseconds: now)
        let isTaken = try await database.write { db in
            try db.execute(
                "UPDATE subscriptions SET lease = ?, lease_until = ? WHERE id = ? AND state = 'active' AND lease_until <= ? AND next_at <= ?",
                [.text(lease), .integer(now + Self.lease), .integer(id), .integer(now), .integer(now)]
            ) == 1
        }
        guard isTaken else { return }
        var receiver: (address: String, open: Receiver)?
        let end = ContinuousClock.now + Self.turn
        var failure: (any Error)?
        do {
            while ContinuousClock.now < end, try await step(id, lease, &receiver) { try Task.checkCancellation() }
        } catch { failure = error }
        // Given back even where the node stops: another process need not wait for the lease's end.
        _ = try? await Task { [database] in
            try await database.write { db in
                try db.execute(
                    "UPDATE subscriptions SET lease = '', lease_until = 0 WHERE id = ? AND lease = ?",
                    [.integer(id), .text(lease)]
                )
            }
        }.value
        if let failure { throw failure }
    }

    /// What is next for a subscription.
    private struct Look: Sendable {
        var subscription: Subscription
        var events: [NodeEvent]
        /// How far the log was read.
        var end: Int64
    }

    private func look(_ id: Int64, _ lease: String) async throws -> Look? {
        try await database.read { db in
            let row = try db.row(
                "SELECT \(Subscription.columns) FROM subscriptions WHERE id = ? AND lease = ? AND state = 'active'",
                [.integer(id), .text(lease)]
            )
            guard let found = row.map(Subscription.read) else { return nil }
            let bounds = try EventLog.bounds(db)
            let events = try EventLog.events(
                after: found.position,
                kinds: found.kinds,
                codes: found.codes,
                limit: Self.chunk,
                db
            )
            return Look(
                subscription: found,
                events: events,
                end: events.count < Self.chunk ? bounds.last : events.last?.sequence ?? bounds.last
            )
        }
    }

    /// Sends the next event; whether there is another to send now.
    private func step(
        _ id: Int64,
        _ lease: String,
        _ receiver: inout (address: String, open: Receiver)?
    ) async throws
        -> Bool
    {
        guard let look = try await look(id, lease) else { return false }
        let subscription = look.subscription
        // Whether events may be given is asked of the account as it is now.
        let principal = try await kernel.accounts.find(subscription.principal)
        let caller = Caller(principal: principal, trace: "subscription-\(id)")
        guard let principal, principal.isActive, kernel.gate.holds(.subscriptionManage, caller) else {
            try await suspend(id, lease, .owner)
            return false
        }
        guard let event = look.events.first(where: { mayKnow($0, caller) }) else {
            // Nothing of it is for this account.
            try await pass(subscription, to: look.end, lease)
            return look.events.count == Self.chunk
        }
        let secrets = try await secrets(id)
        guard !secrets.isEmpty else {
            try await suspend(id, lease, .secret)
            return false
        }
        var open = receiver?.address == subscription.address ? receiver?.open : nil
        let sent = CloudEvent(event, source: source, address: address)
        let (delivery, again) = try await send(sent, to: subscription, secrets, &open)
        receiver = open.map { (subscription.address, $0) }
        // What is known of the sending is kept even where the node stops now.
        return try await Task { [self] in try await settle(subscription, event, delivery, again, lease) }.value
    }

    /// One attempt: what came of it, and when the receiver wants to be asked again.
    private func send(
        _ event: CloudEvent,
        to subscription: Subscription,
        _ secrets: [String],
        _ receiver: inout Receiver?
    ) async throws -> (Delivery, retryAfter: String?) {
        let now = kernel.clock.now()
        let body = Array(event.json.text.utf8)
        var delivery = Delivery(
            event: event.id,
            type: event.type,
            subject: event.subject ?? "",
            sequence: event.sequence,
            attempt: subscription.attempts + 1,
            at: now,
            status: nil,
            milliseconds: 0,
            failure: ""
        )
        let seconds = now / 1_000_000
        let heads = [
            ("content-type", "application/cloudevents+json; charset=UTF-8"), ("webhook-id", event.id),
            ("webhook-timestamp", String(seconds)),
            ("webhook-signature", WebhookSignature.value(secrets, id: event.id, seconds: seconds, body: body)),
        ]
        let start = ContinuousClock.now
        var again: String?
        do {
            if receiver == nil { receiver = try await Receiver.open(subscription.address, settings.policy) }
            if let answer = try await receiver?.post(body, heads, within: settings.limit - (.now - start)) {
                delivery.status = Int64(answer.status)
                again = answer.retryAfter
            }
        } catch let failure as ReceiverFailure {
            delivery.failure = failure.rawValue
        } catch is Problem {
            // The node's settings allow the address no longer.
            delivery.failure = ReceiverFailure.address.rawValue
        }
        let spent = (ContinuousClock.now - start).components
        delivery.milliseconds = spent.seconds * 1000 + spent.attoseconds / 1_000_000_000_000_000
        return (delivery, again)
    }

    /// Sends a test event, out of turn.
    func test(_ subscription: Subscription) async throws -> Delivery {
        let now = kernel.clock.now()
        let event = CloudEvent(
            id: TimeOrderedID.make(microseconds: now),
            source: source,
            type: NodeEvent.Kind.prefix + "subscription.tested",
            at: now,
            data: .object([.init("subscription", .integer(subscription.id))])
        )
        let secrets = try await secrets(subscription.id)
        guard !secrets.isEmpty else {
            throw Problem(
                "subscription.secret",
                status: 409,
                zh: "密钥由另一个节点密钥加密，无法使用。",
                en: "The secret was sealed by another node's key and cannot be used.",
                hint: .init("请更换密钥。", "Make a new secret.")
            )
        }
        var first = subscription
        first.attempts = 0
        var receiver: Receiver?
        let (delivery, _) = try await send(event, to: first, secrets, &receiver)
        try await database.write { db in try Self.keep(delivery, of: subscription.id, db) }
        return delivery
    }

    // MARK: What came of it

    private static func keep(_ delivery: Delivery, of id: Int64, _ db: any SQLWriting) throws {
        try db.execute(
            "INSERT INTO deliveries (subscription, event, type, subject, seq, attempt, at, status, milliseconds, failure) VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                .integer(id), .text(delivery.event), .text(delivery.type), .text(delivery.subject),
                SQLValue(delivery.sequence), .integer(delivery.attempt), .integer(delivery.at),
                SQLValue(delivery.status), .integer(delivery.milliseconds), .text(delivery.failure),
            ]
        )
        try db.execute(
            "DELETE FROM deliveries WHERE subscription = ? AND id <= (SELECT id FROM deliveries WHERE subscription = ? ORDER BY id DESC LIMIT 1 OFFSET \(keptDeliveries))",
            [.integer(id), .integer(id)]
        )
    }

    /// Writes down what came of a sending; whether to go on now. Who holds the subscription no longer, or was overtaken by a replay,
    /// changes nothing.
    private func settle(
        _ subscription: Subscription,
        _ event: NodeEvent,
        _ delivery: Delivery,
        _ retryAfter: String?,
        _ lease: String
    ) async throws -> Bool {
        let now = kernel.clock.now()
        let fence: [SQLValue] = [.integer(subscription.id), .text(lease), .integer(subscription.position)]
        guard let fault = delivery.fault else {
            return try await database.write { db in
                let changed = try db.execute(
                    "UPDATE subscriptions SET position = ?, attempts = 0, failing_since = NULL, success_at = ?, next_at = ?, lease_until = ? WHERE id = ? AND lease = ? AND position = ?",
                    [.integer(event.sequence), .integer(now), .integer(now), .integer(now + Self.lease)] + fence
                )
                if changed == 1 { try Self.keep(delivery, of: subscription.id, db) }
                return changed == 1
            }
        }
        let attempts = subscription.attempts + 1
        let since = subscription.failingSince ?? now
        let pause = Backoff.pause(
            attempts: attempts,
            status: delivery.status.map { Int($0) },
            retryAfter: retryAfter,
            jitter: Double.random(in: 0...1)
        )
        let isOver = now - since >= settings.givingUpDays * 86_400_000_000
        let reason: Subscription.Reason? = delivery.status == 410 ? .gone : isOver ? .failing : nil
        let values: [SQLValue] = [
            .integer(attempts), .integer(since), .integer(now), .text(fault), .integer(now + pause),
            .text(reason?.rawValue ?? ""), .integer(reason == nil ? 0 : 1),
        ]
        return try await database.write { db in
            // One that was paused meanwhile stays so.
            let changed = try db.execute(
                "UPDATE subscriptions SET attempts = ?, failing_since = ?, failure_at = ?, failure = ?, next_at = ?, reason = ?, state = CASE WHEN ? = 1 AND state = 'active' THEN 'suspended' ELSE state END WHERE id = ? AND lease = ? AND position = ?",
                values + fence
            )
            if changed == 1 { try Self.keep(delivery, of: subscription.id, db) }
            return false
        }
    }

    /// Moves on over events that are not for it.
    private func pass(_ subscription: Subscription, to position: Int64, _ lease: String) async throws {
        let until = kernel.clock.now() + Self.lease
        try await database.write { db in
            try db.execute(
                "UPDATE subscriptions SET position = ?, lease_until = ? WHERE id = ? AND lease = ? AND position = ?",
                [
                    .integer(position), .integer(until), .integer(subscription.id), .text(lease),
                    .integer(subscription.position),
                ]
            )
        }
    }

    private func suspend(_ id: Int64, _ lease: String, _ reason: Subscription.Reason) async throws {
        try await database.write { db in
            try db.execute(
                "UPDATE subscriptions SET state = 'suspended', reason = ? WHERE id = ? AND lease = ? AND state = 'active'",
                [.text(reason.rawValue), .integer(id), .text(lease)]
            )
        }
    }
}
