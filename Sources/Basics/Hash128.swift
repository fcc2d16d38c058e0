/// A 128-bit hash of bytes for telling keys apart in memory.
///
/// Not a cryptographic digest: two different keys of one file agree with a probability under 10⁻²⁰ for a billion keys,
/// and the seed differs in every process, so nobody can prepare a file of collisions. The mixing step is the folded
/// 64×64→128-bit multiplication known from wyhash.
public struct Hash128: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    @usableFromInline
    static let seed: (UInt64, UInt64) = (UInt64.random(in: .min ... .max) | 1, UInt64.random(in: .min ... .max) | 1)

    @inlinable
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// Hashes the bytes of a text.
    public init(_ text: String) {
        var text = text
        self = text.withUTF8 { Hash128($0) }
    }

    /// Hashes bytes.
    @inlinable
    public init(_ bytes: UnsafeBufferPointer<UInt8>) {
        var high = Hash128.seed.0
        var low = Hash128.seed.1
        let base = UnsafeRawPointer(bytes.baseAddress)
        var index = 0
        let count = bytes.count
        if let base {
            while index + 8 <= count {
                let word = base.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                high = Hash128.fold(high ^ word, 0xA076_1D64_78BD_642F)
                low = Hash128.fold(low ^ word, 0xE703_7ED1_A0B4_28DB) &+ high
                index += 8
            }
        }
        var tail = UInt64(truncatingIfNeeded: count) << 56
        var shift: UInt64 = 0
        while index < count {
            tail |= UInt64(bytes[index]) << shift
            shift += 8
            index += 1
        }
        high = Hash128.fold(high ^ tail, 0x8EBC_6AF0_9C88_C6E3)
        low = Hash128.fold(low ^ tail ^ 0x5899_65CC_7537_4CC3, high | 1)
        self.high = high ^ UInt64(truncatingIfNeeded: count)
        self.low = low
    }

    /// Hashes an integer.
    @inlinable
    public init(_ value: Int64) {
        let bits = UInt64(bitPattern: value)
        high = Hash128.fold(bits ^ Hash128.seed.0, 0xA076_1D64_78BD_642F)
        low = bits
    }

    /// Joins the hash of the next part of a composite key.
    @inlinable
    public mutating func combine(_ other: Hash128) {
        high = Hash128.fold(high ^ other.low, 0xE703_7ED1_A0B4_28DB) ^ other.high
        low = Hash128.fold(low ^ other.high, 0x8EBC_6AF0_9C88_C6E3) &+ other.low
    }
}
