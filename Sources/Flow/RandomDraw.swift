import Basics
import Foundation
import Seal

/// A draw by a seed: everybody who has the seed and the pool finds the same rows drawn.
///
/// Each row with a weight w above 0 gets a number u in (0, 1]: the first 8 bytes (big-endian) of SM3 of `SEED:KEY`, plus 1, by 2^64. Its score is
/// −ln(u) / w, and the rows with the lowest scores are drawn; equal scores go by their keys. So rows are drawn without replacement, each time with
/// a chance as its weight (Efraimidis and Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97, 2006).
public enum RandomDraw {
    public struct Candidate: Sendable, Hashable {
        public var key: String
        /// As it is written.
        public var weight: String

        public init(key: String, weight: String = "1") {
            self.key = key
            self.weight = weight
        }

        /// 0 for what is no number above 0.
        var number: Double {
            guard let number = Double(weight), number > 0, number.isFinite else { return 0 }
            return number
        }
    }

    static func score(_ candidate: Candidate, seed: String) -> Double {
        let bytes = Digest(.sm3, of: Array("\(seed):\(candidate.key)".utf8)).bytes.prefix(8)
        let number = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return -log((Double(number) + 1) / 18_446_744_073_709_551_616) / candidate.number
    }

    /// The places of the rows drawn, in the order of their scores.
    public static func drawn(_ count: Int, from pool: [Candidate], seed: String) -> [Int] {
        let scores = pool.indices.filter { pool[$0].number > 0 }
            .map { (score: score(pool[$0], seed: seed), place: $0) }
        return scores.sorted { ($0.score, pool[$0.place].key) < ($1.score, pool[$1.place].key) }
            .prefix(count).map(\.place)
    }

    /// The pool as lines `KEY<TAB>WEIGHT`, in the order it was read: what the digest is of.
    public static func text(of pool: [Candidate]) -> String {
        pool.map { "\($0.key)\t\($0.weight)\n" }.joined()
    }
}
