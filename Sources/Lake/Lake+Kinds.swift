import Check
public import Codes
public import Kernel
import Store
import Tabular

extension Lake {
    /// The personal kinds that the first values of a resource's text fields give away: what opening must not overlook.
    public func personalKinds(_ resource: Resource) async throws -> [String: SemanticKind] {
        guard let state = try await state(resource) else { return [:] }
        let table = state.table
        let texts = table.fields.indices.filter { table.fields[$0].type == .text || table.fields[$0].type == .integer }
        guard !texts.isEmpty else { return [:] }
        let columns = texts.map { table.columns($0)[0] }.joined(separator: ", ")
        let fields = texts.map { table.fields[$0] }
        let batch = try await database(resource).read { db in
            try db.batch(
                "SELECT \(columns) FROM \(table.name) ORDER BY _id LIMIT 2000",
                [],
                fields: fields,
                capacity: 2000
            )
        }
        var found: [String: SemanticKind] = [:]
        for (index, field) in fields.enumerated() {
            let values = (0..<batch.count).map { batch.value($0, index).text }
            if let kind = Inference.personalKind(of: values) { found[field.name] = kind }
        }
        return found
    }
}
