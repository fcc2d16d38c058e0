import Basics
import Foundation
import HTTPTypes
public import Hummingbird
import Kernel
public import Logging
public import NIOCore

/// The context of a request: Hummingbird's, with the address it came from.
public struct WebContext: RequestContext, RemoteAddressRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let remoteAddress: SocketAddress?
    /// The address as text.
    let address: String?
    /// The connection it came by; nil without one.
    let channel: ObjectIdentifier?
    /// What stands in the open parts of the path, where ``BriefRoutes`` found the route.
    let captured: [(name: String, value: String)]
    /// Where the request runs in a task of its own already.
    let ticket: RunningRequests.Ticket?

    public init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
        address = remoteAddress?.ipAddress
        channel = ObjectIdentifier(source.channel)
        captured = []
        ticket = nil
    }

    /// Of a request that ``BriefHandler`` answers. What Hummingbird's router would write into the core stays empty: all share one.
    init(
        address: String?,
        channel: ObjectIdentifier,
        core: CoreRequestContextStorage,
        parameters: [(name: String, value: String)],
        ticket: RunningRequests.Ticket
    ) {
        coreContext = core
        remoteAddress = nil
        self.address = address
        self.channel = channel
        captured = parameters
        self.ticket = ticket
    }

    /// Without a connection, for tests.
    public init(logger: Logger) {
        struct Source: RequestContextSource { let logger: Logger }
        coreContext = .init(source: Source(logger: logger))
        remoteAddress = nil
        address = nil
        channel = nil
        captured = []
        ticket = nil
    }

    public var maxUploadSize: Int { 4 << 20 }
}

/// A request with who asks, in which language, and what they sent; a class because it is handed from function to function.
final class WebRequest: Sendable {
    let request: Request
    let context: WebContext
    let services: Services
    let running: RunningRequests
    let caller: Caller
    /// The session's token; nil for API keys and the public.
    let token: String?
    let csrf: String
    let language: Language
    /// What the route takes, which a JSON body is checked by.
    let takes: DeclaredBody?
    /// The query's parameters, the first of several; as in forms, a plus sign is a blank.
    let parameters: [String: String]

    init(
        request: Request,
        context: WebContext,
        services: Services,
        running: RunningRequests,
        caller: Caller,
        token: String?,
        csrf: String,
        language: Language,
        takes: DeclaredBody?
    ) {
        self.request = request
        self.context = context
        self.services = services
        self.running = running
        self.caller = caller
        self.token = token
        self.csrf = csrf
        self.language = language
        self.takes = takes
        let query = request.uri.query ?? ""
        guard !query.isEmpty else {
            parameters = [:]
            return
        }
        let form = Form(urlEncoded: Array(query.utf8)).fields
        parameters = Dictionary(form.filter { !$0.name.isEmpty }, uniquingKeysWith: { first, _ in first })
    }

    var principal: Principal? { caller.principal }

    /// Whoever receives what this request's answer is made of, piece by piece.
    func audience() -> Audience { running.audience(context.channel) }

    /// The title of a role, declared by a pack or the node's own.
    func title(of role: Role) -> String { services.kernel.gate.title(of: role)[language] }

    func text(_ zh: String, _ en: String) -> String { language == .zh ? zh : en }

    /// Performs an action as the caller.
    func perform<Input, Output>(_ action: Action<Input, Output>, _ input: Input) async throws -> Output {
        try await services.kernel.gate.perform(action, input, as: caller)
    }

    /// A part of the path.
    func parameter(_ name: String) throws -> String {
        let captured = context.captured.first { $0.name == name }?.value
        guard let value = captured ?? context.parameters.get(name) else {
            throw Problem.notFound(.init("页面", "the page"))
        }
        return value.utf8.contains(0x25) ? value.removingPercentEncoding ?? value : value
    }

    func number(_ name: String) throws -> Int64 {
        guard let number = Int64(try parameter(name)), number > 0 else {
            throw Problem.notFound(.init("页面", "the page"))
        }
        return number
    }

    /// A query parameter; nil where it is absent or empty.
    func query(_ name: String) -> String? {
        guard let value = parameters[name], !value.isEmpty else { return nil }
        return value
    }

    /// The type that `Accept` prefers among some, the first among equals; nil where it names none of them.
    func preferred(_ types: [String]) -> String? {
        let accepted = (request.headers[.accept] ?? "").lowercased().split(separator: ",").map { part in
            let pieces = part.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            let weight = pieces.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            return (type: pieces.first ?? "", weight: weight)
        }
        var best: (type: String, weight: Double)?
        for type in types {
            guard let weight = accepted.first(where: { $0.type == type })?.weight, weight > best?.weight ?? 0 else {
                continue
            }
            best = (type, weight)
        }
        return best?.type
    }

    func limit(_ standard: Int, _ maximum: Int) -> Int {
        max(1, min(query("limit").flatMap { Int($0) } ?? standard, maximum))
    }

    /// How many are asked for, more than the most being the most.
    ///
    /// - Throws: `request.parameter` for what is no number from 1.
    func askedLimit(_ standard: Int, _ maximum: Int) throws(Problem) -> Int {
        guard let text = query("limit") else { return standard }
        guard let number = Int(text), number >= 1 else {
            throw FeatureQuery.wrong("limit", "应为正整数", "it should be a positive integer")
        }
        return min(number, maximum)
    }

    /// The record that the page before ended with.
    ///
    /// - Throws: `query.cursor`.
    func askedPlace(_ name: String) throws(Problem) -> Int64? {
        guard let text = query(name) else { return nil }
        guard let number = Int64(text), number >= 0 else {
            throw Problem("query.cursor", zh: "翻页标记无效。", en: "The cursor is not valid.")
        }
        return number
    }

    /// One of some words.
    ///
    /// - Throws: `request.parameter` for another.
    func askedWord<T: RawRepresentable & CaseIterable>(_ name: String, _ type: T.Type) throws(Problem) -> T?
    where T.RawValue == String {
        guard let text = query(name) else { return nil }
        guard let word = T(rawValue: text) else {
            let known = T.allCases.map(\.rawValue)
            throw FeatureQuery.wrong(
                name,
                "可用：\(known.joined(separator: "、"))",
                "there are \(known.joined(separator: ", "))"
            )
        }
        return word
    }

    // MARK: Bodies

    func body() async throws -> [UInt8] {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: context.maxUploadSize)
        } catch {
            throw Problem("request.too_large", status: 413, zh: "请求内容过大。", en: "The request's body is too large.")
        }
        return Array(buffer.readableBytesView)
    }

    /// A JSON body. In a browser's session the header `X-CSRF-Token` must carry the session's form token.
    func json() async throws -> JSONValue {
        try checkHeader()
        let bytes = try await body()
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Problem("request.encoding", zh: "请求正文应为 UTF-8 编码。", en: "The body is to be UTF-8.")
        }
        let value = bytes.isEmpty ? .object([]) : try JSONValue(bytes)
        return try takes?.read(value) ?? value
    }

    /// A form's fields; several of one name are kept in order. The form must carry the session's form token.
    func form() async throws -> Form {
        let form = Form(urlEncoded: try await body())
        try check(form)
        return form
    }

    func check(_ form: Form) throws {
        // Programs that send files carry it as with all else, in the header.
        let isCarried = Route.isAPI(request.uri.path) && request.headers[HeaderName.csrf] == csrf
        if token != nil, form["_csrf"] != csrf, !isCarried { throw WebApplication.foreign() }
    }

    func checkHeader() throws {
        guard token != nil else { return }
        guard request.headers[HeaderName.csrf] == csrf else {
            throw WebApplication.foreign()
        }
    }
}

/// The fields of a form.
struct Form: Sendable {
    var fields: [(name: String, value: String)]

    init(fields: [(name: String, value: String)]) { self.fields = fields }

    init(urlEncoded bytes: [UInt8]) {
        fields = String(decoding: bytes, as: UTF8.self).split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { part in
                guard part.utf8.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return String(part) }
                let spaced = part.replacing("+", with: " ")
                return spaced.removingPercentEncoding ?? String(spaced)
            }
            return (parts[0], parts.count > 1 ? parts[1] : "")
        }
    }

    subscript(name: String) -> String { fields.first { $0.name == name }?.value ?? "" }

    func has(_ name: String) -> Bool { fields.contains { $0.name == name } }
}
