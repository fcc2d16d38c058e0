import Basics
import CSSH2
public import Foundation

/// Whole folders on another machine, by SFTP: where backups go.
public struct SFTPStore: Sendable {
    let place: SFTPPlace

    public init(_ place: SFTPPlace) { self.place = place }

    /// The names of the folders there.
    public func names() async throws -> [String] {
        try await Outside.apart { try SFTPSession(place).folders(place.folder) }
    }

    /// Sends a folder with all it holds. It gets its name when everything has arrived.
    public func put(_ folder: URL) async throws {
        let name = folder.lastPathComponent
        try await Outside.apart {
            let session = try SFTPSession(place)
            let part = "\(place.folder)/\(name).part"
            try session.remove(part)
            try session.makeFolder(part)
            var made: Set<String> = []
            for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() {
                let local = folder.appendingPathComponent(path)
                if (try? local.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true {
                    if made.insert(path).inserted { try session.makeFolder("\(part)/\(path)") }
                } else {
                    try session.upload(local.path, to: "\(part)/\(path)")
                }
            }
            try session.rename(part, to: "\(place.folder)/\(name)")
        }
    }

    /// Copies a folder here.
    public func fetch(_ name: String, to target: URL) async throws {
        try await Outside.apart {
            let session = try SFTPSession(place)
            try session.downloadAll("\(place.folder)/\(name)", to: target)
        }
    }

    /// Removes a folder with all it holds.
    public func remove(_ name: String) async throws {
        try await Outside.apart { try SFTPSession(place).remove("\(place.folder)/\(name)") }
    }
}

extension SFTPSession {
    private struct Item {
        var name: String
        var isFolder: Bool
    }

    private func items(_ folder: String) throws -> [Item] {
        let handle = try open(folder, flags: 0, mode: 0, kind: LIBSSH2_SFTP_OPENDIR)
        defer { libssh2_sftp_close_handle(handle) }
        var found: [Item] = []
        while let (name, facts) = try entry(handle) {
            if name == "." || name == ".." { continue }
            // S_IFDIR, S_IFREG; links are not followed.
            let kind = facts.permissions & 0o170000
            if kind == 0o040000 || kind == 0o100000 { found.append(Item(name: name, isFolder: kind == 0o040000)) }
        }
        return found
    }

    func folders(_ folder: String) throws -> [String] { try items(folder).filter(\.isFolder).map(\.name).sorted() }

    func makeFolder(_ path: String) throws {
        guard libssh2_sftp_mkdir_ex(sftp, path, UInt32(path.utf8.count), 0o700) == 0 else { throw refusal() }
    }

    func rename(_ path: String, to target: String) throws {
        let flags = Int(LIBSSH2_SFTP_RENAME_ATOMIC | LIBSSH2_SFTP_RENAME_NATIVE)
        guard
            libssh2_sftp_rename_ex(
                sftp,
                path,
                UInt32(path.utf8.count),
                target,
                UInt32(target.utf8.count),
                flags
            ) == 0
        else { throw refusal() }
    }

    func upload(_ local: String, to path: String) throws {
        guard let source = FileHandle(forReadingAtPath: local) else { throw Outside.interrupted(FileFolder.title) }
        defer { try? source.close() }
        let flags = Int32(LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC)
        let handle = try open(path, flags: flags, mode: 0o600, kind: LIBSSH2_SFTP_OPENFILE)
        defer { libssh2_sftp_close_handle(handle) }
        while let data = try source.read(upToCount: 1 << 18), !data.isEmpty {
            try data.withUnsafeBytes { bytes in
                var sent = 0
                while sent < bytes.count {
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                    let count = libssh2_sftp_write(handle, rest.bindMemory(to: CChar.self).baseAddress, rest.count)
                    guard count > 0 else { throw Outside.interrupted(SFTPPlace.title) }
                    sent += count
                }
            }
        }
        libssh2_sftp_fsync(handle)
    }

    func downloadAll(_ folder: String, to target: URL) throws {
        try FileManager.default.createDirectory(
            at: target,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        for item in try items(folder) where !item.name.contains("/") {
            let local = target.appendingPathComponent(item.name)
            if item.isFolder {
                try downloadAll("\(folder)/\(item.name)", to: local)
            } else {
                try download("\(folder)/\(item.name)", to: local.path)
            }
        }
    }

    /// Removes a folder and what it holds; nothing where it is not there.
    func remove(_ folder: String) throws {
        guard let items = try? items(folder) else { return }
        for item in items {
            let path = "\(folder)/\(item.name)"
            if item.isFolder {
                try remove(path)
            } else {
                guard libssh2_sftp_unlink_ex(sftp, path, UInt32(path.utf8.count)) == 0 else { throw refusal() }
            }
        }
        guard libssh2_sftp_rmdir_ex(sftp, folder, UInt32(folder.utf8.count)) == 0 else { throw refusal() }
    }

    private func refusal() -> Problem { Outside.refused(SFTPPlace.title, "SFTP \(libssh2_sftp_last_error(sftp))") }
}
