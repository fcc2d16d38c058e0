/// Bits in 64-bit words, the least significant first: Arrow's validity layout.
public struct Bitmap: Sendable, Hashable {
    public private(set) var words: [UInt64]
    public private(set) var count: Int

    /// A bitmap of words laid out before.
    public init(words: [UInt64], count: Int) {
        self.words = words
        self.count = count
    }

    /// A bitmap of equal bits.
    public init(repeating bit: Bool, count: Int) {
        self.count = count
        words = Array(repeating: bit ? .max : 0, count: (count + 63) / 64)
    }

    @inlinable
    public subscript(index: Int) -> Bool {
        get { words[index >> 6] >> UInt64(index & 63) & 1 == 1 }
        set { set(index, newValue) }
    }

    @usableFromInline
    mutating func set(_ index: Int, _ bit: Bool) {
        let mask = UInt64(1) << UInt64(index & 63)
        if bit { words[index >> 6] |= mask } else { words[index >> 6] &= ~mask }
    }

    /// Adds a bit at the end.
    public mutating func append(_ bit: Bool) {
        if count & 63 == 0 { words.append(0) }
        count += 1
        // The word may hold ones beyond the count: a zero is written too.
        set(count - 1, bit)
    }

}
