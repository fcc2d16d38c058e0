import Basics

/// GB/T 2260 with history.
public enum Divisions {
    /// A name of a code and the years in which it was in force.
    public struct Entry: Sendable, Hashable {
        public var name: String
        public var firstYear: Int
        /// The last year in which a revision had it; nil while it is in force.
        public var lastYear: Int?
    }

    static let table: [String: [Entry]] = {
        var table: [String: [Entry]] = [:]
        for line in divisionTable.split(separator: "\n") {
            let columns = line.dropFirst(6).split(separator: ",", omittingEmptySubsequences: false)
            guard columns.count == 3, let first = Int(columns[1]) else { continue }
            table[String(line.prefix(6)), default: []]
                .append(Entry(name: String(columns[0]), firstYear: first, lastYear: Int(columns[2])))
        }
        return table
    }()

    /// Every name a code has had, the latest last; empty where it never was one.
    public static func entries(_ code: String) -> [Entry] { table[code] ?? [] }

    /// The latest name of a code.
    public static func name(_ code: String) -> String? { entries(code).last?.name }

    /// Whether a code is in force.
    public static func isCurrent(_ code: String) -> Bool { entries(code).last.map { $0.lastYear == nil } ?? false }

    /// The names of a code's province, prefecture and county, as far as it goes down.
    public static func path(_ code: String) -> [String] {
        guard code.count == 6 else { return [] }
        var names: [String] = []
        for prefix in [code.prefix(2) + "0000", code.prefix(4) + "00", code[...]] {
            if let name = name(String(prefix)), names.last != name || prefix == code[...] {
                if names.last != name { names.append(name) }
            }
        }
        return names
    }

    /// The codes in force of one level directly below a code; the provinces for nil. Sorted.
    public static func children(of parent: String?) -> [String] {
        table.keys.filter { code in
            guard isCurrent(code) else { return false }
            guard let parent else { return code.hasSuffix("0000") }
            if parent.hasSuffix("0000") {
                return code.prefix(2) == parent.prefix(2) && code.hasSuffix("00") && code != parent
            }
            return parent.hasSuffix("00") && code.prefix(4) == parent.prefix(4) && code != parent
        }.sorted()
    }
}
