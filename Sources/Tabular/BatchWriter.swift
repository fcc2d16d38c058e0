public import Basics

/// The formats that rows leave in.
public enum OutputFormat: String, Sendable, CaseIterable {
    case csv, json, jsonl, geojson, xlsx

    public var mediaType: String {
        switch self {
        case .csv: "text/csv; charset=utf-8"
        case .json: "application/json"
        case .jsonl: "application/x-ndjson"
        case .geojson: "application/geo+json"
        case .xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        }
    }

    /// A writer of the format; `name` is the sheet's where there is one, `mark` puts a byte-order mark before CSV, and without
    /// `neutralise` its cells are as they are, for programs.
    public func writer(
        _ fields: [Field],
        name: String,
        mark: Bool = false,
        neutralise: Bool = true
    ) -> any BatchWriter {
        switch self {
        case .csv: CSVBatchWriter(fields: fields, mark: mark, neutralise: neutralise)
        case .json: JSONBatchWriter(fields: fields, lines: false)
        case .jsonl: JSONBatchWriter(fields: fields, lines: true)
        case .geojson: GeoJSONBatchWriter(fields: fields)
        case .xlsx: XLSXBatchWriter(fields: fields, sheetName: name)
        }
    }
}

/// Writes batches as bytes. A writer is fed `begin`, any number of batches, `end`, and keeps nothing but its place.
public protocol BatchWriter {
    mutating func begin(into out: inout [UInt8])
    mutating func write(_ batch: Batch, into out: inout [UInt8])
    mutating func end(into out: inout [UInt8])
}

/// CSV (RFC 4180, CRLF as it demands is left out: LF). Cells that a spreadsheet would run as formulas get a `'` in front.
public struct CSVBatchWriter: BatchWriter {
    let fields: [Field]
    let mark: Bool
    let neutralise: Bool
    let delimiter: UInt8

    /// `mark`: begin with a byte order mark, which Excel needs to see UTF-8. `neutralise`: put `'` before text that begins
    /// with `=`, `+`, `-`, `@`, tab or CR.
    public init(fields: [Field], mark: Bool = false, neutralise: Bool = true, delimiter: UInt8 = 0x2C) {
        self.fields = fields
        self.delimiter = delimiter
        self.mark = mark
        self.neutralise = neutralise
    }

    public mutating func begin(into out: inout [UInt8]) {
        if mark { out.append(contentsOf: [0xEF, 0xBB, 0xBF]) }
        for (index, field) in fields.enumerated() {
            if index > 0 { out.append(delimiter) }
            Array(field.name.utf8).withUnsafeBufferPointer {
                CSVBatchWriter.appendText($0, neutralise: neutralise, delimiter: delimiter, to: &out)
            }
        }
        out.append(0x0A)
    }

    public mutating func write(_ batch: Batch, into out: inout [UInt8]) {
        for row in 0..<batch.count {
            for (index, column) in batch.columns.enumerated() {
                if index > 0 { out.append(delimiter) }
                if column.isNull(row) { continue }
                switch column.values {
                case .int64(let values):
                    let value = values[row]
                    switch batch.fields[index].type {
                    case .decimal: Numbers.appendDecimal(value, scale: batch.fields[index].scale, to: &out)
                    case .time: CivilTime.appendTime(value, to: &out)
                    case .timestamp: CivilTime.appendTimestamp(value, to: &out)
                    default: Numbers.append(value, to: &out)
                    }
                case .int32(let values): CivilTime.appendDate(values[row], to: &out)
                case .real(let values): Numbers.append(values[row], to: &out)
                case .bits(let bits): out.append(contentsOf: (bits[row] ? "true" : "false").utf8)
                case .text(let texts):
                    texts.withBytes(row) {
                        CSVBatchWriter.appendText($0, neutralise: neutralise, delimiter: delimiter, to: &out)
                    }
                case .points(let x, let y):
                    Numbers.append(x[row], to: &out)
                    out.append(0x20)
                    Numbers.append(y[row], to: &out)
                }
            }
            out.append(0x0A)
        }
    }

    public mutating func end(into out: inout [UInt8]) {}

    @inlinable
    static func appendText(
        _ text: UnsafeBufferPointer<UInt8>,
        neutralise: Bool,
        delimiter: UInt8,
        to out: inout [UInt8]
    ) {
        guard let first = text.first else { return }
        let isFormula =
            neutralise
            && (first == 0x3D || first == 0x2B || first == 0x2D || first == 0x40 || first == 0x09 || first == 0x0D)
        var quotes = isFormula || first == 0x20
        if !quotes {
            for byte in text where byte == delimiter || byte == 0x22 || byte == 0x0A || byte == 0x0D {
                quotes = true
                break
            }
        }
        guard quotes else { return out.append(contentsOf: text) }
        out.append(0x22)
        if isFormula, Numbers.parseReal(text) == nil { out.append(0x27) }
        for byte in text {
            if byte == 0x22 { out.append(0x22) }
            out.append(byte)
        }
        out.append(0x22)
    }
}

/// A JSON array of objects, or one object a line.
public struct JSONBatchWriter: BatchWriter {
    let lines: Bool
    let keys: [[UInt8]]
    var first = true

    public init(fields: [Field], lines: Bool) {
        self.lines = lines
        keys = JSONBatchWriter.keys(fields)
    }

    /// Each field's name quoted, with its colon, made once.
    public static func keys(_ fields: [Field]) -> [[UInt8]] {
        fields.map { field in
            var key: [UInt8] = []
            Array(field.name.utf8).withUnsafeBufferPointer { JSONWriter.appendString($0, to: &key) }
            key.append(0x3A)
            return key
        }
    }

    public mutating func begin(into out: inout [UInt8]) {
        if !lines { out.append(0x5B) }
    }

    public mutating func write(_ batch: Batch, into out: inout [UInt8]) {
        for row in 0..<batch.count {
            if !lines {
                if !first { out.append(0x2C) }
                out.append(0x0A)
            }
            first = false
            out.append(0x7B)
            for column in batch.columns.indices {
                if column > 0 { out.append(0x2C) }
                out.append(contentsOf: keys[column])
                JSONBatchWriter.appendValue(batch, row, column, to: &out)
            }
            out.append(0x7D)
            if lines { out.append(0x0A) }
        }
    }

    public mutating func end(into out: inout [UInt8]) {
        if !lines { out.append(contentsOf: [0x0A, 0x5D, 0x0A]) }
    }

    /// Appends one value as JSON.
    public static func appendValue(_ batch: Batch, _ row: Int, _ index: Int, to out: inout [UInt8]) {
        let column = batch.columns[index]
        if column.isNull(row) { return out.append(contentsOf: [0x6E, 0x75, 0x6C, 0x6C]) }
        switch column.values {
        case .int64(let values):
            switch batch.fields[index].type {
            case .integer: Numbers.append(values[row], to: &out)
            case .decimal: Numbers.appendDecimal(values[row], scale: batch.fields[index].scale, to: &out)
            case .time:
                out.append(0x22)
                CivilTime.appendTime(values[row], to: &out)
                out.append(0x22)
            default:
                out.append(0x22)
                CivilTime.appendTimestamp(values[row], to: &out)
                out.append(0x22)
            }
        case .int32(let values):
            out.append(0x22)
            CivilTime.appendDate(values[row], to: &out)
            out.append(0x22)
        case .real(let values): Numbers.append(values[row], to: &out)
        case .bits(let bits): out.append(contentsOf: (bits[row] ? "true" : "false").utf8)
        case .text(let texts): texts.withBytes(row) { JSONWriter.appendString($0, to: &out) }
        case .points(let x, let y):
            out.append(0x5B)
            Numbers.append(x[row], to: &out)
            out.append(0x2C)
            Numbers.append(y[row], to: &out)
            out.append(0x5D)
        }
    }
}

/// A GeoJSON FeatureCollection (RFC 7946): the position becomes the geometry, the other fields the properties.
public struct GeoJSONBatchWriter: BatchWriter {
    let keys: [[UInt8]]
    let position: (x: Int, y: Int)?
    let geometry: Int?
    var first = true

    public init(fields: [Field]) {
        keys = JSONBatchWriter.keys(fields)
        let schema = Schema(fields: fields)
        position = schema.position
        geometry = fields.firstIndex { $0.type == .geometry }
    }

    public mutating func begin(into out: inout [UInt8]) {
        out.append(contentsOf: #"{"type":"FeatureCollection","features":["#.utf8)
    }

    public mutating func write(_ batch: Batch, into out: inout [UInt8]) {
        for row in 0..<batch.count {
            if !first { out.append(0x2C) }
            first = false
            out.append(contentsOf: "\n{\"type\":\"Feature\",\"geometry\":".utf8)
            appendGeometry(batch, row, to: &out)
            out.append(contentsOf: #","properties":{"#.utf8)
            var comma = false
            for column in batch.columns.indices
            where column != geometry && !(position?.x == column && position?.y == column) {
                if comma { out.append(0x2C) }
                comma = true
                out.append(contentsOf: keys[column])
                JSONBatchWriter.appendValue(batch, row, column, to: &out)
            }
            out.append(contentsOf: "}}".utf8)
        }
    }

    func appendGeometry(_ batch: Batch, _ row: Int, to out: inout [UInt8]) {
        let null = Array("null".utf8)
        if let geometry {
            guard !batch.columns[geometry].isNull(row), case .text(let texts) = batch.columns[geometry].values else {
                return out.append(contentsOf: null)
            }
            return texts.withBytes(row) { out.append(contentsOf: $0) }
        }
        guard let position, !batch.columns[position.x].isNull(row), !batch.columns[position.y].isNull(row) else {
            return out.append(contentsOf: null)
        }
        out.append(contentsOf: #"{"type":"Point","coordinates":"#.utf8)
        if position.x == position.y {
            JSONBatchWriter.appendValue(batch, row, position.x, to: &out)
        } else {
            out.append(0x5B)
            JSONBatchWriter.appendValue(batch, row, position.x, to: &out)
            out.append(0x2C)
            JSONBatchWriter.appendValue(batch, row, position.y, to: &out)
            out.append(0x5D)
        }
        out.append(0x7D)
    }

    public mutating func end(into out: inout [UInt8]) { out.append(contentsOf: "\n]}\n".utf8) }
}
