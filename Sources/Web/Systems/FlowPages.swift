import Basics
import CQL
import Codes
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// A record of a system: what it is, what was done, what may be done now.
enum FlowPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/{resource}/new",
            .actions(["flow.step", "flow.send"]),
            zh: "办理开始步骤页",
            en: "A beginning step, page"
        ) { web in
            if let (place, step) = try await PublicForms.step(web, web.query("step")) {
                return .page(try await PublicForms.page(step, place, web))
            }
            let place = try await RecordPages.place(web)
            return .page(try await stepPage(try await beginning(place, web.query("step"), web), nil, place, web))
        },
        Route(
            .post,
            "/systems/{system}/{resource}/new",
            .actions(["flow.step", "flow.send"]),
            zh: "办理开始步骤",
            en: "Take a beginning step"
        ) { web in
            let form = try await web.form()
            if let (place, step) = try await PublicForms.step(web, form["step"], form) {
                return try await PublicForms.take(step, place, form, web)
            }
            let place = try await RecordPages.place(web)
            return try await take(try await beginning(place, form["step"], web), nil, place, form, web)
        },
        Route(
            .get,
            "/systems/{system}/{resource}/{id}",
            .actions(["flow.show", "data.read", "flow.transfers", "flow.alerts"]),
            .console,
            zh: "业务记录",
            en: "A record",
            handle: show
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/{id}/step/{step}",
            .actions(["flow.show"]),
            .console,
            zh: "办理步骤页",
            en: "A step, page"
        ) { web in
            let place = try await RecordPages.place(web)
            let detail = try await web.perform(web.services.flows.show, (place.code, try web.number("id")))
            let key = try web.parameter("step")
            guard let step = detail.offered.first(where: { $0.key == key }) else { throw moved }
            return .page(try await stepPage(step, detail, place, web))
        },
        Route(
            .post,
            "/systems/{system}/{resource}/{id}/step/{step}",
            .actions(["flow.step"]),
            .console,
            zh: "办理步骤",
            en: "Take a step"
        ) { web in
            let place = try await RecordPages.place(web)
            let form = try await web.form()
            let detail = try await web.perform(web.services.flows.show, (place.code, try web.number("id")))
            let key = try web.parameter("step")
            guard let step = detail.declared.flow?.step(key) else { throw moved }
            return try await take(step, detail, place, form, web)
        },
        Route(
            .post,
            "/systems/{system}/{resource}/{id}/step/{step}/files",
            .actions(["flow.attach", "flow.show"]),
            .console,
            zh: "在步骤页上传附件",
            en: "Attach a file on a step's page"
        ) { web in
            let place = try await RecordPages.place(web)
            let record = try web.number("id")
            let key = try web.parameter("step")
            let before = try await web.perform(web.services.flows.show, (place.code, record))
            guard let step = before.offered.first(where: { $0.key == key }) else { throw moved }
            let (form, problem) = try await AttachmentPages.receive(place, record, web)
            let detail = try await web.perform(web.services.flows.show, (place.code, record))
            // What was typed stays.
            let page = try await stepPage(step, detail, place, web, typed: form, problem: problem, isRefused: false)
            return .page(page, status: .init(code: problem?.status ?? 200))
        },
    ]

    static let moved = Problem(
        "flow.moved",
        status: 409,
        zh: "现在不能办理这个步骤。",
        en: "This step cannot be taken now.",
        hint: .init("可能已由他人办理，请回到记录查看。", "Somebody else may have taken a step; look at the record again.")
    )

    private static func beginning(_ place: SystemPlace, _ key: String?, _ web: WebRequest) async throws -> FlowStep {
        let steps = try await web.services.flows.beginnings(place, web.caller)
        guard let step = key == nil ? steps.first : steps.first(where: { $0.key == key }) else {
            throw Problem(
                "flow.role",
                status: 403,
                zh: "您没有可以办理的开始步骤。",
                en: "There is no beginning step for you to take."
            )
        }
        return step
    }

    // MARK: A step

    /// The form of a step; `typed` are the values that were refused, which are kept.
    private static func stepPage(
        _ step: FlowStep,
        _ detail: FlowDetail?,
        _ place: SystemPlace,
        _ web: WebRequest,
        typed: Form? = nil,
        problem: Problem? = nil,
        isRefused: Bool = true
    ) async throws -> HTML {
        let declared = detail?.declared ?? place.declaration
        let path = SystemPages.path(place)
        let action = detail.map { "\(path)/\($0.record)/step/\(step.key)" } ?? "\(path)/new"
        var fields: [HTML] = []
        for asked in step.fields {
            guard let field = declared.field(asked.field), detail.map({ !$0.masked.contains(field.name) }) ?? true
            else { continue }
            let given = typed.map { $0["v_\(field.name)"] } ?? detail?.values[field.name] ?? web.query(field.name) ?? ""
            let isRequired = asked.isRequired || field.required
            let giver = declared.reference(filling: field.name, in: step).flatMap { declared.field($0.field) }
            let control = FormText.control(
                field,
                given,
                // The server fills it in where it is left empty.
                isRequired: isRequired && giver == nil,
                choices: try await FormText.choices(declared, field, web),
                web
            )
            let label = declared.label(field, web.language) + (isRequired ? " *" : "")
            let filled = giver.map {
                web.text("选定“\(declared.label($0, .zh))”后自动填入", "filled in from “\(declared.label($0, .en))”")
            }
            let hints = [FormText.hint(field, web), filled ?? ""].filter { !$0.isEmpty }
            fields.append(Layout.field(label, control, hint: hints.joined(separator: " · ")))
        }
        let files = files(step, detail, declared, action, web)
        let documents = step.issue.compactMap { key in
            declared.documents.first { $0.key == key }?.title[web.language]
        }
        let issued: HTML =
            documents.isEmpty
            ? .empty
            : "<p class=\"hint\">\(web.text("将制发：", "Issues: "))\(documents.joined(separator: web.text("、", ", ")))</p>"
        let note: HTML =
            step.note == .none
            ? .empty
            : Layout.field(
                web.text("办理意见", "Note") + (step.note == .required ? " *" : ""),
                "<textarea name=\"note\" rows=\"3\"\(step.note == .required ? " required" as HTML : .empty)>\(typed?["note"] ?? "")</textarea>"
            )
        let alert: HTML =
            problem.map {
                let hint: HTML = $0.hint.map { "<p>\($0[web.language])</p>" } ?? .empty
                return "<div class=\"alert\" role=\"alert\"><p>\($0.message[web.language])</p>\(hint)</div>"
            } ?? .empty
        let title = step.title[web.language]
        let record: HTML =
            detail.map { " › <a href=\"\(path)/\($0.record)\">\(name(of: $0))</a>" } ?? .empty
        // Enter takes the step, though the button of its files stands before its own.
        let first: HTML =
            step.attachments.isEmpty ? .empty : "<button class=\"apart\" tabindex=\"-1\" aria-hidden=\"true\"></button>"
        let asked = step.fields.compactMap { declared.field($0.field) }
        let longitude = asked.first { $0.kind == .longitude }?.name ?? ""
        let latitude = asked.first { $0.kind == .latitude }?.name ?? ""
        let giving = declared.references.filter { reference in
            !reference.fills.isEmpty && step.fields.contains { $0.field == reference.field }
        }.map(\.field).joined(separator: " ")
        let checked: HTML =
            " data-check=\"/api/v1\(path)/check\" data-step=\"\(step.key)\" data-record=\"\(detail.map { String($0.record) } ?? "")\" data-longitude=\"\(longitude)\" data-latitude=\"\(latitude)\" data-giving=\"\(giving)\" data-scan=\"\(declared.views.scanned.joined(separator: " "))\"\(typed == nil || !isRefused ? .empty : " data-refused" as HTML)"
        return Layout.console(
            title,
            web,
            scripts: fields.isEmpty ? [] : ["/assets/form.js"],
            """
            <p class="crumbs"><a href="/systems">\(web.text("业务系统", "Systems"))</a> › <a href="/systems/\(place.system.id)">\(place.system.declaration.title[web.language])</a> › <a href="\(path)">\(declared.title(web.language))</a>\(record)</p>
            <header class="title"><h1>\(title)</h1></header>\(alert)
            <form method="post" action="\(action)" class="card stack"\(fields.isEmpty ? .empty : checked)>\(Layout.csrf(web))<input type="hidden" name="step" value="\(step.key)">\(first)
            \(fields.isEmpty ? .empty : "<div class=\"grid\">\(fields)</div>" as HTML)\(files)\(note)\(issued)
            <p class="actions"><button\(step.kind == .return || step.kind == .withdraw ? " class=\"danger\"" as HTML : .empty)>\(title)</button>
            <a class="button quiet" href="\(detail.map { "\(path)/\($0.record)" } ?? path)">\(web.text("返回", "Back"))</a></p></form>
            """
        )
    }

    /// The files that a step needs, and where they are sent with what was typed: without a script, too.
    private static func files(
        _ step: FlowStep,
        _ detail: FlowDetail?,
        _ declared: ResourceDeclaration,
        _ action: String,
        _ web: WebRequest
    ) -> HTML {
        guard !step.attachments.isEmpty else { return .empty }
        var kinds: [(String, String)] = []
        let needed = step.attachments.map { needed -> HTML in
            let title = declared.attachments.first { $0.key == needed.kind }?.title[web.language] ?? needed.kind
            kinds.append((needed.kind, title))
            let there = detail?.attachments.count { $0.kind == needed.kind } ?? 0
            return
                "<li>\(title): \(there)/\(needed.count) \(there >= needed.count ? Layout.badge(web.text("已齐", "there"), "good") : Layout.badge(web.text("未齐", "missing"), "poor"))</li>"
        }
        let upload: HTML =
            detail?.mayAttach == true
            ? """
            <div class="row">\(Layout.field(web.text("类别", "Kind"), Layout.select("kind", kinds, "")))\(Layout.field(web.text("文件", "File"), "<input type=\"file\" name=\"file\">"))
            <button class="quiet" formaction="\(action)/files" formenctype="multipart/form-data" formnovalidate>\(web.text("上传", "Attach"))</button></div>
            """ : .empty
        return "<section><h2>\(web.text("所需附件", "Files it needs"))</h2><ul>\(needed)</ul>\(upload)</section>"
    }

    private static func take(
        _ step: FlowStep,
        _ detail: FlowDetail?,
        _ place: SystemPlace,
        _ form: Form,
        _ web: WebRequest
    ) async throws -> Response {
        let declared = detail?.declared ?? place.declaration
        var values: [String: String] = [:]
        for asked in step.fields where form.has("v_\(asked.field)") {
            guard let field = declared.field(asked.field) else { continue }
            values[asked.field] = FormText.typed(form["v_\(asked.field)"], field)
        }
        do {
            let outcome = try await web.perform(
                web.services.flows.step,
                StepRequest(
                    place.code,
                    record: detail?.record,
                    step: step.key,
                    values: values,
                    note: TextForms.trimmed(form["note"])
                )
            )
            // What left one's rows is not shown any more.
            return .redirect(SystemPages.path(place) + (outcome.isOutOfReach ? "" : "/\(outcome.record)"))
        } catch let problem as Problem where (400..<500).contains(problem.status) && problem.status != 401 {
            // What was typed is kept.
            let page = try await stepPage(step, detail, place, web, typed: form, problem: problem)
            return .page(page, status: .init(code: problem.status))
        }
    }

    // MARK: A record

    private static func name(of detail: FlowDetail) -> String {
        let name = detail.declared.nameFields.compactMap { detail.values[$0] }.filter { !$0.isEmpty }
            .joined(separator: " · ")
        return name.isEmpty ? "#\(detail.record)" : name
    }

    private static func show(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        guard place.declaration.flow != nil else { return try await plain(place, web) }
        let detail = try await web.perform(web.services.flows.show, (place.code, try web.number("id")))
        guard let flow = detail.declared.flow else { throw moved }
        let path = "\(SystemPages.path(place))/\(detail.record)"
        let buttons = detail.offered.sorted { rank($0, flow) < rank($1, flow) }.map { step -> HTML in
            let style =
                rank(step, flow) == 0 ? "button" : rank(step, flow) == 1 ? "button quiet" : "button quiet danger"
            return "<a class=\"\(style)\" href=\"\(path)/step/\(step.key)\">\(step.title[web.language])</a> "
        }
        let actions: HTML =
            buttons.isEmpty
            ? "<p class=\"muted\">\(web.text("现在没有由您办理的步骤。", "There is no step for you to take now."))</p>"
            : "<p class=\"actions\">\(buttons)</p>"
        let title = name(of: detail)
        let names = try await EntryNames(
            detail.values.map { (detail.declared.field($0.key), $0.value) },
            web
        )
        let main = [
            Part("content", web.text("内容", "Content"), try await sections(detail, names, web)),
            Part("related", web.text("关联记录", "Related"), try await RelatedRows.html(detail, web)),
            Part(
                "papers",
                web.text("文书", "Documents"),
                DocumentPages.section(detail, path, web),
                count: detail.documents.count
            ),
            Part(
                "files",
                web.text("附件", "Files"),
                AttachmentPages.section(detail, path, web),
                count: detail.attachments.count
            ),
        ]
        let side = [
            Part("clocks", web.text("时限", "Time limits"), clocks(detail, flow, web)),
            Part(
                "history",
                web.text("办理过程", "What was done"),
                timeline(detail, flow, web),
                count: detail.steps.count
            ),
        ]
        return .page(
            Layout.console(
                title,
                web,
                scripts: ["/assets/page.js", "/assets/attach.js"],
                """
                \(RecordPages.crumbs(place, web))<header class="title"><h1>\(title) \(RecordPages.badge(detail.state, flow, web))</h1></header>\(actions)\(navigation(main + side, web))
                <div class="columns"><div>\(try await AlertPages.section(place, detail.record, web))\(main.map(\.html))\(try await PackagePages.section(detail, path, web))</div>
                <div>\(side.map(\.html))</div></div>
                """
            )
        )
    }

    /// A part of a record's page, which its navigation leads to.
    private struct Part {
        let id: String
        let title: String
        let count: Int
        private let body: HTML

        init(_ id: String, _ title: String, _ body: HTML, count: Int = 0) {
            self.id = id
            self.title = title
            self.body = body
            self.count = count
        }

        var isEmpty: Bool { body == .empty }
        var html: HTML { isEmpty ? .empty : "<div id=\"\(id)\" class=\"part\">\(body)</div>" }
    }

    private static func navigation(_ parts: [Part], _ web: WebRequest) -> HTML {
        let links = parts.filter { !$0.isEmpty }.map { part -> HTML in
            "<a href=\"#\(part.id)\">\(part.title)\(part.count > 0 ? " \(part.count)" : "")</a>"
        }
        return links.count < 3
            ? .empty : "<nav class=\"tabs parts\" aria-label=\"\(web.text("本页内容", "On this page"))\">\(links)</nav>"
    }

    /// Where a step's button stands: what leads on first, what goes back or ends it without a result last.
    private static func rank(_ step: FlowStep, _ flow: FlowDeclaration) -> Int {
        if step.to.flatMap({ flow.state($0)?.kind }) == .cancelled { return 4 }
        return switch step.kind {
        case .forward: 0
        case .side: 1
        case .return: 2
        case .withdraw: 3
        }
    }

    /// A record of a resource without a flow.
    private static func plain(_ place: SystemPlace, _ web: WebRequest) async throws -> Response {
        var query = RecordQuery(place.code, limit: 1)
        query.condition = .compare(.equal, .property("_id"), .literal(.integer(try web.number("id"))))
        let page = try await web.perform(web.services.lake.read, query)
        guard page.batch.count == 1 else { throw Problem.notFound(.init("记录", "the record")) }
        let declared = place.declaration
        let lines = page.batch.fields.map { field -> HTML in
            let text = RecordPages.cell(page.batch, 0, field.name, declared, web)
            return
                "<div><dt>\(declared.label(field, web.language))</dt><dd class=\"wrapped\">\(text.isEmpty ? "—" : text)</dd></div>"
        }
        let title = declared.titleField.map { RecordPages.cell(page.batch, 0, $0, declared, web) } ?? ""
        return .page(
            Layout.console(
                title,
                web,
                "\(RecordPages.crumbs(place, web))<header class=\"title\"><h1>\(title)</h1></header><section class=\"card\"><dl class=\"facts\">\(lines)</dl></section>"
            )
        )
    }

    private static func sections(_ detail: FlowDetail, _ entries: EntryNames, _ web: WebRequest) async throws -> HTML {
        let declared = detail.declared
        let keys = detail.values.filter { !$0.value.isEmpty && !detail.masked.contains($0.key) }.mapValues { Set([$0]) }
        let labels = try await ReferenceLabels.read(declared, keys, web)
        func value(_ text: String, _ field: Field) -> HTML {
            if field.kind == .catalogueEntry { return entries.html(text, field, web) }
            let shown = labels.shown(FormText.shown(text, field, web), field.name)
            return labels.row(field.name, text).map { "<a href=\"\($0.link)\">\(shown)</a>" } ?? "\(shown)"
        }
        func facts(_ names: [String]) -> HTML {
            let lines = names.compactMap { name -> HTML? in
                guard let field = declared.field(name), let text = detail.values[name], !text.isEmpty else {
                    return nil
                }
                // What is short stands beside another.
                let kind: HTML = text.utf8.count > 60 ? " class=\"long\"" : .empty
                return
                    "<div\(kind)><dt>\(declared.label(field, web.language))</dt><dd class=\"wrapped\">\(value(text, field))\(FormText.unit(field))</dd></div>"
            }
            return lines.isEmpty ? .empty : "<dl class=\"facts pairs\">\(lines)</dl>"
        }
        if declared.views.sections.isEmpty {
            let names = declared.schema.fields.map(\.name).filter { $0 != declared.flow?.field }
            return "<section class=\"card\"><h2>\(web.text("内容", "Content"))</h2>\(facts(names))</section>"
        }
        return HTML(
            declared.views.sections.compactMap { section -> HTML? in
                let body = facts(section.fields)
                return body == .empty
                    ? nil : "<section class=\"card\"><h2>\(section.title[web.language])</h2>\(body)</section>"
            }
        )
    }

    private static func clocks(_ detail: FlowDetail, _ flow: FlowDeclaration, _ web: WebRequest) -> HTML {
        guard !detail.clocks.isEmpty else { return .empty }
        let lines = detail.clocks.map { clock -> HTML in
            let declared = flow.clock(clock.key)
            let law: HTML =
                declared.map { $0.law.isEmpty ? .empty : "<br><span class=\"muted\">\($0.law)</span>" } ?? .empty
            let state: HTML =
                switch clock.state {
                case .running: SystemPages.due(clock.due, web, warnAt: clock.warnAt)
                case .paused: Layout.badge(web.text("已中止计时", "paused"), "fair")
                case .stopped, .ended:
                    clock.isPending
                        ? SystemPages.due(clock.due, web)
                        : clock.isOverdue(at: detail.now)
                            ? Layout.badge(web.text("超期完成", "late"), "poor")
                            : Layout.badge(web.text("按期完成", "in time"), "good")
                }
            return "<div><dt>\(declared?.title[web.language] ?? clock.key)\(law)</dt><dd>\(state)</dd></div>"
        }
        return
            "<section class=\"card\"><h2>\(web.text("时限", "Time limits"))</h2><dl class=\"facts\">\(lines)</dl></section>"
    }

    private static func timeline(_ detail: FlowDetail, _ flow: FlowDeclaration, _ web: WebRequest) -> HTML {
        let lines = detail.steps.reversed().map { taken -> HTML in
            let step = flow.step(taken.step)
            let kind: HTML =
                step?.kind == .return || step?.kind == .withdraw
                ? Layout.badge(step?.kind == .return ? web.text("退回", "returned") : web.text("撤回", "withdrawn"), "poor")
                : .empty
            let note: HTML = taken.note.isEmpty ? .empty : "<p class=\"answer wrapped\">\(taken.note)</p>"
            let state: HTML =
                taken.from == taken.to || taken.from.isEmpty
                ? .empty : "<span class=\"muted\">→ \(flow.state(taken.to)?.title[web.language] ?? taken.to)</span>"
            return
                "<li><time>\(CivilTime.minute(taken.at))</time><br><b>\(taken.title(in: flow)[web.language])</b> \(kind) \(state)<br><span class=\"muted\">\(taken.principal == 0 ? web.text("公众", "the public") : detail.people[taken.principal] ?? "—")</span>\(note)</li>"
        }
        return
            "<section class=\"card\"><h2>\(web.text("办理过程", "What was done"))</h2><ol class=\"timeline\">\(lines)</ol></section>"
    }

}

extension RecordPages {
    static func cellRaw(_ batch: Batch, _ row: Int, _ name: String) -> String {
        batch.schemaIndex(name).map { batch.value(row, $0).text } ?? ""
    }
}
