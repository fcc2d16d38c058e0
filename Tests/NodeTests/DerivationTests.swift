import Web
import Catalogue
import Composition
import Store
import Derive
import Basics
import Codes
import Derive
import Catalogue
import Composition
import Foundation
import Kernel
import Tabular
import TestKit
import Testing

/// Resources made of others: their rows, their keeping up, their protection, their lineage.
@Suite struct DerivationTests {
    private static let roads =
        "road,name,length,owner\nG1,京哈高速,1280.50,13800001111\nG2,京沪高速,1262.25,13800002222\nG3,京台高速,,13800003333\n"
    private static let counts =
        "id,road,day,flow,fee\n1,G1,2026-01-01,100,1.10\n2,G1,2026-01-02,200,2.20\n3,G2,2026-01-01,50,0.05\n4,G9,2026-01-03,7,1.00\n5,,2026-01-03,9,\n6,G2,2026-02-01,,3.00\n"

    private func made(
        _ node: TestNode,
        _ clerk: [String: String],
        _ text: String,
        _ name: String,
        key: String,
        change: @escaping (inout Schema) -> Void = { _ in }
    ) async throws -> String {
        try await node.resource(try PathTests.file(text, "\(key).csv"), name: name, session: clerk) { json in
            guard var schema = try? TableSchema.read(json) else { return json }
            schema.key = [key]
            for index in schema.fields.indices {
                schema.fields[index].codes = []
                if ["length", "fee"].contains(schema.fields[index].name) { schema.fields[index].type = .decimal }
            }
            change(&schema)
            return TableSchema.write(schema)
        }.code
    }

    private func body(_ text: String) -> [UInt8] { Array(text.utf8) }

    private func create(
        _ node: TestNode,
        _ session: [String: String],
        _ name: String,
        _ definition: String
    ) async throws -> TestNode.Answer {
        let owner = try await node.node.kernel.accounts.find(login: "clerk")?.organisation.raw ?? 1
        return try await node.ask(
            "POST",
            "/api/v1/derivations",
            headers: session,
            body: body(
                #"{"name":"\#(name)","category":"301001","provider":\#(owner),"summary":"测试派生资源:由测试资源计算而来。","derivation":\#(definition)}"#
            )
        )
    }

    private func settle(_ node: TestNode) async throws {
        try await node.node.derivations.keepUp()
        try await node.node.kernel.jobs.runPending()
    }

    private func rows(_ node: TestNode, _ id: String, _ session: [String: String]) async throws -> [String] {
        let answer = try await node.ask("GET", "/api/v1/resources/\(id)/records.csv", headers: session)
        guard answer.status == 200 else { return [answer.json["code"]?.string ?? "?"] }
        return answer.text.split(separator: "\n").map(String.init)
    }

    @Test func joinsExpressionsAndGroupsMakeRows() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let roads = try await made(node, clerk, Self.roads, "路段", key: "road")
        let counts = try await made(node, clerk, Self.counts, "流量", key: "id")
        let joined = try await create(
            node,
            clerk,
            "流量明细",
            #"{"sources":[{"resource":"\#(counts)"},{"resource":"\#(roads)","on":{"road":"a.road"}}],"filter":"a.flow IS NOT NULL","fields":[{"name":"id","expression":"a.id"},{"name":"name","expression":"b.name"},{"name":"twice","title":"两倍","expression":"a.flow * 2"},{"name":"busy","expression":"a.flow >= 100"},{"name":"length","expression":"length"},{"name":"month","expression":"month(a.day)"},{"name":"what","expression":"coalesce(b.name, a.road)"}],"key":["id"]}"#
        )
        #expect(joined.status == 201, "\(joined.text)")
        let id = joined.json["id"]?.string ?? ""
        try await settle(node)
        #expect(
            try await rows(node, id, clerk) == [
                "id,name,twice,busy,length,month,what", "1,京哈高速,200,true,1280.50,1,京哈高速",
                "2,京哈高速,400,true,1280.50,1,京哈高速", "3,京沪高速,100,false,1262.25,1,京沪高速", "4,,14,false,,1,G9",
                "5,,18,false,,1,",
            ]
        )
        let inner = try await create(
            node,
            clerk,
            "流量汇总",
            #"{"sources":[{"name":"flow","resource":"\#(counts)"},{"name":"way","resource":"\#(roads)","join":"inner","on":{"road":"flow.road"}}],"fields":[{"name":"total","title":"合计","expression":"sum(flow.flow)"},{"name":"name","expression":"way.name"},{"name":"rows","expression":"count()"},{"name":"fees","expression":"sum(flow.fee)"},{"name":"days","expression":"distinct(flow.day)"},{"name":"last","expression":"max(flow.day)"},{"name":"mean","expression":"mean(flow.flow)"}],"key":["name"]}"#
        )
        #expect(inner.status == 201, "\(inner.text)")
        try await settle(node)
        let totals = try await rows(node, inner.json["id"]?.string ?? "", clerk)
        let told = try await node.ask("GET", "/api/v1/derivations", headers: clerk).json["derivations"]?.array?.last
        #expect(
            totals == [
                "total,name,rows,fees,days,last,mean", "300,京哈高速,2,3.30,2,2026-01-02,150",
                "50,京沪高速,2,3.05,2,2026-02-01,50",
            ],
            "\(told?.text ?? "")"
        )
        // Rows that look like a table's total are rows.
        let all = try await create(
            node,
            clerk,
            "路段名称",
            #"{"sources":[{"resource":"\#(roads)"}],"fields":[{"name":"what","expression":"'合计'"},{"name":"name","expression":"name"}]}"#
        )
        try await settle(node)
        #expect(try await rows(node, all.json["id"]?.string ?? "", clerk).count == 4)
        // The items say what they were made of: a title, a unit, a type.
        let schema = try await node.ask("GET", "/api/v1/resources/\(id)/tableschema.json", headers: clerk).json
        let types = (schema["fields"]?.array ?? []).compactMap { $0["type"]?.string }
        #expect(types == ["integer", "string", "number", "boolean", "number", "integer", "string"], "\(schema.text)")
        try await node.close()
    }

    @Test func rowsFollowTheirSources() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-test-\(UUID().uuidString)")
        var node = try await TestNode(folder: folder, demonstration: true)
        var clerk = try await node.session("clerk")
        let counts = try await made(node, clerk, Self.counts, "流量", key: "id")
        let source = counts.replacing("/", with: "-")
        let definition =
            #"{"sources":[{"resource":"\#(counts)"}],"fields":[{"name":"road","expression":"road"},{"name":"total","expression":"sum(flow)"}]"#
        let stored = try await create(node, clerk, "流量汇总", definition + "}").json["id"]?.string ?? ""
        let fresh = try await create(node, clerk, "流量汇总二", definition + #","stored":false}"#).json["id"]?.string ?? ""
        // What is made on demand is there at once; what is stored comes with its job.
        #expect(try await rows(node, stored, clerk).count == 1)
        #expect(try await rows(node, fresh, clerk).contains("G1,300"))
        try await settle(node)
        #expect(try await rows(node, stored, clerk).contains("G1,300"))
        // A derived resource of a derived one, of either kind, follows too.
        let third =
            try await create(
                node,
                clerk,
                "最大路段",
                #"{"sources":[{"resource":"\#(fresh.replacing("-", with: "/"))"}],"fields":[{"name":"most","expression":"max(total)"}]}"#
            ).json["id"]?.string ?? ""
        try await settle(node)
        #expect(try await rows(node, third, clerk) == ["most", "300"])

        let next = try await node.upload(
            "next.csv",
            body("id,road,day,flow,fee\n1,G1,2026-01-01,1000,1.10\n"),
            session: clerk
        )
        #expect(try await node.load(next, into: source, mode: "upsert", session: clerk)["state"]?.string == "done")
        #expect(try await rows(node, fresh, clerk).contains("G1,1200"))
        #expect(try await rows(node, stored, clerk).contains("G1,300"), "not before its job")
        try await settle(node)
        #expect(try await rows(node, stored, clerk).contains("G1,1200"))
        #expect(try await rows(node, third, clerk) == ["most", "1200"])
        // Nothing changed: nothing is made.
        try await node.node.derivations.keepUp()
        let jobs = try await node.ask("GET", "/api/v1/jobs", headers: try await node.session("sysadmin"))
        #expect(!jobs.text.contains("\"queued\""), "\(jobs.text.prefix(500))")

        // After a restart they are as they were, and go on following.
        try await node.close()
        node = try await TestNode(folder: folder)
        clerk = try await node.session("clerk")
        #expect(try await rows(node, stored, clerk).contains("G1,1200"))
        let last = try await node.upload(
            "last.csv",
            body("id,road,day,flow,fee\n1,G1,2026-01-01,1,1.10\n"),
            session: clerk
        )
        _ = try await node.load(last, into: source, mode: "upsert", session: clerk)
        try await settle(node)
        #expect(try await rows(node, stored, clerk).contains("G1,201"))

        // Files are for what is not derived; without its derivation the resource keeps its rows and takes files.
        let file = try await node.upload("own.csv", body("road,total\nG1,5\n"), session: clerk)
        let refused = try await node.ask(
            "POST",
            "/api/v1/resources/\(stored)/loads",
            headers: clerk,
            body: body(#"{"upload":"\#(file)","mode":"replace"}"#)
        )
        #expect(refused.status == 409 && refused.json["code"]?.string == "load.derived")
        #expect(try await node.ask("DELETE", "/api/v1/resources/\(stored)/derivation", headers: clerk).status == 200)
        #expect(try await rows(node, stored, clerk).contains("G1,201"))
        #expect(try await node.load(file, into: stored, mode: "replace", session: clerk)["state"]?.string == "done")
        try await node.close()
        try? FileManager.default.removeItem(at: folder)
        try await TestNode.removeStore(of: folder)
    }

    @Test func wrongDefinitionsAreToldApart() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let counts = try await made(node, clerk, Self.counts, "流量", key: "id")
        let roads = try await made(node, clerk, Self.roads, "路段", key: "road")
        let one = #"{"name":"road","expression":"a.road"}"#
        func code(_ definition: String) async throws -> String {
            let answer = try await node.ask(
                "POST",
                "/api/v1/derivations/preview",
                headers: clerk,
                body: body(definition)
            )
            #expect((400..<500).contains(answer.status), "\(definition): \(answer.text)")
            return answer.json["code"]?.string ?? ""
        }
        let a = #"{"resource":"\#(counts)"}"#
        for (definition, expected) in [
            ("{}", "request.body"), (#"{"sources":[\#(a)]}"#, "request.body"),
            (#"{"sources":[{"resource":"999999/000001"}],"fields":[\#(one)]}"#, "derivation.invalid"),
            (#"{"sources":[\#(a),{"resource":"\#(roads)"}],"fields":[\#(one)]}"#, "derivation.invalid"),
            (
                #"{"sources":[\#(a),{"resource":"\#(roads)","on":{"length":"a.road"}}],"fields":[\#(one)]}"#,
                "derivation.invalid"
            ),
            (
                #"{"sources":[\#(a),{"resource":"\#(roads)","on":{"no":"a.road"}}],"fields":[\#(one)]}"#,
                "derivation.invalid"
            ),
            (
                #"{"sources":[\#(a),{"resource":"\#(roads)","on":{"road":"a.road"}}],"fields":[{"name":"road","expression":"road"}]}"#,
                "derivation.invalid"
            ),
            (#"{"sources":[\#(a)],"fields":[{"name":"road","expression":"a.raod"}]}"#, "cql.unknown_property"),
            (#"{"sources":[\#(a)],"fields":[{"name":"road","expression":"a.road +"}]}"#, "cql.syntax"),
            (#"{"sources":[\#(a)],"fields":[{"name":"road","expression":"nothing(a.road)"}]}"#, "cql.unknown_function"),
            (#"{"sources":[\#(a)],"fields":[{"name":"road","expression":"sum(a.road)"}]}"#, "derivation.invalid"),
            (#"{"sources":[\#(a)],"filter":"a.flow","fields":[\#(one)]}"#, "cql.type"),
            (#"{"sources":[\#(a)],"fields":[\#(one),\#(one)]}"#, "schema.invalid"),
            (#"{"sources":[\#(a)],"fields":[\#(one)],"key":["id"]}"#, "derivation.invalid"),
        ] {
            #expect(try await code(definition) == expected, "\(definition)")
        }
        // Made of itself, at once and by way of another.
        let first =
            try await create(node, clerk, "甲", #"{"sources":[\#(a)],"fields":[\#(one)]}"#).json["id"]?.string ?? ""
        let b = #"{"resource":"\#(first.replacing("-", with: "/"))"}"#
        let second =
            try await create(node, clerk, "乙", #"{"sources":[\#(b)],"fields":[\#(one)]}"#).json["id"]?.string ?? ""
        let c = #"{"resource":"\#(second.replacing("-", with: "/"))"}"#
        for source in [b, c] {
            let answer = try await node.ask(
                "PUT",
                "/api/v1/resources/\(first)/derivation",
                headers: clerk,
                body: body(#"{"sources":[\#(source)],"fields":[\#(one)]}"#)
            )
            #expect(answer.status == 422, "\(answer.text)")
        }
        // Other items than are made.
        let other = try await node.ask(
            "PUT",
            "/api/v1/resources/\(first)/derivation",
            headers: clerk,
            body: body(#"{"sources":[\#(a)],"fields":[\#(one),{"name":"more","expression":"a.id"}]}"#)
        )
        #expect(other.status == 422 && other.text.contains("more"))
        try await node.close()
    }

    /// What is made of protected values is protected as they are, whatever its declaration says.
    @Test func protectionIsInherited() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let steward = try await node.session("steward")
        let roads = try await made(node, clerk, Self.roads, "路段", key: "road") { schema in
            for index in schema.fields.indices where schema.fields[index].name == "owner" {
                schema.fields[index].type = .text
                schema.fields[index].title = "手机号"
                schema.fields[index].kind = .phone
                schema.fields[index].grade = .general3
            }
        }
        let definition =
            #"{"sources":[{"resource":"\#(roads)"}],"fields":[{"name":"road","expression":"a.road"},{"name":"who","expression":"coalesce(a.owner, '无')"},{"name":"hidden","expression":"mask('phone', a.owner)"}]}"#
        let id = try await create(node, clerk, "联系", definition).json["id"]?.string ?? ""
        let schema = try await node.ask("GET", "/api/v1/resources/\(id)/tableschema.json", headers: clerk).json
        let fields = schema["fields"]?.array ?? []
        #expect(
            fields.count == 3 && fields[1]["tongqu:grade"]?.integer == 3 && fields[2]["tongqu:grade"]?.integer == 3,
            "\(schema.text)"
        )
        try await settle(node)
        #expect(try await rows(node, id, clerk).contains("G1,13800001111,138****1111"))
        let seen = try await rows(node, id, steward)
        #expect(!seen.joined().contains("13800001111"), "\(seen)")

        // A steward sees the source masked and cannot derive from it what the mask hides.
        let refused = try await node.ask(
            "POST",
            "/api/v1/derivations/preview",
            headers: steward,
            body: body(definition)
        )
        #expect(refused.status == 403 && refused.json["code"]?.string == "derivation.masked", "\(refused.text)")

        // Another kind's mask hides other places, and what a join makes equal is what it equals.
        let other =
            #"{"sources":[{"resource":"\#(roads)"},{"name":"b","resource":"\#(roads)","on":{"road":"a.owner"}}],"fields":[{"name":"shown","expression":"mask('bank_card', a.owner)"},{"name":"same","expression":"b.road"}]}"#
        let tried = try await node.ask("POST", "/api/v1/derivations/preview", headers: clerk, body: body(other)).json
        let items = tried["schema"]?["fields"]?.array ?? []
        #expect(items.count == 2 && items.allSatisfy { $0["tongqu:kind"]?.string == "phone" }, "\(tried.text)")
        #expect(items.allSatisfy { $0["tongqu:grade"]?.integer == 3 }, "\(tried.text)")
        // Of what somebody may not read nothing is told.
        let stranger = try await node.ask(
            "POST",
            "/api/v1/derivations/preview",
            headers: try await node.session("authority"),
            body: body(definition.replacing("a.owner", with: "a.ownr"))
        )
        #expect((400..<500).contains(stranger.status) && !stranger.text.contains("a.owner"), "\(stranger.text)")

        // An entry that declares less is not submitted.
        let kernel = node.node.kernel
        let code = id.replacing("-", with: "/")
        let caller = try await node.caller("clerk")
        var content = try await kernel.gate.perform(node.node.services.catalogue.show, code, as: caller).entry.content
        for index in content?.schema.fields.indices ?? 0..<0 { content?.schema.fields[index].grade = .general1 }
        let lowered = try #require(content)
        let saved = try await node.ask(
            "PUT",
            "/api/v1/resources/\(id)",
            headers: clerk,
            body: body(lowered.json.text)
        )
        #expect(saved.status == 200, "\(saved.text)")
        let submitted = try await node.ask("POST", "/api/v1/resources/\(id)/submit", headers: clerk, body: body("{}"))
        #expect(submitted.json["code"]?.string == "derivation.grade", "\(submitted.text)")
        try await node.close()
    }

    /// Rows are made with the rights of whoever defined them; where these end, nothing is made and nothing made on demand is given.
    @Test func rightsThatEndEndTheMaking() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let counts = try await made(node, clerk, Self.counts, "流量", key: "id")
        let one = #"{"sources":[{"resource":"\#(counts)"}],"fields":[{"name":"id","expression":"a.id"}]"#
        let stored = try await create(node, clerk, "编号", one + "}").json["id"]?.string ?? ""
        let fresh = try await create(node, clerk, "编号二", one + #","stored":false}"#).json["id"]?.string ?? ""
        try await settle(node)
        #expect(try await rows(node, fresh, clerk).count == 7)
        let steward = try await node.session("steward")
        try await node.node.kernel.databases.control.write { db in
            _ = try db.execute("UPDATE principals SET active = 0 WHERE login = 'clerk'", [])
        }
        node.node.kernel.heard(nil)
        // No source changed since: the right alone ended.
        #expect(try await rows(node, fresh, steward) == ["access.denied"])
        try await settle(node)
        let told = try await node.ask("GET", "/api/v1/resources/\(stored)/derivation", headers: steward)
        #expect(told.json["problem"]?["code"]?.string == "access.denied", "\(told.text)")
        #expect(try await rows(node, stored, steward).count == 7, "what was made stays")
        #expect(try await rows(node, fresh, steward) == ["access.denied"])
        try await node.close()
    }

    /// Many partners are joined piece by piece, and many ways to one source are looked at once.
    @Test func manyPartnersAndManyWaysCostNoMoreThanTheyAre() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let left = "id,k\n" + (1...300).map { "\($0),1\n" }.joined()
        let right = "no,k,note\n" + (1...400).map { "\($0),1,\(String(repeating: "长", count: 500))\n" }.joined()
        let a = try await made(node, clerk, left, "左", key: "id")
        let b = try await made(node, clerk, right, "右", key: "no")
        let joined = try await node.ask(
            "POST",
            "/api/v1/derivations/preview",
            headers: clerk,
            body: body(
                #"{"sources":[{"resource":"\#(a)"},{"resource":"\#(b)","on":{"k":"a.k"}}],"fields":[{"name":"n","expression":"count()"},{"name":"sum","expression":"sum(b.no)"}],"rows":5}"#
            )
        )
        #expect(joined.text.contains(#""n":120000,"sum":24060000"#), "\(joined.text.prefix(300))")
        var source = a
        for level in 1...6 {
            let others = (1...7).map { #"{"resource":"\#(source)","name":"s\#($0)","on":{"id":"a.id"}}"# }
            let all = ([#"{"resource":"\#(source)"}"#] + others).joined(separator: ",")
            let next = try await create(
                node,
                clerk,
                "第\(level)层",
                #"{"sources":[\#(all)],"fields":[{"name":"id","expression":"a.id"}],"stored":false}"#
            )
            #expect(next.status == 201, "\(next.text)")
            source = next.json["id"]?.string?.replacing("-", with: "/") ?? ""
        }
        let id = source.replacing("/", with: "-")
        #expect(try await rows(node, id, clerk).count == 301)
        let started = ContinuousClock.now
        for _ in 0..<20 { _ = try await node.ask("GET", "/api/v1/resources/\(id)/records?limit=1", headers: clerk) }
        #expect(ContinuousClock.now - started < .seconds(30))
        try await node.close()
    }

    @Test func lineageIsToldBothWays() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let counts = try await made(node, clerk, Self.counts, "流量", key: "id")
        let roads = try await made(node, clerk, Self.roads, "路段", key: "road")
        let id =
            try await create(
                node,
                clerk,
                "明细",
                #"{"sources":[{"resource":"\#(counts)"},{"resource":"\#(roads)","on":{"road":"a.road"}}],"filter":"a.flow > 1","fields":[{"name":"id","expression":"a.id"},{"name":"name","expression":"b.name"}]}"#
            ).json["id"]?.string ?? ""
        let path = "/lineage"
        let up = try await node.ask("GET", "/api/v1/resources/\(id)\(path)", headers: clerk).json
        let edges = up["edges"]?.array ?? []
        #expect(up["nodes"]?.array?.count == 3 && edges.count == 2)
        let uses = edges.flatMap { $0["fields"]?.array ?? [] }.map {
            "\($0["source"]?.string ?? "") \($0["use"]?.string ?? "") \($0["field"]?.string ?? "-")"
        }
        #expect(Set(uses) == ["flow filter -", "road join -", "id value id", "name value name"])
        let down = try await node.ask(
            "GET",
            "/api/v1/resources/\(roads.replacing("/", with: "-"))\(path)",
            headers: clerk
        ).json
        #expect(down["nodes"]?.array?.map { $0["level"]?.integer ?? 9 } == [0, 1])
        for address in [
            "/resources/\(id)/lineage", "/console/derivations", "/console/derivations/\(id)",
            "/console/derivations/new", "/resources/\(id)",
        ] {
            let page = try await node.ask("GET", address, headers: clerk)
            #expect(page.status == 200, "\(address): \(page.text.prefix(300))")
        }
        // To the public what is not open is not there.
        #expect(try await node.ask("GET", "/api/v1/resources/\(id)\(path)").status == 404)
        #expect(try await node.ask("GET", "/api/v1/derivations").status == 401)
        try await node.close()
    }

    /// The form's lines are the definition's parts, both ways, and what was typed stays with what is wrong.
    @Test func theFormKeepsWhatWasTyped() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let counts = try await made(node, clerk, Self.counts, "流量", key: "id")
        let page = try await node.ask("GET", "/console/derivations/new", headers: clerk).text
        let token =
            page.firstRange(of: "name=\"_csrf\" value=\"").map { range in
                String(page[range.upperBound...].prefix { $0 != "\"" })
            } ?? ""
        let owner = try await node.node.kernel.accounts.find(login: "clerk")?.organisation.raw ?? 1
        func send(_ fields: String, _ act: String) async throws -> TestNode.Answer {
            let values: [(String, String)] = [
                ("_csrf", token), ("name", "表单派生"), ("summary", "由表单建立的派生资源。"), ("provider", "\(owner)"),
                ("category", "301001"), ("sources", "a = \(counts)"), ("filter", "a.flow > 10"), ("fields", fields),
                ("key", "road"), ("stored", "true"), ("act", act),
            ]
            let text = values.map { name, value in
                "\(name)=\(value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")"
            }.joined(separator: "&")
            var headers = clerk
            headers["content-type"] = "application/x-www-form-urlencoded"
            return try await node.ask("POST", "/console/derivations", headers: headers, body: body(text))
        }
        let wrong = try await send("road 路线 = a.raod", "save")
        #expect(wrong.status == 400 && wrong.text.contains("a.raod") && wrong.text.contains("a.road"))
        let tried = try await send("road 路线 = a.road\ntotal 合计 = sum(a.flow)", "preview")
        #expect(tried.status == 200 && tried.text.contains("300") && tried.text.contains("sum(a.flow)"))
        let saved = try await send("road 路线 = a.road\ntotal 合计 = sum(a.flow)", "save")
        #expect(saved.status == 303, "\(saved.text.prefix(400))")
        let kept = try await node.ask("GET", saved.headers["location"] ?? "", headers: clerk).text
        #expect(kept.contains("road 路线 = a.road\ntotal 合计 = sum(a.flow)") && kept.contains("a.flow &gt; 10"))
        try await node.close()
    }
}
