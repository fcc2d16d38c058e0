public import Basics
public import Kernel
import Store
import Tabular

/// Where the working version of an entry stands.
public enum EntryStage: String, Sendable, CaseIterable {
    /// Nothing is being worked on: what is published holds.
    case none
    /// 编目.
    case draft
    /// 部门审核.
    case department
    /// 主管部门审核.
    case authority

    /// The place in the order of cases, for tables in memory.
    var order: Int { EntryStage.allCases.firstIndex(of: self) ?? 0 }

    public var title: LocalizedText {
        switch self {
        case .none: .init("无待办", "settled")
        case .draft: .init("编目中", "draft")
        case .department: .init("部门审核中", "in department review")
        case .authority: .init("主管部门审核中", "in authority review")
        }
    }
}

/// An entry of the catalogue.
public struct Entry: Sendable {
    @Boxed public var resource: Resource
    /// What is published; nil before the first publication.
    @Boxed public var published: EntryContent?
    /// What is being worked on.
    @Boxed public var draft: EntryContent?
    public var stage: EntryStage
    public var version: Int64
    public var author: PrincipalID
    public var publishedAt: Int64?
    public var changedAt: Int64
    /// Of the data attached (挂接).
    public var rows: Int64
    public var dataAt: Int64?
    public var score: Double?
    /// Items that name a data element, and those of them that follow it (贯标).
    public var bound: Int64
    public var conforming: Int64
    /// Remarks of the compliance check.
    public var remarks: Int64

    /// The draft where there is one, else what is published.
    public var content: EntryContent? { draft ?? published }

    /// `301002-000001`: the code in addresses.
    public var slug: String { Entry.slug(resource.code) }

    public static func slug(_ code: String) -> String {
        guard code.utf8.contains(0x2F) else { return code }
        return String(decoding: code.utf8.map { $0 == 0x2F ? 0x2D : $0 }, as: UTF8.self)
    }

    /// The code of an address.
    public static func code(slug: String) -> String {
        var code = slug
        return code.withUTF8 { slug in
            guard !slug.contains(0x2F), let dash = slug.firstIndex(of: 0x2D) else {
                return String(decoding: slug, as: UTF8.self)
            }
            return String(unsafeUninitializedCapacity: slug.count) { code in
                _ = code.update(from: slug)
                code[dash] = 0x2F
                return slug.count
            }
        }
    }
}

/// A step in an entry's life.
public struct EntryEvent: Sendable {
    public var at: Int64
    public var actor: String
    public var what: String
    public var note: String
}
