public import Kernel
import Store
import Tabular

/// What resources are made of, around one of them.
public struct Lineage: Sendable {
    public struct Node: Sendable {
        public var id: ResourceID
        /// Nil where the caller may not know which it is.
        public var resource: Resource?
        /// How many steps it lies downstream of the one asked about; upstream it is less than zero.
        public var level: Int
    }

    /// A field made of another's; an empty one stands for every row.
    public struct Link: Sendable, Hashable {
        public var field: String
        public var source: String
        public var use: DerivationPlan.Origin.Use
    }

    public struct Edge: Sendable {
        public var from: ResourceID
        public var to: ResourceID
        /// Empty where one of both ends may not be known.
        public var links: [Link]
    }

    /// The resource asked about comes first.
    public var nodes: [Node]
    public var edges: [Edge]
    /// Whether there is more than was gone through.
    public var isCut: Bool
}

extension Derivations {
    /// Resources gone through at the most.
    private static let mostNodes = 200

    /// Both ways from a resource. What the caller may not know has no name; the public is not told that it is there.
    func lineage(of resource: Resource, for caller: Caller) async throws -> Lineage {
        var levels: [ResourceID: Int] = [resource.id: 0]
        var order = [resource.id]
        var edges: [[ResourceID]: [Lineage.Link]] = [:]
        var isCut = false
        for (direction, sql) in [
            (-1, "SELECT source, resource, field, source_field, use FROM lineage WHERE resource = ?"),
            (1, "SELECT source, resource, field, source_field, use FROM lineage WHERE source = ?"),
        ] {
            var open = [resource.id]
            while !open.isEmpty {
                let next = open.removeFirst()
                let rows = try await kernel.databases.control.read { db in
                    try db.rows(sql + " ORDER BY resource, source, field, source_field", [.integer(next.raw)])
                }
                for row in rows {
                    let (from, to) = (ResourceID(row.integer(0)), ResourceID(row.integer(1)))
                    let other = direction < 0 ? from : to
                    if levels[other] == nil {
                        guard order.count < Self.mostNodes else {
                            isCut = true
                            continue
                        }
                        levels[other] = (levels[next] ?? 0) + direction
                        order.append(other)
                        open.append(other)
                    }
                    let link = Lineage.Link(
                        field: row.text(2),
                        source: row.text(3),
                        use: DerivationPlan.Origin.Use(rawValue: row.text(4)) ?? .value
                    )
                    edges[[from, to], default: []].append(link)
                }
            }
        }
        var known: [ResourceID: Resource] = [:]
        for id in order {
            guard let found = try? await kernel.resource(id),
                kernel.gate.admits(Self.lineageDescriptor, found, caller)
            else { continue }
            known[id] = found
        }
        let isPublic = caller.principal == nil
        let nodes = order.filter { !isPublic || known[$0] != nil }.map { id in
            Lineage.Node(id: id, resource: known[id], level: levels[id] ?? 0)
        }
        let told = edges.compactMap { ends, links -> Lineage.Edge? in
            let (from, to) = (known[ends[0]], known[ends[1]])
            guard let from, let to else {
                return isPublic ? nil : Lineage.Edge(from: ends[0], to: ends[1], links: [])
            }
            // The public learns of fields that are open, as on the resources' own pages.
            func isTold(_ name: String, _ resource: Resource) -> Bool {
                name.isEmpty || !isPublic || resource.schema.index(name).map { resource.openness($0) != .none } ?? false
            }
            let visible = links.filter { isTold($0.field, to) && isTold($0.source, from) }
            return Lineage.Edge(from: ends[0], to: ends[1], links: visible)
        }
        return Lineage(
            nodes: nodes,
            edges: told.sorted { ($0.from.raw, $0.to.raw) < ($1.from.raw, $1.to.raw) },
            isCut: isCut
        )
    }
}
