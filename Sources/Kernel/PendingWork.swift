import Basics
import Store

/// Something that an administrator of the node should see to.
public struct PendingWork: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// No sound backup for a week.
        case backup
        /// No drill of restoring one for a quarter.
        case drill
        /// Next year's working-day calendar is not entered though the year ends.
        case holidays
        /// Organisations without a unified social credit code.
        case creditCodes = "credit_codes"
        /// People who can sign in but may do nothing.
        case withoutRole = "without_role"
        /// Grants that end within a month.
        case endingGrants = "ending_grants"
        /// The evidence chain was not verified for a month.
        case verification
    }

    public var kind: Kind
    /// How many there are; the year of ``Kind/holidays``; 0 where it is one thing.
    public var count: Int64
    /// When it was last done, microseconds; nil for never and for counts.
    public var last: Int64?
}

extension Administration {
    static let pendingSystemDescriptor = ActionDescriptor(
        "system.pending",
        .systemManage,
        .view,
        zh: "系统管理待办",
        en: "what awaits the system administrator"
    )
    static let pendingGrantsDescriptor = ActionDescriptor(
        "grant.pending",
        .grantsManage,
        .view,
        zh: "授权管理待办",
        en: "what awaits the security administrator"
    )
    static let pendingEvidenceDescriptor = ActionDescriptor(
        "evidence.pending",
        .evidenceRead,
        .view,
        zh: "审计待办",
        en: "what awaits the auditor"
    )
    static let pendingDescriptors = [pendingSystemDescriptor, pendingGrantsDescriptor, pendingEvidenceDescriptor]
    /// The setting that keeps when the whole chain was last found sound.
    static let verifiedSetting = "evidence.verified"
    private static let day: Int64 = 86_400_000_000

    public var pendingSystem: Action<Void, [PendingWork]> {
        Action(Self.pendingSystemDescriptor) { [kernel] _, _ in
            let now = kernel.clock.now()
            var pending: [PendingWork] = []
            for (kind, job, days) in [(PendingWork.Kind.backup, Self.backupJob, 7), (.drill, Self.drillJob, 90)] {
                let last = try await kernel.jobs.lastDone(job)
                if last ?? 0 < now - Int64(days) * Self.day { pending.append(.init(kind: kind, count: 0, last: last)) }
            }
            let (year, month, _) = CivilTime.civil(days: CivilTime.chinaDay(microseconds: now))
            let next = (
                CivilTime.days(year: year + 1, month: 1, day: 1), CivilTime.days(year: year + 1, month: 12, day: 31)
            )
            let (days, codes) = try await kernel.databases.control.read { db in
                (
                    try db.row(
                        "SELECT 1 FROM calendar_days WHERE day BETWEEN ? AND ? LIMIT 1",
                        [.integer(Int64(next.0)), .integer(Int64(next.1))]
                    ),
                    try db.row("SELECT count(*) FROM organisations WHERE credit_code = '' AND parent IS NOT NULL")?
                        .integer(0) ?? 0
                )
            }
            // The notice for a year comes out in the autumn before it.
            if month >= 11, days == nil { pending.append(.init(kind: .holidays, count: Int64(year + 1))) }
            if codes > 0 { pending.append(.init(kind: .creditCodes, count: codes)) }
            return pending
        }
    }

    public var pendingGrants: Action<Void, [PendingWork]> {
        Action(Self.pendingGrantsDescriptor) { [kernel] _, _ in
            let now = kernel.clock.now()
            let counts = try await kernel.databases.control.read { db in
                (
                    try db.row(
                        """
                        SELECT count(*) FROM principals p WHERE p.kind = 'person' AND p.active = 1 AND p.roles = '' AND NOT EXISTS
                        (SELECT 1 FROM grants g WHERE g.grantee_kind = 'principal' AND g.grantee = CAST(p.id AS TEXT))
                        """
                    )?.integer(0) ?? 0,
                    try db.row(
                        "SELECT count(*) FROM grants WHERE until_at > ? AND until_at <= ?",
                        [.integer(now), .integer(now + 30 * Self.day)]
                    )?.integer(0) ?? 0
                )
            }
            return [
                PendingWork(kind: .withoutRole, count: counts.0), PendingWork(kind: .endingGrants, count: counts.1),
            ].filter { $0.count > 0 }
        }
    }

    public var pendingEvidence: Action<Void, [PendingWork]> {
        Action(Self.pendingEvidenceDescriptor) { [kernel] _, _ in
            let last = try await kernel.databases.control.read { db in
                try db.row("SELECT value FROM settings WHERE name = ?", [.text(Self.verifiedSetting)]).flatMap {
                    Int64($0.text(0))
                }
            }
            guard last ?? 0 < kernel.clock.now() - 30 * Self.day else { return [] }
            return [PendingWork(kind: .verification, count: 0, last: last)]
        }
    }
}
