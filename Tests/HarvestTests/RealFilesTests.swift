import Basics
import Foundation
import Harvest
import Tabular
import TestKit
import Testing

/// Real catalogues of others; each test skips where its file is absent.
@Suite struct RealFilesTests {
    @Test func birmingham() throws {
        guard let bytes = SharedFiles.bytes("ckan_birmingham_package_search.json") else { return }
        let page = try CKANReader().read(page: bytes)
        #expect(page.entries.count == 10 && page.total == 38 && page.next == .offset(10) && page.refusals.isEmpty)
        let first = try #require(page.entries.first)
        #expect(
            first.identifier == "cf552d08-cee9-43bf-8c0f-3196a9311799" && first.title == "Purchase Card Transactions"
        )
        #expect(first.publisher == "Birmingham City Council" && first.themes == ["Council Business"])
        #expect(first.resources.count == 45 && first.resources[0].format == "xls")
        #expect(first.landingPage == "https://data.birmingham.gov.uk/dataset/purchase-card-transactions")
        #expect(first.issued == "2014-12-01T18:29:19+08:00" && first.licence == "UK Open Government Licence (OGL)")
    }

    @Test func philadelphia() throws {
        guard let url = SharedFiles.url("data/08_catalogues/dcat_us_catalog.json.gz") else { return }
        let source = try GzipSource(FileSource(path: url.path))
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = try chunk.withUnsafeMutableBytes({ try source.read(into: $0) }), count > 0 {
            bytes += chunk[..<count]
        }
        let page = try DataJSONReader().read(page: bytes)
        #expect(page.entries.count == 402 && page.refusals.isEmpty && page.total == 402 && page.next == nil)
        #expect(page.entries.count { $0.frequency == .daily } == 11)
        #expect(page.entries.allSatisfy { $0.modified == nil })
        let first = try #require(page.entries.first)
        #expect(first.identifier == "2009-2012-police-advisory-commission-complaints" && first.resources.count == 5)
        #expect(first.spatial == "Philadelphia, Pennsylvania" && first.publisher == "City of Philadelphia")
        #expect(page.entries.count { $0.licenceLink != nil } > 300)
        #expect(page.entries.reduce(0) { $0 + $1.resources.count } > 2700)
    }

    @Test func kaohsiung() throws {
        guard let bytes = SharedFiles.bytes("kaohsiung_open_datasets_2018.csv") else { return }
        let none = #expect(throws: Problem.self) { try ListReader().read(page: bytes) }
        #expect(none?.code == "harvest.columns" && none?.details["columns"] == "column_1, column_2, column_3")
        let columns = ColumnMapping([.title: "column_1", .summary: "column_2", .landingPage: "column_3"])
        let settings = HarvestSettings(address: "https://data.kaohsiung.example/list.csv", columns: columns)
        let page = try ListReader(settings).read(page: bytes)
        let first = try #require(page.entries.first)
        #expect(first.title == "電動機車充電站名稱及充電站地址" && first.origin == .link)
        #expect(first.identifier == "https://data.kaohsiung.example/dataset/electric-moto-station")
        #expect(page.entries.count + page.refusals.count == page.total)
        #expect(page.entries.count > 1400, "\(page.entries.count) \(page.refusals.count)")
    }

    @Test func dataGouv() throws {
        guard let bytes = SharedFiles.bytes("udata_sample_datasets.json") else { return }
        let page = try UdataReader().read(page: bytes)
        #expect(page.entries.count == 15 && page.refusals.isEmpty)
        let first = try #require(page.entries.first)
        #expect(first.identifier == "5ff5e6e99724cb8fff59a5be" && first.resources.count == 22)
        #expect(first.publisher == "Service d'Information du Gouvernement" && first.frequency == .irregular)
        #expect(first.title == "Baromètre des résultats de l’action publique")
    }

    @Test(arguments: ["mobility_database_catalog.zip", "opendataphilly_jkan.zip"])
    func otherKindsAreToldApart(name: String) throws {
        guard let bytes = SharedFiles.bytes(name) else { return }
        for kind in HarvestKind.allCases {
            #expect(throws: Problem.self, "\(kind)") { try kind.reader().read(page: bytes) }
        }
    }
}
