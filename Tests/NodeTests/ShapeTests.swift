import Basics
import CQL
@testable import Composition
import Foundation
@testable import Lake
@testable import Kernel
import Mask
import Store
import StorePostgres
import Tabular
import TestKit
import Testing
import Tiles

/// Filters by shape: the R-tree of SQLite, boxes and PostGIS on PostgreSQL, and what memory decides, all alike.
@Suite struct ShapeTests {
    static let rows = 3000

    /// Places and small triangles over northern China, some absent.
    static let csv: String = {
        var text = "id,name,place,zone\n"
        var state: UInt64 = 7
        func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) / Double(1 << 53)
        }
        for id in 1...rows {
            let (x, y) = (110 + (next() * 10_000).rounded() / 1000, 35 + (next() * 8000).rounded() / 1000)
            let zone =
                #""{""type"":""Polygon"",""coordinates"":[[[\#(x),\#(y)],[\#(x + 0.05),\#(y)],[\#(x),\#(y + 0.05)],[\#(x),\#(y)]]]}""#
            let name = ["Alpha", "ÄLPHA", "beta", "丙"][id % 4]
            text += "\(id),\(name),\(id % 11 == 0 ? "" : "\(x) \(y)"),\(id % 7 == 0 ? "" : zone)\n"
        }
        return text
    }()

    static let filters = [
        "S_INTERSECTS(place, BBOX(116, 39, 116.2, 39.2))", "S_INTERSECTS(place, BBOX(110, 35, 119, 42))",
        "S_INTERSECTS(zone, BBOX(116, 39, 116.4, 39.4))", "S_WITHIN(place, POLYGON((112 36,113 36,112.5 37,112 36)))",
        "S_WITHIN(zone, POLYGON((112 36,114 36,114 38,112 38,112 36)))",
        "S_INTERSECTS(zone, LINESTRING(111 36,119 42))",
        "NOT S_INTERSECTS(place, BBOX(111, 35, 120, 43))",
        "S_DISJOINT(zone, POLYGON((111 35,121 35,121 44,111 44,111 35)))",
        "S_INTERSECTS(place, POLYGON((112 36,113 36,112.5 37,112 36))) AND CASEI(name) = 'alpha'",
        "ACCENTI(CASEI(name)) = 'alpha' AND id < 500", "distance(place, POINT(116 39)) < 50000 OR id = 3",
        "S_WITHIN(place, zone)", "S_INTERSECTS(place, zone) AND id <= 50",
        "S_INTERSECTS(place, BBOX(0, 0, 1, 1))",
    ]

    /// Every id that fits, page by page, and how many are counted.
    static func ids(
        _ node: TestNode,
        _ id: String,
        _ filter: String,
        _ headers: [String: String]
    ) async throws -> [Int64] {
        let encoded = filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        var found: [Int64] = []
        var cursor: String?
        repeat {
            let path = "/api/v1/resources/\(id)/records?fields=id&limit=170&filter=\(encoded)&count=exact"
            let page = try await node.ask("GET", path + (cursor.map { "&cursor=\($0)" } ?? ""), headers: headers).json
            #expect(page["records"] != nil, "\(filter): \(page.text)")
            found += (page["records"]?.array ?? []).compactMap { $0["id"]?.integer }
            cursor = page["next"]?.string
            if cursor == nil, found.count <= 170 { #expect(page["count"]?.integer == Int64(found.count), "\(filter)") }
        } while cursor != nil
        return found
    }

    static func schema(_ json: JSONValue) -> JSONValue {
        guard var schema = try? TableSchema.read(json) else { return json }
        schema.key = ["id"]
        for index in schema.fields.indices {
            schema.fields[index].codes = []
            if schema.fields[index].name == "place" { schema.fields[index].type = .point }
            if schema.fields[index].name == "zone" { schema.fields[index].type = .geometry }
        }
        return TableSchema.write(schema)
    }

    private func check(_ node: TestNode) async throws {
        let clerk = try await node.session("clerk")
        let made = try await node.resource(
            try PathTests.file(Self.csv, "shapes.csv"),
            name: "位置",
            session: clerk,
            change: Self.schema
        )
        #expect(
            made.job["state"]?.string == "done" && made.job["result"]?["good"]?.integer == Int64(Self.rows),
            "\(made.job.text)"
        )
        let id = made.code.replacing("/", with: "-")
        let resource = try await node.node.kernel.resource(made.code)
        let all = try #require(try await node.node.lake.state(resource))
        let fields = all.table.fields
        let batch = try await node.node.kernel.databases.lake.read { db in
            let columns = ["_id"] + all.table.allColumns
            return try db.batch(
                of: all.physical,
                columns,
                after: 0,
                limit: 10_000,
                fields: [Field("_id", .integer)] + fields
            )
        }
        let plain = Batch(fields: fields, columns: Array(batch.columns.dropFirst()), count: batch.count)
        for filter in Self.filters {
            let truths = try BoundExpression(text: filter, fields: fields).evaluate(plain)
            let expected = truths.indices.filter { truths[$0] == .yes }.map { Int64($0 + 1) }
            #expect(try await Self.ids(node, id, filter, clerk) == expected, "\(filter)")
        }
        // Rows that change are found where they lie now.
        let moved = "id,name,place,zone\n1,Alpha,1.5 1.5,\n2,beta,,\n9001,丙,1.25 1.25,\n"
        let upload = try await node.upload("moved.csv", Array(moved.utf8), session: clerk)
        let job = try await node.load(upload, into: id, mode: "upsert", session: clerk)
        #expect(job["state"]?.string == "done", "\(job.text)")
        #expect(try await Self.ids(node, id, "S_INTERSECTS(place, BBOX(1, 1, 2, 2))", clerk) == [1, 9001])
        #expect(try await Self.ids(node, id, "S_INTERSECTS(zone, BBOX(100, 30, 130, 50)) AND id < 3", clerk) == [])
        // What replaces the table leaves nothing of it behind.
        let again = try await node.upload("again.csv", Array(moved.utf8), session: clerk)
        _ = try await node.load(again, into: id, mode: "replace", session: clerk)
        #expect(try await Self.ids(node, id, "S_INTERSECTS(place, BBOX(1, 1, 2, 2))", clerk) == [1, 9001])
        if node.node.kernel.databases.lake.dialect == .sqlite {
            let left = try await node.node.kernel.databases.lake.read { try $0.tables() }
            #expect(left.filter { $0.hasPrefix(all.physical) } == [], "\(left)")
        }
    }

    /// Shapes that engines read their own ways if they are let: points and heights in geometries, members that are not GeoJSON's.
    static let odd: [(id: String, zone: String, isTaken: Bool)] = [
        ("point", #"{"type":"Point","coordinates":[116.5,39.5]}"#, true),
        ("height", #"{"type":"Point","coordinates":[116.5,39.5,7]}"#, true),
        ("line", #"{"type":"LineString","coordinates":[[116.4,39.4,1],[116.6,39.6,2]]}"#, true),
        (
            "crs",
            #"{"type":"Point","crs":{"type":"name","properties":{"name":"EPSG:3857"}},"coordinates":[116.5,39.5]}"#,
            true
        ),
        ("null", #"{"type":"Point","coordinates":[116.5,39.5],"x":"\u0000"}"#, true),
        ("half", #"{"type":"Point","coordinates":[116.5,39.5],"x":"\ud800"}"#, true),
        ("many", #"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[116.5,39.5]}]}"#, true),
        ("ring", #"{"type":"Polygon","coordinates":[[[116,39],[116,39],[116,39],[116,39]]]}"#, false),
        ("dot", #"{"type":"LineString","coordinates":[[116,39],[116,39]]}"#, false),
        ("open", #"{"type":"Polygon","coordinates":[[[116,39],[117,39],[117,40],[116,40]]]}"#, false),
    ]

    private func checkOdd(_ node: TestNode) async throws {
        let clerk = try await node.session("clerk")
        let rows = Self.odd.map { "\($0.id),\"\($0.zone.replacing("\"", with: "\"\""))\"" }.joined(separator: "\n")
        let first = (1...5).map { "first\($0),\"{\"\"type\"\":\"\"Point\"\",\"\"coordinates\"\":[1,\($0)]}\"" }
            .joined(separator: "\n")
        let made = try await node.resource(
            try PathTests.file("id,zone\n\(first)\n", "odd.csv"),
            name: "奇形",
            session: clerk,
            query: "?header=1",
            change: Self.schema
        )
        let id = made.code.replacing("/", with: "-")
        let upload = try await node.upload("odd.csv", Array("id,zone\n\(rows)\n".utf8), session: clerk)
        let job = try await node.load(upload, into: id, mode: "replace", session: clerk)
        #expect(job["state"]?.string == "done", "\(job.text)")
        let taken = Self.odd.filter(\.isTaken).map(\.id)
        #expect(job["result"]?["good"]?.integer == Int64(taken.count), "\(job.text)")
        for filter in [
            "S_INTERSECTS(zone,BBOX(116,39,117,40))", "S_INTERSECTS(zone,POINT Z(116.5 39.5 7))",
            "S_WITHIN(zone,POLYGON((116 39,117 39,117 40,116 40,116 39)))",
        ] {
            let encoded = filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let path = "/api/v1/resources/\(id)/records?fields=id&filter=\(encoded)"
            let page = try await node.ask("GET", path, headers: clerk).json
            #expect(page["records"]?.array?.compactMap { $0["id"]?.string } == taken, "\(filter): \(page.text)")
        }
    }

    /// What is typed into a cursor is no failure of the engine; a plus sign in an address is a blank; a costly filter ends.
    @Test func oddQuestionsAreAnswered() async throws {
        let node = try await TestNode(demonstration: true, faults: .init(patience: .zero))
        let clerk = try await node.session("clerk")
        let made = try await node.resource(
            try PathTests.file(LakeTests.csv(3000), "q.csv"),
            name: "问",
            session: clerk,
            change: LakeTests.schema
        )
        let path = "/api/v1/resources/\(made.code.replacing("/", with: "-"))/records?limit=2"
        for text in ["[1,2]", "[1,1.5,\"r\"]", "[1,\"\\u0000\"]", "[]", "{}"] {
            let answer = try await node.ask(
                "GET",
                path + "&sort=kind&cursor=\(Hexadecimal.text(text.utf8))",
                headers: clerk
            )
            #expect(answer.json["code"]?.string == "query.cursor", "\(text): \(answer.text)")
        }
        let blank = try await node.ask("GET", path + "&filter=amount+IS+NULL", headers: clerk).json
        #expect(blank["records"]?.array?.count == 2, "\(blank.text)")
        let patient = try await TestNode(demonstration: true)
        let session = try await patient.session("clerk")
        let same = try await patient.resource(
            try PathTests.file(LakeTests.csv(300), "c.csv"),
            name: "计数",
            session: session,
            change: LakeTests.schema
        )
        // Every seventh amount is absent: the sort shows those rows last, and the count has them too.
        for sort in ["", "&sort=amount", "&sort=-amount"] {
            let path =
                "/api/v1/resources/\(same.code.replacing("/", with: "-"))/records?limit=1&count=exact&filter=casei(name)%3C%3E'zz'"
            #expect(
                try await patient.ask("GET", path + sort, headers: session).json["count"]?.integer == 300,
                "\(sort)"
            )
        }
        try await patient.close()
        let costly = try await node.ask("GET", path + "&filter=casei(name)='none'", headers: clerk)
        #expect(costly.status == 422 && costly.json["code"]?.string == "query.too_costly", "\(costly.text)")
        try await node.close()
    }

    @Test func shapesAreFound() async throws {
        let node = try await TestNode(demonstration: true)
        try await check(node)
        try await checkOdd(node)
        try await node.close()
    }

    /// With PostGIS in the database.
    @Test(.enabled(if: SharedStoreTests.port != nil, "needs TONGQU_TEST_POSTGRES: run ./test"))
    func shapesAreFoundByPostGIS() async throws {
        let server = PostgresServer(try SharedStoreTests.settings())
        let (settings, database) = try await server.scratch()
        let administrator = PostgresServer(settings)
        try await administrator.database("control").write { db in
            try db.execute("CREATE EXTENSION postgis SCHEMA public")
        }
        administrator.close()
        let folder = try SharedStoreTests.folder()
        let node = try await TestNode(folder: folder, demonstration: true, store: .postgresql(settings))
        #expect(node.node.lake.postGIS == "public")
        try await check(node)
        try await checkOdd(node)
        try await node.close()
        try await server.dropScratch(database)
        server.close()
        try FileManager.default.removeItem(at: folder)
    }

    /// A small box is looked up; a large one is met on the way; neither sorts.
    @Test func plansFindBoxes() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let made = try await node.resource(
            try PathTests.file(Self.csv, "plans.csv"),
            name: "位置二",
            session: clerk,
            change: Self.schema
        )
        let resource = try await node.node.kernel.resource(made.code)
        let state = try #require(try await node.node.lake.state(resource))
        let decision = try await LakeTests.decision(node, resource, try await node.caller("clerk"))
        let lake = node.node.kernel.databases.lake
        let query = RecordQuery(made.code, filter: "S_INTERSECTS(place, BBOX(116, 39, 116.2, 39.2))")
        let decided = try DecidedQuery(query, decision, state, node.node.lake, lake.dialect)
        #expect(decided.rest.isEmpty && decided.boxes.count == 1)
        let near = try #require(decided.table.near(decided.boxes[0].field, decided.boxes[0].box, lake.dialect, nil))
        let statement = decided.statement(after: nil, limit: 100, near: [near])
        let plan = try await LakeTests.plan(statement.sql, statement.values, without: "\(state.physical)_row", node)
        #expect(plan.contains("VIRTUAL TABLE INDEX") || plan.contains("_box"), "\(plan)")
        #expect(!plan.contains("TEMP B-TREE") && !plan.contains("Seq Scan"), "\(plan)")
        if lake.dialect == .sqlite {
            // The index alone says which points lie in a box and where; the rows that are shown are looked up by their ids.
            let (field, box) = decided.boxes[0]
            for (sql, values) in [
                try #require(decided.table.idStatement(field, box, limit: 10)),
                try #require(decided.table.placeStatement(field, box, limit: 10)),
            ] {
                let plan = try await lake.read { try $0.plan(sql, values) }
                #expect(plan.contains("USING COVERING INDEX \(decided.table.name)_c3_box"), "\(plan)")
                #expect(!plan.contains("TEMP B-TREE"), "\(plan)")
            }
            let rows = decided.statement(of: [1, 2, 3], limit: 2)
            let found = try await lake.read { try $0.plan(rows.sql, rows.values) }
            #expect(found.contains("USING INTEGER PRIMARY KEY (rowid=?)") && !found.contains("TEMP B-TREE"), "\(found)")
        }
        try await node.close()
    }

    /// Points in crowds, on the borders of cells, where signs change and at the ends of the world.
    static let places: [(x: Double, y: Double)] = {
        let columns: [Double] = [-180, -179.96875, -0.03125, -0.015625, 0, 0.015625, 0.03125, 116.03125, 116.0625, 180]
        let rows: [Double] = [-85, -0.03125, 0, 0.015625, 39.96875, 40, 85]
        var places: [(x: Double, y: Double)] = []
        for x in columns { for y in rows { places.append((x: x, y: y)) } }
        for number in 0..<400 {
            let (x, y) = (Double(number % 20), Double(number / 20))
            places.append((x: 116 + x / 4000, y: 40 + y / 4000))
        }
        return places
    }()

    /// A zoom, and a place that the tile of it holds.
    static let spots: [(zoom: Int, x: Double, y: Double)] = [
        (0, 0, 0), (1, -179, 80), (1, 116, -80), (3, -179, 1), (3, 116, 40), (5, 116.01, 40), (6, -179, -1), (6, -1, 1),
        (6, 179, 1), (9, 116, 40), (12, 116, 40), (12, -0.01, 0.01), (14, 116.002, 40.002), (16, 116.001, 40.001),
        (16, -179.999, 0.001),
    ]

    static func address(_ spot: (zoom: Int, x: Double, y: Double)) -> TileAddress? {
        let tiles = Double(1 << spot.zoom)
        let north = log(tan(.pi / 4 + spot.y * .pi / 360))
        return TileAddress(
            zoom: spot.zoom,
            column: Int((spot.x + 180) / 360 * tiles),
            row: Int((1 - north / .pi) / 2 * tiles)
        )
    }

    /// Tiles of the index alone are those that the rows make, whatever index there is; rows and fields that somebody may not see are in none.
    @Test func tilesOfTheIndexAreThoseOfTheRows() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let csv = Self.places.enumerated().map { "\($0 + 1),名\($0 % 3),\($0 % 5 == 4 ? "" : "\($1.x) \($1.y)")" }
        let made = try await node.resource(
            try PathTests.file("id,name,place\n" + csv.joined(separator: "\n") + "\n", "edges.csv"),
            name: "位置三",
            session: clerk,
            change: Self.schema
        )
        #expect(made.job["result"]?["good"]?.integer == Int64(Self.places.count), "\(made.job.text)")
        let lake = node.node.lake
        let resource = try await node.node.kernel.resource(made.code)
        let auditor = try #require(try await node.node.kernel.accounts.find(login: "auditor"))
        let scoped = Grant(
            to: .principal(auditor.id),
            [.dataRead],
            on: .resource(resource.id),
            fields: ["id", "name", "place"],
            rows: "id > 200",
            masks: ["name": .suppress]
        )
        try await node.node.kernel.databases.control.write { db in try Kernel.add(scoped, by: nil, at: 0, db) }
        try await node.node.kernel.gate.reload()
        let decision = try await LakeTests.decision(node, resource, try await node.caller("clerk"))
        let other = try await LakeTests.decision(node, resource, try await node.caller("auditor"))
        #expect(decision.rows == nil && other.rows != nil)
        func tile(
            _ address: TileAddress,
            _ fields: [String],
            _ filter: String?,
            _ who: Decision
        ) async throws -> Tile {
            try await lake.tile(TileQuery(resource.code, address, fields: fields, filter: filter), who)
        }
        // Blanks at the end of a condition: a tile that was made is not given again.
        func check(_ fields: [String], _ blanks: String = "") async throws {
            var features: [Int] = []
            for spot in Self.spots {
                let address = try #require(Self.address(spot))
                let own = try await tile(address, fields, nil, decision)
                let asked = try await tile(address, fields, "_id > 0" + blanks, decision)
                #expect(own.bytes == asked.bytes && own.features == asked.features && own.isComplete, "\(address)")
                let shown = try await tile(address, ["id"], nil, other)
                let part = try await tile(address, ["id"], "id > 200" + blanks, decision)
                #expect(shown.bytes == part.bytes, "\(address)")
                let masked = try await tile(address, ["name"], nil, other)
                #expect(!String(decoding: masked.bytes, as: UTF8.self).contains("名"), "\(address)")
                #expect(try await tile(address, ["name"], "id > 0" + blanks, other).bytes == masked.bytes, "\(address)")
                features.append(own.features)
            }
            #expect(features.allSatisfy { $0 > 0 }, "\(features)")
            // Four of five have a place, and zoom 14 shows every spot.
            let crowd = Self.places.indices.filter { $0 >= Self.places.count - 400 && $0 % 5 != 4 }
            #expect(features[12] == crowd.count, "\(features)")
        }
        // Rows are looked up, whatever is asked.
        let state = try #require(try await lake.state(resource))
        #expect(lake.held.due(state.physical, of: 0, []) != nil)
        try await check(["name"])
        try await check([])
        if node.node.kernel.databases.lake.dialect == .sqlite {
            // A directory of an earlier release: its index holds cells only, and serves until it is made anew.
            let name = "\(state.physical)_c3_box"
            let old =
                "CREATE INDEX \(name) ON \(state.physical) (CAST(c3_x * 32.0 AS INTEGER) * 65536 + CAST(c3_y * 32.0 AS INTEGER), _id)"
            let find = "SELECT sql FROM sqlite_master WHERE name = ?"
            let new = try await node.node.kernel.databases.lake.write { db in
                let new = try db.row(find, [.text(name)])?.text(0)
                try db.execute("DROP INDEX \(name)")
                try db.execute(old)
                return new
            }
            try await check(["id", "name"])
            try await lake.renewShapes()
            let renewed = try await node.node.kernel.databases.lake.read { try $0.row(find, [.text(name)])?.text(0) }
            #expect(renewed == new && renewed?.contains("c3_x, c3_y") == true, "\(renewed ?? "")")
            try await check(["name", "id"])
        }
        // Columns in memory make the same tiles, until a row changes.
        let names: Set = ["id", "name", "place"]
        #expect(lake.held.rows(state.physical, names) == nil)
        lake.held.reopen(state.physical)
        try await check(["name"], " ")
        try await check(["id", "name"], "  ")
        #expect(lake.held.rows(state.physical, names) != nil)
        let spot = try #require(Self.address(Self.spots[12]))
        let before = try await tile(spot, ["name"], "id > 0  ", decision)
        let first = Self.places.count - 400 + (5 - (Self.places.count - 400) % 5) % 5
        let moved = "id,name,place\n\(first + 1),名,1.5 1.5\n"
        let upload = try await node.upload("moved.csv", Array(moved.utf8), session: clerk)
        let slug = resource.code.replacing("/", with: "-")
        #expect(try await node.load(upload, into: slug, mode: "upsert", session: clerk)["state"]?.string == "done")
        let after = try await tile(spot, ["name"], "id > 0  ", decision)
        #expect(after.features == before.features - 1)
        try await node.close()
    }
}
