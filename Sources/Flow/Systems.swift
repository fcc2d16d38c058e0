public import Basics
import Declare
public import Kernel
import Lake
public import Store
import Seal
import Synchronization
import Tabular

/// A pack as a node holds it.
public struct InstalledSystem: Sendable, Hashable {
    public var declaration: SystemDeclaration
    /// Counts the declarations that the node got of the pack: records remember the one they began with.
    public var number: Int64
    public var installedAt: Int64
    /// The codes of its resources by their keys.
    public var codes: [String: String]
    /// Settings that the data centre changed.
    public var changed: [String: String]

    public var id: String { declaration.id }

    /// The value of a setting.
    public func setting(_ key: String) -> String {
        changed[key] ?? declaration.settings.first { $0.key == key }?.value ?? ""
    }
}

/// What a pack says, as it is kept: its declaration and the files it names.
public struct PackBody: Sendable, Hashable {
    public var pack: JSONValue
    public var files: [String: String]

    public init(pack: JSONValue, files: [String: String]) {
        self.pack = pack
        self.files = files
    }

    var json: JSONValue {
        .object([
            .init("pack", pack),
            .init("files", .object(files.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })),
        ])
    }

    init(json: JSONValue) {
        pack = json["pack"] ?? .object([])
        files = Dictionary(
            (json["files"]?.members ?? []).map { ($0.name, $0.value.string ?? "") },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The declaration it makes; what was right when it went in is not checked against others again.
    var declaration: SystemDeclaration {
        SystemDeclaration.read(
            Declaration(DeclaredValue(json: pack), mistakes: Declaration.Mistakes()),
            files: { files[$0] }
        )
    }

    /// Tells one body from another.
    public var digest: String { Digest(.sm3, of: Array(json.text.utf8)).description }
}

/// A resource of a system, where it was found by its code.
public struct SystemPlace: Sendable {
    public var system: InstalledSystem
    public var declaration: ResourceDeclaration
    public var code: String
}

/// The systems of a node: the packs that were installed.
public final class Systems: Sendable {
    let kernel: Kernel
    /// What was read at once: nothing of it is mixed with what was read later.
    private struct Snapshot {
        var systems: [InstalledSystem] = []
        var places: [String: (system: Int, key: String)] = [:]
        var governed: Set<Int64> = []
        var alerted: Set<String> = []
    }
    private struct State {
        var snapshot: Snapshot?
        var epoch = 0
    }
    private let state = Mutex(State())
    /// Declarations of older numbers.
    private let older = Cache<String, SystemDeclaration>(limit: 200)

    public static let migrations = [
        Migration(
            "flow/001-systems",
            [
                "CREATE TABLE systems (id TEXT PRIMARY KEY, number BIGINT NOT NULL)",
                """
                CREATE TABLE system_versions (system TEXT NOT NULL, number BIGINT NOT NULL, version BIGINT NOT NULL, body TEXT NOT NULL,
                digest TEXT NOT NULL, installed_at BIGINT NOT NULL, PRIMARY KEY (system, number))
                """,
                "CREATE TABLE system_resources (key TEXT PRIMARY KEY, system TEXT NOT NULL, resource BIGINT NOT NULL, code TEXT NOT NULL)",
                "CREATE TABLE system_settings (system TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (system, key))",
            ],
            postgresql: Kernel.tellingStatements([("systems", nil), ("system_settings", nil)])
        ),
        PackageStore.trusted,
        Migration(
            "flow/002-installing",
            ["CREATE TABLE system_installations (place INTEGER NOT NULL PRIMARY KEY, process TEXT NOT NULL)"]
        ),
    ]

    public init(kernel: Kernel) { self.kernel = kernel }

    /// Lets go of what is remembered: this process or another changed it.
    public func heard() {
        state.withLock { state in
            state.snapshot = nil
            state.epoch += 1
        }
    }

    // MARK: Reading

    /// The systems of the node, in the order of their identities.
    public func all() async throws -> [InstalledSystem] { try await snapshot().systems }

    /// The roles that some system has alerts for, as far as systems were read.
    var alerted: Set<String> { state.withLock { $0.snapshot?.alerted ?? [] } }

    private func snapshot() async throws -> Snapshot {
        let (known, epoch) = state.withLock { ($0.snapshot, $0.epoch) }
        if let known { return known }
        let (rows, resources, settings) = try await kernel.databases.control.read { db in
            (
                try db.rows(
                    "SELECT s.id, s.number, v.body, v.installed_at FROM systems s JOIN system_versions v ON v.system = s.id AND v.number = s.number ORDER BY s.id"
                ),
                try db.rows("SELECT key, system, resource, code FROM system_resources"),
                try db.rows("SELECT system, key, value FROM system_settings")
            )
        }
        var found = Snapshot()
        for row in rows {
            let id = row.text(0)
            let declaration = PackBody(json: try JSONValue(text: row.text(2))).declaration
            var codes: [String: String] = [:]
            for resource in resources where resource.text(1) == id {
                let key = resource.text(0)
                codes[key] = resource.text(3)
                found.places[resource.text(3)] = (found.systems.count, key)
                if declaration.resource(key)?.flow != nil { found.governed.insert(resource.integer(2)) }
            }
            let changed = Dictionary(
                settings.filter { $0.text(0) == id }.map { ($0.text(1), $0.text(2)) },
                uniquingKeysWith: { first, _ in first }
            )
            for alert in declaration.alerts { found.alerted.formUnion(alert.to) }
            found.systems.append(
                InstalledSystem(
                    declaration: declaration,
                    number: row.integer(1),
                    installedAt: row.integer(3),
                    codes: codes,
                    changed: changed
                )
            )
        }
        let read = found
        state.withLock { if $0.epoch == epoch { $0.snapshot = read } }
        return read
    }

    /// A system.
    ///
    /// - Throws: `request.not_found`.
    public func system(_ id: String) async throws -> InstalledSystem {
        guard let system = try await all().first(where: { $0.id == id }) else {
            throw Problem.notFound(.init("业务系统", "the system"))
        }
        return system
    }

    /// A resource of a system by its code; nil for one that belongs to none.
    public func place(code: String) async throws -> SystemPlace? {
        let snapshot = try await snapshot()
        let systems = snapshot.systems
        let place = snapshot.places[code]
        guard let place, let declaration = systems[place.system].declaration.resource(place.key) else { return nil }
        return SystemPlace(system: systems[place.system], declaration: declaration, code: code)
    }

    /// A resource by its key, of whichever system.
    public func place(key: String) async throws -> SystemPlace? {
        for system in try await all() {
            if let code = system.codes[key], let declaration = system.declaration.resource(key) {
                return SystemPlace(system: system, declaration: declaration, code: code)
            }
        }
        return nil
    }

    /// A resource of a system.
    ///
    /// - Throws: `request.not_found`.
    public func place(_ system: String, _ key: String) async throws -> SystemPlace {
        let found = try await self.system(system)
        guard let code = found.codes[key], let declaration = found.declaration.resource(key) else {
            throw Problem.notFound(.init("页面", "the page"))
        }
        return SystemPlace(system: found, declaration: declaration, code: code)
    }

    /// Whether a flow keeps a resource's records.
    public func governs(_ resource: ResourceID) async -> Bool {
        guard let snapshot = try? await snapshot() else { return true }
        return snapshot.governed.contains(resource.raw)
    }

    /// What a pack declared when records began with it.
    func declaration(_ system: InstalledSystem, number: Int64) async throws -> SystemDeclaration {
        if number == system.number { return system.declaration }
        let key = "\(system.id)#\(number)"
        if let known = older[key] { return known }
        let epoch = older.epoch
        let body = try await kernel.databases.control.read { db in
            try db.row(
                "SELECT body FROM system_versions WHERE system = ? AND number = ?",
                [.text(system.id), .integer(number)]
            )?.text(0)
        }
        guard let body else { return system.declaration }
        let declaration = PackBody(json: try JSONValue(text: body)).declaration
        older.store(declaration, for: key, since: epoch)
        return declaration
    }

    // MARK: Installing

    /// The digest of the declaration that the node has of a pack; nil where it has none.
    public func digest(of id: String) async throws -> String? {
        try await kernel.databases.control.read { db in
            try db.row(
                "SELECT v.digest FROM systems s JOIN system_versions v ON v.system = s.id AND v.number = s.number WHERE s.id = ?",
                [.text(id)]
            )?.text(0)
        }
    }

    /// Keeps a declaration: the last step of an installation, in one control transaction with its rights.
    func keep(
        _ body: PackBody,
        _ declaration: SystemDeclaration,
        resources: [(key: String, resource: Resource)],
        by principal: PrincipalID
    ) async throws {
        let now = kernel.clock.now()
        let roles = declaration.roles.compactMap { role in
            Role(rawValue: role.key).map { (role: $0, title: role.title) }
        }
        var grants: [Grant] = []
        for (key, resource) in resources {
            guard let declared = declaration.resource(key) else { continue }
            grants += declared.grants.compactMap { Systems.grant($0, resource, declaration) }
            let open = declared.flow?.beginnings.filter(\.isForAnyone) ?? []
            if !open.isEmpty {
                grants.append(
                    Grant(
                        to: .anyone,
                        [.flowBegin],
                        on: .resource(resource.id),
                        fields: Set(open.flatMap(\.fields).map(\.field)),
                        purpose: declaration.title.zh
                    )
                )
            }
            if declared.flow != nil {
                grants.append(
                    Grant(
                        to: .principal(principal),
                        [.dataRead, .flowAct],
                        on: .resource(resource.id),
                        purpose: "\(declaration.title.zh):时限到期"
                    )
                )
            }
        }
        let kept = (roles, grants)
        // Whoever has a role of this name from another pack that was removed has it not from this one.
        let former = Set(try await last(of: declaration.id)?.roles.map(\.key) ?? [])
        let fresh = declaration.roles.map(\.key).filter { !former.contains($0) }.compactMap { Role(rawValue: $0) }
        _ = try await kernel.accounts.withdraw(Set(fresh))
        let text = body.json.text
        let digest = body.digest
        try await kernel.databases.control.write { db in
            try DeclaredRights.replace(kept.0, kept.1, of: declaration.id, by: principal, at: now, db)
            let number =
                (try db.row("SELECT max(number) FROM system_versions WHERE system = ?", [.text(declaration.id)])?
                    .optionalInteger(0) ?? 0) + 1
            try db.execute(
                "INSERT INTO system_versions (system, number, version, body, digest, installed_at) VALUES (?,?,?,?,?,?)",
                [
                    .text(declaration.id), .integer(number), .integer(declaration.version), .text(text), .text(digest),
                    .integer(now),
                ]
            )
            try db.execute(
                "INSERT INTO systems (id, number) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET number = excluded.number",
                [.text(declaration.id), .integer(number)]
            )
            for (_, resource) in resources {
                // The structure holds at once; what the catalogue tells of it follows its own path.
                _ = try Kernel.save(resource, db)
            }
        }
        for (_, resource) in resources { kernel.forget(resource: resource.code) }
        heard()
        try await kernel.gate.reload()
    }

    private static func grant(
        _ declared: ResourceDeclaration.DeclaredGrant,
        _ resource: Resource,
        _ system: SystemDeclaration
    ) -> Grant? {
        guard let role = Role(rawValue: declared.role) else { return nil }
        var permissions: Set<Permission> = []
        if declared.may.contains(.read) { permissions.formUnion([.catalogueRead, .dataRead]) }
        if declared.may.contains(.write) { permissions.formUnion([.catalogueRead, .dataRead, .dataWrite, .dataLoad]) }
        if declared.may.contains(.act) { permissions.formUnion([.catalogueRead, .dataRead, .flowAct]) }
        return Grant(
            to: .role(role),
            permissions,
            on: .resource(resource.id),
            fields: declared.fields.map(Set.init),
            rows: declared.rows,
            masksPersonalFields: declared.masksPersonal,
            purpose: system.title.zh
        )
    }

    /// Takes a system's pages and rights away; its resources, records and declarations stay, and so do its roles with the people who have
    /// them, who may do nothing by them until the same pack comes back.
    func remove(_ id: String) async throws {
        try await kernel.databases.control.write { db in
            guard try db.execute("DELETE FROM systems WHERE id = ?", [.text(id)]) == 1 else {
                throw Problem.notFound(.init("业务系统", "the system"))
            }
            try DeclaredRights.remove(id, db)
        }
        heard()
        try await kernel.gate.reload()
    }

    /// The last declaration that the node had of a pack, also of one that was removed; nil where it never had it.
    public func last(of id: String) async throws -> SystemDeclaration? {
        let body = try await kernel.databases.control.read { db in
            try db.row(
                "SELECT body FROM system_versions WHERE system = ? ORDER BY number DESC LIMIT 1",
                [.text(id)]
            )?.text(0)
        }
        return try body.map { PackBody(json: try JSONValue(text: $0)).declaration }
    }

    /// The number that the next declaration of a resource's system gets.
    func nextNumber(after resource: Resource) async throws -> Int64 {
        try await kernel.databases.control.read { db in
            try db.row(
                "SELECT max(v.number) FROM system_versions v JOIN system_resources r ON r.system = v.system WHERE r.resource = ?",
                [.integer(resource.id.raw)]
            )?.optionalInteger(0) ?? 0
        } + 1
    }

    /// Claims a key for a resource that was just made, so that an installation that stops goes on with it.
    public func claim(_ key: String, _ resource: Resource, for id: String) async throws {
        try await kernel.databases.control.write { db in
            try db.execute(
                "INSERT INTO system_resources (key, system, resource, code) VALUES (?,?,?,?)",
                [.text(key), .text(id), .integer(resource.id.raw), .text(resource.code)]
            )
        }
    }

    /// The resources that a pack's keys stand for, also of a pack that was removed: what it left is taken up again.
    public func claimed() async throws -> [String: (system: String, code: String)] {
        let rows = try await kernel.databases.control.read { db in
            try db.rows("SELECT key, system, code FROM system_resources")
        }
        return Dictionary(
            rows.map { ($0.text(0), (system: $0.text(1), code: $0.text(2))) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// Changes a setting.
    func set(_ key: String, of id: String, to value: String) async throws {
        let system = try await self.system(id)
        guard let setting = system.declaration.settings.first(where: { $0.key == key }) else {
            throw Problem.notFound(.init("设置", "the setting"))
        }
        if Int64(setting.value) != nil, Int64(value).map({ (1...100_000).contains($0) }) != true {
            throw Problem(
                "system.setting",
                zh: "应是 1 至 100000 的整数。",
                en: "A whole number from 1 to 100,000 is expected."
            )
        }
        try await kernel.databases.control.write { db in
            try db.execute(
                "INSERT INTO system_settings (system, key, value) VALUES (?,?,?) ON CONFLICT (system, key) DO UPDATE SET value = excluded.value",
                [.text(id), .text(key), .text(value)]
            )
        }
        heard()
    }
}
