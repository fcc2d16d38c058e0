import Basics
import Catalogue
import Check
import Collect
import Hummingbird
import HTTPTypes
import Kernel
import Lake
import Tabular

/// From a file to a load: send it, look at it, make an entry of it or add it to one.
enum UploadPages {
    static let routes: [Route] = [
        Route(.get, "/console/upload", .nothing, .console, zh: "上传页", en: "Upload page") { web in
            _ = try ConsolePages.signedIn(web)
            return .page(form(web))
        },
        Route(.post, "/console/upload", .actions(["collect.upload"]), .console, zh: "上传", en: "Upload") { web in
            _ = try ConsolePages.signedIn(web)
            let (upload, form) = try await DataAPI.receive(web)
            return .redirect(
                "/console/uploads/\(upload.id)"
                    + (form["code"].isEmpty ? "" : "?code=\(form["code"].addingPercentEncoding())")
            )
        },
        Route(
            .get,
            "/console/uploads/{upload}",
            .actions(["collect.describe", "collect.check", "catalogue.show", "catalogue.work"]),
            .console,
            zh: "检查结果",
            en: "What the check found",
            handle: show
        ),
        Route(
            .post,
            "/console/uploads/{upload}/create",
            .actions(["collect.describe", "collect.inspect", "catalogue.create", "data.load"]),
            .console,
            zh: "新建资源并加载",
            en: "Make a resource and load",
            handle: create
        ),
        Route(
            .post,
            "/console/uploads/{upload}/load",
            .actions(["collect.inspect", "data.load"]),
            .console,
            zh: "加载到已有资源",
            en: "Load into a resource",
            handle: load
        ),
    ]

    static func form(_ web: WebRequest) -> HTML {
        let code: HTML = web.query("code").map { "<input type=\"hidden\" name=\"code\" value=\"\($0)\">" } ?? .empty
        return Layout.console(
            web.text("上传数据", "Upload"),
            web,
            scripts: ["/assets/page.js"],
            """
            <header class="title"><h1>\(web.text("上传数据", "Upload"))</h1><p class="muted">\(web.text("CSV、TSV、XLSX、JSON、GeoJSON,或它们的 zip、gzip。编码、分隔符、表头自动识别。", "CSV, TSV, XLSX, JSON, GeoJSON, or these in zip or gzip. Encoding, delimiter and header are found out."))</p></header>
            <section class="card"><form method="post" action="/console/upload" enctype="multipart/form-data" class="stack" data-upload>
            \(Layout.csrf(web))\(code)
            \(Layout.field(web.text("文件", "File"), "<input type=\"file\" name=\"file\" required>"))
            <label class="check"><input type="checkbox" name="no_secrets" value="true" required> <span>\(web.text("我声明：本文件不含涉密数据，来源合法。", "I declare that this file holds no state secrets and was obtained lawfully."))</span></label>
            <progress hidden max="100" value="0"></progress>
            <div><button>\(web.text("上传并检查", "Upload and check"))</button></div></form></section>
            """
        )
    }

    /// Files above this size are checked when they are loaded, not on the page.
    static let checkLimit: Int64 = 400 << 20

    static func show(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let selection = try DataAPI.selection(web)
        let description = try await web.perform(web.services.uploads.describe, selection)
        var target: Entry?
        if let code = web.query("code") {
            target = try await web.perform(web.services.catalogue.show, Entry.code(slug: code)).entry
        }
        let schema = target?.resource.schema ?? description.proposal.schema
        var report: CheckReport?
        var refusal: Problem?
        if description.inspection.upload.size <= checkLimit {
            do {
                report = try await web.perform(web.services.uploads.check, (selection, schema))
            } catch let problem as Problem {
                refusal = problem
            }
        }
        let entries = try await web.perform(web.services.catalogue.work, (nil, 200))
        let next: HTML
        if let target {
            next = loadForm(web, "/console/uploads/\(description.inspection.upload.id)", selection, [target], target)
        } else {
            let standards = try await web.perform(web.services.catalogue.standards, ())
            let base = "/console/uploads/\(description.inspection.upload.id)"
            let kept = entries.filter { $0.resource.storage == .lake }
            next =
                "\(createForm(web, base, selection, description, standards))\(loadForm(web, base, selection, kept, nil))"
        }
        return .page(view(web, description, selection, target, report, refusal, next))
    }

    static func view(
        _ web: WebRequest,
        _ description: Uploads.Description,
        _ selection: Uploads.Selection,
        _ target: Entry?,
        _ report: CheckReport?,
        _ refusal: Problem?,
        _ next: HTML
    ) -> HTML {
        let upload = description.inspection.upload
        let base = "/console/uploads/\(upload.id)"
        let encodings = [("", web.text("自动", "automatic"))] + TextEncoding.allCases.map { ($0.rawValue, $0.rawValue) }
        let reading: HTML = """
            <form method="get" action="\(base)" class="row">
            \(target.map { "<input type=\"hidden\" name=\"code\" value=\"\($0.slug)\">" as HTML })
            \(description.inspection.tables.count > 1 ? Layout.field(web.text("表", "Table"), Layout.select("table", description.inspection.tables.map { ($0.name, $0.name) }, description.inspection.table.name)) : .empty)
            \(Layout.field(web.text("编码", "Encoding"), Layout.select("encoding", encodings, selection.encoding?.rawValue ?? "")))
            \(Layout.field(web.text("表头", "Header"), "<input name=\"header\" value=\"\(web.query("header") ?? "")\" placeholder=\"\(web.text("自动；行号或 none", "automatic; a line or none"))\" size=\"14\">"))
            <button class="quiet">\(web.text("重新读取", "Read again"))</button></form>
            """
        let notes = (description.proposal.notes + description.inspection.notes + (report?.notes ?? [])).reduce(
            into: [LocalizedText]()
        ) { if !$0.contains($1) { $0.append($1) } }
        let remarks: HTML =
            notes.isEmpty ? .empty : "<ul class=\"notes\">\(notes.map { "<li>\($0[web.language])</li>" as HTML })</ul>"
        let problem: HTML =
            refusal.map {
                "<div class=\"alert\" role=\"alert\"><p>\($0.message[web.language])</p><p>\($0.hint?[web.language] ?? "")</p></div>"
            } ?? .empty
        return Layout.console(
            upload.name,
            web,
            scripts: ["/assets/page.js"],
            """
            <header class="title"><h1>\(upload.name)</h1><p class="muted">\(Numbers.grouped(upload.size)) \(web.text("字节", "bytes")) · \(description.inspection.table.encoding?.rawValue ?? "XLSX") · \(web.text("查看了 \(Numbers.grouped(Int64(description.proposal.rows))) 行", "\(Numbers.grouped(Int64(description.proposal.rows))) rows looked at"))</p></header>
            <section class="card"><h2>\(web.text("读取方式", "How it is read"))</h2>\(reading)\(remarks)</section>
            \(problem)
            \(report.map { "<section class=\"card\"><h2>\(web.text("检查结果", "What the check found"))</h2>\(reportView($0, web))</section>" as HTML })
            \(next)
            """
        )
    }

    /// A report: figures, findings by rule, samples.
    static func reportView(_ report: CheckReport, _ web: WebRequest) -> HTML {
        let figures: [(String, Int, String)] = [
            (web.text("行数", "Rows"), report.rows, ""), (web.text("合格行", "Valid rows"), report.valid, "good"),
            (web.text("错误", "Errors"), report.total(.error), report.total(.error) > 0 ? "poor" : ""),
            (web.text("警告", "Warnings"), report.total(.warning), report.total(.warning) > 0 ? "fair" : ""),
        ]
        let rules = report.counts.sorted { $0.count > $1.count }.map { item -> HTML in
            "<tr><td>\(Layout.badge(item.rule.severity.title[web.language], item.rule.severity == .error ? "poor" : item.rule.severity == .warning ? "fair" : ""))</td><td>\(item.rule.field.isEmpty ? "—" : item.rule.field)</td><td>\(item.rule.message[web.language])</td><td class=\"number\">\(Numbers.grouped(Int64(item.count)))</td></tr>"
        }
        let samples = report.samples.filter { $0.severity != .information }.prefix(30).map { finding -> HTML in
            "<tr><td class=\"number\">\(finding.row)</td><td>\(finding.field.isEmpty ? "—" : finding.field)</td><td><code>\(finding.maskedValue)</code></td><td>\(finding.message[web.language])\(finding.suggestion.map { "<br><span class=\"muted\">\($0[web.language])</span>" as HTML })</td></tr>"
        }
        let sampleTable: HTML =
            samples.isEmpty
            ? .empty
            : "<h3>\(web.text("逐行举例", "Row by row"))</h3><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("问题举例", "Samples"))\"><table><thead><tr><th scope=\"col\" class=\"number\">\(web.text("行", "Row"))</th><th scope=\"col\">\(web.text("列", "Column"))</th><th scope=\"col\">\(web.text("值", "Value"))</th><th scope=\"col\">\(web.text("问题与建议", "Problem and suggestion"))</th></tr></thead><tbody>\(samples)</tbody></table></div>"
        let ruleTable: HTML =
            rules.isEmpty
            ? "<p class=\"good-text\">\(web.text("没有发现问题。", "Nothing was found."))</p>"
            : "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(web.text("按规则统计", "By rule"))\"><table><thead><tr><th scope=\"col\">\(web.text("程度", "Severity"))</th><th scope=\"col\">\(web.text("列", "Column"))</th><th scope=\"col\">\(web.text("规则", "Rule"))</th><th scope=\"col\" class=\"number\">\(web.text("次数", "Count"))</th></tr></thead><tbody>\(rules)</tbody></table></div>"
        return
            "<dl class=\"figures\">\(figures.map { "<div class=\"\($0.2)\"><dt>\($0.0)</dt><dd>\(Numbers.grouped(Int64($0.1)))</dd></div>" as HTML })</dl>\(ruleTable)\(sampleTable)"
    }

    static func hidden(_ selection: Uploads.Selection, _ web: WebRequest) -> HTML {
        """
        \(Layout.csrf(web))<input type="hidden" name="table" value="\(selection.table ?? "")"><input type="hidden" name="encoding" value="\(selection.encoding?.rawValue ?? "")"><input type="hidden" name="header" value="\(web.query("header") ?? "")">
        """
    }

    static func createForm(
        _ web: WebRequest,
        _ base: String,
        _ selection: Uploads.Selection,
        _ description: Uploads.Description,
        _ standards: StandardsRegistry
    ) -> HTML {
        let name =
            description.inspection.upload.name.split(separator: ".").first.map(String.init)
            ?? description.inspection.upload.name
        var schema = description.proposal.schema
        for index in schema.fields.indices {
            schema.fields[index].element = standards.element(for: schema.fields[index])?.id ?? ""
        }
        let items = schema.fields.map { _ in ItemPolicy(sharing: .none) }
        return """
            <section class="card"><h2>\(web.text("新建数据资源", "Make a resource of it"))</h2>
            <form method="post" action="\(base)/create" class="stack">\(hidden(selection, web))
            \(EntryForm.about(web, EntryContent(name: name, category: "301099", provider: web.principal?.organisation ?? OrganisationID(1), summary: "", schema: schema, items: items), isNew: true))
            \(EntryForm.items(web, schema, items, proposals: description.proposal.fields, standards: standards))
            <div><button>\(web.text("保存草稿并加载合格行", "Save a draft and load the valid rows"))</button></div></form></section>
            """
    }

    static func loadForm(
        _ web: WebRequest,
        _ base: String,
        _ selection: Uploads.Selection,
        _ entries: [Entry],
        _ target: Entry?
    ) -> HTML {
        guard !entries.isEmpty else { return .empty }
        let modes = [
            ("replace", web.text("整体替换(新版本)", "replace all (a new version)")), ("append", web.text("追加", "append")),
            ("upsert", web.text("按主键更新", "update by key")),
        ]
        return """
            <section class="card"><h2>\(web.text("加载到已有资源", "Load into a resource"))</h2>
            <form method="post" action="\(base)/load" class="row">\(hidden(selection, web))
            \(Layout.field(web.text("资源", "Resource"), Layout.select("code", entries.map { ($0.resource.code, "\($0.content?.name ?? $0.resource.name) (\($0.resource.code))") }, target?.resource.code ?? "")))
            \(Layout.field(web.text("方式", "Mode"), Layout.select("mode", modes, "replace")))
            <button>\(web.text("加载合格行", "Load the valid rows"))</button></form></section>
            """
    }

    static func selected(_ form: Form, _ web: WebRequest) throws -> Uploads.Selection {
        Uploads.Selection(
            upload: try web.parameter("upload"),
            table: form["table"].isEmpty ? nil : form["table"],
            encoding: TextEncoding(rawValue: form["encoding"]),
            header: SheetLayout.HeaderHint(text: form["header"])
        )
    }

    static func create(_ web: WebRequest) async throws -> Response {
        let form = try await web.form()
        let selection = try selected(form, web)
        let description = try await web.perform(web.services.uploads.describe, selection)
        let standards = try await web.perform(web.services.catalogue.standards, ())
        let content = try EntryForm.content(
            form,
            description.proposal.schema,
            provider: nil,
            standards: standards,
            web
        )
        let entry = try await web.perform(web.services.catalogue.create, (content, .lake))
        let job = try await DataAPI.load(selection, into: entry.resource.code, .replace, web)
        return .redirect("/console/jobs/\(job)")
    }

    static func load(_ web: WebRequest) async throws -> Response {
        let form = try await web.form()
        let selection = try selected(form, web)
        let mode = LoadMode(rawValue: form["mode"]) ?? .replace
        let job = try await DataAPI.load(selection, into: form["code"], mode, web)
        return .redirect("/console/jobs/\(job)")
    }
}
