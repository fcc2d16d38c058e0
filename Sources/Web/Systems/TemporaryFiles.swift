import Basics
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Files that were received, and files that are given out.
enum TemporaryFiles {
    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    /// A file in pieces: memory does not grow with it.
    static func response(_ path: String, type: String, disposition: String) throws -> Response {
        guard let handle = FileHandle(forReadingAtPath: path) else { throw Problem.notFound(.init("文件", "the file")) }
        let size = try handle.seekToEnd()
        try handle.seek(toOffset: 0)
        return Response(
            status: .ok,
            headers: [
                .contentType: type, .contentDisposition: disposition, .cacheControl: "private, no-store",
                .contentSecurityPolicy: "default-src 'none'; sandbox",
            ],
            body: ResponseBody(contentLength: Int(size)) { writer in
                defer { try? handle.close() }
                while let data = try handle.read(upToCount: 1 << 18), !data.isEmpty {
                    try await writer.write(ByteBuffer(bytes: data))
                }
                try await writer.finish(nil)
            }
        )
    }
}
