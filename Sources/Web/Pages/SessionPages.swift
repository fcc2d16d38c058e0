import Basics
import Hummingbird
import HTTPTypes
import Kernel

/// Signing in and out.
enum SessionPages {
    static let routes: [Route] = [
        Route(.get, "/signin", .nothing, .console, zh: "登录页", en: "Sign-in page") { web in
            .page(view(web, problem: nil))
        },
        Route(.post, "/signin", .actions(["session.sign_in"]), .console, zh: "登录", en: "Sign in", handle: signIn),
        Route(.post, "/signout", .actions(["session.sign_out"]), .console, zh: "退出", en: "Sign out") { web in
            _ = try await web.form()
            if let token = web.token { try await web.perform(web.services.administration.signOut, token) }
            var response = Response.redirect("/")
            response.headers[.setCookie] = "tongqu_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
            return response
        },
    ]

    static func signIn(_ web: WebRequest) async throws -> Response {
        let form = Form(urlEncoded: try await web.body())
        do {
            let result = try await web.perform(
                web.services.administration.signIn,
                .init(login: form["login"], password: form["password"])
            )
            let next = form["next"]
            // Only paths of this site: `//elsewhere` is an address of another.
            let isLocal =
                next.hasPrefix("/") && !next.hasPrefix("//") && !next.contains("\\")
                && !next.utf8.contains { $0 < 0x20 }
            var response = Response.redirect(isLocal ? next : "/console")
            response.headers[.setCookie] = WebApplication.cookie(result.token, isSecure: web.services.settings.isSecure)
            return response
        } catch let problem as Problem where problem.status == 401 {
            return .page(view(web, problem: problem, login: form["login"], next: form["next"]), status: .unauthorized)
        }
    }

    static func view(_ web: WebRequest, problem: Problem?, login: String = "", next: String? = nil) -> HTML {
        let alert: HTML =
            problem.map {
                "<p class=\"alert\" role=\"alert\">\($0.message[web.language]) \($0.hint?[web.language] ?? "")</p>"
            } ?? .empty
        return Layout.page(
            web.text("登录", "Sign in"),
            web,
            """
            <div class="wrap narrow"><section class="card"><h1>\(web.text("登录", "Sign in"))</h1>\(alert)
            <form method="post" action="/signin" class="stack">
            <input type="hidden" name="next" value="\(next ?? web.query("next") ?? "")">
            \(Layout.field(web.text("账号", "Login"), "<input name=\"login\" autocomplete=\"username\" required autofocus value=\"\(login)\">"))
            \(Layout.field(web.text("密码", "Password"), "<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required>"))
            <button>\(web.text("登录", "Sign in"))</button></form></section></div>
            """
        )
    }
}
