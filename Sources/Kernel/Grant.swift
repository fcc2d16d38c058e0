import Basics
import CQL
public import Mask
import Store

/// Who may do what with which fields and rows, under which masks, for which purpose, until when.
///
/// Roles, public openness and service principals are grants; there is no other source of rights.
public struct Grant: Sendable, Hashable {
    /// Who receives it.
    public enum Grantee: Sendable, Hashable {
        /// Everyone, the public included.
        case anyone
        /// Everyone with an account.
        case signedIn
        case role(Role)
        /// An organisation and those below it.
        case organisation(OrganisationID)
        case principal(PrincipalID)
    }

    /// What it reaches.
    public enum Scope: Sendable, Hashable {
        case all
        /// Resources of the grantee's own organisation and those below it.
        case own
        /// Published resources and, of their fields, those shared unconditionally.
        case shared
        /// Resources on the open list; only their entries.
        case open
        case resource(ResourceID)
        /// No resource at all: actions on the node itself.
        case node
    }

    public var id: Int64
    public var grantee: Grantee
    public var permissions: Set<Permission>
    public var scope: Scope
    /// The fields, nil for all.
    public var fields: Set<String>?
    /// CQL2 text over the resource's fields; nil for all rows.
    public var rows: String?
    /// Masks by field name; `*` stands for every field of a personal kind (its standard mask).
    public var masks: [String: Mask]
    public var masksPersonalFields: Bool
    public var purpose: String
    /// Microseconds; nil for no end.
    public var until: Int64?

    public init(
        id: Int64 = 0,
        to grantee: Grantee,
        _ permissions: Set<Permission>,
        on scope: Scope,
        fields: Set<String>? = nil,
        rows: String? = nil,
        masks: [String: Mask] = [:],
        masksPersonalFields: Bool = false,
        purpose: String = "",
        until: Int64? = nil
    ) {
        self.id = id
        self.grantee = grantee
        self.permissions = permissions
        self.scope = scope
        self.fields = fields
        self.rows = rows
        self.masks = masks
        self.masksPersonalFields = masksPersonalFields
        self.purpose = purpose
        self.until = until
    }

    /// The grants every node begins with.
    static let initial: [Grant] = [
        Grant(to: .anyone, [.catalogueRead], on: .open, purpose: "公开目录"),
        Grant(to: .anyone, [.sessionOwn], on: .node, purpose: "登录"),
        Grant(to: .signedIn, [.catalogueRead, .dataRead], on: .shared, masksPersonalFields: true, purpose: "无条件共享"),
        Grant(
            to: .role(.clerk),
            [.catalogueRead, .catalogueEdit, .openApply, .dataRead, .dataLoad, .dataWrite, .quarantineRead],
            on: .own,
            purpose: "本部门编目与归集"
        ),
        Grant(
            to: .role(.departmentReviewer),
            [.catalogueRead, .catalogueReviewDepartment, .openReviewSecrecy, .dataRead, .quarantineRead],
            on: .own,
            purpose: "部门审核"
        ),
        Grant(
            to: .role(.authorityReviewer),
            [.catalogueRead, .catalogueReviewAuthority, .openReviewAuthority, .dataRead],
            on: .all,
            masksPersonalFields: true,
            purpose: "主管部门审核"
        ),
        Grant(
            to: .role(.steward),
            [
                .catalogueRead, .catalogueEdit, .dataRead, .dataLoad, .quarantineRead, .sourceManage, .standardsManage,
                .subscriptionManage,
            ],
            on: .all,
            masksPersonalFields: true,
            purpose: "数据治理"
        ),
        Grant(to: .role(.systemAdministrator), [.systemManage, .accountsManage], on: .node, purpose: "系统管理"),
        Grant(to: .role(.securityAdministrator), [.grantsManage], on: .node, purpose: "安全管理"),
        Grant(to: .role(.auditor), [.evidenceRead], on: .node, purpose: "审计"),
    ]
}

// MARK: In the database

extension Grant {
    static let columns =
        "id, grantee_kind, grantee, permissions, scope_kind, resource, fields, row_filter, masks, masks_personal, purpose, until_at"

    var columnValues: [SQLValue] {
        let (kind, who): (String, SQLValue) =
            switch grantee {
            case .anyone: ("anyone", .null)
            case .signedIn: ("signed_in", .null)
            case .role(let role): ("role", .text(role.rawValue))
            case .organisation(let id): ("organisation", .text(String(id.raw)))
            case .principal(let id): ("principal", .text(String(id.raw)))
            }
        let (reach, target): (String, SQLValue) =
            switch scope {
            case .all: ("all", .null)
            case .own: ("own", .null)
            case .shared: ("shared", .null)
            case .open: ("open", .null)
            case .node: ("node", .null)
            case .resource(let id): ("resource", .integer(id.raw))
            }
        return [
            .text(kind), who, .text(permissions.map(\.rawValue).sorted().joined(separator: ",")), .text(reach), target,
            SQLValue(fields.map { JSONValue.array($0.sorted().map { .string($0) }).text }), SQLValue(rows),
            .text(
                JSONValue.object(masks.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value.code)) }).text
            ),
            .integer(masksPersonalFields ? 1 : 0), .text(purpose), SQLValue(until),
        ]
    }

    static func read(_ row: SQLRow) throws -> Grant {
        let who = row.text(2)
        let number = Int64(who) ?? 0
        let grantee: Grantee
        switch row.text(1) {
        case "anyone": grantee = .anyone
        case "signed_in": grantee = .signedIn
        case "role": grantee = .role(Role(rawValue: who) ?? .unreadable)
        case "organisation": grantee = .organisation(OrganisationID(number))
        default: grantee = .principal(PrincipalID(number))
        }
        let scope: Scope
        switch row.text(4) {
        case "all": scope = .all
        case "own": scope = .own
        case "shared": scope = .shared
        case "open": scope = .open
        case "resource": scope = .resource(ResourceID(row.integer(5)))
        default: scope = .node
        }
        var masks: [String: Mask] = [:]
        for member in try JSONValue(text: row.text(8)).members ?? [] {
            // A mask this program does not know must not become no mask.
            masks[member.name] = member.value.string.flatMap(Mask.init(code:)) ?? .suppress
        }
        return Grant(
            id: row.integer(0),
            to: grantee,
            Set(row.text(3).split(separator: ",").compactMap { Permission(rawValue: String($0)) }),
            on: scope,
            fields: try row.optionalText(6).map { Set(try JSONValue(text: $0).array?.compactMap(\.string) ?? []) },
            rows: row.optionalText(7),
            masks: masks,
            masksPersonalFields: row.flag(9),
            purpose: row.text(10),
            until: row.optionalInteger(11)
        )
    }
}
