import Basics

/// Writes a workbook front to back: sheets of rows with merged cells, column widths and frozen heads; strings inline, memory constant but for
/// the list of merged cells.
public struct SpreadsheetStream: Sendable {
    /// A cell to write.
    public enum Cell: Sendable, Hashable {
        case empty
        case text(String)
        case integer(Int64)
        case real(Double)
        /// Bold on grey, centred.
        case heading(String)
    }

    /// The rows a sheet holds at the most, heads included (ECMA-376).
    public static let maximumRows = 1_048_576

    private static let spreadsheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    private static let relationships = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    private static let package = "http://schemas.openxmlformats.org/package/2006"
    private static let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
    /// Bytes gathered before they are compressed.
    private static let blockBytes = 1 << 17

    private var zip = ZipStream()
    private var names: [String] = []
    private var merged: [String] = []
    private var text: [UInt8] = []

    public init() {}

    /// Sheets begun so far.
    public var sheetCount: Int { names.count }

    /// Begins a sheet. Characters that names must not have are left out; widths are in characters.
    public mutating func open(_ name: String, widths: [Double] = [], frozenRows: Int = 0, into out: inout [UInt8]) {
        let allowed = String(name.filter { !"[]:*?/\\'".contains($0) }.prefix(31))
        names.append(allowed.isEmpty ? "sheet\(names.count + 1)" : allowed)
        merged = []
        zip.open("xl/worksheets/sheet\(names.count).xml", into: &out)
        var head = SpreadsheetStream.declaration + "<worksheet xmlns=\"\(SpreadsheetStream.spreadsheet)\">"
        if frozenRows > 0 {
            head +=
                "<sheetViews><sheetView workbookViewId=\"0\"><pane ySplit=\"\(frozenRows)\" topLeftCell=\"A\(frozenRows + 1)\" activePane=\"bottomLeft\" state=\"frozen\"/></sheetView></sheetViews>"
        }
        if !widths.isEmpty {
            let columns = widths.enumerated().map { index, width in
                "<col min=\"\(index + 1)\" max=\"\(index + 1)\" width=\"\(width)\" customWidth=\"1\"/>"
            }
            head += "<cols>\(columns.joined())</cols>"
        }
        text.append(contentsOf: (head + "<sheetData>").utf8)
    }

    /// Writes a row.
    public mutating func row(_ cells: [Cell], into out: inout [UInt8]) {
        text.append(contentsOf: "<row>".utf8)
        for cell in cells {
            switch cell {
            case .empty: text.append(contentsOf: "<c/>".utf8)
            case .text(let value): SpreadsheetStream.append(string: value, style: 2, to: &text)
            case .heading(let value): SpreadsheetStream.append(string: value, style: 1, to: &text)
            case .integer(let value):
                text.append(contentsOf: "<c><v>".utf8)
                Numbers.append(value, to: &text)
                text.append(contentsOf: "</v></c>".utf8)
            case .real(let value):
                text.append(contentsOf: "<c><v>".utf8)
                Numbers.append(value, to: &text)
                text.append(contentsOf: "</v></c>".utf8)
            }
        }
        text.append(contentsOf: "</row>".utf8)
        flush(into: &out, at: SpreadsheetStream.blockBytes)
    }

    /// Writes rows made elsewhere: `<row>…</row>`.
    mutating func rows(_ made: [UInt8], into out: inout [UInt8]) {
        text.append(contentsOf: made)
        flush(into: &out, at: SpreadsheetStream.blockBytes)
    }

    /// Joins a block of cells; `column` counts from 0, `row` from 1 as people count.
    public mutating func merge(column: Int, row: Int, columns: Int, rows: Int) {
        guard columns > 1 || rows > 1 else { return }
        let end = SpreadsheetStream.letters(column + columns - 1) + String(row + rows - 1)
        merged.append("\(SpreadsheetStream.letters(column))\(row):\(end)")
    }

    /// `27` → `AB`.
    static func letters(_ column: Int) -> String {
        var number = column + 1
        var letters = ""
        while number > 0 {
            letters = String(UnicodeScalar(UInt8(0x41 + (number - 1) % 26))) + letters
            number = (number - 1) / 26
        }
        return letters
    }

    /// Ends the sheet.
    public mutating func close(into out: inout [UInt8]) {
        text.append(contentsOf: "</sheetData>".utf8)
        if !merged.isEmpty {
            text.append(contentsOf: "<mergeCells count=\"\(merged.count)\">".utf8)
            for area in merged {
                text.append(contentsOf: "<mergeCell ref=\"\(area)\"/>".utf8)
                flush(into: &out, at: SpreadsheetStream.blockBytes)
            }
            text.append(contentsOf: "</mergeCells>".utf8)
        }
        text.append(contentsOf: "</worksheet>".utf8)
        flush(into: &out, at: 0)
        zip.close(into: &out)
    }

    /// Ends the workbook.
    public mutating func finish(into out: inout [UInt8]) {
        let main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        let declaration = SpreadsheetStream.declaration
        let spreadsheet = SpreadsheetStream.spreadsheet
        let relationships = SpreadsheetStream.relationships
        let package = SpreadsheetStream.package
        let parts = names.indices.map {
            "<Override PartName=\"/xl/worksheets/sheet\($0 + 1).xml\" ContentType=\"\(main).worksheet+xml\"/>"
        }
        zip.add(
            "[Content_Types].xml",
            declaration
                + "<Types xmlns=\"\(package)/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Override PartName=\"/xl/workbook.xml\" ContentType=\"\(main).sheet.main+xml\"/><Override PartName=\"/xl/styles.xml\" ContentType=\"\(main).styles+xml\"/>\(parts.joined())</Types>",
            into: &out
        )
        zip.add(
            "_rels/.rels",
            declaration
                + "<Relationships xmlns=\"\(package)/relationships\"><Relationship Id=\"rId1\" Type=\"\(relationships)/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
            into: &out
        )
        let sheets = names.enumerated().map { index, name in
            var escaped: [UInt8] = []
            SpreadsheetStream.escape(Array(name.utf8), to: &escaped)
            return
                "<sheet name=\"\(String(decoding: escaped, as: UTF8.self))\" sheetId=\"\(index + 1)\" r:id=\"rId\(index + 1)\"/>"
        }
        zip.add(
            "xl/workbook.xml",
            declaration
                + "<workbook xmlns=\"\(spreadsheet)\" xmlns:r=\"\(relationships)\"><sheets>\(sheets.joined())</sheets></workbook>",
            into: &out
        )
        let links = names.indices.map {
            "<Relationship Id=\"rId\($0 + 1)\" Type=\"\(relationships)/worksheet\" Target=\"worksheets/sheet\($0 + 1).xml\"/>"
        }
        zip.add(
            "xl/_rels/workbook.xml.rels",
            declaration
                + "<Relationships xmlns=\"\(package)/relationships\">\(links.joined())<Relationship Id=\"styles\" Type=\"\(relationships)/styles\" Target=\"styles.xml\"/></Relationships>",
            into: &out
        )
        zip.add("xl/styles.xml", declaration + SpreadsheetStream.styles, into: &out)
        zip.finish(into: &out)
    }

    /// Style 0 plain, 1 heading, 2 text that wraps at the top of its cell.
    private static let styles =
        "<styleSheet xmlns=\"\(spreadsheet)\"><fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font><font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts><fills count=\"3\"><fill><patternFill patternType=\"none\"/></fill><fill><patternFill patternType=\"gray125\"/></fill><fill><patternFill patternType=\"solid\"><fgColor rgb=\"FFE3EBF3\"/></patternFill></fill></fills><borders count=\"1\"><border/></borders><cellStyleXfs count=\"1\"><xf/></cellStyleXfs><cellXfs count=\"3\"><xf xfId=\"0\"/><xf xfId=\"0\" fontId=\"1\" fillId=\"2\" applyFont=\"1\" applyFill=\"1\" applyAlignment=\"1\"><alignment horizontal=\"center\" vertical=\"center\" wrapText=\"1\"/></xf><xf xfId=\"0\" applyAlignment=\"1\"><alignment vertical=\"top\" wrapText=\"1\"/></xf></cellXfs><cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles></styleSheet>"

    private mutating func flush(into out: inout [UInt8], at size: Int) {
        guard text.count > size else { return }
        zip.write(text, into: &out)
        text.removeAll(keepingCapacity: true)
    }

    static func append(string value: String, style: Int, to out: inout [UInt8]) {
        guard !value.isEmpty || style == 1 else {
            out.append(contentsOf: "<c/>".utf8)
            return
        }
        out.append(contentsOf: style == 1 ? "<c s=\"1\"".utf8 : style == 2 ? "<c s=\"2\"".utf8 : "<c".utf8)
        out.append(contentsOf: " t=\"inlineStr\"><is><t xml:space=\"preserve\">".utf8)
        escape(Array(value.utf8), to: &out)
        out.append(contentsOf: "</t></is></c>".utf8)
    }

    static func escape(_ text: [UInt8], to out: inout [UInt8]) {
        for (index, byte) in text.enumerated() {
            switch byte {
            case 0x26: out.append(contentsOf: "&amp;".utf8)
            case 0x3C: out.append(contentsOf: "&lt;".utf8)
            case 0x3E: out.append(contentsOf: "&gt;".utf8)
            case 0x22: out.append(contentsOf: "&quot;".utf8)
            case 0x09, 0x0A, 0x0D: out.append(byte)
            case 0..<0x20: continue
            // U+FFFE and U+FFFF are no characters of XML: a question mark stands for them.
            case 0xBE, 0xBF:
                guard index >= 2, text[index - 2] == 0xEF, text[index - 1] == 0xBF else { fallthrough }
                out.removeLast(2)
                out.append(0x3F)
            default: out.append(byte)
            }
        }
    }
}
