import Basics
import CQL
import Catalogue
import Geo
import Hummingbird
import Kernel
import Lake
import Tabular

/// What somebody may see of a resource as a collection of features.
final class FeatureCollection: Sendable {
    let entry: Entry
    let layout: FeatureLayout

    /// - Throws: what reading the resource's rows throws.
    convenience init(_ entry: Entry, _ web: WebRequest) async throws {
        self.init(entry, try await web.perform(web.services.lake.fields, entry.resource.code), web)
    }

    /// As somebody sees it to whom the gate shows these fields.
    init(_ entry: Entry, _ access: [FieldAccess], _ web: WebRequest) {
        self.entry = entry
        layout = web.services.layouts.layout(access, entry.resource, web.principal)
    }

    /// The collection of the path.
    convenience init(_ web: WebRequest) async throws {
        let code = try web.code()
        try await self.init(try await web.perform(web.services.catalogue.show, code).entry, web)
    }

    var id: String { layout.id }
    /// The fields that come out, in their order.
    var fields: [Field] { layout.fields }
    var masked: Set<String> { layout.masked }
    /// The fields that may be asked about.
    var queryable: [Field] { layout.queryable }
    /// The field that holds the geometry, or the two that do.
    var shape: FeatureLayout.Shape? { layout.shape }
    /// The time that a feature is of.
    var time: Field? { layout.time }
    /// The field that names a feature: the key, where it is one field and seen as it is; else rows have numbers.
    var key: Field? { layout.key }

    // MARK: Described

    func json(_ web: WebRequest) async throws -> JSONValue {
        let base = FeaturesAPI.base(web)
        let address = "\(base)/collections/\(id)"
        var members: [JSONValue.Member] = [
            .init("id", .string(id)), .init("title", .string(entry.content?.name ?? id)),
            .init("description", .string(entry.content?.summary ?? "")), .init("itemType", "feature"),
        ]
        if let keywords = entry.content?.keywords, !keywords.isEmpty {
            members.append(.init("keywords", .array(keywords.map { .string($0) })))
        }
        if let extent = try await web.perform(web.services.lake.extent, entry.resource.code) {
            var parts: [JSONValue.Member] = []
            if let box = extent.box {
                let corners = [box.minX, box.minY, box.maxX, box.maxY].map { JSONValue.real($0) }
                parts.append(
                    .init(
                        "spatial",
                        .object([
                            .init("bbox", .array([.array(corners)])),
                            .init("crs", .string(CoordinateSystem.crs84.rawValue)),
                        ])
                    )
                )
            }
            if let times = extent.times {
                let ends = [times.lowerBound, times.upperBound].map { JSONValue.string(CivilTime.timestamp($0)) }
                parts.append(.init("temporal", .object([.init("interval", .array([.array(ends)]))])))
            }
            if !parts.isEmpty { members.append(.init("extent", .object(parts))) }
        }
        members += [
            .init("crs", .array(CoordinateSystem.allCases.map { .string($0.uri(at: web.origin)) })),
            .init("storageCrs", .string(CoordinateSystem.crs84.rawValue)),
            .init(
                "links",
                .array([
                    FeaturesAPI.link(address, "self", "application/json"),
                    FeaturesAPI.link("\(web.origin)/resources/\(id)", "alternate", "text/html"),
                    FeaturesAPI.link("\(address)/items", "items", "application/geo+json"),
                    FeaturesAPI.link(
                        "\(address)/queryables",
                        "http://www.opengis.net/def/rel/ogc/1.0/queryables",
                        "application/schema+json"
                    ),
                    FeaturesAPI.link(
                        "\(address)/schema",
                        "http://www.opengis.net/def/rel/ogc/1.0/schema",
                        "application/schema+json"
                    ),
                    FeaturesAPI.link("\(web.origin)/api/v1/resources/\(id)/records.csv", "enclosure", "text/csv"),
                ])
            ),
        ]
        return .object(members)
    }

    /// The JSON Schema of the features' properties, or of what may be asked about.
    func schema(_ web: WebRequest, isQueryables: Bool) -> JSONValue {
        var properties: [JSONValue.Member] = []
        if let shape {
            let format =
                if case .field(let field) = shape, field.type == .geometry { "geometry-any" } else { "geometry-point" }
            properties.append(
                .init(
                    shape.name,
                    .object([
                        .init("title", .string(web.text("位置", "geometry"))), .init("format", .string(format)),
                        .init("x-ogc-role", "primary-geometry"),
                    ])
                )
            )
        }
        let names = Set(shape?.names ?? [])
        for field in isQueryables ? queryable : fields {
            if case .field? = shape, names.contains(field.name) { continue }
            properties.append(.init(field.name, .object(described(field))))
        }
        let address = "\(FeaturesAPI.base(web))/collections/\(id)/\(isQueryables ? "queryables" : "schema")"
        return .object([
            .init("$schema", "https://json-schema.org/draft/2020-12/schema"), .init("$id", .string(address)),
            .init("type", "object"), .init("title", .string(entry.content?.name ?? id)),
            .init("properties", .object(properties)), .init("additionalProperties", .boolean(false)),
        ])
    }

    private func described(_ field: Field) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [.init("title", .string(field.title.isEmpty ? field.name : field.title))]
        switch field.type {
        case .integer: members.append(.init("type", "integer"))
        case .decimal, .real: members.append(.init("type", "number"))
        case .boolean: members.append(.init("type", "boolean"))
        case .date: members += [.init("type", "string"), .init("format", "date")]
        case .timestamp: members += [.init("type", "string"), .init("format", "date-time")]
        case .time: members += [.init("type", "string"), .init("format", "time")]
        case .point: members.append(.init("format", "geometry-point"))
        case .geometry: members.append(.init("format", "geometry-any"))
        case .text, .file: members.append(.init("type", "string"))
        }
        if !field.codes.isEmpty, !masked.contains(field.name) {
            members.append(.init("enum", .array(field.codes.map { .string($0.value) })))
        }
        if field.name == time?.name { members.append(.init("x-ogc-role", "primary-instant")) }
        if field.name == key?.name { members.append(.init("x-ogc-role", "id")) }
        return members
    }
}
