import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// The ledger (总账本): how much there is, how much has data, how much comes in time, how good it is.
enum LedgerPage {
    static let routes: [Route] = [
        Route(.get, "/console/ledger", .actions(["catalogue.ledger"]), .console, zh: "总账本", en: "Ledger") { web in
            _ = try ConsolePages.signedIn(web)
            return .page(view(try await web.perform(web.services.catalogue.ledger, ()), web))
        }
    ]

    static func department(_ line: LedgerLine, _ web: WebRequest) -> String {
        web.services.kernel.gate.organisations[OrganisationID(Int64(line.key) ?? 0)]?.name ?? line.key
    }

    static func level(_ line: LedgerLine, _ web: WebRequest) -> String {
        Organisation.Level(rawValue: line.key)?.title[web.language] ?? line.key
    }

    static func category(_ line: LedgerLine, _ web: WebRequest) -> String {
        Classification.title(line.key)[web.language]
    }

    static func percent(_ rate: Double?) -> String { rate.map { Numbers.short($0 * 100) + "%" } ?? "—" }

    static func heads(_ first: String, _ web: WebRequest) -> [String] {
        [
            first, web.text("目录数", "Entries"), web.text("信息项数", "Items"), web.text("已发布", "Published"),
            web.text("挂接率", "With data"), web.text("更新及时率", "In time"), web.text("已开放", "Open"),
            web.text("质量", "Quality"),
        ]
    }

    static func view(_ ledger: Ledger, _ web: WebRequest) -> HTML {
        func figure(_ label: String, _ value: String) -> HTML { "<div><dt>\(label)</dt><dd>\(value)</dd></div>" }
        func table(_ title: String, _ lines: [LedgerLine], link: String, _ name: (LedgerLine) -> String) -> HTML {
            let rows = lines.map { line -> HTML in
                let label: HTML =
                    link.isEmpty
                    ? "\(name(line))" : "<a href=\"/console/entries?\(link)=\(line.key)\">\(name(line))</a>"
                return """
                    <tr><th scope="row">\(label)</th><td class="number">\(Numbers.grouped(Int64(line.entries)))</td><td class="number">\(Numbers.grouped(Int64(line.items)))</td><td class="number">\(Numbers.grouped(Int64(line.published)))</td><td class="number">\(percent(line.attachedRate))</td><td class="number">\(percent(line.timelyRate))</td><td class="number">\(Numbers.grouped(Int64(line.open)))</td><td class="number">\(Layout.score(line.score, web.language))</td></tr>
                    """
            }
            let heads = heads(title, web)
            let names = [heads[0]] + heads.dropFirst().map { $0 + "#" }
            return
                "<section class=\"card\"><h2>\(web.text("按\(title)", "By \(title.lowercased())"))</h2>\(Layout.table(names, rows, label: title))</section>"
        }
        let all = ledger.all
        let body: HTML =
            all.entries == 0
            ? "<section class=\"card\">\(Layout.empty(web.text("还没有目录条目。", "There are no entries yet.")))</section>"
            : """
            <dl class="figures">\(figure(web.text("目录数", "Entries"), Numbers.grouped(Int64(all.entries))))\(figure(web.text("信息项数", "Items"), Numbers.grouped(Int64(all.items))))\(figure(web.text("挂接率", "With data"), percent(all.attachedRate)))\(figure(web.text("更新及时率", "In time"), percent(all.timelyRate)))\(figure(web.text("已开放", "Open"), Numbers.grouped(Int64(all.open))))\(figure(web.text("平均质量", "Mean quality"), all.score.map(Numbers.short) ?? "—"))</dl>
            \(table(web.text("部门", "Department"), ledger.departments, link: "provider") { department($0, web) })
            \(table(web.text("层级", "Level"), ledger.levels, link: "") { level($0, web) })
            \(table(web.text("运输方式与领域", "Mode and field"), ledger.categories, link: "category") { category($0, web) })
            """
        return Layout.console(
            web.text("总账本", "Ledger"),
            web,
            """
            <header class="title"><h1>\(web.text("交通运输数据总账本", "Ledger of transport data"))</h1><p class="muted">\(web.text("统计时间", "As of")) \(CivilTime.minute(ledger.at)) · \(web.text("挂接率 = 有数据的已发布条目 ÷ 已发布条目；更新及时率 = 按更新周期有新数据的条目 ÷ 承诺了周期的已发布条目。", "With data: of the published. In time: of the published that promise a frequency, those whose data is fresh."))</p>
            <p class="actions"><a class="button" href="/api/v1/ledger.xlsx">\(web.text("下载工作簿", "Download a workbook"))</a></p></header>
            \(body)
            """
        )
    }

    /// The ledger as a workbook, a sheet for each view.
    static func workbook(_ ledger: Ledger, _ web: WebRequest) -> [UInt8] {
        var book = SpreadsheetStream()
        var bytes: [UInt8] = []
        func sheet(_ title: String, _ lines: [LedgerLine], _ name: (LedgerLine) -> String) {
            book.open(title, widths: [36] + Array(repeating: 13, count: 7), frozenRows: 1, into: &bytes)
            book.row(heads(title, web).map { .heading($0) }, into: &bytes)
            for line in lines {
                func percent(_ rate: Double?) -> SpreadsheetStream.Cell {
                    rate.map { .real(($0 * 1000).rounded() / 10) } ?? .empty
                }
                book.row(
                    [
                        .text(name(line)), .integer(Int64(line.entries)), .integer(Int64(line.items)),
                        .integer(Int64(line.published)), percent(line.attachedRate), percent(line.timelyRate),
                        .integer(Int64(line.open)), line.score.map { .real(($0 * 10).rounded() / 10) } ?? .empty,
                    ],
                    into: &bytes
                )
            }
            book.close(into: &bytes)
        }
        sheet(web.text("合计", "All"), [ledger.all]) { _ in web.text("合计", "All") }
        sheet(web.text("部门", "Department"), ledger.departments) { department($0, web) }
        sheet(web.text("层级", "Level"), ledger.levels) { level($0, web) }
        sheet(web.text("运输方式与领域", "Mode and field"), ledger.categories) { category($0, web) }
        book.finish(into: &bytes)
        return bytes
    }
}
