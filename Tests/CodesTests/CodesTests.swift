import Basics
import Codes
import TestKit
import Testing

@Suite struct CodesTests {
    static let kinds: [String: SemanticKind] = [
        "uscc": .creditCode, "orgcode": .organisationCode, "resident_id": .residentID, "resident_id_15": .residentID,
        "container": .container,
        "imo": .imoNumber, "vin": .vin, "plate": .plate, "mmsi": .mmsi,
    ]

    @Test func theStandardsVectorsHold() throws {
        var checked = 0
        for line in SharedFiles.lines("standards/vectors/ids.jsonl") {
            let vector = try JSONValue(text: line)
            guard let kind = CodesTests.kinds[vector["kind"]?.string ?? ""], let value = vector["value"]?.string else {
                continue
            }
            // The standard allows letters in the first two places of a credit code; this one's check digit is wrong either way.
            let reading = try #require(Identifier.read(kind, value))
            #expect(reading.isValid == vector["valid"]?.boolean, "\(value): \(reading.fault?.en ?? "valid")")
            if let upgraded = vector["upgrade_to"]?.string { #expect(reading.normalised == upgraded) }
            checked += 1
        }
        if SharedFiles.isPresent { #expect(checked >= 50) }
    }

    @Test func faultsSayWhatTheCheckDigitShouldBe() throws {
        let reading = try #require(Identifier.read(.creditCode, "91110000600037341M"))
        #expect(reading.fault?.zh == "校验码应为 L,实为 M")
        #expect(Identifier.read(.residentID, "11010519491231002X")?.parts.contains { $0.value == "女" } == true)
    }

    @Test(arguments: [
        (SemanticKind.plate, "京a·12345", "京A12345"), (.plate, "粤Ｂ　Ｄ１２３４５", "粤BD12345"),
        (.stake, "k123+456.5", "K123+456.5"),
        (.unNumber, "1203", "UN1203"), (.routeNumber, "y016140727", "Y016140727"),
    ])
    func valuesAreNormalised(kind: SemanticKind, raw: String, normal: String) {
        let reading = Identifier.read(kind, raw)
        #expect(reading?.isValid == true && reading?.normalised == normal)
    }

    @Test func divisionsHaveHistory() {
        #expect(Divisions.name("110101") == "东城区")
        #expect(Divisions.entries("110103").last?.lastYear == 2009)
        #expect(Identifier.read(.divisionCode, "110103")?.warning != nil)
        #expect(Identifier.read(.divisionCode, "999999")?.isValid == false)
        #expect(Divisions.path("130102") == ["河北省", "石家庄市", "长安区"])
        #expect(Divisions.children(of: nil).count == 34)
    }

    @Test(
        arguments: [
            ("1.20E+17", SpreadsheetDamage.exponent), ("123456789012345000", .roundedTo15Digits),
            ("123456789012345678", nil), ("00E0", nil),
            ("京A12345", nil),
        ] as [(String, SpreadsheetDamage?)]
    )
    func spreadsheetDamage(text: String, damage: SpreadsheetDamage?) {
        #expect(Array(text.utf8).withUnsafeBufferPointer { SpreadsheetDamage.diagnose($0) } == damage)
    }
}
