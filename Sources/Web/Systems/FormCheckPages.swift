import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// What a step's form asks of the checker while it is filled in.
enum FormCheckPages {
    static let routes: [Route] = [
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/check",
            .actions(["flow.check"]),
            .console,
            zh: "检查步骤的填写内容",
            en: "Check what a step's form holds",
            handle: check
        )
    ]

    /// `{"step": "file", "record": 12, "values": {"code": "text"}}` answers
    /// `{"findings": [{"field", "severity", "message", "suggestion"}], "explained": {"code": "…"}, "filled": {"name": "…"}}`.
    private static func check(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let body = try await web.json()
        guard let step = body["step"]?.string else {
            throw Problem("request.malformed", zh: "缺少 step。", en: "`step` is missing.")
        }
        var values: [String: String] = [:]
        for (name, text) in body["values"]?.typed ?? [:] {
            guard let field = place.declaration.field(name) else { continue }
            values[name] = FormText.typed(text, field)
        }
        let reading = try await web.perform(
            web.services.flows.check,
            FormContent(place.code, record: body["record"]?.integer, step: step, values: values)
        )
        let found = reading.findings
        // A valid identifier is told in words, where nothing was found about it.
        var explained: [JSONValue.Member] = []
        for (name, text) in values.sorted(by: { $0.key < $1.key }) where !found.contains(where: { $0.field == name }) {
            guard let field = place.declaration.field(name), !text.isEmpty else { continue }
            let parts = Flows.explained(text, field).map { "\($0.name[web.language]) \($0.value)" }
            if !parts.isEmpty {
                explained.append(.init(name, .string(parts.joined(separator: web.text("，", ", ")))))
            }
        }
        var response = Response.json(
            .object([
                .init(
                    "findings",
                    .array(
                        found.map { finding in
                            .object([
                                .init("field", .string(finding.field)),
                                .init("severity", .string(finding.severity.rawValue)),
                                .init("message", .string(finding.message[web.language])),
                                .init("suggestion", finding.suggestion.map { .string($0[web.language]) } ?? .null),
                            ])
                        }
                    )
                ),
                .init("explained", .object(explained)),
                .init(
                    "filled",
                    .object(reading.filled.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
                ),
            ])
        )
        response.headers[.cacheControl] = "private, no-store"
        return response
    }
}
