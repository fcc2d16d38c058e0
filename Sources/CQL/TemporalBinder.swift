import Basics
import Tabular

/// Turns the temporal functions into comparisons of starts and ends, so that every engine answers alike.
struct TemporalBinder {
    typealias Node = BoundExpression.Node

    /// A start or an end. An open one lies before, or after, every moment and together with others like it.
    private enum End {
        case always
        case never
        /// A day that ends something is its last moment where moments are compared.
        case at(Node, isEnd: Bool)
    }

    private struct Span {
        var from: End
        var to: End
        var isInstant: Bool
        /// What makes the answer unknown where it is null.
        var nodes: [Node]
    }

    let binder: Binder

    init(_ binder: Binder) { self.binder = binder }

    func bind(_ relation: TemporalRelation, _ a: Expression, _ b: Expression) throws(Problem) -> Node {
        let (left, right) = (try span(a), try span(b))
        guard relation.takesInstants || !left.isInstant && !right.isInstant else {
            let name = "t_" + relation.rawValue
            throw Problem(
                "cql.type",
                zh: "\(name.uppercased()) 只比较时段；时刻可写作 INTERVAL(字段, 字段)，或改用 T_INTERSECTS。",
                en:
                    "\(name.uppercased()) compares intervals only; write an instant as INTERVAL(a, a), or take T_INTERSECTS.",
                details: ["name": name]
            )
        }
        let tests = try self.tests(relation, left, right)
        let condition: Node = tests.count == 1 ? tests[0] : relation == .disjoint ? .or(tests) : .and(tests)
        // An open end must not hide that the other is unknown.
        let known = (left.nodes + right.nodes).filter { if case .literal = $0 { false } else { true } }
        guard tests.contains(where: { if case .literal = $0 { true } else { false } }), !known.isEmpty else {
            return condition
        }
        return .and([condition] + known.map { .compare(.equal, $0, $0) })
    }

    private func tests(_ relation: TemporalRelation, _ a: Span, _ b: Span) throws(Problem) -> [Node] {
        let pairs: [(Expression.Comparison, End, End)] =
            switch relation {
            case .after: [(.greater, a.from, b.to)]
            case .before: [(.less, a.to, b.from)]
            case .disjoint: [(.less, a.to, b.from), (.greater, a.from, b.to)]
            case .intersects: [(.lessOrEqual, a.from, b.to), (.lessOrEqual, b.from, a.to)]
            case .equals: [(.equal, a.from, b.from), (.equal, a.to, b.to)]
            case .contains: [(.less, a.from, b.from), (.greater, a.to, b.to)]
            case .during: [(.greater, a.from, b.from), (.less, a.to, b.to)]
            case .finishedBy: [(.less, a.from, b.from), (.equal, a.to, b.to)]
            case .finishes: [(.greater, a.from, b.from), (.equal, a.to, b.to)]
            case .meets: [(.equal, a.to, b.from)]
            case .metBy: [(.equal, a.from, b.to)]
            case .overlappedBy: [(.greater, a.from, b.from), (.less, a.from, b.to), (.greater, a.to, b.to)]
            case .overlaps: [(.less, a.from, b.from), (.greater, a.to, b.from), (.less, a.to, b.to)]
            case .startedBy: [(.equal, a.from, b.from), (.greater, a.to, b.to)]
            case .starts: [(.equal, a.from, b.from), (.less, a.to, b.to)]
            }
        var tests: [Node] = []
        for (operation, left, right) in pairs { tests.append(try compare(operation, left, right)) }
        return tests
    }

    private func compare(_ operation: Expression.Comparison, _ a: End, _ b: End) throws(Problem) -> Node {
        func rank(_ end: End) -> Int {
            switch end {
            case .always: -1
            case .never: 1
            case .at: 0
            }
        }
        if case .at(let left, let endsLeft) = a, case .at(let right, let endsRight) = b {
            let (left, right) = try matched(left, endsLeft, right, endsRight)
            return .compare(operation, left, right)
        }
        let order = rank(a) - rank(b)
        let holds =
            switch operation {
            case .equal: order == 0
            case .notEqual: order != 0
            case .less: order < 0
            case .lessOrEqual: order <= 0
            case .greater: order > 0
            case .greaterOrEqual: order >= 0
            }
        return .literal(.boolean(holds), .boolean)
    }

    /// Dates with dates, timestamps with timestamps; a literal follows the other.
    private func matched(_ a: Node, _ endsA: Bool, _ b: Node, _ endsB: Bool) throws(Problem) -> (Node, Node) {
        if a.type == b.type { return (a, b) }
        if let converted = convert(b, to: a.type, isEnd: endsB) { return (a, converted) }
        if let converted = convert(a, to: b.type, isEnd: endsA) { return (converted, b) }
        throw Problem(
            "cql.type",
            zh: "时间函数的两个参数应同为日期或同为日期时间。",
            en: "Temporal functions take two dates or two timestamps."
        )
    }

    private func convert(_ node: Node, to type: ValueType, isEnd: Bool) -> Node? {
        switch node {
        case .literal(.timestamp(let moment), _) where type == .date:
            .literal(.date(CivilTime.chinaDay(microseconds: moment)), .date)
        case .literal(.date(let day), _) where type == .timestamp && isEnd:
            .literal(.timestamp(CivilTime.chinaMidnight(day: day + 1) - 1), .timestamp)
        default: Binder.convert(node, to: type)
        }
    }

    private func span(_ expression: Expression) throws(Problem) -> Span {
        if case .interval(let from, let to) = expression {
            let start = try from.map { end throws(Problem) in try moment(end) }
            let stop = try to.map { end throws(Problem) in try moment(end) }
            if case .literal(let first, _)? = start, case .literal(let last, _)? = stop,
                Binder.type(of: first) == Binder.type(of: last),
                Self.number(first) > Self.number(last)
            {
                throw Problem("cql.type", zh: "时段的开始晚于结束。", en: "The interval begins after it ends.")
            }
            return Span(
                from: start.map { .at($0, isEnd: false) } ?? .always,
                to: stop.map { .at($0, isEnd: true) } ?? .never,
                isInstant: false,
                nodes: [start, stop].compactMap(\.self)
            )
        }
        let node = try moment(expression)
        return Span(from: .at(node, isEnd: false), to: .at(node, isEnd: true), isInstant: true, nodes: [node])
    }

    private static func number(_ value: Value) -> Int64 {
        switch value {
        case .date(let days): Int64(days)
        case .timestamp(let moment): moment
        default: 0
        }
    }

    private func moment(_ expression: Expression) throws(Problem) -> Node {
        var node = try binder.bind(expression)
        if case .literal(.text(let text), _) = node, let value = Parser.moment(text) {
            node = .literal(value, Binder.type(of: value))
        }
        guard node.type.isMoment else {
            throw Problem(
                "cql.type",
                zh: "时间函数的参数应是日期、日期时间或时段。",
                en: "Temporal functions take dates, timestamps and intervals."
            )
        }
        return node
    }
}
