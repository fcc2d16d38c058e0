import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Lake

/// The latest loads of every resource within reach: what came, what was left out.
enum LoadPages {
    static let routes: [Route] = [
        Route(.get, "/console/loads", .actions(["load.recent"]), .console, zh: "批次与问题数据", en: "Loads and quarantine") {
            web in
            _ = try ConsolePages.signedIn(web)
            let list = try await web.perform(web.services.lake.recent, 100)
            let rows = list.map { load, resource -> HTML in
                let slug = Entry.slug(resource.code)
                let bad: HTML =
                    load.bad > 0
                    ? "<a href=\"/api/v1/resources/\(slug)/loads/\(load.id)/quarantine.csv\" download>\(Numbers.grouped(load.bad))</a>"
                    : "0"
                return
                    "<tr><td><time>\(CivilTime.minute(load.startedAt))</time></td><td><a href=\"/console/entries/\(slug)/loads/\(load.id)\">\(resource.name)</a></td><td>\(load.source)</td><td>\(Words.title(load.mode)[web.language])</td><td>\(Layout.badge(Words.title(load.state)[web.language], load.state == .done ? "good" : load.state == .failed ? "poor" : "fair"))</td><td class=\"number\">\(Numbers.grouped(load.good))</td><td class=\"number\">\(bad)</td></tr>"
            }
            let heads = [
                web.text("时间", "Time"), web.text("资源", "Resource"), web.text("文件或来源", "File or source"),
                web.text("方式", "Mode"), web.text("状态", "State"), web.text("入库", "Loaded") + "#",
                web.text("问题行", "Bad rows") + "#",
            ]
            let table: HTML =
                rows.isEmpty
                ? Layout.empty(web.text("还没有批次。", "There are no loads yet."))
                : Layout.table(heads, rows, label: web.text("批次", "Loads"))
            return .page(
                Layout.console(
                    web.text("批次与问题数据", "Loads"),
                    web,
                    "<header class=\"title\"><h1>\(web.text("批次与问题数据", "Loads and quarantine"))</h1><p class=\"muted\">\(web.text("点问题行数下载问题数据，改正后重新上传。", "The number of bad rows downloads them; correct them and load them again."))</p></header><section class=\"card\">\(table)</section>"
                )
            )
        }
    ]
}
