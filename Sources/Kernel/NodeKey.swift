import Basics
public import Seal
import Synchronization

/// The node's key pair, kept in a file that only the node's user reads.
public final class NodeKey: Sendable {
    private let key: Mutex<SigningKey>
    public let algorithm: SignatureAlgorithm
    public let publicBytes: [UInt8]

    init(_ key: sending SigningKey) throws {
        algorithm = key.algorithm
        publicBytes = try key.publicBytes()
        self.key = Mutex(key)
    }

    /// Makes an SM2 key pair; the private half as DER.
    public static func generate() throws -> (key: NodeKey, der: [UInt8]) {
        let key = try SigningKey.generate(.sm2)
        let der = try key.privateBytes()
        return (try NodeKey(SigningKey(.sm2, der: der, isPrivate: true)), der)
    }

    /// What names the key: the digest of its public half. People compare it to know whose signature they see.
    public var fingerprint: String { Digest(.sm3, of: publicBytes).description }

    /// Whether a signature belongs to a message and the public half of a key (SubjectPublicKeyInfo DER).
    public static func verify(_ signature: [UInt8], _ message: [UInt8], publicBytes: [UInt8]) throws -> Bool {
        try SigningKey(.sm2, der: publicBytes, isPrivate: false).verify(signature, message)
    }

    /// Reads the private half.
    public static func read(der: [UInt8]) throws -> NodeKey {
        try NodeKey(SigningKey(.sm2, der: der, isPrivate: true))
    }

    public func sign(_ message: [UInt8]) throws -> [UInt8] { try key.withLock { try $0.sign(message) } }

    /// Seals a secret of this node (a source's password) so that only whoever holds the node's key reads it.
    public func seal(_ text: String) throws -> String {
        Hexadecimal.text(try Secrets.seal(Array(text.utf8), key: try sealingKey()))
    }

    /// Opens what ``seal(_:)`` made; nil for another node's.
    public func open(_ sealed: String) throws -> String? {
        guard let bytes = Hexadecimal.bytes(sealed),
            let text = try Secrets.open(bytes, key: try sealingKey())
        else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    private func sealingKey() throws -> [UInt8] {
        let bytes = try key.withLock { try $0.privateBytes() }
        return Secrets.hmac(.sm3, key: bytes, Array("tongqu sealed settings".utf8))
    }

    /// A UUID (RFC 9562, version 8) of something this node names, made of the name and the node's key: it stays what it is.
    public func identifier(of name: String) -> String {
        var bytes = Array(Digest(.sm3, of: "\(fingerprint)/\(name)".utf8).bytes.prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array(Hexadecimal.text(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    public func verify(_ signature: [UInt8], _ message: [UInt8]) -> Bool {
        key.withLock { $0.verify(signature, message) }
    }
}
