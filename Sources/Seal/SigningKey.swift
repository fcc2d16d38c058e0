public import Basics
import CLibcrypto

/// The signatures of a node: SM2 with SM3 (GB/T 32918) or Ed25519 (RFC 8032).
public enum SignatureAlgorithm: String, Sendable, CaseIterable {
    case sm2
    case ed25519
}

/// A key pair, or only its public half.
///
/// Keys live in libcrypto; a handle is used by one thread at a time.
public final class SigningKey {
    public let algorithm: SignatureAlgorithm
    let handle: OpaquePointer

    /// The identity that SM2 mixes into a signature where both sides have not agreed on another (GM/T 0009).
    static let distinguishedID = Array("1234567812345678".utf8)

    private init(_ algorithm: SignatureAlgorithm, _ handle: OpaquePointer) {
        self.algorithm = algorithm
        self.handle = handle
    }

    deinit { EVP_PKEY_free(handle) }

    static func failed() -> Problem {
        ERR_clear_error()
        return Problem("seal.failed", status: 500, zh: "密码运算失败。", en: "A cryptographic operation failed.")
    }

    /// Makes a new key pair.
    public static func generate(_ algorithm: SignatureAlgorithm) throws(Problem) -> SigningKey {
        let context = EVP_PKEY_CTX_new_from_name(nil, algorithm == .sm2 ? "SM2" : "ED25519", nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_generate(context, &key) == 1, let key else { throw failed() }
        return SigningKey(algorithm, key)
    }

    /// The private key as PKCS #8 DER, to be kept in a file only its owner reads.
    public func privateBytes() throws(Problem) -> [UInt8] {
        try encoded(selection: 0x87, structure: "PrivateKeyInfo")
    }

    /// The public key as SubjectPublicKeyInfo DER.
    public func publicBytes() throws(Problem) -> [UInt8] {
        try encoded(selection: 0x86, structure: "SubjectPublicKeyInfo")
    }

    /// The address of a literal: libcrypto keeps the names it is given for as long as the context lives.
    private static func lasting(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    private func encoded(selection: Int32, structure: StaticString) throws(Problem) -> [UInt8] {
        guard
            let context = OSSL_ENCODER_CTX_new_for_pkey(
                handle,
                selection,
                SigningKey.lasting("DER"),
                SigningKey.lasting(structure),
                nil
            )
        else {
            throw SigningKey.failed()
        }
        defer { OSSL_ENCODER_CTX_free(context) }
        var data: UnsafeMutablePointer<UInt8>?
        var length = 0
        let status = OSSL_ENCODER_to_data(context, &data, &length)
        guard status == 1, let bytes = data else { throw SigningKey.failed() }
        defer { CRYPTO_free(bytes, "", 0) }
        return Array(UnsafeBufferPointer(start: bytes, count: length))
    }

    /// Reads a key from DER.
    public init(_ algorithm: SignatureAlgorithm, der: [UInt8], isPrivate: Bool) throws(Problem) {
        let name: StaticString = algorithm == .sm2 ? "SM2" : "ED25519"
        let structure: StaticString = isPrivate ? "PrivateKeyInfo" : "SubjectPublicKeyInfo"
        let selection: Int32 = isPrivate ? 0x87 : 0x86
        // The decoder keeps the address it writes the key to, so the place must outlive both calls.
        let place = UnsafeMutablePointer<OpaquePointer?>.allocate(capacity: 1)
        place.initialize(to: nil)
        defer { place.deallocate() }
        guard
            let context = OSSL_DECODER_CTX_new_for_pkey(
                place,
                SigningKey.lasting("DER"),
                SigningKey.lasting(structure),
                SigningKey.lasting(name),
                selection,
                nil,
                nil
            )
        else {
            throw SigningKey.failed()
        }
        defer { OSSL_DECODER_CTX_free(context) }
        let decoded = der.withUnsafeBufferPointer { buffer -> Int32 in
            var pointer = buffer.baseAddress
            var length = buffer.count
            return OSSL_DECODER_from_data(context, &pointer, &length)
        }
        guard decoded == 1, let key = place.pointee else { throw SigningKey.failed() }
        self.algorithm = algorithm
        handle = key
    }

    /// Reads an SM2 public key from its point's coordinates, 32 bytes each.
    public static func sm2(publicX x: [UInt8], y: [UInt8]) throws(Problem) -> SigningKey {
        // SubjectPublicKeyInfo: id-ecPublicKey, sm2p256v1 (1.2.156.10197.1.301), uncompressed point.
        let head: [UInt8] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x81, 0x1C,
            0xCF,
            0x55, 0x01, 0x82, 0x2D, 0x03, 0x42, 0x00, 0x04,
        ]
        return try SigningKey(.sm2, der: head + x + y, isPrivate: false)
    }

    /// Signs a message. SM2 signatures are DER SEQUENCE { r, s }.
    public func sign(_ message: [UInt8]) throws(Problem) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        var keyContext: OpaquePointer?
        defer {
            EVP_MD_CTX_free(context)
            EVP_PKEY_CTX_free(keyContext)
        }
        guard prepare(context, &keyContext, signing: true) else { throw SigningKey.failed() }
        var length = 0
        guard EVP_DigestSign(context, nil, &length, message, message.count) == 1 else { throw SigningKey.failed() }
        var signature = [UInt8](repeating: 0, count: length)
        guard EVP_DigestSign(context, &signature, &length, message, message.count) == 1 else {
            throw SigningKey.failed()
        }
        return Array(signature.prefix(length))
    }

    /// Whether a signature belongs to a message and this key.
    public func verify(_ signature: [UInt8], _ message: [UInt8]) -> Bool {
        let context = EVP_MD_CTX_new()
        var keyContext: OpaquePointer?
        defer {
            EVP_MD_CTX_free(context)
            EVP_PKEY_CTX_free(keyContext)
            ERR_clear_error()
        }
        guard prepare(context, &keyContext, signing: false) else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private func prepare(_ context: OpaquePointer?, _ keyContext: inout OpaquePointer?, signing: Bool) -> Bool {
        if algorithm == .sm2 {
            keyContext = EVP_PKEY_CTX_new(handle, nil)
            guard
                EVP_PKEY_CTX_set1_id(keyContext, SigningKey.distinguishedID, Int32(SigningKey.distinguishedID.count))
                    == 1
            else { return false }
            EVP_MD_CTX_set_pkey_ctx(context, keyContext)
        }
        let method = algorithm == .sm2 ? EVP_sm3() : nil
        let status =
            signing
            ? EVP_DigestSignInit(context, nil, method, nil, handle)
            : EVP_DigestVerifyInit(context, nil, method, nil, handle)
        return status == 1
    }
}
