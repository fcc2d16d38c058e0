import Basics
import Hummingbird

/// What CKAN's clients are told when something fails: an envelope with a type they know, or for requests that are none a bare text.
struct CKANFailure: Error {
    var status: Int
    /// `__type` of the error; nil for a bare text.
    var kind: String?
    var members: [JSONValue.Member]

    /// A parameter that is missing or wrong.
    static func invalid(_ name: String, _ text: String) -> CKANFailure {
        CKANFailure(
            status: 409,
            kind: "Validation Error",
            members: [.init(name, .array([.string(text)]))]
        )
    }

    /// The same with the text alone: some of CKAN's actions answer so.
    static func plain(_ name: String, _ text: String) -> CKANFailure {
        CKANFailure(status: 409, kind: "Validation Error", members: [.init(name, .string(text))])
    }

    static func notFound(_ detail: String? = nil) -> CKANFailure {
        told(404, "Not Found Error", detail.map { "Not found: \($0)" } ?? "Not found")
    }

    static func search(_ text: String) -> CKANFailure { told(409, "Search Error", "Search error: '\(text)'") }

    static func query(_ text: String) -> CKANFailure {
        told(400, "Search Query Error", "Search Query is invalid: '\(text)'")
    }

    static func bad(_ text: String) -> CKANFailure {
        CKANFailure(status: 400, kind: nil, members: [.init("", .string("Bad request - " + text))])
    }

    private static func told(_ status: Int, _ kind: String, _ message: String) -> CKANFailure {
        CKANFailure(status: status, kind: kind, members: [.init("message", .string(message))])
    }

    /// What another part of the node refused; `parameter` is the one that asked for it.
    init(_ problem: Problem, parameter: String) {
        let text = problem.message.en + (problem.hint.map { " " + $0.en } ?? "")
        switch problem.status {
        case 404: self = .notFound(problem.message.en)
        case 401 where problem.code != "query.masked", 403 where problem.code != "query.masked":
            self = CKANFailure.told(403, "Authorization Error", "Access denied: " + problem.message.en)
        case 400..<500: self = .invalid(problem.code == "query.too_costly" ? "query" : parameter, text)
        default: self = CKANFailure.told(problem.status, "Internal Server Error", problem.message.en)
        }
    }

    init(status: Int, kind: String?, members: [JSONValue.Member]) {
        self.status = status
        self.kind = kind
        self.members = members
    }

    func response(help: String) -> Response {
        let body: JSONValue =
            kind.map { kind in
                .object([
                    .init("help", .string(help)), .init("success", .boolean(false)),
                    .init("error", .object([.init("__type", .string(kind))] + members)),
                ])
            } ?? members.first?.value ?? .null
        return .bytes(Array(body.text.utf8), type: CKANAPI.mediaType, status: .init(code: status))
    }
}
