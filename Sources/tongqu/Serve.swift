import ArgumentParser
import Basics
import Composition
import Foundation
import Glibc
import Hummingbird
import Kernel
import Logging
import ServiceLifecycle
import Web

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: say("启动节点。", "Start a node."),
        discussion: say(
            "示例：tongqu serve --data ./data --port 8080 --demo\nCtrl-C 或 SIGTERM 停止：正在处理的请求完成，存证封存，数据库关闭。",
            "Example: tongqu serve --data ./data --port 8080 --demo\nCtrl-C or SIGTERM stops it: requests under way end, evidence is sealed, databases close."
        )
    )

    @OptionGroup var node: NodeOptions
    @Option(help: ArgumentHelp(say("端口(默认 8080)", "the port (8080)"))) var port: Int?
    @Option(help: ArgumentHelp(say("地址(默认 127.0.0.1)", "the address (127.0.0.1)"))) var host: String?
    @Flag(help: ArgumentHelp(say("空节点装入演示内容", "put the demonstration into an empty node"))) var demo = false
    @Option(
        help: ArgumentHelp(
            say("系统包所在目录，可多次；启动时安装或升级", "a folder of packs, installed or upgraded at the start; may be repeated")
        )
    )
    var packs: [String] = []
    @Flag(help: ArgumentHelp(say("只提供公众页面与接口", "offer the public's pages and API only"))) var publicOnly = false

    func run() async throws {
        try await carry {
            let started = ContinuousClock.now
            let settings = try await Configuration.read(
                data: node.data,
                store: node.store,
                port: port,
                host: host,
                isPublicOnly: publicOnly
            )
            let isTerminal = isatty(2) == 1
            let level = settings.logLevel.flatMap { Logger.Level(rawValue: $0) } ?? (isTerminal ? .notice : .info)
            LoggingSystem.bootstrap { JSONLogHandler(label: $0, logLevel: level) }
            defer { LogLines.shared.flush() }
            let logger = Logger(label: "tongqu")
            let node = try await Node.open(settings.settings)
            let accounts =
                demo
                ? try await Demonstration.install(
                    node,
                    packs: settings.packs,
                    password: settings.demonstrationPassword
                ) : nil
            for folder in packs {
                // A pack that is not right stops nothing: the node goes on with what it has, and says what is wrong.
                do {
                    let (_, refused) = try await SystemPacks.install(node, from: URL(fileURLWithPath: folder))
                    for pack in refused { tell("\(pack.folder): \(pack.problem.text(language))") }
                } catch let problem as Problem {
                    tell(problem.text(language))
                }
            }
            let web = WebApplication(services: node.services, logger: logger)
            let application = Application(
                responder: web.responder(),
                server: web.server(),
                configuration: .init(address: .hostname(settings.host, port: settings.port), serverName: "tongqu"),
                services: [NodeService(node: node), TimeKeeper(requests: web.running)],
                onServerRunning: { channel in
                    let port = channel.localAddress?.port ?? settings.port
                    let elapsed = ContinuousClock.now - started
                    announce(settings.host, port, elapsed, accounts)
                },
                logger: logger
            )
            try await application.runService()
            try await node.close()
            tell(say("已停止。", "Stopped."))
        }
    }
}

/// Says where the node is and, with a new demonstration, who can sign in.
func announce(_ host: String, _ port: Int, _ elapsed: Duration, _ accounts: Demonstration.Accounts?) {
    let milliseconds = elapsed.components.seconds * 1000 + elapsed.components.attoseconds / 1_000_000_000_000_000
    tell(
        say(
            "通衢已启动：http://\(host):\(port)(\(milliseconds) 毫秒)",
            "Tongqu is running: http://\(host):\(port) (\(milliseconds) ms)"
        )
    )
    guard let accounts else { return }
    tell(say("演示账号：", "Demonstration accounts:"))
    for (login, title) in accounts.logins { tell("  \(login)  \(title[language])") }
    if let password = accounts.password {
        tell(say("  密码：\(password)", "  password: \(password)"))
    } else {
        tell(
            say(
                "  密码在首次启动时显示；可用 TONGQU_DEMO_PASSWORD 或 tongqu user password 重设。",
                "  the password was shown at the first start; set another with TONGQU_DEMO_PASSWORD or tongqu user password."
            )
        )
    }
}

/// The node's work beside requests, as a service that stops with the server.
struct NodeService: Service {
    let node: Node

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await node.runServices() }
        } catch is CancellationError {
            return
        }
    }
}

/// Ends what takes too long, until the server stops.
struct TimeKeeper: Service {
    let requests: RunningRequests

    func run() async throws {
        do { try await cancelWhenGracefulShutdown { try await requests.keepTime() } } catch is CancellationError {
            return
        }
    }
}

/// One JSON object a line.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(label: String, logLevel: Logger.Level) {
        self.label = label
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.key("at")
        writer.timestamp(Clock.system.now())
        writer.key("level")
        writer.string(event.level.rawValue)
        writer.key("message")
        writer.string(event.message.description)
        let own = event.metadata ?? [:]
        let told = metadata.isEmpty ? own : metadata.merging(own, uniquingKeysWith: { $1 })
        for key in told.keys.sorted() {
            writer.key(key)
            if case .string(let text)? = told[key] {
                writer.string(text)
            } else {
                writer.string(told[key]?.description ?? "")
            }
        }
        writer.endObject()
        writer.bytes.append(0x0A)
        LogLines.shared.append(writer.bytes, isUrgent: event.level >= .warning)
    }
}
