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

    /// A table of fields; without ordinals the n-th field lies in `c<n>`.
    init(name: String, fields: [Field], ordinals: [Int] = []) {
        self.name = name
        self.fields = fields
        self.ordinals = ordinals.count == fields.count ? ordinals : Array(1...max(1, fields.count))
    }

    /// The table with other fields: a field of the same name and type keeps its column, others get new ones.
    ///
    /// - Throws: `record.schema` where a field changed its type.
    func adopting(_ schema: Schema) throws(Problem) -> PhysicalTable {
        var next = (ordinals.max() ?? 0) + 1
        var taken: [Int] = []
        for field in schema.fields {
            if let index = fields.firstIndex(where: { $0.name == field.name }) {
                guard fields[index].type == field.type, fields[index].scale == field.scale else {
                    throw Problem(
                        "record.schema",
                        status: 409,
                        zh: "信息项“\(field.name)”的类型已变更,原有记录不能直接沿用,暂不能填报。",
                        en:
                            "The type of “\(field.name)” has changed; its records cannot be taken over, so nothing can be written.",
                        hint: .init("请恢复原类型,或另设一个新的信息项。", "Give it its old type back, or add a new item instead.")
                    )
                }
                taken.append(ordinals[index])
            } else {
                taken.append(next)
                next += 1
            }
        }
        return PhysicalTable(name: name, fields: schema.fields, ordinals: taken)
    }

    /// What makes this table of an older one whose columns it adopted.
    func alterStatements(from old: PhysicalTable, key: [String], _ dialect: Dialect) -> [String] {
        let known = Set(old.ordinals)
        var statements = fields.indices.filter { !known.contains(ordinals[$0]) }.flatMap { index in
            columns(index).map { "ALTER TABLE \(name) ADD COLUMN \($0) \(dialect.columnType(fields[index].type))" }
        }
        statements.append("DROP INDEX IF EXISTS \(name)_key")
        statements += indexStatements(key: key).map { $0.replacing("CREATE INDEX", with: "CREATE INDEX IF NOT EXISTS") }
        return statements
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

    var ordinals: [Int]

    static let columns = "resource, physical, schema, next_id, next_seq, rows, load, updated_at, ordinals"

    static func read(_ row: SQLRow) throws -> TableState {
        TableState(
            resource: ResourceID(row.integer(0)),
            physical: row.text(1),
            schema: try TableSchema.read(JSONValue(text: row.text(2))),
            nextID: row.integer(3),
            nextSequence: row.integer(4),
            rows: row.integer(5),
            load: row.integer(6),
            updatedAt: row.integer(7),
            ordinals: row.text(8).split(separator: ",").compactMap { Int($0) }
        )
    }

    var table: PhysicalTable { PhysicalTable(name: physical, fields: schema.fields, ordinals: ordinals) }
}
