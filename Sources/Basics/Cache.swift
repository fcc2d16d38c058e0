public import Synchronization

/// Values remembered by key, bounded; safe against remembering what was read before it was forgotten.
///
/// Whoever reads a value from elsewhere takes the epoch first and stores with it: a value forgotten meanwhile is not stored.
public final class Cache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    @usableFromInline
    struct State {
        @usableFromInline var values: [Key: Value] = [:]
        @usableFromInline var epoch = 0
    }

    @usableFromInline let state = Mutex(State())
    private let limit: Int

    /// A cache of so many values at the most; when it is full it begins again.
    public init(limit: Int) { self.limit = limit }

    @inlinable
    public subscript(key: Key) -> Value? { state.withLock { $0.values[key] } }

    /// What to store with: changes at every forgetting.
    public var epoch: Int { state.withLock { $0.epoch } }

    /// Remembers a value read since an epoch.
    public func store(_ value: Value, for key: Key, since epoch: Int) {
        state.withLock { state in
            guard state.epoch == epoch else { return }
            if state.values.count >= limit { state.values = [:] }
            state.values[key] = value
        }
    }

    /// Changes a value that is remembered.
    public func change(_ key: Key, _ body: @Sendable (inout Value) -> Void) {
        state.withLock { state in
            guard var value = state.values[key] else { return }
            body(&value)
            state.values[key] = value
        }
    }

    public func forget(_ key: Key) {
        state.withLock { state in
            state.epoch += 1
            state.values[key] = nil
        }
    }

    /// Forgets the values that a test names.
    public func forget(where test: @Sendable (Key, Value) -> Bool) {
        state.withLock { state in
            state.epoch += 1
            state.values = state.values.filter { !test($0.key, $0.value) }
        }
    }
}
