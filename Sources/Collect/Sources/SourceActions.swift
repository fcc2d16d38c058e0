public import Basics
import Connect
import Lake
public import Kernel

extension Sources {
    static let listDescriptor = ActionDescriptor("source.list", .dataLoad, .view, zh: "归集来源列表", en: "list sources")
    static let troubledDescriptor = ActionDescriptor(
        "source.troubled",
        .sessionOwn,
        .view,
        zh: "本人负责的异常来源",
        en: "list one's own sources in trouble"
    )
    static let showDescriptor = ActionDescriptor("source.show", .dataLoad, .view, zh: "查看归集来源", en: "show a source")
    public static let saveDescriptor = ActionDescriptor(
        "source.save",
        .sourceManage,
        .write,
        zh: "保存归集来源",
        en: "save a source"
    )
    static let removeDescriptor = ActionDescriptor(
        "source.remove",
        .sourceManage,
        .write,
        zh: "删除归集来源",
        en: "take a source away"
    )
    static let rewindDescriptor = ActionDescriptor(
        "source.rewind",
        .sourceManage,
        .write,
        zh: "从头归集",
        en: "read a source from its start"
    )
    static let probeDescriptor = ActionDescriptor("source.probe", .sourceManage, .write, zh: "试连来源", en: "try a source")
    static let runDescriptor = ActionDescriptor("source.run", .dataLoad, .write, zh: "立即归集", en: "read a source now")
    static let alarmDescriptor = ActionDescriptor(
        "source.alarm",
        .dataLoad,
        .write,
        zh: "断更告警",
        en: "raise the alarm of a silent source"
    )

    public static let descriptors =
        [
            listDescriptor, troubledDescriptor, showDescriptor, saveDescriptor, removeDescriptor, rewindDescriptor,
            probeDescriptor, runDescriptor, alarmDescriptor,
        ] + readingDescriptors

    /// The sources whose resources the caller may load.
    public var listed: Action<Void, [Source]> {
        Action(Self.listDescriptor) { [self] _, decision in
            try await list(owners: kernel.gate.ownersReached(by: decision.caller, with: .dataLoad))
        }
    }

    /// The sources that the caller answers for and that fail or fell silent.
    public var trouble: Action<Void, [Source]> {
        Action(Self.troubledDescriptor) { [self] _, decision in
            guard let principal = decision.caller.principal else { return [] }
            return try await troubled(principal.id)
        }
    }

    /// A source and its latest runs.
    public var show: Action<Int64, (source: Source, runs: [SourceRun])> {
        Action(Self.showDescriptor, target: { [self] in try await resource(of: $0) }) { [self] id, _ in
            (try await find(id), try await runs(id, limit: 50))
        }
    }

    /// A source as it should be. The login names the responsible person; a nil secret keeps the one there is.
    public struct Change: Sendable {
        public var source: Source
        public var responsible: String
        public var secret: String?
        public init(source: Source, responsible: String, secret: String?) {
            self.source = source
            self.responsible = responsible
            self.secret = secret
        }

        /// Reads a change as the API, the forms and the command line write it.
        ///
        /// - Throws: `source.invalid`, `source.schedule`.
        public init(json: JSONValue, id: Int64 = 0, secret: String? = nil) throws(Problem) {
            guard let kind = json["kind"]?.string.flatMap(SourceKind.init(rawValue:)) else {
                let kinds = SourceKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem(
                    "source.invalid",
                    status: 422,
                    zh: "归集来源填写有误：kind 应为 \(kinds) 之一。",
                    en: "The source is not right: kind should be one of \(kinds)."
                )
            }
            guard let mode = json["mode"]?.string.flatMap(LoadMode.init(rawValue:)) else {
                let modes = LoadMode.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem(
                    "source.invalid",
                    status: 422,
                    zh: "归集来源填写有误：mode 应为 \(modes) 之一。",
                    en: "The source is not right: mode should be one of \(modes)."
                )
            }
            let settings = (json["settings"]?.members ?? []).compactMap { member -> (String, String)? in
                member.value.isNull ? nil : (member.name, member.value.string ?? member.value.text)
            }
            let source = Source(
                id: id,
                name: json["name"]?.string ?? "",
                code: json["resource"]?.string ?? "",
                kind: kind,
                settings: Dictionary(settings, uniquingKeysWith: { $1 }),
                mode: mode,
                schedule: try Schedule(text: json["schedule"]?.string ?? "manual"),
                responsible: PrincipalID(0),
                silenceHours: json["silence_hours"]?.integer ?? 0,
                isEnabled: json["enabled"]?.boolean ?? true
            )
            self.init(
                source: source,
                responsible: json["responsible"]?.string ?? "",
                secret: secret ?? json["secret"]?.string
            )
        }
    }

    /// Adds a source (number 0) or changes one; its number.
    public var saved: Action<Change, Int64> {
        Action(
            Self.saveDescriptor,
            target: { [self] in
                // The resource of a source stays what it was.
                $0.source.id == 0 ? try await kernel.resource($0.source.code) : try await resource(of: $0.source.id)
            }
        ) { [self] change, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Sources.unknown
            }
            var source = change.source
            source.responsible = try await person(change.responsible, else: principal)
            let id = try await save(source, secret: change.secret, resource: resource, by: principal.id)
            decision.note("source", String(id))
            decision.note("kind", source.kind.rawValue)
            return id
        }
    }

    public var removed: Action<Int64, Void> {
        Action(Self.removeDescriptor, target: { [self] in try await resource(of: $0) }) { [self] id, decision in
            decision.note("source", String(id))
            try await remove(try await find(id))
        }
    }

    public var rewound: Action<Int64, Void> {
        Action(Self.rewindDescriptor, target: { [self] in try await resource(of: $0) }) { [self] id, decision in
            decision.note("source", String(id))
            try await rewind(try await find(id))
        }
    }

    /// Queues a reading now; the job.
    public var run: Action<Int64, Int64> {
        Action(Self.runDescriptor, target: { [self] in try await resource(of: $0) }) { [self] id, decision in
            guard let principal = decision.caller.principal else { throw Sources.unknown }
            let job = try await queue(try await find(id), by: principal.id)
            decision.note("source", String(id))
            decision.note("job", String(job))
            return job
        }
    }

    /// Tries to reach a source: the names of its columns, or of the files that fit.
    public var probe: Action<Int64, [String]> {
        Action(Self.probeDescriptor, target: { [self] in try await resource(of: $0) }) { [self] id, decision in
            decision.note("source", String(id))
            let source = try await find(id)
            let secret = try await secret(of: source)
            switch source.kind {
            case .postgresql: return try await source.postgres(secret).columns(of: source["table"])
            case .odbc: return try await source.odbc(secret).columns(of: source["table"])
            case .rest: return try await source.rest(secret).columns()
            case .folder, .sftp:
                let files = try await source.files(secret, self).list()
                return files.map(\.name).filter { FileFolder.fits($0, source["pattern"]) }.prefix(50).map { $0 }
            }
        }
    }

    /// Puts the alarm of a silent source into the evidence.
    var alarm: Action<Int64, Void> {
        Action(Self.alarmDescriptor, target: { [self] in try await resource(of: $0) }) { id, decision in
            decision.note("source", String(id))
        }
    }

    private func resource(of id: Int64) async throws -> Resource { try await kernel.resource(try await find(id).code) }

    private func person(_ login: String, else principal: Principal) async throws -> PrincipalID {
        guard !login.isEmpty else { return principal.id }
        guard let found = try await kernel.accounts.find(login: login), found.kind == .person, found.isActive else {
            throw Problem(
                "source.responsible",
                status: 422,
                zh: "没有这个责任人账号，或已停用。",
                en: "There is no such account to answer for it, or it is disabled."
            )
        }
        return found.id
    }
}
