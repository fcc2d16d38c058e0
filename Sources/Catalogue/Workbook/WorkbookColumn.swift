import Basics
import Kernel
import Tabular

/// The columns of the catalogue workbook: the template of 政务信息资源目录编制指南(试行), 发改高技术〔2017〕1272号.
///
/// One row an item (信息项); what concerns the whole resource stands in cells merged over its rows. The template groups columns under
/// merged heads: a column is known by its own label, and where that is not enough (类型) by its group's.
enum WorkbookColumn: String, CaseIterable {
    case categoryClass, categoryItem, categorySubject, categoryDetail
    case name, code, provider, department, providerCode, summary
    case formatClass, formatType
    case itemName, itemType, itemLength
    case sharing, condition, modeClass, modeType
    case openness, openCondition
    case frequency, published, related, secrecy, level

    /// The head's group (empty for columns of their own), the label, and other labels met in provinces' workbooks.
    var labels: (group: String, label: String, others: [String]) {
        switch self {
        case .categoryClass: ("信息资源分类", "类", ["分类"])
        case .categoryItem: ("信息资源分类", "项", [])
        case .categorySubject: ("信息资源分类", "目", [])
        case .categoryDetail: ("信息资源分类", "细目", [])
        case .name: ("", "信息资源名称", ["资源名称", "目录名称"])
        case .code: ("", "信息资源代码", ["资源代码", "目录代码"])
        case .provider: ("", "信息资源提供方", ["提供方", "资源提供方", "提供方名称"])
        case .department: ("", "提供方内部部门", ["内部部门", "资源提供方内部部门"])
        case .providerCode: ("", "资源提供方代码", ["提供方代码", "信息资源提供方代码", "统一社会信用代码"])
        case .summary: ("", "信息资源摘要", ["摘要", "资源摘要"])
        case .formatClass: ("信息资源格式", "分类", ["格式分类", "信息资源格式分类"])
        case .formatType: ("信息资源格式", "类型", ["格式类型", "信息资源格式类型", "信息资源格式"])
        case .itemName: ("信息项信息", "信息项名称", ["信息项", "数据项名称", "信息项中文名称"])
        case .itemType: ("信息项信息", "数据类型", ["类型", "信息项数据类型"])
        case .itemLength: ("信息项信息", "数据长度", ["长度"])
        case .sharing: ("共享属性", "共享类型", ["类型"])
        case .condition: ("共享属性", "共享条件", ["条件"])
        case .modeClass: ("共享方式", "分类", ["共享方式分类"])
        case .modeType: ("共享方式", "类型", ["共享方式类型", "共享方式"])
        case .openness: ("开放属性", "是否向社会开放", ["是否开放", "开放类型", "社会开放"])
        case .openCondition: ("开放属性", "开放条件", ["条件"])
        case .frequency: ("", "更新周期", ["数据更新周期", "更新频率"])
        case .published: ("", "发布日期", ["资源发布日期"])
        case .related: ("", "关联资源代码", ["关联信息资源代码", "关联资源"])
        case .secrecy: ("", "涉密属性", ["是否涉密", "密级"])
        case .level: ("", "层级", ["资源层级", "行政层级"])
        }
    }

    /// Whether the column says something of the item, not of the resource.
    var isOfItem: Bool {
        switch self {
        case .itemName, .itemType, .itemLength, .sharing, .condition, .modeClass, .modeType, .openness, .openCondition:
            true
        default: false
        }
    }

    /// The column of a head; nil for one that is not of the template.
    static func of(group: String, label: String) -> WorkbookColumn? {
        let group = TextForms.comparable(group)
        let label = TextForms.comparable(label)
        let named = allCases.filter { column in
            let labels = column.labels
            return ([labels.label] + labels.others).contains { TextForms.comparable($0) == label }
        }
        if !group.isEmpty, let fitting = named.first(where: { TextForms.comparable($0.labels.group) == group }) {
            return fitting
        }
        return named.first {
            $0.labels.group.isEmpty || TextForms.comparable($0.labels.label) == label && label.count > 2
        }
            ?? (named.count == 1 ? named.first : nil)
    }

    static let title = "政务信息资源目录"
}

/// The words the template uses for values, to and from ours.
enum WorkbookWords {
    /// The letter codes of data types.
    static func typeName(_ type: FieldType) -> String {
        switch type {
        case .text: "字符型C"
        case .integer: "整型I"
        case .decimal: "数值型N"
        case .real: "双精度型B"
        case .boolean: "逻辑型L"
        case .date: "日期型D"
        case .time, .timestamp: "日期时间型T"
        case .point, .geometry, .file: "通用型G"
        }
    }

    /// The type of a name or a letter; nil for one that is not of the template.
    static func type(_ text: String) -> FieldType? {
        let word = TextForms.comparable(text).uppercased()
        let letter = word.last.map(String.init) ?? ""
        let name = word.filter { !$0.isASCII }
        let table: [(String, String, FieldType)] = [
            ("字符型", "C", .text), ("数值型", "N", .decimal), ("货币型", "Y", .decimal), ("日期型", "D", .date),
            ("日期时间型", "T", .timestamp), ("逻辑型", "L", .boolean), ("备注型", "M", .text), ("通用型", "G", .file),
            ("双精度型", "B", .real), ("整型", "I", .integer), ("浮点型", "F", .real), ("自定义", "", .text),
        ]
        if let known = table.first(where: { !name.isEmpty && ($0.0 == name || $0.0.dropLast() == name) }) {
            return known.2
        }
        return name.isEmpty ? table.first { $0.1 == letter && word.count == 1 }?.2 : nil
    }

    static func sharing(_ text: String) -> Sharing? {
        let word = TextForms.comparable(text)
        if let number = Int(word.prefix(1)), let sharing = Sharing(rawValue: number) { return sharing }
        if word.contains("无条件") { return .unconditional }
        if word.contains("不予") || word.contains("不共享") { return Sharing.none }
        return word.contains("有条件") ? .conditional : nil
    }

    static func frequency(_ text: String) -> UpdateFrequency? {
        let word = TextForms.comparable(text)
        return UpdateFrequency.allCases.first {
            $0.title.zh == word || $0.title.zh == "每" + word || $0.rawValue == word
        }
    }

    static func formatClass(_ text: String) -> FormatClass? {
        let word = TextForms.comparable(text)
        return FormatClass.allCases.first { TextForms.comparable($0.title.zh) == word }
    }

    static func mode(_ group: String, _ type: String) -> SharingMode? {
        let word = TextForms.comparable(group + type)
        if word.isEmpty { return nil }
        if word.contains("邮件") { return .mail }
        if word.contains("拷盘") { return .disk }
        if word.contains("介质") { return .medium }
        if word.contains("接口") { return .platformInterface }
        if word.contains("库") { return .platformDatabase }
        return word.contains("文件") || word.contains("平台") ? .platformFile : nil
    }

    static func modeNames(_ mode: SharingMode) -> (String, String) {
        switch mode {
        case .platformDatabase: ("共享平台", "数据库")
        case .platformFile: ("共享平台", "文件")
        case .platformInterface: ("共享平台", "接口")
        case .mail, .disk, .medium: (mode.title.zh, "")
        }
    }

    static func level(_ text: String) -> Organisation.Level? {
        let word = TextForms.comparable(text)
        return Organisation.Level.allCases.first { word.hasPrefix(String($0.title.zh.prefix(1))) }
    }

    static func yes(_ text: String) -> Bool {
        ["是", "1", "y", "yes", "开放", "有条件开放", "无条件开放"].contains(TextForms.comparable(text))
    }
}
