import Composition
import Web
import Basics
@testable import Catalogue
import Foundation
import Harvest
import Kernel
import Synchronization
import TestKit
import Testing

/// Other catalogues followed: what is new there, changes, goes, comes back, fails.
@Suite struct HarvestingTests {
    /// A catalogue of another node, in pages of three, as CKAN gives them.
    private final class Other: Sendable {
        struct State {
            var titles: [Int: String] = [:]
            var failsAt: Int?
            var ignoresPaging = false
            var asked = 0
        }

        let state = Mutex(State())

        init(_ count: Int) {
            state.withLock { $0.titles = Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, "公路数据 \($0)") }) }
        }

        func page(_ address: String) throws -> [UInt8] {
            let text = address.split(separator: "start=").last.map { $0.prefix { $0.isNumber } } ?? "0"
            return try state.withLock { state in
                state.asked += 1
                let start = address.contains("start=") && !state.ignoresPaging ? Int(text) ?? 0 : 0
                if let failsAt = state.failsAt, start >= failsAt {
                    throw Problem("source.refused", status: 502, zh: "拒绝。", en: "Refused.")
                }
                let all = state.titles.sorted { $0.key < $1.key }
                let results = all.dropFirst(start).prefix(3).map { id, title in
                    #"{"id":"id-\#(id)","name":"road-\#(id)","title":"\#(title)","notes":"说明","tags":[{"name":"公路"}],"resources":[{"url":"https://other.example/\#(id).csv","format":"CSV"}]}"#
                }
                return Array(
                    #"{"success":true,"result":{"count":\#(all.count),"results":[\#(results.joined(separator: ","))]}}"#
                        .utf8
                )
            }
        }
    }

    private func harvest(_ node: TestNode, publishes: Bool = true) async throws -> CatalogueHarvest {
        let provider = try #require(try await node.node.kernel.accounts.find(login: "clerk")).organisation
        return try CatalogueHarvest(
            json: .object([
                .init("name", "另一个目录"), .init("kind", "ckan"),
                .init("address", "https://other.example/api/3/action/package_search?rows=3"),
                .init("provider", .integer(provider.raw)), .init("category", "301099"),
                .init("publishes", .boolean(publishes)),
            ])
        )
    }

    @Test func whatChangesThereChangesHere() async throws {
        let node = try await TestNode(demonstration: true)
        let other = Other(25)
        let harvests = Harvests(catalogue: node.node.catalogue) { address, _ in try other.page(address) }
        let gate = node.node.kernel.gate
        let caller = try await node.caller("authority")
        let id = try await gate.perform(harvests.saved, try await harvest(node), as: caller)
        let job = Mutex<Int64>(100)
        func run() async throws -> HarvestReport {
            let number = job.withLock {
                $0 += 1
                return $0
            }
            return try await gate.perform(harvests.run, (id, number, { _, _ in }), as: caller)
        }
        func found(_ text: String) async throws -> [Entry] {
            try await gate.perform(
                node.node.services.catalogue.search,
                CatalogueQuery(text: text, limit: 200),
                as: caller
            ).entries
        }
        var report = try await run()
        #expect(report.created == 25 && report.seen == 25 && report.refused == 0, "\(report)")
        let entry = try #require(try await found("公路数据 7").first { $0.resource.name == "公路数据 7" })
        #expect(entry.published?.summary == "说明" && entry.published?.formatType == "csv" && !entry.resource.isOpen)
        let origin = try await gate.perform(harvests.origin, entry.resource.code, as: caller)
        #expect(origin?.identifier == "id-7" && origin?.content["title"]?.string == "公路数据 7")
        report = try await run()
        #expect(report.unchanged == 25 && report.created == 0 && report.changed == 0)

        // One renamed, one gone, one more.
        other.state.withLock {
            $0.titles[7] = "公路数据七"
            $0.titles[9] = nil
            $0.titles[40] = "公路数据 40"
        }
        report = try await run()
        #expect(report.changed == 1 && report.withdrawn == 1 && report.created == 1, "\(report)")
        let renamed = try #require(try await found("公路数据七").first)
        #expect(renamed.resource.id == entry.resource.id && renamed.version == 2)
        #expect(try await found("公路数据 9").contains { $0.resource.name == "公路数据 9" } == false)
        // It comes back under its own number.
        other.state.withLock { $0.titles[9] = "公路数据 9" }
        report = try await run()
        #expect(report.changed == 1 && report.created == 0 && report.withdrawn == 0, "\(report)")
        #expect(try await found("公路数据 9").contains { $0.resource.name == "公路数据 9" })

        // What people work on here is theirs.
        var mine = try #require(renamed.content)
        mine.name = "本地改名"
        _ = try await gate.perform(
            node.node.services.catalogue.save,
            (renamed.resource.code, mine),
            as: try await node.caller("clerk")
        )
        other.state.withLock { $0.titles[7] = "公路数据柒" }
        report = try await run()
        #expect(report.kept == 1 && report.changed == 0, "\(report)")

        // A page that fails: what came before stays, nothing is withdrawn.
        other.state.withLock {
            $0.failsAt = 12
            $0.titles[1] = nil
        }
        await #expect(throws: Problem.self) { try await run() }
        #expect(try await found("公路数据 20").isEmpty == false)
        #expect(try await found("公路数据 1").isEmpty == false)
        // A source that ignores paging ends.
        other.state.withLock {
            $0.failsAt = nil
            $0.ignoresPaging = true
        }
        await #expect(throws: Problem.self) { try await run() }
        // A source that lost most of its catalogue has not withdrawn it.
        other.state.withLock {
            $0.ignoresPaging = false
            $0.titles = $0.titles.filter { $0.key < 4 }
        }
        report = try await run()
        #expect(report.withdrawn == 0 && report.reasons.count == 1, "\(report)")
        #expect(try await found("公路数据 20").isEmpty == false)
        try await node.close()
    }

    @Test func draftsWaitForReviewAndOnlyReviewersFollow() async throws {
        let node = try await TestNode(demonstration: true)
        let other = Other(4)
        let harvests = Harvests(catalogue: node.node.catalogue) { address, _ in try other.page(address) }
        let gate = node.node.kernel.gate
        let plan = try await harvest(node, publishes: false)
        await #expect(throws: Problem.self) {
            _ = try await gate.perform(harvests.saved, plan, as: try await node.caller("clerk"))
        }
        await #expect(throws: Problem.self) { _ = try await gate.perform(harvests.saved, plan, as: .anonymous()) }
        let caller = try await node.caller("authority")
        let id = try await gate.perform(harvests.saved, plan, as: caller)
        let report = try await gate.perform(harvests.run, (id, 7, { _, _ in }), as: caller)
        #expect(report.created == 4)
        let found = try await gate.perform(
            node.node.services.catalogue.search,
            CatalogueQuery(text: "公路数据 2", limit: 50),
            as: caller
        )
        #expect(found.entries.allSatisfy { $0.resource.name != "公路数据 2" }, "drafts are on no list")
        var wrong = plan
        wrong.category = "9"
        await #expect(throws: Problem.self) { _ = try await gate.perform(harvests.saved, wrong, as: caller) }
        wrong = plan
        wrong.columns = #"{"nothing":"x"}"#
        await #expect(throws: Problem.self) { _ = try await gate.perform(harvests.saved, wrong, as: caller) }
        try await gate.perform(harvests.removed, id, as: caller)
        #expect(try await gate.perform(harvests.listed, (), as: caller).isEmpty)
        try await node.close()
    }
}
