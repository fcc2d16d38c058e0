import Basics
import CQL
import Kernel
import Store
import Tabular

/// How a resource's fields lie in its table: column `c<n>` for the n-th field ever seen, so names may change.
///
/// Every table carries `_id`, `_owner`, `_origin`, `_load` and `_seq` (the change number within the resource).
struct PhysicalTable: Sendable, Hashable {
    var name: String
    var fields: [Field]
    var ordinals: [Int]

    init(name: String, fields: [Field]) {
        self.name = name
        self.fields = fields
        ordinals = Array(1...max(1, fields.count))
    }

    /// The columns of a field: one, for a point two.
    func columns(_ index: Int) -> [String] {
        let base = "c\(ordinals[index])"
        return fields[index].type == .point ? [base + "_x", base + "_y"] : [base]
    }

    func column(_ field: Field) -> String {
        fields.firstIndex { $0.name == field.name }.map { columns($0)[0] } ?? "NULL"
    }

    var allColumns: [String] { fields.indices.flatMap(columns) }

    func createStatement(_ dialect: Dialect) -> String {
        let columns = fields.indices.flatMap { index in
            self.columns(index).map { "\($0) \(dialect.columnType(fields[index].type))" }
        }
        return """
            CREATE TABLE \(name) (_id INTEGER PRIMARY KEY, _owner BIGINT NOT NULL, _origin BIGINT NOT NULL, _load BIGINT NOT NULL, \
            _seq BIGINT NOT NULL, \(columns.joined(separator: ", ")))
            """
    }

    /// The key and the fields asked for often. The change number has none until something asks by it.
    func indexStatements(key: [String]) -> [String] {
        var statements: [String] = []
        let keyColumns = key.compactMap { name in fields.firstIndex { $0.name == name } }.flatMap(columns)
        if !keyColumns.isEmpty {
            statements.append("CREATE UNIQUE INDEX \(name)_key ON \(name) (\(keyColumns.joined(separator: ", ")))")
        }
        for (index, field) in fields.enumerated() where field.indexed && key != [field.name] && field.type != .point {
            let column = columns(index)[0]
            statements.append("CREATE INDEX \(name)_\(column) ON \(name) (\(column))")
        }
        return statements
    }

    /// An INSERT whose parameters are the five system columns and every column.
    func insertStatement(conflict: String = "") -> String {
        let columns = allColumns
        let marks = Array(repeating: "?", count: columns.count + 5).joined(separator: ",")
        return
            "INSERT\(conflict) INTO \(name) (_id, _owner, _origin, _load, _seq, \(columns.joined(separator: ", "))) VALUES (\(marks))"
    }
}

/// What the lake knows of a resource's rows.
struct TableState: Sendable {
    var resource: ResourceID
    var physical: String
    var schema: Schema
    var nextID: Int64
    var nextSequence: Int64
    var rows: Int64
    var load: Int64
    var updatedAt: Int64

    static let columns = "resource, physical, schema, next_id, next_seq, rows, load, updated_at"

    static func read(_ row: SQLRow) throws -> TableState {
        TableState(
            resource: ResourceID(row.integer(0)),
            physical: row.text(1),
            schema: try TableSchema.read(JSONValue(text: row.text(2))),
            nextID: row.integer(3),
            nextSequence: row.integer(4),
            rows: row.integer(5),
            load: row.integer(6),
            updatedAt: row.integer(7)
        )
    }

    var table: PhysicalTable { PhysicalTable(name: physical, fields: schema.fields) }
}
