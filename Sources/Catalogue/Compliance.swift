public import Basics
import Codes
public import Kernel
import Tabular

/// A remark of the compliance check on an entry.
public struct ComplianceRemark: Sendable, Hashable {
    public var id: String
    /// Whether the entry cannot be submitted with it.
    public var blocks: Bool
    public var message: LocalizedText
    /// Whether it is the provider's, for all its entries at once.
    public var isOfProvider: Bool { id == "provider.code" }
    /// What to do about it.
    public var fix: LocalizedText { Compliance.fixes[id] ?? .init("打开条目改正", "open the entry and correct it") }
}

/// The checks of 发改高技术〔2017〕1272号 and of the authorities' lists built on it.
public enum Compliance {
    /// What to do about a provider without a credit code.
    public static let providerCodeFix = LocalizedText(
        "请系统管理员在“机构与人员”中登记统一社会信用代码",
        "ask the system administrator to enter the credit code under “Organisations”"
    )
    /// What to do about each remark.
    static let fixes: [String: LocalizedText] = [
        "name.missing": .init("填写能说明内容的名称", "give it a name that says what it holds"),
        "name.long": .init("缩短名称，细节写入摘要", "shorten the name; details belong into the summary"),
        "name.system": .init("改用数据内容命名，如“营运车辆基本信息”", "name it after its content, such as “commercial vehicles”"),
        "category.invalid": .init("从分类中选择类、项、目", "choose class, section and item"),
        "summary.missing": .init("写明内容、范围、来源、用途", "say what it holds, its extent, source and use"),
        "provider.missing": .init("选择提供方", "choose the provider"),
        "provider.code": providerCodeFix,
        "secret": .init("移出本节点，按保密规定另行管理", "take it out of this node; the rules of secrecy apply"),
        "format.type": .init("选择格式分类下的类型", "choose a type of the format's class"),
        "items.missing": .init("上传一个样本文件，由它推断信息项", "upload a sample file; its items are found out"),
        "item.condition": .init("写明共享条件，如用途、对象、审批", "say the condition: use, receiver, approval"),
        "item.basis": .init("写明不予共享的法律、法规或政策依据", "name the law or policy that forbids sharing"),
        "item.mode": .init("电子文件改用“共享平台(文件)”", "files travel as files of the platform"),
    ]

    /// Checks an entry's content; names of others are checked by the catalogue.
    public static func check(_ content: EntryContent, provider: Organisation?) -> [ComplianceRemark] {
        var remarks: [ComplianceRemark] = []
        func add(_ id: String, _ fails: Bool, blocks: Bool = true, _ zh: String, _ en: String) {
            if fails { remarks.append(ComplianceRemark(id: id, blocks: blocks, message: .init(zh, en))) }
        }
        let name = TextForms.trimmed(content.name)
        add("name.missing", name.isEmpty, "缺少信息资源名称", "the name is missing")
        add("name.long", name.count > 100, "名称超过 100 字", "the name is longer than 100 characters")
        add(
            "name.system",
            name.hasSuffix("系统") || name.hasSuffix("平台"),
            blocks: false,
            "名称不应是系统或平台的名称",
            "the name should not be that of a system"
        )
        add(
            "category.invalid",
            !Classification.isValid(content.category),
            "分类代码应为类1位、项2位、目3位、细目可选",
            "the category should be 1+2+3 digits and an optional rest"
        )
        add(
            "summary.missing",
            TextForms.trimmed(content.summary).count < 10,
            "摘要缺失或过短(至少 10 字)",
            "the summary is missing or too short (10 characters)"
        )
        add("provider.missing", provider == nil, "缺少提供方", "the provider is missing")
        if let provider {
            let code = provider.creditCode
            add(
                "provider.code",
                code.isEmpty || Identifier.read(.creditCode, code)?.isValid != true,
                blocks: false,
                "提供方的统一社会信用代码缺失或无效",
                "the provider's unified social credit code is missing or not valid"
            )
        }
        add("secret", content.isSecret, "涉密资源不得进入本节点", "secret resources must not enter this node")
        add(
            "format.type",
            !content.formatClass.types.contains(content.formatType),
            "格式类型“\(content.formatType)”不属于“\(content.formatClass.title.zh)”",
            "the format “\(content.formatType)” is none of \(content.formatClass.title.en)"
        )
        add("items.missing", content.schema.fields.isEmpty, "没有信息项", "there are no items")
        for (field, item) in zip(content.schema.fields, content.items) {
            add(
                "item.condition",
                item.sharing == .conditional && item.condition.isEmpty,
                "信息项“\(field.display)”有条件共享，缺少共享条件",
                "item “\(field.name)” is shared on conditions that are not given"
            )
            add(
                "item.basis",
                item.sharing == .none && item.condition.isEmpty,
                blocks: false,
                "信息项“\(field.display)”不予共享，应写明依据",
                "item “\(field.name)” is not shared; the legal basis should be given"
            )
            let isFile = [.spreadsheet, .document].contains(content.formatClass)
            add(
                "item.mode",
                isFile && item.mode == .platformDatabase,
                blocks: false,
                "信息项“\(field.display)”的共享方式与格式不符",
                "the sharing mode of “\(field.name)” does not fit the format"
            )
        }
        return remarks
    }
}
