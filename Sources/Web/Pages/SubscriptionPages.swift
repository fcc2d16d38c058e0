import Basics
import HTTPTypes
import Hummingbird
import Kernel
import Webhooks

/// Subscriptions in the console: who is told of what, and what became of it.
enum SubscriptionPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/subscriptions",
            .actions(["subscription.list"]),
            .console,
            zh: "事件订阅",
            en: "Subscriptions",
            handle: list
        ),
        Route(
            .get,
            "/console/subscriptions/new",
            .actions(["subscription.save"]),
            .console,
            zh: "新建订阅页",
            en: "New subscription page"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            try web.services.kernel.gate.require(Subscriptions.saveDescriptor, web.caller)
            return .page(form(nil, web))
        },
        Route(
            .post,
            "/console/subscriptions",
            .actions(["subscription.save"]),
            .console,
            zh: "新建订阅",
            en: "Add a subscription"
        ) { web in
            let draft = try draft(try await web.form())
            let (id, secret) = try await web.perform(web.services.subscriptions.saved, (0, draft))
            return .page(try await view(web, id, secret: secret))
        },
        Route(
            .get,
            "/console/subscriptions/{id}",
            .actions(["subscription.show"]),
            .console,
            zh: "订阅",
            en: "A subscription"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            return .page(try await view(web, try web.number("id")))
        },
        Route(
            .get,
            "/console/subscriptions/{id}/edit",
            .actions(["subscription.show"]),
            .console,
            zh: "修改订阅页",
            en: "Change a subscription, page"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            return .page(
                form(try await web.perform(web.services.subscriptions.show, try web.number("id")).subscription, web)
            )
        },
        Route(
            .post,
            "/console/subscriptions/{id}",
            .actions([
                "subscription.save", "subscription.pause", "subscription.resume", "subscription.rotate",
                "subscription.test", "subscription.replay", "subscription.remove",
            ]),
            .console,
            zh: "修改、暂停、测试、重放或删除",
            en: "Change, pause, test, send again or take away",
            handle: act
        ),
    ]

    private static func act(_ web: WebRequest) async throws -> Response {
        let form = try await web.form()
        let id = try web.number("id")
        let subscriptions = web.services.subscriptions
        switch form["act"] {
        case "pause": try await web.perform(subscriptions.paused, id)
        case "resume": try await web.perform(subscriptions.resumed, id)
        case "rotate":
            let secret = try await web.perform(subscriptions.rotated, id)
            return .page(try await view(web, id, secret: secret))
        case "test":
            let delivery = try await web.perform(subscriptions.tested, id)
            return .page(try await view(web, id, tested: delivery))
        case "replay":
            let place = try SubscriptionsAPI.place(after: form["after"], from: form["from"])
            _ = try await web.perform(subscriptions.replayed, (id, place))
        case "remove":
            try await web.perform(subscriptions.removed, id)
            return .redirect("/console/subscriptions")
        default: _ = try await web.perform(subscriptions.saved, (id, try draft(form)))
        }
        return .redirect("/console/subscriptions/\(id)")
    }

    private static func draft(_ form: Form) throws -> SubscriptionDraft {
        let types = form.fields.filter { $0.name == "type" }.map { JSONValue.string($0.value) }
        let codes = form["resources"].split(whereSeparator: { $0.isWhitespace || $0 == "," || $0 == "，" })
        return try SubscriptionDraft(
            json: .object([
                .init("name", .string(form["name"])), .init("url", .string(form["url"])),
                .init("types", .array(types)), .init("resources", .array(codes.map { .string(String($0)) })),
            ])
        )
    }

    // MARK: The list

    private static func state(_ subscription: Subscription, _ web: WebRequest) -> HTML {
        let title = subscription.state.title[web.language]
        guard subscription.state == .active else {
            return Layout.badge(title, subscription.state == .suspended ? "poor" : "")
        }
        guard subscription.attempts > 0 else { return Layout.badge(title, "good") }
        return Layout.badge(web.text("重试中(\(subscription.attempts) 次)", "retrying (\(subscription.attempts)×)"), "fair")
    }

    private static func kinds(_ subscription: Subscription, _ web: WebRequest) -> String {
        subscription.kinds.isEmpty
            ? web.text("全部事件", "all events")
            : subscription.kinds.map { $0.title[web.language] }.joined(separator: web.text("、", ", "))
    }

    private static func resources(_ subscription: Subscription, _ web: WebRequest) -> HTML {
        subscription.codes.isEmpty
            ? "\(web.text("有权看到的全部资源", "all that may be seen"))"
            : HTML(
                subscription.codes.map {
                    "<a href=\"/resources/\($0.replacing("/", with: "-"))\"><code>\($0)</code></a> " as HTML
                }
            )
    }

    private static func list(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let list = try await web.perform(web.services.subscriptions.listed, ())
        let organisations = web.services.kernel.gate.organisations
        let rows = list.map { subscription -> HTML in
            """
            <tr><td><a href="/console/subscriptions/\(subscription.id)">\(subscription.name)</a></td><td>\(state(subscription, web))</td>
            <td>\(kinds(subscription, web))</td><td>\(resources(subscription, web))</td>
            <td>\(organisations[subscription.organisation]?.name ?? "—")</td>
            <td>\(SourcePages.minute(subscription.successAt))</td><td>\(SourcePages.minute(subscription.failureAt))</td></tr>
            """
        }
        let heads = [
            web.text("名称", "Name"), web.text("状态", "State"), web.text("事件", "Events"), web.text("资源", "Resources"),
            web.text("机构", "Organisation"), web.text("最近成功", "Last success"), web.text("最近失败", "Last failure"),
        ]
        let title = web.text("事件订阅", "Subscriptions")
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(
                web.text(
                    "还没有订阅。目录发布、变更、下线，资源开放与停止开放，数据更新，都可以即时推送到指定地址。",
                    "No subscriptions yet. When entries are published, changed or withdrawn, resources opened or closed, or data loaded, a receiver can be told at once."
                )
            ) : Layout.table(heads, rows, label: title)
        return .page(
            Layout.console(
                title,
                web,
                "<header class=\"title\"><h1>\(title)</h1><p class=\"actions\"><a class=\"button\" href=\"/console/subscriptions/new\">\(web.text("新建订阅", "New subscription"))</a></p></header><section class=\"card\">\(table)</section>"
            )
        )
    }

    // MARK: One subscription

    private static func fault(_ text: String, _ language: Language) -> String {
        Subscriptions.title(ofFailure: text)?[language] ?? text
    }

    private static func view(
        _ web: WebRequest,
        _ id: Int64,
        secret: String? = nil,
        tested: Delivery? = nil
    ) async throws -> HTML {
        let detail = try await web.perform(web.services.subscriptions.show, id)
        let subscription = detail.subscription
        let organisation = web.services.kernel.gate.organisations[subscription.organisation]?.name ?? "—"
        let waits = subscription.state == .active && subscription.attempts > 0
        let facts: [(String, HTML)] = [
            (web.text("状态", "State"), state(subscription, web)),
            (web.text("接收地址", "Receiver"), "<code>\(subscription.address)</code>"),
            (web.text("事件", "Events"), "\(kinds(subscription, web))"),
            (web.text("资源", "Resources"), resources(subscription, web)),
            (web.text("机构", "Organisation"), "\(organisation)"),
            (
                web.text("游标", "Cursor"),
                "<code>\(CloudEvent.cursor(subscription.position))</code> \(detail.behind == 0 ? web.text("已到末尾", "at the end") : web.text("其后还有 \(detail.behind) 个事件", "\(detail.behind) events after it"))"
            ),
            (web.text("最近成功", "Last success"), "\(SourcePages.minute(subscription.successAt))"),
            (
                web.text("最近失败", "Last failure"),
                "\(SourcePages.minute(subscription.failureAt)) \(subscription.failure.map { fault($0, web.language) } ?? "")"
            ),
            (web.text("下次尝试", "Next attempt"), "\(waits ? SourcePages.minute(subscription.nextAt) : "—")"),
        ]
        let lines = facts.map { "<div><dt>\($0)</dt><dd class=\"wrapped\">\($1)</dd></div>" as HTML }
        return Layout.console(
            subscription.name,
            web,
            """
            <p class="crumbs"><a href="/console/subscriptions">\(web.text("事件订阅", "Subscriptions"))</a></p>
            <header class="title"><h1>\(subscription.name)</h1></header>\(notices(detail, web))\(shown(secret, web))\(shown(tested, web))
            <div class="actions">\(buttons(subscription, web))</div>
            <section class="card"><h2>\(web.text("设置", "Settings"))</h2><dl class="facts">\(lines)</dl></section>
            <section class="card"><h2>\(web.text("最近推送", "Last deliveries"))</h2>\(table(detail.deliveries, web))</section>
            """
        )
    }

    private static func notices(_ detail: Subscriptions.Detail, _ web: WebRequest) -> HTML {
        var notices: [HTML] = []
        if detail.subscription.state == .suspended, let reason = detail.subscription.reason {
            notices.append(
                "<div class=\"alert\" role=\"alert\"><p>\(web.text("已中止推送：", "Nothing is sent: "))\(reason.title[web.language])\(web.text("。恢复后从游标处继续。", ". Resumed, it goes on from its cursor."))</p></div>"
            )
        }
        if detail.hasMissed {
            notices.append(
                "<div class=\"alert\" role=\"alert\"><p>\(web.text("游标之后的部分事件已过保留期，接收方应重新读取目录。", "Some events after the cursor are no longer kept: the receiver should read the catalogue again."))</p></div>"
            )
        }
        return HTML(notices)
    }

    private static func shown(_ secret: String?, _ web: WebRequest) -> HTML {
        guard let secret else { return .empty }
        return
            "<section class=\"card\" role=\"status\"><p>\(web.text("签名密钥，只显示这一次，请立即保存：", "The secret of its signatures, shown this once; keep it now:"))</p><p class=\"wrapped\"><code>\(secret)</code></p></section>"
    }

    private static func shown(_ tested: Delivery?, _ web: WebRequest) -> HTML {
        guard let tested else { return .empty }
        let said = tested.status.map { "HTTP \($0)" } ?? fault(tested.failure, web.language)
        return
            "<section class=\"card\" role=\"status\"><p>\(web.text("测试事件：", "The test event: "))\(Layout.badge(said, tested.isSuccess ? "good" : "poor")) \(web.text("\(tested.milliseconds) 毫秒", "\(tested.milliseconds) ms"))</p></section>"
    }

    private static func buttons(_ subscription: Subscription, _ web: WebRequest) -> HTML {
        func button(_ act: String, _ label: String, _ style: String = "quiet", _ fields: HTML = .empty) -> HTML {
            "<form method=\"post\" action=\"/console/subscriptions/\(subscription.id)\" class=\"inline\">\(Layout.csrf(web))<input type=\"hidden\" name=\"act\" value=\"\(act)\">\(fields)<button class=\"\(style)\">\(label)</button></form>"
        }
        let cursor = CloudEvent.cursor(subscription.position)
        let after: HTML =
            "<input name=\"after\" inputmode=\"numeric\" placeholder=\"\(cursor)\" aria-label=\"\(web.text("游标", "Cursor"))\">"
        let from: HTML =
            "<input name=\"from\" type=\"datetime-local\" required aria-label=\"\(web.text("时间(北京时间)", "Time (UTC+8)"))\">"
        return HTML([
            subscription.state == .active
                ? button("pause", web.text("暂停", "Pause")) : button("resume", web.text("恢复", "Resume"), ""),
            button("test", web.text("发送测试事件", "Send a test")),
            "<a class=\"button quiet\" href=\"/console/subscriptions/\(subscription.id)/edit\">\(web.text("修改", "Change"))</a>",
            "<details class=\"inline\"><summary>\(web.text("重放……", "Send again…"))</summary>\(button("replay", web.text("从游标之后重放", "Send what came after the cursor"), "quiet", after)) \(button("replay", web.text("从时间起重放", "Send what came since the time"), "quiet", from))</details>",
            // Asked twice: neither can be taken back.
            "<details class=\"inline\"><summary>\(web.text("更换密钥或删除……", "New secret or take away…"))</summary><p class=\"actions\">\(button("rotate", web.text("更换密钥", "New secret"))) \(button("remove", web.text("删除订阅", "Take away"), "danger"))</p></details>",
        ])
    }

    private static func table(_ deliveries: [Delivery], _ web: WebRequest) -> HTML {
        guard !deliveries.isEmpty else { return Layout.empty(web.text("还没有推送过。", "Nothing was sent yet.")) }
        let rows = deliveries.map { delivery -> HTML in
            let said = delivery.status.map { "HTTP \($0)" } ?? fault(delivery.failure, web.language)
            let kind = NodeEvent.Kind(type: delivery.type)?.title[web.language] ?? web.text("测试", "test")
            return
                "<tr><td>\(CivilTime.minute(delivery.at))</td><td>\(kind)</td><td><code>\(delivery.subject)</code></td><td class=\"number\">\(delivery.attempt)</td><td>\(Layout.badge(said, delivery.isSuccess ? "good" : "poor"))</td><td class=\"number\">\(Numbers.grouped(delivery.milliseconds))</td><td><code>\(delivery.sequence.map { CloudEvent.cursor($0) } ?? "—")</code></td></tr>"
        }
        let heads = [
            web.text("时间", "Time"), web.text("事件", "Event"), web.text("资源", "Resource"),
            web.text("第几次", "Attempt") + "#", web.text("结果", "Outcome"), web.text("毫秒", "ms") + "#",
            web.text("游标", "Cursor"),
        ]
        return Layout.table(heads, rows, label: web.text("最近推送", "Last deliveries"))
    }

    // MARK: The form

    private static func form(_ subscription: Subscription?, _ web: WebRequest) -> HTML {
        let action = subscription.map { "/console/subscriptions/\($0.id)" } ?? "/console/subscriptions"
        let title = subscription?.name ?? web.text("新建订阅", "New subscription")
        let chosen = Set(subscription?.kinds ?? [])
        let types = NodeEvent.Kind.allCases.map { kind -> HTML in
            let checked: HTML = chosen.contains(kind) ? " checked" : .empty
            return
                "<label class=\"check\"><input type=\"checkbox\" name=\"type\" value=\"\(kind.type)\"\(checked)><span>\(kind.title[web.language])</span></label>"
        }
        let codes = (subscription?.codes ?? []).joined(separator: "\n")
        return Layout.console(
            title,
            web,
            """
            <p class="crumbs"><a href="/console/subscriptions">\(web.text("事件订阅", "Subscriptions"))</a></p>
            <header class="title"><h1>\(title)</h1></header>
            <section class="card"><form method="post" action="\(action)" class="stack">\(Layout.csrf(web))
            \(Layout.field(web.text("名称", "Name"), "<input name=\"name\" value=\"\(subscription?.name ?? "")\" required maxlength=\"60\">"))
            \(Layout.field(web.text("接收地址", "Receiver's address"), "<input name=\"url\" type=\"url\" value=\"\(subscription?.address ?? "")\" required maxlength=\"2000\" placeholder=\"https://example.gov.cn/hooks/tongqu\">", hint: web.text("事件以 POST 发往这里，带签名；不跟随转向。", "Events are posted there with a signature; redirects are not followed.")))
            <fieldset><legend>\(web.text("事件(不选即全部)", "Events (none chosen: all)"))</legend>\(types)</fieldset>
            \(Layout.field(web.text("资源代码(每行一个，不填即有权看到的全部)", "Codes of resources, one a line (none: all that may be seen)"), "<textarea name=\"resources\" rows=\"4\" placeholder=\"301001/000001\">\(codes)</textarea>"))
            <p class="hint">\(web.text("订阅以最后保存者的身份读取：保存后，推送的范围即您能看到的范围。", "It reads as whoever saved it last: what is sent is what you may see."))</p>
            <div class="actions"><button>\(web.text("保存", "Save"))</button></div></form></section>
            """
        )
    }
}
