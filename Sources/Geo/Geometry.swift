public import Basics

/// A place: longitude and latitude in degrees (CGCS2000 or WGS-84), and a height in metres where one was given.
public struct Position: Sendable, Hashable {
    public var x: Double
    public var y: Double
    public var z: Double?

    public init(_ x: Double, _ y: Double, _ z: Double? = nil) {
        self.x = x
        self.y = y
        self.z = z
    }
}

/// A shape of the simple features model (ISO 19125), as GeoJSON (RFC 7946) and CQL2 write it.
public indirect enum Geometry: Sendable, Hashable {
    case point(Position)
    case multiPoint([Position])
    case lineString([Position])
    case multiLineString([[Position]])
    /// The outer ring, then holes; each closed.
    case polygon([[Position]])
    case multiPolygon([[[Position]]])
    case collection([Geometry])

    /// The type's name in GeoJSON.
    public var type: String {
        switch self {
        case .point: "Point"
        case .multiPoint: "MultiPoint"
        case .lineString: "LineString"
        case .multiLineString: "MultiLineString"
        case .polygon: "Polygon"
        case .multiPolygon: "MultiPolygon"
        case .collection: "GeometryCollection"
        }
    }

    /// Whether it is one: lines of two different positions at least, rings of four and closed, nothing empty, every number finite.
    public var isSound: Bool {
        switch self {
        case .point(let position): Geometry.isFinite([position])
        case .multiPoint(let list): !list.isEmpty && Geometry.isFinite(list)
        case .lineString(let list): Geometry.isLine(list)
        case .multiLineString(let lines): !lines.isEmpty && lines.allSatisfy(Geometry.isLine)
        case .polygon(let rings): Geometry.areRings(rings)
        case .multiPolygon(let polygons): !polygons.isEmpty && polygons.allSatisfy(Geometry.areRings)
        case .collection(let members): !members.isEmpty && members.allSatisfy(\.isSound)
        }
    }

    private static func isFinite(_ list: [Position]) -> Bool {
        list.allSatisfy { $0.x.isFinite && $0.y.isFinite && ($0.z?.isFinite ?? true) }
    }

    /// Two places that differ at least.
    private static func isLine(_ list: [Position]) -> Bool {
        isFinite(list) && list.contains { $0.x != list[0].x || $0.y != list[0].y }
    }

    private static func areRings(_ rings: [[Position]]) -> Bool {
        !rings.isEmpty
            && rings.allSatisfy { ring in
                ring.count >= 4 && ring.first.map { [$0.x, $0.y] } == ring.last.map { [$0.x, $0.y] } && isLine(ring)
            }
    }

    // MARK: GeoJSON

    /// Reads a GeoJSON geometry; nil for anything else, and for one that is not sound.
    public init?(_ json: JSONValue) {
        guard let found = Geometry.read(json, depth: 0), found.isSound else { return nil }
        self = found
    }

    /// The GeoJSON geometry that bytes are, nil where they are none.
    public init?(geoJSON bytes: UnsafeBufferPointer<UInt8>) {
        guard let json = try? JSONValue(Array(bytes)) else { return nil }
        self.init(json)
    }

    private static func read(_ json: JSONValue, depth: Int) -> Geometry? {
        guard depth < 8, let type = json["type"]?.string else { return nil }
        if type == "GeometryCollection" {
            return all(json["geometries"]) { read($0, depth: depth + 1) }.map { .collection($0) }
        }
        guard let coordinates = json["coordinates"] else { return nil }
        switch type {
        case "Point": return position(coordinates).map { .point($0) }
        case "MultiPoint": return all(coordinates, position).map { .multiPoint($0) }
        case "LineString": return all(coordinates, position).map { .lineString($0) }
        case "MultiLineString": return all(coordinates) { all($0, position) }.map { .multiLineString($0) }
        case "Polygon": return all(coordinates) { all($0, position) }.map { .polygon($0) }
        case "MultiPolygon": return all(coordinates) { all($0) { all($0, position) } }.map { .multiPolygon($0) }
        default: return nil
        }
    }

    private static func position(_ json: JSONValue) -> Position? {
        guard let list = json.array, (2...4).contains(list.count), let x = list[0].real, let y = list[1].real else {
            return nil
        }
        guard list.count > 2 else { return Position(x, y) }
        return list[2].real.map { Position(x, y, $0) }
    }

    private static func all<T>(_ json: JSONValue?, _ read: (JSONValue) -> T?) -> [T]? {
        guard let list = json?.array else { return nil }
        var found: [T] = []
        for item in list {
            guard let one = read(item) else { return nil }
            found.append(one)
        }
        return found
    }

    public var json: JSONValue {
        func position(_ position: Position) -> JSONValue {
            .array([position.x, position.y].map(Geometry.number) + (position.z.map { [Geometry.number($0)] } ?? []))
        }
        func list(_ positions: [Position]) -> JSONValue { .array(positions.map(position)) }
        let coordinates: JSONValue
        switch self {
        case .point(let place): coordinates = position(place)
        case .multiPoint(let places), .lineString(let places): coordinates = list(places)
        case .multiLineString(let lines), .polygon(let lines): coordinates = .array(lines.map(list))
        case .multiPolygon(let polygons): coordinates = .array(polygons.map { .array($0.map(list)) })
        case .collection(let members):
            return .object([.init("type", .string(type)), .init("geometries", .array(members.map(\.json)))])
        }
        return .object([.init("type", .string(type)), .init("coordinates", coordinates)])
    }

    /// A number as JSON, whole where it is.
    static func number(_ value: Double) -> JSONValue {
        value.rounded() == value && value.magnitude < 1e15 ? .integer(Int64(value)) : .real(value)
    }

    // MARK: Well-known text

    /// Well-known text as CQL2 writes it: `POINT(116.4 39.9)`, `LINESTRING Z(1 2 3,4 5 6)`.
    public var wellKnownText: String {
        func place(_ position: Position) -> String {
            ([position.x, position.y] + (position.z.map { [$0] } ?? [])).map { Geometry.number($0).text }
                .joined(separator: " ")
        }
        func list(_ positions: [Position]) -> String { "(" + positions.map(place).joined(separator: ",") + ")" }
        func lists(_ parts: [[Position]]) -> String { "(" + parts.map(list).joined(separator: ",") + ")" }
        let body: String =
            switch self {
            case .point(let position): list([position])
            case .multiPoint(let positions): lists(positions.map { [$0] })
            case .lineString(let positions): list(positions)
            case .multiLineString(let parts), .polygon(let parts): lists(parts)
            case .multiPolygon(let polygons): "(" + polygons.map(lists).joined(separator: ",") + ")"
            case .collection(let members): "(" + members.map(\.wellKnownText).joined(separator: ",") + ")"
            }
        return type.uppercased() + (hasHeights ? " Z" : "") + body
    }

    private var hasHeights: Bool {
        var found = false
        forEachPosition { if $0.z != nil { found = true } }
        if case .collection = self { return false }
        return found
    }

    // MARK: Extent

    public func forEachPosition(_ body: (Position) -> Void) {
        switch self {
        case .point(let position): body(position)
        case .multiPoint(let list), .lineString(let list): list.forEach(body)
        case .multiLineString(let lists), .polygon(let lists): for list in lists { list.forEach(body) }
        case .multiPolygon(let polygons): for rings in polygons { for ring in rings { ring.forEach(body) } }
        case .collection(let members): for member in members { member.forEachPosition(body) }
        }
    }

    /// The smallest box around it; nil where it has no position.
    public var box: Box? {
        var box: Box?
        forEachPosition { box = box?.including($0.x, $0.y) ?? Box($0.x, $0.y, $0.x, $0.y) }
        return box
    }
}

/// A rectangle of longitudes and latitudes, its edges included.
public struct Box: Sendable, Hashable {
    public var minX, minY, maxX, maxY: Double

    public init(_ minX: Double, _ minY: Double, _ maxX: Double, _ maxY: Double) {
        self.minX = minX
        self.minY = minY
        self.maxX = maxX
        self.maxY = maxY
    }

    func including(_ x: Double, _ y: Double) -> Box { Box(min(minX, x), min(minY, y), max(maxX, x), max(maxY, y)) }

    @inline(__always)
    public func contains(_ x: Double, _ y: Double) -> Bool { x >= minX && x <= maxX && y >= minY && y <= maxY }

    /// The box as a shape; one whose west lies east of its east crosses the antimeridian and is two.
    public var geometry: Geometry {
        func ring(_ west: Double, _ east: Double) -> [[Position]] {
            [
                [
                    Position(west, minY), Position(east, minY), Position(east, maxY), Position(west, maxY),
                    Position(west, minY),
                ]
            ]
        }
        return minX > maxX ? .multiPolygon([ring(minX, 180), ring(-180, maxX)]) : .polygon(ring(minX, maxX))
    }
}
