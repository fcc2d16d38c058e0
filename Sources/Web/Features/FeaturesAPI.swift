import Basics
import CQL
import Catalogue
import Foundation
import Geo
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// OGC API - Features (Parts 1, 2 and 3) at `/ogc`: what geographic programs read without an adapter.
enum FeaturesAPI {
    static let routes: [Route] = [
        route("/ogc", .nothing, zh: "OGC API 首页", en: "OGC API landing page", landing),
        route("/ogc/conformance", .nothing, zh: "符合性", en: "Conformance") { _ in
            .json(.object([.init("conformsTo", .array(conformance.map { .string($0) }))]))
        },
        route("/ogc/api", .nothing, zh: "接口说明(OpenAPI 3.0)", en: "API definition (OpenAPI 3.0)") { web in
            .bytes(
                Array(FeaturesDefinition.document(web).text.utf8),
                type: "application/vnd.oai.openapi+json;version=3.0"
            )
        },
        route("/ogc/functions", .nothing, zh: "CQL2 函数", en: "Functions of CQL2") { _ in .json(functions) },
        route("/def/crs/{name}", .nothing, zh: "坐标系说明", en: "A coordinate system") { web in
            let name = try web.parameter("name")
            guard let system = CoordinateSystem(uri: "/def/crs/" + name), system == .gcj02 || system == .bd09 else {
                throw Problem.notFound(.init("坐标系", "the coordinate system"))
            }
            let what =
                system == .gcj02
                ? web.text(
                    "国内地图所用的偏移坐标：经度、纬度，度。只用于显示。",
                    "The shifted coordinates of Chinese maps: longitude, latitude, degrees. For display only."
                )
                : web.text(
                    "百度地图所用的偏移坐标：经度、纬度，度。只用于显示。",
                    "The shifted coordinates of Baidu's maps: longitude, latitude, degrees. For display only."
                )
            return .json(
                .object([
                    .init("id", .string(system.uri(at: web.origin))), .init("name", .string(name)),
                    .init("description", .string(what)),
                ])
            )
        },
        route(
            "/ogc/collections",
            .actions(["catalogue.search", "data.fields", "data.extent"]),
            zh: "要素集合列表",
            en: "Collections",
            collections
        ),
        route(
            "/ogc/collections/{code}",
            .actions(["catalogue.show", "data.fields", "data.read", "data.extent"]),
            zh: "要素集合",
            en: "A collection"
        ) { web in
            try web.allow([])
            if try web.parameter("code") == RecordsCatalogue.id { return .json(RecordsCatalogue.json(web)) }
            return .json(try await FeatureCollection(web).json(web))
        },
        route(
            "/ogc/collections/{code}/queryables",
            .actions(["catalogue.show", "data.fields", "data.read"]),
            zh: "可查询字段",
            en: "Queryables"
        ) {
            web in try await schema(web, isQueryables: true)
        },
        route(
            "/ogc/collections/{code}/schema",
            .actions(["catalogue.show", "data.fields", "data.read"]),
            zh: "字段结构",
            en: "Schema"
        ) {
            web in try await schema(web, isQueryables: false)
        },
        route(
            "/ogc/collections/{code}/items",
            .actions(["catalogue.show", "data.fields", "data.read", "catalogue.search"]),
            zh: "一页要素",
            en: "A page of features",
            items
        ),
        route(
            "/ogc/collections/{code}/items/{feature}",
            .actions(["catalogue.show", "data.read"]),
            zh: "一个要素",
            en: "A feature",
            item
        ),
    ]

    /// What is asked for wrongly is answered 400, as the standard has it.
    private static func route(
        _ path: String,
        _ reach: Route.Reach,
        zh: String,
        en: String,
        _ handle: @escaping @Sendable (WebRequest) async throws -> Response
    ) -> Route {
        Route(.get, path, reach, zh: zh, en: en) { web in
            do {
                var response = try await handle(web)
                // Whoever draws maps in a browser may read what the public may.
                if web.principal == nil { response.headers.add(HeaderField.anyOrigin) }
                response.headers.add(HeaderField.exposesFeatures)
                return response
            } catch let problem as Problem where problem.status == 422 {
                var told = problem
                told.status = 400
                throw told
            }
        }
    }

    static func base(_ web: WebRequest) -> String { web.origin + "/ogc" }

    static func link(_ address: String, _ relation: String, _ type: String) -> JSONValue {
        .object([.init("href", .string(address)), .init("rel", .string(relation)), .init("type", .string(type))])
    }

    typealias Link = (address: String, relation: String, type: String)

    /// Appends links as bytes: what every answer carries.
    static func append(_ links: [Link], to out: inout [UInt8]) {
        var writer = JSONWriter(appendingTo: out)
        out = []
        writer.beginArray()
        for link in links {
            writer.beginObject()
            writer.key("href")
            writer.string(link.address)
            writer.key("rel")
            writer.string(link.relation)
            writer.key("type")
            writer.string(link.type)
            writer.endObject()
        }
        writer.endArray()
        out = writer.bytes
    }

    static let conformance: [String] =
        ["core", "geojson", "oas30"].map { "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/\($0)" }
        + ["http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs"]
        + ["queryables", "queryables-query-parameters", "filter", "features-filter"].map {
            "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/\($0)"
        }
        + [
            "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison",
            "accent-insensitive-comparison", "basic-spatial-functions", "basic-spatial-functions-plus",
            "spatial-functions",
            "temporal-functions", "array-functions", "property-property", "functions", "arithmetic",
        ].map { "http://www.opengis.net/spec/cql2/1.0/conf/\($0)" }
        + [
            "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
            "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
        ]
        + [
            "record-core", "record-collection", "record-core-query-parameters", "records-api", "searchable-catalog",
            "json",
        ].map {
            "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/\($0)"
        }

    static func landing(_ web: WebRequest) async throws -> Response {
        try web.allow([])
        let base = base(web)
        return .json(
            .object([
                .init("title", .string(web.services.settings.title[web.language])),
                .init("description", .string(web.text("开放的交通运输数据资源。", "Open transport data."))),
                .init(
                    "links",
                    .array([
                        link(base, "self", "application/json"), link(web.origin, "alternate", "text/html"),
                        link("\(base)/api", "service-desc", "application/vnd.oai.openapi+json;version=3.0"),
                        link("\(base)/conformance", "conformance", "application/json"),
                        link(
                            "\(base)/conformance",
                            "http://www.opengis.net/def/rel/ogc/1.0/conformance",
                            "application/json"
                        ),
                        link("\(base)/collections", "data", "application/json"),
                        link(
                            "\(base)/functions",
                            "http://www.opengis.net/def/rel/ogc/1.0/functions",
                            "application/json"
                        ),
                    ])
                ),
            ])
        )
    }

    static var functions: JSONValue {
        func type(_ type: ValueType) -> JSONValue {
            switch type {
            case .text: "string"
            case .real: "number"
            case .timestamp: "datetime"
            default: .string(type.rawValue)
            }
        }
        let own = Function.allCases.filter { $0 != .casei && $0 != .accenti }.map {
            ($0.rawValue, $0.signature.arguments, $0.signature.result)
        }
        let known = own + AddedFunction.known.map { ($0.name, $0.arguments, $0.result) }
        return .object([
            .init(
                "functions",
                .array(
                    known.map { name, arguments, result in
                        .object([
                            .init("name", .string(name)),
                            .init("arguments", .array(arguments.map { .object([.init("type", .array([type($0)]))]) })),
                            .init("returns", .array([type(result)])),
                        ])
                    }
                )
            )
        ])
    }

    /// Collections of a page.
    private static let pageSize = 200

    /// A page of the entries whose rows somebody may read, in an order that does not move.
    static func collections(_ web: WebRequest) async throws -> Response {
        try web.allow(["offset"])
        let offset = try web.offset()
        let hits = try await web.perform(
            web.services.catalogue.search,
            CatalogueQuery(isOpen: web.principal == nil ? true : nil, offset: offset, limit: pageSize, order: .number)
        )
        var list = offset == 0 ? [RecordsCatalogue.json(web)] : []
        for entry in hits.entries where entry.rows > 0 && web.services.lake.mayRead(entry.resource, web.caller) {
            do { list.append(try await FeatureCollection(entry, web).json(web)) } catch let problem as Problem {
                // One that is withdrawn meanwhile is left out; a store that is away is no shorter list.
                guard problem.code == "request.not_found" || problem.code.hasPrefix("access.") else { throw problem }
            }
        }
        let address = "\(base(web))/collections"
        var links = [link(web.address(address), "self", "application/json")]
        if offset + pageSize < hits.total {
            links.append(link(web.address(address, offset: offset + pageSize), "next", "application/json"))
        }
        return .json(.object([.init("collections", .array(list)), .init("links", .array(links))]))
    }

    static func schema(_ web: WebRequest, isQueryables: Bool) async throws -> Response {
        try web.allow([])
        let schema =
            try web.parameter("code") == RecordsCatalogue.id
            ? RecordsCatalogue.schema(web, isQueryables: isQueryables)
            : try await FeatureCollection(web).schema(web, isQueryables: isQueryables)
        return .bytes(Array(schema.text.utf8), type: "application/schema+json")
    }

    static func items(_ web: WebRequest) async throws -> Response {
        if try web.parameter("code") == RecordsCatalogue.id { return try await RecordsCatalogue.items(web) }
        let collection = try await FeatureCollection(web)
        let query = try FeatureQuery(collection, web)
        let page = try await web.perform(web.services.lake.read, query.query)
        let writer = FeatureWriter(collection, query, page)
        var out: [UInt8] = []
        out.reserveCapacity(page.batch.count * 300 + 1024)
        out.append(contentsOf: #"{"type":"FeatureCollection","features":["#.utf8)
        for row in 0..<page.batch.count {
            if row > 0 { out.append(0x2C) }
            out.append(0x0A)
            writer.append(row, to: &out)
            out.append(0x7D)
        }
        let base = base(web)
        let address = "\(base)/collections/\(collection.id)/items"
        var links: [Link] = [
            (web.address(address), "self", "application/geo+json"),
            ("\(base)/collections/\(collection.id)", "collection", "application/json"),
        ]
        if let next = page.next { links.append((web.address(address, cursor: next), "next", "application/geo+json")) }
        let now = CivilTime.timestamp(web.services.kernel.clock.now())
        var tail = "\n],\"numberReturned\":\(page.batch.count)"
        if let count = page.count { tail += ",\"numberMatched\":\(count)" }
        tail += ",\"timeStamp\":\"\(now)\",\"links\":"
        out.append(contentsOf: tail.utf8)
        append(links, to: &out)
        out.append(contentsOf: "}\n".utf8)
        return located(.bytes(out, type: "application/geo+json"), query.system, web)
    }

    static func item(_ web: WebRequest) async throws -> Response {
        let name = try web.parameter("feature")
        let slug = try web.parameter("code")
        if slug == RecordsCatalogue.id { return try await RecordsCatalogue.item(name, web) }
        try web.allow(["crs"])
        let code = Entry.code(slug: slug)
        let entry = try await web.perform(web.services.catalogue.show, code).entry
        // What may be seen says how the row is asked for: one decision for both.
        let reading = web.services.lake.reading { access in
            let collection = FeatureCollection(entry, access, web)
            var query = try FeatureQuery(collection, web)
            query.query.limit = 1
            query.query.isBare = true
            if let key = collection.layout.key {
                query.query.condition = .compare(.equal, .property(key.name), .literal(try value(name, of: key)))
            } else {
                guard let number = Int64(name), number > 0 else { throw missing }
                query.query.cursor = RecordQuery.cursor(after: number - 1)
            }
            return (query.query, (collection: collection, query: query))
        }
        let (page, (collection, query)) = try await web.perform(reading, code)
        guard page.batch.count == 1, collection.layout.key != nil || page.ids.first.map(String.init) == name else {
            throw missing
        }
        var out: [UInt8] = []
        out.reserveCapacity(1024)
        FeatureWriter(collection, query, page).append(0, to: &out)
        let home = "\(web.origin)/ogc/collections/\(collection.id)"
        let address = "\(home)/items/\(web.encoded(name))"
        out.append(contentsOf: ",\"links\":".utf8)
        append(
            [
                (web.address(address), "self", "application/geo+json"), (address, "canonical", "application/geo+json"),
                (home, "collection", "application/json"),
            ],
            to: &out
        )
        out.append(contentsOf: "}\n".utf8)
        return located(.bytes(out, type: "application/geo+json"), query.system, web)
    }

    private static let missing = Problem.notFound(.init("要素", "the feature"))

    private static func value(_ name: String, of key: Field) throws(Problem) -> Value {
        guard key.type == .integer else { return .text(name) }
        guard let number = Int64(name) else { throw missing }
        return .integer(number)
    }

    private static func located(_ response: Response, _ system: CoordinateSystem, _ web: WebRequest) -> Response {
        var response = response
        if system == .crs84 {
            response.headers.add(HeaderField.isOfCRS84)
        } else {
            response.headers[HeaderName.contentCrs] = "<\(Graph.safe(system.uri(at: web.origin)))>"
        }
        return response
    }
}

extension WebRequest {
    /// Where the node is reached: as it was configured, else as this request reached it.
    var origin: String {
        if let address = services.settings.address { return address }
        let host = request.head.authority ?? "127.0.0.1"
        let forwarded = request.headers[HeaderName.forwardedProtocol]
        return "\(services.settings.isSecure || forwarded == "https" ? "https" : "http")://\(host)"
    }

    /// Refuses parameters that a page does not know.
    func allow(_ known: @autoclosure () -> Set<String>) throws(Problem) {
        guard !parameters.isEmpty else { return }
        let names = known()
        for name in parameters.keys.sorted() where !names.contains(name) && name != "lang" && name != "f" {
            throw FeatureQuery.unknown(name)
        }
    }

    /// Where a page begins.
    func offset(atMost most: Int = 1_000_000) throws(Problem) -> Int {
        guard let text = query("offset") else { return 0 }
        guard let number = Int(text), (0...most).contains(number) else {
            throw FeatureQuery.wrong("offset", "应为 0–\(most)", "should be 0 to \(most)")
        }
        return number
    }

    /// A version's number.
    func version(_ name: String) throws(Problem) -> Int64? {
        guard let text = query(name) else { return nil }
        guard let number = Int64(text), number > 0 else {
            throw FeatureQuery.wrong(name, "应为版本号", "should be a version's number")
        }
        return number
    }

    func encoded(_ text: String) -> String {
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
            default: false
            }
        }
        guard !text.utf8.allSatisfy(isPlain) else { return text }
        var out: [UInt8] = []
        for byte in text.utf8 {
            if isPlain(byte) {
                out.append(byte)
            } else {
                out.append(0x25)
                out.append(contentsOf: Hexadecimal.text([byte]).uppercased().utf8)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// An address with this request's parameters, or those and where the next page begins.
    func address(_ path: String, cursor: String? = nil, offset: Int? = nil) -> String {
        guard !parameters.isEmpty || cursor != nil || offset != nil else { return path }
        var all = parameters
        if let cursor { all["cursor"] = cursor }
        if let offset { all["offset"] = String(offset) }
        return path + "?"
            + all.sorted { $0.key < $1.key }.map { "\(encoded($0.key))=\(encoded($0.value))" }.joined(separator: "&")
    }
}
