import Basics
import CQL
import Catalogue
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// The public's remarks for programs, as they were before remarks became a system: each is a step or a reading of the pack `feedback`.
enum FeedbackAPI {
    static let system = "feedback"
    static let resource = "public_feedback"
    /// The pack's pages.
    static let path = "/systems/\(system)/\(resource)"

    static let routes: [Route] = [
        Route(
            .post,
            "/api/v1/resources/{code}/feedback",
            .actions(["flow.send"]),
            zh: "提交反馈：kind、text、contact",
            en: "Send a remark: kind, text, contact",
            handle: send
        ),
        Route(
            .get,
            "/api/v1/feedback",
            .actions(["data.read"]),
            .console,
            zh: "反馈列表",
            en: "Remarks",
            handle: list
        ),
        Route(
            .post,
            "/api/v1/feedback/{id}/answer",
            .actions(["flow.show", "flow.step"]),
            .console,
            zh: "答复反馈",
            en: "Answer a remark"
        ) { web in
            let place = try await place(web)
            let text = TextForms.trimmed(try await web.json()["text"]?.string ?? "")
            guard (2...2000).contains(text.count), text.utf8.count <= 8000 else {
                throw invalid("答复应为 2–2000 字", "an answer has 2 to 2,000 characters")
            }
            let id = try web.number("id")
            let detail = try await web.perform(web.services.flows.show, (place.code, id))
            let step = detail.state == "answered" ? "amend" : "answer"
            _ = try await web.perform(
                web.services.flows.step,
                StepRequest(place.code, record: id, step: step, values: ["answer": text])
            )
            return .json(.object([]))
        },
        Route(
            .post,
            "/api/v1/feedback/{id}/set_aside",
            .actions(["flow.step"]),
            .console,
            zh: "搁置反馈",
            en: "Put a remark aside"
        ) { web in
            let place = try await place(web)
            try web.checkHeader()
            let request = StepRequest(place.code, record: try web.number("id"), step: "set_aside")
            _ = try await web.perform(web.services.flows.step, request)
            return .json(.object([]))
        },
        // Where remarks were dealt with before they were a system.
        Route(.get, "/console/feedback", .actions(["data.read"]), .console, zh: "公众反馈", en: "Feedback") { web in
            _ = try await place(web)
            return .redirect(path)
        },
    ]

    private static func place(_ web: WebRequest) async throws -> SystemPlace {
        _ = try ConsolePages.signedIn(web)
        return try await web.services.flows.systems.place(system, resource)
    }

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem("feedback.invalid", status: 422, zh: "反馈填写有误：\(zh)。", en: "The remark is not right: \(en).")
    }

    private static func send(_ web: WebRequest) async throws -> Response {
        let code = try web.code()
        let body = try await web.json()
        let place = try await web.services.flows.systems.place(system, resource)
        let text = TextForms.trimmed(body["text"]?.string ?? "")
        let contact = TextForms.trimmed(body["contact"]?.string ?? "")
        guard try await !web.services.flows.entryNames([code], seenBy: web.caller).isEmpty else {
            throw Problem.notFound(.init("资源", "the resource"))
        }
        guard (5...1000).contains(text.count), text.utf8.count <= 4000 else {
            throw invalid("内容应为 5–1000 字", "5 to 1,000 characters")
        }
        guard contact.utf8.count <= 400, contact.count <= 100 else {
            throw invalid("联系方式过长", "the contact is too long")
        }
        let sent = try await PublicForms.send(
            StepRequest(
                place.code,
                step: "send",
                values: [
                    "entry": code, "kind": body["kind"]?.string ?? "question",
                    "text": text, "contact": contact,
                ]
            ),
            web
        )
        return .json(
            .object([.init("id", .integer(sent.record)), .init("number", .string(sent.number))]),
            status: .created
        )
    }

    private static func list(_ web: WebRequest) async throws -> Response {
        let place = try await place(web)
        let limit = try web.askedLimit(100, 500)
        let state = CQL.Expression.property("state")
        var query = RecordQuery(place.code, sort: "-sent", limit: limit)
        query.condition = .compare(.equal, state, .literal(.text("waiting")))
        var found = try await records(query, web)
        if web.query("waiting") != "true", found.count < limit {
            query.condition = .compare(.notEqual, state, .literal(.text("waiting")))
            query.limit = limit - found.count
            found += try await records(query, web)
        }
        return .json(.object([.init("feedback", .array(found))]))
    }

    private static func records(_ query: RecordQuery, _ web: WebRequest) async throws -> [JSONValue] {
        let page = try await web.perform(web.services.lake.read, query)
        let batch = page.batch
        func text(_ row: Int, _ name: String) -> String {
            batch.schemaIndex(name).map { batch.value(row, $0).text } ?? ""
        }
        func optional(_ row: Int, _ name: String) -> JSONValue {
            let text = text(row, name)
            return text.isEmpty ? .null : .string(text)
        }
        let codes = Set((0..<batch.count).map { text($0, "entry") })
        let names = try await web.services.flows.entryNames(codes, seenBy: web.caller)
        return (0..<batch.count).map { row in
            .object([
                .init("id", .integer(page.ids[row])), .init("number", .string(text(row, "number"))),
                .init("resource", .string(text(row, "entry"))),
                .init("name", .string(names[text(row, "entry")] ?? "")), .init("kind", .string(text(row, "kind"))),
                .init("text", .string(text(row, "text"))), .init("contact", .string(text(row, "contact"))),
                .init("at", .string(text(row, "sent"))), .init("answer", optional(row, "answer")),
                .init("answered_at", optional(row, "answered")),
            ])
        }
    }

    // MARK: On an entry's page

    /// What was answered, and the form.
    static func section(_ entry: Entry, _ web: WebRequest) async throws -> HTML {
        let flows = web.services.flows
        guard entry.resource.isOpen, let place = try await flows.systems.place(key: resource),
            let step = try await flows.open(place, step: nil, to: web.caller)
        else { return .empty }
        var query = PublishedQuery(system, resource, limit: 20)
        query.matches = ["entry": entry.resource.code]
        let page = try await web.perform(flows.publishedOf, query)
        func text(_ row: Int, _ name: String) -> String {
            guard let index = page.fields.firstIndex(where: { $0.name == name }) else { return "" }
            return FormText.shown(page.rows[row][index], page.fields[index], web)
        }
        let items = page.rows.indices.map { row -> HTML in
            "<li><p><b>\(text(row, "kind"))</b> <time>\(String(text(row, "sent").prefix(10)))</time></p><p>\(text(row, "text"))</p><p class=\"answer\">\(text(row, "answer")) <span class=\"muted\">\(String(text(row, "answered").prefix(10)))</span></p></li>"
        }
        let list: HTML = items.isEmpty ? .empty : "<ul class=\"remarks\">\(items)</ul>"
        return """
            <section class="card" id="\(system)"><h2>\(web.text("反馈与答复", "Feedback and answers"))</h2>\(PublicForms.thanks(web))\(list)
            <details><summary>\(step.title[web.language])</summary>\(try await PublicForms.form(step, place, web, entry: entry.resource.code))</details></section>
            """
    }
}
