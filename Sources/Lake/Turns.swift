/// Lets a few compute at a time; the others wait in line.
actor Turns {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    private func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    private func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }

    /// Runs a short computation when its turn comes, off this actor.
    nonisolated func taking<T: Sendable>(_ body: @Sendable () -> T) async throws -> T {
        await enter()
        let result = body()
        await leave()
        try Task.checkCancellation()
        return result
    }
}
