import Basics
import CQL
import Declare
import Tabular

// What is settled or looked at when a whole pack was read.

extension ResourceDeclaration {
    /// Fields by which lists of records narrow and sort have an index, though nobody marked them: a list of many records is looked
    /// through by them. Long texts have none; engines refuse them.
    mutating func settleIndexes() {
        guard isOfRecords else { return }
        var names = [flow?.field, titleField].compactMap(\.self) + views.filters
        if !views.sort.isEmpty { names.append(String(views.sort.drop { $0 == "-" })) }
        for saved in views.saved { names += (try? Expression(either: saved.filter))?.properties ?? [] }
        names += (flow?.steps ?? []).map(\.limit.by).filter { !$0.isEmpty }
        for name in names { index(name) }
    }

    /// Marks a field as one that rows are looked for by.
    mutating func index(_ name: String) {
        guard isOfRecords, let place = schema.index(name) else { return }
        let field = schema.fields[place]
        guard field.type != .point, field.type != .geometry, field.type != .file else { return }
        let isShort = !field.codes.isEmpty || field.kind != nil || (field.maximumLength ?? .max) <= 500
        guard field.type != .text || isShort else { return }
        schema.fields[place].indexed = true
    }
}

extension SystemDeclaration {
    /// How many records a step may make one through the other.
    static let longestCreation = 3

    /// Notes steps that make records which make records without an end, or further than a step goes.
    func checkCreations(_ places: [Declaration], _ all: [String: ResourceDeclaration]) {
        for (resource, place) in zip(resources, places) {
            for (step, item) in zip(resource.flow?.steps ?? [], place.at("flow")?.list("steps") ?? []) {
                for (creation, made) in zip(step.create, item.oneOrMore("create")) {
                    guard let way = Self.tooLong(creation, [], all) else { continue }
                    let names = way.joined(separator: " → ")
                    let isCircle = Set(way).count < way.count
                    made.fail(
                        isCircle
                            ? "建立的记录又建立自身：\(names)"
                            : "连续建立的记录超过 \(Self.longestCreation) 层：\(names)",
                        isCircle
                            ? "the records that are made make each other: \(names)"
                            : "more than \(Self.longestCreation) records are made one through the other: \(names)"
                    )
                }
            }
        }
    }

    /// The way of records that make records, where it comes back to itself or is too long.
    private static func tooLong(
        _ creation: FlowStep.Creation,
        _ before: [String],
        _ all: [String: ResourceDeclaration]
    ) -> [String]? {
        let way = before + [creation.place]
        guard !before.contains(creation.place), way.count <= longestCreation else { return way }
        for next in all[creation.resource]?.flow?.step(creation.step)?.create ?? [] {
            if let found = tooLong(next, way, all) { return found }
        }
        return nil
    }

    /// Notes unknown keys in what a pack brings beside its system.
    static func checkContents(_ place: Declaration) {
        for item in place.list("organisations") {
            item.allow(["key", "name", "en", "division", "level", "parent", "credit_code"])
        }
        for item in place.list("accounts") { item.allow(accountKeys) }
        for item in place.at("demonstration")?.list("accounts") ?? [] { item.allow(accountKeys) }
        for item in place.list("feedback") { item.allow(["resource", "kind", "text", "contact", "answer"]) }
        for resource in place.list("resources") {
            for load in resource.list("data") {
                load.allow(["file", "mode"])
                if load.has("mode") { _ = load.choice("mode", LoadWay.replace) }
            }
            let fields = resource.at("schema")?.list("fields").map { $0.text("name") } ?? []
            for (name, item) in resource.at("sharing")?.members ?? [] {
                if !fields.contains(name) { item.unknown(.init("字段", "field"), name, among: fields) }
                item.allow(["type", "condition"])
            }
            for key in resource.at("schema")?.list("foreignKeys") ?? [] {
                key.allow(["fields", "reference", "enforce"])
                key.at("reference")?.allow(ResourceDeclaration.referenceKeys)
            }
        }
    }

    private static let accountKeys: Set<String> = ["login", "name", "organisation", "role", "roles"]
    private enum LoadWay: String, CaseIterable { case replace, append, upsert }
}
