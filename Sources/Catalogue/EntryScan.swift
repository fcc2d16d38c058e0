import Basics
public import Kernel

/// An export of entries under way: they come in the order of their codes, some at a time.
public actor EntryScan {
    private static let step = 200
    private let catalogue: Catalogue
    private var query: EntryListQuery
    private let owners: Set<OrganisationID>?
    private var isDone = false

    init(_ catalogue: Catalogue, _ query: EntryListQuery, owners: Set<OrganisationID>?) {
        self.catalogue = catalogue
        self.query = query
        self.owners = owners
        self.query.order = .code
        self.query.offset = 0
        self.query.limit = EntryScan.step
    }

    /// What names providers in the workbook.
    public nonisolated var organisations: OrganisationTree { catalogue.kernel.gate.organisations }

    /// The next entries; nil at the end.
    public func next() async throws -> [Entry]? {
        guard !isDone else { return nil }
        let page = try await catalogue.index.list(query, owners: owners, now: catalogue.kernel.clock.now())
        query.offset += page.entries.count
        isDone = page.entries.count < EntryScan.step
        return page.entries.isEmpty ? nil : page.entries
    }
}
