import Basics
import Glibc
import HTTPTypes
import Hummingbird
import Synchronization

/// How often somebody may ask: so many requests a minute, which refill as time passes.
///
/// The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "default";q=6000;w=60`, `RateLimit: "default";r=5999;t=1`.
final class RateLimiter: Sendable {
    private struct Bucket {
        var left: Double
        var at: ContinuousClock.Instant
    }

    /// What is left to somebody.
    struct Verdict {
        var isAllowed: Bool
        var left: Int
        /// Seconds until everything is there again; where nothing is left, until the next request is allowed.
        var seconds: Int
    }

    /// Requests a minute; 0 for any number.
    let limit: Int
    private let buckets = Mutex<[String: Bucket]>([:])
    /// Callers remembered; when they are more, those with everything left are forgotten.
    private static let most = 100_000

    init(limit: Int) { self.limit = limit }

    func ask(_ name: String, now: ContinuousClock.Instant = .now) -> Verdict {
        buckets.withLock { buckets in
            let most = Double(limit)
            let perSecond = most / 60
            func refilled(_ bucket: Bucket) -> Double {
                let passed = now - bucket.at
                return min(
                    most,
                    bucket.left + Double(passed.components.seconds) * perSecond + Double(passed.components.attoseconds)
                        / 1e18 * perSecond
                )
            }
            if buckets.count >= RateLimiter.most, buckets[name] == nil {
                buckets = buckets.filter { refilled($0.value) < most }
                if buckets.count >= RateLimiter.most { buckets = [:] }
            }
            var left = buckets[name].map(refilled) ?? most
            let isAllowed = left >= 1
            if isAllowed { left -= 1 }
            buckets[name] = Bucket(left: left, at: now)
            let missing = isAllowed ? most - left : 1 - left
            return Verdict(
                isAllowed: isAllowed,
                left: Int(left),
                seconds: max(1, Int((missing / perSecond).rounded(.up)))
            )
        }
    }

    /// An address without its port; of IPv6 the network of 64 bits that one customer has. Nil for what is no address.
    static func network(of text: String) -> String? {
        var bare = Substring(text)
        if bare.hasPrefix("[") {
            bare = bare.dropFirst().prefix { $0 != "]" }
        } else if bare.contains("."), let colon = bare.lastIndex(of: ":"), bare.firstIndex(of: ":") == colon {
            bare = bare[..<colon]
        }
        var four = in_addr()
        if inet_pton(AF_INET, String(bare), &four) == 1 { return String(bare) }
        var six = in6_addr()
        guard inet_pton(AF_INET6, String(bare), &six) == 1 else { return nil }
        return withUnsafeBytes(of: &six) { Hexadecimal.text($0.prefix(8)) } + "/64"
    }

    static let problem = Problem(
        "request.too_many",
        status: 429,
        zh: "请求过于频繁。",
        en: "There are too many requests.",
        hint: .init("请按 Retry-After 给出的秒数稍后再试。", "Try again after the seconds that Retry-After gives.")
    )

    func tell(_ verdict: Verdict, in response: inout Response) {
        response.headers[HeaderName.rateLimitPolicy] = "\"default\";q=\(limit);w=60"
        response.headers[HeaderName.rateLimit] = "\"default\";r=\(verdict.left);t=\(verdict.seconds)"
        if !verdict.isAllowed { response.headers[.retryAfter] = String(verdict.seconds) }
    }
}
