public import Basics
import Declare
public import Kernel
import Store

/// Work of a system's Swift as its pack declares it: who may ask for it, and how often the node does it by itself.
public struct WorkDeclaration: Sendable, Hashable {
    public enum Interval: String, Sendable, CaseIterable { case never, hour, day, month }

    public var key: String
    public var title: LocalizedText
    /// The key of the resource it is about: whoever asks for it may act there.
    public var resource: String
    public var roles: [String]
    public var every: Interval

    static func read(_ place: Declaration, _ system: SystemDeclaration, _ known: SystemDeclaration.Known) -> Self {
        place.allow(["key", "title", "of", "roles", "every"])
        let key = place.key()
        let known = known.roles
        let there = SystemCode.work(of: system.id)
        if !key.isEmpty, !there.contains(key) {
            place.at("key")?.unknown(.init("本程序中的系统作业", "work in this program's Swift"), key, among: there)
        }
        let of = place.text("of", required: true)
        if !of.isEmpty, system.resource(of) == nil {
            place.at("of")?.unknown(.init("资源", "resource"), of, among: system.resources.map(\.key))
        }
        let roles = place.texts("roles")
        for (role, item) in roles where !known.contains(role) {
            item.unknown(.init("角色", "role"), role, among: known)
        }
        let every = place.choice("every", Interval.never)
        if roles.isEmpty, every == .never {
            place.fail("没有人也没有时间执行：须写“roles”或“every”", "nobody and no time does it: “roles” or “every” is needed")
        }
        return WorkDeclaration(
            key: key,
            title: place.title("title"),
            resource: of,
            roles: roles.map(\.text),
            every: every
        )
    }

    /// The hour, day or month that a moment lies in, in China's time.
    func period(_ moment: Int64) -> String? {
        let minute = CivilTime.minute(moment)
        return switch every {
        case .never: nil
        case .hour: String(minute.prefix(13))
        case .day: String(minute.prefix(10))
        case .month: String(minute.prefix(7))
        }
    }
}

extension Flows {
    static let workDescriptor = ActionDescriptor("flow.work", .flowAct, .write, zh: "执行系统作业", en: "do a system's work")
    static let workJob = "flow.work"

    /// Work of a system that somebody may ask for.
    public func work(of system: InstalledSystem, _ caller: Caller) async throws -> [WorkDeclaration] {
        guard let principal = caller.principal else { return [] }
        var found: [WorkDeclaration] = []
        for work in system.declaration.work where principal.has(oneOf: work.roles) {
            guard let code = system.codes[work.resource] else { continue }
            if kernel.gate.admits(Self.workDescriptor, try await kernel.resource(code), caller) { found.append(work) }
        }
        return found
    }

    /// Queues a system's work; the number of the job.
    ///
    /// - Throws: `flow.role`, `request.not_found`.
    public var ask: Action<(system: String, work: String), Int64> {
        Action(
            Self.workDescriptor,
            target: { [self] in try await kernel.resource(try await declared($0.system, $0.work).code) }
        ) { [self] input, decision in
            let (work, code) = try await declared(input.system, input.work)
            guard let principal = decision.caller.principal, principal.has(oneOf: work.roles) else {
                throw Problem(
                    "flow.role",
                    status: 403,
                    zh: "“\(work.title.zh)”由其他角色执行。",
                    en: "“\(work.title.en)” is done by another role.",
                    details: ["roles": work.roles.joined(separator: ", ")]
                )
            }
            decision.note("pack", input.system)
            decision.note("work", input.work)
            let payload = JSONValue.object([
                .init("pack", .string(input.system)), .init("work", .string(input.work)),
            ])
            // What waits already is not asked for twice.
            if let waiting = try await kernel.jobs.recent(kinds: [Self.workJob], limit: 50).first(where: {
                $0.state == .queued && $0.payload == payload
            }) {
                decision.note("job", String(waiting.id))
                return waiting.id
            }
            let job = try await kernel.jobs.add(Self.workJob, payload, by: principal.id, resource: code)
            decision.note("job", String(job))
            return job
        }
    }

    private func declared(_ system: String, _ key: String) async throws -> (WorkDeclaration, code: String) {
        let installed = try await systems.system(system)
        guard let work = installed.declaration.work.first(where: { $0.key == key }),
            let code = installed.codes[work.resource]
        else { throw Problem.notFound(.init("系统作业", "the work")) }
        return (work, code)
    }

    /// Does work that was queued, as the node.
    func doWork(_ job: Job) async throws -> JSONValue {
        let (pack, key) = (job.payload["pack"]?.string ?? "", job.payload["work"]?.string ?? "")
        let system = try await systems.system(pack)
        guard let work = SystemCode.work(key, of: pack), system.declaration.work.contains(where: { $0.key == key }),
            let machine = try await kernel.accounts.find(login: Principal.commandLine)
        else { throw Problem.notFound(.init("系统作业", "the work")) }
        let desk = SystemDesk(
            flows: self,
            system: system,
            caller: Caller(principal: machine, trace: "job-\(job.id)"),
            today: CivilTime.chinaDay(microseconds: kernel.clock.now())
        )
        let found = try await work.run(desk)
        return .array(
            found.map {
                .object([
                    .init("zh", .string($0.title.zh)), .init("en", .string($0.title.en)),
                    .init("value", .integer($0.value)),
                ])
            }
        )
    }

    /// The last run of a system's work; nil where there was none of late.
    public func lastRun(of work: WorkDeclaration, _ system: InstalledSystem) async throws -> Job? {
        try await kernel.jobs.recent(kinds: [Self.workJob], limit: 100).first {
            $0.payload["pack"]?.string == system.id && $0.payload["work"]?.string == work.key
        }
    }

    /// Queues the work whose hour, day or month has come: once for each, however many processes look.
    func keepUpWork(_ machine: Principal) async throws {
        let now = kernel.clock.now()
        for system in try await systems.all() {
            for work in system.declaration.work {
                guard let period = work.period(now), let code = system.codes[work.resource] else { continue }
                let name = "work.\(system.id).\(work.key)"
                let known = try await kernel.databases.control.read { db in
                    try db.row("SELECT value FROM settings WHERE name = ?", [.text(name)])?.text(0)
                }
                guard known != period else { continue }
                let payload = JSONValue.object([
                    .init("pack", .string(system.id)), .init("work", .string(work.key)),
                ])
                try await kernel.databases.control.write { [kernel] db in
                    let changed = try db.execute(
                        "INSERT INTO settings (name, value) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE settings.value <> excluded.value",
                        [.text(name), .text(period)]
                    )
                    guard changed == 1 else { return }
                    _ = try kernel.jobs.add(Self.workJob, payload, by: machine.id, resource: code, at: now, db)
                }
            }
        }
    }
}
