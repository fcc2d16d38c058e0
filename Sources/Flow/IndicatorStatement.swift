import Basics
import CQL
import Lake
import Store
import Tabular

/// The statement that gives an indicator's figures: a row for each period and group, with what is counted and of how many.
///
/// It reads the records of the window: by `flow_records_opened`, or the index of the date field, then for each its steps or clocks by
/// `flow_steps_taken` and the clocks' key.
struct IndicatorStatement {
    private(set) var sql = ""
    private(set) var values: [SQLValue] = []

    init(
        _ indicator: IndicatorDeclaration,
        _ declared: ResourceDeclaration,
        resource: Int64,
        _ table: DecidedTable,
        _ window: IndicatorWindow,
        among: CQL.Expression?,
        numerator: CQL.Expression?,
        now: Int64,
        limit: Int
    ) throws(Problem) {
        // `record` lies beside the row in the tables of flows.
        var source = table.name
        var conditions: [String] = []
        var after: [SQLValue] = []
        let moment: String
        if indicator.date.isEmpty {
            source += " JOIN flow_records f ON f.resource = \(resource) AND f.record = _id"
            moment = "f.opened_at"
        } else {
            moment = try table.column(indicator.date).sql
        }
        let isDay = !indicator.date.isEmpty && declared.field(indicator.date)?.type == .date
        let bounds = window.bounds.map { isDay ? Int64($0) : CivilTime.chinaMidnight(day: $0) }
        // One flat CASE: engines nest only so deep.
        let cases = (1..<(bounds.count - 1)).map { "WHEN \(moment) < \(bounds[$0]) THEN \($0 - 1)" }
        let latest = bounds.count - 2
        let period = cases.isEmpty ? "0" : "CASE \(cases.joined(separator: " ")) ELSE \(latest) END"
        conditions.append("\(moment) >= \(bounds[0]) AND \(moment) < \(bounds[bounds.count - 1])")
        var group = "''"
        if indicator.by == IndicatorDeclaration.byClock {
            group = "k.clock"
        } else if !indicator.by.isEmpty {
            group = "CAST(\(try table.column(indicator.by).sql) AS TEXT)"
        }
        var (top, bottom) = ("1", "1")
        func taken(_ step: String) -> String {
            values.append(.text(step))
            return
                "(SELECT min(s.at) FROM flow_steps s WHERE s.resource = \(resource) AND s.record = _id AND s.step = ?)"
        }
        switch indicator.measure {
        case .count: break
        case .sum(let field), .mean(let field):
            let column = try table.column(field).sql
            top = column
            bottom = "CASE WHEN \(column) IS NULL THEN 0 ELSE 1 END"
        case .ratio:
            if let numerator {
                let fragment = try table.condition(numerator)
                top = "CASE WHEN \(fragment.text) THEN 1 ELSE 0 END"
                values += fragment.values.map { SQLValue($0) }
            }
        case .passed(let step):
            top = "CASE WHEN \(taken(step)) IS NULL THEN 0 ELSE 1 END"
        case .returned:
            let steps = declared.flow?.steps.filter { $0.kind == .return }.map(\.key) ?? []
            let marks = Array(repeating: "?", count: steps.count).joined(separator: ",")
            values += steps.map { .text($0) }
            top =
                "CASE WHEN EXISTS (SELECT 1 FROM flow_steps s WHERE s.resource = \(resource) AND s.record = _id AND s.step IN (\(marks))) THEN 1 ELSE 0 END"
        case .days(let first, let last):
            top = "\(taken(last)) - \(taken(first))"
        case .inTime(let clock), .overdue(let clock):
            source += " JOIN flow_clocks k ON k.resource = \(resource) AND k.record = _id"
            // Clocks that the node itself ends are terms that run out by themselves.
            let keys = clock.map { [$0] } ?? declared.flow?.clocks.filter(\.step.isEmpty).map(\.key) ?? []
            conditions.append("k.clock IN (\(Array(repeating: "?", count: keys.count).joined(separator: ",")))")
            after += keys.map { .text($0) }
            let late = "(k.state = 'running' OR k.state = 'ended') AND k.due <= \(now)"
            if case .overdue = indicator.measure {
                conditions.append(late)
            } else {
                conditions.append("(k.state = 'stopped' OR \(late))")
                top = "CASE WHEN k.state = 'stopped' AND k.ended_at <= k.due THEN 1 ELSE 0 END"
            }
        }
        if let among {
            let fragment = try table.condition(among)
            conditions.append(fragment.text)
            after += fragment.values.map { SQLValue($0) }
        }
        if let scope = table.scope {
            conditions.append(scope.text)
            after += scope.values.map { SQLValue($0) }
        }
        values += after
        // A record of which one of two steps is not taken yet, or the last before the first, has no days between them.
        let isSpan = if case .days = indicator.measure { true } else { false }
        let sums =
            isSpan
            ? "CAST(sum(CASE WHEN t >= 0 THEN t END) AS DOUBLE PRECISION), count(CASE WHEN t >= 0 THEN 1 END)"
            : "CAST(sum(t) AS DOUBLE PRECISION), CAST(sum(b) AS BIGINT)"
        sql = """
            SELECT p, g, \(sums) FROM (SELECT \(period) AS p, \(group) AS g, \(top) AS t, \(bottom) AS b FROM \(source)
            WHERE \(conditions.joined(separator: " AND "))) AS counted GROUP BY p, g ORDER BY p, g LIMIT \(limit)
            """
    }

    /// What sums are divided by: decimals lie as scaled integers, days as microseconds.
    static func scale(of indicator: IndicatorDeclaration, _ declared: ResourceDeclaration) -> Double {
        switch indicator.measure {
        case .sum(let name), .mean(let name):
            guard let field = declared.field(name), field.type == .decimal else { return 1 }
            return Double(Numbers.powersOfTen[field.scale])
        case .days: return Double(CivilTime.microsecondsPerDay)
        default: return 1
        }
    }
}
