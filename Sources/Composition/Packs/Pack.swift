public import Basics
import Catalogue
import Collect
import Declare
public import Flow
public import Foundation
public import Kernel
import Lake
import Open
import Tabular

/// A folder that declares content or a system for a node (`pack.yaml`, `documents/`, `data/`).
public struct Pack: Sendable {
    public var id: String
    public var title: LocalizedText
    /// The packs that must be there before this one.
    public var requires: [String]
    public var folder: URL
    let body: JSONValue
    public let declaration: SystemDeclaration
    /// The texts of its templates.
    let files: [String: String]

    /// How far a resource goes along its path.
    enum Stage: String, CaseIterable {
        case draft, returned, department, authority, published, secrecy, opening, open
    }

    /// What packs that are there already declare.
    public struct Surroundings: Sendable {
        public var roles: Set<String>
        public var resources: [String: ResourceDeclaration]
        public var packs: Set<String>

        public init(
            roles: Set<String> = Set(Role.builtIn.map(\.rawValue)),
            resources: [String: ResourceDeclaration] = [:],
            packs: Set<String> = []
        ) {
            self.roles = roles
            self.resources = resources
            self.packs = packs
        }

        mutating func add(_ declaration: SystemDeclaration) {
            roles.formUnion(declaration.roles.map(\.key))
            for resource in declaration.resources { resources[resource.key] = resource }
            packs.insert(declaration.id)
        }
    }

    /// A pack's file that was read but not understood yet.
    private struct Source {
        var folder: URL
        var value: DeclaredValue
        var id: String
        var requires: [String]

        init(_ folder: URL) throws {
            let file = folder.appendingPathComponent("pack.yaml")
            guard let text = try? String(contentsOf: file, encoding: .utf8) else {
                throw Problem(
                    "pack.missing",
                    status: 404,
                    zh: "目录中没有 pack.yaml。",
                    en: "There is no pack.yaml in the folder.",
                    details: ["folder": folder.path]
                )
            }
            try self.init(text, folder)
        }

        init(_ text: String, _ folder: URL) throws {
            self.folder = folder
            do { value = try DeclaredValue(yaml: text) } catch {
                throw error.named("\(folder.lastPathComponent)/pack.yaml")
            }
            let place = Declaration(value, mistakes: Declaration.Mistakes())
            id = place.text("pack")
            requires = place.texts("requires").map(\.text)
        }
    }

    /// Reads a pack's declaration.
    ///
    /// - Throws: `pack.invalid`, naming every place that is not right; `pack.missing`.
    public init(_ folder: URL, in surroundings: Surroundings = Surroundings()) throws {
        try self.init(Source(folder), surroundings)
    }

    /// A pack that comes with the program: its declaration alone, without files.
    init(bundled text: String, _ id: String, in surroundings: Surroundings) throws {
        try self.init(Source(text, URL(fileURLWithPath: "/bundled/\(id)")), surroundings)
    }

    /// What a node keeps of a pack that comes with the program.
    static func body(bundled text: String, _ id: String) throws -> PackBody {
        let source = try Source(text, URL(fileURLWithPath: "/bundled/\(id)"))
        return PackBody(pack: source.value.json.without(contentKeys), files: [:])
    }

    private init(_ source: Source, _ surroundings: Surroundings) throws {
        try BundledSystems.add()
        folder = source.folder
        let mistakes = Declaration.Mistakes()
        let place = Declaration(source.value, mistakes: mistakes)
        let base = source.folder
        let files: @Sendable (String) -> String? = { Pack.text($0, in: base) }
        declaration = SystemDeclaration.read(
            place,
            files: files,
            roles: surroundings.roles,
            others: surroundings.resources
        )
        body = source.value.json
        id = declaration.id
        title = declaration.title
        requires = declaration.requires
        self.files = Dictionary(
            place.list("resources").flatMap { $0.list("documents") }.map { $0.text("template") }.map {
                ($0, files($0) ?? "")
            },
            uniquingKeysWith: { first, _ in first }
        )
        for resource in place.list("resources") {
            let stage = resource.text("stage")
            if !stage.isEmpty, Stage(rawValue: stage) == nil {
                resource.at("stage")?.unknown(.init("阶段", "stage"), stage, among: Stage.allCases.map(\.rawValue))
            }
        }
        DemonstrationRecords.check(place, declaration, surroundings.resources)
        guard mistakes.all.isEmpty else {
            throw Declaration.invalid(mistakes.all, file: "\(folder.lastPathComponent)/pack.yaml")
        }
    }

    /// The packs that the pack in a folder requires.
    static func required(by folder: URL) throws -> [String] { try Source(folder).requires }

    /// The text of a file below a pack's folder; nil for what is not there or leads out of it. Rows are not read, only seen.
    private static func text(_ name: String, in folder: URL) -> String? {
        let url = folder.appendingPathComponent(name).standardizedFileURL.resolvingSymlinksInPath()
        let base = folder.standardizedFileURL.resolvingSymlinksInPath().path + "/"
        guard !name.isEmpty, url.path.hasPrefix(base), FileManager.default.fileExists(atPath: url.path) else {
            return nil
        }
        guard name.hasSuffix(".html") else { return "" }
        return try? String(contentsOf: url, encoding: .utf8)
    }

    /// Whether it is a system: something people work with, beside content.
    public var isSystem: Bool {
        !declaration.roles.isEmpty || declaration.resources.contains { $0.flow != nil || !$0.grants.isEmpty }
    }

    /// What of a system's pack goes in only where it is the demonstration of an empty node: other nodes take what it declares and nothing else.
    public var ignored: [String] {
        guard isSystem else { return [] }
        return (body.members ?? []).map(\.name).filter { Self.contentKeys.contains($0) }
    }

    static func invalid(_ file: URL, _ place: String, _ zh: String, _ en: String) -> Problem {
        Problem(
            "pack.invalid",
            status: 422,
            zh: "内容包有误：\(zh)。",
            en: "The pack is not right: \(en).",
            details: ["file": file.path, "place": place]
        )
    }

    var resources: [JSONValue] { body["resources"]?.array ?? [] }

    /// A pack of a folder that cannot be used.
    public struct Refused: Sendable {
        /// The name of its folder.
        public var folder: String
        public var problem: Problem
    }

    /// The packs of a folder that are right, each after those it requires, and those that are not: one that is faulty keeps no other out
    /// that does not require it.
    ///
    /// - Throws: `pack.none`.
    static func usable(in folder: URL, _ surroundings: Surroundings) throws -> (packs: [Pack], refused: [Refused]) {
        var (surroundings, packs, refused) = (surroundings, [Pack](), [Refused]())
        var waiting: [Source] = []
        for place in try places(in: [folder]) {
            do { waiting.append(try Source(place)) } catch let problem as Problem {
                refused.append(Refused(folder: place.lastPathComponent, problem: problem))
            }
        }
        while let index = waiting.firstIndex(where: { $0.requires.allSatisfy(surroundings.packs.contains) }) {
            let source = waiting.remove(at: index)
            do {
                let pack = try Pack(source, surroundings)
                surroundings.add(pack.declaration)
                packs.append(pack)
            } catch let problem as Problem {
                refused.append(Refused(folder: source.folder.lastPathComponent, problem: problem))
            }
        }
        for source in waiting {
            let missing = source.requires.filter { !surroundings.packs.contains($0) }.joined(separator: ", ")
            let problem = Problem(
                "pack.requires",
                status: 422,
                zh: "“\(source.id)”所需的系统包“\(missing)”不存在、有误或互相依赖。",
                en: "What the pack “\(source.id)” requires is missing, faulty or requires it: \(missing)."
            )
            refused.append(Refused(folder: source.folder.lastPathComponent, problem: problem))
        }
        return (packs, refused)
    }

    /// The folders in some folders that hold a pack.
    private static func places(in folders: [URL]) throws -> [URL] {
        let places = folders.flatMap { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted().map {
                folder.appendingPathComponent($0)
            }
        }.filter { FileManager.default.fileExists(atPath: $0.appendingPathComponent("pack.yaml").path) }
        guard !places.isEmpty else {
            throw Problem(
                "pack.none",
                status: 404,
                zh: "目录中没有内容包。",
                en: "There are no packs in the folder.",
                details: ["folder": folders.map(\.path).joined(separator: ":")],
                hint: .init("请设置 TONGQU_PACKS。", "Set TONGQU_PACKS.")
            )
        }
        return places
    }

    /// The packs of some folders, each after those it requires.
    ///
    /// - Throws: `pack.invalid`, `pack.requires`.
    public static func all(in folders: [URL], _ surroundings: Surroundings = Surroundings()) throws -> [Pack] {
        var surroundings = surroundings
        var waiting = try places(in: folders).map { try Source($0) }
        var ordered: [Pack] = []
        while !waiting.isEmpty {
            let known = surroundings.packs
            guard let index = waiting.firstIndex(where: { $0.requires.allSatisfy(known.contains) }) else {
                throw Problem(
                    "pack.requires",
                    status: 422,
                    zh: "内容包所需的其他包不存在或互相依赖。",
                    en: "The packs that packs require are missing, or require each other.",
                    details: ["packs": waiting.map(\.id).joined(separator: ", ")]
                )
            }
            let pack = try Pack(waiting.remove(at: index), surroundings)
            surroundings.add(pack.declaration)
            ordered.append(pack)
        }
        try check(ordered)
        return ordered
    }

    /// What can be known to be wrong before anything goes in: names that stand for nothing, or for two things.
    private static func check(_ packs: [Pack]) throws {
        let roles = Set(Role.builtIn.map(\.rawValue)).union(packs.flatMap { $0.declaration.roles.map(\.key) })
        var organisations: Set<String> = []
        var logins: Set<String> = []
        var resources: Set<String> = []
        for pack in packs {
            let file = pack.folder.appendingPathComponent("pack.yaml")
            func must(_ holds: Bool, _ place: String, _ zh: String, _ en: String) throws {
                if !holds { throw invalid(file, place, zh, en) }
            }
            for item in pack.body["organisations"]?.array ?? [] {
                let key = item["key"]?.string ?? ""
                let place = "organisations.\(key)"
                try must(
                    !key.isEmpty && organisations.insert(key).inserted,
                    place,
                    "机构的 key 缺失或重复",
                    "the key is missing or repeated"
                )
                let parent = item["parent"]?.string
                try must(
                    parent.map { organisations.contains($0) && $0 != key } ?? true,
                    place,
                    "上级机构不在其前",
                    "the parent does not stand before it"
                )
                try must((item["name"]?.string ?? "").count > 1, place, "名称过短", "the name is too short")
            }
            for item in pack.body["accounts"]?.array ?? [] {
                let login = item["login"]?.string ?? ""
                let place = "accounts.\(login)"
                try must(
                    !login.isEmpty && logins.insert(login).inserted,
                    place,
                    "账号缺失或重复",
                    "the login is missing or repeated"
                )
                try must(
                    organisations.contains(item["organisation"]?.string ?? ""),
                    place,
                    "机构不存在",
                    "the organisation is not there"
                )
                for role in Pack.roles(item) {
                    try must(roles.contains(role), place, "角色不存在", "the role is unknown")
                }
            }
            for item in pack.resources {
                let key = item["key"]?.string ?? ""
                let place = "resources.\(key)"
                try must(
                    !key.isEmpty && resources.insert(key).inserted,
                    place,
                    "资源的 key 缺失或重复",
                    "the key is missing or repeated"
                )
                try must(
                    pack.isSystem && item["provider"] == nil || organisations.contains(item["provider"]?.string ?? ""),
                    place,
                    "提供方不存在",
                    "the provider is not there"
                )
                for role in ["author", "reviewer", "authority"] {
                    try must(
                        item[role]?.string.map(logins.contains) ?? true,
                        "\(place).\(role)",
                        "账号不存在",
                        "the account is not there"
                    )
                }
            }
            for item in pack.body["sources"]?.array ?? [] {
                let place = "sources.\(item["name"]?.string ?? "?")"
                try must(
                    resources.contains(item["resource"]?.string ?? ""),
                    place,
                    "资源不存在",
                    "the resource is not there"
                )
                do { _ = try Sources.Change(json: item) } catch {
                    throw invalid(file, place, error.message.zh, error.message.en)
                }
            }
        }
    }

    /// The roles of an account.
    static func roles(_ account: JSONValue) -> [String] {
        (account["roles"]?.array ?? [account["role"]].compactMap(\.self)).compactMap(\.string)
    }
}

extension Problem {
    /// The same with a file's name in the place of the plain one.
    fileprivate func named(_ file: String) -> Problem {
        var problem = self
        problem.message = LocalizedText(
            message.zh.replacing("\npack.yaml:", with: "\n\(file):"),
            message.en.replacing("\npack.yaml:", with: "\n\(file):")
        )
        return problem
    }
}
