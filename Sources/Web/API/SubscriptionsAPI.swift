import Basics
import HTTPTypes
import Hummingbird
import Kernel
import Webhooks

/// `/api/v1/events` and `/api/v1/subscriptions`: what happened, read by a cursor or sent to receivers.
enum SubscriptionsAPI {
    static let routes: [Route] =
        [
            Route(
                .get,
                "/api/v1/events",
                .actions(["event.list"]),
                zh: "事件，按游标续读",
                en: "Events, read on by a cursor",
                handle: events
            )
        ] + list + buttons

    private static let list: [Route] = [
        Route(
            .get,
            "/api/v1/subscriptions",
            .actions(["subscription.list"]),
            .console,
            zh: "订阅列表",
            en: "Subscriptions"
        ) { web in
            let list = try await web.perform(web.services.subscriptions.listed, ())
            return .json(.object([.init("subscriptions", .array(list.map(json)))]))
        },
        Route(
            .post,
            "/api/v1/subscriptions",
            .actions(["subscription.save"]),
            .console,
            zh: "新建订阅(答复中的密钥只出现这一次)",
            en: "Add a subscription; the answer shows its secret once"
        ) { web in
            let draft = try SubscriptionDraft(json: try await web.json())
            let (id, secret) = try await web.perform(web.services.subscriptions.saved, (0, draft))
            return .json(
                .object([.init("id", .integer(id)), .init("secret", .string(secret ?? ""))]),
                status: .created
            )
        },
        Route(
            .get,
            "/api/v1/subscriptions/{id}",
            .actions(["subscription.show"]),
            .console,
            zh: "订阅与最近推送",
            en: "A subscription and its last deliveries"
        ) { web in
            let detail = try await web.perform(web.services.subscriptions.show, try web.number("id"))
            return .json(
                .object([
                    .init("subscription", json(detail.subscription)), .init("behind", .integer(detail.behind)),
                    .init("missed", .boolean(detail.hasMissed)),
                    .init("deliveries", .array(detail.deliveries.map(json))),
                ])
            )
        },
        Route(
            .put,
            "/api/v1/subscriptions/{id}",
            .actions(["subscription.save"]),
            .console,
            zh: "修改订阅",
            en: "Change a subscription"
        ) { web in
            let id = try web.number("id")
            let draft = try SubscriptionDraft(json: try await web.json())
            _ = try await web.perform(web.services.subscriptions.saved, (id, draft))
            return .json(.object([.init("id", .integer(id))]))
        },
        Route(
            .delete,
            "/api/v1/subscriptions/{id}",
            .actions(["subscription.remove"]),
            .console,
            zh: "删除订阅",
            en: "Take a subscription away"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.subscriptions.removed, try web.number("id"))
            return .json(.object([]))
        },
    ]

    private static let buttons: [Route] = [
        Route(
            .post,
            "/api/v1/subscriptions/{id}/pause",
            .actions(["subscription.pause"]),
            .console,
            zh: "暂停订阅",
            en: "Pause a subscription"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.subscriptions.paused, try web.number("id"))
            return .json(.object([]))
        },
        Route(
            .post,
            "/api/v1/subscriptions/{id}/resume",
            .actions(["subscription.resume"]),
            .console,
            zh: "恢复订阅",
            en: "Resume a subscription"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.subscriptions.resumed, try web.number("id"))
            return .json(.object([]))
        },
        Route(
            .post,
            "/api/v1/subscriptions/{id}/secret",
            .actions(["subscription.rotate"]),
            .console,
            zh: "更换密钥(答复中的密钥只出现这一次)",
            en: "Make the secret anew; the answer shows it once"
        ) { web in
            try web.checkHeader()
            let secret = try await web.perform(web.services.subscriptions.rotated, try web.number("id"))
            return .json(.object([.init("secret", .string(secret))]))
        },
        Route(
            .post,
            "/api/v1/subscriptions/{id}/test",
            .actions(["subscription.test"]),
            .console,
            zh: "发送测试事件",
            en: "Send a test event"
        ) { web in
            try web.checkHeader()
            return .json(json(try await web.perform(web.services.subscriptions.tested, try web.number("id"))))
        },
        Route(
            .post,
            "/api/v1/subscriptions/{id}/replay",
            .actions(["subscription.replay"]),
            .console,
            zh: "从游标或时间重放",
            en: "Send again from a cursor or a time"
        ) { web in
            let id = try web.number("id")
            let body = try await web.json()
            let place = try place(after: body["after"].map { $0.string ?? $0.text }, from: body["from"]?.string)
            let after = try await web.perform(web.services.subscriptions.replayed, (id, place))
            return .json(.object([.init("after", .string(CloudEvent.cursor(after)))]))
        },
    ]

    private static func events(_ web: WebRequest) async throws -> Response {
        let after = try web.query("after").map { try cursor($0) }
        let page = try await web.perform(web.services.subscriptions.events, (after, web.limit(100, 1000)))
        return .json(
            .object([
                .init("events", .array(page.events.map(\.json))),
                .init("cursor", .string(CloudEvent.cursor(page.cursor))), .init("more", .boolean(page.hasMore)),
            ])
        )
    }

    private static func cursor(_ text: String) throws(Problem) -> Int64 {
        guard let number = Int64(text) else {
            throw Problem("request.malformed", zh: "游标有误。", en: "The cursor is not right.")
        }
        return number
    }

    /// Where a replay begins: after a cursor, or with a time.
    ///
    /// - Throws: `request.malformed`.
    static func place(after: String?, from: String?) throws(Problem) -> Subscriptions.Place {
        if let after, !after.isEmpty { return .cursor(try cursor(after)) }
        let moment = Array((from ?? "").utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }
        guard let moment else {
            throw Problem(
                "request.malformed",
                zh: "请给出游标 after 或时间 from。",
                en: "Give a cursor “after” or a time “from”."
            )
        }
        return .time(moment)
    }

    static func json(_ subscription: Subscription) -> JSONValue {
        .object([
            .init("id", .integer(subscription.id)), .init("name", .string(subscription.name)),
            .init("url", .string(subscription.address)),
            .init("types", .array(subscription.kinds.map { .string($0.type) })),
            .init("resources", .array(subscription.codes.map { .string($0) })),
            .init("organisation", .integer(subscription.organisation.raw)),
            .init("state", .string(subscription.state.rawValue)),
            .init("reason", subscription.reason.map { .string($0.rawValue) } ?? .null),
            .init("cursor", .string(CloudEvent.cursor(subscription.position))),
            .init("attempts", .integer(subscription.attempts)),
            .init("next_at", SourcesAPI.time(subscription.nextAt)),
            .init("last_success_at", SourcesAPI.time(subscription.successAt)),
            .init("last_failure_at", SourcesAPI.time(subscription.failureAt)),
            .init("last_failure", subscription.failure.map { .string($0) } ?? .null),
            .init("created_at", SourcesAPI.time(subscription.createdAt)),
        ])
    }

    static func json(_ delivery: Delivery) -> JSONValue {
        .object([
            .init("event", .string(delivery.event)), .init("type", .string(delivery.type)),
            .init("subject", delivery.subject.isEmpty ? .null : .string(delivery.subject)),
            .init("cursor", delivery.sequence.map { .string(CloudEvent.cursor($0)) } ?? .null),
            .init("attempt", .integer(delivery.attempt)), .init("at", SourcesAPI.time(delivery.at)),
            .init("status", delivery.status.map { .integer($0) } ?? .null),
            .init("milliseconds", .integer(delivery.milliseconds)),
            .init("failure", delivery.failure.isEmpty ? .null : .string(delivery.failure)),
        ])
    }
}
