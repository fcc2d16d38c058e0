import ArgumentParser
import Basics
import Composition
import Flow
import Foundation
import Kernel

/// `tongqu pack`: systems that are folders.
struct PackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack",
        abstract: say("系统包：新建、检查、安装、列表、移除。", "Packs: new, check, install, list, remove."),
        subcommands: [New.self, Check.self, Install.self, List.self, Remove.self]
    )

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("新建一个可用的系统包目录。", "Make a folder with a pack that works."),
            discussion: say("示例：tongqu pack new tunnel-lighting", "Example: tongqu pack new tunnel-lighting")
        )
        @Argument(help: ArgumentHelp(say("目录", "the folder"))) var folder: String

        func run() async throws {
            try await carry {
                let url = URL(fileURLWithPath: folder)
                try PackTemplate.write(to: url)
                emit(
                    say(
                        "已建立 \(url.path)。检查：tongqu pack check \(folder)",
                        "\(url.path) made. Check it: tongqu pack check \(folder)"
                    )
                )
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("检查系统包，逐处报告错误。", "Check a pack and tell every mistake."),
            discussion: say(
                "示例：tongqu pack check tunnel-lighting\n要求的其他系统包从同级目录或 --packs 中找。有错误时以 1 结束。",
                "Example: tongqu pack check tunnel-lighting\nPacks that it requires are looked for beside it, or in --packs. Ends with 1 where there is a mistake."
            )
        )
        @Argument(help: ArgumentHelp(say("目录", "the folder"))) var folder: String
        @Option(help: ArgumentHelp(say("其他系统包所在目录，可多次", "a folder of other packs; may be repeated")))
        var packs: [String] = []

        func run() async throws {
            try await carry {
                let url = URL(fileURLWithPath: folder).standardizedFileURL
                let folders = packs.map { URL(fileURLWithPath: $0) } + [url.deletingLastPathComponent()]
                let pack = try PackCheck.check(url, beside: folders)
                let flows = pack.declaration.resources.compactMap(\.flow)
                emit(
                    say(
                        "\(pack.id) 第 \(pack.declaration.version) 版没有错误：资源 \(pack.declaration.resources.count)，步骤 \(flows.reduce(0) { $0 + $1.steps.count })，时限 \(flows.reduce(0) { $0 + $1.clocks.count })，文书 \(pack.declaration.resources.reduce(0) { $0 + $1.documents.count })。",
                        "\(pack.id), version \(pack.declaration.version), has no mistakes: \(pack.declaration.resources.count) resources, \(flows.reduce(0) { $0 + $1.steps.count }) steps, \(flows.reduce(0) { $0 + $1.clocks.count }) clocks, \(pack.declaration.resources.reduce(0) { $0 + $1.documents.count }) documents."
                    )
                )
                tellIgnored(pack)
            }
        }
    }

    struct Install: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("把系统包装入停着的节点，或升级。", "Put a pack into a node that is stopped, or upgrade it.")
        )
        @Argument(help: ArgumentHelp(say("目录：一个系统包，或其中的若干个", "the folder: of a pack, or of packs"))) var folder: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, _ in
                let (packs, refused) = try await SystemPacks.install(node, from: URL(fileURLWithPath: folder))
                for pack in packs {
                    emit(say("已安装 \(pack.id)", "\(pack.id) installed"))
                    tellIgnored(pack)
                }
                for pack in refused { tell("\(pack.folder): \(pack.problem.text(language))") }
                if !refused.isEmpty { throw ExitCode.failure }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: say("列出已安装的系统包。", "List the packs of a node."))
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, _ in
                for system in try await node.flows.systems.all() {
                    let bundled = BundledPacks.has(system.id) ? say("\t随程序提供", "\tcomes with the program") : ""
                    emit(
                        "\(system.id)\t\(system.declaration.version)\t\(say(system.declaration.title.zh, system.declaration.title.en))\t\(CivilTime.minute(system.installedAt))\(bundled)"
                    )
                }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say(
                "移除系统包：页面与权限撤下，资源与记录保留。",
                "Remove a pack: its pages and rights go, resources and records stay."
            )
        )
        @Argument(help: ArgumentHelp(say("系统包标识", "the pack's identity"))) var pack: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                try BundledPacks.checkRemoval(of: pack)
                try await node.kernel.gate.perform(node.flows.removed, pack, as: caller)
                emit(say("已移除 \(pack)，资源与记录保留。", "\(pack) removed; its resources and records stay."))
            }
        }
    }
}

/// Says what of a system's pack does not go into a node that is no demonstration.
private func tellIgnored(_ pack: Pack) {
    guard !pack.ignored.isEmpty else { return }
    let names = pack.ignored.joined(separator: ", ")
    tell(
        say(
            "\(pack.id)：\(names) 只在 --demo 演示中装入，其他节点不取。",
            "\(pack.id): \(names) go in with --demo only; other nodes do not take them."
        )
    )
}
