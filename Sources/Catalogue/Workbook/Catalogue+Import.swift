import Basics
import Kernel
import Store
import Tabular

/// What an import of a workbook found and did.
public struct ImportReport: Sendable {
    /// Rows of items read.
    public var rows = 0
    public var created = 0
    public var changed = 0
    public var unchanged = 0
    public var errors = 0
    /// The first findings, by sheet and row.
    public var findings: [WorkbookFinding] = []
    /// Whether the entries are in the catalogue now: all of them, or none.
    public var isApplied = false
}

extension Catalogue {
    /// What is to be done with an entry of a workbook.
    private struct Step: Sendable {
        var entry: WorkbookEntry
        /// The entry that is there; nil for a new one.
        var existing: Entry?
    }

    /// Reads a workbook and, where nothing is wrong with it and `applies` says so, makes drafts of all its entries in one transaction.
    ///
    /// An entry is known by its code, else by provider and name; so importing the same workbook again changes nothing.
    /// `owners` are the organisations the author edits for; nil for all.
    ///
    /// - Throws: `workbook.no_head`, and what reading a file throws.
    func importWorkbook(
        _ path: String,
        applies: Bool,
        owners: Set<OrganisationID>?,
        by author: PrincipalID
    ) async throws -> ImportReport {
        let organisations = kernel.gate.organisations
        var reader = WorkbookReader(organisations)
        try reader.read(path: path)
        var report = ImportReport()
        var steps: [Step] = []
        var codes: Set<String> = []
        var names: Set<String> = []
        var known: Set<ResourceID> = []
        for var entry in reader.entries {
            let content = entry.content
            if let owners, content.provider.raw != 0, !owners.contains(content.provider) {
                let name = organisations[content.provider]?.name ?? ""
                reader.add(
                    .error,
                    entry,
                    "只能为本部门编目，不能为“\(name)”",
                    "entries are made for one's own department, not “\(name)”"
                )
            }
            let told = "\(content.provider.raw) \(TextForms.comparable(content.name))"
            if !names.insert(told).inserted {
                reader.add(
                    .error,
                    entry,
                    "本工作簿中同一提供方有同名资源",
                    "the provider has two resources of this name in the workbook"
                )
            }
            if !entry.code.isEmpty, !codes.insert(entry.code).inserted {
                reader.add(.error, entry, "本工作簿中代码重复", "the code occurs twice in the workbook")
            }
            if !entry.code.isEmpty, !Catalogue.isCode(entry.code, of: content.category) {
                reader.add(
                    .error,
                    entry,
                    "代码“\(entry.code)”应为分类代码加 / 加顺序码",
                    "the code “\(entry.code)” should be the category, / and a number"
                )
            }
            let existing = try await existing(entry)
            if let existing {
                merge(&entry, with: existing)
                if !known.insert(existing.resource.id).inserted {
                    reader.add(.error, entry, "本工作簿中有两处是同一条目", "two places of the workbook are one entry")
                }
                if existing.content == entry.content {
                    report.unchanged += 1
                    continue
                }
                check(entry, against: existing, &reader)
                report.changed += 1
            } else {
                report.created += 1
            }
            do {
                try entry.content.schema.validate()
            } catch {
                if !entry.content.schema.fields.isEmpty {
                    reader.add(.error, entry, error.message.zh, error.message.en)
                }
            }
            for remark in Compliance.check(entry.content, provider: organisations[content.provider])
            where !["category.invalid", "provider.missing", "provider.code", "secret"].contains(remark.id) {
                reader.add(remark.blocks ? .warning : .information, entry, remark.message.zh, remark.message.en)
            }
            if entry.wantsOpening, existing?.resource.isOpen != true {
                reader.add(
                    .information,
                    entry,
                    "向社会开放须另行申请和审查，导入不改变开放属性",
                    "opening is applied for and reviewed separately; importing opens nothing"
                )
            }
            steps.append(Step(entry: entry, existing: existing))
        }
        report.rows = reader.rows
        report.errors = reader.errors
        report.findings = reader.findings.sorted { ($0.severity, $0.sheet, $0.row) < ($1.severity, $1.sheet, $1.row) }
        guard applies, report.errors == 0 else { return report }
        try await apply(steps, try await surroundings(), by: author)
        report.isApplied = true
        return report
    }

    private func check(_ entry: WorkbookEntry, against existing: Entry, _ reader: inout WorkbookReader) {
        if existing.stage != .none, existing.stage != .draft {
            reader.add(.error, entry, "条目正在审核，不能修改", "the entry is under review and cannot be changed")
        }
        if existing.resource.owner != entry.content.provider {
            reader.add(.error, entry, "提供方不能更换，请新建条目", "the provider cannot change; make a new entry")
        }
    }

    /// Merges what a workbook says with what it cannot say: keywords, and of the items keys, kinds, grades and rules.
    private func merge(_ entry: inout WorkbookEntry, with existing: Entry) {
        guard let old = existing.content else { return }
        entry.code = existing.resource.code
        entry.content.keywords = old.keywords
        // A column the workbook does not have says nothing.
        func keep<T>(_ column: WorkbookColumn, _ path: WritableKeyPath<EntryContent, T>) {
            if !entry.columns.contains(column) { entry.content[keyPath: path] = old[keyPath: path] }
        }
        keep(.department, \.department)
        keep(.summary, \.summary)
        keep(.formatClass, \.formatClass)
        keep(.formatType, \.formatType)
        keep(.frequency, \.frequency)
        keep(.related, \.related)
        keep(.level, \.level)
        for (index, told) in entry.content.schema.fields.enumerated() {
            guard let at = old.schema.fields.firstIndex(where: { $0.display == told.name || $0.name == told.name }),
                at < old.items.count
            else { continue }
            if !entry.columns.contains(.condition) { entry.content.items[index].condition = old.items[at].condition }
            if !entry.columns.contains(.modeClass), !entry.columns.contains(.modeType) {
                entry.content.items[index].mode = old.items[at].mode
            }
            if !entry.columns.contains(.openCondition) {
                entry.content.items[index].openCondition = old.items[at].openCondition
            }
        }
        var schema = old.schema
        schema.fields = entry.content.schema.fields.map { told in
            guard let index = old.schema.fields.firstIndex(where: { $0.display == told.name || $0.name == told.name })
            else { return told }
            var field = old.schema.fields[index]
            if WorkbookWords.typeName(field.type) != WorkbookWords.typeName(told.type) { field.type = told.type }
            if entry.columns.contains(.itemLength) {
                if field.type == .text, told.type == .text { field.maximumLength = told.maximumLength }
                if field.type == .decimal { field.scale = told.scale }
            }
            return field
        }
        schema.key = schema.key.filter { name in schema.fields.contains { $0.name == name } }
        entry.content.schema = schema
    }

    static func isCode(_ code: String, of category: String) -> Bool {
        let parts = code.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0] == category && (1...6).contains(parts[1].utf8.count)
            && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    private func existing(_ entry: WorkbookEntry) async throws -> Entry? {
        try await kernel.databases.control.read { db in try Catalogue.find(entry, db) }
    }

    /// The entry a workbook means: by its code, else by provider and name.
    private static func find(_ entry: WorkbookEntry, _ db: any SQLReading) throws -> Entry? {
        let base = "SELECT \(columns) FROM entries e JOIN resources r ON r.id = e.resource WHERE "
        let found =
            entry.code.isEmpty
            ? try db.row(
                // By the name's index; a provider may have thousands.
                base + "e.comparable = ? AND r.owner + 0 = ? AND r.state <> 'offline' ORDER BY r.id LIMIT 1",
                [.text(TextForms.comparable(entry.content.name)), .integer(entry.content.provider.raw)]
            ) : try db.row(base + "r.code = ?", [.text(entry.code)])
        return try found.map(read)
    }

    private func apply(_ steps: [Step], _ surroundings: Surroundings, by author: PrincipalID) async throws {
        let now = kernel.clock.now()
        try await kernel.databases.control.write { db in
            for step in steps {
                let content = step.entry.content
                if let existing = step.existing {
                    try Catalogue.update(existing, content, author, now, surroundings, db)
                    continue
                }
                // Somebody may have made it since it was looked for.
                guard try Catalogue.find(step.entry, db) == nil else { throw Catalogue.dealtWith }
                let code =
                    step.entry.code.isEmpty ? try Catalogue.nextCode(content.category, db) : step.entry.code
                if !step.entry.code.isEmpty { try Catalogue.reserve(code, db) }
                try Catalogue.insert(code, content, .lake, author, now, surroundings, db)
            }
        }
        for step in steps { if let existing = step.existing { kernel.forget(resource: existing.resource.code) } }
        try await index.reload()
    }

    /// Numbers given by a workbook are not given again by the node.
    private static func reserve(_ code: String, _ db: any SQLWriting) throws {
        let parts = code.split(separator: "/")
        guard parts.count == 2, let number = Int64(parts[1]) else { return }
        try db.execute(
            "INSERT INTO code_sequences (category, last) VALUES (?, ?) ON CONFLICT (category) DO UPDATE SET last = CASE WHEN excluded.last > code_sequences.last THEN excluded.last ELSE code_sequences.last END",
            [.text(String(parts[0])), .integer(number)]
        )
    }
}
