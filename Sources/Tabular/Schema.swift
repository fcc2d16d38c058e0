import Codes
public import Basics

/// How much a finding weighs.
public enum Severity: String, Sendable, CaseIterable, Hashable, Comparable {
    /// The row is not loaded.
    case error
    /// The row is loaded and looked at.
    case warning
    /// Something was normalised on the way in.
    case information

    /// The gravest first.
    public static func < (a: Severity, b: Severity) -> Bool {
        (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
    }

    public var title: LocalizedText {
        switch self {
        case .error: .init("错误", "error")
        case .warning: .init("警告", "warning")
        case .information: .init("提示", "information")
        }
    }
}

/// A rule over a row: a CQL2 expression that must hold. Null (unknown) counts as holding.
public struct RuleDeclaration: Sendable, Hashable {
    public var id: String
    public var severity: Severity
    /// CQL2 text.
    public var expression: String
    /// The field to show the finding at; empty for the row.
    public var field: String
    public var message: LocalizedText

    public init(id: String, severity: Severity = .error, expression: String, field: String = "", message: LocalizedText)
    {
        self.id = id
        self.severity = severity
        self.expression = expression
        self.field = field
        self.message = message
    }
}

/// A reference: the values of fields occur as a key of another resource.
public struct ForeignKey: Sendable, Hashable {
    public var fields: [String]
    public var resource: String
    public var referenced: [String]

    public init(fields: [String], resource: String, referenced: [String]) {
        self.fields = fields
        self.resource = resource
        self.referenced = referenced
    }
}

/// The shape and rules of the rows of a resource.
public struct Schema: Sendable, Hashable {
    public var fields: [Field]
    /// The fields that identify a row; empty where nothing does.
    public var key: [String]
    public var rules: [RuleDeclaration]
    public var foreignKeys: [ForeignKey]
    /// Texts that stand for no value.
    public var missingValues: [String]

    public init(
        fields: [Field],
        key: [String] = [],
        rules: [RuleDeclaration] = [],
        foreignKeys: [ForeignKey] = [],
        missingValues: [String] = [""]
    ) {
        self.fields = fields
        self.key = key
        self.rules = rules
        self.foreignKeys = foreignKeys
        self.missingValues = missingValues
    }

    /// The position of a field.
    public func index(_ name: String) -> Int? { fields.firstIndex { $0.name == name } }

    /// The field of a name.
    public subscript(name: String) -> Field? { fields.first { $0.name == name } }

    /// The positions of longitude and latitude, or of a point field (twice the same), for maps.
    public var position: (x: Int, y: Int)? {
        if let point = fields.firstIndex(where: { $0.type == .point }) { return (point, point) }
        guard let x = fields.firstIndex(where: { $0.kind == .longitude }),
            let y = fields.firstIndex(where: { $0.kind == .latitude })
        else { return nil }
        return (x, y)
    }

    /// Checks names, keys and references.
    ///
    /// - Throws: `schema.invalid` naming the field.
    public func validate() throws(Problem) {
        var seen: Set<String> = []
        guard !fields.isEmpty else { throw Schema.invalid("没有字段", "there are no fields") }
        guard fields.count <= 1000 else { throw Schema.invalid("字段超过 1000 个", "more than 1000 fields") }
        for field in fields {
            guard !field.name.isEmpty, field.name.utf8.count <= 200, !field.name.utf8.contains(where: { $0 < 0x20 })
            else {
                throw Schema.invalid(
                    "字段名为空、超过 200 字节或含控制字符",
                    "a field name is empty, too long or has control characters"
                )
            }
            guard field.name != "_id" else {
                throw Schema.invalid("“_id”是系统所用的名称", "“_id” is a name of the system's own")
            }
            guard seen.insert(field.name.lowercased()).inserted else {
                throw Schema.invalid("字段“\(field.name)”重复", "the field “\(field.name)” occurs twice")
            }
            guard (0...9).contains(field.scale) else {
                throw Schema.invalid("字段“\(field.name)”的小数位应为 0–9", "the scale of “\(field.name)” should be 0–9")
            }
        }
        for name in key + foreignKeys.flatMap(\.fields) where index(name) == nil {
            throw Schema.invalid("键引用了不存在的字段“\(name)”", "a key names the field “\(name)”， which does not exist")
        }
        var ids: Set<String> = []
        for rule in rules {
            guard ids.insert(rule.id).inserted, !rule.id.isEmpty else {
                throw Schema.invalid("规则编号“\(rule.id)”重复或为空", "the rule id “\(rule.id)” is empty or occurs twice")
            }
        }
    }

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem("schema.invalid", zh: "数据结构有误：\(zh)。", en: "The schema is not right: \(en).")
    }
}
