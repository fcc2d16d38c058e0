import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// Packages that came in: which there are, what is in one; and what a record's page says of transfers.
enum PackagePages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/{resource}/packages",
            .actions(["flow.packages"]),
            .console,
            zh: "收到的记录包",
            en: "Received packages"
        ) { web in .page(try await list(try await RecordPages.place(web), nil, web)) },
        Route(
            .post,
            "/systems/{system}/{resource}/packages",
            .actions(["flow.receive"]),
            .console,
            zh: "接收记录包",
            en: "Receive a package"
        ) { web in
            do {
                let taken = try await PackageFiles.receive(web)
                let place = try await RecordPages.place(web)
                return .redirect("\(SystemPages.path(place))/packages/\(taken.package.id)")
            } catch let problem as Problem where [403, 409, 422].contains(problem.status) {
                let place = try await RecordPages.place(web)
                return .page(try await list(place, problem, web), status: .init(code: problem.status))
            }
        },
        Route(
            .get,
            "/systems/{system}/{resource}/packages/{package}",
            .actions(["flow.received"]),
            .console,
            zh: "一个记录包",
            en: "A received package",
            handle: show
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/packages/{package}/file",
            .actions(["flow.received"]),
            .console,
            zh: "下载记录包",
            en: "Download a package",
            handle: PackageFiles.whole
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/packages/{package}/receipt",
            .actions(["flow.received"]),
            .console,
            zh: "下载移送回执",
            en: "Download a receipt",
            handle: PackageFiles.receipt
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/packages/{package}/{folder}/{name}",
            .actions(["flow.received"]),
            .console,
            zh: "记录包中的文书或附件",
            en: "A document or file of a package",
            handle: PackageFiles.part
        ),
        Route(
            .get,
            "/systems/{system}/{resource}/{id}/package",
            .actions(["flow.package"]),
            .console,
            zh: "导出记录包",
            en: "Pack a record",
            handle: PackageFiles.packed
        ),
        Route(
            .post,
            "/systems/{system}/{resource}/{id}/receipts",
            .actions(["flow.receipt"]),
            .console,
            zh: "登记移送回执",
            en: "Register a receipt",
            handle: register
        ),
    ]

    private static func alert(_ problem: Problem?, _ web: WebRequest) -> HTML {
        guard let problem else { return .empty }
        let hint: HTML = problem.hint.map { "<p>\($0[web.language])</p>" } ?? .empty
        let key: HTML =
            problem.details["key"].map { "<p><code class=\"wrapped\">\($0)</code></p>" } ?? .empty
        return "<div class=\"alert\" role=\"alert\"><p>\(problem.message[web.language])</p>\(hint)\(key)</div>"
    }

    // MARK: The list

    private static func list(_ place: SystemPlace, _ problem: Problem?, _ web: WebRequest) async throws -> HTML {
        let path = "\(SystemPages.path(place))/packages"
        let before = try web.askedPlace("before")
        let (packages, next) = try await web.perform(
            web.services.flows.packages,
            (place.code, before, web.limit(50, 200))
        )
        let rows = packages.map { package -> HTML in
            let record: HTML =
                package.record.map { "<a href=\"\(SystemPages.path(place))/\($0)\">#\($0)</a>" } ?? "—"
            return
                "<tr><td class=\"key\"><a href=\"\(path)/\(package.id)\">\(package.senderRecord)</a></td><td>\(package.sender)</td><td>\(Layout.badge(package.manifest.stateTitle[web.language]))</td><td class=\"key\">\(CivilTime.minute(package.at))</td><td>\(record)</td><td class=\"number\">\(AttachmentPages.size(package.size))</td></tr>"
        }
        let title = web.text("收到的记录包", "Received packages")
        let heads = [
            web.text("原编号", "Key there"), web.text("移送机构", "From"), web.text("状态", "State"),
            web.text("接收时间", "Received"), web.text("本地记录", "Record here"), web.text("大小", "Size") + "#",
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有收到记录包。", "No package has come in yet."))
            : Layout.table(heads, rows, label: title)
        let more: HTML =
            next.map { "<p class=\"pager\"><a href=\"?before=\($0)\">\(web.text("下一页", "Next page"))</a></p>" }
            ?? .empty
        let resource = try await web.services.kernel.resource(place.code)
        let form: HTML =
            web.services.kernel.gate.admits(web.services.flows.receive.descriptor, resource, web.caller)
            ? """
            <section class="card"><h2>\(web.text("接收记录包", "Receive a package"))</h2>
            <p class="hint">\(web.text("只接收互信节点签名、未经改动的记录包；同一个包再次提交不会重复登记。", "Only unaltered packages signed by a trusted node are taken; the same package again changes nothing."))</p>
            <form method="post" action="\(path)" enctype="multipart/form-data" class="row">\(Layout.csrf(web))
            \(Layout.field(web.text("记录包(zip)", "Package (zip)"), "<input type=\"file\" name=\"file\" accept=\".zip,application/zip\" required>"))<button>\(web.text("接收", "Receive"))</button></form></section>
            """ : .empty
        return Layout.console(
            title,
            web,
            "\(try await RecordPages.head(place, web, here: "/packages"))\(alert(problem, web))\(form)<section class=\"card\"><h2>\(title)</h2>\(table)\(more)</section>"
        )
    }

    // MARK: A package

    private static func show(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let (package, file) = try await web.perform(
            web.services.flows.received,
            (place.code, try web.number("package"))
        )
        let path = "\(SystemPages.path(place))/packages/\(package.id)"
        let reader = try StoredZipReader(path: file)
        let record = try RecordPackage.json(PackageManifest.recordName, reader)
        let manifest = package.manifest
        let trusted = try await web.services.flows.trusted(package.signer)
        let people = try await web.services.kernel.accounts.find(PrincipalID(package.principal))?.name ?? ""
        let signer: HTML =
            trusted.map { "\($0.name) \(Layout.badge(web.text("互信节点", "trusted"), "good"))" }
            ?? Layout.badge(web.text("已不再互信", "trusted no more"), "poor")
        let here: HTML =
            package.record.map {
                "<a href=\"\(SystemPages.path(place))/\($0)\">#\($0)</a>"
            } ?? "\(web.text("只保存，未建立记录", "kept only, no record was made"))"
        let facts: [(String, HTML)] = [
            (web.text("原编号", "Key there"), "\(package.senderRecord)"),
            (web.text("移送机构", "From"), "\(package.sender) \(manifest.creditCode)"),
            (web.text("来源节点", "Node"), "\(manifest.node) — \(signer)"),
            (
                web.text("业务", "Resource"),
                "\(manifest.systemTitle[web.language]) · \(manifest.resourceName[web.language])"
            ),
            (web.text("导出时间", "Made"), "\(minute(manifest.madeAt))"),
            (web.text("接收", "Received"), "\(CivilTime.minute(package.at)) \(people)"),
            (web.text("本地记录", "Record here"), here),
            (web.text("记录包摘要", "Package"), "<code>\(package.package)</code>"),
            (web.text("签名密钥", "Key"), "<code>\(package.signer)</code>"),
        ]
        let lines = facts.map { "<div><dt>\($0.0)</dt><dd class=\"wrapped\">\($0.1)</dd></div>" as HTML }
        var related: [HTML] = []
        for part in manifest.related {
            let items = try (1...max(1, min(part.count, 200))).compactMap { number -> HTML? in
                let name = "related/\(part.resource)/\(number).json"
                guard reader.entry(name) != nil else { return nil }
                let json = try RecordPackage.json(name, reader)
                let label = text(json["key"])
                return
                    "<details><summary>\(label) \(title(json["state_title"], web))</summary>\(content(json, path, web))</details>"
            }
            related.append(
                "<section class=\"card\"><h2>\(part.name[web.language])</h2>\(items)</section>"
            )
        }
        let heading = "\(package.senderRecord)"
        return .page(
            Layout.console(
                heading,
                web,
                """
                <p class="crumbs"><a href="/systems">\(web.text("业务系统", "Systems"))</a> › <a href="/systems/\(place.system.id)">\(place.system.declaration.title[web.language])</a> › <a href="\(SystemPages.path(place))">\(place.declaration.title(web.language))</a> › <a href="\(SystemPages.path(place))/packages">\(web.text("收到的记录包", "Received packages"))</a></p>
                <header class="title"><h1>\(heading) \(Layout.badge(manifest.stateTitle[web.language]))</h1><p class="actions"><a class="button" href="\(path)/receipt">\(web.text("下载移送回执", "Download the receipt"))</a> <a class="button quiet" href="\(path)/file">\(web.text("下载记录包", "Download the package"))</a></p></header>
                <section class="card"><h2>\(web.text("来源和签名", "Where it comes from"))</h2><dl class="facts">\(lines)</dl></section>
                <section class="card"><h2>\(web.text("内容", "Content"))</h2>\(content(record, path, web))</section>\(related)
                """
            )
        )
    }

    private static func text(_ json: JSONValue?) -> String { json?.string ?? "" }

    private static func title(_ json: JSONValue?, _ web: WebRequest) -> String {
        let zh = text(json?["zh"])
        let en = text(json?["en"])
        return web.language == .en && !en.isEmpty ? en : zh
    }

    private static func minute(_ text: String) -> String {
        Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }.map(CivilTime.minute) ?? text
    }

    /// A record of a package: fields, time limits, documents, files, history.
    private static func content(_ record: JSONValue, _ path: String, _ web: WebRequest) -> HTML {
        let fields = (record["fields"]?.array ?? []).compactMap { field -> HTML? in
            let shown = text(field["shown"] ?? field["value"])
            return shown.isEmpty
                ? nil : "<div><dt>\(title(field["title"], web))</dt><dd class=\"wrapped\">\(shown)</dd></div>"
        }
        let documents = (record["documents"]?.array ?? []).map { document -> HTML in
            "<tr><td><a href=\"\(path)/\(text(document["file"]))\">\(text(document["title"]))</a></td><td>\(text(document["number"]))</td><td>\(minute(text(document["issued_at"])))</td><td>\(text(document["by"]))</td></tr>"
        }
        let files = (record["attachments"]?.array ?? []).map { file -> HTML in
            let query =
                "?type=\(FormText.encoded(text(file["type"])))&name=\(FormText.encoded(text(file["name"])))"
            return
                "<tr><td><a href=\"\(path)/\(text(file["file"]))\(query)\">\(text(file["name"]))</a></td><td>\(title(file["title"], web))</td><td class=\"number\">\(AttachmentPages.size(file["size"]?.integer ?? 0))</td><td>\(minute(text(file["at"])))</td></tr>"
        }
        let clocks = (record["clocks"]?.array ?? []).map { clock -> HTML in
            "<tr><td>\(title(clock["title"], web))</td><td>\(minute(text(clock["started_at"])))</td><td>\(minute(text(clock["due"])))</td><td>\(minute(text(clock["ended_at"])))</td></tr>"
        }
        let history = (record["history"]?.array ?? []).map { step -> HTML in
            let note = text(step["note"])
            let said: HTML = note.isEmpty ? .empty : "<p class=\"answer wrapped\">\(note)</p>"
            return
                "<li><time>\(minute(text(step["at"])))</time> <b>\(title(step["title"], web))</b> <span class=\"muted\">→ \(title(step["to_title"], web)) · \(text(step["by"]))</span>\(said)</li>"
        }
        func table(_ name: String, _ heads: [String], _ rows: [HTML]) -> HTML {
            rows.isEmpty ? .empty : "<h3>\(name)</h3>\(Layout.table(heads, rows, label: name))"
        }
        let when = web.text("时间", "When")
        let past: HTML =
            history.isEmpty
            ? .empty : "<h3>\(web.text("办理过程", "What was done"))</h3><ol class=\"timeline\">\(history)</ol>"
        return """
            <dl class="facts">\(fields)</dl>
            \(table(web.text("文书", "Documents"), [web.text("名称", "Name"), web.text("文号", "Number"), when, web.text("制发人", "By")], documents))
            \(table(web.text("附件", "Files"), [web.text("文件", "File"), web.text("类别", "Kind"), web.text("大小", "Size") + "#", when], files))
            \(table(web.text("时限", "Time limits"), [web.text("时限", "Limit"), web.text("起算", "From"), web.text("届满", "Due"), web.text("结束", "Ended")], clocks))\(past)
            """
    }

    // MARK: On a record's page

    /// What went out of a record and came back; nothing where there is nothing to say.
    static func section(_ detail: FlowDetail, _ path: String, _ web: WebRequest) async throws -> HTML {
        let place = detail.place
        guard detail.showsFiles else { return .empty }
        let found = try await web.perform(web.services.flows.transfers, (place.code, detail.record))
        let origins = found.origins.map { package -> HTML in
            "<p>\(web.text("由移送而来：", "Came by transfer: "))<a href=\"\(SystemPages.path(place))/packages/\(package.id)\">\(package.sender) \(package.senderRecord)</a></p>"
        }
        guard found.mayPack || !found.made.isEmpty || !origins.isEmpty else { return .empty }
        let title = web.text("移送", "Transfer")
        let rows =
            found.receipts.map { receipt -> HTML in
                "<tr><td>\(web.text("移送回执", "receipt"))</td><td>\(receipt.organisation) \(receipt.receiving)</td><td>\(CivilTime.minute(receipt.at))</td><td>\(found.people[receipt.principal] ?? "")</td></tr>"
            }
            + found.made.map { made -> HTML in
                "<tr><td>\(web.text("导出记录包", "packed"))</td><td><code title=\"\(made.package)\">\(String(made.package.prefix(20)))…</code></td><td>\(CivilTime.minute(made.at))</td><td>\(found.people[made.principal] ?? "")</td></tr>"
            }
        let heads = [web.text("事项", "What"), web.text("内容", "Which"), web.text("时间", "When"), web.text("经办人", "By")]
        let table: HTML = rows.isEmpty ? .empty : Layout.table(heads, rows, label: title)
        let pack: HTML =
            found.mayPack
            ? "<p class=\"actions\"><a class=\"button quiet\" href=\"\(path)/package\">\(web.text("导出记录包", "Download the package"))</a></p>"
            : .empty
        let register: HTML =
            detail.mayAct && !found.made.isEmpty
            ? """
            <form method="post" action="\(path)/receipts" enctype="multipart/form-data" class="row">\(Layout.csrf(web))
            \(Layout.field(web.text("登记移送回执", "Register a receipt"), "<input type=\"file\" name=\"file\" accept=\".json,application/json\" required>"))<button class="quiet">\(web.text("登记", "Register"))</button></form>
            """ : .empty
        return "<section class=\"card\"><h2>\(title)</h2>\(origins)\(table)\(pack)\(register)</section>"
    }

    private static func register(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let record = try web.number("id")
        let receiver = try MultipartReceiver(
            contentType: web.request.headers[.contentType] ?? "",
            folder: web.services.settings.temporaryFolder,
            maximum: 1 << 16
        )
        let result = try await receiver.receive(web.request.body)
        defer { result.filePath.map { TemporaryFiles.remove($0) } }
        try web.check(result.form)
        guard let path = result.filePath else {
            throw Problem("request.malformed", zh: "请选择文件。", en: "Choose a file.")
        }
        let body = try PackageFiles.bytes(path)
        _ = try await web.perform(web.services.flows.receipt, (place.code, record, body))
        return .redirect("\(SystemPages.path(place))/\(record)")
    }
}
