import Basics
import Foundation
import Geo
import Tabular

/// The earth as a sphere of its mean radius.
enum Sphere {
    /// The mean radius of the earth in metres (IUGG).
    static let radius = 6_371_008.8

    /// The distance between two places of longitude and latitude along the sphere, by the haversine.
    static func metres(_ a: (x: Double, y: Double), _ b: (x: Double, y: Double)) -> Double {
        let degree = Double.pi / 180
        let (first, second) = (a.y * degree, b.y * degree)
        let latitude = sin((second - first) / 2)
        let longitude = sin((b.x - a.x) * degree / 2)
        let h = latitude * latitude + cos(first) * cos(second) * longitude * longitude
        return 2 * radius * asin(min(1, h.squareRoot()))
    }
}

extension BoundExpression {
    // MARK: Shapes

    /// A point's place; nil for other shapes.
    static func place(_ vector: Vector, _ row: Int) -> (x: Double, y: Double)? {
        switch vector {
        case .points(let x, let y, _): isNull(vector, row) ? nil : (x[row], y[row])
        case .shape(.point(let position), _): (position.x, position.y)
        case .texts:
            withText(vector, row) { bytes -> (x: Double, y: Double)? in
                guard let json = try? JSONValue(Array(bytes)), case .point(let position)? = Geometry(json) else {
                    return nil
                }
                return (position.x, position.y)
            } ?? nil
        default: nil
        }
    }

    func spatial(_ relation: SpatialRelation, _ a: Vector, _ b: Vector, _ count: Int) -> [UInt8] {
        let nothing = [UInt8](repeating: 2, count: count)
        if case .shape = a, case .shape = b {
        } else if case .shape = a {
            return spatial(relation.converse, b, a, count)
        }
        if case .points(let x, let y, let validity) = a, case .shape(_, let box?) = b,
            relation == .intersects || relation == .disjoint
        {
            // Points against a box need no library.
            let inside: UInt8 = relation == .intersects ? 1 : 0
            return (0..<count).map { row in
                validity.map { !$0[row] } ?? false ? 2 : box.contains(x[row], y[row]) ? inside : 1 - inside
            }
        }
        guard let engine = GeometryEngine() else { return nothing }
        guard case .shape(let geometry, _) = b else {
            return (0..<count).map { row in
                guard let left = Self.shape(a, row, engine), let right = Self.shape(b, row, engine) else { return 2 }
                return left.lies(relation, to: right).map { $0 ? 1 : 0 } ?? 2
            }
        }
        guard let fixed = engine.shape(geometry), let around = geometry.box else { return nothing }
        return (0..<count).map { row in
            if case .points(let x, let y, let validity) = a, !around.contains(x[row], y[row]) {
                return validity.map { !$0[row] } ?? false ? 2 : relation == .disjoint ? 1 : 0
            }
            guard let shape = Self.shape(a, row, engine) else { return 2 }
            return fixed.isLain(relation, by: shape).map { $0 ? 1 : 0 } ?? 2
        }
    }

    private static func shape(_ vector: Vector, _ row: Int, _ engine: GeometryEngine) -> GeometryEngine.Shape? {
        switch vector {
        case .points(let x, let y, _): isNull(vector, row) ? nil : engine.point(x[row], y[row])
        case .shape(let geometry, _): engine.shape(geometry)
        default: withText(vector, row) { engine.shape($0) } ?? nil
        }
    }

    // MARK: Arrays

    func arrays(_ relation: ArrayRelation, _ a: Elements, _ b: Elements, _ batch: Batch) -> [UInt8] {
        func sets(_ elements: Elements) -> [Set<String>?] {
            switch elements {
            case .values(let values): return Array(repeating: values, count: batch.count)
            case .parts(let node):
                let texts = vector(node, batch)
                return (0..<batch.count).map { row in Self.text(texts, row).map(Self.parts) }
            }
        }
        return zip(sets(a), sets(b)).map { a, b in
            guard let a, let b else { return 2 }
            let holds =
                switch relation {
                case .contains: a.isSuperset(of: b)
                case .containedBy: a.isSubset(of: b)
                case .equals: a == b
                case .overlaps: !a.isDisjoint(with: b)
                }
            return holds ? 1 : 0
        }
    }

    /// What a text lists: a JSON array, or parts between `,` `;` `|` and their Chinese sisters.
    static func parts(_ text: String) -> Set<String> {
        if text.hasPrefix("["), let list = (try? JSONValue(text: text))?.array {
            return Set(list.map { $0.string ?? $0.text })
        }
        let parts = text.split { ",;|，；、".contains($0) }
        return Set(parts.map { TextForms.trimmed(String($0)) }.filter { !$0.isEmpty })
    }
}
