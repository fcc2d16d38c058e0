import Mask
import Basics
import Foundation
public import Kernel
public import Tabular

/// The lake's actions: reading, exporting, loading, writing records, looking at loads and quarantine.
public struct LakeActions: Sendable {
    let lake: Lake

    public init(_ lake: Lake) { self.lake = lake }

    static let readDescriptor = ActionDescriptor(
        "data.read",
        .dataRead,
        .read,
        isPublic: true,
        zh: "读取数据",
        en: "read rows"
    )
    static let exportDescriptor = ActionDescriptor(
        "data.export",
        .dataRead,
        .read,
        isPublic: true,
        zh: "下载数据",
        en: "download rows"
    )
    static let loadDescriptor = ActionDescriptor("data.load", .dataLoad, .write, zh: "提交加载", en: "queue a load")
    static let runDescriptor = ActionDescriptor("data.run_load", .dataLoad, .write, zh: "执行加载", en: "run a load")
    static let saveDescriptor = ActionDescriptor("record.save", .dataWrite, .write, zh: "保存记录", en: "save a record")
    static let deleteDescriptor = ActionDescriptor(
        "record.delete",
        .dataWrite,
        .write,
        zh: "删除记录",
        en: "delete a record"
    )
    static let loadsDescriptor = ActionDescriptor("load.list", .quarantineRead, .view, zh: "批次列表", en: "list loads")
    static let showDescriptor = ActionDescriptor("load.show", .quarantineRead, .view, zh: "查看批次", en: "show a load")
    static let quarantineDescriptor = ActionDescriptor(
        "load.quarantine",
        .quarantineRead,
        .read,
        zh: "查看问题数据",
        en: "read quarantined rows"
    )

    public static let descriptors =
        extraDescriptors + [extentDescriptor, fieldsDescriptor, stampDescriptor, tileDescriptor] + [
            versionsDescriptor, differenceDescriptor, aggregateDescriptor,
        ] + [
            readDescriptor, exportDescriptor, loadDescriptor, runDescriptor, saveDescriptor, deleteDescriptor,
            loadsDescriptor, showDescriptor,
            quarantineDescriptor,
        ]

    /// A page of rows.
    public var read: Action<RecordQuery, RecordPage> {
        Action(Self.readDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] query, decision in
            let page = try await lake.page(query, decision)
            decision.note("rows", String(page.batch.count))
            if query.isFiltered { decision.note("filter_digest", Lake.digestText(query.asked)) }
            return page
        }
    }

    /// A page of rows that is asked for by what may be seen of the resource; with what was made for the asking.
    public func reading<Asked: Sendable>(
        _ ask: @escaping @Sendable ([FieldAccess]) throws -> (RecordQuery, Asked)
    ) -> Action<String, (page: RecordPage, asked: Asked)> {
        Action(Self.readDescriptor, target: { [lake] in try await lake.kernel.resource($0) }) { [lake] _, decision in
            let (query, asked) = try ask(decision.fields)
            let page = try await lake.page(query, decision)
            decision.note("rows", String(page.batch.count))
            if query.isFiltered { decision.note("filter_digest", Lake.digestText(query.asked)) }
            return (page, asked)
        }
    }

    /// All rows a query lets out, as a stream.
    public var export: Action<RecordQuery, RecordScan> {
        Action(Self.exportDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] query, decision in
            if query.isFiltered { decision.note("filter_digest", Lake.digestText(query.asked)) }
            decision.note("fields", String(decision.fields.count))
            return try await lake.scan(query, decision)
        }
    }

    /// A file that was uploaded, to be loaded.
    public struct LoadInput: Sendable {
        public var code: String
        public var path: String
        public var source: String
        public var table: String?
        public var mode: LoadMode
        public var encoding: TextEncoding?
        public var header: SheetLayout.HeaderHint
        /// Whether the node made the file itself, of other resources' rows.
        var isDerived = false
        public init(
            code: String,
            path: String,
            source: String,
            table: String? = nil,
            mode: LoadMode,
            encoding: TextEncoding? = nil,
            header: SheetLayout.HeaderHint = .detect
        ) {
            self.code = code
            self.path = path
            self.source = source
            self.table = table
            self.mode = mode
            self.encoding = encoding
            self.header = header
        }

        /// Rows that were made of others', in a CSV file with the fields' names in its first line.
        public static func derived(_ code: String, path: String) -> LoadInput {
            var input = LoadInput(
                code: code,
                path: path,
                source: "derivation",
                mode: .replace,
                encoding: .utf8,
                header: .written
            )
            input.isDerived = true
            return input
        }

        var json: JSONValue {
            .object([
                .init("code", .string(code)), .init("path", .string(path)), .init("source", .string(source)),
                .init("table", table.map { .string($0) } ?? .null), .init("mode", .string(mode.rawValue)),
                .init("encoding", encoding.map { .string($0.rawValue) } ?? .null),
                .init("header", .string(header.text)),
            ])
        }

        init(_ json: JSONValue) throws(Problem) {
            guard let code = json["code"]?.string, let path = json["path"]?.string,
                let mode = json["mode"]?.string.flatMap(LoadMode.init(rawValue:))
            else {
                throw Problem("job.unknown", status: 500, zh: "任务内容无法识别。", en: "The job's content cannot be read.")
            }
            self.init(
                code: code,
                path: path,
                source: json["source"]?.string ?? "",
                table: json["table"]?.string,
                mode: mode,
                encoding: json["encoding"]?.string.flatMap(TextEncoding.init(rawValue:)),
                header: SheetLayout.HeaderHint(text: json["header"]?.string)
            )
        }
    }

    /// Queues a load; the job's id.
    public var load: Action<LoadInput, Int64> {
        Action(Self.loadDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            if let resource = decision.resource { try await lake.checkMaker(resource, isDerived: false) }
            var kept = input
            // Paths inside the data directory are kept relative to it, so that a restored node finds its files.
            let prefix = lake.folder.path + "/"
            if kept.path.hasPrefix(prefix) { kept.path = String(kept.path.dropFirst(prefix.count)) }
            let job = try await lake.kernel.jobs.add("load", kept.json, by: principal.id, resource: input.code)
            decision.note("job", String(job))
            return job
        }
    }

    /// Runs a load now: what the job does, and the command line.
    public var run: Action<(input: LoadInput, job: Int64?, progress: @Sendable (Int64, Int64) -> Void), Load> {
        Action(Self.runDescriptor, target: { [lake] in try await lake.kernel.resource($0.input.code) }) {
            [lake] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            try await lake.checkMaker(resource, isDerived: input.input.isDerived)
            let path =
                input.input.path.hasPrefix("/")
                ? input.input.path : lake.folder.appendingPathComponent(input.input.path).path
            let request = LoadRequest(
                path: path,
                source: input.input.source,
                table: input.input.table,
                mode: input.input.mode,
                options: ReadOptions(
                    encoding: input.input.encoding,
                    delimiter: input.input.isDerived ? UInt8(ascii: ",") : nil,
                    header: input.input.header
                ),
                job: input.job,
                principal: principal.id
            )
            let load = try await lake.run(request, into: resource, decision: decision, progress: input.progress)
            decision.note("load", String(load.id))
            decision.note("digest", load.digest)
            decision.note("good", String(load.good))
            decision.note("bad", String(load.bad))
            return load
        }
    }

    public var save: Action<RecordChange, Int64> {
        Action(Self.saveDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] change, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let id = try await lake.save(change, resource, decision, by: principal.id)
            decision.note("record", String(id))
            return id
        }
    }

    public var delete: Action<(code: String, id: Int64), Void> {
        Action(Self.deleteDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            decision.note("record", String(input.id))
            try await lake.delete(input.id, resource, decision, by: principal.id)
        }
    }

    public var loads: Action<(code: String, limit: Int), [Load]> {
        Action(Self.loadsDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] input, decision in
            guard let resource = decision.resource else { return [] }
            return try await lake.loads(of: resource, limit: max(1, min(input.limit, 500)))
        }
    }

    public var show: Action<(code: String, load: Int64), Load> {
        Action(Self.showDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("批次", "the load")) }
            return try await lake.load(input.load, of: resource)
        }
    }

    public var quarantine:
        Action<(code: String, load: Int64, after: Int64, limit: Int), (header: [String], rows: [QuarantinedRow])>
    {
        Action(Self.quarantineDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("批次", "the load")) }
            decision.note("load", String(input.load))
            guard decision.rows == nil else {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "限定行范围的授权不含问题数据。",
                    en: "A grant of some rows does not cover quarantined ones."
                )
            }
            let limit = max(1, min(input.limit, 10_000))
            let found = try await lake.quarantine(input.load, of: resource, after: input.after, limit: limit)
            return Lake.decided(found, decision)
        }
    }

    /// Names the code of the jobs. A job passes the gate again when it runs, as the account that queued it.
    public func registerJobs() {
        lake.kernel.jobs.register("load") { [self] job, progress in
            guard let principal = try await lake.kernel.accounts.find(job.principal), principal.isActive else {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "提交任务的账号已停用。",
                    en: "The account that queued the job is disabled."
                )
            }
            let input = try LoadInput(job.payload)
            let caller = Caller(principal: principal, trace: "job-\(job.id)")
            let load = try await lake.kernel.gate.perform(run, (input, job.id, progress), as: caller)
            return .object([
                .init("load", .integer(load.id)), .init("good", .integer(load.good)), .init("bad", .integer(load.bad)),
            ])
        }
    }
}

extension Lake {
    /// Refuses files for a resource whose rows are made of others'.
    func checkMaker(_ resource: Resource, isDerived: Bool) async throws {
        guard !isDerived, let derived, try await derived.isDerived(resource.id) else { return }
        throw Problem(
            "load.derived",
            status: 409,
            zh: "该资源由其他资源派生，不能加载文件。",
            en: "The resource's rows are derived from other resources; files cannot be loaded into it.",
            hint: .init("请更新来源资源，或先删除派生定义。", "Change the sources, or take the derivation away first.")
        )
    }

    /// Quarantined cells as a decision shows them: columns of fields that may be seen, masked where they are masked.
    static func decided(
        _ found: (header: [String], rows: [QuarantinedRow]),
        _ decision: Decision
    ) -> (header: [String], rows: [QuarantinedRow]) {
        let access = found.header.map { name in
            decision.fields.first { field in
                [field.field.name, field.field.title].contains {
                    !$0.isEmpty && TextForms.comparable($0) == TextForms.comparable(name)
                }
            }
        }
        // A column the schema does not know is shown only to those who see every field as it is.
        let isWhole =
            decision.fields.count == decision.resource?.schema.fields.count
            && decision.fields.allSatisfy { $0.mask == nil }
        let kept = found.header.indices.filter { access[$0] != nil || isWhole }
        let rows = found.rows.map { row in
            var shown = row
            shown.cells = kept.map { index in
                let cell = index < row.cells.count ? row.cells[index] : ""
                return access[index]?.mask.map { $0.apply(cell) } ?? cell
            }
            return shown
        }
        return (kept.map { found.header[$0] }, rows)
    }

    /// The start of a text's digest: enough to recognise it, nothing of what it says.
    static func digestText(_ text: String) -> String { "sm3:" + Hexadecimal.text(digestBytes(text).prefix(8)) }
}
