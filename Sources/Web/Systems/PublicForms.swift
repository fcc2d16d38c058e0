import Basics
import Catalogue
import Codes
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// Steps that everybody may take, without an account: their form, and what whoever sent it learns.
enum PublicForms {
    /// The resource and step of a request; nil where there is none, or where whoever asks works with the system: they take it as their own.
    ///
    /// A form that stands on a page for everybody (`public`) is sent as everybody sends it.
    static func step(_ web: WebRequest, _ key: String?, _ form: Form? = nil) async throws -> (SystemPlace, FlowStep)? {
        let flows = web.services.flows
        let place: SystemPlace
        do {
            place = try await flows.systems.place(web.parameter("system"), web.parameter("resource"))
        } catch let problem as Problem where problem.status == 404 {
            try refuseInside(web)
            return nil
        }
        let isOwn = try await !flows.beginnings(place, web.caller).filter { key == nil || $0.key == key }.isEmpty
        if !isOwn || form?.has("public") == true || web.services.settings.isPublicOnly,
            let step = try await flows.open(place, step: key, to: web.caller)
        {
            return (place, step)
        }
        try refuseInside(web)
        return nil
    }

    /// A node for the public only has no pages for those who work with systems.
    private static func refuseInside(_ web: WebRequest) throws {
        if web.services.settings.isPublicOnly { throw Problem.notFound(.init("页面", "the page")) }
    }

    // MARK: Sending

    /// Sends a request, as often as an address may.
    static func send(_ request: StepRequest, _ web: WebRequest) async throws -> SentRecord {
        let address = web.caller.address
        let isFar = !address.isEmpty && !address.hasPrefix("127.") && address != "::1"
        if isFar, web.principal == nil {
            let sender = RateLimiter.network(of: address) ?? address
            guard web.services.senders.ask(sender).isAllowed else { throw RateLimiter.problem }
        }
        return try await web.perform(web.services.flows.send, request)
    }

    static func take(
        _ step: FlowStep,
        _ place: SystemPlace,
        _ form: Form,
        _ web: WebRequest
    ) async throws -> Response {
        var values: [String: String] = [:]
        for asked in step.fields where form.has("v_\(asked.field)") {
            guard let field = place.declaration.field(asked.field) else { continue }
            values[asked.field] = FormText.typed(form["v_\(asked.field)"], field)
        }
        // From an entry's own page one comes back to it.
        let entry = step.fields.first { place.declaration.field($0.field)?.kind == .catalogueEntry }
        let back = form["back"] == "entry" ? entry.flatMap { values[$0.field] }.map(Entry.slug) : nil
        func sent(_ number: String) -> Response {
            let number = FormText.encoded(number)
            return .redirect(
                back.map { "/resources/\(FormText.encoded($0))?sent=\(number)#\(place.system.id)" }
                    ?? "\(SystemPages.path(place))/new?step=\(step.key)&sent=\(number)"
            )
        }
        // A field that people do not see: what is written there was written by a machine.
        guard form["website"].isEmpty else { return sent("-") }
        do {
            return sent(try await send(StepRequest(place.code, step: step.key, values: values), web).number)
        } catch let problem as Problem where (400..<500).contains(problem.status) && problem.status != 401 {
            let page = try await page(step, place, web, typed: form, problem: problem)
            return .page(page, status: .init(code: problem.status))
        }
    }

    // MARK: The form

    static func page(
        _ step: FlowStep,
        _ place: SystemPlace,
        _ web: WebRequest,
        typed: Form? = nil,
        problem: Problem? = nil
    ) async throws -> HTML {
        let title = step.title[web.language]
        let alert: HTML =
            problem.map {
                let hint: HTML = $0.hint.map { "<p>\($0[web.language])</p>" } ?? .empty
                return "<div class=\"alert\" role=\"alert\"><p>\($0.message[web.language])</p>\(hint)</div>"
            } ?? .empty
        let about = place.system.declaration.description[web.language]
        return Layout.page(
            title,
            web,
            """
            <div class="wrap"><header class="title"><h1>\(place.system.declaration.title[web.language])</h1><p class="muted">\(about)</p></header>\(thanks(web))\(alert)
            <section class="card"><h2>\(title)</h2>\(try await form(step, place, web, typed: typed))</section></div>
            """
        )
    }

    /// What was sent has a number.
    static func thanks(_ web: WebRequest) -> HTML {
        guard let number = web.query("sent"), number.utf8.count <= 60,
            number.utf8.allSatisfy({ byte in
                byte == 0x2D || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
            })
        else { return .empty }
        let told = number == "-" ? "" : web.text(" 编号：\(number)", " Number: \(number)")
        return
            "<p class=\"good-text\" role=\"status\">\(web.text("已提交，提供方会答复。", "Sent; it will be answered."))\(told)</p>"
    }

    /// The step's form for everybody; `entry` is the entry of the catalogue on whose page it stands.
    static func form(
        _ step: FlowStep,
        _ place: SystemPlace,
        _ web: WebRequest,
        entry: String? = nil,
        typed: Form? = nil
    ) async throws -> HTML {
        let declared = place.declaration
        var short: [HTML] = []
        var long: [HTML] = []
        var hidden: HTML = web.token == nil ? .empty : Layout.csrf(web)
        if entry != nil || typed?["back"] == "entry" {
            hidden = "\(hidden)<input type=\"hidden\" name=\"back\" value=\"entry\">"
        }
        for asked in step.fields {
            guard let field = declared.field(asked.field) else { continue }
            if let entry, field.kind == .catalogueEntry {
                hidden = "\(hidden)<input type=\"hidden\" name=\"v_\(field.name)\" value=\"\(entry)\">"
                continue
            }
            let isRequired = asked.isRequired || field.required
            let control = FormText.control(
                field,
                typed.map { $0["v_\(field.name)"] } ?? web.query(field.name) ?? "",
                isRequired: isRequired,
                choices: try await FormText.choices(declared, field, web),
                web
            )
            let label = declared.label(field, web.language) + (isRequired ? " *" : "")
            let isLong = field.type == .text && field.kind == nil && (field.maximumLength ?? 0) > 100
            let line = Layout.field(label, control, hint: FormText.hint(field, web))
            if isLong { long.append(line) } else { short.append(line) }
        }
        return """
            <form method="post" action="\(SystemPages.path(place))/new" class="stack">\(hidden)<input type="hidden" name="step" value="\(step.key)"><input type="hidden" name="public" value="1">
            \(short.isEmpty ? .empty : "<div class=\"grid\">\(short)</div>" as HTML)\(long)
            <div class="apart" aria-hidden="true"><input name="website" tabindex="-1" autocomplete="off" aria-label="website"></div>
            <div><button>\(web.text("提交", "Send"))</button></div></form>
            """
    }
}
