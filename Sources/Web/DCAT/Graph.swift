import Basics

/// A node of a graph that is not a subject of its own.
enum GraphTerm: Sendable, Hashable {
    case address(String)
    case text(String, Language?)
    /// A literal of a type by its prefixed name.
    case typed(String, String)
}

/// Statements about things, written as Turtle or JSON-LD: both say the same because both are written from here.
struct Graph {
    static let prefixes: [(name: String, address: String)] = [
        ("adms", "http://www.w3.org/ns/adms#"), ("dcat", "http://www.w3.org/ns/dcat#"),
        ("dcatap", "http://data.europa.eu/r5r/"), ("dct", "http://purl.org/dc/terms/"),
        ("foaf", "http://xmlns.com/foaf/0.1/"), ("geo", "http://www.opengis.net/ont/geosparql#"),
        ("hydra", "http://www.w3.org/ns/hydra/core#"), ("skos", "http://www.w3.org/2004/02/skos/core#"),
        ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    ]

    private(set) var subjects: [String] = []
    private var types: [String: [String]] = [:]
    private var statements: [String: [(predicate: String, terms: [GraphTerm])]] = [:]

    /// Says what a thing is, by prefixed names.
    mutating func type(_ subject: String, _ names: String...) {
        if types[subject] == nil { subjects.append(subject) }
        types[subject] = names
    }

    mutating func say(_ subject: String, _ predicate: String, _ terms: GraphTerm...) {
        say(subject, predicate, terms)
    }

    mutating func say(_ subject: String, _ predicate: String, _ terms: [GraphTerm]) {
        guard !terms.isEmpty else { return }
        statements[subject, default: []].append((predicate, terms))
    }

    func knows(_ subject: String) -> Bool { types[subject] != nil }

    // MARK: Turtle

    var turtle: String {
        var out = Graph.prefixes.map { "@prefix \($0.name): <\($0.address)> .\n" }.joined()
        for subject in subjects {
            var lines = ["a " + (types[subject] ?? []).joined(separator: ", ")]
            for (predicate, terms) in statements[subject] ?? [] {
                lines.append(predicate + " " + terms.map(Graph.turtle).joined(separator: ", "))
            }
            out += "\n\(Graph.reference(subject)) " + lines.joined(separator: " ;\n    ") + " .\n"
        }
        return out
    }

    private static func turtle(_ term: GraphTerm) -> String {
        switch term {
        case .address(let address): reference(address)
        case .text(let text, let language): quoted(text) + (language.map { "@" + $0.rawValue } ?? "")
        case .typed(let text, let type): quoted(text) + "^^" + type
        }
    }

    /// An address in angle brackets, with what may not stand there written by its bytes.
    private static func reference(_ address: String) -> String { "<" + safe(address) + ">" }

    static func safe(_ address: String) -> String {
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case 0...0x20, 0x7F..., 0x22, 0x3C, 0x3E, 0x5C, 0x5E, 0x60, 0x7B, 0x7C, 0x7D: false
            default: true
            }
        }
        guard !address.utf8.allSatisfy(isPlain) else { return address }
        var out = ""
        for byte in address.utf8 {
            if isPlain(byte) {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                out += "%" + Hexadecimal.text([byte]).uppercased()
            }
        }
        return out
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                out += "\\u00" + Hexadecimal.text([UInt8(scalar.value)])
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    // MARK: JSON-LD

    var json: JSONValue {
        let context = Graph.prefixes.map { JSONValue.Member($0.name, .string($0.address)) }
        let nodes = subjects.map { subject -> JSONValue in
            var members: [JSONValue.Member] = [
                .init("@id", .string(Graph.safe(subject))),
                .init("@type", .array((types[subject] ?? []).map { .string($0) })),
            ]
            for (predicate, terms) in statements[subject] ?? [] {
                members.append(.init(predicate, .array(terms.map(Graph.json))))
            }
            return .object(members)
        }
        return .object([.init("@context", .object(context)), .init("@graph", .array(nodes))])
    }

    private static func json(_ term: GraphTerm) -> JSONValue {
        switch term {
        case .address(let address): .object([.init("@id", .string(safe(address)))])
        case .text(let text, nil): .object([.init("@value", .string(text))])
        case .text(let text, let language?):
            .object([.init("@value", .string(text)), .init("@language", .string(language.rawValue))])
        case .typed(let text, let type): .object([.init("@value", .string(text)), .init("@type", .string(type))])
        }
    }
}
