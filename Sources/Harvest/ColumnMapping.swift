public import Basics

/// Which column of a list holds what.
public struct ColumnMapping: Sendable, Hashable {
    /// The fields of ours that a list can give.
    public enum Field: String, Sendable, CaseIterable, Hashable {
        case identifier, title, summary, keywords, publisher, contact, issued, modified, frequency, licence, themes
        case licenceLink = "licence_link"
        case landingPage = "landing_page"
        case spatial
        /// One link, or several between semicolons, bars, commas before `http`, or line ends.
        case links
        /// One format for all links, or one for each.
        case formats
        case resourceNames = "resource_names"

        public var title: LocalizedText {
            switch self {
            case .identifier: .init("标识", "identifier")
            case .title: .init("名称", "title")
            case .summary: .init("摘要", "summary")
            case .keywords: .init("关键词", "keywords")
            case .publisher: .init("提供机构", "publisher")
            case .contact: .init("联系人", "contact")
            case .issued: .init("发布日期", "issued")
            case .modified: .init("更新日期", "modified")
            case .frequency: .init("更新频率", "frequency")
            case .licence: .init("许可", "licence")
            case .licenceLink: .init("许可链接", "link of the licence")
            case .themes: .init("主题", "themes")
            case .landingPage: .init("详情页", "landing page")
            case .spatial: .init("空间范围", "spatial extent")
            case .links: .init("数据链接", "links of data")
            case .formats: .init("格式", "formats")
            case .resourceNames: .init("资源名称", "names of resources")
            }
        }
    }

    /// Our field → their column, as the header writes it.
    public var columns: [Field: String]

    public init(_ columns: [Field: String]) { self.columns = columns }

    /// The mapping that a header suggests; each column serves one field at the most. Without a `title` it is no use yet.
    ///
    /// Names are compared as `TextForms.comparable`: first whole, then as a part of the column's name (`資料集名稱(中文)`).
    public static func proposed(for header: [String]) -> ColumnMapping {
        let names = header.map { TextForms.comparable($0) }
        var columns: [Field: String] = [:]
        var used: Set<Int> = []
        for isWhole in [true, false] {
            for (field, words) in ColumnNames.words where columns[field] == nil {
                let places = words.lazy.compactMap { word -> Int? in
                    // Short words stand in too many others.
                    if !isWhole, word.unicodeScalars.count < (word.utf8.count > word.unicodeScalars.count ? 3 : 6) {
                        return nil
                    }
                    return names.indices.first {
                        !used.contains($0) && (isWhole ? names[$0] == word : names[$0].contains(word))
                    }
                }
                guard let place = places.first else { continue }
                used.insert(place)
                columns[field] = header[place]
            }
        }
        return ColumnMapping(columns)
    }
}

/// The names that portals give the columns of their lists, in the form of `TextForms.comparable`.
enum ColumnNames {
    static let words: [(field: ColumnMapping.Field, words: [String])] = [
        (
            .identifier,
            list(
                """
                資料集識別碼 数据集标识 数据集编号 数据集id 资源代码 信息资源代码 資料集編號 识别码 標識 标识 编号 目录编码 datasetid \
                identifier dataset_id resourcecode uuid id
                """
            )
        ),
        (
            .title,
            list(
                """
                資料集名稱 数据集名称 数据名称 資料名稱 信息资源名称 资源名称 目录名称 数据目录名称 标题 標題 名稱 名称 datasettitle \
                datasetname title name
                """
            )
        ),
        (
            .summary,
            list(
                """
                資料集描述 数据集描述 資料集說明 数据集说明 主要欄位說明 信息资源摘要 资源摘要 数据简介 数据描述 描述 摘要 简介 簡介 說明 说明 \
                description summary abstract notes
                """
            )
        ),
        (
            .keywords,
            list(
                """
                關鍵字 关键字 关键词 關鍵詞 標籤 标签 keywords keyword tags tag
                """
            )
        ),
        (
            .publisher,
            list(
                """
                提供機關 提供机关 提供机构 提供單位 提供单位 信息资源提供方 数据提供方 资源提供方 数据来源部门 来源部门 发布机构 发布单位 主管機關 部门 單位 机构 \
                机关 publisher organization organisation agency department provider
                """
            )
        ),
        (
            .contact,
            list(
                """
                提供機關聯絡人姓名 聯絡人 联系人 联系人姓名 contactname contactpoint contact
                """
            )
        ),
        (
            .issued,
            list(
                """
                上架日期 发布日期 發布日期 首次发布日期 首次发布时间 发布时间 发布时期 issued releasedate publisheddate \
                datecreated created
                """
            )
        ),
        (
            .modified,
            list(
                """
                詮釋資料更新時間 资料更新时间 更新日期 更新时间 最后更新时间 最后更新日期 最近更新時間 更新時間 modified lastmodified \
                lastupdated updated dateupdated metadatamodified
                """
            )
        ),
        (
            .frequency,
            list(
                """
                更新頻率 更新频率 更新周期 更新週期 updatefrequency frequency accrualperiodicity periodicity
                """
            )
        ),
        (
            .licence,
            list(
                """
                授權方式 授权方式 许可协议 许可 授權 開放授權 使用许可 license licence licensetitle
                """
            )
        ),
        (
            .licenceLink,
            list(
                """
                授權說明網址 授权说明网址 许可链接 licenseurl licenceurl
                """
            )
        ),
        (
            .themes,
            list(
                """
                服務分類 主題分類 主题分类 所属主题 领域 数据领域 分類 分类 类别 theme themes category categories topic
                """
            )
        ),
        (
            .landingPage,
            list(
                """
                資料集網址 详情页 詳細頁面 目录链接 页面地址 landingpage page dataseturl homepage
                """
            )
        ),
        (
            .spatial,
            list(
                """
                空间范围 空間範圍 涵蓋區域 覆盖范围 行政区域 spatial spatialcoverage coverage region
                """
            )
        ),
        (
            .links,
            list(
                """
                資料下載網址 数据下载网址 资料下载网址 下載網址 下载地址 下载链接 数据链接 数据地址 资源链接 資料資源網址 接口地址 链接 連結 网址 網址 \
                downloadurl accessurl resourceurl url link links download
                """
            )
        ),
        (
            .formats,
            list(
                """
                檔案格式 文件格式 数据格式 資料格式 信息资源格式 资源格式 格式 format formats fileformat filetype
                """
            )
        ),
        (
            .resourceNames,
            list(
                """
                資源名稱 文件名称 檔案名稱 资料资源名称 資料資源名稱 resourcename filename distributiontitle
                """
            )
        ),
    ]

    private static func list(_ text: String) -> [String] {
        text.split(separator: " ").map { TextForms.comparable(String($0)) }
    }
}
