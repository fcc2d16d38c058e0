/// A JSON document read into memory: settings, schemas, requests. Rows take the streaming readers instead.
public enum JSONValue: Sendable, Hashable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case real(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// A name and its value; the order of an object's members is kept.
    public struct Member: Sendable, Hashable {
        public var name: String
        public var value: JSONValue

        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// The member of an object with a name; nil where there is none or this is no object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    public var members: [Member]? { if case .object(let value) = self { value } else { nil } }
    public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
    public var isNull: Bool { self == .null }

    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .real(let value) where value.rounded() == value && value.magnitude < 9e15: Int64(value)
        default: nil
        }
    }

    public var real: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }

    /// Writes the value.
    public func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .boolean(let value): writer.boolean(value)
        case .integer(let value): writer.integer(value)
        case .real(let value): writer.real(value)
        case .string(let value): writer.string(value)
        case .array(let values):
            writer.beginArray()
            for value in values { value.write(to: &writer) }
            writer.endArray()
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.key(member.name)
                member.value.write(to: &writer)
            }
            writer.endObject()
        }
    }

    /// The value as JSON text.
    public var text: String {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.text
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

// MARK: Reading

extension JSONValue {
    /// Reads one JSON document (RFC 8259).
    ///
    /// - Throws: `json.malformed` with the byte position.
    public init(_ bytes: some Sequence<UInt8>) throws(Problem) {
        var parser = JSONParser(Array(bytes))
        self = try parser.document()
    }

    /// Reads one JSON document from text.
    public init(text: String) throws(Problem) { try self.init(Array(text.utf8)) }
}

/// A recursive-descent reader with a depth limit of 100.
public struct JSONParser {
    let bytes: [UInt8]
    public private(set) var at = 0

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(Problem) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard at == bytes.count else { throw malformed("文档之后还有内容", "there is text after the document") }
        return value
    }

    func malformed(_ zh: String, _ en: String) -> Problem {
        Problem(
            "json.malformed",
            zh: "第 \(at) 字节处不是合法的 JSON:\(zh)。",
            en: "Not valid JSON at byte \(at): \(en).",
            details: ["position": String(at)]
        )
    }

    mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || (bytes[at] >= 0x09 && bytes[at] <= 0x0D) { at += 1 }
    }

    /// Reads one value, leaving the position after it.
    public mutating func value(depth: Int) throws(Problem) -> JSONValue {
        guard depth < 100 else { throw malformed("嵌套超过 100 层", "nested deeper than 100") }
        skipSpace()
        guard at < bytes.count else { throw malformed("内容不完整", "it ends too early") }
        switch bytes[at] {
        case 0x7B: return try object(depth: depth)
        case 0x5B: return try array(depth: depth)
        case 0x22: return .string(try string())
        case 0x74: return try literal("true", .boolean(true))
        case 0x66: return try literal("false", .boolean(false))
        case 0x6E: return try literal("null", .null)
        default: return try number()
        }
    }

    mutating func literal(_ text: String, _ value: JSONValue) throws(Problem) -> JSONValue {
        guard bytes[at...].starts(with: text.utf8) else { throw malformed("无法识别的值", "an unknown value") }
        at += text.utf8.count
        return value
    }

    mutating func object(depth: Int) throws(Problem) -> JSONValue {
        at += 1
        var members: [JSONValue.Member] = []
        skipSpace()
        if at < bytes.count, bytes[at] == 0x7D {
            at += 1
            return .object([])
        }
        while true {
            skipSpace()
            guard at < bytes.count, bytes[at] == 0x22 else { throw malformed("缺少名称", "a name is missing") }
            let name = try string()
            skipSpace()
            guard at < bytes.count, bytes[at] == 0x3A else { throw malformed("缺少冒号", "a colon is missing") }
            at += 1
            members.append(.init(name, try value(depth: depth + 1)))
            if try !more(closing: 0x7D) { return .object(members) }
        }
    }

    mutating func array(depth: Int) throws(Problem) -> JSONValue {
        at += 1
        var values: [JSONValue] = []
        skipSpace()
        if at < bytes.count, bytes[at] == 0x5D {
            at += 1
            return .array([])
        }
        while true {
            values.append(try value(depth: depth + 1))
            if try !more(closing: 0x5D) { return .array(values) }
        }
    }

    mutating func more(closing: UInt8) throws(Problem) -> Bool {
        skipSpace()
        guard at < bytes.count else { throw malformed("内容不完整", "it ends too early") }
        let byte = bytes[at]
        guard byte == 0x2C || byte == closing else { throw malformed("缺少逗号", "a comma is missing") }
        at += 1
        return byte == 0x2C
    }

    mutating func number() throws(Problem) -> JSONValue {
        let start = at
        while at < bytes.count {
            switch bytes[at] {
            case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x65, 0x45: at += 1
            default: return try number(from: start)
            }
        }
        return try number(from: start)
    }

    func number(from start: Int) throws(Problem) -> JSONValue {
        let value: JSONValue? = bytes.withUnsafeBufferPointer { buffer in
            let text = UnsafeBufferPointer(rebasing: buffer[start..<at])
            if let integer = Numbers.parseInteger(text) { return .integer(integer) }
            return Numbers.parseReal(text).map { .real($0) }
        }
        guard let value else { throw malformed("无法识别的值", "an unknown value") }
        return value
    }

    mutating func string() throws(Problem) -> String {
        at += 1
        var start = at
        var out: [UInt8] = []
        while true {
            while at < bytes.count, bytes[at] != 0x22, bytes[at] != 0x5C { at += 1 }
            guard at < bytes.count else { throw malformed("字符串没有结束", "a string does not end") }
            let plain = bytes[start..<at]
            let isEnd = bytes[at] == 0x22
            at += 1
            if isEnd, out.isEmpty { return String(decoding: plain, as: UTF8.self) }
            out.append(contentsOf: plain)
            if isEnd { return String(decoding: out, as: UTF8.self) }
            try escape(into: &out)
            start = at
        }
    }

    mutating func escape(into out: inout [UInt8]) throws(Problem) {
        guard at < bytes.count else { throw malformed("字符串没有结束", "a string does not end") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case 0x6E: out.append(0x0A)
        case 0x72: out.append(0x0D)
        case 0x74: out.append(0x09)
        case 0x62: out.append(0x08)
        case 0x66: out.append(0x0C)
        case 0x22, 0x5C, 0x2F: out.append(byte)
        case 0x75:
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code), at + 1 < bytes.count, bytes[at] == 0x5C, bytes[at + 1] == 0x75 {
                let second = at
                at += 2
                let low = try hexadecimal()
                if (0xDC00..<0xE000).contains(low) {
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    // Half a pair stands for nothing; what follows stands for itself.
                    at = second
                }
            }
            out.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
        default: throw malformed("无法识别的转义", "an unknown escape")
        }
    }

    mutating func hexadecimal() throws(Problem) -> UInt32 {
        guard at + 4 <= bytes.count else { throw malformed("无法识别的转义", "an unknown escape") }
        var value: UInt32 = 0
        for byte in bytes[at..<(at + 4)] {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(byte - 0x37)
            case 0x61...0x66: value = value << 4 | UInt32(byte - 0x57)
            default: throw malformed("无法识别的转义", "an unknown escape")
            }
        }
        at += 4
        return value
    }
}
