import Basics
import Connect
import Foundation
import Kernel
import Lake
import Store
import Tabular

extension Sources {
    /// What a reading brought, before it is loaded.
    private struct Arrival {
        /// The file's name in the folder of uploads; empty where nothing new came.
        var spool: String
        var rows: Int64
        var watermark: String?
        /// The file it was, of a source of files.
        var file: FolderFile?
        /// Whether more files wait.
        var hasMore = false
        /// Of the rows as they came.
        var digest: String?
    }

    /// Names the code of the jobs.
    public func registerJobs() {
        kernel.jobs.register(Sources.job, lane: .outside) { [self] job, progress in
            guard let id = job.payload["source"]?.integer else { throw Sources.unknown }
            let source = try await find(id)
            do {
                return try await read(source, job.id, progress)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                try await failed(source, job.id, error)
                throw error
            }
        }
    }

    /// Reads a source once: fetches, loads, and then remembers how far it came. Whatever is interrupted is done again without doubling.
    private func read(
        _ source: Source,
        _ job: Int64,
        _ progress: @escaping @Sendable (Int64, Int64) -> Void
    ) async throws -> JSONValue {
        guard let service = try await kernel.accounts.find(source.principal), service.isActive else {
            throw Problem(
                "access.denied",
                status: 403,
                zh: "归集来源的服务账号已停用。",
                en: "The source's service account is disabled."
            )
        }
        let caller = Caller(principal: service, trace: "job-\(job)")
        let arrival: Arrival
        if let begun = try await begun(source, job) {
            arrival = begun
        } else {
            arrival = try await fetched(source, job, caller)
        }
        var load: Load?
        if !arrival.spool.isEmpty {
            let name = arrival.file?.name ?? (source.kind.isOfFiles ? source.name : source["table"])
            let input = LakeActions.LoadInput(
                code: source.code,
                path: folder.appendingPathComponent(arrival.spool).path,
                source: name.isEmpty ? source.name : name,
                mode: source.mode,
                encoding: source.kind.isOfFiles ? nil : .utf8,
                header: source.kind == .postgresql || source.kind == .odbc ? .line(1) : .detect
            )
            load = try await loaded(input, job, progress, caller)
        }
        try await finish(source, job, arrival, load)
        return .object([
            .init("source", .integer(source.id)), .init("rows", .integer(arrival.rows)),
            .init("load", load.map { .integer($0.id) } ?? .null), .init("good", .integer(load?.good ?? 0)),
            .init("bad", .integer(load?.bad ?? 0)),
        ])
    }

    /// Loads what was fetched. A fault after the load was durable does not undo it, and another load of the resource is waited for.
    private func loaded(
        _ input: LakeActions.LoadInput,
        _ job: Int64,
        _ progress: @escaping @Sendable (Int64, Int64) -> Void,
        _ caller: Caller
    ) async throws -> Load {
        for attempt in 0... {
            do {
                return try await kernel.gate.perform(lake.run, (input, job, progress), as: caller)
            } catch let problem as Problem where problem.code == "load.busy" && attempt < 120 {
                try await Task.sleep(for: .seconds(5))
            } catch {
                if let done = try await lake.finished(job, into: input.code) { return done }
                throw error
            }
        }
        throw CancellationError()
    }

    /// What an interrupted run of the same job had fetched already.
    private func begun(_ source: Source, _ job: Int64) async throws -> Arrival? {
        let now = kernel.clock.now()
        let row = try await kernel.databases.control.write { db in
            try db.execute(
                "INSERT INTO source_runs (job, source, state, started_at) VALUES (?,?,'running',?) ON CONFLICT (job) DO UPDATE SET state = 'running', problem = NULL",
                [.integer(job), .integer(source.id), .integer(now)]
            )
            return try db.row("SELECT spool, rows, watermark, file FROM source_runs WHERE job = ?", [.integer(job)])
        }
        guard let row, !row.text(0).isEmpty else { return nil }
        // Where the load is done already its file may be gone; what it reached is known.
        let isThere = FileManager.default.fileExists(atPath: folder.appendingPathComponent(row.text(0)).path)
        guard isThere ? true : try await lake.finished(job, into: source.code) != nil else { return nil }
        return Arrival(
            spool: row.text(0),
            rows: row.integer(1),
            watermark: row.optionalText(2),
            file: try row.optionalText(3).map { try FolderFile(JSONValue(text: $0)) },
            hasMore: source.kind.isOfFiles
        )
    }

    private func fetched(_ source: Source, _ job: Int64, _ caller: Caller) async throws -> Arrival {
        let arrival = try await kernel.gate.perform(take, (source, job), as: caller)
        let values: [SQLValue] = [
            .text(arrival.spool), .integer(arrival.rows), SQLValue(arrival.watermark),
            SQLValue(arrival.file.map(\.json.text)), .text(arrival.file?.name ?? arrival.watermark ?? ""),
            .integer(job),
        ]
        try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE source_runs SET spool = ?, rows = ?, watermark = ?, file = ?, what = ? WHERE job = ?",
                values
            )
        }
        return arrival
    }

    private static let takeDescriptor = ActionDescriptor(
        "source.take",
        .dataLoad,
        .write,
        zh: "读取归集来源",
        en: "read a source"
    )

    static let readingDescriptors = [takeDescriptor]

    /// Reads what is new into a file.
    private var take: Action<(source: Source, job: Int64), Arrival> {
        Action(Self.takeDescriptor, target: { [kernel] in try await kernel.resource($0.source.code) }) {
            [self] input, decision in
            decision.note("source", String(input.source.id))
            let arrival =
                input.source.kind.isOfFiles
                ? try await takeFile(input.source, input.job) : try await takeRows(input.source, input.job)
            decision.note("rows", String(arrival.rows))
            return arrival
        }
    }

    /// Looks every other second whether the source may still be read: who disables or removes it ends the reading.
    private func watched(_ source: Source, _ stop: StopSign) -> Task<Void, any Error> {
        Task { [self] in
            while true {
                try await Task.sleep(for: .seconds(2))
                // A failing database is not a reason to stop.
                let row = try? await kernel.databases.control.read { db in
                    try db.rows("SELECT enabled FROM sources WHERE id = ?", [.integer(source.id)])
                }
                // One that was off when it was asked for by hand is read all the same.
                guard let row, row.isEmpty || source.isEnabled && !row[0].flag(0) else { continue }
                stop.set()
                return
            }
        }
    }

    private func takeRows(_ source: Source, _ job: Int64) async throws -> Arrival {
        let watermark = source["watermark"]
        let request = TableRequest(
            table: source["table"],
            columns: source.columns,
            watermark: watermark.isEmpty ? nil : watermark,
            after: watermark.isEmpty ? nil : source.checkpoint,
            takesEqual: source.mode == .upsert,
            stop: StopSign()
        )
        let watch = watched(source, request.stop)
        defer { watch.cancel() }
        let spool = "collect-\(job).\(source.kind == .rest ? "json" : "csv")"
        let path = folder.appendingPathComponent(spool).path
        let secret = try await secret(of: source)
        let fetched: Fetched
        switch source.kind {
        case .postgresql: fetched = try await source.postgres(secret).fetch(request, to: path)
        case .odbc: fetched = try await source.odbc(secret).fetch(request, to: path)
        default: fetched = try await source.rest(secret).fetch(request, to: path)
        }
        let seen = source.seenColumns.split(separator: "\n").map(String.init)
        let gone = seen.filter { !fetched.columns.contains($0) }
        guard gone.isEmpty || fetched.columns.isEmpty else {
            try? FileManager.default.removeItem(atPath: path)
            throw Problem(
                "source.columns_gone",
                status: 409,
                zh: "来源的表少了以前有的列，未加载，以免清空已有数据。",
                en: "The table lacks columns it had: nothing was loaded, so that no values are emptied.",
                details: ["said": gone.joined(separator: ", ")],
                hint: .init("核对来源后，修改列对应或从头归集。", "Check the source, then change the columns or start over.")
            )
        }
        try await see(fetched.columns, of: source)
        guard fetched.rows == 0 else {
            let digest = try LakeActions.digest(ofFile: path)
            // The same rows of the last moment again: nothing is new.
            if request.watermark != nil, fetched.watermark == source.checkpoint, digest == source.digest {
                try? FileManager.default.removeItem(atPath: path)
                return Arrival(spool: "", rows: 0, watermark: nil)
            }
            return Arrival(spool: spool, rows: fetched.rows, watermark: fetched.watermark, digest: digest)
        }
        try? FileManager.default.removeItem(atPath: path)
        if source.mode == .replace {
            throw Problem(
                "source.empty",
                status: 409,
                zh: "来源一行也没有，未替换已有数据。",
                en: "The source gave no row at all; the data there is was not replaced.",
                hint: .init("请核对来源；确需清空时请人工加载。", "Check the source; to empty the resource, load by hand.")
            )
        }
        return Arrival(spool: "", rows: 0, watermark: nil)
    }

    private func see(_ columns: [String], of source: Source) async throws {
        let text = columns.joined(separator: "\n")
        guard !columns.isEmpty, text != source.seenColumns else { return }
        try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE sources SET seen_columns = ? WHERE id = ? AND changed_at = ?",
                [.text(text), .integer(source.id), .integer(source.changedAt)]
            )
        }
    }

    private func takeFile(_ source: Source, _ job: Int64) async throws -> Arrival {
        let place = try source.files(try await secret(of: source), self)
        let waiting = try await waiting(source, place)
        guard let file = waiting.first else { return Arrival(spool: "", rows: 0, watermark: nil) }
        let ending =
            file.name.split(separator: ".").last.map { $0.filter { $0.isASCII && $0.isLetter }.prefix(8) } ?? ""
        let spool = "collect-\(job).\(ending.isEmpty ? "csv" : ending.lowercased())"
        let path = folder.appendingPathComponent(spool).path
        try await note(job, file)
        try await place.fetch(file.name, path)
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64) ?? -1
        guard size == file.size, try await place.list().contains(file) else {
            try? FileManager.default.removeItem(atPath: path)
            throw Problem(
                "source.changing",
                status: 409,
                zh: "文件在读取时被改动。",
                en: "The file changed while it was read.",
                hint: .init("稍后会自动重试。", "It is tried again later.")
            )
        }
        return Arrival(spool: spool, rows: 0, watermark: nil, file: file, hasMore: waiting.count > 1)
    }

    /// Says which file a run is about, before it is touched.
    private func note(_ job: Int64, _ file: FolderFile) async throws {
        try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE source_runs SET file = ?, what = ? WHERE job = ?",
                [.text(file.json.text), .text(file.name), .integer(job)]
            )
        }
    }

    /// Files at rest that were not taken yet.
    private func waiting(_ source: Source, _ place: FileFolder) async throws -> [FolderFile] {
        let settled = kernel.clock.now() / 1_000_000 - Int64(source.number("settle"))
        let taken = try await kernel.databases.control.read { db in
            Set(
                try db.rows("SELECT name, size, modified FROM source_files WHERE source = ?", [.integer(source.id)]).map
                { FolderFile(name: $0.text(0), size: $0.integer(1), modified: $0.integer(2)) }
            )
        }
        return try await place.list().filter {
            FileFolder.fits($0.name, source["pattern"]) && $0.modified <= settled && !taken.contains($0)
        }
    }

    /// Remembers how far the source was read: one transaction, after the load is durable.
    private func finish(_ source: Source, _ job: Int64, _ arrival: Arrival, _ load: Load?) async throws {
        let now = kernel.clock.now()
        let rows = arrival.file == nil ? arrival.rows : (load?.good ?? 0) + (load?.bad ?? 0)
        let next = arrival.hasMore ? now : source.schedule.next(after: now)
        // Rows of a moment that was known already are no news.
        let isNews = rows > 0 && (arrival.watermark == nil || arrival.watermark != source.checkpoint)
        let brought = isNews ? now : source.lastRowsAt
        // A whole table that is there again is alive, changed or not.
        let alive = source.mode == .replace && load != nil ? now : brought
        let silent: SQLValue = alive == now ? .null : SQLValue(source.silentSince)
        try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE sources SET failures = 0, problem = NULL, last_success_at = ?, last_rows_at = ?, silent_since = ? WHERE id = ?",
                [.integer(now), SQLValue(alive), silent, .integer(source.id)]
            )
            // What was changed meanwhile holds: this reading was of the source as it was.
            try db.execute(
                "UPDATE sources SET checkpoint = coalesce(?, checkpoint), digest = coalesce(?, digest), next_at = ? WHERE id = ? AND changed_at = ?",
                [
                    SQLValue(arrival.watermark), SQLValue(arrival.digest), SQLValue(next), .integer(source.id),
                    .integer(source.changedAt),
                ]
            )
            if let file = arrival.file {
                try db.execute(
                    "INSERT INTO source_files (source, name, size, modified, load, at) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                    [
                        .integer(source.id), .text(file.name), .integer(file.size), .integer(file.modified),
                        SQLValue(load?.id), .integer(now),
                    ]
                )
            }
            try db.execute(
                "UPDATE source_runs SET state = 'done', finished_at = ?, rows = ?, load = ?, good = ?, bad = ?, spool = '' WHERE job = ?",
                [
                    .integer(now), .integer(rows), SQLValue(load?.id), .integer(load?.good ?? 0),
                    .integer(load?.bad ?? 0), .integer(job),
                ]
            )
        }
        if !arrival.spool.isEmpty {
            try? FileManager.default.removeItem(at: folder.appendingPathComponent(arrival.spool))
        }
    }

    /// A file that failed three times is passed by, so that those behind it come; its runs tell of it.
    private static func giveUp(_ text: String, _ source: Source, _ now: Int64, _ db: any SQLWriting) throws {
        let tries = try db.row(
            "SELECT count(*) FROM source_runs WHERE source = ? AND file = ? AND state = 'failed'",
            [.integer(source.id), .text(text)]
        )
        guard (tries?.integer(0) ?? 0) >= 2 else { return }
        let file = try FolderFile(JSONValue(text: text))
        try db.execute(
            "INSERT INTO source_files (source, name, size, modified, load, at) VALUES (?,?,?,?,NULL,?) ON CONFLICT DO NOTHING",
            [.integer(source.id), .text(file.name), .integer(file.size), .integer(file.modified), .integer(now)]
        )
    }

    /// Quick tries after a fault, in minutes; then the schedule's next time.
    private static let pauses: [Int64] = [1, 2, 5, 15, 30]

    private func failed(_ source: Source, _ job: Int64, _ error: any Error) async throws {
        let now = kernel.clock.now()
        let failures = source.failures + 1
        let scheduled = source.schedule.next(after: now)
        var next = scheduled
        if let scheduled, failures <= Sources.pauses.count {
            next = min(scheduled, now + Sources.pauses[Int(failures) - 1] * 60_000_000)
        }
        let problem = Jobs.failure(
            error as? Problem ?? Problem("job.failed", status: 500, zh: "任务出错。", en: "The job failed.")
        )
        let values: (next: SQLValue, problem: SQLValue) = (SQLValue(next), .text(problem.text))
        let spool = try await kernel.databases.control.write { db in
            try db.execute(
                "UPDATE sources SET failures = ?, next_at = ?, problem = ? WHERE id = ?",
                [.integer(failures), values.next, values.problem, .integer(source.id)]
            )
            let run = try db.row("SELECT spool, file FROM source_runs WHERE job = ?", [.integer(job)])
            let spool = run?.text(0) ?? ""
            if let text = run?.optionalText(1) { try Sources.giveUp(text, source, now, db) }
            try db.execute(
                "UPDATE source_runs SET state = 'failed', finished_at = ?, problem = ?, spool = '' WHERE job = ?",
                [.integer(now), values.problem, .integer(job)]
            )
            return spool
        }
        if !spool.isEmpty { try? FileManager.default.removeItem(at: folder.appendingPathComponent(spool)) }
    }
}
