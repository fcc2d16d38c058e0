import Basics
public import Kernel
public import Store
import Synchronization
import Tabular

/// The catalogue: entries, their life, their search.
public final class Catalogue: Sendable {
    let kernel: Kernel
    let index: SearchIndex
    let standards: Standards
    private let rules = Mutex<[@Sendable (Resource, EntryContent) async throws -> Void]>([])

    public static let migrations = [
        Migration(
            "catalogue/001-entries",
            [
                """
                CREATE TABLE entries (resource BIGINT PRIMARY KEY REFERENCES resources (id), category TEXT NOT NULL, published TEXT,
                draft TEXT, stage TEXT NOT NULL, version BIGINT NOT NULL, author BIGINT NOT NULL, published_at BIGINT,
                changed_at BIGINT NOT NULL, rows BIGINT NOT NULL DEFAULT 0, data_at BIGINT, score REAL, frequency TEXT NOT NULL,
                format TEXT NOT NULL, level TEXT NOT NULL, comparable TEXT NOT NULL)
                """,
                "CREATE INDEX entries_stage ON entries (stage, changed_at)",
                "CREATE INDEX entries_comparable ON entries (comparable)",
                "CREATE INDEX resources_owner ON resources (owner, id)",
                "CREATE TABLE entry_events (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, at BIGINT NOT NULL, actor TEXT NOT NULL, what TEXT NOT NULL, note TEXT NOT NULL)",
                "CREATE INDEX entry_events_resource ON entry_events (resource, id)",
                "CREATE TABLE entry_versions (resource BIGINT NOT NULL, version BIGINT NOT NULL, content TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (resource, version))",
                "CREATE TABLE code_sequences (category TEXT PRIMARY KEY, last BIGINT NOT NULL)",
            ],
            sqlite: [
                "CREATE VIRTUAL TABLE entries_text USING fts5 (title, body, tokenize = 'unicode61 remove_diacritics 2')"
            ],
            postgresql: [
                "CREATE TABLE entries_text (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
                "CREATE INDEX entries_text_words ON entries_text USING gin (words)",
            ]
        ),
        Migration(
            "catalogue/002-items",
            [
                "ALTER TABLE entries ADD COLUMN items BIGINT NOT NULL DEFAULT 0"
            ],
            sqlite: [
                "UPDATE entries SET items = coalesce(json_array_length(coalesce(published, draft), '$.items'), 0)"
            ]
        ),
        Standards.migration, Standards.remarksMigration,
    ]

    public init(kernel: Kernel) async throws {
        self.kernel = kernel
        index = SearchIndex(kernel.databases.control)
        standards = Standards(database: kernel.databases.control, clock: kernel.clock)
    }

    /// Takes notice of what another process changed: entries by their resources, the standards, or anything.
    public func heard(entries: [Int64]?, codes: [String], standards changed: Bool) async throws {
        if changed { standards.forget() }
        if let entries { try await index.refresh(entries, codes: codes) } else { try await index.reload() }
    }

    /// Reads the facets of every entry; until it is done the first search waits for it.
    public func warm() async throws { try await index.load() }

    static let columns =
        "r.id, r.code, r.name, r.owner, r.state, r.storage, r.schema, r.sharing, r.openness, r.is_open, e.published, e.draft, e.stage, e.version, e.author, e.published_at, e.changed_at, e.rows, e.data_at, e.score, e.bound, e.conforming, e.remarks"

    static func read(_ row: SQLRow) throws -> Entry {
        let resource = Resource(
            id: ResourceID(row.integer(0)),
            code: row.text(1),
            name: row.text(2),
            owner: OrganisationID(row.integer(3)),
            state: Resource.State(rawValue: row.text(4)) ?? .draft,
            storage: Resource.Storage(rawValue: row.text(5)) ?? .none,
            schema: try TableSchema.read(JSONValue(text: row.text(6))),
            sharing: row.text(7).split(separator: ",").map { Sharing(rawValue: Int($0) ?? 3) ?? .none },
            openness: row.text(8).split(separator: ",").map { Openness(rawValue: Int($0) ?? 0) ?? .none },
            isOpen: row.flag(9)
        )
        return Entry(
            resource: resource,
            published: try row.optionalText(10).map { try EntryContent(JSONValue(text: $0)) },
            draft: try row.optionalText(11).map { try EntryContent(JSONValue(text: $0)) },
            stage: EntryStage(rawValue: row.text(12)) ?? .none,
            version: row.integer(13),
            author: PrincipalID(row.integer(14)),
            publishedAt: row.optionalInteger(15),
            changedAt: row.integer(16),
            rows: row.integer(17),
            dataAt: row.optionalInteger(18),
            score: row.values[19] == .null ? nil : row.real(19),
            bound: row.integer(20),
            conforming: row.integer(21),
            remarks: row.integer(22)
        )
    }

    func entry(_ code: String) async throws -> Entry {
        let found = try await kernel.databases.control.read { db in
            try db.row(
                "SELECT \(Catalogue.columns) FROM resources r JOIN entries e ON e.resource = r.id WHERE r.code = ?",
                [.text(code)]
            )
            .map(Catalogue.read)
        }
        guard let found else { throw Problem.notFound(.init("目录条目", "the entry")) }
        return found
    }

    /// Adds a rule of another capability: what it throws keeps a draft from being submitted and published.
    public func checking(_ rule: @escaping @Sendable (Resource, EntryContent) async throws -> Void) {
        rules.withLock { $0.append(rule) }
    }

    private func check(_ resource: Resource, _ content: EntryContent) async throws {
        for rule in rules.withLock(\.self) { try await rule(resource, content) }
    }

    /// Another process changed entries or their resources.
    public func heardOfEntries() { index.forgetShown() }

    // MARK: Writing

    /// Saves a new entry as a draft, with a code of its own.
    func create(_ content: EntryContent, storage: Resource.Storage, by author: PrincipalID) async throws -> Entry {
        try content.schema.validate()
        guard Classification.isValid(content.category) else {
            throw Problem(
                "entry.category",
                zh: "分类代码应为类 1 位、项 2 位、目 3 位、细目可选。",
                en: "The category should be 1+2+3 digits and an optional rest."
            )
        }
        let now = kernel.clock.now()
        let surroundings = try await surroundings()
        let code = try await kernel.databases.control.write { db in
            let code = try Catalogue.nextCode(content.category, db)
            try Catalogue.insert(code, content, storage, author, now, surroundings, db)
            return code
        }
        let entry = try await entry(code)
        index.put(entry)
        return entry
    }

    /// The next 顺序码 of a category, six digits at the least.
    static func nextCode(_ category: String, _ db: any SQLWriting) throws -> String {
        try db.execute(
            "INSERT INTO code_sequences (category, last) VALUES (?, 1) ON CONFLICT (category) DO UPDATE SET last = code_sequences.last + 1",
            [.text(category)]
        )
        let number =
            try db.row("SELECT last FROM code_sequences WHERE category = ?", [.text(category)])?.integer(0) ?? 1
        let digits = String(number)
        return "\(category)/\(String(repeating: "0", count: max(0, 6 - digits.count)))\(digits)"
    }

    /// What stands around an entry that is written.
    struct Surroundings {
        var organisations: OrganisationTree
        var standards: StandardsRegistry

        /// How many remarks the compliance check has on the entry itself: the provider's own are mended once, elsewhere.
        func remarks(_ content: EntryContent) -> Int64 {
            Int64(Compliance.check(content, provider: organisations[content.provider]).count { !$0.isOfProvider })
        }
    }

    func surroundings() async throws -> Surroundings {
        Surroundings(organisations: kernel.gate.organisations, standards: try await standards.registry())
    }

    /// Puts a new draft in place inside a transaction.
    static func insert(
        _ code: String,
        _ content: EntryContent,
        _ storage: Resource.Storage,
        _ author: PrincipalID,
        _ now: Int64,
        _ surroundings: Surroundings,
        _ db: any SQLWriting
    ) throws {
        try content.checkLengths()
        var resource = Resource(
            code: code,
            name: content.name,
            owner: content.provider,
            storage: storage,
            schema: content.schema,
            sharing: content.items.map(\.sharing)
        )
        resource.id = try Kernel.save(resource, db)
        let counts = surroundings.standards.conformance(content.schema)
        try db.execute(
            "INSERT INTO entries (resource, category, draft, stage, version, author, changed_at, frequency, format, level, comparable, items, bound, conforming, remarks) VALUES (?,?,?,'draft',0,?,?,?,?,?,?,?,?,?,?)",
            [
                .integer(resource.id.raw), .text(content.category), .text(content.json.text), .integer(author.raw),
                .integer(now), .text(content.frequency.rawValue), .text(content.formatType),
                .text(content.level.rawValue), .text(TextForms.comparable(content.name)),
                .integer(Int64(content.items.count)), .integer(counts.bound), .integer(counts.conforming),
                .integer(surroundings.remarks(content)),
            ]
        )
        try Catalogue.indexText(resource, content, surroundings.organisations, db)
        try Catalogue.event(resource.id, now, author, "created", "", db)
    }

    /// Puts the next draft of an entry in place inside a transaction.
    static func update(
        _ entry: Entry,
        _ content: EntryContent,
        _ author: PrincipalID,
        _ now: Int64,
        _ surroundings: Surroundings,
        _ db: any SQLWriting
    ) throws {
        try content.checkLengths()
        var resource = entry.resource
        if resource.state == .draft {
            resource.name = content.name
            resource.schema = content.schema
            resource.sharing = content.items.map(\.sharing)
            _ = try Kernel.save(resource, db)
            try Catalogue.indexText(resource, content, surroundings.organisations, db)
            let counts = surroundings.standards.conformance(content.schema)
            try db.execute(
                "UPDATE entries SET category = ?, frequency = ?, format = ?, level = ?, comparable = ?, items = ?, bound = ?, conforming = ?, remarks = ? WHERE resource = ?",
                [
                    .text(content.category), .text(content.frequency.rawValue), .text(content.formatType),
                    .text(content.level.rawValue), .text(TextForms.comparable(content.name)),
                    .integer(Int64(content.items.count)), .integer(counts.bound), .integer(counts.conforming),
                    .integer(surroundings.remarks(content)), .integer(resource.id.raw),
                ]
            )
        }
        let changed = try db.execute(
            "UPDATE entries SET draft = ?, stage = 'draft', author = ?, changed_at = ? WHERE resource = ? AND stage = ?",
            [
                .text(content.json.text), .integer(author.raw), .integer(now), .integer(resource.id.raw),
                .text(entry.stage.rawValue),
            ]
        )
        guard changed == 1 else { throw Catalogue.dealtWith }
        try Catalogue.event(resource.id, now, author, "saved", "", db)
    }

    static let dealtWith = Problem(
        "entry.stage",
        status: 409,
        zh: "条目刚被他人处理。",
        en: "Somebody else has just dealt with the entry."
    )

    static func event(
        _ resource: ResourceID,
        _ at: Int64,
        _ actor: PrincipalID?,
        _ what: String,
        _ note: String,
        _ db: any SQLWriting
    ) throws {
        try db.execute(
            "INSERT INTO entry_events (resource, at, actor, what, note) VALUES (?,?,?,?,?)",
            [.integer(resource.raw), .integer(at), .text(actor.map { String($0.raw) } ?? ""), .text(what), .text(note)]
        )
    }

    /// Saves a draft: of a new entry, or the next version of a published one (变更).
    func save(_ code: String, _ content: EntryContent, by author: PrincipalID) async throws -> Entry {
        try content.schema.validate()
        let entry = try await entry(code)
        guard entry.stage == .none || entry.stage == .draft else {
            throw Problem(
                "entry.in_review",
                status: 409,
                zh: "条目正在审核，不能修改。",
                en: "The entry is under review and cannot be changed."
            )
        }
        guard content.provider == entry.resource.owner else {
            throw Problem(
                "entry.provider",
                status: 409,
                zh: "提供方不能更换，请新建条目。",
                en: "The provider cannot change; make a new entry."
            )
        }
        let now = kernel.clock.now()
        let surroundings = try await surroundings()
        try await kernel.databases.control.write { db in
            try Catalogue.update(entry, content, author, now, surroundings, db)
        }
        kernel.forget(resource: code)
        let saved = try await self.entry(code)
        index.put(saved)
        return saved
    }

    /// Names of other published entries that differ from this one only by spaces and punctuation.
    func duplicates(of content: EntryContent, except resource: ResourceID) async throws -> [String] {
        let comparable = TextForms.comparable(content.name)
        return try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT r.code FROM entries e JOIN resources r ON r.id = e.resource WHERE e.comparable = ? AND e.resource <> ? AND r.state = 'published' LIMIT 5",
                [.text(comparable), .integer(resource.raw)]
            ).map { $0.text(0) }
        }
    }

    func submit(_ code: String, note: String, by author: PrincipalID) async throws -> Entry {
        let entry = try await entry(code)
        guard entry.stage == .draft, let draft = entry.draft else {
            throw Catalogue.wrongStage(entry, expected: .draft)
        }
        let remarks = Compliance.check(draft, provider: kernel.gate.organisations[draft.provider])
        let blocking = remarks.filter(\.blocks)
        guard blocking.isEmpty else {
            throw Problem(
                "entry.not_compliant",
                status: 422,
                zh: "条目不合编制要求：\(blocking.map(\.message.zh).joined(separator: ";"))。",
                en: "The entry does not meet the rules: \(blocking.map(\.message.en).joined(separator: "; ")).",
                details: Dictionary(blocking.map { ($0.id, "blocks") }, uniquingKeysWith: { first, _ in first })
            )
        }
        try await check(entry.resource, draft)
        let twins = try await duplicates(of: draft, except: entry.resource.id)
        guard twins.isEmpty else {
            throw Problem(
                "entry.duplicate_name",
                status: 409,
                zh: "已有同名资源：\(twins.joined(separator: "、"))。",
                en: "Resources of the same name exist: \(twins.joined(separator: ", ")).",
                hint: .init(
                    "一数一源：请引用已有资源，或改用能区分的名称。",
                    "One datum, one source: refer to the existing one, or choose a name that tells them apart."
                )
            )
        }
        return try await move(entry, to: .department, "submitted", note, author)
    }

    static func wrongStage(_ entry: Entry, expected: EntryStage) -> Problem {
        Problem(
            "entry.stage",
            status: 409,
            zh: "条目处于“\(entry.stage.title.zh)”，应为“\(expected.title.zh)”。",
            en: "The entry is “\(entry.stage.title.en)”, it should be “\(expected.title.en)”."
        )
    }

    func move(
        _ entry: Entry,
        to stage: EntryStage,
        _ what: String,
        _ note: String,
        _ actor: PrincipalID
    ) async throws -> Entry {
        let now = kernel.clock.now()
        let from = entry.stage.rawValue
        try await kernel.databases.control.write { db in
            let changed = try db.execute(
                "UPDATE entries SET stage = ?, changed_at = ? WHERE resource = ? AND stage = ?",
                [.text(stage.rawValue), .integer(now), .integer(entry.resource.id.raw), .text(from)]
            )
            guard changed == 1 else { throw Catalogue.dealtWith }
            try Catalogue.event(entry.resource.id, now, actor, what, note, db)
        }
        let moved = try await self.entry(entry.resource.code)
        index.put(moved)
        return moved
    }

    /// A reviewer's answer. Nobody reviews what they wrote.
    func review(
        _ code: String,
        stage: EntryStage,
        approve: Bool,
        note: String,
        by reviewer: PrincipalID
    ) async throws -> Entry {
        let entry = try await entry(code)
        guard entry.stage == stage else { throw Catalogue.wrongStage(entry, expected: stage) }
        guard entry.author != reviewer else {
            throw Problem("entry.own_review", status: 403, zh: "不能审核自己编制的条目。", en: "Nobody reviews their own entry.")
        }
        guard approve else {
            guard !TextForms.trimmed(note).isEmpty else {
                throw Problem("entry.reason", status: 422, zh: "退回须写明理由。", en: "A return needs a reason.")
            }
            return try await move(entry, to: .draft, "returned", note, reviewer)
        }
        if stage == .department { return try await move(entry, to: .authority, "department_approved", note, reviewer) }
        return try await publish(entry, note: note, by: reviewer)
    }

    private func publish(_ entry: Entry, note: String, by reviewer: PrincipalID) async throws -> Entry {
        guard let draft = entry.draft else { throw Catalogue.wrongStage(entry, expected: .authority) }
        try await check(entry.resource, draft)
        let now = kernel.clock.now()
        let surroundings = try await surroundings()
        try await kernel.databases.control.write { db in
            try Catalogue.publish(entry, note, reviewer, now, surroundings, db)
        }
        kernel.forget(resource: entry.resource.code)
        let published = try await self.entry(entry.resource.code)
        index.put(published)
        return published
    }

    /// Puts the draft of an entry in the place of what is published, inside a transaction.
    static func publish(
        _ entry: Entry,
        _ note: String,
        _ reviewer: PrincipalID,
        _ now: Int64,
        _ surroundings: Surroundings,
        _ db: any SQLWriting
    ) throws {
        guard let draft = entry.draft else { throw Catalogue.wrongStage(entry, expected: .authority) }
        var resource = entry.resource
        // Openness is given field by field and does not survive a change of fields: what is new is closed.
        let openness = Dictionary(
            zip(resource.schema.fields.map(\.name), resource.openness),
            uniquingKeysWith: { first, _ in first }
        )
        resource.state = .published
        resource.name = draft.name
        resource.schema = draft.schema
        resource.sharing = draft.items.map(\.sharing)
        resource.openness = draft.schema.fields.map { openness[$0.name] ?? .none }
        _ = try Kernel.save(resource, db)
        let version = entry.version + 1
        let counts = surroundings.standards.conformance(draft.schema)
        try db.execute(
            "UPDATE entries SET published = ?, draft = NULL, stage = 'none', version = ?, published_at = ?, changed_at = ?, category = ?, frequency = ?, format = ?, level = ?, comparable = ?, items = ?, bound = ?, conforming = ?, remarks = ? WHERE resource = ?",
            [
                .text(draft.json.text), .integer(version), .integer(now), .integer(now), .text(draft.category),
                .text(draft.frequency.rawValue),
                .text(draft.formatType), .text(draft.level.rawValue), .text(TextForms.comparable(draft.name)),
                .integer(Int64(draft.items.count)), .integer(counts.bound), .integer(counts.conforming),
                .integer(surroundings.remarks(draft)), .integer(resource.id.raw),
            ]
        )
        try db.execute(
            "INSERT INTO entry_versions (resource, version, content, at) VALUES (?,?,?,?)",
            [.integer(resource.id.raw), .integer(version), .text(draft.json.text), .integer(now)]
        )
        try Catalogue.indexText(resource, draft, surroundings.organisations, db)
        try Catalogue.event(resource.id, now, reviewer, "published", note, db)
        let isNew = entry.resource.state != .published
        try EventLog.note(isNew ? .published : .changed, resource, [.init("version", .integer(version))], at: now, db)
    }

    /// Puts the words of every entry into the full text, after rows came from another store.
    public static func indexAll(_ database: any Database) async throws {
        let organisations = try await database.read { db in try OrganisationTree(db) }
        var last: Int64 = 0
        while true {
            let from = last
            let found = try await database.read { db in
                try db.rows(
                    "SELECT \(Catalogue.columns) FROM resources r JOIN entries e ON e.resource = r.id WHERE r.id > ? ORDER BY r.id LIMIT 1000",
                    [.integer(from)]
                ).map(Catalogue.read)
            }
            guard let end = found.last?.resource.id.raw else { return }
            try await database.write { db in
                for entry in found where entry.resource.state != .offline {
                    guard let content = entry.published ?? entry.draft else { continue }
                    try indexText(entry.resource, content, organisations, db)
                }
            }
            last = end
        }
    }

    static func indexText(
        _ resource: Resource,
        _ content: EntryContent,
        _ organisations: OrganisationTree,
        _ db: any SQLWriting
    ) throws {
        let provider = organisations[content.provider]?.name ?? ""
        let items = content.schema.fields.map { "\($0.title) \($0.name)" }.joined(separator: " ")
        let body = [
            content.summary, provider, content.keywords.joined(separator: " "),
            Classification.title(content.category).zh, items, resource.code,
        ]
        try EntryText.put(resource.id.raw, title: content.name, body: body.joined(separator: " "), db)
    }

    /// 下线: the entry and its data are no longer offered; grants to the public end.
    func withdraw(_ code: String, note: String, by reviewer: PrincipalID) async throws -> Entry {
        let entry = try await entry(code)
        guard entry.resource.state == .published else {
            throw Problem("entry.stage", status: 409, zh: "条目没有发布。", en: "The entry is not published.")
        }
        let now = kernel.clock.now()
        try await kernel.databases.control.write { db in
            try Catalogue.takeOffline(entry.resource, note, reviewer, now, db)
        }
        kernel.forget(resource: code)
        try await kernel.gate.reload()
        let saved = try await self.entry(code)
        index.put(saved)
        return saved
    }

    /// Takes a resource off the lists inside a transaction: offline, closed, out of the full text.
    static func takeOffline(
        _ resource: Resource,
        _ note: String,
        _ actor: PrincipalID,
        _ now: Int64,
        _ db: any SQLWriting
    ) throws {
        // Nobody was told of an entry that never was on the lists.
        if resource.state == .published {
            try EventLog.note(.withdrawn, resource, [], wasOpen: resource.isOpen, at: now, db)
        }
        var resource = resource
        resource.state = .offline
        resource.isOpen = false
        resource.openness = resource.openness.map { _ in .none }
        _ = try Kernel.save(resource, db)
        try Kernel.removePublicGrants(of: resource.id, db)
        try EntryText.remove(resource.id.raw, db)
        try db.execute(
            "UPDATE entries SET changed_at = ? WHERE resource = ?",
            [.integer(now), .integer(resource.id.raw)]
        )
        try Catalogue.event(resource.id, now, actor, "offline", note, db)
    }

    /// What a load changed: rows, date, score. Idempotent.
    public func attached(_ resource: ResourceID, rows: Int64, at: Int64, score: Double?) async throws {
        try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE entries SET rows = ?, data_at = ?, score = ? WHERE resource = ? AND (data_at IS NULL OR data_at <= ?)",
                [.integer(rows), .integer(at), score.map { .real($0) } ?? .null, .integer(resource.raw), .integer(at)]
            )
        }
        index.update(resource, dataAt: at, score: score)
    }

    /// Tells the index that a resource was opened or closed.
    public func opennessChanged(_ code: String) async throws { index.put(try await entry(code)) }

    func events(_ resource: ResourceID) async throws -> [EntryEvent] {
        try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT v.at, coalesce(p.name, ''), v.what, v.note FROM entry_events v LEFT JOIN principals p ON CAST(p.id AS TEXT) = v.actor WHERE v.resource = ? ORDER BY v.id DESC LIMIT 200",
                [.integer(resource.raw)]
            ).map { EntryEvent(at: $0.integer(0), actor: $0.text(1), what: $0.text(2), note: $0.text(3)) }
        }
    }

    /// Drafts whose last event is a return, with its note.
    func returned(owners: Set<OrganisationID>?, limit: Int) async throws -> [(entry: Entry, note: String)] {
        if owners?.isEmpty == true { return [] }
        let own = owners.map { " AND r.owner IN (\($0.map { String($0.raw) }.sorted().joined(separator: ",")))" } ?? ""
        return try await kernel.databases.control.read { db in
            try db.rows(
                """
                SELECT \(Catalogue.columns), v.note FROM entry_events v \(db.dialect.joinInOrder) entries e ON e.resource = v.resource
                JOIN resources r ON r.id = e.resource WHERE v.what = 'returned' AND e.stage = 'draft'\(own) AND NOT EXISTS
                (SELECT 1 FROM entry_events l WHERE l.resource = v.resource AND l.id > v.id AND l.what <> 'saved')
                ORDER BY v.id DESC LIMIT \(limit)
                """
            ).map { (try Catalogue.read($0), $0.text(23)) }
        }
    }

    /// Entries of owners and stages, newest change first.
    func work(owners: Set<OrganisationID>?, stage: EntryStage?, limit: Int) async throws -> [Entry] {
        var conditions: [String] = []
        var values: [SQLValue] = []
        if let owners {
            guard !owners.isEmpty else { return [] }
            conditions.append("r.owner IN (\(owners.map { String($0.raw) }.sorted().joined(separator: ",")))")
        }
        if let stage {
            conditions.append("e.stage = ?")
            values.append(.text(stage.rawValue))
        }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let bound = values
        return try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT \(Catalogue.columns) FROM entries e JOIN resources r ON r.id = e.resource \(filter) ORDER BY e.changed_at DESC LIMIT \(limit)",
                bound
            )
            .map(Catalogue.read)
        }
    }
}
