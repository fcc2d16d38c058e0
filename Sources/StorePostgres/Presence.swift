import Basics
import CPostgres
import Dispatch
import Glibc
public import Store
import Synchronization

/// What shows the other processes of a node that this one is there, and what it hears from them: a connection of its own that holds an
/// advisory lock of the process's number and listens. The server itself ends both when the process dies.
///
/// Triggers tell of changes in the transaction that makes them, so that none is missed however a process ends.
final class Presence: Sendable {
    let number: Int32
    private let settings: PostgresSettings
    private let state = Mutex(State())

    private struct State {
        var listeners: [@Sendable ((table: String, key: String)?) -> Void] = []
        var isStopped = false
    }

    /// The first half of the locks' keys, of the node's own: other nodes may lie in the same database (FNV-1a of the prefix).
    var lockClass: Int32 {
        let hash = settings.prefix.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return Int32(hash & 0x7FFF_FFFF)
    }

    init(_ settings: PostgresSettings, number: Int32) {
        self.settings = settings
        self.number = number
    }

    /// Begins; returns when the lock is held.
    func start() throws {
        let connection = try connected()
        let first = Handover(connection)
        let queue = DispatchQueue(label: "tongqu.postgresql.presence")
        queue.async { [self] in
            var connection = first.take()
            while !state.withLock(\.isStopped) {
                if let known = connection, hear(known) { continue }
                // Whatever was told meanwhile was missed.
                // Until it is heard again nothing that is remembered is trusted for longer than this.
                connection = nil
                tell(nil)
                usleep(500_000)
                connection = try? connected()
                if connection != nil { tell(nil) }
            }
        }
    }

    func stop() { state.withLock { $0.isStopped = true } }

    func listen(_ body: @escaping @Sendable ((table: String, key: String)?) -> Void) {
        state.withLock { $0.listeners.append(body) }
    }

    private func connected() throws -> PostgresConnection {
        do {
            let connection = try PostgresConnection(settings, process: number)
            try connection.run("SELECT pg_advisory_lock(\(lockClass), \(number))")
            try connection.run("LISTEN tongqu")
            return connection
        } catch let failure as PostgresFailure {
            throw failure.problem
        }
    }

    private func tell(_ changed: (table: String, key: String)?) {
        for body in state.withLock(\.listeners) { body(changed) }
    }

    /// Waits a second at the most for news; whether the connection still stands.
    private func hear(_ connection: PostgresConnection) -> Bool {
        var waiting = pollfd(fd: PQsocket(connection.handle), events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, 1000)
        guard PQconsumeInput(connection.handle) == 1, connection.isUsable else { return false }
        while let news = PQnotifies(connection.handle) {
            defer { PQfreemem(news) }
            // `schema.table:key@process`
            let text = String(cString: news.pointee.extra)
            let schema = text.prefix { $0 != "." }
            guard ["control", "evidence", "records", "lake"].contains(where: { schema == "\(settings.prefix)_\($0)" }),
                let at = text.lastIndex(of: "@"),
                text[text.index(after: at)...] != "tongqu \(number)",
                let dot = text.firstIndex(of: "."), let colon = text.firstIndex(of: ":")
            else { continue }
            tell((String(text[text.index(after: dot)..<colon]), String(text[text.index(after: colon)..<at])))
        }
        return true
    }

    /// Hands a connection to the thread that uses it from then on.
    private final class Handover: Sendable {
        private let connection: Mutex<PostgresConnection?>
        init(_ connection: sending PostgresConnection) { self.connection = Mutex(connection) }
        func take() -> PostgresConnection? {
            connection.withLock { held in
                defer { held = nil }
                return held.take()
            }
        }
    }
}

extension PostgresServer: SharedStore {
    public var process: String { String(presence.number) }

    public func connected() async throws -> Set<String> {
        let lockClass = presence.lockClass
        let rows = try await run("", .plain) { db in
            try db.rows(
                "SELECT CAST(objid AS BIGINT) FROM pg_locks WHERE locktype = 'advisory' AND granted AND CAST(classid AS BIGINT) = ? AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                [.integer(Int64(lockClass))]
            )
        }
        return Set(rows.map { $0.text(0) })
    }

    public func listen(_ body: @escaping @Sendable ((table: String, key: String)?) -> Void) { presence.listen(body) }

    /// Makes this process known to the others; before it takes any work.
    ///
    /// - Throws: `store.unavailable`.
    public func enter() throws { try presence.start() }
}
