import Basics
public import Store
import Tabular

/// The kernel of a node: who is who, what there is, who may do what, and the proof of what was done.
public final class Kernel: Sendable {
    public let databases: Databases
    public let clock: Clock
    public let gate: Gate
    public let evidence: EvidenceChain
    public let accounts: Accounts
    public let jobs: Jobs
    public let key: NodeKey
    private let resources = Cache<String, Resource>(limit: 10_000)

    /// Opens a node's databases: brings them up to date, makes what every node begins with, recovers what was interrupted.
    public init(databases: Databases, key: NodeKey, clock: Clock = .system, migrations: [Migration] = []) async throws {
        self.databases = databases
        self.clock = clock
        self.key = key
        evidence = EvidenceChain(
            database: databases.evidence,
            control: databases.control,
            key: key,
            clock: clock,
            shared: databases.shared
        )
        gate = Gate(database: databases.control, evidence: evidence, clock: clock)
        accounts = Accounts(database: databases.control, clock: clock)
        jobs = Jobs(database: databases.control, clock: clock, shared: databases.shared)
        try await Migration.apply(Kernel.migrations + migrations, to: databases.control, at: clock.now())
        try await Migration.apply(EvidenceChain.migrations, to: databases.evidence, at: clock.now())
        try await begin()
        try await evidence.open()
        try await gate.reload()
        try await jobs.recover(living: try await databases.shared?.connected())
    }

    /// What a new node holds: its root organisation, the initial grants, the calendar.
    private func begin() async throws {
        try await databases.control.write { db in
            guard try db.row("SELECT 1 FROM organisations LIMIT 1") == nil else { return }
            try db.execute(
                "INSERT INTO organisations (name, credit_code, division, level) VALUES ('本节点', '', '', 'province')"
            )
            for grant in Grant.initial { try Kernel.insert(grant, by: nil, at: self.clock.now(), db) }
            for (day, isWorking) in WorkingCalendar.initialDays() {
                try db.execute(
                    "INSERT INTO calendar_days (day, working) VALUES (?, ?)",
                    [.integer(Int64(day)), .integer(isWorking ? 1 : 0)]
                )
            }
            try db.execute(
                "INSERT INTO principals (kind, login, name, organisation, roles, created_at) VALUES ('service', 'command-line', '命令行', 1, ?, ?)",
                [.text([Role.steward, .clerk].map(\.rawValue).joined(separator: ",")), .integer(self.clock.now())]
            )
            // Whoever may run the program on the node's own files owns them already; what is done that way leaves evidence all the same.
            let commandLine = Grant(
                to: .principal(PrincipalID(db.lastInsertedID)),
                [.accountsManage, .grantsManage, .evidenceRead, .systemManage],
                on: .node,
                purpose: "本机命令行"
            )
            try Kernel.insert(commandLine, by: nil, at: self.clock.now(), db)
        }
    }

    static func insert(_ grant: Grant, by principal: PrincipalID?, at moment: Int64, _ db: any SQLWriting) throws {
        try db.execute(
            """
            INSERT INTO grants (grantee_kind, grantee, permissions, scope_kind, resource, fields, row_filter, masks, masks_personal,
            purpose, until_at, granted_by, granted_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
            """,
            grant.columnValues + [SQLValue(principal?.raw), .integer(moment)]
        )
    }

    public static let migrations = [
        Migration(
            "kernel/001-begin",
            [
                """
                CREATE TABLE organisations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, credit_code TEXT NOT NULL, parent BIGINT
                REFERENCES organisations (id), division TEXT NOT NULL, level TEXT NOT NULL)
                """,
                """
                CREATE TABLE principals (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
                organisation BIGINT NOT NULL REFERENCES organisations (id), roles TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1,
                locked_until BIGINT NOT NULL DEFAULT 0, password TEXT, failures INTEGER NOT NULL DEFAULT 0,
                last_sign_in BIGINT, created_at BIGINT NOT NULL)
                """,
                """
                CREATE TABLE sessions (token BLOB PRIMARY KEY, principal BIGINT NOT NULL REFERENCES principals (id),
                created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL)
                """,
                "CREATE INDEX sessions_principal ON sessions (principal)",
                "CREATE INDEX sessions_expiry ON sessions (expires_at)",
                """
                CREATE TABLE api_keys (key BLOB PRIMARY KEY, principal BIGINT NOT NULL REFERENCES principals (id), note TEXT NOT NULL,
                created_at BIGINT NOT NULL, until_at BIGINT NOT NULL)
                """,
                """
                CREATE TABLE grants (id INTEGER PRIMARY KEY, grantee_kind TEXT NOT NULL, grantee TEXT, permissions TEXT NOT NULL,
                scope_kind TEXT NOT NULL, resource BIGINT, fields TEXT, row_filter TEXT, masks TEXT NOT NULL,
                masks_personal INTEGER NOT NULL, purpose TEXT NOT NULL, until_at BIGINT, granted_by BIGINT, granted_at BIGINT NOT NULL)
                """,
                "CREATE INDEX grants_resource ON grants (resource)",
                """
                CREATE TABLE resources (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL, owner BIGINT NOT NULL
                REFERENCES organisations (id), state TEXT NOT NULL, storage TEXT NOT NULL, schema TEXT NOT NULL, sharing TEXT NOT NULL,
                openness TEXT NOT NULL DEFAULT '', is_open INTEGER NOT NULL DEFAULT 0)
                """,
                """
                CREATE TABLE jobs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL, state TEXT NOT NULL,
                attempts INTEGER NOT NULL, result TEXT, principal BIGINT NOT NULL, resource TEXT NOT NULL, created_at BIGINT NOT NULL,
                started_at BIGINT, finished_at BIGINT)
                """,
                "CREATE INDEX jobs_state ON jobs (state, id)",
                "CREATE INDEX jobs_principal ON jobs (principal, id)",
                "CREATE TABLE calendar_days (day INTEGER PRIMARY KEY, working INTEGER NOT NULL)",
                "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
            ]
        ),
        Migration(
            "kernel/002-one-time-passwords",
            ["ALTER TABLE principals ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0"]
        ),
        Migration("kernel/003-previous-passwords", ["ALTER TABLE principals ADD COLUMN previous_password TEXT"]),
        Migration("kernel/004-jobs-by-kind", ["CREATE INDEX jobs_kind ON jobs (kind, id)"]),
        Migration(
            "kernel/005-stewards-manage-sources-and-standards",
            [
                "UPDATE grants SET permissions = permissions || ',source.manage,standards.manage' WHERE grantee_kind = 'role' AND grantee = 'steward' AND purpose = '数据治理'"
            ]
        ),
        Migration("kernel/006-jobs-by-resource", ["CREATE INDEX jobs_resource ON jobs (resource, state)"]),
        Administration.viewsMigration,
        Migration(
            "kernel/007-processes",
            ["ALTER TABLE jobs ADD COLUMN worker TEXT"],
            postgresql: Kernel.tellingStatements([
                ("grants", nil), ("organisations", nil), ("principals", "id"), ("sessions", "token"),
                ("api_keys", nil), ("resources", "code"), ("jobs", nil),
            ])
        ),
        EventLog.migration,
        Migration(
            "kernel/009-stewards-manage-subscriptions",
            [
                "UPDATE grants SET permissions = permissions || ',subscription.manage' WHERE grantee_kind = 'role' AND grantee = 'steward' AND purpose = '数据治理' AND permissions NOT LIKE '%subscription.manage%'"
            ]
        ),
        DeclaredRights.migration,
    ]

    /// Statements that let PostgreSQL tell the node's other processes of changes in tables: of a row by its key, or that there was one.
    public static func tellingStatements(_ tables: [(name: String, key: String?)]) -> [String] {
        [
            """
            CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE key TEXT := '';
            BEGIN
                IF TG_NARGS > 0 THEN
                    IF TG_OP = 'DELETE' THEN
                        EXECUTE format('SELECT CAST(($1).%I AS TEXT)', TG_ARGV[0]) INTO key USING OLD;
                    ELSE
                        EXECUTE format('SELECT CAST(($1).%I AS TEXT)', TG_ARGV[0]) INTO key USING NEW;
                    END IF;
                END IF;
                PERFORM pg_notify('tongqu', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME || ':' || key || '@' || current_setting('application_name'));
                RETURN NULL;
            END $$
            """
        ]
            + tables.map { name, key in
                """
                CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON \(name) \(key == nil ? "FOR EACH STATEMENT" : "FOR EACH ROW") EXECUTE FUNCTION tell(\(key.map { "'\($0)'" } ?? ""))
                """
            }
    }

    // MARK: Resources

    static let resourceColumns = "id, code, name, owner, state, storage, schema, sharing, openness, is_open"

    static func read(_ row: SQLRow) throws -> Resource {
        Resource(
            id: ResourceID(row.integer(0)),
            code: row.text(1),
            name: row.text(2),
            owner: OrganisationID(row.integer(3)),
            state: Resource.State(rawValue: row.text(4)) ?? .draft,
            storage: Resource.Storage(rawValue: row.text(5)) ?? .none,
            schema: try TableSchema.read(JSONValue(text: row.text(6))),
            sharing: row.text(7).split(separator: ",").map { Sharing(rawValue: Int($0) ?? 3) ?? .none },
            openness: row.text(8).split(separator: ",").map { Openness(rawValue: Int($0) ?? 0) ?? .none },
            isOpen: row.flag(9)
        )
    }

    /// What is said of a resource that is not there, and to the public of one that is not open: the same words.
    static let unknownResource: Problem = {
        var problem = Problem.notFound(.init("资源", "the resource"))
        problem.hint = .init("如需登录才能查看，请登录后重试。", "If it is not public, sign in and try again.")
        return problem
    }()

    /// A resource by its code.
    ///
    /// - Throws: `request.not_found`.
    public func resource(_ code: String) async throws -> Resource {
        if let known = resources[code] { return known }
        let epoch = resources.epoch
        let found = try await databases.control.glance { db in
            try db.row("SELECT \(Kernel.resourceColumns) FROM resources WHERE code = ?", [.text(code)]).map(Kernel.read)
        }
        guard let found else { throw Kernel.unknownResource }
        resources.store(found, for: code, since: epoch)
        return found
    }

    /// A resource by its id.
    public func resource(_ id: ResourceID) async throws -> Resource {
        let code = try await databases.control.glance { db in
            try db.row("SELECT code FROM resources WHERE id = ?", [.integer(id.raw)])?.text(0)
        }
        guard let code else { throw Kernel.unknownResource }
        return try await resource(code)
    }

    /// Inserts or changes a resource inside a control transaction. ``forget(resource:)`` is called after the commit.
    public static func save(_ resource: Resource, _ db: any SQLWriting) throws -> ResourceID {
        let values: [SQLValue] = [
            .text(resource.code), .text(resource.name), .integer(resource.owner.raw), .text(resource.state.rawValue),
            .text(resource.storage.rawValue), .text(TableSchema.write(resource.schema).text),
            .text(resource.sharing.map { String($0.rawValue) }.joined(separator: ",")),
            .text(resource.openness.map { String($0.rawValue) }.joined(separator: ",")),
            .integer(resource.isOpen ? 1 : 0),
        ]
        if resource.id.raw == 0 {
            try db.execute(
                "INSERT INTO resources (code, name, owner, state, storage, schema, sharing, openness, is_open) VALUES (?,?,?,?,?,?,?,?,?)",
                values
            )
            return ResourceID(db.lastInsertedID)
        }
        try db.execute(
            "UPDATE resources SET code = ?, name = ?, owner = ?, state = ?, storage = ?, schema = ?, sharing = ?, openness = ?, is_open = ? WHERE id = ?",
            values + [.integer(resource.id.raw)]
        )
        return resource.id
    }

    /// Drops what is remembered of what another process of the node changed; nil for anything.
    public func heard(_ changed: (table: String, key: String)?) {
        switch changed?.table {
        case "principals": accounts.heard(principal: Int64(changed?.key ?? ""))
        case "sessions", "api_keys": accounts.heard(session: changed?.key ?? "")
        case "resources": resources.forget(changed?.key ?? "")
        case "jobs": jobs.wake()
        case nil:
            resources.forget { _, _ in true }
            accounts.heard(principal: nil)
            jobs.wake()
        default: break
        }
    }

    /// Drops what is remembered of a resource.
    public func forget(resource code: String) { resources.forget(code) }

    /// Puts a grant in place inside a control transaction; the gate reloads after the commit.
    public static func add(_ grant: Grant, by principal: PrincipalID?, at moment: Int64, _ db: any SQLWriting) throws {
        try insert(grant, by: principal, at: moment, db)
    }

    /// Makes a service account inside a control transaction, with one grant on one resource; the gate reloads after the commit.
    public static func addService(
        _ login: String,
        name: String,
        for resource: Resource,
        _ permissions: Set<Permission>,
        purpose: String,
        by principal: PrincipalID,
        at moment: Int64,
        _ db: any SQLWriting
    ) throws -> PrincipalID {
        try db.execute(
            "INSERT INTO principals (kind, login, name, organisation, roles, created_at) VALUES ('service', ?, ?, ?, '', ?)",
            [.text(login), .text(name), .integer(resource.owner.raw), .integer(moment)]
        )
        let service = PrincipalID(db.lastInsertedID)
        try insert(
            Grant(to: .principal(service), permissions, on: .resource(resource.id), purpose: purpose),
            by: principal,
            at: moment,
            db
        )
        return service
    }

    /// Ends a service account inside a control transaction: its grants go, its name stays for the evidence.
    public static func removeService(_ service: PrincipalID, _ db: any SQLWriting) throws {
        try db.execute(
            "DELETE FROM grants WHERE grantee_kind = 'principal' AND grantee = ?",
            [.text(String(service.raw))]
        )
        try db.execute("UPDATE principals SET active = 0 WHERE id = ? AND kind = 'service'", [.integer(service.raw)])
    }

    /// Takes the public grants of a resource back.
    public static func removePublicGrants(of resource: ResourceID, _ db: any SQLWriting) throws {
        try db.execute("DELETE FROM grants WHERE resource = ? AND grantee_kind = 'anyone'", [.integer(resource.raw)])
    }

    /// The working-day calendar as it stands.
    public func calendar() async throws -> WorkingCalendar {
        try await databases.control.read { try WorkingCalendar.read($0) }
    }

    /// Whether the databases answer: for health checks.
    public func isAnswering() async throws -> Bool {
        for (_, database) in databases.all {
            guard try await database.read({ try $0.rows("SELECT 1").count == 1 }) else { return false }
        }
        return true
    }

    /// Flushes and seals the evidence; called when the node stops, before its databases are closed.
    public func close() async throws {
        try await gate.flushPublicReads()
        try await evidence.seal()
    }

    // MARK: The gate's own actions

    /// Actions on accounts, grants, evidence and sessions.
    public var administration: Administration { Administration(kernel: self) }
}
