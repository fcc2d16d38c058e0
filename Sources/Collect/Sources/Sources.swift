import Tabular
import Basics
public import Foundation
public import Kernel
public import Lake
public import Store
import Connect

/// The sources of a node: what they are, when they are due, what became of them.
public final class Sources: Sendable {
    let kernel: Kernel
    let lake: LakeActions
    /// Where files are put before they are loaded.
    let folder: URL
    /// The folders of this machine that may be read.
    let roots: [URL]

    /// The kind of the jobs that read a source.
    public static let job = "collect"

    public static let migrations = [
        Migration(
            "collect/002-sources",
            [
                """
                CREATE TABLE sources (id INTEGER PRIMARY KEY, name TEXT NOT NULL, resource BIGINT NOT NULL REFERENCES resources (id),
                kind TEXT NOT NULL, settings TEXT NOT NULL, secret TEXT NOT NULL, mode TEXT NOT NULL, schedule TEXT NOT NULL,
                responsible BIGINT NOT NULL, silence_hours BIGINT NOT NULL, enabled INTEGER NOT NULL, principal BIGINT NOT NULL,
                checkpoint TEXT, digest TEXT, seen_columns TEXT NOT NULL DEFAULT '', next_at BIGINT, failures BIGINT NOT NULL DEFAULT 0, last_success_at BIGINT, last_rows_at BIGINT,
                silent_since BIGINT, problem TEXT, created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL)
                """,
                "CREATE INDEX sources_due ON sources (enabled, next_at)",
                "CREATE INDEX sources_resource ON sources (resource)",
                "CREATE INDEX sources_responsible ON sources (responsible, silent_since)",
                """
                CREATE TABLE source_runs (job BIGINT PRIMARY KEY, source BIGINT NOT NULL, state TEXT NOT NULL, started_at BIGINT NOT NULL,
                finished_at BIGINT, what TEXT NOT NULL DEFAULT '', spool TEXT NOT NULL DEFAULT '', watermark TEXT, file TEXT,
                rows BIGINT NOT NULL DEFAULT 0, load BIGINT, good BIGINT NOT NULL DEFAULT 0, bad BIGINT NOT NULL DEFAULT 0, problem TEXT)
                """,
                "CREATE INDEX source_runs_source ON source_runs (source, job)",
                """
                CREATE TABLE source_files (source BIGINT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL, modified BIGINT NOT NULL,
                load BIGINT, at BIGINT NOT NULL, PRIMARY KEY (source, name, size, modified))
                """,
            ]
        )
    ]

    public init(kernel: Kernel, lake: LakeActions, folder: URL, roots: [URL]) {
        self.kernel = kernel
        self.lake = lake
        self.folder = folder
        self.roots = roots.map { $0.standardizedFileURL.resolvingSymlinksInPath() }
    }

    private static let from = "FROM sources s JOIN resources r ON r.id = s.resource"

    static let unknown = Problem.notFound(.init("归集来源", "the source"))

    /// A source by its number.
    ///
    /// - Throws: `request.not_found`.
    public func find(_ id: Int64) async throws -> Source {
        let found = try await kernel.databases.control.read { db in
            try db.row("SELECT \(Source.columnsSQL) \(Sources.from) WHERE s.id = ?", [.integer(id)]).map(Source.read)
        }
        guard let found else { throw Sources.unknown }
        return found
    }

    /// Sources of some owners (nil for all), those in trouble first.
    func list(owners: Set<OrganisationID>?) async throws -> [Source] {
        if owners?.isEmpty == true { return [] }
        let numbers = owners.map { $0.map { String($0.raw) }.joined(separator: ",") }
        return try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT \(Source.columnsSQL) \(Sources.from) \(numbers.map { "WHERE r.owner IN (\($0))" } ?? "") ORDER BY s.silent_since IS NULL, s.failures = 0, s.id LIMIT 500"
            ).map(Source.read)
        }
    }

    /// The sources that fell silent or fail and that somebody answers for.
    func troubled(_ responsible: PrincipalID) async throws -> [Source] {
        try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT \(Source.columnsSQL) \(Sources.from) WHERE s.responsible = ? AND s.enabled = 1 AND (s.silent_since IS NOT NULL OR s.failures > 0) ORDER BY s.id LIMIT 50",
                [.integer(responsible.raw)]
            ).map(Source.read)
        }
    }

    func runs(_ source: Int64, limit: Int) async throws -> [SourceRun] {
        try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT \(SourceRun.columns) FROM source_runs WHERE source = ? ORDER BY job DESC LIMIT \(limit)",
                [.integer(source)]
            ).map(SourceRun.read)
        }
    }

    // MARK: Changing

    /// Adds a source, or changes one; a nil secret keeps the one there is.
    func save(_ source: Source, secret: String?, resource: Resource, by principal: PrincipalID) async throws -> Int64 {
        try source.validate()
        guard resource.storage == .lake else {
            throw Problem(
                "load.storage",
                status: 409,
                zh: "该资源由逐条填报维护，不能加载文件。",
                en: "This resource is kept by forms; files cannot be loaded into it."
            )
        }
        if source.mode == .upsert, resource.schema.key.isEmpty {
            throw Problem(
                "load.no_key",
                zh: "资源没有主键，不能按主键更新。",
                en: "The resource has no key, so rows cannot be replaced by key."
            )
        }
        if source.kind == .folder { _ = try place(source["folder"]) }
        guard (secret?.utf8.count ?? 0) <= 16_384 else { throw Sources.secretNeeded }
        let old = source.id == 0 ? nil : try await find(source.id)
        if let old, old.hasSecret, secret == nil, source.isElsewhere(than: old) { throw Sources.secretNeeded }
        let isAnother = old.map { source.isAnother(than: $0) } ?? false
        let sealed = try secret.map { $0.isEmpty ? "" : try kernel.key.seal($0) }
        let now = kernel.clock.now()
        let next = source.schedule.next(after: now)
        let values: [SQLValue] = [
            .text(source.name), .text(source.kind.rawValue), .text(source.settingsJSON), .text(source.mode.rawValue),
            .text(source.schedule.text), .integer(source.responsible.raw), .integer(source.silenceHours),
            .integer(source.isEnabled ? 1 : 0), SQLValue(next), .integer(now),
        ]
        let id = try await kernel.databases.control.write { db in
            guard source.id == 0 else {
                try db.execute(
                    "UPDATE sources SET name = ?, kind = ?, settings = ?, mode = ?, schedule = ?, responsible = ?, silence_hours = ?, enabled = ?, next_at = ?, changed_at = ?, failures = 0, problem = NULL WHERE id = ?",
                    values + [.integer(source.id)]
                )
                if isAnother {
                    try db.execute(
                        "UPDATE sources SET checkpoint = NULL, digest = NULL, seen_columns = '' WHERE id = ?",
                        [.integer(source.id)]
                    )
                }
                if let sealed {
                    try db.execute(
                        "UPDATE sources SET secret = ? WHERE id = ?",
                        [.text(sealed), .integer(source.id)]
                    )
                }
                return source.id
            }
            let number = (try db.row("SELECT max(id) FROM principals")?.integer(0) ?? 0) + 1
            let service = try Kernel.addService(
                "source-\(number)",
                name: source.name,
                for: resource,
                [.dataLoad],
                purpose: "自动归集：\(source.name)",
                by: principal,
                at: now,
                db
            )
            try db.execute(
                "INSERT INTO sources (id, name, kind, settings, mode, schedule, responsible, silence_hours, enabled, next_at, changed_at, resource, secret, principal, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                // The number of its account: no source ever gets one that another had.
                [.integer(service.raw)] + values + [
                    .integer(resource.id.raw), .text(sealed ?? ""), .integer(service.raw), .integer(now),
                ]
            )
            return service.raw
        }
        try await kernel.gate.reload()
        return id
    }

    static let secretNeeded = Problem(
        "source.secret_needed",
        status: 422,
        zh: "来源的地址或账号有变，请重新填写口令。",
        en: "The source lies elsewhere now: enter its secret again.",
        hint: .init("原口令只发给原来的地址。", "The secret there is goes to the old place only.")
    )

    /// Takes a source away; what it brought stays.
    func remove(_ source: Source) async throws {
        try await kernel.databases.control.write { db in
            try Kernel.removeService(source.principal, db)
            for table in ["source_runs", "source_files"] {
                try db.execute("DELETE FROM \(table) WHERE source = ?", [.integer(source.id)])
            }
            try db.execute("DELETE FROM sources WHERE id = ?", [.integer(source.id)])
        }
        try await kernel.gate.reload()
    }

    /// Forgets how far it was read: the next reading begins from the start.
    func rewind(_ source: Source) async throws {
        try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE sources SET checkpoint = NULL, digest = NULL, seen_columns = '', changed_at = changed_at + 1 WHERE id = ?",
                [.integer(source.id)]
            )
            try db.execute("DELETE FROM source_files WHERE source = ?", [.integer(source.id)])
        }
    }

    func secret(of source: Source) async throws -> String {
        let sealed = try await kernel.databases.control.read { db in
            try db.row("SELECT secret FROM sources WHERE id = ?", [.integer(source.id)])?.text(0) ?? ""
        }
        guard !sealed.isEmpty else { return "" }
        guard let secret = try kernel.key.open(sealed) else {
            throw Problem(
                "source.secret",
                status: 409,
                zh: "口令由另一个节点密钥加密，无法读取。",
                en: "The secret was sealed by another node's key and cannot be read.",
                hint: .init("请重新填写口令。", "Enter the secret again.")
            )
        }
        return secret
    }

    /// A folder of this machine, where it may be read.
    ///
    /// - Throws: `source.folder`.
    func place(_ folder: String) throws -> URL {
        let place = URL(fileURLWithPath: folder, isDirectory: true).standardizedFileURL.resolvingSymlinksInPath()
        guard roots.contains(where: { place.path == $0.path || place.path.hasPrefix($0.path + "/") }) else {
            throw Problem(
                "source.folder",
                status: 422,
                zh: "该目录不在允许归集的目录之内。",
                en: "The folder is not among those that may be collected from.",
                details: ["allowed": roots.map(\.path).joined(separator: ", ")],
                hint: .init(
                    "系统管理员可用 TONGQU_DROP_FOLDERS 设置允许的目录。",
                    "The system administrator allows folders by TONGQU_DROP_FOLDERS."
                )
            )
        }
        return place
    }

    // MARK: The clock

    /// After a stop: runs whose jobs were given up are over.
    public func recover() async throws {
        try await kernel.databases.control.write { db in
            let problem = Jobs.failure(Jobs.interrupted)
            try db.execute(
                "UPDATE sources SET failures = failures + 1, problem = ? WHERE id IN (SELECT source FROM source_runs WHERE state = 'running' AND job IN (SELECT id FROM jobs WHERE state = 'failed'))",
                [.text(problem.text)]
            )
            try db.execute(
                "UPDATE source_runs SET state = 'failed', finished_at = started_at WHERE state = 'running' AND job IN (SELECT id FROM jobs WHERE state = 'failed')"
            )
        }
    }

    /// Queues the sources that are due, and raises the alarms of those that fell silent; called each few seconds.
    public func keepUp() async throws {
        let now = kernel.clock.now()
        let (due, silent) = try await kernel.databases.control.read { db in
            (
                try db.rows(
                    "SELECT \(Source.columnsSQL) \(Sources.from) WHERE s.enabled = 1 AND s.next_at <= ? ORDER BY s.next_at LIMIT 100",
                    [.integer(now)]
                ).compactMap { try? Source.read($0) },
                try db.rows(
                    "SELECT \(Source.columnsSQL) \(Sources.from) WHERE s.enabled = 1 AND s.silence_hours > 0 AND s.silent_since IS NULL AND coalesce(s.last_rows_at, s.created_at) + s.silence_hours * 3600000000 < ? LIMIT 100",
                    [.integer(now)]
                ).compactMap { try? Source.read($0) }
            )
        }
        // One that cannot be queued must not keep the others back.
        for source in due { _ = try? await queue(source, by: source.principal) }
        for source in silent {
            try await kernel.databases.control.write { db in
                try db.execute(
                    "UPDATE sources SET silent_since = ? WHERE id = ?",
                    [.integer(now), .integer(source.id)]
                )
            }
            // The alarm leaves evidence; a grant taken back must not stop the others.
            let caller = Caller(
                principal: try await kernel.accounts.find(source.principal),
                trace: "source-\(source.id)"
            )
            try? await kernel.gate.perform(alarm, source.id, as: caller)
        }
    }

    /// Queues one reading; the job there is already where one waits or runs.
    func queue(_ source: Source, by principal: PrincipalID) async throws -> Int64 {
        let now = kernel.clock.now()
        let next = source.schedule.next(after: now)
        let payload = JSONValue.object([.init("source", .integer(source.id))])
        let jobs = kernel.jobs
        return try await kernel.databases.control.write { db in
            try db.execute("UPDATE sources SET next_at = ? WHERE id = ?", [SQLValue(next), .integer(source.id)])
            return try jobs.unfinished(Sources.job, resource: source.code, payload: payload, db)
                ?? jobs.add(Sources.job, payload, by: principal, resource: source.code, at: now, db)
        }
    }
}
