import HTTPTypes

/// Names of headers that HTTPTypes does not list, made once: making one looks at every character of it.
enum HeaderName {
    static let contentCrs = HTTPField.Name("Content-Crs")
    static let csrf = HTTPField.Name("X-CSRF-Token")
    static let exposedHeaders = HTTPField.Name("Access-Control-Expose-Headers")
    static let fetchSite = HTTPField.Name("Sec-Fetch-Site")
    static let forwardedFor = HTTPField.Name("X-Forwarded-For")
    static let forwardedProtocol = HTTPField.Name("X-Forwarded-Proto")
    static let rateLimit = HTTPField.Name("RateLimit")
    static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy")
    static let requestedMethod = HTTPField.Name("Access-Control-Request-Method")
    static let traceID = HTTPField.Name("X-Trace-Id")
    static let traceParent = HTTPField.Name("traceparent")
}

/// Fields that many answers have, made once.
enum HeaderField {
    static let anyOrigin = HTTPField(name: .accessControlAllowOrigin, value: "*")
    static let byCoding = HTTPField(name: .vary, value: "Accept-Encoding")
    static let exposesFeatures = HeaderName.exposedHeaders.map { HTTPField(name: $0, value: "Content-Crs, Link") }
    static let exposesState = HeaderName.exposedHeaders.map {
        HTTPField(name: $0, value: "ETag, Link, RateLimit, RateLimit-Policy, Retry-After, Content-Range")
    }
    static let isOfCRS84 = HeaderName.contentCrs.map {
        HTTPField(name: $0, value: "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>")
    }
}

extension HTTPFields {
    /// Adds a field where there is none of its name.
    mutating func add(_ field: HTTPField?) {
        if let field, !contains(field.name) { append(field) }
    }

    /// The first value of a field, which has only one.
    func first(_ name: HTTPField.Name) -> String? { first { $0.name == name }?.value }

    /// The value of a field of ``HeaderName``.
    subscript(_ name: HTTPField.Name?) -> String? {
        get { name.flatMap { contains($0) ? self[$0] : nil } }
        set { if let name { self[name] = newValue } }
    }
}
