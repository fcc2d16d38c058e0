/// How far two spellings are apart.
public enum Spelling {
    /// The name that is meant, where one is close enough.
    public static func closest(to name: String, among names: [String]) -> String? {
        let close = names.map { ($0, distance(name.lowercased(), $0.lowercased())) }.min { $0.1 < $1.1 }
        return close.flatMap { $0.1 <= max(2, name.count / 3) && $0.1 < max(2, $0.0.count) ? $0.0 : nil }
    }

    /// Levenshtein's distance.
    public static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.unicodeScalars)
        let b = Array(b.unicodeScalars)
        var row = Array(0...b.count)
        for (i, left) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, right) in b.enumerated() {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (left == right ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
