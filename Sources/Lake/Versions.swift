import Basics
import CQL
import Foundation
public import Kernel
import Mask
import Store
import Tabular

/// A version of a resource: what a replacing load left, which nothing changes any more.
public struct Version: Sendable {
    /// The load that made it: how the version is addressed.
    public var id: Int64
    public var at: Int64
    public var rows: Int64
    /// `sm3:…` of the file that was loaded.
    public var digest: String
    /// Whether the resource's rows began as this version, later changes by key aside.
    public var isCurrent: Bool
}

extension Lake {
    /// The versions that are kept, newest first.
    func versions(of resource: Resource) async throws -> [Version] {
        let current = try await state(resource)?.physical
        return try await database(resource).glance { db in
            try db.rows(
                "SELECT id, finished_at, good, digest FROM loads WHERE resource = ? AND state = 'done' AND mode = 'replace' ORDER BY id DESC LIMIT 1000",
                [.integer(resource.id.raw)]
            )
        }.map { row in
            Version(
                id: row.integer(0),
                at: row.integer(1),
                rows: row.integer(2),
                digest: row.text(3),
                isCurrent: current == "r\(resource.id.raw)_\(row.integer(0))"
            )
        }.filter { FileManager.default.fileExists(atPath: versionFile(resource, $0.id).path) }
    }

    func version(_ id: Int64, of resource: Resource) async throws -> Version {
        guard let found = try await versions(of: resource).first(where: { $0.id == id }) else {
            throw Problem.notFound(.init("版本", "the version"))
        }
        return found
    }

    /// Removes the files of old versions, where a number to keep is set; the current one stays.
    func pruneVersions(of resource: Resource) async throws {
        guard keptVersions > 0 else { return }
        for old in try await versions(of: resource).dropFirst(keptVersions) where !old.isCurrent {
            try FileManager.default.removeItem(at: versionFile(resource, old.id))
        }
    }
}

/// The rows of a version as a decision shows them, read front to back.
///
/// The version's own columns are read, by what the resource says of them today: a column that is no longer an item of the resource is not shown.
final class VersionRows {
    let version: Version
    let fields: [Field]
    private let reader: BatchFileReader
    private let positions: [Int]
    private let masks: [Mask?]
    private let conditions: [BoundExpression]
    /// Rows that came before those of the next batch.
    private var passed: Int64 = 0
    /// Until when rows are looked for.
    var deadline: ContinuousClock.Instant?

    init(_ lake: Lake, _ resource: Resource, _ version: Version, _ query: RecordQuery, _ decision: Decision) throws {
        self.version = version
        reader = try BatchFileReader(lake.versionFile(resource, version.id))
        guard query.sort == nil else {
            throw Problem(
                "query.version_sort",
                zh: "历史版本按文件顺序读取，不能排序。",
                en: "A version is read in its own order and cannot be sorted."
            )
        }
        let visible = Dictionary(decision.fields.map { ($0.field.name, $0) }, uniquingKeysWith: { first, _ in first })
        var shown: [(position: Int, field: Field, mask: Mask?)] = []
        var taken: Set<String> = []
        for name in query.fields ?? decision.fields.map(\.field.name) where taken.insert(name).inserted {
            guard let access = visible[name] else { throw DecidedQuery.unknown(name) }
            if let position = reader.fields.firstIndex(where: { $0.name == name }) {
                shown.append((position, reader.fields[position], access.mask))
            }
        }
        positions = shown.map(\.position)
        fields = shown.map(\.field)
        masks = shown.map(\.mask)
        var conditions: [BoundExpression] = []
        let open = reader.fields.filter { visible[$0.name] != nil }
        let asked = try query.bound(open) { expression throws(Problem) in
            for name in expression.unmaskedProperties({ visible[$0]?.mask }) where visible[name]?.mask != nil {
                throw DecidedQuery.masked(name)
            }
        }
        if let asked { conditions.append(asked) }
        if let rows = decision.rows { conditions.append(try BoundExpression(predicate: rows, fields: reader.fields)) }
        self.conditions = conditions
    }

    /// Whether every row comes.
    var isWhole: Bool { conditions.isEmpty }

    /// The next rows that fit, unmasked, with their places in the version (from 1); nil at the end.
    func nextOpen() throws -> (places: [Int64], Batch)? {
        try Task.checkCancellation()
        guard deadline.map({ ContinuousClock.now < $0 }) ?? true else {
            throw Problem(
                "query.too_costly",
                status: 422,
                zh: "查找历史版本超时。",
                en: "The version could not be gone through in time.",
                hint: .init("请缩小范围，或整体下载该版本。", "Ask for less, or download the version as a whole.")
            )
        }
        guard let batch = try reader.next() else { return nil }
        let first = passed
        passed += Int64(batch.count)
        var rows = (0..<Int32(batch.count)).map { $0 }
        for condition in conditions {
            let columns = condition.fields.map { field in
                batch.index(field.name).map { batch.columns[$0] } ?? Column(.int64([]))
            }
            let truths = condition.evaluate(Batch(fields: condition.fields, columns: columns, count: batch.count))
            rows = rows.filter { truths[Int($0)] == .yes }
        }
        let columns = positions.map { rows.count == batch.count ? batch.columns[$0] : batch.columns[$0].taking(rows) }
        return (rows.map { first + Int64($0) + 1 }, Batch(fields: fields, columns: columns, count: rows.count))
    }

    func masked(_ batch: Batch) -> Batch {
        var batch = batch
        for (index, mask) in masks.enumerated() {
            if let mask { batch.columns[index] = mask.apply(batch.columns[index], field: fields[index]) }
        }
        return batch
    }

    /// How many rows fit.
    func count() throws -> Int64 {
        var count: Int64 = 0
        while let (places, _) = try nextOpen() { count += Int64(places.count) }
        return count
    }

    /// Some rows after a place and an offset.
    func page(after place: Int64, offset: Int, limit: Int) throws -> (places: [Int64], Batch) {
        var found: Batch?
        var places: [Int64] = []
        var offset = offset
        while places.count < limit, let (next, batch) = try nextOpen() {
            guard let last = next.last, last > place else { continue }
            let begins = next.firstIndex { $0 > place } ?? 0
            let skipped = min(offset, next.count - begins)
            offset -= skipped
            let kept = Array((Int32(begins + skipped)..<Int32(next.count)).prefix(limit - places.count))
            guard !kept.isEmpty else { continue }
            places += kept.map { next[Int($0)] }
            let part = Batch(fields: fields, columns: batch.columns.map { $0.taking(kept) }, count: kept.count)
            found = found.map { Lake.joined($0, part) } ?? part
        }
        let empty = Batch(
            fields: fields,
            columns: fields.map {
                var builder = ColumnBuilder($0)
                return builder.finish()
            },
            count: 0
        )
        return (places, masked(found ?? empty))
    }
}

extension LakeActions {
    static let versionsDescriptor = ActionDescriptor(
        "data.versions",
        .dataRead,
        .view,
        isPublic: true,
        zh: "历史版本",
        en: "list versions"
    )

    /// The versions of a resource, newest first.
    public var versions: Action<String, [Version]> {
        Action(Self.versionsDescriptor, target: { [lake] in try await lake.kernel.resource($0) }) {
            [lake] _, decision in
            guard let resource = decision.resource else { return [] }
            let versions = try await lake.versions(of: resource)
            // A digest of what is partly hidden would let guesses at it be tried; so would the number of all rows.
            let seesAll =
                decision.rows == nil && decision.fields.count == resource.schema.fields.count
                && decision.fields.allSatisfy { $0.mask == nil }
            return versions.map { version in
                var told = version
                if !seesAll { told.digest = "" }
                if decision.rows != nil { told.rows = 0 }
                return told
            }
        }
    }
}
