import Basics
import CQL
import Store
import Tabular

extension DecidedQuery {
    /// More groups than these are gathered in memory.
    private static let mostEngineGroups = 10_000
    /// Rows of larger tables are gone through in pieces, which an impatient client can end.
    private static let mostEngineRows: Int64 = 5_000_000

    /// Lets the engine count, sum and average by groups, where it says the same as memory does: false where it does not.
    func group(
        _ query: AggregateQuery,
        into aggregation: inout Aggregation,
        _ database: any Database
    ) async throws -> Bool {
        guard rest.isEmpty, boxes.isEmpty, rows <= Self.mostEngineRows, !query.groups.isEmpty else { return false }
        let known = outputs.map(\.field)
        var groups: [Field] = []
        for group in query.groups {
            guard let field = known.first(where: { $0.name == group.field }), field.type != .point,
                field.type != .geometry, group.step == nil || field.type == .date
            else { return false }
            groups.append(field)
        }
        var measured: [Field?] = []
        for measure in query.measures {
            guard measure.kind != .count else {
                measured.append(nil)
                continue
            }
            guard measure.kind == .sum || measure.kind == .mean,
                let field = known.first(where: { $0.name == measure.field }),
                field.type == .integer || field.type == .decimal
            else { return false }
            measured.append(field)
        }
        let columns = groups.map { table.column($0) }
        var selected = columns + ["count(*)"]
        for case let field? in measured {
            let column = table.column(field)
            selected += ["count(\(column))", "CAST(sum(\(column)) AS DOUBLE PRECISION)"]
        }
        let sql =
            "SELECT \(selected.joined(separator: ", ")) FROM \(table.name)\(DecidedQuery.joined(conditions.map(\.text))) GROUP BY \(columns.joined(separator: ", ")) LIMIT \(Self.mostEngineGroups + 1)"
        let values = conditions.flatMap(\.values).map { SQLValue($0) }
        let numbers = measured.compactMap(\.self).flatMap { _ in [Field("n", .integer), Field("s", .real)] }
        let wanted = groups + [Field("n", .integer)] + numbers
        let found = try await database.read { db in
            try db.batch(sql, values, fields: wanted, capacity: 256)
        }
        guard found.count <= Self.mostEngineGroups else { return false }
        let nothing = Column(.int64([]))
        let placed = Batch(
            fields: known,
            columns: known.map { field in
                groups.firstIndex { $0.name == field.name }.map { found.columns[$0] } ?? nothing
            },
            count: found.count
        )
        func number(_ row: Int, _ column: Int) -> Double {
            switch found.value(row, column) {
            case .integer(let number): Double(number)
            case .real(let number): number
            default: 0
            }
        }
        var next = groups.count + 1
        let sums = measured.map { field -> [(count: Int64, total: Double)] in
            guard let field else { return [] }
            let place = next
            next += 2
            let unit = field.type == .decimal ? Double(Numbers.powersOfTen[field.scale]) : 1
            return (0..<found.count).map { (Int64(number($0, place)), number($0, place + 1) / unit) }
        }
        let counts = (0..<found.count).map { Int64(number($0, groups.count)) }
        try aggregation.take(grouped: placed, counts: counts, sums: sums)
        return true
    }
}
