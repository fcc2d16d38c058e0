public import Basics
public import Tabular

/// What a piece of an expression yields.
public enum ValueType: Sendable, Hashable {
    case text, integer, real, boolean, date, time, timestamp, point

    init(_ field: FieldType) {
        switch field {
        case .text, .geometry, .file: self = .text
        case .integer: self = .integer
        case .decimal, .real: self = .real
        case .boolean: self = .boolean
        case .date: self = .date
        case .time: self = .time
        case .timestamp: self = .timestamp
        case .point: self = .point
        }
    }

    var isNumber: Bool { self == .integer || self == .real }

    var title: LocalizedText {
        switch self {
        case .text: .init("文本", "text")
        case .integer, .real: .init("数", "a number")
        case .boolean: .init("是/否", "a boolean")
        case .date: .init("日期", "a date")
        case .time: .init("时间", "a time")
        case .timestamp: .init("日期时间", "a timestamp")
        case .point: .init("点位", "a point")
        }
    }
}

/// The functions of expressions. Each means the same in memory and in SQL.
public enum Function: String, Sendable, CaseIterable {
    /// Text without its case (ASCII letters), for comparing.
    case casei
    case lower
    case upper
    /// Unicode scalars of a text.
    case length
    case abs
    /// The first argument that is not null.
    case coalesce
    /// The year, month, day of a date.
    case year, month, day
}

/// An expression whose names and types are settled against a schema: ready to run over batches or as SQL.
public struct BoundExpression: Sendable, Hashable {
    indirect enum Node: Sendable, Hashable {
        case column(Int, ValueType)
        case literal(Value, ValueType)
        case compare(Expression.Comparison, Node, Node)
        case and([Node])
        case or([Node])
        case not(Node)
        case isIn(Node, [Node])
        case like(Node, String)
        case isNull(Node)
        case arithmetic(Expression.Arithmetic, Node, Node)
        case function(Function, [Node], ValueType)

        var type: ValueType {
            switch self {
            case .column(_, let type), .literal(_, let type), .function(_, _, let type): type
            case .arithmetic: .real
            default: .boolean
            }
        }
    }

    public let source: Expression
    public let fields: [Field]
    let root: Node

    public var type: ValueType { root.type }

    /// Settles a predicate.
    ///
    /// - Throws: `cql.unknown_property` (with a suggestion), `cql.type`, `cql.unknown_function`.
    public init(predicate source: Expression, fields: [Field]) throws(Problem) {
        self.source = source
        self.fields = fields
        guard source.depth <= 24 else {
            throw Problem("cql.too_large", zh: "表达式嵌套过深。", en: "The expression is nested too deeply.")
        }
        root = try Binder(fields: fields).bind(source)
        guard root.type == .boolean else {
            throw Problem("cql.type", zh: "表达式的结果应为是/否。", en: "The expression should yield true or false.")
        }
    }

    /// Parses and settles a predicate.
    public init(text: String, fields: [Field]) throws(Problem) {
        try self.init(predicate: Expression(text), fields: fields)
    }

    /// The positions of the columns used.
    public var columns: Set<Int> {
        var found: Set<Int> = []
        func walk(_ node: Node) {
            switch node {
            case .column(let index, _): found.insert(index)
            case .literal: break
            case .compare(_, let a, let b), .arithmetic(_, let a, let b):
                walk(a)
                walk(b)
            case .and(let list), .or(let list), .function(_, let list, _): list.forEach(walk)
            case .not(let a), .isNull(let a), .like(let a, _): walk(a)
            case .isIn(let a, let list):
                walk(a)
                list.forEach(walk)
            }
        }
        walk(root)
        return found
    }
}

/// Looks up names and settles types; literals take the type of what they are compared with.
struct Binder {
    let fields: [Field]

    func bind(_ expression: Expression) throws(Problem) -> BoundExpression.Node {
        switch expression {
        case .property(let name):
            guard let index = fields.firstIndex(where: { $0.name == name }) else { throw unknown(name) }
            return .column(index, ValueType(fields[index].type))
        case .literal(let value): return .literal(value, Binder.type(of: value))
        case .compare(let operation, let a, let b):
            let (left, right) = try pair(a, b)
            return .compare(operation, left, right)
        case .and(let list): return .and(try booleans(list))
        case .or(let list): return .or(try booleans(list))
        case .not(let a): return .not(try boolean(a))
        case .between(let a, let low, let high):
            return .and([
                try bind(.compare(.greaterOrEqual, a, low)), try bind(.compare(.lessOrEqual, a, high)),
            ])
        case .isIn(let a, let list):
            var nodes: [BoundExpression.Node] = []
            var subject = try bind(a)
            for item in list {
                let (left, right) = try pair(a, item)
                guard case .literal = right else {
                    throw Problem("cql.type", zh: "IN 的列表只能是常量。", en: "The list of IN takes constants only.")
                }
                subject = left
                nodes.append(right)
            }
            return .isIn(subject, nodes)
        case .like(let a, let pattern):
            let subject = try bind(a)
            guard subject.type == .text, case .literal(.text(let text)) = pattern else {
                throw Problem("cql.type", zh: "LIKE 用于文本字段和带引号的模式。", en: "LIKE takes a text and a pattern in quotes.")
            }
            return .like(subject, text)
        case .isNull(let a): return .isNull(try bind(a))
        case .arithmetic(let operation, let a, let b):
            let left = try bind(a)
            let right = try bind(b)
            guard left.type.isNumber, right.type.isNumber else {
                throw Problem("cql.type", zh: "算术只用于数。", en: "Arithmetic takes numbers.")
            }
            return .arithmetic(operation, left, right)
        case .function(let name, let arguments): return try function(name, arguments)
        }
    }

    func boolean(_ expression: Expression) throws(Problem) -> BoundExpression.Node {
        let node = try bind(expression)
        guard node.type == .boolean else {
            throw Problem("cql.type", zh: "AND、OR、NOT 连接的应是条件。", en: "AND, OR and NOT join conditions.")
        }
        return node
    }

    func booleans(_ list: [Expression]) throws(Problem) -> [BoundExpression.Node] {
        var nodes: [BoundExpression.Node] = []
        for item in list { nodes.append(try boolean(item)) }
        return nodes
    }

    func pair(_ a: Expression, _ b: Expression) throws(Problem) -> (BoundExpression.Node, BoundExpression.Node) {
        var left = try bind(a)
        var right = try bind(b)
        if left.type != right.type, !(left.type.isNumber && right.type.isNumber) {
            if let converted = Binder.convert(right, to: left.type) {
                right = converted
            } else if let converted = Binder.convert(left, to: right.type) {
                left = converted
            }
        }
        guard left.type == right.type || (left.type.isNumber && right.type.isNumber), left.type != .point else {
            throw Problem(
                "cql.type",
                zh: "不能比较\(left.type.title.zh)与\(right.type.title.zh)。",
                en: "\(left.type.title.en) and \(right.type.title.en) cannot be compared.",
                hint: .init(
                    "日期写作 DATE('2026-01-31'),文本加单引号。",
                    "Write dates as DATE('2026-01-31') and texts in single quotes."
                )
            )
        }
        return (left, right)
    }

    /// A literal as another type where that loses nothing.
    static func convert(_ node: BoundExpression.Node, to type: ValueType) -> BoundExpression.Node? {
        guard case .literal(let value, _) = node else { return nil }
        switch (value, type) {
        case (.text(let text), .date), (.text(let text), .timestamp):
            if let moment = Parser.moment(text, isDate: type == .date) { return .literal(moment, type) }
            if type == .timestamp, case .date(let days) = Parser.moment(text, isDate: true) {
                return .literal(.timestamp(Int64(days) * CivilTime.microsecondsPerDay - CivilTime.chinaOffset), type)
            }
            return nil
        case (.text(let text), .time):
            return Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseTime($0) }.map {
                .literal(.time($0), .time)
            }
        case (.date(let days), .timestamp):
            return .literal(.timestamp(Int64(days) * CivilTime.microsecondsPerDay - CivilTime.chinaOffset), type)
        case (.integer, .text): return .literal(.text(value.text), .text)
        case (.text(let text), .integer), (.text(let text), .real):
            return Array(text.utf8).withUnsafeBufferPointer { bytes in
                if let integer = Numbers.parseInteger(bytes) { return .literal(.integer(integer), .integer) }
                return Numbers.parseReal(bytes).map { .literal(.real($0), .real) }
            }
        default: return nil
        }
    }

    static func type(of value: Value) -> ValueType {
        switch value {
        case .null, .text: .text
        case .integer: .integer
        case .decimal, .real: .real
        case .boolean: .boolean
        case .date: .date
        case .time: .time
        case .timestamp: .timestamp
        case .point: .point
        }
    }

    func function(_ name: String, _ arguments: [Expression]) throws(Problem) -> BoundExpression.Node {
        guard let function = Function(rawValue: name) else {
            throw Problem(
                "cql.unknown_function",
                zh: "没有函数“\(name)”。",
                en: "There is no function “\(name)”.",
                details: ["functions": Function.allCases.map(\.rawValue).joined(separator: ", ")]
            )
        }
        var nodes: [BoundExpression.Node] = []
        for argument in arguments { nodes.append(try bind(argument)) }
        func need(_ fits: Bool) throws(Problem) {
            guard fits else {
                throw Problem("cql.type", zh: "函数 \(name) 的参数不对。", en: "The arguments of \(name) do not fit.")
            }
        }
        switch function {
        case .casei, .lower, .upper:
            try need(nodes.count == 1 && nodes[0].type == .text)
            return .function(function, nodes, .text)
        case .length:
            try need(nodes.count == 1 && nodes[0].type == .text)
            return .function(function, nodes, .integer)
        case .abs:
            try need(nodes.count == 1 && nodes[0].type.isNumber)
            return .function(function, nodes, .real)
        case .coalesce:
            try need(nodes.count >= 1 && nodes.allSatisfy { $0.type == nodes[0].type } && nodes[0].type != .point)
            return .function(function, nodes, nodes[0].type)
        case .year, .month, .day:
            try need(nodes.count == 1 && nodes[0].type == .date)
            return .function(function, nodes, .integer)
        }
    }

    func unknown(_ name: String) -> Problem {
        let close = fields.map { ($0.name, Spelling.distance(name.lowercased(), $0.name.lowercased())) }.min {
            $0.1 < $1.1
        }
        let suggestion = close.flatMap { $0.1 <= max(2, name.count / 3) ? $0.0 : nil }
        return Problem(
            "cql.unknown_property",
            zh: "没有字段“\(name)”。",
            en: "There is no property “\(name)”.",
            details: suggestion.map { ["suggestion": $0] } ?? [:],
            hint: suggestion.map { .init("是否想写“\($0)”?", "Did you mean “\($0)”?") }
        )
    }
}

/// How far two spellings are apart.
enum Spelling {
    /// Levenshtein's distance.
    static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.unicodeScalars)
        let b = Array(b.unicodeScalars)
        var row = Array(0...b.count)
        for (i, left) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, right) in b.enumerated() {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (left == right ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
