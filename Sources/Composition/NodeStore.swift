public import Basics
public import Foundation
import Store
public import StorePostgres
import StoreSQLite

/// Where a node keeps its rows.
public enum StoreSettings: Sendable, Hashable {
    /// Four files in the data directory.
    case sqlite
    /// Four schemas of a PostgreSQL database. Files (uploads, versions, the node's key) stay in the data directory.
    case postgresql(PostgresSettings)

    /// `sqlite`, or an address as ``PostgresSettings`` reads it.
    ///
    /// - Throws: `configuration.store`.
    public init(_ text: String, connections: Int = 16, seconds: Int = 600) throws(Problem) {
        self =
            text.isEmpty || text == "sqlite"
            ? .sqlite : .postgresql(try PostgresSettings(text, connections: connections, seconds: seconds))
    }

    /// Whether a node lies there; asked before a command would make one.
    public func holdsNode(in folder: URL) async throws -> Bool {
        switch self {
        case .sqlite:
            return FileManager.default.fileExists(atPath: folder.appendingPathComponent("control.sqlite").path)
        case .postgresql(let settings):
            let server = PostgresServer(settings)
            defer { server.close() }
            return try await !server.isEmpty()
        }
    }

    /// For people: without a password.
    public var described: String {
        switch self {
        case .sqlite: "sqlite"
        case .postgresql(let settings): settings.described
        }
    }
}

/// A node's databases on one engine, and what is done to all of them at once.
struct NodeStore: Sendable {
    let databases: Databases
    /// The server; nil for SQLite.
    let server: PostgresServer?
    private let files: [(name: String, database: SQLiteDatabase)]

    static let names = ["control", "evidence", "records", "lake"]

    /// Opens the databases of a data directory, new or old.
    ///
    /// - Throws: `store.*`.
    static func open(_ settings: StoreSettings, folder: URL) async throws -> NodeStore {
        switch settings {
        case .sqlite: return try NodeStore(folder)
        case .postgresql(let settings): return try await NodeStore(PostgresServer(settings))
        }
    }

    private init(_ folder: URL) throws {
        func file(
            _ name: String,
            readers: Int = 4,
            cache: Int = 16,
            spills: Bool = false,
            pageBytes: Int = 4096,
            mapped: Int = 0
        ) throws -> SQLiteDatabase {
            try SQLiteDatabase(
                path: folder.appendingPathComponent("\(name).sqlite").path,
                readers: readers,
                cacheMegabytes: cache,
                spills: spills,
                pageBytes: pageBytes,
                mappedMegabytes: mapped
            )
        }
        let control = try file("control")
        let evidence = try file("evidence", readers: 2, cache: 4)
        let records = try file("records", cache: 8)
        let lake = try file("lake", cache: 32, spills: true, pageBytes: 16_384, mapped: 1024)
        files = [("control", control), ("evidence", evidence), ("records", records), ("lake", lake)]
        databases = Databases(control: control, evidence: evidence, records: records, lake: lake)
        server = nil
    }

    private init(_ server: PostgresServer) async throws {
        self.server = server
        files = []
        do { databases = try await NodeStore.databases(server) } catch {
            server.close()
            throw error
        }
    }

    private static func databases(_ server: PostgresServer) async throws -> Databases {
        try await server.probe()
        let begun = try await server.database("control").read { db in try db.tables().contains("store_copy_of") }
        guard !begun else {
            throw Problem(
                "store.half_copied",
                status: 409,
                zh: "这个存储的迁移还没有完成。",
                en: "The move to this store has not ended.",
                hint: .init("请用同样的命令继续：tongqu store copy。", "Go on with the same command: tongqu store copy.")
            )
        }
        try server.enter()
        return Databases(
            control: try await server.database("control"),
            evidence: try await server.database("evidence"),
            records: try await server.database("records"),
            lake: try await server.database("lake"),
            shared: server
        )
    }

    /// Runs a closure while no other process of the node does: SQLite's data directory is locked already.
    func alone<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        guard let server else { return try await body() }
        return try await server.alone(body)
    }

    /// Copies every database as of now into a folder: a file each, or one snapshot of all by `pg_dump`.
    func back(upTo folder: URL) async throws {
        guard let server else {
            for (name, database) in files {
                try await database.backup(to: folder.appendingPathComponent("\(name).sqlite").path)
            }
            return
        }
        // What the schemas are called, for whoever restores them under another name.
        try Data(server.settings.prefix.utf8).write(to: folder.appendingPathComponent(NodeStore.prefixFile))
        let (address, password) = server.settings.forPrograms
        let schemas = NodeStore.names.flatMap { ["--schema", "\(server.settings.prefix)_\($0)"] }
        try await ServerProgram.run(
            "pg_dump",
            [
                "--format=directory", "--no-owner", "--no-privileges", "--file",
                folder.appendingPathComponent("database").path,
            ]
                + schemas + [address],
            password: password
        )
    }

    /// Puts the databases of a backup in place; a server must not hold such schemas yet.
    static func restore(_ backup: URL, to settings: StoreSettings, folder: URL) async throws {
        let dump = backup.appendingPathComponent("database")
        let isDump = FileManager.default.fileExists(atPath: dump.path)
        switch settings {
        case .sqlite:
            guard !isDump else {
                throw Problem(
                    "backup.engine",
                    status: 409,
                    zh: "这是 PostgreSQL 节点的备份，不能恢复为 SQLite。",
                    en: "This is the backup of a node on PostgreSQL; it cannot be restored to SQLite.",
                    hint: .init("请用 --store 给出 PostgreSQL 的地址。", "Give PostgreSQL's address with --store.")
                )
            }
            for name in names {
                let file = "\(name).sqlite"
                let database = try SQLiteDatabase(path: folder.appendingPathComponent(file).path)
                if let fault = try await database.integrityFault() { throw Backup.damaged("\(file): \(fault)") }
                try await database.close()
            }
        case .postgresql(let settings):
            guard isDump else {
                throw Problem(
                    "backup.engine",
                    status: 409,
                    zh: "这是 SQLite 节点的备份，不能直接恢复到 PostgreSQL。",
                    en: "This is the backup of a node on SQLite; it cannot be restored to PostgreSQL directly.",
                    hint: .init(
                        "先恢复为 SQLite，再用 tongqu store copy 迁移。",
                        "Restore it to SQLite, then move it with tongqu store copy."
                    )
                )
            }
            let server = PostgresServer(settings)
            defer { server.close() }
            try await server.probe()
            let prefix =
                FileManager.default.contents(atPath: backup.appendingPathComponent(prefixFile).path).map {
                    String(decoding: $0, as: UTF8.self)
                } ?? settings.prefix
            let isFree = try await server.isEmpty(prefix)
            guard try await server.isEmpty(), isFree else {
                throw Problem(
                    "backup.not_empty",
                    status: 409,
                    zh: "恢复的目标数据库中已有同名的节点。",
                    en: "The database to restore into holds a node of that name.",
                    hint: .init("请换一个 schema 或数据库。", "Take another schema or database.")
                )
            }
            let (address, password) = settings.forPrograms
            try await ServerProgram.run(
                "pg_restore",
                ["--no-owner", "--no-privileges", "--single-transaction", "--dbname", address, dump.path],
                password: password
            )
            try await server.rename(from: prefix)
        }
    }

    static let prefixFile = "schema"

    /// Runs a closure with an empty store of the same engine, gone afterwards: where backups are tried.
    func beside<T: Sendable>(_ body: (StoreSettings) async throws -> T) async throws -> T {
        guard let server else { return try await body(.sqlite) }
        let scratch = try await server.scratch()
        do {
            let result = try await body(.postgresql(scratch.settings))
            try await server.dropScratch(scratch.database)
            return result
        } catch {
            try? await server.dropScratch(scratch.database)
            throw error
        }
    }

    /// Examines each database; what is wrong with it, nil for a sound one.
    func faults() async throws -> [(name: String, fault: String?)] {
        var found: [(name: String, fault: String?)] = []
        for (name, file) in files { found.append((name, try await file.integrityFault())) }
        guard server != nil else { return found }
        // A server looks after its own pages; that every table answers is what can be asked of it.
        for (name, database) in databases.all {
            let tables = try await database.read { try $0.tables() }
            var fault: String?
            for table in tables where fault == nil {
                do { _ = try await database.read { try $0.rows("SELECT 1 FROM \(table) LIMIT 1") } } catch {
                    fault = "\(table): \((error as? Problem)?.code ?? "")"
                }
            }
            found.append((name, fault))
        }
        return found
    }

    func close() async {
        for (_, file) in files { try? await file.close() }
        server?.close()
    }
}

/// PostgreSQL's own programs, run beside the node.
enum ServerProgram {
    /// Runs a program to its end; its complaints name tables and rights.
    ///
    /// - Throws: `store.program_missing`, `store.program`.
    static func run(_ name: String, _ arguments: [String], password: String?) async throws {
        let process = Process()
        process.executableURL = try find(name)
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        if let password { environment["PGPASSWORD"] = password }
        process.environment = environment
        process.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        let said: String = try await withCheckedThrowingContinuation { done in
            do { try process.run() } catch { return done.resume(throwing: error) }
            // Read while it runs: a full pipe would hold it up.
            DispatchQueue.global(qos: .utility).async {
                let data = try? errors.fileHandleForReading.readToEnd()
                process.waitUntilExit()
                done.resume(returning: String(decoding: (data ?? Data()).prefix(2000), as: UTF8.self))
            }
        }
        guard process.terminationStatus == 0 else {
            throw Problem(
                "store.program",
                status: 500,
                zh: "\(name) 运行失败。",
                en: "\(name) failed.",
                details: ["said": said.split(separator: "\n").first.map(String.init) ?? ""]
            )
        }
    }

    private static func find(_ name: String) throws(Problem) -> URL {
        let manager = FileManager.default
        let versions = ((try? manager.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []).sorted {
            (Int($0) ?? 0) > (Int($1) ?? 0)
        }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":").map(String.init)
        for folder in versions.map({ "/usr/lib/postgresql/\($0)/bin" }) + path {
            let file = "\(folder)/\(name)"
            if manager.isExecutableFile(atPath: file) { return URL(fileURLWithPath: file) }
        }
        throw Problem(
            "store.program_missing",
            status: 503,
            zh: "本机没有 \(name)。",
            en: "\(name) is not installed on this machine.",
            hint: .init("请安装与服务器同版本的 postgresql-client。", "Install postgresql-client of the server's version.")
        )
    }
}
