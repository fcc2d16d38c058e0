public import Basics
public import Codes
public import Tabular

/// A proposed field with how sure the proposal is and why.
public struct FieldProposal: Sendable {
    public var field: Field
    /// 0…1.
    public var confidence: Double
    public var reasons: [LocalizedText]
    /// Share of rows with a value, 0…1.
    public var filled: Double
    /// A few values, masked where they are personal.
    public var examples: [String]
}

/// A proposed schema of a table.
public struct SchemaProposal: Sendable {
    public var schema: Schema
    public var fields: [FieldProposal]
    /// Rows that were looked at.
    public var rows: Int
    public var notes: [LocalizedText]
}

/// Proposes types, keys, code lists and meanings from the rows of a table.
public enum Inference {
    /// Texts that stand for no value in many systems.
    static let markers = [
        "NULL", "null", "N/A", "n/a", "NaN", "nan", "None", "-", "--", "----", "/", "\\N", "#N/A", "无",
    ]

    /// Looks at rows of a reader, at most `limit`.
    public static func propose(
        _ reader: any RowReader,
        layout: SheetLayout,
        limit: Int = 50_000
    ) throws -> SchemaProposal {
        var columns = reader.header.map { ColumnEvidence(name: $0) }
        var rows = 0
        while rows < limit, let raw = try reader.next() {
            let wanted = min(raw.rows, limit - rows)
            raw.bytes.withUnsafeBufferPointer { bytes in
                for index in columns.indices {
                    for row in 0..<wanted {
                        let cell = raw.cells[row * raw.columns + index]
                        columns[index].add(
                            UnsafeBufferPointer(rebasing: bytes[Int(cell.start)..<Int(cell.end)]),
                            row: Int64(rows + row + 1)
                        )
                    }
                }
            }
            rows += wanted
        }
        return propose(columns, rows: rows, layout: layout)
    }

    /// The personal kind that most of some values are, by pattern and check digit; nil for none.
    public static func personalKind(of values: [String]) -> SemanticKind? {
        var evidence = ColumnEvidence(name: "")
        var filled = 0
        for value in values where !value.isEmpty {
            filled += 1
            Array(value.utf8).withUnsafeBufferPointer { evidence.guessKinds($0) }
        }
        // A third is enough: what is mixed with other values is still personal.
        return evidence.kinds.filter { $0.key.isPersonal && $0.value * 3 >= filled && $0.value >= 3 }.max {
            $0.value < $1.value
        }?.key
    }

    static func propose(_ columns: [ColumnEvidence], rows: Int, layout: SheetLayout) -> SchemaProposal {
        var notes = layout.notes
        let missing = usedMarkers(columns)
        if !missing.isEmpty {
            notes.append(
                .init(
                    "这些写法按空值处理:\(missing.joined(separator: " "))",
                    "taken as no value: \(missing.joined(separator: " "))"
                )
            )
        }
        var proposals: [FieldProposal] = []
        for (index, column) in columns.enumerated() {
            var proposal = column.proposal(rows: rows, missing: Set(missing))
            if index < layout.units.count, !layout.units[index].isEmpty { proposal.field.unit = layout.units[index] }
            proposals.append(proposal)
        }
        var schema = Schema(fields: proposals.map(\.field), missingValues: [""] + missing)
        if let key = key(columns, proposals, rows: rows) {
            schema.key = [key.0]
            proposals[key.1].field.unique = true
            proposals[key.1].field.required = true
            proposals[key.1].reasons.append(.init("逐行唯一且不为空,建议作主键", "unique and never empty: proposed as the key"))
            schema.fields = proposals.map(\.field)
        }
        for (column, proposal) in zip(columns, proposals)
        where column.looksLikeID && column.duplicates > 0 && schema.key.isEmpty {
            notes.append(
                .init(
                    "“\(proposal.field.name)”像编号但有 \(column.duplicates) 行重复,未作主键",
                    "“\(proposal.field.name)” looks like an id but \(column.duplicates) rows repeat one: not taken as key"
                )
            )
        }
        return SchemaProposal(schema: schema, fields: proposals, rows: rows, notes: notes)
    }

    /// Markers that stand in columns whose other values are not plain text, or that make up much of a column.
    static func usedMarkers(_ columns: [ColumnEvidence]) -> [String] {
        markers.filter { marker in
            columns.contains { column in
                guard let count = column.markerCounts[marker], count > 0 else { return false }
                let others = column.filled - column.markerCounts.values.reduce(0, +)
                if marker == "无" || marker == "None" { return others > 0 && column.isTyped }
                return others > 0 && (column.isTyped || marker == "NULL" || marker == "\\N" || marker == "----")
            }
        }
    }

    static func key(_ columns: [ColumnEvidence], _ proposals: [FieldProposal], rows: Int) -> (String, Int)? {
        guard rows > 1 else { return nil }
        let candidates = columns.indices.filter { index in
            let column = columns[index]
            let type = proposals[index].field.type
            return column.duplicates == 0 && column.filled == rows && column.longest <= 64
                && (type == .text || type == .integer)
                && proposals[index].field.kind?.isPersonal != true
        }
        let named = candidates.first { columns[$0].looksLikeID }
        guard let chosen = named ?? candidates.first(where: { $0 < 3 && columns[$0].longest <= 40 }) else { return nil }
        return (columns[chosen].name, chosen)
    }
}

/// What the values of one column look like, gathered row by row.
struct ColumnEvidence {
    let name: String
    var filled = 0
    var integers = 0
    var reals = 0
    var dates = 0
    var looseDates = 0
    var looseIntegers = 0
    var looseReals = 0
    var timestamps = 0
    var looseTimestamps = 0
    var times = 0
    var booleans = 0
    var points = 0
    var geometries = 0
    var leadingZeros = 0
    var exponents = 0
    var longDigits = 0
    var longest = 0
    var shortest = Int.max
    var duplicates = 0
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var decimals = 0
    var damaged = 0
    var markerCounts: [String: Int] = [:]
    var distinct: [String: Int] = [:]
    var overflowed = false
    var examples: [String] = []
    var kinds: [SemanticKind: Int] = [:]
    var kindSamples = 0
    var seen = SeenKeys()

    init(name: String) { self.name = name }

    var looksLikeID: Bool {
        let lower = name.lowercased()
        return lower == "id" || lower.hasSuffix("id") || lower.hasSuffix("_no") || lower.hasSuffix("code")
            || lower == "code"
            || ["编号", "编码", "代码", "序号", "标识", "号"].contains { lower.hasSuffix($0) }
    }

    /// Whether what is no marker is mostly numbers, dates or codes.
    var isTyped: Bool {
        let others = filled - markerCounts.values.reduce(0, +)
        return others > 0
            && max(integers, reals, max(dates, looseDates), max(timestamps, looseTimestamps), times) * 10 >= others * 9
    }

    mutating func add(_ raw: UnsafeBufferPointer<UInt8>, row: Int64) {
        let cell = raw.isEmpty ? raw : FieldCheck.trimmed(raw)
        guard !cell.isEmpty else { return }
        filled += 1
        if seen.insert(Hash128(cell), row: row) != nil { duplicates += 1 }
        longest = max(longest, cell.count)
        shortest = min(shortest, cell.count)
        if cell.count <= 4 {
            let text = String(decoding: cell, as: UTF8.self)
            if Inference.markers.contains(text) {
                markerCounts[text, default: 0] += 1
                count(text)
                return
            }
        }
        shape(cell)
        if !overflowed, cell.count <= 60 { count(String(decoding: cell, as: UTF8.self)) }
        if kindSamples < 2000 { guessKinds(cell) }
    }

    mutating func count(_ text: String) {
        distinct[text, default: 0] += 1
        if examples.count < 5, !examples.contains(text) { examples.append(text) }
        if distinct.count > 200 {
            overflowed = true
            distinct = [:]
        }
    }

    mutating func shape(_ cell: UnsafeBufferPointer<UInt8>) {
        let first = cell[0]
        if let integer = Numbers.parseInteger(cell) {
            integers += 1
            reals += 1
            if cell.count > 1, first == 0x30 { leadingZeros += 1 }
            if cell.count > 15 { longDigits += 1 }
            minimum = min(minimum, Double(integer))
            maximum = max(maximum, Double(integer))
        } else if let real = Numbers.parseReal(cell) {
            reals += 1
            if cell.contains(where: { $0 | 0x20 == 0x65 }) { exponents += 1 }
            if cell.count > 1, first == 0x30, cell[1] != 0x2E { leadingZeros += 1 }
            if let point = cell.firstIndex(of: 0x2E) { decimals = max(decimals, cell.count - point - 1) }
            minimum = min(minimum, real)
            maximum = max(maximum, real)
        }
        if cell.count <= 40, cell.contains(0x2C) || cell.contains(0xEF) || integers + reals > 0 {
            if case .integer = LenientValue.read(cell, Field("", .integer)) { looseIntegers += 1 }
            if case .real = LenientValue.read(cell, Field("", .real)) { looseReals += 1 }
        }
        if SpreadsheetDamage.diagnose(cell) != nil { damaged += 1 }
        guard cell.count <= 40 || first == 0x7B else { return }
        if CivilTime.parseISODate(cell) != nil { dates += 1 }
        if CivilTime.parseISOTimestamp(cell) != nil { timestamps += 1 }
        if CivilTime.parseTime(cell) != nil { times += 1 }
        if first == 0x7B, cell.count > 20, cell.prefix(60).contains(0x74) {
            if let json = try? JSONValue(cell), json["coordinates"] != nil { geometries += 1 }
            return
        }
        let hasSeparator = cell.contains { $0 == 0x2F || $0 == 0x2E || $0 == 0x2D || $0 >= 0x80 || $0 == 0x3A }
        if hasSeparator || cell.count == 8 {
            let text = String(decoding: cell, as: UTF8.self)
            if CivilTime.parseWrittenDate(text) != nil { looseDates += 1 }
            if LenientValue.moment(TextForms.halfWidth(text)) != nil { looseTimestamps += 1 }
        }
        if cell.count <= 5, LenientValue.boolean(String(decoding: cell, as: UTF8.self)) != nil { booleans += 1 }
        if cell.contains(0x20) || cell.contains(0x2C) {
            let numbers = cell.split { $0 == 0x20 || $0 == 0x2C || $0 == 0x5B || $0 == 0x5D }
            let values = numbers.compactMap { Numbers.parseReal(UnsafeBufferPointer(rebasing: $0)) }
            if numbers.count == 2, values.count == 2, values[0].magnitude <= 180, values[1].magnitude <= 90 {
                points += 1
            }
        }
    }

    /// Kinds that values alone give away, by pattern and check digit.
    static let tellingKinds: [SemanticKind] = [.creditCode, .residentID, .container, .vin, .plate, .unNumber]

    mutating func guessKinds(_ cell: UnsafeBufferPointer<UInt8>) {
        kindSamples += 1
        guard cell.count >= 6, cell.count <= 24 else { return }
        let text = String(decoding: cell, as: UTF8.self)
        for kind in ColumnEvidence.tellingKinds {
            if kind == .unNumber, !text.hasPrefix("UN") { continue }
            if Identifier.read(kind, text)?.isValid == true { kinds[kind, default: 0] += 1 }
        }
        if ColumnEvidence.isMobile(cell) { kinds[.phone, default: 0] += 1 }
        if text.contains("@"), text.contains(".") { kinds[.email, default: 0] += 1 }
    }

    static func isMobile(_ cell: UnsafeBufferPointer<UInt8>) -> Bool {
        cell.count == 11 && cell[0] == 0x31 && cell[1] >= 0x33 && cell.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }
}
