public import Basics
public import Codes
public import Tabular

/// How a value is made less telling before it leaves. One form for single values and batches alike.
///
/// The defaults follow common practice (standards of masking are not national ones); a grant or a field may name others.
public enum Mask: Sendable, Hashable {
    /// Keeps the first and last characters and hides those between behind one `*` each.
    case keep(prefix: Int, suffix: Int)
    /// Nothing remains.
    case suppress
    /// Coordinates rounded to a grid in degrees; 0.01° is about one kilometre.
    case roundPosition(grid: Double)
    /// A date becomes the first of its month or year; a timestamp the start of its quarter of an hour.
    case generaliseTime(TimeStep)
    /// Family name kept (two characters where it is a compound one), the rest hidden.
    case personName

    public enum TimeStep: String, Sendable, Hashable {
        case quarterHour = "15min"
        case month, year
    }

    /// The mask that a semantic kind gets where nobody chose another; nil for kinds that need none.
    public static func standard(for kind: SemanticKind) -> Mask? {
        switch kind {
        case .personName: .personName
        case .phone: .keep(prefix: 3, suffix: 4)
        case .residentID: .keep(prefix: 3, suffix: 4)
        case .plate: .keep(prefix: 2, suffix: 2)
        case .bankCard: .keep(prefix: 6, suffix: 4)
        case .qualificationCertificate: .keep(prefix: 6, suffix: 2)
        case .vin: .keep(prefix: 8, suffix: 4)
        case .email, .address: .suppress
        default: nil
        }
    }

    static let compoundSurnames: Set<String> = [
        "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛", "尉迟", "公羊", "赫连", "澹台",
        "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容", "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "令狐",
    ]

    /// A text masked.
    public func apply(_ text: String) -> String {
        let characters = Array(text)
        switch self {
        case .keep(let prefix, let suffix):
            guard characters.count > prefix + suffix else {
                return characters.isEmpty ? "" : String(repeating: "*", count: characters.count)
            }
            return String(characters.prefix(prefix)) + String(repeating: "*", count: characters.count - prefix - suffix)
                + String(characters.suffix(suffix))
        case .personName:
            guard characters.count > 1 else { return characters.isEmpty ? "" : "*" }
            let kept = characters.count > 2 && Mask.compoundSurnames.contains(String(characters.prefix(2))) ? 2 : 1
            return String(characters.prefix(kept)) + String(repeating: "*", count: characters.count - kept)
        case .suppress, .roundPosition, .generaliseTime: return ""
        }
    }

    /// A column masked. Types a mask does not know are suppressed, never let through.
    public func apply(_ column: Column, field: Field) -> Column {
        switch (self, column.values) {
        case (.keep, .text(let texts)), (.personName, .text(let texts)):
            var masked = TextBuffer(capacity: texts.count)
            for row in 0..<texts.count { masked.append(column.isNull(row) ? "" : apply(texts[row])) }
            return Column(.text(masked), validity: column.validity)
        case (.roundPosition(let grid), .real(let values)):
            return Column(.real(values.map { Mask.round($0, grid) }), validity: column.validity)
        case (.roundPosition(let grid), .points(let x, let y)):
            return Column(
                .points(x: x.map { Mask.round($0, grid) }, y: y.map { Mask.round($0, grid) }),
                validity: column.validity
            )
        case (.generaliseTime(let step), .int32(let days)):
            return Column(.int32(days.map { Mask.generalise(days: $0, step) }), validity: column.validity)
        case (.generaliseTime(let step), .int64(let moments)) where field.type == .timestamp:
            return Column(.int64(moments.map { Mask.generalise(microseconds: $0, step) }), validity: column.validity)
        default: return Mask.nulls(column)
        }
    }

    static func round(_ value: Double, _ grid: Double) -> Double {
        let steps = (value / grid).rounded()
        // Dividing by the inverse keeps 116.39 from becoming 116.39000000000001.
        return steps / (1 / grid).rounded()
    }

    static func generalise(days: Int32, _ step: TimeStep) -> Int32 {
        let civil = CivilTime.civil(days: days)
        switch step {
        case .quarterHour: return days
        case .month: return CivilTime.days(year: civil.year, month: civil.month, day: 1)
        case .year: return CivilTime.days(year: civil.year, month: 1, day: 1)
        }
    }

    static func generalise(microseconds: Int64, _ step: TimeStep) -> Int64 {
        let quarter: Int64 = 900_000_000
        if step == .quarterHour {
            return microseconds - ((microseconds % quarter) + quarter) % quarter
        }
        let day = generalise(days: CivilTime.chinaDay(microseconds: microseconds), step)
        return Int64(day) * CivilTime.microsecondsPerDay - CivilTime.chinaOffset
    }

    static func nulls(_ column: Column) -> Column {
        let count = column.count
        let none = Bitmap(repeating: false, count: count)
        switch column.values {
        case .int64: return Column(.int64(Array(repeating: 0, count: count)), validity: none)
        case .int32: return Column(.int32(Array(repeating: 0, count: count)), validity: none)
        case .real: return Column(.real(Array(repeating: 0, count: count)), validity: none)
        case .bits: return Column(.bits(none), validity: none)
        case .points:
            let zeros = [Double](repeating: 0, count: count)
            return Column(.points(x: zeros, y: zeros), validity: none)
        case .text:
            var texts = TextBuffer(capacity: count)
            for _ in 0..<count { texts.append("") }
            return Column(.text(texts), validity: none)
        }
    }

    // MARK: Naming

    /// `keep:3:4`, `suppress`, `round:0.01`, `time:15min`, `person_name`: how grants and entries write a mask.
    public var code: String {
        switch self {
        case .keep(let prefix, let suffix): "keep:\(prefix):\(suffix)"
        case .suppress: "suppress"
        case .roundPosition(let grid): "round:\(grid)"
        case .generaliseTime(let step): "time:\(step.rawValue)"
        case .personName: "person_name"
        }
    }

    /// Reads a mask's code; nil for anything else.
    public init?(code: String) {
        let parts = code.split(separator: ":").map(String.init)
        switch (parts.first, parts.count) {
        case ("keep", 3):
            guard let prefix = Int(parts[1]), let suffix = Int(parts[2]), prefix >= 0, suffix >= 0 else { return nil }
            self = .keep(prefix: prefix, suffix: suffix)
        case ("suppress", 1): self = .suppress
        case ("round", 2):
            guard let grid = Double(parts[1]), grid > 0, grid <= 10 else { return nil }
            self = .roundPosition(grid: grid)
        case ("time", 2):
            guard let step = TimeStep(rawValue: parts[1]) else { return nil }
            self = .generaliseTime(step)
        case ("person_name", 1): self = .personName
        default: return nil
        }
    }

    public var title: LocalizedText {
        switch self {
        case .keep(let prefix, let suffix):
            .init("保留前 \(prefix) 后 \(suffix) 位", "first \(prefix) and last \(suffix) characters kept")
        case .suppress: .init("不提供", "suppressed")
        case .roundPosition(let grid): .init("坐标取整到 \(grid)°", "coordinates rounded to \(grid)°")
        case .generaliseTime(let step): .init("时间概化(\(step.rawValue))", "time generalised (\(step.rawValue))")
        case .personName: .init("只留姓氏", "family name only")
        }
    }
}
