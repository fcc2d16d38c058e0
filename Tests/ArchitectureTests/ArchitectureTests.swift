import Foundation
import Testing

/// The shape of the source tree, checked by reading it.
@Suite struct ArchitectureTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What each module may import of this package's modules; `docs/architecture.md` shows the same table.
    static let allowed: [String: Set<String>] = {
        let floor1: Set = ["Basics", "Tabular", "CQL", "Check", "Codes", "Mask", "Seal"]
        let capability: Set = ["Basics", "Codes", "Tabular", "CQL", "Check", "Mask", "Kernel", "Lake", "Store"]
        return [
            "Basics": [], "Seal": ["Basics", "CLibcrypto"], "Codes": ["Basics"],
            "Tabular": ["Basics", "Codes", "CExpat", "CZip", "CZlib"], "Geo": ["Basics", "CGEOS"],
            "Tiles": ["Basics", "Geo"], "Harvest": ["Basics", "Tabular"], "Declare": ["Basics"],
            "CQL": ["Basics", "Codes", "Geo", "Mask", "Tabular"],
            "Check": ["Basics", "Codes", "Geo", "Tabular", "CQL", "Mask", "CPCRE2"],
            "Mask": ["Basics", "Codes", "Tabular"],
            "Connect": ["Basics", "Seal", "CODBC", "CPostgres", "CSSH2"], "Store": ["Basics", "Tabular"],
            "StorePostgres": ["Basics", "Tabular", "Store", "CPostgres"],
            "StoreSQLite": ["Basics", "Tabular", "Store"],
            "Kernel": floor1.union(["Store"]).subtracting(["Check"]),
            "Lake": floor1.union(["Geo", "Store", "Kernel", "Tiles", "CLZ4", "CMalloc"]),
            "Catalogue": capability.union(["Harvest", "Seal"]), "Collect": capability.union(["Connect"]),
            "Derive": capability,
            "Flow": capability.union(["Declare", "Seal", "CQREncode"]),
            "Open": capability,
            "FeedbackSystem": [],
            "Quality": capability, "Webhooks": capability.union(["Connect", "Seal"]),
            "Enforcement": ["Basics", "CQL", "Tabular", "Flow"],
            "Web": capability.union([
                "Geo", "Harvest", "Tiles", "Catalogue", "Collect", "Derive", "Flow", "Open", "Quality", "Webhooks",
                "CZlib",
                "CZstd",
            ])
            .subtracting(["Store"]),
            "Composition": capability.union([
                "Connect", "Catalogue", "Collect", "Declare", "Derive", "Enforcement", "FeedbackSystem", "Flow",
                "Harvest", "Open",
                "Quality", "Seal",
                "Web",
                "Webhooks",
                "StorePostgres",
                "StoreSQLite",
            ]),
            "tongqu": capability.union([
                "Connect", "Catalogue", "Collect", "Flow", "Open", "Quality", "Seal", "Web", "Webhooks", "Composition",
            ]),
            "TestKit": capability.union([
                "Catalogue", "Collect", "Open", "Quality", "Seal", "StorePostgres", "Web", "Webhooks", "Composition",
            ]),
        ]
    }()

    static var folders: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)) ?? []).sorted()
    }

    /// The systems that come with the program as modules, by their folders below `Systems`.
    static let systems = ["enforcement": "Enforcement", "feedback": "FeedbackSystem"]

    static func files(_ folder: String) -> [(name: String, text: String)] {
        let start = root.appending(path: folder)
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: start.path)) ?? []
        return names.filter { $0.hasSuffix(".swift") }.compactMap { name in
            (try? String(contentsOf: start.appending(path: name), encoding: .utf8)).map { ("\(folder)/\(name)", $0) }
        }
    }

    /// The modules a file imports, whatever stands before the word.
    static func imports(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").drop {
                $0.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains($0)
            }
            guard words.first == "import" else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "func", "protocol", "typealias", "var", "let"]
            return words.dropFirst().first { !kinds.contains($0) }.map { String($0.split(separator: ".")[0]) }
        }
    }

    @Test func everyImportGoesDownwards() throws {
        let modules = Set(Self.folders).union(Self.systems.values)
        #expect(modules.count > 15)
        for (folder, module) in Self.systems {
            let allowed = try #require(Self.allowed[module], "\(module) has no line in the table")
            for file in Self.files("Systems/\(folder)/Sources") {
                for name in Self.imports(file.text) where modules.contains(name) {
                    #expect(allowed.contains(name), "\(file.name) imports \(name)")
                }
            }
        }
        for module in Self.folders where !module.hasPrefix("C") || Self.allowed[module] != nil {
            let allowed = try #require(Self.allowed[module], "\(module) has no line in the table")
            for file in Self.files("Sources/\(module)") {
                for name in Self.imports(file.text) where modules.contains(name) {
                    #expect(allowed.contains(name), "\(file.name) imports \(name)")
                }
            }
        }
    }

    @Test func onlyTheCompositionKnowsAnEngine() {
        for module in Self.folders where module != "StoreSQLite" {
            for file in Self.files("Sources/\(module)") {
                let names = Self.imports(file.text)
                #expect(!names.contains("GRDB") && !names.contains("GRDBSQLite"), "\(file.name)")
                if !["Web", "tongqu", "TestKit"].contains(module) {
                    #expect(!names.contains("Hummingbird"), "\(file.name)")
                }
                if module != "Composition" {
                    #expect(!names.contains("StoreSQLite"), "\(file.name)")
                    #expect(module == "TestKit" || !names.contains("StorePostgres"), "\(file.name)")
                }
            }
        }
    }

    @Test func libraryCodeHasNoShortcuts() {
        let forbidden = [
            "try!", "as!", "fatalError(", "preconditionFailure(", "@unchecked Sendable", "DateFormatter",
            "String(format:", "print(",
        ]
        let libraries = Self.folders.filter { !["tongqu", "TestKit"].contains($0) }.map { "Sources/\($0)" }
        for folder in libraries + ["Systems"] {
            for file in Self.files(folder) {
                for line in file.text.split(separator: "\n") where !line.drop(while: { $0 == " " }).hasPrefix("//") {
                    for word in forbidden where line.contains(word) { Issue.record("\(file.name): \(line)") }
                }
            }
        }
    }

    @Test func packageAndFoldersAgree() throws {
        let manifest = try String(contentsOf: Self.root.appending(path: "Package.swift"), encoding: .utf8)
        for folder in Self.folders { #expect(manifest.contains("\"\(folder)\""), "\(folder) is not in Package.swift") }
        // Each system with Swift of its own is a module in that folder.
        let systems = try FileManager.default.contentsOfDirectory(
            atPath: Self.root.appending(path: "Systems").path
        ).filter { !Self.files("Systems/\($0)/Sources").isEmpty }
        #expect(Set(systems) == Set(Self.systems.keys))
        for (folder, module) in Self.systems {
            #expect(manifest.contains("path: \"Systems/\(folder)") && manifest.contains("\"\(module)\""))
        }
    }

    @Test func sqlStaysWithTheOwnersOfTables() {
        for module in ["Web", "tongqu", "Check", "Tabular", "CQL", "Mask", "Codes"] {
            for file in Self.files("Sources/\(module)") {
                #expect(!file.text.contains("INSERT INTO") && !file.text.contains("SELECT * FROM"), "\(file.name)")
            }
        }
    }

    @Test func theTableInTheDocumentationIsThisOne() throws {
        let text = try String(contentsOf: Self.root.appending(path: "docs/architecture.md"), encoding: .utf8)
        for (module, allowed) in Self.allowed where module != "TestKit" && module != "tongqu" {
            let line = text.split(separator: "\n").first { $0.hasPrefix("| `\(module)` ") }
            let found = try #require(line, "\(module) is not in docs/architecture.md")
            for name in allowed where !name.hasPrefix("C") || Self.allowed[name] != nil {
                #expect(found.contains(name), "docs/architecture.md: \(module) may import \(name)")
            }
        }
    }
}
