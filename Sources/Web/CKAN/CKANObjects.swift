import Basics
import Catalogue
import Kernel
import Tabular

/// Datasets, resources, organisations and groups in the shapes that CKAN's clients check.
struct CKANObjects {
    let catalogue: CKANCatalogue
    /// Where the node is reached.
    let address: String
    let node: NodeKey

    static func format(_ format: OutputFormat) -> String {
        format == .geojson ? "GeoJSON" : format.rawValue.uppercased()
    }

    private static func time(_ moment: Int64) -> JSONValue { .string(CKANMoment.text(moment)) }

    func dataset(_ dataset: CKANDataset) -> JSONValue {
        let owner = catalogue.organisation(dataset.organisation)
        let resources = dataset.formats.indices.map { resource(dataset, $0) }
        var members: [JSONValue.Member] = [
            .init("id", .string(dataset.id)), .init("name", .string(dataset.name)),
            .init("title", .string(dataset.title)), .init("notes", .string(dataset.notes)), .init("type", "dataset"),
            .init("state", "active"), .init("private", false), .init("isopen", .boolean(dataset.isUnconditional)),
            .init("metadata_created", CKANObjects.time(dataset.created)),
            .init("metadata_modified", CKANObjects.time(dataset.modified)),
            .init("license_id", .string(dataset.license.id)), .init("license_title", .string(dataset.license.title)),
            .init("url", .string("\(address)/dataset/\(dataset.name)")),
        ]
        for name in ["author", "author_email", "maintainer", "maintainer_email", "version", "creator_user_id"] {
            members.append(.init(name, .null))
        }
        members += [
            .init("owner_org", owner.map { .string($0.id) } ?? .null),
            .init("organization", owner.map { .object(short($0)) } ?? .null),
            .init(
                "groups",
                .array(
                    catalogue.group(dataset.group).map { group in
                        [
                            .object([
                                .init("id", .string(group.id)), .init("name", .string(group.name)),
                                .init("title", .string(group.title)), .init("display_name", .string(group.title)),
                                .init("description", ""), .init("image_display_url", ""),
                            ])
                        ]
                    } ?? []
                )
            ),
            .init("tags", .array(dataset.tags.map { .object(tag($0) + [.init("state", "active")]) })),
            .init("extras", .array(extras(dataset))), .init("resources", .array(resources)),
            .init("num_resources", .integer(Int64(resources.count))),
            .init("num_tags", .integer(Int64(dataset.tags.count))), .init("relationships_as_subject", .array([])),
            .init("relationships_as_object", .array([])),
        ]
        return .object(members)
    }

    private func extras(_ dataset: CKANDataset) -> [JSONValue] {
        [("frequency", dataset.frequency), ("identifier", dataset.code)].map { key, value in
            .object([.init("key", .string(key)), .init("value", .string(value))])
        }
    }

    func tag(_ name: String) -> [JSONValue.Member] {
        [
            .init("id", .string(node.identifier(of: "tag/\(name)"))), .init("name", .string(name)),
            .init("display_name", .string(name)), .init("vocabulary_id", .null),
        ]
    }

    /// The members of a resource whose values are texts, for `resource_search` as well.
    func resourceTexts(_ dataset: CKANDataset, _ place: Int) -> [(String, String?)] {
        let (format, id) = dataset.formats[place]
        return [
            ("id", id), ("package_id", dataset.id), ("name", "\(dataset.title)(\(CKANObjects.format(format)))"),
            ("description", nil),
            ("url", "\(address)/api/v1/resources/\(dataset.name)/records.\(format.rawValue)"),
            ("format", CKANObjects.format(format)),
            ("mimetype", String(format.mediaType.prefix { $0 != ";" })), ("mimetype_inner", nil), ("hash", nil),
            ("resource_type", "file"), ("url_type", nil), ("cache_url", nil), ("cache_last_updated", nil),
            ("state", "active"),
        ]
    }

    func resource(_ dataset: CKANDataset, _ place: Int) -> JSONValue {
        let changed = CKANObjects.time(dataset.dataAt ?? dataset.modified)
        return .object(
            resourceTexts(dataset, place).map { .init($0.0, $0.1.map { .string($0) } ?? .null) } + [
                .init("size", .null), .init("created", CKANObjects.time(dataset.created)),
                .init("last_modified", changed), .init("metadata_modified", changed),
                .init("position", .integer(Int64(place))), .init("datastore_active", .boolean(place == 0)),
            ]
        )
    }

    func short(_ group: CKANGroup) -> [JSONValue.Member] {
        [
            .init("id", .string(group.id)), .init("name", .string(group.name)), .init("title", .string(group.title)),
            .init("type", .string(group.isOrganisation ? "organization" : "group")), .init("description", ""),
            .init("image_url", ""), .init("created", CKANObjects.time(group.created)),
            .init("is_organization", .boolean(group.isOrganisation)), .init("approval_status", "approved"),
            .init("state", "active"),
        ]
    }

    /// The whole of an organisation or group, with what was asked to be included.
    func full(_ group: CKANGroup, includes: (String, Bool) -> Bool) -> [JSONValue.Member] {
        var members =
            short(group) + [
                .init("display_name", .string(group.title)), .init("image_display_url", ""),
                .init("num_followers", 0),
            ]
        if includes("include_dataset_count", true) {
            members.append(.init("package_count", .integer(Int64(group.count))))
        }
        for name in ["extras", "groups", "users", "tags"] where includes("include_\(name)", false) {
            members.append(.init(name, .array([])))
        }
        return members
    }

    /// The datasets of an organisation or group.
    func members(of group: CKANGroup) -> [CKANDataset] {
        catalogue.datasets.filter {
            group.isOrganisation
                ? CKANCatalogue.name($0.organisation) == group.name
                : CKANCatalogue.name(category: $0.group) == group.name
        }
    }
}
