import Basics

extension CKANQuery {
    /// Reads a query.
    ///
    /// - Throws: a search error for brackets or quotes that do not match, for local parameters (`{!…}`), for what is too long or too deep.
    init(_ text: String) throws(CKANFailure) {
        guard text.utf8.count <= 4000 else { throw .search("the query is too long") }
        guard !text.contains("{!"), !text.contains("_query_:"), !text.contains("_val_:") else {
            throw .search("local parameters are not supported")
        }
        var parser = Parser(text)
        self = try parser.conjunction(field: CKANQuery.fieldOfWords, depth: 0)
        guard parser.isAtEnd else { throw .search("unexpected \(parser.rest)") }
    }

    /// Words as somebody types them, never a wrong query: one or two must all be there, of up to five all but one, of more four in five.
    static func words(_ text: String) -> [String] {
        let parts = text.lowercased().unicodeScalars.split { scalar in
            !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" || scalar == "-")
        }
        return parts.prefix(50).map(String.init).filter { !["and", "or", "not", "-"].contains($0) }
    }

    static func needed(of words: Int) -> Int { words <= 2 ? words : words <= 5 ? words - 1 : words * 4 / 5 }

    private struct Parser {
        private let text: [Character]
        private var at = 0
        private var clauses = 0

        init(_ text: String) { self.text = Array(text) }

        var isAtEnd: Bool { at >= text.count }
        var rest: String { String(text[at...].prefix(20)) }

        private mutating func skip() { while at < text.count, text[at].isWhitespace { at += 1 } }

        private var peek: Character? { at < text.count ? text[at] : nil }

        mutating func conjunction(field: String, depth: Int) throws(CKANFailure) -> CKANQuery {
            guard depth < 20 else { throw .search("the query is too deep") }
            var parts: [CKANQuery] = []
            skip()
            while let next = peek, next != ")" {
                if takes("AND") || takes("&&") || takes("OR") || takes("||") { skip() }
                guard let next = peek, next != ")" else { break }
                parts.append(try alternatives(field: field, depth: depth))
                skip()
            }
            return parts.isEmpty ? .all : parts.count == 1 ? parts[0] : .every(parts)
        }

        private mutating func alternatives(field: String, depth: Int) throws(CKANFailure) -> CKANQuery {
            var parts = [try clause(field: field, depth: depth)]
            skip()
            while takes("OR") || takes("||") {
                skip()
                guard let next = peek, next != ")" else { break }
                parts.append(try clause(field: field, depth: depth))
                skip()
            }
            return parts.count == 1 ? parts[0] : .any(parts)
        }

        /// Takes a word of the language where it stands alone.
        private mutating func takes(_ word: String) -> Bool {
            let end = at + word.count
            guard end <= text.count, String(text[at..<end]) == word else { return false }
            guard end == text.count || text[end].isWhitespace || text[end] == "(" || word == "&&" || word == "||" else {
                return false
            }
            at = end
            return true
        }

        private mutating func clause(field: String, depth: Int) throws(CKANFailure) -> CKANQuery {
            clauses += 1
            guard clauses <= 200, depth < 20 else { throw .search("the query has too many clauses") }
            skip()
            if takes("NOT") { return .not(try clause(field: field, depth: depth + 1)) }
            switch peek {
            case "+":
                at += 1
                return try clause(field: field, depth: depth + 1)
            case "-", "!":
                at += 1
                return .not(try clause(field: field, depth: depth + 1))
            case "(":
                at += 1
                let inner = try conjunction(field: field, depth: depth + 1)
                guard peek == ")" else { throw .search("a bracket is not closed") }
                at += 1
                boost()
                return inner
            default: break
            }
            let start = at
            if let name = fieldName() {
                at += 1
                if name == "*", peek == "*" {
                    at += 1
                    return .all
                }
                return try value(field: name, depth: depth)
            }
            at = start
            return try value(field: field, depth: depth)
        }

        /// A name that a colon follows; the colon is not taken.
        private mutating func fieldName() -> String? {
            let name = text[at...].prefix {
                $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." || $0 == "*" || $0 == "-"
            }
            guard !name.isEmpty, at + name.count < text.count, text[at + name.count] == ":" else { return nil }
            at += name.count
            return String(name)
        }

        private mutating func value(field: String, depth: Int) throws(CKANFailure) -> CKANQuery {
            skip()
            switch peek {
            case "\"":
                let phrase = try quoted()
                boost()
                return .term(field: field, text: phrase, isPattern: false)
            case "[", "{": return try range(field: field)
            case "(":
                at += 1
                let inner = try conjunction(field: field, depth: depth + 1)
                guard peek == ")" else { throw .search("a bracket is not closed") }
                at += 1
                boost()
                return inner
            default: break
            }
            var (word, isPattern) = ("", false)
            while let next = peek, !next.isWhitespace, !"()[]{}\"^~".contains(next) {
                if next == "\\", at + 1 < text.count {
                    at += 1
                    word.append(text[at])
                } else {
                    if next == "*" || next == "?" { isPattern = true }
                    word.append(next)
                }
                at += 1
            }
            guard !isPattern || word.count <= 100 else { throw .search("a pattern is too long") }
            guard !word.isEmpty else { throw .search("a value is missing before '\(rest)'") }
            boost()
            return .term(field: field, text: word, isPattern: isPattern)
        }

        private mutating func quoted() throws(CKANFailure) -> String {
            at += 1
            var phrase = ""
            while let next = peek, next != "\"" {
                if next == "\\", at + 1 < text.count { at += 1 }
                phrase.append(text[at])
                at += 1
            }
            guard peek == "\"" else { throw .search("a quote is not closed") }
            at += 1
            return phrase
        }

        /// Weights and nearness (`^2`, `~1`) are understood and change nothing.
        private mutating func boost() {
            while peek == "^" || peek == "~" {
                at += 1
                while let next = peek, next.isNumber || next == "." { at += 1 }
            }
        }

        private mutating func range(field: String) throws(CKANFailure) -> CKANQuery {
            let opens = text[at]
            at += 1
            let low = try bound()
            skip()
            guard takes("TO") else { throw .search("a range wants TO") }
            let high = try bound()
            skip()
            guard let closes = peek, closes == "]" || closes == "}" else { throw .search("a range is not closed") }
            at += 1
            boost()
            return .range(
                field: field,
                low: Bound(text: low == "*" ? nil : low, isIncluded: opens == "["),
                high: Bound(text: high == "*" ? nil : high, isIncluded: closes == "]")
            )
        }

        private mutating func bound() throws(CKANFailure) -> String {
            skip()
            if peek == "\"" { return try quoted() }
            var word = ""
            while let next = peek, !next.isWhitespace, next != "]", next != "}" {
                if next == "\\", at + 1 < text.count { at += 1 }
                word.append(text[at])
                at += 1
            }
            guard !word.isEmpty else { throw .search("a range lacks an end") }
            return word
        }
    }
}
