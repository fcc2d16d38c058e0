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
            } else if asked.isRequired || field.required {
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

    init(path: String) throws {
        let file = try TabularFile(path: path)
        reader = try file.reader(try file.table())
        header = reader.header
    }

    struct Row {
        var line: Int64
        var cells: [String]
    }

    /// The next row that holds anything; nil at the end.
    mutating func next() throws -> Row? {
        while true {
            if let batch, at < batch.rows {
                defer { at += 1 }
                let cells = batch.texts(at)
                if cells.allSatisfy(TextForms.isBlank) { continue }
                return Row(line: batch.numbers[at], cells: cells)
            }
            guard let next = try reader.next() else { return nil }
            batch = next
            at = 0
        }
    }
}

extension ImportRows.Row {
    /// What the row gives for each field: a code may be written by its label.
    func values(_ columns: ImportColumns, _ declared: ResourceDeclaration) -> [String: String] {
        var values: [String: String] = [:]
        for (name, column) in columns.fields {
            var text = column < cells.count ? TextForms.trimmed(cells[column]) : ""
            if let codes = declared.field(name)?.codes, !codes.isEmpty, !codes.contains(where: { $0.value == text }) {
                let named = codes.filter { $0.label == text }
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
