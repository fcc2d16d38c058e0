import Basics
import Tabular

/// CKAN's `filters`, `q` and `sort` in the node's own words: CQL2 in JSON, and a field's name.
struct CKANFilter {
    /// What may be asked about.
    private let fields: [Field]
    private static let operators = ["eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="]

    init(fields: [Field]) throws(CKANFailure) { self.fields = fields }

    /// The filter of some parameters; nil where everything is asked for.
    func text(_ asked: CKANParameters) throws(CKANFailure) -> String? {
        var parts = try all(try asked.object("filters") ?? [], depth: 0)
        if let text = asked.text("full_text") { parts += words(text, in: nil) }
        if let value = asked["q"] {
            let columns: [JSONValue.Member]? =
                if let members = value.members { members } else {
                    value.string.flatMap { try? JSONValue(text: $0) }?.members
                }
            if let columns {
                for column in columns {
                    parts += words(column.value.string ?? column.value.text, in: try field(column.name, "q"))
                }
            } else if let text = asked.text("q") {
                parts += words(text, in: nil)
            }
        }
        return parts.isEmpty ? nil : CKANFilter.joined("and", parts).text
    }

    private func field(_ name: String, _ parameter: String) throws(CKANFailure) -> Field {
        guard let field = fields.first(where: { $0.name == name }) else {
            throw .invalid(parameter, "invalid value \"\(name)\"")
        }
        return field
    }

    private func all(_ members: [JSONValue.Member], depth: Int) throws(CKANFailure) -> [JSONValue] {
        guard depth < 10, members.count <= 100 else { throw .invalid("filters", "Too many conditions") }
        return try members.map { member throws(CKANFailure) in
            if member.name == "$and" || member.name == "$or" {
                guard let list = member.value.array, list.count <= 100 else { throw .invalid("filters", "Not a list") }
                let parts = try list.map { part throws(CKANFailure) in
                    CKANFilter.joined("and", try all(part.members ?? [], depth: depth + 1))
                }
                return parts.isEmpty
                    ? CKANFilter.nothing : CKANFilter.joined(member.name == "$and" ? "and" : "or", parts)
            }
            let field = try field(member.name, "filters")
            if let list = member.value.array {
                guard list.count <= 1000 else { throw .invalid("filters", "Too many values") }
                return try CKANFilter.joined(
                    "or",
                    list.map { value throws(CKANFailure) in try compare("=", field, value) }
                )
            }
            guard let operations = member.value.members else { return try compare("=", field, member.value) }
            return CKANFilter.joined(
                "and",
                try operations.map { operation throws(CKANFailure) in
                    if operation.name == "in", let list = operation.value.array {
                        return try CKANFilter.joined(
                            "or",
                            list.map { value throws(CKANFailure) in try compare("=", field, value) }
                        )
                    }
                    guard let name = CKANFilter.operators[operation.name] else {
                        throw .invalid("filters", "invalid value \"\(operation.name)\"")
                    }
                    return try compare(name, field, operation.value)
                }
            )
        }
    }

    private static let nothing = JSONValue.object([
        .init("op", "isNull"), .init("args", .array([.object([.init("property", "_id")])])),
    ])

    private static func joined(_ name: String, _ parts: [JSONValue]) -> JSONValue {
        if parts.isEmpty {
            // All of no conditions hold; none of no alternatives does.
            return name == "or" ? nothing : .object([.init("op", "not"), .init("args", .array([nothing]))])
        }
        return parts.count == 1 ? parts[0] : .object([.init("op", .string(name)), .init("args", .array(parts))])
    }

    private static func property(_ field: Field) -> JSONValue { .object([.init("property", .string(field.name))]) }

    private func compare(_ name: String, _ field: Field, _ value: JSONValue) throws(CKANFailure) -> JSONValue {
        if value.isNull {
            return .object([.init("op", "isNull"), .init("args", .array([CKANFilter.property(field)]))])
        }
        guard value.array == nil, value.members == nil else {
            throw .invalid("filters", "invalid value for \"\(field.name)\"")
        }
        let text = value.string ?? value.text
        let literal: JSONValue?
        switch field.type {
        case .text, .file: literal = .string(text)
        case .integer, .decimal, .real:
            let number = try? JSONValue(text: text)
            literal = number?.real == nil ? nil : number
        case .boolean:
            literal =
                ["true", "t", "1"].contains(text.lowercased())
                ? true : ["false", "f", "0"].contains(text.lowercased()) ? false : nil
        case .date: literal = .object([.init("date", .string(String(text.prefix(10))))])
        case .timestamp: literal = .object([.init("timestamp", .string(CKANFilter.zoned(text)))])
        case .time, .point, .geometry: literal = nil
        }
        guard let literal else { throw .invalid("filters", "invalid value for \"\(field.name)\": \"\(text)\"") }
        return .object([.init("op", .string(name)), .init("args", .array([CKANFilter.property(field), literal]))])
    }

    /// A time without a zone is China's, as it is where it comes out.
    private static func zoned(_ text: String) -> String {
        let text = text.replacing(" ", with: "T")
        let clock = text.drop { $0 != "T" }
        return text.hasSuffix("Z") || clock.contains("+") || clock.contains("-") ? text : text + "+08:00"
    }

    /// All words of a text, each somewhere in a field, or in any.
    private func words(_ text: String, in field: Field?) -> [JSONValue] {
        let fields = (field.map { [$0] } ?? fields).filter { $0.type == .text }
        let words = text.unicodeScalars.split { scalar in
            !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
        }.prefix(10).map { String($0) }
        guard !words.isEmpty, !fields.isEmpty else { return [CKANFilter.nothing] }
        return words.map { word in
            CKANFilter.joined(
                "or",
                fields.map { field in
                    func folded(_ value: JSONValue) -> JSONValue {
                        .object([.init("op", "casei"), .init("args", .array([value]))])
                    }
                    return .object([
                        .init("op", "like"),
                        .init("args", .array([folded(CKANFilter.property(field)), folded(.string("%\(word)%"))])),
                    ])
                }
            )
        }
    }

    /// One field to sort by; a row's number after it changes nothing and may be named.
    func sort(_ asked: CKANParameters) throws(CKANFailure) -> String? {
        let parts: [String]
        if let list = asked["sort"]?.array {
            parts = list.map { $0.string ?? $0.text }
        } else {
            parts = (asked.text("sort") ?? "").split(separator: ",").map(String.init)
        }
        let keys = try parts.map { part throws(CKANFailure) in
            var words = part.split(separator: " ").map(String.init)
            if words.count >= 2, words[words.count - 2] == "nulls" { words.removeLast(2) }
            let isDescending = words.last?.lowercased() == "desc"
            if isDescending || words.last?.lowercased() == "asc" { words.removeLast() }
            var name = words.joined(separator: " ")
            if name.hasPrefix("\""), name.hasSuffix("\""), name.count >= 2 {
                name = String(name.dropFirst().dropLast())
            }
            guard fields.contains(where: { $0.name == name }) else {
                throw .invalid("sort", "invalid value \"\(part)\"")
            }
            return (name: name, isDescending: isDescending)
        }
        guard let first = keys.first else { return nil }
        guard keys.dropFirst().allSatisfy({ $0.name == "_id" }) else {
            throw .invalid("sort", "Rows are sorted by one field, and by _id after it")
        }
        if first.name == "_id", !first.isDescending { return nil }
        return (first.isDescending ? "-" : "") + first.name
    }
}
