import Basics
import CQL
import Flow
import Kernel
import Lake
import Tabular

/// The rows of other resources that belong to a record, and figures over them.
enum RelatedRows {
    static func html(_ detail: FlowDetail, _ web: WebRequest) async throws -> HTML {
        var pieces: [HTML] = []
        var others: [HTML] = []
        for related in detail.declared.views.related {
            guard let other = try await web.services.flows.systems.place(key: related.resource),
                let condition = try? related.condition(
                    of: detail.record,
                    detail.values,
                    in: detail.declared,
                    other.declaration
                )
            else { continue }
            let declared = other.declaration
            var query = RecordQuery(other.code, limit: 50)
            query.condition = condition
            query.sort = related.sort.isEmpty ? nil : related.sort
            // Who may not read the other resource is not told of it.
            guard let page = try? await web.perform(web.services.lake.read, query) else { continue }
            let names =
                related.fields.isEmpty
                ? Array(RecordPages.columns(declared).filter { $0 != related.field }.prefix(4)) : related.fields
            let rows = (0..<page.batch.count).map { row($0, of: page, names, other, web) }
            let offers = try await web.services.flows.beginnings(other, web.caller).contains { $0.key == related.step }
            let key = detail.values[related.key] ?? ""
            let button: HTML =
                offers
                ? "<a class=\"button quiet\" href=\"\(SystemPages.path(other))/new?step=\(related.step)&\(related.field)=\(FormText.encoded(key))\">\(declared.flow?.step(related.step)?.title[web.language] ?? "")</a> "
                : .empty
            if rows.isEmpty {
                // What has no rows yet takes a button's room.
                if offers { others.append(button) }
                continue
            }
            let heads =
                names.compactMap { declared.field($0) }.map { declared.label($0, web.language) }
                + (declared.flow == nil ? [] : [web.text("状态", "State")])
            let named = related.title[web.language]
            let title = named.isEmpty ? declared.title(web.language) : named
            let table = Layout.table(heads, rows, label: title)
            let more: HTML =
                page.next == nil
                ? .empty : "<p class=\"hint\">\(web.text("只列出前 50 条。", "The first 50 are listed."))</p>"
            let figures = try await self.figures(related, condition, other, web)
            let actions: HTML = offers ? "<p class=\"actions\">\(button)</p>" : .empty
            pieces.append("<section class=\"card\"><h2>\(title)</h2>\(figures)\(table)\(more)\(actions)</section>")
        }
        if !others.isEmpty {
            pieces.append(
                "<section class=\"card\"><h2>\(web.text("可以登记的关联记录", "Related records to make"))</h2><p class=\"actions\">\(others)</p></section>"
            )
        }
        return HTML(pieces)
    }

    private static func row(
        _ row: Int,
        of page: RecordPage,
        _ names: [String],
        _ other: SystemPlace,
        _ web: WebRequest
    ) -> HTML {
        let declared = other.declaration
        let cells = names.enumerated().map { index, name -> HTML in
            let text = RecordPages.cell(page.batch, row, name, declared, web)
            return index == 0
                ? "<td><a href=\"\(SystemPages.path(other))/\(page.ids[row])\">\(text.isEmpty ? "#\(page.ids[row])" : text)</a></td>"
                : "<td>\(text)</td>"
        }
        let state: HTML =
            declared.flow.map {
                "<td>\(RecordPages.badge(RecordPages.cellRaw(page.batch, row, $0.field), $0, web))</td>"
            } ?? .empty
        return "<tr>\(cells)\(state)</tr>"
    }

    /// Rows that figures are made of: of a cause that most cases have, the last ones tell enough.
    private static let measured = 1000

    /// The figures that the pack asks for over the first related rows, where the reader may see their fields.
    private static func figures(
        _ related: ViewsDeclaration.Related,
        _ condition: CQL.Expression,
        _ other: SystemPlace,
        _ web: WebRequest
    ) async throws -> HTML {
        guard !related.measures.isEmpty else { return .empty }
        let measures = try related.measures.map { try AggregateQuery.Measure(text: $0) }
        var query = AggregateQuery(other.code, measures: measures, filter: condition.json.text)
        query.first = .init(sort: related.sort, rows: measured)
        guard let found = try? await web.perform(web.services.lake.aggregate, query), found.batch.count == 1 else {
            return .empty
        }
        let lines = measures.enumerated().map { index, measure -> HTML in
            let field = other.declaration.field(measure.field)
            let label = field.map { other.declaration.label($0, web.language) } ?? ""
            let unit = field?.unit ?? ""
            let value = found.batch.value(0, index).text
            return
                "<div><dt>\(label)\(label.isEmpty ? "" : web.text("，", ", "))\(word(measure.kind, web))</dt><dd>\(value.isEmpty ? "—" : value)\(unit.isEmpty ? "" : " " + unit)</dd></div>"
        }
        let isCut = found.rows == Int64(measured)
        let note: HTML =
            isCut
            ? "<p class=\"hint\">\(web.text("统计最前的 \(measured) 条。", "Figures of the first \(measured)."))</p>"
            : .empty
        return "<dl class=\"facts\">\(lines)</dl>\(note)"
    }

    private static func word(_ kind: AggregateQuery.Measure.Kind, _ web: WebRequest) -> String {
        switch kind {
        case .count: web.text("件数", "number")
        case .sum: web.text("合计", "sum")
        case .mean: web.text("平均", "mean")
        case .minimum: web.text("最低", "lowest")
        case .maximum: web.text("最高", "highest")
        case .distinct: web.text("不同值数", "different values")
        case .percentile(let percent):
            percent == 50 ? web.text("中位数", "median") : web.text("\(Int(percent))% 分位", "percentile \(Int(percent))")
        }
    }
}
