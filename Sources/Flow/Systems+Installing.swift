import Basics
import Kernel
import Store

extension Systems {
    /// Runs an installation while no other process of the node runs one: two that start together would each make a pack's resources.
    /// A process that ended without a word holds nobody up.
    ///
    /// - Throws: `pack.busy` after two minutes, and what the body throws.
    public func installing<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        let shared = kernel.databases.shared
        let name = shared?.process ?? ""
        for attempt in 0... {
            let connected = try await shared?.connected() ?? []
            if try await take(name, connected) { break }
            guard attempt < 240 else {
                throw Problem(
                    "pack.busy",
                    status: 409,
                    zh: "节点的另一个进程正在安装系统包。",
                    en: "Another process of the node is installing packs."
                )
            }
            try await Task.sleep(for: .milliseconds(500))
        }
        // What another process installed in the meantime is looked at anew.
        heard()
        do {
            let result = try await body()
            try await release(name)
            return result
        } catch {
            try? await release(name)
            throw error
        }
    }

    /// Takes the place of who installs; false where another process has it.
    private func take(_ name: String, _ connected: Set<String>) async throws -> Bool {
        do {
            return try await kernel.databases.control.write { db in
                let other = try db.row("SELECT process FROM system_installations WHERE place = 1")?.text(0)
                // A row of a process that is gone is left over; a store of one process has no others.
                guard other == nil || other == name || !connected.contains(other ?? "") else { return false }
                try db.execute("DELETE FROM system_installations")
                try db.execute("INSERT INTO system_installations (place, process) VALUES (1, ?)", [.text(name)])
                return true
            }
        } catch let problem as Problem where problem.code == "store.conflict" {
            // Another took it in the same moment.
            return false
        }
    }

    private func release(_ name: String) async throws {
        try await kernel.databases.control.write { db in
            try db.execute("DELETE FROM system_installations WHERE process = ?", [.text(name)])
        }
    }
}
