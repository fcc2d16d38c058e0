import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// `/api/v1/standards`: data elements, code lists and classification trees.
enum StandardsAPI {
    static let routes: [Route] = [
        Route(.get, "/api/v1/standards", .actions(["standards.list"]), zh: "数据标准", en: "Standards") { web in
            .json(try await web.perform(web.services.catalogue.standards, ()).json)
        },
        Route(
            .post,
            "/api/v1/standards",
            .actions(["standards.save"]),
            .console,
            zh: "维护数据标准：elements、code_lists、trees",
            en: "Save standards: elements, code_lists, trees"
        ) { web in
            let items = StandardKind.items(try await web.json())
            guard !items.isEmpty else {
                throw Problem(
                    "standard.invalid",
                    status: 422,
                    zh: "数据标准有误：没有 elements、code_lists 或 trees。",
                    en: "The standard is not right: there are no elements, code_lists or trees."
                )
            }
            let changed = try await web.perform(web.services.catalogue.saveStandards, items)
            return .json(.object([.init("changed", .integer(Int64(changed)))]))
        },
        Route(
            .post,
            "/api/v1/standards/compose",
            .actions(["standards.list"]),
            .console,
            zh: "由数据元组成数据结构：fields 的 name 与 element",
            en: "Compose a schema of elements: name and element of fields"
        ) { web in
            let body = try await web.json()
            let registry = try await web.perform(web.services.catalogue.standards, ())
            let fields = try (body["fields"]?.array ?? []).map { item -> Field in
                let name = item["name"]?.string ?? ""
                guard let element = registry.elements[item["element"]?.string ?? ""] else { throw unknown(name) }
                return registry.compose(Field(name), from: element)
            }
            let schema = Schema(fields: fields)
            try schema.validate()
            return .json(TableSchema.write(schema))
        },
        Route(
            .get,
            "/api/v1/resources/{code}/conformance",
            .actions(["catalogue.show", "standards.list"]),
            zh: "条目的贯标情况",
            en: "How an entry follows the standards"
        ) { web in
            let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
            let registry = try await web.perform(web.services.catalogue.standards, ())
            let schema = entry.content?.schema ?? Schema(fields: [])
            let deviations = registry.deviations(schema).map {
                JSONValue.object([
                    .init("field", .string($0.field)), .init("element", .string($0.element)),
                    .init("message", .string($0.message[web.language])),
                ])
            }
            return .json(
                .object([
                    .init("items", .integer(Int64(schema.fields.count))),
                    .init("bound", .integer(Int64(schema.fields.count { !$0.element.isEmpty }))),
                    .init("deviations", .array(deviations)),
                ])
            )
        },
    ]

    static func unknown(_ name: String) -> Problem {
        Problem(
            "standard.unknown",
            status: 422,
            zh: "字段“\(name)”所用的数据元不在标准库中。",
            en: "The element of the field “\(name)” is not in the registry."
        )
    }
}
