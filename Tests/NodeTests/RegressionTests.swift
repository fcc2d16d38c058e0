import Composition
import Basics
import Foundation
import Kernel
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
        #expect(try await grant("principal:\(clerk)", "evidence.read").json["code"]?.string == "grant.scope")
        #expect(try await grant("principal:\(own)", "data.read").json["code"]?.string == "grant.own")
        #expect(try await grant("role:security_administrator", "data.read").json["code"]?.string == "grant.own")
        #expect(try await grant("principal:\(clerk)", "no.such").json["code"]?.string == "grant.permission")
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
            let node = try await TestNode(folder: folder)
            let rows = try await node.ask("GET", "/api/v1/resources/301001-000001/records?count=exact&limit=1").json
            #expect(rows["count"]?.integer == 178, "\(archive)")
            #expect(try await node.ask("GET", "/api/v1/resources?q=%E5%8D%A1%E5%8F%A3").json["total"]?.integer == 1)
            #expect(try await node.node.kernel.evidence.verify().fault == nil)
            let session = try await node.session("clerk", password: "Fixture-Pass-2026")
            #expect(session["x-csrf-token"]?.isEmpty == false)
            try await node.close()
        }
    }
}
