import Codes
import Basics
import Foundation
import Glibc
import TestKit
import Testing

@testable import Tabular

/// Rows of a file, as its first (or named) table gives them.
func read(
    _ bytes: [UInt8],
    name: String = "file.csv",
    options: ReadOptions = ReadOptions(),
    table: String? = nil
) throws -> (
    header: [String], rows: [[String]], oddities: [RawBatch.Oddity.Kind], table: TabularFile.Table
) {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-tab-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appending(path: name)
    try Data(bytes).write(to: url)
    let file = try TabularFile(path: url.path, options: options)
    let chosen = try file.table(table)
    let (header, rows, oddities) = try all(try file.reader(chosen))
    return (header, rows, oddities, chosen)
}

/// A text in GB18030.
func gb18030(_ text: String) -> [UInt8] {
    guard let handle = iconv_open("GB18030", "UTF-8") else { return [] }
    defer { iconv_close(handle) }
    var source = Array(text.utf8CString.dropLast())
    var out = [CChar](repeating: 0, count: source.count * 2)
    let room = out.count
    var left = room
    source.withUnsafeMutableBufferPointer { input in
        out.withUnsafeMutableBufferPointer { output in
            var from = input.baseAddress
            var count = input.count
            var to = output.baseAddress
            _ = iconv(handle, &from, &count, &to, &left)
        }
    }
    return out.prefix(room - left).map { UInt8(bitPattern: $0) }
}

func all(_ reader: any RowReader) throws -> ([String], [[String]], [RawBatch.Oddity.Kind]) {
    var rows: [[String]] = []
    var oddities: [RawBatch.Oddity.Kind] = []
    while let batch = try reader.next() {
        for row in 0..<batch.rows { rows.append(batch.texts(row)) }
        oddities += batch.oddities.map(\.kind)
    }
    return (reader.header, rows, oddities)
}

@Suite struct DelimitedTests {
    @Test(arguments: [
        (TextEncoding.utf8, [UInt8](), String.Encoding.utf8), (.utf8, [0xEF, 0xBB, 0xBF], .utf8),
        (.utf16LittleEndian, [0xFF, 0xFE], .utf16LittleEndian),
        (.utf16BigEndian, [0xFE, 0xFF], .utf16BigEndian), (.utf16LittleEndian, [], .utf16LittleEndian),
    ])
    func unicodeEncodingsAreFound(encoding: TextEncoding, mark: [UInt8], foundation: String.Encoding) throws {
        let text = "code,名称,lanes\n1,站前街,2\n2,中山路,4\n"
        let result = try read(mark + Array(try #require(text.data(using: foundation))))
        #expect(result.table.encoding == encoding)
        #expect(result.header == ["code", "名称", "lanes"])
        #expect(result.rows == [["1", "站前街", "2"], ["2", "中山路", "4"]])
    }

    /// 「名稱,地址」 and one row in Big5, as bytes: Foundation on Linux may lack the encoding.
    @Test func bigFiveIsFound() throws {
        let header: [UInt8] = [0xA6, 0x57, 0xBA, 0xD9, 0x2C, 0xA6, 0x61, 0xA7, 0x7D, 0x0A]
        let row: [UInt8] = [0xA5, 0x78, 0xA5, 0x5F, 0xAF, 0xB8, 0x2C, 0xA5, 0x78, 0xA5, 0x5F, 0xA5, 0xAB, 0x0A]
        let result = try read(header + row + row + row, options: ReadOptions(encoding: .big5, header: .line(1)))
        #expect(result.header == ["名稱", "地址"])
        #expect(result.rows.first == ["台北站", "台北市"])
        #expect(TextEncoding.detect(header + row + row + row, isWhole: true).encoding == .big5)
    }

    @Test func quotesNewlinesAndRaggedRowsAreFindingsNotCrashes() throws {
        let text =
            "id,name,note\r\n1,\"a,b\",\"line1\nline2\"\r\n2,\"say \"\"hi\"\"\",x\r\n3,short\r\n4,a,b,c\r\n\r\n5,\"open\"x,y\r\n"
        let result = try read(Array(text.utf8), options: ReadOptions(header: .line(1)))
        #expect(
            result.rows == [
                ["1", "a,b", "line1\nline2"], ["2", "say \"hi\"", "x"], ["3", "short", ""], ["4", "a", "b"],
                ["5", "openx", "y"],
            ]
        )
        #expect(result.oddities == [.tooFew, .tooMany, .quotes])
    }

    /// Whatever the blocks a file is read in, the rows are the same.
    @Test func blocksDoNotMatter() throws {
        var text = "id,name,note\n"
        for index in 0..<300 {
            text +=
                index % 3 == 0
                ? "\(index),\"名\"\"称\"\"\(index)\",\"a\nb,c\"\n"
                : "\(index),站\(index),\(String(repeating: "x", count: index % 40))\n"
        }
        let layout = SheetLayout(
            names: ["id", "name", "note"],
            skippedLines: 1,
            hasHeader: true,
            units: ["", "", ""],
            notes: []
        )
        func rows(_ block: Int, _ perBatch: Int) throws -> [[String]] {
            let reader = CSVReader(
                MemorySource(Array(text.utf8)),
                dialect: CSVDialect(),
                layout: layout,
                rowsPerBatch: perBatch,
                blockSize: block
            )
            return try all(reader).1
        }
        let whole = try rows(1 << 20, 100_000)
        #expect(whole.count == 300 && whole[3] == ["3", "名\"称\"3", "a\nb,c"])
        for block in [1, 2, 3, 7, 16, 61, 64, 255, 1024] { #expect(try rows(block, 7) == whole) }
    }

    @Test func sheetsOfOfficesAreUnderstood() throws {
        let text = """
            某省公路里程统计表,,,
            单位:公里,,,
            序号,里程,,备注
            ,国道,省道,
            1,12.5,30,甲
            2,8,41.25,乙
            3,9,40,
            合计,29.5,111.25,
            注:数据截至2025年底,,,
            """
        let result = try read(Array(text.utf8))
        #expect(result.header == ["序号", "里程_国道", "里程_省道", "备注"])
        #expect(result.rows.map { $0[0] } == ["1", "2", "3"])
        #expect(result.oddities == [.footer, .footer])
    }

    @Test func unitRowsBecomeUnits() throws {
        let result = try read(Array("车牌,总质量,长度\n-,吨,米\n冀A12345,12,6.5\n冀A12346,13,7\n冀A12347,15,7\n".utf8))
        #expect(result.header == ["车牌", "总质量", "长度"])
        #expect(result.table.layout.units == ["", "吨", "米"])
        #expect(result.rows.count == 3)
    }

    @Test func brokenBytesAreMarkedAndTheRestIsRead() throws {
        var bytes = Array("id,name\n".utf8)
        for index in 0..<100 { bytes += Array("\(index),站点\(index)\n".utf8) }
        bytes += [0x31, 0x30, 0x30, 0x2C, 0xFF, 0xC3, 0x28, 0x0A]
        let result = try read(bytes)
        #expect(result.rows.count == 101)
        #expect(result.oddities == [.encoding])
    }

    @Test func millionsOfEmptyLinesCostLittle() throws {
        let text = "id,name\n1,甲\n" + String(repeating: "\n", count: 2_000_000) + "2,乙\n"
        let result = try read(Array(text.utf8), options: ReadOptions(header: .line(1)))
        #expect(result.rows == [["1", "甲"], ["2", "乙"]])
    }

    @Test func anEndlessFieldIsCutInConstantMemory() throws {
        let limits = SourceLimits(maximumCellBytes: 1000)
        let text = "id,name\n1,甲\n2,\(String(repeating: "x", count: 200_000))\n3,丙\n"
        let result = try read(Array(text.utf8), options: ReadOptions(header: .line(1), limits: limits))
        #expect(result.rows.first == ["1", "甲"] && result.rows.last == ["3", "丙"])
        #expect(result.oddities.contains(.oversized))
        #expect(result.rows.allSatisfy { $0.allSatisfy { $0.utf8.count <= 1000 } })
    }

    @Test(arguments: [
        ("%PDF-1.7 x", "file.unsupported"), ("<!DOCTYPE html><html>", "file.unsupported"),
        ("\0\0\0\0abc", "file.unsupported"), ("", "file.empty"),
    ])
    func otherFilesAreRefusedWithWhatToDo(text: String, code: String) {
        #expect(throws: Problem.self) { try read(Array(text.utf8)) }
        do { _ = try read(Array(text.utf8)) } catch { #expect((error as? Problem)?.code == code) }
    }
}

@Suite struct WrappedTests {
    @Test func jsonArraysLinesAndGeoJSON() throws {
        let rows = try read(Array(#"[{"a":1,"b":"x"},{"a":2,"c":true}]"#.utf8), name: "a.json")
        #expect(rows.header == ["a", "b", "c"])
        #expect(rows.rows == [["1", "x", ""], ["2", "", "true"]])
        let lines = try read(Array("{\"a\":1}\n{\"a\":2}\n".utf8), name: "a.jsonl")
        #expect(lines.rows == [["1"], ["2"]])
        let nested = try read(Array(#"{"success":true,"result":{"results":[{"id":"x","n":1}]}}"#.utf8), name: "c.json")
        #expect(nested.rows == [["x", "1"]])
        let geo = try read(
            Array(
                #"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"n":"甲"},"geometry":{"type":"Point","coordinates":[114.5,38]}}]}"#
                    .utf8
            ),
            name: "p.geojson"
        )
        #expect(geo.header == ["n", "geometry"] && geo.rows == [["甲", "114.5 38"]])
    }

    @Test func damagedArchivesAreRefused() throws {
        let gzip: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]
        #expect(throws: Problem.self) { try read(gzip, name: "a.csv.gz") }
        #expect(throws: Problem.self) { try read([0x50, 0x4B, 3, 4, 1, 2, 3, 4], name: "a.xlsx") }
    }

    @Test func aZipBombIsRefused() throws {
        var zip = ZipStream()
        var bytes: [UInt8] = []
        zip.open("bomb.csv", into: &bytes)
        for _ in 0..<40 { zip.write([UInt8](repeating: 0x61, count: 1 << 20), into: &bytes) }
        zip.close(into: &bytes)
        zip.finish(into: &bytes)
        let limits = SourceLimits(maximumRatio: 100, ratioFloor: 8 << 20)
        #expect(throws: Problem.self) { try read(bytes, name: "bomb.zip", options: ReadOptions(limits: limits)) }
    }

    @Test func whatIsWrittenAsAWorkbookIsReadBack() throws {
        let fields = [Field("编号"), Field("数量", .integer), Field("日期", .date), Field("比率", .real)]
        var builders = fields.map { ColumnBuilder($0) }
        for index in 0..<3000 {
            builders[0].append(.text("A<\(index)>&"))
            builders[1].append(.integer(Int64(index)))
            builders[2].append(.date(20_000 + Int32(index)))
            if index % 7 == 0 { builders[3].appendNull() } else { builders[3].append(.real(Double(index) / 4)) }
        }
        let batch = Batch(fields: fields, columns: builders.indices.map { builders[$0].finish() }, count: 3000)
        var writer = XLSXBatchWriter(fields: fields, sheetName: "数据")
        var bytes: [UInt8] = []
        writer.begin(into: &bytes)
        writer.write(batch, into: &bytes)
        writer.end(into: &bytes)
        let result = try read(bytes, name: "wrong-ending.csv")
        #expect(result.header == ["编号", "数量", "日期", "比率"])
        #expect(result.rows.count == 3000)
        #expect(result.rows[1] == ["A<1>&", "1", "2024-10-05", "0.25"])
        #expect(throws: Problem.self) { try read(Array(bytes.prefix(bytes.count / 2)), name: "cut.xlsx") }
    }

    /// `#N/A` and a formula without a value come in empty, and the row says so.
    @Test func failedFormulasAreReported() throws {
        var zip = ZipStream()
        var bytes: [UInt8] = []
        func part(_ name: String, _ text: String) {
            zip.open(name, into: &bytes)
            zip.write(Array(text.utf8), into: &bytes)
            zip.close(into: &bytes)
        }
        part(
            "xl/workbook.xml",
            #"<workbook xmlns:r="r"><sheets><sheet name="表" sheetId="1" r:id="rId1"/></sheets></workbook>"#
        )
        part(
            "xl/_rels/workbook.xml.rels",
            #"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>"#
        )
        func text(_ value: String) -> String { #"<c t="inlineStr"><is><t>\#(value)</t></is></c>"# }
        part(
            "xl/worksheets/sheet1.xml",
            """
            <worksheet><sheetData><row r="1">\(text("编号"))\(text("数量"))</row>
            <row r="2">\(text("A"))<c><v>3</v></c></row>
            <row r="3">\(text("B"))<c t="e"><f>X1</f><v>#N/A</v></c></row>
            <row r="4">\(text("C"))<c><f>SUM(B2)</f></c></row>
            <row r="5">\(text("D"))<c><f>B2</f><v>3</v></c></row></sheetData></worksheet>
            """
        )
        zip.finish(into: &bytes)
        let result = try read(bytes, name: "formula.xlsx")
        #expect(result.rows == [["A", "3"], ["B", ""], ["C", ""], ["D", "3"]])
        #expect(result.oddities == [.formula, .formula])
    }

    @Test func formulasAreNeutralised() {
        let fields = [Field("a")]
        var builder = ColumnBuilder(fields[0])
        for text in ["=1+1", "+86", "-5", "@x", "正常", "a\"b"] { builder.append(.text(text)) }
        var writer = CSVBatchWriter(fields: fields)
        var bytes: [UInt8] = []
        writer.write(Batch(fields: fields, columns: [builder.finish()], count: 6), into: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "\"'=1+1\"\n\"+86\"\n\"-5\"\n\"'@x\"\n正常\n\"a\"\"b\"\n")
    }

    @Test func tableSchemaGoesThereAndBack() throws {
        let schema = Schema(
            fields: [
                Field("id", .integer, title: "编号", required: true, unique: true, minimum: 1),
                Field("color", codes: [CodeValue("1", "蓝"), CodeValue("2", "黄")], indexed: true),
                Field("money", .decimal, scale: 3, unit: "元", grade: .general3),
                Field("day", .date, minimum: 19_000, lenient: true),
                Field("plate", kind: .plate),
            ],
            key: ["id"],
            rules: [
                RuleDeclaration(
                    id: "r1",
                    severity: .warning,
                    expression: "id > 0",
                    field: "id",
                    message: .init("一", "one")
                )
            ],
            foreignKeys: [ForeignKey(fields: ["color"], resource: "x/1", referenced: ["code"])],
            missingValues: ["", "NULL"]
        )
        #expect(try TableSchema.read(JSONValue(text: TableSchema.write(schema).text)) == schema)
    }
}

/// Files of strangers, as they are. Figures from a survey of the files with other tools.
@Suite struct RealFileTests {
    struct Expected: Sendable {
        var path: String
        var table: String?
        var encoding: TextEncoding?
        var rows: Int
        var columns: Int
        var firstHeader: String
        var firstCell: String
    }

    static let files = [
        Expected(
            path: "06_infrastructure/shijiazhuang_checkpoints_kakou.csv",
            encoding: .utf8,
            rows: 2683,
            columns: 6,
            firstHeader: "I_ID",
            firstCell: "20b5e1cf8694af7a3c1ba4a87f073021"
        ),
        Expected(
            path: "09_office_and_encodings/china_city_list_GBK.csv",
            encoding: .gb18030,
            rows: 345,
            columns: 7,
            firstHeader: "City",
            firstCell: "七台河"
        ),
        Expected(
            path: "09_office_and_encodings/csv_latin1_transport_site.csv",
            encoding: .latin1,
            rows: 60,
            columns: 25,
            firstHeader: "id_local",
            firstCell: "2A004-C-005"
        ),
        Expected(
            path: "01_transit/gtfs_latin1_broken_encoding.zip",
            table: "stops.txt",
            encoding: .latin1,
            rows: 3693,
            columns: 15,
            firstHeader: "stop_id",
            firstCell: "16242135"
        ),
        Expected(
            path: "01_transit/gtfs_latin1_broken_encoding.zip",
            table: "routes.txt",
            encoding: .utf8,
            rows: 181,
            columns: 12,
            firstHeader: "",
            firstCell: ""
        ),
        Expected(
            path: "08_catalogues/kaohsiung_open_datasets_2018.csv",
            encoding: .utf8,
            rows: 1495,
            columns: 3,
            firstHeader: "column_1",
            firstCell: "電動機車充電站名稱及充電站地址"
        ),
        Expected(
            path: "06_infrastructure/us_docks_nav_units.xlsx",
            table: "Data",
            rows: 45025,
            columns: 12,
            firstHeader: "NAV_UNIT_ID",
            firstCell: "0001"
        ),
        Expected(
            path: "09_office_and_encodings/china_highspeed_timetable_20160310.xlsx",
            table: "车次",
            rows: 4458,
            columns: 7,
            firstHeader: "车次",
            firstCell: "C1001"
        ),
        Expected(
            path: "09_office_and_encodings/china_highspeed_timetable_20160310.xlsx",
            table: "时刻表",
            rows: 34647,
            columns: 15,
            firstHeader: "车次",
            firstCell: "C1001"
        ),
        Expected(
            path: "06_infrastructure/shenzhen_bus_lines.csv.gz",
            encoding: .utf8,
            rows: 2113,
            columns: 3,
            firstHeader: "linename",
            firstCell: "650路(锦程文丰公交场站-凤凰山脚)"
        ),
        Expected(
            path: "06_infrastructure/ports_searoute.geojson",
            encoding: .utf8,
            rows: 3962,
            columns: 6,
            firstHeader: "",
            firstCell: ""
        ),
        Expected(
            path: "07_hazardous_goods/cfr49_172_101_joined.csv",
            encoding: .utf8,
            rows: 3261,
            columns: 9,
            firstHeader: "proper_shipping_names",
            firstCell: "Acetal"
        ),
        Expected(
            path: "11_freight/unlocode_2023-1_part1.csv.gz",
            encoding: .latin1,
            rows: 54679,
            columns: 12,
            firstHeader: "column_1",
            firstCell: ""
        ),
        Expected(
            path: "06_infrastructure/rail_stations_12306_2024.csv",
            encoding: .utf8,
            rows: 3740,
            columns: 2,
            firstHeader: "s_id",
            firstCell: "VAP"
        ),
        Expected(
            path: "06_infrastructure/airports.csv",
            encoding: .utf8,
            rows: 28298,
            columns: 11,
            firstHeader: "icao",
            firstCell: "00AA"
        ),
        Expected(
            path: "05_admin_divisions/gb2260_history_mca.zip",
            table: "198012.tsv",
            encoding: .utf8,
            rows: 3106,
            columns: 4,
            firstHeader: "Source",
            firstCell: "mca"
        ),
    ]

    @Test(arguments: files)
    func areReadWhole(expected: Expected) throws {
        guard let url = SharedFiles.url("data/\(expected.path)") else { return }
        let file = try TabularFile(path: url.path)
        let table = try file.table(expected.table)
        #expect(table.encoding == expected.encoding)
        let (header, rows, oddities) = try all(try file.reader(table))
        #expect(rows.count == expected.rows && oddities.isEmpty)
        #expect(header.count == expected.columns)
        if !expected.firstHeader.isEmpty {
            #expect(header.first == expected.firstHeader && rows.first?.first == expected.firstCell)
        }
    }

    @Test func workbookCellsAreWhatAPersonSees() throws {
        guard let docks = SharedFiles.url("data/06_infrastructure/us_docks_nav_units.xlsx"),
            let trains = SharedFiles.url("data/09_office_and_encodings/china_highspeed_timetable_20160310.xlsx")
        else { return }
        let file = try TabularFile(path: docks.path)
        let rows = try all(try file.reader(try file.table("Data"))).1
        #expect(rows[0][3] == "46.190393" && rows[0][6] == "1990-01-01T00:00:00" && rows[0][2].isEmpty)
        #expect(rows.contains { $0[0] == "00E0" })
        #expect(rows.first { $0[0] == "110Q" }?[6] == "1900-01-01T00:00:00")
        let timetable = try TabularFile(path: trains.path)
        let trips = try all(try timetable.reader(try timetable.table("车次"))).1
        #expect(trips[0] == ["C1001", "长春", "延吉西", "05:47:00", "08:04:00", "动车", "2"])
    }
}

/// Rows must not vanish without a word.
@Suite struct NothingVanishesTests {
    @Test func brokenJSONLinesCostOnlyThemselves() throws {
        let result = try read(Array("{\"a\":1}\n{\"a\":2\n{\"a\":3}\n\n{\"a\":4}\n".utf8), name: "a.jsonl")
        #expect(result.rows.map { $0[0] } == ["1", "", "3", "4"] && result.oddities == [.shape])
        #expect(throws: Problem.self) { try read(Array(#"[{"a":1},{"a":2}"#.utf8), name: "a.json") }
    }

    @Test func anUnclosedQuoteIsAnError() throws {
        var text = "id,name\n"
        for index in 0..<50 { text += index == 20 ? "\(index),\"open\n" : "\(index),x\n" }
        let result = try read(Array(text.utf8), options: ReadOptions(header: .line(1)))
        #expect(result.rows.count == 21 && result.oddities == [.unclosed])
    }

    @Test func aRowBeyondEveryLimitIsReported() throws {
        let limits = SourceLimits(maximumCellBytes: 1000)
        let text = "id,name\n1,a\n2,\"\(String(repeating: "y", count: 900_000))\"\n3,c\n"
        let result = try read(Array(text.utf8), options: ReadOptions(header: .line(1), limits: limits))
        #expect(result.oddities.contains(.oversized) && result.rows.last == ["3", "c"])
    }

    @Test func totalsAndSignaturesAreLeftOut() throws {
        let text = "地区,里程,投资\n甲,1,2\n乙,3,4\n小计,4,6\n合计,4,6\n制表人:张三,,审核:李四\n"
        let result = try read(Array(text.utf8))
        #expect(result.rows.map { $0[0] } == ["甲", "乙"] && result.oddities == [.footer, .footer, .footer])
    }

    /// However little room there is, every byte comes once.
    @Test func aHeaderMayBeginWithTheWordOfATotal() throws {
        let text = Array("total,name\n5,甲\n6,乙\n合计,11\n".utf8)
        let found = try read(text)
        #expect(found.header == ["total", "name"] && found.rows.count == 2)
        // What programs write is taken as it is written.
        let written = try read(text, options: ReadOptions(delimiter: 0x2C, header: .written))
        #expect(written.header == ["total", "name"] && written.rows.last == ["合计", "11"])
    }

    @Test func columnsGrow() {
        let fields = [
            Field("a", .integer), Field("b"), Field("c", .real), Field("d", .boolean), Field("e", .date),
            Field("f", .point),
        ]
        func column(_ field: Field, _ values: [Value]) -> Column {
            var builder = ColumnBuilder(field)
            for value in values { builder.append(value) }
            return builder.finish()
        }
        let values: [[Value]] = [
            [.integer(1), .null, .integer(3)], [.text("甲"), .text(""), .null], [.real(0.5), .real(-1), .null],
            [.boolean(true), .boolean(false), .null], [.date(5), .null, .date(7)], [.point(1, 2), .null, .point(3, 4)],
        ]
        for (field, list) in zip(fields, values) {
            for split in 0...list.count {
                var grown = column(field, Array(list[..<split]))
                grown.append(column(field, Array(list[split...])))
                let batch = Batch(fields: [field], columns: [grown], count: list.count)
                #expect(list.indices.map { batch.value($0, 0) } == list, "\(field.name) \(split)")
            }
        }
    }

    @Test func transcodingFillsAnyRoom() throws {
        let text = String(repeating: "编号,名称\nA1,公路桥梁é\n", count: 30)
        let encoded = gb18030(text)
        for room in [1, 2, 3, 5, 63, 64, 65, 1000] {
            let source = try TranscodingSource(MemorySource(encoded), from: .gb18030)
            var out: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: room)
            while true {
                let got = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
                if got == 0 { break }
                out += buffer[..<got]
            }
            #expect(String(decoding: out, as: UTF8.self) == text, "\(room)")
        }
    }

    /// A file longer than a reader's block, in an encoding whose characters straddle its end.
    @Test func longFilesOfOtherEncodingsAreReadWhole() throws {
        let lines = (0..<60_000).map { "\($0),道路运输\($0 % 97)" }
        let encoded = gb18030("编号,名称\n" + lines.joined(separator: "\n") + "\n")
        let result = try read(encoded, options: ReadOptions(encoding: .gb18030))
        #expect(result.rows.count == lines.count && result.rows.last == ["59999", "道路运输\(59_999 % 97)"])
    }
}
