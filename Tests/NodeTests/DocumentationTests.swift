import Foundation
import Kernel
import Testing

@testable import Web

/// What the program knows and what the documentation says are the same.
@Suite struct DocumentationTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func document(_ name: String) throws -> String {
        try String(contentsOf: root.appending(path: "docs/\(name)"), encoding: .utf8)
    }

    static func sources() -> [String] {
        let start = root.appending(path: "Sources")
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: start.path)) ?? []
        return names.filter { $0.hasSuffix(".swift") && !$0.hasPrefix("TestKit") }.compactMap {
            try? String(contentsOf: start.appending(path: $0), encoding: .utf8)
        }
    }

    @Test func everyActionAndPermissionIsDocumented() throws {
        let text = try Self.document("actions.md")
        for action in Services.descriptors { #expect(text.contains("`\(action.name)`"), "\(action.name)") }
        for permission in Permission.allCases {
            #expect(text.contains("`\(permission.rawValue)`"), "\(permission.rawValue)")
        }
        for role in Role.builtIn { #expect(text.contains("`\(role.rawValue)`"), "\(role.rawValue)") }
    }

    @Test func everyErrorCodeIsDocumented() throws {
        let text = try Self.document("errors.md")
        var codes: Set<String> = []
        for source in Self.sources() {
            for match in source.matches(of: /Problem\(\s*"([a-z_]+\.?[a-z_]*)"/) {
                codes.insert(String(match.output.1))
            }
        }
        #expect(codes.count > 60)
        for code in codes.sorted() { #expect(text.contains("`\(code)`"), "\(code)") }
    }

    @Test func everySettingIsDocumented() throws {
        let text = try Self.document("configuration.md")
        var keys: Set<String> = []
        for source in Self.sources() {
            for match in source.matches(of: /reader\.[a-z]+\(forKey: "([a-z.]+)"/) {
                keys.insert(String(match.output.1))
            }
        }
        #expect(keys.count >= 8)
        for key in keys { #expect(text.contains("`TONGQU_\(key.uppercased().replacing(".", with: "_"))`"), "\(key)") }
    }

    @Test func everyEvidenceEventIsDocumented() throws {
        let text = try Self.document("evidence.md")
        for action in Services.descriptors where action.trail != .view {
            #expect(text.contains("`\(action.name)`"), "\(action.name)")
        }
        #expect(text.contains("`data.public_reads`"))
    }

    @Test func bothReadmesNameTheTwoCommands() throws {
        for name in ["README.md", "README.zh-CN.md"] {
            let text = try String(contentsOf: Self.root.appending(path: name), encoding: .utf8)
            #expect(text.contains("./run") && text.contains("./test"))
        }
    }
}
