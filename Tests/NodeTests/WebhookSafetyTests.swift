import Basics
import Composition
import Connect
import Foundation
import Hummingbird
import HummingbirdTesting
import Store
import StorePostgres
import Synchronization
import TestKit
import Testing

@testable import Kernel
@testable import Webhooks

/// Where events may be sent, how they are signed, and who does it.
@Suite struct WebhookSafetyTests {
    /// The example that the Standard Webhooks libraries publish.
    @Test func signaturesAreThoseOfTheStandard() {
        let body = Array(#"{"test": 2432232314}"#.utf8)
        let signature = WebhookSignature.value(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            seconds: 1_614_265_330,
            body: body
        )
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        #expect(WebhookSignature.secret().hasPrefix("whsec_") && WebhookSignature.secret().count == 50)
    }

    @Test(arguments: [
        ("8.8.8.8", true), ("1.1.1.1", true), ("100.63.255.255", true), ("100.128.0.0", true), ("172.32.0.1", true),
        ("127.0.0.1", false), ("127.255.0.9", false), ("0.0.0.0", false), ("10.1.2.3", false), ("172.16.0.1", false),
        ("172.31.255.255", false), ("192.168.1.1", false), ("169.254.169.254", false), ("100.64.0.1", false),
        ("100.100.100.200", false), ("192.0.0.8", false), ("192.0.2.1", false), ("198.18.0.1", false),
        ("203.0.113.9", false), ("224.0.0.1", false), ("240.0.0.1", false), ("255.255.255.255", false),
        ("2400:3200::1", true), ("2606:4700::1111", true), ("::", false), ("::1", false), ("fe80::1", false),
        ("fc00::1", false), ("fd00:ec2::254", false), ("ff02::1", false), ("::ffff:127.0.0.1", false),
        ("::ffff:8.8.8.8", false), ("64:ff9b::7f00:1", false), ("64:ff9b:1::1", false), ("2002:7f00:1::", false),
        ("2001::1", false), ("2001:db8::1", false), ("3fff::1", false), ("::127.0.0.1", false), ("100::1", false),
    ])
    func addressesOfTheOpenInternet(_ text: String, _ isPublic: Bool) throws {
        let address = try #require(NetworkAddress(text))
        #expect(address.isPublic == isPublic)
        #expect(NetworkAddress(address.text) == address)
    }

    @Test func networksAreReadAndCompared() throws {
        let network = try #require(Network("10.20.0.0/14"))
        #expect(network.contains(try #require(NetworkAddress("10.23.1.1"))))
        #expect(!network.contains(try #require(NetworkAddress("10.24.1.1"))))
        #expect(!network.contains(try #require(NetworkAddress("::ffff:10.20.0.1"))))
        #expect(
            try WebhookSettings.networks("10.0.0.0/8, fd00::/8 192.0.2.7").map(\.description) == [
                "10.0.0.0/8", "fd00::/8", "192.0.2.7/32",
            ]
        )
        for text in ["10.0.0.0/33", "10.0.0/8", "x", "10.0.0.0/8/8", "fd00::/129", "10.0.0.0/-1"] {
            #expect(throws: Problem.self) { try WebhookSettings.networks(text) }
        }
    }

    @Test(arguments: [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https://user@example.com/",
        "https://user:secret@example.com/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest", "https://10.0.0.1:8443/x", "https:///x", "https://exam ple.com/",
        "example.com",
        "https://example.com/#part", "https://EXAMPLE.com%2f@127.0.0.1/", "https://example.com:0/", "https://例.com/",
        "https://exa_mple.com/", "javascript:alert(1)", "https://example.com/\r\nX: y", "https://[fe80::1%25eth0]/",
        "https://example.com%00.evil/", "http+unix://%2Ftmp%2Fsocket/",
    ])
    func addressesThatAreRefused(_ address: String) {
        let refused = #expect(throws: Problem.self) { try ReceiverPolicy().check(address) }
        #expect(refused?.code == "webhook.address")
    }

    /// Forms that are no addresses to the node but to a resolver are looked up, and what they mean is checked.
    @Test(arguments: ["https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://localhost/", "https://0/"])
    func otherWritingsOfThisMachineAreRefused(_ address: String) async throws {
        let fault = await #expect(throws: (any Error).self) { _ = try await Receiver.open(address, ReceiverPolicy()) }
        #expect([ReceiverFailure.address, .name].contains(fault as? ReceiverFailure), "\(String(describing: fault))")
    }

    /// A name is looked up once, all its addresses are checked, and the connection goes to the one that was checked.
    @Test func aNameThatChangesItsMindReachesNothing() async throws {
        let receiver = TestReceiver()
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            let asked = Mutex(0)
            let own = ["127.0.0.0/8"].compactMap(Network.init)
            let turning = ReceiverPolicy(networks: own, allowsHTTP: true) { _ in
                asked.withLock { $0 += 1 }
                return ["127.0.0.1"].compactMap(NetworkAddress.init)
            }
            let open = try await Receiver.open("http://receiver.invalid:\(port)/hook", turning)
            for _ in 0..<3 {
                let answer = try await open.post([1], [("x-test", "1")], within: .seconds(5))
                #expect(answer.status == 204)
            }
            #expect(asked.withLock(\.self) == 1 && receiver.requests().count == 3)
            #expect(receiver.requests().first?.headers["host"] == "receiver.invalid:\(port)")
            for list in [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], []] {
                let policy = ReceiverPolicy(allowsHTTP: true) { _ in list.compactMap(NetworkAddress.init) }
                await #expect(throws: ReceiverFailure.self) {
                    _ = try await Receiver.open("http://receiver.invalid:\(port)/hook", policy)
                }
            }
            #expect(receiver.requests().count == 3)
        }
    }

    @Test func pausesGrowAndHaveLimits() {
        func pause(_ attempts: Int64, _ status: Int? = 500, _ again: String? = nil, jitter: Double = 0) -> Int64 {
            Backoff.pause(attempts: attempts, status: status, retryAfter: again, jitter: jitter) / 1_000_000
        }
        #expect((1...8).map { pause($0) } == [5, 30, 120, 600, 3600, 21_600, 21_600, 21_600])
        #expect(pause(2, jitter: 1) == 36)
        #expect(pause(1, 503, "77") == 77 && pause(1, 429, "0") == 5 && pause(1, 429, "999999999") == 21_600)
        #expect(pause(1, 500, "77") == 5 && pause(1, 503, "Wed, 21 Oct 2026 07:28:00 GMT") == 5)
    }

    /// Without a setting neither http nor this machine is sent to, whoever asks.
    @Test func theApiRefusesWhatTheNodeDoesNotAllow() async throws {
        let node = try await TestNode(demonstration: true)
        let session = try await node.session("steward")
        for url in ["http://example.com/", "https://127.0.0.1/", "https://user:x@example.com/"] {
            let answer = try await WebhookTests.send(node, "POST", "", session, #"{"name":"x","url":"\#(url)"}"#)
            #expect(answer.status == 422 && answer.json["code"] == "webhook.address", "\(answer.text)")
        }
        for (body, code) in [
            (#"{"name":"","url":"https://example.com/"}"#, "subscription.invalid"),
            (#"{"name":"x","url":"https://example.com/","types":["no"]}"#, "request.body"),
        ] {
            #expect(try await WebhookTests.send(node, "POST", "", session, body).json["code"]?.string == code)
        }
        // A network that was allowed when it was saved and is no longer.
        let made = try await WebhookTests.send(node, "POST", "", session, #"{"name":"x","url":"https://localhost:1/"}"#)
        let id = try #require(made.json["id"]?.integer)
        let tested = try await WebhookTests.send(node, "POST", "/\(id)/test", session).json
        #expect(["address", "name"].contains(tested["failure"]?.string) && tested["status"] == .null)
        try await node.close()
    }

    @Test func pagesShowThem() async throws {
        let node = try await TestNode(demonstration: true)
        let steward = try await node.session("steward")
        let clerk = try await node.session("clerk")
        #expect(try await node.ask("GET", "/console/subscriptions", headers: clerk).status == 403)
        #expect(!(try await node.ask("GET", "/console", headers: clerk)).text.contains("/console/subscriptions"))
        #expect(try await node.ask("GET", "/console", headers: steward).text.contains("/console/subscriptions"))
        #expect(
            try await node.ask("GET", "/console/subscriptions/new", headers: steward).text.contains(
                "cn.tongqu.data.loaded"
            )
        )
        func post(_ path: String, _ form: String) async throws -> TestNode.Answer {
            let token = steward["x-csrf-token"] ?? ""
            return try await node.ask(
                "POST",
                "/console/subscriptions\(path)",
                headers: steward,
                body: Array("_csrf=\(token)&\(form)".utf8)
            )
        }
        let made = try await post(
            "",
            "name=%3Cb%3E&url=https://hooks.example.gov.cn/x&type=cn.tongqu.data.loaded&resources=301003/000001"
        )
        #expect(made.status == 200 && made.text.contains("whsec_") && made.text.contains("&lt;b&gt;"))
        let page = try await node.ask("GET", "/console/subscriptions/1?lang=en", headers: steward)
        #expect(
            !page.text.contains("whsec_") && page.text.contains("Last deliveries")
                && page.text.contains("301003/000001")
        )
        #expect(try await node.ask("GET", "/console/subscriptions", headers: steward).text.contains("数据更新"))
        #expect(try await node.ask("GET", "/console/subscriptions/1/edit", headers: steward).text.contains("checked"))
        #expect(try await post("/1", "act=pause").status == 303)
        #expect(try await node.ask("GET", "/console/subscriptions/1", headers: steward).text.contains("已暂停"))
        #expect(try await post("/1", "act=rotate").text.contains("whsec_"))
        #expect(try await post("/1", "act=replay&after=0").status == 303)
        #expect(try await post("/1", "act=remove").headers["location"] == "/console/subscriptions")
        try await node.close()
    }

    /// What is asked often is found by an index.
    @Test func theLogIsReadByItsIndexes() async throws {
        let node = try await TestNode(demonstration: true)
        let control = node.node.kernel.databases.control
        let (sql, values) = EventLog.statement(after: 3, kinds: [.loaded], codes: ["301003/000001"], limit: 50)
        let statements: [(String, [SQLValue], String)] = [
            (sql, values, "events"), (Subscriptions.dueStatement, [1, 1, 1], "subscriptions_due"),
            ("SELECT seq FROM events WHERE at >= ? ORDER BY at, seq LIMIT 1", [1], "events_at"),
            (
                "SELECT \(Delivery.columns) FROM deliveries WHERE subscription = ? ORDER BY id DESC LIMIT 100", [1],
                "deliveries_subscription"
            ),
        ]
        struct Undone: Error {}
        for (sql, values, index) in statements {
            let plan = Mutex("")
            do {
                try await control.write { db in
                    if !TestNode.isSQLite { _ = try db.rows("SELECT set_config('enable_seqscan', 'off', true)") }
                    let found = try db.plan(sql, values)
                    plan.withLock { $0 = found }
                    throw Undone()
                }
            } catch is Undone {}
            let found = plan.withLock(\.self)
            #expect(
                ["USING INDEX", "USING COVERING INDEX", "Index Scan", "Index Only Scan"].contains {
                    found.contains($0)
                },
                "\(found)"
            )
            #expect(found.contains(index) && !found.contains("SCAN events"), "\(found)")
        }
        try await node.close()
    }

    /// Two processes of one node send each event once.
    @Test(.enabled(if: SharedStoreTests.port != nil, "needs TONGQU_TEST_POSTGRES: run ./test"))
    func twoProcessesSendOnceAtATime() async throws {
        let settings = try SharedStoreTests.settings()
        let folder = try SharedStoreTests.folder()
        let receiver = TestReceiver()
        let first = try await TestNode(
            folder: folder,
            demonstration: true,
            store: .postgresql(settings),
            webhooks: WebhookTests.settings()
        )
        let second = try await TestNode(folder: folder, store: .postgresql(settings), webhooks: WebhookTests.settings())
        try await receiver.application.test(.live) { client in
            let port = try #require(client.port)
            let session = try await first.session("steward")
            for index in 0..<4 { _ = try await WebhookTests.subscribe(first, session, port, path: "r\(index)") }
            let services = [first, second].map { node in Task { await node.node.subscriptions.run() } }
            var wanted: [String] = []
            // Both write at once: no number is passed over.
            for _ in 0..<5 {
                async let one = WebhookTests.happen(first, 2)
                async let two = WebhookTests.happen(second, 2)
                wanted += try await (one + two)
            }
            try await SharedStoreTests.eventually("everything is sent") {
                (0..<4).allSatisfy { receiver.taken("/r\($0)").count >= wanted.count }
            }
            for index in 0..<4 { #expect(receiver.taken("/r\(index)").map(\.sequence) == wanted.sorted()) }
            for service in services {
                service.cancel()
                await service.value
            }
        }
        try await first.close()
        try await second.close()
        try await SharedStoreTests.remove(settings, folder)
    }
}
