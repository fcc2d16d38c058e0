public import Basics

/// A place in a declaration while it is read: the value, its path, and where mistakes are noted.
///
/// Reading goes on after a mistake, so that all of them are told at once; what is read of a faulty place is never used.
public struct Declaration {
    /// Something that is not right.
    public struct Mistake: Sendable, Hashable {
        /// From 1; 0 where there is no file.
        public var line: Int
        /// `resources.cases.flow.steps.file.to`.
        public var path: String
        public var message: LocalizedText

        public init(line: Int, path: String, _ message: LocalizedText) {
            self.line = line
            self.path = path
            self.message = message
        }
    }

    /// The mistakes found so far.
    public final class Mistakes {
        public private(set) var all: [Mistake] = []
        /// More than these are not told.
        static let maximum = 500

        public init() {}

        public func add(_ mistake: Mistake) {
            // A place that is read twice is told of once.
            if all.count < Self.maximum, !all.contains(mistake) { all.append(mistake) }
        }
    }

    public let value: DeclaredValue
    public let path: String
    public let mistakes: Mistakes

    public init(_ value: DeclaredValue, path: String = "", mistakes: Mistakes) {
        self.value = value
        self.path = path
        self.mistakes = mistakes
    }

    // MARK: Mistakes

    /// Notes that this place is not right.
    public func fail(_ zh: String, _ en: String) {
        mistakes.add(Mistake(line: value.line, path: path, LocalizedText(zh, en)))
    }

    /// Notes that a member is not right.
    public func fail(_ name: String, _ zh: String, _ en: String) {
        mistakes.add(
            Mistake(line: member(name)?.line ?? value.line, path: below(name), LocalizedText(zh, en))
        )
    }

    /// Notes that a name stands for nothing, with the one that may be meant.
    public func unknown(_ what: LocalizedText, _ name: String, among known: some Collection<String>) {
        let meant = Spelling.closest(to: name, among: known.sorted())
        let list = known.count <= 12 ? known.sorted().joined(separator: ", ") : ""
        let zh = meant.map { "；是否想写“\($0)”？" } ?? (list.isEmpty ? "" : "；可用：\(list)")
        let en = meant.map { "; did you mean “\($0)”?" } ?? (list.isEmpty ? "" : "; there are: \(list)")
        fail("没有\(what.zh)“\(name)”\(zh)", "there is no \(what.en) “\(name)”\(en)")
    }

    /// The problem that tells all mistakes of a file.
    public static func invalid(_ mistakes: [Mistake], file: String = "pack.yaml") -> Problem {
        func text(_ language: Language) -> String {
            mistakes.prefix(100).map { mistake in
                let place = mistake.path.isEmpty ? "" : " \(mistake.path):"
                return "\(file):\(mistake.line):\(place) \(mistake.message[language])"
            }.joined(separator: "\n")
        }
        return Problem(
            "pack.invalid",
            status: 422,
            zh: "系统包有 \(mistakes.count) 处错误：\n\(text(.zh))",
            en: "The pack has \(mistakes.count == 1 ? "a mistake" : "\(mistakes.count) mistakes"):\n\(text(.en))",
            details: ["mistakes": String(mistakes.count)]
        )
    }

    // MARK: Members

    private func below(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private func member(_ name: String) -> DeclaredValue.Member? {
        guard case .members(let members) = value.content else { return nil }
        return members.first { $0.name == name }
    }

    /// The names of its members, in order.
    public var names: [String] {
        guard case .members(let members) = value.content else { return [] }
        return members.map(\.name)
    }

    /// Whether there is a member that is not null.
    public func has(_ name: String) -> Bool {
        guard let member = member(name) else { return false }
        return member.value.content != .null
    }

    /// Notes every member whose name is not among those that are known.
    public func allow(_ known: Set<String>) {
        guard case .members(let members) = value.content else {
            if value.content != .null { fail("这里应是“键: 值”", "keys with values are expected here") }
            return
        }
        for member in members where !known.contains(member.name) {
            Declaration(DeclaredValue(.null, line: member.line), path: below(member.name), mistakes: mistakes)
                .unknown(.init("键", "key"), member.name, among: known)
        }
    }

    /// A member as a place of its own; nil where it is absent or null.
    public func at(_ name: String) -> Declaration? {
        guard let member = member(name), member.value.content != .null else { return nil }
        return Declaration(
            DeclaredValue(member.value.content, line: max(member.value.line, member.line)),
            path: below(name),
            mistakes: mistakes
        )
    }

    /// The members as places.
    public var members: [(name: String, place: Declaration)] {
        names.compactMap { name in at(name).map { (name, $0) } }
    }

    /// The items of a list that is a member; those that have a `key` or `name` are called by it in paths.
    public func list(_ name: String) -> [Declaration] {
        guard let place = at(name) else { return [] }
        return place.items
    }

    /// The items of a list that is a member, or the member itself where one stands alone.
    public func oneOrMore(_ name: String) -> [Declaration] {
        guard let place = at(name) else { return [] }
        if case .members = place.value.content { return [place] }
        return place.items
    }

    /// The items of a list.
    public var items: [Declaration] {
        guard case .list(let list) = value.content else {
            fail("应是列表", "a list is expected")
            return []
        }
        return list.enumerated().map { index, item in
            let plain = Declaration(item, mistakes: mistakes)
            let called = plain.plainText("key") ?? plain.plainText("name") ?? String(index + 1)
            return Declaration(item, path: path.isEmpty ? called : "\(path).\(called)", mistakes: mistakes)
        }
    }

    private func plainText(_ name: String) -> String? {
        if case .text(let text)? = member(name)?.value.content { return text }
        return nil
    }

    // MARK: Values

    /// The place as text; numbers and truths as they are written.
    public var text: String? {
        switch value.content {
        case .text(let text): text
        case .integer(let number): String(number)
        case .real(let number): String(number)
        case .boolean(let truth): truth ? "true" : "false"
        case .null, .list, .members: nil
        }
    }

    /// A text member; empty where it is absent.
    public func text(_ name: String, required: Bool = false) -> String {
        guard let place = at(name) else {
            if required { fail("缺少“\(name)”", "“\(name)” is missing") }
            return ""
        }
        guard let text = place.text else {
            place.fail("应是文字", "a text is expected")
            return ""
        }
        if required && text.isEmpty { place.fail("不能为空", "it cannot be empty") }
        return text
    }

    /// A list of texts, or one text.
    public func texts(_ name: String) -> [(text: String, place: Declaration)] {
        guard let place = at(name) else { return [] }
        if let text = place.text { return [(text, place)] }
        return place.items.compactMap { item in
            guard let text = item.text else {
                item.fail("应是文字", "a text is expected")
                return nil
            }
            return (text, Declaration(item.value, path: place.path, mistakes: mistakes))
        }
    }

    /// A title: `{zh, en}` or one text for both; `standard` where it is absent.
    public func title(_ name: String, _ standard: String? = nil) -> LocalizedText {
        guard let place = at(name) else {
            if standard == nil { fail("缺少“\(name)”", "“\(name)” is missing") }
            return LocalizedText(standard ?? "", standard ?? "")
        }
        if let text = place.text { return LocalizedText(text, text) }
        place.allow(["zh", "en"])
        let zh = place.text("zh", required: true)
        let en = place.text("en")
        return LocalizedText(zh, en.isEmpty ? zh : en)
    }

    public func truth(_ name: String) -> Bool {
        guard let place = at(name) else { return false }
        guard case .boolean(let truth) = place.value.content else {
            place.fail("应是 true 或 false", "true or false is expected")
            return false
        }
        return truth
    }

    public func integer(_ name: String) -> Int64? {
        guard let place = at(name) else { return nil }
        guard case .integer(let number) = place.value.content else {
            place.fail("应是整数", "a whole number is expected")
            return nil
        }
        return number
    }

    /// One of some words; the first where it is absent.
    public func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ standard: T) -> T
    where T.RawValue == String {
        guard let place = at(name) else { return standard }
        let text = place.text ?? ""
        guard let found = T(rawValue: text) else {
            place.unknown(.init("选项", "choice"), text, among: T.allCases.map(\.rawValue))
            return standard
        }
        return found
    }

    /// A key: lower-case letters, digits and `_`, beginning with a letter.
    public func key(_ name: String = "key") -> String {
        let text = text(name, required: true)
        if !text.isEmpty, !Declaration.isKey(text) {
            fail(name, "键只能由小写字母、数字和“_”组成，以字母开头", "a key is made of lower-case letters, digits and “_”, a letter first")
        }
        return text
    }

    public static func isKey(_ text: String, also more: String = "_") -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first), text.utf8.count <= 60 else { return false }
        return text.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || more.utf8.contains($0)
        }
    }

    /// Notes keys that stand twice.
    public static func checkTwice(_ keyed: [(key: String, place: Declaration)]) {
        var seen: Set<String> = []
        for (key, place) in keyed where !key.isEmpty && !seen.insert(key).inserted {
            place.fail("键“\(key)”重复", "the key “\(key)” stands twice")
        }
    }
}
