import Basics
import Connect
public import Kernel
import Store

extension Subscriptions {
    private static func descriptor(
        _ name: String,
        _ trail: ActionDescriptor.Trail,
        _ zh: String,
        _ en: String
    ) -> ActionDescriptor {
        ActionDescriptor("subscription.\(name)", .subscriptionManage, trail, zh: zh, en: en)
    }

    static let listDescriptor = descriptor("list", .view, "订阅列表", "list subscriptions")
    static let showDescriptor = descriptor("show", .view, "查看订阅", "show a subscription")
    public static let saveDescriptor = descriptor("save", .write, "保存订阅", "save a subscription")
    static let pauseDescriptor = descriptor("pause", .write, "暂停订阅", "pause a subscription")
    static let resumeDescriptor = descriptor("resume", .write, "恢复订阅", "resume a subscription")
    static let rotateDescriptor = descriptor("rotate", .write, "更换订阅密钥", "make a subscription's secret anew")
    static let testDescriptor = descriptor("test", .write, "发送测试事件", "send a test event")
    static let replayDescriptor = descriptor("replay", .write, "重放事件", "send events again")
    static let removeDescriptor = descriptor("remove", .write, "删除订阅", "take a subscription away")

    public static let descriptors = [
        eventsDescriptor, listDescriptor, showDescriptor, saveDescriptor, pauseDescriptor, resumeDescriptor,
        rotateDescriptor, testDescriptor, replayDescriptor, removeDescriptor,
    ]

    /// Subscriptions are managed within the reach of the permission: of one's organisation and those below it, or of all.
    private func isReached(_ organisation: OrganisationID, _ caller: Caller) -> Bool {
        kernel.gate.ownersReached(by: caller, with: .subscriptionManage)?.contains(organisation) ?? true
    }

    private func reached(_ id: Int64, _ decision: Decision) async throws -> Subscription {
        let found = try await find(id)
        guard isReached(found.organisation, decision.caller) else { throw Subscriptions.unknown }
        decision.note("subscription", String(id))
        return found
    }

    public var listed: Action<Void, [Subscription]> {
        Action(Self.listDescriptor) { [self] _, decision in
            try await list().filter { isReached($0.organisation, decision.caller) }
        }
    }

    /// A subscription with its last attempts, and the bounds of what the log holds.
    public struct Detail: Sendable {
        public var subscription: Subscription
        public var deliveries: [Delivery]
        /// How many events of the log lie after its position, whomever they are for.
        public var behind: Int64
        /// Whether events after its position are no longer kept.
        public var hasMissed: Bool
    }

    public var show: Action<Int64, Detail> {
        Action(Self.showDescriptor) { [self] id, decision in
            let found = try await reached(id, decision)
            let bounds = try await database.read { try EventLog.bounds($0) }
            return Detail(
                subscription: found,
                deliveries: try await deliveries(id),
                behind: max(0, bounds.last - found.position),
                hasMissed: found.position < bounds.pruned
            )
        }
    }

    /// Adds a subscription (`id` 0), or changes one; its number, and of a new one the secret, which is not shown again.
    public var saved: Action<(id: Int64, draft: SubscriptionDraft), (id: Int64, secret: String?)> {
        Action(Self.saveDescriptor) { [self] input, decision in
            guard let principal = decision.caller.principal else { throw Subscriptions.unknown }
            guard isReached(principal.organisation, decision.caller) else {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "只能为本机构订阅。",
                    en: "Subscriptions are made for one's own organisation."
                )
            }
            if input.id > 0 { _ = try await reached(input.id, decision) }
            let host = try settings.policy.check(input.draft.address)
            decision.note("host", host)
            for code in input.draft.codes {
                // The same words whether it is not there or must not be known.
                guard let resource = try? await kernel.resource(code),
                    kernel.gate.admits(Self.eventsDescriptor, resource, decision.caller)
                else { throw SubscriptionDraft.invalid("没有资源 \(code)", "there is no resource \(code)") }
            }
            guard input.id == 0 else {
                try await change(input.id, input.draft, for: principal)
                return (input.id, nil)
            }
            let secret = WebhookSignature.secret()
            let id = try await add(input.draft, secret: secret, for: principal)
            decision.note("subscription", String(id))
            return (id, secret)
        }
    }

    public var paused: Action<Int64, Void> {
        Action(Self.pauseDescriptor) { [self] id, decision in
            _ = try await reached(id, decision)
            try await pause(id)
        }
    }

    public var resumed: Action<Int64, Void> {
        Action(Self.resumeDescriptor) { [self] id, decision in
            _ = try await reached(id, decision)
            try await resume(id)
        }
    }

    /// Makes a new secret, which is not shown again; what was sent with the old one is signed with both for a day.
    public var rotated: Action<Int64, String> {
        Action(Self.rotateDescriptor) { [self] id, decision in
            _ = try await reached(id, decision)
            let secret = WebhookSignature.secret()
            try await rotate(id, to: secret)
            return secret
        }
    }

    /// Sends an event of the type `cn.tongqu.subscription.tested` at once, out of turn; what came of it.
    public var tested: Action<Int64, Delivery> {
        Action(Self.testDescriptor) { [self] id, decision in
            let delivery = try await test(try await reached(id, decision))
            decision.note("status", delivery.status.map { String($0) } ?? delivery.failure)
            return delivery
        }
    }

    /// Where a replay begins.
    public enum Place: Sendable {
        /// After an event's number.
        case cursor(Int64)
        /// With the first event at a moment or after it, in microseconds.
        case time(Int64)
    }

    /// Sends what came after a place again; the number it begins after.
    public var replayed: Action<(id: Int64, from: Place), Int64> {
        Action(Self.replayDescriptor) { [self] input, decision in
            _ = try await reached(input.id, decision)
            let (position, bounds) = try await database.read { db in
                switch input.from {
                case .cursor(let cursor): (cursor, try EventLog.bounds(db))
                case .time(let moment): (try EventLog.position(from: moment, db), try EventLog.bounds(db))
                }
            }
            try Self.check(position, bounds)
            try await move(input.id, to: position)
            decision.note("after", String(position))
            return position
        }
    }

    public var removed: Action<Int64, Void> {
        Action(Self.removeDescriptor) { [self] id, decision in
            _ = try await reached(id, decision)
            try await remove(id)
        }
    }
}
