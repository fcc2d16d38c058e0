public import Basics
import CODBC
import Foundation

/// Tables of any database that has an ODBC driver (达梦, 人大金仓, Oracle, SQL Server, MySQL …), by way of unixODBC.
public struct ODBCSource: Sendable {
    /// Without the password: `Driver={DM8 ODBC DRIVER};Server=10.1.2.3;UID=tongqu`, or `DSN=…`.
    public var connection: String
    public var password: String
    public var seconds: Int

    static let title = LocalizedText("ODBC 数据库", "the ODBC database")

    public init(connection: String, password: String, seconds: Int = 3600) {
        self.connection = connection
        self.password = password
        self.seconds = seconds
    }

    /// Copies rows into a file of delimited text.
    ///
    /// - Throws: `source.unreachable`, `source.refused`, `source.interrupted`, `store.disk`.
    public func fetch(_ request: TableRequest, to path: String) async throws -> Fetched {
        try await Outside.apart { try Connection(self).copy(request, to: path) }
    }

    /// The names of a table's columns.
    public func columns(of table: String) async throws -> [String] {
        try await Outside.apart {
            let connection = try Connection(self)
            let statement = try connection.statement("SELECT * FROM \(try connection.name(table)) WHERE 1 = 0")
            return try statement.columns().map(\.name)
        }
    }

    /// What a connection may say. A driver is named as the machine's administrator installed it: a path would be a program to run.
    static let keys: Set<String> = [
        "driver", "dsn", "server", "servername", "port", "database", "db", "uid", "user", "tns", "host",
    ]

    /// The parts of a connection, checked.
    ///
    /// - Throws: `source.connection`.
    public static func check(_ connection: String) throws(Problem) {
        func invalid(_ zh: String, _ en: String) -> Problem {
            Problem(
                "source.connection",
                status: 422,
                zh: "连接串有误：\(zh)。",
                en: "The connection is not right: \(en).",
                details: ["keys": keys.sorted().joined(separator: ", ")]
            )
        }
        for part in connection.split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard pair.count == 2, keys.contains(pair[0].lowercased()) else {
                throw invalid(
                    "只能使用 Driver、DSN、Server、Port、Database、UID 等键",
                    "only Driver, DSN, Server, Port, Database, UID and the like"
                )
            }
            // No network database is named by a path; a file database would be read past the gate.
            guard !pair[1].contains("/"), !pair[1].contains("\\") else {
                throw invalid("不得包含路径", "it must hold no path")
            }
            guard ["driver", "dsn"].contains(pair[0].lowercased()) else { continue }
            let name =
                pair[1].hasPrefix("{") && pair[1].hasSuffix("}") ? String(pair[1].dropFirst().dropLast()) : pair[1]
            guard !name.isEmpty, !name.contains(where: { "/\\{}".contains($0) }) else {
                throw invalid("驱动应为本机已安装的名称", "the driver should be named as it is installed")
            }
            let isOfFiles = ["sqlite", "text", "csv", "mdb", "access", "dbase", "paradox", "excel"].contains {
                name.lowercased().contains($0)
            }
            guard !isOfFiles else {
                throw invalid("不支持文件型数据库，请用目录来源", "databases of files are not read: use a folder")
            }
            if pair[0].lowercased() == "driver", !drivers().contains(name.lowercased()) {
                throw invalid("本机没有安装驱动 \(name)", "the driver \(name) is not installed here")
            }
        }
    }

    /// The names of the drivers that are installed, in small letters.
    static func drivers() -> Set<String> {
        var environment: SQLHANDLE?
        guard isFine(SQLAllocHandle(SQLSMALLINT(SQL_HANDLE_ENV), nil, &environment)) else { return [] }
        defer { SQLFreeHandle(SQLSMALLINT(SQL_HANDLE_ENV), environment) }
        SQLSetEnvAttr(environment, SQL_ATTR_ODBC_VERSION, SQLPOINTER(bitPattern: 3), 0)
        var found: Set<String> = []
        var name = [UInt8](repeating: 0, count: 256)
        var attributes = [UInt8](repeating: 0, count: 1024)
        var lengths: (SQLSMALLINT, SQLSMALLINT) = (0, 0)
        var direction = SQLUSMALLINT(SQL_FETCH_FIRST)
        while isFine(SQLDrivers(environment, direction, &name, 256, &lengths.0, &attributes, 1024, &lengths.1)) {
            found.insert(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self).lowercased())
            direction = SQLUSMALLINT(SQL_FETCH_NEXT)
        }
        return found
    }

    static func isFine(_ status: SQLRETURN) -> Bool { status == 0 || status == 1 }

    /// The states of a handle's last fault: codes only, unless they speak of names and rights.
    static func said(_ type: Int, _ handle: SQLHANDLE?) -> String {
        var state = [UInt8](repeating: 0, count: 6)
        var text = [UInt8](repeating: 0, count: 512)
        var native: SQLINTEGER = 0
        var length: SQLSMALLINT = 0
        guard
            isFine(
                SQLGetDiagRec(SQLSMALLINT(type), handle, 1, &state, &native, &text, SQLSMALLINT(text.count), &length)
            )
        else { return "" }
        let code = String(decoding: state.prefix { $0 != 0 }, as: UTF8.self)
        guard ["08", "28", "42", "IM", "HYT", "S0", "3D"].contains(where: { code.hasPrefix($0) }) else { return code }
        return "\(code) \(String(decoding: text.prefix { $0 != 0 }, as: UTF8.self))"
    }

    /// A connection; used by one thread.
    private final class Connection {
        private var environment: SQLHANDLE?
        fileprivate var handle: SQLHANDLE?
        private let seconds: Int

        init(_ source: ODBCSource) throws {
            seconds = source.seconds
            guard isFine(SQLAllocHandle(SQLSMALLINT(SQL_HANDLE_ENV), nil, &environment)),
                isFine(SQLSetEnvAttr(environment, SQL_ATTR_ODBC_VERSION, SQLPOINTER(bitPattern: 3), 0)),
                isFine(SQLAllocHandle(SQLSMALLINT(SQL_HANDLE_DBC), environment, &handle))
            else { throw Outside.unreachable(ODBCSource.title, "unixODBC") }
            SQLSetConnectAttr(handle, SQL_ATTR_LOGIN_TIMEOUT, SQLPOINTER(bitPattern: 15), 0)
            // SQL_MODE_READ_ONLY: drivers that know it refuse to write.
            SQLSetConnectAttr(handle, SQL_ATTR_ACCESS_MODE, SQLPOINTER(bitPattern: 1), 0)
            SQLSetConnectAttr(handle, SQL_ATTR_CONNECTION_TIMEOUT, SQLPOINTER(bitPattern: 60), 0)
            // Braces keep a password with separators together.
            let secret =
                source.password.isEmpty ? "" : ";PWD={\(source.password.replacing("}", with: "}}"))}"
            var text = Array((source.connection + secret).utf8)
            var length: SQLSMALLINT = 0
            let status = SQLDriverConnect(handle, nil, &text, SQLSMALLINT(text.count), nil, 0, &length, 0)
            guard isFine(status) else {
                throw Outside.unreachable(ODBCSource.title, said(SQL_HANDLE_DBC_, handle))
            }
        }

        deinit {
            SQLDisconnect(handle)
            SQLFreeHandle(SQLSMALLINT(SQL_HANDLE_DBC), handle)
            SQLFreeHandle(SQLSMALLINT(SQL_HANDLE_ENV), environment)
        }

        /// The sign that encloses identifiers in this database.
        private lazy var quote: String = {
            var text = [UInt8](repeating: 0, count: 8)
            var length: SQLSMALLINT = 0
            SQLGetInfo(handle, SQLUSMALLINT(SQL_IDENTIFIER_QUOTE_CHAR), &text, SQLSMALLINT(text.count), &length)
            let found = String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
            return found == " " ? "" : found
        }()

        func identifier(_ name: String) throws -> String {
            if quote.isEmpty {
                guard name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else {
                    throw Outside.refused(ODBCSource.title, name)
                }
                return name
            }
            return quote + name.replacing(quote, with: quote + quote) + quote
        }

        func name(_ table: String) throws -> String {
            try table.split(separator: ".").map { try identifier(String($0)) }.joined(separator: ".")
        }

        func statement(_ sql: String) throws -> Statement { try Statement(self, sql, seconds: seconds) }

        func copy(_ request: TableRequest, to path: String) throws -> Fetched {
            let table = try name(request.table)
            let columns = try request.columns.map { "\(try identifier($0.source)) AS \(try identifier($0.name))" }
            var sql = "SELECT \(columns.isEmpty ? "t.*" : columns.joined(separator: ", "))"
            if let mark = request.watermark {
                let column = try identifier(mark)
                let type = try statement("SELECT \(column) FROM \(table) WHERE 1 = 0").columns().first?.type ?? 12
                let condition =
                    try request.after.map { "\(column) \(request.takesEqual ? ">=" : ">") \(try literal($0, type))" }
                    ?? "\(column) IS NOT NULL"
                sql += ", \(column) AS tongqu_mark FROM \(table) t WHERE \(condition) ORDER BY \(column)"
            } else {
                sql += " FROM \(table) t"
            }
            let statement = try statement(sql)
            var names = try statement.columns().map(\.name)
            if request.watermark != nil { names.removeLast() }
            let file = try SpoolFile(path, request.stop)
            try file.write(Delimited.line(names))
            var fetched = Fetched(rows: 0, watermark: nil, columns: names)
            while var row = try statement.next() {
                // The mark stands last; rows come in its order.
                if request.watermark != nil, let mark = row.removeLast() { fetched.watermark = mark }
                try file.write(Delimited.line(row))
                fetched.rows += 1
            }
            try file.finish()
            return fetched
        }

        /// A mark as this database reads it: numbers as they are, times by ODBC's escapes, anything else quoted.
        private func literal(_ value: String, _ type: Int) throws -> String {
            switch type {
            case 2...8, -5, -6:
                guard Double(value) != nil else { throw Outside.refused(ODBCSource.title, "watermark") }
                return value
            case 91, 93:
                guard value.utf8.allSatisfy({ (0x30...0x3A).contains($0) || [0x20, 0x2D, 0x2E].contains($0) }) else {
                    throw Outside.refused(ODBCSource.title, "watermark")
                }
                return type == 91 ? "{d '\(value)'}" : "{ts '\(value)'}"
            default: return "'\(value.replacing("'", with: "''"))'"
            }
        }
    }

    /// A statement under way. It keeps its connection: a driver must not see the one freed before the other.
    private final class Statement {
        private let connection: Connection
        private var handle: SQLHANDLE?
        private var count: SQLSMALLINT = 0
        private var buffer = [UInt16](repeating: 0, count: 4096)

        init(_ connection: Connection, _ sql: String, seconds: Int) throws {
            self.connection = connection
            guard isFine(SQLAllocHandle(SQLSMALLINT(SQL_HANDLE_STMT), connection.handle, &handle)) else {
                throw Outside.interrupted(ODBCSource.title, said(SQL_HANDLE_DBC_, connection.handle))
            }
            SQLSetStmtAttr(handle, SQL_ATTR_QUERY_TIMEOUT, SQLPOINTER(bitPattern: seconds), 0)
            var text = Array(sql.utf16)
            let status = SQLExecDirectW(handle, &text, SQLINTEGER(text.count))
            guard isFine(status), isFine(SQLNumResultCols(handle, &count)) else {
                let said = said(SQL_HANDLE_STMT_, handle)
                SQLFreeHandle(SQLSMALLINT(SQL_HANDLE_STMT), handle)
                handle = nil
                throw Outside.refused(ODBCSource.title, said)
            }
        }

        deinit { if handle != nil { SQLFreeHandle(SQLSMALLINT(SQL_HANDLE_STMT), handle) } }

        func columns() throws -> [(name: String, type: Int)] {
            try (1...max(1, count)).prefix(Int(count)).map { index in
                var name = [UInt16](repeating: 0, count: 256)
                var length: SQLSMALLINT = 0
                var type: SQLSMALLINT = 0
                var size: SQLULEN = 0
                var digits: SQLSMALLINT = 0
                var nullable: SQLSMALLINT = 0
                let status = SQLDescribeColW(
                    handle,
                    SQLUSMALLINT(index),
                    &name,
                    SQLSMALLINT(name.count),
                    &length,
                    &type,
                    &size,
                    &digits,
                    &nullable
                )
                guard isFine(status) else {
                    throw Outside.interrupted(ODBCSource.title, said(SQL_HANDLE_STMT_, handle))
                }
                return (String(decoding: name.prefix(Int(length)), as: UTF16.self), Int(type))
            }
        }

        /// The next row's values as text; nil at the end.
        func next() throws -> [String?]? {
            let status = SQLFetch(handle)
            if status == SQL_NO_DATA { return nil }
            guard isFine(status) else { throw Outside.interrupted(ODBCSource.title, said(SQL_HANDLE_STMT_, handle)) }
            return try (0..<Int(count)).map { try value($0 + 1) }
        }

        private func value(_ column: Int) throws -> String? {
            var units: [UInt16] = []
            while true {
                var indicator: SQLLEN = 0
                let bytes = buffer.count * 2
                let status = buffer.withUnsafeMutableBytes {
                    SQLGetData(
                        handle,
                        SQLUSMALLINT(column),
                        SQLSMALLINT(SQL_C_WCHAR),
                        $0.baseAddress,
                        SQLLEN(bytes),
                        &indicator
                    )
                }
                if status == SQL_NO_DATA { break }
                guard isFine(status) else {
                    throw Outside.interrupted(ODBCSource.title, said(SQL_HANDLE_STMT_, handle))
                }
                if indicator == SQL_NULL_DATA { return nil }
                // A driver may not know the length, even of the last piece: then it ends at the first zero.
                let isKnown = indicator >= 0 && indicator < bytes
                units.append(
                    contentsOf: isKnown
                        ? buffer.prefix(Int(indicator) / 2) : buffer.prefix { $0 != 0 }.prefix(buffer.count - 1)
                )
                if isKnown || status == 0 { break }
            }
            return String(decoding: units, as: UTF16.self)
        }
    }

    private static let SQL_HANDLE_DBC_ = 2
    private static let SQL_HANDLE_STMT_ = 3
}
