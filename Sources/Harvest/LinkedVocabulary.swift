/// The things of DCAT 3, DCAT-AP 3.0.1 and Hydra that a harvest asks for.
enum LinkedProperty: UInt8, Sendable {
    case title, description, keyword, theme, publisher, contactPoint, issued, modified, frequency, license, landingPage
    case page, spatial, distribution, dataset, identifier, partOf, name, label, accessURL, downloadURL, format
    case mediaType, byteSize, geometry, next, totalItems

    /// Whether an object without `@` members is a map from languages to texts, not a thing.
    var isText: Bool {
        switch self {
        case .title, .description, .keyword, .name, .label: true
        default: false
        }
    }
}

/// The classes that a harvest tells apart.
enum LinkedClass: Sendable {
    case dataset, distribution, catalogue
}

/// Names of properties and classes, and the prefixes that are used without being declared.
enum LinkedVocabulary {
    static let prefixes: [String: String] = [
        "adms": "http://www.w3.org/ns/adms#", "dcat": "http://www.w3.org/ns/dcat#",
        "dcatap": "http://data.europa.eu/r5r/", "dc": "http://purl.org/dc/elements/1.1/",
        "dct": "http://purl.org/dc/terms/", "dcterms": "http://purl.org/dc/terms/",
        "foaf": "http://xmlns.com/foaf/0.1/", "hydra": "http://www.w3.org/ns/hydra/core#",
        "locn": "http://www.w3.org/ns/locn#", "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#", "schema": "http://schema.org/",
        "skos": "http://www.w3.org/2004/02/skos/core#", "vcard": "http://www.w3.org/2006/vcard/ns#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    ]

    /// Properties by their full addresses.
    static let properties: [String: LinkedProperty] = {
        let lists: [(String, [(String, LinkedProperty)])] = [
            (
                "dct",
                [
                    ("title", .title), ("description", .description), ("publisher", .publisher), ("issued", .issued),
                    ("modified", .modified), ("accrualPeriodicity", .frequency), ("license", .license),
                    ("spatial", .spatial), ("identifier", .identifier), ("isPartOf", .partOf), ("format", .format),
                    ("subject", .theme),
                ]
            ),
            (
                "dcat",
                [
                    ("keyword", .keyword), ("theme", .theme), ("contactPoint", .contactPoint),
                    ("landingPage", .landingPage), ("distribution", .distribution), ("dataset", .dataset),
                    ("inSeries", .partOf), ("accessURL", .accessURL), ("downloadURL", .downloadURL),
                    ("mediaType", .mediaType), ("byteSize", .byteSize), ("bbox", .geometry),
                ]
            ),
            (
                "dc",
                [
                    ("title", .title), ("description", .description), ("publisher", .publisher),
                    ("identifier", .identifier),
                ]
            ),
            ("foaf", [("name", .name), ("page", .page)]),
            ("skos", [("prefLabel", .label)]),
            ("rdfs", [("label", .label)]),
            ("locn", [("geometry", .geometry), ("geographicName", .label)]),
            ("vcard", [("fn", .name), ("organization-name", .label), ("hasFN", .name)]),
            ("hydra", [("next", .next), ("nextPage", .next), ("totalItems", .totalItems)]),
        ]
        var found: [String: LinkedProperty] = [:]
        for (prefix, names) in lists {
            for (name, property) in names { found[(prefixes[prefix] ?? "") + name] = property }
        }
        return found
    }()

    /// Terms that DCAT-AP's published contexts (1.1 to 3.0.1) and DCAT-US 3 give the properties: remote contexts are not fetched.
    static let terms: [String: LinkedProperty] = [
        "title": .title, "description": .description, "keyword": .keyword, "tag": .keyword, "theme": .theme,
        "category": .theme, "publisher": .publisher, "contactPoint": .contactPoint, "issued": .issued,
        "releaseDate": .issued, "modified": .modified, "modificationDate": .modified, "updateDate": .modified,
        "frequency": .frequency, "accrualPeriodicity": .frequency, "license": .license, "licence": .license,
        "landingPage": .landingPage, "documentation": .page, "spatial": .spatial, "geographic": .spatial,
        "geographicalCoverage": .spatial, "distribution": .distribution, "datasetDistribution": .distribution,
        "dataset": .dataset, "identifier": .identifier, "inSeries": .partOf, "isPartOf": .partOf, "name": .name,
        "formattedName": .name, "fn": .name, "preferredLabel": .label, "prefLabel": .label, "label": .label,
        "accessURL": .accessURL, "accessUrl": .accessURL, "downloadURL": .downloadURL, "downloadUrl": .downloadURL,
        "format": .format, "mediaType": .mediaType, "byteSize": .byteSize, "boundingBox": .geometry,
        "geometry": .geometry, "next": .next, "nextPage": .next, "totalItems": .totalItems,
    ]

    /// Classes by their full addresses and by the terms of the contexts.
    static let classes: [String: LinkedClass] = [
        "http://www.w3.org/ns/dcat#Dataset": .dataset, "Dataset": .dataset,
        "http://www.w3.org/ns/dcat#Distribution": .distribution, "Distribution": .distribution,
        "http://www.w3.org/ns/dcat#Catalog": .catalogue, "Catalog": .catalogue, "Catalogue": .catalogue,
    ]
}
