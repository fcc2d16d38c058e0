import Basics
import Foundation

/// When a photo was taken: `DateTimeOriginal` of its EXIF (JEITA CP-3451, tag 0x9003), in a JPEG file.
enum PhotoTime {
    /// EXIF stands before the picture, in the first segments.
    private static let longest = 256 << 10

    /// Microseconds; nil where the file does not say it. A time without an offset is China's.
    static func taken(path: String) -> Int64? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        guard let data = try? file.read(upToCount: longest) else { return nil }
        return taken(Array(data))
    }

    static func taken(_ bytes: [UInt8]) -> Int64? {
        guard let tiff = exif(bytes), let reader = TIFF(tiff) else { return nil }
        guard let pointer = reader.entry(0x8769, at: reader.first)?.number,
            let original = reader.entry(0x9003, at: pointer)?.text
        else { return nil }
        return moment(original, offset: reader.entry(0x9011, at: pointer)?.text)
    }

    /// `2026:09:18 10:10:00`, with an offset as `+08:00` where there is one.
    static func moment(_ text: String, offset: String? = nil) -> Int64? {
        let parts = text.prefix(19).split(separator: " ")
        guard parts.count == 2, parts[0].utf8.count == 10, parts[1].utf8.count == 8 else { return nil }
        let zone = offset.flatMap { $0.utf8.count == 6 && "+-".contains($0.prefix(1)) ? $0 : nil } ?? "+08:00"
        let written = "\(parts[0].replacing(":", with: "-"))T\(parts[1])\(zone)"
        return Array(written.utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }
    }

    /// The TIFF structure in a JPEG's segment APP1.
    private static func exif(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
        guard bytes.starts(with: [0xFF, 0xD8]) else { return nil }
        var at = 2
        while at + 4 <= bytes.count, bytes[at] == 0xFF, bytes[at + 1] != 0xDA {
            let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
            let end = at + 2 + length
            guard length >= 2, end <= bytes.count else { return nil }
            let body = bytes[(at + 4)..<end]
            if bytes[at + 1] == 0xE1, body.starts(with: Array("Exif\0\0".utf8)) { return body.dropFirst(6) }
            at = end
        }
        return nil
    }

    /// Directories of TIFF 6.0.
    private struct TIFF {
        struct Entry {
            var number: Int
            var text: String
        }

        let bytes: [UInt8]
        let isLittle: Bool

        init?(_ slice: ArraySlice<UInt8>) {
            bytes = Array(slice)
            isLittle = bytes.first == 0x49
            guard bytes.count > 8, bytes.starts(with: isLittle ? [0x49, 0x49] : [0x4D, 0x4D]), short(2) == 42 else {
                return nil
            }
        }

        var first: Int { long(4) ?? 0 }

        private func short(_ at: Int) -> Int? {
            guard at >= 0, at + 2 <= bytes.count else { return nil }
            let (a, b) = (Int(bytes[at]), Int(bytes[at + 1]))
            return isLittle ? a | b << 8 : a << 8 | b
        }

        private func long(_ at: Int) -> Int? {
            guard let a = short(at), let b = short(at + 2) else { return nil }
            return isLittle ? a | b << 16 : a << 16 | b
        }

        /// An entry of a directory by its tag.
        func entry(_ tag: Int, at directory: Int) -> Entry? {
            guard let count = short(directory) else { return nil }
            for index in 0..<min(count, 200) {
                let at = directory + 2 + 12 * index
                guard let found = short(at), let length = long(at + 4), let value = long(at + 8) else { return nil }
                guard found == tag else { continue }
                let start = length <= 4 ? at + 8 : value
                let end = start + min(length, 64)
                guard start >= 0, start <= end, end <= bytes.count else { return Entry(number: value, text: "") }
                let text = String(decoding: bytes[start..<end].prefix { $0 != 0 }, as: UTF8.self)
                return Entry(number: value, text: text)
            }
            return nil
        }
    }
}
