import Kernel

/// A record to be packed.
public struct PackageRequest: Sendable {
    /// The resource's code.
    public var code: String
    public var record: Int64
    /// A folder for what is made; whoever asks removes the package there when it was given out.
    public var folder: String

    public init(_ code: String, record: Int64, folder: String) {
        self.code = code
        self.record = record
        self.folder = folder
    }
}

/// A package that was just made.
public struct PackageFile: Sendable {
    public var path: String
    /// What it is called where it is saved.
    public var name: String
    /// What names the package.
    public var package: String
}

/// A package that came in.
public struct NewPackage: Sendable {
    public var code: String
    /// Where it was received; the file is moved away from there when it is taken.
    public var path: String

    public init(_ code: String, path: String) {
        self.code = code
        self.path = path
    }
}

extension Flows {
    static let packageDescriptor = ActionDescriptor("flow.package", .dataRead, .write, zh: "导出记录包", en: "pack a record")
    static let transfersDescriptor = ActionDescriptor(
        "flow.transfers",
        .dataRead,
        .view,
        zh: "记录的移送情况",
        en: "transfers of a record"
    )
    static let receiveDescriptor = ActionDescriptor(
        "flow.receive",
        .flowAct,
        .write,
        zh: "接收记录包",
        en: "receive a package"
    )
    static let packagesDescriptor = ActionDescriptor(
        "flow.packages",
        .dataRead,
        .view,
        zh: "收到的记录包",
        en: "list received packages"
    )
    static let receivedDescriptor = ActionDescriptor(
        "flow.received",
        .dataRead,
        .read,
        zh: "查看收到的记录包",
        en: "show a received package"
    )
    static let receiptDescriptor = ActionDescriptor(
        "flow.receipt",
        .flowAct,
        .write,
        zh: "登记移送回执",
        en: "register a receipt"
    )

    static let packageDescriptors = [
        packageDescriptor, transfersDescriptor, receiveDescriptor, packagesDescriptor, receivedDescriptor,
        receiptDescriptor, trustedDescriptor, trustDescriptor, distrustDescriptor,
    ]

    /// What the node is called in packages and receipts: the name of its first organisation.
    var nodeName: String { kernel.gate.organisations[OrganisationID(1)]?.name ?? "" }
}
