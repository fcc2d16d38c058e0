import Codes
import Basics
import Catalogue
import Hummingbird
import Kernel
import Quality
import Tabular

/// `/api/v1/resources`: entries and their life.
enum CatalogueAPI {
    static let routes: [Route] = [
        Route(
            .get,
            "/api/v1/resources",
            .actions(["catalogue.search"]),
            zh: "检索目录",
            en: "Search the catalogue",
            handle: search
        ),
        Route(
            .post,
            "/api/v1/resources",
            .actions(["catalogue.create"]),
            .console,
            zh: "新建条目",
            en: "Create an entry",
            handle: create
        ),
        Route(
            .get,
            "/api/v1/resources/{code}",
            .actions(["catalogue.show"]),
            zh: "查看条目",
            en: "Show an entry",
            handle: show
        ),
        Route(
            .put,
            "/api/v1/resources/{code}",
            .actions(["catalogue.save"]),
            .console,
            zh: "保存草稿",
            en: "Save a draft",
            handle: save
        ),
        Route(
            .post,
            "/api/v1/resources/{code}/submit",
            .actions(["catalogue.submit"]),
            .console,
            zh: "提交审核",
            en: "Submit for review"
        ) { web in
            let code = try web.code()
            let note = try await web.json()["note"]?.string ?? ""
            return .json(json(try await web.perform(web.services.catalogue.submit, (code, note)), web))
        },
        Route(
            .post,
            "/api/v1/resources/{code}/review",
            .actions(["catalogue.review_department", "catalogue.review_authority"]),
            .console,
            zh: "审核：stage 为 department 或 authority",
            en: "Review: stage is department or authority",
            handle: review
        ),
        Route(
            .post,
            "/api/v1/resources/{code}/withdraw",
            .actions(["catalogue.withdraw"]),
            .console,
            zh: "下线",
            en: "Withdraw"
        ) { web in
            let code = try web.code()
            let note = try await web.json()["note"]?.string ?? ""
            return .json(json(try await web.perform(web.services.catalogue.withdraw, (code, note)), web))
        },
        Route(
            .get,
            "/api/v1/resources/{code}/schema",
            .actions(["catalogue.show"]),
            zh: "表结构(Table Schema)",
            en: "Table Schema"
        ) { web in
            let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
            return .json(TableSchema.write(entry.visibleSchema(web)))
        },
        Route(.get, "/api/v1/resources/{code}/quality", .actions(["quality.show"]), zh: "质量评分", en: "Scorecards") {
            web in
            let cards = try await web.perform(web.services.quality.show, (try web.code(), web.limit(20, 100)))
            return .json(.object([.init("scorecards", .array(cards.map(\.json)))]))
        },
        Route(.get, "/api/v1/work", .actions(["catalogue.work"]), .console, zh: "编目工作列表", en: "Entries at work") {
            web in
            let stage = web.query("stage").flatMap(EntryStage.init(rawValue:))
            let entries = try await web.perform(web.services.catalogue.work, (stage, web.limit(50, 500)))
            return .json(.object([.init("entries", .array(entries.map { json($0, web) }))]))
        },
    ]

    static func search(_ web: WebRequest) async throws -> Response {
        let hits = try await web.perform(web.services.catalogue.search, PublicPages.query(web))
        func facet(_ counts: [FacetCount]) -> JSONValue {
            .array(
                counts.prefix(50).map {
                    .object([.init("value", .string($0.value)), .init("count", .integer(Int64($0.count)))])
                }
            )
        }
        return .json(
            .object([
                .init("total", .integer(Int64(hits.total))),
                .init("entries", .array(hits.entries.map { json($0, web, brief: true) })),
                .init(
                    "facets",
                    .object([
                        .init("category", facet(hits.categories)), .init("provider", facet(hits.providers)),
                        .init("frequency", facet(hits.frequencies)), .init("format", facet(hits.formats)),
                    ])
                ),
            ])
        )
    }

    static func create(_ web: WebRequest) async throws -> Response {
        let body = try await web.json()
        let storage = body["storage"]?.string.flatMap(Resource.Storage.init(rawValue:)) ?? .lake
        let entry = try await web.perform(web.services.catalogue.create, (try EntryContent(body), storage))
        return .json(json(entry, web), status: .created)
    }

    static func show(_ web: WebRequest) async throws -> Response {
        let (entry, events) = try await web.perform(web.services.catalogue.show, try web.code())
        guard case .object(var members) = json(entry, web) else { return .json(.null) }
        if !events.isEmpty {
            members.append(
                .init(
                    "events",
                    .array(
                        events.map {
                            .object([
                                .init("at", .string(CivilTime.timestamp($0.at))), .init("what", .string($0.what)),
                                .init("note", .string($0.note)),
                            ])
                        }
                    )
                )
            )
        }
        return .json(.object(members))
    }

    static func save(_ web: WebRequest) async throws -> Response {
        let content = try EntryContent(try await web.json())
        return .json(json(try await web.perform(web.services.catalogue.save, (try web.code(), content)), web))
    }

    static func review(_ web: WebRequest) async throws -> Response {
        let body = try await web.json()
        let review = CatalogueActions.Review(
            code: try web.code(),
            approve: body["approve"]?.boolean ?? false,
            note: body["note"]?.string ?? ""
        )
        let action =
            body["stage"]?.string == "authority"
            ? web.services.catalogue.reviewForAuthority : web.services.catalogue.reviewForDepartment
        return .json(json(try await web.perform(action, review), web))
    }

    /// An entry as the API gives it.
    static func json(_ entry: Entry, _ web: WebRequest, brief: Bool = false) -> JSONValue {
        let content = entry.published ?? entry.draft
        let provider = web.services.kernel.gate.organisations[entry.resource.owner]
        var members: [JSONValue.Member] = [
            .init("id", .string(entry.slug)), .init("code", .string(entry.resource.code)),
            .init("name", .string(content?.name ?? entry.resource.name)),
            .init("summary", .string(content?.summary ?? "")), .init("provider", .string(provider?.name ?? "")),
            .init("provider_code", .string(provider?.creditCode ?? "")),
            .init("category", .string(content?.category ?? "")),
            .init("state", .string(entry.resource.state.rawValue)), .init("stage", .string(entry.stage.rawValue)),
            .init("version", .integer(entry.version)),
            .init("open", .boolean(entry.resource.isOpen)),
            .init("frequency", .string(content?.frequency.rawValue ?? "")),
            .init("rows", .integer(entry.rows)),
            .init("data_updated", entry.dataAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
            .init("published", entry.publishedAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
            .init("score", entry.score.map { .real(($0 * 10).rounded() / 10) } ?? .null),
        ]
        if brief { return .object(members) }
        if let content, let keywords = content.json["keywords"] { members.append(.init("keywords", keywords)) }
        members.append(.init("grade", .integer(Int64(entry.resource.grade.rawValue))))
        let resource = entry.resource
        let fields = entry.visibleSchema(web).fields.map { field -> JSONValue in
            let index = resource.schema.index(field.name) ?? 0
            return .object([
                .init("name", .string(field.name)), .init("title", .string(field.title)),
                .init("type", .string(field.type.rawValue)),
                .init("unit", .string(field.unit)), .init("kind", field.kind.map { .string($0.rawValue) } ?? .null),
                .init("grade", .integer(Int64(field.grade.rawValue))),
                .init("sharing", .integer(Int64(resource.sharing(index).rawValue))),
                .init("openness", .integer(Int64(resource.openness(index).rawValue))),
                .init("key", .boolean(resource.schema.key.contains(field.name))),
            ])
        }
        members.append(.init("items", .array(fields)))
        if let draft = entry.draft { members.append(.init("draft", draft.json)) }
        return .object(members)
    }
}

extension Entry {
    /// The schema as the caller may know it: the public sees the items that are open.
    func visibleSchema(_ web: WebRequest) -> Schema {
        var schema = resource.schema
        guard web.principal == nil else { return schema }
        let open = Set(schema.fields.enumerated().filter { resource.openness($0.offset) != .none }.map(\.element.name))
        schema.fields = schema.fields.filter { open.contains($0.name) }
        schema.key = schema.key.filter { open.contains($0) }
        schema.rules = []
        schema.foreignKeys = []
        return schema
    }
}

extension WebRequest {
    /// The resource of the path.
    func code() throws -> String { Entry.code(slug: try parameter("code")) }
}
