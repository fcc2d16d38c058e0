import Basics
import Foundation
import Seal

/// Signatures of what is sent, by the Standard Webhooks specification 1.0: HMAC-SHA-256 over the message's id, its time and its body.
public enum WebhookSignature {
    static let prefix = "whsec_"

    /// A new secret: `whsec_` and 32 random bytes in Base64.
    static func secret() -> String { prefix + Data(Secrets.random(32)).base64EncodedString() }

    /// The value of `webhook-signature`: one signature a secret, a space between them. The id names the message and is the same at each
    /// attempt; the seconds, since 1970, are those of the attempt.
    public static func value(_ secrets: [String], id: String, seconds: Int64, body: [UInt8]) -> String {
        let message = Array("\(id).\(seconds).".utf8) + body
        return secrets.map { secret in
            let text = secret.hasPrefix(prefix) ? String(secret.dropFirst(prefix.count)) : secret
            let key = Data(base64Encoded: text).map { Array($0) } ?? Array(text.utf8)
            return "v1," + Data(Secrets.hmac(.sha256, key: key, message)).base64EncodedString()
        }.joined(separator: " ")
    }
}
