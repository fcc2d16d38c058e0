import Geo
import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import NIOCore
import Tabular
import Tiles

/// What is asked of a resource beside its rows: aggregates, versions and what differs between them, tiles.
enum AnalysisAPI {
    private static let base = "/api/v1/resources/{code}"

    static let routes: [Route] = [
        Route(
            .get,
            base + "/aggregate",
            .actions(["data.aggregate"]),
            zh: "分组统计",
            en: "Groups and their measures",
            handle: aggregate
        ),
        Route(.get, base + "/data-versions", .actions(["data.versions"]), zh: "历史版本", en: "Versions") { web in
            let versions = try await web.perform(web.services.lake.versions, try web.code())
            return .json(.object([.init("versions", .array(versions.map(json)))]))
        },
        Route(
            .get,
            base + "/difference",
            .actions(["data.difference"]),
            zh: "两个版本的差异",
            en: "What differs between two versions",
            handle: difference
        ),
        Route(
            .get,
            base + "/tiles/{zoom}/{column}/{row}",
            .actions(["data.stamp", "data.tile"]),
            zh: "矢量图块",
            en: "A vector tile",
            handle: tile
        ),
        Route(
            .get,
            base + "/tiles.json",
            .actions(["catalogue.show", "data.extent", "data.fields"]),
            zh: "图块说明(TileJSON)",
            en: "The tiles' description (TileJSON)",
            handle: tileJSON
        ),
    ]

    // MARK: Aggregates

    static func query(_ web: WebRequest) throws(Problem) -> AggregateQuery {
        func list(_ name: String) -> [String] {
            var taken: Set<String> = []
            return (web.query(name) ?? "").split(separator: ",").map { String($0.trimmingPrefix { $0 == " " }) }.filter
            {
                taken.insert($0).inserted
            }
        }
        let groups = list("group"), measures = list("measure")
        guard groups.count <= 4, measures.count <= 20 else {
            throw FeatureQuery.wrong("group", "最多 4 个分组、20 个统计量", "at most 4 groups and 20 measures")
        }
        return AggregateQuery(
            try codeOf(web),
            groups: groups.map { AggregateQuery.Group(text: $0) },
            measures: try (measures.isEmpty ? ["count"] : measures).map { text throws(Problem) in
                try AggregateQuery.Measure(text: text)
            },
            filter: web.query("filter"),
            sort: web.query("sort"),
            limit: try web.askedLimit(1000, 10_000)
        )
    }

    private static func codeOf(_ web: WebRequest) throws(Problem) -> String {
        do { return try web.code() } catch { throw Problem.notFound(.init("资源", "the resource")) }
    }

    private static func aggregate(_ web: WebRequest) async throws -> Response {
        try web.allow(["group", "measure", "filter", "sort", "limit", "bom"])
        let query = try query(web)
        let isCSV = web.request.headers[.accept]?.hasPrefix("text/csv") ?? false
        let form = isCSV ? "csv" : ""
        if var same = try await web.unchanged(query.code, form) {
            same.headers[.vary] = "Accept, Accept-Encoding"
            return same
        }
        let stamp = try await web.perform(web.services.lake.stamp, query.code)
        let found = try await web.perform(web.services.lake.aggregate, query)
        func marked(_ bytes: [UInt8], _ type: String) -> Response {
            var response = Response.bytes(bytes, type: type)
            response.headers[.eTag] = web.mark(stamp, form)
            response.headers[.cacheControl] = "no-cache"
            response.headers[.vary] = "Accept"
            return response
        }
        if isCSV {
            var out: [UInt8] = []
            var writer = CSVBatchWriter(fields: found.batch.fields, mark: web.query("bom") == "true")
            writer.begin(into: &out)
            writer.write(found.batch, into: &out)
            return marked(out, OutputFormat.csv.mediaType)
        }
        var out = Array("{\"groups\":".utf8)
        var writer = JSONBatchWriter(fields: found.batch.fields, lines: false)
        writer.begin(into: &out)
        writer.write(found.batch, into: &out)
        writer.end(into: &out)
        out.append(contentsOf: ",\"rows\":\(found.rows),\"group_count\":\(found.groups)}\n".utf8)
        return marked(out, "application/json")
    }

    // MARK: Versions

    static func json(_ version: Version) -> JSONValue {
        .object([
            .init("version", .integer(version.id)), .init("at", .string(CivilTime.timestamp(version.at))),
            .init("rows", .integer(version.rows)),
            .init("digest", version.digest.isEmpty ? .null : .string(version.digest)),
            .init("current", .boolean(version.isCurrent)),
        ])
    }

    static func versions(_ web: WebRequest) throws(Problem) -> (from: Int64, to: Int64) {
        guard let from = try web.version("from"), let to = try web.version("to") else {
            throw FeatureQuery.wrong("from", "需要 from 与 to 两个版本号", "give the numbers of two versions, from and to")
        }
        return (from, to)
    }

    private static func difference(_ web: WebRequest) async throws -> Response {
        let (from, to) = try versions(web)
        let code = try web.code()
        let found = try await web.perform(web.services.lake.difference, (code, from, to))
        let isCSV = web.query("f") == "csv" || web.request.headers[.accept]?.hasPrefix("text/csv") ?? false
        let stream = DifferenceStream(found, from: from, to: to, isCSV: isCSV)
        let audience = web.audience()
        var headers: HTTPFields = [.contentType: isCSV ? OutputFormat.csv.mediaType : "application/json"]
        if isCSV {
            headers[.contentDisposition] = "attachment; filename=\"\(Entry.slug(code))-\(from)-\(to).csv\""
        }
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                while let piece = try await audience.making({ try await stream.next() }) {
                    try await writer.write(ByteBuffer(bytes: piece))
                }
                try await writer.finish(nil)
            }
        )
    }

    // MARK: Tiles

    private static func tile(_ web: WebRequest) async throws -> Response {
        let row = try web.parameter("row")
        let bare = [".mvt", ".pbf"].first { row.hasSuffix($0) }.map { String(row.dropLast($0.count)) } ?? row
        guard let zoom = Int(try web.parameter("zoom")), let column = Int(try web.parameter("column")),
            let line = Int(bare), let address = TileAddress(zoom: zoom, column: column, row: line)
        else { throw Problem.notFound(.init("图块", "the tile")) }
        try web.allow(["fields", "filter"])
        let code = try web.code()
        if let same = try await web.unchanged(code) { return same }
        let fields = (web.query("fields") ?? "").split(separator: ",").map(String.init)
        let query = TileQuery(code, address, fields: fields, filter: web.query("filter"))
        let tile = try await web.perform(web.services.lake.tile, query)
        var response = Response.bytes(tile.bytes, type: "application/vnd.mapbox-vector-tile")
        response.headers[.eTag] = web.mark(tile.stamp)
        response.headers[.cacheControl] = "no-cache"
        if let name = HTTPField.Name("Tile-Complete") { response.headers[name] = String(tile.isComplete) }
        return response
    }

    private static func tileJSON(_ web: WebRequest) async throws -> Response {
        let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
        let access = try await web.perform(web.services.lake.fields, entry.resource.code)
        let plain = Schema(fields: access.filter { $0.mask == nil }.map(\.field))
        guard plain.position != nil || plain.fields.contains(where: { $0.type == .geometry }) else {
            throw Problem.notFound(.init("图块", "the tiles"))
        }
        let box = try await web.perform(web.services.lake.extent, entry.resource.code)?.box
        var members: [JSONValue.Member] = [
            .init("tilejson", "3.0.0"), .init("name", .string(entry.content?.name ?? entry.slug)),
            .init(
                "tiles",
                .array([.string("\(web.origin)/api/v1/resources/\(entry.slug)/tiles/{z}/{x}/{y}.mvt")])
            ),
            .init("minzoom", 0), .init("maxzoom", 16),
            .init(
                "vector_layers",
                .array([
                    .object([
                        .init("id", "rows"),
                        .init(
                            "fields",
                            .object(access.map { .init($0.field.name, .string($0.field.display)) })
                        ),
                    ])
                ])
            ),
        ]
        if let box {
            members.append(.init("bounds", .array([box.minX, box.minY, box.maxX, box.maxY].map { .real($0) })))
        }
        return .json(.object(members))
    }
}

/// What differs between two versions as JSON or CSV, part by part.
actor DifferenceStream: ByteStream {
    private let difference: VersionDifference
    private let isCSV: Bool
    private let versions: (from: Int64, to: Int64)
    private let keys: [[UInt8]]
    private var isBegun = false
    private var isDone = false
    private var isFirst = true
    private(set) var counts: [RowChange.Kind: Int] = [:]

    init(_ difference: VersionDifference, from: Int64, to: Int64, isCSV: Bool) {
        self.difference = difference
        self.isCSV = isCSV
        versions = (from, to)
        keys = JSONBatchWriter.keys(difference.fields)
    }

    func next() async throws -> [UInt8]? {
        guard !isDone else { return nil }
        var out: [UInt8] = []
        if !isBegun {
            isBegun = true
            if isCSV {
                var writer = CSVBatchWriter(fields: [Field("_change")] + difference.fields, mark: true)
                writer.begin(into: &out)
            } else {
                let key = JSONValue.array(difference.key.map { .string($0) }).text
                out.append(
                    contentsOf: "{\"from\":\(versions.from),\"to\":\(versions.to),\"key\":\(key),\"changes\":[".utf8
                )
            }
        }
        guard let changes = try await difference.next() else {
            isDone = true
            if !isCSV {
                let totals = RowChange.Kind.allCases.map { "\"\($0.rawValue)\":\(counts[$0] ?? 0)" }.joined(
                    separator: ","
                )
                out.append(contentsOf: "\n],\(totals)}\n".utf8)
            }
            return out
        }
        for change in changes { counts[change.kind, default: 0] += 1 }
        if isCSV { appendCSV(changes, to: &out) } else { for change in changes { append(change, to: &out) } }
        return out
    }

    /// A changed row is two lines: as it was and as it is.
    private func appendCSV(_ changes: [RowChange], to out: inout [UInt8]) {
        let fields = [Field("_change")] + difference.fields
        var builders = fields.map { ColumnBuilder($0) }
        var count = 0
        func add(_ word: String, _ values: [Value]?) {
            guard let values else { return }
            count += 1
            builders[0].append(.text(word))
            for (index, value) in values.enumerated() { builders[index + 1].append(value) }
        }
        for change in changes {
            add(change.kind == .changed ? "changed_from" : change.kind.rawValue, change.before)
            add(change.kind == .changed ? "changed_to" : change.kind.rawValue, change.after)
        }
        var writer = CSVBatchWriter(fields: fields)
        writer.write(
            Batch(fields: fields, columns: fields.indices.map { builders[$0].finish() }, count: count),
            into: &out
        )
    }

    private func append(_ change: RowChange, to out: inout [UInt8]) {
        if !isFirst { out.append(0x2C) }
        isFirst = false
        out.append(contentsOf: "\n{\"change\":\"\(change.kind.rawValue)\"".utf8)
        for (name, values) in [("before", change.before), ("after", change.after)] {
            guard let values else { continue }
            out.append(contentsOf: ",\"\(name)\":{".utf8)
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(0x2C) }
                out.append(contentsOf: keys[index])
                out.append(contentsOf: value.json.text.utf8)
            }
            out.append(0x7D)
        }
        out.append(0x7D)
    }
}
