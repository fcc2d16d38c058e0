import Basics
import CZlib
import Glibc

/// A zip archive of one plain form: entries one after the other, stored as they are, then their directory, and nothing else.
///
/// Every byte follows from the names and contents, so that a reader can tell the slightest change; any program that opens zip files reads
/// it. Nothing is compressed, so nothing expands. Entries of 4 GB and more, and archives beyond that, take the fields of ZIP64 (APPNOTE 4.5.3).
public enum StoredZip {
    public struct Entry: Sendable, Hashable {
        public var name: String
        /// Bytes.
        public var size: Int64
        public var crc: UInt32
        /// Where its head begins.
        var offset: Int64

        /// Where its bytes begin.
        public var start: Int64 { offset + Int64(StoredZip.local(self).count) }
    }

    static let wide: UInt64 = 0xFFFF_FFFF
    /// The most that an archive may hold, the longest name.
    public static let maximumEntries = 100_000
    static let maximumName = 200

    private static func put(_ values: [(UInt64, Int)], _ out: inout [UInt8]) {
        for (value, width) in values { ZipStream.put(value, width, &out) }
    }

    /// The fields of ZIP64 for the values that do not fit into four bytes.
    private static func extra(_ values: [UInt64]) -> [UInt8] {
        let large = values.filter { $0 >= wide }
        var out: [UInt8] = []
        if !large.isEmpty { put([(1, 2), (UInt64(large.count * 8), 2)] + large.map { ($0, 8) }, &out) }
        return out
    }

    /// An entry's head: no flags but that of UTF-8 names, method 0, the first day that the format knows.
    static func local(_ entry: Entry) -> [UInt8] {
        let name = Array(entry.name.utf8)
        let size = UInt64(entry.size)
        let extra = extra([size, size])
        var out: [UInt8] = []
        put(
            [
                (0x0403_4B50, 4), (extra.isEmpty ? 20 : 45, 2), (0x0800, 2), (0, 2), (0, 2), (0x21, 2),
                (UInt64(entry.crc), 4), (min(size, wide), 4), (min(size, wide), 4), (UInt64(name.count), 2),
                (UInt64(extra.count), 2),
            ],
            &out
        )
        return out + name + extra
    }

    private static func central(_ entry: Entry) -> [UInt8] {
        let name = Array(entry.name.utf8)
        let size = UInt64(entry.size)
        let offset = UInt64(entry.offset)
        let extra = extra([size, size, offset])
        let version: UInt64 = extra.isEmpty ? 20 : 45
        var out: [UInt8] = []
        put(
            [
                (0x0201_4B50, 4), (version, 2), (version, 2), (0x0800, 2), (0, 2), (0, 2), (0x21, 2),
                (UInt64(entry.crc), 4), (min(size, wide), 4), (min(size, wide), 4), (UInt64(name.count), 2),
                (UInt64(extra.count), 2), (0, 2), (0, 2), (0, 2), (0, 4), (min(offset, wide), 4),
            ],
            &out
        )
        return out + name + extra
    }

    /// What follows the entries: their directory and its end.
    static func ending(_ entries: [Entry], at start: Int64) -> [UInt8] {
        var out: [UInt8] = []
        for entry in entries { out += central(entry) }
        let size = UInt64(out.count)
        let at = UInt64(start)
        let count = UInt64(entries.count)
        if size >= wide || at >= wide || count >= 0xFFFF {
            put(
                [
                    (0x0606_4B50, 4), (44, 8), (45, 2), (45, 2), (0, 4), (0, 4), (count, 8), (count, 8), (size, 8),
                    (at, 8), (0x0706_4B50, 4), (0, 4), (at + size, 8), (1, 4),
                ],
                &out
            )
        }
        put(
            [
                (0x0605_4B50, 4), (0, 2), (0, 2), (min(count, 0xFFFF), 2), (min(count, 0xFFFF), 2),
                (min(size, wide), 4),
                (min(at, wide), 4), (0, 2),
            ],
            &out
        )
        return out
    }

    /// What is said of an archive of another form.
    static func damaged() -> Problem {
        Problem(
            "file.zip_form",
            status: 422,
            zh: "文件不是规定形式的 zip，或已被截断、改动。",
            en: "The file is no zip of the form that is expected, or it was cut short or altered.",
            hint: .init("请重新导出或重新传输，不要重新打包。", "Export or transfer it again; do not pack it anew.")
        )
    }
}

/// Writes an archive of the plain form to a file.
public final class StoredZipWriter {
    private let descriptor: Int32
    private var at: Int64 = 0
    private var entries: [StoredZip.Entry] = []

    /// - Throws: `store.disk`.
    public init(path: String) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileSource.unwritable() }
    }

    deinit { close(descriptor) }

    /// Adds an entry whose size is known. `fill` gives its bytes in pieces to what it is handed.
    ///
    /// - Throws: `file.zip_form` where other than `size` bytes came, `store.disk`.
    public func add(
        _ name: String,
        size: Int64,
        _ fill: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        guard (1...StoredZip.maximumName).contains(name.utf8.count), entries.count < StoredZip.maximumEntries else {
            throw StoredZip.damaged()
        }
        var entry = StoredZip.Entry(name: name, size: size, crc: 0, offset: at)
        let head = StoredZip.local(entry)
        at += Int64(head.count)
        var crc: UInt = crc32(0, nil, 0)
        var written: Int64 = 0
        try fill { bytes in
            guard bytes.count > 0 else { return }
            crc = crc32_z(crc, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
            written += Int64(bytes.count)
            guard written <= size else { throw StoredZip.damaged() }
            try put(bytes, at: at)
            at += Int64(bytes.count)
        }
        guard written == size else { throw StoredZip.damaged() }
        entry.crc = UInt32(truncatingIfNeeded: crc)
        try StoredZip.local(entry).withUnsafeBytes { try put($0, at: entry.offset) }
        entries.append(entry)
    }

    /// Adds a small entry.
    public func add(_ name: String, _ bytes: [UInt8]) throws {
        try add(name, size: Int64(bytes.count)) { write in try bytes.withUnsafeBytes { try write($0) } }
    }

    /// Writes the directory; the size of the file.
    public func finish() throws -> Int64 {
        let ending = StoredZip.ending(entries, at: at)
        try ending.withUnsafeBytes { try put($0, at: at) }
        return at + Int64(ending.count)
    }

    private func put(_ bytes: UnsafeRawBufferPointer, at start: Int64) throws {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(start) + done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileSource.unwritable() }
            done += count
        }
    }
}

/// Reads an archive of the plain form, and no other.
public final class StoredZipReader {
    private let descriptor: Int32
    public let entries: [StoredZip.Entry]

    /// Looks at every head and at the directory: what is not as ``StoredZip`` says is refused. Contents are not read.
    ///
    /// - Throws: `file.unreadable`, `file.zip_form`.
    public init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSource.unreadable(path) }
        self.descriptor = descriptor
        do { entries = try Self.entries(descriptor) } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    private static func entries(_ descriptor: Int32) throws -> [StoredZip.Entry] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw StoredZip.damaged() }
        let length = Int64(status.st_size)
        var found: [StoredZip.Entry] = []
        var at: Int64 = 0
        while true {
            let head = try bytes(descriptor, at, 30)
            guard number(head, 0, 4) == 0x0403_4B50 else { break }
            let (name, extra) = (Int(number(head, 26, 2)), Int(number(head, 28, 2)))
            guard (1...StoredZip.maximumName).contains(name), extra <= 20, found.count < StoredZip.maximumEntries else {
                throw StoredZip.damaged()
            }
            let rest = try bytes(descriptor, at + 30, name + extra)
            var size = number(head, 22, 4)
            if size == StoredZip.wide, extra == 20 { size = number(rest, name + 4, 8) }
            guard size <= UInt64(length), let text = String(validating: rest[..<name], as: UTF8.self) else {
                throw StoredZip.damaged()
            }
            let entry = StoredZip.Entry(
                name: text,
                size: Int64(size),
                crc: UInt32(truncatingIfNeeded: number(head, 14, 4)),
                offset: at
            )
            guard StoredZip.local(entry) == head + rest, entry.start + entry.size <= length else {
                throw StoredZip.damaged()
            }
            found.append(entry)
            at = entry.start + entry.size
        }
        let ending = StoredZip.ending(found, at: at)
        guard !found.isEmpty, length - at == Int64(ending.count), try bytes(descriptor, at, ending.count) == ending
        else {
            throw StoredZip.damaged()
        }
        return found
    }

    private static func bytes(_ descriptor: Int32, _ start: Int64, _ count: Int) throws -> [UInt8] {
        var out = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = out.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + done }, count - done, off_t(start) + done)
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw StoredZip.damaged() }
            done += got
        }
        return out
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ width: Int) -> UInt64 {
        (0..<width).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }

    public func entry(_ name: String) -> StoredZip.Entry? { entries.first { $0.name == name } }

    /// Gives an entry's bytes in pieces.
    ///
    /// - Throws: `file.zip_form` where they are not those that were written.
    public func read(_ entry: StoredZip.Entry, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var crc: UInt = crc32(0, nil, 0)
        var at = entry.start
        let end = at + entry.size
        while at < end {
            let piece = try Self.bytes(descriptor, at, Int(min(1 << 18, end - at)))
            crc = crc32_z(crc, piece, piece.count)
            try piece.withUnsafeBytes { try body($0) }
            at += Int64(piece.count)
        }
        guard UInt32(truncatingIfNeeded: crc) == entry.crc else { throw StoredZip.damaged() }
    }

    /// The whole of an entry that is not larger than `limit`.
    ///
    /// - Throws: `file.zip_form`.
    public func bytes(_ entry: StoredZip.Entry, limit: Int) throws -> [UInt8] {
        guard entry.size <= Int64(limit) else { throw StoredZip.damaged() }
        var out: [UInt8] = []
        try read(entry) { out.append(contentsOf: $0) }
        return out
    }
}
