import Basics

extension CKANReader {
    /// One package. Members are read in one pass: a package has about forty.
    ///
    /// - Throws: `harvest.entry_shape`, `harvest.entry_withdrawn`.
    static func draft(_ package: JSONValue, _ site: String?) throws(Problem) -> EntryDraft {
        guard let members = package.members else { throw HarvestProblems.shape }
        var draft = EntryDraft()
        var names = Names()
        for member in members {
            let value = member.value
            switch member.name {
            case "id": draft.identifier = value.scalarText
            case "name": names.slug = value.scalarText
            case "title": draft.title = value.scalarText
            case "notes": draft.summary = value.scalarText
            case "url": names.address = value.scalarText
            case "state": if value.string == "deleted" || value.string == "draft" { throw HarvestProblems.withdrawn }
            case "private": if value.boolean == true { throw HarvestProblems.withdrawn }
            case "organization": names.organisation = value.name
            case "author": names.author = value.scalarText
            case "maintainer": names.maintainer = value.scalarText
            case "metadata_created": names.created = value.scalarText
            case "metadata_modified": names.changed = value.scalarText
            case "license_title": draft.licence = value.scalarText
            case "license_id": names.licence = value.scalarText
            case "license_url": draft.licenceLink = value.scalarText
            case "tags": draft.keywords = value.listedTexts
            case "groups": draft.themes = value.listedTexts
            case "resources": draft.resources = (value.array ?? []).compactMap(resource)
            case "extras":
                for extra in value.array ?? [] {
                    guard let key = extra["key"]?.string, let value = extra["value"] else { continue }
                    names.take(key, value, &draft)
                }
            default: names.take(member.name, value, &draft)
            }
        }
        names.fill(&draft, site)
        return draft
    }

    private static func resource(_ value: JSONValue) -> EntryDraft.Resource? {
        guard let members = value.members else { return nil }
        var resource = EntryDraft.Resource()
        var description: String?
        for member in members {
            switch member.name {
            case "name": resource.name = member.value.scalarText
            case "description": description = member.value.scalarText
            case "url": resource.link = member.value.scalarText
            case "format": resource.format = member.value.scalarText
            case "mimetype": resource.mediaType = member.value.string
            case "size": resource.bytes = member.value.byteCount
            case "state": if member.value.string == "deleted" { return nil }
            default: continue
            }
        }
        resource.name = resource.name ?? description
        return resource
    }

    /// What takes its place only after the whole package was seen.
    private struct Names {
        var slug: String?
        var address: String?
        var organisation: String?
        var publisher: String?
        var author: String?
        var maintainer: String?
        var contact: String?
        var created: String?
        var changed: String?
        var issued: String?
        var modified: String?
        var licence: String?
        var place: String?

        /// A member or an extra of a package whose name an extension of CKAN gave.
        mutating func take(_ name: String, _ value: JSONValue, _ draft: inout EntryDraft) {
            switch name {
            case "frequency", "update_frequency", "accrual_periodicity", "accrualPeriodicity", "updateFrequency",
                "update-frequency", "更新频率", "更新頻率", "更新周期":
                draft.frequency = draft.frequency ?? value.scalarText
            case "publisher_name", "publisher", "data_provider": publisher = publisher ?? value.scalarText ?? value.name
            case "contact_name", "contact_point", "contact":
                contact = contact ?? value.scalarText ?? value["name"]?.string
            case "issued", "dcat_issued", "release_date", "date_released": issued = issued ?? value.scalarText
            case "modified", "dcat_modified", "date_updated", "data_last_modified":
                modified = modified ?? value.scalarText
            case "spatial_text", "spatial-text", "spatial_coverage", "geographic_coverage", "spatial_name":
                draft.spatial = draft.spatial ?? value.placeText
            case "spatial": place = place ?? value.placeText
            case "theme": if draft.themes.isEmpty { draft.themes = themes(value) }
            case "is_part_of", "isPartOf", "in_series": draft.partOf = draft.partOf ?? value.listedTexts.first
            default: break
            }
        }

        /// ckanext-dcat keeps an extra's list as JSON text.
        private func themes(_ value: JSONValue) -> [String] {
            guard let text = value.string, text.hasPrefix("["), text.utf8.count < 10_000,
                let list = try? JSONValue(text: text)
            else { return value.listedTexts }
            return list.listedTexts
        }

        func fill(_ draft: inout EntryDraft, _ site: String?) {
            draft.identifier = draft.identifier ?? slug
            draft.title = draft.title ?? slug
            draft.publisher = publisher ?? organisation
            draft.contact = contact ?? maintainer ?? author
            draft.issued = issued ?? created
            draft.modified = modified ?? changed
            draft.licence = draft.licence ?? licence
            draft.spatial = draft.spatial ?? place
            let slug = slug.flatMap { CKANReader.isSlug($0) ? $0 : nil }
            if let site, let slug { draft.landingPage = "\(site)/dataset/\(slug)" } else { draft.landingPage = address }
        }
    }

    private static func isSlug(_ text: String) -> Bool {
        !text.utf8.contains { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 }
    }
}
