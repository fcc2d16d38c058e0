import Foundation

/// Unicode's canonical decomposition.
enum Decomposition {
    static func of(_ text: String) -> String { text.decomposedStringWithCanonicalMapping }
}
