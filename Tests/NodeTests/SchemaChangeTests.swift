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
