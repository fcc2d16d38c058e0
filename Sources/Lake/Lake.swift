import Basics
import CQL
import Check
public import Foundation
public import Kernel
public import Store
import Synchronization
import Tabular

/// The tables of resources: loads, versions, the change log, scans.
///
/// Rows written by loads lie in the lake's database, rows written by forms in the records' database; both have the same shape.
public final class Lake: Sendable {
    let kernel: Kernel
    /// Where version files and uploaded files lie.
    let folder: URL
    /// Resources whose records were written since their counts were last told.
    let touched = Mutex<Set<ResourceID>>([])
    private let subscribers = Mutex<[@Sendable (LoadedEvent) async throws -> Void]>([])
    let states = Cache<ResourceID, TableState>(limit: 20_000)
    let selections = Selections()
    let stamps = Stamps()
    /// Filters that are decided in memory leave a core to everything else.
    let turns = Turns(max(1, ProcessInfo.processInfo.activeProcessorCount - 1))
    /// How long one page, or one step of a download, is looked for by such a filter.
    let patience: Duration
    /// Extents are found one at a time, whoever asks.
    let extentTurns = Turns(1)
    /// Where the rows of a resource lie, as of a change number.
    let extents = Cache<ResourceID, (sequence: Int64, of: String, extent: Extent)>(limit: 20_000)
    /// Aggregates that were found, by the state of their rows.
    let aggregates = Cache<String, Aggregate>(limit: 500)
    let tiles = TileCache()
    let held = HeldVersions()
    /// Versions that are being compared.
    let comparisons = Mutex(0)
    /// The lengths of downloads that were made, by their marks.
    let lengths = Cache<String, Int>(limit: 10_000)
    /// How many versions of a resource are kept; 0 for all.
    let keptVersions: Int
    /// Scans under way by physical table: a table is dropped when nobody reads it any more.
    let readers = Mutex<[String: Int]>([:])
    let retired = Mutex<Set<String>>([])
    /// The loads this process is working on: another one marked as running was abandoned, say on a full disk.
    let active = Mutex<Set<Int64>>([])
    /// The schema of PostGIS, where the store has it.
    let postGIS: String?
    /// Who knows of the resources whose rows are made of others'.
    private let maker = Mutex<DerivedRows?>(nil)
    private let governor = Mutex<Governing?>(nil)
    /// Simulated faults, for tests that stop a load halfway.
    let faults: FaultPlan

    /// Simulated faults for tests: called between the steps of a load.
    public struct FaultPlan: Sendable {
        public var step: @Sendable (String) throws -> Void
        /// How long a page is looked for by a filter that is decided in memory.
        public var patience: Duration
        public init(
            patience: Duration = .seconds(20),
            step: @escaping @Sendable (String) throws -> Void = { _ in }
        ) {
            self.patience = patience
            self.step = step
        }
    }

    /// What is known of resources whose rows are made of those of others.
    public struct DerivedRows: Sendable {
        /// Whether a resource's rows are made: then nobody loads files into it.
        public var isDerived: @Sendable (ResourceID) async throws -> Bool
        /// Makes rows anew that are made when they are asked for, where their sources changed.
        public var renew: @Sendable (Resource) async throws -> Void

        public init(
            isDerived: @escaping @Sendable (ResourceID) async throws -> Bool,
            renew: @escaping @Sendable (Resource) async throws -> Void
        ) {
            self.isDerived = isDerived
            self.renew = renew
        }
    }

    var derived: DerivedRows? { maker.withLock(\.self) }

    /// Says who makes rows; once, before anybody asks.
    public func deriving(by rows: DerivedRows) { maker.withLock { $0 = rows } }

    /// Whether a resource's records are made and changed by a flow's steps only.
    public typealias Governing = @Sendable (ResourceID) async -> Bool

    var governed: Governing? { governor.withLock(\.self) }

    /// Says who knows of flows; once, before anybody asks.
    public func governing(by governs: @escaping Governing) { governor.withLock { $0 = governs } }

    /// `keptVersions`: how many versions of a resource are kept at the most; 0 for all.
    /// `recordMigrations`: the steps of what others keep beside records.
    public init(
        kernel: Kernel,
        folder: URL,
        keptVersions: Int = 0,
        recordMigrations: [Migration] = [],
        faults: FaultPlan = FaultPlan()
    ) async throws {
        patience = faults.patience
        self.keptVersions = keptVersions
        self.kernel = kernel
        self.folder = folder
        self.faults = faults
        for name in ["uploads", "versions"] {
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent(name),
                withIntermediateDirectories: true
            )
        }
        try await Migration.apply(Lake.migrations, to: kernel.databases.lake, at: kernel.clock.now())
        try await Migration.apply(
            Lake.migrations + recordMigrations,
            to: kernel.databases.records,
            at: kernel.clock.now()
        )
        postGIS = try await ShapeIndex.postGIS(in: kernel.databases.lake)
        try await recover(living: try await kernel.databases.shared?.connected())
        for database in [kernel.databases.lake, kernel.databases.records] { try await indexShapes(database) }
    }

    /// What finds shapes in new tables.
    var shapes: ShapeIndex { postGIS == nil ? .boxes : .postGIS }

    /// Makes what finds shapes where it is missing: tables of earlier releases, of another engine, from before PostGIS was installed.
    private func indexShapes(_ database: any Database) async throws {
        let states = try await database.read { [shapes] db in
            try db.rows("SELECT \(TableState.columns) FROM tables WHERE shapes <> ?", [.text(shapes.rawValue)]).map(
                TableState.read
            )
        }
        for state in states {
            let table = state.table
            // What a table of an earlier release holds may be no shape: then boxes do, and without them every row is looked at.
            for kind in shapes == .postGIS ? [ShapeIndex.postGIS, .boxes, .none] : [.boxes, .none] {
                let statements = table.shapeStatements(kind, database.dialect, postGIS: postGIS)
                let old =
                    database.dialect == .postgresql
                    ? table.shapeFields.map { "DROP INDEX IF EXISTS \(table.boxName($0))" } : []
                do {
                    try await database.write { db in
                        for statement in old + statements { try db.execute(statement) }
                        try db.execute(
                            "UPDATE tables SET shapes = ? WHERE resource = ?",
                            [.text(kind.rawValue), .integer(state.resource.raw)]
                        )
                    }
                    break
                } catch let problem as Problem where kind != .none && problem.code != "store.unavailable" {}
            }
        }
    }

    /// Makes indexes of points of an earlier release anew, which hold cells only: they serve until then, by way of the rows.
    public func renewShapes() async throws {
        for database in [kernel.databases.lake, kernel.databases.records] where database.dialect == .sqlite {
            let old = try await database.read { db in
                try db.rows(
                    "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND name GLOB 'r*_box' AND sql GLOB '*, _id)'"
                ).map { ($0.text(0), $0.text(1)) }
            }
            for (name, physical) in old {
                try await database.write { [shapes] db in
                    guard
                        let row = try db.row(
                            "SELECT \(TableState.columns) FROM tables WHERE physical = ?",
                            [.text(physical)]
                        )
                    else { return }
                    try db.execute("DROP INDEX IF EXISTS \(name)")
                    let statements = try TableState.read(row).table.shapeStatements(shapes, .sqlite, postGIS: nil)
                    for statement in statements where statement.hasPrefix("CREATE INDEX IF NOT EXISTS \(name) ") {
                        try db.execute(statement)
                    }
                }
            }
        }
    }

    public static let migrations = [
        Migration(
            "lake/001-begin",
            [
                """
                CREATE TABLE tables (resource BIGINT PRIMARY KEY, physical TEXT NOT NULL, schema TEXT NOT NULL, next_id BIGINT NOT NULL,
                next_seq BIGINT NOT NULL, rows BIGINT NOT NULL, load BIGINT NOT NULL, updated_at BIGINT NOT NULL)
                """,
                """
                CREATE TABLE loads (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, job BIGINT, mode TEXT NOT NULL, state TEXT NOT NULL,
                source TEXT NOT NULL, digest TEXT NOT NULL, principal BIGINT NOT NULL, started_at BIGINT NOT NULL, finished_at BIGINT,
                good BIGINT NOT NULL DEFAULT 0, bad BIGINT NOT NULL DEFAULT 0, first_seq BIGINT NOT NULL DEFAULT 0,
                last_seq BIGINT NOT NULL DEFAULT 0, report TEXT)
                """,
                "CREATE INDEX loads_resource ON loads (resource, id)",
                "CREATE UNIQUE INDEX loads_job ON loads (job)",
                "CREATE TABLE tombstones (resource BIGINT NOT NULL, seq BIGINT NOT NULL, row_id BIGINT NOT NULL, load BIGINT NOT NULL, PRIMARY KEY (resource, seq))",
                "CREATE TABLE quarantine (load BIGINT NOT NULL, row BIGINT NOT NULL, cells TEXT NOT NULL, reasons TEXT NOT NULL)",
                "CREATE INDEX quarantine_load ON quarantine (load, row)",
                "CREATE TABLE quarantine_headers (load BIGINT PRIMARY KEY, cells TEXT NOT NULL)",
                "CREATE TABLE outbox (id INTEGER PRIMARY KEY, payload TEXT NOT NULL)",
            ]
        ),
        Migration("lake/002-ordinals", ["ALTER TABLE tables ADD COLUMN ordinals TEXT NOT NULL DEFAULT ''"]),
        Migration(
            "lake/003-processes",
            [
                "ALTER TABLE loads ADD COLUMN worker TEXT",
                "CREATE TABLE retired (physical TEXT PRIMARY KEY, at BIGINT NOT NULL)",
            ],
            postgresql: Kernel.tellingStatements([("tables", "resource")])
        ),
        Migration(
            "lake/004-shapes",
            ["ALTER TABLE tables ADD COLUMN shapes TEXT NOT NULL DEFAULT ''"],
            postgresql: [
                // The box around a GeoJSON geometry: positions are the arrays that begin with a number. What cannot be read may lie anywhere.
                """
                CREATE FUNCTION tongqu_box(shape TEXT) RETURNS box LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
                DECLARE
                    around box;
                BEGIN
                    SELECT box(point(min(CAST(p ->> 0 AS float8)), min(CAST(p ->> 1 AS float8))),
                    point(max(CAST(p ->> 0 AS float8)), max(CAST(p ->> 1 AS float8)))) INTO around
                    FROM jsonb_path_query(CAST(shape AS jsonb), 'strict $.** ? (@.type() == "array" && @[0].type() == "number")') AS p;
                    RETURN coalesce(around, box(point(-180, -90), point(180, 90)));
                EXCEPTION WHEN OTHERS THEN
                    RETURN box(point(-180, -90), point(180, 90));
                END $$
                """
            ]
        ),
    ]

    /// Clears up after processes that stopped: their loads are failed (the jobs run again), tables and versions nobody points to go.
    /// `living` are the processes at work, whose loads are left to them; nil where there is only this one.
    public func recover(living: Set<String>?) async throws {
        for database in [kernel.databases.lake, kernel.databases.records] { try await recover(database, living) }
        // Versions that were being written; listed before the loads are, so that none that begins now is among them.
        let versions = folder.appendingPathComponent("versions")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: versions.path)) ?? []
        let running = try await kernel.databases.lake.read { db in
            Set(
                try db.rows("SELECT resource, id FROM loads WHERE state = 'running'").map {
                    "\($0.integer(0))-\($0.integer(1))"
                }
            )
        }
        for name in names
        where name.hasSuffix(".part") && !running.contains(String(name.prefix { $0 != "." })) {
            try? FileManager.default.removeItem(at: versions.appendingPathComponent(name))
        }
    }

    /// How long a replaced table stays where other processes may still read it, microseconds.
    static let retirement: Int64 = 15 * 60_000_000

    private func recover(_ database: any Database, _ living: Set<String>?) async throws {
        let now = kernel.clock.now()
        let orphans = try await database.write { db in
            var kept = Set(try db.rows("SELECT physical FROM tables").map { $0.text(0) })
            var unfinished: [Int64] = []
            for row in try db.rows("SELECT id, resource, worker FROM loads WHERE state = 'running'") {
                if living?.contains(row.text(2)) == true {
                    kept.insert("r\(row.integer(1))_\(row.integer(0))")
                } else {
                    unfinished.append(row.integer(0))
                }
            }
            if living != nil {
                try db.execute("DELETE FROM retired WHERE at < ?", [.integer(now - Lake.retirement)])
                kept.formUnion(try db.rows("SELECT physical FROM retired").map { $0.text(0) })
            }
            for load in unfinished {
                try db.execute("DELETE FROM quarantine WHERE load = ?", [.integer(load)])
                try db.execute("DELETE FROM quarantine_headers WHERE load = ?", [.integer(load)])
                try db.execute(
                    "UPDATE loads SET state = 'failed', job = NULL, finished_at = ? WHERE id = ?",
                    [.integer(now), .integer(load)]
                )
            }
            let current = kept
            return try db.tables().filter { name in
                let parts = name.dropFirst().split(separator: "_", omittingEmptySubsequences: false)
                let isRows =
                    name.hasPrefix("r") && parts.count == 2
                    && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
                return isRows && !current.contains(name)
            }
        }
        for name in orphans { try await database.write { db in try PhysicalTable.drop(name, db) } }
    }

    func database(_ resource: Resource) -> any Database {
        resource.storage == .records ? kernel.databases.records : kernel.databases.lake
    }

    /// The state of a resource's table; nil where it has none yet.
    func state(_ resource: Resource) async throws -> TableState? {
        if let known = states[resource.id] { return known }
        let epoch = states.epoch
        let state = try await database(resource).read { db in
            try TableState.current(resource.id, db)
        }
        if let state { states.store(state, for: resource.id, since: epoch) }
        return state
    }

    /// The state of a table that is about to be read: rows that are made when they are asked for are made now.
    func readable(_ resource: Resource) async throws -> TableState? {
        try await derived?.renew(resource)
        return try await state(resource)
    }

    // MARK: Events

    /// Registers who learns of loads. An event is given again until every subscriber took it.
    public func subscribe(_ body: @escaping @Sendable (LoadedEvent) async throws -> Void) {
        subscribers.withLock { $0.append(body) }
    }

    /// Tells how many records each resource kept by forms holds, where that may have changed; at the start of all of them.
    public func tellCounts(
        all: Bool = false,
        _ body: @Sendable (ResourceID, _ rows: Int64, _ at: Int64) async throws -> Void
    ) async throws {
        let changed = touched.withLock { touched in
            defer { touched = [] }
            return touched
        }
        guard all || !changed.isEmpty else { return }
        let list = changed.map { String($0.raw) }.joined(separator: ",")
        let counts = try await kernel.databases.records.read { db in
            try db.rows(
                "SELECT resource, rows, updated_at FROM tables\(all ? "" : " WHERE resource IN (\(list))")"
            )
        }
        for count in counts { try await body(ResourceID(count.integer(0)), count.integer(1), count.integer(2)) }
    }

    /// Hands events of the outbox on; called after loads and at the start.
    public func deliver() async throws {
        for database in [kernel.databases.lake, kernel.databases.records] {
            while true {
                let rows = try await database.read {
                    try $0.rows("SELECT id, payload FROM outbox ORDER BY id LIMIT 100")
                }
                if rows.isEmpty { break }
                for row in rows {
                    let payload = try JSONValue(text: row.text(1))
                    let event = LoadedEvent(
                        load: payload["load"]?.integer ?? 0,
                        resource: ResourceID(payload["resource"]?.integer ?? 0),
                        // What an earlier release left in the outbox says nothing of it.
                        mode: payload["mode"]?.string.flatMap(LoadMode.init(rawValue:)) ?? .replace,
                        at: payload["at"]?.integer ?? 0,
                        rows: payload["rows"]?.integer ?? 0,
                        good: payload["good"]?.integer ?? 0,
                        bad: payload["bad"]?.integer ?? 0,
                        report: payload["report"] ?? .null
                    )
                    for subscriber in subscribers.withLock({ $0 }) { try await subscriber(event) }
                    let id = row.values[0]
                    try await database.write { db in try db.execute("DELETE FROM outbox WHERE id = ?", [id]) }
                }
            }
        }
    }

    static func outbox(_ event: LoadedEvent, _ db: any SQLWriting) throws {
        let payload = JSONValue.object([
            .init("load", .integer(event.load)), .init("resource", .integer(event.resource.raw)),
            .init("mode", .string(event.mode.rawValue)), .init("at", .integer(event.at)),
            .init("rows", .integer(event.rows)), .init("good", .integer(event.good)), .init("bad", .integer(event.bad)),
            .init("report", event.report),
        ])
        try db.execute("INSERT INTO outbox (payload) VALUES (?)", [.text(payload.text)])
    }

    // MARK: Tables in use

    func retain(_ physical: String) { readers.withLock { $0[physical, default: 0] += 1 } }

    func release(_ physical: String) {
        readers.withLock { readers in
            let left = (readers[physical] ?? 1) - 1
            readers[physical] = left > 0 ? left : nil
        }
    }

    /// Another process changed a resource's table; nil for any.
    public func heard(resource: Int64?) {
        guard let resource else { return states.forget { _, _ in true } }
        states.forget(ResourceID(resource))
    }

    /// Drops tables that were replaced and are no longer read. Where other processes may read them they go later, in ``recover(living:)``.
    func dropRetired(_ database: any Database) async throws {
        guard kernel.databases.shared == nil else { return }
        let free = retired.withLock { retired in
            let busy = readers.withLock { Set($0.keys) }
            let free = retired.subtracting(busy)
            retired.subtract(free)
            return free
        }
        for name in free {
            held.forget(name)
            try await database.write { db in try PhysicalTable.drop(name, db) }
        }
    }

    // MARK: Loads

    /// The loads of a resource, newest first.
    func loads(of resource: Resource, limit: Int) async throws -> [Load] {
        try await database(resource).read { db in
            try db.rows(
                "SELECT \(Load.columns) FROM loads WHERE resource = ? ORDER BY id DESC LIMIT \(limit)",
                [.integer(resource.id.raw)]
            )
            .map(Load.read)
        }
    }

    func load(_ id: Int64, of resource: Resource) async throws -> Load {
        let found = try await database(resource).read { db in
            try db.row(
                "SELECT \(Load.columns) FROM loads WHERE id = ? AND resource = ?",
                [.integer(id), .integer(resource.id.raw)]
            ).map(Load.read)
        }
        guard let found else { throw Problem.notFound(.init("批次", "the load")) }
        return found
    }

    func quarantine(
        _ load: Int64,
        of resource: Resource,
        after: Int64,
        limit: Int
    ) async throws -> (header: [String], rows: [QuarantinedRow]) {
        _ = try await self.load(load, of: resource)
        return try await database(resource).read { db in
            let header = try db.row("SELECT cells FROM quarantine_headers WHERE load = ?", [.integer(load)]).map {
                try JSONValue(text: $0.text(0))
            }
            let rows = try db.rows(
                "SELECT row, cells, reasons FROM quarantine WHERE load = ? AND row > ? ORDER BY row LIMIT \(limit)",
                [.integer(load), .integer(after)]
            )
            return (
                header?.array?.compactMap(\.string) ?? [],
                try rows.map { row in
                    QuarantinedRow(
                        row: row.integer(0),
                        cells: try JSONValue(text: row.text(1)).array?.compactMap(\.string) ?? [],
                        reasons: try JSONValue(text: row.text(2)).array?.compactMap(\.string) ?? []
                    )
                }
            )
        }
    }
}
