import Basics
import Foundation
import Testing

@testable import Tabular

/// Archives of the plain form: what is written is read, by others too, and every other form is refused.
@Suite struct StoredZipTests {
    private static func path() -> String {
        FileManager.default.temporaryDirectory.appending(path: "tongqu-zip-\(UUID().uuidString)").path
    }

    @Test func whatIsWrittenIsRead() throws {
        let path = Self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try StoredZipWriter(path: path)
        let long = [UInt8](repeating: 7, count: 700_000)
        try writer.add("a.json", Array("{}".utf8))
        try writer.add("empty", [])
        try writer.add("files/long", long)
        let size = try writer.finish()
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64 == size)
        let reader = try StoredZipReader(path: path)
        #expect(reader.entries.map(\.name) == ["a.json", "empty", "files/long"])
        #expect(try reader.bytes(reader.entries[2], limit: 1 << 20) == long)
        #expect(throws: Problem.self) { try reader.bytes(reader.entries[2], limit: 1000) }
        // An ordinary reader of zip files sees the same.
        let others = try ZipArchive(path: path)
        #expect(others.entries.map(\.size) == [2, 0, 700_000])
        #expect(try others.bytes("files/long") == long)
    }

    /// Beyond 4 GB the fields of ZIP64 stand where the format says.
    @Test func largeValuesTakeTheWideFields() {
        let entry = StoredZip.Entry(name: "f", size: 5 << 30, crc: 1, offset: 6 << 30)
        let local = StoredZip.local(entry)
        #expect(local.count == 30 + 1 + 20 && Array(local[18..<26]) == [UInt8](repeating: 0xFF, count: 8))
        let ending = StoredZip.ending([entry], at: 11 << 30)
        #expect(ending.count == 46 + 1 + 28 + 56 + 20 + 22)
        let small = StoredZip.ending([StoredZip.Entry(name: "f", size: 1, crc: 1, offset: 0)], at: 32)
        #expect(small.count == 46 + 1 + 22)
    }

    @Test func ordinaryArchivesAreRefused() throws {
        let path = Self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        var bytes: [UInt8] = []
        var zip = ZipStream()
        zip.add("a.json", "{}", into: &bytes)
        zip.finish(into: &bytes)
        for content in [bytes, [], Array("PK\u{5}\u{6}".utf8) + [UInt8](repeating: 0, count: 18)] {
            try Data(content).write(to: URL(fileURLWithPath: path))
            #expect(throws: Problem.self) { try StoredZipReader(path: path) }
        }
    }
}
