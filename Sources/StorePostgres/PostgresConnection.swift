import Basics
import CPostgres
import Store

/// One connection, used by one thread at a time.
final class PostgresConnection {
    let handle: OpaquePointer
    /// What a statement is stopped by, from any thread.
    let canceller: OpaquePointer?
    /// The schema that unqualified names are looked up in.
    private var schema = ""
    /// How often each statement was asked for; from the second time on it is prepared.
    private var uses: [String: Int] = [:]
    private var prepared: [String: String] = [:]
    private static let maximumPrepared = 400

    /// - Throws: `store.unavailable`, `store.sign_in`, `store.missing`, `store.authentication_unsupported`.
    init(_ settings: PostgresSettings, process: Int32) throws {
        // One statement may take this long; an idle transaction would hold rows that others wait for.
        let options =
            "-c statement_timeout=\(settings.seconds)s -c lock_timeout=60s -c idle_in_transaction_session_timeout=300s -c client_min_messages=warning -c maintenance_work_mem=256MB"
        let names = [
            "dbname", "application_name", "connect_timeout", "client_encoding", "keepalives_idle",
            "keepalives_interval",
            "keepalives_count", "tcp_user_timeout", "options",
        ]
        let values = [settings.address, "tongqu \(process)", "10", "UTF8", "30", "10", "3", "60000", options]
        let found = PostgresConnection.withStrings(names) { names in
            PostgresConnection.withStrings(values) { values in PQconnectdbParams(names, values, 1) }
        }
        guard let found else { throw PostgresFailure(state: "", isLost: true) }
        guard PQstatus(found) == CONNECTION_OK else {
            let said = String(cString: PQerrorMessage(found))
            PQfinish(found)
            throw PostgresFailure.refusal(said)
        }
        handle = found
        canceller = PQgetCancel(found)
    }

    deinit {
        PQfreeCancel(canceller)
        PQfinish(handle)
    }

    private static func withStrings<R>(
        _ texts: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> R
    ) -> R {
        var bytes: [CChar] = []
        var starts: [Int] = []
        for text in texts {
            starts.append(bytes.count)
            bytes.append(contentsOf: text.utf8CString)
        }
        return bytes.withUnsafeBufferPointer { bytes in
            var pointers = starts.map { start in bytes.baseAddress.map { UnsafePointer($0 + start) } }
            pointers.append(nil)
            return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
        }
    }

    var isUsable: Bool { PQstatus(handle) == CONNECTION_OK }

    /// Runs statements without values.
    func run(_ sql: String) throws {
        let result = PQexec(handle, sql)
        defer { PQclear(result) }
        let status = PQresultStatus(result)
        guard status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK else { throw PostgresFailure(result, handle) }
    }

    /// Commits; false where the transaction had failed and the server rolled it back.
    func commit() throws -> Bool {
        let result = PQexec(handle, "COMMIT")
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_COMMAND_OK else { throw PostgresFailure(result, handle) }
        return String(cString: PQcmdStatus(result)) == "COMMIT"
    }

    func use(schema wanted: String) throws {
        guard schema != wanted else { return }
        try run("SET search_path TO \"\(wanted)\"")
        schema = wanted
    }

    /// Runs a statement; the answer in binary form, to be cleared by the caller.
    func query(_ sql: String, _ values: [SQLValue]) throws -> OpaquePointer {
        var types: [Oid] = []
        var formats: [Int32] = []
        var lengths: [Int32] = []
        var bytes: [UInt8] = []
        var starts: [Int] = []
        types.reserveCapacity(values.count)
        for value in values {
            starts.append(bytes.count)
            types.append(PostgresConnection.type(value))
            switch value {
            case .null: starts[starts.count - 1] = -1
            case .integer(let number): PostgresConnection.append(UInt64(bitPattern: number), to: &bytes)
            case .real(let number): PostgresConnection.append(number.bitPattern, to: &bytes)
            case .text(let text): bytes.append(contentsOf: text.utf8)
            case .blob(let blob): bytes.append(contentsOf: blob)
            }
            lengths.append(Int32(bytes.count - max(0, starts[starts.count - 1])))
            formats.append(1)
        }
        // An empty buffer has no address; a value of no bytes needs one.
        bytes.append(0)
        let key = "\(schema)\u{1}\(types.map { String($0) }.joined(separator: ","))\u{1}\(sql)"
        let name = try statementName(key, sql, types)
        let result = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            let base = buffer.baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
            let pointers = starts.map { start in start < 0 ? nil : base.map { $0 + start } }
            return pointers.withUnsafeBufferPointer { pointers in
                let count = Int32(values.count)
                guard let name else {
                    return PQexecParams(
                        handle,
                        Statement.numbered(sql),
                        count,
                        types,
                        pointers.baseAddress,
                        lengths,
                        formats,
                        1
                    )
                }
                return PQexecPrepared(handle, name, count, pointers.baseAddress, lengths, formats, 1)
            }
        }
        let status = PQresultStatus(result)
        guard let result, status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK else {
            defer { PQclear(result) }
            throw PostgresFailure(result, handle)
        }
        return result
    }

    /// The name of a prepared statement; nil for one that was not asked for before.
    private func statementName(_ key: String, _ sql: String, _ types: [Oid]) throws -> String? {
        if let name = prepared[key] { return name }
        if uses.count > 4000 { uses = [:] }
        uses[key, default: 0] += 1
        guard uses[key] ?? 0 > 1 else { return nil }
        if prepared.count >= PostgresConnection.maximumPrepared {
            try run("DEALLOCATE ALL")
            prepared = [:]
        }
        let name = "s\(prepared.count)"
        let result = PQprepare(handle, name, Statement.numbered(sql), Int32(types.count), types)
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_COMMAND_OK else { throw PostgresFailure(result, handle) }
        prepared[key] = name
        return name
    }

    private static func type(_ value: SQLValue) -> Oid {
        switch value {
        case .null: 0
        case .integer: ServerType.int8
        case .real: ServerType.float8
        case .text: ServerType.text
        case .blob: ServerType.bytea
        }
    }

    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    // MARK: Copying

    /// Sends what a closure gives, piece by piece, into a table.
    func copy(_ sql: String, _ body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        let start = PQexec(handle, sql)
        let status = PQresultStatus(start)
        guard status == PGRES_COPY_IN else {
            defer { PQclear(start) }
            throw PostgresFailure(start, handle)
        }
        PQclear(start)
        var failure: (any Error)?
        do {
            try body { piece in
                guard let base = piece.baseAddress else { return }
                let sent = PQputCopyData(handle, base.assumingMemoryBound(to: CChar.self), Int32(piece.count))
                guard sent == 1 else { throw PostgresFailure(state: "", isLost: true) }
            }
        } catch { failure = error }
        _ = failure == nil ? PQputCopyEnd(handle, nil) : PQputCopyEnd(handle, "stopped")
        let end = PQgetResult(handle)
        defer { PQclear(end) }
        let isDone = PQresultStatus(end) == PGRES_COMMAND_OK
        let refusal = isDone ? nil : PostgresFailure(end, handle)
        while let rest = PQgetResult(handle) { PQclear(rest) }
        if let failure { throw failure }
        if let refusal { throw refusal }
    }

    /// What a COPY … TO STDOUT (FORMAT binary) gives: rows of `width` cells.
    func copyOut(_ sql: String, width: Int, capacity: Int) throws -> CopyAnswer {
        let start = PQexec(handle, sql)
        defer { PQclear(start) }
        guard PQresultStatus(start) == PGRES_COPY_OUT else { throw PostgresFailure(start, handle) }
        var answer = CopyAnswer(width: width, capacity: capacity)
        var buffer: UnsafeMutablePointer<CChar>?
        var length = PQgetCopyData(handle, &buffer, 0)
        while length > 0 {
            answer.take(UnsafeRawBufferPointer(start: buffer, count: Int(length)))
            PQfreemem(buffer)
            length = PQgetCopyData(handle, &buffer, 0)
        }
        var refusal = length == -1 && answer.isSound ? nil : PostgresFailure(state: "", isLost: true)
        while let end = PQgetResult(handle) {
            if refusal == nil, PQresultStatus(end) != PGRES_COMMAND_OK { refusal = PostgresFailure(end, handle) }
            PQclear(end)
        }
        if let refusal { throw refusal }
        return answer
    }
}

/// The rows of a COPY in its binary form, one message a row: their bytes, and where each cell lies in them.
struct CopyAnswer {
    struct Place {
        var start: Int
        /// Below zero for null.
        var count: Int32
    }

    let width: Int
    private(set) var bytes: [UInt8] = []
    private(set) var cells: [Place] = []
    private(set) var rows = 0
    /// Whether every message held what it should.
    private(set) var isSound = true
    private var isBegun = false

    init(width: Int, capacity: Int) {
        self.width = width
        cells.reserveCapacity(width * capacity)
    }

    mutating func take(_ message: UnsafeRawBufferPointer) {
        var at = 0
        if !isBegun {
            isBegun = true
            // The signature, flags and the length of an extension come before the first row.
            guard message.count >= 19 else { return isSound = false }
            at = 19 + Int(Int32(bigEndian: message.loadUnaligned(fromByteOffset: 15, as: Int32.self)))
            if at == message.count { return }
        }
        guard message.count >= at + 2 else { return isSound = false }
        let count = Int16(bigEndian: message.loadUnaligned(fromByteOffset: at, as: Int16.self))
        if count == -1 { return }
        guard Int(count) == width else { return isSound = false }
        let base = bytes.count
        bytes.append(contentsOf: message)
        at += 2
        for _ in 0..<width {
            guard at + 4 <= message.count else { return isSound = false }
            let length = Int32(bigEndian: message.loadUnaligned(fromByteOffset: at, as: Int32.self))
            at += 4
            cells.append(Place(start: base + at, count: length))
            if length > 0 { at += Int(length) }
            guard at <= message.count else { return isSound = false }
        }
        rows += 1
    }
}

/// The object ids of the server's types, as fixed in `pg_type.dat`.
enum ServerType {
    static let bool: Oid = 16
    static let bytea: Oid = 17
    static let int8: Oid = 20
    static let int2: Oid = 21
    static let int4: Oid = 23
    static let text: Oid = 25
    static let oid: Oid = 26
    static let float4: Oid = 700
    static let float8: Oid = 701
    static let numeric: Oid = 1700
}
