public import Basics
import Tabular

extension IndicatorDeclaration {
    /// How it is made, in words; conditions stand in them as they are declared.
    public func words(_ declared: ResourceDeclaration, _ language: Language) -> String {
        let isChinese = language == .zh
        func label(_ name: String) -> String {
            declared.field(name).map { declared.label($0, language) } ?? name
        }
        func step(_ key: String) -> String { declared.flow?.step(key)?.title[language] ?? key }
        func clock(_ key: String?) -> String {
            guard let key else { return isChinese ? "各时限" : "the time limits" }
            let title = declared.flow?.clock(key)?.title[language] ?? key
            return "“\(title)”"
        }
        let name = declared.title(language)
        var text: String
        switch measure {
        case .count: text = isChinese ? "“\(name)”的记录数" : "number of “\(name)”"
        case .sum(let field):
            text = isChinese ? "“\(name)”的“\(label(field))”合计" : "sum of “\(label(field))” of “\(name)”"
        case .mean(let field):
            text = isChinese ? "“\(name)”的“\(label(field))”平均" : "mean of “\(label(field))” of “\(name)”"
        case .ratio:
            text =
                isChinese
                ? "“\(name)”中满足 \(numerator) 的记录数 ÷ 记录数 × 100%"
                : "of “\(name)”, those with \(numerator) ÷ all × 100%"
        case .inTime(let key):
            text =
                isChinese
                ? "\(clock(key))中按期停止的 ÷（已停止的 + 已超期的）× 100%"
                : "of \(clock(key)), those stopped in time ÷ (stopped + overdue) × 100%"
        case .overdue(let key):
            text = isChinese ? "\(clock(key))中现在已超期而没有停止的个数" : "number of \(clock(key)) that are overdue now"
        case .passed(let key):
            text =
                isChinese
                ? "“\(name)”中办过“\(step(key))”的 ÷ 记录数 × 100%"
                : "of “\(name)”, those that passed “\(step(key))” ÷ all × 100%"
        case .returned:
            text = isChinese ? "“\(name)”中曾被退回的 ÷ 记录数 × 100%" : "of “\(name)”, those once returned ÷ all × 100%"
        case .days(let first, let last):
            text =
                isChinese
                ? "首次“\(step(first))”到首次“\(step(last))”的平均日历天数"
                : "mean of calendar days from the first “\(step(first))” to the first “\(step(last))”"
        }
        if !among.isEmpty { text += isChinese ? "；只计 \(among)" : "; only records with \(among)" }
        let moment = date.isEmpty ? (isChinese ? "建立时间" : "opening") : label(date)
        text += isChinese ? "；按“\(moment)”归入各期" : "; by “\(moment)”"
        return text
    }
}
