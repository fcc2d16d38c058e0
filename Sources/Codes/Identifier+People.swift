import Basics

extension Identifier {
    static let residentWeights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    static let residentChecks = Array("10X98765432")

    /// GB 11643-1999: area 6, birth date 8, sequence 3 (odd is male), check; 15-digit numbers are brought up to 18.
    ///
    /// Retired area codes remain valid, for a number is never reissued; 81/82/83 are residence permits.
    static func residentID(_ value: String) -> Reading {
        if value.count == 15 { return oldResidentID(value) }
        guard value.count == 18 else { return wrongLength(value, "18") }
        let body = value.prefix(17)
        guard isDigits(body) else { return .fault(value, "前 17 位应为数字", "the first 17 characters should be digits") }
        let area = String(value.prefix(6))
        guard !Divisions.entries(area).isEmpty || ["81", "82", "83"].contains(value.prefix(2)) else {
            return .fault(value, "地址码 \(area) 不存在", "there is no area code \(area)")
        }
        let birth = Array(body)[6..<14].map { $0.wholeNumberValue ?? 0 }
        let year = birth[0] * 1000 + birth[1] * 100 + birth[2] * 10 + birth[3]
        guard CivilTime.checkedDays(year: year, month: birth[4] * 10 + birth[5], day: birth[6] * 10 + birth[7]) != nil,
            year >= 1800
        else { return .fault(value, "出生日期码不是日期", "the birth date is no date") }
        let sum = zip(digitValues(body), residentWeights).reduce(0) { $0 + $1.0 * $1.1 }
        let expected = residentChecks[sum % 11]
        let found = value.last ?? " "
        guard found == expected else { return wrongCheck(value, is: found, not: expected) }
        let male = (digitValues(body)[16] % 2) == 1
        return Reading(
            value,
            parts: [
                Part("地址码", "area", Divisions.path(area).joined()),
                Part("出生日期", "birth date", String(Array(body)[6..<14])),
                Part("性别", "sex", male ? "男" : "女"),
            ]
        )
    }

    static func oldResidentID(_ value: String) -> Reading {
        guard isDigits(value) else { return .fault(value, "15 位号码应全为数字", "a 15-digit number should be digits only") }
        let body = value.prefix(6) + "19" + value.dropFirst(6)
        let sum = zip(digitValues(body), residentWeights).reduce(0) { $0 + $1.0 * $1.1 }
        var reading = residentID(body + String(residentChecks[sum % 11]))
        if reading.isValid { reading.warning = .init("15 位旧号码,已升为 18 位", "an old 15-digit number, brought up to 18") }
        return reading
    }

    /// 19 digits (province 2, city 2, county 2, trade 3, grade 1, change 1, year 2, serial 6), or a resident id number.
    static func qualificationCertificate(_ value: String) -> Reading {
        if value.count == 18 {
            var reading = residentID(value)
            if reading.isValid {
                reading.parts = []
                reading.warning = .init("以公民身份号码为证号", "a resident id number serves as certificate number")
            }
            return reading
        }
        guard value.count == 19, isDigits(value) else {
            return .fault(
                value,
                "应为 19 位数字或 18 位公民身份号码",
                "it should be 19 digits or an 18-character resident id number"
            )
        }
        let text = Array(value)
        return Reading(
            value,
            parts: [
                Part("区划", "division", String(text[0..<6])), Part("专业", "trade", String(text[6..<9])),
                Part("等级", "grade", String(text[9])), Part("年度", "year", String(text[11..<13])),
                Part("流水号", "serial", String(text[13...])),
            ]
        )
    }

    /// 12 digits: division 6 and serial 6.
    static func transportCertificate(_ value: String) -> Reading {
        guard value.count == 12 else { return wrongLength(value, "12") }
        guard isDigits(value) else { return .fault(value, "应为 12 位数字", "it should be 12 digits") }
        let division = String(value.prefix(6))
        return Reading(
            value,
            warning: Divisions.entries(division).isEmpty
                ? .init("前 6 位不是行政区划代码", "the first six digits are no division code") : nil,
            parts: [Part("区划", "division", division), Part("流水号", "serial", value.suffix(6))]
        )
    }
}
