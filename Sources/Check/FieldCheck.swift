import Basics
import Codes
import Geo
import Tabular

/// The cells of one column of a raw batch.
struct CellColumn {
    let bytes: UnsafePointer<UInt8>?
    let cells: UnsafeBufferPointer<RawBatch.Cell>
    let stride: Int
    /// The column in the source; nil where the source lacks it.
    let offset: Int?
    let count: Int
    let numbers: [Int64]
    /// Whether U+0000 stands anywhere in the batch.
    let hasNull: Bool

    @inline(__always)
    func cell(_ row: Int, _ offset: Int) -> UnsafeBufferPointer<UInt8> {
        let cell = cells[row &* stride &+ offset]
        return UnsafeBufferPointer(start: bytes.map { $0 + Int(cell.start) }, count: Int(cell.end &- cell.start))
    }
}

/// Everything one field demands, compiled.
final class FieldCheck {
    let field: Field
    let index: Int
    let pattern: Pattern?
    let codes: CodeTable?
    let requiredRule, typeRule, uniqueRule, minimumRule, maximumRule, lengthRule, patternRule, codesRule: Int
    let identifierRule, identifierWarningRule, spreadsheetRule, normalisedRule, characterRule, indexRule: Int
    /// The bytes that fit a text into an index, on every engine: PostgreSQL's hold 2,704 a row.
    let mostBytes: Int
    let checksIdentifier: Bool
    let checksDamage: Bool

    /// Kinds whose rules are sure enough to refuse a row; the others warn.
    static let strictKinds: Set<SemanticKind> = [
        .creditCode, .organisationCode, .residentID, .divisionCode, .container, .imoNumber, .mmsi, .unNumber,
    ]

    /// `keyFields`: how many fields share the key's index with this one; 0 where it is no part of the key.
    init(_ field: Field, _ index: Int, keyFields: Int, _ rules: inout RuleBuilder) throws(Problem) {
        self.field = field
        self.index = index
        pattern = if let text = field.pattern { try Pattern(text) } else { nil }
        codes = field.codes.isEmpty ? nil : CodeTable(field.codes.map(\.value))
        let name = field.name
        let title = field.display
        func rule(
            _ id: String,
            _ dimension: QualityDimension,
            _ zh: String,
            _ en: String,
            severity: Severity = .error,
            hint: LocalizedText? = nil
        ) -> Int { rules.add(id, name, severity, dimension, .init("“\(title)”" + zh, "“\(name)” " + en), hint) }
        let type = field.type.title
        let lowest = FieldCheck.limit(field.minimum, field)
        let highest = FieldCheck.limit(field.maximum, field)
        requiredRule = rule("required", .completeness, "不能为空", "must have a value")
        typeRule = rule("type", .normativity, "应为\(type.zh)", "should be of type \(type.en)")
        uniqueRule = rule(
            "unique",
            .consistency,
            "重复",
            "occurs again",
            hint: .init("保留一行，或改正此值", "keep one of the rows, or correct the value")
        )
        minimumRule = rule("minimum", .accuracy, "小于下限 \(lowest)", "is below \(lowest)")
        maximumRule = rule("maximum", .accuracy, "大于上限 \(highest)", "is above \(highest)")
        lengthRule = rule("length", .normativity, "的长度不合要求", "has a length that is not allowed")
        patternRule = rule("pattern", .normativity, "不符合规定的格式", "does not have the required form")
        let allowed = field.codes.prefix(12).map(\.value)
        codesRule = rule(
            "codes",
            .normativity,
            "不在代码表中",
            "is not in its code list",
            hint: allowed.isEmpty
                ? nil
                : .init(
                    "可用：\(allowed.joined(separator: "、"))",
                    "allowed: \(allowed.joined(separator: ", "))"
                )
        )
        let isStrict = field.kind.map { FieldCheck.strictKinds.contains($0) } ?? false
        identifierRule = rule(
            "identifier",
            .accuracy,
            "无效",
            "is not valid",
            severity: isStrict ? .error : .warning
        )
        identifierWarningRule = rule(
            "identifier",
            .accuracy,
            "需要核对",
            "needs a look",
            severity: .warning
        )
        spreadsheetRule = rule(
            "spreadsheet",
            .accuracy,
            "被电子表格改坏",
            "was damaged by a spreadsheet program"
        )
        normalisedRule = rule(
            "normalised",
            .normativity,
            "已按规范写法读取",
            "was read and written in the standard form",
            severity: .information
        )
        mostBytes = keyFields > 0 ? 2600 / keyFields : field.indexed || field.unique ? 2600 : .max
        characterRule = rule(
            "character",
            .normativity,
            "含有空字符(U+0000)",
            "holds the character U+0000",
            hint: .init("删除该字符", "remove the character")
        )
        indexRule = rule(
            "index_length",
            .normativity,
            "过长，不能作为主键或常用查询字段(最多 \(mostBytes) 字节)",
            "is too long for a key or a field often asked for (\(mostBytes) bytes at the most)",
            hint: .init("缩短此值，或取消该信息项的主键、常用查询标记", "shorten the value, or take the item out of the key and the indexes")
        )
        checksIdentifier = field.kind?.isIdentifier ?? false
        checksDamage = field.type == .text && (checksIdentifier || field.unique)
    }

    static func limit(_ value: Double?, _ field: Field) -> String {
        guard let value else { return "" }
        switch field.type {
        case .date: return CivilTime.date(Int32(value))
        case .timestamp: return CivilTime.timestamp(Int64(value))
        default: return Value.real(value).text
        }
    }

    /// Checks a column and, where asked, builds it.
    func run(
        _ source: CellColumn,
        keep: Bool,
        missing: [String],
        seen: inout SeenKeys?,
        filled: inout Int,
        hit: (Int, Int) -> Void
    ) -> Column {
        guard let offset = source.offset else {
            if field.required { for row in 0..<source.count { hit(row, requiredRule) } }
            var builder = ColumnBuilder(field)
            if keep { for _ in 0..<source.count { builder.appendNull() } }
            return builder.finish()
        }
        let markers = missing.filter { !$0.isEmpty }.map { Array($0.utf8) }
        switch field.type {
        case .text, .geometry, .file:
            return texts(source, offset, keep, markers, &seen, &filled, hit)
        case .real:
            return numbers(
                source,
                offset,
                keep,
                markers,
                &seen,
                &filled,
                hit,
                initial: 0.0,
                wrap: { .real($0) },
                real: { $0 },
                bits: { Int64(bitPattern: $0.bitPattern) }
            ) {
                Numbers.parseReal($0)
            } lenient: { value in
                if case .real(let number) = value { number } else { nil }
            }
        case .integer:
            return numbers(
                source,
                offset,
                keep,
                markers,
                &seen,
                &filled,
                hit,
                initial: 0,
                wrap: { .int64($0) },
                real: { Double($0) },
                bits: { $0 }
            ) {
                Numbers.parseInteger($0)
            } lenient: { value in
                if case .integer(let number) = value { number } else { nil }
            }
        case .decimal:
            let scale = field.scale
            let power = Double(Numbers.powersOfTen[scale])
            return numbers(
                source,
                offset,
                keep,
                markers,
                &seen,
                &filled,
                hit,
                initial: 0,
                wrap: { .int64($0) },
                real: { Double($0) / power },
                bits: { $0 }
            ) {
                Numbers.parseDecimal($0, scale: scale)
            } lenient: { value in
                if case .decimal(let number, _) = value { number } else { nil }
            }
        case .date:
            return numbers(
                source,
                offset,
                keep,
                markers,
                &seen,
                &filled,
                hit,
                initial: 0,
                wrap: { .int32($0) },
                real: { Double($0) },
                bits: { Int64($0) }
            ) {
                CivilTime.parseISODate($0)
            } lenient: { value in
                if case .date(let days) = value { days } else { nil }
            }
        case .timestamp:
            return numbers(
                source,
                offset,
                keep,
                markers,
                &seen,
                &filled,
                hit,
                initial: 0,
                wrap: { .int64($0) },
                real: { Double($0) },
                bits: { $0 }
            ) {
                CivilTime.parseISOTimestamp($0)
            } lenient: { value in
                if case .timestamp(let moment) = value { moment } else { nil }
            }
        case .time:
            return numbers(
                source,
                offset,
                keep,
                markers,
                &seen,
                &filled,
                hit,
                initial: 0,
                wrap: { .int64($0) },
                real: { Double($0) },
                bits: { $0 }
            ) {
                CivilTime.parseTime($0)
            } lenient: { value in
                if case .time(let time) = value { time } else { nil }
            }
        case .boolean: return booleans(source, offset, keep, markers, &filled, hit)
        case .point: return points(source, offset, keep, markers, &filled, hit)
        }
    }

    @inline(__always)
    func isMissing(_ cell: UnsafeBufferPointer<UInt8>, _ markers: [[UInt8]]) -> Bool {
        if cell.count == 0 { return true }
        if markers.isEmpty { return false }
        return markers.contains { $0.count == cell.count && $0.elementsEqual(cell) }
    }

    // MARK: Numbers, dates, times

    @inline(__always)
    func numbers<Number>(
        _ source: CellColumn,
        _ offset: Int,
        _ keep: Bool,
        _ markers: [[UInt8]],
        _ seen: inout SeenKeys?,
        _ filled: inout Int,
        _ hit: (Int, Int) -> Void,
        initial: Number,
        wrap: ([Number]) -> ColumnValues,
        real: (Number) -> Double,
        bits: (Number) -> Int64,
        parse: (UnsafeBufferPointer<UInt8>) -> Number?,
        lenient: (Value) -> Number?
    ) -> Column {
        var values: [Number] = keep ? Array(repeating: initial, count: source.count) : []
        var validity: Bitmap?
        let minimum = field.minimum ?? -.infinity
        let maximum = field.maximum ?? .infinity
        let limited = field.minimum != nil || field.maximum != nil
        let required = field.required
        for row in 0..<source.count {
            let cell = source.cell(row, offset)
            var value: Number?
            if isMissing(cell, markers) {
                if required { hit(row, requiredRule) }
            } else {
                value = parse(cell)
                if value == nil { value = recover(cell, row, hit, lenient) }
            }
            guard let value else {
                if keep {
                    if validity == nil { validity = Bitmap(repeating: true, count: source.count) }
                    validity?[row] = false
                }
                continue
            }
            filled += 1
            if keep { values[row] = value }
            if limited {
                let number = real(value)
                if number < minimum { hit(row, minimumRule) }
                if number > maximum { hit(row, maximumRule) }
            }
            if let codes, !codes.contains(FieldCheck.trimmed(cell)) { hit(row, codesRule) }
            if let pattern, let base = cell.baseAddress, !pattern.matches(base, cell.count) { hit(row, patternRule) }
            if seen != nil {
                let key = Hash128(bits(value))
                if seen?.insert(key, row: source.numbers[row]) != nil { hit(row, uniqueRule) }
            }
        }
        return Column(wrap(values), validity: validity)
    }

    /// The second look at a cell that is not in the standard form.
    func recover<Number>(
        _ cell: UnsafeBufferPointer<UInt8>,
        _ row: Int,
        _ hit: (Int, Int) -> Void,
        _ lenient: (Value) -> Number?
    ) -> Number? {
        let isBlank = cell.allSatisfy { $0 == 0x20 || $0 == 0x09 }
        if isBlank {
            if field.required { hit(row, requiredRule) }
            return nil
        }
        let padded = cell.first.map { $0 <= 0x20 } == true || cell.last.map { $0 <= 0x20 } == true
        let isFullWidth = cell.contains(0xEF)
        if field.lenient || padded || isFullWidth, let found = LenientValue.read(cell, field),
            let value = lenient(found)
        {
            hit(row, normalisedRule)
            return value
        }
        hit(row, typeRule)
        return nil
    }

    // MARK: Texts

    func texts(
        _ source: CellColumn,
        _ offset: Int,
        _ keep: Bool,
        _ markers: [[UInt8]],
        _ seen: inout SeenKeys?,
        _ filled: inout Int,
        _ hit: (Int, Int) -> Void
    ) -> Column {
        var texts = TextBuffer(capacity: keep ? source.count : 0)
        var validity: Bitmap?
        let isPlain =
            !checksIdentifier && !checksDamage && pattern == nil && codes == nil && field.minimumLength == nil
            && field.maximumLength == nil
        for row in 0..<source.count {
            var cell = source.cell(row, offset)
            let isPadded = FieldCheck.isPadded(cell)
            if isPadded { cell = FieldCheck.trimmed(cell) }
            if isMissing(cell, markers) {
                if field.required { hit(row, requiredRule) }
                if keep {
                    if validity == nil { validity = Bitmap(repeating: true, count: source.count) }
                    validity?[row] = false
                    texts.append(UnsafeBufferPointer(start: nil, count: 0))
                }
                continue
            }
            filled += 1
            if cell.count > mostBytes { hit(row, indexRule) }
            if source.hasNull, cell.contains(0) { hit(row, characterRule) }
            // Identifiers are kept, and compared, in their normal form; the file as it came remains with the load.
            let normal = isPlain ? nil : check(cell, row, hit)
            if field.type == .geometry {
                // As it is read, without members that mean nothing here: engines read them their own ways.
                if let shape = Geometry(geoJSON: cell) {
                    if keep { texts.append(shape.json.text) }
                } else {
                    hit(row, typeRule)
                    if keep { texts.append(cell) }
                }
                continue
            }
            if isPadded || normal != nil { hit(row, normalisedRule) }
            if seen != nil, seen?.insert(normal.map { Hash128($0) } ?? Hash128(cell), row: source.numbers[row]) != nil {
                hit(row, uniqueRule)
            }
            if keep {
                if let normal { texts.append(normal) } else { texts.append(cell) }
            }
        }
        return Column(.text(texts), validity: validity)
    }

    /// Whether a text begins or ends with a space: ASCII's, a no-break or an ideographic one, a byte-order mark.
    @inline(__always)
    static func isPadded(_ cell: UnsafeBufferPointer<UInt8>) -> Bool {
        guard cell.count > 0 else { return false }
        let last = cell[cell.count - 1]
        return cell[0] <= 0x20 || last <= 0x20 || spaceLength(cell, at: 0) > 0
            || last >= 0x80 && spaceLength(before: cell.count, in: cell) > 0
    }

    private static let wideSpaces: [[UInt8]] = [[0xE3, 0x80, 0x80], [0xC2, 0xA0], [0xEF, 0xBB, 0xBF]]

    private static func spaceLength(_ cell: UnsafeBufferPointer<UInt8>, at start: Int) -> Int {
        let first = cell[start]
        guard first == 0xE3 || first == 0xC2 || first == 0xEF else { return 0 }
        return wideSpaces.first {
            cell.count - start >= $0.count && cell[start..<(start + $0.count)].elementsEqual($0)
        }?
        .count ?? 0
    }

    private static func spaceLength(before end: Int, in cell: UnsafeBufferPointer<UInt8>) -> Int {
        let last = cell[end - 1]
        guard last == 0x80 || last == 0xA0 || last == 0xBF else { return 0 }
        return wideSpaces.first { end >= $0.count && cell[(end - $0.count)..<end].elementsEqual($0) }?.count ?? 0
    }

    static func trimmed(_ cell: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var start = 0
        var end = cell.count
        while start < end {
            let length = cell[start] <= 0x20 ? 1 : spaceLength(cell, at: start)
            if length == 0 { break }
            start += length
        }
        while end > start {
            let length = cell[end - 1] <= 0x20 ? 1 : spaceLength(before: end, in: cell)
            if length == 0 { break }
            end -= length
        }
        return UnsafeBufferPointer(rebasing: cell[min(start, end)..<end])
    }

    /// Checks a text; its normal form where it is an identifier written otherwise.
    @inline(__always)
    func check(_ cell: UnsafeBufferPointer<UInt8>, _ row: Int, _ hit: (Int, Int) -> Void) -> String? {
        guard let base = cell.baseAddress else { return nil }
        if let pattern, !pattern.matches(base, cell.count) { hit(row, patternRule) }
        if let codes, !codes.contains(cell) { hit(row, codesRule) }
        if field.minimumLength != nil || field.maximumLength != nil {
            var length = 0
            for byte in cell where byte & 0xC0 != 0x80 { length += 1 }
            if length < field.minimumLength ?? 0 || length > field.maximumLength ?? .max { hit(row, lengthRule) }
        }
        if checksDamage, cell[0] >= 0x30, cell[0] <= 0x39, SpreadsheetDamage.diagnose(cell) != nil {
            hit(row, spreadsheetRule)
            return nil
        }
        guard checksIdentifier, let kind = field.kind else { return nil }
        let text = String(decoding: cell, as: UTF8.self)
        guard let reading = Identifier.read(kind, text) else { return nil }
        guard reading.isValid else {
            hit(row, identifierRule)
            return nil
        }
        if reading.warning != nil { hit(row, identifierWarningRule) }
        return kind == .stake || reading.normalised == text ? nil : reading.normalised
    }

    // MARK: Booleans and points

    func booleans(
        _ source: CellColumn,
        _ offset: Int,
        _ keep: Bool,
        _ markers: [[UInt8]],
        _ filled: inout Int,
        _ hit: (Int, Int) -> Void
    ) -> Column {
        var bits = Bitmap(repeating: false, count: keep ? source.count : 0)
        var validity: Bitmap?
        for row in 0..<source.count {
            let cell = source.cell(row, offset)
            var value: Bool?
            if isMissing(cell, markers) {
                if field.required { hit(row, requiredRule) }
            } else if cell.count == 4, cell[0] | 0x20 == 0x74,
                LenientValue.boolean(String(decoding: cell, as: UTF8.self)) == .boolean(true)
            {
                value = true
            } else if cell.count == 5, cell[0] | 0x20 == 0x66,
                LenientValue.boolean(String(decoding: cell, as: UTF8.self)) == .boolean(false)
            {
                value = false
            } else {
                value = recover(cell, row, hit) { if case .boolean(let bit) = $0 { bit } else { nil } }
            }
            if let value {
                filled += 1
                if keep { bits[row] = value }
            } else if keep {
                if validity == nil { validity = Bitmap(repeating: true, count: source.count) }
                validity?[row] = false
            }
        }
        return Column(.bits(bits), validity: validity)
    }

    /// `lon lat`, `lon,lat`, or a GeoJSON array.
    func points(
        _ source: CellColumn,
        _ offset: Int,
        _ keep: Bool,
        _ markers: [[UInt8]],
        _ filled: inout Int,
        _ hit: (Int, Int) -> Void
    ) -> Column {
        var builder = ColumnBuilder(field)
        for row in 0..<source.count {
            let cell = source.cell(row, offset)
            if isMissing(cell, markers) {
                if field.required { hit(row, requiredRule) }
                if keep { builder.appendNull() }
                continue
            }
            let numbers = String(decoding: cell, as: UTF8.self).split { " ,[]()".contains($0) }.compactMap {
                Double($0)
            }
            guard numbers.count == 2, numbers.allSatisfy(\.isFinite) else {
                hit(row, typeRule)
                if keep { builder.appendNull() }
                continue
            }
            filled += 1
            if numbers[0].magnitude > 180 || numbers[1].magnitude > 90 { hit(row, typeRule) }
            if keep { builder.append(.point(numbers[0], numbers[1])) }
        }
        return builder.finish()
    }
}
