import Composition
import Basics
import Foundation
@testable import Lake
import Kernel
import Tabular
import TestKit
import Testing
@testable import Web

/// The query language of CKAN's search, rows by offset, and what is shown to whom.
@Suite struct CKANTests {
    private func holds(_ query: String, _ fields: [String: CKANQuery.Values]) throws -> Bool {
        try CKANQuery(query).holds(now: 1_795_000_000_000_000) { fields[$0] }
    }

    @Test func theQueryLanguageMeansWhatHarvestersMean() throws {
        let fields: [String: CKANQuery.Values] = [
            "organization": .exact(["roads"]), "tags": .exact(["桥梁", "隧道"]), "text": .text(["公路桥梁 bridges"]),
            "metadata_modified": .time(1_700_000_000_000_000),
        ]
        for query in [
            "organization:roads", "+organization:roads -organization:ports", "organization:ports OR organization:roads",
            "organization:(ports OR roads)", "tags:\"桥梁\" AND tags:隧道", "NOT organization:ports", "-nothing:here",
            "bridges", "organization:r*", "*:*", "", "metadata_modified:[2023-11-14T22:13:20.000000Z TO *]",
            "metadata_modified:{2000-01-01 TO NOW-1DAY]", "organization:ports OR organization:roads bridges",
            "tags:桥*^2", "organization:roads AND (bridges OR canals)", "(organization:roads)",
        ] { #expect(try holds(query, fields), "\(query)") }
        for query in [
            "organization:Roads", "organization:road", "-organization:roads", "nothing:here",
            "organization:ports OR organization:roads metadata_modified:[2024-01-01T00:00:00Z TO *]",
            "metadata_modified:{2023-11-14T22:13:20Z TO *]", "metadata_modified:[NOW TO *]", "tags:桥", "canals bridges",
        ] { #expect(try !holds(query, fields), "\(query)") }
        for query in ["organization:[", "name:(a OR", "name:\"open", "{!join from=a to=b}x:y", "a:", "a:[1 2]", ")"] {
            #expect(throws: CKANFailure.self, "\(query)") { try CKANQuery(query) }
        }
        #expect(throws: CKANFailure.self) { try CKANQuery(String(repeating: "(", count: 100)) }
        #expect(throws: CKANFailure.self) { try CKANQuery(String(repeating: "a ", count: 1500)) }
        #expect(CKANMoment.text(1_700_000_000_000_000) == "2023-11-14T22:13:20.000000")
        #expect(CKANQuery.fits("abcabd", "*ab?") && !CKANQuery.fits("abc", "ab") && CKANQuery.fits("", "*"))
        #expect(CKANCatalogue.tags(["公路/桥梁", "a", "限高(米)", "x  y"]) == ["公路", "桥梁", "限高", "x y"].sorted())
    }

    @Test func rowsByOffsetAreThoseOfAllRows() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let text =
            "id,kind,note\n"
            + (1...500).map { "\($0),\($0 % 3 == 0 ? "a" : "b"),\($0 % 5 == 0 ? "" : "n\($0 % 50)")" }.joined(
                separator: "\n"
            )
        let made = try await node.resource(try PathTests.file(text, "rows.csv"), name: "行", session: clerk) { json in
            guard var schema = try? TableSchema.read(json) else { return json }
            schema.key = ["id"]
            return TableSchema.write(schema)
        }
        #expect(made.job["result"]?["good"]?.integer == 500, "\(made.job.text)")
        let caller = try await node.caller("clerk")
        let lake = node.node.services.lake
        func ids(_ query: RecordQuery) async throws -> [Int64] {
            var query = query
            query.code = made.code
            return try await node.node.kernel.gate.perform(lake.read, query, as: caller).ids
        }
        func whole(_ query: RecordQuery) async throws -> [Int64] {
            var query = query
            query.limit = 1000
            return try await ids(query)
        }
        func check() async throws {
            for asked in [
                RecordQuery(""), RecordQuery("", filter: "kind = 'a'"), RecordQuery("", sort: "note"),
                RecordQuery("", sort: "-note"), RecordQuery("", filter: "casei(kind) = 'b'", sort: "-id"),
                RecordQuery("", sort: "-_id"), RecordQuery("", filter: "_id > 400 AND _id <> 450"),
            ] {
                let all = try await whole(asked)
                for offset in [0, 1, 7, 166, 333, 334, 499, 500, 5000] {
                    var part = asked
                    part.offset = offset
                    part.limit = 10
                    let expected = Array(all.dropFirst(offset).prefix(10))
                    #expect(try await ids(part) == expected, "\(asked) \(offset)")
                }
            }
        }
        try await check()
        // Numbers with gaps, which an upsert leaves.
        let id = made.code.replacing("/", with: "-")
        let more = "id,kind,note\n" + (100...200).map { "\($0),c,x" }.joined(separator: "\n") + "\n900,a,y\n"
        let upload = try await node.upload("more.csv", Array(more.utf8), session: clerk)
        #expect(try await node.load(upload, into: id, mode: "upsert", session: clerk)["state"]?.string == "done")
        try await check()
        let numbers = try await node.node.kernel.gate.perform(
            lake.read,
            RecordQuery(made.code, fields: ["_id", "kind"], limit: 2, counting: .exact),
            as: caller
        )
        #expect(numbers.batch.fields.map(\.name) == ["_id", "kind"] && numbers.count == 501)
        try await node.close()
    }

    @Test func onlyWhatIsOpenIsShown() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let made = try await node.resource(
            try PathTests.file("id,name\n1,甲\n2,乙\n", "closed.csv"),
            name: "内部资源",
            session: clerk
        )
        let slug = made.code.replacing("/", with: "-")
        for headers in [[:], clerk, ["authorization": "not-a-key"]] {
            let list = try await node.ask("GET", "/api/3/action/package_list", headers: headers)
            #expect(list.status == 200 && list.json["result"]?.array?.contains(.string(slug)) == false, "\(list.text)")
            let shown = try await node.ask(
                "GET",
                "/api/3/action/package_show?id=\(slug)",
                headers: headers
            )
            #expect(shown.status == 404 && shown.json["error"]?["__type"]?.string == "Not Found Error")
        }
        let unknown = try await node.ask("POST", "/api/action/package_delete", body: Array("{}".utf8))
        #expect(unknown.status == 400 && unknown.json.string?.hasPrefix("Bad request") == true)
        try await node.close()
    }
}
