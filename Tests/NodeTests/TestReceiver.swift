import Basics
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// Somebody's program that is sent events: it answers, fails, hangs and comes back as it is told.
final class TestReceiver: Sendable {
    enum Answer: Sendable {
        case status(Int, [String: String] = [:])
        case hang
        case flood
    }

    struct Request: Sendable {
        var path: String
        var headers: [String: String]
        var body: [UInt8]
        var isTaken: Bool

        var json: JSONValue { (try? JSONValue(body)) ?? .null }
        var id: String { headers["webhook-id"] ?? "" }
        var sequence: String { json["sequence"]?.string ?? "" }
    }

    /// What each path answers next; 204 where nothing is said.
    private let plan = Mutex<[String: [Answer]]>([:])
    private let received = Mutex<[Request]>([])
    private let released = Mutex(false)

    /// Ends what hangs.
    func release() { released.withLock { $0 = true } }

    func says(_ answers: [Answer], on path: String = "/hook") { plan.withLock { $0[path] = answers } }

    func requests(_ path: String = "/hook") -> [Request] { received.withLock { $0.filter { $0.path == path } } }

    /// The requests that were answered with a success, in their order.
    func taken(_ path: String = "/hook") -> [Request] { requests(path).filter(\.isTaken) }

    var application: some ApplicationProtocol {
        let router = Router()
        router.post("{name}") { [self] request, _ -> Response in
            let body = try await request.body.collect(upTo: 1 << 20)
            let path = request.uri.path
            let answer = plan.withLock { plan in
                plan[path, default: []].isEmpty ? .status(204) : plan[path, default: []].removeFirst()
            }
            var headers: [String: String] = [:]
            for field in request.headers { headers[field.name.canonicalName] = field.value }
            headers["host"] = request.head.authority
            var isTaken = false
            switch answer {
            case .status(let status, _): isTaken = (200..<300).contains(status)
            case .flood: isTaken = true
            case .hang: break
            }
            let one = Request(
                path: path,
                headers: headers,
                body: Array(body.readableBytesView),
                isTaken: isTaken
            )
            received.withLock { $0.append(one) }
            switch answer {
            case .status(let status, let said):
                var response = Response(status: .init(code: status))
                for (name, value) in said { if let name = HTTPField.Name(name) { response.headers[name] = value } }
                return response
            case .flood:
                return Response(
                    status: .ok,
                    body: .init(byteBuffer: ByteBuffer(bytes: [UInt8](repeating: 65, count: 4 << 20)))
                )
            case .hang:
                for _ in 0..<1200 where !released.withLock(\.self) { try await Task.sleep(for: .milliseconds(50)) }
                return Response(status: .ok)
            }
        }
        return Application(router: router)
    }
}
