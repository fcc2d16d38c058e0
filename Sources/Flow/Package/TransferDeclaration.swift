import Basics
import Declare

/// What a pack says of records that go from node to node: in which states besides its ends a record may be packed, and by which step a
/// package that came in becomes a record.
public struct TransferDeclaration: Sendable, Hashable {
    /// What a field of the new record takes.
    public enum Value: Sendable, Hashable {
        /// The organisation that made the package.
        case sender
        /// The record's key where it came from.
        case senderRecord
        /// A sentence that says where it came from.
        case package
        /// As in `set`; expressions are over the package's record.
        case assigned(AssignedValue)
    }

    public struct Taken: Sendable, Hashable {
        public var field: String
        public var value: Value
    }

    /// States in which a record may be packed though it is open.
    public var states: [String]
    /// The beginning step; empty where packages are kept and shown only.
    public var step: String
    public var values: [Taken]
    /// CQL2 over the package's record: where it does not hold, the package is kept and becomes no record; empty for all.
    public var condition: String

    static let keys: Set<String> = ["states", "step", "values", "if"]
    static let words = ["$sender", "$sender_record", "$package"]

    static func read(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> TransferDeclaration {
        place.allow(keys)
        guard let flow = resource.flow else {
            place.fail("没有流程，不能移送", "there is no flow: records without one are not transferred")
            return TransferDeclaration(states: [], step: "", values: [], condition: "")
        }
        let states = place.texts("states").map { text, item in
            if flow.state(text) == nil { item.unknown(.init("状态", "state"), text, among: flow.states.map(\.key)) }
            return text
        }
        let key = place.text("step")
        let step = flow.step(key)
        if !key.isEmpty, step?.isBeginning != true {
            place.at("step")?.unknown(.init("开始步骤", "beginning step"), key, among: flow.beginnings.map(\.key))
        }
        if key.isEmpty, place.has("values") {
            place.fail("values", "有“values”时须有“step”", "“values” needs a “step”")
        }
        let values = (place.at("values")?.members ?? []).compactMap { name, item in
            taken(name, item, step, resource, known)
        }
        let given = Set(values.map(\.field))
        if let step, step.isBeginning {
            for asked in step.fields where asked.isRequired && !given.contains(asked.field) {
                (place.at("values") ?? place).fail(
                    "步骤“\(key)”必填的字段“\(asked.field)”没有给出",
                    "the step “\(key)” needs the field “\(asked.field)”, which is not given"
                )
            }
        }
        let condition = place.text("if")
        if !condition.isEmpty { resource.check(condition, place.at("if") ?? place) }
        return TransferDeclaration(states: states, step: key, values: values, condition: condition)
    }

    private static func taken(
        _ name: String,
        _ item: Declaration,
        _ step: FlowStep?,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> Taken? {
        resource.checkField(name, item)
        if let step, resource.field(name) != nil, !step.fields.contains(where: { $0.field == name }) {
            item.fail("步骤“\(step.key)”不填写字段“\(name)”", "the step “\(step.key)” does not ask for the field “\(name)”")
        }
        guard let text = item.text else {
            item.fail("应是文字", "a text is expected")
            return nil
        }
        switch text {
        case "$sender": return Taken(field: name, value: .sender)
        case "$sender_record": return Taken(field: name, value: .senderRecord)
        case "$package": return Taken(field: name, value: .package)
        default: break
        }
        guard let value = AssignedValue(text) else {
            item.unknown(.init("写法", "word"), text, among: words + AssignedValue.words)
            return nil
        }
        switch value {
        case .number(let key) where !resource.numbers.contains { $0.key == key }:
            item.unknown(.init("编号规则", "numbering"), key, among: resource.numbers.map(\.key))
        case .setting(let key) where !known.settings.contains(key):
            item.unknown(.init("设置", "setting"), key, among: known.settings)
        case .expression(let expression): resource.check(expression, item, isValue: true)
        default: break
        }
        return Taken(field: name, value: .assigned(value))
    }
}
