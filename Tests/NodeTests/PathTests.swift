import Codes
import Basics
import Foundation
import Kernel
import Lake
import Open
import Tabular
import TestKit
import Testing

/// The main job, end to end by the API: a file becomes a checked, catalogued, reviewed, open resource.
@Suite struct PathTests {
    static let csv = """
        id,plate,owner,phone,lanes,longitude,latitude,note
        K1,冀A12345,张三,13800001111,4,114.5,38.0,"<script>alert(1)</script>"
        K2,冀A12346,李四四,13800002222,x,114.6,38.1,b
        K3,冀A12347,王五,13800003333,2,114.7,38.2,=1+1
        K3,冀A12348,赵六,13800004444,2,114.7,38.2,d
        K4,冀A12349,欧阳小明,13800005555,6,214.8,38.3,e

        """

    static func file(_ text: String = csv, _ name: String = "卡口.csv") throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tongqu-path-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let url = folder.appending(path: name)
        try Data(text.utf8).write(to: url)
        return url
    }

    /// Key id, lanes an integer, kinds as inference would propose them over more rows.
    static func refine(_ schema: JSONValue) -> JSONValue {
        guard var parsed = try? TableSchema.read(schema) else { return schema }
        parsed.key = ["id"]
        for index in parsed.fields.indices {
            switch parsed.fields[index].name {
            case "id": parsed.fields[index].indexed = true
            case "plate": parsed.fields[index].kind = .plate
            case "owner": parsed.fields[index].kind = .personName
            case "phone":
                parsed.fields[index].type = .text
                parsed.fields[index].kind = .phone
            case "lanes":
                parsed.fields[index].type = .integer
                parsed.fields[index].indexed = true
            case "longitude":
                parsed.fields[index].kind = .longitude
                parsed.fields[index].minimum = -180
                parsed.fields[index].maximum = 180
            default: break
            }
            if let kind = parsed.fields[index].kind, kind.isPersonal { parsed.fields[index].grade = .general3 }
        }
        return TableSchema.write(parsed)
    }

    func post(
        _ node: TestNode,
        _ path: String,
        _ session: [String: String],
        _ members: [JSONValue.Member]
    ) async throws -> TestNode.Answer {
        try await node.ask("POST", path, headers: session, body: Array(JSONValue.object(members).text.utf8))
    }

    @Test func aFileBecomesAnOpenResource() async throws {
        let node = try await TestNode(demonstration: true)
        let clerk = try await node.session("clerk")
        let (code, job) = try await node.resource(try Self.file(), name: "测试卡口", session: clerk, change: Self.refine)
        let id = code.replacing("/", with: "-")
        #expect(
            job["state"]?.string == "done" && job["result"]?["good"]?.integer == 2
                && job["result"]?["bad"]?.integer == 3
        )

        // The bad rows come back with reasons; corrected, they join the others.
        let load = try #require(job["result"]?["load"]?.integer)
        let quarantine = try await node.ask(
            "GET",
            "/api/v1/resources/\(id)/loads/\(load)/quarantine.csv",
            headers: clerk
        )
        #expect(quarantine.text.contains("K2") && quarantine.text.contains("K4") && quarantine.text.contains("应为整数"))
        let corrected =
            "id,plate,owner,phone,lanes,longitude,latitude,note\nK2,冀A12346,李四四,13800002222,3,114.6,38.1,b\nK3,冀A99999,王五,13800003333,8,114.7,38.2,c\n"
        let upload = try await node.upload("b.csv", Array(corrected.utf8), session: clerk)
        let appended = try await node.load(upload, into: id, mode: "append", session: clerk)
        #expect(
            appended["result"]?["good"]?.integer == 1 && appended["result"]?["bad"]?.integer == 1,
            "K3 is there already"
        )
        let upserted = try await node.load(upload, into: id, mode: "upsert", session: clerk)
        #expect(upserted["result"]?["good"]?.integer == 2)
        let rows = try await node.ask("GET", "/api/v1/resources/\(id)/records?sort=-lanes&count=exact", headers: clerk)
            .json
        #expect(
            rows["count"]?.integer == 3 && rows["records"]?.array?.compactMap { $0["lanes"]?.integer } == [8, 4, 3]
        )

        // Nobody else sees a draft; nobody reviews their own.
        #expect(try await node.ask("GET", "/api/v1/resources/\(id)").status == 404)
        #expect(try await node.ask("GET", "/api/v1/resources/\(id)/records").status == 404)
        #expect(try await post(node, "/api/v1/resources/\(id)/submit", clerk, []).json["stage"]?.string == "department")
        #expect(
            try await post(
                node,
                "/api/v1/resources/\(id)/review",
                clerk,
                [.init("stage", "department"), .init("approve", true)]
            ).status == 403
        )
        let reviewer = try await node.session("reviewer")
        let authority = try await node.session("authority")
        #expect(
            try await post(
                node,
                "/api/v1/resources/\(id)/review",
                reviewer,
                [.init("stage", "department"), .init("approve", false)]
            ).status == 422
        )
        #expect(
            try await post(
                node,
                "/api/v1/resources/\(id)/review",
                reviewer,
                [.init("stage", "department"), .init("approve", true)]
            ).json["stage"]?.string == "authority"
        )
        let published = try await post(
            node,
            "/api/v1/resources/\(id)/review",
            authority,
            [.init("stage", "authority"), .init("approve", true)]
        )
        #expect(published.json["state"]?.string == "published" && published.json["open"]?.boolean == false)

        // Published is not open.
        #expect(try await node.ask("GET", "/api/v1/resources/\(id)/records").status == 404)
        #expect(
            try await node.ask("GET", "/api/v1/resources?q=%E6%B5%8B%E8%AF%95%E5%8D%A1%E5%8F%A3").json["total"]?.integer
                == 0
        )
        let steward = try await node.session("steward")
        let masked = try await node.ask("GET", "/api/v1/resources/\(id)/records", headers: steward).text
        #expect(masked.contains("冀A***45") && !masked.contains("冀A12345") && !masked.contains("张三"))

        // Opening: three people, personal fields masked even where nobody asked for it.
        let items = JSONValue.array(
            ["id", "plate", "lanes", "longitude", "latitude", "note"].map {
                .object([.init("field", .string($0)), .init("openness", 1)])
            }
        )
        let applied = try await post(
            node,
            "/api/v1/resources/\(id)/openings",
            clerk,
            [.init("items", items), .init("reason", "便民")]
        )
        let opening = try #require(applied.json["id"]?.integer)
        #expect(
            try await post(
                node,
                "/api/v1/openings/\(opening)/secrecy",
                clerk,
                [.init("approve", true), .init("note", "x")]
            ).status == 403
        )
        #expect(
            try await post(
                node,
                "/api/v1/openings/\(opening)/secrecy",
                reviewer,
                [.init("approve", true), .init("note", "不涉密")]
            ).status == 200
        )
        let opened = try await post(
            node,
            "/api/v1/openings/\(opening)/authority",
            authority,
            [.init("approve", true), .init("note", "同意"), .init("next_review", "2099-01-01")]
        )
        #expect(opened.json["stage"]?.string == "open", "\(opened.text)")

        // The public finds it, reads its quality, downloads it: open fields only, plates masked, formulas harmless.
        #expect(try await node.ask("GET", "/api/v1/resources?q=%E5%8D%A1%E5%8F%A3").json["total"]?.integer == 2)
        let csv = try await node.ask("GET", "/api/v1/resources/\(id)/records.csv")
        #expect(csv.status == 200 && csv.text.hasPrefix("id,plate,lanes,longitude,latitude,note\n"))
        for canary in ["张三", "李四四", "王五", "13800001111", "冀A12345"] { #expect(!csv.text.contains(canary)) }
        #expect(try await node.ask("GET", "/api/v1/resources/\(id)/records?fields=owner").status == 400)
        #expect(
            try await node.ask("GET", "/api/v1/resources/\(id)/records?filter=plate%3D%27%E5%86%80A12345%27").status
                == 403
        )
        #expect(try await node.ask("GET", "/api/v1/resources/\(id)/records?sort=plate").status == 403)
        #expect(
            try await node.ask("GET", "/api/v1/resources/\(id)/records.geojson").json["features"]?.array?.count == 3
        )
        #expect(
            try await node.ask("GET", "/api/v1/resources/\(id)/quality").json["scorecards"]?.array?.isEmpty == false
        )
        let page = try await node.ask("GET", "/resources/\(id)")
        #expect(page.status == 200 && !page.text.contains("<script>alert") && page.text.contains("&lt;script&gt;alert"))

        // Withdrawn, it is gone at once.
        #expect(
            try await post(node, "/api/v1/openings/\(opening)/close", authority, [.init("note", "复审")]).json["stage"]?
                .string == "closed"
        )
        #expect(try await node.ask("GET", "/api/v1/resources/\(id)/records.csv").status == 404)

        // The auditor proves who did what.
        let auditor = try await node.session("auditor")
        #expect(try await node.ask("POST", "/api/v1/evidence/verify", headers: auditor).json["sound"]?.boolean == true)
        let trail = try await node.ask(
            "GET",
            "/api/v1/evidence?limit=500&resource=\(code.replacing("/", with: "%2F"))",
            headers: auditor
        )
        for action in [
            "data.run_load", "catalogue.submit", "catalogue.review_authority", "open.review_authority", "open.close",
            "data.read",
        ] {
            #expect(trail.text.contains("\"\(action)\""), "\(action)")
        }
        for canary in ["张三", "13800001111", "冀A12345"] { #expect(!trail.text.contains(canary)) }
        try await node.close()
    }

    @Test func everyPageOpensForItsRoleAndIsRefusedToOthers() async throws {
        let node = try await TestNode(demonstration: true)
        for path in [
            "/", "/search", "/search?q=%E6%BC%94%E7%A4%BA&category=301001", "/signin", "/resources/301001-000001",
            "/healthz", "/metrics", "/openapi.json",
        ] {
            for language in ["zh", "en"] {
                let answer = try await node.ask("GET", path + (path.contains("?") ? "&" : "?") + "lang=\(language)")
                #expect(answer.status == 200, "\(path)")
                if path.hasPrefix("/s") || path == "/" {
                    #expect(answer.text.contains(language == "zh" ? "数据目录" : "Catalogue"))
                }
            }
        }
        let pages = [
            ("clerk", "/console/upload", 200), ("clerk", "/console/entries", 200), ("clerk", "/console/openings", 200),
            ("clerk", "/console/accounts", 403),
            ("clerk", "/console/evidence", 403), ("clerk", "/console/entries/301003-000001", 200),
            ("clerk", "/console/openings/new/301001-000001", 200),
            ("sysadmin", "/console/accounts", 200), ("sysadmin", "/console/jobs", 200),
            ("sysadmin", "/console/evidence", 403), ("sysadmin", "/console/grants", 403),
            ("secadmin", "/console/grants", 200), ("secadmin", "/console/accounts", 403),
            ("auditor", "/console/evidence", 200), ("auditor", "/console/grants", 403),
        ]
        for (login, path, status) in pages {
            let answer = try await node.ask("GET", path, headers: try await node.session(login))
            #expect(answer.status == status, "\(login) \(path): \(answer.status)")
        }
        #expect(try await node.ask("GET", "/console").headers["location"]?.hasPrefix("/signin") == true)
        #expect(try await node.ask("GET", "/nothing").status == 404)
        let headers = try await node.ask("GET", "/").headers
        #expect(
            headers["content-security-policy"]?.contains("default-src 'self'") == true
                && headers["x-content-type-options"] == "nosniff"
        )
        try await node.close()
    }
}
