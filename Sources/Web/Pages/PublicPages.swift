import Basics
import Catalogue
import Hummingbird
import HTTPTypes
import Kernel

/// Home and search.
enum PublicPages {
    static let routes: [Route] = [
        Route(.get, "/", .actions(["catalogue.search"]), zh: "首页", en: "Home", handle: home),
        Route(.get, "/search", .actions(["catalogue.search"]), zh: "检索", en: "Search", handle: search),
    ]

    static func query(_ web: WebRequest) -> CatalogueQuery {
        CatalogueQuery(
            text: web.query("q") ?? "",
            category: web.query("category"),
            provider: web.query("provider").flatMap { Int64($0) }.map { OrganisationID($0) },
            frequency: web.query("frequency"),
            format: web.query("format"),
            isOpen: web.query("open").map { $0 == "true" },
            offset: max(0, min(web.query("offset").flatMap { Int($0) } ?? 0, 1_000_000)),
            limit: web.limit(20, 100)
        )
    }

    static func home(_ web: WebRequest) async throws -> Response {
        let hits = try await web.perform(web.services.catalogue.search, CatalogueQuery(limit: 8))
        let themes = hits.categories.prefix(20).map { facet -> HTML in
            "<a class=\"theme\" href=\"/search?category=\(facet.value)\"><span>\(Classification.title(facet.value)[web.language])</span><b>\(facet.count)</b></a>"
        }
        let list: HTML =
            hits.entries.isEmpty
            ? Layout.empty(web.text("还没有开放的数据资源。", "No resources are open yet."))
            : HTML(hits.entries.map { card($0, web) })
        let view: HTML = """
            <section class="hero"><div class="wrap">
            <h1>\(web.services.settings.title[web.language])</h1>
            <p>\(web.text("按目录查找交通运输公共数据，查看质量，直接下载或调用接口。", "Find public transport data by the catalogue, see its quality, download it or call its API."))</p>
            <form action="/search" role="search" class="search"><input type="search" name="q" aria-label="\(web.text("检索", "Search"))" placeholder="\(web.text("资源名称、信息项、提供部门…", "Name, item, provider…"))" maxlength="200"><button>\(web.text("检索", "Search"))</button></form>
            <dl class="figures"><div><dt>\(web.text("数据资源", "Resources"))</dt><dd>\(hits.total)</dd></div><div><dt>\(web.text("提供部门", "Providers"))</dt><dd>\(hits.providers.count)</dd></div><div><dt>\(web.text("主题", "Themes"))</dt><dd>\(hits.categories.count)</dd></div></dl>
            </div></section>
            <div class="wrap">
            <section><h2>\(web.text("按主题", "Themes"))</h2><div class="themes">\(themes.isEmpty ? [Layout.empty(web.text("暂无主题", "No themes yet"))] : themes)</div></section>
            <section><h2>\(web.text("数据资源", "Resources"))</h2><div class="cards">\(list)</div><p><a href="/search">\(web.text("查看全部", "See all"))</a></p></section>
            </div>
            """
        return .page(Layout.page(web.text("首页", "Home"), web, view))
    }

    static func card(_ entry: Entry, _ web: WebRequest) -> HTML {
        let content = entry.published ?? entry.draft
        let provider = web.services.kernel.gate.organisations[entry.resource.owner]?.name ?? ""
        let open: HTML =
            entry.resource.isOpen
            ? Layout.badge(web.text("已开放", "open"), "good") : Layout.badge(content?.sharing.title[web.language] ?? "")
        return """
            <article class="card entry">
            <h3><a href="/resources/\(entry.slug)">\(content?.name ?? entry.resource.name)</a></h3>
            <p class="summary">\(content?.summary ?? "")</p>
            <p class="meta">\(open)<span>\(provider)</span><span>\(content?.frequency.title[web.language] ?? "")</span><span>\(Numbers.grouped(entry.rows)) \(web.text("条", "rows"))</span><span>\(Layout.day(entry.dataAt))</span>\(Layout.score(entry.score, web.language))</p>
            </article>
            """
    }

    static func search(_ web: WebRequest) async throws -> Response {
        let query = query(web)
        let hits = try await web.perform(web.services.catalogue.search, query)
        let organisations = web.services.kernel.gate.organisations
        func link(_ name: String, _ value: String?) -> String {
            var pairs: [(String, String?)] = [
                ("q", query.text), ("category", query.category), ("provider", query.provider.map { String($0.raw) }),
                ("frequency", query.frequency),
                ("format", query.format), ("open", query.isOpen.map { String($0) }),
            ]
            for index in pairs.indices where pairs[index].0 == name { pairs[index].1 = value }
            if name == "offset" { pairs.append(("offset", value)) }
            let encoded = pairs.compactMap { name, value -> String? in
                guard let value, !value.isEmpty else { return nil }
                return "\(name)=\(value.addingPercentEncoding())"
            }
            return "/search?" + encoded.joined(separator: "&")
        }
        func facet(
            _ title: String,
            _ name: String,
            _ chosen: String?,
            _ counts: [FacetCount],
            _ label: (String) -> String
        ) -> HTML {
            guard !counts.isEmpty else { return .empty }
            let items = counts.prefix(12).map { count -> HTML in
                let isChosen = chosen == count.value
                return
                    "<li><a href=\"\(link(name, isChosen ? nil : count.value))\"\(isChosen ? " aria-current=\"true\"" as HTML : .empty)><span>\(label(count.value))</span><b>\(count.count)</b></a></li>"
            }
            return "<h2>\(title)</h2><ul class=\"facet\">\(items)</ul>"
        }
        let facets: [HTML] = [
            facet(web.text("主题", "Theme"), "category", query.category, hits.categories) {
                Classification.title($0)[web.language]
            },
            facet(web.text("提供方", "Provider"), "provider", query.provider.map { String($0.raw) }, hits.providers) {
                organisations[OrganisationID(Int64($0) ?? 0)]?.name ?? $0
            },
            facet(web.text("更新周期", "Frequency"), "frequency", query.frequency, hits.frequencies) {
                UpdateFrequency(rawValue: $0)?.title[web.language] ?? $0
            },
            facet(web.text("格式", "Format"), "format", query.format, hits.formats) { $0 },
        ]
        let next = query.offset + query.limit
        let pager: HTML = """
            <p class="pager">\(query.offset > 0 ? "<a href=\"\(link("offset", String(max(0, query.offset - query.limit))))\" rel=\"prev\">\(web.text("上一页", "Previous"))</a>" as HTML : .empty)
            \(next < hits.total ? "<a href=\"\(link("offset", String(next)))\" rel=\"next\">\(web.text("下一页", "Next"))</a>" as HTML : .empty)</p>
            """
        let list: HTML =
            hits.entries.isEmpty
            ? Layout.empty(
                web.text("没有找到相符的资源。", "Nothing fits."),
                "<p><a class=\"button quiet\" href=\"/search\">\(web.text("清除检索与筛选", "Clear search and filters"))</a></p>"
            )
            : HTML(hits.entries.map { card($0, web) })
        let view: HTML = """
            <div class="wrap"><header class="title"><h1>\(web.text("数据目录", "Catalogue"))</h1></header>
            <form action="/search" role="search" class="search wide"><input type="search" name="q" value="\(query.text)" aria-label="\(web.text("检索", "Search"))" maxlength="200"><button>\(web.text("检索", "Search"))</button></form>
            <div class="with-facets"><aside aria-label="\(web.text("筛选", "Filters"))">\(facets)</aside>
            <section><p class="muted" role="status">\(web.text("共 \(hits.total) 个资源", "\(hits.total) resources"))</p><div class="cards">\(list)</div>\(pager)</section></div>
            </div>
            """
        return .page(Layout.page(web.text("数据目录", "Catalogue"), web, view))
    }
}
