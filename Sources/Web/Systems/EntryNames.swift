import Basics
import Catalogue
import Codes
import Flow
import Tabular

/// The names of the catalogue's entries that records name, as far as whoever asks may see them.
struct EntryNames: Sendable {
    private let names: [String: String]

    init(_ texts: some Sequence<(field: Field?, text: String)>, _ web: WebRequest) async throws {
        let codes = Set(texts.filter { $0.field?.kind == .catalogueEntry }.map(\.text))
        names =
            codes.isEmpty ? [:] : try await web.services.flows.entryNames(codes, seenBy: web.caller)
    }

    /// Those of a batch of records.
    init(_ batch: Batch, _ web: WebRequest) async throws {
        let columns = batch.fields.indices.filter { batch.fields[$0].kind == .catalogueEntry }
        try await self.init(
            columns.flatMap { column in
                (0..<batch.count).map { (batch.fields[column], batch.value($0, column).text) }
            },
            web
        )
    }

    /// A value as people read it: an entry by its name, with a link.
    func html(_ text: String, _ field: Field?, _ web: WebRequest) -> HTML {
        guard field?.kind == .catalogueEntry, let name = names[text] else {
            return "\(FormText.shown(text, field, web))"
        }
        return "<a href=\"/resources/\(Entry.slug(text))\">\(name)</a>"
    }
}
