public import Basics
import CQL
import Lake

/// How the rows of a resource are made of those of others: joins, a condition, fields by expressions, groups.
public struct Derivation: Sendable, Hashable {
    /// Another resource that rows come from.
    public struct Source: Sendable, Hashable {
        /// What expressions call it: `a` in `a.plate`.
        public var name: String
        /// The resource's code.
        public var code: String
        /// The fields of it and the expressions on sources before it that must be equal; empty for the first source.
        public var on: [Pair]
        /// Whether rows that find no partner in it go on without.
        public var isOptional: Bool

        public init(name: String, code: String, on: [Pair] = [], isOptional: Bool = true) {
            self.name = name
            self.code = code
            self.on = on
            self.isOptional = isOptional
        }
    }

    /// A field of a joined source and what it must equal, as CQL2 text.
    public struct Pair: Sendable, Hashable {
        public var field: String
        public var expression: String

        public init(field: String, expression: String) {
            self.field = field
            self.expression = expression
        }
    }

    /// A field of the rows that are made.
    public struct Output: Sendable, Hashable {
        public var name: String
        public var title: String
        /// CQL2 text, or a measure of it: `sum(b.flow)`, `count()`.
        public var expression: String

        public init(name: String, title: String = "", expression: String) {
            self.name = name
            self.title = title
            self.expression = expression
        }
    }

    /// The first is gone through row by row, the others are looked up.
    public var sources: [Source]
    /// CQL2 text; empty for every row.
    public var filter: String
    public var outputs: [Output]
    /// The names of outputs that identify a row.
    public var key: [String]
    /// Whether the rows are made when the sources change, or when somebody asks for them.
    public var isStored: Bool

    public init(sources: [Source], filter: String = "", outputs: [Output], key: [String] = [], isStored: Bool = true) {
        self.sources = sources
        self.filter = filter
        self.outputs = outputs
        self.key = key
        self.isStored = isStored
    }

    /// Sources of one derivation at the most.
    static let mostSources = 8

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem("derivation.invalid", status: 422, zh: "派生定义有误：\(zh)。", en: "The derivation is not right: \(en).")
    }
}

extension Derivation {
    /// As the API takes and gives it, and as the database keeps it.
    public var json: JSONValue {
        .object([
            .init(
                "sources",
                .array(
                    sources.map { source in
                        var members: [JSONValue.Member] = [
                            .init("name", .string(source.name)), .init("resource", .string(source.code)),
                        ]
                        if !source.on.isEmpty {
                            members += [
                                .init("join", source.isOptional ? "left" : "inner"),
                                .init("on", .object(source.on.map { .init($0.field, .string($0.expression)) })),
                            ]
                        }
                        return .object(members)
                    }
                )
            ),
            .init("filter", .string(filter)),
            .init(
                "fields",
                .array(
                    outputs.map { output in
                        .object([
                            .init("name", .string(output.name)), .init("title", .string(output.title)),
                            .init("expression", .string(output.expression)),
                        ])
                    }
                )
            ),
            .init("key", .array(key.map { .string($0) })), .init("stored", .boolean(isStored)),
        ])
    }

    /// Reads a definition.
    ///
    /// - Throws: `derivation.invalid`.
    public init(json: JSONValue) throws(Problem) {
        var sources: [Source] = []
        for (index, item) in (json["sources"]?.array ?? []).enumerated() {
            guard let code = item["resource"]?.string, !code.isEmpty else {
                throw Self.invalid("第 \(index + 1) 个来源没有 resource", "source \(index + 1) has no resource")
            }
            let join = item["join"]?.string ?? "left"
            guard join == "left" || join == "inner" else {
                throw Self.invalid("join 应为 left 或 inner", "join should be left or inner")
            }
            let pairs = (item["on"]?.members ?? []).map { Pair(field: $0.name, expression: $0.value.string ?? "") }
            sources.append(
                Source(
                    name: item["name"]?.string ?? Self.letter(index),
                    code: code,
                    on: pairs,
                    isOptional: join == "left"
                )
            )
        }
        var outputs: [Output] = []
        for (index, item) in (json["fields"]?.array ?? []).enumerated() {
            guard let name = item["name"]?.string, !name.isEmpty else {
                throw Self.invalid("第 \(index + 1) 个字段没有 name", "field \(index + 1) has no name")
            }
            outputs.append(
                Output(name: name, title: item["title"]?.string ?? "", expression: item["expression"]?.string ?? name)
            )
        }
        self.init(
            sources: sources,
            filter: json["filter"]?.string ?? "",
            outputs: outputs,
            key: json["key"]?.array?.compactMap(\.string) ?? [],
            isStored: json["stored"]?.boolean ?? true
        )
        try checkShape()
    }

    /// What a source is called that has no name: a, b, c …
    public static func letter(_ index: Int) -> String {
        String(UnicodeScalar(UInt8(ascii: "a") + UInt8(clamping: min(index, 25))))
    }

    private func checkShape() throws(Problem) {
        guard !sources.isEmpty else { throw Self.invalid("没有来源", "there is no source") }
        guard sources.count <= Self.mostSources else {
            throw Self.invalid("来源超过 \(Self.mostSources) 个", "there are more than \(Self.mostSources) sources")
        }
        guard !outputs.isEmpty else { throw Self.invalid("没有字段", "there are no fields") }
        guard outputs.count <= 500 else { throw Self.invalid("字段超过 500 个", "there are more than 500 fields") }
        var names: Set<String> = []
        for (index, source) in sources.enumerated() {
            let isPlain =
                !source.name.isEmpty && source.name.utf8.count <= 60
                && source.name.unicodeScalars.allSatisfy {
                    $0.properties.isAlphabetic || $0 == "_" || $0.properties.numericType != nil
                }
                && source.name.unicodeScalars.first?.properties.numericType == nil
            guard isPlain, names.insert(source.name).inserted else {
                throw Self.invalid(
                    "来源名称“\(source.name)”重复，或不是字母、数字和下划线",
                    "the source name “\(source.name)” occurs twice or is not of letters, digits and underscores"
                )
            }
            guard (index == 0) == source.on.isEmpty else {
                throw index == 0
                    ? Self.invalid("第一个来源不写关联条件", "the first source has no join")
                    : Self.invalid("来源“\(source.name)”没有关联条件 on", "the source “\(source.name)” has no join condition")
            }
        }
        for name in key where !outputs.contains(where: { $0.name == name }) {
            throw Self.invalid("主键“\(name)”不在字段中", "the key “\(name)” is no field")
        }
    }
}

/// A measure of a group: `sum(a.flow)`, `count()`.
struct MeasureCall {
    var kind: AggregateQuery.Measure.Kind
    /// Nil for the count of rows.
    var argument: Expression?

    /// Nil where the expression is no measure.
    init?(_ expression: Expression) {
        guard case .function(let name, let arguments) = expression,
            let kind = AggregateQuery.Measure.Kind(word: name.lowercased()),
            arguments.count == (kind == .count ? 0 : 1)
        else { return nil }
        self.kind = kind
        argument = arguments.first
    }
}
