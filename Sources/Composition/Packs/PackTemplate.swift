import Basics
public import Foundation

/// A pack to begin from.
public enum PackTemplate {
    /// Writes a folder with a pack that works.
    ///
    /// - Throws: `pack.exists` where something is there already, `pack.name`.
    public static func write(to folder: URL) throws {
        let manager = FileManager.default
        guard !manager.fileExists(atPath: folder.path) else {
            throw Problem("pack.exists", status: 409, zh: "目标已存在。", en: "The target exists already.")
        }
        let name = folder.lastPathComponent
        guard let first = name.utf8.first, (0x61...0x7A).contains(first),
            name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
        else {
            throw Problem(
                "pack.name",
                zh: "目录名就是系统包的标识：小写字母开头，由小写字母、数字和“-”组成。",
                en: "The folder's name is the pack's identity: lower-case letters, digits and “-”, a letter first."
            )
        }
        let key = name.replacing("-", with: "_")
        try manager.createDirectory(at: folder.appendingPathComponent("documents"), withIntermediateDirectories: true)
        for (file, text) in files {
            let filled = text.replacing("NAME", with: name).replacing("KEY", with: key)
            try Data(filled.utf8).write(to: folder.appendingPathComponent(file))
        }
    }

    private static let files: [(String, String)] = [
        (
            "pack.yaml",
            """
            pack: NAME
            version: 1
            title: {zh: 我的业务, en: My system}
            description: {zh: 说明这个系统为谁做什么, en: What it does and for whom}
            roles:
              - {key: KEY_clerk, title: {zh: 经办人, en: clerk}}
              - {key: KEY_chief, title: {zh: 负责人, en: chief}}
            resources:
              - key: KEY_items
                name: 事项
                en: Items
                storage: records
                schema:
                  primaryKey: [number]
                  fields:
                    - {name: number, title: 编号, en: Number, type: string, constraints: {required: true}}
                    - {name: subject, title: 事由, en: Subject, type: string, constraints: {required: true, maxLength: 200}}
                    - {name: opinion, title: 结论, en: Conclusion, type: string, constraints: {maxLength: 1000}}
                    - {name: state, title: 状态, en: State, type: string}
                numbers:
                  - {key: item, format: "{year}-{serial:4}", per: year}
                documents:
                  - {key: slip, title: {zh: 办理单, en: slip}, template: documents/slip.html}
                flow:
                  states:
                    - {key: open, title: {zh: 办理中, en: open}}
                    - {key: closed, title: {zh: 已办结, en: closed}, kind: done}
                  steps:
                    - {key: register, title: {zh: 登记, en: register}, begin: true, to: open, roles: [KEY_clerk], fields: [subject!], set: {number: $number(item)}, start: [work]}
                    - {key: close, title: {zh: 办结, en: close}, from: [open], to: closed, roles: [KEY_chief], fields: [opinion!], stop: [work], issue: [slip]}
                  clocks:
                    - {key: work, title: {zh: 办理时限, en: time to work}, days: 10, unit: working_days, warn: 2}
                grants:
                  - {role: KEY_clerk, may: [read, act]}
                  - {role: KEY_chief, may: [read, act]}

            """
        ),
        (
            "documents/slip.html",
            """
            <h1>{{title}}</h1>
            <table>
            <tr><th>编号</th><td>{{record}}</td></tr>
            <tr><th>事由</th><td>{{subject}}</td></tr>
            <tr><th>结论</th><td>{{opinion}}</td></tr>
            <tr><th>办理人</th><td>{{issuer}} {{issued}}</td></tr>
            </table>

            """
        ),
        ("README.md", "# NAME\n\n为谁、依据什么、做到哪一步(draft | working | proven)。\n"),
    ]
}

/// A pack that is looked at by itself.
public enum PackCheck {
    /// Reads a pack, and first those that it requires, which are looked for in some folders.
    ///
    /// - Throws: `pack.invalid`, `pack.missing`, `pack.requires`.
    public static func check(_ folder: URL, beside folders: [URL]) throws -> Pack {
        var surroundings = Pack.Surroundings()
        var seen: Set<String> = [folder.lastPathComponent]
        try add(try Pack.required(by: folder), folders, &surroundings, &seen)
        return try Pack(folder, in: surroundings)
    }

    private static func add(
        _ required: [String],
        _ folders: [URL],
        _ surroundings: inout Pack.Surroundings,
        _ seen: inout Set<String>
    ) throws {
        for id in required where seen.insert(id).inserted {
            let found = folders.map { $0.appendingPathComponent(id) }.first {
                FileManager.default.fileExists(atPath: $0.appendingPathComponent("pack.yaml").path)
            }
            guard let found else {
                throw Problem(
                    "pack.requires",
                    status: 422,
                    zh: "找不到所需的系统包“\(id)”。",
                    en: "The pack “\(id)” that it requires was not found.",
                    hint: .init("请用 --packs 指明其所在目录。", "Name the folder that holds it with --packs.")
                )
            }
            try add(try Pack.required(by: found), folders, &surroundings, &seen)
            surroundings.add(try Pack(found, in: surroundings).declaration)
        }
    }
}
