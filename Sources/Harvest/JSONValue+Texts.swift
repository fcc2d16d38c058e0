import Basics

/// What catalogues say in different shapes, read as one: a member of a wrong type counts as absent.
extension JSONValue {
    /// A text that is not empty, or a number as text.
    var scalarText: String? {
        switch self {
        case .string(let text): text.isEmpty ? nil : text
        case .integer(let number): String(number)
        case .real: text
        default: nil
        }
    }

    /// The first of several members that holds a text.
    func text(_ names: String...) -> String? {
        for name in names { if let text = self[name]?.scalarText { return text } }
        return nil
    }

    /// Texts of an array, of one text, or of objects' names.
    func texts(_ name: String) -> [String] { self[name].map(\.listedTexts) ?? [] }

    /// Texts of an array, of one text, or of objects' names.
    var listedTexts: [String] {
        switch self {
        case .array(let values): values.compactMap { $0.scalarText ?? $0.name }
        case .object: name.map { [$0] } ?? []
        default: scalarText.map { [$0] } ?? []
        }
    }

    /// The name of an object: its title, or what else it is called.
    var name: String? { text("title", "display_name", "prefLabel", "name", "label") }

    /// A size in bytes, as a number or as digits.
    var byteCount: Int64? {
        if let number = integer { return number }
        guard let text = string, text.utf8.count <= 18 else { return nil }
        return Int64(text)
    }

    /// A place as text: a name as it is, a geometry as JSON.
    var placeText: String? {
        switch self {
        case .object(let members): members.isEmpty ? nil : text
        case .array(let values): values.isEmpty ? nil : values.count == 1 ? values[0].placeText : text
        default: scalarText
        }
    }
}
