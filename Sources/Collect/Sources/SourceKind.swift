public import Basics

/// What a source is read from, and what it must be told.
public enum SourceKind: String, Sendable, CaseIterable, Hashable {
    case postgresql, odbc, rest, folder, sftp

    public var title: LocalizedText {
        switch self {
        case .postgresql: .init("PostgreSQL 库表", "PostgreSQL table")
        case .odbc: .init("ODBC 库表(达梦、金仓、Oracle 等)", "ODBC table (Dameng, Kingbase, Oracle …)")
        case .rest: .init("REST 接口", "REST interface")
        case .folder: .init("本机目录", "folder of this machine")
        case .sftp: .init("SFTP 目录", "SFTP folder")
        }
    }

    /// A setting of a kind.
    public struct Setting: Sendable {
        public var name: String
        public var title: LocalizedText
        public var standard: String
        public var isRequired: Bool
        public var choices: [String]
        public var hint: LocalizedText
        /// Whether it takes several lines.
        public var isLong = false

        init(
            _ name: String,
            _ zh: String,
            _ en: String,
            _ standard: String = "",
            required: Bool = false,
            choices: [String] = [],
            hint: LocalizedText = .init("", "")
        ) {
            self.name = name
            title = LocalizedText(zh, en)
            self.standard = standard
            isRequired = required
            self.choices = choices
            self.hint = hint
        }
    }

    private static let columns: Setting = {
        var setting = Setting(
            "columns",
            "列对应",
            "Columns",
            hint: .init(
                "每行一个：来源列=信息项；不填则取全部列，按名称对应。",
                "One a line: source=field; without any all columns are taken by their names."
            )
        )
        setting.isLong = true
        return setting
    }()

    private static let watermark = Setting(
        "watermark",
        "水位列",
        "Watermark",
        hint: .init(
            "随每次变更增大的列(更新时间、流水号)；不填则每次取全部。",
            "A column that grows with every change (a time, a number); without it everything is taken each time."
        )
    )

    private static let files = [
        Setting("folder", "目录", "Folder", required: true),
        Setting("pattern", "文件名", "File names", "*", hint: .init("如 *.csv、车辆_*.xlsx", "Such as *.csv")),
        Setting(
            "settle",
            "静置秒数",
            "Seconds at rest",
            "60",
            hint: .init("文件停止变化多久后才取。", "How long a file must not have changed.")
        ),
    ]

    /// What it must be told, in the order of a form.
    public var settings: [Setting] {
        switch self {
        case .postgresql:
            [
                Setting("host", "主机", "Host", required: true), Setting("port", "端口", "Port", "5432"),
                Setting("database", "数据库", "Database", required: true), Setting("user", "账号", "User", required: true),
                Setting(
                    "encryption",
                    "加密",
                    "Encryption",
                    "prefer",
                    choices: ["prefer", "require", "verify-full", "disable"]
                ),
                Setting("table", "表或视图", "Table or view", required: true), Self.watermark, Self.columns,
            ]
        case .odbc:
            [
                Setting(
                    "connection",
                    "连接串(不含口令)",
                    "Connection, without the password",
                    required: true,
                    hint: .init(
                        "如 Driver={DM8 ODBC DRIVER};Server=10.1.2.3;UID=tongqu",
                        "Such as Driver={DM8 ODBC DRIVER};Server=10.1.2.3;UID=tongqu"
                    )
                ),
                Setting("table", "表或视图", "Table or view", required: true), Self.watermark, Self.columns,
            ]
        case .rest:
            [
                Setting("address", "地址", "Address", required: true, hint: .init("http(s)://…", "http(s)://…")),
                Setting("rows", "数据位置", "Rows", hint: .init("如 data.items;答案本身是数组时不填。", "Such as data.items.")),
                Setting(
                    "paging",
                    "分页",
                    "Paging",
                    "none",
                    choices: ["none", "page", "offset", "cursor", "link"],
                    hint: .init("none 不分页，page 页码，offset 偏移，cursor 游标，link 链接头", "")
                ),
                Setting("page_parameter", "页参数", "Page parameter", "page"),
                Setting("size_parameter", "每页参数", "Size parameter", "page_size"),
                Setting("page_size", "每页条数", "Page size", "100"), Setting("first_page", "首页号", "First page", "1"),
                Setting("cursor", "游标位置", "Cursor", hint: .init("如 meta.next", "Such as meta.next")),
                Setting("since", "增量参数", "Since parameter", hint: .init("带上次的水位值", "Carries the last watermark")),
                Self.watermark,
                Setting("head", "密钥请求头", "Head of the secret", "Authorization"), Self.columns,
            ]
        case .folder: Self.files
        case .sftp:
            [
                Setting("host", "主机", "Host", required: true), Setting("port", "端口", "Port", "22"),
                Setting("user", "账号", "User", required: true),
                Setting(
                    "fingerprint",
                    "主机密钥指纹",
                    "Fingerprint of the host's key",
                    required: true,
                    hint: .init("SHA256:…;与对方管理员核对", "SHA256:…; compare it with the server's administrator")
                ),
            ] + Self.files
        }
    }

    /// What its secret is; nil where it needs none.
    public var secretTitle: LocalizedText? {
        switch self {
        case .postgresql, .odbc: .init("口令", "Password")
        case .rest: .init("密钥(请求头的值)", "Secret (the head's value)")
        case .sftp: .init("口令或私钥", "Password or private key")
        case .folder: nil
        }
    }

    var isOfFiles: Bool { self == .folder || self == .sftp }
}
