import Basics
import Composition
import Foundation
import Glibc
import Hummingbird
import HummingbirdTesting
import Kernel
import Logging
import Store
import Synchronization
import TestKit
import Testing

@testable import Lake
@testable import Web

/// Work ends when whoever asked for it has gone.
@Suite struct DepartureTests {
    /// How long something takes that is cancelled after a while, from then on.
    private func ending(
        after pause: Duration = .milliseconds(300),
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> Duration {
        let task = Task { try await body() }
        try await Task.sleep(for: pause)
        let start = ContinuousClock.now
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        return .now - start
    }

    @Test func aStatementUnderWayIsStopped() async throws {
        let node = try await TestNode()
        let lake = node.node.kernel.databases.lake
        let endless =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
        for _ in 0..<3 {
            let taken = try await ending { _ = try await lake.read { db in try db.rows(endless) } }
            #expect(taken < .seconds(5), "\(taken)")
            // The connections that are there answer others.
            try await withThrowingTaskGroup(of: Int64?.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        try await lake.read { db in try db.row("SELECT CAST(\(number) AS BIGINT)")?.integer(0) }
                    }
                }
                var sum: Int64 = 0
                for try await found in group { sum += found ?? -100 }
                #expect(sum == 28)
            }
        }
        // One that was given up before it began never begins.
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            _ = try await lake.read { db in try db.rows(endless) }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await node.close()
    }

    @Test func whoGaveUpWaitsForNoTurn() async throws {
        let turns = Turns(1)
        let isOver = Atomic(false)
        let first = Task {
            try await turns.taking {
                while !isOver.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(5)) }
            }
        }
        try await Task.sleep(for: .milliseconds(50))
        let taken = try await ending(after: .milliseconds(50)) { try await turns.taking {} }
        #expect(taken < .seconds(5), "\(taken)")
        isOver.store(true, ordering: .relaxed)
        try await first.value
        #expect(try await turns.taking { 7 } == 7)
    }

    @Test func piecesEndWithTheirAudience() async throws {
        let running = RunningRequests(patience: .seconds(1))
        let client = NSObject()
        let audience = running.audience(ObjectIdentifier(client))
        #expect(try await audience.making { 1 } == 1)
        // However long it takes.
        running.sweep(now: .now + .seconds(100))
        #expect(try await audience.making { 2 } == 2)
        let piece = Task { try await audience.making { try await Task.sleep(for: .seconds(60)) } }
        try await Task.sleep(for: .milliseconds(50))
        running.left(ObjectIdentifier(client))
        await #expect(throws: CancellationError.self) { try await piece.value }
        await #expect(throws: CancellationError.self) {
            try await audience.making { try await Task.sleep(for: .seconds(60)) }
        }
        #expect(running.count == 1)
    }

    /// Readings that go through many rows by what only memory decides, asked for over a connection that is closed soon.
    @Test func longReadingsEndWithTheirConnection() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let text = String(repeating: "路", count: 30)
        let made = try await node.resource(
            try PathTests.file("id,note\n" + (1...200_000).map { "\($0),\(text)\($0)\n" }.joined(), "long.csv"),
            name: "长文本",
            session: clerk
        )
        #expect(made.job["result"]?["good"]?.integer == 200_000, "\(made.job.text)")
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let web = WebApplication(services: node.node.services, logger: logger)
        let application = Application(
            responder: web.responder(),
            server: web.server(),
            configuration: .init(address: .hostname("127.0.0.1", port: 0), serverName: "tongqu"),
            logger: logger
        )
        // Nothing fits, and to see it each text is folded again and again.
        let folded = (0..<4).map { "accenti(casei(note)) = 'x\($0)'" }.joined(separator: " OR ")
        let filter = "filter=" + (folded.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        let base = "/api/v1/resources/\(made.code.replacing("/", with: "-"))"
        let cookie = clerk["cookie"] ?? ""
        try await application.test(.live) { client in
            let port = try #require(client.port)
            for path in ["/records.csv?", "/records.json?", "/records?limit=5&", "/aggregate?measure=count&"] {
                let socket = try Self.ask(port, base + path + filter, cookie)
                // It is under way, and would be for long.
                var tries = 0
                while web.running.count == 0, tries < 500 {
                    try await Task.sleep(for: .milliseconds(10))
                    tries += 1
                }
                try await Task.sleep(for: .milliseconds(200))
                #expect(web.running.count == 1, "\(path)")
                close(socket)
                let start = ContinuousClock.now
                while web.running.count > 0, .now - start < .seconds(20) {
                    try await Task.sleep(for: .milliseconds(5))
                }
                // A machine that does much else at the same time makes a batch last longer.
                #expect(.now - start < .seconds(4), "\(path): \(.now - start)")
            }
        }
        try await node.close()
    }

    /// Sends a request and reads nothing.
    private static func ask(_ port: Int, _ path: String, _ cookie: String) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) == 0 }
        }
        try #require(isConnected)
        let head = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nCookie: \(cookie)\r\n\r\n"
        _ = Array(head.utf8).withUnsafeBytes { write(socket, $0.baseAddress, $0.count) }
        return socket
    }
}
