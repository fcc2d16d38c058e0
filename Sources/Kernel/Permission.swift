public import Basics

/// What an action needs. An action names exactly one.
public enum Permission: String, Sendable, CaseIterable, Hashable {
    case catalogueRead = "catalogue.read"
    case catalogueEdit = "catalogue.edit"
    case catalogueReviewDepartment = "catalogue.review_department"
    case catalogueReviewAuthority = "catalogue.review_authority"
    case openApply = "open.apply"
    case openReviewSecrecy = "open.review_secrecy"
    case openReviewAuthority = "open.review_authority"
    case dataRead = "data.read"
    case dataLoad = "data.load"
    case dataWrite = "data.write"
    case quarantineRead = "quarantine.read"
    case sourceManage = "source.manage"
    case standardsManage = "standards.manage"
    case subscriptionManage = "subscription.manage"
    case flowAct = "flow.act"
    case flowBegin = "flow.begin"
    case accountsManage = "accounts.manage"
    case grantsManage = "grants.manage"
    case evidenceRead = "evidence.read"
    case systemManage = "system.manage"
    case sessionOwn = "session.own"

    /// Whether it is about the node itself: only grants on the node (or on everything) give it.
    public var isOfNode: Bool {
        switch self {
        case .accountsManage, .grantsManage, .evidenceRead, .systemManage, .sessionOwn, .standardsManage: true
        default: false
        }
    }

    public var title: LocalizedText {
        switch self {
        case .catalogueRead: .init("查看目录", "read the catalogue")
        case .catalogueEdit: .init("编制目录", "edit entries")
        case .catalogueReviewDepartment: .init("部门审核", "review for the department")
        case .catalogueReviewAuthority: .init("主管部门审核", "review for the authority")
        case .openApply: .init("申请开放", "apply for opening")
        case .openReviewSecrecy: .init("保密审查及个人信息检查", "secrecy review and personal information check")
        case .openReviewAuthority: .init("开放审核", "review opening for the authority")
        case .dataRead: .init("读取数据", "read data")
        case .dataLoad: .init("加载数据", "load data")
        case .dataWrite: .init("填报记录", "write records")
        case .quarantineRead: .init("查看问题数据", "read quarantined rows")
        case .sourceManage: .init("管理归集来源", "manage sources")
        case .standardsManage: .init("维护数据标准", "maintain data standards")
        case .subscriptionManage: .init("管理事件订阅", "manage subscriptions to events")
        case .flowAct: .init("办理业务", "take steps of a flow")
        case .flowBegin: .init("公众提交", "take a step that is open to everybody")
        case .accountsManage: .init("管理账号", "manage accounts")
        case .grantsManage: .init("管理授权", "manage grants")
        case .evidenceRead: .init("查看存证", "read evidence")
        case .systemManage: .init("管理系统", "manage the system")
        case .sessionOwn: .init("使用本人账号", "use one's own account")
        }
    }
}

/// A role: nothing but the grants made to its name. A node begins with some; packs declare their own.
public struct Role: RawRepresentable, Sendable, Hashable {
    public let rawValue: String

    /// A role by its name: lower-case letters, digits and `_`; nil for what is no such name. Whether there are grants to it is another question.
    public init?(rawValue: String) {
        guard let first = rawValue.utf8.first, (0x61...0x7A).contains(first), rawValue.utf8.count <= 60,
            rawValue.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F })
        else { return nil }
        self.rawValue = rawValue
    }

    private init(_ rawValue: String) { self.rawValue = rawValue }

    public static let clerk = Role("clerk")
    public static let departmentReviewer = Role("department_reviewer")
    public static let authorityReviewer = Role("authority_reviewer")
    public static let steward = Role("steward")
    public static let systemAdministrator = Role("system_administrator")
    public static let securityAdministrator = Role("security_administrator")
    public static let auditor = Role("auditor")
    /// What stands where a name cannot be read: no grant is made to it.
    static let unreadable = Role("-")

    /// The roles a node begins with.
    public static let builtIn: [Role] = [
        .clerk, .departmentReviewer, .authorityReviewer, .steward, .systemAdministrator, .securityAdministrator,
        .auditor,
    ]

    public static func isBuiltIn(_ name: String) -> Bool { builtIn.contains { $0.rawValue == name } }

    /// 三员: no person holds two of these.
    public static let administrators: Set<Role> = [.systemAdministrator, .securityAdministrator, .auditor]

    /// The title of a role that every node has; of another its name.
    public var title: LocalizedText {
        switch self {
        case .clerk: .init("编目员", "clerk")
        case .departmentReviewer: .init("部门审核员", "department reviewer")
        case .authorityReviewer: .init("主管部门审核员", "authority reviewer")
        case .steward: .init("数据管理员", "data steward")
        case .systemAdministrator: .init("系统管理员", "system administrator")
        case .securityAdministrator: .init("安全管理员", "security administrator")
        case .auditor: .init("审计员", "auditor")
        default: .init(rawValue, rawValue)
        }
    }
}
