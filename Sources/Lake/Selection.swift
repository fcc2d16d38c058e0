import Basics
import CQL
import Kernel
import Mask
import Store
import Synchronization
import Tabular

/// Which columns of a table a query reads, and as what fields they come out: the same for every page asked for alike.
final class Selection: Sendable {
    /// A field that comes out, with what is selected for it and its mask.
    typealias Output = (field: Field, columns: [String], mask: Mask?)

    let table: PhysicalTable
    let outputs: [Output]
    /// The outputs' fields.
    let fields: [Field]
    /// The names that are read for the outputs.
    let names: Set<String>
    /// What may be asked about. Asking about a masked field would tell what the mask hides.
    let open: [Field]
    /// What the decision lets through, by name.
    let visible: [String: FieldAccess]
    /// The columns read, the row's number first, and the fields they are read as.
    let columns: [String]
    let read: [Field]
    /// The columns as they stand after SELECT.
    let text: String
    /// The masks of the outputs, by name.
    let masks: [String: Mask]
    private let access: [FieldAccess]
    private let layout: String
    /// The statement that finds a row by a key of one field, once it was made.
    private let keyed = Mutex<(key: String, sql: String)?>(nil)

    /// - Throws: `query.field`.
    convenience init(
        _ wanted: [String]?,
        _ decision: Decision,
        _ state: TableState,
        _ dialect: Dialect
    ) throws(Problem) {
        let table = state.table
        let visible = Dictionary(decision.fields.map { ($0.field.name, $0) }, uniquingKeysWith: { first, _ in first })
        // A resource may have a field of that name itself.
        let hasNumber = !table.fields.contains { $0.name == PhysicalTable.number.name }
        var taken: Set<String> = []
        var outputs: [Output] = []
        for name in wanted ?? decision.fields.map(\.field.name) where taken.insert(name).inserted {
            guard let access = visible[name] else {
                guard name == PhysicalTable.number.name, hasNumber else { throw DecidedQuery.unknown(name) }
                outputs.append((PhysicalTable.number, [name], nil))
                continue
            }
            guard let index = table.fields.firstIndex(where: { $0.name == name }) else { continue }
            let columns = table.columns(index)
            // What a server of its own holds is masked before it goes over the wire.
            let shown =
                dialect == .postgresql ? access.mask?.sql(columns, of: table.fields[index], for: .postgresql) : nil
            outputs.append((table.fields[index], shown ?? columns, access.mask))
        }
        var open = table.fields.filter { field in visible[field.name].map { $0.mask == nil } ?? false }
        if hasNumber { open.append(PhysicalTable.number) }
        self.init(table, outputs, taken, open, visible, decision.fields, state.layout)
    }

    private init(
        _ table: PhysicalTable,
        _ outputs: [Output],
        _ names: Set<String>,
        _ open: [Field],
        _ visible: [String: FieldAccess],
        _ access: [FieldAccess],
        _ layout: String
    ) {
        self.table = table
        self.outputs = outputs
        self.names = names
        self.open = open
        self.visible = visible
        self.access = access
        self.layout = layout
        fields = outputs.map(\.field)
        columns = ["_id"] + outputs.flatMap(\.columns)
        read = [Field("_id", .integer)] + fields
        text = columns.joined(separator: ", ")
        masks = Dictionary(
            outputs.compactMap { output in output.mask.map { (output.field.name, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The same without outputs: rows are only passed over.
    var bare: Selection { Selection(table, [], names, open, visible, access, layout) }

    /// The statement that finds a row by a key, made once.
    func keyedStatement(_ key: String, _ make: () throws -> String?) rethrows -> String? {
        if let known = keyed.withLock(\.self), known.key == key { return known.sql }
        guard let made = try make() else { return nil }
        keyed.withLock { $0 = (key, made) }
        return made
    }

    /// The outputs of fetched rows, with their ids.
    func outputs(of batch: Batch) -> ([Int64], Batch) {
        guard case .int64(let ids)? = batch.columns.first?.values else { return ([], batch) }
        let columns = Array(batch.columns.dropFirst().prefix(outputs.count))
        return (ids, Batch(fields: fields, columns: columns, count: batch.count))
    }

    /// Masks the columns of a batch of the outputs. What is masked already stays as it is.
    func masked(_ batch: Batch) -> Batch {
        guard !masks.isEmpty else { return batch }
        var batch = batch
        for (index, output) in outputs.enumerated() {
            if let mask = output.mask { batch.columns[index] = mask.apply(batch.columns[index], field: output.field) }
        }
        return batch
    }

    /// Whether it is of this decision and of the table as it stands.
    func isOf(_ decision: Decision, _ state: TableState) -> Bool {
        access == decision.fields && table.name == state.physical && layout == state.layout
            && table.fields == state.schema.fields
    }
}

/// Selections by what was asked, of what and by whom: one holds as long as what the gate lets through and the table are those it was
/// made of, which is looked at each time.
final class Selections: Sendable {
    private struct Key: Hashable {
        var resource: ResourceID
        var principal: PrincipalID?
        var wanted: [String]?

        /// The names are compared, which for the same list costs nothing; hashing them would cost as much as reading a row.
        func hash(into hasher: inout Hasher) {
            hasher.combine(resource)
            hasher.combine(principal)
            hasher.combine(wanted?.count)
        }
    }

    private let known = Cache<Key, Selection>(limit: 300)

    /// - Throws: `query.field`.
    func selection(
        _ wanted: [String]?,
        _ decision: Decision,
        _ state: TableState,
        _ dialect: Dialect
    ) throws(Problem) -> Selection {
        let key = Key(resource: state.resource, principal: decision.caller.principal?.id, wanted: wanted)
        if let selection = known[key], selection.isOf(decision, state) { return selection }
        let selection = try Selection(wanted, decision, state, dialect)
        known.store(selection, for: key, since: known.epoch)
        return selection
    }
}
