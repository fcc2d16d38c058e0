import Synchronization
import Basics
import Kernel

/// A line of the ledger of all data (总账本): counts and rates of a group of entries.
public struct LedgerLine: Sendable, Hashable {
    /// The group's identity: an organisation's number, a level, a category.
    public var key: String
    /// 目录数: entries that are not withdrawn.
    public var entries = 0
    /// 信息项数.
    public var items = 0
    public var published = 0
    /// Published entries with data (挂接).
    public var attached = 0
    /// Published entries that promise data by a frequency.
    public var promised = 0
    /// Of these, those whose data came in time.
    public var timely = 0
    public var open = 0
    /// Items that name a data element, and those of them that follow it.
    public var bound = 0
    public var conforming = 0
    public var scored = 0
    public var scoreSum = 0.0

    public init(key: String) { self.key = key }

    /// 挂接率: of the published, those with data; nil where nothing is published.
    public var attachedRate: Double? { published == 0 ? nil : Double(attached) / Double(published) }
    /// 更新及时率; nil where nothing is promised.
    public var timelyRate: Double? { promised == 0 ? nil : Double(timely) / Double(promised) }
    /// 贯标率: of the items that name a data element, those that follow it; nil where none does.
    public var conformingRate: Double? { bound == 0 ? nil : Double(conforming) / Double(bound) }
    /// The mean score of entries with one.
    public var score: Double? { scored == 0 ? nil : scoreSum / Double(scored) }

    /// Counts one entry.
    mutating func count(_ row: SearchIndex.Row, _ state: SearchIndex.State, _ now: Int64) {
        entries += 1
        items += Int(row.items)
        bound += Int(row.bound)
        conforming += Int(row.conforming)
        guard row.isPublished else { return }
        published += 1
        attached += row.dataAt > 0 ? 1 : 0
        open += row.isOpen ? 1 : 0
        if let days = row.promisedDays(state) {
            promised += 1
            timely += row.dataAt < now - Int64(days) * CivilTime.microsecondsPerDay ? 0 : 1
        }
        if !row.score.isNaN {
            scored += 1
            scoreSum += Double(row.score)
        }
    }

    mutating func add(_ other: LedgerLine) {
        entries += other.entries
        items += other.items
        published += other.published
        attached += other.attached
        promised += other.promised
        timely += other.timely
        open += other.open
        bound += other.bound
        conforming += other.conforming
        scored += other.scored
        scoreSum += other.scoreSum
    }
}

/// The ledger: all, and by department, level and field of transport.
public struct Ledger: Sendable {
    public var at: Int64
    public var all: LedgerLine
    public var departments: [LedgerLine]
    public var levels: [LedgerLine]
    /// By 目, the first six digits of the category.
    public var categories: [LedgerLine]
}

extension SearchIndex {
    /// Counts every entry within reach; one pass over the table in memory.
    func ledger(owners: Set<OrganisationID>?, now: Int64) async throws -> Ledger {
        try await load()
        return state.withLock { state in
            // Rows of one department, level and category are counted together, and those groups joined: a lookup a row, not three.
            struct Group: Hashable {
                var owner: Int64
                var level: UInt8
                var category: Int32
            }
            var groups: [Group: LedgerLine] = [:]
            for row in state.rows where row.state != .offline {
                if let owners, !owners.contains(OrganisationID(row.owner)) { continue }
                let group = Group(owner: row.owner, level: row.level, category: row.category)
                groups[group, default: LedgerLine(key: "")].count(row, state, now)
            }
            var all = LedgerLine(key: "")
            var departments: [Int64: LedgerLine] = [:]
            var levels: [UInt8: LedgerLine] = [:]
            var byPrefix: [String: LedgerLine] = [:]
            for (group, line) in groups {
                let level = Organisation.Level.allCases[Int(group.level)].rawValue
                let prefix = String(state.categories.list[Int(group.category)].prefix(6))
                all.add(line)
                departments[group.owner, default: LedgerLine(key: String(group.owner))].add(line)
                levels[group.level, default: LedgerLine(key: level)].add(line)
                byPrefix[prefix, default: LedgerLine(key: prefix)].add(line)
            }
            return Ledger(
                at: now,
                all: all,
                departments: departments.values.sorted { ($1.entries, $0.key) < ($0.entries, $1.key) },
                levels: levels.sorted { $0.key < $1.key }.map(\.value),
                categories: byPrefix.values.sorted { $0.key < $1.key }
            )
        }
    }
}
