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
            var all = LedgerLine(key: "")
            var departments: [Int64: LedgerLine] = [:]
            var levels: [UInt8: LedgerLine] = [:]
            var categories: [Int32: LedgerLine] = [:]
            for row in state.rows where row.state != .offline {
                if let owners, !owners.contains(OrganisationID(row.owner)) { continue }
                var line = LedgerLine(key: "")
                line.entries = 1
                line.items = Int(row.items)
                line.bound = Int(row.bound)
                line.conforming = Int(row.conforming)
                if row.isPublished {
                    line.published = 1
                    line.attached = row.dataAt > 0 ? 1 : 0
                    line.open = row.isOpen ? 1 : 0
                    if row.promisedDays(state) != nil {
                        line.promised = 1
                        line.timely = row.isLate(state, now) ? 0 : 1
                    }
                    if !row.score.isNaN {
                        line.scored = 1
                        line.scoreSum = Double(row.score)
                    }
                }
                all.add(line)
                departments[row.owner, default: LedgerLine(key: String(row.owner))].add(line)
                levels[row.level, default: LedgerLine(key: Organisation.Level.allCases[Int(row.level)].rawValue)].add(
                    line
                )
                categories[row.category, default: LedgerLine(key: "")].add(line)
            }
            var byPrefix: [String: LedgerLine] = [:]
            for (number, line) in categories {
                let prefix = String(state.categories.list[Int(number)].prefix(6))
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
