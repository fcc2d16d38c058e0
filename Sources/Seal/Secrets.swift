public import Basics
import CLibcrypto

/// Random bytes, keyed digests and password hashes.
public enum Secrets {
    /// Random bytes from the operating system by way of libcrypto.
    public static func random(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard RAND_bytes(&bytes, Int32(count)) == 1 else {
            var generator = SystemRandomNumberGenerator()
            return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        }
        return bytes
    }

    /// A random token of letters and digits safe in addresses, about 5.9 bits a character.
    public static func token(_ length: Int = 43) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var out: [UInt8] = []
        while out.count < length {
            for byte in random(length) where byte < 248 && out.count < length { out.append(alphabet[Int(byte) % 62]) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// HMAC with a named digest.
    public static func hmac(_ algorithm: DigestAlgorithm, key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var length = 0
        var out = [UInt8](repeating: 0, count: 32)
        EVP_Q_mac(
            nil,
            "HMAC",
            nil,
            algorithm == .sm3 ? "SM3" : "SHA256",
            nil,
            key,
            key.count,
            message,
            message.count,
            &out,
            out.count,
            &length
        )
        return Array(out.prefix(length))
    }

    /// Whether two secrets agree, in a time that does not tell where they differ.
    public static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }

    /// A password's hash for keeping: `scrypt$N$r$p$salt$hash` (RFC 7914; N = 2^15, r = 8, p = 1: 32 MB, about 0.1 s).
    public static func hashPassword(_ password: String) throws(Problem) -> String {
        let salt = random(16)
        let hash = try scrypt(password, salt: salt, n: 1 << 15, r: 8, p: 1)
        return "scrypt$32768$8$1$\(Hexadecimal.text(salt))$\(Hexadecimal.text(hash))"
    }

    /// Whether a password fits a kept hash.
    public static func verifyPassword(_ password: String, _ kept: String) -> Bool {
        let parts = kept.split(separator: "$").map(String.init)
        guard parts.count == 6, parts[0] == "scrypt", let n = UInt64(parts[1]), let r = UInt64(parts[2]),
            let p = UInt64(parts[3]),
            let salt = Hexadecimal.bytes(parts[4]), let hash = Hexadecimal.bytes(parts[5]),
            let found = try? scrypt(password, salt: salt, n: n, r: r, p: p)
        else { return false }
        return equal(found, hash)
    }

    // MARK: Sealing with a passphrase

    /// Seals bytes so that only a passphrase opens them: `TQS1`, salt (16), nonce (12), AES-256-GCM text, tag (16);
    /// the key by scrypt (RFC 7914; N = 2^15, r = 8, p = 1).
    public static func seal(_ bytes: [UInt8], passphrase: String) throws(Problem) -> [UInt8] {
        let salt = random(16)
        let nonce = random(12)
        let key = try scrypt(passphrase, salt: salt, n: 1 << 15, r: 8, p: 1)
        return Array("TQS1".utf8) + salt + nonce + (try encrypt(bytes, key: key, nonce: nonce))
    }

    /// Seals bytes by a key of 32 random bytes: `TQS2`, nonce (12), AES-256-GCM text, tag (16).
    public static func seal(_ bytes: [UInt8], key: [UInt8]) throws(Problem) -> [UInt8] {
        let nonce = random(12)
        return Array("TQS2".utf8) + nonce + (try encrypt(bytes, key: key, nonce: nonce))
    }

    /// Opens what ``seal(_:key:)`` made; nil for another key or altered bytes.
    public static func open(_ sealed: [UInt8], key: [UInt8]) throws(Problem) -> [UInt8]? {
        guard sealed.count >= 32, sealed.starts(with: Array("TQS2".utf8)) else { return nil }
        return decrypt(Array(sealed[16...]), key: key, nonce: Array(sealed[4..<16]))
    }

    private static func encrypt(_ bytes: [UInt8], key: [UInt8], nonce: [UInt8]) throws(Problem) -> [UInt8] {
        guard key.count == 32 else { throw SigningKey.failed() }
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var text = [UInt8](repeating: 0, count: bytes.count + 16)
        var tag = [UInt8](repeating: 0, count: 16)
        var end = [UInt8](repeating: 0, count: 16)
        var count: Int32 = 0
        var rest: Int32 = 0
        guard EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1,
            EVP_EncryptUpdate(context, &text, &count, bytes, Int32(bytes.count)) == 1,
            EVP_EncryptFinal_ex(context, &end, &rest) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag) == 1
        else { throw SigningKey.failed() }
        return text.prefix(Int(count)) + end.prefix(Int(rest)) + tag
    }

    /// Opens what ``seal(_:passphrase:)`` made; nil for another passphrase or altered bytes.
    public static func open(_ sealed: [UInt8], passphrase: String) throws(Problem) -> [UInt8]? {
        guard sealed.count >= 48, sealed.starts(with: Array("TQS1".utf8)) else { return nil }
        let salt = Array(sealed[4..<20])
        let nonce = Array(sealed[20..<32])
        let key = try scrypt(passphrase, salt: salt, n: 1 << 15, r: 8, p: 1)
        return decrypt(Array(sealed[32...]), key: key, nonce: nonce)
    }

    private static func decrypt(_ sealed: [UInt8], key: [UInt8], nonce: [UInt8]) -> [UInt8]? {
        guard key.count == 32, sealed.count >= 16 else { return nil }
        let text = Array(sealed.dropLast(16))
        var tag = Array(sealed.suffix(16))
        let context = EVP_CIPHER_CTX_new()
        defer {
            EVP_CIPHER_CTX_free(context)
            ERR_clear_error()
        }
        var bytes = [UInt8](repeating: 0, count: text.count + 16)
        var end = [UInt8](repeating: 0, count: 16)
        var count: Int32 = 0
        var rest: Int32 = 0
        guard EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1,
            EVP_DecryptUpdate(context, &bytes, &count, text, Int32(text.count)) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag) == 1,
            EVP_DecryptFinal_ex(context, &end, &rest) == 1
        else { return nil }
        return Array(bytes.prefix(Int(count))) + end.prefix(Int(rest))
    }

    private static func scrypt(
        _ password: String,
        salt: [UInt8],
        n: UInt64,
        r: UInt64,
        p: UInt64
    ) throws(Problem) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        let text = Array(password.utf8CString)
        guard EVP_PBE_scrypt(text, text.count - 1, salt, salt.count, n, r, p, 256 << 20, &out, out.count) == 1 else {
            throw SigningKey.failed()
        }
        return out
    }
}
