public import Basics
public import Codes
public import Kernel
public import Mask
public import Store
import Tabular

/// The path to the open list: 提供方申请 → 保密审查及个人信息检查 → 主管部门审核 → 列入开放清单. Nothing is open without it.
public struct OpeningRequest: Sendable {
    public enum Stage: String, Sendable, CaseIterable {
        /// 保密审查及个人信息检查.
        case secrecy
        /// 主管部门审核.
        case authority
        case open
        case refused
        case closed

        public var title: LocalizedText {
            switch self {
            case .secrecy: .init("保密审查及个人信息检查", "secrecy review and personal information check")
            case .authority: .init("主管部门审核", "authority review")
            case .open: .init("已列入开放清单", "on the open list")
            case .refused: .init("未通过", "refused")
            case .closed: .init("已停止开放", "closed")
            }
        }
    }

    /// A field as it would be open.
    public struct Item: Sendable, Hashable {
        public var field: String
        public var openness: Openness
        public var mask: Mask?
        public init(field: String, openness: Openness, mask: Mask?) {
            self.field = field
            self.openness = openness
            self.mask = mask
        }
    }

    public var id: Int64
    public var resource: ResourceID
    public var code: String
    public var name: String
    public var stage: Stage
    public var items: [Item]
    public var reason: String
    public var applicant: PrincipalID
    public var secrecyReviewer: PrincipalID?
    public var secrecyNote: String
    public var authorityReviewer: PrincipalID?
    public var authorityNote: String
    public var at: Int64
    /// The day by which the opening is looked at again.
    public var nextReview: Int32?

    static let columns =
        "o.id, o.resource, r.code, r.name, o.stage, o.items, o.reason, o.applicant, o.secrecy_reviewer, o.secrecy_note, o.authority_reviewer, o.authority_note, o.at, o.next_review"

    static func read(_ row: SQLRow) throws -> OpeningRequest {
        let items = try JSONValue(text: row.text(5)).array ?? []
        return OpeningRequest(
            id: row.integer(0),
            resource: ResourceID(row.integer(1)),
            code: row.text(2),
            name: row.text(3),
            stage: Stage(rawValue: row.text(4)) ?? .refused,
            items: items.map { item in
                Item(
                    field: item["field"]?.string ?? "",
                    openness: item["openness"]?.integer.flatMap { Openness(rawValue: Int($0)) } ?? .none,
                    mask: item["mask"]?.string.map { Mask(code: $0) ?? .suppress }
                )
            },
            reason: row.text(6),
            applicant: PrincipalID(row.integer(7)),
            secrecyReviewer: row.optionalInteger(8).map { PrincipalID($0) },
            secrecyNote: row.text(9),
            authorityReviewer: row.optionalInteger(10).map { PrincipalID($0) },
            authorityNote: row.text(11),
            at: row.integer(12),
            nextReview: row.optionalInteger(13).map { Int32($0) }
        )
    }
}

/// Opening resources to the public.
public final class Opening: Sendable {
    let kernel: Kernel
    /// The personal kinds that the values of a resource give away, by field.
    let kinds: @Sendable (Resource) async throws -> [String: SemanticKind]
    /// Told when a resource was opened or closed.
    let changed: @Sendable (String) async throws -> Void

    public static let migrations = [
        Migration(
            "open/001-openings",
            [
                """
                CREATE TABLE openings (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL REFERENCES resources (id), stage TEXT NOT NULL,
                items TEXT NOT NULL, reason TEXT NOT NULL, applicant BIGINT NOT NULL, secrecy_reviewer BIGINT,
                secrecy_note TEXT NOT NULL DEFAULT '', authority_reviewer BIGINT, authority_note TEXT NOT NULL DEFAULT '',
                at BIGINT NOT NULL, next_review BIGINT)
                """,
                "CREATE INDEX openings_resource ON openings (resource, id)",
                "CREATE INDEX openings_stage ON openings (stage, id)",
            ]
        )
    ]

    public init(
        kernel: Kernel,
        kinds: @escaping @Sendable (Resource) async throws -> [String: SemanticKind],
        changed: @escaping @Sendable (String) async throws -> Void
    ) {
        self.kinds = kinds
        self.kernel = kernel
        self.changed = changed
    }

    /// What an application begins with: personal fields masked, or closed where no mask helps; of the others those shared without
    /// conditions and graded 2 at most are open.
    public static func proposal(_ resource: Resource) -> [OpeningRequest.Item] {
        resource.schema.fields.enumerated().map { index, field in
            if field.protectedKind?.isPersonal == true {
                let mask = field.protectedKind.flatMap(Mask.standard) ?? .suppress
                return .init(field: field.name, openness: mask == .suppress ? .none : .unconditional, mask: mask)
            }
            let isShared = resource.sharing(index) == .unconditional && field.grade <= .general2
            return .init(field: field.name, openness: isShared ? .unconditional : .none, mask: nil)
        }
    }

    func apply(
        _ resource: Resource,
        items: [OpeningRequest.Item],
        reason: String,
        by applicant: PrincipalID
    ) async throws -> OpeningRequest {
        guard resource.state == .published else {
            throw Problem(
                "open.not_published",
                status: 409,
                zh: "先发布目录，再申请开放。",
                en: "Publish the entry before you apply for opening."
            )
        }
        guard !TextForms.trimmed(reason).isEmpty else {
            throw Problem("open.reason", status: 422, zh: "请写明开放理由。", en: "Give a reason for the opening.")
        }
        let checked = try Opening.check(items, resource, try await kinds(resource))
        let now = kernel.clock.now()
        let json = Opening.json(checked)
        let id = try await kernel.databases.control.write { db in
            if try db.row(
                "SELECT 1 FROM openings WHERE resource = ? AND stage IN ('secrecy', 'authority')",
                [.integer(resource.id.raw)]
            ) != nil {
                throw Problem("open.pending", status: 409, zh: "已有一份申请在办理。", en: "An application is under way already.")
            }
            try db.execute(
                "INSERT INTO openings (resource, stage, items, reason, applicant, at) VALUES (?,'secrecy',?,?,?,?)",
                [.integer(resource.id.raw), .text(json), .text(reason), .integer(applicant.raw), .integer(now)]
            )
            return db.lastInsertedID
        }
        return try await find(id)
    }

    static func json(_ items: [OpeningRequest.Item]) -> String {
        JSONValue.array(
            items.map {
                .object([
                    .init("field", .string($0.field)), .init("openness", .integer(Int64($0.openness.rawValue))),
                    .init("mask", $0.mask.map { .string($0.code) } ?? .null),
                ])
            }
        ).text
    }

    /// Personal fields never go out as they are, important data not at all.
    static func check(
        _ items: [OpeningRequest.Item],
        _ resource: Resource,
        _ seen: [String: SemanticKind]
    ) throws(Problem) -> [OpeningRequest.Item] {
        var checked: [OpeningRequest.Item] = []
        for var item in items where item.openness != .none {
            guard let field = resource.schema[item.field] else {
                throw Problem("open.field", zh: "没有字段“\(item.field)”。", en: "There is no field “\(item.field)”.")
            }
            guard field.grade < .important else {
                throw Problem(
                    "open.grade",
                    status: 403,
                    zh: "“\(field.display)”属于\(field.grade.title.zh)，不得开放。",
                    en: "“\(field.name)” is \(field.grade.title.en) and must not be opened."
                )
            }
            // The standard mask or nothing: a weaker one is no mask.
            if let kind = field.protectedKind ?? seen[field.name], kind.isPersonal, item.mask != .suppress {
                item.mask = Mask.standard(for: kind) ?? .suppress
            }
            checked.append(item)
        }
        guard !checked.isEmpty else {
            throw Problem("open.empty", status: 422, zh: "没有选择要开放的信息项。", en: "No item was chosen to be opened.")
        }
        return checked
    }

    func find(_ id: Int64) async throws -> OpeningRequest {
        let found = try await kernel.databases.control.read { db in
            try db.row(
                "SELECT \(OpeningRequest.columns) FROM openings o JOIN resources r ON r.id = o.resource WHERE o.id = ?",
                [.integer(id)]
            )
            .map(OpeningRequest.read)
        }
        guard let found else { throw Problem.notFound(.init("开放申请", "the application")) }
        return found
    }

    func list(
        owners: Set<OrganisationID>?,
        stage: OpeningRequest.Stage?,
        resource: ResourceID? = nil,
        limit: Int
    ) async throws -> [OpeningRequest] {
        var conditions = ["1 = 1"]
        var values: [SQLValue] = []
        if let owners {
            conditions.append(
                "r.owner IN (\((owners.isEmpty ? [-1] : owners.map(\.raw)).map { String($0) }.joined(separator: ",")))"
            )
        }
        if let stage {
            conditions.append("o.stage = ?")
            values.append(.text(stage.rawValue))
        }
        if let resource {
            conditions.append("o.resource = ?")
            values.append(.integer(resource.raw))
        }
        let sql =
            "SELECT \(OpeningRequest.columns) FROM openings o JOIN resources r ON r.id = o.resource WHERE \(conditions.joined(separator: " AND ")) ORDER BY o.id DESC LIMIT \(limit)"
        let bound = values
        return try await kernel.databases.control.read { db in try db.rows(sql, bound).map(OpeningRequest.read) }
    }

    /// The secrecy reviewer's answer.
    func reviewSecrecy(
        _ id: Int64,
        approve: Bool,
        note: String,
        by reviewer: PrincipalID
    ) async throws -> OpeningRequest {
        let request = try await find(id)
        try Opening.guardReview(request, stage: .secrecy, note: note, others: [request.applicant], reviewer)
        let values: [SQLValue] = [
            .text(approve ? "authority" : "refused"), .integer(reviewer.raw), .text(note), .integer(id),
        ]
        try await move(
            "UPDATE openings SET stage = ?, secrecy_reviewer = ?, secrecy_note = ? WHERE id = ? AND stage = 'secrecy'",
            values
        )
        return try await find(id)
    }

    /// The authority's answer. With a yes the grants to the public come into force.
    func reviewAuthority(
        _ id: Int64,
        approve: Bool,
        note: String,
        nextReview: Int32,
        by reviewer: PrincipalID
    ) async throws -> OpeningRequest {
        let request = try await find(id)
        try Opening.guardReview(
            request,
            stage: .authority,
            note: note,
            others: [request.applicant, request.secrecyReviewer].compactMap { $0 },
            reviewer
        )
        guard approve else {
            try await move(
                "UPDATE openings SET stage = 'refused', authority_reviewer = ?, authority_note = ? WHERE id = ? AND stage = 'authority'",
                [.integer(reviewer.raw), .text(note), .integer(id)]
            )
            return try await find(id)
        }
        let now = kernel.clock.now()
        guard nextReview > CivilTime.chinaDay(microseconds: now) else {
            throw Problem(
                "open.next_review",
                status: 422,
                zh: "下次复审日期应在今天之后。",
                en: "The next review should be after today."
            )
        }
        var resource = try await kernel.resource(request.resource)
        guard resource.state == .published else {
            throw Problem("open.not_published", status: 409, zh: "目录已下线。", en: "The entry was withdrawn.")
        }
        // The schema may have changed since the application: a field that is gone or became personal is not opened unseen.
        let items = try Opening.check(request.items, resource, try await kinds(resource))
        resource.isOpen = true
        resource.openness = resource.schema.fields.map { field in
            items.first { $0.field == field.name }?.openness ?? .none
        }
        let opened = resource
        let unconditional = items.filter { $0.openness == .unconditional && $0.mask != .suppress }
        let grant = Grant(
            to: .anyone,
            [.dataRead, .catalogueRead],
            on: .resource(opened.id),
            fields: Set(unconditional.map(\.field)),
            masks: Dictionary(
                unconditional.compactMap { item in item.mask.map { (item.field, $0) } },
                uniquingKeysWith: { first, _ in first }
            ),
            purpose: "开放清单 \(id)"
        )
        try await kernel.databases.control.write { db in
            let changed = try db.execute(
                "UPDATE openings SET stage = 'open', authority_reviewer = ?, authority_note = ?, next_review = ? WHERE id = ? AND stage = 'authority'",
                [.integer(reviewer.raw), .text(note), .integer(Int64(nextReview)), .integer(id)]
            )
            guard changed == 1 else { throw Opening.taken() }
            try db.execute(
                "UPDATE openings SET stage = 'closed' WHERE resource = ? AND stage = 'open' AND id <> ?",
                [.integer(opened.id.raw), .integer(id)]
            )
            _ = try Kernel.save(opened, db)
            try Kernel.removePublicGrants(of: opened.id, db)
            try Kernel.add(grant, by: reviewer, at: now, db)
            try EventLog.note(.opened, opened, [.init("items", .integer(Int64(items.count)))], at: now, db)
        }
        kernel.forget(resource: opened.code)
        try await kernel.gate.reload()
        try await changed(opened.code)
        return try await find(id)
    }

    /// Takes a resource off the open list.
    func close(_ id: Int64, note: String, by reviewer: PrincipalID) async throws -> OpeningRequest {
        let request = try await find(id)
        guard request.stage == .open else {
            throw Problem("open.stage", status: 409, zh: "该资源不在开放清单上。", en: "It is not on the open list.")
        }
        var resource = try await kernel.resource(request.resource)
        resource.isOpen = false
        resource.openness = resource.openness.map { _ in .none }
        let closed = resource
        let now = kernel.clock.now()
        try await kernel.databases.control.write { db in
            let changed = try db.execute(
                "UPDATE openings SET stage = 'closed', authority_note = authority_note || ? WHERE id = ? AND stage = 'open'",
                [.text("；停止开放：\(note)"), .integer(id)]
            )
            guard changed == 1 else { throw Opening.taken() }
            _ = try Kernel.save(closed, db)
            try Kernel.removePublicGrants(of: closed.id, db)
            try EventLog.note(.closed, closed, [], wasOpen: true, at: now, db)
        }
        kernel.forget(resource: closed.code)
        try await kernel.gate.reload()
        try await changed(closed.code)
        return try await find(id)
    }

    private func move(_ sql: String, _ values: [SQLValue]) async throws {
        try await kernel.databases.control.write { db in
            guard try db.execute(sql, values) == 1 else { throw Opening.taken() }
        }
    }

    static func taken() -> Problem {
        Problem("open.stage", status: 409, zh: "申请刚被他人处理。", en: "Somebody else has just dealt with the application.")
    }

    static func guardReview(
        _ request: OpeningRequest,
        stage: OpeningRequest.Stage,
        note: String,
        others: [PrincipalID],
        _ reviewer: PrincipalID
    ) throws(Problem) {
        guard request.stage == stage else {
            throw Problem(
                "open.stage",
                status: 409,
                zh: "申请处于“\(request.stage.title.zh)”。",
                en: "The application is at “\(request.stage.title.en)”."
            )
        }
        guard !others.contains(reviewer) else {
            throw Problem(
                "open.own_review",
                status: 403,
                zh: "申请、保密审查、主管部门审核须由不同的人办理。",
                en: "Application, secrecy review and authority review are done by different people."
            )
        }
        guard !TextForms.trimmed(note).isEmpty else {
            throw Problem("open.note", status: 422, zh: "审查须写明意见。", en: "A review needs a statement.")
        }
    }
}
