import Basics
public import Kernel
import Tabular

/// The catalogue's actions.
public struct CatalogueActions: Sendable {
    let catalogue: Catalogue
    /// An entry with its history. It is made once: nearly every request asks for one.
    public let show: Action<String, (entry: Entry, events: [EntryEvent])>

    public init(_ catalogue: Catalogue) {
        self.catalogue = catalogue
        show = Self.show(catalogue)
    }

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

    static let historyDescriptor = ActionDescriptor(
        "catalogue.history",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "发布历史",
        en: "when versions were published"
    )

    /// The published versions of an entry and when they came, newest first; not what was in them.
    public var history: Action<String, [(version: Int64, at: Int64)]> {
        Action(Self.historyDescriptor, target: { [catalogue] in try await catalogue.kernel.resource($0) }) {
            [catalogue] _, decision in
            guard let resource = decision.resource else { return [] }
            return try await catalogue.history(resource.id)
        }
    }

    static let returnedDescriptor = ActionDescriptor(
        "catalogue.returned",
        .catalogueEdit,
        .view,
        zh: "被退回的条目",
        en: "entries that were returned"
    )

    /// Drafts that a reviewer returned, with the reason, the latest first.
    public var returned: Action<Int, [(entry: Entry, note: String)]> {
        Action(Self.returnedDescriptor) { [catalogue] limit, decision in
            let owners = catalogue.kernel.gate.ownersReached(by: decision.caller, with: .catalogueEdit)
            return try await catalogue.returned(owners: owners, limit: max(1, min(limit, 100)))
        }
    }

    static let listDescriptor = ActionDescriptor(
        "catalogue.list",
        .catalogueRead,
        .view,
        zh: "目录条目列表",
        en: "list entries"
    )
    static let ledgerDescriptor = ActionDescriptor("catalogue.ledger", .catalogueRead, .view, zh: "总账本", en: "ledger")
    static let versionsDescriptor = ActionDescriptor(
        "catalogue.versions",
        .catalogueRead,
        .view,
        zh: "条目版本",
        en: "versions of an entry"
    )
    static let similarDescriptor = ActionDescriptor(
        "catalogue.similar",
        .catalogueRead,
        .view,
        zh: "相近条目",
        en: "similar entries"
    )
    static let importDescriptor = ActionDescriptor(
        "catalogue.import",
        .catalogueEdit,
        .write,
        zh: "导入目录工作簿",
        en: "import a catalogue workbook"
    )
    static let exportDescriptor = ActionDescriptor(
        "catalogue.export",
        .catalogueRead,
        .read,
        zh: "导出目录工作簿",
        en: "export a catalogue workbook"
    )

    public static let descriptors =
        standardDescriptors + [
            listDescriptor, returnedDescriptor, historyDescriptor, ledgerDescriptor, versionsDescriptor,
            similarDescriptor,
            importDescriptor, exportDescriptor,
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

    private static func show(_ catalogue: Catalogue) -> Action<String, (entry: Entry, events: [EntryEvent])> {
        Action(showDescriptor, target: { try await catalogue.kernel.resource($0) }) { _, decision in
            guard let id = decision.resource?.id.raw, let entry = try await catalogue.index.entry(id) else {
                throw Problem.notFound(.init("目录条目", "the entry"))
            }
            let owners = catalogue.kernel.gate.ownersReached(by: decision.caller, with: .catalogueRead)
            let isInsider = owners == nil || owners?.contains(entry.resource.owner) == true
            var shown = entry
            // Drafts and history are the provider's and the reviewers' business.
            if !isInsider, shown.draft != nil { shown.draft = nil }
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

    private func owners(_ decision: Decision, _ permission: Permission = .catalogueRead) -> Set<OrganisationID>? {
        catalogue.kernel.gate.ownersReached(by: decision.caller, with: permission)
    }

    /// Entries within reach for those who work on them, drafts included, with their number.
    public var list: Action<EntryListQuery, EntryList> {
        Action(Self.listDescriptor) { [catalogue, self] query, decision in
            try await catalogue.index.list(query, owners: owners(decision), now: catalogue.kernel.clock.now())
        }
    }

    /// The ledger of all entries within reach.
    public var ledger: Action<Void, Ledger> {
        Action(Self.ledgerDescriptor) { [catalogue, self] _, decision in
            try await catalogue.index.ledger(owners: owners(decision), now: catalogue.kernel.clock.now())
        }
    }

    /// The published versions of an entry, for its provider and its reviewers.
    public var versions: Action<String, [EntryVersion]> {
        Action(Self.versionsDescriptor, target: { try await target($0) }) { [catalogue, self] _, decision in
            guard let resource = decision.resource, owners(decision)?.contains(resource.owner) ?? true else {
                return []
            }
            return try await catalogue.versions(resource.id)
        }
    }

    /// Entries that may hold the same data (一数一源), for those who prepare and review.
    public var similar: Action<String, [SimilarEntry]> {
        Action(Self.similarDescriptor, target: { try await target($0) }) { [catalogue, self] code, decision in
            let entry = try await catalogue.entry(code)
            guard owners(decision)?.contains(entry.resource.owner) ?? true, let content = entry.content else {
                return []
            }
            return try await catalogue.similar(to: content, except: entry.resource.id, owners: owners(decision))
        }
    }

    /// Reads a workbook; with `applies` and without an error all its entries become drafts, in one transaction.
    public var importWorkbook: Action<(path: String, source: String, applies: Bool), ImportReport> {
        Action(Self.importDescriptor) { [catalogue, self] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            let report = try await catalogue.importWorkbook(
                input.path,
                applies: input.applies,
                owners: owners(decision, .catalogueEdit),
                by: principal.id
            )
            decision.note("created", String(report.created))
            decision.note("changed", String(report.changed))
            decision.note("errors", String(report.errors))
            decision.note("applied", String(report.isApplied))
            return report
        }
    }

    /// The entries within reach of a query, as a stream to write a workbook from.
    public var export: Action<EntryListQuery, EntryScan> {
        Action(Self.exportDescriptor) { [catalogue, self] query, decision in
            EntryScan(catalogue, query, owners: owners(decision))
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
