public import Store

/// A schema of a PostgreSQL database behind the ``Database`` seam.
public final class PostgresDatabase: Database {
    let server: PostgresServer
    let schema: String

    init(_ server: PostgresServer, _ schema: String) {
        self.server = server
        self.schema = schema
    }

    public var dialect: Dialect { .postgresql }

    public func read<T: Sendable>(_ body: @escaping @Sendable (any SQLReading) throws -> T) async throws -> T {
        try await server.run(schema, .read) { try body($0) }
    }

    @discardableResult
    public func write<T: Sendable>(_ body: @escaping @Sendable (any SQLWriting) throws -> T) async throws -> T {
        try await server.run(schema, .write) { try body($0) }
    }
}
