public import Basics
import Seal
public import Store
import Synchronization

/// One record of evidence: a decision, a load, a grant, a destruction. Digests and numbers only.
public struct EvidenceEntry: Sendable {
    public var at: Int64
    public var actor: String
    public var organisation: Int64?
    public var action: String
    public var resource: String
    public var outcome: String
    public var grants: [Int64]
    public var trace: String
    public var details: [(String, String)]

    public init(
        at: Int64,
        actor: String,
        organisation: Int64?,
        action: String,
        resource: String,
        outcome: String,
        grants: [Int64],
        trace: String,
        details: [(String, String)]
    ) {
        self.at = at
        self.actor = actor
        self.organisation = organisation
        self.action = action
        self.resource = resource
        self.outcome = outcome
        self.grants = grants
        self.trace = trace
        self.details = details
    }

    /// The bytes that are hashed: one JSON object, members in this order.
    var canonical: String {
        JSONValue.object([
            .init("at", .integer(at)), .init("actor", .string(actor)),
            .init("organisation", organisation.map { .integer($0) } ?? .null), .init("action", .string(action)),
            .init("resource", .string(resource)), .init("outcome", .string(outcome)),
            .init("grants", .array(grants.map { .integer($0) })), .init("trace", .string(trace)),
            .init("details", .object(details.map { .init($0.0, .string($0.1)) })),
        ]).text
    }
}

/// What a verification of the chain found.
public struct EvidenceVerdict: Sendable {
    public var records = 0
    public var intervals = 0
    public var unsealed = 0
    /// The first fault; nil for a sound chain.
    public var fault: LocalizedText?
}

/// The append-only, hash-chained log of a writing process, closed at intervals with a signed Merkle root.
///
/// Records that arrive while one is being written are committed together: whoever comes first writes for all.
public final class EvidenceChain: Sendable {
    let database: any Database
    /// Where the last seal is written down a second time: cutting the chain's own file does not go unseen.
    let control: any Database
    let key: NodeKey
    let clock: Clock
    let algorithm: DigestAlgorithm
    /// Where other processes write chains of their own beside this one.
    private let shared: (any SharedStore)?
    private let state = Mutex(State())
    /// Numbers of one chain: the chain's own number above, the record's below. The first chain is 0.
    static let chainLength: Int64 = 1 << 40

    struct State {
        var waiting: [(entry: EvidenceEntry, done: CheckedContinuation<Void, any Error>?)] = []
        var isWriting = false
        var head: [UInt8] = []
        var next: Int64 = 1
        var lastInterval: Int64 = 0
        var chain: Int64 = 0
        /// Whether what the chain holds may differ from what is remembered of it.
        var isDoubtful = false
    }

    init(
        database: any Database,
        control: any Database,
        key: NodeKey,
        clock: Clock,
        shared: (any SharedStore)? = nil,
        algorithm: DigestAlgorithm = .sm3
    ) {
        self.shared = shared
        self.database = database
        self.control = control
        self.key = key
        self.clock = clock
        self.algorithm = algorithm
    }

    public static let migrations = [
        Migration(
            "evidence/001-chain",
            [
                """
                CREATE TABLE evidence (seq INTEGER PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
                resource TEXT NOT NULL, outcome TEXT NOT NULL, body TEXT NOT NULL, algorithm TEXT NOT NULL, hash BLOB NOT NULL)
                """,
                "CREATE INDEX evidence_resource ON evidence (resource, seq)",
                "CREATE INDEX evidence_actor ON evidence (actor, seq)",
                """
                CREATE TABLE evidence_intervals (first_seq BIGINT PRIMARY KEY, last_seq BIGINT NOT NULL, closed_at BIGINT NOT NULL,
                root BLOB NOT NULL, algorithm TEXT NOT NULL, signature BLOB NOT NULL, signature_algorithm TEXT NOT NULL,
                public_key BLOB NOT NULL)
                """,
            ]
        ),
        Migration(
            "evidence/002-chains",
            [
                "CREATE TABLE evidence_chains (chain BIGINT PRIMARY KEY, holder TEXT NOT NULL)",
                "CREATE INDEX evidence_at ON evidence (at, seq)",
            ]
        ),
    ]

    /// The chain that a record belongs to, and its number there, as people read it: `12`, or `2-12` of a further chain.
    public static func name(_ sequence: Int64) -> String {
        let chain = sequence / chainLength
        return chain == 0 ? String(sequence) : "\(chain)-\(sequence % chainLength)"
    }

    func open() async throws {
        let chain = try await claim()
        let start = chain * EvidenceChain.chainLength
        let range: [SQLValue] = [.integer(start), .integer(start + EvidenceChain.chainLength)]
        let (last, interval) = try await database.read { db in
            (
                try db.row("SELECT seq, hash FROM evidence WHERE seq > ? AND seq < ? ORDER BY seq DESC LIMIT 1", range),
                try db.row("SELECT max(last_seq) FROM evidence_intervals WHERE last_seq > ? AND last_seq < ?", range)?
                    .optionalInteger(0)
            )
        }
        state.withLock {
            $0.chain = chain
            $0.isDoubtful = false
            $0.head = last?.blob(1) ?? []
            $0.next = (last?.integer(0) ?? start) + 1
            $0.lastInterval = interval ?? start
        }
    }

    /// The first chain that no living process writes; a new one where all are taken.
    private func claim() async throws -> Int64 {
        guard let shared else { return 0 }
        let living = try await shared.connected()
        return try await database.write { db in
            let chains = try db.rows("SELECT chain, holder FROM evidence_chains ORDER BY chain")
            let free = chains.first { !living.contains($0.text(1)) || $0.text(1) == shared.process }
            let chain = free?.integer(0) ?? Int64(chains.count)
            try db.execute(
                "INSERT INTO evidence_chains (chain, holder) VALUES (?, ?) ON CONFLICT (chain) DO UPDATE SET holder = excluded.holder",
                [.integer(chain), .text(shared.process)]
            )
            return chain
        }
    }

    /// The numbers of all chains.
    private func chains() async throws -> [Int64] {
        guard shared != nil else { return [0] }
        return try await database.read { db in
            try db.rows("SELECT chain FROM evidence_chains ORDER BY chain").map { $0.integer(0) }
        }
    }

    // MARK: Appending

    /// Appends a record; durable when it returns.
    public func append(_ entry: EvidenceEntry) async throws {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            state.withLock { $0.waiting.append((entry, done)) }
            Task { await drain() }
        }
    }

    /// Takes a record that may be written a little later, with the next durable one or the next flush.
    public func enqueue(_ entry: EvidenceEntry) {
        state.withLock { $0.waiting.append((entry, nil)) }
    }

    /// Writes what is waiting, after what is being written. Records that cannot be written stay for the next try.
    public func flush() async throws {
        while state.withLock({ $0.isWriting }) { try await Task.sleep(for: .milliseconds(1)) }
        await drain()
    }

    private func drain() async {
        while true {
            let taken: [(entry: EvidenceEntry, done: CheckedContinuation<Void, any Error>?)]? = state.withLock {
                state in
                guard !state.isWriting, !state.waiting.isEmpty else { return nil }
                state.isWriting = true
                defer { state.waiting = [] }
                return state.waiting
            }
            guard let taken else { return }
            do {
                try await write(taken.map(\.entry))
                state.withLock { $0.isWriting = false }
                for item in taken { item.done?.resume() }
            } catch {
                // Records nobody waits for are kept for the next try; the others answer with the failure.
                let late = state.withLock { state in
                    state.isWriting = false
                    let late = state.waiting.compactMap(\.done)
                    state.waiting = (taken + state.waiting).filter { $0.done == nil }
                    return late
                }
                for item in taken { item.done?.resume(throwing: error) }
                for done in late { done.resume(throwing: error) }
                return
            }
        }
    }

    private func write(_ entries: [EvidenceEntry]) async throws {
        if state.withLock(\.isDoubtful) { try await open() }
        let isWritten: Bool
        do { isWritten = try await append(entries) } catch {
            // Whether it came through is not known: the chain's end is read again before the next record.
            if shared != nil { state.withLock { $0.isDoubtful = true } }
            throw error
        }
        // A process that was taken for dead lost its chain to another: it goes on with one of its own.
        if !isWritten {
            try await open()
            guard try await append(entries) else {
                throw Problem(
                    "store.busy",
                    status: 503,
                    zh: "数据库正忙，请稍后重试。",
                    en: "The database is busy; try again shortly."
                )
            }
        }
    }

    /// Whether the chain was still this process's.
    private func append(_ entries: [EvidenceEntry]) async throws -> Bool {
        let (start, first, chain) = state.withLock { ($0.head, $0.next, $0.chain) }
        var head = start
        var rows: [[SQLValue]] = []
        for (offset, entry) in entries.enumerated() {
            let body = entry.canonical
            head = Digest(algorithm, of: head + Array(body.utf8)).bytes
            rows.append([
                .integer(first + Int64(offset)), .integer(entry.at), .text(entry.actor), .text(entry.action),
                .text(entry.resource),
                .text(entry.outcome), .text(body), .text(algorithm.rawValue), .blob(head),
            ])
        }
        let values = rows
        let holder = shared?.process
        let isOwn = try await database.write { db in
            if let holder {
                guard try EvidenceChain.isHeld(chain, by: holder, db) else { return false }
            }
            for row in values { try db.execute("INSERT INTO evidence VALUES (?,?,?,?,?,?,?,?,?)", row) }
            return true
        }
        guard isOwn else { return false }
        let newHead = head
        state.withLock {
            $0.head = newHead
            $0.next = first + Int64(values.count)
        }
        return true
    }

    /// Whether a chain is a process's: asked by a write, so that who takes it over and who goes on with it exclude each other.
    private static func isHeld(_ chain: Int64, by holder: String, _ db: any SQLWriting) throws -> Bool {
        try db.execute(
            "UPDATE evidence_chains SET holder = holder WHERE chain = ? AND holder = ?",
            [.integer(chain), .text(holder)]
        ) == 1
    }

    // MARK: Sealing

    /// Closes the interval since the last one with a Merkle root signed by the node's key; nothing where there is nothing new.
    public func seal() async throws {
        try await flush()
        if state.withLock(\.isDoubtful) { try await open() }
        let (from, chain) = state.withLock { ($0.lastInterval + 1, $0.chain) }
        let end = (chain + 1) * EvidenceChain.chainLength
        let hashes = try await database.read { db in
            try db.rows(
                "SELECT seq, hash FROM evidence WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT 100000",
                [.integer(from), .integer(end)]
            )
        }
        guard let last = hashes.last?.integer(0) else { return }
        // A chain that lost seals, or was altered since the last one, is not signed.
        if let fault = try await verify(chain, after: from - 1).fault {
            throw Problem(
                "evidence.unsound",
                status: 500,
                zh: "存证链不完整，不予封存：\(fault.zh)。",
                en: "The chain is not sound and is not sealed: \(fault.en)."
            )
        }
        let root = Merkle.root(hashes.map { $0.blob(1) }, algorithm)
        let message = EvidenceChain.sealed(first: from, last: last, root: root)
        let signature = try key.sign(message)
        let now = clock.now()
        let publicKey = key.publicBytes
        let values: [SQLValue] = [
            .integer(from), .integer(last), .integer(now), .blob(root), .text(algorithm.rawValue), .blob(signature),
            .text(key.algorithm.rawValue), .blob(publicKey),
        ]
        let holder = shared?.process
        do {
            let isOwn = try await database.write { db in
                if let holder, try !EvidenceChain.isHeld(chain, by: holder, db) { return false }
                try db.execute("INSERT INTO evidence_intervals VALUES (?,?,?,?,?,?,?,?)", values)
                return true
            }
            guard isOwn else { return try await open() }
        } catch {
            if shared != nil { state.withLock { $0.isDoubtful = true } }
            throw error
        }
        try await anchor(chain, last, root)
        state.withLock { $0.lastInterval = last }
    }

    private static func anchorName(_ chain: Int64) -> String {
        chain == 0 ? "evidence.anchor" : "evidence.anchor.\(chain)"
    }

    private func anchor(_ chain: Int64, _ last: Int64, _ root: [UInt8]) async throws {
        let value = "\(last):\(Hexadecimal.text(root))"
        try await control.write { db in
            try db.execute(
                "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                [.text(EvidenceChain.anchorName(chain)), .text(value)]
            )
        }
    }

    /// Whether the seal written down in the control database is among the chain's own.
    private func anchorFault(_ chain: Int64) async throws -> LocalizedText? {
        let anchor = try await control.read {
            try $0.row(
                "SELECT value FROM settings WHERE name = ?",
                [.text(EvidenceChain.anchorName(chain))]
            )?.text(0)
        }
        guard let anchor else { return nil }
        let parts = anchor.split(separator: ":").map(String.init)
        guard parts.count == 2, let last = Int64(parts[0]), let root = Hexadecimal.bytes(parts[1]) else { return nil }
        let found = try await database.read {
            try $0.row("SELECT root FROM evidence_intervals WHERE last_seq = ?", [.integer(last)])?.blob(0)
        }
        return found == root
            ? nil
            : .init(
                "控制库记载的封存(至第 \(last) 条)在存证库中缺失",
                "the seal up to record \(last), noted in the control database, is missing"
            )
    }

    static func sealed(first: Int64, last: Int64, root: [UInt8]) -> [UInt8] {
        Array("tongqu-evidence:\(first)-\(last):\(Hexadecimal.text(root))".utf8)
    }

    // MARK: Verifying

    /// Recomputes every hash, root and signature of every chain.
    public func verify() async throws -> EvidenceVerdict {
        var verdict = EvidenceVerdict()
        for chain in try await chains() {
            let part = try await verify(chain, after: chain * EvidenceChain.chainLength)
            verdict.records += part.records
            verdict.intervals += part.intervals
            verdict.unsealed += part.unsealed
            verdict.fault = verdict.fault ?? part.fault
        }
        return verdict
    }

    /// Recomputes what follows a record of a chain.
    private func verify(_ chain: Int64, after start: Int64) async throws -> EvidenceVerdict {
        let end = (chain + 1) * EvidenceChain.chainLength
        var verdict = EvidenceVerdict()
        var at = start
        var head = try await database.read { db in
            try db.row("SELECT hash FROM evidence WHERE seq = ?", [.integer(start)])?.blob(0) ?? []
        }
        let intervals = try await database.read { db in
            try db.rows(
                "SELECT first_seq, last_seq, root, algorithm, signature, signature_algorithm, public_key FROM evidence_intervals WHERE first_seq > ? AND first_seq < ? ORDER BY first_seq",
                [.integer(start), .integer(end)]
            )
        }
        var open = intervals[...]
        var leaves: [[UInt8]] = []
        while true {
            let from = at
            let rows = try await database.read { db in
                try db.rows(
                    "SELECT seq, body, algorithm, hash, at, actor, action, resource, outcome FROM evidence WHERE seq > ? AND seq < ? ORDER BY seq LIMIT 5000",
                    [.integer(from), .integer(end)]
                )
            }
            if rows.isEmpty { break }
            for row in rows {
                let seq = row.integer(0)
                guard seq == at + 1 else {
                    verdict.fault = .init(
                        "第 \(EvidenceChain.name(at + 1)) 条记录缺失",
                        "record \(EvidenceChain.name(at + 1)) is missing"
                    )
                    return verdict
                }
                guard let algorithm = DigestAlgorithm(rawValue: row.text(2)) else {
                    verdict.fault = .init(
                        "第 \(EvidenceChain.name(seq)) 条记录的摘要算法无法识别",
                        "record \(EvidenceChain.name(seq)) names an unknown digest"
                    )
                    return verdict
                }
                head = Digest(algorithm, of: head + Array(row.text(1).utf8)).bytes
                guard head == row.blob(3) else {
                    verdict.fault = .init(
                        "第 \(EvidenceChain.name(seq)) 条记录被改动",
                        "record \(EvidenceChain.name(seq)) was altered"
                    )
                    return verdict
                }
                // What lists and filters show must be what was hashed.
                let body = try JSONValue(text: row.text(1))
                guard body["at"]?.integer == row.integer(4), body["actor"]?.string == row.text(5),
                    body["action"]?.string == row.text(6),
                    body["resource"]?.string == row.text(7), body["outcome"]?.string == row.text(8)
                else {
                    verdict.fault = .init(
                        "第 \(EvidenceChain.name(seq)) 条记录的检索栏与内容不符",
                        "the columns of record \(EvidenceChain.name(seq)) do not agree with its body"
                    )
                    return verdict
                }
                at = seq
                verdict.records += 1
                leaves.append(head)
                if let interval = open.first, interval.integer(1) == seq {
                    if let fault = EvidenceChain.fault(interval, leaves, key) {
                        verdict.fault = fault
                        return verdict
                    }
                    open = open.dropFirst()
                    leaves = []
                    verdict.intervals += 1
                }
            }
        }
        if let missing = open.first {
            verdict.fault = .init("已封存的第 \(missing.integer(1)) 条记录缺失", "sealed record \(missing.integer(1)) is missing")
        }
        verdict.unsealed = leaves.count
        if verdict.fault == nil { verdict.fault = try await anchorFault(chain) }
        return verdict
    }

    static func fault(_ interval: SQLRow, _ leaves: [[UInt8]], _ key: NodeKey) -> LocalizedText? {
        let name = "\(interval.integer(0))–\(interval.integer(1))"
        guard let algorithm = DigestAlgorithm(rawValue: interval.text(3)),
            Merkle.root(leaves, algorithm) == interval.blob(2)
        else {
            return .init("区间 \(name) 的根摘要不符", "the root of interval \(name) does not fit")
        }
        // The signer must be this node: a forged chain would bring a key of its own.
        guard interval.blob(6) == key.publicBytes,
            key.verify(
                interval.blob(4),
                sealed(first: interval.integer(0), last: interval.integer(1), root: interval.blob(2))
            )
        else { return .init("区间 \(name) 的签名无效", "the signature of interval \(name) is not valid") }
        return nil
    }

    /// The latest records, newest first, before a sequence number.
    func recent(before: Int64?, resource: String?, actor: String?, limit: Int) async throws -> [SQLRow] {
        try await flush()
        // One chain is in the order of its numbers; several are in that of time.
        let isOne = shared == nil
        var sql = "SELECT seq, at, actor, action, resource, outcome, body, hash FROM evidence WHERE "
        var values: [SQLValue] = [.integer(before ?? .max)]
        if isOne {
            sql += "seq < ?"
        } else if let before {
            sql += "(at, seq) < ((SELECT at FROM evidence WHERE seq = ?), ?)"
            values.append(.integer(before))
        } else {
            sql += "seq < ?"
        }
        if let resource, !resource.isEmpty {
            sql += " AND resource = ?"
            values.append(.text(resource))
        }
        if let actor, !actor.isEmpty {
            sql += " AND actor = ?"
            values.append(.text(actor))
        }
        let (text, bound) = (sql + " ORDER BY \(isOne ? "seq DESC" : "at DESC, seq DESC") LIMIT \(limit)", values)
        return try await database.read { db in try db.rows(text, bound) }
    }
}

/// Merkle trees: leaves and nodes hashed with different first bytes, so that neither passes for the other (RFC 6962).
enum Merkle {
    static func root(_ leaves: [[UInt8]], _ algorithm: DigestAlgorithm) -> [UInt8] {
        var level = leaves.map { Digest(algorithm, of: [0] + $0).bytes }
        guard !level.isEmpty else { return Digest(algorithm, of: []).bytes }
        while level.count > 1 {
            level = stride(from: 0, to: level.count, by: 2).map { index in
                index + 1 < level.count
                    ? Digest(algorithm, of: [1] + level[index] + level[index + 1]).bytes : level[index]
            }
        }
        return level[0]
    }
}
