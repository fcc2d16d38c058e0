import Basics
import Geo
import Tabular

extension Expression {
    /// The expression in the text encoding, with the parentheses it needs and no others.
    public var text: String { written(0) }

    /// How tightly the outermost operation binds: an operand that binds less needs parentheses.
    private var rank: Int {
        switch self {
        case .or: 1
        case .and: 2
        case .not: 3
        case .compare, .between, .isIn, .like, .isNull: 4
        case .arithmetic(let operation, _, _):
            switch operation {
            case .add, .subtract: 5
            case .multiply, .divide, .modulo, .quotient: 6
            case .power: 7
            }
        default: 9
        }
    }

    private func written(_ least: Int) -> String {
        let text = plain
        return rank < least ? "(\(text))" : text
    }

    private var plain: String {
        func list(_ items: [Expression]) -> String { items.map { $0.written(0) }.joined(separator: ", ") }
        switch self {
        case .property(let name): return Self.quoted(name)
        case .literal(let value): return Self.text(value)
        case .geometry(let geometry): return geometry.wellKnownText
        case .box(let numbers): return "BBOX(\(numbers.map { Self.number($0).text }.joined(separator: ", ")))"
        case .interval(let from, let to): return "INTERVAL(\([from, to].map(Self.end).joined(separator: ", ")))"
        case .array(let items): return "(\(list(items)))"
        case .compare(let operation, let a, let b): return "\(a.written(5)) \(operation.rawValue) \(b.written(5))"
        case .and(let items): return items.map { $0.written(3) }.joined(separator: " AND ")
        case .or(let items): return items.map { $0.written(2) }.joined(separator: " OR ")
        case .not(.like(let a, let pattern)): return "\(a.written(5)) NOT LIKE \(pattern.written(5))"
        case .not(.isNull(let a)): return "\(a.written(5)) IS NOT NULL"
        case .not(.isIn(let a, let items)): return "\(a.written(5)) NOT IN (\(list(items)))"
        case .not(.between(let a, let low, let high)):
            return "\(a.written(5)) NOT BETWEEN \(low.written(5)) AND \(high.written(5))"
        case .not(let a): return "NOT \(a.written(4))"
        case .between(let a, let low, let high):
            return "\(a.written(5)) BETWEEN \(low.written(5)) AND \(high.written(5))"
        case .isIn(let a, let items): return "\(a.written(5)) IN (\(list(items)))"
        case .like(let a, let pattern): return "\(a.written(5)) LIKE \(pattern.written(5))"
        case .isNull(let a): return "\(a.written(5)) IS NULL"
        case .arithmetic(let operation, let a, let b):
            // A chain goes on from the left; a power does not.
            let left = operation == .power ? a.written(8) : a.written(rank)
            return "\(left) \(operation.rawValue) \(b.written(rank + 1))"
        case .function(let name, let arguments):
            let isStandard = StandardFunction.names[name.lowercased()] == name
            return "\(isStandard ? name.uppercased() : name)(\(list(arguments)))"
        }
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .text(let text):
            "'\(text.replacing("\\", with: "\\\\").replacing("'", with: "''"))'"
        case .date: "DATE('\(value.text)')"
        case .timestamp(let moment): "TIMESTAMP('\(UniversalTime.text(moment))')"
        case .boolean(let bit): bit ? "TRUE" : "FALSE"
        default: value.text
        }
    }

    private static func end(_ end: Expression?) -> String {
        switch end {
        case nil: "'..'"
        case .literal(.timestamp(let moment)): "'\(UniversalTime.text(moment))'"
        case .literal(let value): "'\(value.text)'"
        case .some(let other): other.written(0)
        }
    }

    private static let keywords: Set<String> = [
        "AND", "OR", "NOT", "BETWEEN", "IN", "LIKE", "IS", "NULL", "TRUE", "FALSE", "DIV", "DATE", "TIMESTAMP",
        "INTERVAL",
        "BBOX", "CASEI", "ACCENTI", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON",
        "GEOMETRYCOLLECTION",
    ]

    private static func quoted(_ name: String) -> String {
        let scalars = name.unicodeScalars
        let isPlain =
            scalars.first.map(Lexer.isNameStart) ?? false && scalars.allSatisfy(Lexer.isNamePart)
            && !keywords.contains(name.uppercased()) && StandardFunction.names[name.lowercased()] == nil
        return isPlain ? name : "\"\(name)\""
    }
}
