import Basics
import Foundation
import Geo
import TestKit
import Testing

/// The coordinate systems, by the numbers that others print for the same places.
@Suite struct CoordinateTests {
    @Test func shiftedAndProjectedPlaces() throws {
        func near(_ a: (Double, Double), _ b: (Double, Double), _ tolerance: Double = 1e-9) -> Bool {
            (a.0 - b.0).magnitude < tolerance && (a.1 - b.1).magnitude < tolerance
        }
        // 116.404, 39.915: coordtransform's own printed results; Mercator by PROJ.
        let (x, y) = (116.404, 39.915)
        let shifted = CoordinateSystem.gcj02.coordinates(longitude: x, latitude: y)
        #expect(near(shifted, (116.41024449916938, 39.91640428150164)))
        #expect(near(CoordinateSystem.gcj02.coordinates(longitude: 139.6917, latitude: 35.6895), (139.6917, 35.6895)))
        #expect(
            near(CoordinateSystem.epsg3857.coordinates(longitude: x, latitude: y), (12958034.0063, 4853597.9883), 1e-3)
        )
        #expect(near(CoordinateSystem.epsg4490.coordinates(longitude: x, latitude: y), (y, x)))
        for system in CoordinateSystem.allCases {
            let there = system.coordinates(longitude: x, latitude: y)
            let back = system.place(there.0, there.1)
            #expect(near((back.longitude, back.latitude), (x, y), 1e-8), "\(system)")
        }
    }

    @Test(.enabled(if: SharedFiles.url("standards/vectors/coords.jsonl") != nil, "the shared vectors are not here"))
    func theSharedVectors() throws {
        let file = try #require(SharedFiles.url("standards/vectors/coords.jsonl"))
        var count = 0
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            let vector = try JSONValue(text: String(line))
            guard vector["op"]?.string == "chain" else { continue }
            count += 1
            func pair(_ name: String) throws -> (Double, Double) {
                let list = try #require(vector[name]?.array?.compactMap { $0.real })
                return (list[0], list[1])
            }
            let (x, y) = try pair("wgs84")
            for (name, system) in [("gcj02", CoordinateSystem.gcj02), ("bd09", .bd09)] {
                let wanted = try pair(name)
                let found = system.coordinates(longitude: x, latitude: y)
                #expect((found.0 - wanted.0).magnitude < 1e-10 && (found.1 - wanted.1).magnitude < 1e-10, "\(line)")
            }
        }
        #expect(count == 6)
    }
}
