public import Basics
import CZip
import CZlib
import Glibc

/// Gives bytes until there are no more.
public protocol ByteSource: AnyObject {
    /// Fills a buffer as far as it can; 0 means the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// What a source may cost. Beyond it a file is refused, not read into the ground.
public struct SourceLimits: Sendable {
    /// Bytes after decompression.
    public var maximumBytes: Int64
    /// Decompressed bytes to one compressed byte, once ``ratioFloor`` is passed: real tables stay far below it.
    public var maximumRatio: Int64
    public var ratioFloor: Int64
    /// Bytes of one cell; longer ones are cut and reported.
    public var maximumCellBytes: Int

    public init(
        maximumBytes: Int64 = 64 << 30,
        maximumRatio: Int64 = 300,
        ratioFloor: Int64 = 256 << 20,
        maximumCellBytes: Int = 1 << 20
    ) {
        self.maximumBytes = maximumBytes
        self.maximumRatio = maximumRatio
        self.ratioFloor = ratioFloor
        self.maximumCellBytes = maximumCellBytes
    }

    func check(compressed: Int64, expanded: Int64) throws {
        if expanded > maximumBytes {
            throw Problem(
                "file.too_large",
                status: 413,
                zh: "文件展开后超过 \(maximumBytes >> 20) MB 的上限。",
                en: "The file is larger than \(maximumBytes >> 20) MB when decompressed."
            )
        }
        if expanded > ratioFloor, compressed > 0, expanded / compressed > maximumRatio {
            throw Problem(
                "file.bomb",
                status: 413,
                zh: "压缩比超过 \(maximumRatio) 倍，疑似压缩炸弹，已拒绝。",
                en: "The file expands more than \(maximumRatio) times, as a zip bomb does; it was refused.",
                hint: .init("如确为正常数据，请解压后上传。", "If it is real data, decompress it before you send it.")
            )
        }
    }
}

/// Bytes of a file on disk.
public final class FileSource: ByteSource {
    let descriptor: Int32
    let limits: SourceLimits
    var total: Int64 = 0

    /// - Throws: `file.unreadable`.
    public init(path: String, limits: SourceLimits = SourceLimits()) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        self.limits = limits
        guard descriptor >= 0 else { throw FileSource.unreadable(path) }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit { close(descriptor) }

    static func unreadable(_ path: String) -> Problem {
        let reason = String(cString: strerror(errno))
        return Problem(
            "file.unreadable",
            zh: "无法读取文件：\(reason)。",
            en: "The file cannot be read: \(reason).",
            details: ["file": path]
        )
    }

    /// What is said where a file cannot be written.
    public static func unwritable() -> Problem {
        Problem(
            "store.disk",
            status: 507,
            zh: "磁盘已满或写入出错，本次更改未保存。",
            en: "The disk is full or failed; this change was not saved.",
            hint: .init("清理磁盘后重试。", "Free space and try again.")
        )
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw FileSource.unreadable("") }
            total += Int64(got)
            try limits.check(compressed: total, expanded: total)
            return got
        }
    }
}

/// Bytes in memory.
public final class MemorySource: ByteSource {
    let bytes: [UInt8]
    var at = 0

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = min(buffer.count, bytes.count - at)
        bytes[at..<(at + count)].withUnsafeBytes { buffer.copyMemory(from: $0) }
        at += count
        return count
    }
}

/// Decompresses gzip, several members in a row included.
public final class GzipSource: ByteSource {
    let source: any ByteSource
    let limits: SourceLimits
    var stream = z_stream()
    var input = [UInt8](repeating: 0, count: 1 << 16)
    var available = 0
    var position = 0
    var compressed: Int64 = 0
    var expanded: Int64 = 0
    var inMember = true
    var ended = false

    public init(_ source: any ByteSource, limits: SourceLimits = SourceLimits()) throws {
        self.source = source
        self.limits = limits
        guard inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw GzipSource.damaged()
        }
    }

    deinit { inflateEnd(&stream) }

    static func damaged() -> Problem {
        Problem(
            "file.damaged",
            zh: "压缩文件已损坏或不完整。",
            en: "The compressed file is damaged or cut short.",
            hint: .init("请重新导出或重新传输。", "Export or transfer it again.")
        )
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard !ended, let base = buffer.baseAddress else { return 0 }
        var produced = 0
        while produced == 0 {
            if position == available {
                available = try input.withUnsafeMutableBytes { try source.read(into: $0) }
                position = 0
                if available == 0 {
                    ended = true
                    guard !inMember else { throw GzipSource.damaged() }
                    return 0
                }
                compressed += Int64(available)
            }
            if !inMember {
                inflateReset(&stream)
                inMember = true
            }
            let status = input.withUnsafeMutableBufferPointer { pointer -> Int32 in
                stream.next_in = pointer.baseAddress.map { $0 + position }
                stream.avail_in = UInt32(available - position)
                stream.next_out = base.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = UInt32(buffer.count)
                return inflate(&stream, Z_NO_FLUSH)
            }
            produced = buffer.count - Int(stream.avail_out)
            position = available - Int(stream.avail_in)
            expanded += Int64(produced)
            try limits.check(compressed: compressed, expanded: expanded)
            switch status {
            case Z_STREAM_END: inMember = false
            case Z_OK, Z_BUF_ERROR: continue
            default: throw GzipSource.damaged()
            }
        }
        return produced
    }
}

/// A zip archive: the names in it and the bytes of one entry.
public final class ZipArchive {
    /// An entry of the archive.
    public struct Entry: Sendable, Hashable {
        public var name: String
        public var size: Int64
        public var compressedSize: Int64
        var index: UInt64
    }

    let archive: OpaquePointer
    public let entries: [Entry]

    /// - Throws: `file.damaged`.
    public init(path: String) throws {
        var code: Int32 = 0
        guard let archive = zip_open(path, ZIP_RDONLY, &code) else { throw GzipSource.damaged() }
        self.archive = archive
        var entries: [Entry] = []
        for index in 0..<UInt64(max(0, zip_get_num_entries(archive, 0))) {
            var stat = zip_stat_t()
            guard zip_stat_index(archive, index, UInt32(ZIP_FL_ENC_GUESS), &stat) == 0, let name = stat.name else {
                continue
            }
            entries.append(
                Entry(
                    name: String(cString: name),
                    size: Int64(stat.size),
                    compressedSize: Int64(stat.comp_size),
                    index: index
                )
            )
        }
        self.entries = entries
    }

    deinit { zip_discard(archive) }

    /// Opens an entry for reading; the archive lives as long as the source.
    public func source(_ entry: Entry, limits: SourceLimits = SourceLimits()) throws -> any ByteSource {
        guard let file = zip_fopen_index(archive, entry.index, 0) else { throw GzipSource.damaged() }
        return ZipEntrySource(archive: self, file: file, compressed: entry.compressedSize, limits: limits)
    }

    /// The whole of a small entry.
    public func bytes(_ name: String, limit: Int = 64 << 20) throws -> [UInt8]? {
        guard let entry = entries.first(where: { $0.name == name }) else { return nil }
        let source = try source(entry)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = try chunk.withUnsafeMutableBytes { try source.read(into: $0) }
            if got == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<got])
            guard bytes.count <= limit else { throw GzipSource.damaged() }
        }
    }
}

final class ZipEntrySource: ByteSource {
    let archive: ZipArchive
    let file: OpaquePointer
    let compressed: Int64
    let limits: SourceLimits
    var expanded: Int64 = 0

    init(archive: ZipArchive, file: OpaquePointer, compressed: Int64, limits: SourceLimits) {
        self.archive = archive
        self.file = file
        self.compressed = compressed
        self.limits = limits
    }

    deinit { zip_fclose(file) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let got = zip_fread(file, buffer.baseAddress, UInt64(buffer.count))
        guard got >= 0 else { throw GzipSource.damaged() }
        expanded += Int64(got)
        try limits.check(compressed: max(1, compressed), expanded: expanded)
        return Int(got)
    }
}
