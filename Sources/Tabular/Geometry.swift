import Basics

/// GeoJSON geometries (RFC 7946, section 3.1): what a field of the type holds as text.
public enum Geometry {
    private static let depths = [
        "Point": 1, "MultiPoint": 2, "LineString": 2, "MultiLineString": 3, "Polygon": 3, "MultiPolygon": 4,
    ]

    /// Whether bytes are one geometry: its type known, positions of two or three finite numbers nested as the type asks.
    public static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let json = try? JSONValue(Array(bytes)) else { return false }
        return isValid(json, depth: 0)
    }

    private static func isValid(_ json: JSONValue, depth: Int) -> Bool {
        guard depth < 8, let type = json["type"]?.string else { return false }
        if type == "GeometryCollection" {
            return json["geometries"]?.array?.allSatisfy { isValid($0, depth: depth + 1) } ?? false
        }
        guard let nesting = depths[type], let coordinates = json["coordinates"] else { return false }
        return isNested(coordinates, nesting)
    }

    private static func isNested(_ json: JSONValue, _ nesting: Int) -> Bool {
        guard let list = json.array else { return false }
        if nesting == 1 { return (2...4).contains(list.count) && list.allSatisfy { $0.real?.isFinite == true } }
        return list.allSatisfy { isNested($0, nesting - 1) }
    }
}
