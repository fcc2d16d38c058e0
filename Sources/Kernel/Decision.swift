public import CQL
public import Mask
public import Tabular

/// A field that a decision lets through, and how.
public struct FieldAccess: Sendable, Hashable {
    /// The position in the resource's schema.
    public var index: Int
    public var field: Field
    public var mask: Mask?
}

/// What the gate decided: the only key to records. Only the gate makes one.
public struct Decision: Sendable {
    public let caller: Caller
    public let action: ActionDescriptor
    public let resource: Resource?
    /// The fields that may be seen or written.
    public let fields: [FieldAccess]
    /// The rows that may be seen; nil for all.
    public let rows: Expression?
    public let grants: [Int64]
    public let purpose: String
    private let particulars: Particulars?

    init(
        caller: Caller,
        action: ActionDescriptor,
        resource: Resource?,
        fields: [FieldAccess],
        rows: Expression?,
        grants: [Int64],
        purpose: String,
        particulars: Particulars?
    ) {
        self.caller = caller
        self.action = action
        self.resource = resource
        self.fields = fields
        self.rows = rows
        self.grants = grants
        self.purpose = purpose
        self.particulars = particulars
    }

    /// Adds particulars to the evidence of this decision: numbers and digests, never data of records. Where no evidence of its own is
    /// written they are not even made.
    public func note(_ key: String, _ value: @autoclosure () -> String) { particulars?.add(key, value()) }
}
