import Geo

/// Writes one layer of a vector tile (Mapbox Vector Tile 2.1, extent 4096, buffer 64). A tile of several layers is their
/// bytes one after the other.
///
/// Features come in the order they are added. After each `add` the attributes of what was added are set by the index of
/// their key; where nothing was added, setting does nothing:
///
///     var tile = TileBuilder(address, layer: "wells", keys: ["kind", "depth"])
///     if tile.addPoint(x: 116.39, y: 39.91, id: 7) == .added {
///         tile.set(0, text: "deep")
///         tile.set(1, real: 81.5)
///     }
///     let bytes = tile.finish()
public struct TileBuilder: ~Copyable {
    /// What became of a shape.
    public enum Outcome: Sendable, Hashable {
        case added
        /// A point in a cell that has one already.
        case thinned
        /// Outside of the tile and its buffer, too small to be drawn, or not finite.
        case outside
        /// There was no room any more.
        case leftOut
    }

    public struct Settings: Sendable, Hashable {
        /// Nil: what suits the zoom.
        public var thinning: Thinning?
        /// Whether a point that stands for others too says for how many in all, as ``countKey``.
        public var countsPoints: Bool
        /// Units that a simplified line may lie beside its own; not above 0: lines keep all places that differ.
        public var tolerance: Double
        /// The most features.
        public var features: Int
        /// The most bytes.
        public var bytes: Int

        public init(
            thinning: Thinning? = nil,
            countsPoints: Bool = false,
            tolerance: Double = 1,
            features: Int = 50_000,
            bytes: Int = 1_000_000
        ) {
            self.thinning = thinning
            self.countsPoints = countsPoints
            self.tolerance = tolerance
            self.features = features
            self.bytes = bytes
        }
    }

    /// A value of the layer's table, for one builder only.
    public struct Value: Sendable, Hashable {
        let index: UInt32
    }

    /// The key of the number of points that one stands for; with ``Settings/countsPoints`` it is the builder's own.
    public static let countKey = "point_count"

    /// False when something was left out for want of room; then nothing more is added.
    public internal(set) var isComplete = true

    let settings: Settings
    let layer: LayerHeader
    let projection: TileProjection
    let thinning: Thinning
    var grid: PointGrid
    var values = ValueTable()
    /// The features as fields of the layer.
    var features = FieldBytes()
    /// What counts of points may take.
    var countBytes = 0
    var open: OpenFeatures?
    /// The commands of the feature that is made.
    var geometry: [UInt32] = []
    var scratch = Scratch()

    /// Features so far.
    public internal(set) var count = 0

    /// One layer of a tile. Attributes are named by their key's index; keys of the same name are one.
    public init(_ address: TileAddress, layer: String, keys: [String] = [], settings: Settings = Settings()) {
        let thinning = settings.thinning ?? .standard(zoom: address.zoom)
        self.settings = settings
        self.layer = LayerHeader(name: layer, keys: keys, countsPoints: settings.countsPoints)
        projection = TileProjection(address)
        self.thinning = thinning
        grid = PointGrid(thinning)
    }

    /// Adds a point by its longitude and latitude in degrees.
    @discardableResult
    public mutating func addPoint(x: Double, y: Double, id: UInt64? = nil) -> Outcome {
        close()
        guard isComplete else { return .leftOut }
        let start = OpenFeatures(self)
        let outcome = place(x, y, id, since: start)
        if outcome == .added { open = start }
        return outcome
    }

    @inline(__always)
    mutating func place(_ x: Double, _ y: Double, _ id: UInt64?, since start: OpenFeatures) -> Outcome {
        guard projection.reach.contains(x, y) else { return .outside }
        let units = projection.unitsInReach(x, y)
        if let entry = grid.take(units, offset: start.bytes, ordinal: count - start.features) {
            return count(again: entry)
        }
        guard count < settings.features else {
            isComplete = false
            return .leftOut
        }
        beginFeature(id, .points, atMost: 5) {
            $0.byte(9)
            $0.shortVarint(Varint.zigzag(units.x))
            $0.shortVarint(Varint.zigzag(units.y))
        }
        return .added
    }

    /// Counts a point for the one that has its cell.
    private mutating func count(again entry: Int) -> Outcome {
        guard settings.countsPoints else { return .thinned }
        if grid[entry].points == 1 {
            guard hasRoom(for: Self.mostCountBytes) else {
                isComplete = false
                return .leftOut
            }
            countBytes += Self.mostCountBytes
        }
        grid.count(at: entry)
        return .thinned
    }

    /// What a count may add to the layer: a tag of two numbers in a field, longer lengths, and a value of its own.
    private static let mostCountBytes = 12 + 2 + 9

    /// Whether so many bytes more are within the limit.
    @inline(__always)
    func hasRoom(for bytes: Int) -> Bool {
        LayerHeader.mostPrefixBytes + layer.bytes + values.fields.count + features.count + countBytes + bytes
            <= settings.bytes
    }

    // MARK: Attributes

    /// A text's place in the layer's table, for callers that know which features have the same.
    public mutating func value(text: UnsafeBufferPointer<UInt8>) -> Value { Value(index: values.index(text: text)) }

    /// Sets an attribute of what was just added to a value made before.
    public mutating func set(_ key: Int, _ value: Value) {
        guard let slot = slot(key), value.index < values.count else { return }
        put(slot, value.index)
    }

    /// Sets a text attribute, of UTF-8, of what was just added.
    public mutating func set(_ key: Int, text: UnsafeBufferPointer<UInt8>) {
        guard let slot = slot(key) else { return }
        put(slot, values.index(text: text))
    }

    /// Sets a text attribute of what was just added.
    public mutating func set(_ key: Int, text: String) {
        var text = text
        text.withUTF8 { set(key, text: $0) }
    }

    /// Sets a whole number of what was just added.
    public mutating func set(_ key: Int, integer: Int64) {
        guard let slot = slot(key) else { return }
        put(slot, values.index(integer: integer))
    }

    /// Sets a number of what was just added; one that is not finite is left out.
    public mutating func set(_ key: Int, real: Double) {
        guard real.isFinite, let slot = slot(key) else { return }
        put(slot, values.index(real: real))
    }

    /// Sets a yes or no of what was just added.
    public mutating func set(_ key: Int, boolean: Bool) {
        guard let slot = slot(key) else { return }
        put(slot, values.index(boolean: boolean))
    }

    /// The key's place in the layer's table; nil for an index without key, and where nothing was just added.
    @inline(__always)
    private func slot(_ key: Int) -> UInt32? {
        guard open != nil, key >= 0, key < layer.slots.count else { return nil }
        let slot = layer.slots[key]
        return slot == layer.countSlot ? nil : slot
    }
}
