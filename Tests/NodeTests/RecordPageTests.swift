import Basics
import Composition
import Flow
import Foundation
import Kernel
import Store
import TestKit
import Testing

/// Pages of records: papers for those who see a part, references that fill and are named, places, files beside a step, figures for all.
@Suite struct RecordPageTests {
    static let pack = """
        pack: fines
        version: 1
        title: {zh: 处罚, en: Fines}
        roles:
          - {key: fine_clerk, title: {zh: 经办, en: clerk of fines}}
          - {key: fine_lead, title: {zh: 组长, en: lead of fines}}
        resources:
          - key: fine_officers
            name: 人员
            en: Officers
            storage: records
            schema:
              primaryKey: [cert]
              fields:
                - {name: cert, title: 证号, type: string, constraints: {required: true}}
                - {name: officer_name, title: 姓名, type: string, "tongqu:kind": person_name}
                - {name: unit, title: 单位, type: string}
                - {name: phone, title: 电话, type: string, "tongqu:kind": phone}
                - {name: state, title: 状态, type: string}
            flow:
              states: [{key: on, title: 在岗, kind: done}]
              steps: [{key: list, title: 登记, begin: true, to: on, roles: [fine_clerk], fields: [cert!, officer_name, unit, phone]}]
            grants:
              - {role: fine_clerk, may: [read, act], fields: [cert, officer_name, unit, state]}
              - {role: fine_lead, may: [read], mask: true}
          - key: fines
            name: 罚单
            en: Fines
            storage: records
            schema:
              primaryKey: [number]
              foreignKeys:
                - {fields: [officer], reference: {resource: fine_officers, fields: [cert], fills: {officer_name: officer_name, unit: unit, phone: phone}}}
                - {fields: [witness], enforce: false, reference: {resource: fine_officers, fields: [cert]}}
              fields:
                - {name: number, title: 编号, en: Number, type: string, constraints: {required: true}}
                - {name: officer, title: 执法人员, en: Officer, type: string}
                - {name: officer_name, title: 执法人员姓名, en: Officer's name, type: string, "tongqu:kind": person_name}
                - {name: witness, title: 见证人, type: string}
                - {name: unit, title: 单位, type: string}
                - {name: phone, title: 电话, type: string, "tongqu:kind": phone}
                - {name: lon, title: 经度, type: number, "tongqu:kind": longitude}
                - {name: lat, title: 纬度, type: number, "tongqu:kind": latitude}
                - {name: stake, title: 桩号, type: string, "tongqu:kind": stake}
                - {name: amount, title: 金额, en: Amount, type: number, "tongqu:scale": 6, "tongqu:unit": 万元}
                - {name: starts, title: 起始, type: date}
                - {name: ends, title: 截止, type: date}
                - {name: state, title: 状态, type: string, "tongqu:index": true}
              "tongqu:rules":
                - {id: order, severity: error, expression: "ends >= starts", field: ends, message: 截止不早于起始, message_en: it ends after it begins}
            attachments: [{key: photo, title: {zh: 照片, en: photo}, accept: image}]
            documents:
              - {key: ticket, title: {zh: 罚单, en: ticket}, template: documents/ticket.html, states: [open, decided]}
              - {key: card, title: {zh: 名片, en: card}, template: documents/card.html, states: [open, decided]}
              - {key: course, title: {zh: 经过, en: course}, template: documents/course.html, states: [open, decided]}
            flow:
              states: [{key: open, title: {zh: 在办, en: open}}, {key: decided, title: {zh: 已决定, en: decided}}, {key: over, title: {zh: 办结, en: over}, kind: done}]
              steps:
                - {key: begin, title: {zh: 开单, en: begin}, begin: true, to: open, roles: [fine_clerk], fields: [number!, officer!, officer_name!, unit, phone, witness, lon, lat, stake, amount, starts, ends]}
                - {key: change, title: {zh: 换人, en: change}, from: [open], roles: [fine_clerk], kind: side, fields: [officer!, officer_name!]}
                - {key: decide, title: {zh: 决定, en: decide}, from: [open], to: decided, roles: [fine_clerk], fields: [amount!], attachments: [photo], note: optional}
                - {key: end, title: {zh: 办结, en: end}, from: [decided], to: over, roles: [fine_lead]}
            views:
              list: {columns: [number, witness, unit], filters: [unit, officer, starts, ends]}
            publish:
              - {title: {zh: 公示, en: Published}, when: "state = 'decided'", fields: [number, amount]}
            grants:
              - {role: fine_clerk, may: [read, act]}
              - {role: fine_lead, may: [read, act], mask: true}

        """

    struct Office {
        var node: TestNode
        var clerk: [String: String]
        var lead: [String: String]

        func ask(
            _ session: [String: String],
            _ method: String,
            _ path: String,
            _ body: String = ""
        ) async throws
            -> TestNode.Answer
        { try await node.ask(method, path, headers: session, body: Array(body.utf8)) }

        func begin(
            _ values: String,
            _ resource: String = "fines",
            step: String = "begin"
        ) async throws -> TestNode.Answer {
            try await ask(
                clerk,
                "POST",
                "/api/v1/systems/fines/\(resource)/records",
                #"{"step":"\#(step)","values":\#(values)}"#
            )
        }

        func show(_ session: [String: String], _ record: Int64) async throws -> JSONValue {
            try await ask(session, "GET", "/api/v1/systems/fines/fines/records/\(record)").json
        }

        /// A fine of officer C1.
        func fine(_ number: String, phone: String = "") async throws -> Int64 {
            let answer = try await begin(#"{"number":"\#(number)","officer":"C1","amount":"0.45","phone":"\#(phone)"}"#)
            return try #require(answer.json["record"]?.integer, "\(answer.text)")
        }

        /// Sends a form with a file as a browser does.
        func send(
            _ path: String,
            _ fields: [String: String],
            _ name: String,
            _ bytes: [UInt8]
        ) async throws
            -> TestNode.Answer
        {
            var session = clerk
            session["content-type"] = "multipart/form-data; boundary=zz"
            var body: [UInt8] = []
            for (field, value) in fields.merging(
                ["_csrf": session["x-csrf-token"] ?? ""],
                uniquingKeysWith: { a, _ in a }
            ) {
                body += Array("--zz\r\nContent-Disposition: form-data; name=\"\(field)\"\r\n\r\n\(value)\r\n".utf8)
            }
            body += Array("--zz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\n\r\n".utf8)
            body += bytes + Array("\r\n--zz--\r\n".utf8)
            return try await node.ask("POST", "/systems/fines/fines/\(path)", headers: session, body: body)
        }
    }

    static func office() async throws -> Office {
        let node = try await TestNode(demonstration: true)
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-pack-\(UUID().uuidString)/fines")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "documents"),
            withIntermediateDirectories: true
        )
        for (file, text) in [
            ("pack.yaml", pack), ("documents/ticket.html", "<h1>{{title}}</h1><p>{{number}} {{unit}} {{record}}</p>"),
            ("documents/card.html", "<p>{{number}}</p>{{#phone}}<p class=\"right\">{{phone}}</p>{{/phone}}"),
            ("documents/course.html", "{{#steps}}<p>{{title}} {{note}}</p>{{/steps}}"),
        ] { try Data(text.utf8).write(to: folder.appending(path: file)) }
        _ = try await SystemPacks.install(node.node, from: folder)
        for (login, role) in [("fclerk", "fine_clerk"), ("flead", "fine_lead")] {
            try await node.hire(login, as: role)
        }
        let office = Office(node: node, clerk: try await node.session("fclerk"), lead: try await node.session("flead"))
        for (cert, name, unit) in [("C1", "王小明", "一队"), ("C2", "李大伟", "二队")] {
            let listed = try await office.begin(
                #"{"cert":"\#(cert)","officer_name":"\#(name)","unit":"\#(unit)"}"#,
                "fine_officers",
                step: "list"
            )
            try #require(listed.status == 201, "\(listed.text)")
        }
        return office
    }

    // MARK: Papers

    @Test func papersOpenToWhomNothingOnThemIsMasked() async throws {
        let office = try await Self.office()
        let record = try await office.fine("F1", phone: "13800001111")
        for key in ["ticket", "card", "course"] {
            let body = "_csrf=\(office.clerk["x-csrf-token"] ?? "")&document=\(key)"
            let answer = try await office.ask(office.clerk, "POST", "/systems/fines/fines/\(record)/documents", body)
            #expect(answer.status == 303, "\(key): \(answer.text)")
        }
        // By whoever sees everything each is opened; under a mask only the one on which nothing is masked and no note stands.
        let papers = try #require(try await office.show(office.clerk, record)["documents"]?.array)
        #expect(papers.count == 3)
        for paper in papers {
            let path = "/systems/fines/fines/\(record)/documents/\(paper["id"]?.integer ?? 0)"
            #expect(try await office.ask(office.clerk, "GET", path).status == 200)
            let isPlain = paper["document"]?.string == "ticket"
            let seen = try await office.ask(office.lead, "GET", path)
            #expect(seen.status == (isPlain ? 200 : 403), "\(paper.text)")
            #expect(seen.text.contains("flow.masked") != isPlain)
            #expect(!isPlain || seen.text.contains("F1 一队 F1"))
        }
        let page = try await office.ask(office.lead, "GET", "/systems/fines/fines/\(record)")
        #expect(page.text.components(separatedBy: "/documents/").count == 2, "one paper is a link")
        let listed = try await office.show(office.lead, record)["documents"]?.array ?? []
        #expect(listed.count == 3 && listed.filter { $0["code"]?.string?.isEmpty == false }.count == 1)
        // The same holds for issuing by hand.
        for (key, status) in [("ticket", 303), ("card", 403), ("course", 403)] {
            let body = "_csrf=\(office.lead["x-csrf-token"] ?? "")&document=\(key)"
            let answer = try await office.ask(office.lead, "POST", "/systems/fines/fines/\(record)/documents", body)
            #expect(answer.status == status, "\(key): \(answer.text)")
        }
        // A mask has nothing to hide where nothing stands.
        let bare = try await office.fine("F2")
        let body = "_csrf=\(office.lead["x-csrf-token"] ?? "")&document=card"
        let card = try await office.ask(office.lead, "POST", "/systems/fines/fines/\(bare)/documents", body)
        #expect(card.status == 303, "\(card.text)")
        #expect(try await office.ask(office.lead, "GET", card.headers["location"] ?? "").status == 200)
        // Papers that were issued before it was noted what stands on them are for those who see everything.
        try await office.node.node.kernel.databases.records.write { db in
            try db.execute("UPDATE flow_documents SET shown = NULL", [])
        }
        let first = "/systems/fines/fines/\(record)/documents/\(papers[0]["id"]?.integer ?? 0)"
        #expect(try await office.ask(office.lead, "GET", first).status == 403)
        #expect(try await office.ask(office.clerk, "GET", first).status == 200)
        try await office.node.close()
    }

    // MARK: References

    @Test func aChosenRowFillsWhatWasLeftEmpty() async throws {
        let office = try await Self.office()
        let record = try await office.fine("F1")
        let filled = try await office.show(office.clerk, record)["values"] ?? .null
        #expect(filled["officer_name"]?.string == "王小明" && filled["unit"]?.string == "一队", "\(filled.text)")
        // What whoever takes the step may not read is not filled in, and what was typed stays.
        #expect(filled["phone"]?.string == "")
        let typed = try await office.begin(#"{"number":"F2","officer":"C1","officer_name":"别名"}"#)
        let own = try await office.show(office.clerk, typed.json["record"]?.integer ?? 0)["values"] ?? .null
        #expect(own["officer_name"]?.string == "别名" && own["unit"]?.string == "一队", "\(own.text)")
        // Another row gives another name; the same row leaves what the record has.
        func change(_ record: Int64, _ values: String) async throws -> JSONValue {
            let path = "/api/v1/systems/fines/fines/records/\(record)"
            let answer = try await office.ask(
                office.clerk,
                "POST",
                "\(path)/steps",
                #"{"step":"change","values":\#(values)}"#
            )
            #expect(answer.status == 200, "\(answer.text)")
            return try await office.show(office.clerk, record)["values"] ?? .null
        }
        #expect(try await change(record, #"{"officer":"C2"}"#)["officer_name"]?.string == "李大伟")
        let second = typed.json["record"]?.integer ?? 0
        #expect(try await change(second, #"{"officer":"C1"}"#)["officer_name"]?.string == "别名")
        #expect(try await change(second, #"{"officer":"C1","officer_name":""}"#)["officer_name"]?.string == "王小明")
        // A row that is not there fills nothing and is refused as before.
        let missing = try await office.begin(#"{"number":"F3","officer":"C9"}"#)
        #expect(missing.status == 422 && missing.json["code"]?.string == "flow.reference", "\(missing.text)")
        // The form's check says it, and the form does not insist on it.
        let check = try await office.ask(
            office.clerk,
            "POST",
            "/api/v1/systems/fines/fines/check",
            #"{"step":"begin","values":{"number":"F4","officer":"C2"}}"#
        )
        #expect(check.json["filled"]?["officer_name"]?.string == "李大伟", "\(check.text)")
        #expect(check.json["filled"]?["phone"] == nil)
        let form = try await office.ask(office.clerk, "GET", "/systems/fines/fines/new?step=begin")
        #expect(form.text.contains("data-giving=\"officer\"") && form.text.contains("选定“执法人员”后自动填入"))
        #expect(
            form.text.contains("name=\"v_officer_name\" value=\"\">")
                && form.text.contains("name=\"v_number\" value=\"\" required>")
        )
        try await office.node.close()
    }

    @Test func keysStandWithTheNamesOfTheirRows() async throws {
        let office = try await Self.office()
        let answer = try await office.begin(#"{"number":"F1","officer":"C1","witness":"C2"}"#)
        let record = try #require(answer.json["record"]?.integer)
        _ = try await office.begin(#"{"number":"F2","officer":"C1","witness":"C9"}"#)
        let page = try await office.ask(office.clerk, "GET", "/systems/fines/fines/\(record)").text
        // The officer's name stands in a field of its own; the witness's does not.
        #expect(page.contains("C2 · 李大伟</a>") && page.contains(">C1</a>") && !page.contains("C1 · "))
        let list = try await office.ask(office.clerk, "GET", "/systems/fines/fines").text
        #expect(list.contains("C2 · 李大伟") && list.contains("<td class=\"\">C9</td>"))
        // Who sees the other resource masked is told no name.
        let masked = try await office.ask(office.lead, "GET", "/systems/fines/fines/\(record)").text
        #expect(masked.contains("C2") && !masked.contains("李大伟"))
        // On narrow screens four filters wait behind a summary, which stands open where one of them is set.
        #expect(list.contains("<details class=\"more\"><summary>更多筛选条件(5 项)"))
        let narrowed = try await office.ask(office.clerk, "GET", "/systems/fines/fines?f_unit=x").text
        #expect(narrowed.contains("<details class=\"more\" open>"))
        #expect(page.contains("href=\"#history\"") && page.contains("id=\"history\""))
        try await office.node.close()
    }

    // MARK: What is typed

    @Test func placesThatAreNoneAreRefused() async throws {
        let office = try await Self.office()
        for (values, field, says) in [
            (#""lon":"181""#, "lon", "经度应在 -180 至 180 之间"), (#""lat":"-90.5""#, "lat", "纬度应在 -90 至 90 之间"),
            (#""stake":"12公里""#, "stake", "K123+456"),
        ] {
            let refused = try await office.begin(#"{"number":"F1","officer":"C1",\#(values)}"#)
            #expect(refused.status == 422 && refused.json["code"]?.string == "record.invalid", "\(refused.text)")
            #expect(refused.text.contains(says), "\(refused.text)")
            let check = try await office.ask(
                office.clerk,
                "POST",
                "/api/v1/systems/fines/fines/check",
                #"{"step":"begin","values":{"number":"F1","officer":"C1",\#(values)}}"#
            )
            let found = check.json["findings"]?.array?.filter { $0["field"]?.string == field } ?? []
            #expect(found.count == 1 && found.first?["severity"]?.string == "error", "\(check.text)")
            #expect(found.first?["message"]?.string?.contains(says) == true, "\(check.text)")
        }
        let right = try await office.begin(#"{"number":"F1","officer":"C1","lon":"-180","lat":"90","stake":"K12+300"}"#)
        #expect(right.status == 201, "\(right.text)")
        // A key that is there is named.
        let twice = try await office.begin(#"{"number":"F1","officer":"C1"}"#)
        #expect(twice.status == 409 && twice.json["code"]?.string == "store.conflict", "\(twice.text)")
        #expect(twice.text.contains("已有“编号”相同的记录"), "\(twice.text)")
        try await office.node.close()
    }

    @Test func whatCannotBeReadIsSaidSo() async throws {
        let office = try await Self.office()
        _ = try await office.fine("F1")
        for path in [
            "/systems/fines/published/fines?before=x", "/systems/fines/published/fines?limit=x",
            "/api/v1/systems/fines/published/fines?before=x", "/api/v1/systems/fines/published/fines?limit=0",
            "/api/v1/systems/fines/published/fines?f=csv&limit=-1", "/api/v1/alerts?before=x", "/api/v1/alerts?limit=x",
            "/api/v1/alerts?state=nonsense", "/api/v1/alerts?level=9", "/alerts?before=x",
            "/systems/fines/fines?limit=x",
            "/systems/fines/fines?cursor=x",
        ] {
            let answer = try await office.ask(office.clerk, "GET", path)
            #expect(answer.status == 400, "\(path): \(answer.status)")
        }
        #expect(
            try await office.ask(office.clerk, "GET", "/api/v1/systems/fines/published/fines?limit=5000").status == 200
        )
        let check = try await office.ask(
            office.clerk,
            "POST",
            "/api/v1/systems/fines/fines/check",
            #"{"step":"change","record":99,"values":{"officer":"C1"}}"#
        )
        #expect(check.status == 404, "\(check.text)")
        try await office.node.close()
    }

    // MARK: Files

    /// A JPEG that says when it was taken.
    static func photo(_ taken: String, little: Bool = true) -> [UInt8] {
        func short(_ value: Int) -> [UInt8] {
            let (low, high) = (UInt8(value & 0xFF), UInt8(value >> 8 & 0xFF))
            return little ? [low, high] : [high, low]
        }
        func long(_ value: Int) -> [UInt8] {
            little ? short(value & 0xFFFF) + short(value >> 16) : short(value >> 16) + short(value & 0xFFFF)
        }
        var tiff: [UInt8] = Array((little ? "II" : "MM").utf8) + short(42) + long(8)
        tiff += short(1) + short(0x8769) + short(4) + long(1) + long(26) + long(0)
        tiff += short(1) + short(0x9003) + short(2) + long(20) + long(44) + long(0)
        tiff += Array(taken.utf8) + [0]
        let body = Array("Exif\0\0".utf8) + tiff
        return [0xFF, 0xD8, 0xFF, 0xE1, UInt8((body.count + 2) >> 8), UInt8((body.count + 2) & 0xFF)] + body
            + [0xFF, 0xDA, 0, 2, 1, 2, 3]
    }

    @Test func photosKeepWhenTheyWereTaken() async throws {
        let office = try await Self.office()
        let record = try await office.fine("F1")
        let files: [(String, [UInt8], [String: String], String?)] = [
            ("a.jpg", Self.photo("2025:09:18 10:11:12"), [:], "2025-09-18T10:11:12"),
            ("b.jpg", Self.photo("2025:09:18 10:11:13", little: false), [:], "2025-09-18T10:11:13"),
            // What was made smaller in the browser has lost it; the browser says it.
            (
                "c.jpg", [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0, 0xFF, 0xDA], ["taken": "2025:09:18 10:11:14"],
                "2025-09-18T10:11:14"
            ),
            ("d.jpg", Self.photo("0000:00:00 00:00:00"), [:], nil),
            ("e.jpg", Self.photo("2199:01:01 00:00:00"), [:], nil),
            ("f.jpg", Array(Self.photo("2025:09:18 10:11:15").prefix(40)), ["taken": "nonsense"], nil),
        ]
        for (name, bytes, fields, _) in files {
            let sent = try await office.send(
                "\(record)/attachments",
                fields.merging(["kind": "photo"]) { a, _ in a },
                name,
                bytes
            )
            #expect(sent.status == 303, "\(name): \(sent.text)")
        }
        let kept = try #require(try await office.show(office.clerk, record)["attachments"]?.array)
        for (name, _, _, taken) in files {
            let file = kept.first { $0["name"]?.string == name }
            #expect(file?["taken"]?.string.map { String($0.prefix(19)) } == taken, "\(name) \(file?.text ?? "")")
        }
        let page = try await office.ask(office.clerk, "GET", "/systems/fines/fines/\(record)").text
        #expect(page.contains("拍摄 <time>2025-09-18 10:11</time>") && !page.contains("<img class=\"thumb\""))
        try await office.node.close()
    }

    @Test func aStepTakesItsFilesAndKeepsWhatWasTyped() async throws {
        let office = try await Self.office()
        let record = try await office.fine("F1")
        let path = "\(record)/step/decide"
        let form = try await office.ask(office.clerk, "GET", "/systems/fines/fines/\(path)")
        #expect(form.text.contains("formaction=\"/systems/fines/fines/\(path)/files\"") && form.text.contains("0/1"))
        let typed = ["kind": "photo", "v_amount": "1.25", "note": "<b>见图", "step": "decide"]
        // A file that is none of the kind is told of, and what was typed stays then, too.
        let wrong = try await office.send("\(path)/files", typed, "a.txt", Array("text".utf8))
        #expect(wrong.status == 415 && wrong.text.contains("value=\"1.25\"") && wrong.text.contains("0/1"))
        let sent = try await office.send("\(path)/files", typed, "a.jpg", Self.photo("2025:09:18 10:11:12"))
        #expect(sent.status == 200 && sent.text.contains("1/1") && sent.text.contains("value=\"1.25\""), "\(sent.text)")
        #expect(sent.text.contains("&lt;b&gt;见图"))
        let taken = try await office.ask(
            office.clerk,
            "POST",
            "/systems/fines/fines/\(path)",
            "_csrf=\(office.clerk["x-csrf-token"] ?? "")&step=decide&v_amount=1.25"
        )
        #expect(taken.status == 303, "\(taken.text)")
        // Who may not take the step sends no file there.
        var lead = office
        lead.clerk = office.lead
        #expect(try await lead.send("\(path)/files", typed, "a.jpg", Self.photo("2025:09:18 10:11:12")).status == 409)
        // Everybody sees the figure with its unit, without noughts at its end.
        let published = try await office.ask([:], "GET", "/systems/fines/published/fines").text
        #expect(published.contains("金额（万元）") && published.contains(">1.25<") && !published.contains("1.250000"))
        let csv = try await office.ask([:], "GET", "/api/v1/systems/fines/published/fines?f=csv").text
        #expect(csv.contains("金额（万元）") && csv.contains("F1,1.25"), "\(csv)")
        try await office.node.close()
    }

    @Test func importsOfLongAgoGoByThemselves() async throws {
        let office = try await Self.office()
        func send() async throws -> TestNode.Answer {
            var session = office.clerk
            session["content-type"] = "multipart/form-data; boundary=zz"
            let rows = "编号,执法人员,起始,截止\nF1,C1,2026-02-01,2026-01-01\nF2,C2,,\n"
            let body =
                "--zz\r\nContent-Disposition: form-data; name=\"step\"\r\n\r\nbegin\r\n--zz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n\(rows)\r\n--zz--\r\n"
            return try await office.node.ask(
                "POST",
                "/api/v1/systems/fines/fines/imports",
                headers: session,
                body: Array(body.utf8)
            )
        }
        let sent = try await send()
        let id = sent.json["import"]?.string ?? ""
        let path = "/api/v1/systems/fines/fines/imports/\(id)"
        // The name need not be in the file; a reason that begins with the field's name does not say it twice.
        let status = try await office.ask(office.clerk, "GET", path).json
        let reasons = (status["refused"]?.array ?? []).compactMap { $0["reason"]?.string }
        #expect(reasons == ["截止不早于起始"] && status["good"]?.integer == 1, "\(status.text)")
        try await office.node.node.flows.keepUp()
        #expect(try await office.ask(office.clerk, "GET", path).status == 200)
        office.node.clock.advance(microseconds: 31 * 86_400_000_000)
        try await office.node.node.flows.keepUp()
        #expect(try await office.ask(try await office.node.session("fclerk"), "GET", path).status == 404)
        try await office.node.close()
    }
}
