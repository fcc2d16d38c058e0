import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Files that are bound to records, on the disk before anybody is told that they are kept.
enum KeptFile {
    /// Moves a file to where it is kept: its bytes are durable before it has its name, and the name before this returns. Where the two
    /// places lie on different disks it is copied beside its place first, and what an earlier copy left there is written over.
    static func move(_ path: String, to target: URL) throws {
        try synchronize(path)
        if rename(path, target.path) != 0 {
            guard errno == EXDEV else { throw CocoaError(.fileWriteUnknown) }
            let part = target.path + ".part"
            if FileManager.default.fileExists(atPath: part) { try FileManager.default.removeItem(atPath: part) }
            try FileManager.default.copyItem(atPath: path, toPath: part)
            try synchronize(part)
            guard rename(part, target.path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        }
        // The folder that holds the name, and the one that holds the folder: it may be new.
        try synchronize(target.deletingLastPathComponent().path)
        try synchronize(target.deletingLastPathComponent().deletingLastPathComponent().path)
    }

    /// Makes a file that was written or moved durable, with its name.
    static func settle(_ target: URL) throws {
        try synchronize(target.path)
        try synchronize(target.deletingLastPathComponent().path)
    }

    private static func synchronize(_ path: String) throws {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw CocoaError(.fileReadUnknown) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    /// Takes away what is left in the folders of kept files of copies that a stop interrupted.
    static func sweep(_ folder: URL) {
        let manager = FileManager.default
        for resource in (try? manager.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? [] {
            for file in (try? manager.contentsOfDirectory(at: resource, includingPropertiesForKeys: nil)) ?? []
            where file.pathExtension == "part" {
                try? manager.removeItem(at: file)
            }
        }
    }
}
