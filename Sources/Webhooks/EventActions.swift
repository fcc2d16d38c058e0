import Basics
public import Kernel
import Store

/// A page of the events that a caller may know of.
public struct EventPage: Sendable {
    public var events: [CloudEvent]
    /// What to ask for next: the number of the last event looked at.
    public var cursor: Int64
    /// Whether more was there already when this was read.
    public var hasMore: Bool
}

extension Subscriptions {
    static let eventsDescriptor = ActionDescriptor(
        "event.list",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "查看事件",
        en: "read events"
    )

    /// Events that one page looks at, at the least: what a caller may not know of is passed over.
    private static let looked = 200

    /// Whether a caller may know of an event: of resources that they may see in the catalogue, and of the end of those that they could see.
    func mayKnow(_ event: NodeEvent, _ caller: Caller) -> Bool {
        if kernel.gate.admits(Self.eventsDescriptor, event.resource, caller) { return true }
        guard event.kind == .withdrawn || event.kind == .closed else { return false }
        var before = event.resource
        before.state = .published
        before.isOpen = event.wasOpen
        return kernel.gate.admits(Self.eventsDescriptor, before, caller)
    }

    /// The events after a number that the caller may know of, from the first that is kept where there is none.
    public var events: Action<(after: Int64?, limit: Int), EventPage> {
        Action(Self.eventsDescriptor) { [self] input, decision in
            let most = max(Self.looked, input.limit)
            let (found, bounds) = try await database.read { db in
                let bounds = try EventLog.bounds(db)
                return (
                    try EventLog.events(after: input.after ?? bounds.pruned, limit: most, db), bounds
                )
            }
            let start = input.after ?? bounds.pruned
            try Self.check(start, bounds)
            var page = EventPage(events: [], cursor: start, hasMore: false)
            for event in found {
                if page.events.count == input.limit {
                    page.hasMore = true
                    break
                }
                if mayKnow(event, decision.caller) {
                    page.events.append(CloudEvent(event, source: source, address: address))
                }
                page.cursor = event.sequence
            }
            page.hasMore = page.hasMore || page.cursor < bounds.last && found.count == most
            return page
        }
    }

    /// A cursor must be one that the node gave and that it still has everything after.
    static func check(_ cursor: Int64, _ bounds: (last: Int64, pruned: Int64)) throws(Problem) {
        guard cursor >= 0, cursor <= bounds.last else {
            throw Problem("event.cursor", zh: "没有这个游标。", en: "There is no such cursor.")
        }
        guard cursor >= bounds.pruned else {
            throw Problem(
                "event.expired",
                status: 410,
                zh: "游标之后的部分事件已过保留期。",
                en: "Some events after the cursor are no longer kept.",
                details: ["oldest": CloudEvent.cursor(bounds.pruned)],
                hint: .init("请重新读取目录，再从 oldest 游标继续。", "Read the catalogue again, then go on from the cursor “oldest”.")
            )
        }
    }
}
