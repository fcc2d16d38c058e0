import Basics
import CQL
import Store
import Tabular

/// Rows by a sort of their own that fit conditions. Which way is short is not known beforehand: along the sort where many rows fit,
/// by the conditions' indexes where few do, and engines guess wrong where those that fit lie at the far end of the sort. So the first
/// rows of the sort are looked at; where they hold too few, the rows that fit are counted up to a limit by whichever index tells of
/// them, and only where they are many the search goes on along the sort, in pieces.
extension DecidedQuery {
    /// Entries of the sort that are looked at first, and then, each time.
    private static let pieces = [400, 4_000, 20_000]
    /// Rows that are put in order where conditions alone find them, at the most.
    private static let most = 4_000

    /// Whether a page is looked for in this way.
    private func isSearched(_ cursor: Cursor?, _ limit: Int) -> Bool {
        guard let sort, sort.isIndexed, rest.isEmpty, boxes.isEmpty, !conditions.isEmpty, limit <= 1000 else {
            return false
        }
        return rows > 4 * Int64(Self.pieces[0]) && !(cursor != nil && cursor?.value == nil) && sort.column != "_id"
    }

    /// The next rows that fit in the order of the sort, and where they end; nil where the plain statement does as well.
    func searched(after cursor: Cursor?, limit: Int, _ database: any Database) async throws -> (Batch, Cursor?)? {
        guard isSearched(cursor, limit), let field = sortField else { return nil }
        let wanted = fields + [field]
        return try await database.read { db in
            var found: Batch?
            var start = cursor
            for piece in 0..<10_000 {
                let size = Self.pieces[min(piece, Self.pieces.count - 1)]
                let room = limit - (found?.count ?? 0)
                let (sql, values) = along(start, size, room)
                let batch = try db.batch(sql, values, fields: wanted, capacity: room)
                found = found.map { Lake.joined($0, batch) } ?? batch
                if batch.count == room { break }
                guard let end = try bound(start, size, db) else { break }
                start = end
                if piece == 1, let ids = try few(db) {
                    let (sql, values) = ordered(ids, after: end, limit: limit - (found?.count ?? 0))
                    let batch = try db.batch(sql, values, fields: wanted, capacity: limit)
                    found = found.map { Lake.joined($0, batch) } ?? batch
                    break
                }
            }
            guard var batch = found else { return nil }
            let ids = DecidedQuery.ids(batch)
            let values = Batch(
                fields: [batch.fields.removeLast()],
                columns: [batch.columns.removeLast()],
                count: batch.count
            )
            return (batch, ids.last.map { Cursor(value: SQLValue(values.value(ids.count - 1, 0)), id: $0) })
        }
    }

    private var sortField: Field? { sort.flatMap { sort in table.fields.first { table.column($0) == sort.column } } }

    private var direction: String { sort?.descending == true ? "DESC" : "ASC" }

    /// The part of the sort that follows a place.
    private func following(_ cursor: Cursor?) -> (text: String, values: [SQLValue]) {
        let column = sort?.column ?? "_id"
        guard let cursor, let value = cursor.value else { return ("\(column) IS NOT NULL", []) }
        return ("(\(column), _id) \(sort?.descending == true ? "<" : ">") (?, ?)", [value, .integer(cursor.id)])
    }

    /// The rows that fit among so many entries of the sort.
    private func along(_ cursor: Cursor?, _ size: Int, _ limit: Int) -> (String, [SQLValue]) {
        let (part, values) = following(cursor)
        let column = sort?.column ?? "_id"
        let entries =
            "SELECT _id AS entry, \(column) AS place FROM \(table.name) WHERE \(part) ORDER BY \(column) \(direction), _id \(direction) LIMIT \(size)"
        let join = dialect == .sqlite ? "CROSS JOIN" : "JOIN"
        return (
            "SELECT \(searchedColumns), place FROM (\(entries)) entries \(join) \(table.name) ON _id = entry\(DecidedQuery.joined(conditions.map(\.text))) ORDER BY place \(direction), entry \(direction) LIMIT \(limit)",
            values + bound
        )
    }

    private var searchedColumns: String {
        (selection.columns + extras.flatMap { table.columns(of: $0) }).joined(separator: ", ")
    }
    private var bound: [SQLValue] { conditions.flatMap(\.values).map { SQLValue($0) } }

    /// Where so many entries of the sort end; nil where there are fewer.
    private func bound(_ cursor: Cursor?, _ size: Int, _ db: any SQLReading) throws -> Cursor? {
        let (part, values) = following(cursor)
        let column = sort?.column ?? "_id"
        return try db.row(
            "SELECT \(column), _id FROM \(table.name) WHERE \(part) ORDER BY \(column) \(direction), _id \(direction) LIMIT 1 OFFSET \(size - 1)",
            values
        ).map { Cursor(value: $0.values[0], id: $0.integer(1)) }
    }

    /// The rows that fit, where they are few and an index tells of them.
    private func few(_ db: any SQLReading) throws -> [Int64]? {
        let condition = DecidedQuery.joined(conditions.map { given($0.text) })
        // Without an index every row would be fetched for it. Titles are read in their index from end to end, a tenth of the rows' cost.
        if dialect == .sqlite {
            let plan = try db.plan("SELECT _id FROM \(table.name)\(condition) LIMIT 1", bound)
            guard plan.contains("SEARCH") || plan.contains("COVERING INDEX") else { return nil }
        }
        return settled(try db.rows("SELECT _id FROM \(table.name)\(condition) LIMIT \(Self.most + 1)", bound))
    }

    private func settled(_ rows: [SQLRow]) -> [Int64]? {
        rows.count > Self.most ? nil : rows.map { $0.integer(0) }
    }

    /// A condition in the words by which SQLite looks into an index: that a column has a value is no range of its own.
    private func given(_ text: String) -> String {
        guard dialect == .sqlite, text.contains(" IS NULL))"), !text.contains("(NOT (NOT (") else { return text }
        var changed = text
        for (index, field) in table.fields.enumerated() where field.indexed && field.type != .point {
            let column = table.columns(index)[0]
            let least = dialect.columnType(field.type) == "TEXT" ? "''" : "-9223372036854775808"
            changed = changed.replacing("(NOT (\(column) IS NULL))", with: "(\(column) >= \(least))")
        }
        return changed
    }

    /// Those of some rows that follow a place, in the order of the sort.
    private func ordered(_ ids: [Int64], after cursor: Cursor, limit: Int) -> (String, [SQLValue]) {
        let (part, values) = following(cursor)
        let list = "[\(ids.map(String.init).joined(separator: ","))]"
        let column = sort?.column ?? "_id"
        let from =
            dialect == .sqlite
            ? "json_each(?) CROSS JOIN \(table.name) ON _id = value WHERE"
            : "\(table.name) WHERE _id IN (SELECT CAST(json_array_elements_text(CAST(? AS json)) AS BIGINT)) AND"
        return (
            "SELECT \(searchedColumns), \(column) FROM \(from) \(part) ORDER BY \(column) \(direction), _id \(direction) LIMIT \(limit)",
            [.text(list)] + values
        )
    }
}
