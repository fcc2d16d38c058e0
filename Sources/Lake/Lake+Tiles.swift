import Basics
import CQL
import Geo
public import Kernel
import Store
import Synchronization
import Tabular
public import Tiles

/// A vector tile of a resource's shapes that somebody wants.
public struct TileQuery: Sendable {
    public var code: String
    public var address: TileAddress
    /// The fields that features carry as attributes; the row's number is each feature's id.
    public var fields: [String]
    /// CQL2 text.
    public var filter: String?

    public init(_ code: String, _ address: TileAddress, fields: [String] = [], filter: String? = nil) {
        self.code = code
        self.address = address
        self.fields = fields
        self.filter = filter
    }
}

/// A tile as bytes (Mapbox Vector Tile 2.1), one layer `rows`.
public struct Tile: Sendable {
    public var bytes: [UInt8]
    public var features: Int
    /// False where there was no room for everything.
    public var isComplete: Bool
    /// The same for the same rows: see ``LakeActions/stamp``.
    public var stamp = ""
}

/// Tiles that were made, until their bytes are too many; then it begins again.
final class TileCache: Sendable {
    private struct State {
        var tiles: [String: Tile] = [:]
        var bytes = 0
    }

    private let state = Mutex(State())
    private let limit = 64 << 20

    subscript(key: String) -> Tile? { state.withLock { $0.tiles[key] } }

    func store(_ tile: Tile, for key: String) {
        state.withLock { state in
            if state.bytes + tile.bytes.count > limit { state = State() }
            if let old = state.tiles.updateValue(tile, forKey: key) { state.bytes -= old.bytes.count }
            state.bytes += tile.bytes.count + key.utf8.count
        }
    }
}

extension Lake {
    /// Rows read at a time: a tile in the middle zooms is one read.
    private static let tileRows = 65_536
    private static let mostTileRows = 4_000_000
    /// Points that are taken from an index at once; where there are more, the table is read.
    private static let mostTilePlaces = 262_144

    /// Makes a tile of the rows that a decision shows, or gives the one that was made of the same rows.
    func tile(_ query: TileQuery, _ decision: Decision) async throws -> Tile {
        guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
        let stamp = try await stamp(decision)
        let key =
            "\(stamp) \(resource.code) \(query.address) \(query.fields.joined(separator: ",")) \(query.filter ?? "")"
        if let kept = tiles[key] { return kept }
        let shape = try Lake.shape(of: resource, decision)
        guard let state = try await readable(resource) else {
            return Tile(bytes: [], features: 0, isComplete: true, stamp: stamp)
        }
        // A part of the world that a tile holds, in the words of the query path: it goes by the index of shapes where there is one.
        var records = RecordQuery(query.code, fields: shape.names + query.fields, filter: query.filter)
        records.condition = try Expression(either: shape.condition(query.box))
        let database = database(resource)
        let decided = try DecidedQuery(records, decision, state, self, database.dialect)
        retain(state.physical)
        defer { release(state.physical) }
        var tile: Tile
        if let made = try await heldTile(query, shape, decision, state) {
            tile = made
        } else {
            if let made = try await placedTile(query, decided, decision, state, database) {
                tile = made
            } else {
                tile = try await drawnTile(query, shape, decided, database)
            }
            held.note(tile.features, of: state.physical)
        }
        tile.stamp = stamp
        tiles.store(tile, for: key)
        return tile
    }

    /// The tile from columns in memory; nil where they are not held, and where a mask has to do with what is asked.
    private func heldTile(
        _ query: TileQuery,
        _ shape: ShapeFields,
        _ decision: Decision,
        _ state: TableState
    ) async throws -> Tile? {
        guard shape.names.count == 1, let resource = decision.resource else { return nil }
        var conditions: [BoundExpression] = []
        let fields = state.schema.fields
        if let own = query.filter, !own.isEmpty {
            // The fields that it asks about were decided on already.
            let hasNumber = !fields.contains { $0.name == PhysicalTable.number.name }
            let known = hasNumber ? fields + [PhysicalTable.number] : fields
            conditions.append(try BoundExpression(predicate: try Expression(either: own), fields: known))
        }
        let named = Set(query.fields + conditions.flatMap { asked in asked.columns.map { asked.fields[$0].name } })
        guard decision.fields.allSatisfy({ $0.mask == nil || !named.contains($0.field.name) }) else { return nil }
        if let rows = decision.rows { conditions.append(try BoundExpression(predicate: rows, fields: fields)) }
        let asked = conditions.flatMap { condition in
            condition.columns.filter { $0 < fields.count }.map { fields[$0].name }
        }
        let names = Set(shape.names + query.fields + asked)
        guard let rows = try await held(names, resource, state) else { return nil }
        return try await turns.taking { [conditions, patience] in
            try rows.tile(query, of: shape.names[0], conditions, within: patience)
        }
    }

    /// What is held of a version; nil where it is not (yet), and where the table's rows are not a version's.
    private func held(_ names: Set<String>, _ resource: Resource, _ state: TableState) async throws -> HeldRows? {
        guard resource.storage == .lake, state.physical == "r\(resource.id.raw)_\(state.load)",
            state.rows <= HeldRows.mostRows, names.allSatisfy({ state.schema.index($0) != nil })
        else { return nil }
        if let rows = held.rows(state.physical, names) { return rows }
        guard let wanted = held.due(state.physical, of: state.rows, names) else { return nil }
        do {
            let file = versionFile(resource, state.load)
            let rows = try await turns.taking { try HeldRows(file, of: state, wanted) }
            held.store(rows, of: state.physical)
            return rows
        } catch is CancellationError {
            held.reopen(state.physical)
            throw CancellationError()
        } catch {
            // The file is gone or damaged: the table serves.
            return nil
        }
    }

    /// The tile of points whose places their index knows; nil where more is asked than that.
    private func placedTile(
        _ query: TileQuery,
        _ decided: DecidedQuery,
        _ decision: Decision,
        _ state: TableState,
        _ database: any Database
    ) async throws -> Tile? {
        guard query.filter?.isEmpty ?? true, decision.rows == nil,
            let statement = decided.placeStatement(limit: Lake.mostTilePlaces + 1)
        else { return nil }
        // Only rows that are drawn are looked up.
        let rows = try DecidedQuery(
            RecordQuery(query.code, fields: query.fields),
            decision,
            state,
            self,
            database.dialect
        )
        return try await database.read { db in
            try TilePlaces(statement, limit: Lake.mostTilePlaces, db)?.tile(query, of: rows, db)
        }
    }

    /// The tile of rows that are read and drawn one after the other.
    private func drawnTile(
        _ query: TileQuery,
        _ shape: ShapeFields,
        _ decided: DecidedQuery,
        _ database: any Database
    ) async throws -> Tile {
        var builder = query.builder
        var cursor: DecidedQuery.Cursor?
        let deadline = ContinuousClock.now + patience
        var rows = 0
        repeat {
            guard ContinuousClock.now < deadline else { throw Lake.tooSlow }
            let (batch, last) = try await decided.fetch(after: cursor, limit: Lake.tileRows, database)
            let (ids, output) = decided.outputs(of: batch)
            Lake.draw(ids, decided.masked(output), shape, query.fields, in: &builder)
            rows += batch.count
            cursor = batch.count == Lake.tileRows && builder.isComplete ? last : nil
            try Task.checkCancellation()
        } while cursor != nil && rows < Lake.mostTileRows
        return builder.tile(cursor == nil)
    }

    static let tooSlow = Problem(
        "query.too_costly",
        status: 422,
        zh: "图块的数据太多，绘制超时。",
        en: "The tile has too many rows to be drawn in time.",
        hint: .init("请放大后再看，或加上条件。", "Zoom in, or ask by a filter.")
    )

    /// Where the shapes of a resource stand: a field of points or geometries, or a longitude and a latitude.
    struct ShapeFields: Sendable {
        var names: [String]

        func condition(_ box: Box) -> String {
            let corners = "\(box.minX), \(box.minY), \(box.maxX), \(box.maxY)"
            guard names.count == 2 else { return "S_INTERSECTS(\(quoted(names[0])), BBOX(\(corners)))" }
            return
                "\(quoted(names[0])) BETWEEN \(box.minX) AND \(box.maxX) AND \(quoted(names[1])) BETWEEN \(box.minY) AND \(box.maxY)"
        }

        private func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }
    }

    private static func shape(of resource: Resource, _ decision: Decision) throws(Problem) -> ShapeFields {
        let open = decision.fields.filter { $0.mask == nil }.map(\.field)
        if let field = open.first(where: { $0.type == .geometry }) { return ShapeFields(names: [field.name]) }
        guard let (x, y) = Schema(fields: open).position else {
            throw Problem(
                "tile.no_shapes",
                status: 404,
                zh: "该资源没有可以查看的位置。",
                en: "The resource has no places that you may see."
            )
        }
        return ShapeFields(names: x == y ? [open[x].name] : [open[x].name, open[y].name])
    }

    /// Draws rows as they are shown: masked where they are masked. Shapes are never of masked fields.
    private static func draw(
        _ ids: [Int64],
        _ batch: Batch,
        _ shape: ShapeFields,
        _ attributes: [String],
        in builder: inout TileBuilder
    ) {
        guard let first = batch.index(shape.names[0]) else { return }
        let columns = attributes.map { batch.index($0) }
        let second = shape.names.count == 2 ? batch.index(shape.names[1]) : nil
        for row in 0..<batch.count {
            let column = batch.columns[first]
            guard !column.isNull(row) else { continue }
            let id = UInt64(bitPattern: ids[row])
            let outcome: TileBuilder.Outcome
            if let second {
                guard let x = number(batch, row, first), let y = number(batch, row, second) else { continue }
                outcome = builder.addPoint(x: x, y: y, id: id)
            } else if case .points(let x, let y) = column.values {
                outcome = builder.addPoint(x: x[row], y: y[row], id: id)
            } else if case .text(let texts) = column.values,
                let geometry = texts.withBytes(row, { Geometry(geoJSON: $0) })
            {
                outcome = builder.add(geometry, id: id)
            } else {
                continue
            }
            if outcome == .leftOut { return }
            guard outcome == .added else { continue }
            set(columns, batch, row, in: &builder)
        }
    }

    /// Sets the attributes of what was just drawn: the columns of a row, by key.
    static func set(_ columns: [Int?], _ batch: Batch, _ row: Int, in builder: inout TileBuilder) {
        for (key, place) in columns.enumerated() {
            if let place, !batch.columns[place].isNull(row) { set(key, batch, row, place, in: &builder) }
        }
    }

    private static func number(_ batch: Batch, _ row: Int, _ column: Int) -> Double? {
        guard !batch.columns[column].isNull(row) else { return nil }
        return switch batch.columns[column].values {
        case .real(let values): values[row]
        case .int64(let values):
            Double(values[row])
                / Double(Numbers.powersOfTen[batch.fields[column].type == .decimal ? batch.fields[column].scale : 0])
        default: nil
        }
    }

    private static func set(_ key: Int, _ batch: Batch, _ row: Int, _ column: Int, in builder: inout TileBuilder) {
        switch batch.columns[column].values {
        case .text(let texts): texts.withBytes(row) { builder.set(key, text: $0) }
        case .real(let values): builder.set(key, real: values[row])
        case .bits(let bits): builder.set(key, boolean: bits[row])
        case .int64(let values) where batch.fields[column].type == .integer: builder.set(key, integer: values[row])
        case .int64 where batch.fields[column].type == .decimal:
            if let value = number(batch, row, column) { builder.set(key, real: value) }
        default: builder.set(key, text: batch.value(row, column).text)
        }
    }
}

extension TileQuery {
    /// What draws the tile.
    var builder: TileBuilder {
        TileBuilder(address, layer: "rows", keys: fields, settings: .init(countsPoints: true))
    }

    /// The part of the world that the tile holds.
    var box: Box { address.box(buffer: Double(64) / 4096) }
}

extension DecidedQuery {
    /// The statement that gives the places of points in the one box that is asked for, from their index alone; nil where there is no such.
    fileprivate func placeStatement(limit: Int) -> (sql: String, values: [SQLValue])? {
        guard dialect == .sqlite, boxes.count == 1 else { return nil }
        return table.placeStatement(boxes[0].field, boxes[0].box, limit: limit)
    }
}

/// Points as an index of them holds them, in the order of their rows' ids.
private struct TilePlaces {
    private let places: [(id: Int64, x: Double, y: Double)]

    /// Nil where there are more than the limit.
    init?(_ statement: (sql: String, values: [SQLValue]), limit: Int, _ db: any SQLReading) throws {
        let fields = [PhysicalTable.number, Field("place", .point)]
        let batch = try db.batch(statement.sql, statement.values, fields: fields, capacity: 4096)
        guard batch.count <= limit, case .points(let x, let y) = batch.columns[1].values else { return nil }
        var places = DecidedQuery.ids(batch).enumerated().map { row, id in (id: id, x: x[row], y: y[row]) }
        places.sort { $0.id < $1.id }
        self.places = places
    }

    /// The tile, with the attributes of those rows that are drawn.
    func tile(_ query: TileQuery, of rows: DecidedQuery, _ db: any SQLReading) throws -> Tile {
        var attributes = Batch(fields: [], columns: [], count: 0)
        if !query.fields.isEmpty {
            // What is left when points close to each other are one: the tile is drawn without attributes first.
            var sieve = query.builder
            var drawn: [Int64] = []
            for place in places where sieve.add(place) == .added { drawn.append(place.id) }
            attributes = rows.masked(rows.outputs(of: try rows.rows(drawn[...], limit: drawn.count, db)).1)
        }
        let columns = query.fields.map { attributes.index($0) }
        var builder = query.builder
        for place in places {
            let row = builder.count
            let outcome = builder.add(place)
            if outcome == .leftOut { break }
            if outcome == .added, row < attributes.count { Lake.set(columns, attributes, row, in: &builder) }
        }
        return builder.tile()
    }
}

extension TileBuilder {
    /// What was drawn.
    mutating func tile(_ isWhole: Bool = true) -> Tile {
        let (count, isComplete) = (count, isComplete && isWhole)
        return Tile(bytes: finish(), features: count, isComplete: isComplete)
    }

    fileprivate mutating func add(_ place: (id: Int64, x: Double, y: Double)) -> Outcome {
        addPoint(x: place.x, y: place.y, id: UInt64(bitPattern: place.id))
    }
}

extension LakeActions {
    static let tileDescriptor = ActionDescriptor(
        "data.tile",
        .dataRead,
        .read,
        isPublic: true,
        zh: "读取地图图块",
        en: "read a tile"
    )

    /// A vector tile of a resource's shapes.
    public var tile: Action<TileQuery, Tile> {
        Action(Self.tileDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] query, decision in
            let tile = try await lake.tile(query, decision)
            decision.note("rows", String(tile.features))
            return tile
        }
    }
}
