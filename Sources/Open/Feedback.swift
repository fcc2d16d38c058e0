public import Basics
public import Kernel
public import Store
import Synchronization

/// What somebody said of an open resource, and what its owner answered.
public struct Feedback: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case error, question, wish

        public var title: LocalizedText {
            switch self {
            case .error: .init("数据有误", "an error in the data")
            case .question: .init("咨询", "a question")
            case .wish: .init("建议", "a wish")
            }
        }
    }

    public var id: Int64
    public var code: String
    public var name: String
    public var kind: Kind
    public var text: String
    /// How to reach who sent it; seen by the owner only.
    public var contact: String
    public var at: Int64
    public var answer: String?
    public var answeredAt: Int64?
}

/// Remarks of the public: they reach the owner and are answered.
public final class FeedbackBox: Sendable {
    let kernel: Kernel
    /// Remarks taken in the present minute: the public cannot fill the node.
    private let taken = Mutex<(minute: Int64, count: Int)>((0, 0))
    static let perMinute = 30
    /// Remarks on one resource that may wait for an answer.
    static let perResource = 200

    public static let migrations = [
        Migration(
            "open/002-feedback",
            [
                """
                CREATE TABLE feedback (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL REFERENCES resources (id), kind TEXT NOT NULL,
                text TEXT NOT NULL, contact TEXT NOT NULL, at BIGINT NOT NULL, answer TEXT, answered_at BIGINT, answered_by BIGINT)
                """,
                "CREATE INDEX feedback_resource ON feedback (resource, id)",
                "CREATE INDEX feedback_waiting ON feedback (answered_at, id)",
            ]
        )
    ]

    public init(kernel: Kernel) { self.kernel = kernel }

    static let sendDescriptor = ActionDescriptor(
        "feedback.send",
        .catalogueRead,
        .write,
        isPublic: true,
        zh: "提交反馈",
        en: "send a remark"
    )
    static let answersDescriptor = ActionDescriptor(
        "feedback.answers",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "已答复的反馈",
        en: "answered remarks"
    )
    static let listDescriptor = ActionDescriptor(
        "feedback.list",
        .catalogueEdit,
        .view,
        zh: "反馈列表",
        en: "list remarks"
    )
    static let answerDescriptor = ActionDescriptor(
        "feedback.answer",
        .catalogueEdit,
        .write,
        zh: "答复反馈",
        en: "answer a remark"
    )
    static let asideDescriptor = ActionDescriptor(
        "feedback.set_aside",
        .catalogueEdit,
        .write,
        zh: "搁置反馈",
        en: "put a remark aside"
    )
    public static let descriptors = [
        sendDescriptor, answersDescriptor, listDescriptor, answerDescriptor, asideDescriptor,
    ]

    private static let columns =
        "f.id, r.code, r.name, f.kind, f.text, f.contact, f.at, f.answer, f.answered_at FROM feedback f JOIN resources r ON r.id = f.resource"

    private static func read(_ row: SQLRow) -> Feedback {
        Feedback(
            id: row.integer(0),
            code: row.text(1),
            name: row.text(2),
            kind: Feedback.Kind(rawValue: row.text(3)) ?? .question,
            text: row.text(4),
            contact: row.text(5),
            at: row.integer(6),
            answer: row.optionalText(7),
            answeredAt: row.optionalInteger(8)
        )
    }

    static let busy = Problem(
        "feedback.busy",
        status: 429,
        zh: "反馈过多，请稍后再提交。",
        en: "There are too many remarks just now; try again later."
    )

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem("feedback.invalid", status: 422, zh: "反馈填写有误：\(zh)。", en: "The remark is not right: \(en).")
    }

    /// A remark as it is sent.
    public struct Remark: Sendable {
        public var code: String
        public var kind: Feedback.Kind
        public var text: String
        public var contact: String
        public init(code: String, kind: Feedback.Kind, text: String, contact: String) {
            self.code = code
            self.kind = kind
            self.text = text
            self.contact = contact
        }
    }

    /// Takes a remark; its number.
    public var send: Action<Remark, Int64> {
        Action(Self.sendDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] remark, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            let text = TextForms.trimmed(remark.text)
            guard (5...1000).contains(text.count), text.utf8.count <= 4000 else {
                throw Self.invalid("内容应为 5–1000 字", "5 to 1,000 characters")
            }
            guard remark.contact.utf8.count <= 400, remark.contact.count <= 100 else {
                throw Self.invalid("联系方式过长", "the contact is too long")
            }
            let now = kernel.clock.now()
            let minute = now / 60_000_000
            let isFull = taken.withLock { taken in
                if taken.minute != minute { taken = (minute, 0) }
                taken.count += 1
                return taken.count > Self.perMinute
            }
            guard !isFull else { throw Self.busy }
            let values: [SQLValue] = [
                .integer(resource.id.raw), .text(remark.kind.rawValue), .text(text),
                .text(TextForms.trimmed(remark.contact)), .integer(now),
            ]
            let id = try await kernel.databases.control.write { db in
                let waiting = try db.row(
                    "SELECT count(*) FROM (SELECT 1 FROM feedback WHERE resource = ? AND answered_at IS NULL LIMIT \(Self.perResource)) waiting",
                    [.integer(resource.id.raw)]
                )
                guard (waiting?.integer(0) ?? 0) < Self.perResource else { throw Self.busy }
                try db.execute("INSERT INTO feedback (resource, kind, text, contact, at) VALUES (?,?,?,?,?)", values)
                return db.lastInsertedID
            }
            decision.note("feedback", String(id))
            return id
        }
    }

    /// The answered remarks of a resource, without who sent them, newest first.
    public var answers: Action<String, [Feedback]> {
        Action(Self.answersDescriptor, target: { [kernel] in try await kernel.resource($0) }) {
            [kernel] _, decision in
            guard let resource = decision.resource else { return [] }
            return try await kernel.databases.control.glance { db in
                try db.rows(
                    "SELECT \(Self.columns) WHERE f.resource = ? AND f.answer IS NOT NULL ORDER BY f.id DESC LIMIT 20",
                    [.integer(resource.id.raw)]
                ).map { row in
                    var shown = Self.read(row)
                    shown.contact = ""
                    return shown
                }
            }
        }
    }

    /// Remarks on the resources the caller edits: those that wait first, or all.
    public var listed: Action<(waitingOnly: Bool, limit: Int), [Feedback]> {
        Action(Self.listDescriptor) { [kernel] input, decision in
            let owners = kernel.gate.ownersReached(by: decision.caller, with: .catalogueEdit)
            if owners?.isEmpty == true { return [] }
            let own = owners.map { "r.owner IN (\($0.map { String($0.raw) }.joined(separator: ",")))" } ?? "1 = 1"
            let waiting = input.waitingOnly ? " AND f.answered_at IS NULL" : ""
            return try await kernel.databases.control.read { db in
                try db.rows(
                    "SELECT \(Self.columns) WHERE \(own)\(waiting) ORDER BY \(input.waitingOnly ? "" : "f.answered_at IS NOT NULL, ")f.id DESC LIMIT \(max(1, min(input.limit, 500)))"
                ).map(Self.read)
            }
        }
    }

    public var answer: Action<(id: Int64, text: String), Void> {
        Action(Self.answerDescriptor, target: { [self] in try await resource(of: $0.id) }) { [kernel] input, decision in
            let text = TextForms.trimmed(input.text)
            guard (2...2000).contains(text.count), text.utf8.count <= 8000, let principal = decision.caller.principal
            else {
                throw Self.invalid("答复应为 2–2000 字", "an answer has 2 to 2,000 characters")
            }
            let now = kernel.clock.now()
            let resource = decision.resource
            try await kernel.databases.control.write { db in
                try db.execute(
                    "UPDATE feedback SET answer = ?, answered_at = ?, answered_by = ? WHERE id = ?",
                    [.text(text), .integer(now), .integer(principal.id.raw), .integer(input.id)]
                )
                guard let resource else { return }
                try EventLog.note(.answered, resource, [.init("feedback", .integer(input.id))], at: now, db)
            }
            decision.note("feedback", String(input.id))
        }
    }

    /// Puts a remark aside that needs no answer: it is no longer waiting and is not shown to the public.
    public var setAside: Action<Int64, Void> {
        Action(Self.asideDescriptor, target: { [self] in try await resource(of: $0) }) { [kernel] id, decision in
            guard let principal = decision.caller.principal else { throw Self.busy }
            let now = kernel.clock.now()
            try await kernel.databases.control.write { db in
                try db.execute(
                    "UPDATE feedback SET answered_at = ?, answered_by = ? WHERE id = ? AND answer IS NULL",
                    [.integer(now), .integer(principal.id.raw), .integer(id)]
                )
            }
            decision.note("feedback", String(id))
        }
    }

    private func resource(of id: Int64) async throws -> Resource {
        let code = try await kernel.databases.control.read { db in
            try db.row(
                "SELECT r.code FROM feedback f JOIN resources r ON r.id = f.resource WHERE f.id = ?",
                [.integer(id)]
            )?.text(0)
        }
        guard let code else { throw Problem.notFound(.init("反馈", "the remark")) }
        return try await kernel.resource(code)
    }
}
