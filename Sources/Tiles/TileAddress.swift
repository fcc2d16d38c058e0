import Foundation
public import Geo

/// Which tile of the web's Mercator map: zoom 0 is the whole world, each further zoom halves the edge. Columns count
/// eastwards from the antimeridian, rows southwards from the north (the XYZ scheme).
public struct TileAddress: Sendable, Hashable {
    public let zoom: Int
    public let column: Int
    public let row: Int

    /// The zooms there are.
    public static let zooms = 0...22

    /// Nil for a zoom outside of ``zooms``, and for a column or row that the zoom does not have.
    public init?(zoom: Int, column: Int, row: Int) {
        guard Self.zooms.contains(zoom) else { return nil }
        let places = 0..<(1 << zoom)
        guard places.contains(column), places.contains(row) else { return nil }
        self.zoom = zoom
        self.column = column
        self.row = row
    }

    /// Longitudes and latitudes in degrees. The buffer is a fraction of the tile's edge, added on all four sides; with
    /// one, tiles at the map's edge reach beyond 180 degrees and beyond the highest latitude.
    public func box(buffer: Double = 0) -> Box {
        let edges = edges(buffer)
        return Box(
            edges.west * 360 - 180,
            WebMercator.latitude(edges.south),
            edges.east * 360 - 180,
            WebMercator.latitude(edges.north)
        )
    }

    /// Metres of the web's Mercator (EPSG:3857): x eastwards, y northwards. The buffer is a fraction of the edge.
    public func mercatorBox(buffer: Double = 0) -> Box {
        let edges = edges(buffer)
        let around = WebMercator.circumference
        return Box(
            (edges.west - 0.5) * around,
            (0.5 - edges.south) * around,
            (edges.east - 0.5) * around,
            (0.5 - edges.north) * around
        )
    }

    /// The tile's sides as parts of the map's: west to east and north to south from 0 to 1.
    private func edges(_ buffer: Double) -> (west: Double, north: Double, east: Double, south: Double) {
        let tiles = Double(1 << zoom)
        return (
            (Double(column) - buffer) / tiles, (Double(row) - buffer) / tiles,
            (Double(column + 1) + buffer) / tiles, (Double(row + 1) + buffer) / tiles
        )
    }
}

/// The square map: its north is 0 and its south 1.
enum WebMercator {
    /// Metres around the equator.
    static let circumference = 2 * Double.pi * 6_378_137
    /// Where the square ends, in degrees.
    static let highestLatitude = 85.051_128_779_806_6

    /// How far south a latitude in degrees lies, as a part of the map's height.
    static func south(_ latitude: Double) -> Double {
        0.5 - log(tan(.pi / 4 + latitude * .pi / 360)) / (2 * .pi)
    }

    /// The latitude in degrees of a part of the map's height.
    static func latitude(_ south: Double) -> Double {
        atan(sinh(.pi * (1 - 2 * south))) * 180 / .pi
    }
}
