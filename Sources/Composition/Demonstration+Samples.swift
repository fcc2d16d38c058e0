import Basics
import Catalogue
import Codes
import Tabular

extension Demonstration {
    /// Facts with their source named, and records that are plainly invented (演示数据).
    static func samples() -> [Sample] {
        [divisions(), classes(), holidays(), checkpoints(), vehicles(), permits(), stations()]
    }

    static func divisions() -> Sample {
        let rows = Divisions.children(of: nil).compactMap { code in
            Divisions.entries(code).last.map { "\(code),\($0.name),\($0.firstYear)" }
        }
        return Sample(
            name: "省级行政区划代码",
            category: "101001",
            summary: "省、自治区、直辖市和特别行政区的行政区划代码与名称,依据民政部历次公布的 GB/T 2260 代码整理。",
            keywords: ["行政区划", "代码"],
            frequency: .yearly,
            schema: Schema(
                fields: [
                    Field("code", title: "行政区划代码", required: true, unique: true, kind: .divisionCode, indexed: true),
                    Field("name", title: "名称", required: true),
                    Field("first_year", .integer, title: "最早公布年份"),
                ],
                key: ["code"]
            ),
            csv: "code,name,first_year\n" + rows.joined(separator: "\n") + "\n",
            stop: .open
        )
    }

    static func classes() -> Sample {
        let rows = [
            "1,爆炸品", "2.1,易燃气体", "2.2,非易燃无毒气体", "2.3,毒性气体", "3,易燃液体", "4.1,易燃固体、自反应物质", "4.2,易于自燃的物质",
            "4.3,遇水放出易燃气体的物质", "5.1,氧化性物质",
            "5.2,有机过氧化物", "6.1,毒性物质", "6.2,感染性物质", "7,放射性物质", "8,腐蚀性物质", "9,杂项危险物质和物品",
        ]
        return Sample(
            name: "危险货物分类",
            category: "301010",
            summary: "联合国《关于危险货物运输的建议书》的危险货物类别和项别,用于运单、许可与罐体核对。",
            keywords: ["危险货物", "分类"],
            frequency: .irregular,
            schema: Schema(
                fields: [
                    Field("class", title: "类别", required: true, unique: true),
                    Field("name", title: "名称", required: true),
                ],
                key: ["class"]
            ),
            csv: "class,name\n" + rows.joined(separator: "\n") + "\n",
            stop: .open
        )
    }

    static func holidays() -> Sample {
        let rows = [
            "2026-01-01,元旦,放假", "2026-01-02,元旦,放假", "2026-01-03,元旦,放假", "2026-01-04,元旦,上班", "2026-02-14,春节,上班",
            "2026-02-15,春节,放假", "2026-02-16,春节,放假",
            "2026-02-17,春节,放假", "2026-02-18,春节,放假", "2026-02-19,春节,放假", "2026-02-20,春节,放假", "2026-02-21,春节,放假",
            "2026-02-22,春节,放假", "2026-02-23,春节,放假",
            "2026-02-28,春节,上班", "2026-04-04,清明节,放假", "2026-04-05,清明节,放假", "2026-04-06,清明节,放假", "2026-05-01,劳动节,放假",
            "2026-05-02,劳动节,放假",
        ]
        return Sample(
            name: "节假日安排(2026 年上半年)",
            category: "301099",
            summary: "国务院办公厅公布的放假调休安排,供出行服务和时限计算使用。",
            keywords: ["节假日", "工作日"],
            frequency: .yearly,
            schema: Schema(
                fields: [
                    Field("day", .date, title: "日期", required: true, unique: true),
                    Field("holiday", title: "节日", required: true),
                    Field("arrangement", title: "安排", required: true, codes: [CodeValue("放假"), CodeValue("上班")]),
                ],
                key: ["day"]
            ),
            csv: "day,holiday,arrangement\n" + rows.joined(separator: "\n") + "\n",
            stop: .open
        )
    }

    /// A fixed sequence, so that every node shows the same.
    struct Sequence {
        var state: UInt64
        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }

    static func checkpoints() -> Sample {
        var random = Sequence(state: 7)
        let names = ["站前街", "中山路", "和平路", "建设大街", "体育大街", "裕华路", "槐安路", "平安大街"]
        let directions = ["由东向西", "由西向东", "由南向北", "由北向南"]
        var lines = ["id,name,direction,longitude,latitude,lanes"]
        for index in 1...180 {
            let longitude = 114_400_000 + random.next(250_000)
            let latitude = 37_980_000 + random.next(150_000)
            // A few faults on purpose: they end in quarantine, with reasons.
            let lanes = index % 37 == 0 ? "六" : String(2 + random.next(5))
            let x = index % 61 == 0 ? 314_400_000 : longitude
            lines.append(
                "SF\(10_000 + index),\(names[random.next(8)])与\(names[random.next(8)])交口,\(directions[random.next(4)]),\(x / 1_000_000).\(padded(x % 1_000_000)),\(latitude / 1_000_000).\(padded(latitude % 1_000_000)),\(lanes)"
            )
        }
        let correction =
            ([lines[0]] + lines.filter { $0.hasSuffix(",六") }.map { $0.dropLast() + "6" }).joined(separator: "\n")
            + "\n"
        return Sample(
            name: "道路卡口点位(演示数据)",
            category: "301001",
            summary: "演示数据:示范市道路交通卡口的名称、方向、车道数和位置,均为虚构,其中有意留有几处错误。",
            keywords: ["卡口", "路网", "点位"],
            frequency: .monthly,
            schema: Schema(
                fields: [
                    Field("id", title: "卡口编号", required: true, unique: true),
                    Field("name", title: "卡口名称", required: true),
                    Field("direction", title: "方向", codes: directions.map { CodeValue($0) }, indexed: true),
                    Field(
                        "longitude",
                        .real,
                        title: "经度",
                        unit: "度",
                        required: true,
                        minimum: 73,
                        maximum: 136,
                        kind: .longitude
                    ),
                    Field(
                        "latitude",
                        .real,
                        title: "纬度",
                        unit: "度",
                        required: true,
                        minimum: 3,
                        maximum: 54,
                        kind: .latitude
                    ),
                    Field("lanes", .integer, title: "车道数", unit: "条", minimum: 1, maximum: 12),
                ],
                key: ["id"]
            ),
            csv: lines.joined(separator: "\n") + "\n",
            stop: .open,
            correction: correction
        )
    }

    static func padded(_ value: Int) -> String {
        String(repeating: "0", count: max(0, 6 - String(value).count)) + String(value)
    }

    static func vehicles() -> Sample {
        var random = Sequence(state: 11)
        let kinds = ["客车", "货车", "危货运输车", "出租汽车", "公交车"]
        let families = Array("王李张刘陈杨赵黄周吴")
        let letters = Array("ABCDEFGHJKLMNPQRSTUVWXYZ")
        var lines = ["plate,color,kind,owner,phone,seats,valid_until"]
        for index in 1...240 {
            let plate = "冀\(letters[random.next(6)])\(10_000 + index * 37)"
            let phone = index % 45 == 0 ? "1380000" : "139\(10_000_000 + random.next(89_999_999))"
            lines.append(
                "\(plate),\(1 + random.next(4)),\(kinds[random.next(5)]),\(families[random.next(10)])某\(random.next(2) == 0 ? "" : "某"),\(phone),\(5 + random.next(45)),\(2026 + random.next(4))-\(index % 2 == 0 ? "06" : "12")-30"
            )
        }
        return Sample(
            name: "营运车辆基本信息(演示数据)",
            category: "301003",
            summary: "演示数据:营运车辆的号牌、类型、经营者与有效期,均为虚构;号牌、姓名、电话按个人信息脱敏。",
            keywords: ["营运车辆", "道路运输"],
            frequency: .daily,
            schema: Schema(
                fields: [
                    Field(
                        "plate",
                        title: "号牌",
                        required: true,
                        unique: true,
                        kind: .plate,
                        grade: .general3,
                        indexed: true
                    ),
                    Field(
                        "color",
                        title: "号牌颜色",
                        codes: [CodeValue("1", "蓝"), CodeValue("2", "黄"), CodeValue("3", "黑"), CodeValue("4", "白")]
                    ),
                    Field("kind", title: "车辆类型", codes: kinds.map { CodeValue($0) }, indexed: true),
                    Field("owner", title: "经营者", kind: .personName, grade: .general3),
                    Field("phone", title: "联系电话", pattern: "1[3-9]\\d{9}", kind: .phone, grade: .general3),
                    Field("seats", .integer, title: "座位数", unit: "座", minimum: 1, maximum: 80),
                    Field("valid_until", .date, title: "有效期至"),
                ],
                key: ["plate"]
            ),
            csv: lines.joined(separator: "\n") + "\n",
            stop: .secrecy
        )
    }

    static func permits() -> Sample {
        var lines = ["number,business,kind,issued,valid_until"]
        for index in 1...60 {
            lines.append(
                "130100\(100_000 + index),示范运输\(index)号企业,\(index % 3 == 0 ? "旅客运输" : "货物运输"),2024-0\(1 + index % 9)-15,2028-0\(1 + index % 9)-14"
            )
        }
        return Sample(
            name: "道路运输经营许可(演示数据)",
            category: "301003",
            summary: "演示数据:道路运输经营许可证号、经营者名称、经营范围与有效期,均为虚构。",
            keywords: ["许可", "道路运输"],
            frequency: .weekly,
            schema: Schema(
                fields: [
                    Field("number", title: "许可证号", required: true, unique: true, kind: .transportCertificate),
                    Field("business", title: "经营者", required: true, kind: .organisationName),
                    Field("kind", title: "经营范围", codes: [CodeValue("旅客运输"), CodeValue("货物运输")], indexed: true),
                    Field("issued", .date, title: "发证日期"),
                    Field("valid_until", .date, title: "有效期至"),
                ],
                key: ["number"]
            ),
            csv: lines.joined(separator: "\n") + "\n",
            stop: .authority
        )
    }

    static func stations() -> Sample {
        var random = Sequence(state: 3)
        var lines = ["id,name,longitude,latitude,daily_passengers"]
        for index in 1...40 {
            let x = 114_450_000 + random.next(120_000)
            let y = 38_010_000 + random.next(80_000)
            lines.append(
                "KY\(100 + index),示范客运站\(index),\(x / 1_000_000).\(padded(x % 1_000_000)),\(y / 1_000_000).\(padded(y % 1_000_000)),\(500 + random.next(9000))"
            )
        }
        return Sample(
            name: "客运站发送量(演示数据)",
            category: "301011",
            summary: "演示数据:客运站位置与日均发送旅客量,均为虚构,等待部门审核。",
            keywords: ["客运站", "出行"],
            frequency: .daily,
            schema: Schema(
                fields: [
                    Field("id", title: "站点编号", required: true, unique: true),
                    Field("name", title: "站名", required: true),
                    Field("longitude", .real, title: "经度", unit: "度", minimum: 73, maximum: 136, kind: .longitude),
                    Field("latitude", .real, title: "纬度", unit: "度", minimum: 3, maximum: 54, kind: .latitude),
                    Field("daily_passengers", .integer, title: "日均发送量", unit: "人次", minimum: 0),
                ],
                key: ["id"]
            ),
            csv: lines.joined(separator: "\n") + "\n",
            stop: .department
        )
    }
}
