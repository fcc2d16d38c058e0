public import Basics
public import CQL
import Kernel
import Lake
import Synchronization
public import Tabular

/// The Swift of a system, for what a pack cannot say: an algorithm, a protocol. The pack names it; without its pack it does nothing.
public struct SystemCode: Sendable {
    /// What was done, as people read it: a title and a number.
    public struct Figure: Sendable, Hashable {
        public var title: LocalizedText
        public var value: Int64

        public init(_ title: LocalizedText, _ value: Int64) {
            self.title = title
            self.value = value
        }
    }

    /// Work that the pack declares under `work` by the same key.
    public struct Work: Sendable {
        public var key: String
        /// Does it and says what was done. A run that was broken off is run again: it takes up what it finds.
        public var run: @Sendable (SystemDesk) async throws -> [Figure]

        public init(_ key: String, _ run: @escaping @Sendable (SystemDesk) async throws -> [Figure]) {
            self.key = key
            self.run = run
        }
    }

    /// The pack it belongs to.
    public var pack: String
    /// Functions that every expression of the node may call.
    public var functions: [AddedFunction]
    public var work: [Work]

    public init(pack: String, functions: [AddedFunction] = [], work: [Work] = []) {
        self.pack = pack
        self.functions = functions
        self.work = work
    }

    private static let all = Mutex<[String: SystemCode]>([:])

    /// Adds a system's Swift to the program: before a pack is read. The same one again changes nothing.
    ///
    /// - Throws: `cql.function_taken`.
    public static func add(_ code: SystemCode) throws(Problem) {
        for function in code.functions { try AddedFunction.add(function) }
        all.withLock { $0[code.pack] = code }
    }

    static func work(_ key: String, of pack: String) -> Work? {
        all.withLock { $0[pack]?.work.first { $0.key == key } }
    }

    static func work(of pack: String) -> [String] { all.withLock { $0[pack]?.work.map(\.key) ?? [] } }
}

/// Where a system's Swift works: what it reads and the steps it takes pass the gate as the node, and leave evidence like anybody's.
public struct SystemDesk: Sendable {
    let flows: Flows
    let system: InstalledSystem
    let caller: Caller
    /// The day it works on, in China's time.
    public let today: Int32

    /// A setting of the pack.
    public func setting(_ key: String) -> String { system.setting(key) }

    /// Rows of a resource of any pack, in the order of their numbers, so many at a time; `where` is CQL2 over its fields.
    ///
    /// - Throws: `flow.target` where the resource is not installed, `cql.*`, and what the closure throws.
    public func rows(
        of resource: String,
        where condition: String = "",
        fields: [String],
        _ body: (Batch) throws -> Void
    ) async throws {
        var query = RecordQuery(try await place(resource).code, fields: fields, limit: 1000)
        if !condition.isEmpty { query.filter = condition }
        repeat {
            let page = try await flows.kernel.gate.perform(flows.reading.read, query, as: caller)
            try body(page.batch)
            query.cursor = page.next
        } while query.cursor != nil
    }

    /// The number and the values of the one row for which a condition holds; nil where there is none.
    public func record(of resource: String, where condition: String) async throws -> (Int64, [String: String])? {
        let place = try await place(resource)
        var query = RecordQuery(place.code, limit: 1)
        query.filter = condition
        let page = try await flows.kernel.gate.perform(flows.reading.read, query, as: caller)
        guard let id = page.ids.first else { return nil }
        let values = page.batch.fields.indices.map { (page.batch.fields[$0].name, page.batch.value(0, $0).text) }
        return (id, Dictionary(values, uniquingKeysWith: { first, _ in first }))
    }

    /// Takes a step that is the node's (`roles: [clock]`), one that begins where no record is given; the record's number.
    ///
    /// - Throws: `flow.*`, `record.*`, as anybody's step.
    @discardableResult
    public func take(
        _ step: String,
        of resource: String,
        record: Int64? = nil,
        _ values: [String: String]
    ) async throws -> Int64 {
        var request = StepRequest(try await place(resource).code, record: record, step: step)
        request.values = values
        return try await flows.kernel.gate.perform(flows.step, request, as: caller).record
    }

    private func place(_ key: String) async throws -> SystemPlace {
        if let place = try await flows.systems.place(key: key) { return place }
        throw Problem(
            "flow.target",
            status: 409,
            zh: "关联的业务资源“\(key)”未安装，不能在那里办理。",
            en: "The resource “\(key)” is not installed: nothing can be done there."
        )
    }
}
