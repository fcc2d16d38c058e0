import Basics
import Kernel
import Store
import Synchronization
import Tabular

/// The keys that a resource's references point to, read into memory when a load begins.
final class ReferenceIndex: Sendable {
    static let limit = 2_000_000
    private let keys: [ForeignKey: Set<String>]

    init(_ resource: Resource, _ lake: Lake) async throws {
        var keys: [ForeignKey: Set<String>] = [:]
        for reference in resource.schema.foreignKeys {
            let target = try await lake.kernel.resource(reference.resource)
            guard let state = try await lake.state(target) else {
                keys[reference] = []
                continue
            }
            let table = state.table
            let fields = reference.referenced.compactMap { name in table.fields.first { $0.name == name } }
            guard fields.count == reference.fields.count else {
                throw Problem(
                    "schema.reference",
                    zh: "引用的字段不存在:\(reference.resource)。",
                    en: "A reference names fields that \(reference.resource) does not have."
                )
            }
            let columns = fields.map { table.column($0) }.joined(separator: ", ")
            let batch = try await lake.database(target).read { db in
                try db.batch(
                    "SELECT \(columns) FROM \(table.name) LIMIT \(ReferenceIndex.limit)",
                    [],
                    fields: fields,
                    capacity: 1024
                )
            }
            keys[reference] = Set(
                (0..<batch.count).map { row in
                    fields.indices.map { batch.value(row, $0).text }.joined(separator: "\u{1F}")
                }
            )
        }
        self.keys = keys
    }

    func contains(_ key: ForeignKey, _ values: [String]) -> Bool {
        keys[key]?.contains(values.joined(separator: "\u{1F}")) ?? false
    }
}
