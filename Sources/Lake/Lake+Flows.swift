import Basics
public import Kernel
public import Store
import Tabular

// What flows ask of the rows that they keep, beside writing them.

extension Lake {
    /// Puts a text into a field of records as they lie, each with a change number, inside a records transaction. The numbers of one call
    /// follow the records' own and leave gaps where those do.
    public func replace(
        _ field: String,
        with text: String,
        of records: [Int64],
        in resource: Resource,
        at now: Int64,
        _ db: any SQLWriting
    ) throws {
        guard let first = records.min(), let last = records.max(), let state = try TableState.current(resource.id, db),
            let index = state.schema.fields.firstIndex(where: { $0.name == field }),
            let sequence = try db.row("SELECT next_seq FROM tables WHERE resource = ?", [.integer(resource.id.raw)])?
                .integer(0)
        else { return }
        let list = records.map(String.init).joined(separator: ",")
        try db.execute(
            "UPDATE \(state.physical) SET \(state.table.columns(index)[0]) = ?, _seq = _id + ? WHERE _id IN (\(list))",
            [.text(text), .integer(sequence - first)]
        )
        try db.execute(
            "UPDATE tables SET next_seq = ?, updated_at = ? WHERE resource = ?",
            [.integer(sequence + last - first + 1), .integer(now), .integer(resource.id.raw)]
        )
    }

    /// Whether some row of a resource has a value in a field, whoever may see it: what a reference is checked by. Nil where that cannot be
    /// told: the field is not a text or a whole number, or the resource has no rows yet.
    public func has(_ text: String, in field: String, of resource: Resource) async throws -> Bool? {
        guard let state = try await readable(resource),
            let place = state.schema.fields.firstIndex(where: { $0.name == field })
        else { return nil }
        let value: SQLValue
        switch state.schema.fields[place].type {
        case .text: value = .text(text)
        case .integer:
            guard let number = Int64(text) else { return false }
            value = .integer(number)
        default: return nil
        }
        retain(state.physical)
        defer { release(state.physical) }
        let sql = "SELECT 1 FROM \(state.physical) WHERE \(state.table.columns(place)[0]) = ? LIMIT 1"
        return try await database(resource).glance { db in try db.row(sql, [value]) != nil }
    }
}
