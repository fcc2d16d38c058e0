/// Marks Chinese texts within a page of another language with `lang="zh-CN"`, so that what reads aloud changes its voice (WCAG 2.2, 3.1.2).
enum ForeignText {
    /// Markup with its Chinese texts marked: on the element that holds nothing else, or by a span around them.
    static func marked(_ markup: HTML) -> HTML {
        let source = Array(markup.text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(source.count + source.count / 8)
        var at = 0
        var openTag: Range<Int>?
        while at < source.count {
            if source[at] == 0x3C {
                let end = tagEnd(source, at)
                let isOpening = at + 1 < source.count && source[at + 1] != 0x2F && source[at + 1] != 0x21
                openTag = isOpening ? out.count..<(out.count + end - at) : nil
                out.append(contentsOf: source[at..<end])
                at = end
                continue
            }
            let end = source[at...].firstIndex(of: 0x3C) ?? source.count
            mark(source[at..<end], openTag, isAlone: end + 1 < source.count && source[end + 1] == 0x2F, &out)
            openTag = nil
            at = end
        }
        var marked = HTML.empty
        marked.text = String(decoding: out, as: UTF8.self)
        return marked
    }

    /// Behind a tag's closing bracket; brackets within quotes are not it.
    private static func tagEnd(_ source: [UInt8], _ start: Int) -> Int {
        var at = start
        var isQuoted = false
        while at < source.count {
            if source[at] == 0x22 { isQuoted.toggle() }
            at += 1
            if source[at - 1] == 0x3E, !isQuoted { break }
        }
        return at
    }

    private static func mark(_ text: ArraySlice<UInt8>, _ openTag: Range<Int>?, isAlone: Bool, _ out: inout [UInt8]) {
        guard let first = text.indices.first(where: { isChinese(text, $0) }),
            let last = text.indices.last(where: { isChinese(text, $0) })
        else {
            out.append(contentsOf: text)
            return
        }
        let isWhole =
            text[..<first].allSatisfy { $0 <= 0x20 } && text[(last + 3)...].allSatisfy { $0 <= 0x20 }
        // An option or a text area takes no elements; what is alone in its element needs none.
        if let openTag, isAlone, isWhole || isPlain(out[openTag]) {
            out.insert(contentsOf: Array(" lang=\"zh-CN\"".utf8), at: openTag.upperBound - 1)
            out.append(contentsOf: text)
            return
        }
        out.append(contentsOf: text[..<first])
        out.append(contentsOf: "<span lang=\"zh-CN\">".utf8)
        out.append(contentsOf: text[first..<(last + 3)])
        out.append(contentsOf: "</span>".utf8)
        out.append(contentsOf: text[(last + 3)...])
    }

    /// Whether a Chinese character begins here: U+3000 to U+9FFF and full-width forms, three bytes each.
    private static func isChinese(_ text: ArraySlice<UInt8>, _ at: Int) -> Bool {
        guard at + 2 < text.endIndex else { return false }
        return (0xE4...0xE9).contains(text[at]) || text[at] == 0xE3 && text[at + 1] >= 0x90
            || text[at] == 0xEF && (0xBC...0xBD).contains(text[at + 1])
    }

    private static func isPlain(_ tag: ArraySlice<UInt8>) -> Bool {
        ["<option", "<textarea", "<title", "<script", "<style"].contains { tag.starts(with: $0.utf8) }
    }
}
