public import Geo
public import Tabular

/// A CQL2 expression (OGC 21-065r2) as a tree; names are not yet looked up. See ``BoundExpression``.
public indirect enum Expression: Sendable, Hashable {
    /// Comparison operators.
    public enum Comparison: String, Sendable, Hashable {
        case equal = "="
        case notEqual = "<>"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    /// Arithmetic operators; all calculate with real numbers, and a division by zero is null.
    public enum Arithmetic: String, Sendable, Hashable, CaseIterable {
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case modulo = "%"
        /// The quotient without its fraction.
        case quotient = "div"
        case power = "^"
    }

    case property(String)
    case literal(Value)
    case geometry(Geometry)
    /// Four or six numbers, the west before the east.
    case box([Double])
    /// Two instants, properties or functions; nil for an open end.
    case interval(Expression?, Expression?)
    case array([Expression])
    case compare(Comparison, Expression, Expression)
    case and([Expression])
    case or([Expression])
    case not(Expression)
    case between(Expression, Expression, Expression)
    case isIn(Expression, [Expression])
    case like(Expression, Expression)
    case isNull(Expression)
    case arithmetic(Arithmetic, Expression, Expression)
    /// A function by its name in the JSON encoding: `casei`, `s_intersects`, `t_metBy`, one of ours, one nobody knows.
    case function(String, [Expression])

    /// The names of the properties used, in order of appearance.
    public var properties: [String] {
        var names: [String] = []
        visit { if case .property(let name) = $0, !names.contains(name) { names.append(name) } }
        return names
    }

    /// What the expression is made of, one level down.
    var parts: [Expression] {
        switch self {
        case .property, .literal, .geometry, .box: []
        case .interval(let a, let b): [a, b].compactMap(\.self)
        case .compare(_, let a, let b), .arithmetic(_, let a, let b), .like(let a, let b): [a, b]
        case .and(let list), .or(let list), .function(_, let list), .array(let list): list
        case .not(let a), .isNull(let a): [a]
        case .between(let a, let b, let c): [a, b, c]
        case .isIn(let a, let list): [a] + list
        }
    }

    /// Whether it may yield true or false: a value of another kind never does, a property or a function of ours may.
    var mayBeCondition: Bool {
        switch self {
        case .literal(.boolean): true
        case .literal, .geometry, .box, .interval, .array, .arithmetic: false
        default: true
        }
    }

    /// The tree with parts changed: where a closure gives another one, it stands instead of the part and what is in it.
    public func mapped(_ body: (Expression) -> Expression?) -> Expression {
        if let other = body(self) { return other }
        func all(_ list: [Expression]) -> [Expression] { list.map { $0.mapped(body) } }
        switch self {
        case .property, .literal, .geometry, .box: return self
        case .interval(let a, let b): return .interval(a?.mapped(body), b?.mapped(body))
        case .array(let list): return .array(all(list))
        case .compare(let operation, let a, let b): return .compare(operation, a.mapped(body), b.mapped(body))
        case .and(let list): return .and(all(list))
        case .or(let list): return .or(all(list))
        case .not(let a): return .not(a.mapped(body))
        case .between(let a, let b, let c): return .between(a.mapped(body), b.mapped(body), c.mapped(body))
        case .isIn(let a, let list): return .isIn(a.mapped(body), all(list))
        case .like(let a, let b): return .like(a.mapped(body), b.mapped(body))
        case .isNull(let a): return .isNull(a.mapped(body))
        case .arithmetic(let operation, let a, let b): return .arithmetic(operation, a.mapped(body), b.mapped(body))
        case .function(let name, let list): return .function(name, all(list))
        }
    }

    /// How deep the tree is: what databases can parse has a limit.
    var depth: Int { 1 + (parts.map(\.depth).max() ?? 0) }

    func visit(_ body: (Expression) -> Void) {
        body(self)
        for part in parts { part.visit(body) }
    }
}

/// The functions of the standard by their names in the JSON encoding, which tells cases apart; the text encoding does not.
enum StandardFunction {
    static let spatial = SpatialRelation.allCases.map { "s_" + $0.rawValue }
    static let temporal = TemporalRelation.allCases.map { "t_" + $0.rawValue }
    static let arrays = ArrayRelation.allCases.map { "a_" + $0.rawValue }

    static let names = Dictionary(
        uniqueKeysWithValues: (["casei", "accenti"] + spatial + temporal + arrays).map { ($0.lowercased(), $0) }
    )

    /// The JSON name of a function written in text.
    static func name(_ written: String) -> String { names[written.lowercased()] ?? written }
}

/// How two moments or intervals lie to each other (OWL-Time, as OGC 21-065r2 names them).
public enum TemporalRelation: String, Sendable, CaseIterable {
    case after, before, contains, disjoint, during, equals, finishedBy, finishes, intersects, meets, metBy,
        overlappedBy, overlaps
    case startedBy, starts

    /// Whether it compares instants too, not intervals alone.
    var takesInstants: Bool { [.after, .before, .disjoint, .equals, .intersects].contains(self) }
}

/// How two sets of values lie to each other.
public enum ArrayRelation: String, Sendable, CaseIterable {
    case contains, containedBy, equals, overlaps
}
