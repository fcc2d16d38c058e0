import Harvest
import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel

/// `/api/v1/harvests`: other catalogues that this one follows.
enum HarvestsAPI {
    static let routes: [Route] = [
        Route(.get, "/api/v1/harvests", .actions(["harvest.list"]), .console, zh: "目录汇聚列表", en: "Harvests") { web in
            let list = try await web.perform(web.services.harvests.listed, ())
            return .json(.object([.init("harvests", .array(list.map(json)))]))
        },
        Route(.post, "/api/v1/harvests", .actions(["harvest.save"]), .console, zh: "新建目录汇聚", en: "Add a harvest") {
            web in
            let harvest = try CatalogueHarvest(json: try await web.json())
            let id = try await web.perform(web.services.harvests.saved, harvest)
            return .json(.object([.init("id", .integer(id))]), status: .created)
        },
        Route(
            .put,
            "/api/v1/harvests/{id}",
            .actions(["harvest.save"]),
            .console,
            zh: "修改目录汇聚",
            en: "Change a harvest"
        ) { web in
            let id = try web.number("id")
            _ = try await web.perform(
                web.services.harvests.saved,
                try CatalogueHarvest(json: try await web.json(), id: id)
            )
            return .json(.object([.init("id", .integer(id))]))
        },
        Route(
            .delete,
            "/api/v1/harvests/{id}",
            .actions(["harvest.remove"]),
            .console,
            zh: "删除目录汇聚(已汇聚的条目保留)",
            en: "Take a harvest away; its entries stay"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.harvests.removed, try web.number("id"))
            return .json(.object([]))
        },
        Route(
            .post,
            "/api/v1/harvests/{id}/runs",
            .actions(["harvest.start"]),
            .console,
            zh: "立即汇聚",
            en: "Read the catalogue now"
        ) { web in
            try web.checkHeader()
            let job = try await web.perform(web.services.harvests.started, try web.number("id"))
            return .json(.object([.init("job", .integer(job))]), status: .accepted)
        },
    ]

    static func json(_ harvest: CatalogueHarvest) -> JSONValue {
        .object([
            .init("id", .integer(harvest.id)), .init("name", .string(harvest.name)),
            .init("kind", .string(harvest.kind.rawValue)), .init("address", .string(harvest.address)),
            .init("columns", .string(harvest.columns)), .init("provider", .integer(harvest.provider.raw)),
            .init("category", .string(harvest.category)), .init("publishes", .boolean(harvest.publishes)),
            .init("hours", .integer(harvest.hours)), .init("enabled", .boolean(harvest.isEnabled)),
            .init("last", harvest.lastAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
            .init("report", harvest.report?.json ?? .null),
            .init("problem", harvest.problem.map { .string($0) } ?? .null),
        ])
    }
}
