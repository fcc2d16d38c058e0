import Basics
import CQL
import Foundation
import Geo
import Tabular
import Testing

/// Both encodings of CQL2 over vectors of our own: each text with its JSON, and inputs that are wrong with where they are.
@Suite struct EncodingTests {
    static let vectors: [JSONValue] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
            path: "Fixtures/cql2.jsonl"
        )
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { try? JSONValue(text: String($0)) }
    }()

    /// Equal as values: 12 and 12.0, a moment with or without its zeros.
    static func alike(_ a: JSONValue, _ b: JSONValue) -> Bool {
        if let x = a.real, let y = b.real { return x == y }
        switch (a, b) {
        case (.array(let x), .array(let y)): return x.count == y.count && zip(x, y).allSatisfy(alike)
        case (.object(let x), .object(let y)):
            return x.count == y.count
                && x.allSatisfy { member in b[member.name].map { alike(member.value, $0) } ?? false }
        case (.string(let x), .string(let y)):
            func moment(_ text: String) -> Int64? {
                Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }
            }
            return x == y || moment(x) != nil && moment(x) == moment(y)
        default: return a == b
        }
    }

    @Test func textAndJSONSayTheSame() throws {
        var count = 0
        for vector in Self.vectors where vector["error"] == nil {
            guard let text = vector["text"]?.string, let json = vector["json"] else { continue }
            count += 1
            do {
                let read = try Expression(text)
                #expect(Self.alike(read.json, json), "\(text)\n\(read.json.text)\n\(json.text)")
                let other = try Expression(json: json)
                #expect(Self.alike(other.json, json), "\(json.text)")
                // What is written reads back as the same tree.
                #expect(Self.alike(try Expression(read.text).json, read.json), "\(text) → \(read.text)")
                #expect(Self.alike(try Expression(other.text).json, other.json), "\(json.text) → \(other.text)")
            } catch let problem { Issue.record("\(text): \(problem.text(.en))") }
        }
        #expect(count > 200)
    }

    @Test func wrongInputIsRefusedWhereItIsWrong() throws {
        var count = 0
        for vector in Self.vectors where vector["error"] != nil && vector["kind"] == nil {
            let why = vector["error"]?.string ?? ""
            do {
                // What is sound by itself must at least not bind.
                let read =
                    if let text = vector["text"]?.string { try Expression(text) } else {
                        try Expression(json: vector["json"] ?? .null)
                    }
                _ = try BoundExpression(predicate: read, fields: Self.transport)
                if why.contains("Z missing") || why.lowercased().contains("only") && why.contains("Z") {
                    // Another offset, or China's time without one, is read as what it says.
                    continue
                }
                // What the grammar forbids and does no harm may pass.
                if vector["strict"] == nil { Issue.record("accepted: \(vector.text)") }
            } catch let problem {
                count += 1
                guard vector["text"] != nil, ["cql.syntax"].contains(problem.code),
                    let position = vector["position"]?.integer
                else { continue }
                let fit = ([position] + (vector["alt_positions"]?.array ?? []).compactMap(\.integer)).map { String($0) }
                #expect(
                    fit.contains(problem.details["position"] ?? ""),
                    "\(vector["text"]?.string ?? "") (\(why)): \(problem.text(.en))"
                )
            }
        }
        #expect(count > 90)
    }

    /// What the vectors are about.
    static let transport = [
        Field("plate"), Field("owner"), Field("axles", .integer), Field("load_kg", .integer),
        Field("mass_t", .decimal, scale: 2),
        Field("active", .boolean), Field("issued", .date), Field("seen", .timestamp), Field("position", .point),
        Field("track", .geometry), Field("tags"),
    ]

    static let shapes = [
        Field("place", .point), Field("zone", .geometry), Field("tags"), Field("name"), Field("at"),
    ]

    static func row(_ values: [Value]) -> Batch {
        var builders = shapes.map { ColumnBuilder($0) }
        for (index, value) in values.enumerated() { builders[index].append(value) }
        return Batch(fields: shapes, columns: builders.indices.map { builders[$0].finish() }, count: 1)
    }

    /// The DE-9IM relations, arrays, folding and the functions of transport, each on one row.
    @Test(arguments: [
        ("S_INTERSECTS(place, BBOX(116, 39, 117, 40))", Truth.yes),
        ("S_INTERSECTS(place, BBOX(117, 39, 118, 40))", .no),
        ("S_WITHIN(place, zone)", .yes), ("S_CONTAINS(zone, place)", .yes), ("S_DISJOINT(zone, POINT(0 0))", .yes),
        // A place on the edge is not within, but it touches.
        ("S_WITHIN(POINT(116 39.5), zone)", .no), ("S_TOUCHES(POINT(116 39.5), zone)", .yes),
        ("S_CROSSES(LINESTRING(115 39.5, 118 39.5), zone)", .yes),
        ("S_OVERLAPS(zone, POLYGON((116.5 39.5,118 39.5,118 41,116.5 41,116.5 39.5)))", .yes),
        ("S_EQUALS(zone, POLYGON((117 39,117 40,116 40,116 39,117 39)))", .yes),
        ("S_INTERSECTS(zone, BBOX(170, -10, -170, 10))", .no),
        ("S_INTERSECTS(POINT(175 0), BBOX(170, -10, -170, 10))", .yes),
        ("A_CONTAINS(tags, ('桥', '隧道'))", .yes), ("A_OVERLAPS(tags, ('港口'))", .no), ("A_CONTAINS(tags, ())", .yes),
        ("A_EQUALS(('a', 'b'), ('b', 'a', 'a'))", .yes), ("A_CONTAINEDBY((1), (1.0, 2))", .yes),
        ("CASEI(name) = CASEI('STRASSE')", .yes), ("ACCENTI(CASEI(name)) LIKE ACCENTI(CASEI('STRÀ%'))", .yes),
        ("add_days(DATE('2026-01-31'), 29) = DATE('2026-03-01')", .yes),
        ("days_between(DATE('2026-03-01'), DATE('2026-01-31')) = -29", .yes),
        ("least(3, 2.5) = 2.5 AND greatest(3, 2.5) = 3", .yes), ("least(1, 1 / 0) = 1", .unknown),
        ("add_days(DATE('2026-01-31'), 9000000000) IS NULL", .yes),
        ("within_stake(at, 'K10+000', 'K20+500')", .yes), ("stake(at) = 12300", .yes),
        ("distance(place, POINT(116.4 39.9)) < 1", .yes),
        ("distance(place, POINT(116.4 40.9)) BETWEEN 111000 AND 112000", .yes),
        ("valid('stake', at)", .yes), ("mask('phone', '13812345678') <> '13812345678'", .yes),
        ("2 ^ 3 = 8 AND 7 div 2 = 3 AND -7 div 2 = -3 AND -2 ^ 2 = 4", .yes), ("1 / 0 = 1", .unknown),
        ("T_OVERLAPS(INTERVAL('2026-01-01', '2026-01-31'), INTERVAL('2026-01-15', '..'))", .yes),
        ("T_MEETS(INTERVAL('..', '2026-01-31'), INTERVAL('2026-01-31', '..'))", .yes),
        ("T_INTERSECTS(TIMESTAMP('2026-01-31T15:59:00Z'), INTERVAL('2026-01-01', '2026-01-31'))", .yes),
    ])
    func oneRow(text: String, truth: Truth) throws {
        let zone = #"{"type":"Polygon","coordinates":[[[116,39],[117,39],[117,40],[116,40],[116,39]]]}"#
        let row = Self.row([.point(116.4, 39.9), .text(zone), .text("桥、隧道；路段"), .text("Straße"), .text("K12+300")])
        #expect(try BoundExpression(text: text, fields: Self.shapes).evaluate(row) == [truth])
        let nothing = Self.row(Array(repeating: .null, count: 5))
        guard try !Expression(text).properties.isEmpty else { return }
        #expect(try BoundExpression(text: text, fields: Self.shapes).evaluate(nothing) == [.unknown], "null")
    }
}
