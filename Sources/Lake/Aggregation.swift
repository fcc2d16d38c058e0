public import Basics
import CQL
public import Kernel
import Store
public import Tabular

/// What is asked of many rows at once: groups by fields and steps of time, and measures of each.
public struct AggregateQuery: Sendable {
    /// A field that rows are grouped by; of times, the step.
    public struct Group: Sendable, Hashable {
        public enum Step: String, Sendable, CaseIterable {
            case year, quarter, month, week, day, hour
        }

        public var field: String
        public var step: Step?

        public init(field: String, step: Step? = nil) {
            self.field = field
            self.step = step
        }

        /// Reads `field` or `month(field)`.
        public init(text: String) {
            if text.hasSuffix(")"), let open = text.firstIndex(of: "("),
                let step = Step(rawValue: String(text[..<open]))
            {
                self.step = step
                field = String(text[text.index(after: open)...].dropLast())
            } else {
                field = text
            }
        }

        public var name: String { step.map { "\(field)_\($0.rawValue)" } ?? field }
    }

    /// The first rows of a sort: what many rows would cost is not asked where the last of them tell enough.
    public struct First: Sendable, Hashable {
        /// A field's name, with `-` in front for descending.
        public var sort: String
        public var rows: Int

        public init(sort: String, rows: Int) {
            self.sort = sort
            self.rows = max(1, min(rows, 1000))
        }
    }

    /// A number for each group.
    public struct Measure: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            case count, sum, mean, minimum, maximum, distinct
            /// Between 0 and 100, between the values beside it where none lies there (as `percentile_cont` does).
            case percentile(Double)

            /// Reads `count`, `sum`, `mean`, `min`, `max`, `distinct`, `p95`; nil for any other word.
            public init?(word: String) {
                switch word {
                case "count": self = .count
                case "sum": self = .sum
                case "mean": self = .mean
                case "min": self = .minimum
                case "max": self = .maximum
                case "distinct": self = .distinct
                default:
                    guard word.hasPrefix("p"), let percent = Double(word.dropFirst()), (0...100).contains(percent)
                    else {
                        return nil
                    }
                    self = .percentile(percent)
                }
            }
        }

        public var kind: Kind
        /// Empty for the count of rows.
        public var field: String
        public var name: String

        /// How many rows there are.
        public static let count = Measure(kind: .count, field: "", name: "count")

        public init(kind: Kind, field: String, name: String) {
            self.kind = kind
            self.field = field
            self.name = name
        }

        /// Reads `count`, `sum(field)`, `mean(field)`, `min(field)`, `max(field)`, `distinct(field)`, `p95(field)`.
        ///
        /// - Throws: `query.measure`.
        public init(text: String) throws(Problem) {
            guard text != "count" else {
                (kind, field, name) = (.count, "", "count")
                return
            }
            let parts = text.split(separator: "(", maxSplits: 1)
            guard parts.count == 2, parts[1].hasSuffix(")"), parts[1].count > 1 else { throw Measure.unknown(text) }
            let word = String(parts[0])
            field = String(parts[1].dropLast())
            name = "\(word)_\(field)"
            guard let kind = Kind(word: word), kind != .count else { throw Measure.unknown(text) }
            self.kind = kind
        }

        static func unknown(_ text: String) -> Problem {
            Problem(
                "query.measure",
                zh: "无法识别统计量“\(text)”。",
                en: "“\(text)” is no measure.",
                hint: .init(
                    "可用：count、sum(字段)、mean、min、max、distinct、p50(字段)。",
                    "There are count, sum(field), mean, min, max, distinct, p50(field)."
                )
            )
        }
    }

    public var code: String
    public var groups: [Group]
    public var measures: [Measure]
    /// CQL2 text.
    public var filter: String?
    /// A measure's or a group's name, with `-` in front for descending; nil for the order of the groups.
    public var sort: String?
    /// Groups at the most, 1–10,000.
    public var limit: Int
    /// Only the first rows of a sort are measured; nil for all.
    public var first: First?

    public init(
        _ code: String,
        groups: [Group] = [],
        measures: [Measure],
        filter: String? = nil,
        sort: String? = nil,
        limit: Int = 1000
    ) {
        self.code = code
        self.groups = groups
        self.measures = measures
        self.filter = filter
        self.sort = sort
        self.limit = max(1, min(limit, 10_000))
    }
}

/// Groups and their measures, a row each.
public struct Aggregate: Sendable {
    public var batch: Batch
    /// Rows that were looked at and fit.
    public var rows: Int64
    /// How many groups there are; more than the batch has where a limit cut them off.
    public var groups: Int
}

extension Lake {
    /// Groups and measures rows: by the engine where it is counts, sums and means of groups, else in memory; the same on every engine, for
    /// every filter. Kept until the rows change.
    func aggregate(_ query: AggregateQuery, _ decision: Decision) async throws -> Aggregate {
        guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
        let access = Dictionary(decision.fields.map { ($0.field.name, $0) }, uniquingKeysWith: { first, _ in first })
        let names = query.groups.map(\.field) + query.measures.map(\.field).filter { !$0.isEmpty }
        for name in names {
            guard access[name] != nil else { throw DecidedQuery.unknown(name) }
        }
        guard let state = try await readable(resource) else {
            var nothing = try Aggregation(query, fields: names.compactMap { access[$0]?.field })
            return try nothing.finish()
        }
        let asked =
            "\(try await stamp(decision)) \(query.groups) \(query.measures) \(query.filter ?? "") \(query.sort ?? "") \(query.limit) \(query.first.map { "\($0.sort) \($0.rows)" } ?? "")"
        if let kept = aggregates[asked] { return kept }
        let epoch = aggregates.epoch
        let database = database(resource)
        let scan = RecordQuery(query.code, fields: names, filter: query.filter, sort: query.first?.sort)
        let decided = try DecidedQuery(scan, decision, state, self, database.dialect)
        var aggregation = try Aggregation(query, fields: decided.outputs.map(\.field))
        func settle(_ aggregation: inout Aggregation) throws -> Aggregate {
            let found = try aggregation.finish()
            // Small answers are kept: charts ask for them again and again.
            if found.batch.count <= 500 { aggregates.store(found, for: asked, since: epoch) }
            return found
        }
        retain(state.physical)
        defer { release(state.physical) }
        if let first = query.first {
            let (batch, _) = try await decided.fetch(after: nil, limit: first.rows, database)
            try aggregation.take(decided.masked(decided.outputs(of: batch).1))
            return try settle(&aggregation)
        }
        // What is masked is grouped as it is seen, which the engine's groups are not.
        if names.allSatisfy({ access[$0]?.mask == nil }), try await decided.group(query, into: &aggregation, database) {
            return try settle(&aggregation)
        }
        let deadline = ContinuousClock.now + patience
        var cursor: DecidedQuery.Cursor?
        repeat {
            guard ContinuousClock.now < deadline else {
                throw Problem(
                    "query.too_costly",
                    status: 422,
                    zh: "统计超时。",
                    en: "The rows could not be gone through in time.",
                    hint: .init("请加上条件，缩小范围。", "Ask for less by a filter.")
                )
            }
            let (batch, last) = try await decided.fetch(after: cursor, limit: 4096, database)
            // Masked values are grouped as they are seen: an aggregate tells nothing that the rows do not.
            try aggregation.take(decided.masked(decided.outputs(of: batch).1))
            cursor = batch.count == 4096 ? last : nil
            try Task.checkCancellation()
        } while cursor != nil
        return try settle(&aggregation)
    }
}

extension LakeActions {
    static let aggregateDescriptor = ActionDescriptor(
        "data.aggregate",
        .dataRead,
        .read,
        isPublic: true,
        zh: "统计数据",
        en: "aggregate rows"
    )

    /// Groups of rows and their measures.
    public var aggregate: Action<AggregateQuery, Aggregate> {
        Action(Self.aggregateDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] query, decision in
            if let filter = query.filter, !filter.isEmpty { decision.note("filter_digest", Lake.digestText(filter)) }
            let found = try await lake.aggregate(query, decision)
            decision.note("groups", String(found.groups))
            return found
        }
    }
}
