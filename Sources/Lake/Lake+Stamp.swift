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
        let row = try await database(resource).read { db in
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
        var text = "\(state.physical) \(try await sequence(resource, state))"
        for access in decision.fields { text += "\n\(access.field.name) \(access.mask?.code ?? "")" }
        if let rows = decision.rows { text += "\n" + rows.text }
        return Hexadecimal.text(Lake.digestBytes(text).prefix(10))
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
