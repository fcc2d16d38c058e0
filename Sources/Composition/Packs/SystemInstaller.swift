import Basics
import Catalogue
import Flow
public import Foundation
public import Kernel
import Lake
import Tabular
import Web

extension PackInstaller {
    /// Puts a system into a node, or brings it up to date; nothing happens where the node has this very declaration.
    ///
    /// - Throws: `pack.claimed`, `pack.version`, `pack.migration`, and what the entries are refused for.
    mutating func install(system pack: Pack, provider: String? = nil) async throws {
        let systems = node.services.flows.systems
        let body = PackBody(pack: pack.body.without(Pack.contentKeys), files: pack.files)
        guard try await systems.digest(of: pack.id) != body.digest else { return }
        let old = try await systems.last(of: pack.id)
        if let old, old.version > pack.declaration.version {
            throw Problem(
                "pack.version",
                status: 409,
                zh: "节点上的“\(pack.title.zh)”是第 \(old.version) 版，高于要安装的第 \(pack.declaration.version) 版。",
                en:
                    "The node has version \(old.version) of “\(pack.title.en)”, above the version \(pack.declaration.version) that was given."
            )
        }
        for role in pack.declaration.roles {
            guard
                let other = try await systems.all().first(where: { system in
                    system.id != pack.id && system.declaration.roles.contains { $0.key == role.key }
                })
            else { continue }
            throw Problem(
                "pack.claimed",
                status: 409,
                zh: "角色“\(role.key)”已由系统包“\(other.id)”声明。",
                en: "The role “\(role.key)” is declared by the pack “\(other.id)” already."
            )
        }
        let claimed = try await systems.claimed()
        for resource in pack.declaration.resources {
            guard let other = claimed[resource.key], other.system != pack.id else { continue }
            throw Problem(
                "pack.claimed",
                status: 409,
                zh: "资源“\(resource.key)”已由系统包“\(other.system)”声明。",
                en: "The resource “\(resource.key)” is declared by the pack “\(other.system)” already.",
                details: ["resource": resource.key, "pack": other.system]
            )
        }
        if let old { try SystemUpgrade.check(from: old, to: pack.declaration) }
        let owner = try self.provider(pack, provider)
        var resources: [(key: String, resource: Resource)] = []
        for declared in pack.declaration.resources {
            if let known = claimed[declared.key] {
                resources.append((declared.key, try await node.kernel.resource(known.code)))
            } else {
                let made = try await entry(declared, pack, owner)
                try await systems.claim(declared.key, made, for: pack.id)
                resources.append((declared.key, made))
            }
            // Rows come before the system is in place: an installation that stopped goes on with them.
            if old?.resource(declared.key) == nil, let made = resources.last?.resource {
                try await load(declared, made, pack)
            }
        }
        if let old {
            for change in SystemUpgrade.changes(from: old, to: pack.declaration) {
                guard let resource = resources.first(where: { $0.key == change.resource })?.resource else { continue }
                try await node.services.flows.migrate(resource, change)
            }
        }
        for index in resources.indices {
            guard let declared = pack.declaration.resource(resources[index].key) else { continue }
            resources[index].resource.schema = declared.schema
            resources[index].resource.name = declared.name
        }
        _ = try await gate.perform(node.services.flows.installed, (body, resources), as: machine)
    }

    /// Who provides the system's resources: who the demonstration says, else the node's own organisation.
    private func provider(_ pack: Pack, _ key: String?) throws -> OrganisationID {
        if let key, let known = organisations[key] { return known }
        guard let root = gate.organisations.all.keys.min(by: { $0.raw < $1.raw }) else {
            throw Problem.notFound(.init("机构", "the organisation"))
        }
        return root
    }

    private func entry(_ declared: ResourceDeclaration, _ pack: Pack, _ owner: OrganisationID) async throws -> Resource
    {
        let item = pack.resources.first { $0["key"]?.string == declared.key }
        let content = EntryContent(
            name: declared.name,
            category: declared.category.isEmpty ? "301099" : declared.category,
            provider: declared.provider.isEmpty ? owner : organisations[declared.provider] ?? owner,
            department: declared.department,
            summary: declared.summary.isEmpty ? pack.title.zh + "：" + declared.name : declared.summary,
            keywords: declared.keywords,
            formatClass: .spreadsheet,
            formatType: "csv",
            frequency: UpdateFrequency(rawValue: declared.frequency) ?? .irregular,
            level: gate.organisations[owner]?.level ?? .province,
            schema: declared.schema,
            items: declared.schema.fields.map { policy($0, item?["sharing"]?[$0.name]) }
        )
        return try await gate.perform(
            node.services.catalogue.create,
            (content, declared.isOfRecords ? .records : .lake),
            as: machine
        ).resource
    }

    /// The rows that come with a resource.
    private func load(_ declared: ResourceDeclaration, _ resource: Resource, _ pack: Pack) async throws {
        let item = pack.resources.first { $0["key"]?.string == declared.key }
        for load in item?["data"]?.array ?? [] {
            let file = load["file"]?.string ?? ""
            let input = LakeActions.LoadInput(
                code: resource.code,
                path: pack.folder.appendingPathComponent(file).path,
                source: URL(fileURLWithPath: file).lastPathComponent,
                mode: load["mode"]?.string.flatMap(LoadMode.init(rawValue:)) ?? .replace,
                encoding: .utf8,
                header: .line(1)
            )
            _ = try await gate.perform(node.services.lake.run, (input, nil, { _, _ in }), as: machine)
        }
    }
}

extension Pack {
    /// What is content, and no part of the system that is kept.
    static let contentKeys: Set<String> = [
        "organisations", "accounts", "sources", "feedback", "demonstration", "trees",
    ]
}

extension JSONValue {
    func without(_ names: Set<String>) -> JSONValue {
        guard let members else { return self }
        return .object(members.filter { !names.contains($0.name) })
    }
}

/// The systems of a node's folders of packs.
public enum SystemPacks {
    /// What the node's systems declare, for reading others.
    public static func surroundings(_ node: Node, except id: String? = nil) async throws -> Pack.Surroundings {
        var surroundings = Pack.Surroundings()
        for system in try await node.services.flows.systems.all() where system.id != id {
            surroundings.roles.formUnion(system.declaration.roles.map(\.key))
            for resource in system.declaration.resources { surroundings.resources[resource.key] = resource }
            surroundings.packs.insert(system.id)
        }
        return surroundings
    }

    /// Installs the packs of a folder, or brings them up to date, as whoever works on the node's own machine. Those that cannot be used or
    /// are refused keep no others out; what is wrong with them is told beside those that are in place.
    ///
    /// - Throws: what the pack is refused for where the folder is one pack; `pack.none`, `pack.busy`.
    public static func install(
        _ node: Node,
        from folder: URL
    ) async throws -> (packs: [Pack], refused: [Pack.Refused]) {
        let machine = try await machine(node)
        let isOne = FileManager.default.fileExists(atPath: folder.appendingPathComponent("pack.yaml").path)
        return try await node.services.flows.systems.installing {
            let known = try await surroundings(node)
            guard !isOne else {
                let pack = try Pack(folder, in: known)
                if let id = pack.requires.first(where: { !known.packs.contains($0) }) {
                    throw Problem(
                        "pack.requires",
                        status: 422,
                        zh: "“\(pack.id)”所需的系统包“\(id)”不存在。",
                        en: "The pack “\(id)” that “\(pack.id)” requires is missing."
                    )
                }
                try await install(pack, node, machine)
                return ([pack], [])
            }
            var (packs, refused) = try Pack.usable(in: folder, known)
            var failed: Set<String> = []
            for pack in packs {
                do {
                    if let id = pack.requires.first(where: failed.contains) {
                        throw Problem(
                            "pack.requires",
                            status: 422,
                            zh: "“\(pack.id)”所需的系统包“\(id)”未能安装。",
                            en: "The pack “\(id)” that “\(pack.id)” requires was refused."
                        )
                    }
                    try await install(pack, node, machine)
                } catch let problem as Problem where !problem.code.hasPrefix("store.") {
                    failed.insert(pack.id)
                    refused.append(Pack.Refused(folder: pack.folder.lastPathComponent, problem: problem))
                }
            }
            packs.removeAll { failed.contains($0.id) }
            return (packs, refused)
        }
    }

    private static func install(_ pack: Pack, _ node: Node, _ machine: Caller) async throws {
        guard pack.isSystem, !BundledPacks.has(pack.id) else { return }
        var installer = PackInstaller(node, machine: machine, password: "")
        try await installer.install(system: pack)
    }

    public static func machine(_ node: Node) async throws -> Caller {
        guard let principal = try await node.kernel.accounts.find(login: Principal.commandLine) else {
            throw Problem.notFound(.init("本机账号", "the machine's account"))
        }
        return Caller(principal: principal, trace: "packs")
    }
}
