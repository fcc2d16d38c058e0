public import Basics
import Yams

/// A value of a declaration in YAML, with the line it stands in: what people write, before it means anything.
public struct DeclaredValue: Sendable, Hashable {
    /// What stands there.
    public indirect enum Content: Sendable, Hashable {
        case null
        case boolean(Bool)
        case integer(Int64)
        case real(Double)
        case text(String)
        case list([DeclaredValue])
        case members([Member])
    }

    /// A key with its value.
    public struct Member: Sendable, Hashable {
        public var name: String
        /// The line of the key, from 1; 0 where it was not read from a file.
        public var line: Int
        public var value: DeclaredValue
    }

    public var content: Content
    /// From 1; 0 where it was not read from a file.
    public var line: Int

    public init(_ content: Content, line: Int = 0) {
        self.content = content
        self.line = line
    }

    /// The most that is read: a declaration is written by people.
    static let maximumBytes = 4 << 20

    /// Reads YAML. Plain numbers and truths are such, everything quoted is text.
    ///
    /// - Throws: `pack.invalid` with the line that cannot be read.
    public init(yaml text: String) throws(Problem) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw Self.unreadable(1, .init("文件过大", "the file is too large"))
        }
        // Anchors and aliases make small files large, and nobody needs them here.
        if let line = Self.aliasLine(text) {
            throw Self.unreadable(
                line,
                .init("不能使用 YAML 的锚点和别名(& 与 *)", "anchors and aliases (& and *) are not used here")
            )
        }
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch let error as YamlError {
            throw Self.unreadable(
                Self.line(of: error),
                .init("不是有效的 YAML：\(Self.words(of: error))", Self.words(of: error))
            )
        } catch {
            throw Self.unreadable(1, .init("不是有效的 YAML", "it is not valid YAML"))
        }
        guard let node else { throw Self.unreadable(1, .init("文件是空的", "the file is empty")) }
        var left = 200_000
        self = try Self.read(node, depth: 0, &left)
    }

    /// The line of the first anchor or alias: a value, an item or a key that begins with `&` or `*`; nil where there is none.
    private static func aliasLine(_ text: String) -> Int? {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.firstMatch(of: /(^\s*|[\[{]\s*|[:,?-]\s+)[&*][A-Za-z0-9_]/) != nil { return index + 1 }
        }
        return nil
    }

    private static func unreadable(_ line: Int, _ words: LocalizedText) -> Problem {
        Declaration.invalid([.init(line: line, path: "", words)])
    }

    private static func line(of error: YamlError) -> Int {
        switch error {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        case .duplicatedKeysInMapping(_, let context): context.mark.line
        default: 1
        }
    }

    private static func words(of error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _): problem
        case .duplicatedKeysInMapping(let keys, _):
            "the key is given twice: \(keys.joined(separator: ", "))"
        default: "it is not valid YAML"
        }
    }

    /// Aliases make small files large: values are counted.
    private static func read(_ node: Node, depth: Int, _ left: inout Int) throws(Problem) -> DeclaredValue {
        let line = node.mark?.line ?? 0
        left -= 1
        guard left > 0, depth < 40 else {
            throw unreadable(line, .init("内容过多或嵌套过深", "there is too much of it, or it is nested too deeply"))
        }
        switch node {
        case .mapping(let mapping):
            var members: [Member] = []
            for (key, value) in mapping {
                members.append(
                    Member(
                        name: key.scalar?.string ?? "",
                        line: key.mark?.line ?? line,
                        value: try read(value, depth: depth + 1, &left)
                    )
                )
            }
            return DeclaredValue(.members(members), line: line)
        case .sequence(let sequence):
            var list: [DeclaredValue] = []
            for item in sequence { list.append(try read(item, depth: depth + 1, &left)) }
            return DeclaredValue(.list(list), line: line)
        case .scalar(let scalar): return DeclaredValue(content(scalar), line: line)
        default: return DeclaredValue(.null, line: line)
        }
    }

    private static func content(_ scalar: Node.Scalar) -> Content {
        guard scalar.style == .plain else { return .text(scalar.string) }
        if let number = Int64(scalar.string) { return .integer(number) }
        if scalar.string.contains(where: \.isNumber), let number = Double(scalar.string),
            // A number that no computer holds is a text, which nobody takes for a number.
            number.isFinite
        {
            return .real(number)
        }
        switch scalar.string {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "", "null", "~": return .null
        default: return .text(scalar.string)
        }
    }
}

// MARK: As JSON

extension DeclaredValue {
    /// The same without lines: how a node keeps it.
    public var json: JSONValue {
        switch content {
        case .null: .null
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .real(let value): .real(value)
        case .text(let value): .string(value)
        case .list(let list): .array(list.map(\.json))
        case .members(let members): .object(members.map { .init($0.name, $0.value.json) })
        }
    }

    /// What a node kept; it has no lines.
    public init(json: JSONValue) {
        if let members = json.members {
            self.init(.members(members.map { Member(name: $0.name, line: 0, value: DeclaredValue(json: $0.value)) }))
        } else if let list = json.array {
            self.init(.list(list.map { DeclaredValue(json: $0) }))
        } else if let text = json.string {
            self.init(.text(text))
        } else if let truth = json.boolean {
            self.init(.boolean(truth))
        } else if let number = json.integer {
            self.init(.integer(number))
        } else if let number = json.real {
            self.init(.real(number))
        } else {
            self.init(.null)
        }
    }
}
