public import Basics
import Foundation

/// What a caller says about a file; everything else is found out from its content.
public struct ReadOptions: Sendable {
    public var encoding: TextEncoding?
    public var delimiter: UInt8?
    public var header: SheetLayout.HeaderHint
    public var limits: SourceLimits

    public init(
        encoding: TextEncoding? = nil,
        delimiter: UInt8? = nil,
        header: SheetLayout.HeaderHint = .detect,
        limits: SourceLimits = SourceLimits()
    ) {
        self.encoding = encoding
        self.delimiter = delimiter
        self.header = header
        self.limits = limits
    }
}

/// A file of tables: delimited text, a workbook, JSON, GeoJSON, or these in zip or gzip.
///
/// The content decides, not the name's ending. Tables are read as streams; a file may be read several times.
public final class TabularFile {
    /// The kinds of files that are read.
    public enum Format: String, Sendable {
        case delimited, workbook, json
    }

    /// One table of a file.
    public struct Table: Sendable {
        /// The sheet's or entry's name; the file's own name where there is one table only.
        public var name: String
        public var format: Format
        public var encoding: TextEncoding?
        public var dialect: CSVDialect?
        public var layout: SheetLayout
        var entry: String?
        var sheet: Workbook.Sheet?
    }

    let path: String
    let options: ReadOptions
    public private(set) var tables: [Table] = []
    /// What is not read, and why.
    public private(set) var notes: [LocalizedText] = []
    private var archive: ZipArchive?
    private var workbook: Workbook?
    private var converted: URL?

    /// Opens a file and looks at its tables.
    ///
    /// - Throws: `file.unreadable`, `file.damaged`, `file.empty`, `file.unsupported`, `file.bomb`.
    public init(path: String, options: ReadOptions = ReadOptions()) throws {
        self.path = path
        self.options = options
        try open(path, name: URL(fileURLWithPath: path).lastPathComponent)
        guard !tables.isEmpty else { throw TabularFile.empty() }
    }

    deinit { if let converted { try? FileManager.default.removeItem(at: converted.deletingLastPathComponent()) } }

    static func empty() -> Problem {
        Problem("file.empty", zh: "文件中没有可读的表格。", en: "The file holds no table that can be read.")
    }

    static func unsupported(_ zh: String, _ en: String, hint: LocalizedText) -> Problem {
        Problem(
            "file.unsupported",
            status: 415,
            zh: "不支持的文件：\(zh)。",
            en: "The file is not supported: \(en).",
            hint: hint
        )
    }

    private func open(_ path: String, name: String) throws {
        let head = try TabularFile.head(try FileSource(path: path, limits: options.limits), count: 4096)
        if head.isEmpty { throw TabularFile.empty() }
        if head.starts(with: [0x50, 0x4B, 0x03, 0x04]) || head.starts(with: [0x50, 0x4B, 0x05, 0x06]) {
            try openArchive(path, name: name)
        } else if head.starts(with: [0x1F, 0x8B]) {
            let plain = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
            try addText(name: plain, entry: nil) { [options] in
                try GzipSource(try FileSource(path: path), limits: options.limits)
            }
        } else if head.starts(with: [0xD0, 0xCF, 0x11, 0xE0]) {
            try openLegacy(path)
        } else {
            try TabularFile.refuseForeign(head)
            try addText(name: name, entry: nil) { [options] in try FileSource(path: path, limits: options.limits) }
        }
    }

    static func head(_ source: any ByteSource, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = try bytes.withUnsafeMutableBytes {
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
            }
            if got == 0 { break }
            filled += got
        }
        return Array(bytes.prefix(filled))
    }

    /// Refuses what is clearly no table, saying what to do.
    static func refuseForeign(_ head: [UInt8]) throws {
        let known: [([UInt8], String, LocalizedText)] = [
            (Array("%PDF".utf8), "PDF", .init("请提供导出 PDF 之前的表格。", "Send the table the PDF was made from.")),
            (Array("SQLite format 3".utf8), "SQLite", .init("请从数据库导出为 CSV。", "Export the table as CSV.")),
            ([0x89, 0x50, 0x4E, 0x47], "PNG", .init("请提供表格文件。", "Send a table.")),
            ([0xFF, 0xD8, 0xFF], "JPEG", .init("请提供表格文件。", "Send a table.")),
            (Array("Rar!".utf8), "RAR", .init("请改用 zip 压缩。", "Use zip.")),
            ([0x37, 0x7A, 0xBC, 0xAF], "7z", .init("请改用 zip 压缩。", "Use zip.")),
            ([0x7F, 0x45, 0x4C, 0x46], "ELF", .init("请提供表格文件。", "Send a table.")),
        ]
        for (magic, name, hint) in known where head.starts(with: magic) {
            throw unsupported("内容是 \(name)", "its content is \(name)", hint: hint)
        }
        let isText =
            TextEncoding.unmarkedUTF16(head) != nil || head.starts(with: [0xFF, 0xFE])
            || head.starts(with: [0xFE, 0xFF])
        if !isText, head.contains(0) {
            throw unsupported(
                "内容是二进制数据",
                "its content is binary",
                hint: .init("请提供 CSV、XLSX 或 JSON。", "Send CSV, XLSX or JSON.")
            )
        }
        let start = String(decoding: head.prefix(512), as: UTF8.self).lowercased()
        if start.contains("<!doctype html") || start.contains("<html") {
            throw unsupported(
                "内容是网页",
                "its content is a web page",
                hint: .init(
                    "请下载真正的数据文件：网页可能是登录页或错误页。",
                    "Download the data itself: this may be a sign-in or error page."
                )
            )
        }
    }

    // MARK: Archives and workbooks

    private func openArchive(_ path: String, name: String) throws {
        let archive = try ZipArchive(path: path)
        self.archive = archive
        if archive.entries.contains(where: { $0.name == "xl/workbook.xml" }) {
            return try openWorkbook(archive, name: name)
        }
        let known = ["csv", "tsv", "txt", "tab", "json", "jsonl", "ndjson", "geojson", "dat"]
        for entry in archive.entries.sorted(by: { $0.name < $1.name })
        where entry.size > 0 && !entry.name.hasSuffix("/") {
            let isHidden =
                entry.name.contains("__MACOSX") || entry.name.split(separator: "/").last?.hasPrefix(".") == true
            guard !isHidden else { continue }
            guard known.contains(URL(fileURLWithPath: entry.name).pathExtension.lowercased()) else {
                notes.append(
                    .init("压缩包中的 \(entry.name) 不是可读的表格", "\(entry.name) in the archive is no table that can be read")
                )
                continue
            }
            try addText(name: entry.name, entry: entry.name) { [options] in
                try archive.source(entry, limits: options.limits)
            }
            if tables.count >= 100 { break }
        }
    }

    private func openWorkbook(_ archive: ZipArchive, name: String) throws {
        let book = try Workbook(archive, limits: options.limits)
        workbook = book
        for sheet in book.sheets {
            let rows = try sample(book, sheet)
            guard !rows.isEmpty else {
                notes.append(.init("工作表“\(sheet.name)”为空", "the sheet “\(sheet.name)” is empty"))
                continue
            }
            tables.append(
                Table(
                    name: sheet.name,
                    format: .workbook,
                    layout: SheetLayout.detect(rows, hint: options.header),
                    sheet: sheet
                )
            )
        }
    }

    private func sample(_ book: Workbook, _ sheet: Workbook.Sheet) throws -> [SheetLayout.SampleRow] {
        let wide = SheetLayout(
            names: (0..<512).map { "c\($0)" },
            skippedLines: 0,
            hasHeader: false,
            units: [],
            notes: []
        )
        let reader = try XLSXReader(book, sheet: sheet, layout: wide, limits: options.limits, rowsPerBatch: 120)
        guard let batch = try reader.next() else { return [] }
        return (0..<batch.rows).map { row in
            var cells = batch.texts(row)
            while cells.last?.isEmpty == true { cells.removeLast() }
            return SheetLayout.SampleRow(line: batch.numbers[row], cells: cells)
        }
    }

    private func openLegacy(_ path: String) throws {
        guard let office = OfficeConverter.program else {
            throw TabularFile.unsupported(
                "这是旧版 Excel(.xls)或 WPS(.et)工作簿",
                "this is an old Excel (.xls) or WPS (.et) workbook",
                hint: .init(
                    "请另存为 .xlsx 后再上传，或在本机安装 LibreOffice。",
                    "Save it as .xlsx, or install LibreOffice on this machine."
                )
            )
        }
        let copy = try OfficeConverter.convert(path, with: office)
        converted = copy
        try open(copy.path, name: copy.lastPathComponent)
    }

    // MARK: Text

    private func addText(name: String, entry: String?, _ open: () throws -> any ByteSource) throws {
        let sampleSize = 1 << 18
        let head = try TabularFile.head(try open(), count: sampleSize)
        guard !head.isEmpty else { return }
        let detected = TextEncoding.detect(head, isWhole: head.count < sampleSize)
        let encoding = options.encoding ?? detected.encoding
        let text = try TabularFile.head(try textSource(MemorySource(head), encoding), count: sampleSize * 2)
        let first = text.first { !($0 == 0x20 || ($0 >= 0x09 && $0 <= 0x0D)) }
        guard first != nil || !name.isEmpty else { return }
        if first == 0x7B || first == 0x5B, options.delimiter == nil {
            let names = try JSONRowsReader.names(try textSource(try open(), encoding), limits: options.limits)
            if !names.isEmpty {
                let layout = SheetLayout(
                    names: names,
                    skippedLines: 0,
                    hasHeader: true,
                    units: names.map { _ in "" },
                    notes: []
                )
                tables.append(Table(name: name, format: .json, encoding: encoding, layout: layout, entry: entry))
                return
            }
            if (try? JSONValue(text)) != nil { return }
        }
        var dialect = CSVDialect.detect(text)
        if let delimiter = options.delimiter { dialect.delimiter = delimiter }
        let rows = try TabularFile.sampleRows(text, dialect, options.limits)
        guard !rows.isEmpty else { return }
        tables.append(
            Table(
                name: name,
                format: .delimited,
                encoding: encoding,
                dialect: dialect,
                layout: SheetLayout.detect(rows, hint: options.header),
                entry: entry
            )
        )
    }

    static func sampleRows(
        _ text: [UInt8],
        _ dialect: CSVDialect,
        _ limits: SourceLimits
    ) throws -> [SheetLayout.SampleRow] {
        let wide = SheetLayout(
            names: (0..<1024).map { "c\($0)" },
            skippedLines: 0,
            hasHeader: false,
            units: [],
            notes: []
        )
        let reader = CSVReader(MemorySource(text), dialect: dialect, layout: wide, limits: limits, rowsPerBatch: 200)
        guard let batch = try reader.next() else { return [] }
        let widths = Dictionary(
            batch.oddities.filter { $0.kind == .tooFew }.map { ($0.row, $0.found) },
            uniquingKeysWith: { first, _ in first }
        )
        return (0..<batch.rows).map { row in
            SheetLayout.SampleRow(
                line: batch.numbers[row],
                cells: (0..<(widths[row] ?? 1024)).map { batch.text(row, $0) }
            )
        }
    }

    private func textSource(_ source: any ByteSource, _ encoding: TextEncoding) throws -> any ByteSource {
        let unmarked = try MarkSkippingSource(source, encoding)
        return encoding == .utf8 ? unmarked : try TranscodingSource(unmarked, from: encoding)
    }

    // MARK: Reading

    /// The table of a name; without one, the first that has a header, else the first.
    ///
    /// - Throws: `file.table_unknown` listing what there is.
    public func table(_ name: String? = nil) throws(Problem) -> Table {
        if let name, let table = tables.first(where: { $0.name == name }) { return table }
        if name == nil, let first = tables.first(where: { $0.layout.hasHeader }) ?? tables.first { return first }
        throw Problem(
            "file.table_unknown",
            zh: "文件中没有这个表。",
            en: "The file has no such table.",
            details: ["tables": tables.map(\.name).joined(separator: ", ")]
        )
    }

    /// Reads a table from its start.
    public func reader(_ table: Table) throws -> any RowReader {
        if let workbook, let sheet = table.sheet {
            return try XLSXReader(workbook, sheet: sheet, layout: table.layout, limits: options.limits)
        }
        let source: any ByteSource
        if let archive, let name = table.entry, let entry = archive.entries.first(where: { $0.name == name }) {
            source = try archive.source(entry, limits: options.limits)
        } else {
            let file = try FileSource(path: converted?.path ?? path, limits: options.limits)
            let head = try TabularFile.head(try FileSource(path: converted?.path ?? path), count: 2)
            source = head == [0x1F, 0x8B] ? try GzipSource(file, limits: options.limits) : file
        }
        let text = try textSource(source, table.encoding ?? .utf8)
        guard table.format == .delimited, let dialect = table.dialect else {
            return JSONRowsReader(text, header: table.layout.names, limits: options.limits)
        }
        return CSVReader(text, dialect: dialect, layout: table.layout, limits: options.limits)
    }
}

/// Leaves out a byte order mark.
final class MarkSkippingSource: ByteSource {
    let source: any ByteSource
    var head: [UInt8]

    init(_ source: any ByteSource, _ encoding: TextEncoding) throws {
        self.source = source
        head = try TabularFile.head(source, count: 3)
        switch encoding {
        case .utf8: if head == [0xEF, 0xBB, 0xBF] { head = [] }
        case .utf16LittleEndian: if head.starts(with: [0xFF, 0xFE]) { head.removeFirst(2) }
        case .utf16BigEndian: if head.starts(with: [0xFE, 0xFF]) { head.removeFirst(2) }
        default: break
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard !head.isEmpty else { return try source.read(into: buffer) }
        let count = min(head.count, buffer.count)
        buffer.copyBytes(from: head.prefix(count))
        head.removeFirst(count)
        return count
    }
}

/// Old workbooks go through LibreOffice where it is installed.
enum OfficeConverter {
    static var program: String? {
        ["/usr/bin/soffice", "/usr/bin/libreoffice", "/usr/local/bin/soffice"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    /// Converts to .xlsx in a fresh folder, within two minutes.
    static func convert(_ path: String, with program: String) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tongqu-office-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [
            "-env:UserInstallation=file://\(folder.path)/profile", "--headless", "--convert-to", "xlsx", "--outdir",
            folder.path, path,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let deadline = Date().addingTimeInterval(120)
        while process.isRunning, Date() < deadline { usleep(50_000) }
        if process.isRunning { process.terminate() }
        let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent + ".xlsx"
        let result = folder.appendingPathComponent(name)
        guard FileManager.default.fileExists(atPath: result.path) else { throw GzipSource.damaged() }
        return result
    }
}
