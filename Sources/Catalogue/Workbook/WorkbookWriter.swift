import Basics
public import Kernel
import Tabular

/// Writes a catalogue workbook as a stream: the template's head, one row an item, a resource's cells merged over its rows.
public struct WorkbookWriter: Sendable {
    /// Rows of a sheet before the next one begins; a resource is never split.
    static let rowsPerSheet = 1_000_000

    let organisations: OrganisationTree
    private var book = SpreadsheetStream()
    private var rows = 0

    public init(_ organisations: OrganisationTree) { self.organisations = organisations }

    /// Where merged heads lie: `A2:D2` and so on.
    private mutating func head(into out: inout [UInt8]) {
        let columns = WorkbookColumn.allCases
        book.open(
            rows == 0 ? "目录" : "目录(\(book.sheetCount + 1))",
            widths: columns.map(WorkbookWriter.width),
            frozenRows: 3,
            into: &out
        )
        book.row([.heading(WorkbookColumn.title)], into: &out)
        var groups: [SpreadsheetStream.Cell] = []
        var labels: [SpreadsheetStream.Cell] = []
        book.merge(column: 0, row: 1, columns: columns.count, rows: 1)
        for (index, column) in columns.enumerated() {
            let group = column.labels.group
            if group.isEmpty {
                groups.append(.heading(column.labels.label))
                labels.append(.heading(""))
                book.merge(column: index, row: 2, columns: 1, rows: 2)
            } else {
                let isFirst = index == 0 || columns[index - 1].labels.group != group
                groups.append(.heading(isFirst ? group : ""))
                labels.append(.heading(column.labels.label))
                if isFirst {
                    let width = columns[index...].prefix { $0.labels.group == group }.count
                    book.merge(column: index, row: 2, columns: width, rows: 1)
                }
            }
        }
        book.row(groups, into: &out)
        book.row(labels, into: &out)
        rows = 3
    }

    static func width(_ column: WorkbookColumn) -> Double {
        switch column {
        case .categoryClass, .categoryItem, .categorySubject, .categoryDetail: 6
        case .name, .summary: 36
        case .provider, .condition, .itemName, .code: 22
        default: 13
        }
    }

    public mutating func write(_ entries: [Entry], into out: inout [UInt8]) {
        for entry in entries {
            guard let content = entry.content else { continue }
            let count = max(1, content.schema.fields.count)
            if rows == 0 || rows + count > WorkbookWriter.rowsPerSheet {
                if rows > 0 { book.close(into: &out) }
                head(into: &out)
            }
            for index in 0..<count {
                book.row(
                    WorkbookColumn.allCases.map { column in
                        if column.isOfItem {
                            return index < content.schema.fields.count
                                ? .text(WorkbookWriter.item(column, content, index, entry.resource)) : .empty
                        }
                        return index == 0 ? .text(resource(column, content, entry)) : .empty
                    },
                    into: &out
                )
            }
            if count > 1 {
                for (index, column) in WorkbookColumn.allCases.enumerated() where !column.isOfItem {
                    book.merge(column: index, row: rows + 1, columns: 1, rows: count)
                }
            }
            rows += count
        }
    }

    public mutating func end(into out: inout [UInt8]) {
        if rows == 0 { head(into: &out) }
        book.close(into: &out)
        book.finish(into: &out)
    }

    private func resource(_ column: WorkbookColumn, _ content: EntryContent, _ entry: Entry) -> String {
        let digits = Array(content.category)
        func part(_ range: Range<Int>) -> String {
            digits.count >= range.upperBound ? String(digits[range]) : ""
        }
        switch column {
        case .categoryClass: return part(0..<1)
        case .categoryItem: return part(1..<3)
        case .categorySubject: return part(3..<6)
        case .categoryDetail: return digits.count > 6 ? String(digits[6...]) : ""
        case .name: return content.name
        case .code: return entry.resource.code
        case .provider: return organisations[content.provider]?.name ?? ""
        case .department: return content.department
        case .providerCode: return organisations[content.provider]?.creditCode ?? ""
        case .summary: return content.summary
        case .formatClass: return content.formatClass.title.zh
        case .formatType: return content.formatType
        case .frequency: return content.frequency.title.zh
        case .published: return entry.publishedAt.map { String(CivilTime.timestamp($0).prefix(10)) } ?? ""
        case .related: return content.related.joined(separator: "、")
        case .secrecy: return content.isSecret ? "涉密" : "非涉密"
        case .level: return content.level.title.zh
        default: return ""
        }
    }

    private static func item(
        _ column: WorkbookColumn,
        _ content: EntryContent,
        _ index: Int,
        _ resource: Resource
    )
        -> String
    {
        let field = content.schema.fields[index]
        let policy = index < content.items.count ? content.items[index] : ItemPolicy()
        switch column {
        case .itemName: return field.display
        case .itemType: return WorkbookWords.typeName(field.type)
        case .itemLength:
            if field.type == .decimal { return "18,\(field.scale)" }
            return field.maximumLength.map(String.init) ?? ""
        case .sharing: return policy.sharing.title.zh
        case .condition: return policy.condition
        case .modeClass: return WorkbookWords.modeNames(policy.mode).0
        case .modeType: return WorkbookWords.modeNames(policy.mode).1
        case .openness:
            let at = resource.schema.index(field.name)
            return at.map { resource.openness($0) != .none } == true ? "是" : "否"
        case .openCondition: return policy.openCondition
        default: return ""
        }
    }
}
