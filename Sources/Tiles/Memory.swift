/// Memory for elements that needs no reference counting: a check of uniqueness for every byte written costs more than the
/// byte.
struct Memory<Element: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var capacity: Int

    init(capacity: Int) {
        base = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    deinit { base.deallocate() }

    /// Makes room for a number of elements, of which so many are in use.
    @inline(__always)
    mutating func reserve(_ needed: Int, keeping count: Int) {
        if needed > capacity { grow(to: needed, keeping: count) }
    }

    @inline(never)
    private mutating func grow(to needed: Int, keeping count: Int) {
        // Memory that is not written costs nothing: large steps save copies.
        let capacity = max(needed, self.capacity * 4)
        let base = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        base.update(from: self.base, count: count)
        self.base.deallocate()
        self.base = base
        self.capacity = capacity
    }
}

/// A hash table's slots, with linear probing: indices into a list of entries that the owner keeps.
struct Slots: ~Copyable {
    /// An entry's index plus one; 0 is free. The count is a power of two.
    private var memory: Memory<UInt32>
    private(set) var mask: Int

    init(count: Int) {
        memory = Memory(capacity: count)
        mask = count - 1
        memory.base.update(repeating: 0, count: count)
    }

    /// The index of an entry that is the one looked for; nil where there is none, and now the given index has its slot.
    @inline(__always)
    mutating func find(_ hash: UInt64, orPut index: Int, _ isFound: (Int) -> Bool) -> Int? {
        let base = memory.base
        var slot = Int(truncatingIfNeeded: hash) & mask
        while base[slot] != 0 {
            let entry = Int(base[slot]) - 1
            if isFound(entry) { return entry }
            slot = (slot + 1) & mask
        }
        base[slot] = UInt32(truncatingIfNeeded: index + 1)
        return nil
    }

    /// Whether so many entries want more slots.
    @inline(__always)
    func areFew(for entries: Int) -> Bool { entries * 3 > (mask + 1) * 2 }
}

/// Spreads numbers over slots. The seed differs in every process, so that nobody can prepare numbers that meet in one.
struct NumberHash: Sendable {
    private let seed = NumberHash.processSeed

    private static let processSeed = UInt64.random(in: .min ... .max)

    @inline(__always)
    func callAsFunction(_ bits: UInt64) -> UInt64 {
        let product = (bits ^ seed).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
        return product.high ^ product.low
    }
}
