import Basics
import Composition
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Kernel
import Logging
import NIOCore
import NIOHTTP1
import TestKit
import Testing

@testable import Web

/// What is answered on the connection's event loop is answered as everything else is.
@Suite struct BriefTests {
    @Test func onlyPlainReadingsOfBriefRoutesAreTaken() throws {
        func handled(_ path: String) -> Route {
            Route(.get, path, .nothing, zh: "", en: "") { _ in Response(status: .ok) }
        }
        let routes = BriefRoutes(
            [
                "/assets/{name}", "/api/v1/resources/{code}", "/api/v1/resources/mine",
                "/api/v1/resources/{code}/records", "/ogc/collections/{code}/items/{feature}", "/console",
            ].map(handled)
        )
        func match(_ uri: String, _ headers: [(String, String)] = [], _ method: HTTPMethod = .GET) -> [String]? {
            let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: .init(headers))
            return routes.match(head).map { [$0.route.path] + $0.parameters.map { "\($0.name)=\($0.value)" } }
        }
        #expect(
            match("/ogc/collections/a-1/items/%E4%B8%80?lang=en")
                == ["/ogc/collections/{code}/items/{feature}", "code=a-1", "feature=%E4%B8%80"]
        )
        #expect(match("/assets/site.css", [("Connection", "Keep-Alive")]) == ["/assets/{name}", "name=site.css"])
        #expect(match("/api/v1/resources/one") != nil)
        // Another route's word, another method, another version of the path.
        for uri in ["/api/v1/resources/mine", "/console", "/assets/", "/assets", "/assets//a", "/assets/a/", "*", ""] {
            #expect(match(uri) == nil, "\(uri)")
        }
        #expect(match("/assets/site.css", [], .HEAD) == nil)
        // What is asked of the connection is Hummingbird's.
        for (name, value) in [
            ("Connection", "close"), ("expect", "100-continue"), ("Upgrade", "h2c"), ("Content-Length", "3"),
            ("Transfer-Encoding", "chunked"),
        ] { #expect(match("/assets/site.css", [(name, value)]) == nil, "\(name)") }
        // Pages of a few rows as they are now.
        let records = "/api/v1/resources/one/records"
        for query in ["?limit=1", "?filter=a%3D1&limit=9", "?limit=5&cursor=5b315d"] {
            #expect(match(records + query) != nil, "\(query)")
        }
        for query in ["", "?limit=0", "?limit=10", "?limit=1&limit=1000", "?limit=1&version=2", "?limit=1&count=exact"]
        {
            #expect(match(records + query) == nil, "\(query)")
        }
    }

    @Test func answersAreTheSameOverAConnection() async throws {
        let node = try await TestNode(demonstration: true)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let web = WebApplication(services: node.node.services, logger: logger)
        let application = Application(
            responder: web.responder(),
            server: web.server(),
            configuration: .init(address: .hostname("127.0.0.1", port: 0), serverName: "tongqu"),
            logger: logger
        )
        let listed = try await node.ask("GET", "/ogc/collections")
        let code = try #require(
            listed.json["collections"]?.array?.compactMap { $0["id"]?.string }.first { $0 != "catalogue" }
        )
        let page = try await node.ask("GET", "/ogc/collections/\(code)/items?limit=1")
        let key = try #require(page.json["features"]?.array?.first?["id"]?.string)
        let counted = web.metrics.snapshot.requests.values.reduce(0, +)
        try await application.test(.live) { client in
            for path in [
                "/ogc/collections/\(code)/items/\(key)", "/ogc/collections/\(code)/items/\(key)?crs=nothing",
                "/ogc/collections/\(code)/items/none", "/assets/site.css", "/assets/none",
                "/api/v1/resources/\(code)/records?limit=1",
            ] {
                let plain = try await node.ask("GET", path)
                try await client.execute(uri: path, method: .get) { answer in
                    #expect(answer.status.code == plain.status, "\(path)")
                    let body = String(buffer: answer.body)
                    let host = "http://localhost"
                    #expect(body.count > 0 && (body == plain.text || body.contains(host)), "\(path)")
                    for name in ["Content-Security-Policy", "ETag", "Vary", "Access-Control-Allow-Origin"] {
                        let field = try #require(HTTPField.Name(name))
                        #expect(
                            answer.headers[field] == plain.headers[name.lowercased()] ?? plain.headers[name],
                            "\(path) \(name)"
                        )
                    }
                    #expect(answer.headers[.contentLength] == String(answer.body.readableBytes), "\(path)")
                    #expect(answer.headers[.server] == "tongqu" && answer.headers[.date]?.hasSuffix(" GMT") == true)
                }
                // HEAD goes the other way, and says the same.
                try await client.execute(uri: path, method: .head) { answer in
                    #expect(answer.status.code == plain.status && answer.body.readableBytes == 0, "\(path)")
                }
            }
            // A form that is not one piece.
            try await client.execute(uri: "/assets/site.css", method: .get, headers: [.acceptEncoding: "gzip"]) {
                answer in
                #expect(answer.status == .ok && answer.headers[.contentEncoding] == "gzip")
                #expect(Array(answer.body.readableBytesView.prefix(2)) == [0x1F, 0x8B])
            }
            // The mark of a page is known again.
            let few = "/api/v1/resources/\(code)/records?limit=1"
            let tag = try await client.execute(uri: few, method: .get) { $0.headers[.eTag] }
            try await client.execute(uri: few, method: .get, headers: [.ifNoneMatch: tag ?? ""]) { answer in
                #expect(answer.status == .notModified && answer.body.readableBytes == 0)
            }
            // Many at once.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        try await client.execute(uri: "/ogc/collections/\(code)/items/\(key)", method: .get) {
                            #expect($0.status == .ok)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(web.metrics.snapshot.requests.values.reduce(0, +) > counted + 60)
        try await node.close()
    }

    @Test func aReadingThatWaitsEndsInTime() async throws {
        let running = RunningRequests(patience: .seconds(30))
        let client = NSObject()
        // One that is over at once is not kept.
        let quick = RunningRequests.Ticket()
        _ = try await running.run(quick) { Response(status: .ok) }
        running.enter(quick, by: nil) { Issue.record("cancelled") }
        running.sweep(now: .now + .seconds(60))
        // One that waits ends when its time is over, or when whoever asked has gone.
        for isLate in [true, false] {
            let ticket = RunningRequests.Ticket()
            let task = Task.immediate {
                do {
                    _ = try await running.run(ticket) {
                        try await Task.sleep(for: .seconds(60))
                        return Response(status: .ok)
                    }
                    return "done"
                } catch let problem as Problem { return problem.code } catch { return "\(type(of: error))" }
            }
            running.enter(ticket, by: ObjectIdentifier(client)) { task.cancel() }
            if isLate { running.sweep(now: .now + .seconds(31)) } else { running.left(ObjectIdentifier(client)) }
            #expect(await task.value == (isLate ? "request.timeout" : "CancellationError"))
        }
    }

    @Test func theDateIsAsTheStandardHasIt() {
        #expect(BriefServer.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
