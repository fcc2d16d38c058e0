import Basics
import Composition

import Foundation
import Kernel
import Store
import Tabular
import TestKit
import Testing

@testable import Flow
@testable import Lake
@testable import Web

/// Flows where there are many records, other people's rows, faulty packs and things that refer to others.
@Suite struct FlowRobustnessTests {
    static let pack = """
        pack: jobs
        version: 1
        title: {zh: 养护任务, en: Maintenance jobs}
        roles:
          - {key: job_planner, title: {zh: 计划员, en: planner}}
          - {key: job_worker, title: {zh: 班组, en: crew}}
        resources:
          - key: crews
            name: 养护班组
            storage: records
            schema:
              primaryKey: [crew]
              fields:
                - {name: crew, title: 班组编号, type: string, constraints: {required: true}}
                - {name: state, title: 状态, type: string}
            flow:
              states: [{key: there, title: {zh: 在编, en: there}, kind: done}]
              steps: [{key: add, title: {zh: 登记, en: add}, begin: true, to: there, roles: [job_planner], fields: [crew!]}]
            grants: [{role: job_planner, may: [read, act]}]
          - key: jobs
            name: 养护任务
            storage: records
            schema:
              primaryKey: [number]
              fields:
                - {name: number, title: 编号, type: string, constraints: {required: true}}
                - {name: crew, title: 班组, type: string}
                - {name: helper, title: 协助班组, type: string}
                - {name: what, title: 内容, type: string, constraints: {maxLength: 200}}
                - {name: rest, title: 备注, type: string, constraints: {maxLength: 200}}
                - {name: begun, title: 开工时间, type: datetime}
                - {name: state, title: 状态, type: string}
              foreignKeys:
                - {fields: [crew], reference: {resource: crews, fields: [crew]}}
                - {fields: [helper], reference: {resource: crews, fields: [crew]}, enforce: false}
            numbers: [{key: job, format: "RW{serial:5}", per: ever}]
            flow:
              states: [{key: open, title: {zh: 待办, en: open}}, {key: over, title: {zh: 完成, en: over}, kind: done}]
              steps:
                - {key: plan, title: {zh: 下达, en: plan}, begin: true, to: open, roles: [job_planner, job_worker], fields: [crew!, helper, what, rest, begun], set: {number: $number(job)}, start: [work]}
                - {key: pass, title: {zh: 转交, en: pass on}, from: [open], roles: [job_worker, job_planner], kind: side, fields: [crew!, begun]}
                - {key: finish, title: {zh: 完成, en: finish}, from: [open], to: over, roles: [job_worker]}
              clocks: [{key: work, title: {zh: 时限, en: time}, days: 3, unit: days}]
            views:
              list: {sort: -number, columns: [number, what, crew], filters: [crew], saved: [{title: {zh: 有备注, en: noted}, filter: rest IS NOT NULL}]}
              board: {title: what}
            grants:
              - {role: job_planner, may: [read, act]}
              - {role: job_worker, may: [read, act], rows: "crew = 'B'"}

        """

    struct Yard {
        var node: TestNode
        var sessions: [String: [String: String]] = [:]

        func ask(_ login: String, _ method: String, _ path: String, _ body: String = "") async throws -> TestNode.Answer
        {
            try await node.ask(method, path, headers: sessions[login] ?? [:], body: Array(body.utf8))
        }

        func plan(_ login: String, _ values: String) async throws -> TestNode.Answer {
            try await ask(
                login,
                "POST",
                "/api/v1/systems/jobs/jobs/records",
                #"{"step":"plan","values":\#(values)}"#
            )
        }

        func step(_ login: String, _ record: Int64, _ step: String, _ values: String) async throws -> TestNode.Answer {
            try await ask(
                login,
                "POST",
                "/api/v1/systems/jobs/jobs/records/\(record)/steps",
                #"{"step":"\#(step)","values":\#(values)}"#
            )
        }
    }

    static func yard() async throws -> Yard {
        let node = try await TestNode(demonstration: true)
        _ = try await SystemPacks.install(node.node, from: try FlowTests.write(pack))
        var yard = Yard(node: node)
        for (login, role) in [("planner", "job_planner"), ("worker", "job_worker")] {
            try await node.hire(login, as: role, name: "测\(login)")
            yard.sessions[login] = try await node.session(login)
        }
        for crew in ["A", "B"] {
            let made = try await yard.ask(
                "planner",
                "POST",
                "/api/v1/systems/jobs/crews/records",
                #"{"step":"add","values":{"crew":"\#(crew)"}}"#
            )
            #expect(made.status == 201, "\(made.text)")
        }
        return yard
    }

    /// Rows of others, due before one's own, do not stand in their place.
    @Test func tasksAreThoseOfOnesOwnRows() async throws {
        let yard = try await Self.yard()
        for _ in 0..<30 { #expect(try await yard.plan("planner", #"{"crew":"A","what":"别人的"}"#).status == 201) }
        for _ in 0..<3 { #expect(try await yard.plan("planner", #"{"crew":"B","what":"自己的"}"#).status == 201) }
        let tasks = try await yard.ask("worker", "GET", "/api/v1/tasks?limit=5").json["tasks"]?.array ?? []
        #expect(tasks.count == 3 && tasks.allSatisfy { $0["name"]?.string?.hasSuffix("自己的") == true }, "\(tasks)")
        // One statement for all states, each by its range of the index.
        let records = yard.node.node.kernel.databases.records
        if TestNode.isSQLite {
            let (sql, values) = Flows.waiting(["open", "over"], 1, after: nil, limit: 50)
            let plan = try await records.read { try $0.plan(sql, values) }
            #expect(plan.contains("flow_records_work") && !plan.contains("SCAN flow_records"), "\(plan)")
            let sweep = try await records.read { db in
                try db.plan(Flows.sweepStatement, [.integer(1), .integer(0), .integer(0), .integer(0), .text("")])
            }
            #expect(sweep.contains("flow_clocks_due") && !sweep.contains("SCAN flow_clocks"), "\(sweep)")
        }
        try await yard.node.close()
    }

    /// A step leads a record out of one's rows; what is begun lies within them; what lies outside is not touched.
    @Test func aStepMayLeadOutOfOnesRows() async throws {
        let yard = try await Self.yard()
        let made = try await yard.plan("worker", #"{"crew":"B"}"#)
        let record = try #require(made.json["record"]?.integer, "\(made.text)")
        #expect(try await yard.plan("worker", #"{"crew":"A"}"#).json["code"]?.string == "record.scope")
        let passed = try await yard.step("worker", record, "pass", #"{"crew":"A"}"#)
        #expect(passed.status == 200, "\(passed.text)")
        #expect(try await yard.ask("worker", "GET", "/api/v1/systems/jobs/jobs/records/\(record)").status == 403)
        #expect(try await yard.step("worker", record, "pass", #"{"crew":"B"}"#).json["code"]?.string == "record.scope")
        // On the page too: what left is not shown, the list is.
        let other = try #require(try await yard.plan("worker", #"{"crew":"B"}"#).json["record"]?.integer)
        var session = yard.sessions["worker"] ?? [:]
        let token = session["x-csrf-token"] ?? ""
        session["content-type"] = "application/x-www-form-urlencoded"
        let answer = try await yard.node.ask(
            "POST",
            "/systems/jobs/jobs/\(other)/step/pass",
            headers: session,
            body: Array("_csrf=\(token)&step=pass&v_crew=A".utf8)
        )
        #expect(answer.status == 303 && answer.headers["location"] == "/systems/jobs/jobs", "\(answer.headers)")
        try await yard.node.close()
    }

    @Test func whatIsReferredToIsThere() async throws {
        let yard = try await Self.yard()
        let refused = try await yard.plan("planner", #"{"crew":"C"}"#)
        #expect(refused.status == 422 && refused.json["code"]?.string == "flow.reference", "\(refused.text)")
        #expect(refused.text.contains("班组") && refused.text.contains("养护班组"))
        #expect(try await yard.plan("planner", #"{"crew":"A","helper":"C"}"#).status == 201)
        try await yard.node.close()
    }

    /// Histories and files longer than a page of them end with what was done last.
    @Test func longHistoriesEndWithTheLast() async throws {
        let yard = try await Self.yard()
        let record = try #require(try await yard.plan("planner", #"{"crew":"A"}"#).json["record"]?.integer)
        try await yard.node.node.kernel.databases.records.write { db in
            let line = try db.row(
                "SELECT resource, principal FROM flow_steps WHERE record = ? AND step = 'plan'",
                [.integer(record)]
            )
            for number in 0..<1005 {
                try db.execute(
                    "INSERT INTO flow_steps (resource, record, step, number, from_state, to_state, principal, at, note, changed) VALUES (?,?,'pass',1,'open','open',?,0,?,'')",
                    [
                        .integer(line?.integer(0) ?? 0), .integer(record), .integer(line?.integer(1) ?? 0),
                        .text("第\(number)次"),
                    ]
                )
            }
        }
        let shown = try await yard.ask("planner", "GET", "/api/v1/systems/jobs/jobs/records/\(record)").json
        #expect(shown["history"]?.array?.count == 1000)
        #expect(shown["history"]?.array?.last?["note"]?.string == "第1004次")
        try await yard.node.close()
    }

    /// A list by its sort gives the same rows, whichever way they are looked for, page after page.
    @Test func sortedPagesAreTheSameByEveryWay() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        var text = "no,kind,name,note\n"
        for row in 0..<9000 {
            let kind = row < 40 ? "rare" : row % 3 == 0 ? "often" : "other"
            let note = row % 450 == 0 ? "记\(row)" : ""
            text += "N\((row * 7919) % 9000 + 10000),\(kind),道路\(row % 97),\(note)\n"
        }
        let made = try await node.resource(
            try PathTests.file(text, "sorted.csv"),
            name: "排序",
            session: clerk,
            change: { json in
                guard var schema = try? TableSchema.read(json) else { return json }
                schema.key = ["no"]
                for index in schema.fields.indices {
                    schema.fields[index].codes = []
                    schema.fields[index].required = false
                    schema.fields[index].indexed = schema.fields[index].name != "note"
                }
                return TableSchema.write(schema)
            }
        )
        let id = made.code.replacing("/", with: "-")
        let upload = try await node.upload("sorted.csv", Array(text.utf8), session: clerk)
        let job = try await node.load(upload, into: id, mode: "replace", session: clerk)
        #expect(job["result"]?["good"]?.integer == 9000, "\(job.text)")
        let rows = text.split(separator: "\n").dropFirst().map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        let asked: [(String, ([Substring]) -> Bool)] = [
            ("kind = 'rare'", { $0[1] == "rare" }), ("kind = 'often'", { $0[1] == "often" }),
            ("kind = 'nothing'", { _ in false }), ("name LIKE '%路96%'", { $0[2].contains("路96") }),
            ("name LIKE '%不存在%'", { _ in false }), ("note IS NOT NULL", { !$0[3].isEmpty }),
            ("kind IN ('rare', 'nothing') AND name <> '道路5'", { $0[1] == "rare" && $0[2] != "道路5" }),
        ]
        for sort in ["no", "-no"] {
            for (filter, fits) in asked {
                var seen: [String] = []
                var cursor: String?
                repeat {
                    let query =
                        "limit=300&sort=\(sort)&filter=\(filter)".addingPercentEncoding(
                            withAllowedCharacters: .urlQueryAllowed.subtracting(CharacterSet(charactersIn: "+"))
                        ) ?? ""
                    let path = "/api/v1/resources/\(id)/records?\(query)\(cursor.map { "&cursor=\($0)" } ?? "")"
                    let page = try await node.ask("GET", path, headers: clerk).json
                    seen += (page["records"]?.array ?? []).compactMap { $0["no"]?.string }
                    cursor = page["next"]?.string
                } while cursor != nil
                let wanted = rows.filter(fits).map { String($0[0]) }.sorted()
                #expect(
                    seen == (sort == "no" ? wanted : wanted.reversed()),
                    "\(filter) \(sort): \(seen.count) \(wanted.count)"
                )
            }
        }
        try await node.close()
    }

    @Test func secondsStayWhereTheyAre() {
        let field = Field("begun", .timestamp)
        #expect(FormText.typed("2026-11-21T10:00", field) == "2026-11-21T10:00:00+08:00")
        #expect(FormText.typed("2026-11-21T10:00:05", field) == "2026-11-21T10:00:05+08:00")
        #expect(FormText.typed("2026-11-21T10:00:05+08:00", field) == "2026-11-21T10:00:05+08:00")
        #expect(FormText.typed("2026-11-21T02:00:05Z", field) == "2026-11-21T02:00:05Z")
    }

    // MARK: Packs

    /// One faulty pack of a folder, and what requires it, stay out; the others go in, and it is told what is wrong.
    @Test func aFaultyPackKeepsNoOtherOut() async throws {
        let node = try await TestNode()
        let right = try FlowTests.write(Self.pack)
        let folder = right.deletingLastPathComponent()
        for (name, text) in [
            ("broken", "pack: broken\nversion: x\ntitle: 坏\n"),
            ("needs-broken", "pack: needs-broken\ntitle: 依赖\nrequires: [broken]\n"),
            ("no-yaml", "pack: [\n"),
        ] {
            let place = folder.appending(path: name)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: place.appending(path: "pack.yaml"))
        }
        let (packs, refused) = try await SystemPacks.install(node.node, from: folder)
        #expect(packs.map(\.id) == ["jobs"])
        #expect(Set(refused.map(\.folder)) == ["broken", "needs-broken", "no-yaml"])
        #expect(refused.first { $0.folder == "needs-broken" }?.problem.code == "pack.requires")
        #expect(try await node.node.flows.systems.all().map(\.id) == ["feedback", "jobs"])
        try await node.close()
    }

    @Test(arguments: [
        ("version: 1\n", "version: 1\nrequires: [jobs]\n", "does not require itself"),
        ("begin: true, to: there,", "begin: true, to: there, create: {resource: crews, step: add},", "make each other"),
        (
            "reference: {resource: crews, fields: [crew]}}", "reference: {resource: crews, fields: [crew], on: x}}",
            "“on”"
        ),
        ("enforce: false}", "enforced: false}", "“enforced”"),
        ("storage: records\n", "storage: records\n    sharing: {crew: {typ: 1}}\n", "“typ”"),
        ("roles:\n", "accounts: [{login: a, name: b, organisation: c, rol: d}]\nroles:\n", "“rol”"),
    ])
    func mistakesAreTold(from: String, to: String, told: String) throws {
        guard let place = Self.pack.range(of: from) else {
            Issue.record("\(from) is not in the pack")
            return
        }
        let folder = try FlowTests.write(Self.pack.replacingCharacters(in: place, with: to))
        let problem = #expect(throws: Problem.self) { _ = try Pack(folder) }
        #expect(problem?.message.en.contains(told) == true, "\(problem?.message.en ?? "")")
    }

    /// A role of a removed pack is nobody's in another pack that calls its own the same.
    @Test func aRoleOfARemovedPackIsNotAnothersRole() async throws {
        let yard = try await Self.yard()
        let machine = try await SystemPacks.machine(yard.node.node)
        let kernel = yard.node.node.kernel
        try await kernel.gate.perform(yard.node.node.flows.removed, "jobs", as: machine)
        let other = Self.pack.replacing("pack: jobs", with: "pack: other").replacing("key: jobs", with: "key: tasks")
            .replacing("key: crews", with: "key: teams").replacing("resource: crews", with: "resource: teams")
        _ = try await SystemPacks.install(yard.node.node, from: try FlowTests.write(other))
        #expect(try await kernel.accounts.find(login: "worker")?.roles.isEmpty == true)
        try await yard.node.close()
    }
}
