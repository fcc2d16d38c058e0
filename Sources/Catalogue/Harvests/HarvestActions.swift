import Basics
public import Kernel

extension Harvests {
    static let listDescriptor = ActionDescriptor(
        "harvest.list",
        .catalogueReviewAuthority,
        .view,
        zh: "目录汇聚列表",
        en: "list harvests"
    )
    static let saveDescriptor = ActionDescriptor(
        "harvest.save",
        .catalogueReviewAuthority,
        .write,
        zh: "保存目录汇聚",
        en: "save a harvest"
    )
    static let removeDescriptor = ActionDescriptor(
        "harvest.remove",
        .catalogueReviewAuthority,
        .write,
        zh: "删除目录汇聚",
        en: "take a harvest away"
    )
    static let startDescriptor = ActionDescriptor(
        "harvest.start",
        .catalogueReviewAuthority,
        .write,
        zh: "立即汇聚目录",
        en: "read a catalogue now"
    )
    static let runDescriptor = ActionDescriptor(
        "harvest.run",
        .catalogueReviewAuthority,
        .write,
        zh: "汇聚目录",
        en: "follow another catalogue"
    )
    static let originDescriptor = ActionDescriptor(
        "harvest.origin",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "条目的来源目录",
        en: "where an entry came from"
    )

    public static let descriptors = [
        listDescriptor, saveDescriptor, removeDescriptor, startDescriptor, runDescriptor, originDescriptor,
    ]

    /// Who follows a catalogue publishes for its provider: within the reach of a reviewer of the authority.
    private func check(_ harvest: CatalogueHarvest, _ caller: Caller) throws(Problem) {
        let owners = kernel.gate.ownersReached(by: caller, with: .catalogueReviewAuthority)
        guard owners?.contains(harvest.provider) ?? true else {
            throw Problem(
                "access.denied",
                status: 403,
                zh: "无权为该提供方汇聚目录。",
                en: "You may not follow catalogues for this provider."
            )
        }
    }

    public var listed: Action<Void, [CatalogueHarvest]> {
        Action(Self.listDescriptor) { [self] _, decision in
            let owners = kernel.gate.ownersReached(by: decision.caller, with: .catalogueReviewAuthority)
            return try await list().filter { owners?.contains($0.provider) ?? true }
        }
    }

    /// Adds a harvest (`id` 0), or changes one; its number.
    public var saved: Action<CatalogueHarvest, Int64> {
        Action(Self.saveDescriptor) { [self] harvest, decision in
            guard let principal = decision.caller.principal else { throw Harvests.unknown }
            try check(harvest, decision.caller)
            if harvest.id > 0 { try check(try await find(harvest.id), decision.caller) }
            let id = try await save(harvest, by: principal.id)
            decision.note("harvest", String(id))
            return id
        }
    }

    public var removed: Action<Int64, Void> {
        Action(Self.removeDescriptor) { [self] id, decision in
            try check(try await find(id), decision.caller)
            decision.note("harvest", String(id))
            try await remove(id)
        }
    }

    /// Queues a reading; the job.
    public var started: Action<Int64, Int64> {
        Action(Self.startDescriptor) { [self] id, decision in
            let harvest = try await find(id)
            guard let principal = decision.caller.principal else { throw Harvests.unknown }
            try check(harvest, decision.caller)
            let job = try await start(harvest, by: principal.id)
            decision.note("job", String(job))
            return job
        }
    }

    /// Reads a catalogue: what the job does, as the account that queued it.
    var run: Action<(harvest: Int64, job: Int64, progress: @Sendable (Int64, Int64) -> Void), HarvestReport> {
        Action(Self.runDescriptor) { [self] input, decision in
            let harvest = try await find(input.harvest)
            guard let principal = decision.caller.principal else { throw Harvests.unknown }
            try check(harvest, decision.caller)
            let report = try await read(harvest, input.job, by: principal.id, input.progress)
            decision.note("harvest", String(harvest.id))
            decision.note("created", String(report.created))
            decision.note("changed", String(report.changed))
            decision.note("withdrawn", String(report.withdrawn))
            return report
        }
    }

    /// Where an entry came from; nil for one that was made here.
    public var origin: Action<String, EntryOrigin?> {
        Action(Self.originDescriptor, target: { [kernel] in try await kernel.resource($0) }) { [self] _, decision in
            guard let resource = decision.resource else { return nil }
            return try await origin(of: resource.id)
        }
    }
}
