import Basics
import CQL
import Foundation
import Geo
import Kernel
import Synchronization
import Tabular
import Tiles

/// Columns of a version in memory, and where its points lie.
///
/// What a map shows lies all over a table: to look its rows up one after the other costs many times what drawing them does.
final class HeldRows: Sendable {
    /// The id of the first row; those of the others follow without a gap.
    private let firstID: Int64
    private let batch: Batch
    /// The points of each field that has some, by its name.
    private let grids: [String: PlaceGrid]

    /// Rows of a version beyond which it is not held.
    static let mostRows: Int64 = 4_000_000
    /// Rows that are asked about at a time.
    private static let piece = 16_384

    /// Reads columns of a version's file; nil where it does not hold the rows of the table, or they are too large.
    init?(_ url: URL, of state: TableState, _ names: Set<String>) throws {
        let reader = try BatchFileReader(url)
        let fields = state.schema.fields.filter { names.contains($0.name) }
        let positions = fields.compactMap { field in
            reader.fields.firstIndex { $0.name == field.name && $0.type == field.type && $0.scale == field.scale }
        }
        guard positions.count == fields.count else { return nil }
        var parts: [[Column]] = fields.map { _ in [] }
        var (count, bytes) = (0, 0)
        while let part = try reader.next() {
            try Task.checkCancellation()
            for (index, position) in positions.enumerated() {
                parts[index].append(part.columns[position])
                bytes += part.columns[position].size
            }
            count += part.count
            guard bytes <= HeldVersions.limit else { return nil }
        }
        guard count > 0, count == state.rows else { return nil }
        // The parts of a column go as soon as they are joined.
        var columns: [Column] = []
        for index in parts.indices {
            columns.append(Column(joining: parts[index]))
            parts[index] = []
        }
        firstID = state.nextID - state.rows
        batch = Batch(fields: fields, columns: columns, count: count)
        var grids: [String: PlaceGrid] = [:]
        for (field, column) in zip(fields, columns) { grids[field.name] = PlaceGrid(column) }
        self.grids = grids
    }

    var names: Set<String> { Set(batch.fields.map(\.name)) }

    /// What it takes of memory, about.
    var bytes: Int {
        batch.columns.reduce(0) { $0 + $1.size } + grids.values.reduce(0) { $0 + $1.bytes }
    }

    /// A tile of the points in it whose rows fit, or nil for a field without points.
    ///
    /// - Throws: `query.too_costly` where conditions take longer than they may.
    func tile(
        _ query: TileQuery,
        of place: String,
        _ conditions: [BoundExpression],
        within patience: Duration
    ) throws -> Tile? {
        guard let grid = grids[place], let column = batch.index(place),
            case .points(let x, let y) = batch.columns[column].values
        else { return nil }
        var rows = grid.rows(in: query.box)
        let deadline = ContinuousClock.now + patience
        for condition in conditions {
            var fitting: [Int32] = []
            for start in stride(from: 0, to: rows.count, by: HeldRows.piece) {
                try Task.checkCancellation()
                guard ContinuousClock.now < deadline else { throw Lake.tooSlow }
                let asked = Array(rows[start..<min(start + HeldRows.piece, rows.count)])
                let truths = condition.evaluate(taken(asked, for: condition))
                fitting += zip(asked, truths).filter { $1 == .yes }.map(\.0)
            }
            rows = fitting
        }
        let attributes = query.fields.map { batch.index($0) }
        var builder = query.builder
        for (index, row) in rows.lazy.map(Int.init).enumerated() {
            if index % HeldRows.piece == 0 {
                try Task.checkCancellation()
                guard ContinuousClock.now < deadline else { throw Lake.tooSlow }
            }
            let outcome = builder.addPoint(x: x[row], y: y[row], id: UInt64(bitPattern: firstID + Int64(row)))
            if outcome == .leftOut { break }
            if outcome == .added { Lake.set(attributes, batch, row, in: &builder) }
        }
        return builder.tile()
    }

    /// Some rows as far as a condition asks about them.
    private func taken(_ rows: [Int32], for condition: BoundExpression) -> Batch {
        let columns = condition.fields.indices.map { index -> Column in
            guard condition.columns.contains(index) else { return Column(.int64([])) }
            if let place = batch.index(condition.fields[index].name) { return batch.columns[place].taking(rows) }
            return Column(.int64(rows.map { firstID + Int64($0) }))
        }
        return Batch(fields: condition.fields, columns: columns, count: rows.count)
    }
}

/// Points by the cells of a grid over all of them, so that those in a box are found without a look at the others.
struct PlaceGrid: Sendable {
    /// Cells of a row, and rows of cells.
    private static let edge = 256

    private let x: [Double]
    private let y: [Double]
    private let reach: Box
    /// The rows of the points, cell by cell, in their order in each.
    private let rows: [Int32]
    /// Where each cell's rows begin, and where the last one's end.
    private let starts: [Int32]

    /// Nil for a column without points.
    init?(_ column: Column) {
        guard case .points(let x, let y) = column.values else { return nil }
        let placed = (0..<Int32(x.count)).filter { !column.isNull(Int($0)) }
        guard let first = placed.first.map(Int.init) else { return nil }
        var reach = Box(x[first], y[first], x[first], y[first])
        for row in placed.lazy.map(Int.init) {
            reach.minX = min(reach.minX, x[row])
            reach.minY = min(reach.minY, y[row])
            reach.maxX = max(reach.maxX, x[row])
            reach.maxY = max(reach.maxY, y[row])
        }
        let cells = placed.map { PlaceGrid.cell(x[Int($0)], y[Int($0)], reach) }
        var starts = [Int32](repeating: 0, count: Self.edge * Self.edge + 1)
        for cell in cells { starts[cell + 1] += 1 }
        for cell in 1..<starts.count { starts[cell] += starts[cell - 1] }
        var next = starts
        var rows = [Int32](repeating: 0, count: placed.count)
        for (row, cell) in zip(placed, cells) {
            rows[Int(next[cell])] = row
            next[cell] += 1
        }
        (self.x, self.y, self.reach, self.rows, self.starts) = (x, y, reach, rows, starts)
    }

    /// What the grid takes of memory beside the column.
    var bytes: Int { (rows.count + starts.count) * MemoryLayout<Int32>.size }

    /// The rows whose points lie in a box, in order.
    func rows(in box: Box) -> [Int32] {
        guard box.minX <= reach.maxX, box.maxX >= reach.minX, box.minY <= reach.maxY, box.maxY >= reach.minY else {
            return []
        }
        let low = PlaceGrid.cell(box.minX, box.minY, reach)
        let high = PlaceGrid.cell(box.maxX, box.maxY, reach)
        let width = high % Self.edge - low % Self.edge
        // A bit for each row: so they come in order without being sorted.
        var bits = [UInt64](repeating: 0, count: (x.count + 63) / 64)
        var count = 0
        for cell in stride(from: low, through: high - width, by: Self.edge) {
            for row in rows[Int(starts[cell])..<Int(starts[cell + width + 1])].lazy.map(Int.init)
            where box.contains(x[row], y[row]) {
                bits[row >> 6] |= 1 << UInt64(row & 63)
                count += 1
            }
        }
        var found: [Int32] = []
        found.reserveCapacity(count)
        for (index, word) in bits.enumerated() {
            var left = word
            while left != 0 {
                found.append(Int32(index << 6 + left.trailingZeroBitCount))
                left &= left - 1
            }
        }
        return found
    }

    /// The cell of a place; of one beyond the points' reach the nearest.
    private static func cell(_ x: Double, _ y: Double, _ reach: Box) -> Int {
        func step(_ value: Double, _ low: Double, _ high: Double) -> Int {
            guard high > low else { return 0 }
            return Int(max(0, min(Double(edge - 1), (value - low) / (high - low) * Double(edge))))
        }
        return step(y, reach.minY, reach.maxY) * edge + step(x, reach.minX, reach.maxX)
    }
}

extension Column {
    /// The values of several columns of one type after each other.
    fileprivate init(joining parts: [Column]) {
        let count = parts.reduce(0) { $0 + $1.count }
        var validity: Bitmap?
        if parts.contains(where: { $0.validity != nil }) {
            var bits = Bitmap(repeating: true, count: 0)
            for part in parts { for row in 0..<part.count { bits.append(!part.isNull(row)) } }
            validity = bits
        }
        var (integers, days, reals, others): ([Int64], [Int32], [Double], [Double]) = ([], [], [], [])
        var bits = Bitmap(repeating: false, count: 0)
        var texts = TextBuffer(capacity: count)
        for part in parts {
            switch part.values {
            case .int64(let values): integers += values
            case .int32(let values): days += values
            case .real(let values): reals += values
            case .bits(let values): for row in 0..<values.count { bits.append(values[row]) }
            case .points(let x, let y):
                reals += x
                others += y
            case .text(let more):
                let start = Int32(truncatingIfNeeded: texts.bytes.count)
                texts.bytes += more.bytes
                texts.offsets += more.offsets.dropFirst().lazy.map { start + $0 }
            }
        }
        let values: ColumnValues =
            switch parts.first?.values {
            case .int32: .int32(days)
            case .real: .real(reals)
            case .bits: .bits(bits)
            case .points: .points(x: reals, y: others)
            case .text: .text(texts)
            case .int64, nil: .int64(integers)
            }
        self.init(values, validity: validity)
    }

    /// What the values take of memory, about.
    fileprivate var size: Int {
        switch values {
        case .int64, .real: count * 8
        case .int32: count * 4
        case .bits: count / 8
        case .points: count * 16
        case .text(let texts): count * 4 + texts.bytes.count
        }
    }
}

/// The versions whose columns are held, until they are too large together; then it begins again.
final class HeldVersions: Sendable {
    private struct State {
        var held: [String: HeldRows] = [:]
        /// Rows that were looked up, by physical table.
        var looked: [String: Int] = [:]
        /// Tables that are being read, or cannot be held.
        var closed: Set<String> = []
    }

    private let state = Mutex(State())
    /// Bytes that are held at the most.
    static let limit = 128 << 20
    /// A table is held once its rows were looked up but for this divisor: reading all of them front to back costs as much.
    private static let share = 16

    /// What is held of a table, if it has some columns.
    func rows(_ physical: String, _ names: Set<String>) -> HeldRows? {
        state.withLock { $0.held[physical] }.flatMap { names.isSubset(of: $0.names) ? $0 : nil }
    }

    /// Notes that some rows of a table were looked up.
    func note(_ count: Int, of physical: String) {
        state.withLock { state in
            if state.looked.count > 10_000 { state = State() }
            state.looked[physical, default: 0] += count
        }
    }

    /// What there is to be read of a table beside what is held, now that it is worth it; nil where it is not.
    func due(_ physical: String, of rows: Int64, _ names: Set<String>) -> Set<String>? {
        state.withLock { state in
            guard Int64(state.looked[physical] ?? 0) * Int64(Self.share) >= rows,
                state.closed.insert(physical).inserted
            else { return nil }
            return names.union(state.held[physical]?.names ?? [])
        }
    }

    /// A table whose reading was given up may be read again.
    func reopen(_ physical: String) { state.withLock { _ = $0.closed.remove(physical) } }

    func forget(_ physical: String) { state.withLock { $0.held[physical] = nil } }

    /// Holds what was read of a table; nil where it cannot be.
    func store(_ rows: HeldRows?, of physical: String) {
        state.withLock { state in
            guard let rows, rows.bytes <= Self.limit else { return }
            state.closed.remove(physical)
            state.held[physical] = nil
            if state.held.values.reduce(rows.bytes, { $0 + $1.bytes }) > Self.limit { state = State() }
            state.held[physical] = rows
        }
    }
}
