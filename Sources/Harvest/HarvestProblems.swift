import Basics

/// The problems that this module tells of.
enum HarvestProblems {
    /// The page is not of the kind that was asked for.
    static func format(_ kind: HarvestKind, found: LocalizedText) -> Problem {
        Problem(
            "harvest.format",
            status: 422,
            zh: "这不是所选类型的目录：应为\(kind.expectation.zh)，实为\(found.zh)。",
            en: "This is no catalogue of the chosen kind: expected \(kind.expectation.en), found \(found.en).",
            details: ["kind": kind.rawValue],
            hint: .init(
                "请核对地址和类型；需要登录的地址常返回网页。",
                "Check the address and the kind; an address that wants a sign-in often answers with a web page."
            )
        )
    }

    static func sourceFailed(_ kind: String) -> Problem {
        Problem(
            "harvest.source_failed",
            status: 502,
            zh: "对方目录报告了错误（\(kind)）。",
            en: "The source reported an error (\(kind)).",
            hint: .init("稍后重试，或联系对方管理员。", "Try again later, or ask whoever runs it.")
        )
    }

    static func tooLarge(_ zh: String, _ en: String) -> Problem {
        Problem("harvest.too_large", status: 413, zh: "目录页过大：\(zh)。", en: "The page is too large: \(en).")
    }

    static let nextElsewhere = Problem(
        "harvest.next_elsewhere",
        status: 502,
        zh: "下一页不在同一主机，或不是可用的地址。",
        en: "The next page lies on another host, or at no usable address.",
        hint: .init("请核对对方目录的对外地址设置。", "Check the public address that the source is set to.")
    )

    static func columns(_ zh: String, _ en: String, header: [String]) -> Problem {
        Problem(
            "harvest.columns",
            status: 422,
            zh: "列的对应关系有误：\(zh)。",
            en: "The mapping of columns is not right: \(en).",
            details: ["columns": header.prefix(50).map { Plain.line($0) ?? "" }.joined(separator: ", ")],
            hint: .init("请指定哪一列是数据集名称。", "Say which column holds the title.")
        )
    }

    // MARK: Entries

    static let shape = Problem(
        "harvest.entry_shape",
        status: 422,
        zh: "条目不是 JSON 对象。",
        en: "The entry is not a JSON object."
    )
    static let untitled = Problem(
        "harvest.entry_untitled",
        status: 422,
        zh: "条目没有名称。",
        en: "The entry has no title."
    )
    static let identifier = Problem(
        "harvest.entry_identifier",
        status: 422,
        zh: "条目的标识超过 \(HarvestLimits.link) 字节。",
        en: "The entry's identifier is longer than \(HarvestLimits.link) bytes."
    )
    static let withdrawn = Problem(
        "harvest.entry_withdrawn",
        status: 410,
        zh: "对方已删除该条目，或未公开。",
        en: "The source has deleted the entry, or keeps it private."
    )
    static let undescribed = Problem(
        "harvest.entry_undescribed",
        status: 422,
        zh: "目录只列出了该条目，没有描述它。",
        en: "The catalogue names the entry but does not describe it."
    )
    static let name = Problem(
        "harvest.entry_name",
        status: 422,
        zh: "名称清单中有一项不是可用的名称。",
        en: "An item of the list of names is no usable name."
    )

    static func duplicate(of index: Int) -> Problem {
        Problem(
            "harvest.entry_duplicate",
            status: 409,
            zh: "条目的标识与第 \(index + 1) 条相同。",
            en: "The entry has the identifier of entry \(index + 1).",
            details: ["first": String(index)]
        )
    }
}
