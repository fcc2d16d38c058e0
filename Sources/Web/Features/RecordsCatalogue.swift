import Lake
import Basics
import CQL
import Catalogue
import Foundation
import Geo
import Hummingbird
import Kernel

/// OGC API - Records: the catalogue as a collection of records, `/ogc/collections/catalogue`.
enum RecordsCatalogue {
    static let id = "catalogue"
    private static let parameters: Set<String> = [
        "q", "type", "ids", "externalIds", "bbox", "bbox-crs", "datetime", "limit", "offset",
    ]

    static func json(_ web: WebRequest) -> JSONValue {
        let address = "\(FeaturesAPI.base(web))/collections/\(id)"
        return .object([
            .init("id", .string(id)), .init("type", "Catalog"), .init("itemType", "record"),
            .init("title", .string(web.text("数据资源目录", "Catalogue of resources"))),
            .init(
                "description",
                .string(web.text("可以查看的数据资源，每条一个资源。", "The resources that may be seen, a record each."))
            ),
            .init(
                "extent",
                .object([
                    .init(
                        "spatial",
                        .object([
                            .init("bbox", .array([.array([-180, -90, 180, 90])])),
                            .init("crs", .string(CoordinateSystem.crs84.rawValue)),
                        ])
                    )
                ])
            ),
            .init("crs", .array([.string(CoordinateSystem.crs84.rawValue)])),
            .init(
                "links",
                .array([
                    FeaturesAPI.link(address, "self", "application/json"),
                    FeaturesAPI.link("\(web.origin)/search", "alternate", "text/html"),
                    FeaturesAPI.link("\(address)/items", "items", "application/geo+json"),
                    FeaturesAPI.link(
                        "\(address)/queryables",
                        "http://www.opengis.net/def/rel/ogc/1.0/queryables",
                        "application/schema+json"
                    ),
                ])
            ),
        ])
    }

    /// What records hold, or by which of it they are found: by none, for `q`, `bbox` and the catalogue's own parameters do that.
    static func schema(_ web: WebRequest, isQueryables: Bool) -> JSONValue {
        let place = "\(FeaturesAPI.base(web))/collections/\(id)/\(isQueryables ? "queryables" : "schema")"
        let held: [JSONValue.Member] = [
            .init("type", .object([.init("type", "string")])), .init("title", .object([.init("type", "string")])),
        ]
        return .object([
            .init("$schema", "https://json-schema.org/draft/2020-12/schema"), .init("$id", .string(place)),
            .init("type", "object"), .init("properties", .object(isQueryables ? [] : held)),
            .init("additionalProperties", .boolean(false)),
        ])
    }

    static func items(_ web: WebRequest) async throws -> Response {
        try web.allow(parameters)
        let asked = web.parameters
        let limit = min(try FeatureQuery.limit(asked["limit"]), 200)
        let offset = try web.offset()
        var box: Box?
        if let text = asked["bbox"],
            case .box(let numbers) = try FeatureQuery.box(text, try FeatureQuery.system(asked["bbox-crs"], "bbox-crs"))
        {
            box = Box(numbers[0], numbers[1], numbers[2], numbers[3])
        }
        let span = try asked["datetime"].map { text in try FeatureQuery.moments(text) }
        let isOfType = asked["type"].map { $0.split(separator: ",").contains("dataset") } ?? true
        let words = (asked["q"] ?? "").split(separator: ",").map(String.init)
        let names = ["ids", "externalIds"].compactMap { asked[$0] }.flatMap {
            $0.split(separator: ",").map(String.init)
        }
        var entries: [Entry]
        var hasMore = false
        if !isOfType {
            entries = []
        } else if box == nil, span == nil, names.isEmpty, words.count <= 1 {
            // One more than asked for tells whether there are more.
            entries = try await search(words.first ?? "", offset, limit + 1, web)
            hasMore = entries.count > limit
        } else {
            entries = []
            guard words.count <= 10 else { throw FeatureQuery.wrong("q", "最多十个词", "ten words at the most") }
            var seen: Set<ResourceID> = []
            for text in words.isEmpty ? [""] : words {
                var at = 0
                while at < 10_000 {
                    let part = try await search(text, at, 200, web)
                    entries += part.filter { seen.insert($0.resource.id).inserted }
                    at += 200
                    if part.isEmpty { break }
                }
            }
            if !names.isEmpty {
                entries = entries.filter { names.contains($0.slug) || names.contains($0.resource.code) }
            }
            if box != nil || span != nil {
                var inside: [Entry] = []
                for entry in entries where meets(try await extent(entry, web), box, span) { inside.append(entry) }
                entries = inside
            }
            entries = Array(entries.dropFirst(offset))
            hasMore = entries.count > limit
        }
        entries = Array(entries.prefix(limit))
        var features: [JSONValue] = []
        for entry in entries { features.append(try await record(entry, web)) }
        let address = "\(FeaturesAPI.base(web))/collections/\(id)/items"
        var links = [FeaturesAPI.link(web.address(address), "self", "application/geo+json")]
        if hasMore {
            links.append(FeaturesAPI.link(web.address(address, offset: offset + limit), "next", "application/geo+json"))
        }
        let body = JSONValue.object([
            .init("type", "FeatureCollection"), .init("features", .array(features)),
            .init("numberReturned", .integer(Int64(features.count))),
            .init("timeStamp", .string(CivilTime.timestamp(web.services.kernel.clock.now()))),
            .init("links", .array(links)),
        ])
        return .bytes(Array(body.text.utf8), type: "application/geo+json")
    }

    /// What has no place is in no box; what has no time is of every time.
    private static func meets(_ extent: Extent?, _ box: Box?, _ span: ClosedRange<Int64>?) -> Bool {
        if let box {
            guard let own = extent?.box, own.minX <= box.maxX, own.maxX >= box.minX, own.minY <= box.maxY,
                own.maxY >= box.minY
            else { return false }
        }
        guard let span, let times = extent?.times else { return true }
        return times.overlaps(span)
    }

    static func item(_ name: String, _ web: WebRequest) async throws -> Response {
        try web.allow([])
        let entry = try await web.perform(web.services.catalogue.show, Entry.code(slug: name)).entry
        return .bytes(Array(try await record(entry, web).text.utf8), type: "application/geo+json")
    }

    private static func search(_ text: String, _ offset: Int, _ limit: Int, _ web: WebRequest) async throws -> [Entry] {
        try await web.perform(
            web.services.catalogue.search,
            CatalogueQuery(
                text: text,
                isOpen: web.principal == nil ? true : nil,
                offset: offset,
                limit: limit,
                order: text.isEmpty ? .number : .relevance
            )
        ).entries
    }

    private static func extent(_ entry: Entry, _ web: WebRequest) async throws -> Extent? {
        guard entry.rows > 0, web.services.lake.mayRead(entry.resource, web.caller) else { return nil }
        return try await web.perform(web.services.lake.extent, entry.resource.code)
    }

    private static func record(_ entry: Entry, _ web: WebRequest) async throws -> JSONValue {
        let base = FeaturesAPI.base(web)
        let extent = try await extent(entry, web)
        let time = extent?.times.map { times in
            JSONValue.object([
                .init("interval", .array([times.lowerBound, times.upperBound].map { .string(UniversalTime.text($0)) }))
            ])
        }
        let content = entry.content
        var properties: [JSONValue.Member] = [
            .init("type", "dataset"), .init("title", .string(content?.name ?? entry.slug)),
            .init("description", .string(content?.summary ?? "")),
            .init("keywords", .array((content?.keywords ?? []).map { .string($0) })),
            .init("created", .string(CivilTime.timestamp(entry.publishedAt ?? entry.changedAt))),
            .init("updated", .string(CivilTime.timestamp(entry.dataAt ?? entry.changedAt))),
            .init("language", .object([.init("code", "zh")])),
            .init("externalIds", .array([.object([.init("value", .string(entry.resource.code))])])),
        ]
        let owner = web.services.kernel.gate.organisations[entry.resource.owner]?.name
        if let owner {
            properties.append(
                .init(
                    "contacts",
                    .array([.object([.init("organization", .string(owner)), .init("roles", .array(["publisher"]))])])
                )
            )
        }
        var links = [
            FeaturesAPI.link("\(base)/collections/\(id)/items/\(entry.slug)", "self", "application/geo+json"),
            FeaturesAPI.link("\(base)/collections/\(id)", "collection", "application/json"),
            FeaturesAPI.link("\(web.origin)/resources/\(entry.slug)", "alternate", "text/html"),
        ]
        if entry.rows > 0, web.services.lake.mayRead(entry.resource, web.caller) {
            links.append(FeaturesAPI.link("\(base)/collections/\(entry.slug)", "item", "application/json"))
            links.append(
                FeaturesAPI.link("\(web.origin)/api/v1/resources/\(entry.slug)/records.csv", "enclosure", "text/csv")
            )
        }
        return .object([
            .init("type", "Feature"), .init("id", .string(entry.slug)), .init("time", time ?? .null),
            .init("geometry", extent?.box?.geometry.json ?? .null), .init("properties", .object(properties)),
            .init("links", .array(links)),
        ])
    }
}
