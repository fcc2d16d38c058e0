import Basics

extension Identifier {
    static let creditAlphabet = Array("0123456789ABCDEFGHJKLMNPQRTUWXY")
    static let creditValues: [Character: Int] = Dictionary(
        uniqueKeysWithValues: creditAlphabet.enumerated().map { ($1, $0) }
    )
    static let registrars: [Character: LocalizedText] = [
        "1": .init("机构编制", "staffing committee"), "5": .init("民政", "civil affairs"),
        "9": .init("市场监管", "market regulation"), "A": .init("中央军委改革和编制办公室", "Central Military Commission"),
        "N": .init("农业农村", "agriculture"), "Y": .init("其他", "other"),
    ]

    /// GB 32100-2015: 18 characters; weights 3^i mod 31; positions 9–17 are an organisation code with its own check.
    ///
    /// The standard allows letters in the first two positions (A1, N2, Y1), which some validators refuse.
    static func creditCode(_ value: String) -> Reading {
        guard value.count == 18 else { return wrongLength(value, "18") }
        let characters = Array(value)
        var sum = 0
        var weight = 1
        for (index, character) in characters.enumerated() {
            guard let number = creditValues[character] else {
                return .fault(
                    value,
                    "第 \(index + 1) 位“\(character)”不在字符集内(不用 I、O、S、V、Z)",
                    "character \(index + 1), “\(character)”, is not allowed (I, O, S, V, Z are not used)"
                )
            }
            if index < 17 {
                sum += number * weight
                weight = weight * 3 % 31
            }
        }
        guard isDigits(value.dropFirst(2).prefix(6)) else {
            return .fault(value, "第 3–8 位应为行政区划代码", "characters 3–8 should be a division code")
        }
        let expected = creditAlphabet[(31 - sum % 31) % 31]
        guard characters[17] == expected else { return wrongCheck(value, is: characters[17], not: expected) }
        let body = String(characters[8...16])
        var reading = Reading(value)
        if let fault = organisationCode(body).fault {
            reading.warning = .init(
                "第 9–17 位的组织机构代码\(fault.zh)",
                "characters 9–17 are an organisation code: \(fault.en)"
            )
        }
        let division = String(characters[2...7])
        reading.parts = [
            Part("登记管理部门", "registrar", registrars[characters[0]]?.zh ?? String(characters[0])),
            Part("机构类别", "class", String(characters[1])),
            Part("登记机关行政区划", "registrar's division", Divisions.name(division).map { "\(division) \($0)" } ?? division),
            Part("主体标识码", "subject", body),
        ]
        return reading
    }

    /// GB 11714: 8 characters and a check digit, weights 3 7 9 10 5 8 4 2.
    static func organisationCode(_ value: String) -> Reading {
        guard value.count == 9 else { return wrongLength(value, "9") }
        let weights = [3, 7, 9, 10, 5, 8, 4, 2]
        var sum = 0
        let characters = Array(value)
        for (index, character) in characters.prefix(8).enumerated() {
            guard let ascii = character.asciiValue, (0x30...0x39).contains(ascii) || (0x41...0x5A).contains(ascii)
            else {
                return .fault(value, "应由数字和大写字母组成", "it should be digits and capital letters")
            }
            sum += weights[index] * Int(ascii >= 0x41 ? ascii - 55 : ascii - 48)
        }
        let check = 11 - sum % 11
        let expected: Character = check == 10 ? "X" : check == 11 ? "0" : Character(String(check))
        guard characters[8] == expected else { return wrongCheck(value, is: characters[8], not: expected) }
        return Reading(value, parts: [Part("本体代码", "body", String(characters[..<8]))])
    }

    /// GB/T 2260: six digits of the current or a former revision.
    static func divisionCode(_ value: String) -> Reading {
        guard value.count == 6 else { return wrongLength(value, "6") }
        guard isDigits(value) else { return .fault(value, "应为 6 位数字", "it should be six digits") }
        guard let current = Divisions.entries(value).last else {
            return .fault(value, "GB/T 2260 各版本中都没有此代码", "no revision of GB/T 2260 has this code")
        }
        var reading = Reading(value)
        reading.parts = Divisions.path(value).enumerated().map { level, name in
            level == 0
                ? Part("省级", "province", name)
                : level == 1 ? Part("地级", "prefecture", name) : Part("县级", "county", name)
        }
        if let last = current.lastYear {
            reading.warning = .init(
                "此代码(\(current.name))\(last) 年后已撤销",
                "this code (\(current.name)) was retired after \(last)"
            )
        }
        return reading
    }
}
