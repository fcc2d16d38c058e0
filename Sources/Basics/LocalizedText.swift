/// A language the node speaks. Chinese is the first language, English is complete.
public enum Language: String, Sendable, CaseIterable {
    case zh, en

    /// The language of a POSIX locale name such as `zh_CN.UTF-8`; anything but English is Chinese.
    public init(locale: String?) {
        let name = locale?.lowercased() ?? ""
        self = name.hasPrefix("en") || name == "c" || name.hasPrefix("c.") || name == "posix" ? .en : .zh
    }
}

/// A text in Chinese and in English.
public struct LocalizedText: Sendable, Hashable {
    public var zh: String
    public var en: String

    public init(_ zh: String, _ en: String) {
        self.zh = zh
        self.en = en
    }

    /// The text in one language.
    public subscript(language: Language) -> String {
        language == .zh ? zh : en
    }
}
