import Basics

extension Identifier {
    static let vinValues: [Character: Int] = {
        var values: [Character: Int] = [:]
        for (index, letter) in "ABCDEFGH".enumerated() { values[letter] = index + 1 }
        for (index, letter) in "JKLMN".enumerated() { values[letter] = index + 1 }
        values["P"] = 7
        values["R"] = 9
        for (index, letter) in "STUVWXYZ".enumerated() { values[letter] = index + 2 }
        for digit in 0...9 { values[Character(String(digit))] = digit }
        return values
    }()
    static let vinWeights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]

    /// GB 16735: 17 characters without I, O, Q; the check digit stands at position 9.
    ///
    /// Chinese vehicles (L…) must carry the check digit; imported ones outside North America need not.
    static func vin(_ value: String) -> Reading {
        guard value.count == 17 else { return wrongLength(value, "17") }
        let characters = Array(value)
        var sum = 0
        for (index, character) in characters.enumerated() {
            guard let number = vinValues[character] else {
                return .fault(
                    value,
                    "第 \(index + 1) 位“\(character)”不允许(不用 I、O、Q)",
                    "character \(index + 1), “\(character)”, is not allowed (I, O, Q are not used)"
                )
            }
            sum += number * vinWeights[index]
        }
        let check = sum % 11
        let expected: Character = check == 10 ? "X" : Character(String(check))
        guard characters[8] == expected else { return wrongCheck(value, is: characters[8], not: expected) }
        return Reading(
            value,
            parts: [
                Part("制造厂", "maker", String(characters[..<3])), Part("说明", "description", String(characters[3..<8])),
                Part("年份", "year", String(characters[9])), Part("装配厂", "plant", String(characters[10])),
                Part("顺序号", "serial", String(characters[11...])),
            ]
        )
    }

    static let provinces = Set("京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新")
    static let plateSuffixes: [Character: LocalizedText] = [
        "警": .init("警用", "police"), "学": .init("教练", "learner"), "港": .init("港澳入出境", "cross-border Hong Kong"),
        "澳": .init("港澳入出境", "cross-border Macau"), "挂": .init("挂车", "trailer"), "超": .init("超限车", "oversize"),
        "领": .init("领馆", "consular"), "试": .init("试验", "test"), "使": .init("使馆", "embassy"),
    ]
    /// Letters that a new-energy serial may carry: D and F by the first rules, A–K since the series was widened.
    public static let newEnergyLetters = Set("ABCDEFGHJK")

    static func isPlateCharacter(_ character: Character) -> Bool {
        guard let ascii = character.asciiValue else { return false }
        return (0x30...0x39).contains(ascii)
            || ((0x41...0x5A).contains(ascii) && character != "I" && character != "O")
    }

    /// Civil plates: province, letter, five characters; new-energy plates six; a special character may close a plate.
    static func plate(_ value: String) -> Reading {
        let characters = Array(value)
        guard characters.count == 7 || characters.count == 8 else { return wrongLength(value, "7 或 8") }
        guard provinces.contains(characters[0]) else {
            return .fault(value, "首字应为省份简称", "the first character should be a province")
        }
        guard let letter = characters[1].asciiValue, (0x41...0x5A).contains(letter), characters[1] != "I" else {
            return .fault(value, "第 2 位应为发牌机关字母(不用 I)", "the second character should be an office letter (not I)")
        }
        let serial = characters[2...]
        var parts = [Part("省份", "province", String(characters[0])), Part("发牌机关", "office", String(characters[1]))]
        if characters.count == 8 {
            let head = serial.first.map { newEnergyLetters.contains($0) } ?? false
            let tail = serial.last.map { newEnergyLetters.contains($0) } ?? false
            let digits = String(head ? serial.dropFirst() : serial.dropLast())
            let small = head && serial.dropFirst().allSatisfy(isPlateCharacter) && isDigits(digits.suffix(4))
            let large = tail && isDigits(String(serial.dropLast()))
            guard small || large else {
                return .fault(
                    value,
                    "新能源号牌的字母应在序号首位(小型车)或末位(大型车)",
                    "the letter of a new-energy plate stands first (small) or last (large) in its serial"
                )
            }
            parts.append(Part("种类", "kind", small ? "小型新能源汽车" : "大型新能源汽车"))
            return Reading(value, parts: parts)
        }
        if let last = serial.last, let special = plateSuffixes[last] {
            guard serial.dropLast().allSatisfy(isPlateCharacter) else {
                return .fault(value, "序号不用字母 I、O", "a serial does not use I and O")
            }
            parts.append(Part("种类", "kind", special.zh))
            return Reading(value, parts: parts)
        }
        guard serial.allSatisfy(isPlateCharacter) else {
            return .fault(value, "序号应为数字和字母(不用 I、O)", "the serial should be digits and letters without I and O")
        }
        parts.append(Part("种类", "kind", "普通"))
        return Reading(value, parts: parts)
    }

    /// ISO 6346: owner 3 letters, category U, J or Z, serial 6, check digit.
    static func container(_ value: String) -> Reading {
        guard value.count == 11 else { return wrongLength(value, "11") }
        let characters = Array(value)
        guard characters[..<3].allSatisfy({ $0.isASCII && $0.isLetter }), isDigits(value.suffix(7)) else {
            return .fault(value, "应为 4 个字母加 7 位数字", "it should be four letters and seven digits")
        }
        guard "UJZ".contains(characters[3]) else {
            return .fault(value, "第 4 位应为 U、J 或 Z", "the fourth letter should be U, J or Z")
        }
        var sum = 0
        for (index, character) in characters.prefix(10).enumerated() {
            sum += containerValue(character) << index
        }
        let expected = Character(String(sum % 11 % 10))
        guard characters[10] == expected else { return wrongCheck(value, is: characters[10], not: expected) }
        return Reading(
            value,
            parts: [
                Part("箱主", "owner", String(characters[..<3])), Part("类别", "category", String(characters[3])),
                Part("顺序号", "serial", String(characters[4..<10])),
            ]
        )
    }

    /// A is 10, and multiples of 11 are left out: B 12 … K 21, L 23 … U 32, V 34.
    static func containerValue(_ character: Character) -> Int {
        if let digit = character.wholeNumberValue { return digit }
        let position = Int(character.asciiValue ?? 0x41) - 0x41 + 10
        return position + (position > 10 ? 1 : 0) + (position > 20 ? 1 : 0) + (position > 30 ? 1 : 0)
    }
}
