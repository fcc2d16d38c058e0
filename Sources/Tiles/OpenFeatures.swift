/// What was just added and still takes attributes, and how far the builder was before.
struct OpenFeatures: Sendable {
    let features: Int
    let bytes: Int
    let values: Int
    let valueBytes: Int
    /// Where the length of the last feature's tags stands; 0 before the first of them.
    var tags = 0
    /// The keys that are set, by a bit each; all from the 64th on share the last.
    var keys: UInt64 = 0

    @inline(__always)
    init(_ tile: borrowing TileBuilder) {
        features = tile.count
        bytes = tile.features.count
        values = tile.values.count
        valueBytes = tile.values.fields.count
    }

    @inline(__always)
    static func bit(_ key: UInt32) -> UInt64 { 1 << UInt64(min(key, 63)) }
}

/// Fields of a feature's message (Vector Tile 2.1, 4.2), in the order in which they are written here: the tags stand last,
/// so that they can be appended while they are set.
enum FeatureField {
    static let feature: UInt8 = 0x12
    static let id: UInt8 = 0x08
    static let type: UInt8 = 0x18
    static let geometry: UInt8 = 0x22
    static let tags: UInt8 = 0x12

    /// Bytes before a feature's geometry, at most.
    static let mostHeaderBytes = 2 + 11 + 2 + 2
}

enum FeatureType: UInt8, Sendable {
    case points = 1
    case lines = 2
    case areas = 3
}
