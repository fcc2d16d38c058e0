import Basics
import Glibc

/// The encodings of the tables that arrive.
public enum TextEncoding: String, Sendable, CaseIterable, Hashable {
    case utf8 = "UTF-8"
    case utf16LittleEndian = "UTF-16LE"
    case utf16BigEndian = "UTF-16BE"
    case gb18030 = "GB18030"
    case big5 = "BIG5"
    case latin1 = "ISO-8859-1"

    /// What the first bytes of a text say: the encoding and the length of its byte order mark.
    public static func detect(_ sample: [UInt8], isWhole: Bool) -> (encoding: TextEncoding, mark: Int) {
        if sample.starts(with: [0xEF, 0xBB, 0xBF]) { return (.utf8, 3) }
        if sample.starts(with: [0xFF, 0xFE]) { return (.utf16LittleEndian, 2) }
        if sample.starts(with: [0xFE, 0xFF]) { return (.utf16BigEndian, 2) }
        if let guess = unmarkedUTF16(sample) { return (guess, 0) }
        if UTF8Text.isValid(sample, allowCutEnd: !isWhole) { return (.utf8, 0) }
        let candidates: [(TextEncoding, Double)] = [
            (.gb18030, score(sample, .gb18030)), (.big5, score(sample, .big5)), (.latin1, latinScore(sample)),
        ]
        let best = candidates.max { $0.1 < $1.1 }
        // A text that is UTF-8 but for a few bytes is damaged UTF-8, not another encoding.
        if UTF8Text.share(sample) > 0.95, (best?.1 ?? 0) < 0.99 { return (.utf8, 0) }
        return (best?.0 ?? .utf8, 0)
    }

    static func unmarkedUTF16(_ sample: [UInt8]) -> TextEncoding? {
        guard sample.count >= 8 else { return nil }
        var zeros = [0, 0]
        for (index, byte) in sample.prefix(4096).enumerated() where byte == 0 { zeros[index & 1] += 1 }
        let pairs = min(sample.count, 4096) / 2
        if zeros[1] > pairs * 2 / 5, zeros[0] < pairs / 20 { return .utf16LittleEndian }
        if zeros[0] > pairs * 2 / 5, zeros[1] < pairs / 20 { return .utf16BigEndian }
        return nil
    }

    /// The share of a sample's two-byte characters that an encoding would hold in its everyday range, 0…1.
    ///
    /// GB2312's first level (0xB0–0xD7) and Big5's frequent characters (0xA4–0xC6) make up over 95 % of ordinary text.
    static func score(_ sample: [UInt8], _ encoding: TextEncoding) -> Double {
        var good = 0.0
        var all = 0.0
        var index = 0
        while index < sample.count {
            let lead = sample[index]
            guard lead >= 0x80 else {
                index += 1
                continue
            }
            guard index + 1 < sample.count else { break }
            let trail = sample[index + 1]
            all += 1
            if encoding == .gb18030 {
                if (0x81...0xFE).contains(lead), (0x30...0x39).contains(trail) {
                    index += 4
                    continue
                }
                if (0xB0...0xD7).contains(lead), trail >= 0xA1 {
                    good += 1
                } else if (0xA1...0xA9).contains(lead) || (0xD8...0xF7).contains(lead), trail >= 0xA1 {
                    good += 0.8
                } else if (0x81...0xFE).contains(lead), trail >= 0x40, trail != 0x7F {
                    good += 0.3
                }
            } else {
                let trailFits = (0x40...0x7E).contains(trail) || (0xA1...0xFE).contains(trail)
                if (0xA4...0xC6).contains(lead), trailFits {
                    good += 1
                } else if (0xA1...0xA3).contains(lead), trailFits {
                    good += 0.8
                } else if (0xC9...0xF9).contains(lead), trailFits {
                    good += 0.5
                }
            }
            index += 2
        }
        guard all > 0 else { return 0 }
        // Of two encodings that fit equally, low trail bytes speak for Big5.
        return good / all
    }

    /// Western text has its accented letters alone between ASCII letters.
    static func latinScore(_ sample: [UInt8]) -> Double {
        var alone = 0.0
        var all = 0.0
        for (index, byte) in sample.enumerated() where byte >= 0x80 {
            all += 1
            let before = index > 0 ? sample[index - 1] : 0x20
            let after = index + 1 < sample.count ? sample[index + 1] : 0x20
            if byte >= 0xA0, before < 0x80, after < 0x80 { alone += 1 }
        }
        return all == 0 ? 0 : alone / all
    }
}

/// Checks and repairs of UTF-8.
public enum UTF8Text {
    /// Whether bytes are UTF-8; a sample may end inside a character.
    public static func isValid(_ bytes: [UInt8], allowCutEnd: Bool = false) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            let bad = firstInvalid(buffer, from: 0)
            return bad == nil || (allowCutEnd && (bad ?? 0) >= buffer.count - 3)
        }
    }

    /// The share of non-ASCII bytes that belong to valid sequences.
    static func share(_ bytes: [UInt8]) -> Double {
        bytes.withUnsafeBufferPointer { buffer in
            var bad = 0
            var at = 0
            while let next = firstInvalid(buffer, from: at) {
                bad += 1
                at = next + 1
            }
            let all = buffer.reduce(0) { $0 + ($1 >= 0x80 ? 1 : 0) }
            return all == 0 ? 1 : 1 - Double(bad) / Double(all)
        }
    }

    /// The position of the first byte that is not part of valid UTF-8; nil where all are.
    public static func firstInvalid(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let raw = UnsafeRawPointer(base)
        var at = start
        let count = bytes.count
        while at < count {
            while at + 8 <= count,
                raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            { at += 8 }
            guard at < count else { return nil }
            let byte = base[at]
            if byte < 0x80 {
                at += 1
                continue
            }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
            guard byte >= 0xC2, byte <= 0xF4, at + length <= count else { return at }
            let second = base[at + 1]
            let low: UInt8 = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80
            let high: UInt8 = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF
            guard second >= low, second <= high else { return at }
            if length > 2, base[at + 2] & 0xC0 != 0x80 { return at }
            if length > 3, base[at + 3] & 0xC0 != 0x80 { return at }
            at += length
        }
        return nil
    }
}

/// Turns another encoding into UTF-8 on the way (iconv). Characters that do not exist become `?` and are counted.
public final class TranscodingSource: ByteSource {
    let source: any ByteSource
    let handle: iconv_t
    var input = [UInt8](repeating: 0, count: 1 << 16)
    var start = 0
    var end = 0
    var ended = false
    /// What was converted and did not fit.
    private var spare: ArraySlice<UInt8> = []
    /// How many characters could not be read so far.
    public private(set) var replaced = 0

    public init(_ source: any ByteSource, from encoding: TextEncoding) throws {
        self.source = source
        guard let handle = iconv_open("UTF-8", encoding.rawValue), Int(bitPattern: handle) != -1 else {
            throw Problem(
                "file.encoding",
                zh: "不支持编码 \(encoding.rawValue)。",
                en: "The encoding \(encoding.rawValue) is not supported."
            )
        }
        self.handle = handle
    }

    deinit { iconv_close(handle) }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard buffer.count > 0 else { return 0 }
        // Into very little room not even one character may fit: then some are converted elsewhere and handed out.
        if spare.isEmpty {
            guard buffer.count < 64 else { return try convert(into: buffer) }
            var room = [UInt8](repeating: 0, count: 64)
            let got = try room.withUnsafeMutableBytes { try convert(into: $0) }
            spare = room[..<got]
        }
        let count = min(buffer.count, spare.count)
        buffer.copyBytes(from: spare.prefix(count))
        spare = spare.dropFirst(count)
        return count
    }

    private func convert(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return 0 }
        var produced = 0
        while produced == 0 {
            if !ended, end - start < 16 {
                input.withUnsafeMutableBufferPointer { bytes in
                    guard start > 0, let first = bytes.baseAddress else { return }
                    memmove(first, first + start, end - start)
                }
                end -= start
                start = 0
                let got = try input.withUnsafeMutableBytes {
                    try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[end...]))
                }
                ended = got == 0
                end += got
            }
            if start == end { return 0 }
            var outLeft = buffer.count
            let before = start
            var failed = false
            input.withUnsafeMutableBytes { bytes in
                var inPointer = bytes.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) }
                var inLeft = end - start
                var outPointer: UnsafeMutablePointer<CChar>? = base
                let status = iconv(handle, &inPointer, &inLeft, &outPointer, &outLeft)
                start = end - inLeft
                failed =
                    Int(bitPattern: UInt(bitPattern: Int(status))) == -1
                    && (errno == EILSEQ || (errno == EINVAL && ended))
            }
            produced = buffer.count - outLeft
            if failed, produced < buffer.count {
                base[produced] = 0x3F
                produced += 1
                start = min(end, start + 1)
                replaced += 1
            } else if produced == 0, before == start, ended {
                return 0
            }
        }
        return produced
    }
}
