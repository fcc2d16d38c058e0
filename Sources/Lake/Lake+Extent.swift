import Basics
public import Geo
public import Kernel
import Store
import Tabular

/// Where and when the rows of a resource are.
public struct Extent: Sendable, Hashable {
    /// The box around their positions.
    public var box: Box?
    /// The first and the last of their times, microseconds; of dates, China's midnights.
    public var times: ClosedRange<Int64>?
}

extension Lake {
    /// Where and when a resource's rows are, as far as a decision shows it; once for each state of the table.
    func extent(_ decision: Decision) async throws -> Extent? {
        guard let resource = decision.resource, decision.rows == nil, let state = try await readable(resource),
            (1...Lake.countedRows).contains(state.rows)
        else { return nil }
        let table = state.table
        let shown = Set(decision.fields.filter { $0.mask == nil }.map(\.field.name))
        let places = extentStatement(table, shown, state.shapes)
        let times = table.fields.indices.filter { shown.contains(table.fields[$0].name) }
        let time = times.first { table.fields[$0].type == .timestamp } ?? times.first { table.fields[$0].type == .date }
        let what = "\(places ?? "") \(time.map { table.columns($0)[0] } ?? "")"
        guard places != nil || time != nil else { return nil }
        let sequence = try await sequence(resource, state)
        if let kept = extents[resource.id], kept.sequence == sequence, kept.of == what { return kept.extent }
        return try await extentTurns.taking { [self] in
            // Somebody may have found it while this one waited.
            if let kept = extents[resource.id], kept.sequence == sequence, kept.of == what {
                return kept.extent
            }
            let extent = try await find(resource, state, places, time)
            extents.store((sequence, what, extent), for: resource.id, since: extents.epoch)
            return extent
        }
    }

    private func find(_ resource: Resource, _ state: TableState, _ places: String?, _ time: Int?) async throws -> Extent
    {
        let table = state.table
        retain(state.physical)
        defer { release(state.physical) }
        var extent = Extent()
        if let places {
            let found = try await database(resource).read { db in
                try db.batch(places, [], fields: ["a", "b", "c", "d"].map { Field($0, .real) }, capacity: 1)
            }
            let numbers = (0..<4).compactMap { found.count == 1 ? found.value(0, $0).json.real : nil }
            // Outward to the metre: an R-tree knows no more, and all engines say the same.
            if numbers.count == 4, numbers.allSatisfy(\.isFinite) {
                extent.box = Box(
                    (numbers[0] * 1e5).rounded(.down) / 1e5,
                    (numbers[1] * 1e5).rounded(.down) / 1e5,
                    (numbers[2] * 1e5).rounded(.up) / 1e5,
                    (numbers[3] * 1e5).rounded(.up) / 1e5
                )
            }
        }
        if let time {
            let column = table.columns(time)[0]
            let row = try await database(resource).read { db in
                try db.row("SELECT min(\(column)), max(\(column)) FROM \(table.name)")
            }
            if let first = row?.optionalInteger(0), let last = row?.optionalInteger(1), first <= last {
                extent.times =
                    table.fields[time].type == .timestamp
                    ? first...last
                    : CivilTime.chinaMidnight(
                        day: Int32(clamping: first)
                    )...CivilTime.chinaMidnight(day: Int32(clamping: last))
            }
        }
        return extent
    }

    private func extentStatement(_ table: PhysicalTable, _ shown: Set<String>, _ shapes: ShapeIndex) -> String? {
        let fields = table.fields
        if let index = fields.firstIndex(where: { $0.type == .geometry }) {
            guard shown.contains(fields[index].name), shapes != .none else { return nil }
            let box = table.boxName(index)
            let column = table.columns(index)
            if kernel.databases.lake.dialect == .sqlite {
                return "SELECT min(min_x), min(min_y), max(max_x), max(max_y) FROM \(box)"
            }
            let around = PhysicalTable.boxed(column)
            return """
                SELECT min(((\(around))[1])[0]), min(((\(around))[1])[1]), max(((\(around))[0])[0]), max(((\(around))[0])[1]) FROM \(table.name)
                """
        }
        guard let (x, y) = Schema(fields: fields).position, shown.contains(fields[x].name),
            shown.contains(fields[y].name),
            x == y || [fields[x], fields[y]].allSatisfy({ $0.type == .real || $0.type == .decimal })
        else { return nil }
        func number(_ index: Int) -> String {
            let column = table.columns(index)[0]
            return fields[index].type == .decimal
                ? "(\(column) / \(Numbers.powersOfTen[fields[index].scale]).0)" : column
        }
        let longitude = number(x)
        let latitude = x == y ? table.columns(x)[1] : number(y)
        return "SELECT min(\(longitude)), min(\(latitude)), max(\(longitude)), max(\(latitude)) FROM \(table.name)"
    }
}

extension LakeActions {
    static let extentDescriptor = ActionDescriptor(
        "data.extent",
        .dataRead,
        .view,
        isPublic: true,
        zh: "时空范围",
        en: "where and when rows are"
    )

    /// Where and when a resource's rows are; nil where nothing is to be shown.
    public var extent: Action<String, Extent?> {
        Action(Self.extentDescriptor, target: { [lake] in try await lake.kernel.resource($0) }) { [lake] _, decision in
            try await lake.extent(decision)
        }
    }

    static let fieldsDescriptor = ActionDescriptor(
        "data.fields",
        .dataRead,
        .view,
        isPublic: true,
        zh: "可见字段",
        en: "the fields that may be seen"
    )

    /// The fields of a resource that somebody may see, and their masks.
    public var fields: Action<String, [FieldAccess]> {
        Action(Self.fieldsDescriptor, target: { [lake] in try await lake.kernel.resource($0) }) { _, decision in
            decision.fields
        }
    }

    /// Whether somebody may read rows of a resource at all.
    public func mayRead(_ resource: Resource, _ caller: Caller) -> Bool {
        lake.kernel.gate.admits(Self.readDescriptor, resource, caller)
    }

    /// Computes over a batch when a core is free for it: one is left to everything else.
    public func computing<T: Sendable>(_ body: @Sendable () throws -> T) async throws -> T {
        try await lake.turns.taking(body)
    }

    /// The fields of a resource that somebody may read of every row as they are.
    public func unmasked(of resource: Resource, for caller: Caller) -> Set<String> {
        lake.kernel.gate.unmaskedFields(Self.exportDescriptor, resource, caller)
    }
}
