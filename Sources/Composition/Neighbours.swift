import Basics
import Catalogue
import Derive
import Flow
import Kernel
import Lake
import Store
import Synchronization

/// What a node does about the other processes that share its store: it drops what it remembers when they change it, and takes up the
/// work of those that died. Nothing of it happens on SQLite.
final class Neighbours: Sendable {
    private let kernel: Kernel
    private let lake: Lake
    private let catalogue: Catalogue
    private let derivations: Derivations
    private let systems: Systems
    private let shared: any SharedStore
    private let heard = Mutex(Heard())
    /// The processes that had work under way at the last look and were not there.
    private let missing = Mutex<Set<String>>([])

    private struct Heard {
        var grants = false
        var standards = false
        var everything = false
        var entries: Set<Int64> = []
        var codes: Set<String> = []
        var isRunning = false
    }

    init?(_ kernel: Kernel, _ lake: Lake, _ catalogue: Catalogue, _ derivations: Derivations, _ systems: Systems) {
        guard let shared = kernel.databases.shared else { return nil }
        self.kernel = kernel
        self.lake = lake
        self.catalogue = catalogue
        self.derivations = derivations
        self.systems = systems
        self.shared = shared
        shared.listen { [weak self] changed in self?.hear(changed) }
        // Whatever was told before anybody listened.
        note { $0.everything = true }
    }

    private func hear(_ changed: (table: String, key: String)?) {
        switch changed?.table {
        case "grants", "organisations": note { $0.grants = true }
        case "standards": note { $0.standards = true }
        case "resources":
            kernel.heard(changed)
            catalogue.heardOfEntries()
            note { heard in _ = (changed?.key).map { heard.codes.insert($0) } }
        case "derivations": derivations.heard()
        case "systems", "system_settings":
            systems.heard()
            note { $0.grants = true }
        case "entries":
            catalogue.heardOfEntries()
            note { heard in _ = Int64(changed?.key ?? "").map { heard.entries.insert($0) } }
        case "tables": lake.heard(resource: Int64(changed?.key ?? ""))
        case nil: note { $0.everything = true }
        default: kernel.heard(changed)
        }
    }

    /// Gathers what needs a look into the database: many changes at once are looked up once.
    private func note(_ body: (inout Heard) -> Void) {
        let begins = heard.withLock { heard in
            body(&heard)
            defer { heard.isRunning = true }
            return !heard.isRunning
        }
        guard begins else { return }
        Task { [weak self] in
            while let next = self?.next() {
                // A database that does not answer now is asked again.
                do { try await self?.look(next) } catch {
                    self?.note { $0.everything = true }
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }

    private func next() -> Heard? {
        heard.withLock { heard in
            guard heard.grants || heard.standards || heard.everything || !heard.entries.isEmpty || !heard.codes.isEmpty
            else {
                heard.isRunning = false
                return nil
            }
            defer { heard = Heard(isRunning: true) }
            return heard
        }
    }

    private func look(_ heard: Heard) async throws {
        if heard.everything {
            kernel.heard(nil)
            catalogue.heardOfEntries()
            lake.heard(resource: nil)
            derivations.heard()
            systems.heard()
        }
        if heard.grants || heard.everything { try await kernel.gate.reload() }
        if heard.standards || heard.everything || !heard.entries.isEmpty || !heard.codes.isEmpty {
            try await catalogue.heard(
                entries: heard.everything ? nil : Array(heard.entries),
                codes: Array(heard.codes),
                standards: heard.standards || heard.everything
            )
        }
    }

    /// Looks who is there; called each few seconds. Takes up what the dead left, and says whether this process does the node's
    /// scheduled work: one of them does.
    func look() async throws -> Bool {
        try await kernel.jobs.reclaim()
        let living = try await shared.connected()
        guard living.compactMap({ Int($0) }).min().map(String.init) == shared.process else { return false }
        let orphaned = try await kernel.jobs.workers().subtracting(living)
        // Missing at two looks: a connection may be lost for a moment.
        let dead = missing.withLock { missing in
            defer { missing = orphaned }
            return missing.intersection(orphaned)
        }
        if !dead.isEmpty {
            // Who is missing only now may be connecting again.
            let spared = living.union(orphaned.subtracting(dead))
            try await kernel.jobs.recover(living: spared)
            try await lake.recover(living: spared)
        }
        return true
    }
}
