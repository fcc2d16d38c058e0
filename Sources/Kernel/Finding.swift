import Basics
import CQL

/// What the gate found for somebody, a permission and a resource: what its decisions are made of.
///
/// It holds as long as everything it was found from is the same: the grants and organisations (``Findings`` forgets everything when
/// they are read again), the principal and the resource (compared each time, not only by their ids), and until the next grant ends.
final class Finding: Sendable {
    /// The grants that fit; empty where nothing is allowed.
    let grants: [Int64]
    let purpose: String
    let fields: [FieldAccess]
    let rows: Expression?
    private let principal: Principal?
    private let resource: Resource?
    private let moments: Range<Int64>

    init(
        _ principal: Principal?,
        _ resource: Resource?,
        _ moments: Range<Int64>,
        fitting: [Grant] = [],
        fields: [FieldAccess] = [],
        rows: Expression? = nil
    ) {
        grants = fitting.map(\.id).sorted()
        purpose = fitting.first?.purpose ?? ""
        self.fields = fields
        self.rows = rows
        self.principal = principal
        self.resource = resource
        self.moments = moments
    }

    func holds(_ principal: Principal?, _ resource: Resource?, at now: Int64) -> Bool {
        moments.contains(now) && self.principal == principal && self.resource == resource
    }
}

/// The organisations that somebody reaches with a permission, held as long as a ``Finding``.
final class Reach: Sendable {
    /// Nil for all.
    let owners: Set<OrganisationID>?
    private let principal: Principal?
    private let moments: Range<Int64>

    init(_ owners: Set<OrganisationID>?, _ principal: Principal?, _ moments: Range<Int64>) {
        self.owners = owners
        self.principal = principal
        self.moments = moments
    }

    func holds(_ principal: Principal?, at now: Int64) -> Bool { moments.contains(now) && self.principal == principal }
}

/// What was found with the grants and organisations that are in place; the gate takes another when it puts others in place.
final class Findings: Sendable {
    struct Key: Hashable {
        var permission: Permission
        /// Whether the public may ask at all.
        var isPublic: Bool
        var principal: PrincipalID?
        var resource: ResourceID?
    }

    let grants: [Grant]
    let tree: OrganisationTree
    /// When rights change by themselves: the ends of grants, in order.
    private let ends: [Int64]
    private let decided = Cache<Key, Finding>(limit: 1000)
    private let reaches = Cache<Key, Reach>(limit: 4000)

    init(_ grants: [Grant] = [], _ tree: OrganisationTree = OrganisationTree([])) {
        self.grants = grants
        self.tree = tree
        ends = Set(grants.compactMap(\.until)).sorted()
    }

    /// The time around a moment in which no grant ends: one that ends then is over at that very microsecond.
    func moments(around now: Int64) -> Range<Int64> {
        let next = ends.firstIndex { $0 > now } ?? ends.count
        return (next > 0 ? ends[next - 1] : .min)..<(next < ends.count ? ends[next] : .max)
    }

    /// What is known, else what is found now.
    func finding(
        _ key: Key,
        _ principal: Principal?,
        _ resource: Resource?,
        at now: Int64,
        _ find: (Range<Int64>) throws -> Finding
    ) rethrows -> Finding {
        if let known = decided[key], known.holds(principal, resource, at: now) { return known }
        let found = try find(moments(around: now))
        decided.store(found, for: key, since: decided.epoch)
        return found
    }

    func reach(_ key: Key, _ principal: Principal?, at now: Int64, _ find: () -> Set<OrganisationID>?) -> Reach {
        if let known = reaches[key], known.holds(principal, at: now) { return known }
        let found = Reach(find(), principal, moments(around: now))
        reaches.store(found, for: key, since: reaches.epoch)
        return found
    }
}
