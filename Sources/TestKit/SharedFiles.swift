public import Foundation

/// Sample files and test vectors of others, which may not be part of the project: looked for in `shared` beside the checkout. Tests that need
/// one skip, with a message, where it is absent.
public enum SharedFiles {
    static let root: URL? = {
        let beside = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "shared")
        return FileManager.default.fileExists(atPath: beside.path) ? beside : nil
    }()

    /// Whether the folder is there.
    public static var isPresent: Bool { root != nil }

    /// A file; nil, with a message, where the folder is absent.
    public static func url(_ path: String) -> URL? {
        guard let root else {
            print("skipped: the shared folder is absent (\(path))")
            return nil
        }
        return root.appending(path: path)
    }

    /// The lines of a file of JSON records.
    public static func lines(_ path: String) -> [String] {
        guard let url = url(path), let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").map(String.init)
    }
}
