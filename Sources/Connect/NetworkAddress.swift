import Glibc

/// An IP address: 4 or 16 bytes in the order of the network.
public struct NetworkAddress: Sendable, Hashable {
    public let bytes: [UInt8]

    /// Takes 4 or 16 bytes; nil for any other number.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads `203.0.113.7` or `2001:db8::1`; nil for names, zones and the short or hexadecimal forms of IPv4.
    public init?(_ text: String) {
        var found = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &found) == 1 {
            bytes = Array(found[..<4])
        } else if inet_pton(AF_INET6, text, &found) == 1 {
            bytes = found
        } else {
            return nil
        }
    }

    /// As it is written in addresses, without brackets.
    public var text: String {
        var out = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &out, socklen_t(out.count)) != nil else { return "" }
        return String(decoding: out.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether it is one of the open internet (IANA's registries of special purposes, RFC 6890): not of this machine, its link, a private
    /// network, a provider's (RFC 6598), a group, a document, and nothing that carries an IPv4 address in an IPv6 one (mapped, 6to4,
    /// Teredo, NAT64), which could be any of these.
    public var isPublic: Bool {
        guard bytes.count == 16 else { return !Self.special4.contains { $0.contains(self) } }
        return Self.global6?.contains(self) == true && !Self.special6.contains { $0.contains(self) }
    }

    private static let special4 = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    ].compactMap(Network.init)
    private static let global6 = Network("2000::/3")
    private static let special6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].compactMap(Network.init)
}

/// A network of addresses: `10.20.0.0/16`, `fd00::/8`.
public struct Network: Sendable, Hashable, CustomStringConvertible {
    public let address: NetworkAddress
    /// How many leading bits its addresses share.
    public let length: Int

    /// Reads an address with a length, or one address alone; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let address = NetworkAddress(String(parts[0])) else { return nil }
        let most = address.bytes.count * 8
        guard let length = parts.count == 2 ? Int(parts[1]) : most, (0...most).contains(length) else { return nil }
        self.address = address
        self.length = length
    }

    public func contains(_ other: NetworkAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        return (0..<length).allSatisfy { bit in
            (other.bytes[bit / 8] ^ address.bytes[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }

    public var description: String { "\(address.text)/\(length)" }
}
