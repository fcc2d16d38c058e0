import Seal
import Basics
public import Kernel
import Store
public import Tabular

/// How often the values of a coded field occur: what a resource's page shows as bars.
public struct ValueCounts: Sendable {
    public var field: Field
    /// The commonest first.
    public var values: [(value: CodeValue, count: Int64)]
}

extension Lake {
    /// Tables beyond this are not counted for a page.
    static let countedRows: Int64 = 2_000_000

    /// Counts the first coded field that a decision shows as it is and in all rows; once for each state of the table.
    func counts(_ decision: Decision) async throws -> ValueCounts? {
        guard let resource = decision.resource, decision.rows == nil, let state = try await readable(resource),
            (1...Lake.countedRows).contains(state.rows)
        else { return nil }
        let known = state.table.fields
        let access = decision.fields.first { access in
            access.mask == nil && access.field.codes.count > 1
                && known.contains { $0.name == access.field.name && $0.type == .text }
        }
        guard let field = access?.field
        else { return nil }
        let query = AggregateQuery(
            resource.code,
            groups: [.init(field: field.name)],
            measures: [.count],
            sort: "-count",
            limit: 100
        )
        let found = try await aggregate(query, decision).batch
        let counts = Dictionary(
            (0..<found.count).map { (found.value($0, 0).text, found.value($0, 1).json.integer ?? 0) },
            uniquingKeysWith: { first, _ in first }
        )
        let values = field.codes.compactMap { code in counts[code.value].map { (value: code, count: $0) } }
        return ValueCounts(field: field, values: Array(values.sorted { $0.count > $1.count }.prefix(12)))
    }
}

extension LakeActions {
    static let countsDescriptor = ActionDescriptor(
        "data.counts",
        .dataRead,
        .view,
        isPublic: true,
        zh: "数据分布",
        en: "how often values occur"
    )

    /// The distribution of a coded field; nil where there is none to show.
    public var counts: Action<String, ValueCounts?> {
        Action(Self.countsDescriptor, target: { [lake] in try await lake.kernel.resource($0) }) {
            [lake] _, decision in try await lake.counts(decision)
        }
    }

    /// The load that a job finished, if it did: for those who queued it and were interrupted.
    public func finished(_ job: Int64, into code: String) async throws -> Load? {
        let resource = try await lake.kernel.resource(code)
        return try await lake.finishedLoad(job: job, lake.database(resource))
    }

    /// `sm3:…` of a file.
    public static func digest(ofFile path: String) throws -> String { try Lake.digest(of: path).description }

    static let recentDescriptor = ActionDescriptor(
        "load.recent",
        .quarantineRead,
        .view,
        zh: "最近批次",
        en: "latest loads"
    )
    static let extraDescriptors = [countsDescriptor, recentDescriptor]

    /// The latest loads of the resources within reach, newest first, found among the node's last two thousand.
    public var recent: Action<Int, [(load: Load, resource: Resource)]> {
        Action(Self.recentDescriptor) { [lake] limit, decision in
            let kernel = lake.kernel
            let owners = kernel.gate.ownersReached(by: decision.caller, with: .quarantineRead)
            let heads = try await kernel.databases.lake.read { db in
                try db.rows("SELECT id, resource FROM loads ORDER BY id DESC LIMIT 2000").map {
                    (load: $0.integer(0), resource: ResourceID($0.integer(1)))
                }
            }
            var found: [(load: Load, resource: Resource)] = []
            var known: [ResourceID: Resource] = [:]
            for head in heads where found.count < max(1, min(limit, 500)) {
                let resource: Resource
                if let seen = known[head.resource] {
                    resource = seen
                } else {
                    resource = try await kernel.resource(head.resource)
                    known[head.resource] = resource
                }
                guard owners?.contains(resource.owner) ?? true else { continue }
                found.append((try await lake.load(head.load, of: resource), resource))
            }
            return found
        }
    }
}
