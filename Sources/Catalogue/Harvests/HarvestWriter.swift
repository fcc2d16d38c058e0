import Basics
import Harvest
import Kernel
import Seal
import Store
import Tabular

/// Makes a harvest's entries those of the catalogue, some hundred in a transaction; what is there already is told by its digest.
struct HarvestWriter {
    private let catalogue: Catalogue
    private let harvest: CatalogueHarvest
    private let job: Int64
    private let author: PrincipalID
    private(set) var report = HarvestReport()
    /// Identifiers met in this reading: pages may overlap.
    private var met: Set<Hash128> = []
    /// Entries that could not be read: they may be some that are known.
    private var faults: Int64 = 0

    init(_ catalogue: Catalogue, _ harvest: CatalogueHarvest, _ job: Int64, _ author: PrincipalID) {
        self.catalogue = catalogue
        self.harvest = harvest
        self.job = job
        self.author = author
    }

    mutating func refuse(page: Int, index: Int, _ problem: Problem, keeping most: Int) {
        report.refused += 1
        if problem.code != "harvest.entry_withdrawn" { faults += 1 }
        guard report.reasons.count < most else { return }
        report.reasons.append("\(page)/\(index + 1) \(problem.message.zh) \(problem.message.en)")
    }

    mutating func take(_ entries: [HarvestedEntry]) async throws {
        var fresh: [HarvestedEntry] = []
        for entry in entries where met.insert(Hash128(entry.identifier)).inserted { fresh.append(entry) }
        report.seen += Int64(fresh.count)
        for start in stride(from: 0, to: fresh.count, by: Harvests.chunk) {
            try await write(Array(fresh[start..<min(start + Harvests.chunk, fresh.count)]))
        }
    }

    /// What one transaction did.
    private struct Done: Sendable {
        var created: Int64 = 0
        var changed: Int64 = 0
        var unchanged: Int64 = 0
        var kept: Int64 = 0
        var withdrawn: Int64 = 0
        var looked = 0
        var codes: [String] = []
    }

    private mutating func write(_ entries: [HarvestedEntry]) async throws {
        let kernel = catalogue.kernel
        let now = kernel.clock.now()
        let surroundings = try await catalogue.surroundings()
        let (harvest, job, author) = (harvest, job, author)
        let told = entries.map { entry -> (entry: HarvestedEntry, text: String, digest: String) in
            let canonical = entry.canonical
            return (
                entry, String(decoding: canonical, as: UTF8.self), Digest(.sm3, of: canonical).description
            )
        }
        let done = try await kernel.databases.control.write { db in
            var done = Done()
            let marks = Array(repeating: "?", count: told.count).joined(separator: ",")
            let known = Dictionary(
                try db.rows(
                    "SELECT identifier, resource, digest, gone FROM harvested WHERE harvest = ? AND identifier IN (\(marks))",
                    [.integer(harvest.id)] + told.map { .text($0.entry.identifier) }
                ).map { ($0.text(0), $0) },
                uniquingKeysWith: { first, _ in first }
            )
            for (entry, text, digest) in told {
                let content = HarvestWriter.content(entry, harvest)
                guard let row = known[entry.identifier] else {
                    let code = try Catalogue.nextCode(harvest.category, db)
                    try Catalogue.insert(code, content, .lake, author, now, surroundings, db)
                    let made = try HarvestWriter.entry(code: code, db)
                    if harvest.publishes { try Catalogue.publish(made, harvest.name, author, now, surroundings, db) }
                    try db.execute(
                        "INSERT INTO harvested (harvest, identifier, resource, digest, content, seen) VALUES (?,?,?,?,?,?)",
                        [
                            .integer(harvest.id), .text(entry.identifier), .integer(made.resource.id.raw),
                            .text(digest), .text(text), .integer(job),
                        ]
                    )
                    done.created += 1
                    done.codes.append(code)
                    continue
                }
                if row.text(2) == digest, !row.flag(3) {
                    done.unchanged += 1
                    try HarvestWriter.see(harvest, entry.identifier, nil, job, db)
                    continue
                }
                let old = try HarvestWriter.entry(resource: row.integer(1), db)
                // What people work on here is theirs; it is asked again at the next reading.
                // What a reviewer took off the lists stays off them.
                let isMine = old.stage == .none || old.stage == .draft && old.author == author
                guard isMine, old.resource.state != .offline || row.flag(3) else {
                    done.kept += 1
                    try HarvestWriter.see(harvest, entry.identifier, nil, job, db)
                    continue
                }
                var mended = content
                if let before = old.content {
                    // What was added here stays: items, their policies, and the department.
                    mended.schema = before.schema
                    mended.items = before.items
                    mended.category = before.category
                }
                try Catalogue.update(old, mended, author, now, surroundings, db)
                // What comes back as it was is published again; what comes back otherwise is reviewed first.
                if harvest.publishes || row.flag(3) && old.version > 0 && row.text(2) == digest {
                    let draft = try HarvestWriter.entry(resource: row.integer(1), db)
                    try Catalogue.publish(draft, harvest.name, author, now, surroundings, db)
                }
                try HarvestWriter.see(harvest, entry.identifier, (digest, text), job, db)
                done.changed += 1
                done.codes.append(old.resource.code)
            }
            return done
        }
        try await add(done)
    }

    private mutating func add(_ done: Done) async throws {
        report.created += done.created
        report.changed += done.changed
        report.unchanged += done.unchanged
        report.kept += done.kept
        report.withdrawn += done.withdrawn
        for code in done.codes { catalogue.kernel.forget(resource: code) }
        try await catalogue.index.refresh([], codes: done.codes)
    }

    private static func see(
        _ harvest: CatalogueHarvest,
        _ identifier: String,
        _ changed: (digest: String, text: String)?,
        _ job: Int64,
        _ db: any SQLWriting
    ) throws {
        let place: [SQLValue] = [.integer(harvest.id), .text(identifier)]
        if let changed {
            try db.execute(
                "UPDATE harvested SET seen = CASE WHEN seen > ? THEN seen ELSE ? END, gone = 0, digest = ?, content = ? WHERE harvest = ? AND identifier = ?",
                [.integer(job), .integer(job), .text(changed.digest), .text(changed.text)] + place
            )
        } else {
            try db.execute(
                "UPDATE harvested SET seen = CASE WHEN seen > ? THEN seen ELSE ? END WHERE harvest = ? AND identifier = ?",
                [.integer(job), .integer(job)] + place
            )
        }
    }

    private static let selection =
        "SELECT \(Catalogue.columns) FROM resources r JOIN entries e ON e.resource = r.id WHERE "

    private static func entry(code: String, _ db: any SQLReading) throws -> Entry {
        guard let row = try db.row(selection + "r.code = ?", [.text(code)]) else {
            throw Problem.notFound(.init("目录条目", "the entry"))
        }
        return try Catalogue.read(row)
    }

    private static func entry(resource: Int64, _ db: any SQLReading) throws -> Entry {
        guard let row = try db.row(selection + "r.id = ?", [.integer(resource)]) else {
            throw Problem.notFound(.init("目录条目", "the entry"))
        }
        return try Catalogue.read(row)
    }

    /// After the last page: what was not met is gone there and withdrawn here.
    ///
    /// Where more than half of many would go, nothing does: a source that lost its catalogue has not withdrawn it.
    mutating func finish() async throws {
        let kernel = catalogue.kernel
        let (harvest, job, author) = (harvest, job, author)
        let counts = try await kernel.databases.control.read { db in
            try db.row(
                "SELECT count(*), COALESCE(sum(CASE WHEN seen < ? THEN 1 ELSE 0 END), 0) FROM harvested WHERE harvest = ? AND gone = 0",
                [.integer(job), .integer(harvest.id)]
            )
        }
        let (all, lost) = (counts?.integer(0) ?? 0, counts?.integer(1) ?? 0)
        guard lost > 0 else { return }
        guard lost > faults else {
            report.reasons.append(
                "有 \(faults) 条无法识别，未出现的 \(lost) 条未予撤回。 \(faults) entries could not be read; the \(lost) that are missing stay."
            )
            return
        }
        guard lost <= 10 || lost * 2 <= all else {
            report.reasons.append(
                "对方目录少了 \(lost) 条(共 \(all) 条)，超过一半，未予撤回。 \(lost) of \(all) entries are missing there, more than half: none was withdrawn."
            )
            return
        }
        while true {
            let now = kernel.clock.now()
            let done = try await kernel.databases.control.write { db in
                var done = Done()
                let rows = try db.rows(
                    "SELECT identifier, resource FROM harvested WHERE harvest = ? AND gone = 0 AND seen < ? LIMIT \(Harvests.chunk)",
                    [.integer(harvest.id), .integer(job)]
                )
                for row in rows {
                    let entry = try HarvestWriter.entry(resource: row.integer(1), db)
                    // Off the lists by somebody's hand, or worked on here: nothing of the harvest's, and seen as it is.
                    let isOurs = entry.resource.state != .offline && entry.stage == .none || entry.version == 0
                    if isOurs { try Catalogue.takeOffline(entry.resource, harvest.name, author, now, db) }
                    try db.execute(
                        "UPDATE harvested SET gone = ?, seen = ? WHERE harvest = ? AND identifier = ?",
                        [.integer(isOurs ? 1 : 0), .integer(job), .integer(harvest.id), .text(row.text(0))]
                    )
                    done.withdrawn += isOurs ? 1 : 0
                    done.looked += 1
                    done.codes.append(entry.resource.code)
                }
                return done
            }
            guard done.looked > 0 else { break }
            try await add(done)
        }
        try await kernel.gate.reload()
    }

    // MARK: What an entry says here

    private static let formats: [String: FormatClass] = [
        "csv": .spreadsheet, "xls": .spreadsheet, "xlsx": .spreadsheet, "ods": .spreadsheet, "json": .selfDescribing,
        "geojson": .selfDescribing, "xml": .selfDescribing, "pdf": .document, "doc": .document, "docx": .document,
        "html": .document, "txt": .document, "jpg": .image, "jpeg": .image, "png": .image, "gif": .image, "tif": .image,
        "shp": .database, "sqlite": .database, "mdb": .database, "mp4": .media,
    ]

    static func content(_ entry: HarvestedEntry, _ harvest: CatalogueHarvest) -> EntryContent {
        let format = entry.resources.lazy.compactMap(\.format).first
        return EntryContent(
            name: entry.title,
            category: harvest.category,
            provider: harvest.provider,
            department: String((entry.publisher ?? "").prefix(190)),
            summary: entry.summary.isEmpty ? entry.title : entry.summary,
            keywords: entry.keywords,
            formatClass: format.flatMap { formats[$0] } ?? .document,
            formatType: String((format ?? "html").prefix(40)),
            frequency: entry.frequency.flatMap { UpdateFrequency(rawValue: $0.rawValue) } ?? .irregular,
            // What the rows hold stands in the other catalogue; here it is one item, until somebody says more.
            schema: Schema(fields: [Field("content", title: "全部内容", detail: "信息项见来源目录。")]),
            items: [
                ItemPolicy(
                    sharing: .conditional,
                    condition: entry.licence.map { "按来源目录的许可：" + String($0.prefix(500)) } ?? "按来源目录的规定"
                )
            ]
        )
    }
}
