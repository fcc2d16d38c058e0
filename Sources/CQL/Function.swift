import Codes
import Mask

/// The functions of expressions beside those of the standard's own syntax. Each means the same in memory and in SQL.
public enum Function: String, Sendable, CaseIterable {
    /// Text without its case (Unicode's folding), for comparing.
    case casei
    /// Text without its accents, for comparing.
    case accenti
    /// ASCII letters only.
    case lower
    case upper
    /// Unicode scalars of a text.
    case length
    case abs
    /// The first argument that is not null.
    case coalesce
    /// The year, month, day of a date.
    case year, month, day
    /// The date so many days after another: `add_days(day, 60)`.
    case addDays = "add_days"
    /// The days from one date to another: `days_between(from, to)`.
    case daysBetween = "days_between"
    /// The smallest and the greatest of numbers; null where one of them is.
    case least, greatest
    /// Metres between two points, along the sphere.
    case distance
    /// The point of a longitude and a latitude that are fields of their own: `place(lon, lat)`.
    case place
    /// Whether a text is well-formed as a kind: `valid('plate', plate)`.
    case valid
    /// A text masked as a kind is: `mask('plate', plate)`.
    case mask
    /// The metres of a stake: `K12+300` is 12300.
    case stake
    /// Whether a stake lies between two others, these included: `within_stake(at, 'K10+000', 'K20+500')`.
    case withinStake = "within_stake"

    /// What it takes and gives, as `/functions` lists it (OGC API - Features - Part 3).
    public var signature: (arguments: [ValueType], result: ValueType) {
        switch self {
        case .casei, .accenti, .lower, .upper: ([.text], .text)
        case .length: ([.text], .integer)
        case .abs: ([.real], .real)
        case .coalesce: ([.text, .text], .text)
        case .year, .month, .day: ([.date], .integer)
        case .addDays: ([.date, .integer], .date)
        case .daysBetween: ([.date, .date], .integer)
        case .least, .greatest: ([.real, .real], .real)
        case .distance: ([.geometry, .geometry], .real)
        case .place: ([.real, .real], .geometry)
        case .valid: ([.text, .text], .boolean)
        case .mask: ([.text, .text], .text)
        case .stake: ([.text], .real)
        case .withinStake: ([.text, .text, .text], .boolean)
        }
    }
}

/// Stakes of roads: kilometres and metres from where the road begins.
enum Stake {
    /// `K12+300`, `12+300.5`, `k0012+300`: metres; nil for anything else.
    static func metres(_ text: String) -> Double? {
        let trimmed = text.filter { !$0.isWhitespace }
        let body = trimmed.hasPrefix("K") || trimmed.hasPrefix("k") ? trimmed.dropFirst() : trimmed[...]
        let parts = body.split(separator: "+", omittingEmptySubsequences: false)
        func number(_ part: Substring) -> Double? {
            let isPlain = part.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
            return isPlain && part.utf8.first != 0x2E ? Double(part) : nil
        }
        guard (1...2).contains(parts.count), !parts[0].contains("."), let kilometres = number(parts[0]) else {
            return nil
        }
        guard parts.count == 2 else { return kilometres * 1000 }
        guard let metres = number(parts[1]), metres < 1000 else { return nil }
        return kilometres * 1000 + metres
    }
}

/// Texts reduced for comparing.
enum TextFolding {
    /// Unicode's full case folding, by way of the upper case: `Straße` and `STRASSE` are one.
    static func caseless(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
        var out = ""
        for scalar in text.unicodeScalars {
            // A dotless ı is a letter of its own.
            guard scalar.properties.changesWhenCaseFolded || scalar.properties.changesWhenUppercased, scalar != "ı"
            else {
                out.unicodeScalars.append(scalar)
                continue
            }
            for upper in scalar.properties.uppercaseMapping.unicodeScalars { out += upper.properties.lowercaseMapping }
        }
        return out
    }

    /// The text decomposed and without its marks; Japanese voicing is no accent (OGC 21-065r2).
    static func accentless(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var out = String.UnicodeScalarView()
        for scalar in Decomposition.of(text).unicodeScalars {
            let isVoicing = scalar == "\u{3099}" || scalar == "\u{309A}"
            if scalar.properties.generalCategory != .nonspacingMark || isVoicing { out.append(scalar) }
        }
        return String(out)
    }
}
