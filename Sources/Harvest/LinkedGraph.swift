import Basics

/// The things that a JSON-LD document describes, with what is said of them: compacted or expanded, nested or flat.
struct LinkedGraph {
    /// What is said.
    enum Value {
        /// A text and its lower-case language tag; empty where it has none.
        case text(String, String)
        /// The identifier of a thing, described here or not.
        case reference(String)
        /// A thing described on the spot.
        case node(Int)
    }

    /// A thing.
    struct Node {
        var id: String?
        var types: [LinkedClass] = []
        var statements: [(property: LinkedProperty, value: Value)] = []

        func values(_ property: LinkedProperty) -> [Value] {
            statements.compactMap { $0.property == property ? $0.value : nil }
        }
    }

    private(set) var nodes: [Node] = []
    private var places: [String: Int] = [:]

    /// Reads a document; `base` is its own address.
    init(_ document: JSONValue, base: String?) {
        var context = LinkedContext(base: base)
        _ = walk(document, &context)
    }

    /// The node of an identifier.
    func node(_ id: String) -> Int? { places[id] }

    /// The node that a value means, where it is described.
    func node(_ value: Value) -> Int? {
        switch value {
        case .node(let index): index
        case .reference(let id): places[id]
        case .text(let text, _): places[text]
        }
    }

    // MARK: Reading

    /// Walks through things and lists of things; the node of an object that describes one.
    private mutating func walk(_ value: JSONValue, _ context: inout LinkedContext) -> Int? {
        switch value {
        case .array(let values):
            for value in values { _ = walk(value, &context) }
            return nil
        case .object(let members):
            if let own = value["@context"] {
                var inner = context
                inner.take(own)
                return node(members, &inner)
            }
            return node(members, &context)
        default: return nil
        }
    }

    private mutating func node(_ members: [JSONValue.Member], _ context: inout LinkedContext) -> Int {
        var id: String?
        for member in members {
            if case .id = context.meaning(member.name) { id = member.value.string.map(context.identifier) }
        }
        let place = place(of: id)
        for member in members {
            switch context.meaning(member.name) {
            case .type:
                for name in member.value.listedTexts { add(context.type(name), to: place) }
            case .property(let property):
                say(place, property, member.value, context.language(of: member.name), &context)
            case .graph, .other: _ = walk(member.value, &context)
            case .id, .value, .language, .context: break
            }
        }
        return place
    }

    private mutating func place(of id: String?) -> Int {
        if let id, let known = places[id] { return known }
        nodes.append(Node(id: id))
        if let id { places[id] = nodes.count - 1 }
        return nodes.count - 1
    }

    private mutating func add(_ type: LinkedClass?, to place: Int) {
        guard let type, !nodes[place].types.contains(type) else { return }
        nodes[place].types.append(type)
    }

    private mutating func say(
        _ place: Int,
        _ property: LinkedProperty,
        _ value: JSONValue,
        _ language: String,
        _ context: inout LinkedContext
    ) {
        switch value {
        case .null, .boolean: return
        case .array(let values):
            for value in values { say(place, property, value, language, &context) }
        case .object(let members):
            var text: String?
            var reference: String?
            var tag = language
            var isThing = false
            for member in members {
                switch context.meaning(member.name) {
                case .value: text = member.value.scalarText
                case .language: tag = member.value.string?.lowercased() ?? ""
                case .id: reference = member.value.string
                case .graph where member.name == "@list" || member.name == "@set":
                    return say(place, property, member.value, language, &context)
                case .type where text != nil: break
                default: isThing = true
                }
            }
            if let text {
                nodes[place].statements.append((property, .text(text, tag)))
            } else if let reference, !isThing {
                nodes[place].statements.append((property, .reference(context.identifier(reference))))
            } else if property.isText, reference == nil {
                sayByLanguage(place, property, members)
            } else if isThing, let inner = walk(value, &context) {
                nodes[place].statements.append((property, .node(inner)))
            }
        default:
            if let text = value.scalarText { nodes[place].statements.append((property, .text(text, language))) }
        }
    }

    /// A map from languages to texts: `{"zh": "…", "en": ["…"]}`.
    private mutating func sayByLanguage(_ place: Int, _ property: LinkedProperty, _ members: [JSONValue.Member]) {
        for member in members where !member.name.hasPrefix("@") || member.name == "@none" {
            let tag = member.name == "@none" ? "" : member.name.lowercased()
            for text in member.value.listedTexts {
                nodes[place].statements.append((property, .text(text, tag)))
            }
        }
    }
}
