import Basics
import CGEOS

/// How two shapes lie to each other, by the DE-9IM patterns of CQL2 (OGC 21-065r2, spatial functions).
public enum SpatialRelation: String, Sendable, CaseIterable {
    case contains, crosses, disjoint, equals, intersects, overlaps, touches, within

    /// The relation of the second shape to the first.
    public var converse: SpatialRelation {
        switch self {
        case .contains: .within
        case .within: .contains
        default: self
        }
    }
}

/// Compares shapes by GEOS, the library that PostGIS uses too. For one thread at a time: make one where shapes are compared.
public final class GeometryEngine {
    private let context: GEOSContextHandle_t
    private let reader: OpaquePointer

    public init?() {
        guard let context = GEOS_init_r() else { return nil }
        guard let reader = GEOSGeoJSONReader_create_r(context) else {
            GEOS_finish_r(context)
            return nil
        }
        self.context = context
        self.reader = reader
    }

    deinit {
        GEOSGeoJSONReader_destroy_r(context, reader)
        GEOS_finish_r(context)
    }

    /// A shape in GEOS's own form.
    public final class Shape {
        private let engine: GeometryEngine
        fileprivate let handle: OpaquePointer
        private var prepared: OpaquePointer?

        fileprivate init?(_ engine: GeometryEngine, _ handle: OpaquePointer?) {
            guard let handle else { return nil }
            self.engine = engine
            self.handle = handle
        }

        deinit {
            if let prepared { GEOSPreparedGeom_destroy_r(engine.context, prepared) }
            GEOSGeom_destroy_r(engine.context, handle)
        }

        /// Whether this shape lies so to another; nil where the library cannot tell, e.g. for a polygon that crosses itself. The first
        /// question prepares the shape: what asks many times of one shape asks it of that one.
        public func lies(_ relation: SpatialRelation, to other: Shape) -> Bool? {
            let context = engine.context
            if relation == .equals { return Self.truth(GEOSEquals_r(context, handle, other.handle)) }
            if prepared == nil { prepared = GEOSPrepare_r(context, handle) }
            guard let prepared else { return nil }
            switch relation {
            case .intersects: return Self.truth(GEOSPreparedIntersects_r(context, prepared, other.handle))
            case .disjoint: return Self.truth(GEOSPreparedDisjoint_r(context, prepared, other.handle))
            case .contains: return Self.truth(GEOSPreparedContains_r(context, prepared, other.handle))
            case .within: return Self.truth(GEOSPreparedWithin_r(context, prepared, other.handle))
            case .touches: return Self.truth(GEOSPreparedTouches_r(context, prepared, other.handle))
            case .crosses: return Self.truth(GEOSPreparedCrosses_r(context, prepared, other.handle))
            case .overlaps: return Self.truth(GEOSPreparedOverlaps_r(context, prepared, other.handle))
            case .equals: return nil
            }
        }

        /// Whether another shape lies so to this one.
        public func isLain(_ relation: SpatialRelation, by other: Shape) -> Bool? { lies(relation.converse, to: other) }

        private static func truth(_ answer: CChar) -> Bool? { answer == 2 ? nil : answer == 1 }
    }

    public func point(_ x: Double, _ y: Double) -> Shape? {
        Shape(self, GEOSGeom_createPointFromXY_r(context, x, y))
    }

    /// Reads GeoJSON; nil where it is none. Relations are of the plane: heights are left out.
    public func shape(_ geoJSON: UnsafeBufferPointer<UInt8>) -> Shape? {
        // The library reads positions of two numbers; others take the long way.
        read(geoJSON) ?? (try? JSONValue(Array(geoJSON))).flatMap { Geometry($0) }.flatMap { shape($0) }
    }

    private func read(_ geoJSON: UnsafeBufferPointer<UInt8>) -> Shape? {
        var text = Array(geoJSON)
        text.append(0)
        return text.withUnsafeBufferPointer { text in
            text.baseAddress.flatMap { base in
                base.withMemoryRebound(to: CChar.self, capacity: text.count) {
                    Shape(self, GEOSGeoJSONReader_readGeometry_r(context, reader, $0))
                }
            }
        }
    }

    public func shape(_ geometry: Geometry) -> Shape? {
        let flat = geometry.moved { Position($0.x, $0.y) }
        return Array(flat.json.text.utf8).withUnsafeBufferPointer { read($0) }
    }
}
