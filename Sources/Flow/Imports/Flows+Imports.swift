import Synchronization
public import Basics
import Foundation
public import Kernel
import Lake
import Seal
import Store
public import Tabular

/// A file whose rows are to go through a beginning step.
public struct NewImport: Sendable {
    public var code: String
    public var step: String
    public var name: String
    /// Where it was received.
    public var path: String

    public init(_ code: String, step: String, name: String, path: String) {
        self.code = code
        self.step = step
        self.name = name
        self.path = path
    }
}

/// An import as whoever sent it sees it.
public struct ImportStatus: Sendable {
    public var shown: RecordImport
    /// The job that checks it or takes it in; nil where none is under way.
    public var job: Job?
    /// The first rows that were refused.
    public var refused: [RefusedRow]
}

extension Flows {
    static let importDescriptor = ActionDescriptor(
        "flow.import",
        .flowAct,
        .write,
        zh: "提交批量导入",
        en: "send or start an import of records"
    )
    static let importRunDescriptor = ActionDescriptor(
        "flow.import_run",
        .flowAct,
        .write,
        zh: "执行批量导入",
        en: "check or take in an import"
    )
    static let importsDescriptor = ActionDescriptor(
        "flow.imports",
        .flowAct,
        .view,
        zh: "批量导入情况",
        en: "imports of records"
    )
    static let importRefusedDescriptor = ActionDescriptor(
        "flow.import_refused",
        .flowAct,
        .read,
        zh: "下载未导入的行",
        en: "download refused rows"
    )

    /// Rows of a file at the most.
    public static let maximumImport: Int64 = 20_000
    /// Files with more rows are checked by a job.
    static let checkedAtOnce: Int64 = 200
    static let importJob = "flow_import"
    private static let keptDays: Int64 = 30

    private var importFolder: URL { folder.appendingPathComponent("imports") }
    private func path(of kept: RecordImport) -> String { importFolder.appendingPathComponent(kept.file).path }

    // MARK: Sending

    /// Takes a file over and tries its rows: small ones now, others by a job. Nothing is made.
    public var sendImport: Action<NewImport, RecordImport> {
        Action(Self.importDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let place = try await place(input.code)
            guard let step = place.declaration.flow?.step(input.step), step.isBeginning else {
                throw Problem.notFound(.init("步骤", "the step"))
            }
            try Self.check(step, principal)
            var rows = try ImportRows(path: input.path)
            let columns = try ImportColumns(rows.header, step, place.declaration)
            var count: Int64 = 0
            while count <= Self.maximumImport, try rows.next() != nil { count += 1 }
            guard (1...Self.maximumImport).contains(count) else {
                throw count == 0
                    ? Problem("upload.empty", zh: "文件是空的。", en: "The file is empty.")
                    : Problem(
                        "flow.import_rows",
                        status: 413,
                        zh: "一次最多导入 \(Self.maximumImport) 行。",
                        en: "At most \(Self.maximumImport) rows are imported at once.",
                        hint: .init("请分成几个文件。", "Send it in several files.")
                    )
            }
            let now = kernel.clock.now()
            let id = TimeOrderedID.make(microseconds: now)
            let made = RecordImport(
                id: id,
                resource: resource.id.raw,
                step: step.key,
                name: String(input.name.prefix(200)),
                file: id + Self.suffix(input.name),
                digest: try Self.digest(input.path).digest,
                principal: principal.id.raw,
                at: now,
                state: .checking,
                rows: count,
                good: 0,
                bad: 0,
                ignored: Array(columns.ignored.prefix(50))
            )
            try FileManager.default.createDirectory(
                at: importFolder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try FileManager.default.moveItem(atPath: input.path, toPath: path(of: made))
            try KeptFile.settle(URL(fileURLWithPath: path(of: made)))
            try await kernel.databases.records.write { db in try ImportStore.add(made, db) }
            decision.note("import", id)
            decision.note("digest", made.digest)
            decision.note("rows", String(count))
            if count <= Self.checkedAtOnce { return try await rehearse(made, resource, decision) { _, _ in } }
            try await queue(made, "check", resource, principal.id)
            return made
        }
    }

    private static func suffix(_ name: String) -> String {
        name.split(separator: ".").dropFirst().last.map {
            "." + $0.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(8)
        } ?? ""
    }

    /// Lets go of imports of long ago, once a day: their files hold what was typed.
    func keepUpImports() async throws {
        let now = kernel.clock.now()
        let isDue = prunedAt.withLock { last in
            guard now - last >= CivilTime.microsecondsPerDay || now < last else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let limit = now - Self.keptDays * CivilTime.microsecondsPerDay
        let old = try await kernel.databases.records.read { try ImportStore.older(than: limit, $0) }
        for kept in old {
            try? FileManager.default.removeItem(atPath: path(of: kept))
            try await kernel.databases.records.write { try ImportStore.remove(kept.id, $0) }
        }
    }

    private static func payload(_ id: String, _ work: String) -> JSONValue {
        .object([.init("import", .string(id)), .init("work", .string(work))])
    }

    /// Queues a check or a taking in; one that waits or runs already is not queued again.
    private func queue(
        _ made: RecordImport,
        _ work: String,
        _ resource: Resource,
        _ principal: PrincipalID
    )
        async throws
    {
        let payload = Self.payload(made.id, work)
        let now = kernel.clock.now()
        _ = try await kernel.databases.control.write { [jobs = kernel.jobs] db -> Int64 in
            if let job = try jobs.unfinished(Self.importJob, resource: resource.code, payload: payload, db) {
                return job
            }
            return try jobs.add(Self.importJob, payload, by: principal, resource: resource.code, at: now, db)
        }
    }

    /// Takes the good rows of a checked import in, by a job.
    public var startImport: Action<(code: String, id: String), Void> {
        Action(Self.importDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let made = try await own(input.id, resource, decision.caller)
            decision.note("import", made.id)
            guard made.state != .done else { return }
            // A check that was broken off is done again.
            try await queue(made, made.state == .checking ? "check" : "run", resource, principal.id)
        }
    }

    // MARK: Work

    public func registerJobs() {
        kernel.jobs.register(Self.workJob) { [self] job, _ in try await doWork(job) }
        kernel.jobs.register(Self.importJob) { [self] job, progress in
            guard let principal = try await kernel.accounts.find(job.principal), principal.isActive,
                let id = job.payload["import"]?.string
            else {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "提交任务的账号已停用。",
                    en: "The account that queued the job is disabled."
                )
            }
            let caller = Caller(principal: principal, trace: "job-\(job.id)")
            let input = (
                code: job.resource, id: id, isRehearsal: job.payload["work"]?.string == "check", progress: progress
            )
            let made = try await kernel.gate.perform(runImport, input, as: caller)
            return .object([.init("good", .integer(made.good)), .init("bad", .integer(made.bad))])
        }
    }

    typealias Progress = @Sendable (Int64, Int64) -> Void

    private var runImport: Action<(code: String, id: String, isRehearsal: Bool, progress: Progress), RecordImport> {
        Action(Self.importRunDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            let made = try await own(input.id, resource, decision.caller)
            decision.note("import", made.id)
            decision.note("work", input.isRehearsal ? "check" : "run")
            guard made.state != .done else { return made }
            let end =
                input.isRehearsal
                ? try await rehearse(made, resource, decision, input.progress)
                : try await takeIn(made, resource, decision.caller, input.progress)
            decision.note("good", String(end.good))
            decision.note("bad", String(end.bad))
            return end
        }
    }

    /// What ends a row that is only tried: its transaction is taken back.
    private struct Rehearsed: Error { var key: [String] }

    /// Tries every row in a transaction of its own that is taken back.
    private func rehearse(
        _ made: RecordImport,
        _ resource: Resource,
        _ decision: Decision,
        _ progress: Progress
    ) async throws -> RecordImport {
        var seen: [[String]: Int64] = [:]
        return try await eachRow(made, done: .checked, progress) { line, given, asked in
            let request = try await self.filled(given, resource, decision.caller)
            let work = try await self.work(request, resource, decision)
            let names = resource.schema.key
            do {
                _ = try await self.kernel.databases.records.write { db -> Int64 in
                    let outcome = try work.run(request, decision, db)
                    let row = try self.lake.texts(of: outcome.record, in: resource, nil, db)
                    throw Rehearsed(key: names.map { row[$0] ?? "" })
                }
            } catch let tried as Rehearsed {
                // Numbers that the step gives are given anew for each row; keys that the file gives may occur once.
                guard !names.isEmpty, names.allSatisfy({ asked.contains($0) }) else { return }
                if let first = seen.updateValue(line, forKey: tried.key) {
                    throw Problem(
                        "flow.import_twice",
                        status: 409,
                        zh: "主键与第 \(first) 行重复。",
                        en: "The key is that of line \(first)."
                    )
                }
            }
        }
    }

    /// Takes the step with every row that no record was made of yet.
    private func takeIn(
        _ made: RecordImport,
        _ resource: Resource,
        _ caller: Caller,
        _ progress: Progress
    ) async throws -> RecordImport {
        try await eachRow(made, done: .done, progress) { line, asked, _ in
            var request = asked
            request.line = ImportLine(id: made.id, line: line)
            _ = try await self.kernel.gate.perform(self.step, request, as: caller)
        }
    }

    /// Reads the file and does something with each row; what is refused is kept with its reason.
    private func eachRow(
        _ made: RecordImport,
        done: RecordImport.State,
        _ progress: Progress,
        _ body: (_ line: Int64, _ request: StepRequest, _ asked: Set<String>) async throws -> Void
    ) async throws -> RecordImport {
        let resource = try await kernel.resource(ResourceID(made.resource))
        let place = try await place(resource.code)
        let declared = place.declaration
        guard let step = declared.flow?.step(made.step) else { throw Problem.notFound(.init("步骤", "the step")) }
        var rows = try ImportRows(path: path(of: made))
        let columns = try ImportColumns(rows.header, step, declared)
        let asked = AskedFields(step, declared, isLenient: true)
        let taken = try await kernel.databases.records.write { db in
            try ImportStore.forgive(made.id, db)
            return try ImportStore.taken(made.id, db)
        }
        var end = made
        end.state = done
        end.good = Int64(taken.count)
        end.bad = 0
        var refused: [RefusedRow] = []
        var count: Int64 = 0
        while let row = try rows.next() {
            try Task.checkCancellation()
            count += 1
            progress(count, made.rows)
            if taken.contains(row.line) { continue }
            if let reason = try await refusal(row, step, declared, columns, asked, resource, body) {
                refused.append(RefusedRow(line: row.line, reason: reason))
                end.bad += 1
            } else {
                end.good += 1
            }
            if refused.count == 200 { try await keep(&refused, made.id) }
        }
        try await keep(&refused, made.id)
        let settled = end
        try await kernel.databases.records.write { try ImportStore.settle(settled, $0) }
        return settled
    }

    private func keep(_ refused: inout [RefusedRow], _ id: String) async throws {
        let rows = refused
        guard !rows.isEmpty else { return }
        try await kernel.databases.records.write { try ImportStore.refuse(rows, of: id, $0) }
        refused = []
    }

    /// Why a row is not taken in; nil where it is.
    private func refusal(
        _ row: ImportRows.Row,
        _ step: FlowStep,
        _ declared: ResourceDeclaration,
        _ columns: ImportColumns,
        _ asked: AskedFields,
        _ resource: Resource,
        _ body: (_ line: Int64, _ request: StepRequest, _ asked: Set<String>) async throws -> Void
    ) async throws -> LocalizedText? {
        if let damage = row.damage { return damage }
        let (texts, findings) = try asked.read(row.values(columns, declared))
        let errors = findings.filter { $0.severity == .error }
        guard errors.isEmpty else {
            func text(_ language: Language) -> String {
                errors.map { finding in
                    let label = declared.field(finding.field).map { declared.label($0, language) }
                    let words = [finding.message[language], finding.suggestion?[language]].compactMap(\.self)
                    let said = words.joined(separator: language == .zh ? "，" : ", ")
                    // A rule's own words may begin with the field's name.
                    guard let label, !said.lowercased().hasPrefix(label.lowercased()) else { return said }
                    return "\(label)\(language == .zh ? "：" : ": ")\(said)"
                }.joined(separator: language == .zh ? "；" : "; ")
            }
            return .init(text(.zh), text(.en))
        }
        let given = texts.filter { columns.fields[$0.key] != nil && !$0.value.isEmpty }
        let request = StepRequest(resource.code, step: step.key, values: given, note: row.note(columns))
        do {
            try await body(row.line, request, Set(given.keys))
            return nil
        } catch let problem as Problem {
            // What is not the row's fault ends the work, which is taken up again.
            guard (400..<500).contains(problem.status), problem.status != 401, problem.code != "access.denied",
                problem.code != "flow.role"
            else { throw problem }
            return problem.message
        }
    }

    // MARK: Looking

    /// An import of one's own.
    private func own(_ id: String, _ resource: Resource, _ caller: Caller) async throws -> RecordImport {
        let found = try await kernel.databases.records.read { try ImportStore.find(id, $0) }
        guard let found, found.resource == resource.id.raw, found.principal == caller.principal?.id.raw else {
            throw Problem.notFound(.init("导入", "the import"))
        }
        return found
    }

    /// The latest imports of whoever asks.
    public var imports: Action<String, [RecordImport]> {
        Action(Self.importsDescriptor, target: { [kernel] in try await kernel.resource($0) }) {
            [kernel] _, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else { return [] }
            return try await kernel.databases.records.read {
                try ImportStore.recent(resource.id.raw, principal.id.raw, $0)
            }
        }
    }

    /// How an import stands.
    public var importStatus: Action<(code: String, id: String), ImportStatus> {
        Action(Self.importsDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("导入", "the import")) }
            let made = try await own(input.id, resource, decision.caller)
            let refused = try await kernel.databases.records.read {
                try ImportStore.refused(made.id, after: -1, limit: 100, $0)
            }
            let jobs = kernel.jobs
            let id = try await kernel.databases.control.read { db -> Int64? in
                for work in ["run", "check"] {
                    let payload = Self.payload(made.id, work)
                    if let job = try jobs.unfinished(Self.importJob, resource: resource.code, payload: payload, db) {
                        return job
                    }
                }
                return nil
            }
            let job = try await id.asyncMap { try await jobs.find($0) }.flatMap(\.self)
            return ImportStatus(shown: made, job: job, refused: refused)
        }
    }

    /// The refused rows of an import as they stood in its file, each with its reason in a language.
    public var refusedRows: Action<(code: String, id: String, language: Language), (fields: [Field], rows: Batch)> {
        Action(Self.importRefusedDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("导入", "the import")) }
            let made = try await own(input.id, resource, decision.caller)
            decision.note("import", made.id)
            let refused = try await kernel.databases.records.read {
                try ImportStore.refused(made.id, after: -1, limit: Int(Self.maximumImport), $0)
            }
            let reasons = Dictionary(refused.map { ($0.line, $0.reason) }, uniquingKeysWith: { first, _ in first })
            var rows = try ImportRows(path: path(of: made))
            let kept = rows.header.indices.filter { !ImportColumns.reasons.contains(rows.header[$0]) }
            let head = input.language == .zh ? ImportColumns.reasons[0] : ImportColumns.reasons[1]
            let fields = kept.map { Field(rows.header[$0]) } + [Field(head)]
            var builders = fields.map { ColumnBuilder($0) }
            var count = 0
            while let row = try rows.next() {
                guard let reason = reasons[row.line] else { continue }
                for (at, column) in kept.enumerated() {
                    builders[at].append(.text(column < row.cells.count ? row.cells[column] : ""))
                }
                builders[kept.count].append(.text(reason[input.language]))
                count += 1
            }
            decision.note("rows", String(count))
            return (fields, Batch(fields: fields, columns: builders.map { $0.finishing() }, count: count))
        }
    }
}

extension ColumnBuilder {
    fileprivate func finishing() -> Column {
        var builder = self
        return builder.finish()
    }
}
