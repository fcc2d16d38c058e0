/// The little of HTML that texts in catalogues use. Nothing is rendered: tags vanish, and what they separate stays apart.
enum Markup {
    /// Whether a byte after `<` makes it a tag to a browser: a letter, `/`, `!` or `?`.
    static func opens(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte | 0x20) || byte == 0x2F || byte == 0x21 || byte == 0x3F
    }

    private static let blocks: Set<String> = [
        "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4",
        "h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul",
    ]
    /// Elements whose content is no text.
    private static let silent: Set<String> = [
        "script", "style", "iframe", "object", "noscript", "template", "svg", "head",
    ]

    /// Drops tags and comments; a line feed stands for the end of a block, a space for the end of a cell.
    static func withoutTags(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        let last = bytes.lastIndex(of: 0x3E) ?? -1
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            guard byte == 0x3C, at + 1 < bytes.count, opens(bytes[at + 1]), at < last else {
                out.append(byte)
                at += 1
                continue
            }
            if matches(bytes, at, "<!--") {
                at = find("-->", bytes, from: at + 4) ?? bytes.count
                continue
            }
            let name = name(bytes, at)
            let behind = at + 1 + name.utf8.count
            // An address in angle brackets, as Markdown writes it.
            if matches(bytes, behind, "://") {
                at += 1
                continue
            }
            at = end(bytes, from: at + 1, last: last)
            if silent.contains(name) { at = find("</" + name, bytes, from: at) ?? bytes.count }
            let plain = name.hasPrefix("/") ? String(name.dropFirst()) : name
            if blocks.contains(plain) { out.append(0x0A) } else if plain == "td" || plain == "th" { out.append(0x20) }
        }
        return out
    }

    /// The lower-case name after `<`, with its `/` where it closes.
    private static func name(_ bytes: [UInt8], _ at: Int) -> String {
        var name: [UInt8] = []
        for byte in bytes[(at + 1)...].prefix(12) {
            let isLetter = (0x61...0x7A).contains(byte | 0x20)
            guard isLetter || (0x30...0x39).contains(byte) || (byte == 0x2F && name.isEmpty) else { break }
            name.append(isLetter ? byte | 0x20 : byte)
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// The place behind a tag: its `>` outside quotes, or the next one where the quotes do not close nearby.
    private static func end(_ bytes: [UInt8], from start: Int, last: Int) -> Int {
        var quote: UInt8 = 0
        for at in start...min(last, start + 2000) {
            let byte = bytes[at]
            if quote != 0 {
                if byte == quote { quote = 0 }
            } else if byte == 0x22 || byte == 0x27 {
                quote = byte
            } else if byte == 0x3E {
                return at + 1
            }
        }
        return (bytes[start...].firstIndex(of: 0x3E) ?? last) + 1
    }

    private static func matches(_ bytes: [UInt8], _ at: Int, _ text: StaticString) -> Bool {
        guard at + text.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
    }

    /// The place of a lower-case ASCII text, or behind it where it ends with `>`; nil where it does not occur.
    private static func find(_ text: String, _ bytes: [UInt8], from start: Int) -> Int? {
        let wanted = Array(text.utf8)
        guard start <= bytes.count - wanted.count else { return nil }
        for at in start...(bytes.count - wanted.count) where bytes[at] == wanted[0] {
            let isHere = wanted.indices.allSatisfy { index in
                let byte = bytes[at + index]
                return (0x41...0x5A).contains(byte) ? byte | 0x20 == wanted[index] : byte == wanted[index]
            }
            if isHere { return wanted.last == 0x3E ? at + wanted.count : at }
        }
        return nil
    }

    // MARK: Entities

    /// The named entities that people write; the others stay as they stand.
    private static let entities: [String: String] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": " ", "ensp": " ", "emsp": " ",
        "thinsp": " ", "copy": "©", "reg": "®", "trade": "™", "hellip": "…", "mdash": "—", "ndash": "–",
        "lsquo": "‘", "rsquo": "’", "sbquo": "‚", "ldquo": "“", "rdquo": "”", "bdquo": "„", "laquo": "«",
        "raquo": "»", "bull": "•", "middot": "·", "times": "×", "divide": "÷", "deg": "°", "plusmn": "±",
        "euro": "€", "pound": "£", "yen": "¥", "cent": "¢", "sect": "§", "para": "¶", "sup2": "²", "sup3": "³",
        "micro": "µ", "agrave": "à", "aacute": "á", "acirc": "â", "atilde": "ã", "auml": "ä", "aring": "å",
        "aelig": "æ", "ccedil": "ç", "egrave": "è", "eacute": "é", "ecirc": "ê", "euml": "ë", "igrave": "ì",
        "iacute": "í", "icirc": "î", "iuml": "ï", "ntilde": "ñ", "ograve": "ò", "oacute": "ó", "ocirc": "ô",
        "otilde": "õ", "ouml": "ö", "oslash": "ø", "ugrave": "ù", "uacute": "ú", "ucirc": "û", "uuml": "ü",
        "szlig": "ß", "oelig": "œ", "Agrave": "À", "Aacute": "Á", "Acirc": "Â", "Auml": "Ä", "Aring": "Å",
        "Ccedil": "Ç", "Egrave": "È", "Eacute": "É", "Ecirc": "Ê", "Icirc": "Î", "Ocirc": "Ô", "Ouml": "Ö",
        "Oslash": "Ø", "Uuml": "Ü", "shy": "", "zwnj": "", "zwj": "",
    ]

    /// Decodes entities by name and by number; one that stands for no character stays as it stands.
    static func decoded(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if bytes[at] == 0x26, let end = bytes[at...].prefix(12).firstIndex(of: 0x3B),
                let text = character(String(decoding: bytes[(at + 1)..<end], as: UTF8.self))
            {
                out.append(contentsOf: text.utf8)
                at = end + 1
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return out
    }

    private static func character(_ name: String) -> String? {
        guard name.hasPrefix("#") else { return entities[name] }
        let digits = name.dropFirst()
        let isHexadecimal = digits.first == "x" || digits.first == "X"
        let code = isHexadecimal ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        return code.flatMap(Unicode.Scalar.init).map { String($0) }
    }
}
