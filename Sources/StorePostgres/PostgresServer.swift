import Basics
import Dispatch
import Glibc
import Store
import Synchronization

/// The connections of a process to its PostgreSQL: made as they are needed, kept, and shared by the node's databases.
public final class PostgresServer: Sendable {
    public let settings: PostgresSettings
    private let state = Mutex(State())

    private struct State {
        /// Connections nobody uses, with the schema they were used for last.
        var idle: [(worker: PostgresWorker, schema: String)] = []
        var open = 0
        /// Fewer than the settings allow, for a while, where the server gave no more.
        var limit: (connections: Int, until: ContinuousClock.Instant)?
        var waiting: [CheckedContinuation<PostgresWorker, any Error>] = []
        var isClosed = false
    }

    let presence: Presence
    let turns = WriteTurns()

    public init(_ settings: PostgresSettings) {
        self.settings = settings
        presence = Presence(settings, number: Int32.random(in: 1...Int32.max))
    }

    /// Looks whether the server can carry a node: reachable, writable, its texts UTF-8, its version known to be enough.
    ///
    /// - Throws: `store.unavailable`, `store.sign_in`, `store.missing`, `store.read_only`, `store.encoding`, `store.version`.
    public func probe() async throws {
        let found = try await run("", .plain) { db in
            try db.row(
                "SELECT current_setting('server_version_num'), current_setting('server_encoding'), current_setting('transaction_read_only')"
            )
        }
        guard let found else { return }
        guard Int(found.text(0)) ?? 0 >= 120_000 else {
            throw Problem(
                "store.version",
                status: 503,
                zh: "数据库服务器的版本过低，需要 PostgreSQL 12 以上(建议 15 以上)或与之兼容者。",
                en:
                    "The database server is too old; PostgreSQL 12 or later (better 15), or one compatible with it, is needed.",
                details: ["version": found.text(0)]
            )
        }
        guard found.text(1) == "UTF8" else {
            throw Problem(
                "store.encoding",
                status: 503,
                zh: "数据库的编码不是 UTF8。",
                en: "The database's encoding is not UTF8.",
                details: ["encoding": found.text(1)],
                hint: .init("请建立 ENCODING 'UTF8' 的数据库。", "Create a database with ENCODING 'UTF8'.")
            )
        }
        guard found.text(2) == "off" else { throw PostgresFailure(state: "25006").problem }
    }

    /// One of the node's databases: a schema, made where it is missing.
    ///
    /// - Throws: `store.refused`, `store.unavailable`.
    public func database(_ name: String) async throws -> PostgresDatabase {
        let schema = "\(settings.prefix)_\(name)"
        try await run("", .plain) { db in
            let isThere = try db.row("SELECT 1 FROM pg_namespace WHERE nspname = ?", [.text(schema)]) != nil
            if !isThere { try db.execute("CREATE SCHEMA \"\(schema)\"") }
        }
        return PostgresDatabase(self, schema)
    }

    /// Whether no node lies under a prefix; by default the server's own.
    public func isEmpty(_ prefix: String? = nil) async throws -> Bool { try await schemas(prefix).isEmpty }

    /// Gives schemas that were restored under another prefix this server's.
    public func rename(from prefix: String) async throws {
        guard prefix != settings.prefix else { return }
        for name in try await schemas(prefix) {
            let own = settings.prefix + name.dropFirst(prefix.count)
            _ = try await run("", .plain) { db in try db.execute("ALTER SCHEMA \"\(name)\" RENAME TO \"\(own)\"") }
        }
    }

    private func schemas(_ prefix: String? = nil) async throws -> [String] {
        let names = ["control", "evidence", "records", "lake"].map { "\(prefix ?? settings.prefix)_\($0)" }
        return try await run("", .plain) { db in
            try db.rows(
                "SELECT CAST(nspname AS TEXT) FROM pg_namespace WHERE CAST(nspname AS TEXT) IN (?,?,?,?)",
                names.map { .text($0) }
            ).map { $0.text(0) }
        }
    }

    /// Removes a node's schemas with all they hold: for tests and tried backups.
    public func removeEverything() async throws {
        for name in try await schemas() {
            _ = try await run("", .plain) { db in try db.execute("DROP SCHEMA \"\(name)\" CASCADE") }
        }
    }

    /// Begins the names of this node's scratch databases; a server may carry several nodes.
    private var scratchPrefix: String {
        get async throws {
            let prefix = settings.prefix
            let own = try await run("", .plain) { db in
                try db.row("SELECT hashtextextended(current_database() || ? , 7)", ["/" + prefix].map { .text($0) })?
                    .integer(0) ?? 0
            }
            return "tongqu_drill_\(String(UInt64(bitPattern: own), radix: 36))_"
        }
    }

    /// Makes an empty database beside this one, for a restored backup, and drops those of processes that died during theirs. Its name is
    /// `tongqu_drill_`, the node, this process, a number.
    ///
    /// - Throws: `store.scratch` where the account may not.
    public func scratch() async throws -> (settings: PostgresSettings, database: String) {
        try? await sweep()
        let database = try await "\(scratchPrefix)\(process)_\(UInt32.random(in: 0...UInt32.max))"
        do {
            _ = try await run("", .outside) { db in
                try db.execute("CREATE DATABASE \"\(database)\" TEMPLATE template0 ENCODING 'UTF8'")
            }
        } catch let problem as Problem where problem.code == "store.refused" {
            throw Problem(
                "store.scratch",
                status: 409,
                zh: "数据库账号不能建立临时数据库，无法演练恢复。",
                en: "The database account may not create a database, so restoring cannot be tried.",
                hint: .init(
                    "请数据库管理员执行：ALTER ROLE … CREATEDB。",
                    "Ask the database's administrator for: ALTER ROLE … CREATEDB."
                )
            )
        }
        return (try settings.database(database), database)
    }

    /// Drops a database that ``scratch()`` made.
    public func dropScratch(_ database: String) async throws {
        _ = try await run("", .outside) { db in
            try db.execute("DROP DATABASE IF EXISTS \"\(database)\" WITH (FORCE)")
        }
    }

    /// Drops the scratch databases of processes of this node that are no longer at work.
    public func sweep() async throws {
        let prefix = try await scratchPrefix
        let found = try await run("", .plain) { db in
            try db.rows(
                "SELECT CAST(datname AS TEXT) FROM pg_database WHERE starts_with(CAST(datname AS TEXT), ?)",
                [.text(prefix)]
            )
            .map { $0.text(0) }
        }
        guard !found.isEmpty else { return }
        let living = try await connected()
        for name in found where !living.contains(String(name.dropFirst(prefix.count).prefix { $0 != "_" })) {
            try await dropScratch(name)
        }
    }

    /// Runs a closure while no other process of the node does the same: while a node's tables are brought up to date.
    public func alone<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        let worker = try await take("")
        let key = settings.prefix
        do {
            _ = try await worker.run("", .outside) { db in
                try db.execute("SET statement_timeout = 0; SET lock_timeout = 0")
                _ = try db.rows("SELECT CAST(pg_advisory_lock(hashtextextended(?, 7)) AS TEXT)", [.text(key)])
            }
            let result = try await body()
            await worker.forget()
            give(worker, "")
            return result
        } catch {
            await worker.forget()
            give(worker, "")
            throw error
        }
    }

    // MARK: Lending connections

    func run<T: Sendable>(
        _ schema: String,
        _ mode: PostgresWorker.Mode,
        _ body: @escaping @Sendable (PostgresSession) throws -> T
    ) async throws -> T {
        for attempt in 0..<4 {
            let worker = try await take(schema)
            do {
                let result = try await worker.stoppable(schema, mode, body)
                give(worker, schema)
                return result
            } catch {
                // A worker whose statement was stopped makes another connection when it is needed.
                let isGivenUp = error is CancellationError
                guard await !worker.isConnected, !isGivenUp else {
                    give(worker, schema)
                    throw error
                }
                // The server gives no more connections: those there are serve, and who asks waits for one.
                let others = discard(worker, (error as? Problem)?.code == "store.busy")
                guard others > 0, (error as? Problem)?.code == "store.busy", attempt < 3 else { throw error }
            }
        }
        throw PostgresFailure(state: "53300").problem
    }

    private func take(_ schema: String) async throws -> PostgresWorker {
        try await withCheckedThrowingContinuation { continuation in
            let found: Result<PostgresWorker, any Error>? = state.withLock { state in
                if state.isClosed { return .failure(PostgresFailure(state: "57P01", isLost: true).problem) }
                // One that has this schema's statements prepared, else any, else a new one.
                if let index = state.idle.lastIndex(where: { $0.schema == schema }) {
                    return .success(state.idle.remove(at: index).worker)
                }
                if let limit = state.limit, limit.until < .now { state.limit = nil }
                if state.open < state.limit?.connections ?? settings.connections {
                    state.open += 1
                    return .success(PostgresWorker(settings, process: presence.number, turns))
                }
                if let worker = state.idle.popLast()?.worker { return .success(worker) }
                state.waiting.append(continuation)
                return nil
            }
            if let found { continuation.resume(with: found) }
        }
    }

    private func give(_ worker: PostgresWorker, _ schema: String) {
        let next = state.withLock { state -> CheckedContinuation<PostgresWorker, any Error>? in
            if let next = state.waiting.first {
                state.waiting.removeFirst()
                return next
            }
            if !state.isClosed { state.idle.append((worker, schema)) }
            return nil
        }
        next?.resume(returning: worker)
    }

    /// Forgets a worker that has no connection, so that nobody is sent to it again; how many others there are.
    private func discard(_ worker: PostgresWorker, _ isFull: Bool) -> Int {
        let (others, next) = state.withLock { state -> (Int, CheckedContinuation<PostgresWorker, any Error>?) in
            state.open -= 1
            if isFull { state.limit = (max(1, state.open), .now + .seconds(30)) }
            // Somebody waits and nobody would come back: the next one tries for itself.
            guard !state.waiting.isEmpty, state.open == 0 else { return (state.open, nil) }
            state.open += 1
            return (state.open, state.waiting.removeFirst())
        }
        next?.resume(returning: PostgresWorker(settings, process: presence.number, turns))
        return others
    }

    /// Ends the connections that nobody uses; those in use end when they are given back.
    public func close() {
        presence.stop()
        state.withLock { state in
            state.isClosed = true
            state.idle = []
        }
    }
}

/// A thread with its connection.
actor PostgresWorker {
    enum Mode {
        /// One consistent reading.
        case read
        /// Serialisable; run again where others were quicker.
        case write
        /// A transaction of the server's default kind.
        case plain
        /// No transaction.
        case outside
    }

    private final class Executor: SerialExecutor {
        private let queue = DispatchQueue(label: "tongqu.postgresql")

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            let executor = asUnownedSerialExecutor()
            queue.async { job.runSynchronously(on: executor) }
        }
    }

    private let executor = Executor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let settings: PostgresSettings
    private var connection: PostgresConnection?
    /// Attempts of a transaction that others were quicker than.
    private static let maximumAttempts = 20
    /// How long a transaction waits for a server that went away, seconds: a restart is over in this time.
    private static let patience = 20.0

    private let process: Int32

    private let turns: WriteTurns

    init(_ settings: PostgresSettings, process: Int32, _ turns: WriteTurns) {
        self.settings = settings
        self.process = process
        self.turns = turns
    }

    var isConnected: Bool { connection != nil }

    private let stops = StatementStop()
    /// The reading under way, where it may be given up.
    private var reading: Int?

    /// Runs a closure; a reading ends when its task is cancelled.
    nonisolated func stoppable<T: Sendable>(
        _ schema: String,
        _ mode: Mode,
        _ body: @escaping @Sendable (PostgresSession) throws -> T
    ) async throws -> T {
        guard mode == .read else { return try await run(schema, mode, body) }
        let number = stops.number()
        defer { stops.forget(number) }
        return try await withTaskCancellationHandler {
            try await read(number, schema, body)
        } onCancel: {
            stops.stop(number)
        }
    }

    private func read<T: Sendable>(
        _ number: Int,
        _ schema: String,
        _ body: @Sendable (PostgresSession) throws -> T
    ) throws -> T {
        reading = number
        defer { reading = nil }
        do {
            return try run(schema, .read, body)
        } catch {
            throw stops.isStopped(number) ? CancellationError() : error
        }
    }

    /// Ends the connection; the next transaction makes another.
    func forget() { connection = nil }

    func run<T: Sendable>(
        _ schema: String,
        _ mode: Mode,
        _ body: @Sendable (PostgresSession) throws -> T
    ) throws -> T {
        var attempts = 0
        // How often others were quicker.
        var races = 0
        var waited = 0.0
        // Who reads is told soon that the server is away; what is written waits for a restart to end.
        let patience = mode == .write ? PostgresWorker.patience : 1.0
        while true {
            var isCommitting = false
            let hadConnection = connection != nil
            do {
                guard mode == .write else { return try attempt(schema, mode, body, &isCommitting) }
                return try turns.take(schema, alone: races >= WriteTurns.triesBeside) {
                    try attempt(schema, mode, body, &isCommitting)
                }
            } catch let failure as PostgresFailure {
                if failure.isLost { connection = nil } else { rollBack() }
                if failure.isLost, isCommitting, mode == .write { throw PostgresFailure.unknownEnd }
                attempts += 1
                if failure.isTransient { races += 1 }
                if failure.isTransient, attempts < PostgresWorker.maximumAttempts {
                    usleep(UInt32.random(in: 500...2000) << UInt32(min(attempts, 7)))
                    continue
                }
                // A connection that had been idle may be long gone: the first try of a new one waits for nothing.
                if failure.isLost, hadConnection || waited < patience {
                    if !hadConnection { waited += PostgresWorker.pause(attempts) }
                    continue
                }
                throw failure.problem
            } catch let problem as Problem where connection == nil && problem.code == "store.unavailable" {
                // The server does not answer: worth some patience only in the middle of work.
                attempts += 1
                guard attempts > 1, waited < patience else {
                    // Whoever asks for data does not learn where the server is and as whom the node signs in.
                    var shown = problem
                    if mode == .read || mode == .write { shown.details["said"] = nil }
                    throw shown
                }
                waited += PostgresWorker.pause(attempts)
            } catch {
                rollBack()
                throw error
            }
        }
    }

    private func attempt<T: Sendable>(
        _ schema: String,
        _ mode: Mode,
        _ body: @Sendable (PostgresSession) throws -> T,
        _ isCommitting: inout Bool
    ) throws -> T {
        let connection: PostgresConnection
        if let known = self.connection {
            connection = known
        } else {
            connection = try PostgresConnection(settings, process: process)
            self.connection = connection
        }
        if let reading {
            guard stops.begin(reading, by: connection) else { throw CancellationError() }
        }
        defer { if reading != nil, stops.end() { self.connection = nil } }
        if !schema.isEmpty { try connection.use(schema: schema) }
        switch mode {
        case .read: try connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        case .write: try connection.run("BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE")
        case .plain: try connection.run("BEGIN")
        case .outside: return try body(PostgresSession(connection: connection))
        }
        let result = try body(PostgresSession(connection: connection))
        isCommitting = true
        // A closure that swallowed a failure has changed nothing.
        guard try connection.commit() else { throw PostgresFailure(state: "25P02") }
        return result
    }

    private func rollBack() {
        guard let connection else { return }
        do { try connection.run("ROLLBACK") } catch { self.connection = nil }
    }

    /// Waits, longer each time; how long, in seconds.
    private static func pause(_ attempt: Int) -> Double {
        let seconds = min(2, 0.05 * Double(1 << min(attempt, 6)))
        usleep(UInt32(seconds * 1_000_000))
        return seconds
    }
}
