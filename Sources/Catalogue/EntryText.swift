import Basics
import Foundation
import Store

/// The words of entries in the database's full text: texts as single characters, words of a search as phrases of them, so that words
/// of two characters are found. SQLite's FTS5 and PostgreSQL's text search get the same words and give the same hits.
enum EntryText {
    /// The words of a search: each a phrase; all must be there.
    struct Words: Sendable {
        let phrases: [[String]]

        /// Nil where nothing is searched for.
        init?(_ text: String) {
            let found = text.split(whereSeparator: { $0.isWhitespace }).prefix(12).map { EntryText.words(String($0)) }
            phrases = found.filter { !$0.isEmpty }
            if phrases.isEmpty { return nil }
        }
    }

    /// The words of a text as they are indexed.
    static func words(_ text: String) -> [String] {
        TextForms.spaced(text).split(separator: " ").map(String.init)
    }

    static func put(_ id: Int64, title: String, body: String, _ db: any SQLWriting) throws {
        try remove(id, db)
        switch db.dialect {
        case .sqlite:
            try db.execute(
                "INSERT INTO entries_text (rowid, title, body) VALUES (?,?,?)",
                [.integer(id), .text(TextForms.spaced(title)), .text(TextForms.spaced(body))]
            )
        case .postgresql:
            try db.execute(
                "INSERT INTO entries_text (rowid, words) VALUES (?, CAST(? AS tsvector))",
                [.integer(id), .text(vector(title: words(title), body: words(body)))]
            )
        }
    }

    static func remove(_ id: Int64, _ db: any SQLWriting) throws {
        try db.execute("DELETE FROM entries_text WHERE rowid = ?", [.integer(id)])
    }

    /// The entries in which every phrase is found, by id.
    static func find(_ words: Words, inTitles: Bool = false, _ db: any SQLReading) throws -> [Int64] {
        switch db.dialect {
        case .sqlite:
            let match = words.phrases.map { "\"\($0.joined(separator: " "))\"" }.joined(separator: " AND ")
            return try db.rows(
                "SELECT rowid FROM entries_text WHERE entries_text MATCH ? ORDER BY rowid",
                [.text(inTitles ? "title : (\(match))" : match)]
            ).map { $0.integer(0) }
        case .postgresql:
            let query = words.phrases.map { phrase($0, inTitles) }.joined(separator: " & ")
            return try db.rows(
                "SELECT rowid FROM entries_text WHERE words @@ CAST(? AS tsquery) ORDER BY rowid",
                [.text(query)]
            ).map { $0.integer(0) }
        }
    }

    /// The entries whose titles hold the most of some words, best first.
    static func best(_ count: Int, of words: [String], _ db: any SQLReading) throws -> [Int64] {
        let phrases = words.map { EntryText.words($0) }.filter { !$0.isEmpty }
        guard !phrases.isEmpty else { return [] }
        switch db.dialect {
        case .sqlite:
            let match = phrases.map { "\"\($0.joined(separator: " "))\"" }.joined(separator: " OR ")
            return try db.rows(
                "SELECT rowid FROM entries_text WHERE entries_text MATCH ? ORDER BY rank LIMIT \(count)",
                [.text("title : (\(match))")]
            ).map { $0.integer(0) }
        case .postgresql:
            let query = phrases.map { "(\(phrase($0, true)))" }.joined(separator: " | ")
            return try db.rows(
                "SELECT rowid FROM entries_text WHERE words @@ CAST(? AS tsquery) ORDER BY ts_rank(words, CAST(? AS tsquery), 1) DESC, rowid LIMIT \(count)",
                [.text(query), .text(query)]
            ).map { $0.integer(0) }
        }
    }

    // MARK: PostgreSQL's text search

    /// Positions of a vector end here (`MAXENTRYPOS`); what comes after is found as a word, not in a phrase.
    private static let lastPosition = 16_383

    /// `'公':1A '路':2A …`: titles of weight A, and the body after a gap that no phrase crosses.
    static func vector(title: [String], body: [String]) -> String {
        var out: [String] = []
        for (index, word) in title.enumerated() { out.append("\(quoted(word)):\(min(index + 1, lastPosition))A") }
        let start = title.count + 10
        for (index, word) in body.enumerated() { out.append("\(quoted(word)):\(min(start + index, lastPosition))") }
        return out.joined(separator: " ")
    }

    /// `'公':A <-> '路':A`
    private static func phrase(_ words: [String], _ inTitles: Bool) -> String {
        words.map { quoted($0) + (inTitles ? ":A" : "") }.joined(separator: " <-> ")
    }

    /// A word as SQLite's tokenizer folds it: without diacritics.
    private static func quoted(_ word: String) -> String {
        var plain = String.UnicodeScalarView()
        for scalar in word.unicodeScalars {
            // Only alphabets have diacritics: characters that are canonically others, and syllables of Hangul, stay what they are.
            let isLetter = (0x80..<0x2E80).contains(scalar.value)
            let parts = isLetter ? String(scalar).decomposedStringWithCanonicalMapping : String(scalar)
            plain.append(contentsOf: parts.unicodeScalars.filter { $0.properties.generalCategory != .nonspacingMark })
        }
        return "'"
            + String(plain).prefix(500).replacing("\\", with: "\\\\").replacing(
                "'",
                with: "''"
            ) + "'"
    }
}
