import Basics
import CLibcrypto

/// The digests that evidence and files carry. The name is kept with every value, so they can coexist.
public enum DigestAlgorithm: String, Sendable, CaseIterable {
    case sha256 = "sha-256"
    /// GB/T 32905-2016.
    case sm3

    var method: OpaquePointer? { self == .sha256 ? EVP_sha256() : EVP_sm3() }
}

/// A digest and the name of its algorithm, written `sm3:66c7…`.
public struct Digest: Sendable, Hashable, CustomStringConvertible {
    public var algorithm: DigestAlgorithm
    public var bytes: [UInt8]

    public init(algorithm: DigestAlgorithm, bytes: [UInt8]) {
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// The digest of bytes.
    public init(_ algorithm: DigestAlgorithm, of data: some Sequence<UInt8>) {
        let hasher = DigestHasher(algorithm)
        hasher.update(Array(data))
        self = hasher.finish()
    }

    public var description: String { "\(algorithm.rawValue):\(Hexadecimal.text(bytes))" }

    /// Reads `name:hexadecimal`.
    public init?(text: String) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let algorithm = DigestAlgorithm(rawValue: String(parts[0])),
            let bytes = Hexadecimal.bytes(String(parts[1])), bytes.count == 32
        else { return nil }
        self.init(algorithm: algorithm, bytes: bytes)
    }
}

/// Digests bytes as they pass.
public final class DigestHasher {
    let algorithm: DigestAlgorithm
    let context: OpaquePointer?

    public init(_ algorithm: DigestAlgorithm) {
        self.algorithm = algorithm
        context = EVP_MD_CTX_new()
        EVP_DigestInit_ex(context, algorithm.method, nil)
    }

    deinit { EVP_MD_CTX_free(context) }

    public func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    public func update(_ bytes: UnsafeRawBufferPointer) {
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// The digest; the hasher is spent.
    public func finish() -> Digest {
        var out = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        EVP_DigestFinal_ex(context, &out, &length)
        return Digest(algorithm: algorithm, bytes: Array(out.prefix(Int(length))))
    }
}
