public import Basics
import Foundation
import Seal
public import Tabular

/// A package that was opened and checked: its form, its signature, every file by size and digest, and that nothing else is in it.
///
/// Whether the key that signed it is one that the node knows is another question: see ``TrustedNode``.
public final class RecordPackage {
    public let manifest: PackageManifest
    /// What names the package: the digest of its manifest.
    public let digest: String
    /// The digest of the whole file.
    public let file: String
    /// Bytes of the whole file.
    public let size: Int64
    public let seal: PackageSeal
    let reader: StoredZipReader

    static func invalid(_ zh: String, _ en: String) -> Problem {
        Problem(
            "package.invalid",
            status: 422,
            zh: "不是完整、未改动的记录包：\(zh)。",
            en: "This is no whole, unaltered record package: \(en).",
            hint: .init("请向来源节点索取原文件。", "Ask the node it comes from for the file as it was made.")
        )
    }

    /// Opens a file and checks all of it; memory does not grow with it.
    ///
    /// - Throws: `file.unreadable`, `file.zip_form`, `package.invalid`.
    public init(path: String) throws {
        reader = try StoredZipReader(path: path)
        let entries = reader.entries
        guard entries.count >= 2, entries[0].name == PackageManifest.name,
            entries[1].name == PackageManifest.signatureName
        else {
            throw Self.invalid(
                "开头应是 manifest.json 和 signature.json",
                "manifest.json and signature.json stand at the beginning"
            )
        }
        let bytes = try reader.bytes(entries[0], limit: PackageManifest.maximumBytes)
        digest = Digest(.sm3, of: bytes).description
        let signature = try reader.bytes(entries[1], limit: 1 << 16)
        guard let json = try? JSONValue(signature), let seal = PackageSeal(json),
            Self.signatureText(seal, digest) == String(decoding: signature, as: UTF8.self)
        else { throw Self.invalid("signature.json 有误", "signature.json is not right") }
        guard seal.verifies(.package, digest) else {
            throw Self.invalid("签名与清单不符", "the signature is not the manifest's")
        }
        self.seal = seal
        let manifest = try PackageManifest(bytes)
        self.manifest = manifest
        guard manifest.nodeKey == seal.fingerprint else {
            throw Self.invalid("清单所称节点不是签名者", "the node that the manifest names did not sign it")
        }
        let names = entries.dropFirst(2).map(\.name)
        guard names == manifest.files.map(\.name) else {
            let more = names.first { name in !manifest.files.contains { $0.name == name } }
            throw more == nil
                ? Self.invalid("文件缺少或次序不符", "a file is missing or out of order")
                : Self.invalid("含有清单以外的文件", "there is a file that the manifest does not list")
        }
        for (file, entry) in zip(manifest.files, entries.dropFirst(2)) {
            let hasher = DigestHasher(.sm3)
            if file.size == entry.size { try reader.read(entry) { hasher.update($0) } }
            guard file.size == entry.size, hasher.finish().description == file.digest else {
                throw Self.invalid("文件 \(file.name) 与清单不符", "the file \(file.name) is not what the manifest says")
            }
        }
        (file, size) = try Self.digest(of: path)
    }

    /// The text of `signature.json`.
    static func signatureText(_ seal: PackageSeal, _ digest: String) -> String {
        JSONValue.object([.init("manifest", .string(digest))] + seal.members).text
    }

    static func digest(of path: String) throws -> (digest: String, size: Int64) {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        let hasher = DigestHasher(.sm3)
        var size: Int64 = 0
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty {
            data.withUnsafeBytes { hasher.update($0) }
            size += Int64(data.count)
        }
        return (hasher.finish().description, size)
    }

    /// A file of JSON in it.
    ///
    /// - Throws: `package.invalid`.
    public func json(_ name: String) throws -> JSONValue { try Self.json(name, reader) }

    /// A file of JSON in a package that was checked when it came.
    public static func json(_ name: String, _ reader: StoredZipReader) throws -> JSONValue {
        guard let entry = reader.entry(name) else {
            throw invalid("没有 \(name)", "there is no \(name)")
        }
        return try JSONValue(try reader.bytes(entry, limit: 64 << 20))
    }

    /// The record's values by field, as texts.
    static func values(_ record: JSONValue) -> [String: String] {
        Dictionary(
            (record["fields"]?.array ?? []).compactMap { field in
                field["name"]?.string.map { ($0, field["value"]?.string ?? "") }
            },
            uniquingKeysWith: { first, _ in first }
        )
    }
}
