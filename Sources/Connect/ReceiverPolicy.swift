public import Basics
import Foundation
import Glibc
import NIOCore
import NIOPosix

/// Which addresses people may have the node send to, and how their names are looked up.
public struct ReceiverPolicy: Sendable {
    /// Networks that may be reached although they are not public.
    public var networks: [Network]
    /// Whether `http://` may be sent to.
    public var allowsHTTP: Bool
    /// The addresses of a name.
    public var lookUp: @Sendable (String) async throws -> [NetworkAddress]

    public init(
        networks: [Network] = [],
        allowsHTTP: Bool = false,
        lookUp: @escaping @Sendable (String) async throws -> [NetworkAddress] = ReceiverPolicy.system
    ) {
        self.networks = networks
        self.allowsHTTP = allowsHTTP
        self.lookUp = lookUp
    }

    func admits(_ address: NetworkAddress) -> Bool {
        address.isPublic || networks.contains { $0.contains(address) }
    }

    /// Whether an address has a form that may be sent to: https (or http, where the node allows it) with a host, without an account or a
    /// fragment. A host that is an IP address must be one that may be reached; names are looked up at each sending.
    ///
    /// - Returns: the host, for records that must not keep the whole address.
    /// - Throws: `webhook.address`.
    @discardableResult
    public func check(_ address: String) throws(Problem) -> String {
        guard address.utf8.count <= 2000, address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            let parts = URLComponents(string: address), let scheme = parts.scheme?.lowercased(), let host = parts.host,
            !host.isEmpty, parts.user == nil, parts.password == nil, parts.fragment == nil, URL(string: address) != nil
        else {
            throw Self.refused(
                "应形如 https://host/path，不含账号、片段与空格",
                "it should be like https://host/path, without an account or a fragment"
            )
        }
        guard scheme == "https" || scheme == "http" && allowsHTTP else {
            throw Self.refused("只能使用 https", "only https is sent to")
        }
        guard parts.port.map({ (1...65_535).contains($0) }) ?? true else {
            throw Self.refused("端口有误", "the port is not right")
        }
        let bare = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        if let found = NetworkAddress(bare) {
            guard admits(found) else {
                throw Self.refused(
                    "不能发往本机、本链路或内部网络的地址",
                    "addresses of this machine, its link and inner networks are not sent to"
                )
            }
            return bare
        }
        // Lower case and nothing escaped: the name that was checked is the name that is connected to.
        let isName = host.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x2E
        }
        guard isName, host.utf8.count <= 253 else {
            throw Self.refused("主机名应为小写字母、数字、点与连字符", "a host's name has small letters, digits, dots and hyphens")
        }
        return host
    }

    static func refused(_ zh: String, _ en: String) -> Problem {
        Problem(
            "webhook.address",
            status: 422,
            zh: "接收地址有误：\(zh)。",
            en: "The receiver's address is not right: \(en).",
            hint: .init(
                "内部网络与 http 须由系统管理员用 TONGQU_WEBHOOK_NETWORKS、TONGQU_WEBHOOK_HTTP 允许。",
                "The system administrator allows inner networks and http by TONGQU_WEBHOOK_NETWORKS and TONGQU_WEBHOOK_HTTP."
            )
        )
    }

    /// The addresses of a name as the machine knows them, on threads of their own: a name that is slow holds no other work up.
    ///
    /// - Throws: ``ReceiverFailure/name``.
    public static let system: @Sendable (String) async throws -> [NetworkAddress] = { name in
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: [NetworkAddress].self)
        threads.submit { _ in promise.completeWith(Result { try ReceiverPolicy.resolve(name) }) }
        let timer = promise.futureResult.eventLoop.scheduleTask(in: .seconds(5)) {
            promise.fail(ReceiverFailure.name)
        }
        defer { timer.cancel() }
        return try await promise.futureResult.get()
    }

    private static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        return pool
    }()

    private static func resolve(_ name: String) throws -> [NetworkAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { throw ReceiverFailure.name }
        defer { freeaddrinfo(list) }
        var found: [NetworkAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            guard let address = entry.pointee.ai_addr else { continue }
            let bytes: [UInt8]
            switch entry.pointee.ai_family {
            case AF_INET:
                bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) }
                }
            case AF_INET6:
                bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) }
                }
            default: continue
            }
            if let one = NetworkAddress(bytes: bytes) { found.append(one) }
        }
        return found
    }
}
