import Basics
import CQL
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// Documents of a record: what was issued, issuing by hand, reading, verifying.
enum DocumentPages {
    static let routes: [Route] = [
        Route(
            .post,
            "/systems/{system}/{resource}/{id}/documents",
            .actions(["flow.issue"]),
            .console,
            zh: "制发文书",
            en: "Issue a document"
        ) { web in
            let place = try await RecordPages.place(web)
            let form = try await web.form()
            let record = try web.number("id")
            let id = try await web.perform(web.services.flows.issue, (place.code, record, form["document"]))
            return .redirect("\(SystemPages.path(place))/\(record)/documents/\(id)")
        },
        Route(
            .get,
            "/systems/{system}/{resource}/{id}/documents/{document}",
            .actions(["flow.document", "flow.paper"]),
            .console,
            zh: "文书(format=pdf 为 PDF)",
            en: "A document (format=pdf: as PDF)",
            handle: document
        ),
        Route(.get, "/verify", .actions(["flow.verify"]), zh: "核验文书", en: "Verify a document") { web in
            // Without a script the form asks here.
            if let code = web.query("code") { return .redirect("/verify/\(FormText.encoded(TextForms.trimmed(code)))") }
            return .page(verifyPage(nil, nil, web))
        },
        Route(.get, "/verify/{code}", .actions(["flow.verify"]), zh: "核验结果", en: "A document's verification") { web in
            do {
                let found = try await web.perform(web.services.flows.verify, try web.parameter("code"))
                return .page(verifyPage(found, nil, web))
            } catch let problem as Problem where problem.code == "flow.unverified" {
                return .page(verifyPage(nil, problem, web), status: .notFound)
            }
        },
    ]

    static func section(_ detail: FlowDetail, _ path: String, _ web: WebRequest) -> HTML {
        let byHand = detail.mayAct ? detail.issuable : []
        guard !detail.documents.isEmpty || !byHand.isEmpty else { return .empty }
        let title = web.text("文书", "Documents")
        let rows = detail.documents.map { document -> HTML in
            let name =
                detail.declared.documents.first { $0.key == document.document }?.title[web.language] ?? document.title
            let link: HTML =
                document.isOpen ? "<a href=\"\(path)/documents/\(document.id)\">\(name)</a>" : "\(name)"
            return
                "<tr><td>\(link)</td><td>\(document.number)</td><td>\(CivilTime.minute(document.issuedAt))</td><td>\(detail.people[document.principal] ?? "")</td></tr>"
        }
        let heads = [
            web.text("名称", "Name"), web.text("文号", "Number"), web.text("制发时间", "Issued"), web.text("制发人", "By"),
        ]
        let table: HTML = rows.isEmpty ? .empty : Layout.table(heads, rows, label: title)
        let form: HTML =
            byHand.isEmpty
            ? .empty
            : "<form method=\"post\" action=\"\(path)/documents\" class=\"row\">\(Layout.csrf(web))\(Layout.select("document", byHand.map { ($0.key, $0.title[web.language]) }, "", label: web.text("文书", "Document")))<button class=\"quiet\">\(web.text("制发", "Issue"))</button></form>"
        return "<section class=\"card\"><h2>\(title)</h2>\(table)\(form)</section>"
    }

    private static func document(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let record = try web.number("id")
        if web.query("format") == "pdf" { return try await paper(place, record, web) }
        let (document, body) = try await web.perform(
            web.services.flows.document,
            (place.code, record, try web.number("document"))
        )
        let back = "\(SystemPages.path(place))/\(record)"
        let pdf: HTML =
            web.services.flows.printsPapers
            ? "<a class=\"button quiet\" href=\"\(back)/documents/\(document.id)?format=pdf\" download>\(web.text("下载 PDF", "Download PDF"))</a>"
            : "<span class=\"muted\">\(web.text("用浏览器的打印功能可打印或存为 PDF", "Print it, or save it as PDF, with the browser"))</span>"
        return .page(
            """
            <!doctype html>
            <html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(document.title)</title><link rel="icon" href="/assets/logo.svg" type="image/svg+xml"><link rel="stylesheet" href="/assets/site.css"></head>
            <body class="sheet"><nav class="sheet-bar"><a href="\(back)">← \(web.text("回到记录", "Back to the record"))</a> \(pdf)</nav>
            \(sheet(document, body, web))</body></html>
            """
        )
    }

    /// The paper itself: the same on the page and as PDF.
    private static func sheet(_ document: IssuedDocument, _ body: String, _ web: WebRequest) -> HTML {
        let number: HTML = document.number.isEmpty ? .empty : "<p class=\"number-line\">\(document.number)</p>"
        var paper = HTML.empty
        paper.text = body
        // Only an address that the node was given leads others back to it.
        var code = HTML.empty
        if let address = web.services.settings.address {
            let place = (address.hasSuffix("/") ? String(address.dropLast()) : address) + "/verify/\(document.code)"
            code.text = QRCode.svg(place, label: "核验二维码") ?? ""
        }
        return """
            <main class="paper" id="main">\(number)\(paper)
            <footer class="paper-foot">\(code)核验码 <a href="/verify/\(document.code)">\(document.code)</a> · \(document.digest)</footer></main>
            """
    }

    /// A document as PDF: a page that holds its style and reaches for nothing.
    private static func paper(_ place: SystemPlace, _ record: Int64, _ web: WebRequest) async throws -> Response {
        let request = PaperRequest(place.code, record: record, id: try web.number("document")) { document, body in
            var style = HTML.empty
            style.text = String(decoding: PackageResources.site_css, as: UTF8.self)
            let page: HTML = """
                <!doctype html>
                <html lang="zh-CN"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
                <title>\(document.title)</title><style>\(style)</style></head><body class="sheet">\(sheet(document, body, web))</body></html>
                """
            return page.text
        }
        let found = try await web.perform(web.services.flows.paper, request)
        let name = FormText.encoded("\(document(found.document)).pdf")
        return try TemporaryFiles.response(
            found.path,
            type: "application/pdf",
            disposition: "attachment; filename*=UTF-8''\(name)"
        )
    }

    /// What a document's file is called.
    private static func document(_ document: IssuedDocument) -> String {
        document.number.isEmpty ? document.title : "\(document.title) \(document.number)"
    }

    private static func verifyPage(_ found: Flows.Verification?, _ problem: Problem?, _ web: WebRequest) -> HTML {
        let title = web.text("核验文书", "Verify a document")
        let result: HTML
        if let found {
            let lines: [(String, String)] = [
                (web.text("文书", "Document"), found.document.title), (web.text("文号", "Number"), found.document.number),
                (web.text("机关", "Authority"), found.organisation),
                (web.text("制发日期", "Issued"), String(CivilTime.timestamp(found.document.issuedAt).prefix(10))),
                (web.text("摘要值", "Digest"), found.document.digest),
            ]
            let facts = lines.filter { !$0.1.isEmpty }.map {
                "<div><dt>\($0.0)</dt><dd class=\"wrapped\">\($0.1)</dd></div>" as HTML
            }
            let state =
                found.isWhole
                ? Layout.badge(web.text("本节点制发，内容未改动", "issued here, unaltered"), "good")
                : Layout.badge(web.text("内容与制发时不一致", "differs from what was issued"), "poor")
            result =
                "<section class=\"card\" role=\"status\"><p>\(state)</p><dl class=\"facts\">\(facts)</dl></section>"
        } else if let problem {
            let hint: HTML = problem.hint.map { "<p>\($0[web.language])</p>" } ?? .empty
            result =
                "<div class=\"alert\" role=\"alert\"><p>\(problem.message[web.language])</p>\(hint)</div>"
        } else {
            result = .empty
        }
        return Layout.page(
            title,
            web,
            scripts: ["/assets/page.js"],
            """
            <div class="wrap narrow"><header class="title"><h1>\(title)</h1><p class="muted">\(web.text("输入文书末尾的核验码。", "Enter the code at the end of the document."))</p></header>
            <form method="get" action="/verify" class="row"><label class="field"><span>\(web.text("核验码", "Code"))</span><input name="code" required autocomplete="off" maxlength="40" value="\(web.query("code") ?? "")"></label><button>\(web.text("核验", "Verify"))</button></form>\(result)</div>
            """
        )
    }
}
