import Basics

extension EntryDraft {
    /// Takes the resources that have a usable link; a resource without one is told by a note.
    func fillResources(_ entry: inout HarvestedEntry, _ settings: HarvestSettings) {
        entry.resources.reserveCapacity(min(resources.count, HarvestLimits.resources))
        for resource in resources {
            guard entry.resources.count < HarvestLimits.resources else {
                entry.notes.insert(.resourcesLeftOut)
                return
            }
            let first = resource.link ?? ""
            let second = resource.otherLink ?? ""
            guard !first.isEmpty || !second.isEmpty else { continue }
            let found = Link.address(first, base: settings.address) ?? Link.address(second, base: settings.address)
            guard let link = found else {
                entry.notes.insert(.linkRefused)
                continue
            }
            let mediaType = resource.mediaType.flatMap(EntryDraft.mediaType)
            let format =
                resource.format.flatMap(EntryDraft.format) ?? mediaType.flatMap { EntryDraft.formats[$0] }
                ?? EntryDraft.ending(of: link)
            entry.resources.append(
                HarvestedResource(
                    name: resource.name.flatMap { Plain.line($0) } ?? Plain.line(Link.lastPart(link)) ?? format ?? link,
                    link: link,
                    format: format,
                    mediaType: mediaType,
                    bytes: resource.bytes.flatMap { $0 >= 0 ? $0 : nil }
                )
            )
        }
    }

    /// `csv` of `.CSV`, `CSV`, `text/csv` or a term of the EU's file types.
    static func format(_ raw: String) -> String? {
        if raw.utf8.count <= 8, raw.utf8.allSatisfy({ (0x61...0x7A).contains($0 | 0x20) }) { return raw.lowercased() }
        guard var text = Plain.line(raw, characters: 300)?.lowercased() else { return nil }
        if let known = formats[text] { return known }
        if text.contains("/") {
            if let media = mediaType(text), let known = formats[media] { return known }
            if Link.scheme(text) != nil { text = Link.lastPart(text) }
        }
        while text.hasPrefix(".") { text.removeFirst() }
        return Plain.line(text, characters: 50)
    }

    /// `text/csv` of itself, with parameters, or of IANA's address; nil for what is no media type.
    static func mediaType(_ raw: String) -> String? {
        if formats[raw] != nil { return raw }
        var text = Substring(raw.lowercased())
        if let parameters = text.firstIndex(of: ";") { text = text[..<parameters] }
        let parts = TextForms.trimmed(String(text)).split(separator: "/")
        guard parts.count >= 2, parts.count == 2 || Link.scheme(raw) != nil else { return nil }
        let pair = parts.suffix(2)
        let isName = pair.allSatisfy { part in
            part.utf8.count <= 100
                && part.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x5F].contains($0)
                }
        }
        let kinds: Set<Substring> = [
            "application", "audio", "font", "image", "message", "model", "multipart", "text", "video",
        ]
        guard isName, let kind = pair.first, kinds.contains(kind) else { return nil }
        return pair.joined(separator: "/")
    }

    /// The format that a link's file name ends with, where it is a usual one.
    private static func ending(of link: String) -> String? {
        let name = Link.lastPart(link)
        guard let point = name.utf8.lastIndex(of: 0x2E) else { return nil }
        let ending = name[name.utf8.index(after: point)...].lowercased()
        return endings.contains(ending) ? ending : nil
    }

    private static let endings: Set<String> = [
        "csv", "tsv", "txt", "json", "geojson", "jsonl", "xml", "xls", "xlsx", "ods", "et", "wps", "doc", "docx",
        "pdf", "ofd", "zip", "gz", "7z", "rar", "kml", "kmz", "shp", "gpkg", "gml", "tif", "tiff", "parquet", "rdf",
        "ttl", "jsonld", "html", "pbf", "osm", "dbf", "mdb", "sqlite", "jpg", "png", "gtfs",
    ]

    /// Formats of media types.
    static let formats: [String: String] = [
        "text/csv": "csv", "application/csv": "csv", "text/tab-separated-values": "tsv", "text/plain": "txt",
        "application/json": "json", "application/geo+json": "geojson", "application/vnd.geo+json": "geojson",
        "application/xml": "xml", "text/xml": "xml", "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "application/vnd.oasis.opendocument.spreadsheet": "ods", "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx", "application/pdf": "pdf",
        "application/zip": "zip", "application/x-zip-compressed": "zip", "application/gzip": "gz",
        "application/vnd.google-earth.kml+xml": "kml", "application/vnd.google-earth.kmz": "kmz",
        "application/geopackage+sqlite3": "gpkg", "application/gml+xml": "gml", "image/tiff": "tif",
        "application/vnd.apache.parquet": "parquet", "application/rdf+xml": "rdf", "text/turtle": "ttl",
        "application/ld+json": "jsonld", "text/html": "html", "image/jpeg": "jpg", "image/png": "png",
    ]
}
