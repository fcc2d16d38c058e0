public import Basics
import CQL
import Foundation
import Kernel
import Lake
import Seal
import Store
import Tabular

/// A record on its way into a package: its parts are written to a folder one by one, then put together.
struct PackageMaking {
    let flows: Flows
    let caller: Caller
    /// Where the parts lie until the package is whole.
    let folder: URL
    /// The parts by their names; files of records stay where they are.
    private(set) var parts: [String: (file: PackageManifest.File, path: String)] = [:]
    private var people: [Int64: String] = [:]

    /// Records that belong to one, at the most.
    static let maximumRelated = 5000
    /// What ``Flows`` reads of a record's history, documents and files at the most.
    private static let maximumLines = 1000

    init(_ flows: Flows, caller: Caller, folder: URL) {
        self.flows = flows
        self.caller = caller
        self.folder = folder
    }

    static func tooMuch(_ zh: String, _ en: String) -> Problem {
        Problem("package.too_much", status: 409, zh: "记录包放不下：\(zh)。", en: "The package cannot hold it: \(en).")
    }

    // MARK: Parts

    private mutating func add(_ name: String, _ bytes: [UInt8]) throws {
        guard parts[name] == nil else { return }
        let path = folder.appendingPathComponent("part-\(parts.count)").path
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
            throw FileSource.unwritable()
        }
        let digest = Digest(.sm3, of: bytes).description
        parts[name] = (PackageManifest.File(name: name, size: Int64(bytes.count), digest: digest), path)
        if parts.count > StoredZip.maximumEntries - 2 { throw Self.tooMuch("文件过多", "there are too many files") }
    }

    /// The digits of a digest: what files are called by.
    private static func digits(_ digest: String) -> String { String(digest.drop { $0 != ":" }.dropFirst()) }

    // MARK: Records

    /// Puts a record with its history, clocks, documents and files into the package under a name.
    mutating func add(
        _ record: Int64,
        _ resource: Resource,
        _ place: SystemPlace,
        as name: String
    ) async throws {
        let (values, standing, clocks, steps, documents, attachments) =
            try await flows.kernel.databases.records.read { [lake = flows.lake] db in
                (
                    try lake.texts(of: record, in: resource, nil, db),
                    try FlowStore.standing(resource.id.raw, record, db),
                    try FlowStore.clocks(resource.id.raw, record, db),
                    try Flows.steps(resource.id.raw, record, db),
                    try Flows.documents(resource.id.raw, record, db),
                    try Flows.attachments(resource.id.raw, record, db)
                )
            }
        guard max(steps.count, documents.count, attachments.count) < Self.maximumLines else {
            throw Self.tooMuch(
                "一条记录的步骤、文书或附件达到 \(Self.maximumLines) 个",
                "a record has \(Self.maximumLines) steps, documents or files"
            )
        }
        let declared = try await flows.declaration(place, number: standing?.number)
        for id in Set(steps.map(\.principal) + documents.map(\.principal) + attachments.map(\.principal))
        where people[id] == nil {
            people[id] = try await flows.kernel.accounts.find(PrincipalID(id))?.name ?? ""
        }
        for document in documents {
            let body = try await flows.kernel.databases.records.read { db in
                try db.row("SELECT body FROM flow_documents WHERE id = ?", [.integer(document.id)])?.text(0) ?? ""
            }
            try add(Self.documentName(document), Array(body.utf8))
        }
        for file in attachments {
            let name = Self.fileName(file)
            let path = flows.file(resource.id.raw, file.digest).path
            parts[name] = (PackageManifest.File(name: name, size: file.size, digest: file.digest), path)
        }
        let body = JSONValue.object(
            [
                .init("resource", .string(declared.key)),
                .init("name", PackageManifest.json(.init(declared.title(.zh), declared.title(.en)))),
                .init("key", .string(Flows.key(values, declared, record))),
            ] + Self.state(standing, values, declared) + [
                .init("fields", .array(declared.schema.fields.map { Self.field($0, values, declared) })),
                .init("history", .array(steps.map { step($0, declared) })),
                .init("clocks", .array(clocks.map { Self.clock($0, declared) })),
                .init("documents", .array(documents.map(self.document))),
                .init("attachments", .array(attachments.map { attachment($0, declared) })),
            ]
        )
        try add(name, Array(body.text.utf8))
    }

    private static func documentName(_ document: IssuedDocument) -> String {
        "documents/\(digits(document.digest)).html"
    }

    private static func fileName(_ file: Attachment) -> String { "files/\(digits(file.digest))" }

    private static func state(
        _ standing: FlowStore.Standing?,
        _ values: [String: String],
        _ declared: ResourceDeclaration
    ) -> [JSONValue.Member] {
        guard let flow = declared.flow else { return [] }
        let key = standing?.state ?? values[flow.field] ?? ""
        return [
            .init("state", .string(key)),
            .init("state_title", PackageManifest.json(flow.state(key)?.title ?? .init(key, key))),
            .init("opened_at", standing.map { .string(CivilTime.timestamp($0.openedAt)) } ?? .null),
            .init("changed_at", standing.map { .string(CivilTime.timestamp($0.changedAt)) } ?? .null),
        ]
    }

    private static func field(
        _ field: Field,
        _ values: [String: String],
        _ declared: ResourceDeclaration
    ) -> JSONValue {
        let value = values[field.name] ?? ""
        var members: [JSONValue.Member] = [
            .init("name", .string(field.name)),
            .init("title", PackageManifest.json(.init(declared.label(field, .zh), declared.label(field, .en)))),
            .init("value", .string(value)),
        ]
        let shown = FilledDocument.shown(value, field)
        if shown != value { members.append(.init("shown", .string(shown))) }
        return .object(members)
    }

    private func step(_ taken: TakenStep, _ declared: ResourceDeclaration) -> JSONValue {
        let flow = declared.flow
        func title(_ state: String) -> JSONValue {
            PackageManifest.json(flow?.state(state)?.title ?? .init(state, state))
        }
        return .object([
            .init("step", .string(taken.step)),
            .init("title", PackageManifest.json(taken.title(in: flow))),
            .init("from", .string(taken.from)), .init("to", .string(taken.to)), .init("to_title", title(taken.to)),
            .init("at", .string(CivilTime.timestamp(taken.at))), .init("by", .string(people[taken.principal] ?? "")),
            .init("note", .string(taken.note)), .init("changed", .array(taken.changed.map { .string($0) })),
        ])
    }

    private static func clock(_ clock: RunningClock, _ declared: ResourceDeclaration) -> JSONValue {
        let title = declared.flow?.clock(clock.key)?.title ?? .init(clock.key, clock.key)
        return .object([
            .init("clock", .string(clock.key)), .init("title", PackageManifest.json(title)),
            .init("state", .string(clock.state.rawValue)),
            .init("started_at", .string(CivilTime.timestamp(clock.startedAt))),
            .init("due", .string(CivilTime.timestamp(clock.due))),
            .init("ended_at", clock.endedAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
        ])
    }

    private func document(_ document: IssuedDocument) -> JSONValue {
        .object([
            .init("document", .string(document.document)), .init("title", .string(document.title)),
            .init("number", .string(document.number)), .init("code", .string(document.code)),
            .init("issued_at", .string(CivilTime.timestamp(document.issuedAt))),
            .init("by", .string(people[document.principal] ?? "")), .init("digest", .string(document.digest)),
            .init("file", .string(Self.documentName(document))),
        ])
    }

    private func attachment(_ file: Attachment, _ declared: ResourceDeclaration) -> JSONValue {
        let title = declared.attachments.first { $0.key == file.kind }?.title ?? .init(file.kind, file.kind)
        return .object([
            .init("kind", .string(file.kind)), .init("title", PackageManifest.json(title)),
            .init("name", .string(file.name)), .init("type", .string(file.type)), .init("size", .integer(file.size)),
            .init("digest", .string(file.digest)), .init("at", .string(CivilTime.timestamp(file.at))),
            .init("by", .string(people[file.principal] ?? "")),
            .init("longitude", file.longitude.map { .real($0) } ?? .null),
            .init("latitude", file.latitude.map { .real($0) } ?? .null),
            .init("taken", file.takenAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
            .init("file", .string(Self.fileName(file))),
        ])
    }

    // MARK: What belongs to it

    /// Puts the records in that the detail page lists of other resources of the same pack.
    ///
    /// - Throws: `flow.masked` where somebody does not see all of them.
    mutating func addRelated(
        of record: Int64,
        _ resource: Resource,
        _ place: SystemPlace
    ) async throws -> [PackageManifest.Related] {
        let values = try await flows.kernel.databases.records.read { [lake = flows.lake] db in
            try lake.texts(of: record, in: resource, nil, db)
        }
        var found: [PackageManifest.Related] = []
        var total = 0
        for related in place.declaration.views.related where !found.contains(where: { $0.resource == related.resource })
        {
            guard let key = values[related.key], !key.isEmpty, let code = place.system.codes[related.resource],
                let declared = place.system.declaration.resource(related.resource), declared.isOfRecords
            else { continue }
            let other = SystemPlace(system: place.system, declaration: declared, code: code)
            let resource = try await flows.kernel.resource(code)
            let seen = flows.kernel.gate.unmaskedFields(flows.reading.read.descriptor, resource, caller)
            guard seen.isSuperset(of: resource.schema.fields.map(\.name)) else {
                throw Problem(
                    "flow.masked",
                    status: 403,
                    zh: "记录包含有“\(declared.title(.zh))”，其中有对您脱敏或不开放的内容。",
                    en: "The package holds “\(declared.title(.en))”, of which some is masked or closed to you."
                )
            }
            var query = RecordQuery(code, fields: ["_id"], limit: 500)
            query.condition = .compare(.equal, .property(related.field), .literal(.text(key)))
            var ids: [Int64] = []
            repeat {
                let page = try await flows.kernel.gate.perform(flows.reading.read, query, as: caller)
                ids += page.ids
                query.cursor = page.next
                guard total + ids.count <= Self.maximumRelated else {
                    throw Self.tooMuch(
                        "关联记录超过 \(Self.maximumRelated) 条",
                        "more than \(Self.maximumRelated) records belong to it"
                    )
                }
            } while query.cursor != nil
            for (index, id) in ids.sorted().enumerated() {
                try await add(id, resource, other, as: "related/\(related.resource)/\(index + 1).json")
            }
            total += ids.count
            guard !ids.isEmpty else { continue }
            let name = LocalizedText(declared.title(.zh), declared.title(.en))
            found.append(.init(resource: related.resource, name: name, count: Int64(ids.count)))
        }
        return found
    }

    /// The files in the order in which they stand: the record first.
    var files: [PackageManifest.File] {
        let others = parts.keys.filter { $0 != PackageManifest.recordName }.sorted()
        return ([PackageManifest.recordName] + others).compactMap { parts[$0]?.file }
    }

    /// Writes the package.
    ///
    /// - Throws: `package.damaged` where a file of a record is not what it was when it was bound to it.
    func write(to path: String, _ manifest: PackageManifest, _ signature: String) throws {
        let writer = try StoredZipWriter(path: path)
        try writer.add(PackageManifest.name, Array(manifest.json.text.utf8))
        try writer.add(PackageManifest.signatureName, Array(signature.utf8))
        for file in manifest.files {
            guard let part = parts[file.name], let handle = FileHandle(forReadingAtPath: part.path) else {
                throw Self.damaged(file)
            }
            defer { try? handle.close() }
            let hasher = DigestHasher(.sm3)
            do {
                try writer.add(file.name, size: file.size) { write in
                    while let data = try handle.read(upToCount: 1 << 18), !data.isEmpty {
                        try data.withUnsafeBytes { bytes in
                            hasher.update(bytes)
                            try write(bytes)
                        }
                    }
                }
            } catch let problem as Problem where problem.code == "file.zip_form" {
                throw Self.damaged(file)
            }
            guard hasher.finish().description == file.digest else { throw Self.damaged(file) }
        }
        _ = try writer.finish()
    }

    private static func damaged(_ file: PackageManifest.File) -> Problem {
        Problem(
            "package.damaged",
            status: 500,
            zh: "本节点保存的附件缺失或与登记的摘要不符，不能打包。",
            en: "A file kept here is missing or differs from its digest; the record cannot be packed.",
            details: ["digest": file.digest]
        )
    }
}

extension Flows {
    /// The key of a record as people know it; its number where it has none.
    static func key(_ values: [String: String], _ declared: ResourceDeclaration, _ record: Int64) -> String {
        let key = declared.schema.key.first.flatMap { values[$0] } ?? ""
        return key.isEmpty ? String(record) : key
    }
}

extension TakenStep {
    /// The line of a history that tells of a receipt: no key of a pack has a point in it.
    static let receipt = "transfer.receipt"

    /// What the step is called.
    public func title(in flow: FlowDeclaration?) -> LocalizedText { Self.title(of: step, in: flow) }

    static func title(of step: String, in flow: FlowDeclaration?) -> LocalizedText {
        if step == receipt { return .init("移送回执", "Receipt of the transfer") }
        return flow?.step(step)?.title ?? .init(step, step)
    }
}
