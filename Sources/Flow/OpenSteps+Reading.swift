import Basics
import Codes
import Declare
import Kernel
import Tabular

// What declarations say of steps that everybody may take, and of entries of the catalogue.

extension FlowStep {
    /// Notes what a step that everybody may take cannot have.
    static func checkOpen(_ place: Declaration, _ resource: ResourceDeclaration) {
        if !place.truth("begin") {
            place.fail(
                "roles",
                "“anyone”只能用于开始步骤（begin: true）：公众只能提交，不能办理已有的记录",
                "“anyone” is of a step that begins (begin: true): the public sends, and takes no step of a record that is there"
            )
        }
        if place.texts("roles").count > 1 {
            place.fail("roles", "“anyone”单独使用", "“anyone” stands alone")
        }
        if place.has("note"), place.text("note") != Note.none.rawValue {
            place.fail("note", "公众提交时不填写意见", "the public writes no note")
        }
        let asked = place.texts("fields").map { $0.0.hasSuffix("!") ? String($0.0.dropLast()) : $0.0 }
        if asked.isEmpty {
            place.fail("缺少“fields”：公众填写什么", "“fields” is missing: what the public fills in")
        }
        // A refusal would tell the public which rows there are.
        for reference in resource.references where reference.isEnforced && asked.contains(reference.field) {
            place.fail(
                "fields",
                "“\(reference.field)”引用的记录不宜由公众逐个试出，引用应写 enforce: false",
                "the public could find out which rows “\(reference.field)” refers to: its reference wants enforce: false"
            )
        }
        let given = Set(asked).union((place.at("set")?.members ?? []).map { $0.0 })
        for field in resource.schema.fields where field.required && !given.contains(field.name) {
            place.fail(
                "fields",
                "必填字段“\(field.name)”既不填写也不设置，这个步骤办不成",
                "the required field “\(field.name)” is neither asked for nor set: the step could never be taken"
            )
        }
    }
}

extension FlowStep.Limit {
    static func read(_ place: Declaration?, _ resource: ResourceDeclaration) -> FlowStep.Limit {
        var limit = FlowStep.Limit()
        guard let place else { return limit }
        place.allow(["minute", "open", "by"])
        func number(_ name: String, _ standard: Int) -> Int {
            guard let number = place.integer(name) else { return standard }
            if !(1...10_000).contains(number) { place.fail(name, "应是 1 至 10000", "1 to 10,000 is expected") }
            return Int(clamping: number)
        }
        limit.perMinute = number("minute", limit.perMinute)
        limit.open = number("open", limit.open)
        limit.by = place.text("by")
        if !limit.by.isEmpty {
            resource.checkField(limit.by, place.at("by") ?? place)
            if let field = resource.field(limit.by), field.type != .text {
                place.fail("by", "字段“\(limit.by)”不是 string", "the field “\(limit.by)” is no string")
            }
        }
        return limit
    }
}

extension FlowStep.Event {
    /// The events that packs may tell of; the others are the node's own.
    static let kinds: [NodeEvent.Kind] = [.answered]

    static func read(_ place: Declaration, _ resource: ResourceDeclaration) -> FlowStep.Event? {
        place.allow(["kind", "of"])
        let text = place.text("kind", required: true)
        let field = place.text("of", required: true)
        if !field.isEmpty { resource.checkEntry(field, place.at("of") ?? place) }
        guard let kind = kinds.first(where: { $0.rawValue == text }) else {
            if !text.isEmpty {
                place.at("kind")?.unknown(.init("事件", "event"), text, among: kinds.map(\.rawValue))
            }
            return nil
        }
        return FlowStep.Event(kind: kind, field: field)
    }
}

extension ResourceDeclaration {
    /// Notes a field that does not hold entries of the catalogue.
    func checkEntry(_ name: String, _ place: Declaration) {
        checkField(name, place)
        guard let field = field(name), field.kind != .catalogueEntry else { return }
        place.fail(
            "字段“\(name)”不是目录条目（tongqu:kind: catalogue_entry）",
            "the field “\(name)” holds no entries of the catalogue (tongqu:kind: catalogue_entry)"
        )
    }

    /// The fields that hold entries of the catalogue.
    var entryFields: [String] { schema.fields.filter { $0.kind == .catalogueEntry }.map(\.name) }
}
