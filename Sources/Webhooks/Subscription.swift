public import Basics
public import Kernel
import Store

/// Somebody's wish to be told of events at an address.
public struct Subscription: Sendable {
    public enum State: String, Sendable, CaseIterable {
        case active
        /// By somebody's hand.
        case paused
        /// By the node: nothing is sent until somebody resumes it.
        case suspended

        public var title: LocalizedText {
            switch self {
            case .active: .init("正常", "active")
            case .paused: .init("已暂停", "paused")
            case .suspended: .init("已中止", "suspended")
            }
        }
    }

    /// Why the node suspended it.
    public enum Reason: String, Sendable, CaseIterable {
        /// It failed for longer than the node tries.
        case failing
        /// The receiver answered 410: it wants no more.
        case gone
        /// The account it sends for is disabled, must choose a password, or may not subscribe any more.
        case owner
        /// Its secret was sealed by another node's key.
        case secret

        public var title: LocalizedText {
            switch self {
            case .failing: .init("连续失败超过期限", "it failed for too long")
            case .gone: .init("接收方答复不再接收(410)", "the receiver wants no more (410)")
            case .owner:
                .init(
                    "所属账号已停用、须改密码或不再有权订阅",
                    "its account is disabled, must change its password or may not subscribe any more"
                )
            case .secret: .init("密钥无法解开，请更换密钥", "its secret cannot be opened; make a new one")
            }
        }
    }

    public var id: Int64
    public var name: String
    /// Where events are sent.
    public var address: String
    /// The kinds wanted; empty for all.
    public var kinds: [NodeEvent.Kind]
    /// The codes of the resources wanted; empty for all that its account may see.
    public var codes: [String]
    /// The organisation and the account it sends for: whoever saved it last.
    public var organisation: OrganisationID
    public var principal: PrincipalID
    public var state: State
    public var reason: Reason?
    /// The number of the last event that was received or was not for it.
    public var position: Int64
    /// Attempts at the next event that failed.
    public var attempts: Int64
    public var failingSince: Int64?
    public var nextAt: Int64
    public var successAt: Int64?
    public var failureAt: Int64?
    /// What failed last: `HTTP 500`, or a ``ReceiverFailure``'s name.
    public var failure: String?
    public var createdAt: Int64

    static let columns =
        "id, name, address, kinds, codes, organisation, principal, state, reason, position, attempts, failing_since, next_at, success_at, failure_at, failure, created_at"

    static func read(_ row: SQLRow) -> Subscription {
        Subscription(
            id: row.integer(0),
            name: row.text(1),
            address: row.text(2),
            kinds: row.text(3).split(separator: ",").compactMap { NodeEvent.Kind(rawValue: String($0)) },
            codes: row.text(4).split(separator: ",").map(String.init),
            organisation: OrganisationID(row.integer(5)),
            principal: PrincipalID(row.integer(6)),
            state: State(rawValue: row.text(7)) ?? .suspended,
            reason: Reason(rawValue: row.text(8)),
            position: row.integer(9),
            attempts: row.integer(10),
            failingSince: row.optionalInteger(11),
            nextAt: row.integer(12),
            successAt: row.optionalInteger(13),
            failureAt: row.optionalInteger(14),
            failure: row.optionalText(15),
            createdAt: row.integer(16)
        )
    }
}

/// A subscription as people want it.
public struct SubscriptionDraft: Sendable {
    public var name: String
    public var address: String
    public var kinds: [NodeEvent.Kind]
    public var codes: [String]

    /// Reads `{"name", "url", "types", "resources"}`; empty or absent lists are for everything.
    ///
    /// - Throws: `subscription.invalid`.
    public init(json: JSONValue) throws(Problem) {
        name = TextForms.trimmed(json["name"]?.string ?? "")
        address = TextForms.trimmed(json["url"]?.string ?? "")
        kinds = []
        codes = []
        guard (1...200).contains(name.utf8.count) else {
            throw Self.invalid("名称应为 1–200 字节", "a name has 1–200 bytes")
        }
        for name in ["types", "resources"] {
            guard json[name].map({ $0.isNull || $0.array != nil }) ?? true else {
                throw Self.invalid("\(name) 应为列表", "“\(name)” is a list")
            }
        }
        for type in json["types"]?.array ?? [] {
            guard let kind = type.string.flatMap(NodeEvent.Kind.init(type:)) else {
                throw Self.invalid("没有这种事件", "there is no such type of events")
            }
            if !kinds.contains(kind) { kinds.append(kind) }
        }
        for code in json["resources"]?.array ?? [] {
            guard let code = code.string, !code.isEmpty, !code.contains(",") else {
                throw Self.invalid("资源应为代码的列表", "resources is a list of codes")
            }
            if !codes.contains(code) { codes.append(code) }
            guard codes.count <= 100 else { throw Self.invalid("资源最多 100 项", "100 resources at the most") }
        }
    }

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem("subscription.invalid", status: 422, zh: "订阅填写有误：\(zh)。", en: "The subscription is not right: \(en).")
    }
}

/// An attempt to send an event.
public struct Delivery: Sendable {
    public var event: String
    /// The CloudEvents type.
    public var type: String
    /// The resource's code; empty for tests.
    public var subject: String
    /// The event's number in the log; nil for tests.
    public var sequence: Int64?
    public var attempt: Int64
    public var at: Int64
    /// The status of the answer; nil where there was none.
    public var status: Int64?
    public var milliseconds: Int64
    /// Why there was no answer; empty where there was one.
    public var failure: String

    static let columns = "event, type, subject, seq, attempt, at, status, milliseconds, failure"

    static func read(_ row: SQLRow) -> Delivery {
        Delivery(
            event: row.text(0),
            type: row.text(1),
            subject: row.text(2),
            sequence: row.optionalInteger(3),
            attempt: row.integer(4),
            at: row.integer(5),
            status: row.optionalInteger(6),
            milliseconds: row.integer(7),
            failure: row.text(8)
        )
    }

    public var isSuccess: Bool { (200..<300).contains(status ?? 0) }

    /// What went wrong: `HTTP 500`, or the name of a failure; nil for a success.
    var fault: String? { isSuccess ? nil : status.map { "HTTP \($0)" } ?? failure }
}
