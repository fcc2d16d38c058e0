public import Basics
public import Store
import Synchronization

/// Work that outlives a request and a crash.
public struct Job: Sendable, Hashable {
    public enum State: String, Sendable {
        case queued, running, done, failed
    }

    public var id: Int64
    public var kind: String
    /// What the kind of job needs, as JSON.
    public var payload: JSONValue
    public var state: State
    public var attempts: Int64
    /// Done and total, in the job's own unit.
    public var progress: Int64
    public var total: Int64
    /// The problem's code and texts, as JSON, of a failed job; the result of one that is done.
    public var result: JSONValue
    public var principal: PrincipalID
    public var resource: String
    public var createdAt: Int64
    public var finishedAt: Int64?
}

/// The durable queue. Jobs of one resource run one after the other; a job that was interrupted, or that lost its database for long, runs
/// again from its start.
public final class Jobs: Sendable {
    public typealias Handler =
        @Sendable (Job, _ progress: @escaping @Sendable (Int64, Int64) -> Void) async throws -> JSONValue

    let database: any Database
    let clock: Clock
    /// Who waits for whom: work on the node's own data must not wait for another machine's answer.
    public enum Lane: Sendable, CaseIterable {
        case inside, outside
    }

    private let handlers = Mutex<[String: (lane: Lane, run: Handler)]>([:])
    private let live = Mutex<[Int64: (Int64, Int64)]>([:])
    static let maximumAttempts: Int64 = 3

    /// The processes that take jobs from one queue; nil where this one is alone.
    private let shared: (any SharedStore)?
    /// What this process runs, and what is its own by name and was not run at the last look.
    private let running = Mutex<Set<Int64>>([])
    private let stray = Mutex<Set<Int64>>([])
    /// Counts what may have brought work.
    private let calls = Mutex(0)

    init(database: any Database, clock: Clock, shared: (any SharedStore)? = nil) {
        self.shared = shared
        self.database = database
        self.clock = clock
    }

    /// Names the code of a kind of job.
    public func register(_ kind: String, lane: Lane = .inside, _ handler: @escaping Handler) {
        handlers.withLock { $0[kind] = (lane, handler) }
    }

    static let columns = "id, kind, payload, state, attempts, result, principal, resource, created_at, finished_at"

    func read(_ row: SQLRow) throws -> Job {
        let id = row.integer(0)
        let (done, total) = live.withLock { $0[id] ?? (0, 0) }
        return Job(
            id: id,
            kind: row.text(1),
            payload: try JSONValue(text: row.text(2)),
            state: Job.State(rawValue: row.text(3)) ?? .failed,
            attempts: row.integer(4),
            progress: done,
            total: total,
            result: try JSONValue(text: row.optionalText(5) ?? "null"),
            principal: PrincipalID(row.integer(6)),
            resource: row.text(7),
            createdAt: row.integer(8),
            finishedAt: row.optionalInteger(9)
        )
    }

    /// Queues a job; it will be run even if the node stops now.
    public func add(
        _ kind: String,
        _ payload: JSONValue,
        by principal: PrincipalID,
        resource: String
    ) async throws -> Int64 {
        let now = clock.now()
        let job = try await database.write { [self] db in
            try add(kind, payload, by: principal, resource: resource, at: now, db)
        }
        wake()
        return job
    }

    /// Queues a job inside a control transaction.
    public func add(
        _ kind: String,
        _ payload: JSONValue,
        by principal: PrincipalID,
        resource: String,
        at moment: Int64,
        _ db: any SQLWriting
    ) throws -> Int64 {
        try db.execute(
            "INSERT INTO jobs (kind, payload, state, attempts, principal, resource, created_at) VALUES (?,?,'queued',0,?,?,?)",
            [.text(kind), .text(payload.text), .integer(principal.raw), .text(resource), .integer(moment)]
        )
        return db.lastInsertedID
    }

    public func find(_ id: Int64) async throws -> Job? {
        try await database.read { [self] db in
            try db.row("SELECT \(Jobs.columns) FROM jobs WHERE id = ?", [.integer(id)]).map(read)
        }
    }

    /// The latest jobs, newest first.
    public func recent(limit: Int, by principal: PrincipalID? = nil) async throws -> [Job] {
        try await recent(principal.map { ("WHERE principal = ?", [.integer($0.raw)]) } ?? ("", []), limit)
    }

    /// The latest jobs of some kinds, newest first.
    public func recent(kinds: [String], limit: Int) async throws -> [Job] {
        let marks = kinds.map { _ in "?" }.joined(separator: ",")
        return try await recent(("WHERE kind IN (\(marks))", kinds.map { .text($0) }), limit)
    }

    /// When a job of a kind last ended well.
    func lastDone(_ kind: String) async throws -> Int64? {
        try await database.read { db in
            try db.row(
                "SELECT finished_at FROM jobs WHERE kind = ? AND state = 'done' ORDER BY id DESC LIMIT 1",
                [.text(kind)]
            )?.optionalInteger(0)
        }
    }

    private func recent(_ filter: (sql: String, values: [SQLValue]), _ limit: Int) async throws -> [Job] {
        try await database.read { [self] db in
            try db.rows(
                "SELECT \(Jobs.columns) FROM jobs \(filter.sql) ORDER BY id DESC LIMIT \(limit)",
                filter.values
            ).map(read)
        }
    }

    /// What a job is given up with.
    public static let interrupted = Problem(
        "job.interrupted",
        status: 500,
        zh: "任务多次中断，已停止。",
        en: "The job was interrupted too often and was given up."
    )

    /// Something was queued, here or elsewhere.
    func wake() { calls.withLock { $0 += 1 } }

    /// Puts back jobs that are this process's by name and that it does not run: the answer to taking them got lost.
    public func reclaim() async throws {
        guard let worker = shared?.process else { return }
        let own = running.withLock { $0 }
        let rows = try await database.read { db in
            try db.rows("SELECT id FROM jobs WHERE state = 'running' AND worker = ?", [.text(worker)]).map {
                $0.integer(0)
            }
        }
        // Lost at two looks: one may just be beginning.
        let lost = Set(rows).subtracting(own)
        let again = stray.withLock { stray in
            defer { stray = lost }
            return stray.intersection(lost)
        }
        for job in again {
            try await database.write { db in
                try db.execute(
                    "UPDATE jobs SET state = 'queued' WHERE id = ? AND state = 'running' AND worker = ?",
                    [.integer(job), .text(worker)]
                )
            }
        }
    }

    /// The processes that have jobs under way.
    public func workers() async throws -> Set<String> {
        try await database.read { db in
            Set(
                try db.rows("SELECT DISTINCT worker FROM jobs WHERE state = 'running'").compactMap {
                    $0.optionalText(0)
                }
            )
        }
    }

    /// Puts jobs that a stopped process left running back into the queue; those tried too often fail. `living` are the processes at
    /// work, whose jobs are left to them; nil where there is only this one.
    public func recover(living: Set<String>?) async throws {
        let names = living.map { $0.filter { $0.allSatisfy(\.isNumber) }.map { "'\($0)'" }.joined(separator: ",") }
        let left = names.map { $0.isEmpty ? "" : " AND (worker IS NULL OR worker NOT IN (\($0)))" } ?? ""
        let isAny = try await database.read {
            try $0.row("SELECT 1 FROM jobs WHERE state = 'running'\(left) LIMIT 1") != nil
        }
        guard isAny else { return }
        try await database.write { db in
            try db.execute(
                "UPDATE jobs SET state = 'failed', finished_at = ?, result = ? WHERE state = 'running' AND attempts >= ?\(left)",
                [
                    .integer(self.clock.now()),
                    .text(
                        Jobs.failure(Jobs.interrupted).text
                    ),
                    .integer(Jobs.maximumAttempts),
                ]
            )
            try db.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'\(left)")
        }
    }

    /// How a problem is kept as a job's result.
    public static func failure(_ problem: Problem) -> JSONValue {
        // What the other side said holds names and states, never rows: it is kept for whoever mends it.
        let said = problem.details["said"].map { " — \($0)" } ?? ""
        return .object([
            .init("code", .string(problem.code)), .init("zh", .string(problem.text(.zh) + said)),
            .init("en", .string(problem.text(.en) + said)),
        ])
    }

    /// Runs queued jobs, of one lane or of all, until none is left; how many ran.
    @discardableResult
    public func runPending(_ lane: Lane? = nil) async throws -> Int {
        var ran = 0
        while let job = try await take(lane) {
            await run(job)
            ran += 1
        }
        return ran
    }

    /// Runs jobs as they come until the task is cancelled: one at a time inside, four outside.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in [Lane.inside, .outside, .outside, .outside, .outside] {
                group.addTask { [self] in
                    while !Task.isCancelled {
                        // A busy or full database now: the lane goes on when it is better, and stops no other.
                        let before = calls.withLock(\.self)
                        if (try? await runPending(lane)) ?? 0 == 0 { try await rest(lane, since: before) }
                    }
                }
            }
            for try await _ in group {}
        }
    }

    /// Waits for work: a file is looked at often, a server is asked once a second or when it calls.
    private func rest(_ lane: Lane, since before: Int) async throws {
        guard shared != nil else { return try await Task.sleep(for: .milliseconds(lane == .inside ? 50 : 500)) }
        for _ in 0..<20 where calls.withLock(\.self) == before { try await Task.sleep(for: .milliseconds(50)) }
    }

    /// A job of a kind that is queued or runs, with the same payload.
    public func unfinished(
        _ kind: String,
        resource: String,
        payload: JSONValue,
        _ db: any SQLReading
    ) throws -> Int64? {
        try db.row(
            "SELECT id FROM jobs WHERE state IN ('queued', 'running') AND kind = ? AND resource = ? AND payload = ? LIMIT 1",
            [.text(kind), .text(resource), .text(payload.text)]
        )?.integer(0)
    }

    private func take(_ lane: Lane?) async throws -> Job? {
        // Kinds are names in the program. A kind nobody registered is the inner lane's to fail.
        let outside = handlers.withLock { $0.filter { $1.lane == .outside }.keys.map { "'\($0)'" } }.joined(
            separator: ","
        )
        let own = lane.map { $0 == .outside ? "IN (\(outside))" : "NOT IN (\(outside))" }
        // Jobs of one resource follow each other within a lane: a load does not wait for another machine's answer.
        let next = """
            FROM jobs j WHERE state = 'queued'\(own.map { " AND kind \($0)" } ?? "") AND NOT EXISTS (SELECT 1 FROM jobs r
            WHERE r.state = 'running' AND r.resource = j.resource AND j.resource <> ''\(own.map { " AND r.kind \($0)" } ?? ""))
            ORDER BY id LIMIT 1
            """
        // An idle node only reads.
        let isWaiting = try await database.read { try $0.row("SELECT 1 \(next)") != nil }
        guard isWaiting else { return nil }
        let now = clock.now()
        let worker = SQLValue(shared?.process)
        return try await database.write { [self] db in
            guard let row = try db.row("SELECT \(Jobs.columns) \(next)") else { return nil }
            try db.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = ?, worker = ? WHERE id = ?",
                [.integer(now), worker, row.values[0]]
            )
            var job = try read(row)
            job.attempts += 1
            return job
        }
    }

    private func run(_ job: Job) async {
        running.withLock { _ = $0.insert(job.id) }
        defer { running.withLock { _ = $0.remove(job.id) } }
        var state = Job.State.done
        var result = JSONValue.null
        do {
            guard let handler = handlers.withLock({ $0[job.kind]?.run }) else {
                throw Problem("job.unknown", status: 500, zh: "没有这种任务。", en: "There is no such kind of job.")
            }
            result = try await handler(job) { [self] done, total in live.withLock { $0[job.id] = (done, total) } }
        } catch is CancellationError {
            return
        } catch {
            let isAway = (error as? Problem)?.code == "store.unavailable" && job.attempts < Self.maximumAttempts
            state = isAway ? .queued : .failed
            result = Jobs.failure(
                error as? Problem ?? Problem("job.failed", status: 500, zh: "任务出错。", en: "The job failed.")
            )
        }
        live.withLock { $0[job.id] = nil }
        // The attempt is the fencing token: who was taken for dead and wakes again ends nothing that another took up.
        let ended: SQLValue = state == .queued ? .null : .integer(clock.now())
        let values: [SQLValue] = [
            .text(state.rawValue), .text(result.text), ended, .integer(job.id), .integer(job.attempts),
        ]
        // A full disk must not leave the job running for ever: the end is written when there is room again.
        while !Task.isCancelled {
            do {
                try await database.write { db in
                    try db.execute(
                        "UPDATE jobs SET state = ?, result = ?, finished_at = ? WHERE id = ? AND attempts = ? AND state = 'running'",
                        values
                    )
                }
                return
            } catch {
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }
}
