import Basics
import Collect
import HTTPTypes
import Hummingbird
import Kernel
import Lake

/// `/api/v1/sources`: where data is collected from without hands.
enum SourcesAPI {
    static let routes: [Route] = [
        Route(.get, "/api/v1/sources", .actions(["source.list"]), .console, zh: "归集来源列表", en: "Sources") { web in
            let list = try await web.perform(web.services.sources.listed, ())
            return .json(.object([.init("sources", .array(list.map { json($0) }))]))
        },
        Route(.post, "/api/v1/sources", .actions(["source.save"]), .console, zh: "新建归集来源", en: "Add a source") { web in
            let id = try await web.perform(web.services.sources.saved, try Sources.Change(json: try await web.json()))
            return .json(.object([.init("id", .integer(id))]), status: .created)
        },
        Route(
            .get,
            "/api/v1/sources/{id}",
            .actions(["source.show"]),
            .console,
            zh: "归集来源与运行记录",
            en: "A source and its runs"
        ) {
            web in
            let (source, runs) = try await web.perform(web.services.sources.show, try web.number("id"))
            return .json(
                .object([.init("source", json(source)), .init("runs", .array(runs.map { json($0, web.language) }))])
            )
        },
        Route(.put, "/api/v1/sources/{id}", .actions(["source.save"]), .console, zh: "修改归集来源", en: "Change a source") {
            web in
            let id = try web.number("id")
            _ = try await web.perform(
                web.services.sources.saved,
                try Sources.Change(json: try await web.json(), id: id)
            )
            return .json(.object([.init("id", .integer(id))]))
        },
        Route(
            .delete,
            "/api/v1/sources/{id}",
            .actions(["source.remove"]),
            .console,
            zh: "删除归集来源(已归集的数据保留)",
            en: "Take a source away; its data stays"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.sources.removed, try web.number("id"))
            return .json(.object([]))
        },
        Route(
            .post,
            "/api/v1/sources/{id}/runs",
            .actions(["source.run"]),
            .console,
            zh: "立即归集",
            en: "Read a source now"
        ) { web in
            try web.checkHeader()
            let job = try await web.perform(web.services.sources.run, try web.number("id"))
            return .json(.object([.init("job", .integer(job))]), status: .accepted)
        },
        Route(
            .post,
            "/api/v1/sources/{id}/probe",
            .actions(["source.probe"]),
            .console,
            zh: "试连：返回列名或文件名",
            en: "Try a source: its columns or files"
        ) { web in
            try web.checkHeader()
            let names = try await web.perform(web.services.sources.probe, try web.number("id"))
            return .json(.object([.init("found", .array(names.map { .string($0) }))]))
        },
        Route(
            .post,
            "/api/v1/sources/{id}/rewind",
            .actions(["source.rewind"]),
            .console,
            zh: "从头归集",
            en: "Begin from the start again"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.sources.rewound, try web.number("id"))
            return .json(.object([]))
        },
    ]

    static func time(_ moment: Int64?) -> JSONValue { moment.map { .string(CivilTime.timestamp($0)) } ?? .null }

    /// Everything but the secret.
    static func json(_ source: Source) -> JSONValue {
        let settings = source.settings.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }
        return .object([
            .init("id", .integer(source.id)), .init("name", .string(source.name)),
            .init("resource", .string(source.code)), .init("kind", .string(source.kind.rawValue)),
            .init("settings", .object(settings)), .init("has_secret", .boolean(source.hasSecret)),
            .init("mode", .string(source.mode.rawValue)), .init("schedule", .string(source.schedule.text)),
            .init("responsible", .string(source.responsibleLogin)),
            .init("silence_hours", .integer(source.silenceHours)), .init("enabled", .boolean(source.isEnabled)),
            .init("checkpoint", source.checkpoint.map { .string($0) } ?? .null),
            .init("next_at", time(source.nextAt)), .init("failures", .integer(source.failures)),
            .init("last_success_at", time(source.lastSuccessAt)), .init("last_rows_at", time(source.lastRowsAt)),
            .init("silent_since", time(source.silentSince)), .init("problem", source.problem),
        ])
    }

    static func json(_ run: SourceRun, _ language: Language) -> JSONValue {
        .object([
            .init("job", .integer(run.job)), .init("state", .string(run.state.rawValue)),
            .init("started_at", time(run.startedAt)), .init("finished_at", time(run.finishedAt)),
            .init("what", .string(run.what)), .init("rows", .integer(run.rows)),
            .init("load", run.load.map { .integer($0) } ?? .null), .init("good", .integer(run.good)),
            .init("bad", .integer(run.bad)), .init("problem", run.problem),
        ])
    }
}
