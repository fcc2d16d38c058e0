import Basics
import Foundation
import HTTPTypes
public import Hummingbird
import Kernel
public import Logging
import NIOCore
import Synchronization

/// Counts of requests, for `/metrics`.
final class WebMetrics: Sendable {
    struct Kind: Hashable {
        var method: String
        var status: Int
    }

    struct State {
        var requests: [Kind: Int] = [:]
        var seconds: Double = 0
    }
    private let state = Mutex(State())

    func count(_ method: String, _ status: Int, _ seconds: Double) {
        state.withLock {
            $0.requests[Kind(method: method, status: status), default: 0] += 1
            $0.seconds += seconds
        }
    }

    var snapshot: (requests: [Kind: Int], seconds: Double) { state.withLock { ($0.requests, $0.seconds) } }
}

/// Builds the web of a node: routes, the caller of each request, headers, errors.
public struct WebApplication: Sendable {
    let services: Services
    let metrics = WebMetrics()
    let ckan = CKANCache()
    let limiter: RateLimiter
    public let running: RunningRequests
    public let logger: Logger

    public init(services: Services, logger: Logger) {
        self.services = services
        self.logger = logger
        limiter = RateLimiter(limit: services.settings.requestsPerMinute)
        running = RunningRequests(patience: .seconds(services.settings.requestSeconds))
    }

    /// Every route of the node, in order.
    var routes: [Route] {
        let all =
            PublicPages.routes + ResourcePages.routes + SessionPages.routes + ConsolePages.routes + UploadPages.routes
            + EntryListPages.routes + EntryPages.routes + LedgerPage.routes
            + OpeningPages.routes + AdministrationPages.routes + CatalogueAPI.routes + EntriesAPI.routes
            + LoadPages.routes + NodePages.routes + QualityPages.routes + FeedbackAPI.routes + WorkPages.routes
            + PortalPages.routes
            + StandardsAPI.routes
            + StandardsPages.routes + SourcesAPI.routes + SourcePages.routes
            + DataAPI.routes + FeaturesAPI.routes + CatalogueGraph.routes + CKANAPI.routes(ckan) + AnalysisAPI.routes
            + DescriptionsAPI.routes + HarvestsAPI.routes + HarvestPages.routes + AnalysisPages.routes
            + DerivationsAPI.routes + DerivationPages.routes + LineagePages.routes
            + SubscriptionsAPI.routes + SubscriptionPages.routes
            + SystemPages.routes + RecordPages.routes + DrawPages.routes + FlowPages.routes + AttachmentPages.routes
            + DocumentPages.routes + ImportPages.routes + FormCheckPages.routes + RecordMapPage.routes
            + SystemsAPI.routes
            + PackagePages.routes + PackagesAPI.routes + TrustedNodePages.routes
            + AlertPages.routes + IndicatorPages.routes + PublishedPages.routes + RulesAPI.routes
            + OpeningAPI.routes
            + AdministrationAPI.routes + SystemRoutes.routes(self)
        return all.filter { $0.side == .open || !services.settings.isPublicOnly }
    }

    /// Makes the responder that serves requests.
    public func responder() -> some HTTPResponder<WebContext> {
        let router = Router(context: WebContext.self)
        let routes = self.routes
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                await respond(request, context, route).whole
            }
        }
        let ways = routes.map { ($0.method, $0.path.split(separator: "/")) }
        return Fallback(inner: router.buildResponder(), application: self, ways: ways)
    }

    /// An answer before the headers that every answer has are put to it.
    struct Answer {
        var response: Response
        let trace: String

        var whole: Response {
            var response = response
            WebApplication.protect(&response, trace)
            return response
        }
    }

    func respond(_ request: Request, _ context: WebContext, _ route: Route) async -> Answer {
        let started = ContinuousClock.now
        let language = WebApplication.language(request)
        let trace = WebApplication.trace(request)
        var response: Response
        let address = WebApplication.address(request, context)
        var verdict: RateLimiter.Verdict?
        do {
            // Before anything is looked up: whoever asks too often costs little. The node's own machine is not counted.
            if limiter.limit > 0, route.isCounted, let address, !address.isLoopback {
                let asked = limiter.ask(RateLimiter.network(of: address.text) ?? address.text)
                verdict = asked
                guard asked.isAllowed else { throw RateLimiter.problem }
            }
            let (caller, token, csrf) =
                route.isAnonymous
                ? (Caller.anonymous(address: address?.text ?? "", trace: trace), nil, "")
                : try await caller(request, context, trace)
            let web = WebRequest(
                request: request,
                context: context,
                services: services,
                running: running,
                caller: caller,
                token: token,
                csrf: csrf,
                language: language,
                takes: route.takes
            )
            if let ticket = context.ticket {
                response = try await running.run(ticket) { try await route.handle(web) }
            } else if route.isReading {
                response = try await running.run(by: context.channel) { try await route.handle(web) }
            } else {
                response = try await route.handle(web)
            }
            if let token, let fresh = try await services.kernel.accounts.rotate(token) {
                response.headers[values: .setCookie].append(
                    WebApplication.cookie(fresh, isSecure: services.settings.isSecure)
                )
            }
        } catch {
            let problem = WebApplication.problem(error, logger, trace)
            if !route.isAPI, route.method == .get, problem.code == "access.sign_in" {
                response = .redirect(
                    "/signin?next="
                        + (request.uri.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "/")
                )
            } else if !route.isAPI, route.method == .get, problem.code == "account.change_password" {
                response = .redirect("/password")
            } else if route.isAPI || WebApplication.wantsJSON(request) {
                response = .problem(problem, language)
                if problem.status == 416, let length = problem.details["length"] {
                    response.headers[.contentRange] = "bytes */\(length)"
                }
            } else {
                response = .page(ErrorPage.view(problem, language, services), status: .init(code: problem.status))
            }
        }
        if request.uri.query != nil, request.uri.queryParameters["lang"] != nil {
            response.headers[values: .setCookie].append(
                "lang=\(language.rawValue); Path=/; Max-Age=31536000; SameSite=Lax"
            )
        }
        if let verdict { limiter.tell(verdict, in: &response) }
        let isIdentified = WebApplication.isIdentified(request)
        if isIdentified, !route.isAnonymous, route.isAPI {
            // What somebody sees is for nobody else's cache.
            response.headers[.cacheControl] = "private, no-cache"
        }
        if route.isAPI, request.method == .get, !isIdentified {
            // Whoever draws a page elsewhere may read what the public may.
            response.headers.add(HeaderField.anyOrigin)
            response.headers.add(HeaderField.exposesState)
        }
        response.pack(for: request, isSecret: !route.isAPI && WebApplication.cookie("tongqu_session", request) != nil)
        let elapsed = ContinuousClock.now - started
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        metrics.count(request.method.rawValue, response.status.code, seconds)
        logger.info(
            "request",
            metadata: [
                "method": .string(request.method.rawValue), "route": .string(route.path),
                "status": .string(String(response.status.code)),
                "milliseconds": .string(String(Int(seconds * 1000))), "trace": .string(trace),
            ]
        )
        return Answer(response: response, trace: trace)
    }

    // MARK: Who asks

    func caller(_ request: Request, _ context: WebContext, _ trace: String) async throws -> (Caller, String?, String) {
        let address = WebApplication.address(request, context)?.text ?? ""
        if request.headers.contains(.authorization), let header = request.headers[.authorization] {
            guard header.hasPrefix("Bearer "),
                let principal = try await services.kernel.accounts.principal(key: String(header.dropFirst(7)))
            else {
                throw Problem(
                    "access.key",
                    status: 401,
                    zh: "接口密钥无效或已过期。",
                    en: "The API key is not valid or has ended."
                )
            }
            return (Caller(principal: principal, address: address, trace: trace), nil, "")
        }
        guard let token = WebApplication.cookie("tongqu_session", request),
            let session = try await services.kernel.accounts.session(token)
        else {
            try checkOrigin(request)
            return (Caller.anonymous(address: address, trace: trace), nil, "")
        }
        try checkOrigin(request)
        return (Caller(principal: session.principal, address: address, trace: trace), token, session.csrf)
    }

    /// Forms come from our own pages: a browser says where a request began, and it must be here.
    func checkOrigin(_ request: Request) throws {
        guard request.method != .get, request.method != .head else { return }
        if let site = request.headers[HeaderName.fetchSite], site == "cross-site" {
            throw WebApplication.foreign()
        }
        if let origin = request.headers[.origin], let host = request.head.authority, origin != "null" {
            let name = origin.split(separator: "/").last.map(String.init) ?? ""
            guard name == host else { throw WebApplication.foreign() }
        }
    }

    static func foreign() -> Problem {
        Problem(
            "access.csrf",
            status: 403,
            zh: "请求不是从本站页面发出的。",
            en: "The request did not come from this site's pages.",
            hint: .init("请刷新页面后重试。", "Reload the page and try again.")
        )
    }

    static func cookie(_ token: String, isSecure: Bool) -> String {
        "tongqu_session=\(token); Path=/; HttpOnly; SameSite=Lax; Max-Age=28800\(isSecure ? "; Secure" : "")"
    }

    // MARK: Details of requests

    /// Where a request came from: as a proxy on the same machine tells it, else the connection's other end.
    static func address(_ request: Request, _ context: WebContext) -> (text: String, isLoopback: Bool)? {
        guard let text = context.address else { return nil }
        let isLoopback = text.hasPrefix("127.") || text == "::1"
        guard isLoopback, let header = request.headers[HeaderName.forwardedFor],
            let last = header.split(separator: ",").last
        else { return (text, isLoopback) }
        let told = String(last.prefix(60)).trimmingCharacters(in: .whitespaces)
        return RateLimiter.network(of: told) == nil ? (text, true) : (told, false)
    }

    /// Whether a request says who asks.
    static func isIdentified(_ request: Request) -> Bool {
        request.headers.contains(.authorization) || cookie("tongqu_session", request) != nil
    }

    /// A cookie's value; most programs send none, and nothing is looked through.
    static func cookie(_ name: String, _ request: Request) -> String? {
        request.headers.contains(.cookie) ? request.cookies[name]?.value : nil
    }

    /// What a browser asks before it lets a page from elsewhere read the API (CORS): yes to reading without a session.
    static func preflight(_ request: Request) -> Response? {
        guard request.method == .options, Route.isAPI(request.uri.path),
            request.headers[HeaderName.requestedMethod] != nil
        else { return nil }
        var headers: HTTPFields = [.accessControlAllowOrigin: "*"]
        let isCKAN = request.uri.path.hasPrefix("/api/3/") || request.uri.path.hasPrefix("/api/action/")
        headers[.accessControlAllowMethods] = isCKAN ? "GET, HEAD, POST, OPTIONS" : "GET, HEAD, OPTIONS"
        headers[.accessControlAllowHeaders] = "Accept, Accept-Language, Content-Type, If-None-Match, Range"
        headers[.accessControlMaxAge] = "86400"
        return Response(status: .noContent, headers: headers, body: ResponseBody())
    }

    static func language(_ request: Request) -> Language {
        if request.uri.query != nil,
            let chosen = request.uri.queryParameters["lang"].flatMap({ Language(rawValue: String($0)) })
        {
            return chosen
        }
        if let kept = cookie("lang", request).flatMap({ Language(rawValue: $0) }) { return kept }
        guard request.headers.contains(.acceptLanguage) else { return .zh }
        return request.headers[.acceptLanguage]?.prefix(2).lowercased() == "en" ? .en : .zh
    }

    /// The trace id of `traceparent` (W3C), or a new one.
    static func trace(_ request: Request) -> String {
        if let header = request.headers[HeaderName.traceParent] {
            let parts = header.split(separator: "-")
            if parts.count == 4, parts[1].count == 32, Hexadecimal.bytes(String(parts[1])) != nil {
                return String(parts[1])
            }
        }
        return Traces.shared.next()
    }

    static func wantsJSON(_ request: Request) -> Bool {
        let accepted = request.headers[.accept] ?? ""
        return accepted.contains("application/json") && !accepted.contains("text/html")
    }

    static func problem(_ error: any Error, _ logger: Logger, _ trace: String) -> Problem {
        if var problem = error as? Problem {
            // The engine's words are for whoever keeps the node.
            if problem.code == "store.failed", let said = problem.details.removeValue(forKey: "message") {
                logger.error("store", metadata: ["said": "\(said)", "trace": "\(trace)"])
            }
            return problem
        }
        if let error = error as? HTTPError {
            return Problem("request.malformed", status: error.status.code, zh: "请求有误。", en: "The request is not right.")
        }
        if error is CancellationError {
            // Nobody reads it: who asked has gone, or the server stops.
            return Problem("request.left", status: 499, zh: "请求已取消。", en: "The request was given up.")
        }
        logger.error("unexpected", metadata: ["type": "\(type(of: error))", "trace": "\(trace)"])
        return Problem(
            "internal",
            status: 500,
            zh: "服务器内部出错。",
            en: "Something failed inside the server.",
            hint: .init("请把追踪编号 \(trace) 告诉管理员。", "Give the trace id \(trace) to the administrator.")
        )
    }

    static let policy =
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    static let extraHeaders: [(HTTPField.Name, String)] = [
        ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), microphone=(), geolocation=(self)"),
    ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }

    /// The same as fields, and as they go over the wire, made once.
    private static let extraFields = extraHeaders.map { HTTPField(name: $0.0, value: $0.1) }
    static let extraBytes = Array(extraHeaders.map { "\($0.0.rawName): \($0.1)\r\n" }.joined().utf8)

    /// No route sets these itself: they are put to the end, and nothing is looked for.
    static func protect(_ response: inout Response, _ trace: String) {
        response.headers.append(contentsOf: extraFields)
        if let name = HeaderName.traceID { response.headers.append(HTTPField(name: name, value: trace)) }
    }
}

/// Counts what it is given.
private struct CountingWriter: ResponseBodyWriter {
    final class Total: Sendable { let bytes = Mutex(0) }
    let total = Total()

    @concurrent mutating func write(_ buffer: ByteBuffer) async throws {
        total.bytes.withLock { $0 += buffer.readableBytes }
    }

    @concurrent consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// Answers what no route takes.
struct Fallback<Inner: HTTPResponder>: HTTPResponder where Inner.Context == WebContext {
    let inner: Inner
    let application: WebApplication
    /// The method and the parts of the path of each route.
    let ways: [(HTTPRequest.Method, [Substring])]

    func respond(to request: Request, context: WebContext) async throws -> Response {
        if let answer = WebApplication.preflight(request) { return answer }
        // HEAD is GET without the body.
        var head = request.head
        if request.method == .head { head.method = .get }
        let asked = Request(head: head, body: request.body)
        do {
            var response = try await inner.respond(to: asked, context: context)
            if response.status == .notFound, response.headers[.contentType] == nil { return missing(request) }
            if request.method == .head {
                // As long as GET's would be: what nobody knows is counted.
                var length = response.body.contentLength
                if length == nil {
                    let counter = CountingWriter()
                    try await response.body.write(counter)
                    length = counter.total.bytes.withLock(\.self)
                }
                response.body = ResponseBody(contentLength: length) { writer in try await writer.finish(nil) }
            }
            return response
        } catch {
            let status = (error as? HTTPError)?.status
            return status == .notFound || status == nil && error is CancellationError
                ? missing(request) : application.failed(request, error)
        }
    }

    /// Nothing is there, or nothing for this method.
    private func missing(_ request: Request) -> Response {
        let asked = request.uri.path.split(separator: "/")
        func isAt(_ parts: [Substring]) -> Bool {
            parts.count == asked.count && zip(parts, asked).allSatisfy { $0.contains("{") || $0 == $1 }
        }
        var methods = Set(ways.filter { isAt($0.1) }.map(\.0))
        if methods.contains(.get) { methods.insert(.head) }
        guard !methods.isEmpty, !methods.contains(request.method) else {
            return application.answer(request, Problem.notFound(.init("页面", "the page")))
        }
        let allowed = methods.map(\.rawValue).sorted().joined(separator: ", ")
        var response = application.answer(
            request,
            Problem(
                "request.method",
                status: 405,
                zh: "这个地址不接受 \(request.method.rawValue) 请求。",
                en: "This address takes no \(request.method.rawValue) requests.",
                hint: .init("它接受 \(allowed)。", "It takes \(allowed).")
            )
        )
        response.headers[.allow] = allowed
        return response
    }
}

extension WebApplication {
    func failed(_ request: Request, _ error: any Error) -> Response {
        answer(request, WebApplication.problem(error, logger, WebApplication.trace(request)))
    }

    func answer(_ request: Request, _ problem: Problem) -> Response {
        let language = WebApplication.language(request)
        var response: Response =
            Route.isAPI(request.uri.path) || WebApplication.wantsJSON(request)
            ? .problem(problem, language)
            : .page(ErrorPage.view(problem, language, services), status: .init(code: problem.status))
        WebApplication.protect(&response, WebApplication.trace(request))
        return response
    }
}
