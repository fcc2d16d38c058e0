import Basics
import Foundation

/// A file that lies in a folder, here or elsewhere.
public struct FolderFile: Sendable, Hashable {
    public var name: String
    public var size: Int64
    /// Seconds since 1970; of a remote file as its server says.
    public var modified: Int64

    public init(name: String, size: Int64, modified: Int64) {
        self.name = name
        self.size = size
        self.modified = modified
    }
}

/// A folder that files are taken from: on this machine or, by SFTP, on another.
public struct FileFolder: Sendable {
    /// The files, in the order of their names.
    public var list: @Sendable () async throws -> [FolderFile]
    /// Copies one here.
    public var fetch: @Sendable (_ name: String, _ path: String) async throws -> Void

    static let title = LocalizedText("文件目录", "the folder")

    /// A folder of this machine.
    public static func local(_ folder: String) -> FileFolder {
        FileFolder(
            list: {
                try await Outside.apart {
                    let keys: Set<URLResourceKey> = [.isRegularFileKey, .fileSizeKey, .contentModificationDateKey]
                    guard
                        let found = try? FileManager.default.contentsOfDirectory(
                            at: URL(fileURLWithPath: folder, isDirectory: true),
                            includingPropertiesForKeys: Array(keys),
                            options: [.skipsHiddenFiles]
                        )
                    else { throw Outside.unreachable(FileFolder.title, "") }
                    return found.compactMap { url -> FolderFile? in
                        guard let facts = try? url.resourceValues(forKeys: keys), facts.isRegularFile == true else {
                            return nil
                        }
                        return FolderFile(
                            name: url.lastPathComponent,
                            size: Int64(facts.fileSize ?? 0),
                            modified: Int64(facts.contentModificationDate?.timeIntervalSince1970 ?? 0)
                        )
                    }.sorted { $0.name < $1.name }
                }
            },
            fetch: { name, path in
                try await Outside.apart {
                    guard !name.contains("/"), let source = FileHandle(forReadingAtPath: "\(folder)/\(name)") else {
                        throw Outside.interrupted(FileFolder.title)
                    }
                    defer { try? source.close() }
                    let file = try SpoolFile(path)
                    while let data = try source.read(upToCount: 1 << 20), !data.isEmpty { try file.write(data) }
                    try file.finish()
                }
            }
        )
    }

    /// A folder of another machine.
    public static func sftp(_ place: SFTPPlace) -> FileFolder {
        FileFolder(
            list: { try await Outside.apart { try SFTPSession(place).list(place.folder) } },
            fetch: { name, path in
                guard !name.contains("/") else { throw Outside.interrupted(SFTPPlace.title) }
                try await Outside.apart { try SFTPSession(place).download("\(place.folder)/\(name)", to: path) }
            }
        )
    }

    /// Whether a name fits a pattern with `*` and `?`.
    public static func fits(_ name: String, _ pattern: String) -> Bool {
        fnmatch(pattern, name, FNM_PERIOD) == 0
    }
}
