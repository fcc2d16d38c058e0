import Basics
import Check
import Codes
import Foundation
import Mask
import Tabular
import TestKit
import Testing

/// Checks text given as CSV.
func report(
    _ schema: Schema,
    _ csv: String,
    lookup: ReferenceLookup? = nil
) throws -> (report: CheckReport, good: [[String]]) {
    let path = FileManager.default.temporaryDirectory.appending(path: "tongqu-check-\(UUID().uuidString).csv")
    try Data(csv.utf8).write(to: path)
    defer { try? FileManager.default.removeItem(at: path) }
    let file = try TabularFile(path: path.path, options: ReadOptions(header: .line(1)))
    let reader = try file.reader(try file.table())
    let checker = try Checker(schema: schema, header: reader.header, keepsValues: true, lookup: lookup)
    var good: [[String]] = []
    while let raw = try reader.next() {
        let checked = checker.check(raw)
        for row in checked.good {
            good.append(checked.batch.fields.indices.map { checked.batch.value(Int(row), $0).text })
        }
    }
    return (checker.report(), good)
}

@Suite struct CheckTests {
    /// Groups in brackets, taken or not, change nothing about whether a value fits.
    @Test(arguments: [
        ("^[1-9](\\.[1-6])?$", "1.1", "1.7"), ("20\\d\\d-(0[1-9]|1[0-2])", "2025-01", "2025-13"),
        ("(京|津)([A-Z])(\\d+)", "津A123", "沪A123"),
    ])
    func patternsMayHaveGroups(_ pattern: String, _ fitting: String, _ other: String) throws {
        let (found, good) = try report(Schema(fields: [Field("v", pattern: pattern)]), "v\n\(fitting)\n\(other)\n")
        #expect(good == [[fitting]] && found.counts.map(\.rule.id) == ["pattern"])
    }

    @Test(arguments: [
        (Field("v", .integer), "x", "type"), (Field("v", .date), "2024/01/02", "type"),
        (Field("v", required: true), "", "required"),
        (Field("v", .real, minimum: 0), "-1", "minimum"), (Field("v", .integer, maximum: 5), "6", "maximum"),
        (Field("v", pattern: "[A-Z]{3}"), "AB1", "pattern"),
        (Field("v", codes: [CodeValue("1"), CodeValue("2")]), "3", "codes"),
        (Field("v", minimumLength: 2, maximumLength: 3), "公路运输", "length"),
        (Field("v", kind: .creditCode), "91110000600037341M", "identifier"),
        (Field("v", kind: .creditCode), "1.20E+17", "spreadsheet"), (Field("v", .point), "200 10", "type"),
        (Field("v", .boolean), "maybe", "type"),
    ])
    func eachRuleFindsItsFault(field: Field, value: String, rule: String) throws {
        let (report, good) = try report(Schema(fields: [Field("id"), field]), "id,v\n1,\(value)\n")
        #expect(report.counts.first { $0.rule.severity == .error }?.rule.id == rule)
        #expect(report.valid == 0 && good.isEmpty && report.samples.first?.row == 2)
    }

    @Test(
        arguments: [
            (Field("v", .date, lenient: true), "二〇二五年三月", "2025-03-01"),
            (Field("v", .integer, lenient: true), "１２，３４５", nil),
            (Field("v", .integer, lenient: true), "\"12,345\"", "12345"),
            (Field("v", .boolean, lenient: true), "是", "true"),
            (Field("v", .timestamp, lenient: true), "2025.3.1 8:05", "2025-03-01T08:05:00+08:00"),
            (Field("v", .real, lenient: true), "12%", "0.12"),
            (Field("v", kind: .plate), "冀a·12345", "冀A12345"), (Field("v"), " 前后空格 ", "前后空格"),
        ] as [(Field, String, String?)]
    )
    func lenientFieldsReadWhatPeopleWrite(field: Field, value: String, stored: String?) throws {
        let (report, good) = try report(Schema(fields: [Field("id"), field]), "id,v\n1,\(value)\n")
        guard let stored else { return }
        #expect(good.first?[1] == stored, "\(report.samples)")
        #expect(report.counts.contains { $0.rule.id == "normalised" })
    }

    @Test func keysUniqueValuesReferencesAndRowRules() throws {
        let schema = Schema(
            fields: [
                Field("id"), Field("code", .integer, unique: true), Field("from", .date), Field("to", .date),
                Field("org"),
            ],
            key: ["id"],
            rules: [
                RuleDeclaration(
                    id: "period",
                    expression: "\"from\" <= \"to\"",
                    field: "to",
                    message: .init("止期早于起期", "ends before it begins")
                )
            ],
            foreignKeys: [ForeignKey(fields: ["org"], resource: "orgs", referenced: ["id"])]
        )
        let csv =
            "id,code,from,to,org\na,1,2024-01-01,2024-02-01,x\na,2,2024-01-01,2024-02-01,x\nb,1,2024-03-01,2024-02-01,x\nc,3,2024-01-01,,y\n"
        let (report, good) = try report(schema, csv) { _, values in values == ["x"] }
        let counts = Dictionary(report.counts.map { ($0.rule.id, $0.count) }, uniquingKeysWith: +)
        #expect(counts == ["key": 1, "unique": 1, "period": 1, "reference": 1])
        #expect(good.map { $0[0] } == ["a"])
    }

    @Test func reportsMaskPersonalValues() throws {
        let fields = [
            Field("name", kind: .personName), Field("phone", pattern: "1[3-9]\\d{9}", kind: .phone),
            Field("n", .integer, kind: .residentID),
        ]
        let (report, _) = try report(Schema(fields: fields), "name,phone,n\n欧阳小明,23812345678,11010519491231002X\n")
        let text = report.json(.zh).text
        #expect(!text.contains("23812345678") && !text.contains("11010519491231002X") && text.contains("238****5678"))
    }

    @Test func missingColumnsAreNamed() {
        #expect(throws: Problem.self) {
            try report(Schema(fields: [Field("plate", title: "车牌", required: true)]), "a,b\n1,2\n")
        }
    }

    @Test func columnsAreFoundByTitle() throws {
        let (report, good) = try report(
            Schema(fields: [Field("plate", title: "车牌号"), Field("seats", .integer, title: "座位 数")]),
            "座位数,车牌号\n5,冀A\n"
        )
        #expect(report.valid == 1 && good.first == ["冀A", "5"])
    }

    @Test func aPatternCannotHoldTheCheckUp() throws {
        let schema = Schema(fields: [Field("v", pattern: "(a+)+$")])
        let (report, _) = try report(schema, "v\n" + String(repeating: "a", count: 5000) + "!\n")
        #expect(report.total(.error) == 1)
    }

    /// The peers' generator and schema, a thousandth of the size: the kinds of faults are counted exactly.
    @Test func thePeersFileGivesTheirFaults() throws {
        guard let schema = SharedFiles.url("bench/peers/schema.json"),
            let generator = SharedFiles.url("bench/gen_vehicles.py")
        else { return }
        let path = FileManager.default.temporaryDirectory.appending(path: "tongqu-vehicles-\(UUID().uuidString).csv")
        defer { try? FileManager.default.removeItem(at: path) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", generator.path, "20000", path.path, "0.05"]
        try process.run()
        process.waitUntilExit()
        let file = try TabularFile(path: path.path)
        let reader = try file.reader(try file.table())
        let checker = try Checker(
            schema: try TableSchema.read(JSONValue(Array(try Data(contentsOf: schema)))),
            header: reader.header
        )
        while let raw = try reader.next() { _ = checker.check(raw) }
        let report = checker.report()
        #expect(report.rows == 20_000)
        #expect(
            Set(report.counts.map { "\($0.rule.id) \($0.rule.field)" }) == [
                "unique id", "codes plate_color", "pattern vin", "type reg_date", "minimum seats", "maximum lon",
            ]
        )
        #expect(report.total(.error) == report.rows - report.valid)
    }
}

@Suite struct InferenceTests {
    func propose(_ csv: String) throws -> SchemaProposal {
        let path = FileManager.default.temporaryDirectory.appending(path: "tongqu-infer-\(UUID().uuidString).csv")
        try Data(csv.utf8).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        let file = try TabularFile(path: path.path)
        let table = try file.table()
        return try Inference.propose(try file.reader(table), layout: table.layout)
    }

    @Test func identifiersDatesAndCodesAreProposed() throws {
        var csv = "编号,车牌号,联系电话,登记日期,类型,区划代码,经度,纬度\n"
        for index in 1...60 {
            csv +=
                "\(1000 + index),冀A\(10000 + index),1390000\(1000 + index),2025.\(1 + index % 12).5,\(index % 2 == 0 ? "客车" : "货车"),130102,114.\(500 + index),38.\(100 + index)\n"
        }
        let proposal = try propose(csv)
        let schema = proposal.schema
        #expect(schema.key == ["编号"])
        #expect(schema["车牌号"]?.kind == .plate && schema["车牌号"]?.grade == .general3)
        #expect(schema["联系电话"]?.kind == .phone && schema["联系电话"]?.type == .text)
        #expect(schema["登记日期"]?.type == .date && schema["登记日期"]?.lenient == true)
        #expect(schema["类型"]?.codes.count == 2)
        #expect(schema["区划代码"]?.type == .text && schema["区划代码"]?.kind == .divisionCode)
        #expect(schema.position.map { $0 == (6, 7) } == true)
        #expect(
            proposal.fields.allSatisfy {
                !$0.examples.contains { $0.hasPrefix("冀A1") && $0.count == 7 && !$0.contains("*") }
            }
        )
    }

    @Test func idsThatLookLikeNumbersStayText() throws {
        var csv = "id,value\n"
        for index in 0..<300 { csv += "\(index < 10 ? "00E\(index)" : "0\(100 + index)"),\(index)\n" }
        #expect(try propose(csv).schema["id"]?.type == .text)
    }

    @Test func markersOfNoValueAreSeen() throws {
        var csv = "id,lanes\n"
        for index in 0..<50 { csv += "A\(index),\(index % 4 == 0 ? "NULL" : "3")\n" }
        let proposal = try propose(csv)
        #expect(proposal.schema.missingValues == ["", "NULL"] && proposal.schema["lanes"]?.type == .integer)
    }
}

@Suite struct MaskTests {
    @Test(arguments: [
        (SemanticKind.personName, "欧阳小明", "欧阳**"), (.personName, "张三", "张*"), (.phone, "13812345678", "138****5678"),
        (.plate, "京A12345", "京A***45"),
        (.residentID, "110105194912310021", "110***********0021"), (.address, "某路1号", ""),
    ])
    func standardMasks(kind: SemanticKind, value: String, masked: String) {
        #expect(Mask.standard(for: kind)?.apply(value) == masked)
    }

    @Test func batchesAreMaskedLikeValuesAndUnknownTypesAreSuppressed() {
        let field = Field("plate", kind: .plate)
        var builder = ColumnBuilder(field)
        builder.append(.text("京A12345"))
        builder.appendNull()
        let masked = Mask.keep(prefix: 2, suffix: 2).apply(builder.finish(), field: field)
        #expect(Batch(fields: [field], columns: [masked], count: 2).value(0, 0) == .text("京A***45"))
        var numbers = ColumnBuilder(Field("n", .integer))
        numbers.append(.integer(5))
        #expect(Mask.keep(prefix: 1, suffix: 1).apply(numbers.finish(), field: Field("n", .integer)).isNull(0))
        #expect(
            Mask(code: "round:0.01")?.apply(Column(.real([116.397128])), field: Field("x", .real))
                == Column(.real([116.4]))
        )
        for mask in [Mask.keep(prefix: 3, suffix: 4), .suppress, .personName, .generaliseTime(.month)] {
            #expect(Mask(code: mask.code) == mask)
        }
    }
}
