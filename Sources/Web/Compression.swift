import CZlib
import CZstd
import HTTPTypes
import Hummingbird
import NIOCore

/// How an answer's bytes are packed for the way (RFC 9110, 8.4).
enum ContentCoding: String, Sendable {
    case zstd, gzip

    /// The coding that a client takes and we like best; nil for none.
    static func accepted(_ header: String?) -> ContentCoding? {
        guard let header else { return nil }
        var offered: [String: Double] = [:]
        for part in header.lowercased().split(separator: ",") {
            let pieces = part.split(separator: ";").map { $0.filter { $0 != " " } }
            let weight = pieces.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            if let name = pieces.first { offered[name] = weight }
        }
        func weight(_ coding: ContentCoding) -> Double { offered[coding.rawValue] ?? offered["*"] ?? 0 }
        let best: ContentCoding = weight(.gzip) > weight(.zstd) ? .gzip : .zstd
        return weight(best) > 0 ? best : nil
    }

    /// Types that are worth it: texts and vector tiles.
    static func isWorth(_ type: String?) -> Bool {
        if type == "application/geo+json" || type == "application/json" { return true }
        // Workbooks are packed already.
        guard let type, !has(type, "openxmlformats") else { return false }
        return type.hasPrefix("text/") || has(type, "json") || has(type, "xml") || has(type, "javascript")
            || has(type, "vector-tile")
    }

    /// Whether a text has a part, byte for byte: asked several times of every answer.
    private static func has(_ text: String, _ part: StaticString) -> Bool {
        part.withUTF8Buffer { part in
            var rest = Substring(text).utf8
            while rest.count >= part.count {
                if rest.starts(with: part) { return true }
                rest.removeFirst()
            }
            return false
        }
    }
}

/// Packs bytes as they pass, in little memory; what was taken is given out at every call.
private final class Packing {
    private enum Kind {
        case gzip(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }

    private let kind: Kind

    /// Answers are packed once and read once: quick levels.
    init?(_ coding: ContentCoding) {
        switch coding {
        case .gzip:
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            // 31: 15 bits of window, and gzip's head.
            guard
                deflateInit2_(
                    stream,
                    3,
                    Z_DEFLATED,
                    31,
                    8,
                    Z_DEFAULT_STRATEGY,
                    ZLIB_VERSION,
                    Int32(MemoryLayout<z_stream>.size)
                ) == Z_OK
            else {
                stream.deallocate()
                return nil
            }
            kind = .gzip(stream)
        case .zstd:
            guard let context = ZSTD_createCCtx() else { return nil }
            kind = .zstd(context)
        }
    }

    deinit {
        switch kind {
        case .gzip(let stream):
            deflateEnd(stream)
            stream.deallocate()
        case .zstd(let context): ZSTD_freeCCtx(context)
        }
    }

    func pack(_ buffer: ByteBuffer, isEnd: Bool) -> ByteBuffer {
        buffer.withUnsafeReadableBytes { pack($0, isEnd: isEnd) }
    }

    private func pack(_ bytes: UnsafeRawBufferPointer, isEnd: Bool) -> ByteBuffer {
        var out = ByteBuffer()
        let chunk = 1 << 16
        switch kind {
        case .gzip(let stream):
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            )
            stream.pointee.avail_in = UInt32(bytes.count)
            var isDone = false
            while !isDone {
                out.writeWithUnsafeMutableBytes(minimumWritableBytes: chunk) { room in
                    stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.pointee.avail_out = UInt32(room.count)
                    deflate(stream, isEnd ? Z_FINISH : Z_SYNC_FLUSH)
                    isDone = stream.pointee.avail_out > 0
                    return room.count - Int(stream.pointee.avail_out)
                }
            }
        case .zstd(let context):
            var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
            var isDone = false
            while !isDone {
                out.writeWithUnsafeMutableBytes(minimumWritableBytes: chunk) { room in
                    var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
                    let left = ZSTD_compressStream2(context, &output, &input, isEnd ? ZSTD_e_end : ZSTD_e_flush)
                    isDone = left == 0 || ZSTD_isError(left) != 0
                    return output.pos
                }
            }
        }
        return out
    }
}

/// Writes what it is given packed.
private struct PackingWriter: ResponseBodyWriter {
    var inner: any ResponseBodyWriter
    let packing: Packing

    @concurrent mutating func write(_ buffer: ByteBuffer) async throws {
        let packed = packing.pack(buffer, isEnd: false)
        if packed.readableBytes > 0 { try await inner.write(packed) }
    }

    @concurrent consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        try await inner.write(packing.pack(ByteBuffer(), isEnd: true))
        try await inner.finish(trailingHeaders)
    }
}

extension Response {
    /// Packs the body where the client takes it and it is worth it.
    ///
    /// Pages of somebody signed in are left as they are: what is packed together with a secret tells of it by its length.
    mutating func pack(for request: Request, isSecret: Bool) {
        guard ContentCoding.isWorth(headers.first(.contentType)) else { return }
        if headers.contains(.vary) {
            headers[.vary]? += ", Accept-Encoding"
        } else {
            headers.append(HeaderField.byCoding)
        }
        guard !isSecret, status == .ok, (body.contentLength ?? 2000) >= 1000,
            request.headers.contains(.acceptEncoding), !headers.contains(.contentEncoding),
            let coding = ContentCoding.accepted(request.headers[.acceptEncoding])
        else { return }
        let plain = body
        body = ResponseBody { writer in
            guard let packing = Packing(coding) else {
                throw HTTPError(.internalServerError)
            }
            try await plain.write(PackingWriter(inner: writer, packing: packing))
        }
        headers[.contentEncoding] = coding.rawValue
        headers[.contentLength] = nil
        // Another form of the same state has another mark.
        if let tag = headers[.eTag], tag.hasSuffix("\"") { headers[.eTag] = tag.dropLast() + "-\(coding.rawValue)\"" }
    }
}
