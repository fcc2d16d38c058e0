import CQL
import Flow
import Kernel
import Lake
import Tabular

/// What stands behind the keys of other resources: the name of each row, where the reader may read it.
struct ReferenceLabels {
    struct Row {
        var label: String
        var link: String
    }

    private var rows: [String: [String: Row]] = [:]

    static let none = ReferenceLabels()

    /// The row that a field's value refers to.
    func row(_ field: String, _ key: String) -> Row? { rows[field]?[key] }

    /// A value with the name of the row it refers to.
    func shown(_ text: String, _ field: String) -> String {
        row(field, text).map { $0.label.isEmpty ? text : "\(text) · \($0.label)" } ?? text
    }

    /// Finds the names of rows: one reading for each resource that is referred to, of all its keys.
    ///
    /// `keys` are the values by the fields that hold them.
    static func read(
        _ declared: ResourceDeclaration,
        _ keys: [String: Set<String>],
        _ web: WebRequest
    ) async throws -> ReferenceLabels {
        var labels = ReferenceLabels()
        let asked = declared.references.filter { !(keys[$0.field] ?? []).subtracting([""]).isEmpty }
        for references in Dictionary(grouping: asked, by: { "\($0.resource)/\($0.referenced)" }).values {
            guard let first = references.first,
                let found = try await rows(
                    first,
                    references.reduce(into: []) { $0.formUnion(keys[$1.field] ?? []) },
                    web
                )
            else { continue }
            for reference in references {
                var mine = found.rows
                // What the reference fills in stands in a field of its own.
                if reference.fills.contains(where: { $0.their == found.label }) {
                    for key in mine.keys { mine[key]?.label = "" }
                }
                labels.rows[reference.field] = mine
            }
        }
        return labels
    }

    /// The rows of some keys; nil where they cannot be found by an index, or the reader may not see what names them.
    private static func rows(
        _ reference: ResourceDeclaration.Reference,
        _ keys: Set<String>,
        _ web: WebRequest
    ) async throws -> (label: String, rows: [String: Row])? {
        guard let place = try await web.services.flows.systems.place(key: reference.resource) else { return nil }
        let other = place.declaration
        let seen = try await RecordPages.visible(place, web)
        guard let label = other.labelField(beside: reference.referenced),
            seen.isSuperset(of: [label, reference.referenced]),
            let field = other.field(reference.referenced),
            field.indexed || field.unique || other.schema.key == [field.name]
        else { return nil }
        let literals = keys.filter { !$0.isEmpty }.sorted().prefix(500).map { key in
            CQL.Expression.literal(reference.literal(key, other))
        }
        var query = RecordQuery(place.code, fields: Array(Set([reference.referenced, label])), limit: literals.count)
        query.condition = .isIn(.property(reference.referenced), Array(literals))
        guard let page = try? await web.perform(web.services.lake.read, query),
            let key = page.batch.schemaIndex(reference.referenced), let name = page.batch.schemaIndex(label)
        else { return nil }
        let rows = (0..<page.batch.count).map { row -> (String, Row) in
            let text = FormText.shown(page.batch.value(row, name).text, other.field(label), web)
            return (
                page.batch.value(row, key).text,
                Row(label: text, link: "\(SystemPages.path(place))/\(page.ids[row])")
            )
        }
        return (label, Dictionary(rows, uniquingKeysWith: { first, _ in first }))
    }

    /// The same for the rows of a list.
    static func read(
        _ declared: ResourceDeclaration,
        _ batch: Batch,
        _ names: [String],
        _ web: WebRequest
    ) async throws -> ReferenceLabels {
        var keys: [String: Set<String>] = [:]
        for name in names where declared.references.contains(where: { $0.field == name }) {
            guard let index = batch.schemaIndex(name) else { continue }
            keys[name] = Set((0..<batch.count).map { batch.value($0, index).text })
        }
        return keys.isEmpty ? .none : try await read(declared, keys, web)
    }
}
