public import Basics
public import Tabular

/// The identity of a resource in this node.
public struct ResourceID: Sendable, Hashable {
    public var raw: Int64
    public init(_ raw: Int64) { self.raw = raw }
}

/// 共享类型 (政务信息资源目录编制指南): the numbers are those of the national workbook.
public enum Sharing: Int, Sendable, CaseIterable, Hashable {
    case unconditional = 1
    case conditional = 2
    case none = 3

    public var title: LocalizedText {
        switch self {
        case .unconditional: .init("无条件共享", "unconditional")
        case .conditional: .init("有条件共享", "conditional")
        case .none: .init("不予共享", "not shared")
        }
    }
}

/// 开放类型. Nothing is open unless somebody decided so.
public enum Openness: Int, Sendable, CaseIterable, Hashable {
    case none = 0
    case unconditional = 1
    case conditional = 2

    public var title: LocalizedText {
        switch self {
        case .none: .init("不开放", "not open")
        case .unconditional: .init("无条件开放", "open")
        case .conditional: .init("有条件开放", "open on conditions")
        }
    }
}

/// A resource as the gate sees it: whose it is, what it holds, who may know of it.
public struct Resource: Sendable, Hashable {
    public enum State: String, Sendable {
        /// Being catalogued or reviewed for the first time.
        case draft
        case published
        case offline
    }

    /// Where its rows live.
    public enum Storage: String, Sendable {
        case none
        /// Written by loads.
        case lake
        /// Written by forms and flows.
        case records
    }

    public var id: ResourceID
    /// 信息资源代码.
    public var code: String
    public var name: String
    public var owner: OrganisationID
    public var state: State
    public var storage: Storage
    public var schema: Schema
    /// The sharing type of each field, in the schema's order.
    public var sharing: [Sharing]
    /// The openness of each field, in the schema's order. Only the opening path sets it.
    public var openness: [Openness]
    /// Whether the resource stands on the open list.
    public var isOpen: Bool

    public init(
        id: ResourceID = ResourceID(0),
        code: String,
        name: String,
        owner: OrganisationID,
        state: State = .draft,
        storage: Storage,
        schema: Schema,
        sharing: [Sharing],
        openness: [Openness] = [],
        isOpen: Bool = false
    ) {
        self.id = id
        self.code = code
        self.name = name
        self.owner = owner
        self.state = state
        self.storage = storage
        self.schema = schema
        self.sharing = sharing
        self.openness = openness
        self.isOpen = isOpen
    }

    /// The sharing type of a field; not shared where nobody said so.
    public func sharing(_ index: Int) -> Sharing { index < sharing.count ? sharing[index] : .none }

    /// The openness of a field; not open where nobody said so.
    public func openness(_ index: Int) -> Openness { index < openness.count ? openness[index] : .none }

    /// The highest grade of its fields.
    public var grade: Grade { schema.fields.map(\.grade).max() ?? .general1 }
}
