public import Basics
import Geo
import Tabular

extension Expression {
    /// Reads the JSON encoding.
    ///
    /// - Throws: `cql.json` with the place as a JSON pointer, what was found and what was expected; `cql.too_large`.
    public init(json: JSONValue) throws(Problem) {
        var reader = JSONReader()
        self = try reader.expression(json, "")
        guard mayBeCondition else { throw JSONReader.problem("", found: json, expected: .init("条件", "a condition")) }
    }

    /// Reads either encoding: JSON where the text begins with `{`, or is `true` or `false`.
    ///
    /// - Throws: `cql.syntax`, `cql.json`, `json.*`, `cql.too_large`.
    public init(either text: String) throws(Problem) {
        guard text.utf8.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else {
            try self.init(text)
            return
        }
        guard text.utf8.count <= Parser.maximumBytes * 4 else { throw Parser.tooLong }
        try self.init(json: JSONValue(text: text))
    }

    /// The expression in the JSON encoding.
    public var json: JSONValue {
        switch self {
        case .property(let name): .object([.init("property", .string(name))])
        case .literal(let value): Self.json(value)
        case .geometry(let geometry): geometry.json
        case .box(let numbers): .object([.init("bbox", .array(numbers.map { Self.number($0) }))])
        case .interval(let from, let to): .object([.init("interval", .array([from, to].map(Self.end)))])
        case .array(let list): .array(list.map(\.json))
        case .compare(let operation, let a, let b): Self.call(operation.rawValue, [a, b])
        case .and(let list): Self.call("and", list)
        case .or(let list): Self.call("or", list)
        case .not(let a): Self.call("not", [a])
        case .between(let a, let low, let high): Self.call("between", [a, low, high])
        case .isIn(let a, let list): Self.call("in", [a, .array(list)])
        case .like(let a, let pattern): Self.call("like", [a, pattern])
        case .isNull(let a): Self.call("isNull", [a])
        case .arithmetic(let operation, let a, let b): Self.call(operation.rawValue, [a, b])
        case .function(let name, let list): Self.call(name, list)
        }
    }

    private static func call(_ name: String, _ arguments: [Expression]) -> JSONValue {
        .object([.init("op", .string(name)), .init("args", .array(arguments.map(\.json)))])
    }

    static func number(_ value: Double) -> JSONValue {
        value.rounded() == value && value.magnitude < 1e15 ? .integer(Int64(value)) : .real(value)
    }

    private static func json(_ value: Value) -> JSONValue {
        switch value {
        case .date: .object([.init("date", .string(value.text))])
        case .timestamp(let moment): .object([.init("timestamp", .string(UniversalTime.text(moment)))])
        default: value.json
        }
    }

    /// Ends of intervals are plain texts.
    private static func end(_ end: Expression?) -> JSONValue {
        switch end {
        case nil: ".."
        case .literal(.timestamp(let moment)): .string(UniversalTime.text(moment))
        case .literal(let value): .string(value.text)
        case .some(let other): other.json
        }
    }
}

/// Moments as CQL2 writes them.
public enum UniversalTime {
    /// `2026-01-31T00:00:00Z`, with a fraction where there is one.
    public static func text(_ microseconds: Int64) -> String {
        let second = 1_000_000 as Int64
        let days = Int32((microseconds.dividedFloored(by: CivilTime.microsecondsPerDay)))
        let rest = microseconds - Int64(days) * CivilTime.microsecondsPerDay
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let seconds = rest / second
        var text = "\(CivilTime.date(days))T\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
        if rest % second != 0 {
            var digits = String(second + rest % second).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            text += "." + digits
        }
        return text + "Z"
    }
}

extension Int64 {
    /// The quotient, rounded down.
    fileprivate func dividedFloored(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

/// Reads the JSON encoding (cql2.json of OGC 21-065r2).
private struct JSONReader {
    var nodes = 0
    var depth = 0

    static func problem(_ path: String, found: JSONValue, expected: LocalizedText) -> Problem {
        let shown = String(found.text.prefix(60))
        let place = path.isEmpty ? "/" : path
        return Problem(
            "cql.json",
            zh: "表达式(JSON)在 \(place) 处有误：遇到 \(shown)，应为\(expected.zh)。",
            en: "The expression (JSON) is not right at \(place): found \(shown), expected \(expected.en).",
            details: ["position": place]
        )
    }

    mutating func count(_ expression: Expression) throws(Problem) -> Expression {
        nodes += 1
        guard nodes <= Parser.maximumNodes else { throw Parser.tooComplex }
        return expression
    }

    mutating func expression(_ json: JSONValue, _ path: String) throws(Problem) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Parser.maximumDepth else { throw Parser.tooDeep }
        switch json {
        case .string(let text):
            guard !text.unicodeScalars.contains("\u{0}") else {
                throw Self.problem(path, found: "U+0000", expected: .init("可以保存的字符", "characters that can be kept"))
            }
            return try count(.literal(.text(text)))
        case .integer(let number): return try count(.literal(.integer(number)))
        case .real(let number): return try count(.literal(.real(number)))
        case .boolean(let bit): return try count(.literal(.boolean(bit)))
        case .array(let list): return try count(.array(try all(list, path)))
        case .object: return try object(json, path)
        case .null:
            throw Self.problem(
                path,
                found: json,
                expected: .init("值；判断空值用 isNull", "a value; isNull asks for absent ones")
            )
        }
    }

    private mutating func all(_ list: [JSONValue], _ path: String) throws(Problem) -> [Expression] {
        var found: [Expression] = []
        for (index, item) in list.enumerated() { found.append(try expression(item, "\(path)/\(index)")) }
        return found
    }

    private mutating func object(_ json: JSONValue, _ path: String) throws(Problem) -> Expression {
        if let name = json["op"] {
            guard let name = name.string else {
                throw Self.problem(path + "/op", found: name, expected: .init("运算名", "the name of an operation"))
            }
            guard let arguments = json["args"], let list = arguments.array else {
                throw Self.problem(
                    path + "/args",
                    found: json["args"] ?? json,
                    expected: .init("参数数组 args", "an array “args”")
                )
            }
            return try count(try call(name, list, path + "/args"))
        }
        if let name = json["property"] {
            guard let name = name.string, !name.isEmpty else {
                throw Self.problem(path + "/property", found: name, expected: .init("字段名", "the name of a property"))
            }
            return try count(.property(name))
        }
        for (member, isDate) in [("date", true), ("timestamp", false)] {
            guard let text = json[member] else { continue }
            guard let value = text.string.flatMap({ Parser.moment($0, isDate: isDate) }) else {
                throw Self.problem(
                    "\(path)/\(member)",
                    found: text,
                    expected: .init("日期或日期时间", isDate ? "a date" : "a timestamp")
                )
            }
            return try count(.literal(value))
        }
        if let interval = json["interval"] {
            guard let ends = interval.array, ends.count == 2 else {
                throw Self.problem(path + "/interval", found: interval, expected: .init("两个端点", "two ends"))
            }
            return try count(
                .interval(try end(ends[0], path + "/interval/0"), try end(ends[1], path + "/interval/1"))
            )
        }
        if json["type"] != nil {
            guard let geometry = Geometry(json) else {
                throw Self.problem(
                    path,
                    found: json,
                    expected: .init("GeoJSON 几何(环须首尾相接)", "a GeoJSON geometry, rings closed")
                )
            }
            return try count(.geometry(geometry))
        }
        if let box = json["bbox"] {
            let numbers = box.array?.compactMap(\.real) ?? []
            guard numbers.count == box.array?.count, let found = Parser.box(numbers) else {
                throw Self.problem(path + "/bbox", found: box, expected: .init("四个或六个数", "four or six numbers"))
            }
            return try count(.box(found))
        }
        throw Self.problem(
            path,
            found: json,
            expected: .init(
                "op、property、date、timestamp、interval、bbox 或几何",
                "op, property, date, timestamp, interval, bbox or a geometry"
            )
        )
    }

    private mutating func end(_ json: JSONValue, _ path: String) throws(Problem) -> Expression? {
        if let text = json.string {
            if text == ".." { return nil }
            if let value = Parser.moment(text) { return .literal(value) }
        } else if json.members != nil {
            let found = try expression(json, path)
            switch found {
            case .property, .function: return found
            default: break
            }
        }
        throw Self.problem(path, found: json, expected: Parser.endExpected)
    }

    private mutating func call(_ name: String, _ list: [JSONValue], _ path: String) throws(Problem) -> Expression {
        func need(_ wanted: Int) throws(Problem) {
            guard list.count == wanted else {
                throw Self.problem(
                    path,
                    found: .array(list),
                    expected: .init("\(wanted) 个参数", wanted == 1 ? "one argument" : "\(wanted) arguments")
                )
            }
        }
        if name == "in" {
            try need(2)
            guard let values = list[1].array, !values.isEmpty else {
                throw Self.problem(
                    path + "/1",
                    found: list[1],
                    expected: .init("非空的值数组", "an array of values, not empty")
                )
            }
            return .isIn(try expression(list[0], path + "/0"), try all(values, path + "/1"))
        }
        let arguments = try all(list, path)
        if let comparison = Expression.Comparison(rawValue: name) {
            try need(2)
            return .compare(comparison, arguments[0], arguments[1])
        }
        if let operation = Expression.Arithmetic(rawValue: name) {
            try need(2)
            return .arithmetic(operation, arguments[0], arguments[1])
        }
        switch name {
        case "and", "or":
            guard arguments.count >= 2 else {
                throw Self.problem(path, found: .array(list), expected: .init("至少两个条件", "two conditions at least"))
            }
            return name == "and" ? .and(arguments) : .or(arguments)
        case "not":
            try need(1)
            return .not(arguments[0])
        case "between":
            try need(3)
            return .between(arguments[0], arguments[1], arguments[2])
        case "like":
            try need(2)
            guard Parser.isPattern(arguments[1]) else {
                throw Self.problem(path + "/1", found: list[1], expected: .init("模式文本", "a pattern"))
            }
            return .like(arguments[0], arguments[1])
        case "isNull":
            try need(1)
            return .isNull(arguments[0])
        case "casei", "accenti": try need(1)
        default: if StandardFunction.names[name.lowercased()] == name { try need(2) }
        }
        return .function(name, arguments)
    }
}
