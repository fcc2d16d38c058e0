import Basics
import Glibc
import Synchronization

/// Numbers of traces, from the system's random bytes: many are fetched at once, for each time is a call to the system.
final class Traces: Sendable {
    static let shared = Traces()

    /// As many bytes as the system gives at once.
    private static let fetched = 256
    private let bytes = Mutex<(values: [UInt8], at: Int)>(([], 0))

    /// A new number of 16 bytes.
    func next() -> String {
        bytes.withLock { bytes in
            if bytes.at + 16 > bytes.values.count {
                var fresh = [UInt8](repeating: 0, count: Traces.fetched)
                let isThere = fresh.withUnsafeMutableBytes { room in
                    room.baseAddress.map { getentropy($0, room.count) == 0 } ?? false
                }
                if !isThere {
                    var generator = SystemRandomNumberGenerator()
                    for index in fresh.indices { fresh[index] = generator.next() }
                }
                bytes = (fresh, 0)
            }
            defer { bytes.at += 16 }
            return bytes.values.withUnsafeBytes { all in
                Hexadecimal.text(UnsafeRawBufferPointer(rebasing: all[bytes.at..<bytes.at + 16]))
            }
        }
    }
}
