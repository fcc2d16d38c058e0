import Basics
import HTTPTypes
import Hummingbird
import Lake
import NIOCore
import Tabular

extension WebRequest {
    /// The mark (ETag) of an answer made of rows in a state: the same address and form of the same rows have the same.
    func mark(_ stamp: String, _ form: String = "") -> String {
        "\"\(LakeActions.mark("\(stamp) \(request.uri.path) \(request.uri.query ?? "") \(form)"))\""
    }

    /// Answers 304 where the client has what it would get (RFC 9110, 13.1.2); nil where it must be made.
    func unchanged(_ code: String, _ form: String = "") async throws -> Response? {
        guard let known = request.headers[.ifNoneMatch] else { return nil }
        let mark = mark(try await perform(services.lake.stamp, code), form)
        guard let held = WebRequest.held(known, mark) else { return nil }
        return Response(
            status: .notModified,
            headers: [.eTag: held, .cacheControl: "no-cache", .vary: "Accept-Encoding"],
            body: ResponseBody()
        )
    }

    /// The mark of a list that is one, in whatever coding it was sent; nil where it is not among them.
    static func held(_ list: String, _ mark: String) -> String? {
        for part in list.split(separator: ",") {
            var one = part.drop { $0 == " " }
            while one.hasSuffix(" ") { one.removeLast() }
            if one == "*" { return mark }
            if one.hasPrefix("W/") { one = one.dropFirst(2) }
            let coding = ["-gzip\"", "-zstd\""].first { one.hasSuffix($0) }
            if (coding.map { one.dropLast($0.count) + "\"" } ?? String(one)) == mark { return String(one) }
        }
        return nil
    }

    /// The bytes that are asked for, of so many; nil for all of them. Lists of ranges are answered with the whole, as the standard allows.
    ///
    /// - Throws: `request.range` where there are no such bytes.
    fileprivate func range(_ header: String, of length: Int) throws(Problem) -> Range<Int>? {
        let parts = header.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard header.hasPrefix("bytes="), parts.count == 2 else { return nil }
        let first: Int
        var last = length - 1
        if parts[0].isEmpty {
            guard let count = Int(parts[1]), count >= 0 else { return nil }
            first = max(0, length - count)
        } else {
            guard let begin = Int(parts[0]), begin >= 0 else { return nil }
            first = begin
            if !parts[1].isEmpty {
                guard let end = Int(parts[1]), end >= begin else { return nil }
                last = min(last, end)
            }
        }
        guard first <= last else {
            throw Problem(
                "request.range",
                status: 416,
                zh: "请求的范围超出了内容的末尾。",
                en: "The range begins after the end of the content.",
                details: ["length": String(length)]
            )
        }
        return first..<(last + 1)
    }

    /// A download as a stream, or the range of it that is asked for of the very state whose beginning the client has.
    ///
    /// The length is not known before everything was made once: for a range of what nobody downloaded yet it is made to be counted.
    func download(
        _ headers: HTTPFields,
        mark: String,
        isRanged: Bool = true,
        _ make: @escaping @Sendable () async throws -> any ByteStream
    ) async throws -> Response {
        var headers = headers
        headers[.eTag] = mark
        headers[.cacheControl] = "no-cache"
        if isRanged { headers[.acceptRanges] = "bytes" }
        let lengths = services.lake.lengths
        let audience = audience()
        if isRanged, let asked = request.headers[.range], request.headers[.ifRange].map({ $0 == mark }) ?? true {
            let length: Int
            if let known = lengths[mark] {
                length = known
            } else {
                let counted = try await make()
                var total = 0
                while let piece = try await counted.next() { total += piece.count }
                lengths.store(total, for: mark, since: lengths.epoch)
                length = total
            }
            if let range = try range(asked, of: length) {
                headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
                let bytes = try await make()
                return Response(
                    status: .partialContent,
                    headers: headers,
                    body: ResponseBody(contentLength: range.count) { writer in
                        var at = 0
                        while at < range.upperBound,
                            let piece = try await audience.making({ try await bytes.next() })
                        {
                            let begin = max(range.lowerBound - at, 0)
                            let end = min(range.upperBound - at, piece.count)
                            if begin < end { try await writer.write(ByteBuffer(bytes: piece[begin..<end])) }
                            at += piece.count
                        }
                        try await writer.finish(nil)
                    }
                )
            }
        }
        let bytes = try await make()
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                var total = 0
                while let piece = try await audience.making({ try await bytes.next() }) {
                    total += piece.count
                    try await writer.write(ByteBuffer(bytes: piece))
                }
                if isRanged { lengths.store(total, for: mark, since: lengths.epoch) }
                try await writer.finish(nil)
            }
        )
    }
}

/// The bytes of a download as they are made, one piece after the other.
protocol ByteStream: Sendable {
    /// The next piece; nil at the end.
    func next() async throws -> [UInt8]?
}

/// Rows in a format, half a megabyte at a time.
actor FormatStream: ByteStream {
    private let scan: RecordScan
    private var writer: any BatchWriter
    private var isBegun = false
    private var isDone = false

    init(_ scan: RecordScan, _ writer: sending any BatchWriter) {
        self.scan = scan
        self.writer = writer
    }

    func next() async throws -> [UInt8]? {
        guard !isDone else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1 << 19)
        if !isBegun {
            writer.begin(into: &bytes)
            isBegun = true
        }
        while bytes.count < 1 << 19 {
            // Few rows may fit: a piece is long in the making, and whoever wants it may have gone.
            try Task.checkCancellation()
            guard let batch = try await scan.next() else {
                writer.end(into: &bytes)
                isDone = true
                break
            }
            writer.write(batch, into: &bytes)
        }
        return bytes
    }
}
