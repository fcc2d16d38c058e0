import Tabular
import Basics
public import Kernel
import Store
import Synchronization

/// What somebody searches for.
public struct CatalogueQuery: Sendable {
    public var text: String
    public var category: String?
    public var provider: OrganisationID?
    public var frequency: String?
    public var format: String?
    public var isOpen: Bool?
    public var offset: Int
    public var limit: Int
    public var order: Order

    /// In which order entries come.
    public enum Order: Sendable, Hashable {
        /// Hits in the title first, then those with data and a better score.
        case relevance
        /// As they were made: an order that does not move while somebody pages.
        case number
    }

    public init(
        text: String = "",
        category: String? = nil,
        provider: OrganisationID? = nil,
        frequency: String? = nil,
        format: String? = nil,
        isOpen: Bool? = nil,
        offset: Int = 0,
        limit: Int = 20,
        order: Order = .relevance
    ) {
        self.order = order
        self.text = text
        self.category = category
        self.provider = provider
        self.frequency = frequency
        self.format = format
        self.isOpen = isOpen
        // Beyond this nobody pages; sums of it stay numbers.
        self.offset = max(0, min(offset, 10_000_000))
        self.limit = max(1, min(limit, 10_000))
    }
}

/// A count by a property of the hits.
public struct FacetCount: Sendable, Hashable {
    public var value: String
    public var count: Int
}

/// The answer to a search.
public struct CatalogueHits: Sendable {
    public var total: Int
    public var entries: [Entry]
    /// Grows with every change of an entry: whoever keeps what was found knows whether it still stands.
    public var generation: Int
    public var categories: [FacetCount]
    public var providers: [FacetCount]
    public var frequencies: [FacetCount]
    public var formats: [FacetCount]
}

/// The properties of every entry in memory, about 64 bytes each, for facets and filters; the words lie in the database's full text.
final class SearchIndex: Sendable {
    struct Row: Sendable {
        var id: Int64
        var owner: Int64
        var category: Int32
        var frequency: Int32
        var format: Int32
        var level: UInt8
        var stage: UInt8
        var state: Resource.State
        var isOpen: Bool
        var items: Int32
        var bound: Int32
        var conforming: Int32
        var remarks: Int16
        var changedAt: Int64
        var dataAt: Int64
        /// NaN where there is none.
        var score: Float

        var isPublished: Bool { state == .published }
    }

    struct State {
        var rows: [Row] = []
        var positions: [Int64: Int] = [:]
        var categories = Names()
        var frequencies = Names()
        var formats = Names()
        var isLoaded = false
    }

    /// Names numbered as they are met.
    struct Names {
        var list: [String] = []
        var numbers: [String: Int] = [:]

        mutating func number(_ name: String) -> Int {
            if let number = numbers[name] { return number }
            list.append(name)
            numbers[name] = list.count - 1
            return list.count - 1
        }
    }

    let database: any Database
    /// Entries as they were read, with the writes to the database until then: one is shown as long as there were no more. What other
    /// processes write is heard of, and drops them all.
    private let shown = Cache<Int64, (entry: Entry, writes: Int)>(limit: 500)
    let state = Mutex(State())
    /// Counts changes of entries.
    private let changes = Mutex(0)

    init(_ database: any Database) { self.database = database }

    func load() async throws {
        while !state.withLock({ $0.isLoaded }) {
            let seen = changes.withLock(\.self)
            let rows = try await database.read { db in
                try db.rows("SELECT \(SearchIndex.columns) ORDER BY e.resource")
            }
            state.withLock { state in
                // What changed while it was read is read again.
                guard !state.isLoaded, changes.withLock(\.self) == seen else { return }
                state.rows.reserveCapacity(rows.count)
                for row in rows { SearchIndex.put(&state, row) }
                state.isLoaded = true
            }
        }
    }

    private static let columns =
        "e.resource, r.owner, e.category, e.frequency, e.format, r.state, r.is_open, e.data_at, e.score, e.level, e.stage, e.items, e.changed_at, e.bound, e.conforming, e.remarks FROM entries e JOIN resources r ON r.id = e.resource"

    private static func put(_ state: inout State, _ row: SQLRow) {
        SearchIndex.put(
            &state,
            id: row.integer(0),
            owner: row.integer(1),
            category: row.text(2),
            frequency: row.text(3),
            format: row.text(4),
            level: row.text(9),
            stage: row.text(10),
            state: Resource.State(rawValue: row.text(5)) ?? .draft,
            isOpen: row.flag(6),
            items: row.integer(11),
            bound: row.integer(13),
            conforming: row.integer(14),
            remarks: row.integer(15),
            changedAt: row.integer(12),
            dataAt: row.integer(7),
            score: row.values[8] == .null ? .nan : Float(row.real(8))
        )
    }

    /// Reads some entries again, by their resources' numbers or codes: another process changed them.
    func refresh(_ ids: [Int64], codes: [String]) async throws {
        changes.withLock { $0 += 1 }
        guard state.withLock({ $0.isLoaded }) else { return }
        for start in stride(from: 0, to: max(ids.count, codes.count), by: 500) {
            let some = ids.dropFirst(start).prefix(500).map { SQLValue.integer($0) }
            let named = codes.dropFirst(start).prefix(500).map { SQLValue.text($0) }
            func marks(_ count: Int) -> String { Array(repeating: "?", count: count).joined(separator: ",") }
            var parts: [String] = []
            if !some.isEmpty { parts.append("e.resource IN (\(marks(some.count)))") }
            if !named.isEmpty { parts.append("r.code IN (\(marks(named.count)))") }
            let filter = parts.joined(separator: " OR ")
            let rows = try await database.read { db in
                try db.rows("SELECT \(SearchIndex.columns) WHERE \(filter)", some + named)
            }
            state.withLock { state in for row in rows { SearchIndex.put(&state, row) } }
        }
    }
    private static func put(
        _ state: inout State,
        id: Int64,
        owner: Int64,
        category: String,
        frequency: String,
        format: String,
        level: String,
        stage: String,
        state entryState: Resource.State,
        isOpen: Bool,
        items: Int64,
        bound: Int64,
        conforming: Int64,
        remarks: Int64,
        changedAt: Int64,
        dataAt: Int64,
        score: Float
    ) {
        let row = Row(
            id: id,
            owner: owner,
            category: Int32(state.categories.number(category)),
            frequency: Int32(truncatingIfNeeded: state.frequencies.number(frequency)),
            format: Int32(truncatingIfNeeded: state.formats.number(format)),
            level: UInt8(truncatingIfNeeded: Organisation.Level(rawValue: level)?.order ?? 0),
            stage: UInt8(truncatingIfNeeded: EntryStage(rawValue: stage)?.order ?? 0),
            state: entryState,
            isOpen: isOpen,
            items: Int32(truncatingIfNeeded: items),
            bound: Int32(truncatingIfNeeded: bound),
            conforming: Int32(truncatingIfNeeded: conforming),
            remarks: Int16(truncatingIfNeeded: remarks),
            changedAt: changedAt,
            dataAt: dataAt,
            score: score
        )
        if let position = state.positions[id] {
            state.rows[position] = row
        } else {
            state.positions[id] = state.rows.count
            state.rows.append(row)
        }
    }

    /// Reads everything again, after a change of many entries.
    func reload() async throws {
        changes.withLock { $0 += 1 }
        state.withLock { $0 = State() }
        try await load()
    }

    func put(_ entry: Entry) {
        let content = entry.published ?? entry.draft
        changes.withLock { $0 += 1 }
        state.withLock { state in
            guard state.isLoaded else { return }
            SearchIndex.put(
                &state,
                id: entry.resource.id.raw,
                owner: entry.resource.owner.raw,
                category: content?.category ?? "",
                frequency: content?.frequency.rawValue ?? "",
                format: content?.formatType ?? "",
                level: content?.level.rawValue ?? "",
                stage: entry.stage.rawValue,
                state: entry.resource.state,
                isOpen: entry.resource.isOpen,
                items: Int64(content?.schema.fields.count ?? 0),
                bound: entry.bound,
                conforming: entry.conforming,
                remarks: entry.remarks,
                changedAt: entry.changedAt,
                dataAt: entry.dataAt ?? 0,
                score: entry.score.map { Float($0) } ?? .nan
            )
        }
    }

    func update(_ resource: ResourceID, dataAt: Int64, score: Double?) {
        changes.withLock { $0 += 1 }
        state.withLock { state in
            guard let position = state.positions[resource.raw] else { return }
            state.rows[position].dataAt = dataAt
            state.rows[position].score = score.map { Float($0) } ?? .nan
        }
    }

    /// Finds entries: the words by full text, the rest in memory. `isPublic` narrows to the open list.
    func search(_ query: CatalogueQuery, isPublic: Bool) async throws -> CatalogueHits {
        try await load()
        let generation = changes.withLock(\.self)
        var ids: [Int64]?
        let words = EntryText.Words(query.text)
        if let words { ids = try await database.read { db in try EntryText.find(words, db) } }
        let found = state.withLock { SearchIndex.filter(&$0, ids, query, isPublic) }
        let ordered =
            query.order == .number ? found.positions.map(\.id).sorted() : try await rank(found.positions, query)
        let page = ordered.dropFirst(max(0, query.offset)).prefix(max(1, min(query.limit, 1000)))
        let entries = try await entries(Array(page))
        return CatalogueHits(
            total: found.positions.count,
            entries: entries,
            generation: generation,
            categories: found.categories,
            providers: found.providers,
            frequencies: found.frequencies,
            formats: found.formats
        )
    }

    private struct Found {
        var positions: [(id: Int64, weight: Float)] = []
        var categories: [FacetCount] = []
        var providers: [FacetCount] = []
        var frequencies: [FacetCount] = []
        var formats: [FacetCount] = []
    }

    private static func filter(
        _ state: inout State,
        _ ids: [Int64]?,
        _ query: CatalogueQuery,
        _ isPublic: Bool
    ) -> Found {
        var found = Found()
        var categories = [Int](repeating: 0, count: state.categories.list.count)
        var frequencies = [Int](repeating: 0, count: state.frequencies.list.count)
        var formats = [Int](repeating: 0, count: state.formats.list.count)
        var providers: [Int64: Int] = [:]
        let wantedFrequency = query.frequency.map { state.frequencies.numbers[$0] ?? -1 }
        let wantedFormat = query.format.map { state.formats.numbers[$0] ?? -1 }
        let wantedCategories = query.category.map { prefix in state.categories.list.map { $0.hasPrefix(prefix) } }
        func take(_ row: Row) {
            guard row.isPublished, !isPublic || row.isOpen, query.isOpen == nil || row.isOpen == query.isOpen else {
                return
            }
            if let wantedCategories, !wantedCategories[Int(row.category)] { return }
            if let wantedFrequency, wantedFrequency != Int(row.frequency) { return }
            if let wantedFormat, wantedFormat != Int(row.format) { return }
            if let provider = query.provider, provider.raw != row.owner { return }
            categories[Int(row.category)] += 1
            frequencies[Int(row.frequency)] += 1
            formats[Int(row.format)] += 1
            providers[row.owner, default: 0] += 1
            found.positions.append((row.id, (row.score.isNaN ? 0 : row.score) + (row.dataAt > 0 ? 100 : 0)))
        }
        if let ids {
            for id in ids { if let position = state.positions[id] { take(state.rows[position]) } }
        } else {
            for row in state.rows { take(row) }
        }
        func counts(_ numbers: [Int], _ names: [String]) -> [FacetCount] {
            zip(names, numbers).filter { $1 > 0 }.map { FacetCount(value: $0, count: $1) }.sorted {
                ($1.count, $0.value) < ($0.count, $1.value)
            }
        }
        // 目 is what people browse by: categories count by their first six digits.
        var byPrefix: [String: Int] = [:]
        for (name, count) in zip(state.categories.list, categories) where count > 0 {
            byPrefix[String(name.prefix(6)), default: 0] += count
        }
        found.categories = byPrefix.map { FacetCount(value: $0, count: $1) }.sorted {
            ($1.count, $0.value) < ($0.count, $1.value)
        }
        found.frequencies = counts(frequencies, state.frequencies.list)
        found.formats = counts(formats, state.formats.list)
        found.providers = providers.map { FacetCount(value: String($0), count: $1) }.sorted {
            ($1.count, $0.value) < ($0.count, $1.value)
        }
        return found
    }

    /// Hits in the title come first, then those with data and a better score.
    private func rank(_ hits: [(id: Int64, weight: Float)], _ query: CatalogueQuery) async throws -> [Int64] {
        var titles: Set<Int64> = []
        if let words = EntryText.Words(query.text), hits.count <= 20_000 {
            titles = Set(try await database.read { db in try EntryText.find(words, inTitles: true, db) })
        }
        let wanted = max(0, query.offset) + max(1, min(query.limit, 1000))
        let weighted = hits.map { (id: $0.id, weight: $0.weight + (titles.contains($0.id) ? 1000 : 0)) }
        return SearchIndex.best(weighted, wanted)
    }

    /// The ids of the greatest weights, the newest first among equals; the rest is not sorted.
    static func best(_ hits: [(id: Int64, weight: Float)], _ count: Int) -> [Int64] {
        func precedes(_ a: (id: Int64, weight: Float), _ b: (id: Int64, weight: Float)) -> Bool {
            a.weight != b.weight ? a.weight > b.weight : a.id > b.id
        }
        guard count <= 1000, hits.count > count * 4 else { return hits.sorted(by: precedes).map(\.id) }
        var kept: [(id: Int64, weight: Float)] = []
        for hit in hits {
            if kept.count == count, let last = kept.last, !precedes(hit, last) { continue }
            let at = kept.firstIndex { precedes(hit, $0) } ?? kept.count
            kept.insert(hit, at: at)
            if kept.count > count { kept.removeLast() }
        }
        return kept.map(\.id)
    }

    /// An entry to be shown.
    func entry(_ id: Int64) async throws -> Entry? {
        if let kept = shown[id], kept.writes == database.writes { return kept.entry }
        return try await entries([id]).first
    }

    /// Entries to be shown, in the order of their ids. Whoever changes an entry reads it in the transaction or by ``Catalogue/entry(_:)``.
    func entries(_ ids: [Int64]) async throws -> [Entry] {
        let writes = database.writes
        var found: [Int64: Entry] = [:]
        for id in ids {
            if let kept = shown[id], kept.writes == writes { found[id] = kept.entry }
        }
        let missing = ids.filter { found[$0] == nil }
        guard !missing.isEmpty else { return ids.compactMap { found[$0] } }
        let epoch = shown.epoch
        let list = missing.map(String.init).joined(separator: ",")
        let read = try await database.read { db in
            try db.rows(
                "SELECT \(Catalogue.columns) FROM resources r JOIN entries e ON e.resource = r.id WHERE r.id IN (\(list))"
            ).map(Catalogue.read)
        }
        for entry in read {
            found[entry.resource.id.raw] = entry
            // A page is remembered, a whole catalogue is not.
            if ids.count <= 200 { shown.store((entry, writes), for: entry.resource.id.raw, since: epoch) }
        }
        return ids.compactMap { found[$0] }
    }

    /// Another process changed entries or their resources.
    func forgetShown() { shown.forget { _, _ in true } }
}
