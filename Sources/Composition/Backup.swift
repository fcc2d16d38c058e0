import Basics
public import Foundation
import Kernel
import Seal

/// Backups: a folder of the databases (SQLite's four files, or `database/`, a dump of PostgreSQL), the files and a signed list of digests.
public enum Backup {
    /// What a backup holds.
    public struct Manifest: Sendable {
        public var files: [(name: String, size: Int64, digest: String)]
        public var at: String
        /// The fingerprint of the key that signed it.
        public var signer: String
        /// Whether the node's private key lies in it as it is.
        public var holdsPlainKey: Bool { files.contains { $0.name == Backup.plainKey } }
    }

    static let plainKey = "node.key"
    static let sealedKey = "node.key.sealed"
    static let publicKey = "node.pub"

    /// Copies a node into a folder, consistently, while it runs.
    ///
    /// With a passphrase the node's private key is sealed by it; without one it lies in the backup as it is, and whoever
    /// holds the backup can sign for the node.
    public static func create(
        _ node: Node,
        from folder: URL,
        to target: URL,
        passphrase: String? = nil
    ) async throws -> Manifest {
        let manager = FileManager.default
        guard !manager.fileExists(atPath: target.path) else {
            throw Problem("backup.exists", status: 409, zh: "目标已存在。", en: "The target exists already.")
        }
        let part = target.appendingPathExtension("part")
        try? manager.removeItem(at: part)
        try manager.createDirectory(at: part, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try await node.kernel.evidence.seal()
        try await node.store.back(upTo: part)
        for name in ["uploads", "versions", "attachments"]
        where manager.fileExists(atPath: folder.appendingPathComponent(name).path) {
            try manager.copyItem(at: folder.appendingPathComponent(name), to: part.appendingPathComponent(name))
        }
        guard let key = manager.contents(atPath: folder.appendingPathComponent(plainKey).path) else {
            throw damaged(plainKey)
        }
        let (name, bytes) =
            try passphrase.map { (sealedKey, try Secrets.seal(Array(key), passphrase: $0)) } ?? (plainKey, Array(key))
        let keyFile = part.appendingPathComponent(name)
        try Data(bytes).write(to: keyFile)
        try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: keyFile.path)
        try Data(node.kernel.key.publicBytes).write(to: part.appendingPathComponent(publicKey))
        let manifest = try list(
            part,
            at: CivilTime.timestamp(node.kernel.clock.now()),
            signer: node.kernel.key.fingerprint
        )
        let text = json(manifest)
        try Data(text.utf8).write(to: part.appendingPathComponent("manifest.json"))
        try Data(try node.kernel.key.sign(Array(text.utf8))).write(to: part.appendingPathComponent("manifest.sig"))
        try manager.moveItem(at: part, to: target)
        return manifest
    }

    static func list(_ folder: URL, at moment: String, signer: String) throws -> Manifest {
        var files: [(name: String, size: Int64, digest: String)] = []
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() {
            let url = folder.appendingPathComponent(name)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), !isFolder.boolValue,
                !name.hasPrefix("manifest.")
            else { continue }
            let size = (try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int64) ?? 0
            files.append((name, size, try digest(url)))
        }
        return Manifest(files: files, at: moment, signer: signer)
    }

    static func digest(_ url: URL) throws -> String {
        let handle = try FileHandle(forReadingFrom: url)
        defer { try? handle.close() }
        let hasher = DigestHasher(.sm3)
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { hasher.update(Array(data)) }
        return hasher.finish().description
    }

    static func json(_ manifest: Manifest) -> String {
        JSONValue.object([
            .init("format", "tongqu-backup-1"), .init("at", .string(manifest.at)),
            .init(
                "files",
                .array(
                    manifest.files.map {
                        .object([
                            .init("name", .string($0.name)), .init("size", .integer($0.size)),
                            .init("digest", .string($0.digest)),
                        ])
                    }
                )
            ),
        ]).text
    }

    /// Checks every file, the signature and the databases of a backup.
    ///
    /// - Throws: `backup.damaged` naming the file.
    @discardableResult
    public static func verify(_ folder: URL) async throws -> Manifest {
        guard let data = FileManager.default.contents(atPath: folder.appendingPathComponent("manifest.json").path),
            let signature = FileManager.default.contents(atPath: folder.appendingPathComponent("manifest.sig").path),
            let publicBytes = try publicBytes(of: folder)
        else { throw damaged("manifest.json") }
        guard try NodeKey.verify(Array(signature), Array(data), publicBytes: publicBytes) else {
            throw damaged("manifest.sig")
        }
        let json = try JSONValue(Array(data))
        let found = try list(
            folder,
            at: json["at"]?.string ?? "",
            signer: Digest(.sm3, of: publicBytes).description
        )
        let wanted = json["files"]?.array ?? []
        guard wanted.count == found.files.count else { throw damaged("manifest.json") }
        for (item, file) in zip(wanted, found.files) {
            guard item["name"]?.string == file.name, item["digest"]?.string == file.digest else {
                throw damaged(file.name)
            }
        }
        return found
    }

    /// The public half of the key that signed; the first backups held only the private one.
    private static func publicBytes(of folder: URL) throws -> [UInt8]? {
        func contents(_ name: String) -> [UInt8]? {
            FileManager.default.contents(atPath: folder.appendingPathComponent(name).path).map(Array.init)
        }
        return try contents(publicKey) ?? contents(plainKey).map { try NodeKey.read(der: $0).publicBytes }
    }

    static func damaged(_ name: String) -> Problem {
        Problem(
            "backup.damaged",
            status: 500,
            zh: "备份不完整或被改动：\(name)。",
            en: "The backup is incomplete or was altered: \(name).",
            details: ["file": name]
        )
    }

    /// Puts a verified backup into an empty folder. A sealed key needs its passphrase.
    ///
    /// - Throws: `backup.damaged`, `backup.passphrase`, `backup.unsealed`, `backup.not_empty`, `backup.engine`, `store.*`.
    public static func restore(
        _ backup: URL,
        to folder: URL,
        passphrase: String? = nil,
        store: StoreSettings = .sqlite
    ) async throws -> Manifest {
        let manifest = try await verify(backup)
        let sealed = FileManager.default.contents(atPath: backup.appendingPathComponent(sealedKey).path)
        guard sealed != nil || passphrase == nil else {
            throw Problem(
                "backup.unsealed",
                zh: "给出了口令，但备份中的节点密钥没有加密：它可能不是本节点的备份。",
                en:
                    "A passphrase was given, but the node's key in the backup is not sealed: it may be another node's backup.",
                hint: .init("确认签名密钥后，不设口令再恢复。", "Compare the signing key, then restore without a passphrase.")
            )
        }
        let key = try sealed.map { sealed in
            guard let passphrase, let key = try Secrets.open(Array(sealed), passphrase: passphrase) else {
                throw Problem(
                    "backup.passphrase",
                    zh: "备份中的节点密钥已用口令加密，未给出口令或口令不对。",
                    en: "The node's key in the backup is sealed; the passphrase is missing or wrong.",
                    hint: .init("请设置 TONGQU_BACKUP_PASSPHRASE。", "Set TONGQU_BACKUP_PASSPHRASE.")
                )
            }
            return Data(key)
        }
        // A backup signed by another key than the one it holds was put together by somebody else.
        if let key = key ?? FileManager.default.contents(atPath: backup.appendingPathComponent(plainKey).path) {
            guard try NodeKey.read(der: Array(key)).publicBytes == publicBytes(of: backup) else {
                throw damaged(publicKey)
            }
        }
        let manager = FileManager.default
        if let content = try? manager.contentsOfDirectory(atPath: folder.path), !content.isEmpty {
            throw Problem(
                "backup.not_empty",
                status: 409,
                zh: "恢复的目标目录不是空的。",
                en: "The folder to restore into is not empty.",
                hint: .init("请先移走原目录。", "Move the old folder away first.")
            )
        }
        try manager.createDirectory(
            at: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        for file in manifest.files
        where file.name != sealedKey && file.name != publicKey && !file.name.hasPrefix("database/")
            && file.name != NodeStore.prefixFile
        {
            let target = folder.appendingPathComponent(file.name)
            try manager.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try manager.copyItem(at: backup.appendingPathComponent(file.name), to: target)
        }
        if let key { try key.write(to: folder.appendingPathComponent(plainKey)) }
        try manager.setAttributes(
            [.posixPermissions: 0o600],
            ofItemAtPath: folder.appendingPathComponent("node.key").path
        )
        try await NodeStore.restore(backup, to: store, folder: folder)
        return manifest
    }
}
