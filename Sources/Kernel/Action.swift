public import Basics

/// What the gate and the documentation know of an action.
public struct ActionDescriptor: Sendable, Hashable {
    /// How an action's use is recorded.
    public enum Trail: Sendable, Hashable {
        /// A change: the record is durable before the answer.
        case write
        /// A read of a person or service: recorded; durable before the answer where the data is graded 3 or higher.
        case read
        /// Looking at lists and pages: the session's record tells enough; refusals are recorded.
        case view
    }

    /// `<area>.<verb>`.
    public var name: String
    public var permission: Permission
    public var trail: Trail
    public var title: LocalizedText
    /// Whether callers without an account may perform it at all; grants decide further.
    public var isPublic: Bool

    public init(
        _ name: String,
        _ permission: Permission,
        _ trail: Trail,
        isPublic: Bool = false,
        zh: String,
        en: String
    ) {
        self.isPublic = isPublic
        self.name = name
        self.permission = permission
        self.trail = trail
        title = LocalizedText(zh, en)
    }
}

/// A named operation with typed input and output: the only way to read or change anything.
///
/// The closures are private to the gate; a capability gives actions away and keeps its functions to itself.
public struct Action<Input: Sendable, Output: Sendable>: Sendable {
    public let descriptor: ActionDescriptor
    /// The resource that an input is about; nil for actions on the node.
    let target: @Sendable (Input) async throws -> Resource?
    let run: @Sendable (Input, Decision) async throws -> Output

    /// Makes an action. `target` finds the resource the gate decides about, nil meaning the node itself; `run` does the work,
    /// bound to the decision.
    public init(
        _ descriptor: ActionDescriptor,
        target: @escaping @Sendable (Input) async throws -> Resource? = { _ in nil },
        run: @escaping @Sendable (Input, Decision) async throws -> Output
    ) {
        self.descriptor = descriptor
        self.target = target
        self.run = run
    }
}
