import Basics
import CSSH2
import Foundation
import Glibc

/// Where another machine's files lie, and how to get in.
public struct SFTPPlace: Sendable {
    public var host: String
    public var port: Int
    public var user: String
    /// A password, or a private key in PEM or OpenSSH form.
    public var secret: String
    /// `SHA256:…` of the host's key, as `ssh-keygen -lf` prints it; nothing is sent to a machine with another.
    public var fingerprint: String
    public var folder: String

    static let title = LocalizedText("SFTP 服务器", "the SFTP server")

    public init(host: String, port: Int = 22, user: String, secret: String, fingerprint: String, folder: String) {
        self.host = host
        self.port = port
        self.user = user
        self.secret = secret
        self.fingerprint = fingerprint
        self.folder = folder.hasSuffix("/") && folder.count > 1 ? String(folder.dropLast()) : folder
    }

    var isKey: Bool { secret.contains("PRIVATE KEY-----") }
}

/// A connection to an SFTP server by libssh2; used by one thread.
final class SFTPSession {
    private static let isReady: Bool = libssh2_init(0) == 0
    private let socket: Int32
    private let session: OpaquePointer
    let sftp: OpaquePointer

    init(_ place: SFTPPlace) throws {
        guard SFTPSession.isReady else { throw Outside.unreachable(SFTPPlace.title, "libssh2") }
        let socket = try SFTPSession.connect(place)
        guard let session = libssh2_session_init_ex(nil, nil, nil, nil) else {
            close(socket)
            throw Outside.unreachable(SFTPPlace.title, "libssh2")
        }
        do {
            libssh2_session_set_timeout(session, 60_000)
            guard libssh2_session_handshake(session, socket) == 0 else {
                throw Outside.unreachable(SFTPPlace.title, SFTPSession.said(session))
            }
            try SFTPSession.checkHost(session, place)
            try SFTPSession.signIn(session, place)
            guard let sftp = libssh2_sftp_init(session) else {
                throw Outside.unreachable(SFTPPlace.title, SFTPSession.said(session))
            }
            self.sftp = sftp
        } catch {
            libssh2_session_free(session)
            close(socket)
            throw error
        }
        self.socket = socket
        self.session = session
    }

    deinit {
        libssh2_sftp_shutdown(sftp)
        libssh2_session_disconnect_ex(session, 11, "done", "")
        libssh2_session_free(session)
        close(socket)
    }

    private static func said(_ session: OpaquePointer) -> String {
        var text: UnsafeMutablePointer<CChar>?
        var length: Int32 = 0
        libssh2_session_last_error(session, &text, &length, 0)
        return text.map { String(cString: $0) } ?? ""
    }

    private static func connect(_ place: SFTPPlace) throws -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(place.host, String(place.port), &hints, &found) == 0 else {
            throw Outside.unreachable(SFTPPlace.title, place.host)
        }
        defer { freeaddrinfo(found) }
        var next = found
        while let address = next {
            let candidate = Glibc.socket(
                address.pointee.ai_family,
                address.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue),
                0
            )
            // The limit holds for connecting too (socket(7): SO_SNDTIMEO).
            var limit = timeval(tv_sec: 15, tv_usec: 0)
            setsockopt(candidate, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            setsockopt(candidate, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            if Glibc.connect(candidate, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 { return candidate }
            close(candidate)
            next = address.pointee.ai_next
        }
        throw Outside.unreachable(SFTPPlace.title, "\(place.host):\(place.port)")
    }

    private static func checkHost(_ session: OpaquePointer, _ place: SFTPPlace) throws {
        guard let hash = libssh2_hostkey_hash(session, Int32(LIBSSH2_HOSTKEY_HASH_SHA256)) else {
            throw Outside.unreachable(SFTPPlace.title, said(session))
        }
        let bytes = Data(bytes: hash, count: 32)
        let shown = "SHA256:" + bytes.base64EncodedString().replacing("=", with: "")
        guard shown == place.fingerprint.replacing("=", with: "") else {
            throw Problem(
                "source.host_key",
                status: 502,
                zh: "服务器的主机密钥与登记的不符。",
                en: "The server's host key is not the one on record.",
                details: ["shown": shown],
                hint: .init(
                    "请向对方管理员核对指纹；确认后再登记。",
                    "Compare the fingerprint with the server's administrator before entering it."
                )
            )
        }
    }

    private static func signIn(_ session: OpaquePointer, _ place: SFTPPlace) throws {
        let user = UInt32(place.user.utf8.count)
        let status =
            place.isKey
            ? libssh2_userauth_publickey_frommemory(
                session,
                place.user,
                place.user.utf8.count,
                nil,
                0,
                place.secret,
                place.secret.utf8.count,
                nil
            )
            : libssh2_userauth_password_ex(
                session,
                place.user,
                user,
                place.secret,
                UInt32(place.secret.utf8.count),
                nil
            )
        guard status == 0 else { throw Outside.unreachable(SFTPPlace.title, said(session)) }
    }

    func open(_ path: String, flags: Int32, mode: Int32, kind: Int32) throws -> OpaquePointer {
        guard
            let handle = libssh2_sftp_open_ex(
                sftp,
                path,
                UInt32(path.utf8.count),
                UInt(flags),
                Int(mode),
                kind
            )
        else { throw Outside.refused(SFTPPlace.title, "SFTP \(libssh2_sftp_last_error(sftp))") }
        return handle
    }

    /// The plain files of a folder, in the order of their names.
    func list(_ folder: String) throws -> [FolderFile] {
        let handle = try open(folder, flags: 0, mode: 0, kind: LIBSSH2_SFTP_OPENDIR)
        defer { libssh2_sftp_close_handle(handle) }
        var files: [FolderFile] = []
        // S_IFREG
        while let (name, facts) = try entry(handle) {
            guard facts.permissions & 0o170000 == 0o100000 else { continue }
            files.append(FolderFile(name: name, size: Int64(facts.filesize), modified: Int64(facts.mtime)))
        }
        // A name that is not UTF-8 could not be asked for again.
        return files.filter { !$0.name.hasPrefix(".") && !$0.name.contains("\u{FFFD}") }.sorted { $0.name < $1.name }
    }

    /// The next item of an open folder; nil at its end.
    func entry(_ handle: OpaquePointer) throws -> (name: String, facts: LIBSSH2_SFTP_ATTRIBUTES)? {
        var name = [CChar](repeating: 0, count: 1024)
        var facts = LIBSSH2_SFTP_ATTRIBUTES()
        let length = libssh2_sftp_readdir_ex(handle, &name, name.count, nil, 0, &facts)
        guard length >= 0 else { throw Outside.interrupted(SFTPPlace.title, SFTPSession.said(session)) }
        guard length > 0 else { return nil }
        return (String(decoding: name.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self), facts)
    }

    func download(_ remote: String, to path: String) throws {
        let handle = try open(remote, flags: LIBSSH2_FXF_READ, mode: 0, kind: LIBSSH2_SFTP_OPENFILE)
        defer { libssh2_sftp_close_handle(handle) }
        let file = try SpoolFile(path)
        try read(handle) { try file.write($0) }
        try file.finish()
    }

    private func read(_ handle: OpaquePointer, _ take: (ArraySlice<UInt8>) throws -> Void) throws {
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let got = chunk.withUnsafeMutableBytes {
                libssh2_sftp_read(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
            }
            if got == 0 { return }
            guard got > 0 else { throw Outside.interrupted(SFTPPlace.title, SFTPSession.said(session)) }
            try take(chunk.prefix(got))
        }
    }
}
