import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// What describes a resource to programs: Table Schema and Data Package (Frictionless), JSON Schema, OpenAPI of its own.
enum DescriptionsAPI {
    private static let base = "/api/v1/resources/{code}"

    static let routes: [Route] = [
        Route(
            .get,
            base + "/datapackage.json",
            .actions(["catalogue.show", "data.fields"]),
            zh: "数据包说明(Data Package)",
            en: "The resource as a Data Package"
        ) { web in
            let (entry, access) = try await described(web)
            let path = "\(web.origin)/api/v1/resources/\(entry.slug)/records.csv?plain=true"
            return .json(package(entry, access, path: path, web))
        },
        Route(
            .get,
            base + "/package.zip",
            .actions(["catalogue.show", "data.fields", "data.export"]),
            zh: "数据包(zip)",
            en: "The rows and their description as a Data Package",
            handle: zip
        ),
        Route(
            .get,
            base + "/tableschema.json",
            .actions(["data.fields"]),
            zh: "表结构(Table Schema)",
            en: "The rows' Table Schema"
        ) { web in
            let code = try web.code()
            let access = try await web.perform(web.services.lake.fields, code)
            return .json(tableSchema(access, key: try await web.services.kernel.resource(code).schema.key))
        },
        Route(
            .get,
            base + "/schema.json",
            .actions(["catalogue.show", "data.fields"]),
            zh: "记录结构(JSON Schema)",
            en: "A record's JSON Schema"
        ) { web in
            let (entry, access) = try await described(web)
            return .json(jsonSchema(entry, access, web), type: "application/schema+json")
        },
        Route(
            .get,
            base + "/openapi.json",
            .actions(["catalogue.show", "data.fields"]),
            zh: "该资源的接口说明(OpenAPI)",
            en: "The resource's own OpenAPI description"
        ) { web in
            let (entry, access) = try await described(web)
            return .json(ResourceOpenAPI.document(entry, access, web))
        },
    ]

    private static func described(_ web: WebRequest) async throws -> (Entry, [FieldAccess]) {
        let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
        return (entry, try await web.perform(web.services.lake.fields, entry.resource.code))
    }

    // MARK: Frictionless

    /// The schema of the rows as CSV gives them: what is masked is text without constraints, points are two numbers with a blank.
    static func tableSchema(_ access: [FieldAccess], key: [String]?) -> JSONValue {
        let fields = access.map { access -> Field in
            var field = access.field
            if access.mask != nil {
                field = Field(field.name, title: field.title, detail: field.detail)
            } else if field.type == .point {
                field.type = .text
                field.detail += field.detail.isEmpty ? "经度 纬度" : "(经度 纬度)"
            } else if field.type == .boolean || field.type == .integer || field.type == .decimal || field.type == .real
            {
                // Codes of these are written as values of their type, which no text in a list is.
                field.codes = []
            }
            field.unique = field.unique && access.mask == nil
            return field
        }
        let plain = Set(access.filter { $0.mask == nil }.map(\.field.name))
        var schema = Schema(fields: fields)
        if let key, key.allSatisfy(plain.contains) { schema.key = key }
        guard case .object(var members) = TableSchema.write(schema) else { return .null }
        for index in members.indices where members[index].name == "fields" {
            members[index].value = .array((members[index].value.array ?? []).map(readable))
        }
        return .object(members)
    }

    /// Times carry a zone, which the default format of a datetime has not.
    private static func readable(_ field: JSONValue) -> JSONValue {
        guard case .object(var members) = field, field["type"]?.string == "datetime" else { return field }
        members.removeAll { $0.name == "format" }
        members.append(.init("format", "%Y-%m-%dT%H:%M:%S%z"))
        return .object(members)
    }

    static func package(_ entry: Entry, _ access: [FieldAccess], path: String, _ web: WebRequest) -> JSONValue {
        let content = entry.published ?? entry.content
        let owner = web.services.kernel.gate.organisations[entry.resource.owner]?.name
        var members: [JSONValue.Member] = [
            .init("profile", "tabular-data-package"), .init("name", .string(entry.slug.lowercased())),
            .init("id", .string("\(web.origin)/dataset/\(entry.slug)")),
            .init("title", .string(content?.name ?? entry.resource.name)),
            .init("description", .string(content?.summary ?? "")),
            .init("homepage", .string("\(web.origin)/resources/\(entry.slug)")),
            .init("created", .string(CivilTime.timestamp(entry.dataAt ?? entry.changedAt))),
            .init("keywords", .array((content?.keywords ?? []).map { .string($0) })),
        ]
        if let owner {
            members.append(
                .init(
                    "contributors",
                    .array([.object([.init("title", .string(owner)), .init("role", "publisher")])])
                )
            )
        }
        members.append(
            .init(
                "resources",
                .array([
                    .object([
                        .init("profile", "tabular-data-resource"), .init("name", .string(entry.slug.lowercased())),
                        .init("path", .string(path)), .init("format", "csv"), .init("mediatype", "text/csv"),
                        .init("encoding", "utf-8"),
                        .init("schema", tableSchema(access, key: entry.resource.schema.key)),
                    ])
                ])
            )
        )
        return .object(members)
    }

    private static func zip(_ web: WebRequest) async throws -> Response {
        let (entry, access) = try await described(web)
        let description = package(entry, access, path: "data.csv", web).text
        let form = "zip " + description
        if let same = try await web.unchanged(entry.resource.code, form) { return same }
        let scan = try await web.perform(web.services.lake.export, RecordQuery(entry.resource.code, limit: 0))
        var headers: HTTPFields = [.contentType: "application/zip"]
        headers[.contentDisposition] = "attachment; filename=\"\(entry.slug).zip\""
        return try await web.download(headers, mark: web.mark(scan.stamp, form), isRanged: false) {
            PackageStream(description, scan)
        }
    }

    // MARK: JSON Schema

    static func type(_ access: FieldAccess) -> [JSONValue.Member] {
        let field = access.field
        guard access.mask == nil else { return [.init("type", .array(["string", "null"]))] }
        func nullable(_ name: String) -> JSONValue.Member {
            .init("type", field.required ? .string(name) : .array([.string(name), "null"]))
        }
        switch field.type {
        case .text, .file:
            var members = [nullable("string")]
            if let least = field.minimumLength { members.append(.init("minLength", .integer(Int64(least)))) }
            if let most = field.maximumLength { members.append(.init("maxLength", .integer(Int64(most)))) }
            if !field.codes.isEmpty {
                let values = field.codes.map { JSONValue.string($0.value) }
                members.append(.init("enum", .array(field.required ? values : values + [.null])))
            }
            return members
        case .integer, .decimal, .real:
            var members = [nullable(field.type == .integer ? "integer" : "number")]
            if let least = field.minimum { members.append(.init("minimum", .real(least))) }
            if let most = field.maximum { members.append(.init("maximum", .real(most))) }
            return members
        case .boolean: return [nullable("boolean")]
        case .date: return [nullable("string"), .init("format", "date")]
        case .time: return [nullable("string")]
        case .timestamp: return [nullable("string"), .init("format", "date-time")]
        case .point:
            return [
                nullable("array"), .init("items", .object([.init("type", "number")])), .init("minItems", 2),
                .init("maxItems", 2),
            ]
        // Rows in JSON carry a geometry as the text of its GeoJSON.
        case .geometry: return [nullable("string")]
        }
    }

    static func record(_ access: [FieldAccess]) -> [JSONValue.Member] {
        let properties = access.map { access -> JSONValue.Member in
            var members = type(access)
            members.append(.init("title", .string(access.field.display)))
            if !access.field.detail.isEmpty { members.append(.init("description", .string(access.field.detail))) }
            return .init(access.field.name, .object(members))
        }
        let number = JSONValue.Member("_id", .object([.init("type", "integer"), .init("title", "行号")]))
        return [.init("type", "object"), .init("properties", .object([number] + properties))]
    }

    private static func jsonSchema(_ entry: Entry, _ access: [FieldAccess], _ web: WebRequest) -> JSONValue {
        .object(
            [
                .init("$schema", "https://json-schema.org/draft/2020-12/schema"),
                .init("$id", .string("\(web.origin)/api/v1/resources/\(entry.slug)/schema.json")),
                .init("title", .string(entry.content?.name ?? entry.slug)),
            ] + record(access)
        )
    }
}

extension Response {
    /// A JSON document of a type of its own.
    static func json(_ value: JSONValue, type: String) -> Response { .bytes(Array(value.text.utf8), type: type) }
}

/// A zip of a description and the rows it describes, as they pass.
actor PackageStream: ByteStream {
    private let description: String
    private let scan: RecordScan
    private var archive = ZipStream()
    private var writer: CSVBatchWriter
    private var isBegun = false
    private var isDone = false
    private var length = 0
    /// Plain bytes that a zip without extensions holds of one file.
    private static let most = 4_000_000_000

    init(_ description: String, _ scan: RecordScan) {
        self.description = description
        self.scan = scan
        writer = CSVBatchWriter(fields: scan.fields, neutralise: false)
    }

    func next() async throws -> [UInt8]? {
        guard !isDone else { return nil }
        guard length < PackageStream.most else {
            throw Problem(
                "file.too_large",
                status: 422,
                zh: "数据包超过 4 GB，请分别下载数据与说明。",
                en: "The package is larger than 4 GB; download rows and description apart."
            )
        }
        var out: [UInt8] = []
        var text: [UInt8] = []
        if !isBegun {
            isBegun = true
            archive.add("datapackage.json", description, into: &out)
            archive.open("data.csv", into: &out)
            writer.begin(into: &text)
        }
        while text.count < 1 << 19 {
            try Task.checkCancellation()
            guard let batch = try await scan.next() else {
                length += text.count
                archive.write(text, into: &out)
                archive.close(into: &out)
                archive.finish(into: &out)
                isDone = true
                return out
            }
            writer.write(batch, into: &text)
        }
        length += text.count
        archive.write(text, into: &out)
        return out
    }
}
