import Codes
import ArgumentParser
import Basics
import Check
import Foundation
import Tabular

/// How a file is read; shared by `describe`, `check` and `load`.
struct ReadingOptions: ParsableArguments {
    @Option(help: ArgumentHelp(say("工作表或压缩包内文件的名称", "the sheet or the entry of an archive")))
    var table: String?

    @Option(
        help: ArgumentHelp(
            say(
                "编码：UTF-8 UTF-16LE UTF-16BE GB18030 BIG5 ISO-8859-1",
                "encoding: UTF-8 UTF-16LE UTF-16BE GB18030 BIG5 ISO-8859-1"
            )
        )
    )
    var encoding: String?

    @Option(help: ArgumentHelp(say("分隔符", "the delimiter")))
    var delimiter: String?

    @Option(help: ArgumentHelp(say("表头所在行号，或 none", "the line of the header, or none")))
    var header: String?

    func options() throws -> ReadOptions {
        var options = ReadOptions()
        if let encoding {
            guard
                let known = TextEncoding(rawValue: encoding.uppercased())
                    ?? (encoding.uppercased() == "GBK" ? .gb18030 : nil)
            else {
                throw Problem(
                    "file.encoding",
                    zh: "不支持编码 \(encoding)。",
                    en: "The encoding \(encoding) is not supported."
                )
            }
            options.encoding = known
        }
        if let delimiter {
            guard delimiter == "\\t" || delimiter.utf8.count == 1 else {
                throw Problem("file.delimiter", zh: "分隔符应为一个字符。", en: "A delimiter is one character.")
            }
            options.delimiter = delimiter == "\\t" ? 9 : delimiter.utf8.first
        }
        options.header = SheetLayout.HeaderHint(text: header)
        return options
    }
}

struct Describe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: say("推断文件的数据结构：类型、主键、代码表、含义。", "Infer a file's schema: types, key, code lists, meanings."),
        discussion: say(
            "示例：tongqu describe 卡口.csv --format schema > schema.json",
            "Example: tongqu describe checkpoints.csv --format schema > schema.json"
        )
    )

    @Argument(help: ArgumentHelp(say("文件", "the file")))
    var file: String

    @OptionGroup var reading: ReadingOptions

    @Option(
        help: ArgumentHelp(say("输出：text、json 或 schema(Table Schema)", "output: text, json or schema (Table Schema)"))
    )
    var format = "text"

    func validate() throws {
        guard ["text", "json", "schema"].contains(format) else { throw ValidationError("--format text|json|schema") }
    }

    func run() async throws {
        try await carry {
            let file = try TabularFile(path: file, options: try reading.options())
            let table = try file.table(reading.table)
            let proposal = try Inference.propose(try file.reader(table), layout: table.layout)
            switch format {
            case "schema": emit(TableSchema.write(proposal.schema).text)
            case "json": emit(json(file, table, proposal).text)
            default: text(file, table, proposal)
            }
        }
    }

    func json(_ file: TabularFile, _ table: TabularFile.Table, _ proposal: SchemaProposal) -> JSONValue {
        .object([
            .init("table", .string(table.name)), .init("tables", .array(file.tables.map { .string($0.name) })),
            .init("encoding", table.encoding.map { .string($0.rawValue) } ?? .null),
            .init("header", .boolean(table.layout.hasHeader)),
            .init("rows_seen", .integer(Int64(proposal.rows))), .init("schema", TableSchema.write(proposal.schema)),
            .init(
                "fields",
                .array(
                    proposal.fields.map { field in
                        .object([
                            .init("name", .string(field.field.name)),
                            .init("confidence", .real((field.confidence * 100).rounded() / 100)),
                            .init("filled", .real((field.filled * 1000).rounded() / 1000)),
                            .init("reasons", .array(field.reasons.map { .string($0[language]) })),
                            .init("examples", .array(field.examples.map { .string($0) })),
                        ])
                    }
                )
            ),
            .init("notes", .array((proposal.notes + file.notes).map { .string($0[language]) })),
        ])
    }

    func text(_ file: TabularFile, _ table: TabularFile.Table, _ proposal: SchemaProposal) {
        emit(
            "\(table.name) · \(table.encoding?.rawValue ?? "XLSX") · \(say("查看了 \(proposal.rows) 行", "\(proposal.rows) rows looked at"))"
        )
        if file.tables.count > 1 {
            emit(say("其他表：", "other tables: ") + file.tables.map(\.name).joined(separator: ", "))
        }
        for note in proposal.notes + file.notes { emit("· \(note[language])") }
        for proposal in proposal.fields {
            let field = proposal.field
            var words = [field.type.title[language]]
            if let kind = field.kind { words.append(kind.title[language]) }
            if field.unique { words.append(say("主键", "key")) }
            if !field.codes.isEmpty { words.append(say("\(field.codes.count) 种取值", "\(field.codes.count) values")) }
            if !field.unit.isEmpty { words.append(field.unit) }
            emit(
                "  \(field.name): \(words.joined(separator: ", "))  \(Int(proposal.confidence * 100))%  \(proposal.reasons.map { $0[language] }.joined(separator: "; "))"
            )
            if !proposal.examples.isEmpty { emit("      \(proposal.examples.joined(separator: " | "))") }
        }
    }
}

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: say("按数据结构检查文件，逐行逐格报告。", "Check a file against a schema, row by row and cell by cell."),
        discussion: say(
            "示例：tongqu check 车辆.csv --schema schema.json --out 结果\n发现错误时退出码为 1。",
            "Example: tongqu check vehicles.csv --schema schema.json --out result\nExits with 1 where there are errors."
        )
    )

    @Argument(help: ArgumentHelp(say("文件", "the file")))
    var file: String

    @Option(help: ArgumentHelp(say("Table Schema 文件", "a Table Schema")))
    var schema: String

    @OptionGroup var reading: ReadingOptions

    @Option(help: ArgumentHelp(say("输出：text 或 json", "output: text or json")))
    var format = "text"

    @Option(
        help: ArgumentHelp(
            say(
                "写出 findings.csv(全部问题)、valid.csv、invalid.csv 的目录",
                "a folder for findings.csv (all of them), valid.csv and invalid.csv"
            )
        )
    )
    var out: String?

    func validate() throws {
        guard ["text", "json"].contains(format) else { throw ValidationError("--format text|json") }
    }

    func run() async throws {
        var failed = false
        try await carry {
            let report = try report()
            failed = report.total(.error) > 0
            if format == "json" { emit(report.json(language).text) } else { text(report) }
        }
        if failed { throw ExitCode(1) }
    }

    /// Reads a Table Schema file.
    static func schema(at path: String) throws -> Schema {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Problem(
                "file.unreadable",
                zh: "无法读取数据结构文件。",
                en: "The schema cannot be read.",
                details: ["file": path]
            )
        }
        return try TableSchema.read(JSONValue(Array(data)))
    }

    func report() throws -> CheckReport {
        let tableSchema = try Check.schema(at: schema)
        let file = try TabularFile(path: file, options: try reading.options())
        let table = try file.table(reading.table)
        let reader = try file.reader(table)
        let checker = try Checker(schema: tableSchema, header: reader.header, keepsValues: out != nil)
        for note in table.layout.notes + file.notes { checker.note(note) }
        let output = try out.map { try CheckOutput(folder: $0, checker: checker, header: reader.header) }
        var progress = Progress()
        var rows = 0
        while let raw = try reader.next() {
            let checked = checker.check(raw)
            rows += raw.rows
            try output?.write(raw, checked)
            progress.show(say("已检查 \(rows) 行", "\(rows) rows checked"))
        }
        progress.end()
        try output?.close()
        return checker.report()
    }

    func text(_ report: CheckReport) {
        emit(
            say(
                "\(report.rows) 行，合格 \(report.valid) 行；错误 \(report.total(.error))，警告 \(report.total(.warning))，提示 \(report.total(.information))",
                "\(report.rows) rows, \(report.valid) valid; \(report.total(.error)) errors, \(report.total(.warning)) warnings, \(report.total(.information)) remarks"
            )
        )
        for note in report.notes { emit("· \(note[language])") }
        for item in report.counts.sorted(by: { $0.count > $1.count }) {
            emit(
                "  \(item.count)  \(item.rule.severity.title[language])  \(item.rule.message[language])  [\(item.rule.id)]"
            )
        }
        for finding in report.samples.filter({ $0.severity != .information }).prefix(20) {
            let suggestion = finding.suggestion.map { " → \($0[language])" } ?? ""
            emit(
                say("第 \(finding.row) 行", "row \(finding.row)")
                    + " \(finding.field): \(finding.maskedValue) — \(finding.message[language])\(suggestion)"
            )
        }
    }
}

/// The files of `check --out`.
final class CheckOutput {
    let findings: FileHandle
    let valid: FileHandle
    let invalid: FileHandle
    var buffer: [UInt8] = []
    var writer: CSVBatchWriter
    var rawWriter: CSVBatchWriter
    let rawFields: [Field]

    init(folder: String, checker: Checker, header: [String]) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func open(_ name: String) throws -> FileHandle {
            let path = "\(folder)/\(name)"
            guard FileManager.default.createFile(atPath: path, contents: nil),
                let handle = FileHandle(forWritingAtPath: path)
            else {
                throw FileSource.unwritable()
            }
            return handle
        }
        findings = try open("findings.csv")
        valid = try open("valid.csv")
        invalid = try open("invalid.csv")
        writer = CSVBatchWriter(fields: checker.schema.fields)
        rawFields = header.map { Field($0) } + [Field("_row", .integer)]
        rawWriter = CSVBatchWriter(fields: rawFields)
        var head: [UInt8] = []
        writer.begin(into: &head)
        try valid.write(contentsOf: Data(head))
        head = []
        rawWriter.begin(into: &head)
        try invalid.write(contentsOf: Data(head))
        buffer.append(contentsOf: "row,field,rule,severity,message\n".utf8)
        checker.onFinding = { [weak self] row, rule, _ in
            guard let self else { return }
            Numbers.append(row, to: &self.buffer)
            for text in [rule.field, rule.id, rule.severity.rawValue, rule.message[language]] {
                self.buffer.append(0x2C)
                self.buffer.append(0x22)
                for byte in text.utf8 {
                    if byte == 0x22 { self.buffer.append(0x22) }
                    self.buffer.append(byte)
                }
                self.buffer.append(0x22)
            }
            self.buffer.append(0x0A)
        }
    }

    func write(_ raw: RawBatch, _ checked: CheckedBatch) throws {
        if !buffer.isEmpty {
            try findings.write(contentsOf: Data(buffer))
            buffer.removeAll(keepingCapacity: true)
        }
        var bytes: [UInt8] = []
        let isWhole = checked.bad.isEmpty
        writer.write(
            Batch(
                fields: checked.batch.fields,
                columns: isWhole ? checked.batch.columns : checked.batch.columns.map { $0.taking(checked.good) },
                count: checked.good.count
            ),
            into: &bytes
        )
        try valid.write(contentsOf: Data(bytes))
        guard !isWhole else { return }
        var builders = rawFields.map { ColumnBuilder($0) }
        for row in checked.bad {
            for column in 0..<raw.columns { builders[column].append(.text(raw.text(Int(row), column))) }
            builders[raw.columns].append(.integer(raw.numbers[Int(row)]))
        }
        bytes = []
        rawWriter.write(
            Batch(fields: rawFields, columns: builders.indices.map { builders[$0].finish() }, count: checked.bad.count),
            into: &bytes
        )
        try invalid.write(contentsOf: Data(bytes))
    }

    func close() throws {
        if !buffer.isEmpty { try findings.write(contentsOf: Data(buffer)) }
        for handle in [findings, valid, invalid] { try handle.close() }
    }
}
