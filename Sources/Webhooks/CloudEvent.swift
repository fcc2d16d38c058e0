public import Basics
public import Kernel

/// What happened, in the words of CloudEvents 1.0.
public struct CloudEvent: Sendable {
    public var id: String
    /// The node: its public address, or a URN made of its key.
    public var source: String
    public var type: String
    /// The resource's code; nil where it is about none.
    public var subject: String?
    /// Microseconds.
    public var at: Int64
    /// The event's number in the node's log, for cursors; nil for what stands in no log.
    public var sequence: Int64?
    public var data: JSONValue

    /// An event of the log, with links that begin with the node's address, or with a slash where it has none.
    public init(_ event: NodeEvent, source: String, address: String) {
        id = event.id
        self.source = source
        type = event.kind.type
        subject = event.resource.code
        at = event.at
        sequence = event.sequence
        let slug = event.resource.code.replacing("/", with: "-")
        let links = JSONValue.object([
            .init("page", .string("\(address)/resources/\(slug)")),
            .init("api", .string("\(address)/api/v1/resources/\(slug)")),
        ])
        data = .object((event.data.members ?? []) + [.init("links", links)])
    }

    init(id: String, source: String, type: String, at: Int64, data: JSONValue) {
        self.id = id
        self.source = source
        self.type = type
        self.at = at
        self.data = data
    }

    /// The JSON format of CloudEvents 1.0; `sequence` is its extension of that name.
    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("specversion", "1.0"), .init("id", .string(id)), .init("source", .string(source)),
            .init("type", .string(type)), .init("time", .string(CivilTime.timestamp(at))),
            .init("datacontenttype", "application/json"),
        ]
        if let subject { members.append(.init("subject", .string(subject))) }
        if let sequence { members.append(.init("sequence", .string(Self.cursor(sequence)))) }
        return .object(members + [.init("data", data)])
    }

    /// A number of the log as a text that sorts as it does: `0000000000000042`.
    public static func cursor(_ sequence: Int64) -> String {
        let digits = String(max(0, sequence))
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }
}
