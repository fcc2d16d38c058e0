public import Basics
public import Composition
public import Foundation
import HTTPTypes
import Hummingbird
public import Kernel
public import Lake
import Logging
import NIOCore
import Seal
import StorePostgres
import Synchronization
import Web
public import Webhooks

/// A whole node in a temporary folder, its web without a socket: `let node = try await TestNode()`.
public final class TestNode: Sendable {
    public let node: Node
    public let folder: URL
    public let clock: TestClock
    private let respond: @Sendable (Request, WebContext) async throws -> Response
    private let keepsFolder: Bool

    /// Opens a new node, or the one in a folder.
    public init(
        folder: URL? = nil,
        demonstration: Bool = false,
        packs: URL? = nil,
        store: StoreSettings? = nil,
        keptVersions: Int = 0,
        webhooks: WebhookSettings = WebhookSettings(),
        chromium: URL? = nil,
        faults: Lake.FaultPlan = .init()
    ) async throws {
        let place = folder ?? FileManager.default.temporaryDirectory.appending(path: "tongqu-test-\(UUID().uuidString)")
        self.folder = place
        keepsFolder = folder != nil
        clock = TestClock()
        let now = clock
        node = try await Node.open(
            NodeSettings(
                folder: place,
                vendorFolder: place.appending(path: "vendor"),
                keptVersions: keptVersions,
                webhooks: webhooks,
                store: try store ?? TestNode.store(of: place),
                chromium: chromium
            ),
            clock: Clock { now.now },
            faults: faults
        )
        if demonstration {
            _ = try await Demonstration.install(
                node,
                packs: [packs ?? TestNode.smallPacks],
                password: TestNode.password
            )
        }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let responder = WebApplication(services: node.services, logger: logger).responder()
        respond = { try await responder.respond(to: $0, context: $1) }
    }

    /// The engine of this run of the tests: SQLite, or what `TONGQU_TEST_STORE` says, each folder with schemas of its own.
    public static func store(of folder: URL) throws -> StoreSettings {
        guard let address = ProcessInfo.processInfo.environment["TONGQU_TEST_STORE"], !address.isEmpty else {
            return .sqlite
        }
        let name = Digest(.sha256, of: folder.standardizedFileURL.path.utf8).description.suffix(20)
        return try StoreSettings("\(address)?schema=t\(name)", connections: 6)
    }

    /// Removes a folder's schemas.
    public static func removeStore(of folder: URL) async throws {
        guard case .postgresql(let settings) = try store(of: folder) else { return }
        let server = PostgresServer(settings)
        try await server.removeEverything()
        server.close()
    }

    /// Whether this run is on SQLite.
    public static var isSQLite: Bool { (try? store(of: root)) == .sqlite }

    public static let password = "Test-Pass-2026"
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// A few organisations, one account a role, seven resources: what most tests stand on.
    public static let smallPacks = root.appending(path: "Tests/Fixtures/packs")
    /// What `./run` opens on.
    public static let packs = root.appending(path: "Packs")

    /// Closes the node; its folder goes unless it was given.
    public func close() async throws {
        try await node.close()
        if !keepsFolder {
            try? FileManager.default.removeItem(at: folder)
            try await TestNode.removeStore(of: folder)
        }
    }

    /// A caller by login.
    public func caller(_ login: String) async throws -> Caller {
        Caller(principal: try await node.kernel.accounts.find(login: login), trace: "test")
    }

    /// An answer of the web.
    public struct Answer: Sendable {
        public var status: Int
        public var headers: [String: String]
        public var body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }
        public var json: JSONValue { (try? JSONValue(body)) ?? .null }
    }

    /// Asks the web.
    public func ask(
        _ method: String,
        _ path: String,
        headers: [String: String] = [:],
        body: [UInt8] = []
    ) async throws -> Answer {
        var fields = HTTPFields()
        for (name, value) in headers { if let name = HTTPField.Name(name) { fields[name] = value } }
        let head = HTTPRequest(
            method: HTTPRequest.Method(method) ?? .get,
            scheme: "http",
            authority: "localhost",
            path: path,
            headerFields: fields
        )
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let response = try await respond(
            Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: body))),
            WebContext(logger: logger)
        )
        let sink = Sink()
        try await response.body.write(CollectingWriter(sink: sink))
        var answered: [String: String] = [:]
        for field in response.headers { answered[field.name.canonicalName] = field.value }
        return Answer(status: response.status.code, headers: answered, body: sink.bytes.withLock { $0 })
    }

    /// A signed-in session: its headers for further requests.
    public func session(_ login: String, password: String = TestNode.password) async throws -> [String: String] {
        let body = JSONValue.object([.init("login", .string(login)), .init("password", .string(password))])
        let answer = try await ask("POST", "/api/v1/session", body: Array(body.text.utf8))
        let cookie = answer.headers["set-cookie"]?.split(separator: ";").first.map(String.init) ?? ""
        return ["cookie": cookie, "x-csrf-token": answer.json["csrf"]?.string ?? ""]
    }

    /// Sends a file as a person does, makes a resource of it and loads it; the resource's code.
    public func resource(
        _ file: URL,
        name: String,
        session: [String: String],
        query: String = "",
        change: (JSONValue) -> JSONValue = { $0 }
    ) async throws -> (code: String, job: JSONValue) {
        let data = try Data(contentsOf: file)
        let file = file.lastPathComponent.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let sent = try await ask(
            "POST",
            "/api/v1/uploads?name=\(file)&no_secrets=true",
            headers: session,
            body: Array(data)
        )
        guard let upload = sent.json["upload"]?.string else {
            throw Problem("test.upload", zh: sent.text, en: sent.text)
        }
        let description = try await ask("GET", "/api/v1/uploads/\(upload)/description\(query)", headers: session)
        guard let schema = description.json["schema"] else {
            throw Problem("test.describe", zh: description.text, en: description.text)
        }
        let owner = try await node.kernel.accounts.find(login: "clerk")?.organisation.raw ?? 1
        let content = JSONValue.object([
            .init("name", .string(name)), .init("category", "301001"), .init("provider", .integer(owner)),
            .init("summary", "测试资源:由测试文件推断而来,不用于生产。"), .init("frequency", "yearly"), .init("schema", change(schema)),
            .init(
                "items",
                .array(
                    (schema["fields"]?.array ?? []).map { _ in
                        .object([.init("sharing", 1), .init("mode", "platform_file")])
                    }
                )
            ),
        ])
        let created = try await ask("POST", "/api/v1/resources", headers: session, body: Array(content.text.utf8))
        guard let code = created.json["code"]?.string, let id = created.json["id"]?.string else {
            throw Problem("test.create", zh: created.text, en: created.text)
        }
        return (code, try await load(upload, into: id, mode: "replace", session: session, query: query))
    }

    /// Loads an upload and waits; the job as the API shows it.
    public func load(
        _ upload: String,
        into id: String,
        mode: String,
        session: [String: String],
        query: String = ""
    ) async throws -> JSONValue {
        var members: [JSONValue.Member] = [.init("upload", .string(upload)), .init("mode", .string(mode))]
        for pair in query.drop(while: { $0 == "?" }).split(separator: "&") {
            let parts = pair.split(separator: "=").map(String.init)
            if parts.count == 2 {
                members.append(.init(parts[0], .string(parts[1].removingPercentEncoding ?? parts[1])))
            }
        }
        let queued = try await ask(
            "POST",
            "/api/v1/resources/\(id)/loads",
            headers: session,
            body: Array(JSONValue.object(members).text.utf8)
        )
        guard let job = queued.json["job"]?.integer else {
            throw Problem("test.load", zh: queued.text, en: queued.text)
        }
        try await node.kernel.jobs.runPending()
        return try await ask("GET", "/api/v1/jobs/\(job)", headers: session).json
    }

    /// Sends bytes as an upload; its id.
    public func upload(_ name: String, _ bytes: [UInt8], session: [String: String]) async throws -> String {
        try await ask("POST", "/api/v1/uploads?name=\(name)&no_secrets=true", headers: session, body: bytes).json[
            "upload"
        ]?.string ?? ""
    }
}

/// A clock that tests move.
public final class TestClock: Sendable {
    private let time = Mutex<Int64>(1_795_000_000_000_000)

    /// Now, a microsecond later at each look.
    public var now: Int64 {
        time.withLock {
            $0 += 1
            return $0
        }
    }

    /// Moves the time on.
    public func advance(microseconds: Int64) { time.withLock { $0 += microseconds } }
}

final class Sink: Sendable {
    let bytes = Mutex<[UInt8]>([])
}

struct CollectingWriter: ResponseBodyWriter {
    let sink: Sink

    mutating func write(_ buffer: ByteBuffer) async throws {
        sink.bytes.withLock { $0.append(contentsOf: buffer.readableBytesView) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
