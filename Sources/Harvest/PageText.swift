import Basics

/// Looks at the bytes of a page before anything is read from them.
enum PageText {
    /// The page as JSON.
    ///
    /// - Throws: `harvest.format` saying what was found instead, `harvest.too_large`.
    static func json(_ page: [UInt8], _ kind: HarvestKind) throws(Problem) -> JSONValue {
        try checkSize(page)
        do {
            return try page.starts(with: [0xEF, 0xBB, 0xBF]) ? JSONValue(page.dropFirst(3)) : JSONValue(page)
        } catch {
            throw HarvestProblems.format(kind, found: found(page, error))
        }
    }

    /// - Throws: `harvest.too_large`.
    static func checkSize(_ page: [UInt8]) throws(Problem) {
        guard page.count <= HarvestLimits.pageBytes else {
            throw HarvestProblems.tooLarge(
                "超过 \(HarvestLimits.pageBytes >> 20) MB",
                "more than \(HarvestLimits.pageBytes >> 20) MB"
            )
        }
    }

    /// What bytes are that were to be JSON.
    private static func found(_ page: [UInt8], _ problem: Problem) -> LocalizedText {
        let head = String(decoding: page.prefix(512), as: UTF8.self).lowercased()
        let start = TextForms.trimmed(head)
        if start.isEmpty { return .init("空内容", "nothing") }
        if start.contains("<html") || start.contains("<!doctype html") { return .init("网页", "a web page") }
        if start.hasPrefix("<") { return .init("XML", "XML") }
        if page.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return .init("zip 压缩包", "a zip archive") }
        if page.starts(with: [0x1F, 0x8B]) { return .init("gzip 压缩数据", "gzip data") }
        let place = problem.details["position"] ?? "?"
        if start.hasPrefix("{") || start.hasPrefix("[") {
            return .init("第 \(place) 字节处有误的 JSON", "JSON that is not right at byte \(place)")
        }
        if page.prefix(512).contains(0) { return .init("二进制数据", "binary data") }
        return .init("其他文本", "some other text")
    }

    /// What a JSON value is, by its shape: `an object with a, b, c`.
    static func found(_ value: JSONValue) -> LocalizedText {
        switch value {
        case .null: return .init("null", "null")
        case .boolean: return .init("布尔值", "a boolean")
        case .integer, .real: return .init("数字", "a number")
        case .string: return .init("字符串", "a string")
        case .array(let values): return .init("\(values.count) 项的数组", "an array of \(values.count)")
        case .object(let members):
            let names = members.prefix(8).map { Plain.line($0.name, characters: 40) ?? "" }.joined(separator: ", ")
            if names.isEmpty { return .init("空对象", "an empty object") }
            return .init("含 \(names) 的对象", "an object with \(names)")
        }
    }
}

/// Takes the entries of a page one after another: a bad one is told, and the others go on.
struct PageCollector {
    let settings: HarvestSettings
    private(set) var page = HarvestPage()
    private var seen: [String: Int] = [:]

    init(_ settings: HarvestSettings) { self.settings = settings }

    /// Takes one entry.
    mutating func take(_ index: Int, _ read: () throws(Problem) -> EntryDraft) {
        do throws(Problem) {
            let entry = try read().entry(settings)
            if let first = seen[entry.identifier] { throw HarvestProblems.duplicate(of: first) }
            seen[entry.identifier] = index
            page.entries.append(entry)
        } catch {
            refuse(index, error)
        }
    }

    mutating func refuse(_ index: Int, _ problem: Problem) {
        page.refusals.append(HarvestRefusal(index: index, problem: problem))
    }

    /// The part of a page's entries to take now; what does not fit is said to follow.
    mutating func part(of count: Int, at place: HarvestNext?) -> Range<Int> {
        var start = 0
        if case .rest(let from) = place { start = max(0, min(from, count)) }
        let end = min(count, start + HarvestLimits.entries)
        if end < count { page.next = .rest(end) }
        page.entries.reserveCapacity(end - start)
        return start..<end
    }

    mutating func end(next: HarvestNext? = nil, total: Int? = nil) -> HarvestPage {
        if page.next == nil { page.next = next }
        page.total = total
        return page
    }
}

extension HarvestSettings {
    /// The next page's address: absolute, on the host that this page came from.
    ///
    /// Servers behind a proxy often name the wrong scheme; it stays ours.
    ///
    /// - Throws: `harvest.next_elsewhere`.
    func next(_ raw: String) throws(Problem) -> HarvestNext {
        guard let link = Link.address(raw, base: address), let scheme = Link.scheme(link), scheme != "ftp" else {
            throw HarvestProblems.nextElsewhere
        }
        guard let address,
            let own = Link.scheme(address).flatMap({ Link.address(address, base: nil) == nil ? nil : $0 })
        else { return .link(link) }
        let here = Link.host(Link.address(address, base: nil) ?? address)
        guard here == Link.host(link) else { throw HarvestProblems.nextElsewhere }
        if own == scheme { return .link(link) }
        let start = Link.origin(Link.address(address, base: nil) ?? address) ?? ""
        return .link(start + String(link.dropFirst(Link.origin(link)?.count ?? 0)))
    }
}
