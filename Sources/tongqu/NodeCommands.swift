import Store
import Web
import ArgumentParser
import Basics
import Catalogue
import Composition
import Foundation
import Kernel
import Lake
import Tabular

/// Which node a command works on.
struct NodeOptions: ParsableArguments {
    @Option(help: ArgumentHelp(say("数据目录(默认 TONGQU_DATA 或 ./data)", "the data directory (TONGQU_DATA or ./data)")))
    var data: String?
    @Option(
        help: ArgumentHelp(
            say(
                "存储：sqlite(默认)或 postgresql://账号@主机/库名?schema=tongqu",
                "the store: sqlite (default) or postgresql://user@host/database?schema=tongqu"
            )
        )
    )
    var store: String?

    /// Opens the node for a command; on SQLite nobody else may be using it.
    func open() async throws -> Node {
        let configuration = try await Configuration.read(data: data, store: store)
        let folder = configuration.settings.folder
        guard try await configuration.settings.store.holdsNode(in: folder) else {
            throw Problem(
                "node.absent",
                status: 404,
                zh: "这里没有节点的数据目录。",
                en: "There is no node's data directory here.",
                details: ["folder": folder.path],
                hint: .init("用 --data 指定，或先 tongqu serve。", "Name it with --data, or run tongqu serve first.")
            )
        }
        return try await Node.open(configuration.settings)
    }

    /// The account that commands act as.
    static func caller(_ node: Node) async throws -> Caller {
        Caller(principal: try await node.kernel.accounts.find(login: "command-line"), trace: "command-line")
    }

    /// Opens, works, closes.
    func with(_ body: (Node, Caller) async throws -> Void) async throws {
        try await carry {
            let node = try await open()
            do {
                try await body(node, try await NodeOptions.caller(node))
            } catch {
                try? await node.close()
                throw error
            }
            try await node.close()
        }
    }
}

struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: say("检查文件并把合格行加载到资源。", "Check a file and load its valid rows into a resource."),
        discussion: say(
            "示例：tongqu load 车辆.csv --into 301003/000001 --mode replace",
            "Example: tongqu load vehicles.csv --into 301003/000001 --mode replace"
        )
    )

    @Argument(help: ArgumentHelp(say("文件", "the file")))
    var file: String

    @Option(help: ArgumentHelp(say("资源代码", "the resource's code")))
    var into: String

    @Option(help: ArgumentHelp(say("方式：replace、append、upsert", "mode: replace, append, upsert")))
    var mode: String = "replace"

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var node: NodeOptions

    func run() async throws {
        guard let loadMode = LoadMode(rawValue: mode) else { throw ValidationError("--mode replace|append|upsert") }
        try await node.with { node, caller in
            let options = try reading.options()
            let path = URL(fileURLWithPath: file).standardizedFileURL.path
            let isShown = Progress().isShown
            let load = try await node.kernel.gate.perform(
                node.services.lake.run,
                (
                    .init(
                        code: Entry.code(slug: into),
                        path: path,
                        source: URL(fileURLWithPath: file).lastPathComponent,
                        table: reading.table,
                        mode: loadMode,
                        encoding: options.encoding,
                        header: SheetLayout.HeaderHint(text: reading.header)
                    ), nil,
                    { done, _ in if isShown { FileHandle.standardError.write(Data("\r\(done)".utf8)) } }
                ),
                as: caller
            )
            Progress().end()
            emit(
                say(
                    "批次 \(load.id):入库 \(load.good) 行，问题 \(load.bad) 行；\(load.digest)",
                    "load \(load.id): \(load.good) rows in, \(load.bad) quarantined; \(load.digest)"
                )
            )
        }
    }
}

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: say("导出资源的数据。", "Export the rows of a resource."),
        discussion: say(
            "示例：tongqu export 301003/000001 --format csv --filter \"plate_color = '2'\" --out 车辆.csv",
            "Example: tongqu export 301003/000001 --format csv --filter \"plate_color = '2'\" --out vehicles.csv"
        )
    )

    @Argument(help: ArgumentHelp(say("资源代码", "the resource's code")))
    var code: String

    @Option(help: ArgumentHelp(say("格式：csv json jsonl geojson xlsx", "format: csv json jsonl geojson xlsx")))
    var format = "csv"

    @Option(help: ArgumentHelp(say("CQL2 条件", "a CQL2 filter")))
    var filter: String?

    @Option(help: ArgumentHelp(say("字段，逗号分隔", "fields, separated by commas")))
    var fields: String?

    @Option(help: ArgumentHelp(say("输出文件(默认标准输出)", "the output file (standard output otherwise)")))
    var out: String?

    @OptionGroup var node: NodeOptions

    func run() async throws {
        guard let format = OutputFormat(rawValue: format) else {
            throw ValidationError("--format csv|json|jsonl|geojson|xlsx")
        }
        try await node.with { node, caller in
            let query = RecordQuery(
                Entry.code(slug: code),
                fields: fields?.split(separator: ",").map(String.init),
                filter: filter,
                limit: 0
            )
            let scan = try await node.kernel.gate.perform(node.services.lake.export, query, as: caller)
            var writer = format.writer(scan.fields, name: Entry.slug(query.code))
            var handle = FileHandle.standardOutput
            if let out {
                guard FileManager.default.createFile(atPath: out, contents: nil),
                    let opened = FileHandle(forWritingAtPath: out)
                else { throw FileSource.unwritable() }
                handle = opened
            }
            var bytes: [UInt8] = []
            writer.begin(into: &bytes)
            while let batch = try await scan.next() {
                writer.write(batch, into: &bytes)
                if bytes.count > 1 << 19 {
                    try put(bytes, to: handle)
                    bytes.removeAll(keepingCapacity: true)
                }
            }
            writer.end(into: &bytes)
            try put(bytes, to: handle)
        }
    }
}

struct Evidence: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: say("存证。", "Evidence."), subcommands: [Verify.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("验证整条存证链：每条摘要、每个区间的根与签名。", "Verify the whole chain: every hash, root and signature."),
            discussion: say("退出码 1 表示存证链不完整。", "Exits with 1 where the chain is not sound.")
        )

        @OptionGroup var node: NodeOptions

        func run() async throws {
            var isSound = true
            try await node.with { node, caller in
                let verdict = try await node.kernel.gate.perform(
                    node.kernel.administration.verifyEvidence,
                    (),
                    as: caller
                )
                emit(
                    say(
                        "记录 \(verdict.records)，封存区间 \(verdict.intervals)，待封存 \(verdict.unsealed)",
                        "\(verdict.records) records, \(verdict.intervals) sealed intervals, \(verdict.unsealed) not sealed yet"
                    )
                )
                if let fault = verdict.fault {
                    isSound = false
                    emit(say("不完整：", "not sound: ") + fault[language])
                } else {
                    emit(say("完整", "sound"))
                }
            }
            if !isSound { throw ExitCode(1) }
        }
    }
}

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: say("备份、验证、恢复。", "Back up, verify, restore."),
        subcommands: [Create.self, Verify.self, Restore.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("把节点备份到一个新目录。", "Back a node up into a new folder.")
        )
        @Argument(help: ArgumentHelp(say("目标目录", "the folder to make")))
        var folder: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, _ in
                let configuration = try await Configuration.read(data: self.node.data, store: self.node.store)
                let manifest = try await Backup.create(
                    node,
                    from: configuration.settings.folder,
                    to: URL(fileURLWithPath: folder),
                    passphrase: configuration.backupPassphrase
                )
                emit(say("已备份 \(manifest.files.count) 个文件", "\(manifest.files.count) files backed up"))
                emit(say("签名密钥 ", "signed by ") + manifest.signer)
                if manifest.holdsPlainKey {
                    tell(
                        say(
                            "注意：未设置 TONGQU_BACKUP_PASSPHRASE,备份中的节点密钥未加密，请妥善保管。",
                            "Mind: TONGQU_BACKUP_PASSPHRASE is not set; the node's key lies in the backup unsealed. Guard it."
                        )
                    )
                }
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("验证备份的签名与每个文件的摘要。", "Verify a backup's signature and every file's digest.")
        )
        @Argument(help: ArgumentHelp(say("备份目录", "the backup's folder")))
        var folder: String

        func run() async throws {
            var fault: Problem?
            try await carry {
                do {
                    let manifest = try await Backup.verify(URL(fileURLWithPath: folder))
                    emit(
                        say(
                            "完整，\(manifest.files.count) 个文件，\(manifest.at)",
                            "sound, \(manifest.files.count) files, \(manifest.at)"
                        )
                    )
                    emit(say("签名密钥 ", "signed by ") + manifest.signer)
                } catch let problem as Problem where problem.code == "backup.damaged" {
                    fault = problem
                }
            }
            if let fault {
                tell(fault.text(language))
                throw ExitCode(1)
            }
        }
    }

    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("验证后恢复到空目录。", "Verify and restore into an empty folder.")
        )
        @Argument(help: ArgumentHelp(say("备份目录", "the backup's folder")))
        var folder: String
        @Option(help: ArgumentHelp(say("恢复到的目录", "the folder to restore into")))
        var to: String
        @Option(
            help: ArgumentHelp(
                say(
                    "恢复到的存储(默认 sqlite；PostgreSQL 的备份须给地址)",
                    "the store to restore to (sqlite; an address for a backup of PostgreSQL)"
                )
            )
        )
        var store: String?

        func run() async throws {
            try await carry {
                let configuration = try await Configuration.read(store: store)
                let manifest = try await Backup.restore(
                    URL(fileURLWithPath: folder),
                    to: URL(fileURLWithPath: to),
                    passphrase: configuration.backupPassphrase,
                    store: configuration.settings.store
                )
                emit(
                    say(
                        "已恢复 \(manifest.files.count) 个文件，数据库完整",
                        "\(manifest.files.count) files restored, databases sound"
                    )
                )
                emit(say("签名密钥 ", "signed by ") + manifest.signer)
            }
        }
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: say("检查节点：数据库、存证、密钥权限、可选程序。", "Examine a node: databases, evidence, key, optional programs.")
    )

    @OptionGroup var node: NodeOptions

    func run() async throws {
        var isHealthy = true
        try await node.with { node, caller in
            for (name, fault) in try await node.databaseFaults() {
                emit("\(fault == nil ? "✓" : "✗") \(name) \(fault ?? say("完整", "sound"))")
                if fault != nil { isHealthy = false }
            }
            let verdict = try await node.kernel.gate.perform(node.kernel.administration.verifyEvidence, (), as: caller)
            emit(
                "\(verdict.fault == nil ? "✓" : "✗") \(say("存证", "evidence")) \(verdict.fault?[language] ?? say("\(verdict.records) 条，完整", "\(verdict.records) records, sound"))"
            )
            if verdict.fault != nil { isHealthy = false }
            let folder = try await Configuration.read(data: self.node.data, store: self.node.store).settings.folder
            let mode =
                (try? FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent("node.key").path)[
                    .posixPermissions
                ] as? Int) ?? 0
            emit(
                "\(mode & 0o077 == 0 ? "✓" : "✗") \(say("节点密钥只有本用户可读", "the node's key is readable by its user only"))"
            )
            if mode & 0o077 != 0 { isHealthy = false }
            emit("· \(say("签名密钥", "signing key")) \(node.kernel.key.fingerprint)")
            let office = FileManager.default.isExecutableFile(atPath: "/usr/bin/soffice")
            emit(
                "\(office ? "✓" : "·") LibreOffice \(office ? "" : say("未安装:.xls 与 .et 将被拒绝", "absent: .xls and .et are refused"))"
            )
        }
        if !isHealthy { throw ExitCode(1) }
    }
}

struct User: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: say("账号：建立、列表、密码、角色、接口密钥。", "Accounts: create, list, password, roles, API keys."),
        subcommands: [Create.self, List.self, Password.self, Roles.self, Key.self]
    )

    /// A password from the environment or the first line of standard input: never from the command line, which others can see.
    static func password() throws -> String {
        if let given = ProcessInfo.processInfo.environment["TONGQU_PASSWORD"], !given.isEmpty { return given }
        tell(say("请输入密码(或用 TONGQU_PASSWORD):", "Type the password (or set TONGQU_PASSWORD):"))
        return readLine() ?? ""
    }

    static let lasting = ArgumentHelp(
        say("密码长期有效，首次登录不必修改", "the password stays: it need not be changed at the first sign-in")
    )

    static func find(_ login: String, _ node: Node) async throws -> Principal {
        guard let principal = try await node.kernel.accounts.find(login: login) else {
            throw Problem.notFound(.init("账号", "the account"))
        }
        return principal
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("建立账号。", "Create an account."),
            discussion: say(
                "示例：TONGQU_PASSWORD=… tongqu user create zhangsan --name 张三 --role clerk",
                "Example: TONGQU_PASSWORD=… tongqu user create zhangsan --name 张三 --role clerk"
            )
        )
        @Argument var login: String
        @Option(help: ArgumentHelp(say("姓名", "the name"))) var name: String
        @Option(help: ArgumentHelp(say("机构编号(默认 1)", "the organisation's id (1)"))) var organisation: Int64 = 1
        @Option(help: ArgumentHelp(say("角色，可多次", "a role; may be repeated"))) var role: [String] = []
        @Flag(help: User.lasting) var lasting = false
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let roles = try Roles.parse(role, node)
                try Accounts.check(roles: roles)
                let id = try await node.kernel.gate.perform(
                    node.kernel.administration.createAccount,
                    .init(
                        login: login,
                        name: name,
                        organisation: OrganisationID(organisation),
                        password: try User.password(),
                        isLasting: lasting
                    ),
                    as: caller
                )
                if !roles.isEmpty {
                    try await node.kernel.gate.perform(node.kernel.administration.setRoles, (id, roles), as: caller)
                }
                emit(say("已建立账号 \(login)", "account \(login) created"))
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: say("列出账号。", "List accounts."))
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                for account in try await node.kernel.gate.perform(node.kernel.administration.accounts, (), as: caller) {
                    emit(
                        "\(account.id.raw)\t\(account.login)\t\(account.name)\t\(account.roles.map(\.rawValue).sorted().joined(separator: ","))\t\(account.isActive ? "" : say("停用", "disabled"))"
                    )
                }
            }
        }
    }

    struct Password: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("重置密码，并结束该账号的会话。", "Set a password and end the account's sessions.")
        )
        @Argument var login: String
        @Flag(help: User.lasting) var lasting = false
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let principal = try await User.find(login, node)
                try await node.kernel.gate.perform(
                    node.kernel.administration.setPassword,
                    (principal.id, try User.password(), isLasting: lasting),
                    as: caller
                )
                emit(say("已重置", "done"))
            }
        }
    }

    struct Roles: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say(
                "分配角色：\(Role.builtIn.map(\.rawValue).joined(separator: "、"))，或系统包声明的角色。",
                "Assign roles: \(Role.builtIn.map(\.rawValue).joined(separator: ", ")), or those that packs declare."
            )
        )
        @Argument var login: String
        @Argument var roles: [String] = []
        @OptionGroup var node: NodeOptions

        static func parse(_ names: [String], _ node: Node) throws -> Set<Role> {
            Set(try names.map { try node.kernel.gate.role(named: $0) })
        }

        func run() async throws {
            try await node.with { node, caller in
                let principal = try await User.find(login, node)
                try await node.kernel.gate.perform(
                    node.kernel.administration.setRoles,
                    (principal.id, try Roles.parse(roles, node)),
                    as: caller
                )
                emit(say("已分配", "done"))
            }
        }
    }

    struct Key: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("为账号建立接口密钥；只显示一次。", "Make an API key for an account; shown once.")
        )
        @Argument var login: String
        @Option(help: ArgumentHelp(say("用途", "what for"))) var note: String = ""
        @Option(help: ArgumentHelp(say("有效天数", "days"))) var days: Int = 90
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let principal = try await User.find(login, node)
                emit(
                    try await node.kernel.gate.perform(
                        node.kernel.administration.createKey,
                        (principal.id, note: note, days: days),
                        as: caller
                    )
                )
            }
        }
    }
}
