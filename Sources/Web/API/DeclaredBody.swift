import Basics
import HTTPTypes

extension JSONValue {
    /// Values by the names of fields, as somebody would type them: numbers and `true` are taken as their text, null as nothing.
    var typed: [String: String] {
        let values = (members ?? []).map { ($0.name, $0.value.isNull ? "" : $0.value.string ?? $0.value.text) }
        return Dictionary(values, uniquingKeysWith: { first, _ in first })
    }
}

/// What a route takes beside its path: media types, the JSON that it reads, parameters (`Assets/requests.json`).
///
/// What is declared there is what the node's description tells, and what a body is checked by before anything reads it: a member that is
/// misspelt or of another type never turns into a default.
struct DeclaredBody: Sendable {
    /// Media types, the usual one first.
    var content: [String]
    /// A JSON Schema with `description`s in both languages; nil where the body is a file as it is.
    var schema: JSONValue?
    /// Query parameters: objects with `name`, `type`, `description`.
    var query: [JSONValue]

    private static let file = (try? JSONValue(PackageResources.requests_json)) ?? .null

    /// What routes take, by `POST /api/v1/…`.
    static let known: [String: DeclaredBody] = Dictionary(
        uniqueKeysWithValues: (file["requests"]?.members ?? []).map { member in
            let body = DeclaredBody(
                content: (member.value["content"]?.array ?? []).compactMap(\.string),
                schema: member.value["schema"],
                query: member.value["query"]?.array ?? []
            )
            return (member.name, body)
        }
    )

    /// Schemas that several refer to, by their names.
    static let shared: [JSONValue.Member] = file["schemas"]?.members ?? []

    /// Checks what was sent by its schema: types, what must be there, codes, ranges of numbers and lists, members that nobody knows. Lengths and
    /// meanings are for whoever reads it.
    ///
    /// - Throws: `request.body`, which names the place and never the value.
    func check(_ value: JSONValue) throws(Problem) {
        if let schema { try Self.check(value, schema, "") }
    }

    /// What was sent, checked, without the declared members that are null: null is as good as left out.
    ///
    /// - Throws: `request.body`.
    func read(_ value: JSONValue) throws(Problem) -> JSONValue {
        try check(value)
        return schema.map { Self.withoutNulls(value, $0) } ?? value
    }

    private static func withoutNulls(_ value: JSONValue, _ schema: JSONValue) -> JSONValue {
        let schema = resolved(schema)
        switch value {
        case .array(let items): return .array(items.map { withoutNulls($0, schema["items"] ?? .null) })
        case .object(let members):
            return .object(
                members.compactMap { member in
                    guard let property = schema["properties"]?[member.name] else { return member }
                    return member.value.isNull ? nil : .init(member.name, withoutNulls(member.value, property))
                }
            )
        default: return value
        }
    }

    private static func resolved(_ schema: JSONValue) -> JSONValue {
        guard let name = schema["$ref"]?.string?.split(separator: "/").last else { return schema }
        return shared.first { $0.name == name }?.value ?? .null
    }

    private static func check(_ value: JSONValue, _ schema: JSONValue, _ path: String) throws(Problem) {
        let schema = resolved(schema)
        let types = schema["type"]?.string.map { [$0] } ?? (schema["type"]?.array ?? []).compactMap(\.string)
        if !types.isEmpty, !types.contains(where: { isOf($0, value) }) {
            let names = types.compactMap { words[$0] }
            throw fault(
                path,
                .init(
                    "应是\(names.map(\.zh).joined(separator: "或"))。",
                    "is \(names.map(\.en).joined(separator: " or "))."
                )
            )
        }
        if let allowed = schema["enum"]?.array,
            !allowed.contains(where: { $0 == value || ($0.real != nil && $0.real == value.real) })
        {
            let list = allowed.map { $0.string ?? $0.text }
            throw fault(
                path,
                .init("应是 \(list.joined(separator: "、")) 之一。", "is one of \(list.joined(separator: ", ")).")
            )
        }
        let (least, most) = (schema["minimum"]?.real, schema["maximum"]?.real)
        if let number = value.real, number < least ?? -.infinity || number > most ?? .infinity {
            let (low, high) = (schema["minimum"]?.text ?? "…", schema["maximum"]?.text ?? "…")
            throw fault(path, .init("应在 \(low) 至 \(high) 之间。", "is from \(low) to \(high)."))
        }
        if let count = value.array?.count, let most = schema["maxItems"]?.integer, count > most {
            throw fault(path, .init("最多 \(most) 项。", "has \(most) items at the most."))
        }
        if let text = value.string, text.utf8.contains(0) {
            throw fault(path, .init("含有空字符(U+0000)。", "holds a null character (U+0000)."))
        }
        for (index, item) in (value.array ?? []).enumerated() {
            if let items = schema["items"] { try check(item, items, "\(path)[\(index)]") }
        }
        guard let members = value.members else { return }
        let properties = schema["properties"]
        for name in (schema["required"]?.array ?? []).compactMap(\.string) where value[name]?.isNull ?? true {
            throw fault(below(path, name), .init("必须填写。", "must be there."))
        }
        for member in members {
            if let property = properties?[member.name] {
                // Null is as good as nothing.
                if !member.value.isNull { try check(member.value, property, below(path, member.name)) }
            } else if properties != nil, schema["additionalProperties"] == nil || member.name.hasPrefix("tongqu:") {
                let names = (properties?.members ?? []).map(\.name)
                let meant = Spelling.closest(to: member.name, among: names)
                throw fault(
                    below(path, String(member.name.prefix(60))),
                    .init("不是本接口的参数。", "is nothing that is read here."),
                    hint: meant.map { .init("是否指“\($0)”？", "Did you mean “\($0)”?") }
                        ?? .init("可用：\(names.joined(separator: "、"))。", "There are: \(names.joined(separator: ", ")).")
                )
            }
        }
    }

    private static func below(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
        switch type {
        case "string": value.string != nil
        case "integer": value.integer != nil
        case "number": value.real != nil
        case "boolean": value.boolean != nil
        case "array": value.array != nil
        case "object": value.members != nil
        default: false
        }
    }

    private static let words: [String: LocalizedText] = [
        "string": .init("文本", "a text"), "integer": .init("整数", "an integer"), "number": .init("数字", "a number"),
        "boolean": .init(" true 或 false", "true or false"), "array": .init("数组", "an array"),
        "object": .init("对象", "an object"),
    ]

    private static func fault(_ path: String, _ says: LocalizedText, hint: LocalizedText? = nil) -> Problem {
        let place =
            path.isEmpty ? LocalizedText("请求正文", "The body") : LocalizedText("请求正文中的“\(path)”", "“\(path)” in the body")
        return Problem(
            "request.body",
            zh: "\(place.zh)\(says.zh)",
            en: "\(place.en) \(says.en)",
            details: path.isEmpty ? [:] : ["place": path],
            hint: hint
        )
    }

    // MARK: What the description tells

    /// The members of an operation (OpenAPI 3.1) that tell of it.
    func members(_ language: Language) -> (parameters: [JSONValue], body: JSONValue) {
        let told = schema.map { Self.told($0, language) }
        let binary = JSONValue.object([.init("type", "string"), .init("format", "binary")])
        let content = self.content.enumerated().map { index, type in
            JSONValue.Member(type, .object([.init("schema", index == 0 ? told ?? binary : binary)]))
        }
        let isRequired = schema.map { !(Self.resolved($0)["required"]?.array ?? []).isEmpty } ?? true
        let parameters = query.map { asked in
            JSONValue.object([
                .init("name", asked["name"] ?? .null), .init("in", "query"),
                .init("description", .string(Self.said(asked, language))),
                .init("schema", .object([.init("type", asked["type"] ?? .null)])),
            ])
        }
        return (parameters, .object([.init("required", .boolean(isRequired)), .init("content", .object(content))]))
    }

    /// A schema with its descriptions in one language.
    static func told(_ schema: JSONValue, _ language: Language) -> JSONValue {
        guard let members = schema.members else { return schema }
        return .object(
            members.map { member in
                switch member.name {
                case "description": .init(member.name, .string(said(schema, language)))
                case "items": .init(member.name, told(member.value, language))
                case "properties":
                    .init(
                        member.name,
                        .object((member.value.members ?? []).map { .init($0.name, told($0.value, language)) })
                    )
                default: member
                }
            }
                + (schema["properties"] != nil && schema["additionalProperties"] == nil
                    ? [.init("additionalProperties", .boolean(false))] : [])
        )
    }

    private static func said(_ schema: JSONValue, _ language: Language) -> String {
        schema["description"]?[language.rawValue]?.string ?? ""
    }
}
