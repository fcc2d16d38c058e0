import Basics
import Catalogue
import Codes
import Collect
import Composition
import HTTPTypes
import Harvest
import Kernel
import Lake
import Logging
import TestKit
import Testing

@testable import Web

/// What routes take is declared once, told, and checked before anything reads it.
@Suite struct DeclaredBodyTests {
    /// Routes that read no body.
    private static let bodiless: Set<String> = [
        "POST /api/v1/evidence/verify", "POST /api/v1/feedback/{id}/set_aside", "POST /api/v1/harvests/{id}/runs",
        "POST /api/v1/resources/{code}/derivation/runs", "POST /api/v1/sources/{id}/probe",
        "POST /api/v1/sources/{id}/rewind", "POST /api/v1/sources/{id}/runs",
        "POST /api/v1/subscriptions/{id}/pause", "POST /api/v1/subscriptions/{id}/resume",
        "POST /api/v1/subscriptions/{id}/secret", "POST /api/v1/subscriptions/{id}/test",
        "POST /api/v1/systems/{system}/{resource}/imports/{import}/run",
        "POST /api/v1/systems/{system}/work/{work}",
    ]

    @Test func everyRouteThatWritesSaysWhatItTakes() async throws {
        let node = try await TestNode()
        let routes = WebApplication(services: node.node.services, logger: .init(label: "test")).routes
        let names = Set(routes.map { "\($0.method.rawValue) \($0.path)" })
        for name in DeclaredBody.known.keys { #expect(names.contains(name), "\(name) is no route") }
        for route in routes where route.isAPI && !route.isAnonymous && [.post, .put, .patch].contains(route.method) {
            let name = "\(route.method.rawValue) \(route.path)"
            #expect((route.takes != nil) != Self.bodiless.contains(name), "\(name)")
        }
        try await node.close()
    }

    /// Every member of every body with another type, without it where it is needed, and misspelt.
    @Test func everyMemberIsChecked() throws {
        var checked = 0
        for (name, body) in DeclaredBody.known {
            guard let schema = body.schema.map(Self.resolved), let members = schema["properties"]?.members else {
                continue
            }
            let whole = Self.sample(schema)
            #expect(throws: Never.self, "\(name)") { try body.check(whole) }
            for member in members where member.value["readOnly"] == nil {
                let wrong: JSONValue = .array([.object([.init("x", .array([]))])])
                func with(_ value: JSONValue?) -> JSONValue {
                    let others = (whole.members ?? []).filter { $0.name != member.name }
                    return .object(others + (value.map { [.init(member.name, $0)] } ?? []))
                }
                let isArray = Self.types(Self.resolved(member.value)).contains("array")
                let refused = #expect(throws: Problem.self, "\(name) \(member.name)") {
                    try body.check(with(isArray ? .boolean(true) : wrong))
                }
                #expect(refused?.code == "request.body" && refused?.details["place"] == member.name, "\(name)")
                let isNeeded = schema["required"]?.array?.contains(.string(member.name)) == true
                if isNeeded {
                    #expect(throws: Problem.self, "\(name) \(member.name)") { try body.check(with(nil)) }
                    #expect(throws: Problem.self, "\(name) \(member.name)") { try body.check(with(.null)) }
                } else {
                    #expect(throws: Never.self, "\(name) \(member.name)") { try body.check(with(.null)) }
                }
                #expect(member.value["$ref"] != nil || member.value["description"]?["zh"]?.string != "", "\(name)")
                checked += 1
            }
            if schema["additionalProperties"] == nil {
                let more = JSONValue.object((whole.members ?? []) + [.init("colour", .string("red"))])
                #expect(throws: Problem.self, "\(name)") { try body.check(more) }
            }
        }
        #expect(checked > 150, "\(checked)")
    }

    /// What is declared are the codes that the program knows: a new one is not forgotten here.
    @Test func codesAreThoseOfTheProgram() throws {
        func codes(_ name: String, _ path: String...) -> Set<String> {
            let place = path.reduce(DeclaredBody.known[name]?.schema.map(Self.resolved)) { schema, step in
                step == "[]"
                    ? schema?["items"].map(Self.resolved) : schema?["properties"]?[step].map(Self.resolved)
            }
            return Set((place?["enum"]?.array ?? []).compactMap(\.string)).subtracting([""])
        }
        let entry = "POST /api/v1/resources"
        #expect(codes(entry, "schema", "fields", "[]", "tongqu:kind") == Set(SemanticKind.allCases.map(\.rawValue)))
        #expect(codes("POST /api/v1/standards", "elements", "[]", "kind") == Set(SemanticKind.allCases.map(\.rawValue)))
        #expect(codes(entry, "items", "[]", "mode") == Set(SharingMode.allCases.map(\.rawValue)))
        #expect(codes(entry, "format_class") == Set(FormatClass.allCases.map(\.rawValue)))
        #expect(codes("POST /api/v1/resources/{code}/loads", "mode") == Set(LoadMode.allCases.map(\.rawValue)))
        #expect(codes("POST /api/v1/sources", "kind") == Set(SourceKind.allCases.map(\.rawValue)))
        #expect(codes("POST /api/v1/harvests", "kind") == Set(HarvestKind.allCases.map(\.rawValue)))
        #expect(codes("POST /api/v1/subscriptions", "types", "[]") == Set(NodeEvent.Kind.allCases.map(\.type)))
        #expect(codes("POST /api/v1/organisations", "level") == Set(Organisation.Level.allCases.map(\.rawValue)))
    }

    /// Null is as good as left out, but for values by the names of fields.
    @Test func nullsOfDeclaredMembersAreLeftOut() throws {
        let harvest = try #require(DeclaredBody.known["POST /api/v1/harvests"])
        var whole = Self.sample(try #require(harvest.schema))
        whole = .object((whole.members ?? []) + [.init("columns", .null)])
        #expect(try harvest.read(whole)["columns"] == nil)
        let check = try #require(DeclaredBody.known["POST /api/v1/uploads/{upload}/check"])
        let schema = try JSONValue(
            text: #"{"fields":[{"name":"a","constraints":{"minimum":null,"maximum":2}}],"foreign":null}"#
        )
        #expect(
            try check.read(schema).text == #"{"fields":[{"name":"a","constraints":{"maximum":2}}],"foreign":null}"#
        )
        let step = try #require(DeclaredBody.known["POST /api/v1/systems/{system}/{resource}/records"])
        let values = try JSONValue(text: #"{"step":"send","values":{"a":null},"note":null}"#)
        #expect(try step.read(values).text == #"{"step":"send","values":{"a":null}}"#)
    }

    /// Through the API: nothing becomes open, nobody is disabled, no grant becomes endless by a slip.
    @Test func slipsAreRefusedAndNamed() async throws {
        let node = try await TestNode(demonstration: true)
        func send(_ method: String, _ path: String, _ login: String, _ body: String) async throws -> (Int, JSONValue) {
            let headers = try await node.session(login)
            let answer = try await node.ask(method, path, headers: headers, body: Array(body.utf8))
            return (answer.status, answer.json)
        }
        let openings = "/api/v1/resources/101001-000001/openings"
        let clerk = try await node.node.kernel.accounts.find(login: "clerk")?.id.raw ?? 0
        for (method, path, login, body, place) in [
            ("POST", openings, "clerk", #"{"items":[{"field":"name"}],"reason":"公开"}"#, "items[0].openness"),
            (
                "POST", openings, "clerk", #"{"items":[{"field":"name","openness":"2"}],"reason":"x"}"#,
                "items[0].openness"
            ),
            (
                "POST", openings, "clerk", #"{"items":[{"field":"name","openness":7}],"reason":"x"}"#,
                "items[0].openness"
            ),
            ("PUT", "/api/v1/accounts/\(clerk)/active", "sysadmin", "", "active"),
            ("PUT", "/api/v1/accounts/\(clerk)/roles", "secadmin", "{}", "roles"),
            (
                "POST", "/api/v1/grants", "secadmin",
                #"{"grantee":"role:clerk","resource":"101001/000001","permissions":["data.read"],"untill":"2026-12-31"}"#,
                "untill"
            ),
            (
                "POST", "/api/v1/grants", "secadmin",
                #"{"grantee":"role:clerk","resource":"101001/000001","permissions":["data.read"],"fields":"name"}"#,
                "fields"
            ),
            ("POST", "/api/v1/resources/101001-000001/review", "reviewer", #"{"note":"同意"}"#, "approve"),
            (
                "POST", "/api/v1/standards", "steward", #"{"elements":[{"id":"E9","name":"x","scale":"2"}]}"#,
                "elements[0].scale"
            ),
            (
                "POST", "/api/v1/standards", "steward", #"{"trees":[{"id":"T","name":"x","nodes":{}}]}"#,
                "trees[0].nodes"
            ),
            ("POST", "/api/v1/derivations/preview", "clerk", #"{"sources":[],"fields":[],"rows":201}"#, "rows"),
            (
                "POST", "/api/v1/subscriptions", "steward",
                #"{"name":"x","url":"https://example.com/","resources":[\#(Array(repeating: "\"a\"", count: 101).joined(separator: ","))]}"#,
                "resources"
            ),
            ("POST", "/api/v1/subscriptions", "steward", #"{"name":"a\u0000b","url":"https://example.com/"}"#, "name"),
            (
                "POST", "/api/v1/resources", "clerk",
                #"{"name":"x","category":"301001","provider":1,"schema":{"fields":[{"name":"a","tongqu:grad":5}]}}"#,
                "schema.fields[0].tongqu:grad"
            ),
            ("POST", "/api/v1/entries/steps", "clerk", #"{"step":"sumbit","codes":[]}"#, "step"),
        ] {
            let (status, answer) = try await send(method, path, login, body)
            #expect(status == 400 && answer["code"]?.string == "request.body", "\(path) \(answer)")
            #expect(answer["details"]?["place"]?.string == place, "\(path) \(answer)")
        }
        let (_, misspelt) = try await send(
            "POST",
            "/api/v1/grants",
            "secadmin",
            #"{"grantee":"x","resource":"y","permissions":[],"untill":""}"#
        )
        #expect(misspelt["hint"]?.string == "是否指“until”？", "\(misspelt)")
        // A whole number is one, however it is written; numbers of nothing are nothing; nobody is shut out; other encodings are not guessed.
        let (_, exact) = try await send(
            "POST",
            openings,
            "clerk",
            #"{"items":[{"field":"name","openness":2.0}],"reason":""}"#
        )
        #expect(exact["code"]?.string != "request.body", "\(exact)")
        let hook = #"{"name":"x","url":"https://example.com/"}"#
        #expect(try await send("PUT", "/api/v1/subscriptions/0", "steward", hook).0 == 404)
        let (kept, why) = try await send("DELETE", "/api/v1/grants/2", "secadmin", "")
        #expect(kept == 409 && why["code"]?.string == "grant.builtin", "\(why)")
        let steward = try await node.session("steward")
        let gbk = Array(#"{"name":""#.utf8) + [0xE1, 0xE9] + Array(#"","url":"https://example.com/"}"#.utf8)
        let guessed = try await node.ask("POST", "/api/v1/subscriptions", headers: steward, body: gbk)
        #expect(guessed.json["code"]?.string == "request.encoding", "\(guessed.text)")
        let nodes = (1...40).map { #"{"code":"\#($0)","parent":"\#($0 == 1 ? "" : String($0 - 1))"}"# }
        let deep = #"{"trees":[{"id":"DEEP","name":"x","nodes":[\#(nodes.joined(separator: ","))]}]}"#
        let (_, tree) = try await send("POST", "/api/v1/standards", "steward", deep)
        #expect(tree["code"]?.string == "standard.invalid", "\(tree)")
        let isActive = try await node.node.kernel.accounts.find(login: "clerk")?.isActive
        #expect(isActive == true)
        try await node.close()
    }

    private static func resolved(_ schema: JSONValue) -> JSONValue {
        guard let name = schema["$ref"]?.string?.split(separator: "/").last else { return schema }
        return DeclaredBody.shared.first { $0.name == name }?.value ?? .null
    }

    private static func types(_ schema: JSONValue) -> [String] {
        schema["type"]?.string.map { [$0] } ?? (schema["type"]?.array ?? []).compactMap(\.string)
    }

    /// Something that fits a schema, with all that it needs.
    private static func sample(_ schema: JSONValue) -> JSONValue {
        let schema = resolved(schema)
        if let first = schema["enum"]?.array?.first { return first }
        switch types(schema).first {
        case "integer", "number": return .integer(1)
        case "boolean": return .boolean(true)
        case "array": return .array(schema["items"].map { [sample($0)] } ?? [])
        case "object":
            let needed = (schema["required"]?.array ?? []).compactMap(\.string)
            return .object(
                (schema["properties"]?.members ?? []).filter { needed.contains($0.name) }
                    .map { .init($0.name, sample($0.value)) }
            )
        default: return .string("x")
        }
    }
}
