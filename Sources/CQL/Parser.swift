public import Basics
import Geo
import Tabular

extension Expression {
    /// Reads CQL2 text.
    ///
    /// - Throws: `cql.syntax` with the position (characters from 1), what was found and what was expected; `cql.too_large`.
    public init(_ text: String) throws(Problem) {
        var parser = try Parser(text)
        self = try parser.whole()
    }
}

extension Expression {
    /// Reads CQL2 text that may yield a value of any kind.
    ///
    /// - Throws: as ``init(_:)``.
    public init(value text: String) throws(Problem) {
        var parser = try Parser(text)
        self = try parser.whole(isCondition: false)
    }
}

/// Recursive descent over the tokens; at most 2,000 nodes and 100 levels.
struct Parser {
    let tokens: [Token]
    var at = 0
    var nodes = 0
    var depth = 0

    static let maximumBytes = 20_000
    static let maximumNodes = 2000
    static let maximumDepth = 100

    static var tooLong: Problem {
        Problem("cql.too_large", zh: "表达式超过 20000 字节。", en: "The expression is longer than 20,000 bytes.")
    }
    static var tooComplex: Problem {
        Problem("cql.too_large", zh: "表达式过于复杂。", en: "The expression is too complex.")
    }
    static var tooDeep: Problem {
        Problem("cql.too_large", zh: "表达式嵌套过深。", en: "The expression is nested too deeply.")
    }

    init(_ text: String) throws(Problem) {
        guard text.utf8.count <= Parser.maximumBytes else { throw Parser.tooLong }
        var lexer = Lexer(text)
        tokens = try lexer.tokens()
    }

    var token: Token { tokens[at] }
    var following: Token { tokens[min(at + 1, tokens.count - 1)] }

    func expected(_ zh: String, _ en: String) -> Problem {
        Lexer.problem(token.position, found: token.shown, expected: LocalizedText(zh, en))
    }

    mutating func whole(isCondition: Bool = true) throws(Problem) -> Expression {
        let expression = try disjunction()
        guard token.kind == .end else { throw leftover(after: expression) }
        guard expression.depth <= 26 else { throw Parser.tooDeep }
        guard isCondition else { return expression }
        guard expression.mayBeCondition else {
            if case .array = expression { at = 1 }
            throw expected("比较，如 > 4", "a comparison such as > 4")
        }
        return expression
    }

    /// What may follow an expression that is no end.
    private func leftover(after expression: Expression) -> Problem {
        let isValue =
            switch expression {
            case .property, .literal, .arithmetic, .function: true
            default: false
            }
        var problem =
            isValue
            ? expected(
                "=、<>、<、>、LIKE、IN、BETWEEN、IS NULL、AND、OR 或结尾",
                "=, <>, <, >, LIKE, IN, BETWEEN, IS NULL, AND, OR or the end"
            ) : expected("AND、OR 或结尾", "AND, OR or the end")
        guard case .word(let word) = token.kind,
            let meant = Spelling.closest(to: word.uppercased(), among: ["LIKE", "BETWEEN", "IN", "IS", "AND", "OR"])
        else { return problem }
        problem.hint = .init("是否想写“\(meant)”？", "Did you mean “\(meant)”?")
        return problem
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
        guard nodes <= Parser.maximumNodes else { throw Parser.tooComplex }
        return expression
    }

    // MARK: Conditions

    mutating func disjunction() throws(Problem) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Parser.maximumDepth else { throw Parser.tooDeep }
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
        var negations = 0
        while take(keyword: "NOT") { negations += 1 }
        var inner = try predicate()
        for _ in 0..<negations { inner = try count(.not(inner)) }
        return inner
    }

    mutating func predicate() throws(Problem) -> Expression {
        let left = try sum()
        if case .symbol(let symbol) = token.kind, let comparison = comparison(symbol) {
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
            let pattern = token
            let right = try sum()
            guard Parser.isPattern(right) else {
                throw Lexer.problem(
                    pattern.position,
                    found: pattern.shown,
                    expected: .init("带引号的模式", "a pattern in quotes")
                )
            }
            test = try count(.like(left, right))
        } else {
            if negated { throw expected("BETWEEN、IN 或 LIKE", "BETWEEN, IN or LIKE") }
            return left
        }
        return negated ? .not(test) : test
    }

    /// A comparison's symbol, taken; `< >` counts as `<>`.
    private mutating func comparison(_ symbol: String) -> Expression.Comparison? {
        guard let comparison = Expression.Comparison(rawValue: symbol) else { return nil }
        at += 1
        guard comparison == .less, token.kind == .symbol(">") else { return comparison }
        at += 1
        return .notEqual
    }

    /// A text, or one in CASEI and ACCENTI.
    static func isPattern(_ expression: Expression) -> Bool {
        switch expression {
        case .literal(.text): true
        case .function("casei", let list), .function("accenti", let list): list.count == 1 && isPattern(list[0])
        default: false
        }
    }

    // MARK: Arithmetic

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
        var left = try power()
        while true {
            let operation: Expression.Arithmetic
            if take("*") {
                operation = .multiply
            } else if take("/") {
                operation = .divide
            } else if take("%") {
                operation = .modulo
            } else if take(keyword: "DIV") {
                operation = .quotient
            } else {
                return left
            }
            left = try count(.arithmetic(operation, left, try power()))
        }
    }

    /// One power: a chain of them is not in the language, so nobody need know which way it would go.
    mutating func power() throws(Problem) -> Expression {
        let base = try factor()
        guard take("^") else { return base }
        return try count(.arithmetic(.power, base, try factor()))
    }

    mutating func factor() throws(Problem) -> Expression {
        let start = token
        switch start.kind {
        case .symbol("("): return try parenthesis()
        case .symbol("-"):
            at += 1
            depth += 1
            defer { depth -= 1 }
            guard depth <= Parser.maximumDepth else { throw Parser.tooDeep }
            switch try factor() {
            case .literal(.integer(let value)): return .literal(.integer(-value))
            case .literal(.real(let value)): return .literal(.real(-value))
            case let inner: return try count(.arithmetic(.multiply, .literal(.integer(-1)), inner))
            }
        case .symbol("+"):
            guard case .number = following.kind else { throw expected("名称、数或文本", "a name, a number or a text") }
            at += 1
            return try factor()
        case .number(let text):
            at += 1
            return try count(.literal(try Parser.number(text, start)))
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

    /// `(…)` around an expression; with a comma in it, or nothing, it is an array.
    private mutating func parenthesis() throws(Problem) -> Expression {
        try need("(")
        if take(")") { return try count(.array([])) }
        let first = try disjunction()
        guard token.kind == .symbol(",") else {
            try need(")")
            return first
        }
        return try elements(from: [first])
    }

    /// An array as an argument of A_…, where parentheses always make one.
    private mutating func array() throws(Problem) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Parser.maximumDepth else { throw Parser.tooDeep }
        try need("(")
        if take(")") { return try count(.array([])) }
        return try elements(from: [token.kind == .symbol("(") ? try array() : try disjunction()])
    }

    private mutating func elements(from first: [Expression]) throws(Problem) -> Expression {
        var list = first
        while take(",") { list.append(token.kind == .symbol("(") ? try array() : try disjunction()) }
        try need(")")
        return try count(.array(list))
    }

    static func number(_ text: String, _ token: Token) throws(Problem) -> Value {
        guard let value = value(number: text) else {
            throw Lexer.problem(token.position, found: text, expected: .init("数", "a number"))
        }
        return value
    }

    private static func value(number text: String) -> Value? {
        var text = text
        if text.hasPrefix(".") { text = "0" + text }
        if text.hasSuffix(".") { text.removeLast() }
        return Array(text.utf8).withUnsafeBufferPointer { bytes in
            if let integer = Numbers.parseInteger(bytes) { return .integer(integer) }
            return Numbers.parseReal(bytes).flatMap { $0.isFinite ? .real($0) : nil }
        }
    }

    // MARK: Words

    mutating func word(_ word: String, _ start: Token) throws(Problem) -> Expression {
        let upper = word.uppercased()
        switch upper {
        case "TRUE": return try count(.literal(.boolean(true)))
        case "FALSE": return try count(.literal(.boolean(false)))
        case "AND", "OR", "BETWEEN", "IN", "LIKE", "IS", "NULL", "DIV":
            throw Lexer.problem(start.position, found: word, expected: .init("名称、数或文本", "a name, a number or a text"))
        case "DATE", "TIMESTAMP":
            guard take("(") else { break }
            let value = try moment(isDate: upper == "DATE")
            try need(")")
            return try count(.literal(value))
        case "INTERVAL":
            guard take("(") else { break }
            let from = try end()
            try need(",")
            let to = try end()
            try need(")")
            return try count(.interval(from, to))
        case "BBOX":
            guard take("(") else { break }
            return try box()
        default:
            guard let type = Parser.shapes[upper] else { break }
            let isShape =
                token.kind == .symbol("(") || isKeyword("Z") && following.kind == .symbol("(")
            guard isShape else { break }
            return try count(.geometry(try shape(type)))
        }
        guard take("(") else { return try count(.property(word)) }
        return try function(StandardFunction.name(word))
    }

    /// The arguments of a function; those of the standard take a fixed number.
    private mutating func function(_ name: String) throws(Problem) -> Expression {
        let isStandard = StandardFunction.names[name.lowercased()] == name
        let wanted = !isStandard ? nil : ["casei", "accenti"].contains(name) ? 1 : 2
        let takesArrays = StandardFunction.arrays.contains(name)
        var arguments: [Expression] = []
        if wanted != nil || token.kind != .symbol(")") {
            repeat {
                arguments.append(takesArrays && token.kind == .symbol("(") ? try array() : try disjunction())
            } while arguments.count != wanted && take(",")
        }
        guard wanted == nil || arguments.count == wanted else { throw expected("“,”", "“,”") }
        try need(")")
        return try count(.function(name, arguments))
    }

    private mutating func moment(isDate: Bool) throws(Problem) -> Value {
        guard case .text(let text) = token.kind else { throw expected("带引号的日期", "a date in quotes") }
        guard let value = Parser.moment(text, isDate: isDate) else {
            throw Lexer.problem(
                token.position,
                found: text,
                expected: isDate
                    ? .init("日期，如 2026-01-31", "a date such as 2026-01-31")
                    : .init("日期时间，如 2026-01-31T08:00:00Z", "a timestamp such as 2026-01-31T08:00:00Z")
            )
        }
        at += 1
        return value
    }

    /// An end of an interval: a date or timestamp in quotes, `'..'` (nil), a property or a function.
    private mutating func end() throws(Problem) -> Expression? {
        guard case .text(let text) = token.kind else {
            let start = token
            let found = try sum()
            switch found {
            case .property, .function: return found
            case .literal(.date), .literal(.timestamp): return found
            default:
                throw Lexer.problem(start.position, found: start.shown, expected: Parser.endExpected)
            }
        }
        if text == ".." {
            at += 1
            return nil
        }
        guard let value = Parser.moment(text) else {
            throw Lexer.problem(token.position, found: text, expected: Parser.endExpected)
        }
        at += 1
        return .literal(value)
    }

    static let endExpected = LocalizedText("日期、日期时间、'..' 或字段", "a date, a timestamp, '..' or a property")

    static func moment(_ text: String, isDate: Bool) -> Value? {
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            isDate
                ? CivilTime.parseISODate(bytes).map { .date($0) }
                : CivilTime.parseISOTimestamp(bytes).map { .timestamp($0) }
        }
    }

    static func moment(_ text: String) -> Value? { moment(text, isDate: true) ?? moment(text, isDate: false) }

    // MARK: Shapes

    enum ShapeType {
        case point, lineString, polygon, multiPoint, multiLineString, multiPolygon, collection
    }

    static let shapes: [String: ShapeType] = [
        "POINT": .point, "LINESTRING": .lineString, "POLYGON": .polygon, "MULTIPOINT": .multiPoint,
        "MULTILINESTRING": .multiLineString, "MULTIPOLYGON": .multiPolygon, "GEOMETRYCOLLECTION": .collection,
    ]

    private mutating func shape(_ type: ShapeType) throws(Problem) -> Geometry {
        let hasHeight = take(keyword: "Z")
        let start = token
        let geometry: Geometry
        switch type {
        case .point: geometry = .point(try single(hasHeight))
        case .lineString: geometry = .lineString(try places(hasHeight))
        case .polygon: geometry = .polygon(try rings(hasHeight))
        case .multiPoint:
            geometry = .multiPoint(
                try list { parser throws(Problem) in
                    parser.token.kind == .symbol("(") ? try parser.single(hasHeight) : try parser.place(hasHeight)
                }
            )
        case .multiLineString:
            geometry = .multiLineString(try list { parser throws(Problem) in try parser.places(hasHeight) })
        case .multiPolygon:
            geometry = .multiPolygon(try list { parser throws(Problem) in try parser.rings(hasHeight) })
        case .collection:
            geometry = .collection(
                try list { parser throws(Problem) in
                    guard case .word(let word) = parser.token.kind, let type = Parser.shapes[word.uppercased()],
                        type != .collection
                    else { throw parser.expected("POINT、LINESTRING、POLYGON 等", "POINT, LINESTRING, POLYGON …") }
                    parser.at += 1
                    return try parser.shape(type)
                }
            )
        }
        guard geometry.isSound else {
            throw Lexer.problem(
                start.position,
                found: start.shown,
                expected: .init("至少两点的线、首尾相接的环", "lines of two places at least and closed rings")
            )
        }
        return geometry
    }

    private mutating func list<T>(_ item: (inout Parser) throws(Problem) -> T) throws(Problem) -> [T] {
        try need("(")
        var items = [try item(&self)]
        while take(",") { items.append(try item(&self)) }
        try need(")")
        return items
    }

    private mutating func single(_ hasHeight: Bool) throws(Problem) -> Position {
        try need("(")
        let place = try place(hasHeight)
        try need(")")
        return place
    }

    private mutating func places(_ hasHeight: Bool, isRing: Bool = false) throws(Problem) -> [Position] {
        let places = try list { parser throws(Problem) in try parser.place(hasHeight) }
        guard places.count >= (isRing ? 4 : 2), !isRing || places.first == places.last else {
            throw Lexer.problem(
                tokens[at - 1].position,
                found: ")",
                expected: isRing
                    ? .init("首尾相接、至少四点的环", "a closed ring of four places at least")
                    : .init("至少两点", "two places at least")
            )
        }
        return places
    }

    private mutating func rings(_ hasHeight: Bool) throws(Problem) -> [[Position]] {
        try list { parser throws(Problem) in try parser.places(hasHeight, isRing: true) }
    }

    private mutating func place(_ hasHeight: Bool) throws(Problem) -> Position {
        nodes += 1
        // A place costs less than a node of the tree: ten times as many are let through.
        guard nodes <= Parser.maximumNodes * 10 else { throw Parser.tooComplex }
        let x = try coordinate()
        let y = try coordinate()
        switch token.kind {
        case .symbol(","), .symbol(")"):
            guard !hasHeight else { throw expected("高程", "a height") }
            return Position(x, y)
        default: return Position(x, y, try coordinate())
        }
    }

    private mutating func coordinate() throws(Problem) -> Double {
        let isNegative = take("-")
        if !isNegative { _ = take("+") }
        guard case .number(let text) = token.kind else { throw expected("数", "a number") }
        let value = try Parser.number(text, token)
        at += 1
        let number: Double =
            switch value {
            case .integer(let integer): Double(integer)
            case .real(let real): real
            default: 0
            }
        return isNegative ? -number : number
    }

    private mutating func box() throws(Problem) -> Expression {
        var numbers = [try coordinate()]
        while take(",") { numbers.append(try coordinate()) }
        guard numbers.count == 4 || numbers.count == 6 else { throw expected("四个或六个数", "four or six numbers") }
        guard let box = Parser.box(numbers) else { throw expected("先南后北的两角", "the south before the north") }
        try need(")")
        return try count(.box(box))
    }

    /// Four or six finite numbers, the south not north of the north.
    static func box(_ numbers: [Double]) -> [Double]? {
        guard numbers.count == 4 || numbers.count == 6, numbers.allSatisfy(\.isFinite) else { return nil }
        return numbers[1] <= numbers[numbers.count / 2 + 1] ? numbers : nil
    }
}
