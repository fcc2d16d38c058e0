import Basics
import Hummingbird
public import NIOCore
import Synchronization

/// Readings under way: each ends when its time is over, or when whoever asked has gone.
public final class RunningRequests: Sendable {
    private struct Running {
        var cancel: @Sendable () -> Void
        /// When it began; nil for what takes as long as it takes.
        var since: ContinuousClock.Instant?
        /// The connection it came by; nil without one.
        var channel: ObjectIdentifier?
    }

    private struct State {
        var last = 0
        var running: [Int: Running] = [:]
        var late: Set<Int> = []
    }

    private let state = Mutex(State())
    /// How long a reading may take until its answer begins.
    private let patience: Duration

    init(patience: Duration) { self.patience = patience }

    private static let late = Problem(
        "request.timeout",
        status: 503,
        zh: "处理超时，已停止。",
        en: "The request took too long and was stopped.",
        hint: .init("请缩小范围，或加上常用查询字段的条件。", "Ask for less, or add a condition on an indexed field.")
    )

    /// Runs what answers a request.
    ///
    /// - Throws: `request.timeout`, and what the body throws.
    func run(
        by channel: ObjectIdentifier?,
        _ body: @escaping @Sendable () async throws -> Response
    ) async throws -> Response {
        let task = Task { try await body() }
        let number = state.withLock { state in
            state.last += 1
            state.running[state.last] = Running(cancel: { task.cancel() }, since: .now, channel: channel)
            return state.last
        }
        defer {
            state.withLock { state in
                state.running[number] = nil
                state.late.remove(number)
            }
        }
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            throw state.withLock { $0.late.contains(number) } ? Self.late : error
        }
    }

    /// A request that runs in a task of its own already, and is kept only where it did not end at once.
    final class Ticket: Sendable {
        /// Its number; nothing before it was kept, -1 once it is over.
        fileprivate let number = Atomic(0)
    }

    /// Runs what answers a request with a ticket.
    ///
    /// - Throws: `request.timeout`, and what the body throws.
    func run(_ ticket: Ticket, _ body: () async throws -> Response) async throws -> Response {
        do {
            let response = try await body()
            _ = leave(ticket)
            return response
        } catch {
            throw leave(ticket) ? Self.late : error
        }
    }

    /// Keeps a request that is still under way, so that it ends in time.
    func enter(_ ticket: Ticket, by channel: ObjectIdentifier?, _ cancel: @escaping @Sendable () -> Void) {
        guard ticket.number.load(ordering: .acquiring) == 0 else { return }
        let number = state.withLock { state in
            state.last += 1
            state.running[state.last] = Running(cancel: cancel, since: .now, channel: channel)
            return state.last
        }
        let isKept = ticket.number.compareExchange(expected: 0, desired: number, ordering: .acquiringAndReleasing)
        if !isKept.exchanged { state.withLock { $0.running[number] = nil } }
    }

    /// Whether a request that is over was stopped because its time was.
    private func leave(_ ticket: Ticket) -> Bool {
        let number = ticket.number.exchange(-1, ordering: .acquiringAndReleasing)
        guard number > 0 else { return false }
        return state.withLock { state in
            state.running[number] = nil
            return state.late.remove(number) != nil
        }
    }

    /// Keeps an answer that is sent piece by piece for as long as it is held.
    func audience(_ channel: ObjectIdentifier?) -> Audience {
        let work = Audience.Work()
        let number = state.withLock { state in
            state.last += 1
            state.running[state.last] = Running(cancel: { work.stop() }, since: nil, channel: channel)
            return state.last
        }
        return Audience(work) { [weak self] in self?.state.withLock { $0.running[number] = nil } }
    }

    /// How many are under way.
    var count: Int { state.withLock(\.running.count) }

    /// Stops what a connection asked for that is gone.
    func left(_ channel: ObjectIdentifier) {
        let asked = state.withLock { $0.running.values.filter { $0.channel == channel } }
        for request in asked { request.cancel() }
    }

    /// Stops what took too long.
    func sweep(now: ContinuousClock.Instant = .now) {
        let overdue = state.withLock { state in
            let late = state.running.filter { $0.value.since.map { now - $0 > patience } ?? false }
            state.late.formUnion(late.keys)
            return late.values
        }
        for request in overdue { request.cancel() }
    }

    /// Looks for what took too long each second, until it is cancelled.
    public func keepTime() async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            sweep()
        }
    }
}

/// Sees in a connection that the other side has gone.
public final class DepartureHandler: ChannelInboundHandler, RemovableChannelHandler {
    public typealias InboundIn = NIOAny

    private let requests: RunningRequests

    public init(_ requests: RunningRequests) { self.requests = requests }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Clients of HTTP do not close their side and go on listening.
        if case ChannelEvent.inputClosed = event { requests.left(ObjectIdentifier(context.channel)) }
        context.fireUserInboundEventTriggered(event)
    }

    public func channelInactive(context: ChannelHandlerContext) {
        requests.left(ObjectIdentifier(context.channel))
        context.fireChannelInactive()
    }
}
