public import Tabular

/// A value as a database keeps it.
public enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    public init(_ value: Value) {
        switch value {
        case .null, .point: self = .null
        case .text(let text): self = .text(text)
        case .integer(let number), .time(let number), .timestamp(let number): self = .integer(number)
        case .decimal(let number, _): self = .integer(number)
        case .real(let number): self = .real(number)
        case .boolean(let bit): self = .integer(bit ? 1 : 0)
        case .date(let days): self = .integer(Int64(days))
        }
    }

    public init(_ text: String?) { self = text.map { .text($0) } ?? .null }
    public init(_ number: Int64?) { self = number.map { .integer($0) } ?? .null }
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
}

/// A row of an answer, columns by position.
public struct SQLRow: Sendable {
    public var values: [SQLValue]

    public init(_ values: [SQLValue]) { self.values = values }

    public func text(_ index: Int) -> String {
        switch values[index] {
        case .text(let text): text
        case .integer(let number): String(number)
        default: ""
        }
    }

    public func optionalText(_ index: Int) -> String? { values[index] == .null ? nil : text(index) }

    public func integer(_ index: Int) -> Int64 {
        switch values[index] {
        case .integer(let number): number
        case .real(let number): Int64(number)
        default: 0
        }
    }

    public func optionalInteger(_ index: Int) -> Int64? { values[index] == .null ? nil : integer(index) }

    public func real(_ index: Int) -> Double {
        switch values[index] {
        case .integer(let number): Double(number)
        case .real(let number): number
        default: 0
        }
    }

    public func blob(_ index: Int) -> [UInt8] { if case .blob(let bytes) = values[index] { bytes } else { [] } }
    public func flag(_ index: Int) -> Bool { integer(index) != 0 }
}
