import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Open

/// What the public says of a resource, and what its owner answers.
enum FeedbackPages {
    static let routes: [Route] = [
        Route(.post, "/resources/{code}/feedback", .actions(["feedback.send"]), zh: "提交反馈", en: "Send a remark") {
            web in
            let form = try await web.form()
            let code = try web.code()
            // A field that people do not see: what is written there was written by a machine.
            if form["website"].isEmpty {
                _ = try await web.perform(web.services.feedback.send, remark(code) { form[$0] })
            }
            return .redirect("/resources/\(Entry.slug(code))?sent=1#feedback")
        },
        Route(
            .post,
            "/api/v1/resources/{code}/feedback",
            .actions(["feedback.send"]),
            zh: "提交反馈：kind、text、contact",
            en: "Send a remark: kind, text, contact"
        ) { web in
            let body = try await web.json()
            let id = try await web.perform(
                web.services.feedback.send,
                remark(try web.code()) { body[$0]?.string ?? "" }
            )
            return .json(.object([.init("id", .integer(id))]), status: .created)
        },
        Route(.get, "/api/v1/feedback", .actions(["feedback.list"]), .console, zh: "反馈列表", en: "Remarks") { web in
            let list = try await web.perform(
                web.services.feedback.listed,
                (web.query("waiting") == "true", web.limit(100, 500))
            )
            return .json(.object([.init("feedback", .array(list.map(json)))]))
        },
        Route(
            .post,
            "/api/v1/feedback/{id}/answer",
            .actions(["feedback.answer"]),
            .console,
            zh: "答复反馈",
            en: "Answer a remark"
        ) { web in
            let body = try await web.json()
            try await web.perform(
                web.services.feedback.answer,
                (try web.number("id"), body["text"]?.string ?? "")
            )
            return .json(.object([]))
        },
        Route(
            .get,
            "/console/feedback",
            .actions(["feedback.list"]),
            .console,
            zh: "公众反馈",
            en: "Feedback",
            handle: list
        ),
        Route(
            .post,
            "/console/feedback/{id}",
            .actions(["feedback.answer", "feedback.set_aside"]),
            .console,
            zh: "答复或搁置",
            en: "Answer or put aside"
        ) { web in
            let form = try await web.form()
            if form["act"] == "aside" {
                try await web.perform(web.services.feedback.setAside, try web.number("id"))
            } else {
                try await web.perform(web.services.feedback.answer, (try web.number("id"), form["text"]))
            }
            return .redirect("/console/feedback")
        },
    ]

    private static func remark(_ code: String, _ value: (String) -> String) -> FeedbackBox.Remark {
        .init(
            code: code,
            kind: Feedback.Kind(rawValue: value("kind")) ?? .question,
            text: value("text"),
            contact: value("contact")
        )
    }

    static func json(_ item: Feedback) -> JSONValue {
        .object([
            .init("id", .integer(item.id)), .init("resource", .string(item.code)), .init("name", .string(item.name)),
            .init("kind", .string(item.kind.rawValue)), .init("text", .string(item.text)),
            .init("contact", .string(item.contact)), .init("at", .string(CivilTime.timestamp(item.at))),
            .init("answer", item.answer.map { .string($0) } ?? .null),
            .init("answered_at", SourcesAPI.time(item.answeredAt)),
        ])
    }

    /// On a resource's page: what was answered, and the form.
    static func section(_ entry: Entry, _ answers: [Feedback], _ web: WebRequest) -> HTML {
        guard entry.resource.isOpen else { return .empty }
        let items = answers.map { item -> HTML in
            "<li><p><b>\(item.kind.title[web.language])</b> <time>\(Layout.day(item.at))</time></p><p>\(item.text)</p><p class=\"answer\">\(item.answer ?? "") <span class=\"muted\">\(Layout.day(item.answeredAt))</span></p></li>"
        }
        let list: HTML = items.isEmpty ? .empty : "<ul class=\"remarks\">\(items)</ul>"
        let thanks: HTML =
            web.query("sent") == nil
            ? .empty
            : "<p class=\"good-text\" role=\"status\">\(web.text("已提交，提供方会答复。", "Sent; the provider will answer."))</p>"
        let kinds = Feedback.Kind.allCases.map { ($0.rawValue, $0.title[web.language]) }
        let csrf: HTML = web.token == nil ? .empty : Layout.csrf(web)
        return """
            <section class="card" id="feedback"><h2>\(web.text("反馈与答复", "Feedback and answers"))</h2>\(thanks)\(list)
            <details><summary>\(web.text("提交反馈", "Send a remark"))</summary><form method="post" action="/resources/\(entry.slug)/feedback" class="stack">\(csrf)
            <div class="grid">\(Layout.field(web.text("种类", "Kind"), Layout.select("kind", kinds, "error")))\(Layout.field(web.text("联系方式(可不填，仅提供方可见)", "Contact, optional, seen by the provider only"), "<input name=\"contact\" maxlength=\"100\" autocomplete=\"email\">"))</div>
            \(Layout.field(web.text("内容", "Text"), "<textarea name=\"text\" rows=\"3\" required minlength=\"5\" maxlength=\"1000\"></textarea>", hint: web.text("请勿填写他人的个人信息。答复后公开显示。", "No personal data of others, please. It is shown once it is answered.")))
            <div class="apart" aria-hidden="true"><input name="website" tabindex="-1" autocomplete="off" aria-label="website"></div>
            <div><button>\(web.text("提交", "Send"))</button></div></form></details></section>
            """
    }

    static func list(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let list = try await web.perform(web.services.feedback.listed, (false, 200))
        let items = list.map { item -> HTML in
            let slug = Entry.slug(item.code)
            let isAside = item.answer == nil && item.answeredAt != nil
            let answer: HTML =
                isAside
                ? .empty
                : item.answer.map {
                    "<p class=\"answer\">\($0) <span class=\"muted\">\(Layout.day(item.answeredAt))</span></p>"
                }
                    ?? """
                    <form method="post" action="/console/feedback/\(item.id)" class="stack">\(Layout.csrf(web))\(Layout.field(web.text("答复(将公开显示)", "Answer, shown to the public"), "<textarea name=\"text\" rows=\"2\" required minlength=\"2\" maxlength=\"2000\"></textarea>"))<div><button>\(web.text("答复", "Answer"))</button></div></form>
                    <form method="post" action="/console/feedback/\(item.id)">\(Layout.csrf(web))<button class="quiet" name="act" value="aside">\(web.text("搁置(不公开)", "Put aside, unpublished"))</button></form>
                    """
            let contact: HTML = item.contact.isEmpty ? .empty : "<span class=\"muted\">\(item.contact)</span>"
            let state =
                isAside
                ? Layout.badge(web.text("已搁置", "put aside"))
                : item.answer == nil ? Layout.badge(web.text("待答复", "waiting"), "fair") : .empty
            return
                "<section class=\"card\"><p><b>\(item.kind.title[web.language])</b> \(state) <a href=\"/console/entries/\(slug)\">\(item.name)</a> <time class=\"muted\">\(CivilTime.minute(item.at))</time> \(contact)</p><p>\(item.text)</p>\(answer)</section>"
        }
        let body: HTML =
            items.isEmpty ? Layout.empty(web.text("还没有公众反馈。", "There are no remarks yet.")) : HTML(items)
        return .page(
            Layout.console(
                web.text("公众反馈", "Feedback"),
                web,
                "<header class=\"title\"><h1>\(web.text("公众反馈", "Feedback"))</h1></header>\(body)"
            )
        )
    }
}
