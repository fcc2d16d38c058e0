import ArgumentParser
import Basics
import Composition
import Foundation
import Glibc
import Kernel
import Tabular

/// The `tongqu` command.
@main
struct Tongqu: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tongqu",
        abstract: say("通衢：交通运输主管部门的数据中心，一个程序。", "Tongqu: the data centre of a transport authority in one program."),
        discussion: say(
            """
            示例：
              tongqu describe 卡口.csv                              推断数据结构
              tongqu check 车辆.csv --schema schema.json            按规则检查
              tongqu serve --data ./data --port 8080                启动节点
            退出码：0 成功；1 检查或验证发现问题；2 输入有误或被拒绝；64 用法错误。
            """,
            """
            Examples:
              tongqu describe checkpoints.csv                       infer a schema
              tongqu check vehicles.csv --schema schema.json        check against rules
              tongqu serve --data ./data --port 8080                start a node
            Exit codes: 0 success; 1 a check or verification found something; 2 bad input or refusal; 64 usage.
            """
        ),
        version: Version.text,
        subcommands: [
            StoreCommand.self,
            Serve.self, Describe.self, Check.self, Load.self, Export.self, CatalogueCommand.self, SourceCommand.self,
            StandardsCommand.self, Evidence.self,
            BackupCommand.self, PackCommand.self, RecordCommand.self,
            ExpressionCommand.self,
            Doctor.self, User.self, VersionCommand.self,
        ]
    )
}

/// The program's version.
enum Version {
    static let text = "0.10.0"
}

/// The language of this process: `TONGQU_LANG`, else `LC_ALL`, else `LANG`.
let language = Language(
    locale: ["TONGQU_LANG", "LC_ALL", "LANG"].lazy.compactMap { ProcessInfo.processInfo.environment[$0] }.first {
        !$0.isEmpty
    }
)

/// A text in the language of this process.
func say(_ zh: String, _ en: String) -> String { language == .zh ? zh : en }

/// Writes a line for people to standard error.
func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// Writes bytes to standard output.
func emit(_ bytes: [UInt8]) {
    do {
        try put(bytes, to: FileHandle.standardOutput)
    } catch {
        tell(say("无法写出结果。", "The result cannot be written."))
        exit(2)
    }
}

/// Writes bytes, or says that there is no room.
func put(_ bytes: [UInt8], to handle: FileHandle) throws {
    do {
        try handle.write(contentsOf: Data(bytes))
    } catch {
        throw FileSource.unwritable()
    }
}

func emit(_ text: String) { emit(Array((text + "\n").utf8)) }

/// Runs a command's work; a problem is printed and ends it with 2.
func carry(_ body: () async throws -> Void) async throws {
    do {
        try BundledSystems.add()
        try await body()
    } catch let problem as Problem {
        tell(problem.text(language))
        for (name, value) in problem.details.sorted(by: { $0.key < $1.key }) { tell("  \(name): \(value)") }
        throw ExitCode(2)
    } catch let error as CocoaError {
        tell(say("文件操作失败：\(error.localizedDescription)", "A file operation failed: \(error.localizedDescription)"))
        throw ExitCode(2)
    }
}

/// Shows how far long work got, on a terminal only.
struct Progress {
    let isShown = isatty(2) == 1
    private var last = ContinuousClock.now

    mutating func show(_ text: @autoclosure () -> String) {
        guard isShown, ContinuousClock.now - last > .milliseconds(200) else { return }
        last = .now
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text())".utf8))
    }

    func end() { if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) } }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: say("显示版本。", "Show the version."))

    func run() { emit("tongqu \(Version.text)") }
}
