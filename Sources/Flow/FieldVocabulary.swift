import Basics
import Declare

/// The code lists, data elements and words of a pack, by which its fields are declared: a field that names one takes what it does not say itself.
struct FieldVocabulary {
    /// The codes that a list has in its last version, by the list's name.
    private var lists: [String: JSONValue] = [:]
    private var elements: [String: Declaration] = [:]
    /// What values that are Chinese words themselves are called in English.
    private var words: [String: String] = [:]

    init(_ pack: Declaration) {
        for list in pack.list("code_lists") {
            let values = list.list("versions").last?.list("values") ?? list.list("values")
            lists[list.text("id")] = .array(
                values.map {
                    .object([.init("value", .string($0.text("value"))), .init("label", .string($0.text("label")))])
                }
            )
        }
        for element in pack.list("elements") { elements[element.text("id")] = element }
        if let place = pack.at("words") {
            if place.names.isEmpty { place.fail("应是“值: 英文”", "VALUE: ENGLISH is expected") }
            for word in place.names { words[word] = place.text(word, required: true) }
        }
    }

    /// A schema with the codes and elements that its fields name in their places; notes names that are not there.
    func expanded(_ schema: Declaration) -> JSONValue {
        guard case .object(let members) = schema.value.json else { return schema.value.json }
        let fields = schema.list("fields").map { expanded(field: $0) }
        return .object(members.map { $0.name == "fields" ? .init("fields", .array(fields)) : $0 })
    }

    private func expanded(field: Declaration) -> JSONValue {
        guard case .object(var members) = field.value.json else { return field.value.json }
        func has(_ name: String) -> Bool { members.contains { $0.name == name } }
        func give(_ name: String, _ value: JSONValue) { if !has(name) { members.append(.init(name, value)) } }
        var constraints = members.first { $0.name == "constraints" }?.value.members ?? []
        func limit(_ name: String, _ value: JSONValue) {
            if !constraints.contains(where: { $0.name == name }) { constraints.append(.init(name, value)) }
        }
        let isNamed = field.at("tongqu:codes").map { $0.text != nil } ?? false
        var list = isNamed ? field.text("tongqu:codes") : ""
        var place = field.at("tongqu:codes") ?? field
        // An element of the pack; the node's own elements are named the same way and settled by their keepers.
        if let element = elements[field.text("tongqu:element")] {
            give("title", .string(element.text("name")))
            if element.has("en") { give("en", .string(element.text("en"))) }
            if element.has("type") { give("type", .string(element.text("type"))) }
            if element.has("kind") { give("tongqu:kind", .string(element.text("kind"))) }
            if let grade = element.integer("grade") { give("tongqu:grade", .integer(grade)) }
            if let length = element.integer("min_length") { limit("minLength", .integer(length)) }
            if let length = element.integer("max_length") { limit("maxLength", .integer(length)) }
            if element.has("codes"), !has("tongqu:codes") {
                list = element.text("codes")
                place = element.at("codes") ?? element
            }
        }
        if !list.isEmpty {
            members.removeAll { $0.name == "tongqu:codes" }
            if let codes = lists[list] {
                members.append(.init("tongqu:codes", codes))
                limit("enum", .array((codes.array ?? []).compactMap { $0["value"] }))
            } else {
                place.unknown(.init("代码表", "code list"), list, among: lists.keys)
            }
        }
        let allowed = (constraints.first { $0.name == "enum" }?.value.array ?? []).compactMap(\.string)
        if allowed.contains(where: { words[$0] != nil }) {
            let codes = allowed.map { value -> JSONValue in
                let label = words[value].map { "\(value) / \($0)" } ?? value
                return .object([.init("value", .string(value)), .init("label", .string(label))])
            }
            give("tongqu:codes", .array(codes))
        }
        if !constraints.isEmpty {
            members.removeAll { $0.name == "constraints" }
            members.append(.init("constraints", .object(constraints)))
        }
        return .object(members)
    }
}
