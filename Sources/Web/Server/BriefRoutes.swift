import NIOHTTP1

/// The routes that are answered where a request arrives, found by the parts of their paths.
struct BriefRoutes: Sendable {
    private struct Entry: Sendable {
        var route: Route
        /// The parts of the path; nil where anything may stand.
        var parts: [String?]
        /// The names of what stands there.
        var names: [String]
        /// What another route has where this one takes anything.
        var taken: [Int: Set<String>]
    }

    /// A route that a path fits, and what stands in its open parts.
    struct Match {
        var route: Route
        var parameters: [(name: String, value: Substring)]
    }

    private var entries: [Entry] = []

    init(_ routes: [Route]) {
        let all = routes.map { ($0, BriefRoutes.parts($0.path)) }
        for (route, parts) in all where route.isBrief {
            var entry = Entry(route: route, parts: [], names: [], taken: [:])
            for (index, part) in parts.enumerated() {
                guard part.hasPrefix("{") else {
                    entry.parts.append(part)
                    continue
                }
                entry.parts.append(nil)
                entry.names.append(String(part.dropFirst().dropLast()))
                let others = all.filter { $0.1.count == parts.count && $0.0.path != route.path }.map { $0.1[index] }
                entry.taken[index] = Set(others.filter { !$0.hasPrefix("{") })
            }
            entries.append(entry)
        }
    }

    private static func parts(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

    /// The route of a request that is a plain GET of HTTP/1.1 without a body, on a connection that stays.
    func match(_ head: HTTPRequestHead) -> Match? {
        guard head.method == .GET, head.version == .http1_1, head.uri.utf8.first == 0x2F else { return nil }
        var parts: [Substring] = []
        var start = head.uri.startIndex
        var at = start
        let text = head.uri.utf8
        while at != text.endIndex, text[at] != 0x3F {
            if text[at] == 0x2F {
                if start != at { parts.append(head.uri[start..<at]) }
                start = text.index(after: at)
            }
            at = text.index(after: at)
        }
        if start != at { parts.append(head.uri[start..<at]) }
        for entry in entries where entry.parts.count == parts.count {
            guard let parameters = BriefRoutes.parameters(parts, entry), BriefRoutes.isPlain(head.headers) else {
                continue
            }
            return Match(route: entry.route, parameters: parameters)
        }
        return nil
    }

    private static func parameters(_ parts: [Substring], _ entry: Entry) -> [(name: String, value: Substring)]? {
        var parameters: [(name: String, value: Substring)] = []
        for (index, part) in entry.parts.enumerated() {
            if let part {
                guard parts[index] == part else { return nil }
            } else {
                if let taken = entry.taken[index], !taken.isEmpty, taken.contains(String(parts[index])) { return nil }
                parameters.append((entry.names[parameters.count], parts[index]))
            }
        }
        return parameters
    }

    /// Whether nothing is asked of the connection itself.
    private static func isPlain(_ headers: HTTPHeaders) -> Bool {
        for (name, value) in headers {
            switch name.utf8.count {
            // Expect, Upgrade; Connection; Content-Length; Transfer-Encoding
            case 6, 7: if isWord(name, "expect") || isWord(name, "upgrade") { return false }
            case 10: if isWord(name, "connection"), !isWord(value, "keep-alive") { return false }
            case 14: if isWord(name, "content-length") { return false }
            case 17: if isWord(name, "transfer-encoding") { return false }
            default: break
            }
        }
        return true
    }

    /// Whether a text is a word in whatever case.
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
