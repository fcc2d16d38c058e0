public import Basics
import Seal

/// What a package says of itself: where it comes from, which record it is, and every file in it.
public struct PackageManifest: Sendable, Hashable {
    public struct File: Sendable, Hashable {
        public var name: String
        /// Bytes.
        public var size: Int64
        /// `sm3:…`
        public var digest: String
    }

    /// Records of another resource that belong to it.
    public struct Related: Sendable, Hashable {
        public var resource: String
        public var name: LocalizedText
        public var count: Int64
    }

    public static let format = "tongqu-record-package"
    public static let version: Int64 = 1
    /// The manifest's own place, and that of the signature: before everything else.
    public static let name = "manifest.json"
    public static let signatureName = "signature.json"
    public static let recordName = "record.json"
    static let maximumBytes = 32 << 20

    /// When it was made, as text; the moment is that of the first export of this content.
    public var madeAt: String
    public var node: String
    /// The fingerprint of the node's key.
    public var nodeKey: String
    public var organisation: String
    public var creditCode: String
    public var division: String
    public var system: String
    public var systemVersion: Int64
    public var systemTitle: LocalizedText
    public var resource: String
    public var resourceName: LocalizedText
    /// The record's key where it was made.
    public var record: String
    public var state: String
    public var stateTitle: LocalizedText
    public var related: [Related]
    /// All but the manifest and its signature, in the order in which they stand.
    public var files: [File]

    static func json(_ title: LocalizedText) -> JSONValue {
        .object([.init("zh", .string(title.zh)), .init("en", .string(title.en))])
    }

    static func title(_ json: JSONValue?) -> LocalizedText {
        let zh = json?["zh"]?.string ?? ""
        return LocalizedText(zh, json?["en"]?.string ?? zh)
    }

    var json: JSONValue {
        .object([
            .init("format", .string(Self.format)), .init("version", .integer(Self.version)),
            .init(
                "made",
                .object([
                    .init("at", .string(madeAt)), .init("node", .string(node)), .init("key", .string(nodeKey)),
                    .init("organisation", .string(organisation)), .init("credit_code", .string(creditCode)),
                    .init("division", .string(division)),
                ])
            ),
            .init(
                "system",
                .object([
                    .init("pack", .string(system)), .init("version", .integer(systemVersion)),
                    .init("title", Self.json(systemTitle)),
                ])
            ),
            .init("resource", .object([.init("key", .string(resource)), .init("name", Self.json(resourceName))])),
            .init(
                "record",
                .object([
                    .init("key", .string(record)), .init("state", .string(state)),
                    .init("state_title", Self.json(stateTitle)),
                ])
            ),
            .init(
                "related",
                .array(
                    related.map {
                        .object([
                            .init("resource", .string($0.resource)), .init("name", Self.json($0.name)),
                            .init("records", .integer($0.count)),
                        ])
                    }
                )
            ),
            .init(
                "files",
                .array(
                    files.map {
                        .object([
                            .init("name", .string($0.name)), .init("size", .integer($0.size)),
                            .init("digest", .string($0.digest)),
                        ])
                    }
                )
            ),
        ])
    }

    /// What tells one content from another: everything but when it was made.
    var content: String {
        var timeless = self
        timeless.madeAt = ""
        return Digest(.sm3, of: timeless.json.text.utf8).description
    }

    /// Reads a manifest.
    ///
    /// - Throws: `package.invalid`.
    init(_ bytes: [UInt8]) throws(Problem) {
        guard let json = try? JSONValue(bytes), json["format"]?.string == Self.format else {
            throw RecordPackage.invalid("manifest.json 不是记录包的清单", "manifest.json is no manifest of a record package")
        }
        guard json["version"]?.integer == Self.version else {
            throw RecordPackage.invalid(
                "清单的版本不是 \(Self.version)，本节点不认识",
                "the manifest's version is not \(Self.version); this node does not know it"
            )
        }
        func text(_ path: String...) throws(Problem) -> String {
            var place: JSONValue? = json
            for name in path { place = place?[name] }
            guard let found = place?.string, found.utf8.count <= 2000 else {
                throw RecordPackage.invalid(
                    "清单缺少 \(path.joined(separator: "."))",
                    "the manifest lacks \(path.joined(separator: "."))"
                )
            }
            return found
        }
        madeAt = try text("made", "at")
        node = try text("made", "node")
        nodeKey = try text("made", "key")
        organisation = try text("made", "organisation")
        creditCode = try text("made", "credit_code")
        division = try text("made", "division")
        system = try text("system", "pack")
        systemVersion = json["system"]?["version"]?.integer ?? 0
        systemTitle = Self.title(json["system"]?["title"])
        resource = try text("resource", "key")
        resourceName = Self.title(json["resource"]?["name"])
        record = try text("record", "key")
        state = try text("record", "state")
        stateTitle = Self.title(json["record"]?["state_title"])
        related = (json["related"]?.array ?? []).map {
            Related(
                resource: $0["resource"]?.string ?? "",
                name: Self.title($0["name"]),
                count: $0["records"]?.integer ?? 0
            )
        }
        files = []
        var seen: Set<String> = [Self.name, Self.signatureName]
        for file in json["files"]?.array ?? [] {
            guard let name = file["name"]?.string, Self.isPlain(name), seen.insert(name).inserted,
                let size = file["size"]?.integer, size >= 0, let digest = file["digest"]?.string,
                Digest(text: digest)?.algorithm == .sm3
            else { throw RecordPackage.invalid("清单中的文件有误", "a file of the manifest is not right") }
            files.append(File(name: name, size: size, digest: digest))
        }
        guard seen.contains(Self.recordName) else {
            throw RecordPackage.invalid("清单中没有 record.json", "the manifest has no record.json")
        }
    }

    init(
        madeAt: String,
        node: String,
        nodeKey: String,
        organisation: String,
        creditCode: String,
        division: String,
        system: InstalledSystem,
        resource: ResourceDeclaration,
        record: String,
        state: FlowDeclaration.State
    ) {
        self.madeAt = madeAt
        self.node = node
        self.nodeKey = nodeKey
        self.organisation = organisation
        self.creditCode = creditCode
        self.division = division
        self.system = system.id
        systemVersion = system.declaration.version
        systemTitle = system.declaration.title
        self.resource = resource.key
        resourceName = LocalizedText(resource.title(.zh), resource.title(.en))
        self.record = record
        self.state = state.key
        stateTitle = state.title
        related = []
        files = []
    }

    /// Names are of lower-case letters, digits, `_`, `-`, `.`, in folders below the package's own.
    static func isPlain(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return name.utf8.count <= 200
            && parts.allSatisfy { part in
                !part.isEmpty && part.utf8.first != 0x2E
                    && part.utf8.allSatisfy {
                        (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || [0x5F, 0x2D, 0x2E].contains($0)
                    }
            }
    }
}
