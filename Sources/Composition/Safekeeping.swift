import StorePostgres
import Basics
public import Connect
public import Foundation
import Kernel

/// Where, how often and how many backups a node makes of itself.
public struct SafekeepingSettings: Sendable {
    /// The folder that holds a folder for each backup.
    public var folder: URL
    /// Hours between backups; 0 for none but those asked for.
    public var hours: Int
    /// Backups kept; older ones go after a new one is sound.
    public var keep: Int
    /// Seals the node's key in backups.
    public var passphrase: String?
    /// Another machine that gets a copy of each backup, and from which drills restore.
    public var remote: SFTPPlace?

    public init(folder: URL, hours: Int = 0, keep: Int = 7, passphrase: String? = nil, remote: SFTPPlace? = nil) {
        self.remote = remote
        self.folder = folder
        self.hours = max(0, hours)
        self.keep = max(1, keep)
        self.passphrase = passphrase
    }
}

/// Backups that the node makes while it runs, and drills of restoring them.
struct Safekeeping: Sendable {
    unowned let node: Node
    let data: URL
    let settings: SafekeepingSettings

    func registerJobs() {
        // What a stopped process left half-made; with several at work it may be another's.
        if node.store.server == nil { sweep { _ in true } }
        // Another machine's answer holds no load up.
        let lane: Jobs.Lane = settings.remote == nil ? .inside : .outside
        node.kernel.jobs.register(Administration.backupJob, lane: lane) { _, _ in try await backUp() }
        node.kernel.jobs.register(Administration.drillJob, lane: lane) { _, _ in try await drill() }
    }

    /// Removes what drills and backups left half-made in the folder, of the processes that a closure names as gone.
    private func sweep(_ isGone: (String) -> Bool) {
        let found = try? FileManager.default.contentsOfDirectory(at: settings.folder, includingPropertiesForKeys: nil)
        for url in found ?? [] {
            let name = url.lastPathComponent
            let isDrill = name.hasPrefix("drill-") && isGone(String(name.dropFirst(6).prefix { $0 != "-" }))
            if isDrill || url.pathExtension == "part" && node.store.server == nil {
                try? FileManager.default.removeItem(at: url)
            }
        }
    }

    /// Removes what processes that died during a drill left, on the server and in the folder.
    func sweep() async throws {
        guard let server = node.store.server else { return }
        let living = try await server.connected()
        sweep { !living.contains($0) }
        try await server.sweep()
    }

    /// Queues a backup when the last one, sound or not, is older than the settings allow.
    func keepUp() async throws {
        guard settings.hours > 0 else { return }
        let jobs = node.kernel.jobs
        let last = try await jobs.recent(kinds: [Administration.backupJob], limit: 1).first
        let due = (last?.createdAt ?? 0) + Int64(settings.hours) * 3_600_000_000
        guard node.kernel.clock.now() >= due, let principal = try await node.kernel.accounts.find(login: "command-line")
        else { return }
        _ = try await node.kernel.gate.perform(
            node.kernel.administration.backUp,
            Administration.backupJob,
            as: Caller(principal: principal, trace: "schedule")
        )
    }

    private func backUp() async throws -> JSONValue {
        let started = ContinuousClock.now
        // To the millisecond: 20261121130510298.
        let name = CivilTime.timestamp(node.kernel.clock.now()).prefix { $0 != "+" }.filter(\.isNumber).prefix(17)
        let target = settings.folder.appendingPathComponent("backup-\(name)")
        let manifest = try await Backup.create(node, from: data, to: target, passphrase: settings.passphrase)
        try await Backup.verify(target)
        prune()
        if let remote = settings.remote { try await send(target, to: SFTPStore(remote)) }
        return .object([
            .init("folder", .string(target.lastPathComponent)), .init("files", .integer(Int64(manifest.files.count))),
            .init("bytes", .integer(manifest.files.reduce(0) { $0 + $1.size })),
            .init("remote", settings.remote.map { .string($0.host) } ?? .null),
            .init("signer", .string(manifest.signer)), .init("key_sealed", .boolean(!manifest.holdsPlainKey)),
            .init("seconds", .real(Safekeeping.seconds(since: started))),
        ])
    }

    /// Copies a backup to the other machine and verifies the copy by reading it back; older copies go.
    private func send(_ backup: URL, to store: SFTPStore) async throws {
        try await store.put(backup)
        let place = temporary()
        defer { try? FileManager.default.removeItem(at: place) }
        let copy = place.appendingPathComponent(backup.lastPathComponent)
        try await store.fetch(backup.lastPathComponent, to: copy)
        try await Backup.verify(copy)
        let kept = try await store.names().filter { $0.hasPrefix("backup-") && !$0.hasSuffix(".part") }
        for old in kept.sorted(by: >).dropFirst(settings.keep) { try await store.remove(old) }
    }

    /// A folder of its own, gone afterwards and cleared at the next start.
    private func temporary() -> URL {
        let owner = node.store.server?.process ?? "0"
        let name = "drill-\(owner)-\(TimeOrderedID.make(microseconds: node.kernel.clock.now()))"
        return settings.folder.appendingPathComponent(name)
    }

    /// The folders of backups, newest first.
    private func backups() -> [URL] {
        let found = try? FileManager.default.contentsOfDirectory(
            at: settings.folder,
            includingPropertiesForKeys: nil
        )
        return (found ?? []).filter { $0.lastPathComponent.hasPrefix("backup-") && $0.pathExtension != "part" }.sorted {
            $0.lastPathComponent > $1.lastPathComponent
        }
    }

    private func prune() {
        for old in backups().dropFirst(settings.keep) { try? FileManager.default.removeItem(at: old) }
    }

    /// Restores the newest backup beside the node, opens it, verifies its evidence, and measures: how old the data would be (RPO) and how
    /// long it took (RTO). The copy goes afterwards.
    private func drill() async throws -> JSONValue {
        let started = ContinuousClock.now
        let place = temporary()
        let fetched = temporary()
        defer { for folder in [place, fetched] { try? FileManager.default.removeItem(at: folder) } }
        let none = Problem("backup.none", status: 409, zh: "还没有备份，无法演练。", en: "There is no backup to restore.")
        var found = backups().first
        if let remote = settings.remote {
            // The copy that would be left after a disaster is the one to try.
            let store = SFTPStore(remote)
            let names = try await store.names().filter { $0.hasPrefix("backup-") && !$0.hasSuffix(".part") }
            guard let newest = names.max() else { throw none }
            found = fetched.appendingPathComponent(newest)
            try await store.fetch(newest, to: fetched.appendingPathComponent(newest))
        }
        guard let backup = found else { throw none }
        let (manifest, verdict) = try await node.store.beside { store in
            let manifest = try await Backup.restore(backup, to: place, passphrase: settings.passphrase, store: store)
            let restored = try await Node.open(NodeSettings(folder: place, vendorFolder: place, store: store))
            do {
                let verdict = try await restored.kernel.evidence.verify()
                try await restored.close()
                return (manifest, verdict)
            } catch {
                try? await restored.close()
                throw error
            }
        }
        if let fault = verdict.fault {
            throw Problem(
                "backup.evidence",
                status: 500,
                zh: "恢复出的存证不完整：\(fault.zh)",
                en: "The restored evidence is not sound: \(fault.en)"
            )
        }
        let moment = Array(manifest.at.utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }
        let age = moment.map { Double(node.kernel.clock.now() - $0) / 1e6 } ?? 0
        return .object([
            .init("folder", .string(backup.lastPathComponent)), .init("records", .integer(Int64(verdict.records))),
            .init("rpo_seconds", .real(age.rounded())),
            .init("rto_seconds", .real(Safekeeping.seconds(since: started))),
        ])
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        let elapsed = (ContinuousClock.now - start).components
        return ((Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18) * 100).rounded() / 100
    }
}
