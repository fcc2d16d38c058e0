public import Basics
import CQL
import Kernel
public import Tabular

/// What a pack declares: a system as data.
public struct SystemDeclaration: Sendable, Hashable {
    public struct DeclaredRole: Sendable, Hashable {
        public var key: String
        public var title: LocalizedText
    }

    /// A number or text that a data centre may change.
    public struct Setting: Sendable, Hashable {
        public var key: String
        public var title: LocalizedText
        public var value: String
        public var unit: String
    }

    public var id: String
    public var version: Int64
    public var title: LocalizedText
    public var description: LocalizedText
    /// The laws and standards it goes by.
    public var law: [String]
    /// The packs that must be there before this one.
    public var requires: [String]
    public var roles: [DeclaredRole]
    public var settings: [Setting]
    public var resources: [ResourceDeclaration]
    public var migrations: [DeclaredMigration]
    public var alerts: [AlertDeclaration] = []
    public var indicators: [IndicatorDeclaration] = []
    public var publications: [PublicationDeclaration] = []
    public var work: [WorkDeclaration] = []

    public func resource(_ key: String) -> ResourceDeclaration? { resources.first { $0.key == key } }
}

/// What becomes of fields and states when a declaration changes.
public struct DeclaredMigration: Sendable, Hashable {
    public enum Change: Sendable, Hashable {
        case rename(from: String, to: String)
        case drop(String)
        case state(from: String, to: String)
    }

    /// The version that it leads to.
    public var version: Int64
    public var resource: String
    public var change: Change
}

/// A resource of a system.
public struct ResourceDeclaration: Sendable, Hashable {
    /// Who may do what with it.
    public struct DeclaredGrant: Sendable, Hashable {
        public enum May: String, Sendable, CaseIterable { case read, write, act }

        public var role: String
        public var may: Set<May>
        /// CQL2 over the fields; nil for all rows.
        public var rows: String?
        public var fields: [String]?
        /// Whether personal fields are masked.
        public var masksPersonal: Bool
    }

    /// A kind of files that records take.
    public struct AttachmentKind: Sendable, Hashable {
        public enum Accept: String, Sendable, CaseIterable { case any, image, video, audio, pdf }

        public var key: String
        public var title: LocalizedText
        public var accept: [Accept]
        public var law: String
    }

    public struct Document: Sendable, Hashable {
        public var key: String
        public var title: LocalizedText
        /// The template's text.
        public var template: String
        /// The key of its numbering; empty for none.
        public var number: String
        /// The states in which it may be issued by hand.
        public var states: [String]
    }

    /// A way of giving numbers.
    public struct Numbering: Sendable, Hashable {
        public enum Period: String, Sendable, CaseIterable { case year, month, day, ever }

        public var key: String
        public var format: String
        public var period: Period
    }

    public var key: String
    public var name: String
    public var nameInEnglish: String
    public var category: String
    public var provider: String
    public var department: String
    public var summary: String
    public var keywords: [String]
    public var frequency: String
    public var isOfRecords: Bool
    public var schema: Schema
    /// English labels of fields.
    public var labels: [String: String]
    /// References to other resources by their keys.
    public var references: [Reference]
    public var grants: [DeclaredGrant]
    public var flow: FlowDeclaration?
    public var attachments: [AttachmentKind]
    public var documents: [Document]
    public var numbers: [Numbering]
    public var views: ViewsDeclaration
    public var lookups: [DeclaredLookup] = []
    public var draws: [DeclaredDraw] = []
    /// The names that expressions of steps know beside the fields, with their types.
    var beside: [Field] = []
    /// How records go from node to node; nil where the pack says nothing of it.
    public var transfer: TransferDeclaration?

    /// A field whose values are keys of another resource.
    public struct Reference: Sendable, Hashable {
        public var field: String
        public var resource: String
        public var referenced: String
        /// Whether a value that a step is given must be there; a reference that is not enforced only offers rows.
        public var isEnforced: Bool
        /// What the chosen row gives to other fields of the record.
        public var fills: [Fill] = []

        /// A field that takes what a field of the chosen row has.
        public struct Fill: Sendable, Hashable {
            public var own: String
            public var their: String
        }
    }

    /// What a label or a description of a field says in a language: `数据有误 / an error` says it in both.
    public static func words(_ text: String, _ language: Language) -> String {
        let parts = text.split(separator: " / ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return text }
        return language == .en ? parts[1] : parts[0]
    }

    /// A label that says a title in both languages.
    static func label(_ title: LocalizedText) -> String {
        title.zh == title.en ? title.zh : "\(title.zh) / \(title.en)"
    }

    /// The name of the resource in a language.
    public func title(_ language: Language) -> String {
        language == .en && !nameInEnglish.isEmpty ? nameInEnglish : name
    }

    /// The label of a field in a language.
    public func label(_ field: Field, _ language: Language) -> String {
        if language == .en, let label = labels[field.name] { return label }
        return field.title.isEmpty ? field.name : field.title
    }

    public func field(_ name: String) -> Field? { schema.fields.first { $0.name == name } }
}

/// How a resource's records are shown.
public struct ViewsDeclaration: Sendable, Hashable {
    public struct SavedFilter: Sendable, Hashable {
        public var title: LocalizedText
        public var filter: String
    }

    public struct Section: Sendable, Hashable {
        public var title: LocalizedText
        public var fields: [String]
    }

    /// Rows of another resource that belong to a record.
    public struct Related: Sendable, Hashable {
        public var resource: String
        /// The other resource's field that holds this one's `key`; both empty where a condition tells the rows alone.
        public var field: String
        public var key: String
        /// The beginning step that is offered; empty for none.
        public var step: String
        /// What stands over the rows; the resource's name where it is empty.
        public var title: LocalizedText
        /// CQL2 over the other resource's fields; `my.FIELD` is this record's.
        public var condition: String
        /// The fields shown; empty for those of the other resource's list.
        public var fields: [String]
        /// A field, with `-` before it for downwards; empty for the order in which they were made.
        public var sort: String
        /// Figures over the first of the rows: `count`, `p50(field)` and their like.
        public var measures: [String]

        var sortField: String { String(sort.drop { $0 == "-" }) }
    }

    public struct Chart: Sendable, Hashable {
        public enum Interval: String, Sendable, CaseIterable { case none, day, month, year }

        public var title: LocalizedText
        public var group: String
        /// `count`, `sum:FIELD`, `mean:FIELD`.
        public var measure: String
        public var by: Interval
    }

    public enum Map: Sendable, Hashable {
        case pair(longitude: String, latitude: String)
        case position(String)
    }

    /// Empty: all that are short enough.
    public var columns: [String] = []
    public var filters: [String] = []
    /// A field, with `-` before it for downwards; empty for the newest first.
    public var sort = ""
    public var saved: [SavedFilter] = []
    public var sections: [Section] = []
    public var boardTitle = ""
    public var boardFields: [String] = []
    public var map: Map?
    public var related: [Related] = []
    public var charts: [Chart] = []
    /// Fields of forms that a device's camera may read from a QR code.
    public var scanned: [String] = []

    public init() {}
}

/// What becomes of a record: a state machine.
public struct FlowDeclaration: Sendable, Hashable {
    public struct State: Sendable, Hashable {
        public enum Kind: String, Sendable, CaseIterable { case open, done, cancelled }

        public var key: String
        public var title: LocalizedText
        public var kind: Kind
    }

    /// The field that holds the state.
    public var field: String
    public var states: [State]
    public var steps: [FlowStep]
    public var clocks: [FlowClock]

    public func state(_ key: String) -> State? { states.first { $0.key == key } }
    public func step(_ key: String) -> FlowStep? { steps.first { $0.key == key } }
    public func clock(_ key: String) -> FlowClock? { clocks.first { $0.key == key } }

    /// The steps that lead from a state.
    public func steps(from state: String) -> [FlowStep] {
        guard let current = self.state(state) else { return [] }
        return steps.filter { !$0.isBeginning && ($0.from.contains(state) || $0.fromAny && current.kind == .open) }
    }

    /// The steps that make a record.
    public var beginnings: [FlowStep] { steps.filter(\.isBeginning) }
}

/// A step of a flow.
public struct FlowStep: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable { case forward, `return`, withdraw, side }
    public enum Note: String, Sendable, CaseIterable { case optional, required, none }

    /// A field that the step asks for.
    public struct Asked: Sendable, Hashable {
        public var field: String
        public var isRequired: Bool
    }

    /// Files that must be there.
    public struct Needed: Sendable, Hashable {
        public var kind: String
        public var count: Int
    }

    /// What must hold for the step to be taken.
    public struct Guard: Sendable, Hashable {
        public var condition: String
        /// Why it was not taken.
        public var message: LocalizedText
    }

    /// A clock that gets more time.
    public struct Extension: Sendable, Hashable {
        public var clock: String
        /// In the clock's own unit.
        public var length: FlowClock.Length
    }

    /// A step that another record takes.
    public struct Telling: Sendable, Hashable {
        public var resource: String
        /// The other resource's field by which its record is found.
        public var field: String
        /// This record's field with its value.
        public var by: String
        public var step: String
        public var values: [Assignment]
        /// The other resource may be of a pack that the node does not have.
        public var isOptional: Bool

        var place: String { "\(resource)/\(step)" }
    }

    /// A record made elsewhere.
    public struct Creation: Sendable, Hashable {
        public var resource: String
        public var step: String
        public var values: [Assignment]
        /// This record's field that takes the new one's key; empty for none.
        public var link: String

        /// Tells one place where records are made from another.
        var place: String { "\(resource)/\(step)" }
    }

    public struct Assignment: Sendable, Hashable {
        public var field: String
        public var value: AssignedValue
    }

    /// How much the public may send by a step that is open to everybody.
    struct Limit: Sendable, Hashable {
        /// Records a minute, of the whole process.
        var perMinute = 30
        /// Records that may be open at once: with one value of a field, or in all.
        var open = 200
        /// The field; empty for the whole resource.
        var by = ""
    }

    /// What the node's log of events is told when the step is taken.
    struct Event: Sendable, Hashable {
        var kind: NodeEvent.Kind
        /// The field that holds the code of the entry it is about.
        var field: String
    }

    public var key: String
    public var title: LocalizedText
    public var isBeginning: Bool
    public var from: [String]
    /// From every open state.
    public var fromAny: Bool
    /// Nil: the state stays.
    public var to: String?
    public var roles: [String]
    /// The node takes it when a clock ends.
    public var isOfClock: Bool
    /// Everybody may take it, without an account too.
    public var isForAnyone: Bool
    var limit: Limit
    var event: Event?
    public var guards: [Guard]
    public var shownText: String
    public var fields: [Asked]
    public var attachments: [Needed]
    public var note: Note
    public var kind: Kind
    /// Taken by another than the one before it.
    public var isForOthers: Bool
    public var set: [Assignment]
    public var start: [String]
    public var stop: [String]
    public var pause: [String]
    public var resume: [String]
    public var issue: [String]
    public var notify: [String]
    public var create: [Creation]
    public var tell: [Telling]
    public var extend: [Extension]
    /// CQL2 of effects that happen only where it holds, by their kind and key: `start/KEY`, `issue/KEY`, `create/0`, `tell/0`.
    public var conditions: [String: String]

    /// Every expression of the step over its record.
    var expressions: [String] {
        let assigned = set + create.flatMap(\.values) + tell.flatMap(\.values)
        return guards.map(\.condition) + [shownText] + conditions.values
            + assigned.compactMap { assignment in
                if case .expression(let text) = assignment.value { text } else { nil }
            }
    }
}

/// What a step puts into a field.
public enum AssignedValue: Sendable, Hashable {
    case text(String)
    /// Nothing: the field is emptied.
    case empty
    case today, now, me, myName, myOrganisation
    case number(String)
    case setting(String)
    /// Sixteen random letters and digits that nobody guesses; a code that was given stays.
    case code
    /// The name of the organisation that owns the catalogue's entry which a field names.
    case owner(String)
    /// CQL2 over the record.
    case expression(String)

    /// Reads `$today`, `=EXPRESSION` or a text; nil for a word that is not known.
    public init?(_ text: String) {
        if text.hasPrefix("=") {
            self = .expression(String(text.dropFirst()))
            return
        }
        guard text.hasPrefix("$") else {
            self = .text(text)
            return
        }
        func inside(_ name: String) -> String? {
            guard text.hasPrefix("$\(name)("), text.hasSuffix(")") else { return nil }
            return String(text.dropFirst(name.count + 2).dropLast())
        }
        switch text {
        case "$today": self = .today
        case "$empty": self = .empty
        case "$now": self = .now
        case "$code": self = .code
        case "$me": self = .me
        case "$my_name": self = .myName
        case "$my_organisation": self = .myOrganisation
        default:
            if let key = inside("number") {
                self = .number(key)
            } else if let key = inside("setting") {
                self = .setting(key)
            } else if let key = inside("owner") {
                self = .owner(key)
            } else {
                return nil
            }
        }
    }

    var isExpression: Bool { if case .expression = self { true } else { false } }

    static let words = [
        "$today", "$now", "$empty", "$me", "$my_name", "$my_organisation", "$code", "$number(KEY)", "$setting(KEY)",
        "$owner(FIELD)",
    ]
}

/// A time limit of a flow.
public struct FlowClock: Sendable, Hashable {
    public enum Unit: String, Sendable, CaseIterable {
        case days
        case workingDays = "working_days"
        case hours, months
    }
    public enum Holidays: String, Sendable, CaseIterable { case move, keep }
    public enum Length: Sendable, Hashable {
        case number(Int)
        case setting(String)
        /// As many as a field of the record says.
        case field(String)
    }

    public var key: String
    public var title: LocalizedText
    public var length: Length
    public var unit: Unit
    /// The field that it counts from; empty for the moment of the step.
    public var from: String
    /// Days before its end; nil for a quarter of it.
    public var warn: Int?
    public var law: String
    /// The step that the node takes when it ends; empty for none.
    public var step: String
    public var holidays: Holidays
}
