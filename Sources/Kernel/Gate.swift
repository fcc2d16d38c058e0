public import Basics
import CQL
import Codes
import Mask
import Store
import Synchronization
public import Tabular

/// The one gate: decides, records, runs.
public final class Gate: Sendable {
    let database: any Database
    let evidence: EvidenceChain
    let clock: Clock
    private let state = Mutex(State())

    struct State {
        /// The grants and organisations, and what was found with them.
        var findings = Findings()
        /// The roles that packs declare.
        var roles: [Role: LocalizedText] = [:]
        /// Public reads since the last full minute.
        var publicReads: [PublicRead: Int] = [:]
        /// Readings of the grants begun, and the latest that was put in place.
        var asked = 0
        var taken = 0
        var failedSignIns: [PrincipalID: (since: Int64, count: Int64)] = [:]
        var allowed = 0
        var denied = 0
    }

    /// What the public did, as it is counted: an action, or its refusal or failure, and the resource.
    struct PublicRead: Hashable {
        var outcome = ""
        var action: String
        var resource: String?

        var text: String { outcome + action + (resource.map { " " + $0 } ?? "") }
    }

    init(database: any Database, evidence: EvidenceChain, clock: Clock) {
        self.database = database
        self.evidence = evidence
        self.clock = clock
    }

    /// Reads grants and organisations again; called after each change of them.
    public func reload() async throws {
        let ticket = state.withLock { state in
            state.asked += 1
            return state.asked
        }
        let (grants, organisations, roles) = try await database.read { db in
            (
                try db.rows("SELECT \(Grant.columns) FROM grants").map(Grant.read),
                try db.rows("SELECT \(Organisation.columns) FROM organisations").map(Organisation.read),
                try DeclaredRights.roles(db)
            )
        }
        let findings = Findings(grants, OrganisationTree(organisations))
        state.withLock { state in
            // A slower reading that began earlier puts nothing old back.
            guard ticket > state.taken else { return }
            state.taken = ticket
            state.findings = findings
            state.roles = roles
        }
    }

    var declaredRoles: [Role: LocalizedText] { state.withLock { $0.roles } }

    /// The organisations as the gate knows them.
    public var organisations: OrganisationTree { state.withLock { $0.findings.tree } }

    /// Decisions so far: for metrics.
    public var counts: (allowed: Int, denied: Int) { state.withLock { ($0.allowed, $0.denied) } }

    // MARK: Performing

    /// Decides, runs the action and records both.
    ///
    /// A write's record is durable before the answer; a refusal and a failed write are always recorded.
    ///
    /// - Throws: `access.denied`, `access.sign_in`, and what the action throws.
    public func perform<Input, Output>(
        _ action: Action<Input, Output>,
        _ input: Input,
        as caller: Caller
    ) async throws -> Output {
        // The public is refused before the resource is looked up: the answer is the same whether it exists or not.
        let mustSignIn = caller.principal == nil && !action.descriptor.isPublic
        let resource = mustSignIn ? nil : try await action.target(input)
        // What the public reads is counted, and nobody's look at a list is recorded: nothing is gathered for it.
        let trail = action.descriptor.trail
        let particulars = trail == .write || trail == .read && caller.principal != nil ? Particulars() : nil
        let decision: Decision
        do {
            if mustSignIn { throw Gate.signIn(action.descriptor.permission) }
            decision = try decide(action.descriptor, resource, caller, particulars)
        } catch {
            state.withLock { $0.denied += 1 }
            guard caller.principal != nil else {
                // Counted, not written one by one: the public cannot make the node work, nor read from the time what exists.
                count(PublicRead(outcome: "denied ", action: action.descriptor.name))
                throw error
            }
            try await record(
                action.descriptor,
                resource,
                caller,
                outcome: "denied",
                grants: [],
                particulars,
                durable: true
            )
            throw error
        }
        state.withLock { $0.allowed += 1 }
        let output: Output
        do {
            output = try await action.run(input, decision)
        } catch {
            guard caller.principal != nil else {
                // Counted, as refusals are: the public cannot make the node write.
                count(PublicRead(outcome: "failed ", action: action.descriptor.name))
                throw error
            }
            if action.descriptor.trail == .write {
                particulars?.add("error", (error as? Problem)?.code ?? "internal")
                try await record(
                    action.descriptor,
                    resource,
                    caller,
                    outcome: "failed",
                    grants: decision.grants,
                    particulars,
                    durable: true
                )
            }
            throw error
        }
        try await recordSuccess(decision, particulars)
        return output
    }

    /// Whether an action would be admitted, without running or recording it: for showing buttons.
    public func admits(_ action: ActionDescriptor, _ resource: Resource?, _ caller: Caller) -> Bool {
        guard !Gate.mustChangePassword(caller, action), let finding = try? finding(action, resource, caller) else {
            return false
        }
        return !finding.grants.isEmpty
    }

    /// Refuses who would not be admitted to an action on the node, before anything of the request is looked up.
    ///
    /// - Throws: `access.sign_in`, `access.denied`.
    public func require(_ action: ActionDescriptor, _ caller: Caller) throws {
        _ = try decide(action, nil, caller, nil)
    }

    private func count(_ read: PublicRead) { state.withLock { $0.publicReads[read, default: 0] += 1 } }

    private func recordSuccess(_ decision: Decision, _ particulars: Particulars?) async throws {
        switch decision.action.trail {
        case .view: return
        case .write:
            try await record(
                decision.action,
                decision.resource,
                decision.caller,
                outcome: "allowed",
                grants: decision.grants,
                particulars,
                durable: true
            )
        case .read:
            guard decision.caller.principal != nil else {
                return count(PublicRead(action: decision.action.name, resource: decision.resource?.code ?? "-"))
            }
            let graded = (decision.resource?.grade ?? .general1) >= .general3
            try await record(
                decision.action,
                decision.resource,
                decision.caller,
                outcome: "allowed",
                grants: decision.grants,
                particulars,
                durable: graded
            )
        }
    }

    private func record(
        _ action: ActionDescriptor,
        _ resource: Resource?,
        _ caller: Caller,
        outcome: String,
        grants: [Int64],
        _ particulars: Particulars?,
        durable: Bool
    ) async throws {
        let entry = EvidenceEntry(
            at: clock.now(),
            actor: caller.actor,
            organisation: caller.principal?.organisation.raw,
            action: action.name,
            resource: resource?.code ?? "",
            outcome: outcome,
            grants: grants,
            trace: caller.trace,
            details: particulars?.all ?? []
        )
        if durable { try await evidence.append(entry) } else { evidence.enqueue(entry) }
    }

    /// Writes the counts of public reads as one record; called each minute and at the end.
    public func flushPublicReads() async throws {
        let counts = state.withLock { state in
            defer { state.publicReads = [:] }
            return state.publicReads
        }
        guard !counts.isEmpty else { return }
        try await evidence.append(
            EvidenceEntry(
                at: clock.now(),
                actor: "public",
                organisation: nil,
                action: "data.public_reads",
                resource: "",
                outcome: "counted",
                grants: [],
                trace: "",
                details: counts.map { ($0.key.text, String($0.value)) }.sorted { $0.0 < $1.0 }
            )
        )
    }

    /// Records whose account a failed sign-in was aimed at: as often as an account can fail before it is locked, so that the public
    /// cannot make the node write without end.
    func noteFailedSignIn(_ principal: Principal, trace: String) {
        let now = clock.now()
        let isNoted = state.withLock { state in
            var seen = state.failedSignIns[principal.id] ?? (now, 0)
            if now - seen.since > Accounts.lockLength { seen = (now, 0) }
            seen.count += 1
            if state.failedSignIns.count > 10_000 { state.failedSignIns = [:] }
            state.failedSignIns[principal.id] = seen
            return seen.count <= Accounts.maximumFailures + 1
        }
        guard isNoted else { return }
        evidence.enqueue(
            EvidenceEntry(
                at: now,
                actor: "public",
                organisation: nil,
                action: Administration.signInDescriptor.name,
                resource: "",
                outcome: "failed",
                grants: [],
                trace: trace,
                details: [("principal", String(principal.id.raw))]
            )
        )
    }

    // MARK: Deciding

    func decide(
        _ action: ActionDescriptor,
        _ resource: Resource?,
        _ caller: Caller,
        _ particulars: Particulars?
    ) throws -> Decision {
        if Gate.mustChangePassword(caller, action) { throw Gate.passwordChange }
        let finding = try finding(action, resource, caller)
        guard !finding.grants.isEmpty else {
            if caller.principal == nil {
                // To the public what is not open is not there: an answer never tells that it exists.
                if resource != nil, action.isPublic { throw Kernel.unknownResource }
                throw Gate.signIn(action.permission)
            }
            throw Problem(
                "access.denied",
                status: 403,
                zh: "没有“\(action.permission.title.zh)”的权限。",
                en: "You may not \(action.permission.title.en) here.",
                details: ["permission": action.permission.rawValue],
                hint: .init("请向安全管理员申请授权。", "Ask the security administrator for a grant.")
            )
        }
        return Decision(
            caller: caller,
            action: action,
            resource: resource,
            fields: finding.fields,
            rows: finding.rows,
            grants: finding.grants,
            purpose: finding.purpose,
            particulars: particulars
        )
    }

    private static func mustChangePassword(_ caller: Caller, _ action: ActionDescriptor) -> Bool {
        caller.principal?.mustChangePassword == true && !action.name.hasPrefix("session.")
    }

    /// The grants that fit, and what they show together; without any where nothing is allowed.
    private func finding(_ action: ActionDescriptor, _ resource: Resource?, _ caller: Caller) throws -> Finding {
        let findings = state.withLock { $0.findings }
        let principal = caller.principal
        let key = Findings.Key(
            permission: action.permission,
            isPublic: action.isPublic,
            principal: principal?.id,
            resource: resource?.id
        )
        let now = clock.now()
        return try findings.finding(key, principal, resource, at: now) { moments in
            guard principal != nil || action.isPublic else { return Finding(principal, resource, moments) }
            let reach = principal.map { findings.tree.subtree($0.organisation) } ?? []
            let fitting = findings.grants.filter { grant in
                grant.permissions.contains(action.permission) && (grant.until ?? .max) > now
                    && Gate.isGrantee(grant, caller, findings.tree)
                    && Gate.reaches(grant, resource, reach, action.permission)
            }
            guard !fitting.isEmpty else { return Finding(principal, resource, moments) }
            let (fields, rows) = try Gate.combine(fitting, resource)
            let own = rows.map { Gate.filled($0, principal, findings.tree) }
            return Finding(principal, resource, moments, fitting: fitting, fields: fields, rows: own)
        }
    }

    static func signIn(_ permission: Permission) -> Problem {
        Problem(
            "access.sign_in",
            status: 401,
            zh: "请先登录。",
            en: "Sign in first.",
            details: ["permission": permission.rawValue]
        )
    }

    /// What an account with a one-time password is told.
    public static let passwordChange = Problem(
        "account.change_password",
        status: 403,
        zh: "当前密码由管理员设置，请先改为自己的密码。",
        en: "Your password was set by an administrator; choose one of your own first."
    )

    static func isGrantee(_ grant: Grant, _ caller: Caller, _ tree: OrganisationTree) -> Bool {
        guard let principal = caller.principal else { return grant.grantee == .anyone }
        switch grant.grantee {
        case .anyone, .signedIn: return true
        case .role(let role): return principal.roles.contains(role)
        case .organisation(let id): return tree.subtree(id).contains(principal.organisation)
        case .principal(let id): return principal.id == id
        }
    }

    static func reaches(
        _ grant: Grant,
        _ resource: Resource?,
        _ reach: Set<OrganisationID>,
        _ permission: Permission
    ) -> Bool {
        if permission.isOfNode { return grant.scope == .node || grant.scope == .all }
        guard let resource else {
            // Lists and searches name no resource: whoever holds the permission anywhere may ask; rows are narrowed inside.
            return true
        }
        switch grant.scope {
        case .all: return true
        case .own: return reach.contains(resource.owner)
        case .shared: return resource.state == .published
        case .open: return resource.isOpen && resource.state == .published
        case .resource(let id): return resource.id == id
        case .node: return false
        }
    }

    /// Joins grants. Unscoped ones add up. Where all are limited to rows, the rows add up and only fields common to all remain,
    /// each under every mask any of them asks for: a decision never shows a row more than one of its grants would.
    static func combine(_ grants: [Grant], _ resource: Resource?) throws -> ([FieldAccess], Expression?) {
        guard let resource else { return ([], nil) }
        let unscoped = grants.filter { $0.rows == nil }
        let isScoped = unscoped.isEmpty
        let used = isScoped ? grants : unscoped
        var access: [FieldAccess] = []
        for (index, field) in resource.schema.fields.enumerated() {
            let views = used.map { view(of: field, index, through: $0, resource) }
            let visible = views.compactMap { $0 }
            if isScoped {
                guard visible.count == views.count else { continue }
                let masks = visible.compactMap { $0.mask }
                access.append(
                    FieldAccess(index: index, field: field, mask: Set(masks).count > 1 ? .suppress : masks.first)
                )
            } else if !visible.isEmpty {
                let open = visible.contains { $0.mask == nil }
                access.append(FieldAccess(index: index, field: field, mask: open ? nil : visible[0].mask))
            }
        }
        guard isScoped else { return (access, nil) }
        let filters = try used.compactMap(\.rows).map { try Expression(either: $0) }
        return (access, filters.count == 1 ? filters[0] : .or(filters))
    }

    /// Names that the rows of a grant may be told by beside their fields: whoever asks.
    public static let callerFields = [
        Field("caller.login"), Field("caller.organisation"), Field(callerOrganisations),
    ]
    /// Their organisation and those below it, by name: it stands in a list, `FIELD IN (caller.organisations)`.
    public static let callerOrganisations = "caller.organisations"

    /// Whether a condition names the caller's organisations elsewhere than in a list.
    public static func namesOrganisationsAlone(_ rows: String) -> Bool {
        guard let expression = try? Expression(either: rows) else { return false }
        let rest = expression.mapped { part in
            guard case .isIn(let subject, let list) = part else { return nil }
            return .isIn(subject, list.filter { $0 != .property(callerOrganisations) })
        }
        return rest.properties.contains(callerOrganisations)
    }

    /// A condition on rows with whoever asks in it; nobody is a value that no row has.
    private static func filled(_ rows: Expression, _ principal: Principal?, _ tree: OrganisationTree) -> Expression {
        rows.mapped { part in
            switch part {
            case .isIn(let subject, let list) where list.contains(.property(callerOrganisations)):
                let own = principal.map { tree.subtree($0.organisation).compactMap { tree[$0]?.name }.sorted() } ?? []
                let items = list.flatMap { item -> [Expression] in
                    guard item == .property(callerOrganisations) else { return [filled(item, principal, tree)] }
                    return own.map { .literal(.text($0)) }
                }
                return .isIn(filled(subject, principal, tree), items.isEmpty ? [.literal(.null)] : items)
            case .property(callerOrganisations): return .literal(.null)
            case .property("caller.login"): return .literal(principal.map { .text($0.login) } ?? .null)
            case .property("caller.organisation"):
                return .literal((principal.flatMap { tree[$0.organisation]?.name }).map { .text($0) } ?? .null)
            default: return nil
            }
        }
    }

    /// How one grant shows a field; nil where it does not.
    static func view(of field: Field, _ index: Int, through grant: Grant, _ resource: Resource) -> (mask: Mask?, Void)?
    {
        if let fields = grant.fields, !fields.contains(field.name) { return nil }
        if grant.scope == .shared, resource.sharing(index) != .unconditional { return nil }
        if let mask = grant.masks[field.name] { return (mask, ()) }
        if grant.masksPersonalFields, let kind = field.protectedKind, kind.isPersonal {
            return (Mask.standard(for: kind) ?? .suppress, ())
        }
        return (nil, ())
    }

    /// The organisations whose resources a caller reaches with a permission: nil for all.
    public func ownersReached(by caller: Caller, with permission: Permission) -> Set<OrganisationID>? {
        let findings = state.withLock { $0.findings }
        let now = clock.now()
        let key = Findings.Key(permission: permission, isPublic: true, principal: caller.principal?.id)
        return findings.reach(key, caller.principal, at: now) {
            var owners: Set<OrganisationID> = []
            for grant in findings.grants
            where grant.permissions.contains(permission) && (grant.until ?? .max) > now
                && Gate.isGrantee(grant, caller, findings.tree)
            {
                if grant.scope == .all { return nil }
                if grant.scope == .own, let principal = caller.principal {
                    owners.formUnion(findings.tree.subtree(principal.organisation))
                }
            }
            return owners
        }.owners
    }
}

/// What a decision's evidence will say beyond the decision.
final class Particulars: Sendable {
    private let list = Mutex<[(String, String)]>([])

    func add(_ key: String, _ value: String) { list.withLock { $0.append((key, value)) } }

    var all: [(String, String)] { list.withLock { $0 } }
}

extension Gate {
    /// The fields of a resource that a caller may see as they are: what a reference may point to.
    /// With `anyRows` also where only some rows may be seen.
    public func unmaskedFields(
        _ action: ActionDescriptor,
        _ resource: Resource,
        _ caller: Caller,
        anyRows: Bool = false
    ) -> Set<String> {
        guard let decision = try? decide(action, resource, caller, nil), anyRows || decision.rows == nil else {
            return []
        }
        return Set(decision.fields.filter { $0.mask == nil }.map(\.field.name))
    }

    /// Whether a grant would reach the one who makes it.
    func concerns(_ grant: Grant, _ caller: Caller) -> Bool {
        switch grant.grantee {
        case .anyone, .signedIn: false
        default: Gate.isGrantee(grant, caller, organisations)
        }
    }

    /// Whether a caller holds a permission anywhere: for showing menus.
    public func holds(_ permission: Permission, _ caller: Caller) -> Bool {
        admits(ActionDescriptor("menu", permission, .view, zh: "", en: ""), nil, caller)
    }
}
