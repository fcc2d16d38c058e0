import Basics
import Foundation
import Kernel
import Seal

/// How packages and receipts are signed: SM2 with SM3 over a short text that holds the digest of what is signed, so that a signature of
/// the one is never one of the other.
public struct PackageSeal: Sendable, Hashable {
    /// The public half of the key, SubjectPublicKeyInfo DER.
    public let publicBytes: [UInt8]
    /// DER SEQUENCE { r, s }.
    public let signature: [UInt8]

    /// What names the key.
    public var fingerprint: String { Digest(.sm3, of: publicBytes).description }

    static let algorithm = "sm2-sm3"
    /// The identity that SM2 mixes in (GM/T 0009).
    static let identity = "1234567812345678"

    enum Subject: String {
        case package = "tongqu-package:"
        case receipt = "tongqu-receipt:"
    }

    init(publicBytes: [UInt8], signature: [UInt8]) {
        self.publicBytes = publicBytes
        self.signature = signature
    }

    /// Signs a digest (`sm3:…`) by a node's key.
    init(_ subject: Subject, _ digest: String, by key: NodeKey) throws {
        publicBytes = key.publicBytes
        signature = try key.sign(Array((subject.rawValue + digest).utf8))
    }

    func verifies(_ subject: Subject, _ digest: String) -> Bool {
        (try? NodeKey.verify(signature, Array((subject.rawValue + digest).utf8), publicBytes: publicBytes)) == true
    }

    /// The members that stand in a file, in their order.
    var members: [JSONValue.Member] {
        [
            .init("algorithm", .string(Self.algorithm)), .init("id", .string(Self.identity)),
            .init("public_key", .string(Self.pem(publicBytes))),
            .init("signature", .string(Data(signature).base64EncodedString())),
        ]
    }

    /// Reads the members of a file; nil where they are not there or not of the algorithm.
    init?(_ json: JSONValue) {
        guard json["algorithm"]?.string == Self.algorithm, json["id"]?.string == Self.identity,
            let key = json["public_key"]?.string.flatMap(Self.publicKey),
            let signature = json["signature"]?.string.flatMap({ Data(base64Encoded: $0) })
        else { return nil }
        publicBytes = key
        self.signature = Array(signature)
    }

    // MARK: Public keys as text

    /// A public key as PEM, the form that openssl reads.
    public static func pem(_ publicBytes: [UInt8]) -> String {
        let text = Array(Data(publicBytes).base64EncodedString())
        let lines = stride(from: 0, to: text.count, by: 64).map { String(text[$0..<min($0 + 64, text.count)]) }
        return "-----BEGIN PUBLIC KEY-----\n\(lines.joined(separator: "\n"))\n-----END PUBLIC KEY-----\n"
    }

    /// Reads an SM2 public key from PEM or the bare base64 of its DER; nil for anything else.
    public static func publicKey(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 4096 else { return nil }
        let body = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.hasPrefix("-----") }.joined()
        guard let data = Data(base64Encoded: body), !data.isEmpty,
            let key = try? SigningKey(.sm2, der: Array(data), isPrivate: false)
        else { return nil }
        return try? key.publicBytes()
    }
}
