import Basics
@testable import Catalogue
@testable import Composition
import Connect
import Foundation
import Kernel
import Open
import Store
import Tabular
import TestKit
import Testing

/// Standards, packs, feedback, quality by department, views, and backups on another machine.
@Suite struct StandardsTests {
    static func json(_ text: String) -> [UInt8] { Array(text.utf8) }

    static let document = """
        {"code_lists":[{"id":"colour","name":"颜色","versions":[
          {"version":"1","from":"2000-01-01","values":[{"value":"1","label":"蓝"}]},
          {"version":"2","from":"2020-01-01","values":[{"value":"1","label":"蓝"},{"value":"2","label":"黄"}]},
          {"version":"3","from":"2090-01-01","values":[{"value":"9","label":"其他"}]}]}],
         "elements":[{"id":"E1","name":"颜色代码","type":"string","max_length":2,"codes":"colour"},
          {"id":"E2","name":"质量","type":"number","scale":1,"unit":"t","grade":2},
          {"id":"E3","name":"号牌号码","kind":"plate","grade":3,"max_length":10}],
         "trees":[{"id":"t","name":"树","nodes":[{"code":"1","name":"一"},{"code":"1.1","name":"一一","parent":"1"}]}]}
        """

    @Test func elementsMakeSchemasAndSchemasAreComparedWithThem() async throws {
        let node = try await TestNode(demonstration: true)
        let steward = try await node.session("steward")
        let saved = try await node.ask("POST", "/api/v1/standards", headers: steward, body: Self.json(Self.document))
        #expect(saved.json["changed"]?.integer == 5, "\(saved.text)")
        let again = try await node.ask("POST", "/api/v1/standards", headers: steward, body: Self.json(Self.document))
        #expect(again.json["changed"]?.integer == 0, "what is unchanged makes no revision")
        let clerk = try await node.session("clerk")
        #expect(
            try await node.ask("POST", "/api/v1/standards", headers: clerk, body: Self.json(Self.document)).status
                == 403
        )
        // A schema composed from elements takes the codes in force today, and deviates from nothing.
        let composed = try await node.ask(
            "POST",
            "/api/v1/standards/compose",
            headers: clerk,
            body: Self.json(
                #"{"fields":[{"name":"c","element":"E1"},{"name":"m","element":"E2"},{"name":"p","element":"E3"}]}"#
            )
        )
        var schema = try TableSchema.read(composed.json)
        #expect(schema.fields[0].codes.map(\.value) == ["1", "2"])
        #expect(schema.fields[1].type == .decimal && schema.fields[1].scale == 1 && schema.fields[1].unit == "t")
        let registry = try await node.node.catalogue.standards.registry()
        #expect(registry.deviations(schema).isEmpty)
        #expect(registry.conformance(schema) == (3, 3))
        // Entries are compared again when the standards change: the department's share follows.
        let owner = try await node.node.kernel.accounts.find(login: "clerk")?.organisation.raw ?? 0
        let content = JSONValue.object([
            .init("name", "比对标准的条目"), .init("category", "301001"), .init("provider", .integer(owner)),
            .init("summary", "测试资源：按数据元组成的条目。"), .init("schema", TableSchema.write(schema)),
        ])
        let created = try await node.ask("POST", "/api/v1/resources", headers: clerk, body: Self.json(content.text))
        #expect(created.status == 201, "\(created.text)")
        func deviating() async throws -> Int64? {
            try await node.ask("GET", "/api/v1/entries?deviating=true", headers: clerk).json["total"]?.integer
        }
        #expect(try await deviating() == 0)
        let stricter = #"{"elements":[{"id":"E1","name":"颜色代码","type":"integer"}]}"#
        _ = try await node.ask("POST", "/api/v1/standards", headers: steward, body: Self.json(stricter))
        try await node.node.kernel.jobs.runPending()
        #expect(try await deviating() == 1)
        _ = try await node.ask("POST", "/api/v1/standards", headers: steward, body: Self.json(Self.document))
        try await node.node.kernel.jobs.runPending()
        #expect(try await deviating() == 0)
        // Each way to deviate is told.
        schema.fields[0].codes = [CodeValue("9")]
        schema.fields[1].type = .integer
        schema.fields[1].unit = "kg"
        schema.fields[2].kind = nil
        schema.fields[2].grade = .general1
        schema.fields[2].maximumLength = 20
        schema.fields.append(Field("x", element: "E404"))
        let said = registry.deviations(schema).map(\.message.zh).joined(separator: "|")
        for word in ["代码集 colour", "类型应为定点小数(1 位小数)", "单位应为t", "含义应为", "分级不得低于", "长度不得超过 10", "不在标准库"] {
            #expect(said.contains(word), "\(word): \(said)")
        }
        #expect(registry.conformance(schema) == (4, 0))
        try await node.close()
    }

    @Test func wrongStandardsAreRefusedWhole() async throws {
        let node = try await TestNode(demonstration: true)
        let steward = try await node.session("steward")
        for bad in [
            #"{"elements":[{"id":"A1","name":"好"},{"id":"有空 格","name":"坏"}]}"#,
            #"{"elements":[{"id":"A1","name":"坏","type":"blob"}]}"#,
            #"{"elements":[{"id":"A1","name":"坏","codes":"nowhere"}]}"#,
            #"{"elements":[{"id":"A1","name":"坏","kind":"nothing"}]}"#,
            #"{"elements":[{"id":"A1","name":"坏","scale":12,"type":"number"}]}"#,
            #"{"code_lists":[{"id":"l","name":"坏","versions":[]}]}"#,
            #"{"code_lists":[{"id":"l","name":"坏","versions":[{"version":"1","from":"2020-02-30","values":[{"value":"1"}]}]}]}"#,
            #"{"code_lists":[{"id":"l","name":"坏","versions":[{"version":"1","from":"2020-02-01","values":[{"value":"1"},{"value":"1"}]}]}]}"#,
            #"{"trees":[{"id":"t","name":"坏","nodes":[{"code":"1","name":"a","parent":"2"}]}]}"#,
        ] {
            let answer = try await node.ask("POST", "/api/v1/standards", headers: steward, body: Self.json(bad))
            #expect(
                ["standard.invalid", "request.body"].contains(answer.json["code"]?.string),
                "\(bad) \(answer.text)"
            )
        }
        #expect(try await node.node.catalogue.standards.registry().elements.isEmpty, "nothing half-done")
        try await node.close()
    }

    /// What `./run` opens on: every pack reads, every resource stands where it says, faults are where they were put.
    @Test func theDemonstrationHoldsWhatItSays() async throws {
        let node = try await TestNode(demonstration: true, packs: TestNode.packs)
        let open = try await node.ask("GET", "/api/v1/openlist").json["resources"]?.array ?? []
        #expect(open.count >= 20)
        let ledger = try await node.ask("GET", "/api/v1/ledger", headers: try await node.session("authority")).json[
            "all"
        ]
        #expect((ledger?["published"]?.integer ?? 0) >= 30, "\(ledger?.text ?? "")")
        for (login, stage) in [("clerk", "draft"), ("reviewer", "department"), ("authority", "authority")] {
            let session = try await node.session(login)
            let work = try await node.ask("GET", "/api/v1/entries?stage=\(stage)", headers: session).json
            #expect((work["total"]?.integer ?? 0) > 0, "\(login) has work")
        }
        let checkpoints = try await node.ask(
            "GET",
            "/api/v1/resources/301001-000001/loads",
            headers: try await node.session("clerk")
        )
        #expect(
            checkpoints.json["loads"]?.array?.contains { ($0["bad"]?.integer ?? 0) > 0 } == true,
            "\(checkpoints.text)"
        )
        let facts = try await node.ask("GET", "/api/v1/resources?limit=100").json["entries"]?.array ?? []
        #expect(facts.contains { $0["name"]?.string?.contains("联合国编号") == true })
        // Facts come in whole, and whatever is open holds rows.
        let steward = try await node.session("steward")
        for entry in facts {
            let name = entry["name"]?.string ?? ""
            #expect((entry["rows"]?.integer ?? 0) > 0, "\(name) is empty")
            guard !name.contains("演示"), let id = entry["id"]?.string else { continue }
            let loads = try await node.ask("GET", "/api/v1/resources/\(id)/loads", headers: steward).json["loads"]?
                .array
            #expect(
                loads?.isEmpty == false && loads?.allSatisfy { $0["bad"]?.integer == 0 } == true,
                "\(name) lost rows"
            )
        }
        let invented = facts.compactMap { $0["name"]?.string }.filter { $0.contains("演示") }
        #expect(invented.count >= 9 && invented.allSatisfy { $0.hasSuffix("(演示数据)") }, "\(invented)")
        try await node.close()
    }

    @Test func packsWithMistakesSayWhere() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-pack-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func place(_ yaml: String) throws -> String {
            try Data(yaml.utf8).write(to: folder.appending(path: "pack.yaml"))
            do {
                _ = try Pack(folder)
                return ""
            } catch let problem as Problem {
                return problem.message.en
            }
        }
        #expect(try place("pack: a\nresources: []\n").isEmpty)
        #expect(try place("title: x\n").contains("“pack” is missing"))
        #expect(try place("pack: a\nresuorces: []\n").contains("pack.yaml:2: resuorces:"))
        #expect(
            try place("pack: a\nresources:\n  - {key: k, naem: x, schema: {fields: []}}\n").contains(
                "pack.yaml:3: resources.k.naem:"
            )
        )
        #expect(
            try place("pack: a\nresources:\n  - {key: k, name: n, schema: {fields: [{name: a, type: blob}]}}\n")
                .contains(
                    "resources.k.schema"
                )
        )
        #expect(
            try place("pack: a\nresources:\n  - {key: k, name: n, stage: someday, schema: {fields: [{name: a}]}}\n")
                .contains("resources.k.stage:")
        )
        #expect(
            try place(
                "pack: a\nresources:\n  - {key: k, name: n, schema: {fields: [{name: a}]}, data: [{file: no.csv}]}\n"
            )
            .contains("there is no file “no.csv”")
        )
        #expect(try place("pack: [\n").contains("pack.yaml:2:"), "a parser's place")
    }

    /// Administrators find what they should see to, each by what they may do, and it goes when it is done.
    @Test func administratorsHaveTheirTasks() async throws {
        let node = try await TestNode(demonstration: true)
        func page(_ login: String) async throws -> String {
            try await node.ask("GET", "/console", headers: try await node.session(login)).text
        }
        let system = try await page("sysadmin")
        for word in ["一周内没有完好的备份", "一季度内没有恢复演练", "没有统一社会信用代码"] { #expect(system.contains(word), "\(word)") }
        #expect(!system.contains("没有验证过存证链"))
        #expect(try await page("auditor").contains("一个月内没有验证过存证链(尚无记录)"))
        let auditor = try await node.session("auditor")
        _ = try await node.ask("POST", "/api/v1/evidence/verify", headers: auditor)
        #expect(try await !page("auditor").contains("没有验证过存证链"))
        let security = try await node.session("secadmin")
        #expect(try await !page("secadmin").contains("个账号没有角色"))
        let owner = try await node.node.kernel.accounts.find(login: "clerk")?.organisation ?? .init(1)
        let machine = try #require(await node.node.kernel.accounts.find(login: "command-line"))
        let account = Administration.NewAccount(
            login: "newcomer",
            name: "刘新到",
            organisation: owner,
            password: "Start-Pass-2026"
        )
        _ = try await node.node.kernel.gate.perform(
            node.node.kernel.administration.createAccount,
            account,
            as: Caller(principal: machine, trace: "test")
        )
        #expect(try await node.ask("GET", "/console", headers: security).text.contains("1 个账号没有角色"))
    }

    /// English pages say which of their texts are Chinese.
    @Test func chineseTextsOfEnglishPagesAreMarked() async throws {
        let node = try await TestNode(demonstration: true)
        let page = try await node.ask("GET", "/search?lang=en").text
        #expect(page.contains("<html lang=\"en\">"))
        #expect(page.contains("lang=\"zh-CN\""))
        // Nothing Chinese outside an element that says so, but for the titles of the frame.
        let body = page.components(separatedBy: "<main").dropFirst().joined().components(separatedBy: "</main>")[0]
        var isMarked = [false]
        for piece in body.split(separator: "<").dropFirst() {
            let parts = piece.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false)
            let tag = parts[0]
            let name = tag.prefix { $0.isLetter || $0.isNumber }
            if tag.hasPrefix("/") {
                isMarked.removeLast()
            } else if !["input", "img", "br", "meta", "link", "hr", "wbr"].contains(name) {
                isMarked.append((isMarked.last ?? false) || tag.contains("lang=\"zh-CN\""))
            }
            let isChinese =
                parts.count == 2 && parts[1].unicodeScalars.contains { (0x4E00...0x9FFF).contains($0.value) }
            #expect(!isChinese || isMarked.last == true, "\(piece)")
        }
    }

    /// Remarks of the national guide's check are counted as entries are saved, listed with what to do, and gone when they are mended.
    @Test func remarksAreListedWithTheirFixes() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let before =
            try await node.ask("GET", "/api/v1/entries?remarks=true", headers: clerk).json["total"]?.integer ?? 0
        let owner = try await node.node.kernel.accounts.find(login: "clerk")?.organisation.raw ?? 0
        let content =
            #"{"name":"某某管理系统","category":"301001","provider":\#(owner),"summary":"短","schema":{"fields":[{"name":"a"}]}}"#
        let created = try await node.ask("POST", "/api/v1/resources", headers: clerk, body: Self.json(content))
        #expect(created.status == 201, "\(created.text)")
        let page = try await node.ask("GET", "/console/compliance", headers: clerk).text
        for word in ["某某管理系统", "摘要缺失或过短", "写明内容、范围、来源、用途", "改用数据内容命名"] { #expect(page.contains(word), "\(word)") }
        #expect(
            try await node.ask("GET", "/api/v1/entries?remarks=true", headers: clerk).json["total"]?.integer == before
                + 1
        )
        // Entries of an earlier release are compared when the node opens.
        try await node.node.kernel.databases.control.write { db in try db.execute("UPDATE entries SET remarks = -1") }
        try await node.node.catalogue.keepUp()
        try await node.node.kernel.jobs.runPending()
        let left = try await node.node.kernel.databases.control.read { db in
            try db.row("SELECT count(*) FROM entries WHERE remarks < 0")?.integer(0)
        }
        #expect(left == 0)
        try await node.close()
    }

    /// Names that stand for nothing or for two things are found before anything goes in.
    @Test func packsAreCheckedBeforeAnythingGoesIn() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-packs-\(UUID().uuidString)")
        let place = folder.appending(path: "p")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let head =
            "pack: a\norganisations: [{key: o, name: 机构}]\naccounts: [{login: l, role: clerk, organisation: o}]\n"
        let resource = "resources: [{key: r, name: 资源, provider: o, author: l, schema: {fields: [{name: a}]}}]\n"
        func said(_ yaml: String) throws -> String {
            try Data(yaml.utf8).write(to: place.appending(path: "pack.yaml"))
            do {
                _ = try Pack.all(in: [folder])
                return ""
            } catch let problem as Problem { return problem.details["place"] ?? problem.code }
        }
        #expect(try said(head + resource).isEmpty)
        #expect(
            try said(head.replacing("}]\naccounts", with: "}, {key: o, name: 机构二}]\naccounts")) == "organisations.o"
        )
        #expect(try said(head.replacing("role: clerk", with: "role: king")) == "accounts.l")
        #expect(try said(head + resource.replacing("provider: o", with: "provider: x")) == "resources.r")
        #expect(try said(head + resource.replacing("author: l", with: "author: x")) == "resources.r.author")
        let source = "sources: [{name: s, resource: r, kind: folder, mode: append, schedule: sometimes}]\n"
        #expect(try said(head + resource + source) == "sources.s")
        #expect(try said("pack: a\nrequires: [b]\n") == "pack.requires")
        #expect(throws: Problem.self) { try Pack.all(in: [folder.appending(path: "nowhere")]) }
    }

    @Test func remarksReachTheOwnerAndNobodyElse() async throws {
        let node = try await TestNode(demonstration: true)
        let path = "/api/v1/resources/301001-000001/feedback"
        let body = Self.json(#"{"kind":"error","text":"第三行的方向不对","contact":"someone@example.org"}"#)
        let sent = try await node.ask("POST", path, body: body)
        #expect(sent.status == 201, "\(sent.text)")
        #expect(try await node.ask("POST", path, body: Self.json(#"{"text":"短"}"#)).status == 422)
        // What is not open takes no remarks, and does not tell that it exists.
        #expect(try await node.ask("POST", "/api/v1/resources/301003-000001/feedback", body: body).status == 404)
        #expect(try await node.ask("GET", "/api/v1/feedback").status == 401)
        let page = try await node.ask("GET", "/resources/301001-000001").text
        #expect(!page.contains("方向不对"), "nothing is shown before it is answered")
        let clerk = try await node.session("clerk")
        let list =
            try await node.ask("GET", "/api/v1/feedback?waiting=true", headers: clerk).json["feedback"]?.array ?? []
        let id = try #require(list.first?["id"]?.integer)
        #expect(list.first?["contact"]?.string == "someone@example.org")
        let auditor = try await node.session("auditor")
        #expect(
            try await node.ask(
                "POST",
                "/api/v1/feedback/\(id)/answer",
                headers: auditor,
                body: Self.json(#"{"text":"好的"}"#)
            ).status == 403
        )
        #expect(
            try await node.ask(
                "POST",
                "/api/v1/feedback/\(id)/answer",
                headers: clerk,
                body: Self.json(#"{"text":"已改正"}"#)
            ).status == 200
        )
        let answered = try await node.ask("GET", "/resources/301001-000001").text
        #expect(answered.contains("已改正") && !answered.contains("someone@example.org"))
        // The public cannot fill the node.
        var refused = 0
        for _ in 0..<40 where try await node.ask("POST", path, body: body).status == 429 { refused += 1 }
        #expect(refused > 5)
        let evidence = try await node.ask("GET", "/api/v1/evidence?limit=100", headers: auditor).text
        #expect(!evidence.contains("someone@example.org") && !evidence.contains("方向不对"))
        try await node.close()
    }

    @Test func faultsAreToldApartByDepartment() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        // One column is missing in nearly every row: that is the mapping's; two values are wrong: the producer's.
        let text =
            "id,name,kind\n"
            + (1...100).map { "\($0),\($0 < 96 ? "" : "甲"),\($0 == 7 ? "x" : "1")" }.joined(separator: "\n") + "\n"
        let (code, _) = try await node.resource(
            try PathTests.file("id,name,kind\n1,甲,1\n2,乙,2\n", "faults.csv"),
            name: "责任区分测试",
            session: clerk,
            change: { schema in
                let fields = (schema["fields"]?.array ?? []).map { field -> JSONValue in
                    guard case .object(let members) = field, field["name"]?.string != "id" else { return field }
                    let isKind = field["name"]?.string == "kind"
                    let constraints: [JSONValue.Member] =
                        isKind ? [.init("enum", .array(["1", "2"]))] : [.init("required", true)]
                    return .object(
                        members.filter { !["constraints", "type"].contains($0.name) } + [
                            .init("type", "string"), .init("constraints", .object(constraints)),
                        ]
                    )
                }
                return .object([.init("fields", .array(fields))])
            }
        )
        let slug = code.replacing("/", with: "-")
        let upload = try await node.upload("faults.csv", Self.json(text), session: clerk)
        _ = try await node.load(upload, into: slug, mode: "replace", session: clerk)
        let owner = try await node.node.kernel.accounts.find(login: "clerk")?.organisation.raw ?? 0
        let quality = try await node.ask("GET", "/api/v1/quality/\(owner)", headers: clerk).json
        let gains = (quality["gains"]?.array ?? []).filter { $0["resource"]?.string == code }
        #expect(gains.contains { $0["field"]?.string == "name" && $0["fault"]?.string == "mapping" }, "\(quality.text)")
        #expect(gains.contains { $0["field"]?.string == "kind" && $0["fault"]?.string == "producer" })
        #expect((quality["history"]?.array ?? []).count == 1)
        #expect(
            try await node.ask("GET", "/api/v1/quality/1", headers: clerk).status == 403,
            "others' quality is their own"
        )
        try await node.close()
    }

    @Test func viewsAreKeptByPerson() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let csrf = clerk["x-csrf-token"] ?? ""
        let form = Self.json("_csrf=\(csrf)&name=%E8%8D%89%E7%A8%BF&query=stage%3Ddraft")
        #expect(try await node.ask("POST", "/console/views", headers: clerk, body: form).status == 303)
        #expect(try await node.ask("GET", "/console/entries", headers: clerk).text.contains("草稿"))
        let reviewer = try await node.session("reviewer")
        #expect(
            try await !node.ask("GET", "/console/entries", headers: reviewer).text.contains(
                "/console/entries?stage=draft\">草稿"
            )
        )
        try await node.close()
    }

    /// A backup goes to another machine, is read back, and is what a drill restores.
    @Test(.enabled(if: SourceTests.environment["TONGQU_TEST_SFTP"] != nil, "./test starts an SFTP server"))
    func backupsGoToAnotherMachine() async throws {
        let words = try #require(SourceTests.environment["TONGQU_TEST_SFTP"]).split(separator: " ").map(String.init)
        let remote = URL(filePath: words[3]).deletingLastPathComponent().appending(path: "backups-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: remote, withIntermediateDirectories: true)
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-remote-\(UUID().uuidString)")
        defer { for place in [remote, folder] { try? FileManager.default.removeItem(at: place) } }
        let place = SFTPPlace(
            host: "127.0.0.1",
            port: Int(words[0]) ?? 22,
            user: words[4],
            secret: try String(contentsOfFile: words[2], encoding: .utf8),
            fingerprint: words[1],
            folder: remote.path
        )
        let local = folder.appending(path: "backups")
        let node = try await Node.open(
            NodeSettings(
                folder: folder.appending(path: "node"),
                vendorFolder: folder,
                safekeeping: SafekeepingSettings(folder: local, keep: 2, remote: place),
                store: try TestNode.store(of: folder)
            )
        )
        _ = try await Demonstration.install(node, packs: [TestNode.smallPacks], password: TestNode.password)
        let administrator = Caller(principal: try await node.kernel.accounts.find(login: "sysadmin"), trace: "test")
        for _ in 0..<3 {
            _ = try await node.kernel.gate.perform(
                node.kernel.administration.backUp,
                Administration.backupJob,
                as: administrator
            )
            try await node.kernel.jobs.runPending()
        }
        let kept = try FileManager.default.contentsOfDirectory(atPath: remote.path)
        #expect(kept.count == 2, "older copies went: \(kept)")
        // The local ones are gone, as after a disaster: the drill restores the copy of the other machine.
        try FileManager.default.removeItem(at: local)
        try FileManager.default.createDirectory(at: local, withIntermediateDirectories: true)
        let drill = try await node.kernel.gate.perform(
            node.kernel.administration.backUp,
            Administration.drillJob,
            as: administrator
        )
        try await node.kernel.jobs.runPending()
        let job = try #require(try await node.kernel.jobs.find(drill))
        #expect(job.state == .done && job.result["rto_seconds"]?.real != nil, "\(job.result.text)")
        // A copy that was altered there is found when it is read.
        let newest = try #require(kept.max())
        try Data("x".utf8).write(
            to: remote.appending(path: "\(newest)/\(TestNode.isSQLite ? "control.sqlite" : "database/toc.dat")")
        )
        let again = try await node.kernel.gate.perform(
            node.kernel.administration.backUp,
            Administration.drillJob,
            as: administrator
        )
        try await node.kernel.jobs.runPending()
        #expect(try await node.kernel.jobs.find(again)?.result["code"]?.string == "backup.damaged")
        try await node.close()
    }
}
