#if canImport(Glibc)
import Glibc
#endif

/// Numbers read from and written to bytes, without the cost of strings.
public enum Numbers {
    /// Powers of ten that a `Double` holds exactly.
    @usableFromInline
    static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
    /// 10^0 … 10^18 as integers.
    public static let powersOfTen: [Int64] = (0...18).map { exponent in
        (0..<exponent).reduce(Int64(1)) { product, _ in product * 10 }
    }

    /// Reads an optional sign and decimal digits; nil for anything else and for what 64 bits do not hold.
    @inlinable
    public static func parseInteger(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var index = 0
        let count = text.count
        guard count > 0, count <= 20 else { return nil }
        let negative = text[0] == 0x2D
        if negative || text[0] == 0x2B { index = 1 }
        guard index < count else { return nil }
        var value: Int64 = 0
        if count - index <= 18 {
            while index < count {
                let digit = text[index] &- 0x30
                guard digit < 10 else { return nil }
                value = value &* 10 &+ Int64(digit)
                index += 1
            }
            return negative ? -value : value
        }
        while index < count {
            let digit = text[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, overAgain) =
                negative
                ? product.subtractingReportingOverflow(Int64(digit)) : product.addingReportingOverflow(Int64(digit))
            guard !over, !overAgain else { return nil }
            value = sum
            index += 1
        }
        return value
    }

    /// Reads a decimal number (`-12.5`, `3e8`); never `nan`, `inf` or hexadecimal.
    @inlinable
    public static func parseReal(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        var index = 0
        let count = text.count
        guard count > 0 else { return nil }
        let negative = text[0] == 0x2D
        if negative || text[0] == 0x2B { index = 1 }
        var mantissa: UInt64 = 0
        var digits = 0
        var fraction = 0
        var point = false
        while index < count {
            let byte = text[index]
            let digit = byte &- 0x30
            if digit < 10 {
                mantissa = mantissa &* 10 &+ UInt64(digit)
                digits += 1
                if point { fraction += 1 }
            } else if byte == 0x2E, !point {
                point = true
            } else {
                break
            }
            index += 1
        }
        guard digits > 0 else { return nil }
        if index == count, digits <= 15, fraction <= 22 {
            let value = Double(mantissa) / exactPowers[fraction]
            return negative ? -value : value
        }
        return parseRealSlowly(text)
    }

    @usableFromInline
    static func parseRealSlowly(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        guard text.count < 400 else { return nil }
        for byte in text {
            switch byte {
            case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x65, 0x45: continue
            default: return nil
            }
        }
        return Double(String(decoding: text, as: UTF8.self)).flatMap { $0.isFinite ? $0 : nil }
    }

    /// Reads a decimal number as an integer of 10^-scale; nil where it has more digits than the scale or 18 in all.
    @inlinable
    public static func parseDecimal(_ text: UnsafeBufferPointer<UInt8>, scale: Int) -> Int64? {
        var index = 0
        let count = text.count
        guard count > 0 else { return nil }
        let negative = text[0] == 0x2D
        if negative || text[0] == 0x2B { index = 1 }
        var value: Int64 = 0
        var fraction = 0
        var digits = 0
        var point = false
        while index < count {
            let byte = text[index]
            let digit = byte &- 0x30
            if digit < 10 {
                digits += 1
                if point {
                    fraction += 1
                    if fraction > scale {
                        guard digit == 0 else { return nil }
                        index += 1
                        continue
                    }
                }
                let (product, over) = value.multipliedReportingOverflow(by: 10)
                guard !over, product <= Int64.max - 9 else { return nil }
                value = product + Int64(digit)
            } else if byte == 0x2E, !point {
                point = true
            } else {
                return nil
            }
            index += 1
        }
        guard digits > 0 else { return nil }
        let missing = scale - min(fraction, scale)
        guard missing <= 18 else { return nil }
        let (scaled, over) = value.multipliedReportingOverflow(by: powersOfTen[missing])
        return over ? nil : negative ? -scaled : scaled
    }

    /// Appends an integer.
    @inlinable
    public static func append(_ value: Int64, to out: inout [UInt8]) {
        if value < 0 { out.append(0x2D) }
        appendMagnitude(value.magnitude, minimumDigits: 1, to: &out)
    }

    /// Appends a number of 10^-scale with its point: 12345 at scale 2 is `123.45`.
    @inlinable
    public static func appendDecimal(_ value: Int64, scale: Int, to out: inout [UInt8]) {
        guard scale > 0 else { return append(value, to: &out) }
        if value < 0 { out.append(0x2D) }
        let power = UInt64(powersOfTen[min(scale, 18)])
        appendMagnitude(value.magnitude / power, minimumDigits: 1, to: &out)
        out.append(0x2E)
        appendMagnitude(value.magnitude % power, minimumDigits: scale, to: &out)
    }

    @inlinable
    static func appendMagnitude(_ value: UInt64, minimumDigits: Int, to out: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            var rest = value
            var at = 24
            repeat {
                at -= 1
                buffer[at] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
                rest /= 10
            } while rest > 0
            while 24 - at < minimumDigits, at > 0 {
                at -= 1
                buffer[at] = 0x30
            }
            out.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[at...]))
        }
    }

    /// Appends the shortest decimal text that reads back as the same number; whole numbers without `.0`.
    ///
    /// Numbers of at most six decimals, nearly all of those met, take a path without any string.
    @inlinable
    public static func append(_ value: Double, to out: inout [UInt8]) {
        let scaled = value * 1_000_000
        if scaled.magnitude < 9e14 {
            let rounded = scaled.rounded()
            if rounded / 1_000_000 == value {
                appendSixDecimals(Int64(rounded), to: &out)
                return
            }
        }
        appendSlowly(value, to: &out)
    }

    @inlinable
    static func appendSixDecimals(_ micros: Int64, to out: inout [UInt8]) {
        if micros < 0 { out.append(0x2D) }
        let magnitude = micros.magnitude
        appendMagnitude(magnitude / 1_000_000, minimumDigits: 1, to: &out)
        var fraction = magnitude % 1_000_000
        guard fraction > 0 else { return }
        var width = 6
        while fraction % 10 == 0 {
            fraction /= 10
            width -= 1
        }
        out.append(0x2E)
        appendMagnitude(fraction, minimumDigits: width, to: &out)
    }

    @usableFromInline
    static func appendSlowly(_ value: Double, to out: inout [UInt8]) {
        guard value.isFinite else { return out.append(contentsOf: "null".utf8) }
        var text = value.description
        if text.hasSuffix(".0") { text.removeLast(2) }
        out.append(contentsOf: text.utf8)
    }
}
