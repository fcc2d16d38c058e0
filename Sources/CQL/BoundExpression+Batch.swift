import Basics
import Codes
import Foundation
import Geo
import Mask
public import Tabular

/// Truth in three values: SQL's false, true and unknown.
public enum Truth: UInt8, Sendable {
    case no = 0
    case yes = 1
    case unknown = 2
}

/// A column of intermediate results.
enum Vector {
    case truth([UInt8])
    case integers([Int64], Bitmap?)
    case reals([Double], Bitmap?)
    case texts(TextBuffer, Bitmap?)
    case constant(Value)
    case points([Double], [Double], Bitmap?)
    case shape(Geometry, Box?)
}

extension BoundExpression {
    /// Evaluates the predicate over every row of a batch whose columns are this expression's fields.
    public func evaluate(_ batch: Batch) -> [Truth] {
        truths(root, batch).map { Truth(rawValue: $0) ?? .unknown }
    }

    /// Calls a closure with each row for which the predicate is false (not unknown).
    public func forEachFalse(_ batch: Batch, _ body: (Int) -> Void) {
        for (row, truth) in truths(root, batch).enumerated() where truth == 0 { body(row) }
    }

    func truths(_ node: Node, _ batch: Batch) -> [UInt8] {
        let count = batch.count
        switch node {
        case .and(let list): return fold(list, batch, absorbing: 0, neutral: 1)
        case .or(let list): return fold(list, batch, absorbing: 1, neutral: 0)
        case .not(let inner): return truths(inner, batch).map { $0 == 2 ? 2 : 1 - $0 }
        case .isNull(let inner):
            let vector = vector(inner, batch)
            return (0..<count).map { Self.isNull(vector, $0) ? 1 : 0 }
        case .compare(let operation, let a, let b): return compare(operation, vector(a, batch), vector(b, batch), count)
        case .spatial(let relation, let a, let b): return spatial(relation, vector(a, batch), vector(b, batch), count)
        case .arrays(let relation, let a, let b): return arrays(relation, a, b, batch)
        case .isIn(let subject, let list): return isIn(vector(subject, batch), list, count)
        case .like(let subject, let pattern): return like(vector(subject, batch), LikePattern(pattern), count)
        case .literal(.boolean(let value), _): return Array(repeating: value ? 1 : 0, count: count)
        case .column(let index, _):
            guard case .bits(let bits) = batch.columns[index].values else { return Array(repeating: 2, count: count) }
            let column = batch.columns[index]
            return (0..<count).map { column.isNull($0) ? 2 : bits[$0] ? 1 : 0 }
        case .function, .added:
            guard case .truth(let truths) = vector(node, batch) else { return Array(repeating: 2, count: count) }
            return truths
        default: return Array(repeating: 2, count: count)
        }
    }

    func fold(_ list: [Node], _ batch: Batch, absorbing: UInt8, neutral: UInt8) -> [UInt8] {
        guard let first = list.first else { return Array(repeating: neutral, count: batch.count) }
        var result = truths(first, batch)
        for node in list.dropFirst() {
            let next = truths(node, batch)
            if absorbing == 0 {
                for row in result.indices {
                    result[row] = result[row] == 0 || next[row] == 0 ? 0 : max(result[row], next[row])
                }
            } else {
                for row in result.indices {
                    result[row] = result[row] == 1 || next[row] == 1 ? 1 : max(result[row], next[row])
                }
            }
        }
        return result
    }

    static func isNull(_ vector: Vector, _ row: Int) -> Bool {
        switch vector {
        case .truth(let values): values[row] == 2
        case .integers(_, let validity), .reals(_, let validity), .texts(_, let validity), .points(_, _, let validity):
            validity.map { !$0[row] } ?? false
        case .shape: false
        case .constant(let value): value == .null
        }
    }

    func vector(_ node: Node, _ batch: Batch) -> Vector {
        switch node {
        case .column(let index, _): return columnVector(batch, index)
        case .literal(let value, _): return .constant(value)
        case .shape(let geometry, let box): return .shape(geometry, box)
        case .arithmetic(let operation, let a, let b):
            return arithmetic(operation, vector(a, batch), vector(b, batch), batch.count)
        case .function(let function, let arguments, _):
            return call(function, arguments.map { vector($0, batch) }, batch.count)
        case .added(let function, let arguments):
            return function.vector(arguments.map { vector($0, batch) }, batch.count)
        default: return .truth(truths(node, batch))
        }
    }

    func columnVector(_ batch: Batch, _ index: Int) -> Vector {
        let column = batch.columns[index]
        switch column.values {
        case .int64(let values):
            if fields[index].type == .decimal {
                let power = Double(Numbers.powersOfTen[fields[index].scale])
                return .reals(values.map { Double($0) / power }, column.validity)
            }
            return .integers(values, column.validity)
        case .int32(let values): return .integers(values.map(Int64.init), column.validity)
        case .real(let values): return .reals(values, column.validity)
        case .bits(let bits): return .truth((0..<batch.count).map { column.isNull($0) ? 2 : bits[$0] ? 1 : 0 })
        case .text(let texts): return .texts(texts, column.validity)
        case .points(let x, let y): return .points(x, y, column.validity)
        }
    }

    // MARK: Comparing

    /// A number of either kind; compared exactly, as SQL does.
    enum Number {
        case integer(Int64)
        case real(Double)

        func order(_ other: Number) -> Int {
            switch (self, other) {
            case (.integer(let a), .integer(let b)): a < b ? -1 : a == b ? 0 : 1
            case (.real(let a), .real(let b)): a < b ? -1 : a == b ? 0 : 1
            case (.integer(let a), .real(let b)): Number.order(a, b)
            case (.real(let a), .integer(let b)): -Number.order(b, a)
            }
        }

        static func order(_ a: Int64, _ b: Double) -> Int {
            if b < -9_223_372_036_854_775_808.0 { return 1 }
            if b >= 9_223_372_036_854_775_808.0 { return -1 }
            let whole = Int64(b)
            if a != whole { return a < whole ? -1 : 1 }
            let rest = b - Double(whole)
            return rest > 0 ? -1 : rest < 0 ? 1 : 0
        }
    }

    static func number(_ vector: Vector, _ row: Int) -> Number? {
        guard !isNull(vector, row) else { return nil }
        switch vector {
        case .integers(let values, _): return .integer(values[row])
        case .reals(let values, _): return .real(values[row])
        case .truth(let values): return .integer(Int64(values[row]))
        case .constant(let value):
            switch value {
            case .integer(let number), .time(let number), .timestamp(let number): return .integer(number)
            case .date(let days): return .integer(Int64(days))
            case .real(let number): return .real(number)
            case .decimal(let number, let scale): return .real(Double(number) / Double(Numbers.powersOfTen[scale]))
            case .boolean(let bit): return .integer(bit ? 1 : 0)
            default: return nil
            }
        default: return nil
        }
    }

    static func withText<R>(_ vector: Vector, _ row: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R? {
        switch vector {
        case .texts(let texts, let validity):
            if let validity, !validity[row] { return nil }
            return texts.withBytes(row, body)
        case .constant(.text(let text)): return Array(text.utf8).withUnsafeBufferPointer(body)
        default: return nil
        }
    }

    /// Byte order of UTF-8, the binary collation of the store.
    static func order(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let shared = min(a.count, b.count)
        for index in 0..<shared where a[index] != b[index] { return a[index] < b[index] ? -1 : 1 }
        return a.count < b.count ? -1 : a.count == b.count ? 0 : 1
    }

    static func isText(_ vector: Vector) -> Bool {
        switch vector {
        case .texts, .constant(.text): true
        default: false
        }
    }

    func compare(_ operation: Expression.Comparison, _ a: Vector, _ b: Vector, _ count: Int) -> [UInt8] {
        if let fast = compareFast(operation, a, b, count) { return fast }
        let texts = Self.isText(a) && Self.isText(b)
        return (0..<count).map { row in
            let order: Int?
            if texts {
                order = Self.withText(a, row) { left in Self.withText(b, row) { Self.order(left, $0) } } ?? nil
            } else if let left = Self.number(a, row), let right = Self.number(b, row) {
                order = left.order(right)
            } else {
                order = nil
            }
            guard let order else { return 2 }
            let holds: Bool
            switch operation {
            case .equal: holds = order == 0
            case .notEqual: holds = order != 0
            case .less: holds = order < 0
            case .lessOrEqual: holds = order <= 0
            case .greater: holds = order > 0
            case .greaterOrEqual: holds = order >= 0
            }
            return holds ? 1 : 0
        }
    }

    func isIn(_ subject: Vector, _ list: [Node], _ count: Int) -> [UInt8] {
        let values = list.compactMap { if case .literal(let value, _) = $0 { value } else { nil } }
        if Self.isText(subject) {
            let set = Set(values.map { Array($0.text.utf8) })
            return (0..<count).map { row in Self.withText(subject, row) { set.contains(Array($0)) ? 1 : 0 } ?? 2 }
        }
        let numbers = values.compactMap { Self.number(.constant($0), 0) }
        return (0..<count).map { row in
            guard let number = Self.number(subject, row) else { return 2 }
            return numbers.contains { $0.order(number) == 0 } ? 1 : 0
        }
    }

    func like(_ subject: Vector, _ pattern: LikePattern, _ count: Int) -> [UInt8] {
        (0..<count).map { row in Self.withText(subject, row) { pattern.matches($0) ? 1 : 0 } ?? 2 }
    }

    // MARK: Calculating

    static func real(_ vector: Vector, _ row: Int) -> Double? {
        switch number(vector, row) {
        case .integer(let value): Double(value)
        case .real(let value): value
        case nil: nil
        }
    }

    func arithmetic(_ operation: Expression.Arithmetic, _ a: Vector, _ b: Vector, _ count: Int) -> Vector {
        var results = [Double](repeating: 0, count: count)
        var validity = Bitmap(repeating: true, count: count)
        for row in 0..<count {
            var result: Double?
            if let left = Self.real(a, row), let right = Self.real(b, row) {
                switch operation {
                case .add: result = left + right
                case .subtract: result = left - right
                case .multiply: result = left * right
                case .divide: result = right == 0 ? nil : left / right
                case .modulo: result = Self.modulo(left, right)
                case .quotient: result = right == 0 ? nil : (left / right).rounded(.towardZero)
                case .power: result = pow(left, right)
                }
            }
            if let result, result.isFinite { results[row] = result } else { validity[row] = false }
        }
        return .reals(results, validity)
    }

    /// Whole numbers only, as SQL's `%`: both sides lose their fractions and stop at 64 bits; by zero it is null.
    static func modulo(_ a: Double, _ b: Double) -> Double? {
        func whole(_ value: Double) -> Int64 {
            value >= 9_223_372_036_854_775_808 ? .max : value <= -9_223_372_036_854_775_808 ? .min : Int64(value)
        }
        let divisor = whole(b)
        return divisor == 0 ? nil : divisor == -1 ? 0 : Double(whole(a) % divisor)
    }

    func call(_ function: Function, _ arguments: [Vector], _ count: Int) -> Vector {
        switch function {
        case .casei: return mapString(arguments[0], count) { TextFolding.caseless($0) }
        case .accenti: return mapString(arguments[0], count) { TextFolding.accentless($0) }
        case .lower: return mapText(arguments[0], count) { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        case .upper: return mapText(arguments[0], count) { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 }
        case .length:
            return integers(count) { row in
                Self.withText(arguments[0], row) { text in text.reduce(Int64(0)) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) } }
            }
        case .abs:
            var values = [Double](repeating: 0, count: count)
            var validity = Bitmap(repeating: true, count: count)
            for row in 0..<count {
                if let value = Self.real(arguments[0], row) {
                    values[row] = value.magnitude
                } else {
                    validity[row] = false
                }
            }
            return .reals(values, validity)
        case .year, .month, .day:
            return integers(count) { row in
                guard case .integer(let days) = Self.number(arguments[0], row) else { return nil }
                let civil = CivilTime.civil(days: Int32(truncatingIfNeeded: days))
                return Int64(function == .year ? civil.year : function == .month ? civil.month : civil.day)
            }
        case .addDays:
            return integers(count) { row in
                guard case .integer(let day) = Self.number(arguments[0], row),
                    case .integer(let days) = Self.number(arguments[1], row),
                    let sum = Binder.day(Int32(truncatingIfNeeded: day), plus: days)
                else { return nil }
                return Int64(sum)
            }
        case .daysBetween:
            return integers(count) { row in
                guard case .integer(let from) = Self.number(arguments[0], row),
                    case .integer(let to) = Self.number(arguments[1], row)
                else { return nil }
                return to - from
            }
        case .least, .greatest:
            return reals(count) { row in
                guard let a = Self.real(arguments[0], row), let b = Self.real(arguments[1], row) else { return nil }
                return function == .least ? min(a, b) : max(a, b)
            }
        case .coalesce: return coalesce(arguments, count)
        case .distance:
            return reals(count) { row in
                guard let a = Self.place(arguments[0], row), let b = Self.place(arguments[1], row) else { return nil }
                return Sphere.metres(a, b)
            }
        case .place:
            var (x, y) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
            var validity = Bitmap(repeating: true, count: count)
            for row in 0..<count {
                guard let longitude = Self.real(arguments[0], row), let latitude = Self.real(arguments[1], row) else {
                    validity[row] = false
                    continue
                }
                (x[row], y[row]) = (longitude, latitude)
            }
            return .points(x, y, validity)
        case .stake: return reals(count) { row in Self.text(arguments[0], row).flatMap(Stake.metres) }
        case .withinStake:
            return .truth(
                (0..<count).map { row in
                    let metres = arguments.map { Self.text($0, row).flatMap(Stake.metres) }
                    guard let at = metres[0], let from = metres[1], let to = metres[2] else { return 2 }
                    return at >= min(from, to) && at <= max(from, to) ? 1 : 0
                }
            )
        case .valid:
            guard case .constant(let kind) = arguments[0], let kind = SemanticKind(rawValue: kind.text) else { break }
            return .truth(
                (0..<count).map { row in
                    guard let text = Self.text(arguments[1], row) else { return 2 }
                    return Identifier.read(kind, text)?.isValid ?? true ? 1 : 0
                }
            )
        case .mask:
            guard case .constant(let kind) = arguments[0], let kind = SemanticKind(rawValue: kind.text) else { break }
            let mask = Mask.standard(for: kind) ?? .suppress
            return mapString(arguments[1], count) { mask.apply($0) }
        }
        return .constant(.null)
    }

    func reals(_ count: Int, _ body: (Int) -> Double?) -> Vector {
        var values = [Double](repeating: 0, count: count)
        var validity = Bitmap(repeating: true, count: count)
        for row in 0..<count { if let value = body(row) { values[row] = value } else { validity[row] = false } }
        return .reals(values, validity)
    }

    static func text(_ vector: Vector, _ row: Int) -> String? {
        withText(vector, row) { String(decoding: $0, as: UTF8.self) }
    }

    func mapString(_ vector: Vector, _ count: Int, _ map: (String) -> String) -> Vector {
        var texts = TextBuffer(capacity: count)
        var validity = Bitmap(repeating: true, count: count)
        for row in 0..<count {
            if let text = Self.text(vector, row) {
                texts.append(map(text))
            } else {
                validity[row] = false
                texts.append("")
            }
        }
        return .texts(texts, validity)
    }

    func integers(_ count: Int, _ body: (Int) -> Int64?) -> Vector {
        var values = [Int64](repeating: 0, count: count)
        var validity = Bitmap(repeating: true, count: count)
        for row in 0..<count { if let value = body(row) { values[row] = value } else { validity[row] = false } }
        return .integers(values, validity)
    }

    func mapText(_ vector: Vector, _ count: Int, _ map: (UInt8) -> UInt8) -> Vector {
        var texts = TextBuffer(capacity: count)
        var validity = Bitmap(repeating: true, count: count)
        for row in 0..<count {
            let mapped = Self.withText(vector, row) { $0.map(map) }
            if mapped == nil { validity[row] = false }
            (mapped ?? []).withUnsafeBufferPointer { texts.append($0) }
        }
        return .texts(texts, validity)
    }

    func coalesce(_ arguments: [Vector], _ count: Int) -> Vector {
        if Self.isText(arguments[0]) {
            var texts = TextBuffer(capacity: count)
            var validity = Bitmap(repeating: true, count: count)
            for row in 0..<count {
                let text = arguments.lazy.compactMap { Self.withText($0, row) { Array($0) } }.first
                if text == nil { validity[row] = false }
                (text ?? []).withUnsafeBufferPointer { texts.append($0) }
            }
            return .texts(texts, validity)
        }
        if case .truth = arguments[0] {
            return .truth(
                (0..<count).map { row in
                    for argument in arguments {
                        if case .integer(let value) = Self.number(argument, row) { return UInt8(value) }
                    }
                    return 2
                }
            )
        }
        let isReal = arguments.contains { vector in
            switch vector {
            case .reals, .constant(.real), .constant(.decimal): true
            default: false
            }
        }
        guard isReal else {
            return integers(count) { row in
                for argument in arguments { if case .integer(let value) = Self.number(argument, row) { return value } }
                return nil
            }
        }
        var values = [Double](repeating: 0, count: count)
        var validity = Bitmap(repeating: true, count: count)
        for row in 0..<count {
            if let value = arguments.lazy.compactMap({ Self.real($0, row) }).first {
                values[row] = value
            } else {
                validity[row] = false
            }
        }
        return .reals(values, validity)
    }
}
