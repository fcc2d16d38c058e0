public import Basics
public import Connect

/// How events are kept and sent.
public struct WebhookSettings: Sendable {
    /// Where events may be sent.
    public var policy: ReceiverPolicy
    /// Days for which events are kept.
    public var keptDays: Int64
    /// Days after which a receiver that always fails is sent nothing more.
    public var givingUpDays: Int64
    /// The time that sending one event has, names and connections included.
    public var limit: Duration

    public init(
        policy: ReceiverPolicy = ReceiverPolicy(),
        keptDays: Int = 30,
        givingUpDays: Int = 3,
        limit: Duration = .seconds(10)
    ) {
        self.policy = policy
        self.limit = limit
        self.keptDays = Int64(max(1, min(keptDays, 3650)))
        self.givingUpDays = Int64(max(1, min(givingUpDays, 365)))
    }

    /// Reads networks as settings give them: `10.20.0.0/16, fd00::/8`.
    ///
    /// - Throws: `configuration.networks`.
    public static func networks(_ text: String) throws(Problem) -> [Network] {
        var found: [Network] = []
        for part in text.split(whereSeparator: { $0 == "," || $0 == " " }) {
            guard let network = Network(String(part)) else {
                throw Problem(
                    "configuration.networks",
                    zh: "网络应形如 10.20.0.0/16,fd00::/8。",
                    en: "Networks should be like 10.20.0.0/16,fd00::/8."
                )
            }
            found.append(network)
        }
        return found
    }

    /// The networks as settings give them.
    public var networksText: String { policy.networks.map(\.description).joined(separator: ",") }
}
