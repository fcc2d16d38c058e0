import Web
import Basics
import Composition
import Flow
import Foundation
import Kernel
import Lake
import TestKit
import Testing

/// A system that is a folder, at work: people, steps, clocks, documents, files.
@Suite struct FlowTests {
    static let pack = """
        pack: permits
        version: 1
        title: {zh: 占道许可, en: Road permits}
        roles:
          - {key: permit_clerk, title: {zh: 受理员, en: clerk of permits}}
          - {key: permit_chief, title: {zh: 审批人, en: chief of permits}}
          - {key: permit_guest, title: {zh: 旁观者, en: onlooker}}
        settings:
          - {key: decide_days, title: {zh: 审批时限, en: time to decide}, value: 5, unit: 个工作日}
        resources:
          - key: permits
            name: 占道许可申请
            en: Road permits
            storage: records
            schema:
              primaryKey: [number]
              fields:
                - {name: number, title: 编号, type: string, constraints: {required: true}}
                - {name: applicant, title: 申请人, type: string, constraints: {required: true, maxLength: 100}}
                - {name: phone, title: 电话, type: string, "tongqu:kind": phone}
                - {name: width, title: 宽度, type: number, "tongqu:scale": 2}
                - {name: granted_on, title: 批准日期, type: date}
                - {name: road_work, title: 施工编号, type: string}
                - {name: state, title: 状态, type: string}
            numbers: [{key: permit, format: "ZD{year}-{serial:3}"}, {key: paper, format: "许〔{year}〕{serial}号"}]
            attachments: [{key: plan, title: {zh: 平面图, en: plan}, accept: [image, pdf]}]
            documents:
              - {key: licence, title: {zh: 占道许可证, en: permit}, template: documents/licence.html, number: paper}
              - {key: slip, title: {zh: 回执, en: slip}, template: documents/slip.html, states: [received]}
            flow:
              states:
                - {key: received, title: {zh: 已受理, en: received}}
                - {key: waiting, title: {zh: 补正, en: to be completed}}
                - {key: granted, title: {zh: 已批准, en: granted}, kind: done}
                - {key: lapsed, title: {zh: 逾期作废, en: lapsed}, kind: cancelled}
              steps:
                - {key: apply, title: {zh: 受理, en: receive}, begin: true, to: received, roles: [permit_clerk], fields: [applicant!, phone, width], set: {number: $number(permit)}, start: [decide]}
                - {key: ask, title: {zh: 要求补正, en: ask for more}, from: [received], to: waiting, roles: [permit_clerk], kind: return, note: required, pause: [decide], start: [complete]}
                - {key: completed, title: {zh: 补正完成, en: completed}, from: [waiting], to: received, roles: [permit_clerk], fields: [width!], resume: [decide], stop: [complete]}
                - {key: lapse, title: {zh: 逾期作废, en: lapse}, from: [waiting], to: lapsed, roles: [clock]}
                - key: grant
                  title: {zh: 批准, en: grant}
                  from: [received]
                  to: granted
                  roles: [permit_chief, permit_clerk]
                  others: true
                  attachments: [plan]
                  guard: width > 0 AND width <= 3
                  message: {zh: 宽度应大于 0、不超过 3 米, en: the width is above 0 and at most 3 m}
                  set: {granted_on: $today}
                  stop: [decide]
                  issue: [licence]
                  create: {resource: works, step: open, link: road_work, values: {permit: =number, name: "=applicant"}}
              clocks:
                - {key: decide, title: {zh: 审批时限, en: to decide}, days: $setting(decide_days), unit: working_days, warn: 1}
                - {key: complete, title: {zh: 补正时限, en: to complete}, days: 3, unit: days, holidays: keep, step: lapse}
            views:
              list: {columns: [number, applicant, width], filters: [granted_on], saved: [{title: {zh: 宽于一米, en: wider than a metre}, filter: width > 1}]}
              board: {title: applicant, fields: [width]}
              related: [{resource: works, field: permit, key: number, step: open}]
              dashboard: [{title: {zh: 按状态, en: by state}, group: state}]
            grants:
              - {role: permit_clerk, may: [read, act]}
              - {role: permit_chief, may: [read, act]}
              - {role: permit_guest, may: [read], mask: true}
          - key: works
            name: 占道施工
            storage: records
            schema:
              primaryKey: [work]
              fields:
                - {name: work, title: 施工编号, type: string, constraints: {required: true}}
                - {name: permit, title: 许可编号, type: string, "tongqu:index": true}
                - {name: name, title: 单位, type: string}
                - {name: state, title: 状态, type: string}
            numbers: [{key: work, format: "SG{serial:4}", per: ever}]
            flow:
              states: [{key: open, title: {zh: 在施, en: open}}, {key: over, title: {zh: 完工, en: over}, kind: done}]
              steps:
                - {key: open, title: {zh: 开工, en: open}, begin: true, to: open, roles: [permit_chief], fields: [permit, name], set: {work: $number(work)}}
                - {key: end, title: {zh: 完工, en: end}, from: [open], to: over, roles: [permit_chief]}
            grants: [{role: permit_chief, may: [read, act]}, {role: permit_clerk, may: [read]}]

        """

    /// A node with the pack, and people of its roles; sessions by login.
    struct Town {
        var node: TestNode
        var folder: URL
        var sessions: [String: [String: String]] = [:]

        func ask(_ login: String, _ method: String, _ path: String, _ body: String = "") async throws -> TestNode.Answer
        {
            try await node.ask(method, path, headers: sessions[login] ?? [:], body: Array(body.utf8))
        }

        func step(
            _ login: String,
            _ record: Int64,
            _ step: String,
            _ values: String = "{}",
            note: String = ""
        ) async throws
            -> TestNode.Answer
        {
            try await ask(
                login,
                "POST",
                "/api/v1/systems/permits/permits/records/\(record)/steps",
                #"{"step":"\#(step)","values":\#(values),"note":"\#(note)"}"#
            )
        }

        func apply(_ applicant: String = "某某公司", width: String = "1.5") async throws -> Int64 {
            let answer = try await ask(
                "pclerk",
                "POST",
                "/api/v1/systems/permits/permits/records",
                #"{"step":"apply","values":{"applicant":"\#(applicant)","width":"\#(width)","phone":"13800001111"}}"#
            )
            guard let record = answer.json["record"]?.integer else {
                throw Problem("test.apply", zh: answer.text, en: answer.text)
            }
            return record
        }

        func show(_ login: String, _ record: Int64) async throws -> JSONValue {
            try await ask(login, "GET", "/api/v1/systems/permits/permits/records/\(record)").json
        }

        /// Attaches a file as a browser does.
        func attach(_ login: String, _ record: Int64, _ name: String, _ bytes: [UInt8]) async throws -> TestNode.Answer
        {
            var session = sessions[login] ?? [:]
            session["content-type"] = "multipart/form-data; boundary=zz"
            var body: [UInt8] = []
            for (field, value) in [
                ("_csrf", session["x-csrf-token"] ?? ""), ("kind", "plan"), ("longitude", "117.2"),
                ("latitude", "39.1"),
            ] {
                body += Array("--zz\r\nContent-Disposition: form-data; name=\"\(field)\"\r\n\r\n\(value)\r\n".utf8)
            }
            body += Array("--zz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\n\r\n".utf8)
            body += bytes + Array("\r\n--zz--\r\n".utf8)
            return try await node.ask(
                "POST",
                "/systems/permits/permits/\(record)/attachments",
                headers: session,
                body: body
            )
        }
    }

    static func write(_ text: String) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-pack-\(UUID().uuidString)/permits")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "documents"),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: folder.appending(path: "pack.yaml"))
        try Data(
            "<h1>{{title}}</h1><table><tr><th>申请人</th><td>{{applicant}}</td></tr><tr><th>宽度</th><td>{{width}}</td></tr><tr><th>批准</th><td>{{granted_on}}</td></tr></table>{{#steps}}<p>{{title}} {{by}}</p>{{/steps}}"
                .utf8
        )
        .write(to: folder.appending(path: "documents/licence.html"))
        // What a mask hides stands on it, where the pack has it.
        let phone = text.contains("{name: phone,") ? " {{phone}}" : ""
        try Data("<p>{{applicant}} {{number}}\(phone)</p>".utf8).write(
            to: folder.appending(path: "documents/slip.html")
        )
        return folder
    }

    static func town(_ node: TestNode? = nil) async throws -> Town {
        let node = if let node { node } else { try await TestNode(demonstration: true) }
        let folder = try write(pack)
        _ = try await SystemPacks.install(node.node, from: folder)
        var town = Town(node: node, folder: folder)
        for (login, role) in [
            ("pclerk", "permit_clerk"), ("pchief", "permit_chief"), ("pguest", "permit_guest"), ("pnobody", ""),
        ] {
            try await node.hire(login, as: role, name: "测\(login)")
            town.sessions[login] = try await node.session(login)
        }
        return town
    }

    static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1, 2, 3, 4, 5, 6, 7, 8]

    @Test func aRecordGoesItsWayThroughThePeopleItIsFor() async throws {
        let town = try await Self.town()
        let record = try await town.apply("<b>甲公司</b>")
        let begun = try await town.show("pclerk", record)
        #expect(begun["state"]?.string == "received")
        #expect(begun["values"]?["number"]?.string?.hasSuffix("-001") == true)
        #expect(begun["clocks"]?.array?.first?["state"]?.string == "running")
        // Who took the step before it does not grant; others may, when the plan is there and the guard holds.
        #expect(try await town.step("pclerk", record, "grant").status == 403)
        #expect(try await town.step("pchief", record, "grant").json["code"]?.string == "flow.attachments")
        #expect(try await town.attach("pchief", record, "图.svg", Array("<svg onload=alert(1)>".utf8)).status == 415)
        #expect(try await town.attach("pchief", record, "../../图.png", Self.png).status == 303)
        let granted = try await town.step("pchief", record, "grant", note: "同意")
        #expect(granted.status == 200 && granted.json["state"]?.string == "granted", "\(granted.text)")
        let end = try await town.show("pclerk", record)
        #expect(end["clocks"]?.array?.allSatisfy { $0["state"]?.string == "stopped" } == true)
        #expect(end["values"]?["road_work"]?.string == "SG0001")
        #expect(end["history"]?.array?.map { $0["step"]?.string } == ["apply", "grant"])
        #expect(end["steps"]?.array?.isEmpty == true)
        #expect(end["attachments"]?.array?.first?["digest"]?.string?.hasPrefix("sm3:") == true)
        // What was made elsewhere is a record of its own, found by who may read it.
        let works = try await town.ask("pclerk", "GET", "/systems/permits/works")
        #expect(works.status == 200 && works.text.contains("SG0001"))
        // A second take of the same step finds the record elsewhere.
        #expect(try await town.step("pchief", record, "grant").json["code"]?.string == "flow.moved")
        // The document is escaped, numbered, and verified by anyone who holds its code.
        let document = try #require(end["documents"]?.array?.first)
        let page = try await town.ask(
            "pchief",
            "GET",
            "/systems/permits/permits/\(record)/documents/\(document["id"]?.integer ?? 0)"
        )
        #expect(page.text.contains("&lt;b&gt;甲公司") && !page.text.contains("<b>甲公司") && page.text.contains("测pclerk"))
        #expect(page.text.contains("许〔2026〕1号"))
        let verified = try await town.node.ask("GET", "/verify/\(document["code"]?.string ?? "")")
        #expect(verified.status == 200 && verified.text.contains("占道许可证") && !verified.text.contains("甲公司"))
        #expect(try await town.node.ask("GET", "/verify/nothing").status == 404)
        // Closed records take no more files.
        #expect(try await town.attach("pchief", record, "a.png", Self.png + [9]).status == 409)
        try await town.node.close()
    }

    @Test func whoMayNotMayNot() async throws {
        let town = try await Self.town()
        let record = try await town.apply()
        for login in ["pnobody", "clerk", ""] {
            #expect([401, 403].contains(try await town.step(login, record, "ask", note: "x").status), "\(login)")
            #expect(
                [401, 403].contains(
                    try await town.ask(login, "GET", "/api/v1/systems/permits/permits/records/\(record)").status
                )
            )
        }
        #expect(try await town.step("pguest", record, "ask", note: "x").status == 403)
        #expect(try await town.step("pchief", record, "ask", note: "x").json["code"]?.string == "flow.role")
        #expect(try await town.step("pclerk", record, "lapse").json["code"]?.string == "flow.role")
        #expect(try await town.step("pclerk", record, "ask").json["code"]?.string == "flow.note")
        #expect(
            try await town.step("pclerk", record, "ask", #"{"state":"granted"}"#, note: "x").json["code"]?.string
                == "flow.field"
        )
        #expect(try await town.step("pclerk", record, "nonsense").status == 404)
        // The onlooker sees the number of a telephone masked, and no document of it.
        let seen = try await town.show("pguest", record)
        #expect(seen["values"]?["phone"]?.string?.contains("*") == true, "\(seen.text)")
        #expect(try await town.ask("pclerk", "POST", "/systems/permits/permits/\(record)/documents").status == 403)
        // No other door: a record of a flow is not written by itself.
        let place = try #require(try await town.node.node.flows.systems.place(key: "permits"))
        let machine = try await SystemPacks.machine(town.node.node)
        await #expect(throws: Problem.self) {
            try await town.node.node.kernel.gate.perform(
                town.node.node.services.lake.save,
                RecordChange(place.code, values: ["number": "X", "applicant": "乙", "state": "granted"]),
                as: machine
            )
        }
        try await town.node.close()
    }

    @Test func clocksRunPauseAndEnd() async throws {
        let town = try await Self.town()
        let record = try await town.apply()
        func clock(_ key: String) async throws -> JSONValue {
            try #require(try await town.show("pclerk", record)["clocks"]?.array?.first { $0["clock"]?.string == key })
        }
        #expect(try await town.step("pclerk", record, "ask", note: "请补图").status == 200)
        #expect(try await clock("decide")["state"]?.string == "paused")
        #expect(try await clock("complete")["state"]?.string == "running")
        // Nothing happens before the time; after it the node takes the step itself.
        try await town.node.node.flows.keepUp()
        #expect(try await town.show("pclerk", record)["state"]?.string == "waiting")
        town.node.clock.advance(microseconds: 5 * 86_400_000_000)
        try await town.node.node.flows.keepUp()
        var later = town
        later.sessions["pclerk"] = try await town.node.session("pclerk")
        let end = try await later.show("pclerk", record)
        #expect(end["state"]?.string == "lapsed", "\(end.text)")
        #expect(end["history"]?.array?.last?["step"]?.string == "lapse")
        #expect(end["clocks"]?.array?.contains { $0["state"]?.string == "running" } == false)
        try await town.node.close()
    }

    @Test func guardsAndMistakesLoseNothing() async throws {
        let town = try await Self.town()
        let wide = try await town.apply(width: "9")
        _ = try await town.attach("pchief", wide, "a.png", Self.png)
        let refused = try await town.step("pchief", wide, "grant")
        #expect(refused.status == 422 && refused.json["code"]?.string == "flow.guard")
        // Neither the number nor the work was used up, and the record stands where it stood.
        let after = try await town.show("pclerk", wide)
        #expect(after["state"]?.string == "received" && after["documents"]?.array?.isEmpty == true)
        let narrow = try await town.apply(width: "2")
        _ = try await town.attach("pchief", narrow, "b.png", Self.png)
        #expect(try await town.step("pchief", narrow, "grant").status == 200)
        #expect(try await town.show("pclerk", narrow)["values"]?["road_work"]?.string == "SG0001")
        // The page keeps what was typed.
        var session = town.sessions["pclerk"] ?? [:]
        let csrf = session["x-csrf-token"] ?? ""
        session["content-type"] = "application/x-www-form-urlencoded"
        let page = try await town.node.ask(
            "POST",
            "/systems/permits/permits/new",
            headers: session,
            body: Array("_csrf=\(csrf)&step=apply&v_applicant=%E7%94%B2%E4%B9%99&v_width=abc".utf8)
        )
        #expect(page.status == 422 && page.text.contains("甲乙") && page.text.contains("role=\"alert\""))
        let forged = try await town.node.ask(
            "POST",
            "/systems/permits/permits/new",
            headers: session,
            body: Array("step=apply&v_applicant=x".utf8)
        )
        #expect(forged.status == 403)
        try await town.node.close()
    }

    @Test func theSameStepIsTakenOnce() async throws {
        let town = try await Self.town()
        let record = try await town.apply()
        let answers = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { try await town.step("pclerk", record, "ask", note: "请补").status }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(answers.count { $0 == 200 } == 1 && answers.count { $0 == 409 } == 7, "\(answers)")
        let numbers = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<8 { group.addTask { try await town.apply() } }
            return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
        }
        #expect(numbers.count == 8)
        try await town.node.close()
    }

    @Test func pagesShowWhatSomebodyMayDo() async throws {
        let town = try await Self.town()
        let record = try await town.apply("丙公司")
        for path in [
            "/systems", "/systems/permits", "/systems/permits/permits", "/systems/permits/permits?saved=0&q=%E4%B8%99",
            "/systems/permits/permits/board", "/systems/permits/permits/dashboard", "/systems/permits/permits/flow",
            "/systems/permits/permits/\(record)", "/systems/permits/permits/\(record)/step/ask",
            "/systems/permits/permits/new?step=apply", "/console", "/systems/permits/permits?lang=en",
        ] {
            let page = try await town.ask("pclerk", "GET", path)
            #expect(page.status == 200, "\(path) \(page.status)")
        }
        let list = try await town.ask("pclerk", "GET", "/systems/permits/permits")
        #expect(list.text.contains("丙公司") && list.text.contains("剩"))
        let tasks = try await town.ask("pchief", "GET", "/api/v1/tasks")
        #expect(tasks.json["tasks"]?.array?.count == 1, "\(tasks.text)")
        #expect(
            try await town.ask("pguest", "GET", "/systems/permits/permits/\(record)").text.contains("/step/") == false
        )
        #expect(try await town.ask("pnobody", "GET", "/systems/permits").status == 404)
        #expect(try await town.node.ask("GET", "/systems").status != 200)
        try await town.node.close()
    }

    @Test func aChangedPackKeepsWhatIsThere() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-test-\(UUID().uuidString)")
        let first = try await TestNode(folder: folder, demonstration: true)
        let town = try await Self.town(first)
        let old = try await town.apply("旧申请")
        func install(_ text: String) async throws -> Problem? {
            do {
                _ = try await SystemPacks.install(first.node, from: try Self.write(text))
                return nil
            } catch let problem as Problem { return problem }
        }
        // A field that goes without a word, or a lower version, is refused; the old declaration stays.
        let lessened = Self.pack.replacing(", phone, width]", with: ", width]")
            .replacing("        - {name: phone, title: 电话, type: string, \"tongqu:kind\": phone}\n", with: "")
        #expect(try await install(lessened)?.code == "pack.migration")
        #expect(try await install(Self.pack) == nil)
        let next = Self.pack.replacing("version: 1", with: "version: 2").replacing(
            "kind: return, note: required, pause: [decide]",
            with: "kind: return, pause: [decide]"
        ).replacing("- {name: width,", with: "- {name: place, title: 地点, type: string}\n        - {name: width,")
        #expect(try await install(next) == nil)
        // The old record goes by its own flow, which needs a note; a new one by the new.
        #expect(try await town.step("pclerk", old, "ask").json["code"]?.string == "flow.note")
        let new = try await town.apply("新申请")
        #expect(try await town.step("pclerk", new, "ask").status == 200)
        #expect(try await install(Self.pack)?.code == "pack.version")
        try await first.close()
        // Everything is there after a start; the removed pack's records stay.
        let second = try await TestNode(folder: folder)
        let again = Town(node: second, folder: folder, sessions: ["pclerk": try await second.session("pclerk")])
        #expect(try await again.show("pclerk", new)["state"]?.string == "waiting")
        let machine = try await SystemPacks.machine(second.node)
        try await second.node.kernel.gate.perform(second.node.flows.removed, "permits", as: machine)
        #expect(try await again.ask("pclerk", "GET", "/api/v1/systems/permits/permits/records/\(new)").status == 404)
        _ = try await SystemPacks.install(second.node, from: try Self.write(next))
        #expect(try await again.show("pclerk", old)["values"]?["applicant"]?.string == "旧申请")
        try await second.close()
        try? FileManager.default.removeItem(at: folder)
        try await TestNode.removeStore(of: folder)
    }

    /// The systems that come with the program are right, go in, and take a record from its beginning to its end.
    @Test func theProgramsOwnSystemsGoIn() async throws {
        let root = DocumentationTests.root
        let node = try await TestNode()
        let (packs, refused) = try await SystemPacks.install(node.node, from: root.appending(path: "Systems"))
        #expect(refused.isEmpty, "\(refused)")
        #expect(Set(packs.map(\.id)).isSuperset(of: ["enforcement", "hotline-12328"]))
        let systems = try await node.node.flows.systems.all()
        #expect(systems.count == packs.count)
        // A second time nothing changes.
        _ = try await SystemPacks.install(node.node, from: root.appending(path: "Systems"))
        #expect(try await node.node.flows.systems.all().map(\.number) == systems.map(\.number))
        try await node.close()
    }
}
