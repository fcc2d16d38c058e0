import Basics
import Flow
import HTTPTypes
import Hummingbird
import Kernel

/// Packages, receipts and trusted nodes for programs.
enum PackagesAPI {
    static let routes: [Route] = [
        Route(
            .get,
            "/api/v1/systems/{system}/{resource}/records/{id}/package",
            .actions(["flow.package"]),
            .console,
            zh: "导出记录包",
            en: "Pack a record",
            handle: PackageFiles.packed
        ),
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/records/{id}/receipts",
            .actions(["flow.receipt"]),
            .console,
            zh: "登记移送回执",
            en: "Register a receipt"
        ) { web in
            let place = try await RecordPages.place(web)
            try web.checkHeader()
            let isNew = try await web.perform(
                web.services.flows.receipt,
                (place.code, try web.number("id"), try await web.body())
            )
            return .json(.object([.init("registered", .boolean(isNew))]), status: isNew ? .created : .ok)
        },
        Route(
            .get,
            "/api/v1/systems/{system}/{resource}/packages",
            .actions(["flow.packages"]),
            .console,
            zh: "收到的记录包",
            en: "Received packages"
        ) { web in
            let place = try await RecordPages.place(web)
            let before = web.query("before").flatMap { Int64($0) }
            let (packages, next) = try await web.perform(
                web.services.flows.packages,
                (place.code, before, web.limit(50, 200))
            )
            return .json(
                .object([
                    .init("packages", .array(packages.map(json))), .init("next", next.map { .integer($0) } ?? .null),
                ])
            )
        },
        Route(
            .post,
            "/api/v1/systems/{system}/{resource}/packages",
            .actions(["flow.receive"]),
            .console,
            zh: "接收记录包(原始内容或 multipart)",
            en: "Receive a package (raw or multipart)"
        ) { web in
            let taken = try await PackageFiles.receive(web)
            return .json(json(taken.package), status: taken.isNew ? .created : .ok)
        },
        Route(
            .get,
            "/api/v1/systems/{system}/{resource}/packages/{package}/file",
            .actions(["flow.received"]),
            .console,
            zh: "下载记录包",
            en: "Download a package",
            handle: PackageFiles.whole
        ),
        Route(
            .get,
            "/api/v1/systems/{system}/{resource}/packages/{package}/receipt",
            .actions(["flow.received"]),
            .console,
            zh: "下载移送回执",
            en: "Download a receipt",
            handle: PackageFiles.receipt
        ),
        Route(.get, "/api/v1/nodes", .actions(["system.trusted"]), .console, zh: "互信节点", en: "Trusted nodes") { web in
            let found = try await web.perform(web.services.flows.trustedNodes, ())
            return .json(
                .object([
                    .init("fingerprint", .string(found.fingerprint)), .init("public_key", .string(found.publicKey)),
                    .init(
                        "nodes",
                        .array(
                            found.nodes.map {
                                .object([
                                    .init("fingerprint", .string($0.fingerprint)), .init("name", .string($0.name)),
                                    .init("public_key", .string($0.publicKey)),
                                    .init("at", .string(CivilTime.timestamp($0.at))),
                                ])
                            }
                        )
                    ),
                ])
            )
        },
        Route(.post, "/api/v1/nodes", .actions(["system.trust"]), .console, zh: "登记互信节点", en: "Trust a node") { web in
            let body = try await web.json()
            let fingerprint = try await web.perform(
                web.services.flows.trust,
                (body["name"]?.string ?? "", body["public_key"]?.string ?? "")
            )
            return .json(.object([.init("fingerprint", .string(fingerprint))]), status: .created)
        },
        Route(
            .delete,
            "/api/v1/nodes/{fingerprint}",
            .actions(["system.distrust"]),
            .console,
            zh: "撤销互信节点",
            en: "Trust a node no more"
        ) { web in
            try web.checkHeader()
            try await web.perform(web.services.flows.distrust, try web.parameter("fingerprint"))
            return .json(.object([.init("removed", true)]))
        },
    ]

    private static func json(_ package: ReceivedPackage) -> JSONValue {
        .object([
            .init("id", .integer(package.id)), .init("package", .string(package.package)),
            .init("file", .string(package.file)), .init("size", .integer(package.size)),
            .init("sender", .string(package.sender)), .init("sender_record", .string(package.senderRecord)),
            .init("key", .string(package.signer)), .init("state", .string(package.manifest.state)),
            .init("record", package.record.map { .integer($0) } ?? .null),
            .init("received_at", .string(CivilTime.timestamp(package.at))),
            .init("receipt", (try? JSONValue(text: package.receipt)) ?? .null),
        ])
    }
}
