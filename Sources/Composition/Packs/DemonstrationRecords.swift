import Web
import Basics
import Declare
import Flow
import Foundation
import Kernel

/// The records that a pack shows in a demonstration: made by its people, step by step, as anybody's are.
enum DemonstrationRecords {
    /// Notes what cannot be in a demonstration.
    static func check(_ place: Declaration, _ system: SystemDeclaration, _ others: [String: ResourceDeclaration]) {
        guard let demonstration = place.at("demonstration") else { return }
        demonstration.allow(["provider", "accounts", "records"])
        for record in demonstration.list("records") {
            record.allow(["resource", "as", "step", "values", "note", "then"])
            let key = record.text("resource", required: true)
            guard let resource = system.resource(key) ?? others[key] else {
                record.at("resource")?.unknown(.init("资源", "resource"), key, among: system.resources.map(\.key))
                continue
            }
            checkStep(record, resource, begins: true)
            for next in record.list("then") {
                next.allow(["as", "step", "values", "note", "days"])
                checkStep(next, resource, begins: false)
            }
        }
    }

    private static func checkStep(_ place: Declaration, _ resource: ResourceDeclaration, begins: Bool) {
        let key = place.text("step", required: true)
        _ = place.text("as", required: true)
        let steps = (resource.flow?.steps ?? []).filter { $0.isBeginning == begins }
        guard let step = steps.first(where: { $0.key == key }) else {
            place.at("step")?.unknown(.init("步骤", "step"), key, among: steps.map(\.key))
            return
        }
        for (name, item) in place.at("values")?.members ?? []
        where !step.fields.contains(where: { $0.field == name }) {
            item.unknown(.init("该步骤填写的字段", "field that the step asks for"), name, among: step.fields.map(\.field))
        }
    }

    /// Makes the records. Steps of some days later are taken by a clock that stands so much further.
    static func install(_ pack: Pack, _ installer: inout PackInstaller) async throws {
        guard let demonstration = pack.body["demonstration"] else { return }
        try await installer.addPeople(demonstration)
        let systems = installer.node.services.flows.systems
        for (index, item) in (demonstration["records"]?.array ?? []).enumerated() {
            let key = item["resource"]?.string ?? ""
            guard let place = try await systems.place(key: key) else { continue }
            var record: Int64?
            // The last step is of today; those before it lie so many days back.
            let steps = [item] + (item["then"]?.array ?? [])
            var ago = steps.reduce(0) { $0 + ($1["days"]?.integer ?? 0) }
            for (step, taken) in steps.enumerated() {
                ago -= taken["days"]?.integer ?? 0
                let moment = installer.node.kernel.clock.now() - ago * 86_400_000_000
                do {
                    record = try await Flows.$moment.withValue(moment) { [record, installer] in
                        try await take(taken, place, record, installer)
                    }
                } catch let problem as Problem {
                    throw Pack.invalid(
                        pack.folder.appendingPathComponent("pack.yaml"),
                        "demonstration.records.\(index + 1).\(step == 0 ? "" : "then.\(step).")\(taken["step"]?.string ?? ""): \(problem.message.en)",
                        problem.message.zh,
                        problem.message.en
                    )
                }
            }
        }
    }

    private static func take(
        _ item: JSONValue,
        _ place: SystemPlace,
        _ record: Int64?,
        _ installer: PackInstaller
    ) async throws -> Int64 {
        let values = Dictionary(
            (item["values"]?.members ?? []).map { ($0.name, $0.value.string ?? $0.value.text) },
            uniquingKeysWith: { first, _ in first }
        )
        let request = StepRequest(
            place.code,
            record: record,
            step: item["step"]?.string ?? "",
            values: values,
            note: item["note"]?.string ?? ""
        )
        let caller = try await installer.caller(item["as"]?.string)
        return try await installer.gate.perform(installer.node.services.flows.step, request, as: caller).record
    }
}
