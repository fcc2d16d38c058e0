public import Basics
import Dispatch
import Seal
import Store

/// Accounts, passwords, sessions and API keys.
public final class Accounts: Sendable {
    let database: any Database
    let clock: Clock
    private let sessions = Cache<[UInt8], Session>(limit: 20_000)
    private let keys = Cache<[UInt8], (principal: Principal, until: Int64)>(limit: 1000)

    /// A signed-in person's session.
    public struct Session: Sendable {
        public var principal: Principal
        /// What forms must send back.
        public var csrf: String
        var expires: Int64
        var rotated: Int64
    }

    static let sessionLength: Int64 = 8 * 3_600_000_000
    static let rotationInterval: Int64 = 3_600_000_000
    static let maximumFailures: Int64 = 5
    static let lockLength: Int64 = 15 * 60_000_000

    init(database: any Database, clock: Clock) {
        self.database = database
        self.clock = clock
    }

    static let columns = "id, kind, login, name, organisation, roles, active, locked_until, must_change"

    static func read(_ row: SQLRow) -> Principal {
        Principal(
            id: PrincipalID(row.integer(0)),
            kind: Principal.Kind(rawValue: row.text(1)) ?? .person,
            login: row.text(2),
            name: row.text(3),
            organisation: OrganisationID(row.integer(4)),
            roles: Set(row.text(5).split(separator: ",").compactMap { Role(rawValue: String($0)) }),
            isActive: row.flag(6),
            lockedUntil: row.integer(7),
            mustChangePassword: row.flag(8)
        )
    }

    // MARK: Passwords

    /// At least ten characters of three classes, without the login in it.
    ///
    /// - Throws: `account.weak_password`.
    public static func check(password: String, login: String) throws(Problem) {
        let classes: [(Character) -> Bool] = [
            { $0.isLowercase }, { $0.isUppercase }, { $0.isNumber }, { !$0.isLetter && !$0.isNumber },
        ]
        let used = classes.count { test in password.contains(where: test) }
        let common = ["password", "12345678", "qwerty", "tongqu", "admin123"]
        let lower = password.lowercased()
        guard password.count >= 10, password.utf8.count <= 256, used >= 3,
            login.isEmpty || !lower.contains(login.lowercased()),
            !common.contains(where: { lower.hasPrefix($0) })
        else {
            throw Problem(
                "account.weak_password",
                zh: "密码太弱。",
                en: "The password is too weak.",
                hint: .init(
                    "至少 10 位，含大写、小写、数字、符号中的三类，且不含账号。",
                    "Ten characters at least, of three classes among capital and small letters, digits and signs, without the login."
                )
            )
        }
    }

    /// Runs a slow hash away from the threads that serve requests.
    static func apart<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { done in
            DispatchQueue.global(qos: .utility).async { done.resume(with: Result { try body() }) }
        }
    }

    // MARK: Accounts

    /// Adds an account.
    ///
    /// - Throws: `account.weak_password`, `account.exists`, `account.roles`.
    @discardableResult
    func create(
        login: String,
        name: String,
        organisation: OrganisationID,
        roles: Set<Role>,
        password: String?,
        isOneTime: Bool = true,
        kind: Principal.Kind = .person
    ) async throws -> PrincipalID {
        try Accounts.check(roles: roles)
        let allowed = login.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2E || $0 == 0x2D || $0 == 0x5F
        }
        let isReserved = login == Principal.commandLine || login.hasPrefix(Principal.sourcePrefix)
        guard allowed, !isReserved, (2...40).contains(login.count) else {
            throw Problem(
                "account.login",
                zh: "账号应为 2–40 位小写字母、数字或 . - _，且不以 source- 开头。",
                en: "A login has 2–40 small letters, digits or . - _, and does not begin with source-."
            )
        }
        var hash: String?
        if let password {
            try Accounts.check(password: password, login: login)
            hash = try await Accounts.apart { try Secrets.hashPassword(password) }
        }
        let values: [SQLValue] = [
            .text(kind.rawValue), .text(login), .text(name), .integer(organisation.raw),
            .text(roles.map(\.rawValue).sorted().joined(separator: ",")), SQLValue(hash), .integer(clock.now()),
            .integer(isOneTime && hash != nil && kind == .person ? 1 : 0),
        ]
        do {
            return try await database.write { db in
                try db.execute(
                    "INSERT INTO principals (kind, login, name, organisation, roles, password, created_at, must_change) VALUES (?,?,?,?,?,?,?,?)",
                    values
                )
                return PrincipalID(db.lastInsertedID)
            }
        } catch let problem as Problem where problem.code == "store.conflict" {
            throw Problem("account.exists", status: 409, zh: "账号已存在。", en: "There is such an account already.")
        }
    }

    /// - Throws: `account.roles`.
    public static func check(roles: Set<Role>) throws(Problem) {
        guard roles.intersection(Role.administrators).count <= 1 else {
            throw Problem(
                "account.roles",
                zh: "系统管理员、安全管理员、审计员不得由同一人担任。",
                en: "The system administrator, the security administrator and the auditor are never one person."
            )
        }
    }

    func setRoles(_ roles: Set<Role>, of id: PrincipalID) async throws {
        try Accounts.check(roles: roles)
        let values: [SQLValue] = [.text(roles.map(\.rawValue).sorted().joined(separator: ",")), .integer(id.raw)]
        try await database.write { db in try db.execute("UPDATE principals SET roles = ? WHERE id = ?", values) }
        forget(id)
    }

    /// Takes roles away from every account that has one of them: what another pack once meant by their names. How many accounts that were.
    public func withdraw(_ roles: Set<Role>) async throws -> Int {
        guard !roles.isEmpty else { return 0 }
        let changed = try await database.write { db in
            var changed: [PrincipalID] = []
            for row in try db.rows("SELECT id, roles FROM principals WHERE roles <> ''") {
                let names = row.text(1).split(separator: ",").map(String.init)
                let kept = names.filter { name in !roles.contains { $0.rawValue == name } }
                guard kept.count < names.count else { continue }
                try db.execute(
                    "UPDATE principals SET roles = ? WHERE id = ?",
                    [.text(kept.joined(separator: ",")), .integer(row.integer(0))]
                )
                changed.append(PrincipalID(row.integer(0)))
            }
            return changed
        }
        for id in changed { forget(id) }
        return changed.count
    }

    func setActive(_ isActive: Bool, of id: PrincipalID) async throws {
        try await database.write { db in
            try db.execute(
                "UPDATE principals SET active = ?, failures = 0, locked_until = 0 WHERE id = ?",
                [.integer(isActive ? 1 : 0), .integer(id.raw)]
            )
            if !isActive {
                // Keys end with the account: what comes back gets new ones.
                try db.execute("DELETE FROM sessions WHERE principal = ?", [.integer(id.raw)])
                try db.execute("DELETE FROM api_keys WHERE principal = ?", [.integer(id.raw)])
            }
        }
        forget(id)
    }

    /// Sets a password and ends the account's sessions. A one-time password opens nothing but the choice of another.
    func setPassword(_ password: String, of id: PrincipalID, isOneTime: Bool) async throws {
        guard let principal = try await find(id) else { throw Problem.notFound(.init("账号", "the account")) }
        try Accounts.check(password: password, login: principal.login)
        let hash = try await Accounts.apart { try Secrets.hashPassword(password) }
        try await database.write { db in
            try db.execute(
                "UPDATE principals SET previous_password = password, password = ?, must_change = ?, failures = 0, locked_until = 0 WHERE id = ?",
                [.text(hash), .integer(isOneTime ? 1 : 0), .integer(id.raw)]
            )
            try db.execute("DELETE FROM sessions WHERE principal = ?", [.integer(id.raw)])
        }
        forget(id)
    }

    /// Chooses a new password for oneself; the old one proves who asks. All sessions end.
    ///
    /// - Throws: `account.refused`, `account.same_password`, `account.weak_password`.
    func changePassword(of principal: Principal, from old: String, to new: String) async throws {
        guard try await admits(login: principal.login, password: old) != nil else { throw Accounts.refusal }
        let previous = try await database.read { db in
            try db.row("SELECT previous_password FROM principals WHERE id = ?", [.integer(principal.id.raw)])?
                .optionalText(0)
        }
        // Nor the one before: an administrator's password does not come back.
        let isKnown =
            if let previous { try await Accounts.apart { Secrets.verifyPassword(new, previous) } } else { false }
        guard old != new, !isKnown else {
            throw Problem(
                "account.same_password",
                zh: "新密码与最近用过的密码相同。",
                en: "The new password is one of those used last."
            )
        }
        try await setPassword(new, of: principal.id, isOneTime: false)
    }

    /// Another process changed an account; nil for any.
    func heard(principal: Int64?) {
        guard let principal else {
            sessions.forget { _, _ in true }
            return keys.forget { _, _ in true }
        }
        forget(PrincipalID(principal))
    }

    /// Another process made, rotated or ended a session, `\x` and its digest, or changed keys.
    func heard(session: String) {
        keys.forget { _, _ in true }
        if let digest = Hexadecimal.bytes(String(session.dropFirst(2))) { sessions.forget(digest) }
    }

    private func forget(_ id: PrincipalID) {
        sessions.forget { $1.principal.id == id }
        keys.forget { $1.principal.id == id }
    }

    public func find(_ id: PrincipalID) async throws -> Principal? {
        try await database.read { db in
            try db.row("SELECT \(Accounts.columns) FROM principals WHERE id = ?", [.integer(id.raw)]).map(Accounts.read)
        }
    }

    public func find(login: String) async throws -> Principal? {
        try await database.read { db in
            try db.row("SELECT \(Accounts.columns) FROM principals WHERE login = ?", [.text(login)]).map(Accounts.read)
        }
    }

    func list() async throws -> [Principal] {
        try await database.read { db in
            try db.rows("SELECT \(Accounts.columns) FROM principals ORDER BY id LIMIT 5000").map(Accounts.read)
        }
    }

    // MARK: Signing in

    static let refusal = Problem(
        "account.refused",
        status: 401,
        zh: "账号或密码不对，或账号已停用、锁定。",
        en: "The login or password is wrong, or the account is disabled or locked.",
        hint: .init("连续 5 次失败将锁定 15 分钟。", "Five failures in a row lock an account for 15 minutes.")
    )

    /// A hash of no password: an unknown login costs as much time as a known one.
    static let decoy =
        "scrypt$32768$8$1$00000000000000000000000000000000$0000000000000000000000000000000000000000000000000000000000000000"

    /// Checks a password and opens a session; the token goes to the browser and is not kept here.
    ///
    /// - Throws: `account.refused`, the same for every reason.
    func signIn(login: String, password: String) async throws -> (token: String, principal: Principal) {
        let epoch = sessions.epoch
        guard let (principal, hash) = try await admits(login: login, password: password) else {
            throw Accounts.refusal
        }
        let now = clock.now()
        let token = Secrets.token()
        let digest = Accounts.digest(token)
        let session = Session(
            principal: principal,
            csrf: Accounts.csrf(token),
            expires: now + Accounts.sessionLength,
            rotated: now
        )
        try await database.write { db in
            // Whoever was disabled or got another password meanwhile has no session.
            let admitted = try db.execute(
                "UPDATE principals SET failures = 0, locked_until = 0, last_sign_in = ? WHERE id = ? AND password = ? AND active = 1",
                [.integer(now), .integer(principal.id.raw), .text(hash)]
            )
            guard admitted == 1 else { throw Accounts.refusal }
            try db.execute("DELETE FROM sessions WHERE expires_at < ?", [.integer(now)])
            try db.execute(
                "INSERT INTO sessions (token, principal, created_at, expires_at) VALUES (?,?,?,?)",
                [.blob(digest), .integer(principal.id.raw), .integer(now), .integer(session.expires)]
            )
        }
        sessions.store(session, for: digest, since: epoch)
        return (token, principal)
    }

    /// Whom a login and a password admit; nil for every reason not to. Failures count towards the lock.
    private func admits(login: String, password: String) async throws -> (Principal, hash: String)? {
        let now = clock.now()
        let found = try await database.read { db in
            try db.row("SELECT \(Accounts.columns), password FROM principals WHERE login = ?", [.text(login)])
        }
        let kept = found?.optionalText(9) ?? Accounts.decoy
        guard password.utf8.count <= 256 else { return nil }
        let fits = try await Accounts.apart { Secrets.verifyPassword(password, kept) }
        guard let found else { return nil }
        let principal = Accounts.read(found)
        guard principal.isActive, principal.lockedUntil <= now else { return nil }
        // Decided in the database, so that attempts at the same time count too: a lock holds whatever this attempt brought.
        let id = principal.id.raw
        let isRight = fits && found.optionalText(9) != nil
        let isAdmitted = try await database.write { db in
            guard
                let current = try db.row(
                    "SELECT locked_until, failures, active FROM principals WHERE id = ?",
                    [.integer(id)]
                ),
                current.integer(0) <= now, current.flag(2)
            else { return false }
            if isRight { return true }
            let failures = current.integer(1) + 1
            let locks = failures >= Accounts.maximumFailures
            try db.execute(
                "UPDATE principals SET failures = ?, locked_until = ? WHERE id = ?",
                [.integer(locks ? 0 : failures), .integer(locks ? now + Accounts.lockLength : 0), .integer(id)]
            )
            return false
        }
        return isAdmitted ? (principal, kept) : nil
    }

    static func digest(_ token: String) -> [UInt8] { Digest(.sha256, of: token.utf8).bytes }

    /// The form token of a session, derived from the session's own.
    public static func csrf(_ token: String) -> String {
        Hexadecimal.text(Secrets.hmac(.sha256, key: Array(token.utf8), Array("csrf".utf8)).prefix(16))
    }

    /// The session of a token; nil where there is none, it ended, or the account was disabled.
    public func session(_ token: String) async throws -> Session? {
        guard token.utf8.count <= 100 else { return nil }
        let digest = Accounts.digest(token)
        let now = clock.now()
        if let session = sessions[digest] { return session.expires > now ? session : nil }
        let epoch = sessions.epoch
        let row = try await database.read { db in
            try db.row(
                "SELECT \(Accounts.columns.split(separator: ", ").map { "p.\($0)" }.joined(separator: ", ")), s.expires_at, s.created_at FROM sessions s JOIN principals p ON p.id = s.principal WHERE s.token = ?",
                [.blob(digest)]
            )
        }
        guard let row else { return nil }
        let principal = Accounts.read(row)
        guard principal.isActive, row.integer(9) > now else { return nil }
        let session = Session(
            principal: principal,
            csrf: Accounts.csrf(token),
            expires: row.integer(9),
            rotated: row.integer(10)
        )
        sessions.store(session, for: digest, since: epoch)
        return session
    }

    /// A new token for a session older than an hour; nil where the old one still serves.
    public func rotate(_ token: String) async throws -> String? {
        let digest = Accounts.digest(token)
        let now = clock.now()
        guard let session = sessions[digest], now - session.rotated > Accounts.rotationInterval else { return nil }
        let epoch = sessions.epoch
        let fresh = Secrets.token()
        let freshDigest = Accounts.digest(fresh)
        // The old token serves one more minute, for requests already on their way.
        let isRotated = try await database.write { db in
            let isThere = try db.row("SELECT 1 FROM sessions WHERE token = ?", [.blob(digest)]) != nil
            guard isThere else { return false }
            try db.execute(
                "INSERT INTO sessions (token, principal, created_at, expires_at) VALUES (?,?,?,?)",
                [.blob(freshDigest), .integer(session.principal.id.raw), .integer(now), .integer(session.expires)]
            )
            try db.execute(
                "UPDATE sessions SET expires_at = ? WHERE token = ?",
                [.integer(now + 60_000_000), .blob(digest)]
            )
            return true
        }
        guard isRotated else { return nil }
        sessions.store(
            Session(
                principal: session.principal,
                csrf: Accounts.csrf(fresh),
                expires: session.expires,
                rotated: now
            ),
            for: freshDigest,
            since: epoch
        )
        sessions.change(digest) {
            $0.expires = now + 60_000_000
            $0.rotated = now
        }
        return fresh
    }

    func signOut(_ token: String) async throws {
        let digest = Accounts.digest(token)
        sessions.forget(digest)
        try await database.write { db in try db.execute("DELETE FROM sessions WHERE token = ?", [.blob(digest)]) }
    }

    // MARK: API keys

    /// Makes an API key of an account; shown once.
    func createKey(for id: PrincipalID, note: String, until: Int64) async throws -> String {
        let key = "tq_" + Secrets.token(40)
        let values: [SQLValue] = [
            .blob(Accounts.digest(key)), .integer(id.raw), .text(note), .integer(clock.now()), .integer(until),
        ]
        try await database.write { db in
            try db.execute(
                "INSERT INTO api_keys (key, principal, note, created_at, until_at) VALUES (?,?,?,?,?)",
                values
            )
        }
        return key
    }

    /// The keys of an account that have not ended, without the keys themselves.
    func keys(of id: PrincipalID) async throws -> [AccountKey] {
        let now = clock.now()
        return try await database.read { db in
            try db.rows(
                "SELECT key, note, created_at, until_at FROM api_keys WHERE principal = ? AND until_at > ? ORDER BY created_at",
                [.integer(id.raw), .integer(now)]
            ).map {
                AccountKey(
                    id: AccountKey.id($0.blob(0)),
                    note: $0.text(1),
                    createdAt: $0.integer(2),
                    until: $0.integer(3)
                )
            }
        }
    }

    /// - Throws: `request.not_found`.
    func revokeKey(_ key: String, of id: PrincipalID) async throws {
        let removed = try await database.write { db in
            let digests = try db.rows("SELECT key FROM api_keys WHERE principal = ?", [.integer(id.raw)]).map {
                $0.blob(0)
            }
            guard let digest = digests.first(where: { AccountKey.id($0) == key }) else { return 0 }
            return try db.execute("DELETE FROM api_keys WHERE key = ?", [.blob(digest)])
        }
        guard removed == 1 else { throw Problem.notFound(.init("密钥", "the key")) }
        keys.forget { $1.principal.id == id }
    }

    /// Whose key it is; nil for unknown, ended ones and disabled accounts.
    public func principal(key: String) async throws -> Principal? {
        guard key.hasPrefix("tq_"), key.utf8.count <= 100 else { return nil }
        let digest = Accounts.digest(key)
        let now = clock.now()
        if let known = keys[digest] { return known.until > now ? known.principal : nil }
        let epoch = keys.epoch
        let columns = Accounts.columns.split(separator: ", ").map { "p.\($0)" }.joined(separator: ", ")
        let row = try await database.read { db in
            try db.row(
                "SELECT \(columns), k.until_at FROM api_keys k JOIN principals p ON p.id = k.principal WHERE k.key = ? AND k.until_at > ? AND p.active = 1",
                [.blob(digest), .integer(now)]
            )
        }
        guard let row else { return nil }
        let principal = Accounts.read(row)
        guard !principal.isBuiltIn else { return nil }
        keys.store((principal, row.integer(9)), for: digest, since: epoch)
        return principal
    }
}

/// An API key as it is listed: never the key itself.
public struct AccountKey: Sendable, Hashable {
    /// The beginning of the key's digest: enough to name it, nothing to use.
    public var id: String
    public var note: String
    public var createdAt: Int64
    public var until: Int64

    static func id(_ digest: [UInt8]) -> String { Hexadecimal.text(digest.prefix(8)) }
}
