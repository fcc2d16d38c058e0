import Basics
import Catalogue
import Check
import Codes
import Kernel
import Tabular

/// The form of an entry: what it is, and its items one by one.
enum EntryForm {
    static func about(_ web: WebRequest, _ content: EntryContent, isNew: Bool) -> HTML {
        let organisations = web.services.kernel.gate.organisations
        let reach = web.services.kernel.gate.ownersReached(by: web.caller, with: .catalogueEdit)
        let providers = organisations.sorted.filter { reach?.contains($0.id) ?? true }.map {
            (String($0.id.raw), $0.name)
        }
        let provider: HTML =
            isNew
            ? Layout.select("provider", providers, String(content.provider.raw))
            : "<input value=\"\(organisations[content.provider]?.name ?? "")\" disabled>"
        let categories = Classification.transport.map { ($0.code, "\($0.code) \($0.title[web.language])") }
        let known =
            categories.contains { $0.0 == content.category }
            ? categories : categories + [(content.category, content.category)]
        let formats = FormatClass.allCases.flatMap { group in
            group.types.map { ("\(group.rawValue)|\($0)", "\(group.title[web.language]) · \($0)") }
        }
        return """
            <div class="grid">
            \(Layout.field(web.text("信息资源名称", "Name"), "<input name=\"name\" required maxlength=\"100\" value=\"\(content.name)\">", hint: web.text("不要用系统名称。", "Not the name of a system.")))
            \(Layout.field(web.text("提供方", "Provider"), provider))
            \(Layout.field(web.text("内部部门", "Department"), "<input name=\"department\" maxlength=\"100\" value=\"\(content.department)\">"))
            \(Layout.field(web.text("分类(类/项/目)", "Category"), Layout.select("category", known, content.category)))
            \(Layout.field(web.text("更新周期", "Frequency"), Layout.select("frequency", UpdateFrequency.allCases.map { ($0.rawValue, $0.title[web.language]) }, content.frequency.rawValue)))
            \(Layout.field(web.text("格式", "Format"), Layout.select("format", formats, "\(content.formatClass.rawValue)|\(content.formatType)")))
            \(Layout.field(web.text("层级", "Level"), Layout.select("level", Organisation.Level.allCases.map { ($0.rawValue, $0.title[web.language]) }, content.level.rawValue)))
            \(Layout.field(web.text("关键词", "Keywords"), "<input name=\"keywords\" maxlength=\"200\" value=\"\(content.keywords.joined(separator: " "))\">", hint: web.text("用空格分开。", "Separated by spaces.")))
            </div>
            \(Layout.field(web.text("摘要", "Summary"), "<textarea name=\"summary\" rows=\"3\" required minlength=\"10\" maxlength=\"2000\">\(content.summary)</textarea>", hint: web.text("说明内容、范围、来源、用途，至少 10 字。", "What it holds, its extent, source and use; ten characters at least.")))
            """
    }

    static func items(
        _ web: WebRequest,
        _ schema: Schema,
        _ items: [ItemPolicy],
        proposals: [FieldProposal]?,
        standards: StandardsRegistry
    ) -> HTML {
        let types = FieldType.allCases.map { ($0.rawValue, $0.title[web.language]) }
        let kinds = [("", "—")] + SemanticKind.allCases.map { ($0.rawValue, $0.title[web.language]) }
        let sharings = Sharing.allCases.map { (String($0.rawValue), $0.title[web.language]) }
        let grades = Grade.allCases.map { (String($0.rawValue), $0.title[web.language]) }
        let choices = standards.elements.values.sorted { $0.id < $1.id }.map {
            "<option value=\"\($0.id)\">\($0.name[web.language])</option>" as HTML
        }
        let rows = schema.fields.enumerated().map { index, field -> HTML in
            let item = index < items.count ? items[index] : ItemPolicy()
            let proposal = proposals.flatMap { index < $0.count ? $0[index] : nil }
            let why: HTML =
                proposal.map { proposal in
                    let reasons = proposal.reasons.map { $0[web.language] }.joined(
                        separator: web.language == .zh ? ";" : "; "
                    )
                    let examples = proposal.examples.joined(separator: " · ")
                    return
                        "<details><summary>\(web.text("把握", "confidence")) \(Int(proposal.confidence * 100))%</summary><p>\(reasons)</p><p class=\"muted\">\(examples)</p></details>"
                } ?? .empty
            let isKey = schema.key.contains(field.name)
            func box(_ name: String, _ isOn: Bool, _ label: String) -> HTML {
                "<label class=\"check\"><input type=\"checkbox\" name=\"\(name)\" value=\"1\"\(isOn ? " checked" as HTML : .empty)><span>\(label)</span></label>"
            }
            return """
                <tr><td><code>\(field.name)</code>\(why)</td>
                <td><input name="f\(index)_element" value="\(field.element)" list="elements" aria-label="\(web.text("数据元", "data element")) \(field.name)" size="7" maxlength="60"></td>
                <td><input name="f\(index)_title" value="\(field.title)" aria-label="\(web.text("中文名称", "title")) \(field.name)" size="12" maxlength="100"></td>
                <td>\(Layout.select("f\(index)_type", types, field.type.rawValue, label: "\(web.text("类型", "type")) \(field.name)"))</td>
                <td>\(Layout.select("f\(index)_kind", kinds, field.kind?.rawValue ?? "", label: "\(web.text("含义", "meaning")) \(field.name)"))</td>
                <td>\(box("f\(index)_key", isKey, web.text("主键", "key")))\(box("f\(index)_required", field.required, web.text("必填", "required")))\(box("f\(index)_indexed", field.indexed, web.text("常查", "indexed")))</td>
                <td>\(Layout.select("f\(index)_grade", grades, String(field.grade.rawValue), label: "\(web.text("分级", "grade")) \(field.name)"))</td>
                <td>\(Layout.select("f\(index)_sharing", sharings, String(item.sharing.rawValue), label: "\(web.text("共享类型", "sharing")) \(field.name)"))</td>
                <td><input name="f\(index)_condition" value="\(item.condition)" aria-label="\(web.text("共享条件或依据", "condition or basis")) \(field.name)" size="14" maxlength="200"></td></tr>
                """
        }
        let heads = [
            web.text("列", "Column"), web.text("数据元", "Element"), web.text("中文名称", "Title"), web.text("类型", "Type"),
            web.text("含义", "Meaning"),
            web.text("约束", "Constraints"),
            web.text("分级", "Grade"), web.text("共享类型", "Sharing"), web.text("条件或依据", "Condition or basis"),
        ]
        return """
            <h3>\(web.text("信息项", "Items")) <span class="muted">\(schema.fields.count)</span></h3>
            <p class="hint">\(web.text("每个信息项分别确定共享类型；是否开放另行申请，默认不开放。", "Sharing is decided item by item; opening is applied for separately and is off by default."))</p>
            <div class="scroll items" tabindex="0" role="region" aria-label="\(web.text("信息项", "Items"))"><table><thead><tr>\(heads.map { "<th scope=\"col\">\($0)</th>" as HTML })</tr></thead><tbody>\(rows)</tbody></table></div><datalist id="elements">\(choices)</datalist>
            """
    }

    /// Reads the form over the schema it was made from.
    static func content(
        _ form: Form,
        _ base: Schema,
        provider: OrganisationID?,
        standards: StandardsRegistry,
        _ web: WebRequest
    ) throws -> EntryContent {
        var schema = base
        var items: [ItemPolicy] = []
        schema.key = []
        for index in schema.fields.indices {
            var field = schema.fields[index]
            field.title = TextForms.trimmed(form["f\(index)_title"])
            if let type = FieldType(rawValue: form["f\(index)_type"]), type != field.type {
                field.type = type
                // What was found for the old type does not hold for the new one.
                field.minimum = nil
                field.maximum = nil
                field.lenient = type != .text
            }
            field.kind = SemanticKind(rawValue: form["f\(index)_kind"])
            field.required = form.has("f\(index)_required")
            field.indexed = form.has("f\(index)_indexed")
            field.unique = form.has("f\(index)_key") ? field.unique : false
            field.grade = Int(form["f\(index)_grade"]).flatMap(Grade.init(rawValue:)) ?? field.grade
            field.element = TextForms.trimmed(form["f\(index)_element"])
            if form.has("compose"), let element = standards.elements[field.element] {
                field = standards.compose(field, from: element)
            }
            if form.has("f\(index)_key") { schema.key.append(field.name) }
            schema.fields[index] = field
            items.append(
                ItemPolicy(
                    sharing: Int(form["f\(index)_sharing"]).flatMap(Sharing.init(rawValue:)) ?? .none,
                    condition: TextForms.trimmed(form["f\(index)_condition"])
                )
            )
        }
        if schema.key.count > 1 { for index in schema.fields.indices { schema.fields[index].unique = false } }
        let format = form["format"].split(separator: "|").map(String.init)
        return EntryContent(
            name: TextForms.trimmed(form["name"]),
            category: form["category"],
            provider: provider ?? OrganisationID(Int64(form["provider"]) ?? 0),
            department: form["department"],
            summary: TextForms.trimmed(form["summary"]),
            keywords: form["keywords"].split(whereSeparator: { $0.isWhitespace }).map(String.init),
            formatClass: format.first.flatMap(FormatClass.init(rawValue:)) ?? .spreadsheet,
            formatType: format.last ?? "csv",
            frequency: UpdateFrequency(rawValue: form["frequency"]) ?? .irregular,
            level: Organisation.Level(rawValue: form["level"]) ?? .province,
            schema: schema,
            items: items
        )
    }
}
