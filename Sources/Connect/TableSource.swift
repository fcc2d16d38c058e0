import Basics
import Dispatch
import Synchronization

/// Rows wanted from a table of a database elsewhere.
public struct TableRequest: Sendable {
    /// `schema.table` or `table`, as the database spells it.
    public var table: String
    /// Columns and the names their values get here; empty for every column as it is called.
    public var columns: [(source: String, name: String)]
    /// The column that grows with every change (a time, a number); nil for the whole table each time.
    public var watermark: String?
    /// The value of the watermark up to which rows were taken.
    public var after: String?
    /// Whether rows with exactly that value are taken again: late ones of the same moment are not lost, known ones are replaced by key.
    public var takesEqual: Bool
    /// Ends the reading when it is set.
    public var stop: StopSign

    public init(
        table: String,
        columns: [(source: String, name: String)] = [],
        watermark: String? = nil,
        after: String? = nil,
        takesEqual: Bool = false,
        stop: StopSign = StopSign()
    ) {
        self.stop = stop
        self.table = table
        self.columns = columns
        self.watermark = watermark
        self.after = after
        self.takesEqual = takesEqual
    }
}

/// Tells a reading under way to end.
public final class StopSign: Sendable {
    private let flag = Mutex(false)

    public init() {}

    public func set() { flag.withLock { $0 = true } }

    var isSet: Bool { flag.withLock { $0 } }
}

/// What was written to a file.
public struct Fetched: Sendable, Hashable {
    public var rows: Int64
    /// The greatest watermark among the rows; nil where there is none.
    public var watermark: String?
    /// The columns as the database named them; empty where it does not.
    public var columns: [String]

    public init(rows: Int64, watermark: String?, columns: [String] = []) {
        self.rows = rows
        self.watermark = watermark
        self.columns = columns
    }
}

/// Problems of reaching what lies elsewhere. Texts of other systems go in only where they cannot carry data of rows.
enum Outside {
    static func unreachable(_ what: LocalizedText, _ said: String) -> Problem {
        Problem(
            "source.unreachable",
            status: 502,
            zh: "连接不上\(what.zh)。",
            en: "\(what.en) cannot be reached.",
            details: ["said": String(said.prefix(400))],
            hint: .init("请核对地址、端口、账号与口令，以及网络是否放行。", "Check address, port, account, secret and the firewall.")
        )
    }

    static func refused(_ what: LocalizedText, _ said: String) -> Problem {
        Problem(
            "source.refused",
            status: 502,
            zh: "\(what.zh)拒绝了请求。",
            en: "\(what.en) refused the request.",
            details: ["said": String(said.prefix(400))],
            hint: .init("请核对表名、列名、路径与权限。", "Check the names of tables and columns, the path and the rights.")
        )
    }

    static func interrupted(_ what: LocalizedText, _ said: String = "") -> Problem {
        Problem(
            "source.interrupted",
            status: 502,
            zh: "读取\(what.zh)时中断。",
            en: "Reading from \(what.en) was interrupted.",
            details: said.isEmpty ? [:] : ["said": String(said.prefix(400))],
            hint: .init("稍后会自动重试。", "It is tried again later.")
        )
    }

    static func malformed(_ zh: String, _ en: String) -> Problem {
        Problem("source.malformed", status: 502, zh: "来源返回的内容有误：\(zh)。", en: "The source's answer is not right: \(en).")
    }

    /// Runs calls that wait for a network away from the threads that serve requests.
    ///
    /// When the task is cancelled the caller goes on at once; the call ends by its own limits of time.
    static func apart<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        let waiting = Waiting<T>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { done in
                waiting.begin(done)
                DispatchQueue.global(qos: .utility).async { waiting.end(Result { try body() }) }
            }
        } onCancel: {
            waiting.end(.failure(CancellationError()))
        }
    }

    /// Somebody who waits for one answer; the first counts.
    private final class Waiting<T: Sendable>: Sendable {
        private enum State {
            case idle
            case waiting(CheckedContinuation<T, any Error>)
            case over
        }
        private let state = Mutex(State.idle)

        func begin(_ done: CheckedContinuation<T, any Error>) {
            let isLate = state.withLock { state in
                if case .over = state { return true }
                state = .waiting(done)
                return false
            }
            if isLate { done.resume(throwing: CancellationError()) }
        }

        func end(_ result: Result<T, any Error>) {
            let waiting = state.withLock { state -> CheckedContinuation<T, any Error>? in
                defer { state = .over }
                if case .waiting(let done) = state { return done }
                return nil
            }
            waiting?.resume(with: result)
        }
    }
}
