import Tabular
import Basics
import CQL
import Mask
import Store

/// The kernel's own actions: signing in, accounts, roles, grants, organisations, evidence.
public struct Administration: Sendable {
    let kernel: Kernel

    public static let descriptors: [ActionDescriptor] =
        viewDescriptors + nodeDescriptors + pendingDescriptors + [
            signInDescriptor, signOutDescriptor, backUpDescriptor, backupsDescriptor, changePasswordDescriptor,
            accountsDescriptor, createAccountDescriptor, keysDescriptor, revokeKeyDescriptor, holdersDescriptor,
            setRolesDescriptor,
            setActiveDescriptor,
            setPasswordDescriptor, createKeyDescriptor, grantDescriptor, revokeDescriptor, grantsDescriptor,
            organisationDescriptor,
            evidenceDescriptor, verifyDescriptor, jobsDescriptor, ownJobDescriptor, ownJobsDescriptor,
            organisationsDescriptor,
        ]

    static let signInDescriptor = ActionDescriptor(
        "session.sign_in",
        .sessionOwn,
        .write,
        isPublic: true,
        zh: "登录",
        en: "sign in"
    )
    static let signOutDescriptor = ActionDescriptor("session.sign_out", .sessionOwn, .write, zh: "退出", en: "sign out")
    static let changePasswordDescriptor = ActionDescriptor(
        "session.change_password",
        .sessionOwn,
        .write,
        zh: "修改本人密码",
        en: "change one's own password"
    )
    static let accountsDescriptor = ActionDescriptor(
        "account.list",
        .accountsManage,
        .view,
        zh: "账号列表",
        en: "list accounts"
    )
    static let createAccountDescriptor = ActionDescriptor(
        "account.create",
        .accountsManage,
        .write,
        zh: "新建账号",
        en: "create an account"
    )
    static let setActiveDescriptor = ActionDescriptor(
        "account.set_active",
        .accountsManage,
        .write,
        zh: "启用或停用账号",
        en: "enable or disable an account"
    )
    static let setPasswordDescriptor = ActionDescriptor(
        "account.set_password",
        .accountsManage,
        .write,
        zh: "重置密码",
        en: "set a password"
    )
    static let createKeyDescriptor = ActionDescriptor(
        "account.create_key",
        .accountsManage,
        .write,
        zh: "新建接口密钥",
        en: "create an API key"
    )
    static let keysDescriptor = ActionDescriptor(
        "account.keys",
        .accountsManage,
        .view,
        zh: "接口密钥列表",
        en: "list API keys"
    )
    static let revokeKeyDescriptor = ActionDescriptor(
        "account.revoke_key",
        .accountsManage,
        .write,
        zh: "吊销接口密钥",
        en: "revoke an API key"
    )
    static let holdersDescriptor = ActionDescriptor(
        "grant.holders",
        .grantsManage,
        .view,
        zh: "人员与角色",
        en: "people and their roles"
    )
    static let setRolesDescriptor = ActionDescriptor(
        "grant.set_roles",
        .grantsManage,
        .write,
        zh: "分配角色",
        en: "assign roles"
    )
    static let grantDescriptor = ActionDescriptor("grant.create", .grantsManage, .write, zh: "授权", en: "grant")
    static let revokeDescriptor = ActionDescriptor("grant.revoke", .grantsManage, .write, zh: "撤销授权", en: "revoke")
    static let grantsDescriptor = ActionDescriptor("grant.list", .grantsManage, .view, zh: "授权列表", en: "list grants")
    static let organisationDescriptor = ActionDescriptor(
        "organisation.create",
        .accountsManage,
        .write,
        zh: "新建机构",
        en: "create an organisation"
    )
    static let evidenceDescriptor = ActionDescriptor(
        "evidence.list",
        .evidenceRead,
        .view,
        zh: "查看存证",
        en: "read evidence"
    )
    static let verifyDescriptor = ActionDescriptor(
        "evidence.verify",
        .evidenceRead,
        .write,
        zh: "验证存证链",
        en: "verify the chain"
    )
    static let jobsDescriptor = ActionDescriptor("job.list", .systemManage, .view, zh: "任务列表", en: "list jobs")

    static let backUpDescriptor = ActionDescriptor(
        "system.back_up",
        .systemManage,
        .write,
        zh: "提交备份",
        en: "queue a backup"
    )
    static let backupsDescriptor = ActionDescriptor(
        "system.backups",
        .systemManage,
        .view,
        zh: "备份列表",
        en: "list backups"
    )
    /// The kinds of jobs that keep the node safe.
    public static let backupJob = "backup"
    public static let drillJob = "restore_drill"

    static let ownJobDescriptor = ActionDescriptor(
        "job.own",
        .sessionOwn,
        .view,
        zh: "查看本人任务",
        en: "look at one's own job"
    )
    static let ownJobsDescriptor = ActionDescriptor(
        "job.list_own",
        .sessionOwn,
        .view,
        zh: "本人任务列表",
        en: "list one's own jobs"
    )
    static let organisationsDescriptor = ActionDescriptor(
        "organisation.list",
        .catalogueRead,
        .view,
        zh: "机构列表",
        en: "list organisations"
    )

    /// A job that the caller queued.
    public var ownJob: Action<Int64, Job> {
        Action(Self.ownJobDescriptor) { [kernel] id, decision in
            guard let job = try await kernel.jobs.find(id), let principal = decision.caller.principal,
                job.principal == principal.id
            else {
                throw Problem.notFound(.init("任务", "the job"))
            }
            return job
        }
    }

    /// Queues a backup (``backupJob``) or a drill of restoring the newest one (``drillJob``); the job.
    public var backUp: Action<String, Int64> {
        Action(Self.backUpDescriptor) { [kernel] kind, decision in
            guard let principal = decision.caller.principal, [Self.backupJob, Self.drillJob].contains(kind) else {
                throw Problem("request.malformed", zh: "请求有误。", en: "The request is not right.")
            }
            let job = try await kernel.jobs.add(kind, .null, by: principal.id, resource: "")
            decision.note("job", String(job))
            return job
        }
    }

    /// The latest backups and drills with what came of them.
    public var backups: Action<Void, [Job]> {
        Action(Self.backupsDescriptor) { [kernel] _, _ in
            try await kernel.jobs.recent(kinds: [Self.backupJob, Self.drillJob], limit: 60)
        }
    }

    /// The caller's latest jobs.
    public var ownJobs: Action<Int, [Job]> {
        Action(Self.ownJobsDescriptor) { [kernel] limit, decision in
            guard let principal = decision.caller.principal else { return [] }
            return try await kernel.jobs.recent(limit: max(1, min(limit, 100)), by: principal.id)
        }
    }

    public var organisations: Action<Void, [Organisation]> {
        Action(Self.organisationsDescriptor) { [kernel] _, _ in kernel.gate.organisations.sorted
        }
    }

    /// What signing in needs.
    public struct Credentials: Sendable {
        public var login: String
        public var password: String
        public init(login: String, password: String) {
            self.login = login
            self.password = password
        }
    }

    public var signIn: Action<Credentials, (token: String, principal: Principal)> {
        Action(Self.signInDescriptor) { [kernel] input, decision in
            // Noted first: an auditor sees whose account a failed sign-in was aimed at.
            let principal = try await kernel.accounts.find(login: input.login)
            decision.note("principal", principal.map { String($0.id.raw) } ?? "unknown")
            do {
                return try await kernel.accounts.signIn(login: input.login, password: input.password)
            } catch {
                if let principal { kernel.gate.noteFailedSignIn(principal, trace: decision.caller.trace) }
                throw error
            }
        }
    }

    public var signOut: Action<String, Void> {
        Action(Self.signOutDescriptor) { [kernel] token, _ in try await kernel.accounts.signOut(token) }
    }

    /// A new password for oneself; every session of the account ends.
    public var changePassword: Action<(old: String, new: String), Void> {
        Action(Self.changePasswordDescriptor) { [kernel] input, decision in
            guard let principal = decision.caller.principal else { throw Accounts.refusal }
            try await kernel.accounts.changePassword(of: principal, from: input.old, to: input.new)
        }
    }

    public var accounts: Action<Void, [Principal]> {
        Action(Self.accountsDescriptor) { [kernel] _, _ in try await kernel.accounts.list() }
    }

    /// A new account. Roles are the security administrator's to assign, so it begins without any.
    public struct NewAccount: Sendable {
        public var login: String
        public var name: String
        public var organisation: OrganisationID
        public var password: String?
        public var kind: Principal.Kind
        /// Whether the password stays; else its owner must choose another at the first sign-in.
        public var isLasting: Bool
        public init(
            login: String,
            name: String,
            organisation: OrganisationID,
            password: String?,
            kind: Principal.Kind = .person,
            isLasting: Bool = false
        ) {
            self.isLasting = isLasting
            self.login = login
            self.name = name
            self.organisation = organisation
            self.password = password
            self.kind = kind
        }
    }

    public var createAccount: Action<NewAccount, PrincipalID> {
        Action(Self.createAccountDescriptor) { [kernel] input, decision in
            guard kernel.gate.organisations[input.organisation] != nil else {
                throw Problem.notFound(.init("机构", "the organisation"))
            }
            let id = try await kernel.accounts.create(
                login: input.login,
                name: input.name,
                organisation: input.organisation,
                roles: [],
                password: input.password,
                isOneTime: !input.isLasting,
                kind: input.kind
            )
            decision.note("principal", String(id.raw))
            return id
        }
    }

    public var setActive: Action<(PrincipalID, Bool), Void> {
        Action(Self.setActiveDescriptor) { [kernel] input, decision in
            decision.note("principal", String(input.0.raw))
            decision.note("active", String(input.1))
            try await Self.guardTarget(input.0, decision, kernel)
            try await kernel.accounts.setActive(input.1, of: input.0)
        }
    }

    /// Sets another's password, for one use unless `isLasting`.
    public var setPassword: Action<(PrincipalID, String, isLasting: Bool), Void> {
        Action(Self.setPasswordDescriptor) { [kernel] input, decision in
            decision.note("principal", String(input.0.raw))
            try await Self.guardTarget(input.0, decision, kernel)
            try await kernel.accounts.setPassword(input.1, of: input.0, isOneTime: !input.isLasting)
        }
    }

    static let builtIn = Problem(
        "account.built_in",
        status: 403,
        zh: "这是节点自己的账号，不能登录、建密钥或修改。",
        en: "This is the node's own account: nobody signs in as it, gets keys of it, or changes it."
    )

    /// The system administrator becomes none of the other two, nor silences them; the node's own accounts stay as they are.
    private static func guardTarget(_ id: PrincipalID, _ decision: Decision, _ kernel: Kernel) async throws {
        let target = try await kernel.accounts.find(id)
        guard target?.isBuiltIn != true else { throw builtIn }
        let isLocal = decision.caller.principal?.isLocal == true
        guard isLocal || target?.roles.isDisjoint(with: [.securityAdministrator, .auditor]) != false else {
            throw Problem(
                "account.protected",
                status: 403,
                zh: "安全管理员和审计员的账号只能在本机用命令停用或重置密码。",
                en:
                    "The accounts of the security administrator and the auditor are disabled, and their passwords reset, on the node's own machine only.",
                hint: .init("tongqu user password 账号", "tongqu user password LOGIN")
            )
        }
    }

    public var createKey: Action<(PrincipalID, note: String, days: Int), String> {
        Action(Self.createKeyDescriptor) { [kernel] input, decision in
            decision.note("principal", String(input.0.raw))
            let target = try await kernel.accounts.find(input.0)
            guard let caller = decision.caller.principal, target?.isBuiltIn == false,
                caller.isLocal || target?.kind == .service || caller.id == input.0
            else {
                throw Problem(
                    "account.key",
                    status: 403,
                    zh: "接口密钥只能为服务账号或本人建立。",
                    en: "API keys are made for service accounts and for oneself only."
                )
            }
            guard (1...366).contains(input.days) else {
                throw Problem(
                    "account.key_days",
                    zh: "接口密钥的有效期为 1 至 366 天。",
                    en: "An API key is good for 1 to 366 days."
                )
            }
            let until = kernel.clock.now() + Int64(input.days) * CivilTime.microsecondsPerDay
            return try await kernel.accounts.createKey(for: input.0, note: input.note, until: until)
        }
    }

    /// The API keys of an account, without the keys themselves.
    public var keys: Action<PrincipalID, [AccountKey]> {
        Action(Self.keysDescriptor) { [kernel] id, _ in try await kernel.accounts.keys(of: id) }
    }

    /// Ends an API key at once.
    public var revokeKey: Action<(PrincipalID, key: String), Void> {
        Action(Self.revokeKeyDescriptor) { [kernel] input, decision in
            decision.note("principal", String(input.0.raw))
            try await kernel.accounts.revokeKey(input.key, of: input.0)
        }
    }

    /// The people whose roles the security administrator assigns.
    public var holders: Action<Void, [Principal]> {
        Action(Self.holdersDescriptor) { [kernel] _, _ in
            try await kernel.accounts.list().filter { $0.kind == .person }
        }
    }

    public var setRoles: Action<(PrincipalID, Set<Role>), Void> {
        Action(Self.setRolesDescriptor) { [kernel] input, decision in
            if decision.caller.principal?.id == input.0 {
                throw Problem(
                    "grant.own",
                    status: 403,
                    zh: "不能给自己授权或分配角色。",
                    en: "Nobody grants rights or assigns roles to themselves."
                )
            }
            decision.note("principal", String(input.0.raw))
            decision.note("roles", input.1.map(\.rawValue).sorted().joined(separator: ","))
            guard try await kernel.accounts.find(input.0)?.isBuiltIn == false else { throw Self.builtIn }
            try await kernel.accounts.setRoles(input.1, of: input.0)
        }
    }

    public var grants: Action<Void, [Grant]> {
        Action(Self.grantsDescriptor) { [kernel] _, _ in
            try await kernel.databases.control.read { db in
                try db.rows("SELECT \(Grant.columns) FROM grants ORDER BY id LIMIT 5000").map(Grant.read)
            }
        }
    }

    public var grant: Action<Grant, Void> {
        Action(Self.grantDescriptor) { [kernel] input, decision in
            try await Administration.check(input, kernel)
            if kernel.gate.concerns(input, decision.caller) {
                throw Problem(
                    "grant.own",
                    status: 403,
                    zh: "不能给自己授权或分配角色。",
                    en: "Nobody grants rights or assigns roles to themselves."
                )
            }
            decision.note("permissions", input.permissions.map(\.rawValue).sorted().joined(separator: ","))
            let by = decision.caller.principal?.id
            try await kernel.databases.control.write { db in try Kernel.add(input, by: by, at: kernel.clock.now(), db) }
            try await kernel.gate.reload()
        }
    }

    /// Row filters and field names are settled against the resource before a grant is kept.
    static func check(_ grant: Grant, _ kernel: Kernel) async throws {
        guard !grant.permissions.isEmpty else {
            throw Problem("grant.empty", zh: "授权没有任何权限。", en: "The grant has no permission.")
        }
        if grant.scope != .node, grant.scope != .all, grant.permissions.contains(where: \.isOfNode) {
            throw Problem(
                "grant.scope",
                zh: "管理类权限只能在节点范围授予。",
                en: "Permissions on the node are not granted on a resource."
            )
        }
        switch grant.grantee {
        case .principal(let id):
            guard try await kernel.accounts.find(id) != nil else { throw Problem.notFound(.init("账号", "the account")) }
        case .organisation(let id):
            guard kernel.gate.organisations[id] != nil else { throw Problem.notFound(.init("机构", "the organisation")) }
        default: break
        }
        guard case .resource(let id) = grant.scope else {
            guard grant.rows == nil, grant.fields == nil else {
                throw Problem("grant.scope", zh: "限定字段或行的授权须指定资源。", en: "A grant of fields or rows names one resource.")
            }
            return
        }
        let resource = try await kernel.resource(id)
        if let rows = grant.rows {
            _ = try BoundExpression(text: rows, fields: resource.schema.fields + Gate.callerFields)
        }
        for name in (grant.fields ?? []).union(grant.masks.keys) where resource.schema.index(name) == nil {
            throw Problem("grant.field", zh: "资源没有字段“\(name)”。", en: "The resource has no field “\(name)”.")
        }
    }

    public var revoke: Action<Int64, Void> {
        Action(Self.revokeDescriptor) { [kernel] id, decision in
            decision.note("grant", String(id))
            let changed = try await kernel.databases.control.write { db in
                let found = try db.row("SELECT grantee_kind, permissions FROM grants WHERE id = ?", [.integer(id)])
                // Without it nobody could sign in any more.
                if let found, found.text(0) == "anyone",
                    found.text(1).split(separator: ",").contains(Substring(Permission.sessionOwn.rawValue))
                {
                    throw Problem(
                        "grant.builtin",
                        status: 409,
                        zh: "这项授权让所有人能够登录，不能撤销。",
                        en: "By this grant everybody can sign in: it stays."
                    )
                }
                return try db.execute("DELETE FROM grants WHERE id = ?", [.integer(id)])
            }
            guard changed == 1 else { throw Problem.notFound(.init("授权", "the grant")) }
            try await kernel.gate.reload()
        }
    }

    public var createOrganisation: Action<Organisation, OrganisationID> {
        Action(Self.organisationDescriptor) { [kernel] input, decision in
            try Self.checkOrganisation(
                name: input.name,
                creditCode: input.creditCode,
                division: input.division
            )
            if let parent = input.parent, kernel.gate.organisations[parent] == nil {
                throw Problem.notFound(.init("上级机构", "the organisation above"))
            }
            let values: [SQLValue] = [
                .text(input.name), .text(input.creditCode), SQLValue(input.parent?.raw), .text(input.division),
                .text(input.level.rawValue),
            ]
            let id = try await kernel.databases.control.write { db in
                try db.execute(
                    "INSERT INTO organisations (name, credit_code, parent, division, level) VALUES (?,?,?,?,?)",
                    values
                )
                return OrganisationID(db.lastInsertedID)
            }
            decision.note("organisation", String(id.raw))
            try await kernel.gate.reload()
            return id
        }
    }

    /// A page of the evidence, newest first.
    public struct EvidenceQuery: Sendable {
        public var before: Int64?
        public var resource: String?
        public var actor: String?
        public var limit: Int
        public init(before: Int64? = nil, resource: String? = nil, actor: String? = nil, limit: Int = 50) {
            self.before = before
            self.resource = resource
            self.actor = actor
            self.limit = max(1, min(limit, 500))
        }
    }

    /// A record as it is shown.
    public struct EvidenceRow: Sendable {
        public var sequence: Int64
        public var at: Int64
        public var actor: String
        public var action: String
        public var resource: String
        public var outcome: String
        public var body: String
        public var hash: String
    }

    public var evidence: Action<EvidenceQuery, [EvidenceRow]> {
        Action(Self.evidenceDescriptor) { [kernel] input, _ in
            try await kernel.evidence.recent(
                before: input.before,
                resource: input.resource,
                actor: input.actor,
                limit: input.limit
            ).map {
                EvidenceRow(
                    sequence: $0.integer(0),
                    at: $0.integer(1),
                    actor: $0.text(2),
                    action: $0.text(3),
                    resource: $0.text(4),
                    outcome: $0.text(5),
                    body: $0.text(6),
                    hash: Hexadecimal.text($0.blob(7))
                )
            }
        }
    }

    public var verifyEvidence: Action<Void, EvidenceVerdict> {
        Action(Self.verifyDescriptor) { [kernel] _, decision in
            let verdict = try await kernel.evidence.verify()
            if verdict.fault == nil {
                let now = String(kernel.clock.now())
                try await kernel.databases.control.write { db in
                    try db.execute(
                        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                        [.text(Self.verifiedSetting), .text(now)]
                    )
                }
            }
            decision.note("records", String(verdict.records))
            decision.note("sound", String(verdict.fault == nil))
            return verdict
        }
    }

    public var jobs: Action<Int, [Job]> {
        Action(Self.jobsDescriptor) { [kernel] limit, _ in try await kernel.jobs.recent(limit: max(1, min(limit, 500)))
        }
    }
}
