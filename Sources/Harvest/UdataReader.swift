public import Basics

/// Reads lists of udata (data.gouv.fr and its kin): `{"data": […], "next_page": …, "total": …}` of `/api/1/datasets/`, and the sample files
/// of udata's front ends, `{"datasets": [{"dataset": …, "resources": […], "organization": …}]}`.
///
/// Owners and members are people and are left out.
public struct UdataReader: HarvestReader {
    let settings: HarvestSettings

    public init(_ settings: HarvestSettings = HarvestSettings()) { self.settings = settings }

    public func read(page: [UInt8], at place: HarvestNext? = nil) throws(Problem) -> HarvestPage {
        let answer = try PageText.json(page, .udata)
        guard let datasets = answer["data"]?.array ?? answer["datasets"]?.array else {
            throw HarvestProblems.format(.udata, found: PageText.found(answer))
        }
        var collector = PageCollector(settings)
        for index in collector.part(of: datasets.count, at: place) {
            collector.take(index) { () throws(Problem) in try UdataReader.draft(datasets[index]) }
        }
        var next: HarvestNext?
        if let link = answer["next_page"]?.string, !link.isEmpty { next = try settings.next(link) }
        return collector.end(next: next, total: answer["total"]?.integer.map { Int(clamping: max(0, $0)) })
    }

    static func draft(_ item: JSONValue) throws(Problem) -> EntryDraft {
        let dataset = item["dataset"] ?? item
        guard dataset.members != nil else { throw HarvestProblems.shape }
        let isDeleted = [dataset["deleted"], dataset["deleted_at"]].contains { $0.map { !$0.isNull } ?? false }
        guard !isDeleted, dataset["private"]?.boolean != true else { throw HarvestProblems.withdrawn }
        var draft = EntryDraft()
        draft.identifier = dataset.text("id", "slug")
        draft.title = dataset.text("title")
        draft.summary = dataset.text("description")
        draft.keywords = dataset.texts("tags")
        draft.publisher = (item["organization"] ?? dataset["organization"])?.name
        draft.contact = dataset["contact_points"]?.array?.lazy.compactMap { $0.text("name") }.first
        draft.issued = dataset.text("created_at", "created_at_internal")
        draft.modified = dataset.text("last_update", "last_modified", "last_modified_internal")
        draft.frequency = dataset.text("frequency").flatMap { $0 == "unknown" ? nil : $0 }
        draft.licence = dataset.text("license")
        draft.landingPage = dataset.text("page", "uri")
        draft.spatial = place(dataset["spatial"])
        draft.resources = ((item["resources"] ?? dataset["resources"])?.array ?? []).compactMap { value in
            guard value.members != nil else { return nil }
            return EntryDraft.Resource(
                name: value.text("title"),
                link: value.text("url", "latest"),
                format: value.text("format"),
                mediaType: value.text("mime"),
                bytes: value["filesize"]?.byteCount
            )
        }
        return draft
    }

    /// The zones of an extent, else its geometry.
    private static func place(_ spatial: JSONValue?) -> String? {
        let zones = spatial?.texts("zones") ?? []
        return zones.isEmpty ? spatial?["geom"]?.placeText : zones.joined(separator: ", ")
    }
}
