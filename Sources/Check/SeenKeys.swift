import Basics

/// Keys met so far and the row of each: open addressing, 20 bytes a key and half of it empty.
struct SeenKeys {
    private var keys: [Hash128] = []
    private var rows: [UInt32] = []
    private var count = 0
    private var mask = 0

    init() { grow(to: 1 << 12) }

    private mutating func grow(to size: Int) {
        let oldKeys = keys
        let oldRows = rows
        keys = Array(repeating: Hash128(0), count: size)
        rows = Array(repeating: 0, count: size)
        mask = size - 1
        for (index, row) in oldRows.enumerated() where row != 0 { place(oldKeys[index], row) }
    }

    private mutating func place(_ key: Hash128, _ row: UInt32) {
        var slot = Int(truncatingIfNeeded: key.high) & mask
        while rows[slot] != 0 { slot = (slot + 1) & mask }
        keys[slot] = key
        rows[slot] = row
    }

    /// The row that had the key first; nil where this is the first.
    mutating func insert(_ key: Hash128, row: Int64) -> Int64? {
        if count * 10 > mask * 7 { grow(to: (mask + 1) * 2) }
        return keys.withUnsafeMutableBufferPointer { keys in
            rows.withUnsafeMutableBufferPointer { rows in
                var slot = Int(truncatingIfNeeded: key.high) & mask
                while rows[slot] != 0 {
                    if keys[slot] == key { return Int64(rows[slot]) }
                    slot = (slot + 1) & mask
                }
                keys[slot] = key
                rows[slot] = UInt32(truncatingIfNeeded: max(1, row))
                count += 1
                return nil
            }
        }
    }
}

/// A code list as a table of bytes.
struct CodeTable {
    private var slots: [Int16]
    private var values: [[UInt8]]
    private let mask: Int

    init(_ codes: [String]) {
        values = codes.prefix(30_000).map { Array($0.utf8) }
        var size = 8
        while size < values.count * 4 { size *= 2 }
        mask = size - 1
        slots = Array(repeating: -1, count: size)
        for (index, value) in values.enumerated() {
            var slot = value.withUnsafeBufferPointer { Int(truncatingIfNeeded: Hash128($0).low) } & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int16(index)
        }
    }

    @inline(__always)
    func contains(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var slot = Int(truncatingIfNeeded: Hash128(text).low) & mask
        while slots[slot] >= 0 {
            let value = values[Int(slots[slot])]
            if value.count == text.count, value.withUnsafeBufferPointer({ $0.elementsEqual(text) }) { return true }
            slot = (slot + 1) & mask
        }
        return false
    }
}
