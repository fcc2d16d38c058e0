/// The forms a text takes on its way in: width, case, spaces.
public enum TextForms {
    /// Whether a text shows nothing: blanks, control and format characters.
    public static func isBlank(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isWhitespace || scalar.properties.generalCategory == .format
                || scalar.properties.generalCategory == .control
        }
    }

    /// A text without control and format characters but line ends and tabs: two that look the same are the same.
    public static func visible(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return text }
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let category = scalar.properties.generalCategory
            if category == .format || category == .control && scalar != "\n" && scalar != "\t" && scalar != "\r" {
                continue
            }
            kept.append(scalar)
        }
        return String(kept)
    }

    /// Full-width ASCII (U+FF01–FF5E) and the ideographic space as half-width; everything else unchanged.
    public static func halfWidth(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0xEF || $0 == 0xE3 }) else { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0xFF01...0xFF5E: out.append(Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar)
            case 0x3000: out.append(" ")
            default: out.append(scalar)
            }
        }
        return String(out)
    }

    /// Without spaces, tabs, line ends, no-break and ideographic spaces at both ends.
    public static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return first == scalars.startIndex && scalars.index(after: last) == scalars.endIndex
            ? text : String(scalars[first...last])
    }

    /// Whether a scalar counts as white space in a cell.
    public static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x20, 0xA0, 0x2000...0x200B, 0x3000, 0xFEFF: true
        default: false
        }
    }

    /// Whether a scalar is a Han character (unified ideographs, extension A and the supplementary planes).
    public static func isHan(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x3134F, 0x3007: true
        default: false
        }
    }

    /// A name reduced for comparison: half-width, lower case, without spaces and punctuation.
    ///
    /// Two catalogue names that agree in it are duplicates (编目指南: 不得以标点、空格区分重名).
    public static func comparable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                halfWidth(text).lowercased().unicodeScalars.filter {
                    $0.properties.isAlphabetic || isHan($0) || isDigit($0)
                }
            )
        )
    }

    /// Whether a scalar is one of the ten ASCII digits.
    public static func isDigit(_ scalar: Unicode.Scalar) -> Bool { (0x30...0x39).contains(scalar.value) }

    /// The text that full-text indexes and queries use: every Han character a word of its own, the rest lower case.
    ///
    /// A phrase query over it finds any run of Chinese characters, two-character words included, without a dictionary.
    public static func spaced(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var open = false
        for scalar in halfWidth(text).lowercased().unicodeScalars {
            if isHan(scalar) {
                if open || !out.isEmpty { out.append(" ") }
                out.append(scalar)
                open = true
            } else if scalar.properties.isAlphabetic || isDigit(scalar) {
                if open { out.append(" ") }
                out.append(scalar)
                open = false
            } else if out.last != " ", !out.isEmpty {
                out.append(" ")
                open = false
            }
        }
        return trimmed(collapsed(String(out)))
    }

    static func collapsed(_ text: String) -> String {
        text.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}
