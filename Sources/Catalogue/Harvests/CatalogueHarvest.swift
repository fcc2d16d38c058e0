public import Basics
public import Harvest
public import Kernel
import Store

/// Another catalogue whose entries are followed: what is new there becomes an entry here, what changes changes, what goes away is withdrawn.
public struct CatalogueHarvest: Sendable {
    public var id: Int64
    public var name: String
    public var kind: HarvestKind
    /// Where its first page is read.
    public var address: String
    /// Of lists, which column holds what; empty where the header tells.
    public var columns: String
    /// Who provides the entries here, and where they stand in the classification.
    public var provider: OrganisationID
    public var category: String
    /// Whether entries are published as they come; else they are drafts that people review.
    public var publishes: Bool
    /// Hours between readings; 0 where somebody starts them.
    public var hours: Int64
    public var isEnabled: Bool
    /// For whom it runs.
    public var principal: PrincipalID
    public var lastAt: Int64?
    public var report: HarvestReport?
    /// What stopped the last reading.
    public var problem: String?

    static let columnsSQL =
        "id, name, kind, address, columns, provider, category, publishes, hours, enabled, principal, last_at, report, problem"

    static func read(_ row: SQLRow) throws -> CatalogueHarvest {
        CatalogueHarvest(
            id: row.integer(0),
            name: row.text(1),
            kind: HarvestKind(rawValue: row.text(2)) ?? .ckan,
            address: row.text(3),
            columns: row.text(4),
            provider: OrganisationID(row.integer(5)),
            category: row.text(6),
            publishes: row.flag(7),
            hours: row.integer(8),
            isEnabled: row.flag(9),
            principal: PrincipalID(row.integer(10)),
            lastAt: row.optionalInteger(11),
            report: row.values[12] == .null ? nil : try HarvestReport(JSONValue(text: row.text(12))),
            problem: row.values[13] == .null ? nil : row.text(13)
        )
    }

    /// Reads what the API and the form write.
    ///
    /// - Throws: `harvest.invalid`.
    public init(json: JSONValue, id: Int64 = 0) throws(Problem) {
        guard let kind = json["kind"]?.string.flatMap(HarvestKind.init(rawValue:)) else {
            throw CatalogueHarvest.invalid(
                "类型应为 ckan、dcat、data_json、csv、udata 之一",
                "kind is ckan, dcat, data_json, csv or udata"
            )
        }
        self.init(
            id: id,
            name: json["name"]?.string ?? "",
            kind: kind,
            address: json["address"]?.string ?? "",
            columns: json["columns"].map { $0.string ?? $0.text } ?? "",
            provider: OrganisationID(json["provider"]?.integer ?? 0),
            category: json["category"]?.string ?? "",
            publishes: json["publishes"]?.boolean ?? false,
            hours: json["hours"]?.integer ?? 0,
            isEnabled: json["enabled"]?.boolean ?? true,
            principal: PrincipalID(0)
        )
    }

    init(
        id: Int64,
        name: String,
        kind: HarvestKind,
        address: String,
        columns: String,
        provider: OrganisationID,
        category: String,
        publishes: Bool,
        hours: Int64,
        isEnabled: Bool,
        principal: PrincipalID,
        lastAt: Int64? = nil,
        report: HarvestReport? = nil,
        problem: String? = nil
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.address = address
        self.columns = columns
        self.provider = provider
        self.category = category
        self.publishes = publishes
        self.hours = hours
        self.isEnabled = isEnabled
        self.principal = principal
        self.lastAt = lastAt
        self.report = report
        self.problem = problem
    }

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem("harvest.invalid", status: 422, zh: "目录汇聚填写有误：\(zh)。", en: "The harvest is not right: \(en).")
    }

    /// Whether the address is one of the web, as it may be shown to whoever sees the harvest.
    private var isWeb: Bool {
        guard
            let rest = ["http://", "https://"].first(where: { address.lowercased().hasPrefix($0) }).map({
                address.dropFirst($0.count)
            })
        else { return false }
        let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let isPlain = address.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F }
        return isPlain && !host.isEmpty && !host.contains("@")
    }

    func validate(_ organisations: OrganisationTree) throws(Problem) {
        guard (1...200).contains(name.utf8.count) else {
            throw CatalogueHarvest.invalid("名称应为 1–200 字节", "a name has 1–200 bytes")
        }
        guard address.utf8.count <= 2000 else { throw CatalogueHarvest.invalid("地址过长", "the address is too long") }
        guard isWeb else {
            throw CatalogueHarvest.invalid(
                "地址应以 http:// 或 https:// 开头，不含账号、空格",
                "the address begins with http:// or https:// and holds no account and no spaces"
            )
        }
        guard organisations[provider] != nil else {
            throw CatalogueHarvest.invalid("没有这个提供方", "there is no such provider")
        }
        guard Classification.isValid(category) else {
            throw CatalogueHarvest.invalid("分类代码有误", "the category is not right")
        }
        guard hours == 0 || (1...8760).contains(hours) else {
            throw CatalogueHarvest.invalid("间隔应为 1–8760 小时，0 为手动", "hours are 1–8,760, or 0 for by hand")
        }
        _ = try mapping()
    }

    /// Which column of a list holds what; nil where its header is to tell.
    func mapping() throws(Problem) -> ColumnMapping? {
        guard !columns.isEmpty else { return nil }
        guard let members = (try? JSONValue(text: columns))?.members else {
            throw CatalogueHarvest.invalid("列对应关系应为 JSON 对象", "columns is an object of JSON")
        }
        var found: [ColumnMapping.Field: String] = [:]
        for member in members {
            guard let column = member.value.string, let field = ColumnMapping.Field(rawValue: member.name) else {
                throw CatalogueHarvest.invalid("未知的列“\(member.name)”", "“\(member.name)” is no column")
            }
            found[field] = column
        }
        return ColumnMapping(found)
    }
}

/// What a reading of another catalogue did.
public struct HarvestReport: Sendable, Hashable {
    public var seen: Int64 = 0
    public var created: Int64 = 0
    public var changed: Int64 = 0
    public var unchanged: Int64 = 0
    /// Gone there and withdrawn here.
    public var withdrawn: Int64 = 0
    /// Changed there, but worked on here: left as they are.
    public var kept: Int64 = 0
    /// Not taken, with the first reasons.
    public var refused: Int64 = 0
    public var reasons: [String] = []

    public init() {}

    init(_ json: JSONValue) throws {
        func number(_ name: String) -> Int64 { json[name]?.integer ?? 0 }
        seen = number("seen")
        created = number("created")
        changed = number("changed")
        unchanged = number("unchanged")
        withdrawn = number("withdrawn")
        kept = number("kept")
        refused = number("refused")
        reasons = json["reasons"]?.array?.compactMap(\.string) ?? []
    }

    public var json: JSONValue {
        .object([
            .init("seen", .integer(seen)), .init("created", .integer(created)), .init("changed", .integer(changed)),
            .init("unchanged", .integer(unchanged)), .init("withdrawn", .integer(withdrawn)),
            .init("kept", .integer(kept)), .init("refused", .integer(refused)),
            .init("reasons", .array(reasons.map { .string($0) })),
        ])
    }
}
