import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import NIOCore
import Tabular

/// Records from a file: sent, tried row by row, taken in; what was refused comes back with its reasons.
enum ImportPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/{resource}/imports",
            .actions(["flow.imports"]),
            .console,
            zh: "批量导入页",
            en: "Imports of records, page",
            handle: list
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/imports/template",
            .actions(["flow.imports"]),
            .console,
            zh: "批量导入模板",
            en: "A template for an import",
            handle: template
        ),
        Route(
            .post,
            "/systems/{system}/{resource}/imports",
            .actions(["flow.import"]),
            .console,
            zh: "提交批量导入",
            en: "Send an import of records"
        ) { web in
            let place = try await RecordPages.place(web)
            let made = try await send(place, web) { try web.check($0) }
            return .redirect("\(SystemPages.path(place))/imports/\(made.id)")
        },
        Route(
            .get,
            "/systems/{system}/{resource}/imports/{import}",
            .actions(["flow.imports"]),
            .console,
            zh: "批量导入的检查与结果",
            en: "An import: check and result",
            handle: show
        ),
        Route(
            .post,
            "/systems/{system}/{resource}/imports/{import}",
            .actions(["flow.import"]),
            .console,
            zh: "开始批量导入",
            en: "Start an import"
        ) { web in
            let place = try await RecordPages.place(web)
            _ = try await web.form()
            let id = try web.parameter("import")
            try await web.perform(web.services.flows.startImport, (place.code, id))
            return .redirect("\(SystemPages.path(place))/imports/\(id)")
        },
        Route(
            .get,
            "/systems/{system}/{resource}/imports/{import}/refused",
            .actions(["flow.import_refused"]),
            .console,
            zh: "下载未导入的行",
            en: "Download refused rows",
            handle: refused
        ),
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/imports",
            .actions(["flow.import"]),
            .console,
            zh: "提交批量导入(multipart：step、file)",
            en: "Send an import of records (multipart: step, file)"
        ) { web in
            let place = try await RecordPages.place(web)
            try web.checkHeader()
            return .json(json(try await send(place, web) { _ in }), status: .created)
        },
        Route(
            .get,
            "/api/v1/systems/{system}/{resource}/imports/{import}",
            .actions(["flow.imports"]),
            .console,
            zh: "批量导入情况",
            en: "How an import stands"
        ) { web in
            let place = try await RecordPages.place(web)
            let id = try web.parameter("import")
            return .json(json(try await web.perform(web.services.flows.importStatus, (place.code, id)), web))
        },
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/imports/{import}/run",
            .actions(["flow.import"]),
            .console,
            zh: "开始批量导入",
            en: "Start an import"
        ) { web in
            let place = try await RecordPages.place(web)
            try web.checkHeader()
            try await web.perform(web.services.flows.startImport, (place.code, try web.parameter("import")))
            return Response(status: .accepted)
        },
    ]

    /// Files of an import at the most.
    private static let maximum: Int64 = 64 << 20

    // MARK: Sending

    private static func list(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let declared = place.declaration
        let path = SystemPages.path(place)
        let imports = try await web.perform(web.services.flows.imports, place.code)
        let steps = try await web.services.flows.beginnings(place, web.caller)
        let rows = imports.map { made -> HTML in
            let step = declared.flow?.step(made.step)?.title[web.language] ?? made.step
            return
                "<tr><td><a href=\"\(path)/imports/\(made.id)\">\(made.name)</a></td><td>\(step)</td><td>\(state(made, web))</td><td class=\"number\">\(Numbers.grouped(made.rows))</td><td class=\"number\">\(made.state == .done ? Numbers.grouped(made.good) : "—")</td><td class=\"number\">\(Numbers.grouped(made.bad))</td><td class=\"key\">\(CivilTime.minute(made.at))</td></tr>"
        }
        let title = web.text("批量导入", "Import")
        let heads = [
            web.text("文件", "File"), web.text("步骤", "Step"), web.text("状态", "State"), web.text("行数#", "Rows#"),
            web.text("已导入#", "Taken in#"), web.text("未通过#", "Refused#"), web.text("时间", "Time"),
        ]
        let mine: HTML =
            rows.isEmpty
            ? .empty
            : "<section class=\"card\"><h2>\(web.text("我的导入", "My imports"))</h2>\(Layout.table(heads, rows, label: web.text("我的导入", "My imports")))</section>"
        return .page(
            Layout.console(
                title,
                web,
                scripts: ["/assets/page.js"],
                "\(try await RecordPages.head(place, web, here: "/imports"))\(form(steps, path, web))\(mine)"
            )
        )
    }

    private static func form(_ steps: [FlowStep], _ path: String, _ web: WebRequest) -> HTML {
        guard !steps.isEmpty else {
            return
                "<section class=\"card\">\(Layout.empty(web.text("您没有可以办理的开始步骤。", "There is no beginning step for you to take.")))</section>"
        }
        let templates = steps.map { step -> HTML in
            let link = "\(path)/imports/template?step=\(step.key)"
            return
                "<li>\(step.title[web.language]) <a href=\"\(link)&amp;format=xlsx\" download>XLSX</a> <a href=\"\(link)&amp;format=csv\" download>CSV</a></li>"
        }
        return """
            <section class="card"><h2>\(web.text("上传文件", "Send a file"))</h2>
            <p class="muted">\(web.text("每一行办理一次开始步骤，规则与逐条填写相同。先检查，不建立任何记录；检查后再导入。", "Each row takes the beginning step once, by the same rules as a form. It is checked first and nothing is made; then it is taken in."))</p>
            <form method="post" action="\(path)/imports" enctype="multipart/form-data" class="stack" data-upload>\(Layout.csrf(web))
            <div class="grid">\(Layout.field(web.text("步骤", "Step"), Layout.select("step", steps.map { ($0.key, $0.title[web.language]) }, web.query("step") ?? "")))
            \(Layout.field(web.text("文件", "File"), "<input type=\"file\" name=\"file\" required accept=\".csv,.xlsx,.xls,.et,.json,.zip,.gz\">", hint: web.text("CSV 或 XLSX，表头为字段名称，最多 20,000 行", "CSV or XLSX, heads are the fields' names, at most 20,000 rows")))</div>
            <progress max="100" value="0" hidden aria-label="\(web.text("上传进度", "Progress"))"></progress>
            <div><button>\(web.text("上传并检查", "Send and check"))</button></div></form>
            <h3>\(web.text("模板", "Templates"))</h3><ul>\(templates)</ul></section>
            """
    }

    private static func send(
        _ place: SystemPlace,
        _ web: WebRequest,
        check: (Form) throws -> Void
    ) async throws -> RecordImport {
        // Who may not act on the resource does not get to fill the disk.
        let flows = web.services.flows
        let resource = try await web.services.kernel.resource(place.code)
        guard web.services.kernel.gate.admits(flows.sendImport.descriptor, resource, web.caller) else {
            return try await web.perform(flows.sendImport, NewImport(place.code, step: "", name: "", path: ""))
        }
        let receiver = try MultipartReceiver(
            contentType: web.request.headers[.contentType] ?? "",
            folder: web.services.settings.temporaryFolder,
            maximum: maximum
        )
        let result = try await receiver.receive(web.request.body)
        defer { result.filePath.map { TemporaryFiles.remove($0) } }
        try check(result.form)
        guard let path = result.filePath, let name = result.fileName else {
            throw Problem("request.malformed", zh: "请选择文件。", en: "Choose a file.")
        }
        return try await web.perform(
            flows.sendImport,
            NewImport(place.code, step: result.form["step"], name: name, path: path)
        )
    }

    /// An empty table with the heads of a step's fields.
    private static func template(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let declared = place.declaration
        let steps = try await web.services.flows.beginnings(place, web.caller)
        guard let step = steps.first(where: { $0.key == web.query("step") }) else {
            throw Problem.notFound(.init("步骤", "the step"))
        }
        var heads = step.fields.compactMap { declared.field($0.field) }.map { declared.label($0, web.language) }
        if step.note != .none { heads.append(web.text("办理意见", "Note")) }
        let fields = heads.map { Field($0) }
        let rows = Batch(
            fields: fields,
            columns: fields.map { field in
                var builder = ColumnBuilder(field)
                return builder.finish()
            },
            count: 0
        )
        return try file(fields, rows, "\(declared.key)-\(step.key)", web)
    }

    /// A table as the format that is asked for.
    private static func file(_ fields: [Field], _ rows: Batch, _ name: String, _ web: WebRequest) throws -> Response {
        let format: OutputFormat = web.query("format") == "xlsx" ? .xlsx : .csv
        var writer = format.writer(fields, name: web.text("记录", "Records"), mark: true)
        var bytes: [UInt8] = []
        writer.begin(into: &bytes)
        writer.write(rows, into: &bytes)
        writer.end(into: &bytes)
        var response = Response.bytes(bytes, type: format.mediaType)
        response.headers[.contentDisposition] = "attachment; filename=\"\(name).\(format.rawValue)\""
        response.headers[.cacheControl] = "private, no-store"
        return response
    }

    // MARK: An import

    private static func state(_ made: RecordImport, _ web: WebRequest) -> HTML {
        switch made.state {
        case .checking: Layout.badge(web.text("检查中", "being checked"), "fair")
        case .checked: Layout.badge(web.text("已检查，未导入", "checked, not taken in"), "fair")
        case .done: Layout.badge(web.text("已导入", "taken in"), "good")
        }
    }

    private static func show(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let declared = place.declaration
        let path = "\(SystemPages.path(place))/imports"
        let status = try await web.perform(web.services.flows.importStatus, (place.code, try web.parameter("import")))
        let made = status.shown
        let isDone = made.state == .done
        let figures: [(String, String, String)] = [
            (web.text("行数", "Rows"), Numbers.grouped(made.rows), ""),
            (
                isDone ? web.text("已导入", "Taken in") : web.text("可以导入", "Can be taken in"),
                Numbers.grouped(made.good), made.good > 0 ? "good" : ""
            ),
            (web.text("未通过", "Refused"), Numbers.grouped(made.bad), made.bad > 0 ? "poor" : ""),
        ]
        let step = declared.flow?.step(made.step)?.title[web.language] ?? made.step
        let title = made.name
        return .page(
            Layout.console(
                title,
                web,
                refresh: status.job == nil ? nil : 3,
                """
                \(RecordPages.crumbs(place, web))<header class="title"><h1>\(web.text("批量导入", "Import"))</h1><p class="muted">\(made.name) · \(step) · \(CivilTime.minute(made.at)) \(state(made, web))</p></header>
                <section class="card"><h2>\(isDone ? web.text("结果", "Result") : web.text("检查结果", "What the check found"))</h2>
                <dl class="figures">\(figures.map { "<div class=\"\($0.2)\"><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" as HTML })</dl>\(ignored(made, web))\(next(status, path, web))</section>
                \(reasons(status, path, web))
                <section class="actions"><a class="button quiet" href="\(path)">\(web.text("再导入一个文件", "Import another file"))</a> <a class="button quiet" href="\(SystemPages.path(place))">\(web.text("回到列表", "Back to the list"))</a></section>
                """
            )
        )
    }

    private static func ignored(_ made: RecordImport, _ web: WebRequest) -> HTML {
        guard !made.ignored.isEmpty else { return .empty }
        let names = made.ignored.joined(separator: web.text("、", ", "))
        return
            "<p class=\"hint\">\(web.text("这些列不是本步骤的字段，未采用：", "Columns that the step does not ask for, left out: "))\(names)</p>"
    }

    /// What may be done with it now.
    private static func next(_ status: ImportStatus, _ path: String, _ web: WebRequest) -> HTML {
        let made = status.shown
        if let job = status.job {
            let words =
                job.payload["work"]?.string == "check"
                ? web.text("正在检查", "Being checked") : web.text("正在导入", "Being taken in")
            return
                "<p role=\"status\">\(words) \(Numbers.grouped(job.progress))/\(Numbers.grouped(made.rows))</p><progress max=\"\(made.rows)\" value=\"\(job.progress)\" aria-label=\"\(words)\"></progress>"
        }
        let label: String
        switch made.state {
        case .done: return .empty
        case .checking: label = web.text("重新检查", "Check again")
        case .checked:
            guard made.good > 0 else {
                return
                    "<p role=\"status\">\(web.text("没有可以导入的行，请改正后重新上传。", "No row can be taken in: correct them and send the file again."))</p>"
            }
            label =
                made.bad == 0
                ? web.text("导入全部 \(made.good) 行", "Take all \(made.good) rows in")
                : web.text("导入合格的 \(made.good) 行", "Take the \(made.good) good rows in")
        }
        return
            "<form method=\"post\" action=\"\(path)/\(made.id)\">\(Layout.csrf(web))<p class=\"actions\"><button>\(label)</button></p></form>"
    }

    private static func reasons(_ status: ImportStatus, _ path: String, _ web: WebRequest) -> HTML {
        let made = status.shown
        guard !status.refused.isEmpty else { return .empty }
        let rows = status.refused.map { row -> HTML in
            "<tr><td class=\"number\">\(row.line)</td><td class=\"wrapped\">\(row.reason[web.language])</td></tr>"
        }
        let title = web.text("未通过的行", "Refused rows")
        let link = "\(path)/\(made.id)/refused"
        let more: HTML =
            made.bad > Int64(rows.count)
            ? "<p class=\"hint\">\(web.text("只列出前 \(rows.count) 行，下载文件中有全部。", "The first \(rows.count) are listed; the file has all of them."))</p>"
            : .empty
        return """
            <section class="card"><h2>\(title)</h2><p>\(web.text("下载这些行，按末列的原因改正后重新上传：", "Download these rows, correct them by the last column and send them again: "))<a href="\(link)?format=xlsx" download>XLSX</a> <a href="\(link)?format=csv" download>CSV</a></p>
            \(Layout.table([web.text("行#", "Line#"), web.text("原因", "Reason")], rows, label: title))\(more)</section>
            """
    }

    private static func refused(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let id = try web.parameter("import")
        let found = try await web.perform(web.services.flows.refusedRows, (place.code, id, web.language))
        return try file(found.fields, found.rows, "refused-\(id)", web)
    }

    // MARK: As JSON

    private static func json(_ made: RecordImport) -> JSONValue {
        .object([
            .init("import", .string(made.id)), .init("state", .string(made.state.rawValue)),
            .init("step", .string(made.step)), .init("rows", .integer(made.rows)), .init("good", .integer(made.good)),
            .init("bad", .integer(made.bad)), .init("digest", .string(made.digest)),
            .init("ignored", .array(made.ignored.map { .string($0) })),
        ])
    }

    private static func json(_ status: ImportStatus, _ web: WebRequest) -> JSONValue {
        .object(
            (json(status.shown).members ?? []) + [
                .init("working", .boolean(status.job != nil)),
                .init(
                    "refused",
                    .array(
                        status.refused.map {
                            .object([
                                .init("line", .integer($0.line)), .init("reason", .string($0.reason[web.language])),
                            ])
                        }
                    )
                ),
            ]
        )
    }
}
