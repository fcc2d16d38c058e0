import Basics
import Store

/// A list as somebody likes to see it: a page and its filters, under a name.
public struct SavedView: Sendable {
    public var name: String
    /// The filters, as they stand in an address.
    public var query: String

    public init(name: String, query: String) {
        self.name = name
        self.query = query
    }
}

extension Administration {
    static let viewsDescriptor = ActionDescriptor("view.list", .sessionOwn, .view, zh: "本人的视图", en: "one's saved views")
    static let saveViewDescriptor = ActionDescriptor("view.save", .sessionOwn, .write, zh: "保存视图", en: "save a view")
    static let removeViewDescriptor = ActionDescriptor(
        "view.remove",
        .sessionOwn,
        .write,
        zh: "删除视图",
        en: "remove a view"
    )
    static let viewDescriptors = [viewsDescriptor, saveViewDescriptor, removeViewDescriptor]

    static let viewsMigration = Migration(
        "kernel/007-saved-views",
        [
            "CREATE TABLE saved_views (principal BIGINT NOT NULL, page TEXT NOT NULL, name TEXT NOT NULL, query TEXT NOT NULL, PRIMARY KEY (principal, page, name))"
        ]
    )
    static let viewLimit = 30

    /// The caller's views of a page, by name.
    public var views: Action<String, [SavedView]> {
        Action(Self.viewsDescriptor) { [kernel] page, decision in
            guard let principal = decision.caller.principal else { return [] }
            return try await kernel.databases.control.read { db in
                try db.rows(
                    "SELECT name, query FROM saved_views WHERE principal = ? AND page = ? ORDER BY name",
                    [.integer(principal.id.raw), .text(page)]
                ).map { SavedView(name: $0.text(0), query: $0.text(1)) }
            }
        }
    }

    /// Saves a view, or changes the one of that name.
    public var saveView: Action<(page: String, view: SavedView), Void> {
        Action(Self.saveViewDescriptor) { [kernel] input, decision in
            let name = TextForms.trimmed(input.view.name)
            guard let principal = decision.caller.principal, (1...30).contains(name.count),
                input.view.query.count <= 2000
            else {
                throw Problem(
                    "view.invalid",
                    status: 422,
                    zh: "视图名称应为 1–30 字。",
                    en: "A view's name has 1–30 characters."
                )
            }
            try await kernel.databases.control.write { db in
                let count = try db.row(
                    "SELECT count(*) FROM saved_views WHERE principal = ? AND NOT (page = ? AND name = ?)",
                    [.integer(principal.id.raw), .text(input.page), .text(name)]
                )
                guard (count?.integer(0) ?? 0) < Self.viewLimit else {
                    throw Problem(
                        "view.limit",
                        status: 409,
                        zh: "视图过多，请先删除不用的。",
                        en: "There are too many views; remove some."
                    )
                }
                try db.execute(
                    "INSERT INTO saved_views (principal, page, name, query) VALUES (?,?,?,?) ON CONFLICT (principal, page, name) DO UPDATE SET query = excluded.query",
                    [.integer(principal.id.raw), .text(input.page), .text(name), .text(input.view.query)]
                )
            }
        }
    }

    public var removeView: Action<(page: String, name: String), Void> {
        Action(Self.removeViewDescriptor) { [kernel] input, decision in
            guard let principal = decision.caller.principal else { return }
            try await kernel.databases.control.write { db in
                try db.execute(
                    "DELETE FROM saved_views WHERE principal = ? AND page = ? AND name = ?",
                    [.integer(principal.id.raw), .text(input.page), .text(input.name)]
                )
            }
        }
    }
}
