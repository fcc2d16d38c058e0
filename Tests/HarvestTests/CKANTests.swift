import Basics
import Harvest
import Testing

/// A page of `package_search` around packages written as JSON.
func search(_ packages: String, count: Int = 1) -> [UInt8] {
    Array(
        #"{"help": "https://data.example.org/api/3/action/help_show?name=package_search", "success": true, "result": {"count": \#(count), "results": [\#(packages)]}}"#
            .utf8
    )
}

func read(_ kind: HarvestKind, _ text: String, _ settings: HarvestSettings = HarvestSettings()) throws -> HarvestPage {
    try kind.reader(settings).read(page: Array(text.utf8))
}

@Suite struct CKANTests {
    static let package = #"""
        {"id": "a-1", "name": "bus-stops", "title": " Bus  stops ", "notes": "<p>All <b>stops</b> &amp; signs.</p><p>Second</p>",
         "metadata_created": "2014-12-01T10:29:19.414595", "metadata_modified": "2021-01-15T10:25:28.638659", "private": false,
         "maintainer": "Data office", "maintainer_email": "x@example.org", "organization": {"title": "Transport Bureau"},
         "license_title": "CC BY 4.0", "license_url": "https://creativecommons.org/licenses/by/4.0/",
         "tags": [{"name": "bus"}, {"name": "stops", "display_name": "Stops"}, {"name": "bus"}], "groups": [{"title": "Transport"}],
         "extras": [{"key": "frequency", "value": "Monthly"}, {"key": "spatial_text", "value": "Hangzhou"}],
         "resources": [{"name": "All", "url": "https://data.example.org/a b.csv", "format": "CSV", "mimetype": "text/csv", "size": "123"},
                       {"url": "https://data.example.org/b.geojson", "description": ""}]}
        """#

    @Test func aPackageBecomesAnEntry() throws {
        let page = try CKANReader().read(page: search(CKANTests.package))
        let entry = try #require(page.entries.first)
        #expect(page.refusals.isEmpty && page.total == 1 && page.next == nil)
        #expect(entry.identifier == "a-1" && entry.origin == .source && entry.title == "Bus stops")
        #expect(entry.summary == "All stops & signs.\n\nSecond")
        #expect(entry.keywords == ["bus", "Stops"] && entry.themes == ["Transport"])
        #expect(entry.publisher == "Transport Bureau" && entry.contact == "Data office")
        #expect(entry.issued == "2014-12-01T18:29:19+08:00" && entry.modified == "2021-01-15T18:25:28+08:00")
        #expect(entry.frequency == .monthly && entry.frequencyText == "Monthly" && entry.spatial == "Hangzhou")
        #expect(entry.licence == "CC BY 4.0" && entry.licenceLink == "https://creativecommons.org/licenses/by/4.0/")
        #expect(entry.landingPage == "https://data.example.org/dataset/bus-stops" && entry.notes.isEmpty)
        #expect(
            entry.resources == [
                HarvestedResource(
                    name: "All",
                    link: "https://data.example.org/a%20b.csv",
                    format: "csv",
                    mediaType: "text/csv",
                    bytes: 123
                ),
                HarvestedResource(name: "b.geojson", link: "https://data.example.org/b.geojson", format: "geojson"),
            ]
        )
    }

    @Test func pagesFollowByOffset() throws {
        let reader = CKANReader()
        let two = #"{"id": "a", "title": "A"}, {"id": "b", "title": "B"}"#
        #expect(try reader.read(page: search(two, count: 5)).next == .offset(2))
        #expect(try reader.read(page: search(two, count: 5), at: .offset(2)).next == .offset(4))
        #expect(try reader.read(page: search(two, count: 5), at: .offset(4)).next == nil)
        #expect(try reader.read(page: search("", count: 5), at: .offset(2)).next == nil)
    }

    @Test func namesAreAskedForOneByOne() throws {
        let list = try read(.ckan, #"{"success": true, "result": ["bus-stops", "../../etc", 7, "x?y", "rail_1"]}"#)
        #expect(list.next == .names(["bus-stops", "rail_1"]) && list.refusals.map(\.index) == [1, 2, 3])
        let show = try read(.ckan, #"{"success": true, "result": \#(CKANTests.package)}"#)
        #expect(show.entries.map(\.identifier) == ["a-1"] && show.next == nil)
    }

    @Test func badEntriesAreToldAndTheOthersGoOn() throws {
        let packages = #"""
            7, {"id": "a"}, {"id": "b", "title": "<script>x</script>"}, {"id": "c", "title": "C"}, {"id": "c", "title": "again"},
            {"id": "d", "title": "D", "state": "deleted"}, {"id": "e", "title": "E", "private": true}, {"id": "f", "title": "F"}
            """#
        let page = try CKANReader().read(page: search(packages, count: 8))
        #expect(page.entries.map(\.identifier) == ["c", "f"])
        #expect(page.refusals.map(\.index) == [0, 1, 2, 4, 5, 6])
        #expect(
            page.refusals.map(\.problem.code) == [
                "harvest.entry_shape", "harvest.entry_untitled", "harvest.entry_untitled", "harvest.entry_duplicate",
                "harvest.entry_withdrawn", "harvest.entry_withdrawn",
            ]
        )
        #expect(page.refusals[3].problem.details["first"] == "3")
    }

    @Test(arguments: ["7", "true", "null", #""x""#, "[]", "[[1]]", "{}", #"{"a": 1}"#, "1e400", #"[{"a": {"b": []}}]"#])
    func anyMemberMayBeOfAnyType(value: String) throws {
        let names = [
            "notes", "url", "state", "private", "organization", "author", "maintainer", "metadata_created",
            "metadata_modified", "license_title", "license_id", "license_url", "tags", "groups", "resources", "extras",
            "frequency", "spatial", "theme", "contact_name", "is_part_of", "issued",
        ]
        guard value != "1e400" else {
            #expect(throws: Problem.self) { try CKANReader().read(page: search(#"{"id": \#(value)}"#)) }
            return
        }
        for name in names {
            let page = try CKANReader().read(page: search(#"{"id": "a", "title": "A", "\#(name)": \#(value)}"#))
            #expect(page.entries.count + page.refusals.count == 1, "\(name)")
        }
        let page = try CKANReader().read(
            page: search(
                #"{"id": "a", "title": "A", "resources": [{"url": "http://a.example/x", "size": \#(value), "name": \#(value)}]}"#
            )
        )
        #expect(page.entries.first?.resources.count == 1)
    }

    @Test func linksOfOtherSchemesAreLeftOut() throws {
        let package = #"""
            {"id": "a", "title": "A", "url": "javascript:alert(1)", "license_url": "data:text/html,x", "author": "Wang 0571-87654321",
             "metadata_created": "2021-02-30T00:00:00", "frequency": "when the moon is full",
             "resources": [{"url": "JavaScript:alert(1)"}, {"url": "java\nscript:alert(1)"}, {"url": "file:///etc/passwd"},
                           {"url": "https://user:secret@a.example/"}, {"url": "//a.example/x"}, {"url": "ftp://a.example/x.zip"}]}
            """#
        let page = try CKANReader().read(
            page: Array(#"{"success": true, "result": {"count": 1, "results": [\#(package)]}}"#.utf8)
        )
        let entry = try #require(page.entries.first)
        #expect(entry.resources.map(\.link) == ["ftp://a.example/x.zip"])
        #expect(entry.landingPage == nil && entry.licenceLink == nil && entry.contact == nil && entry.issued == nil)
        #expect(
            entry.notes == [.linkRefused, .contactWithheld, .dateUnreadable, .frequencyUnknown]
                && entry.frequencyText == "when the moon is full"
        )
    }

    @Test func manyResourcesAndLongTextsAreCut() throws {
        let resources = (0..<150).map { #"{"url": "http://a.example/\#($0)"}"# }.joined(separator: ",")
        let title = String(repeating: "长", count: 300)
        let notes = String(repeating: "a", count: 12_000)
        let page = try CKANReader().read(
            page: search(#"{"id": "a", "title": "\#(title)", "notes": "\#(notes)", "resources": [\#(resources)]}"#)
        )
        let entry = try #require(page.entries.first)
        #expect(entry.resources.count == 100 && entry.title.count == 200 && entry.title.hasSuffix("长…"))
        #expect(entry.summary.count == 10_000 && entry.summary.hasSuffix("a…"))
        #expect(entry.notes == [.titleCut, .summaryCut, .resourcesLeftOut])
    }

    @Test(
        arguments: [
            ("", "nothing"), ("<!DOCTYPE html><html>sign in", "a web page"), ("<?xml version='1.0'?><a/>", "XML"),
            (#"{"success": true"#, "JSON that is not right at byte 16"), ("[1, 2]", "an array of 2"),
            (#"{"dataset": []}"#, "an object with dataset"), ("PK\u{03}\u{04}…", "a zip archive"),
            ("x,y", "some other text"),
            (String(repeating: "[", count: 5000), "JSON that is not right at byte 100"),
            (#"{"a":"# + String(repeating: #"{"a":"#, count: 5000), "JSON that is not right at byte 500"),
        ]
    )
    func aPageThatIsSomethingElseIsOneProblem(text: String, found: String) throws {
        let problem = #expect(throws: Problem.self) { try read(.ckan, text) }
        #expect(problem?.code == "harvest.format" && problem?.message.en.contains("found \(found).") == true)
    }

    @Test func theSourcesOwnErrorIsTold() {
        let problem = #expect(throws: Problem.self) {
            try read(.ckan, #"{"success": false, "error": {"__type": "Authorization Error", "message": "secret"}}"#)
        }
        #expect(problem?.code == "harvest.source_failed" && problem?.message.en.contains("Authorization Error") == true)
        #expect(problem?.message.en.contains("secret") == false)
    }
}
