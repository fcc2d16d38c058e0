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

/// Lists of many rows by a sort, and mistakes of packs.
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
}
