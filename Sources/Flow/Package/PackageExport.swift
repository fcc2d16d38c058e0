import Basics
import Foundation
public import Kernel
import Lake
import Seal
import Store
import Tabular

extension Flows {
    /// Packs a record that is over, or in a state that the pack names: one signed file. The same content makes the same file.
    ///
    /// - Throws: `flow.masked`, `package.open`, `package.too_much`, `package.damaged`.
    public var package: Action<PackageRequest, PackageFile> {
        Action(Self.packageDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            try Self.checkWhole(decision, resource)
            decision.note("record", String(input.record))
            let place = try await place(resource.code)
            let (values, standing) = try await kernel.databases.records.read { db in
                (
                    try self.lake.texts(of: input.record, in: resource, decision, db),
                    try FlowStore.standing(resource.id.raw, input.record, db)
                )
            }
            let declared = try await declaration(place, number: standing?.number)
            guard let flow = declared.flow, let standing, let state = flow.state(standing.state),
                Self.mayPack(state, place)
            else {
                throw Problem(
                    "package.open",
                    status: 409,
                    zh: "记录尚未办结，不能导出记录包。",
                    en: "The record is not over yet: it cannot be packed."
                )
            }
            let key = Self.key(values, declared, input.record)
            let folder = URL(fileURLWithPath: input.folder).appendingPathComponent("package-\(UUID().uuidString)")
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            defer { try? FileManager.default.removeItem(at: folder) }
            var making = PackageMaking(self, caller: decision.caller, folder: folder)
            try await making.add(input.record, resource, place, as: PackageManifest.recordName)
            let organisation = kernel.gate.organisations[principal.organisation]
            var manifest = PackageManifest(
                madeAt: "",
                node: nodeName,
                nodeKey: kernel.key.fingerprint,
                organisation: organisation?.name ?? "",
                creditCode: organisation?.creditCode ?? "",
                division: organisation?.division ?? "",
                system: place.system,
                resource: place.declaration,
                record: key,
                state: state
            )
            manifest.related = try await making.addRelated(of: input.record, resource, place)
            manifest.files = making.files
            let (whole, seal) = try await sealed(manifest, input.record, resource, principal)
            let digest = Digest(.sm3, of: whole.json.text.utf8).description
            decision.note("package", digest)
            let path = folder.path + ".zip"
            do {
                try making.write(to: path, whole, RecordPackage.signatureText(seal, digest))
            } catch {
                try? FileManager.default.removeItem(atPath: path)
                throw error
            }
            return PackageFile(path: path, name: Self.fileName(place.declaration.key, key), package: digest)
        }
    }

    static func mayPack(_ state: FlowDeclaration.State, _ place: SystemPlace) -> Bool {
        state.kind != .open || place.declaration.transfer?.states.contains(state.key) == true
    }

    private static func fileName(_ resource: String, _ key: String) -> String {
        let plain = key.map { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" ? $0 : "_" }
        return "\(resource)-\(String(plain.prefix(80))).zip"
    }

    /// The manifest with the moment and signature of the first export of this content.
    private func sealed(
        _ manifest: PackageManifest,
        _ record: Int64,
        _ resource: Resource,
        _ principal: Principal
    ) async throws -> (PackageManifest, PackageSeal) {
        let now = kernel.clock.now()
        var fresh = manifest
        fresh.madeAt = CivilTime.timestamp(now)
        let digest = Digest(.sm3, of: fresh.json.text.utf8).description
        let seal = try PackageSeal(.package, digest, by: kernel.key)
        let signature = Hexadecimal.text(seal.signature)
        let key: [SQLValue] = [.integer(resource.id.raw), .integer(record), .text(manifest.content)]
        let row = try await kernel.databases.records.write { db in
            try db.execute(
                "INSERT INTO flow_package_exports (resource, record, content, package, signature, made_at, principal) VALUES (?,?,?,?,?,?,?) ON CONFLICT (resource, record, content) DO NOTHING",
                key + [.text(digest), .text(signature), .integer(now), .integer(principal.id.raw)]
            )
            return try db.row(
                "SELECT made_at, signature FROM flow_package_exports WHERE resource = ? AND record = ? AND content = ?",
                key
            )
        }
        guard let row, let bytes = Hexadecimal.bytes(row.text(1)) else { return (fresh, seal) }
        fresh.madeAt = CivilTime.timestamp(row.integer(0))
        return (fresh, PackageSeal(publicBytes: kernel.key.publicBytes, signature: bytes))
    }

    /// What went out of a record and came back, and what it came from.
    public var transfers: Action<(code: String, record: Int64), RecordTransfers> {
        Action(Self.transfersDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            let whole = (try? Self.checkWhole(decision, resource)) != nil
            let place = try await place(resource.code)
            let (standing, made, receipts, origins) = try await kernel.databases.records.read { db in
                _ = try self.lake.texts(of: input.record, in: resource, decision, db)
                return (
                    try FlowStore.standing(resource.id.raw, input.record, db),
                    try db.rows(
                        "SELECT package, made_at, principal FROM flow_package_exports WHERE resource = ? AND record = ? ORDER BY id DESC LIMIT 20",
                        [.integer(resource.id.raw), .integer(input.record)]
                    ).map { MadePackage(package: $0.text(0), at: $0.integer(1), principal: $0.integer(2)) },
                    try PackageStore.receipts(resource.id.raw, input.record, db),
                    try db.rows(
                        "SELECT \(PackageStore.receivedColumns) FROM flow_packages WHERE resource = ? AND record = ? ORDER BY id DESC LIMIT 20",
                        [.integer(resource.id.raw), .integer(input.record)]
                    ).map(PackageStore.received)
                )
            }
            guard whole else {
                return RecordTransfers(mayPack: false, made: [], receipts: [], origins: [], people: [:])
            }
            let declared = try await declaration(place, number: standing?.number)
            let state = standing.flatMap { declared.flow?.state($0.state) }
            var people: [Int64: String] = [:]
            for id in Set(made.map(\.principal) + receipts.map(\.principal)) {
                people[id] = try await kernel.accounts.find(PrincipalID(id))?.name
            }
            return RecordTransfers(
                mayPack: state.map { Self.mayPack($0, place) } ?? false,
                made: made,
                receipts: receipts,
                origins: origins,
                people: people
            )
        }
    }

    /// Registers the receipt of a package that was made of a record; true where it is new.
    ///
    /// - Throws: `package.receipt_invalid`, `package.untrusted`, `package.receipt_other`.
    public var receipt: Action<(code: String, record: Int64, body: [UInt8]), Bool> {
        Action(Self.receiptDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            try Self.checkWhole(decision, resource)
            let receipt = try PackageReceipt(input.body)
            let fingerprint = receipt.seal.fingerprint
            decision.note("record", String(input.record))
            decision.note("package", receipt.package)
            decision.note("key", fingerprint)
            let node = try await trustedNode(fingerprint)
            let place = try await place(resource.code)
            let now = kernel.clock.now()
            let own = kernel.key.fingerprint
            return try await kernel.databases.records.write { db in
                let values = try self.lake.texts(of: input.record, in: resource, decision, db)
                let made = try db.row(
                    "SELECT resource, record FROM flow_package_exports WHERE package = ?",
                    [.text(receipt.package)]
                )
                guard receipt.senderKey == own, let made, made.integer(0) == resource.id.raw,
                    made.integer(1) == input.record
                else {
                    throw Problem(
                        "package.receipt_other",
                        status: 409,
                        zh: "回执属于另一个记录包，不是由这条记录导出的。",
                        en: "The receipt is of another package, not of one that was made of this record."
                    )
                }
                let organisation = receipt.organisation.isEmpty ? node.name : receipt.organisation
                let added = try db.execute(
                    """
                    INSERT INTO flow_package_receipts (package, resource, record, signer, organisation, receiving, body, principal, at)
                    VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (package, signer) DO NOTHING
                    """,
                    [
                        .text(receipt.package), .integer(resource.id.raw), .integer(input.record), .text(fingerprint),
                        .text(organisation), .text(receipt.record), .text(receipt.text), .integer(principal.id.raw),
                        .integer(now),
                    ]
                )
                guard added == 1 else { return false }
                let standing = try FlowStore.standing(resource.id.raw, input.record, db)
                let state = standing?.state ?? values[place.declaration.flow?.field ?? ""] ?? ""
                try db.execute(
                    "INSERT INTO flow_steps (resource, record, step, number, from_state, to_state, principal, at, note, changed) VALUES (?,?,?,?,?,?,?,?,?,?)",
                    [
                        .integer(resource.id.raw), .integer(input.record), .text(TakenStep.receipt),
                        .integer(standing?.number ?? place.system.number), .text(state), .text(state),
                        .integer(principal.id.raw), .integer(now),
                        .text([organisation, receipt.record].filter { !$0.isEmpty }.joined(separator: " ")), .text(""),
                    ]
                )
                return true
            }
        }
    }
}
