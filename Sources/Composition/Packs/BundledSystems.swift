public import Basics
import Enforcement
import Flow

/// The systems whose Swift is part of the program, a line each. Without its pack a system's Swift does nothing.
public enum BundledSystems {
    private static let code: [SystemCode] = [
        Enforcement.code
    ]

    /// Makes their functions and work known: before the first pack or expression is read.
    ///
    /// - Throws: `cql.function_taken` where two systems name a function alike.
    public static func add() throws(Problem) { for code in code { try SystemCode.add(code) } }
}
