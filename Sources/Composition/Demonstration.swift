import Web
public import Basics
import Catalogue
import Codes
import Foundation
import Kernel
import Lake
import Open
import Seal
import Tabular

/// The demonstration: a few organisations, one account per role, resources of facts and of invented records, work for everybody.
///
/// It goes in by the same actions as anybody's work, so its evidence is real.
public enum Demonstration {
    /// Who can sign in.
    public struct Accounts: Sendable {
        public var logins: [(String, LocalizedText)]
        /// The password, where it was just set.
        public var password: String?
    }

    static let people: [(login: String, name: String, role: Role)] = [
        ("clerk", "陈编目", .clerk), ("reviewer", "李部审", .departmentReviewer), ("authority", "王主管", .authorityReviewer),
        ("steward", "赵治理", .steward), ("sysadmin", "钱系统", .systemAdministrator),
        ("secadmin", "孙安全", .securityAdministrator),
        ("auditor", "周审计", .auditor),
    ]

    /// Puts the demonstration into an empty node; an old one keeps what it has.
    public static func install(_ node: Node, password: String?) async throws -> Accounts {
        let logins = people.map { ($0.login, $0.role.title) }
        guard let operator_ = try await node.kernel.accounts.find(login: "command-line") else {
            return Accounts(logins: [], password: nil)
        }
        let caller = Caller(principal: operator_, trace: "demonstration")
        let administration = node.kernel.administration
        let gate = node.kernel.gate
        if let clerk = try await node.kernel.accounts.find(login: "clerk") {
            guard let password else { return Accounts(logins: logins, password: nil) }
            var principals = [clerk]
            for person in people.dropFirst() {
                if let found = try await node.kernel.accounts.find(login: person.login) { principals.append(found) }
            }
            for principal in principals {
                try await gate.perform(
                    administration.setPassword,
                    (principal.id, password, isLasting: true),
                    as: caller
                )
            }
            return Accounts(logins: logins, password: password)
        }
        let chosen = password ?? "Tq-\(Secrets.token(12))1"
        func organisation(
            _ name: String,
            _ code: String,
            _ division: String,
            _ level: Organisation.Level,
            _ parent: OrganisationID?
        ) async throws -> OrganisationID {
            try await gate.perform(
                administration.createOrganisation,
                Organisation(
                    id: OrganisationID(0),
                    name: name,
                    creditCode: code,
                    parent: parent,
                    division: division,
                    level: level
                ),
                as: caller
            )
        }
        let province = try await organisation("示范省交通运输厅", "", "130000", .province, OrganisationID(1))
        let roads = try await organisation("示范省公路事业发展中心", "", "130000", .province, province)
        _ = try await organisation("示范市交通运输局", "", "130100", .city, province)
        for person in people {
            let home = person.role == .authorityReviewer ? province : roads
            let id = try await gate.perform(
                administration.createAccount,
                .init(
                    login: person.login,
                    name: person.name,
                    organisation: home,
                    password: chosen,
                    isLasting: true
                ),
                as: caller
            )
            try await gate.perform(administration.setRoles, (id, [person.role]), as: caller)
        }
        func act(_ login: String) async throws -> Caller {
            Caller(principal: try await node.kernel.accounts.find(login: login), trace: "demonstration")
        }
        let cast = Cast(
            clerk: try await act("clerk"),
            reviewer: try await act("reviewer"),
            authority: try await act("authority"),
            provider: roads
        )
        for (index, sample) in samples().enumerated() { try await install(sample, index, node, cast) }
        return Accounts(logins: logins, password: chosen)
    }

    struct Cast {
        var clerk: Caller
        var reviewer: Caller
        var authority: Caller
        var provider: OrganisationID
    }

    /// How far a sample goes along its path.
    enum Stop: Int { case draft, department, authority, published, secrecy, open }

    struct Sample {
        var name: String
        var category: String
        var summary: String
        var keywords: [String]
        var frequency: UpdateFrequency
        var schema: Schema
        var csv: String
        var stop: Stop
        /// Corrected rows, loaded by key afterwards.
        var correction: String?
    }

    static func install(_ sample: Sample, _ index: Int, _ node: Node, _ cast: Cast) async throws {
        let gate = node.kernel.gate
        let items = sample.schema.fields.map { field in
            field.kind?.isPersonal == true
                ? ItemPolicy(sharing: .conditional, condition: "因履职需要,经提供方同意") : ItemPolicy(sharing: .unconditional)
        }
        let content = EntryContent(
            name: sample.name,
            category: sample.category,
            provider: cast.provider,
            department: "信息处",
            summary: sample.summary,
            keywords: sample.keywords,
            formatClass: .spreadsheet,
            formatType: "csv",
            frequency: sample.frequency,
            schema: sample.schema,
            items: items
        )
        let code = try await gate.perform(node.services.catalogue.create, (content, .lake), as: cast.clerk).resource
            .code
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("tongqu-demo-\(UUID().uuidString).csv")
        try Data(sample.csv.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        _ = try await gate.perform(
            node.services.lake.run,
            (.init(code: code, path: file.path, source: "\(sample.name).csv", mode: .replace), nil, { _, _ in }),
            as: cast.clerk
        )
        if let later = sample.correction {
            try Data(later.utf8).write(to: file)
            _ = try await gate.perform(
                node.services.lake.run,
                (.init(code: code, path: file.path, source: "\(sample.name)(订正).csv", mode: .upsert), nil, { _, _ in }),
                as: cast.clerk
            )
        }
        guard sample.stop.rawValue >= Stop.department.rawValue else { return }
        _ = try await gate.perform(node.services.catalogue.submit, (code, "演示"), as: cast.clerk)
        guard sample.stop.rawValue >= Stop.authority.rawValue else { return }
        _ = try await gate.perform(
            node.services.catalogue.reviewForDepartment,
            .init(code: code, approve: true, note: "同意"),
            as: cast.reviewer
        )
        guard sample.stop.rawValue >= Stop.published.rawValue else { return }
        _ = try await gate.perform(
            node.services.catalogue.reviewForAuthority,
            .init(code: code, approve: true, note: "同意发布"),
            as: cast.authority
        )
        guard sample.stop.rawValue >= Stop.secrecy.rawValue else { return }
        let proposal = Opening.proposal(try await node.kernel.resource(code))
        let request = try await gate.perform(node.services.opening.apply, (code, proposal, "便利公众使用"), as: cast.clerk)
        guard sample.stop.rawValue >= Stop.open.rawValue else { return }
        _ = try await gate.perform(
            node.services.opening.reviewSecrecy,
            .init(id: request.id, approve: true, note: "不涉密;个人信息已脱敏或不含"),
            as: cast.reviewer
        )
        let today = CivilTime.chinaDay(microseconds: node.kernel.clock.now())
        _ = try await gate.perform(
            node.services.opening.reviewAuthority,
            .init(id: request.id, approve: true, note: "同意开放", nextReview: today + 365),
            as: cast.authority
        )
    }
}
