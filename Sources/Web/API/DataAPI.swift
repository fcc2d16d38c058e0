import CQL
import Mask
import Basics
import Catalogue
import Check
import Collect
import Foundation
import Glibc
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import NIOCore
import Synchronization
import Tabular

/// `/api/v1/resources/{code}/records` and the ways data comes in.
enum DataAPI {
    static let routes: [Route] =
        [
            Route(
                .get,
                "/api/v1/resources/{code}/records",
                .actions(["data.read", "data.export"]),
                zh: "一页记录；格式由 Accept 决定",
                en: "A page of rows; the format follows Accept",
                handle: records
            )
        ]
        + OutputFormat.allCases.map { format in
            Route(
                .get,
                "/api/v1/resources/{code}/records.\(format.rawValue)",
                .actions(["data.export"]),
                zh: "下载 \(format.rawValue.uppercased())",
                en: "Download as \(format.rawValue.uppercased())"
            ) { web in
                try await export(web, format)
            }
        } + [
            Route(
                .post,
                "/api/v1/resources/{code}/records",
                .actions(["record.save"]),
                .console,
                zh: "新增记录",
                en: "Add a record"
            ) { web in
                try await save(web, id: nil)
            },
            Route(
                .patch,
                "/api/v1/resources/{code}/records/{id}",
                .actions(["record.save"]),
                .console,
                zh: "修改记录",
                en: "Change a record"
            ) { web in
                try await save(web, id: try web.number("id"))
            },
            Route(
                .delete,
                "/api/v1/resources/{code}/records/{id}",
                .actions(["record.delete"]),
                .console,
                zh: "删除记录",
                en: "Delete a record"
            ) { web in
                try web.checkHeader()
                try await web.perform(web.services.lake.delete, (try web.code(), try web.number("id")))
                return Response(status: .noContent)
            },
            Route(
                .post,
                "/api/v1/uploads",
                .actions(["collect.upload"]),
                .console,
                zh: "上传文件(multipart 或原始内容)",
                en: "Upload a file (multipart or raw)",
                handle: upload
            ),
            Route(
                .get,
                "/api/v1/uploads/{upload}/description",
                .actions(["collect.describe"]),
                .console,
                zh: "推断数据结构",
                en: "Infer a schema"
            ) { web in
                .json(json(try await web.perform(web.services.uploads.describe, try selection(web)), web.language))
            },
            Route(
                .post,
                "/api/v1/uploads/{upload}/check",
                .actions(["collect.check"]),
                .console,
                zh: "按数据结构检查文件",
                en: "Check a file against a schema"
            ) { web in
                let selected = try selection(web)
                let schema = try TableSchema.read(try await web.json())
                return .json(try await web.perform(web.services.uploads.check, (selected, schema)).json(web.language))
            },
            Route(.get, "/api/v1/resources/{code}/loads", .actions(["load.list"]), .console, zh: "批次列表", en: "Loads") {
                web in
                let loads = try await web.perform(web.services.lake.loads, (try web.code(), web.limit(50, 500)))
                return .json(.object([.init("loads", .array(loads.map(json)))]))
            },
            Route(
                .post,
                "/api/v1/resources/{code}/loads",
                .actions(["collect.inspect", "data.load"]),
                .console,
                zh: "加载已上传的文件",
                en: "Load an uploaded file",
                handle: load
            ),
            Route(
                .get,
                "/api/v1/resources/{code}/loads/{load}",
                .actions(["load.show"]),
                .console,
                zh: "查看批次",
                en: "Show a load"
            ) { web in
                .json(json(try await web.perform(web.services.lake.show, (try web.code(), try web.number("load")))))
            },
            Route(
                .get,
                "/api/v1/resources/{code}/loads/{load}/quarantine.csv",
                .actions(["load.quarantine"]),
                .console,
                zh: "下载问题数据",
                en: "Download quarantined rows",
                handle: quarantine
            ),
            Route(
                .get,
                "/api/v1/jobs/{job}",
                .actions(["job.own"]),
                .console,
                zh: "任务进度(本人的任务)",
                en: "A job of one's own"
            ) { web in
                let job = try await web.perform(web.services.administration.ownJob, try web.number("job"))
                return .json(json(job))
            },
        ]

    // MARK: Reading

    static func query(_ web: WebRequest) async throws -> RecordQuery {
        var conditions: [Expression] = []
        if web.parameters["bbox"] != nil || web.parameters["datetime"] != nil {
            let code = try web.code()
            let access = try await web.perform(web.services.lake.fields, code)
            let resource = try await web.services.kernel.resource(code)
            let layout = web.services.layouts.layout(access, resource, web.principal)
            conditions = try FeatureQuery.places(web.parameters, layout.shape, layout.time)
        }
        var query = RecordQuery(
            try web.code(),
            fields: web.query("fields").map { $0.split(separator: ",").map(String.init) }.flatMap {
                $0.isEmpty ? nil : $0
            },
            filter: web.query("filter"),
            sort: web.query("sort"),
            cursor: web.query("cursor"),
            limit: try web.askedLimit(100, 10_000),
            offset: web.query("cursor") == nil ? try web.offset(atMost: RecordQuery.maximumOffset) : 0,
            counting: try RecordQuery.Counting(asked: web.query("count")),
            version: try web.version("version")
        )
        // Both ways of asking narrow each other down.
        if !conditions.isEmpty { query.condition = conditions.count == 1 ? conditions[0] : .and(conditions) }
        return query
    }

    /// What may be asked of a page of rows.
    private static let parameters: Set<String> = [
        "fields", "filter", "sort", "cursor", "limit", "offset", "count", "version", "bbox", "bbox-crs", "datetime",
    ]

    /// The formats that `Accept` may ask for in the place of JSON, by their media types.
    private static let streamed = [OutputFormat.csv, .jsonl, .geojson, .xlsx].map { format in
        (format, String(format.mediaType.prefix { $0 != ";" }))
    }

    static func records(_ web: WebRequest) async throws -> Response {
        let accepted = web.request.headers[.accept] ?? ""
        for (format, type) in streamed where accepted.hasPrefix(type) {
            var response = try await export(web, format)
            response.headers[.vary] = response.status == .notModified ? "Accept, Accept-Encoding" : "Accept"
            return response
        }
        try web.allow(parameters)
        let query = try await query(web)
        if var same = try await web.unchanged(query.code) {
            same.headers[.vary] = "Accept, Accept-Encoding"
            return same
        }
        let page = try await web.perform(web.services.lake.read, query)
        var out: [UInt8] = []
        out.reserveCapacity(page.batch.count * 256 + 512)
        out.append(contentsOf: "{\"records\":[".utf8)
        let keys = JSONBatchWriter.keys(page.batch.fields)
        // The row's number stands first in any case.
        let columns = page.batch.columns.indices.filter { page.batch.fields[$0].name != "_id" }
        for row in 0..<page.batch.count {
            if row > 0 { out.append(0x2C) }
            out.append(contentsOf: "\n{\"_id\":".utf8)
            Numbers.append(page.ids[row], to: &out)
            for column in columns {
                out.append(0x2C)
                out.append(contentsOf: keys[column])
                JSONBatchWriter.appendValue(page.batch, row, column, to: &out)
            }
            out.append(0x7D)
        }
        out.append(contentsOf: "],\"next\":".utf8)
        out.append(contentsOf: (page.next.map { "\"\($0)\"" } ?? "null").utf8)
        if let count = page.count {
            out.append(contentsOf: ",\"count\":\(count),\"count_kind\":\"\(query.counting?.rawValue ?? "")\"".utf8)
        }
        if !page.masked.isEmpty {
            let masked = JSONValue.object(
                page.masked.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value.code)) }
            )
            out.append(contentsOf: ",\"masked\":\(masked.text)".utf8)
        }
        out.append(contentsOf: "}\n".utf8)
        var response = Response.bytes(out, type: "application/json")
        response.headers[.eTag] = web.mark(page.stamp)
        response.headers[.cacheControl] = "no-cache"
        response.headers[.vary] = "Accept"
        return response
    }

    /// Streams rows; memory does not grow with their number.
    static func export(_ web: WebRequest, _ format: OutputFormat) async throws -> Response {
        try web.allow(parameters.union(["bom", "plain"]))
        var query = try await query(web)
        query.limit = web.query("limit") == nil ? 0 : try web.askedLimit(0, .max)
        if let same = try await web.unchanged(query.code, format.rawValue) { return same }
        let asked = query
        let name = Entry.slug(query.code)
        let marks = web.query("bom") == "true"
        let isPlain = web.query("plain") == "true"
        let first = try await web.perform(web.services.lake.export, asked)
        var headers: HTTPFields = [.contentType: format.mediaType]
        headers[.contentDisposition] = "attachment; filename=\"\(name).\(format.rawValue)\""
        let mark = web.mark(first.stamp, format.rawValue)
        // A scan is read once; where the bytes are made twice, the second comes from another.
        let unread = Mutex<RecordScan?>(first)
        return try await web.download(headers, mark: mark) {
            var scan = unread.withLock { held in
                defer { held = nil }
                return held
            }
            if scan == nil { scan = try await web.perform(web.services.lake.export, asked) }
            guard let scan else { throw Problem.notFound(.init("数据", "the rows")) }
            guard scan.stamp == first.stamp else {
                throw Problem(
                    "request.changed",
                    status: 412,
                    zh: "数据在读取期间已变更。",
                    en: "The rows changed while they were read.",
                    hint: .init("请重新下载。", "Begin the download again.")
                )
            }
            return FormatStream(scan, format.writer(scan.fields, name: name, mark: marks, neutralise: !isPlain))
        }
    }

    // MARK: Writing

    static func save(_ web: WebRequest, id: Int64?) async throws -> Response {
        var values = try await web.json().typed
        // A row that was read may be sent back as it is.
        if let id, values["_id"] == String(id) { values["_id"] = nil }
        let saved = try await web.perform(web.services.lake.save, RecordChange(try web.code(), id: id, values: values))
        return .json(.object([.init("_id", .integer(saved))]), status: id == nil ? .created : .ok)
    }

    /// Receives a file: as a form, or raw with `?name=…&no_secrets=true`.
    static func upload(_ web: WebRequest) async throws -> Response {
        let upload = try await receive(web).upload
        return .json(
            .object([
                .init("upload", .string(upload.id)), .init("name", .string(upload.name)),
                .init("size", .integer(upload.size)),
            ]),
            status: .created
        )
    }

    static func receive(_ web: WebRequest) async throws -> (upload: Upload, form: Form) {
        // Who may not upload does not get to fill the disk.
        guard web.services.kernel.gate.admits(web.services.uploads.upload.descriptor, nil, web.caller) else {
            _ = try await web.perform(
                web.services.uploads.upload,
                .init(name: "", temporaryPath: "", declaresNoSecrets: true)
            )
            throw Problem.notFound(.init("页面", "the page"))
        }
        let settings = web.services.settings
        let type = web.request.headers[.contentType] ?? ""
        if type.lowercased().hasPrefix("multipart/") {
            let receiver = try MultipartReceiver(
                contentType: type,
                folder: settings.temporaryFolder,
                maximum: settings.maximumUpload
            )
            let result = try await receiver.receive(web.request.body)
            do {
                if web.token != nil { try web.check(result.form) }
                guard let path = result.filePath, let name = result.fileName else {
                    throw Problem("request.malformed", zh: "请选择文件。", en: "Choose a file.")
                }
                let upload = try await web.perform(
                    web.services.uploads.upload,
                    .init(name: name, temporaryPath: path, declaresNoSecrets: result.form["no_secrets"] == "true")
                )
                return (upload, result.form)
            } catch {
                if let path = result.filePath { unlink(path) }
                throw error
            }
        }
        try web.checkHeader()
        let path = "\(settings.temporaryFolder)/upload-\(UUID().uuidString)"
        do {
            try await store(web, path, maximum: settings.maximumUpload)
            let upload = try await web.perform(
                web.services.uploads.upload,
                .init(
                    name: web.query("name") ?? "upload",
                    temporaryPath: path,
                    declaresNoSecrets: web.query("no_secrets") == "true"
                )
            )
            return (upload, Form(fields: []))
        } catch {
            unlink(path)
            throw error
        }
    }

    private static func store(_ web: WebRequest, _ path: String, maximum: Int64) async throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else {
            throw MultipartReceiver.diskFull()
        }
        defer { try? handle.close() }
        var total: Int64 = 0
        for try await buffer in web.request.body {
            total += Int64(buffer.readableBytes)
            guard total <= maximum else {
                throw Problem("request.too_large", status: 413, zh: "文件过大。", en: "The file is too large.")
            }
            try handle.write(contentsOf: Data(buffer.readableBytesView))
        }
        try handle.synchronize()
    }

    static func selection(_ web: WebRequest) throws -> Uploads.Selection {
        Uploads.Selection(
            upload: try web.parameter("upload"),
            table: web.query("table"),
            encoding: web.query("encoding").flatMap(TextEncoding.init(rawValue:)),
            header: SheetLayout.HeaderHint(text: web.query("header"))
        )
    }

    static func load(_ web: WebRequest) async throws -> Response {
        let body = try await web.json()
        guard let id = body["upload"]?.string, let mode = body["mode"]?.string.flatMap(LoadMode.init(rawValue:)) else {
            throw Problem(
                "request.malformed",
                zh: "需要 upload 与 mode(replace、append、upsert)。",
                en: "Give upload and mode (replace, append, upsert)."
            )
        }
        let selection = Uploads.Selection(
            upload: id,
            table: body["table"]?.string,
            encoding: body["encoding"]?.string.flatMap(TextEncoding.init(rawValue:)),
            header: SheetLayout.HeaderHint(text: body["header"].flatMap { $0.string ?? $0.integer.map(String.init) })
        )
        let job = try await load(selection, into: try web.code(), mode, web)
        return .json(.object([.init("job", .integer(job))]), status: .accepted)
    }

    /// Starts the load of an upload's table; the job.
    static func load(
        _ selection: Uploads.Selection,
        into code: String,
        _ mode: LoadMode,
        _ web: WebRequest
    ) async throws -> Int64 {
        let inspection = try await web.perform(web.services.uploads.inspect, selection)
        return try await web.perform(
            web.services.lake.load,
            .init(
                code: code,
                path: inspection.upload.path,
                source: inspection.upload.name,
                table: inspection.tables.count > 1 ? inspection.table.name : nil,
                mode: mode,
                encoding: selection.encoding,
                header: selection.header
            )
        )
    }

    static func quarantine(_ web: WebRequest) async throws -> Response {
        let code = try web.code()
        let load = try web.number("load")
        let first = try await web.perform(web.services.lake.quarantine, (code, load, -1, 10_000))
        let fields = first.header.map { Field($0) } + [Field("_row", .integer), Field("_reasons")]
        let audience = web.audience()
        let body = ResponseBody { writer in
            var output = CSVBatchWriter(fields: fields, mark: true)
            var bytes: [UInt8] = []
            output.begin(into: &bytes)
            var page = first.rows
            while !page.isEmpty {
                var builders = fields.map { ColumnBuilder($0) }
                for row in page {
                    for index in first.header.indices {
                        builders[index].append(.text(index < row.cells.count ? row.cells[index] : ""))
                    }
                    builders[fields.count - 2].append(.integer(row.row))
                    builders[fields.count - 1].append(.text(row.reasons.joined(separator: "; ")))
                }
                output.write(
                    Batch(fields: fields, columns: fields.indices.map { builders[$0].finish() }, count: page.count),
                    into: &bytes
                )
                try await writer.write(ByteBuffer(bytes: bytes))
                bytes = []
                guard page.count == 10_000, let last = page.last?.row else { break }
                page = try await audience.making {
                    try await web.perform(web.services.lake.quarantine, (code, load, last, 10_000)).rows
                }
            }
            if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: OutputFormat.csv.mediaType,
                .contentDisposition: "attachment; filename=\"quarantine-\(load).csv\"",
            ],
            body: body
        )
    }

    // MARK: As JSON

    static func json(_ load: Load) -> JSONValue {
        .object([
            .init("load", .integer(load.id)), .init("mode", .string(load.mode.rawValue)),
            .init("state", .string(load.state.rawValue)),
            .init("source", .string(load.source)), .init("digest", .string(load.digest)),
            .init("good", .integer(load.good)), .init("bad", .integer(load.bad)),
            .init("started", .string(CivilTime.timestamp(load.startedAt))),
            .init("finished", load.finishedAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
            .init("report", load.report),
        ])
    }

    static func json(_ job: Job) -> JSONValue {
        .object([
            .init("job", .integer(job.id)), .init("kind", .string(job.kind)),
            .init("state", .string(job.state.rawValue)),
            .init("progress", .integer(job.progress)), .init("attempts", .integer(job.attempts)),
            .init("result", job.result),
        ])
    }

    static func json(_ description: Uploads.Description, _ language: Language) -> JSONValue {
        .object([
            .init("tables", .array(description.inspection.tables.map { .string($0.name) })),
            .init("table", .string(description.inspection.table.name)),
            .init("encoding", description.inspection.table.encoding.map { .string($0.rawValue) } ?? .null),
            .init("rows_seen", .integer(Int64(description.proposal.rows))),
            .init("schema", TableSchema.write(description.proposal.schema)),
            .init(
                "fields",
                .array(
                    description.proposal.fields.map { field in
                        .object([
                            .init("name", .string(field.field.name)), .init("type", .string(field.field.type.rawValue)),
                            .init("confidence", .real((field.confidence * 100).rounded() / 100)),
                            .init("filled", .real((field.filled * 1000).rounded() / 1000)),
                            .init("reasons", .array(field.reasons.map { .string($0[language]) })),
                            .init("examples", .array(field.examples.map { .string($0) })),
                        ])
                    }
                )
            ),
            .init(
                "notes",
                .array((description.proposal.notes + description.inspection.notes).map { .string($0[language]) })
            ),
        ])
    }
}
