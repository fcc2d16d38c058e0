public import Basics
public import Kernel
import Store

extension CatalogueActions {
    static let standardsDescriptor = ActionDescriptor(
        "standards.list",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "查看数据标准",
        en: "look at the standards"
    )
    static let saveStandardsDescriptor = ActionDescriptor(
        "standards.save",
        .standardsManage,
        .write,
        zh: "维护数据标准",
        en: "maintain the standards"
    )
    static let standardDescriptors = [standardsDescriptor, saveStandardsDescriptor]

    /// Everything the registry holds.
    public var standards: Action<Void, StandardsRegistry> {
        Action(Self.standardsDescriptor) { [catalogue] _, _ in try await catalogue.standards.registry() }
    }

    /// Saves elements, code lists and trees; a job compares every entry again. How many changed.
    public var saveStandards: Action<[(kind: StandardKind, json: JSONValue)], Int> {
        Action(Self.saveStandardsDescriptor) { [catalogue] items, decision in
            guard let principal = decision.caller.principal else { return 0 }
            let changed = try await catalogue.standards.save(items, by: principal.id)
            decision.note("items", String(items.count))
            decision.note("changed", String(changed))
            if changed > 0 {
                _ = try await catalogue.kernel.jobs.add(Catalogue.compareJob, .null, by: principal.id, resource: "")
            }
            return changed
        }
    }
}

extension Catalogue {
    /// The job that compares every entry with the standards.
    public static let compareJob = "compare_standards"

    /// Queues the comparison where entries of an earlier release were never compared.
    public func keepUp() async throws {
        let isWaiting = try await kernel.databases.control.read {
            try $0.row("SELECT 1 FROM entries WHERE remarks < 0 LIMIT 1") != nil
        }
        guard isWaiting, let principal = try await kernel.accounts.find(login: "command-line") else { return }
        _ = try await kernel.jobs.add(Catalogue.compareJob, .null, by: principal.id, resource: "")
    }

    /// Names the code of the jobs.
    public func registerJobs() {
        kernel.jobs.register(Catalogue.compareJob) { [self] _, _ in
            try await compareAll()
            return .null
        }
    }

    /// Counts, for every entry, the fields that name an element and those that follow it: after the standards changed.
    func compareAll() async throws {
        let surroundings = try await surroundings()
        var last: Int64 = 0
        while true {
            let from = last
            let rows = try await kernel.databases.control.read { db in
                try db.rows(
                    "SELECT resource, coalesce(published, draft) FROM entries WHERE resource > ? ORDER BY resource LIMIT 500",
                    [.integer(from)]
                )
            }
            guard let end = rows.last?.integer(0) else { break }
            last = end
            let counts = try rows.map { row in
                let content = try EntryContent(JSONValue(text: row.text(1)))
                let (bound, conforming) = surroundings.standards.conformance(content.schema)
                return (
                    id: row.integer(0), bound: bound, conforming: conforming, remarks: surroundings.remarks(content)
                )
            }
            try await kernel.databases.control.write { db in
                for count in counts {
                    let values: [SQLValue] = [
                        .integer(count.bound), .integer(count.conforming), .integer(count.remarks),
                    ]
                    try db.execute(
                        "UPDATE entries SET bound = ?, conforming = ?, remarks = ? WHERE resource = ? AND (bound <> ? OR conforming <> ? OR remarks <> ?)",
                        values + [.integer(count.id)] + values
                    )
                }
            }
        }
        try await index.reload()
    }
}
