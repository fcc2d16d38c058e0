import Basics
public import Tabular

/// A piece of SQL with the values of its `?` in order. Values are bound, never spliced.
public struct SQLFragment: Sendable, Hashable {
    public var text: String
    public var values: [Value]

    public init(_ text: String, _ values: [Value] = []) {
        self.text = text
        self.values = values
    }
}

/// Whose SQL is written.
public enum SQLEngine: String, Sendable, CaseIterable {
    case sqlite, postgresql
}

extension BoundExpression {
    /// The predicate as SQL; the closure gives the SQL name of a field, e.g. its physical column.
    public func sql(for engine: SQLEngine, column: (Field) -> String) -> SQLFragment {
        withoutActuallyEscaping(column) { column in
            var renderer = Renderer(engine: engine, fields: fields, column: column)
            let text = renderer.predicate(root)
            return SQLFragment(text, renderer.values)
        }
    }
}

/// Writes an expression as SQL. SQLite's booleans are numbers; PostgreSQL's are not, so a value there is compared with 0 where a
/// condition is asked for, and a condition is cast where a value is.
private struct Renderer {
    let engine: SQLEngine
    let fields: [Field]
    let column: (Field) -> String
    var values: [Value] = []

    private var isPostgres: Bool { engine == .postgresql }

    mutating func predicate(_ node: BoundExpression.Node) -> String {
        let text = render(node)
        return isPostgres && !Renderer.isCondition(node) ? "(\(text) <> 0)" : text
    }

    private mutating func value(_ node: BoundExpression.Node) -> String {
        let text = render(node)
        return isPostgres && Renderer.isCondition(node) ? "CAST(\(text) AS INTEGER)" : text
    }

    private static func isCondition(_ node: BoundExpression.Node) -> Bool {
        switch node {
        case .compare, .and, .or, .not, .isNull, .isIn, .like: true
        case .column, .literal, .arithmetic, .function: false
        }
    }

    private mutating func join(_ list: [BoundExpression.Node], _ word: String) -> String {
        var parts: [String] = []
        for item in list { parts.append(predicate(item)) }
        return "(" + parts.joined(separator: " \(word) ") + ")"
    }

    private mutating func render(_ node: BoundExpression.Node) -> String {
        switch node {
        case .column(let index, _):
            let name = column(fields[index])
            guard fields[index].type == .decimal else { return name }
            let power = Numbers.powersOfTen[fields[index].scale]
            return isPostgres
                ? "(CAST(\(name) AS DOUBLE PRECISION) / CAST(\(power) AS DOUBLE PRECISION))" : "(\(name) / \(power).0)"
        case .literal(let value, _):
            values.append(value)
            return "?"
        case .compare(let operation, let a, let b):
            if isPostgres, a.type.isNumber, b.type.isNumber, a.type != b.type { return mixed(operation, a, b) }
            let left = value(a)
            return "(\(left) \(operation.rawValue) \(value(b)))"
        case .and(let list): return join(list, "AND")
        case .or(let list): return join(list, "OR")
        case .not(let inner): return "(NOT \(predicate(inner)))"
        case .isNull(let inner): return "(\(value(inner)) IS NULL)"
        case .isIn(let subject, let list):
            let left = value(subject)
            var marks: [String] = []
            for item in list { marks.append(value(item)) }
            return "(\(left) IN (\(marks.joined(separator: ", "))))"
        case .like(let subject, let pattern):
            let left = value(subject)
            values.append(.text(pattern))
            return "(\(left) LIKE ? ESCAPE '\\')"
        case .arithmetic(let operation, let a, let b): return arithmetic(operation, value(a), value(b))
        case .function(let function, let arguments, _):
            var parts: [String] = []
            for argument in arguments { parts.append(value(argument)) }
            return render(function, parts)
        }
    }

    /// An integer with a real, by their values: where they agree as reals the real is an integer, and integers tell them apart.
    private mutating func mixed(
        _ operation: Expression.Comparison,
        _ a: BoundExpression.Node,
        _ b: BoundExpression.Node
    ) -> String {
        func side(_ node: BoundExpression.Node, _ other: BoundExpression.Node) -> String {
            guard node.type == .real else { return "(CAST(\(value(node)) AS DOUBLE PRECISION), \(value(node)))" }
            let (first, tested, cast) = (value(node), value(node), value(node))
            return
                "(\(first), CASE WHEN \(tested) BETWEEN -9.2e18 AND 9.2e18 THEN CAST(\(cast) AS BIGINT) ELSE \(value(other)) END)"
        }
        let left = side(a, b)
        return "(\(left) \(operation.rawValue) \(side(b, a)))"
    }

    private func arithmetic(_ operation: Expression.Arithmetic, _ left: String, _ right: String) -> String {
        guard isPostgres else {
            return operation == .modulo
                ? "((CAST((\(left) * 1.0) AS INTEGER) % CAST((\(right) * 1.0) AS INTEGER)) * 1.0)"
                : "((\(left) * 1.0) \(operation.rawValue) (\(right) * 1.0))"
        }
        // Division by zero is null.
        let (a, b) = ("CAST(\(left) AS DOUBLE PRECISION)", "CAST(\(right) AS DOUBLE PRECISION)")
        switch operation {
        case .modulo:
            return
                "CAST(mod(trunc(CAST(\(a) AS NUMERIC)), NULLIF(trunc(CAST(\(b) AS NUMERIC)), 0)) AS DOUBLE PRECISION)"
        case .divide: return "(\(a) / NULLIF(\(b), 0))"
        default: return "(\(a) \(operation.rawValue) \(b))"
        }
    }

    private func render(_ function: Function, _ parts: [String]) -> String {
        func part(_ name: String, _ format: String) -> String {
            isPostgres
                ? "CAST(EXTRACT(\(name) FROM (DATE '1970-01-01' + CAST(\(parts[0]) AS INTEGER))) AS BIGINT)"
                : "CAST(strftime('\(format)', \(parts[0]) * 86400, 'unixepoch') AS INTEGER)"
        }
        switch function {
        // Of ASCII letters only, whatever the database's own collation is.
        case .casei, .lower: return isPostgres ? "lower(\(parts[0]) COLLATE \"C\")" : "lower(\(parts[0]))"
        case .upper: return isPostgres ? "upper(\(parts[0]) COLLATE \"C\")" : "upper(\(parts[0]))"
        case .length: return "length(\(parts[0]))"
        case .abs: return isPostgres ? "abs(CAST(\(parts[0]) AS DOUBLE PRECISION))" : "abs(\(parts[0]) * 1.0)"
        case .coalesce: return parts.count == 1 ? parts[0] : "coalesce(\(parts.joined(separator: ", ")))"
        case .year: return part("YEAR", "%Y")
        case .month: return part("MONTH", "%m")
        case .day: return part("DAY", "%d")
        }
    }
}
