import Basics
public import CQL
import Geo
import Kernel
public import Mask
import Store
public import Tabular

/// What somebody asks of a resource's rows.
public struct RecordQuery: Sendable {
    public var code: String
    /// The fields wanted, nil for all that may be seen; `_id` is the row's number.
    public var fields: [String]?
    /// CQL2 text.
    public var filter: String?
    /// A condition that an interface made itself, beside the filter: nobody has to write and read it.
    public var condition: CQL.Expression?
    /// A field's name, with `-` in front for descending.
    public var sort: String?
    /// Where the page before ended.
    public var cursor: String?
    public var limit: Int
    /// Rows passed over before the first one given, at most ``maximumOffset``. A cursor costs nothing, an offset its rows.
    public var offset: Int
    public var counting: Counting?
    /// A version by its number; nil for the rows as they are.
    public var version: Int64?
    /// Whether only the rows are wanted: neither where the next page begins nor the mark of their state.
    public var isBare = false

    public static let maximumOffset = 10_000_000

    /// How the rows that fit are counted.
    public enum Counting: String, Sendable {
        case exact
        /// From a sample of the rows, where there are conditions.
        case estimate
    }

    public init(
        _ code: String,
        fields: [String]? = nil,
        filter: String? = nil,
        sort: String? = nil,
        cursor: String? = nil,
        limit: Int = 100,
        offset: Int = 0,
        counting: Counting? = nil,
        version: Int64? = nil
    ) {
        self.code = code
        self.fields = fields
        self.filter = filter
        self.sort = sort
        self.cursor = cursor
        self.limit = limit
        self.offset = max(0, min(offset, RecordQuery.maximumOffset))
        self.counting = counting
        self.version = version
    }
}

extension RecordQuery {
    /// Whether anything is asked of the rows.
    var isFiltered: Bool { condition != nil || filter?.isEmpty == false }

    /// What is asked of the rows, as text.
    var asked: String { [condition?.json.text, filter].compactMap(\.self).joined(separator: "\n") }

    /// What is asked of the rows, settled against fields; nil where it is nothing.
    func bound(_ fields: [Field], _ check: (CQL.Expression) throws(Problem) -> Void) throws(Problem) -> BoundExpression?
    {
        guard isFiltered else { return nil }
        var parts = [condition].compactMap(\.self)
        if let filter, !filter.isEmpty { parts.append(try Expression(either: filter)) }
        let expression = parts.count == 1 ? parts[0] : .and(parts)
        try check(expression)
        do { return try BoundExpression(predicate: expression, fields: fields) } catch {
            throw Expression.located(error, in: filter ?? "")
        }
    }

    /// Where a page begins that follows a row's number, without a sort.
    public static func cursor(after id: Int64) -> String { DecidedQuery.Cursor(value: nil, id: id).text }
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
    /// The same for the same rows: see ``LakeActions/stamp``.
    public var stamp = ""
}

/// A query that the gate decided: the only kind that runs. It is made from a ``Decision`` and nothing else.
struct DecidedQuery: Sendable {
    /// The fields that come out.
    private(set) var selection: Selection
    let rows: Int64
    let conditions: [SQLFragment]
    /// Whether the one condition is that the key has a value.
    private let isByKey: Bool
    /// What no engine can say in SQL, asked of each row that comes, and the fields it needs beside the outputs.
    let rest: [BoundExpression]
    let extras: [Field]
    /// Boxes that a field's shape meets in every row that fits.
    let boxes: [(field: Field, box: Box)]
    let dialect: Dialect
    /// Whose turn it is to compute, and how long one page may be looked for.
    let turns: Turns
    let postGIS: String?
    let patience: Duration
    private(set) var sort: (column: String, descending: Bool, isIndexed: Bool)?
    /// Whether every row comes out: then a version's file serves as well.
    let isWhole: Bool

    /// - Throws: `query.field`, `query.masked`, `query.sort_unindexed`, `cql.*`.
    init(
        _ query: RecordQuery,
        _ decision: Decision,
        _ state: TableState,
        _ lake: Lake,
        _ dialect: Dialect
    ) throws(Problem) {
        let engine: SQLEngine =
            dialect == .postgresql ? .postgresql(postGIS: state.shapes == .postGIS ? lake.postGIS : nil) : .sqlite
        self.dialect = dialect
        turns = lake.turns
        postGIS = state.shapes == .postGIS ? lake.postGIS : nil
        patience = lake.patience
        rows = state.rows
        let selection = try lake.selections.selection(query.fields, decision, state, dialect)
        self.selection = selection
        let (table, open, visible) = (selection.table, selection.open, selection.visible)
        var conditions: [SQLFragment] = []
        var rest: [BoundExpression] = []
        var boxes: [(field: Field, box: Box)] = []
        var extras: [Field] = []
        func take(_ expression: BoundExpression) {
            let predicate = expression.sql(for: engine) { table.columns(of: $0) }
            if let fragment = predicate.fragment { conditions.append(fragment) }
            // PostGIS finds geometries by the condition itself; points in a box are asked by their numbers.
            if state.shapes != .none {
                boxes += predicate.boxes.filter { state.shapes == .boxes || $0.field.type == .point }
            }
            guard let left = predicate.rest else { return }
            rest.append(left)
            for index in left.columns.sorted() {
                let field = left.fields[index]
                // A masked field comes out as its mask leaves it; what is asked of it is asked of the value.
                let isOutput = selection.names.contains(field.name) && selection.masks[field.name] == nil
                let isThere = isOutput || extras.contains { $0.name == field.name }
                if !isThere { extras.append(field) }
            }
        }
        // What is masked may be asked about as the mask leaves it.
        let known = open + table.fields.filter { visible[$0.name]?.mask != nil }
        let asked = try query.bound(known) { expression throws(Problem) in
            for name in expression.unmaskedProperties({ visible[$0]?.mask }) where visible[name]?.mask != nil {
                throw DecidedQuery.masked(name)
            }
        }
        if let asked { take(asked) }
        if let scope = decision.rows { take(try BoundExpression(predicate: scope, fields: table.fields)) }
        self.conditions = conditions
        isByKey = conditions.count == 1 && state.schema.key.count == 1 && asked?.equated?.name == state.schema.key[0]
        self.rest = rest
        self.boxes = boxes
        self.extras = extras
        isWhole = conditions.isEmpty && rest.isEmpty && query.sort == nil && query.cursor == nil && query.offset == 0
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
        if let text = query.cursor { try DecidedQuery.check(try Cursor(text: text), field) }
    }

    /// A cursor's value is one of the field sorted by.
    private static func check(_ cursor: Cursor, _ field: Field) throws(Problem) {
        let fits: Bool
        switch (cursor.value, field.type) {
        case (nil, _), (.integer, .integer), (.integer, .decimal), (.integer, .date), (.integer, .time),
            (.integer, .timestamp),
            (.integer, .boolean), (.real, .real):
            fits = true
        case (.text(let text), .text), (.text(let text), .file): fits = !text.unicodeScalars.contains("\u{0}")
        default: fits = false
        }
        guard fits else { throw Cursor.invalid }
    }

    static func unknown(_ name: String) -> Problem {
        Problem("query.field", zh: "没有字段“\(name)”，或无权查看。", en: "There is no field “\(name)”, or you may not see it.")
    }

    static func masked(_ name: String) -> Problem {
        Problem(
            "query.masked",
            status: 403,
            zh: "字段“\(name)”已脱敏，不能作为条件或排序。",
            en: "The field “\(name)” is masked and cannot be filtered or sorted by."
        )
    }

    var table: PhysicalTable { selection.table }
    var outputs: [Selection.Output] { selection.outputs }

    private var selected: [String] { selection.columns + extras.flatMap { table.columns(of: $0) } }

    /// What stands after SELECT.
    private var columns: String { extras.isEmpty ? selection.text : selected.joined(separator: ", ") }

    var fields: [Field] { extras.isEmpty ? selection.read : selection.read + extras }

    /// The statement of a page.
    ///
    /// Without a sort rows come by id; with one, values first and then rows without a value, each part by its own keyset.
    func statement(after cursor: Cursor?, limit: Int, near: [SQLFragment] = []) -> Statement {
        var parts = (conditions + near).map(\.text)
        var values = (conditions + near).flatMap(\.values).map { SQLValue($0) }
        guard let sort else {
            if let cursor {
                parts.append("_id > ?")
                values.append(.integer(cursor.id))
            }
            return Statement(
                "SELECT \(columns) FROM \(table.name)\(DecidedQuery.joined(parts)) ORDER BY _id LIMIT \(limit)",
                values
            )
        }
        let direction = sort.descending ? "DESC" : "ASC"
        let sign = sort.descending ? "<" : ">"
        if let cursor, cursor.value == nil {
            parts.append("\(sort.column) IS NULL AND _id \(sign) ?")
            values.append(.integer(cursor.id))
            return Statement(
                "SELECT \(columns) FROM \(table.name)\(DecidedQuery.joined(parts)) ORDER BY _id \(direction) LIMIT \(limit)",
                values
            )
        }
        parts.append("\(sort.column) IS NOT NULL")
        if let cursor, let value = cursor.value {
            parts.append("(\(sort.column), _id) \(sign) (?, ?)")
            values += [value, .integer(cursor.id)]
        }
        return Statement(
            "SELECT \(columns), \(sort.column) FROM \(table.name)\(DecidedQuery.joined(parts)) ORDER BY \(sort.column) \(direction), _id \(direction) LIMIT \(limit)",
            values,
            sortField: table.fields.first { table.column($0) == sort.column } ?? PhysicalTable.number
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

    /// The next rows that fit, with their ids and the extras, and where they end (nil where there were none). Fewer than the limit are the last.
    func fetch(after cursor: Cursor?, limit: Int, _ database: any Database) async throws -> (Batch, Cursor?) {
        if let found = try await searched(after: cursor, limit: limit, database) { return found }
        let near = try await near(limit, inOrder: sort == nil, database)
        guard !rest.isEmpty else {
            let (batch, cursors) = try await read(after: cursor, limit: limit, near, database)
            return (batch, batch.count > 0 ? cursors(batch.count - 1) : nil)
        }
        var found: Batch?
        var end: Cursor?
        var start = cursor
        let deadline = ContinuousClock.now + patience
        while true {
            guard ContinuousClock.now < deadline else {
                throw Problem(
                    "query.too_costly",
                    status: 422,
                    zh: "符合条件的记录太少，查找超时。",
                    en: "Too few rows fit for them to be found in time.",
                    hint: .init("请加上常用查询字段或位置范围的条件。", "Add a condition on an indexed field or a box.")
                )
            }
            // Few may fit: more are looked at than are asked for.
            let chunk = max(1000, min(limit * 4, 4096))
            let (batch, cursors) = try await read(after: start, limit: chunk, near, database)
            let room = limit - (found?.count ?? 0)
            let kept = try await turns.taking { Array(fitting(batch).prefix(room)) }
            let part = Batch(fields: batch.fields, columns: batch.columns.map { $0.taking(kept) }, count: kept.count)
            found = found.map { Lake.joined($0, part) } ?? part
            if let last = kept.last { end = cursors(Int(last)) }
            guard kept.count < room, batch.count == chunk else { return (found ?? batch, end) }
            start = cursors(batch.count - 1)
            try Task.checkCancellation()
        }
    }

    /// Bytes of texts and shapes of one page, about: beyond it a page has fewer rows than were asked for.
    static let mostBytes = 32 << 20

    /// As ``fetch(after:limit:_:)``, in pieces that memory holds: rows with shapes may be large.
    func fetch(after cursor: Cursor?, upTo limit: Int, _ database: any Database) async throws -> (Batch, Cursor?) {
        let piece = fields.contains { $0.type == .geometry } ? 100 : 2000
        guard limit > piece else { return try await fetch(after: cursor, limit: limit, database) }
        var (batch, end) = try await fetch(after: cursor, limit: piece, database)
        var last = batch.count
        while last == piece, batch.count < limit, batch.bytes < Self.mostBytes, let place = end {
            let (more, next) = try await fetch(after: place, limit: min(piece, limit - batch.count), database)
            last = more.count
            guard let next else { break }
            batch = Lake.joined(batch, more)
            end = next
        }
        return (batch, end)
    }

    /// The rows of a batch for which everything left to memory holds.
    private func fitting(_ batch: Batch) -> [Int32] {
        var rows = (0..<Int32(batch.count)).map { $0 }
        for expression in rest {
            let nothing = Column(.int64([]))
            let columns = expression.fields.indices.map { index -> Column in
                guard expression.columns.contains(index) else { return nothing }
                // The extras come last: of a name that is an output too they have the value.
                let name = expression.fields[index].name
                return batch.fields.lastIndex { $0.name == name }.map { batch.columns[$0] } ?? nothing
            }
            let truths = expression.evaluate(Batch(fields: expression.fields, columns: columns, count: batch.count))
            rows = rows.filter { truths[Int($0)] == .yes }
        }
        return rows
    }

    /// What an index of shapes is asked, where that is worth it.
    private struct Near {
        /// Conditions that let the engine find shapes by its index.
        var conditions: [SQLFragment] = []
        /// The rows found beforehand, in order: no others fit.
        var ids: [Int64]?
    }

    /// Asks the index of shapes; `inOrder` where rows come in the order of their ids, so that those of SQLite can be had beforehand.
    private func near(_ limit: Int, inOrder: Bool, _ database: any Database) async throws -> Near {
        var found = Near()
        for (field, box) in boxes {
            if dialect == .sqlite {
                // Shapes in the box are fetched and put in order, or met in order on the way: what is less work for this many rows.
                let most = max(1000, Int((Double(limit) * Double(rows) * 0.2).squareRoot()))
                if inOrder {
                    guard let statement = table.idStatement(field, box, limit: most + 1) else { continue }
                    let find: @Sendable (any SQLReading) throws -> [Int64] = { db in
                        let (sql, values) = statement
                        return DecidedQuery.ids(
                            try db.batch(sql, values, fields: [PhysicalTable.number], capacity: 1024)
                        )
                    }
                    let ids = most < 10_000 ? try await database.glance(find) : try await database.read(find)
                    if ids.count <= most, ids.count < found.ids?.count ?? .max { found.ids = ids.sorted() }
                    continue
                }
                guard let count = table.countStatement(field, box, upTo: most) else { continue }
                let many = try await database.read { db in try db.row(count.sql, count.values)?.integer(0) ?? 0 }
                guard many <= most else { continue }
            }
            if let condition = table.near(field, box, dialect, postGIS) { found.conditions.append(condition) }
        }
        return found
    }

    /// Rows as the engine gives them, and the cursor of each.
    private func read(
        after cursor: Cursor?,
        limit: Int,
        _ near: Near,
        _ database: any Database
    ) async throws -> (Batch, (Int) -> Cursor) {
        if let found = near.ids {
            let batch = try await read(found, after: cursor?.id ?? 0, limit: limit, database)
            let ids = DecidedQuery.ids(batch)
            return (batch, { Cursor(value: nil, id: ids[$0]) })
        }
        if conditions.isEmpty, near.conditions.isEmpty, sort == nil, limit >= 1000 {
            let (table, columns, fields, start) = (table.name, selected, fields, cursor?.id ?? 0)
            let batch = try await database.read { db in
                try db.batch(of: table, columns, after: start, limit: limit, fields: fields)
            }
            let ids = DecidedQuery.ids(batch)
            return (batch, { Cursor(value: nil, id: ids[$0]) })
        }
        let statement = statement(after: cursor, limit: limit, near: near.conditions)
        let (sql, values) = (statement.sql, statement.values)
        let wanted = fields + (statement.sortField.map { [$0] } ?? [])
        let find: @Sendable (any SQLReading) throws -> Batch = { db in
            try db.batch(sql, values, fields: wanted, capacity: min(limit, 4096))
        }
        var batch = isShort(limit) ? try await database.glance(find) : try await database.read(find)
        let ids = DecidedQuery.ids(batch)
        guard statement.sortField != nil else { return (batch, { Cursor(value: nil, id: ids[$0]) }) }
        let sorted = Batch(
            fields: [batch.fields.removeLast()],
            columns: [batch.columns.removeLast()],
            count: batch.count
        )
        return (batch, { Cursor(value: SQLValue(sorted.value($0, 0)), id: ids[$0]) })
    }

    /// The ids of rows read, their first column.
    static func ids(_ batch: Batch) -> [Int64] {
        if case .int64(let ids)? = batch.columns.first?.values { ids } else { [] }
    }

    /// The first of some rows that fit, after a row: looked up piece by piece, since more may fit or few.
    private func read(
        _ ids: [Int64],
        after id: Int64,
        limit: Int,
        _ database: any Database
    ) async throws -> Batch {
        let start = ids.firstIndex { $0 > id } ?? ids.count
        let find: @Sendable (any SQLReading) throws -> Batch = { [self] db in
            var (end, piece) = (min(start + limit, ids.count), limit)
            var batch = try rows(ids[start..<end], limit: limit, db)
            while batch.count < limit, end < ids.count {
                piece *= 2
                let next = min(end + piece, ids.count)
                batch = Lake.joined(batch, try rows(ids[end..<next], limit: limit - batch.count, db))
                end = next
            }
            return batch
        }
        // A page's rows, most often those of one piece.
        return limit <= 200 ? try await database.glance(find) : try await database.read(find)
    }

    /// Those of some rows that fit, in the order of their ids. SQLite only.
    func rows(_ ids: ArraySlice<Int64>, limit: Int, _ db: any SQLReading) throws -> Batch {
        let statement = statement(of: ids, limit: limit)
        return try db.batch(statement.sql, statement.values, fields: fields, capacity: ids.count)
    }

    /// The statement that looks rows up by their ids, one after the other.
    func statement(of ids: ArraySlice<Int64>, limit: Int) -> Statement {
        Statement(
            "SELECT \(columns) FROM json_each(?) CROSS JOIN \(table.name) ON _id = value\(DecidedQuery.joined(conditions.map(\.text))) LIMIT \(limit)",
            [.text("[\(ids.map(String.init).joined(separator: ","))]")]
                + conditions.flatMap(\.values).map { SQLValue($0) }
        )
    }

    /// Whether a page costs little whatever the table holds: the first rows of a table or of an index, or one row by its key.
    private func isShort(_ limit: Int) -> Bool {
        guard limit <= 200, rest.isEmpty, boxes.isEmpty, sort?.isIndexed ?? true else { return false }
        return conditions.isEmpty || isByKey
    }

    /// Where the rows without a sort value begin, after the last one with; nil where there is no such part or it was begun.
    func partWithoutValue(after cursor: Cursor?) -> Cursor? {
        guard let sort, cursor == nil || cursor?.value != nil else { return nil }
        return Cursor(value: nil, id: sort.descending ? .max : 0)
    }

    /// Where the rows begin that follow a number of others; nil for the first.
    func place(after offset: Int, _ database: any Database) async throws -> Cursor? {
        guard offset > 0 else { return nil }
        let end = Cursor(value: nil, id: sort?.descending == true ? .min : .max)
        if sort == nil, rest.isEmpty {
            if conditions.isEmpty {
                // Rows of a load are numbered one after another: then nothing is passed over row by row.
                let bounds = try await database.read { db in
                    try db.row(
                        "SELECT (SELECT min(_id) FROM \(table.name)), (SELECT max(_id) FROM \(table.name)), rows FROM tables WHERE physical = ?",
                        [.text(table.name)]
                    )
                }
                guard let bounds, let first = bounds.optionalInteger(0), let last = bounds.optionalInteger(1) else {
                    return end
                }
                if last - first + 1 == bounds.integer(2) {
                    return Int64(offset) > last - first ? end : Cursor(value: nil, id: first + Int64(offset) - 1)
                }
            }
            let sql =
                "SELECT _id FROM \(table.name)\(DecidedQuery.joined(conditions.map(\.text))) ORDER BY _id LIMIT 1 OFFSET \(offset - 1)"
            let values = conditions.flatMap(\.values).map { SQLValue($0) }
            return try await database.read { db in try db.row(sql, values)?.integer(0) }.map {
                Cursor(value: nil, id: $0)
            } ?? end
        }
        var bare = self
        // What is left to memory asks for fields, which may be among the outputs.
        if rest.isEmpty { bare.selection = selection.bare }
        let deadline = ContinuousClock.now + patience
        var left = offset
        var cursor: Cursor?
        while left > 0 {
            guard ContinuousClock.now < deadline else { throw DecidedQuery.tooFar }
            let (batch, last) = try await bare.fetch(after: cursor, limit: min(left, 4096), database)
            left -= batch.count
            if let last {
                cursor = last
            } else if let next = partWithoutValue(after: cursor) {
                cursor = next
            } else {
                return end
            }
        }
        return cursor
    }

    private static let tooFar = Problem(
        "query.too_costly",
        status: 422,
        zh: "起始位置太远，查找超时。",
        en: "The rows wanted begin too far away to be found in time.",
        hint: .init("请用翻页标记逐页读取。", "Page by the cursor instead.")
    )

    static func joined(_ parts: [String]) -> String {
        parts.isEmpty ? "" : " WHERE " + parts.joined(separator: " AND ")
    }

    /// How many rows fit.
    func count(_ database: any Database) async throws -> Int64 {
        guard rest.isEmpty else {
            // A sort would leave out the rows without its value.
            var unsorted = self
            unsorted.sort = nil
            let deadline = ContinuousClock.now + patience
            var total: Int64 = 0
            var cursor: Cursor?
            repeat {
                guard ContinuousClock.now < deadline else {
                    throw Problem(
                        "query.too_costly",
                        status: 422,
                        zh: "计数超时。",
                        en: "Counting took too long.",
                        hint: .init("请缩小范围，或不要求计数。", "Ask for less, or without a count.")
                    )
                }
                let (batch, end) = try await unsorted.fetch(after: cursor, limit: 4096, database)
                total += Int64(batch.count)
                try Task.checkCancellation()
                cursor = batch.count == 4096 ? end : nil
            } while cursor != nil
            return total
        }
        if conditions.isEmpty {
            let kept = try await database.read { db in
                try db.row("SELECT rows FROM tables WHERE physical = ?", [.text(table.name)])?.integer(0)
            }
            if let kept { return kept }
        }
        let near = try await near(rows > 0 ? Int(rows) : 1, inOrder: false, database).conditions
        let statement = "SELECT count(*) FROM \(table.name)\(DecidedQuery.joined((conditions + near).map(\.text)))"
        let values = (conditions + near).flatMap(\.values).map { SQLValue($0) }
        return try await database.read { db in try db.row(statement, values)?.integer(0) ?? 0 }
    }

    /// Rows looked at for an estimate.
    private static let sampled: Int64 = 1000

    /// About how many rows fit, told from rows all over the table; exactly in small tables and without conditions.
    func estimate(_ database: any Database) async throws -> Int64 {
        guard rows > 4 * Self.sampled, !conditions.isEmpty || !rest.isEmpty else { return try await count(database) }
        let name = table.name
        let bounds = try await database.read { db in
            try db.row("SELECT (SELECT min(_id) FROM \(name)), (SELECT max(_id) FROM \(name))")
        }
        guard let first = bounds?.optionalInteger(0), let last = bounds?.optionalInteger(1) else { return 0 }
        let step = max(1, (last - first + 1) / Self.sampled)
        // One row of each stretch, not always at the same place: what comes in turns would all be of one kind.
        let list = (0..<min(Self.sampled + 1, (last - first) / step + 1)).map { stretch in
            let place = Int64((UInt64(stretch) &* 0x9E37_79B9_7F4A_7C15) >> 33) % step
            return String(first + stretch * step + place)
        }
        let sample = "_id IN (\(list.joined(separator: ",")))"
        let parts = DecidedQuery.joined(conditions.map(\.text) + [sample])
        let statement = "SELECT \(selected.joined(separator: ", ")) FROM \(name)\(parts)"
        let values = conditions.flatMap(\.values).map { SQLValue($0) }
        let read = fields
        let (there, batch) = try await database.read { db in
            (
                try db.row("SELECT count(*) FROM \(name) WHERE \(sample)")?.integer(0) ?? 0,
                try db.batch(statement, values, fields: read, capacity: Int(Self.sampled))
            )
        }
        guard there > 0 else { return try await count(database) }
        let fit = try await turns.taking { fitting(batch).count }
        return Int64((Double(rows) * Double(fit) / Double(there)).rounded())
    }

    /// The outputs of fetched rows, with their ids.
    func outputs(of batch: Batch) -> ([Int64], Batch) { selection.outputs(of: batch) }

    /// Masks the columns of a batch of the outputs.
    func masked(_ batch: Batch) -> Batch { selection.masked(batch) }

    /// The statement that finds the row of a key, where nothing else is asked and the key's value is all that is bound.
    func keyedStatement(_ value: Value) -> String? {
        guard isByKey, rest.isEmpty, boxes.isEmpty, extras.isEmpty, sort == nil, conditions[0].values == [value] else {
            return nil
        }
        return statement(after: nil, limit: 1).sql
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

        static let invalid = Problem("query.cursor", zh: "翻页标记无效。", en: "The cursor is not valid.")

        init(text: String) throws(Problem) {
            guard let bytes = Hexadecimal.bytes(text), let json = try? JSONValue(bytes), let list = json.array,
                let id = list.first?.integer
            else {
                throw Self.invalid
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
