/// How many points of a layer are kept: of those in the same cell only the first.
public enum Thinning: Sendable, Hashable {
    /// All, also those in the same spot.
    case all
    /// One for each unit, 1/4096 of the tile's edge.
    case spots
    /// One for each cell of a grid of so many on the tile's edge, rounded up to a power of two; from 1 to 4096.
    case grid(Int)

    /// What suits a zoom: a point for every two pixels of a tile drawn with 512, from zoom 10 one for each pixel, and
    /// from zoom 14, whose tiles a map enlarges for all further zooms, every spot.
    public static func standard(zoom: Int) -> Thinning {
        switch zoom {
        case ..<10: .grid(256)
        case ..<14: .grid(512)
        default: .spots
        }
    }

    /// The cell's edge as a power of two of units; nil where all points are kept.
    var cellBits: Int32? {
        switch self {
        case .all: nil
        case .spots: 0
        case .grid(let count):
            12 - Int32(Int.bitWidth - (max(1, min(4096, count)) - 1).leadingZeroBitCount)
        }
    }

    /// Twice the area in square units below which a ring is not drawn: a pixel of a tile drawn with 512, or one unit
    /// where nothing but the spot counts.
    var leastDoubleArea: Int64 {
        switch self {
        case .all, .spots: 2
        case .grid: 128
        }
    }
}
