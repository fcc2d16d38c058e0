public import Basics
import FeedbackSystem
import Flow
import Foundation
import Kernel
import Lake
import Open
import Store
import Tabular
import Web

/// The packs that every node has: they come with the program and are brought up to date when it starts.
public enum BundledPacks {
    /// In the order in which they go in.
    static let all: [(id: String, declaration: [UInt8])] = [("feedback", FeedbackSystem.declaration)]

    public static func has(_ id: String) -> Bool { all.contains { $0.id == id } }

    /// - Throws: `pack.bundled` for a pack that comes with the program.
    public static func checkRemoval(of id: String) throws(Problem) {
        guard has(id) else { return }
        throw Problem(
            "pack.bundled",
            status: 409,
            zh: "“\(id)”随程序提供，每个节点都有，不能移除。",
            en: "“\(id)” comes with the program; every node has it, and it is not removed.",
            hint: .init("可在授权中收回其角色的权限。", "Rights are taken away by changing who has its roles.")
        )
    }

    /// Installs them, or brings them up to date; a node that has them as they are is only read.
    static func install(_ node: Node) async throws {
        let systems = node.services.flows.systems
        var changed: [(id: String, text: String)] = []
        for (id, declaration) in all {
            let text = String(decoding: declaration, as: UTF8.self)
            if try await systems.digest(of: id) != Pack.body(bundled: text, id).digest { changed.append((id, text)) }
        }
        if !changed.isEmpty {
            let machine = try await SystemPacks.machine(node)
            let waiting = changed
            try await systems.installing {
                for (id, text) in waiting {
                    let surroundings = try await SystemPacks.surroundings(node, except: id)
                    let pack = try Pack(bundled: text, id, in: surroundings)
                    var installer = PackInstaller(node, machine: machine, password: "")
                    do { try await installer.install(system: pack) } catch let problem as Problem
                        where !problem.code.hasPrefix("store.")
                    {
                        // A later release was here, or a pack of the data centre's own has the name: what is there stays, and the node opens.
                    }
                }
            }
        }
        try await FeedbackRecords.takeOver(node)
    }
}

/// Remarks of the public on their way into the pack.
enum FeedbackRecords {
    /// The pack's resource.
    static let resource = "public_feedback"

    /// Takes over what an earlier release kept, a remark after the other: each is there before it goes from where it was, and one that is
    /// there already is not made again.
    static func takeOver(_ node: Node) async throws {
        let control = node.kernel.databases.control
        guard try await !control.read({ try FormerFeedback.first(1, after: 0, $0) }).isEmpty,
            let place = try await node.services.flows.systems.place(key: resource)
        else { return }
        let records = try await node.kernel.resource(place.code)
        let machine = try await SystemPacks.machine(node)
        try await node.services.flows.systems.installing {
            var last: Int64 = 0
            while true {
                let after = last
                let remarks = try await control.read { try FormerFeedback.first(100, after: after, $0) }
                for remark in remarks {
                    last = remark.id
                    do {
                        try await take(remark, place, records, node, machine)
                        try await control.write { try FormerFeedback.remove(remark.id, $0) }
                    } catch let problem as Problem where !problem.code.hasPrefix("store.") {
                        // What the pack's rules refuse stays where it was and keeps neither the others nor the node.
                    }
                }
                if remarks.count < 100 { break }
            }
        }
    }

    private static func take(
        _ remark: FormerFeedback,
        _ place: SystemPlace,
        _ records: Resource,
        _ node: Node,
        _ machine: Caller
    ) async throws {
        let number = "FK-\(remark.id)"
        let (known, state): (Int64?, String?) = try await node.kernel.databases.records.read { db in
            let known = try node.lake.record(where: "number", is: number, in: records, db)
            return (known, try known.map { try node.lake.texts(of: $0, in: records, nil, db)["state"] ?? "" })
        }
        let step = node.services.flows.step
        let record: Int64
        if let known {
            record = known
        } else {
            let request = StepRequest(
                place.code,
                step: "take_over",
                values: [
                    "number": number, "entry": remark.code, "kind": remark.kind, "text": remark.text,
                    "contact": remark.contact, "sent": CivilTime.timestamp(remark.at),
                ]
            )
            record = try await Flows.$moment.withValue(remark.at) {
                try await node.kernel.gate.perform(step, request, as: machine).record
            }
        }
        // A stop between the two left it waiting.
        guard let answeredAt = remark.answeredAt, state ?? "waiting" == "waiting" else { return }
        var values = ["answered": CivilTime.timestamp(answeredAt)]
        if let person = remark.answeredBy {
            values["answered_by"] = try await node.kernel.accounts.find(PrincipalID(person))?.name ?? ""
        }
        if let answer = remark.answer { values["answer"] = answer }
        let request = StepRequest(
            place.code,
            record: record,
            step: remark.answer == nil ? "take_over_aside" : "take_over_answer",
            values: values
        )
        _ = try await Flows.$moment.withValue(answeredAt) {
            try await node.kernel.gate.perform(step, request, as: machine)
        }
    }
}
