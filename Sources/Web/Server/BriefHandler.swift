import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import Synchronization

/// Answers requests of brief routes on the connection's own event loop; everything else goes on to Hummingbird.
///
/// What is brief costs less than to be handed to another thread and back: a row by its key, a file of the program. It begins at once
/// and, where it has to wait for something, goes on elsewhere. Requests that come meanwhile wait here, so that answers keep their order.
final class BriefHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case open
        /// The head of a brief request came, not yet its end.
        case asked(HTTPRequestHead, BriefRoutes.Match)
        case answering
    }

    private let server: BriefServer
    /// Where bytes are written past the encoder.
    private let encoder: ChannelHandlerContext
    private var state = State.open
    /// Requests that were given on and are not answered yet.
    private var passed = 0
    /// Whether a request is being received.
    private var isReceiving = false
    /// What came during an answer.
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    private var heldError: (any Error)?
    private var heldEvent: ChannelShouldQuiesceEvent?
    private var isReadHeld = false
    private var address: String?
    private var lastActive = NIODeadline.now()
    private var timer: Scheduled<Void>?
    /// Parts that may wait before reading stops.
    private static let mostWaiting = 32

    init(_ server: BriefServer, encoder: ChannelHandlerContext) {
        self.server = server
        self.encoder = encoder
    }

    // MARK: What comes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActive = .now()
        let part = unwrapInboundIn(data)
        if case .answering = state { waiting.append(part) } else { take(part, context) }
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            isReceiving = true
            if passed == 0, let match = server.routes.match(head) {
                state = .asked(head, match)
                return
            }
            passed += 1
        case .body: break
        case .end:
            isReceiving = false
            if case .asked(let head, let match) = state {
                answer(head, match, context)
                return
            }
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    func read(context: ChannelHandlerContext) {
        if waiting.count > Self.mostWaiting { isReadHeld = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .answering = state { heldError = error } else { context.fireErrorCaught(error) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .answering = state, let event = event as? ChannelShouldQuiesceEvent {
            heldEvent = event
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: What goes

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            passed = max(0, passed - 1)
            lastActive = .now()
        }
        context.write(data, promise: promise)
    }

    private func answer(_ head: HTTPRequestHead, _ match: BriefRoutes.Match, _ context: ChannelHandlerContext) {
        state = .answering
        if address == nil { address = context.channel.remoteAddress?.ipAddress }
        let ticket = RunningRequests.Ticket()
        let asked = WebContext(
            address: address,
            channel: ObjectIdentifier(context.channel),
            core: server.core,
            parameters: match.parameters,
            ticket: ticket
        )
        let connection = BriefConnection(
            loop: context.eventLoop,
            handler: NIOLoopBound(self, eventLoop: context.eventLoop),
            context: NIOLoopBound(context, eventLoop: context.eventLoop)
        )
        let task = Task.immediate { [server] in
            let answer = await server.answer(head, asked, match.route)
            let writer = BriefWriter(answer, connection)
            do { try await answer.response.body.write(writer) } catch { connection.run { $0.fail($1) } }
        }
        server.application.running.enter(ticket, by: asked.channel) { task.cancel() }
    }

    /// Sends an answer whose bytes are all there.
    fileprivate func give(_ answer: WebApplication.Answer, _ body: ByteBuffer?, _ context: ChannelHandlerContext) {
        if answer.response.status == .ok, answer.response.headers.contains(.contentLength) {
            encoder.writeAndFlush(NIOAny(server.encoded(answer, body)), promise: nil)
        } else {
            context.write(wrapOutboundOut(.head(server.head(answer))), promise: nil)
            if let body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
        finish(context)
    }

    fileprivate func begin(_ answer: WebApplication.Answer, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(server.head(answer))), promise: nil)
    }

    fileprivate func send(_ piece: ByteBuffer, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))), promise: promise)
    }

    fileprivate func end(_ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        finish(context)
    }

    fileprivate func fail(_ context: ChannelHandlerContext) { context.close(promise: nil) }

    /// After an answer: what waited is taken up.
    private func finish(_ context: ChannelHandlerContext) {
        state = .open
        lastActive = .now()
        guard !waiting.isEmpty || isReadHeld || heldError != nil || heldEvent != nil else { return }
        while let part = waiting.popFirst() {
            take(part, context)
            if case .answering = state { return }
        }
        if let event = heldEvent {
            heldEvent = nil
            context.fireUserInboundEventTriggered(event)
        }
        context.fireChannelReadComplete()
        if let error = heldError {
            heldError = nil
            context.fireErrorCaught(error)
        }
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    // MARK: Idle connections

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { watch(context) } }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelActive(context: ChannelHandlerContext) {
        watch(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    /// Closes the connection when nothing came or went for as long as it may be idle; an answer under way is waited for.
    private func watch(_ context: ChannelHandlerContext) {
        timer?.cancel()
        let place = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let isWaited = if case .answering = state { true } else { passed > 0 && !isReceiving }
        let end = (isWaited ? .now() : lastActive) + server.idleTimeout
        timer = context.eventLoop.scheduleTask(deadline: end) {
            let (handler, context) = place.value
            let isWaited =
                if case .answering = handler.state { true } else { handler.passed > 0 && !handler.isReceiving }
            if !isWaited, .now() >= handler.lastActive + handler.server.idleTimeout {
                context.close(promise: nil)
            } else {
                handler.watch(context)
            }
        }
    }
}

/// The way back to a connection from wherever its answer is made.
struct BriefConnection: Sendable {
    let loop: any EventLoop
    let handler: NIOLoopBound<BriefHandler>
    let context: NIOLoopBound<ChannelHandlerContext>

    /// Runs on the connection's event loop: now where this is it.
    func run(_ body: @escaping @Sendable (BriefHandler, ChannelHandlerContext) -> Void) {
        if loop.inEventLoop {
            body(handler.value, context.value)
        } else {
            loop.execute { body(handler.value, context.value) }
        }
    }
}

/// Writes an answer: as one where it is one piece, else piece by piece as the connection takes it.
final class BriefWriter: ResponseBodyWriter {
    private let answer: WebApplication.Answer
    private let connection: BriefConnection
    private let held = Mutex<ByteBuffer?>(nil)
    private let isBegun = Atomic(false)

    init(_ answer: WebApplication.Answer, _ connection: BriefConnection) {
        self.answer = answer
        self.connection = connection
    }

    @concurrent func write(_ buffer: ByteBuffer) async throws {
        if !isBegun.load(ordering: .relaxed) {
            let first = held.withLock { held in
                defer { held = held ?? buffer }
                return held
            }
            guard let first else { return }
            isBegun.store(true, ordering: .relaxed)
            connection.run { [answer] in $0.begin(answer, $1) }
            try await send(first)
        }
        try await send(buffer)
    }

    /// Comes back when the piece was taken.
    private func send(_ piece: ByteBuffer) async throws {
        let promise = connection.loop.makePromise(of: Void.self)
        connection.run { $0.send(piece, $1, promise) }
        try await promise.futureResult.get()
        try Task.checkCancellation()
    }

    @concurrent func finish(_ trailingHeaders: HTTPFields?) async throws {
        if isBegun.load(ordering: .relaxed) {
            connection.run { $0.end($1) }
        } else {
            let body = held.withLock(\.self)
            connection.run { [answer] in $0.give(answer, body, $1) }
        }
    }
}
