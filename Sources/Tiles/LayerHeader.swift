/// What a layer says once.
struct LayerHeader: Sendable {
    let name: [UInt8]
    /// The keys as fields of the layer.
    let keys: [UInt8]
    /// By the caller's index of a key: its place in the layer's table.
    let slots: [UInt32]
    /// The place of the builder's own count.
    let countSlot: UInt32?

    /// Bytes before the layer's message, at most.
    static let mostPrefixBytes = 1 + 5
    /// The extent and the version as fields.
    static let tail: [UInt8] = [0x28, 0x80, 0x20, 0x78, 0x02]

    init(name: String, keys: [String], countsPoints: Bool) {
        self.name = Array(name.utf8)
        var places: [String: UInt32] = [:]
        var fields = FieldBytes()
        var slots: [UInt32] = []
        let all = keys + (countsPoints ? [TileBuilder.countKey] : [])
        for key in all {
            slots.append(places[key] ?? UInt32(places.count))
            guard places[key] == nil else { continue }
            places[key] = UInt32(places.count)
            fields.write(atMost: 11 + key.utf8.count) {
                $0.byte(0x1A)
                $0.varint(key.utf8.count)
                $0.bytes(Array(key.utf8))
            }
        }
        countSlot = countsPoints ? slots.removeLast() : nil
        self.slots = slots
        self.keys = fields.copy()
    }

    /// Bytes of name, keys, extent and version.
    var bytes: Int { 1 + Varint.length(UInt64(name.count)) + name.count + keys.count + Self.tail.count }
}
