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

extension HTTPFields {
    /// The value of a field of ``HeaderName``.
    subscript(_ name: HTTPField.Name?) -> String? {
        get { name.flatMap { contains($0) ? self[$0] : nil } }
        set { if let name { self[name] = newValue } }
    }
}
