import Collect
import Basics
import Catalogue
import HTTPTypes
import Hummingbird
import Kernel
import NIOCore
import Tabular

/// `/api/v1/entries`, `/api/v1/ledger`: the catalogue as those who work on it need it.
enum EntriesAPI {
    static let routes: [Route] = [
        Route(.get, "/api/v1/entries", .actions(["catalogue.list"]), .console, zh: "目录条目列表", en: "Entries at work") {
            web in
            let list = try await web.perform(web.services.catalogue.list, query(web))
            return .json(
                .object([
                    .init("total", .integer(Int64(list.total))),
                    .init("entries", .array(list.entries.map { CatalogueAPI.json($0, web, brief: true) })),
                ])
            )
        },
        Route(
            .get,
            "/api/v1/entries.xlsx",
            .actions(["catalogue.export"]),
            .console,
            zh: "导出目录工作簿",
            en: "Export a catalogue workbook",
            handle: export
        ),
        Route(
            .post,
            "/api/v1/entries/import",
            .actions(["collect.inspect", "catalogue.import"]),
            .console,
            zh: "导入目录工作簿：upload 与 apply",
            en: "Import a catalogue workbook: upload and apply"
        ) { web in
            let body = try await web.json()
            let report = try await importWorkbook(
                body["upload"]?.string ?? "",
                applies: body["apply"]?.boolean ?? false,
                web
            )
            return .json(json(report, web.language), status: report.errors > 0 ? .unprocessableContent : .ok)
        },
        Route(
            .post,
            "/api/v1/entries/steps",
            .actions(stepActions),
            .console,
            zh: "批量提交、审核、退回：codes、step、note",
            en: "Submit, review or return many: codes, step, note"
        ) { web in
            _ = try ConsolePages.signedIn(web)
            let body = try await web.json()
            let codes = (body["codes"]?.array ?? []).compactMap(\.string)
            let results = try await steps(body["step"]?.string ?? "", codes, note: body["note"]?.string ?? "", web)
            let failed = results.filter { $0.problem != nil }
            let failures = failed.map { result -> JSONValue in
                .object([
                    .init("code", .string(result.code)), .init("problem", .string(result.problem?.code ?? "")),
                    .init("title", .string(result.problem?.message[web.language] ?? "")),
                ])
            }
            return .json(
                .object([
                    .init("done", .integer(Int64(results.count - failed.count))), .init("failed", .array(failures)),
                ])
            )
        },
        Route(.get, "/api/v1/ledger", .actions(["catalogue.ledger"]), .console, zh: "总账本", en: "Ledger") { web in
            let ledger = try await web.perform(web.services.catalogue.ledger, ())
            func lines(_ lines: [LedgerLine], _ name: (LedgerLine) -> String) -> JSONValue {
                .array(lines.map { json($0, name($0)) })
            }
            return .json(
                .object([
                    .init("at", .string(CivilTime.timestamp(ledger.at))), .init("all", json(ledger.all, "")),
                    .init("departments", lines(ledger.departments) { LedgerPage.department($0, web) }),
                    .init("levels", lines(ledger.levels) { LedgerPage.level($0, web) }),
                    .init("categories", lines(ledger.categories) { LedgerPage.category($0, web) }),
                ])
            )
        },
        Route(
            .get,
            "/api/v1/ledger.xlsx",
            .actions(["catalogue.ledger"]),
            .console,
            zh: "总账本工作簿",
            en: "Ledger as a workbook"
        ) { web in
            let ledger = try await web.perform(web.services.catalogue.ledger, ())
            var response = Response.bytes(LedgerPage.workbook(ledger, web), type: OutputFormat.xlsx.mediaType)
            response.headers[.contentDisposition] = "attachment; filename=\"ledger.xlsx\""
            return response
        },
        Route(
            .get,
            "/api/v1/resources/{code}/versions",
            .actions(["catalogue.versions"]),
            .console,
            zh: "条目的已发布版本",
            en: "Published versions of an entry"
        ) { web in
            let versions = try await web.perform(web.services.catalogue.versions, try web.code())
            let organisations = web.services.kernel.gate.organisations
            let list = versions.enumerated().map { index, version -> JSONValue in
                let before = index + 1 < versions.count ? versions[index + 1].content : nil
                let differences = before.map { version.content.differences(from: $0, organisations) } ?? []
                return .object([
                    .init("version", .integer(version.version)), .init("at", .string(CivilTime.timestamp(version.at))),
                    .init(
                        "differences",
                        .array(
                            differences.map {
                                .object([
                                    .init("what", .string($0.what[web.language])), .init("before", .string($0.before)),
                                    .init("after", .string($0.after)),
                                ])
                            }
                        )
                    ),
                ])
            }
            return .json(.object([.init("versions", .array(list))]))
        },
        Route(
            .get,
            "/api/v1/resources/{code}/similar",
            .actions(["catalogue.similar"]),
            .console,
            zh: "可能重复的条目(一数一源)",
            en: "Entries that may hold the same data"
        ) { web in
            let found = try await web.perform(web.services.catalogue.similar, try web.code())
            let list = found.map { similar -> JSONValue in
                .object([
                    .init("entry", CatalogueAPI.json(similar.entry, web, brief: true)),
                    .init("likeness", .real((similar.nameLikeness * 100).rounded() / 100)),
                    .init("shared_items", .array(similar.sharedItems.map { .string($0) })),
                ])
            }
            return .json(.object([.init("similar", .array(list))]))
        },
    ]

    static let stepActions = [
        "catalogue.submit", "catalogue.review_department", "catalogue.review_authority", "catalogue.withdraw",
    ]

    static func query(_ web: WebRequest) -> EntryListQuery {
        EntryListQuery(
            text: String((web.query("q") ?? "").prefix(200)),
            provider: web.query("provider").flatMap { Int64($0) }.map { OrganisationID($0) },
            category: web.query("category"),
            stage: web.query("stage").flatMap(EntryStage.init(rawValue:)),
            state: web.query("state").flatMap(Resource.State.init(rawValue:)),
            isLate: web.query("late") == "true",
            isUnattached: web.query("unattached") == "true",
            isDeviating: web.query("deviating") == "true",
            hasRemarks: web.query("remarks") == "true",
            isPoor: web.query("poor") == "true",
            order: web.query("order").flatMap(EntryListQuery.Order.init(rawValue:)) ?? .changed,
            offset: min(web.query("offset").flatMap { Int($0) } ?? 0, 10_000_000),
            limit: web.limit(50, 1000)
        )
    }

    static func export(_ web: WebRequest) async throws -> Response {
        let scan = try await web.perform(web.services.catalogue.export, query(web))
        let audience = web.audience()
        let body = ResponseBody { writer in
            var book = WorkbookWriter(scan.organisations)
            var bytes: [UInt8] = []
            while let entries = try await audience.making({ try await scan.next() }) {
                book.write(entries, into: &bytes)
                if bytes.count > 1 << 18 {
                    try await writer.write(ByteBuffer(bytes: bytes))
                    bytes.removeAll(keepingCapacity: true)
                }
            }
            book.end(into: &bytes)
            try await writer.write(ByteBuffer(bytes: bytes))
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: OutputFormat.xlsx.mediaType,
                .contentDisposition: "attachment; filename=\"catalogue.xlsx\"",
            ],
            body: body
        )
    }

    static func importWorkbook(_ upload: String, applies: Bool, _ web: WebRequest) async throws -> ImportReport {
        let inspection = try await web.perform(web.services.uploads.inspect, .init(upload: upload))
        return try await web.perform(
            web.services.catalogue.importWorkbook,
            (path: inspection.upload.path, source: inspection.upload.name, applies: applies)
        )
    }

    /// What became of one entry of many.
    struct StepResult: Sendable {
        var code: String
        /// Nil where the step was taken.
        var problem: Problem?
    }

    /// Entries of one request: each step passes the gate and leaves evidence of its own.
    static let stepLimit = 5000

    /// Takes a step of many entries, each by itself: what fails for one is told and does not hold up the others.
    static func steps(_ step: String, _ codes: [String], note: String, _ web: WebRequest) async throws -> [StepResult] {
        guard codes.count <= stepLimit else {
            throw Problem(
                "request.too_large",
                status: 413,
                zh: "一次最多处理 5000 条。",
                en: "At most 5,000 entries at a time."
            )
        }
        var results: [StepResult] = []
        for code in codes {
            do {
                try await EntryPages.take(step, Entry.code(slug: code), note: note, web)
                results.append(StepResult(code: code, problem: nil))
            } catch let problem as Problem {
                if problem.code == "request.malformed" { throw problem }
                results.append(StepResult(code: code, problem: problem))
            }
        }
        return results
    }

    static func json(_ report: ImportReport, _ language: Language) -> JSONValue {
        .object([
            .init("applied", .boolean(report.isApplied)), .init("rows", .integer(Int64(report.rows))),
            .init("created", .integer(Int64(report.created))), .init("changed", .integer(Int64(report.changed))),
            .init("unchanged", .integer(Int64(report.unchanged))), .init("errors", .integer(Int64(report.errors))),
            .init(
                "findings",
                .array(
                    report.findings.map {
                        .object([
                            .init("sheet", .string($0.sheet)), .init("row", .integer($0.row)),
                            .init("column", .string($0.column)), .init("severity", .string($0.severity.rawValue)),
                            .init("message", .string($0.message[language])),
                        ])
                    }
                )
            ),
        ])
    }

    static func json(_ line: LedgerLine, _ name: String) -> JSONValue {
        func rate(_ value: Double?) -> JSONValue { value.map { .real(($0 * 1000).rounded() / 1000) } ?? .null }
        return .object([
            .init("key", .string(line.key)), .init("name", .string(name)),
            .init("entries", .integer(Int64(line.entries))), .init("items", .integer(Int64(line.items))),
            .init("published", .integer(Int64(line.published))), .init("attached", .integer(Int64(line.attached))),
            .init("attached_rate", rate(line.attachedRate)), .init("timely_rate", rate(line.timelyRate)),
            .init("open", .integer(Int64(line.open))),
            .init("score", line.score.map { .real(($0 * 10).rounded() / 10) } ?? .null),
        ])
    }
}
