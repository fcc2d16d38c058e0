import Glibc
import Synchronization

/// Lets a process's transactions of one schema write side by side, and one that others were quicker than again and again write alone: on small
/// tables serialisable transactions meet each other's reads almost always, and trying again would not end.
final class WriteTurns: Sendable {
    /// Tries beside others before a transaction asks to be alone.
    static let triesBeside = 3
    /// How long a transaction waits for its turn, nanoseconds: a long load may be under way, and others wait behind whoever waits to be alone.
    private static let patience = 300_000_000

    private final class Lock: Sendable {
        // Only the thread that took the lock gives it back.
        nonisolated(unsafe) let pointer = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

        init() {
            var attributes = pthread_rwlockattr_t()
            pthread_rwlockattr_init(&attributes)
            pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
            pthread_rwlock_init(pointer, &attributes)
            pthread_rwlockattr_destroy(&attributes)
        }

        deinit {
            pthread_rwlock_destroy(pointer)
            pointer.deallocate()
        }
    }

    private let locks = Mutex<[String: Lock]>([:])

    /// Runs a closure beside others of the schema, or alone.
    func take<T>(_ schema: String, alone: Bool, _ body: () throws -> T) rethrows -> T {
        let lock = locks.withLock { locks in
            if let known = locks[schema] { return known }
            let lock = Lock()
            locks[schema] = lock
            return lock
        }
        var until = timespec()
        clock_gettime(CLOCK_REALTIME, &until)
        until.tv_nsec += Self.patience
        if until.tv_nsec >= 1_000_000_000 {
            (until.tv_sec, until.tv_nsec) = (until.tv_sec + 1, until.tv_nsec - 1_000_000_000)
        }
        // Where others do not end in time, it is tried beside them once more.
        let isHeld =
            alone
            ? pthread_rwlock_timedwrlock(lock.pointer, &until) == 0
            : pthread_rwlock_timedrdlock(lock.pointer, &until) == 0
        defer { if isHeld { pthread_rwlock_unlock(lock.pointer) } }
        return try body()
    }
}
