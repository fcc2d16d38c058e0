public import Basics
public import Codes

/// The types of values. One meaning in memory, in files and in every database.
public enum FieldType: String, Sendable, CaseIterable, Hashable {
    case text
    /// 64 bits, signed.
    case integer
    /// A 64-bit integer of 10^-scale.
    case decimal
    /// IEEE 754 double.
    case real
    case boolean
    /// Days since 1970-01-01.
    case date
    /// Microseconds of the day.
    case time
    /// Microseconds since 1970-01-01T00:00Z.
    case timestamp
    /// Longitude and latitude in degrees, CGCS2000/WGS-84.
    case point
    /// GeoJSON geometry text in this release's files and tables.
    case geometry
    /// The name of an attached file.
    case file

    public var title: LocalizedText {
        switch self {
        case .text: .init("文本", "text")
        case .integer: .init("整数", "integer")
        case .decimal: .init("定点小数", "decimal")
        case .real: .init("小数", "number")
        case .boolean: .init("是/否", "boolean")
        case .date: .init("日期", "date")
        case .time: .init("时间", "time")
        case .timestamp: .init("日期时间", "date and time")
        case .point: .init("点位", "point")
        case .geometry: .init("几何图形", "geometry")
        case .file: .init("文件", "file")
        }
    }
}

/// The grade of data: GB/T 43697-2024's general levels 1–4, important and core data above them.
public enum Grade: Int, Sendable, CaseIterable, Hashable, Comparable {
    case general1 = 1
    case general2, general3, general4, important, core

    public static func < (a: Grade, b: Grade) -> Bool { a.rawValue < b.rawValue }

    public var title: LocalizedText {
        switch self {
        case .core: .init("核心数据", "core data")
        case .important: .init("重要数据", "important data")
        default: .init("一般数据 \(rawValue) 级", "general data, level \(rawValue)")
        }
    }
}

/// A value that a field may take, with what it means.
public struct CodeValue: Sendable, Hashable {
    public var value: String
    public var label: String

    public init(_ value: String, _ label: String = "") {
        self.value = value
        self.label = label
    }
}

/// A named item of a schema (信息项).
public struct Field: Sendable, Hashable {
    /// The column's name in files, queries and tables.
    public var name: String
    /// The name for people; the column's name where empty.
    public var title: String
    public var detail: String
    public var type: FieldType
    /// Digits after the point of a decimal, 0–9.
    public var scale: Int
    public var unit: String
    public var required: Bool
    /// Values occur once in the resource.
    public var unique: Bool
    public var minimum: Double?
    public var maximum: Double?
    public var minimumLength: Int?
    public var maximumLength: Int?
    /// A PCRE2 pattern that the whole value must match.
    public var pattern: String?
    /// The values allowed; empty means any.
    public var codes: [CodeValue]
    /// The identifier of the data element (数据元) this field follows.
    public var element: String
    public var kind: SemanticKind?
    public var grade: Grade
    /// Dates, numbers and booleans are also read as people write them (`2025.3.1`, `1,234`, `是`), with an information.
    public var lenient: Bool
    /// Often asked for: its table gets an index.
    public var indexed: Bool

    public init(
        _ name: String,
        _ type: FieldType = .text,
        title: String = "",
        detail: String = "",
        scale: Int = 2,
        unit: String = "",
        required: Bool = false,
        unique: Bool = false,
        minimum: Double? = nil,
        maximum: Double? = nil,
        minimumLength: Int? = nil,
        maximumLength: Int? = nil,
        pattern: String? = nil,
        codes: [CodeValue] = [],
        element: String = "",
        kind: SemanticKind? = nil,
        grade: Grade = .general1,
        lenient: Bool = false,
        indexed: Bool = false
    ) {
        self.name = name
        self.title = title
        self.detail = detail
        self.type = type
        self.scale = scale
        self.unit = unit
        self.required = required
        self.unique = unique
        self.minimum = minimum
        self.maximum = maximum
        self.minimumLength = minimumLength
        self.maximumLength = maximumLength
        self.pattern = pattern
        self.codes = codes
        self.element = element
        self.kind = kind
        self.grade = grade
        self.lenient = lenient
        self.indexed = indexed
    }

    /// What the values mean: as declared, else, where it would be personal, as name or title suggest. Protection goes by this one, so
    /// that leaving a declaration out opens nothing.
    public var protectedKind: SemanticKind? {
        if let kind { return kind }
        guard type == .text || type == .integer else { return nil }
        return [title, name].lazy.compactMap { SemanticKind.suggested(by: $0) }.first { $0.isPersonal }
    }

    /// The title, or the name where there is none.
    public var display: String { title.isEmpty ? name : title }
}
