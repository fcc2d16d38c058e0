public import Basics
import Foundation
public import Kernel
import Lake
import Seal
import Store
import Tabular

/// A file to be bound to a record.
public struct NewAttachment: Sendable {
    public var code: String
    public var record: Int64
    public var kind: String
    public var name: String
    public var type: String
    /// Where it was received.
    public var path: String
    public var longitude: Double?
    public var latitude: Double?
    /// When a photo was taken, as EXIF writes it, where the file does not tell it itself.
    public var taken: String

    public init(
        _ code: String,
        record: Int64,
        kind: String,
        name: String,
        type: String,
        path: String,
        longitude: Double? = nil,
        latitude: Double? = nil,
        taken: String = ""
    ) {
        self.taken = taken
        self.code = code
        self.record = record
        self.kind = kind
        self.name = name
        self.type = type
        self.path = path
        self.longitude = longitude
        self.latitude = latitude
    }
}

extension Flows {
    /// The largest file of a record.
    public static let maximumAttachment: Int64 = 2 << 30

    // MARK: Attachments

    /// Binds a file to a record by its digest. The file is moved away from where it was received.
    public var attach: Action<NewAttachment, Attachment> {
        Action(Self.attachDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let place = try await place(input.code)
            let standing = try await standing(resource, input.record)
            let declared = try await declaration(place, number: standing?.number)
            guard let kind = declared.attachments.first(where: { $0.key == input.kind }) else {
                throw Problem.notFound(.init("附件类别", "the kind of attachment"))
            }
            let start = try FileHandle(forReadingFrom: URL(fileURLWithPath: input.path))
            let head = Array(try start.read(upToCount: 16) ?? Data())
            try start.close()
            let type = Self.type(of: head, input.type)
            guard kind.accept.contains(where: { $0.takes(type) }) else {
                throw Problem(
                    "flow.attachment_type",
                    status: 415,
                    zh: "“\(kind.title.zh)”只接受：\(kind.accept.map(\.title.zh).joined(separator: "、"))。",
                    en: "“\(kind.title.en)” takes: \(kind.accept.map(\.title.en).joined(separator: ", "))."
                )
            }
            let (digest, size) = try Self.digest(input.path)
            let now = kernel.clock.now()
            let taken = (PhotoTime.taken(path: input.path) ?? PhotoTime.moment(input.taken)).flatMap { moment in
                // A camera's clock may stand anywhere; what is to come was not taken.
                (0...(now + CivilTime.microsecondsPerDay)).contains(moment) ? moment : nil
            }
            let flow = declared.flow
            // What is refused leaves nothing on the disk.
            try await kernel.databases.records.read { db in
                try self.checkOpen(input.record, resource, flow, decision, db)
            }
            let target = file(resource.id.raw, digest)
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            // The same bytes lie there once; what is there is not written again.
            if !FileManager.default.fileExists(atPath: target.path) { try KeptFile.move(input.path, to: target) }
            let id = try await kernel.databases.records.write { db in
                try self.checkOpen(input.record, resource, flow, decision, db)
                try db.execute(
                    "INSERT INTO flow_attachments (resource, record, kind, name, type, size, digest, principal, at, longitude, latitude, taken_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                    [
                        .integer(resource.id.raw), .integer(input.record), .text(kind.key),
                        .text(String(input.name.prefix(200))), .text(type), .integer(size), .text(digest),
                        .integer(principal.id.raw), .integer(now), input.longitude.map { .real($0) } ?? .null,
                        input.latitude.map { .real($0) } ?? .null, SQLValue(taken),
                    ]
                )
                return db.lastInsertedID
            }
            decision.note("record", String(input.record))
            decision.note("attachment", String(id))
            decision.note("digest", digest)
            return Attachment(
                id: id,
                kind: kind.key,
                name: input.name,
                type: type,
                size: size,
                digest: digest,
                principal: principal.id.raw,
                at: now,
                longitude: input.longitude,
                latitude: input.latitude,
                takenAt: taken
            )
        }
    }

    /// A record outside one's rows takes nothing; one that is over takes nothing any more.
    private func checkOpen(
        _ record: Int64,
        _ resource: Resource,
        _ flow: FlowDeclaration?,
        _ decision: Decision,
        _ db: any SQLReading
    ) throws {
        let values = try lake.texts(of: record, in: resource, decision, db)
        let state = try FlowStore.standing(resource.id.raw, record, db)?.state ?? values[flow?.field ?? ""] ?? ""
        guard flow?.state(state)?.kind != .done, flow?.state(state)?.kind != .cancelled else {
            throw Problem(
                "flow.over",
                status: 409,
                zh: "记录已办结，不能再增加附件。",
                en: "The record is closed and takes no more files."
            )
        }
    }

    func file(_ resource: Int64, _ digest: String) -> URL {
        folder.appendingPathComponent(String(resource)).appendingPathComponent(
            String(digest.drop { $0 != ":" }.dropFirst())
        )
    }

    static func digest(_ path: String) throws -> (digest: String, size: Int64) {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        let hasher = DigestHasher(.sm3)
        var size: Int64 = 0
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty {
            hasher.update(Array(data))
            size += Int64(data.count)
        }
        guard size > 0 else { throw Problem("upload.empty", zh: "文件是空的。", en: "The file is empty.") }
        return (hasher.finish().description, size)
    }

    /// The type of a file by its first bytes: what a browser says of it is believed only where they do not tell.
    static func type(of head: [UInt8], _ said: String) -> String {
        let starts: [([UInt8], String)] = [
            ([0xFF, 0xD8, 0xFF], "image/jpeg"), ([0x89, 0x50, 0x4E, 0x47], "image/png"),
            (Array("GIF8".utf8), "image/gif"), (Array("%PDF".utf8), "application/pdf"),
            ([0x1A, 0x45, 0xDF, 0xA3], "video/webm"), (Array("OggS".utf8), "audio/ogg"),
            (Array("ID3".utf8), "audio/mpeg"), ([0xFF, 0xFB], "audio/mpeg"),
        ]
        for (bytes, type) in starts where head.starts(with: bytes) { return type }
        if head.count >= 12 {
            let four = String(decoding: head[4..<8], as: UTF8.self)
            let form = String(decoding: head[8..<12], as: UTF8.self)
            if four == "ftyp" { return form.hasPrefix("hei") || form.hasPrefix("mif") ? "image/heic" : "video/mp4" }
            if head.starts(with: Array("RIFF".utf8)) {
                return form == "WEBP" ? "image/webp" : form == "WAVE" ? "audio/wav" : "video/x-msvideo"
            }
        }
        // Anything else is a file to be kept, not one to be shown.
        return "application/octet-stream"
    }

    static func attachments(_ resource: Int64, _ record: Int64, _ db: any SQLReading) throws -> [Attachment] {
        try FlowStore.last(attachmentColumns, of: "flow_attachments", resource, record, db).map(attachment)
    }

    private static let attachmentColumns =
        "id, kind, name, type, size, digest, principal, at, longitude, latitude, taken_at"

    private static func attachment(_ row: SQLRow) -> Attachment {
        Attachment(
            id: row.integer(0),
            kind: row.text(1),
            name: row.text(2),
            type: row.text(3),
            size: row.integer(4),
            digest: row.text(5),
            principal: row.integer(6),
            at: row.integer(7),
            longitude: row.values[8] == .null ? nil : row.real(8),
            latitude: row.values[9] == .null ? nil : row.real(9),
            takenAt: row.optionalInteger(10)
        )
    }

    /// A file of a record, and where it lies.
    public var attached: Action<(code: String, record: Int64, id: Int64), (attachment: Attachment, path: String)> {
        Action(Self.fileDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("附件", "the file")) }
            try Self.checkWhole(decision, resource)
            let found = try await kernel.databases.records.read { db in
                _ = try self.lake.texts(of: input.record, in: resource, decision, db)
                return try db.row(
                    "SELECT \(Self.attachmentColumns) FROM flow_attachments WHERE id = ? AND resource = ? AND record = ?",
                    [.integer(input.id), .integer(resource.id.raw), .integer(input.record)]
                ).map(Self.attachment)
            }
            guard let found else { throw Problem.notFound(.init("附件", "the file")) }
            decision.note("attachment", String(found.id))
            return (found, file(resource.id.raw, found.digest).path)
        }
    }

    private static let masked = Problem(
        "flow.masked",
        status: 403,
        zh: "文书和附件含有对您脱敏或不开放的内容。",
        en: "Documents and files hold what is masked or closed to you."
    )

    static func seesAll(_ decision: Decision, _ resource: Resource) -> Bool {
        decision.fields.count == resource.schema.fields.count && decision.fields.allSatisfy { $0.mask == nil }
    }

    /// Files show everything: who sees some fields only, or masked, does not open them.
    static func checkWhole(_ decision: Decision, _ resource: Resource) throws(Problem) {
        guard seesAll(decision, resource) else { throw masked }
    }

    /// Whether everything that stands on a paper may be seen unmasked. Of papers issued before it was noted what stands on them, nothing
    /// is known: they are for those who see the whole record.
    static func sees(_ shown: String?, _ decision: Decision, _ resource: Resource) -> Bool {
        if seesAll(decision, resource) { return true }
        guard let shown, shown != DocumentTemplate.everything else { return false }
        let (all, seen) = decision.fields.reduce(into: (Set<String>(), Set<String>())) { sets, access in
            sets.0.insert(access.field.name)
            if access.mask == nil { sets.1.insert(access.field.name) }
        }
        return shown.split(separator: ",").allSatisfy { name in
            name.first == DocumentTemplate.blank ? all.contains(String(name.dropFirst())) : seen.contains(String(name))
        }
    }

    static func checkPaper(_ shown: String?, _ decision: Decision, _ resource: Resource) throws(Problem) {
        guard sees(shown, decision, resource) else { throw masked }
    }

    // MARK: Documents

    static func documents(_ resource: Int64, _ record: Int64, _ db: any SQLReading) throws -> [IssuedDocument] {
        try FlowStore.last(
            "id, document, title, number, code, digest, principal, issued_at, shown",
            of: "flow_documents",
            resource,
            record,
            db
        ).map(read)
    }

    private static func read(_ row: SQLRow) -> IssuedDocument {
        IssuedDocument(
            id: row.integer(0),
            document: row.text(1),
            title: row.text(2),
            number: row.text(3),
            code: row.text(4),
            digest: row.text(5),
            principal: row.integer(6),
            issuedAt: row.integer(7),
            shows: row.values[8] == .null ? nil : row.text(8)
        )
    }

    private static let notNow = Problem(
        "flow.document",
        status: 409,
        zh: "记录现在的状态不能制发这份文书。",
        en: "This document is not issued in the record's state."
    )

    /// Issues a document by hand, where its states allow it.
    public var issue: Action<(code: String, record: Int64, document: String), Int64> {
        Action(Self.issueDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let place = try await place(input.code)
            let standing = try await standing(resource, input.record)
            let declared = try await declaration(place, number: standing?.number)
            guard let flow = declared.flow, let state = standing?.state, let first = flow.steps.first,
                let document = declared.documents.first(where: { $0.key == input.document && $0.states.contains(state) }
                )
            else { throw Self.notNow }
            let before = try await kernel.databases.records.read { db in
                try self.lake.texts(of: input.record, in: resource, decision, db)
            }
            try Self.checkPaper(DocumentTemplate.shown(by: document, declared, before), decision, resource)
            let work = StepWork(
                flows: self,
                place: place,
                declared: declared,
                flow: flow,
                step: first,
                resource: resource,
                number: standing?.number ?? place.system.number,
                principal: principal,
                organisation: kernel.gate.organisations[principal.organisation],
                now: kernel.clock.now(),
                calendar: try await kernel.calendar(),
                targets: [:],
                related: try await related(
                    of: declared,
                    for: [document.template],
                    input.record,
                    resource,
                    decision.caller
                ),
                people: try await people(resource, input.record),
                surroundings: try await surroundings(
                    place,
                    declared,
                    resource,
                    for: declared.beside(of: [document.template]),
                    record: input.record,
                    before
                )
            )
            let id = try await kernel.databases.records.write { db in
                let values = try self.lake.texts(of: input.record, in: resource, decision, db)
                guard let standing = try FlowStore.standing(resource.id.raw, input.record, db),
                    standing.number == work.number, document.states.contains(standing.state)
                else { throw Self.notNow }
                return try work.issue(document, input.record, values, 0, db)
            }
            decision.note("record", String(input.record))
            decision.note("document", String(id))
            return id
        }
    }

    /// An issued document as it was issued, with its markup.
    public var document: Action<(code: String, record: Int64, id: Int64), (document: IssuedDocument, body: String)> {
        Action(Self.documentDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("文书", "the document")) }
            let found = try await issued(input.id, of: input.record, resource, decision)
            decision.note("document", String(input.id))
            return found
        }
    }

    /// A document of a record that a decision reaches.
    ///
    /// - Throws: `flow.masked` where something stands on it that the decision masks or hides.
    func issued(
        _ id: Int64,
        of record: Int64,
        _ resource: Resource,
        _ decision: Decision
    ) async throws -> (document: IssuedDocument, body: String) {
        let found = try await kernel.databases.records.read { db in
            _ = try self.lake.texts(of: record, in: resource, decision, db)
            return try db.row(
                "SELECT id, document, title, number, code, digest, principal, issued_at, shown, body FROM flow_documents WHERE id = ? AND resource = ? AND record = ?",
                [.integer(id), .integer(resource.id.raw), .integer(record)]
            )
        }
        guard let found else { throw Problem.notFound(.init("文书", "the document")) }
        let document = Self.read(found)
        try Self.checkPaper(document.shows, decision, resource)
        return (document, found.text(9))
    }

    /// What anyone may know of a document whose code they hold: that it is the node's, and of which day.
    public struct Verification: Sendable {
        public var document: IssuedDocument
        public var organisation: String
        /// Whether what is kept still is what was issued.
        public var isWhole: Bool
    }

    /// Verifies a document by the code that is printed on it.
    public var verify: Action<String, Verification> {
        Action(Self.verifyDescriptor) { [kernel] code, _ in
            let found = try await kernel.databases.records.read { db in
                try db.row(
                    "SELECT id, document, title, number, code, digest, principal, issued_at, shown, body, resource FROM flow_documents WHERE code = ?",
                    [.text(code)]
                )
            }
            guard let found else {
                throw Problem(
                    "flow.unverified",
                    status: 404,
                    zh: "没有这个核验码的文书。",
                    en: "There is no document with this code.",
                    hint: .init("请核对核验码，注意大小写。", "Compare the code, capital and small letters.")
                )
            }
            let document = Self.read(found)
            let owner = try await kernel.resource(ResourceID(found.integer(10))).owner
            return Verification(
                document: document,
                organisation: kernel.gate.organisations[owner]?.name ?? "",
                isWhole: Digest(.sm3, of: Array(found.text(9).utf8)).description == document.digest
            )
        }
    }
}

extension ResourceDeclaration.AttachmentKind.Accept {
    func takes(_ type: String) -> Bool {
        switch self {
        case .any: true
        case .image: type.hasPrefix("image/")
        case .video: type.hasPrefix("video/")
        case .audio: type.hasPrefix("audio/")
        case .pdf: type == "application/pdf"
        }
    }

    public var title: LocalizedText {
        switch self {
        case .any: .init("任何文件", "any file")
        case .image: .init("图片", "images")
        case .video: .init("视频", "video")
        case .audio: .init("音频", "audio")
        case .pdf: .init("PDF", "PDF")
        }
    }
}
