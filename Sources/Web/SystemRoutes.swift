import Basics
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import NIOCore

/// Health, metrics, the API's description, static files.
enum SystemRoutes {
    static func routes(_ application: WebApplication) -> [Route] {
        [
            Route(.get, "/healthz", .nothing, zh: "健康检查", en: "Health") { web in
                let answers = try await web.services.kernel.isAnswering()
                return .json(.object([.init("status", .string(answers ? "ok" : "failing"))]))
            },
            Route(.get, "/metrics", .nothing, zh: "运行指标", en: "Metrics") { web in metrics(application, web) },
            Route(.get, "/openapi.json", .nothing, zh: "接口说明", en: "API description") { web in
                .json(OpenAPI.document(application.routes, web))
            },
            Route(.get, "/assets/{name}", .nothing, zh: "样式与脚本", en: "Styles and scripts", handle: asset),
            Route(.get, "/vendor/{name}", .nothing, zh: "第三方脚本", en: "Third-party scripts", handle: vendor),
            Route(.get, "/.well-known/security.txt", .nothing, zh: "安全联系", en: "Security contact") { _ in
                .bytes(
                    Array(
                        "Contact: mailto:security@localhost\nPreferred-Languages: zh, en\nExpires: 2030-01-01T00:00:00Z\n"
                            .utf8
                    ),
                    type: "text/plain; charset=utf-8"
                )
            },
        ]
    }

    /// Prometheus text.
    static func metrics(_ application: WebApplication, _ web: WebRequest) -> Response {
        let (requests, seconds) = application.metrics.snapshot
        let (allowed, denied) = web.services.kernel.gate.counts
        var out = "# TYPE tongqu_http_requests_total counter\n"
        for (kind, count) in requests.sorted(by: { ($0.key.method, $0.key.status) < ($1.key.method, $1.key.status) }) {
            out += "tongqu_http_requests_total{method=\"\(kind.method)\",status=\"\(kind.status)\"} \(count)\n"
        }
        out += "# TYPE tongqu_http_request_seconds_total counter\ntongqu_http_request_seconds_total \(seconds)\n"
        out += "# TYPE tongqu_gate_decisions_total counter\n"
        out +=
            "tongqu_gate_decisions_total{outcome=\"allowed\"} \(allowed)\ntongqu_gate_decisions_total{outcome=\"denied\"} \(denied)\n"
        return .bytes(Array(out.utf8), type: "text/plain; version=0.0.4; charset=utf-8")
    }

    static func asset(_ web: WebRequest) async throws -> Response {
        guard let (bytes, type) = assets[try web.parameter("name")] else {
            throw Problem.notFound(.init("文件", "the file"))
        }
        return Response(
            status: .ok,
            headers: [.contentType: type, .cacheControl: "public, max-age=3600"],
            body: ResponseBody(byteBuffer: bytes)
        )
    }

    /// The program's own files, laid out once.
    private static let assets: [String: (bytes: ByteBuffer, type: String)] = [
        "site.css": (ByteBuffer(bytes: PackageResources.site_css), "text/css; charset=utf-8"),
        "chart.js": (ByteBuffer(bytes: PackageResources.chart_js), "text/javascript; charset=utf-8"),
        "map.js": (ByteBuffer(bytes: PackageResources.map_js), "text/javascript; charset=utf-8"),
        "page.js": (ByteBuffer(bytes: PackageResources.page_js), "text/javascript; charset=utf-8"),
        "attach.js": (ByteBuffer(bytes: PackageResources.attach_js), "text/javascript; charset=utf-8"),
        "form.js": (ByteBuffer(bytes: PackageResources.form_js), "text/javascript; charset=utf-8"),
        "logo.svg": (ByteBuffer(bytes: PackageResources.logo_svg), "image/svg+xml"),
    ]

    static let vendorFiles = [
        "maplibre-gl.js": "text/javascript; charset=utf-8", "maplibre-gl.css": "text/css; charset=utf-8",
        "chart.js": "text/javascript; charset=utf-8",
    ]

    static func vendor(_ web: WebRequest) async throws -> Response {
        let name = try web.parameter("name")
        guard let type = vendorFiles[name],
            let data = FileManager.default.contents(atPath: "\(web.services.settings.vendorFolder)/\(name)")
        else {
            throw Problem.notFound(.init("文件", "the file"))
        }
        var response = Response.bytes(Array(data), type: type)
        response.headers[.cacheControl] = "public, max-age=86400"
        return response
    }
}
