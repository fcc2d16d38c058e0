import Basics
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import NIOCore
import Tabular

/// `datastore_search` and `/datastore/dump`: the rows of a dataset as CKAN's clients read them, by the query path of everything else.
struct CKANDatastore {
    let web: WebRequest
    let catalogue: CKANCatalogue

    init(_ web: WebRequest, _ catalogue: CKANCatalogue) {
        self.web = web
        self.catalogue = catalogue
    }

    private static let mostRows = 32_000
    /// Rows of a page of ours.
    private static let pageRows = 10_000
    private static let known: Set<String> = [
        "resource_id", "id", "filters", "q", "full_text", "distinct", "plain", "language", "limit", "offset", "fields",
        "sort", "include_total", "total_estimation_threshold", "records_format", "include_next_page",
    ]

    private func find(_ id: String) throws(CKANFailure) -> CKANDataset {
        guard let found = catalogue.resource(id), found.place == 0 else {
            throw .notFound("Resource \"\(id)\" was not found.")
        }
        return found.dataset
    }

    /// The query that parameters ask for, and the fields that come out, `_id` first.
    private func query(_ asked: CKANParameters, _ dataset: CKANDataset) async throws -> (RecordQuery, [Field]) {
        let access = try await web.perform(web.services.lake.fields, dataset.code)
        let number = Field("_id", .integer)
        let visible = [number] + access.map(\.field)
        var fields = visible
        if let names = try asked.list("fields") {
            var taken: Set<String> = []
            fields = try names.filter { taken.insert($0).inserted }.map { name throws(CKANFailure) in
                guard let field = visible.first(where: { $0.name == name }) else {
                    throw .invalid("fields", "invalid value \"\(name)\"")
                }
                return field
            }
        }
        let offset = try asked.natural("offset", 0)
        guard offset <= RecordQuery.maximumOffset else {
            throw CKANFailure.invalid("offset", "Must be at most \(RecordQuery.maximumOffset)")
        }
        let filter = try CKANFilter(fields: [number] + access.filter { $0.mask == nil }.map(\.field))
        return (
            RecordQuery(
                dataset.code,
                fields: fields.map(\.name),
                filter: try filter.text(asked),
                sort: try filter.sort(asked),
                offset: offset
            ), fields
        )
    }

    // MARK: datastore_search

    func search(_ asked: CKANParameters) async throws -> [UInt8] {
        let strangers = asked.names.filter { !CKANDatastore.known.contains($0) }
        guard strangers.isEmpty else { throw CKANFailure.invalid("__extras", "invalid value \"\(strangers[0])\"") }
        let id = try asked.needed("id", "resource_id")
        let dataset = try find(id)
        let limit = try asked.natural("limit", 100, atMost: CKANDatastore.mostRows)
        let form = asked.text("records_format") ?? "objects"
        guard ["objects", "lists", "csv", "tsv"].contains(form) else {
            throw CKANFailure.invalid("records_format", "Value must be one of ['objects', 'lists', 'csv', 'tsv']")
        }
        var (query, fields) = try await query(asked, dataset)
        let wantsTotal = asked.flag("include_total", true)
        let isDistinct = asked.flag("distinct", false)
        let records: [UInt8]
        var total: Int64?
        if isDistinct {
            let rows = try await distinct(query)
            fields = rows.fields
            total = Int64(rows.count)
            records = CKANDatastore.records([rows.taking(query.offset, limit)], fields, form)
        } else {
            var batches: [Batch] = []
            var left = limit
            query.counting = wantsTotal ? .exact : nil
            repeat {
                query.limit = max(1, min(left, CKANDatastore.pageRows))
                let page = try await read(query)
                total = total ?? page.count
                // A field that came after the last load has no rows yet.
                fields = page.batch.fields
                if left > 0 { batches.append(page.batch) }
                left -= page.batch.count
                query.counting = nil
                query.offset = 0
                query.cursor = page.next
            } while left > 0 && query.cursor != nil
            records = CKANDatastore.records(batches, fields, form)
        }
        return answer(asked, id, limit, form, fields, records, wantsTotal ? total : nil)
    }

    private func read(_ query: RecordQuery) async throws -> RecordPage {
        do {
            return try await web.perform(web.services.lake.read, query)
        } catch let problem as Problem {
            throw CKANFailure(problem, parameter: problem.code == "query.sort_unindexed" ? "sort" : "filters")
        }
    }

    /// Rows that differ, where there are few enough to be compared.
    private func distinct(_ query: RecordQuery) async throws -> Batch {
        var query = query
        query.offset = 0
        var seen: Set<String> = []
        var fields: [Field] = []
        var builders: [ColumnBuilder] = []
        var rows = 0
        repeat {
            query.limit = CKANDatastore.pageRows
            let page = try await read(query)
            if builders.isEmpty {
                fields = page.batch.fields
                builders = fields.map { ColumnBuilder($0) }
            }
            for row in 0..<page.batch.count {
                let values = page.batch.columns.indices.map { page.batch.value(row, $0) }
                let text = JSONValue.array(values.map(\.json)).text
                guard seen.insert(text).inserted else { continue }
                for (index, value) in values.enumerated() { builders[index].append(value) }
            }
            rows += page.batch.count
            guard seen.count <= CKANDatastore.mostRows, rows <= 1_000_000 else {
                throw CKANFailure.invalid("distinct", "Too many rows to be compared")
            }
            query.cursor = page.next
        } while query.cursor != nil
        return Batch(fields: fields, columns: fields.indices.map { builders[$0].finish() }, count: seen.count)
    }

    private static func records(_ batches: [Batch], _ fields: [Field], _ form: String) -> [UInt8] {
        var out: [UInt8] = []
        if form == "csv" || form == "tsv" {
            var text: [UInt8] = []
            var writer = CSVBatchWriter(fields: fields, delimiter: form == "csv" ? 0x2C : 0x09)
            for batch in batches { writer.write(batch, into: &text) }
            text.withUnsafeBufferPointer { JSONWriter.appendString($0, to: &out) }
            return out
        }
        out.append(0x5B)
        let keys = JSONBatchWriter.keys(fields)
        var isFirst = true
        for batch in batches {
            for row in 0..<batch.count {
                if !isFirst { out.append(0x2C) }
                isFirst = false
                append(batch, row, keys: form == "objects" ? keys : nil, to: &out)
            }
        }
        out.append(0x5D)
        return out
    }

    /// A row as an object by keys, or as a list.
    private static func append(_ batch: Batch, _ row: Int, keys: [[UInt8]]?, to out: inout [UInt8]) {
        out.append(keys == nil ? 0x5B : 0x7B)
        for column in batch.columns.indices {
            if column > 0 { out.append(0x2C) }
            if let keys { out.append(contentsOf: keys[column]) }
            JSONBatchWriter.appendValue(batch, row, column, to: &out)
        }
        out.append(keys == nil ? 0x5D : 0x7D)
    }

    private func answer(
        _ asked: CKANParameters,
        _ id: String,
        _ limit: Int,
        _ form: String,
        _ fields: [Field],
        _ records: [UInt8],
        _ total: Int64?
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: records.count + 2048)
        writer.beginObject()
        func member(_ name: String, _ value: JSONValue) {
            writer.key(name)
            value.write(to: &writer)
        }
        member("include_total", .boolean(asked.flag("include_total", true)))
        member("limit", .integer(Int64(limit)))
        let offset = (try? asked.natural("offset", 0)) ?? 0
        if asked["offset"] != nil { member("offset", .integer(Int64(offset))) }
        member("records_format", .string(form))
        member("resource_id", .string(id))
        for name in ["filters", "q", "sort", "distinct"] { if let value = asked[name] { member(name, value) } }
        member("fields", .array(fields.map(CKANDatastore.json)))
        writer.key("records")
        writer.raw(records)
        member(
            "_links",
            .object([
                .init("start", .string(link(asked, offset: nil))),
                .init("next", .string(link(asked, offset: offset + limit))),
            ])
        )
        if let total {
            member("total", .integer(total))
            member("total_was_estimated", false)
        }
        writer.endObject()
        return writer.bytes
    }

    private func link(_ asked: CKANParameters, offset: Int?) -> String {
        var parts = asked.names.filter { $0 != "offset" }.map { name in
            let value = asked[name] ?? .null
            return "\(web.encoded(name))=\(web.encoded(value.string ?? value.text))"
        }
        if let offset { parts.append("offset=\(offset)") }
        return "/api/3/action/datastore_search?" + parts.joined(separator: "&")
    }

    private static func json(_ field: Field) -> JSONValue {
        var members: [JSONValue.Member] = [.init("id", .string(field.name)), .init("type", .string(type(field)))]
        if !field.title.isEmpty || !field.detail.isEmpty {
            members.append(
                .init("info", .object([.init("label", .string(field.display)), .init("notes", .string(field.detail))]))
            )
        }
        return .object(members)
    }

    private static func type(_ field: Field) -> String {
        switch field.type {
        case .text, .file: "text"
        case .integer: field.name == "_id" ? "int" : "int8"
        case .decimal: "numeric"
        case .real: "float8"
        case .boolean: "bool"
        case .date: "date"
        case .time: "time"
        case .timestamp: "timestamp"
        case .point, .geometry: "json"
        }
    }

    // MARK: dump

    private static let types = [
        "csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8",
        "json": "application/json; charset=utf-8", "xml": "text/xml; charset=utf-8",
    ]

    /// All rows as a stream. What is asked wrongly is a problem of the node's own form, with 400.
    func dump(_ id: String) async throws -> Response {
        do {
            let query = Form(urlEncoded: Array((web.request.uri.query ?? "").utf8)).fields
            let asked = try CKANParameters(pairs: query)
            let form = asked.text("format") ?? "csv"
            guard let type = CKANDatastore.types[form] else {
                throw CKANFailure.invalid("format", "Value must be one of ['csv', 'tsv', 'json', 'xml']")
            }
            let (found, visible) = try await self.query(asked, try find(id))
            var wanted = found
            wanted.limit = try asked.natural("limit", -1)
            let marks = asked.flag("bom", false)
            let isEmpty = wanted.limit == 0
            if wanted.limit < 0 { wanted.limit = 0 }
            let scan = isEmpty ? nil : try await web.perform(web.services.lake.export, wanted)
            let fields = scan?.fields ?? visible
            let audience = web.audience()
            let body = ResponseBody { writer in
                var output = CKANDump(form, fields)
                var bytes: [UInt8] = marks ? [0xEF, 0xBB, 0xBF] : []
                output.begin(into: &bytes)
                while let batch = try await audience.making({ try await scan?.next() }) {
                    output.write(batch, into: &bytes)
                    if bytes.count >= 1 << 19 {
                        try await writer.write(ByteBuffer(bytes: bytes))
                        bytes.removeAll(keepingCapacity: true)
                    }
                }
                output.end(into: &bytes)
                try await writer.write(ByteBuffer(bytes: bytes))
                try await writer.finish(nil)
            }
            return Response(
                status: .ok,
                headers: [
                    .contentType: type,
                    .contentDisposition: "attachment; filename=\"\(CKANDump.safe(id)).\(form)\"",
                ],
                body: body
            )
        } catch let failure as CKANFailure {
            let text = failure.members.map { "\($0.name): \($0.value.array?.first?.string ?? $0.value.string ?? "")" }
            let said = text.joined(separator: "; ")
            throw Problem(
                "request.malformed",
                status: failure.status == 409 ? 400 : failure.status,
                zh: "请求有误：\(said)",
                en: "The request is not right: \(said)"
            )
        }
    }

    static func row(_ batch: Batch, _ row: Int, to out: inout [UInt8]) { append(batch, row, keys: nil, to: &out) }
    static func description(_ field: Field) -> JSONValue { json(field) }
}

extension Batch {
    /// Some rows of it.
    fileprivate func taking(_ offset: Int, _ limit: Int) -> Batch {
        let rows = (0..<Int32(count)).dropFirst(offset).prefix(limit).map { $0 }
        return Batch(fields: fields, columns: columns.map { $0.taking(rows) }, count: rows.count)
    }

}
