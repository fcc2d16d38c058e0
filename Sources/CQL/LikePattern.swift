import Foundation

/// A LIKE pattern: `%` any run, `_` one character (a Unicode scalar), `\` takes the next one as it is. Case-sensitive.
public struct LikePattern: Sendable, Hashable {
    enum Piece: Sendable, Hashable {
        case scalar(Unicode.Scalar)
        case one
        case any
    }
    let pieces: [Piece]
    /// The runs between `%` in bytes, where there is no `_`: the first stands at the start, the last at the end, what is between anywhere.
    private let runs: [[UInt8]]?

    public init(_ text: String) {
        var pieces: [Piece] = []
        var escaped = false
        for scalar in text.unicodeScalars {
            if escaped {
                pieces.append(.scalar(scalar))
                escaped = false
            } else if scalar == "\\" {
                escaped = true
            } else {
                pieces.append(scalar == "%" ? .any : scalar == "_" ? .one : .scalar(scalar))
            }
        }
        // One at the end has nothing to take: it is itself.
        if escaped { pieces.append(.scalar("\\")) }
        self.pieces = pieces
        guard !pieces.contains(.one) else {
            runs = nil
            return
        }
        runs = pieces.split(separator: .any, omittingEmptySubsequences: false).map { run in
            run.flatMap { piece -> [UInt8] in
                if case .scalar(let scalar) = piece { Array(UTF8.encode(scalar).map { Array($0) } ?? []) } else { [] }
            }
        }
    }

    /// The same pattern with a backslash only where it is needed: every engine reads it alike.
    static func canonical(_ text: String) -> String {
        var out = ""
        for piece in LikePattern(text).pieces {
            switch piece {
            case .any: out += "%"
            case .one: out += "_"
            case .scalar(let scalar):
                if ["%", "_", "\\"].contains(scalar) { out += "\\" }
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// What a text holds somewhere if and only if it fits: of `%…%`.
    var held: String? {
        guard let runs, runs.count == 3, runs[0].isEmpty, runs[2].isEmpty, !runs[1].isEmpty else { return nil }
        return String(decoding: runs[1], as: UTF8.self)
    }

    /// Whether the whole text fits.
    public func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let runs else { return matchesScalars(text) }
        guard runs.count > 1 else { return text.count == runs[0].count && text.elementsEqual(runs[0]) }
        let first = runs[0]
        let last = runs[runs.count - 1]
        guard text.count >= first.count + last.count, Self.stands(first, in: text, at: 0),
            Self.stands(last, in: text, at: text.count - last.count)
        else { return false }
        guard runs.count > 2, let base = text.baseAddress else { return true }
        var at = first.count
        let end = text.count - last.count
        for run in runs[1..<(runs.count - 1)] where !run.isEmpty {
            guard let found = Self.find(run, base, at, end) else { return false }
            at = found + run.count
        }
        return true
    }

    /// Where a run begins between two places.
    private static func find(_ run: [UInt8], _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        let last = end - run.count
        var at = start
        while at <= last {
            guard let hit = memchr(base + at, Int32(run[0]), last - at + 1) else { return nil }
            at = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
            if memcmp(base + at, run, run.count) == 0 { return at }
            at += 1
        }
        return nil
    }

    @inline(__always)
    private static func stands(_ run: [UInt8], in text: UnsafeBufferPointer<UInt8>, at start: Int) -> Bool {
        guard !run.isEmpty, let base = text.baseAddress else { return true }
        return memcmp(base + start, run, run.count) == 0
    }

    private func matchesScalars(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let scalars = Array(String(decoding: text, as: UTF8.self).unicodeScalars)
        var at = 0
        var piece = 0
        var backtrack: (piece: Int, at: Int)?
        while at < scalars.count {
            if piece < pieces.count {
                switch pieces[piece] {
                case .any:
                    backtrack = (piece, at)
                    piece += 1
                    continue
                case .one:
                    piece += 1
                    at += 1
                    continue
                case .scalar(let wanted) where wanted == scalars[at]:
                    piece += 1
                    at += 1
                    continue
                default: break
                }
            }
            guard let last = backtrack else { return false }
            backtrack = (last.piece, last.at + 1)
            piece = last.piece + 1
            at = last.at + 1
        }
        while piece < pieces.count, pieces[piece] == .any { piece += 1 }
        return piece == pieces.count
    }
}
