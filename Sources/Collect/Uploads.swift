public import Basics
public import Check
public import Foundation
public import Kernel
public import Store
public import Tabular

/// A file that was sent and lies ready to be looked at, checked and loaded.
public struct Upload: Sendable {
    public var id: String
    public var name: String
    public var path: String
    public var size: Int64
    public var principal: PrincipalID
    public var at: Int64
}

/// Files on their way in. The sender declares that they hold no state secrets (不含涉密数据).
public final class Uploads: Sendable {
    let kernel: Kernel
    /// Where files lie.
    public let folder: URL

    public static let migrations = [
        Migration(
            "collect/001-uploads",
            [
                "CREATE TABLE uploads (id TEXT PRIMARY KEY, name TEXT NOT NULL, path TEXT NOT NULL, size BIGINT NOT NULL, principal BIGINT NOT NULL, at BIGINT NOT NULL)",
                "CREATE INDEX uploads_principal ON uploads (principal, at)",
            ]
        )
    ]

    public init(kernel: Kernel, folder: URL) {
        self.kernel = kernel
        self.folder = folder
    }

    static let uploadDescriptor = ActionDescriptor("collect.upload", .dataLoad, .write, zh: "上传文件", en: "upload a file")
    static let inspectDescriptor = ActionDescriptor(
        "collect.inspect",
        .dataLoad,
        .read,
        zh: "查看上传文件的表",
        en: "list the tables of an upload"
    )
    static let describeDescriptor = ActionDescriptor(
        "collect.describe",
        .dataLoad,
        .read,
        zh: "推断数据结构",
        en: "infer a schema"
    )
    static let checkDescriptor = ActionDescriptor("collect.check", .dataLoad, .read, zh: "检查文件", en: "check a file")

    public static let descriptors = [uploadDescriptor, inspectDescriptor, describeDescriptor, checkDescriptor]

    /// A file received into a temporary place.
    public struct Received: Sendable {
        public var name: String
        public var temporaryPath: String
        public var declaresNoSecrets: Bool
        public init(name: String, temporaryPath: String, declaresNoSecrets: Bool) {
            self.name = name
            self.temporaryPath = temporaryPath
            self.declaresNoSecrets = declaresNoSecrets
        }
    }

    /// Takes a received file over.
    public var upload: Action<Received, Upload> {
        Action(Self.uploadDescriptor) { [kernel, folder] input, decision in
            guard input.declaresNoSecrets else {
                throw Problem(
                    "collect.declaration",
                    status: 422,
                    zh: "请先声明文件不含涉密数据。",
                    en: "Declare first that the file holds no state secrets."
                )
            }
            guard let principal = decision.caller.principal else { throw Problem.notFound(.init("账号", "the account")) }
            let now = kernel.clock.now()
            let id = TimeOrderedID.make(microseconds: now)
            let suffix =
                input.name.split(separator: ".").last.map {
                    "." + $0.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(8)
                } ?? ""
            let target = folder.appendingPathComponent(id + suffix)
            try FileManager.default.moveItem(atPath: input.temporaryPath, toPath: target.path)
            let size = (try FileManager.default.attributesOfItem(atPath: target.path)[.size] as? Int64) ?? 0
            let upload = Upload(
                id: id,
                name: input.name,
                path: target.path,
                size: size,
                principal: principal.id,
                at: now
            )
            try await kernel.databases.control.write { db in
                try db.execute(
                    "INSERT INTO uploads (id, name, path, size, principal, at) VALUES (?,?,?,?,?,?)",
                    [
                        .text(id), .text(upload.name), .text(target.lastPathComponent), .integer(size),
                        .integer(principal.id.raw), .integer(now),
                    ]
                )
            }
            decision.note("upload", id)
            decision.note("bytes", String(size))
            decision.note("declaration", "no_state_secrets")
            return upload
        }
    }

    /// A person's own upload.
    func find(_ id: String, _ principal: Principal?) async throws -> Upload {
        let found = try await kernel.databases.control.read { db in
            try db.row("SELECT id, name, path, size, principal, at FROM uploads WHERE id = ?", [.text(id)])
        }
        guard let found, let principal, found.integer(4) == principal.id.raw else {
            throw Problem.notFound(.init("上传的文件", "the upload"))
        }
        return Upload(
            id: found.text(0),
            name: found.text(1),
            path: folder.appendingPathComponent(found.text(2)).path,
            size: found.integer(3),
            principal: PrincipalID(found.integer(4)),
            at: found.integer(5)
        )
    }

    /// Which table of which upload, and how to read it.
    public struct Selection: Sendable {
        public var upload: String
        public var table: String?
        public var encoding: TextEncoding?
        public var header: SheetLayout.HeaderHint
        public init(
            upload: String,
            table: String? = nil,
            encoding: TextEncoding? = nil,
            header: SheetLayout.HeaderHint = .detect
        ) {
            self.upload = upload
            self.table = table
            self.encoding = encoding
            self.header = header
        }
    }

    /// The tables of an upload, and the one selected.
    public struct Inspection: Sendable {
        public var upload: Upload
        public var tables: [TabularFile.Table]
        public var table: TabularFile.Table
        public var notes: [LocalizedText]
    }

    /// What a look at an upload's rows says.
    public struct Description: Sendable {
        public var inspection: Inspection
        public var proposal: SchemaProposal
    }

    private func open(
        _ selection: Selection,
        _ decision: Decision
    ) async throws -> (file: TabularFile, inspection: Inspection) {
        let upload = try await find(selection.upload, decision.caller.principal)
        let file = try TabularFile(
            path: upload.path,
            options: ReadOptions(encoding: selection.encoding, header: selection.header)
        )
        let table = try file.table(selection.table)
        return (file, Inspection(upload: upload, tables: file.tables, table: table, notes: file.notes))
    }

    /// Finds the tables of an upload without reading them through.
    public var inspect: Action<Selection, Inspection> {
        Action(Self.inspectDescriptor) { [self] input, decision in try await open(input, decision).inspection }
    }

    /// Infers the schema of a table.
    public var describe: Action<Selection, Description> {
        Action(Self.describeDescriptor) { [self] input, decision in
            let (file, inspection) = try await open(input, decision)
            let proposal = try Inference.propose(
                try file.reader(inspection.table),
                layout: inspection.table.layout
            )
            return Description(inspection: inspection, proposal: proposal)
        }
    }

    /// Checks a table against a schema without loading it.
    public var check: Action<(selection: Selection, schema: Schema), CheckReport> {
        Action(Self.checkDescriptor) { [self] input, decision in
            let (file, inspection) = try await open(input.selection, decision)
            let table = inspection.table
            let reader = try file.reader(table)
            let checker = try Checker(schema: input.schema, header: reader.header)
            for note in table.layout.notes { checker.note(note) }
            while let raw = try reader.next() { _ = checker.check(raw) }
            return checker.report()
        }
    }
}
