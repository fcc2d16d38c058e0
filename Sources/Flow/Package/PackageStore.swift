import Basics
import Store

/// The tables of packages: those that were made here, their receipts, those that came in.
enum PackageStore {
    static let migration = Migration(
        "packages/001-records",
        [
            """
            CREATE TABLE flow_package_exports (id INTEGER PRIMARY KEY, resource BIGINT NOT NULL, record BIGINT NOT NULL, content TEXT NOT NULL,
            package TEXT NOT NULL UNIQUE, signature TEXT NOT NULL, made_at BIGINT NOT NULL, principal BIGINT NOT NULL,
            UNIQUE (resource, record, content))
            """,
            """
            CREATE TABLE flow_package_receipts (id INTEGER PRIMARY KEY, package TEXT NOT NULL, resource BIGINT NOT NULL, record BIGINT NOT NULL,
            signer TEXT NOT NULL, organisation TEXT NOT NULL, receiving TEXT NOT NULL, body TEXT NOT NULL, principal BIGINT NOT NULL,
            at BIGINT NOT NULL, UNIQUE (package, signer))
            """,
            "CREATE INDEX flow_package_receipts_record ON flow_package_receipts (resource, record, id)",
            """
            CREATE TABLE flow_packages (id INTEGER PRIMARY KEY, package TEXT NOT NULL UNIQUE, file TEXT NOT NULL, size BIGINT NOT NULL,
            place TEXT NOT NULL, resource BIGINT NOT NULL, record BIGINT, signer TEXT NOT NULL, sender TEXT NOT NULL, sender_record TEXT NOT NULL,
            manifest TEXT NOT NULL, receipt TEXT NOT NULL, principal BIGINT NOT NULL, at BIGINT NOT NULL)
            """,
            "CREATE INDEX flow_packages_resource ON flow_packages (resource, id)",
            "CREATE INDEX flow_packages_sender ON flow_packages (resource, signer, sender_record, id)",
            "CREATE INDEX flow_packages_record ON flow_packages (resource, record)",
        ]
    )

    static let trusted = Migration(
        "packages/001-trusted-nodes",
        [
            "CREATE TABLE trusted_nodes (fingerprint TEXT PRIMARY KEY, name TEXT NOT NULL, public_key TEXT NOT NULL, principal BIGINT NOT NULL, at BIGINT NOT NULL)"
        ]
    )

    static let receivedColumns =
        "id, package, file, size, place, resource, record, signer, sender, sender_record, manifest, receipt, principal, at"

    static func received(_ row: SQLRow) throws -> ReceivedPackage {
        ReceivedPackage(
            id: row.integer(0),
            package: row.text(1),
            file: row.text(2),
            size: row.integer(3),
            place: row.text(4),
            record: row.optionalInteger(6),
            signer: row.text(7),
            sender: row.text(8),
            senderRecord: row.text(9),
            manifest: try PackageManifest(Array(row.text(10).utf8)),
            receipt: row.text(11),
            principal: row.integer(12),
            at: row.integer(13)
        )
    }

    /// A package by what names it.
    static func received(_ package: String, _ db: any SQLReading) throws -> (package: ReceivedPackage, resource: Int64)?
    {
        try db.row(
            "SELECT \(receivedColumns) FROM flow_packages WHERE package = ?",
            [.text(package)]
        ).map { (try received($0), $0.integer(5)) }
    }

    /// The record that an earlier package of the same record became; nil where there is none.
    static func record(
        of manifest: PackageManifest,
        _ resource: Int64,
        _ db: any SQLReading
    ) throws -> Int64? {
        try db.row(
            "SELECT record FROM flow_packages WHERE resource = ? AND signer = ? AND sender_record = ? AND record IS NOT NULL ORDER BY id DESC LIMIT 1",
            [.integer(resource), .text(manifest.nodeKey), .text(manifest.record)]
        )?.integer(0)
    }

    static func receipts(_ resource: Int64, _ record: Int64, _ db: any SQLReading) throws -> [RegisteredReceipt] {
        try db.rows(
            "SELECT id, package, signer, organisation, receiving, body, principal, at FROM flow_package_receipts WHERE resource = ? AND record = ? ORDER BY id LIMIT 200",
            [.integer(resource), .integer(record)]
        ).map { row in
            RegisteredReceipt(
                id: row.integer(0),
                package: row.text(1),
                signer: row.text(2),
                organisation: row.text(3),
                receiving: row.text(4),
                body: row.text(5),
                principal: row.integer(6),
                at: row.integer(7)
            )
        }
    }
}

/// A package that came in, as it is kept.
public struct ReceivedPackage: Sendable, Hashable {
    public var id: Int64
    /// What names the package: the digest of its manifest.
    public var package: String
    /// The digest of the whole file.
    public var file: String
    /// Bytes.
    public var size: Int64
    /// The name of the file that is kept.
    var place: String
    /// The record that it became; nil where it is kept only.
    public var record: Int64?
    /// The fingerprint of the key that signed it.
    public var signer: String
    /// The organisation that made it.
    public var sender: String
    /// The record's key there.
    public var senderRecord: String
    public var manifest: PackageManifest
    /// The receipt as it is given out.
    public var receipt: String
    public var principal: Int64
    public var at: Int64
}

/// A receipt that came back for a package made here.
public struct RegisteredReceipt: Sendable, Hashable {
    public var id: Int64
    public var package: String
    /// The fingerprint of the key that signed it.
    public var signer: String
    /// Who received the package.
    public var organisation: String
    /// The receiving record's key; empty where the package is kept only.
    public var receiving: String
    public var body: String
    public var principal: Int64
    public var at: Int64
}

/// A package that was made here.
public struct MadePackage: Sendable, Hashable {
    public var package: String
    public var at: Int64
    public var principal: Int64
}

/// What went out of a record and came back, and what it came from.
public struct RecordTransfers: Sendable {
    /// Whether it may be packed now.
    public var mayPack: Bool
    public var made: [MadePackage]
    public var receipts: [RegisteredReceipt]
    /// The packages that it came from, the newest first.
    public var origins: [ReceivedPackage]
    /// Names by principal.
    public var people: [Int64: String]
}
