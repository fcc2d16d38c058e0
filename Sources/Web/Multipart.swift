import Basics
import Foundation
import Glibc
import NIOCore

/// Receives a form with one file (multipart/form-data, RFC 7578) as a stream: the file goes to the disk as it comes.
struct MultipartReceiver {
    let boundary: [UInt8]
    let folder: String
    let maximum: Int64

    /// What came.
    struct Result {
        var form: Form
        var fileName: String?
        var filePath: String?
    }

    init(contentType: String, folder: String, maximum: Int64) throws {
        guard contentType.lowercased().hasPrefix("multipart/form-data"), let range = contentType.range(of: "boundary=")
        else {
            throw Problem(
                "request.content_type",
                status: 415,
                zh: "请以 multipart/form-data 上传。",
                en: "Send the file as multipart/form-data."
            )
        }
        let name = contentType[range.upperBound...].prefix { $0 != ";" }.trimmingCharacters(
            in: CharacterSet(charactersIn: "\" ")
        )
        guard !name.isEmpty, name.utf8.count <= 100 else { throw MultipartReceiver.malformed() }
        boundary = Array("\r\n--\(name)".utf8)
        self.folder = folder
        self.maximum = maximum
    }

    static func malformed() -> Problem {
        Problem("request.malformed", zh: "上传内容不完整。", en: "The upload is not complete.")
    }

    /// Reads the parts. On failure nothing stays on the disk.
    func receive<Body: AsyncSequence>(_ body: Body) async throws -> Result where Body.Element == ByteBuffer {
        var state = State(boundary: boundary, folder: folder, maximum: maximum)
        do {
            for try await buffer in body { try state.take(Array(buffer.readableBytesView)) }
            return try state.finish()
        } catch {
            state.discard()
            throw error
        }
    }

    /// The parser between buffers.
    struct State {
        let boundary: [UInt8]
        let folder: String
        let maximum: Int64
        var buffer: [UInt8] = Array("\r\n".utf8)
        var inPart = false
        var isDone = false
        var partName = ""
        var partFile: String?
        var value: [UInt8] = []
        var texts = 0
        var parts = 0
        var descriptor: Int32 = -1
        var written: Int64 = 0
        var result = Result(form: Form(fields: []), fileName: nil, filePath: nil)

        init(boundary: [UInt8], folder: String, maximum: Int64) {
            self.boundary = boundary
            self.folder = folder
            self.maximum = maximum
        }

        mutating func take(_ bytes: [UInt8]) throws {
            guard !isDone else { return }
            buffer.append(contentsOf: bytes)
            while !isDone {
                if inPart {
                    guard let at = find(boundary) else {
                        // Everything but a possible start of the boundary is content.
                        let safe = buffer.count - boundary.count
                        if safe > 0 {
                            try content(Array(buffer[..<safe]))
                            buffer.removeFirst(safe)
                        }
                        return
                    }
                    try content(Array(buffer[..<at]))
                    buffer.removeFirst(at)
                    try endPart()
                    inPart = false
                } else {
                    guard buffer.count >= boundary.count + 2 else { return }
                    guard buffer.starts(with: boundary) else { throw MultipartReceiver.malformed() }
                    let after = Array(buffer[boundary.count..<(boundary.count + 2)])
                    if after == [0x2D, 0x2D] {
                        isDone = true
                        return
                    }
                    guard let end = find([0x0D, 0x0A, 0x0D, 0x0A], from: boundary.count) else {
                        guard buffer.count < 16_384 else { throw MultipartReceiver.malformed() }
                        return
                    }
                    try beginPart(String(decoding: buffer[(boundary.count + 2)..<end], as: UTF8.self))
                    buffer.removeFirst(end + 4)
                    inPart = true
                }
            }
        }

        func find(_ pattern: [UInt8], from start: Int = 0) -> Int? {
            guard buffer.count - start >= pattern.count else { return nil }
            return buffer.withUnsafeBufferPointer { bytes -> Int? in
                guard let base = bytes.baseAddress else { return nil }
                var at = start
                let last = bytes.count - pattern.count
                while at <= last {
                    guard let hit = memchr(base + at, Int32(pattern[0]), last - at + 1) else { return nil }
                    at = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
                    if memcmp(base + at, pattern, pattern.count) == 0 { return at }
                    at += 1
                }
                return nil
            }
        }

        mutating func beginPart(_ head: String) throws {
            parts += 1
            guard parts <= 100 else { throw MultipartReceiver.malformed() }
            partName = State.attribute("name", head) ?? ""
            partFile = State.attribute("filename", head)
            value = []
            guard let partFile else { return }
            guard result.filePath == nil, !partFile.isEmpty else { return }
            let path = "\(folder)/upload-\(UUID().uuidString)"
            descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw MultipartReceiver.diskFull() }
            result.filePath = path
            result.fileName = String(partFile.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last ?? "file")
        }

        static func attribute(_ name: String, _ head: String) -> String? {
            for line in head.components(separatedBy: "\r\n") where line.lowercased().hasPrefix("content-disposition:") {
                guard let range = line.range(of: "; \(name)=\"") else { continue }
                return String(line[range.upperBound...].prefix { $0 != "\"" })
            }
            return nil
        }

        mutating func content(_ bytes: [UInt8]) throws {
            if descriptor >= 0 {
                written += Int64(bytes.count)
                guard written <= maximum else {
                    throw Problem(
                        "request.too_large",
                        status: 413,
                        zh: "文件超过 \(maximum >> 20) MB 的上限。",
                        en: "The file is larger than \(maximum >> 20) MB."
                    )
                }
                var at = 0
                while at < bytes.count {
                    let count = bytes.withUnsafeBytes {
                        write(descriptor, $0.baseAddress.map { $0 + at }, bytes.count - at)
                    }
                    guard count > 0 else { throw MultipartReceiver.diskFull() }
                    at += count
                }
            } else {
                value.append(contentsOf: bytes)
                texts += bytes.count
                guard texts <= 1 << 20 else { throw MultipartReceiver.malformed() }
            }
        }

        mutating func endPart() throws {
            if descriptor >= 0 {
                // The upload is acknowledged once it is on the disk.
                guard fsync(descriptor) == 0 else { throw MultipartReceiver.diskFull() }
                close(descriptor)
                descriptor = -1
            } else if partFile == nil {
                result.form.fields.append((partName, String(decoding: value, as: UTF8.self)))
            }
        }

        mutating func finish() throws -> Result {
            guard isDone else { throw MultipartReceiver.malformed() }
            return result
        }

        mutating func discard() {
            if descriptor >= 0 { close(descriptor) }
            if let path = result.filePath { unlink(path) }
        }
    }

    static func diskFull() -> Problem {
        Problem(
            "store.disk",
            status: 507,
            zh: "磁盘已满或写入出错，文件未保存。",
            en: "The disk is full or failed; the file was not saved."
        )
    }
}
