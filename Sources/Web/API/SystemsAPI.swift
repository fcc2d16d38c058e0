import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// Systems for programs: what there is, what a record's flow says, steps.
enum SystemsAPI {
    static let routes: [Route] = [
        Route(.get, "/api/v1/systems", .actions(["system.list"]), .console, zh: "业务系统", en: "Systems") { web in
            let systems = try await web.perform(web.services.flows.listed, ())
            return .json(.object([.init("systems", .array(systems.map(json)))]))
        },
        Route(.get, "/api/v1/tasks", .actions(["flow.tasks"]), .console, zh: "业务待办", en: "Tasks") { web in
            let tasks = try await web.perform(web.services.flows.tasks, web.limit(50, 200))
            return .json(.object([.init("tasks", .array(tasks.map(json)))]))
        },
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/records",
            .actions(["flow.step", "flow.send"]),
            zh: "办理开始步骤；公众提交时只答复编号",
            en: "Take a beginning step; the public learns the record's number only"
        ) { web in
            let body = try await web.json()
            if let (place, step) = try await PublicForms.step(web, body["step"]?.string ?? "") {
                let sent = try await PublicForms.send(try request(place, nil, body, step: step.key), web)
                return .json(.object([.init("number", .string(sent.number))]), status: .created)
            }
            let place = try await RecordPages.place(web)
            let outcome = try await web.perform(web.services.flows.step, try request(place, nil, body))
            return .json(json(outcome), status: .created)
        },
        Route(
            .get,
            "/api/v1/systems/{system}/{resource}/records/{id}",
            .actions(["flow.show"]),
            .console,
            zh: "记录及其办理情况",
            en: "A record and its flow"
        ) { web in
            let place = try await RecordPages.place(web)
            return .json(
                json(try await web.perform(web.services.flows.show, (place.code, try web.number("id"))))
            )
        },
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/records/{id}/steps",
            .actions(["flow.step"]),
            .console,
            zh: "办理步骤",
            en: "Take a step"
        ) { web in
            let place = try await RecordPages.place(web)
            let request = try request(place, try web.number("id"), try await web.json())
            return .json(json(try await web.perform(web.services.flows.step, request)))
        },
    ]

    /// `{"step": "file", "values": {"field": "text"}, "note": "…"}`.
    private static func request(
        _ place: SystemPlace,
        _ record: Int64?,
        _ body: JSONValue,
        step key: String? = nil
    ) throws(Problem) -> StepRequest {
        guard let step = key ?? body["step"]?.string else {
            throw Problem("request.malformed", zh: "缺少 step。", en: "`step` is missing.")
        }
        return StepRequest(
            place.code,
            record: record,
            step: step,
            values: body["values"]?.typed ?? [:],
            note: body["note"]?.string ?? ""
        )
    }

    private static func json(_ system: InstalledSystem) -> JSONValue {
        .object([
            .init("system", .string(system.id)), .init("version", .integer(system.declaration.version)),
            .init("title", json(system.declaration.title)),
            .init(
                "resources",
                .array(
                    system.declaration.resources.map { declared in
                        .object([
                            .init("key", .string(declared.key)), .init("name", .string(declared.name)),
                            .init("code", .string(system.codes[declared.key] ?? "")),
                            .init(
                                "steps",
                                .array((declared.flow?.steps ?? []).map { json($0) })
                            ),
                        ])
                    }
                )
            ),
        ])
    }

    private static func json(_ title: LocalizedText) -> JSONValue {
        .object([.init("zh", .string(title.zh)), .init("en", .string(title.en))])
    }

    private static func json(_ step: FlowStep) -> JSONValue {
        .object([
            .init("step", .string(step.key)), .init("title", json(step.title)),
            .init("from", .array((step.fromAny ? ["any"] : step.from).map { .string($0) })),
            .init("to", step.to.map { .string($0) } ?? .null),
            .init(
                "fields",
                .array(
                    step.fields.map {
                        .object([.init("field", .string($0.field)), .init("required", .boolean($0.isRequired))])
                    }
                )
            ),
            .init("note", .string(step.note.rawValue)),
        ])
    }

    private static func json(_ task: FlowTask) -> JSONValue {
        .object([
            .init("system", .string(task.place.system.id)), .init("resource", .string(task.place.declaration.key)),
            .init("record", .integer(task.record)), .init("name", .string(task.name)),
            .init("state", .string(task.state)),
            .init("due", task.due.map { .string(CivilTime.timestamp($0)) } ?? .null),
        ])
    }

    private static func json(_ outcome: StepOutcome) -> JSONValue {
        .object([
            .init("record", .integer(outcome.record)), .init("state", .string(outcome.state)),
            .init("documents", .array(outcome.documents.map { .integer($0) })),
            .init(
                "created",
                .array(
                    outcome.created.map {
                        .object([.init("resource", .string($0.code)), .init("record", .integer($0.record))])
                    }
                )
            ),
        ])
    }

    private static func json(_ detail: FlowDetail) -> JSONValue {
        .object([
            .init("record", .integer(detail.record)), .init("state", .string(detail.state)),
            .init(
                "values",
                .object(detail.values.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
            ),
            .init(
                "clocks",
                .array(
                    detail.clocks.map {
                        .object([
                            .init("clock", .string($0.key)), .init("state", .string($0.state.rawValue)),
                            .init("started", .string(CivilTime.timestamp($0.startedAt))),
                            .init("due", .string(CivilTime.timestamp($0.due))),
                            .init("overdue", .boolean($0.isOverdue(at: detail.now))),
                        ])
                    }
                )
            ),
            .init(
                "history",
                .array(
                    detail.steps.map {
                        .object([
                            .init("step", .string($0.step)), .init("from", .string($0.from)),
                            .init("to", .string($0.to)), .init("at", .string(CivilTime.timestamp($0.at))),
                            .init("by", .integer($0.principal)), .init("note", .string($0.note)),
                            .init("changed", .array($0.changed.map { .string($0) })),
                        ])
                    }
                )
            ),
            .init(
                "documents",
                .array(
                    detail.documents.map {
                        .object([
                            .init("id", .integer($0.id)), .init("document", .string($0.document)),
                            .init("number", .string($0.number)), .init("code", .string($0.code)),
                            .init("digest", .string($0.digest)),
                        ])
                    }
                )
            ),
            .init(
                "attachments",
                .array(
                    detail.attachments.map {
                        .object([
                            .init("id", .integer($0.id)), .init("kind", .string($0.kind)),
                            .init("name", .string($0.name)), .init("type", .string($0.type)),
                            .init("size", .integer($0.size)), .init("digest", .string($0.digest)),
                            .init("taken", $0.takenAt.map { .string(CivilTime.timestamp($0)) } ?? .null),
                        ])
                    }
                )
            ),
            .init("steps", .array(detail.offered.map { json($0) })),
        ])
    }
}
