public import Basics
public import Kernel
import Lake
import Store
import Tabular

/// What an upgrade does to what is there.
public enum SystemUpgrade {
    /// The changes that lead from one declaration to another.
    public static func changes(from old: SystemDeclaration, to new: SystemDeclaration) -> [DeclaredMigration] {
        new.migrations.filter { $0.version > old.version && $0.version <= new.version }.sorted {
            $0.version < $1.version
        }
    }

    /// Whether everything that goes is told of.
    ///
    /// - Throws: `pack.migration` with every field, state and resource that is gone without a word.
    public static func check(from old: SystemDeclaration, to new: SystemDeclaration) throws(Problem) {
        let changes = changes(from: old, to: new)
        var missing: [String] = []
        for resource in old.resources {
            guard let next = new.resource(resource.key) else {
                missing.append(resource.key)
                continue
            }
            let told = changes.filter { $0.resource == resource.key }.map(\.change)
            for field in resource.schema.fields {
                let isTold = told.contains { change in
                    switch change {
                    case .rename(let from, _): from == field.name
                    case .drop(let name): name == field.name
                    case .state: false
                    }
                }
                guard let kept = next.field(field.name) else {
                    if !isTold { missing.append("\(resource.key).\(field.name)") }
                    continue
                }
                if kept.required, !field.required { missing.append("\(resource.key).\(field.name): required") }
                if kept.type != field.type || kept.scale != field.scale {
                    missing.append("\(resource.key).\(field.name): type")
                }
            }
            for field in next.schema.fields where field.required && resource.field(field.name) == nil {
                let isRenamed = told.contains { if case .rename(_, let to) = $0 { to == field.name } else { false } }
                if !isRenamed { missing.append("\(resource.key).\(field.name): required") }
            }
            if next.schema.key.count != resource.schema.key.count
                || next.flow?.field != resource.flow?.field && resource.flow != nil
            {
                missing.append("\(resource.key): primaryKey, flow.field")
            }
            for state in resource.flow?.states ?? [] where next.flow?.state(state.key) == nil {
                let isTold = told.contains { if case .state(let from, _) = $0 { from == state.key } else { false } }
                if !isTold { missing.append("\(resource.key).flow.states.\(state.key)") }
            }
        }
        guard missing.isEmpty else {
            throw Problem(
                "pack.migration",
                status: 409,
                zh: "新版去掉、改变或新要求了：\(missing.joined(separator: "、"))，而 migrations 没有说明。",
                en:
                    "The new version takes away, changes or newly requires: \(missing.joined(separator: ", ")); its migrations do not say so.",
                details: ["missing": missing.joined(separator: ", ")],
                hint: .init(
                    "请在 migrations 中写明 rename、drop 或 state，并提高 version；字段类型不能改变，请另设字段。",
                    "Say rename, drop or state in its migrations and raise the version; a field's type cannot change, add another field."
                )
            )
        }
    }
}

extension Flows {
    /// Makes a declared change in what is kept; done again it changes nothing.
    public func migrate(_ resource: Resource, _ migration: DeclaredMigration) async throws {
        // Steps of the flow that records began with speak of what goes: they go on by the new one.
        let next = try await systems.nextNumber(after: resource)
        try await kernel.databases.records.write { db in
            try db.execute(
                "UPDATE flow_records SET number = ? WHERE resource = ?",
                [.integer(next), .integer(resource.id.raw)]
            )
        }
        switch migration.change {
        case .drop: return
        case .rename(let from, let to):
            try await lake.rename(from, to, of: resource)
        case .state(let from, let to):
            guard let place = try await systems.place(code: resource.code), let flow = place.declaration.flow else {
                return
            }
            try await move(from, to, flow, resource, next)
            lake.recordsChanged(resource)
        }
    }

    /// Records of a state that are moved in one transaction.
    static let movedAtOnce = 1000

    /// Moves the records of a state to another, a thousand in a transaction: nobody waits long, and what a stop interrupts goes on with
    /// those that are left when the pack is installed again.
    private func move(
        _ from: String,
        _ to: String,
        _ flow: FlowDeclaration,
        _ resource: Resource,
        _ number: Int64
    ) async throws {
        while true {
            let now = kernel.clock.now()
            let count = try await kernel.databases.records.write { db in
                let records = try db.rows(
                    "SELECT record FROM flow_records WHERE resource = ? AND state = ? ORDER BY due, record LIMIT \(Self.movedAtOnce)",
                    [.integer(resource.id.raw), .text(from)]
                ).map { $0.integer(0) }
                guard !records.isEmpty else { return 0 }
                try self.lake.replace(flow.field, with: to, of: records, in: resource, at: now, db)
                try db.execute(
                    "UPDATE flow_records SET state = ?, number = ? WHERE resource = ? AND record IN (\(records.map(String.init).joined(separator: ",")))",
                    [.text(to), .integer(number), .integer(resource.id.raw)]
                )
                return records.count
            }
            guard count == Self.movedAtOnce else { return }
        }
    }
}
