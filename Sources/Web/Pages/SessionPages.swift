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
        Route(.get, "/password", .nothing, .console, zh: "修改密码页", en: "Password page") { web in
            web.principal == nil ? .redirect("/signin?next=/password") : .page(passwordView(web, problem: nil))
        },
        Route(
            .post,
            "/password",
            .actions(["session.change_password"]),
            .console,
            zh: "修改密码",
            en: "Change password",
            handle: change
        ),
        Route(.post, "/signout", .actions(["session.sign_out"]), .console, zh: "退出", en: "Sign out") { web in
            _ = try await web.form()
            if let token = web.token { try await web.perform(web.services.administration.signOut, token) }
            var response = Response.redirect("/")
            response.headers[.setCookie] = "tongqu_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
            return response
        },
    ]

    static func change(_ web: WebRequest) async throws -> Response {
        let form = try await web.form()
        do {
            guard form["new"] == form["again"] else {
                throw Problem(
                    "account.passwords_differ",
                    zh: "两次输入的新密码不一致。",
                    en: "The two new passwords differ."
                )
            }
            try await web.perform(web.services.administration.changePassword, (old: form["old"], new: form["new"]))
        } catch let problem as Problem where problem.code.hasPrefix("account.") {
            return .page(passwordView(web, problem: problem), status: .unprocessableContent)
        }
        return .redirect("/signin")
    }

    static func passwordView(_ web: WebRequest, problem: Problem?) -> HTML {
        let reason = problem ?? (web.principal?.mustChangePassword == true ? Gate.passwordChange : nil)
        let alert: HTML =
            reason.map {
                "<p class=\"alert\" role=\"alert\">\($0.message[web.language]) \($0.hint?[web.language] ?? "")</p>"
            } ?? .empty
        func field(_ label: String, _ name: String, _ purpose: String, hint: String = "") -> HTML {
            Layout.field(
                label,
                "<input name=\"\(name)\" type=\"password\" autocomplete=\"\(purpose)\" required>",
                hint: hint
            )
        }
        return Layout.page(
            web.text("修改密码", "Change password"),
            web,
            """
            <div class="wrap narrow"><section class="card"><h1>\(web.text("修改密码", "Change password"))</h1>\(alert)
            <form method="post" action="/password" class="stack">\(Layout.csrf(web))
            \(field(web.text("原密码", "Old password"), "old", "current-password"))
            \(field(web.text("新密码", "New password"), "new", "new-password", hint: web.text("至少 10 位，含大写、小写、数字、符号中的三类，且不含账号。", "Ten characters at least, of three classes among capital and small letters, digits and signs, without the login.")))
            \(field(web.text("再输一次新密码", "New password again"), "again", "new-password"))
            <p class="muted">\(web.text("修改后所有会话结束，请用新密码重新登录。", "All your sessions end; sign in again with the new password."))</p>
            <button>\(web.text("修改", "Change"))</button></form></section></div>
            """
        )
    }

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
            \(Layout.field(web.text("账号", "Login"), "<input name=\"login\" autocomplete=\"username\" required value=\"\(login)\">"))
            \(Layout.field(web.text("密码", "Password"), "<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required>"))
            <button>\(web.text("登录", "Sign in"))</button></form></section></div>
            """
        )
    }
}
