public import Basics
import Synchronization
public import Tabular

/// A function of the program's own beside those of the language, as a system's Swift adds it. Memory computes it, for every engine the same.
public struct AddedFunction: Sendable, Hashable {
    /// Lower-case letters, digits and `_`.
    public let name: String
    public let title: LocalizedText
    public let arguments: [ValueType]
    public let result: ValueType
    /// Called with values of the arguments' types, none of them null: of null the function is null.
    let body: @Sendable ([Value]) -> Value

    public init(
        _ name: String,
        _ title: LocalizedText,
        _ arguments: [ValueType],
        _ result: ValueType,
        _ body: @escaping @Sendable ([Value]) -> Value
    ) {
        self.name = name
        self.title = title
        self.arguments = arguments
        self.result = result
        self.body = body
    }

    public static func == (a: AddedFunction, b: AddedFunction) -> Bool { a.name == b.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    private static let all = Mutex<[String: AddedFunction]>([:])

    /// The functions that were added, by name.
    public static var known: [AddedFunction] { all.withLock { $0.values.sorted { $0.name < $1.name } } }

    /// Adds a function for all expressions of the process; the same one again changes nothing.
    ///
    /// - Throws: `cql.function_taken` for a name of the language's own, or a geometry among its types.
    public static func add(_ function: AddedFunction) throws(Problem) {
        let isOwn = Function(rawValue: function.name) != nil || StandardFunction.names[function.name] != nil
        guard !isOwn, !(function.arguments + [function.result]).contains(.geometry) else {
            throw Problem(
                "cql.function_taken",
                status: 500,
                zh: "函数“\(function.name)”与语言自带的函数重名，或用到几何。",
                en: "The function “\(function.name)” has a name of the language's own, or takes geometries.",
                details: ["name": function.name]
            )
        }
        all.withLock { $0[function.name] = function }
    }

    static func named(_ name: String) -> AddedFunction? { all.withLock { $0[name] ?? $0[name.lowercased()] } }

    /// The function over rows.
    func vector(_ arguments: [Vector], _ count: Int) -> Vector {
        func value(_ row: Int) -> Value {
            var values: [Value] = []
            for (vector, type) in zip(arguments, self.arguments) {
                guard let value = BoundExpression.value(vector, row, type) else { return .null }
                values.append(value)
            }
            return body(values)
        }
        func filled<T>(_ empty: T, _ read: (Value) -> T?) -> ([T], Bitmap) {
            var values = [T](repeating: empty, count: count)
            var validity = Bitmap(repeating: true, count: count)
            for row in 0..<count {
                if let found = read(value(row)) { values[row] = found } else { validity[row] = false }
            }
            return (values, validity)
        }
        switch result {
        case .text:
            let (values, validity) = filled("") { if case .text(let text) = $0 { text } else { nil } }
            var texts = TextBuffer(capacity: count)
            for text in values { texts.append(text) }
            return .texts(texts, validity)
        case .real:
            let (values, validity) = filled(0.0) {
                if case .real(let number) = $0, number.isFinite { number } else { nil }
            }
            return .reals(values, validity)
        case .boolean:
            return .truth((0..<count).map { if case .boolean(let bit) = value($0) { bit ? 1 : 0 } else { 2 } })
        case .integer, .date, .time, .timestamp:
            let (values, validity) = filled(Int64(0)) { value in
                switch value {
                case .integer(let number), .time(let number), .timestamp(let number): number
                case .date(let day): Int64(day)
                default: nil
                }
            }
            return .integers(values, validity)
        case .geometry: return .constant(.null)
        }
    }
}

extension BoundExpression {
    /// One value of a column of intermediate results, as a type; nil for null.
    static func value(_ vector: Vector, _ row: Int, _ type: ValueType) -> Value? {
        switch type {
        case .text: return text(vector, row).map { .text($0) }
        case .real: return real(vector, row).map { .real($0) }
        case .boolean, .integer, .date, .time, .timestamp:
            guard case .integer(let number) = number(vector, row) else { return nil }
            switch type {
            case .boolean: return number == 2 ? nil : .boolean(number == 1)
            case .date: return Int32(exactly: number).map { .date($0) }
            case .time: return .time(number)
            case .timestamp: return .timestamp(number)
            default: return .integer(number)
            }
        case .geometry: return nil
        }
    }
}
