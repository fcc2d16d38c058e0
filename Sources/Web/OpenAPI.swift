import HTTPTypes
import Basics

/// The API's description (OpenAPI 3.1), made from the route table.
enum OpenAPI {
    static func document(_ routes: [Route], _ web: WebRequest) -> JSONValue {
        var paths: [(String, [JSONValue.Member])] = []
        // CKAN's actions describe themselves, as CKAN's clients know them.
        for route in routes where route.isAPI && !route.isAnonymous {
            let operation = JSONValue.Member(route.method.rawValue.lowercased(), operation(route, web.language))
            if let index = paths.firstIndex(where: { $0.0 == route.path }) {
                paths[index].1.append(operation)
            } else {
                paths.append((route.path, [operation]))
            }
        }
        return .object([
            .init("openapi", "3.1.0"),
            .init(
                "info",
                .object([
                    .init("title", .string(web.services.settings.title[web.language])),
                    .init("version", .string("1.0.0")),
                    .init(
                        "description",
                        .string(
                            web.text(
                                "正文中的 null 等同于不填写（记录和步骤的字段值除外：清空该字段）；未声明的参数一律拒绝(request.body)。",
                                "Null in a body is as good as leaving the member out, but for values of fields in records and steps, which it empties; members that are not declared are refused (request.body)."
                            )
                        )
                    ),
                    .init("license", .object([.init("name", "Apache-2.0"), .init("identifier", "Apache-2.0")])),
                ])
            ),
            .init("paths", .object(paths.map { .init($0.0, .object($0.1)) })),
            .init(
                "components",
                .object([
                    .init(
                        "schemas",
                        .object(
                            [.init("Problem", problem)]
                                + DeclaredBody.shared.map {
                                    .init($0.name, DeclaredBody.told($0.value, web.language))
                                }
                        )
                    ),
                    .init("securitySchemes", security),
                ])
            ),
        ])
    }

    /// What every operation may answer instead (RFC 9457).
    static let problem: JSONValue = .object([
        .init("type", "object"), .init("required", .array(["code", "title", "status"])),
        .init(
            "properties",
            .object([
                .init("type", .object([.init("type", "string")])), .init("code", .object([.init("type", "string")])),
                .init("title", .object([.init("type", "string")])),
                .init("status", .object([.init("type", "integer")])),
                .init("hint", .object([.init("type", "string")])),
                .init("details", .object([.init("type", "object")])),
            ])
        ),
    ])

    static let security: JSONValue = .object([
        .init("key", .object([.init("type", "http"), .init("scheme", "bearer")])),
        .init(
            "session",
            .object([
                .init("type", "apiKey"), .init("in", "cookie"), .init("name", "tongqu_session"),
                .init(
                    "description",
                    .string(
                        "POST /api/v1/session; what writes carries its csrf token in the header X-CSRF-Token"
                    )
                ),
            ])
        ),
    ])

    static let failure: JSONValue = .object([
        .init("description", "a problem"),
        .init(
            "content",
            .object([
                .init(
                    "application/problem+json",
                    .object([.init("schema", .object([.init("$ref", "#/components/schemas/Problem")]))])
                )
            ])
        ),
    ])

    private static let more = [
        ("/api/v1/events", ["after", "limit"]), ("/aggregate", ["group", "measure", "filter", "sort", "limit"]),
        ("/difference", ["from", "to", "f"]),
        ("/tiles/{zoom}/{column}/{row}", ["fields", "filter"]),
        (
            "/collections/{code}/items",
            ["limit", "bbox", "bbox-crs", "crs", "datetime", "filter", "filter-lang", "sortby"]
        ),
    ]

    /// What may be asked of rows, by the beginnings of paths.
    private static let asked: [(path: String, names: [String])] = [
        ("/api/v1/resources/{code}/records/", []),
        (
            "/api/v1/resources/{code}/records",
            [
                "fields", "filter", "sort", "cursor", "limit", "offset", "count", "version", "bbox", "bbox-crs",
                "datetime",
            ]
        ),
    ]

    static func operation(_ route: Route, _ language: Language) -> JSONValue {
        let names = route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            String($0.dropFirst().dropLast())
        }
        var parameters = names.map { parameter($0, "path") }
        if route.method == .get, let asked = asked.first(where: { route.path.hasPrefix($0.path) })?.names {
            parameters += asked.map { parameter($0, "query") }
        }
        if route.path == "/api/v1/resources", route.method == .get {
            parameters += ["q", "category", "provider", "frequency", "format", "open", "offset", "limit"].map {
                parameter($0, "query")
            }
        }
        for (end, names) in more where route.path.hasSuffix(end) { parameters += names.map { parameter($0, "query") } }
        let id = (route.method.rawValue.lowercased() + route.path.replacing("/api/v1", with: "")).map {
            $0.isLetter || $0.isNumber ? String($0) : "_"
        }.joined()
        let taken = route.takes?.members(language)
        parameters += taken?.parameters ?? []
        var operation: [JSONValue.Member] = [
            .init("operationId", .string(id)), .init("summary", .string(route.summary[language])),
            .init("parameters", .array(parameters)),
        ]
        if let body = taken?.body { operation.append(.init("requestBody", body)) }
        operation += [
            .init(
                "security",
                .array([.object([]), .object([.init("key", .array([]))]), .object([.init("session", .array([]))])])
            ),
            .init(
                "responses",
                .object([
                    .init("2XX", .object([.init("description", .string(language == .zh ? "成功" : "success"))])),
                    .init("default", failure),
                ])
            ),
        ]
        return .object(operation)
    }

    static func parameter(_ name: String, _ place: String) -> JSONValue {
        .object([
            .init("name", .string(name)), .init("in", .string(place)), .init("required", .boolean(place == "path")),
            .init(
                "schema",
                .object([.init("type", .string(name == "limit" || name == "offset" ? "integer" : "string"))])
            ),
        ])
    }
}
