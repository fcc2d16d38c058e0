import Basics
import CQL
import Check
public import Declare
import Kernel
import Lake
import Tabular

extension SystemDeclaration {
    /// What a declaration's templates say, by their file names below the pack's folder; nil for a file that is not there.
    public typealias Files = @Sendable (String) -> String?

    static let keys: Set<String> = [
        "pack", "version", "title", "description", "law", "requires", "roles", "resources", "settings", "migrations",
        "organisations", "accounts", "elements", "code_lists", "trees", "sources", "feedback", "demonstration",
        "alerts", "indicators", "publish", "work", "words",
    ]

    /// Reads a declaration, noting every mistake; nil where its identity is missing. What is returned of a faulty declaration is not used.
    ///
    /// `others` are the keys of resources and the fields of each that other packs of the node declare, `roles` the node's.
    public static func read(
        _ place: Declaration,
        files: @escaping Files,
        roles: Set<String> = [],
        others: [String: ResourceDeclaration] = [:]
    ) -> SystemDeclaration {
        place.allow(keys)
        let id = place.text("pack", required: true)
        if !id.isEmpty, !Declaration.isKey(id, also: "-_") {
            place.fail("pack", "标识只能由小写字母、数字和“-”组成", "the identity is made of lower-case letters, digits and “-”")
        }
        let version = place.integer("version") ?? 1
        if version < 1 { place.fail("version", "版本号从 1 起", "versions begin with 1") }
        var declared = SystemDeclaration(
            id: id,
            version: version,
            title: place.title("title", id),
            description: place.title("description", ""),
            law: place.texts("law").map(\.text),
            requires: place.texts("requires").map(\.text),
            roles: [],
            settings: [],
            resources: [],
            migrations: []
        )
        let roleList = place.list("roles")
        declared.roles = roleList.map { role in
            role.allow(["key", "title"])
            return DeclaredRole(key: role.key(), title: role.title("title"))
        }
        Declaration.checkTwice(zip(declared.roles.map(\.key), roleList).map { ($0, $1) })
        for (role, item) in zip(declared.roles, roleList) where Role.isBuiltIn(role.key) {
            item.fail("“\(role.key)”是节点自有的角色", "“\(role.key)” is a role of the node itself")
        }
        let settingList = place.list("settings")
        declared.settings = settingList.map { setting in
            setting.allow(["key", "title", "value", "unit"])
            return Setting(
                key: setting.key(),
                title: setting.title("title"),
                value: setting.text("value", required: true),
                unit: setting.text("unit")
            )
        }
        Declaration.checkTwice(zip(declared.settings.map(\.key), settingList).map { ($0, $1) })
        let vocabulary = FieldVocabulary(place)
        let known = Known(
            roles: roles.union(declared.roles.map(\.key)),
            settings: Set(declared.settings.map(\.key)),
            values: Dictionary(declared.settings.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first }),
            files: files,
            settingList: declared.settings,
            schemas: schemas(place.list("resources"), others, vocabulary),
            vocabulary: vocabulary
        )
        for (required, item) in place.texts("requires") where required == id {
            item.fail("系统包不能要求自身", "a pack does not require itself")
        }
        checkContents(place)
        let resourceList = place.list("resources")
        declared.resources = resourceList.map { ResourceDeclaration.read($0, known) }
        Declaration.checkTwice(zip(declared.resources.map(\.key), resourceList).map { ($0, $1) })
        let all = others.merging(declared.resources.map { ($0.key, $0) }, uniquingKeysWith: { _, own in own })
        for (resource, item) in zip(declared.resources, resourceList) { resource.checkAcross(item, all) }
        declared.readRules(place, resourceList, known)
        declared.checkCreations(resourceList, all)
        // Rows that belong to a record are looked for by what they refer to it by.
        for related in declared.resources.flatMap(\.views.related) {
            guard let other = declared.resources.firstIndex(where: { $0.key == related.resource }) else { continue }
            declared.resources[other].index(related.field)
            declared.resources[other].index(related.sortField)
        }
        declared.migrations = place.list("migrations").flatMap { DeclaredMigration.read($0, declared) }
        return declared
    }

    /// What names of a declaration may stand for.
    struct Known {
        var roles: Set<String>
        var settings: Set<String>
        var values: [String: String]
        var files: Files
        var settingList: [Setting]
        /// What lookups may ask, by the keys of resources.
        var schemas: [String: Schema]
        var vocabulary: FieldVocabulary
    }

    /// The schemas of a pack's resources and of others, where lookups ask for them: they are needed before the resources are read.
    private static func schemas(
        _ list: [Declaration],
        _ others: [String: ResourceDeclaration],
        _ vocabulary: FieldVocabulary
    ) -> [String: Schema] {
        guard list.contains(where: { $0.has("lookups") }) else { return [:] }
        var schemas = others.mapValues(\.schema)
        for item in list {
            let silent = Declaration(item.value, mistakes: Declaration.Mistakes())
            var schema = ResourceDeclaration.schema(of: silent, vocabulary)
            // The state is asked by an index.
            if let flow = silent.at("flow") {
                let name = flow.has("field") ? flow.text("field") : "state"
                if let index = schema.index(name) { schema.fields[index].indexed = true }
            }
            schemas[silent.text("key")] = schema
        }
        return schemas
    }
}

extension DeclaredMigration {
    static func read(_ place: Declaration, _ system: SystemDeclaration) -> [DeclaredMigration] {
        place.allow(["to", "rename", "drop", "state"])
        guard let version = place.integer("to") else {
            if !place.has("to") { place.fail("缺少“to”", "“to” is missing") }
            return []
        }
        if version > system.version { place.fail("to", "版本高于本包", "the version is above the pack's") }
        let found = ["rename", "drop", "state"].compactMap { kind in place.at(kind).map { (kind, $0) } }
        if found.isEmpty { place.fail("缺少 rename、drop 或 state", "rename, drop or state is missing") }
        return found.compactMap { kind, item in
            item.allow(kind == "drop" ? ["resource", "field"] : ["resource", "from", "to"])
            let key = item.text("resource", required: true)
            guard let resource = system.resource(key) else {
                if !key.isEmpty {
                    item.at("resource")?.unknown(
                        .init("资源", "resource"),
                        key,
                        among: system.resources.map(\.key)
                    )
                }
                return nil
            }
            let change: Change
            switch kind {
            case "drop": change = .drop(item.text("field", required: true))
            case "rename":
                let to = item.text("to", required: true)
                if resource.field(to) == nil, !to.isEmpty {
                    item.at("to")?.unknown(.init("字段", "field"), to, among: resource.schema.fields.map(\.name))
                }
                change = .rename(from: item.text("from", required: true), to: to)
            default:
                let to = item.text("to", required: true)
                if let flow = resource.flow, flow.state(to) == nil, !to.isEmpty {
                    item.at("to")?.unknown(.init("状态", "state"), to, among: flow.states.map(\.key))
                }
                change = .state(from: item.text("from", required: true), to: to)
            }
            return DeclaredMigration(version: version, resource: key, change: change)
        }
    }
}

// MARK: A resource

extension ResourceDeclaration {
    static let keys: Set<String> = [
        "key", "name", "en", "category", "provider", "department", "author", "reviewer", "authority", "summary",
        "keywords", "frequency", "format", "storage", "schema", "sharing", "data", "stage", "note", "grants", "flow",
        "attachments", "documents", "numbers", "views", "lookups", "draws", "transfer",
        "alerts", "indicators", "publish",
    ]

    /// Pages of a system stand under these names.
    static let taken: Set<String> = ["indicators", "published", "settings"]

    private enum Storage: String, CaseIterable { case lake, records }

    static func read(_ place: Declaration, _ known: SystemDeclaration.Known) -> ResourceDeclaration {
        place.allow(keys)
        let (schema, labels, references) = readSchema(place, known.vocabulary)
        var resource = ResourceDeclaration(
            key: place.text("key", required: true),
            name: place.text("name", required: true),
            nameInEnglish: place.text("en"),
            category: place.text("category"),
            provider: place.text("provider"),
            department: place.text("department"),
            summary: place.text("summary"),
            keywords: place.texts("keywords").map(\.text),
            frequency: place.text("frequency"),
            isOfRecords: place.choice("storage", Storage.lake) == .records,
            schema: schema,
            labels: labels,
            references: references,
            grants: [],
            flow: nil,
            attachments: [],
            documents: [],
            numbers: [],
            views: ViewsDeclaration()
        )
        if !resource.key.isEmpty, !Declaration.isKey(resource.key, also: "_-") {
            place.fail(
                "key",
                "键只能由小写字母、数字和“_”组成，以字母开头",
                "a key is made of lower-case letters, digits and “_”, a letter first"
            )
        }
        if taken.contains(resource.key) {
            place.fail("key", "“\(resource.key)”是系统页面的名称", "“\(resource.key)” is the name of a page of systems")
        }
        resource.lookups = DeclaredLookup.read(place, resource, known, known.schemas)
        let clocks = (place.at("flow")?.list("clocks") ?? []).map { $0.text("key") }
        resource.beside = NamesBeside.all(known.settingList, resource.lookups, clocks, schema)
        resource.readParts(place, known)
        if let flow = place.at("flow") {
            if !resource.isOfRecords {
                flow.fail("有流程的资源须 storage: records", "a resource with a flow needs storage: records")
            }
            resource.flow = FlowDeclaration.read(flow, resource, known)
            resource.settleStates(flow)
        }
        resource.draws = DeclaredDraw.read(place, resource, known)
        resource.grants = place.list("grants").map { readGrant($0, resource, known) }
        for (document, item) in zip(resource.documents, place.list("documents")) {
            for state in document.states where resource.flow?.state(state) == nil {
                item.at("states")?.unknown(
                    .init("状态", "state"),
                    state,
                    among: resource.flow?.states.map(\.key) ?? []
                )
            }
        }
        if let transfer = place.at("transfer") { resource.transfer = .read(transfer, resource, known) }
        if let views = place.at("views") { resource.views = ViewsDeclaration.read(views, resource) }
        resource.settleIndexes()
        if resource.isOfRecords, place.has("data") {
            place.fail(
                "data",
                "storage: records 的资源由表单和流程填写，文件只能装入 storage: lake",
                "records are written by forms and flows; files go into storage: lake"
            )
        }
        for load in place.list("data") {
            let file = load.text("file", required: true)
            if !file.isEmpty, known.files(file) == nil {
                load.fail("file", "没有文件“\(file)”", "there is no file “\(file)”")
            }
        }
        return resource
    }

    /// The schema of a resource that is read later; what is wrong with it is told then.
    static func schema(of place: Declaration, _ vocabulary: FieldVocabulary) -> Schema {
        readSchema(place, vocabulary).0
    }

    /// The schema, English labels, and references by keys; what cannot be read is noted and left empty.
    private static func readSchema(
        _ place: Declaration,
        _ vocabulary: FieldVocabulary
    ) -> (Schema, [String: String], [Reference]) {
        guard let item = place.at("schema") else {
            place.fail("缺少“schema”", "“schema” is missing")
            return (Schema(fields: []), [:], [])
        }
        item.allow(["fields", "primaryKey", "missingValues", "foreignKeys", "tongqu:rules"])
        let fields = item.list("fields")
        if fields.isEmpty { item.fail("缺少字段", "there are no fields") }
        for field in fields {
            field.allow([
                "name", "title", "en", "description", "type", "format", "constraints", "tongqu:kind", "tongqu:grade",
                "tongqu:index", "tongqu:unit", "tongqu:scale", "tongqu:codes", "tongqu:element", "tongqu:type",
            ])
            field.at("constraints")?.allow([
                "required", "unique", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength",
            ])
            let type = field.text("type")
            let types = [
                "string", "integer", "number", "boolean", "date", "datetime", "time", "geopoint", "geojson", "any",
                "year", "yearmonth", "object", "array", "duration",
            ]
            if !type.isEmpty, !types.contains(type) {
                field.at("type")?.unknown(.init("类型", "type"), type, among: types)
                return (Schema(fields: []), [:], [])
            }
            let kind = field.text("tongqu:kind")
            let kinds = SemanticKinds.names
            if !kind.isEmpty, !kinds.contains(kind) {
                field.at("tongqu:kind")?.unknown(.init("含义", "kind"), kind, among: kinds)
            }
        }
        let schema = vocabulary.expanded(item)
        var labels: [String: String] = [:]
        for field in schema["fields"]?.array ?? [] {
            if let name = field["name"]?.string, let label = field["en"]?.string { labels[name] = label }
        }
        do {
            var read = try TableSchema.read(schema)
            let references = readReferences(item, read)
            read.foreignKeys = []
            // Rules and limits are settled as they will be when rows come.
            _ = try Checker(schema: read, header: read.fields.map(\.name))
            return (read, labels, references)
        } catch {
            item.fail(error.message.zh, error.message.en)
            return (Schema(fields: []), labels, [])
        }
    }

    private static func readReferences(_ item: Declaration, _ schema: Schema) -> [Reference] {
        item.list("foreignKeys").compactMap { key in
            let fields = key.texts("fields").map(\.text)
            let to = key.at("reference")
            let referenced = to?.texts("fields").map(\.text) ?? []
            guard fields.count == 1, referenced.count == 1, let resource = to?.text("resource", required: true) else {
                key.fail("引用应是一个字段对一个字段", "a reference is of one field to one field")
                return nil
            }
            guard schema.index(fields[0]) != nil else { return nil }
            return Reference(
                field: fields[0],
                resource: resource,
                referenced: referenced[0],
                isEnforced: key.has("enforce") ? key.truth("enforce") : true,
                fills: readFills(to?.at("fills"), fields[0], schema)
            )
        }
    }

    static let referenceKeys: Set<String> = ["resource", "fields", "fills"]

    private static func readFills(_ place: Declaration?, _ field: String, _ schema: Schema) -> [Reference.Fill] {
        guard let place else { return [] }
        guard case .members = place.value.content else {
            place.fail("应是“本资源字段: 所引用字段”", "OWN_FIELD: THEIR_FIELD is expected")
            return []
        }
        return place.members.compactMap { own, item in
            guard schema.index(own) != nil else {
                item.unknown(.init("字段", "field"), own, among: schema.fields.map(\.name))
                return nil
            }
            guard own != field else {
                item.fail("引用字段自身不能填入", "the field of the reference is not filled by itself")
                return nil
            }
            guard let their = item.text, !their.isEmpty else {
                item.fail("应是所引用资源的字段名", "the name of a field of the other resource is expected")
                return nil
            }
            return Reference.Fill(own: own, their: their)
        }
    }

    private mutating func readParts(_ place: Declaration, _ known: SystemDeclaration.Known) {
        let numberList = place.list("numbers")
        numbers = numberList.map { item in
            item.allow(["key", "format", "per"])
            let numbering = Numbering(
                key: item.key(),
                format: item.text("format", required: true),
                period: item.choice("per", Numbering.Period.year)
            )
            if !numbering.format.isEmpty, let wrong = numbering.mistake {
                item.fail("format", wrong.zh, wrong.en)
            }
            return numbering
        }
        Declaration.checkTwice(zip(numbers.map(\.key), numberList).map { ($0, $1) })
        let attachmentList = place.list("attachments")
        attachments = attachmentList.map { item in
            item.allow(["key", "title", "accept", "law"])
            let accept = item.texts("accept").compactMap { text, place -> AttachmentKind.Accept? in
                guard let found = AttachmentKind.Accept(rawValue: text) else {
                    place.unknown(
                        .init("文件类型", "type of file"),
                        text,
                        among: AttachmentKind.Accept.allCases.map(\.rawValue)
                    )
                    return nil
                }
                return found
            }
            return AttachmentKind(
                key: item.key(),
                title: item.title("title"),
                accept: accept.isEmpty ? [.any] : accept,
                law: item.text("law")
            )
        }
        Declaration.checkTwice(zip(attachments.map(\.key), attachmentList).map { ($0, $1) })
        let documentList = place.list("documents")
        let numberings = Set(numbers.map(\.key))
        documents = documentList.map { item in
            item.allow(["key", "title", "template", "number", "states"])
            let file = item.text("template", required: true)
            let template = file.isEmpty ? nil : known.files(file)
            if !file.isEmpty, template == nil {
                item.fail("template", "没有文件“\(file)”", "there is no file “\(file)”")
            }
            let number = item.text("number")
            if !number.isEmpty, !numberings.contains(number), field(number) == nil {
                item.at("number")?.unknown(.init("编号规则", "numbering"), number, among: numberings)
            }
            let document = Document(
                key: item.key(),
                title: item.title("title"),
                template: template ?? "",
                number: number,
                states: item.texts("states").map(\.text)
            )
            if template != nil { document.check(item, file, self) }
            return document
        }
        Declaration.checkTwice(zip(documents.map(\.key), documentList).map { ($0, $1) })
        if !documents.isEmpty || !attachments.isEmpty, !place.has("flow") {
            place.fail("文书和附件属于流程，缺少“flow”", "documents and attachments belong to a flow: “flow” is missing")
        }
    }

    /// The codes of the field that holds the state are the states.
    private mutating func settleStates(_ place: Declaration) {
        guard let flow, let index = schema.index(flow.field) else { return }
        guard schema.fields[index].type == .text else {
            place.fail("状态字段“\(flow.field)”应是 string", "the field of the state, “\(flow.field)”, is a string")
            return
        }
        schema.fields[index].codes = flow.states.map { CodeValue($0.key, ResourceDeclaration.label($0.title)) }
        schema.fields[index].indexed = true
        schema.fields[index].required = false
    }

    private static func readGrant(
        _ place: Declaration,
        _ resource: ResourceDeclaration,
        _ known: SystemDeclaration.Known
    ) -> DeclaredGrant {
        place.allow(["role", "may", "rows", "fields", "mask"])
        let role = place.text("role", required: true)
        if !role.isEmpty, !known.roles.contains(role) {
            place.at("role")?.unknown(.init("角色", "role"), role, among: known.roles)
        }
        var may: Set<DeclaredGrant.May> = []
        for (text, item) in place.texts("may") {
            guard let found = DeclaredGrant.May(rawValue: text) else {
                item.unknown(.init("权限", "right"), text, among: DeclaredGrant.May.allCases.map(\.rawValue))
                continue
            }
            may.insert(found)
        }
        if may.isEmpty, !place.has("may") { place.fail("缺少“may”", "“may” is missing") }
        if may.contains(.act), resource.flow == nil {
            place.fail("may", "没有流程，不能“act”", "there is no flow to act in")
        }
        let rows = place.text("rows")
        if !rows.isEmpty {
            var asked = resource
            asked.beside = Gate.callerFields
            asked.check(rows, place.at("rows") ?? place, step: true)
            if Gate.namesOrganisationsAlone(rows) {
                place.fail(
                    "rows",
                    "“caller.organisations”是若干机构，写作“字段 IN (caller.organisations)”",
                    "“caller.organisations” are several: FIELD IN (caller.organisations)"
                )
            }
        }
        let fields = place.has("fields") ? place.texts("fields") : nil
        for (name, item) in fields ?? [] { resource.checkField(name, item) }
        return DeclaredGrant(
            role: role,
            may: may,
            rows: rows.isEmpty ? nil : rows,
            fields: fields.map { $0.map(\.text) },
            masksPersonal: place.truth("mask")
        )
    }

    /// Notes an expression that cannot be settled against the fields.
    ///
    /// `step`: it is of a step, which knows more than the fields.
    func check(_ expression: String, _ place: Declaration, isValue: Bool = false, step: Bool = false) {
        let fields = step ? schema.fields + beside : schema.fields
        do {
            if isValue {
                _ = try BoundExpression(value: try Expression(value: expression), fields: fields)
            } else {
                _ = try BoundExpression(text: expression, fields: fields)
            }
        } catch {
            place.fail(
                error.message.zh + (error.hint?.zh ?? ""),
                error.message.en + (error.hint.map { " " + $0.en } ?? "")
            )
        }
    }

    func checkField(_ name: String, _ place: Declaration) {
        if field(name) == nil { place.unknown(.init("字段", "field"), name, among: schema.fields.map(\.name)) }
    }

    private func checkRelated(_ related: ViewsDeclaration.Related, _ item: Declaration, _ other: ResourceDeclaration) {
        if !related.field.isEmpty { other.checkField(related.field, item.at("field") ?? item) }
        for (name, place) in item.texts("fields") { other.checkField(name, place) }
        if !related.sort.isEmpty { other.checkField(related.sortField, item.at("sort") ?? item) }
        if related.sort.isEmpty, let measures = item.at("measures") {
            measures.fail("统计最前的 1000 条，须写“sort”", "the first 1,000 are measured: “sort” is needed")
        }
        for (text, place) in item.texts("measures") {
            do {
                let measure = try AggregateQuery.Measure(text: text)
                if !measure.field.isEmpty { other.checkField(measure.field, place) }
            } catch {
                place.fail(
                    error.message.zh + (error.hint?.zh ?? ""),
                    error.message.en + (error.hint.map { " " + $0.en } ?? "")
                )
            }
        }
        guard !related.condition.isEmpty else { return }
        var asked = other
        asked.beside = schema.fields.map { field in
            var field = field
            field.name = NamesBeside.mine(field.name)
            return field
        }
        asked.check(related.condition, item.at("where") ?? item, step: true)
    }

    /// Notes references to resources, steps and fields of others that are not there.
    func checkAcross(_ place: Declaration, _ all: [String: ResourceDeclaration]) {
        for (reference, item) in zip(references, place.at("schema")?.list("foreignKeys") ?? []) {
            let to = item.at("reference") ?? item
            guard let other = all[reference.resource] else {
                to.unknown(.init("资源", "resource"), reference.resource, among: all.keys)
                continue
            }
            other.checkField(reference.referenced, to)
            let places = Dictionary(to.at("fills")?.members ?? [], uniquingKeysWith: { first, _ in first })
            for fill in reference.fills {
                guard let place = places[fill.own], let own = field(fill.own) else { continue }
                guard let their = other.field(fill.their) else {
                    place.unknown(.init("字段", "field"), fill.their, among: other.schema.fields.map(\.name))
                    continue
                }
                if own.type != their.type {
                    place.fail(
                        "“\(fill.own)”是\(own.type.title.zh)，“\(fill.their)”是\(their.type.title.zh)",
                        "“\(fill.own)” is of type \(own.type.title.en), “\(fill.their)” of type \(their.type.title.en)"
                    )
                }
            }
        }
        for (related, item) in zip(views.related, place.at("views")?.list("related") ?? []) {
            guard let other = all[related.resource] else {
                item.unknown(.init("资源", "resource"), related.resource, among: all.keys)
                continue
            }
            checkRelated(related, item, other)
            if !related.step.isEmpty, other.flow?.step(related.step)?.isBeginning != true {
                item.unknown(
                    .init("开始步骤", "beginning step"),
                    related.step,
                    among: other.flow?.beginnings.map(\.key) ?? []
                )
            }
        }
        for (draw, item) in zip(draws, place.list("draws")) { draw.checkAcross(item, all) }
        guard let flow else { return }
        for (step, item) in zip(flow.steps, place.at("flow")?.list("steps") ?? []) {
            for (creation, made) in zip(step.create, item.oneOrMore("create")) {
                guard let other = all[creation.resource] else {
                    made.unknown(.init("资源", "resource"), creation.resource, among: all.keys)
                    continue
                }
                if other.flow?.step(creation.step)?.isBeginning != true {
                    made.unknown(
                        .init("开始步骤", "beginning step"),
                        creation.step,
                        among: other.flow?.beginnings.map(\.key) ?? []
                    )
                }
                for value in creation.values { other.checkField(value.field, made) }
            }
            for (telling, told) in zip(step.tell, item.oneOrMore("tell")) {
                guard let other = all[telling.resource] else {
                    if !telling.isOptional {
                        told.unknown(.init("资源", "resource"), telling.resource, among: all.keys)
                    }
                    continue
                }
                other.checkField(telling.field, told)
                if let field = other.field(telling.field), !field.indexed, !field.unique,
                    other.schema.key != [field.name]
                {
                    told.fail(
                        "field",
                        "“\(field.name)”应是索引字段",
                        "“\(field.name)” should be an indexed field"
                    )
                }
                let steps = other.flow?.steps.filter { !$0.isBeginning && $0.to == nil } ?? []
                if !steps.contains(where: { $0.key == telling.step }) {
                    told.unknown(
                        .init("不改变状态的步骤", "step that leaves the state"),
                        telling.step,
                        among: steps.map(\.key)
                    )
                }
                for value in telling.values { other.checkField(value.field, told) }
            }
        }
    }
}

extension ViewsDeclaration {
    static func read(_ place: Declaration, _ resource: ResourceDeclaration) -> ViewsDeclaration {
        place.allow(["list", "form", "detail", "board", "map", "related", "dashboard"])
        var views = ViewsDeclaration()
        func fields(_ from: Declaration, _ name: String) -> [String] {
            from.texts(name).map { text, item in
                resource.checkField(text, item)
                return text
            }
        }
        func field(_ from: Declaration, _ name: String, required: Bool = true) -> String {
            let text = from.text(name, required: required)
            if !text.isEmpty { resource.checkField(text, from.at(name) ?? from) }
            return text
        }
        if let list = place.at("list") {
            list.allow(["columns", "filters", "sort", "saved"])
            views.columns = fields(list, "columns")
            views.filters = fields(list, "filters")
            views.sort = list.text("sort")
            if !views.sort.isEmpty {
                resource.checkField(String(views.sort.drop { $0 == "-" }), list.at("sort") ?? list)
            }
            views.saved = list.list("saved").map { item in
                item.allow(["title", "filter"])
                let filter = item.text("filter", required: true)
                if !filter.isEmpty { resource.check(filter, item.at("filter") ?? item) }
                return SavedFilter(title: item.title("title"), filter: filter)
            }
        }
        if let form = place.at("form") {
            form.allow(["scan"])
            views.scanned = fields(form, "scan")
        }
        if let detail = place.at("detail") {
            detail.allow(["sections"])
            views.sections = detail.list("sections").map { item in
                item.allow(["title", "fields"])
                return Section(title: item.title("title"), fields: fields(item, "fields"))
            }
        }
        if let board = place.at("board") {
            board.allow(["title", "fields"])
            if resource.flow == nil { board.fail("看板按状态分列，缺少“flow”", "a board goes by states: “flow” is missing") }
            views.boardTitle = field(board, "title")
            views.boardFields = fields(board, "fields")
        }
        if let map = place.at("map") {
            map.allow(["longitude", "latitude", "position"])
            views.map =
                map.has("position")
                ? .position(field(map, "position"))
                : .pair(longitude: field(map, "longitude"), latitude: field(map, "latitude"))
        }
        views.related = place.list("related").map { item in
            item.allow(["resource", "field", "key", "step", "title", "where", "fields", "sort", "measures"])
            let isByKey = item.has("field") || item.has("key") || !item.has("where")
            return Related(
                resource: item.text("resource", required: true),
                field: item.text("field", required: isByKey),
                key: field(item, "key", required: isByKey),
                step: item.text("step"),
                title: item.title("title", ""),
                condition: item.text("where"),
                fields: item.texts("fields").map(\.text),
                sort: item.text("sort"),
                measures: item.texts("measures").map(\.text)
            )
        }
        views.charts = place.list("dashboard").map { item in
            item.allow(["title", "group", "measure", "by"])
            let measure = item.has("measure") ? item.text("measure") : "count"
            let parts = measure.split(separator: ":", maxSplits: 1).map(String.init)
            if !["count", "sum", "mean"].contains(parts.first ?? "") || (parts.first == "count") != (parts.count == 1) {
                item.fail("measure", "应是 count、sum:字段 或 mean:字段", "count, sum:FIELD or mean:FIELD is expected")
            } else if parts.count == 2 {
                resource.checkField(parts[1], item.at("measure") ?? item)
            }
            return Chart(
                title: item.title("title"),
                group: field(item, "group"),
                measure: measure,
                by: item.choice("by", Chart.Interval.none)
            )
        }
        return views
    }
}
