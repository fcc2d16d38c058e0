import GRDB
import Store
import Synchronization

/// Connections for single short reads, run on the thread that asks: no transaction is begun, no other thread woken.
///
/// They are opened as they are needed. A connection is one reader's at a time, so nobody waits for another's.
final class GlanceConnections: Sendable {
    private struct State {
        var idle: [DatabaseQueue] = []
        var opened = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let path: String
    private let configuration: Configuration
    private let limit: Int

    init(path: String, configuration: Configuration, limit: Int) {
        self.path = path
        self.configuration = configuration
        self.limit = limit
    }

    /// What a closure finds; nil where no connection is free.
    func run<T>(_ body: (any SQLReading) throws -> T) throws -> T? {
        guard let connection = take() else { return nil }
        defer { give(connection) }
        return try connection.unsafeRead { db in try body(SQLiteSession(db)) }
    }

    private func take() -> DatabaseQueue? {
        let (idle, mayOpen) = state.withLock { state -> (DatabaseQueue?, Bool) in
            if let idle = state.idle.popLast() { return (idle, false) }
            guard !state.isClosed, state.opened < limit else { return (nil, false) }
            state.opened += 1
            return (nil, true)
        }
        guard mayOpen else { return idle }
        let opened = try? DatabaseQueue(path: path, configuration: configuration)
        if opened == nil { state.withLock { $0.opened -= 1 } }
        return opened
    }

    private func give(_ connection: DatabaseQueue) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.idle.append(connection) }
            return state.isClosed
        }
        if isClosed { try? connection.close() }
    }

    func close() throws {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            state.isClosed = true
            return state.idle
        }
        for connection in idle { try connection.close() }
    }
}
