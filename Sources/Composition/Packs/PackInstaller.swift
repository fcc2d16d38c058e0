import Web
import Codes
import Basics
import Collect
import Catalogue
import Foundation
import Flow
import Kernel
import Lake
import Open
import Tabular

/// Puts packs into a node by the same actions as anybody's work, so that their evidence is real.
struct PackInstaller {
    let node: Node
    /// The account of the machine: it makes organisations and accounts.
    let machine: Caller
    let password: String
    var organisations: [String: OrganisationID] = [:]
    private var codes: [String: String] = [:]
    private var waiting: [(id: PrincipalID, roles: [String])] = []

    init(_ node: Node, machine: Caller, password: String) {
        self.node = node
        self.machine = machine
        self.password = password
    }

    var gate: Gate { node.kernel.gate }

    mutating func install(_ packs: [Pack]) async throws {
        for pack in packs { try await addPeople(pack.body) }
        for pack in packs { try await addStandards(of: pack) }
        for pack in packs {
            if BundledPacks.has(pack.id) { continue }
            if pack.isSystem {
                try await install(system: pack, provider: pack.body["demonstration"]?["provider"]?.string)
                let gate = gate
                for (id, roles) in waiting where roles.allSatisfy({ (try? gate.role(named: $0)) != nil }) {
                    let found = Set(try roles.map { try gate.role(named: $0) })
                    try await gate.perform(node.kernel.administration.setRoles, (id, found), as: machine)
                }
                waiting.removeAll { $0.roles.allSatisfy { (try? gate.role(named: $0)) != nil } }
                try await DemonstrationRecords.install(pack, &self)
                continue
            }
            for resource in pack.resources { try await add(resource, of: pack) }
        }
        for pack in packs {
            try await addSources(of: pack)
            try await addFeedback(of: pack)
        }
    }

    // MARK: People

    mutating func addPeople(_ body: JSONValue) async throws {
        for item in body["organisations"]?.array ?? [] {
            let key = item["key"]?.string ?? ""
            organisations[key] = try await gate.perform(
                node.kernel.administration.createOrganisation,
                Organisation(
                    id: OrganisationID(0),
                    name: item["name"]?.string ?? key,
                    creditCode: item["credit_code"]?.string ?? "",
                    parent: item["parent"]?.string.flatMap { organisations[$0] },
                    division: item["division"]?.string ?? "",
                    level: item["level"]?.string.flatMap(Organisation.Level.init(rawValue:)) ?? .province
                ),
                as: machine
            )
        }
        for item in body["accounts"]?.array ?? [] {
            let home = item["organisation"]?.string ?? ""
            guard let login = item["login"]?.string, let organisation = organisations[home] else {
                throw Problem(
                    "pack.invalid",
                    status: 422,
                    zh: "账号“\(item["login"]?.string ?? "?")”的机构不存在。",
                    en: "The organisation of the account “\(item["login"]?.string ?? "?")” is not there."
                )
            }
            let account = Administration.NewAccount(
                login: login,
                name: item["name"]?.string ?? login,
                organisation: organisation,
                password: password,
                isLasting: true
            )
            let id = try await gate.perform(node.kernel.administration.createAccount, account, as: machine)
            let named = Pack.roles(item)
            // Roles that packs declare are there when the pack is.
            if named.contains(where: { !Role.isBuiltIn($0) && (try? gate.role(named: $0)) == nil }) {
                waiting.append((id, named))
                continue
            }
            let roles = Set(try named.map { try gate.role(named: $0) })
            if roles.isEmpty { continue }
            try await gate.perform(node.kernel.administration.setRoles, (id, roles), as: machine)
        }
    }

    func caller(_ login: String?) async throws -> Caller {
        guard let login, let principal = try await node.kernel.accounts.find(login: login) else { return machine }
        return Caller(principal: principal, trace: "demonstration")
    }

    // MARK: Standards

    private func addStandards(of pack: Pack) async throws {
        let items = StandardKind.items(pack.body)
        guard !items.isEmpty else { return }
        _ = try await gate.perform(node.services.catalogue.saveStandards, items, as: machine)
    }

    // MARK: Resources

    private mutating func add(_ item: JSONValue, of pack: Pack) async throws {
        let schema = try TableSchema.read(item["schema"] ?? .null)
        let provider = item["provider"]?.string ?? ""
        guard let owner = organisations[provider], let name = item["name"]?.string else {
            throw Pack.invalid(pack.folder, "resources: \(provider)", "提供方不存在", "the provider is not there")
        }
        let author = try await caller(item["author"]?.string)
        let content = EntryContent(
            name: name,
            category: item["category"]?.string ?? item["category"]?.text ?? "301099",
            provider: owner,
            department: item["department"]?.string ?? "",
            summary: item["summary"]?.string ?? "",
            keywords: (item["keywords"]?.array ?? []).compactMap(\.string),
            formatClass: .spreadsheet,
            formatType: item["format"]?.string ?? "csv",
            frequency: item["frequency"]?.string.flatMap(UpdateFrequency.init(rawValue:)) ?? .irregular,
            level: gate.organisations[owner]?.level ?? .province,
            schema: schema,
            items: schema.fields.map { policy($0, item["sharing"]?[$0.name]) }
        )
        let isForms = item["storage"]?.string == "records"
        let entry = try await gate.perform(
            node.services.catalogue.create,
            (content, isForms ? .records : .lake),
            as: author
        )
        let code = entry.resource.code
        if let key = item["key"]?.string { codes[key] = code }
        for load in item["data"]?.array ?? [] {
            let file = load["file"]?.string ?? ""
            let mode = load["mode"]?.string.flatMap(LoadMode.init(rawValue:)) ?? .replace
            let input = LakeActions.LoadInput(
                code: code,
                path: pack.folder.appendingPathComponent(file).path,
                source: URL(fileURLWithPath: file).lastPathComponent,
                mode: mode,
                encoding: .utf8,
                header: .line(1)
            )
            _ = try await gate.perform(node.services.lake.run, (input, nil, { _, _ in }), as: author)
        }
        try await move(code, item, author)
    }

    func policy(_ field: Field, _ given: JSONValue?) -> ItemPolicy {
        let standard: Sharing = field.kind?.isPersonal == true ? .conditional : .unconditional
        let sharing = given?["type"]?.integer.flatMap { Sharing(rawValue: Int($0)) } ?? standard
        let condition = given?["condition"]?.string ?? (sharing == .conditional ? "因履职需要，经提供方同意" : "")
        return ItemPolicy(sharing: sharing, condition: condition)
    }

    /// Takes an entry along its path, each step by the person whose step it is.
    private func move(_ code: String, _ item: JSONValue, _ author: Caller) async throws {
        let stage = item["stage"]?.string.flatMap(Pack.Stage.init(rawValue:)) ?? .draft
        guard stage != .draft else { return }
        let catalogue = node.services.catalogue
        let opening = node.services.opening
        let reviewer = try await caller(item["reviewer"]?.string)
        let authority = try await caller(item["authority"]?.string)
        _ = try await gate.perform(catalogue.submit, (code, ""), as: author)
        if stage == .department { return }
        let isReturned = stage == .returned
        let first = CatalogueActions.Review(
            code: code,
            approve: !isReturned,
            note: isReturned ? item["note"]?.string ?? "请补充完善后再提交。" : "同意"
        )
        _ = try await gate.perform(catalogue.reviewForDepartment, first, as: reviewer)
        if isReturned || stage == .authority { return }
        let second = CatalogueActions.Review(code: code, approve: true, note: "同意发布")
        _ = try await gate.perform(catalogue.reviewForAuthority, second, as: authority)
        if stage == .published { return }
        let proposal = Opening.proposal(try await node.kernel.resource(code))
        let request = try await gate.perform(opening.apply, (code, proposal, "便利公众使用"), as: author)
        if stage == .secrecy { return }
        let secrecy = OpenActions.Answer(id: request.id, approve: true, note: "不涉密；个人信息已脱敏或不含")
        _ = try await gate.perform(opening.reviewSecrecy, secrecy, as: reviewer)
        if stage == .opening { return }
        let today = CivilTime.chinaDay(microseconds: node.kernel.clock.now())
        let answer = OpenActions.Answer(id: request.id, approve: true, note: "同意开放", nextReview: today + 365)
        _ = try await gate.perform(opening.reviewAuthority, answer, as: authority)
    }

    // MARK: Sources

    /// `${drop}` in a setting stands for the node's own drop folder.
    private func addSources(of pack: Pack) async throws {
        let drop = node.settings.dropFolders.first ?? node.settings.folder
        for item in pack.body["sources"]?.array ?? [] {
            guard let code = item["resource"]?.string.flatMap({ codes[$0] }) else {
                throw Pack.invalid(
                    pack.folder,
                    "sources.\(item["name"]?.string ?? "?")",
                    "来源不完整",
                    "a source is not complete"
                )
            }
            try FileManager.default.createDirectory(at: drop, withIntermediateDirectories: true)
            var members = (item.members ?? []).filter { !["resource", "settings"].contains($0.name) }
            let settings = (item["settings"]?.members ?? []).map { member in
                JSONValue.Member(
                    member.name,
                    .string((member.value.string ?? member.value.text).replacing("${drop}", with: drop.path))
                )
            }
            members += [.init("resource", .string(code)), .init("settings", .object(settings))]
            let change = try Sources.Change(json: .object(members))
            _ = try await gate.perform(node.sources.saved, change, as: machine)
        }
    }

    // MARK: Feedback

    private func addFeedback(of pack: Pack) async throws {
        let flows = node.services.flows
        for item in pack.body["feedback"]?.array ?? [] {
            guard let code = item["resource"]?.string.flatMap({ codes[$0] }),
                let place = try await flows.systems.place(key: FeedbackRecords.resource)
            else { continue }
            let remark = StepRequest(
                place.code,
                step: "send",
                values: [
                    "entry": code, "kind": item["kind"]?.string ?? "question", "text": item["text"]?.string ?? "",
                    "contact": item["contact"]?.string ?? "",
                ]
            )
            let sent = try await gate.perform(flows.send, remark, as: .anonymous())
            guard let answer = item["answer"]?.string else { continue }
            let answered = StepRequest(place.code, record: sent.record, step: "answer", values: ["answer": answer])
            _ = try await gate.perform(flows.step, answered, as: machine)
        }
    }
}
