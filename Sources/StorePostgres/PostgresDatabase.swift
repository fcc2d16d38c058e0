public import Store
import Synchronization

/// A schema of a PostgreSQL database behind the ``Database`` seam.
public final class PostgresDatabase: Database {
    let server: PostgresServer
    let schema: String
    private let ended = Atomic(0)

    public var writes: Int { ended.load(ordering: .sequentiallyConsistent) }

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
        defer { ended.add(1, ordering: .sequentiallyConsistent) }
        return try await server.run(schema, .write) { try body($0) }
    }
}
