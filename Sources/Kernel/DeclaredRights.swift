public import Basics
public import Store

/// The roles and grants that packs declare: they come and go with their pack.
public enum DeclaredRights {
    static let migration = Migration(
        "kernel/010-declared-rights",
        [
            "CREATE TABLE declared_roles (name TEXT PRIMARY KEY, zh TEXT NOT NULL, en TEXT NOT NULL, pack TEXT NOT NULL)",
            "ALTER TABLE grants ADD COLUMN pack TEXT",
        ]
    )

    /// Puts a pack's roles and grants in the place of those it had, inside a control transaction; ``Gate/reload()`` is called after it.
    ///
    /// - Throws: `pack.claimed` where another pack declares one of the roles.
    public static func replace(
        _ roles: [(role: Role, title: LocalizedText)],
        _ grants: [Grant],
        of pack: String,
        by principal: PrincipalID?,
        at moment: Int64,
        _ db: any SQLWriting
    ) throws {
        try remove(pack, db)
        for (role, title) in roles {
            let other = try db.row("SELECT pack FROM declared_roles WHERE name = ?", [.text(role.rawValue)])?.text(0)
            guard other == nil else {
                throw Problem(
                    "pack.claimed",
                    status: 409,
                    zh: "角色“\(role.rawValue)”已由系统包“\(other ?? "")”声明。",
                    en: "The role “\(role.rawValue)” is declared by the pack “\(other ?? "")” already."
                )
            }
            try db.execute(
                "INSERT INTO declared_roles (name, zh, en, pack) VALUES (?,?,?,?)",
                [.text(role.rawValue), .text(title.zh), .text(title.en), .text(pack)]
            )
        }
        for grant in grants {
            try Kernel.insert(grant, by: principal, at: moment, db)
            try db.execute("UPDATE grants SET pack = ? WHERE id = ?", [.text(pack), .integer(db.lastInsertedID)])
        }
    }

    /// Takes a pack's roles and grants away, inside a control transaction.
    public static func remove(_ pack: String, _ db: any SQLWriting) throws {
        try db.execute("DELETE FROM grants WHERE pack = ?", [.text(pack)])
        try db.execute("DELETE FROM declared_roles WHERE pack = ?", [.text(pack)])
    }

    static func roles(_ db: any SQLReading) throws -> [Role: LocalizedText] {
        var roles: [Role: LocalizedText] = [:]
        for row in try db.rows("SELECT name, zh, en FROM declared_roles") {
            if let role = Role(rawValue: row.text(0)) { roles[role] = LocalizedText(row.text(1), row.text(2)) }
        }
        return roles
    }
}

extension Gate {
    /// The roles of the node, its own first, then those that packs declare.
    public var roles: [(role: Role, title: LocalizedText)] {
        Role.builtIn.map { ($0, $0.title) }
            + declaredRoles.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.key, $0.value) }
    }

    /// The title of a role; its name where no pack declares it any more.
    public func title(of role: Role) -> LocalizedText { declaredRoles[role] ?? role.title }

    /// A role by its name.
    ///
    /// - Throws: `account.role_unknown`.
    public func role(named name: String) throws(Problem) -> Role {
        guard let role = Role(rawValue: name), Role.builtIn.contains(role) || declaredRoles[role] != nil else {
            throw Problem(
                "account.role_unknown",
                zh: "没有这个角色。",
                en: "There is no such role.",
                details: ["roles": roles.map(\.role.rawValue).joined(separator: ", ")]
            )
        }
        return role
    }
}
