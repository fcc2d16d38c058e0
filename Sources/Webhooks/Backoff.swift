import Basics

/// When a failed sending is tried again.
enum Backoff {
    private static let second: Int64 = 1_000_000
    /// 5 s, 30 s, 2 min, 10 min, 1 h, then every 6 h.
    static let steps: [Int64] = [5, 30, 120, 600, 3600, 21_600].map { $0 * second }

    /// Microseconds to wait after so many failed attempts, up to a fifth more so that receivers are not asked by all at once. What a
    /// receiver asks for itself by `Retry-After` (429 and 503) holds between 5 seconds and 6 hours.
    static func pause(attempts: Int64, status: Int?, retryAfter: String?, jitter: Double) -> Int64 {
        if status == 429 || status == 503, let asked = retryAfter.flatMap({ Int64($0) }), asked >= 0 {
            return max(steps[0], min(asked, 21_600) * second)
        }
        let step = steps[max(0, min(Int(attempts) - 1, steps.count - 1))]
        return step + Int64(Double(step) * 0.2 * max(0, min(jitter, 1)))
    }
}
