public import Basics
import Catalogue
import Collect
public import Foundation
import Kernel
import Lake
import Open
import Tabular
import Yams

/// A folder that declares content for a node: organisations, accounts, standards, resources with their rows (`pack.yaml`, `data/`).
public struct Pack: Sendable {
    public var id: String
    public var title: LocalizedText
    /// The packs that must be there before this one.
    public var requires: [String]
    public var folder: URL
    let body: JSONValue

    /// How far a resource goes along its path.
    enum Stage: String, CaseIterable {
        case draft, returned, department, authority, published, secrecy, opening, open
    }

    static let keys: Set<String> = [
        "pack", "title", "description", "requires", "organisations", "accounts", "elements", "code_lists", "trees",
        "resources", "sources", "feedback",
    ]
    static let resourceKeys: Set<String> = [
        "key", "name", "category", "provider", "department", "author", "reviewer", "authority", "summary", "keywords",
        "frequency", "format", "storage", "schema", "sharing", "data", "stage", "note",
    ]

    /// Reads a pack's declaration.
    ///
    /// - Throws: `pack.invalid`, naming the file and the place in it.
    public init(_ folder: URL) throws {
        self.folder = folder
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
        do {
            guard let node = try Yams.compose(yaml: text) else {
                throw Pack.invalid(file, "", "文件是空的", "the file is empty")
            }
            body = Pack.value(node)
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Pack.invalid(
                file,
                String(describing: error).prefix(300).description,
                "不是有效的 YAML",
                "it is not valid YAML"
            )
        }
        guard let id = body["pack"]?.string, !id.isEmpty else {
            throw Pack.invalid(file, "pack", "缺少 pack", "`pack` is missing")
        }
        self.id = id
        let title = body["title"]
        self.title = LocalizedText(title?["zh"]?.string ?? id, title?["en"]?.string ?? id)
        requires = (body["requires"]?.array ?? []).compactMap(\.string)
        for member in body.members ?? [] where !Pack.keys.contains(member.name) {
            throw Pack.invalid(file, member.name, "不认识的键", "an unknown key")
        }
        for resource in resources {
            let place = "resources.\(resource["key"]?.string ?? resource["name"]?.string ?? "?")"
            for member in resource.members ?? [] where !Pack.resourceKeys.contains(member.name) {
                throw Pack.invalid(file, "\(place).\(member.name)", "不认识的键", "an unknown key")
            }
            let stage = resource["stage"]?.string ?? "draft"
            guard Stage(rawValue: stage) != nil else {
                throw Pack.invalid(file, "\(place).stage", "不认识的阶段", "an unknown stage")
            }
            guard let schema = resource["schema"] else {
                throw Pack.invalid(file, "\(place).schema", "缺少 schema", "`schema` is missing")
            }
            do { _ = try TableSchema.read(schema) } catch {
                throw Pack.invalid(file, "\(place).schema: \(error.message.en)", error.message.zh, error.message.en)
            }
            for load in resource["data"]?.array ?? [] {
                let name = load["file"]?.string ?? ""
                guard FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path) else {
                    throw Pack.invalid(file, "\(place).data: \(name)", "数据文件不存在", "the data file is not there")
                }
            }
        }
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

    /// The packs of a folder, each after those it requires.
    ///
    /// - Throws: `pack.invalid`, `pack.requires`.
    public static func all(in folder: URL) throws -> [Pack] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
        var waiting = try names.map { folder.appendingPathComponent($0) }.filter {
            FileManager.default.fileExists(atPath: $0.appendingPathComponent("pack.yaml").path)
        }.map { try Pack($0) }
        guard !waiting.isEmpty else {
            throw Problem(
                "pack.none",
                status: 404,
                zh: "目录中没有内容包。",
                en: "There are no packs in the folder.",
                details: ["folder": folder.path],
                hint: .init("请设置 TONGQU_PACKS。", "Set TONGQU_PACKS.")
            )
        }
        var ordered: [Pack] = []
        while !waiting.isEmpty {
            let known = Set(ordered.map(\.id))
            guard let index = waiting.firstIndex(where: { $0.requires.allSatisfy(known.contains) }) else {
                throw Problem(
                    "pack.requires",
                    status: 422,
                    zh: "内容包所需的其他包不存在或互相依赖。",
                    en: "The packs that packs require are missing, or require each other.",
                    details: ["packs": waiting.map(\.id).joined(separator: ", ")]
                )
            }
            ordered.append(waiting.remove(at: index))
        }
        try check(ordered)
        return ordered
    }

    /// What can be known to be wrong before anything goes in: names that stand for nothing, or for two things.
    private static func check(_ packs: [Pack]) throws {
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
                try must(
                    item["role"].map { $0.string.flatMap(Role.init(rawValue:)) != nil } ?? true,
                    place,
                    "角色不存在",
                    "the role is unknown"
                )
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
                    organisations.contains(item["provider"]?.string ?? ""),
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

    /// YAML as JSON: plain numbers and truths as such, everything quoted as text.
    static func value(_ node: Yams.Node) -> JSONValue {
        switch node {
        case .mapping(let mapping):
            return .object(mapping.map { .init($0.key.string ?? "", value($0.value)) })
        case .sequence(let sequence): return .array(sequence.map(value))
        case .scalar(let scalar):
            guard scalar.style == .plain else { return .string(scalar.string) }
            if let number = Int64(scalar.string) { return .integer(number) }
            if let number = Double(scalar.string), scalar.string.contains(where: \.isNumber) { return .real(number) }
            switch scalar.string {
            case "true": return .boolean(true)
            case "false": return .boolean(false)
            case "", "null", "~": return .null
            default: return .string(scalar.string)
            }
        default: return .null
        }
    }
}
