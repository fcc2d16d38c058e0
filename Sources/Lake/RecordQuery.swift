import Basics
import CQL
import Kernel
public import Mask
import Store
public import Tabular

/// What somebody asks of a resource's rows.
public struct RecordQuery: Sendable {
    public var code: String
    /// The fields wanted, nil for all that may be seen.
    public var fields: [String]?
    /// CQL2 text.
    public var filter: String?
    /// A field's name, with `-` in front for descending.
    public var sort: String?
    /// Where the page before ended.
    public var cursor: String?
    public var limit: Int
    public var countsExactly: Bool

    public init(
        _ code: String,
        fields: [String]? = nil,
        filter: String? = nil,
        sort: String? = nil,
        cursor: String? = nil,
        limit: Int = 100,
        countsExactly: Bool = false
    ) {
        self.code = code
        self.fields = fields
        self.filter = filter
        self.sort = sort
        self.cursor = cursor
        self.limit = limit
        self.countsExactly = countsExactly
    }
}

/// A page of rows, masked.
public struct RecordPage: Sendable {
    public var batch: Batch
    /// The rows' ids, for detail pages.
    public var ids: [Int64]
    /// Where the next page begins; nil at the end.
    public var next: String?
    /// How many rows fit in all, where it was asked.
    public var count: Int64?
    /// The masks that were applied, by field.
    public var masked: [String: Mask]
}

/// A query that the gate decided: the only kind that runs. It is made from a ``Decision`` and nothing else.
struct DecidedQuery: Sendable {
    let table: PhysicalTable
    let rows: Int64
    /// The fields that come out, with their place in the table and their mask.
    let outputs: [(field: Field, columns: [String], mask: Mask?)]
    let conditions: [SQLFragment]
    let sort: (column: String, descending: Bool, isIndexed: Bool)?
    /// Whether every row comes out: then a version's file serves as well.
    let isWhole: Bool

    /// - Throws: `query.field`, `query.masked`, `query.sort_unindexed`, `cql.*`.
    init(_ query: RecordQuery, _ decision: Decision, _ state: TableState, _ dialect: Dialect) throws(Problem) {
        let engine: SQLEngine = dialect == .postgresql ? .postgresql : .sqlite
        table = state.table
        rows = state.rows
        let visible = Dictionary(decision.fields.map { ($0.field.name, $0) }, uniquingKeysWith: { first, _ in first })
        var taken: Set<String> = []
        let wanted = (query.fields ?? decision.fields.map(\.field.name)).filter { taken.insert($0).inserted }
        var outputs: [(field: Field, columns: [String], mask: Mask?)] = []
        for name in wanted {
            guard let access = visible[name] else { throw DecidedQuery.unknown(name) }
            guard let index = table.fields.firstIndex(where: { $0.name == name }) else { continue }
            outputs.append((table.fields[index], table.columns(index), access.mask))
        }
        self.outputs = outputs
        // Asking about a masked field would tell what the mask hides.
        let open = table.fields.filter { field in visible[field.name].map { $0.mask == nil } ?? false }
        var conditions: [SQLFragment] = []
        let physical = table
        if let filter = query.filter, !filter.isEmpty {
            let expression = try Expression(filter)
            for name in expression.properties {
                if let access = visible[name], access.mask != nil { throw DecidedQuery.masked(name) }
            }
            conditions.append(
                try BoundExpression(predicate: expression, fields: open).sql(for: engine) { physical.column($0) }
            )
        }
        if let scope = decision.rows {
            conditions.append(
                try BoundExpression(predicate: scope, fields: table.fields).sql(for: engine) { physical.column($0) }
            )
        }
        self.conditions = conditions
        isWhole = conditions.isEmpty && query.sort == nil && query.cursor == nil
        guard let sort = query.sort, !sort.isEmpty else {
            self.sort = nil
            return
        }
        let descending = sort.hasPrefix("-")
        let name = descending ? String(sort.dropFirst()) : sort
        guard let field = open.first(where: { $0.name == name }) else {
            throw visible[name] == nil ? DecidedQuery.unknown(name) : DecidedQuery.masked(name)
        }
        guard field.type != .point, field.type != .geometry else { throw DecidedQuery.unknown(name) }
        let isIndexed = field.indexed || field.unique
        guard isIndexed || state.rows <= 200_000 else {
            throw Problem(
                "query.sort_unindexed",
                zh: "“\(name)”没有索引，数据量大时不能按它排序。",
                en: "“\(name)” has no index; a table this large cannot be sorted by it.",
                hint: .init("请在信息项中标记为常用查询字段。", "Mark the field as often asked for.")
            )
        }
        self.sort = (table.column(field), descending, isIndexed)
    }

    static func unknown(_ name: String) -> Problem {
        Problem("query.field", zh: "没有字段“\(name)”，或无权查看。", en: "There is no field “\(name)”， or you may not see it.")
    }

    static func masked(_ name: String) -> Problem {
        Problem(
            "query.masked",
            status: 403,
            zh: "字段“\(name)”已脱敏，不能作为条件或排序。",
            en: "The field “\(name)” is masked and cannot be filtered or sorted by."
        )
    }

    var selection: String { (["_id"] + outputs.flatMap(\.columns)).joined(separator: ", ") }

    var fields: [Field] { [Field("_id", .integer)] + outputs.map(\.field) }

    /// The statement of a page.
    ///
    /// Without a sort rows come by id; with one, values first and then rows without a value, each part by its own keyset.
    func statement(after cursor: Cursor?, limit: Int) -> Statement {
        var parts = conditions.map(\.text)
        var values = conditions.flatMap(\.values).map { SQLValue($0) }
        guard let sort else {
            if let cursor {
                parts.append("_id > ?")
                values.append(.integer(cursor.id))
            }
            return Statement(
                "SELECT \(selection) FROM \(table.name)\(DecidedQuery.joined(parts)) ORDER BY _id LIMIT \(limit)",
                values
            )
        }
        let direction = sort.descending ? "DESC" : "ASC"
        let sign = sort.descending ? "<" : ">"
        if let cursor, cursor.value == nil {
            parts.append("\(sort.column) IS NULL AND _id \(sign) ?")
            values.append(.integer(cursor.id))
            return Statement(
                "SELECT \(selection) FROM \(table.name)\(DecidedQuery.joined(parts)) ORDER BY _id \(direction) LIMIT \(limit)",
                values
            )
        }
        parts.append("\(sort.column) IS NOT NULL")
        if let cursor, let value = cursor.value {
            parts.append("(\(sort.column), _id) \(sign) (?, ?)")
            values += [value, .integer(cursor.id)]
        }
        return Statement(
            "SELECT \(selection), \(sort.column) FROM \(table.name)\(DecidedQuery.joined(parts)) ORDER BY \(sort.column) \(direction), _id \(direction) LIMIT \(limit)",
            values,
            sortField: table.fields.first { table.column($0) == sort.column }
        )
    }

    /// A page's statement. With a `sortField` the last column of the answer is the value sorted by.
    struct Statement {
        let sql: String
        let values: [SQLValue]
        let sortField: Field?

        init(_ sql: String, _ values: [SQLValue], sortField: Field? = nil) {
            self.sql = sql
            self.values = values
            self.sortField = sortField
        }
    }

    /// Runs the statement of a page: the rows with their ids, and where they end (nil where there were none).
    func fetch(after cursor: Cursor?, limit: Int, _ database: any Database) async throws -> (Batch, Cursor?) {
        if conditions.isEmpty, sort == nil, limit >= 1000 {
            let (table, columns, fields, start) = (
                table.name, ["_id"] + outputs.flatMap(\.columns), fields, cursor?.id ?? 0
            )
            let batch = try await database.read { db in
                try db.batch(of: table, columns, after: start, limit: limit, fields: fields)
            }
            guard case .int64(let ids) = batch.columns[0].values, let last = ids.last else { return (batch, nil) }
            return (batch, Cursor(value: nil, id: last))
        }
        let statement = statement(after: cursor, limit: limit)
        let (sql, values) = (statement.sql, statement.values)
        let wanted = fields + (statement.sortField.map { [$0] } ?? [])
        var batch = try await database.read { db in
            try db.batch(sql, values, fields: wanted, capacity: min(limit, 4096))
        }
        let last = batch.count - 1
        var value: SQLValue?
        if statement.sortField != nil {
            if last >= 0 { value = SQLValue(batch.value(last, batch.columns.count - 1)) }
            batch.fields.removeLast()
            batch.columns.removeLast()
        }
        guard last >= 0, case .int64(let ids) = batch.columns[0].values else { return (batch, nil) }
        return (batch, Cursor(value: value, id: ids[last]))
    }

    /// Where the rows without a sort value begin, after the last one with; nil where there is no such part or it was begun.
    func partWithoutValue(after cursor: Cursor?) -> Cursor? {
        guard let sort, cursor == nil || cursor?.value != nil else { return nil }
        return Cursor(value: nil, id: sort.descending ? .max : 0)
    }

    static func joined(_ parts: [String]) -> String {
        parts.isEmpty ? "" : " WHERE " + parts.joined(separator: " AND ")
    }

    var countStatement: (sql: String, values: [SQLValue]) {
        (
            "SELECT count(*) FROM \(table.name)\(DecidedQuery.joined(conditions.map(\.text)))",
            conditions.flatMap(\.values).map { SQLValue($0) }
        )
    }

    /// Masks the columns of a batch of the outputs.
    func masked(_ batch: Batch) -> Batch {
        var batch = batch
        for (index, output) in outputs.enumerated() {
            if let mask = output.mask { batch.columns[index] = mask.apply(batch.columns[index], field: output.field) }
        }
        return batch
    }

    /// Where a page ended.
    struct Cursor: Sendable {
        /// The sort value; nil in the part of rows without one, and without a sort.
        var value: SQLValue?
        var id: Int64

        var text: String {
            let json: JSONValue
            switch value {
            case .integer(let number): json = .array([.integer(id), .integer(number)])
            case .real(let number): json = .array([.integer(id), .real(number), "r"])
            case .text(let text): json = .array([.integer(id), .string(text)])
            default: json = .array([.integer(id)])
            }
            return Hexadecimal.text(json.text.utf8)
        }

        init(value: SQLValue?, id: Int64) {
            self.value = value
            self.id = id
        }

        init(text: String) throws(Problem) {
            guard let bytes = Hexadecimal.bytes(text), let json = try? JSONValue(bytes), let list = json.array,
                let id = list.first?.integer
            else {
                throw Problem("query.cursor", zh: "翻页标记无效。", en: "The cursor is not valid.")
            }
            self.id = id
            guard list.count > 1 else { return }
            if list.count == 3 {
                value = list[1].real.map { .real($0) }
            } else if let number = list[1].integer {
                value = .integer(number)
            } else {
                value = list[1].string.map { .text($0) }
            }
        }
    }
}
