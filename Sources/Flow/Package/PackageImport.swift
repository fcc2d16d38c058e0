import Basics
import CQL
import Foundation
import Glibc
public import Kernel
import Lake
import Seal
import Store
import Tabular

extension Flows {
    private func file(of place: String) -> URL {
        folder.appendingPathComponent("packages").appendingPathComponent(place)
    }

    /// Takes a package: keeps it whole and, where the pack says so, makes a record of it. The same package again gives the same answer.
    ///
    /// The file is on the disk before the one transaction that tells of it: what a stop leaves behind is a file nobody points to.
    ///
    /// - Throws: `package.invalid`, `file.zip_form`, `package.untrusted`, `package.resource`, and what the beginning step throws.
    public var receive: Action<NewPackage, (package: ReceivedPackage, isNew: Bool)> {
        Action(Self.receiveDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            try Self.checkWhole(decision, resource)
            let place = try await place(resource.code)
            let work = try await receiving(place, resource, principal)
            let package = try RecordPackage(path: input.path)
            let digest = package.digest
            decision.note("package", digest)
            decision.note("key", package.seal.fingerprint)
            _ = try await trustedNode(package.seal.fingerprint)
            let manifest = package.manifest
            guard manifest.system == place.system.id, manifest.resource == place.declaration.key else {
                throw Problem(
                    "package.resource",
                    status: 409,
                    zh: "记录包属于另一项业务，请到对应的业务中接收。",
                    en: "The package is of another resource; receive it there.",
                    details: ["system": manifest.system, "resource": manifest.resource]
                )
            }
            let known = try await kernel.databases.records.read { try PackageStore.received(digest, $0) }
            if let known { return (try Self.checked(known, resource), false) }
            let name = "\(Hexadecimal.text(Secrets.random(8)))-\(package.file.drop { $0 != ":" }.dropFirst())"
            let target = file(of: name)
            try Self.keep(input.path, at: target)
            do {
                let record = RecordPackage.values(try package.json(PackageManifest.recordName))
                let entry = Entry(
                    package,
                    place: name,
                    values: record,
                    resource: resource,
                    declared: place.declaration,
                    principal: principal
                )
                let taken = try await kernel.databases.records.write { db in
                    try self.take(entry, work, decision, db)
                }
                if taken.package.place != name { try? FileManager.default.removeItem(at: target) }
                if taken.isNew, let work {
                    lake.recordsChanged(resource)
                    for (_, other) in work.targets { lake.recordsChanged(other.resource) }
                }
                if let record = taken.package.record { decision.note("record", String(record)) }
                return taken
            } catch {
                let known = try? await kernel.databases.records.read { try PackageStore.received(digest, $0) }
                // Its name is this attempt's own: nobody else points to it. Where it is not known whether it was kept, it stays.
                let isRefused = (error as? Problem).map { !$0.code.hasPrefix("store.") } ?? false
                if isRefused || known.map({ $0.package.place != name }) ?? false {
                    try? FileManager.default.removeItem(at: target)
                }
                // Another took the same package at the same time.
                if let known, !isRefused { return (try Self.checked(known, resource), false) }
                throw error
            }
        }
    }

    private static func checked(
        _ known: (package: ReceivedPackage, resource: Int64),
        _ resource: Resource
    ) throws -> ReceivedPackage {
        guard known.resource == resource.id.raw else { throw Problem.notFound(.init("记录包", "the package")) }
        return known.package
    }

    /// Moves a file to where it is kept, durable before anybody is told.
    private static func keep(_ path: String, at target: URL) throws {
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(),
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        try KeptFile.move(path, to: target)
    }

    /// What a package becomes a record by; nil where it is kept only.
    private func receiving(
        _ place: SystemPlace,
        _ resource: Resource,
        _ principal: Principal
    ) async throws -> StepWork? {
        guard let transfer = place.declaration.transfer, let flow = place.declaration.flow,
            let step = flow.step(transfer.step)
        else { return nil }
        if principal.login != Principal.commandLine { try Flows.check(step, principal) }
        return StepWork(
            flows: self,
            place: place,
            declared: place.declaration,
            flow: flow,
            step: step,
            resource: resource,
            number: place.system.number,
            principal: principal,
            organisation: kernel.gate.organisations[principal.organisation],
            now: now,
            calendar: try await kernel.calendar(),
            targets: try await targets(of: step, depth: 0),
            related: [:],
            people: [:],
            surroundings: try await surroundings(
                place,
                place.declaration,
                resource,
                for: place.declaration.beside(in: step.expressions),
                record: nil,
                [:]
            )
        )
    }

    /// A package on its way into the table.
    private struct Entry: Sendable {
        let manifest: PackageManifest
        let digest: String
        let file: String
        let size: Int64
        let place: String
        let values: [String: String]
        let resource: Resource
        let declared: ResourceDeclaration
        let principal: Principal

        init(
            _ package: RecordPackage,
            place: String,
            values: [String: String],
            resource: Resource,
            declared: ResourceDeclaration,
            principal: Principal
        ) {
            manifest = package.manifest
            digest = package.digest
            file = package.file
            size = package.size
            self.place = place
            self.values = values
            self.resource = resource
            self.declared = declared
            self.principal = principal
        }
    }

    /// Keeps a package, makes its record and writes the receipt, in one transaction.
    private func take(
        _ entry: Entry,
        _ work: StepWork?,
        _ decision: Decision,
        _ db: any SQLWriting
    ) throws -> (package: ReceivedPackage, isNew: Bool) {
        if let known = try PackageStore.received(entry.digest, db) {
            return (try Self.checked(known, entry.resource), false)
        }
        let now = kernel.clock.now()
        let manifest = entry.manifest
        // A later package of the same record belongs to the record that is there.
        var record = try PackageStore.record(of: manifest, entry.resource.id.raw, db)
        var key = ""
        if record == nil, let work, let transfer = work.place.declaration.transfer,
            try Self.becomesRecord(transfer, entry)
        {
            let values = try given(transfer, entry, work, db)
            let request = StepRequest(work.place.code, step: work.step.key, values: values).visible
            record = try work.run(request, decision, db).record
        }
        if let record {
            let values = try lake.texts(of: record, in: entry.resource, nil, db)
            key = Self.key(values, entry.declared, record)
        }
        let organisation = kernel.gate.organisations[entry.principal.organisation]
        let statement = PackageReceipt.statement(
            manifest,
            package: entry.digest,
            file: entry.file,
            at: CivilTime.timestamp(now),
            node: nodeName,
            nodeKey: kernel.key.fingerprint,
            organisation: organisation?.name ?? "",
            creditCode: organisation?.creditCode ?? "",
            by: entry.principal.name,
            record: key
        )
        let receipt = PackageReceipt.text(
            statement,
            try PackageSeal(.receipt, PackageReceipt.digest(statement), by: kernel.key)
        )
        try db.execute(
            "INSERT INTO flow_packages (package, file, size, place, resource, record, signer, sender, sender_record, manifest, receipt, principal, at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                .text(entry.digest), .text(entry.file), .integer(entry.size), .text(entry.place),
                .integer(entry.resource.id.raw), SQLValue(record), .text(manifest.nodeKey),
                .text(manifest.organisation), .text(manifest.record), .text(manifest.json.text), .text(receipt),
                .integer(entry.principal.id.raw), .integer(now),
            ]
        )
        guard let kept = try PackageStore.received(entry.digest, db) else {
            throw Problem.notFound(.init("记录包", "the package"))
        }
        return (kept.package, true)
    }

    /// Whether a package becomes a record here: one of a case that was decided is kept, and no new case.
    private static func becomesRecord(_ transfer: TransferDeclaration, _ entry: Entry) throws -> Bool {
        guard !transfer.condition.isEmpty else { return true }
        let known = entry.values.filter { entry.resource.schema.index($0.key) != nil }
        let row = try Lake.checked(known, entry.resource.schema.loose)
        return try BoundExpression(text: transfer.condition, fields: row.fields).evaluate(row).first == .yes
    }

    /// What the beginning step is given of the package's record.
    private func given(
        _ transfer: TransferDeclaration,
        _ entry: Entry,
        _ work: StepWork,
        _ db: any SQLWriting
    ) throws -> [String: String] {
        let known = Set(entry.resource.schema.fields.map(\.name))
        let source = entry.values.filter { known.contains($0.key) }
        let manifest = entry.manifest
        var values: [String: String] = [:]
        for taken in transfer.values {
            switch taken.value {
            case .sender: values[taken.field] = manifest.organisation
            case .senderRecord: values[taken.field] = manifest.record
            case .package:
                values[taken.field] = "由\(manifest.organisation)移送，原编号 \(manifest.record)，记录包 \(entry.digest)。"
            case .assigned(let value):
                try work.assign([.init(field: taken.field, value: value)], to: &values, from: source, beside: [:], db)
            }
        }
        return values
    }

    // MARK: Looking

    /// The packages that came in for a resource, the newest first; where the next page begins.
    public var packages: Action<(code: String, before: Int64?, limit: Int), (packages: [ReceivedPackage], next: Int64?)>
    {
        Action(Self.packagesDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            try Self.checkWhole(decision, resource)
            return try await kernel.databases.records.read { db in
                let found = try db.rows(
                    "SELECT \(PackageStore.receivedColumns) FROM flow_packages WHERE resource = ? AND id < ? ORDER BY id DESC LIMIT \(input.limit)",
                    [.integer(resource.id.raw), .integer(input.before ?? .max)]
                ).map(PackageStore.received)
                let seen = found.filter { (try? self.checkSeen($0, resource, decision, db)) != nil }
                return (seen, found.count == input.limit ? found.last?.id : nil)
            }
        }
    }

    /// A package that came in, and where its file lies.
    public var received: Action<(code: String, package: Int64), (package: ReceivedPackage, path: String)> {
        Action(Self.receivedDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("记录包", "the package")) }
            try Self.checkWhole(decision, resource)
            let found = try await kernel.databases.records.read { db in
                let found = try db.row(
                    "SELECT \(PackageStore.receivedColumns) FROM flow_packages WHERE id = ? AND resource = ?",
                    [.integer(input.package), .integer(resource.id.raw)]
                ).map(PackageStore.received)
                if let found { try self.checkSeen(found, resource, decision, db) }
                return found
            }
            guard let found else { throw Problem.notFound(.init("记录包", "the package")) }
            decision.note("package", found.package)
            return (found, file(of: found.place).path)
        }
    }

    /// Who may see some rows only sees the packages of those.
    private func checkSeen(
        _ package: ReceivedPackage,
        _ resource: Resource,
        _ decision: Decision,
        _ db: any SQLReading
    ) throws {
        guard decision.rows != nil else { return }
        guard let record = package.record else { throw Problem.notFound(.init("记录包", "the package")) }
        _ = try lake.texts(of: record, in: resource, decision, db)
    }
}
