public import Basics
public import CQL
public import Kernel
public import Store
public import Tabular

extension Lake {
    /// Records for which conditions hold, in the order of their numbers: what a rule of the node goes by. Nothing is decided here about
    /// who may see them; the rule says what becomes of them.
    ///
    /// `last` is the number looked at last, where the next piece begins; nil at the end. A piece may be short of the limit though more follow.
    ///
    /// - Throws: `cql.*` where a condition does not fit the fields of the rows as they lie.
    public func rows(
        of resource: Resource,
        fitting conditions: [CQL.Expression],
        fields names: [String] = [],
        after place: Int64? = nil,
        descending: Bool = false,
        limit: Int,
        _ db: any SQLReading
    ) throws -> (ids: [Int64], batch: Batch, last: Int64?) {
        guard let state = try TableState.current(resource.id, db) else {
            return ([], Batch(fields: [], columns: [], count: 0), nil)
        }
        let table = state.table
        let engine: SQLEngine = db.dialect == .postgresql ? .postgresql() : .sqlite
        var parts: [String] = []
        var values: [SQLValue] = []
        var rest: [BoundExpression] = []
        var outputs = table.fields.filter { names.contains($0.name) }
        for condition in conditions {
            let bound = try BoundExpression(predicate: condition, fields: table.fields + [PhysicalTable.number])
            let predicate = bound.sql(for: engine) { table.columns(of: $0) }
            if let fragment = predicate.fragment {
                parts.append(fragment.text)
                values += fragment.values.map { SQLValue($0) }
            }
            guard let left = predicate.rest else { continue }
            rest.append(left)
            for index in left.columns where left.fields[index].name != PhysicalTable.number.name {
                let field = left.fields[index]
                if !outputs.contains(where: { $0.name == field.name }) { outputs.append(field) }
            }
        }
        if let place {
            parts.append("_id \(descending ? "<" : ">") ?")
            values.append(.integer(place))
        }
        let columns = ["_id"] + outputs.flatMap { table.columns(of: $0) }
        let found = try db.batch(
            "SELECT \(columns.joined(separator: ", ")) FROM \(table.name)\(DecidedQuery.joined(parts)) ORDER BY _id \(descending ? "DESC" : "ASC") LIMIT \(limit)",
            values,
            fields: [PhysicalTable.number] + outputs,
            capacity: min(limit, 4096)
        )
        var kept = (0..<Int32(found.count)).map { $0 }
        for expression in rest {
            let truths = expression.evaluate(Lake.arranged(found, for: expression))
            kept = kept.filter { truths[Int($0)] == .yes }
        }
        let ids = DecidedQuery.ids(found)
        let (_, rows) = Lake.split(found)
        return (
            kept.map { ids[Int($0)] },
            Batch(fields: rows.fields, columns: rows.columns.map { $0.taking(kept) }, count: kept.count),
            found.count == limit ? ids.last : nil
        )
    }

    /// The columns of a batch in the order that an expression was settled against.
    private static func arranged(_ batch: Batch, for expression: BoundExpression) -> Batch {
        let nothing = Column(.int64([]))
        let columns = expression.fields.indices.map { index in
            expression.columns.contains(index)
                ? batch.index(expression.fields[index].name).map { batch.columns[$0] } ?? nothing : nothing
        }
        return Batch(fields: expression.fields, columns: columns, count: batch.count)
    }

    /// The rows of a resource as a decision shows them, for figures that are made of them and of what lies beside them.
    ///
    /// Nil where the resource has no rows yet.
    ///
    /// - Throws: `query.rows` where the engine cannot say which rows may be seen.
    public func decided(_ decision: Decision) async throws -> DecidedTable? {
        guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
        guard let state = try await readable(resource) else { return nil }
        let database = database(resource)
        return try DecidedTable(decision, state.table, database, stamp: try await stamp(decision))
    }
}

/// The table of a resource's rows as a decision lets them be asked: unmasked fields only, and only the rows that may be seen.
public struct DecidedTable: Sendable {
    public let name: String
    public let database: any Database
    /// The same as long as the rows and what may be seen of them are the same.
    public let stamp: String
    /// Which rows may be seen; nil for all.
    public private(set) var scope: SQLFragment?
    private let table: PhysicalTable
    private let visible: [String: FieldAccess]
    private let open: [Field]

    init(_ decision: Decision, _ table: PhysicalTable, _ database: any Database, stamp: String) throws(Problem) {
        name = table.name
        self.table = table
        self.database = database
        self.stamp = stamp
        let visible = Dictionary(decision.fields.map { ($0.field.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.visible = visible
        open = decision.fields.filter { $0.mask == nil }.map(\.field)
        scope = nil
        if let rows = decision.rows {
            scope = try fragment(try BoundExpression(predicate: rows, fields: table.fields))
        }
    }

    /// The column of a field that may be seen as it is.
    ///
    /// - Throws: `query.field`, `query.masked`.
    public func column(_ name: String) throws(Problem) -> (sql: String, field: Field) {
        try check(name)
        guard let field = open.first(where: { $0.name == name }) else { throw DecidedQuery.unknown(name) }
        return (table.column(field), field)
    }

    /// A condition over fields that may be seen as they are.
    ///
    /// - Throws: `query.field`, `query.masked`, `query.rows`, `cql.*`.
    public func condition(_ expression: CQL.Expression) throws(Problem) -> SQLFragment {
        for name in expression.properties { try check(name) }
        return try fragment(try BoundExpression(predicate: expression, fields: open))
    }

    private func check(_ name: String) throws(Problem) {
        guard let access = visible[name] else { throw DecidedQuery.unknown(name) }
        guard access.mask == nil else { throw DecidedQuery.masked(name) }
    }

    private func fragment(_ bound: BoundExpression) throws(Problem) -> SQLFragment {
        let engine: SQLEngine = database.dialect == .postgresql ? .postgresql() : .sqlite
        let predicate = bound.sql(for: engine) { table.columns(of: $0) }
        guard let fragment = predicate.fragment, predicate.rest == nil else {
            throw Problem(
                "query.rows",
                status: 422,
                zh: "这个条件数据库不能直接计算，不能用于统计。",
                en: "The database cannot ask this condition by itself; no figures are made by it.",
                hint: .init("请用比较、IN、LIKE、IS NULL 等条件。", "Use comparisons, IN, LIKE, IS NULL.")
            )
        }
        return fragment
    }
}
