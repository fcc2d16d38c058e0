import Basics

/// The identity of a principal.
public struct PrincipalID: Sendable, Hashable {
    public var raw: Int64
    public init(_ raw: Int64) { self.raw = raw }
}

/// Someone or something that asks.
public struct Principal: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case person, service
    }

    public var id: PrincipalID
    public var kind: Kind
    public var login: String
    public var name: String
    public var organisation: OrganisationID
    public var roles: Set<Role>
    public var isActive: Bool
    public var lockedUntil: Int64
    /// The password was set by somebody else: nothing is open to the account before its owner chose one.
    public var mustChangePassword: Bool
}

/// Who asks, from where, in which session: what the gate decides about.
public struct Caller: Sendable {
    /// Nil for the public.
    public var principal: Principal?
    /// The network address, for the evidence of sign-ins.
    public var address: String
    /// The trace (W3C `traceparent`) the request belongs to.
    public var trace: String

    public init(principal: Principal?, address: String = "", trace: String = "") {
        self.principal = principal
        self.address = address
        self.trace = trace
    }

    /// Anyone without an account.
    public static func anonymous(address: String = "", trace: String = "") -> Caller {
        Caller(principal: nil, address: address, trace: trace)
    }

    /// What evidence calls the caller: never a person's name.
    public var actor: String { principal.map { "\($0.kind.rawValue):\($0.id.raw)" } ?? "public" }
}

extension Principal {
    /// The account that commands on the node's own machine act as.
    public static let commandLine = "command-line"
    /// What the logins of sources' own accounts begin with.
    public static let sourcePrefix = "source-"

    /// In whose name a step is taken that somebody took without an account: nobody's.
    public static let nobody = Principal(
        id: PrincipalID(0),
        kind: .service,
        login: "",
        name: "",
        organisation: OrganisationID(0),
        roles: [],
        isActive: false,
        lockedUntil: 0,
        mustChangePassword: false
    )

    /// Whether the node made it for itself: nobody signs in as it, gets keys of it, or changes it.
    public var isBuiltIn: Bool {
        kind == .service && (login == Self.commandLine || login.hasPrefix(Self.sourcePrefix))
    }

    /// Whether it is whoever works on the node's own machine.
    var isLocal: Bool { kind == .service && login == Self.commandLine }
}
