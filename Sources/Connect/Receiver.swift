import AsyncHTTPClient
public import Basics
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Why nothing was answered.
public enum ReceiverFailure: String, Error, Sendable {
    /// The name has no address.
    case name
    /// The name leads to an address that must not be reached.
    case address
    /// No connection, or one that broke.
    case connection
    /// The other side did not prove who it is.
    case certificate
    /// No answer in time.
    case time

    public var title: LocalizedText {
        switch self {
        case .name: .init("域名无法解析", "the name has no address")
        case .address: .init("域名指向不允许的地址", "the name leads to an address that is not sent to")
        case .connection: .init("连接失败", "the connection failed")
        case .certificate: .init("TLS 握手失败", "TLS failed")
        case .time: .init("没有及时应答", "no answer in time")
        }
    }
}

/// Somebody's program that takes what the node sends: reached at addresses that were looked up and checked once, whatever its name says
/// a moment later. Redirects are not followed. Its connections end with it.
public final class Receiver: Sendable {
    /// An answer's head; what else is answered is read to a limit and thrown away.
    public struct Answer: Sendable, Hashable {
        public var status: Int
        /// `Retry-After` as it came.
        public var retryAfter: String?
    }

    /// How much of an answer is read, in bytes.
    static let limit = 64 << 10

    private let address: String
    private let client: HTTPClient

    private init(_ address: String, _ client: HTTPClient) {
        self.address = address
        self.client = client
    }

    deinit { client.shutdown { _ in } }

    /// Looks a receiver's name up and checks every address it has.
    ///
    /// - Throws: `webhook.address`, ``ReceiverFailure``.
    public static func open(_ address: String, _ policy: ReceiverPolicy) async throws -> Receiver {
        let host = try policy.check(address)
        var settings = HTTPClient.Configuration(certificateVerification: .fullVerification)
        if NetworkAddress(host) == nil {
            let found: [NetworkAddress]
            do { found = try await policy.lookUp(host) } catch { throw ReceiverFailure.name }
            guard let first = found.first else { throw ReceiverFailure.name }
            // One that must not be reached is enough: a name of both kinds is a trap or a mistake.
            guard found.allSatisfy(policy.admits) else { throw ReceiverFailure.address }
            settings.dnsOverride = [host: first.text]
        }
        settings.timeout.connect = .seconds(5)
        settings.connectionPool.retryConnectionEstablishment = false
        settings.redirectConfiguration = .disallow
        settings.httpVersion = .http1Only
        return Receiver(address, HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings))
    }

    /// Sends a body and waits for the head of the answer, at most so long for everything.
    ///
    /// - Throws: ``ReceiverFailure``, `CancellationError`.
    public func post(_ body: [UInt8], _ heads: [(String, String)], within limit: Duration) async throws -> Answer {
        var request = HTTPClientRequest(url: address)
        request.method = .POST
        for (name, value) in heads { request.headers.replaceOrAdd(name: name, value: value) }
        request.headers.replaceOrAdd(name: "user-agent", value: "Tongqu")
        request.body = .bytes(ByteBuffer(bytes: body))
        let told = Told()
        let (sent, client) = (request, client)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    let response = try await client.execute(sent, timeout: .minutes(1))
                    let again = response.headers.first(name: "retry-after")
                    told.value.withLock { $0 = .success(Answer(status: Int(response.status.code), retryAfter: again)) }
                    var read = 0
                    for try await part in response.body {
                        read += part.readableBytes
                        if read > Receiver.limit { break }
                    }
                } catch {
                    // The time is over, or the node stops: that is told below.
                    guard !Task.isCancelled else { return }
                    told.value.withLock { $0 = $0 ?? .failure(Receiver.failure(error)) }
                }
            }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
        if let told = told.value.withLock(\.self) { return try told.get() }
        try Task.checkCancellation()
        throw ReceiverFailure.time
    }

    /// What is known of a sending so far.
    private final class Told: Sendable {
        let value = Mutex<Result<Answer, ReceiverFailure>?>(nil)
    }

    /// Which kind of fault it was; an error's own text could hold the address.
    private static func failure(_ error: any Error) -> ReceiverFailure {
        if let error = error as? HTTPClientError, error == .connectTimeout { return .time }
        return String(describing: type(of: error)).contains("SSL") ? .certificate : .connection
    }
}
