import Tabular
import Composition
import Basics
import Foundation
import Hummingbird
import Kernel
import Synchronization
import TestKit
import Testing

@testable import Lake
@testable import Web

/// What bounds a reading: its time, its client, its bytes; and counts that cost little.
@Suite struct LimitTests {
    @Test func readingsEndWithTheirTimeAndTheirClient() async throws {
        let running = RunningRequests(patience: .seconds(30))
        let client = NSObject()
        let here = ObjectIdentifier(client)
        let other = NSObject()
        func wait(by channel: ObjectIdentifier?) -> Task<String, Never> {
            Task {
                do {
                    _ = try await running.run(by: channel) {
                        try await Task.sleep(for: .seconds(60))
                        return Response(status: .ok)
                    }
                    return "done"
                } catch let problem as Problem { return problem.code } catch { return "\(type(of: error))" }
            }
        }
        let quick = try await running.run(by: here) { Response(status: .accepted) }
        #expect(quick.status == .accepted)
        let departing = wait(by: here)
        let staying = wait(by: ObjectIdentifier(other))
        try await Task.sleep(for: .milliseconds(50))
        running.sweep()
        running.left(here)
        #expect(await departing.value == "CancellationError")
        running.sweep(now: .now + .seconds(31))
        #expect(await staying.value == "request.timeout")
        let stopped = wait(by: nil)
        try await Task.sleep(for: .milliseconds(50))
        stopped.cancel()
        #expect(await stopped.value == "CancellationError")
    }

    private static func rows(_ count: Int) -> String {
        "id,kind,day,lon,lat\n"
            + (1...count).map { id in
                "\(id),\(["A", "B", "C", "D"][id % 4]),2026-01-\(id % 28 < 9 ? "0" : "")\(id % 28 + 1),\(113 + Double(id % 100) / 100),\(36 + Double(id / 100) / 1000)"
            }.joined(separator: "\n") + "\n"
    }

    @Test func countsAreEstimatedAndPlacesAskedFor() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let made = try await node.resource(
            try PathTests.file(Self.rows(20_000), "many.csv"),
            name: "许多行",
            session: clerk
        )
        #expect(made.job["result"]?["good"]?.integer == 20_000, "\(made.job.text)")
        let base = "/api/v1/resources/\(made.code.replacing("/", with: "-"))/records?limit=5"
        func count(_ query: String) async throws -> (Int64, String) {
            let answer = try await node.ask("GET", base + query, headers: clerk)
            #expect(answer.status == 200, "\(query): \(answer.text.prefix(300))")
            return (answer.json["count"]?.integer ?? -1, answer.json["count_kind"]?.string ?? "")
        }
        let kind = "&filter=kind%3D%27A%27"
        let casei = "&filter=CASEI(kind)%3DCASEI(%27a%27)"
        #expect(try await count("&count=exact" + kind) == (5000, "exact"))
        #expect(try await count("&count=estimate") == (20_000, "estimate"))
        // Every twentieth row is looked at, which are of one kind where the step is a multiple of four: the sample tells about, not more.
        for query in [kind, casei] {
            let (estimated, told) = try await count("&count=estimate" + query)
            #expect(told == "estimate" && (0...20_000).contains(estimated))
        }
        let days = try await count("&count=estimate&filter=day%20%3C%20DATE(%272026-01-15%27)").0
        #expect((8000...12_000).contains(days), "\(days)")
        #expect(try await count("&bbox=113,36,113.095,36.0505&count=exact").0 == 509)
        let both = try await count("&bbox=113,36,113.095,36.0505&filter=kind%3D%27A%27&count=exact").0
        #expect((100...160).contains(both), "\(both)")
        #expect(try await count("&datetime=2026-01-03&count=exact").0 == 715)
        #expect(try await count("&datetime=2026-01-27/..&count=exact").0 == 1428)
        for wrong in ["&count=some", "&bbox=1,2,3", "&datetime=never", "&bbox=113,36,113.1,36.1&bbox-crs=none"] {
            #expect(try await node.ask("GET", base + wrong, headers: clerk).status == 400, "\(wrong)")
        }
        try await node.close()
    }

    /// Pages of large texts have fewer rows than were asked for and go on where they ended.
    @Test func pagesAreBoundedInBytes() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let text = String(repeating: "路", count: 10_000)
        let made = try await node.resource(
            try PathTests.file("id,note\n" + (1...3000).map { "\($0),\(text)\n" }.joined(), "large.csv"),
            name: "长文本",
            session: clerk
        )
        #expect(made.job["result"]?["good"]?.integer == 3000, "\(made.job.text)")
        let lake = node.node.services.lake
        let caller = try await node.caller("clerk")
        var seen: [Int64] = []
        var cursor: String?
        var pages = 0
        repeat {
            let page = try await node.node.kernel.gate.perform(
                lake.read,
                RecordQuery(made.code, cursor: cursor, limit: 10_000),
                as: caller
            )
            #expect(page.batch.bytes < DecidedQuery.mostBytes + 2000 * 31_000)
            seen += page.ids
            cursor = page.next
            pages += 1
        } while cursor != nil && pages < 20
        #expect(seen == Array(1...3000) && pages == 2, "\(pages)")
        try await node.close()
    }
}
