import Basics
import CQL
public import Kernel
import Lake
import Store
import Tabular

/// What somebody asks of an indicator.
public struct IndicatorQuery: Sendable {
    public var system: String
    public var indicator: String
    /// The last period is the one that holds this day; today's without it.
    public var until: Int32?
    /// 1 to 60.
    public var periods: Int
    /// One group only; nil for all.
    public var group: String?

    public init(_ system: String, _ indicator: String, until: Int32? = nil, periods: Int = 12) {
        self.system = system
        self.indicator = indicator
        self.until = until
        self.periods = max(1, min(periods, 60))
    }
}

/// What adds up: a value is the one by the other where it is a share or a mean, else the first.
public struct Figure: Sendable, Hashable {
    public var top: Double
    public var bottom: Int64

    static let zero = Figure(top: 0, bottom: 0)

    static func + (a: Figure, b: Figure) -> Figure { Figure(top: a.top + b.top, bottom: a.bottom + b.bottom) }
}

/// An indicator's figures by period and by group.
public struct IndicatorFigures: Sendable {
    public struct Group: Sendable {
        /// The value that it is told apart by, as it is kept; empty for records without one.
        public var key: String
        public var total: Figure
        public var periods: [Figure]
    }

    public var system: String
    public var indicator: IndicatorDeclaration
    public var declared: ResourceDeclaration
    /// `2026-11` or `2026`, the oldest first.
    public var periods: [String]
    public var byPeriod: [Figure]
    public var total: Figure
    /// The largest first.
    public var groups: [Group]
    public var target: Double?

    /// The value of a figure: percents of shares; nil where there is nothing to tell of.
    public func value(_ figure: Figure) -> Double? {
        if indicator.isSum { return figure.top }
        guard figure.bottom > 0 else { return nil }
        return figure.top / Double(figure.bottom) * (indicator.isShare ? 100 : 1)
    }

    /// Whether a figure is as good as it should be; nil where nothing says so.
    public func isMet(_ figure: Figure) -> Bool? {
        guard let target, let value = value(figure) else { return nil }
        return indicator.good == .high ? value >= target : value <= target
    }
}

extension Flows {
    static let indicatorsDescriptor = ActionDescriptor(
        "flow.indicators",
        .dataRead,
        .read,
        zh: "查看指标",
        en: "read an indicator"
    )

    /// More groups than these are told of by nobody.
    private static let mostRows = 20_000

    /// The indicators of a system whose fields somebody may see.
    public func indicators(of system: InstalledSystem, _ caller: Caller) async throws -> [IndicatorDeclaration] {
        var found: [IndicatorDeclaration] = []
        for indicator in system.declaration.indicators {
            guard let code = system.codes[indicator.resource] else { continue }
            let resource = try await kernel.resource(code)
            guard kernel.gate.admits(Self.indicatorsDescriptor, resource, caller) else { continue }
            let seen = kernel.gate.unmaskedFields(Self.indicatorsDescriptor, resource, caller, anyRows: true)
            guard let declared = system.declaration.resource(indicator.resource) else { continue }
            if indicator.fields(declared).allSatisfy(seen.contains) { found.append(indicator) }
        }
        return found
    }

    /// The figures of an indicator, of the rows and fields that the caller may see.
    public var indicator: Action<IndicatorQuery, IndicatorFigures> {
        Action(
            Self.indicatorsDescriptor,
            target: { [self] query in try await kernel.resource(try await place(of: query).place.code) }
        ) { [self] query, decision in
            let (place, indicator) = try await place(of: query)
            decision.note("indicator", indicator.key)
            return try await figures(indicator, place, query, decision)
        }
    }

    private func place(of query: IndicatorQuery) async throws -> (place: SystemPlace, IndicatorDeclaration) {
        let system = try await systems.system(query.system)
        guard let indicator = system.declaration.indicators.first(where: { $0.key == query.indicator }) else {
            throw Problem.notFound(.init("指标", "the indicator"))
        }
        return (try await systems.place(system.id, indicator.resource), indicator)
    }

    private func figures(
        _ indicator: IndicatorDeclaration,
        _ place: SystemPlace,
        _ query: IndicatorQuery,
        _ decision: Decision
    ) async throws -> IndicatorFigures {
        let now = kernel.clock.now()
        let today = CivilTime.chinaDay(microseconds: now)
        let window = IndicatorWindow(indicator.period, until: query.until ?? today, count: query.periods)
        var target = Double(indicator.target)
        if case .setting(let key) = AssignedValue(indicator.target) { target = Double(place.system.setting(key)) }
        var found = IndicatorFigures(
            system: place.system.id,
            indicator: indicator,
            declared: place.declaration,
            periods: window.names,
            byPeriod: window.names.map { _ in .zero },
            total: .zero,
            groups: [],
            target: target
        )
        guard let table = try await lake.decided(decision), let resource = decision.resource else { return found }
        func settled(_ text: String) -> String {
            RuleText(text).settled(of: resource.schema, today: today, setting: place.system.setting)
        }
        // Rows that stand as they stood give the same figures, but for time, which goes on in steps of a minute.
        let asked =
            "\(place.system.id) \(place.system.number) \(indicator.key) \(resource.code) \(table.stamp) \(window.bounds) \(settled(indicator.among)) \(settled(indicator.numerator)) \(now / 60_000_000)"
        let rows: [SQLRow]
        if let kept = counted[asked] {
            rows = kept
        } else {
            let epoch = counted.epoch
            let statement = try IndicatorStatement(
                indicator,
                place.declaration,
                resource: resource.id.raw,
                table,
                window,
                among: try RuleText(indicator.among).condition(
                    of: resource.schema,
                    today: today,
                    setting: place.system.setting
                ),
                numerator: try RuleText(indicator.numerator).condition(
                    of: resource.schema,
                    today: today,
                    setting: place.system.setting
                ),
                now: now,
                limit: Self.mostRows + 1
            )
            rows = try await table.database.read { db in try db.rows(statement.sql, statement.values) }
            guard rows.count <= Self.mostRows else {
                throw Problem(
                    "query.too_costly",
                    status: 422,
                    zh: "分列的值太多。",
                    en: "There are too many groups.",
                    hint: .init("请改按较少取值的字段分列。", "Tell it apart by a field of fewer values.")
                )
            }
            if rows.count <= 2000 { counted.store(rows, for: asked, since: epoch) }
        }
        found.take(rows, scale: IndicatorStatement.scale(of: indicator, place.declaration))
        return found
    }
}

extension IndicatorFigures {
    /// Adds up rows of a period, a group and the two figures.
    mutating func take(_ rows: [SQLRow], scale: Double) {
        var all: [String: Group] = [:]
        for row in rows {
            let period = Int(row.integer(0))
            guard periods.indices.contains(period) else { continue }
            let figure = Figure(top: row.real(2) / scale, bottom: row.integer(3))
            let key = row.text(1)
            byPeriod[period] = byPeriod[period] + figure
            total = total + figure
            var group = all[key] ?? Group(key: key, total: .zero, periods: periods.map { _ in .zero })
            group.periods[period] = group.periods[period] + figure
            group.total = group.total + figure
            all[key] = group
        }
        guard !indicator.by.isEmpty else { return }
        groups = all.values.sorted { a, b in
            (indicator.isSum ? a.total.top : Double(a.total.bottom), b.key)
                > (indicator.isSum ? b.total.top : Double(b.total.bottom), a.key)
        }
    }
}

/// Months or years one after the other, in China's time.
struct IndicatorWindow: Sendable, Hashable {
    var names: [String] = []
    /// The first day of each, and the day after the last.
    var bounds: [Int32] = []

    init(_ period: IndicatorDeclaration.Period, until day: Int32, count: Int) {
        let (year, month, _) = CivilTime.civil(days: day)
        for back in (0..<count).reversed() {
            if period == .year {
                names.append(String(year - back))
                bounds.append(CivilTime.days(year: year - back, month: 1, day: 1))
            } else {
                let index = year * 12 + month - 1 - back
                let (ofYear, inYear) = (index / 12, index % 12 + 1)
                names.append("\(ofYear)-\(inYear < 10 ? "0" : "")\(inYear)")
                bounds.append(CivilTime.days(year: ofYear, month: inYear, day: 1))
            }
        }
        bounds.append(
            period == .year
                ? CivilTime.days(year: year + 1, month: 1, day: 1)
                : month == 12
                    ? CivilTime.days(year: year + 1, month: 1, day: 1)
                    : CivilTime.days(year: year, month: month + 1, day: 1)
        )
    }
}

extension IndicatorDeclaration {
    /// The fields that somebody must see as they are to be told of it.
    func fields(_ declared: ResourceDeclaration) -> Set<String> {
        var found: Set<String> = []
        if !by.isEmpty, by != Self.byClock { found.insert(by) }
        if !date.isEmpty { found.insert(date) }
        switch measure {
        case .sum(let field), .mean(let field): found.insert(field)
        default: break
        }
        for text in [numerator, among] where !text.isEmpty {
            // What cannot be read is asked by nobody.
            found.formUnion(RuleText(text).fields(of: declared.schema) ?? ["?"])
        }
        return found
    }
}
