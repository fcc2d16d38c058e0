import Collect
import Basics
import Catalogue
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// The entries in the console: filters, order, many at once, and the workbook in and out.
enum EntryListPages {
    static let routes: [Route] = [
        Route(.get, "/console/entries", .actions(["catalogue.list", "view.list"]), .console, zh: "目录条目", en: "Entries")
        { web in
            _ = try ConsolePages.signedIn(web)
            return .page(try await list(web, results: nil))
        },
        Route(
            .post,
            "/console/entries",
            .actions(["catalogue.list"] + EntriesAPI.stepActions),
            .console,
            zh: "批量流转",
            en: "Take a step of many"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            let form = try await web.form()
            let codes = form.fields.filter { $0.name == "code" }.map(\.value)
            let results = try await EntriesAPI.steps(form["step"], codes, note: form["note"], web)
            return .page(try await list(web, results: results))
        },
        Route(.get, "/console/import", .nothing, .console, zh: "导入目录页", en: "Import page") { web in
            _ = try ConsolePages.signedIn(web)
            return .page(form(web))
        },
        Route(.post, "/console/import", .actions(["collect.upload"]), .console, zh: "上传工作簿", en: "Upload a workbook") {
            web in
            _ = try ConsolePages.signedIn(web)
            let (upload, _) = try await DataAPI.receive(web)
            return .redirect("/console/import/\(upload.id)")
        },
        Route(
            .get,
            "/console/import/{upload}",
            .actions(["collect.inspect", "catalogue.import"]),
            .console,
            zh: "检查工作簿",
            en: "Check a workbook"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            let upload = try web.parameter("upload")
            return .page(view(try await EntriesAPI.importWorkbook(upload, applies: false, web), upload, web))
        },
        Route(
            .post,
            "/console/import/{upload}",
            .actions(["collect.inspect", "catalogue.import"]),
            .console,
            zh: "导入工作簿",
            en: "Import a workbook"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            _ = try await web.form()
            let upload = try web.parameter("upload")
            return .page(view(try await EntriesAPI.importWorkbook(upload, applies: true, web), upload, web))
        },
    ]

    // MARK: The list

    static func list(_ web: WebRequest, results: [EntriesAPI.StepResult]?) async throws -> HTML {
        let query = EntriesAPI.query(web)
        let found = try await web.perform(web.services.catalogue.list, query)
        let views = try await web.perform(web.services.administration.views, "entries")
        let gate = web.services.kernel.gate
        var steps: [(String, String)] = []
        if gate.holds(.catalogueEdit, web.caller) { steps.append(("submit", web.text("提交审核", "Submit"))) }
        if gate.holds(.catalogueReviewDepartment, web.caller) {
            steps += [
                ("department_yes", web.text("部门审核通过", "Approve (department)")),
                ("department_no", web.text("部门退回", "Return (department)")),
            ]
        }
        if gate.holds(.catalogueReviewAuthority, web.caller) {
            steps += [
                ("authority_yes", web.text("主管部门通过并发布", "Approve and publish")),
                ("authority_no", web.text("主管部门退回", "Return (authority)")),
            ]
        }
        let parameters = parameters(web)
        let table: HTML =
            found.entries.isEmpty
            ? Layout.empty(
                web.text("没有符合条件的条目。", "No entries match."),
                parameters.isEmpty
                    ? .empty : "<p><a href=\"/console/entries\">\(web.text("清除筛选", "Clear the filters"))</a></p>"
            ) : rows(found.entries, query, selectable: !steps.isEmpty, web)
        let bulk: HTML =
            steps.isEmpty || found.entries.isEmpty
            ? table
            : """
            <form method="post" action="/console/entries?\(parameters)">\(Layout.csrf(web))\(table)
            <div class="row bulk">\(Layout.field(web.text("对选中的条目", "With those chosen"), Layout.select("step", steps, steps[0].0)))
            \(Layout.field(web.text("意见(退回必填)", "Note (needed to return)"), "<input name=\"note\" maxlength=\"500\">"))
            <button>\(web.text("执行", "Do it"))</button></div></form>
            """
        return Layout.console(
            web.text("目录条目", "Entries"),
            web,
            scripts: ["/assets/page.js"],
            """
            <header class="title"><h1>\(web.text("目录条目", "Entries"))</h1>
            <p class="actions"><a class="button quiet" href="/api/v1/entries.xlsx?\(parameters)">\(web.text("导出工作簿", "Export a workbook"))</a>\(gate.holds(.catalogueEdit, web.caller) ? "<a class=\"button quiet\" href=\"/console/import\">\(web.text("导入工作簿", "Import a workbook"))</a>" as HTML : .empty)</p></header>
            \(outcome(results, web))\(saved(views, web))\(filters(query, web))
            <section class="card"><p class="muted" role="status">\(web.text("共 \(Numbers.grouped(Int64(found.total))) 条", "\(Numbers.grouped(Int64(found.total))) entries"))</p>\(bulk)\(pager(query, found.total, web))</section>
            """
        )
    }

    /// The filters of the address, without the place, for links that keep them.
    static func parameters(_ web: WebRequest, without dropped: Set<String> = ["offset"]) -> String {
        [
            "q", "provider", "category", "stage", "state", "late", "unattached", "deviating", "remarks", "poor",
            "order", "limit",
        ]
        .filter {
            !dropped.contains($0)
        }.compactMap { name in web.query(name).map { "\(name)=\($0.addingPercentEncoding())" } }.joined(
            separator: "&"
        )
    }

    static func filters(_ query: EntryListQuery, _ web: WebRequest) -> HTML {
        let reach = web.services.kernel.gate.ownersReached(by: web.caller, with: .catalogueRead)
        let every = web.text("全部", "All")
        let providers = web.services.kernel.gate.organisations.sorted.filter { reach?.contains($0.id) ?? true }.map {
            (String($0.id.raw), $0.name)
        }
        let stages = EntryStage.allCases.map { ($0.rawValue, $0.title[web.language]) }
        let states = [
            ("draft", web.text("未发布", "unpublished")), ("published", web.text("已发布", "published")),
            ("offline", web.text("已下线", "offline")),
        ]
        let orders = [
            ("changed", web.text("最近变更", "latest change")), ("data", web.text("最久未更新", "longest without data")),
            ("score", web.text("质量从低到高", "worst quality")), ("items", web.text("信息项最多", "most items")),
            ("code", web.text("编目先后", "by code")),
        ]
        func box(_ name: String, _ isOn: Bool, _ label: String) -> HTML {
            "<label class=\"check\"><input type=\"checkbox\" name=\"\(name)\" value=\"true\"\(isOn ? " checked" as HTML : .empty)><span>\(label)</span></label>"
        }
        return """
            <form method="get" action="/console/entries" class="card filters" role="search">
            \(Layout.field(web.text("检索", "Search"), "<input type=\"search\" name=\"q\" maxlength=\"200\" value=\"\(query.text)\">"))
            \(Layout.field(web.text("提供方", "Provider"), Layout.select("provider", [("", every)] + providers, query.provider.map { String($0.raw) } ?? "")))
            \(Layout.field(web.text("领域", "Field"), Layout.select("category", [("", every)] + Classification.transport.map { ($0.code, $0.title[web.language]) }, query.category ?? "")))
            \(Layout.field(web.text("审核阶段", "Stage"), Layout.select("stage", [("", every)] + stages, query.stage?.rawValue ?? "")))
            \(Layout.field(web.text("发布状态", "State"), Layout.select("state", [("", every)] + states, query.state?.rawValue ?? "")))
            \(Layout.field(web.text("排序", "Order"), Layout.select("order", orders, query.order.rawValue)))
            \(Layout.field(web.text("每页", "Per page"), Layout.select("limit", ["50", "200", "1000"].map { ($0, $0) }, String(query.limit))))
            <div class="checks">\(box("late", query.isLate, web.text("逾期未更新", "overdue")))\(box("unattached", query.isUnattached, web.text("未挂接", "without data")))\(box("poor", query.isPoor, web.text("质量待改正", "poor quality")))\(box("remarks", query.hasRemarks, web.text("编制待改", "with remarks")))\(box("deviating", query.isDeviating, web.text("不符数据元", "deviating")))</div>
            <div class="actions"><button>\(web.text("筛选", "Filter"))</button><a href="/console/entries">\(web.text("清除", "Clear"))</a></div></form>
            """
    }

    /// The views that somebody keeps, and a way to keep this one.
    static func saved(_ views: [SavedView], _ web: WebRequest) -> HTML {
        let here = parameters(web)
        let links = views.map { view -> HTML in
            let isHere: HTML = view.query == here ? " aria-current=\"true\"" : .empty
            let remove: HTML =
                view.query == here
                ? "<form method=\"post\" action=\"/console/views\" class=\"inline\">\(Layout.csrf(web))<input type=\"hidden\" name=\"name\" value=\"\(view.name)\"><button name=\"act\" value=\"remove\" class=\"link\">\(web.text("删除视图", "Remove the view"))</button></form>"
                : .empty
            return "<a href=\"/console/entries?\(view.query)\"\(isHere)>\(view.name)</a>\(remove)"
        }
        let keep: HTML =
            here.isEmpty || views.contains { $0.query == here }
            ? .empty
            : "<form method=\"post\" action=\"/console/views\" class=\"inline\">\(Layout.csrf(web))<input type=\"hidden\" name=\"query\" value=\"\(here)\"><input name=\"name\" required maxlength=\"30\" size=\"12\" aria-label=\"\(web.text("视图名称", "View's name"))\" placeholder=\"\(web.text("视图名称", "View's name"))\"> <button class=\"quiet\">\(web.text("保存为视图", "Save as a view"))</button></form>"
        guard !links.isEmpty || !keep.text.isEmpty else { return .empty }
        return "<nav class=\"tabs views\" aria-label=\"\(web.text("我的视图", "My views"))\">\(links)\(keep)</nav>"
    }

    static func rows(_ entries: [Entry], _ query: EntryListQuery, selectable: Bool, _ web: WebRequest) -> HTML {
        let organisations = web.services.kernel.gate.organisations
        let rows = entries.map { entry -> HTML in
            let name = entry.content?.name ?? entry.resource.name
            let box: HTML =
                selectable
                ? "<td><input type=\"checkbox\" name=\"code\" value=\"\(entry.slug)\" aria-label=\"\(web.text("选择", "choose")) \(name)\"></td>"
                : .empty
            return """
                <tr>\(box)<td><a href="/console/entries/\(entry.slug)">\(name)</a><br><code>\(entry.resource.code)</code></td>
                <td>\(organisations[entry.resource.owner]?.name ?? "")</td><td>\(ConsolePages.stateBadge(entry, web))</td><td class="number">\(entry.content?.schema.fields.count ?? 0)</td><td class="number">\(Numbers.grouped(entry.rows))</td><td>\(Layout.day(entry.dataAt))</td><td class="number">\(Layout.score(entry.score, web.language))</td><td>\(CivilTime.minute(entry.changedAt))</td></tr>
                """
        }
        var heads = [
            web.text("名称与代码", "Name and code"), web.text("提供方", "Provider"), web.text("状态", "State"),
            web.text("信息项", "Items") + "#", web.text("记录", "Rows") + "#", web.text("数据更新", "Data of"),
            web.text("质量", "Quality") + "#", web.text("变更", "Changed"),
        ]
        let all: HTML =
            selectable
            ? "<label class=\"check\" data-all hidden><input type=\"checkbox\"><span>\(web.text("选择本页全部", "Choose all on this page"))</span></label>"
            : .empty
        if selectable { heads.insert(web.text("选", "✓"), at: 0) }
        return
            "\(all)<div data-keys>\(Layout.table(heads, rows, label: web.text("目录条目", "Entries")))</div><p class=\"hint keys\">\(web.text("键盘:↑ ↓ 或 j k 移动，Enter 打开，x 选择,/ 检索。", "Keys: ↑ ↓ or j k move, Enter opens, x chooses, / searches."))</p>"
    }

    static func pager(_ query: EntryListQuery, _ total: Int, _ web: WebRequest) -> HTML {
        let kept = parameters(web)
        func link(_ offset: Int, _ label: String, _ relation: String) -> HTML {
            "<a rel=\"\(relation)\" href=\"/console/entries?\(kept)&offset=\(offset)\">\(label)</a>"
        }
        let back: HTML =
            query.offset > 0
            ? link(max(0, query.offset - query.limit), web.text("← 上一页", "← Previous"), "prev") : .empty
        let next: HTML =
            query.offset + query.limit < total
            ? link(query.offset + query.limit, web.text("下一页 →", "Next →"), "next") : .empty
        let first = min(total, query.offset + 1)
        let last = min(total, query.offset + query.limit)
        return
            "<nav class=\"pager\" aria-label=\"\(web.text("翻页", "Pages"))\">\(back)<span class=\"muted\">\(first)–\(last)</span>\(next)</nav>"
    }

    static func outcome(_ results: [EntriesAPI.StepResult]?, _ web: WebRequest) -> HTML {
        guard let results else { return .empty }
        let failed = results.filter { $0.problem != nil }
        let done = results.count - failed.count
        let list = failed.prefix(50).map { result -> HTML in
            "<li><a href=\"/console/entries/\(result.code)\"><code>\(result.code)</code></a> \(result.problem?.message[web.language] ?? "") \(result.problem?.hint?[web.language] ?? "")</li>"
        }
        let rest: HTML =
            failed.count > 50 ? "<li>\(web.text("……共 \(failed.count) 条", "… \(failed.count) in all"))</li>" : .empty
        let success: HTML =
            done > 0 ? "<p class=\"good-text\">\(web.text("已处理 \(done) 条。", "\(done) entries done."))</p>" : .empty
        if results.isEmpty {
            return "<p class=\"alert\" role=\"alert\">\(web.text("没有选中条目。", "No entries were chosen."))</p>"
        }
        return failed.isEmpty
            ? "<div role=\"status\">\(success)</div>"
            : "<div class=\"alert\" role=\"alert\">\(success)<p>\(web.text("\(failed.count) 条未处理：", "\(failed.count) entries were not done:"))</p><ul>\(list)\(rest)</ul></div>"
    }

    // MARK: The workbook

    static func form(_ web: WebRequest) -> HTML {
        Layout.console(
            web.text("导入目录", "Import"),
            web,
            scripts: ["/assets/page.js"],
            """
            <header class="title"><h1>\(web.text("导入目录工作簿", "Import a catalogue workbook"))</h1><p class="muted">\(web.text("《政务信息资源目录编制指南》模板的 XLSX(.xls、.et 须安装 LibreOffice)。每个信息项一行；同一资源的单元格可合并。先检查，没有错误才整体导入为草稿。", "XLSX after the national guide's template (.xls and .et need LibreOffice). One row an item; cells of a resource may be merged. It is checked first, and imported as drafts as a whole only without errors."))</p></header>
            <section class="card"><form method="post" action="/console/import" enctype="multipart/form-data" class="stack" data-upload>\(Layout.csrf(web))
            \(Layout.field(web.text("工作簿", "Workbook"), "<input type=\"file\" name=\"file\" required accept=\".xlsx,.xls,.et\">"))
            <label class="check"><input type="checkbox" name="no_secrets" value="true" required> <span>\(web.text("我声明：本文件不含涉密数据，来源合法。", "I declare that this file holds no state secrets and was obtained lawfully."))</span></label>
            <progress hidden max="100" value="0"></progress>
            <div class="actions"><button>\(web.text("上传并检查", "Upload and check"))</button> <a href="/api/v1/entries.xlsx?limit=1">\(web.text("下载现有目录作为模板", "Download the catalogue as a template"))</a></div></form></section>
            """
        )
    }

    static func view(_ report: ImportReport, _ upload: String, _ web: WebRequest) -> HTML {
        func figure(_ label: String, _ value: Int, _ kind: String = "") -> HTML {
            "<div class=\"\(kind)\"><dt>\(label)</dt><dd>\(Numbers.grouped(Int64(value)))</dd></div>"
        }
        let rows = report.findings.map { finding -> HTML in
            "<tr><td>\(finding.sheet)</td><td class=\"number\">\(finding.row)</td><td>\(finding.column)</td><td>\(Layout.badge(finding.severity.title[web.language], finding.severity == .error ? "poor" : finding.severity == .warning ? "fair" : ""))</td><td>\(finding.message[web.language])</td></tr>"
        }
        let heads = [
            web.text("工作表", "Sheet"), web.text("行", "Row") + "#", web.text("列", "Column"), web.text("级别", "Severity"),
            web.text("说明", "What"),
        ]
        let findings: HTML =
            rows.isEmpty
            ? "<section class=\"card\"><p class=\"good-text\">\(web.text("没有发现问题。", "Nothing was found."))</p></section>"
            : "<section class=\"card\"><h2>\(web.text("检查结果", "Findings"))</h2>\(Layout.table(heads, rows, label: web.text("检查结果", "Findings")))</section>"
        let verdict: HTML =
            if report.isApplied {
                "<p class=\"good-text\" role=\"status\">\(web.text("已全部导入为草稿。", "All were imported as drafts."))</p><p><a class=\"button\" href=\"/console/entries?stage=draft&limit=200\">\(web.text("查看草稿并批量提交", "See the drafts and submit them"))</a></p>"
            } else if report.errors > 0 {
                "<p class=\"alert\" role=\"alert\">\(web.text("有 \(report.errors) 处错误，没有导入任何条目。请改正工作簿后重新上传。", "There are \(report.errors) errors; nothing was imported. Correct the workbook and upload it again."))</p><p><a class=\"button\" href=\"/console/import\">\(web.text("重新上传", "Upload again"))</a></p>"
            } else if report.created + report.changed == 0 {
                "<p role=\"status\">\(web.text("与现有目录一致，没有需要导入的内容。", "It agrees with the catalogue; there is nothing to import."))</p>"
            } else {
                "<form method=\"post\" action=\"/console/import/\(upload)\">\(Layout.csrf(web))<button>\(web.text("全部导入为草稿", "Import all as drafts"))</button></form>"
            }
        return Layout.console(
            web.text("导入目录", "Import"),
            web,
            """
            <header class="title"><h1>\(web.text("导入目录工作簿", "Import a catalogue workbook"))</h1></header>
            <dl class="figures">\(figure(web.text("行", "Rows"), report.rows))\(figure(web.text("新建", "New"), report.created))\(figure(web.text("变更", "Changed"), report.changed))\(figure(web.text("无变化", "Unchanged"), report.unchanged))\(figure(web.text("错误", "Errors"), report.errors, report.errors > 0 ? "poor" : "good"))</dl>
            <section class="card">\(verdict)</section>\(findings)
            """
        )
    }
}
