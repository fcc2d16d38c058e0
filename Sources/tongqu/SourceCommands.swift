import ArgumentParser
import Basics
import Catalogue
import Collect
import Composition
import Foundation
import Kernel
import Tabular
import Web

struct SourceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "source",
        abstract: say("归集来源：查看、登记、试连与立即归集。", "Sources: list, add, try, read now."),
        subcommands: [List.self, Add.self, Probe.self, Run.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: say("列出归集来源。", "List sources."))
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                for source in try await node.kernel.gate.perform(node.sources.listed, (), as: caller) {
                    let state =
                        source.silentSince != nil
                        ? say("断更", "silent") : source.failures > 0 ? say("失败", "failing") : say("正常", "fine")
                    emit(
                        "\(source.id)\t\(source.name)\t\(source.kind.rawValue)\t\(source.code)\t\(source.schedule.text)\t\(state)"
                    )
                }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("按 JSON 文件登记来源。", "Add a source from a JSON file."),
            discussion: say(
                "内容与 POST /api/v1/sources 相同；口令取自环境变量 TONGQU_PASSWORD。",
                "The content is that of POST /api/v1/sources; the secret comes from TONGQU_PASSWORD."
            )
        )
        @Argument(help: ArgumentHelp(say("JSON 文件", "a JSON file"))) var file: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let data = try bytes(of: file)
                let secret = ProcessInfo.processInfo.environment["TONGQU_PASSWORD"]
                let change = try Sources.Change(json: try JSONValue(data), secret: secret)
                let id = try await node.kernel.gate.perform(node.sources.saved, change, as: caller)
                emit(say("已登记来源 \(id)", "source \(id) added"))
            }
        }
    }

    struct Probe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: say("试连来源。", "Try a source."))
        @Argument(help: ArgumentHelp(say("来源编号", "the source's number"))) var id: Int64
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                for name in try await node.kernel.gate.perform(node.sources.probe, id, as: caller) { emit(name) }
            }
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("立即归集，完成后退出。", "Read a source now and wait for it.")
        )
        @Argument(help: ArgumentHelp(say("来源编号", "the source's number"))) var id: Int64
        @OptionGroup var node: NodeOptions

        func run() async throws {
            var isDone = false
            try await node.with { node, caller in
                let job = try await node.kernel.gate.perform(node.sources.run, id, as: caller)
                try await node.kernel.jobs.runPending(.outside)
                let (_, runs) = try await node.kernel.gate.perform(node.sources.show, id, as: caller)
                guard let run = runs.first(where: { $0.job == job }) else { return }
                isDone = run.state == .done
                let problem = run.problem[language == .zh ? "zh" : "en"]?.string ?? ""
                emit(
                    isDone
                        ? say(
                            "\(run.rows) 行：入库 \(run.good)，问题 \(run.bad)",
                            "\(run.rows) rows: \(run.good) good, \(run.bad) bad"
                        ) : problem
                )
            }
            if !isDone { throw ExitCode(1) }
        }
    }
}

struct StandardsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "standards",
        abstract: say("数据标准的导入与导出。", "Import and export the standards."),
        subcommands: [Import.self, ExportStandards.self]
    )

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("导入数据元、代码集与分类树(JSON)。", "Import elements, code lists and trees (JSON).")
        )
        @Argument(help: ArgumentHelp(say("JSON 文件", "a JSON file"))) var file: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let data = try bytes(of: file)
                let items = StandardKind.items(try JSONValue(data))
                let changed = try await node.kernel.gate.perform(
                    node.services.catalogue.saveStandards,
                    items,
                    as: caller
                )
                emit(say("共 \(items.count) 项，变更 \(changed) 项", "\(items.count) items, \(changed) changed"))
            }
        }
    }

    struct ExportStandards: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: say("把标准库写成 JSON。", "Write the registry as JSON.")
        )
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                emit(try await node.kernel.gate.perform(node.services.catalogue.standards, (), as: caller).json.text)
            }
        }
    }
}

/// A file that was named on the command line, whole.
private func bytes(of file: String) throws -> [UInt8] {
    let source = try FileSource(path: file)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let got = try chunk.withUnsafeMutableBytes { try source.read(into: $0) }
        if got == 0 { return bytes }
        bytes.append(contentsOf: chunk.prefix(got))
    }
}
