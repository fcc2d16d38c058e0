public import Store
import Tabular

/// A table of rows as it lies in a store, for moving it to another: its fields typed, the system's columns before them.
public struct StoredRows: Sendable {
    private let table: PhysicalTable
    private let key: [String]
    private static let system = ["_id", "_owner", "_origin", "_load", "_seq"]

    /// Some rows on their way.
    public struct Piece: Sendable {
        fileprivate var batch: Batch
        fileprivate var lead: [LeadValue]
        /// The last row's id.
        public var last: Int64
        public var count: Int { batch.count }
    }

    /// The rows of a physical table; nil for a table that holds no resource's rows.
    public init?(_ physical: String, _ db: any SQLReading) throws {
        guard try db.tables().contains("tables"),
            let row = try db.row("SELECT \(TableState.columns) FROM tables WHERE physical = ?", [.text(physical)])
        else { return nil }
        let state = try TableState.read(row)
        table = state.table
        key = state.schema.key
    }

    /// Whether a table is an index that an engine keeps beside a table of rows.
    public static func isIndex(_ table: String) -> Bool {
        table.wholeMatch(of: /r[0-9]+_[0-9]+_c[0-9]+_box(_node|_rowid|_parent)?/) != nil
    }

    public func create(_ db: any SQLWriting) throws { try db.execute(table.createStatement(db.dialect)) }

    /// Rows after an id; nil at the end.
    public func read(after last: Int64, limit: Int, _ db: any SQLReading) throws -> Piece? {
        let columns = (Self.system + table.allColumns).joined(separator: ", ")
        let batch = try db.batch(
            "SELECT \(columns) FROM \(table.name) WHERE _id > ? ORDER BY _id LIMIT \(limit)",
            [.integer(last)],
            fields: Self.system.map { Field($0, .integer) } + table.fields,
            capacity: limit
        )
        guard case .int64(let ids)? = batch.columns.first?.values, let end = ids.last else { return nil }
        let lead = batch.columns.prefix(Self.system.count).map { column -> LeadValue in
            if case .int64(let values) = column.values { .listed(values) } else { .listed([]) }
        }
        let rows = Batch(
            fields: table.fields,
            columns: Array(batch.columns.dropFirst(Self.system.count)),
            count: batch.count
        )
        return Piece(batch: rows, lead: lead, last: end)
    }

    public func write(_ piece: Piece, _ db: any SQLWriting) throws {
        let all = (0..<Int32(piece.count)).map { $0 }
        try db.insert(into: table.name, table.insertColumns, piece.batch, rows: all, lead: piece.lead)
    }

    /// Makes the indexes, once all rows are there.
    public func finish(_ db: any SQLWriting) throws {
        for statement in table.indexStatements(key: key, db.dialect) { try db.execute(statement) }
        // As boxes, which SQLite's state says; where PostGIS is, the node makes its own when it opens there.
        for statement in table.shapeStatements(.boxes, db.dialect, postGIS: nil) { try db.execute(statement) }
    }
}
