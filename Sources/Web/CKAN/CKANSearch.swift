import Basics

/// `package_search` over the open catalogue.
struct CKANSearch {
    let catalogue: CKANCatalogue
    let objects: CKANObjects
    let now: Int64

    private static let known: Set<String> = [
        "q", "fq", "fq_list", "rows", "start", "sort", "facet", "facet.field", "facet.limit", "facet.mincount", "fl",
        "include_private", "include_drafts", "include_deleted", "use_default_schema", "extras", "df", "defType", "mm",
        "qf", "tie", "bf", "boost", "wt", "q.op",
    ]

    func run(_ asked: CKANParameters) throws(CKANFailure) -> JSONValue {
        let strangers = asked.names.filter { !CKANSearch.known.contains($0) && !$0.hasPrefix("ext_") }
        guard strangers.isEmpty else {
            throw .query("Invalid search parameters: [\(strangers.map { "\\'\($0)\\'" }.joined(separator: ", "))]")
        }
        let rows = try asked.natural("rows", 10, atMost: 1000)
        let start = try asked.natural("start", 0)
        let sort = asked.text("sort") ?? "score desc, metadata_modified desc"
        let order = try CKANSearch.order(sort == "rank" ? "score desc, metadata_modified desc" : sort)
        var taken: Set<String> = []
        let facets = (asked.flag("facet", true) ? try asked.list("facet.field", isJSONOnly: true) ?? [] : []).filter {
            taken.insert($0).inserted
        }
        guard facets.count <= 50 else { throw .invalid("facet.field", "Too many fields") }
        var hits = try matches(asked)
        sortHits(&hits, order)
        let page = hits.dropFirst(start).prefix(rows)
        let counts = try facets.map { field throws(CKANFailure) in (field, try count(field, hits, asked)) }
        return .object([
            .init("count", .integer(Int64(hits.count))),
            .init(
                "facets",
                .object(
                    counts.map { field, items in
                        .init(field, .object(items.map { .init($0.name, .integer(Int64($0.count))) }))
                    }
                )
            ),
            .init("results", .array(page.map { objects.dataset($0.dataset) })), .init("sort", .string(sort)),
            .init(
                "search_facets",
                .object(
                    counts.map { field, items in
                        .init(
                            field,
                            .object([.init("title", .string(field)), .init("items", .array(items.map(\.json)))])
                        )
                    }
                )
            ),
        ])
    }

    private typealias Hit = (dataset: CKANDataset, score: Int)

    private func matches(_ asked: CKANParameters) throws(CKANFailure) -> [Hit] {
        var conditions: [CKANQuery] = []
        var words: [String] = []
        if let text = asked.text("q"), text != "''", text != "\"\"" {
            if text.contains(":") || text.contains("{!") {
                conditions.append(try CKANQuery(text))
            } else {
                words = CKANQuery.words(text)
            }
        }
        for text in try [asked.text("fq")].compactMap(\.self) + (asked.filters()) {
            conditions.append(try CKANQuery(text))
        }
        let needed = CKANQuery.needed(of: words.count)
        var hits: [Hit] = []
        for dataset in catalogue.datasets {
            var score = 0
            if !words.isEmpty {
                let title = dataset.title.lowercased()
                let owner = catalogue.organisation(dataset.organisation)?.title.lowercased() ?? ""
                var found = 0
                for word in words where dataset.words.contains(word) || owner.contains(word) {
                    found += 1
                    score += title.contains(word) || dataset.name.contains(word) ? 4 : 1
                }
                guard found >= needed else { continue }
            }
            guard conditions.allSatisfy({ $0.holds(now: now) { dataset.values($0, in: catalogue) } }) else { continue }
            hits.append((dataset, score))
        }
        return hits
    }

    // MARK: Order

    private static func order(_ text: String) throws(CKANFailure) -> [(field: String, isDescending: Bool)] {
        try text.split(separator: ",").prefix(20).map { part throws(CKANFailure) in
            let words = part.split(separator: " ")
            guard let field = words.first, words.count <= 2,
                words.count == 1 || ["asc", "desc"].contains(words[1].lowercased())
            else { throw .query("Invalid \"sort\" parameter") }
            return (String(field), words.count == 2 && words[1].lowercased() == "desc")
        }
    }

    private func sortHits(_ hits: inout [Hit], _ order: [(field: String, isDescending: Bool)]) {
        hits.sort { a, b in
            for (field, isDescending) in order {
                let (first, second) = isDescending ? (b, a) : (a, b)
                switch field {
                case "score": if first.score != second.score { return first.score < second.score }
                case "metadata_modified", "last_modified":
                    if first.dataset.modified != second.dataset.modified {
                        return first.dataset.modified < second.dataset.modified
                    }
                case "metadata_created":
                    if first.dataset.created != second.dataset.created {
                        return first.dataset.created < second.dataset.created
                    }
                case "name":
                    if first.dataset.name != second.dataset.name { return first.dataset.name < second.dataset.name }
                case "id": if first.dataset.id != second.dataset.id { return first.dataset.id < second.dataset.id }
                case "title_string", "title":
                    if first.dataset.title != second.dataset.title { return first.dataset.title < second.dataset.title }
                default: break
                }
            }
            return a.dataset.id < b.dataset.id
        }
    }

    // MARK: Facets

    private struct Item {
        var name: String
        var title: String
        var count: Int

        var json: JSONValue {
            .object([
                .init("name", .string(name)), .init("display_name", .string(title)),
                .init("count", .integer(Int64(count))),
            ])
        }
    }

    private func count(_ field: String, _ hits: [Hit], _ asked: CKANParameters) throws(CKANFailure) -> [Item] {
        let limit = asked.text("facet.limit").flatMap { Int($0) } ?? 50
        let least = try asked.natural("facet.mincount", 1)
        var counts: [String: Int] = [:]
        for hit in hits {
            guard case .exact(let values) = hit.dataset.values(field, in: catalogue) else { continue }
            for value in Set(values) { counts[value, default: 0] += 1 }
        }
        let sorted = counts.filter { $0.value >= least }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return (limit < 0 ? sorted : Array(sorted.prefix(limit))).map { name, count in
            Item(name: name, title: title(field, name), count: count)
        }
    }

    private func title(_ field: String, _ name: String) -> String {
        switch field {
        case "organization": catalogue.organisations.first { $0.name == name }?.title ?? name
        case "groups": catalogue.groups.first { $0.name == name }?.title ?? name
        case "license_id": catalogue.datasets.first { $0.license.id == name }?.license.title ?? name
        default: name
        }
    }
}

extension CKANParameters {
    /// `fq_list`: a list, or one condition that is a list of its own.
    fileprivate func filters() throws(CKANFailure) -> [String] {
        switch self["fq_list"] {
        case nil: []
        case .string(let text) where !text.hasPrefix("["): text.isEmpty ? [] : [text]
        default: Array(try list("fq_list")?.prefix(10) ?? [])
        }
    }
}
