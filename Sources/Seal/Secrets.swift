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
