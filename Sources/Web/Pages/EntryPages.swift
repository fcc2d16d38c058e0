import Tabular
import Codes
import Basics
import Catalogue
import Hummingbird
import HTTPTypes
import Kernel
import Lake
import Open

/// An entry in the console: edit, submit, review, loads, opening.
enum EntryPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/entries/{code}",
            .actions([
                "catalogue.show", "catalogue.versions", "catalogue.similar", "load.list", "open.list", "standards.list",
            ]),
            .console,
            zh: "条目",
            en: "Entry",
            handle: show
        ),
        Route(
            .post,
            "/console/entries/{code}",
            .actions(["catalogue.show", "catalogue.save", "standards.list"]),
            .console,
            zh: "保存",
            en: "Save"
        ) { web in
            let code = try web.code()
            let form = try await web.form()
            let entry = try await web.perform(web.services.catalogue.show, code).entry
            guard let content = entry.content else { throw Problem.notFound(.init("目录条目", "the entry")) }
            let standards = try await web.perform(web.services.catalogue.standards, ())
            let changed = try EntryForm.content(
                form,
                content.schema,
                provider: content.provider,
                standards: standards,
                web
            )
            _ = try await web.perform(web.services.catalogue.save, (code, changed))
            return .redirect("/console/entries/\(Entry.slug(code))")
        },
        Route(
            .post,
            "/console/entries/{code}/step",
            .actions([
                "catalogue.submit", "catalogue.review_department", "catalogue.review_authority", "catalogue.withdraw",
            ]),
            .console,
            zh: "流转",
            en: "Next step",
            handle: step
        ),
        Route(
            .get,
            "/console/entries/{code}/loads/{load}",
            .actions(["catalogue.show", "load.show", "load.quarantine"]),
            .console,
            zh: "批次",
            en: "Load",
            handle: load
        ),
    ]

    static func step(_ web: WebRequest) async throws -> Response {
        let code = try web.code()
        let form = try await web.form()
        try await take(form["step"], code, note: form["note"], web)
        return .redirect("/console/entries/\(Entry.slug(code))")
    }

    /// Takes a step of an entry's life, by its name in forms and in the API.
    static func take(_ step: String, _ code: String, note: String, _ web: WebRequest) async throws {
        let catalogue = web.services.catalogue
        switch step {
        case "submit": _ = try await web.perform(catalogue.submit, (code, note))
        case "department_yes", "department_no":
            let review = CatalogueActions.Review(code: code, approve: step == "department_yes", note: note)
            _ = try await web.perform(catalogue.reviewForDepartment, review)
        case "authority_yes", "authority_no":
            let review = CatalogueActions.Review(code: code, approve: step == "authority_yes", note: note)
            _ = try await web.perform(catalogue.reviewForAuthority, review)
        case "withdraw": _ = try await web.perform(catalogue.withdraw, (code, note))
        default: throw Problem("request.malformed", zh: "请求有误。", en: "The request is not right.")
        }
    }

    static func show(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let code = try web.code()
        let (entry, events) = try await web.perform(web.services.catalogue.show, code)
        let gate = web.services.kernel.gate
        var loads: [Load] = []
        if gate.admits(web.services.lake.loads.descriptor, entry.resource, web.caller) {
            loads = try await web.perform(web.services.lake.loads, (code, 20))
        }
        let openings = try await web.perform(web.services.opening.list, (nil, code))
        let versions = try await web.perform(web.services.catalogue.versions, code)
        let similar =
            entry.stage == .none ? [] : try await web.perform(web.services.catalogue.similar, code)
        let changes = compared(entry, versions, similar, web)
        let standards = try await web.perform(web.services.catalogue.standards, ())
        return .page(view(entry, events, loads, openings, changes, standards, web))
    }

    static func view(
        _ entry: Entry,
        _ events: [EntryEvent],
        _ loads: [Load],
        _ openings: [OpeningRequest],
        _ changes: HTML,
        _ standards: StandardsRegistry,
        _ web: WebRequest
    ) -> HTML {
        guard let content = entry.content else { return .empty }
        let gate = web.services.kernel.gate
        let base = "/console/entries/\(entry.slug)"
        func may(_ descriptor: ActionDescriptor) -> Bool { gate.admits(descriptor, entry.resource, web.caller) }
        let canEdit = may(web.services.catalogue.save.descriptor) && (entry.stage == .draft || entry.stage == .none)
        let remarks = web.services.catalogue.remarks(content)
        let findings: HTML =
            remarks.isEmpty || entry.stage == .none
            ? .empty
            : "<section class=\"card\"><h2>\(web.text("编制检查", "Compliance"))</h2><ul>\(remarks.map { "<li>\(Layout.badge($0.blocks ? web.text("须改", "must") : web.text("建议", "should"), $0.blocks ? "poor" : "fair")) \($0.message[web.language]) <span class=\"muted\">→ \($0.fix[web.language])</span></li>" as HTML })</ul></section>"
        let form: HTML =
            canEdit
            ? """
            <section class="card"><h2>\(web.text("编目", "Entry"))</h2><form method="post" action="\(base)" class="stack">\(Layout.csrf(web))
            \(EntryForm.about(web, content, isNew: false))\(EntryForm.items(web, content.schema, content.items, proposals: nil, standards: standards))
            <div class="actions"><button>\(web.text("保存草稿", "Save the draft"))</button><button name="compose" value="1" class="quiet">\(web.text("按数据元补全并保存", "Complete by elements and save"))</button></div></form></section>
            """
            : "<section class=\"card\"><h2>\(web.text("信息项", "Items"))</h2>\(readOnly(content, web))</section>"
        let uploads: HTML =
            may(web.services.lake.load.descriptor) && entry.resource.storage == .lake
            ? "<a class=\"button\" href=\"/console/upload?code=\(entry.slug)\">\(web.text("上传新数据", "Upload new data"))</a>"
            : .empty
        let apply: HTML =
            may(OpenActions.applyDescriptor) && entry.resource.state == .published
            ? "<a class=\"button quiet\" href=\"/console/openings/new/\(entry.slug)\">\(web.text("申请开放", "Apply for opening"))</a>"
            : .empty
        let publicPage: HTML =
            entry.resource.state == .published
            ? "<a class=\"button quiet\" href=\"/resources/\(entry.slug)\">\(web.text("查看资源页", "See its page"))</a>"
            : .empty
        return Layout.console(
            content.name,
            web,
            scripts: ["/assets/page.js"],
            """
            <header class="title"><h1>\(content.name)</h1><p><code>\(entry.resource.code)</code> \(ConsolePages.stateBadge(entry, web)) <span class="muted">\(Numbers.grouped(entry.rows)) \(web.text("条", "rows"))</span> \(Layout.score(entry.score, web.language))</p>
            <p class="actions">\(uploads)\(apply)\(publicPage)</p></header>
            \(steps(entry, base, web, may))\(findings)\(deviations(standards.deviations(content.schema), web))\(changes)\(form)\(loadTable(entry, loads, web))\(openingList(openings, web))\(history(events, web))
            """
        )
    }

    /// Where items do not follow the data elements they name.
    static func deviations(_ list: [StandardDeviation], _ web: WebRequest) -> HTML {
        guard !list.isEmpty else { return .empty }
        let rows = list.map {
            "<tr><td><code>\($0.field)</code></td><td><a href=\"/standards/elements/\($0.element)\">\($0.element)</a></td><td>\($0.message[web.language])</td></tr>"
                as HTML
        }
        let heads = [web.text("信息项", "Item"), web.text("数据元", "Element"), web.text("不符之处", "Deviation")]
        return
            "<section class=\"card\"><h2>\(web.text("贯标检查", "Against the standards"))</h2>\(Layout.table(heads, rows, label: web.text("贯标检查", "Against the standards")))</section>"
    }

    /// What a reviewer looks at: what the draft changes, what earlier versions changed, and which entries may be the same.
    static func compared(
        _ entry: Entry,
        _ versions: [EntryVersion],
        _ similar: [SimilarEntry],
        _ web: WebRequest
    ) -> HTML {
        let organisations = web.services.kernel.gate.organisations
        func differences(_ list: [EntryDifference]) -> HTML {
            if list.isEmpty { return "<p class=\"muted\">\(web.text("没有差异。", "No differences."))</p>" }
            let rows = list.map { difference -> HTML in
                "<tr><td>\(difference.what[web.language])</td><td><del>\(difference.before)</del></td><td><ins>\(difference.after)</ins></td></tr>"
            }
            let heads = [web.text("内容", "What"), web.text("原", "Before"), web.text("现", "After")]
            return Layout.table(heads, rows, label: web.text("差异", "Differences"))
        }
        var sections: [HTML] = []
        if let draft = entry.draft, let published = entry.published {
            sections.append(
                "<section class=\"card\"><h2>\(web.text("本次变更", "What this draft changes"))</h2>\(differences(draft.differences(from: published, organisations)))</section>"
            )
        }
        if !similar.isEmpty {
            let rows = similar.map { found -> HTML in
                """
                <tr><td><a href="/console/entries/\(found.entry.slug)">\(found.entry.content?.name ?? "")</a><br><code>\(found.entry.resource.code)</code></td><td>\(organisations[found.entry.resource.owner]?.name ?? "")</td><td class="number">\(Int(found.nameLikeness * 100))%</td><td>\(found.sharedItems.joined(separator: "、"))</td></tr>
                """
            }
            let heads = [
                web.text("条目", "Entry"), web.text("提供方", "Provider"), web.text("名称相近", "Likeness") + "#",
                web.text("相同的信息项", "Items in both"),
            ]
            sections.append(
                "<section class=\"card\"><h2>\(web.text("一数一源：可能重复的条目", "One datum, one source: entries that may be the same"))</h2><p class=\"hint\">\(web.text("请核对是否应引用已有资源，而不是重复采集。", "Consider referring to what exists instead of collecting it again."))</p>\(Layout.table(heads, rows, label: web.text("可能重复的条目", "Similar entries")))</section>"
            )
        }
        if versions.count > 1 {
            let list = zip(versions, versions.dropFirst()).map { version, before -> HTML in
                "<details><summary>\(web.text("版本", "Version")) \(version.version) · \(CivilTime.minute(version.at))</summary>\(differences(version.content.differences(from: before.content, organisations)))</details>"
            }
            sections.append(
                "<section class=\"card\"><h2>\(web.text("版本与差异", "Versions and differences"))</h2>\(list)</section>"
            )
        }
        return HTML(sections)
    }

    static func readOnly(_ content: EntryContent, _ web: WebRequest) -> HTML {
        let rows = zip(content.schema.fields, content.items).map { field, item -> HTML in
            "<tr><td><b>\(field.display)</b> <code>\(field.name)</code></td><td>\(field.type.title[web.language])</td><td>\(field.kind?.title[web.language] ?? "—")</td><td>\(field.grade.title[web.language])</td><td>\(item.sharing.title[web.language])</td><td>\(item.condition)</td></tr>"
        }
        return
            "<p class=\"summary\">\(content.summary)</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("信息项", "Items"))\"><table><thead><tr><th scope=\"col\">\(web.text("名称", "Name"))</th><th scope=\"col\">\(web.text("类型", "Type"))</th><th scope=\"col\">\(web.text("含义", "Meaning"))</th><th scope=\"col\">\(web.text("分级", "Grade"))</th><th scope=\"col\">\(web.text("共享类型", "Sharing"))</th><th scope=\"col\">\(web.text("条件或依据", "Condition or basis"))</th></tr></thead><tbody>\(rows)</tbody></table></div>"
    }

    static func steps(_ entry: Entry, _ base: String, _ web: WebRequest, _ may: (ActionDescriptor) -> Bool) -> HTML {
        var buttons: [(String, String, Bool)] = []
        switch entry.stage {
        case .draft where may(web.services.catalogue.submit.descriptor):
            buttons = [("submit", web.text("提交审核", "Submit"), true)]
        case .department where may(CatalogueActions.departmentDescriptor):
            buttons = [
                ("department_yes", web.text("审核通过", "Approve"), true),
                ("department_no", web.text("退回", "Return"), false),
            ]
        case .authority where may(CatalogueActions.authorityDescriptor):
            buttons = [
                ("authority_yes", web.text("审核通过并发布", "Approve and publish"), true),
                ("authority_no", web.text("退回", "Return"), false),
            ]
        case .none where entry.resource.state == .published && may(CatalogueActions.withdrawDescriptor):
            buttons = [("withdraw", web.text("下线", "Withdraw"), false)]
        default: break
        }
        let track = [EntryStage.draft, .department, .authority].map { stage -> HTML in
            entry.stage == stage
                ? "<li aria-current=\"step\">\(stage.title[web.language])</li>"
                : "<li>\(stage.title[web.language])</li>"
        }
        let published: HTML =
            entry.resource.state == .published && entry.stage == .none
            ? "<li aria-current=\"step\">\(web.text("已发布", "published"))</li>"
            : "<li>\(web.text("发布", "published"))</li>"
        let form: HTML =
            buttons.isEmpty
            ? .empty
            : """
            <form method="post" action="\(base)/step" class="stack">\(Layout.csrf(web))
            \(Layout.field(web.text("意见", "Note"), "<textarea name=\"note\" rows=\"2\" maxlength=\"1000\"></textarea>", hint: web.text("退回时必填。", "Needed for a return.")))
            <div class="actions">\(buttons.map { "<button name=\"step\" value=\"\($0.0)\" class=\"\($0.2 ? "" : "quiet")\">\($0.1)</button>" as HTML })</div></form>
            """
        return "<section class=\"card\"><ol class=\"steps\">\(track)\(published)</ol>\(form)</section>"
    }

    static func loadTable(_ entry: Entry, _ loads: [Load], _ web: WebRequest) -> HTML {
        guard !loads.isEmpty else { return .empty }
        let rows = loads.map { load -> HTML in
            "<tr><td><a href=\"/console/entries/\(entry.slug)/loads/\(load.id)\">\(load.id)</a></td><td>\(load.source)</td><td>\(Words.title(load.mode)[web.language])</td><td>\(Layout.badge(Words.title(load.state)[web.language], load.state == .done ? "good" : load.state == .failed ? "poor" : ""))</td><td class=\"number\">\(Numbers.grouped(load.good))</td><td class=\"number\">\(Numbers.grouped(load.bad))</td><td>\(CivilTime.minute(load.startedAt))</td></tr>"
        }
        return
            "<section class=\"card\"><h2>\(web.text("批次", "Loads"))</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("批次", "Loads"))\"><table><thead><tr><th scope=\"col\">#</th><th scope=\"col\">\(web.text("文件", "File"))</th><th scope=\"col\">\(web.text("方式", "Mode"))</th><th scope=\"col\">\(web.text("状态", "State"))</th><th scope=\"col\" class=\"number\">\(web.text("入库", "Loaded"))</th><th scope=\"col\" class=\"number\">\(web.text("问题", "Bad"))</th><th scope=\"col\">\(web.text("时间", "Time"))</th></tr></thead><tbody>\(rows)</tbody></table></div></section>"
    }

    static func openingList(_ openings: [OpeningRequest], _ web: WebRequest) -> HTML {
        guard !openings.isEmpty else { return .empty }
        let items = openings.map {
            "<li><a href=\"/console/openings/\($0.id)\">\(web.text("开放申请", "Application")) \($0.id)</a> \(Layout.badge($0.stage.title[web.language], $0.stage == .open ? "good" : ""))</li>"
                as HTML
        }
        return "<section class=\"card\"><h2>\(web.text("开放", "Opening"))</h2><ul>\(items)</ul></section>"
    }

    static let words: [String: LocalizedText] = [
        "created": .init("新建", "created"), "saved": .init("保存草稿", "draft saved"),
        "submitted": .init("提交审核", "submitted"),
        "returned": .init("退回", "returned"), "department_approved": .init("部门审核通过", "approved for the department"),
        "published": .init("发布", "published"), "offline": .init("下线", "withdrawn"),
    ]

    static func history(_ events: [EntryEvent], _ web: WebRequest) -> HTML {
        guard !events.isEmpty else { return .empty }
        let items = events.map { event -> HTML in
            "<li><time>\(CivilTime.minute(event.at))</time> <b>\(words[event.what]?[web.language] ?? event.what)</b> \(event.actor) <span class=\"muted\">\(event.note)</span></li>"
        }
        return
            "<section class=\"card\"><h2>\(web.text("办理记录", "History"))</h2><ul class=\"timeline\">\(items)</ul></section>"
    }

    static func load(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let code = try web.code()
        let id = try web.number("load")
        let entry = try await web.perform(web.services.catalogue.show, code).entry
        let load = try await web.perform(web.services.lake.show, (code, id))
        let quarantine =
            load.bad > 0 ? try await web.perform(web.services.lake.quarantine, (code, id, -1, 20)) : ([], [])
        let slug = entry.slug
        let rows = quarantine.1.map { row -> HTML in
            "<tr><td class=\"number\">\(row.row)</td><td>\(row.reasons.map { "<div>\(web.language == .zh ? $0.components(" / ").0 : $0.components(" / ").1)</div>" as HTML })</td>\(row.cells.prefix(12).map { "<td>\(String($0.prefix(60)))</td>" as HTML })</tr>"
        }
        let bad: HTML =
            rows.isEmpty
            ? .empty
            : """
            <section class="card"><h2>\(web.text("问题数据", "Quarantined rows"))</h2><p>\(web.text("改正后重新上传即可；已入库的数据不受影响。", "Correct them and load again; what was loaded is not affected."))
            <a class="button" href="/api/v1/resources/\(slug)/loads/\(id)/quarantine.csv" download>\(web.text("下载全部问题行", "Download all of them"))</a> <a class="button quiet" href="/console/upload?code=\(slug)">\(web.text("上传改正后的文件", "Upload the corrected file"))</a></p>
            <div class="scroll" tabindex="0" role="region" aria-label="\(web.text("问题数据", "Quarantined rows"))"><table><thead><tr><th scope="col" class="number">\(web.text("行", "Row"))</th><th scope="col">\(web.text("原因", "Reasons"))</th>\(quarantine.0.prefix(12).map { "<th scope=\"col\">\($0)</th>" as HTML })</tr></thead><tbody>\(rows)</tbody></table></div></section>
            """
        let findings = (load.report["by_rule"]?.array ?? []).map { item -> HTML in
            "<tr><td>\(Words.severity(item["severity"]?.string ?? "", web.language))</td><td>\(item["field"]?.string ?? "")</td><td>\(Words.rule(item["rule"]?.string ?? "", web.language))</td><td class=\"number\">\(Numbers.grouped(item["count"]?.integer ?? 0))</td></tr>"
        }
        let table: HTML =
            findings.isEmpty
            ? "<p class=\"good-text\">\(web.text("没有发现问题。", "Nothing was found."))</p>"
            : "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("按规则统计", "By rule"))\"><table><thead><tr><th scope=\"col\">\(web.text("程度", "Severity"))</th><th scope=\"col\">\(web.text("列", "Column"))</th><th scope=\"col\">\(web.text("规则", "Rule"))</th><th scope=\"col\" class=\"number\">\(web.text("次数", "Count"))</th></tr></thead><tbody>\(findings)</tbody></table></div>"
        return .page(
            Layout.console(
                "\(web.text("批次", "Load")) \(id)",
                web,
                """
                <header class="title"><h1>\(web.text("批次", "Load")) \(id)</h1><p class="muted"><a href="/console/entries/\(slug)">\(entry.content?.name ?? code)</a> · \(load.source) · \(CivilTime.minute(load.startedAt))</p></header>
                <section class="card"><dl class="figures"><div class="good"><dt>\(web.text("入库", "Loaded"))</dt><dd>\(Numbers.grouped(load.good))</dd></div><div class="\(load.bad > 0 ? "poor" : "")"><dt>\(web.text("问题行", "Bad rows"))</dt><dd>\(Numbers.grouped(load.bad))</dd></div></dl>
                <p class="muted">\(web.text("文件摘要", "Digest")) <code class="wrapped">\(load.digest)</code></p>\(table)
                <p class="actions"><a class="button" href="/console/entries/\(slug)">\(web.text("回到条目", "Back to the entry"))</a></p></section>\(bad)
                """
            )
        )
    }
}

extension String {
    /// The two halves around a separator; the whole twice where there is none.
    func components(_ separator: String) -> (String, String) {
        guard let range = firstRange(of: separator) else { return (self, self) }
        return (String(self[..<range.lowerBound]), String(self[range.upperBound...]))
    }
}
