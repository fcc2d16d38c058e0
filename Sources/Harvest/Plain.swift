import Basics

/// Texts of others as plain text: no HTML, entities decoded, no control characters or marks that turn the direction of writing, white space
/// in order, cut at a limit.
///
/// A `<` before a letter never comes out, however often the markup was escaped.
enum Plain {
    /// A text of one line; nil where nothing is left of it.
    static func line(
        _ raw: String,
        characters: Int = HarvestLimits.title,
        bytes: Int = HarvestLimits.titleBytes
    ) -> String? {
        let clean = cut(text(raw, keepsLines: false), characters, bytes).text
        return clean.isEmpty ? nil : clean
    }

    /// A text with line feeds between its paragraphs, and whether it was cut.
    static func paragraphs(_ raw: String) -> (text: String, isCut: Bool) {
        cut(text(raw, keepsLines: true), HarvestLimits.summary, HarvestLimits.summaryBytes)
    }

    /// The whole text.
    static func text(_ raw: String, keepsLines: Bool) -> String {
        var raw = raw
        let cleaned: [UInt8]? = raw.withUTF8 { bytes in
            isPlain(bytes) ? nil : ordered(unmarked(bytes), keepsLines: keepsLines)
        }
        return cleaned.map { String(decoding: $0, as: UTF8.self) } ?? raw
    }

    /// Cuts at a number of characters or bytes, an ellipsis being the last character.
    static func cut(_ text: String, _ characters: Int, _ bytes: Int) -> (text: String, isCut: Bool) {
        if text.utf8.count <= min(characters, bytes) { return (text, false) }
        var count = 0
        var used = 0
        // Where the text ends if it has to be cut: the ellipsis needs one character of three bytes.
        var end = 0
        for scalar in text.unicodeScalars {
            if count <= characters - 1, used <= bytes - 3 { end = used }
            count += 1
            used += UTF8.width(scalar)
            if count > characters || used > bytes {
                let kept = String(decoding: text.utf8.prefix(end), as: UTF8.self)
                return (TextForms.trimmed(kept) + "…", true)
            }
        }
        return (text, false)
    }

    /// Whether nothing is to be done: true for most titles, names and keywords.
    private static func isPlain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var afterSpace = true
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x20 || byte == 0x3C || byte == 0x26 || byte == 0x7F { return false }
            if byte == 0x20 {
                if afterSpace { return false }
                afterSpace = true
            } else {
                afterSpace = false
                if byte >= 0xC2, special(bytes, index) != nil { return false }
            }
            index += 1
        }
        return !afterSpace || bytes.isEmpty
    }

    /// What stands for a character outside ASCII that is not kept as it is.
    private enum Special {
        case dropped, space, line
    }

    /// C1 controls, byte order marks, zero-width spaces, direction marks and the spaces other than U+0020.
    private static func special(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int) -> (Special, length: Int)? {
        let second = index + 1 < bytes.count ? bytes[index + 1] : 0
        let third = index + 2 < bytes.count ? bytes[index + 2] : 0
        switch bytes[index] {
        case 0xC2 where second < 0xA0: return (second == 0x85 ? .line : .dropped, 2)
        case 0xC2 where second == 0xA0: return (.space, 2)
        case 0xE2 where second == 0x80:
            switch third {
            case 0x80...0x8A, 0xAF: return (.space, 3)
            case 0x8B, 0x8E, 0x8F, 0xAA...0xAE: return (.dropped, 3)
            case 0xA8, 0xA9: return (.line, 3)
            default: return nil
            }
        case 0xE2 where second == 0x81 && (0xA0...0xAF).contains(third): return (.dropped, 3)
        case 0xE3 where second == 0x80 && third == 0x80: return (.space, 3)
        case 0xEF where (second == 0xBB && third == 0xBF) || (second == 0xBF && third >= 0xBE): return (.dropped, 3)
        default: return nil
        }
    }

    /// White space in order: single spaces, at most one empty line, none at the ends.
    private static func ordered(_ bytes: [UInt8], keepsLines: Bool) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var lines = 0
        var spaces = false
        bytes.withUnsafeBufferPointer { bytes in
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                var step = 1
                switch byte {
                case 0x0A: lines += 1
                case 0x0D: if index + 1 == bytes.count || bytes[index + 1] != 0x0A { lines += 1 }
                case 0x09, 0x0B, 0x0C, 0x20: spaces = true
                case 0x00..<0x20, 0x7F: break
                default:
                    if byte >= 0xC2, let (kind, length) = special(bytes, index) {
                        step = length
                        if kind == .line { lines += 1 } else if kind == .space { spaces = true }
                        break
                    }
                    if !out.isEmpty {
                        if lines > 0, keepsLines {
                            out.append(contentsOf: repeatElement(0x0A, count: min(lines, 2)))
                        } else if lines > 0 || spaces {
                            out.append(0x20)
                        }
                    }
                    lines = 0
                    spaces = false
                    out.append(byte)
                    if byte == 0x3C, index + 1 < bytes.count, Markup.opens(bytes[index + 1]) { spaces = true }
                }
                index += step
            }
        }
        return out
    }

    /// Without tags and entities; twice where decoding brought markup to light, since sources escape what is escaped already.
    private static func unmarked(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var text = Array(bytes)
        for _ in 0..<2 {
            if text.contains(0x3C) { text = Markup.withoutTags(text) }
            guard text.contains(0x26) else { break }
            text = Markup.decoded(text)
        }
        return text
    }
}
