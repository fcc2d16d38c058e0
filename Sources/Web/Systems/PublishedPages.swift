import Basics
import Codes
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// What systems publish by rule: for everybody, without an account.
enum PublishedPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/published/{resource}",
            .actions(["flow.published"]),
            zh: "按规则公示",
            en: "Published by rule",
            handle: page
        )
    ]

    static func read(_ web: WebRequest, limit: Int) async throws -> PublishedPage {
        var query = PublishedQuery(
            try web.parameter("system"),
            try web.parameter("resource"),
            word: web.query("q") ?? "",
            before: try web.askedPlace("before"),
            limit: limit
        )
        for (name, value) in web.parameters where name.hasPrefix("f_") && !value.isEmpty {
            query.matches[String(name.dropFirst(2))] = value
        }
        return try await web.perform(web.services.flows.published, query)
    }

    private static func page(_ web: WebRequest) async throws -> Response {
        let found = try await read(web, limit: web.askedLimit(20, 100))
        let declared = found.place.declaration
        let rule = found.publication
        let title = rule.title[web.language]
        let path = "/systems/\(found.place.system.id)/published/\(declared.key)"
        let heading = found.fields.firstIndex { $0.name == declared.titleField } ?? 0
        let entries = try await EntryNames(
            found.rows.flatMap { row in zip(found.fields, row).map { ($0, $1) } },
            web
        )
        let cards = found.rows.map { row -> HTML in
            let lines = found.fields.indices.filter { $0 != heading && !row[$0].isEmpty }.map { index -> HTML in
                let field = found.fields[index]
                return
                    "<div><dt>\(label(field, declared, web))</dt><dd class=\"wrapped\">\(field.kind == .catalogueEntry ? entries.html(row[index], field, web) : "\(shown(row[index], field, web))" as HTML)</dd></div>"
            }
            return
                "<article class=\"card entry\"><h2>\(shown(row[heading], found.fields[heading], web))</h2><dl class=\"facts\">\(lines)</dl></article>"
        }
        let body: HTML =
            cards.isEmpty
            ? Layout.empty(web.text("没有符合条件的公示信息。", "Nothing of the kind is published now."))
            : "<div class=\"cards\">\(cards)</div>"
        let next: HTML =
            found.next.map {
                "<p class=\"pager\"><a href=\"?\(RecordPages.kept(web, without: ["before"]))before=\($0)\">\(web.text("下一页", "Next page"))</a></p>"
            } ?? .empty
        let law: HTML = rule.law.isEmpty ? .empty : "<p class=\"muted\">\(web.text("依据：", "By: "))\(rule.law)</p>"
        let api = "/api/v1\(path)"
        return .page(
            Layout.page(
                title,
                web,
                """
                <div class="wrap published"><header class="title"><h1>\(title)</h1><p class="actions"><a class="button quiet" href="\(api)?f=csv">CSV</a><a class="button quiet" href="\(api)">JSON</a></p></header>\(law)
                <form class="search wide" method="get" role="search"><input type="search" name="q" value="\(web.query("q") ?? "")" aria-label="\(web.text("查找公示信息", "Search what is published"))"><button>\(web.text("查找", "Search"))</button></form>
                \(body)\(next)</div>
                """
            )
        )
    }

    private static func shown(_ text: String, _ field: Field, _ web: WebRequest) -> String {
        text.isEmpty ? "—" : FormText.shown(figure(text, field), field, web)
    }

    /// A field's label with the unit of its figures.
    static func label(_ field: Field, _ declared: ResourceDeclaration, _ web: WebRequest) -> String {
        let label = declared.label(field, web.language)
        let unit = FormText.unit(field).dropFirst()
        return unit.isEmpty ? label : web.text("\(label)（\(unit)）", "\(label) (\(unit))")
    }

    /// A figure without the noughts that its decimals end with: 0.450000 is 0.45.
    static func figure(_ text: String, _ field: Field) -> String {
        guard field.type == .decimal, field.codes.isEmpty, text.contains(".") else { return text }
        let short = text.reversed().drop { $0 == "0" }
        return String((short.first == "." ? short.dropFirst() : short).reversed())
    }
}
