public import Basics
import Codes
public import Tabular

/// A data element (数据元): what a field of any resource should look like.
public struct DataElement: Sendable, Hashable {
    /// The registry's own identifier.
    public var id: String
    public var name: LocalizedText
    public var definition: String
    /// Where the rule comes from.
    public var source: String
    /// Type, limits, meaning and grade, as a field has them; its name is the identifier.
    public var field: Field
    /// The code list its values come from; empty for none.
    public var codes: String

    static let types: [String: FieldType] = [
        "string": .text, "integer": .integer, "number": .real, "boolean": .boolean, "date": .date, "time": .time,
        "datetime": .timestamp, "geopoint": .point,
    ]

    /// Reads an element as packs and the API write it.
    ///
    /// - Throws: `standard.invalid`.
    public init(_ json: JSONValue) throws(Problem) {
        guard let id = json["id"]?.string, Standards.isIdentifier(id), let name = json["name"]?.string, !name.isEmpty
        else {
            throw Standards.invalid(
                "数据元需要标识(字母、数字、- _ .)和名称",
                "an element needs an id (letters, digits, - _ .) and a name"
            )
        }
        let typeName = json["type"]?.string ?? "string"
        guard var type = DataElement.types[typeName] else {
            throw Standards.invalid("数据元 \(id) 的类型无法识别", "the type of \(id) is unknown")
        }
        var field = Field(id, title: name)
        if let scale = json["scale"]?.integer {
            guard (0...9).contains(scale), typeName == "number" else {
                throw Standards.invalid(
                    "数据元 \(id) 的小数位应为 0–9,且类型为 number",
                    "the scale of \(id) should be 0–9 of a number"
                )
            }
            type = .decimal
            field.scale = Int(scale)
        }
        field.type = type
        field.minimumLength = json["min_length"]?.integer.map { Int($0) }
        field.maximumLength = json["max_length"]?.integer.map { Int($0) }
        field.minimum = json["minimum"]?.real
        field.maximum = json["maximum"]?.real
        field.unit = json["unit"]?.string ?? ""
        field.pattern = json["pattern"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        if let kind = json["kind"]?.string, !kind.isEmpty {
            guard let known = SemanticKind(rawValue: kind) else {
                throw Standards.invalid("数据元 \(id) 的含义无法识别", "the kind of \(id) is unknown")
            }
            field.kind = known
        }
        field.grade = json["grade"]?.integer.flatMap { Grade(rawValue: Int($0)) } ?? .general1
        self.id = id
        self.name = LocalizedText(name, json["en"]?.string ?? name)
        definition = json["definition"]?.string ?? ""
        source = json["source"]?.string ?? ""
        self.field = field
        codes = json["codes"]?.string ?? ""
    }

    public var json: JSONValue {
        let typeName =
            field.type == .decimal ? "number" : DataElement.types.first { $0.value == field.type }?.key ?? "string"
        var members: [JSONValue.Member] = [
            .init("id", .string(id)), .init("name", .string(name.zh)), .init("en", .string(name.en)),
            .init("type", .string(typeName)),
        ]
        if field.type == .decimal { members.append(.init("scale", .integer(Int64(field.scale)))) }
        for (key, number) in [("min_length", field.minimumLength), ("max_length", field.maximumLength)] {
            if let number { members.append(.init(key, .integer(Int64(number)))) }
        }
        for (key, number) in [("minimum", field.minimum), ("maximum", field.maximum)] {
            if let number { members.append(.init(key, .real(number))) }
        }
        for (key, text) in [
            ("unit", field.unit), ("pattern", field.pattern ?? ""), ("kind", field.kind?.rawValue ?? ""),
            ("codes", codes),
            ("definition", definition), ("source", source),
        ] where !text.isEmpty { members.append(.init(key, .string(text))) }
        if field.grade != .general1 { members.append(.init("grade", .integer(Int64(field.grade.rawValue)))) }
        return .object(members)
    }
}

/// A code list (代码集) with its versions, the oldest first.
public struct CodeList: Sendable, Hashable {
    /// A value of a code list.
    public struct Value: Sendable, Hashable {
        public var value: String
        public var label: LocalizedText
    }

    public struct Version: Sendable, Hashable {
        public var version: String
        /// The day it holds from.
        public var from: Int32
        public var note: String
        public var values: [Value]
    }

    public var id: String
    public var name: LocalizedText
    public var source: String
    public var versions: [Version]

    /// - Throws: `standard.invalid`.
    public init(_ json: JSONValue) throws(Problem) {
        guard let id = json["id"]?.string, Standards.isIdentifier(id), let name = json["name"]?.string, !name.isEmpty
        else {
            throw Standards.invalid("代码集需要标识和名称", "a code list needs an id and a name")
        }
        self.id = id
        self.name = LocalizedText(name, json["en"]?.string ?? name)
        source = json["source"]?.string ?? ""
        versions = []
        for item in json["versions"]?.array ?? [] {
            let day = Array((item["from"]?.string ?? "").utf8).withUnsafeBufferPointer { CivilTime.parseISODate($0) }
            guard let version = item["version"]?.string, !version.isEmpty, let day else {
                throw Standards.invalid("代码集 \(id) 的版本需要版本号和起始日期", "a version of \(id) needs a name and a first day")
            }
            var values: [Value] = []
            for code in item["values"]?.array ?? [] {
                guard let value = code["value"]?.string ?? code["value"]?.integer.map(String.init), !value.isEmpty,
                    !values.contains(where: { $0.value == value })
                else { throw Standards.invalid("代码集 \(id) 的代码为空或重复", "a code of \(id) is empty or repeated") }
                let label = code["label"]?.string ?? ""
                values.append(Value(value: value, label: LocalizedText(label, code["en"]?.string ?? label)))
            }
            versions.append(Version(version: version, from: day, note: item["note"]?.string ?? "", values: values))
        }
        guard !versions.isEmpty, versions.allSatisfy({ !$0.values.isEmpty }) else {
            throw Standards.invalid("代码集 \(id) 没有版本或没有代码", "\(id) has no version or no codes")
        }
        versions.sort { $0.from < $1.from }
    }

    /// This list as another says it, with the versions that one does not name.
    func json(with other: CodeList) -> JSONValue {
        var merged = other
        let names = Set(other.versions.map(\.version))
        merged.versions = (versions.filter { !names.contains($0.version) } + other.versions).sorted {
            $0.from < $1.from
        }
        return merged.json
    }

    /// The version that holds on a day; the first before it began.
    public func version(on day: Int32) -> Version { versions.last { $0.from <= day } ?? versions[0] }

    public var json: JSONValue {
        .object([
            .init("id", .string(id)), .init("name", .string(name.zh)), .init("en", .string(name.en)),
            .init("source", .string(source)),
            .init(
                "versions",
                .array(
                    versions.map { version in
                        .object([
                            .init("version", .string(version.version)),
                            .init("from", .string(CivilTime.date(version.from))),
                            .init("note", .string(version.note)),
                            .init(
                                "values",
                                .array(
                                    version.values.map {
                                        .object([
                                            .init("value", .string($0.value)), .init("label", .string($0.label.zh)),
                                            .init("en", .string($0.label.en)),
                                        ])
                                    }
                                )
                            ),
                        ])
                    }
                )
            ),
        ])
    }
}

/// A classification tree (分类树).
public struct ClassificationTree: Sendable, Hashable {
    public struct Node: Sendable, Hashable {
        public var code: String
        public var name: LocalizedText
        /// Empty at the root.
        public var parent: String
    }

    public var id: String
    public var name: LocalizedText
    public var source: String
    public var nodes: [Node]

    /// How deep it is.
    public private(set) var levels = 0

    /// What new trees have at the most: pages draw them level by level.
    public static let mostLevels = 30
    static let mostNodes = 100_000

    /// - Throws: `standard.invalid` for a tree that is too large; one that is kept already is read all the same.
    func checkSize() throws(Problem) {
        guard levels > Self.mostLevels || nodes.count > Self.mostNodes else { return }
        throw Standards.invalid(
            "分类树 \(id) 最多 \(Self.mostLevels) 层、\(Self.mostNodes) 个节点",
            "\(id) has \(Self.mostLevels) levels and \(Self.mostNodes) nodes at the most"
        )
    }

    /// - Throws: `standard.invalid`.
    public init(_ json: JSONValue) throws(Problem) {
        guard let id = json["id"]?.string, Standards.isIdentifier(id), let name = json["name"]?.string, !name.isEmpty
        else {
            throw Standards.invalid("分类树需要标识和名称", "a tree needs an id and a name")
        }
        self.id = id
        self.name = LocalizedText(name, json["en"]?.string ?? name)
        source = json["source"]?.string ?? ""
        nodes = []
        var depths = ["": 0]
        for item in json["nodes"]?.array ?? [] {
            let code = item["code"]?.string ?? item["code"]?.integer.map(String.init) ?? ""
            let parent = item["parent"]?.string ?? item["parent"]?.integer.map(String.init) ?? ""
            let title = item["name"]?.string ?? ""
            guard !code.isEmpty, let depth = depths[parent], depths.updateValue(depth + 1, forKey: code) == nil else {
                throw Standards.invalid(
                    "分类树 \(id) 的代码重复，或上级不在其前",
                    "a code of \(id) is repeated, or its parent does not stand before it"
                )
            }
            levels = max(levels, depth + 1)
            nodes.append(Node(code: code, name: LocalizedText(title, item["en"]?.string ?? title), parent: parent))
        }
    }

    public var json: JSONValue {
        .object([
            .init("id", .string(id)), .init("name", .string(name.zh)), .init("en", .string(name.en)),
            .init("source", .string(source)),
            .init(
                "nodes",
                .array(
                    nodes.map {
                        .object([
                            .init("code", .string($0.code)), .init("name", .string($0.name.zh)),
                            .init("en", .string($0.name.en)), .init("parent", .string($0.parent)),
                        ])
                    }
                )
            ),
        ])
    }
}
