import Basics
import HTTPTypes
import Hummingbird
import Kernel

/// A way into the node: method, path, the action it performs, and the code.
///
/// Every route names its actions; a test fails on one that names none without saying why.
struct Route: Sendable {
    /// What a route reaches.
    enum Reach: Sendable {
        /// Actions by name.
        case actions([String])
        /// Nothing of the node's: static files, the API's description, health.
        case nothing
    }

    /// Who the page is for: the console is absent on a public-only node.
    enum Side: Sendable {
        case open, console
    }

    var method: HTTPRequest.Method
    var path: String
    var reach: Reach
    var side: Side
    /// Whoever asks is the public: no session, no key, nothing to be forged.
    var isAnonymous: Bool
    var summary: LocalizedText
    /// Whether programs ask there: problems are answered as JSON.
    let isAPI: Bool
    /// Whether requests to it count towards somebody's limit: all but files of the program and its health.
    let isCounted: Bool
    /// What it takes beside its path; nil where it reads no body.
    let takes: DeclaredBody?
    var handle: @Sendable (WebRequest) async throws -> Response

    init(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ reach: Reach,
        _ side: Side = .open,
        isAnonymous: Bool = false,
        zh: String,
        en: String,
        handle: @escaping @Sendable (WebRequest) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.reach = reach
        self.side = side
        self.isAnonymous = isAnonymous
        summary = LocalizedText(zh, en)
        isAPI = Route.isAPI(path)
        isCounted = !path.hasPrefix("/assets/") && !path.hasPrefix("/vendor/") && path != "/healthz"
        takes = method == .get ? nil : DeclaredBody.known["\(method.rawValue) \(path)"]
        self.handle = handle
    }

    /// Whether it only reads: such a request ends when whoever asked has gone.
    var isReading: Bool { method == .get || path.hasSuffix("/preview") }

    /// Whether it costs so little that it is answered where the request arrives: see ``BriefHandler``.
    var isBrief: Bool { method == .get && Route.brief.contains(path) }

    /// Whether what is asked for says how much it costs: only pages of a few rows are brief.
    var isPaged: Bool { Route.paged.contains(path) }

    private static let brief = paged.union([
        "/assets/{name}", "/api/v1/resources/{code}", "/ogc/collections/{code}/items/{feature}",
    ])

    private static let paged: Set = ["/api/v1/resources/{code}/records"]

    /// Whether programs ask there: problems are answered as JSON.
    static func isAPI(_ path: String) -> Bool {
        path.hasPrefix("/api/") || path.hasPrefix("/datastore/") || path == "/ogc" || path.hasPrefix("/ogc/")
            || path.hasPrefix("/catalog")
    }
}
