import Store
import Basics
public import Kernel

/// The actions of the opening path.
public struct OpenActions: Sendable {
    let opening: Opening

    public init(_ opening: Opening) { self.opening = opening }

    public static let applyDescriptor = ActionDescriptor(
        "open.apply",
        .openApply,
        .write,
        zh: "申请开放",
        en: "apply for opening"
    )
    public static let secrecyDescriptor = ActionDescriptor(
        "open.review_secrecy",
        .openReviewSecrecy,
        .write,
        zh: "保密审查及个人信息检查",
        en: "secrecy review and personal information check"
    )
    public static let authorityDescriptor = ActionDescriptor(
        "open.review_authority",
        .openReviewAuthority,
        .write,
        zh: "开放审核",
        en: "review opening for the authority"
    )
    public static let closeDescriptor = ActionDescriptor(
        "open.close",
        .openReviewAuthority,
        .write,
        zh: "停止开放",
        en: "close"
    )
    static let listDescriptor = ActionDescriptor(
        "open.list",
        .catalogueRead,
        .view,
        zh: "开放申请列表",
        en: "list opening applications"
    )

    static let openListDescriptor = ActionDescriptor(
        "open.open_list",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "开放清单",
        en: "the open list"
    )

    /// A resource on the open list (开放清单).
    public struct Listing: Sendable {
        public var id: Int64
        public var code: String
        public var name: String
        public var owner: OrganisationID
        /// The day by which its opening is looked at again.
        public var nextReview: Int32?
    }

    /// The open list, in the order of opening, after one of its numbers.
    public var openList: Action<(after: Int64, limit: Int), [Listing]> {
        Action(Self.openListDescriptor) { [opening] input, _ in
            try await opening.kernel.databases.control.read { db in
                try db.rows(
                    "SELECT o.id, r.code, r.name, r.owner, o.next_review FROM openings o JOIN resources r ON r.id = o.resource WHERE o.stage = 'open' AND o.id > ? AND r.is_open = 1 AND r.state = 'published' ORDER BY o.id LIMIT \(max(1, min(input.limit, 1000)))",
                    [.integer(input.after)]
                ).map {
                    Listing(
                        id: $0.integer(0),
                        code: $0.text(1),
                        name: $0.text(2),
                        owner: OrganisationID($0.integer(3)),
                        nextReview: $0.optionalInteger(4).map { Int32($0) }
                    )
                }
            }
        }
    }

    public static let descriptors = [
        openListDescriptor, applyDescriptor, secrecyDescriptor, authorityDescriptor, closeDescriptor, listDescriptor,
    ]

    public var apply: Action<(code: String, items: [OpeningRequest.Item], reason: String), OpeningRequest> {
        Action(Self.applyDescriptor, target: { [opening] in try await opening.kernel.resource($0.code) }) {
            [opening] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let request = try await opening.apply(resource, items: input.items, reason: input.reason, by: principal.id)
            decision.note("application", String(request.id))
            decision.note("items", String(request.items.count))
            return request
        }
    }

    /// A reviewer's answer.
    public struct Answer: Sendable {
        public var id: Int64
        public var approve: Bool
        public var note: String
        public var nextReview: Int32
        public init(id: Int64, approve: Bool, note: String, nextReview: Int32 = 0) {
            self.id = id
            self.approve = approve
            self.note = note
            self.nextReview = nextReview
        }
    }

    private func target(_ id: Int64) async throws -> Resource {
        try await opening.kernel.resource(try await opening.find(id).resource)
    }

    public var reviewSecrecy: Action<Answer, OpeningRequest> {
        Action(Self.secrecyDescriptor, target: { try await target($0.id) }) { [opening] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            decision.note("application", String(input.id))
            decision.note("answer", input.approve ? "approved" : "refused")
            return try await opening.reviewSecrecy(input.id, approve: input.approve, note: input.note, by: principal.id)
        }
    }

    public var reviewAuthority: Action<Answer, OpeningRequest> {
        Action(Self.authorityDescriptor, target: { try await target($0.id) }) { [opening] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            decision.note("application", String(input.id))
            decision.note("answer", input.approve ? "approved" : "refused")
            return try await opening.reviewAuthority(
                input.id,
                approve: input.approve,
                note: input.note,
                nextReview: input.nextReview,
                by: principal.id
            )
        }
    }

    public var close: Action<(id: Int64, note: String), OpeningRequest> {
        Action(Self.closeDescriptor, target: { try await target($0.id) }) { [opening] input, decision in
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            decision.note("application", String(input.id))
            return try await opening.close(input.id, note: input.note, by: principal.id)
        }
    }

    /// Applications of the caller's organisations, or all with a wider grant.
    public var list: Action<(stage: OpeningRequest.Stage?, code: String?), [OpeningRequest]> {
        Action(
            Self.listDescriptor,
            target: { [opening] input in
                if let code = input.code { return try await opening.kernel.resource(code) }
                return nil
            }
        ) { [opening] input, decision in
            let owners = opening.kernel.gate.ownersReached(by: decision.caller, with: .catalogueRead)
            return try await opening.list(
                owners: owners,
                stage: input.stage,
                resource: decision.resource?.id,
                limit: 200
            )
        }
    }
}
