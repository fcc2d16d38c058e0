import Kernel
import Catalogue
import Basics
import CQL
import Foundation
import Geo
import Lake
import Tabular

/// CQL2's expressions, not Foundation's.
typealias Expression = CQL.Expression

/// What is asked of a collection's items, by the parameters of OGC API - Features, Parts 1 to 3.
struct FeatureQuery {
    var query: RecordQuery
    var system: CoordinateSystem
    /// The properties that come out.
    var properties: [Field]

    static let parameters: Set<String> = [
        "limit", "bbox", "bbox-crs", "crs", "datetime", "filter", "filter-lang", "filter-crs", "sortby", "properties",
        "cursor", "count", "lang", "f",
    ]

    /// - Throws: `request.parameter`, `cql.*`.
    init(_ collection: FeatureCollection, _ web: WebRequest) throws {
        guard !web.parameters.isEmpty else {
            system = .crs84
            properties = collection.layout.properties
            query = RecordQuery(collection.layout.code, fields: collection.layout.wanted, limit: 10)
            return
        }
        let asked = web.parameters.filter { !$0.value.isEmpty || $0.key == "bbox" || $0.key == "datetime" }
        let queryable = collection.queryable
        for name in asked.keys.sorted()
        where !Self.parameters.contains(name) && !queryable.contains(where: { $0.name == name }) {
            throw Self.unknown(name)
        }
        system = try Self.system(asked["crs"], "crs")
        var conditions: [Expression] = []
        conditions += try Self.places(asked, collection.shape, collection.time)
        if let text = asked["filter"] {
            let language = asked["filter-lang"] ?? "cql2-text"
            guard ["cql2-text", "cql2-json"].contains(language) else {
                throw Self.wrong("filter-lang", "应为 cql2-text 或 cql2-json", "should be cql2-text or cql2-json")
            }
            let parsed = try language == "cql2-json" ? Expression(json: JSONValue(text: text)) : Expression(text)
            let from = try Self.system(asked["filter-crs"], "filter-crs")
            let filter = collection.settled(parsed, from)
            do { _ = try BoundExpression(predicate: filter, fields: queryable) } catch {
                throw Expression.located(error, in: text)
            }
            conditions.append(filter)
        }
        for field in asked.isEmpty ? [] : queryable where !Self.parameters.contains(field.name) {
            guard let text = asked[field.name] else { continue }
            conditions.append(.compare(.equal, .property(field.name), .literal(try Self.value(text, field))))
        }
        properties = collection.layout.properties
        var wanted = collection.layout.wanted
        if let text = asked["properties"] {
            let names = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            for name in names where !collection.fields.contains(where: { $0.name == name }) {
                throw Self.unknown("properties=\(name)")
            }
            properties = properties.filter { names.contains($0.name) }
            wanted = FeatureLayout.wanted(properties, collection.shape, collection.key)
        }
        query = RecordQuery(
            collection.layout.code,
            fields: wanted,
            filter: conditions.isEmpty ? nil : (conditions.count == 1 ? conditions[0] : .and(conditions)).json.text,
            sort: try Self.sort(asked["sortby"], queryable),
            cursor: asked["cursor"],
            limit: try Self.limit(asked["limit"]),
            counting: try RecordQuery.Counting(asked: asked["count"])
        )
    }

    /// What `bbox`, `bbox-crs` and `datetime` ask.
    static func places(
        _ asked: [String: String],
        _ shape: FeatureLayout.Shape?,
        _ time: Field?
    ) throws(Problem) -> [Expression] {
        var conditions: [Expression] = []
        let system = try Self.system(asked["bbox-crs"], "bbox-crs")
        if let text = asked["bbox"] {
            let box = try Self.box(text, system)
            // What has no place is in no box.
            conditions.append(
                shape.map { .function("s_intersects", [$0.expression, box]) } ?? .literal(.boolean(false))
            )
        }
        if let text = asked["datetime"] {
            let interval = try Self.interval(text)
            // A feature without a time is of every time.
            if let time {
                conditions.append(
                    .or([.isNull(.property(time.name)), .function("t_intersects", [.property(time.name), interval])])
                )
            }
        }
        return conditions
    }

    static func wrong(_ name: String, _ zh: String, _ en: String) -> Problem {
        Problem(
            "request.parameter",
            zh: "参数 \(name) 有误：\(zh)。",
            en: "The parameter \(name) is not right: \(en).",
            details: ["parameter": name]
        )
    }

    static func unknown(_ name: String) -> Problem {
        Problem(
            "request.parameter",
            zh: "没有参数 \(name)。",
            en: "There is no parameter \(name).",
            details: ["parameter": name]
        )
    }

    static func system(_ text: String?, _ name: String) throws(Problem) -> CoordinateSystem {
        guard let text else { return .crs84 }
        guard let system = CoordinateSystem(uri: text) else {
            throw wrong(name, "不支持该坐标系", "the coordinate reference system is not supported")
        }
        return system
    }

    static func limit(_ text: String?) throws(Problem) -> Int {
        guard let text else { return 10 }
        guard let number = Int(text), number >= 1 else { throw wrong("limit", "应为正整数", "should be a positive integer") }
        return min(number, 10_000)
    }

    /// Four or six numbers in the order of the system's axes.
    static func box(_ text: String, _ system: CoordinateSystem) throws(Problem) -> Expression {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
            Double($0.trimmingCharacters(in: .whitespaces)) ?? .nan
        }
        guard numbers.count == 4 || numbers.count == 6, numbers.allSatisfy(\.isFinite) else {
            throw wrong("bbox", "应为四个或六个数", "should be four or six numbers")
        }
        let low = system.place(numbers[0], numbers[1])
        let high = system.place(numbers[numbers.count / 2], numbers[numbers.count / 2 + 1])
        guard low.latitude <= high.latitude else {
            throw wrong("bbox", "应先给出南，再给出北", "the south comes before the north")
        }
        return .box([low.longitude, low.latitude, high.longitude, high.latitude])
    }

    /// A moment, or `a/b` with `..` or nothing for an open end.
    static func interval(_ text: String) throws(Problem) -> Expression {
        // An offset's plus sign came as a blank.
        let parts = text.replacing(" ", with: "+").split(separator: "/", omittingEmptySubsequences: false).map(
            String.init
        )
        let bad = wrong("datetime", "应为日期时间或 起/止", "should be a date-time or start/end")
        guard parts.count <= 2, !parts.isEmpty else { throw bad }
        var ends: [Expression?] = []
        for part in parts {
            if parts.count == 2, part.isEmpty || part == ".." {
                ends.append(nil)
                continue
            }
            let bytes = Array(part.utf8)
            let day = bytes.withUnsafeBufferPointer { CivilTime.parseISODate($0) }
            let moment = bytes.withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }
            guard let value = day.map({ Value.date($0) }) ?? moment.map({ Value.timestamp($0) }) else { throw bad }
            ends.append(.literal(value))
        }
        if ends.count == 1 { ends.append(ends[0]) }
        guard ends[0] != nil || ends[1] != nil else { throw bad }
        if case .literal(let a)? = ends[0], case .literal(let b)? = ends[1], microseconds(a) > lastMicrosecond(b) {
            throw bad
        }
        return .interval(ends[0], ends[1])
    }

    /// The first and the last moment of a `datetime`.
    static func moments(_ text: String) throws(Problem) -> ClosedRange<Int64> {
        guard case .interval(let from, let to) = try interval(text) else { return .min ... .max }
        var range = Int64.min...Int64.max
        if case .literal(let value)? = from { range = microseconds(value)...Int64.max }
        if case .literal(let value)? = to {
            range = range.lowerBound...max(range.lowerBound, lastMicrosecond(value))
        }
        return range
    }

    /// The end of a day, or the moment itself.
    private static func lastMicrosecond(_ value: Value) -> Int64 {
        if case .date = value { return microseconds(value) + CivilTime.microsecondsPerDay - 1 }
        return microseconds(value)
    }

    private static func microseconds(_ value: Value) -> Int64 {
        switch value {
        case .date(let days): CivilTime.chinaMidnight(day: days)
        case .timestamp(let moment): moment
        default: 0
        }
    }

    private static func sort(_ text: String?, _ fields: [Field]) throws(Problem) -> String? {
        guard let text else { return nil }
        let names = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        guard names.count == 1, let name = names.first else {
            throw wrong("sortby", "一次按一个字段排序", "one property at a time; rows that agree come in their order")
        }
        let plain = name.hasPrefix("-") || name.hasPrefix("+") ? String(name.dropFirst()) : name
        guard fields.contains(where: { $0.name == plain }) else { throw unknown("sortby=\(plain)") }
        return name.hasPrefix("-") ? "-" + plain : plain
    }

    private static func value(_ text: String, _ field: Field) throws(Problem) -> Value {
        let bytes = Array(text.utf8)
        switch field.type {
        case .integer, .decimal, .real:
            guard let number = bytes.withUnsafeBufferPointer({ Numbers.parseReal($0) }) else {
                throw wrong(field.name, "应为数", "should be a number")
            }
            return bytes.withUnsafeBufferPointer { Numbers.parseInteger($0) }.map { .integer($0) } ?? .real(number)
        case .boolean:
            guard ["true", "false"].contains(text) else {
                throw wrong(field.name, "应为 true 或 false", "should be true or false")
            }
            return .boolean(text == "true")
        case .point, .geometry: throw unknown(field.name)
        default: return .text(text)
        }
    }
}

extension RecordQuery.Counting {
    /// - Throws: `request.parameter`.
    init?(asked text: String?) throws(Problem) {
        guard let text else { return nil }
        guard let counting = RecordQuery.Counting(rawValue: text) else {
            throw FeatureQuery.wrong("count", "应为 exact 或 estimate", "should be exact or estimate")
        }
        self = counting
    }
}

extension FeatureCollection {
    /// A filter with its geometries as longitudes and latitudes, and `geometry` for a point of two fields.
    func settled(_ filter: Expression, _ system: CoordinateSystem) -> Expression {
        filter.mapped { part in
            switch part {
            case .geometry(let geometry) where system != .crs84: return .geometry(geometry.places(from: system))
            case .box(let numbers) where system != .crs84:
                let half = numbers.count / 2
                let low = system.place(numbers[0], numbers[1])
                let high = system.place(numbers[half], numbers[half + 1])
                return .box([low.longitude, low.latitude, high.longitude, high.latitude])
            case .property(let name):
                guard let shape, case .pair = shape, name == shape.name, !queryable.contains(where: { $0.name == name })
                else {
                    return nil
                }
                return shape.expression
            default: return nil
            }
        }
    }
}
