import Basics

/// Cuts a JSON text into the elements of its first array of objects, or into its lines, without holding it whole.
final class JSONElements {
    let source: any ByteSource
    let limit: Int
    var buffer: [UInt8] = []
    var at = 0
    var ended = false
    var inside = false
    /// Each line is an object of its own: a broken one costs only itself.
    var inLines = false
    private(set) var line: Int64 = 1
    /// `features` and the like: the array is found by the first `[` whose element is an object.
    init(_ source: any ByteSource, limit: Int) {
        self.source = source
        self.limit = limit
    }

    func more() throws -> Bool {
        guard !ended else { return false }
        if at > 1 << 16 {
            buffer.removeFirst(at)
            at = 0
        }
        let start = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: 1 << 16))
        let got = try buffer.withUnsafeMutableBytes {
            try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
        }
        buffer.removeLast(buffer.count - start - got)
        ended = got == 0
        return got > 0
    }

    func byte() throws -> UInt8? {
        while at >= buffer.count { if try !more() { return nil } }
        return buffer[at]
    }

    /// The bytes of the next object; nil at the end.
    func next() throws -> [UInt8]? {
        if inLines { return try nextLine() }
        while let byte = try byte() {
            if byte == 0x7B {
                if inside { return try object() }
                // The outermost object: look for an array of objects in it; lines of objects come here too.
                if try isLines() {
                    inLines = true
                    return try nextLine()
                }
                at += 1
                inside = try seekArray()
                if !inside { return nil }
                continue
            }
            if byte == 0x5B, !inside {
                inside = true
                at += 1
                continue
            }
            if byte == 0x5D, inside {
                isClosed = true
                return nil
            }
            if byte == 0x22 || byte == 0x5B || (byte >= 0x30 && byte <= 0x39) || byte == 0x2D || byte == 0x74
                || byte == 0x66
                || byte == 0x6E
            {
                return try scalar()
            }
            at += 1
        }
        if inside, !isClosed { throw JSONElements.cut() }
        return nil
    }

    private var isClosed = false

    static func cut() -> Problem {
        Problem(
            "json.cut",
            zh: "JSON 文件不完整：数组没有结束。",
            en: "The JSON file is cut short: its array does not end.",
            hint: .init("请重新导出或重新传输。", "Export or transfer it again.")
        )
    }

    /// The next line that is not empty.
    func nextLine() throws -> [UInt8]? {
        while true {
            while !buffer[at...].contains(0x0A), buffer.count - at <= limit, try more() {}
            guard at < buffer.count else { return nil }
            let end = buffer[at...].firstIndex(of: 0x0A) ?? buffer.count
            let text = Array(buffer[at..<end])
            at = min(end + 1, buffer.count)
            line += 1
            if text.contains(where: { $0 > 0x20 }) { return text }
        }
    }

    /// An element that is no object: taken up to the next comma or line end.
    func scalar() throws -> [UInt8] {
        var out: [UInt8] = []
        var quoted = false
        while let byte = try byte() {
            if byte == 0x22 { quoted.toggle() }
            if !quoted, byte == 0x2C || byte == 0x0A || byte == 0x5D { break }
            if out.count < 1024 { out.append(byte) }
            at += 1
        }
        return out
    }

    /// In JSON Lines the first line is one whole object that is no container of rows.
    func isLines() throws -> Bool {
        while !buffer[at...].contains(0x0A), buffer.count - at < limit, try more() {}
        let end = buffer[at...].firstIndex(of: 0x0A) ?? buffer.count
        let first = buffer[at..<end]
        return (try? JSONValue(first)) != nil && !JSONElements.hasRows(first)
    }

    /// Whether an object holds an array of objects, and so is a container rather than a row.
    static func hasRows(_ bytes: ArraySlice<UInt8>) -> Bool {
        (try? JSONValue(bytes)).map { hasRows($0, depth: 0) } ?? false
    }

    private static func hasRows(_ value: JSONValue, depth: Int) -> Bool {
        guard let members = value.members, members.count <= 12, depth < 4 else { return false }
        return members.contains { $0.value.array?.first?.members != nil || hasRows($0.value, depth: depth + 1) }
    }

    /// Moves behind the first `[` that is followed by `{`.
    func seekArray() throws -> Bool {
        var quoted = false
        while let byte = try byte() {
            at += 1
            if byte == 0x5C, quoted {
                at += 1
                continue
            }
            if byte == 0x22 { quoted.toggle() }
            guard byte == 0x5B, !quoted else { continue }
            while let next = try self.byte(), next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { at += 1 }
            if try self.byte() == 0x7B { return true }
        }
        return false
    }

    func object() throws -> [UInt8] {
        while true {
            if let close = JSONElements.end(of: buffer, from: at) {
                defer { at = close }
                return Array(buffer[at..<close])
            }
            guard buffer.count - at <= limit else {
                throw Problem(
                    "file.row_too_large",
                    status: 413,
                    zh: "JSON 中有一行超过 \(limit >> 20) MB。",
                    en: "A JSON row is larger than \(limit >> 20) MB."
                )
            }
            if try !more() { throw Problem("json.malformed", zh: "JSON 内容不完整。", en: "The JSON ends too early.") }
        }
    }

    /// The position behind the object that starts at a position; nil where it does not end in the bytes.
    static func end(of bytes: [UInt8], from start: Int) -> Int? {
        var depth = 0
        var quoted = false
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case 0x5C where quoted: index += 1
            case 0x22: quoted.toggle()
            case 0x7B, 0x5B: if !quoted { depth += 1 }
            case 0x7D, 0x5D:
                if !quoted {
                    depth -= 1
                    if depth == 0 { return index + 1 }
                }
            default: break
            }
            index += 1
        }
        return nil
    }
}

/// Reads rows that are JSON objects: an array of them, JSON Lines, or the features of GeoJSON.
final class JSONRowsReader: RowReader {
    let elements: JSONElements
    let header: [String]
    let positions: [String: Int]
    let rowsPerBatch: Int
    var line: Int64 = 0

    init(_ source: any ByteSource, header: [String], limits: SourceLimits, rowsPerBatch: Int = 1024) {
        elements = JSONElements(source, limit: limits.maximumCellBytes * 16)
        self.header = header
        self.rowsPerBatch = rowsPerBatch
        positions = Dictionary(uniqueKeysWithValues: header.enumerated().map { ($1, $0) })
    }

    /// The names that the first rows of a source have, in the order met.
    static func names(_ source: any ByteSource, limits: SourceLimits, rows: Int = 1000) throws -> [String] {
        let elements = JSONElements(source, limit: limits.maximumCellBytes * 16)
        var names: [String] = []
        var seen: Set<String> = []
        for _ in 0..<rows {
            guard let bytes = try elements.next() else { break }
            for (name, _) in (try? members(of: bytes)) ?? [] where seen.insert(name).inserted { names.append(name) }
        }
        return names
    }

    /// The cells of a row: properties and geometry of a feature, members of any other object.
    static func members(of bytes: [UInt8]) throws -> [(String, JSONValue)] {
        let value = try JSONValue(bytes)
        guard let members = value.members else { return [] }
        guard value["type"]?.string == "Feature" else { return members.map { ($0.name, $0.value) } }
        var cells = (value["properties"]?.members ?? []).map { ($0.name, $0.value) }
        if let id = value["id"], !cells.contains(where: { $0.0 == "id" }) { cells.insert(("id", id), at: 0) }
        if let geometry = value["geometry"], !geometry.isNull { cells.append(("geometry", geometry)) }
        return cells
    }

    func next() throws -> RawBatch? {
        var batch = RawBatch(columns: header.count)
        while batch.rows < rowsPerBatch, batch.bytes.count < 4 << 20 {
            guard let bytes = try elements.next() else { break }
            line = elements.inLines ? elements.line - 1 : line + 1
            let members: [(String, JSONValue)]
            do {
                members = try JSONRowsReader.members(of: bytes)
            } catch {
                members = []
            }
            let first = batch.cells.count
            batch.cells.append(contentsOf: repeatElement(.missing, count: header.count))
            if members.isEmpty { batch.oddities.append(.init(row: batch.rows, kind: .shape, found: 0)) }
            var unknown = 0
            for (name, value) in members {
                guard let position = positions[name] else {
                    unknown += 1
                    continue
                }
                let start = batch.bytes.count
                switch value {
                case .null: continue
                case .string(let text): batch.bytes.append(contentsOf: text.utf8)
                case .object where value["type"]?.string == "Point": JSONRowsReader.appendPoint(value, to: &batch.bytes)
                default: batch.bytes.append(contentsOf: value.text.utf8)
                }
                batch.cells[first + position] = .init(start: start, end: batch.bytes.count)
            }
            if unknown > 0 {
                batch.oddities.append(.init(row: batch.rows, kind: .tooMany, found: header.count + unknown))
            }
            batch.numbers.append(line)
            batch.rows += 1
        }
        return batch.rows > 0 ? batch : nil
    }

    /// `lon lat`.
    static func appendPoint(_ geometry: JSONValue, to out: inout [UInt8]) {
        let numbers = geometry["coordinates"]?.array?.compactMap(\.real) ?? []
        guard numbers.count >= 2 else { return }
        Numbers.append(numbers[0], to: &out)
        out.append(0x20)
        Numbers.append(numbers[1], to: &out)
    }
}
