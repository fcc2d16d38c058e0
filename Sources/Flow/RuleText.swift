import Basics
import CQL
import Tabular

/// CQL2 of a pack's rule. Beside the fields it knows names that only the moment of asking settles: `today`, `year_start`, `month_start`,
/// `setting.KEY`.
struct RuleText: Sendable, Hashable {
    var text: String

    init(_ text: String) { self.text = Self.renamed(text) }

    /// The names of rules and their types; what a record itself has goes before.
    static func fields(_ settings: [SystemDeclaration.Setting], _ schema: Schema) -> [Field] {
        (NamesBeside.days + settings.map(NamesBeside.field)).filter { schema.index($0.name) == nil }
    }

    /// The condition as it is asked on a day; nil for no text.
    func condition(
        of schema: Schema,
        today: Int32,
        setting: (String) -> String
    ) throws(Problem) -> CQL.Expression? {
        guard !text.isEmpty else { return nil }
        return try CQL.Expression(either: text).mapped { part in
            guard case .property(let name) = part, schema.index(name) == nil else { return nil }
            if let key = NamesBeside.settingKey(name) {
                let value = setting(key)
                return .literal(Double(value).map { .real($0) } ?? .text(value))
            }
            return NamesBeside.day(name, today: today).map { .literal(.date($0)) }
        }
    }

    /// The condition as it is asked on a day, as text that tells one from another.
    func settled(of schema: Schema, today: Int32, setting: (String) -> String) -> String {
        (try? condition(of: schema, today: today, setting: setting))?.json.text ?? ""
    }

    /// The fields of the record that are asked for; nil for a text that cannot be read.
    func fields(of schema: Schema) -> [String]? {
        guard !text.isEmpty else { return [] }
        return (try? condition(of: schema, today: 0) { _ in "0" })?.properties
    }

    /// A rule in the words of earlier releases (`$today+60`, `$setting(KEY)`), which installed packs may still use, in those of CQL2.
    private static func renamed(_ text: String) -> String {
        guard text.contains("$") else { return text }
        var found = ""
        var rest = text[...]
        var isQuoted = false
        while let character = rest.first {
            if character == "'" { isQuoted.toggle() }
            if !isQuoted, rest.hasPrefix("$today") {
                rest.removeFirst(6)
                let after = rest.drop { $0 == " " }
                let number = after.dropFirst().drop { $0 == " " }
                let digits = number.prefix { ("0"..."9").contains($0) }
                if let sign = after.first, sign == "+" || sign == "-", !digits.isEmpty {
                    found += "add_days(today, \(sign == "-" ? "-" : "")\(digits))"
                    rest = number.dropFirst(digits.count)
                } else {
                    found += "today"
                }
            } else if !isQuoted, rest.hasPrefix("$setting("), let end = rest.firstIndex(of: ")") {
                found += NamesBeside.setting(String(rest[..<end].dropFirst(9)))
                rest = rest[rest.index(after: end)...]
            } else {
                found.append(character)
                rest.removeFirst()
            }
        }
        return found
    }
}
