import Basics
public import Kernel
import Lake
public import Tabular

extension Derivations {
    static let listDescriptor = ActionDescriptor(
        "derivation.list",
        .dataLoad,
        .view,
        zh: "派生资源列表",
        en: "list derivations"
    )
    static let showDescriptor = ActionDescriptor(
        "derivation.show",
        .dataLoad,
        .view,
        zh: "查看派生定义",
        en: "show a derivation"
    )
    static let previewDescriptor = ActionDescriptor(
        "derivation.preview",
        .dataLoad,
        .view,
        zh: "试算派生",
        en: "try a derivation"
    )
    static let saveDescriptor = ActionDescriptor(
        "derivation.save",
        .dataLoad,
        .write,
        zh: "保存派生定义",
        en: "save a derivation"
    )
    static let removeDescriptor = ActionDescriptor(
        "derivation.remove",
        .dataLoad,
        .write,
        zh: "删除派生定义",
        en: "take a derivation away"
    )
    static let refreshDescriptor = ActionDescriptor(
        "derivation.refresh",
        .dataLoad,
        .write,
        zh: "立即重算派生",
        en: "make derived rows now"
    )
    static let runDescriptor = ActionDescriptor(
        "derivation.run",
        .dataLoad,
        .write,
        zh: "生成派生数据",
        en: "make derived rows"
    )
    static let lineageDescriptor = ActionDescriptor(
        "derivation.lineage",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "数据血缘",
        en: "lineage of a resource"
    )

    public static let descriptors = [
        listDescriptor, showDescriptor, previewDescriptor, saveDescriptor, removeDescriptor, refreshDescriptor,
        runDescriptor, lineageDescriptor,
    ]

    /// The derivations of resources that the caller may load.
    public var listed: Action<Void, [DerivationRecord]> {
        Action(Self.listDescriptor) { [self] _, decision in
            let owners = kernel.gate.ownersReached(by: decision.caller, with: .dataLoad)
            return try await all().filter { owners?.contains($0.resource.owner) ?? true }
        }
    }

    public var show: Action<String, DerivationRecord> {
        Action(Self.showDescriptor, target: { [self] in try await kernel.resource($0) }) { [self] _, decision in
            guard let resource = decision.resource, let record = try await find(resource.id) else { throw Self.unknown }
            return record
        }
    }

    /// What a definition would make.
    public struct Preview: Sendable {
        /// The fields, protected as what they are made of is.
        public var fields: [Field]
        public var sharing: [Sharing]
        /// The first rows; nil where only the fields were asked for.
        public var rows: Batch?
    }

    /// Settles a definition and makes its first rows, of groups all of them within the time there is.
    public var preview: Action<(definition: Derivation, rows: Int), Preview> {
        Action(Self.previewDescriptor) { [self] input, decision in
            let plan = try await plan(input.definition, for: decision.caller)
            try checkRights(plan, decision.caller)
            var preview = Preview(fields: plan.fields, sharing: plan.sharing)
            guard input.rows > 0 else { return preview }
            let wanted = min(input.rows, 200)
            let run = DerivationRun(
                plan: plan,
                lake: lake,
                gate: kernel.gate,
                caller: decision.caller,
                deadline: .now + .seconds(10)
            )
            var found: Batch?
            do {
                try await run.forEach { batch in
                    let kept = (0..<Int32(min(batch.count, wanted - (found?.count ?? 0)))).map { $0 }
                    let part = Batch(
                        fields: batch.fields,
                        columns: batch.columns.map { $0.taking(kept) },
                        count: kept.count
                    )
                    if found == nil {
                        found = part
                    } else {
                        for index in part.columns.indices { found?.columns[index].append(part.columns[index]) }
                        found?.count += part.count
                    }
                    if (found?.count ?? 0) >= wanted { throw Enough() }
                }
            } catch is Enough {}
            preview.rows =
                found
                ?? Batch(
                    fields: plan.fields,
                    columns: plan.fields.map {
                        var builder = ColumnBuilder($0)
                        return builder.finish()
                    },
                    count: 0
                )
            return preview
        }
    }

    private struct Enough: Error {}

    /// Says how the rows of a resource are made; they are made soon after.
    public var saved: Action<(code: String, definition: Derivation), Void> {
        Action(Self.saveDescriptor, target: { [self] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Self.unknown }
            decision.note("sources", input.definition.sources.map(\.code).joined(separator: " "))
            try await save(input.definition, resource, by: decision.caller)
        }
    }

    /// Takes a derivation away; the rows stay as they are.
    public var removed: Action<String, Void> {
        Action(Self.removeDescriptor, target: { [self] in try await kernel.resource($0) }) { [self] _, decision in
            guard let resource = decision.resource, try await find(resource.id) != nil else { throw Self.unknown }
            try await remove(resource)
        }
    }

    /// Queues the making of a resource's rows; the job.
    public var refreshed: Action<String, Int64> {
        Action(Self.refreshDescriptor, target: { [self] in try await kernel.resource($0) }) { [self] _, decision in
            guard let resource = decision.resource, try await find(resource.id) != nil,
                let principal = decision.caller.principal
            else { throw Self.unknown }
            let job = try await queue(resource, by: principal.id)
            decision.note("job", String(job))
            return job
        }
    }

    /// Makes the rows: what the job does, as the account that defined them.
    var run: Action<(code: String, definition: Derivation, progress: @Sendable (Int64, Int64) -> Void), Load> {
        Action(Self.runDescriptor, target: { [self] in try await kernel.resource($0.code) }) { [self] input, decision in
            guard let resource = decision.resource else { throw Self.unknown }
            let load = try await run(resource, input.definition, decision.caller, input.progress)
            decision.note("load", String(load.id))
            return load
        }
    }

    /// Where a resource's rows come from and what is made of them.
    public var lineage: Action<String, Lineage> {
        Action(Self.lineageDescriptor, target: { [self] in try await kernel.resource($0) }) { [self] _, decision in
            guard let resource = decision.resource else { throw Self.unknown }
            return try await lineage(of: resource, for: decision.caller)
        }
    }
}
