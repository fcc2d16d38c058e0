import Basics
import Foundation
import Tabular

/// Writes rows in the formats of CKAN's dump.
struct CKANDump {
    private let form: String
    private let fields: [Field]
    private let elements: [String]
    private var text: CSVBatchWriter
    private var isFirst = true

    init(_ form: String, _ fields: [Field]) {
        self.form = form
        self.fields = fields
        text = CSVBatchWriter(fields: fields, delimiter: form == "tsv" ? 0x09 : 0x2C)
        var taken: Set<String> = []
        elements = fields.map { field in
            var name = CKANDump.element(field.name)
            while !taken.insert(name).inserted { name += "_" }
            return name
        }
    }

    mutating func begin(into out: inout [UInt8]) {
        switch form {
        case "json":
            let fields = JSONValue.array(fields.map(CKANDatastore.description)).text
            out.append(contentsOf: "{\"fields\":\(fields),\"records\":[".utf8)
        case "xml":
            out.append(contentsOf: "<data xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n".utf8)
        default: text.begin(into: &out)
        }
    }

    mutating func write(_ batch: Batch, into out: inout [UInt8]) {
        guard form == "json" || form == "xml" else { return text.write(batch, into: &out) }
        for row in 0..<batch.count {
            if form == "json" {
                if !isFirst { out.append(0x2C) }
                isFirst = false
                out.append(0x0A)
                CKANDatastore.row(batch, row, to: &out)
            } else {
                append(batch, row, to: &out)
            }
        }
    }

    func end(into out: inout [UInt8]) {
        if form == "json" { out.append(contentsOf: "\n]}\n".utf8) }
        if form == "xml" { out.append(contentsOf: "</data>\n".utf8) }
    }

    private func append(_ batch: Batch, _ row: Int, to out: inout [UInt8]) {
        let number = fields.firstIndex { $0.name == "_id" }
        out.append(contentsOf: (number.map { "<row _id=\"\(batch.value(row, $0).text)\">" } ?? "<row>").utf8)
        for column in fields.indices where column != number {
            let name = elements[column]
            if batch.columns[column].isNull(row) {
                out.append(contentsOf: "<\(name) xsi:nil=\"true\"/>".utf8)
            } else {
                out.append(contentsOf: "<\(name)>\(CKANDump.escaped(batch.value(row, column).text))</\(name)>".utf8)
            }
        }
        out.append(contentsOf: "</row>\n".utf8)
    }

    /// Characters that XML 1.0 has no way to write are left out.
    private static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\r": out += "&#13;"
            case "\t", "\n": out.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": break
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    private static func element(_ name: String) -> String {
        var out = ""
        for scalar in name.unicodeScalars {
            let isPart =
                scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "_.-".unicodeScalars.contains(scalar)
            out.unicodeScalars.append(isPart ? scalar : "_")
        }
        let startsWell = out.unicodeScalars.first.map { $0.properties.isAlphabetic || $0 == "_" } ?? false
        return startsWell ? out : "_" + out
    }

    /// A name for a file, of an address somebody else may have written.
    static func safe(_ text: String) -> String {
        String(
            text.unicodeScalars.map {
                $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "-")
                    ? Character($0) : "_"
            }
        )
    }
}
