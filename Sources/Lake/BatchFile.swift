import Basics
import CLZ4
import Foundation
import Tabular

/// A version of a resource as a file of batches, column by column, LZ4 in blocks: immutable, read front to back.
///
/// Layout: `TQB1`, then blocks of (compressed length, plain length, both 32-bit little-endian, data). The first block is the schema as
/// JSON; each following one a batch: row count, then for every column its validity words and its values as they lie in memory.
final class BatchFileWriter {
    let handle: FileHandle
    let temporary: URL
    let target: URL
    private var plain: [UInt8] = []

    init(_ target: URL, fields: [Field]) throws {
        self.target = target
        temporary = target.appendingPathExtension("part")
        guard FileManager.default.createFile(atPath: temporary.path, contents: nil) else {
            throw FileSource.unwritable()
        }
        handle = try FileHandle(forWritingTo: temporary)
        try handle.write(contentsOf: Data("TQB1".utf8))
        try block(Array(TableSchema.write(Schema(fields: fields)).text.utf8))
    }

    func write(_ batch: Batch, rows: [Int32]) throws {
        guard !rows.isEmpty else { return }
        plain.removeAll(keepingCapacity: true)
        append(Int32(rows.count))
        let isWhole = rows.count == batch.count
        for column in batch.columns { append(isWhole ? column : column.taking(rows)) }
        try block(plain)
    }

    private func append(_ value: Int32) { withUnsafeBytes(of: value.littleEndian) { plain.append(contentsOf: $0) } }

    private func append(_ column: Column) {
        if let validity = column.validity {
            append(Int32(validity.words.count))
            validity.words.withUnsafeBytes { plain.append(contentsOf: $0) }
        } else {
            append(0)
        }
        switch column.values {
        case .int64(let values): values.withUnsafeBytes { plain.append(contentsOf: $0) }
        case .int32(let values): values.withUnsafeBytes { plain.append(contentsOf: $0) }
        case .real(let values): values.withUnsafeBytes { plain.append(contentsOf: $0) }
        case .bits(let bits): bits.words.withUnsafeBytes { plain.append(contentsOf: $0) }
        case .points(let x, let y):
            x.withUnsafeBytes { plain.append(contentsOf: $0) }
            y.withUnsafeBytes { plain.append(contentsOf: $0) }
        case .text(let texts):
            texts.offsets.withUnsafeBytes { plain.append(contentsOf: $0) }
            plain.append(contentsOf: texts.bytes)
        }
    }

    /// LZ4's acceleration: some size is given up for time.
    private static let haste: Int32 = 4

    private func block(_ bytes: [UInt8]) throws {
        let bound = Int(LZ4_compressBound(Int32(bytes.count)))
        var out = [UInt8](repeating: 0, count: bound + 8)
        let count = out.withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes { source in
                LZ4_compress_fast(
                    source.baseAddress?.assumingMemoryBound(to: CChar.self),
                    target.baseAddress.map { ($0 + 8).assumingMemoryBound(to: CChar.self) },
                    Int32(bytes.count),
                    Int32(bound),
                    BatchFileWriter.haste
                )
            }
        }
        guard count > 0 else { throw BatchFileReader.damaged() }
        out.withUnsafeMutableBytes {
            $0.storeBytes(of: UInt32(count).littleEndian, toByteOffset: 0, as: UInt32.self)
            $0.storeBytes(of: UInt32(bytes.count).littleEndian, toByteOffset: 4, as: UInt32.self)
        }
        try handle.write(contentsOf: Data(out[..<(Int(count) + 8)]))
    }

    /// Puts the file in place; it is whole or not there.
    func finish() throws {
        try handle.synchronize()
        try handle.close()
        try? FileManager.default.removeItem(at: target)
        try FileManager.default.moveItem(at: temporary, to: target)
    }
}

/// Reads a version's batches one after the other.
final class BatchFileReader {
    let source: FileSource
    let fields: [Field]

    static func damaged() -> Problem {
        Problem("version.damaged", status: 500, zh: "版本文件损坏。", en: "The version's file is damaged.")
    }

    init(_ url: URL) throws {
        source = try FileSource(path: url.path)
        var magic = [UInt8](repeating: 0, count: 4)
        guard try BatchFileReader.fill(&magic, source), magic == Array("TQB1".utf8),
            let head = try BatchFileReader.block(source)
        else {
            throw BatchFileReader.damaged()
        }
        fields = try TableSchema.read(JSONValue(head)).fields
    }

    static func fill(_ bytes: inout [UInt8], _ source: FileSource) throws -> Bool {
        var at = 0
        while at < bytes.count {
            let got = try bytes.withUnsafeMutableBytes {
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[at...]))
            }
            if got == 0 { return false }
            at += got
        }
        return true
    }

    static func block(_ source: FileSource) throws -> [UInt8]? {
        var head = [UInt8](repeating: 0, count: 8)
        guard try fill(&head, source) else { return nil }
        let (packed, plain) = head.withUnsafeBytes {
            (
                Int(UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self))),
                Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            )
        }
        guard packed < 1 << 30, plain < 1 << 30 else { throw damaged() }
        var bytes = [UInt8](repeating: 0, count: packed)
        guard try fill(&bytes, source) else { throw damaged() }
        var out = [UInt8](repeating: 0, count: plain)
        let count = out.withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes { source in
                LZ4_decompress_safe(
                    source.baseAddress?.assumingMemoryBound(to: CChar.self),
                    target.baseAddress?.assumingMemoryBound(to: CChar.self),
                    Int32(packed),
                    Int32(plain)
                )
            }
        }
        guard Int(count) == plain else { throw damaged() }
        return out
    }

    /// The next batch; nil at the end.
    func next() throws -> Batch? {
        guard let bytes = try BatchFileReader.block(source) else { return nil }
        var at = 0
        func take<Number>(_ type: Number.Type, _ count: Int) throws -> [Number] {
            let size = MemoryLayout<Number>.stride * count
            guard count >= 0, at + size <= bytes.count else { throw BatchFileReader.damaged() }
            defer { at += size }
            return bytes.withUnsafeBytes { raw in
                [Number](unsafeUninitializedCapacity: count) { target, filled in
                    UnsafeMutableRawBufferPointer(target).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: raw[at..<(at + size)])
                    )
                    filled = count
                }
            }
        }
        let count = Int(try take(Int32.self, 1)[0])
        var columns: [Column] = []
        for field in fields {
            let words = Int(try take(Int32.self, 1)[0])
            let validity = words > 0 ? Bitmap(words: try take(UInt64.self, words), count: count) : nil
            let values: ColumnValues
            switch field.type {
            case .integer, .decimal, .time, .timestamp: values = .int64(try take(Int64.self, count))
            case .date: values = .int32(try take(Int32.self, count))
            case .real: values = .real(try take(Double.self, count))
            case .boolean: values = .bits(Bitmap(words: try take(UInt64.self, (count + 63) / 64), count: count))
            case .point: values = .points(x: try take(Double.self, count), y: try take(Double.self, count))
            case .text, .geometry, .file:
                var texts = TextBuffer()
                texts.offsets = try take(Int32.self, count + 1)
                texts.bytes = try take(UInt8.self, Int(texts.offsets[count]))
                values = .text(texts)
            }
            columns.append(Column(values, validity: validity))
        }
        return Batch(fields: fields, columns: columns, count: count)
    }
}
