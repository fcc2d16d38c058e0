public import Basics
public import Harvest
import Kernel
import Seal
public import Store
import Tabular

/// The catalogues that this one follows, and following them.
public final class Harvests: Sendable {
    /// Gets a page's bytes: composition passes the node's client for other systems.
    public typealias Fetch = @Sendable (_ address: String, _ kind: HarvestKind) async throws -> [UInt8]

    let catalogue: Catalogue
    private let fetch: Fetch
    var kernel: Kernel { catalogue.kernel }

    /// The kind of the jobs that read a catalogue.
    static let job = "harvest"
    /// Entries of one transaction.
    static let chunk = 500
    /// Pages at the most: a catalogue that never ends is none.
    private static let mostPages = 100_000
    private static let keptReasons = 20

    public static let migrations = [
        Migration(
            "catalogue/harvests",
            [
                """
                CREATE TABLE harvests (id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, address TEXT NOT NULL,
                columns TEXT NOT NULL, provider BIGINT NOT NULL, category TEXT NOT NULL, publishes INTEGER NOT NULL, hours BIGINT NOT NULL,
                enabled INTEGER NOT NULL, principal BIGINT NOT NULL, next_at BIGINT, last_at BIGINT, report TEXT, problem TEXT)
                """,
                "CREATE INDEX harvests_due ON harvests (enabled, next_at)",
                """
                CREATE TABLE harvested (harvest BIGINT NOT NULL, identifier TEXT NOT NULL, resource BIGINT NOT NULL, digest TEXT NOT NULL,
                content TEXT NOT NULL, seen BIGINT NOT NULL, gone INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (harvest, identifier))
                """,
                "CREATE INDEX harvested_resource ON harvested (resource)",
                "CREATE INDEX harvested_seen ON harvested (harvest, gone, seen)",
            ]
        )
    ]

    public init(catalogue: Catalogue, fetch: @escaping Fetch) {
        self.catalogue = catalogue
        self.fetch = fetch
    }

    static let unknown = Problem.notFound(.init("目录汇聚", "the harvest"))

    func find(_ id: Int64) async throws -> CatalogueHarvest {
        let found = try await kernel.databases.control.read { db in
            try db.row("SELECT \(CatalogueHarvest.columnsSQL) FROM harvests WHERE id = ?", [.integer(id)]).map(
                CatalogueHarvest.read
            )
        }
        guard let found else { throw Harvests.unknown }
        return found
    }

    func list() async throws -> [CatalogueHarvest] {
        try await kernel.databases.control.read { db in
            try db.rows("SELECT \(CatalogueHarvest.columnsSQL) FROM harvests ORDER BY id LIMIT 500").map(
                CatalogueHarvest.read
            )
        }
    }

    /// Adds one, or changes one.
    func save(_ harvest: CatalogueHarvest, by principal: PrincipalID) async throws -> Int64 {
        try harvest.validate(kernel.gate.organisations)
        let now = kernel.clock.now()
        let values: [SQLValue] = [
            .text(harvest.name), .text(harvest.kind.rawValue), .text(harvest.address), .text(harvest.columns),
            .integer(harvest.provider.raw), .text(harvest.category), .integer(harvest.publishes ? 1 : 0),
            .integer(harvest.hours), .integer(harvest.isEnabled ? 1 : 0), .integer(principal.raw),
            harvest.hours > 0 ? .integer(now) : .null,
        ]
        return try await kernel.databases.control.write { db in
            guard harvest.id > 0 else {
                try db.execute(
                    "INSERT INTO harvests (name, kind, address, columns, provider, category, publishes, hours, enabled, principal, next_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                    values
                )
                return db.lastInsertedID
            }
            let changed = try db.execute(
                "UPDATE harvests SET name = ?, kind = ?, address = ?, columns = ?, provider = ?, category = ?, publishes = ?, hours = ?, enabled = ?, principal = ?, next_at = ? WHERE id = ?",
                values + [.integer(harvest.id)]
            )
            guard changed == 1 else { throw Harvests.unknown }
            return harvest.id
        }
    }

    /// Takes one away; the entries that came by it stay as they are.
    func remove(_ id: Int64) async throws {
        try await kernel.databases.control.write { db in
            guard try db.execute("DELETE FROM harvests WHERE id = ?", [.integer(id)]) == 1 else {
                throw Harvests.unknown
            }
            try db.execute("DELETE FROM harvested WHERE harvest = ?", [.integer(id)])
        }
    }

    /// Queues a reading; the job.
    func start(_ harvest: CatalogueHarvest, by principal: PrincipalID) async throws -> Int64 {
        try await kernel.jobs.add(
            Harvests.job,
            .object([.init("harvest", .integer(harvest.id))]),
            by: principal,
            // Readings of one catalogue wait for each other, as loads of one resource do.
            resource: "harvest \(harvest.id)"
        )
    }

    /// Queues what is due. Called every few seconds by the process that leads.
    public func keepUp() async throws {
        let now = kernel.clock.now()
        let due = try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT \(CatalogueHarvest.columnsSQL) FROM harvests WHERE enabled = 1 AND next_at <= ? ORDER BY next_at LIMIT 20",
                [.integer(now)]
            ).map(CatalogueHarvest.read)
        }
        for harvest in due {
            let next = now + harvest.hours * 3_600_000_000
            let taken = try await kernel.databases.control.write { db in
                try db.execute(
                    "UPDATE harvests SET next_at = ? WHERE id = ? AND next_at <= ?",
                    [harvest.hours > 0 ? .integer(next) : .null, .integer(harvest.id), .integer(now)]
                )
            }
            if taken == 1 { _ = try await start(harvest, by: harvest.principal) }
        }
    }

    /// Where an entry came from; nil for one that was made here.
    func origin(of resource: ResourceID) async throws -> EntryOrigin? {
        try await kernel.databases.control.read { db in
            try db.row(
                "SELECT h.name, h.address, d.identifier, d.content, d.gone, h.last_at FROM harvested d JOIN harvests h ON h.id = d.harvest WHERE d.resource = ? LIMIT 1",
                [.integer(resource.raw)]
            ).map { row in
                EntryOrigin(
                    harvest: row.text(0),
                    address: row.text(1),
                    identifier: row.text(2),
                    content: try JSONValue(text: row.text(3)),
                    isGone: row.flag(4),
                    checkedAt: row.optionalInteger(5)
                )
            }
        }
    }

    // MARK: Reading a catalogue

    /// Names the code of the jobs.
    public func registerJobs() {
        kernel.jobs.register(Harvests.job, lane: .outside) { [self] job, progress in
            let harvest = try await find(job.payload["harvest"]?.integer ?? 0)
            guard let principal = try await kernel.accounts.find(job.principal), principal.isActive else {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "提交任务的账号已停用。",
                    en: "The account that queued the job is disabled."
                )
            }
            let caller = Caller(principal: principal, trace: "job-\(job.id)")
            do {
                let report = try await kernel.gate.perform(run, (harvest.id, job.id, progress), as: caller)
                try await note(harvest, report, problem: nil)
                return report.json
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                let problem = error as? Problem
                try await note(harvest, nil, problem: problem?.message.zh ?? "汇聚失败。")
                throw error
            }
        }
    }

    private func note(_ harvest: CatalogueHarvest, _ report: HarvestReport?, problem: String?) async throws {
        let now = kernel.clock.now()
        try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE harvests SET last_at = ?, report = COALESCE(?, report), problem = ? WHERE id = ?",
                [.integer(now), SQLValue(report?.json.text), SQLValue(problem), .integer(harvest.id)]
            )
        }
    }

    /// Reads a catalogue from its first page to its last. What came before a page that fails stays; nothing is withdrawn then.
    func read(
        _ harvest: CatalogueHarvest,
        _ job: Int64,
        by author: PrincipalID,
        _ progress: @Sendable (Int64, Int64) -> Void
    ) async throws -> HarvestReport {
        let reader = harvest.kind.reader(HarvestSettings(address: harvest.address, columns: try harvest.mapping()))
        var writer = HarvestWriter(catalogue, harvest, job, author)
        var address = harvest.address
        var place: HarvestNext?
        var page = try await fetch(address, harvest.kind)
        var names: [String] = []
        var digests: Set<[UInt8]> = [Digest(.sha256, of: page).bytes]
        for number in 1...Harvests.mostPages {
            let found = try reader.read(page: page, at: place)
            for refusal in found.refusals {
                writer.refuse(page: number, index: refusal.index, refusal.problem, keeping: Harvests.keptReasons)
            }
            try await writer.take(found.entries)
            progress(writer.report.seen, Int64(found.total ?? 0))
            try Task.checkCancellation()
            if case .names(let list) = found.next { names += list }
            switch found.next {
            case .rest: place = found.next
            case .link(let next):
                address = next
                place = found.next
                page = try await fetch(address, harvest.kind)
            case .offset(let start):
                place = found.next
                page = try await fetch(try Harvests.address(address, "start", String(start)), harvest.kind)
            case .names, nil:
                guard let name = names.popLast() else {
                    try await writer.finish()
                    return writer.report
                }
                place = nil
                page = try await fetch(try Harvests.show(harvest.address, name), harvest.kind)
            }
            // The same bytes as before, asked for elsewhere: the source does not page.
            if case .rest = found.next { continue }
            guard digests.insert(Digest(.sha256, of: page).bytes).inserted else {
                throw Problem(
                    "harvest.format",
                    status: 502,
                    zh: "对方目录翻页后内容不变，汇聚中止。",
                    en: "The catalogue gives the same page again; the harvest ends."
                )
            }
        }
        throw Problem("harvest.too_large", status: 502, zh: "对方目录页数过多。", en: "The catalogue has too many pages.")
    }

    /// An address with a parameter set.
    private static func address(_ text: String, _ name: String, _ value: String) throws(Problem) -> String {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let others = (parts.count > 1 ? parts[1].split(separator: "&").map(String.init) : []).filter {
            !$0.hasPrefix(name + "=")
        }
        return parts[0] + "?" + (others + ["\(name)=\(value)"]).joined(separator: "&")
    }

    /// Where CKAN shows one dataset, beside its list of names.
    private static func show(_ list: String, _ name: String) throws(Problem) -> String {
        let path = list.split(separator: "?")[0]
        guard let slash = path.lastIndex(of: "/") else {
            throw CatalogueHarvest.invalid("地址有误", "the address is wrong")
        }
        let plain = name.utf8.map { byte -> String in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2D || byte == 0x5F || byte == 0x2E
            return isPlain ? String(UnicodeScalar(byte)) : "%" + Hexadecimal.text([byte]).uppercased()
        }
        return path[...slash] + "package_show?id=" + plain.joined()
    }
}

/// Where an entry came from.
public struct EntryOrigin: Sendable {
    public var harvest: String
    public var address: String
    public var identifier: String
    /// The entry as the other catalogue gives it.
    public var content: JSONValue
    public var isGone: Bool
    public var checkedAt: Int64?
}
