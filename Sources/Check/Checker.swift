public import Basics
import CQL
import Codes
import Mask
public import Tabular

/// Says whether values are a key of another resource.
public typealias ReferenceLookup = (_ key: ForeignKey, _ values: [String]) -> Bool

/// A batch that was checked: typed rows and which of them are good.
public struct CheckedBatch: Sendable {
    /// Every row, typed; values that could not be read are null.
    public var batch: Batch
    /// The rows without an error, ascending.
    public var good: [Int32]
    /// The rows with an error, ascending.
    public var bad: [Int32]
}

/// Checks the rows of a table against a schema, batch after batch, one column at a time.
///
/// Memory grows only with the keys that must be told apart. Findings are counted as they come; texts are made for the
/// samples that are shown, so a file full of errors costs no more than a clean one.
public final class Checker {
    public let schema: Schema
    /// Called with every finding, in row order within a batch: for reports that list them all.
    public var onFinding: ((_ row: Int64, _ rule: CheckRule, _ cell: UnsafeBufferPointer<UInt8>) -> Void)?

    let checks: [FieldCheck]
    /// For each field its column in the source; nil where the source lacks it.
    public let positions: [Int?]
    let rowRules: [(rule: Int, expression: BoundExpression)]
    let references: [(rule: Int, key: ForeignKey, columns: [Int])]
    let lookup: ReferenceLookup?
    let keyColumns: [Int]
    let keyRule: Int
    let materialise: Set<Int>
    let oddityRules: [RawBatch.Oddity.Kind: Int]
    private(set) var rules: [CheckRule]
    var counts: [Int]
    var sampleCounts: [Int]
    var samples: [Finding] = []
    let samplesPerRule: Int
    var seen: [Int: SeenKeys] = [:]
    var seenKey = SeenKeys()
    var rows = 0
    var valid = 0
    var filled: [Int]
    var notes: [LocalizedText] = []
    var referenceCache: [String: Bool] = [:]
    private var hits: [Hit] = []

    /// A finding before it has words.
    struct Hit {
        var row: Int32
        var rule: Int32
    }

    /// Prepares a check. The header's columns are matched to fields by name, else by title; `keepsValues` says whether typed
    /// batches hold every column (for loading) or only those that rules need.
    ///
    /// - Throws: `schema.invalid`, `schema.pattern`, `cql.*`, `check.missing_columns`.
    public init(
        schema: Schema,
        header: [String],
        keepsValues: Bool = false,
        samplesPerRule: Int = 20,
        lookup: ReferenceLookup? = nil
    ) throws(Problem) {
        try schema.validate()
        self.schema = schema
        self.samplesPerRule = samplesPerRule
        self.lookup = lookup
        var builder = RuleBuilder()
        positions = try Checker.match(schema, header, &notes)
        var checks: [FieldCheck] = []
        for (index, declared) in schema.fields.enumerated() {
            var field = declared
            // A row is known by its key, so no part of it may be empty.
            if schema.key.contains(field.name) { field.required = true }
            let keyFields = schema.key.contains(field.name) ? schema.key.count : 0
            checks.append(try FieldCheck(field, index, keyFields: keyFields, &builder))
        }
        self.checks = checks
        keyColumns = schema.key.compactMap { schema.index($0) }
        keyRule = builder.add(
            "key",
            schema.key.joined(separator: ","),
            .error,
            .consistency,
            .init("主键重复", "the key occurs again"),
            .init("保留一行，或改正主键", "keep one of the rows, or correct the key")
        )
        var rowRules: [(rule: Int, expression: BoundExpression)] = []
        var used: Set<Int> = []
        for declaration in schema.rules {
            let expression = try BoundExpression(text: declaration.expression, fields: schema.fields)
            used.formUnion(expression.columns)
            let rule = builder.add(
                declaration.id,
                declaration.field,
                declaration.severity,
                .accuracy,
                declaration.message,
                nil
            )
            rowRules.append((rule, expression))
        }
        self.rowRules = rowRules
        references = schema.foreignKeys.map { key in
            (
                builder.add(
                    "reference",
                    key.fields.joined(separator: ","),
                    .error,
                    .consistency,
                    .init("在资源 \(key.resource) 中不存在", "is not a key of \(key.resource)"),
                    .init("先补齐被引用的数据，或改正此值", "add the row it refers to, or correct the value")
                ),
                key, key.fields.compactMap { schema.index($0) }
            )
        }
        var oddities: [RawBatch.Oddity.Kind: Int] = [:]
        for kind in RawBatch.Oddity.Kind.allCases { oddities[kind] = builder.add(oddity: kind) }
        oddityRules = oddities
        // Keys are compared as they will be stored.
        if !(keyColumns.count == 1 && schema.fields[keyColumns[0]].unique) { used.formUnion(keyColumns) }
        materialise = keepsValues ? Set(schema.fields.indices) : used
        rules = builder.rules
        counts = Array(repeating: 0, count: rules.count)
        sampleCounts = counts
        filled = Array(repeating: 0, count: schema.fields.count)
    }

    /// Finds the column of each field: by name, by title, both without spaces, punctuation and case.
    static func match(_ schema: Schema, _ header: [String], _ notes: inout [LocalizedText]) throws(Problem) -> [Int?] {
        let names = header.map(TextForms.comparable)
        var missing: [String] = []
        let positions = schema.fields.map { field -> Int? in
            if let exact = header.firstIndex(of: field.name) { return exact }
            for name in [field.name, field.title] where !name.isEmpty {
                if let close = names.firstIndex(of: TextForms.comparable(name)), !TextForms.comparable(name).isEmpty {
                    return close
                }
            }
            missing.append(field.display)
            return nil
        }
        let required = schema.fields.filter {
            ($0.required || schema.key.contains($0.name)) && missing.contains($0.display)
        }
        if missing.count == schema.fields.count || !required.isEmpty {
            throw Problem(
                "check.missing_columns",
                zh: "文件缺少必需的列：\((required.isEmpty ? schema.fields : required).map(\.display).joined(separator: "、"))。",
                en:
                    "The file lacks required columns: \((required.isEmpty ? schema.fields : required).map(\.name).joined(separator: ", ")).",
                details: ["columns": header.prefix(50).joined(separator: ", ")],
                hint: .init(
                    "请检查表头是否与目录中的信息项一致，或是否选对了工作表。",
                    "Check that the header agrees with the schema and that the right sheet was chosen."
                )
            )
        }
        if !missing.isEmpty {
            notes.append(
                .init(
                    "文件中没有这些列，按空值处理：\(missing.joined(separator: "、"))",
                    "columns absent from the file, taken as empty: \(missing.joined(separator: ", "))"
                )
            )
        }
        let extra = header.indices.filter { !positions.contains($0) }.map { header[$0] }
        if !extra.isEmpty {
            notes.append(
                .init(
                    "这些列不在数据结构中，未采用：\(extra.prefix(20).joined(separator: "、"))",
                    "columns not in the schema, left out: \(extra.prefix(20).joined(separator: ", "))"
                )
            )
        }
        return positions
    }

    /// Adds a remark about the file as a whole.
    public func note(_ text: LocalizedText) { notes.append(text) }

    // MARK: Checking

    /// Checks the next rows.
    public func check(_ raw: RawBatch) -> CheckedBatch {
        let count = raw.rows
        hits.removeAll(keepingCapacity: true)
        var wrong = [Bool](repeating: false, count: count)
        noteOddities(raw)
        var columns: [Column] = []
        columns.reserveCapacity(checks.count)
        raw.bytes.withUnsafeBufferPointer { bytes in
            let hasNull = bytes.contains(0)
            raw.cells.withUnsafeBufferPointer { cells in
                for (index, check) in checks.enumerated() {
                    let source = CellColumn(
                        bytes: bytes.baseAddress,
                        cells: cells,
                        stride: raw.columns,
                        offset: positions[index],
                        count: count,
                        numbers: raw.numbers,
                        hasNull: hasNull
                    )
                    columns.append(run(check, source, keep: materialise.contains(index)))
                }
                if !keyColumns.isEmpty { checkKey(raw, columns) }
            }
        }
        let batch = Batch(fields: schema.fields, columns: columns, count: count)
        for (rule, expression) in rowRules {
            expression.forEachFalse(batch) { hits.append(Hit(row: Int32($0), rule: Int32(rule))) }
        }
        checkReferences(raw)
        settle(raw, &wrong)
        var good: [Int32] = []
        good.reserveCapacity(count)
        var bad: [Int32] = []
        for row in 0..<count { if wrong[row] { bad.append(Int32(row)) } else { good.append(Int32(row)) } }
        rows += count
        valid += good.count
        return CheckedBatch(batch: batch, good: good, bad: bad)
    }

    func noteOddities(_ raw: RawBatch) {
        for oddity in raw.oddities {
            guard let rule = oddityRules[oddity.kind] else { continue }
            if oddity.row < 0 {
                // The row is no longer there: a total or note under the table.
                counts[rule] += 1
                if sampleCounts[rule] < samplesPerRule {
                    sampleCounts[rule] += 1
                    samples.append(finding(rules[rule], row: Int64(oddity.found), cell: nil))
                }
            } else {
                hits.append(Hit(row: Int32(oddity.row), rule: Int32(rule)))
            }
        }
    }

    func run(_ check: FieldCheck, _ source: CellColumn, keep: Bool) -> Column {
        var used = seen.removeValue(forKey: check.index)
        if check.field.unique, used == nil { used = SeenKeys() }
        var nonNull = 0
        let column = check.run(source, keep: keep, missing: schema.missingValues, seen: &used, filled: &nonNull) {
            row,
            rule in
            hits.append(Hit(row: Int32(row), rule: Int32(rule)))
        }
        filled[check.index] += nonNull
        if let used { seen[check.index] = used }
        return column
    }

    func checkKey(_ raw: RawBatch, _ columns: [Column]) {
        if keyColumns.count == 1, schema.fields[keyColumns[0]].unique { return }
        for row in 0..<raw.rows {
            // An empty part is an error of its own.
            guard !keyColumns.contains(where: { columns[$0].isNull(row) || columns[$0].count == 0 }) else { continue }
            var key = Hash128(Int64(keyColumns.count))
            for column in keyColumns { key.combine(columns[column].hash(row)) }
            if seenKey.insert(key, row: raw.numbers[row]) != nil {
                hits.append(Hit(row: Int32(row), rule: Int32(keyRule)))
            }
        }
    }

    func checkReferences(_ raw: RawBatch) {
        guard let lookup else { return }
        for (rule, key, columns) in references {
            for row in 0..<raw.rows {
                let values = columns.map { column in positions[column].map { raw.text(row, $0) } ?? "" }
                if values.allSatisfy(\.isEmpty) { continue }
                let cacheKey = "\(rule)\u{1F}" + values.joined(separator: "\u{1F}")
                let known: Bool
                if let cached = referenceCache[cacheKey] {
                    known = cached
                } else {
                    if referenceCache.count > 200_000 { referenceCache.removeAll(keepingCapacity: true) }
                    known = lookup(key, values)
                    referenceCache[cacheKey] = known
                }
                if !known { hits.append(Hit(row: Int32(row), rule: Int32(rule))) }
            }
        }
    }

    /// Counts the hits, marks the rows and makes the samples.
    func settle(_ raw: RawBatch, _ wrong: inout [Bool]) {
        if onFinding != nil { hits.sort { ($0.row, $0.rule) < ($1.row, $1.rule) } }
        raw.bytes.withUnsafeBufferPointer { bytes in
            for hit in hits {
                let index = Int(hit.rule)
                let row = Int(hit.row)
                counts[index] += 1
                if rules[index].severity == .error { wrong[row] = true }
                let wanted = sampleCounts[index] < samplesPerRule
                guard wanted || onFinding != nil else { continue }
                let cell = cell(raw, row, rules[index].field, bytes)
                if wanted {
                    sampleCounts[index] += 1
                    samples.append(finding(rules[index], row: raw.numbers[row], cell: cell))
                }
                onFinding?(raw.numbers[row], rules[index], cell ?? UnsafeBufferPointer(start: nil, count: 0))
            }
        }
    }

    func cell(
        _ raw: RawBatch,
        _ row: Int,
        _ name: String,
        _ bytes: UnsafeBufferPointer<UInt8>
    ) -> UnsafeBufferPointer<UInt8>? {
        guard let index = schema.index(name), let position = positions[index] else { return nil }
        let cell = raw.cells[row * raw.columns + position]
        return UnsafeBufferPointer(rebasing: bytes[Int(cell.start)..<Int(cell.end)])
    }

    func finding(_ rule: CheckRule, row: Int64, cell: UnsafeBufferPointer<UInt8>?) -> Finding {
        let field = schema[rule.field]
        let text = cell.map { String(decoding: $0.prefix(400), as: UTF8.self) } ?? ""
        let (message, suggestion) = Explanation.of(rule, text: text, field: field)
        return Finding(
            row: row,
            rule: rule.id,
            field: rule.field,
            severity: rule.severity,
            maskedValue: Explanation.masked(text, field),
            message: message,
            suggestion: suggestion
        )
    }

    /// The report so far.
    public func report() -> CheckReport {
        var report = CheckReport()
        report.rows = rows
        report.valid = valid
        report.counts = zip(rules, counts).filter { $1 > 0 }.map { RuleCount(rule: $0, count: $1) }
        report.samples = samples.sorted { ($0.row, $0.field) < ($1.row, $1.field) }
        report.filled = filled
        report.fields = schema.fields
        report.notes = notes
        return report
    }
}
