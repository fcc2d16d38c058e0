import Basics

/// How often data is renewed: the values of the platform's 更新周期.
public enum HarvestFrequency: String, Sendable, CaseIterable, Hashable {
    case realTime = "real_time"
    case daily, weekly, monthly, quarterly
    case halfYearly = "half_yearly"
    case yearly, irregular

    /// The class of a frequency as a source writes it; nil where it says nothing that is known.
    ///
    /// Read are the EU's frequency vocabulary, Dublin Core's (`purl.org/cld/freq`), ISO 19115's maintenance codes, udata's words, ISO 8601
    /// durations (`R/P1Y`, DCAT-US 1.1), English and Chinese words. A period between two classes takes the slower one, so that no more is
    /// promised than the source does; up to an hour counts as real time, more than a year as irregular.
    public init?(text: String) {
        let trimmed = TextForms.trimmed(text)
        guard !trimmed.isEmpty, trimmed.utf8.count <= 300 else { return nil }
        if let known = HarvestFrequency.words[trimmed] {
            self = known
            return
        }
        if let days = HarvestFrequency.days(ofDuration: trimmed) {
            self.init(days: days)
            return
        }
        var whole = Substring(trimmed)
        while whole.hasSuffix("/") { whole = whole.dropLast() }
        let last = Link.scheme(trimmed) == nil ? String(whole) : Link.lastPart(String(whole))
        let key = TextForms.comparable(last)
        if let known = HarvestFrequency.words[key] {
            self = known
        } else if let days = HarvestFrequency.days(ofPhrase: key) {
            self.init(days: days)
        } else {
            return nil
        }
    }

    /// The class of a period of days.
    init(days: Double) {
        let steps: [(Double, HarvestFrequency)] = [
            (1.0 / 24, .realTime), (1, .daily), (7, .weekly), (31, .monthly), (92, .quarterly), (184, .halfYearly),
            (366, .yearly),
        ]
        self = steps.first { days <= $0.0 }?.1 ?? .irregular
    }

    /// The days of an ISO 8601 duration, with `R/` before it where it repeats; a month counts 30.4 and a year 365.
    static func days(ofDuration text: String) -> Double? {
        var bytes = Substring(text.uppercased()).utf8
        if bytes.first == 0x52, let slash = bytes.firstIndex(of: 0x2F) {
            bytes = bytes[bytes.index(after: slash)...]
        }
        guard bytes.first == 0x50, bytes.count >= 3, bytes.count <= 40 else { return nil }
        var days = 0.0
        var number: [UInt8] = []
        var isTime = false
        for byte in bytes.dropFirst() {
            switch byte {
            case 0x30...0x39, 0x2E: number.append(byte)
            case 0x2C: number.append(0x2E)
            case 0x54 where number.isEmpty && !isTime: isTime = true
            default:
                guard let unit = unit(byte, isTime: isTime),
                    let count = number.withUnsafeBufferPointer({ Numbers.parseReal($0) })
                else { return nil }
                days += count * unit
                number = []
            }
        }
        return number.isEmpty && days > 0 ? days : nil
    }

    private static func unit(_ letter: UInt8, isTime: Bool) -> Double? {
        switch (letter, isTime) {
        case (0x59, false): 365
        case (0x4D, false): 30.4
        case (0x57, false): 7
        case (0x44, false): 1
        case (0x48, true): 1.0 / 24
        case (0x4D, true): 1.0 / 1440
        case (0x53, true): 1.0 / 86_400
        default: nil
        }
    }

    /// The days of `every3months`, `每1月`, `每10分更新一次`.
    private static func days(ofPhrase key: String) -> Double? {
        let heads = ["updatedevery", "every", "each", "每隔", "每", "隔"]
        guard let head = heads.first(where: key.hasPrefix) else { return nil }
        var rest = key.dropFirst(head.count)
        let digits = rest.prefix { "0123456789".contains($0) }
        rest = rest.dropFirst(digits.count)
        var count = digits.isEmpty ? nil : Double(digits)
        if count == nil {
            let numeral = rest.prefix { "一二三四五六七八九十两兩".contains($0) }
            rest = rest.dropFirst(numeral.count)
            count =
                numeral.isEmpty
                ? 1 : numeral == "两" || numeral == "兩" ? 2 : ChineseNumerals.value(of: String(numeral)).map(Double.init)
        }
        if rest.first == "个" || rest.first == "個" { rest = rest.dropFirst() }
        for tail in ["更新一次", "更新1次", "更新", "一次", "1次"] where rest.hasSuffix(tail) {
            rest = rest.dropLast(tail.count)
        }
        guard let count, count > 0, let unit = units[String(rest)] else { return nil }
        return count * unit
    }

    /// Days of the units of phrases.
    private static let units: [String: Double] = [
        "second": 1.0 / 86_400, "seconds": 1.0 / 86_400, "秒": 1.0 / 86_400, "秒钟": 1.0 / 86_400,
        "minute": 1.0 / 1440, "minutes": 1.0 / 1440, "分": 1.0 / 1440, "分钟": 1.0 / 1440, "分鐘": 1.0 / 1440,
        "hour": 1.0 / 24, "hours": 1.0 / 24, "时": 1.0 / 24, "時": 1.0 / 24, "小时": 1.0 / 24, "小時": 1.0 / 24,
        "day": 1, "days": 1, "日": 1, "天": 1, "工作日": 1, "workday": 1, "week": 7, "weeks": 7, "周": 7, "週": 7,
        "星期": 7, "旬": 10.5, "month": 30.4, "months": 30.4, "月": 30.4, "quarter": 91, "quarters": 91, "季": 91,
        "季度": 91, "半年": 182, "学期": 182, "學期": 182, "year": 365, "years": 365, "年": 365, "年度": 365,
    ]

    /// Words and codes in the form of `TextForms.comparable`.
    static let words: [String: HarvestFrequency] = {
        let lists: [(HarvestFrequency, String)] = [
            (
                .realTime,
                """
                realtime cont updatecont continuous continual continuously live hourly 1min 5min 10min 15min 30min hour \
                实时 實時 即時 即时 實時更新 实时更新 即時更新 动态 動態 每小时 每小時 逐时 逐時 小时 小時
                """
            ),
            (
                .daily,
                """
                daily day everyday daily2 bihourly trihourly 12hrs semidaily threetimesaday fourtimesaday twiceaday businessdaily \
                weekdays workdays 每日 每天 日 按日 逐日 每日更新 每天更新 按日更新 日更新 日更 每工作日 天
                """
            ),
            (
                .weekly,
                """
                weekly week weekly2 weekly3 weekly5 semiweekly threetimesaweek fourtimesaweek twiceaweek 每周 每週 每星期 周 週 \
                按周 按週 每周更新 每週更新 按周更新 周更新 周更
                """
            ),
            (
                .monthly,
                """
                monthly month monthly2 monthly3 biweekly fortnightly semimonthly threetimesamonth twiceamonth 每月 按月 逐月 月 \
                每月更新 按月更新 月更新 月更 每旬 每两周 双周 每半月 半月
                """
            ),
            (
                .quarterly,
                """
                quarterly quarter bimonthly annual4 每季 每季度 季 季度 按季 按季度 逐季 每季更新 每季度更新 按季度更新 按季更新 双月 \
                每两月 每兩月
                """
            ),
            (
                .halfYearly,
                """
                annual2 annual3 semiannual semiannually biannual biannually halfyearly halfyear threetimesayear twiceayear sixmonthly \
                每半年 半年 按半年 每半年更新 半年更新 半年度 按学期
                """
            ),
            (
                .yearly,
                """
                annual annually yearly year everyyear 每年 按年 逐年 年 年度 每年度 每年更新 按年更新 年更新 按年度更新 一年
                """
            ),
            (
                .irregular,
                """
                irreg irregular irregularly asneeded asrequired adhoc never neverupdated notplanned notupdated none other once onetime \
                onetimeonly punctual onrequest ondemand static historical archived biennial biennially triennial quadrennial \
                quinquennial decennial bidecennial tridecennial 不定期 不定期更新 不定时 不定時 不更新 不再更新 一次性 静态 非固定周期 \
                非固定週期 按需 按需更新 适时 適時 有变化时更新 其他 其它 静态数据 历史数据
                """
            ),
        ]
        var words: [String: HarvestFrequency] = [:]
        for (frequency, list) in lists {
            for word in list.split(separator: " ") { words[String(word)] = frequency }
        }
        return words
    }()
}
