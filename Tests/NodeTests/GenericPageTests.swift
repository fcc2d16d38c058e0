import Basics
import Composition
import Flow
import Foundation
import Kernel
import TestKit
import Testing

/// The pages that every system has: records from files, forms that are checked while they are filled in, a map, documents as PDF.
@Suite struct GenericPageTests {
    static let pack = """
        pack: sites
        version: 1
        title: {zh: 源头单位, en: Loading sites}
        roles:
          - {key: site_keeper, title: {zh: 登记员, en: keeper of sites}}
          - {key: site_reader, title: {zh: 查询员, en: reader of sites}}
        resources:
          - key: sites
            name: 货运源头单位
            en: Loading sites
            storage: records
            schema:
              primaryKey: [number]
              fields:
                - {name: number, title: 编号, type: string, constraints: {required: true}}
                - {name: name, title: 单位名称, en: Company, type: string, constraints: {required: true, maxLength: 60}}
                - {name: credit, title: 信用代码, en: Credit code, type: string, "tongqu:kind": credit_code}
                - {name: kind, title: 类别, type: string, constraints: {enum: [mine, port]}, "tongqu:codes": [{value: mine, label: 矿区}, {value: port, label: 港口}]}
                - {name: opened, title: 开业日期, type: date}
                - {name: closed, title: 停业日期, type: date}
                - {name: lon, title: 经度, type: number, "tongqu:scale": 5}
                - {name: lat, title: 纬度, type: number, "tongqu:scale": 5}
                - {name: state, title: 状态, type: string}
              "tongqu:rules":
                - {id: order, severity: error, expression: "closed >= opened", field: closed, message: 停业不早于开业, message_en: it closes after it opens}
            flow:
              states: [{key: listed, title: {zh: 在册, en: listed}}, {key: gone, title: {zh: 注销, en: gone}, kind: done}]
              steps:
                - {key: list, title: {zh: 登记, en: list}, begin: true, to: listed, roles: [site_keeper], fields: [number!, name!, credit, kind, opened, closed, lon, lat], guard: "name <> '禁用'", message: {zh: 名称被禁用, en: the name is not allowed}}
                - {key: drop, title: {zh: 注销, en: drop}, from: [listed], to: gone, roles: [site_keeper], note: required}
            views:
              list: {columns: [number, name, kind], filters: [kind]}
              map: {longitude: lon, latitude: lat}
            grants:
              - {role: site_keeper, may: [read, act]}
              - {role: site_reader, may: [read]}

        """

    struct Place {
        var node: TestNode
        var keeper: [String: String]
        var reader: [String: String]

        func ask(
            _ session: [String: String],
            _ method: String,
            _ path: String,
            _ body: String = ""
        ) async throws
            -> TestNode.Answer
        { try await node.ask(method, "/systems/sites/sites\(path)", headers: session, body: Array(body.utf8)) }

        /// Sends a file as a program does.
        func send(
            _ text: String,
            step: String = "list",
            _ session: [String: String]? = nil
        ) async throws
            -> TestNode.Answer
        {
            var headers = session ?? keeper
            headers["content-type"] = "multipart/form-data; boundary=zz"
            let body =
                "--zz\r\nContent-Disposition: form-data; name=\"step\"\r\n\r\n\(step)\r\n--zz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"名单.csv\"\r\n\r\n\(text)\r\n--zz--\r\n"
            return try await node.ask(
                "POST",
                "/api/v1/systems/sites/sites/imports",
                headers: headers,
                body: Array(body.utf8)
            )
        }

        func check(
            _ values: String,
            step: String = "list",
            _ session: [String: String]? = nil
        ) async throws
            -> TestNode.Answer
        {
            try await node.ask(
                "POST",
                "/api/v1/systems/sites/sites/check",
                headers: session ?? keeper,
                body: Array(#"{"step":"\#(step)","values":\#(values)}"#.utf8)
            )
        }

        func status(_ id: String) async throws -> JSONValue {
            try await node.ask("GET", "/api/v1/systems/sites/sites/imports/\(id)", headers: keeper).json
        }

        /// The records that are there.
        func numbers() async throws -> [String] {
            let system = try await node.ask("GET", "/api/v1/systems", headers: keeper).json["systems"]?.array?.first {
                $0["system"]?.string == "sites"
            }
            let code = system?["resources"]?.array?.first?["code"]?.string ?? ""
            let path =
                "/api/v1/resources/\(code.replacingOccurrences(of: "/", with: "-"))/records?limit=1000&sort=number"
            let answer = try await node.ask("GET", path, headers: keeper)
            return (answer.json["records"]?.array ?? []).compactMap { $0["number"]?.string }
        }
    }

    static func place(_ folder: URL? = nil) async throws -> Place {
        let node = try await TestNode(folder: folder, demonstration: true)
        _ = try await SystemPacks.install(node.node, from: try FlowTests.write(pack))
        for (login, role) in [("skeeper", "site_keeper"), ("sreader", "site_reader")] {
            try await node.hire(login, as: role)
        }
        return Place(node: node, keeper: try await node.session("skeeper"), reader: try await node.session("sreader"))
    }

    static let file = """
        编号,单位名称,信用代码,类别,开业日期,停业日期,经度,纬度,备注
        A1,甲矿,,矿区,2024-01-02,,117.2,39.1,x
        A2,乙港,9112011670010090XW,港口,2024/3/5,,117.3,39.2,
        A3,丙港,,港口,2024-05-01,2024-01-01,,,
        A4,,,矿区,2024-05-01,,,,
        A5,禁用,,mine,,,,,
        A1,重复,,mine,,,,,
        A6,己矿,,没有的类别,,,,,
        """

    @Test func aFileIsTriedFirstAndItsGoodRowsBecomeRecordsOnce() async throws {
        let place = try await Self.place()
        let template = try await place.ask(place.keeper, "GET", "/imports/template?step=list")
        #expect(template.text.contains("编号,单位名称,信用代码"))
        let sent = try await place.send(Self.file)
        #expect(sent.status == 201, "\(sent.text)")
        let id = sent.json["import"]?.string ?? ""
        #expect(sent.json["good"]?.integer == 2 && sent.json["bad"]?.integer == 5, "\(sent.text)")
        #expect(sent.json["ignored"]?.array?.first?.string == "备注")
        #expect(try await place.numbers().isEmpty)
        let tried = try await place.status(id)
        let reasons = (tried["refused"]?.array ?? []).compactMap { $0["reason"]?.string }
        #expect(reasons.count == 5, "\(reasons)")
        for (reason, words) in zip(reasons, ["停业不早于开业", "单位名称：不能为空", "名称被禁用", "第 2 行重复", "类别：不在代码表中"]) {
            #expect(reason.contains(words), "\(reason)")
        }
        let page = try await place.ask(place.keeper, "GET", "/imports/\(id)")
        #expect(page.text.contains("导入合格的 2 行") && page.text.contains("名称被禁用"))
        // Taken in by a job; a second start and a second run make nothing twice.
        let run = "/api/v1/systems/sites/sites/imports/\(id)/run"
        for _ in 0..<2 { #expect(try await place.node.ask("POST", run, headers: place.keeper).status == 202) }
        try await place.node.node.kernel.jobs.runPending()
        #expect(try await place.numbers() == ["A1", "A2"])
        let done = try await place.status(id)
        #expect(done["state"]?.string == "done" && done["good"]?.integer == 2 && done["working"]?.boolean == false)
        #expect(try await place.node.ask("POST", run, headers: place.keeper).status == 202)
        #expect(try await place.node.node.kernel.jobs.runPending() == 0)
        let refused = try await place.ask(place.keeper, "GET", "/imports/\(id)/refused?format=csv")
        #expect(refused.text.contains("备注,原因") && refused.text.contains("A5,禁用"))
        #expect(!refused.text.contains("甲矿"))
        // The corrected file goes in again with its reasons, and what is there is refused.
        let again = try await place.send("编号,单位名称,原因\nA5,戊矿,x\nA1,甲矿,\n")
        #expect(again.json["good"]?.integer == 1 && again.json["ignored"]?.array?.isEmpty == true, "\(again.text)")
        try await place.node.close()
    }

    @Test func anImportGoesOnWhereItStopped() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-import-\(UUID().uuidString)")
        let first = try await Self.place(folder)
        let rows = (1...260).map { "B\(1000 + $0),单位\($0)" }.joined(separator: "\n")
        let sent = try await first.send("编号,单位名称\n\(rows)\n")
        #expect(sent.json["state"]?.string == "checking")
        let id = sent.json["import"]?.string ?? ""
        let kernel = first.node.node.kernel
        try await kernel.jobs.runPending()
        #expect(try await first.status(id)["good"]?.integer == 260)
        let path = "/api/v1/systems/sites/sites/imports/\(id)/run"
        _ = try await first.node.ask("POST", path, headers: first.keeper)
        let work = Task { try await kernel.jobs.runPending() }
        while try await first.numbers().count < 20 { try await Task.sleep(for: .milliseconds(5)) }
        work.cancel()
        _ = try? await work.value
        let made = try await first.numbers().count
        #expect(made < 260)
        try await first.node.close()
        let node = try await TestNode(folder: folder)
        let second = Place(node: node, keeper: try await node.session("skeeper"), reader: [:])
        try await node.node.kernel.jobs.recover(living: nil)
        try await node.node.kernel.jobs.runPending()
        let numbers = try await second.numbers()
        #expect(numbers.count == 260 && Set(numbers).count == 260)
        #expect(try await second.status(id)["good"]?.integer == 260)
        try await node.close()
        try? FileManager.default.removeItem(at: folder)
    }

    @Test func onlyWhoMayBeginSendsFilesAndSeesTheirOwn() async throws {
        let place = try await Self.place()
        #expect(try await place.send(Self.file, place.reader).status == 403)
        #expect(try await place.send(Self.file, step: "drop").status == 404)
        #expect(try await place.send("甲,乙\n1,2\n").json["code"]?.string == "flow.import_columns")
        let sent = try await place.send("编号,单位名称\nC1,丙\n")
        let id = sent.json["import"]?.string ?? ""
        #expect(try await place.ask(place.reader, "GET", "/imports/\(id)").status == 403)
        #expect(try await place.ask(place.keeper, "GET", "/imports/none").status == 404)
        #expect(!(try await place.ask(place.reader, "GET", "")).text.contains("/imports"))
        #expect(try await place.ask(place.keeper, "GET", "").text.contains("/imports"))
        try await place.node.close()
    }

    @Test func aFormIsToldWhatTheCheckerFinds() async throws {
        let place = try await Self.place()
        let wrong = try await place.check(
            #"{"number":"A1","name":"","credit":"9112011670010090X1","opened":"2024-02-01","closed":"2024-01-01"}"#
        )
        #expect(wrong.status == 200)
        let found = Dictionary(
            (wrong.json["findings"]?.array ?? []).map { ($0["field"]?.string ?? "", $0["message"]?.string ?? "") },
            uniquingKeysWith: { first, _ in first }
        )
        #expect(found["credit"]?.contains("校验码应为 W") == true, "\(found)")
        #expect(found["name"] == "不能为空" && found["closed"] == "停业不早于开业", "\(found)")
        let right = try await place.check(#"{"number":"A1","name":"甲","credit":"9112011670010090XW"}"#)
        #expect(right.json["findings"]?.array?.isEmpty == true, "\(right.text)")
        #expect(right.json["explained"]?["credit"]?.string?.contains("滨海新区") == true, "\(right.text)")
        #expect(try await place.check("{}", step: "none").status == 404)
        #expect(try await place.check("{}", place.reader).status == 403)
        let form = try await place.ask(place.keeper, "GET", "/new?step=list")
        #expect(form.text.contains("data-check=\"/api/v1/systems/sites/sites/check\""))
        try await place.node.close()
    }

    @Test func aMapShowsTheRecordsThatHaveAPlace() async throws {
        let place = try await Self.place()
        let sent = try await place.send(Self.file)
        let id = sent.json["import"]?.string ?? ""
        _ = try await place.node.ask("POST", "/api/v1/systems/sites/sites/imports/\(id)/run", headers: place.keeper)
        try await place.node.node.kernel.jobs.runPending()
        let map = try await place.ask(place.reader, "GET", "/map")
        #expect(map.status == 200 && map.text.contains("data-x=\"117.2"), "\(map.status)")
        #expect(map.text.contains("共 2 条有位置") && map.text.contains("在册"))
        let some = try await place.ask(place.reader, "GET", "/map?f_kind=port")
        #expect(some.text.contains("乙港") && !some.text.contains("甲矿"))
        // No tab where no map is declared.
        let town = try await FlowTests.town()
        #expect(!(try await town.ask("pclerk", "GET", "/systems/permits/permits")).text.contains("/map"))
        #expect(try await town.ask("pclerk", "GET", "/systems/permits/permits/map").status == 404)
        try await town.node.close()
        try await place.node.close()
    }

    @Test func aDocumentIsHadAsPDFWhereSomethingMakesOne() async throws {
        let town = try await FlowTests.town()
        let record = try await town.apply()
        let issued = try await town.ask(
            "pclerk",
            "POST",
            "/systems/permits/permits/\(record)/documents",
            "_csrf=\(town.sessions["pclerk"]?["x-csrf-token"] ?? "")&document=slip"
        )
        let path = issued.headers["location"] ?? ""
        // Without Chromium the page offers the browser's own printing.
        let plain = try await town.ask("pclerk", "GET", path)
        #expect(plain.status == 200 && !plain.text.contains("format=pdf"))
        #expect(try await town.ask("pclerk", "GET", "\(path)?format=pdf").status == 501)
        try await town.node.close()
    }

    @Test(.enabled(if: NodeSettings.chromium("") != nil))
    func aPDFIsMadeOnceAndKept() async throws {
        let program = try #require(NodeSettings.chromium(""))
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-paper-\(UUID().uuidString)")
        let town = try await FlowTests.town(try await TestNode(folder: folder, demonstration: true, chromium: program))
        let record = try await town.apply()
        let issued = try await town.ask(
            "pclerk",
            "POST",
            "/systems/permits/permits/\(record)/documents",
            "_csrf=\(town.sessions["pclerk"]?["x-csrf-token"] ?? "")&document=slip"
        )
        let path = issued.headers["location"] ?? ""
        #expect(try await town.ask("pclerk", "GET", path).text.contains("format=pdf"))
        let first = try await town.ask("pclerk", "GET", "\(path)?format=pdf")
        #expect(first.status == 200 && first.body.starts(with: Array("%PDF-".utf8)), "\(first.status)")
        #expect(first.headers["content-type"] == "application/pdf")
        let second = try await town.ask("pclerk", "GET", "\(path)?format=pdf")
        #expect(first.body == second.body)
        #expect(try await town.ask("pguest", "GET", "\(path)?format=pdf").status == 403)
        try await town.node.close()
        // Whoever has it not installed any more gives what was kept.
        let node = try await TestNode(folder: folder)
        let session = try await node.session("pclerk")
        #expect(try await node.ask("GET", "\(path)?format=pdf", headers: session).body == first.body)
        try await node.close()
        try? FileManager.default.removeItem(at: folder)
    }
}
