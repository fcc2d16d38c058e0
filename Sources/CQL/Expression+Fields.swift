public import Tabular

extension Expression {
    /// The fields that an expression is about, with the types it treats them as: for showing it where no schema is at hand.
    public var assumedFields: [Field] {
        var types: [String: FieldType] = [:]
        func note(_ expression: Expression, _ type: FieldType?) {
            guard case .property(let name) = expression, let type, types[name] == nil else { return }
            types[name] = type
        }
        func type(_ expression: Expression) -> FieldType? {
            switch expression {
            case .property(let name): return types[name]
            case .geometry, .box: return .geometry
            case .literal(let value):
                return switch value {
                case .integer, .real, .decimal: .real
                case .boolean: .boolean
                case .date: .date
                case .timestamp: .timestamp
                default: .text
                }
            case .arithmetic: return .real
            case .function(let name, _):
                let result = Self.signature(of: name)?.result ?? .text
                return result == .integer ? .real : FieldType(result)
            case .interval(let a, let b): return [a, b].compactMap { $0.flatMap(type) }.first
            default: return .boolean
            }
        }
        func same(_ list: [Expression]) {
            let known = list.lazy.compactMap(type).first
            for item in list { note(item, known) }
        }
        visit { expression in
            switch expression {
            case .compare(_, let a, let b): same([a, b])
            case .between(let a, let b, let c): same([a, b, c])
            case .isIn(let a, let list): same([a] + list)
            case .like(let a, _): note(a, .text)
            case .arithmetic(_, let a, let b):
                note(a, .real)
                note(b, .real)
            case .not(let a): note(a, .boolean)
            case .and(let list), .or(let list): for item in list { note(item, .boolean) }
            case .function(let name, let list):
                if name.hasPrefix("s_") {
                    for item in list { note(item, .geometry) }
                } else if name.hasPrefix("t_") {
                    let ends = list.flatMap { item -> [Expression] in
                        if case .interval(let a, let b) = item { [a, b].compactMap(\.self) } else { [item] }
                    }
                    same(ends)
                    for end in ends { note(end, .timestamp) }
                } else {
                    for (item, wanted) in zip(list, Self.signature(of: name)?.arguments ?? []) {
                        note(item, FieldType(wanted))
                    }
                }
            default: break
            }
        }
        return properties.map { Field($0, types[$0] ?? .text) }
    }

    private static func signature(of name: String) -> (arguments: [ValueType], result: ValueType)? {
        Function(rawValue: name)?.signature ?? AddedFunction.named(name).map { ($0.arguments, $0.result) }
    }
}

extension FieldType {
    fileprivate init(_ type: ValueType) {
        switch type {
        case .text: self = .text
        case .integer: self = .integer
        case .real: self = .real
        case .boolean: self = .boolean
        case .date: self = .date
        case .time: self = .time
        case .timestamp: self = .timestamp
        case .geometry: self = .geometry
        }
    }
}
