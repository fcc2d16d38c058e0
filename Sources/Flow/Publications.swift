import Basics
import CQL
public import Kernel
import Lake
import Mask
import Store
public import Tabular

/// What somebody looks for among what a system publishes.
public struct PublishedQuery: Sendable {
    public var system: String
    public var resource: String
    /// A part of a text that is shown unmasked.
    public var word: String
    /// Values of fields that are shown unmasked.
    public var matches: [String: String] = [:]
    /// The record that the page before ended with.
    public var before: Int64?
    public var limit: Int

    public init(_ system: String, _ resource: String, word: String = "", before: Int64? = nil, limit: Int = 20) {
        self.system = system
        self.resource = resource
        self.word = String(word.prefix(100))
        self.before = before
        self.limit = max(1, min(limit, 1000))
    }
}

/// Records as everybody may see them, the newest first.
public struct PublishedPage: Sendable {
    public var place: SystemPlace
    public var publication: PublicationDeclaration
    /// The fields that are shown, in the order of the rule.
    public var fields: [Field]
    public var records: [Int64]
    /// Texts of the fields, masked as the rule says; a row for each record.
    public var rows: [[String]]
    /// Where the next page begins.
    public var next: Int64?
}

extension Flows {
    static let publishedDescriptor = ActionDescriptor(
        "flow.published",
        .catalogueRead,
        .read,
        isPublic: true,
        zh: "查看公示",
        en: "read what is published by rule"
    )

    static let publishedOfDescriptor = ActionDescriptor(
        "flow.published_of",
        .catalogueRead,
        .view,
        isPublic: true,
        zh: "查看与条目有关的公示",
        en: "read what is published about an entry"
    )

    /// What a rule lets everybody see now. The rule is asked each time: nothing is shown before it holds nor after its end.
    public var published: Action<PublishedQuery, PublishedPage> {
        Action(Self.publishedDescriptor) { [self] query, decision in
            let page = try await page(query, decision.caller)
            decision.note("published", page.place.code)
            return page
        }
    }

    /// The same as a part of another page, which is counted for itself.
    public var publishedOf: Action<PublishedQuery, PublishedPage> {
        Action(Self.publishedOfDescriptor) { [self] query, decision in try await page(query, decision.caller) }
    }

    private func page(_ query: PublishedQuery, _ caller: Caller) async throws -> PublishedPage {
        let place = try await systems.place(query.system, query.resource)
        guard let rule = place.system.declaration.publications.first(where: { $0.resource == place.declaration.key })
        else { throw Problem.notFound(.init("公示", "the publication")) }
        let resource = try await kernel.resource(place.code)
        let names = rule.fields.map(\.field)
        let needed = rule.fields.flatMap { shown in
            RuleText(shown.masked).fields(of: resource.schema) ?? []
        }
        let entries = place.declaration.entryFields
        let conditions = try conditions(rule, place, query.word) + matching(query.matches, rule)
        let pieces = try await pieces(
            of: resource,
            conditions,
            Set(names + needed + entries),
            entries,
            caller,
            before: query.before,
            limit: query.limit + 1
        )
        var page = PublishedPage(
            place: place,
            publication: rule,
            fields: names.compactMap { place.declaration.field($0) },
            records: [],
            rows: [],
            next: nil
        )
        for (ids, batch) in pieces.found {
            page.records += ids
            page.rows += try rows(rule, place, page.fields, batch)
        }
        if page.records.count > query.limit {
            page.records.removeLast(page.records.count - query.limit)
            page.rows.removeLast(page.rows.count - query.limit)
            page.next = page.records.last
        } else if let more = pieces.more {
            page.next = more
        }
        return page
    }

    /// What is asked for by its value; what is masked is not looked for.
    private func matching(
        _ matches: [String: String],
        _ rule: PublicationDeclaration
    ) throws(Problem) -> [CQL.Expression] {
        var conditions: [CQL.Expression] = []
        for (name, value) in matches.sorted(by: { $0.key < $1.key }) {
            guard rule.fields.contains(where: { $0.field == name && $0.mask == nil }) else {
                throw Problem(
                    "query.field",
                    zh: "没有字段“\(name)”，或无权查看。",
                    en: "There is no field “\(name)”, or you may not see it."
                )
            }
            conditions.append(.compare(.equal, .property(name), .literal(.text(value))))
        }
        return conditions
    }

    /// The rows of a piece whose entries of the catalogue somebody may see: what is said of an entry is shown where the entry is.
    private func seen(
        _ ids: [Int64],
        _ batch: Batch,
        _ entries: [String],
        _ caller: Caller
    ) async throws -> ([Int64], Batch) {
        var kept = (0..<Int32(batch.count)).map { $0 }
        var known: [String: Bool] = ["": true]
        for name in entries {
            guard let index = batch.index(name) else { continue }
            var next: [Int32] = []
            for row in kept {
                let code = batch.value(Int(row), index).text
                if known[code] == nil { known[code] = try await isEntrySeen(code, by: caller) }
                if known[code] == true { next.append(row) }
            }
            kept = next
        }
        guard kept.count < batch.count else { return (ids, batch) }
        return (
            kept.map { ids[Int($0)] },
            Batch(fields: batch.fields, columns: batch.columns.map { $0.taking(kept) }, count: kept.count)
        )
    }

    /// Reads until there are as many as are asked for: of what memory decides, a piece may hold few.
    private func pieces(
        of resource: Resource,
        _ conditions: [CQL.Expression],
        _ names: Set<String>,
        _ entries: [String],
        _ caller: Caller,
        before: Int64?,
        limit: Int
    ) async throws -> (found: [([Int64], Batch)], more: Int64?) {
        var found: [([Int64], Batch)] = []
        var count = 0
        var place = before
        // So many rows are looked at for a page at the most.
        for _ in 0..<20 {
            let (start, left) = (place, limit - count)
            let (ids, batch, last) = try await kernel.databases.records.read { db in
                try self.lake.rows(
                    of: resource,
                    fitting: conditions,
                    fields: names.sorted(),
                    after: start,
                    descending: true,
                    limit: left,
                    db
                )
            }
            let (kept, rows) = try await seen(ids, batch, entries, caller)
            found.append((kept, rows))
            count += kept.count
            guard let last else { return (found, nil) }
            if count >= limit { return (found, last) }
            place = last
        }
        return (found, place)
    }

    private func conditions(
        _ rule: PublicationDeclaration,
        _ place: SystemPlace,
        _ word: String
    ) throws -> [CQL.Expression] {
        let today = CivilTime.chinaDay(microseconds: kernel.clock.now())
        guard
            let when = try RuleText(rule.when).condition(
                of: place.declaration.schema,
                today: today,
                setting: place.system.setting
            )
        else {
            throw Problem.notFound(.init("公示", "the publication"))
        }
        var conditions = [when]
        if let end = rule.until, let field = place.declaration.field(end.field) {
            let first = Self.firstDay(shown: end, today: today, place.system)
            conditions.append(
                try CQL.Expression(
                    either: field.type == .date
                        ? "\"\(end.field)\" >= DATE('\(CivilTime.date(first))')"
                        : "\"\(end.field)\" >= TIMESTAMP('\(CivilTime.date(first))T00:00:00+08:00')"
                )
            )
        }
        let looked = TextForms.trimmed(TextForms.visible(word))
        if !looked.isEmpty {
            let escaped = looked.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
            // What is masked is not looked for: finding would tell what the mask hides.
            let fields = rule.fields.filter { shown in
                shown.mask == nil && place.declaration.field(shown.field)?.type == .text
            }
            let likes = fields.map {
                CQL.Expression.like(.property($0.field), .literal(.text("%\(escaped)%")))
            }
            conditions.append(likes.count == 1 ? likes[0] : likes.isEmpty ? .literal(.boolean(false)) : .or(likes))
        }
        return conditions
    }

    /// The first day that a record's field may hold for it to be shown today: the end of its term is not before today.
    static func firstDay(shown end: PublicationDeclaration.End, today: Int32, _ system: InstalledSystem) -> Int32 {
        let months: Int
        switch end.months {
        case nil: return today
        case .number(let number): months = number
        case .setting(let key): months = min(max(1, Int(system.setting(key)) ?? 1), 1200)
        // A term of a field's length is refused when the pack is read.
        case .field: return today
        }
        let clock = FlowClock(
            key: "",
            title: .init("", ""),
            length: .number(months),
            unit: .months,
            from: "",
            warn: nil,
            law: "",
            step: "",
            holidays: .keep
        )
        let (year, month, day) = CivilTime.civil(days: today)
        let index = year * 12 + month - 1 - months
        let (ofYear, inYear) = (index / 12, index % 12 + 1)
        var first = CivilTime.days(
            year: ofYear,
            month: inYear,
            day: min(day, CivilTime.daysInMonth(year: ofYear, month: inYear))
        )
        func last(_ day: Int32) -> Int32 {
            FlowClock.day(
                of: clock.due(from: CivilTime.chinaMidnight(day: day), length: months, WorkingCalendar(exceptions: [:]))
            )
        }
        while last(first - 1) >= today { first -= 1 }
        while last(first) < today { first += 1 }
        return first
    }

    /// Texts of rows, masked as the rule says.
    private func rows(
        _ rule: PublicationDeclaration,
        _ place: SystemPlace,
        _ fields: [Field],
        _ batch: Batch
    ) throws -> [[String]] {
        guard batch.count > 0 else { return [] }
        let today = CivilTime.chinaDay(microseconds: kernel.clock.now())
        var columns: [[String]] = []
        for (shown, field) in zip(rule.fields, fields) {
            guard let index = batch.index(field.name) else {
                columns.append(Array(repeating: "", count: batch.count))
                continue
            }
            var plain = Batch(fields: [batch.fields[index]], columns: [batch.columns[index]], count: batch.count)
            var texts = (0..<batch.count).map { plain.value($0, 0).text }
            if let mask = shown.mask {
                // Where a record may go unmasked, that must be certain.
                var isMasked = Array(repeating: true, count: batch.count)
                if let condition = try RuleText(shown.masked).condition(
                    of: place.declaration.schema,
                    today: today,
                    setting: place.system.setting
                ) {
                    let bound = try? BoundExpression(predicate: condition, fields: batch.fields)
                    isMasked = bound?.evaluate(batch).map { $0 != .no } ?? isMasked
                }
                plain.columns[0] = mask.apply(plain.columns[0], field: plain.fields[0])
                for row in texts.indices where isMasked[row] { texts[row] = plain.value(row, 0).text }
            }
            columns.append(texts)
        }
        return (0..<batch.count).map { row in columns.map { $0[row] } }
    }
}
