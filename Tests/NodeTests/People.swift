import Composition
import Kernel
import TestKit
import Testing

extension TestNode {
    /// Makes an account of the clerk's organisation with a role, or with none where it is empty, and its password.
    func hire(_ login: String, as role: String, name: String? = nil) async throws {
        let kernel = node.kernel
        let machine = try await SystemPacks.machine(node)
        let home = try #require(try await kernel.accounts.find(login: "clerk")).organisation
        let id = try await kernel.gate.perform(
            kernel.administration.createAccount,
            .init(login: login, name: name ?? login, organisation: home, password: TestNode.password, isLasting: true),
            as: machine
        )
        guard !role.isEmpty else { return }
        let roles: Set = [try kernel.gate.role(named: role)]
        try await kernel.gate.perform(kernel.administration.setRoles, (id, roles), as: machine)
    }
}
