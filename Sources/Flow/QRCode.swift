import CQREncode

/// A QR code as a picture for pages and papers.
public enum QRCode {
    /// SVG of a text, a module being one unit; nil for a text that no code of this strength holds (more than 2,331 bytes).
    public static func svg(_ text: String, label: String) -> String? {
        guard let code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M) else { return nil }
        defer { QRcode_free(code) }
        let width = Int(code.pointee.width)
        guard let data = code.pointee.data else { return nil }
        var path = ""
        for row in 0..<width {
            var column = 0
            while column < width {
                guard data[row * width + column] & 1 == 1 else {
                    column += 1
                    continue
                }
                let start = column
                while column < width, data[row * width + column] & 1 == 1 { column += 1 }
                // Four modules of quiet on each side (ISO/IEC 18004).
                path += "M\(start + 4) \(row + 4)h\(column - start)v1h-\(column - start)z"
            }
        }
        let side = width + 8
        return
            "<svg class=\"qr\" viewBox=\"0 0 \(side) \(side)\" width=\"120\" height=\"120\" role=\"img\" aria-label=\"\(label)\"><path d=\"M0 0h\(side)v\(side)h-\(side)z\" fill=\"#fff\"/><path d=\"\(path)\"/></svg>"
    }
}
