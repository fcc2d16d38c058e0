public import Basics

/// Where the table lies in a sheet: which lines stand above it, what its columns are called, which lines below are notes.
public struct SheetLayout: Sendable, Hashable {
    /// Names of the columns, distinct.
    public var names: [String]
    /// Lines up to and including this one are title, header and unit rows; the first line is 1.
    public var skippedLines: Int64
    /// Whether the names come from the source.
    public var hasHeader: Bool
    /// Whether totals and notes under the table stay in it.
    var keepsAllRows = false
    /// Units found in a row under the header or in brackets in the names.
    public var units: [String]
    /// What was decided, for people.
    public var notes: [LocalizedText]

    /// What a caller knows about the header.
    public enum HeaderHint: Sendable, Hashable {
        case detect
        case none
        /// Every row as it is, heads, totals and notes among them, as wide as the widest: for forms with a head of their own.
        case raw
        /// The first line names the columns and every other is a row: what programs write.
        case written
        /// The line of the header, the first being 1.
        case line(Int)

        /// As people and jobs write it: a line, `none`, `raw`, `written`; anything else is found out.
        public init(text: String?) {
            switch text {
            case "none": self = .none
            case "raw": self = .raw
            case "written": self = .written
            default: self = text.flatMap { Int($0) }.map { .line($0) } ?? .detect
            }
        }

        public var text: String {
            switch self {
            case .detect: "detect"
            case .none: "none"
            case .raw: "raw"
            case .written: "written"
            case .line(let line): String(line)
            }
        }
    }

    /// A sampled row: its line and its cells.
    struct SampleRow {
        var line: Int64
        var cells: [String]
        var filled: Int { cells.reduce(0) { $0 + ($1.isEmpty ? 0 : 1) } }
    }

    static func detect(_ rows: [SampleRow], hint: HeaderHint = .detect) -> SheetLayout {
        let rows = rows.map { SampleRow(line: $0.line, cells: $0.cells.map(TextForms.trimmed)) }
        let width = usualWidth(rows)
        switch hint {
        case .none: return headerless(width)
        case .raw:
            var layout = headerless(max(40, rows.map(\.cells.count).max() ?? 1))
            layout.keepsAllRows = true
            return layout
        case .written:
            guard let names = rows.first?.cells else { return headerless(width) }
            return SheetLayout(
                names: names,
                skippedLines: rows[0].line,
                hasHeader: true,
                keepsAllRows: true,
                units: Array(repeating: "", count: names.count),
                notes: []
            )
        case .line(let line):
            guard let index = rows.firstIndex(where: { $0.line == Int64(line) }) else { return headerless(width) }
            return layout(rows, header: index, width: max(width, rows[index].cells.count))
        case .detect:
            guard let found = headerIndex(rows, width: width) else { return headerless(width) }
            let header = lowerHeader(rows, under: found) ?? found
            // A header may be wider than most rows, whose last cells are empty.
            let named = [found, header].map { (rows[$0].cells.lastIndex { !$0.isEmpty } ?? -1) + 1 }.max() ?? width
            return layout(rows, header: header, width: max(width, named))
        }
    }

    /// The width most rows reach: the widest that at least a third of the sampled rows fill to.
    static func usualWidth(_ rows: [SampleRow]) -> Int {
        let widths = rows.map { row in (row.cells.lastIndex { !$0.isEmpty } ?? -1) + 1 }.filter { $0 > 0 }.sorted(by: >)
        guard !widths.isEmpty else { return rows.map(\.cells.count).max() ?? 1 }
        let widest = widths[min(widths.count - 1, widths.count / 3)]
        // The header may be wider than rows whose last cells are empty; delimiters tell.
        let written = rows.map(\.cells.count).sorted()
        return max(widest, written.isEmpty ? 1 : written[written.count / 2])
    }

    static func headerless(_ width: Int) -> SheetLayout {
        SheetLayout(
            names: (1...max(1, width)).map { "column_\($0)" },
            skippedLines: 0,
            hasHeader: false,
            units: Array(repeating: "", count: max(1, width)),
            notes: [.init("没有表头,列名为 column_1 起", "there is no header; columns are called column_1 and so on")]
        )
    }

    // MARK: Finding the header

    /// The first row that looks like names over values.
    static func headerIndex(_ rows: [SampleRow], width: Int) -> Int? {
        for (index, row) in rows.prefix(20).enumerated() {
            let labels = row.cells.filter { !$0.isEmpty }
            guard labels.count >= max(1, (width * 3 + 4) / 5), labels.allSatisfy(isLabel) else { continue }
            let below = rows[(index + 1)...].prefix(100).filter { $0.filled * 3 >= width }
            if below.isEmpty { return rows.count == 1 || labels.count == width ? index : nil }
            if looksLikeNames(row.cells, over: below.map(\.cells), width: width) { return index }
            // A wide first row of labels that is no header means there is none.
            if labels.count * 10 >= width * 9 { return nil }
        }
        return nil
    }

    /// The second row of a header of two merged rows: labels that begin where the first row has gaps.
    static func lowerHeader(_ rows: [SampleRow], under header: Int) -> Int? {
        guard header + 2 < rows.count else { return nil }
        let upper = rows[header].cells
        let lower = rows[header + 1].cells
        let labels = lower.filter { !$0.isEmpty }
        guard !labels.isEmpty, labels.count < upper.count, labels.allSatisfy(isLabel), Set(labels).count == labels.count
        else { return nil }
        let fillsGap = lower.indices.contains { !lower[$0].isEmpty && $0 < upper.count && upper[$0].isEmpty }
        let leavesNames = upper.indices.contains { !upper[$0].isEmpty && ($0 >= lower.count || lower[$0].isEmpty) }
        let valuesFollow = rows[(header + 2)...].prefix(5).allSatisfy {
            $0.filled > labels.count || $0.filled * 2 > upper.count
        }
        return fillsGap && leavesNames && valuesFollow && !labels.allSatisfy { unitWords.contains($0.lowercased()) }
            ? header + 1 : nil
    }

    /// Short, no number, no date, no code of digits.
    static func isLabel(_ text: String) -> Bool {
        guard text.unicodeScalars.count <= 64 else { return false }
        if Shape(text) != .words { return false }
        return text.unicodeScalars.contains { $0.properties.isAlphabetic }
    }

    /// What a cell looks like.
    enum Shape {
        case empty, number, date, code, words

        init(_ text: String) {
            if text.isEmpty {
                self = .empty
                return
            }
            let number = Array(text.utf8).withUnsafeBufferPointer { Numbers.parseReal($0) != nil }
            if number {
                self = .number
            } else if CivilTime.parseWrittenDate(String(text.prefix(10))) != nil {
                self = .date
            } else if text.utf8.contains(where: { (0x30...0x39).contains($0) }),
                text.utf8.reduce(0, { $0 + ((0x30...0x39).contains($1) ? 1 : 0) }) * 2 >= text.utf8.count
            {
                self = .code
            } else {
                self = .words
            }
        }
    }

    static let commonNames = [
        "名称", "编号", "代码", "序号", "日期", "时间", "地址", "电话", "经度", "纬度", "单位", "类型", "类别", "状态", "备注",
        "数量", "金额", "姓名", "车牌", "号牌", "线路", "站", "区", "市", "省", "code", "name", "date", "time", "type",
        "lat", "lon", "address", "status", "number", "description", "title",
    ]

    static func looksLikeNames(_ cells: [String], over below: [[String]], width: Int) -> Bool {
        var typed = 0
        var repeated = 0
        var fresh = 0
        for column in 0..<min(width, cells.count) where !cells[column].isEmpty {
            let values = below.compactMap { $0.count > column && !$0[column].isEmpty ? $0[column] : nil }
            guard !values.isEmpty else { continue }
            let shaped = values.count { Shape($0) != .words }
            if shaped * 5 >= values.count * 3 { typed += 1 }
            if values.contains(cells[column]) { repeated += 1 }
            if Set(values).count * 2 < values.count { fresh += 1 }
        }
        if repeated > 0, typed == 0 { return false }
        if typed > 0 { return true }
        let identifiers = cells.filter { !$0.isEmpty }.allSatisfy { cell in
            cell.utf8.allSatisfy {
                ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 == 0x5F || $0 == 0x20 || $0 == 0x2E
                    || (0x30...0x39).contains($0)
            }
                && cell.utf8.count <= 40
        }
        let valuesDiffer = below.contains { row in
            row.contains { $0.utf8.contains { $0 >= 0x80 } || $0.utf8.count > 40 }
        }
        let common = cells.count { cell in
            let lower = cell.lowercased()
            return cell.unicodeScalars.count <= 16 && commonNames.contains { lower.contains($0) }
        }
        return common * 2 >= min(width, cells.count) || fresh * 2 > width
            || (identifiers && (valuesDiffer || common > 0))
    }

    // MARK: Naming the columns

    static func layout(_ rows: [SampleRow], header: Int, width: Int) -> SheetLayout {
        var notes: [LocalizedText] = []
        let isJoined = header > 0 && groupRow(above: rows[header - 1].cells, padded(rows[header].cells, width)) != nil
        let titles = header - (isJoined ? 1 : 0)
        if titles > 0 {
            notes.append(.init("表头之上的 \(titles) 行标题已略过", "\(titles) title rows above the header were left out"))
        }
        var last = header
        var labels = padded(rows[header].cells, width)
        if header > 0, let group = groupRow(above: rows[header - 1].cells, labels) {
            labels = zip(group, labels).map { $0.isEmpty || $0 == $1 ? $1 : $1.isEmpty ? $0 : "\($0)_\($1)" }
            notes.append(.init("合并的两行表头已并为一行", "a header of two merged rows was joined"))
        }
        var units = Array(repeating: "", count: width)
        if header + 1 < rows.count, let found = unitRow(rows[header + 1].cells, width) {
            units = found
            last = header + 1
            notes.append(.init("表头之下的单位行已读作单位", "the row of units under the header was read as units"))
        }
        return SheetLayout(
            names: distinct(labels),
            skippedLines: rows[last].line,
            hasHeader: true,
            units: units,
            notes: notes
        )
    }

    static func padded(_ cells: [String], _ width: Int) -> [String] {
        Array((cells + Array(repeating: "", count: max(0, width - cells.count))).prefix(width))
    }

    /// The upper row of a two-row header: fewer labels than columns, spread to the right over merged cells.
    static func groupRow(above: [String], _ labels: [String]) -> [String]? {
        let filled = above.count { !$0.isEmpty }
        guard filled >= 2, filled <= labels.count, above.allSatisfy({ $0.isEmpty || isLabel($0) }) else { return nil }
        var group: [String] = []
        var current = ""
        for (index, label) in padded(above, labels.count).enumerated() {
            if !label.isEmpty { current = label }
            // A label over an empty cell of the lower row is merged downwards and ends a group.
            group.append(current)
            if labels[index].isEmpty { current = "" }
        }
        return group
    }

    static let unitWords: Set<String> = [
        "吨", "千克", "公斤", "kg", "t", "米", "m", "公里", "千米", "km", "元", "万元", "亿元", "个", "辆", "人", "次", "艘", "台",
        "小时", "分钟", "秒", "天", "度", "%", "平方米", "㎡", "km/h", "人次", "标箱", "teu", "万吨", "万人", "班次", "条", "座", "-", "/",
    ]

    static func unitRow(_ cells: [String], _ width: Int) -> [String]? {
        let stripped = padded(cells, width).map { cell in
            cell.trimmingBrackets().replacingPrefix("单位:", "单位:")
        }
        let filled = stripped.filter { !$0.isEmpty }
        guard !filled.isEmpty, filled.allSatisfy({ unitWords.contains($0.lowercased()) }) else { return nil }
        return stripped.map { $0 == "-" || $0 == "/" ? "" : $0 }
    }

    static func distinct(_ labels: [String]) -> [String] {
        var seen: [String: Int] = [:]
        return labels.enumerated().map { index, label in
            let oneLine = label.split(whereSeparator: \.isNewline).joined(separator: " ")
            let name = oneLine.isEmpty ? "column_\(index + 1)" : oneLine
            let count = (seen[name.lowercased()] ?? 0) + 1
            seen[name.lowercased()] = count
            return count == 1 ? name : "\(name)_\(count)"
        }
    }

    // MARK: Lines below the table

    static let totals = ["合计", "总计", "小计", "共计", "total", "sum", "grand total"]
    static let notePrefixes = [
        "注:", "注:", "注", "备注", "说明", "资料来源", "数据来源", "来源", "填表", "制表", "审核", "填报", "*", "note", "source",
    ]

    /// Takes totals and notes out of a batch and reports them.
    func dropFooters(_ batch: inout RawBatch) {
        guard batch.columns > 1, !keepsAllRows else { return }
        var dropped: [Int] = []
        for row in 0..<batch.rows {
            let cells = batch.cells[(row * batch.columns)..<((row + 1) * batch.columns)]
            guard let first = cells.firstIndex(where: { $0.end > $0.start }) else {
                dropped.append(row)
                continue
            }
            let cell = cells[first]
            // A header may begin with the word of a total; nothing stands above the first line.
            guard batch.numbers[row] > 1, cell.end - cell.start <= 300, mayBegin(batch, cell) else { continue }
            let isAlone = cells.count(where: { $0.end > $0.start }) == 1
            if batch.columns > 2,
                isSignature(batch, cells) || (isAlone && (isNote(batch, cell) || isTotal(batch, cell)))
            {
                dropped.append(row)
            } else if first - cells.startIndex < 2, isTotal(batch, cell),
                cell.bytesAreHan(batch) || hasEmptyNeighbour(cells, first)
            {
                dropped.append(row)
            }
        }
        guard !dropped.isEmpty else { return }
        batch.remove(dropped, as: .footer)
    }

    /// The first characters of totals, notes and signatures: a glance that spares nearly every row the rest.
    static let footerBeginnings: Set<[UInt8]> = Set("合总小共注备说资数来填制审单负".map { Array(String($0).utf8) })

    func mayBegin(_ batch: RawBatch, _ cell: RawBatch.Cell) -> Bool {
        let text = batch.bytes[Int(cell.start)..<Int(cell.end)]
        guard let lead = text.first else { return false }
        if lead < 0x80 {
            return lead <= 0x20 || [0x2A, 0x74, 0x73, 0x6E, 0x67].contains(lead == 0x2A ? lead : lead | 0x20)
        }
        return lead == 0xE3 || SheetLayout.footerBeginnings.contains(Array(text.prefix(3)))
    }

    /// A total has no key: a cell next to its label is empty.
    func hasEmptyNeighbour(_ cells: ArraySlice<RawBatch.Cell>, _ first: Int) -> Bool {
        first > cells.startIndex || (first + 1 < cells.endIndex && cells[first + 1].end == cells[first + 1].start)
            || cells.count { $0.end == $0.start } * 4 >= cells.count
    }

    func isTotal(_ batch: RawBatch, _ cell: RawBatch.Cell) -> Bool {
        let text = batch.bytes[Int(cell.start)..<Int(cell.end)]
        guard text.count <= 40 else { return false }
        let plain = TextForms.comparable(String(decoding: text, as: UTF8.self))
        return SheetLayout.totals.contains(plain)
    }

    /// `制表人:张三  审核:李四`: every filled cell is a label with a colon, the first one of those under tables.
    func isSignature(_ batch: RawBatch, _ cells: ArraySlice<RawBatch.Cell>) -> Bool {
        let texts = cells.filter { $0.end > $0.start }.map {
            String(decoding: batch.bytes[Int($0.start)..<Int($0.end)], as: UTF8.self)
        }
        guard let first = texts.first,
            ["填表", "制表", "审核", "填报", "单位负责人", "负责人"].contains(where: { first.hasPrefix($0) })
        else { return false }
        return texts.allSatisfy { TextForms.halfWidth($0).contains(":") }
    }

    func isNote(_ batch: RawBatch, _ cell: RawBatch.Cell) -> Bool {
        let text = TextForms.trimmed(String(decoding: batch.bytes[Int(cell.start)..<Int(cell.end)], as: UTF8.self))
            .lowercased()
        return SheetLayout.notePrefixes.contains { text.hasPrefix($0) }
    }
}

extension RawBatch.Cell {
    /// Whether a cell begins with a Chinese character: `合计` needs no empty neighbour to be a total.
    func bytesAreHan(_ batch: RawBatch) -> Bool { batch.bytes[Int(start)] >= 0xE3 }
}

extension RawBatch {
    /// Removes rows (ascending) and reports them; rows without any cell vanish silently.
    mutating func remove(_ dropped: [Int], as kind: Oddity.Kind) {
        let gone = Set(dropped)
        var moved: [Int: Int] = [:]
        var kept = 0
        var newCells: [Cell] = []
        newCells.reserveCapacity(cells.count)
        var newNumbers: [Int64] = []
        var reported: [Oddity] = []
        for row in 0..<rows {
            let range = (row * columns)..<((row + 1) * columns)
            if gone.contains(row) {
                if cells[range].contains(where: { $0.end > $0.start }) {
                    reported.append(.init(row: -1, kind: kind, found: Int(numbers[row])))
                }
                continue
            }
            moved[row] = kept
            kept += 1
            newCells.append(contentsOf: cells[range])
            newNumbers.append(numbers[row])
        }
        oddities =
            oddities.compactMap { oddity in
                if oddity.row < 0 { return oddity }
                guard let row = moved[oddity.row] else { return nil }
                return .init(row: row, kind: oddity.kind, found: oddity.found)
            } + reported
        cells = newCells
        numbers = newNumbers
        rows = kept
    }
}

extension String {
    func trimmingBrackets() -> String {
        var text = self[...]
        while let first = text.first, "((【[".contains(first) { text.removeFirst() }
        while let last = text.last, "))】]".contains(last) { text.removeLast() }
        return String(text)
    }

    func replacingPrefix(_ prefixes: String...) -> String {
        for prefix in prefixes where hasPrefix(prefix) { return String(dropFirst(prefix.count)) }
        return self
    }
}
