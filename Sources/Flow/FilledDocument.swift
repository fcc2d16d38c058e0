import Basics
import Seal
import Tabular

/// A document on its way onto paper.
struct FilledDocument {
    /// A line of the history or of the attachments.
    struct Line {
        var title: String
        var detail: String
        var at: String
        var by = ""
    }

    let document: ResourceDeclaration.Document
    let declared: ResourceDeclaration
    let values: [String: String]
    /// What stands beside the record: settings, ends of clocks, what was looked up.
    let beside: [String: String]
    let related: [String: [[String: String]]]
    let steps: [Line]
    let attachments: [Line]
    let documents: [Line]
    let number: String
    let code: String
    let record: String
    let issuer: String
    let organisation: String
    let day: Int32

    /// The filled template.
    func html() throws(Problem) -> String {
        var context: [String: Any] = [
            "number": number, "title": document.title.zh, "issued": Self.chinese(day), "issuer": issuer,
            "organisation": organisation, "record": record, "code": code,
            "steps": steps.map {
                ["title": $0.title, "by": $0.by, "at": $0.at, "note": $0.detail].filter { !$0.value.isEmpty }
            },
            "attachments": attachments.map { ["title": $0.title, "name": $0.detail, "digest": $0.at] },
            "documents": documents.map {
                ["title": $0.title, "number": $0.detail, "at": $0.at].filter { !$0.value.isEmpty }
            },
            "related": related.mapValues { rows in rows.map { $0.filter { !$0.value.isEmpty } } },
        ]
        if number.isEmpty { context["number"] = nil }
        for field in declared.schema.fields where context[field.name] == nil {
            let text = values[field.name] ?? ""
            guard !text.isEmpty else { continue }
            context[field.name] = DocumentValue(shown: Self.shown(text, field), raw: text)
        }
        for field in declared.beside {
            guard let text = beside[field.name], !text.isEmpty else { continue }
            let value = DocumentValue(shown: Self.shown(text, field), raw: text)
            let parts = field.name.split(separator: ".", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                if context[field.name] == nil { context[field.name] = value }
                continue
            }
            // A field of the record named so stands in front.
            guard declared.field(parts[0]) == nil else { continue }
            var group = context[parts[0]] as? [String: Any] ?? [:]
            group[parts[1]] = value
            context[parts[0]] = group
        }
        return Self.drawn(try DocumentTemplate.render(document.template, context))
    }

    /// The page with its QR codes in their places.
    private static func drawn(_ html: String) -> String {
        guard html.contains(DocumentValue.mark) else { return html }
        var pieces = html.split(separator: DocumentValue.mark, omittingEmptySubsequences: false).map(String.init)
        for index in stride(from: 1, to: pieces.count, by: 2) {
            let text = Hexadecimal.bytes(pieces[index]).map { String(decoding: $0, as: UTF8.self) } ?? ""
            pieces[index] = QRCode.svg(text, label: "二维码") ?? ""
        }
        return pieces.joined()
    }

    /// 2026年11月21日.
    static func chinese(_ day: Int32) -> String {
        let (year, month, date) = CivilTime.civil(days: day)
        return "\(year)年\(month)月\(date)日"
    }

    /// A value as a document shows it.
    static func shown(_ text: String, _ field: Field?) -> String {
        guard let field, !text.isEmpty else { return text }
        let bytes = Array(text.utf8)
        switch field.type {
        case .date:
            return bytes.withUnsafeBufferPointer { CivilTime.parseISODate($0) }.map(chinese) ?? text
        case .timestamp:
            guard let moment = bytes.withUnsafeBufferPointer({ CivilTime.parseISOTimestamp($0) }) else { return text }
            let clock = CivilTime.minute(moment).suffix(5)
            return chinese(CivilTime.chinaDay(microseconds: moment))
                + "\(clock.prefix(2))时\(clock.suffix(2))分"
        case .boolean: return text == "true" ? "是" : "否"
        case .decimal:
            // 6000.00 is 6000, as people write it.
            guard text.contains(".") else { return text }
            let short = text.reversed().drop { $0 == "0" }
            return String((short.first == "." ? short.dropFirst() : short).reversed())
        default:
            let label = field.codes.first { $0.value == text }?.label ?? ""
            return label.isEmpty ? text : ResourceDeclaration.words(label, .zh)
        }
    }
}

/// A field's value in a template: as it is shown, under `raw` as it is kept, under `qr` as a QR code.
struct DocumentValue: CustomStringConvertible, CustomReflectable {
    var shown: String
    var raw: String

    /// Stands before and after what becomes a QR code: made anew by each process, for nobody may type it.
    static let mark = "qr-\(Secrets.token(32))-"

    var description: String { shown }
    var customMirror: Mirror {
        Mirror(self, children: ["raw": raw, "qr": Self.mark + Hexadecimal.text(raw.utf8) + Self.mark])
    }
}
