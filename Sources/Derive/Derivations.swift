import Codes
public import Basics
import CQL
public import Foundation
public import Kernel
public import Lake
public import Store
import Synchronization
import Tabular

/// A resource's derivation as it is kept.
public struct DerivationRecord: Sendable {
    public var resource: Resource
    public var definition: Derivation
    /// Who defined it: the sources are read with this account's rights.
    public var principal: PrincipalID
    /// When the rows were made last; nil before the first time.
    public var madeAt: Int64?
    /// Why they could not be made the last time it was tried.
    public var problem: Problem?
    /// What the sources held when it was tried.
    var positions: String
}

/// Resources whose rows are made of those of others, and the keeping of them.
public final class Derivations: Sendable {
    let kernel: Kernel
    let lake: LakeActions
    /// Where rows are put together before they are loaded.
    private let folder: URL
    /// For each derived resource whether its rows are stored; nil until they were read.
    private let kinds = Cache<Int, [ResourceID: Bool]>(limit: 1)
    /// What is being made now because somebody asked for it.
    private let making = Mutex<Set<ResourceID>>([])
    /// When what failed for a passing reason is tried again.
    private let pauses = Mutex<[ResourceID: ContinuousClock.Instant]>([:])

    /// The kind of the jobs that make rows.
    static let job = "derive"

    public static let migrations = [
        Migration(
            "derive/001-begin",
            [
                """
                CREATE TABLE derivations (resource BIGINT PRIMARY KEY REFERENCES resources (id), definition TEXT NOT NULL,
                stored INTEGER NOT NULL, principal BIGINT NOT NULL, positions TEXT NOT NULL DEFAULT '', made_at BIGINT, problem TEXT)
                """,
                """
                CREATE TABLE lineage (resource BIGINT NOT NULL, field TEXT NOT NULL, source BIGINT NOT NULL, source_field TEXT NOT NULL,
                use TEXT NOT NULL, PRIMARY KEY (resource, field, source, source_field, use))
                """,
                "CREATE INDEX lineage_source ON lineage (source, resource)",
            ],
            postgresql: Kernel.tellingStatements([("derivations", nil)])
        )
    ]

    public init(kernel: Kernel, lake: LakeActions, folder: URL) {
        self.kernel = kernel
        self.lake = lake
        self.folder = folder
    }

    /// What the lake asks about derived resources.
    public var rows: Lake.DerivedRows {
        Lake.DerivedRows(
            isDerived: { [weak self] id in try await self?.stored()[id] != nil },
            renew: { [weak self] resource in try await self?.renew(resource) }
        )
    }

    /// Another process changed a derivation.
    public func heard() { kinds.forget(0) }

    func stored() async throws -> [ResourceID: Bool] {
        if let known = kinds[0] { return known }
        let epoch = kinds.epoch
        let read = try await kernel.databases.control.read { db in
            try db.rows("SELECT resource, stored FROM derivations").map { (ResourceID($0.integer(0)), $0.flag(1)) }
        }
        let all = Dictionary(read, uniquingKeysWith: { $1 })
        kinds.store(all, for: 0, since: epoch)
        return all
    }

    static let columns = "resource, definition, principal, positions, made_at, problem"

    private func read(_ row: SQLRow) async throws -> DerivationRecord {
        DerivationRecord(
            resource: try await kernel.resource(ResourceID(row.integer(0))),
            definition: try Derivation(json: JSONValue(text: row.text(1))),
            principal: PrincipalID(row.integer(2)),
            madeAt: row.optionalInteger(4),
            problem: try row.optionalText(5).map { try Problem(kept: JSONValue(text: $0)) },
            positions: row.text(3)
        )
    }

    func find(_ resource: ResourceID) async throws -> DerivationRecord? {
        let row = try await kernel.databases.control.read { db in
            try db.row("SELECT \(Self.columns) FROM derivations WHERE resource = ?", [.integer(resource.raw)])
        }
        guard let row else { return nil }
        return try await read(row)
    }

    /// Every derivation, by the resources' numbers.
    func all() async throws -> [DerivationRecord] {
        let rows = try await kernel.databases.control.read { db in
            try db.rows("SELECT \(Self.columns) FROM derivations ORDER BY resource")
        }
        var found: [DerivationRecord] = []
        for row in rows {
            // One that cannot be read keeps no other from being kept.
            if let record = try? await read(row) { found.append(record) }
        }
        return found
    }

    static let unknown = Problem.notFound(.init("派生定义", "the derivation"))

    // MARK: Defining

    /// Whether somebody may say how the rows of an organisation's resources are made.
    public func maySave(for owner: OrganisationID, _ caller: Caller) -> Bool {
        let any = Resource(code: "", name: "", owner: owner, storage: .lake, schema: Schema(fields: []), sharing: [])
        return kernel.gate.admits(Self.saveDescriptor, any, caller)
    }

    /// Settles a definition against its sources. Of those that somebody may not read nothing is told, not even that they are there.
    func plan(_ definition: Derivation, for caller: Caller? = nil) async throws -> DerivationPlan {
        var resources: [Resource] = []
        for source in definition.sources {
            let unknown = Derivation.invalid(
                "没有来源资源“\(source.code)”，或无权读取",
                "there is no resource “\(source.code)”, or you may not read it"
            )
            do { resources.append(try await kernel.resource(source.code)) } catch let problem as Problem
                where problem.code == "request.not_found"
            { throw unknown }
            if let caller, let resource = resources.last, !lake.mayRead(resource, caller) { throw unknown }
        }
        return try DerivationPlan(definition, resources)
    }

    /// Refuses sources that the caller may not read whole: whoever derives shows others what they see themselves.
    func checkRights(_ plan: DerivationPlan, _ caller: Caller) throws(Problem) {
        for side in plan.sides
        where !lake.unmasked(of: side.resource, for: caller).isSuperset(of: side.read.map(\.name)) {
            throw DerivationRun.masked(side.resource)
        }
    }

    func save(_ definition: Derivation, _ resource: Resource, by caller: Caller) async throws {
        guard let principal = caller.principal else { throw Self.unknown }
        guard resource.storage == .lake else {
            throw Derivation.invalid("逐条填报的资源不能派生", "a resource kept by forms cannot be derived")
        }
        let plan = try await plan(definition, for: caller)
        try await checkCycle(plan, resource)
        try checkRights(plan, caller)
        try plan.check(against: resource)
        let text = definition.json.text
        try await kernel.databases.control.write { db in
            try db.execute(
                """
                INSERT INTO derivations (resource, definition, stored, principal) VALUES (?,?,?,?) ON CONFLICT (resource) DO UPDATE SET
                definition = excluded.definition, stored = excluded.stored, principal = excluded.principal, positions = '', problem = NULL
                """,
                [
                    .integer(resource.id.raw), .text(text), .integer(definition.isStored ? 1 : 0),
                    .integer(principal.id.raw),
                ]
            )
            try Self.note(plan.origins, of: resource.id, db)
        }
        kinds.forget(0)
    }

    /// Refuses items of a derived resource that are not those that are made, or are protected less.
    public func check(_ resource: Resource) async throws {
        guard let record = try await find(resource.id) else { return }
        try await plan(record.definition).check(against: resource)
    }

    /// The lineage of a resource, in the place of what was known.
    private static func note(
        _ origins: [DerivationPlan.Origin],
        of resource: ResourceID,
        _ db: any SQLWriting
    ) throws {
        try db.execute("DELETE FROM lineage WHERE resource = ?", [.integer(resource.raw)])
        for origin in origins {
            try db.execute(
                "INSERT INTO lineage (resource, field, source, source_field, use) VALUES (?,?,?,?,?)",
                [
                    .integer(resource.raw), .text(origin.field), .integer(origin.resource.raw), .text(origin.source),
                    .text(origin.use.rawValue),
                ]
            )
        }
    }

    /// Refuses a definition by which a resource would be made of itself.
    private func checkCycle(_ plan: DerivationPlan, _ resource: Resource) async throws {
        var open = plan.sides.map(\.resource.id)
        var seen: Set<ResourceID> = []
        while let next = open.popLast() {
            guard next != resource.id else {
                throw Derivation.invalid(
                    "来源直接或间接由该资源派生，形成循环",
                    "a source is itself derived from this resource"
                )
            }
            guard seen.insert(next).inserted, let record = try await find(next) else { continue }
            for source in record.definition.sources { open.append(try await kernel.resource(source.code).id) }
        }
    }

    func remove(_ resource: Resource) async throws {
        try await kernel.databases.control.write { db in
            try db.execute("DELETE FROM derivations WHERE resource = ?", [.integer(resource.id.raw)])
            try db.execute("DELETE FROM lineage WHERE resource = ?", [.integer(resource.id.raw)])
        }
        kinds.forget(0)
    }

    // MARK: Keeping rows up to date

    /// What the sources hold now, how they are protected and what of them the one who defined it may read: whatever of it changes, the rows
    /// are made anew. A source whose rows are made on demand changes when its own sources do.
    private func positions(of record: DerivationRecord) async throws -> String {
        var known: [ResourceID: String] = [:]
        return try await positions(of: record, &known, depth: 0)
    }

    /// Each resource is looked at once; what many sources hold is told by a digest.
    private func positions(
        of record: DerivationRecord,
        _ known: inout [ResourceID: String],
        depth: Int
    ) async throws -> String {
        guard depth < 16 else { throw Derivation.invalid("派生层次过深或成循环", "it is derived too deeply, or of itself") }
        let kinds = try await stored()
        let principal = try await kernel.accounts.find(record.principal)
        let caller = Caller(principal: principal?.isActive == true ? principal : nil, trace: "derivation")
        var parts: [String] = []
        for source in record.definition.sources {
            let resource = try await kernel.resource(source.code)
            let open = lake.unmasked(of: resource, for: caller).sorted().joined(separator: ",")
            let fields = resource.schema.fields.enumerated().map { index, field in
                "\(field.name) \(field.type) \(field.grade.rawValue) \(field.protectedKind?.rawValue ?? "") \(resource.sharing(index).rawValue)"
            }
            let mark = LakeActions.mark(open + "\n" + fields.joined(separator: "\n"))
            let held: String
            if let found = known[resource.id] {
                held = found
            } else if kinds[resource.id] == false, let inner = try await find(resource.id) {
                held = LakeActions.mark(try await positions(of: inner, &known, depth: depth + 1))
            } else {
                held = "\(resource.id.raw):\(try await lake.position(of: resource))"
            }
            known[resource.id] = held
            parts.append("\(mark):\(held)")
        }
        return parts.joined(separator: " ")
    }

    /// Queues the making of rows whose sources changed. Called every few seconds by the process that leads.
    public func keepUp() async throws {
        guard try await stored().values.contains(true) else { return }
        for record in try await all() where record.definition.isStored {
            // A source that was taken away is no change; what is wrong with it is told when the rows are made.
            guard let now = try? await positions(of: record), now != record.positions else { continue }
            if let pause = pauses.withLock({ $0[record.resource.id] }), pause > .now { continue }
            guard try await !isQueued(record.resource) else { continue }
            _ = try await queue(record.resource, by: record.principal)
        }
    }

    private func isQueued(_ resource: Resource) async throws -> Bool {
        try await kernel.databases.control.read { db in
            try db.row(
                "SELECT 1 FROM jobs WHERE resource = ? AND state IN ('queued', 'running') AND kind = ? LIMIT 1",
                [.text(resource.code), .text(Self.job)]
            ) != nil
        }
    }

    func queue(_ resource: Resource, by principal: PrincipalID) async throws -> Int64 {
        try await kernel.jobs.add(Self.job, .object([]), by: principal, resource: resource.code)
    }

    /// Names the code of the jobs.
    public func registerJobs() {
        kernel.jobs.register(Self.job) { [self] job, progress in
            let resource = try await kernel.resource(job.resource)
            let load = try await make(resource, trace: "job-\(job.id)", progress)
            return .object([.init("load", .integer(load.id)), .init("rows", .integer(load.good))])
        }
    }

    /// Makes the rows of a resource that are made on demand, where its sources changed since; whoever else asks meanwhile waits. Who
    /// leaves leaves the making, which goes on.
    private func renew(_ resource: Resource) async throws {
        guard try await stored()[resource.id] == false else { return }
        for attempt in 0..<100 {
            guard let record = try await find(resource.id) else { return }
            guard try await positions(of: record) != record.positions else {
                // Rows that may no longer be made are not given out as they were.
                if let problem = record.problem { throw problem }
                return
            }
            // A busy database, or another process that makes them: a moment later.
            if attempt > 0 { try await Task.sleep(for: .milliseconds(200)) }
            if making.withLock({ $0.insert(resource.id).inserted }) {
                Task { [self] in
                    defer { making.withLock { _ = $0.remove(resource.id) } }
                    _ = try? await make(resource, trace: "renewal", { _, _ in })
                }
            }
            while making.withLock({ $0.contains(resource.id) }) { try await Task.sleep(for: .milliseconds(10)) }
        }
        throw Problem(
            "derivation.busy",
            status: 503,
            zh: "派生数据正在生成。",
            en: "The rows are being made.",
            hint: .init("请稍后重试。", "Try again in a moment.")
        )
    }

    /// Makes the rows anew, as the account that defined them.
    private func make(
        _ resource: Resource,
        trace: String,
        _ progress: @escaping @Sendable (Int64, Int64) -> Void
    ) async throws -> Load {
        guard let record = try await find(resource.id) else { throw Self.unknown }
        let positions = try? await positions(of: record)
        do {
            guard let principal = try await kernel.accounts.find(record.principal), principal.isActive else {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "定义派生的账号已停用。",
                    en: "The account that defined the derivation is disabled.",
                    hint: .init("请由在用账号重新保存派生定义。", "Let an active account save the derivation again.")
                )
            }
            let caller = Caller(principal: principal, trace: trace)
            let load = try await kernel.gate.perform(run, (resource.code, record.definition, progress), as: caller)
            try await note(record, positions, nil)
            return load
        } catch let problem as Problem where problem.code.hasPrefix("store.") || problem.code == "load.busy" {
            // What passes by itself is tried again, after a while.
            pauses.withLock { $0[resource.id] = .now + .seconds(30) }
            throw problem
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // The rest is tried again when a source changes, or by hand.
            let problem =
                error as? Problem
                ?? Problem(
                    "derivation.failed",
                    status: 500,
                    zh: "派生生成时内部出错。",
                    en: "Something failed while the rows were made."
                )
            try await note(record, positions, problem)
            throw problem
        }
    }

    /// Notes how a making ended; nothing where the definition was changed meanwhile, whose rows are yet to be made.
    private func note(_ record: DerivationRecord, _ positions: String?, _ problem: Problem?) async throws {
        let now = kernel.clock.now()
        let text = record.definition.json.text
        try await kernel.databases.control.write { db in
            let noted = try db.execute(
                "UPDATE derivations SET positions = ?, problem = ? WHERE resource = ? AND definition = ? AND principal = ?",
                [
                    .text(positions ?? ""), SQLValue(problem?.kept.text), .integer(record.resource.id.raw), .text(text),
                    .integer(record.principal.raw),
                ]
            )
            guard problem == nil, noted == 1 else { return }
            try db.execute(
                "UPDATE derivations SET made_at = ? WHERE resource = ?",
                [.integer(now), .integer(record.resource.id.raw)]
            )
        }
    }

    /// Reads the sources, puts the rows together and loads them: checked, numbered and kept as a version like any file.
    func run(
        _ resource: Resource,
        _ definition: Derivation,
        _ caller: Caller,
        _ progress: @escaping @Sendable (Int64, Int64) -> Void
    ) async throws -> Load {
        let plan = try await plan(definition)
        try plan.check(against: resource)
        let file = folder.appendingPathComponent("derived-\(UUID().uuidString).csv")
        defer { try? FileManager.default.removeItem(at: file) }
        guard FileManager.default.createFile(atPath: file.path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forWritingAtPath: file.path)
        else { throw Self.disk }
        defer { try? handle.close() }
        // A file is commas between texts: what would be a formula in a spreadsheet is a text here.
        var writer = CSVBatchWriter(fields: plan.fields, neutralise: false)
        var bytes: [UInt8] = []
        writer.begin(into: &bytes)
        try await DerivationRun(plan: plan, lake: lake, gate: kernel.gate, caller: caller).forEach { batch in
            writer.write(batch, into: &bytes)
            guard bytes.count > 1 << 20 else { return }
            do { try handle.write(contentsOf: bytes) } catch { throw Self.disk }
            bytes.removeAll(keepingCapacity: true)
        }
        do { try handle.write(contentsOf: bytes) } catch { throw Self.disk }
        return try await kernel.gate.perform(
            lake.run,
            (LakeActions.LoadInput.derived(resource.code, path: file.path), nil, progress),
            as: caller
        )
    }

    private static let disk = Problem(
        "store.disk",
        status: 507,
        zh: "磁盘已满或写入出错，派生未完成。",
        en: "The disk is full or failed; the rows were not made."
    )
}

extension DerivationPlan {
    /// Refuses a resource whose items are not those that are made, or are protected less than what they are made of.
    func check(against resource: Resource) throws(Problem) {
        let schema = resource.schema
        let names = Set(fields.map(\.name))
        let missing = schema.fields.filter { !names.contains($0.name) }.map(\.name)
        let unknown = fields.filter { schema[$0.name] == nil }.map(\.name)
        guard missing.isEmpty, unknown.isEmpty else {
            let zh =
                (missing.isEmpty ? [] : ["缺少 \(missing.joined(separator: "、"))"])
                + (unknown.isEmpty ? [] : ["多出 \(unknown.joined(separator: "、"))"])
            let en =
                (missing.isEmpty ? [] : ["missing: \(missing.joined(separator: ", "))"])
                + (unknown.isEmpty ? [] : ["not declared: \(unknown.joined(separator: ", "))"])
            throw Derivation.invalid(
                "字段与资源的信息项不一致(\(zh.joined(separator: "；")))",
                "its fields are not the resource's items (\(en.joined(separator: "; ")))"
            )
        }
        for (index, made) in fields.enumerated() {
            guard let place = schema.index(made.name) else { continue }
            let field = schema.fields[place]
            guard field.type == made.type, made.type != .decimal || field.scale == made.scale else {
                throw Derivation.invalid(
                    "“\(made.name)”应为\(made.type.title.zh)，资源中是\(field.type.title.zh)",
                    "“\(made.name)” is \(made.type.title.en), the resource has \(field.type.title.en)"
                )
            }
            let isPersonal = made.protectedKind?.isPersonal == true
            guard field.grade >= made.grade, !isPersonal || field.protectedKind?.isPersonal == true,
                resource.sharing(place).rawValue >= sharing[index].rawValue
            else {
                throw Problem(
                    "derivation.grade",
                    status: 409,
                    zh:
                        "“\(made.name)”的分级、个人信息标记或共享类型低于其来源：至少应为\(made.grade.title.zh)、\(sharing[index].title.zh)\(isPersonal ? "、个人信息" : "")。",
                    en:
                        "“\(made.name)” is protected less than what it is made of: at the least \(made.grade.title.en), \(sharing[index].title.en)\(isPersonal ? ", personal" : "").",
                    details: ["field": made.name],
                    hint: .init("请在目录条目中提高该信息项的级别后重试。", "Raise the item in the catalogue entry, then try again.")
                )
            }
        }
    }
}

extension Problem {
    /// As the database keeps it.
    fileprivate var kept: JSONValue {
        .object([
            .init("code", .string(code)), .init("status", .integer(Int64(status))), .init("zh", .string(message.zh)),
            .init("en", .string(message.en)), .init("hint_zh", hint.map { .string($0.zh) } ?? .null),
            .init("hint_en", hint.map { .string($0.en) } ?? .null),
        ])
    }

    fileprivate init(kept json: JSONValue) throws {
        self.init(
            json["code"]?.string ?? "derivation.invalid",
            status: Int(json["status"]?.integer ?? 409),
            zh: json["zh"]?.string ?? "",
            en: json["en"]?.string ?? "",
            hint: json["hint_zh"]?.string.map { LocalizedText($0, json["hint_en"]?.string ?? $0) }
        )
    }
}
