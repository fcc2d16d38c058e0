import CPostgres
import Dispatch
import Synchronization

/// Stops what a connection is doing from another thread: the server is told to give the statement up.
///
/// Each reading has a number, so that only its own statements are stopped. The word to the server goes over a connection of its own and
/// may come late: a connection that was told is not used again.
final class StatementStop: Sendable {
    private struct State {
        /// The readings that were given up, of those that are not over.
        var stopped: Set<Int> = []
        var last = 0
        /// The reading under way, with the address of what libpq stops its connection by.
        var running: (reading: Int, handle: UInt)?
        var wasTold = false
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "tongqu.postgresql.stop")

    /// A number for a reading that may be given up.
    func number() -> Int {
        state.withLock { state in
            state.last += 1
            return state.last
        }
    }

    /// Gives a reading up, whether it has begun or not.
    func stop(_ reading: Int) {
        state.withLock { _ = $0.stopped.insert(reading) }
        // Telling the server takes a connection: whoever gives up does not wait for it.
        queue.async { [self] in
            state.withLock { state in
                guard let running = state.running, running.reading == reading else { return }
                var words = [CChar](repeating: 0, count: 256)
                PQcancel(OpaquePointer(bitPattern: running.handle), &words, Int32(words.count))
                state.wasTold = true
            }
        }
    }

    /// Begins a reading by a connection; false where it was given up already.
    func begin(_ reading: Int, by connection: PostgresConnection) -> Bool {
        state.withLock { state in
            guard !state.stopped.contains(reading) else { return false }
            state.running = (reading, UInt(bitPattern: connection.canceller))
            return true
        }
    }

    /// Ends a reading's use of a connection; whether the server was told to stop it.
    func end() -> Bool {
        state.withLock { state in
            state.running = nil
            defer { state.wasTold = false }
            return state.wasTold
        }
    }

    func isStopped(_ reading: Int) -> Bool { state.withLock { $0.stopped.contains(reading) } }

    /// A reading is over.
    func forget(_ reading: Int) { state.withLock { _ = $0.stopped.remove(reading) } }
}
