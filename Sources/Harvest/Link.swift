import Basics

/// Addresses in catalogues: only those that a reader's browser or a fetcher may follow.
enum Link {
    /// An absolute http, https or ftp address in ASCII; nil for anything else.
    ///
    /// Spaces and characters outside ASCII are written by their bytes, as browsers do. Other schemes (`javascript:`, `data:`, `file:`),
    /// control characters, accounts (`user@host`) and more than ``HarvestLimits/link`` bytes are refused. A relative address starts at `base`
    /// (RFC 3986 §5.2), and is refused without one.
    static func address(_ raw: String, base: String?) -> String? {
        var raw = raw
        if raw.withUTF8(isClean) { return raw }
        let text = TextForms.trimmed(raw)
        guard !text.isEmpty, text.utf8.count <= HarvestLimits.link else { return nil }
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        if let scheme = scheme(text) {
            guard ["http", "https", "ftp"].contains(scheme) else { return nil }
            return absolute(scheme, text.utf8.dropFirst(scheme.utf8.count + 1))
        }
        guard let base, let resolved = resolve(text, base: base) else { return nil }
        return resolved.utf8.count <= HarvestLimits.link ? resolved : nil
    }

    /// `https://host:443`: the part that two pages of one source share, in lower case.
    static func origin(_ address: String) -> Substring? {
        guard let start = address.range(ofText: "://") else { return nil }
        let rest = address.utf8[start...]
        let end = rest.firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? address.endIndex
        return address[..<end]
    }

    /// The host of an address, without its port.
    static func host(_ address: String) -> Substring? {
        guard let origin = origin(address), let start = address.range(ofText: "://") else { return nil }
        let place = origin[start...]
        if place.hasPrefix("[") { return place.prefix { $0 != "]" } }
        return place.prefix { $0 != ":" }
    }

    /// The last part of an address's path: a file's name, a term of a vocabulary.
    static func lastPart(_ address: String) -> String {
        let plain = address.utf8.prefix { $0 != 0x3F }
        let mark = plain.lastIndex { $0 == 0x2F || $0 == 0x23 }
        return String(address[(mark.map { plain.index(after: $0) } ?? plain.startIndex)..<plain.endIndex])
    }

    /// The lower-case scheme of an address; nil where it is relative.
    static func scheme(_ text: String) -> String? {
        var name: [UInt8] = []
        for byte in text.utf8 {
            if byte == 0x3A { return name.isEmpty ? nil : String(decoding: name, as: UTF8.self) }
            let isLetter = (0x61...0x7A).contains(byte | 0x20)
            let isOther = (0x30...0x39).contains(byte) || byte == 0x2B || byte == 0x2D || byte == 0x2E
            guard isLetter || (isOther && !name.isEmpty) else { return nil }
            name.append(isLetter ? byte | 0x20 : byte)
        }
        return nil
    }

    /// Whether an address is absolute and needs no change: true for most.
    private static func isClean(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count <= HarvestLimits.link else { return false }
        var at = 0
        for start in cleanStarts
        where bytes.starts(with: UnsafeBufferPointer(start: start.utf8Start, count: start.utf8CodeUnitCount)) {
            at = start.utf8CodeUnitCount
        }
        guard at > 0 else { return false }
        let host = at
        while at < bytes.count, bytes[at] != 0x2F, bytes[at] != 0x3F, bytes[at] != 0x23 {
            let byte = bytes[at]
            let isPlain = (0x61...0x7A).contains(byte) || (0x2D...0x39).contains(byte) || (byte == 0x3A && at > host)
            guard isPlain else { return false }
            at += 1
        }
        guard at > host else { return false }
        while at < bytes.count {
            guard standsInPath(bytes[at]) else { return false }
            at += 1
        }
        return true
    }

    private static let cleanStarts: [StaticString] = ["https://", "http://", "ftp://"]

    /// Whether a byte stands in an address as it is.
    private static func standsInPath(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x00...0x20, 0x22, 0x3C, 0x3E, 0x5C, 0x5E, 0x60, 0x7B...0xFF: byte == 0x7E
        default: true
        }
    }

    private static func absolute(_ scheme: String, _ rest: Substring.UTF8View) -> String? {
        guard rest.starts(with: "//".utf8) else { return nil }
        let place = rest.dropFirst(2)
        let end = place.firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 || $0 == 0x5C } ?? place.endIndex
        let authority = place[..<end]
        let isHost = authority.allSatisfy {
            $0 != 0x40 && $0 != 0x25 && ($0 >= 0x80 || standsInPath($0))
        }
        guard !authority.isEmpty, isHost, authority.first != 0x3A else { return nil }
        // A backslash is a slash to browsers and part of an account to others.
        if end < place.endIndex, place[end] == 0x5C { return nil }
        let host = String(Substring(authority))
        guard host.utf8.allSatisfy({ $0 < 0x80 }) || Plain.text(host, keepsLines: false) == host else { return nil }
        var out = Array(scheme.utf8)
        out.append(contentsOf: "://".utf8)
        for byte in authority { out.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) }
        append(place[end...], to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func append(_ path: Substring.UTF8View, to out: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in path {
            if standsInPath(byte) {
                out.append(byte)
            } else {
                out.append(0x25)
                out.append(digits[Int(byte >> 4)])
                out.append(digits[Int(byte & 15)])
            }
        }
    }

    private static func resolve(_ text: String, base: String) -> String? {
        guard let scheme = scheme(base), let origin = origin(base), !text.hasPrefix("\\") else { return nil }
        let pathEnd = base.utf8.firstIndex { $0 == 0x3F || $0 == 0x23 } ?? base.endIndex
        let whole: String
        if text.hasPrefix("//") {
            whole = "\(scheme):\(text)"
        } else if text.hasPrefix("/") {
            whole = origin + text
        } else if text.hasPrefix("?") {
            whole = base[..<pathEnd] + text
        } else if text.hasPrefix("#") {
            whole = base.prefix { $0 != "#" } + text
        } else {
            guard !text.lowercased().hasPrefix("www.") else { return nil }
            let folder = base[origin.endIndex..<pathEnd]
            let kept = folder.utf8.lastIndex(of: 0x2F).map { folder[...$0] } ?? "/"
            whole = origin + withoutDots(kept + text)
        }
        return absolute(scheme, whole.utf8.dropFirst(scheme.utf8.count + 1))
    }

    private static func withoutDots(_ path: String) -> String {
        let end = path.firstIndex { $0 == "?" || $0 == "#" } ?? path.endIndex
        var parts: [Substring] = []
        for part in path[..<end].split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/") + path[end...]
    }
}

extension String {
    /// The index behind the first occurrence of an ASCII text.
    fileprivate func range(ofText text: StaticString) -> String.Index? {
        let count = text.utf8CodeUnitCount
        var at = utf8.startIndex
        while at < utf8.endIndex {
            if utf8[at...].prefix(count).elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count)) {
                return utf8.index(at, offsetBy: count)
            }
            at = utf8.index(after: at)
        }
        return nil
    }
}
