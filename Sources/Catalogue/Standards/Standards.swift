import Codes
public import Basics
import Kernel
import Store
import Synchronization
public import Tabular

/// The standards of a node at one moment: data elements, code lists, classification trees.
public struct StandardsRegistry: Sendable {
    public var elements: [String: DataElement] = [:]
    public var codeLists: [String: CodeList] = [:]
    public var trees: [String: ClassificationTree] = [:]
    /// The day at which code lists are taken.
    var day: Int32 = 0

    public init() {}

    /// The whole registry, as it can be imported again.
    public var json: JSONValue {
        .object([
            .init("elements", .array(elements.values.sorted { $0.id < $1.id }.map(\.json))),
            .init("code_lists", .array(codeLists.values.sorted { $0.id < $1.id }.map(\.json))),
            .init("trees", .array(trees.values.sorted { $0.id < $1.id }.map(\.json))),
        ])
    }

    /// The codes of an element as they hold today; empty where it has none.
    public func codes(of element: DataElement) -> [CodeValue] {
        codeLists[element.codes]?.version(on: day).values.map { CodeValue($0.value, $0.label.zh) } ?? []
    }

    /// The element that a field without one most likely follows: one of the same name.
    public func element(for field: Field) -> DataElement? {
        let name = TextForms.comparable(field.display)
        return elements.values.filter { TextForms.comparable($0.name.zh) == name }.min { $0.id < $1.id }
    }

    /// Makes a field follow an element: its own name, title and constraints of presence stay.
    public func compose(_ field: Field, from element: DataElement) -> Field {
        var composed = element.field
        composed.name = field.name
        composed.title = field.title.isEmpty ? element.name.zh : field.title
        composed.detail = field.detail.isEmpty ? element.definition : field.detail
        composed.required = field.required
        composed.unique = field.unique
        composed.indexed = field.indexed
        composed.lenient = field.lenient || element.field.type != .text
        composed.element = element.id
        composed.codes = codes(of: element)
        composed.grade = max(field.grade, element.field.grade)
        return composed
    }
}

/// Where a field does not follow the element it names.
public struct StandardDeviation: Sendable, Hashable {
    public var field: String
    public var element: String
    public var message: LocalizedText
}

extension StandardsRegistry {
    /// Where a schema does not follow its elements; fields without an element deviate from nothing.
    public func deviations(_ schema: Schema) -> [StandardDeviation] {
        schema.fields.flatMap { field -> [StandardDeviation] in
            guard !field.element.isEmpty else { return [] }
            func deviation(_ zh: String, _ en: String) -> StandardDeviation {
                StandardDeviation(field: field.name, element: field.element, message: .init(zh, en))
            }
            guard let element = elements[field.element] else {
                return [deviation("数据元不在标准库中", "the element is not in the registry")]
            }
            var found: [StandardDeviation] = []
            let wanted = element.field
            let isSameType = field.type == wanted.type && (field.type != .decimal || field.scale == wanted.scale)
            if !isSameType {
                found.append(
                    deviation(
                        "类型应为\(wanted.type.title.zh)\(wanted.type == .decimal ? "(\(wanted.scale) 位小数)" : "")",
                        "the type should be \(wanted.type.title.en)\(wanted.type == .decimal ? " of \(wanted.scale) digits" : "")"
                    )
                )
            }
            if let limit = wanted.maximumLength, (field.maximumLength ?? .max) > limit, field.codes.isEmpty {
                found.append(deviation("长度不得超过 \(limit)", "no longer than \(limit)"))
            }
            if field.unit != wanted.unit, !wanted.unit.isEmpty {
                found.append(deviation("单位应为\(wanted.unit)", "the unit should be \(wanted.unit)"))
            }
            if let kind = wanted.kind, field.kind != kind {
                found.append(deviation("含义应为\(kind.title.zh)", "the meaning should be \(kind.title.en)"))
            }
            if field.grade < wanted.grade {
                found.append(deviation("分级不得低于\(wanted.grade.title.zh)", "no grade below \(wanted.grade.title.en)"))
            }
            let allowed = Set(codes(of: element).map(\.value))
            let foreign = field.codes.map(\.value).filter { !allowed.contains($0) }
            if !allowed.isEmpty, field.codes.isEmpty || !foreign.isEmpty {
                let list = element.codes
                found.append(
                    deviation("取值应来自代码集 \(list) 的现行版本", "values should come from the version of \(list) in force")
                )
            }
            return found
        }
    }

    /// Fields that name an element, and those of them that follow it.
    func conformance(_ schema: Schema) -> (bound: Int64, conforming: Int64) {
        let bound = schema.fields.count { !$0.element.isEmpty }
        let deviating = Set(deviations(schema).map(\.field)).count
        return (Int64(bound), Int64(bound - deviating))
    }
}

/// What kinds of things a registry holds.
public enum StandardKind: String, Sendable, CaseIterable {
    case element
    case codeList = "code_list"
    case tree

    /// What a document of `elements`, `code_lists` and `trees` holds, code lists first.
    public static func items(_ json: JSONValue) -> [(kind: StandardKind, json: JSONValue)] {
        [("code_lists", StandardKind.codeList), ("elements", .element), ("trees", .tree)].flatMap { name, kind in
            (json[name]?.array ?? []).map { (kind, $0) }
        }
    }

    public var title: LocalizedText {
        switch self {
        case .element: .init("数据元", "data elements")
        case .codeList: .init("代码集", "code lists")
        case .tree: .init("分类树", "classification trees")
        }
    }
}

/// The standards registry of a node, held in memory; every revision is kept.
public final class Standards: Sendable {
    let database: any Database
    let clock: Clock
    /// The registry as it was read, and how often it was changed: a slow reader puts nothing old back.
    private let held = Mutex<(generation: Int, registry: StandardsRegistry?)>((0, nil))

    static let migration = Migration(
        "catalogue/003-standards",
        [
            """
            CREATE TABLE standards (kind TEXT NOT NULL, id TEXT NOT NULL, revision BIGINT NOT NULL, content TEXT NOT NULL,
            at BIGINT NOT NULL, actor BIGINT NOT NULL, PRIMARY KEY (kind, id, revision))
            """,
            "ALTER TABLE entries ADD COLUMN bound BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE entries ADD COLUMN conforming BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE entries ADD COLUMN remarks BIGINT NOT NULL DEFAULT -1",
            "CREATE INDEX entries_unchecked ON entries (resource) WHERE remarks < 0",
            "CREATE INDEX entry_events_returned ON entry_events (id) WHERE what = 'returned'",
        ]
    )

    /// Remarks of providers are no longer counted with each entry: all are counted again.
    static let remarksMigration = Migration(
        "catalogue/004-remarks-of-entries",
        ["UPDATE entries SET remarks = -1"],
        postgresql: Kernel.tellingStatements([("entries", "resource"), ("standards", nil)])
    )

    init(database: any Database, clock: Clock) {
        self.database = database
        self.clock = clock
    }

    static func isIdentifier(_ text: String) -> Bool {
        (1...60).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || [0x2D, 0x2E, 0x5F].contains($0)
            }
    }

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem("standard.invalid", status: 422, zh: "数据标准有误：\(zh)。", en: "The standard is not right: \(en).")
    }

    /// Drops what is remembered: another process changed it.
    func forget() { held.withLock { $0 = ($0.generation + 1, nil) } }

    /// The registry as it stands.
    func registry() async throws -> StandardsRegistry {
        let today = CivilTime.chinaDay(microseconds: clock.now())
        let (generation, kept) = held.withLock { $0 }
        if var known = kept {
            known.day = today
            return known
        }
        var read = try await database.read { try Standards.read($0) }
        read.day = today
        let registry = read
        held.withLock { if $0.generation == generation { $0.registry = registry } }
        return registry
    }

    /// Saves new revisions, all or none; what is unchanged is left alone. How many changed.
    func save(_ items: [(kind: StandardKind, json: JSONValue)], by actor: PrincipalID) async throws -> Int {
        let now = clock.now()
        let count = try await database.write { db in
            var registry = try Standards.read(db)
            var changed: [(kind: String, id: String, text: String)] = []
            for item in items {
                var json = item.json
                // A revised code list keeps the versions that are not said again.
                if item.kind == .codeList, let known = registry.codeLists[json["id"]?.string ?? ""] {
                    json = try known.json(with: CodeList(json))
                }
                if item.kind == .tree { try ClassificationTree(json).checkSize() }
                changed.append((item.kind.rawValue, json["id"]?.string ?? "", try registry.put(item.kind, json)))
            }
            for element in registry.elements.values
            where !element.codes.isEmpty && registry.codeLists[element.codes] == nil {
                throw Standards.invalid(
                    "数据元 \(element.id) 所用的代码集 \(element.codes) 不存在",
                    "\(element.id) names the code list \(element.codes), which is not there"
                )
            }
            return try changed.reduce(0) { try $0 + (Standards.keep($1, now, actor, db) ? 1 : 0) }
        }
        held.withLock { $0 = ($0.generation + 1, nil) }
        return count
    }

    private static func read(_ db: any SQLReading) throws -> StandardsRegistry {
        var registry = StandardsRegistry()
        let rows = try db.rows(
            "SELECT kind, content FROM standards s WHERE revision = (SELECT max(revision) FROM standards n WHERE n.kind = s.kind AND n.id = s.id)"
        )
        for row in rows { try registry.put(StandardKind(rawValue: row.text(0)), try JSONValue(text: row.text(1))) }
        return registry
    }

    /// Keeps a new revision where something changed.
    private static func keep(
        _ item: (kind: String, id: String, text: String),
        _ now: Int64,
        _ actor: PrincipalID,
        _ db: any SQLWriting
    ) throws -> Bool {
        let known = try db.row(
            "SELECT revision, content FROM standards WHERE kind = ? AND id = ? ORDER BY revision DESC LIMIT 1",
            [.text(item.kind), .text(item.id)]
        )
        if known?.text(1) == item.text { return false }
        try db.execute(
            "INSERT INTO standards (kind, id, revision, content, at, actor) VALUES (?,?,?,?,?,?)",
            [
                .text(item.kind), .text(item.id), .integer((known?.integer(0) ?? 0) + 1), .text(item.text),
                .integer(now), .integer(actor.raw),
            ]
        )
        return true
    }
}

extension StandardsRegistry {
    /// Puts an item in place; its text as it is kept.
    @discardableResult
    mutating func put(_ kind: StandardKind?, _ json: JSONValue) throws(Problem) -> String {
        switch kind {
        case .element:
            let element = try DataElement(json)
            elements[element.id] = element
            return element.json.text
        case .codeList:
            let list = try CodeList(json)
            codeLists[list.id] = list
            return list.json.text
        case .tree:
            let tree = try ClassificationTree(json)
            trees[tree.id] = tree
            return tree.json.text
        case nil: throw Standards.invalid("种类无法识别", "the kind is unknown")
        }
    }
}
