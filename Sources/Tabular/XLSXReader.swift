import Basics
import CExpat

/// Runs expat over a byte source and hands elements to closures.
final class XMLStream {
    let source: any ByteSource
    let parser: XML_Parser
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var finished = false
    var onStart: ((_ name: String, _ attributes: UnsafeMutablePointer<UnsafePointer<XML_Char>?>?) -> Void)?
    var onEnd: ((_ name: String) -> Void)?
    var onText: ((UnsafeBufferPointer<UInt8>) -> Void)?

    init(_ source: any ByteSource) throws {
        self.source = source
        guard let parser = XML_ParserCreate(nil) else { throw GzipSource.damaged() }
        self.parser = parser
        XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
        XML_SetElementHandler(
            parser,
            { data, name, attributes in
                guard let data, let name else { return }
                Unmanaged<XMLStream>.fromOpaque(data).takeUnretainedValue().onStart?(XMLStream.local(name), attributes)
            },
            { data, name in
                guard let data, let name else { return }
                Unmanaged<XMLStream>.fromOpaque(data).takeUnretainedValue().onEnd?(XMLStream.local(name))
            }
        )
        XML_SetCharacterDataHandler(parser) { data, text, length in
            guard let data, let text, length > 0 else { return }
            text.withMemoryRebound(to: UInt8.self, capacity: Int(length)) { bytes in
                Unmanaged<XMLStream>.fromOpaque(data).takeUnretainedValue()
                    .onText?(UnsafeBufferPointer(start: bytes, count: Int(length)))
            }
        }
        // Entities are not declared in workbooks; a document type is an attack.
        XML_SetStartDoctypeDeclHandler(parser) { data, _, _, _, _ in
            guard let data else { return }
            let stream = Unmanaged<XMLStream>.fromOpaque(data).takeUnretainedValue()
            XML_StopParser(stream.parser, 0)
        }
    }

    deinit { XML_ParserFree(parser) }

    /// The name without its namespace prefix.
    static func local(_ name: UnsafePointer<XML_Char>) -> String {
        let text = String(cString: name)
        guard let colon = text.utf8.lastIndex(of: 0x3A) else { return text }
        return String(text[text.index(after: colon)...])
    }

    static func attribute(_ wanted: String, _ list: UnsafeMutablePointer<UnsafePointer<XML_Char>?>?) -> String? {
        guard let list else { return nil }
        var at = 0
        while let name = list[at], let value = list[at + 1] {
            if local(name) == wanted { return String(cString: value) }
            at += 2
        }
        return nil
    }

    /// Parses the next chunk; false at the end.
    func step() throws -> Bool {
        guard !finished else { return false }
        let got = try chunk.withUnsafeMutableBytes { try source.read(into: $0) }
        finished = got == 0
        let status = chunk.withUnsafeBytes { bytes in
            XML_Parse(parser, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(got), finished ? 1 : 0)
        }
        guard status == XML_STATUS_OK else { throw GzipSource.damaged() }
        return !finished
    }

    func run() throws { while try step() {} }
}

/// What all sheets of a workbook share: names, strings, which styles are dates.
final class Workbook {
    struct Sheet: Sendable, Hashable {
        var name: String
        var path: String
        var hidden: Bool
    }

    let archive: ZipArchive
    private(set) var sheets: [Sheet] = []
    private(set) var strings = TextBuffer()
    /// For each cell style: what kind of number it shows.
    private(set) var styles: [NumberShape] = []
    private(set) var epoch1904 = false

    enum NumberShape: Sendable { case plain, date, time, timestamp }

    init(_ archive: ZipArchive, limits: SourceLimits) throws {
        self.archive = archive
        try readSheets()
        try readStyles()
        try readStrings(limits)
    }

    func stream(_ path: String, limits: SourceLimits = SourceLimits()) throws -> XMLStream? {
        guard let entry = archive.entries.first(where: { $0.name == path }) else { return nil }
        return try XMLStream(try archive.source(entry, limits: limits))
    }

    func readSheets() throws {
        var targets: [String: String] = [:]
        if let relations = try stream("xl/_rels/workbook.xml.rels") {
            relations.onStart = { name, attributes in
                guard name == "Relationship", let id = XMLStream.attribute("Id", attributes),
                    let target = XMLStream.attribute("Target", attributes)
                else { return }
                targets[id] = target.hasPrefix("/") ? String(target.dropFirst()) : "xl/" + target
            }
            try relations.run()
        }
        guard let book = try stream("xl/workbook.xml") else { throw GzipSource.damaged() }
        book.onStart = { [self] name, attributes in
            if name == "workbookPr", let flag = XMLStream.attribute("date1904", attributes) {
                epoch1904 = flag == "1" || flag == "true"
            }
            guard name == "sheet", let title = XMLStream.attribute("name", attributes),
                let id = XMLStream.attribute("id", attributes), let path = targets[id]
            else { return }
            let state = XMLStream.attribute("state", attributes)
            sheets.append(Sheet(name: title, path: path, hidden: state == "hidden" || state == "veryHidden"))
        }
        try book.run()
    }

    func readStyles() throws {
        guard let stream = try stream("xl/styles.xml") else { return }
        var custom: [Int: NumberShape] = [:]
        var inCells = false
        stream.onStart = { [self] name, attributes in
            switch name {
            case "numFmt":
                guard let id = XMLStream.attribute("numFmtId", attributes).flatMap({ Int($0) }),
                    let code = XMLStream.attribute("formatCode", attributes)
                else { return }
                custom[id] = Workbook.shape(ofFormat: code)
            case "cellXfs": inCells = true
            case "xf" where inCells:
                let id = XMLStream.attribute("numFmtId", attributes).flatMap { Int($0) } ?? 0
                styles.append(custom[id] ?? Workbook.builtIn(id))
            default: break
            }
        }
        stream.onEnd = { name in if name == "cellXfs" { inCells = false } }
        try stream.run()
    }

    /// The formats every program knows by number, East Asian ones included (ECMA-376 part 1, 18.8.30).
    static func builtIn(_ id: Int) -> NumberShape {
        switch id {
        case 14...17, 27...31, 36, 50...54, 57, 58: .date
        case 18...21, 32...35, 45...47, 55, 56: .time
        case 22: .timestamp
        default: .plain
        }
    }

    /// Reads `yyyy-mm-dd hh:mm` and the like; quoted text, colours and conditions do not count.
    static func shape(ofFormat code: String) -> NumberShape {
        var letters = ""
        var quoted = false
        var bracket = false
        var escaped = false
        for character in code.lowercased() {
            if escaped {
                escaped = false
                continue
            }
            switch character {
            case "\\", "_": escaped = true
            case "\"": quoted.toggle()
            case "[": bracket = true
            case "]": bracket = false
            case ";" where !quoted: return shape(letters)
            default: if !quoted, !bracket || "hms".contains(character) { letters.append(character) }
            }
        }
        return shape(letters)
    }

    static func shape(_ letters: String) -> NumberShape {
        let hasDay = letters.contains("y") || letters.contains("d")
        let hasTime = letters.contains("h") || letters.contains("s")
        return hasDay ? (hasTime ? .timestamp : .date) : hasTime ? .time : .plain
    }

    func readStrings(_ limits: SourceLimits) throws {
        guard let stream = try stream("xl/sharedStrings.xml", limits: limits) else { return }
        var text: [UInt8] = []
        var collecting = false
        var phonetic = false
        stream.onStart = { name, _ in
            switch name {
            case "si": text.removeAll(keepingCapacity: true)
            case "t": collecting = !phonetic
            case "rPh": phonetic = true
            default: break
            }
        }
        stream.onEnd = { [self] name in
            switch name {
            case "si": text.withUnsafeBufferPointer { strings.append($0) }
            case "t": collecting = false
            case "rPh": phonetic = false
            default: break
            }
        }
        stream.onText = { if collecting { text.append(contentsOf: $0) } }
        try stream.run()
    }
}

/// Reads one sheet of a workbook, row after row, in memory that does not follow the sheet.
final class XLSXReader: RowReader {
    let workbook: Workbook
    let stream: XMLStream
    let layout: SheetLayout
    private(set) var header: [String]
    let rowsPerBatch: Int
    let cellLimit: Int

    /// A row as parsed: cells by column.
    private var pending: [(line: Int64, cells: [(column: Int, text: [UInt8])], faults: Int)] = []
    /// Cells of the row whose formula gave no value.
    private var faults = 0
    private var hasFormula = false
    private var row: [(column: Int, text: [UInt8])] = []
    private var line: Int64 = 0
    private var column = 0
    private var type = ""
    private var style = 0
    private var text: [UInt8] = []
    private var collecting = false

    init(
        _ workbook: Workbook,
        sheet: Workbook.Sheet,
        layout: SheetLayout,
        limits: SourceLimits,
        rowsPerBatch: Int = 2048
    ) throws {
        self.workbook = workbook
        guard let stream = try workbook.stream(sheet.path, limits: limits) else { throw GzipSource.damaged() }
        self.stream = stream
        self.layout = layout
        self.rowsPerBatch = rowsPerBatch
        cellLimit = limits.maximumCellBytes
        header = layout.names
        stream.onStart = { [unowned self] name, attributes in start(name, attributes) }
        stream.onEnd = { [unowned self] name in end(name) }
        stream.onText = { [unowned self] bytes in
            if collecting, text.count < cellLimit { text.append(contentsOf: bytes) }
        }
    }

    private func start(_ name: String, _ attributes: UnsafeMutablePointer<UnsafePointer<XML_Char>?>?) {
        switch name {
        case "row":
            line = XMLStream.attribute("r", attributes).flatMap { Int64($0) } ?? line + 1
            row = []
            faults = 0
            column = -1
        case "c":
            column = XMLStream.attribute("r", attributes).flatMap(XLSXReader.column) ?? column + 1
            type = XMLStream.attribute("t", attributes) ?? "n"
            style = XMLStream.attribute("s", attributes).flatMap { Int($0) } ?? 0
            text.removeAll(keepingCapacity: true)
            hasFormula = false
        case "f": hasFormula = true
        case "v", "t": collecting = true
        default: break
        }
    }

    private func end(_ name: String) {
        switch name {
        case "v", "t": collecting = false
        case "c":
            let value = cellText()
            if type == "e" || hasFormula && text.isEmpty && type != "str" { faults += 1 }
            if !value.isEmpty { row.append((column, value)) }
        case "row":
            if !row.isEmpty || faults > 0 { pending.append((line, row, faults)) }
        default: break
        }
    }

    /// `AB12` → 27.
    static func column(_ reference: String) -> Int? {
        var value = 0
        for byte in reference.utf8 {
            guard byte >= 0x41, byte <= 0x5A else { break }
            value = value * 26 + Int(byte - 0x40)
            if value > 16_384 { return nil }
        }
        return value > 0 ? value - 1 : nil
    }

    private func cellText() -> [UInt8] {
        switch type {
        case "s":
            guard let index = Int(String(decoding: text, as: UTF8.self)), workbook.strings.count > index, index >= 0
            else { return [] }
            return workbook.strings.withBytes(index) { Array($0) }
        case "str", "inlineStr": return text
        case "b" where text.isEmpty: return []
        case "b": return Array((text == [0x31] ? "true" : "false").utf8)
        case "e": return []
        case "d": return text
        default:
            let shape = style < workbook.styles.count ? workbook.styles[style] : .plain
            guard let number = text.withUnsafeBufferPointer({ Numbers.parseReal($0) }) else { return text }
            return SerialDate.text(number, shape, epoch1904: workbook.epoch1904) ?? XLSXReader.plain(number, text)
        }
    }

    /// The number a person sees: `46.171218`, not the stored `46.171217999999996`; long whole numbers digit for digit.
    static func plain(_ number: Double, _ stored: [UInt8]) -> [UInt8] {
        guard stored.contains(where: { $0 == 0x2E || $0 | 0x20 == 0x65 }) else { return stored }
        var out: [UInt8] = []
        // Beyond 15 digits a workbook no longer knows the number: what is stored is shown, so that the check can tell.
        if number.magnitude >= 1e15, stored.contains(where: { $0 | 0x20 == 0x65 }) {
            return stored.map { $0 == 0x65 ? 0x45 : $0 }
        }
        if number.rounded() == number, number.magnitude < 1e18 {
            Numbers.append(Int64(number), to: &out)
            return out
        }
        let magnitude = number.magnitude
        var scale = 1.0
        // Excel keeps 15 significant digits.
        if magnitude >= 1e-5, magnitude < 1e15 {
            var digits = 15
            var power = 1.0
            while power <= magnitude, digits > 0 {
                power *= 10
                digits -= 1
            }
            for _ in 0..<min(digits, 15) { scale *= 10 }
            let rounded = (number * scale).rounded() / scale
            Numbers.append(rounded, to: &out)
            return out
        }
        Numbers.append(number, to: &out)
        return out
    }

    func next() throws -> RawBatch? {
        while true {
            var more = true
            while pending.count < rowsPerBatch, more { more = try stream.step() }
            if pending.isEmpty { return nil }
            var batch = RawBatch(columns: header.count)
            let taken = pending.prefix(rowsPerBatch)
            for row in taken where row.line > layout.skippedLines {
                append(row.cells, row.faults, line: row.line, to: &batch)
            }
            pending.removeFirst(taken.count)
            layout.dropFooters(&batch)
            if batch.rows > 0 || !batch.oddities.isEmpty { return batch }
        }
    }

    private func append(
        _ row: [(column: Int, text: [UInt8])],
        _ faults: Int,
        line: Int64,
        to batch: inout RawBatch
    ) {
        let first = batch.cells.count
        batch.cells.append(contentsOf: repeatElement(.missing, count: header.count))
        var extra = 0
        for cell in row {
            guard cell.column < header.count else {
                extra = max(extra, cell.column + 1)
                continue
            }
            let start = batch.bytes.count
            batch.bytes.append(contentsOf: cell.text)
            batch.cells[first + cell.column] = .init(start: start, end: batch.bytes.count)
        }
        if extra > 0 { batch.oddities.append(.init(row: batch.rows, kind: .tooMany, found: extra)) }
        if faults > 0 { batch.oddities.append(.init(row: batch.rows, kind: .formula, found: faults)) }
        batch.numbers.append(line)
        batch.rows += 1
    }
}

/// Excel's day numbers.
enum SerialDate {
    /// The ISO text of a serial number; nil for a plain number or one outside 1900–9999.
    static func text(_ number: Double, _ shape: Workbook.NumberShape, epoch1904: Bool) -> [UInt8]? {
        guard shape != .plain, number >= 0, number < 2_958_466 else { return nil }
        var out: [UInt8] = []
        var day = Int32(number)
        var micros = Int64(((number - Double(day)) * 86_400).rounded()) * 1_000_000
        if micros >= CivilTime.microsecondsPerDay {
            day += 1
            micros = 0
        }
        if shape == .time, day == 0 {
            CivilTime.appendTime(micros, to: &out)
            return out
        }
        // 1900 is no leap year, though Excel thinks so: serials up to 59 count from one day later.
        let epoch =
            epoch1904
            ? CivilTime.days(year: 1904, month: 1, day: 1)
            : CivilTime.days(year: 1899, month: 12, day: day < 60 ? 31 : 30)
        CivilTime.appendDate(epoch + day, to: &out)
        if shape == .timestamp || micros != 0 {
            out.append(0x54)
            CivilTime.appendTime(micros, to: &out)
        }
        return out
    }
}
