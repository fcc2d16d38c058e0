import Basics
public import Geo
import Mask
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
public enum SQLEngine: Sendable, Hashable {
    case sqlite
    /// With the schema that PostGIS lies in, where it is there.
    case postgresql(postGIS: String? = nil)
}

/// A predicate as an engine can run it: the rows that the SQL lets through are those that fit, or more, and the rest decides on them.
public struct SQLPredicate: Sendable {
    /// Nil where the engine can decide nothing.
    public var fragment: SQLFragment?
    /// What is left to be asked of each row in memory; nil where the SQL says it all.
    public var rest: BoundExpression?
    /// Boxes that a field's shape meets in every row that fits: what a spatial index can look for.
    public var boxes: [(field: Field, box: Box)] = []
}

extension BoundExpression {
    /// The predicate for an engine; the closure gives the SQL names of a field: one, of a point two.
    public func sql(for engine: SQLEngine, columns: (Field) -> [String]) -> SQLPredicate {
        withoutActuallyEscaping(columns) { columns in
            let conditions: [Node] = if case .and(let list) = root { list } else { [root] }
            var predicate = SQLPredicate()
            var texts: [String] = []
            var values: [Value] = []
            var rest: [Node] = []
            func take(_ renderer: Renderer, _ text: String) {
                texts.append(text)
                values += renderer.values
            }
            for condition in conditions {
                var renderer = Renderer(engine: engine, fields: fields, columns: columns)
                let text = renderer.predicate(condition)
                if renderer.isExact { take(renderer, text) } else { rest.append(condition) }
                guard case .spatial(let relation, let a, let b) = condition, relation != .disjoint,
                    let (index, geometry) = Self.fixed(a, b)
                else { continue }
                if let box = geometry.box { predicate.boxes.append((fields[index], box)) }
                guard !renderer.isExact else { continue }
                // Shapes that lie to each other in any of these ways meet.
                var meets = Renderer(engine: engine, fields: fields, columns: columns)
                let wide: Node
                if case .point = fields[index].type, let box = geometry.box {
                    wide = .spatial(.intersects, .column(index, .geometry), .shape(box.geometry, box))
                } else {
                    wide = .spatial(.intersects, .column(index, .geometry), .shape(geometry, nil))
                }
                let near = meets.predicate(wide)
                if meets.isExact { take(meets, near) }
            }
            predicate.fragment = texts.isEmpty ? nil : SQLFragment(texts.joined(separator: " AND "), values)
            if !rest.isEmpty {
                predicate.rest = BoundExpression(source, fields, rest.count == 1 ? rest[0] : .and(rest))
            }
            return predicate
        }
    }

    /// A column and the shape it is compared with.
    private static func fixed(_ a: Node, _ b: Node) -> (Int, Geometry)? {
        switch (a, b) {
        case (.column(let index, _), .shape(let geometry, _)), (.shape(let geometry, _), .column(let index, _)):
            (index, geometry)
        default: nil
        }
    }
}

/// Writes an expression as SQL. SQLite's booleans are numbers; PostgreSQL's are not, so a value there is compared with 0 where a
/// condition is asked for, and a condition is cast where a value is.
private struct Renderer {
    let engine: SQLEngine
    let fields: [Field]
    let columns: (Field) -> [String]
    var values: [Value] = []
    /// Whether everything met so far has a form in SQL that means the same.
    var isExact = true

    private var isPostgres: Bool { engine != .sqlite }

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
        case .compare, .and, .or, .not, .isNull, .isIn, .like, .spatial, .arrays: true
        case .column, .literal, .shape, .arithmetic, .function, .added: false
        }
    }

    private mutating func join(_ list: [BoundExpression.Node], _ word: String) -> String {
        var parts: [String] = []
        for item in list { parts.append(predicate(item)) }
        return "(" + parts.joined(separator: " \(word) ") + ")"
    }

    /// What this engine cannot say is left to memory.
    private mutating func leave() -> String {
        isExact = false
        return "NULL"
    }

    private mutating func render(_ node: BoundExpression.Node) -> String {
        switch node {
        case .column(let index, _):
            let name = columns(fields[index])[0]
            guard fields[index].type == .decimal else { return name }
            let power = Numbers.powersOfTen[fields[index].scale]
            return isPostgres
                ? "(CAST(\(name) AS DOUBLE PRECISION) / CAST(\(power) AS DOUBLE PRECISION))" : "(\(name) / \(power).0)"
        case .literal(let value, _):
            values.append(value)
            return "?"
        case .shape, .arrays, .added: return leave()
        case .compare(let operation, let a, let b):
            if isPostgres, a.type.isNumber, b.type.isNumber, a.type != b.type { return mixed(operation, a, b) }
            let left = value(a)
            return "(\(left) \(operation.rawValue) \(value(b)))"
        case .and(let list): return join(list, "AND")
        case .or(let list): return join(list, "OR")
        case .not(let inner): return "(NOT \(predicate(inner)))"
        case .isNull(.shape): return isPostgres ? "FALSE" : "0"
        case .isNull(let inner): return "(\(value(inner)) IS NULL)"
        case .isIn(let subject, let list):
            let left = value(subject)
            var marks: [String] = []
            for item in list { marks.append(value(item)) }
            return "(\(left) IN (\(marks.joined(separator: ", "))))"
        case .like(let subject, let pattern):
            let left = value(subject)
            // A search for bytes costs the engine half of what a pattern does.
            if !isPostgres, let held = LikePattern(pattern).held {
                values.append(.text(held))
                return "(instr(\(left), ?) > 0)"
            }
            values.append(.text(pattern))
            return "(\(left) LIKE ? ESCAPE '\\')"
        case .arithmetic(let operation, let a, let b):
            let left = value(a)
            return arithmetic(operation, left, value(b))
        case .function(.mask, let arguments, _):
            guard let kind = Binder.kind(arguments[0]) else { return leave() }
            let mask = Mask.standard(for: kind) ?? .suppress
            return mask.sql(ofText: { value(arguments[1]) }, for: isPostgres ? .postgresql : .sqlite)
        // Sums that no calendar reaches are null, which engines see otherwise: they are left to memory.
        case .function(.addDays, let arguments, _):
            guard case .literal(.integer(let days), _) = arguments[1], days.magnitude < 100_000 else { return leave() }
            return "(\(days64(arguments[0])) + \(days))"
        case .function(.daysBetween, let arguments, _):
            let from = days64(arguments[0])
            return "(-\(from) + \(days64(arguments[1])))"
        case .function(let function, let arguments, _):
            var parts: [String] = []
            for argument in arguments { parts.append(value(argument)) }
            return render(function, parts)
        case .spatial(let relation, let a, let b): return spatial(relation, a, b)
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

    private mutating func arithmetic(_ operation: Expression.Arithmetic, _ left: String, _ right: String) -> String {
        // Engines round, overflow and refuse in ways of their own.
        guard operation != .power, operation != .quotient else { return leave() }
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

    /// A date as a number that sums do not outgrow.
    private mutating func days64(_ node: BoundExpression.Node) -> String { "CAST(\(value(node)) AS BIGINT)" }

    private mutating func render(_ function: Function, _ parts: [String]) -> String {
        func part(_ name: String, _ format: String) -> String {
            isPostgres
                ? "CAST(EXTRACT(\(name) FROM (DATE '1970-01-01' + CAST(\(parts[0]) AS INTEGER))) AS BIGINT)"
                : "CAST(strftime('\(format)', \(parts[0]) * 86400, 'unixepoch') AS INTEGER)"
        }
        switch function {
        // PostgreSQL's own least and greatest pass over null.
        case .casei, .accenti, .distance, .place, .valid, .mask, .stake, .withinStake, .addDays, .daysBetween, .least,
            .greatest:
            return leave()
        // Of ASCII letters only, whatever the database's own collation is.
        case .lower: return isPostgres ? "lower(\(parts[0]) COLLATE \"C\")" : "lower(\(parts[0]))"
        case .upper: return isPostgres ? "upper(\(parts[0]) COLLATE \"C\")" : "upper(\(parts[0]))"
        case .length: return "length(\(parts[0]))"
        case .abs: return isPostgres ? "abs(CAST(\(parts[0]) AS DOUBLE PRECISION))" : "abs(\(parts[0]) * 1.0)"
        case .coalesce: return parts.count == 1 ? parts[0] : "coalesce(\(parts.joined(separator: ", ")))"
        case .year: return part("YEAR", "%Y")
        case .month: return part("MONTH", "%m")
        case .day: return part("DAY", "%d")
        }
    }

    // MARK: Shapes

    private mutating func spatial(
        _ relation: SpatialRelation,
        _ a: BoundExpression.Node,
        _ b: BoundExpression.Node
    ) -> String {
        guard relation == .intersects || relation == .disjoint else { return leave() }
        for (node, other) in [(a, b), (b, a)] {
            guard case .shape(_, let box?) = other, let axes = axes(node) else { continue }
            return inside(axes, box, relation)
        }
        guard case .postgresql(let schema?) = engine else { return leave() }
        let left = shape(a, schema)
        let text = "\(schema).ST_Intersects(\(left), \(shape(b, schema)))"
        return relation == .disjoint ? "(NOT \(text))" : text
    }

    /// The longitude and the latitude of a point, of one field or of two.
    private mutating func axes(_ node: BoundExpression.Node) -> (String, String)? {
        switch node {
        case .column(let index, _) where fields[index].type == .point:
            let names = columns(fields[index])
            return (names[0], names[1])
        case .function(.place, let parts, _):
            guard case .column = parts[0], case .column = parts[1] else { return nil }
            return (value(parts[0]), value(parts[1]))
        default: return nil
        }
    }

    private mutating func inside(_ axes: (String, String), _ box: Box, _ relation: SpatialRelation) -> String {
        values += [.real(box.minX), .real(box.maxX), .real(box.minY), .real(box.maxY)]
        let text = "(\(axes.0) BETWEEN ? AND ? AND \(axes.1) BETWEEN ? AND ?)"
        return relation == .disjoint ? "(NOT \(text))" : text
    }

    private mutating func shape(_ node: BoundExpression.Node, _ schema: String) -> String {
        switch node {
        case .column(let index, _): return PostGIS.shape(columns(fields[index]), schema)
        case .shape(let geometry, _):
            values.append(.text(geometry.json.text))
            return "\(schema).ST_SetSRID(\(schema).ST_GeomFromGeoJSON(?), 4326)"
        default: return leave()
        }
    }
}

/// How shapes lie in columns, as PostGIS reads them: an index is made of the same words.
public enum PostGIS {
    /// The geometry of a field's columns: two of a point, one of GeoJSON.
    public static func shape(_ columns: [String], _ schema: String) -> String {
        columns.count == 2
            ? "\(schema).ST_SetSRID(\(schema).ST_MakePoint(\(columns[0]), \(columns[1])), 4326)"
            : "\(schema).ST_SetSRID(\(schema).ST_GeomFromGeoJSON(\(columns[0])), 4326)"
    }
}
