/// Which cells of a tile have a point, and whose.
struct PointGrid: ~Copyable {
    struct Entry: BitwiseCopyable {
        let cell: UInt32
        /// Its feature: where the bytes begin of what was added with it, and which of the features of that it is.
        let offset: UInt32
        let ordinal: UInt32
        /// How many points the feature stands for.
        var points: UInt32 = 1
    }

    /// In the order of their features.
    private var entries = Memory<Entry>(capacity: 256)
    private(set) var count = 0
    private var slots = Slots(count: 1024)
    private let hash = NumberHash()
    /// The cell's edge as a power of two of units; nil where every point has a cell of its own.
    private let cellBits: Int32?

    init(_ thinning: Thinning) { cellBits = thinning.cellBits }

    /// The entry of the cell of a place in units; nil where there was none, and now is one of the given feature.
    @inline(__always)
    mutating func take(_ place: SIMD2<Int32>, offset: Int, ordinal: Int) -> Int? {
        guard let cellBits else { return nil }
        let column = UInt16(truncatingIfNeeded: place.x >> cellBits)
        let row = UInt16(truncatingIfNeeded: place.y >> cellBits)
        let cell = UInt32(column) << 16 | UInt32(row)
        let known = entries.base
        if let entry = slots.find(hash(UInt64(cell)), orPut: count, { known[$0].cell == cell }) { return entry }
        entries.reserve(count + 1, keeping: count)
        entries.base[count] = Entry(
            cell: cell,
            offset: UInt32(truncatingIfNeeded: offset),
            ordinal: UInt32(truncatingIfNeeded: ordinal)
        )
        count += 1
        if slots.areFew(for: count) { spread() }
        return nil
    }

    subscript(index: Int) -> Entry { entries.base[index] }

    /// Counts one more point for an entry.
    mutating func count(at index: Int) { entries.base[index].points += 1 }

    private mutating func spread() {
        slots = Slots(count: (slots.mask + 1) * 4)
        for index in 0..<count {
            _ = slots.find(hash(UInt64(entries.base[index].cell)), orPut: index) { _ in false }
        }
    }
}
