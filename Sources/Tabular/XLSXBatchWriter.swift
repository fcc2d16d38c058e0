import Basics
import CZlib

/// Writes the rows of batches as a workbook of one sheet; rows that do not fit it go on in another.
public struct XLSXBatchWriter: BatchWriter {
    let fields: [Field]
    let sheetName: String
    private var row = 0
    private var book = SpreadsheetStream()

    public init(fields: [Field], sheetName: String) {
        self.fields = fields
        self.sheetName = sheetName
    }

    public mutating func begin(into out: inout [UInt8]) {
        book.open(row == 0 ? sheetName : "\(sheetName.prefix(24)) \(book.sheetCount + 1)", into: &out)
        var text = Array("<row>".utf8)
        for field in fields { SpreadsheetStream.append(string: field.name, style: 0, to: &text) }
        text.append(contentsOf: "</row>".utf8)
        book.rows(text, into: &out)
        row = 1
    }

    public mutating func write(_ batch: Batch, into out: inout [UInt8]) {
        var text: [UInt8] = []
        for index in 0..<batch.count {
            if row == SpreadsheetStream.maximumRows {
                book.rows(text, into: &out)
                text.removeAll(keepingCapacity: true)
                book.close(into: &out)
                begin(into: &out)
            }
            row += 1
            text.append(contentsOf: "<row>".utf8)
            for column in batch.columns.indices {
                if batch.columns[column].isNull(index) {
                    text.append(contentsOf: "<c/>".utf8)
                    continue
                }
                switch batch.value(index, column) {
                case .integer(let value) where value.magnitude < 1_000_000_000_000_000:
                    number(.integer(value), to: &text)
                case .decimal(let value, let scale): number(.decimal(value, scale: scale), to: &text)
                case .real(let value): number(.real(value), to: &text)
                case .boolean(let value): text.append(contentsOf: "<c t=\"b\"><v>\(value ? 1 : 0)</v></c>".utf8)
                case let other: SpreadsheetStream.append(string: other.text, style: 0, to: &text)
                }
            }
            text.append(contentsOf: "</row>".utf8)
        }
        book.rows(text, into: &out)
    }

    private func number(_ value: Value, to text: inout [UInt8]) {
        text.append(contentsOf: "<c><v>".utf8)
        value.append(to: &text)
        text.append(contentsOf: "</v></c>".utf8)
    }

    public mutating func end(into out: inout [UInt8]) {
        book.close(into: &out)
        book.finish(into: &out)
    }
}

/// Writes a zip archive front to back, with data descriptors behind the entries.
public struct ZipStream: Sendable {
    struct Entry {
        var name: [UInt8]
        var crc: UInt32
        var compressed: UInt32
        var size: UInt32
        var offset: UInt32
    }

    private var entries: [Entry] = []
    private var offset: UInt64 = 0
    private var current = Entry(name: [], crc: 0, compressed: 0, size: 0, offset: 0)

    public init() {}

    /// Adds a small entry whole.
    public mutating func add(_ name: String, _ text: String, into out: inout [UInt8]) {
        open(name, into: &out)
        write(Array(text.utf8), into: &out)
        close(into: &out)
    }

    /// Begins an entry.
    public mutating func open(_ name: String, into out: inout [UInt8]) {
        current = Entry(
            name: Array(name.utf8),
            crc: UInt32(crc32(0, nil, 0)),
            compressed: 0,
            size: 0,
            offset: UInt32(truncatingIfNeeded: offset)
        )
        var head: [UInt8] = []
        ZipStream.put(0x0403_4B50, 4, &head)
        ZipStream.put(20, 2, &head)
        ZipStream.put(0x0808, 2, &head)
        ZipStream.put(8, 2, &head)
        ZipStream.put(0, 2, &head)
        ZipStream.put(0x21, 2, &head)
        ZipStream.put(0, 12, &head)
        ZipStream.put(UInt64(current.name.count), 2, &head)
        ZipStream.put(0, 2, &head)
        emit(head + current.name, into: &out)
    }

    /// Compresses bytes into the open entry. Each call makes deflate blocks of its own, so nothing is kept between calls.
    public mutating func write(_ bytes: [UInt8], into out: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        current.crc = UInt32(crc32(UInt(current.crc), bytes, UInt32(bytes.count)))
        current.size &+= UInt32(truncatingIfNeeded: bytes.count)
        let packed = ZipStream.deflated(bytes, finish: false)
        current.compressed &+= UInt32(truncatingIfNeeded: packed.count)
        emit(packed, into: &out)
    }

    static func deflated(_ bytes: [UInt8], finish: Bool) -> [UInt8] {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream,
                4,
                Z_DEFLATED,
                -15,
                8,
                Z_DEFAULT_STRATEGY,
                ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)
            ) == Z_OK
        else { return [] }
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))) + 64)
        let used = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target -> Int in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                _ = deflate(&stream, finish ? Z_FINISH : Z_SYNC_FLUSH)
                return target.count - Int(stream.avail_out)
            }
        }
        return Array(output.prefix(used))
    }

    /// Ends the open entry.
    public mutating func close(into out: inout [UInt8]) {
        let packed = ZipStream.deflated([], finish: true)
        current.compressed &+= UInt32(truncatingIfNeeded: packed.count)
        var tail: [UInt8] = []
        ZipStream.put(0x0807_4B50, 4, &tail)
        ZipStream.put(UInt64(current.crc), 4, &tail)
        ZipStream.put(UInt64(current.compressed), 4, &tail)
        ZipStream.put(UInt64(current.size), 4, &tail)
        emit(packed + tail, into: &out)
        entries.append(current)
    }

    /// Writes the central directory.
    public mutating func finish(into out: inout [UInt8]) {
        let start = offset
        var directory: [UInt8] = []
        for entry in entries {
            ZipStream.put(0x0201_4B50, 4, &directory)
            ZipStream.put(20, 2, &directory)
            ZipStream.put(20, 2, &directory)
            ZipStream.put(0x0808, 2, &directory)
            ZipStream.put(8, 2, &directory)
            ZipStream.put(0, 2, &directory)
            ZipStream.put(0x21, 2, &directory)
            ZipStream.put(UInt64(entry.crc), 4, &directory)
            ZipStream.put(UInt64(entry.compressed), 4, &directory)
            ZipStream.put(UInt64(entry.size), 4, &directory)
            ZipStream.put(UInt64(entry.name.count), 2, &directory)
            ZipStream.put(0, 12, &directory)
            ZipStream.put(UInt64(entry.offset), 4, &directory)
            directory.append(contentsOf: entry.name)
        }
        let size = UInt64(directory.count)
        ZipStream.put(0x0605_4B50, 4, &directory)
        ZipStream.put(0, 4, &directory)
        ZipStream.put(UInt64(entries.count), 2, &directory)
        ZipStream.put(UInt64(entries.count), 2, &directory)
        ZipStream.put(size, 4, &directory)
        ZipStream.put(start, 4, &directory)
        ZipStream.put(0, 2, &directory)
        emit(directory, into: &out)
    }

    mutating func emit(_ bytes: [UInt8], into out: inout [UInt8]) {
        out.append(contentsOf: bytes)
        offset += UInt64(bytes.count)
    }

    static func put(_ value: UInt64, _ width: Int, _ out: inout [UInt8]) {
        for index in 0..<width { out.append(index < 8 ? UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) : 0) }
    }
}
