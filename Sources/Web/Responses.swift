import Basics
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// A JSON document.
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        var writer = JSONWriter(capacity: 1024)
        value.write(to: &writer)
        return bytes(writer.bytes, type: "application/json", status: status)
    }

    /// Bytes of a type.
    static func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// A page.
    static func page(_ html: HTML, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: html.text))
        )
    }

    /// On to another page, after a form.
    static func redirect(_ path: String) -> Response {
        Response(status: .seeOther, headers: [.location: path], body: ResponseBody())
    }

    /// A problem as `application/problem+json` (RFC 9457).
    static func problem(_ problem: Problem, _ language: Language) -> Response {
        var members: [JSONValue.Member] = [
            .init("type", .string("urn:tongqu:problem:\(problem.code)")), .init("code", .string(problem.code)),
            .init("title", .string(problem.message[language])), .init("status", .integer(Int64(problem.status))),
        ]
        if let hint = problem.hint { members.append(.init("hint", .string(hint[language]))) }
        if !problem.details.isEmpty {
            members.append(
                .init(
                    "details",
                    .object(problem.details.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
                )
            )
        }
        return bytes(
            Array(JSONValue.object(members).text.utf8),
            type: "application/problem+json",
            status: .init(code: problem.status)
        )
    }
}
