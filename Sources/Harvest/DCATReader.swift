public import Basics

/// Reads DCAT as JSON-LD: DCAT 2 and 3, DCAT-AP up to 3.0.1, compacted or expanded, with Hydra's paging.
///
/// The main identifier is `dct:identifier`, "unique in the context of the catalogue" (DCAT-AP), else the thing's address.
public struct DCATReader: HarvestReader {
    let settings: HarvestSettings

    public init(_ settings: HarvestSettings = HarvestSettings()) { self.settings = settings }

    public func read(page: [UInt8], at place: HarvestNext? = nil) throws(Problem) -> HarvestPage {
        let document = try PageText.json(page, .dcat)
        let graph = LinkedGraph(document, base: settings.address)
        let datasets = listed(graph)
        let paging = try paging(graph)
        let isCatalogue = graph.nodes.contains { $0.types.contains(.catalogue) }
        guard !datasets.isEmpty || isCatalogue || paging.total != nil else {
            throw HarvestProblems.format(.dcat, found: PageText.found(document))
        }
        var collector = PageCollector(settings)
        for index in collector.part(of: datasets.count, at: place) {
            guard let node = datasets[index] else {
                collector.refuse(index, HarvestProblems.undescribed)
                continue
            }
            collector.take(index) { draft(graph, graph.nodes[node]) }
        }
        return collector.end(next: paging.next, total: paging.total)
    }

    /// The datasets of a page in their order; nil stands for one that the catalogue only names.
    private func listed(_ graph: LinkedGraph) -> [Int?] {
        var found: [Int?] = []
        var seen: Set<Int> = []
        var named: Set<String> = []
        for (index, node) in graph.nodes.enumerated() {
            if node.types.contains(.dataset), seen.insert(index).inserted { found.append(index) }
            for value in node.values(.dataset) {
                if let place = graph.node(value) {
                    if seen.insert(place).inserted { found.append(place) }
                } else if case .reference(let id) = value, named.insert(id).inserted {
                    found.append(nil)
                } else if case .text(let id, _) = value, named.insert(id).inserted {
                    found.append(nil)
                }
            }
        }
        return found
    }

    private func paging(_ graph: LinkedGraph) throws(Problem) -> (next: HarvestNext?, total: Int?) {
        var next: HarvestNext?
        var total: Int?
        for node in graph.nodes {
            for (property, value) in node.statements {
                switch (property, value) {
                case (.next, let value) where next == nil:
                    if let link = DCATReader.address(graph, value) { next = try settings.next(link) }
                case (.totalItems, .text(let text, _)) where total == nil: total = Int(text).map { max(0, $0) }
                default: continue
                }
            }
        }
        return (next, total)
    }

    // MARK: Things

    private func draft(_ graph: LinkedGraph, _ node: LinkedGraph.Node) -> EntryDraft {
        var draft = EntryDraft()
        let identifiers = node.values(.identifier).compactMap { value -> String? in
            if case .text(let text, _) = value { text } else { DCATReader.address(graph, value) }
        }
        let address = node.id.flatMap { $0.hasPrefix("_:") ? nil : $0 }
        draft.identifier = identifiers.min() ?? address
        draft.title = text(node, .title)
        draft.summary = text(node, .description)
        draft.keywords = texts(node, .keyword)
        draft.themes = node.values(.theme).compactMap {
            label(graph, $0) ?? DCATReader.address(graph, $0).map(Link.lastPart)
        }
        draft.publisher = node.values(.publisher).lazy.compactMap { label(graph, $0) }.first
        draft.contact = node.values(.contactPoint).lazy.compactMap { label(graph, $0) }.first
        draft.issued = text(node, .issued)
        draft.modified = text(node, .modified)
        draft.frequency = node.values(.frequency).lazy.compactMap { DCATReader.address(graph, $0) }.first
        draft.landingPage = link(graph, node, .landingPage) ?? link(graph, node, .page)
        draft.partOf = link(graph, node, .partOf)
        draft.spatial = node.values(.spatial).lazy.compactMap { place(graph, $0) }.first
        fillLicence(&draft, graph, node)
        for value in node.values(.distribution) {
            guard let place = graph.node(value) else { continue }
            let file = graph.nodes[place]
            // DCAT-AP has the licence with the files.
            if draft.licence == nil, draft.licenceLink == nil { fillLicence(&draft, graph, file) }
            draft.resources.append(
                EntryDraft.Resource(
                    name: text(file, .title) ?? text(file, .description),
                    link: link(graph, file, .downloadURL),
                    otherLink: link(graph, file, .accessURL),
                    format: file.values(.format).lazy.compactMap { format(graph, $0) }.first,
                    mediaType: link(graph, file, .mediaType),
                    bytes: text(file, .byteSize).flatMap { text in
                        JSONValue.string(text).byteCount ?? Double(text).flatMap { Int64(exactly: $0) }
                    }
                )
            )
        }
        return draft
    }

    private func fillLicence(_ draft: inout EntryDraft, _ graph: LinkedGraph, _ node: LinkedGraph.Node) {
        guard let value = node.values(.license).first else { return }
        draft.licence = label(graph, value)
        if let address = DCATReader.address(graph, value), Link.scheme(address) != nil { draft.licenceLink = address }
        if draft.licence == draft.licenceLink { draft.licence = nil }
    }

    /// The address of a value: an identifier, or a text that stands for one.
    private static func address(_ graph: LinkedGraph, _ value: LinkedGraph.Value) -> String? {
        switch value {
        case .text(let text, _): text
        case .reference(let id): id.hasPrefix("_:") ? nil : id
        case .node(let index): graph.nodes[index].id.flatMap { $0.hasPrefix("_:") ? nil : $0 }
        }
    }

    private func link(_ graph: LinkedGraph, _ node: LinkedGraph.Node, _ property: LinkedProperty) -> String? {
        node.values(property).lazy.compactMap { DCATReader.address(graph, $0) }.first
    }

    /// What a thing is called: its name, label or title; a text stands for itself.
    private func label(_ graph: LinkedGraph, _ value: LinkedGraph.Value) -> String? {
        if let place = graph.node(value) {
            let node = graph.nodes[place]
            return text(node, .name) ?? text(node, .label) ?? text(node, .title)
        }
        if case .text(let text, _) = value, Link.scheme(text) == nil { return text }
        return nil
    }

    private func format(_ graph: LinkedGraph, _ value: LinkedGraph.Value) -> String? {
        label(graph, value) ?? DCATReader.address(graph, value)
    }

    private func place(_ graph: LinkedGraph, _ value: LinkedGraph.Value) -> String? {
        if let label = label(graph, value) { return label }
        if let place = graph.node(value), let geometry = text(graph.nodes[place], .geometry) { return geometry }
        return DCATReader.address(graph, value)
    }

    // MARK: Languages

    private func rank(_ tag: String) -> Int {
        if tag.isEmpty { return settings.languages.count }
        let found = settings.languages.firstIndex { tag == $0 || tag.hasPrefix($0 + "-") }
        return found ?? settings.languages.count + 1
    }

    /// The text in the language that comes first; of several the smallest, since graphs have no order.
    private func text(_ node: LinkedGraph.Node, _ property: LinkedProperty) -> String? {
        var best: (rank: Int, tag: String, text: String)?
        for case .text(let text, let tag) in node.values(property) {
            let found = (rank(tag), tag, text)
            if best.map({ found < ($0.rank, $0.tag, $0.text) }) ?? true { best = found }
        }
        return best?.text
    }

    /// The texts in the language that comes first, and those without a language.
    private func texts(_ node: LinkedGraph.Node, _ property: LinkedProperty) -> [String] {
        var all: [(rank: Int, tag: String, text: String)] = []
        for case .text(let text, let tag) in node.values(property) { all.append((rank(tag), tag, text)) }
        guard let best = all.min(by: { ($0.rank, $0.tag) < ($1.rank, $1.tag) }) else { return [] }
        return all.filter { $0.tag == best.tag || $0.tag.isEmpty }.map(\.text)
    }
}
