import Basics
import CPostgres

/// Tables of a PostgreSQL database, or one that speaks its protocol (openGauss, KingbaseES, GaussDB in that mode).
public struct PostgresSource: Sendable {
    public var host: String
    public var port: Int
    public var database: String
    public var user: String
    public var password: String
    /// libpq's `sslmode`: `disable`, `prefer`, `require`, `verify-full`.
    public var encryption: String
    /// The longest that one statement may take.
    public var seconds: Int

    static let title = LocalizedText("PostgreSQL 数据库", "the PostgreSQL database")

    public init(
        host: String,
        port: Int = 5432,
        database: String,
        user: String,
        password: String,
        encryption: String = "prefer",
        seconds: Int = 3600
    ) {
        self.host = host
        self.port = port
        self.database = database
        self.user = user
        self.password = password
        self.encryption = encryption
        self.seconds = seconds
    }

    /// Copies rows into a file of delimited text, as one consistent reading of the table.
    ///
    /// - Throws: `source.unreachable`, `source.refused`, `source.interrupted`, `store.disk`.
    public func fetch(_ request: TableRequest, to path: String) async throws -> Fetched {
        try await Outside.apart {
            let connection = try Connection(self)
            try connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            let fetched = try connection.copy(request, to: path)
            try connection.run("COMMIT")
            return fetched
        }
    }

    /// The names of a table's columns: shows that it can be reached and read.
    public func columns(of table: String) async throws -> [String] {
        try await Outside.apart {
            let connection = try Connection(self)
            return try connection.columns("SELECT * FROM \(connection.name(table)) LIMIT 0")
        }
    }

    /// One connection; used by one thread.
    private final class Connection {
        let handle: OpaquePointer

        init(_ source: PostgresSource) throws {
            let options = [
                ("host", source.host), ("port", String(source.port)), ("dbname", source.database),
                ("user", source.user), ("password", source.password), ("sslmode", source.encryption),
                ("connect_timeout", "15"), ("client_encoding", "UTF8"), ("application_name", "tongqu"),
                ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
                ("tcp_user_timeout", "60000"),
                (
                    "options",
                    "-c statement_timeout=\(source.seconds * 1000) -c datestyle=ISO -c timezone=Asia/Shanghai -c intervalstyle=iso_8601"
                ),
            ]
            let words = options.map { name, value in
                "\(name)='\(value.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'"
            }
            let found = PQconnectdb(words.joined(separator: " "))
            guard let found else { throw SpoolFile.full() }
            guard PQstatus(found) == CONNECTION_OK else {
                let said = String(cString: PQerrorMessage(found))
                PQfinish(found)
                throw Outside.unreachable(PostgresSource.title, said)
            }
            handle = found
        }

        deinit { PQfinish(handle) }

        func identifier(_ name: String) throws -> String {
            guard let text = PQescapeIdentifier(handle, name, name.utf8.count) else {
                throw Outside.refused(PostgresSource.title, "")
            }
            defer { PQfreemem(text) }
            return String(cString: text)
        }

        func name(_ table: String) throws -> String {
            try table.split(separator: ".").map { try identifier(String($0)) }.joined(separator: ".")
        }

        func literal(_ value: String) throws -> String {
            guard let text = PQescapeLiteral(handle, value, value.utf8.count) else {
                throw Outside.refused(PostgresSource.title, "")
            }
            defer { PQfreemem(text) }
            return String(cString: text)
        }

        @discardableResult
        func run(_ sql: String, expecting status: ExecStatusType = PGRES_COMMAND_OK) throws -> String? {
            let result = PQexec(handle, sql)
            defer { PQclear(result) }
            guard PQresultStatus(result) == status else { throw refusal(result) }
            guard status == PGRES_TUPLES_OK, PQntuples(result) > 0, PQgetisnull(result, 0, 0) == 0 else { return nil }
            return String(cString: PQgetvalue(result, 0, 0))
        }

        func columns(_ sql: String) throws -> [String] {
            let result = PQexec(handle, sql)
            defer { PQclear(result) }
            guard PQresultStatus(result) == PGRES_TUPLES_OK else { throw refusal(result) }
            return (0..<PQnfields(result)).map { String(cString: PQfname(result, $0)) }
        }

        /// The state and, where it can only name tables and rights, the message.
        func refusal(_ result: OpaquePointer?) -> Problem {
            let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) } ?? ""
            let isSafe = ["42", "28", "3D", "3F", "53", "57", "25"].contains { state.hasPrefix($0) }
            let said =
                isSafe
                ? PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) } ?? "" : ""
            if state.isEmpty || state.hasPrefix("08") || state.hasPrefix("57") {
                return Outside.interrupted(PostgresSource.title, "\(state) \(said)")
            }
            return Outside.refused(PostgresSource.title, "\(state) \(said)")
        }

        func copy(_ request: TableRequest, to path: String) throws -> Fetched {
            let table = try name(request.table)
            var condition = ""
            var greatest: String?
            if let column = request.watermark {
                let mark = try identifier(column)
                if let after = request.after {
                    condition = " WHERE \(mark) \(request.takesEqual ? ">=" : ">") \(try literal(after))"
                }
                greatest = try run("SELECT max(\(mark))::text FROM \(table)\(condition)", expecting: PGRES_TUPLES_OK)
                // Rows without a mark would never be taken up again: they are not part of such a reading.
                condition += condition.isEmpty ? " WHERE \(mark) IS NOT NULL" : ""
            }
            let columns = try request.columns.map { "\(try identifier($0.source)) AS \(try identifier($0.name))" }
            let list = columns.isEmpty ? "*" : columns.joined(separator: ", ")
            let names = try self.columns("SELECT \(list) FROM \(table) LIMIT 0")
            try run(
                "COPY (SELECT \(list) FROM \(table)\(condition)) TO STDOUT (FORMAT csv, HEADER)",
                expecting: PGRES_COPY_OUT
            )
            let file = try SpoolFile(path, request.stop)
            var lines: Int64 = 0
            while true {
                var data: UnsafeMutablePointer<CChar>?
                let count = PQgetCopyData(handle, &data, 0)
                guard count >= 0, let data else {
                    if count == -1 { break }
                    throw Outside.interrupted(PostgresSource.title)
                }
                defer { PQfreemem(data) }
                // libpq gives one row at a time.
                lines += 1
                try file.write(UnsafeRawBufferPointer(start: data, count: Int(count)))
            }
            let end = PQgetResult(handle)
            defer { PQclear(end) }
            guard PQresultStatus(end) == PGRES_COMMAND_OK else { throw refusal(end) }
            while let rest = PQgetResult(handle) { PQclear(rest) }
            try file.finish()
            return Fetched(rows: max(0, lines - 1), watermark: greatest, columns: names)
        }
    }
}
