import Basics
import Catalogue
import Hummingbird
import HTTPTypes
import Kernel
import Mask
import Open

/// `/api/v1/openings`.
enum OpeningAPI {
    static let routes: [Route] = [
        Route(.get, "/api/v1/openings", .actions(["open.list"]), .console, zh: "开放申请列表", en: "Opening applications") {
            web in
            let list = try await web.perform(
                web.services.opening.list,
                (web.query("stage").flatMap(OpeningRequest.Stage.init(rawValue:)), nil)
            )
            return .json(.object([.init("openings", .array(list.map(json)))]))
        },
        Route(
            .post,
            "/api/v1/resources/{code}/openings",
            .actions(["open.apply"]),
            .console,
            zh: "申请开放",
            en: "Apply for opening"
        ) { web in
            let body = try await web.json()
            let items = try (body["items"]?.array ?? []).map { item in
                OpeningRequest.Item(
                    field: item["field"]?.string ?? "",
                    openness: item["openness"]?.integer.flatMap { Openness(rawValue: Int($0)) } ?? Openness.none,
                    mask: try item["mask"]?.string.map(Mask.init(known:))
                )
            }
            let request = try await web.perform(
                web.services.opening.apply,
                (try web.code(), items, body["reason"]?.string ?? "")
            )
            return .json(json(request), status: .created)
        },
        Route(
            .post,
            "/api/v1/openings/{id}/secrecy",
            .actions(["open.review_secrecy"]),
            .console,
            zh: "保密审查及个人信息检查",
            en: "Secrecy review"
        ) { web in
            .json(json(try await web.perform(web.services.opening.reviewSecrecy, try await answer(web))))
        },
        Route(
            .post,
            "/api/v1/openings/{id}/authority",
            .actions(["open.review_authority"]),
            .console,
            zh: "主管部门审核",
            en: "Authority review"
        ) { web in
            .json(json(try await web.perform(web.services.opening.reviewAuthority, try await answer(web))))
        },
        Route(.post, "/api/v1/openings/{id}/close", .actions(["open.close"]), .console, zh: "停止开放", en: "Close") {
            web in
            let id = try web.number("id")
            let note = try await web.json()["note"]?.string ?? ""
            return .json(json(try await web.perform(web.services.opening.close, (id, note))))
        },
    ]

    static func answer(_ web: WebRequest) async throws -> OpenActions.Answer {
        let body = try await web.json()
        let date = Array((body["next_review"]?.string ?? "").utf8).withUnsafeBufferPointer {
            CivilTime.parseISODate($0)
        }
        return .init(
            id: try web.number("id"),
            approve: body["approve"]?.boolean ?? false,
            note: body["note"]?.string ?? "",
            nextReview: date ?? 0
        )
    }

    static func json(_ request: OpeningRequest) -> JSONValue {
        .object([
            .init("id", .integer(request.id)), .init("code", .string(request.code)),
            .init("stage", .string(request.stage.rawValue)),
            .init("reason", .string(request.reason)), .init("at", .string(CivilTime.timestamp(request.at))),
            .init("secrecy_note", .string(request.secrecyNote)),
            .init("authority_note", .string(request.authorityNote)),
            .init("next_review", request.nextReview.map { .string(CivilTime.date($0)) } ?? .null),
            .init(
                "items",
                .array(
                    request.items.map {
                        .object([
                            .init("field", .string($0.field)), .init("openness", .integer(Int64($0.openness.rawValue))),
                            .init("mask", $0.mask.map { .string($0.code) } ?? .null),
                        ])
                    }
                )
            ),
        ])
    }
}

/// Sessions, accounts, grants, evidence.
enum AdministrationAPI {
    static let routes: [Route] = [
        Route(.post, "/api/v1/session", .actions(["session.sign_in"]), .console, zh: "登录", en: "Sign in") { web in
            let body = try await web.json()
            let result = try await web.perform(
                web.services.administration.signIn,
                .init(login: body["login"]?.string ?? "", password: body["password"]?.string ?? "")
            )
            var response = Response.json(
                .object([
                    .init("csrf", .string(Accounts.csrf(result.token))), .init("name", .string(result.principal.name)),
                ])
            )
            response.headers[.setCookie] = WebApplication.cookie(result.token, isSecure: web.services.settings.isSecure)
            return response
        },
        Route(
            .put,
            "/api/v1/session/password",
            .actions(["session.change_password"]),
            .console,
            zh: "修改本人密码",
            en: "Change one's own password"
        ) { web in
            let body = try await web.json()
            try await web.perform(
                web.services.administration.changePassword,
                (old: body["old"]?.string ?? "", new: body["new"]?.string ?? "")
            )
            return Response(status: .noContent)
        },
        Route(.delete, "/api/v1/session", .actions(["session.sign_out"]), .console, zh: "退出", en: "Sign out") { web in
            try web.checkHeader()
            if let token = web.token { try await web.perform(web.services.administration.signOut, token) }
            return Response(status: .noContent)
        },
        Route(.get, "/api/v1/accounts", .actions(["account.list"]), .console, zh: "账号列表", en: "Accounts") { web in
            let accounts = try await web.perform(web.services.administration.accounts, ())
            return .json(.object([.init("accounts", .array(accounts.map(json)))]))
        },
        Route(.post, "/api/v1/accounts", .actions(["account.create"]), .console, zh: "新建账号", en: "Create an account") {
            web in
            let body = try await web.json()
            let id = try await web.perform(
                web.services.administration.createAccount,
                .init(
                    login: body["login"]?.string ?? "",
                    name: body["name"]?.string ?? "",
                    organisation: OrganisationID(body["organisation"]?.integer ?? 0),
                    password: body["password"]?.string,
                    kind: body["kind"]?.string == "service" ? .service : .person
                )
            )
            return .json(.object([.init("id", .integer(id.raw))]), status: .created)
        },
        Route(
            .put,
            "/api/v1/accounts/{id}/roles",
            .actions(["grant.set_roles"]),
            .console,
            zh: "分配角色",
            en: "Assign roles"
        ) { web in
            let roles = Set(
                try (try await web.json()["roles"]?.array ?? []).map {
                    try web.services.kernel.gate.role(named: $0.string ?? "")
                }
            )
            try await web.perform(web.services.administration.setRoles, (PrincipalID(try web.number("id")), roles))
            return Response(status: .noContent)
        },
        Route(
            .put,
            "/api/v1/accounts/{id}/active",
            .actions(["account.set_active"]),
            .console,
            zh: "启用或停用",
            en: "Enable or disable"
        ) { web in
            let isActive = try await web.json()["active"]?.boolean ?? false
            try await web.perform(web.services.administration.setActive, (PrincipalID(try web.number("id")), isActive))
            return Response(status: .noContent)
        },
        Route(
            .put,
            "/api/v1/accounts/{id}/password",
            .actions(["account.set_password"]),
            .console,
            zh: "重置密码",
            en: "Set a password"
        ) { web in
            let password = try await web.json()["password"]?.string ?? ""
            try await web.perform(
                web.services.administration.setPassword,
                (PrincipalID(try web.number("id")), password, isLasting: false)
            )
            return Response(status: .noContent)
        },
        Route(
            .post,
            "/api/v1/accounts/{id}/keys",
            .actions(["account.create_key"]),
            .console,
            zh: "新建接口密钥",
            en: "Create an API key"
        ) { web in
            let body = try await web.json()
            let key = try await web.perform(
                web.services.administration.createKey,
                (
                    PrincipalID(try web.number("id")), note: body["note"]?.string ?? "",
                    days: Int(body["days"]?.integer ?? 90)
                )
            )
            return .json(.object([.init("key", .string(key))]), status: .created)
        },
        Route(
            .get,
            "/api/v1/accounts/{id}/keys",
            .actions(["account.keys"]),
            .console,
            zh: "接口密钥列表",
            en: "API keys of an account"
        ) { web in
            let keys = try await web.perform(
                web.services.administration.keys,
                PrincipalID(try web.number("id"))
            )
            let list = keys.map { key in
                JSONValue.object([
                    .init("id", .string(key.id)), .init("note", .string(key.note)),
                    .init("created_at", .string(CivilTime.timestamp(key.createdAt))),
                    .init("until", .string(CivilTime.timestamp(key.until))),
                ])
            }
            return .json(.object([.init("keys", .array(list))]))
        },
        Route(
            .delete,
            "/api/v1/accounts/{id}/keys/{key}",
            .actions(["account.revoke_key"]),
            .console,
            zh: "吊销接口密钥",
            en: "Revoke an API key"
        ) { web in
            let key = try web.parameter("key")
            try await web.perform(
                web.services.administration.revokeKey,
                (PrincipalID(try web.number("id")), key: key)
            )
            return Response(status: .noContent)
        },
        Route(.get, "/api/v1/organisations", .actions(["organisation.list"]), .console, zh: "机构列表", en: "Organisations")
        { web in
            let organisations = try await web.perform(web.services.administration.organisations, ())
            return .json(
                .object([
                    .init(
                        "organisations",
                        .array(
                            organisations.map { organisation in
                                .object([
                                    .init("id", .integer(organisation.id.raw)),
                                    .init("name", .string(organisation.name)),
                                    .init("credit_code", .string(organisation.creditCode)),
                                    .init("parent", organisation.parent.map { .integer($0.raw) } ?? .null),
                                    .init("division", .string(organisation.division)),
                                    .init("level", .string(organisation.level.rawValue)),
                                ])
                            }
                        )
                    )
                ])
            )
        },
        Route(
            .post,
            "/api/v1/organisations",
            .actions(["organisation.create"]),
            .console,
            zh: "新建机构",
            en: "Create an organisation"
        ) { web in
            let body = try await web.json()
            let id = try await web.perform(
                web.services.administration.createOrganisation,
                Organisation(
                    id: OrganisationID(0),
                    name: body["name"]?.string ?? "",
                    creditCode: body["credit_code"]?.string ?? "",
                    parent: body["parent"]?.integer.map { OrganisationID($0) },
                    division: body["division"]?.string ?? "",
                    level: body["level"]?.string.flatMap(Organisation.Level.init(rawValue:)) ?? .province
                )
            )
            return .json(.object([.init("id", .integer(id.raw))]), status: .created)
        },
        Route(.get, "/api/v1/backups", .actions(["system.backups"]), .console, zh: "备份列表", en: "Backups and drills") {
            web in
            let jobs = try await web.perform(web.services.administration.backups, ())
            let list = jobs.map { job -> JSONValue in
                .object([
                    .init("job", .integer(job.id)), .init("kind", .string(job.kind)),
                    .init("state", .string(job.state.rawValue)),
                    .init("queued", .string(CivilTime.timestamp(job.createdAt))), .init("result", job.result),
                ])
            }
            return .json(.object([.init("backups", .array(list))]))
        },
        Route(
            .post,
            "/api/v1/backups",
            .actions(["system.back_up"]),
            .console,
            zh: "提交备份或恢复演练：kind 为 backup 或 restore_drill",
            en: "Queue a backup or a drill: kind is backup or restore_drill"
        ) { web in
            let kind = try await web.json()["kind"]?.string ?? Administration.backupJob
            let job = try await web.perform(web.services.administration.backUp, kind)
            return .json(.object([.init("job", .integer(job))]), status: .accepted)
        },
        Route(.get, "/api/v1/grants", .actions(["grant.list"]), .console, zh: "授权列表", en: "Grants") { web in
            let grants = try await web.perform(web.services.administration.grants, ())
            return .json(.object([.init("grants", .array(grants.map(json)))]))
        },
        Route(.post, "/api/v1/grants", .actions(["grant.create"]), .console, zh: "授权", en: "Grant", handle: grant),
        Route(.delete, "/api/v1/grants/{id}", .actions(["grant.revoke"]), .console, zh: "撤销授权", en: "Revoke") { web in
            try web.checkHeader()
            try await web.perform(web.services.administration.revoke, try web.number("id"))
            return Response(status: .noContent)
        },
        Route(.get, "/api/v1/evidence", .actions(["evidence.list"]), .console, zh: "存证记录", en: "Evidence") { web in
            let rows = try await web.perform(
                web.services.administration.evidence,
                .init(
                    before: web.query("before").flatMap { Int64($0) },
                    resource: web.query("resource"),
                    actor: web.query("actor"),
                    limit: web.limit(50, 500)
                )
            )
            return .json(
                .object([
                    .init(
                        "records",
                        .array(
                            try rows.map { row in
                                .object([
                                    .init("sequence", .integer(row.sequence)),
                                    .init("body", try JSONValue(text: row.body)), .init("hash", .string(row.hash)),
                                ])
                            }
                        )
                    )
                ])
            )
        },
        Route(
            .post,
            "/api/v1/evidence/verify",
            .actions(["evidence.verify"]),
            .console,
            zh: "验证存证链",
            en: "Verify the chain"
        ) { web in
            try web.checkHeader()
            let verdict = try await web.perform(web.services.administration.verifyEvidence, ())
            return .json(
                .object([
                    .init("sound", .boolean(verdict.fault == nil)), .init("records", .integer(Int64(verdict.records))),
                    .init("intervals", .integer(Int64(verdict.intervals))),
                    .init("unsealed", .integer(Int64(verdict.unsealed))),
                    .init("fault", verdict.fault.map { .string($0[web.language]) } ?? .null),
                ])
            )
        },
    ]

    static func json(_ account: Principal) -> JSONValue {
        .object([
            .init("id", .integer(account.id.raw)), .init("login", .string(account.login)),
            .init("name", .string(account.name)),
            .init("kind", .string(account.kind.rawValue)), .init("organisation", .integer(account.organisation.raw)),
            .init("roles", .array(account.roles.map(\.rawValue).sorted().map { .string($0) })),
            .init("active", .boolean(account.isActive)),
        ])
    }

    static func json(_ grant: Grant) -> JSONValue {
        .object([
            .init("id", .integer(grant.id)), .init("grantee", .string(title(grant.grantee))),
            .init("permissions", .array(grant.permissions.map(\.rawValue).sorted().map { .string($0) })),
            .init("scope", .string(title(grant.scope))),
            .init("fields", grant.fields.map { .array($0.sorted().map { .string($0) }) } ?? .null),
            .init("rows", grant.rows.map { .string($0) } ?? .null),
            .init(
                "masks",
                .object(grant.masks.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value.code)) })
            ),
            .init("purpose", .string(grant.purpose)),
            .init("until", grant.until.map { .string(CivilTime.timestamp($0)) } ?? .null),
        ])
    }

    static func title(_ grantee: Grant.Grantee) -> String {
        switch grantee {
        case .anyone: "anyone"
        case .signedIn: "signed_in"
        case .role(let role): "role:\(role.rawValue)"
        case .organisation(let id): "organisation:\(id.raw)"
        case .principal(let id): "principal:\(id.raw)"
        }
    }

    static func title(_ scope: Grant.Scope) -> String {
        switch scope {
        case .all: "all"
        case .own: "own"
        case .shared: "shared"
        case .open: "open"
        case .node: "node"
        case .resource(let id): "resource:\(id.raw)"
        }
    }

    /// A grant on one resource to an organisation, a role or an account.
    static func grant(_ web: WebRequest) async throws -> Response {
        let body = try await web.json()
        let parts = (body["grantee"]?.string ?? "").split(separator: ":").map(String.init)
        let grantee: Grant.Grantee
        switch (parts.first, parts.last) {
        case ("role", let name?):
            grantee = .role(try web.services.kernel.gate.role(named: name))
        case ("organisation", let id?): grantee = .organisation(OrganisationID(Int64(id) ?? 0))
        case ("principal", let id?): grantee = .principal(PrincipalID(Int64(id) ?? 0))
        default:
            throw Problem(
                "grant.grantee",
                zh: "被授权者应为 role:、organisation: 或 principal:。",
                en: "The grantee should be role:, organisation: or principal:."
            )
        }
        guard let code = body["resource"]?.string.map(Entry.code(slug:)) else {
            throw Problem("grant.scope", zh: "请指定资源。", en: "Name a resource.")
        }
        // Whoever may not grant does not learn here what exists.
        try web.services.kernel.gate.require(web.services.administration.grant.descriptor, web.caller)
        let resource = try await web.services.kernel.resource(code)
        var masks: [String: Mask] = [:]
        for member in body["masks"]?.members ?? [] {
            masks[member.name] = try Mask(known: member.value.string ?? "")
        }
        let permissions = try (body["permissions"]?.array ?? []).map { item in
            guard let permission = item.string.flatMap(Permission.init(rawValue:)) else {
                throw Problem("grant.permission", zh: "没有这个权限。", en: "There is no such permission.")
            }
            return permission
        }
        let until = Array((body["until"]?.string ?? "").utf8).withUnsafeBufferPointer { CivilTime.parseISODate($0) }
        if body["until"]?.string != nil, until == nil {
            throw Problem("grant.until", zh: "截止日期应为 2026-12-31 的写法。", en: "Write the end as 2026-12-31.")
        }
        try await web.perform(
            web.services.administration.grant,
            Grant(
                to: grantee,
                Set(permissions),
                on: .resource(resource.id),
                fields: body["fields"]?.array.map { Set($0.compactMap(\.string)) },
                rows: body["rows"]?.string,
                masks: masks,
                masksPersonalFields: body["mask_personal"]?.boolean ?? false,
                purpose: body["purpose"]?.string ?? "",
                until: until.map { Int64($0 + 1) * CivilTime.microsecondsPerDay - CivilTime.chinaOffset }
            )
        )
        return Response(status: .created)
    }
}

extension Mask {
    /// - Throws: `grant.mask` for a code that is none.
    fileprivate init(known code: String) throws(Problem) {
        guard let mask = Mask(code: code) else {
            throw Problem("grant.mask", zh: "脱敏方式无法识别。", en: "A mask is not known.")
        }
        self = mask
    }
}
