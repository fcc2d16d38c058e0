import Basics
import CPostgres

/// What the server answered, or that it no longer answers. Turned into a problem at the seam's edge.
struct PostgresFailure: Error {
    /// The SQLSTATE; empty where there was no answer.
    var state: String
    /// The server's words where they can only name tables, columns and rights; else empty: they may quote values.
    var said: String
    /// Whether the connection is gone.
    var isLost: Bool

    /// Whether the transaction may be tried again as it is.
    var isTransient: Bool { state == "40001" || state == "40P01" }

    init(state: String, said: String = "", isLost: Bool = false) {
        self.state = state
        self.said = said
        self.isLost = isLost
    }

    init(_ result: OpaquePointer?, _ connection: OpaquePointer) {
        state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) } ?? ""
        let isSafe = ["08", "25", "28", "3D", "3F", "42", "53", "54", "55", "57", "0A"].contains { [state] in
            state.hasPrefix($0)
        }
        said =
            isSafe ? PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) } ?? "" : ""
        isLost =
            PQstatus(connection) != CONNECTION_OK || state.isEmpty || state.hasPrefix("08")
            || ["57P01", "57P02", "57P03"].contains(state)
    }

    /// For whoever asked. Texts of the server that may quote values are left out.
    var problem: Problem {
        var details = ["engine": "postgresql"]
        if !state.isEmpty { details["code"] = state }
        if !said.isEmpty { details["said"] = said }
        func problem(
            _ code: String,
            _ status: Int,
            _ zh: String,
            _ en: String,
            hint: LocalizedText? = nil
        ) -> Problem {
            Problem(code, status: status, zh: zh, en: en, details: details, hint: hint)
        }
        switch state {
        case _ where isLost:
            return problem(
                "store.unavailable",
                503,
                "数据库服务器暂时连接不上。",
                "The database server cannot be reached now.",
                hint: .init(
                    "已确认的数据没有丢失；服务器恢复后会自动重连。",
                    "Nothing acknowledged is lost; the node connects again by itself."
                )
            )
        case "53100", "53400":
            return problem(
                "store.disk",
                507,
                "数据库服务器的磁盘已满或超出配额，本次更改未保存。",
                "The server's disk is full or a quota is used up; this change was not saved.",
                hint: .init("清理磁盘后重试；此前已确认的数据没有丢失。", "Free space and try again; nothing acknowledged before was lost.")
            )
        case "54000":
            return problem(
                "store.too_large",
                422,
                "文本过长，不能建立索引(主键和常用查询字段不宜超过 2,700 字节)。",
                "A text is too long to be indexed: keys and fields often asked for have 2,700 bytes at the most."
            )
        case "25006":
            return problem(
                "store.read_only",
                503,
                "数据库服务器是只读的(备机或维护中)，不能保存。",
                "The database server is read-only (a replica, or maintenance); nothing can be saved.",
                hint: .init(
                    "请连接主库；多主机地址可加 target_session_attrs=read-write。",
                    "Connect to the primary; with several hosts add target_session_attrs=read-write."
                )
            )
        case "57014":
            return problem(
                "store.timeout",
                503,
                "数据库语句超时，已取消。",
                "A database statement took too long and was cancelled.",
                hint: .init("请缩小查询范围。", "Ask for less at a time.")
            )
        case "40001", "40P01", "55P03", "53200", "53300":
            return problem("store.busy", 503, "数据库正忙，请稍后重试。", "The database is busy; try again shortly.")
        case "42501":
            return problem(
                "store.refused",
                500,
                "数据库账号的权限不足。",
                "The database account lacks a right.",
                hint: .init("账号须能在所用数据库中建立模式。", "The account must be able to create schemas in its database.")
            )
        case "22021", "22P05":
            return problem(
                "store.text",
                422,
                "文本中有数据库不能保存的字符。",
                "A text holds characters that the database cannot keep."
            )
        case _ where state.hasPrefix("22"):
            return problem(
                "store.value",
                422,
                "数值超出数据库能计算的范围。",
                "A value is beyond what the database can compute with."
            )
        case _ where state.hasPrefix("23"):
            return problem("store.conflict", 409, "与已有数据冲突。", "It conflicts with data that is there.")
        case _ where state.hasPrefix("XX") || state.hasPrefix("58"):
            return problem(
                "store.corrupt",
                500,
                "数据库服务器报告内部错误或存储损坏。",
                "The database server reports an internal error or damage."
            )
        default: return problem("store.failed", 500, "数据库操作失败。", "A database operation failed.")
        }
    }

    /// A transaction whose end is not known: the connection went away while it was being committed.
    static let unknownEnd = Problem(
        "store.unknown_end",
        status: 503,
        zh: "提交时与数据库服务器失去联系，不能确定本次更改是否已保存。",
        en: "The server was lost while committing; whether this change was saved is not known.",
        hint: .init("请查看后再决定是否重做。", "Look before doing it again.")
    )

    /// Why a connection could not be made: libpq's words name hosts, accounts and databases, never passwords.
    static func refusal(_ said: String) -> Problem {
        let said = said.split(separator: "\n").first.map(String.init) ?? said
        func problem(_ code: String, _ zh: String, _ en: String, _ hint: LocalizedText) -> Problem {
            Problem(code, status: 503, zh: zh, en: en, details: ["engine": "postgresql", "said": said], hint: hint)
        }
        let unknown = ["authentication method", "SASL", "SCRAM authentication requires", "AUTH_REQ"]
        if unknown.contains(where: said.contains) {
            return problem(
                "store.authentication_unsupported",
                "数据库服务器要求的登录方式是标准客户端库不支持的(如 openGauss 的 sha256)。",
                "The server asks for a way of signing in that the standard client library does not know (such as openGauss's sha256).",
                .init(
                    "在 openGauss 上设 password_encryption_type=1，重设该账号的口令，并在 pg_hba.conf 中对其使用 md5。",
                    "On openGauss set password_encryption_type=1, set the account's password again, and use md5 for it in pg_hba.conf."
                )
            )
        }
        if said.contains("invalid URI query parameter") || said.contains("invalid connection option")
            || said.contains("invalid sslmode")
        {
            return PostgresSettings.invalid
        }
        if said.contains("too many connections") || said.contains("connection slots")
            || said.contains("too many clients")
        {
            return problem(
                "store.busy",
                "数据库服务器的连接数已满。",
                "The server has no connection left.",
                .init(
                    "请调大 max_connections，或调小 TONGQU_STORE_CONNECTIONS。",
                    "Raise max_connections, or lower TONGQU_STORE_CONNECTIONS."
                )
            )
        }
        if said.contains("password") || said.contains("no pg_hba.conf entry") || said.contains("role") {
            return problem(
                "store.sign_in",
                "数据库服务器拒绝了账号或口令。",
                "The database server refused the account or the password.",
                .init(
                    "请核对存储地址中的账号；口令可写在地址、PGPASSWORD 或口令文件(passfile)中。",
                    "Look at the account in the store's address; the password can be in the address, PGPASSWORD or a passfile."
                )
            )
        }
        if said.contains("does not exist") {
            return problem(
                "store.missing",
                "数据库服务器上没有这个数据库。",
                "There is no such database on the server.",
                .init("请先建立：CREATE DATABASE … ENCODING 'UTF8'。", "Create it first: CREATE DATABASE … ENCODING 'UTF8'.")
            )
        }
        return problem(
            "store.unavailable",
            "数据库服务器连接不上。",
            "The database server cannot be reached.",
            .init("请核对主机、端口、网络和 TLS 设置。", "Look at the host, the port, the network and the TLS settings.")
        )
    }
}
