import Basics
public import Tabular

/// Masks in the words of databases: what an engine makes is what the batch form makes, value for value.
///
/// Nothing but numbers and names of this program stands in the text; columns are named by whoever asks.
extension Mask {
    /// Whose SQL is written.
    public enum Engine: Sendable { case sqlite, postgresql }

    /// What to select in the place of a field's columns: of a point two, else one.
    public func sql(_ columns: [String], of field: Field, for engine: Engine) -> [String] {
        let words = MaskWords(engine: engine)
        switch (self, field.type) {
        case (.keep, .text), (.keep, .geometry), (.keep, .file), (.personName, .text), (.personName, .geometry),
            (.personName, .file):
            return columns.map { column in sql(ofText: { column }, for: engine) }
        case (.roundPosition(let size), .real): return columns.map { words.rounded($0, Grid(size), among: [$0]) }
        case (.roundPosition(let size), .point):
            let grid = Grid(size)
            // A point of which half is nothing is none.
            return columns.map { words.rounded($0, grid, among: columns) }
        case (.generaliseTime(let step), .date): return columns.map { words.day($0, step) }
        case (.generaliseTime(let step), .timestamp): return columns.map { words.moment($0, step) }
        default: return columns.map { _ in "NULL" }
        }
    }

    /// A text masked, as ``apply(_:)-(String)`` does it; the closure gives the text's own SQL, once for each time it is mentioned.
    public func sql(ofText text: () -> String, for engine: Engine) -> String {
        let words = MaskWords(engine: engine)
        switch self {
        case .keep(let prefix, let suffix):
            let begin = "CASE WHEN length(\(text())) > \(prefix + suffix) THEN "
            let first = prefix > 0 ? words.first(prefix, of: text()) + " || " : ""
            let stars = words.stars("length(\(text())) - \(prefix + suffix)")
            let last = suffix > 0 ? " || " + words.last(suffix, of: text()) : ""
            // Of nothing SQLite would make no stars, which is not nothing.
            let short = "WHEN length(\(text())) >= 0 THEN \(words.stars("length(\(text()))"))"
            return "\(begin)\(first)\(stars)\(last) \(short) END"
        case .personName:
            let names = Mask.compoundSurnames.map { "'\($0)'" }.joined(separator: ", ")
            let short = "CASE WHEN length(\(text())) < 2 THEN \(words.stars("length(\(text()))"))"
            let compound = "WHEN length(\(text())) > 2 AND \(words.first(2, of: text())) IN (\(names)) THEN "
            func kept(_ count: Int) -> String {
                "\(words.first(count, of: text())) || \(words.stars("length(\(text())) - \(count)"))"
            }
            let two = kept(2)
            return "\(short) \(compound)\(two) ELSE \(kept(1)) END"
        case .suppress, .roundPosition, .generaliseTime: return words.first(0, of: text())
        }
    }
}

/// What engines say in words of their own.
private struct MaskWords {
    let engine: Mask.Engine

    func first(_ count: Int, of text: String) -> String {
        engine == .sqlite ? "substr(\(text), 1, \(count))" : "left(\(text), \(count))"
    }

    /// Of a count above zero.
    func last(_ count: Int, of text: String) -> String {
        engine == .sqlite ? "substr(\(text), -\(count))" : "right(\(text), \(count))"
    }

    func stars(_ count: String) -> String {
        engine == .sqlite ? "replace(hex(zeroblob(\(count))), '00', '*')" : "repeat('*', \(count))"
    }

    // MARK: Positions

    /// The line next to a number; nothing where one of several lies beyond the grid's limit, or its line does.
    func rounded(_ column: String, _ grid: Mask.Grid, among columns: [String]) -> String {
        func within(_ numbers: [String]) -> String {
            numbers.map { "abs(\($0)) < \(Mask.Grid.limit)" }.joined(separator: " AND ")
        }
        let lines = within(columns.map { line($0, grid) })
        return "CASE WHEN \(within(columns)) THEN CASE WHEN \(lines) THEN \(line(column, grid)) END END"
    }

    /// The line next to a number that lies within the grid's limit. PostgreSQL refuses quotients that are too small for a number.
    func line(_ column: String, _ grid: Mask.Grid) -> String {
        let line: String
        if let inverse = grid.inverse {
            let lines = "CAST(\(Int64(inverse)) AS DOUBLE PRECISION)"
            line = "\(floor("\(column) * \(lines) + 0.5")) / \(lines)"
        } else {
            let size = exact(grid.size)
            line = "\(floor("\(column) / \(size) + 0.5")) * \(size)"
        }
        return "CASE WHEN abs(\(column)) < 1e-10 THEN CAST(0 AS DOUBLE PRECISION) ELSE \(line) END"
    }

    /// SQLite need not have a function for it.
    private func floor(_ value: String) -> String {
        guard engine == .sqlite else { return "floor(\(value))" }
        return "CAST(CAST(\(value) AS INTEGER) - (CAST(\(value) AS INTEGER) > \(value)) AS DOUBLE PRECISION)"
    }

    /// A number by its bits, for engines read decimals each in a way of their own: a whole number over a power of two.
    private func exact(_ value: Double) -> String {
        let whole = Int64(value.significandBitPattern | 1 << 52)
        var text = "CAST(\(whole) AS DOUBLE PRECISION)"
        var power = 52 - Int(value.exponent)
        while power > 0 {
            let part = min(power, 62)
            text += " / CAST(\(Int64(1) << Int64(part)) AS DOUBLE PRECISION)"
            power -= part
        }
        return "(\(text))"
    }

    // MARK: Times

    func day(_ column: String, _ step: Mask.TimeStep) -> String {
        "CASE WHEN \(column) BETWEEN \(Mask.days.lowerBound) AND \(Mask.days.upperBound) THEN \(start("\(column)", step)) END"
    }

    func moment(_ column: String, _ step: Mask.TimeStep) -> String {
        let known = "\(column) BETWEEN \(Mask.moments.lowerBound) AND \(Mask.moments.upperBound)"
        guard step != .quarterHour else {
            let quarter = Mask.quarter
            return "CASE WHEN \(known) THEN \(column) - ((\(column) % \(quarter)) + \(quarter)) % \(quarter) END"
        }
        let (long, offset) = (CivilTime.microsecondsPerDay, CivilTime.chinaOffset)
        // Moments in China counted from the first, so that nothing is below zero where it is divided.
        let first = Mask.moments.lowerBound
        let day = "((\(column) - (\(first))) / \(long) + (\(Mask.days.lowerBound)))"
        return "CASE WHEN \(known) THEN \(start(day, step)) * \(long) - \(offset) END"
    }

    /// The first day of a day's month or year.
    private func start(_ day: String, _ step: Mask.TimeStep) -> String {
        let (part, format): (String, String)
        switch step {
        case .quarterHour: return day
        case .month: (part, format) = ("DAY", "%d")
        case .year: (part, format) = ("DOY", "%j")
        }
        let number =
            engine == .sqlite
            ? "CAST(strftime('\(format)', \(day) * 86400, 'unixepoch') AS INTEGER)"
            : "CAST(EXTRACT(\(part) FROM (DATE '1970-01-01' + CAST(\(day) AS INTEGER))) AS INTEGER)"
        return "(\(day) - \(number) + 1)"
    }
}
