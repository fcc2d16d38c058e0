public import Basics
public import Catalogue
public import Collect
public import Derive
public import Flow
public import Kernel
public import Lake
public import Open
public import Quality
public import Webhooks

/// What the web offers: the capabilities' actions and the gate that performs them; a class because every request carries it.
public final class Services: Sendable {
    public let kernel: Kernel
    public let catalogue: CatalogueActions
    public let lake: LakeActions
    public let opening: OpenActions
    public let quality: QualityStore
    public let uploads: Uploads
    public let sources: Sources
    public let harvests: Harvests
    public let derivations: Derivations
    public let subscriptions: Subscriptions
    public let flows: Flows
    public let settings: WebSettings
    let layouts = FeatureLayouts()
    /// What an address may send without an account, beside its requests.
    let senders = RateLimiter(limit: 10)

    public init(
        kernel: Kernel,
        catalogue: CatalogueActions,
        lake: LakeActions,
        opening: OpenActions,
        quality: QualityStore,
        uploads: Uploads,
        sources: Sources,
        harvests: Harvests,
        derivations: Derivations,
        subscriptions: Subscriptions,
        flows: Flows,
        settings: WebSettings
    ) {
        self.kernel = kernel
        self.catalogue = catalogue
        self.lake = lake
        self.opening = opening
        self.quality = quality
        self.uploads = uploads
        self.sources = sources
        self.harvests = harvests
        self.derivations = derivations
        self.subscriptions = subscriptions
        self.flows = flows
        self.settings = settings
    }

    var administration: Administration { kernel.administration }

    /// Every action there is: what documentation, the permission matrix and the route test go by.
    public static let descriptors: [ActionDescriptor] =
        Administration.descriptors + CatalogueActions.descriptors + LakeActions.descriptors + OpenActions.descriptors
        + QualityStore.descriptors + Uploads.descriptors + Sources.descriptors
        + Harvests.descriptors + Derivations.descriptors + Subscriptions.descriptors + Flows.descriptors
}

/// How the web behaves.
public struct WebSettings: Sendable {
    /// Only the public's pages and API; the console answers 404.
    public var isPublicOnly: Bool
    /// Whether cookies are marked Secure: behind a proxy that speaks TLS.
    public var isSecure: Bool
    /// The folder of third-party scripts and styles.
    public var vendorFolder: String
    /// The largest upload in bytes.
    public var maximumUpload: Int64
    /// Where uploads are received.
    public var temporaryFolder: String
    /// The name of the node on its pages.
    public var title: LocalizedText
    /// Where others reach the node, e.g. `https://data.example.gov.cn`; nil takes each request's own.
    public var address: String?
    /// Requests of one address a minute; 0 for any number.
    public var requestsPerMinute = 6000
    /// Seconds that a reading may take until its answer begins.
    public var requestSeconds = 120
    /// What the node was started with, for its settings page: names as in the documentation, no secrets.
    public var described: [(name: String, title: LocalizedText, value: String)] = []

    public init(
        isPublicOnly: Bool = false,
        isSecure: Bool = false,
        vendorFolder: String,
        maximumUpload: Int64 = 8 << 30,
        temporaryFolder: String,
        title: LocalizedText = LocalizedText("交通运输数据中心", "Transport Data Centre")
    ) {
        self.isPublicOnly = isPublicOnly
        self.isSecure = isSecure
        self.vendorFolder = vendorFolder
        self.maximumUpload = maximumUpload
        self.temporaryFolder = temporaryFolder
        self.title = title
    }
}
