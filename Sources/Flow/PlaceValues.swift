import Basics
import Codes
import Tabular

/// Values that say where something is: what none can be is refused where somebody fills it in.
enum PlaceValues {
    /// Why a value is no longitude, latitude or stake; nil where it is one, where it is empty, and for fields of another kind.
    static func mistake(_ text: String, _ field: Field) -> LocalizedText? {
        guard !TextForms.isBlank(text) else { return nil }
        switch field.kind {
        case .longitude: return beyond(text, 180, .init("经度", "A longitude"))
        case .latitude: return beyond(text, 90, .init("纬度", "A latitude"))
        case .stake: return Identifier.read(.stake, TextForms.trimmed(text))?.fault
        default: return nil
        }
    }

    /// What is no number at all is told by its type.
    private static func beyond(_ text: String, _ limit: Double, _ what: LocalizedText) -> LocalizedText? {
        guard let number = Double(TextForms.halfWidth(TextForms.trimmed(text))),
            number.magnitude > limit || number.isNaN
        else { return nil }
        let most = Int(limit)
        return .init("\(what.zh)应在 -\(most) 至 \(most) 之间", "\(what.en) lies between -\(most) and \(most)")
    }

    /// - Throws: `record.invalid`, naming the fields.
    static func check(_ values: [String: String], _ declared: ResourceDeclaration) throws(Problem) {
        let wrong = declared.schema.fields.compactMap { field in
            values[field.name].flatMap { mistake($0, field) }.map { (field, $0) }
        }
        guard !wrong.isEmpty else { return }
        let chinese = wrong.map { "“\(declared.label($0.0, .zh))”：\($0.1.zh)" }.joined(separator: "；")
        let english = wrong.map { "“\(declared.label($0.0, .en))”: \($0.1.en)" }.joined(separator: "; ")
        throw Problem(
            "record.invalid",
            status: 422,
            zh: "填报内容有误：\(chinese)",
            en: "The form is not right: \(english)",
            details: Dictionary(wrong.map { ($0.0.name, "place") }, uniquingKeysWith: { first, _ in first })
        )
    }
}
