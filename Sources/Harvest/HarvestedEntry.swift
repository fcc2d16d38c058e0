public import Basics

/// Where an entry's identifier comes from: only the source's own is sure to stay.
public enum IdentifierOrigin: String, Sendable, CaseIterable, Hashable {
    /// The source gives it.
    case source
    /// The source gives none; a link stands for it.
    case link
    /// Neither: made of publisher and title, reduced as in `TextForms.comparable`. A new title is a new entry.
    case composed
}

/// What was changed or left out when an entry was taken.
public enum HarvestNote: String, Sendable, CaseIterable, Hashable {
    case titleCut = "title_cut"
    case summaryCut = "summary_cut"
    case linkRefused = "link_refused"
    case dateUnreadable = "date_unreadable"
    case frequencyUnknown = "frequency_unknown"
    case contactWithheld = "contact_withheld"
    case keywordsLeftOut = "keywords_left_out"
    case resourcesLeftOut = "resources_left_out"
    case placeLeftOut = "place_left_out"

    public var title: LocalizedText {
        switch self {
        case .titleCut: .init("名称过长，已截断", "the title was cut")
        case .summaryCut: .init("摘要过长，已截断", "the summary was cut")
        case .linkRefused: .init("链接不是 http、https 或 ftp 地址，已略去", "a link that is not http, https or ftp was left out")
        case .dateUnreadable: .init("日期无法识别，已略去", "a date that cannot be read was left out")
        case .frequencyUnknown: .init("更新频率无法归类", "the update frequency fits no class")
        case .contactWithheld: .init("联系人含电话或邮箱，已略去", "a contact with a telephone or mail address was left out")
        case .keywordsLeftOut: .init("关键词过多，部分略去", "some keywords were left out")
        case .resourcesLeftOut: .init("资源过多，部分略去", "some resources were left out")
        case .placeLeftOut: .init("空间范围过长，已略去", "a long spatial extent was left out")
        }
    }
}

/// One dataset of another catalogue, in one form for all kinds of catalogues. All texts are plain: no HTML, no control characters.
public struct HarvestedEntry: Sendable, Hashable {
    /// Stable in the source, unless `origin` says otherwise; at most ``HarvestLimits/link`` bytes.
    public var identifier: String
    public var origin: IdentifierOrigin
    /// Never empty; at most ``HarvestLimits/title`` characters.
    public var title: String
    /// Paragraphs are separated by line feeds; at most ``HarvestLimits/summary`` characters.
    public var summary: String = ""
    /// Distinct, in the source's order.
    public var keywords: [String] = []
    /// The name of the organisation.
    public var publisher: String?
    /// The name of a person or office to turn to; never a telephone number or a mail address.
    public var contact: String?
    /// `YYYY-MM-DD`, or `YYYY-MM-DDThh:mm:ss+08:00` where the source gives the time.
    public var issued: String?
    public var modified: String?
    public var frequency: HarvestFrequency?
    /// The frequency as the source writes it.
    public var frequencyText: String?
    public var licence: String?
    public var licenceLink: String?
    public var themes: [String] = []
    /// The page that the source shows people.
    public var landingPage: String?
    /// A place's name, or a geometry as GeoJSON or WKT text, as the source gives it.
    public var spatial: String?
    /// The identifier of the collection that this is part of.
    public var partOf: String?
    public var resources: [HarvestedResource] = []
    public var notes: Set<HarvestNote> = []

    public init(identifier: String, origin: IdentifierOrigin = .source, title: String) {
        self.identifier = identifier
        self.origin = origin
        self.title = title
    }
}

/// A file or an interface of a dataset.
public struct HarvestedResource: Sendable, Hashable {
    /// Never empty.
    public var name: String
    /// Absolute; http, https or ftp.
    public var link: String
    /// Lower case: `csv`, `geojson`; from the media type or the link's ending where the source names none.
    public var format: String?
    /// `text/csv`
    public var mediaType: String?
    public var bytes: Int64?

    public init(
        name: String,
        link: String,
        format: String? = nil,
        mediaType: String? = nil,
        bytes: Int64? = nil
    ) {
        self.name = name
        self.link = link
        self.format = format
        self.mediaType = mediaType
        self.bytes = bytes
    }
}

extension HarvestedEntry {
    /// The entry as JSON text whose equality means that nothing changed: what a digest is made of.
    ///
    /// Members stand in a fixed order and without those that are empty; keywords, themes and resources are sorted, since sources that keep
    /// graphs give them in any order. Notes are left out.
    public var canonical: [UInt8] {
        var writer = JSONWriter(capacity: 512 + summary.utf8.count + resources.count * 160)
        writer.beginObject()
        func say(_ name: String, _ text: String?) {
            guard let text, !text.isEmpty else { return }
            writer.key(name)
            writer.string(text)
        }
        func say(_ name: String, _ texts: [String]) {
            guard !texts.isEmpty else { return }
            writer.key(name)
            writer.beginArray()
            for text in texts.sorted() { writer.string(text) }
            writer.endArray()
        }
        say("identifier", identifier)
        say("title", title)
        say("summary", summary)
        say("keywords", keywords)
        say("publisher", publisher)
        say("contact", contact)
        say("issued", issued)
        say("modified", modified)
        say("frequency", frequency?.rawValue)
        say("frequency_text", frequencyText)
        say("licence", licence)
        say("licence_link", licenceLink)
        say("themes", themes)
        say("landing_page", landingPage)
        say("spatial", spatial)
        say("part_of", partOf)
        if !resources.isEmpty {
            writer.key("resources")
            writer.beginArray()
            for resource in resources.sorted(by: { ($0.link, $0.name) < ($1.link, $1.name) }) {
                writer.beginObject()
                say("name", resource.name)
                say("link", resource.link)
                say("format", resource.format)
                say("media_type", resource.mediaType)
                if let bytes = resource.bytes {
                    writer.key("bytes")
                    writer.integer(bytes)
                }
                writer.endObject()
            }
            writer.endArray()
        }
        writer.endObject()
        return writer.bytes
    }
}
