import Basics
import Harvest
import Testing

@Suite struct DCATTests {
    static let compacted = #"""
        {"@context": {"dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/", "v": "http://www.w3.org/2006/vcard/ns#",
                      "foaf": "http://xmlns.com/foaf/0.1/", "hydra": "http://www.w3.org/ns/hydra/core#"},
         "@graph": [
          {"@id": "https://d.example/catalog", "@type": "dcat:Catalog", "dcat:dataset": [{"@id": "https://d.example/1"}, {"@id": "https://d.example/9"}]},
          {"@id": "https://d.example/1", "@type": ["dcat:Dataset"], "dct:title": [{"@value": "Stops", "@language": "en"}, {"@value": "站点", "@language": "zh"}],
           "dct:description": {"@value": "All stops", "@language": "en"}, "dcat:keyword": [{"@value": "bus", "@language": "en"}, {"@value": "公交", "@language": "zh"}],
           "dct:publisher": {"@id": "https://d.example/org"}, "dct:modified": {"@value": "2024-05-01T10:00:00Z", "@type": "xsd:dateTime"},
           "dct:issued": {"@value": "2020-01-31"}, "dct:accrualPeriodicity": {"@id": "http://publications.europa.eu/resource/authority/frequency/ANNUAL_2"},
           "dcat:theme": {"@id": "http://publications.europa.eu/resource/authority/data-theme/TRAN"}, "dcat:landingPage": {"@id": "https://d.example/page/1"},
           "dcat:contactPoint": {"@type": "v:Organization", "v:fn": "Data office", "v:hasEmail": {"@id": "mailto:x@example.org"}},
           "dcat:distribution": {"@id": "_:b1"}},
          {"@id": "_:b1", "@type": "dcat:Distribution", "dct:title": "stops.csv", "dcat:downloadURL": {"@id": "https://d.example/stops.csv"},
           "dcat:accessURL": {"@id": "https://d.example/access"}, "dct:license": {"@id": "https://creativecommons.org/licenses/by/4.0/"},
           "dcat:mediaType": {"@id": "https://www.iana.org/assignments/media-types/text/csv"}, "dcat:byteSize": {"@value": "2048", "@type": "xsd:decimal"},
           "dct:format": {"@id": "http://publications.europa.eu/resource/authority/file-type/CSV"}},
          {"@id": "https://d.example/org", "@type": "foaf:Agent", "foaf:name": "Transport Bureau"},
          {"@id": "https://d.example/catalog?page=1", "@type": "hydra:PagedCollection", "hydra:nextPage": "http://d.example/catalog?page=2",
           "hydra:totalItems": {"@value": "7", "@type": "xsd:integer"}}]}
        """#
    static let settings = HarvestSettings(address: "https://d.example/catalog.jsonld")

    @Test func aGraphBecomesEntries() throws {
        let page = try read(.dcat, DCATTests.compacted, DCATTests.settings)
        #expect(page.total == 7 && page.next == .link("https://d.example/catalog?page=2"))
        #expect(page.refusals.map(\.problem.code) == ["harvest.entry_undescribed"])
        let entry = try #require(page.entries.first)
        #expect(entry.identifier == "https://d.example/1" && entry.title == "站点" && entry.summary == "All stops")
        #expect(entry.keywords == ["公交"] && entry.publisher == "Transport Bureau" && entry.contact == "Data office")
        #expect(entry.issued == "2020-01-31" && entry.modified == "2024-05-01T18:00:00+08:00")
        #expect(entry.frequency == .halfYearly && entry.themes == ["TRAN"])
        #expect(entry.landingPage == "https://d.example/page/1")
        #expect(entry.licenceLink == "https://creativecommons.org/licenses/by/4.0/")
        #expect(
            entry.resources == [
                HarvestedResource(
                    name: "stops.csv",
                    link: "https://d.example/stops.csv",
                    format: "csv",
                    mediaType: "text/csv",
                    bytes: 2048
                )
            ]
        )
    }

    /// The same dataset in the forms that JSON-LD can take.
    @Test(
        arguments: [
            // Expanded.
            #"[{"@id": "https://d.example/1", "@type": ["http://www.w3.org/ns/dcat#Dataset"], "http://purl.org/dc/terms/title": [{"@value": "Stops"}], "http://purl.org/dc/terms/publisher": [{"@id": "_:o"}], "http://www.w3.org/ns/dcat#distribution": [{"@id": "_:d"}]}, {"@id": "_:o", "http://xmlns.com/foaf/0.1/name": [{"@value": "Bureau"}]}, {"@id": "_:d", "http://www.w3.org/ns/dcat#accessURL": [{"@id": "https://d.example/x"}]}]"#,
            // Nested, a remote context with DCAT-AP's terms.
            #"{"@context": "https://semiceu.github.io/DCAT-AP/releases/3.0.1/context/dcat-ap.jsonld", "@id": "/catalog", "@type": "Catalogue", "dataset": [{"@id": "1", "@type": "Dataset", "title": {"en": "Stops", "fr": "Arrêts"}, "publisher": {"@type": "Agent", "name": "Bureau"}, "datasetDistribution": [{"@type": "Distribution", "accessUrl": "https://d.example/x"}]}]}"#,
            // Terms of its own, a base, a vocabulary, aliases.
            #"{"@context": [{"@vocab": "http://www.w3.org/ns/dcat#", "@base": "https://d.example/", "t": "http://purl.org/dc/terms/", "name": {"@id": "t:title", "@language": "EN"}, "by": {"@id": "t:publisher", "@type": "@id"}, "uri": "@id", "kind": "@type", "called": "http://xmlns.com/foaf/0.1/name"}], "@graph": {"uri": "1", "kind": "Dataset", "name": "Stops", "by": {"uri": "o", "called": "Bureau"}, "distribution": {"accessURL": {"uri": "x"}}}}"#,
            // A prefix of its own, https namespaces, sets and lists.
            #"{"@context": {"d": "https://www.w3.org/ns/dcat#", "terms": "http://purl.org/dc/terms/", "ex": "https://d.example/"}, "@id": "ex:1", "@type": "d:Dataset", "terms:title": {"@set": ["Stops"]}, "terms:publisher": "Bureau", "d:distribution": {"@list": [{"d:accessURL": {"@id": "ex:x"}}]}}"#,
        ]
    )
    func allFormsSayTheSame(text: String) throws {
        let page = try read(.dcat, text, DCATTests.settings)
        let entry = try #require(page.entries.first)
        #expect(page.refusals.isEmpty && page.entries.count == 1)
        #expect(entry.identifier == "https://d.example/1" && entry.title == "Stops" && entry.publisher == "Bureau")
        #expect(entry.resources.map(\.link) == ["https://d.example/x"])
    }

    @Test func theMainIdentifierIsTheOneInTheCatalogue() throws {
        let page = try read(
            .dcat,
            #"{"@graph": [{"@id": "https://d.example/1", "@type": "dcat:Dataset", "dct:title": "A", "dct:identifier": "101"}, {"@type": "dcat:Dataset", "dct:title": "B!", "dct:publisher": "Bureau"}, {"@id": "_:x", "@type": "dcat:Dataset", "dct:title": "C", "dcat:landingPage": "https://d.example/c"}, {"@id": "_:y", "@type": "dcat:Dataset", "dct:title": "D", "dct:identifier": 101}]}"#
        )
        #expect(page.entries.map(\.identifier) == ["101", "title:bureau/b", "https://d.example/c"])
        #expect(page.entries.map(\.origin) == [.source, .composed, .link])
        #expect(page.refusals.map(\.problem.code) == ["harvest.entry_duplicate"])
    }

    @Test func theNextPageStaysOnTheHost() throws {
        let elsewhere = DCATTests.compacted.replacing(
            "http://d.example/catalog?page=2",
            with: "http://evil.example/catalog"
        )
        let problem = #expect(throws: Problem.self) { try read(.dcat, elsewhere, DCATTests.settings) }
        #expect(problem?.code == "harvest.next_elsewhere")
        let relative = DCATTests.compacted.replacing("http://d.example/catalog?page=2", with: "?page=2")
        #expect(try read(.dcat, relative, DCATTests.settings).next == .link("https://d.example/catalog.jsonld?page=2"))
        #expect(throws: Problem.self) { try read(.dcat, relative) }
    }

    @Test(arguments: ["{}", "[]", #"{"success": true, "result": {}}"#, "3", #"{"@graph": [{"@type": "foaf:Person"}]}"#])
    func aDocumentWithoutDatasetsIsOneProblem(text: String) {
        let problem = #expect(throws: Problem.self) { try read(.dcat, text) }
        #expect(problem?.code == "harvest.format")
    }

    @Test func anEmptyCatalogueIsNone() throws {
        #expect(try read(.dcat, #"{"@type": "dcat:Catalog"}"#).entries.isEmpty)
    }

    @Test(arguments: [
        "7", "true", "null", #""x""#, "[]", "[[1]]", "{}", #"{"@id": 7}"#, #"{"@value": {}}"#,
        #"{"@list": {"@list": []}}"#, #"{"@context": {"a": "a", "b": "c:d", "c": "b:x"}, "b:y": 1}"#,
    ])
    func anyPropertyMayBeOfAnyShape(value: String) throws {
        let names = [
            "dct:description", "dct:publisher", "dcat:theme", "dcat:distribution", "dct:spatial", "dct:license",
            "hydra:totalItems", "@context", "@graph", "dct:identifier", "dcat:keyword",
        ]
        for name in names {
            let page = try read(.dcat, #"{"@type": "dcat:Dataset", "dct:title": "A", "\#(name)": \#(value)}"#)
            #expect(page.entries.count + page.refusals.count == 1, "\(name)")
        }
    }
}
