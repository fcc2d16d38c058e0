import Basics
import Foundation

/// A file being written: in full or, after a fault, not at all.
final class SpoolFile {
    private let path: String
    private let handle: FileHandle
    private var buffer: [UInt8] = []
    private var isFinished = false
    private let stop: StopSign

    init(_ path: String, _ stop: StopSign = StopSign()) throws {
        self.path = path
        self.stop = stop
        let part = path + ".part"
        guard FileManager.default.createFile(atPath: part, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forWritingAtPath: part)
        else { throw SpoolFile.full() }
        self.handle = handle
        buffer.reserveCapacity(1 << 18)
    }

    /// What was not finished goes.
    deinit {
        try? handle.close()
        if !isFinished { try? FileManager.default.removeItem(atPath: path + ".part") }
    }

    static func full() -> Problem {
        Problem("store.disk", status: 507, zh: "磁盘写入失败。", en: "The disk cannot be written.")
    }

    func write(_ bytes: some Sequence<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 1 << 18 { try flush() }
    }

    /// One reading may take this much, and leaves this much of the disk: a source without end fills no machine.
    static let maximumBytes = 50_000_000_000
    static let spareBytes: Int64 = 1_000_000_000
    private var written = 0

    private func flush() throws {
        guard !stop.isSet else {
            throw Problem(
                "source.stopped",
                status: 409,
                zh: "来源已停用或删除，读取已停止。",
                en: "The source was disabled or removed; the reading was stopped."
            )
        }
        written += buffer.count
        guard written <= SpoolFile.maximumBytes else {
            throw Problem(
                "source.too_much",
                status: 507,
                zh: "来源一次给出的数据超过 50 GB，已停止。",
                en: "The source gave more than 50 GB at once and was stopped.",
                hint: .init("请按水位取增量，或收窄范围。", "Read it by a watermark, or narrow it.")
            )
        }
        if written >> 26 != (written - buffer.count) >> 26 {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            let free = try? FileManager.default.attributesOfFileSystem(forPath: folder)[.systemFreeSize] as? Int64
            guard free ?? .max > SpoolFile.spareBytes else { throw SpoolFile.full() }
        }
        do { try handle.write(contentsOf: buffer) } catch { throw SpoolFile.full() }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Makes the file durable under its name.
    func finish() throws {
        try flush()
        do {
            try handle.synchronize()
            try handle.close()
            if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
            try FileManager.default.moveItem(atPath: path + ".part", toPath: path)
            isFinished = true
        } catch { throw SpoolFile.full() }
    }
}

/// Delimited text, as RFC 4180 has it: nothing between commas is an absent value.
enum Delimited {
    static func append(_ value: String?, to out: inout [UInt8]) {
        guard let value else { return }
        let isQuoted =
            value.isEmpty || value.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
            || value.utf8.first == 0x20 || value.utf8.last == 0x20
        guard isQuoted else { return out.append(contentsOf: value.utf8) }
        out.append(0x22)
        for byte in value.utf8 {
            if byte == 0x22 { out.append(0x22) }
            out.append(byte)
        }
        out.append(0x22)
    }

    static func line(_ values: [String?]) -> [UInt8] {
        var out: [UInt8] = []
        for (index, value) in values.enumerated() {
            if index > 0 { out.append(0x2C) }
            append(value, to: &out)
        }
        out.append(0x0A)
        return out
    }
}
