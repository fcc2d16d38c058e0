public import Basics
import Connect
import Foundation
public import Kernel
public import Lake
import Store

/// Somewhere that a resource's data is collected from without hands (归集任务).
public struct Source: Sendable {
    public var id: Int64
    public var name: String
    public var resource: ResourceID
    /// The resource's code.
    public var code: String
    public var kind: SourceKind
    public var settings: [String: String]
    public var mode: LoadMode
    public var schedule: Schedule
    /// Whom an alarm is for.
    public var responsible: PrincipalID
    /// Hours without new rows after which it counts as fallen silent (断更); 0 for never.
    public var silenceHours: Int64
    public var isEnabled: Bool

    // What the node keeps.
    /// The service account it works as.
    public var principal = PrincipalID(0)
    public var hasSecret = false
    /// The watermark up to which rows were taken.
    public var checkpoint: String?
    /// Of the rows that the last reading took.
    var digest: String?
    /// The columns that the last reading found, a line each.
    var seenColumns = ""
    public var nextAt: Int64?
    /// Runs that failed one after the other.
    public var failures: Int64 = 0
    public var lastSuccessAt: Int64?
    /// When rows came last.
    public var lastRowsAt: Int64?
    public var silentSince: Int64?
    /// The last run's problem, as JSON; null after a good one.
    public var problem = JSONValue.null
    public var changedAt: Int64 = 0
    /// Of the responsible person.
    public var responsibleName = ""
    public var responsibleLogin = ""

    public init(
        id: Int64 = 0,
        name: String,
        code: String,
        kind: SourceKind,
        settings: [String: String],
        mode: LoadMode,
        schedule: Schedule,
        responsible: PrincipalID,
        silenceHours: Int64,
        isEnabled: Bool = true
    ) {
        self.id = id
        self.name = name
        resource = ResourceID(0)
        self.code = code
        self.kind = kind
        self.settings = settings
        self.mode = mode
        self.schedule = schedule
        self.responsible = responsible
        self.silenceHours = silenceHours
        self.isEnabled = isEnabled
    }

    subscript(name: String) -> String {
        let given = settings[name] ?? ""
        return given.isEmpty ? kind.settings.first { $0.name == name }?.standard ?? "" : given
    }

    func number(_ name: String) -> Int { Int(self[name]) ?? 0 }

    /// The columns to take, as `source=field` lines say.
    var columns: [(source: String, name: String)] {
        self["columns"].split(whereSeparator: \.isNewline).compactMap { line in
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard let first = parts.first, !first.isEmpty else { return nil }
            return (first, parts.count > 1 && !parts[1].isEmpty ? parts[1] : first)
        }
    }

    /// Checks what it was told.
    ///
    /// - Throws: `source.invalid`.
    func validate() throws(Problem) {
        func invalid(_ zh: String, _ en: String) -> Problem {
            Problem("source.invalid", status: 422, zh: "归集来源填写有误：\(zh)。", en: "The source is not right: \(en).")
        }
        guard !name.isEmpty, name.count <= 100 else { throw invalid("名称应为 1–100 字", "a name has 1–100 characters") }
        for setting in kind.settings {
            let value = settings[setting.name] ?? ""
            let title = setting.title
            if setting.isRequired, value.isEmpty { throw invalid("“\(title.zh)”未填写", "“\(title.en)” is missing") }
            if !setting.choices.isEmpty, !value.isEmpty, !setting.choices.contains(value) {
                throw invalid("“\(title.zh)”不在可选值中", "“\(title.en)” is none of its choices")
            }
            let isNumber = Int(setting.standard) != nil
            if isNumber, !value.isEmpty, Int(value).map({ (0...1_000_000).contains($0) }) != true {
                throw invalid("“\(title.zh)”应为数字", "“\(title.en)” should be a number")
            }
            guard value.utf8.count <= 4000, setting.isLong || !value.contains(where: \.isNewline) else {
                throw invalid("“\(title.zh)”过长或含换行", "“\(title.en)” is too long or has several lines")
            }
        }
        if !self["watermark"].isEmpty, mode == .replace {
            throw invalid("按水位取增量时不能整体替换", "rows after a watermark cannot replace the whole")
        }
        if !kind.isOfFiles, mode == .append, self["watermark"].isEmpty {
            throw invalid("追加须按水位取增量，否则每次都会重复", "rows are added after a watermark only: they would come twice")
        }
        guard !self["host"].contains(where: { "/@\\".contains($0) }) else {
            throw invalid("主机有误", "the host is not right")
        }
        if kind == .rest { try RESTSource.check(address: self["address"], head: self["head"]) }
        if kind == .odbc { try ODBCSource.check(self["connection"]) }
        guard (0...87_600).contains(silenceHours) else { throw invalid("断更时长有误", "the hours of silence are not right") }
    }

    /// What decides where rows come from, and whether a secret is for it.
    private static let placeNames = [
        "host", "port", "user", "database", "address", "connection", "head", "encryption", "fingerprint",
    ]

    /// Whether it goes to another place than before: a secret that was kept is not for that one.
    func isElsewhere(than old: Source) -> Bool {
        kind != old.kind || Source.placeNames.contains { self[$0] != old[$0] }
    }

    /// Whether what was read of it says nothing of what it is now.
    func isAnother(than old: Source) -> Bool {
        isElsewhere(than: old) || ["table", "watermark", "rows", "since", "folder"].contains { self[$0] != old[$0] }
    }

    static let columnsSQL =
        "s.id, s.name, s.resource, r.code, s.kind, s.settings, s.mode, s.schedule, s.responsible, s.silence_hours, s.enabled, s.principal, s.secret <> '', s.checkpoint, s.next_at, s.failures, s.last_success_at, s.last_rows_at, s.silent_since, s.problem, s.changed_at, (SELECT name FROM principals WHERE id = s.responsible), (SELECT login FROM principals WHERE id = s.responsible), s.digest, s.seen_columns"

    static func read(_ row: SQLRow) throws -> Source {
        let settings = try JSONValue(text: row.text(5)).members ?? []
        var source = Source(
            id: row.integer(0),
            name: row.text(1),
            code: row.text(3),
            kind: SourceKind(rawValue: row.text(4)) ?? .folder,
            settings: Dictionary(
                settings.compactMap { member in member.value.string.map { (member.name, $0) } },
                uniquingKeysWith: { $1 }
            ),
            mode: LoadMode(rawValue: row.text(6)) ?? .replace,
            schedule: try Schedule(text: row.text(7)),
            responsible: PrincipalID(row.integer(8)),
            silenceHours: row.integer(9),
            isEnabled: row.flag(10)
        )
        source.resource = ResourceID(row.integer(2))
        source.principal = PrincipalID(row.integer(11))
        source.hasSecret = row.flag(12)
        source.checkpoint = row.optionalText(13)
        source.nextAt = row.optionalInteger(14)
        source.failures = row.integer(15)
        source.lastSuccessAt = row.optionalInteger(16)
        source.lastRowsAt = row.optionalInteger(17)
        source.silentSince = row.optionalInteger(18)
        source.problem = try JSONValue(text: row.optionalText(19) ?? "null")
        source.changedAt = row.integer(20)
        source.responsibleName = row.optionalText(21) ?? ""
        source.responsibleLogin = row.optionalText(22) ?? ""
        source.digest = row.optionalText(23)
        source.seenColumns = row.optionalText(24) ?? ""
        return source
    }

    var settingsJSON: String {
        JSONValue.object(
            kind.settings.compactMap { setting in
                settings[setting.name].flatMap { $0.isEmpty ? nil : .init(setting.name, .string($0)) }
            }
        ).text
    }
}

/// One reading of a source.
public struct SourceRun: Sendable {
    public enum State: String, Sendable {
        case running, done, failed
    }

    public var job: Int64
    public var state: State
    public var startedAt: Int64
    public var finishedAt: Int64?
    /// What was read: a file's name, or the watermark it reached.
    public var what: String
    /// Rows that came.
    public var rows: Int64
    public var load: Int64?
    public var good: Int64
    public var bad: Int64
    public var problem: JSONValue

    static let columns = "job, state, started_at, finished_at, what, rows, load, good, bad, problem"

    static func read(_ row: SQLRow) throws -> SourceRun {
        SourceRun(
            job: row.integer(0),
            state: State(rawValue: row.text(1)) ?? .failed,
            startedAt: row.integer(2),
            finishedAt: row.optionalInteger(3),
            what: row.text(4),
            rows: row.integer(5),
            load: row.optionalInteger(6),
            good: row.integer(7),
            bad: row.integer(8),
            problem: try JSONValue(text: row.optionalText(9) ?? "null")
        )
    }
}
