import Basics
import CQL
public import Kernel
import Lake
import Seal
import Store
import Tabular

/// What somebody asks of a draw.
public struct DrawRequest: Sendable {
    /// The resource's code.
    public var code: String
    public var draw: String
    public var count: Int
    /// What the pool is narrowed by: a field of the drawn resource and its value.
    public var filter: [String: String]
    /// The fields that are asked once, for all records.
    public var values: [String: String]

    public init(_ code: String, draw: String, count: Int, filter: [String: String] = [:], values: [String: String]) {
        self.code = code
        self.draw = draw
        self.count = count
        self.filter = filter
        self.values = values
    }
}

/// A draw as it was made: whoever holds the pool and the seed finds the same again.
public struct MadeDraw: Sendable {
    /// A record that a draw made.
    public struct Drawn: Sendable, Hashable {
        /// The key of the row drawn.
        public var key: String
        public var people: [String]
        public var record: Int64
    }

    public var id: Int64
    public var draw: String
    public var title: String
    /// 64 hexadecimal digits.
    public var seed: String
    /// The rows that could be drawn, `KEY<TAB>WEIGHT` a line; empty where a list of draws is asked.
    public var pool: String
    /// SM3 of the pool's lines.
    public var digest: String
    public var size: Int64
    /// The people that could be drawn, a key a line; empty where a list of draws is asked.
    public var people: String
    /// The conditions, as text.
    public var filter: String
    public var drawn: [Drawn]
    public var principal: String
    /// Microseconds.
    public var at: Int64

    /// Whether the seed and the pool that are kept give the rows that were drawn.
    public var isRight = false

    /// Draws again.
    fileprivate func checked() -> MadeDraw {
        var made = self
        made.isRight = isFoundAgain
        return made
    }

    private var isFoundAgain: Bool {
        guard Digest(.sm3, of: Array(pool.utf8)).description == digest else { return false }
        let candidates = pool.split(separator: "\n").map { line -> RandomDraw.Candidate in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return .init(key: parts[0], weight: parts.count > 1 ? parts[1] : "")
        }
        let again = RandomDraw.drawn(drawn.count, from: candidates, seed: seed).map { candidates[$0].key }
        guard again == drawn.map(\.key) else { return false }
        let crew = people.split(separator: "\n").map { RandomDraw.Candidate(key: String($0)) }
        return drawn.allSatisfy { drawn in
            RandomDraw.drawn(drawn.people.count, from: crew, seed: "\(seed):\(drawn.key)").map { crew[$0].key }
                == drawn.people
        }
    }
}

extension Flows {
    static let drawDescriptor = ActionDescriptor("flow.draw", .flowAct, .write, zh: "随机抽取", en: "draw at random")
    static let drawsDescriptor = ActionDescriptor("flow.draws", .dataRead, .read, zh: "查看抽取记录", en: "show draws")

    /// Draws rows at random and makes a record of each, all in one transaction with the draw's own record.
    public var draw: Action<DrawRequest, MadeDraw> {
        Action(Self.drawDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] request, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let made = try await draw(request, resource, principal, decision)
            decision.note("draw", String(made.id))
            decision.note("seed", made.seed)
            decision.note("pool", made.digest)
            decision.note("size", String(made.size))
            if !made.people.isEmpty {
                decision.note("people", Digest(.sm3, of: Array(made.people.utf8)).description)
            }
            for drawn in made.drawn { decision.note("created", "\(request.code)#\(drawn.record)") }
            return made
        }
    }

    private func draw(
        _ request: DrawRequest,
        _ resource: Resource,
        _ principal: Principal,
        _ decision: Decision
    ) async throws -> MadeDraw {
        let place = try await place(request.code)
        let declared = place.declaration
        guard let draw = declared.draws.first(where: { $0.key == request.draw }), let flow = declared.flow,
            let step = flow.step(draw.step)
        else { throw Problem.notFound(.init("抽取", "the draw")) }
        try check(draw, request, principal, declared)
        try await checkReferences(
            StepRequest(request.code, step: draw.step, values: request.values),
            declared,
            resource
        )
        let (pool, condition) = try await pool(
            draw.resource,
            draw.condition,
            request.filter,
            draw.values,
            weight: draw.weight
        )
        let crew: Pool? =
            if let people = draw.people {
                try await self.pool(people.resource, people.condition, [:], people.values.flatMap(\.self), weight: "").0
            } else { nil }
        if let people = draw.people, let crew, crew.candidates.count < people.values.count { throw Self.tooFewPeople }
        let seed = Hexadecimal.text(Secrets.random(32))
        let chosen = RandomDraw.drawn(request.count, from: pool.candidates, seed: seed)
        guard chosen.count == request.count else {
            throw Problem(
                "draw.too_few",
                status: 409,
                zh: "符合条件、可抽取的只有 \(chosen.count) 个，不足 \(request.count) 个。",
                en: "Only \(chosen.count) rows may be drawn, fewer than \(request.count)."
            )
        }
        let calendar = try await kernel.calendar()
        let targets = try await self.targets(of: step, depth: 0)
        let surroundings = try await self.surroundings(
            place,
            declared,
            resource,
            for: declared.beside(in: step.expressions),
            record: nil,
            [:]
        )
        let organisation = kernel.gate.organisations[principal.organisation]
        let now = self.now
        let text = RandomDraw.text(of: pool.candidates)
        var made = MadeDraw(
            id: 0,
            draw: draw.key,
            title: draw.title.zh,
            seed: seed,
            pool: text,
            digest: Digest(.sm3, of: Array(text.utf8)).description,
            size: Int64(pool.candidates.count),
            people: (crew?.candidates ?? []).map { "\($0.key)\n" }.joined(),
            filter: condition,
            drawn: [],
            principal: principal.name,
            at: now
        )
        let start = made
        made = try await kernel.databases.records.write { db in
            var made = start
            for index in chosen {
                let key = pool.candidates[index].key
                var values = request.values.merging(try pool.values(draw.values, index)) { _, drawn in drawn }
                var people: [String] = []
                if let declaredPeople = draw.people, let crew {
                    let drawn = RandomDraw.drawn(
                        declaredPeople.values.count,
                        from: crew.candidates,
                        seed: "\(seed):\(key)"
                    )
                    for (person, assignments) in zip(drawn, declaredPeople.values) {
                        people.append(crew.candidates[person].key)
                        values.merge(try crew.values(assignments, person)) { _, drawn in drawn }
                    }
                }
                let work = StepWork(
                    flows: self,
                    place: place,
                    declared: declared,
                    flow: flow,
                    step: step.taking(values),
                    resource: resource,
                    number: place.system.number,
                    principal: principal,
                    organisation: organisation,
                    now: now,
                    calendar: calendar,
                    targets: targets,
                    related: [:],
                    people: [:],
                    surroundings: surroundings
                )
                let outcome = try work.run(StepRequest(place.code, step: step.key, values: values), decision, db)
                made.drawn.append(.init(key: key, people: people, record: outcome.record))
            }
            try db.execute(
                "INSERT INTO flow_draws (resource, draw, title, seed, pool, digest, size, people, filter, drawn, principal, at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    .integer(resource.id.raw), .text(made.draw), .text(made.title), .text(made.seed), .text(made.pool),
                    .text(made.digest), .integer(made.size), .text(made.people), .text(made.filter),
                    .text(Self.json(made.drawn).text), .integer(principal.id.raw), .integer(now),
                ]
            )
            made.id = db.lastInsertedID
            return made
        }
        lake.recordsChanged(resource)
        for (_, target) in targets { lake.recordsChanged(target.resource) }
        return try await seen(made.checked(), declared, decision.caller)
    }

    private static let tooFewPeople = Problem(
        "draw.too_few",
        status: 409,
        zh: "可抽取的人员不足。",
        en: "There are too few people to draw."
    )

    private func check(
        _ draw: DeclaredDraw,
        _ request: DrawRequest,
        _ principal: Principal,
        _ declared: ResourceDeclaration
    ) throws(Problem) {
        guard draw.roles.contains(where: { name in principal.roles.contains { $0.rawValue == name } }) else {
            throw Problem(
                "flow.role",
                status: 403,
                zh: "“\(draw.title.zh)”由其他角色办理。",
                en: "“\(draw.title.en)” is for another role."
            )
        }
        guard (1...DeclaredDraw.mostRecords).contains(request.count) else {
            throw Problem(
                "draw.count",
                status: 422,
                zh: "每次抽取 1 至 \(DeclaredDraw.mostRecords) 个。",
                en: "From 1 to \(DeclaredDraw.mostRecords) are drawn at once."
            )
        }
        for name in request.values.keys where !draw.fields.contains(where: { $0.field == name }) {
            throw Problem(
                "flow.field",
                status: 422,
                zh: "“\(draw.title.zh)”不填写字段“\(name)”。",
                en: "“\(draw.title.en)” does not ask for the field “\(name)”."
            )
        }
        for name in request.filter.keys where !draw.filters.contains(name) {
            throw Problem(
                "flow.field",
                status: 422,
                zh: "“\(draw.title.zh)”不能按字段“\(name)”限定。",
                en: "“\(draw.title.en)” is not narrowed by the field “\(name)”."
            )
        }
        for asked in draw.fields where asked.isRequired && TextForms.isBlank(request.values[asked.field] ?? "") {
            let field = declared.field(asked.field)
            throw Problem(
                "flow.required",
                status: 422,
                zh: "“\(draw.title.zh)”须填写“\(field.map { declared.label($0, .zh) } ?? asked.field)”。",
                en: "“\(draw.title.en)” needs “\(field.map { declared.label($0, .en) } ?? asked.field)”.",
                details: [asked.field: "required"]
            )
        }
    }

    /// The rows that may be drawn.
    private struct Pool: Sendable {
        var batch: Batch
        var candidates: [RandomDraw.Candidate]

        /// What a record takes of a row.
        func values(_ assignments: [FlowStep.Assignment], _ row: Int) throws -> [String: String] {
            let one = Batch(fields: batch.fields, columns: batch.columns.map { $0.taking([Int32(row)]) }, count: 1)
            return try assignments.reduce(into: [:]) { values, assignment in
                switch assignment.value {
                case .text(let text): values[assignment.field] = text
                case .expression(let text):
                    let bound = try BoundExpression(value: try Expression(value: text), fields: one.fields)
                    values[assignment.field] =
                        Batch(fields: [bound.field], columns: [bound.values(one)], count: 1).value(0, 0).text
                default: break
                }
            }
        }
    }

    private func pool(
        _ key: String,
        _ condition: String,
        _ filter: [String: String],
        _ values: [FlowStep.Assignment],
        weight: String
    ) async throws -> (Pool, String) {
        guard let place = try await systems.place(key: key), let name = place.declaration.schema.key.first else {
            throw Problem(
                "flow.target",
                status: 409,
                zh: "被抽取的资源“\(key)”未安装。",
                en: "The resource “\(key)” that is drawn from is not installed."
            )
        }
        let resource = try await kernel.resource(place.code)
        var parts = condition.isEmpty ? [] : [try Expression(either: condition)]
        for (field, value) in filter.sorted(by: { $0.key < $1.key }) where !value.isEmpty {
            parts.append(.compare(.equal, .property(field), .literal(.text(value))))
        }
        let whole = parts.isEmpty ? nil : parts.count == 1 ? parts[0] : Expression.and(parts)
        var names = [name]
        if !weight.isEmpty { names.append(weight) }
        for assignment in values {
            if case .expression(let text) = assignment.value { names += try Expression(value: text).properties }
        }
        let wanted = names.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        let database = resource.storage == .records ? kernel.databases.records : kernel.databases.lake
        let batch = try await database.read { db in
            try self.lake.rows(
                of: resource,
                fitting: [whole].compactMap(\.self),
                fields: wanted,
                limit: DeclaredDraw.mostRows + 1,
                db
            ).batch
        }
        guard batch.count <= DeclaredDraw.mostRows else {
            throw Problem(
                "draw.too_many",
                status: 422,
                zh: "可抽取的超过 \(DeclaredDraw.mostRows) 个，请缩小范围。",
                en: "More than \(DeclaredDraw.mostRows) rows could be drawn: narrow it."
            )
        }
        let keys = batch.fields.firstIndex { $0.name == name }
        let weights = batch.fields.firstIndex { $0.name == weight }
        let candidates = (0..<batch.count).map { row in
            RandomDraw.Candidate(
                key: keys.map { batch.value(row, $0).text } ?? "",
                weight: weights.map { batch.value(row, $0).text } ?? "1"
            )
        }
        return (Pool(batch: batch, candidates: candidates), whole?.text ?? "")
    }

    private static func json(_ drawn: [MadeDraw.Drawn]) -> JSONValue {
        .array(
            drawn.map { one in
                .object([
                    .init("key", .string(one.key)), .init("people", .array(one.people.map { .string($0) })),
                    .init("record", .integer(one.record)),
                ])
            }
        )
    }

    // MARK: Draws that were made

    private static let draws = Problem.notFound(.init("抽取记录", "the draw"))

    /// The last draws of a resource, at most 50, without their pools.
    public var draws: Action<String, [MadeDraw]> {
        Action(Self.drawsDescriptor, target: { [kernel] in try await kernel.resource($0) }) { [self] _, decision in
            guard let resource = decision.resource else { throw Self.draws }
            let rows = try await kernel.databases.records.read { db in
                try db.rows(
                    "SELECT id, draw, title, seed, '', digest, size, '', filter, drawn, principal, at FROM flow_draws WHERE resource = ? ORDER BY id DESC LIMIT 50",
                    [.integer(resource.id.raw)]
                )
            }
            var found: [MadeDraw] = []
            for row in rows { found.append(try await read(row)) }
            return found
        }
    }

    /// A draw with its pool.
    public var madeDraw: Action<(code: String, id: Int64), MadeDraw> {
        Action(Self.drawsDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource else { throw Self.draws }
            decision.note("draw", String(input.id))
            let row = try await kernel.databases.records.read { db in
                try db.row(
                    "SELECT id, draw, title, seed, pool, digest, size, people, filter, drawn, principal, at FROM flow_draws WHERE resource = ? AND id = ?",
                    [.integer(resource.id.raw), .integer(input.id)]
                )
            }
            guard let row else { throw Self.draws }
            let place = try await place(input.code)
            return try await seen(try await read(row).checked(), place.declaration, decision.caller)
        }
    }

    /// A draw with the lists only that somebody may read where they lie; the digest says which they were.
    private func seen(_ made: MadeDraw, _ declared: ResourceDeclaration, _ caller: Caller) async throws -> MadeDraw {
        var made = made
        let draw = declared.draws.first { $0.key == made.draw }
        if try await !mayRead(keysOf: draw?.resource, caller) { made.pool = "" }
        if try await !mayRead(keysOf: draw?.people?.resource, caller) {
            made.people = ""
            for index in made.drawn.indices { made.drawn[index].people = [] }
        }
        return made
    }

    private func mayRead(keysOf key: String?, _ caller: Caller) async throws -> Bool {
        guard let key, let place = try await systems.place(key: key), let name = place.declaration.schema.key.first
        else {
            return false
        }
        let resource = try await kernel.resource(place.code)
        return kernel.gate.unmaskedFields(reading.read.descriptor, resource, caller, anyRows: false).contains(name)
    }

    private func read(_ row: SQLRow) async throws -> MadeDraw {
        let drawn = (try JSONValue(text: row.text(9)).array ?? []).map { one in
            MadeDraw.Drawn(
                key: one["key"]?.string ?? "",
                people: (one["people"]?.array ?? []).compactMap(\.string),
                record: one["record"]?.integer ?? 0
            )
        }
        return MadeDraw(
            id: row.integer(0),
            draw: row.text(1),
            title: row.text(2),
            seed: row.text(3),
            pool: row.text(4),
            digest: row.text(5),
            size: row.integer(6),
            people: row.text(7),
            filter: row.text(8),
            drawn: drawn,
            principal: try await kernel.accounts.find(PrincipalID(row.integer(10)))?.name ?? "",
            at: row.integer(11)
        )
    }
}
