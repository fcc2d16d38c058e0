import Basics
public import Kernel
import Seal
import Store

/// A node whose packages and receipts are taken.
public struct TrustedNode: Sendable, Hashable {
    public var fingerprint: String
    public var name: String
    /// The public key as PEM.
    public var publicKey: String
    public var principal: Int64
    public var at: Int64
}

/// A node's own key, for others to add, and the nodes that it trusts.
public struct TrustedNodes: Sendable {
    public var fingerprint: String
    public var publicKey: String
    public var nodes: [TrustedNode]
}

extension Flows {
    static let trustedDescriptor = ActionDescriptor(
        "system.trusted",
        .systemManage,
        .view,
        zh: "互信节点",
        en: "list trusted nodes"
    )
    static let trustDescriptor = ActionDescriptor(
        "system.trust",
        .systemManage,
        .write,
        zh: "登记互信节点",
        en: "trust a node"
    )
    static let distrustDescriptor = ActionDescriptor(
        "system.distrust",
        .systemManage,
        .write,
        zh: "撤销互信节点",
        en: "trust a node no more"
    )

    private static let columns = "fingerprint, name, public_key, principal, at"

    private static func read(_ row: SQLRow) -> TrustedNode {
        TrustedNode(
            fingerprint: row.text(0),
            name: row.text(1),
            publicKey: row.text(2),
            principal: row.integer(3),
            at: row.integer(4)
        )
    }

    /// The node of a key; nil for one that nobody added.
    public func trusted(_ fingerprint: String) async throws -> TrustedNode? {
        try await kernel.databases.control.read { db in
            try db.row(
                "SELECT \(Self.columns) FROM trusted_nodes WHERE fingerprint = ?",
                [.text(fingerprint)]
            ).map(Self.read)
        }
    }

    /// The node of a key.
    ///
    /// - Throws: `package.untrusted`.
    func trustedNode(_ fingerprint: String) async throws -> TrustedNode {
        guard let node = try await trusted(fingerprint) else {
            throw Problem(
                "package.untrusted",
                status: 403,
                zh: "签名的密钥不属于本节点登记的任何互信节点，未予接收。",
                en: "The key that signed it belongs to no node that is trusted here; nothing was taken.",
                details: ["key": fingerprint],
                hint: .init(
                    "向对方核对密钥指纹后，由系统管理员在“互信节点”登记。",
                    "Compare the fingerprint with the other side; then the system administrator adds it under “Trusted nodes”."
                )
            )
        }
        return node
    }

    public var trustedNodes: Action<Void, TrustedNodes> {
        Action(Self.trustedDescriptor) { [kernel] _, _ in
            let nodes = try await kernel.databases.control.read { db in
                try db.rows("SELECT \(Self.columns) FROM trusted_nodes ORDER BY name, fingerprint LIMIT 1000").map(
                    Self.read
                )
            }
            return TrustedNodes(
                fingerprint: kernel.key.fingerprint,
                publicKey: PackageSeal.pem(kernel.key.publicBytes),
                nodes: nodes
            )
        }
    }

    /// Adds a node by its name and public key, or names it anew; its fingerprint.
    public var trust: Action<(name: String, publicKey: String), String> {
        Action(Self.trustDescriptor) { [kernel] input, decision in
            guard let principal = decision.caller.principal else {
                throw Problem.notFound(.init("账号", "the account"))
            }
            let name = TextForms.trimmed(TextForms.visible(input.name))
            guard (2...100).contains(name.count) else {
                throw Problem(
                    "package.node_name",
                    status: 422,
                    zh: "节点名称应为 2–100 字。",
                    en: "A node's name has 2–100 characters."
                )
            }
            guard let key = PackageSeal.publicKey(input.publicKey) else {
                throw Problem(
                    "package.node_key",
                    status: 422,
                    zh: "不是 SM2 公钥：应为 PEM(BEGIN PUBLIC KEY)或其 base64。",
                    en: "This is no SM2 public key: PEM (BEGIN PUBLIC KEY) or its base64 is expected."
                )
            }
            let fingerprint = Digest(.sm3, of: key).description
            let now = kernel.clock.now()
            try await kernel.databases.control.write { db in
                try db.execute(
                    """
                    INSERT INTO trusted_nodes (fingerprint, name, public_key, principal, at) VALUES (?,?,?,?,?)
                    ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name, principal = excluded.principal, at = excluded.at
                    """,
                    [
                        .text(fingerprint), .text(name), .text(PackageSeal.pem(key)), .integer(principal.id.raw),
                        .integer(now),
                    ]
                )
            }
            decision.note("key", fingerprint)
            return fingerprint
        }
    }

    /// Trusts a node no more: what it signed before stays, nothing new of it is taken.
    public var distrust: Action<String, Void> {
        Action(Self.distrustDescriptor) { [kernel] fingerprint, decision in
            decision.note("key", fingerprint)
            try await kernel.databases.control.write { db in
                guard
                    try db.execute("DELETE FROM trusted_nodes WHERE fingerprint = ?", [.text(fingerprint)]) == 1
                else { throw Problem.notFound(.init("互信节点", "the trusted node")) }
            }
        }
    }
}
