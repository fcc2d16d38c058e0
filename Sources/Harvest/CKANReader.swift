public import Basics

/// Reads answers of CKAN's Action API v3: `package_search`, `current_package_list_with_resources`, `package_list`, `package_show`.
///
/// The shapes are those of CKAN 2.9 to 2.11 ("API guide"); frequency, publisher and place are looked for in the members and `extras` that
/// ckanext-dcat and ckanext-scheming use. Times without a zone are UTC, as CKAN keeps them.
public struct CKANReader: HarvestReader {
    let settings: HarvestSettings
    /// The site that the datasets' pages stand under, where the address tells.
    private let site: String?

    public init(_ settings: HarvestSettings = HarvestSettings()) {
        var utc = settings
        utc.zone = 0
        self.settings = utc
        site = settings.address.flatMap(CKANReader.site)
    }

    public func read(page: [UInt8], at place: HarvestNext? = nil) throws(Problem) -> HarvestPage {
        let answer = try PageText.json(page, .ckan)
        if answer["success"]?.boolean == false {
            let kind = answer["error"]?["__type"]?.string.flatMap { Plain.line($0, characters: 60) }
            throw HarvestProblems.sourceFailed(kind ?? "success: false")
        }
        guard let result = answer["result"] else { throw HarvestProblems.format(.ckan, found: PageText.found(answer)) }
        let site = site ?? answer["help"]?.string.flatMap(CKANReader.site)
        if let packages = result["results"]?.array {
            return try search(packages, result["count"]?.integer, site, at: place)
        }
        if let items = result.array {
            if items.first?.string != nil { return try names(items) }
            return try search(items, nil, site, at: place)
        }
        guard result["id"] != nil || result["name"] != nil else {
            throw HarvestProblems.format(.ckan, found: PageText.found(result))
        }
        var collector = PageCollector(settings)
        collector.take(0) { () throws(Problem) in try CKANReader.draft(result, site) }
        return collector.end()
    }

    private func search(
        _ packages: [JSONValue],
        _ total: Int64?,
        _ site: String?,
        at place: HarvestNext?
    ) throws(Problem) -> HarvestPage {
        guard packages.count <= HarvestLimits.entries else {
            throw HarvestProblems.tooLarge(
                "一页超过 \(HarvestLimits.entries) 个条目",
                "more than \(HarvestLimits.entries) entries in a page"
            )
        }
        var collector = PageCollector(settings)
        for (index, package) in packages.enumerated() {
            collector.take(index) { () throws(Problem) in try CKANReader.draft(package, site) }
        }
        var start = 0
        if case .offset(let given) = place { start = given }
        let (end, isBeyond) = start.addingReportingOverflow(packages.count)
        let count = total.flatMap { $0 >= 0 ? Int(clamping: $0) : nil }
        // Without a total an empty page is the end.
        let goesOn = !packages.isEmpty && !isBeyond && end < (count ?? .max)
        return collector.end(next: goesOn ? .offset(end) : nil, total: count)
    }

    /// The answer of `package_list`: names of lower-case letters, digits, `-` and `_`, or identifiers.
    private func names(_ items: [JSONValue]) throws(Problem) -> HarvestPage {
        guard items.count <= HarvestLimits.names else {
            throw HarvestProblems.tooLarge("名称过多", "too many names")
        }
        var collector = PageCollector(settings)
        var names: [String] = []
        names.reserveCapacity(items.count)
        for (index, item) in items.enumerated() {
            if let name = item.string, CKANReader.isName(name) {
                names.append(name)
            } else {
                collector.refuse(index, HarvestProblems.name)
            }
        }
        return collector.end(next: names.isEmpty ? nil : .names(names), total: items.count)
    }

    private static func isName(_ text: String) -> Bool {
        (1...100).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x5F
            }
    }

    /// `https://host/path` before `/api/`.
    private static func site(_ address: String) -> String? {
        guard let link = Link.address(address, base: nil), let start = link.firstRange(of: "/api/")?.lowerBound else {
            return nil
        }
        return String(link[..<start])
    }
}
