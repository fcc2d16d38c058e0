public import Basics
import Foundation

/// Where a node's PostgreSQL is, and how it is used: `postgresql://user@host:5432/database?sslmode=verify-full&schema=tongqu`.
public struct PostgresSettings: Sendable, Hashable {
    /// libpq's connection string; holds the password, where the address has one.
    let address: String
    /// The prefix of the node's schemas: `tongqu` gives `tongqu_control`, `tongqu_evidence`, `tongqu_records`, `tongqu_lake`.
    public var prefix: String
    /// Connections of this process at the most.
    public var connections: Int
    /// The longest that one statement may take, in seconds.
    public var seconds: Int

    /// Reads an address. `schema` is ours; every other option goes to libpq (`sslmode`, `sslrootcert`, `passfile`, `target_session_attrs` …).
    ///
    /// - Throws: `configuration.store`.
    public init(_ text: String, connections: Int = 16, seconds: Int = 600) throws(Problem) {
        guard var parts = URLComponents(string: text), ["postgresql", "postgres"].contains(parts.scheme ?? "") else {
            throw PostgresSettings.invalid
        }
        let items = parts.queryItems ?? []
        prefix = items.last { $0.name == "schema" }?.value ?? "tongqu"
        parts.queryItems = items.filter { $0.name != "schema" }
        if parts.queryItems?.isEmpty == true { parts.queryItems = nil }
        parts.scheme = "postgresql"
        let isName = prefix.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
        }
        guard let address = parts.string, isName, (1...40).contains(prefix.utf8.count),
            prefix.utf8.first.map({ (0x61...0x7A).contains($0) }) == true, (2...500).contains(connections),
            (1...86_400).contains(seconds)
        else { throw PostgresSettings.invalid }
        self.address = address
        self.connections = connections
        self.seconds = seconds
    }

    public static let invalid = Problem(
        "configuration.store",
        zh: "存储地址有误。",
        en: "The address of the store is not right.",
        hint: .init(
            "写作 sqlite，或 postgresql://账号@主机:5432/库名?schema=tongqu；schema 为小写字母、数字、下划线。",
            "Write sqlite, or postgresql://user@host:5432/database?schema=tongqu; a schema has small letters, digits and _."
        )
    )

    /// The address without its password and options, for people.
    public var described: String {
        guard var parts = URLComponents(string: address) else { return "postgresql" }
        parts.password = nil
        parts.queryItems = nil
        return "\(parts.string ?? "postgresql")?schema=\(prefix)"
    }

    /// The address for PostgreSQL's own programs, without the password, and the password for their environment.
    public var forPrograms: (address: String, password: String?) {
        guard var parts = URLComponents(string: address) else { return (address, nil) }
        let items = parts.queryItems ?? []
        let password = parts.password ?? items.last { $0.name == "password" }?.value
        parts.password = nil
        let kept = items.filter { $0.name != "password" && $0.name != "sslpassword" }
        parts.queryItems = kept.isEmpty ? nil : kept
        return (parts.string ?? address, password)
    }

    /// The same server with another database: where backups are tried.
    public func database(_ name: String) throws(Problem) -> PostgresSettings {
        guard var parts = URLComponents(string: address) else { throw PostgresSettings.invalid }
        parts.path = "/" + name
        var items = parts.queryItems ?? []
        items.append(URLQueryItem(name: "schema", value: prefix))
        parts.queryItems = items
        return try PostgresSettings(parts.string ?? "", connections: connections, seconds: seconds)
    }
}
