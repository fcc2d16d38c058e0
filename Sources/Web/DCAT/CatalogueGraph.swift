import Basics
import CQL
import Catalogue
import Geo
import HTTPTypes
import Hummingbird
import Kernel
import Lake
import Tabular

/// The catalogue in the words of DCAT 3 and its European profile (DCAT-AP 3.0.1): what data portals harvest.
enum CatalogueGraph {
    static let routes: [Route] = [
        route("/catalog", zh: "目录(DCAT，格式由 Accept 决定)", en: "The catalogue as DCAT, by Accept") { web in
            try await catalogue(web, wanted(web))
        },
        route("/catalog.jsonld", zh: "目录(DCAT，JSON-LD)", en: "The catalogue as DCAT in JSON-LD") { web in
            try await catalogue(web, .jsonLD)
        },
        route("/catalog.ttl", zh: "目录(DCAT，Turtle)", en: "The catalogue as DCAT in Turtle") { web in
            try await catalogue(web, .turtle)
        },
        Route(
            .get,
            "/dataset/{code}",
            .actions(["catalogue.show", "data.extent"]),
            zh: "数据集(DCAT)",
            en: "A dataset as DCAT"
        ) {
            web in
            let entry = try await web.perform(web.services.catalogue.show, try web.code()).entry
            guard let form = Form.asked(web) else { return .redirect("/resources/\(entry.slug)") }
            var graph = Graph()
            try await dataset(entry, web, &graph)
            var response = form.response(graph)
            response.headers[.vary] = "Accept"
            if web.principal == nil { response.headers[.accessControlAllowOrigin] = "*" }
            return response
        },
    ]

    private static func route(
        _ path: String,
        zh: String,
        en: String,
        _ handle: @escaping @Sendable (WebRequest) async throws -> Response
    ) -> Route {
        Route(.get, path, .actions(["catalogue.search", "data.extent"]), zh: zh, en: en) { web in
            var response = try await handle(web)
            if web.principal == nil { response.headers[.accessControlAllowOrigin] = "*" }
            return response
        }
    }

    /// The forms that a graph is written in.
    enum Form {
        case turtle, jsonLD

        var type: String { self == .turtle ? "text/turtle; charset=utf-8" : "application/ld+json" }
        var path: String { self == .turtle ? "/catalog.ttl" : "/catalog.jsonld" }

        /// The form that `Accept` names; nil where it asks for pages.
        static func asked(_ web: WebRequest) -> Form? {
            let types = ["application/ld+json", "text/turtle", "application/json", "text/html"]
            switch web.preferred(types) {
            case "text/turtle": return .turtle
            case "application/ld+json", "application/json": return .jsonLD
            default: return nil
            }
        }

        func response(_ graph: Graph) -> Response {
            let bytes = self == .turtle ? Array(graph.turtle.utf8) : Array(graph.json.text.utf8)
            return .bytes(bytes, type: type)
        }
    }

    private static func wanted(_ web: WebRequest) throws(Problem) -> Form {
        if let form = Form.asked(web) { return form }
        let accepted = web.request.headers[.accept] ?? ""
        guard accepted.isEmpty || accepted.contains("*/*") || accepted.contains("text/html") else {
            throw Problem(
                "request.not_acceptable",
                status: 406,
                zh: "目录有 text/turtle 和 application/ld+json 两种格式。",
                en: "The catalogue comes as text/turtle and application/ld+json."
            )
        }
        return .jsonLD
    }

    private static let authority = "http://publications.europa.eu/resource/authority/"
    /// Datasets of a page.
    static let pageSize = 100

    /// A page of the catalogue: complete by itself, in an order that does not move.
    private static func catalogue(_ web: WebRequest, _ form: Form) async throws -> Response {
        let page = web.query("page").map { Int($0) ?? 0 } ?? 1
        guard (1...10_000).contains(page) else {
            throw FeatureQuery.wrong("page", "应为正整数", "should be a positive integer")
        }
        let hits = try await web.perform(
            web.services.catalogue.search,
            CatalogueQuery(
                isOpen: web.principal == nil ? true : nil,
                offset: (page - 1) * pageSize,
                limit: pageSize,
                order: .number
            )
        )
        let pages = max(1, (hits.total + pageSize - 1) / pageSize)
        guard page <= pages else { throw Problem.notFound(.init("页", "the page")) }
        var graph = Graph()
        let address = web.origin
        let whole = "\(address)/catalog#it"
        graph.type(whole, "dcat:Catalog")
        let title = web.services.settings.title
        graph.say(whole, "dct:title", [.text(title.zh, .zh)] + (title.en == title.zh ? [] : [.text(title.en, .en)]))
        graph.say(
            whole,
            "dct:description",
            .text("交通运输公共数据资源目录。", .zh),
            .text("The catalogue of public transport data.", .en)
        )
        graph.say(whole, "foaf:homepage", .address(address + "/"))
        graph.say(whole, "dct:language", .address(authority + "language/ZHO"))
        graph.say(whole, "dcat:themeTaxonomy", .address(authority + "data-theme"))
        let publisher = web.services.kernel.gate.organisations.all.values.filter { $0.parent == nil }.min {
            $0.id.raw < $1.id.raw
        }
        if let publisher { graph.say(whole, "dct:publisher", .address(organisation(publisher, address, &graph))) }
        graph.say(whole, "dcat:dataset", hits.entries.map { .address(dataset($0, address)) })
        for entry in hits.entries { try await dataset(entry, web, &graph) }
        let here = "\(address)\(form.path)?page="
        let view = here + String(page)
        graph.type(view, "hydra:PartialCollectionView", "hydra:PagedCollection")
        graph.say(view, "hydra:first", .address(here + "1"))
        if page > 1 { graph.say(view, "hydra:previous", .address(here + String(page - 1))) }
        if page < pages {
            graph.say(view, "hydra:next", .address(here + String(page + 1)))
            graph.say(view, "hydra:nextPage", .address(here + String(page + 1)))
        }
        graph.say(view, "hydra:last", .address(here + String(pages)))
        graph.say(view, "hydra:totalItems", .typed(String(hits.total), "xsd:integer"))
        var response = form.response(graph)
        response.headers[.vary] = "Accept"
        if page < pages, let name = HTTPField.Name("Link") {
            response.headers[name] = "<\(Graph.safe(here))\(page + 1)>; rel=\"next\""
        }
        return response
    }

    private static func dataset(_ entry: Entry, _ address: String) -> String { "\(address)/dataset/\(entry.slug)" }

    private static func organisation(_ organisation: Organisation, _ address: String, _ graph: inout Graph) -> String {
        let subject = "\(address)/catalog#organisation-\(organisation.id.raw)"
        guard !graph.knows(subject) else { return subject }
        graph.type(subject, "foaf:Agent")
        graph.say(subject, "foaf:name", .text(organisation.name, .zh))
        return subject
    }

    private static let frequencies: [UpdateFrequency: String] = [
        .realTime: "CONT", .daily: "DAILY", .weekly: "WEEKLY", .monthly: "MONTHLY", .quarterly: "QUARTERLY",
        .halfYearly: "ANNUAL_2", .yearly: "ANNUAL", .irregular: "IRREG",
    ]

    /// What is said of a dataset and its distributions.
    private static func dataset(_ entry: Entry, _ web: WebRequest, _ graph: inout Graph) async throws {
        let address = web.origin
        let subject = dataset(entry, address)
        guard let content = entry.published ?? entry.content else { return }
        graph.type(subject, "dcat:Dataset")
        graph.say(subject, "dct:title", .text(content.name, .zh))
        graph.say(subject, "dct:description", .text(content.summary.isEmpty ? content.name : content.summary, .zh))
        graph.say(subject, "dct:identifier", .text(entry.resource.code, nil))
        graph.say(subject, "dcat:keyword", Set(content.keywords).sorted().map { .text($0, .zh) })
        graph.say(subject, "dcat:theme", .address(authority + "data-theme/TRAN"))
        graph.say(subject, "dct:language", .address(authority + "language/ZHO"))
        graph.say(subject, "dcat:landingPage", .address("\(address)/resources/\(entry.slug)"))
        if let code = frequencies[content.frequency] {
            graph.say(subject, "dct:accrualPeriodicity", .address(authority + "frequency/" + code))
        }
        let openness = Set(entry.resource.openness)
        let access =
            openness.contains(.unconditional) ? "PUBLIC" : openness.contains(.conditional) ? "RESTRICTED" : "NON_PUBLIC"
        graph.say(subject, "dct:accessRights", .address(authority + "access-right/" + access))
        if let moment = entry.publishedAt {
            graph.say(subject, "dct:issued", .typed(UniversalTime.text(moment), "xsd:dateTime"))
        }
        graph.say(
            subject,
            "dct:modified",
            .typed(UniversalTime.text(max(entry.dataAt ?? 0, entry.changedAt)), "xsd:dateTime")
        )
        if let owner = web.services.kernel.gate.organisations[entry.resource.owner] {
            graph.say(subject, "dct:publisher", .address(organisation(owner, address, &graph)))
        }
        guard entry.rows > 0, web.services.lake.mayRead(entry.resource, web.caller) else { return }
        var hasPlaces = false
        if let extent = try await web.perform(web.services.lake.extent, entry.resource.code) {
            if let box = extent.box {
                hasPlaces = true
                let place = subject + "#place"
                graph.say(subject, "dct:spatial", .address(place))
                graph.type(place, "dct:Location")
                graph.say(place, "dcat:bbox", .typed(box.geometry.wellKnownText, "geo:wktLiteral"))
            }
            if let times = extent.times {
                let period = subject + "#period"
                graph.say(subject, "dct:temporal", .address(period))
                graph.type(period, "dct:PeriodOfTime")
                graph.say(period, "dcat:startDate", .typed(UniversalTime.text(times.lowerBound), "xsd:dateTime"))
                graph.say(period, "dcat:endDate", .typed(UniversalTime.text(times.upperBound), "xsd:dateTime"))
            }
        }
        let formats: [(OutputFormat, String)] =
            [(.csv, "CSV"), (.xlsx, "XLSX"), (.json, "JSON")] + (hasPlaces ? [(.geojson, "GEOJSON")] : [])
        graph.say(subject, "dcat:distribution", formats.map { .address("\(subject)#\($0.0.rawValue)") })
        for (format, code) in formats {
            let distribution = "\(subject)#\(format.rawValue)"
            let download = "\(address)/api/v1/resources/\(entry.slug)/records.\(format.rawValue)"
            graph.type(distribution, "dcat:Distribution")
            graph.say(distribution, "dct:title", .text("\(content.name)(\(code))", .zh))
            graph.say(distribution, "dcat:accessURL", .address("\(address)/resources/\(entry.slug)"))
            graph.say(distribution, "dcat:downloadURL", .address(download))
            let media = format.mediaType.prefix { $0 != ";" }
            graph.say(distribution, "dcat:mediaType", .address("https://www.iana.org/assignments/media-types/\(media)"))
            graph.say(distribution, "dct:format", .address(authority + "file-type/" + code))
            graph.say(distribution, "dcatap:availability", .address(authority + "planned-availability/STABLE"))
        }
    }
}
