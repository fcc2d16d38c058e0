import Basics
import Foundation
import Testing

@Suite struct BasicsTests {
    @Test func everyDayOfFourCenturiesGoesThereAndBack() {
        var expected = CivilTime.days(year: 1800, month: 1, day: 1)
        for year in 1800..<2200 {
            for month in 1...12 {
                for day in 1...CivilTime.daysInMonth(year: year, month: month) {
                    let days = CivilTime.days(year: year, month: month, day: day)
                    let civil = CivilTime.civil(days: days)
                    #expect(days == expected && civil == (year, month, day))
                    expected += 1
                }
            }
        }
        #expect(CivilTime.days(year: 1970, month: 1, day: 1) == 0)
        #expect(CivilTime.weekday(days: CivilTime.days(year: 2026, month: 11, day: 21)) == 6)
    }

    @Test(
        arguments: [
            ("2026-02-29", nil), ("2024-02-29", 19782), ("2024-2-29", nil), ("2024/02/29", nil), ("20240229", nil),
            ("0000-00-00", nil),
        ] as [(String, Int32?)]
    )
    func isoDates(text: String, days: Int32?) {
        #expect(Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseISODate($0) } == days)
    }

    @Test(
        arguments: [
            ("2025.3.1", "2025-03-01"), ("2025/3/1", "2025-03-01"), ("20250301", "2025-03-01"),
            ("2025年3月1日", "2025-03-01"),
            ("二〇二五年三月", "2025-03-01"), ("二〇二五年十二月三十一日", "2025-12-31"), ("2025-03", "2025-03-01"), ("2025.13.1", nil),
            ("12345", nil), ("abc", nil), ("2025", nil),
        ] as [(String, String?)]
    )
    func writtenDates(text: String, iso: String?) {
        #expect(CivilTime.parseWrittenDate(text).map { CivilTime.date($0.days) } == iso)
    }

    @Test(
        arguments: [
            ("2026-06-01T12:00:00", "2026-06-01T12:00:00+08:00"), ("2026-06-01 12:00", "2026-06-01T12:00:00+08:00"),
            ("2026-06-01T04:00:00Z", "2026-06-01T12:00:00+08:00"),
            ("2026-06-01T06:00:00.5+02:00", "2026-06-01T12:00:00.500000+08:00"),
            ("2026-06-01T25:00:00", nil), ("2026-06-01", nil),
        ] as [(String, String?)]
    )
    func timestamps(text: String, shown: String?) {
        let moment = Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }
        #expect(moment.map(CivilTime.timestamp) == shown)
    }

    @Test func numbersReadAndWriteLikeFoundation() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let value = Double.random(in: -1e7...1e7, using: &generator)
            var out: [UInt8] = []
            Numbers.append(value, to: &out)
            #expect(Double(String(decoding: out, as: UTF8.self)) == value)
            let text = Array(String(value).utf8)
            #expect(text.withUnsafeBufferPointer { Numbers.parseReal($0) } == value)
        }
        for text in ["9223372036854775807", "-9223372036854775808", "0", "-1"] {
            #expect(Array(text.utf8).withUnsafeBufferPointer { Numbers.parseInteger($0) } == Int64(text))
        }
        for text in ["9223372036854775808", "", "-", "1.0", "１", "1 "] {
            #expect(Array(text.utf8).withUnsafeBufferPointer { Numbers.parseInteger($0) } == nil)
        }
        for text in ["nan", "inf", "0x10", "1e", "", "."] {
            #expect(Array(text.utf8).withUnsafeBufferPointer { Numbers.parseReal($0) } == nil)
        }
        #expect(Array("123.456".utf8).withUnsafeBufferPointer { Numbers.parseDecimal($0, scale: 2) } == nil)
        #expect(Array("-123.450".utf8).withUnsafeBufferPointer { Numbers.parseDecimal($0, scale: 2) } == -12345)
    }

    @Test func jsonGoesThereAndBack() throws {
        let text = #"{"a":[1,2.5,-3,true,false,null,"交\"\\\n\u4ea4"],"b":{"c":{}}}"#
        let value = try JSONValue(text: text)
        #expect(try JSONValue(text: value.text) == value)
        #expect(value["a"]?.array?.last?.string == "交\"\\\n交")
        for bad in ["{", "[1,]", "{\"a\"}", "tru", "\"", "[1] x", String(repeating: "[", count: 200)] {
            #expect(throws: Problem.self) { try JSONValue(text: bad) }
        }
    }

    @Test func textForms() {
        #expect(TextForms.halfWidth("ＡＢＣ１２３　") == "ABC123 ")
        #expect(TextForms.spaced("公路GPS数据2025") == "公 路 gps 数 据 2025")
        #expect(TextForms.comparable("营运 车辆·（基本）信息") == TextForms.comparable("营运车辆基本信息"))
    }

    @Test func idsSortByTime() {
        let ids = (0..<50).map { TimeOrderedID.make(microseconds: 1_700_000_000_000_000 + Int64($0) * 1000) }
        #expect(ids == ids.sorted() && Set(ids).count == 50 && ids.allSatisfy { $0.count == 36 })
    }

    /// Halves of pairs stand for nothing, whatever follows them.
    @Test func escapesOfJSON() throws {
        let pairs: [(String, String?)] = [
            (#""\ud83d\ude00""#, "\u{1F600}"), (#""\ud800\u0041""#, "\u{FFFD}A"), (#""\ud800""#, "\u{FFFD}"),
            (#""\udc00x""#, "\u{FFFD}x"), (#""\ud800\ud800\udc00""#, "\u{FFFD}\u{10000}"),
            (#""a\n\t\"\\b""#, "a\n\t\"\\b"),
            (#""\u00e9甲""#, "é甲"), (#""""#, ""), (#""\ud800\n""#, "\u{FFFD}\n"), (#""\u+041""#, nil), (#""\u12""#, nil),
            (#""abc"#, nil),
            (#""\x""#, nil), (#""\ud800\u""#, nil),
        ]
        for (text, expected) in pairs { #expect((try? JSONValue(text: text))?.string == expected, "\(text)") }
    }
}
