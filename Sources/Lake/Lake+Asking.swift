import Basics
public import CQL
public import Kernel
public import Store
public import Tabular

/// What a rule asks of a resource's rows: how many there are, a value of the first, or a figure over them.
public enum RowsTaken: Sendable, Hashable {
    case count
    /// A field of the first row.
    case value(String)
    case sum(String)
    case mean(String)
    case minimum(String)
    case maximum(String)
    /// The value in the middle; of an even number of them the lower one.
    case median(String)

    /// The field that it is about; nil for the count.
    public var field: String? {
        switch self {
        case .count: nil
        case .value(let field), .sum(let field), .mean(let field), .minimum(let field), .maximum(let field),
            .median(let field):
            field
        }
    }
}

extension Lake {
    /// Whether a condition can be asked of a resource's table as it stands, by an index: one of its parts, all of which must hold,
    /// says that an indexed field or the key equals something.
    public static func isIndexed(_ condition: Expression, _ schema: Schema) -> Bool {
        switch condition {
        case .and(let parts): parts.contains { isIndexed($0, schema) }
        case .compare(.equal, .property(let name), let other), .compare(.equal, let other, .property(let name)):
            other.properties.isEmpty
                && schema.fields.contains { field in
                    field.name == name && (field.indexed || field.unique || schema.key == [name])
                }
        default: false
        }
    }

    /// What a rule of the node asks of a resource's rows, inside a transaction of its database and outside of anybody's rights; nil where no
    /// row fits (a count is 0) or no value is there. Texts are as forms give them.
    ///
    /// - Throws: `cql.*`, `query.too_costly` for a condition that a table cannot be asked.
    public func asked(
        _ taken: RowsTaken,
        where condition: Expression,
        of resource: Resource,
        except record: Int64?,
        _ db: any SQLReading
    ) throws -> String? {
        guard let state = try TableState.current(resource.id, db) else { return taken == .count ? "0" : nil }
        let table = state.table
        let engine: SQLEngine = db.dialect == .postgresql ? .postgresql(postGIS: nil) : .sqlite
        let predicate = try BoundExpression(predicate: condition, fields: table.fields)
            .sql(for: engine) { table.columns(of: $0) }
        guard let fragment = predicate.fragment, predicate.rest == nil else { throw Self.cannotAsk }
        var text = "FROM \(table.name) WHERE \(fragment.text)"
        var values = fragment.values.map { SQLValue($0) }
        if let record {
            text += " AND _id <> ?"
            values.append(.integer(record))
        }
        guard let name = taken.field else {
            return String(try db.row("SELECT count(*) \(text)", values)?.integer(0) ?? 0)
        }
        guard let field = table.fields.first(where: { $0.name == name }) else { return nil }
        let columns = table.columns(of: field).joined(separator: ", ")
        func value(_ sql: String, _ type: Field) throws -> String? {
            let batch = try db.batch(sql, values, fields: [type], capacity: 1)
            guard batch.count == 1, !batch.columns[0].isNull(0) else { return nil }
            return batch.value(0, 0).text
        }
        let there = "\(text) AND \(columns) IS NOT NULL"
        switch taken {
        case .count: return nil
        case .value: return try value("SELECT \(columns) \(text) ORDER BY _id LIMIT 1", field)
        case .sum: return try value("SELECT CAST(sum(\(columns)) AS \(Self.sumType(field))) \(there)", field)
        case .mean:
            // Decimals are kept scaled: their mean is rounded to as many places as they have.
            let mean = field.type == .real ? "avg(\(columns))" : "CAST(round(avg(\(columns))) AS BIGINT)"
            return try value("SELECT \(mean) \(there)", field)
        case .minimum: return try value("SELECT \(columns) \(there) ORDER BY \(columns) LIMIT 1", field)
        case .maximum: return try value("SELECT \(columns) \(there) ORDER BY \(columns) DESC LIMIT 1", field)
        case .median:
            let count = try db.row("SELECT count(*) \(there)", values)?.integer(0) ?? 0
            guard count > 0 else { return nil }
            return try value("SELECT \(columns) \(there) ORDER BY \(columns) LIMIT 1 OFFSET \((count - 1) / 2)", field)
        }
    }

    /// The first row whose field has a value, inside a transaction of its database.
    public func record(
        where field: String,
        is value: String,
        in resource: Resource,
        _ db: any SQLReading
    ) throws -> Int64? {
        guard let table = try TableState.current(resource.id, db)?.table else { return nil }
        let condition = Expression.compare(.equal, .property(field), .literal(.text(value)))
        let engine: SQLEngine = db.dialect == .postgresql ? .postgresql(postGIS: nil) : .sqlite
        let predicate = try BoundExpression(predicate: condition, fields: table.fields)
            .sql(for: engine) { table.columns(of: $0) }
        guard let fragment = predicate.fragment, predicate.rest == nil else { return nil }
        return try db.row(
            "SELECT _id FROM \(table.name) WHERE \(fragment.text) ORDER BY _id LIMIT 1",
            fragment.values.map { SQLValue($0) }
        )?.integer(0)
    }

    private static let cannotAsk = Problem(
        "query.too_costly",
        status: 422,
        zh: "该条件不能直接查询。",
        en: "A table cannot be asked this condition."
    )

    private static func sumType(_ field: Field) -> String { field.type == .real ? "DOUBLE PRECISION" : "BIGINT" }
}
