public import Basics

/// The forms that other people's catalogues come in.
public enum HarvestKind: String, Sendable, CaseIterable, Hashable {
    /// CKAN's Action API v3: `package_search`, or `package_list` with `package_show`.
    case ckan
    /// DCAT 2/3 and DCAT-AP as JSON-LD, with Hydra paging.
    case dcat
    /// DCAT-US 1.1: `data.json`.
    case dataJSON = "data_json"
    /// A list with a header: CSV, TSV or a workbook.
    case csv
    /// udata's API v1 and v2: `/api/1/datasets/`.
    case udata

    public var title: LocalizedText {
        switch self {
        case .ckan: .init("CKAN 接口", "CKAN Action API")
        case .dcat: .init("DCAT(JSON-LD)", "DCAT (JSON-LD)")
        case .dataJSON: .init("data.json(DCAT-US)", "data.json (DCAT-US)")
        case .csv: .init("目录清单(CSV)", "list of datasets (CSV)")
        case .udata: .init("udata 接口", "udata API")
        }
    }

    /// What a page of the kind must be, for messages.
    var expectation: LocalizedText {
        switch self {
        case .ckan:
            .init(
                "CKAN Action API v3 的 JSON 应答(含 success 与 result)",
                "an answer of the CKAN Action API v3 (success, result)"
            )
        case .dcat: .init("含 dcat:Dataset 的 JSON-LD", "JSON-LD with dcat:Dataset")
        case .dataJSON: .init("含 dataset 数组的 data.json", "a data.json with the array dataset")
        case .csv: .init("带表头的 CSV 或工作簿", "a CSV or a workbook with a header")
        case .udata: .init("udata 接口的 JSON 应答(含 data 数组)", "an answer of the udata API with the array data")
        }
    }
}

/// What a reader knows of a source beside its bytes.
public struct HarvestSettings: Sendable, Hashable {
    /// The address that the page was fetched from: relative links start there; nil refuses them.
    public var address: String?
    /// Which languages are taken first where a text comes in several, as lower-case BCP 47 tags.
    public var languages: [String]
    /// The offset of times without a zone, in microseconds; China's, as everywhere in the project. CKAN's are UTC.
    public var zone: Int64
    /// Which column holds what, for lists; without one it is proposed from the header.
    public var columns: ColumnMapping?

    public init(
        address: String? = nil,
        languages: [String] = ["zh-hans", "zh-cn", "zh", "zh-hant", "zh-tw", "en"],
        zone: Int64 = CivilTime.chinaOffset,
        columns: ColumnMapping? = nil
    ) {
        self.address = address
        self.languages = languages
        self.zone = zone
        self.columns = columns
    }
}

extension HarvestKind {
    /// The reader of the kind.
    public func reader(_ settings: HarvestSettings = HarvestSettings()) -> any HarvestReader {
        switch self {
        case .ckan: CKANReader(settings)
        case .dcat: DCATReader(settings)
        case .dataJSON: DataJSONReader(settings)
        case .csv: ListReader(settings)
        case .udata: UdataReader(settings)
        }
    }
}
