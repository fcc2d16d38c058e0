import Lake
import Basics
import CQL
import Catalogue
import Kernel
import Tabular

/// A dataset as CKAN's clients know it: an entry of the catalogue that is open to everybody.
struct CKANDataset: Sendable {
    let id: String
    let name: String
    let code: String
    let title: String
    let notes: String
    let tags: [String]
    let organisation: OrganisationID
    let group: String
    let created: Int64
    let modified: Int64
    let frequency: String
    let isUnconditional: Bool
    /// The formats its rows come in, each a resource; the first is the one that `datastore_search` reads.
    let formats: [(format: OutputFormat, id: String)]
    /// When its rows last changed.
    let dataAt: Int64?
    /// Everything that words are looked for in, folded.
    let words: String

    var license: (id: String, title: String) {
        isUnconditional ? ("other-open", "Other (Open)") : ("notspecified", "License not specified")
    }
}

/// An organisation that provides datasets, or a theme that gathers them.
struct CKANGroup: Sendable {
    let id: String
    let name: String
    let title: String
    let isOrganisation: Bool
    var count = 0
    var created: Int64
}

/// The open catalogue as it is at one moment.
struct CKANCatalogue: Sendable {
    /// By name.
    let datasets: [CKANDataset]
    let organisations: [CKANGroup]
    let groups: [CKANGroup]
    /// Each tag and how many datasets have it.
    let tags: [(name: String, count: Int)]
    private let providers: [OrganisationID: CKANGroup]
    private let themes: [String: CKANGroup]
    private let places: [String: Int]
    private let resources: [String: (dataset: Int, resource: Int)]

    init(_ entries: [Entry], _ tree: OrganisationTree, node: NodeKey, isReadable: (Entry) -> Bool) {
        var datasets: [CKANDataset] = []
        for entry in entries {
            guard let content = entry.published else { continue }
            datasets.append(CKANDataset(entry, content, node: node, hasRows: entry.rows > 0 && isReadable(entry)))
        }
        datasets.sort { $0.name < $1.name }
        self.datasets = datasets
        var organisations: [OrganisationID: CKANGroup] = [:]
        var groups: [String: CKANGroup] = [:]
        var tags: [String: Int] = [:]
        var places: [String: Int] = [:]
        var resources: [String: (Int, Int)] = [:]
        for (index, dataset) in datasets.enumerated() {
            places[dataset.id] = index
            places[dataset.name] = index
            for (place, resource) in dataset.formats.enumerated() { resources[resource.id] = (index, place) }
            for tag in dataset.tags { tags[tag, default: 0] += 1 }
            let owner = dataset.organisation
            var provider =
                organisations[owner]
                ?? CKANGroup(
                    id: node.identifier(of: "organisation/\(owner.raw)"),
                    name: CKANCatalogue.name(owner),
                    title: tree[owner]?.name ?? CKANCatalogue.name(owner),
                    isOrganisation: true,
                    created: dataset.created
                )
            provider.count += 1
            provider.created = min(provider.created, dataset.created)
            organisations[owner] = provider
            var theme =
                groups[dataset.group]
                ?? CKANGroup(
                    id: node.identifier(of: "category/\(dataset.group)"),
                    name: CKANCatalogue.name(category: dataset.group),
                    title: Classification.title(dataset.group).zh,
                    isOrganisation: false,
                    created: dataset.created
                )
            theme.count += 1
            theme.created = min(theme.created, dataset.created)
            groups[dataset.group] = theme
        }
        providers = organisations
        themes = groups
        self.organisations = organisations.values.sorted { $0.name < $1.name }
        self.groups = groups.values.sorted { $0.name < $1.name }
        self.tags = tags.map { (name: $0.key, count: $0.value) }.sorted { $0.name < $1.name }
        self.places = places
        self.resources = resources
    }

    func dataset(_ idOrName: String) -> CKANDataset? { places[idOrName].map { datasets[$0] } }

    func resource(_ id: String) -> (dataset: CKANDataset, place: Int)? {
        resources[id.lowercased()].map { (datasets[$0.dataset], $0.resource) }
    }

    func organisation(_ id: OrganisationID) -> CKANGroup? { providers[id] }

    func group(_ category: String) -> CKANGroup? { themes[category] }

    static func name(_ organisation: OrganisationID) -> String { "organisation-\(organisation.raw)" }
    static func name(category: String) -> String { category.isEmpty ? "category-none" : "category-\(category)" }

    /// CKAN's tags are letters, digits, blanks, `-`, `_` and `.`, two to a hundred of them: other characters part a keyword.
    static func tags(_ keywords: [String]) -> [String] {
        var found: Set<String> = []
        for keyword in keywords {
            let parts = keyword.unicodeScalars.split { scalar in
                !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    || " _-.".unicodeScalars.contains(scalar))
            }
            for part in parts {
                let whole = String(String.UnicodeScalarView(part.prefix(100)))
                let tag = whole.split(separator: " ").joined(separator: " ")
                if tag.count >= 2 { found.insert(tag) }
            }
        }
        return found.sorted()
    }
}

extension CKANDataset {
    init(_ entry: Entry, _ content: EntryContent, node: NodeKey, hasRows: Bool) {
        let code = entry.resource.code
        id = node.identifier(of: "resource/\(code)")
        name = entry.slug.lowercased()
        self.code = code
        title = content.name
        notes = content.summary
        tags = CKANCatalogue.tags(content.keywords)
        organisation = entry.resource.owner
        group = String(content.category.prefix(6))
        modified = max(entry.dataAt ?? 0, entry.changedAt)
        created = min(entry.publishedAt ?? entry.changedAt, modified)
        frequency = content.frequency.rawValue
        isUnconditional = !entry.resource.openness.contains(.conditional)
        dataAt = entry.dataAt
        let schema = content.schema
        let hasPlaces = schema.position != nil || schema.fields.contains { $0.type == .geometry }
        let formats: [OutputFormat] = hasRows ? [.csv, .xlsx, .json] + (hasPlaces ? [.geojson] : []) : []
        self.formats = formats.map { ($0, node.identifier(of: "resource/\(code)/\($0.rawValue)")) }
        words = ([content.name, content.summary, entry.slug, code] + content.keywords).joined(separator: "\n")
            .lowercased()
    }

    /// What the dataset says of a field of CKAN's search.
    func values(_ field: String, in catalogue: CKANCatalogue) -> CKANQuery.Values? {
        switch field {
        case CKANQuery.fieldOfWords:
            return .text([words, catalogue.organisation(organisation)?.title.lowercased() ?? ""])
        case "title": return .text([title.lowercased()])
        case "notes": return .text([notes.lowercased()])
        case "title_string": return .exact([title])
        case "id": return .exact([id])
        case "name": return .exact([name])
        case "tags": return .exact(tags)
        case "organization": return .exact([CKANCatalogue.name(organisation)])
        case "owner_org": return .exact(catalogue.organisation(organisation).map { [$0.id] } ?? [])
        case "groups": return .exact([CKANCatalogue.name(category: group)])
        case "license_id": return .exact([license.id])
        case "isopen": return .exact([isUnconditional ? "true" : "false"])
        case "res_format": return .exact(formats.map { CKANObjects.format($0.format) })
        case "res_name": return .text(formats.map { "\(title) \(CKANObjects.format($0.format))".lowercased() })
        case "type", "dataset_type": return .exact(["dataset"])
        case "entity_type": return .exact(["package"])
        case "state": return .exact(["active"])
        case "capacity": return .exact(["public"])
        case "private": return .exact(["false"])
        case "metadata_created": return .time(created)
        case "metadata_modified": return .time(modified)
        case "frequency", "extras_frequency": return .text([frequency])
        case "identifier", "extras_identifier": return .text([code.lowercased()])
        default: return nil
        }
    }
}

/// Keeps the open catalogue for those who ask again: made anew when an entry changed, at most every five seconds.
actor CKANCache {
    private var kept: (catalogue: CKANCatalogue, generation: Int, at: ContinuousClock.Instant)?
    private var work: Task<CKANCatalogue, any Error>?

    /// What the public sees of the catalogue. Every request passes the gate as the public.
    func current(_ web: WebRequest) async throws -> CKANCatalogue {
        let hits = try await CKANCache.page(0, limit: 1, web)
        if let kept {
            let age = ContinuousClock.now - kept.at
            // Names of organisations change without an entry's changing.
            if age < .seconds(5) || age < .seconds(60) && kept.generation == hits.generation { return kept.catalogue }
        }
        if let work { return try await work.value }
        let task = Task { try await CKANCache.read(web) }
        work = task
        defer { work = nil }
        let catalogue = try await task.value
        kept = (catalogue, hits.generation, .now)
        return catalogue
    }

    private static func page(_ offset: Int, limit: Int, _ web: WebRequest) async throws -> CatalogueHits {
        try await web.perform(
            web.services.catalogue.search,
            CatalogueQuery(isOpen: true, offset: offset, limit: limit, order: .number)
        )
    }

    private static func read(_ web: WebRequest) async throws -> CKANCatalogue {
        var entries: [Entry] = []
        while true {
            let part = try await page(entries.count, limit: 1000, web).entries
            entries += part
            if part.count < 1000 { break }
        }
        return CKANCatalogue(
            entries,
            web.services.kernel.gate.organisations,
            node: web.services.kernel.key,
            isReadable: { web.services.lake.mayRead($0.resource, web.caller) }
        )
    }
}
