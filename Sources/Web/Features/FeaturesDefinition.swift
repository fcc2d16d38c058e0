import Basics
import Geo

/// The definition of `/ogc` in OpenAPI 3.0: programs of geography read no later one.
enum FeaturesDefinition {
    static func document(_ web: WebRequest) -> JSONValue {
        func parameter(
            _ name: String,
            _ schema: JSONValue,
            place: String = "query",
            required: Bool = false
        ) -> JSONValue {
            .object([
                .init("name", .string(name)), .init("in", .string(place)), .init("required", .boolean(required)),
                .init("schema", schema),
            ])
        }
        let text = JSONValue.object([.init("type", "string")])
        let system = JSONValue.object([
            .init("type", "string"), .init("format", "uri"),
            .init("enum", .array(CoordinateSystem.allCases.map { .string($0.uri(at: web.origin)) })),
        ])
        let limit = JSONValue.object([
            .init("type", "integer"), .init("minimum", 1), .init("maximum", 10_000), .init("default", 10),
        ])
        let numbers = JSONValue.object([
            .init("type", "array"), .init("minItems", 4), .init("maxItems", 6),
            .init("items", .object([.init("type", "number")])),
        ])
        let language = JSONValue.object([
            .init("type", "string"), .init("enum", .array(["cql2-text", "cql2-json"])), .init("default", "cql2-text"),
        ])
        let collection = parameter("collectionId", text, place: "path", required: true)
        let items = [
            collection, parameter("limit", limit), parameter("bbox", numbers), parameter("bbox-crs", system),
            parameter("crs", system),
            parameter("datetime", text), parameter("filter", text), parameter("filter-lang", language),
            parameter("filter-crs", system), parameter("sortby", text), parameter("properties", text),
            parameter("cursor", text),
            parameter("q", text), parameter("ids", text), parameter("externalIds", text), parameter("type", text),
            parameter("offset", .object([.init("type", "integer"), .init("minimum", 0)])),
            parameter("count", .object([.init("type", "string"), .init("enum", .array(["exact"]))])),
        ]
        let feature = [
            collection, parameter("featureId", text, place: "path", required: true), parameter("crs", system),
        ]
        func operation(_ summary: String, _ type: String, _ parameters: [JSONValue] = []) -> JSONValue {
            let content = JSONValue.object([.init(type, .object([.init("schema", .object([.init("type", "object")]))]))]
            )
            let problem = JSONValue.object([
                .init("application/problem+json", .object([.init("schema", .object([.init("type", "object")]))]))
            ])
            return .object([
                .init(
                    "get",
                    .object([
                        .init("summary", .string(summary)), .init("parameters", .array(parameters)),
                        .init(
                            "responses",
                            .object([
                                .init("200", .object([.init("description", "OK"), .init("content", content)])),
                                .init(
                                    "400",
                                    .object([.init("description", "Bad request"), .init("content", problem)])
                                ),
                                .init("404", .object([.init("description", "Not found"), .init("content", problem)])),
                            ])
                        ),
                    ])
                )
            ])
        }
        let json = "application/json"
        return .object([
            .init("openapi", "3.0.3"),
            .init(
                "info",
                .object([
                    .init("title", .string(web.services.settings.title[web.language])), .init("version", "1.0.0"),
                    .init("license", .object([.init("name", "Apache-2.0")])),
                ])
            ),
            .init("servers", .array([.object([.init("url", .string(FeaturesAPI.base(web)))])])),
            .init(
                "paths",
                .object([
                    .init("/", operation("landing page", json)), .init("/conformance", operation("conformance", json)),
                    .init("/functions", operation("functions", json)),
                    .init("/collections", operation("collections", json)),
                    .init("/collections/{collectionId}", operation("collection", json, [collection])),
                    .init(
                        "/collections/{collectionId}/queryables",
                        operation("queryables", "application/schema+json", [collection])
                    ),
                    .init(
                        "/collections/{collectionId}/schema",
                        operation("schema", "application/schema+json", [collection])
                    ),
                    .init("/collections/{collectionId}/items", operation("features", "application/geo+json", items)),
                    .init(
                        "/collections/{collectionId}/items/{featureId}",
                        operation("feature", "application/geo+json", feature)
                    ),
                ])
            ),
        ])
    }
}
