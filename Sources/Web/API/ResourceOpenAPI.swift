import Basics
import Catalogue
import Kernel
import Tabular

/// The OpenAPI 3.1 description of one resource: its own fields, as the caller sees them.
enum ResourceOpenAPI {
    static func document(_ entry: Entry, _ access: [FieldAccess], _ web: WebRequest) -> JSONValue {
        let base = "/api/v1/resources/\(entry.slug)"
        let names = access.map { JSONValue.string($0.field.name) }
        let sortable = access.filter {
            $0.mask == nil && ($0.field.indexed || $0.field.unique) && $0.field.type != .point
                && $0.field.type != .geometry
        }.map(\.field.name)
        let filter = parameter(
            "filter",
            web.text("CQL2 条件", "a condition in CQL2"),
            .object([.init("type", "string"), .init("maxLength", 8000)]),
            example: example(access).map { .string($0) }
        )
        let fields = parameter(
            "fields",
            web.text("要返回的字段，逗号分隔", "the fields wanted, with commas"),
            .object([
                .init("type", "array"),
                .init("items", .object([.init("type", "string"), .init("enum", .array(names))])),
            ]),
            more: [.init("style", "form"), .init("explode", false)]
        )
        let sort = parameter(
            "sort",
            web.text("排序字段，降序加 -", "the field to sort by, - before it for descending"),
            .object(
                [.init("type", "string")]
                    + (sortable.isEmpty
                        ? [] : [.init("enum", .array(sortable.flatMap { [.string($0), .string("-" + $0)] }))])
            )
        )
        let limit = parameter(
            "limit",
            web.text("每页行数", "rows of a page"),
            .object([.init("type", "integer"), .init("minimum", 1), .init("maximum", 10_000), .init("default", 100)])
        )
        let cursor = parameter(
            "cursor",
            web.text("上一页的 next", "next of the page before"),
            .object([.init("type", "string")])
        )
        let count = parameter(
            "count",
            web.text("exact：同时计数", "exact: count as well"),
            .object([.init("type", "string"), .init("enum", .array(["exact"]))])
        )
        let page = JSONValue.object([
            .init("type", "object"), .init("required", .array(["records", "next"])),
            .init(
                "properties",
                .object([
                    .init(
                        "records",
                        .object([
                            .init("type", "array"),
                            .init("items", .object([.init("$ref", "#/components/schemas/Record")])),
                        ])
                    ),
                    .init("next", .object([.init("type", .array(["string", "null"]))])),
                    .init("count", .object([.init("type", "integer")])),
                    .init("masked", .object([.init("type", "object")])),
                ])
            ),
        ])
        let csv = JSONValue.object([.init("type", "string")])
        return .object([
            .init("openapi", "3.1.0"),
            .init(
                "info",
                .object([
                    .init("title", .string(entry.content?.name ?? entry.slug)),
                    .init("description", .string(entry.content?.summary ?? "")), .init("version", "1"),
                ])
            ),
            .init("servers", .array([.object([.init("url", .string(web.origin))])])),
            .init(
                "paths",
                .object([
                    .init(
                        base + "/records",
                        .object([
                            .init(
                                "get",
                                operation(
                                    "records",
                                    web.text("一页记录", "a page of rows"),
                                    [fields, filter, sort, limit, cursor, count],
                                    [("application/json", page)]
                                )
                            )
                        ])
                    ),
                    .init(
                        base + "/records.csv",
                        .object([
                            .init(
                                "get",
                                operation(
                                    "download",
                                    web.text("下载", "the rows as a file"),
                                    [fields, filter, sort],
                                    [("text/csv", csv)]
                                )
                            )
                        ])
                    ),
                    .init(
                        base + "/aggregate",
                        .object([
                            .init(
                                "get",
                                operation(
                                    "aggregate",
                                    web.text("分组统计", "groups and their measures"),
                                    [
                                        parameter(
                                            "group",
                                            web.text("分组字段或 month(字段)", "fields, or month(field)"),
                                            .object([.init("type", "string")])
                                        ),
                                        parameter(
                                            "measure",
                                            "count, sum(x), mean(x), min(x), max(x), distinct(x), p95(x)",
                                            .object([.init("type", "string"), .init("default", "count")])
                                        ), filter,
                                    ],
                                    [("application/json", .object([.init("type", "object")]))]
                                )
                            )
                        ])
                    ),
                ])
            ),
            .init(
                "components",
                .object([
                    .init(
                        "schemas",
                        .object([
                            .init("Record", .object(DescriptionsAPI.record(access))),
                            .init("Problem", OpenAPI.problem),
                        ])
                    ),
                    .init("securitySchemes", OpenAPI.security),
                ])
            ),
            .init("security", .array([.object([]), .object([.init("key", .array([]))])])),
        ])
    }

    /// A filter that the resource answers: by a code where it has one.
    private static func example(_ access: [FieldAccess]) -> String? {
        let open = access.filter { $0.mask == nil }.map(\.field)
        if let field = open.first(where: { $0.type == .text && !$0.codes.isEmpty }), let code = field.codes.first {
            return "\(field.name) = '\(code.value.replacing("'", with: "''"))'"
        }
        return open.first { $0.type == .integer || $0.type == .real || $0.type == .decimal }.map { "\($0.name) > 0" }
    }

    private static func parameter(
        _ name: String,
        _ description: String,
        _ schema: JSONValue,
        example: JSONValue? = nil,
        more: [JSONValue.Member] = []
    ) -> JSONValue {
        .object(
            [
                .init("name", .string(name)), .init("in", "query"), .init("required", false),
                .init("description", .string(description)), .init("schema", schema),
            ] + (example.map { [.init("example", $0)] } ?? []) + more
        )
    }

    private static func operation(
        _ id: String,
        _ summary: String,
        _ parameters: [JSONValue],
        _ contents: [(String, JSONValue)]
    ) -> JSONValue {
        .object([
            .init("operationId", .string(id)), .init("summary", .string(summary)),
            .init("parameters", .array(parameters)),
            .init(
                "responses",
                .object([
                    .init(
                        "200",
                        .object([
                            .init("description", "OK"),
                            .init(
                                "content",
                                .object(contents.map { .init($0.0, .object([.init("schema", $0.1)])) })
                            ),
                        ])
                    ),
                    .init("304", .object([.init("description", "Not Modified")])),
                    .init("default", OpenAPI.failure),
                ])
            ),
        ])
    }
}
