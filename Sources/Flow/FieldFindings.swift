import Store
public import Basics
import Check
import Codes
import CQL
public import Kernel
import Lake
public import Tabular

/// What was found about a field of a step's form.
public struct FieldFinding: Sendable, Hashable {
    /// The field's name; empty for the row.
    public var field: String
    public var severity: Severity
    public var message: LocalizedText
    public var suggestion: LocalizedText?
}

/// What a form's content is found to be, and what the rows that were chosen give to fields that are empty.
public struct FormReading: Sendable {
    public var findings: [FieldFinding]
    /// Texts by field.
    public var filled: [String: String]
}

/// What a step's fields hold while somebody fills them in.
public struct FormContent: Sendable {
    /// The resource's code.
    public var code: String
    /// Nil where the step makes the record.
    public var record: Int64?
    public var step: String
    /// Texts by field, as typed.
    public var values: [String: String]

    public init(_ code: String, record: Int64?, step: String, values: [String: String]) {
        self.code = code
        self.record = record
        self.step = step
        self.values = values
    }
}

/// The fields that a step asks for, read and checked before the step is taken: the checker of loads decides here too.
struct AskedFields: Sendable {
    let schema: Schema

    /// Dates, numbers and booleans may be written as people write them where `isLenient`.
    init(_ step: FlowStep, _ declared: ResourceDeclaration, isLenient: Bool = false) {
        var fields: [Field] = []
        for asked in step.fields {
            guard var field = declared.field(asked.field) else { continue }
            // Of a file's row what a reference fills in is known when the step is taken.
            let isFilled = isLenient && declared.reference(filling: field.name, in: step) != nil
            field.required = !isFilled && (field.required || asked.isRequired)
            // Whether a value occurs again shows when the record is written.
            field.unique = false
            if isLenient { field.lenient = true }
            fields.append(field)
        }
        var schema = Schema(fields: fields)
        let names = Set(fields.map(\.name))
        // Rules over fields that the step does not ask for are the whole record's.
        schema.rules = declared.schema.rules.filter { rule in
            guard let expression = try? Expression(either: rule.expression) else { return false }
            return expression.properties.allSatisfy(names.contains)
        }
        self.schema = schema
    }

    /// The texts as they are stored, and what was found; informations are left out.
    func read(_ values: [String: String]) throws -> (texts: [String: String], findings: [FieldFinding]) {
        guard !schema.fields.isEmpty else { return ([:], []) }
        var raw = RawBatch(columns: schema.fields.count)
        for field in schema.fields {
            let start = raw.bytes.count
            raw.bytes.append(contentsOf: (values[field.name] ?? "").utf8)
            raw.cells.append(.init(start: start, end: raw.bytes.count))
        }
        raw.rows = 1
        raw.numbers = [1]
        let checker = try Checker(schema: schema, header: schema.fields.map(\.name), keepsValues: true)
        let checked = checker.check(raw)
        let places = schema.fields.compactMap { field in
            PlaceValues.mistake(values[field.name] ?? "", field).map { message in
                FieldFinding(field: field.name, severity: .error, message: message, suggestion: nil)
            }
        }
        let misplaced = Set(places.map(\.field))
        let found = checker.report().samples.filter {
            $0.severity != .information && !misplaced.contains($0.field)
        }
        let findings = found.map { finding in
            FieldFinding(
                field: finding.field,
                severity: finding.severity,
                message: Self.bare(finding.message, schema[finding.field]),
                suggestion: finding.suggestion
            )
        }
        return (Lake.texts(checked.batch, of: schema), places + findings)
    }

    /// The message without the field's name, beside which it stands.
    private static func bare(_ message: LocalizedText, _ field: Field?) -> LocalizedText {
        guard let field else { return message }
        func without(_ text: String, _ name: String) -> String {
            let start = "“\(name)”"
            return text.hasPrefix(start) ? TextForms.trimmed(String(text.dropFirst(start.count))) : text
        }
        return .init(without(message.zh, field.display), without(message.en, field.name))
    }
}

extension Flows {
    static let checkDescriptor = ActionDescriptor("flow.check", .flowAct, .view, zh: "检查填写内容", en: "check a form")

    /// Checks what somebody fills in, before the step is taken. Nothing of it is kept.
    public var check: Action<FormContent, FormReading> {
        Action(Self.checkDescriptor, target: { [kernel] in try await kernel.resource($0.code) }) {
            [self] input, decision in
            guard let resource = decision.resource, let principal = decision.caller.principal else {
                throw Problem.notFound(.init("资源", "the resource"))
            }
            let place = try await place(input.code)
            let standing = try await input.record.asyncMap { try await self.standing(resource, $0) }.flatMap(\.self)
            let declared = try await declaration(place, number: standing?.number)
            guard let step = declared.flow?.step(input.step) else {
                throw Problem.notFound(.init("步骤", "the step"))
            }
            try Self.check(step, principal)
            if let record = input.record {
                // A record that is not there, or outside one's rows, is not spoken of.
                _ = try await kernel.databases.records.read {
                    try self.lake.texts(of: record, in: resource, decision, $0)
                }
            }
            let writable = Set(decision.fields.filter { $0.mask == nil }.map(\.field.name))
            let values = input.values.filter { writable.contains($0.key) }.mapValues(TextForms.visible)
            let filled = try await fills(of: values, step, declared, record: input.record, resource, decision.caller)
            let whole = values.merging(filled) { _, filled in filled }
            return FormReading(findings: try AskedFields(step, declared).read(whole).findings, filled: filled)
        }
    }

    /// What a valid identifier says, in words: who registered it, of which place it is.
    public static func explained(_ text: String, _ field: Field) -> [(name: LocalizedText, value: String)] {
        guard let kind = field.kind, let reading = Identifier.read(kind, text), reading.isValid else { return [] }
        return reading.parts.map { ($0.name, $0.value) }
    }
}
