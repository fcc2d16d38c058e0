import CQL
import Geo
import Store
import Tabular

/// How the shapes of a table are found by where they lie.
///
/// SQLite keeps an R-tree beside the table, which triggers follow; PostgreSQL a GiST index: of PostGIS's geometries where that is there, else
/// of boxes. An index only finds candidates: predicates decide.
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
            case .sqlite: return rtree(box, columns)
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

    private func rtree(_ box: String, _ columns: [String]) -> [String] {
        let isPoint = columns.count == 2
        let first = columns[0]
        /// The box of a row's shape: positions are the arrays of GeoJSON that begin with a number.
        func values(_ row: String) -> String {
            guard !isPoint else {
                return
                    "SELECT \(row)_id, \(row)\(columns[0]), \(row)\(columns[0]), \(row)\(columns[1]), \(row)\(columns[1])"
            }
            return """
                SELECT \(row)_id, min(json_extract(p.value, '$[0]')), max(json_extract(p.value, '$[0]')), min(json_extract(p.value, '$[1]')),
                max(json_extract(p.value, '$[1]')) FROM json_tree(\(row)\(first)) p
                WHERE p.type = 'array' AND json_type(p.value, '$[0]') IN ('integer', 'real') HAVING count(*) > 0
                """
        }
        let all =
            isPoint
            ? values("") + " FROM \(name) WHERE \(first) IS NOT NULL"
            : """
            SELECT t._id, min(json_extract(p.value, '$[0]')), max(json_extract(p.value, '$[0]')), min(json_extract(p.value, '$[1]')),
            max(json_extract(p.value, '$[1]')) FROM \(name) t, json_tree(t.\(first)) p
            WHERE t.\(first) IS NOT NULL AND p.type = 'array' AND json_type(p.value, '$[0]') IN ('integer', 'real') GROUP BY t._id
            """
        let update = columns.joined(separator: ", ")
        return [
            "CREATE VIRTUAL TABLE IF NOT EXISTS \(box) USING rtree(id, min_x, max_x, min_y, max_y)",
            "INSERT OR REPLACE INTO \(box) \(all)",
            """
            CREATE TRIGGER IF NOT EXISTS \(box)_insert AFTER INSERT ON \(name) WHEN NEW.\(first) IS NOT NULL BEGIN
            INSERT OR REPLACE INTO \(box) \(values("NEW.")); END
            """,
            """
            CREATE TRIGGER IF NOT EXISTS \(box)_update AFTER UPDATE OF \(update) ON \(name) BEGIN
            DELETE FROM \(box) WHERE id = OLD._id;
            INSERT OR REPLACE INTO \(box) \(isPoint ? values("NEW.") + " WHERE NEW.\(first) IS NOT NULL" : values("NEW.")); END
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
    func near(_ field: Field, _ box: Box, _ dialect: Dialect) -> SQLFragment? {
        guard let index = fields.firstIndex(where: { $0.name == field.name }) else { return nil }
        let corners: [Value] = [.real(box.minX), .real(box.minY), .real(box.maxX), .real(box.maxY)]
        switch dialect {
        case .postgresql:
            let columns = columns(index)
            let meets = columns.count == 2 ? "<@" : "&&"
            return SQLFragment("\(PhysicalTable.boxed(columns)) \(meets) box(point(?, ?), point(?, ?))", corners)
        case .sqlite:
            return SQLFragment(
                "_id IN (SELECT id FROM \(boxName(index)) WHERE max_x >= ? AND max_y >= ? AND min_x <= ? AND min_y <= ?)",
                corners
            )
        }
    }

    /// Whether few enough of a table's shapes lie in a box for them to be fetched and put in order, rather than met on the way.
    func countStatement(_ field: Field, _ box: Box, upTo limit: Int) -> (sql: String, values: [SQLValue])? {
        guard let index = fields.firstIndex(where: { $0.name == field.name }) else { return nil }
        return (
            "SELECT count(*) FROM (SELECT 1 FROM \(boxName(index)) WHERE max_x >= ? AND max_y >= ? AND min_x <= ? AND min_y <= ? LIMIT \(limit + 1))",
            [.real(box.minX), .real(box.minY), .real(box.maxX), .real(box.maxY)]
        )
    }
}
