import Basics

extension SemanticKind {
    /// Words in names that tell what a column means.
    static let names: [(words: [String], kind: SemanticKind)] = [
        (["统一社会信用代码", "信用代码", "uscc", "credit_code"], .creditCode),
        (["组织机构代码"], .organisationCode),
        (["身份证", "公民身份", "证件号", "id_card", "idcard"], .residentID),
        (["行政区划代码", "区划代码", "region_code", "adcode", "division_code"], .divisionCode),
        (["箱号", "container_no", "container"], .container),
        (["车架号", "车辆识别", "vin"], .vin),
        (["车牌", "号牌", "plate_no", "plate"], .plate),
        (["mmsi"], .mmsi),
        (["imo"], .imoNumber),
        (["从业资格证"], .qualificationCertificate),
        (["道路运输证"], .transportCertificate),
        (["桩号", "stake"], .stake),
        (["路线编号", "route_code"], .routeNumber),
        (["手机", "电话", "联系方式", "phone", "mobile", "tel"], .phone),
        (["邮箱", "email", "e-mail"], .email),
        (["银行卡", "银行账号"], .bankCard),
        (["经度", "longitude", "lng", "lon", "xlong"], .longitude),
        (["纬度", "latitude", "lat", "ylat"], .latitude),
        (["姓名", "owner_name", "driver_name", "联系人", "负责人", "驾驶员"], .personName),
        (["地址", "住址", "address"], .address),
        (["单位名称", "企业名称", "业户名称", "公司名称", "机构名称", "company_name"], .organisationName),
    ]

    /// What a name, or a title, says that its values are; nil where it says nothing.
    public static func suggested(by name: String) -> SemanticKind? {
        let lower = TextForms.halfWidth(name).lowercased()
        for (words, kind) in names {
            for word in words {
                let isShort = word.utf8.count <= 4 && word.utf8.allSatisfy { $0 < 0x80 }
                let fits =
                    isShort
                    ? lower.split(whereSeparator: { !$0.isLetter }).contains { $0 == word } : lower.contains(word)
                if fits { return kind }
            }
        }
        return nil
    }
}
