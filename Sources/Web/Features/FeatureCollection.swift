import Basics
import CQL
import Catalogue
import Geo
import Hummingbird
import Kernel
import Lake
import Tabular

/// What somebody may see of a resource as a collection of features.
struct FeatureCollection {
    let entry: Entry
    /// The fields that come out, in their order.
    let fields: [Field]
    let masked: Set<String>

    /// - Throws: what reading the resource's rows throws.
    init(_ entry: Entry, _ web: WebRequest) async throws {
        self.entry = entry
        let access = try await web.perform(web.services.lake.fields, entry.resource.code)
        fields = access.map(\.field)
        masked = Set(access.filter { $0.mask != nil }.map(\.field.name))
    }

    /// The collection of the path.
    init(_ web: WebRequest) async throws {
        let code = try web.code()
        try await self.init(try await web.perform(web.services.catalogue.show, code).entry, web)
    }

    var id: String { entry.slug }

    /// The fields that may be asked about.
    var queryable: [Field] { fields.filter { !masked.contains($0.name) } }

    /// The field that holds the geometry, or the two that do.
    var shape: Shape? {
        if let field = queryable.first(where: { $0.type == .geometry }) { return .field(field) }
        guard let (x, y) = Schema(fields: queryable).position else { return nil }
        return x == y ? .field(queryable[x]) : .pair(queryable[x], queryable[y])
    }

    enum Shape {
        case field(Field)
        case pair(Field, Field)

        var names: [String] {
            switch self {
            case .field(let field): [field.name]
            case .pair(let x, let y): [x.name, y.name]
            }
        }

        /// What expressions call it.
        var expression: Expression {
            switch self {
            case .field(let field): .property(field.name)
            case .pair(let x, let y): .function("place", [.property(x.name), .property(y.name)])
            }
        }

        /// The name among the queryables.
        var name: String {
            switch self {
            case .field(let field): field.name
            case .pair: "geometry"
            }
        }
    }

    /// The time that a feature is of.
    var time: Field? { queryable.first { $0.type == .timestamp } ?? queryable.first { $0.type == .date } }

    /// The field that names a feature: the key, where it is one field and seen as it is; else rows have numbers.
    var key: Field? {
        let key = entry.resource.schema.key
        guard key.count == 1, let field = queryable.first(where: { $0.name == key[0] }),
            field.type == .text || field.type == .integer
        else { return nil }
        return field
    }

    /// The properties of a feature: everything but the geometry.
    var properties: [Field] {
        let names = Set(shape?.names ?? [])
        return fields.filter { !names.contains($0.name) }
    }

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
