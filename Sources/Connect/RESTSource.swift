import NIOSSL
import NIOHTTPCompression
import AsyncHTTPClient
public import Basics
import Foundation
import NIOCore
import NIOHTTP1

/// Rows that another system gives by HTTP as JSON, page by page.
public struct RESTSource: Sendable {
    /// How the next page is asked for.
    public enum Paging: Sendable, Hashable {
        /// All rows come in one answer.
        case none
        /// By a page's number, from `first`.
        case page(parameter: String, sizeParameter: String, size: Int, first: Int)
        /// By the number of rows to skip.
        case offset(parameter: String, sizeParameter: String, size: Int)
        /// By a mark in the answer, at a path such as `meta.next`.
        case cursor(path: String, parameter: String)
        /// By a `Link: <…>; rel="next"` head (RFC 8288), on the same host.
        case link
    }

    public var address: String
    /// Where the rows stand in an answer: `data.items`; empty where the answer is the array itself.
    public var rowsPath: String
    public var paging: Paging
    /// Heads sent with each request: an `Authorization`, say.
    public var heads: [(String, String)]
    /// The parameter that limits the answer to rows after the last watermark; nil to take everything.
    public var sinceParameter: String?
    /// The largest answer in bytes.
    public var limit: Int
    /// Pauses between tries, in milliseconds.
    var pauses: [Int64] = [500, 2000, 8000]

    static let title = LocalizedText("数据接口", "the interface")
    /// More pages than any source has: one that never ends must not fill the disk.
    static let maximumPages = 100_000

    public init(
        address: String,
        rowsPath: String = "",
        paging: Paging = .none,
        heads: [(String, String)] = [],
        sinceParameter: String? = nil,
        limit: Int = 64 << 20
    ) {
        self.address = address
        self.rowsPath = rowsPath
        self.paging = paging
        self.heads = heads
        self.sinceParameter = sinceParameter
        self.limit = limit
    }

    /// Writes all rows to a file as JSON lines, columns renamed where asked for.
    ///
    /// - Throws: `source.unreachable`, `source.refused`, `source.malformed`, `source.interrupted`, `store.disk`.
    public func fetch(_ request: TableRequest, to path: String) async throws -> Fetched {
        let file = try SpoolFile(path, request.stop)
        var fetched = Fetched(rows: 0, watermark: nil)
        var place = try first(request)
        var seen: Set<Int> = []
        var received = 0
        let end = ContinuousClock.now + .seconds(7200)
        for number in 0..<RESTSource.maximumPages {
            guard ContinuousClock.now < end else { throw Outside.interrupted(RESTSource.title, "2 h") }
            let (answer, head) = try await get(place, isFirst: number == 0)
            if number > 0, answer.isNull { break }
            guard let found = RESTSource.find(rowsPath, answer), let rows = found.array else {
                throw Outside.malformed("“\(rowsPath)”处不是数组", "there is no array at “\(rowsPath)”")
            }
            // The same page again, at once or by turns: the server does not page.
            guard rows.isEmpty || seen.insert(rows.hashValue).inserted else {
                throw Outside.malformed("两页内容相同，分页参数未起作用", "two pages are the same: paging has no effect")
            }
            for row in rows {
                guard row.members != nil else { throw Outside.malformed("行不是对象", "a row is not an object") }
                if let name = request.watermark {
                    guard let mark = RESTSource.find(name, row), !mark.isNull else { continue }
                    let text = mark.string ?? mark.text
                    // What a source gives again is not taken again, whatever it understands by "since".
                    if let after = request.after, !RESTSource.isGreater(text, than: after),
                        !(request.takesEqual && text == after)
                    {
                        continue
                    }
                    if RESTSource.isGreater(text, than: fetched.watermark) { fetched.watermark = text }
                }
                try file.write(Array(RESTSource.named(row, request.columns).text.utf8) + [0x0A])
                fetched.rows += 1
            }
            received += rows.count
            guard let next = try next(place, number, rows.count, received, answer, head) else { break }
            guard number + 1 < RESTSource.maximumPages else {
                throw Outside.malformed("页数过多", "there are too many pages")
            }
            place = next
        }
        try file.finish()
        return fetched
    }

    /// An address that a source may ask: http(s), with no account in it, and not of the link itself, where clouds keep their secrets.
    ///
    /// - Throws: `source.invalid`.
    public static func check(address: String, head: String) throws(Problem) {
        func invalid(_ zh: String, _ en: String) -> Problem {
            Problem("source.invalid", status: 422, zh: "归集来源填写有误：\(zh)。", en: "The source is not right: \(en).")
        }
        let place = URLComponents(string: address)
        guard let place, ["http", "https"].contains(place.scheme ?? ""), let host = place.host?.lowercased(),
            place.user == nil
        else { throw invalid("地址应为 http(s)://…，不含账号", "an address is http(s)://… without an account") }
        let bare = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]."))
        let isOfLink =
            bare.hasPrefix("169.254.") || bare.hasPrefix("fe80:") || bare.hasPrefix("::ffff:169.254.")
            || bare.hasPrefix("fd00:ec2:") || bare == "metadata.google.internal" || UInt32(bare) != nil
            || bare.hasPrefix("0x")
        guard !isOfLink else { throw invalid("不能访问本链路或元数据地址", "addresses of the link itself are not asked") }
        let refused = ["host", "content-length", "transfer-encoding", "connection", "cookie"]
        let isName = head.utf8.allSatisfy {
            (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x2D
        }
        guard isName, !refused.contains(head.lowercased()) else {
            throw invalid("密钥请求头的名称有误", "the head of the secret is not right")
        }
    }

    /// The member names of the first row: shows that the source answers.
    public func columns() async throws -> [String] {
        let (answer, _) = try await get(try first(TableRequest(table: "")))
        guard let rows = RESTSource.find(rowsPath, answer)?.array else {
            throw Outside.malformed("“\(rowsPath)”处不是数组", "there is no array at “\(rowsPath)”")
        }
        return rows.first?.members?.map(\.name) ?? []
    }

    // MARK: Pages

    private func first(_ request: TableRequest) throws -> URLComponents {
        guard var place = URLComponents(string: address), ["http", "https"].contains(place.scheme ?? ""),
            place.host?.isEmpty == false
        else { throw Outside.refused(RESTSource.title, "http(s)://…") }
        switch paging {
        case .page(let parameter, let sizeParameter, let size, let first):
            place.set(parameter, String(first))
            place.set(sizeParameter, String(size))
        case .offset(let parameter, let sizeParameter, let size):
            place.set(parameter, "0")
            place.set(sizeParameter, String(size))
        default: break
        }
        if let sinceParameter, let after = request.after { place.set(sinceParameter, after) }
        return place
    }

    private func next(
        _ place: URLComponents,
        _ number: Int,
        _ count: Int,
        _ received: Int,
        _ answer: JSONValue,
        _ head: HTTPHeaders
    ) throws -> URLComponents? {
        var next = place
        switch paging {
        case .none: return nil
        // A page may be smaller than asked for: a source may have a limit of its own. An empty one is the end.
        case .page(let parameter, _, _, let first):
            if count == 0 { return nil }
            next.set(parameter, String(first + number + 1))
        case .offset(let parameter, _, _):
            if count == 0 { return nil }
            next.set(parameter, String(received))
        case .cursor(let path, let parameter):
            guard let mark = RESTSource.find(path, answer), !mark.isNull, mark != "" else { return nil }
            next.set(parameter, mark.string ?? mark.text)
        case .link:
            guard let address = RESTSource.nextLink(head["link"]) else { return nil }
            guard let given = URLComponents(string: address)?.url(relativeTo: place.url),
                let found = URLComponents(url: given, resolvingAgainstBaseURL: true), found.host == place.host,
                found.port == place.port, found.scheme == place.scheme
            else { throw Outside.malformed("下一页不在同一主机", "the next page lies on another host") }
            next = found
        }
        return next
    }

    /// The bytes of the first page as they are.
    func bytes(accept: String) async throws -> [UInt8] {
        try await get(address, isFirst: true, accept: accept).1 ?? []
    }

    private func get(_ place: URLComponents, isFirst: Bool = true) async throws -> (JSONValue, HTTPHeaders) {
        let (head, body) = try await get(place.string ?? address, isFirst: isFirst, accept: "application/json")
        // Some sources answer so behind their last page.
        guard let body else { return (.null, head) }
        guard let answer = try? JSONValue(body) else { throw Outside.malformed("不是 JSON", "it is not JSON") }
        return (answer, head)
    }

    /// One page, tried again; nil where there is none behind the last.
    private func get(_ address: String, isFirst: Bool, accept: String) async throws -> (HTTPHeaders, [UInt8]?) {
        var fault: any Error = Outside.interrupted(RESTSource.title)
        for (index, pause) in ([0] + pauses).enumerated() {
            if pause > 0 { try await Task.sleep(for: .milliseconds(pause)) }
            do {
                var request = HTTPClientRequest(url: address)
                request.headers.add(name: "accept", value: accept)
                request.headers.add(name: "user-agent", value: "Tongqu")
                for (name, value) in heads { request.headers.replaceOrAdd(name: name, value: value) }
                let (response, body) = try await exchange(request)
                if response.status.code == 429 || response.status.code >= 500, index < pauses.count {
                    fault = Outside.interrupted(RESTSource.title, "HTTP \(response.status.code)")
                    continue
                }
                if response.status.code == 404, !isFirst { return (response.headers, nil) }
                guard response.status.code == 200 else {
                    throw Outside.refused(RESTSource.title, "HTTP \(response.status.code)")
                }
                return (response.headers, body)
            } catch let problem as Problem {
                throw problem
            } catch is CancellationError {
                throw CancellationError()
            } catch is NIOTooManyBytesError {
                throw Outside.malformed("一页超过大小上限", "a page is too large")
            } catch {
                // Which kind of fault it was; an address in its text could hold a key.
                fault = Outside.unreachable(RESTSource.title, String(describing: type(of: error)))
            }
        }
        throw fault
    }

    /// One request and its whole answer, within two minutes however slowly it comes.
    private func exchange(_ request: HTTPClientRequest) async throws -> (HTTPClientResponse, [UInt8]) {
        try await withThrowingTaskGroup(of: (HTTPClientResponse, [UInt8]).self) { group in
            let limit = limit
            group.addTask {
                let response = try await RESTSource.client.execute(request, timeout: .seconds(60))
                let body = try await response.body.collect(upTo: limit)
                return (response, Array(body.readableBytesView))
            }
            group.addTask {
                try await Task.sleep(for: .seconds(120))
                throw Outside.interrupted(RESTSource.title, "120 s")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    private static let client: HTTPClient = {
        var settings = HTTPClient.Configuration(certificateVerification: .fullVerification)
        settings.timeout.connect = .seconds(15)
        settings.timeout.read = .seconds(60)
        settings.connectionPool.retryConnectionEstablishment = false
        settings.redirectConfiguration = .disallow
        settings.decompression = .enabled(limit: .size(256 << 20))
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }()

    // MARK: Answers

    /// The value at a path of names with points between them.
    static func find(_ path: String, _ value: JSONValue) -> JSONValue? {
        var found = value
        for name in path.split(separator: ".") {
            guard let next = found[String(name)] else { return nil }
            found = next
        }
        return found
    }

    static func named(_ row: JSONValue, _ columns: [(source: String, name: String)]) -> JSONValue {
        columns.isEmpty ? row : .object(columns.map { .init($0.name, find($0.source, row) ?? .null) })
    }

    /// Numbers by their size, anything else (times in ISO form) by its text.
    static func isGreater(_ value: String, than known: String?) -> Bool {
        guard let known else { return true }
        if let a = Double(value), let b = Double(known) { return a > b }
        return value > known
    }

    static func nextLink(_ heads: [String]) -> String? {
        for part in heads.flatMap({ $0.split(separator: ",") }) where part.contains("rel=\"next\"") {
            guard let open = part.firstIndex(of: "<"), let close = part.firstIndex(of: ">"), open < close else {
                continue
            }
            return String(part[part.index(after: open)..<close])
        }
        return nil
    }
}

extension URLComponents {
    mutating func set(_ name: String, _ value: String) {
        guard !name.isEmpty else { return }
        var items = queryItems ?? []
        items.removeAll { $0.name == name }
        items.append(URLQueryItem(name: name, value: value))
        queryItems = items
        // A plus in a value is a space to many servers: an ISO time carries one.
        percentEncodedQuery = percentEncodedQuery?.replacing("+", with: "%2B")
    }
}
