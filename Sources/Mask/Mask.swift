public import Basics
public import Codes
public import Tabular

/// How a value is made less telling before it leaves. One form for single values and batches, and one in SQL that means the same.
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

    static let compoundSurnames = [
        "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛", "尉迟", "公羊", "赫连", "澹台",
        "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容", "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "令狐",
    ]

    /// The same, their six bytes as a number each.
    private static let compoundSurnameBytes = Set(
        compoundSurnames.map { name in name.utf8.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    )

    /// A text masked. Its characters are Unicode scalars, as databases count them.
    public func apply(_ text: String) -> String {
        var (text, out) = (text, [UInt8]())
        text.withUTF8 { append($0, to: &out) }
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends a text masked; nothing where nothing remains of a text.
    private func append(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
        let kept: (prefix: Int, suffix: Int)
        let count = Mask.scalars(text)
        switch self {
        case .keep(let prefix, let suffix): kept = count > prefix + suffix ? (prefix, suffix) : (0, 0)
        case .personName:
            guard count > 1 else {
                kept = (0, 0)
                break
            }
            let isCompound =
                count > 2 && text.count >= 6
                && Mask.compoundSurnameBytes.contains(text.prefix(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
            kept = (isCompound ? 2 : 1, 0)
        case .suppress, .roundPosition, .generaliseTime: return
        }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: text[..<Mask.offset(text, of: kept.prefix)]))
        for _ in 0..<(count - kept.prefix - kept.suffix) { out.append(0x2A) }
        guard kept.suffix > 0 else { return }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: text[Mask.offset(text, of: count - kept.suffix)...]))
    }

    private static func scalars(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var count = 0
        for byte in text where byte & 0xC0 != 0x80 { count += 1 }
        return count
    }

    /// Where the scalar of a number begins, or the end.
    private static func offset(_ text: UnsafeBufferPointer<UInt8>, of number: Int) -> Int {
        guard number > 0 else { return 0 }
        var seen = 0
        for (place, byte) in text.enumerated() where byte & 0xC0 != 0x80 {
            if seen == number { return place }
            seen += 1
        }
        return text.count
    }

    /// A column masked. Types a mask does not know are suppressed, never let through; so are numbers no grid and no calendar can tell.
    public func apply(_ column: Column, field: Field) -> Column {
        switch (self, column.values) {
        case (.keep, .text(let texts)), (.personName, .text(let texts)):
            var masked = TextBuffer(capacity: texts.count)
            masked.bytes.reserveCapacity(texts.bytes.count)
            texts.bytes.withUnsafeBufferPointer { bytes in
                for row in 0..<texts.count {
                    if !column.isNull(row) {
                        let text = bytes[Int(texts.offsets[row])..<Int(texts.offsets[row + 1])]
                        append(UnsafeBufferPointer(rebasing: text), to: &masked.bytes)
                    }
                    masked.offsets.append(Int32(truncatingIfNeeded: masked.bytes.count))
                }
            }
            return Column(.text(masked), validity: column.validity)
        case (.roundPosition(let size), .real(let values)):
            let (rounded, validity) = Mask.mapped(values, column.validity, Grid(size).rounded)
            return Column(.real(rounded), validity: validity)
        case (.roundPosition(let size), .points(let x, let y)):
            let grid = Grid(size)
            let (first, known) = Mask.mapped(x, column.validity, grid.rounded)
            let (second, validity) = Mask.mapped(y, known, grid.rounded)
            return Column(.points(x: first, y: second), validity: validity)
        case (.generaliseTime(let step), .int32(let days)):
            let (starts, validity) = Mask.mapped(days, column.validity) { Mask.generalise(days: $0, step) }
            return Column(.int32(starts), validity: validity)
        case (.generaliseTime(let step), .int64(let moments)) where field.type == .timestamp:
            let (starts, validity) = Mask.mapped(moments, column.validity) { Mask.generalise(microseconds: $0, step) }
            return Column(.int64(starts), validity: validity)
        default: return Mask.nulls(column)
        }
    }

    /// Values changed one by one; those that become nothing are no longer there.
    private static func mapped<T: AdditiveArithmetic>(
        _ values: [T],
        _ known: Bitmap?,
        _ body: (T) -> T?
    ) -> ([T], Bitmap?) {
        var validity = known
        var out: [T] = []
        out.reserveCapacity(values.count)
        for (row, value) in values.enumerated() {
            if let changed = body(value) {
                out.append(changed)
            } else {
                out.append(.zero)
                if validity == nil { validity = Bitmap(repeating: true, count: values.count) }
                validity?[row] = false
            }
        }
        return (out, validity)
    }

    /// The lines that numbers are rounded to.
    struct Grid {
        /// Between two lines.
        let size: Double
        /// How many lie in one, where that is a whole number: dividing by it keeps 116.39 from becoming 116.39000000000001.
        let inverse: Double?
        /// Numbers beyond are no coordinates.
        static let limit: Int64 = 1_000_000_000

        init(_ size: Double) {
            self.size = size
            let lines = (1 / size).rounded()
            inverse = lines >= 1 && abs(lines * size - 1) < 1e-9 ? lines : nil
        }

        func rounded(_ value: Double) -> Double? {
            guard abs(value) < Double(Grid.limit) else { return nil }
            let line =
                inverse.map { (value * $0 + 0.5).rounded(.down) / $0 } ?? (value / size + 0.5).rounded(.down) * size
            // What was rounded once is not suppressed when it is rounded again.
            return abs(line) < Double(Grid.limit) ? line : nil
        }
    }

    /// The days of the years 0000 to 9999, and their moments in China.
    static let days: ClosedRange<Int32> = -719_528...2_932_896
    static let moments =
        CivilTime.chinaMidnight(day: days.lowerBound)...CivilTime.chinaMidnight(day: days.upperBound + 1) - 1

    static func generalise(days: Int32, _ step: TimeStep) -> Int32? {
        guard Mask.days.contains(days) else { return nil }
        let civil = CivilTime.civil(days: days)
        switch step {
        case .quarterHour: return days
        case .month: return CivilTime.days(year: civil.year, month: civil.month, day: 1)
        case .year: return CivilTime.days(year: civil.year, month: 1, day: 1)
        }
    }

    static func generalise(microseconds: Int64, _ step: TimeStep) -> Int64? {
        guard moments.contains(microseconds) else { return nil }
        if step == .quarterHour { return microseconds - ((microseconds % quarter) + quarter) % quarter }
        return generalise(days: CivilTime.chinaDay(microseconds: microseconds), step).map {
            CivilTime.chinaMidnight(day: $0)
        }
    }

    /// The microseconds of a quarter of an hour.
    static let quarter: Int64 = 900_000_000

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
            let lengths = 0...1_000_000
            guard let prefix = Int(parts[1]), let suffix = Int(parts[2]), lengths.contains(prefix),
                lengths.contains(suffix)
            else { return nil }
            self = .keep(prefix: prefix, suffix: suffix)
        case ("suppress", 1): self = .suppress
        case ("round", 2):
            guard let grid = Double(parts[1]), grid >= 1e-9, grid <= 10 else { return nil }
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
