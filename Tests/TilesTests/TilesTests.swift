import Geo
import Testing
import Tiles

@Suite struct TilesTests {
    /// Zoom 0 maps longitudes straight: a degree is 4096 / 360 units.
    static func world(
        _ settings: TileBuilder.Settings = .init(thinning: .spots),
        keys: [String] = []
    ) throws -> TileBuilder {
        TileBuilder(
            try #require(TileAddress(zoom: 0, column: 0, row: 0)),
            layer: "test",
            keys: keys,
            settings: settings
        )
    }

    /// A tile of 1/64 of the world, whose north-west corner is the place of longitude 0 on the equator.
    static func corner(_ settings: TileBuilder.Settings = .init(thinning: .spots)) throws -> TileBuilder {
        TileBuilder(try #require(TileAddress(zoom: 6, column: 32, row: 32)), layer: "test", settings: settings)
    }

    /// A degree of longitude in units of that tile; southwards it is nearly the same so close to the equator.
    static let degree = 4096 * 64 / 360.0

    static func position(_ x: Double, _ y: Double) -> Position { Position(x / degree, -y / degree) }

    static func ring(_ places: (Double, Double)...) -> [Position] {
        (places + places.prefix(1)).map { position($0.0, $0.1) }
    }

    static func doubleArea(_ ring: [SIMD2<Int>]) -> Int {
        zip(ring, ring.dropFirst() + ring.prefix(1)).reduce(0) { $0 + $1.0.x * $1.1.y - $1.1.x * $1.0.y }
    }

    // MARK: Addresses

    @Test(arguments: [(-1, 0, 0), (23, 0, 0), (0, 1, 0), (0, 0, 1), (3, 8, 0), (3, 0, -1), (3, -1, 0)])
    func badAddresses(zoom: Int, column: Int, row: Int) {
        #expect(TileAddress(zoom: zoom, column: column, row: row) == nil)
    }

    @Test func boxesOfAddresses() throws {
        let world = try #require(TileAddress(zoom: 0, column: 0, row: 0))
        #expect(world.box().minX == -180 && world.box().maxX == 180)
        #expect(abs(world.box().maxY - 85.0511287798) < 1e-9 && abs(world.box().minY + 85.0511287798) < 1e-9)
        #expect(abs(world.mercatorBox().maxY - 20_037_508.342789) < 1e-6)
        let tile = try #require(TileAddress(zoom: 2, column: 3, row: 1))
        #expect(tile.box().minX == 90 && tile.box().maxX == 180 && abs(tile.box().minY) < 1e-12)
        #expect(abs(tile.box().maxY - 66.51326044311186) < 1e-9)
        #expect(tile.box(buffer: 0.5).minX == 45 && tile.box(buffer: 0.5).maxX == 225)
        #expect(abs(tile.mercatorBox(buffer: 1).minY + 10_018_754.171394) < 1e-6)
        #expect(TileAddress(zoom: 22, column: 4_194_303, row: 4_194_303) != nil)
    }

    // MARK: Points

    @Test(
        arguments: [
            (0, 0, 2048, 2048), (-180, 85.0511287798, 0, 0), (180, -85.0511287798, 4096, 4096), (90, 0, 3072, 2048),
            (-45, 66.51326044311186, 1536, 1024), (0, -66.51326044311186, 2048, 3072),
        ] as [(Double, Double, Int, Int)]
    )
    func placesInUnits(longitude: Double, latitude: Double, column: Int, row: Int) throws {
        var tile = try Self.world()
        #expect(tile.addPoint(x: longitude, y: latitude, id: 300) == .added)
        let found = DecodedTile(tile.finish())
        #expect(found.features.map(\.points) == [[SIMD2(column, row)]])
        #expect(found.features.map(\.id) == [300] && found.features.map(\.type) == [1])
        #expect(found.name == "test" && found.version == 2 && found.extent == 4096)
    }

    @Test func pointsBesideTheTileAreOutside() throws {
        var tile = try Self.corner()
        for (x, y) in [(-65.0, 10.0), (10, 4161), (.nan, 0), (0, .nan), (.infinity, 0)] {
            #expect(tile.addPoint(x: x / Self.degree, y: -y / Self.degree) == .outside)
        }
        #expect(tile.addPoint(x: -63.9 / Self.degree, y: 63.9 / Self.degree) == .added)
        #expect(DecodedTile(tile.finish()).features.map(\.points) == [[SIMD2(-64, -64)]])
        var world = try Self.world()
        #expect(world.addPoint(x: 0, y: 85.06) == .outside)
        #expect(world.finish().isEmpty && world.isComplete)
    }

    @Test func pointsOfACellAreOne() throws {
        var tile = try Self.corner(.init(thinning: .grid(512), countsPoints: true))
        let outcomes = [(1.0, 1.0), (6, 6), (9, 1), (-1, -1), (7, 2)].map { x, y in
            tile.addPoint(x: x / Self.degree, y: -y / Self.degree)
        }
        #expect(outcomes == [.added, .thinned, .added, .added, .thinned])
        let found = DecodedTile(tile.finish())
        #expect(found.features.map(\.points) == [[SIMD2(1, 1)], [SIMD2(9, 1)], [SIMD2(-1, -1)]])
        #expect(found.attributes(0) == ["point_count": .integer(3)] && found.attributes(1).isEmpty)
        #expect(DecodedTile(tile.finish()).attributes(0) == ["point_count": .integer(3)])
        var spots = try Self.corner(.init(thinning: .spots))
        #expect(spots.addPoint(x: 0.001, y: 0) == .added && spots.addPoint(x: 0.001, y: 0) == .thinned)
        var all = try Self.corner(.init(thinning: .all))
        #expect(all.addPoint(x: 0.001, y: 0) == .added && all.addPoint(x: 0.001, y: 0) == .added)
    }

    // MARK: Attributes

    @Test func attributesAreWrittenOnce() throws {
        var tile = try Self.world(.init(thinning: .spots, countsPoints: true), keys: ["kind", "depth", "kind", "open"])
        for index in 0..<200 {
            tile.addPoint(x: Double(index % 100) * 3.6 - 180, y: 0, id: UInt64(index))
            tile.set(0, text: "never")
            tile.set(2, text: index % 2 == 0 ? "井" : "spring")
            tile.set(1, real: Double(index % 3) / 3)
            tile.set(3, boolean: index % 2 == 0)
            tile.set(1, real: .nan)
            tile.set(9, integer: 1)
        }
        let found = DecodedTile(tile.finish())
        #expect(found.keys == ["kind", "depth", "open", "point_count"] && found.features.count == 100)
        #expect(Set(found.values).count == found.values.count && found.values.count == 1 + 2 + 3 + 2 + 1)
        let expected: [String: DecodedTile.Value] = [
            "kind": .text("spring"), "depth": .real(1.0 / 3), "open": .boolean(false), "point_count": .integer(2),
        ]
        #expect(found.attributes(1) == expected)
    }

    @Test func valuesOfEveryType() throws {
        var tile = try Self.world(keys: ["a", "b", "c", "d", "e", "f", "g"])
        tile.set(0, text: "before anything was added")
        tile.addPoint(x: 0, y: 0)
        tile.set(0, integer: -3)
        tile.set(1, integer: .max)
        tile.set(2, real: 0.5)
        tile.set(3, real: 0.1)
        [0x61, 0xFF, 0x62].withUnsafeBufferPointer { tile.set(4, text: $0) }
        let shared = Array("shared".utf8).withUnsafeBufferPointer { tile.value(text: $0) }
        tile.set(5, shared)
        tile.set(6, text: "")
        #expect(
            DecodedTile(tile.finish()).attributes(0) == [
                "a": .integer(-3), "b": .integer(.max), "c": .real(0.5), "d": .real(0.1), "e": .text("a\u{FFFD}b"),
                "f": .text("shared"), "g": .text(""),
            ]
        )
    }

    @Test func longAttributesAndManyKeys() throws {
        let keys = (0..<200).map { "key \($0)" }
        var tile = try Self.world(keys: keys)
        tile.addPoint(x: 0, y: 0, id: .max)
        for index in keys.indices.reversed() { tile.set(index, integer: Int64(index)) }
        for index in keys.indices { tile.set(index, integer: Int64(index + 1)) }
        let found = DecodedTile(tile.finish()).attributes(0)
        #expect(found == Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, .integer($0 + 1)) }))
    }

    // MARK: Lines

    @Test func linesAreCutIntoParts() throws {
        var tile = try Self.corner()
        let line = [(-200.0, 100.0), (300, 100), (300, -300), (500, -300), (500, 200)].map(Self.position)
        #expect(tile.add(.lineString(line), id: 5) == .added)
        #expect(tile.add(.lineString([(-500.0, 10.0), (-80, 4000)].map(Self.position))) == .outside)
        #expect(tile.add(.lineString([(5.0, 5.0), (5.1, 5.1)].map(Self.position))) == .outside)
        #expect(tile.add(.lineString([Position(0, 0), Position(.nan, 0), Position(1, 0)])) == .outside)
        #expect(tile.add(.lineString([])) == .outside)
        let found = DecodedTile(tile.finish())
        let first = [SIMD2(-64, 100), SIMD2(300, 100), SIMD2(300, -64)]
        #expect(found.features.map(\.paths) == [[first, [SIMD2(500, -64), SIMD2(500, 200)]]])
        #expect(found.features.map(\.type) == [2])
    }

    @Test func linesAreSimplifiedWithinTheTolerance() throws {
        let line = (0...1000).map { Self.position(Double($0) * 4, 2000 + ($0 % 2 == 0 ? 0.6 : -0.6)) }
        let bend = [(0.0, 10.0), (100, 10), (100, 300)].map(Self.position)
        var tile = try Self.corner()
        tile.add(.multiLineString([line, bend]))
        let found = DecodedTile(tile.finish()).features[0].paths
        #expect(found.map(\.count) == [2, 3])
        var exact = try Self.corner(.init(tolerance: 0))
        exact.add(.lineString(line))
        #expect(DecodedTile(exact.finish()).features[0].points.count == 1001)
    }

    // MARK: Areas

    @Test(arguments: [false, true])
    func ringsTurnAsTheSpecificationSays(isReversed: Bool) throws {
        let rings = [
            Self.ring((100, 100), (100, 500), (500, 500), (500, 100)),
            Self.ring((200, 200), (200, 300), (300, 300), (300, 200)), Self.ring((400, 400), (400, 401), (401, 401)),
        ]
        var tile = try Self.corner(.init(thinning: .grid(512)))
        #expect(tile.add(.polygon(rings.map { isReversed ? $0.reversed() : $0 })) == .added)
        let feature = DecodedTile(tile.finish()).features[0]
        #expect(feature.type == 3 && feature.paths.map(Self.doubleArea) == [2 * 400 * 400, -2 * 100 * 100])
        #expect(feature.commands.last == 15)
    }

    @Test func areasAreCutAtTheBuffer() throws {
        var tile = try Self.corner()
        tile.add(.polygon([Self.ring((-1000, -1000), (-1000, 1000), (1000, 1000), (1000, -1000))]))
        tile.add(.polygon([Self.ring((-9000, -9000), (9000, -9000), (9000, 9000), (-9000, 9000))]))
        #expect(tile.add(.polygon([Self.ring((-900, -900), (-100, -900), (-100, 900))])) == .outside)
        let found = DecodedTile(tile.finish()).features
        #expect(found.flatMap(\.paths).map(Self.doubleArea) == [2 * 1064 * 1064, 2 * 4224 * 4224])
        #expect(found.flatMap(\.points).allSatisfy { $0.x >= -64 && $0.y >= -64 && $0.x <= 4160 && $0.y <= 4160 })
    }

    @Test func smallAreasCollapse() throws {
        let small = [Self.ring((10, 10), (10, 17), (17, 17), (17, 10))]
        let flat = [Self.ring((10, 10), (500, 10.2), (900, 10))]
        for (thinning, outcome) in [(Thinning.grid(512), TileBuilder.Outcome.outside), (.spots, .added)] {
            var tile = try Self.corner(.init(thinning: thinning))
            #expect(tile.add(.polygon(small)) == outcome && tile.add(.polygon(flat)) == .outside)
        }
        var tile = try Self.corner(.init(thinning: .grid(512)))
        tile.add(.multiPolygon([small, [Self.ring((100, 100), (100, 500), (500, 500))]]))
        #expect(DecodedTile(tile.finish()).features[0].paths.count == 1)
    }

    @Test func thePolesAreClamped() throws {
        var tile = try Self.world()
        let ring = [(-180.0, -90.0), (180, -90), (180, 90), (-180, 90), (-180, -90)].map { Position($0.0, $0.1) }
        tile.add(.polygon([ring]))
        tile.add(.lineString([Position(0, 0), Position(0, 90)]))
        let found = DecodedTile(tile.finish()).features
        #expect(found[0].paths.map(Self.doubleArea) == [2 * 4096 * 4096])
        #expect(found[1].points == [SIMD2(2048, 2048), SIMD2(2048, 0)])
    }

    // MARK: Shapes of several parts

    @Test func collectionsBecomeFeatures() throws {
        var tile = TileBuilder(try #require(TileAddress(zoom: 14, column: 8192, row: 8192)), layer: "l", keys: ["k"])
        let place = Position(0.001, -0.001)
        let points = [place, Position(0.002, -0.001), place, Position(50, 0)]
        let line = (0...60).map { Position(Double($0) * 0.0003, $0 % 2 == 0 ? -0.003 : -0.009) }
        let shape = Geometry.collection([
            .multiPoint(points), .collection([.point(place), .lineString(line)]), .point(Position(60, 60)),
        ])
        #expect(tile.add(shape, id: 9) == .added)
        tile.set(0, text: String(repeating: "long ", count: 50))
        tile.addPoint(x: 0.01, y: -0.01)
        tile.set(0, integer: 1)
        #expect(tile.count == 4)
        let found = DecodedTile(tile.finish())
        #expect(found.features.map(\.type) == [1, 1, 2, 1] && found.features.map(\.id) == [9, 9, 9, nil])
        #expect(found.features.map(\.points.count) == [2, 1, 61, 1])
        #expect(found.values.count == 2)
        for index in 0..<3 { #expect(found.attributes(index) == ["k": .text(String(repeating: "long ", count: 50))]) }
        #expect(tile.add(.collection([])) == .outside)
    }

    @Test func pointsOfCollectionsAreCounted() throws {
        var tile = try Self.corner(.init(thinning: .grid(512), countsPoints: true))
        let points = [10.0, 100, 200].map { Geometry.point(Self.position($0, 10)) }
        tile.addPoint(x: 0, y: 0, id: 1)
        tile.add(.collection(points), id: 2)
        for x in [0.0, 200, 200, 100] { tile.add(.point(Self.position(x, 10)), id: 3) }
        let found = DecodedTile(tile.finish())
        #expect(found.features.map(\.id) == [1, 2, 2, 2, 3])
        #expect((0..<5).map { found.attributes($0)["point_count"] } == [nil, nil, .integer(2), .integer(3), nil])
    }

    // MARK: Limits

    @Test func featuresAreLimited() throws {
        var tile = try Self.world(.init(thinning: .spots, features: 2))
        #expect(
            [0.0, 1, 1, 2, 0].map { tile.addPoint(x: $0 * 10, y: 0) } == [.added, .added, .thinned, .leftOut, .leftOut]
        )
        #expect(!tile.isComplete && DecodedTile(tile.finish()).features.count == 2)
        var other = try Self.world(.init(features: 2))
        let points = [0.0, 10, 20].map { Geometry.point(Position($0, 0)) }
        #expect(other.add(.collection(points)) == .leftOut && other.finish().isEmpty && !other.isComplete)
    }

    @Test(arguments: [0, 40, 41, 100, 333, 1000, 5000, 20_000, 200_000])
    func bytesAreLimited(limit: Int) throws {
        var tile = try Self.world(
            .init(thinning: .grid(64), countsPoints: true, bytes: limit),
            keys: ["name", "number"]
        )
        var generator = SystemRandomNumberGenerator()
        for index in 0..<3000 {
            let x = Double.random(in: -180...180, using: &generator)
            let y = Double.random(in: -85...85, using: &generator)
            tile.addPoint(x: x, y: y, id: UInt64(index))
            tile.set(0, text: "name \(index)")
            tile.set(1, real: x)
        }
        let bytes = tile.finish()
        let found = DecodedTile(bytes)
        #expect(bytes.count <= limit && found.features.count == tile.count)
        #expect(tile.isComplete == (limit == 200_000))
        for index in found.features.indices {
            #expect(found.attributes(index)["name"] == .text("name \(found.features[index].id ?? 0)"))
        }
    }
}
