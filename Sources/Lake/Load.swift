public import Basics
import Check
public import Kernel
import Store

/// How rows join those that are there.
public enum LoadMode: String, Sendable, CaseIterable {
    /// The file is the whole: a new version is built beside the current one and takes its place.
    case replace
    /// Rows are added; a key that is there already is refused.
    case append
    /// Rows with a known key take the place of the old ones.
    case upsert
}

/// One arrival in a resource (批次).
public struct Load: Sendable {
    public enum State: String, Sendable {
        case running, done, failed
    }

    public var id: Int64
    public var resource: ResourceID
    public var mode: LoadMode
    public var state: State
    /// The file's own name.
    public var source: String
    /// `sm3:…` of the file as it came.
    public var digest: String
    public var principal: PrincipalID
    public var startedAt: Int64
    public var finishedAt: Int64?
    public var good: Int64
    public var bad: Int64
    public var firstSequence: Int64
    public var lastSequence: Int64
    /// The check's report as JSON; null while it runs.
    public var report: JSONValue

    static let columns =
        "id, resource, mode, state, source, digest, principal, started_at, finished_at, good, bad, first_seq, last_seq, report"

    static func read(_ row: SQLRow) throws -> Load {
        Load(
            id: row.integer(0),
            resource: ResourceID(row.integer(1)),
            mode: LoadMode(rawValue: row.text(2)) ?? .replace,
            state: State(rawValue: row.text(3)) ?? .failed,
            source: row.text(4),
            digest: row.text(5),
            principal: PrincipalID(row.integer(6)),
            startedAt: row.integer(7),
            finishedAt: row.optionalInteger(8),
            good: row.integer(9),
            bad: row.integer(10),
            firstSequence: row.integer(11),
            lastSequence: row.integer(12),
            report: try JSONValue(text: row.optionalText(13) ?? "null")
        )
    }
}

/// A row that was not loaded, as it came, with the reasons.
public struct QuarantinedRow: Sendable {
    public var row: Int64
    public var cells: [String]
    public var reasons: [String]
}

/// What the rest of the node learns of a load, once and idempotently, by way of the outbox.
public struct LoadedEvent: Sendable {
    public var load: Int64
    public var resource: ResourceID
    public var mode: LoadMode
    public var at: Int64
    /// How many rows the resource has now.
    public var rows: Int64
    public var good: Int64
    public var bad: Int64
    public var report: JSONValue
}
