public import Store
import Tabular

/// Remarks of the public as releases before 0.10 kept them: nothing is written here any more; what a data directory has of them goes into the
/// pack `feedback` at the first start.
public struct FormerFeedback: Sendable {
    public var id: Int64
    /// The code of the entry it is about.
    public var code: String
    public var kind: String
    public var text: String
    public var contact: String
    public var at: Int64
    /// Nil where it was put aside, or waits.
    public var answer: String?
    /// Nil where it waits.
    public var answeredAt: Int64?
    public var answeredBy: Int64?

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

    /// The first remarks that are still there, after a number.
    public static func first(_ limit: Int, after id: Int64, _ db: any SQLReading) throws -> [FormerFeedback] {
        try db.rows(
            "SELECT f.id, r.code, f.kind, f.text, f.contact, f.at, f.answer, f.answered_at, f.answered_by FROM feedback f JOIN resources r ON r.id = f.resource WHERE f.id > ? ORDER BY f.id LIMIT \(limit)",
            [.integer(id)]
        ).map { row in
            FormerFeedback(
                id: row.integer(0),
                code: row.text(1),
                kind: row.text(2),
                text: row.text(3),
                contact: row.text(4),
                at: row.integer(5),
                answer: row.optionalText(6),
                answeredAt: row.optionalInteger(7),
                answeredBy: row.optionalInteger(8)
            )
        }
    }

    /// Takes a remark out that went into the pack.
    public static func remove(_ id: Int64, _ db: any SQLWriting) throws {
        try db.execute("DELETE FROM feedback WHERE id = ?", [.integer(id)])
    }
}
