import Basics
import Composition
import Foundation
import Kernel
import Store
import TestKit
import Tabular
import Testing

@testable import Flow

/// Records that go from node to node: one signed file out, checked to the last byte, a receipt back.
@Suite struct TransferTests {
    static let transfer =
        "    transfer: {step: apply, values: {applicant: =applicant, phone: =phone, width: =width}}\n"

    /// Two nodes with the same pack, which declares how its records are transferred.
    static func pair() async throws -> (FlowTests.Town, FlowTests.Town) {
        let pack = FlowTests.pack.replacing(
            "    grants:\n      - {role: permit_clerk",
            with: transfer + "    grants:\n      - {role: permit_clerk"
        )
        #expect(pack.contains("transfer:"))
        var towns: [FlowTests.Town] = []
        for _ in 0..<2 {
            var town = try await FlowTests.town()
            _ = try await SystemPacks.install(town.node.node, from: try FlowTests.write(pack))
            town.sessions["sysadmin"] = try await town.node.session("sysadmin")
            towns.append(town)
        }
        return (towns[0], towns[1])
    }

    /// A record that was granted, with a file and a document.
    static func granted(_ town: FlowTests.Town, _ applicant: String = "某某公司") async throws -> Int64 {
        let record = try await town.apply(applicant)
        #expect(try await town.attach("pclerk", record, "图.png", FlowTests.png).status == 303)
        #expect(try await town.step("pchief", record, "grant", note: "同意").status == 200)
        return record
    }

    static func package(
        _ town: FlowTests.Town,
        _ record: Int64,
        _ login: String = "pclerk"
    ) async throws
        -> TestNode.Answer
    { try await town.ask(login, "GET", "/api/v1/systems/permits/permits/records/\(record)/package") }

    static func receive(
        _ town: FlowTests.Town,
        _ bytes: [UInt8],
        _ login: String = "pclerk"
    ) async throws
        -> TestNode.Answer
    {
        try await town.node.ask(
            "POST",
            "/api/v1/systems/permits/permits/packages",
            headers: town.sessions[login] ?? [:],
            body: bytes
        )
    }

    /// Makes one node trust the other.
    static func trust(_ town: FlowTests.Town, _ other: FlowTests.Town, name: String = "邻市") async throws {
        let key = try await other.ask("sysadmin", "GET", "/api/v1/nodes").json["public_key"]?.string ?? ""
        let body = JSONValue.object([.init("name", .string(name)), .init("public_key", .string(key))])
        #expect(try await town.ask("sysadmin", "POST", "/api/v1/nodes", body.text).status == 201)
    }

    /// Packages that are listed, files that are kept, records.
    static func kept(_ town: FlowTests.Town) async throws -> [Int] {
        let rows = try await town.ask("pclerk", "GET", "/api/v1/systems/permits/permits/packages").json["packages"]?
            .array?.count
        let folder = town.node.folder.appending(path: "attachments/packages").path
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder))?.count ?? 0
        let records = try await town.node.node.kernel.databases.records.read { db in
            try db.row("SELECT count(*) FROM flow_records")?.integer(0) ?? 0
        }
        return [rows ?? -1, files, Int(records)]
    }

    @Test func aRecordGoesOverAndTheReceiptComesBack() async throws {
        let (a, b) = try await Self.pair()
        let record = try await Self.granted(a)
        let sent = try await Self.package(a, record)
        #expect(sent.status == 200 && sent.headers["content-type"] == "application/zip", "\(sent.text.prefix(300))")
        #expect(try await Self.package(a, record).body == sent.body, "the same content makes the same file")
        // Nobody trusts the sender yet: nothing is kept.
        let refused = try await Self.receive(b, sent.body)
        #expect(refused.status == 403 && refused.json["code"]?.string == "package.untrusted", "\(refused.text)")
        #expect(try await Self.kept(b) == [0, 0, 0])
        try await Self.trust(b, a)
        let taken = try await Self.receive(b, sent.body)
        #expect(taken.status == 201, "\(taken.text)")
        let made = try #require(taken.json["record"]?.integer)
        let seen = try await b.show("pclerk", made)
        #expect(seen["values"]?["applicant"]?.string == "某某公司" && seen["state"]?.string == "received")
        #expect(seen["values"]?["phone"]?.string == "13800001111" && seen["values"]?["width"]?.string == "1.50")
        // The same package again: the same receipt, no second record.
        let again = try await Self.receive(b, sent.body)
        #expect(again.status == 200 && again.json["receipt"] == taken.json["receipt"])
        #expect(try await Self.kept(b) == [1, 1, 1])
        // The package is shown with its documents and files.
        let id = try #require(taken.json["id"]?.integer)
        let page = try await b.ask("pclerk", "GET", "/systems/permits/permits/packages/\(id)")
        for word in ["某某公司", "占道许可证", "图.png", "同意", "SG0001", "邻市"] { #expect(page.text.contains(word), "\(word)") }
        for link in page.text.matches(of: /href="(\/systems\/permits\/permits\/packages\/[0-9]+\/[a-z][^"]*)"/) {
            let path = String(link.output.1).replacing("&amp;", with: "&")
            #expect(try await b.ask("pclerk", "GET", path).status == 200, "\(path)")
        }
        #expect(try await b.ask("pclerk", "GET", "/systems/permits/permits/packages").text.contains("某") == false)
        #expect(try await b.ask("pclerk", "GET", "/systems/permits/permits/\(made)").text.contains("packages/\(id)"))
        let whole = try await b.ask("pclerk", "GET", "/api/v1/systems/permits/permits/packages/\(id)/file")
        #expect(whole.body == sent.body)
        #expect(try await b.ask("pguest", "GET", "/systems/permits/permits/packages/\(id)").status == 403)
        // The receipt goes back.
        let receipt = try await b.ask("pclerk", "GET", "/api/v1/systems/permits/permits/packages/\(id)/receipt")
        let registering = "/api/v1/systems/permits/permits/records/\(record)/receipts"
        #expect(
            try await a.ask("pclerk", "POST", registering, receipt.text).json["code"]?.string == "package.untrusted"
        )
        try await Self.trust(a, b)
        let other = try await Self.granted(a, "另一公司")
        _ = try await Self.package(a, other)
        let wrong = try await a.ask(
            "pclerk",
            "POST",
            "/api/v1/systems/permits/permits/records/\(other)/receipts",
            receipt.text
        )
        #expect(wrong.status == 409 && wrong.json["code"]?.string == "package.receipt_other", "\(wrong.text)")
        let altered = receipt.text.replacing("\\\"by\\\":\\\"测", with: "\\\"by\\\":\\\"假")
        #expect(altered != receipt.text)
        #expect(
            try await a.ask("pclerk", "POST", registering, altered).json["code"]?.string == "package.receipt_invalid"
        )
        #expect(try await a.ask("pclerk", "POST", registering, receipt.text).status == 201)
        #expect(try await a.ask("pclerk", "POST", registering, receipt.text).status == 200)
        let history = try await a.show("pclerk", record)["history"]?.array ?? []
        #expect(history.count { $0["step"]?.string == TakenStep.receipt } == 1)
        let shown = try await a.ask("pclerk", "GET", "/systems/permits/permits/\(record)").text
        #expect(shown.contains("移送回执") && shown.contains("导出记录包"))
        // What the record became since belongs to the record that is there.
        let later = try await Self.package(a, record)
        #expect(later.body != sent.body)
        let next = try await Self.receive(b, later.body)
        #expect(next.status == 201 && next.json["record"]?.integer == made)
        #expect(try await Self.kept(b) == [2, 2, 1])
        // A node that is trusted no more sends nothing new.
        let nodes = try await b.ask("sysadmin", "GET", "/api/v1/nodes").json["nodes"]?.array ?? []
        let fingerprint = try #require(nodes.first?["fingerprint"]?.string)
        #expect(try await b.ask("sysadmin", "DELETE", "/api/v1/nodes/\(fingerprint)").status == 200)
        #expect(try await Self.receive(b, try await Self.package(a, other).body).status == 403)
        let verdict = try await b.node.node.kernel.evidence.verify()
        #expect(verdict.fault == nil)
        try await a.node.close()
        try await b.node.close()
    }

    @Test func whoMayNotSeeAllPacksNothing() async throws {
        let (a, b) = try await Self.pair()
        let open = try await a.apply()
        #expect(try await Self.package(a, open).json["code"]?.string == "package.open")
        let record = try await Self.granted(a)
        #expect(try await Self.package(a, record, "pguest").json["code"]?.string == "flow.masked")
        #expect(try await Self.package(a, record, "pnobody").status == 403)
        #expect(try await Self.package(a, record, "").status == 401)
        let sent = try await Self.package(a, record)
        try await Self.trust(b, a)
        // Ordinary rules: the step is the clerk's.
        #expect(try await Self.receive(b, sent.body, "pguest").status == 403)
        #expect(try await Self.receive(b, sent.body, "pchief").json["code"]?.string == "flow.role")
        #expect(try await Self.kept(b) == [0, 0, 0])
        // Nodes are added by the system administrator, and keys only.
        #expect(try await b.ask("pclerk", "GET", "/api/v1/nodes").status == 403)
        #expect(
            try await b.ask("sysadmin", "POST", "/api/v1/nodes", #"{"name":"某地","public_key":"abc"}"#).json["code"]?
                .string == "package.node_key"
        )
        let page = try await b.ask("sysadmin", "GET", "/console/nodes")
        #expect(page.status == 200 && page.text.contains("邻市") && page.text.contains("BEGIN PUBLIC KEY"))
        // A file that is no longer what was bound to the record is not packed.
        let folder = a.node.folder.appending(path: "attachments")
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where name.count > 60 {
            try Data([1, 2, 3]).write(to: folder.appending(path: name))
        }
        #expect(try await Self.package(a, record).json["code"]?.string == "package.damaged")
        try await a.node.close()
        try await b.node.close()
    }

    @Test func theSlightestChangeIsSeen() async throws {
        let (a, b) = try await Self.pair()
        let sent = try await Self.package(a, try await Self.granted(a)).body
        try await Self.trust(b, a)
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-package-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appending(path: "p.zip").path
        func problem(_ bytes: [UInt8]) throws -> String? {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            do {
                _ = try RecordPackage(path: path)
                return nil
            } catch let problem as Problem {
                #expect(problem.message.zh != problem.message.en)
                return problem.code
            }
        }
        #expect(try problem(sent) == nil)
        for index in stride(from: 0, to: sent.count, by: 5) {
            var altered = sent
            altered[index] ^= UInt8(1 << (index % 8))
            let code = try problem(altered)
            #expect(["package.invalid", "file.zip_form"].contains(code), "byte \(index)")
        }
        for length in [0, 10, 30, sent.count / 2, sent.count - 22, sent.count - 1] {
            #expect(try problem(Array(sent[..<length])) == "file.zip_form", "\(length)")
        }
        #expect(try problem(sent + [0]) == "file.zip_form")
        #expect(try problem([0] + sent) == "file.zip_form")
        // Packed anew with another file, without one, in another order.
        let whole = folder.appending(path: "whole.zip")
        try Data(sent).write(to: whole)
        let reader = try StoredZipReader(path: whole.path)
        func packed(
            _ names: [String],
            changed: [String: (String, String)] = [:],
            more: [(String, [UInt8])] = []
        ) throws -> [UInt8] {
            let target = folder.appending(path: UUID().uuidString).path
            let writer = try StoredZipWriter(path: target)
            for name in names {
                let entry = try #require(reader.entry(name))
                var bytes = try reader.bytes(entry, limit: 1 << 24)
                if let (old, new) = changed[name] {
                    let text = String(decoding: bytes, as: UTF8.self)
                    #expect(text.contains(old))
                    bytes = Array(text.replacing(old, with: new).utf8)
                }
                try writer.add(name, bytes)
            }
            for (name, bytes) in more { try writer.add(name, bytes) }
            _ = try writer.finish()
            return Array(try Data(contentsOf: URL(fileURLWithPath: target)))
        }
        let names = reader.entries.map(\.name)
        #expect(try packed(names) == sent)
        for forged in [
            try packed(names, more: [("files/more", [1])]), try packed(names, more: [("../../etc/passwd", [1])]),
            try packed(Array(names.dropLast())), try packed([names[1], names[0]] + names.dropFirst(2)),
            try packed(names + [names[2]]), try packed(names, changed: ["record.json": ("某某公司", "别的公司")]),
            try packed(names, changed: ["manifest.json": ("granted", "lapsed")]),
            try packed(names, changed: ["signature.json": ("sm2-sm3", "none")]),
            try packed(names, changed: ["signature.json": ("\"manifest\":", " \"manifest\":")]),
        ] { #expect(try problem(forged) == "package.invalid") }
        // The node refuses them too, and keeps nothing.
        var altered = sent
        altered[sent.count / 2] ^= 1
        let refused = try await Self.receive(b, altered)
        #expect(refused.status == 422 && refused.json["title"]?.string?.isEmpty == false, "\(refused.text)")
        #expect(try await Self.receive(b, try packed(names, more: [("x", [1])])).status == 422)
        #expect(try await Self.receive(b, Array("PK".utf8)).status == 422)
        #expect(try await Self.kept(b) == [0, 0, 0])
        try FileManager.default.removeItem(at: folder)
        try await a.node.close()
        try await b.node.close()
    }

    /// A stop between keeping the file and the transaction leaves a file that nobody points to: the package is taken as if it were the first time.
    @Test func whatAStopLeavesBehindIsHarmless() async throws {
        let (a, b) = try await Self.pair()
        let sent = try await Self.package(a, try await Self.granted(a)).body
        try await Self.trust(b, a)
        let folder = b.node.folder.appending(path: "attachments/packages")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(sent.prefix(900)).write(to: folder.appending(path: "0123456789abcdef-half"))
        try Data(sent).write(to: folder.appending(path: "fedcba9876543210-whole"))
        #expect(try await Self.receive(b, sent).status == 201)
        #expect(try await Self.kept(b) == [1, 3, 1])
        // Many at once: one record.
        let other = try await Self.package(a, try await Self.granted(a, "丙公司")).body
        let answers = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<6 { group.addTask { try await Self.receive(b, other).status } }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(answers.allSatisfy { $0 == 201 || $0 == 200 || $0 == 503 } && answers.contains(201), "\(answers)")
        #expect(try await Self.kept(b) == [2, 4, 2])
        try await a.node.close()
        try await b.node.close()
    }

    @Test func everyWordOfATransferIsDocumented() throws {
        let text = try DocumentationTests.document("packs.md")
        for key in TransferDeclaration.keys { #expect(text.contains("`\(key)`"), "\(key)") }
        for word in TransferDeclaration.words { #expect(text.contains("`\(word)`"), "\(word)") }
        let format = try DocumentationTests.document("transfer.md")
        for word in [
            PackageManifest.format, PackageReceipt.format, PackageManifest.name, PackageManifest.signatureName,
            PackageManifest.recordName, PackageSeal.Subject.package.rawValue, PackageSeal.Subject.receipt.rawValue,
            PackageSeal.identity,
        ] { #expect(format.contains(word), "\(word)") }
    }
}
