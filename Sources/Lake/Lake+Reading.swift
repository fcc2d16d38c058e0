import Basics
import CQL
import Kernel
import Mask
import Store
public import Tabular

extension Lake {
    /// A page of rows, as decided.
    func page(_ query: RecordQuery, _ decision: Decision) async throws -> RecordPage {
        guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
        if let version = query.version {
            let kept = try await self.version(version, of: resource)
            return try await page(query, kept, Lake.masks(decision), decision)
        }
        let stamp = query.isBare ? "" : try await stamp(decision)
        guard let state = try await readable(resource) else {
            let fields = decision.fields.map(\.field)
            return RecordPage(
                batch: Batch(
                    fields: fields,
                    columns: fields.map {
                        var builder = ColumnBuilder($0); return builder.finish()
                    },
                    count: 0
                ),
                ids: [],
                next: nil,
                count: query.counting == nil ? nil : 0,
                masked: Lake.masks(decision),
                stamp: stamp
            )
        }
        let database = database(resource)
        if let row = try await row(query, decision, state, database) { return row }
        let decided = try DecidedQuery(query, decision, state, self, database.dialect)
        let limit = max(1, min(query.limit, 10_000))
        var cursor = try query.cursor.map { text throws(Problem) in try DecidedQuery.Cursor(text: text) }
        retain(state.physical)
        defer { release(state.physical) }
        if cursor == nil { cursor = try await decided.place(after: query.offset, database) }
        var (batch, last) = try await decided.fetch(after: cursor, upTo: limit, database)
        // Full of bytes: what follows is the next page's.
        if batch.bytes < DecidedQuery.mostBytes, batch.count < limit, let next = decided.partWithoutValue(after: cursor)
        {
            let (rest, end) = try await decided.fetch(after: next, upTo: limit - batch.count, database)
            batch = Lake.joined(batch, rest)
            last = end ?? last
        }
        let isFull = batch.count == limit || batch.bytes >= DecidedQuery.mostBytes
        let count: Int64? =
            switch query.counting {
            case .exact: try await decided.count(database)
            case .estimate: max(Int64(batch.count), try await decided.estimate(database))
            case nil: nil
            }
        let (ids, output) = decided.outputs(of: batch)
        return RecordPage(
            batch: decided.masked(output),
            ids: ids,
            next: isFull ? last?.text : nil,
            count: count,
            masked: decided.selection.masks,
            stamp: stamp
        )
    }

    /// The row of a key, where nothing else is asked: its statement is known after the first time. Nil where more is asked.
    private func row(
        _ query: RecordQuery,
        _ decision: Decision,
        _ state: TableState,
        _ database: any Database
    ) async throws -> RecordPage? {
        guard query.isBare, query.limit == 1, query.sort == nil, query.cursor == nil, query.offset == 0,
            query.counting == nil, decision.rows == nil,
            case .compare(.equal, .property(let name), .literal(let value))? = query.condition,
            state.schema.key.count == 1, state.schema.key[0] == name
        else { return nil }
        let bound: SQLValue
        switch value {
        case .integer(let number): bound = .integer(number)
        case .text(let text) where !text.utf8.contains(0): bound = .text(text)
        default: return nil
        }
        let selection = try selections.selection(query.fields, decision, state, database.dialect)
        let statement = try selection.keyedStatement(name) {
            try DecidedQuery(query, decision, state, self, database.dialect).keyedStatement(value)
        }
        guard let statement else { return nil }
        retain(state.physical)
        defer { release(state.physical) }
        let batch = try await database.glance { db in
            try db.batch(statement, [bound], fields: selection.read, capacity: 1)
        }
        let (ids, output) = selection.outputs(of: batch)
        return RecordPage(
            batch: selection.masked(output),
            ids: ids,
            next: nil,
            count: nil,
            masked: selection.masks
        )
    }

    /// The masks of a decision, by field.
    private static func masks(_ decision: Decision) -> [String: Mask] {
        Dictionary(
            decision.fields.compactMap { access in access.mask.map { (access.field.name, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// A page of a version; a row's number is its place in it.
    private func page(
        _ query: RecordQuery,
        _ version: Version,
        _ masks: [String: Mask],
        _ decision: Decision
    ) async throws -> RecordPage {
        guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
        let limit = max(1, min(query.limit, 10_000))
        let place = try query.cursor.map { text throws(Problem) in try DecidedQuery.Cursor(text: text).id } ?? 0
        let (places, batch) = try await turns.taking { [self] in
            let rows = try VersionRows(self, resource, version, query, decision)
            rows.deadline = .now + patience
            return try rows.page(after: place, offset: query.offset, limit: limit)
        }
        var count: Int64?
        if query.counting != nil {
            count = try await turns.taking { [self] in
                let all = try VersionRows(self, resource, version, query, decision)
                all.deadline = .now + patience
                return all.isWhole ? version.rows : try all.count()
            }
        }
        return RecordPage(
            batch: batch,
            ids: places,
            next: places.count == limit ? places.last.map { RecordQuery.cursor(after: $0) } : nil,
            count: count,
            masked: masks.filter { name, _ in batch.fields.contains { $0.name == name } },
            stamp: try await stamp(decision)
        )
    }

    static func joined(_ a: Batch, _ b: Batch) -> Batch {
        guard b.count > 0 else { return a }
        guard a.count > 0 else { return b }
        var columns = a.columns
        for index in columns.indices { columns[index].append(b.columns[index]) }
        return Batch(fields: a.fields, columns: columns, count: a.count + b.count)
    }

    static func split(_ batch: Batch) -> ([Int64], Batch) {
        guard case .int64(let ids) = batch.columns[0].values else { return ([], batch) }
        return (
            ids,
            Batch(
                fields: Array(batch.fields.dropFirst()),
                columns: Array(batch.columns.dropFirst()),
                count: batch.count
            )
        )
    }

    /// All rows that a query lets out, batch after batch, each by a short read of its own.
    func scan(_ query: RecordQuery, _ decision: Decision) async throws -> RecordScan {
        guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
        let state = try await readable(resource)
        let version = if let asked = query.version { try await version(asked, of: resource) } else { nil as Version? }
        return try RecordScan(self, resource, state, version, query, decision, stamp: try await stamp(decision))
    }
}

/// A download under way: rows as decided, masked, in batches. No transaction waits for the client.
public actor RecordScan {
    public nonisolated let fields: [Field]
    /// The same for the same rows: see ``LakeActions/stamp``.
    public nonisolated let stamp: String
    private let lake: Lake
    private let database: any Database
    private let decided: DecidedQuery?
    private let physical: String?
    private var file: BatchFileReader?
    private var version: VersionRows?
    private var filePositions: [Int] = []
    private var cursor: DecidedQuery.Cursor?
    /// Rows still to be passed over.
    private var offset: Int
    private var isDone: Bool
    private var left: Int

    init(
        _ lake: Lake,
        _ resource: Resource,
        _ state: TableState?,
        _ version: Version?,
        _ query: RecordQuery,
        _ decision: Decision,
        stamp: String
    ) throws {
        self.lake = lake
        self.stamp = stamp
        let database = lake.database(resource)
        self.database = database
        left = query.limit > 0 ? query.limit : .max
        offset = query.offset
        if let version {
            let rows = try VersionRows(lake, resource, version, query, decision)
            self.version = rows
            fields = rows.fields
            decided = nil
            physical = nil
            isDone = false
            return
        }
        let decided = try state.map { state throws(Problem) in
            try DecidedQuery(query, decision, state, lake, database.dialect)
        }
        self.decided = decided
        physical = state?.physical
        isDone = state == nil
        let fields = decided?.selection.fields ?? decision.fields.map(\.field)
        self.fields = fields
        if let physical { lake.retain(physical) }
        if let decided, let state, decided.isWhole {
            // The version's file holds the same rows where nothing was changed since it was written.
            if let reader = try? BatchFileReader(lake.versionFile(resource, state.load)),
                state.physical == "r\(resource.id.raw)_\(state.load)"
            {
                let positions = fields.compactMap { field in reader.fields.firstIndex { $0.name == field.name } }
                if positions.count == fields.count {
                    file = reader
                    filePositions = positions
                }
            }
        }
    }

    deinit { if let physical { lake.release(physical) } }

    /// The next rows; nil at the end.
    public func next() async throws -> Batch? {
        if let version, !isDone, left > 0 { return try next(of: version) }
        guard !isDone, let decided, left > 0 else { return nil }
        if let file {
            guard var batch = try file.next() else {
                isDone = true
                return nil
            }
            if batch.count > left {
                let rows = (0..<Int32(left)).map { $0 }
                batch = Batch(fields: batch.fields, columns: batch.columns.map { $0.taking(rows) }, count: left)
            }
            left -= batch.count
            return decided.masked(
                Batch(fields: fields, columns: filePositions.map { batch.columns[$0] }, count: batch.count)
            )
        }
        if offset > 0 {
            cursor = try await decided.place(after: offset, database)
            offset = 0
        }
        let limit = min(left, 4096)
        let (batch, last) = try await decided.fetch(after: cursor, limit: limit, database)
        guard let last else {
            guard let next = decided.partWithoutValue(after: cursor) else {
                isDone = true
                return nil
            }
            cursor = next
            return try await self.next()
        }
        cursor = last
        left -= batch.count
        return decided.masked(decided.outputs(of: batch).1)
    }

    private func next(of version: VersionRows) throws -> Batch? {
        version.deadline = .now + lake.patience
        while let (places, batch) = try version.nextOpen() {
            let skipped = min(offset, places.count)
            offset -= skipped
            let rows = Array((Int32(skipped)..<Int32(places.count)).prefix(left))
            guard !rows.isEmpty else { continue }
            left -= rows.count
            return version.masked(
                Batch(fields: fields, columns: batch.columns.map { $0.taking(rows) }, count: rows.count)
            )
        }
        isDone = true
        return nil
    }
}
