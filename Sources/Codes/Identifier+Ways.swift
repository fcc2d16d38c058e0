import Basics

extension Identifier {
    /// IMO scheme: seven digits, the sum of the first six times 7…2 ends in the last.
    static func imoNumber(_ value: String) -> Reading {
        let digits = value.hasPrefix("IMO") ? String(value.dropFirst(3)) : value
        guard digits.count == 7 else { return wrongLength(digits, "7") }
        guard isDigits(digits) else { return .fault(digits, "应为 7 位数字", "it should be seven digits") }
        let values = digitValues(digits)
        let sum = (0..<6).reduce(0) { $0 + values[$1] * (7 - $1) }
        guard values[6] == sum % 10 else {
            return wrongCheck(digits, is: Character(String(values[6])), not: Character(String(sum % 10)))
        }
        return Reading(digits)
    }

    static let shipCountries: [String: LocalizedText] = [
        "412": .init("中国", "China"), "413": .init("中国", "China"), "414": .init("中国", "China"),
        "416": .init("中国台湾", "Taiwan, China"), "453": .init("中国澳门", "Macao, China"),
        "477": .init("中国香港", "Hong Kong, China"),
    ]

    /// ITU-R M.585: nine digits; the leading digits tell ships, coast stations, groups, aids, rescue devices.
    static func mmsi(_ value: String) -> Reading {
        guard value.count == 9 else { return wrongLength(value, "9") }
        guard isDigits(value) else { return .fault(value, "应为 9 位数字", "it should be nine digits") }
        let classes: [(prefix: String, skip: Int, title: LocalizedText)] = [
            ("00", 2, .init("海岸电台", "coast station")), ("0", 1, .init("船队", "group of ships")),
            ("111", 3, .init("搜救航空器", "search and rescue aircraft")), ("99", 2, .init("助航标志", "aid to navigation")),
            ("98", 2, .init("母船所属小艇", "craft of a parent ship")), ("970", 9, .init("搜救应答器", "SART")),
            ("972", 9, .init("人员落水示位", "man overboard device")), ("974", 9, .init("无线电示位标", "EPIRB")),
            ("8", 1, .init("手持电台", "handheld radio")), ("", 0, .init("船舶", "ship")),
        ]
        guard let kind = classes.first(where: { value.hasPrefix($0.prefix) }) else { return Reading(value) }
        var reading = Reading(value, parts: [Part("种类", "class", kind.title.zh)])
        guard kind.skip < 9 else { return reading }
        let country = String(value.dropFirst(kind.skip).prefix(3))
        guard let number = Int(country), (200...799).contains(number) else {
            return .fault(value, "国家码 \(country) 应在 200–799", "the country digits \(country) should be 200–799")
        }
        reading.parts.append(Part("国家", "country", shipCountries[country]?.zh ?? country))
        return reading
    }

    /// Letter G, S, X, Y, C or Z, digits, and for rural roads the six-digit division: `G2`, `S305`, `Y016140727`.
    static func routeNumber(_ value: String) -> Reading {
        let grades: [Character: LocalizedText] = [
            "G": .init("国道", "national"), "S": .init("省道", "provincial"), "X": .init("县道", "county"),
            "Y": .init("乡道", "township"), "C": .init("村道", "village"), "Z": .init("专用公路", "special"),
        ]
        guard let first = value.first, let grade = grades[first] else {
            return .fault(value, "应以 G、S、X、Y、C 或 Z 开头", "it should begin with G, S, X, Y, C or Z")
        }
        let digits = value.dropFirst()
        guard isDigits(digits) || (isDigits(digits.dropLast()) && first == "G"), digits.count <= 10 else {
            return .fault(value, "字母后应为数字", "digits should follow the letter")
        }
        var reading = Reading(value, parts: [Part("行政等级", "grade", grade.zh)])
        if digits.count >= 9 {
            let division = String(digits.suffix(6))
            reading.parts += [Part("编号", "number", digits.dropLast(6)), Part("区划", "division", division)]
            if Divisions.entries(division).isEmpty {
                reading.warning = .init("末 6 位不是行政区划代码", "the last six digits are no division code")
            }
        } else {
            reading.parts.append(Part("编号", "number", digits))
        }
        return reading
    }

    /// `K123+456`: kilometres and metres; decimals of a metre are allowed.
    static func stake(_ value: String) -> Reading {
        let body =
            value.hasPrefix("K")
            ? value.dropFirst() : value.hasPrefix("ZK") || value.hasPrefix("YK") ? value.dropFirst(2) : ""
        let pieces = body.split(separator: "+", omittingEmptySubsequences: false)
        guard let kilometres = pieces.first, isDigits(kilometres), kilometres.count <= 5, pieces.count <= 2 else {
            return .fault(value, "应写作 K千米+米,如 K123+456", "write it as K123+456")
        }
        guard pieces.count == 2 else { return Reading(value, parts: [Part("千米", "km", kilometres)]) }
        let metres = pieces[1].split(separator: ".", omittingEmptySubsequences: false)
        guard metres.count <= 2, metres.allSatisfy({ isDigits($0) }), metres[0].count <= 3 else {
            return .fault(value, "米数应为 0–999", "metres should be 0–999")
        }
        return Reading(value, parts: [Part("千米", "km", kilometres), Part("米", "m", pieces[1])])
    }

    /// `UN` and four digits; the bare digits are read too.
    static func unNumber(_ value: String) -> Reading {
        let digits = value.hasPrefix("UN") ? value.dropFirst(2) : value[...]
        guard digits.count == 4, isDigits(digits) else {
            return .fault(value, "应为 UN 加 4 位数字", "it should be UN and four digits")
        }
        return Reading("UN\(digits)")
    }
}
