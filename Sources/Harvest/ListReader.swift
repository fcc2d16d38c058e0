public import Basics
import Glibc
import Tabular

/// Reads a list of datasets with one row for each: CSV and its kin in any encoding that `TabularFile` reads, gzipped or zipped, or a workbook.
///
/// The whole list is one page; more than ``HarvestLimits/entries`` follow by ``HarvestNext/rest(_:)``. Old `.xls` workbooks, which another
/// program would have to convert, are refused: what strangers send does not start programs.
public struct ListReader: HarvestReader {
    let settings: HarvestSettings

    public init(_ settings: HarvestSettings = HarvestSettings()) { self.settings = settings }

    public func read(page: [UInt8], at place: HarvestNext? = nil) throws(Problem) -> HarvestPage {
        try read(try list(page), at: place)
    }

    /// Reads a list from a file on disk.
    public func read(path: String, at place: HarvestNext? = nil) throws(Problem) -> HarvestPage {
        try read(try list(path: path), at: place)
    }

    /// The columns of a list and the mapping that they suggest, for people to look at.
    ///
    /// - Throws: `harvest.format`, and what `TabularFile` throws.
    public func columns(page: [UInt8]) throws(Problem) -> (header: [String], proposed: ColumnMapping) {
        let header = try list(page).header
        return (header, ColumnMapping.proposed(for: header))
    }

    /// A list read into memory: its header and its rows.
    private struct Rows {
        var header: [String]
        var rows: [[String]]
    }

    private func read(_ list: Rows, at place: HarvestNext?) throws(Problem) -> HarvestPage {
        let mapping = settings.columns ?? ColumnMapping.proposed(for: list.header)
        var columns: [ColumnMapping.Field: Int] = [:]
        for (field, name) in mapping.columns {
            guard let column = list.header.firstIndex(of: name) else {
                throw HarvestProblems.columns(
                    "没有“\(Plain.line(name) ?? "")”列",
                    "there is no column “\(Plain.line(name) ?? "")”",
                    header: list.header
                )
            }
            columns[field] = column
        }
        guard columns[.title] != nil else {
            throw HarvestProblems.columns("没有名称列", "no column holds the title", header: list.header)
        }
        var collector = PageCollector(settings)
        for index in collector.part(of: list.rows.count, at: place) {
            collector.take(index) { ListReader.draft(list.rows[index], columns) }
        }
        return collector.end(total: list.rows.count)
    }

    // MARK: Files

    private func list(_ page: [UInt8]) throws(Problem) -> Rows {
        try PageText.checkSize(page)
        guard !page.starts(with: [0xD0, 0xCF, 0x11, 0xE0]) else {
            throw HarvestProblems.format(.csv, found: .init("旧版 Excel 工作簿(.xls)", "an old Excel workbook (.xls)"))
        }
        guard let first = page.first(where: { $0 > 0x20 }) else {
            throw HarvestProblems.format(.csv, found: .init("空内容", "nothing"))
        }
        let head = String(decoding: page.prefix(200), as: UTF8.self).lowercased()
        if first == 0x3C, head.contains("<?xml") || head.contains("<rdf") {
            throw HarvestProblems.format(.csv, found: .init("XML", "XML"))
        }
        // `TabularFile` reads files: this one has no name and goes with its descriptor.
        var name = Array("/tmp/tongqu-harvest-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else { throw ListReader.noRoom }
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        defer { close(file) }
        unlink(name)
        var written = 0
        while written < page.count {
            let count = page.withUnsafeBytes { write(file, $0.baseAddress.map { $0 + written }, $0.count - written) }
            guard count > 0 else { throw ListReader.noRoom }
            written += count
        }
        return try list(path: "/proc/self/fd/\(file)")
    }

    private static let noRoom = Problem(
        "store.disk",
        status: 507,
        zh: "磁盘空间不足，无法读取清单。",
        en: "There is no room to read the list."
    )

    private func list(path: String) throws(Problem) -> Rows {
        do {
            let limits = SourceLimits(maximumBytes: Int64(HarvestLimits.pageBytes), maximumCellBytes: 1 << 17)
            let file = try TabularFile(path: path, options: ReadOptions(limits: limits))
            let table = try file.table()
            guard table.format != .json else { throw HarvestProblems.format(.csv, found: .init("JSON", "JSON")) }
            let reader = try file.reader(table)
            var rows: [[String]] = []
            while let batch = try reader.next() {
                for row in 0..<batch.rows { rows.append(batch.texts(row)) }
                guard rows.count <= HarvestLimits.names else {
                    throw HarvestProblems.tooLarge("行数过多", "it has too many rows")
                }
            }
            return Rows(header: reader.header, rows: rows)
        } catch let problem as Problem {
            throw problem
        } catch {
            throw HarvestProblems.format(.csv, found: .init("无法读取的文件", "a file that cannot be read"))
        }
    }

    // MARK: Rows

    private static func draft(_ row: [String], _ columns: [ColumnMapping.Field: Int]) -> EntryDraft {
        func cell(_ field: ColumnMapping.Field) -> String? {
            guard let column = columns[field], column < row.count else { return nil }
            let text = TextForms.trimmed(row[column])
            return text.isEmpty || ["-", "--", "无", "無", "null", "NULL", "N/A"].contains(text) ? nil : text
        }
        var draft = EntryDraft()
        draft.identifier = cell(.identifier)
        draft.title = cell(.title)
        draft.summary = cell(.summary)
        draft.keywords = words(cell(.keywords))
        draft.publisher = cell(.publisher)
        draft.contact = cell(.contact)
        draft.issued = cell(.issued)
        draft.modified = cell(.modified)
        draft.frequency = cell(.frequency)
        draft.licence = cell(.licence)
        draft.licenceLink = cell(.licenceLink)
        draft.themes = words(cell(.themes))
        draft.landingPage = cell(.landingPage)
        draft.spatial = cell(.spatial)
        let links = links(cell(.links))
        let formats = words(cell(.formats))
        let names = parts(cell(.resourceNames), ";；|\n")
        draft.resources = links.enumerated().map { index, link in
            EntryDraft.Resource(
                name: names.count == links.count ? names[index] : nil,
                link: link,
                format: formats.count == links.count ? formats[index] : formats.count == 1 ? formats[0] : nil
            )
        }
        return draft
    }

    private static func parts(_ text: String?, _ separators: String) -> [String] {
        guard let text else { return [] }
        return text.split { separators.contains($0) || $0 == "\r\n" }.map { TextForms.trimmed(String($0)) }
            .filter { !$0.isEmpty }
    }

    private static func words(_ text: String?) -> [String] { parts(text, ";；,，、|/\n") }

    /// The links of a cell. Commas and semicolons may stand in a link: they part two only before the next `http`.
    private static func links(_ text: String?) -> [String] {
        var found: [String] = []
        for part in parts(text, ";；,，| \n\t") {
            if found.isEmpty || Link.scheme(part).map({ ["http", "https", "ftp"].contains($0) }) == true {
                found.append(part)
            } else if let text, let last = found.popLast() {
                found.append(joined(last, part, in: text))
            }
        }
        return found
    }

    /// Two parts with what stood between them, where they follow each other in a text.
    private static func joined(_ first: String, _ second: String, in text: String) -> String {
        for separator in [";", ",", "|", " ", "；", "，"] where text.contains(first + separator + second) {
            return first + separator + second
        }
        return first
    }
}
