import Basics
import CQL
@testable import Catalogue
import Composition
import Foundation
@testable import Kernel
@testable import Lake
import Mask
import Store
import Tabular
import TestKit
import Testing

@testable import Web

/// What a node remembers between requests is never older than what it is made of.
@Suite struct RememberedTests {
    static let collection = "/ogc/collections/301001-000001"
    static let vehicles = "/api/v1/resources/301003-000001/records"

    /// The fields that somebody sees of the vehicles; none where they are refused.
    static func fields(_ node: TestNode, _ caller: Caller) async throws -> [String] {
        let resource = try await node.node.kernel.resource("301003/000001")
        do {
            return try await LakeTests.decision(node, resource, caller).fields.map(\.field.name)
        } catch let problem as Problem where problem.status == 403 {
            return []
        }
    }

    static func change(_ node: TestNode, _ sql: String, _ values: [SQLValue]) async throws {
        try await node.node.kernel.databases.control.write { db in try db.execute(sql, values) }
    }

    @Test func aRightThatIsGivenOrTakenCountsAtTheNextRequest() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        let auditor = try await node.caller("auditor")
        let security = try await node.caller("secadmin")
        let resource = try await kernel.resource("301003/000001")
        let id = try #require(auditor.principal?.id)
        let before = try await Self.fields(node, auditor)
        #expect(!before.contains("plate"))
        #expect(try await Self.fields(node, auditor) == before)
        let grant = Grant(to: .principal(id), [.dataRead], on: .resource(resource.id), fields: ["plate"])
        try await kernel.gate.perform(kernel.administration.grant, grant, as: security)
        #expect(try await Self.fields(node, auditor).contains("plate"))
        let given = try #require(
            try await kernel.gate.perform(kernel.administration.grants, (), as: security).first {
                $0.grantee == .principal(id)
            }
        )
        try await kernel.gate.perform(kernel.administration.revoke, given.id, as: security)
        #expect(try await Self.fields(node, auditor) == before)

        // By the web, a role that goes.
        let session = try await node.session("clerk")
        #expect(try await node.ask("GET", Self.vehicles, headers: session).text.contains("\"plate\":\"冀"))
        let loads = "/api/v1/resources/301003-000001/loads"
        #expect(try await node.ask("GET", loads, headers: session).status == 200)
        let clerk = try #require(try await node.caller("clerk").principal?.id)
        try await kernel.gate.perform(kernel.administration.setRoles, (clerk, []), as: security)
        #expect(try await !node.ask("GET", Self.vehicles, headers: session).text.contains("\"plate\""))
        #expect(try await node.ask("GET", loads, headers: session).status == 403)
        try await node.close()
    }

    /// A grant ends at its microsecond, and one that ended stays so.
    @Test func aGrantEndsInTime() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        let auditor = try await node.caller("auditor")
        let id = try #require(auditor.principal?.id)
        let resource = try await kernel.resource("301003/000001")
        let hour: Int64 = 3_600_000_000
        for hours in [1, 3] as [Int64] {
            let grant = Grant(
                to: .principal(id),
                [.dataRead],
                on: .resource(resource.id),
                fields: [hours == 1 ? "plate" : "owner"],
                until: node.clock.now + hours * hour
            )
            try await kernel.databases.control.write { db in try Kernel.add(grant, by: nil, at: 0, db) }
        }
        try await kernel.gate.reload()
        func seen() async throws -> [String] {
            try await Self.fields(node, auditor).filter { $0 == "plate" || $0 == "owner" }.sorted()
        }
        #expect(try await seen() == ["owner", "plate"])
        #expect(try await seen() == ["owner", "plate"])
        node.clock.advance(microseconds: hour)
        #expect(try await seen() == ["owner"])
        #expect(try await seen() == ["owner"])
        node.clock.advance(microseconds: 2 * hour)
        #expect(try await seen() == [])
        let findings = Findings([10, 20, 20].map { Grant(to: .anyone, [.dataRead], on: .all, until: $0) })
        #expect(findings.moments(around: 9) == .min..<10)
        #expect(findings.moments(around: 10) == 10..<20)
        #expect(findings.moments(around: 20) == 20..<Int64.max)
        try await node.close()
    }

    /// The same id is not the same principal, nor the same resource; an organisation that moves takes its rights along.
    @Test func principalsResourcesAndOrganisationsAreTakenAsTheyAre() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        var clerk = try await node.caller("clerk")
        #expect(try await Self.fields(node, clerk).contains("plate"))
        let own = clerk
        clerk.principal?.roles = []
        #expect(try await !Self.fields(node, clerk).contains("plate"))
        #expect(try await Self.fields(node, own).contains("plate"))
        clerk = own
        clerk.principal?.mustChangePassword = true
        #expect(try await Self.fields(node, clerk) == [])
        #expect(!kernel.gate.holds(.dataRead, clerk) && kernel.gate.holds(.dataRead, own))

        // A resource handed to another department is not the clerk's any more.
        var resource = try await kernel.resource("301003/000001")
        let roads = resource.owner
        let city = try #require(kernel.gate.organisations.all.values.first { $0.name.contains("市交通") }).id
        resource.owner = city
        let moved = resource
        try await kernel.databases.control.write { db in _ = try Kernel.save(moved, db) }
        kernel.forget(resource: resource.code)
        #expect(try await !Self.fields(node, own).contains("plate"))
        // Until that department comes under the clerk's.
        #expect(kernel.gate.ownersReached(by: own, with: .dataLoad)?.contains(city) == false)
        try await Self.change(
            node,
            "UPDATE organisations SET parent = ? WHERE id = ?",
            [.integer(roads.raw), .integer(city.raw)]
        )
        try await kernel.gate.reload()
        #expect(try await Self.fields(node, own).contains("plate"))
        #expect(kernel.gate.ownersReached(by: own, with: .dataLoad)?.contains(city) == true)
        try await node.close()
    }

    /// An entry is shown as it is written, whoever wrote it and by whatever way.
    @Test func anEntryIsShownAsItStands() async throws {
        let node = try await TestNode(demonstration: true)
        let catalogue = node.node.services.catalogue
        let gate = node.node.kernel.gate
        let clerk = try await node.caller("clerk")
        let code = "301001/000001"
        func show() async throws -> Entry { try await gate.perform(catalogue.show, code, as: clerk).entry }
        let first = try await show()
        #expect(try await show().changedAt == first.changedAt)
        var content = try #require(first.published)
        content.summary = "改过的说明,马上就能看到。"
        _ = try await gate.perform(catalogue.save, (code, content), as: clerk)
        #expect(try await show().draft?.summary == content.summary)
        #expect(try await gate.perform(catalogue.show, code, as: .anonymous()).entry.draft == nil)
        try await node.node.catalogue.attached(first.resource.id, rows: 4711, at: node.clock.now, score: 12)
        #expect(try await show().rows == 4711)
        // Not by the catalogue at all.
        try await Self.change(
            node,
            "UPDATE entries SET rows = 12 WHERE resource = ?",
            [.integer(first.resource.id.raw)]
        )
        #expect(try await show().rows == 12)
        let answer = try await node.ask("GET", "/api/v1/resources/301001-000001")
        #expect(answer.json["rows"]?.integer == 12)
        // What another process writes is not counted here: it is heard of.
        node.node.catalogue.heardOfEntries()
        #expect(try await show().rows == 12)
        try await node.close()
    }

    /// Each write of a process is counted before it is acknowledged, also one that failed; reads are not.
    @Test func writesAreCounted() async throws {
        let node = try await TestNode()
        let control = node.node.kernel.databases.control
        let before = control.writes
        _ = try await control.read { try $0.rows("SELECT 1") }
        _ = try await control.glance { try $0.rows("SELECT 1") }
        #expect(control.writes == before)
        try await control.write { db in try db.execute("DELETE FROM jobs WHERE id = -1") }
        #expect(control.writes == before + 1)
        await #expect(throws: Problem.self) { try await control.write { db in try db.execute("DELETE FROM nothing") } }
        #expect(control.writes == before + 2)
        try await node.close()
    }

    /// Collections follow what may be seen of a resource: masks, fields, that it is open at all.
    @Test func collectionsFollowTheGate() async throws {
        let node = try await TestNode(demonstration: true)
        let kernel = node.node.kernel
        let item = Self.collection + "/items/SF10037"
        let whole = try await node.ask("GET", item).json["properties"]
        #expect(whole?["name"]?.string == "裕华路与中山路交口" && whole?["lanes"]?.integer == 6)
        #expect(try await node.ask("GET", item).json["properties"] == whole)
        let resource = try await kernel.resource("301001/000001")
        // The grant to the public loses a field, and masks another.
        let opened = "grantee_kind = 'anyone' AND resource = \(resource.id.raw)"
        let fields = #"["id","name","longitude","latitude"]"#
        try await Self.change(
            node,
            "UPDATE grants SET fields = ?, masks = ? WHERE \(opened)",
            [.text(fields), .text(#"{"name":"\#(Mask.suppress.code)"}"#)]
        )
        try await kernel.gate.reload()
        let narrowed = try await node.ask("GET", item).json
        #expect(narrowed["properties"]?["lanes"] == nil && narrowed["properties"]?["name"]?.string != "裕华路与中山路交口")
        #expect(narrowed["geometry"]?["type"]?.string == "Point")
        #expect(
            try await node.ask("GET", Self.collection + "/items?name=x").status == 400,
            "masked fields are not asked about"
        )
        #expect(try await node.ask("GET", Self.collection + "/items?lanes=6").status == 400)
        // A key that is masked names no feature.
        try await Self.change(
            node,
            "UPDATE grants SET masks = ? WHERE \(opened)",
            [.text(#"{"id":"\#(Mask.suppress.code)"}"#)]
        )
        try await kernel.gate.reload()
        #expect(try await node.ask("GET", item).status == 404)
        try await Self.change(node, "DELETE FROM grants WHERE \(opened)", [])
        try await kernel.gate.reload()
        #expect(try await node.ask("GET", item).status == 404)
        let closed = try await node.ask("GET", Self.collection + "/items")
        #expect(closed.status == 404 || closed.status == 401)
        try await node.close()
    }

    /// Layouts and selections are those of what the gate lets through now.
    @Test func layoutsAreMadeAgainWhereAnythingDiffers() async throws {
        let node = try await TestNode(demonstration: true)
        let resource = try await node.node.kernel.resource("301001/000001")
        let decision = try await LakeTests.decision(node, resource, try await node.caller("clerk"))
        let layouts = FeatureLayouts()
        let layout = layouts.layout(decision.fields, resource, nil)
        #expect(layouts.layout(decision.fields, resource, nil) === layout)
        #expect(layout.key?.name == "id" && layout.shape?.names == ["longitude", "latitude"])
        var masked = decision.fields
        masked[0].mask = .suppress
        let other = layouts.layout(masked, resource, nil)
        #expect(other !== layout && other.key == nil && other.masked == ["id"])
        var keyless = resource
        keyless.schema.key = []
        #expect(layouts.layout(decision.fields, keyless, nil).key == nil)

        let state = try #require(try await node.node.lake.state(resource))
        let selections = Selections()
        let selection = try selections.selection(["name"], decision, state, .sqlite)
        #expect(try selections.selection(["name"], decision, state, .sqlite) === selection)
        #expect(try selections.selection(nil, decision, state, .sqlite) !== selection)
        var replaced = state
        replaced.physical = "r1_99"
        #expect(try selections.selection(["name"], decision, replaced, .sqlite).table.name == "r1_99")
        replaced = state
        replaced.layout = "1,2,3,4,5,9/9"
        #expect(try selections.selection(["lanes"], decision, replaced, .sqlite).columns == ["_id", "c9"])
        #expect(try selections.selection(["lanes"], decision, state, .sqlite).columns == ["_id", "c6"])
        let stamps = Stamps()
        let stamp = stamps.stamp(decision, resource, state.physical, 1)
        #expect(stamps.stamp(decision, resource, state.physical, 1) == stamp)
        #expect(stamps.stamp(decision, resource, state.physical, 2) != stamp)
        #expect(stamps.stamp(decision, resource, "r1_99", 1) != stamp)
        try await node.close()
    }

    /// Short reads on the caller's thread see what was written before, many at once too.
    @Test func glancesSeeWhatWasWritten() async throws {
        let node = try await TestNode()
        let records = node.node.kernel.databases.records
        try await records.write { db in try db.execute("CREATE TABLE glanced (n BIGINT NOT NULL)") }
        for number in 1...20 as ClosedRange<Int64> {
            try await records.write { db in try db.execute("INSERT INTO glanced VALUES (?)", [.integer(number)]) }
            let seen = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await records.glance { try $0.row("SELECT max(n) FROM glanced")?.integer(0) ?? 0 }
                    }
                }
                return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
            }
            #expect(seen == [number])
        }
        await #expect(throws: Problem.self) { try await records.glance { try $0.rows("SELECT * FROM missing") } }
        try await node.close()
    }
}
