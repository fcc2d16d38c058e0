import Synchronization
import Basics
public import Kernel
import Store

/// Which entries somebody at work wants to see, and in which order.
public struct EntryListQuery: Sendable {
    public enum Order: String, Sendable, CaseIterable {
        /// Newest change first.
        case changed
        /// Longest without new data first.
        case data
        /// Worst quality first; those without a score last.
        case score
        /// Most items first.
        case items
        case code
    }

    public var text: String
    public var provider: OrganisationID?
    public var category: String?
    public var stage: EntryStage?
    public var state: Resource.State?
    /// Published, with a promised frequency, and late.
    public var isLate: Bool
    /// Published without data.
    public var isUnattached: Bool
    /// With data that lost marks: below ``poorBelow``.
    public var isPoor: Bool
    /// The mark below which data is to be corrected.
    public static let poorBelow: Double = 99.9
    /// With remarks of the compliance check.
    public var hasRemarks: Bool
    /// With items that do not follow the data element they name.
    public var isDeviating: Bool
    public var order: Order
    public var offset: Int
    public var limit: Int

    public init(
        text: String = "",
        provider: OrganisationID? = nil,
        category: String? = nil,
        stage: EntryStage? = nil,
        state: Resource.State? = nil,
        isLate: Bool = false,
        isUnattached: Bool = false,
        isDeviating: Bool = false,
        hasRemarks: Bool = false,
        isPoor: Bool = false,
        order: Order = .changed,
        offset: Int = 0,
        limit: Int = 50
    ) {
        self.text = text
        self.provider = provider
        self.category = category
        self.stage = stage
        self.state = state
        self.isLate = isLate
        self.isUnattached = isUnattached
        self.isDeviating = isDeviating
        self.hasRemarks = hasRemarks
        self.isPoor = isPoor
        self.order = order
        self.offset = max(0, offset)
        self.limit = max(1, min(limit, 1000))
    }
}

/// A part of the list of entries, and how many there are in all.
public struct EntryList: Sendable {
    public var total: Int
    public var entries: [Entry]
}

extension SearchIndex {
    /// Entries for those who work on them, drafts included; `owners` are the organisations within reach, nil for all.
    func list(_ query: EntryListQuery, owners: Set<OrganisationID>?, now: Int64) async throws -> EntryList {
        try await load()
        var matching: Set<Int64>?
        if let words = EntryText.Words(query.text) {
            matching = Set(try await database.read { db in try EntryText.find(words, db) })
        }
        let (ids, total) = state.withLock { state -> ([Int64], Int) in
            let categories = query.category.map { prefix in state.categories.list.map { $0.hasPrefix(prefix) } }
            let rows = state.rows.filter { row in
                (owners?.contains(OrganisationID(row.owner)) ?? true) && (matching?.contains(row.id) ?? true)
                    && (query.provider.map { $0.raw == row.owner } ?? true)
                    && (query.stage.map { $0.order == Int(row.stage) } ?? true)
                    && (query.state.map { $0 == row.state } ?? true)
                    && (categories.map { $0[Int(row.category)] } ?? true)
                    && (!query.isUnattached || row.isPublished && row.dataAt == 0)
                    && (!query.isPoor || Double(row.score) < EntryListQuery.poorBelow)
                    && (!query.hasRemarks || row.remarks > 0 && row.state != .offline)
                    && (!query.isDeviating || row.conforming < row.bound)
                    && (!query.isLate || row.isLate(state, now))
            }
            let wanted = query.offset + query.limit
            let order = SearchIndex.order(query.order)
            // A few of many: the rest is not sorted.
            let sorted =
                rows.count > wanted * 8 ? SearchIndex.first(wanted, of: rows, by: order) : rows.sorted(by: order)
            return (sorted.dropFirst(query.offset).prefix(query.limit).map(\.id), rows.count)
        }
        return EntryList(total: total, entries: try await entries(ids))
    }

    private static func order(_ order: EntryListQuery.Order) -> (Row, Row) -> Bool {
        switch order {
        case .changed: { ($0.changedAt, $0.id) > ($1.changedAt, $1.id) }
        case .data: { ($0.dataAt, $0.id) < ($1.dataAt, $1.id) }
        case .score:
            { a, b in
                if a.score.isNaN != b.score.isNaN { return b.score.isNaN }
                return a.score.isNaN || a.score == b.score ? a.id < b.id : a.score < b.score
            }
        case .items: { ($1.items, $0.id) < ($0.items, $1.id) }
        case .code: { $0.id < $1.id }
        }
    }

    private static func first(_ count: Int, of rows: [Row], by precedes: (Row, Row) -> Bool) -> [Row] {
        var kept: [Row] = []
        kept.reserveCapacity(count * 2)
        for row in rows {
            kept.append(row)
            if kept.count == count * 2 {
                kept.sort(by: precedes)
                kept.removeLast(count)
            }
        }
        return Array(kept.sorted(by: precedes).prefix(count))
    }
}

extension SearchIndex.Row {
    /// The days within which data was promised; nil where nothing is.
    func promisedDays(_ state: SearchIndex.State) -> Int? {
        UpdateFrequency(rawValue: state.frequencies.list[Int(frequency)])?.days
    }

    /// Whether the entry is published, promises data by a frequency, and has none that is fresh.
    func isLate(_ state: SearchIndex.State, _ now: Int64) -> Bool {
        guard isPublished, let days = promisedDays(state) else { return false }
        return dataAt < now - Int64(days) * CivilTime.microsecondsPerDay
    }
}
