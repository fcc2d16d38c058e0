import Foundation

/// The coordinate systems that places are asked for and given in. They are kept as longitude and latitude of CGCS2000, which is WGS-84 but for
/// tenths of a millimetre; the shifted ones are for maps only.
public enum CoordinateSystem: String, Sendable, CaseIterable {
    /// Longitude, latitude.
    case crs84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    /// Latitude, longitude: the order that the register gives it.
    case epsg4326 = "http://www.opengis.net/def/crs/EPSG/0/4326"
    /// CGCS2000: latitude, longitude.
    case epsg4490 = "http://www.opengis.net/def/crs/EPSG/0/4490"
    /// Metres of the web's Mercator.
    case epsg3857 = "http://www.opengis.net/def/crs/EPSG/0/3857"
    /// The shifted coordinates of Chinese maps: longitude, latitude. There is no public register's name for them.
    case gcj02 = "/def/crs/GCJ02"
    /// Baidu's: longitude, latitude.
    case bd09 = "/def/crs/BD09"

    /// Reads a URI, or one in brackets as safe CURIEs have it.
    public init?(uri: String) {
        let short = [
            "[EPSG:4326]": Self.epsg4326, "[EPSG:4490]": .epsg4490, "[EPSG:3857]": .epsg3857, "[OGC:CRS84]": .crs84,
        ]
        let own = Self.allCases.first { $0.isOurs && uri.hasSuffix($0.rawValue) }
        guard let found = short[uri] ?? own ?? Self(rawValue: uri) else { return nil }
        self = found
    }

    /// Whether the name is a node's own: no register has one.
    private var isOurs: Bool { rawValue.hasPrefix("/") }

    /// The URI; of the shifted systems that of a node's page which says what they are.
    public func uri(at origin: String) -> String { isOurs ? origin + rawValue : rawValue }

    /// Longitude and latitude in this system, in the order of its axes.
    public func coordinates(longitude: Double, latitude: Double) -> (Double, Double) {
        switch self {
        case .crs84: return (longitude, latitude)
        case .epsg4326, .epsg4490: return (latitude, longitude)
        case .epsg3857:
            let limited = max(-Mercator.highest, min(Mercator.highest, latitude))
            return (
                Mercator.radius * longitude * .pi / 180,
                Mercator.radius * log(tan(.pi / 4 + limited * .pi / 360))
            )
        case .gcj02: return ShiftedMap.shifted(longitude, latitude)
        case .bd09:
            let (x, y) = ShiftedMap.shifted(longitude, latitude)
            return ShiftedMap.baidu(x, y)
        }
    }

    /// Coordinates of this system as longitude and latitude.
    public func place(_ first: Double, _ second: Double) -> (longitude: Double, latitude: Double) {
        switch self {
        case .crs84: return (first, second)
        case .epsg4326, .epsg4490: return (second, first)
        case .epsg3857:
            return (
                first / Mercator.radius * 180 / .pi,
                (2 * atan(exp(second / Mercator.radius)) - .pi / 2) * 180 / .pi
            )
        case .gcj02: return ShiftedMap.unshifted(first, second)
        case .bd09:
            let (x, y) = ShiftedMap.unbaidu(first, second)
            return ShiftedMap.unshifted(x, y)
        }
    }

    private enum Mercator {
        static let radius = 6_378_137.0
        /// Where the square map ends.
        static let highest = 85.051_128_779_806_59
    }
}

/// GCJ-02 and BD-09, by the formulas that everybody who met them derived.
enum ShiftedMap {
    /// Outside of this box maps are not shifted.
    static let box = Box(72.004, 0.8293, 137.8347, 55.8271)

    static func shifted(_ x: Double, _ y: Double) -> (Double, Double) {
        guard box.contains(x, y) else { return (x, y) }
        let axis = 6_378_245.0
        let eccentricity = 0.006_693_421_622_965_943_23
        let (u, v) = (x - 105, y - 35)
        let latitude = y * .pi / 180
        let sine = sin(latitude)
        let magic = 1 - eccentricity * sine * sine
        let north = Self.north(u, v) * 180 / ((axis * (1 - eccentricity)) / (magic * magic.squareRoot()) * .pi)
        let east = Self.east(u, v) * 180 / (axis / magic.squareRoot() * cos(latitude) * .pi)
        return (x + east, y + north)
    }

    private static func waves(_ t: Double, _ first: (Double, Double), _ second: (Double, Double)) -> Double {
        (first.0 * sin(t / first.1 * .pi) + second.0 * sin(t / second.1 * .pi)) * 2 / 3
    }

    private static func north(_ x: Double, _ y: Double) -> Double {
        -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * x.magnitude.squareRoot()
            + (20 * sin(6 * x * .pi) + 20 * sin(2 * x * .pi)) * 2 / 3 + waves(y, (20, 1), (40, 3))
            + waves(y, (160, 12), (320, 30))
    }

    private static func east(_ x: Double, _ y: Double) -> Double {
        300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * x.magnitude.squareRoot()
            + (20 * sin(6 * x * .pi) + 20 * sin(2 * x * .pi)) * 2 / 3 + waves(x, (20, 1), (40, 3))
            + waves(x, (150, 12), (300, 30))
    }

    /// The inverse by iteration, to 1e-9 degrees: the usual single step is metres off.
    static func unshifted(_ x: Double, _ y: Double) -> (Double, Double) { inverse(of: shifted, x, y) }

    static func unbaidu(_ x: Double, _ y: Double) -> (Double, Double) { inverse(of: baidu, x, y) }

    /// The inverse by iteration, to 1e-9 degrees: the usual single steps are centimetres to metres off.
    private static func inverse(
        of shift: (Double, Double) -> (Double, Double),
        _ x: Double,
        _ y: Double
    ) -> (Double, Double) {
        var (u, v) = (x, y)
        for _ in 0..<10 {
            let (a, b) = shift(u, v)
            let (east, north) = (x - a, y - b)
            u += east
            v += north
            if max(east.magnitude, north.magnitude) < 1e-9 { break }
        }
        return (u, v)
    }

    static func baidu(_ x: Double, _ y: Double) -> (Double, Double) {
        let turn = Double.pi * 3000 / 180
        let radius = (x * x + y * y).squareRoot() + 0.00002 * sin(y * turn)
        let angle = atan2(y, x) + 0.000003 * cos(x * turn)
        return (radius * cos(angle) + 0.0065, radius * sin(angle) + 0.006)
    }
}

extension Geometry {
    /// The geometry with every position changed.
    public func moved(_ body: (Position) -> Position) -> Geometry {
        switch self {
        case .point(let position): .point(body(position))
        case .multiPoint(let list): .multiPoint(list.map(body))
        case .lineString(let list): .lineString(list.map(body))
        case .multiLineString(let lists): .multiLineString(lists.map { $0.map(body) })
        case .polygon(let rings): .polygon(rings.map { $0.map(body) })
        case .multiPolygon(let polygons): .multiPolygon(polygons.map { $0.map { $0.map(body) } })
        case .collection(let members): .collection(members.map { $0.moved(body) })
        }
    }

    /// The geometry, of longitudes and latitudes, in another system.
    public func coordinates(in system: CoordinateSystem) -> Geometry {
        moved { place in
            let (first, second) = system.coordinates(longitude: place.x, latitude: place.y)
            return Position(first, second, place.z)
        }
    }

    /// The geometry, of coordinates of a system, as longitudes and latitudes.
    public func places(from system: CoordinateSystem) -> Geometry {
        moved { place in
            let (longitude, latitude) = system.place(place.x, place.y)
            return Position(longitude, latitude, place.z)
        }
    }
}
