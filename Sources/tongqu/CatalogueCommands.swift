import Composition
import Web
import ArgumentParser
import Basics
import Catalogue
import Foundation
import Kernel
import Tabular

struct CatalogueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalogue",
        abstract: say("目录工作簿的导入与导出。", "Import and export the catalogue's workbook."),
        subcommands: [Import.self, ExportWorkbook.self]
    )

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say(
                "检查目录工作簿；加 --apply 且没有错误时，全部导入为草稿。",
                "Check a catalogue workbook; with --apply and without errors all its entries become drafts."
            ),
            discussion: say(
                "示例：tongqu catalogue import 目录.xlsx --apply\n有错误时退出码为 1,不导入任何条目。",
                "Example: tongqu catalogue import catalogue.xlsx --apply\nWith errors the exit code is 1 and nothing is imported."
            )
        )
        @Argument(help: ArgumentHelp(say("工作簿", "the workbook"))) var file: String
        @Flag(help: ArgumentHelp(say("导入", "import"))) var apply = false
        @OptionGroup var node: NodeOptions

        func run() async throws {
            var errors = 0
            try await node.with { node, caller in
                let report = try await node.kernel.gate.perform(
                    node.services.catalogue.importWorkbook,
                    (path: file, source: URL(fileURLWithPath: file).lastPathComponent, applies: apply),
                    as: caller
                )
                for finding in report.findings {
                    let place = [finding.sheet, String(finding.row), finding.column].filter { !$0.isEmpty }
                    emit(
                        "\(place.joined(separator: ":")): \(finding.severity.title[language]): \(finding.message[language])"
                    )
                }
                emit(
                    say(
                        "\(report.rows) 行：新建 \(report.created)，变更 \(report.changed)，无变化 \(report.unchanged)，错误 \(report.errors);\(report.isApplied ? "已导入" : "未导入")",
                        "\(report.rows) rows: \(report.created) new, \(report.changed) changed, \(report.unchanged) unchanged, \(report.errors) errors; \(report.isApplied ? "imported" : "not imported")"
                    )
                )
                errors = report.errors
            }
            if errors > 0 { throw ExitCode(1) }
        }
    }

    struct ExportWorkbook: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: say("把目录写成工作簿。", "Write the catalogue as a workbook.")
        )
        @Argument(help: ArgumentHelp(say("要写的文件", "the file to write"))) var file: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let scan = try await node.kernel.gate.perform(
                    node.services.catalogue.export,
                    EntryListQuery(),
                    as: caller
                )
                guard FileManager.default.createFile(atPath: file, contents: nil),
                    let handle = FileHandle(forWritingAtPath: file)
                else { throw FileSource.unwritable() }
                var book = WorkbookWriter(scan.organisations)
                var bytes: [UInt8] = []
                var count = 0
                while let entries = try await scan.next() {
                    count += entries.count
                    book.write(entries, into: &bytes)
                    try handle.write(contentsOf: Data(bytes))
                    bytes.removeAll(keepingCapacity: true)
                }
                book.end(into: &bytes)
                try handle.write(contentsOf: Data(bytes))
                try handle.close()
                emit(say("已导出 \(count) 个条目", "\(count) entries exported"))
            }
        }
    }
}
