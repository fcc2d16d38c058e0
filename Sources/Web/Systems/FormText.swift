import Codes
import Basics
import CQL
import Catalogue
import Flow
import Foundation
import Kernel
import Lake
import Tabular

/// Values of records between people and the store: how they are shown, asked for, and looked for.
enum FormText {
    static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~")))
            ?? ""
    }

    /// A value as people read it.
    static func shown(_ text: String, _ field: Field?, _ web: WebRequest) -> String {
        guard let field, !text.isEmpty else { return text }
        switch field.type {
        case .timestamp:
            return Array(text.utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }.map(CivilTime.minute)
                ?? text
        case .boolean: return text == "true" ? web.text("是", "yes") : text == "false" ? web.text("否", "no") : text
        default:
            let label = field.codes.first { $0.value == text }?.label ?? ""
            return label.isEmpty ? text : ResourceDeclaration.words(label, web.language)
        }
    }

    /// The values of a code list with what they mean.
    private static func options(of field: Field, _ web: WebRequest) -> [(String, String)] {
        field.codes.map { ($0.value, $0.label.isEmpty ? $0.value : ResourceDeclaration.words($0.label, web.language)) }
    }

    /// What stands behind an amount.
    static func unit(_ field: Field) -> String {
        let isNumber = [.integer, .decimal, .real].contains(field.type)
        return isNumber && !field.unit.isEmpty && field.codes.isEmpty ? " " + field.unit : ""
    }

    static func unit(_ unit: FlowClock.Unit, _ web: WebRequest) -> String {
        switch unit {
        case .days: web.text("日", "days")
        case .workingDays: web.text("个工作日", "working days")
        case .hours: web.text("小时", "hours")
        case .months: web.text("个月", "months")
        }
    }

    /// What a list is narrowed by.
    static func condition(_ field: Field, _ text: String) throws(Problem) -> CQL.Expression {
        let value: Value =
            switch field.type {
            case .integer, .decimal, .real: Double(text).map { .real($0) } ?? .text(text)
            case .boolean: .boolean(text == "true")
            default: .text(text)
            }
        if field.type == .date || field.type == .timestamp {
            return try CQL.Expression(
                either:
                    "\(field.name) >= \(field.type == .date ? "DATE" : "TIMESTAMP")('\(day(text))\(field.type == .date ? "" : "T00:00:00+08:00")')"
            )
        }
        if field.type == .text, field.codes.isEmpty, field.kind == nil {
            let escaped = text.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
            return .like(.property(field.name), .literal(.text("%\(escaped)%")))
        }
        return .compare(.equal, .property(field.name), .literal(value))
    }

    /// A day that is one: nothing else gets into an expression.
    private static func day(_ text: String) throws(Problem) -> String {
        guard let day = Array(text.utf8).withUnsafeBufferPointer({ CivilTime.parseISODate($0) }) else {
            throw Problem("request.date", zh: "日期应写作 2026-11-21。", en: "Dates are written 2026-11-21.")
        }
        return CivilTime.date(day)
    }

    static func filter(_ field: Field, _ name: String, _ value: String, _ web: WebRequest) -> HTML {
        if !field.codes.isEmpty {
            let options =
                [("", web.text("全部", "all"))] + options(of: field, web)
            return Layout.select(name, options, value)
        }
        switch field.type {
        case .boolean:
            return Layout.select(
                name,
                [("", web.text("全部", "all")), ("true", web.text("是", "yes")), ("false", web.text("否", "no"))],
                value
            )
        case .date, .timestamp: return "<input type=\"date\" name=\"\(name)\" value=\"\(value)\">"
        default: return "<input name=\"\(name)\" value=\"\(value)\">"
        }
    }

    /// The control that asks for a field. `choices` are the rows of a resource that the field refers to.
    static func control(
        _ field: Field,
        _ value: String,
        isRequired: Bool,
        choices: [(String, String)]?,
        _ web: WebRequest
    ) -> HTML {
        let name = "v_\(field.name)"
        let required: HTML = isRequired ? " required" : .empty
        if let choices {
            let list = choices.map { value, label -> HTML in "<option value=\"\(value)\">\(label)</option>" }
            return
                "<input name=\"\(name)\" value=\"\(value)\" list=\"l_\(field.name)\" autocomplete=\"off\"\(required)><datalist id=\"l_\(field.name)\">\(list)</datalist>"
        }
        if !field.codes.isEmpty {
            let options = [("", "")] + options(of: field, web)
            let items = options.map { code, label -> HTML in
                code == value
                    ? "<option value=\"\(code)\" selected>\(label)</option>"
                    : "<option value=\"\(code)\">\(label)</option>"
            }
            return "<select name=\"\(name)\"\(required)>\(items)</select>"
        }
        switch field.type {
        case .boolean:
            let options = [("", ""), ("true", web.text("是", "yes")), ("false", web.text("否", "no"))]
            let items = options.map { code, label -> HTML in
                code == value
                    ? "<option value=\"\(code)\" selected>\(label)</option>"
                    : "<option value=\"\(code)\">\(label)</option>"
            }
            return "<select name=\"\(name)\"\(required)>\(items)</select>"
        case .date: return "<input type=\"date\" name=\"\(name)\" value=\"\(value)\"\(required)>"
        case .timestamp:
            // Seconds that are there stay; nobody is asked for them.
            let moment = Array(value.utf8).withUnsafeBufferPointer { CivilTime.parseISOTimestamp($0) }
            let hasSeconds = moment.map { $0 % 60_000_000 != 0 } ?? false
            let local =
                moment.map { moment in
                    hasSeconds
                        ? String(CivilTime.timestamp(moment).prefix(19))
                        : CivilTime.minute(moment).replacing(" ", with: "T")
                } ?? value
            let step: HTML = hasSeconds ? " step=\"1\"" : .empty
            return "<input type=\"datetime-local\"\(step) name=\"\(name)\" value=\"\(local)\"\(required)>"
        case .time: return "<input type=\"time\" name=\"\(name)\" value=\"\(value)\"\(required)>"
        case .integer: return "<input name=\"\(name)\" value=\"\(value)\" inputmode=\"numeric\"\(required)>"
        case .decimal, .real: return "<input name=\"\(name)\" value=\"\(value)\" inputmode=\"decimal\"\(required)>"
        default:
            guard field.kind == nil, (field.maximumLength ?? 0) > 100 else {
                let type = field.kind == .phone ? "tel" : "text"
                return "<input type=\"\(type)\" name=\"\(name)\" value=\"\(value)\"\(required)>"
            }
            return "<textarea name=\"\(name)\" rows=\"4\"\(required)>\(value)</textarea>"
        }
    }

    /// What a browser sent for a field, as the store reads it.
    static func typed(_ text: String, _ field: Field) -> String {
        let text = TextForms.trimmed(text)
        // A local time of a browser is one of China.
        if field.type == .timestamp, text.contains("T"), !text.contains("+"), !text.hasSuffix("Z") {
            if text.utf8.count == 16 { return "\(text):00+08:00" }
            if text.utf8.count >= 19 { return "\(text)+08:00" }
        }
        return text
    }

    /// What is said of a field beside its control.
    static func hint(_ field: Field, _ web: WebRequest) -> String {
        var parts: [String] = []
        if !field.detail.isEmpty { parts.append(ResourceDeclaration.words(field.detail, web.language)) }
        if !field.unit.isEmpty { parts.append(field.unit) }
        // What the label says already is not said again.
        if let kind = field.kind, field.codes.isEmpty,
            ![.personName, .organisationName, .name, .address].contains(kind),
            !field.title.contains(kind.title.zh)
        {
            parts.append(kind.title[web.language])
        }
        return parts.joined(separator: " · ")
    }

    /// The rows that a field may refer to, with what names each.
    static func choices(
        _ declared: ResourceDeclaration,
        _ field: Field,
        _ web: WebRequest
    ) async throws -> [(String, String)]? {
        if field.kind == .catalogueEntry {
            let found = try await web.perform(web.services.catalogue.search, CatalogueQuery(limit: 300, order: .number))
            return found.entries.map { ($0.resource.code, $0.resource.name) }
        }
        guard let reference = declared.references.first(where: { $0.field == field.name }),
            let other = try await web.services.flows.systems.place(key: reference.resource)
        else { return nil }
        let second = other.declaration.labelField(beside: reference.referenced)
        var query = RecordQuery(other.code, limit: 300)
        query.fields = [reference.referenced] + [second].compactMap(\.self)
        guard let page = try? await web.perform(web.services.lake.read, query) else { return nil }
        return (0..<page.batch.count).map { row in
            (
                page.batch.schemaIndex(reference.referenced).map { page.batch.value(row, $0).text } ?? "",
                second.flatMap { page.batch.schemaIndex($0) }.map { page.batch.value(row, $0).text } ?? ""
            )
        }
    }
}
