import Basics
import CQL
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// The records of a system on a map, and the same as a list.
enum RecordMapPage {
    static let routes: [Route] = [
        Route(
            .get,
            "/systems/{system}/{resource}/map",
            .actions(["data.read"]),
            .console,
            zh: "业务地图",
            en: "Map",
            handle: show
        )
    ]

    /// Records drawn at the most.
    private static let limit = 1000

    /// Told apart by people who see colours otherwise, too; what a point is stands in the list and in its window.
    private static let colours = [
        "#0b5cad", "#c75000", "#00795c", "#8e3b97", "#9a6b00", "#b3261e", "#3a7ca5", "#5a6a7a", "#d0408a", "#4f7a1f",
        "#5b4bc4",
        "#8a4b2a",
    ]

    /// The fields of a position that somebody sees.
    static func fields(_ map: ViewsDeclaration.Map?) -> [String] {
        switch map {
        case .pair(let longitude, let latitude): [longitude, latitude]
        case .position(let field): [field]
        case nil: []
        }
    }

    private static func show(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let seen = try await RecordPages.visible(place, web)
        let declared = place.declaration.showing(seen)
        let where_ = fields(declared.views.map)
        guard !where_.isEmpty, where_.allSatisfy(seen.contains) else { throw Problem.notFound(.init("页面", "the page")) }
        let state = declared.flow.map(\.field).flatMap { seen.contains($0) ? $0 : nil }
        let names = ([declared.titleField].compactMap(\.self) + RecordPages.columns(declared).prefix(3)).reduce(
            into: [String]()
        ) { if !$0.contains($1), !where_.contains($1), seen.contains($1) { $0.append($1) } }
        var query = RecordQuery(place.code, limit: limit)
        query.fields = Array(Set(names + where_ + [state].compactMap(\.self)))
        var parts = where_.map { CQL.Expression.not(.isNull(.property($0))) }
        if let condition = try RecordPages.condition(declared, web) { parts.append(condition) }
        query.condition = parts.count == 1 ? parts[0] : .and(parts)
        let page = try await web.perform(web.services.lake.read, query)
        let rows = (0..<page.batch.count).compactMap { row -> HTML? in
            guard let (x, y) = position(page.batch, row, where_) else { return nil }
            let key = state.map { RecordPages.cellRaw(page.batch, row, $0) } ?? ""
            let colour = colour(key, declared.flow)
            let cells = names.enumerated().map { index, name -> HTML in
                let text = RecordPages.cell(page.batch, row, name, declared, web)
                return index == 0
                    ? "<td><a href=\"\(SystemPages.path(place))/\(page.ids[row])\">\(text.isEmpty ? "#\(page.ids[row])" : text)</a></td>"
                    : "<td>\(text)</td>"
            }
            let badge: HTML =
                declared.flow.map { "<td>\(dot(colour))\(RecordPages.badge(key, $0, web))</td>" } ?? .empty
            return
                "<tr data-x=\"\(AttachmentPages.degrees(x))\" data-y=\"\(AttachmentPages.degrees(y))\" data-colour=\"\(colour)\">\(cells)\(badge)<td class=\"number\">\(AttachmentPages.degrees(x)), \(AttachmentPages.degrees(y))</td></tr>"
        }
        var heads = names.compactMap { declared.field($0) }.map { declared.label($0, web.language) }
        if declared.flow != nil { heads.append(web.text("状态", "State")) }
        heads.append(web.text("经度, 纬度#", "Longitude, latitude#"))
        let title = declared.title(web.language)
        let body: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("没有带位置的记录。", "No such record has a position."))
            : """
            <div id="map" class="map" data-rows="#places tbody tr" role="group" aria-label="\(web.text("记录分布图", "Map of records"))"></div>
            \(legend(declared.flow, web))<p class="hint">\(told(rows.count, page.next != nil, web))</p>
            <div id="places" data-keys>\(Layout.table(heads, rows, label: web.text("图上的记录", "Records on the map")))</div>
            """
        return .page(
            Layout.console(
                title,
                web,
                scripts: ["/assets/page.js"] + (rows.isEmpty ? [] : ["/assets/map.js"]),
                styles: rows.isEmpty ? [] : ["/vendor/maplibre-gl.css"],
                "\(try await RecordPages.head(place, web, here: "/map"))<section class=\"card\">\(RecordPages.filters(declared, web))\(body)</section>"
            )
        )
    }

    /// Longitude and latitude as they are stored, where they are some.
    private static func position(_ batch: Batch, _ row: Int, _ fields: [String]) -> (Double, Double)? {
        let texts =
            fields.count == 2
            ? fields.map { RecordPages.cellRaw(batch, row, $0) }
            : RecordPages.cellRaw(batch, row, fields[0]).split { " ,[]".contains($0) }.map(String.init)
        guard texts.count == 2, let x = Double(texts[0]), let y = Double(texts[1]), abs(x) <= 180, abs(y) <= 85 else {
            return nil
        }
        return (x, y)
    }

    private static func colour(_ state: String, _ flow: FlowDeclaration?) -> String {
        let index = flow?.states.firstIndex { $0.key == state } ?? 0
        return colours[index % colours.count]
    }

    private static func dot(_ colour: String) -> HTML {
        "<svg class=\"dot\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><circle cx=\"6\" cy=\"6\" r=\"5\" fill=\"\(colour)\"/></svg>"
    }

    private static func legend(_ flow: FlowDeclaration?, _ web: WebRequest) -> HTML {
        guard let flow else { return .empty }
        let items = flow.states.map { state -> HTML in
            "<li>\(dot(colour(state.key, flow)))\(state.title[web.language])</li>"
        }
        return "<ul class=\"legend\" aria-label=\"\(web.text("图例", "Legend"))\">\(items)</ul>"
    }

    private static func told(_ count: Int, _ isCut: Bool, _ web: WebRequest) -> String {
        let base = web.text("坐标系 CGCS2000。", "CGCS2000.")
        return isCut
            ? web.text(
                "\(base)只画出前 \(count) 条，请用筛选缩小范围。",
                "\(base) Only the first \(count) are drawn: narrow them down by the filters."
            )
            : web.text("\(base)共 \(count) 条有位置。", "\(base) \(count) with a position.")
    }
}
