import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel

/// The nodes whose packages and receipts are taken, for the system administrator.
enum TrustedNodePages {
    static let routes: [Route] = [
        Route(
            .get,
            "/console/nodes",
            .actions(["system.trusted"]),
            .console,
            zh: "互信节点",
            en: "Trusted nodes"
        ) { web in .page(try await page(web)) },
        Route(
            .post,
            "/console/nodes",
            .actions(["system.trust", "system.distrust"]),
            .console,
            zh: "登记或撤销互信节点",
            en: "Trust a node, or no more"
        ) { web in
            let form = try await web.form()
            do {
                if form["act"] == "remove" {
                    try await web.perform(web.services.flows.distrust, form["fingerprint"])
                } else {
                    _ = try await web.perform(web.services.flows.trust, (form["name"], form["public_key"]))
                }
            } catch let problem as Problem where problem.status == 422 {
                return .page(try await page(web, form, problem), status: .unprocessableContent)
            }
            return .redirect("/console/nodes")
        },
    ]

    private static func page(_ web: WebRequest, _ form: Form? = nil, _ problem: Problem? = nil) async throws -> HTML {
        _ = try ConsolePages.signedIn(web)
        let found = try await web.perform(web.services.flows.trustedNodes, ())
        let title = web.text("互信节点", "Trusted nodes")
        let rows = found.nodes.map { node -> HTML in
            """
            <tr><td>\(node.name)</td><td><code class="wrapped">\(node.fingerprint)</code></td><td class="key">\(CivilTime.minute(node.at))</td>
            <td><form method="post" action="/console/nodes" class="inline">\(Layout.csrf(web))<input type="hidden" name="act" value="remove"><input type="hidden" name="fingerprint" value="\(node.fingerprint)"><button class="quiet danger">\(web.text("撤销", "Remove"))</button></form></td></tr>
            """
        }
        let heads = [
            web.text("节点", "Node"), web.text("密钥指纹", "Fingerprint"), web.text("登记时间", "Added"),
            web.text("操作", "Change"),
        ]
        let table: HTML =
            rows.isEmpty
            ? Layout.empty(web.text("还没有登记互信节点，收不到任何记录包。", "No node is trusted yet: no package is taken."))
            : Layout.table(heads, rows, label: title)
        let alert: HTML =
            problem.map { "<div class=\"alert\" role=\"alert\"><p>\($0.message[web.language])</p></div>" } ?? .empty
        return Layout.console(
            title,
            web,
            """
            <header class="title"><h1>\(title)</h1><p class="muted">\(web.text("只有登记在此的节点所签的记录包和移送回执才会被接收。登记前请通过另外的渠道核对指纹。", "Only packages and receipts signed by nodes that are listed here are taken. Compare the fingerprint by another way before you add a key."))</p></header>\(alert)
            <section class="card"><h2>\(title)</h2>\(table)</section>
            <section class="card"><h2>\(web.text("登记节点", "Add a node"))</h2><form method="post" action="/console/nodes" class="stack">\(Layout.csrf(web))
            \(Layout.field(web.text("节点名称", "Name"), "<input name=\"name\" required minlength=\"2\" maxlength=\"100\" value=\"\(form?["name"] ?? "")\">"))
            \(Layout.field(web.text("公钥(PEM)", "Public key (PEM)"), "<textarea name=\"public_key\" class=\"code\" rows=\"5\" required spellcheck=\"false\">\(form?["public_key"] ?? "")</textarea>"))
            <div><button>\(web.text("登记", "Add"))</button></div></form></section>
            <section class="card"><h2>\(web.text("本节点的公钥", "This node's key"))</h2><p class="hint">\(web.text("交给对方节点登记。", "Give it to the other node to be added there."))</p><p><code class="wrapped">\(found.fingerprint)</code></p><pre tabindex="0">\(found.publicKey)</pre></section>
            """
        )
    }
}
