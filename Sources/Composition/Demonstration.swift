public import Basics
public import Foundation
import Kernel
import Seal

/// The demonstration: the packs of a folder, put into an empty node.
public enum Demonstration {
    /// Who can sign in.
    public struct Accounts: Sendable {
        public var logins: [(String, LocalizedText)]
        /// The password, where it was just set.
        public var password: String?
    }

    /// The accounts that newcomers are told of, one of each role.
    static let people: [(login: String, role: Role)] = [
        ("clerk", .clerk), ("reviewer", .departmentReviewer), ("authority", .authorityReviewer), ("steward", .steward),
        ("sysadmin", .systemAdministrator), ("secadmin", .securityAdministrator), ("auditor", .auditor),
    ]

    /// Puts the demonstration into an empty node; an old one keeps what it has.
    ///
    /// - Throws: `pack.invalid`, `pack.requires`, and what the packs' content is refused for.
    public static func install(_ node: Node, packs folders: [URL], password: String?) async throws -> Accounts {
        let logins = people.map { ($0.login, $0.role.title) }
        guard let principal = try await node.kernel.accounts.find(login: "command-line") else {
            return Accounts(logins: [], password: nil)
        }
        let caller = Caller(principal: principal, trace: "demonstration")
        guard try await node.kernel.accounts.find(login: "clerk") != nil else {
            let chosen = password ?? "Tq-\(Secrets.token(12))1"
            var installer = PackInstaller(node, machine: caller, password: chosen)
            let packs = try Pack.all(in: folders)
            guard node.kernel.gate.organisations.all.count <= 1 else {
                throw Problem(
                    "pack.not_empty",
                    status: 409,
                    zh: "内容包只能装入空节点，而这个数据目录里已有机构。",
                    en: "Packs go into an empty node; this data directory holds organisations already.",
                    hint: .init(
                        "若上次没有装完，请换一个空的数据目录；否则去掉 --demo。",
                        "If the last time did not end, take an empty data directory; else leave --demo out."
                    )
                )
            }
            try await installer.install(packs)
            return Accounts(logins: logins, password: chosen)
        }
        if let password {
            for person in people {
                guard let found = try await node.kernel.accounts.find(login: person.login) else { continue }
                try await node.kernel.gate.perform(
                    node.kernel.administration.setPassword,
                    (found.id, password, isLasting: true),
                    as: caller
                )
            }
        }
        return Accounts(logins: logins, password: password)
    }
}
