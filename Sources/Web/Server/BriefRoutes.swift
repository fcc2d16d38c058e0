import NIOHTTP1

/// The routes that are answered where a request arrives, found by the bytes of their paths.
struct BriefRoutes: Sendable {
    private enum Part: Sendable {
        case fixed([UInt8])
        /// Anything but what another route has there.
        case open(name: String, taken: [[UInt8]])
    }

    private final class Entry: Sendable {
        let route: Route
        let parts: [Part]

        init(_ route: Route, _ parts: [Part]) {
            self.route = route
            self.parts = parts
        }
    }

    /// A route that a path fits, and what stands in its open parts.
    struct Match {
        var route: Route
        var parameters: [(name: String, value: String)]
    }

    private var entries: [Entry] = []

    init(_ routes: [Route]) {
        let all = routes.map { (route: $0, parts: $0.path.split(separator: "/").map(String.init)) }
        for (route, parts) in all where route.isBrief {
            let others = all.filter { $0.parts.count == parts.count && $0.route.path != route.path }.map(\.parts)
            let ways = parts.enumerated().map { index, part in
                guard part.hasPrefix("{") else { return Part.fixed(Array(part.utf8)) }
                let taken = Set(others.map { $0[index] }.filter { !$0.hasPrefix("{") })
                return Part.open(name: String(part.dropFirst().dropLast()), taken: taken.map { Array($0.utf8) })
            }
            entries.append(Entry(route, ways))
        }
    }

    /// The route of a request that is a plain GET of HTTP/1.1 without a body, on a connection that stays.
    func match(_ head: HTTPRequestHead) -> Match? {
        guard head.method == .GET, head.version == .http1_1 else { return nil }
        var address = head.uri
        return address.withUTF8 { address in
            let path = address.firstIndex(of: 0x3F) ?? address.count
            for entry in entries {
                let bytes = UnsafeBufferPointer(rebasing: address[..<path])
                guard let parameters = BriefRoutes.parameters(bytes, entry.parts) else { continue }
                if entry.route.isPaged, !BriefRoutes.isOfFew(address[path...]) { return nil }
                return BriefRoutes.isPlain(head.headers) ? Match(route: entry.route, parameters: parameters) : nil
            }
            return nil
        }
    }

    /// What stands in the open parts of a path; nil where it does not fit.
    private static func parameters(
        _ path: UnsafeBufferPointer<UInt8>,
        _ parts: [Part]
    ) -> [(name: String, value: String)]? {
        var parameters: [(name: String, value: String)] = []
        var at = 0
        for part in parts {
            guard at < path.count, path[at] == 0x2F else { return nil }
            at += 1
            switch part {
            case .fixed(let bytes):
                guard path[at...].starts(with: bytes) else { return nil }
                at += bytes.count
            case .open(let name, let taken):
                let end = path[at...].firstIndex(of: 0x2F) ?? path.count
                guard end > at else { return nil }
                let value = path[at..<end]
                guard !taken.contains(where: { $0.count == value.count && value.starts(with: $0) }) else { return nil }
                if parameters.isEmpty { parameters.reserveCapacity(2) }
                parameters.append((name, String(decoding: value, as: UTF8.self)))
                at = end
            }
        }
        return at == path.count ? parameters : nil
    }

    /// Whether a page of at most nine rows as they are now is asked for.
    private static func isOfFew(_ query: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        var isLimited = false
        for part in query.dropFirst().split(separator: 0x26) {
            if part.count == 7, part.starts(with: "limit=".utf8), let digit = part.last {
                isLimited = (0x31...0x39).contains(digit)
            } else if !light.contains(where: { part.starts(with: $0.utf8) }) {
                return false
            }
        }
        return isLimited
    }

    /// What may be asked of a page without its costing more.
    private static let light = ["fields=", "filter=", "sort=", "cursor=", "lang="]

    /// Whether nothing is asked of the connection itself.
    private static func isPlain(_ headers: HTTPHeaders) -> Bool {
        for (name, value) in headers {
            switch name.utf8.count {
            case 6: if isWord(name, "expect") { return false }
            case 7: if isWord(name, "upgrade") { return false }
            case 10: if isWord(name, "connection"), !isWord(value, "keep-alive") { return false }
            case 14: if isWord(name, "content-length") { return false }
            case 17: if isWord(name, "transfer-encoding") { return false }
            default: break
            }
        }
        return true
    }

    /// Whether a text is a word, in whatever case.
    private static func isWord(_ text: String, _ word: StaticString) -> Bool {
        guard text.utf8.count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { word in
            var index = 0
            for byte in text.utf8 {
                guard byte | 0x20 == word[index] | 0x20 else { return false }
                index += 1
            }
            return true
        }
    }
}
