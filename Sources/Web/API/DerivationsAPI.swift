import Basics
import Catalogue
import Derive
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// `/api/v1/derivations` and what belongs to one resource: rows made of other resources' rows, and lineage.
enum DerivationsAPI {
    private static let one = "/api/v1/resources/{code}/derivation"

    static let routes: [Route] = [
        Route(
            .get,
            "/api/v1/derivations",
            .actions(["derivation.list"]),
            .console,
            zh: "派生资源列表",
            en: "Derived resources"
        ) { web in
            let list = try await web.perform(web.services.derivations.listed, ())
            return .json(.object([.init("derivations", .array(list.map { json($0, web) }))]))
        },
        Route(
            .post,
            "/api/v1/derivations",
            .actions(["derivation.preview", "catalogue.create", "derivation.save"]),
            .console,
            zh: "新建派生资源：目录条目的内容加 derivation",
            en: "Make a derived resource: an entry's content and its derivation"
        ) { web in
            let body = try await web.json()
            let definition = try Derivation(json: body["derivation"] ?? .null)
            let entry = try await create(body, definition, web)
            return .json(.object([.init("id", .string(entry.slug))]), status: .created)
        },
        Route(
            .post,
            "/api/v1/derivations/preview",
            .actions(["derivation.preview"]),
            .console,
            zh: "试算派生：字段与前若干行(rows)",
            en: "Try a derivation: its fields and first rows (rows)"
        ) { web in
            let body = try await web.json()
            let rows = Int(clamping: body["rows"]?.integer ?? 20)
            let preview = try await web.perform(
                web.services.derivations.preview,
                (try Derivation(json: body), max(0, rows))
            )
            var out = Array("{\"schema\":\(TableSchema.write(Schema(fields: preview.fields)).text)".utf8)
            if let batch = preview.rows {
                out.append(contentsOf: ",\"rows\":".utf8)
                var writer = JSONBatchWriter(fields: batch.fields, lines: false)
                writer.begin(into: &out)
                writer.write(batch, into: &out)
                writer.end(into: &out)
            }
            out.append(contentsOf: "}\n".utf8)
            return .bytes(out, type: "application/json")
        },
        Route(.get, one, .actions(["derivation.show"]), .console, zh: "派生定义", en: "A resource's derivation") { web in
            .json(json(try await web.perform(web.services.derivations.show, try web.code()), web))
        },
        Route(
            .put,
            one,
            .actions(["derivation.save"]),
            .console,
            zh: "保存派生定义",
            en: "Say how a resource's rows are made"
        ) { web in
            let definition = try Derivation(json: try await web.json())
            try await web.perform(web.services.derivations.saved, (try web.code(), definition))
            return .json(.object([.init("id", .string(Entry.slug(try web.code())))]))
        },
        Route(
            .delete,
            one,
            .actions(["derivation.remove"]),
            .console,
            zh: "删除派生定义(数据保留)",
            en: "Take a derivation away; the rows stay"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.derivations.removed, try web.code())
            return .json(.object([]))
        },
        Route(
            .post,
            one + "/runs",
            .actions(["derivation.refresh"]),
            .console,
            zh: "立即重算",
            en: "Make the rows now"
        ) { web in
            try web.checkHeader()
            let job = try await web.perform(web.services.derivations.refreshed, try web.code())
            return .json(.object([.init("job", .integer(job))]), status: .accepted)
        },
        Route(
            .get,
            "/api/v1/resources/{code}/lineage",
            .actions(["derivation.lineage"]),
            zh: "数据血缘",
            en: "Lineage both ways"
        ) { web in .json(json(try await web.perform(web.services.derivations.lineage, try web.code()))) },
    ]

    /// Makes the entry, with the items that the definition makes, and gives it the definition.
    static func create(_ body: JSONValue, _ definition: Derivation, _ web: WebRequest) async throws -> Entry {
        let preview = try await web.perform(web.services.derivations.preview, (definition, 0))
        let schema = Schema(fields: preview.fields, key: definition.key)
        var members = (body.members ?? []).filter { !["schema", "items", "derivation"].contains($0.name) }
        members.append(.init("schema", TableSchema.write(schema)))
        members.append(
            .init(
                "items",
                .array(preview.sharing.map { .object([.init("sharing", .integer(Int64($0.rawValue)))]) })
            )
        )
        members.append(.init("related", .array(definition.sources.map { .string($0.code) })))
        let content = try EntryContent(.object(members))
        // Told before there is an entry that nobody can fill.
        guard web.services.derivations.maySave(for: content.provider, web.caller) else {
            throw Problem(
                "access.denied",
                status: 403,
                zh: "只能为有权加载数据的部门建立派生资源。",
                en: "Derived resources are made for departments whose data you may load."
            )
        }
        let entry = try await web.perform(web.services.catalogue.create, (content, .lake))
        try await web.perform(web.services.derivations.saved, (entry.resource.code, definition))
        return entry
    }

    static func json(_ record: DerivationRecord, _ web: WebRequest) -> JSONValue {
        .object([
            .init("resource", .string(record.resource.code)), .init("name", .string(record.resource.name)),
            .init("derivation", record.definition.json),
            .init("made", record.madeAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
            .init(
                "problem",
                record.problem.map {
                    .object([.init("code", .string($0.code)), .init("title", .string($0.message[web.language]))])
                } ?? .null
            ),
        ])
    }

    private static func json(_ lineage: Lineage) -> JSONValue {
        .object([
            .init(
                "nodes",
                .array(
                    lineage.nodes.map { node in
                        .object([
                            .init("id", .integer(node.id.raw)),
                            .init("resource", node.resource.map { .string($0.code) } ?? .null),
                            .init("name", node.resource.map { .string($0.name) } ?? .null),
                            .init("level", .integer(Int64(node.level))),
                        ])
                    }
                )
            ),
            .init(
                "edges",
                .array(
                    lineage.edges.map { edge in
                        .object([
                            .init("from", .integer(edge.from.raw)), .init("to", .integer(edge.to.raw)),
                            .init(
                                "fields",
                                .array(
                                    edge.links.map { link in
                                        .object([
                                            .init("source", .string(link.source)),
                                            .init("field", link.field.isEmpty ? .null : .string(link.field)),
                                            .init("use", .string(link.use.rawValue)),
                                        ])
                                    }
                                )
                            ),
                        ])
                    }
                )
            ), .init("cut", .boolean(lineage.isCut)),
        ])
    }
}
