import Basics
import Glibc

/// Reads delimited text (RFC 4180 and what people make of it), block by block.
///
/// Quoted cells may hold delimiters, quotes and line ends. Rows with too many or too few cells, bytes that are no text,
/// quotes that never close and cells over the limit are reported as oddities; the reading goes on.
final class CSVReader: RowReader {
    let source: any ByteSource
    let dialect: CSVDialect
    let layout: SheetLayout
    let limits: SourceLimits
    private(set) var header: [String]
    var leftover: [UInt8] = []
    var ended = false
    var line: Int64 = 1
    let rowsPerBatch: Int
    let blockSize: Int

    init(
        _ source: any ByteSource,
        dialect: CSVDialect,
        layout: SheetLayout,
        limits: SourceLimits = SourceLimits(),
        rowsPerBatch: Int = 2048,
        blockSize: Int = 1 << 19
    ) {
        self.source = source
        self.dialect = dialect
        self.layout = layout
        self.limits = limits
        header = layout.names
        self.rowsPerBatch = rowsPerBatch
        self.blockSize = blockSize
    }

    func next() throws -> RawBatch? {
        while true {
            if ended, leftover.isEmpty { return nil }
            var batch = RawBatch(columns: header.count)
            batch.bytes = leftover
            leftover = []
            var wanted = blockSize
            while true {
                if !ended, batch.bytes.count < wanted { try fill(&batch.bytes, upTo: wanted) }
                repairEncoding(&batch)
                let used = parse(&batch)
                if used > 0 || ended {
                    leftover = ended && batch.rows < rowsPerBatch ? [] : Array(batch.bytes[used...])
                    break
                }
                // One row fills the block: read on until the row's limit, then drop it.
                if wanted >= limits.maximumCellBytes * 4 {
                    try skipOversizedRow(&batch)
                    return batch
                }
                wanted *= 2
            }
            layout.dropFooters(&batch)
            if batch.rows > 0 || !batch.oddities.isEmpty { return batch }
        }
    }

    func fill(_ bytes: inout [UInt8], upTo size: Int) throws {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: size - start))
        var at = start
        while at < size, !ended {
            let got = try bytes.withUnsafeMutableBytes {
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[at...]))
            }
            ended = got == 0
            at += got
        }
        bytes.removeLast(size - at)
    }

    /// Replaces bytes that are not UTF-8 by `?`; the rows are found when they are parsed.
    func repairEncoding(_ batch: inout RawBatch) {
        var at = 0
        while let bad = batch.bytes.withUnsafeBufferPointer({ UTF8Text.firstInvalid($0, from: at) }) {
            if !ended, bad >= batch.bytes.count - 3 { return }
            batch.bytes[bad] = CSVReader.damaged
            at = bad + 1
        }
    }

    /// What stands for a byte that is no text until its row is known: a control character no table uses.
    static let damaged: UInt8 = 0x1A

    /// Throws away a row larger than four times the cell limit, in constant memory.
    func skipOversizedRow(_ batch: inout RawBatch) throws {
        batch.oddities.append(.init(row: 0, kind: .oversized, found: batch.bytes.count))
        batch.numbers.append(line)
        batch.rows = 1
        line += 1
        batch.cells = Array(repeating: .missing, count: header.count)
        batch.bytes = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = try chunk.withUnsafeMutableBytes { try source.read(into: $0) }
            if got == 0 {
                ended = true
                return
            }
            if let newline = chunk[..<got].firstIndex(of: 0x0A) {
                leftover = Array(chunk[(newline + 1)..<got])
                return
            }
        }
    }

    /// Takes the quotes out of a quoted cell: doubled ones become one, a closing one before more text vanishes.
    static func fold(_ bytes: UnsafeMutablePointer<UInt8>, _ start: Int, _ end: Int, _ quote: UInt8) -> Int {
        var write = start
        var read = start
        var quoted = true
        while read < end {
            if bytes[read] == quote, quoted {
                guard read + 1 < end, bytes[read + 1] == quote else {
                    quoted = false
                    read += 1
                    continue
                }
                read += 1
            }
            bytes[write] = bytes[read]
            write += 1
            read += 1
        }
        return write
    }

    /// Parses whole rows; the number of bytes used. The last, unended row is taken only at the end of the source.
    func parse(_ batch: inout RawBatch) -> Int {
        let columns = header.count
        let delimiter = dialect.delimiter
        let quote = dialect.quote
        let atEnd = ended
        var cells: [RawBatch.Cell] = []
        cells.reserveCapacity(rowsPerBatch * columns)
        var numbers: [Int64] = []
        numbers.reserveCapacity(rowsPerBatch)
        var oddities = batch.oddities
        let cellLimit = limits.maximumCellBytes
        var line = self.line
        let skip = layout.skippedLines
        var pendingFolds: [(cell: Int, end: Int)] = []
        let used = batch.bytes.withUnsafeMutableBufferPointer { buffer -> Int in
            guard let bytes = buffer.baseAddress else { return 0 }
            let count = buffer.count
            var at = 0
            var rowStart = 0
            while numbers.count < rowsPerBatch {
                rowStart = at
                if at == count { break }
                // Empty lines are no rows.
                if bytes[at] == 0x0A || (bytes[at] == 0x0D && at + 1 < count && bytes[at + 1] == 0x0A) {
                    at += bytes[at] == 0x0A ? 1 : 2
                    line += 1
                    continue
                }
                let firstCell = cells.count
                let firstLine = line
                var extra = 0
                var complete = false
                var oddQuotes = false
                var unclosed = false
                pendingFolds.removeAll(keepingCapacity: true)
                cellLoop: while true {
                    var start = at
                    var end: Int
                    if at < count, bytes[at] == quote, quote != 0 {
                        start = at + 1
                        at += 1
                        var closed = false
                        var folds = false
                        while at < count {
                            let byte = bytes[at]
                            if byte == quote {
                                if at + 1 < count, bytes[at + 1] == quote {
                                    folds = true
                                    at += 2
                                    continue
                                }
                                if at + 1 == count, !atEnd { break cellLoop }
                                closed = true
                                break
                            }
                            if byte == 0x0A { line += 1 }
                            at += 1
                        }
                        if !closed, !atEnd { break cellLoop }
                        end = at
                        if closed { at += 1 }
                        let afterQuote = at
                        while at < count, bytes[at] != delimiter, bytes[at] != 0x0A, bytes[at] != 0x0D { at += 1 }
                        if at > afterQuote { oddQuotes = true }
                        if !closed { unclosed = true }
                        if at > afterQuote { end = at }
                        if folds || at > afterQuote { pendingFolds.append((cells.count, end)) }
                    } else {
                        while at < count {
                            let byte = bytes[at]
                            if byte == delimiter || byte == 0x0A || byte == 0x0D { break }
                            at += 1
                        }
                        end = at
                    }
                    if at == count, !atEnd { break cellLoop }
                    if end - start > cellLimit {
                        end = start + cellLimit
                        while end > start, bytes[end] & 0xC0 == 0x80 { end -= 1 }
                        oddities.append(.init(row: numbers.count, kind: .oversized, found: cells.count - firstCell))
                    }
                    if cells.count - firstCell < columns {
                        cells.append(.init(start: start, end: end))
                    } else if end > start {
                        extra += 1
                    }
                    if at == count {
                        complete = true
                        break
                    }
                    if bytes[at] == delimiter {
                        at += 1
                        continue
                    }
                    if bytes[at] == 0x0D {
                        if at + 1 == count, !atEnd { break cellLoop }
                        at += at + 1 < count && bytes[at + 1] == 0x0A ? 2 : 1
                    } else {
                        at += 1
                    }
                    line += 1
                    complete = true
                    break
                }
                guard complete else {
                    // The row goes on in the next block and is parsed again from its start.
                    cells.removeLast(cells.count - firstCell)
                    oddities.removeAll { $0.row == numbers.count }
                    line = firstLine
                    at = rowStart
                    break
                }
                if firstLine <= skip {
                    cells.removeLast(cells.count - firstCell)
                    continue
                }
                for fold in pendingFolds where fold.cell < cells.count {
                    cells[fold.cell].end = UInt32(CSVReader.fold(bytes, Int(cells[fold.cell].start), fold.end, quote))
                }
                let found = cells.count - firstCell + extra
                if found < columns {
                    for _ in found..<columns { cells.append(.missing) }
                    oddities.append(.init(row: numbers.count, kind: .tooFew, found: found))
                } else if extra > 0 {
                    oddities.append(.init(row: numbers.count, kind: .tooMany, found: found))
                }
                if unclosed {
                    oddities.append(.init(row: numbers.count, kind: .unclosed, found: Int(line - firstLine)))
                }
                if oddQuotes { oddities.append(.init(row: numbers.count, kind: .quotes, found: 0)) }
                if memchr(bytes + rowStart, Int32(CSVReader.damaged), at - rowStart) != nil {
                    for index in rowStart..<at where bytes[index] == CSVReader.damaged { bytes[index] = 0x3F }
                    oddities.append(.init(row: numbers.count, kind: .encoding, found: 0))
                }
                numbers.append(firstLine)
            }
            return at
        }
        self.line = line
        batch.cells = cells
        batch.numbers = numbers
        batch.rows = numbers.count
        batch.oddities = oddities
        return used
    }
}
