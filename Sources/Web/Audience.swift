import Synchronization

/// Whoever receives an answer that is made and sent piece by piece: when they have gone, the piece being made is given up and no other
/// is begun.
final class Audience: Sendable {
    /// What is being made for them.
    final class Work: Sendable {
        private struct State {
            var hasLeft = false
            var cancel: (@Sendable () -> Void)?
        }

        private let state = Mutex(State())

        func stop() {
            let cancel = state.withLock { state in
                state.hasLeft = true
                return state.cancel
            }
            cancel?()
        }

        /// Whether it is worth beginning.
        fileprivate func begin(_ cancel: @escaping @Sendable () -> Void) -> Bool {
            state.withLock { state in
                state.cancel = cancel
                return !state.hasLeft
            }
        }

        fileprivate func end() { state.withLock { $0.cancel = nil } }
    }

    private let work: Work
    private let forget: @Sendable () -> Void

    init(_ work: Work, forget: @escaping @Sendable () -> Void) {
        self.work = work
        self.forget = forget
    }

    deinit { forget() }

    /// Makes a piece.
    ///
    /// - Throws: `CancellationError` where they have gone, and what the body throws.
    func making<Piece: Sendable>(_ body: @escaping @Sendable () async throws -> Piece) async throws -> Piece {
        let task = Task { try await body() }
        if !work.begin({ task.cancel() }) { task.cancel() }
        defer { work.end() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
