import Basics
import Flow
import Foundation
import Glibc
import HTTPTypes
import Hummingbird
import Kernel
import NIOCore
import Tabular

/// Packages as they are given out and received.
enum PackageFiles {
    /// A stretch of a file in pieces, which is a whole file without one. With `removes` the file goes when it was given out.
    static func response(
        _ path: String,
        _ stretch: (start: Int64, count: Int64)? = nil,
        type: String,
        disposition: String,
        removes: Bool = false
    ) throws -> Response {
        guard let handle = FileHandle(forReadingAtPath: path) else { throw Problem.notFound(.init("文件", "the file")) }
        // An open file can be read to its end when its name is gone.
        if removes { TemporaryFiles.remove(path) }
        let count = try stretch?.count ?? Int64(handle.seekToEnd())
        try handle.seek(toOffset: UInt64(stretch?.start ?? 0))
        return Response(
            status: .ok,
            headers: [
                .contentType: type, .contentDisposition: disposition, .cacheControl: "private, no-store",
                .contentSecurityPolicy: "default-src 'none'; sandbox",
            ],
            body: ResponseBody(contentLength: Int(count)) { writer in
                defer { try? handle.close() }
                var left = Int(count)
                while left > 0, let data = try handle.read(upToCount: min(left, 1 << 18)), !data.isEmpty {
                    left -= data.count
                    try await writer.write(ByteBuffer(bytes: data))
                }
                try await writer.finish(nil)
            }
        )
    }

    static func attachment(_ name: String) -> String { "attachment; filename*=UTF-8''\(FormText.encoded(name))" }

    /// A record packed and given out.
    static func packed(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let made = try await web.perform(
            web.services.flows.package,
            PackageRequest(place.code, record: try web.number("id"), folder: web.services.settings.temporaryFolder)
        )
        return try response(made.path, type: "application/zip", disposition: attachment(made.name), removes: true)
    }

    /// A package that was kept, whole.
    static func whole(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let (package, path) = try await web.perform(
            web.services.flows.received,
            (place.code, try web.number("package"))
        )
        let name = "\(package.manifest.resource)-\(package.senderRecord).zip"
        return try response(path, type: "application/zip", disposition: attachment(name))
    }

    /// The receipt of a package that was kept.
    static func receipt(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let (package, _) = try await web.perform(
            web.services.flows.received,
            (place.code, try web.number("package"))
        )
        var response = Response.bytes(Array(package.receipt.utf8), type: "application/json")
        response.headers[.contentDisposition] = attachment("receipt-\(package.senderRecord).json")
        return response
    }

    /// Takes a package that is sent as a form or raw.
    static func receive(_ web: WebRequest) async throws -> (package: ReceivedPackage, isNew: Bool) {
        let place = try await RecordPages.place(web)
        let receive = web.services.flows.receive
        // Who may not receive does not get to fill the disk.
        let resource = try await web.services.kernel.resource(place.code)
        guard web.services.kernel.gate.admits(receive.descriptor, resource, web.caller) else {
            return try await web.perform(receive, NewPackage(place.code, path: ""))
        }
        let settings = web.services.settings
        let type = web.request.headers[.contentType] ?? ""
        if type.lowercased().hasPrefix("multipart/") {
            let receiver = try MultipartReceiver(
                contentType: type,
                folder: settings.temporaryFolder,
                maximum: settings.maximumUpload
            )
            let result = try await receiver.receive(web.request.body)
            defer { result.filePath.map { TemporaryFiles.remove($0) } }
            try web.check(result.form)
            guard let path = result.filePath else {
                throw Problem("request.malformed", zh: "请选择文件。", en: "Choose a file.")
            }
            return try await web.perform(receive, NewPackage(place.code, path: path))
        }
        try web.checkHeader()
        let path = "\(settings.temporaryFolder)/upload-\(UUID().uuidString)"
        defer { TemporaryFiles.remove(path) }
        try await store(web, path, maximum: settings.maximumUpload)
        return try await web.perform(receive, NewPackage(place.code, path: path))
    }

    private static func store(_ web: WebRequest, _ path: String, maximum: Int64) async throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw MultipartReceiver.diskFull() }
        defer { close(descriptor) }
        var total: Int64 = 0
        for try await buffer in web.request.body {
            let bytes = Array(buffer.readableBytesView)
            total += Int64(bytes.count)
            guard total <= maximum else {
                throw Problem("request.too_large", status: 413, zh: "文件过大。", en: "The file is too large.")
            }
            var at = 0
            while at < bytes.count {
                let count = bytes.withUnsafeBytes {
                    write(descriptor, $0.baseAddress.map { $0 + at }, bytes.count - at)
                }
                guard count > 0 else { throw MultipartReceiver.diskFull() }
                at += count
            }
        }
    }

    /// A document or file of a package that was kept, by its name there.
    static func part(_ web: WebRequest) async throws -> Response {
        let place = try await RecordPages.place(web)
        let (_, path) = try await web.perform(web.services.flows.received, (place.code, try web.number("package")))
        let folder = try web.parameter("folder")
        let name = try web.parameter("name")
        let reader = try StoredZipReader(path: path)
        guard ["documents", "files"].contains(folder), let entry = reader.entry("\(folder)/\(name)") else {
            throw Problem.notFound(.init("文件", "the file"))
        }
        if folder == "documents" {
            let body = String(decoding: try reader.bytes(entry, limit: 16 << 20), as: UTF8.self)
            return paper(body)
        }
        let said = web.query("type") ?? ""
        let isShown = ["image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "video/webm", "audio/mpeg"]
            .contains(said)
        return try response(
            path,
            (entry.start, entry.size),
            type: isShown ? said : "application/octet-stream",
            disposition: isShown ? "inline" : attachment(web.query("name") ?? name)
        )
    }

    /// The whole of a small file.
    static func bytes(_ path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Problem.notFound(.init("文件", "the file"))
        }
        return Array(data)
    }

    /// A document of another node, as it was issued: on paper, and locked in, for nobody here wrote it.
    private static func paper(_ body: String) -> Response {
        var content = HTML.empty
        content.text = body
        var response = Response.page(
            """
            <!doctype html>
            <html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>文书</title><link rel="stylesheet" href="/assets/site.css"></head><body class="sheet"><main class="paper" id="main">\(content)</main></body></html>
            """
        )
        response.headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'self'; sandbox"
        return response
    }
}
