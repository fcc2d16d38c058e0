public import Basics

/// What a spreadsheet program does to identifiers: long numbers become floating point, leading zeros vanish.
public enum SpreadsheetDamage: Sendable, Hashable {
    /// `1.20E+17`: the digits are gone.
    case exponent
    /// More than 15 digits ending in zeros: those after the fifteenth are gone.
    case roundedTo15Digits
    /// One digit short of the usual length and no leading zero.
    case lostLeadingZero

    /// Looks at a cell that should hold an identifier of digits.
    public static func diagnose(_ text: UnsafeBufferPointer<UInt8>, expectedLength: Int? = nil) -> SpreadsheetDamage? {
        guard text.count >= 4 else { return nil }
        var digits = 0
        var exponent = false
        for (index, byte) in text.enumerated() {
            switch byte {
            case 0x30...0x39: digits += 1
            case 0x2E where index == 1: continue
            case 0x45, 0x65:
                guard index > 0, index + 2 < text.count, text[index + 1] == 0x2B else { return nil }
                exponent = true
            case 0x2B where exponent: continue
            default: return nil
            }
        }
        if exponent { return .exponent }
        if digits == text.count, digits > 15, text[(15)...].allSatisfy({ $0 == 0x30 }) { return .roundedTo15Digits }
        if let expectedLength, digits == text.count, digits == expectedLength - 1 { return .lostLeadingZero }
        return nil
    }

    /// What happened and how to get the data back.
    public var explanation: LocalizedText {
        switch self {
        case .exponent:
            .init(
                "编号被电子表格写成科学计数法,原有数字已丢失;请把该列设为文本后重新导出",
                "a spreadsheet wrote the number in scientific notation and lost digits; set the column to text and export again"
            )
        case .roundedTo15Digits:
            .init(
                "编号超过 15 位,电子表格把后面的数字变成了 0;请把该列设为文本后重新导出",
                "the number has more than 15 digits and a spreadsheet zeroed the rest; set the column to text and export again"
            )
        case .lostLeadingZero:
            .init("编号少一位,可能丢失了开头的 0", "the number is one digit short: a leading zero was probably lost")
        }
    }
}
