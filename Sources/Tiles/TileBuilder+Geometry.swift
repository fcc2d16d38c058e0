public import Geo

/// Memory that every line and ring uses again.
struct Scratch: Sendable {
    var path: [SIMD2<Double>] = []
    var spare: [SIMD2<Double>] = []
    var units = UnitPath()
}

extension TileBuilder {
    /// Adds a shape of longitudes and latitudes in degrees: lines and areas cut at the tile's buffer and simplified, areas
    /// of less than a pixel left out. A collection becomes a feature for each of its members, all of the same number and
    /// attributes; a shape of several points stays one feature, with one place for each cell. A line or ring with a place
    /// that is not finite is left out; shapes are not repeated beyond the antimeridian.
    @discardableResult
    public mutating func add(_ shape: Geometry, id: UInt64? = nil) -> Outcome {
        close()
        guard isComplete else { return .leftOut }
        let start = OpenFeatures(self)
        let outcome = append(shape, id, since: start)
        if isComplete {
            if outcome == .added { open = start }
            return outcome
        }
        takeBack(start)
        return .leftOut
    }

    private mutating func append(_ shape: Geometry, _ id: UInt64?, since start: OpenFeatures) -> Outcome {
        geometry.removeAll(keepingCapacity: true)
        var cursor = SIMD2<Int32>(0, 0)
        switch shape {
        case .point(let position):
            return place(position.x, position.y, id, since: start)
        case .multiPoint(let positions):
            appendPoints(positions)
            return appendFeature(.points, id)
        case .lineString(let line):
            appendLine(line, &cursor)
            return appendFeature(.lines, id)
        case .multiLineString(let lines):
            for line in lines { appendLine(line, &cursor) }
            return appendFeature(.lines, id)
        case .polygon(let rings):
            appendArea(rings, &cursor)
            return appendFeature(.areas, id)
        case .multiPolygon(let areas):
            for rings in areas { appendArea(rings, &cursor) }
            return appendFeature(.areas, id)
        case .collection(let members):
            var outcomes: Set<Outcome> = []
            for member in members where isComplete { outcomes.insert(append(member, id, since: start)) }
            return [.added, .thinned].first { outcomes.contains($0) } ?? .outside
        }
    }

    /// Makes a feature of the commands.
    private mutating func appendFeature(_ type: FeatureType, _ id: UInt64?) -> Outcome {
        guard !geometry.isEmpty else { return .outside }
        guard count < settings.features else {
            isComplete = false
            return .leftOut
        }
        let commands = geometry
        beginFeature(id, type, atMost: commands.count * 5) { writer in
            for command in commands { writer.varint(command) }
        }
        return .added
    }

    // MARK: Parts of shapes

    private mutating func appendPoints(_ positions: [Position]) {
        var taken = PointGrid(thinning)
        var count = 0
        var cursor = SIMD2<Int32>(0, 0)
        geometry.append(0)
        for position in positions where projection.reach.contains(position.x, position.y) {
            let units = projection.unitsInReach(position.x, position.y)
            guard taken.take(units, offset: 0, ordinal: count) == nil else { continue }
            move(to: units, &cursor)
            count += 1
        }
        if count == 0 {
            geometry.removeLast()
        } else {
            geometry[0] = Command.moveTo(count)
        }
    }

    private mutating func appendLine(_ line: [Position], _ cursor: inout SIMD2<Int32>) {
        guard let needsCut = needsCut(line) else { return }
        var scratch = Scratch()
        swap(&scratch, &self.scratch)
        project(line[...], into: &scratch.path)
        if needsCut {
            Clipping.forEachPart(of: scratch.path, into: &scratch.spare) { part in
                appendPart(part, &scratch.units, &cursor)
            }
        } else {
            appendPart(scratch.path, &scratch.units, &cursor)
        }
        swap(&scratch, &self.scratch)
    }

    private mutating func appendPart(_ part: [SIMD2<Double>], _ units: inout UnitPath, _ cursor: inout SIMD2<Int32>) {
        units.set(part)
        guard units.simplifyLine(tolerance: settings.tolerance) else { return }
        appendPath(units.places, &cursor)
    }

    /// The outer ring, then its holes; without the outer ring none of them.
    private mutating func appendArea(_ rings: [[Position]], _ cursor: inout SIMD2<Int32>) {
        for (index, ring) in rings.enumerated() {
            let isDrawn = appendRing(ring, isOuter: index == 0, &cursor)
            if index == 0, !isDrawn { return }
        }
    }

    private mutating func appendRing(_ ring: [Position], isOuter: Bool, _ cursor: inout SIMD2<Int32>) -> Bool {
        guard let needsCut = needsCut(ring), let first = ring.first, let last = ring.last else { return false }
        var scratch = Scratch()
        swap(&scratch, &self.scratch)
        defer { swap(&scratch, &self.scratch) }
        project(first.x == last.x && first.y == last.y ? ring.dropLast() : ring[...], into: &scratch.path)
        if needsCut { Clipping.cut(&scratch.path, &scratch.spare) }
        scratch.units.set(scratch.path)
        let least = thinning.leastDoubleArea
        guard scratch.units.simplifyRing(tolerance: settings.tolerance, leastDoubleArea: least) else { return false }
        if (scratch.units.doubleArea > 0) != isOuter { scratch.units.reverse() }
        appendPath(scratch.units.places, &cursor)
        geometry.append(Command.closePath)
        return true
    }

    /// Whether a line has to be cut; nil for one that lies beside the tile's reach or cannot be drawn.
    private func needsCut(_ line: [Position]) -> Bool? {
        var (minX, minY, maxX, maxY) = (Double.infinity, Double.infinity, -Double.infinity, -Double.infinity)
        for position in line {
            guard position.x.magnitude <= Self.farthestLongitude, position.y.isFinite else { return nil }
            minX = min(minX, position.x)
            maxX = max(maxX, position.x)
            minY = min(minY, position.y)
            maxY = max(maxY, position.y)
        }
        let reach = projection.reach
        guard minX <= reach.maxX, maxX >= reach.minX, minY <= reach.maxY, maxY >= reach.minY else { return nil }
        return !(reach.contains(minX, minY) && reach.contains(maxX, maxY))
    }

    /// Some data goes on beyond the antimeridian; nothing goes round the world twice.
    private static let farthestLongitude = 540.0

    private func project(_ line: ArraySlice<Position>, into path: inout [SIMD2<Double>]) {
        path.removeAll(keepingCapacity: true)
        for position in line { path.append(projection.point(position)) }
    }

    // MARK: Commands (Vector Tile 2.1, 4.3)

    private enum Command {
        static func moveTo(_ count: Int) -> UInt32 { UInt32(truncatingIfNeeded: count) << 3 | 1 }
        static func lineTo(_ count: Int) -> UInt32 { UInt32(truncatingIfNeeded: count) << 3 | 2 }
        static let closePath: UInt32 = 15
    }

    private mutating func appendPath(_ places: [SIMD2<Int32>], _ cursor: inout SIMD2<Int32>) {
        for (index, place) in places.enumerated() {
            if index == 0 { geometry.append(Command.moveTo(1)) }
            if index == 1 { geometry.append(Command.lineTo(places.count - 1)) }
            move(to: place, &cursor)
        }
    }

    private mutating func move(to place: SIMD2<Int32>, _ cursor: inout SIMD2<Int32>) {
        let step = place &- cursor
        geometry.append(Varint.zigzag(step.x))
        geometry.append(Varint.zigzag(step.y))
        cursor = place
    }
}
