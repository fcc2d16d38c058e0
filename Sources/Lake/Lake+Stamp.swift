import Mask
public import Basics
import CQL
public import Kernel
import Store
import Tabular

extension Lake {
    /// The change number that a resource's rows stand at.
    func sequence(_ resource: Resource, _ state: TableState) async throws -> Int64 {
        // Rows written by forms change without the table's changing.
        guard resource.storage == .records else { return state.nextSequence }
        let row = try await database(resource).glance { db in
            try db.row("SELECT next_seq FROM tables WHERE resource = ?", [.integer(resource.id.raw)])
        }
        return row?.integer(0) ?? state.nextSequence
    }

    /// Which rows a resource holds now, as a text: another after every load and every record written.
    func position(of resource: Resource) async throws -> String {
        guard let state = try await state(resource) else { return "-" }
        return "\(state.load).\(try await sequence(resource, state))"
    }

    /// What rows a decision shows and as of when, as a short text: the same for the same rows, another after any change of them or of what may be seen.
    func stamp(_ decision: Decision) async throws -> String {
        guard let resource = decision.resource, let state = try await readable(resource) else { return "0" }
        return stamps.stamp(decision, resource, state.physical, try await sequence(resource, state))
    }
}

/// Stamps by resource and who asks: one holds as long as the table, its change number and what the gate lets through are those it was
/// made of, which is looked at each time.
final class Stamps: Sendable {
    private struct Key: Hashable {
        var resource: ResourceID
        var principal: PrincipalID?
    }

    private struct Stamp: Sendable {
        var text: String
        var physical: String
        var sequence: Int64
        var access: [FieldAccess]
        var rows: CQL.Expression?
    }

    private let known = Cache<Key, Stamp>(limit: 1000)

    func stamp(_ decision: Decision, _ resource: Resource, _ physical: String, _ sequence: Int64) -> String {
        let key = Key(resource: resource.id, principal: decision.caller.principal?.id)
        if let stamp = known[key], stamp.sequence == sequence, stamp.physical == physical,
            stamp.access == decision.fields, stamp.rows == decision.rows
        {
            return stamp.text
        }
        var told = "\(physical) \(sequence)"
        for access in decision.fields { told += "\n\(access.field.name) \(access.mask?.code ?? "")" }
        if let rows = decision.rows { told += "\n" + rows.text }
        let text = Hexadecimal.text(Lake.digestBytes(told).prefix(10))
        known.store(
            Stamp(
                text: text,
                physical: physical,
                sequence: sequence,
                access: decision.fields,
                rows: decision.rows
            ),
            for: key,
            since: known.epoch
        )
        return text
    }
}

extension LakeActions {
    static let stampDescriptor = ActionDescriptor(
        "data.stamp",
        .dataRead,
        .view,
        isPublic: true,
        zh: "数据版本标记",
        en: "what state rows are in"
    )

    /// Which rows a resource holds now, as a text: another after every load and every record written.
    public func position(of resource: Resource) async throws -> String { try await lake.position(of: resource) }

    /// A short mark of a text, for whoever compares texts by marks.
    public static func mark(_ text: String) -> String { Hexadecimal.text(Lake.digestBytes(text).prefix(12)) }

    /// The lengths of downloads by their marks.
    public var lengths: Cache<String, Int> { lake.lengths }

    /// The state of a resource's rows as somebody sees them: what conditional requests compare.
    public var stamp: Action<String, String> {
        Action(Self.stampDescriptor, target: { [lake] in try await lake.kernel.resource($0) }) { [lake] _, decision in
            try await lake.stamp(decision)
        }
    }
}
