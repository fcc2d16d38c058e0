import Basics
import Harvest
import Testing

@Suite struct DataJSONTests {
    @Test func aDatasetBecomesAnEntry() throws {
        let page = try read(
            .dataJSON,
            #"""
            {"conformsTo": "https://project-open-data.cio.gov/v1.1/schema", "dataset": [
             {"identifier": "1", "title": "Stops", "description": "All", "keyword": ["bus"], "publisher": {"@type": "org:Organization", "name": "Bureau"},
              "contactPoint": {"fn": "Wang wang@example.org", "hasEmail": "mailto:wang@example.org"}, "modified": "R/P1D", "issued": "2020-02",
              "license": "https://creativecommons.org/publicdomain/zero/1.0/", "theme": ["Transport"], "spatial": "Hangzhou", "isPartOf": "0",
              "landingPage": "https://d.example/1", "distribution": [{"downloadURL": "https://d.example/1.csv", "mediaType": "text/csv; charset=utf-8", "title": "CSV"},
              {"accessURL": "https://d.example/api", "format": "API"}, {"title": "nothing"}, 7]},
             {"identifier": "2", "title": "Lines", "modified": "2024-03-01", "accrualPeriodicity": "R/P3M"}, "x", {"title": ""}]}
            """#
        )
        let entry = try #require(page.entries.first)
        #expect(page.total == 4 && page.refusals.map(\.index) == [2, 3] && page.next == nil)
        #expect(entry.frequency == .daily && entry.modified == nil && entry.issued == "2020-02-01")
        #expect(entry.contact == nil && entry.notes == [.contactWithheld] && entry.partOf == "0")
        #expect(entry.licence == nil && entry.licenceLink == "https://creativecommons.org/publicdomain/zero/1.0/")
        #expect(entry.resources.map(\.link) == ["https://d.example/1.csv", "https://d.example/api"])
        #expect(entry.resources.map(\.format) == ["csv", "api"] && entry.resources[0].mediaType == "text/csv")
        #expect(page.entries[1].frequency == .quarterly && page.entries[1].modified == "2024-03-01")
    }

    @Test func versionOneWasAnArray() throws {
        let page = try read(
            .dataJSON,
            #"[{"title": "A", "identifier": "1", "keyword": "bus, stops", "accessURL": "http://a.example/x.xlsx"}]"#
        )
        #expect(
            page.entries.first?.keywords == ["bus", "stops"] && page.entries.first?.resources.first?.format == "xlsx"
        )
    }

    @Test func moreThanAPartFollowsFromTheSameBytes() throws {
        let all = (0..<10_007).map { #"{"identifier": "\#($0)", "title": "T\#($0)"}"# }.joined(separator: ",")
        let bytes = Array(#"{"dataset": [\#(all)]}"#.utf8)
        let first = try DataJSONReader().read(page: bytes)
        #expect(first.entries.count == 10_000 && first.next == .rest(10_000) && first.total == 10_007)
        let second = try DataJSONReader().read(page: bytes, at: first.next)
        #expect(second.entries.count == 7 && second.next == nil && second.entries.first?.identifier == "10000")
        #expect(try DataJSONReader().read(page: bytes, at: .rest(99_999)).entries.isEmpty)
    }

    @Test(arguments: ["{}", "[1]", #"{"dataset": {}}"#, #"{"@graph": []}"#])
    func somethingElseIsOneProblem(text: String) {
        #expect(#expect(throws: Problem.self) { try read(.dataJSON, text) }?.code == "harvest.format")
    }
}

@Suite struct UdataTests {
    @Test func aListBecomesEntries() throws {
        let page = try read(
            .udata,
            #"""
            {"data": [{"id": "5f", "title": "Arrêts", "description": "Tous", "frequency": "unknown", "tags": ["bus"], "page": "https://u.example/d/5f/",
              "license": "fr-lo", "created_at": "2021-01-06T17:35:53.838000+00:00", "last_modified": "2023-01-18T07:51:59+00:00",
              "owner": {"first_name": "A", "last_name": "B"}, "organization": {"name": "Bureau"}, "spatial": {"zones": ["fr:region:11"]},
              "resources": [{"title": "a", "url": "https://u.example/a.csv", "format": "csv", "mime": "text/csv", "filesize": 493}]},
              {"id": "60", "title": "X", "deleted": "2022-01-01T00:00:00"}],
             "next_page": "https://u.example/api/1/datasets/?page=2", "page": 1, "total": 21}
            """#
        )
        let entry = try #require(page.entries.first)
        #expect(page.next == .link("https://u.example/api/1/datasets/?page=2") && page.total == 21)
        #expect(page.refusals.map(\.problem.code) == ["harvest.entry_withdrawn"])
        #expect(entry.publisher == "Bureau" && entry.contact == nil && entry.frequency == nil && entry.notes.isEmpty)
        #expect(entry.issued == "2021-01-07T01:35:53+08:00" && entry.spatial == "fr:region:11")
        #expect(entry.resources.first?.bytes == 493)
    }
}

@Suite struct ListTests {
    static let taiwan = """
        資料集識別碼,資料集名稱,資料集描述,提供機關,更新頻率,檔案格式,資料下載網址,提供機關聯絡人姓名,上架日期,授權方式,服務分類
        6564,公車站牌位置,"全市公車站牌,含座標",交通局,每1月,CSV;JSON,https://d.example/a.csv;https://d.example/a.json?x=1;2,王小明 (02-27208889),2014/08/15,政府資料開放授權條款-第1版,交通及通訊
        6565,停車場即時剩餘車位,每5分鐘更新,停管處,即時,JSON,javascript:alert(1),,2015-02-30,,
        6566,,沒有名稱,停管處,不定期更新,CSV,https://d.example/c.csv,,,,
        6564,重複,,交通局,每年,CSV,,,,,
        """

    @Test(arguments: ["UTF-8", "BIG5", "UTF-16LE", "mark"])
    func rowsBecomeEntries(encoding: String) throws {
        let bytes: [UInt8]
        switch encoding {
        case "mark": bytes = [0xEF, 0xBB, 0xBF] + Array(ListTests.taiwan.utf8)
        case "UTF-16LE": bytes = [0xFF, 0xFE] + ListTests.taiwan.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        case "BIG5": bytes = try converted(ListTests.taiwan, to: encoding)
        default: bytes = Array(ListTests.taiwan.utf8)
        }
        let page = try ListReader().read(page: bytes)
        #expect(page.total == 4 && page.refusals.map(\.index) == [2, 3])
        #expect(page.refusals.map(\.problem.code) == ["harvest.entry_untitled", "harvest.entry_duplicate"])
        let entry = try #require(page.entries.first)
        #expect(entry.identifier == "6564" && entry.title == "公車站牌位置" && entry.summary == "全市公車站牌,含座標")
        #expect(entry.publisher == "交通局" && entry.frequency == .monthly && entry.contact == nil)
        #expect(entry.issued == "2014-08-15" && entry.licence == "政府資料開放授權條款-第1版" && entry.themes == ["交通及通訊"])
        #expect(entry.resources.map(\.link) == ["https://d.example/a.csv", "https://d.example/a.json?x=1;2"])
        #expect(entry.resources.map(\.format) == ["csv", "json"] && entry.notes == [.contactWithheld])
        #expect(page.entries[1].frequency == .realTime && page.entries[1].resources.isEmpty)
        #expect(page.entries[1].notes == [.linkRefused, .dateUnreadable])
    }

    @Test(
        arguments: [
            (
                "资源代码,信息资源名称,信息资源摘要,信息资源提供方,更新周期,信息资源格式,发布日期",
                "title identifier summary publisher frequency formats issued"
            ),
            ("数据集名称,数据集描述,关键词,联系人,更新日期,下载地址", "title summary keywords contact modified links"),
            (
                "Title,Description,Publisher,Update Frequency,License,Download URL,Last Updated",
                "title summary publisher frequency licence links modified"
            ),
            (
                "id,name,notes,tags,url,format,landing_page",
                "identifier title summary keywords links formats landing_page"
            ),
            ("資料集名稱(中文),資料下載網址(CSV)", "title links"), ("x,y,z", ""),
        ]
    )
    func mappingsAreProposed(header: String, fields: String) {
        let proposed = ColumnMapping.proposed(for: header.split(separator: ",").map(String.init))
        #expect(Set(proposed.columns.keys.map(\.rawValue)) == Set(fields.split(separator: " ").map(String.init)))
    }

    @Test func aMappingIsFollowed() throws {
        let settings = HarvestSettings(
            address: "https://d.example/list.csv",
            columns: ColumnMapping([.title: "b", .landingPage: "c"])
        )
        let page = try ListReader(settings).read(page: Array("a,b,c\n1,One,/dataset/one\n2,Two,x\n3,Three,\n".utf8))
        #expect(
            page.entries.map(\.identifier) == ["https://d.example/dataset/one", "https://d.example/x", "title:/three"]
        )
        let wrong = HarvestSettings(columns: ColumnMapping([.title: "z"]))
        let problem = #expect(throws: Problem.self) { try ListReader(wrong).read(page: Array("a,b\n1,2\n".utf8)) }
        #expect(problem?.code == "harvest.columns" && problem?.details["columns"] == "a, b")
    }

    @Test(
        arguments: [
            ("", "harvest.format"), ("<html><body>x", "file.unsupported"),
            ("<?xml version='1.0'?><a/>", "harvest.format"),
            (#"[{"title": "a"}]"#, "harvest.format"), ("%PDF-1.4", "file.unsupported"),
            ("a,b\n1,2\n", "harvest.columns"),
            ("PK\u{03}\u{04}", "file.damaged"),
        ]
    )
    func somethingElseIsOneProblem(text: String, code: String) {
        #expect(#expect(throws: Problem.self) { try read(.csv, text) }?.code == code)
        let old = #expect(throws: Problem.self) { try ListReader().read(page: [0xD0, 0xCF, 0x11, 0xE0, 0, 0]) }
        #expect(old?.code == "harvest.format")
    }
}
