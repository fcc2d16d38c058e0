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

extension BoundExpression {
    /// The predicate as SQL; the closure gives the SQL name of a field, e.g. its physical column.
    public func sql(column: (Field) -> String) -> SQLFragment {
        var values: [Value] = []
        let text = render(root, column, &values)
        return SQLFragment(text, values)
    }

    private func render(_ node: Node, _ column: (Field) -> String, _ values: inout [Value]) -> String {
        func join(_ list: [Node], _ word: String) -> String {
            var parts: [String] = []
            for item in list { parts.append(render(item, column, &values)) }
            return "(" + parts.joined(separator: " \(word) ") + ")"
        }
        switch node {
        case .column(let index, _):
            let name = column(fields[index])
            switch fields[index].type {
            case .decimal: return "(\(name) / \(Numbers.powersOfTen[fields[index].scale]).0)"
            default: return name
            }
        case .literal(let value, _):
            values.append(value)
            return "?"
        case .compare(let operation, let a, let b):
            let left = render(a, column, &values)
            return "(\(left) \(operation.rawValue) \(render(b, column, &values)))"
        case .and(let list): return join(list, "AND")
        case .or(let list): return join(list, "OR")
        case .not(let inner): return "(NOT \(render(inner, column, &values)))"
        case .isNull(let inner): return "(\(render(inner, column, &values)) IS NULL)"
        case .isIn(let subject, let list):
            let left = render(subject, column, &values)
            var marks: [String] = []
            for item in list { marks.append(render(item, column, &values)) }
            return "(\(left) IN (\(marks.joined(separator: ", "))))"
        case .like(let subject, let pattern):
            let left = render(subject, column, &values)
            values.append(.text(pattern))
            return "(\(left) LIKE ? ESCAPE '\\')"
        case .arithmetic(let operation, let a, let b):
            let left = render(a, column, &values)
            let right = render(b, column, &values)
            switch operation {
            case .modulo: return "((CAST((\(left) * 1.0) AS INTEGER) % CAST((\(right) * 1.0) AS INTEGER)) * 1.0)"
            default: return "((\(left) * 1.0) \(operation.rawValue) (\(right) * 1.0))"
            }
        case .function(let function, let arguments, _): return render(function, arguments, column, &values)
        }
    }

    private func render(
        _ function: Function,
        _ arguments: [Node],
        _ column: (Field) -> String,
        _ values: inout [Value]
    ) -> String {
        var parts: [String] = []
        for argument in arguments { parts.append(render(argument, column, &values)) }
        switch function {
        case .casei, .lower: return "lower(\(parts[0]))"
        case .upper: return "upper(\(parts[0]))"
        case .length: return "length(\(parts[0]))"
        case .abs: return "abs(\(parts[0]) * 1.0)"
        case .coalesce: return parts.count == 1 ? parts[0] : "coalesce(\(parts.joined(separator: ", ")))"
        case .year: return "CAST(strftime('%Y', \(parts[0]) * 86400, 'unixepoch') AS INTEGER)"
        case .month: return "CAST(strftime('%m', \(parts[0]) * 86400, 'unixepoch') AS INTEGER)"
        case .day: return "CAST(strftime('%d', \(parts[0]) * 86400, 'unixepoch') AS INTEGER)"
        }
    }
}
