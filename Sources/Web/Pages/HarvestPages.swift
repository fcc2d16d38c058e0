import Basics
import Catalogue
import Harvest
import HTTPTypes
import Hummingbird
import Kernel

/// Other catalogues that this one follows, in the console.
enum HarvestPages {
    static let routes: [Route] = [
        Route(.get, "/console/harvests", .actions(["harvest.list"]), .console, zh: "目录汇聚", en: "Harvests") { web in
            _ = try ConsolePages.signedIn(web)
            return .page(try await view(web))
        },
        Route(
            .post,
            "/console/harvests",
            .actions(["harvest.save", "harvest.start", "harvest.remove"]),
            .console,
            zh: "新建、汇聚或删除",
            en: "Add, read or take away",
            handle: act
        ),
    ]

    private static func act(_ web: WebRequest) async throws -> Response {
        let form = try await web.form()
        let id = Int64(form["id"]) ?? 0
        switch form["act"] {
        case "run": _ = try await web.perform(web.services.harvests.started, id)
        case "remove": try await web.perform(web.services.harvests.removed, id)
        default:
            let json = JSONValue.object([
                .init("name", .string(form["name"])), .init("kind", .string(form["kind"])),
                .init("address", .string(form["address"])), .init("columns", .string(form["columns"])),
                .init("provider", .integer(Int64(form["provider"]) ?? 0)),
                .init("category", .string(form["category"])), .init("publishes", .boolean(form.has("publishes"))),
                .init("hours", .integer(Int64(form["hours"]) ?? 0)),
            ])
            let saved = try await web.perform(web.services.harvests.saved, try CatalogueHarvest(json: json))
            _ = try await web.perform(web.services.harvests.started, saved)
        }
        return .redirect("/console/harvests")
    }

    private static func view(_ web: WebRequest) async throws -> HTML {
        let list = try await web.perform(web.services.harvests.listed, ())
        let manages = web.services.kernel.gate.holds(.catalogueReviewAuthority, web.caller)
        let organisations = web.services.kernel.gate.organisations
        let rows = list.map { harvest -> HTML in
            func button(_ act: String, _ label: String, _ style: String) -> HTML {
                "<form method=\"post\" action=\"/console/harvests\" class=\"inline\">\(Layout.csrf(web))<input type=\"hidden\" name=\"act\" value=\"\(act)\"><input type=\"hidden\" name=\"id\" value=\"\(harvest.id)\"><button class=\"\(style)\">\(label)</button></form>"
            }
            let buttons: HTML =
                manages
                ? "\(button("run", web.text("立即汇聚", "Read now"), "quiet")) <details class=\"inline\"><summary>\(web.text("删除……", "Take away…"))</summary>\(button("remove", web.text("确认删除", "Take away"), "danger"))</details>"
                : .empty
            let told: HTML =
                harvest.problem.map { "\(Layout.badge(web.text("失败", "failed"), "poor")) \($0)" }
                ?? harvest.report.map { result($0, web) } ?? "\(web.text("尚未汇聚", "not read yet"))"
            return """
                <tr><td>\(harvest.name)<br><span class="muted">\(harvest.address)</span></td><td>\(harvest.kind.title[web.language])</td>
                <td>\(organisations[harvest.provider]?.name ?? "—")</td>
                <td>\(harvest.publishes ? web.text("直接发布", "published at once") : web.text("转草稿审核", "reviewed as drafts"))</td>
                <td>\(harvest.hours > 0 ? web.text("每 \(harvest.hours) 小时", "every \(harvest.hours) h") : web.text("手动", "by hand"))</td>
                <td>\(SourcePages.minute(harvest.lastAt))</td><td>\(told)</td><td>\(buttons)</td></tr>
                """
        }
        let heads = [
            web.text("目录", "Catalogue"), web.text("类型", "Kind"), web.text("提供方", "Provider"),
            web.text("条目", "Entries"), web.text("周期", "Interval"), web.text("最近", "Last"),
            web.text("结果", "Result"), web.text("操作", "Actions"),
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(
                web.text(
                    "还没有汇聚其他目录。CKAN、DCAT、data.json、udata 与 CSV 清单都可以跟踪：新增、变更、撤下同步到本目录。",
                    "No other catalogue is followed yet. CKAN, DCAT, data.json, udata and CSV lists can be: what is new, changed or gone there is so here."
                )
            ) : Layout.table(heads, rows, label: web.text("目录汇聚", "Harvests"))
        let title = web.text("目录汇聚", "Harvests")
        return Layout.console(
            title,
            web,
            "<header class=\"title\"><h1>\(title)</h1></header><section class=\"card\">\(table)</section>\(manages ? form(web) : .empty)"
        )
    }

    private static func result(_ report: HarvestReport, _ web: WebRequest) -> HTML {
        let parts: [(Int64, String)] = [
            (report.created, web.text("新增", "new")), (report.changed, web.text("变更", "changed")),
            (report.unchanged, web.text("未变", "unchanged")), (report.withdrawn, web.text("撤下", "withdrawn")),
            (report.kept, web.text("本地在办", "worked on here")), (report.refused, web.text("未采纳", "not taken")),
        ]
        let counts = parts.filter { $0.0 > 0 }.map { "\($0.1) \(Numbers.grouped($0.0))" }.joined(separator: "，")
        guard !report.reasons.isEmpty else { return "\(counts.isEmpty ? web.text("没有条目", "no entries") : counts)" }
        return
            "\(counts)<details><summary>\(web.text("原因", "Reasons"))</summary><ul>\(report.reasons.map { "<li>\($0)</li>" as HTML })</ul></details>"
    }

    private static func form(_ web: WebRequest) -> HTML {
        let kinds = HarvestKind.allCases.map { ($0.rawValue, $0.title[web.language]) }
        let owners = web.services.kernel.gate.ownersReached(by: web.caller, with: .catalogueReviewAuthority)
        let providers = web.services.kernel.gate.organisations.sorted.filter { owners?.contains($0.id) ?? true }
            .prefix(2000).map { (String($0.id.raw), $0.name) }
        let categories = Classification.transport.map { ($0.code, $0.title[web.language]) }
        return """
            <section class="card"><h2>\(web.text("汇聚另一个目录", "Follow another catalogue"))</h2>
            <form method="post" action="/console/harvests" class="stack">\(Layout.csrf(web))
            \(Layout.field(web.text("名称", "Name"), "<input name=\"name\" required maxlength=\"60\">"))
            \(Layout.field(web.text("类型", "Kind"), Layout.select("kind", kinds, "ckan")))
            \(Layout.field(web.text("地址", "Address"), "<input name=\"address\" type=\"url\" required placeholder=\"https://example.gov.cn/api/3/action/package_search?rows=1000\">", hint: web.text("第一页的完整地址。CKAN 用 package_search(带 rows)，DCAT 用 .jsonld，CSV 用文件地址。", "The whole address of the first page: of CKAN package_search with rows, of DCAT the .jsonld, of lists the file.")))
            \(Layout.field(web.text("列对应(仅清单)", "Columns (lists only)"), "<input name=\"columns\" placeholder='{\"title\": \"数据集名称\"}'>", hint: web.text("表头看得懂时留空。", "Leave it empty where the header tells.")))
            \(Layout.field(web.text("提供方", "Provider"), Layout.select("provider", [("", web.text("请选择", "choose"))] + providers, "")))
            \(Layout.field(web.text("分类", "Category"), Layout.select("category", categories, "301099")))
            \(Layout.field(web.text("周期(小时)", "Interval (hours)"), "<input name=\"hours\" type=\"number\" min=\"0\" max=\"8760\" value=\"24\">", hint: web.text("0 为手动。", "0 is by hand.")))
            <label class="check"><input type="checkbox" name="publishes"> \(web.text("直接发布(不逐条审核)", "Publish at once, without review one by one"))</label>
            <p class="actions"><button>\(web.text("保存并汇聚", "Save and read"))</button></p></form></section>
            """
    }
}
