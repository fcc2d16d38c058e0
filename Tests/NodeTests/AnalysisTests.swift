import Basics
import CQL
import CZstd
import Foundation
@testable import Lake
import Kernel
import Tabular
import TestKit
import Testing
@testable import Web

/// Versions, differences, aggregates, tiles, and what is asked conditionally, against rows known beforehand.
@Suite struct AnalysisTests {
    private static func csv(_ rows: some Sequence<Int>, price: (Int) -> String) -> String {
        "id,kind,day,price,place\n"
            + rows.map { id in
                let day = CivilTime.date(CivilTime.days(year: 2026, month: 1, day: 1) + Int32(id % 400))
                let place = id % 10 == 0 ? "" : "\(113 + Double(id % 50) / 100) \(36 + Double(id / 50) / 100)"
                return "\(id),\(["客车", "货车", "其他"][id % 3]),\(day),\(price(id)),\(place)"
            }.joined(separator: "\n") + "\n"
    }

    private static func schema(_ json: JSONValue) -> JSONValue {
        guard var schema = try? TableSchema.read(json) else { return json }
        schema.key = ["id"]
        for index in schema.fields.indices {
            schema.fields[index].codes = []
            if schema.fields[index].name == "place" { schema.fields[index].type = .point }
            if schema.fields[index].name == "price" { schema.fields[index].type = .decimal }
        }
        return TableSchema.write(schema)
    }

    private func made(_ node: TestNode, _ clerk: [String: String]) async throws -> String {
        let text = Self.csv(1...600) { $0 % 7 == 0 ? "" : "\($0 % 90).25" }
        let made = try await node.resource(
            try PathTests.file(text, "rows.csv"),
            name: "价格",
            session: clerk,
            change: Self.schema
        )
        #expect(made.job["result"]?["good"]?.integer == 600, "\(made.job.text)")
        return made.code.replacing("/", with: "-")
    }

    @Test func versionsStayAndTellTheirDifferences() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let id = try await made(node, clerk)
        let base = "/api/v1/resources/\(id)"
        // 1–20 removed, 601–610 added, every hundredth changed.
        let next = Self.csv(21...610) { $0 % 100 == 0 ? "999.99" : $0 % 7 == 0 ? "" : "\($0 % 90).25" }
        let upload = try await node.upload("next.csv", Array(next.utf8), session: clerk)
        #expect(try await node.load(upload, into: id, mode: "replace", session: clerk)["state"]?.string == "done")
        let versions = try await node.ask("GET", base + "/data-versions", headers: clerk).json["versions"]?.array ?? []
        #expect(versions.count == 2 && versions[0]["current"]?.boolean == true && versions[1]["rows"]?.integer == 600)
        let (new, old) = (versions[0]["version"]?.integer ?? 0, versions[1]["version"]?.integer ?? 0)
        // An upsert changes the rows and no version.
        let change = try await node.upload("change.csv", Array(Self.csv(21...21) { _ in "1.00" }.utf8), session: clerk)
        #expect(try await node.load(change, into: id, mode: "upsert", session: clerk)["state"]?.string == "done")
        func ids(_ query: String) async throws -> [Int64] {
            let page = try await node.ask("GET", "\(base)/records?\(query)", headers: clerk).json
            return (page["records"]?.array ?? []).compactMap { $0["id"]?.integer }
        }
        #expect(try await ids("version=\(old)&limit=1000") == Array(1...600))
        #expect(try await ids("version=\(new)&limit=3&offset=2") == [23, 24, 25])
        #expect(try await ids("version=\(old)&filter=id%3C6%20AND%20kind%3D%27%E8%B4%A7%E8%BD%A6%27") == [1, 4])
        let first = try await node.ask("GET", "\(base)/records?version=\(old)&limit=400&count=exact", headers: clerk)
            .json
        #expect(first["count"]?.integer == 600)
        #expect(try await ids("version=\(old)&limit=400&cursor=\(first["next"]?.string ?? "")") == Array(401...600))
        let file = try await node.ask("GET", "\(base)/records.csv?version=\(old)", headers: clerk)
        #expect(file.text.split(separator: "\n").count == 601)
        #expect(try await node.ask("GET", "\(base)/records?version=999", headers: clerk).status == 404)
        #expect(try await node.ask("GET", "\(base)/records?version=x", headers: clerk).status == 400)
        #expect(try await node.ask("GET", "\(base)/records?version=\(old)&sort=id", headers: clerk).status == 400)
        #expect(try await node.ask("GET", "\(base)/records?version=\(old)").status >= 401, "the public sees no version")

        let told = try await node.ask("GET", "\(base)/difference?from=\(old)&to=\(new)", headers: clerk).json
        #expect(told["added"]?.integer == 10 && told["removed"]?.integer == 20 && told["changed"]?.integer == 6)
        let changed = (told["changes"]?.array ?? []).filter { $0["change"]?.string == "changed" }
        #expect(Set(changed.compactMap { $0["after"]?["id"]?.integer }) == [100, 200, 300, 400, 500, 600])
        #expect(changed.allSatisfy { $0["after"]?["price"]?.real == 999.99 && $0["before"]?["price"]?.real != 999.99 })
        let lines = try await node.ask("GET", "\(base)/difference?from=\(old)&to=\(new)&f=csv", headers: clerk)
        let count = lines.text.split(separator: "\n").count
        #expect(count == 43)
        let same = try await node.ask("GET", "\(base)/difference?from=\(new)&to=\(new)", headers: clerk).json
        #expect(same["changes"]?.array?.isEmpty == true && same["added"]?.integer == 0)
        #expect(try await node.ask("GET", "\(base)/difference?from=\(new)", headers: clerk).status == 400)
        try await node.close()
    }

    /// One masking policy on every outlet: what is masked comes masked, or not at all.
    @Test func masksHoldOnEveryOutlet() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let text = "编号,手机号,place\n" + (1...30).map { "\($0),138000011\($0 + 10),113.\($0) 36.1\n" }.joined()
        let made = try await node.resource(try PathTests.file(text, "phones.csv"), name: "联系人", session: clerk) {
            json in
            guard var schema = try? TableSchema.read(json) else { return json }
            schema.key = ["编号"]
            for index in schema.fields.indices where schema.fields[index].name == "place" {
                schema.fields[index].type = .point
            }
            return TableSchema.write(schema)
        }
        let base = "/api/v1/resources/\(made.code.replacing("/", with: "-"))"
        let steward = try await node.session("steward")
        let name = "%E6%89%8B%E6%9C%BA%E5%8F%B7"
        let version =
            try await node.ask("GET", base + "/data-versions", headers: clerk).json["versions"]?.array?[0]["version"]?
            .integer ?? 0
        for path in [
            "/tiles/6/52/25.mvt?fields=\(name)", "/records", "/records.csv", "/records?version=\(version)",
            "/package.zip",
            "/records.csv?version=\(version)", "/records.csv?plain=true", "/difference?from=\(version)&to=\(version)",
            "/aggregate?group=\(name)", "/records?fields=\(name)&offset=2", "/schema.json", "/datapackage.json",
        ] {
            let own = try await node.ask("GET", base + path, headers: clerk)
            #expect(own.status == 200, "\(path)")
            if path.contains("/tiles") { #expect(own.text.contains("13800001111"), "\(path)") }
            let shown = try await node.ask("GET", base + path, headers: steward)
            #expect(shown.status < 500 && !shown.text.contains("138000011"), "\(path): \(shown.text.prefix(300))")
        }
        // Asked about and grouped as they are seen.
        func ask(_ path: String, _ filter: String) async throws -> TestNode.Answer {
            let text = filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            return try await node.ask("GET", "\(base)\(path)filter=\(text)", headers: steward)
        }
        let groups = try await ask("/aggregate?group=\(name)&measure=count,distinct(\(name))&", "").json["groups"]?
            .array
        #expect(groups?.count == 30 && groups?[0]["手机号"]?.string == "138****1111", "\(groups ?? [])")
        for version in ["", "version=\(version)&"] {
            let found = try await ask("/records?\(version)", "mask('phone', 手机号) = '138****1117' OR 编号 = '2'")
            #expect(
                found.json["records"]?.array?.compactMap { $0["编号"]?.text.filter(\.isNumber) } == ["2", "7"],
                "\(found.text)"
            )
            for guess in [
                "手机号 = '13800001117'", "mask('phone', 手机号) = '138****1117' AND 手机号 LIKE '1380%'",
                "mask('bank_card', 手机号) = '138000*1117'", "mask('phone', casei(手机号)) = '138****1117'",
            ] {
                let refused = try await ask("/records?\(version)", guess)
                #expect(refused.status == 403 && refused.json["code"]?.string == "query.masked", "\(guess)")
            }
        }
        try await node.close()
    }

    @Test func oldVersionsGoWhereANumberIsKept() async throws {
        let node = try await TestNode(demonstration: true, keptVersions: 2)
        let clerk = try await node.session("clerk")
        let id = try await made(node, clerk)
        for price in ["1.00", "2.00", "3.00"] {
            let upload = try await node.upload("v.csv", Array(Self.csv(1...5) { _ in price }.utf8), session: clerk)
            #expect(try await node.load(upload, into: id, mode: "replace", session: clerk)["state"]?.string == "done")
        }
        let versions = try await node.ask("GET", "/api/v1/resources/\(id)/data-versions", headers: clerk).json[
            "versions"
        ]
        #expect(versions?.array?.count == 2 && versions?.array?[0]["current"]?.boolean == true)
        try await node.close()
    }

    @Test func aggregatesAreThoseOfTheRows() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let id = try await made(node, clerk)
        func ask(_ query: String) async throws -> JSONValue {
            let encoded =
                query.addingPercentEncoding(
                    withAllowedCharacters: .urlQueryAllowed.subtracting(.init(charactersIn: "+"))
                ) ?? ""
            return try await node.ask("GET", "/api/v1/resources/\(id)/aggregate?\(encoded)", headers: clerk).json
        }
        let prices = (1...600).filter { $0 % 7 != 0 }.map { ($0, Double($0 % 90) + 0.25) }
        let whole = try await ask(
            "measure=count,count,sum(price),mean(price),min(price),max(price),p50(price),distinct(kind)"
        )
        let line = try #require(whole["groups"]?.array?.first)
        #expect(whole["rows"]?.integer == 600 && whole["group_count"]?.integer == 1, "\(whole.text)")
        #expect(line["count"]?.integer == 600 && line["distinct_kind"]?.integer == 3)
        let sum = prices.map(\.1).reduce(0, +)
        #expect(abs((line["sum_price"]?.real ?? 0) - sum) < 1e-6)
        #expect(abs((line["mean_price"]?.real ?? 0) - sum / Double(prices.count)) < 1e-9)
        #expect(line["min_price"]?.real == 0.25 && line["max_price"]?.real == 89.25)
        let sorted = prices.map(\.1).sorted()
        let middle = Double(sorted.count - 1) / 2
        let median = (sorted[Int(middle.rounded(.down))] + sorted[Int(middle.rounded(.up))]) / 2
        #expect(abs((line["p50_price"]?.real ?? 0) - median) < 1e-9)

        let groups = try await ask("group=kind,month(day)&measure=count,sum(price)&filter=id > 100&sort=-count&limit=5")
        var counts: [String: Int] = [:]
        for row in 101...600 {
            let day = CivilTime.date(CivilTime.days(year: 2026, month: 1, day: 1) + Int32(row % 400))
            counts["\(["客车", "货车", "其他"][row % 3]) \(day.prefix(7))", default: 0] += 1
        }
        #expect(groups["group_count"]?.integer == Int64(counts.count) && groups["groups"]?.array?.count == 5)
        let told = (groups["groups"]?.array ?? []).map {
            ("\($0["kind"]?.string ?? "") \($0["day_month"]?.string ?? "")", Int($0["count"]?.integer ?? 0))
        }
        #expect(
            told.allSatisfy { counts[$0.0] == $0.1 }
                && told.map(\.1) == counts.values.sorted(by: >).prefix(5).map { $0 }
        )
        // A filter that only memory decides gives the same.
        let folded = try await ask("group=kind&filter=casei(kind) = '客车' AND id <= 300")
        #expect(folded["groups"]?.array?.count == 1 && folded["groups"]?.array?[0]["count"]?.integer == 100)
        for (step, name) in [("year", "2026"), ("quarter", "2026-Q1"), ("week", "2025-12-29"), ("day", "2026-01-01")] {
            let first = try await ask("group=\(step)(day)&filter=day < DATE('2026-01-03')")["groups"]?.array?.first
            #expect(first?["day_\(step)"]?.string == name, "\(step) \(first?.text ?? "")")
        }
        for wrong in [
            "measure=sum(kind)", "measure=median(price)", "group=hour(day)", "group=nothing", "sort=x", "filter=x >",
        ] {
            #expect(try await ask(wrong)["code"]?.string != nil, "\(wrong)")
        }
        // What changed is counted anew.
        let upload = try await node.upload("more.csv", Array(Self.csv(700...701) { _ in "5.00" }.utf8), session: clerk)
        #expect(try await node.load(upload, into: id, mode: "append", session: clerk)["state"]?.string == "done")
        #expect(try await ask("measure=count")["groups"]?.array?[0]["count"]?.integer == 602)
        try await node.close()
    }

    @Test func whatTheClientHasIsNotSentAgain() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let id = try await made(node, clerk)
        let base = "/api/v1/resources/\(id)"
        for path in [
            "\(base)/records?limit=3", "\(base)/records.csv", "\(base)/records.json", "\(base)/aggregate?group=kind",
            "\(base)/tiles/6/52/25.mvt?fields=kind", "\(base)/package.zip",
        ] {
            let answer = try await node.ask("GET", path, headers: clerk)
            let mark = try #require(answer.headers["etag"], "\(path)")
            #expect(answer.status == 200 && !answer.body.isEmpty)
            for known in [mark, "W/\(mark)", "\"other\", \(mark)", mark.dropLast() + "-gzip\"", "*"] {
                let again = try await node.ask(
                    "GET",
                    path,
                    headers: clerk.merging(["if-none-match": String(known)]) { $1 }
                )
                #expect(again.status == 304 && again.body.isEmpty, "\(path) \(known)")
            }
            let other = try await node.ask("GET", path, headers: clerk.merging(["if-none-match": "\"other\""]) { $1 })
            #expect(other.status == 200 && other.headers["etag"] == mark)
            #expect(try await node.ask("GET", path, headers: ["if-none-match": mark]).status >= 401)
        }
        // Packed forms are the same bytes, and ranges parts of them.
        let whole = try await node.ask("GET", base + "/records.csv", headers: clerk)
        for (coding, unpack) in [("gzip", AnalysisTests.gunzip), ("zstd", AnalysisTests.unzstd)] {
            let packed = try await node.ask(
                "GET",
                base + "/records.csv",
                headers: clerk.merging(["accept-encoding": coding]) { $1 }
            )
            #expect(packed.headers["content-encoding"] == coding && packed.body.count < whole.body.count)
            #expect(unpack(packed.body, whole.body.count) == whole.body, "\(coding)")
            #expect(packed.headers["etag"] == whole.headers["etag"].map { $0.dropLast() + "-\(coding)\"" })
        }
        let size = whole.body.count
        for (range, part) in [("0-9", 0..<10), ("100-", 100..<size), ("-7", size - 7..<size), ("5-99999999", 5..<size)]
        {
            let answer = try await node.ask(
                "GET",
                base + "/records.csv",
                headers: clerk.merging(["range": "bytes=\(range)"]) { $1 }
            )
            #expect(answer.status == 206 && answer.body == Array(whole.body[part]), "\(range)")
            #expect(answer.headers["content-range"] == "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)")
        }
        let beyond = try await node.ask(
            "GET",
            base + "/records.csv",
            headers: clerk.merging(["range": "bytes=\(size)-"]) { $1 }
        )
        #expect(beyond.status == 416)
        for headers in [
            ["range": "bytes=0-9", "if-range": "\"older\""], ["range": "bytes=0-1,3-4"], ["range": "lines=1-2"],
        ] {
            #expect(
                try await node.ask("GET", base + "/records.csv", headers: clerk.merging(headers) { $1 }).body
                    == whole.body
            )
        }
        // After a change the marks are others.
        let mark = whole.headers["etag"] ?? ""
        let upload = try await node.upload("more.csv", Array(Self.csv(700...701) { _ in "5.00" }.utf8), session: clerk)
        #expect(try await node.load(upload, into: id, mode: "append", session: clerk)["state"]?.string == "done")
        let fresh = try await node.ask(
            "GET",
            base + "/records.csv",
            headers: clerk.merging(["if-none-match": mark]) { $1 }
        )
        #expect(fresh.status == 200 && fresh.headers["etag"] != mark)
        try await node.close()
    }

    private static func gunzip(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
        let path = FileManager.default.temporaryDirectory.appending(path: "tongqu-\(UUID().uuidString).gz")
        defer { try? FileManager.default.removeItem(at: path) }
        guard (try? Data(bytes).write(to: path)) != nil, let source = try? GzipSource(FileSource(path: path.path))
        else { return [] }
        var out = [UInt8](repeating: 0, count: size + 1)
        var at = 0
        while let got = try? out.withUnsafeMutableBytes({
            try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[at...]))
        }), got > 0 { at += got }
        return Array(out[..<at])
    }

    private static func unzstd(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: size + 1)
        // Streams say no size: the frames are unpacked one after the other.
        let context = ZSTD_createDCtx()
        defer { ZSTD_freeDCtx(context) }
        return bytes.withUnsafeBytes { source in
            out.withUnsafeMutableBytes { target in
                var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                while input.pos < input.size, ZSTD_isError(ZSTD_decompressStream(context, &output, &input)) == 0 {}
                return Array(target[..<output.pos])
            }
        }
    }

    @Test func whoAsksTooOftenWaits() {
        let limiter = RateLimiter(limit: 60)
        let start = ContinuousClock.now
        for _ in 0..<60 { #expect(limiter.ask("a", now: start).isAllowed) }
        let refused = limiter.ask("a", now: start)
        #expect(!refused.isAllowed && refused.left == 0 && refused.seconds == 1)
        #expect(limiter.ask("b", now: start).left == 59, "others are not concerned")
        #expect(limiter.ask("a", now: start + .seconds(2)).isAllowed)
        #expect(limiter.ask("a", now: start + .seconds(2)).isAllowed)
        #expect(!limiter.ask("a", now: start + .seconds(2)).isAllowed)
        #expect(limiter.ask("a", now: start + .seconds(600)).left == 59)
    }
}
