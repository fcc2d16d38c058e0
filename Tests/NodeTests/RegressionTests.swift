import Composition
import Basics
import Foundation
@testable import Kernel
import Lake
import Store
import Tabular
import TestKit
import Testing

/// Faults that were found once.
@Suite struct RegressionTests {
    func send(
        _ node: TestNode,
        _ method: String,
        _ path: String,
        _ session: [String: String],
        _ body: String
    ) async throws -> TestNode.Answer { try await node.ask(method, path, headers: session, body: Array(body.utf8)) }

    @Test func aGrantOnAResourceGivesNothingOnTheNodeAndNobodyGrantsThemselves() async throws {
        let node = try await TestNode(demonstration: true)
        let secadmin = try await node.session("secadmin")
        let own = try #require(try await node.node.kernel.accounts.find(login: "secadmin")).id.raw
        let clerk = try #require(try await node.node.kernel.accounts.find(login: "clerk")).id.raw
        func grant(_ grantee: String, _ permission: String) async throws -> TestNode.Answer {
            try await send(
                node,
                "POST",
                "/api/v1/grants",
                secadmin,
                #"{"grantee":"\#(grantee)","resource":"301003/000001","permissions":["\#(permission)"]}"#
            )
        }
        #expect(try await grant("principal:\(clerk)", "evidence.read").json["code"]?.string == "request.body")
        #expect(try await grant("principal:\(own)", "data.read").json["code"]?.string == "grant.own")
        #expect(try await grant("role:security_administrator", "data.read").json["code"]?.string == "grant.own")
        #expect(try await grant("principal:\(clerk)", "no.such").json["code"]?.string == "request.body")
        #expect(try await grant("principal:99999", "data.read").status == 404)
        // A grant that slipped in by another way has no force on the node either.
        let sly = Grant(to: .principal(PrincipalID(clerk)), [.evidenceRead], on: .resource(ResourceID(1)))
        try await node.node.kernel.databases.control.write { db in try Kernel.add(sly, by: nil, at: 0, db) }
        try await node.node.kernel.gate.reload()
        #expect(try await node.ask("GET", "/api/v1/evidence", headers: try await node.session("clerk")).status == 403)
        let sysadmin = try await node.session("sysadmin")
        let auditor = try #require(try await node.node.kernel.accounts.find(login: "auditor")).id.raw
        let reset = try await send(
            node,
            "PUT",
            "/api/v1/accounts/\(auditor)/password",
            sysadmin,
            #"{"password":"New-Pass-2026x"}"#
        )
        #expect(reset.json["code"]?.string == "account.protected")
        #expect(
            try await send(node, "POST", "/api/v1/accounts/\(clerk)/keys", sysadmin, "{}").json["code"]?.string
                == "account.key"
        )
        try await node.close()
    }

    @Test func quarantineIsMaskedLikeRows() async throws {
        let node = try await TestNode(demonstration: true)
        let loads = try await node.ask(
            "GET",
            "/api/v1/resources/301003-000001/loads",
            headers: try await node.session("clerk")
        ).json
        let load = try #require(loads["loads"]?.array?.first?["load"]?.integer)
        let path = "/api/v1/resources/301003-000001/loads/\(load)/quarantine.csv"
        let own = try await node.ask("GET", path, headers: try await node.session("clerk")).text
        let masked = try await node.ask("GET", path, headers: try await node.session("steward")).text
        #expect(own.contains("1380000") && own.contains("某"))
        #expect(!masked.contains("1380000") && !masked.contains("某") && masked.contains("***"))
        try await node.close()
    }

    /// Nobody declared what the columns mean; nothing personal opens all the same.
    @Test func undeclaredPersonalDataIsMaskedWhenItOpens() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        var csv = "id,身份证号,备用,联系方式\n"
        for index in 1...30 { csv += "\(index),11010519491231002X,1391234\(1000 + index),1380013\(1000 + index)\n" }
        let (code, _) = try await node.resource(try PathTests.file(csv), name: "未声明", session: clerk) { json in
            guard var schema = try? TableSchema.read(json) else { return json }
            for index in schema.fields.indices {
                schema.fields[index].kind = nil
                schema.fields[index].type = .text
                schema.fields[index].grade = .general1
            }
            return TableSchema.write(schema)
        }
        let id = code.replacing("/", with: "-")
        let reviewer = try await node.session("reviewer")
        let authority = try await node.session("authority")
        _ = try await send(node, "POST", "/api/v1/resources/\(id)/submit", clerk, "{}")
        _ = try await send(
            node,
            "POST",
            "/api/v1/resources/\(id)/review",
            reviewer,
            #"{"stage":"department","approve":true}"#
        )
        _ = try await send(
            node,
            "POST",
            "/api/v1/resources/\(id)/review",
            authority,
            #"{"stage":"authority","approve":true}"#
        )
        let steward = try await node.ask(
            "GET",
            "/api/v1/resources/\(id)/records",
            headers: try await node.session("steward")
        ).text
        #expect(!steward.contains("11010519491231002X") && !steward.contains("13800131001"))
        let items =
            #"[{"field":"id","openness":1},{"field":"身份证号","openness":1},{"field":"备用","openness":1,"mask":"keep:11:11"},{"field":"联系方式","openness":1}]"#
        let applied = try await send(
            node,
            "POST",
            "/api/v1/resources/\(id)/openings",
            clerk,
            #"{"items":\#(items),"reason":"x"}"#
        )
        let opening = try #require(applied.json["id"]?.integer)
        _ = try await send(
            node,
            "POST",
            "/api/v1/openings/\(opening)/secrecy",
            reviewer,
            #"{"approve":true,"note":"x"}"#
        )
        _ = try await send(
            node,
            "POST",
            "/api/v1/openings/\(opening)/authority",
            authority,
            #"{"approve":true,"note":"x","next_review":"2099-01-01"}"#
        )
        let open = try await node.ask("GET", "/api/v1/resources/\(id)/records.csv")
        #expect(open.status == 200)
        for canary in ["11010519491231002X", "13912341001", "13800131001"] {
            #expect(!open.text.contains(canary), "\(canary)")
        }
        try await node.close()
    }

    @Test func locksHoldAgainstManyAtOnce() async throws {
        let node = try await TestNode(demonstration: true)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<13 { group.addTask { _ = try? await node.session("clerk", password: "Wrong-Pass-1") } }
        }
        #expect(try await node.session("clerk")["x-csrf-token"] == "")
        try await node.close()
    }

    @Test func aChainWithoutItsSealsIsNotSealedAgain() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        try await kernel.evidence.seal()
        try await kernel.databases.evidence.write { db in
            try db.execute("DELETE FROM evidence_intervals WHERE first_seq > ?", [.integer(0)])
        }
        #expect(try await kernel.evidence.verify().fault != nil)
        try await kernel.databases.evidence.write { db in
            try db.execute("UPDATE evidence SET actor = ? WHERE seq = ?", [.text("x"), .integer(3)])
        }
        #expect(try await kernel.evidence.verify().fault?.en == "the columns of record 3 do not agree with its body")
        try? await node.node.close()
    }

    @Test func pagesThatDoNotExistAreOurs() async throws {
        let node = try await TestNode()
        let page = try await node.ask("GET", "/no/such/page")
        #expect(page.status == 404 && page.text.contains("没有找到") && page.headers["content-security-policy"] != nil)
        #expect(try await node.ask("GET", "/api/v1/nothing").headers["content-type"] == "application/problem+json")
        let head = try await node.ask("HEAD", "/")
        #expect(head.status == 200 && head.body.isEmpty)
        let wrong = try await node.ask("DELETE", "/api/v1/session/nothing")
        #expect(wrong.status == 404)
        let other = try await node.ask("PUT", "/api/v1/resources/301001-000001/records")
        #expect(other.status == 405 && other.json["code"]?.string == "request.method")
        #expect(other.headers["allow"] == "GET, HEAD, POST", "\(other.headers)")
        try await node.close()
    }

    @Test func hugeExpressionsAreRefusedNotFailed() async throws {
        let node = try await TestNode(demonstration: true)
        let sum = "longitude" + String(repeating: "%2B1", count: 60) + "%3E0"
        #expect(
            try await node.ask("GET", "/api/v1/resources/301001-000001/records?filter=\(sum)").json["code"]?.string
                == "cql.too_large"
        )
        let fields = Array(repeating: "id", count: 3000).joined(separator: ",")
        #expect(try await node.ask("GET", "/api/v1/resources/301001-000001/records?fields=\(fields)").status == 200)
        try await node.close()
    }
}

/// What an attacker tried and must not get again.
@Suite struct AccountRegressionTests {
    /// The node's own accounts give nobody their rights: no keys, no roles, no other state; and the administrators leave each other alone.
    @Test func theNodesOwnAccountsAreNobodys() async throws {
        let node = try await TestNode(demonstration: true)
        let system = try await node.session("sysadmin")
        let machine = try #require(await node.node.kernel.accounts.find(login: "command-line")).id.raw
        let auditor = try #require(await node.node.kernel.accounts.find(login: "auditor")).id.raw
        func ask(_ method: String, _ path: String, _ body: String) async throws -> (Int, String) {
            let answer = try await node.ask(method, "/api/v1/accounts/\(path)", headers: system, body: Array(body.utf8))
            return (answer.status, answer.json["code"]?.string ?? "")
        }
        #expect(try await ask("POST", "\(machine)/keys", #"{"note":"x"}"#) == (403, "account.key"))
        #expect(try await ask("PUT", "\(machine)/active", #"{"active":false}"#) == (403, "account.built_in"))
        #expect(
            try await ask("PUT", "\(machine)/password", #"{"password":"Other-Pass-2026"}"#) == (403, "account.built_in")
        )
        #expect(try await ask("PUT", "\(auditor)/active", #"{"active":false}"#) == (403, "account.protected"))
        #expect(
            try await ask("PUT", "\(auditor)/password", #"{"password":"Other-Pass-2026"}"#) == (
                403, "account.protected"
            )
        )
        // Nor is a key honoured that an earlier release made.
        let key = try await node.node.kernel.accounts.createKey(for: PrincipalID(machine), note: "old", until: .max)
        let asked = try await node.ask("GET", "/api/v1/evidence", headers: ["authorization": "Bearer \(key)"])
        #expect(asked.status == 401)
        for login in ["source-31", "command-line"] {
            let owner = try #require(await node.node.kernel.accounts.find(login: "clerk")).organisation.raw
            let body = #"{"login":"\#(login)","name":"某某","organisation":\#(owner),"kind":"service"}"#
            let made = try await node.ask("POST", "/api/v1/accounts", headers: system, body: Array(body.utf8))
            #expect(made.json["code"]?.string == "account.login", "\(made.text)")
        }
        try await node.close()
    }

    /// Keys are listed without being shown, end one by one, and end with their account.
    @Test func keysAreListedAndRevoked() async throws {
        let node = try await TestNode(demonstration: true)
        let system = try await node.session("sysadmin")
        let security = try await node.session("secadmin")
        let owner = try #require(await node.node.kernel.accounts.find(login: "clerk")).organisation.raw
        let made = try await node.ask(
            "POST",
            "/api/v1/accounts",
            headers: system,
            body: Array(#"{"login":"robot","name":"接口","organisation":\#(owner),"kind":"service"}"#.utf8)
        )
        let id = try #require(made.json["id"]?.integer)
        _ = try await node.ask(
            "PUT",
            "/api/v1/accounts/\(id)/roles",
            headers: security,
            body: Array(#"{"roles":["clerk"]}"#.utf8)
        )
        func key() async throws -> [String: String] {
            let body = Array(#"{"note":"夜间"}"#.utf8)
            let made = try await node.ask("POST", "/api/v1/accounts/\(id)/keys", headers: system, body: body)
            return ["authorization": "Bearer \(made.json["key"]?.string ?? "")"]
        }
        func works(_ key: [String: String]) async throws -> Bool {
            try await node.ask("GET", "/api/v1/entries", headers: key).status == 200
        }
        let long = Array(#"{"note":"长期","days":3660}"#.utf8)
        let refused = try await node.ask("POST", "/api/v1/accounts/\(id)/keys", headers: system, body: long)
        #expect(refused.json["details"]?["place"]?.string == "days")
        let (first, second) = (try await key(), try await key())
        for key in [first, second] { #expect(try await works(key)) }
        let listed = try await node.ask("GET", "/api/v1/accounts/\(id)/keys", headers: system)
        let ids = (listed.json["keys"]?.array ?? []).compactMap { $0["id"]?.string }
        #expect(ids.count == 2 && !listed.text.contains("tq_"))
        let page = try await node.ask("GET", "/console/accounts", headers: system).text
        #expect(page.contains(ids[0]) && page.contains("吊销"))
        let gone = try await node.ask("DELETE", "/api/v1/accounts/\(id)/keys/\(ids[0])", headers: system)
        #expect(gone.status == 204)
        #expect(try await works(first) == false)
        for active in ["false", "true"] {
            _ = try await node.ask(
                "PUT",
                "/api/v1/accounts/\(id)/active",
                headers: system,
                body: Array(#"{"active":\#(active)}"#.utf8)
            )
        }
        #expect(try await works(second) == false)
        try await node.close()
    }

    /// An auditor sees whose account failed sign-ins were aimed at, as often as an account can fail; the rest is counted.
    @Test func failedSignInsNameTheAccount() async throws {
        let node = try await TestNode(demonstration: true)
        let target = try #require(await node.node.kernel.accounts.find(login: "reviewer")).id.raw
        for _ in 0..<9 {
            let body = Array(#"{"login":"reviewer","password":"Wrong-Pass-2026"}"#.utf8)
            #expect(try await node.ask("POST", "/api/v1/session", body: body).status == 401)
        }
        try await node.node.kernel.evidence.flush()
        let auditor = try await node.session("auditor")
        let records =
            try await node.ask("GET", "/api/v1/evidence?limit=100", headers: auditor).json["records"]?.array ?? []
        let failed = records.compactMap { $0["body"] }.filter {
            $0["action"]?.string == "session.sign_in" && $0["outcome"]?.string == "failed"
        }
        #expect(failed.count == 6, "\(failed)")
        #expect(failed.allSatisfy { $0["details"]?["principal"]?.string == String(target) }, "\(failed)")
        try await node.close()
    }

    /// The security administrator gives a role on the page where it is asked for.
    @Test func rolesAreAssignedOnThePage() async throws {
        let node = try await TestNode(demonstration: true)
        let security = try await node.session("secadmin")
        let clerk = try #require(await node.node.kernel.accounts.find(login: "clerk"))
        let page = try await node.ask("GET", "/console/grants", headers: security).text
        #expect(page.contains("/console/grants/roles/\(clerk.id.raw)"))
        var headers = security
        headers["content-type"] = "application/x-www-form-urlencoded"
        let body = "_csrf=\(security["x-csrf-token"] ?? "")&role_clerk=on&role_department_reviewer=on"
        let sent = try await node.ask(
            "POST",
            "/console/grants/roles/\(clerk.id.raw)",
            headers: headers,
            body: Array(body.utf8)
        )
        #expect(sent.status == 303, "\(sent.text)")
        #expect(try await node.node.kernel.accounts.find(login: "clerk")?.roles == [.clerk, .departmentReviewer])
        try await node.close()
    }

    /// Sizes are counted in bytes: a letter with a million accents is no letter.
    @Test func textsAreMeasuredInBytes() async throws {
        let node = try await TestNode(demonstration: true)
        let long = "abcde" + String(repeating: "\u{301}", count: 5000)
        for (text, contact) in [(long, ""), ("地图上找不到", long)] {
            let body = JSONValue.object([
                .init("kind", "error"), .init("text", .string(text)), .init("contact", .string(contact)),
            ])
            let sent = try await node.ask(
                "POST",
                "/api/v1/resources/301001-000001/feedback",
                body: Array(body.text.utf8)
            )
            #expect(sent.json["code"]?.string == "feedback.invalid", "\(sent.text)")
        }
        let clerk = try await node.session("clerk")
        let owner = try #require(await node.node.kernel.accounts.find(login: "clerk")).organisation.raw
        let entry = JSONValue.object([
            .init("name", .string(long)), .init("category", "301001"), .init("provider", .integer(owner)),
            .init("summary", "一个名称过长的条目，不应保存。"),
            .init("schema", .object([.init("fields", .array([.object([.init("name", "a")])]))])),
        ])
        let made = try await node.ask("POST", "/api/v1/resources", headers: clerk, body: Array(entry.text.utf8))
        #expect(made.json["code"]?.string == "entry.too_long", "\(made.text)")
        try await node.close()
    }

    /// What needs no answer is put aside: it waits no more and the public does not see it.
    @Test func remarksArePutAside() async throws {
        let node = try await TestNode(demonstration: true)
        let path = "/api/v1/resources/301001-000001/feedback"
        _ = try await node.ask("POST", path, body: Array(#"{"kind":"wish","text":"广告广告广告广告"}"#.utf8))
        let clerk = try await node.session("clerk")
        let list = try await node.ask("GET", "/api/v1/feedback?waiting=true", headers: clerk)
        let spam = try #require(list.json["feedback"]?.array?.first { $0["text"]?.string?.hasPrefix("广告") == true })
        let id = try #require(spam["id"]?.integer)
        var headers = clerk
        headers["content-type"] = "application/x-www-form-urlencoded"
        let pages = "/systems/feedback/public_feedback"
        let body = "_csrf=\(clerk["x-csrf-token"] ?? "")&step=set_aside"
        let sent = try await node.ask(
            "POST",
            "\(pages)/\(id)/step/set_aside",
            headers: headers,
            body: Array(body.utf8)
        )
        #expect(sent.status == 303, "\(sent.text)")
        #expect(try await !node.ask("GET", "/api/v1/feedback?waiting=true", headers: clerk).text.contains("广告"))
        #expect(try await !node.ask("GET", "/resources/301001-000001").text.contains("广告"))
        let console = try await node.ask("GET", "/console/feedback", headers: clerk)
        #expect(console.status == 303 && console.headers["location"] == pages)
        #expect(try await node.ask("GET", "\(pages)/\(id)", headers: clerk).text.contains("已搁置"))
        try await node.close()
    }
}

/// The data directory of an earlier release opens and upgrades.
@Suite struct UpgradeTests {
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures"
    )

    @Test func everyEarlierReleasesDirectoryOpens() async throws {
        let archives = try FileManager.default.contentsOfDirectory(atPath: Self.fixtures.path).filter {
            $0.hasPrefix("data-")
        }
        #expect(!archives.isEmpty)
        for archive in archives {
            let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-upgrade-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let tar = Process()
            tar.executableURL = URL(filePath: "/usr/bin/tar")
            tar.arguments = [
                "-xzf", Self.fixtures.appending(path: archive).path, "-C", folder.path, "--strip-components=1",
            ]
            try tar.run()
            tar.waitUntilExit()
            let node = try await TestNode(folder: folder, store: .sqlite)
            let rows = try await node.ask("GET", "/api/v1/resources/301001-000001/records?count=exact&limit=1").json
            #expect(rows["count"]?.integer == 178, "\(archive)")
            #expect(try await node.ask("GET", "/api/v1/resources?q=%E5%8D%A1%E5%8F%A3").json["total"]?.integer == 1)
            #expect(try await node.node.kernel.evidence.verify().fault == nil)
            let session = try await node.session("clerk", password: "Fixture-Pass-2026")
            #expect(session["x-csrf-token"]?.isEmpty == false)
            // Remarks of the public went into their pack, the answered ones as answered.
            if archive > "data-0.3" {
                let steward = try await node.session("steward", password: "Fixture-Pass-2026")
                let list = try await node.ask("GET", "/api/v1/feedback", headers: steward).json["feedback"]?.array
                #expect(list?.count == 6 && list?.count { $0["answer"]?.string != nil } == 2, "\(archive)")
                #expect(try await node.ask("GET", "/resources/301001-000001").text.contains("class=\"answer\""))
            }
            try await node.close()
        }
    }
}
