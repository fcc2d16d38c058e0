import CQL
import Geo
import Store
import Tabular

/// How the shapes of a table are found by where they lie.
///
/// SQLite keeps an index of cells for points, which holds the points too, and for geometries an R-tree beside the table, which triggers follow; PostgreSQL a GiST index: of
/// PostGIS's geometries where that is there, else of boxes. An index only finds candidates: predicates decide.
enum ShapeIndex: String, Sendable {
    case none = ""
    /// Boxes around the shapes.
    case boxes
    /// PostGIS's geometries.
    case postGIS = "postgis"

    /// The schema of PostGIS in a database; nil where it is not installed.
    static func postGIS(in database: any Database) async throws -> String? {
        guard database.dialect == .postgresql else { return nil }
        return try await database.read { db in
            try db.row(
                "SELECT quote_ident(CAST(n.nspname AS TEXT)) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis'"
            )?.text(0)
        }
    }
}

extension PhysicalTable {
    /// The fields that hold shapes, by their place.
    var shapeFields: [Int] { fields.indices.filter { fields[$0].type == .point || fields[$0].type == .geometry } }

    /// The R-tree, or the index, of a field's shapes.
    func boxName(_ index: Int) -> String { "\(name)_c\(ordinals[index])_box" }

    /// Makes what finds shapes, and fills it.
    func shapeStatements(_ kind: ShapeIndex, _ dialect: Dialect, postGIS: String?) -> [String] {
        guard kind != .none else { return [] }
        return shapeFields.flatMap { index -> [String] in
            let columns = columns(index)
            let box = boxName(index)
            switch dialect {
            case .sqlite:
                return columns.count == 2
                    ? [
                        "CREATE INDEX IF NOT EXISTS \(box) ON \(name) (\(ShapeCells.expression(columns)), \(columns.joined(separator: ", ")))"
                    ] : rtree(box, columns[0])
            case .postgresql:
                let shape: String =
                    switch (kind, postGIS) {
                    case (.postGIS, let schema?): PostGIS.shape(columns, schema)
                    default: PhysicalTable.boxed(columns)
                    }
                return [
                    "CREATE INDEX IF NOT EXISTS \(box) ON \(name) USING gist (\(columns.count == 2 && kind == .boxes ? shape : "(\(shape))"))"
                ]
            }
        }
    }

    /// The words of an index of boxes on PostgreSQL without PostGIS.
    static func boxed(_ columns: [String]) -> String {
        columns.count == 2 ? "point(\(columns[0]), \(columns[1]))" : "tongqu_box(\(columns[0]))"
    }

    /// An R-tree of the boxes around a column's GeoJSON, and triggers that keep it so.
    private func rtree(_ box: String, _ column: String) -> [String] {
        // Positions are the arrays of GeoJSON that begin with a number.
        let corners = """
            min(json_extract(p.value, '$[0]')), max(json_extract(p.value, '$[0]')), min(json_extract(p.value, '$[1]')),
            max(json_extract(p.value, '$[1]'))
            """
        let isPosition = "p.type = 'array' AND json_type(p.value, '$[0]') IN ('integer', 'real')"
        let new = """
            INSERT OR REPLACE INTO \(box) SELECT NEW._id, \(corners) FROM json_tree(NEW.\(column)) p WHERE \(isPosition)
            HAVING count(*) > 0
            """
        return [
            "CREATE VIRTUAL TABLE IF NOT EXISTS \(box) USING rtree(id, min_x, max_x, min_y, max_y)",
            """
            INSERT OR REPLACE INTO \(box) SELECT t._id, \(corners) FROM \(name) t, json_tree(t.\(column)) p
            WHERE t.\(column) IS NOT NULL AND \(isPosition) GROUP BY t._id
            """,
            "CREATE TRIGGER IF NOT EXISTS \(box)_insert AFTER INSERT ON \(name) WHEN NEW.\(column) IS NOT NULL BEGIN \(new); END",
            """
            CREATE TRIGGER IF NOT EXISTS \(box)_update AFTER UPDATE OF \(column) ON \(name) BEGIN
            DELETE FROM \(box) WHERE id = OLD._id; \(new); END
            """,
            "CREATE TRIGGER IF NOT EXISTS \(box)_delete AFTER DELETE ON \(name) BEGIN DELETE FROM \(box) WHERE id = OLD._id; END",
        ]
    }

    /// Drops a table of rows with what was made beside it.
    static func drop(_ name: String, _ db: any SQLWriting) throws {
        if db.dialect == .sqlite {
            for box in try db.tables() where box.hasPrefix(name + "_c") && box.hasSuffix("_box") {
                try db.execute("DROP TABLE \(box)")
            }
        }
        try db.execute("DROP TABLE IF EXISTS \(name)")
    }

    // MARK: Looking for shapes

    /// The condition that a row's shape may lie in a box: as an index finds it.
    func near(_ field: Field, _ box: Box, _ dialect: Dialect, _ postGIS: String?) -> SQLFragment? {
        guard let index = fields.firstIndex(where: { $0.name == field.name }) else { return nil }
        let corners: [Value] = [.real(box.minX), .real(box.minY), .real(box.maxX), .real(box.maxY)]
        switch dialect {
        case .postgresql:
            let columns = columns(index)
            if let postGIS {
                let shape = PostGIS.shape(columns, postGIS)
                return SQLFragment(
                    "\(shape) OPERATOR(\(postGIS).&&) \(postGIS).ST_MakeEnvelope(?, ?, ?, ?, 4326)",
                    corners
                )
            }
            let meets = columns.count == 2 ? "<@" : "&&"
            return SQLFragment("\(PhysicalTable.boxed(columns)) \(meets) box(point(?, ?), point(?, ?))", corners)
        case .sqlite:
            guard let candidates = candidates(index, box, "_id") else { return nil }
            return SQLFragment("_id IN (\(candidates.text))", candidates.values)
        }
    }

    /// The rows whose shapes may lie in a box, in SQLite's words: of points, those that do. Nil where the box is too wide to be looked up.
    private func candidates(
        _ index: Int,
        _ box: Box,
        _ wanted: String,
        most: Int64 = ShapeCells.mostColumns
    ) -> SQLFragment? {
        let columns = columns(index)
        guard columns.count == 2 else {
            return SQLFragment(
                "SELECT id AS _id FROM \(boxName(index)) WHERE max_x >= ? AND max_y >= ? AND min_x <= ? AND min_y <= ?",
                [.real(box.minX), .real(box.minY), .real(box.maxX), .real(box.maxY)]
            )
        }
        guard let cells = ShapeCells(box, most) else { return nil }
        let (x, y) = (columns[0], columns[1])
        return SQLFragment(
            """
            WITH RECURSIVE cells(first) AS (VALUES (?) UNION ALL SELECT first + \(ShapeCells.column) FROM cells WHERE first < ?)
            SELECT \(wanted) FROM cells CROSS JOIN \(name) WHERE \(ShapeCells.expression(columns)) BETWEEN first AND first + ?
            AND \(x) BETWEEN ? AND ? AND \(y) BETWEEN ? AND ?
            """,
            [
                .integer(cells.first), .integer(cells.last), .integer(cells.height), .real(box.minX), .real(box.maxX),
                .real(box.minY), .real(box.maxY),
            ]
        )
    }

    /// The ids of the rows whose shapes may lie in a box, in no order. SQLite only; nil where the box is too wide to be looked up.
    func idStatement(_ field: Field, _ box: Box, limit: Int) -> (sql: String, values: [SQLValue])? {
        guard let index = fields.firstIndex(where: { $0.name == field.name }),
            let found = candidates(index, box, "_id")
        else { return nil }
        return ("\(found.text) LIMIT \(limit)", found.values.map { SQLValue($0) })
    }

    /// The ids and places of the rows whose points lie in a box, in no order, from the index alone. SQLite only; nil where the box is too
    /// wide to be looked up, and where the field has no points.
    func placeStatement(_ field: Field, _ box: Box, limit: Int) -> (sql: String, values: [SQLValue])? {
        guard let index = fields.firstIndex(where: { $0.name == field.name }), fields[index].type == .point,
            let found = candidates(
                index,
                box,
                "_id, " + columns(index).joined(separator: ", "),
                most: ShapeCells.mostColumnsAlone
            )
        else { return nil }
        return ("\(found.text) LIMIT \(limit)", found.values.map { SQLValue($0) })
    }

    /// Whether few enough of a table's shapes lie in a box for them to be fetched and put in order, rather than met on the way.
    func countStatement(_ field: Field, _ box: Box, upTo limit: Int) -> (sql: String, values: [SQLValue])? {
        guard let index = fields.firstIndex(where: { $0.name == field.name }), let found = candidates(index, box, "_id")
        else { return nil }
        return (
            "SELECT count(*) FROM (SELECT 1 FROM (\(found.text)) LIMIT \(limit + 1))", found.values.map { SQLValue($0) }
        )
    }
}

/// Points by cells of a thirty-second of a degree, some three kilometres: a plain index of numbers, twenty times cheaper to make than an R-tree.
///
/// The cells of a box are a range for each column of cells, which begin a fixed number after each other.
private struct ShapeCells {
    static let perDegree = 32.0
    /// A cell's number: its column times this, and its row.
    static let column: Int64 = 65_536
    /// Boxes of more columns than this are not looked up: they hold much, and what they hold is met on the way.
    static let mostColumns: Int64 = 64
    /// The same where the index alone is read, and no rows.
    static let mostColumnsAlone: Int64 = 512

    /// Where the ranges of the first and of the last column begin.
    let first: Int64
    let last: Int64
    /// How far a range reaches.
    let height: Int64

    /// The cell of a point in two columns, in SQL. Fractions are cut off, so places in order stay in order.
    static func expression(_ columns: [String]) -> String {
        "CAST(\(columns[0]) * 32.0 AS INTEGER) * \(column) + CAST(\(columns[1]) * 32.0 AS INTEGER)"
    }

    init?(_ box: Box, _ mostColumns: Int64) {
        func cell(_ degrees: Double) -> Int64 { Int64(max(-180, min(180, degrees)) * Self.perDegree) }
        let (west, east, south, north) = (cell(box.minX), cell(box.maxX), cell(box.minY), cell(box.maxY))
        guard west <= east, south <= north, east - west < mostColumns else { return nil }
        (first, last, height) = (west * Self.column + south, east * Self.column + south, north - south)
    }
}
