import Basics
import Kernel
import Store
import Synchronization
import Tabular

/// The keys that a resource's references point to, read into memory when a load begins.
final class ReferenceIndex: Sendable {
    static let limit = 2_000_000
    private let keys: [ForeignKey: Set<String>]

    init(_ resource: Resource, _ lake: Lake, _ caller: Caller) async throws {
        var keys: [ForeignKey: Set<String>] = [:]
        for reference in resource.schema.foreignKeys {
            let target = try await lake.kernel.resource(reference.resource)
            // A reference answers whether a value exists: only those who may read the field as it is may ask.
            let visible = lake.kernel.gate.unmaskedFields(LakeActions.readDescriptor, target, caller)
            guard visible.isSuperset(of: reference.referenced) else {
                throw Problem(
                    "schema.reference_denied",
                    status: 403,
                    zh: "无权读取被引用资源 \(reference.resource) 的字段。",
                    en: "You may not read the fields of \(reference.resource) that a reference names."
                )
            }
            guard let state = try await lake.state(target) else {
                keys[reference] = []
                continue
            }
            let table = state.table
            let fields = reference.referenced.compactMap { name in table.fields.first { $0.name == name } }
            guard fields.count == reference.fields.count else {
                throw Problem(
                    "schema.reference",
                    zh: "引用的字段不存在：\(reference.resource)。",
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
