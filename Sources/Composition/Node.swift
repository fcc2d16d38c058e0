import Harvest
public import Basics
public import Catalogue
public import Collect
public import Derive
import Connect
public import Flow
public import Foundation
import Glibc
public import Kernel
public import Lake
public import Open
public import Quality
import Store
public import Web
public import Webhooks

/// What a node is started with.
public struct NodeSettings: Sendable {
    /// Where everything the node keeps lies.
    public var folder: URL
    /// The folder of third-party scripts and styles.
    public var vendorFolder: URL
    public var isPublicOnly: Bool
    public var isSecure: Bool
    public var title: LocalizedText?
    /// Where others reach the node; nil takes each request's own address.
    public var address: String?
    /// Requests of one address a minute; 0 for any number.
    public var requestsPerMinute: Int
    /// Seconds that a reading may take until its answer begins.
    public var requestSeconds: Int
    /// Versions of a resource kept at the most; 0 for all.
    public var keptVersions: Int
    /// How events are kept and sent.
    public var webhooks: WebhookSettings
    /// Backups; by default beside the data directory, when asked for.
    public var safekeeping: SafekeepingSettings
    /// The folders of this machine that sources may read; by default `drop` in the data directory.
    public var dropFolders: [URL]
    /// What makes PDF of documents; nil for nothing.
    public var chromium: URL?
    /// Where the rows lie.
    public var store: StoreSettings

    public init(
        folder: URL,
        vendorFolder: URL,
        isPublicOnly: Bool = false,
        isSecure: Bool = false,
        title: LocalizedText? = nil,
        address: String? = nil,
        requestsPerMinute: Int = 6000,
        requestSeconds: Int = 120,
        keptVersions: Int = 0,
        webhooks: WebhookSettings = WebhookSettings(),
        safekeeping: SafekeepingSettings? = nil,
        dropFolders: [URL]? = nil,
        store: StoreSettings = .sqlite,
        chromium: URL? = nil
    ) {
        self.chromium = chromium
        self.store = store
        self.dropFolders = dropFolders ?? [folder.appendingPathComponent("drop")]
        self.safekeeping =
            safekeeping
            ?? SafekeepingSettings(
                folder: folder.deletingLastPathComponent().appendingPathComponent("\(folder.lastPathComponent)-backups")
            )
        self.folder = folder
        self.vendorFolder = vendorFolder
        self.isPublicOnly = isPublicOnly
        self.isSecure = isSecure
        self.title = title
        self.address = address
        self.requestsPerMinute = requestsPerMinute
        self.requestSeconds = requestSeconds
        self.keptVersions = keptVersions
        self.webhooks = webhooks
    }
}

extension NodeSettings {
    /// Where Chromium is, by a setting: a path, `none`, or nothing for the usual places.
    public static func chromium(_ setting: String) -> URL? { PaperPrinter.program(setting) }

    /// For the settings page.
    var described: [(name: String, title: LocalizedText, value: String)] {
        [
            ("TONGQU_DATA", .init("数据目录", "data directory"), folder.path),
            ("TONGQU_STORE", .init("存储引擎", "store"), store.described),
            ("TONGQU_ADDRESS", .init("对外地址", "public address"), address ?? ""),
            ("TONGQU_RATE_LIMIT", .init("每地址每分钟请求数", "requests of an address a minute"), String(requestsPerMinute)),
            ("TONGQU_REQUEST_SECONDS", .init("每次查询的时限(秒)", "seconds that a reading may take"), String(requestSeconds)),
            ("TONGQU_VERSIONS_KEPT", .init("保留的历史版本数", "versions kept"), String(keptVersions)),
            ("TONGQU_EVENT_DAYS", .init("事件保留天数", "days for which events are kept"), String(webhooks.keptDays)),
            (
                "TONGQU_WEBHOOK_NETWORKS", .init("可推送的内部网络", "inner networks that events may be sent to"),
                webhooks.networksText
            ),
            (
                "TONGQU_WEBHOOK_HTTP", .init("可向 http 地址推送", "events may be sent over http"),
                webhooks.policy.allowsHTTP ? "true" : "false"
            ),
            (
                "TONGQU_WEBHOOK_DAYS", .init("推送失败多少天后中止", "days after which a failing subscription is suspended"),
                String(webhooks.givingUpDays)
            ),
            ("TONGQU_PUBLIC_ONLY", .init("只对公众", "public only"), isPublicOnly ? "true" : "false"),
            ("TONGQU_SECURE", .init("仅经 TLS 的 Cookie", "cookies over TLS only"), isSecure ? "true" : "false"),
            ("TONGQU_BACKUP_FOLDER", .init("备份目录", "folder of backups"), safekeeping.folder.path),
            ("TONGQU_BACKUP_HOURS", .init("备份间隔(小时)", "hours between backups"), String(safekeeping.hours)),
            ("TONGQU_BACKUP_KEEP", .init("保留备份数", "backups kept"), String(safekeeping.keep)),
            ("TONGQU_CHROMIUM", .init("生成 PDF 的 Chromium", "Chromium that makes PDF"), chromium?.path ?? ""),
            (
                "TONGQU_DROP_FOLDERS", .init("可归集的本机目录", "folders that may be collected from"),
                dropFolders.map(\.path).joined(separator: ":")
            ),
        ]
    }
}

/// A node: every part of it, wired together in one place.
public final class Node: Sendable {
    public let kernel: Kernel
    public let lake: Lake
    public let catalogue: Catalogue
    public let opening: Opening
    public let quality: QualityStore
    public let uploads: Uploads
    public let sources: Sources
    public let harvests: Harvests
    public let derivations: Derivations
    public let subscriptions: Subscriptions
    public let flows: Flows
    public let services: Services
    let lock: DirectoryLock?
    let store: NodeStore
    private let neighbours: Neighbours?
    let settings: NodeSettings

    /// Opens a data directory, new or old.
    ///
    /// - Throws: `node.locked` where another process uses it, `store.*`.
    public static func open(
        _ settings: NodeSettings,
        clock: Clock = .system,
        faults: Lake.FaultPlan = .init()
    ) async throws -> Node {
        try BundledSystems.add()
        try FileManager.default.createDirectory(
            at: settings.folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let mark = settings.folder.appendingPathComponent(StoreCopy.mark)
        if settings.store == .sqlite, let place = FileManager.default.contents(atPath: mark.path) {
            throw Problem(
                "node.moved",
                status: 409,
                zh: "这个节点已迁移到 PostgreSQL，不能再用 SQLite 打开。",
                en: "This node was moved to PostgreSQL and is not opened on SQLite any more.",
                details: ["store": String(decoding: place, as: UTF8.self)],
                hint: .init(
                    "请用 --store 给出地址；确要退回时删除 \(StoreCopy.mark)。",
                    "Give the address with --store; to go back all the same, delete \(StoreCopy.mark)."
                )
            )
        }
        let lock = try DirectoryLock(settings.folder, isShared: settings.store != .sqlite)
        let store = try await NodeStore.open(settings.store, folder: settings.folder)
        do {
            let node = try await store.alone {
                try await Node(store, try nodeKey(settings.folder), settings, clock, faults, lock)
            }
            try await BundledPacks.install(node)
            return node
        } catch {
            await store.close()
            throw error
        }
    }

    private init(
        _ store: NodeStore,
        _ key: NodeKey,
        _ settings: NodeSettings,
        _ clock: Clock,
        _ faults: Lake.FaultPlan,
        _ lock: DirectoryLock?
    ) async throws {
        self.lock = lock
        self.store = store
        self.settings = settings
        kernel = try await Kernel(
            databases: store.databases,
            key: key,
            clock: clock,
            migrations: Node.capabilityMigrations
        )
        if store.databases.shared != nil { try await Node.checkKey(kernel) }
        lake = try await Lake(
            kernel: kernel,
            folder: settings.folder,
            keptVersions: settings.keptVersions,
            recordMigrations: Flows.recordMigrations,
            faults: faults
        )
        let catalogue = try await Catalogue(kernel: kernel)
        self.catalogue = catalogue
        quality = QualityStore(kernel: kernel)
        let lake = lake
        opening = Opening(kernel: kernel, kinds: { try await lake.personalKinds($0) }) { code in
            try await catalogue.opennessChanged(code)
        }
        let uploadFolder = settings.folder.appendingPathComponent("uploads")
        uploads = Uploads(kernel: kernel, folder: uploadFolder)
        let shared = store.databases.shared
        var temporary = settings.folder.appendingPathComponent("temporary")
        let living = try await shared?.connected() ?? []
        // What was being received when a process stopped was never acknowledged.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: temporary.path)) ?? []
        where !living.contains(name) {
            try? FileManager.default.removeItem(at: temporary.appendingPathComponent(name))
        }
        if let shared { temporary = temporary.appendingPathComponent(shared.process) }
        try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
        let lakeActions = LakeActions(lake)
        sources = Sources(kernel: kernel, lake: lakeActions, folder: uploadFolder, roots: settings.dropFolders)
        var web = WebSettings(
            isPublicOnly: settings.isPublicOnly,
            isSecure: settings.isSecure,
            vendorFolder: settings.vendorFolder.path,
            temporaryFolder: temporary.path
        )
        if let title = settings.title { web.title = title }
        web.address = settings.address
        web.requestsPerMinute = settings.requestsPerMinute
        web.requestSeconds = settings.requestSeconds
        web.described = settings.described
        harvests = Harvests(catalogue: catalogue) { address, kind in
            try await PageSource.bytes(
                address,
                accept: kind == .dcat ? "application/ld+json" : kind == .csv ? "text/csv, */*" : "application/json"
            )
        }
        let derivations = Derivations(kernel: kernel, lake: lakeActions, folder: temporary)
        self.derivations = derivations
        lake.deriving(by: derivations.rows)
        catalogue.checking { resource, content in
            var next = resource
            next.schema = content.schema
            next.sharing = content.items.map(\.sharing)
            try await derivations.check(next)
        }
        subscriptions = Subscriptions(kernel: kernel, settings: settings.webhooks, address: settings.address)
        let systems = Systems(kernel: kernel)
        flows = Flows(
            kernel: kernel,
            lake: lake,
            reading: lakeActions,
            systems: systems,
            folder: settings.folder.appendingPathComponent("attachments"),
            printer: settings.chromium.map { PaperPrinter.chromium($0) }
        )
        lake.governing { await systems.governs($0) }
        services = Services(
            kernel: kernel,
            catalogue: CatalogueActions(catalogue),
            lake: lakeActions,
            opening: OpenActions(opening),
            quality: quality,
            uploads: uploads,
            sources: sources,
            harvests: harvests,
            derivations: derivations,
            subscriptions: subscriptions,
            flows: flows,
            settings: web
        )
        neighbours = Neighbours(kernel, lake, catalogue, derivations, systems)
        lakeActions.registerJobs()
        sources.registerJobs()
        harvests.registerJobs()
        derivations.registerJobs()
        flows.registerJobs()
        try await sources.recover()
        try await subscriptions.recover()
        catalogue.registerJobs()
        try await catalogue.keepUp()
        let quality = quality
        lake.subscribe { event in
            let card = try await quality.take(event)
            try await catalogue.attached(event.resource, rows: event.rows, at: event.at, score: card.total)
        }
        let kernel = kernel
        lake.subscribe { try await Node.note($0, kernel) }
        safekeeping.registerJobs()
        // An account that may not even ask is told so when it tries a drill.
        try? await safekeeping.sweep()
        try await lake.deliver()
        try await tellCounts(all: true)
    }

    private static let capabilityMigrations =
        Catalogue.migrations + Opening.migrations + QualityStore.migrations + Uploads.migrations + Sources.migrations
        + FormerFeedback.migrations + Harvests.migrations + Derivations.migrations + Subscriptions.migrations
        + Systems.migrations

    /// The steps of each database's schema.
    static let migrations: [String: [Migration]] = [
        "control": Kernel.migrations + capabilityMigrations, "evidence": EvidenceChain.migrations,
        "records": Lake.migrations + Flows.recordMigrations, "lake": Lake.migrations,
    ]

    /// Puts a load into the log of events: once, however often it is told.
    private static func note(_ event: LoadedEvent, _ kernel: Kernel) async throws {
        let resource = try await kernel.resource(event.resource)
        var members: [JSONValue.Member] = [
            .init("load", .integer(event.load)), .init("mode", .string(event.mode.rawValue)),
            .init("loaded", .integer(event.good)), .init("rows", .integer(event.rows)),
        ]
        // A replacing load is the version that others address.
        if event.mode == .replace { members.append(.init("version", .integer(event.load))) }
        let told = members
        let id = kernel.key.identifier(of: "load \(resource.storage.rawValue) \(event.load)")
        try await kernel.databases.control.write { db in
            try EventLog.note(.loaded, resource, told, id: id, at: event.at, db)
        }
    }

    private var safekeeping: Safekeeping {
        Safekeeping(node: self, data: settings.folder, settings: settings.safekeeping)
    }

    private func tellCounts(all: Bool = false) async throws {
        try await lake.tellCounts(all: all) { [catalogue] resource, rows, at in
            try await catalogue.attached(resource, rows: rows, at: at, score: nil)
        }
    }

    /// A store belongs to the data directory whose key it knows: another's key would sign what nobody can verify.
    private static func checkKey(_ kernel: Kernel) async throws {
        let own = kernel.key.fingerprint
        let known = try await kernel.databases.control.write { db in
            try db.execute(
                "INSERT INTO settings (name, value) VALUES ('node.key', ?) ON CONFLICT (name) DO NOTHING",
                [.text(own)]
            )
            return try db.row("SELECT value FROM settings WHERE name = 'node.key'")?.text(0)
        }
        guard known == own else {
            throw Problem(
                "node.key_differs",
                status: 409,
                zh: "这个存储属于另一个数据目录(节点密钥不同)。",
                en: "The store belongs to another data directory: the node's key is another.",
                hint: .init(
                    "同一节点的各进程须用同一个数据目录；请核对 --data 与 --store。",
                    "All processes of a node use one data directory; look at --data and --store."
                )
            )
        }
    }

    /// The node's signing key; made on the first start, readable by its user only.
    private static func nodeKey(_ folder: URL) throws -> NodeKey {
        let file = folder.appendingPathComponent("node.key")
        if let data = FileManager.default.contents(atPath: file.path) { return try NodeKey.read(der: Array(data)) }
        let (key, der) = try NodeKey.generate()
        guard
            FileManager.default.createFile(
                atPath: file.path,
                contents: Data(der),
                attributes: [.posixPermissions: 0o600]
            )
        else {
            throw Problem("store.disk", status: 507, zh: "无法写入节点密钥。", en: "The node's key cannot be written.")
        }
        return key
    }

    /// Work that goes on beside requests: jobs, evidence, counts. Ends when the task is cancelled.
    public func runServices() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.kernel.jobs.run() }
            group.addTask { try await self.keepEvidence() }
            group.addTask { try await self.catalogue.warm() }
            // Until then tables are served by the indexes they have; what cannot be made now is made at the next start.
            group.addTask { try? await self.lake.renewShapes() }
            group.addTask { await self.subscriptions.run() }
            for try await _ in group {}
        }
    }

    private func keepEvidence() async throws {
        var seconds = 0
        var isLeader = neighbours == nil
        while !Task.isCancelled {
            try await Task.sleep(for: .seconds(1))
            seconds += 1
            // A full disk, a busy database, a server that is away: it is tried again the next time, and ends nothing.
            try? await kernel.evidence.flush()
            if seconds % 5 == 0 {
                try? await tellCounts()
                isLeader = (try? await neighbours?.look()) ?? (neighbours == nil)
                if isLeader {
                    try? await sources.keepUp()
                    try? await harvests.keepUp()
                    try? await derivations.keepUp()
                    try? await flows.keepUp()
                }
            }
            if seconds % 60 == 0 {
                try? await kernel.gate.flushPublicReads()
                if isLeader {
                    try? await safekeeping.keepUp()
                    try? await subscriptions.prune()
                }
            }
            if seconds % 3600 == 0 {
                try? await kernel.evidence.seal()
                if neighbours != nil { try? await lake.recover(living: store.databases.shared?.connected()) }
            }
        }
    }

    /// Examines the databases; what is wrong with each, nil for a sound one.
    public func databaseFaults() async throws -> [(name: String, fault: String?)] { try await store.faults() }

    /// Seals the evidence and closes the databases.
    public func close() async throws {
        var failure: (any Error)?
        do {
            try await tellCounts()
            try await kernel.close()
        } catch { failure = error }
        await store.close()
        lock?.release()
        if let failure { throw failure }
    }
}

/// One process at a time uses a data directory.
final class DirectoryLock: Sendable {
    let descriptor: Int32

    /// Several processes of one node on a server share the directory of its files; on SQLite it is one process's.
    init(_ folder: URL, isShared: Bool) throws {
        descriptor = Glibc.open(folder.appendingPathComponent("node.lock").path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Problem(
                "store.unavailable",
                status: 503,
                zh: "数据目录不可写。",
                en: "The data directory cannot be written.",
                details: ["folder": folder.path]
            )
        }
        guard flock(descriptor, (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 else {
            Glibc.close(descriptor)
            throw Problem(
                "node.locked",
                status: 409,
                zh: "数据目录正被另一个通衢进程使用。",
                en: "Another Tongqu process uses the data directory.",
                hint: .init("节点运行时请用网页或接口操作，或先停止节点。", "Use the pages or the API while the node runs, or stop it first.")
            )
        }
    }

    /// Lets others use the directory before the object goes.
    func release() { flock(descriptor, LOCK_UN) }

    deinit { Glibc.close(descriptor) }
}
