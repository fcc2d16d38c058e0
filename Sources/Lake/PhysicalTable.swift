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
    /// The highest number a column of the table ever had; numbers are not used again.
    var lastOrdinal: Int

    init(name: String, fields: [Field], ordinals: [Int], lastOrdinal: Int) {
        self.name = name
        self.fields = fields
        self.ordinals = ordinals
        self.lastOrdinal = lastOrdinal
    }

    /// A new table: the n-th field lies in `c<n>`.
    init(name: String, fields: [Field]) {
        self.init(name: name, fields: fields, ordinals: Array(1...max(1, fields.count)), lastOrdinal: fields.count)
    }

    /// The table with other fields: a field of the same name and type keeps its column, others get new ones.
    ///
    /// - Throws: `record.schema` where a field changed its type.
    func adopting(_ schema: Schema) throws(Problem) -> PhysicalTable {
        var adopted = PhysicalTable(name: name, fields: schema.fields, ordinals: [], lastOrdinal: lastOrdinal)
        for field in schema.fields {
            guard let index = fields.firstIndex(where: { $0.name == field.name }) else {
                adopted.lastOrdinal += 1
                adopted.ordinals.append(adopted.lastOrdinal)
                continue
            }
            guard fields[index].type == field.type, fields[index].scale == field.scale else {
                throw Problem(
                    "record.schema",
                    status: 409,
                    zh: "信息项“\(field.name)”的类型已变更，原有数据不能直接沿用。",
                    en: "The type of “\(field.name)” has changed; the rows that are there cannot be taken over.",
                    hint: .init(
                        "请恢复原类型，或另设一个新的信息项；加载的资源也可整体替换。",
                        "Give it its old type back, or add a new item; a resource kept by loads can also be replaced as a whole."
                    )
                )
            }
            adopted.ordinals.append(ordinals[index])
        }
        return adopted
    }

    /// Makes this table, inside a transaction, of an older one whose columns it adopted.
    ///
    /// - Throws: `record.key` where rows that are there agree in the new key.
    func alter(
        from old: PhysicalTable,
        oldKey: [String],
        key: [String],
        shapes: ShapeIndex,
        postGIS: String?,
        _ db: any SQLWriting,
        _ dialect: Dialect
    ) throws {
        for index in fields.indices where ordinals[index] > old.lastOrdinal {
            for column in columns(index) {
                try db.execute("ALTER TABLE \(name) ADD COLUMN \(column) \(dialect.columnType(fields[index].type))")
            }
        }
        let columns = keyColumns(key)
        if columns != old.keyColumns(oldKey) {
            if !columns.isEmpty {
                let list = columns.joined(separator: ", ")
                let given = columns.map { "\($0) IS NOT NULL" }.joined(separator: " AND ")
                let twice = try db.row(
                    "SELECT 1 FROM \(name) WHERE \(given) GROUP BY \(list) HAVING count(*) > 1 LIMIT 1"
                )
                guard twice == nil else {
                    let names = key.joined(separator: ", ")
                    throw Problem(
                        "record.key",
                        status: 409,
                        zh: "原有记录在新主键(\(names))上有重复，不能采用。",
                        en: "Rows that are there agree in the new key (\(names)); it cannot be adopted."
                    )
                }
            }
            try db.execute("DROP INDEX IF EXISTS \(name)_key")
        }
        for statement in indexStatements(key: key, dialect) + shapeStatements(shapes, dialect, postGIS: postGIS) {
            try db.execute(statement)
        }
    }

    /// The columns of a key's fields.
    func keyColumns(_ key: [String]) -> [String] {
        key.compactMap { name in fields.firstIndex { $0.name == name } }.flatMap(columns)
    }

    /// The columns of a field: one, for a point two.
    func columns(_ index: Int) -> [String] {
        let base = "c\(ordinals[index])"
        return fields[index].type == .point ? [base + "_x", base + "_y"] : [base]
    }

    /// A row's number, which everybody may ask by who may ask at all.
    static let number = Field("_id", .integer, unique: true)

    /// The columns of a field by its name.
    func columns(of field: Field) -> [String] {
        fields.firstIndex { $0.name == field.name }.map(columns)
            ?? (field.name == PhysicalTable.number.name ? [field.name] : nil)
            ?? (field.type == .point ? ["NULL", "NULL"] : ["NULL"])
    }

    func column(_ field: Field) -> String { columns(of: field)[0] }

    var allColumns: [String] { fields.indices.flatMap(columns) }

    /// A bare table lacks the columns that are the same in every row of a load: ``completing(owner:load:)`` adds them.
    func createStatement(_ dialect: Dialect, isBare: Bool = false) -> String {
        let columns = fields.indices.flatMap { index in
            self.columns(index).map { "\($0) \(dialect.columnType(fields[index].type))" }
        }
        let id = dialect == .sqlite ? "_id INTEGER PRIMARY KEY" : "_id BIGINT NOT NULL"
        let same = isBare ? "" : "_owner BIGINT NOT NULL, _origin BIGINT NOT NULL, _load BIGINT NOT NULL, "
        return "CREATE TABLE \(name) (\(id), \(same)_seq BIGINT NOT NULL, \(columns.joined(separator: ", ")))"
    }

    /// Adds what is the same in every row: PostgreSQL notes such a value once and writes it into no row.
    func completing(owner: Int64, load: Int64) -> [String] {
        let values = [("_owner", owner), ("_origin", 0), ("_load", load)]
        return values.map { "ALTER TABLE \(name) ADD COLUMN \($0) BIGINT NOT NULL DEFAULT \($1)" }
            + values.map { column, _ in "ALTER TABLE \(name) ALTER COLUMN \(column) DROP DEFAULT" }
    }

    /// The key and the fields asked for often. The change number has none until something asks by it.
    func indexStatements(key: [String], _ dialect: Dialect) -> [String] {
        var statements: [String] = []
        // SQLite's tables are in the order of their ids; PostgreSQL's get an index once they are filled, which costs a quarter.
        if dialect == .postgresql {
            statements.append("CREATE UNIQUE INDEX IF NOT EXISTS \(name)_row ON \(name) (_id)")
        }
        let keyColumns = keyColumns(key)
        if !keyColumns.isEmpty {
            statements.append(
                "CREATE UNIQUE INDEX IF NOT EXISTS \(name)_key ON \(name) (\(keyColumns.joined(separator: ", ")))"
            )
        }
        for (index, field) in fields.enumerated() where field.indexed && key != [field.name] && field.type != .point {
            let column = columns(index)[0]
            // Rows that agree in the value follow each other by id: SQLite's indexes end in it by themselves.
            let columns = dialect == .postgresql ? "\(column), _id" : column
            statements.append("CREATE INDEX IF NOT EXISTS \(name)_\(column) ON \(name) (\(columns))")
        }
        return statements
    }

    /// Gathers what planners ask for: of indexed columns, as SQLite does by itself.
    func analysisStatement(key: [String], _ dialect: Dialect) -> String {
        // Of expressions statistics are gathered only where no columns are named.
        guard dialect == .postgresql, shapeFields.isEmpty else { return "ANALYZE \(name)" }
        var columns = ["_id"]
        for column in keyColumns(key) where !columns.contains(column) { columns.append(column) }
        for (index, field) in fields.enumerated() where field.indexed && field.type != .point {
            for column in self.columns(index) where !columns.contains(column) { columns.append(column) }
        }
        return "ANALYZE \(name) (\(columns.joined(separator: ", ")))"
    }

    /// The five system columns and every column, in the order in which rows are inserted.
    var insertColumns: [String] { ["_id", "_owner", "_origin", "_load", "_seq"] + allColumns }

    /// The same of a bare table.
    var bareColumns: [String] { ["_id", "_seq"] + allColumns }
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

    var layout: String
    var shapes: ShapeIndex

    static let columns = "resource, physical, schema, next_id, next_seq, rows, load, updated_at, ordinals, shapes"

    /// Schemas by their texts: a record that is written asks for the same again and again.
    private static let schemas = Cache<String, Schema>(limit: 500)

    private static func schema(_ text: String) throws -> Schema {
        if let known = schemas[text] { return known }
        let epoch = schemas.epoch
        let schema = try TableSchema.read(JSONValue(text: text))
        schemas.store(schema, for: text, since: epoch)
        return schema
    }

    static func read(_ row: SQLRow) throws -> TableState {
        TableState(
            resource: ResourceID(row.integer(0)),
            physical: row.text(1),
            schema: try schema(row.text(2)),
            nextID: row.integer(3),
            nextSequence: row.integer(4),
            rows: row.integer(5),
            load: row.integer(6),
            updatedAt: row.integer(7),
            layout: row.text(8),
            shapes: ShapeIndex(rawValue: row.text(9)) ?? .none
        )
    }

    var table: PhysicalTable {
        let parts = layout.split(separator: "/")
        guard parts.count == 2, let last = Int(parts[1]) else {
            return PhysicalTable(name: physical, fields: schema.fields)
        }
        let ordinals = parts[0].split(separator: ",").compactMap { Int($0) }
        return PhysicalTable(name: physical, fields: schema.fields, ordinals: ordinals, lastOrdinal: last)
    }

    /// The state as it stands inside a transaction; nil where the resource has no table.
    static func current(_ resource: ResourceID, _ db: any SQLReading) throws -> TableState? {
        try db.row("SELECT \(columns) FROM tables WHERE resource = ?", [.integer(resource.raw)]).map(read)
    }

    /// Follows a resource's items inside a transaction; the table as it is then.
    ///
    /// - Throws: `record.schema`, `record.key`.
    func following(_ wanted: Schema, _ db: any SQLWriting, _ lake: Lake) throws -> PhysicalTable {
        guard wanted != schema else { return table }
        let adopted = try table.adopting(wanted)
        try adopted.alter(
            from: table,
            oldKey: schema.key,
            key: wanted.key,
            shapes: shapes,
            postGIS: lake.postGIS,
            db,
            db.dialect
        )
        try db.execute(
            "UPDATE tables SET schema = ?, ordinals = ? WHERE resource = ?",
            [.text(TableSchema.write(wanted).text), .text(adopted.layout), .integer(resource.raw)]
        )
        return adopted
    }
}

extension PhysicalTable {
    /// `1,2,5/5`: the column of each field, and the highest number used.
    var layout: String { ordinals.map(String.init).joined(separator: ",") + "/\(lastOrdinal)" }
}
