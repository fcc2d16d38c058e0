import Basics

/// The parameters of an action: from a query, a form or a JSON body.
struct CKANParameters {
    private(set) var values: [String: JSONValue]

    init(_ values: [String: JSONValue]) { self.values = values.filter { !$0.value.isNull } }

    /// A form's or a query's pairs: a name given twice is a list.
    init(pairs: [(name: String, value: String)]) throws(CKANFailure) {
        guard pairs.count <= 1000 else { throw .bad("there are too many parameters") }
        var lists: [String: [JSONValue]] = [:]
        for (name, value) in pairs where !name.isEmpty { lists[name, default: []].append(.string(value)) }
        self.init(lists.mapValues { $0.count == 1 ? $0[0] : .array($0) })
    }

    subscript(name: String) -> JSONValue? { values[name] }

    var names: [String] { values.keys.sorted() }

    /// A text; nil where it is absent or empty.
    func text(_ name: String) -> String? {
        let text: String? =
            switch values[name] {
            case .string(let text): text
            case .array(let list): list.first?.string
            case .some(let other) where other.members == nil: other.text
            default: nil
            }
        return text?.isEmpty == false ? text : nil
    }

    func needed(_ names: String...) throws(CKANFailure) -> String {
        for name in names { if let text = text(name) { return text } }
        throw .invalid(names[names.count - 1], "Missing value")
    }

    func natural(_ name: String, _ standard: Int, atMost most: Int = 1_000_000_000) throws(CKANFailure) -> Int {
        guard let text = text(name) else { return standard }
        guard let number = Int(text) else { throw .invalid(name, "Invalid integer") }
        guard number >= 0 else { throw .invalid(name, "Must be a natural number") }
        return min(number, most)
    }

    func flag(_ name: String, _ standard: Bool) -> Bool {
        if let flag = values[name]?.boolean { return flag }
        guard let text = text(name) else { return standard }
        return ["true", "yes", "t", "y", "1", "on"].contains(text.lowercased())
    }

    /// A list: of JSON, in JSON text, or parted by commas.
    func list(_ name: String, isJSONOnly: Bool = false) throws(CKANFailure) -> [String]? {
        guard let value = values[name] else { return nil }
        if let list = value.array { return list.map { $0.string ?? $0.text } }
        guard let text = value.string else { throw .invalid(name, "Not a list") }
        if text.hasPrefix("[") || isJSONOnly {
            guard let list = (try? JSONValue(text: text))?.array else {
                throw .invalid(name, "Could not parse as valid JSON")
            }
            return list.map { $0.string ?? $0.text }
        }
        return text.split(separator: ",").map { String($0.drop { $0 == " " }) }.map { name in
            name.hasSuffix(" ") ? String(name.reversed().drop { $0 == " " }.reversed()) : name
        }
    }

    /// An object, or one in JSON text.
    func object(_ name: String) throws(CKANFailure) -> [JSONValue.Member]? {
        guard let value = values[name] else { return nil }
        if let members = value.members { return members }
        guard let text = value.string, !text.isEmpty else { return nil }
        guard let members = (try? JSONValue(text: text))?.members else { throw .invalid(name, "Cannot parse JSON") }
        return members
    }
}
