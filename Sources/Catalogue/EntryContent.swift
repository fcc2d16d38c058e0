public import Basics
import Codes
public import Kernel
public import Tabular

/// How often data is renewed (更新周期).
public enum UpdateFrequency: String, Sendable, CaseIterable, Hashable {
    case realTime = "real_time"
    case daily, weekly, monthly, quarterly
    case halfYearly = "half_yearly"
    case yearly, irregular

    public var title: LocalizedText {
        switch self {
        case .realTime: .init("实时", "real time")
        case .daily: .init("每日", "daily")
        case .weekly: .init("每周", "weekly")
        case .monthly: .init("每月", "monthly")
        case .quarterly: .init("每季度", "quarterly")
        case .halfYearly: .init("每半年", "half-yearly")
        case .yearly: .init("每年", "yearly")
        case .irregular: .init("不定期", "irregular")
        }
    }

    /// Days after which data counts as late; nil where nothing is promised.
    public var days: Int? {
        switch self {
        case .realTime, .daily: 1
        case .weekly: 7
        case .monthly: 31
        case .quarterly: 92
        case .halfYearly: 184
        case .yearly: 366
        case .irregular: nil
        }
    }
}

/// The classes and types of formats that the guide lists (信息资源格式). The value lists are settings with these defaults.
public enum FormatClass: String, Sendable, CaseIterable, Hashable {
    case document, spreadsheet, database, image, media, selfDescribing = "self_describing"

    public var title: LocalizedText {
        switch self {
        case .document: .init("电子文件", "document")
        case .spreadsheet: .init("电子表格", "spreadsheet")
        case .database: .init("数据库", "database")
        case .image: .init("图形图像", "image")
        case .media: .init("流媒体", "media")
        case .selfDescribing: .init("自描述格式", "self-describing format")
        }
    }

    public var types: [String] {
        switch self {
        case .document: ["OFD", "wps", "xml", "txt", "doc", "docx", "html", "pdf", "ppt"]
        case .spreadsheet: ["et", "xls", "xlsx", "csv"]
        case .database: ["Dm", "KingbaseES", "access", "dbf", "dbase", "sysbase", "oracle", "sql server", "db2"]
        case .image: ["jpg", "gif", "bmp"]
        case .media: ["swf", "rm", "mpg"]
        case .selfDescribing: ["json", "geojson"]
        }
    }
}

/// How shared data travels (共享方式).
public enum SharingMode: String, Sendable, CaseIterable, Hashable {
    case platformDatabase = "platform_database"
    case platformFile = "platform_file"
    case platformInterface = "platform_interface"
    case mail, disk, medium

    public var title: LocalizedText {
        switch self {
        case .platformDatabase: .init("共享平台(数据库)", "platform, database")
        case .platformFile: .init("共享平台(文件)", "platform, file")
        case .platformInterface: .init("共享平台(接口)", "platform, interface")
        case .mail: .init("邮件", "mail")
        case .disk: .init("拷盘", "disk")
        case .medium: .init("介质交换", "exchange of media")
        }
    }
}

/// What an item says about sharing (信息项): the guide asks for it item by item.
public struct ItemPolicy: Sendable, Hashable {
    public var sharing: Sharing
    /// 共享条件, or the legal basis of not sharing.
    public var condition: String
    public var mode: SharingMode
    /// 开放条件, where the item is open on conditions.
    public var openCondition: String

    public init(
        sharing: Sharing = .none,
        condition: String = "",
        mode: SharingMode = .platformFile,
        openCondition: String = ""
    ) {
        self.sharing = sharing
        self.condition = condition
        self.mode = mode
        self.openCondition = openCondition
    }
}

/// The core metadata of an entry: 政务信息资源目录编制指南(试行), 发改高技术〔2017〕1272号.
public struct EntryContent: Sendable, Hashable {
    public var name: String
    /// 类 1, 项 2, 目 3, 细目 any digits: `301002`.
    public var category: String
    public var provider: OrganisationID
    /// 提供方内部部门.
    public var department: String
    public var summary: String
    public var keywords: [String]
    public var formatClass: FormatClass
    public var formatType: String
    public var frequency: UpdateFrequency
    /// 关联资源代码.
    public var related: [String]
    /// 涉密属性: always 非涉密 here; anything else is refused.
    public var isSecret: Bool
    public var level: Organisation.Level
    public var schema: Schema
    public var items: [ItemPolicy]

    public init(
        name: String,
        category: String,
        provider: OrganisationID,
        department: String = "",
        summary: String,
        keywords: [String] = [],
        formatClass: FormatClass = .spreadsheet,
        formatType: String = "csv",
        frequency: UpdateFrequency = .irregular,
        related: [String] = [],
        isSecret: Bool = false,
        level: Organisation.Level = .province,
        schema: Schema,
        items: [ItemPolicy]
    ) {
        self.name = name
        self.category = category
        self.provider = provider
        self.department = department
        self.summary = summary
        self.keywords = keywords
        self.formatClass = formatClass
        self.formatType = formatType
        self.frequency = frequency
        self.related = related
        self.isSecret = isSecret
        self.level = level
        self.schema = schema
        self.items = items
    }

    /// The sharing type of the whole: the strictest of its items (the guide gives one per entry as well).
    public var sharing: Sharing {
        let all = items.map(\.sharing.rawValue)
        return Sharing(rawValue: all.max() ?? 3) ?? .none
    }
}

extension EntryContent {
    /// The content as JSON: what the API takes and gives, and what the database keeps.
    public var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("category", .string(category)),
            .init("provider", .integer(provider.raw)),
            .init("department", .string(department)), .init("summary", .string(summary)),
            .init("keywords", .array(keywords.map { .string($0) })),
            .init("format_class", .string(formatClass.rawValue)),
            .init("format_type", .string(formatType)), .init("frequency", .string(frequency.rawValue)),
            .init("related", .array(related.map { .string($0) })), .init("secret", .boolean(isSecret)),
            .init("level", .string(level.rawValue)),
            .init("schema", TableSchema.write(schema)),
            .init(
                "items",
                .array(
                    items.map { item in
                        .object([
                            .init("sharing", .integer(Int64(item.sharing.rawValue))),
                            .init("condition", .string(item.condition)),
                            .init("mode", .string(item.mode.rawValue)),
                            .init("open_condition", .string(item.openCondition)),
                        ])
                    }
                )
            ),
        ])
    }

    /// Reads a content.
    ///
    /// - Throws: `entry.invalid`, `schema.invalid`.
    public init(_ json: JSONValue) throws(Problem) {
        guard let name = json["name"]?.string, let schema = json["schema"], let provider = json["provider"]?.integer
        else {
            throw Problem("entry.invalid", zh: "目录缺少名称、提供方或信息项。", en: "An entry needs a name, a provider and a schema.")
        }
        let fields = try TableSchema.read(schema)
        var items = (json["items"]?.array ?? []).map { item in
            ItemPolicy(
                sharing: item["sharing"]?.integer.flatMap { Sharing(rawValue: Int($0)) } ?? .none,
                condition: item["condition"]?.string ?? "",
                mode: item["mode"]?.string.flatMap(SharingMode.init(rawValue:)) ?? .platformFile,
                openCondition: item["open_condition"]?.string ?? ""
            )
        }
        while items.count < fields.fields.count { items.append(ItemPolicy()) }
        self.init(
            name: name,
            category: json["category"]?.string ?? "",
            provider: OrganisationID(provider),
            department: json["department"]?.string ?? "",
            summary: json["summary"]?.string ?? "",
            keywords: json["keywords"]?.array?.compactMap(\.string) ?? [],
            formatClass: json["format_class"]?.string.flatMap(FormatClass.init(rawValue:)) ?? .spreadsheet,
            formatType: json["format_type"]?.string ?? "csv",
            frequency: json["frequency"]?.string.flatMap(UpdateFrequency.init(rawValue:)) ?? .irregular,
            related: json["related"]?.array?.compactMap(\.string) ?? [],
            isSecret: json["secret"]?.boolean ?? false,
            level: json["level"]?.string.flatMap(Organisation.Level.init(rawValue:)) ?? .province,
            schema: fields,
            items: Array(items.prefix(fields.fields.count))
        )
    }
}

extension EntryContent {
    /// Keeps texts to a size that pages can show, in bytes: combining characters count too.
    ///
    /// - Throws: `entry.too_long`.
    func checkLengths() throws(Problem) {
        let texts: [(String, Int)] =
            [(name, 600), (department, 600), (summary, 20_000), (keywords.joined(), 4000), (formatType, 200)]
            + schema.fields.flatMap { [($0.name, 300), ($0.title, 600)] } + items.map { ($0.condition, 4000) }
        guard texts.allSatisfy({ $0.0.utf8.count <= $0.1 }), schema.fields.count <= 2000 else {
            throw Problem(
                "entry.too_long",
                status: 422,
                zh: "条目的名称、摘要或信息项过长。",
                en: "The entry's name, summary or items are too long.",
                hint: .init("名称至多 600 字节，摘要至多 20,000 字节。", "A name has 600 bytes at the most, a summary 20,000.")
            )
        }
    }
}
