import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Open

/// The organisations and the open list, for everybody.
enum PortalPages {
    static let routes: [Route] = [
        Route(
            .get,
            "/organisations",
            .actions(["catalogue.search"]),
            zh: "机构",
            en: "Organisations",
            handle: organisations
        ),
        Route(.get, "/openlist", .actions(["open.open_list"]), zh: "开放清单", en: "Open list", handle: openList),
        Route(.get, "/api/v1/openlist", .actions(["open.open_list"]), zh: "开放清单", en: "Open list") { web in
            let list = try await listings(web)
            return .json(
                .object([
                    .init(
                        "resources",
                        .array(
                            list.map {
                                .object([
                                    .init("code", .string($0.code)), .init("name", .string($0.name)),
                                    .init("provider", .string(provider($0.owner, web))),
                                    .init("next_review", $0.nextReview.map { .string(CivilTime.date($0)) } ?? .null),
                                ])
                            }
                        )
                    ), .init("next", list.count == step ? .integer(list.last?.id ?? 0) : .null),
                ])
            )
        },
    ]

    private static let step = 200

    private static func listings(_ web: WebRequest) async throws -> [OpenActions.Listing] {
        try await web.perform(
            web.services.opening.openList,
            (web.query("after").flatMap { Int64($0) } ?? 0, step)
        )
    }

    private static func provider(_ id: OrganisationID, _ web: WebRequest) -> String {
        web.services.kernel.gate.organisations[id]?.name ?? ""
    }

    static func openList(_ web: WebRequest) async throws -> Response {
        let list = try await listings(web)
        let today = CivilTime.chinaDay(microseconds: web.services.kernel.clock.now())
        let rows = list.map { item -> HTML in
            let review: HTML =
                item.nextReview.map { day in
                    let badge = day < today ? Layout.badge(web.text("待复审", "review due"), "fair") : .empty
                    return "<time>\(CivilTime.date(day))</time> \(badge)"
                } ?? "—"
            return
                "<tr><td><a href=\"/resources/\(Entry.slug(item.code))\">\(item.name)</a></td><td><code>\(item.code)</code></td><td>\(provider(item.owner, web))</td><td>\(review)</td></tr>"
        }
        let heads = [
            web.text("数据资源", "Resource"), web.text("代码", "Code"), web.text("提供方", "Provider"),
            web.text("下次复审", "Next review"),
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("开放清单还是空的。", "The open list is empty."))
            : Layout.table(heads, rows, label: web.text("开放清单", "Open list"))
        let more: HTML =
            list.count == step
            ? "<p class=\"pager\"><a href=\"/openlist?after=\(list.last?.id ?? 0)\" rel=\"next\">\(web.text("下一页", "Next"))</a></p>"
            : .empty
        return .page(
            Layout.page(
                web.text("开放清单", "Open list"),
                web,
                """
                <div class="wrap"><header class="title"><h1>\(web.text("公共数据开放清单", "Open list of public data"))</h1><p class="muted">\(web.text("每项数据开放前都经过保密审查及个人信息检查，并定期复审。", "Every item passed a secrecy review and a check for personal information, and is reviewed again."))</p></header>
                <section class="card">\(table)\(more)</section></div>
                """
            )
        )
    }

    /// The tree of organisations, with how many resources of each the caller may find.
    static func organisations(_ web: WebRequest) async throws -> Response {
        let hits = try await web.perform(web.services.catalogue.search, CatalogueQuery(limit: 1))
        let counts = Dictionary(hits.providers.map { ($0.value, $0.count) }, uniquingKeysWith: { $1 })
        let tree = web.services.kernel.gate.organisations
        let children = Dictionary(grouping: tree.sorted, by: \.parent)
        // Branches without any resource are left out for the public.
        func total(_ organisation: Organisation) -> Int {
            (counts[String(organisation.id.raw)] ?? 0)
                + (children[organisation.id] ?? []).reduce(0) { $0 + total($1) }
        }
        func branch(_ parent: OrganisationID?) -> HTML {
            let shown = (children[parent] ?? []).filter { total($0) > 0 }
            guard !shown.isEmpty else { return .empty }
            let items = shown.map { organisation -> HTML in
                let count = counts[String(organisation.id.raw)] ?? 0
                let name: HTML =
                    count > 0
                    ? "<a href=\"/search?provider=\(organisation.id.raw)\">\(organisation.name)</a> \(Layout.badge(String(count)))"
                    : "\(organisation.name)"
                return
                    "<li>\(name) <span class=\"muted\">\(organisation.level.title[web.language])</span>\(branch(organisation.id))</li>"
            }
            return "<ul class=\"tree\">\(items)</ul>"
        }
        let body: HTML =
            hits.total == 0 ? Layout.empty(web.text("还没有开放的数据资源。", "No resources are open yet.")) : branch(nil)
        return .page(
            Layout.page(
                web.text("机构", "Organisations"),
                web,
                """
                <div class="wrap"><header class="title"><h1>\(web.text("按机构查找", "By organisation"))</h1><p class="muted">\(web.text("机构后的数字是可查到的数据资源数。", "The figure is the number of resources to be found."))</p></header><section class="card">\(body)</section></div>
                """
            )
        )
    }
}
