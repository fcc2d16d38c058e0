import Synchronization
import Basics
import CQL
public import Kernel
import Store
public import Tabular

/// A row that two versions do not share.
public struct RowChange: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case added, removed, changed
    }

    public var kind: Kind
    /// The row in the earlier version, in the order of the difference's fields; nil where it was added.
    public var before: [Value]?
    /// The row in the later version; nil where it was removed.
    public var after: [Value]?
}

/// What differs between two versions of a resource, row by row: by key where there is one, else by whole rows.
///
/// Rows are compared in parts by a hash of the key, so that memory stays bounded; each part reads both files. Fields that are masked or hidden for
/// the caller are not compared: nobody learns that what is hidden changed.
public actor VersionDifference {
    /// Rows of a part, and the parts at the most.
    static let partRows: Int64 = 50_000
    /// Rows of a version, beyond which none is compared, and comparisons at a time.
    static let mostRows: Int64 = 1_000_000
    static let mostAtOnce = 2
    /// Rows of a part that are held at the most: without a key, equal rows all lie in one.
    static let mostHeld = 4 * Int(partRows)

    public nonisolated let fields: [Field]
    public nonisolated let key: [String]
    private let open: @Sendable (Version) throws -> VersionRows
    private let versions: (from: Version, to: Version)
    private let parts: UInt64
    private var part: UInt64 = 0
    private let lake: Lake
    private let deadline: ContinuousClock.Instant

    init(
        _ lake: Lake,
        _ resource: Resource,
        from: Version,
        to: Version,
        _ decision: Decision
    ) throws {
        let key = resource.schema.key
        guard max(from.rows, to.rows) <= VersionDifference.mostRows else {
            throw Problem(
                "query.too_costly",
                status: 422,
                zh: "版本太大，不能在线比较；请下载两个版本后比较。",
                en: "The versions are too large to be compared here; download both."
            )
        }
        let plain = Set(decision.fields.filter { $0.mask == nil }.map(\.field.name))
        guard key.allSatisfy(plain.contains) else {
            throw Problem(
                "version.key_hidden",
                status: 403,
                zh: "主键不可见或已脱敏，不能比较版本。",
                en: "The key is hidden or masked for you; versions cannot be compared."
            )
        }
        let both = try [from, to].map { version in
            Set(try BatchFileReader(lake.versionFile(resource, version.id)).fields.map { "\($0.name) \($0.type)" })
        }
        let shared = decision.fields.map(\.field).filter { field in
            plain.contains(field.name) && both.allSatisfy { $0.contains("\(field.name) \(field.type)") }
        }
        let names = shared.map(\.name)
        // An older version may lack the key that the resource has now.
        self.key = key.allSatisfy(names.contains) ? key : []
        fields = shared
        versions = (from, to)
        open = { version in
            try VersionRows(lake, resource, version, RecordQuery(resource.code, fields: names), decision)
        }
        parts = UInt64(max(from.rows, to.rows) / VersionDifference.partRows + 1)
        self.lake = lake
        deadline = .now + lake.patience * 6
        let isBusy = lake.comparisons.withLock { count in
            count += 1
            return count > VersionDifference.mostAtOnce
        }
        // From here on the end of this object gives the place back.
        guard !isBusy else {
            throw Problem(
                "query.busy",
                status: 503,
                zh: "正在进行的版本比较太多。",
                en: "Too many versions are being compared.",
                hint: .init("请稍后再试。", "Try again later.")
            )
        }
    }

    deinit { lake.comparisons.withLock { $0 -= 1 } }

    /// The differences of the next part; nil after the last.
    public func next() throws -> [RowChange]? {
        guard part < parts else { return nil }
        defer { part += 1 }
        var old: [Hash128: (row: Hash128, place: Int64)] = [:]
        try each(versions.from) { key, row, place, _, _ in old[key] = (row, place) }
        guard old.count <= VersionDifference.mostHeld else { throw VersionDifference.tooMany }
        var changes: [RowChange] = []
        var changed: [Int64: Int] = [:]
        try each(versions.to) { key, row, _, batch, index in
            guard let before = old.removeValue(forKey: key) else {
                changes.append(RowChange(kind: .added, before: nil, after: VersionDifference.values(batch, index)))
                return
            }
            if before.row != row {
                changed[before.place] = changes.count
                changes.append(RowChange(kind: .changed, before: nil, after: VersionDifference.values(batch, index)))
            }
        }
        guard changes.count <= VersionDifference.mostHeld else { throw VersionDifference.tooMany }
        let removed = Set(old.values.map(\.place))
        guard !removed.isEmpty || !changed.isEmpty else { return changes }
        try each(versions.from) { _, _, place, batch, index in
            if let at = changed[place] {
                changes[at].before = VersionDifference.values(batch, index)
            } else if removed.contains(place) {
                changes.append(RowChange(kind: .removed, before: VersionDifference.values(batch, index), after: nil))
            }
        }
        return changes
    }

    private static let tooMany = Problem(
        "query.too_costly",
        status: 422,
        zh: "版本差异太多，不能在线比较；请下载两个版本后比较。",
        en: "The versions differ in too much to be compared here; download both."
    )

    private static func values(_ batch: Batch, _ row: Int) -> [Value] {
        batch.columns.indices.map { batch.value(row, $0) }
    }

    /// Gives every row of this part: the hash of its key, of itself, its place, and where it stands.
    private func each(_ version: Version, _ body: (Hash128, Hash128, Int64, Batch, Int) -> Void) throws {
        let rows = try open(version)
        rows.deadline = deadline
        let keys = key.compactMap { name in fields.firstIndex { $0.name == name } }
        // Without a key equal rows are told apart by how many came before.
        var seen: [Hash128: Int64] = [:]
        while let (places, batch) = try rows.nextOpen() {
            for row in 0..<batch.count {
                var whole = Hash128(0)
                for column in batch.columns.indices {
                    whole.combine(VersionDifference.hash(batch.columns[column], row))
                }
                var key = whole
                if !keys.isEmpty {
                    key = Hash128(1)
                    for column in keys { key.combine(VersionDifference.hash(batch.columns[column], row)) }
                }
                guard key.low % parts == part else { continue }
                if keys.isEmpty {
                    let before = seen[key, default: 0]
                    seen[key] = before + 1
                    key.combine(Hash128(before))
                }
                body(key, whole, places[row], batch, row)
            }
        }
    }

    private static func hash(_ column: Column, _ row: Int) -> Hash128 {
        column.isNull(row) ? Hash128(Int64.min + 7) : column.hash(row)
    }
}

extension LakeActions {
    static let differenceDescriptor = ActionDescriptor(
        "data.difference",
        .dataRead,
        .read,
        isPublic: true,
        zh: "比较版本",
        en: "compare versions"
    )

    /// What differs between two versions of a resource.
    public var difference: Action<(code: String, from: Int64, to: Int64), VersionDifference> {
        Action(Self.differenceDescriptor, target: { [lake] in try await lake.kernel.resource($0.code) }) {
            [lake] input, decision in
            guard let resource = decision.resource else { throw Problem.notFound(.init("资源", "the resource")) }
            // Rows that may no longer be made are not told of either.
            _ = try await lake.readable(resource)
            decision.note("from", String(input.from))
            decision.note("to", String(input.to))
            return try VersionDifference(
                lake,
                resource,
                from: try await lake.version(input.from, of: resource),
                to: try await lake.version(input.to, of: resource),
                decision
            )
        }
    }
}
