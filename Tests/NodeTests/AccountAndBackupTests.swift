import Basics
@testable import Composition
import Foundation
import Kernel
import Seal
import TestKit
import Testing

/// Passwords for one use, answers that do not tell what exists, backups whose key is sealed.
@Suite struct AccountAndBackupTests {
    static func json(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// An account made by the system administrator reaches nothing before its owner has chosen a password.
    @Test func aPasswordSetBySomebodyElseServesOnce() async throws {
        let node = try await TestNode(demonstration: true)
        let sysadmin = try await node.session("sysadmin")
        let created = try await node.ask(
            "POST",
            "/api/v1/accounts",
            headers: sysadmin,
            body: Self.json(#"{"login":"newcomer","name":"新人","organisation":1,"password":"First-Pass-2026"}"#)
        )
        #expect(created.status == 201, "\(created.text)")
        let session = try await node.session("newcomer", password: "First-Pass-2026")
        let refused = try await node.ask("GET", "/api/v1/resources", headers: session)
        #expect(refused.status == 403 && refused.json["code"]?.string == "account.change_password")
        let page = try await node.ask("GET", "/console", headers: session)
        #expect(page.headers["location"] == "/password")
        #expect(try await node.ask("GET", "/password", headers: session).text.contains("请先改为自己的密码"))

        func change(_ old: String, _ new: String) async throws -> TestNode.Answer {
            try await node.ask(
                "PUT",
                "/api/v1/session/password",
                headers: session,
                body: Self.json(#"{"old":"\#(old)","new":"\#(new)"}"#)
            )
        }
        #expect(try await change("Wrong-Pass-2026", "Second-Pass-2026").json["code"]?.string == "account.refused")
        #expect(
            try await change("First-Pass-2026", "First-Pass-2026").json["code"]?.string == "account.same_password"
        )
        #expect(try await change("First-Pass-2026", "short").json["code"]?.string == "account.weak_password")
        #expect(try await change("First-Pass-2026", "Second-Pass-2026").status == 204)
        #expect(try await change("Second-Pass-2026", "First-Pass-2026").status == 401, "the session ended")
        // Every session ended; the new password opens what the account may do.
        #expect(
            try await node.ask("GET", "/console", headers: session).headers["location"]?.hasPrefix("/signin") == true
        )
        let again = try await node.session("newcomer", password: "Second-Pass-2026")
        #expect(try await node.ask("GET", "/api/v1/resources", headers: again).status == 200)
        try await node.close()
    }

    /// What is published but not open, and what does not exist, get the same answer.
    @Test func thePublicCannotTellWhatExists() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let (code, _) = try await node.resource(
            try PathTests.file("id,name\n1,a\n2,b\n", "closed.csv"),
            name: "未开放",
            session: clerk
        )
        let id = code.replacing("/", with: "-")
        for path in ["", "/records", "/records.csv", "/scorecard"] {
            let closed = try await node.ask("GET", "/api/v1/resources/\(id)\(path)")
            let absent = try await node.ask("GET", "/api/v1/resources/301001-999999\(path)")
            #expect(closed.status == absent.status, "\(path): \(closed.status) \(absent.status)")
            #expect(closed.text == absent.text, "\(path)")
        }
        let load = Self.json(#"{"upload":"x","mode":"replace"}"#)
        let closed = try await node.ask("POST", "/api/v1/resources/\(id)/loads", body: load)
        let absent = try await node.ask("POST", "/api/v1/resources/301001-999999/loads", body: load)
        #expect(closed.status == 401 && closed.text == absent.text)
        for session in [[:], clerk] {
            func grant(_ code: String) async throws -> TestNode.Answer {
                let body = #"{"grantee":"role:clerk","resource":"\#(code)","permissions":["data.read"]}"#
                return try await node.ask("POST", "/api/v1/grants", headers: session, body: Self.json(body))
            }
            #expect(try await grant(code).text == grant("301001/999999").text)
        }
        try await node.close()
    }

    @Test func aSealedSecretOpensWithItsPassphraseOnly() throws {
        let secret = Secrets.random(200)
        let sealed = try Secrets.seal(secret, passphrase: "通衢-2026")
        #expect(try Secrets.open(sealed, passphrase: "通衢-2026") == secret)
        #expect(try Secrets.open(sealed, passphrase: "通衢-2027") == nil)
        for index in [4, 20, 40, sealed.count - 1] {
            var altered = sealed
            altered[index] ^= 1
            #expect(try Secrets.open(altered, passphrase: "通衢-2026") == nil, "byte \(index)")
        }
        #expect(try Secrets.open(Array(sealed.prefix(40)), passphrase: "通衢-2026") == nil)
    }

    @Test(arguments: ["Backup-Pass-2026", nil] as [String?])
    func aBackupRestoresAndShowsWhatWasAltered(passphrase: String?) async throws {
        let place = FileManager.default.temporaryDirectory.appending(path: "tongqu-backup-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        let node = try await TestNode(demonstration: true)
        let backup = place.appending(path: "b")
        let made = try await Backup.create(node.node, from: node.folder, to: backup, passphrase: passphrase)
        #expect(made.signer == node.node.kernel.key.fingerprint)
        #expect(made.holdsPlainKey == (passphrase == nil))
        let names = try FileManager.default.contentsOfDirectory(atPath: backup.path)
        #expect(names.contains("node.key") == (passphrase == nil))
        try await node.close()

        #expect(try await Backup.verify(backup).signer == made.signer)
        if passphrase != nil {
            await #expect(throws: Problem.self) {
                try await Backup.restore(backup, to: place.appending(path: "x"), passphrase: "another")
            }
        }
        let restored = place.appending(path: "r")
        let store = try TestNode.store(of: restored)
        _ = try await Backup.restore(backup, to: restored, passphrase: passphrase, store: store)
        let again = try await TestNode(folder: restored)
        #expect(try await again.node.kernel.evidence.verify().fault == nil)
        #expect(try await again.ask("GET", "/api/v1/resources").json["total"]?.integer ?? 0 > 0)
        try await again.close()
        try await TestNode.removeStore(of: restored)

        let name = TestNode.isSQLite ? "lake.sqlite" : "database/toc.dat"
        let file = backup.appending(path: name)
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)
        let fault = await #expect(throws: Problem.self) { try await Backup.verify(backup) }
        #expect(fault?.code == "backup.damaged" && fault?.details["file"] == name)

        // Signed again by another key: whoever restores with the genuine one is told.
        let forger = try NodeKey.generate().key
        try Data(forger.publicBytes).write(to: backup.appending(path: "node.pub"))
        let forged = Backup.json(try Backup.list(backup, at: "2026-11-21", signer: forger.fingerprint))
        try Data(forged.utf8).write(to: backup.appending(path: "manifest.json"))
        try Data(forger.sign(Array(forged.utf8))).write(to: backup.appending(path: "manifest.sig"))
        #expect(try await Backup.verify(backup).signer == forger.fingerprint)
        let refusal = await #expect(throws: Problem.self) {
            try await Backup.restore(backup, to: place.appending(path: "f"), passphrase: passphrase)
        }
        #expect(refusal?.details["file"] == "node.pub")
    }

    /// Records outlive a change of their resource's items; a changed type is refused with what to do.
    @Test func recordsFollowTheirSchema() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let owner = try #require(try await node.node.kernel.accounts.find(login: "clerk")).organisation.raw
        func content(_ fields: String) -> [UInt8] {
            Self.json(
                #"{"name":"填报","category":"301003","provider":\#(owner),"summary":"测试填报资源:信息项变更后记录仍在。","storage":"records","schema":{"fields":[\#(fields)],"primaryKey":["id"]}}"#
            )
        }
        let first = #"{"name":"id","type":"string"},{"name":"n","type":"integer"}"#
        let id = try #require(
            try await node.ask("POST", "/api/v1/resources", headers: clerk, body: content(first)).json["id"]?.string
        )
        let records = "/api/v1/resources/\(id)/records"
        func save(_ text: String) async throws -> TestNode.Answer {
            try await node.ask("POST", records, headers: clerk, body: Self.json(text))
        }
        #expect(try await save(#"{"id":"A","n":1}"#).status == 201)
        let second = #"{"name":"note","type":"string","tongqu:index":true},"# + first
        let changed = try await node.ask("PUT", "/api/v1/resources/\(id)", headers: clerk, body: content(second))
        #expect(changed.status < 300, "\(changed.text)")
        let added = try await save(#"{"id":"B","n":2,"note":"新增"}"#)
        #expect(added.status == 201, "\(added.text)")
        #expect(try await save(#"{"id":"A","n":3}"#).json["code"]?.string == "store.conflict")
        let taken = try await node.ask("PATCH", "\(records)/2", headers: clerk, body: Self.json(#"{"id":"A"}"#))
        #expect(taken.json["details"]?["id"]?.string == "unique", "\(taken.text)")
        let rows = try await node.ask("GET", records, headers: clerk).json["records"]?.array ?? []
        #expect(rows.map { $0["n"]?.integer } == [1, 2])
        #expect(rows.map { $0["note"]?.string } == [nil, "新增"])
        // An item is dropped and another added: its column is a new one. What became required is asked for at the next change only.
        let dropped = #"{"name":"id","type":"string"},{"name":"note","type":"string"}"#
        _ = try await node.ask("PUT", "/api/v1/resources/\(id)", headers: clerk, body: content(dropped))
        #expect(try await save(#"{"id":"D","note":"x"}"#).status == 201)
        let again =
            #"{"name":"id","type":"string"},{"name":"n","type":"integer"},{"name":"place","type":"string","constraints":{"required":true}}"#
        _ = try await node.ask("PUT", "/api/v1/resources/\(id)", headers: clerk, body: content(again))
        let placed = try await save(#"{"id":"E","n":5,"place":"站前"}"#)
        #expect(placed.status == 201, "\(placed.text)")
        let all = try await node.ask("GET", records, headers: clerk).json["records"]?.array ?? []
        #expect(all.map { $0["n"]?.integer } == [nil, nil, nil, 5], "a column is never used for another item")
        let edited = try await node.ask(
            "PATCH",
            "\(records)/1",
            headers: clerk,
            body: Self.json(#"{"_id":1,"n":9,"place":"站后"}"#)
        )
        #expect(edited.status < 300, "\(edited.text)")
        let third = #"{"name":"id","type":"string"},{"name":"n","type":"string"}"#
        _ = try await node.ask("PUT", "/api/v1/resources/\(id)", headers: clerk, body: content(third))
        #expect(try await save(#"{"id":"C","n":"x"}"#).json["code"]?.string == "record.schema")
        try await node.close()
    }
}
