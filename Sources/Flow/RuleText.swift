import Basics
import CQL

/// CQL2 of a pack with words that only the moment of asking settles: `$today`, `$today+60` (days), `$setting(KEY)`.
struct RuleText: Sendable, Hashable {
    var text: String

    init(_ text: String) { self.text = text }

    private enum Piece {
        case text(Substring)
        case today(Int32)
        case setting(Substring)
    }

    var mentionsToday: Bool {
        pieces?.contains { if case .today = $0 { true } else { false } } ?? false
    }

    var settings: [String] {
        (pieces ?? []).compactMap { if case .setting(let key) = $0 { String(key) } else { nil } }
    }

    /// The text in pieces; nil where a word is not known. What stands in quotes is a text.
    private var pieces: [Piece]? {
        var found: [Piece] = []
        var rest = text[...]
        var start = rest.startIndex
        var isQuoted = false
        while let character = rest.first {
            if character == "'" { isQuoted.toggle() }
            guard character == "$", !isQuoted else {
                rest.removeFirst()
                continue
            }
            found.append(.text(text[start..<rest.startIndex]))
            if rest.hasPrefix("$today") {
                rest.removeFirst(6)
                var after = rest.drop { $0 == " " }
                var days: Int32 = 0
                if let sign = after.first, sign == "+" || sign == "-" {
                    after = after.dropFirst().drop { $0 == " " }
                    let digits = after.prefix { ("0"..."9").contains($0) }
                    guard let number = Int32(digits), number <= 36_500 else { return nil }
                    days = sign == "-" ? -number : number
                    rest = after.dropFirst(digits.count)
                }
                found.append(.today(days))
            } else if rest.hasPrefix("$setting("), let end = rest.firstIndex(of: ")") {
                found.append(.setting(rest[..<end].dropFirst(9)))
                rest = rest[rest.index(after: end)...]
            } else {
                return nil
            }
            start = rest.startIndex
        }
        found.append(.text(text[start...]))
        return found
    }

    /// Whether every word is known.
    var isKnown: Bool { pieces != nil }

    static let words = ["$today", "$today+60", "$setting(KEY)"]

    /// The text as it is asked on a day.
    func settled(today: Int32, setting: (String) -> String) -> String {
        (pieces ?? []).map { piece in
            switch piece {
            case .text(let text): return String(text)
            case .today(let days): return "DATE('\(CivilTime.date(today + days))')"
            case .setting(let key):
                let value = setting(String(key))
                return Double(value) == nil ? "'\(value.replacing("'", with: "''"))'" : value
            }
        }.joined()
    }

    /// The condition as it is asked on a day; nil for no text.
    func condition(today: Int32, setting: (String) -> String) throws(Problem) -> CQL.Expression? {
        guard !text.isEmpty else { return nil }
        return try CQL.Expression(either: settled(today: today, setting: setting))
    }
}
