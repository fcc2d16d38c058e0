import Foundation
import Basics
import Declare
import Mustache
import Tabular

/// A document's template: Mustache in HTML.
///
/// Only what makes a form on paper may stand in it; scripts, styles, frames and addresses elsewhere may not, for an issued document is
/// shown to others as the node's own.
struct DocumentTemplate {
    /// Names that every document has beside the record's fields.
    static let common: Set<String> = [
        "number", "title", "issued", "issuer", "organisation", "record", "code", "steps", "attachments",
        "documents",
    ]
    static let inner: Set<String> = ["title", "by", "at", "note", "name", "digest", "number"]
    private static let elements: Set<String> = [
        "a", "b", "br", "caption", "col", "colgroup", "div", "em", "h1", "h2", "h3", "h4", "hr", "i", "li", "ol", "p",
        "s", "section", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
        "u", "ul",
    ]
    private static let attributes: Set<String> = [
        "class", "colspan", "rowspan", "scope", "align", "valign", "width", "span", "start",
    ]

    /// A tag of Mustache: its sign, its name, and its line.
    struct Tag {
        var sign: Character?
        var name: String
        var line: Int
    }

    /// The tags of a template in their order.
    static func tags(_ text: String) -> [Tag] {
        var tags: [Tag] = []
        var line = 1
        var rest = Substring(text)
        while let open = rest.range(of: "{{") {
            line += rest[..<open.lowerBound].count { $0 == "\n" }
            guard let close = rest[open.upperBound...].range(of: "}}") else { break }
            var name = rest[open.upperBound..<close.lowerBound].drop { $0 == " " }
            var sign: Character?
            if let first = name.first, "#^/!&{>=".contains(first) {
                sign = first
                name = name.dropFirst()
            }
            tags.append(Tag(sign: sign, name: String(name.filter { $0 != " " }), line: line))
            rest = rest[close.upperBound...]
        }
        return tags
    }

    /// What in the markup may not be there, with its line.
    static func forbidden(_ text: String) -> [(line: Int, what: LocalizedText)] {
        var found: [(Int, LocalizedText)] = []
        var line = 1
        var rest = Substring(text)
        while let open = rest.firstIndex(of: "<") {
            line += rest[..<open].count { $0 == "\n" }
            let after = rest[rest.index(after: open)...]
            if after.hasPrefix("!--") {
                // Browsers end comments in more ways than one: there are none.
                found.append((line, .init("文书中不能有注释", "comments may not stand in a document")))
                rest = after.dropFirst(3)
                continue
            }
            guard let close = end(of: after) else {
                found.append((line, .init("标签没有结束", "a tag is not closed")))
                break
            }
            let inside = after[..<close]
            let name = inside.drop { $0 == "/" }.prefix { $0.isLetter || $0.isNumber }.lowercased()
            let isPlain = inside.drop { $0 == "/" }.drop { $0.isLetter || $0.isNumber }
            let isEnd = inside.hasPrefix("/")
            if isEnd && !isPlain.allSatisfy(\.isWhitespace)
                || !isEnd && isPlain.first.map({ !$0.isWhitespace && $0 != "/" }) == true
            {
                found.append((line, .init("标签 <\(name)> 写法不对", "the tag <\(name)> is not well written")))
            }
            if inside.contains("{{") {
                found.append((line, .init("标签内不能有 {{…}}", "{{…}} may not stand inside a tag")))
            }
            if !elements.contains(name) {
                found.append((line, .init("文书中不能有 <\(name)>", "<\(name)> may not stand in a document")))
            }
            for attribute in names(inside) where !attributes.contains(attribute) {
                found.append(
                    (line, .init("文书中不能有属性 \(attribute)", "the attribute \(attribute) may not stand in a document"))
                )
            }
            rest = after[after.index(after: close)...]
        }
        return found
    }

    /// Where an element's tag ends; a bracket within quotes is not it.
    private static func end(of text: Substring) -> Substring.Index? {
        var quote: Character?
        var last: Character = " "
        for index in text.indices {
            let character = text[index]
            defer { last = character }
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'", last == "=" {
                quote = character
            } else if character == "\"" || character == "'" || character == "<" {
                // A quote anywhere else is read differently by different browsers.
                return nil
            } else if character == ">" {
                return index
            }
        }
        return nil
    }

    /// The names of an element's attributes.
    private static func names(_ inside: Substring) -> [String] {
        var names: [String] = []
        var rest = inside.drop {
            $0 != " " && $0 != "\n" && $0 != "\t" && $0 != "/" || $0 == "/" && inside.first == "/"
        }
        while true {
            rest = rest.drop { $0.isWhitespace || $0 == "/" }
            let name = rest.prefix { !$0.isWhitespace && $0 != "=" && $0 != "/" }
            guard !name.isEmpty else { return names }
            names.append(name.lowercased())
            rest = rest[name.endIndex...].drop { $0.isWhitespace }
            guard rest.first == "=" else { continue }
            rest = rest.dropFirst().drop { $0.isWhitespace }
            if let quote = rest.first, quote == "\"" || quote == "'" {
                rest = rest.dropFirst().drop { $0 != quote }.dropFirst()
            } else {
                rest = rest.drop { !$0.isWhitespace }
            }
        }
    }

    /// Templates by their texts, so that each is parsed once.
    private static let parsed = Cache<String, MustacheTemplate>(limit: 500)

    /// Whether a template shows rows of a related resource.
    static func shows(_ resource: String, _ text: String) -> Bool {
        let name = "related.\(resource)"
        // Most templates show none: their tags are not looked for.
        guard text.utf8.count > name.utf8.count, text.range(of: name) != nil else { return false }
        return tags(text).contains { $0.name == name }
    }

    /// What stands on a paper for somebody who sees a part of its record only.
    static let everything = "*"

    /// Stands before a field that is empty: a mask has nothing to hide there.
    static let blank: Character = "?"

    /// The fields of a record that a paper shows or speaks of, with a comma between; ``everything`` where it holds what is no field: notes,
    /// names of files, other papers, rows of other resources.
    static func shown(
        by document: ResourceDeclaration.Document,
        _ declared: ResourceDeclaration,
        _ values: [String: String]
    ) -> String {
        let lookups = Set(declared.lookups.map(\.key))
        var fields: Set<String> = []
        if declared.field(document.number) != nil { fields.insert(document.number) }
        let tags = tags(document.template)
        let listsSteps = tags.contains { $0.name == "steps" }
        for tag in tags where tag.sign != "!" {
            let outer = tag.name.split(separator: ".").first.map(String.init) ?? tag.name
            let isOfSteps = outer == "note" && listsSteps
            if isOfSteps || ["attachments", "documents", "related"].contains(outer) || lookups.contains(outer) {
                return everything
            }
            if outer == "record" { fields.formUnion(declared.schema.key.prefix(1)) }
            if declared.field(outer) != nil { fields.insert(outer) }
        }
        return fields.sorted().map { (values[$0] ?? "").isEmpty ? "\(blank)\($0)" : $0 }.joined(separator: ",")
    }

    /// Fills a template in.
    ///
    /// - Throws: `document.template` for one that Mustache does not understand.
    static func render(_ text: String, _ values: [String: Any]) throws(Problem) -> String {
        do {
            if let known = parsed[text] { return known.render(values) }
            let epoch = parsed.epoch
            let template = try MustacheTemplate(string: text)
            parsed.store(template, for: text, since: epoch)
            return template.render(values)
        } catch {
            throw Problem(
                "document.template",
                status: 500,
                zh: "文书模板无法识别。",
                en: "The document's template cannot be read."
            )
        }
    }
}

extension ResourceDeclaration.Document {
    /// Notes what a template asks for that a record has not, and what may not stand in it.
    func check(_ place: Declaration, _ file: String, _ resource: ResourceDeclaration) {
        func fail(_ line: Int, _ words: LocalizedText) {
            place.fail("template", "\(file) 第 \(line) 行：\(words.zh)", "\(file), line \(line): \(words.en)")
        }
        for (line, what) in DocumentTemplate.forbidden(template) { fail(line, what) }
        if (try? MustacheTemplate(string: template)) == nil {
            fail(1, .init("Mustache 无法识别", "Mustache does not understand it"))
        }
        let fields = Set(resource.schema.fields.map(\.name))
        var open: [DocumentTemplate.Tag] = []
        for tag in DocumentTemplate.tags(template) where tag.sign != "!" {
            let outer = tag.name.split(separator: ".").first.map(String.init) ?? tag.name
            switch tag.sign {
            case "/":
                if open.popLast()?.name != tag.name {
                    fail(tag.line, .init("{{/\(tag.name)}} 没有对应的开头", "{{/\(tag.name)}} closes nothing"))
                }
                continue
            case "&", "{", ">", "=":
                fail(tag.line, .init("只能用 {{字段}}、{{#…}}、{{^…}}", "only {{field}}, {{#…}} and {{^…}} may be used"))
                continue
            case "#", "^": open.append(tag)
            default: break
            }
            // Inside a list, names are those of its items; related rows have fields of their own.
            let lists = open.dropLast(tag.sign == nil ? 0 : 1).map(\.name)
            if lists.contains(where: { $0.hasPrefix("related.") }) || outer == "related" || tag.name == "." { continue }
            if lists.contains(where: ["steps", "attachments", "documents"].contains),
                DocumentTemplate.inner.contains(outer)
            {
                continue
            }
            if fields.contains(outer) || DocumentTemplate.common.contains(outer) { continue }
            if resource.beside.contains(where: { $0.name == tag.name }) { continue }
            let meant = Spelling.closest(to: outer, among: Array(fields.union(DocumentTemplate.common)))
            fail(
                tag.line,
                .init(
                    "没有字段“\(outer)”" + (meant.map { "；是否想写“\($0)”？" } ?? ""),
                    "there is no field “\(outer)”" + (meant.map { "; did you mean “\($0)”?" } ?? "")
                )
            )
        }
        for tag in open { fail(tag.line, .init("{{#\(tag.name)}} 没有结束", "{{#\(tag.name)}} is not closed")) }
    }
}
