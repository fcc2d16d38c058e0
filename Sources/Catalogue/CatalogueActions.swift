import Basics
public import Kernel
import Tabular

/// The catalogue's actions.
public struct CatalogueActions: Sendable {
    let catalogue: Catalogue

    public init(_ catalogue: Catalogue) { self.catalogue = catalogue }

    static let searchDescriptor = ActionDescriptor(
        "catalogue.search",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "检索目录",
        en: "search the catalogue"
    )
    static let showDescriptor = ActionDescriptor(
        "catalogue.show",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "查看条目",
        en: "show an entry"
    )
    static let workDescriptor = ActionDescriptor(
        "catalogue.work",
        .catalogueRead,
        .view,
        zh: "编目工作",
        en: "entries at work"
    )
    static let createDescriptor = ActionDescriptor(
        "catalogue.create",
        .catalogueEdit,
        .write,
        zh: "新建条目",
        en: "create an entry"
    )
    static let saveDescriptor = ActionDescriptor(
        "catalogue.save",
        .catalogueEdit,
        .write,
        zh: "保存条目",
        en: "save an entry"
    )
    static let submitDescriptor = ActionDescriptor(
        "catalogue.submit",
        .catalogueEdit,
        .write,
        zh: "提交审核",
        en: "submit an entry"
    )
    public static let departmentDescriptor = ActionDescriptor(
        "catalogue.review_department",
        .catalogueReviewDepartment,
        .write,
        zh: "部门审核",
        en: "review for the department"
    )
    public static let authorityDescriptor = ActionDescriptor(
        "catalogue.review_authority",
        .catalogueReviewAuthority,
        .write,
        zh: "主管部门审核",
        en: "review for the authority"
    )
    public static let withdrawDescriptor = ActionDescriptor(
        "catalogue.withdraw",
        .catalogueReviewAuthority,
        .write,
        zh: "下线",
        en: "withdraw an entry"
    )

    public static let descriptors = [
        searchDescriptor, showDescriptor, workDescriptor, createDescriptor, saveDescriptor, submitDescriptor,
        departmentDescriptor,
        authorityDescriptor, withdrawDescriptor,
    ]

    /// Search; without an account only the open list.
    public var search: Action<CatalogueQuery, CatalogueHits> {
        Action(Self.searchDescriptor) { [catalogue] query, decision in
            guard query.text.utf8.count <= 1000 else {
                throw Problem("request.too_large", status: 413, zh: "检索词过长。", en: "The search text is too long.")
            }
            return try await catalogue.index.search(query, isPublic: decision.caller.principal == nil)
        }
    }

    /// An entry with its history.
    public var show: Action<String, (entry: Entry, events: [EntryEvent])> {
        Action(Self.showDescriptor, target: { [catalogue] in try await catalogue.kernel.resource($0) }) {
            [catalogue] code, decision in
            let entry = try await catalogue.entry(code)
            let owners = catalogue.kernel.gate.ownersReached(by: decision.caller, with: .catalogueRead)
            let isInsider = owners == nil || owners?.contains(entry.resource.owner) == true
            var shown = entry
            // Drafts and history are the provider's and the reviewers' business.
            if !isInsider { shown.draft = nil }
            return (shown, isInsider ? try await catalogue.events(entry.resource.id) : [])
        }
    }

    /// Entries that the caller's organisation, or with a wider grant all organisations, work on.
    public var work: Action<(stage: EntryStage?, limit: Int), [Entry]> {
        Action(Self.workDescriptor) { [catalogue] input, decision in
            let owners = catalogue.kernel.gate.ownersReached(by: decision.caller, with: .catalogueRead)
            return try await catalogue.work(owners: owners, stage: input.stage, limit: max(1, min(input.limit, 500)))
        }
    }

    public var create: Action<(content: EntryContent, storage: Resource.Storage), Entry> {
        Action(Self.createDescriptor) { [catalogue] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            let owners = catalogue.kernel.gate.ownersReached(by: decision.caller, with: .catalogueEdit)
            guard owners == nil || owners?.contains(input.content.provider) == true else {
                throw Problem(
                    "access.denied",
                    status: 403,
                    zh: "只能为本部门编目。",
                    en: "Entries are made for one's own department."
                )
            }
            guard input.storage != .none else {
                throw Problem("entry.invalid", zh: "请选择数据的维护方式。", en: "Choose how the data is kept.")
            }
            let entry = try await catalogue.create(input.content, storage: input.storage, by: principal.id)
            decision.note("code", entry.resource.code)
            return entry
        }
    }

    private func target(_ code: String) async throws -> Resource { try await catalogue.kernel.resource(code) }

    public var save: Action<(code: String, content: EntryContent), Entry> {
        Action(Self.saveDescriptor, target: { try await target($0.code) }) { [catalogue] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            return try await catalogue.save(input.code, input.content, by: principal.id)
        }
    }

    public var submit: Action<(code: String, note: String), Entry> {
        Action(Self.submitDescriptor, target: { try await target($0.code) }) { [catalogue] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            return try await catalogue.submit(input.code, note: input.note, by: principal.id)
        }
    }

    /// A review's answer.
    public struct Review: Sendable {
        public var code: String
        public var approve: Bool
        public var note: String
        public init(code: String, approve: Bool, note: String) {
            self.code = code
            self.approve = approve
            self.note = note
        }
    }

    public var reviewForDepartment: Action<Review, Entry> { review(Self.departmentDescriptor, .department) }

    public var reviewForAuthority: Action<Review, Entry> { review(Self.authorityDescriptor, .authority) }

    private func review(_ descriptor: ActionDescriptor, _ stage: EntryStage) -> Action<Review, Entry> {
        Action(descriptor, target: { try await target($0.code) }) { [catalogue] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            decision.note("answer", input.approve ? "approved" : "returned")
            return try await catalogue.review(
                input.code,
                stage: stage,
                approve: input.approve,
                note: input.note,
                by: principal.id
            )
        }
    }

    public var withdraw: Action<(code: String, note: String), Entry> {
        Action(Self.withdrawDescriptor, target: { try await target($0.code) }) { [catalogue] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            return try await catalogue.withdraw(input.code, note: input.note, by: principal.id)
        }
    }

    /// The remarks of the compliance check.
    public func remarks(_ content: EntryContent) -> [ComplianceRemark] {
        Compliance.check(content, provider: catalogue.kernel.gate.organisations[content.provider])
    }
}
