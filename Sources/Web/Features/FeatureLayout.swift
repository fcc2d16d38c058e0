import Basics
import CQL
import Catalogue
import Kernel
import Tabular

/// Which part of a feature each field is that somebody may see of a resource.
final class FeatureLayout: Sendable {
    /// The collection's name in addresses.
    let id: String
    /// The fields that come out, in their order.
    let fields: [Field]
    let masked: Set<String>
    let queryable: [Field]
    let shape: Shape?
    let time: Field?
    let key: Field?
    /// The properties of a feature: everything but the geometry.
    let properties: [Field]
    /// The properties' names as they stand in JSON, made once.
    let keys: [String: [UInt8]]
    /// What has to be read for the properties, the geometry and the key.
    let wanted: [String]
    /// Where the shape, the key and the properties stand among what has to be read.
    let places: Places
    private let access: [FieldAccess]
    /// What of the resource matters beside the fields that may be seen.
    private let resourceKey: [String]
    let code: String

    /// Places of a feature's parts among columns.
    struct Places: Sendable {
        var shape: (Int, Int)?
        var key: Int?
        var properties: [(column: Int, key: [UInt8])]
    }

    enum Shape: Sendable {
        case field(Field)
        case pair(Field, Field)

        var names: [String] {
            switch self {
            case .field(let field): [field.name]
            case .pair(let x, let y): [x.name, y.name]
            }
        }

        /// What expressions call it.
        var expression: Expression {
            switch self {
            case .field(let field): .property(field.name)
            case .pair(let x, let y): .function("place", [.property(x.name), .property(y.name)])
            }
        }

        /// The name among the queryables.
        var name: String {
            switch self {
            case .field(let field): field.name
            case .pair: "geometry"
            }
        }
    }

    init(_ access: [FieldAccess], _ resource: Resource) {
        self.access = access
        resourceKey = resource.schema.key
        code = resource.code
        id = Entry.slug(resource.code)
        let fields = access.map(\.field)
        let masked = Set(access.filter { $0.mask != nil }.map(\.field.name))
        let queryable = fields.filter { !masked.contains($0.name) }
        let shape = FeatureLayout.shape(queryable)
        let key = FeatureLayout.key(resource.schema.key, queryable)
        let names = Set(shape?.names ?? [])
        let properties = fields.filter { !names.contains($0.name) }
        time = queryable.first { $0.type == .timestamp } ?? queryable.first { $0.type == .date }
        let wanted = FeatureLayout.wanted(properties, shape, key)
        let texts = JSONBatchWriter.keys(properties)
        keys = Dictionary(zip(properties.map(\.name), texts), uniquingKeysWith: { first, _ in first })
        places = Places(
            shape: shape.map { (properties.count, properties.count + $0.names.count - 1) },
            key: key.flatMap { key in wanted.firstIndex(of: key.name) },
            properties: texts.enumerated().map { ($0.offset, $0.element) }
        )
        self.wanted = wanted
        self.fields = fields
        self.masked = masked
        self.queryable = queryable
        self.shape = shape
        self.key = key
        self.properties = properties
    }

    func isOf(_ access: [FieldAccess], _ resource: Resource) -> Bool {
        self.access == access && resourceKey == resource.schema.key && code == resource.code
    }

    /// The names to be read for some properties.
    static func wanted(_ properties: [Field], _ shape: Shape?, _ key: Field?) -> [String] {
        var wanted = properties.map(\.name) + (shape?.names ?? [])
        if let key, !wanted.contains(key.name) { wanted.append(key.name) }
        return wanted
    }

    private static func shape(_ queryable: [Field]) -> Shape? {
        if let field = queryable.first(where: { $0.type == .geometry }) { return .field(field) }
        guard let (x, y) = Schema(fields: queryable).position else { return nil }
        return x == y ? .field(queryable[x]) : .pair(queryable[x], queryable[y])
    }

    private static func key(_ key: [String], _ queryable: [Field]) -> Field? {
        guard key.count == 1, let field = queryable.first(where: { $0.name == key[0] }),
            field.type == .text || field.type == .integer
        else { return nil }
        return field
    }
}

/// Layouts by resource and who asks: one holds as long as the resource's key and what the gate lets through are those it was made of,
/// which is looked at each time.
final class FeatureLayouts: Sendable {
    private struct Key: Hashable {
        var resource: ResourceID
        var principal: PrincipalID?
    }

    private let known = Cache<Key, FeatureLayout>(limit: 300)

    func layout(_ access: [FieldAccess], _ resource: Resource, _ principal: Principal?) -> FeatureLayout {
        let key = Key(resource: resource.id, principal: principal?.id)
        if let layout = known[key], layout.isOf(access, resource) { return layout }
        let layout = FeatureLayout(access, resource)
        known.store(layout, for: key, since: known.epoch)
        return layout
    }
}
