import Basics
import CQL
import Kernel
import Lake
import Tabular

/// Makes the rows of a derivation, batch after batch. Sources are read through the gate as somebody; the first passes by, the others are
/// held in memory by their join keys.
struct DerivationRun {
    /// Rows of a looked-up source at the most, partners that the rows of one batch may find, and rows made in all.
    static let mostHeld = 3_000_000
    /// Bytes of all of them, about.
    static let mostHeldBytes = 512 << 20
    static let mostPartners = 2_000_000
    static let mostMade: Int64 = 50_000_000
    /// Bytes of joined rows at a time, about.
    private static let pieceBytes = 16 << 20

    let plan: DerivationPlan
    let lake: LakeActions
    let gate: Gate
    let caller: Caller
    /// When it is given up, where somebody waits for it.
    var deadline: ContinuousClock.Instant?

    static let tooLarge = Problem(
        "derivation.too_large",
        status: 422,
        zh: "派生结果或被关联的来源太大。",
        en: "The rows made, or those of a joined source, are too many.",
        hint: .init("请加筛选条件，或让关联条件更具体；大的资源放在第一个来源。", "Add a filter or a narrower join, and put the large source first.")
    )

    static func masked(_ resource: Resource) -> Problem {
        Problem(
            "derivation.masked",
            status: 403,
            zh: "无权读取来源“\(resource.name)”的全部所用字段(或其已脱敏、限定行范围)。",
            en: "Not every field used of “\(resource.name)” may be read whole and unmasked.",
            details: ["resource": resource.code],
            hint: .init("请申请不脱敏、不限定行的授权，或换用其他字段。", "Ask for a grant without masks and row limits, or use other fields.")
        )
    }

    /// Gives every batch of the rows on, in the order of the fields.
    func forEach(_ take: (Batch) async throws -> Void) async throws {
        var held: [HeldRows] = []
        var room = Self.mostHeldBytes
        for side in plan.sides.dropFirst() { held.append(try await hold(side, &room)) }
        var groups = try plan.isGrouped ? Aggregation(grouping(), fields: groupedFields) : nil
        let base = try await read(plan.sides[0])
        var total: Int64 = 0
        while let read = try await base.next() {
            try await pass(joined(read, plan.sides[0]), 0, held) { batch in
                if groups != nil {
                    let values = try await lake.computing { measured(batch) }
                    try groups?.take(values)
                    return
                }
                total += Int64(batch.count)
                guard total <= Self.mostMade else { throw Self.tooLarge }
                let columns = try await lake.computing {
                    plan.made.map { $0.value?.values(batch) ?? batch.columns[0] }
                }
                try await take(Batch(fields: plan.fields, columns: columns, count: batch.count))
            }
        }
        if var groups { try await take(ordered(try groups.finish().batch)) }
    }

    /// Joins a batch with the sources that follow and filters it, in pieces that memory holds: each row may find many partners.
    private func pass(
        _ batch: Batch,
        _ place: Int,
        _ held: [HeldRows],
        _ take: (Batch) async throws -> Void
    ) async throws {
        try checkTime()
        guard batch.count > 0 else { return }
        guard place < held.count else {
            guard let filter = plan.filter else { return try await take(batch) }
            let kept = try await lake.computing {
                let truths = filter.evaluate(batch)
                return (0..<Int32(batch.count)).filter { truths[Int($0)] == .yes }
            }
            guard !kept.isEmpty else { return }
            return try await take(
                Batch(fields: batch.fields, columns: batch.columns.map { $0.taking(kept) }, count: kept.count)
            )
        }
        let side = plan.sides[place + 1]
        let partners = held[place]
        let (left, right) = try await lake.computing { try pairs(batch, side, partners) }
        let bytes = partners.bytesPerRow + batch.bytes / batch.count
        let step = max(64, min(65_536, Self.pieceBytes / max(1, bytes)))
        for start in stride(from: 0, to: left.count, by: step) {
            let end = min(left.count, start + step)
            let (some, theirs) = (Array(left[start..<end]), Array(right[start..<end]))
            let piece = Batch(
                fields: batch.fields + side.taken.map { side.read[$0] },
                columns: batch.columns.map { $0.taking(some) } + side.taken.map { partners.columns[$0].taking(theirs) },
                count: some.count
            )
            try await pass(piece, place + 1, held, take)
        }
    }

    private func checkTime() throws {
        try Task.checkCancellation()
        guard let deadline, ContinuousClock.now > deadline else { return }
        throw Problem(
            "query.too_costly",
            status: 422,
            zh: "试算超时。",
            en: "The rows could not be made in time for a preview.",
            hint: .init("可先保存，由后台生成。", "Save it: the rows are made in the background.")
        )
    }

    // MARK: Reading

    private func read(_ side: DerivationPlan.Side) async throws -> RecordScan {
        let names = side.read.map(\.name)
        let open = lake.unmasked(of: side.resource, for: caller)
        guard open.isSuperset(of: names) else { throw Self.masked(side.resource) }
        return try await gate.perform(lake.export, RecordQuery(side.resource.code, fields: names, limit: 0), as: caller)
    }

    private func hold(_ side: DerivationPlan.Side, _ room: inout Int) async throws -> HeldRows {
        let scan = try await read(side)
        var all: Batch?
        while let batch = try await scan.next() {
            room -= batch.bytes
            guard (all?.count ?? 0) + batch.count <= Self.mostHeld, room >= 0 else { throw Self.tooLarge }
            if all == nil {
                all = batch
            } else {
                for index in batch.columns.indices { all?.columns[index].append(batch.columns[index]) }
                all?.count += batch.count
            }
            try checkTime()
        }
        return HeldRows(all, side)
    }

    // MARK: Joining

    private func joined(_ batch: Batch, _ side: DerivationPlan.Side) -> Batch {
        Batch(
            fields: side.taken.map { side.read[$0] },
            columns: side.taken.map { batch.columns[$0] },
            count: batch.count
        )
    }

    /// The rows of a batch and their partners' places, in order.
    private func pairs(
        _ batch: Batch,
        _ side: DerivationPlan.Side,
        _ held: HeldRows
    ) throws(Problem) -> ([Int32], [Int32]) {
        let keys = side.keys.map { $0.value.values(batch) }
        var left: [Int32] = []
        var right: [Int32] = []
        for row in 0..<batch.count {
            var partner = HeldRows.hash(keys, row).flatMap { held.first[$0] } ?? -1
            if partner < 0, side.isOptional {
                left.append(Int32(row))
                right.append(Int32(held.count))
            }
            while partner >= 0 {
                left.append(Int32(row))
                right.append(partner)
                partner = held.next[Int(partner)]
            }
            guard left.count <= Self.mostPartners else { throw Self.tooLarge }
        }
        return (left, right)
    }

    // MARK: Grouping

    /// The fields that groups and measures are made of: each output's own, under its name.
    private var groupedFields: [Field] {
        plan.made.compactMap { made in
            guard var field = made.value?.field else { return nil }
            field.name = made.field.name
            return field
        }
    }

    private func grouping() -> AggregateQuery {
        let groups = plan.made.filter { $0.measure == nil }.map { AggregateQuery.Group(field: $0.field.name) }
        let measures = plan.made.compactMap { made in
            made.measure.map {
                AggregateQuery.Measure(kind: $0, field: $0 == .count ? "" : made.field.name, name: made.field.name)
            }
        }
        var query = AggregateQuery("", groups: groups, measures: measures)
        query.limit = Aggregation.mostGroups
        return query
    }

    private func measured(_ batch: Batch) -> Batch {
        Batch(fields: groupedFields, columns: plan.made.compactMap { $0.value?.values(batch) }, count: batch.count)
    }

    /// Groups as the outputs are declared; sums of whole numbers and of decimals are such themselves.
    private func ordered(_ batch: Batch) -> Batch {
        let columns = plan.made.map { made -> Column in
            guard let index = batch.index(made.field.name) else { return batch.columns[0] }
            guard made.measure == .sum, made.field.type != .real, case .real(let sums) = batch.columns[index].values
            else { return batch.columns[index] }
            let power = made.field.type == .decimal ? Double(Numbers.powersOfTen[made.field.scale]) : 1
            var builder = ColumnBuilder(made.field, capacity: sums.count)
            for sum in sums {
                if let whole = Int64(exactly: (sum * power).rounded()) {
                    builder.append(int64: whole)
                } else {
                    builder.appendNull()
                }
            }
            return builder.finish()
        }
        return Batch(fields: plan.fields, columns: columns, count: batch.count)
    }
}

/// The rows of a joined source, found by their keys. Behind the last row lies one without values: the partner of those that have none.
struct HeldRows {
    let columns: [Column]
    let count: Int
    let bytesPerRow: Int
    /// The first row of each key, and for each row the next of the same key; -1 at the end.
    private(set) var first: [Hash128: Int32] = [:]
    private(set) var next: [Int32]

    init(_ rows: Batch?, _ side: DerivationPlan.Side) {
        count = rows?.count ?? 0
        bytesPerRow = (rows?.bytes ?? 0) / max(1, count)
        columns = side.read.indices.map { index in
            var builder = ColumnBuilder(side.read[index])
            builder.appendNull()
            let nothing = builder.finish()
            guard var column = rows?.columns[index] else { return nothing }
            column.append(nothing)
            return column
        }
        let held = columns
        let keys = side.keys.map { held[$0.field] }
        next = Array(repeating: -1, count: count)
        // From the end, so that partners come in their order.
        for row in stride(from: count - 1, through: 0, by: -1) {
            guard let hash = HeldRows.hash(keys, row) else { continue }
            next[row] = first[hash] ?? -1
            first[hash] = Int32(row)
        }
    }

    /// Nil where a part of the key has no value: it equals nothing.
    static func hash(_ keys: [Column], _ row: Int) -> Hash128? {
        var hash = Hash128(0)
        for key in keys {
            guard !key.isNull(row) else { return nil }
            hash.combine(key.hash(row))
        }
        return hash
    }
}
