public import Basics
import Codes

/// Frictionless Table Schema in and out. Our own additions stand under `tongqu:` names, which others ignore.
public enum TableSchema {
    /// Reads a Table Schema.
    ///
    /// - Throws: `schema.invalid`.
    public static func read(_ json: JSONValue) throws(Problem) -> Schema {
        guard let list = json["fields"]?.array else {
            throw Schema.invalid("缺少 fields 数组", "the array `fields` is missing")
        }
        var fields: [Field] = []
        for item in list { fields.append(try field(item)) }
        var schema = Schema(fields: fields)
        schema.key = strings(json["primaryKey"])
        if let missing = json["missingValues"]?.array { schema.missingValues = missing.compactMap(\.string) }
        for item in json["foreignKeys"]?.array ?? [] {
            schema.foreignKeys.append(
                ForeignKey(
                    fields: strings(item["fields"]),
                    resource: item["reference"]?["resource"]?.string ?? "",
                    referenced: strings(item["reference"]?["fields"])
                )
            )
        }
        for item in json["tongqu:rules"]?.array ?? [] { schema.rules.append(try rule(item)) }
        try schema.validate()
        return schema
    }

    static func strings(_ json: JSONValue?) -> [String] {
        if let one = json?.string { return [one] }
        return json?.array?.compactMap(\.string) ?? []
    }

    static let types: [String: FieldType] = [
        "string": .text, "integer": .integer, "number": .real, "boolean": .boolean, "date": .date, "time": .time,
        "datetime": .timestamp, "geopoint": .point, "geojson": .geometry, "any": .text, "year": .integer,
        "yearmonth": .text, "object": .text, "array": .text, "duration": .text,
    ]

    static func field(_ json: JSONValue) throws(Problem) -> Field {
        guard let name = json["name"]?.string else { throw Schema.invalid("字段缺少名称", "a field has no name") }
        let typeName = json["type"]?.string ?? "string"
        guard var type = types[typeName] else {
            throw Schema.invalid("字段“\(name)”的类型“\(typeName)”无法识别", "the type “\(typeName)” of “\(name)” is unknown")
        }
        var field = Field(name)
        if let scale = json["tongqu:scale"]?.integer {
            type = .decimal
            field.scale = Int(scale)
        }
        if json["tongqu:type"]?.string == "file" { type = .file }
        field.type = type
        field.title = json["title"]?.string ?? ""
        field.detail = json["description"]?.string ?? ""
        field.unit = json["tongqu:unit"]?.string ?? ""
        field.element = json["tongqu:element"]?.string ?? ""
        field.kind = json["tongqu:kind"]?.string.flatMap(SemanticKind.init(rawValue:))
        field.grade = json["tongqu:grade"]?.integer.flatMap { Grade(rawValue: Int($0)) } ?? .general1
        field.lenient = json["format"]?.string == "any"
        field.indexed = json["tongqu:index"]?.boolean ?? false
        let constraints = json["constraints"]
        field.required = constraints?["required"]?.boolean ?? false
        field.unique = constraints?["unique"]?.boolean ?? false
        field.minimum = try limit(constraints?["minimum"], field)
        field.maximum = try limit(constraints?["maximum"], field)
        field.minimumLength = constraints?["minLength"]?.integer.map { Int($0) }
        field.maximumLength = constraints?["maxLength"]?.integer.map { Int($0) }
        field.pattern = constraints?["pattern"]?.string
        let labels = Dictionary(
            (json["tongqu:codes"]?.array ?? []).compactMap { item in
                item["value"].map { ($0.string ?? $0.text, item["label"]?.string ?? "") }
            },
            uniquingKeysWith: { first, _ in first }
        )
        field.codes = (constraints?["enum"]?.array ?? []).map { item in
            let value = item.string ?? item.text
            return CodeValue(value, labels[value] ?? "")
        }
        return field
    }

    /// A limit as a number; of dates and timestamps, the number they are stored as.
    static func limit(_ json: JSONValue?, _ field: Field) throws(Problem) -> Double? {
        guard let json, !json.isNull else { return nil }
        if let number = json.real { return number }
        let value: Double? = Array((json.string ?? "").utf8).withUnsafeBufferPointer { text in
            switch field.type {
            case .date: CivilTime.parseISODate(text).map(Double.init)
            case .timestamp: CivilTime.parseISOTimestamp(text).map(Double.init)
            case .time: CivilTime.parseTime(text).map(Double.init)
            default: Numbers.parseReal(text)
            }
        }
        guard let value else {
            throw Schema.invalid("字段“\(field.name)”的范围无法识别", "a limit of “\(field.name)” cannot be read")
        }
        return value
    }

    static func rule(_ json: JSONValue) throws(Problem) -> RuleDeclaration {
        guard let id = json["id"]?.string, let expression = json["expression"]?.string else {
            throw Schema.invalid("规则缺少 id 或 expression", "a rule has no id or expression")
        }
        return RuleDeclaration(
            id: id,
            severity: json["severity"]?.string.flatMap(Severity.init(rawValue:)) ?? .error,
            expression: expression,
            field: json["field"]?.string ?? "",
            message: LocalizedText(
                json["message"]?.string ?? "不符合规则 \(id)",
                json["message_en"]?.string ?? "breaks the rule \(id)"
            )
        )
    }

    // MARK: Writing

    /// Writes a Table Schema.
    public static func write(_ schema: Schema) -> JSONValue {
        var members: [JSONValue.Member] = [.init("fields", .array(schema.fields.map(write)))]
        if !schema.key.isEmpty { members.append(.init("primaryKey", .array(schema.key.map { .string($0) }))) }
        if schema.missingValues != [""] {
            members.append(.init("missingValues", .array(schema.missingValues.map { .string($0) })))
        }
        if !schema.foreignKeys.isEmpty {
            members.append(.init("foreignKeys", .array(schema.foreignKeys.map(write))))
        }
        if !schema.rules.isEmpty { members.append(.init("tongqu:rules", .array(schema.rules.map(write)))) }
        return .object(members)
    }

    static func write(_ key: ForeignKey) -> JSONValue {
        .object([
            .init("fields", .array(key.fields.map { .string($0) })),
            .init(
                "reference",
                .object([
                    .init("resource", .string(key.resource)),
                    .init("fields", .array(key.referenced.map { .string($0) })),
                ])
            ),
        ])
    }

    static func write(_ rule: RuleDeclaration) -> JSONValue {
        .object([
            .init("id", .string(rule.id)), .init("severity", .string(rule.severity.rawValue)),
            .init("expression", .string(rule.expression)), .init("field", .string(rule.field)),
            .init("message", .string(rule.message.zh)), .init("message_en", .string(rule.message.en)),
        ])
    }

    static func write(_ field: Field) -> JSONValue {
        let typeName: String
        switch field.type {
        case .text, .file: typeName = "string"
        case .integer: typeName = "integer"
        case .decimal, .real: typeName = "number"
        case .boolean: typeName = "boolean"
        case .date: typeName = "date"
        case .time: typeName = "time"
        case .timestamp: typeName = "datetime"
        case .point: typeName = "geopoint"
        case .geometry: typeName = "geojson"
        }
        var members: [JSONValue.Member] = [.init("name", .string(field.name)), .init("type", .string(typeName))]
        func add(_ name: String, _ value: String) {
            if !value.isEmpty { members.append(.init(name, .string(value))) }
        }
        add("title", field.title)
        add("description", field.detail)
        if field.lenient { add("format", "any") }
        add("tongqu:unit", field.unit)
        add("tongqu:element", field.element)
        add("tongqu:kind", field.kind?.rawValue ?? "")
        if field.type == .decimal { members.append(.init("tongqu:scale", .integer(Int64(field.scale)))) }
        if field.type == .file { add("tongqu:type", "file") }
        if field.indexed { members.append(.init("tongqu:index", true)) }
        if field.grade != .general1 { members.append(.init("tongqu:grade", .integer(Int64(field.grade.rawValue)))) }
        if field.codes.contains(where: { !$0.label.isEmpty }) {
            members.append(
                .init(
                    "tongqu:codes",
                    .array(
                        field.codes.map {
                            .object([.init("value", .string($0.value)), .init("label", .string($0.label))])
                        }
                    )
                )
            )
        }
        let constraints = constraints(of: field)
        if !constraints.isEmpty { members.append(.init("constraints", .object(constraints))) }
        return .object(members)
    }

    static func constraints(of field: Field) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        if field.required { members.append(.init("required", true)) }
        if field.unique { members.append(.init("unique", true)) }
        for (name, value) in [("minimum", field.minimum), ("maximum", field.maximum)] {
            guard let value else { continue }
            switch field.type {
            case .date: members.append(.init(name, .string(CivilTime.date(Int32(value)))))
            case .timestamp: members.append(.init(name, .string(CivilTime.timestamp(Int64(value)))))
            default:
                members.append(
                    .init(
                        name,
                        value.rounded() == value && value.magnitude < 9e15 ? .integer(Int64(value)) : .real(value)
                    )
                )
            }
        }
        for (name, value) in [("minLength", field.minimumLength), ("maxLength", field.maximumLength)] {
            if let value { members.append(.init(name, .integer(Int64(value)))) }
        }
        if let pattern = field.pattern { members.append(.init("pattern", .string(pattern))) }
        if !field.codes.isEmpty { members.append(.init("enum", .array(field.codes.map { .string($0.value) }))) }
        return members
    }
}
