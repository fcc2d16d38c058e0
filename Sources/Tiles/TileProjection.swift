import Foundation
import Geo

/// Longitudes and latitudes to units of one tile: (0, 0) is its north-west corner, (4096, 4096) its south-east one.
struct TileProjection: Sendable {
    /// Units of a tile's edge.
    static let extent = 4096.0
    /// Units around the tile that are kept too, so that symbols and outlines go over the edge without a seam.
    static let buffer = 64.0

    /// What the tile keeps, in degrees: the tile, its buffer, and nothing beyond the map's highest latitude.
    let reach: Box

    private let unitsPerDegree: Double
    private let unitsWest: Double
    /// Units of the whole map, and those north of the tile.
    private let height: Double
    private let unitsNorth: Double

    /// The row within the reach by cubics of equal steps of latitude: a logarithm and a tangent cost ten times as much.
    private let cubics: [SIMD4<Double>]
    private let stepsPerDegree: Double

    init(_ address: TileAddress) {
        let tiles = Double(1 << address.zoom)
        let box = address.box(buffer: Self.buffer / Self.extent)
        let highest = WebMercator.highestLatitude
        let reach = Box(box.minX, max(box.minY, -highest), box.maxX, min(box.maxY, highest))
        let height = Self.extent * tiles
        let unitsNorth = Double(address.row) * Self.extent
        self.reach = reach
        self.height = height
        self.unitsNorth = unitsNorth
        unitsPerDegree = height / 360
        unitsWest = Double(address.column) * Self.extent - height / 2

        // A cubic through values and slopes is off by step^4 / 384 times the fourth derivative: below 1/250 unit in
        // the worst place, the highest latitude at zoom 0.
        let count = address.zoom < 3 ? 256 : 64
        let step = (reach.maxY - reach.minY) / Double(count)
        stepsPerDegree = 1 / step
        let nodes = (0...count).map { index -> (value: Double, slope: Double) in
            let latitude = reach.minY + Double(index) * step
            return (
                WebMercator.south(latitude) * height - unitsNorth, -height * step / (360 * cos(latitude * .pi / 180))
            )
        }
        cubics = zip(nodes, nodes.dropFirst()).map { from, to in
            let rise = to.value - from.value
            return SIMD4(
                from.value,
                from.slope,
                3 * rise - 2 * from.slope - to.slope,
                from.slope + to.slope - 2 * rise
            )
        }
    }

    @inline(__always)
    func column(_ longitude: Double) -> Double { longitude * unitsPerDegree - unitsWest }

    /// For a latitude within the reach; to 1/250 unit.
    @inline(__always)
    func rowInReach(_ latitude: Double) -> Double {
        let steps = (latitude - reach.minY) * stepsPerDegree
        let index = min(Int(steps), cubics.count - 1)
        let part = steps - Double(index)
        let cubic = cubics[index]
        return ((cubic.w * part + cubic.z) * part + cubic.y) * part + cubic.x
    }

    /// The nearest units of a place within the reach. What is rounded is not below 0: cutting off is enough, and a call of
    /// the mathematics library is saved.
    @inline(__always)
    func unitsInReach(_ longitude: Double, _ latitude: Double) -> SIMD2<Int32> {
        let up = Self.buffer + 1.5
        let units = SIMD2(Int32(column(longitude) + up), Int32(rowInReach(latitude) + up))
        return units &- Int32(Self.buffer + 1)
    }

    /// For any finite position; a latitude beyond the map's highest is taken for that one.
    func point(_ position: Position) -> SIMD2<Double> {
        let latitude = position.y
        if latitude >= reach.minY && latitude <= reach.maxY {
            return SIMD2(column(position.x), rowInReach(latitude))
        }
        let highest = WebMercator.highestLatitude
        return SIMD2(
            column(position.x),
            WebMercator.south(max(-highest, min(highest, latitude))) * height - unitsNorth
        )
    }
}
