/// Cuts lines and rings in tile units at the edge of what a tile keeps: the tile and its buffer.
enum Clipping {
    static let least = -TileProjection.buffer
    static let most = TileProjection.extent + TileProjection.buffer

    /// The parts of a line that lie inside, by Liang and Barsky's parameters of each segment.
    static func forEachPart(
        of line: [SIMD2<Double>],
        into part: inout [SIMD2<Double>],
        _ body: ([SIMD2<Double>]) -> Void
    ) {
        part.removeAll(keepingCapacity: true)
        for (from, to) in zip(line, line.dropFirst()) {
            guard let (enter, leave) = inside(from, to) else { continue }
            if part.isEmpty { part.append(from + (to - from) * enter) }
            part.append(leave < 1 ? from + (to - from) * leave : to)
            if leave < 1 {
                body(part)
                part.removeAll(keepingCapacity: true)
            }
        }
        if !part.isEmpty { body(part) }
    }

    /// Where a segment comes in and goes out, as parts of its length; nil for one that is outside.
    private static func inside(_ from: SIMD2<Double>, _ to: SIMD2<Double>) -> (enter: Double, leave: Double)? {
        let step = to - from
        var (enter, leave) = (0.0, 1.0)
        for axis in 0..<2 {
            if step[axis] == 0 {
                guard from[axis] >= least, from[axis] <= most else { return nil }
                continue
            }
            let low = (least - from[axis]) / step[axis]
            let high = (most - from[axis]) / step[axis]
            enter = max(enter, min(low, high))
            leave = min(leave, max(low, high))
        }
        return enter <= leave ? (enter, leave) : nil
    }

    /// Cuts a ring, whose first place is not repeated at its end, by Sutherland and Hodgman's passes along the four edges.
    /// What falls apart into several pieces stays one ring: they are joined along the outer edge of the buffer.
    static func cut(_ ring: inout [SIMD2<Double>], _ spare: inout [SIMD2<Double>]) {
        for axis in 0..<2 {
            for (limit, side) in [(least, 1.0), (most, -1.0)] {
                spare.removeAll(keepingCapacity: true)
                guard var from = ring.last else { return }
                var fromIsInside = (from[axis] - limit) * side >= 0
                for to in ring {
                    let toIsInside = (to[axis] - limit) * side >= 0
                    if fromIsInside != toIsInside {
                        var crossing = from + (to - from) * ((limit - from[axis]) / (to[axis] - from[axis]))
                        crossing[axis] = limit
                        spare.append(crossing)
                    }
                    if toIsInside { spare.append(to) }
                    (from, fromIsInside) = (to, toIsInside)
                }
                swap(&ring, &spare)
            }
        }
    }
}
