import Basics
import Codes
import Geo
import Mask
import Tabular

/// Looks up names and settles types; literals take the type of what they are compared with.
struct Binder {
    typealias Node = BoundExpression.Node

    let fields: [Field]

    func bind(_ expression: Expression) throws(Problem) -> Node {
        switch expression {
        case .property(let name):
            guard let index = fields.firstIndex(where: { $0.name == name }) else { throw unknown(name) }
            return .column(index, ValueType(fields[index].type))
        case .literal(let value): return .literal(value, Binder.type(of: value))
        case .geometry(let geometry): return .shape(geometry, nil)
        case .box(let numbers):
            let box = Box(numbers[0], numbers[1], numbers[numbers.count / 2], numbers[numbers.count / 2 + 1])
            return .shape(box.geometry, box.minX <= box.maxX ? box : nil)
        case .interval, .array:
            throw Problem(
                "cql.type",
                zh: "时段用于 T_ 函数，数组用于 A_ 函数和 IN。",
                en: "Intervals belong into T_ functions, arrays into A_ functions and IN."
            )
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
        case .isIn(let a, let list): return try membership(a, list)
        case .like(let a, let pattern):
            let subject = try bind(a)
            guard subject.type == .text else {
                throw Problem("cql.type", zh: "LIKE 用于文本字段和带引号的模式。", en: "LIKE takes a text and a pattern in quotes.")
            }
            return .like(subject, LikePattern.canonical(try Binder.pattern(pattern)))
        case .isNull(let a): return .isNull(try bind(a))
        case .arithmetic(let operation, let a, let b):
            let left = try number(a)
            return .arithmetic(operation, left, try number(b))
        case .function(let name, let arguments): return try function(name, arguments)
        }
    }

    private func number(_ expression: Expression) throws(Problem) -> Node {
        let node = try bind(expression)
        guard node.type.isNumber else { throw Problem("cql.type", zh: "算术只用于数。", en: "Arithmetic takes numbers.") }
        return node
    }

    private func boolean(_ expression: Expression) throws(Problem) -> Node {
        let node = try bind(expression)
        guard node.type == .boolean else {
            throw Problem("cql.type", zh: "AND、OR、NOT 连接的应是条件。", en: "AND, OR and NOT join conditions.")
        }
        return node
    }

    private func booleans(_ list: [Expression]) throws(Problem) -> [Node] {
        var nodes: [Node] = []
        for item in list { nodes.append(try boolean(item)) }
        return nodes
    }

    private func membership(_ a: Expression, _ list: [Expression]) throws(Problem) -> Node {
        var nodes: [Node] = []
        var subject = try bind(a)
        for item in list {
            let (left, right) = try pair(a, item)
            subject = left
            nodes.append(right)
        }
        let areLiterals = nodes.allSatisfy { if case .literal = $0 { true } else { false } }
        guard areLiterals else { return .or(nodes.map { .compare(.equal, subject, $0) }) }
        return .isIn(subject, nodes)
    }

    /// A pattern as it stands, folded where CASEI and ACCENTI ask for it.
    private static func pattern(_ expression: Expression) throws(Problem) -> String {
        switch expression {
        case .literal(.text(let text)): return text
        case .function("casei", let list) where list.count == 1: return TextFolding.caseless(try pattern(list[0]))
        case .function("accenti", let list) where list.count == 1: return TextFolding.accentless(try pattern(list[0]))
        default:
            throw Problem("cql.type", zh: "LIKE 用于文本字段和带引号的模式。", en: "LIKE takes a text and a pattern in quotes.")
        }
    }

    private func pair(_ a: Expression, _ b: Expression) throws(Problem) -> (Node, Node) {
        try matched(try bind(a), try bind(b))
    }

    private func matched(_ a: Node, _ b: Node) throws(Problem) -> (Node, Node) {
        var (left, right) = (a, b)
        if left.type != right.type, !(left.type.isNumber && right.type.isNumber) {
            if let converted = Binder.convert(right, to: left.type) {
                right = converted
            } else if let converted = Binder.convert(left, to: right.type) {
                left = converted
            }
        }
        guard left.type == right.type || (left.type.isNumber && right.type.isNumber), left.type != .geometry else {
            throw Problem(
                "cql.type",
                zh: "不能比较\(left.type.title.zh)与\(right.type.title.zh)。",
                en: "\(left.type.title.en) and \(right.type.title.en) cannot be compared.",
                hint: .init(
                    "日期写作 DATE('2026-01-31')，文本加单引号；几何用 S_INTERSECTS 等函数。",
                    "Write dates as DATE('2026-01-31') and texts in single quotes; geometries take S_INTERSECTS and its like."
                )
            )
        }
        return (left, right)
    }

    /// A literal as another type where that loses nothing.
    static func convert(_ node: Node, to type: ValueType) -> Node? {
        guard case .literal(let value, _) = node else { return nil }
        switch (value, type) {
        case (.text(let text), .date), (.text(let text), .timestamp):
            if let moment = Parser.moment(text, isDate: type == .date) { return .literal(moment, type) }
            if type == .timestamp, case .date(let days) = Parser.moment(text, isDate: true) {
                return .literal(.timestamp(CivilTime.chinaMidnight(day: days)), type)
            }
            return nil
        case (.text(let text), .time):
            return Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseTime($0) }.map {
                .literal(.time($0), .time)
            }
        case (.date(let days), .timestamp): return .literal(.timestamp(CivilTime.chinaMidnight(day: days)), type)
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
        case .point: .geometry
        }
    }

    // MARK: Functions

    private func function(_ name: String, _ arguments: [Expression]) throws(Problem) -> Node {
        if let relation = SpatialRelation(rawValue: String(name.dropFirst(2))), name.hasPrefix("s_") {
            return try spatial(relation, arguments)
        }
        if let relation = TemporalRelation(rawValue: String(name.dropFirst(2))), name.hasPrefix("t_") {
            guard arguments.count == 2 else { throw Binder.misfit(name) }
            return try TemporalBinder(self).bind(relation, arguments[0], arguments[1])
        }
        if let relation = ArrayRelation(rawValue: String(name.dropFirst(2))), name.hasPrefix("a_") {
            guard arguments.count == 2 else { throw Binder.misfit(name) }
            return .arrays(relation, try elements(arguments[0]), try elements(arguments[1]))
        }
        var nodes: [Node] = []
        if let function = Function(rawValue: name) ?? Function(rawValue: name.lowercased()) {
            for argument in arguments { nodes.append(try bind(argument)) }
            return try apply(function, nodes)
        }
        guard let added = AddedFunction.named(name) else { throw unknownFunction(name) }
        for argument in arguments { nodes.append(try bind(argument)) }
        nodes =
            zip(nodes, added.arguments).map { Binder.convert($0, to: $1) ?? $0 }
            + nodes.dropFirst(added.arguments.count)
        let fits = zip(nodes, added.arguments).allSatisfy { $0.type == $1 || $0.type == .integer && $1 == .real }
        guard fits, nodes.count == added.arguments.count else { throw Binder.misfit(added.name) }
        return .added(added, nodes)
    }

    private static func misfit(_ name: String) -> Problem {
        Problem(
            "cql.type",
            zh: "函数 \(name) 的参数不对。",
            en: "The arguments of \(name) do not fit.",
            details: ["name": name]
        )
    }

    private func apply(_ function: Function, _ nodes: [Node]) throws(Problem) -> Node {
        let (wanted, result) = function.signature
        let fits: Bool
        var type = result
        switch function {
        case .coalesce:
            fits = !nodes.isEmpty && nodes.allSatisfy { $0.type == nodes[0].type } && nodes[0].type != .geometry
            type = nodes.first?.type ?? .text
        case .abs: fits = nodes.count == 1 && nodes[0].type.isNumber
        case .least, .greatest: fits = nodes.count == 2 && nodes.allSatisfy { $0.type.isNumber }
        case .place: fits = nodes.count == 2 && nodes.allSatisfy { $0.type.isNumber }
        case .valid, .mask:
            fits = nodes.map(\.type) == wanted && Binder.kind(nodes[0]) != nil
        default: fits = nodes.map(\.type) == wanted
        }
        guard fits else { throw Binder.misfit(function.rawValue) }
        // A day that is known beforehand is what an index is asked for.
        if function == .addDays, case .literal(.date(let day), _) = nodes[0],
            case .literal(.integer(let days), _) = nodes[1]
        {
            return .literal(Self.day(day, plus: days).map { .date($0) } ?? .null, .date)
        }
        return .function(function, nodes, type)
    }

    /// The day so many days after another; nil where no calendar reaches.
    static func day(_ day: Int32, plus days: Int64) -> Int32? {
        let (sum, isTooFar) = Int64(day).addingReportingOverflow(days)
        return isTooFar ? nil : Int32(exactly: sum)
    }

    /// The kind that a function's first argument names.
    static func kind(_ node: Node) -> SemanticKind? {
        guard case .literal(.text(let text), _) = node else { return nil }
        return SemanticKind(rawValue: text)
    }

    private func spatial(_ relation: SpatialRelation, _ arguments: [Expression]) throws(Problem) -> Node {
        var nodes: [Node] = []
        for argument in arguments { nodes.append(try bind(argument)) }
        guard nodes.count == 2, nodes.allSatisfy({ $0.type == .geometry }) else {
            throw Problem(
                "cql.type",
                zh: "空间函数的两个参数都应是几何：字段、POINT(…)、POLYGON((…))、BBOX(…) 等。",
                en: "Spatial functions take two geometries: a property, POINT(…), POLYGON((…)), BBOX(…) and their like."
            )
        }
        return .spatial(relation, nodes[0], nodes[1])
    }

    private func elements(_ expression: Expression) throws(Problem) -> BoundExpression.Elements {
        guard case .array(let list) = expression else {
            let node = try bind(expression)
            var isLiteral = false
            if case .literal = node { isLiteral = true }
            guard node.type == .text, !isLiteral else {
                throw Problem(
                    "cql.type",
                    zh: "A_ 函数的参数应是数组，或列出多个值的文本字段。",
                    en: "A_ functions take arrays, or a text property that lists values."
                )
            }
            return .parts(node)
        }
        var values: Set<String> = []
        for item in list { values.insert(try Binder.element(item)) }
        return .values(values)
    }

    /// An element's text; elements are compared as texts, numbers by their value.
    private static func element(_ expression: Expression) throws(Problem) -> String {
        switch expression {
        case .literal(.real(let number)): return Expression.number(number).text
        case .literal(let value): return value.text
        case .array(let list):
            var parts: [String] = []
            for item in list { parts.append(try element(item)) }
            return "(" + Set(parts).sorted().joined(separator: ",") + ")"
        case .function("casei", let list) where list.count == 1: return TextFolding.caseless(try element(list[0]))
        case .function("accenti", let list) where list.count == 1: return TextFolding.accentless(try element(list[0]))
        default:
            throw Problem("cql.type", zh: "数组的元素应是常量。", en: "The elements of an array are constants.")
        }
    }

    // MARK: What nobody knows

    func unknown(_ name: String) -> Problem {
        let suggestion = Spelling.closest(to: name, among: fields.map(\.name))
        var details = ["name": name]
        details["suggestion"] = suggestion
        return Problem(
            "cql.unknown_property",
            zh: "没有字段“\(name)”。",
            en: "There is no property “\(name)”.",
            details: details,
            hint: suggestion.map { .init("是否想写“\($0)”？", "Did you mean “\($0)”?") }
        )
    }

    private func unknownFunction(_ name: String) -> Problem {
        let known =
            Function.allCases.map(\.rawValue) + AddedFunction.known.map(\.name) + Array(StandardFunction.names.values)
        let suggestion = Spelling.closest(to: name, among: known)
        return Problem(
            "cql.unknown_function",
            zh: "没有函数“\(name)”。",
            en: "There is no function “\(name)”.",
            details: ["name": name, "functions": Function.allCases.map(\.rawValue).joined(separator: ", ")],
            hint: suggestion.map { .init("是否想写“\($0)”？", "Did you mean “\($0)”?") }
        )
    }
}
