import Basics
import CQL

/// A condition on datasets in the query language of CKAN's search: the part of Solr's that harvesters and portals send.
///
/// `OR` binds tighter than terms that stand side by side: `organization:a OR organization:b metadata_modified:[…]` asks for both organisations
/// in that time, which is what harvesters mean by it.
indirect enum CKANQuery: Sendable {
    case all
    case every([CKANQuery])
    case any([CKANQuery])
    case not(CKANQuery)
    case term(field: String, text: String, isPattern: Bool)
    case range(field: String, low: Bound, high: Bound)

    /// An end of a range; a nil text is no end.
    struct Bound: Sendable {
        var text: String?
        var isIncluded: Bool
    }

    /// What a document says of a field.
    enum Values {
        /// Compared as a whole.
        case exact([String])
        /// Folded texts in which words are found.
        case text([String])
        case time(Int64)
    }

    static let fieldOfWords = "text"

    /// Whether a document fits; `values` gives what it says of a field, nil for a field that nobody has.
    func holds(now: Int64, _ values: (String) -> Values?) -> Bool {
        switch self {
        case .all: return true
        case .every(let parts): return parts.allSatisfy { $0.holds(now: now, values) }
        case .any(let parts): return parts.contains { $0.holds(now: now, values) }
        case .not(let part): return !part.holds(now: now, values)
        case .term(let field, let text, let isPattern):
            switch values(field) {
            case nil: return false
            case .exact(let list):
                return list.contains { isPattern ? CKANQuery.fits($0, text) : $0 == text }
            case .text(let list):
                let word = text.lowercased()
                return list.contains { isPattern ? CKANQuery.fits($0, "*\(word)*") : $0.contains(word) }
            case .time(let moment):
                return text == "*" || CKANMoment(text, now: now)?.microseconds == moment
            }
        case .range(let field, let low, let high):
            switch values(field) {
            case nil: return false
            case .time(let moment):
                if let text = low.text {
                    guard let bound = CKANMoment(text, now: now)?.microseconds,
                        low.isIncluded ? moment >= bound : moment > bound
                    else { return false }
                }
                guard let text = high.text else { return true }
                guard let bound = CKANMoment(text, now: now)?.microseconds else { return false }
                return high.isIncluded ? moment <= bound : moment < bound
            case .exact(let list), .text(let list):
                return list.contains { value in
                    (low.text.map { low.isIncluded ? value >= $0 : value > $0 } ?? true)
                        && (high.text.map { high.isIncluded ? value <= $0 : value < $0 } ?? true)
                }
            }
        }
    }

    /// Whether a text is what a pattern with `*` and `?` says; the work is bounded by both lengths.
    static func fits(_ text: String, _ pattern: String) -> Bool {
        let (text, pattern) = (Array(text.unicodeScalars), Array(pattern.unicodeScalars))
        var (at, place) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while at < text.count {
            if place < pattern.count, pattern[place] == "*" {
                star = (place, at)
                place += 1
            } else if place < pattern.count, pattern[place] == "?" || pattern[place] == text[at] {
                place += 1
                at += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                place = last.pattern + 1
                at = last.text + 1
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == "*" }
    }
}

/// A moment as Solr writes it: ISO 8601 in UTC, or `NOW` with steps (`NOW-1DAY/DAY`).
struct CKANMoment {
    var microseconds: Int64

    init?(_ text: String, now: Int64) {
        if text.hasPrefix("NOW") {
            var moment = now
            var rest = text.dropFirst(3)
            while let sign = rest.first {
                rest = rest.dropFirst()
                let digits = rest.prefix { $0.isNumber }
                rest = rest.dropFirst(digits.count)
                let name = rest.prefix { $0.isLetter }
                rest = rest.dropFirst(name.count)
                guard let unit = CKANMoment.units[name.hasSuffix("S") ? String(name.dropLast()) : String(name)] else {
                    return nil
                }
                switch sign {
                case "+", "-":
                    guard let count = Int64(digits), count < 1_000_000 else { return nil }
                    let (step, isTooLong) = count.multipliedReportingOverflow(by: sign == "+" ? unit : -unit)
                    let (sum, isTooFar) = moment.addingReportingOverflow(step)
                    guard !isTooLong, !isTooFar else { return nil }
                    moment = sum
                case "/": moment -= moment % unit
                default: return nil
                }
            }
            microseconds = moment
            return
        }
        var text = text
        // Solr's dates are UTC whether they say so or not.
        if !text.contains("T") { text += "T00:00:00" }
        if !text.hasSuffix("Z") { text += "Z" }
        guard let moment = text.withUTF8({ CivilTime.parseISOTimestamp($0) }) else { return nil }
        microseconds = moment
    }

    private static let second: Int64 = 1_000_000
    /// Months and years by their mean length: close enough for bounds of a harvest.
    private static let units: [String: Int64] = [
        "SECOND": second, "MINUTE": 60 * second, "HOUR": 3600 * second, "DAY": 86_400 * second,
        "MONTH": 2_629_746 * second, "YEAR": 31_556_952 * second, "WEEK": 604_800 * second,
    ]

    /// `2024-05-06T07:08:09.123456`: UTC without a zone, always six digits of a fraction, so that the order of texts is that of times.
    static func text(_ microseconds: Int64) -> String {
        var text = UniversalTime.text(microseconds)
        text.removeLast()
        guard let point = text.firstIndex(of: ".") else { return text + ".000000" }
        let digits = text.distance(from: point, to: text.endIndex) - 1
        return text + String(repeating: "0", count: 6 - digits)
    }
}
