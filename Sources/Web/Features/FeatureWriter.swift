import Basics
import Geo
import Kernel
import Lake
import Tabular

/// Writes rows as GeoJSON features.
struct FeatureWriter {
    let collection: FeatureCollection
    let system: CoordinateSystem
    private let batch: Batch
    private let ids: [Int64]
    private let shape: (Int, Int)?
    private let key: Int?
    private let properties: [(column: Int, key: [UInt8])]

    init(_ collection: FeatureCollection, _ query: FeatureQuery, _ page: RecordPage) {
        self.collection = collection
        system = query.system
        let batch = page.batch
        self.batch = batch
        ids = page.ids
        // Everything was asked for and came: it stands where the layout says.
        let layout = collection.layout
        if query.properties.count == layout.properties.count, batch.fields.count == layout.wanted.count {
            (shape, key, properties) = (layout.places.shape, layout.places.key, layout.places.properties)
            return
        }
        let names = collection.shape?.names.compactMap(batch.index) ?? []
        shape = names.isEmpty ? nil : (names[0], names[names.count - 1])
        key = collection.key.flatMap { batch.index($0.name) }
        let keys = collection.layout.keys
        properties = query.properties.compactMap { field in
            guard let column = batch.index(field.name), let key = keys[field.name] else { return nil }
            return (column: column, key: key)
        }
    }

    /// Appends a feature without its closing brace.
    func append(_ row: Int, to out: inout [UInt8]) {
        out.append(contentsOf: #"{"type":"Feature","id":"#.utf8)
        if let key {
            JSONBatchWriter.appendValue(batch, row, key, to: &out)
        } else {
            Numbers.append(ids[row], to: &out)
        }
        out.append(contentsOf: #","geometry":"#.utf8)
        appendGeometry(row, to: &out)
        out.append(contentsOf: #","properties":{"#.utf8)
        for (index, property) in properties.enumerated() {
            if index > 0 { out.append(0x2C) }
            out.append(contentsOf: property.key)
            JSONBatchWriter.appendValue(batch, row, property.column, to: &out)
        }
        out.append(0x7D)
    }

    private func appendGeometry(_ row: Int, to out: inout [UInt8]) {
        guard let (x, y) = shape, !batch.columns[x].isNull(row), !batch.columns[y].isNull(row) else {
            return out.append(contentsOf: "null".utf8)
        }
        if case .text(let texts) = batch.columns[x].values {
            texts.withBytes(row) { bytes in
                guard system != .crs84 else { return out.append(contentsOf: bytes) }
                let geometry = (try? JSONValue(Array(bytes))).flatMap { Geometry($0) }
                out.append(contentsOf: (geometry?.coordinates(in: system).json.text ?? "null").utf8)
            }
            return
        }
        let place: (Double, Double)?
        if case .points(let xs, let ys) = batch.columns[x].values {
            place = (xs[row], ys[row])
        } else if let longitude = batch.value(row, x).json.real, let latitude = batch.value(row, y).json.real {
            place = (longitude, latitude)
        } else {
            place = nil
        }
        guard let place else { return out.append(contentsOf: "null".utf8) }
        let (first, second) = system.coordinates(longitude: place.0, latitude: place.1)
        guard first.isFinite, second.isFinite else { return out.append(contentsOf: "null".utf8) }
        out.append(contentsOf: #"{"type":"Point","coordinates":["#.utf8)
        Numbers.append(first, to: &out)
        out.append(0x2C)
        Numbers.append(second, to: &out)
        out.append(contentsOf: "]}".utf8)
    }
}
