import Foundation
import Tabular

extension BoundExpression {
    /// A column against a constant of its kind, in one loop over the values; nil for other pairs.
    func compareFast(_ operation: Expression.Comparison, _ a: Vector, _ b: Vector, _ count: Int) -> [UInt8]? {
        switch (a, b) {
        case (.integers(let values, let validity), .constant(let constant)):
            switch constant {
            case .integer(let wanted), .time(let wanted), .timestamp(let wanted):
                return Self.known(Self.compare(operation, values, wanted), validity)
            case .date(let days): return Self.known(Self.compare(operation, values, Int64(days)), validity)
            default: return nil
            }
        case (.reals(let values, let validity), .constant(let constant)):
            switch constant {
            case .real(let wanted): return Self.known(Self.compare(operation, values, wanted), validity)
            // Beyond 2⁵³ an integer is not a real any more.
            case .integer(let wanted) where wanted.magnitude <= 1 << 53:
                return Self.known(Self.compare(operation, values, Double(wanted)), validity)
            default: return nil
            }
        case (.texts(let texts, let validity), .constant(.text(let wanted))):
            return Self.known(Self.compare(operation, texts, Array(wanted.utf8)), validity)
        default: return nil
        }
    }

    private static func compare<T: Comparable>(
        _ operation: Expression.Comparison,
        _ values: [T],
        _ wanted: T
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: values.count) { out, count in
            values.withUnsafeBufferPointer { values in
                switch operation {
                case .equal: for row in 0..<values.count { out[row] = values[row] == wanted ? 1 : 0 }
                case .notEqual: for row in 0..<values.count { out[row] = values[row] != wanted ? 1 : 0 }
                case .less: for row in 0..<values.count { out[row] = values[row] < wanted ? 1 : 0 }
                case .lessOrEqual: for row in 0..<values.count { out[row] = values[row] <= wanted ? 1 : 0 }
                case .greater: for row in 0..<values.count { out[row] = values[row] > wanted ? 1 : 0 }
                case .greaterOrEqual: for row in 0..<values.count { out[row] = values[row] >= wanted ? 1 : 0 }
                }
            }
            count = values.count
        }
    }

    /// Texts by their bytes.
    private static func compare(_ operation: Expression.Comparison, _ texts: TextBuffer, _ wanted: [UInt8]) -> [UInt8] {
        let rows = texts.count
        return [UInt8](unsafeUninitializedCapacity: rows) { out, count in
            texts.bytes.withUnsafeBytes { bytes in
                texts.offsets.withUnsafeBufferPointer { offsets in
                    wanted.withUnsafeBytes { wanted in
                        for row in 0..<rows {
                            let start = Int(offsets[row])
                            let length = Int(offsets[row + 1]) - start
                            if operation == .equal || operation == .notEqual, length != wanted.count {
                                out[row] = operation == .equal ? 0 : 1
                                continue
                            }
                            let shared = min(length, wanted.count)
                            var order: Int = 0
                            if shared > 0, let left = bytes.baseAddress, let right = wanted.baseAddress {
                                order = Int(memcmp(left + start, right, shared))
                            }
                            if order == 0 { order = length - wanted.count }
                            let holds =
                                switch operation {
                                case .equal: order == 0
                                case .notEqual: order != 0
                                case .less: order < 0
                                case .lessOrEqual: order <= 0
                                case .greater: order > 0
                                case .greaterOrEqual: order >= 0
                                }
                            out[row] = holds ? 1 : 0
                        }
                    }
                }
            }
            count = rows
        }
    }

    /// Unknown where there was no value.
    private static func known(_ truths: [UInt8], _ validity: Bitmap?) -> [UInt8] {
        guard let validity else { return truths }
        var truths = truths
        for (index, word) in validity.words.enumerated() where word != .max {
            for row in (index * 64)..<min(truths.count, index * 64 + 64) where !validity[row] { truths[row] = 2 }
        }
        return truths
    }
}
