import Basics
import Catalogue
import Composition
import Connect
import Flow
import Foundation
import Hummingbird
import HummingbirdTesting
import Open
import Store
import Synchronization
import TestKit
import Testing
import Web

@testable import Kernel
@testable import Webhooks

/// Webhooks: what happened is told to receivers in order, signed, until they take it.
@Suite struct WebhookTests {
    static func settings(limit: Duration = .seconds(10)) -> WebhookSettings {
        WebhookSettings(
            policy: ReceiverPolicy(networks: ["127.0.0.0/8", "::1"].compactMap(Network.init), allowsHTTP: true),
            limit: limit
        )
    }

    static let code = "301003/000001"

    /// Notes events as loads of a resource do; their numbers.
    @discardableResult
    static func happen(_ node: TestNode, _ count: Int, code: String = Self.code) async throws -> [String] {
        let resource = try await node.node.kernel.resource(code)
        let clock = node.clock
        return try await node.node.kernel.databases.control.write { db in
            try (0..<count).map { index in
                try EventLog.note(.loaded, resource, [.init("rows", .integer(Int64(index)))], at: clock.now, db)
                return CloudEvent.cursor(try EventLog.bounds(db).last)
            }
        }
    }

    static func send(
        _ node: TestNode,
        _ method: String,
        _ path: String,
        _ session: [String: String],
        _ body: String = "{}"
    ) async throws -> TestNode.Answer {
        try await node.ask(method, "/api/v1/subscriptions\(path)", headers: session, body: Array(body.utf8))
    }

    /// Adds a subscription by the API; its number and secret.
    static func subscribe(
        _ node: TestNode,
        _ session: [String: String],
        _ port: Int,
        path: String = "hook",
        more: String = ""
    ) async throws -> (id: Int64, secret: String) {
        let answer = try await send(
            node,
            "POST",
            "",
            session,
            #"{"name":"测试接收方","url":"http://127.0.0.1:\#(port)/\#(path)"\#(more)}"#
        )
        let id = try #require(answer.json["id"]?.integer, "\(answer.text)")
        return (id, try #require(answer.json["secret"]?.string))
    }

    static func shown(_ node: TestNode, _ id: Int64, _ session: [String: String]) async throws -> JSONValue {
        try await send(node, "GET", "/\(id)", session).json
    }

    /// Fails, hangs, comes back: in order, signed, nothing lost, nothing twice.
    @Test func aReceiverThatFailsAndHangsGetsEverythingInOrder() async throws {
        let node = try await TestNode(demonstration: true, webhooks: Self.settings(limit: .seconds(8)))
        let receiver = TestReceiver()
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            let session = try await node.session("steward")
            let (id, secret) = try await Self.subscribe(node, session, port)
            let wanted = try await Self.happen(node, 12)
            receiver.says([.status(200), .status(500), .hang, .status(302, ["Location": "/other"]), .flood])
            let subscriptions = node.node.subscriptions
            #expect(try await subscriptions.runDue() > 0)
            #expect(receiver.taken().map(\.sequence) == Array(wanted.prefix(1)))
            var state = try await Self.shown(node, id, session)["subscription"]
            #expect(state?["attempts"]?.integer == 1 && state?["last_failure"]?.string == "HTTP 500")
            #expect(try await subscriptions.runDue() == 0, "it waits")
            node.clock.advance(microseconds: 7_000_000)
            #expect(try await subscriptions.runDue() > 0)
            state = try await Self.shown(node, id, session)["subscription"]
            #expect(state?["attempts"]?.integer == 2 && state?["last_failure"]?.string == "time")
            node.clock.advance(microseconds: 7_000_000)
            #expect(try await subscriptions.runDue() == 0, "30 s by now")
            node.clock.advance(microseconds: 30_000_000)
            try await subscriptions.runDue()
            #expect(receiver.requests("/other").isEmpty, "redirects are not followed")
            node.clock.advance(microseconds: 150_000_000)
            try await subscriptions.runDue()
            receiver.release()
            #expect(receiver.taken().map(\.sequence) == wanted)
            #expect(Set(receiver.taken().map(\.id)).count == wanted.count)
            // The same message at each attempt, each with its own signature.
            let second = receiver.requests().filter { $0.sequence == wanted[1] }
            #expect(second.count == 4 && Set(second.map(\.id)).count == 1 && Set(second.map(\.body)).count == 1)
            for request in receiver.requests() {
                let seconds = try #require(request.headers["webhook-timestamp"].flatMap { Int64($0) })
                let signature = WebhookSignature.value([secret], id: request.id, seconds: seconds, body: request.body)
                #expect(request.headers["webhook-signature"] == signature)
                #expect(request.headers["content-type"] == "application/cloudevents+json; charset=UTF-8")
            }
            let event = try #require(receiver.taken().first?.json)
            #expect(event["specversion"] == "1.0" && event["type"] == "cn.tongqu.data.loaded")
            #expect(event["subject"]?.string == Self.code && event["id"]?.string == receiver.taken()[0].id)
            #expect(
                event["source"]?.string?.hasPrefix("urn:uuid:") == true
                    && event["time"]?.string?.contains("+08:00") == true
            )
            #expect(event["datacontenttype"] == "application/json" && event["data"]?["rows"]?.integer == 0)
            let detail = try await Self.shown(node, id, session)
            #expect(detail["behind"]?.integer == 0 && detail["subscription"]?["attempts"]?.integer == 0)
            #expect(detail["deliveries"]?.array?.count == 15)
        }
        try await node.close()
    }

    /// While one receiver hangs, another gets everything; a stop waits for no receiver.
    @Test func aReceiverThatHangsHoldsNobodyUp() async throws {
        let node = try await TestNode(demonstration: true, webhooks: Self.settings(limit: .seconds(60)))
        let receiver = TestReceiver()
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            let session = try await node.session("steward")
            for index in 0..<3 {
                receiver.says([.hang], on: "/slow\(index)")
                _ = try await Self.subscribe(node, session, port, path: "slow\(index)")
            }
            _ = try await Self.subscribe(node, session, port, path: "quick")
            let wanted = try await Self.happen(node, 20)
            let subscriptions = node.node.subscriptions
            let service = Task { await subscriptions.run() }
            for _ in 0..<1000 where receiver.taken("/quick").count < wanted.count || receiver.requests("/slow1").isEmpty
            {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(receiver.taken("/quick").map(\.sequence) == wanted)
            #expect(receiver.requests("/slow1").count == 1)
            let start = ContinuousClock.now
            service.cancel()
            await service.value
            #expect(
                ContinuousClock.now - start < .seconds(30),
                "the slow ones have a minute, and a stop waits for none"
            )
            receiver.release()
        }
        try await node.close()
    }

    /// A process that ends in the middle leaves nothing unsent; what was taken is not sent again.
    @Test func aRestartGoesOnFromTheLastSuccess() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-hooks-\(UUID().uuidString)")
        let receiver = TestReceiver()
        let first = try await TestNode(folder: folder, demonstration: true, webhooks: Self.settings())
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            let session = try await first.session("steward")
            let (id, _) = try await Self.subscribe(first, session, port)
            let wanted = try await Self.happen(first, 6)
            receiver.says([.status(200), .status(200), .status(503)])
            try await first.node.subscriptions.runDue()
            #expect(receiver.taken().count == 2)
            // A killed process leaves its hold behind.
            let now = first.clock.now
            try await first.node.kernel.databases.control.write { db in
                try db.execute(
                    "UPDATE subscriptions SET lease = 'x', lease_until = ? WHERE id = ?",
                    [.integer(now + 10_000_000), .integer(id)]
                )
            }
            try await first.close()
            let node = try await TestNode(folder: folder, webhooks: Self.settings())
            node.clock.advance(microseconds: 40_000_000)
            try await node.node.subscriptions.runDue()
            #expect(receiver.taken().map(\.sequence) == wanted)
            #expect(receiver.requests().count == 7)
            try await node.close()
        }
        try? FileManager.default.removeItem(at: folder)
        try await TestNode.removeStore(of: folder)
    }

    /// 410 ends it, 429 says when to come again, days of failure end it too; somebody resumes it and nothing is lost.
    @Test func receiversSayHowTheyWantIt() async throws {
        let node = try await TestNode(demonstration: true, webhooks: Self.settings())
        let receiver = TestReceiver()
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            var session = try await node.session("steward")
            let (id, _) = try await Self.subscribe(node, session, port)
            let wanted = try await Self.happen(node, 3)
            let subscriptions = node.node.subscriptions
            receiver.says([.status(429, ["Retry-After": "100"]), .status(410)])
            try await subscriptions.runDue()
            node.clock.advance(microseconds: 90_000_000)
            #expect(try await subscriptions.runDue() == 0)
            node.clock.advance(microseconds: 11_000_000)
            #expect(try await subscriptions.runDue() > 0)
            var state = try await Self.shown(node, id, session)["subscription"]
            #expect(state?["state"] == "suspended" && state?["reason"] == "gone")
            node.clock.advance(microseconds: 86_400_000_000)
            #expect(try await subscriptions.runDue() == 0)
            session = try await node.session("steward")
            #expect(try await Self.send(node, "POST", "/\(id)/resume", session).status == 200)
            receiver.says(Array(repeating: .status(500), count: 100))
            var tries = 0
            while try await subscriptions.find(id).state == .active, tries < 60 {
                try await subscriptions.runDue()
                node.clock.advance(microseconds: 4 * 3_600_000_000)
                tries += 1
            }
            session = try await node.session("steward")
            state = try await Self.shown(node, id, session)["subscription"]
            #expect(state?["reason"] == "failing" && (8...40).contains(tries), "\(tries)")
            receiver.says([])
            _ = try await Self.send(node, "POST", "/\(id)/resume", session)
            try await subscriptions.runDue()
            #expect(receiver.taken().map(\.sequence) == wanted)
        }
        try await node.close()
    }

    /// Again from a cursor and from a time; tests; another secret beside the old one; paused and taken away.
    @Test func replaysTestsAndSecrets() async throws {
        let node = try await TestNode(demonstration: true, webhooks: Self.settings())
        let receiver = TestReceiver()
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            var session = try await node.session("steward")
            let (id, secret) = try await Self.subscribe(
                node,
                session,
                port,
                more: #","types":["cn.tongqu.data.loaded"],"resources":["\#(Self.code)"]"#
            )
            let early = try await Self.happen(node, 2)
            _ = try await Self.happen(node, 2, code: "301001/000001")
            node.clock.advance(microseconds: 3_600_000_000)
            let later = node.clock.now
            let late = try await Self.happen(node, 3)
            let subscriptions = node.node.subscriptions
            try await subscriptions.runDue()
            #expect(receiver.taken().map(\.sequence) == early + late, "of one resource only")
            #expect(try await Self.shown(node, id, session)["behind"]?.integer == 0)
            var answer = try await Self.send(node, "POST", "/\(id)/replay", session, #"{"after":"\#(early[0])"}"#)
            #expect(answer.json["after"]?.string == early[0])
            try await subscriptions.runDue()
            #expect(receiver.taken().dropFirst(5).map(\.sequence) == [early[1]] + late)
            answer = try await Self.send(
                node,
                "POST",
                "/\(id)/replay",
                session,
                #"{"from":"\#(CivilTime.timestamp(later))"}"#
            )
            #expect(answer.status == 200, "\(answer.text)")
            try await subscriptions.runDue()
            #expect(receiver.taken().dropFirst(9).map(\.sequence) == late)
            #expect(try await Self.send(node, "POST", "/\(id)/replay", session, #"{"after":"999999"}"#).status == 400)

            let fresh = try #require(try await Self.send(node, "POST", "/\(id)/secret", session).json["secret"]?.string)
            let tested = try await Self.send(node, "POST", "/\(id)/test", session).json
            #expect(tested["status"]?.integer == 204 && tested["type"]?.string == "cn.tongqu.subscription.tested")
            let request = try #require(receiver.taken().last)
            let seconds = try #require(request.headers["webhook-timestamp"].flatMap { Int64($0) })
            let both = WebhookSignature.value([fresh, secret], id: request.id, seconds: seconds, body: request.body)
            #expect(request.headers["webhook-signature"] == both && both.contains(" v1,"))
            node.clock.advance(microseconds: 25 * 3_600_000_000)
            session = try await node.session("steward")
            #expect(try await subscriptions.secrets(id) == [fresh])
            let kept = try await node.node.kernel.databases.control.read { db in
                try db.row("SELECT secret FROM subscriptions WHERE id = ?", [.integer(id)])?.text(0) ?? ""
            }
            #expect(!kept.contains(fresh) && !kept.isEmpty, "sealed")

            _ = try await Self.send(node, "POST", "/\(id)/pause", session)
            try await Self.happen(node, 1)
            #expect(try await subscriptions.runDue() == 0)
            #expect(try await Self.send(node, "DELETE", "/\(id)", session).status == 200)
            #expect(try await Self.send(node, "GET", "/\(id)", session).status == 404)
        }
        try await node.close()
    }

    /// Rights are asked for at each sending: of the account as it is then.
    @Test func rightsAreThoseOfTheMoment() async throws {
        let node = try await TestNode(demonstration: true, webhooks: Self.settings())
        let receiver = TestReceiver()
        let kernel = node.node.kernel
        let secret = try await node.resource(
            try PathTests.file(),
            name: "未发布资源",
            session: try await node.session("clerk"),
            change: PathTests.refine
        )
        let clerk = try #require(try await kernel.accounts.find(login: "clerk"))
        let auditor = try #require(try await kernel.accounts.find(login: "auditor"))
        for (principal, scope) in [(clerk, Grant.Scope.own), (auditor, .own)] {
            let grant = Grant(to: .principal(principal.id), [.subscriptionManage], on: scope)
            try await kernel.databases.control.write { db in try Kernel.add(grant, by: nil, at: 0, db) }
        }
        try await kernel.gate.reload()
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            let (mine, others) = (try await node.session("clerk"), try await node.session("auditor"))
            #expect(try await Self.send(node, "GET", "", try await node.session("reviewer")).status == 403)
            let (id, _) = try await Self.subscribe(node, mine, port, path: "clerk")
            let (other, _) = try await Self.subscribe(node, others, port, path: "auditor")
            #expect(
                try await Self.send(
                    node,
                    "POST",
                    "",
                    others,
                    #"{"name":"x","url":"http://127.0.0.1:\#(port)/x","resources":["\#(secret.code)"]}"#
                ).status == 422,
                "whoever may not see it learns nothing"
            )
            try await Self.happen(node, 1, code: secret.code)
            try await Self.happen(node, 1)
            try await node.node.subscriptions.runDue()
            #expect(receiver.taken("/clerk").count == 2, "drafts of one's own department")
            #expect(receiver.taken("/auditor").map { $0.json["subject"]?.string } == [Self.code])
            // Disabled: nothing more goes out, and nothing is lost.
            try await kernel.databases.control.write { db in
                try db.execute("UPDATE principals SET active = 0 WHERE id = ?", [.integer(clerk.id.raw)])
            }
            try await Self.happen(node, 1)
            try await node.node.subscriptions.runDue()
            #expect(receiver.requests("/clerk").count == 2 && receiver.taken("/auditor").count == 2)
            let state = try await node.node.subscriptions.find(id)
            #expect(state.state == .suspended && state.reason == .owner)
            #expect(try await node.node.subscriptions.find(other).state == .active)
        }
        try await node.close()
    }

    /// What the public reads by the cursor: open resources, and the end of those that were.
    @Test func theLogIsReadByACursorAsFarAsOneMaySee() async throws {
        let node = try await TestNode(demonstration: true)
        func read(_ query: String, _ session: [String: String] = [:]) async throws -> JSONValue {
            let answer = try await node.ask("GET", "/api/v1/events\(query)", headers: session)
            #expect(answer.status == 200, "\(answer.text)")
            return answer.json
        }
        let steward = try await node.session("steward")
        let all = try await read("?limit=1000", steward)
        let types = Set((all["events"]?.array ?? []).compactMap { $0["type"]?.string })
        #expect(types.contains("cn.tongqu.entry.published") && types.contains("cn.tongqu.data.loaded"), "\(types)")
        let open = try await read("?limit=1000")
        let shown = (open["events"]?.array ?? []).compactMap { $0["subject"]?.string }
        for code in Set(shown) { #expect(try await node.node.kernel.resource(code).isOpen, "\(code)") }
        #expect(open["cursor"] == all["cursor"] && open["more"] == false)

        // Page by page it is the same.
        var pages: [JSONValue] = []
        var cursor = ""
        repeat {
            let page = try await read("?limit=3\(cursor)", steward)
            pages += page["events"]?.array ?? []
            cursor = "&after=\(page["cursor"]?.string ?? "")"
            if page["more"] == false { break }
        } while pages.count < 1000
        #expect(pages == all["events"]?.array)

        // Withdrawn: the public learns the end of what it could see, and nothing of the rest.
        let last = try #require(all["cursor"]?.string)
        let seen = try #require(shown.first, "the demonstration opens something")
        let authority = try await node.caller("authority")
        _ = try await node.node.kernel.gate.perform(
            node.node.services.catalogue.withdraw,
            (seen, "停用"),
            as: authority
        )
        let closed = try #require(
            (all["events"]?.array ?? []).compactMap { $0["subject"]?.string }.first { !shown.contains($0) }
        )
        _ = try await node.node.kernel.gate.perform(
            node.node.services.catalogue.withdraw,
            (closed, "停用"),
            as: authority
        )
        let end = try await read("?after=\(last)")
        #expect(end["events"]?.array?.map { $0["subject"]?.string } == [seen])
        #expect(end["events"]?.array?.first?["type"] == "cn.tongqu.entry.withdrawn")
        #expect((try await read("?after=\(last)", steward))["events"]?.array?.count == 2)
        #expect(
            !(try await read("?limit=1000")["events"]?.array ?? []).contains {
                $0["type"] == "cn.tongqu.data.loaded" && $0["subject"]?.string == seen
            }
        )

        // Old ones go; a cursor from before is told so.
        node.clock.advance(microseconds: 31 * 86_400_000_000)
        try await Self.happen(node, 1)
        try await node.node.subscriptions.prune()
        let again = try await node.session("steward")
        #expect((try await read("", again))["events"]?.array?.count == 1)
        let gone = try await node.ask("GET", "/api/v1/events?after=1", headers: again)
        #expect(gone.status == 410 && gone.json["code"] == "event.expired")
        #expect(try await node.ask("GET", "/api/v1/events?after=99999999").status == 400)
        #expect(try await node.ask("GET", "/api/v1/events?after=x").status == 400)
        try await node.close()
    }

    /// An entry's way through publication leaves its events, a load told twice leaves one.
    @Test func changesLeaveEventsOfTheirKinds() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        let actions = node.node.services.catalogue
        let before = try await kernel.databases.control.read { try EventLog.bounds($0).last }
        let entry = try await kernel.gate.perform(actions.show, Self.code, as: try await node.caller("clerk")).entry
        var content = try #require(entry.content)
        content.summary += "补充说明。"
        _ = try await kernel.gate.perform(actions.save, (Self.code, content), as: try await node.caller("clerk"))
        _ = try await kernel.gate.perform(actions.submit, (Self.code, ""), as: try await node.caller("clerk"))
        let review = CatalogueActions.Review(code: Self.code, approve: true, note: "同意")
        _ = try await kernel.gate.perform(actions.reviewForDepartment, review, as: try await node.caller("reviewer"))
        _ = try await kernel.gate.perform(actions.reviewForAuthority, review, as: try await node.caller("authority"))
        _ = try await kernel.gate.perform(actions.withdraw, (Self.code, "停用"), as: try await node.caller("authority"))
        let found = try await kernel.databases.control.read { try EventLog.events(after: before, limit: 100, $0) }
        #expect(found.map(\.kind) == [.changed, .withdrawn])
        #expect(found.first?.data["version"]?.integer == entry.version + 1)

        // Opened by three people, answered, closed again.
        let other = "301001/000001"
        let opening = node.node.services.opening
        let proposal = Opening.proposal(try await kernel.resource(other))
        let request = try await kernel.gate.perform(
            opening.apply,
            (other, proposal, "公众需要"),
            as: try await node.caller("clerk")
        )
        let day = CivilTime.chinaDay(microseconds: node.clock.now) + 100
        let yes = OpenActions.Answer(id: request.id, approve: true, note: "同意", nextReview: day)
        _ = try await kernel.gate.perform(opening.reviewSecrecy, yes, as: try await node.caller("reviewer"))
        _ = try await kernel.gate.perform(opening.reviewAuthority, yes, as: try await node.caller("authority"))
        let flows = node.node.services.flows
        let remarks = try #require(try await flows.systems.place(key: "public_feedback")).code
        let remark = StepRequest(
            remarks,
            step: "send",
            values: ["entry": other, "kind": "error", "text": "缺少一处卡口。"]
        )
        let sent = try await kernel.gate.perform(flows.send, remark, as: .anonymous())
        let answer = StepRequest(remarks, record: sent.record, step: "answer", values: ["answer": "已补充。"])
        _ = try await kernel.gate.perform(flows.step, answer, as: try await node.caller("clerk"))
        _ = try await kernel.gate.perform(opening.close, (request.id, "复审"), as: try await node.caller("authority"))
        let more = try await kernel.databases.control.read {
            try EventLog.events(after: before + 2, limit: 100, $0)
        }
        #expect(more.map(\.kind) == [.opened, .answered, .closed])
        #expect(more.first { $0.kind == .answered }?.data["feedback"]?.integer == sent.record)
        #expect(more.last?.wasOpen == true && more.last?.resource.isOpen == false)

        // The outbox of the lake may tell of a load again.
        let (resource, clock) = (entry.resource, node.clock)
        for _ in 0..<2 {
            try await kernel.databases.control.write { db in
                try EventLog.note(.loaded, resource, [], id: "one", at: clock.now, db)
            }
        }
        let loads = try await kernel.databases.control.read { try EventLog.events(after: before, limit: 100, $0) }
        #expect(loads.count == 6)
        try await node.close()
    }
}
