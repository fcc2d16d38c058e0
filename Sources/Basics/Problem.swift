/// The one error shape of the node: a stable code, what happened and why, and what to do about it.
///
/// Codes are `<area>.<what>` and are listed in `docs/errors.md`. Messages never carry data of a record: whoever
/// reads a log or an error page must not learn a plate or a name from it.
public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable, documented, e.g. `load.busy`.
    public var code: String
    /// The HTTP status that a web outlet answers with.
    public var status: Int
    /// What happened and why.
    public var message: LocalizedText
    /// Safe particulars: names of fields, limits, positions. Never values of records.
    public var details: [String: String]
    /// What to do.
    public var hint: LocalizedText?

    public init(
        _ code: String,
        status: Int = 400,
        zh: String,
        en: String,
        details: [String: String] = [:],
        hint: LocalizedText? = nil
    ) {
        self.code = code
        self.status = status
        message = LocalizedText(zh, en)
        self.details = details
        self.hint = hint
    }

    public var description: String { "\(code): \(message.en)" }

    /// The text a command prints: message and hint in one language.
    public func text(_ language: Language) -> String {
        let head = "\(message[language]) [\(code)]"
        guard let hint else { return head }
        return head + "\n" + hint[language]
    }

    /// Something is not there, or must not be known to be there.
    public static func notFound(_ what: LocalizedText) -> Problem {
        Problem(
            "request.not_found",
            status: 404,
            zh: "没有找到\(what.zh)。",
            en: "\(what.en.prefix(1).uppercased() + what.en.dropFirst()) was not found."
        )
    }
}
