import Composition
import Basics
import Catalogue
import Foundation
import Kernel
import Store
import Tabular
import TestKit
import Testing

/// The catalogue as those who work on it use it: workbook, many at once, list, ledger, versions, likeness.
@Suite struct CatalogueWorkTests {
    /// A workbook after the template, three rows of head, cells of a resource on its first row only.
    static func workbook(
        _ entries: Int,
        items: Int,
        provider: String,
        change: (inout [[String]]) -> Void = { _ in }
    )
        -> [UInt8]
    {
        var rows: [[String]] = []
        for entry in 0..<entries {
            for item in 0..<items {
                let isFirst = item == 0
                func once(_ text: String) -> String { isFirst ? text : "" }
                rows.append([
                    once("3"), once("01"), once("003"), "", once("第\(entry)号道路运输数据"), "", once(provider), once("信息处"),
                    "",
                    once("测试目录条目,用于批量导入,第 \(entry) 条。"), once("电子表格"), once("xlsx"), "信息项\(item)",
                    ["字符型C", "整型I", "数值型N", "日期型D"][item % 4], item % 4 == 0 ? "50" : item % 4 == 2 ? "18,3" : "",
                    ["无条件共享", "有条件共享", "不予共享"][item % 3],
                    item % 3 == 0 ? "" : "依据《政务数据共享条例》", "共享平台", "文件", "否", "", once("每月"), "", "", once("非涉密"),
                    once("省级"),
                ])
            }
        }
        change(&rows)
        let groups: [(String, Int)] = [
            ("信息资源分类", 4), ("信息资源名称", 1), ("信息资源代码", 1), ("信息资源提供方", 1), ("提供方内部部门", 1), ("资源提供方代码", 1),
            ("信息资源摘要", 1), ("信息资源格式", 2), ("信息项信息", 3), ("共享属性", 4), ("开放属性", 2), ("更新周期", 1), ("发布日期", 1),
            ("关联资源代码", 1), ("涉密属性", 1), ("层级", 1),
        ]
        let second = [
            "类", "项", "目", "细目", "", "", "", "", "", "", "分类", "类型", "信息项名称", "数据类型", "数据长度", "共享类型", "共享条件", "共享方式",
            "",
            "是否向社会开放", "开放条件", "", "", "", "", "",
        ]
        var third = [String](repeating: "", count: second.count)
        third[17] = "分类"
        third[18] = "类型"
        var book = SpreadsheetStream()
        var bytes: [UInt8] = []
        book.open("填写说明", into: &bytes)
        book.row([.text("请按编制指南填写。")], into: &bytes)
        book.close(into: &bytes)
        book.open("目录", into: &bytes)
        book.row([.heading("政务信息资源目录")], into: &bytes)
        book.row(
            groups.flatMap { name, width in [.heading(name)] + Array(repeating: .empty, count: width - 1) },
            into: &bytes
        )
        book.row(second.map { $0.isEmpty ? .empty : .heading($0) }, into: &bytes)
        book.row(third.map { $0.isEmpty ? .empty : .heading($0) }, into: &bytes)
        for row in rows { book.row(row.map { $0.isEmpty ? .empty : .text($0) }, into: &bytes) }
        book.close(into: &bytes)
        book.finish(into: &bytes)
        return bytes
    }

    static let provider = "示范省公路事业发展中心"

    func importing(
        _ bytes: [UInt8],
        apply: Bool,
        _ node: TestNode,
        _ session: [String: String]
    ) async throws
        -> TestNode.Answer
    {
        let upload = try await node.upload("catalogue.xlsx", bytes, session: session)
        let body = #"{"upload":"\#(upload)","apply":\#(apply)}"#
        return try await node.ask("POST", "/api/v1/entries/import", headers: session, body: Array(body.utf8))
    }

    @Test func aWorkbookComesInAsAWholeAndGoesOutAsItCame() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let before = try await node.ask("GET", "/api/v1/entries", headers: clerk).json["total"]?.integer ?? 0
        let bytes = Self.workbook(30, items: 5, provider: Self.provider)
        let looked = try await importing(bytes, apply: false, node, clerk).json
        #expect(looked["created"]?.integer == 30 && looked["applied"]?.boolean == false, "\(looked.text.prefix(600))")
        #expect(try await node.ask("GET", "/api/v1/entries", headers: clerk).json["total"]?.integer == before)
        let done = try await importing(bytes, apply: true, node, clerk).json
        #expect(done["applied"]?.boolean == true && done["rows"]?.integer == 150, "\(done.text.prefix(600))")
        let drafts = try await node.ask("GET", "/api/v1/entries?q=%E7%AC%AC7%E5%8F%B7", headers: clerk).json
        let id = try #require(drafts["entries"]?.array?.first?["id"]?.string)
        let entry = try await node.ask("GET", "/api/v1/resources/\(id)", headers: clerk).json
        #expect(entry["draft"]?["frequency"]?.string == "monthly")
        let fields = try TableSchema.read(try #require(entry["draft"]?["schema"])).fields
        #expect(fields.map(\.type) == [.text, .integer, .decimal, .date, .text])
        #expect(fields[0].maximumLength == 50 && fields[2].scale == 3)
        #expect(entry["draft"]?["items"]?.array?.map { $0["sharing"]?.integer } == [1, 2, 3, 1, 2])
        #expect(entry["draft"]?["items"]?.array?.first?["mode"]?.string == "platform_file")

        // Again: nothing changes. What was exported is the same, too.
        let again = try await importing(bytes, apply: true, node, clerk).json
        #expect(again["unchanged"]?.integer == 30 && again["created"]?.integer == 0, "\(again.text.prefix(600))")
        let exported = try await node.ask("GET", "/api/v1/entries.xlsx", headers: clerk)
        let round = try await importing(exported.body, apply: false, node, clerk).json
        #expect(round["errors"]?.integer == 0 && round["created"]?.integer == 0, "\(round.text.prefix(900))")
        #expect(round["changed"]?.integer == 0, "\(round.text.prefix(900))")
        #expect((round["unchanged"]?.integer ?? 0) == before + 30)
        try await node.close()
    }

    /// Two who import one workbook at once make its entries once; a draft goes out and comes back as it is; what a workbook has no column for
    /// stays.
    @Test func importsNeitherDoubleNorErase() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let upload = try await node.upload(
            "c.xlsx",
            Self.workbook(40, items: 2, provider: Self.provider),
            session: clerk
        )
        let body = Array(#"{"upload":"\#(upload)","apply":true}"#.utf8)
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    try await node.ask("POST", "/api/v1/entries/import", headers: clerk, body: body).status
                }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses.contains(200) && statuses.allSatisfy { [200, 409].contains($0) }, "\(statuses)")
        func mine() async throws -> [JSONValue] {
            let list = try await node.ask("GET", "/api/v1/entries?limit=1000&order=code", headers: clerk).json
            return (list["entries"]?.array ?? []).filter { $0["name"]?.string?.hasSuffix("号道路运输数据") == true }
        }
        #expect(try await mine().count == 40)

        // A published entry with a draft over it.
        let published = try await node.ask("GET", "/api/v1/resources/301001-000001", headers: clerk).json
        #expect(published["state"]?.string == "published")
        let detail = try await mine()[0]["id"]?.string ?? ""
        var draft = try #require(try await node.ask("GET", "/api/v1/resources/\(detail)", headers: clerk).json["draft"])
            .text
        draft = draft.replacing(#""department":"信息处""#, with: #""department":"运输处""#)
        #expect(
            try await node.ask("PUT", "/api/v1/resources/\(detail)", headers: clerk, body: Array(draft.utf8)).status
                == 200
        )
        let exported = try await node.ask("GET", "/api/v1/entries.xlsx", headers: clerk)
        let back = try await importing(exported.body, apply: true, node, clerk).json
        #expect(back["changed"]?.integer == 0 && back["created"]?.integer == 0, "\(back.text.prefix(500))")

        // A narrow table: name, provider, item, type and sharing only, as CSV.
        let name = try await mine()[0]["name"]?.string ?? ""
        let narrow = "信息资源名称,信息资源提供方,分类,信息项名称,数据类型,共享类型\n\(name),\(Self.provider),301003,信息项0,字符型C,有条件共享\n"
        let sent = try await node.upload("narrow.csv", Array(narrow.utf8), session: clerk)
        let applied = try await node.ask(
            "POST",
            "/api/v1/entries/import",
            headers: clerk,
            body: Array(#"{"upload":"\#(sent)","apply":true}"#.utf8)
        )
        #expect(applied.json["changed"]?.integer == 1, "\(applied.text)")
        let kept = try await node.ask("GET", "/api/v1/resources/\(detail)", headers: clerk).json["draft"]
        #expect(kept?["department"]?.string == "运输处" && kept?["frequency"]?.string == "monthly")
        #expect(kept?["summary"]?.string?.contains("批量导入") == true)
        #expect(try TableSchema.read(kept?["schema"] ?? .null).fields.first?.maximumLength == 50)
        try await node.close()
    }

    @Test func oneWrongRowKeepsTheWholeWorkbookOut() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let bytes = Self.workbook(10, items: 3, provider: Self.provider) { rows in
            rows[3][6] = "没有的机构"
            rows[7][13] = "怪型Z"
            rows[10][15] = "看情况"
            rows[13][12] = ""
            rows[16][12] = "信息项0"
            rows[21][21] = "偶尔"
            rows[24][0] = "9"
            rows[27][4] = "第0号道路运输数据"
        }
        let report = try await importing(bytes, apply: true, node, clerk)
        #expect(report.status == 422)
        let findings = report.json["findings"]?.array ?? []
        let errors = findings.filter { $0["severity"]?.string == "error" }
        let places = Set(errors.map { "\($0["row"]?.integer ?? 0) \($0["column"]?.string ?? "")" })
        // The head is four rows: the first row of entries is the fifth.
        #expect(
            places == [
                "8 信息资源提供方", "12 数据类型", "15 共享类型", "18 信息项名称", "21 信息项名称", "26 更新周期", "29 类", "32 ",
            ],
            "\(places)"
        )
        let total = try await node.ask(
            "GET",
            "/api/v1/entries?q=%E9%81%93%E8%B7%AF%E8%BF%90%E8%BE%93%E6%95%B0%E6%8D%AE",
            headers: clerk
        )
        #expect(total.json["entries"]?.array?.contains { $0["name"]?.string == "第1号道路运输数据" } == false)
        // Another department's entries are refused; so is a file that is no catalogue.
        let foreign = Self.workbook(1, items: 1, provider: "示范市交通运输局")
        #expect(try await importing(foreign, apply: true, node, clerk).text.contains("只能为本部门编目"))
        let other = try await node.upload("other.csv", Array("a,b\n1,2\n".utf8), session: clerk)
        let refused = try await node.ask(
            "POST",
            "/api/v1/entries/import",
            headers: clerk,
            body: Array(#"{"upload":"\#(other)","apply":true}"#.utf8)
        )
        #expect(refused.json["code"]?.string == "workbook.no_head", "\(refused.text)")
        try await node.close()
    }

    @Test func manyEntriesTakeAStepTogetherEachByItself() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        _ = try await importing(Self.workbook(12, items: 2, provider: Self.provider), apply: true, node, clerk)
        let drafts = try await node.ask(
            "GET",
            "/api/v1/entries?stage=draft&q=%E9%81%93%E8%B7%AF%E8%BF%90%E8%BE%93&limit=1000&order=code",
            headers: clerk
        ).json
        let codes = (drafts["entries"]?.array ?? []).filter { $0["name"]?.string?.hasSuffix("号道路运输数据") == true }
            .compactMap { $0["code"]?.string }
        #expect(codes.count == 12)
        func step(_ step: String, _ codes: [String], _ login: String, note: String = "") async throws -> JSONValue {
            let list = JSONValue.array(codes.map { .string($0) }).text
            let body = #"{"step":"\#(step)","codes":\#(list),"note":"\#(note)"}"#
            return try await node.ask(
                "POST",
                "/api/v1/entries/steps",
                headers: try await node.session(login),
                body: Array(body.utf8)
            ).json
        }
        let submitted = try await step("submit", codes + ["301003/999999"], "clerk")
        #expect(submitted["done"]?.integer == 12 && submitted["failed"]?.array?.count == 1, "\(submitted.text)")
        let returned = try await step("department_no", [codes[0]], "reviewer")
        #expect(returned["failed"]?.array?.first?["problem"]?.string == "entry.reason", "\(returned.text)")
        #expect(try await step("department_no", [codes[0]], "reviewer", note: "摘要不清")["done"]?.integer == 1)
        #expect(try await step("department_yes", Array(codes.dropFirst()), "reviewer")["done"]?.integer == 11)
        #expect(try await step("authority_yes", Array(codes.dropFirst()), "clerk")["done"]?.integer == 0)
        #expect(try await step("authority_yes", Array(codes.dropFirst()), "authority")["done"]?.integer == 11)

        // The ledger counts them: published, promised monthly, without data.
        let ledger = try await node.ask("GET", "/api/v1/ledger", headers: clerk).json
        let line = try #require(ledger["departments"]?.array?.first { $0["name"]?.string == Self.provider })
        #expect((line["published"]?.integer ?? 0) >= 11 && (line["timely_rate"]?.real ?? 1) < 1, "\(line.text)")
        let late = try await node.ask("GET", "/api/v1/entries?late=true&unattached=true", headers: clerk).json
        #expect(late["total"]?.integer == 11)
        let page = try await node.ask("GET", "/console/ledger", headers: clerk)
        #expect(page.status == 200 && page.text.contains("总账本") && page.text.contains(Self.provider))
        let workbook = try await node.ask("GET", "/api/v1/ledger.xlsx", headers: clerk)
        #expect(workbook.body.starts(with: [0x50, 0x4B]))

        // A change of a published entry is shown to the reviewer; a copy of it is recognised.
        let id = codes[1].replacing("/", with: "-")
        let shown = try await node.ask("GET", "/api/v1/resources/\(id)", headers: clerk).json
        #expect(shown["state"]?.string == "published")
        _ = try await importing(
            Self.workbook(12, items: 2, provider: Self.provider) { rows in rows[2][21] = "每日" },
            apply: true,
            node,
            clerk
        )
        let entryPage = try await node.ask("GET", "/console/entries/\(id)", headers: clerk).text
        #expect(entryPage.contains("本次变更") && entryPage.contains("<del>每月</del>"), "the difference is shown")
        #expect(entryPage.contains("一数一源"), "neighbours by name are shown")
        try await node.close()
    }

    /// Filters, orders and pages of the list agree with what is there; nothing of other departments is listed.
    @Test func theListFiltersAndPages() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        _ = try await importing(Self.workbook(25, items: 3, provider: Self.provider), apply: true, node, clerk)
        for order in ["changed", "data", "score", "items", "code"] {
            var seen: [String] = []
            for offset in stride(from: 0, to: 60, by: 7) {
                let page = try await node.ask(
                    "GET",
                    "/api/v1/entries?order=\(order)&limit=7&offset=\(offset)",
                    headers: clerk
                ).json
                seen += (page["entries"]?.array ?? []).compactMap { $0["code"]?.string }
            }
            let total = try await node.ask("GET", "/api/v1/entries", headers: clerk).json["total"]?.integer
            #expect(Int64(seen.count) == total && Set(seen).count == seen.count, "\(order)")
        }
        let page = try await node.ask("GET", "/console/entries?q=%E7%AC%AC3%E5%8F%B7&stage=draft", headers: clerk)
        #expect(page.text.contains("第3号道路运输数据") && !page.text.contains("第4号道路运输数据"))
        #expect(try await node.ask("GET", "/api/v1/entries").status == 401)
        let steward = try await node.session("steward")
        #expect(try await node.ask("GET", "/console/entries", headers: steward).status == 200)
        try await node.close()
    }

    /// A backup made while the node runs, and a drill of restoring it.
    @Test func backupsAndDrillsAreJobs() async throws {
        let node = try await TestNode(demonstration: true)
        let sysadmin = try await node.session("sysadmin")
        defer {
            let folder = node.folder
            try? FileManager.default.removeItem(
                at: folder.deletingLastPathComponent().appending(path: "\(folder.lastPathComponent)-backups")
            )
        }
        func queue(_ kind: String) async throws -> JSONValue {
            let body = Array(#"{"kind":"\#(kind)"}"#.utf8)
            #expect(try await node.ask("POST", "/api/v1/backups", headers: sysadmin, body: body).status == 202)
            try await node.node.kernel.jobs.runPending()
            let list = try await node.ask("GET", "/api/v1/backups", headers: sysadmin).json["backups"]?.array
            return list?.first ?? .null
        }
        let none = try await queue("restore_drill")
        #expect(none["state"]?.string == "failed" && none["result"]?["code"]?.string == "backup.none", "\(none.text)")
        let made = try await queue("backup")
        #expect(made["state"]?.string == "done" && (made["result"]?["files"]?.integer ?? 0) > 5, "\(made.text)")
        node.clock.advance(microseconds: 90_000_000)
        let drill = try await queue("restore_drill")
        #expect(drill["state"]?.string == "done" && (drill["result"]?["rpo_seconds"]?.real ?? 0) >= 90, "\(drill.text)")
        #expect(try await node.ask("GET", "/console/backups", headers: sysadmin).text.contains("RPO"))
        #expect(try await node.ask("GET", "/api/v1/backups", headers: try await node.session("clerk")).status == 403)
        try await node.close()
    }
}
