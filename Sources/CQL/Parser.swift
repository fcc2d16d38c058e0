public import Basics
import Tabular

extension Expression {
    /// Reads CQL2 text.
    ///
    /// - Throws: `cql.syntax` with the position (characters from 1), what was found and what was expected.
    public init(_ text: String) throws(Problem) {
        var parser = try Parser(text)
        self = try parser.whole()
    }
}

/// A word of the language and where it begins.
struct Token: Hashable {
    enum Kind: Hashable {
        case word(String)
        case quoted(String)
        case text(String)
        case number(String)
        case symbol(String)
        case end
    }
    var kind: Kind
    var position: Int

    var shown: String {
        switch kind {
        case .word(let text), .number(let text), .symbol(let text): text
        case .quoted(let text): "\"\(text)\""
        case .text: "'…'"
        case .end: ""
        }
    }
}

/// Cuts text into tokens.
struct Lexer {
    let scalars: [Unicode.Scalar]
    var at = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    static func problem(_ position: Int, found: String, expected: LocalizedText) -> Problem {
        Problem(
            "cql.syntax",
            zh: "表达式第 \(position) 个字符处有误:\(found.isEmpty ? "内容已结束" : "遇到“\(found)”"),应为\(expected.zh)。",
            en:
                "The expression is not right at character \(position): \(found.isEmpty ? "it ends" : "found “\(found)”"), expected \(expected.en).",
            details: ["position": String(position)]
        )
    }

    mutating func tokens() throws(Problem) -> [Token] {
        var tokens: [Token] = []
        while true {
            while at < scalars.count, TextForms.isSpace(scalars[at]) { at += 1 }
            let position = at + 1
            guard at < scalars.count else {
                tokens.append(Token(kind: .end, position: position))
                return tokens
            }
            tokens.append(Token(kind: try token(), position: position))
        }
    }

    mutating func token() throws(Problem) -> Token.Kind {
        let scalar = scalars[at]
        switch scalar {
        case "'": return .text(try quoted("'"))
        case "\"": return .quoted(try quoted("\""))
        case "0"..."9": return number()
        case ".":
            return number()
        case "<", ">", "=", "!":
            let start = at
            at += 1
            if at < scalars.count, scalars[at] == "=" || (scalar == "<" && scalars[at] == ">") { at += 1 }
            let text = String(String.UnicodeScalarView(scalars[start..<at]))
            return .symbol(text == "!=" ? "<>" : text)
        case "(", ")", ",", "+", "-", "*", "/", "%":
            at += 1
            return .symbol(String(Character(scalar)))
        default:
            guard isNameStart(scalar) else {
                throw Lexer.problem(
                    at + 1,
                    found: String(Character(scalar)),
                    expected: .init("名称、数或文本", "a name, a number or a text")
                )
            }
            let start = at
            while at < scalars.count,
                isNameStart(scalars[at]) || TextForms.isDigit(scalars[at]) || scalars[at] == "." || scalars[at] == ":"
            { at += 1 }
            return .word(String(String.UnicodeScalarView(scalars[start..<at])))
        }
    }

    func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar.properties.isAlphabetic || TextForms.isHan(scalar)
    }

    mutating func quoted(_ mark: Unicode.Scalar) throws(Problem) -> String {
        let start = at
        at += 1
        var out = String.UnicodeScalarView()
        while at < scalars.count {
            if scalars[at] == mark {
                at += 1
                guard at < scalars.count, scalars[at] == mark else { return String(out) }
            }
            out.append(scalars[at])
            at += 1
        }
        throw Lexer.problem(start + 1, found: String(Character(mark)), expected: .init("成对的引号", "a closing quote"))
    }

    mutating func number() -> Token.Kind {
        let start = at
        while at < scalars.count, TextForms.isDigit(scalars[at]) || scalars[at] == "." { at += 1 }
        if at < scalars.count, scalars[at] == "e" || scalars[at] == "E" {
            at += 1
            if at < scalars.count, scalars[at] == "+" || scalars[at] == "-" { at += 1 }
            while at < scalars.count, TextForms.isDigit(scalars[at]) { at += 1 }
        }
        return .number(String(String.UnicodeScalarView(scalars[start..<at])))
    }
}

/// Recursive descent over the tokens; at most 2,000 nodes and 100 levels.
struct Parser {
    let tokens: [Token]
    var at = 0
    var nodes = 0
    var depth = 0

    init(_ text: String) throws(Problem) {
        guard text.utf8.count <= 20_000 else {
            throw Problem("cql.too_large", zh: "表达式超过 20000 字节。", en: "The expression is longer than 20,000 bytes.")
        }
        var lexer = Lexer(text)
        tokens = try lexer.tokens()
    }

    var token: Token { tokens[at] }

    func expected(_ zh: String, _ en: String) -> Problem {
        Lexer.problem(token.position, found: token.shown, expected: LocalizedText(zh, en))
    }

    mutating func whole() throws(Problem) -> Expression {
        let expression = try disjunction()
        guard token.kind == .end else { throw expected("AND、OR 或结尾", "AND, OR or the end") }
        return expression
    }

    func isKeyword(_ word: String) -> Bool {
        if case .word(let text) = token.kind { text.uppercased() == word } else { false }
    }

    mutating func take(keyword: String) -> Bool {
        guard isKeyword(keyword) else { return false }
        at += 1
        return true
    }

    mutating func take(_ symbol: String) -> Bool {
        guard token.kind == .symbol(symbol) else { return false }
        at += 1
        return true
    }

    mutating func need(_ symbol: String) throws(Problem) {
        guard take(symbol) else { throw expected("“\(symbol)”", "“\(symbol)”") }
    }

    mutating func count(_ expression: Expression) throws(Problem) -> Expression {
        nodes += 1
        guard nodes <= 2000 else {
            throw Problem("cql.too_large", zh: "表达式过于复杂。", en: "The expression is too complex.")
        }
        return expression
    }

    mutating func disjunction() throws(Problem) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else {
            throw Problem("cql.too_large", zh: "表达式嵌套过深。", en: "The expression is nested too deeply.")
        }
        var list = [try conjunction()]
        while take(keyword: "OR") { list.append(try conjunction()) }
        return list.count == 1 ? list[0] : try count(.or(list))
    }

    mutating func conjunction() throws(Problem) -> Expression {
        var list = [try negation()]
        while take(keyword: "AND") { list.append(try negation()) }
        return list.count == 1 ? list[0] : try count(.and(list))
    }

    mutating func negation() throws(Problem) -> Expression {
        var odd = false
        while take(keyword: "NOT") { odd.toggle() }
        let inner = try predicate()
        return odd ? try count(.not(inner)) : inner
    }

    mutating func predicate() throws(Problem) -> Expression {
        let left = try sum()
        if case .symbol(let symbol) = token.kind, let comparison = Expression.Comparison(rawValue: symbol) {
            at += 1
            return try count(.compare(comparison, left, try sum()))
        }
        if take(keyword: "IS") {
            let negated = take(keyword: "NOT")
            guard take(keyword: "NULL") else { throw expected("NULL", "NULL") }
            let test = try count(.isNull(left))
            return negated ? .not(test) : test
        }
        let negated = take(keyword: "NOT")
        let test: Expression
        if take(keyword: "BETWEEN") {
            let low = try sum()
            guard take(keyword: "AND") else { throw expected("AND", "AND") }
            test = try count(.between(left, low, try sum()))
        } else if take(keyword: "IN") {
            try need("(")
            var list = [try sum()]
            while take(",") { list.append(try sum()) }
            try need(")")
            test = try count(.isIn(left, list))
        } else if take(keyword: "LIKE") {
            test = try count(.like(left, try sum()))
        } else {
            if negated { throw expected("BETWEEN、IN 或 LIKE", "BETWEEN, IN or LIKE") }
            return left
        }
        return negated ? .not(test) : test
    }

    mutating func sum() throws(Problem) -> Expression {
        var left = try product()
        while true {
            if take("+") {
                left = try count(.arithmetic(.add, left, try product()))
            } else if take("-") {
                left = try count(.arithmetic(.subtract, left, try product()))
            } else {
                return left
            }
        }
    }

    mutating func product() throws(Problem) -> Expression {
        var left = try factor()
        while true {
            if take("*") {
                left = try count(.arithmetic(.multiply, left, try factor()))
            } else if take("/") {
                left = try count(.arithmetic(.divide, left, try factor()))
            } else if take("%") {
                left = try count(.arithmetic(.modulo, left, try factor()))
            } else {
                return left
            }
        }
    }

    mutating func factor() throws(Problem) -> Expression {
        let start = token
        switch start.kind {
        case .symbol("("):
            at += 1
            let inner = try disjunction()
            try need(")")
            return inner
        case .symbol("-"):
            at += 1
            switch try factor() {
            case .literal(.integer(let value)): return .literal(.integer(-value))
            case .literal(.real(let value)): return .literal(.real(-value))
            case let inner: return try count(.arithmetic(.subtract, .literal(.integer(0)), inner))
            }
        case .number(let text):
            at += 1
            return try count(.literal(try number(text, start)))
        case .text(let text):
            at += 1
            return try count(.literal(.text(text)))
        case .quoted(let name):
            at += 1
            return try count(.property(name))
        case .word(let word):
            at += 1
            return try self.word(word, start)
        case .symbol, .end: throw expected("名称、数或文本", "a name, a number or a text")
        }
    }

    func number(_ text: String, _ token: Token) throws(Problem) -> Value {
        let value: Value? = Array(text.utf8).withUnsafeBufferPointer { bytes in
            if let integer = Numbers.parseInteger(bytes) { return .integer(integer) }
            return Numbers.parseReal(bytes).map { .real($0) }
        }
        guard let value else { throw Lexer.problem(token.position, found: text, expected: .init("数", "a number")) }
        return value
    }

    mutating func word(_ word: String, _ start: Token) throws(Problem) -> Expression {
        switch word.uppercased() {
        case "TRUE": return .literal(.boolean(true))
        case "FALSE": return .literal(.boolean(false))
        case "AND", "OR", "BETWEEN", "IN", "LIKE", "IS", "NULL":
            throw Lexer.problem(start.position, found: word, expected: .init("名称、数或文本", "a name, a number or a text"))
        case "DATE", "TIMESTAMP":
            guard token.kind == .symbol("(") else { break }
            at += 1
            guard case .text(let text) = token.kind else { throw expected("带引号的日期", "a date in quotes") }
            let position = token.position
            at += 1
            try need(")")
            guard let value = Parser.moment(text, isDate: word.uppercased() == "DATE") else {
                throw Lexer.problem(
                    position,
                    found: text,
                    expected: .init("日期,如 2026-01-31", "a date such as 2026-01-31")
                )
            }
            return try count(.literal(value))
        default: break
        }
        guard take("(") else { return try count(.property(word)) }
        var arguments: [Expression] = []
        if !take(")") {
            repeat { arguments.append(try disjunction()) } while take(",")
            try need(")")
        }
        return try count(.function(word.lowercased(), arguments))
    }

    static func moment(_ text: String, isDate: Bool) -> Value? {
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            isDate
                ? CivilTime.parseISODate(bytes).map { .date($0) }
                : CivilTime.parseISOTimestamp(bytes).map { .timestamp($0) }
        }
    }
}
