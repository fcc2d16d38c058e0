import Codes
import Synchronization
import Basics
import CQL
import Check
public import Kernel
public import Store
public import Tabular

/// A form's content.
public struct RecordChange: Sendable {
    public var code: String
    /// The row to change; nil for a new one.
    public var id: Int64?
    /// Texts by field name, as typed. Fields left out keep their value.
    public var values: [String: String]

    public init(_ code: String, id: Int64? = nil, values: [String: String]) {
        self.code = code
        self.id = id
        self.values = values
    }
}

extension Lake {
    /// Saves a form: checked like a file of one row, durable with its change number and event in one transaction.
    ///
    /// - Throws: `record.invalid` with the reasons by field, `record.storage`, `store.conflict` for a key that is there.
    func save(
        _ change: RecordChange,
        _ resource: Resource,
        _ decision: Decision,
        by principal: PrincipalID
    ) async throws -> Int64 {
        guard resource.storage == .records else {
            throw Problem(
                "record.storage",
                status: 409,
                zh: "该资源由文件加载维护，不能逐条填报。",
                en: "This resource is maintained by loads; single records cannot be written.",
                hint: .init("请用加载文件的方式更新。", "Load a file instead.")
            )
        }
        try await checkGoverned(resource)
        let database = database(resource)
        let writable = Set(decision.fields.filter { $0.mask == nil }.map(\.field.name))
        for name in change.values.keys where resource.schema.index(name) != nil && !writable.contains(name) {
            throw Problem(
                "record.field",
                status: 403,
                zh: "无权填写字段“\(name)”。",
                en: "You may not write the field “\(name)”."
            )
        }
        let now = kernel.clock.now()
        let id = try await database.write { db in
            // Read and written in one transaction: two who change one record at once do not undo each other.
            let old = try change.id.map { try self.texts(of: $0, in: resource, decision, db) } ?? [:]
            let values = old.merging(change.values) { _, new in new }
            return try self.put(change.id, values, into: resource, decision, by: principal, at: now, db).id
        }
        recordsChanged(resource)
        return id
    }

    /// Whether records of a resource are made and changed by a flow's steps only; the composition says who knows.
    func checkGoverned(_ resource: Resource) async throws {
        guard let governed, await governed(resource.id) else { return }
        throw Problem(
            "record.governed",
            status: 409,
            zh: "该资源的记录由流程办理，不能直接改写。",
            en: "The records of this resource are made and changed by the steps of its flow.",
            hint: .init("请在“业务系统”中办理相应步骤。", "Take a step under “Systems”.")
        )
    }

    /// The values of a record inside a records transaction, as a form gives them; empty ones are left out.
    ///
    /// - Throws: `request.not_found`, `record.scope` for one outside the rows of a decision.
    public func texts(
        of id: Int64,
        in resource: Resource,
        _ decision: Decision?,
        _ db: any SQLReading
    ) throws -> [String: String] {
        let row = try Lake.current(id, try TableState.current(resource.id, db), db)
        if let decision { try Lake.checkScope(row, decision) }
        return Lake.texts(row, of: resource.schema)
    }

    /// Checks a record like a file of one row and writes it inside a records transaction, with its change number and its day's load.
    /// ``recordsChanged(_:)`` is called after the commit.
    ///
    /// - Throws: `record.invalid`, `record.scope`, `store.conflict`.
    public func put(
        _ known: Int64?,
        _ values: [String: String],
        into resource: Resource,
        _ decision: Decision?,
        by principal: PrincipalID,
        at now: Int64,
        _ db: any SQLWriting
    ) throws -> (id: Int64, row: Batch) {
        let schema = resource.schema
        let row = try Lake.checked(values, schema)
        if let decision { try Lake.checkScope(row, decision) }
        let table: PhysicalTable
        if let state = try TableState.current(resource.id, db) {
            // The resource's items may have changed since the last record: the table follows.
            table = try state.following(schema, db, self)
        } else {
            table = PhysicalTable(name: "r\(resource.id.raw)_0", fields: schema.fields)
            try db.execute(table.createStatement(db.dialect))
            for statement in table.indexStatements(key: schema.key, db.dialect)
                + table.shapeStatements(shapes, db.dialect, postGIS: postGIS)
            { try db.execute(statement) }
            try db.execute(
                "INSERT INTO tables (resource, physical, schema, next_id, next_seq, rows, load, updated_at, shapes) VALUES (?,?,?,1,1,0,0,?,?)",
                [
                    .integer(resource.id.raw), .text(table.name), .text(TableSchema.write(schema).text),
                    .integer(now), .text(shapes.rawValue),
                ]
            )
        }
        guard
            let numbers = try db.row(
                "SELECT next_id, next_seq FROM tables WHERE resource = ?",
                [.integer(resource.id.raw)]
            )
        else {
            throw Problem.notFound(.init("资源", "the resource"))
        }
        let sequence = numbers.integer(1)
        let day = CivilTime.date(CivilTime.chinaDay(microseconds: now))
        let load = try Lake.dayLoad(resource, day, sequence, principal, now, db)
        let id = known ?? numbers.integer(0)
        if known != nil { try db.execute("DELETE FROM \(table.name) WHERE _id = ?", [.integer(id)]) }
        try Lake.checkKey(row, schema, table, db)
        let lead = [id, resource.owner.raw, 0, load, sequence].map(LeadValue.constant)
        try db.insert(into: table.name, table.insertColumns, row, rows: [0], lead: lead)
        try db.execute(
            "UPDATE tables SET next_id = ?, next_seq = ?, rows = rows + ?, updated_at = ? WHERE resource = ?",
            [
                .integer(max(numbers.integer(0), id + 1)), .integer(sequence + 1),
                .integer(known == nil ? 1 : 0), .integer(now),
                .integer(resource.id.raw),
            ]
        )
        return (id, row)
    }

    /// Whether a record's key is free: its former row is gone already. Keys of several types, and those that tell of people, are left to the table's index.
    ///
    /// - Throws: `store.conflict`, naming the fields.
    private static func checkKey(
        _ row: Batch,
        _ schema: Schema,
        _ table: PhysicalTable,
        _ db: any SQLReading
    ) throws {
        let fields = schema.key.compactMap { name in schema.fields.first { $0.name == name } }
        guard !fields.isEmpty, fields.allSatisfy({ $0.type == .text && $0.kind?.isPersonal != true }) else { return }
        let given = fields.compactMap { field in
            row.fields.firstIndex { $0.name == field.name }.map { row.value(0, $0).text }
        }
        let columns = table.keyColumns(schema.key)
        guard given.count == columns.count, !given.contains("") else { return }
        let condition = columns.map { "\($0) = ?" }.joined(separator: " AND ")
        guard try db.row("SELECT 1 FROM \(table.name) WHERE \(condition) LIMIT 1", given.map { .text($0) }) != nil
        else {
            return
        }
        let titles = fields.map(\.display).joined(separator: "、")
        let names = fields.map(\.name).joined(separator: ", ")
        throw Problem(
            "store.conflict",
            status: 409,
            zh: "已有“\(titles)”相同的记录。",
            en: "There is a record with the same “\(names)”.",
            details: Dictionary(fields.map { ($0.name, "unique") }, uniquingKeysWith: { first, _ in first })
        )
    }

    /// Lets go of what is remembered of a resource's table after its records changed.
    public func recordsChanged(_ resource: Resource) {
        if states[resource.id]?.schema != resource.schema { states.forget(resource.id) }
        touched.withLock { _ = $0.insert(resource.id) }
    }

    /// Takes a record out, leaving a tombstone.
    func delete(_ id: Int64, _ resource: Resource, _ decision: Decision, by principal: PrincipalID) async throws {
        let database = database(resource)
        guard resource.storage == .records else { throw Problem.notFound(.init("记录", "the record")) }
        try await checkGoverned(resource)
        let now = kernel.clock.now()
        let day = CivilTime.date(CivilTime.chinaDay(microseconds: now))
        try await database.write { db in
            guard
                let sequence = try db.row(
                    "SELECT next_seq FROM tables WHERE resource = ?",
                    [.integer(resource.id.raw)]
                )?.integer(0), let state = try TableState.current(resource.id, db)
            else { throw Problem.notFound(.init("记录", "the record")) }
            try Lake.checkScope(try Lake.current(id, state, db), decision)
            try db.execute("DELETE FROM \(state.physical) WHERE _id = ?", [.integer(id)])
            let load = try Lake.dayLoad(resource, day, sequence, principal, now, db)
            try db.execute(
                "INSERT INTO tombstones (resource, seq, row_id, load) VALUES (?,?,?,?)",
                [.integer(resource.id.raw), .integer(sequence), .integer(id), .integer(load)]
            )
            try db.execute(
                "UPDATE tables SET next_seq = ?, rows = rows - 1, updated_at = ? WHERE resource = ?",
                [.integer(sequence + 1), .integer(now), .integer(resource.id.raw)]
            )
        }
        touched.withLock { _ = $0.insert(resource.id) }
    }

    /// Whether a record lies within the rows of a decision.
    public static func isInScope(_ row: Batch, _ decision: Decision) throws -> Bool {
        guard let rows = decision.rows else { return true }
        return try BoundExpression(predicate: rows, fields: row.fields).evaluate(row).first == .yes
    }

    /// A record outside the rows of the decision is neither changed nor made.
    static func checkScope(_ row: Batch, _ decision: Decision) throws {
        guard try isInScope(row, decision) else {
            throw Problem(
                "record.scope",
                status: 403,
                zh: "该记录不在授权的行范围内。",
                en: "The record lies outside the rows you were granted."
            )
        }
    }

    /// A day's forms of one resource are one load.
    static func dayLoad(
        _ resource: Resource,
        _ day: String,
        _ sequence: Int64,
        _ principal: PrincipalID,
        _ now: Int64,
        _ db: any SQLWriting
    ) throws -> Int64 {
        let source = "form:\(day)"
        if let load = try db.row(
            "SELECT id FROM loads WHERE resource = ? AND source = ? ORDER BY id DESC LIMIT 1",
            [.integer(resource.id.raw), .text(source)]
        )?.integer(0) {
            try db.execute(
                "UPDATE loads SET good = good + 1, last_seq = ?, finished_at = ? WHERE id = ?",
                [.integer(sequence), .integer(now), .integer(load)]
            )
            return load
        }
        try db.execute(
            "INSERT INTO loads (resource, mode, state, source, digest, principal, started_at, finished_at, good, first_seq, last_seq) VALUES (?,'upsert','done',?,'',?,?,?,1,?,?)",
            [
                .integer(resource.id.raw), .text(source), .integer(principal.raw), .integer(now), .integer(now),
                .integer(sequence), .integer(sequence),
            ]
        )
        return db.lastInsertedID
    }

    /// A record as it is, inside a transaction.
    private static func current(_ id: Int64, _ state: TableState?, _ db: any SQLReading) throws -> Batch {
        guard let table = state?.table else { throw Problem.notFound(.init("记录", "the record")) }
        let batch = try db.batch(
            "SELECT \(table.allColumns.joined(separator: ", ")) FROM \(table.name) WHERE _id = ?",
            [.integer(id)],
            fields: table.fields,
            capacity: 1
        )
        guard batch.count == 1 else { throw Problem.notFound(.init("记录", "the record")) }
        return batch
    }

    /// The values of a row as a form gives them; items that are gone are not carried on.
    public static func texts(_ row: Batch, of schema: Schema) -> [String: String] {
        let names = row.fields.map(\.name)
        return Dictionary(
            names.indices.filter { schema.index(names[$0]) != nil }.map { (names[$0], row.value(0, $0).text) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// A record's values as a typed row.
    ///
    /// - Throws: `record.invalid` with the reasons by field, `query.field`.
    public static func checked(_ values: [String: String], _ schema: Schema) throws -> Batch {
        for name in values.keys where schema.index(name) == nil {
            throw Problem(
                "query.field",
                zh: "没有字段“\(name)”，或无权查看。",
                en: "There is no field “\(name)”, or you may not see it."
            )
        }
        var raw = RawBatch(columns: schema.fields.count)
        for field in schema.fields {
            let start = raw.bytes.count
            raw.bytes.append(contentsOf: (values[field.name] ?? "").utf8)
            raw.cells.append(.init(start: start, end: raw.bytes.count))
        }
        raw.rows = 1
        raw.numbers = [1]
        let checker = try Checker(schema: schema, header: schema.fields.map(\.name), keepsValues: true)
        let checked = checker.check(raw)
        guard checked.bad.isEmpty else {
            let errors = checker.report().samples.filter { $0.severity == .error }
            throw Problem(
                "record.invalid",
                status: 422,
                zh: "填报内容有误：\(errors.map(\.message.zh).joined(separator: ";"))",
                en: "The form is not right: \(errors.map(\.message.en).joined(separator: "; "))",
                details: Dictionary(errors.map { ($0.field, $0.rule) }, uniquingKeysWith: { first, _ in first })
            )
        }
        return checked.batch
    }
}

// MARK: Changes of what a pack declares

extension Lake {
    /// Gives a field of the stored rows another name; nothing happens where none has the old one.
    public func rename(_ old: String, _ new: String, of resource: Resource) async throws {
        try await database(resource).write { db in
            guard let state = try TableState.current(resource.id, db),
                let index = state.schema.fields.firstIndex(where: { $0.name == old }), state.schema.index(new) == nil
            else { return }
            var schema = state.schema
            schema.fields[index].name = new
            schema.key = schema.key.map { $0 == old ? new : $0 }
            // Rules speak of the old name; those of the resource are taken at the next record.
            schema.rules = []
            try db.execute(
                "UPDATE tables SET schema = ? WHERE resource = ?",
                [.text(TableSchema.write(schema).text), .integer(resource.id.raw)]
            )
        }
        states.forget(resource.id)
    }
}
