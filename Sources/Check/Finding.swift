public import Basics
public import Tabular

/// The dimensions of quality: GB/T 36344-2018.
public enum QualityDimension: String, Sendable, CaseIterable, Hashable {
    case normativity, completeness, accuracy, consistency, timeliness, accessibility

    public var title: LocalizedText {
        switch self {
        case .normativity: .init("规范性", "normativity")
        case .completeness: .init("完整性", "completeness")
        case .accuracy: .init("准确性", "accuracy")
        case .consistency: .init("一致性", "consistency")
        case .timeliness: .init("时效性", "timeliness")
        case .accessibility: .init("可访问性", "accessibility")
        }
    }
}

/// A rule as it runs: one entry of the report.
public struct CheckRule: Sendable, Hashable {
    /// `required`, `type`, `unique`, `key`, `minimum`, `maximum`, `length`, `pattern`, `codes`, `identifier`, `reference`,
    /// `spreadsheet`, `normalised`, a row oddity, or the id of a declared rule.
    public var id: String
    /// The field's name; empty for the row.
    public var field: String
    public var severity: Severity
    public var dimension: QualityDimension
    public var message: LocalizedText
    public var suggestion: LocalizedText?
}

/// Something that a rule found: a diagnostic for the clerk.
public struct Finding: Sendable, Hashable {
    /// The row's number in its source.
    public var row: Int64
    public var rule: String
    public var field: String
    public var severity: Severity
    /// The value as it may be shown.
    public var maskedValue: String
    public var message: LocalizedText
    public var suggestion: LocalizedText?
}

/// How often a rule found something.
public struct RuleCount: Sendable, Hashable {
    public var rule: CheckRule
    public var count: Int
}

/// What a check of a table says.
public struct CheckReport: Sendable {
    public var rows = 0
    /// Rows without an error.
    public var valid = 0
    public var counts: [RuleCount] = []
    /// The first findings of each rule.
    public var samples: [Finding] = []
    /// For each field: how many rows have a value.
    public var filled: [Int] = []
    public var fields: [Field] = []
    /// What was noticed about the file as a whole.
    public var notes: [LocalizedText] = []

    public init() {}

    /// Findings of one severity.
    public func total(_ severity: Severity) -> Int {
        counts.reduce(0) { $0 + ($1.rule.severity == severity ? $1.count : 0) }
    }

    /// The report as one JSON object.
    public func json(_ language: Language) -> JSONValue {
        .object([
            .init("rows", .integer(Int64(rows))),
            .init("valid", .integer(Int64(valid))),
            .init("errors", .integer(Int64(total(.error)))),
            .init("warnings", .integer(Int64(total(.warning)))),
            .init("information", .integer(Int64(total(.information)))),
            .init(
                "by_rule",
                .array(
                    counts.map { item in
                        .object([
                            .init("rule", .string(item.rule.id)), .init("field", .string(item.rule.field)),
                            .init("severity", .string(item.rule.severity.rawValue)),
                            .init("count", .integer(Int64(item.count))),
                        ])
                    }
                )
            ),
            .init(
                "samples",
                .array(
                    samples.map { finding in
                        .object(
                            [
                                .init("row", .integer(finding.row)), .init("field", .string(finding.field)),
                                .init("rule", .string(finding.rule)),
                                .init("value_masked", .string(finding.maskedValue)),
                                .init("message", .string(finding.message[language])),
                            ] + (finding.suggestion.map { [.init("suggestion", .string($0[language]))] } ?? [])
                        )
                    }
                )
            ),
            .init("notes", .array(notes.map { .string($0[language]) })),
        ])
    }
}
