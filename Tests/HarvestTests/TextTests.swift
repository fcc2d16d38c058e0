import Basics
import Testing

@testable import Harvest

@Suite struct TextTests {
    @Test(
        arguments: [
            ("plain", "plain"), ("  a \t b\u{A0}c　d ", "a b c d"),
            ("a &lt; b &amp;&amp; c &#62; d &#x4EA4;", "a < b && c > d 交"),
            ("<p>One</p><p>Two</p>", "One\n\nTwo"), ("a<br/>b", "a\nb"), ("<b>bo</b>ld", "bold"),
            ("x<script>alert(1)</script>y", "xy"), ("x<SCRIPT src=a>alert(1)", "x"), ("a<!-- <b> -->b", "ab"),
            ("&lt;script&gt;alert(1)&lt;/script&gt;ok", "ok"),
            ("&amp;amp;lt;img src=x onerror=1&amp;amp;gt;", "&lt;img src=x onerror=1&gt;"),
            ("<a title=\"x>y\" href='z'>link</a>", "link"),
            ("<img src=x onerror=alert(1)", "< img src=x onerror=alert(1)"),
            ("see <https://a.example/x> now", "see https://a.example/x> now"), ("5 < 6 and 7<8", "5 < 6 and 7<8"),
            ("nul\u{0}\u{1}\u{7F}\u{85}x\u{9B}", "nul\nx"), ("\u{202E}gpj.exe\u{2066}\u{FEFF}\u{200B}", "gpj.exe"),
            ("a\r\nb\rc\n\n\n\nd", "a\nb\nc\n\nd"), ("&bogus; &#0; &#xD800; &;", "&bogus; &#xD800; &;"),
            ("<o:p>Word</o:p>", "Word"), ("<td>a</td><td>b</td>", "a b"), ("", ""), (" ", ""), ("<", "<"), ("&", "&"),
            ("<<<<a", "<<<< a"), ("a</", "a< /"), ("e\u{301}", "e\u{301}"),
        ]
    )
    func textsBecomePlain(raw: String, plain: String) {
        #expect(Plain.text(raw, keepsLines: true) == plain)
        let line = Plain.text(raw, keepsLines: false)
        #expect(!line.contains("\n") && Plain.text(line, keepsLines: false).utf8.count <= line.utf8.count + 1)
    }

    @Test func hostileTextsAreReadInLinearTime() {
        let clock = ContinuousClock()
        for unit in ["<", "<a \"", "<!--", "&", "&#", "<script>", "</", "<p", "&lt;", "\u{202E}", "<a'>"] {
            let text = String(repeating: unit, count: 300_000 / unit.utf8.count)
            let time = clock.measure {
                let plain = Plain.text(text, keepsLines: true).lowercased()
                #expect(!plain.contains("<script") && !plain.contains("<a") && !plain.contains("</"))
            }
            #expect(time < .seconds(2), "\(unit)")
        }
    }

    @Test(arguments: [
        ("abc", 3, 9, "abc"), ("abcd", 3, 9, "ab…"), ("交通运输", 9, 9, "交通…"), ("ab cd", 4, 99, "ab…"),
        ("🚌🚌🚌", 3, 11, "🚌🚌…"),
    ])
    func textsAreCutBetweenCharacters(text: String, characters: Int, bytes: Int, cut: String) {
        #expect(Plain.cut(text, characters, bytes).text == cut)
    }

    @Test(
        arguments: [
            ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z"),
            ("HTTP://A.Example:80/X", "http://a.example:80/X"),
            (" https://a.example/a b.csv ", "https://a.example/a%20b.csv"),
            ("https://a.example/数据.csv", "https://a.example/%E6%95%B0%E6%8D%AE.csv"),
            ("/x/y", "https://b.example/x/y"), ("y.csv", "https://b.example/p/y.csv"), ("../y", "https://b.example/y"),
            ("?page=2", "https://b.example/p/q?page=2"),
            ("//c.example/x", "https://c.example/x"), ("https://a.example", "https://a.example"),
            ("http://[::1]/x", "http://[::1]/x"),
            ("https://交通.example/x", "https://交通.example/x"),
            ("https://a.example/<b>\"", "https://a.example/%3Cb%3E%22"),
            ("javascript:alert(1)", nil), (" JaVaScRiPt:alert(1)", nil), ("java\tscript:alert(1)", nil),
            ("data:text/html,x", nil),
            ("vbscript:x", nil), ("mailto:a@b.example", nil), ("https:a", nil), ("https://", nil), ("https:///x", nil),
            ("http://:80/", nil),
            ("https://user@a.example/", nil), ("https://a.example\\@b.example/", nil), ("https://a%2eexample/", nil),
            ("www.a.example/x", nil),
            ("\\\\a.example\\x", nil), ("", nil), ("https://a.example/" + String(repeating: "x", count: 2000), nil),
            ("https://a b/", nil),
            ("https://a.example/x\u{0}", nil), ("http://a\u{202E}b.example/", nil),
        ] as [(String, String?)]
    )
    func onlyUsableLinksAreTaken(raw: String, link: String?) {
        #expect(Link.address(raw, base: "https://b.example/p/q?r=1") == link)
    }

    @Test(
        arguments: [
            ("2024-05-01", "2024-05-01"), ("2024-05-01T10:00:00Z", "2024-05-01T18:00:00+08:00"),
            ("2024-05-01T10:00:00", "2024-05-01T10:00:00+08:00"),
            ("2024-05-01T10:00:00.123456789+02:00", "2024-05-01T16:00:00+08:00"),
            ("2024-05-01 10:00", "2024-05-01T10:00:00+08:00"),
            ("2024/5/1", "2024-05-01"), ("2024年5月", "2024-05-01"), ("20240501", "2024-05-01"), ("2024", "2024-01-01"),
            ("2024-05", "2024-05-01"),
            ("2024/5/1 10:20:30", "2024-05-01"), ("2024-02-30", nil), ("2024-05-01T25:00:00Z", nil), ("yesterday", nil),
            ("0000-00-00", nil),
            ("99999999", nil), ("1", nil), ("0001-01-01T00:00:00", nil), ("R/P1D", nil),
            (String(repeating: "9", count: 500), nil),
        ] as [(String, String?)]
    )
    func datesHaveTwoForms(raw: String, date: String?) {
        #expect(HarvestDate.text(raw, zone: CivilTime.chinaOffset) == date)
    }

    static let frequencies: [HarvestFrequency?: [String]] = [
        .realTime: [
            "http://publications.europa.eu/resource/authority/frequency/UPDATE_CONT", "R/PT1S", "R/PT1H", "实时", "即時",
            "hourly", "每10分", "Every 15 minutes", "continual", "continuous",
        ],
        .daily: [
            "http://publications.europa.eu/resource/authority/frequency/DAILY", "R/P1D", "P1D", "每日", "每天更新", "每1日",
            "DAILY_2", "Daily", "逐日", "每12小时", "12HRS",
        ],
        .weekly: [
            "R/P1W", "R/P3.5D", "R/P7D", "每週", "每周更新一次", "WEEKLY_3", "http://purl.org/cld/freq/threeTimesAWeek",
            "every week",
        ],
        .monthly: ["MONTHLY", "R/P1M", "R/P0.5M", "每1月", "每月更新", "BIWEEKLY", "fortnightly", "每两周", "按月"],
        .quarterly: ["R/P3M", "每3个月", "每季", "BIMONTHLY", "every 3 months", "每季度更新一次"],
        .halfYearly: ["R/P6M", "ANNUAL_2", "ANNUAL_3", "每半年", "Semi-annual", "每6月", "biannually"],
        .yearly: [
            "http://publications.europa.eu/resource/authority/frequency/ANNUAL/", "R/P1Y", "每年", "annually", "每1年",
            "Yearly", "P12M", "年度",
        ],
        .irregular: [
            "IRREG", "不定期更新", "As needed", "NEVER", "R/P2Y", "R/P10Y", "TRIENNIAL", "punctual", "不更新", "一次性",
            "not planned",
        ],
        nil: [
            "UNKNOWN", "soon", "P", "R/P", "PT", "R/P0D", "PXD", "每", "每0月", "every blue moon", "<b>", "P1",
            String(repeating: "年", count: 200),
        ],
    ]

    @Test(arguments: frequencies) func frequenciesHaveEightClasses(expected: HarvestFrequency?, texts: [String]) {
        for text in texts { #expect(HarvestFrequency(text: text) == expected, "\(text)") }
    }

    @Test func theCanonicalTextForgetsTheOrder() {
        var one = HarvestedEntry(identifier: "1", title: "A")
        one.keywords = ["b", "a"]
        one.resources = [
            HarvestedResource(name: "y", link: "http://a.example/y"),
            HarvestedResource(name: "x", link: "http://a.example/x", bytes: 1),
        ]
        var two = one
        two.keywords.reverse()
        two.resources.reverse()
        two.notes = [.titleCut]
        #expect(one.canonical == two.canonical)
        #expect(
            String(decoding: one.canonical, as: UTF8.self)
                == #"{"identifier":"1","title":"A","keywords":["a","b"],"resources":[{"name":"x","link":"http://a.example/x","bytes":1},{"name":"y","link":"http://a.example/y"}]}"#
        )
        two.summary = "changed"
        #expect(one.canonical != two.canonical)
    }
}
