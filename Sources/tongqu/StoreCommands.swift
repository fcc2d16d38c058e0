import ArgumentParser
import Basics
import Composition
import Foundation

struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: say("存储：从 SQLite 迁移到 PostgreSQL。", "The store: move from SQLite to PostgreSQL."),
        subcommands: [Copy.self]
    )

    struct Copy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say(
                "把节点的数据库复制到 PostgreSQL 并逐表核对。",
                "Copy a node's databases to PostgreSQL and compare every table."
            ),
            discussion: say(
                "示例：tongqu store copy --from ./data --to 'postgresql://tongqu@db/tongqu?schema=tongqu'\n先停止节点。中断后用同样的命令继续。完成后用 --store 启动，数据目录仍保存文件。",
                "Example: tongqu store copy --from ./data --to 'postgresql://tongqu@db/tongqu?schema=tongqu'\nStop the node first. The same command goes on after a stop. Start with --store afterwards; the data directory still keeps the files."
            )
        )
        @Option(help: ArgumentHelp(say("节点的数据目录", "the node's data directory")))
        var from: String
        @Option(help: ArgumentHelp(say("PostgreSQL 的地址", "PostgreSQL's address")))
        var to: String

        func run() async throws {
            try await carry {
                let target = try StoreSettings(to)
                let folder = URL(fileURLWithPath: from).standardizedFileURL
                guard FileManager.default.fileExists(atPath: folder.appendingPathComponent("control.sqlite").path)
                else {
                    throw Problem(
                        "node.absent",
                        status: 404,
                        zh: "这里没有节点的数据目录。",
                        en: "There is no node's data directory here."
                    )
                }
                let tables = try await StoreCopy(folder: folder, to: target) { table in
                    tell("\(table.database).\(table.name)  \(table.rows)")
                }.run()
                let rows = tables.reduce(0) { $0 + $1.rows }
                emit(
                    say(
                        "已复制 \(tables.count) 张表、\(rows) 行，逐表核对一致。",
                        "\(tables.count) tables with \(rows) rows copied; every one agrees."
                    )
                )
                emit("tongqu serve --data \(from) --store '\(target.described)'")
            }
        }
    }
}
