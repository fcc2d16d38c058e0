import Basics
import Seal

/// What the receiving node says and signs: which package came, who took it, when, and which record it is there.
public struct PackageReceipt: Sendable, Hashable {
    public static let format = "tongqu-package-receipt"
    static let maximumBytes = 1 << 16

    /// What is signed, byte for byte.
    public let statement: String
    public let seal: PackageSeal
    /// What names the package.
    public let package: String
    /// The fingerprint of the key that signed the package.
    public let senderKey: String
    public let at: String
    public let node: String
    public let organisation: String
    public let by: String
    /// The receiving record's key; empty where the package is kept only.
    public let record: String

    /// The file as it is given out.
    var text: String { Self.text(statement, seal) }

    static func text(_ statement: String, _ seal: PackageSeal) -> String {
        JSONValue.object(
            [.init("format", .string(format)), .init("version", .integer(1)), .init("statement", .string(statement))]
                + seal.members
        ).text
    }

    static func statement(
        _ manifest: PackageManifest,
        package: String,
        file: String,
        at: String,
        node: String,
        nodeKey: String,
        organisation: String,
        creditCode: String,
        by: String,
        record: String
    ) -> String {
        JSONValue.object([
            .init("package", .string(package)), .init("file", .string(file)),
            .init(
                "sender",
                .object([
                    .init("node", .string(manifest.node)), .init("key", .string(manifest.nodeKey)),
                    .init("organisation", .string(manifest.organisation)),
                    .init("resource", .string(manifest.resource)), .init("record", .string(manifest.record)),
                ])
            ),
            .init(
                "received",
                .object([
                    .init("at", .string(at)), .init("node", .string(node)), .init("key", .string(nodeKey)),
                    .init("organisation", .string(organisation)), .init("credit_code", .string(creditCode)),
                    .init("by", .string(by)), .init("record", .string(record)),
                ])
            ),
        ]).text
    }

    static func digest(_ statement: String) -> String { Digest(.sm3, of: statement.utf8).description }

    /// Reads a receipt and checks its signature; whether the key is known is another question.
    ///
    /// - Throws: `package.receipt_invalid`.
    init(_ bytes: [UInt8]) throws(Problem) {
        let wrong = Problem(
            "package.receipt_invalid",
            status: 422,
            zh: "不是完整、未改动的移送回执。",
            en: "This is no whole, unaltered receipt of a transfer."
        )
        guard bytes.count <= Self.maximumBytes, let json = try? JSONValue(bytes), json["format"]?.string == Self.format,
            json["version"]?.integer == 1, let statement = json["statement"]?.string, let seal = PackageSeal(json),
            let said = try? JSONValue(text: statement), let package = said["package"]?.string,
            let senderKey = said["sender"]?["key"]?.string, let received = said["received"],
            received["key"]?.string == seal.fingerprint
        else { throw wrong }
        self.statement = statement
        self.seal = seal
        self.package = package
        self.senderKey = senderKey
        at = received["at"]?.string ?? ""
        node = received["node"]?.string ?? ""
        organisation = String((received["organisation"]?.string ?? "").prefix(200))
        by = String((received["by"]?.string ?? "").prefix(100))
        record = String((received["record"]?.string ?? "").prefix(200))
        // A line's end behind it is an editor's; anything else is a change.
        let given = String(decoding: bytes, as: UTF8.self).trimmed
        guard text == given, seal.verifies(.receipt, Self.digest(statement)) else { throw wrong }
    }
}

extension String {
    fileprivate var trimmed: String { String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()) }
}
