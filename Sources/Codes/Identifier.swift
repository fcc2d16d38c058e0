public import Basics

/// The identifiers of Chinese administration and transport: normalise, validate, explain, take apart.
///
/// Rules and sources: GB 32100-2015, GB 11714, GB 11643-1999, GB/T 2260, ISO 6346, the IMO numbering scheme, ITU MMSI,
/// GB 16735, GA 36 (from common practice; its text was not seen), and the road administration's certificate numbers.
public enum Identifier {
    /// A named piece of an identifier.
    public struct Part: Sendable, Hashable {
        public var name: LocalizedText
        public var value: String

        init(_ zh: String, _ en: String, _ value: some StringProtocol) {
            name = LocalizedText(zh, en)
            self.value = String(value)
        }
    }

    /// What an identifier says once it was read.
    public struct Reading: Sendable, Hashable {
        /// Half-width, upper case, without spaces, `·` and `-`.
        public var normalised: String
        /// Why it is not valid; nil where it is.
        public var fault: LocalizedText?
        /// Valid, but worth a look: a rule that holds for domestic ones only, a retired code.
        public var warning: LocalizedText?
        public var parts: [Part] = []

        public var isValid: Bool { fault == nil }

        init(_ normalised: String, fault: LocalizedText? = nil, warning: LocalizedText? = nil, parts: [Part] = []) {
            self.normalised = normalised
            self.fault = fault
            self.warning = warning
            self.parts = parts
        }

        static func fault(_ normalised: String, _ zh: String, _ en: String) -> Reading {
            Reading(normalised, fault: LocalizedText(zh, en))
        }
    }

    /// Half-width, upper case, without spaces, `·`, `•` and `-`.
    public static func normalise(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in TextForms.halfWidth(text).uppercased().unicodeScalars {
            if TextForms.isSpace(scalar) || scalar == "·" || scalar == "•" || scalar == "-" || scalar == "・" {
                continue
            }
            out.append(scalar)
        }
        return String(out)
    }

    /// Reads an identifier; nil for a kind that has no rules.
    public static func read(_ kind: SemanticKind, _ text: String) -> Reading? {
        let value = normalise(text)
        switch kind {
        case .creditCode: return creditCode(value)
        case .organisationCode: return organisationCode(value)
        case .residentID: return residentID(value)
        case .divisionCode: return divisionCode(value)
        case .container: return container(value)
        case .imoNumber: return imoNumber(value)
        case .mmsi: return mmsi(value)
        case .vin: return vin(value)
        case .plate: return plate(value)
        case .transportCertificate: return transportCertificate(value)
        case .qualificationCertificate: return qualificationCertificate(value)
        case .routeNumber: return routeNumber(value)
        case .stake: return stake(value)
        case .unNumber: return unNumber(value)
        default: return nil
        }
    }

    /// The name of an identifier; nil for a kind that is none.
    public static func title(_ kind: SemanticKind) -> LocalizedText? {
        switch kind {
        case .creditCode: .init("统一社会信用代码", "unified social credit code")
        case .organisationCode: .init("组织机构代码", "organisation code")
        case .residentID: .init("公民身份号码", "resident id number")
        case .divisionCode: .init("行政区划代码", "administrative division code")
        case .container: .init("集装箱号", "container number")
        case .imoNumber: .init("IMO 船舶识别号", "IMO ship number")
        case .mmsi: .init("水上移动业务标识码", "MMSI")
        case .vin: .init("车辆识别代号", "vehicle identification number")
        case .plate: .init("机动车号牌", "licence plate")
        case .transportCertificate: .init("道路运输证号", "road transport certificate number")
        case .qualificationCertificate: .init("从业资格证号", "qualification certificate number")
        case .routeNumber: .init("公路路线编号", "route number")
        case .stake: .init("桩号", "stake")
        case .unNumber: .init("联合国编号", "UN number")
        default: nil
        }
    }

    static func isDigits(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    static func digitValues(_ text: some StringProtocol) -> [Int] { text.utf8.map { Int($0) - 0x30 } }

    static func wrongLength(_ value: String, _ expected: String) -> Reading {
        .fault(
            value,
            "应为 \(expected) 位,实为 \(value.count) 位",
            "it should have \(expected) characters, it has \(value.count)"
        )
    }

    static func wrongCheck(_ value: String, is found: Character, not expected: Character) -> Reading {
        .fault(
            value,
            "校验码应为 \(expected),实为 \(found)",
            "the check digit should be \(expected), it is \(found)"
        )
    }
}
