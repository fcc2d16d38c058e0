public import Basics

/// Reads one page of a catalogue. It fetches nothing and keeps nothing: the caller asks for the next page.
public protocol HarvestReader: Sendable {
    /// Reads a page; `place` is what the page before said of this one, nil for the first.
    ///
    /// - Throws: `harvest.format`, `harvest.source_failed`, `harvest.too_large`, `harvest.next_elsewhere`,
    ///   `harvest.columns`; for lists also what `TabularFile` throws.
    func read(page: [UInt8], at place: HarvestNext?) throws(Problem) -> HarvestPage
}

extension HarvestReader {
    /// Reads a first, or an only, page.
    public func read(page: [UInt8]) throws(Problem) -> HarvestPage { try read(page: page, at: nil) }
}

/// Where a catalogue goes on.
public enum HarvestNext: Sendable, Hashable {
    /// At another address: absolute, http(s), on the source's own host where that is known.
    case link(String)
    /// At the same address with `start` set to this number of entries.
    case offset(Int)
    /// In the same bytes, from this entry: the page holds more than ``HarvestLimits/entries``.
    case rest(Int)
    /// One by one: the names to ask `package_show` for.
    case names([String])
}

/// What a page held.
public struct HarvestPage: Sendable, Hashable {
    public var entries: [HarvestedEntry]
    /// Where the catalogue goes on; nil at its end.
    public var next: HarvestNext?
    /// How many entries the whole catalogue has, as the source says.
    public var total: Int?
    /// Entries that could not be taken.
    public var refusals: [HarvestRefusal]

    public init(
        entries: [HarvestedEntry] = [],
        next: HarvestNext? = nil,
        total: Int? = nil,
        refusals: [HarvestRefusal] = []
    ) {
        self.entries = entries
        self.next = next
        self.total = total
        self.refusals = refusals
    }
}

/// An entry that could not be taken, and why.
public struct HarvestRefusal: Sendable, Hashable {
    /// The entry's position in the page, the first being 0; for lists, in the rows under the header.
    public var index: Int
    /// `harvest.entry_…`; never with the entry's own data.
    public var problem: Problem

    public init(index: Int, problem: Problem) {
        self.index = index
        self.problem = problem
    }
}

/// What a page and an entry may hold.
public enum HarvestLimits {
    /// Bytes of a page.
    public static let pageBytes = 256 << 20
    /// Entries taken from one reading; the others follow by ``HarvestNext/rest(_:)``.
    public static let entries = 10_000
    /// Names of one `package_list`.
    public static let names = 1_000_000
    public static let resources = 100
    public static let keywords = 100
    /// Characters (Unicode scalars) of a title, a name, a keyword.
    public static let title = 200
    public static let summary = 10_000
    /// Bytes of the same, so that the catalogue's own limits hold (`entry.too_long`).
    public static let titleBytes = 600
    public static let summaryBytes = 20_000
    public static let keywordBytes = 4000
    /// Bytes of a link and of an identifier.
    public static let link = 2000
    /// Characters of the text of a place: a small GeoJSON geometry fits.
    public static let spatial = 2000
}
