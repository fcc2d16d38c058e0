import Synchronization
import Basics
import Check
import Foundation
import CMalloc
import Kernel
import Seal
import Store
import Tabular

/// A file on its way into a resource.
struct LoadRequest: Sendable {
    var path: String
    /// The file's own name.
    var source: String
    var table: String?
    var mode: LoadMode
    var options: ReadOptions
    var job: Int64?
    var principal: PrincipalID
}

extension Lake {
    /// Rows quarantined per load at the most; the report counts them all.
    static let quarantineLimit = 100_000
    /// Rows of one transaction while a load builds.
    static let rowsPerCommit = 65_536

    /// Checks a file and takes its good rows, wholly or not at all.
    func run(
        _ request: LoadRequest,
        into resource: Resource,
        decision: Decision,
        progress: @escaping @Sendable (Int64, Int64) -> Void
    ) async throws -> Load {
        guard resource.storage == .lake else {
            throw Problem(
                "load.storage",
                status: 409,
                zh: "该资源由逐条填报维护，不能加载文件。",
                en: "This resource is kept by forms; files cannot be loaded into it."
            )
        }
        let database = database(resource)
        if let job = request.job, let done = try await finishedLoad(job: job, database) { return done }
        let file = try TabularFile(path: request.path, options: request.options)
        let digest = try Lake.digest(of: request.path)
        let table = try file.table(request.table)
        if request.mode == .upsert, resource.schema.key.isEmpty {
            throw Problem(
                "load.no_key",
                zh: "资源没有主键，不能按主键更新。",
                en: "The resource has no key, so rows cannot be replaced by key."
            )
        }
        let load = try await begin(request, digest, resource, database)
        do {
            let done = try await fill(load, request, file, table, resource, database, decision, progress)
            active.withLock { _ = $0.remove(load) }
            return done
        } catch {
            active.withLock { _ = $0.remove(load) }
            // Where even this fails, for want of room, the next load of the resource or the next start cleans up.
            try? await abandon(load, resource, database)
            states.forget(resource.id)
            // The commit may have come through though its answer did not.
            if (error as? Problem)?.code == "store.unknown_end",
                let done = try? await self.load(load, of: resource), done.state == .done
            {
                try? await deliver()
                return done
            }
            throw error
        }
    }

    func finishedLoad(job: Int64, _ database: any Database) async throws -> Load? {
        try await database.read { db in
            try db.row("SELECT \(Load.columns) FROM loads WHERE job = ? AND state = 'done'", [.integer(job)]).map(
                Load.read
            )
        }
    }

    static func digest(of path: String) throws -> Digest {
        let hasher = DigestHasher(.sm3)
        let source = try FileSource(path: path)
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let got = try chunk.withUnsafeMutableBytes { try source.read(into: $0) }
            if got == 0 { return hasher.finish() }
            chunk.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<got])) }
        }
    }

    private func begin(
        _ request: LoadRequest,
        _ digest: Digest,
        _ resource: Resource,
        _ database: any Database
    ) async throws -> Int64 {
        let values: [SQLValue] = [
            .integer(resource.id.raw), SQLValue(request.job), .text(request.mode.rawValue), .text(request.source),
            .text(digest.description),
            .integer(request.principal.raw), .integer(kernel.clock.now()),
        ]
        let fields = resource.schema.fields
        let isBare = Lake.isBare(request, database)
        let known = active.withLock { $0 }
        let shared = kernel.databases.shared
        let living = try await shared?.connected() ?? []
        let load = try await database.write { db in
            let rows = try db.rows(
                "SELECT id, worker FROM loads WHERE resource = ? AND state = 'running'",
                [.integer(resource.id.raw)]
            )
            // This process's own, and those of others that are at work.
            let alive = Set(
                rows.filter { row in
                    known.contains(row.integer(0)) || row.text(1) != shared?.process && living.contains(row.text(1))
                }.map { $0.integer(0) }
            )
            for dead in rows.map({ $0.integer(0) }) where !alive.contains(dead) {
                try PhysicalTable.drop("r\(resource.id.raw)_\(dead)", db)
                try db.execute(
                    "UPDATE loads SET state = 'failed', job = NULL, finished_at = started_at WHERE id = ?",
                    [.integer(dead)]
                )
            }
            if !alive.isEmpty {
                throw Problem(
                    "load.busy",
                    status: 409,
                    zh: "该资源正在加载另一个文件。",
                    en: "Another file is being loaded into this resource.",
                    hint: .init("请等它完成后再试。", "Try again when it is done.")
                )
            }
            try db.execute(
                "INSERT INTO loads (resource, job, mode, state, source, digest, principal, started_at, worker) VALUES (?,?,?,'running',?,?,?,?,?)",
                values + [SQLValue(shared?.process)]
            )
            let load = db.lastInsertedID
            try db.execute(
                PhysicalTable(name: "r\(resource.id.raw)_\(load)", fields: fields).createStatement(
                    db.dialect,
                    isBare: isBare
                )
            )
            return load
        }
        active.withLock { _ = $0.insert(load) }
        return load
    }

    /// Whether the rows of a load are staged without the columns that are the same in all of them.
    private static func isBare(_ request: LoadRequest, _ database: any Database) -> Bool {
        request.mode == .replace && database.dialect == .postgresql
    }

    private func abandon(_ load: Int64, _ resource: Resource, _ database: any Database) async throws {
        // Files first: on a full disk they make the room that the rest needs.
        try? FileManager.default.removeItem(at: versionFile(resource, load).appendingPathExtension("part"))
        let now = kernel.clock.now()
        let isAbandoned = try await database.write { db in
            let changed = try db.execute(
                "UPDATE loads SET state = 'failed', job = NULL, finished_at = ? WHERE id = ? AND state = 'running'",
                [.integer(now), .integer(load)]
            )
            // What was published stays, however the answer got lost.
            guard changed == 1 else { return false }
            try PhysicalTable.drop("r\(resource.id.raw)_\(load)", db)
            try db.execute("DELETE FROM quarantine WHERE load = ?", [.integer(load)])
            return true
        }
        if isAbandoned { try? FileManager.default.removeItem(at: versionFile(resource, load)) }
    }

    func versionFile(_ resource: Resource, _ load: Int64) -> URL {
        folder.appendingPathComponent("versions/\(resource.id.raw)-\(load).batches")
    }

    // MARK: Building

    private func fill(
        _ load: Int64,
        _ request: LoadRequest,
        _ file: TabularFile,
        _ table: TabularFile.Table,
        _ resource: Resource,
        _ database: any Database,
        _ decision: Decision,
        _ progress: @escaping @Sendable (Int64, Int64) -> Void
    ) async throws -> Load {
        // As it is now, whatever another process did to it since.
        states.forget(resource.id)
        let state = try await self.state(resource)
        // Said before the work rather than after it.
        if request.mode != .replace, let state { _ = try state.table.adopting(resource.schema) }
        let reader = try file.reader(table)
        let references = try await ReferenceIndex(resource, self, decision.caller)
        let checker = try Checker(
            schema: resource.schema,
            header: reader.header,
            keepsValues: true,
            lookup: { references.contains($0, $1) }
        )
        for note in table.layout.notes + file.notes { checker.note(note) }
        let staging = PhysicalTable(name: "r\(resource.id.raw)_\(load)", fields: resource.schema.fields)
        let version =
            request.mode == .replace
            ? try BatchFileWriter(versionFile(resource, load), fields: resource.schema.fields) : nil
        let quarantine = QuarantineCollector(checker, header: reader.header)
        let keepsLines = request.mode == .append && state != nil
        var builder = LoadBuilder(
            load: load,
            owner: resource.owner.raw,
            nextID: state?.nextID ?? 1,
            nextSequence: state?.nextSequence ?? 1,
            staging: staging,
            isBare: Lake.isBare(request, database)
        )
        while let raw = try reader.next() {
            let checked = checker.check(raw)
            quarantine.take(raw, checked)
            try version?.write(checked.batch, rows: checked.good)
            builder.add(checked, lines: keepsLines ? checked.good.map { raw.numbers[Int($0)] } : nil)
            if builder.waiting >= Lake.rowsPerCommit {
                try await commit(&builder, quarantine, database)
                progress(builder.taken, 0)
                try Task.checkCancellation()
                try faults.step("rows")
            }
        }
        try await commit(&builder, quarantine, database)
        try version?.finish()
        var statements = builder.isBare ? staging.completing(owner: builder.owner, load: load) : []
        if request.mode == .replace || state == nil {
            statements += staging.indexStatements(key: resource.schema.key, database.dialect)
            statements += staging.shapeStatements(shapes, database.dialect, postGIS: postGIS)
        }
        for statement in statements { try await database.write { db in try db.execute(statement) } }
        try faults.step("indexes")
        let report = checker.report()
        return try await publish(builder, request, report, quarantine, state, resource, database)
    }

    private func commit(
        _ builder: inout LoadBuilder,
        _ quarantine: QuarantineCollector,
        _ database: any Database
    ) async throws {
        let batches = builder.next()
        let rows = quarantine.drain()
        let (load, owner, staging, isBare) = (builder.load, builder.owner, builder.staging, builder.isBare)
        let columns = isBare ? staging.bareColumns : staging.insertColumns
        let parts = batches.map { batch in
            let same: [LeadValue] = [
                .constant(owner),
                // Rows to be appended carry their line while they are staged: those refused are told by it.
                batch.lines.map { .listed($0) } ?? .constant(0), .constant(load),
            ]
            return InsertedRows(
                batch.checked.batch,
                rows: batch.checked.good,
                lead: [.counting(from: batch.firstID)] + (isBare ? [] : same) + [.counting(from: batch.firstSequence)]
            )
        }
        try await database.write { db in
            try db.insert(into: staging.name, columns, parts)
            try db.insert(
                into: "quarantine",
                ["load", "row", "cells", "reasons"],
                rows.texts,
                rows: (0..<Int32(rows.numbers.count)).map { $0 },
                lead: [.constant(load), .listed(rows.numbers)]
            )
        }
    }

    /// Makes the built rows the resource's, in one transaction with the load's record and the event.
    private func publish(
        _ builder: LoadBuilder,
        _ request: LoadRequest,
        _ report: CheckReport,
        _ quarantine: QuarantineCollector,
        _ state: TableState?,
        _ resource: Resource,
        _ database: any Database
    ) async throws -> Load {
        let now = kernel.clock.now()
        let staging = builder.staging
        let isNew = request.mode == .replace || state == nil
        let load = builder.load
        let (header, cells) = (quarantine.header, quarantine.cells)
        let json = report.json(.zh)
        let filled = report.filledJSON
        let isShared = kernel.databases.shared != nil
        let published = try await database.write { db in
            var good = Int64(builder.taken)
            var bad = Int64(report.rows - report.valid)
            if isNew {
                if isShared, let old = try TableState.current(resource.id, db)?.physical {
                    try db.execute(
                        "INSERT INTO retired (physical, at) VALUES (?, ?) ON CONFLICT (physical) DO NOTHING",
                        [.text(old), .integer(now)]
                    )
                }
                try db.execute(
                    """
                    INSERT INTO tables (resource, physical, schema, next_id, next_seq, rows, load, updated_at, shapes) VALUES (?,?,?,?,?,?,?,?,?)
                    ON CONFLICT (resource) DO UPDATE SET physical = excluded.physical, schema = excluded.schema,
                    next_id = excluded.next_id, next_seq = excluded.next_seq, rows = excluded.rows, load = excluded.load,
                    updated_at = excluded.updated_at, ordinals = '', shapes = excluded.shapes
                    """,
                    [
                        .integer(resource.id.raw), .text(staging.name), .text(TableSchema.write(resource.schema).text),
                        .integer(builder.nextID), .integer(builder.nextSequence), .integer(good), .integer(load),
                        .integer(now), .text(self.shapes.rawValue),
                    ]
                )
            } else if let state = try TableState.current(resource.id, db) {
                let refused = try Lake.merge(
                    staging,
                    into: try state.following(resource.schema, db, self),
                    key: resource.schema.key,
                    mode: request.mode,
                    load: load,
                    cells: cells,
                    db
                )
                good -= refused
                bad += refused
                let rows = try db.row("SELECT count(*) FROM \(state.physical)")?.integer(0) ?? 0
                try db.execute("DROP TABLE \(staging.name)")
                try db.execute(
                    "UPDATE tables SET next_id = ?, next_seq = ?, rows = ?, load = ?, updated_at = ? WHERE resource = ?",
                    [
                        .integer(builder.nextID), .integer(builder.nextSequence), .integer(rows), .integer(load),
                        .integer(now),
                        .integer(resource.id.raw),
                    ]
                )
            }
            let rows =
                try db.row("SELECT rows FROM tables WHERE resource = ?", [.integer(resource.id.raw)])?.integer(0) ?? 0
            try db.execute(
                "INSERT INTO quarantine_headers (load, cells) VALUES (?, ?)",
                [.integer(load), .text(header)]
            )
            // Whoever was taken for dead meanwhile publishes nothing: the load's own state is the fence.
            let finished = try db.execute(
                "UPDATE loads SET state = 'done', finished_at = ?, good = ?, bad = ?, first_seq = ?, last_seq = ?, report = ? WHERE id = ? AND state = 'running'",
                [
                    .integer(now), .integer(good), .integer(bad), .integer(builder.firstSequence),
                    .integer(builder.nextSequence - 1),
                    .text(json.text), .integer(load),
                ]
            )
            guard finished == 1 else {
                throw Problem(
                    "load.lost",
                    status: 409,
                    zh: "加载任务已由另一进程接手。",
                    en: "Another process has taken the load over."
                )
            }
            try Lake.outbox(
                LoadedEvent(
                    load: load,
                    resource: resource.id,
                    mode: request.mode,
                    at: now,
                    rows: rows,
                    good: good,
                    bad: bad,
                    report: .object([.init("report", json), .init("filled", filled)])
                ),
                db
            )
            return try db.row("SELECT \(Load.columns) FROM loads WHERE id = ?", [.integer(load)]).map(Load.read)
        }
        states.forget(resource.id)
        if isNew, kernel.databases.shared == nil, let old = state?.physical { retired.withLock { _ = $0.insert(old) } }
        // The load is published: what follows is done again by others where it fails now.
        try? await dropRetired(database)
        if isNew { try? await pruneVersions(of: resource) }
        let current = (try? await self.state(resource))?.table ?? staging
        let analysis = current.analysisStatement(key: resource.schema.key, database.dialect)
        _ = try? await database.write { db in try db.execute(analysis) }
        try? await deliver()
        // What a load took from the system's memory is given back; a node loads rarely and serves always.
        malloc_trim(0)
        guard let published else { throw Problem.notFound(.init("批次", "the load")) }
        return published
    }

    /// Moves staged rows into the current table, which has the same fields; how many were refused for a key that is there.
    static func merge(
        _ staging: PhysicalTable,
        into table: PhysicalTable,
        key: [String],
        mode: LoadMode,
        load: Int64,
        cells: QuarantineCells,
        _ db: any SQLWriting
    ) throws -> Int64 {
        let targets = table.allColumns.joined(separator: ", ")
        let sources = staging.allColumns.joined(separator: ", ")
        let insert =
            "INTO \(table.name) (_id, _owner, _origin, _load, _seq, \(targets)) SELECT _id, _owner, 0, _load, _seq, \(sources) FROM \(staging.name)"
        let keyColumns = table.keyColumns(key)
        if keyColumns.isEmpty {
            try db.execute("INSERT \(insert)")
            return 0
        }
        if mode == .upsert {
            let updates = (["_load", "_seq", "_owner"] + table.allColumns).map { "\($0) = excluded.\($0)" }
            try db.execute(
                "INSERT \(insert) WHERE true ON CONFLICT (\(keyColumns.joined(separator: ", "))) DO UPDATE SET \(updates.joined(separator: ", "))"
            )
            return 0
        }
        let pairs = zip(keyColumns, staging.keyColumns(key)).map { "t.\($0) = s.\($1)" }.joined(separator: " AND ")
        let line = Field("_origin", .integer)
        let refused = try db.batch(
            "SELECT _origin, \(sources) FROM \(staging.name) s WHERE EXISTS (SELECT 1 FROM \(table.name) t WHERE \(pairs)) LIMIT \(quarantineLimit)",
            [],
            fields: [line] + staging.fields,
            capacity: 1024
        )
        for row in 0..<refused.count {
            let values = staging.fields.indices.map { refused.value(row, $0 + 1).text }
            try db.execute(
                "INSERT INTO quarantine (load, row, cells, reasons) VALUES (?,?,?,?)",
                [
                    .integer(load), SQLValue(refused.value(row, 0)), .text(cells.text(values)),
                    .text("[\"主键已存在 / the key exists already\"]"),
                ]
            )
        }
        let staged = try db.row("SELECT count(*) FROM \(staging.name)")?.integer(0) ?? 0
        let added = try db.execute("INSERT \(insert) WHERE true ON CONFLICT DO NOTHING", [])
        return staged - Int64(added)
    }
}

/// Lays the values of a row out as the file's columns were: quarantined rows are read and masked by the file's header.
struct QuarantineCells: Sendable {
    let width: Int
    /// For each field of the schema its column in the file; nil where the file lacks it.
    let positions: [Int?]

    func text(_ values: [String]) -> String {
        var cells = [String](repeating: "", count: width)
        for (value, position) in zip(values, positions) { if let position { cells[position] = value } }
        return JSONValue.array(cells.map { .string($0) }).text
    }
}

/// Numbers the rows of a load and holds them until the next commit.
struct LoadBuilder: Sendable {
    let load: Int64
    let owner: Int64
    let staging: PhysicalTable
    let isBare: Bool
    let firstSequence: Int64
    private(set) var nextID: Int64
    private(set) var nextSequence: Int64
    private(set) var taken: Int64 = 0
    private(set) var waiting = 0
    private var batches: [Numbered] = []

    /// Checked rows with their numbers.
    struct Numbered: Sendable {
        var checked: CheckedBatch
        var firstID: Int64
        var firstSequence: Int64
        /// The line of each good row, where a row may yet be refused.
        var lines: [Int64]?
    }

    init(load: Int64, owner: Int64, nextID: Int64, nextSequence: Int64, staging: PhysicalTable, isBare: Bool) {
        self.isBare = isBare
        self.load = load
        self.owner = owner
        self.nextID = nextID
        self.nextSequence = nextSequence
        firstSequence = nextSequence
        self.staging = staging
    }

    mutating func add(_ checked: CheckedBatch, lines: [Int64]?) {
        guard !checked.good.isEmpty else { return }
        batches.append(Numbered(checked: checked, firstID: nextID, firstSequence: nextSequence, lines: lines))
        let count = checked.good.count
        nextID += Int64(count)
        nextSequence += Int64(count)
        taken += Int64(count)
        waiting += count
    }

    mutating func next() -> [Numbered] {
        defer {
            batches = []
            waiting = 0
        }
        return batches
    }
}

/// Gathers rows that were not loaded, as they came, with the reasons in words.
final class QuarantineCollector {
    let header: String
    let cells: QuarantineCells
    private var rows = QuarantineRows()
    private var total = 0
    private var reasons: [Int64: [String]] = [:]

    init(_ checker: Checker, header: [String]) {
        self.header = JSONValue.array(header.map { .string($0) }).text
        cells = QuarantineCells(width: header.count, positions: checker.positions)
        checker.onFinding = { [weak self] row, rule, _ in
            guard rule.severity == .error, let self, self.total + self.reasons.count < Lake.quarantineLimit + 4096
            else { return }
            self.reasons[row, default: []].append(
                "\(rule.field.isEmpty ? "" : rule.field + ": ")\(rule.message.zh) / \(rule.message.en)"
            )
        }
    }

    func take(_ raw: RawBatch, _ checked: CheckedBatch) {
        for row in checked.bad {
            guard total < Lake.quarantineLimit else { break }
            total += 1
            let number = raw.numbers[Int(row)]
            let cells = JSONValue.array(raw.texts(Int(row)).map { .string($0) }).text
            rows.add(number, cells, JSONValue.array((reasons[number] ?? []).map { .string($0) }).text)
        }
        reasons.removeAll(keepingCapacity: true)
    }

    func drain() -> QuarantineRows {
        defer { rows = QuarantineRows() }
        return rows
    }
}

/// Refused rows on their way into quarantine: their numbers, cells and reasons.
struct QuarantineRows: Sendable {
    private(set) var numbers: [Int64] = []
    private var cells = TextBuffer()
    private var reasons = TextBuffer()

    mutating func add(_ number: Int64, _ cells: String, _ reasons: String) {
        numbers.append(number)
        self.cells.append(cells)
        self.reasons.append(reasons)
    }

    var texts: Batch {
        Batch(
            fields: [Field("cells"), Field("reasons")],
            columns: [Column(.text(cells)), Column(.text(reasons))],
            count: numbers.count
        )
    }
}

extension CheckReport {
    /// For each field: its name and how many rows have a value.
    var filledJSON: JSONValue {
        .object(zip(fields, filled).map { .init($0.name, .integer(Int64($1))) })
    }
}
