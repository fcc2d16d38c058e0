import Basics
import Foundation
import HTTPTypes
import Hummingbird
import Kernel

/// The CKAN Action API v3, for reading: what data portals harvest and `ckanapi` asks.
///
/// It shows what is open to everybody, whoever asks: keys of CKAN mean nothing here, and neither do sessions.
enum CKANAPI {
    static let mediaType = "application/json;charset=utf-8"

    static func routes(_ cache: CKANCache) -> [Route] {
        let reach = Route.Reach.actions(["catalogue.search", "data.fields", "data.read"])
        var routes: [Route] = []
        for path in ["/api/3/action/{action}", "/api/action/{action}"] {
            for method in [HTTPRequest.Method.get, .post] {
                routes.append(
                    Route(
                        method,
                        path,
                        reach,
                        isAnonymous: true,
                        zh: "CKAN 接口(只读)",
                        en: "The CKAN Action API, for reading"
                    ) { web in
                        try await answer(web, cache)
                    }
                )
            }
        }
        for (path, version) in [("/api/3", 3), ("/api", 1)] as [(String, Int64)] {
            routes.append(
                Route(.get, path, .nothing, isAnonymous: true, zh: "CKAN 接口版本", en: "The version of the CKAN API") {
                    _ in
                    shared(.bytes(Array("{\"version\": \(version)}".utf8), type: mediaType))
                }
            )
        }
        routes.append(
            Route(
                .get,
                "/datastore/dump/{resource}",
                .actions(["catalogue.search", "data.fields", "data.export"]),
                isAnonymous: true,
                zh: "CKAN 数据下载",
                en: "Rows as CKAN dumps them"
            ) { web in
                let catalogue = try await cache.current(web)
                return shared(try await CKANDatastore(web, catalogue).dump(try web.parameter("resource")))
            }
        )
        return routes
    }

    /// Whoever draws a page elsewhere may read what the public may.
    private static func shared(_ response: Response) -> Response {
        var response = response
        response.headers[.accessControlAllowOrigin] = "*"
        return response
    }

    private static func answer(_ web: WebRequest, _ cache: CKANCache) async throws -> Response {
        let action = try web.parameter("action")
        let help = "\(web.origin)/api/3/action/help_show?name=\(web.encoded(action))"
        do {
            let asked = try await parameters(web)
            let result = try await perform(action, asked, web, cache)
            var out: [UInt8] = []
            out.reserveCapacity(result.count + 256)
            out.append(contentsOf: "{\"help\":\(JSONValue.string(help).text),\"success\":true,\"result\":".utf8)
            out.append(contentsOf: result)
            out.append(0x7D)
            return shared(.bytes(out, type: mediaType))
        } catch let failure as CKANFailure {
            return shared(failure.response(help: help))
        } catch let problem as Problem {
            return shared(CKANFailure(problem, parameter: "query").response(help: help))
        }
    }

    private static func parameters(_ web: WebRequest) async throws -> CKANParameters {
        let query = Form(urlEncoded: Array((web.request.uri.query ?? "").utf8)).fields
        guard web.request.method == .post else { return try CKANParameters(pairs: query) }
        let body = try await web.body()
        let text = String(decoding: body, as: UTF8.self)
        let isForm = web.request.headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") ?? false
        if isForm, !text.hasPrefix("{"), !text.hasPrefix("%7B"), !text.isEmpty {
            return try CKANParameters(pairs: Form(urlEncoded: body).fields)
        }
        if !query.isEmpty { return try CKANParameters(pairs: query) }
        if text.allSatisfy(\.isWhitespace) { return CKANParameters([:]) }
        let json: JSONValue
        do {
            json = try JSONValue(text: text.hasPrefix("%7B") ? text.removingPercentEncoding ?? text : text)
        } catch {
            throw CKANFailure.bad("JSON Error: Error decoding JSON data. Error: \(error.message.en)")
        }
        guard let members = json.members else {
            throw CKANFailure.bad("JSON Error: Request data JSON decoded to a value but it needs to be a dictionary.")
        }
        return CKANParameters(Dictionary(members.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }))
    }

    private static let actions: Set<String> = [
        "package_list", "package_show", "package_search", "resource_show", "resource_search", "organization_list",
        "organization_show", "group_list", "group_show", "tag_list", "status_show", "site_read", "help_show",
        "datastore_search", "license_list",
    ]

    private static func perform(
        _ action: String,
        _ asked: CKANParameters,
        _ web: WebRequest,
        _ cache: CKANCache
    ) async throws -> [UInt8] {
        guard actions.contains(action) else { throw CKANFailure.bad("Action name not known: \(action)") }
        switch action {
        case "site_read": return Array("true".utf8)
        case "help_show":
            guard actions.contains(try asked.needed("name")) else {
                throw CKANFailure.notFound("Action function not found")
            }
            return Array("null".utf8)
        case "status_show": return Array(status(web).text.utf8)
        default: break
        }
        let catalogue = try await cache.current(web)
        let objects = CKANObjects(catalogue: catalogue, address: web.origin, node: web.services.kernel.key)
        let result: JSONValue
        switch action {
        case "datastore_search": return try await CKANDatastore(web, catalogue).search(asked)
        case "package_search":
            let search = CKANSearch(catalogue: catalogue, objects: objects, now: web.services.kernel.clock.now())
            result = try search.run(asked)
        case "package_list":
            let limit = try asked.natural("limit", 0)
            let names = catalogue.datasets.dropFirst(try asked.natural("offset", 0))
            result = .array((limit > 0 ? names.prefix(limit) : names).map { .string($0.name) })
        case "package_show":
            let name = try asked.needed("id", "name_or_id")
            guard let dataset = catalogue.dataset(name) else { throw CKANFailure.notFound() }
            result = objects.dataset(dataset)
        case "resource_show":
            guard let found = catalogue.resource(try asked.needed("id")) else { throw CKANFailure.notFound() }
            result = objects.resource(found.dataset, found.place)
        case "resource_search": result = try resources(asked, objects)
        case "organization_list": result = try groups(catalogue.organisations, "organizations", asked, objects)
        case "group_list": result = try groups(catalogue.groups, "groups", asked, objects)
        case "organization_show": result = try group(catalogue.organisations, asked, objects)
        case "group_show": result = try group(catalogue.groups, asked, objects)
        case "license_list": result = licenses
        default: result = try tags(asked, objects)
        }
        return Array(result.text.utf8)
    }

    private static let licenses: JSONValue = .array(
        [("other-open", "Other (Open)", true), ("notspecified", "License not specified", false)].map {
            id,
            title,
            isOpen in
            .object([
                .init("id", .string(id)), .init("title", .string(title)), .init("url", ""), .init("status", "active"),
                .init("is_okd_compliant", .boolean(isOpen)), .init("od_conformance", "not reviewed"),
                .init("osd_conformance", "not reviewed"), .init("domain_data", false),
            ])
        }
    )

    private static func status(_ web: WebRequest) -> JSONValue {
        let title = web.services.settings.title.zh
        return .object([
            .init("site_title", .string(title)), .init("site_description", .string(title)),
            .init("site_url", .string(web.origin)), .init("error_emails_to", .null), .init("locale_default", "zh_CN"),
            .init("extensions", .array(["datastore"])), .init("ckan_version", "2.11.0"),
        ])
    }

    // MARK: Lists

    private static func groups(
        _ all: [CKANGroup],
        _ kept: String,
        _ asked: CKANParameters,
        _ objects: CKANObjects
    ) throws(CKANFailure) -> JSONValue {
        let isWhole = asked.flag("all_fields", false)
        let order = (asked.text("sort") ?? asked.text("order_by") ?? "").split(separator: " ").map(String.init)
        let words = order.isEmpty ? ["title", "asc"] : order
        let field = words[0] == "packages" ? "package_count" : words[0]
        guard words.count <= 2, ["name", "title", "package_count"].contains(field),
            words.count == 1 || ["asc", "desc"].contains(words[1])
        else { throw .plain("message", "Cannot sort by field `\(words.joined(separator: " "))`") }
        let isDescending = words.count == 2 ? words[1] == "desc" : field == "package_count"
        let limit = try asked.natural("limit", isWhole ? 25 : 1000)
        let offset = try asked.natural("offset", 0)
        let names = try asked.list(kept)
        let word = asked.text("q")?.lowercased()
        let found = all.filter { group in
            (names?.contains(group.name) ?? true)
                && (word.map { group.title.lowercased().contains($0) || group.name.contains($0) } ?? true)
        }.sorted { a, b in
            let (first, second) = isDescending ? (b, a) : (a, b)
            return switch field {
            case "title" where a.title != b.title: first.title < second.title
            case "package_count" where a.count != b.count: first.count < second.count
            default: first.name < second.name
            }
        }
        let page = found.dropFirst(offset).prefix(min(limit, isWhole ? 25 : 1000))
        guard isWhole else { return .array(page.map { .string($0.name) }) }
        return .array(page.map { .object(objects.full($0) { asked.flag($0, $1) }) })
    }

    private static func group(
        _ all: [CKANGroup],
        _ asked: CKANParameters,
        _ objects: CKANObjects
    ) throws(CKANFailure) -> JSONValue {
        let name = try asked.needed("id")
        guard let group = all.first(where: { $0.name == name || $0.id == name }) else { throw .notFound() }
        // A show gives them unless they are declined.
        var members = objects.full(group) { name, _ in asked.flag(name, true) }
        if asked.flag("include_datasets", false) {
            members.append(.init("packages", .array(objects.members(of: group).prefix(10).map(objects.dataset))))
        }
        return .object(members)
    }

    private static func tags(_ asked: CKANParameters, _ objects: CKANObjects) throws(CKANFailure) -> JSONValue {
        let word = (asked.text("query") ?? asked.text("q"))?.lowercased()
        var found = objects.catalogue.tags.map(\.name)
        if let word {
            found = found.filter { $0.lowercased().contains(word) }
            let limit = try asked.natural("limit", 0)
            found = Array(found.dropFirst(try asked.natural("offset", 0)).prefix(limit > 0 ? limit : .max))
        }
        return .array(
            asked.flag("all_fields", false) ? found.map { .object(objects.tag($0)) } : found.map { .string($0) }
        )
    }

    private static func resources(_ asked: CKANParameters, _ objects: CKANObjects) throws(CKANFailure) -> JSONValue {
        guard let value = asked["query"] else { throw .plain("query", "Missing value") }
        let terms = try (value.array ?? [value]).map { term throws(CKANFailure) in
            let parts = (term.string ?? "").split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw .plain("query", "Must be <field>:<value> pair(s)") }
            return (field: String(parts[0]), word: parts[1].lowercased())
        }
        let limit = try asked.natural("limit", 1000, atMost: 1000)
        let offset = try asked.natural("offset", 0)
        var count = 0
        var found: [JSONValue] = []
        for dataset in objects.catalogue.datasets {
            for place in dataset.formats.indices {
                let texts = objects.resourceTexts(dataset, place)
                var fits = true
                for (field, word) in terms {
                    guard let text = texts.first(where: { $0.0 == field }) else {
                        throw .plain("query", "Field \"\(field)\" not recognised in resource_search.")
                    }
                    let value = text.1?.lowercased() ?? ""
                    fits = fits && (field == "hash" ? value.hasPrefix(word) : value.contains(word))
                }
                guard fits else { continue }
                count += 1
                if count > offset, found.count < limit { found.append(objects.resource(dataset, place)) }
            }
        }
        if objects.catalogue.datasets.isEmpty { return .object([.init("count", 0), .init("results", .array([]))]) }
        return .object([.init("count", .integer(Int64(count))), .init("results", .array(found))])
    }
}
