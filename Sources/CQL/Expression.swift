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
    public enum Arithmetic: String, Sendable, Hashable {
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case modulo = "%"
    }

    case property(String)
    case literal(Value)
    case compare(Comparison, Expression, Expression)
    case and([Expression])
    case or([Expression])
    case not(Expression)
    case between(Expression, Expression, Expression)
    case isIn(Expression, [Expression])
    case like(Expression, Expression)
    case isNull(Expression)
    case arithmetic(Arithmetic, Expression, Expression)
    case function(String, [Expression])

    /// The names of the properties used, in order of appearance.
    public var properties: [String] {
        var names: [String] = []
        visit { if case .property(let name) = $0, !names.contains(name) { names.append(name) } }
        return names
    }

    /// How deep the tree is: what databases can parse has a limit.
    var depth: Int {
        switch self {
        case .property, .literal: 1
        case .compare(_, let a, let b), .arithmetic(_, let a, let b), .like(let a, let b): 1 + max(a.depth, b.depth)
        case .and(let list), .or(let list), .function(_, let list): 1 + (list.map(\.depth).max() ?? 0)
        case .not(let a), .isNull(let a): 1 + a.depth
        case .between(let a, let b, let c): 1 + max(a.depth, b.depth, c.depth)
        case .isIn(let a, _): 1 + a.depth
        }
    }

    func visit(_ body: (Expression) -> Void) {
        body(self)
        switch self {
        case .property, .literal: break
        case .compare(_, let a, let b), .arithmetic(_, let a, let b), .like(let a, let b):
            a.visit(body)
            b.visit(body)
        case .and(let list), .or(let list), .function(_, let list): for item in list { item.visit(body) }
        case .not(let a), .isNull(let a): a.visit(body)
        case .between(let a, let b, let c):
            a.visit(body)
            b.visit(body)
            c.visit(body)
        case .isIn(let a, let list):
            a.visit(body)
            for item in list { item.visit(body) }
        }
    }
}
