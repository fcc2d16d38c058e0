import Basics

/// What `@context` says about names (JSON-LD 1.1, clause 4.1): terms, prefixes, a vocabulary, a base, a language.
///
/// Of JSON-LD's contexts this is the part that catalogues use. Remote contexts are never fetched: `LinkedVocabulary` knows DCAT-AP's terms.
struct LinkedContext {
    /// What a member's name means.
    enum Meaning {
        case id, type, value, language, graph, context, other
        case property(LinkedProperty)
    }

    private var terms: [String: String] = [:]
    private var languages: [String: String] = [:]
    private var vocabulary: String?
    private(set) var base: String?
    private(set) var language = ""
    private var known: [String: Meaning] = [:]

    init(base: String?) { self.base = base }

    /// Adds what a `@context` says to what holds already.
    mutating func take(_ context: JSONValue) {
        known = [:]
        switch context {
        case .array(let parts): for part in parts { take(part) }
        case .object(let members):
            for member in members { take(member.name, member.value) }
        default: break
        }
    }

    private mutating func take(_ name: String, _ value: JSONValue) {
        switch name {
        case "@vocab": vocabulary = value.string
        case "@base": base = value.string.flatMap { Link.address($0, base: base) } ?? base
        case "@language": language = value.string?.lowercased() ?? ""
        default:
            guard !name.hasPrefix("@") else { return }
            if let meaning = value.string ?? value["@id"]?.string { terms[name] = meaning }
            if let own = value["@language"]?.string { languages[name] = own.lowercased() }
        }
    }

    /// The language of texts of a member that name none.
    func language(of name: String) -> String { languages[name] ?? language }

    /// What a member's name means.
    mutating func meaning(_ name: String) -> Meaning {
        if let meaning = known[name] { return meaning }
        let meaning = find(name)
        if known.count < 10_000 { known[name] = meaning }
        return meaning
    }

    private func find(_ name: String) -> Meaning {
        switch terms[name] ?? name {
        case "@id": return .id
        case "@type": return .type
        case "@value": return .value
        case "@language": return .language
        case "@graph", "@included", "@set", "@list": return .graph
        case "@context": return .context
        // Aliases that DCAT-US 3 and many frames use without a context that can be seen.
        case "id" where terms[name] == nil: return .id
        case "type" where terms[name] == nil: return .type
        default: break
        }
        guard !name.hasPrefix("@") else { return .other }
        let full = expanded(name)
        if let property = LinkedVocabulary.properties[full] { return .property(property) }
        if full.hasPrefix("https:"), let property = LinkedVocabulary.properties["http" + full.dropFirst(5)] {
            return .property(property)
        }
        return terms[name] == nil ? LinkedVocabulary.terms[name].map { .property($0) } ?? .other : .other
    }

    /// The class that a type's name means; nil for those that a harvest does not ask for.
    func type(_ name: String) -> LinkedClass? {
        let full = expanded(name)
        let plain = full.hasPrefix("https:") ? "http" + full.dropFirst(5) : full
        return LinkedVocabulary.classes[plain] ?? (terms[name] == nil ? LinkedVocabulary.classes[name] : nil)
    }

    /// The full address of a name: by a term, by a prefix, by the vocabulary.
    private func expanded(_ name: String, depth: Int = 0) -> String {
        guard depth < 5 else { return name }
        if let term = terms[name], term != name { return expanded(term, depth: depth + 1) }
        if let full = prefixed(name, depth: depth) { return full }
        if name.utf8.contains(0x3A) { return name }
        guard let vocabulary else { return name }
        return (prefixed(vocabulary, depth: depth) ?? vocabulary) + name
    }

    private func prefixed(_ name: String, depth: Int) -> String? {
        guard let colon = name.utf8.firstIndex(of: 0x3A) else { return nil }
        let rest = name[name.utf8.index(after: colon)...]
        guard !rest.hasPrefix("//") else { return nil }
        let prefix = String(name[..<colon])
        if let space = terms[prefix], space != prefix { return expanded(space, depth: depth + 1) + rest }
        return LinkedVocabulary.prefixes[prefix].map { $0 + rest }
    }

    /// The full address of an identifier: relative ones start at the base; blank nodes stay.
    func identifier(_ text: String) -> String {
        if text.hasPrefix("_:") { return text }
        if let full = prefixed(text, depth: 0) { return full }
        return Link.scheme(text) == nil ? Link.address(text, base: base) ?? text : text
    }
}
