import Basics
import Foundation
import Kernel
import Lake
import Open
import Store
import Tabular
import TestKit
import Testing
import Web

@testable import Composition
@testable import Flow

/// The public's remarks: a pack that comes with the program, and what of the door it needs.
@Suite struct FeedbackTests {
    static let path = "/systems/feedback/public_feedback"
    static let open = "301001/000001"
    static let closed = "301003/000001"

    static func form(_ values: [(String, String)]) -> [UInt8] {
        let allowed = CharacterSet.alphanumerics
        return Array(
            values.map { "\($0.0)=\($0.1.addingPercentEncoding(withAllowedCharacters: allowed) ?? "")" }
                .joined(separator: "&").utf8
        )
    }

    static let formHeaders = ["content-type": "application/x-www-form-urlencoded"]

    static func remark(_ text: String, entry: String = open, more: [(String, String)] = []) -> [UInt8] {
        form([("step", "send"), ("v_entry", entry), ("v_kind", "error"), ("v_text", text)] + more)
    }

    static func place(_ node: TestNode) async throws -> SystemPlace {
        try #require(try await node.node.services.flows.systems.place(key: "public_feedback"))
    }

    static func send(_ node: TestNode, _ text: String, entry: String = open, contact: String = "") async throws -> Int64
    {
        let place = try await place(node)
        let values = ["entry": entry, "kind": "question", "text": text, "contact": contact]
        let request = StepRequest(place.code, step: "send", values: values)
        return try await node.node.kernel.gate.perform(node.node.services.flows.send, request, as: .anonymous()).record
    }

    static func account(_ login: String, in organisation: OrganisationID, _ node: TestNode) async throws {
        let kernel = node.node.kernel
        let machine = try await SystemPacks.machine(node.node)
        let id = try await kernel.gate.perform(
            kernel.administration.createAccount,
            .init(login: login, name: login, organisation: organisation, password: TestNode.password, isLasting: true),
            as: machine
        )
        try await kernel.gate.perform(kernel.administration.setRoles, (id, [.clerk]), as: machine)
    }

    @Test func everybodySendsByAFormAndLearnsANumber() async throws {
        let node = try await TestNode(demonstration: true)
        let page = try await node.ask("GET", "\(Self.path)/new?step=send")
        #expect(page.status == 200 && page.text.contains("name=\"v_text\""), "\(page.text)")
        // Entries that the public may see are offered, others are not there.
        #expect(page.text.contains("value=\"\(Self.open)\"") && !page.text.contains(Self.closed))
        // Whoever may take no other step signs in.
        #expect(try await node.ask("GET", "\(Self.path)/new?step=answer").status == 303)
        #expect(try await node.ask("GET", "/systems/feedback/nothing/new").status == 303)

        let sent = try await node.ask(
            "POST",
            "\(Self.path)/new",
            headers: Self.formHeaders,
            body: Self.remark("第五行的名称不对。", more: [("v_contact", "13900000001")])
        )
        let place = sent.headers["location"] ?? ""
        #expect(sent.status == 303 && place.contains("sent=FK2026-00001"), "\(sent.text)")
        let thanks = try await node.ask("GET", place)
        #expect(thanks.text.contains("FK2026-00001") && !thanks.text.contains("第五行"))
        #expect(try await !node.ask("GET", "\(Self.path)/new?step=send&sent=%3Cb%3Ex").text.contains("<b>x"))
        // From the entry's page one comes back to it.
        let back = [("back", "entry"), ("public", "1")]
        let again = try await node.ask(
            "POST",
            "\(Self.path)/new",
            headers: Self.formHeaders,
            body: Self.remark("第六行的名称不对。", more: back)
        )
        #expect(again.headers["location"] == "/resources/301001-000001?sent=FK2026-00002#feedback")
        // No other door to the record.
        for door in ["\(Self.path)/1", Self.path, "\(Self.path)/board", "\(Self.path)/1/step/answer"] {
            #expect(try await node.ask("GET", door).status == 303, "\(door)")
        }
        #expect(try await node.ask("GET", "/api/v1\(Self.path)/records/1").status == 401)
        #expect(try await node.ask("GET", "/api/v1/resources/301099-000001/records").status == 404)
        let step = Array(#"{"step":"answer","values":{"answer":"好"}}"#.utf8)
        #expect(try await node.ask("POST", "/api/v1\(Self.path)/records/1/steps", body: step).status == 401)
        #expect(try await node.ask("POST", "/api/v1\(Self.path)/records", body: step).status == 401)
        try await node.close()
    }

    @Test func whatIsNotRightIsRefused() async throws {
        let node = try await TestNode(demonstration: true)
        func post(_ body: [UInt8], _ headers: [String: String] = [:]) async throws -> TestNode.Answer {
            let all = Self.formHeaders.merging(headers) { _, new in new }
            return try await node.ask("POST", "\(Self.path)/new", headers: all, body: body)
        }
        // An entry that is not there and one that the public may not see are told the same.
        var told: Set<String> = []
        for entry in [Self.closed, "301099/999999", "x"] {
            let answer = try await node.ask(
                "POST",
                "/api/v1\(Self.path)/records",
                body: Array(
                    JSONValue.object([
                        .init("step", "send"),
                        .init(
                            "values",
                            .object([
                                .init("entry", .string(entry)), .init("kind", "error"), .init("text", "有一处不对。"),
                            ])
                        ),
                    ]).text.utf8
                )
            )
            #expect(answer.status == 422 && answer.json["code"]?.string == "flow.reference", "\(answer.text)")
            told.insert(answer.json["title"]?.string ?? "")
        }
        #expect(told.count == 1)
        // A field that the step does not ask for, a text that is too short, a page of another site, a machine.
        let owner = #"{"step":"send","values":{"entry":"301001/000001","kind":"error","text":"有一处不对。","owner":"我"}}"#
        let extra = try await node.ask("POST", "/api/v1\(Self.path)/records", body: Array(owner.utf8))
        #expect(extra.json["code"]?.string == "flow.field", "\(extra.text)")
        let short = try await post(Self.remark("短"))
        #expect(short.status == 422 && short.text.contains("role=\"alert\"") && short.text.contains("短</textarea>"))
        #expect(try await post(Self.remark("别处的页面。"), ["sec-fetch-site": "cross-site"]).status == 403)
        #expect(try await post(Self.remark("机器写的内容。", more: [("website", "x")])).status == 303)
        let clerk = try await node.session("clerk")
        // In somebody's session the form carries its token.
        #expect(try await post(Self.remark("没有带令牌。", more: [("public", "1")]), clerk).status == 403)
        let token = [("public", "1"), ("_csrf", clerk["x-csrf-token"] ?? "")]
        #expect(try await post(Self.remark("带了令牌的。", more: token), clerk).status == 303)
        let list = try await node.ask("GET", "/api/v1/feedback", headers: clerk).json["feedback"]?.array ?? []
        #expect(list.map { $0["text"]?.string ?? "" } == ["带了令牌的。"])
        try await node.close()
    }

    @Test func eachProviderHasItsOwnRemarks() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        let home = try #require(try await kernel.accounts.find(login: "clerk")).organisation
        let tree = kernel.gate.organisations
        let above = try #require(tree[home]?.parent)
        let beside = try #require(tree.all.values.first { $0.parent == above && $0.id != home }).id
        try await Self.account("upper", in: above, node)
        try await Self.account("other", in: beside, node)
        let record = try await Self.send(node, "卡口的桩号写错了。", contact: "someone@example.org")
        let path = "/api/v1/feedback"
        for login in ["clerk", "upper", "steward"] {
            let session = try await node.session(login)
            let list = try await node.ask("GET", path, headers: session).json["feedback"]?.array ?? []
            #expect(list.first?["contact"]?.string == "someone@example.org", "\(login)")
            let page = try await node.ask("GET", "\(Self.path)/\(record)", headers: session).text
            #expect(page.contains("桩号写错了") && page.contains("href=\"/resources/301001-000001\""), "\(login)")
            let console = try await node.ask("GET", "/console", headers: session).text
            #expect(console.contains("\(Self.path)?saved=0\">1</a>"), "\(login)")
        }
        let other = try await node.session("other")
        #expect(try await node.ask("GET", path, headers: other).json["feedback"]?.array?.isEmpty == true)
        #expect(try await node.ask("GET", "\(Self.path)/\(record)", headers: other).status == 403)
        let answer = Array(#"{"text":"已经改正。"}"#.utf8)
        #expect(try await node.ask("POST", "\(path)/\(record)/answer", headers: other, body: answer).status == 403)
        // Whoever reads without answering sees no contact.
        let authority = try await node.session("authority")
        let seen = try await node.ask("GET", path, headers: authority)
        #expect(seen.text.contains("桩号写错了") && !seen.text.contains("example.org"), "\(seen.text)")
        let upper = try await node.session("upper")
        #expect(try await node.ask("POST", "\(path)/\(record)/answer", headers: upper, body: answer).status == 200)
        // Answered again: the answer is changed, and the public sees the last.
        let better = Array(#"{"text":"已经改正，谢谢。"}"#.utf8)
        let clerk = try await node.session("clerk")
        #expect(try await node.ask("POST", "\(path)/\(record)/answer", headers: clerk, body: better).status == 200)
        let page = try await node.ask("GET", "/resources/301001-000001").text
        #expect(page.contains("已经改正，谢谢。") && !page.contains("example.org") && !page.contains("upper"))
        #expect(try await node.ask("POST", "\(path)/\(record)/set_aside", headers: clerk).status == 409)
        try await node.close()
    }

    @Test func whatIsSaidOfAnEntryIsShownWhereTheEntryIs() async throws {
        let node = try await TestNode(demonstration: true)
        let record = try await Self.send(node, "希望增加启用时间。")
        let clerk = try await node.session("clerk")
        let body = Array(#"{"text":"下月增加。"}"#.utf8)
        _ = try await node.ask("POST", "/api/v1/feedback/\(record)/answer", headers: clerk, body: body)
        let list = "/api/v1/systems/feedback/published/public_feedback"
        #expect(try await node.ask("GET", "\(list)?f_entry=301001/000001").text.contains("下月增加"))
        #expect(try await !node.ask("GET", "\(list)?f_entry=301001/000002").text.contains("下月增加"))
        #expect(try await node.ask("GET", "\(list)?f_contact=x").status == 400)
        #expect(try await node.ask("GET", "/systems/feedback/published/public_feedback").text.contains("下月增加"))
        // The entry is no longer open: what was said of it is not shown to the public, and takes nothing more.
        let kernel = node.node.kernel
        let opening = node.node.services.opening
        let proposal = Opening.proposal(try await kernel.resource(Self.open))
        let request = try await kernel.gate.perform(
            opening.apply,
            (Self.open, proposal, "公众需要"),
            as: node.caller("clerk")
        )
        let day = CivilTime.chinaDay(microseconds: node.clock.now) + 100
        let yes = OpenActions.Answer(id: request.id, approve: true, note: "同意", nextReview: day)
        _ = try await kernel.gate.perform(opening.reviewSecrecy, yes, as: node.caller("reviewer"))
        _ = try await kernel.gate.perform(opening.reviewAuthority, yes, as: node.caller("authority"))
        _ = try await kernel.gate.perform(opening.close, (request.id, "复审"), as: node.caller("authority"))
        #expect(try await !node.ask("GET", list).text.contains("下月增加"))
        #expect(try await !node.ask("GET", "/systems/feedback/published/public_feedback").text.contains("下月增加"))
        await #expect(throws: Problem.self) { _ = try await Self.send(node, "还能提交吗？") }
        try await node.close()
    }

    @Test func thePublicCannotFillTheNode() async throws {
        let node = try await TestNode(demonstration: true)
        // So many a minute; what is refused takes no place.
        for _ in 0..<40 {
            let empty = await #expect(throws: Problem.self) { _ = try await Self.send(node, "") }
            #expect(empty?.code != "flow.busy")
        }
        var refused = 0
        for number in 0..<40 {
            do { _ = try await Self.send(node, "第 \(number) 条意见。") } catch let problem as Problem {
                #expect(problem.code == "flow.busy")
                refused += 1
            }
        }
        #expect(refused == 10)
        // So many that wait, of one entry; what was dealt with makes room.
        for number in 0..<170 {
            if number % 25 == 0 { node.clock.advance(microseconds: 60_000_000) }
            _ = try await Self.send(node, "又一条意见 \(number)。")
        }
        node.clock.advance(microseconds: 60_000_000)
        let full = await #expect(throws: Problem.self) { _ = try await Self.send(node, "再来一条意见。") }
        #expect(full?.code == "flow.busy" && full?.status == 429)
        let place = try await Self.place(node)
        let aside = StepRequest(place.code, record: 1, step: "set_aside")
        let clerk = try await node.caller("clerk")
        _ = try await node.node.kernel.gate.perform(node.node.services.flows.step, aside, as: clerk)
        _ = try await Self.send(node, "又能提交了吗？")
        try await node.close()
    }

    @Test func answersAreToldOnceThoughTheNodeStopped() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        let flows = node.node.services.flows
        func answered() async throws -> [NodeEvent] {
            try await kernel.databases.control.read {
                try EventLog.events(after: 0, kinds: [.answered], limit: 100, $0)
            }
        }
        // A step was committed, and the process stopped before the log had its event.
        try await kernel.databases.records.write { db in
            try FlowEvents.add(.answered, of: Self.open, record: 5, step: 77, at: 1_700_000_000_000_000, db)
            try FlowEvents.add(.answered, of: "301099/999999", record: 6, step: 78, at: 1_700_000_000_000_000, db)
        }
        try await flows.keepUp()
        try await flows.keepUp()
        #expect(try await answered().map { $0.data["feedback"]?.integer } == [5])
        // It stopped between the log and its own table: the log takes each once.
        try await kernel.databases.records.write { db in
            try FlowEvents.add(.answered, of: Self.open, record: 5, step: 77, at: 1_700_000_000_000_000, db)
        }
        try await flows.keepUp()
        #expect(try await answered().count == 1)
        let left = try await kernel.databases.records.read { try $0.rows("SELECT step FROM flow_events").count }
        #expect(left == 0)
        try await node.close()
    }

    // MARK: The pack that every node has

    @Test func everyNodeHasThePack() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-test-\(UUID().uuidString)")
        let first = try await TestNode(folder: folder)
        let system = try await first.node.flows.systems.system("feedback")
        #expect(system.number == 1 && system.codes["public_feedback"] != nil)
        #expect(throws: Problem.self) { try BundledPacks.checkRemoval(of: "feedback") }
        #expect(throws: Never.self) { try BundledPacks.checkRemoval(of: "demands") }
        // A folder's pack of the same name does not take its place.
        let file = DocumentationTests.root.appending(path: "Systems/feedback/pack.yaml")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(PackTests.mistakes(text) == [])
        let other = try FlowTests.write(text.replacing("version: 1", with: "version: 7"))
        _ = try await SystemPacks.install(first.node, from: other)
        #expect(try await first.node.flows.systems.system("feedback").declaration.version == 1)
        try await first.close()
        let second = try await TestNode(folder: folder)
        let again = try await second.node.flows.systems.system("feedback")
        #expect(again.number == 1 && again.codes == system.codes)
        try await second.close()
        try? FileManager.default.removeItem(at: folder)
        try await TestNode.removeStore(of: folder)
    }

    /// Remarks of an earlier release, as its table has them.
    private static func keep(_ rows: [(id: Int64, answer: String?, answeredAt: Int64?)], _ node: TestNode) async throws
    {
        let resource = try await node.node.kernel.resource(open).id.raw
        let clerk = try #require(try await node.node.kernel.accounts.find(login: "clerk")).id.raw
        try await node.node.kernel.databases.control.write { db in
            for row in rows {
                try db.execute(
                    "INSERT INTO feedback (id, resource, kind, text, contact, at, answer, answered_at, answered_by) VALUES (?,?,?,?,?,?,?,?,?)",
                    [
                        .integer(row.id), .integer(resource), .text("wish"), .text("旧版意见 \(row.id)"),
                        .text("old@example.org"), .integer(1_780_000_000_000_000 + row.id),
                        row.answer.map { .text($0) } ?? .null, row.answeredAt.map { .integer($0) } ?? .null,
                        row.answeredAt == nil ? .null : .integer(clerk),
                    ]
                )
            }
        }
    }

    @Test func remarksOfEarlierReleasesGoIn() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-test-\(UUID().uuidString)")
        let first = try await TestNode(folder: folder, demonstration: true)
        let day: Int64 = 1_781_000_000_000_000
        let rows: [(id: Int64, answer: String?, answeredAt: Int64?)] = [
            (3, nil, nil), (4, "旧版答复", day), (9, nil, day), (10, nil, nil), (12, nil, nil),
        ]
        try await Self.keep(rows, first)
        // One that the pack's rules refuse stays where it was, and the node opens.
        try await first.node.kernel.databases.control.write { db in
            _ = try db.execute("UPDATE feedback SET text = ? WHERE id = 10", [.text("a\u{200B}b\u{200B}c")])
        }
        try await first.close()

        let node = try await TestNode(folder: folder)
        let clerk = try await node.session("clerk")
        func list() async throws -> [String: JSONValue] {
            let found = try await node.ask("GET", "/api/v1/feedback", headers: clerk).json["feedback"]?.array ?? []
            return Dictionary(found.map { ($0["number"]?.string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
        }
        func left() async throws -> Int {
            try await node.node.kernel.databases.control.read { try FormerFeedback.first(10, after: 0, $0).count }
        }
        let found = try await list()
        #expect(Set(found.keys) == ["FK-3", "FK-4", "FK-9", "FK-12"])
        #expect(try await left() == 1)
        #expect(found["FK-3"]?["answered_at"] == .null && found["FK-3"]?["contact"] == "old@example.org")
        #expect(found["FK-4"]?["answer"] == "旧版答复")
        #expect(found["FK-4"]?["answered_at"]?.string == CivilTime.timestamp(day))
        #expect(found["FK-4"]?["at"]?.string == CivilTime.timestamp(1_780_000_000_000_004))
        #expect(found["FK-9"]?["answer"] == .null && found["FK-9"]?["answered_at"]?.string != nil)
        let shown = try await node.ask("GET", "/resources/301001-000001").text
        #expect(shown.contains("旧版答复") && !shown.contains("旧版意见 9"))
        let events = try await node.node.kernel.databases.control.read {
            try EventLog.events(after: 0, kinds: [.answered], limit: 10, $0)
        }
        #expect(events.isEmpty, "what was told long ago is not told again")

        // Stopped before the old row went, and between the remark and its answer: the next start goes on, nothing is there twice.
        try await Self.keep([(3, nil, nil), (4, "旧版答复", day), (12, "后来的答复", day)], node)
        try await BundledPacks.install(node.node)
        let after = try await list()
        #expect(after.count == 4)
        #expect(try await left() == 1)
        #expect(after["FK-12"]?["answer"] == "后来的答复" && after["FK-4"]?["answer"] == "旧版答复")
        try await node.close()
        try? FileManager.default.removeItem(at: folder)
        try await TestNode.removeStore(of: folder)
    }
}
