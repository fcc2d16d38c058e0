import Basics
import Hummingbird
public import NIOCore
import Synchronization

/// Readings under way: each ends when its time is over, or when whoever asked has gone.
public final class RunningRequests: Sendable {
    private struct Running {
        var task: Task<Response, any Error>
        var since: ContinuousClock.Instant
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
            state.running[state.last] = Running(task: task, since: .now, channel: channel)
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

    /// Stops what a connection asked for that is gone.
    func left(_ channel: ObjectIdentifier) {
        let tasks = state.withLock { $0.running.values.filter { $0.channel == channel }.map(\.task) }
        for task in tasks { task.cancel() }
    }

    /// Stops what took too long.
    func sweep(now: ContinuousClock.Instant = .now) {
        let tasks = state.withLock { state in
            let late = state.running.filter { now - $0.value.since > patience }
            state.late.formUnion(late.keys)
            return late.values.map(\.task)
        }
        for task in tasks { task.cancel() }
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
