import Codes
public import Basics
public import Kernel
import Store
import Tabular

/// A difference between two versions of an entry.
public struct EntryDifference: Sendable, Hashable {
    /// What differs, for people: `摘要`, `信息项 车牌号 · 共享类型`.
    public var what: LocalizedText
    /// Empty where it was added.
    public var before: String
    /// Empty where it was taken away.
    public var after: String
}

/// A published version of an entry.
public struct EntryVersion: Sendable {
    public var version: Int64
    public var at: Int64
    public var content: EntryContent
}

/// An entry that may be the same as another, and why.
public struct SimilarEntry: Sendable {
    public var entry: Entry
    /// How far the names agree, 0–1 (pairs of characters they share).
    public var nameLikeness: Double
    /// Items of the same name in both.
    public var sharedItems: [String]
}

extension EntryContent {
    /// What differs from an earlier content, resource first, then item by item.
    public func differences(from old: EntryContent, _ organisations: OrganisationTree) -> [EntryDifference] {
        var found: [EntryDifference] = []
        func compare(_ zh: String, _ en: String, _ before: String, _ after: String) {
            if before != after { found.append(.init(what: .init(zh, en), before: before, after: after)) }
        }
        compare("信息资源名称", "name", old.name, name)
        compare("分类", "category", old.category, category)
        compare("内部部门", "department", old.department, department)
        compare("摘要", "summary", old.summary, summary)
        compare("关键词", "keywords", old.keywords.joined(separator: " "), keywords.joined(separator: " "))
        compare("格式", "format", old.formatType, formatType)
        compare("更新周期", "frequency", old.frequency.title.zh, frequency.title.zh)
        compare("关联资源代码", "related resources", old.related.joined(separator: "、"), related.joined(separator: "、"))
        compare("层级", "level", old.level.title.zh, level.title.zh)
        compare("主键", "key", old.schema.key.joined(separator: "、"), schema.key.joined(separator: "、"))
        for (index, field) in old.schema.fields.enumerated() where schema.index(field.name) == nil {
            compare("信息项(删除)", "item taken away", describe(field, old.items, index), "")
        }
        for (index, field) in schema.fields.enumerated() {
            guard let at = old.schema.index(field.name) else {
                compare("信息项(新增)", "item added", "", describe(field, items, index))
                continue
            }
            let before = old.schema.fields[at]
            func part(_ zh: String, _ en: String, _ a: String, _ b: String) {
                compare("信息项 \(field.display) · \(zh)", "item \(field.name) · \(en)", a, b)
            }
            part("中文名称", "title", before.title, field.title)
            part("数据类型", "type", before.type.title.zh, field.type.title.zh)
            part("含义", "meaning", before.kind?.title.zh ?? "", field.kind?.title.zh ?? "")
            part("必填", "required", before.required ? "是" : "否", field.required ? "是" : "否")
            part("分级", "grade", before.grade.title.zh, field.grade.title.zh)
            let policies = (old.policy(at), policy(index))
            part("共享类型", "sharing", policies.0.sharing.title.zh, policies.1.sharing.title.zh)
            part("共享条件", "condition", policies.0.condition, policies.1.condition)
            part("共享方式", "mode", policies.0.mode.title.zh, policies.1.mode.title.zh)
        }
        return found
    }

    private func policy(_ index: Int) -> ItemPolicy { index < items.count ? items[index] : ItemPolicy() }

    private func describe(_ field: Field, _ items: [ItemPolicy], _ index: Int) -> String {
        let sharing = index < items.count ? items[index].sharing : .none
        return "\(field.display) · \(field.type.title.zh) · \(sharing.title.zh)"
    }
}

extension Catalogue {
    /// When the versions of an entry were published, newest first.
    func history(_ resource: ResourceID) async throws -> [(version: Int64, at: Int64)] {
        try await kernel.databases.control.glance { db in
            try db.rows(
                "SELECT version, at FROM entry_versions WHERE resource = ? ORDER BY version DESC LIMIT 20",
                [.integer(resource.raw)]
            ).map { ($0.integer(0), $0.integer(1)) }
        }
    }

    /// The published versions of an entry, newest first.
    func versions(_ resource: ResourceID) async throws -> [EntryVersion] {
        try await kernel.databases.control.read { db in
            try db.rows(
                "SELECT version, at, content FROM entry_versions WHERE resource = ? ORDER BY version DESC LIMIT 100",
                [.integer(resource.raw)]
            ).map {
                EntryVersion(
                    version: $0.integer(0),
                    at: $0.integer(1),
                    content: try EntryContent(JSONValue(text: $0.text(2)))
                )
            }
        }
    }

    /// Entries of any provider that may hold the same data (一数一源): names that share most pairs of characters, or most items.
    func similar(
        to content: EntryContent,
        except resource: ResourceID,
        owners: Set<OrganisationID>?
    ) async throws -> [SimilarEntry] {
        let pairs = Catalogue.pairs(content.name)
        guard !pairs.isEmpty else { return [] }
        // The pairs are phrases of the full text; the best twenty by its rank are looked at closely.
        let ids = try await kernel.databases.control.read { db in
            try EntryText.best(20, of: pairs.prefix(40).map { String($0) }, db)
        }
        let items = Set(content.schema.fields.map { TextForms.comparable($0.display) })
        return try await index.entries(ids.filter { $0 != resource.raw }).compactMap { entry -> SimilarEntry? in
            var entry = entry
            // Others' drafts are their own business: what is published is known to every department.
            if owners?.contains(entry.resource.owner) == false { entry.draft = nil }
            guard let other = entry.content, entry.resource.state != .offline else { return nil }
            let theirs = Catalogue.pairs(other.name)
            let likeness = 2 * Double(pairs.intersection(theirs).count) / Double(pairs.count + theirs.count)
            let shared = other.schema.fields.map(\.display).filter { items.contains(TextForms.comparable($0)) }
            let overlap = Double(shared.count) / Double(max(1, min(items.count, other.schema.fields.count)))
            guard likeness >= 0.75 || likeness >= 0.4 && overlap >= 0.6 else { return nil }
            return SimilarEntry(entry: entry, nameLikeness: likeness, sharedItems: shared)
        }.sorted { $0.nameLikeness > $1.nameLikeness }
    }

    /// The pairs of neighbouring characters of a name, reduced for comparison.
    static func pairs(_ name: String) -> Set<String> {
        let characters = Array(TextForms.comparable(name))
        guard characters.count > 1 else { return Set(characters.map(String.init)) }
        return Set((1..<characters.count).map { String(characters[($0 - 1)...$0]) })
    }
}
