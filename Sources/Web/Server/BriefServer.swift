import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import Synchronization

/// What every connection's ``BriefHandler`` needs.
final class BriefServer: Sendable {
    let application: WebApplication
    let routes: BriefRoutes
    let idleTimeout: TimeAmount
    let core: CoreRequestContextStorage
    private let date = Mutex<(second: time_t, text: String)>((-1, ""))

    init(_ application: WebApplication, idleTimeout: Duration) {
        self.application = application
        routes = BriefRoutes(application.routes)
        self.idleTimeout = TimeAmount(idleTimeout)
        core = WebContext(logger: application.logger).coreContext
    }

    /// Answers a request; what goes wrong is an answer too.
    func answer(_ head: HTTPRequestHead, _ context: WebContext, _ route: Route) async -> WebApplication.Answer {
        let request = Request(head: BriefServer.request(head), body: RequestBody(buffer: ByteBuffer()))
        return await application.respond(request, context, route)
    }

    /// The head in Hummingbird's terms.
    private static func request(_ head: HTTPRequestHead) -> HTTPRequest {
        var fields = HTTPFields()
        var host: String?
        for (name, value) in head.headers {
            if host == nil, name.utf8.count == 4, name.lowercased() == "host" {
                host = value
            } else if let name = HTTPField.Name(name) {
                fields.append(HTTPField(name: name, value: value))
            }
        }
        return HTTPRequest(method: .get, scheme: "http", authority: host, path: head.uri, headerFields: fields)
    }

    /// An answer with its length known as it goes over the wire.
    func encoded(_ answer: WebApplication.Answer, _ body: ByteBuffer?) -> ByteBuffer {
        var out = ByteBufferAllocator().buffer(capacity: 1500 + (body?.readableBytes ?? 0))
        out.writeStaticString("HTTP/1.1 200 OK\r\n")
        for field in answer.response.headers {
            out.writeString(field.name.rawName)
            out.writeStaticString(": ")
            out.writeString(field.value)
            out.writeStaticString("\r\n")
        }
        out.writeBytes(WebApplication.extraBytes)
        out.writeStaticString("X-Trace-Id: ")
        out.writeString(answer.trace)
        out.writeStaticString("\r\nDate: ")
        out.writeString(dateText)
        out.writeStaticString("\r\nServer: tongqu\r\n\r\n")
        if let body { out.writeImmutableBuffer(body) }
        return out
    }

    /// The head of any other answer.
    func head(_ answer: WebApplication.Answer) -> HTTPResponseHead {
        let response = answer.whole
        var headers = HTTPHeaders()
        headers.reserveCapacity(response.headers.count + 2)
        for field in response.headers { headers.add(name: field.name.rawName, value: field.value) }
        headers.add(name: "Date", value: dateText)
        headers.add(name: "Server", value: "tongqu")
        let status = HTTPResponseStatus(
            statusCode: response.status.code,
            reasonPhrase: response.status.reasonPhrase
        )
        return HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    }

    /// The time as HTTP has it, made once a second.
    var dateText: String {
        let now = time(nil)
        return date.withLock { date in
            if date.second != now { date = (now, BriefServer.text(now)) }
            return date.text
        }
    }

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
    static func text(_ second: time_t) -> String {
        var second = second
        var parts = tm()
        gmtime_r(&second, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day =
            "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(1900 + parts.tm_year)"
        return "\(day) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
