import Composition
import Kernel
import Basics
import Foundation
import Tabular
import TestKit
import Testing

/// Files that come after the items changed, in another order, with keys written otherwise.
@Suite struct SchemaChangeTests {
    static func keyed(_ json: JSONValue) -> JSONValue {
        guard var schema = try? TableSchema.read(json) else { return json }
        schema.key = ["id"]
        for index in schema.fields.indices { schema.fields[index].codes = [] }
        return TableSchema.write(schema)
    }

    /// New items come in with appended and upserted files; nothing that was loaded is dropped in silence.
    @Test func appendedFilesFollowTheItems() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let (code, _) = try await node.resource(
            try PathTests.file("id,n\nA1,1\nA2,2\n", "first.csv"),
            name: "信息项变更",
            session: clerk,
            change: Self.keyed
        )
        let id = code.replacing("/", with: "-")
        var draft = try #require(
            try await node.ask("GET", "/api/v1/resources/\(id)", headers: clerk).json["draft"]
        ).text
        draft = draft.replacing(
            #"{"name":"n""#,
            with: #"{"name":"note","type":"string"},{"name":"n""#
        )
        let changed = try await node.ask("PUT", "/api/v1/resources/\(id)", headers: clerk, body: Array(draft.utf8))
        #expect(changed.status == 200, "\(changed.text)")
        let more = try await node.upload("more.csv", Array("note,n,id\n新,3,A3\n重,9,A1\n".utf8), session: clerk)
        let appended = try await node.load(more, into: id, mode: "append", session: clerk)
        #expect(appended["result"]?["good"]?.integer == 1, "\(appended.text)")
        // The refused row lies in quarantine as its file had it, by its line there.
        let load = try #require(appended["result"]?["load"]?.integer)
        let refused = try await node.ask("GET", "/api/v1/resources/\(id)/loads/\(load)/quarantine.csv", headers: clerk)
        #expect(refused.text.contains("重,9,A1,3"), "\(refused.text)")
        let upsert = try await node.upload("fix.csv", Array("id,n,note\nA1,10,改\n".utf8), session: clerk)
        _ = try await node.load(upsert, into: id, mode: "upsert", session: clerk)
        let rows = try await node.ask("GET", "/api/v1/resources/\(id)/records?sort=id", headers: clerk).json["records"]
        let seen = (rows?.array ?? []).map {
            "\($0["id"]?.string ?? "") \($0["n"]?.integer ?? 0) \($0["note"]?.string ?? "-")"
        }
        #expect(seen == ["A1 10 改", "A2 2 -", "A3 3 新"])
        // Replacing begins a table of its own again.
        let whole = try await node.upload("whole.csv", Array("id,n,note\nB1,1,x\n".utf8), session: clerk)
        #expect(try await node.load(whole, into: id, mode: "replace", session: clerk)["state"]?.string == "done")
        let last = try await node.ask("GET", "/api/v1/resources/\(id)/records", headers: clerk).json["records"]?.array
        #expect(last?.first?["note"]?.string == "x")
        try await node.close()
    }

    /// What is no geometry is refused, in files and forms: nothing else may stand where a map expects one.
    @Test func geometriesAreCheckedAndWideSpacesAreSpaces() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let point = #"{""type"":""Point"",""coordinates"":[114.5,38]}"#
        let rows = [
            "1,\"\(point)\",甲", "2,hello,乙", #"3,"null,""properties"":{}},{""type"":""Feature"",""geometry"":null",丙"#,
            #"4,"{""type"":""Polygon"",""coordinates"":[[[1,2],[3,4],[""x"",6],[1,2]]]}",丁"#, "5,,\u{3000}\u{A0}",
        ]
        let (code, job) = try await node.resource(
            try PathTests.file("id,g,name\n" + rows.joined(separator: "\n") + "\n", "shapes.csv"),
            name: "几何",
            session: clerk,
            change: { json in
                guard var schema = try? TableSchema.read(json) else { return json }
                schema.fields[1].type = .geometry
                schema.fields[1].kind = nil
                schema.fields[2].required = true
                for index in schema.fields.indices { schema.fields[index].codes = [] }
                return TableSchema.write(schema)
            }
        )
        #expect(job["result"]?["good"]?.integer == 1 && job["result"]?["bad"]?.integer == 4, "\(job.text)")
        let id = code.replacing("/", with: "-")
        let map = try await node.ask("GET", "/api/v1/resources/\(id)/records.geojson", headers: clerk)
        #expect(map.json["features"]?.array?.count == 1, "\(map.text)")
        try await node.close()
    }

    /// Two who change different items of one record at once both get their way.
    @Test func formsSavedAtOnceDoNotUndoEachOther() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let owner = try #require(try await node.node.kernel.accounts.find(login: "clerk")).organisation.raw
        let content =
            #"{"name":"并发填报","category":"301003","provider":\#(owner),"summary":"两人同时修改同一条记录。","storage":"records","schema":{"fields":[{"name":"id","type":"string"},{"name":"a","type":"integer"},{"name":"b","type":"integer"}],"primaryKey":["id"]}}"#
        let id = try #require(
            try await node.ask("POST", "/api/v1/resources", headers: clerk, body: Array(content.utf8)).json["id"]?
                .string
        )
        let records = "/api/v1/resources/\(id)/records"
        _ = try await node.ask("POST", records, headers: clerk, body: Array(#"{"id":"R","a":0,"b":0}"#.utf8))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["a", "b"] {
                group.addTask {
                    for value in 1...40 {
                        let body = Array(#"{"\#(name)":\#(value)}"#.utf8)
                        #expect(try await node.ask("PATCH", "\(records)/1", headers: clerk, body: body).status < 300)
                        let row = try await node.ask("GET", records, headers: clerk).json["records"]?.array?.first
                        #expect(row?[name]?.integer == Int64(value), "\(name) was undone")
                    }
                }
            }
            try await group.waitForAll()
        }
        try await node.close()
    }

    /// Two spellings of one key are one key: the row is refused, not the file.
    @Test func keysAreComparedAsTheyAreStored() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let (_, job) = try await node.resource(
            try PathTests.file("id,n\n A1,1\nA1 ,2\nA2,3\n\"  \",4\n", "keys.csv"),
            name: "主键写法",
            session: clerk,
            change: Self.keyed
        )
        #expect(job["state"]?.string == "done", "\(job.text)")
        #expect(job["result"]?["good"]?.integer == 2 && job["result"]?["bad"]?.integer == 2, "\(job.text)")
        try await node.close()
    }
}
