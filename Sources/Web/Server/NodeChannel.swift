import HTTPTypes
import Hummingbird
public import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

extension WebApplication {
    /// How connections are served: Hummingbird's HTTP/1.1, with what is answered at once answered where it arrives.
    public func server(idleTimeout: Duration = .seconds(60)) -> HTTPServerBuilder {
        let brief = BriefServer(self, idleTimeout: idleTimeout)
        return HTTPServerBuilder { responder in
            NodeChannel(
                inner: HTTP1Channel(
                    responder: responder,
                    configuration: .init(additionalChannelHandlers: [DepartureHandler(brief.application.running)])
                ),
                brief: brief
            )
        }
    }
}

/// A connection of HTTP/1.1 that looks at each request before Hummingbird does.
struct NodeChannel: ServerChildChannel {
    let inner: HTTP1Channel
    let brief: BriefServer

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        inner.setup(channel: channel, logger: logger).flatMapThrowing { [brief] value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let encoder = try pipeline.context(handlerType: HTTPResponseEncoder.self)
            try pipeline.addHandler(BriefHandler(brief, encoder: encoder), position: .after(decoder))
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async { await inner.handle(value: value, logger: logger) }
}
