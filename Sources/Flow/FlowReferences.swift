import Basics
import Kernel
import Lake
import Store

extension Flows {
    /// Whether what a step is given is there where its fields refer to. What the record has already, what steps set by themselves, and
    /// references to resources that the node has not, are not asked.
    ///
    /// - Throws: `flow.reference`, naming the field and the resource.
    func checkReferences(
        _ request: StepRequest,
        _ declared: ResourceDeclaration,
        _ resource: Resource
    ) async throws {
        for reference in declared.references where reference.isEnforced {
            guard let text = request.values[reference.field], !TextForms.isBlank(text),
                let place = try await systems.place(key: reference.resource)
            else { continue }
            let value = TextForms.trimmed(text)
            let other = try await kernel.resource(place.code)
            guard try await lake.has(value, in: reference.referenced, of: other) == false else { continue }
            if let record = request.record {
                let kept = try await kernel.databases.records.read { db in
                    try self.lake.texts(of: record, in: resource, nil, db)[reference.field]
                }
                if kept == value { continue }
            }
            let title = declared.field(reference.field)
            let name = place.declaration
            throw Problem(
                "flow.reference",
                status: 422,
                zh:
                    "“\(title.map { declared.label($0, .zh) } ?? reference.field)”所填的值在“\(name.title(.zh))”中不存在。",
                en:
                    "What is given as “\(title.map { declared.label($0, .en) } ?? reference.field)” is not in “\(name.title(.en))”.",
                details: [reference.field: "reference"],
                hint: .init("请从列表中选取，或先在该资源中登记。", "Choose one from the list, or register it there first.")
            )
        }
    }
}
