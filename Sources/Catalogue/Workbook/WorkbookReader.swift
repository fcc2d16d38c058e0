public import Basics
import Codes
import Kernel
public import Tabular

/// Something to say of a row of a workbook.
public struct WorkbookFinding: Sendable, Hashable {
    public var sheet: String
    public var row: Int64
    /// The column's label; empty for the row.
    public var column: String
    public var severity: Severity
    public var message: LocalizedText
}

/// An entry as a workbook tells it.
struct WorkbookEntry: Sendable {
    var sheet: String
    var row: Int64
    /// 信息资源代码; empty for a new entry.
    var code: String
    var content: EntryContent
    /// The columns its sheet has.
    var columns: Set<WorkbookColumn> = []
    /// Whether an item is said to be open.
    var wantsOpening = false
}

/// Reads a catalogue workbook: sheets whose head is the template's, one row an item.
struct WorkbookReader {
    /// Findings kept; all are counted.
    static let findingLimit = 2000

    let organisations: OrganisationTree
    private(set) var entries: [WorkbookEntry] = []
    private(set) var findings: [WorkbookFinding] = []
    private(set) var errors = 0
    private(set) var rows = 0
    private var providersByName: [String: OrganisationID] = [:]
    private var providersByCode: [String: OrganisationID] = [:]

    init(_ organisations: OrganisationTree) {
        self.organisations = organisations
        for organisation in organisations.sorted {
            providersByName[TextForms.comparable(organisation.name)] = organisation.id
            if !organisation.creditCode.isEmpty { providersByCode[organisation.creditCode] = organisation.id }
        }
    }

    /// - Throws: `workbook.no_head` where no sheet has the template's head, and what reading a file throws.
    mutating func read(path: String) throws {
        let file = try TabularFile(path: path, options: ReadOptions(header: .raw))
        var isFound = false
        for table in file.tables {
            let reader = try file.reader(table)
            var sheet = Sheet(table.name)
            while let batch = try reader.next() {
                for row in 0..<batch.rows { take(batch.texts(row).map(TextForms.trimmed), batch.numbers[row], &sheet) }
                // A sheet without a head in its first rows is no catalogue.
                if !sheet.isKnown { break }
            }
            close(&sheet)
            isFound = isFound || sheet.isKnown
        }
        guard isFound else {
            throw Problem(
                "workbook.no_head",
                status: 422,
                zh: "没有找到目录表头(信息资源名称、信息项名称……)。",
                en: "No sheet has the catalogue's head (信息资源名称, 信息项名称 …).",
                hint: .init("请使用导出的工作簿作模板。", "Use an exported workbook as the template.")
            )
        }
    }

    /// One sheet while it is read.
    private struct Sheet {
        let name: String
        var head: [[String]] = []
        var columns: [WorkbookColumn: Int] = [:]
        var isKnown: Bool { !columns.isEmpty }
        var rowsLookedAt = 0
        var current: WorkbookEntry?
        /// Names of the current entry's items.
        var items: Set<String> = []

        init(_ name: String) { self.name = name }

        func cell(_ column: WorkbookColumn, _ cells: [String]) -> String {
            columns[column].map { $0 < cells.count ? cells[$0] : "" } ?? ""
        }
    }

    private mutating func take(_ cells: [String], _ row: Int64, _ sheet: inout Sheet) {
        guard sheet.isKnown else {
            sheet.rowsLookedAt += 1
            if cells.contains(where: { WorkbookColumn.of(group: "", label: $0) == .name }) {
                sheet.head = [cells]
                sheet.columns = WorkbookReader.columns([cells])
            }
            return
        }
        // Lower rows of the head come before the first row with a resource's name.
        if sheet.current == nil, sheet.head.count < 3, sheet.cell(.name, cells).isEmpty,
            WorkbookReader.isHead(cells, under: sheet.head[0])
        {
            sheet.head.append(cells)
            sheet.columns = WorkbookReader.columns(sheet.head)
            return
        }
        guard cells.contains(where: { !$0.isEmpty }) else { return }
        rows += 1
        let name = sheet.cell(.name, cells)
        let code = sheet.cell(.code, cells)
        let isNew =
            !name.isEmpty
            && (sheet.current.map { name != $0.content.name || !code.isEmpty && code != $0.code } ?? true)
        if isNew {
            close(&sheet)
            begin(cells, row, &sheet)
        }
        guard sheet.current != nil else {
            add(.error, row, .name, sheet, "缺少信息资源名称", "the resource's name is missing")
            return
        }
        item(cells, row, &sheet)
    }

    private static func isHead(_ cells: [String], under first: [String]) -> Bool {
        let filled = cells.filter { !$0.isEmpty }
        return !filled.isEmpty
            && filled.allSatisfy { label in
                WorkbookColumn.allCases.contains { column in
                    let labels = column.labels
                    return ([labels.label, labels.group] + labels.others).contains {
                        TextForms.comparable($0) == TextForms.comparable(label)
                    }
                }
            }
    }

    /// Where each column of the template lies, by the lowest label of each position and the group above it.
    private static func columns(_ head: [[String]]) -> [WorkbookColumn: Int] {
        var found: [WorkbookColumn: Int] = [:]
        // A merged head fills its first cell only: it holds to the right until the next.
        let groups = head.dropLast().map { row in
            var last = ""
            return row.map { cell in
                if !cell.isEmpty { last = cell }
                return last
            }
        }
        for position in 0..<(head.map(\.count).max() ?? 0) {
            guard let depth = head.lastIndex(where: { position < $0.count && !$0[position].isEmpty }) else { continue }
            let label = head[depth][position]
            // The nearest group first: 共享方式 under 共享属性.
            let above = depth > 0 ? groups[..<depth].reversed().map { position < $0.count ? $0[position] : "" } : [""]
            let column = above.lazy.compactMap { WorkbookColumn.of(group: $0, label: label) }.first
            if let column, found[column] == nil { found[column] = position }
        }
        return found
    }

    private mutating func add(
        _ severity: Severity,
        _ row: Int64,
        _ column: WorkbookColumn?,
        _ sheet: Sheet,
        _ zh: String,
        _ en: String
    ) {
        if severity == .error { errors += 1 }
        guard findings.count < WorkbookReader.findingLimit else { return }
        findings.append(
            WorkbookFinding(
                sheet: sheet.name,
                row: row,
                column: column?.labels.label ?? "",
                severity: severity,
                message: .init(zh, en)
            )
        )
    }

    /// Adds a finding on an entry as a whole.
    mutating func add(_ severity: Severity, _ entry: WorkbookEntry, _ zh: String, _ en: String) {
        add(severity, entry.row, nil, Sheet(entry.sheet), zh, en)
    }

    // MARK: Resources

    private mutating func begin(_ cells: [String], _ row: Int64, _ sheet: inout Sheet) {
        let code = TextForms.halfWidth(sheet.cell(.code, cells))
        let providerCode = sheet.cell(.providerCode, cells)
        let providerName = sheet.cell(.provider, cells)
        let provider = providersByCode[providerCode] ?? providersByName[TextForms.comparable(providerName)]
        if provider == nil {
            add(
                .error,
                row,
                .provider,
                sheet,
                "没有机构“\(providerName)”,请先由系统管理员建立",
                "there is no organisation “\(providerName)”; the system administrator adds it first"
            )
        } else if !providerCode.isEmpty, providersByCode[providerCode] == nil {
            add(
                .warning,
                row,
                .providerCode,
                sheet,
                "提供方代码与机构登记的不一致,按名称对应",
                "the provider's code is not the registered one; matched by name"
            )
        }
        var formatClass = FormatClass.spreadsheet
        let formatText = sheet.cell(.formatClass, cells)
        if let known = WorkbookWords.formatClass(formatText) {
            formatClass = known
        } else if !formatText.isEmpty {
            add(
                .error,
                row,
                .formatClass,
                sheet,
                "格式分类“\(formatText)”不在编制指南之列",
                "the guide has no format class “\(formatText)”"
            )
        }
        let typeText = sheet.cell(.formatType, cells)
        let formatType =
            formatClass.types.first { $0.lowercased() == typeText.lowercased() }
            ?? (typeText.isEmpty ? formatClass.types.last ?? "" : typeText)
        var frequency = UpdateFrequency.irregular
        let frequencyText = sheet.cell(.frequency, cells)
        if let known = WorkbookWords.frequency(frequencyText) {
            frequency = known
        } else {
            add(
                frequencyText.isEmpty ? .warning : .error,
                row,
                .frequency,
                sheet,
                frequencyText.isEmpty ? "缺少更新周期,按不定期" : "更新周期“\(frequencyText)”不在编制指南之列",
                frequencyText.isEmpty
                    ? "the frequency is missing; taken as irregular" : "the guide has no frequency “\(frequencyText)”"
            )
        }
        let secrecy = TextForms.comparable(sheet.cell(.secrecy, cells))
        let isSecret = !["", "非涉密", "否", "不涉密", "公开"].contains(secrecy)
        if isSecret { add(.error, row, .secrecy, sheet, "涉密资源不得进入本节点", "secret resources must not enter this node") }
        let content = EntryContent(
            name: sheet.cell(.name, cells),
            category: category(cells, code, row, sheet),
            provider: provider ?? OrganisationID(0),
            department: sheet.cell(.department, cells),
            summary: sheet.cell(.summary, cells),
            formatClass: formatClass,
            formatType: formatType,
            frequency: frequency,
            related: sheet.cell(.related, cells).split(whereSeparator: { ",,;;、 \n".contains($0) }).map(
                String.init
            ),
            isSecret: isSecret,
            level: WorkbookWords.level(sheet.cell(.level, cells)) ?? organisations[provider]?.level ?? .province,
            schema: Schema(fields: []),
            items: []
        )
        sheet.current = WorkbookEntry(sheet: sheet.name, row: row, code: code, content: content)
        sheet.current?.columns = Set(sheet.columns.keys)
        sheet.items = []
    }

    /// The category's digits: from its four columns, else from the code before the slash.
    private mutating func category(_ cells: [String], _ code: String, _ row: Int64, _ sheet: Sheet) -> String {
        func digits(_ column: WorkbookColumn) -> String {
            String(TextForms.halfWidth(sheet.cell(column, cells)).prefix { $0.isASCII && $0.isNumber })
        }
        func padded(_ text: String, _ width: Int) -> String {
            text.isEmpty ? "" : String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let parts = [
            digits(.categoryClass), padded(digits(.categoryItem), 2), padded(digits(.categorySubject), 3),
            digits(.categoryDetail),
        ]
        // Some workbooks give the whole number in the first column.
        let joined = parts[0].count >= 6 ? parts[0] : parts.joined()
        if Classification.isValid(joined) { return joined }
        let prefix = String(code.prefix { $0 != "/" })
        if Classification.isValid(prefix) { return prefix }
        add(
            .error,
            row,
            .categoryClass,
            sheet,
            "分类应为类1位、项2位、目3位、细目可选,得到“\(joined)”",
            "the category should be 1+2+3 digits and an optional rest; found “\(joined)”"
        )
        return joined
    }

    // MARK: Items

    private mutating func item(_ cells: [String], _ row: Int64, _ sheet: inout Sheet) {
        let name = sheet.cell(.itemName, cells)
        guard !name.isEmpty else {
            add(.error, row, .itemName, sheet, "缺少信息项名称", "the item's name is missing")
            return
        }
        guard sheet.items.insert(name).inserted else {
            add(.error, row, .itemName, sheet, "信息项“\(name)”重复", "item “\(name)” occurs twice")
            return
        }
        let typeText = sheet.cell(.itemType, cells)
        var type = FieldType.text
        if let known = WorkbookWords.type(typeText) {
            type = known
        } else {
            add(
                typeText.isEmpty ? .warning : .error,
                row,
                .itemType,
                sheet,
                typeText.isEmpty ? "缺少数据类型,按字符型" : "数据类型“\(typeText)”不在编制指南之列",
                typeText.isEmpty
                    ? "the data type is missing; taken as text" : "the guide has no data type “\(typeText)”"
            )
        }
        var field = Field(name, type)
        let length = TextForms.halfWidth(sheet.cell(.itemLength, cells)).split { $0 == "," || $0 == "." }.map {
            Int($0)
        }
        if let first = length.first {
            if first.map({ $0 < 0 }) ?? true || length.count > 2
                || (length.count == 2 && length[1].map { $0 < 0 } ?? true)
            {
                add(
                    .warning,
                    row,
                    .itemLength,
                    sheet,
                    "数据长度“\(sheet.cell(.itemLength, cells))”不是数字",
                    "the length “\(sheet.cell(.itemLength, cells))” is no number"
                )
            } else if type == .text {
                field.maximumLength = first
            } else if type == .decimal {
                field.scale = min(9, length.count == 2 ? length[1] ?? 0 : 0)
            }
        }
        let sharingText = sheet.cell(.sharing, cells)
        let sharing = WorkbookWords.sharing(sharingText)
        if sharing == nil {
            add(
                .error,
                row,
                .sharing,
                sheet,
                "共享类型“\(sharingText)”应为无条件共享、有条件共享或不予共享",
                "the sharing type “\(sharingText)” should be 无条件共享, 有条件共享 or 不予共享"
            )
        }
        if WorkbookWords.yes(sheet.cell(.openness, cells)) { sheet.current?.wantsOpening = true }
        let policy = ItemPolicy(
            sharing: sharing ?? .none,
            condition: sheet.cell(.condition, cells),
            mode: WorkbookWords.mode(sheet.cell(.modeClass, cells), sheet.cell(.modeType, cells)) ?? .platformFile,
            openCondition: sheet.cell(.openCondition, cells)
        )
        sheet.current?.content.schema.fields.append(field)
        sheet.current?.content.items.append(policy)
    }

    private mutating func close(_ sheet: inout Sheet) {
        guard let entry = sheet.current else { return }
        sheet.current = nil
        entries.append(entry)
    }
}
