import Basics
import Codes
import Mask
import Tabular

/// Collects the rules of a check and gives each a number.
struct RuleBuilder {
    private(set) var rules: [CheckRule] = []

    mutating func add(
        _ id: String,
        _ field: String,
        _ severity: Severity,
        _ dimension: QualityDimension,
        _ message: LocalizedText,
        _ suggestion: LocalizedText?
    ) -> Int {
        rules.append(
            CheckRule(
                id: id,
                field: field,
                severity: severity,
                dimension: dimension,
                message: message,
                suggestion: suggestion
            )
        )
        return rules.count - 1
    }

    mutating func add(oddity: RawBatch.Oddity.Kind) -> Int {
        switch oddity {
        case .tooFew:
            add(
                oddity.rawValue,
                "",
                .warning,
                .normativity,
                .init("本行的列数少于表头", "the row has fewer cells than the header"),
                nil
            )
        case .tooMany:
            add(
                oddity.rawValue,
                "",
                .error,
                .normativity,
                .init("本行的列数多于表头，可能错位", "the row has more cells than the header and may be shifted"),
                .init("检查单元格中的逗号是否加了引号", "check whether cells that hold commas are quoted")
            )
        case .encoding:
            add(
                oddity.rawValue,
                "",
                .error,
                .normativity,
                .init("本行有无法识别的字符", "the row has bytes that are no text"),
                .init("请以 UTF-8 重新导出", "export it again as UTF-8")
            )
        case .quotes:
            add(oddity.rawValue, "", .warning, .normativity, .init("引号不成对", "quotes do not match"), nil)
        case .unclosed:
            add(
                oddity.rawValue,
                "",
                .error,
                .normativity,
                .init("引号没有闭合，其后各行都被并入本单元格", "a quote never closes: all lines after it were taken into the cell"),
                .init("补上引号后重新检查：其后的行尚未读取", "add the quote and check again: the lines after it were not read")
            )
        case .footer:
            add(
                oddity.rawValue,
                "",
                .information,
                .normativity,
                .init("合计或说明行，未采用", "a total or a note, left out"),
                nil
            )
        case .oversized:
            add(oddity.rawValue, "", .error, .normativity, .init("单元格超过长度上限", "a cell is longer than the limit"), nil)
        case .formula:
            add(
                oddity.rawValue,
                "",
                .warning,
                .accuracy,
                .init("公式出错或未计算的单元格，按空值处理", "a formula failed or was never computed; its cell is taken as empty"),
                .init("请在表格软件中重新计算并改正公式", "open the workbook, compute it again and mend the formula")
            )
        case .shape:
            add(oddity.rawValue, "", .error, .normativity, .init("不是 JSON 对象", "is no JSON object"), nil)
        }
    }
}

/// The words of a finding, made only for those that are shown.
enum Explanation {
    static func of(_ rule: CheckRule, text: String, field: Field?) -> (LocalizedText, LocalizedText?) {
        guard let field else { return (rule.message, rule.suggestion) }
        switch rule.id {
        case "identifier":
            if let kind = field.kind, let reading = Identifier.read(kind, text),
                let fault = reading.fault ?? reading.warning
            {
                return (.init("\(kind.title.zh):\(fault.zh)", "\(kind.title.en): \(fault.en)"), rule.suggestion)
            }
        case "type":
            let suggestion = Array(text.utf8).withUnsafeBufferPointer { LenientValue.read($0, field) }
            if let suggestion, suggestion != .null, field.kind?.isPersonal != true {
                return (rule.message, .init("改为 \(suggestion.text)", "write \(suggestion.text)"))
            }
        case "spreadsheet":
            let damage = Array(text.utf8).withUnsafeBufferPointer { SpreadsheetDamage.diagnose($0) }
            if let damage { return (damage.explanation, rule.suggestion) }
        default: break
        }
        return (rule.message, rule.suggestion)
    }

    /// A value as its owner may see it in a report: personal kinds masked, others cut at 60 characters.
    static func masked(_ text: String, _ field: Field?) -> String {
        if let kind = field?.protectedKind, let mask = Mask.standard(for: kind) { return mask.apply(text) }
        return text.count > 60 ? String(text.prefix(60)) + "…" : text
    }
}
