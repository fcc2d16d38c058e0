public import Basics
public import Mask

/// Something that people are to be told of: a condition over a record that holds, or a clock that warns or ran out.
public struct AlertDeclaration: Sendable, Hashable {
    public enum Moment: String, Sendable, CaseIterable { case overdue, warning }

    public enum Cause: Sendable, Hashable {
        /// CQL2 over the record, with the names of rules.
        case condition(String)
        case clock(String, Moment)
    }

    static let keys: Set<String> = [
        "key", "of", "title", "when", "clock", "at", "level", "to", "every", "until", "message",
    ]

    public var key: String
    /// The key of its resource.
    public var resource: String
    public var title: LocalizedText
    public var cause: Cause
    /// What ends it, CQL2 over the record; empty where it ends when its cause does.
    public var until: String
    /// 1 (red) to 4 (blue).
    public var level: Int
    /// The roles that it is for.
    public var to: [String]
    /// After how many days it is told again while it holds; nil for once.
    public var again: Int?
    public var message: LocalizedText

    /// What it asks of a record.
    var conditions: [String] {
        guard case .condition(let when) = cause else { return [] }
        return [when, until].filter { !$0.isEmpty }.map { RuleText($0).text }
    }

    /// Whether it asks rows of other records too: then only steps of its own record make and end it.
    func looksUp(_ declared: ResourceDeclaration) -> Bool {
        !declared.beside(in: conditions).isDisjoint(with: declared.lookups.map(\.key))
    }
}

/// A figure of a system, made of its records and of what was done with them.
public struct IndicatorDeclaration: Sendable, Hashable {
    public enum Period: String, Sendable, CaseIterable { case month, year }
    public enum Good: String, Sendable, CaseIterable { case high, low }

    public enum Measure: Sendable, Hashable {
        case count
        case sum(String)
        case mean(String)
        /// Of the records among which it is asked, the share for which `where` holds.
        case ratio
        /// Of the clocks that ended or ran out, the share that ended in time; nil for every clock that people are to keep.
        case inTime(String?)
        /// How many clocks are overdue now.
        case overdue(String?)
        /// The share of records for which a step was taken.
        case passed(String)
        /// The share of records that a step returned.
        case returned
        /// The mean of days from one step's first taking to another's.
        case days(String, String)
    }

    static let keys: Set<String> = [
        "key", "of", "title", "unit", "measure", "where", "among", "by", "period", "date", "good", "target", "law",
    ]

    static let measures = [
        "count", "sum:FIELD", "mean:FIELD", "ratio", "in_time", "in_time:CLOCK", "overdue", "overdue:CLOCK",
        "passed:STEP", "returned", "days:STEP:STEP",
    ]

    public var key: String
    public var resource: String
    public var title: LocalizedText
    public var unit: LocalizedText
    public var measure: Measure
    public var numerator: String
    public var among: String
    /// The field that it is told apart by; `$clock` for the clock; empty for none.
    public var by: String
    public var period: Period
    /// The date field of its periods; empty for the record's opening.
    public var date: String
    public var good: Good
    /// A number or `$setting(KEY)`; empty for none.
    public var target: String
    public var law: String

    static let byClock = "$clock"

    /// Whether it is a part of something, told in percent.
    public var isShare: Bool {
        switch measure {
        case .ratio, .inTime, .passed, .returned: true
        case .count, .sum, .mean, .overdue, .days: false
        }
    }

    /// Whether values of groups and periods add up.
    public var isSum: Bool {
        switch measure {
        case .count, .sum, .overdue: true
        default: false
        }
    }

    /// Whether it is asked of clocks, of which a record may have several.
    var isOfClocks: Bool {
        switch measure {
        case .inTime, .overdue: true
        default: false
        }
    }
}

/// What of a resource's records everybody may see, and how long.
public struct PublicationDeclaration: Sendable, Hashable {
    /// A field that is shown, and how.
    public struct Shown: Sendable, Hashable {
        public var field: String
        public var mask: Mask?
        /// CQL2: the mask is put on where it holds or cannot be told; empty for every record.
        public var masked: String
    }

    public struct End: Sendable, Hashable {
        /// A date or moment.
        public var field: String
        /// Months after it; nil for the day itself.
        public var months: FlowClock.Length?
    }

    static let keys: Set<String> = ["of", "title", "when", "fields", "until", "law"]

    public var resource: String
    public var title: LocalizedText
    public var when: String
    public var fields: [Shown]
    public var until: End?
    public var law: String
}
