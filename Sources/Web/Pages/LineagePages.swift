import Basics
import Catalogue
import Derive
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// Where a resource's rows come from and what is made of them, drawn and told.
enum LineagePages {
    static let routes: [Route] = [
        Route(
            .get,
            "/resources/{code}/lineage",
            .actions(["catalogue.show", "derivation.lineage"]),
            zh: "数据血缘页",
            en: "Lineage"
        ) { web in
            let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
            let lineage = try await web.perform(web.services.derivations.lineage, entry.resource.code)
            let title = entry.content?.name ?? entry.slug
            let label = web.text("数据血缘", "Lineage")
            let drawing: HTML =
                lineage.nodes.count > 1
                ? "<div class=\"scroll lineage\" tabindex=\"0\" role=\"region\" aria-label=\"\(label)\">\(drawing(lineage, web))</div><p class=\"hint\">\(web.text("从左到右：来源 → 派生。", "From left to right: sources, then what is made of them."))\(lineage.isCut ? web.text("资源太多，只画出一部分。", " There are too many to draw all of them.") : "")</p>"
                : Layout.empty(
                    web.text("它不由其他资源派生，也没有由它派生的资源。", "It is made of no other resource, and none is made of it.")
                )
            let body: HTML = """
                <div class="wrap"><nav class="crumbs" aria-label="\(web.text("位置", "Breadcrumb"))"><a href="/resources/\(entry.slug)">\(title)</a> › <span>\(label)</span></nav>
                <header class="title"><h1>\(label)</h1><p class="summary">\(title)</p></header>
                <section class="card">\(drawing)</section>\(table(lineage, web))</div>
                """
            return .page(Layout.page(label, web, body))
        }
    ]

    // MARK: Drawn

    private static let box = (width: 224, height: 64)
    private static let gap = (x: 72, y: 24)

    /// Boxes in columns by their distance, and lines between them.
    private static func drawing(_ lineage: Lineage, _ web: WebRequest) -> HTML {
        let first = lineage.nodes.map(\.level).min() ?? 0
        var columns: [Int: Int] = [:]
        var places: [ResourceID: (x: Int, y: Int)] = [:]
        for node in lineage.nodes {
            let row = columns[node.level, default: 0]
            columns[node.level] = row + 1
            places[node.id] = (
                (node.level - first) * (box.width + gap.x) + 4, row * (box.height + gap.y) + 4
            )
        }
        let width = ((columns.keys.max() ?? 0) - first + 1) * (box.width + gap.x) - gap.x + 8
        let height = (columns.values.max() ?? 1) * (box.height + gap.y) - gap.y + 8
        let lines = lineage.edges.compactMap { edge -> HTML? in
            guard let from = places[edge.from], let to = places[edge.to] else { return nil }
            let (x, y) = (from.x + box.width, from.y + box.height / 2)
            let (endX, endY) = (to.x, to.y + box.height / 2)
            let middle = (x + endX) / 2
            return "<path d=\"M\(x) \(y)C\(middle) \(y) \(middle) \(endY) \(endX - 6) \(endY)\"/>"
        }
        let boxes = lineage.nodes.enumerated().compactMap { index, node -> HTML? in
            guard let place = places[node.id] else { return nil }
            let name = node.resource?.name ?? web.text("(无权查看的资源)", "(a resource you may not see)")
            let code = node.resource?.code ?? ""
            let parts = broken(name)
            let texts = parts.enumerated().map { line, text -> HTML in
                "<text x=\"\(place.x + 12)\" y=\"\(place.y + (parts.count == 1 ? 28 : 22) + line * 18)\">\(text)</text>"
            }
            let inner: HTML =
                "<title>\(name)</title><rect x=\"\(place.x)\" y=\"\(place.y)\" width=\"\(box.width)\" height=\"\(box.height)\" rx=\"8\"/>\(texts)<text class=\"code\" x=\"\(place.x + 12)\" y=\"\(place.y + box.height - 9)\">\(code)</text>"
            guard node.resource != nil, index > 0 else {
                return "<g class=\"\(index == 0 ? "here" : "hidden")\">\(inner)</g>"
            }
            return "<a href=\"/resources/\(Entry.slug(code))/lineage\">\(inner)</a>"
        }
        return """
            <svg viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)" role="img" aria-label="\(web.text("血缘图，内容见下表", "The lineage; the table below tells the same"))">
            <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>
            <g class="lines">\(lines)</g>\(boxes)</svg>
            """
    }

    /// A name in one line or two, as wide as a box: a Chinese character is two wide.
    private static func broken(_ name: String) -> [String] {
        var lines = [""]
        var width = 0
        for character in name {
            let wide = character.unicodeScalars.first.map { $0.value >= 0x2E80 } == true ? 2 : 1
            if width + wide > 28 {
                guard lines.count < 2 else {
                    lines[1] = String(lines[1].dropLast()) + "…"
                    break
                }
                lines.append("")
                width = 0
            }
            lines[lines.count - 1].append(character)
            width += wide
        }
        return lines
    }

    // MARK: Told

    private static func table(_ lineage: Lineage, _ web: WebRequest) -> HTML {
        let names = Dictionary(
            lineage.nodes.map { ($0.id, $0.resource) },
            uniquingKeysWith: { first, _ in first }
        )
        func name(_ id: ResourceID) -> HTML {
            guard let resource = names[id] ?? nil else {
                return "<span class=\"muted\">\(web.text("无权查看", "not to be seen"))</span>"
            }
            return "<a href=\"/resources/\(Entry.slug(resource.code))\">\(resource.name)</a>"
        }
        func title(_ field: String, _ id: ResourceID) -> String {
            guard !field.isEmpty else { return web.text("整行", "every row") }
            let title = (names[id] ?? nil)?.schema[field]?.title ?? ""
            return title.isEmpty ? field : "\(title) \(field)"
        }
        let rows = lineage.edges.flatMap { edge in
            edge.links.map { link -> HTML in
                let use =
                    switch link.use {
                    case .value: web.text("取值", "value")
                    case .join: web.text("关联", "join")
                    case .filter: web.text("筛选", "filter")
                    }
                return
                    "<tr><td>\(name(edge.from))</td><td>\(title(link.source, edge.from))</td><td>\(use)</td><td>\(name(edge.to))</td><td>\(title(link.field, edge.to))</td></tr>"
            }
        }
        guard !rows.isEmpty else { return .empty }
        let label = web.text("字段血缘", "Lineage of fields")
        let heads = [
            web.text("来源资源", "Source"), web.text("来源字段", "Its field"), web.text("用途", "Use"),
            web.text("派生资源", "Derived"), web.text("派生字段", "Its field"),
        ]
        return "<section class=\"card\"><h2>\(label)</h2>\(Layout.table(heads, rows, label: label))</section>"
    }
}
