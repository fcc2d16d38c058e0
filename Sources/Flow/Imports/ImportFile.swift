import Basics
import Tabular

/// The columns of an import's file and what each is for.
struct ImportColumns: Sendable {
    /// The column of each field that the step asks for; those that the file lacks are not there.
    let fields: [String: Int]
    /// The column of the note.
    let note: Int?
    let ignored: [String]

    /// The heads under which a refused row's reason is given back: not a column of the step.
    static let reasons = ["原因", "Reason"]
    static let notes = ["办理意见", "Note"]

    /// - Throws: `flow.import_columns` where a required field has no column, or none has.
    init(_ header: [String], _ step: FlowStep, _ declared: ResourceDeclaration) throws(Problem) {
        let heads = header.map(TextForms.comparable)
        func column(_ names: [String]) -> Int? {
            for name in names where !name.isEmpty {
                if let exact = header.firstIndex(of: name) { return exact }
                if let close = heads.firstIndex(of: TextForms.comparable(name)) { return close }
            }
            return nil
        }
        var found: [String: Int] = [:]
        var missing: [Field] = []
        for asked in step.fields {
            guard let field = declared.field(asked.field) else { continue }
            if let at = column([field.name, field.title, declared.label(field, .en)]) {
                found[field.name] = at
            } else if asked.isRequired || field.required, declared.reference(filling: field.name, in: step) == nil {
                missing.append(field)
            }
        }
        note = step.note == .none ? nil : column(Self.notes)
        guard missing.isEmpty, !found.isEmpty else {
            let lacking = missing.isEmpty ? step.fields.compactMap { declared.field($0.field) } : missing
            let chinese = lacking.map { declared.label($0, .zh) }.joined(separator: "、")
            let english = lacking.map { declared.label($0, .en) }.joined(separator: ", ")
            throw Problem(
                "flow.import_columns",
                status: 422,
                zh: "文件缺少必需的列：\(chinese)。",
                en: "The file lacks required columns: \(english).",
                hint: .init("请用本页的模板，表头写字段的名称。", "Use this page's template; heads are the fields' names.")
            )
        }
        fields = found
        let used = Set(found.values).union([note].compactMap(\.self))
        ignored = header.indices.filter { !used.contains($0) && !Self.reasons.contains(header[$0]) }.map { header[$0] }
    }
}

/// Reads the rows of an import's file, one after the other.
struct ImportRows {
    let header: [String]
    private let reader: any RowReader
    private var batch: RawBatch?
    private var at = 0
    /// What was seen of the rows of the batch, by their places; of those that are not in it any more by what stands in their place.
    private var odd: [Int: [RawBatch.Oddity.Kind]] = [:]
    private var left: [Row] = []

    init(path: String) throws {
        let file = try TabularFile(path: path)
        reader = try file.reader(try file.table())
        header = reader.header
    }

    struct Row {
        var line: Int64
        var cells: [String]
        /// Why the row cannot be what its writer meant; nil where it can.
        var damage: LocalizedText?
    }

    /// What the reader saw of a row that makes it another than was written.
    private static func damage(_ kinds: [RawBatch.Oddity.Kind]) -> LocalizedText? {
        for kind in kinds {
            switch kind {
            case .tooFew: continue
            case .tooMany: return .init("本行的列数多于表头，可能错位", "The row has more cells than the header and may be shifted.")
            case .encoding: return .init("本行有无法识别的字符", "The row has bytes that are no text.")
            case .quotes: return .init("引号之后还有文字", "There is text after a closing quote.")
            case .unclosed:
                return .init("引号没有结束，其后的内容都成了这一格", "A quote is never closed: all after it became this cell.")
            case .footer:
                return .init(
                    "像是合计或表下说明，未作为记录",
                    "It looks like a total or a note below the table and was not taken as a record."
                )
            case .oversized: return .init("有过长的单元格", "A cell is too long.")
            case .formula: return .init("公式没有算出的值", "A formula has no value.")
            case .shape: return .init("这一行不是对象", "The row is no object.")
            }
        }
        return nil
    }

    /// The next row that holds anything; nil at the end.
    mutating func next() throws -> Row? {
        while true {
            if let row = left.popLast() { return row }
            if let batch, at < batch.rows {
                defer { at += 1 }
                let cells = batch.texts(at)
                let damage = Self.damage(odd[at] ?? [])
                if damage == nil, cells.allSatisfy(TextForms.isBlank) { continue }
                return Row(line: batch.numbers[at], cells: cells, damage: damage)
            }
            guard let next = try reader.next() else { return nil }
            batch = next
            at = 0
            odd = Dictionary(grouping: next.oddities.filter { $0.row >= 0 }, by: \.row).mapValues { $0.map(\.kind) }
            // Totals and notes that were left out are told of, in the order of their lines.
            left = next.oddities.filter { $0.row < 0 }.sorted { $0.found > $1.found }.map { oddity in
                Row(
                    line: Int64(oddity.found),
                    cells: Array(repeating: "", count: header.count),
                    damage: Self.damage([oddity.kind])
                )
            }
        }
    }
}

extension ImportRows.Row {
    /// What the row gives for each field: a code may be written by its label.
    func values(_ columns: ImportColumns, _ declared: ResourceDeclaration) -> [String: String] {
        var values: [String: String] = [:]
        for (name, column) in columns.fields {
            var text = column < cells.count ? TextForms.trimmed(cells[column]) : ""
            // What refused rows were given back with, so that no spreadsheet takes them for formulas.
            if text.hasPrefix("'"), let second = text.dropFirst().first, "=+-@".contains(second) { text.removeFirst() }
            if let codes = declared.field(name)?.codes, !codes.isEmpty, !codes.contains(where: { $0.value == text }) {
                let named = codes.filter { code in
                    code.label == text || [.zh, .en].contains { ResourceDeclaration.words(code.label, $0) == text }
                }
                if named.count == 1 { text = named[0].value }
            }
            values[name] = text
        }
        return values
    }

    func note(_ columns: ImportColumns) -> String {
        columns.note.map { $0 < cells.count ? TextForms.trimmed(cells[$0]) : "" } ?? ""
    }
}
