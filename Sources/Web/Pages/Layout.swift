import HummingbirdCore
import Basics
import Catalogue
import Flow
import Kernel

/// The frame of every page.
enum Layout {
    /// A page: title, content, and the modules it needs.
    static func page(
        _ title: String,
        _ web: WebRequest,
        scripts: [String] = [],
        styles: [String] = [],
        refresh: Int? = nil,
        _ content: HTML
    ) -> HTML {
        frame(
            title,
            web.services,
            web.language,
            scripts: scripts,
            styles: styles,
            refresh: refresh,
            query: web.request.uri.query ?? "",
            header: header(web),
            content
        )
    }

    static func frame(
        _ title: String,
        _ services: Services,
        _ language: Language,
        scripts: [String] = [],
        styles: [String] = [],
        refresh: Int? = nil,
        query: String = "",
        header: HTML,
        _ content: HTML
    ) -> HTML {
        let other = language == .zh ? "en" : "zh"
        // The same place in the other language: what was searched and filtered stays.
        let kept = query.split(separator: "&").filter { !$0.hasPrefix("lang=") }.map { $0 + "&" }.joined()
        let site = services.settings.title[language]
        // Names and summaries stay in their own language; readers that speak are told so.
        let content = language == .en ? ForeignText.marked(content) : content
        let header = language == .en ? ForeignText.marked(header) : header
        let refreshing: HTML = refresh.map { "<meta http-equiv=\"refresh\" content=\"\($0)\">" } ?? .empty
        return """
            <!doctype html>
            <html lang="\(language == .zh ? "zh-CN" : "en")">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            \(refreshing)
            <title>\(title) · \(site)</title>
            <link rel="icon" href="/assets/logo.svg" type="image/svg+xml">
            <link rel="stylesheet" href="/assets/site.css">
            \(styles.map { "<link rel=\"stylesheet\" href=\"\($0)\">" as HTML })
            </head>
            <body>
            <a class="skip" href="#main">\(language == .zh ? "跳到正文" : "Skip to content")</a>
            \(header)
            <main id="main" tabindex="-1">
            \(content)
            </main>
            <footer class="site-footer"><div class="wrap">
            <span>\(site) · \(language == .zh ? "由通衢提供" : "powered by Tongqu")</span>
            <span><a href="/openapi.json">API</a> · <a href="?\(kept)lang=\(other)" hreflang="\(other)">\(language == .zh ? "English" : "中文")</a></span>
            </div></footer>
            \(scripts.map { "<script type=\"module\" src=\"\($0)\"></script>" as HTML })
            </body>
            </html>
            """
    }

    static func header(_ web: WebRequest) -> HTML {
        let path = web.request.uri.path
        func item(_ href: String, _ label: String) -> HTML {
            let isHere = href == "/" ? path == "/" : path.hasPrefix(href)
            return isHere
                ? "<a href=\"\(href)\" aria-current=\"page\">\(label)</a>" : "<a href=\"\(href)\">\(label)</a>"
        }
        var links: [HTML] = [
            item("/", web.text("首页", "Home")), item("/search", web.text("数据目录", "Catalogue")),
            item("/organisations", web.text("机构", "Organisations")),
            item("/openlist", web.text("开放清单", "Open list")), item("/standards", web.text("数据标准", "Standards")),
        ]
        let account: HTML
        if let principal = web.principal {
            links.append(item("/console", web.text("工作台", "Console")))
            account = """
                <a class="who" href="/password" title="\(principal.login) · \(web.text("修改密码", "Change password"))">\(principal.name)</a>
                <form method="post" action="/signout" class="inline">\(csrf(web))<button class="link">\(web.text("退出", "Sign out"))</button></form>
                """
        } else {
            account =
                web.services.settings.isPublicOnly ? .empty : "<a href=\"/signin\">\(web.text("登录", "Sign in"))</a>"
        }
        return """
            <header class="site-header"><div class="wrap">
            <a class="brand" href="/"><img src="/assets/logo.svg" alt="" width="28" height="28"><span>\(web.services.settings.title[web.language])</span></a>
            <nav aria-label="\(web.text("主导航", "Main"))">\(links)</nav>
            <div class="account">\(account)</div>
            </div></header>
            """
    }

    /// The hidden field that forms carry.
    static func csrf(_ web: WebRequest) -> HTML { "<input type=\"hidden\" name=\"_csrf\" value=\"\(web.csrf)\">" }

    /// The console's own navigation, with what the caller may do.
    static func console(
        _ title: String,
        _ web: WebRequest,
        scripts: [String] = [],
        styles: [String] = [],
        refresh: Int? = nil,
        _ content: HTML
    ) -> HTML {
        let gate = web.services.kernel.gate
        let path = web.request.uri.path
        let all: [(String, String, Permission?)] = [
            ("/console", web.text("我的工作", "My work"), nil), ("/systems", web.text("业务系统", "Systems"), .flowAct),
            ("/alerts", web.text("预警", "Alerts"), nil),
            ("/console/upload", web.text("上传数据", "Upload"), .dataLoad),
            ("/console/entries", web.text("目录条目", "Entries"), .catalogueRead),
            ("/console/loads", web.text("批次与问题", "Loads"), .quarantineRead),
            ("/console/sources", web.text("归集来源", "Sources"), .dataLoad),
            ("/console/derivations", web.text("派生资源", "Derived"), .dataLoad),
            ("/console/harvests", web.text("目录汇聚", "Harvests"), .catalogueReviewAuthority),
            ("/console/subscriptions", web.text("事件订阅", "Subscriptions"), .subscriptionManage),
            ("/console/quality", web.text("部门质量", "Quality"), .catalogueRead),
            ("/console/ledger", web.text("总账本", "Ledger"), .catalogueRead),
            ("/console/compliance", web.text("编制检查", "Compliance"), .catalogueEdit),
            ("/console/standards", web.text("标准与贯标", "Standards"), .catalogueEdit),
            ("/console/openings", web.text("开放审查", "Opening"), .catalogueRead),
            (FeedbackAPI.path, web.text("公众反馈", "Feedback"), .catalogueEdit),
            ("/console/organisations", web.text("机构与人员", "Organisations"), .accountsManage),
            ("/console/accounts", web.text("账号与角色", "Accounts"), .accountsManage),
            ("/console/grants", web.text("授权", "Grants"), .grantsManage),
            ("/console/evidence", web.text("存证审计", "Evidence"), .evidenceRead),
            ("/console/nodes", web.text("互信节点", "Trusted nodes"), .systemManage),
            ("/console/jobs", web.text("任务", "Jobs"), .systemManage),
            ("/console/backups", web.text("备份与演练", "Backups"), .systemManage),
            ("/console/settings", web.text("设置", "Settings"), .systemManage),
        ]
        let links = all.compactMap { href, label, permission -> HTML? in
            if let permission, !gate.holds(permission, web.caller) { return nil }
            if href == "/alerts", !web.services.flows.hasAlerts(for: web.caller) { return nil }
            let isOther = href == "/systems" && path.hasPrefix(FeedbackAPI.path)
            let isHere = href == "/console" ? path == href : path.hasPrefix(href) && !isOther
            return isHere
                ? "<a href=\"\(href)\" aria-current=\"page\">\(label)</a>" : "<a href=\"\(href)\">\(label)</a>"
        }
        return page(
            title,
            web,
            scripts: scripts,
            styles: styles,
            refresh: refresh,
            "<div class=\"wrap console\"><nav class=\"side\" aria-label=\"\(web.text("工作台导航", "Console"))\">\(links)</nav><div class=\"content\">\(content)</div></div>"
        )
    }

    // MARK: Pieces

    static func badge(_ text: String, _ kind: String = "") -> HTML { "<span class=\"badge \(kind)\">\(text)</span>" }

    static func score(_ score: Double?, _ language: Language) -> HTML {
        guard let score else { return "<span class=\"muted\">\(language == .zh ? "暂无评分" : "not scored")</span>" }
        let kind = score >= 95 ? "good" : score >= 80 ? "fair" : "poor"
        return "<span class=\"score \(kind)\">\(Numbers.short(score))</span>"
    }

    static func day(_ moment: Int64?) -> String { moment.map { String(CivilTime.timestamp($0).prefix(10)) } ?? "—" }

    static func empty(_ text: String, _ action: HTML = .empty) -> HTML {
        "<div class=\"empty\"><p>\(text)</p>\(action)</div>"
    }

    /// A head of a column; one that ends in `#` is of numbers.
    static func head(_ text: String) -> HTML {
        text.hasSuffix("#")
            ? "<th scope=\"col\" class=\"number\">\(String(text.dropLast()))</th>" : "<th scope=\"col\">\(text)</th>"
    }

    /// A table that scrolls in its own region; heads that end in `#` are of numbers.
    static func table(_ heads: [String], _ rows: [HTML], label: String) -> HTML {

        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"\(label)\"><table><thead><tr>\(heads.map(head))</tr></thead><tbody>\(rows)</tbody></table></div>"
    }

    /// A select with one choice made.
    static func select(
        _ name: String,
        _ options: [(String, String)],
        _ chosen: String,
        label: String? = nil,
        id: String? = nil
    ) -> HTML {
        let items = options.map { value, title -> HTML in
            value == chosen
                ? "<option value=\"\(value)\" selected>\(title)</option>"
                : "<option value=\"\(value)\">\(title)</option>"
        }
        let named: HTML = label.map { " aria-label=\"\($0)\"" } ?? .empty
        let identified: HTML = id.map { " id=\"\($0)\"" } ?? .empty
        return "<select name=\"\(name)\"\(identified)\(named)>\(items)</select>"
    }

    /// A labelled field of a form.
    static func field(_ label: String, _ control: HTML, hint: String = "") -> HTML {
        let help: HTML = hint.isEmpty ? .empty : "<span class=\"hint\">\(hint)</span>"
        return "<label class=\"field\"><span>\(label)</span>\(control)\(help)</label>"
    }
}

extension Numbers {
    /// One decimal, for marks.
    static func short(_ value: Double) -> String {
        var out: [UInt8] = []
        Numbers.append((value * 10).rounded() / 10, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// `1,234,567`.
    static func grouped(_ value: Int64) -> String {
        var digits = Array(String(value.magnitude))
        var at = digits.count - 3
        while at > 0 {
            digits.insert(",", at: at)
            at -= 3
        }
        return (value < 0 ? "-" : "") + String(digits)
    }
}

/// The page of a problem.
enum ErrorPage {
    static func view(_ problem: Problem, _ language: Language, _ services: Services) -> HTML {
        let header: HTML =
            "<header class=\"site-header\"><div class=\"wrap\"><a class=\"brand\" href=\"/\"><img src=\"/assets/logo.svg\" alt=\"\" width=\"28\" height=\"28\"><span>\(services.settings.title[language])</span></a></div></header>"
        let hint: HTML = problem.hint.map { "<p>\($0[language])</p>" } ?? .empty
        return Layout.frame(
            problem.message[language],
            services,
            language,
            header: header,
            """
            <div class="wrap narrow"><section class="card problem" role="alert">
            <h1>\(problem.message[language])</h1>\(hint)
            <p class="muted">\(problem.code) · \(problem.status)</p>
            <p><a class="button" href="/">\(language == .zh ? "回首页" : "Home")</a></p>
            </section></div>
            """
        )
    }
}
