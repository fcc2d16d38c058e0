import Basics

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
    /// In Unicode scalars, the first is 1.
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
            zh: "表达式第 \(position) 个字符处有误：\(found.isEmpty ? "内容已结束" : "遇到“\(found)”")，应为\(expected.zh)。",
            en:
                "The expression is not right at character \(position): \(found.isEmpty ? "it ends" : "found “\(found)”"), expected \(expected.en).",
            details: ["position": String(position)]
        )
    }

    mutating func tokens() throws(Problem) -> [Token] {
        var tokens: [Token] = []
        while true {
            while at < scalars.count, Lexer.isBlank(scalars[at]) { at += 1 }
            let position = at + 1
            guard at < scalars.count else {
                tokens.append(Token(kind: .end, position: position))
                return tokens
            }
            tokens.append(Token(kind: try token(), position: position))
        }
    }

    static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
            true
        default: false
        }
    }

    /// Punctuation typed in a Chinese input method, and what is meant. By the letter of the standard these may stand in names; nobody means that.
    static let fullWidth: [Unicode.Scalar: String] = [
        "，": ",", "（": "(", "）": ")", "＝": "=", "＜": "<", "＞": ">", "＋": "+", "－": "-", "＊": "*", "／": "/", "％": "%",
        "‘": "'", "’": "'", "“": "\"", "”": "\"", "＇": "'", "＂": "\"", "；": ",", "、": ",", "。": ".", "！": "<>",
    ]

    mutating func token() throws(Problem) -> Token.Kind {
        let scalar = scalars[at]
        switch scalar {
        case "'": return .text(try text())
        case "\"": return .quoted(try quotedName())
        case "0"..."9": return number()
        case ".":
            guard at + 1 < scalars.count, TextForms.isDigit(scalars[at + 1]) else { break }
            return number()
        case "<", ">", "=", "!":
            let start = at
            at += 1
            if at < scalars.count, scalars[at] == "=" || (scalar == "<" && scalars[at] == ">") { at += 1 }
            let text = String(String.UnicodeScalarView(scalars[start..<at]))
            return .symbol(text == "!=" ? "<>" : text)
        case "(", ")", ",", "+", "-", "*", "/", "%", "^":
            at += 1
            return .symbol(String(Character(scalar)))
        default: break
        }
        guard Lexer.isNameStart(scalar) else {
            let meant = Lexer.fullWidth[scalar]
            throw Lexer.problem(
                at + 1,
                found: String(Character(scalar)),
                expected: meant.map { .init("半角的“\($0)”", "“\($0)” of half width") }
                    ?? .init("名称、数或文本", "a name, a number or a text")
            )
        }
        let start = at
        while at < scalars.count, Lexer.isNamePart(scalars[at]) { at += 1 }
        return .word(String(String.UnicodeScalarView(scalars[start..<at])))
    }

    static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
        guard fullWidth[scalar] == nil else { return false }
        return switch scalar.value {
        case 0x3A, 0x5F, 0x41...0x5A, 0x61...0x7A, 0xC0...0xD6, 0xD8...0xF6, 0xF8...0x2FF, 0x370...0x37D,
            0x37F...0x1FFE,
            0x200C...0x200D, 0x2070...0x218F, 0x2C00...0x2FEF, 0x3001...0xD7FF, 0xF900...0xFDCF, 0xFDF0...0xFFFD,
            0x10000...0xEFFFF:
            scalar.value != 0x1680
        default: false
        }
    }

    static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        isNameStart(scalar) || scalar == "." || TextForms.isDigit(scalar) || (0x300...0x36F).contains(scalar.value)
            || (0x203F...0x2040).contains(scalar.value)
    }

    /// A text: `''` or `\'` for a quote, `\a \b \t \n \v \f \r`, `\\`; before anything else a backslash is itself, as in patterns.
    mutating func text() throws(Problem) -> String {
        let start = at
        at += 1
        var out = String.UnicodeScalarView()
        let escapes: [Unicode.Scalar: Unicode.Scalar] = [
            "'": "'", "\\": "\\", "a": "\u{7}", "b": "\u{8}", "t": "\t", "n": "\n", "v": "\u{B}", "f": "\u{C}",
            "r": "\r",
        ]
        while at < scalars.count {
            let scalar = scalars[at]
            if scalar == "\u{0}" {
                throw Lexer.problem(at + 1, found: "U+0000", expected: .init("可以保存的字符", "a character that can be kept"))
            }
            if scalar == "\\", at + 1 < scalars.count, let meant = escapes[scalars[at + 1]] {
                out.append(meant)
                at += 2
                continue
            }
            if scalar == "'" {
                at += 1
                guard at < scalars.count, scalars[at] == "'" else { return String(out) }
            }
            out.append(scalar)
            at += 1
        }
        throw Lexer.problem(start + 1, found: "'", expected: .init("成对的引号", "a closing quote"))
    }

    mutating func quotedName() throws(Problem) -> String {
        let start = at
        at += 1
        let from = at
        while at < scalars.count, scalars[at] != "\"" { at += 1 }
        guard at < scalars.count else {
            throw Lexer.problem(start + 1, found: "\"", expected: .init("成对的引号", "a closing quote"))
        }
        let name = String(String.UnicodeScalarView(scalars[from..<at]))
        at += 1
        guard !name.isEmpty else {
            throw Lexer.problem(start + 1, found: "\"\"", expected: .init("名称", "a name"))
        }
        return name
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
