import Basics

/// An entry as a reader finds it, with texts as they stand; `entry(_:)` cleans and checks them in one place for all kinds.
struct EntryDraft {
    var identifier: String?
    var title: String?
    var summary: String?
    var keywords: [String] = []
    var publisher: String?
    var contact: String?
    var issued: String?
    var modified: String?
    var frequency: String?
    var licence: String?
    var licenceLink: String?
    var themes: [String] = []
    var landingPage: String?
    var spatial: String?
    var partOf: String?
    var resources: [Resource] = []

    struct Resource {
        var name: String?
        var link: String?
        /// Where `link` is none: the page that leads to the data.
        var otherLink: String?
        var format: String?
        var mediaType: String?
        var bytes: Int64?
    }

    /// The neutral entry.
    ///
    /// - Throws: `harvest.entry_untitled`, `harvest.entry_identifier`.
    func entry(_ settings: HarvestSettings) throws(Problem) -> HarvestedEntry {
        guard let title, case let (name, isCut) = EntryDraft.title(title), !name.isEmpty else {
            throw HarvestProblems.untitled
        }
        var entry = HarvestedEntry(identifier: "", title: name)
        if isCut { entry.notes.insert(.titleCut) }
        let (text, isSummaryCut) = Plain.paragraphs(summary ?? "")
        entry.summary = text
        if isSummaryCut { entry.notes.insert(.summaryCut) }
        entry.publisher = publisher.flatMap { Plain.line($0) }
        if let contact = contact.flatMap({ Plain.line($0) }) {
            if EntryDraft.isPersonal(contact) {
                entry.notes.insert(.contactWithheld)
            } else {
                entry.contact = contact
            }
        }
        entry.issued = date(issued, settings, &entry.notes)
        entry.modified = date(modified, settings, &entry.notes)
        if let frequency = frequency.flatMap({ Plain.line($0) }) {
            entry.frequency = HarvestFrequency(text: frequency)
            entry.frequencyText = frequency
            if entry.frequency == nil { entry.notes.insert(.frequencyUnknown) }
        }
        entry.keywords = distinct(keywords, &entry.notes)
        entry.themes = distinct(themes, &entry.notes)
        fillLicence(&entry, settings)
        entry.landingPage = link(landingPage, settings, &entry.notes)
        if let spatial = spatial.map({ Plain.text($0, keepsLines: false) }), !spatial.isEmpty {
            if spatial.utf8.count <= HarvestLimits.spatial {
                entry.spatial = spatial
            } else {
                entry.notes.insert(.placeLeftOut)
            }
        }
        entry.partOf = partOf.flatMap { Plain.line($0, characters: HarvestLimits.link, bytes: HarvestLimits.link) }
        fillResources(&entry, settings)
        try identify(&entry)
        return entry
    }

    private static func title(_ raw: String) -> (String, Bool) {
        Plain.cut(Plain.text(raw, keepsLines: false), HarvestLimits.title, HarvestLimits.titleBytes)
    }

    /// Whether a contact's name holds a mail address or a telephone number.
    private static func isPersonal(_ text: String) -> Bool {
        var digits = 0
        for scalar in TextForms.halfWidth(text).unicodeScalars {
            if scalar == "@" { return true }
            if TextForms.isDigit(scalar) { digits += 1 }
        }
        return digits >= 7
    }

    private func date(_ raw: String?, _ settings: HarvestSettings, _ notes: inout Set<HarvestNote>) -> String? {
        guard let raw, !raw.isEmpty else { return nil }
        let text = HarvestDate.text(raw, zone: settings.zone)
        if text == nil { notes.insert(.dateUnreadable) }
        return text
    }

    private func link(_ raw: String?, _ settings: HarvestSettings, _ notes: inout Set<HarvestNote>) -> String? {
        guard let raw, !raw.isEmpty else { return nil }
        let link = Link.address(raw, base: settings.address)
        if link == nil { notes.insert(.linkRefused) }
        return link
    }

    private func distinct(_ raw: [String], _ notes: inout Set<HarvestNote>) -> [String] {
        var kept: [String] = []
        var seen: Set<String> = []
        var bytes = 0
        for text in raw {
            guard let text = Plain.line(text), !seen.contains(text) else { continue }
            bytes += text.utf8.count
            guard kept.count < HarvestLimits.keywords, bytes <= HarvestLimits.keywordBytes else {
                notes.insert(.keywordsLeftOut)
                break
            }
            seen.insert(text)
            kept.append(text)
        }
        return kept
    }

    private func fillLicence(_ entry: inout HarvestedEntry, _ settings: HarvestSettings) {
        entry.licence = licence.flatMap { Plain.line($0) }
        entry.licenceLink = link(licenceLink, settings, &entry.notes)
        // One member for both, as in DCAT-US: a link there is no name.
        if let text = entry.licence, entry.licenceLink == nil, Link.scheme(text) != nil,
            let link = Link.address(text, base: nil)
        {
            entry.licence = nil
            entry.licenceLink = link
        }
    }

    private func identify(_ entry: inout HarvestedEntry) throws(Problem) {
        let own = Plain.text(identifier ?? "", keepsLines: false)
        if !own.isEmpty {
            entry.identifier = own
        } else if let link = entry.landingPage ?? entry.resources.first?.link {
            entry.identifier = link
            entry.origin = .link
        } else {
            let publisher = TextForms.comparable(entry.publisher ?? "")
            entry.identifier = "title:\(publisher)/\(TextForms.comparable(entry.title))"
            entry.origin = .composed
        }
        guard entry.identifier.utf8.count <= HarvestLimits.link else { throw HarvestProblems.identifier }
    }
}
