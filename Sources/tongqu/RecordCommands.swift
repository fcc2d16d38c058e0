import ArgumentParser
import Basics
import Composition
import Flow
import Foundation
import Kernel
import Web

/// `tongqu record`: records that go from node to node as one signed file.
struct RecordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: say(
            "记录包：导出、校验、接收、登记回执、互信节点。",
            "Record packages: export, check, import, register a receipt, trusted nodes."
        ),
        subcommands: [Export.self, Check.self, Import.self, Receipt.self, Nodes.self]
    )

    /// `enforcement/penalty_cases`.
    static func place(_ text: String, _ node: Node) async throws -> SystemPlace {
        let parts = text.split(separator: "/").map(String.init)
        guard parts.count == 2 else {
            throw Problem(
                "request.malformed",
                zh: "业务写作“系统/资源”，如 enforcement/penalty_cases。",
                en: "A resource is written SYSTEM/RESOURCE, as enforcement/penalty_cases."
            )
        }
        return try await node.flows.systems.place(parts[0], parts[1])
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("把一条办结的记录导出为签名的记录包。", "Pack a record that is over into a signed file."),
            discussion: say(
                "示例：tongqu record export enforcement/penalty_cases 12 --out AJ000012.zip",
                "Example: tongqu record export enforcement/penalty_cases 12 --out AJ000012.zip"
            )
        )
        @Argument(help: ArgumentHelp(say("系统/资源", "SYSTEM/RESOURCE"))) var resource: String
        @Argument(help: ArgumentHelp(say("记录号(页面地址中的数字)", "the record's number, as in its page's address")))
        var record: Int64
        @Option(help: ArgumentHelp(say("输出文件", "the file to write"))) var out: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let target = URL(fileURLWithPath: out)
                guard !FileManager.default.fileExists(atPath: target.path) else {
                    throw Problem("file.exists", status: 409, zh: "文件已存在。", en: "The file is there already.")
                }
                let made = try await node.kernel.gate.perform(
                    node.flows.package,
                    PackageRequest(
                        try await RecordCommand.place(resource, node).code,
                        record: record,
                        folder: node.services.settings.temporaryFolder
                    ),
                    as: caller
                )
                defer { try? FileManager.default.removeItem(atPath: made.path) }
                try FileManager.default.copyItem(atPath: made.path, toPath: target.path)
                emit(say("已导出 \(out)，记录包 \(made.package)", "\(out) written, package \(made.package)"))
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("校验记录包：格式、摘要、签名、签名者。", "Check a package: its form, digests, signature and signer."),
            discussion: say(
                "给出 --data 时按该节点登记的互信节点判断签名者；否则与 --key 的公钥文件比较。有问题时以 2 结束，签名者未知时以 1 结束。",
                "With --data the signer is looked for among the nodes that the node trusts; else it is compared with the public key of --key. Ends with 2 where something is wrong, with 1 where the signer is not known."
            )
        )
        @Argument(help: ArgumentHelp(say("记录包", "the package"))) var file: String
        @Option(help: ArgumentHelp(say("对方节点的公钥文件(PEM)", "the other node's public key (PEM)"))) var key: String?
        @OptionGroup var node: NodeOptions

        func run() async throws {
            var isKnown = false
            try await carry {
                let package = try RecordPackage(path: file)
                let manifest = package.manifest
                let signer = package.seal.fingerprint
                var name: String?
                if let key {
                    let text = try String(contentsOf: URL(fileURLWithPath: key), encoding: .utf8)
                    if PackageSeal.publicKey(text) == package.seal.publicBytes { name = key }
                } else if self.node.data != nil {
                    let node = try await self.node.open()
                    name = try await node.flows.trusted(signer)?.name
                    try await node.close()
                }
                isKnown = name != nil
                emit(
                    say(
                        "✓ 完整、未改动：\(manifest.files.count) 个文件，\(package.size) 字节",
                        "✓ whole and unaltered: \(manifest.files.count) files, \(package.size) bytes"
                    )
                )
                emit(
                    say(
                        "  \(manifest.organisation) \(manifest.resourceName.zh) \(manifest.record)(\(manifest.stateTitle.zh))，\(manifest.madeAt)",
                        "  \(manifest.organisation), \(manifest.resourceName.en) \(manifest.record) (\(manifest.stateTitle.en)), \(manifest.madeAt)"
                    )
                )
                emit(say("  记录包 \(package.digest)", "  package \(package.digest)"))
                emit(
                    name.map { say("✓ 签名者已知：\($0)", "✓ the signer is known: \($0)") }
                        ?? say("✗ 签名者未知", "✗ the signer is not known")
                )
                emit(say("  密钥 \(signer)", "  key \(signer)"))
            }
            if !isKnown { throw ExitCode(1) }
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("接收记录包，写出移送回执。", "Receive a package and write its receipt."),
            discussion: say(
                "示例：tongqu record import enforcement/penalty_cases AJ000012.zip --receipt 回执.json",
                "Example: tongqu record import enforcement/penalty_cases AJ000012.zip --receipt receipt.json"
            )
        )
        @Argument(help: ArgumentHelp(say("系统/资源", "SYSTEM/RESOURCE"))) var resource: String
        @Argument(help: ArgumentHelp(say("记录包", "the package"))) var file: String
        @Option(help: ArgumentHelp(say("回执写到此文件", "where the receipt is written"))) var receipt: String?
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let place = try await RecordCommand.place(resource, node)
                // The node keeps its own copy.
                let copy = "\(node.services.settings.temporaryFolder)/package-\(UUID().uuidString)"
                defer { try? FileManager.default.removeItem(atPath: copy) }
                try FileManager.default.copyItem(atPath: file, toPath: copy)
                let taken = try await node.kernel.gate.perform(
                    node.flows.receive,
                    NewPackage(place.code, path: copy),
                    as: caller
                )
                if let receipt { try Data(taken.package.receipt.utf8).write(to: URL(fileURLWithPath: receipt)) }
                let record = taken.package.record.map { "#\($0)" } ?? say("未建立记录", "no record was made")
                emit(
                    taken.isNew
                        ? say("已接收 \(taken.package.package):\(record)", "\(taken.package.package) received: \(record)")
                        : say(
                            "此前已接收 \(taken.package.package):\(record)",
                            "\(taken.package.package) was received before: \(record)"
                        )
                )
            }
        }
    }

    struct Receipt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("登记对方发回的移送回执。", "Register the receipt that came back.")
        )
        @Argument(help: ArgumentHelp(say("系统/资源", "SYSTEM/RESOURCE"))) var resource: String
        @Argument(help: ArgumentHelp(say("记录号", "the record's number"))) var record: Int64
        @Argument(help: ArgumentHelp(say("回执文件", "the receipt"))) var file: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                let body = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
                let isNew = try await node.kernel.gate.perform(
                    node.flows.receipt,
                    (try await RecordCommand.place(resource, node).code, record, body),
                    as: caller
                )
                emit(isNew ? say("回执已登记", "receipt registered") : say("回执此前已登记", "the receipt was registered before"))
            }
        }
    }

    struct Nodes: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: say("互信节点：列表，--add 登记，--remove 撤销。", "Trusted nodes: list them, --add one, --remove one."),
            discussion: say(
                "示例：tongqu record nodes --add 北京市交通委 --key beijing.pem",
                "Example: tongqu record nodes --add Beijing --key beijing.pem"
            )
        )
        @Option(help: ArgumentHelp(say("登记的节点名称", "the name of a node to add"))) var add: String?
        @Option(help: ArgumentHelp(say("它的公钥文件(PEM)", "its public key (PEM)"))) var key: String?
        @Option(help: ArgumentHelp(say("撤销的密钥指纹", "the fingerprint of a key to remove"))) var remove: String?
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.with { node, caller in
                if let add {
                    let text = try key.map { try String(contentsOf: URL(fileURLWithPath: $0), encoding: .utf8) } ?? ""
                    _ = try await node.kernel.gate.perform(node.flows.trust, (add, text), as: caller)
                }
                if let remove { try await node.kernel.gate.perform(node.flows.distrust, remove, as: caller) }
                let found = try await node.kernel.gate.perform(node.flows.trustedNodes, (), as: caller)
                for trusted in found.nodes { emit("\(trusted.fingerprint)\t\(trusted.name)") }
                emit(say("本节点 \(found.fingerprint)", "this node \(found.fingerprint)"))
                emit(Array(found.publicKey.utf8))
            }
        }
    }
}
