public import Basics
public import Store

/// The identity of an organisation in this node.
public struct OrganisationID: Sendable, Hashable {
    public var raw: Int64
    public init(_ raw: Int64) { self.raw = raw }
}

/// A department, an authority or an enterprise; a place in the tree.
public struct Organisation: Sendable, Hashable {
    /// 国家, 省, 市, 县: where in the state it stands.
    public enum Level: String, Sendable, CaseIterable {
        case nation, province, city, county

        /// The place in the order of cases.
        public var order: Int { Level.allCases.firstIndex(of: self) ?? 0 }

        public var title: LocalizedText {
            switch self {
            case .nation: .init("国家", "nation")
            case .province: .init("省级", "province")
            case .city: .init("市级", "city")
            case .county: .init("县级", "county")
            }
        }
    }

    public var id: OrganisationID
    public var name: String
    /// Unified social credit code; empty where it is not known yet.
    public var creditCode: String
    public var parent: OrganisationID?
    /// GB/T 2260.
    public var division: String
    public var level: Level

    public init(
        id: OrganisationID,
        name: String,
        creditCode: String,
        parent: OrganisationID?,
        division: String,
        level: Level
    ) {
        self.id = id
        self.name = name
        self.creditCode = creditCode
        self.parent = parent
        self.division = division
        self.level = level
    }
}

/// The tree of organisations, held in memory.
public struct OrganisationTree: Sendable {
    public private(set) var all: [OrganisationID: Organisation] = [:]
    private var children: [OrganisationID: [OrganisationID]] = [:]

    init(_ list: [Organisation]) {
        for organisation in list {
            all[organisation.id] = organisation
            if let parent = organisation.parent { children[parent, default: []].append(organisation.id) }
        }
    }

    public subscript(id: OrganisationID?) -> Organisation? { id.flatMap { all[$0] } }

    /// An organisation and everything below it.
    public func subtree(_ id: OrganisationID) -> Set<OrganisationID> {
        var found: Set<OrganisationID> = [id]
        var open = [id]
        while let next = open.popLast() {
            for child in children[next] ?? [] where found.insert(child).inserted { open.append(child) }
        }
        return found
    }

    /// All, ordered by name of the path.
    public var sorted: [Organisation] { all.values.sorted { ($0.division, $0.id.raw) < ($1.division, $1.id.raw) } }
}

extension Organisation {
    static let columns = "id, name, credit_code, parent, division, level"

    static func read(_ row: SQLRow) -> Organisation {
        Organisation(
            id: OrganisationID(row.integer(0)),
            name: row.text(1),
            creditCode: row.text(2),
            parent: row.optionalInteger(3).map { OrganisationID($0) },
            division: row.text(4),
            level: Level(rawValue: row.text(5)) ?? .province
        )
    }
}

extension OrganisationTree {
    /// The organisations as a database holds them.
    public init(_ db: any SQLReading) throws {
        self.init(try db.rows("SELECT \(Organisation.columns) FROM organisations").map(Organisation.read))
    }
}
