import HTTPTypes
import Composition
import CQL
import Logging
import Basics
import Foundation
import Mask
import Store
import Tabular
import TestKit
import Testing

@testable import Kernel
@testable import Web

@Suite struct GateTests {
    /// Numbers in an address are limited wherever they are added to others: no page falls over the largest.
    @Test func hugeNumbersInAddressesDoNoHarm() async throws {
        let node = try await TestNode(demonstration: true)
        let routes = WebApplication(services: node.node.services, logger: .init(label: "test")).routes
        let clerk = try await node.session("clerk")
        let auditor = try await node.session("auditor")
        for route in routes where route.method == .get && !route.path.contains("{") {
            for number in ["9223372036854775807", "-9223372036854775808", "-1", "99999999999999999999"] {
                let query = ["offset", "page", "limit", "after"].map { "\($0)=\(number)" }.joined(separator: "&")
                for headers in [[:], clerk, auditor] {
                    let answer = try await node.ask("GET", "\(route.path)?\(query)", headers: headers)
                    #expect(answer.status < 500, "\(route.path)?\(query): \(answer.text)")
                }
            }
        }
        let records = try await node.ask("GET", "/ogc/collections/catalogue/items?offset=9223372036854775807")
        #expect(records.status == 400)
        try await node.close()
    }

    /// Every route names actions that exist, or says that it reaches nothing.
    @Test func everyRoutePassesTheGate() async throws {
        let node = try await TestNode()
        let known = Set(Services.descriptors.map(\.name))
        #expect(known.count == Services.descriptors.count, "action names are unique")
        let routes = WebApplication(services: node.node.services, logger: .init(label: "test")).routes
        #expect(routes.count > 60)
        for route in routes {
            switch route.reach {
            case .nothing:
                #expect(
                    [
                        "/healthz", "/metrics", "/openapi.json", "/assets/{name}", "/vendor/{name}", "/signin",
                        "/password",
                        "/console/upload", "/console/import", "/.well-known/security.txt", "/ogc", "/ogc/conformance",
                        "/ogc/api", "/ogc/functions", "/api", "/api/3", "/def/crs/{name}",
                    ].contains(route.path)
                )
            case .actions(let names):
                #expect(!names.isEmpty, "\(route.path) names no action")
                for name in names { #expect(known.contains(name), "\(route.path): \(name)") }
            }
        }
        try await node.close()
    }

    /// Without an account no route of the console answers with anything but a refusal.
    @Test func thePublicReachesNothingOfTheConsole() async throws {
        let node = try await TestNode(demonstration: true)
        for route in WebApplication(services: node.node.services, logger: .init(label: "test")).routes
        where route.side == .console {
            if ["/signin", "/api/v1/session", "/signout"].contains(route.path) { continue }
            let path = route.path.replacing("{code}", with: "301003-000001").replacing("{id}", with: "1").replacing(
                "{load}",
                with: "1"
            )
            .replacing("{job}", with: "1").replacing("{upload}", with: "x")
            let answer = try await node.ask(route.method.rawValue, path, body: Array("{}".utf8))
            let isRefused =
                [400, 401, 403, 404, 415, 422].contains(answer.status)
                || answer.headers["location"]?.hasPrefix("/signin") == true
            #expect(isRefused, "\(route.method) \(path): \(answer.status) \(answer.text.prefix(200))")
        }
        try await node.close()
    }

    @Test func rolesDoNotOverreach() async throws {
        let node = try await TestNode(demonstration: true)
        let vehicles = "/api/v1/resources/301003-000001/records"
        for login in ["sysadmin", "secadmin", "auditor"] {
            let text = try await node.ask("GET", vehicles, headers: try await node.session(login)).text
            #expect(!text.contains("\"plate\""), "conditional fields are not for everybody: \(login)")
        }
        let own = try await node.ask("GET", vehicles, headers: try await node.session("clerk")).text
        #expect(own.contains("\"plate\":\"冀"))
        let steward = try await node.ask("GET", vehicles, headers: try await node.session("steward")).json
        #expect(
            steward["masked"]?["plate"]?.string == "keep:2:2" && steward["masked"]?["owner"]?.string == "person_name"
        )
        try await node.close()
    }

    @Test func grantsOfRowsAndFieldsNarrow() async throws {
        let node = try await TestNode(demonstration: true)
        let resource = try await node.node.kernel.resource("301003/000001")
        let auditor = try #require(try await node.node.kernel.accounts.find(login: "auditor"))
        let secadmin = try await node.session("secadmin")
        func grant(_ members: [JSONValue.Member]) async throws -> TestNode.Answer {
            let all: [JSONValue.Member] = [
                .init("grantee", .string("principal:\(auditor.id.raw)")), .init("resource", .string(resource.code)),
                .init("permissions", .array(["data.read"])), .init("purpose", "专项检查"),
            ]
            return try await node.ask(
                "POST",
                "/api/v1/grants",
                headers: secadmin,
                body: Array(JSONValue.object(all + members).text.utf8)
            )
        }
        #expect(
            try await grant([.init("rows", "knid = '货车'")]).status == 400,
            "filters are settled when the grant is made"
        )
        // The demonstration's vehicles are published, so everybody signed in sees the fields shared unconditionally.
        let caller = try await node.caller("auditor")
        let before = try await LakeTests.decision(node, resource, caller)
        #expect(before.rows == nil && !before.fields.contains { $0.field.name == "plate" })
        let scoped = Grant(
            to: .principal(auditor.id),
            [.dataRead],
            on: .resource(resource.id),
            fields: ["plate", "kind"],
            rows: "kind = '货车'",
            masks: ["plate": .suppress]
        )
        let other = Grant(
            to: .principal(auditor.id),
            [.dataRead],
            on: .resource(resource.id),
            fields: ["kind", "seats"],
            rows: "seats > 40"
        )
        let (fields, rows) = try Gate.combine([scoped, other], resource)
        #expect(fields.map(\.field.name) == ["kind"] && rows?.properties.sorted() == ["kind", "seats"])
        let expired = Grant(to: .principal(auditor.id), [.dataRead], on: .all, until: 1)
        try await node.node.kernel.databases.control.write { db in try Kernel.add(expired, by: nil, at: 0, db) }
        try await node.node.kernel.gate.reload()
        #expect(try await !LakeTests.decision(node, resource, caller).fields.contains { $0.field.name == "plate" })
        try await node.close()
    }

    @Test func theThreeAdministratorsAreThreePeople() async throws {
        let node = try await TestNode(demonstration: true)
        let secadmin = try await node.session("secadmin")
        let clerk = try #require(try await node.node.kernel.accounts.find(login: "clerk"))
        let body = #"{"roles":["auditor","system_administrator"]}"#
        let answer = try await node.ask(
            "PUT",
            "/api/v1/accounts/\(clerk.id.raw)/roles",
            headers: secadmin,
            body: Array(body.utf8)
        )
        #expect(answer.status == 400 && answer.json["code"]?.string == "account.roles")
        let own = try #require(try await node.node.kernel.accounts.find(login: "secadmin"))
        #expect(
            try await node.ask(
                "PUT",
                "/api/v1/accounts/\(own.id.raw)/roles",
                headers: secadmin,
                body: Array(#"{"roles":["clerk"]}"#.utf8)
            ).status == 403
        )
        try await node.close()
    }

    @Test func passwordsLocksSessionsAndForms() async throws {
        let node = try await TestNode(demonstration: true)
        for weak in ["short1A!", "alllowercase", "Password1234", "clerkClerk12"] {
            #expect(throws: Problem.self) { try Accounts.check(password: weak, login: "clerk") }
        }
        let session = try await node.session("clerk")
        #expect(session["cookie"]?.hasPrefix("tongqu_session=") == true)
        // A session without the form token changes nothing.
        let bare = ["cookie": session["cookie"] ?? ""]
        #expect(try await node.ask("POST", "/api/v1/resources", headers: bare, body: Array("{}".utf8)).status == 403)
        #expect(
            try await node.ask("POST", "/console/entries/301003-000001", headers: bare, body: Array("name=x".utf8))
                .status == 403
        )
        #expect(
            try await node.ask(
                "POST",
                "/api/v1/resources",
                headers: session.merging(["origin": "http://evil"]) { $1 },
                body: Array("{}".utf8)
            ).status == 403
        )
        #expect(try await node.ask("DELETE", "/api/v1/session", headers: session).status == 204)
        #expect(try await node.ask("GET", "/api/v1/work", headers: session).status == 401)
        for _ in 0..<5 { #expect(try await node.session("clerk", password: "wrong")["x-csrf-token"] == "") }
        #expect(try await node.session("clerk")["x-csrf-token"] == "", "locked")
        node.clock.advance(microseconds: 16 * 60_000_000)
        #expect(try await node.session("clerk")["x-csrf-token"] != "")
        let long = try await node.session("reviewer")
        node.clock.advance(microseconds: 9 * 3_600_000_000)
        #expect(try await node.ask("GET", "/api/v1/work", headers: long).status == 401, "sessions end")
        try await node.close()
    }

    @Test func signInGoesOnlyToThisSite() async throws {
        let node = try await TestNode(demonstration: true)
        for (next, target) in [
            ("/console/entries", "/console/entries"), ("//evil.example", "/console"),
            ("https://evil.example", "/console"), ("/\\evil", "/console"),
        ] {
            let body =
                "login=clerk&password=\(TestNode.password)&next=\(next.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")"
            let answer = try await node.ask("POST", "/signin", body: Array(body.utf8))
            #expect(answer.headers["location"] == target)
            let cookie = answer.headers["set-cookie"] ?? ""
            #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"))
        }
        try await node.close()
    }
}

@Suite struct EvidenceTests {
    @Test func tamperingIsFound() async throws {
        let node = try await TestNode(demonstration: true)
        let evidence = node.node.kernel.evidence
        try await evidence.seal()
        let whole = try await evidence.verify()
        #expect(whole.fault == nil && whole.records > 20 && whole.intervals >= 1)
        let database = node.node.kernel.databases.evidence
        let middle = whole.records / 2
        let body = try await database.read {
            try $0.rows("SELECT body FROM evidence WHERE seq = ?", [.integer(Int64(middle))])[0].values[0]
        }
        try await database.write { db in
            try db.execute(
                "UPDATE evidence SET body = replace(body, 'allowed', 'denied') WHERE seq = ?",
                [.integer(Int64(middle))]
            )
        }
        #expect(try await evidence.verify().fault?.en == "record \(middle) was altered")
        try await database.write { db in
            try db.execute("UPDATE evidence SET body = ? WHERE seq = ?", [body, .integer(Int64(middle))])
        }
        #expect(try await evidence.verify().fault == nil)
        try await database.write { db in try db.execute("DELETE FROM evidence WHERE seq = ?", [.integer(Int64(middle))])
        }
        #expect(try await evidence.verify().fault != nil)
        try await node.close()
    }

    @Test func manyWritersMakeOneChain() async throws {
        let node = try await TestNode()
        let kernel = node.node.kernel
        let before = try await kernel.evidence.verify().records
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<200 {
                group.addTask {
                    try await kernel.evidence.append(
                        EvidenceEntry(
                            at: Int64(index),
                            actor: "test",
                            organisation: nil,
                            action: "test",
                            resource: "",
                            outcome: "allowed",
                            grants: [],
                            trace: "",
                            details: []
                        )
                    )
                }
            }
            try await group.waitForAll()
        }
        let verdict = try await kernel.evidence.verify()
        #expect(verdict.fault == nil && verdict.records == before + 200)
        try await node.close()
    }

    @Test func theCalendarKnowsHolidays() async throws {
        let node = try await TestNode()
        let calendar = try await node.node.kernel.calendar()
        let day = { (month: Int, day: Int) in CivilTime.days(year: 2026, month: month, day: day) }
        #expect(
            !calendar.isWorkingDay(day(2, 17)) && calendar.isWorkingDay(day(2, 14))
                && !calendar.isWorkingDay(day(11, 21))
        )
        #expect(calendar.day(day(9, 30), plusWorkingDays: 2) == day(10, 9))
        #expect(calendar.workingDays(from: day(9, 30), to: day(10, 10)) == 3)
        try await node.close()
    }

    @Test(.enabled(if: TestNode.isSQLite, "of SQLite's files"))
    func aDirectoryServesOneProcessAndSurvivesReopening() async throws {
        let node = try await TestNode(demonstration: true)
        await #expect(throws: Problem.self) { _ = try await TestNode(folder: node.folder) }
        let folder = node.folder
        let records = try await node.node.kernel.evidence.verify().records
        try await node.node.close()
        // The lock goes with the object.
        withExtendedLifetime(node) {}
        _ = records
        try? FileManager.default.removeItem(at: folder)
    }
}
