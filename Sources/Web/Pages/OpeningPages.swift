import Codes
import Tabular
import Basics
import Catalogue
import Hummingbird
import HTTPTypes
import Kernel
import Mask
import Open

/// The opening path in the console.
enum OpeningPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/openings",
            .actions(["open.list"]),
            .console,
            zh: "开放申请",
            en: "Opening applications",
            handle: list
        ),
        Route(
            .get,
            "/console/openings/new/{code}",
            .actions(["catalogue.show"]),
            .console,
            zh: "申请开放",
            en: "Apply for opening",
            handle: new
        ),
        Route(
            .post,
            "/console/openings/new/{code}",
            .actions(["open.apply"]),
            .console,
            zh: "提交开放申请",
            en: "Submit the application",
            handle: apply
        ),
        Route(
            .get,
            "/console/openings/{id}",
            .actions(["open.list"]),
            .console,
            zh: "开放申请详情",
            en: "Application",
            handle: show
        ),
        Route(
            .post,
            "/console/openings/{id}",
            .actions(["open.review_secrecy", "open.review_authority", "open.close"]),
            .console,
            zh: "审查",
            en: "Review",
            handle: answer
        ),
    ]

    static func list(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let requests = try await web.perform(web.services.opening.list, (nil, nil))
        let rows = requests.map { request -> HTML in
            "<tr><td><a href=\"/console/openings/\(request.id)\">\(request.name)</a><br><code>\(request.code)</code></td><td>\(Layout.badge(request.stage.title[web.language], request.stage == .open ? "good" : request.stage == .refused ? "poor" : "fair"))</td><td>\(request.items.count)</td><td>\(Layout.day(request.at))</td><td>\(request.nextReview.map { CivilTime.date($0) } ?? "—")</td></tr>"
        }
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有开放申请。从已发布的条目发起。", "No applications yet. They begin at a published entry."))
            : "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("开放申请", "Applications"))\"><table><thead><tr><th scope=\"col\">\(web.text("资源", "Resource"))</th><th scope=\"col\">\(web.text("阶段", "Stage"))</th><th scope=\"col\">\(web.text("信息项", "Items"))</th><th scope=\"col\">\(web.text("申请日期", "Applied"))</th><th scope=\"col\">\(web.text("下次复审", "Next review"))</th></tr></thead><tbody>\(rows)</tbody></table></div>"
        return .page(
            Layout.console(
                web.text("开放审查", "Opening"),
                web,
                "<header class=\"title\"><h1>\(web.text("开放审查", "Opening"))</h1><p class=\"muted\">\(web.text("提供方申请 → 保密审查及个人信息检查 → 主管部门审核 → 列入开放清单", "application → secrecy review → authority review → open list"))</p></header><section class=\"card\">\(table)</section>"
            )
        )
    }

    static let masks: [(String, LocalizedText)] = [
        ("", .init("不脱敏", "no mask")), ("person_name", .init("只留姓氏", "family name only")),
        ("keep:3:4", .init("保留前 3 后 4", "keep 3 and 4")),
        ("keep:2:2", .init("保留前 2 后 2", "keep 2 and 2")), ("keep:8:4", .init("保留前 8 后 4", "keep 8 and 4")),
        ("keep:6:4", .init("保留前 6 后 4", "keep 6 and 4")),
        ("keep:6:2", .init("保留前 6 后 2", "keep 6 and 2")), ("round:0.01", .init("坐标取整到 0.01°", "coordinates to 0.01°")),
        ("time:month", .init("时间到月", "time to the month")),
        ("suppress", .init("不提供", "suppress")),
    ]

    static func new(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
        let proposal = Opening.proposal(entry.resource)
        let rows = zip(entry.resource.schema.fields, proposal).enumerated().map { index, pair -> HTML in
            let (field, item) = pair
            let personal: HTML =
                field.kind?.isPersonal == true ? Layout.badge(web.text("个人信息", "personal"), "poor") : .empty
            return """
                <tr><td><b>\(field.display)</b> <code>\(field.name)</code> \(personal)</td>
                <td><input type="hidden" name="field" value="\(field.name)"><label class="check"><input type="checkbox" name="open_\(index)" value="1"\(item.openness == .unconditional ? " checked" as HTML : .empty)><span>\(web.text("开放", "open"))</span></label></td>
                <td>\(Layout.select("mask_\(index)", masks.map { ($0.0, $0.1[web.language]) }, item.mask?.code ?? "", label: "\(web.text("脱敏", "mask")) \(field.name)"))</td></tr>
                """
        }
        return .page(
            Layout.console(
                web.text("申请开放", "Apply for opening"),
                web,
                """
                <header class="title"><h1>\(web.text("申请开放", "Apply for opening"))</h1><p class="muted">\(entry.content?.name ?? "")</p></header>
                <section class="card"><form method="post" action="/console/openings/new/\(entry.slug)" class="stack">\(Layout.csrf(web))
                <p class="hint">\(web.text("推断为姓名、证件号、电话、号牌的信息项须脱敏或不提供；不勾选即不开放。", "Items taken for names, id numbers, phones or plates are masked or left out; what is not ticked stays closed."))</p>
                <div class="scroll" tabindex="0" role="region" aria-label="\(web.text("信息项", "Items"))"><table><thead><tr><th scope="col">\(web.text("信息项", "Item"))</th><th scope="col">\(web.text("开放", "Open"))</th><th scope="col">\(web.text("脱敏", "Mask"))</th></tr></thead><tbody>\(rows)</tbody></table></div>
                \(Layout.field(web.text("开放理由", "Reason"), "<textarea name=\"reason\" rows=\"2\" required maxlength=\"1000\"></textarea>"))
                <div><button>\(web.text("提交申请", "Submit"))</button></div></form></section>
                """
            )
        )
    }

    static func apply(_ web: WebRequest) async throws -> Response {
        let code = try web.code()
        let form = try await web.form()
        let items = form.fields.filter { $0.name == "field" }.enumerated().map { index, field in
            OpeningRequest.Item(
                field: field.value,
                openness: form.has("open_\(index)") ? .unconditional : .none,
                mask: form["mask_\(index)"].isEmpty ? nil : Mask(code: form["mask_\(index)"]) ?? .suppress
            )
        }
        let request = try await web.perform(web.services.opening.apply, (code, items, form["reason"]))
        return .redirect("/console/openings/\(request.id)")
    }

    static func find(_ web: WebRequest) async throws -> OpeningRequest {
        let id = try web.number("id")
        guard let request = try await web.perform(web.services.opening.list, (nil, nil)).first(where: { $0.id == id })
        else {
            throw Problem.notFound(.init("开放申请", "the application"))
        }
        return request
    }

    static func show(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let request = try await find(web)
        let resource = try await web.perform(web.services.catalogue.show, request.code).entry.resource
        let gate = web.services.kernel.gate
        let items = request.items.map { item -> HTML in
            let field = resource.schema[item.field]
            let personal: HTML =
                field?.kind?.isPersonal == true ? Layout.badge(web.text("个人信息", "personal"), "poor") : .empty
            return
                "<tr><td><b>\(field?.display ?? item.field)</b> <code>\(item.field)</code> \(personal)</td><td>\(field?.kind?.title[web.language] ?? "—")</td><td>\(field?.grade.title[web.language] ?? "—")</td><td>\(item.mask?.title[web.language] ?? web.text("不脱敏", "no mask"))</td></tr>"
        }
        var buttons: [(String, String, Bool)] = []
        var asksDate = false
        switch request.stage {
        case .secrecy where gate.admits(OpenActions.secrecyDescriptor, resource, web.caller):
            buttons = [
                ("secrecy_yes", web.text("审查通过", "Pass"), true), ("secrecy_no", web.text("不通过", "Refuse"), false),
            ]
        case .authority where gate.admits(OpenActions.authorityDescriptor, resource, web.caller):
            buttons = [
                ("authority_yes", web.text("批准，列入开放清单", "Approve and open"), true),
                ("authority_no", web.text("不批准", "Refuse"), false),
            ]
            asksDate = true
        case .open where gate.admits(OpenActions.closeDescriptor, resource, web.caller):
            buttons = [("close", web.text("停止开放", "Close"), false)]
        default: break
        }
        let nextYear = CivilTime.date(CivilTime.chinaDay(microseconds: web.services.kernel.clock.now()) + 365)
        let date: HTML =
            asksDate
            ? Layout.field(
                web.text("下次复审日期", "Next review"),
                "<input type=\"date\" name=\"next_review\" required value=\"\(nextYear)\">"
            ) : .empty
        let form: HTML =
            buttons.isEmpty
            ? .empty
            : """
            <form method="post" action="/console/openings/\(request.id)" class="stack">\(Layout.csrf(web))\(date)
            \(Layout.field(web.text("审查意见", "Statement"), "<textarea name=\"note\" rows=\"2\" required maxlength=\"1000\"></textarea>"))
            <div class="actions">\(buttons.map { "<button name=\"answer\" value=\"\($0.0)\" class=\"\($0.2 ? "" : "quiet")\">\($0.1)</button>" as HTML })</div></form>
            """
        let notes: [(String, String)] = [
            (web.text("开放理由", "Reason"), request.reason),
            (web.text("保密审查及个人信息检查意见", "Secrecy review"), request.secrecyNote),
            (web.text("主管部门意见", "Authority"), request.authorityNote),
            (web.text("下次复审", "Next review"), request.nextReview.map { CivilTime.date($0) } ?? ""),
        ].filter { !$0.1.isEmpty }
        return .page(
            Layout.console(
                web.text("开放申请", "Application"),
                web,
                """
                <header class="title"><h1>\(web.text("开放申请", "Application")) \(request.id)</h1><p><a href="/console/entries/\(Entry.slug(request.code))">\(request.name)</a> \(Layout.badge(request.stage.title[web.language], request.stage == .open ? "good" : "fair"))</p></header>
                <section class="card"><dl class="facts">\(notes.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" as HTML })</dl>
                <div class="scroll" tabindex="0" role="region" aria-label="\(web.text("申请开放的信息项", "Items"))"><table><thead><tr><th scope="col">\(web.text("信息项", "Item"))</th><th scope="col">\(web.text("含义", "Meaning"))</th><th scope="col">\(web.text("分级", "Grade"))</th><th scope="col">\(web.text("脱敏", "Mask"))</th></tr></thead><tbody>\(items)</tbody></table></div></section>
                \(buttons.isEmpty ? .empty : "<section class=\"card\"><h2>\(web.text("办理", "Review"))</h2>\(form)</section>")
                """
            )
        )
    }

    static func answer(_ web: WebRequest) async throws -> Response {
        let id = try web.number("id")
        let form = try await web.form()
        let opening = web.services.opening
        let date = Array(form["next_review"].utf8).withUnsafeBufferPointer { CivilTime.parseISODate($0) } ?? 0
        switch form["answer"] {
        case "secrecy_yes", "secrecy_no":
            _ = try await web.perform(
                opening.reviewSecrecy,
                .init(id: id, approve: form["answer"] == "secrecy_yes", note: form["note"])
            )
        case "authority_yes", "authority_no":
            _ = try await web.perform(
                opening.reviewAuthority,
                .init(id: id, approve: form["answer"] == "authority_yes", note: form["note"], nextReview: date)
            )
        case "close": _ = try await web.perform(opening.close, (id, form["note"]))
        default: throw Problem("request.malformed", zh: "请求有误。", en: "The request is not right.")
        }
        return .redirect("/console/openings/\(id)")
    }
}
