public import Basics

/// Reads a `data.json` of DCAT-US 1.1 (resources.data.gov, "DCAT-US Schema v1.1"), and of its version 1.0, which was the array alone.
///
/// The whole catalogue is one document; more than ``HarvestLimits/entries`` follow by ``HarvestNext/rest(_:)``.
public struct DataJSONReader: HarvestReader {
    let settings: HarvestSettings

    public init(_ settings: HarvestSettings = HarvestSettings()) { self.settings = settings }

    public func read(page: [UInt8], at place: HarvestNext? = nil) throws(Problem) -> HarvestPage {
        let document = try PageText.json(page, .dataJSON)
        guard let datasets = document["dataset"]?.array ?? DataJSONReader.list(document) else {
            throw HarvestProblems.format(.dataJSON, found: PageText.found(document))
        }
        var collector = PageCollector(settings)
        for index in collector.part(of: datasets.count, at: place) {
            collector.take(index) { () throws(Problem) in try DataJSONReader.draft(datasets[index]) }
        }
        return collector.end(total: datasets.count)
    }

    private static func list(_ document: JSONValue) -> [JSONValue]? {
        guard let items = document.array, items.isEmpty || items.contains(where: { $0["title"] != nil }) else {
            return nil
        }
        return items
    }

    static func draft(_ dataset: JSONValue) throws(Problem) -> EntryDraft {
        guard dataset.members != nil else { throw HarvestProblems.shape }
        var draft = EntryDraft()
        draft.identifier = dataset.text("identifier", "@id")
        draft.title = dataset.text("title")
        draft.summary = dataset.text("description")
        let keywords = dataset["keyword"]
        // Version 1.0 had one text with commas.
        draft.keywords =
            keywords?.string.map { $0.split(separator: ",").map(String.init) } ?? keywords?.listedTexts ?? []
        draft.publisher = dataset["publisher"].flatMap { $0.scalarText ?? $0.name }
        draft.contact = dataset["contactPoint"].flatMap { $0.scalarText ?? $0.text("fn", "name") }
        draft.issued = dataset.text("issued")
        draft.modified = dataset.text("modified")
        draft.frequency = dataset.text("accrualPeriodicity")
        // DCAT-US lets a repeating interval stand for the date of what changes all the time.
        if let modified = draft.modified, HarvestFrequency.days(ofDuration: modified) != nil {
            draft.modified = nil
            draft.frequency = draft.frequency ?? modified
        }
        draft.licence = dataset.text("license")
        draft.themes = dataset.texts("theme")
        draft.landingPage = dataset.text("landingPage")
        draft.spatial = dataset["spatial"]?.placeText
        draft.partOf = dataset.text("isPartOf")
        draft.resources = (dataset["distribution"]?.array ?? []).compactMap(resource)
        // Version 1.0 named one file in the dataset itself.
        if draft.resources.isEmpty, dataset["accessURL"] != nil, let own = resource(dataset) { draft.resources = [own] }
        return draft
    }

    private static func resource(_ value: JSONValue) -> EntryDraft.Resource? {
        guard value.members != nil else { return nil }
        return EntryDraft.Resource(
            name: value.text("title", "description"),
            link: value.text("downloadURL"),
            otherLink: value.text("accessURL", "webService"),
            format: value.text("format"),
            mediaType: value.text("mediaType"),
            bytes: value["byteSize"]?.byteCount
        )
    }
}
