public import Basics
import Geo
public import Tabular

/// What a piece of an expression yields.
public enum ValueType: String, Sendable, Hashable {
    case text, integer, real, boolean, date, time, timestamp, geometry

    init(_ field: FieldType) {
        switch field {
        case .text, .file: self = .text
        case .integer: self = .integer
        case .decimal, .real: self = .real
        case .boolean: self = .boolean
        case .date: self = .date
        case .time: self = .time
        case .timestamp: self = .timestamp
        case .point, .geometry: self = .geometry
        }
    }

    var isNumber: Bool { self == .integer || self == .real }
    var isMoment: Bool { self == .date || self == .timestamp }

    var title: LocalizedText {
        switch self {
        case .text: .init("文本", "text")
        case .integer, .real: .init("数", "a number")
        case .boolean: .init("是/否", "a boolean")
        case .date: .init("日期", "a date")
        case .time: .init("时间", "a time")
        case .timestamp: .init("日期时间", "a timestamp")
        case .geometry: .init("几何", "a geometry")
        }
    }
}

/// An expression whose names and types are settled against a schema: ready to run over batches or as SQL.
public struct BoundExpression: Sendable, Hashable {
    indirect enum Node: Sendable, Hashable {
        case column(Int, ValueType)
        case literal(Value, ValueType)
        /// A shape; with the box where it is one.
        case shape(Geometry, Box?)
        case compare(Expression.Comparison, Node, Node)
        case and([Node])
        case or([Node])
        case not(Node)
        case isIn(Node, [Node])
        case like(Node, String)
        case isNull(Node)
        case arithmetic(Expression.Arithmetic, Node, Node)
        case function(Function, [Node], ValueType)
        case added(AddedFunction, [Node])
        case spatial(SpatialRelation, Node, Node)
        case arrays(ArrayRelation, Elements, Elements)

        var type: ValueType {
            switch self {
            case .column(_, let type), .literal(_, let type), .function(_, _, let type): type
            case .added(let function, _): function.result
            case .shape: .geometry
            case .arithmetic: .real
            default: .boolean
            }
        }

        /// What the node is made of, one level down.
        var parts: [Node] {
            switch self {
            case .column, .literal, .shape: []
            case .compare(_, let a, let b), .arithmetic(_, let a, let b), .spatial(_, let a, let b): [a, b]
            case .and(let list), .or(let list), .function(_, let list, _), .added(_, let list): list
            case .not(let a), .isNull(let a), .like(let a, _): [a]
            case .isIn(let a, let list): [a] + list
            case .arrays(_, let a, let b): [a, b].compactMap { if case .parts(let node) = $0 { node } else { nil } }
            }
        }
    }

    /// A set of values: given ones, or the parts of a text that lists them.
    indirect enum Elements: Sendable, Hashable {
        case values(Set<String>)
        case parts(Node)
    }

    public let source: Expression
    public let fields: [Field]
    let root: Node

    public var type: ValueType { root.type }

    /// Settles a predicate.
    ///
    /// - Throws: `cql.unknown_property` (with a suggestion), `cql.type`, `cql.unknown_function`, `cql.too_large`.
    public init(predicate source: Expression, fields: [Field]) throws(Problem) {
        // Two more than are promised: interfaces join conditions of their own.
        guard source.depth <= 26 else { throw Parser.tooDeep }
        let root = try Binder(fields: fields).bind(source)
        guard root.type == .boolean else {
            throw Problem("cql.type", zh: "表达式的结果应为是/否。", en: "The expression should yield true or false.")
        }
        self.init(source, fields, root)
    }

    init(_ source: Expression, _ fields: [Field], _ root: Node) {
        self.source = source
        self.fields = fields
        self.root = root
    }

    /// Parses and settles a predicate in either encoding; what is wrong with a name is told with its position in the text.
    ///
    /// - Throws: `cql.*`.
    public init(text: String, fields: [Field]) throws(Problem) {
        let source = try Expression(either: text)
        do { try self.init(predicate: source, fields: fields) } catch {
            throw Expression.located(error, in: text)
        }
    }

    /// The field that the predicate gives a value; nil where it asks for anything else.
    public var equated: Field? {
        guard case .compare(.equal, .column(let index, _), .literal) = root else { return nil }
        return fields[index]
    }

    /// The positions of the columns used.
    public var columns: Set<Int> {
        var found: Set<Int> = []
        func walk(_ node: Node) {
            if case .column(let index, _) = node { found.insert(index) }
            node.parts.forEach(walk)
        }
        walk(root)
        return found
    }
}

extension Expression {
    /// A problem with a name, told with where the name stands in the text.
    public static func located(_ problem: Problem, in text: String) -> Problem {
        guard let name = problem.details["name"], problem.details["position"] == nil else { return problem }
        var lexer = Lexer(text)
        guard let tokens = try? lexer.tokens() else { return problem }
        let token = tokens.first { token in
            switch token.kind {
            case .word(let word): StandardFunction.name(word) == name
            case .quoted(let word): word == name
            default: false
            }
        }
        guard let token else { return problem }
        var located = problem
        located.details["position"] = String(token.position)
        return located
    }
}
