import Dispatch
import Glibc
import Synchronization

/// Lines on their way to standard error, many written at once: a call to the system for each costs more than the line.
///
/// Lines wait a twentieth of a second at the most; a warning or worse goes out at once, with everything before it.
final class LogLines: Sendable {
    static let shared = LogLines()

    private struct State {
        var bytes: [UInt8] = []
        /// Whether somebody will write what waits.
        var isAwaited = false
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "tongqu.log")
    private static let most = 1 << 16

    func append(_ line: [UInt8], isUrgent: Bool) {
        let (isFirst, isFull) = state.withLock { state in
            state.bytes.append(contentsOf: line)
            defer { state.isAwaited = true }
            return (!state.isAwaited, isUrgent || state.bytes.count >= LogLines.most)
        }
        if isFull {
            flush()
        } else if isFirst {
            queue.asyncAfter(deadline: .now() + .milliseconds(50)) { [self] in flush() }
        }
    }

    /// Writes what waits. Lines keep their order: the next are written after these.
    func flush() {
        state.withLock { state in
            state.isAwaited = false
            state.bytes.withUnsafeBytes { bytes in
                var at = 0
                while at < bytes.count, let base = bytes.baseAddress {
                    let written = write(2, base + at, bytes.count - at)
                    guard written > 0 || errno == EINTR else { return }
                    at += max(0, written)
                }
            }
            state.bytes.removeAll(keepingCapacity: true)
        }
    }
}
