/// A line or ring on whole units of a tile; a ring's first place is not repeated at its end.
///
/// Lines are simplified by Douglas and Peucker: what is left out lies no farther beside the line than the tolerance, which
/// is a length that can be seen or not; Visvalingam's measure, an area, says nothing of it. With one unit, an eighth of a
/// pixel of a tile drawn with 512, neighbours that are simplified apart from each other show no gap.
struct UnitPath: Sendable {
    private(set) var places: [SIMD2<Int32>] = []
    private var isKept: [Bool] = []
    private var ranges: [(first: Int, last: Int)] = []

    /// Takes the nearest units of places, each once in a row.
    mutating func set(_ path: [SIMD2<Double>]) {
        places.removeAll(keepingCapacity: true)
        for place in path {
            let unit = SIMD2<Int32>(Int32(place.x.rounded()), Int32(place.y.rounded()))
            if places.last != unit { places.append(unit) }
        }
    }

    // MARK: Lines

    /// Whether there is a line to draw after leaving out what lies within the tolerance.
    mutating func simplifyLine(tolerance: Double) -> Bool {
        guard places.count > 1 else { return false }
        if tolerance > 0, places.count > 2 {
            markEnds()
            mark(0, places.count - 1, tolerance * tolerance)
            keepMarked()
        }
        return places.count > 2 || places[0] != places[1]
    }

    // MARK: Rings

    /// Whether there is an area to fill after leaving out what lies within the tolerance; twice the area in square units
    /// has to be the least at least.
    mutating func simplifyRing(tolerance: Double, leastDoubleArea: Int64) -> Bool {
        removeSpikes()
        guard places.count > 2, doubleArea.magnitude >= leastDoubleArea.magnitude else { return false }
        guard tolerance > 0, places.count > 4 else { return true }
        let far = farthest(from: places[0])
        places.append(places[0])
        markEnds()
        isKept[far] = true
        mark(0, far, tolerance * tolerance)
        mark(far, places.count - 1, tolerance * tolerance)
        keepMarked()
        places.removeLast()
        removeSpikes()
        return places.count > 2 && doubleArea.magnitude >= leastDoubleArea.magnitude
    }

    /// Twice the area by the surveyor's formula: positive for an outer ring, clockwise as y goes down (Vector Tile 2.1,
    /// 4.3.3.3).
    var doubleArea: Int64 {
        guard var from = places.last else { return 0 }
        var sum: Int64 = 0
        for to in places {
            sum += Int64(from.x) * Int64(to.y) - Int64(to.x) * Int64(from.y)
            from = to
        }
        return sum
    }

    mutating func reverse() { places.reverse() }

    /// Takes out places on the straight way between their neighbours, and ways that go back on themselves.
    private mutating func removeSpikes() {
        var count = 0
        for place in places {
            while count > 1, Self.areInLine(places[count - 2], places[count - 1], place) { count -= 1 }
            if count > 0, places[count - 1] == place { continue }
            places[count] = place
            count += 1
        }
        var first = 0
        while count - first > 2 {
            if places[count - 1] == places[first]
                || Self.areInLine(places[count - 2], places[count - 1], places[first])
            {
                count -= 1
            } else if Self.areInLine(places[count - 1], places[first], places[first + 1]) {
                first += 1
            } else {
                break
            }
        }
        places.removeLast(places.count - count)
        places.removeFirst(first)
    }

    private static func areInLine(_ a: SIMD2<Int32>, _ b: SIMD2<Int32>, _ c: SIMD2<Int32>) -> Bool {
        let (first, second) = (b &- a, c &- b)
        return Int64(first.x) * Int64(second.y) == Int64(first.y) * Int64(second.x)
    }

    private func farthest(from place: SIMD2<Int32>) -> Int {
        var (found, longest) = (0, Int64(0))
        for (index, other) in places.enumerated() {
            let way = other &- place
            let square = Int64(way.x) * Int64(way.x) + Int64(way.y) * Int64(way.y)
            if square > longest { (found, longest) = (index, square) }
        }
        return found
    }

    // MARK: Douglas and Peucker

    private mutating func markEnds() {
        isKept.removeAll(keepingCapacity: true)
        isKept.append(contentsOf: repeatElement(false, count: places.count))
        isKept[0] = true
        isKept[places.count - 1] = true
    }

    /// Marks what lies farther beside the straight way from one place to another than the tolerance, given squared.
    private mutating func mark(_ first: Int, _ last: Int, _ tolerance: Double) {
        ranges.append((first, last))
        while let (first, last) = ranges.popLast() {
            guard last - first > 1 else { continue }
            let segment = Segment(places[first], places[last])
            var (found, longest) = (first, tolerance)
            for index in first + 1..<last {
                let distance = segment.squaredDistance(places[index])
                if distance > longest { (found, longest) = (index, distance) }
            }
            guard found > first else { continue }
            isKept[found] = true
            ranges.append((first, found))
            ranges.append((found, last))
        }
    }

    private mutating func keepMarked() {
        var count = 0
        for index in places.indices where isKept[index] {
            places[count] = places[index]
            count += 1
        }
        places.removeLast(places.count - count)
    }

    private struct Segment {
        let start: SIMD2<Double>
        let step: SIMD2<Double>
        let square: Double

        init(_ from: SIMD2<Int32>, _ to: SIMD2<Int32>) {
            start = SIMD2(from)
            step = SIMD2(to) - start
            square = (step * step).sum()
        }

        func squaredDistance(_ place: SIMD2<Int32>) -> Double {
            let way = SIMD2<Double>(place) - start
            let along = (way * step).sum()
            if along <= 0 { return (way * way).sum() }
            if along >= square {
                let rest = way - step
                return (rest * rest).sum()
            }
            let across = way.x * step.y - way.y * step.x
            return across * across / square
        }
    }
}
