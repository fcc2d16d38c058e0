import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel
import Tabular

/// Alerts, indicators and what is published by rule, for programs.
enum RulesAPI {
    static let routes: [Route] = [
        Route(.get, "/api/v1/alerts", .actions(["flow.alerts"]), .console, zh: "预警", en: "Alerts", handle: alerts),
        Route(
            .post,
            "/api/v1/alerts/{id}/acknowledge",
            .actions(["flow.acknowledge"]),
            .console,
            zh: "处置预警",
            en: "Acknowledge an alert"
        ) { web in
            let body = try await web.json()
            try await web.perform(
                web.services.flows.acknowledge,
                (body["resource"]?.string ?? "", try web.number("id"), body["note"]?.string ?? "")
            )
            return .json(.object([.init("state", "acknowledged")]))
        },
        Route(
            .get,
            "/api/v1/systems/{system}/indicators",
            .actions(["flow.indicators"]),
            .console,
            zh: "业务指标",
            en: "Indicators of a system",
            handle: indicators
        ),
        Route(
            .get,
            "/api/v1/systems/{system}/published/{resource}",
            .actions(["flow.published"]),
            zh: "按规则公示",
            en: "Published by rule",
            handle: published
        ),
    ]

    // MARK: Alerts

    private static func alerts(_ web: WebRequest) async throws -> Response {
        _ = try ConsolePages.signedIn(web)
        let page = try await web.perform(
            web.services.flows.alerts,
            AlertQuery(
                state: try web.askedWord("state", AlertQuery.State.self) ?? .open,
                level: try AlertPages.askedLevel(web),
                before: try web.askedPlace("before"),
                limit: try web.askedLimit(50, 200)
            )
        )
        return .json(
            .object([
                .init("alerts", .array(page.alerts.map(json))),
                .init("next", page.next.map { .integer($0) } ?? .null),
            ])
        )
    }

    private static func json(_ raised: RaisedAlert) -> JSONValue {
        func time(_ moment: Int64?) -> JSONValue { moment.map { .string(CivilTime.timestamp($0)) } ?? .null }
        return .object([
            .init("id", .integer(raised.id)), .init("system", .string(raised.place.system.id)),
            .init("resource", .string(raised.place.code)), .init("key", .string(raised.place.declaration.key)),
            .init("record", .integer(raised.record)), .init("name", .string(raised.name)),
            .init("alert", .string(raised.alert.key)), .init("title", json(raised.alert.title)),
            .init("level", .integer(Int64(raised.alert.level))), .init("state", .string(raised.state.rawValue)),
            .init("raised", time(raised.raisedAt)), .init("acknowledged", time(raised.acknowledgedAt)),
            .init("by", .string(raised.acknowledgedBy)), .init("note", .string(raised.note)),
            .init("ended", time(raised.endedAt)),
        ])
    }

    private static func json(_ title: LocalizedText) -> JSONValue {
        .object([.init("zh", .string(title.zh)), .init("en", .string(title.en))])
    }

    // MARK: Indicators

    private static func indicators(_ web: WebRequest) async throws -> Response {
        let (system, all) = try await IndicatorPages.figures(web)
        if isCSV(web) { return csv(of: all, system, web) }
        return .json(
            .object([
                .init("system", .string(system.id)),
                .init("indicators", .array(all.map { json($0, web) })),
            ])
        )
    }

    private static func json(_ figures: IndicatorFigures, _ web: WebRequest) -> JSONValue {
        func json(_ figure: Figure) -> [JSONValue.Member] {
            [
                .init("value", figures.value(figure).map { .real($0) } ?? .null), .init("top", .real(figure.top)),
                .init("bottom", .integer(figure.bottom)),
            ]
        }
        func series(_ list: [Figure]) -> JSONValue {
            .array(
                zip(figures.periods, list).map { period, figure -> JSONValue in
                    let name: [JSONValue.Member] = [.init("period", .string(period))]
                    return .object(name + json(figure))
                }
            )
        }
        let indicator = figures.indicator
        let head: [JSONValue.Member] = [
            .init("key", .string(indicator.key)), .init("title", Self.json(indicator.title)),
            .init("unit", Self.json(indicator.unit)), .init("of", .string(indicator.resource)),
            .init("by", .string(indicator.by)), .init("good", .string(indicator.good.rawValue)),
            .init("target", figures.target.map { .real($0) } ?? .null),
            .init("formula", .string(indicator.words(figures.declared, web.language))),
        ]
        let groups = figures.groups.map { group -> JSONValue in
            let name: [JSONValue.Member] = [.init("group", .string(group.key))]
            return .object(name + json(group.total) + [.init("periods", series(group.periods))])
        }
        let tail: [JSONValue.Member] = [
            .init("periods", series(figures.byPeriod)), .init("groups", .array(groups)),
        ]
        return .object(head + json(figures.total) + tail)
    }

    private static func csv(of all: [IndicatorFigures], _ system: InstalledSystem, _ web: WebRequest) -> Response {
        var rows: [[String]] = []
        for figures in all {
            func add(_ group: String, _ period: String, _ figure: Figure) {
                rows.append([
                    figures.indicator.key, figures.indicator.title[web.language], group, period,
                    figures.value(figure).map { "\($0)" } ?? "", "\(figure.top)",
                    figures.indicator.isSum ? "" : String(figure.bottom), figures.indicator.unit[web.language],
                    figures.target.map { "\($0)" } ?? "",
                ])
            }
            for (period, figure) in zip(figures.periods, figures.byPeriod) { add("", period, figure) }
            for group in figures.groups {
                let name = IndicatorPages.label(group.key, figures, web)
                for (period, figure) in zip(figures.periods, group.periods) { add(name, period, figure) }
            }
        }
        let heads = [
            web.text("指标", "key"), web.text("名称", "indicator"), web.text("分列", "group"), web.text("期", "period"),
            web.text("值", "value"), web.text("分子", "top"), web.text("分母", "bottom"), web.text("单位", "unit"),
            web.text("目标", "target"),
        ]
        return csv(heads, rows, name: "\(system.id)-indicators")
    }

    // MARK: Publication

    private static func published(_ web: WebRequest) async throws -> Response {
        let isCSV = isCSV(web)
        let found = try await PublishedPages.read(web, limit: web.askedLimit(isCSV ? 1000 : 50, 1000))
        var response: Response
        if isCSV {
            response = csv(
                found.fields.map { PublishedPages.label($0, found.place.declaration, web) },
                found.rows.map { row in zip(row, found.fields).map { PublishedPages.figure($0, $1) } },
                name: found.place.declaration.key
            )
        } else {
            let records = zip(found.records, found.rows).map { id, row -> JSONValue in
                var members: [JSONValue.Member] = [.init("record", .integer(id))]
                for (field, text) in zip(found.fields, row) {
                    members.append(.init(field.name, text.isEmpty ? .null : .string(text)))
                }
                return JSONValue.object(members)
            }
            response = .json(
                .object([
                    .init("title", json(found.publication.title)), .init("records", .array(records)),
                    .init("next", found.next.map { .integer($0) } ?? .null),
                ])
            )
        }
        if let next = found.next, let link = HTTPField.Name("link") {
            let kept = RecordPages.kept(web, without: ["before"])
            response.headers[link] = "<?\(kept)before=\(next)>; rel=\"next\""
        }
        return response
    }

    // MARK: CSV

    private static func isCSV(_ web: WebRequest) -> Bool {
        web.query("f") == "csv" || web.request.headers[.accept]?.hasPrefix("text/csv") ?? false
    }

    /// Rows of texts; what a spreadsheet would take for a formula is made a text.
    private static func csv(_ heads: [String], _ rows: [[String]], name: String) -> Response {
        let fields = heads.map { Field($0, .text) }
        let columns = heads.indices.map { index in
            var texts = TextBuffer(capacity: rows.count)
            for row in rows { texts.append(row[index]) }
            return Column(.text(texts))
        }
        var out: [UInt8] = []
        var writer = CSVBatchWriter(fields: fields, mark: true)
        writer.begin(into: &out)
        writer.write(Batch(fields: fields, columns: columns, count: rows.count), into: &out)
        var response = Response.bytes(out, type: OutputFormat.csv.mediaType)
        response.headers[.contentDisposition] = "attachment; filename=\"\(name).csv\""
        return response
    }
}
