public import Basics
public import Tabular

/// Groups batches as they pass. Memory holds the groups, and values only where percentiles or different ones are asked for.
public struct Aggregation {
    /// Groups, and values kept for percentiles and distinct counts, at the most.
    public static let mostGroups = 200_000
    static let mostValues = 5_000_000

    /// What is known of a group's measure so far.
    private struct Sum {
        var count: Int64 = 0
        var total = 0.0
        /// What rounding lost (Neumaier's sum).
        var lost = 0.0
        var extreme: Value = .null
        var values: [Double] = []
        var seen: Set<Hash128> = []

        mutating func add(_ value: Double) {
            let next = total + value
            lost += abs(total) >= abs(value) ? (total - next) + value : (value - next) + total
            total = next
        }
    }

    private struct Found {
        var keys: [Value]
        var sums: [Sum]
    }

    private let query: AggregateQuery
    /// Where each group's and each measure's field lies in the batches; -1 for the count of rows.
    private let groupPlaces: [Int]
    private let measurePlaces: [Int]
    private let fields: [Field]
    private var places: [Hash128: Int] = [:]
    private var found: [Found] = []
    private var rows: Int64 = 0
    private var kept = 0

    /// - Throws: `query.measure` for a measure that its field's type has not, `query.step` for a step of what is no time.
    public init(_ query: AggregateQuery, fields: [Field]) throws(Problem) {
        self.query = query
        self.fields = fields
        func place(_ name: String) throws(Problem) -> Int {
            guard let place = fields.firstIndex(where: { $0.name == name }) else { throw DecidedQuery.unknown(name) }
            return place
        }
        groupPlaces = try query.groups.map { group throws(Problem) in
            let place = try place(group.field)
            let type = fields[place].type
            guard type != .geometry, type != .point else { throw DecidedQuery.unknown(group.field) }
            if let step = group.step, type != .timestamp, type != .date || step == .hour {
                throw Problem(
                    "query.step",
                    zh: "“\(group.field)”不能按“\(step.rawValue)”分段。",
                    en: "“\(group.field)” has no steps of \(step.rawValue)."
                )
            }
            return place
        }
        measurePlaces = try query.measures.map { measure throws(Problem) in
            guard measure.kind != .count else { return -1 }
            let place = try place(measure.field)
            let type = fields[place].type
            let isNumber = type == .integer || type == .decimal || type == .real
            switch measure.kind {
            case .sum, .mean, .percentile:
                guard isNumber else { throw AggregateQuery.Measure.unknown(measure.name) }
            case .minimum, .maximum:
                guard isNumber || type == .date || type == .timestamp || type == .time || type == .text else {
                    throw AggregateQuery.Measure.unknown(measure.name)
                }
            case .count, .distinct: break
            }
            return place
        }
    }

    /// - Throws: `query.too_many_groups`.
    public mutating func take(_ batch: Batch) throws(Problem) {
        rows += Int64(batch.count)
        for row in 0..<batch.count {
            let group = try group(batch, row)
            for (index, place) in measurePlaces.enumerated() { try measure(index, place, group, batch, row) }
        }
    }

    /// The group of a row: one that is known, or a new one.
    private mutating func group(_ batch: Batch, _ row: Int) throws(Problem) -> Int {
        var hash = Hash128(0)
        for (index, place) in groupPlaces.enumerated() {
            hash.combine(key(batch, row, place, query.groups[index].step))
        }
        if let known = places[hash] { return known }
        guard found.count < Aggregation.mostGroups else { throw Aggregation.tooMany }
        // A group's measures take room as kept values do.
        kept += 2 * measurePlaces.count
        guard kept <= Aggregation.mostValues else { throw Aggregation.tooMany }
        places[hash] = found.count
        found.append(
            Found(
                keys: groupPlaces.indices.map { title(batch, row, groupPlaces[$0], query.groups[$0].step) },
                sums: Array(repeating: Sum(), count: measurePlaces.count)
            )
        )
        return found.count - 1
    }

    /// Takes rows that an engine grouped: the batch holds the values of the groups in the places of their fields, and for each row stands
    /// how many rows it is of, and for each measure how many values it is of and their sum. Counts, sums and means only.
    ///
    /// - Throws: `query.too_many_groups`.
    mutating func take(grouped batch: Batch, counts: [Int64], sums: [[(count: Int64, total: Double)]]) throws(Problem) {
        for row in 0..<batch.count {
            rows += counts[row]
            let group = try group(batch, row)
            for (index, place) in measurePlaces.enumerated() {
                guard place >= 0 else {
                    found[group].sums[index].count += counts[row]
                    continue
                }
                found[group].sums[index].count += sums[index][row].count
                if sums[index][row].count > 0 { found[group].sums[index].add(sums[index][row].total) }
            }
        }
    }

    private static let tooMany = Problem(
        "query.too_many_groups",
        zh: "分组或不同值太多。",
        en: "There are too many groups or different values.",
        hint: .init("请加上条件，或按较少取值的字段分组。", "Ask for less by a filter, or group by a field of fewer values.")
    )

    private mutating func measure(
        _ index: Int,
        _ place: Int,
        _ group: Int,
        _ batch: Batch,
        _ row: Int
    ) throws(Problem) {
        guard place >= 0 else {
            found[group].sums[index].count += 1
            return
        }
        let column = batch.columns[place]
        guard !column.isNull(row) else { return }
        found[group].sums[index].count += 1
        switch query.measures[index].kind {
        case .count: break
        case .sum, .mean: found[group].sums[index].add(number(column, row, batch.fields[place]))
        case .minimum, .maximum:
            let value = batch.value(row, place)
            let old = found[group].sums[index].extreme
            if old == .null || Aggregation.isLess(value, old) == (query.measures[index].kind == .minimum) {
                found[group].sums[index].extreme = value
            }
        case .distinct:
            if found[group].sums[index].seen.insert(column.hash(row)).inserted { kept += 1 }
        case .percentile:
            found[group].sums[index].values.append(number(column, row, batch.fields[place]))
            kept += 1
        }
        guard kept <= Aggregation.mostValues else { throw Aggregation.tooMany }
    }

    private func number(_ column: Column, _ row: Int, _ field: Field) -> Double {
        switch column.values {
        case .int64(let values):
            field.type == .decimal
                ? Double(values[row]) / Double(Numbers.powersOfTen[field.scale]) : Double(values[row])
        case .real(let values): values[row]
        default: 0
        }
    }

    private static func isLess(_ a: Value, _ b: Value) -> Bool {
        switch (a, b) {
        case (.integer(let a), .integer(let b)), (.time(let a), .time(let b)), (.timestamp(let a), .timestamp(let b)):
            a < b
        case (.decimal(let a, _), .decimal(let b, _)): a < b
        case (.real(let a), .real(let b)): a < b
        case (.date(let a), .date(let b)): a < b
        case (.text(let a), .text(let b)): a < b
        default: false
        }
    }

    // MARK: Steps of time

    /// The first day, or hour, of the step that a value lies in, as a number; China's clock.
    private static func start(_ value: Int64, _ step: AggregateQuery.Group.Step) -> Int64 {
        if step == .hour {
            let hour: Int64 = 3_600_000_000
            return value >= 0 ? value / hour : (value - hour + 1) / hour
        }
        let day = Int32(clamping: value)
        let civil = CivilTime.civil(days: day)
        switch step {
        case .year: return Int64(civil.year)
        case .quarter: return Int64(civil.year) * 4 + Int64((civil.month - 1) / 3)
        case .month: return Int64(civil.year) * 12 + Int64(civil.month - 1)
        // Monday begins the week, as ISO 8601 has it.
        case .week: return Int64(day) - Int64((CivilTime.weekday(days: day) + 6) % 7)
        case .day, .hour: return Int64(day)
        }
    }

    private static func text(_ start: Int64, _ step: AggregateQuery.Group.Step) -> String {
        switch step {
        case .year: String(start)
        case .quarter: "\(start / 4)-Q\(start % 4 + 1)"
        case .month: "\(start / 12)-\(start % 12 < 9 ? "0" : "")\(start % 12 + 1)"
        case .week, .day: CivilTime.date(Int32(clamping: start))
        case .hour: CivilTime.minute(start * 3_600_000_000).replacing(" ", with: "T")
        }
    }

    private func moment(_ column: Column, _ row: Int, _ step: AggregateQuery.Group.Step) -> Int64 {
        switch column.values {
        case .int32(let days): Int64(days[row])
        case .int64(let moments):
            step == .hour ? moments[row] : Int64(CivilTime.chinaDay(microseconds: moments[row]))
        default: 0
        }
    }

    private func key(_ batch: Batch, _ row: Int, _ place: Int, _ step: AggregateQuery.Group.Step?) -> Hash128 {
        let column = batch.columns[place]
        guard !column.isNull(row) else { return Hash128(Int64.min + 7) }
        guard let step else { return column.hash(row) }
        return Hash128(Aggregation.start(moment(column, row, step), step))
    }

    private func title(_ batch: Batch, _ row: Int, _ place: Int, _ step: AggregateQuery.Group.Step?) -> Value {
        let column = batch.columns[place]
        guard let step, !column.isNull(row) else { return batch.value(row, place) }
        return .text(Aggregation.text(Aggregation.start(moment(column, row, step), step), step))
    }

    // MARK: The answer

    /// - Throws: `query.field` for a sort by what is no group and no measure.
    public mutating func finish() throws(Problem) -> Aggregate {
        if query.groups.isEmpty, found.isEmpty {
            found.append(Found(keys: [], sums: Array(repeating: Sum(), count: measurePlaces.count)))
        }
        var lines = found.map { group in
            group.keys + query.measures.indices.map { answer(query.measures[$0].kind, group.sums[$0]) }
        }
        let names = query.groups.map(\.name) + query.measures.map(\.name)
        var order = Array(query.groups.indices)
        var isDescending = false
        if let sort = query.sort, !sort.isEmpty {
            isDescending = sort.hasPrefix("-")
            let name = isDescending ? String(sort.dropFirst()) : sort
            guard let place = names.firstIndex(of: name) else { throw DecidedQuery.unknown(name) }
            order.insert(place, at: 0)
        }
        lines.sort { a, b in
            for (index, place) in order.enumerated() where a[place] != b[place] {
                // Groups without a value come last.
                if a[place] == .null || b[place] == .null { return b[place] == .null }
                return Aggregation.isLess(a[place], b[place]) != (isDescending && index == 0)
            }
            return false
        }
        let fields =
            zip(query.groups, groupPlaces).map { group, place in
                group.step == nil ? self.fields[place] : Field(group.name, title: self.fields[place].display)
            } + zip(query.measures, measurePlaces).map { measure, place in field(measure, place) }
        var builders = fields.map { ColumnBuilder($0) }
        for line in lines.prefix(query.limit) {
            for (index, value) in line.enumerated() { builders[index].append(value) }
        }
        return Aggregate(
            batch: Batch(
                fields: fields,
                columns: fields.indices.map { builders[$0].finish() },
                count: min(lines.count, query.limit)
            ),
            rows: rows,
            groups: lines.count
        )
    }

    private func field(_ measure: AggregateQuery.Measure, _ place: Int) -> Field {
        switch measure.kind {
        case .count, .distinct: return Field(measure.name, .integer)
        case .sum, .mean, .percentile: return Field(measure.name, .real)
        case .minimum, .maximum:
            var field = fields[place]
            field.name = measure.name
            return field
        }
    }

    private func answer(_ kind: AggregateQuery.Measure.Kind, _ sum: Sum) -> Value {
        switch kind {
        case .count: return .integer(sum.count)
        case .distinct: return .integer(Int64(sum.seen.count))
        case .sum: return .real(sum.total + sum.lost)
        case .mean: return sum.count > 0 ? .real((sum.total + sum.lost) / Double(sum.count)) : .null
        case .minimum, .maximum: return sum.extreme
        case .percentile(let percent):
            guard !sum.values.isEmpty else { return .null }
            let sorted = sum.values.sorted()
            let place = percent / 100 * Double(sorted.count - 1)
            let below = Int(place.rounded(.down))
            let above = min(below + 1, sorted.count - 1)
            return .real(sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below)))
        }
    }
}
