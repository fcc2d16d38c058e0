// swift-tools-version:6.2
import PackageDescription

// MARK: Settings shared by every target

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestKit"], swiftSettings: settings)
}

// MARK: C libraries of the system (Debian's -dev packages)

let systemLibraries: [Target] = [
    .systemLibrary(name: "CGEOS", providers: [.apt(["libgeos-dev"])]),
    .systemLibrary(name: "CExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
    .systemLibrary(name: "CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CMalloc"),
    .systemLibrary(name: "CODBC", pkgConfig: "odbc", providers: [.apt(["unixodbc-dev"])]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CQREncode", pkgConfig: "libqrencode", providers: [.apt(["libqrencode-dev"])]),
    .systemLibrary(name: "CSSH2", pkgConfig: "libssh2", providers: [.apt(["libssh2-1-dev"])]),
    .systemLibrary(name: "CZip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
]

// MARK: Products of other packages

let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

// MARK: Floor 0: libraries that stand alone

let floor0: [Target] = [
    module("Basics"),
    module("Seal", ["Basics", "CLibcrypto"]),
    module("Codes", ["Basics"]),
    module("Tabular", ["Basics", "Codes", "CExpat", "CZip", "CZlib"]),
    module("Geo", ["Basics", "CGEOS"]),
    module("Tiles", ["Basics", "Geo"]),
    module("CQL", ["Basics", "Codes", "Geo", "Mask", "Tabular"]),
    module("Check", ["Basics", "Codes", "Geo", "Tabular", "CQL", "Mask", "CPCRE2"]),
    module("Mask", ["Basics", "Codes", "Tabular"]),
    module("Harvest", ["Basics", "Tabular"]),
    module("Declare", ["Basics", .product(name: "Yams", package: "Yams")]),
]

// MARK: Floor 1: the SQL seam, the lake, the kernel, clients of other systems

let floor1: [Target] = [
    module("Store", ["Basics", "Tabular"]),
    module(
        "StoreSQLite",
        [
            "Basics", "Tabular", "Store",
            .product(name: "GRDB", package: "GRDB.swift"),
            .product(name: "GRDBSQLite", package: "GRDB.swift"),
        ]
    ),
    module("StorePostgres", ["Basics", "Tabular", "Store", "CPostgres"]),
    module(
        "Connect",
        [
            "Basics", "Seal", "CODBC", "CPostgres", "CSSH2",
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ]
    ),
    module("Kernel", ["Basics", "Codes", "Tabular", "CQL", "Mask", "Seal", "Store"]),
    module(
        "Lake",
        [
            "Basics", "Codes", "Geo", "Tabular", "CQL", "Check", "Mask", "Seal", "Store", "Kernel", "Tiles", "CLZ4",
            "CMalloc",
        ]
    ),
]

// MARK: Floor 2: capabilities; none imports another

let floor2: [Target] = [
    module("Catalogue", ["Basics", "Codes", "Harvest", "Tabular", "CQL", "Kernel", "Seal", "Store"]),
    module("Collect", ["Basics", "Tabular", "Check", "Connect", "Kernel", "Lake", "Store"]),
    module("Derive", ["Basics", "Codes", "Tabular", "CQL", "Kernel", "Lake", "Store"]),
    module(
        "Flow",
        [
            "Basics", "Codes", "Tabular", "CQL", "Check", "Declare", "Kernel", "Lake", "Seal", "Store", "CQREncode",
            .product(name: "Mustache", package: "swift-mustache"),
        ]
    ),
    module("Open", ["Basics", "Codes", "Tabular", "Mask", "Kernel", "Store"]),
    module("Quality", ["Basics", "Tabular", "Check", "Kernel", "Lake", "Store"]),
    module("Webhooks", ["Basics", "Connect", "Kernel", "Seal", "Store"]),
]

// MARK: Floor 3: systems: the Swift of some, the packs that every node has

let floor3: [Target] = [
    module("Enforcement", ["Basics", "CQL", "Tabular", "Flow"], path: "Systems/enforcement/Sources"),
    .target(
        name: "FeedbackSystem",
        path: "Systems/feedback",
        exclude: ["README.md"],
        sources: ["Sources"],
        resources: [.embedInCode("pack.yaml")],
        swiftSettings: settings
    ),
]

// MARK: Floors 4 and 5: the web, and the one place that knows everything

let floor4: [Target] = [
    .target(
        name: "Web",
        dependencies: [
            "Basics", "CQL", "Codes", "Geo", "Harvest", "Tabular", "Tiles", "Check", "Mask", "Kernel", "Lake",
            "Catalogue",
            "Collect", "Derive", "Flow",
            "Open",
            "Quality", "Webhooks", "CZlib", "CZstd", hummingbird, logging,
        ],
        resources: [
            .embedInCode("Assets/site.css"), .embedInCode("Assets/map.js"), .embedInCode("Assets/page.js"),
            .embedInCode("Assets/logo.svg"), .embedInCode("Assets/chart.js"),
            .embedInCode("Assets/form.js"), .embedInCode("Assets/attach.js"),
            .embedInCode("Assets/requests.json"),
        ],
        swiftSettings: settings
    )
]

/// Swift's own libraries inside the program: what is called most, counting references, is then called directly and not by way of a
/// table, which takes a third off a short request. Foundation's parts name each other in circles, hence the group.
let ownRuntime: [LinkerSetting] = [
    .unsafeFlags(
        ["-static-stdlib", "-Xlinker", "--start-group"]
            + [
                "CoreFoundation", "_FoundationICU", "_FoundationCShims", "_FoundationCollections",
                "FoundationInternationalization", "FoundationEssentials", "Foundation",
            ].map { "-l\($0)" } + ["-Xlinker", "--end-group", "-lstdc++"],
        .when(platforms: [.linux])
    )
]

let floor5: [Target] = [
    module(
        "Composition",
        [
            "Basics", "Codes", "Tabular", "Check", "Connect", "Seal", "Mask", "Kernel", "Lake", "Catalogue", "Collect",
            "Declare", "Derive", "FeedbackSystem", "Flow", "Harvest", "Open", "Quality", "Store", "StorePostgres",
            "StoreSQLite", "Web", "Webhooks", "Enforcement",
        ]
    ),
    .executableTarget(
        name: "tongqu",
        dependencies: [
            "Basics", "Check", "Connect", "CQL", "Tabular", "Seal", "Kernel", "Lake", "Catalogue", "Collect", "Web",
            "Webhooks",
            "Composition",
            hummingbird, logging,
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Configuration", package: "swift-configuration"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "SystemPackage", package: "swift-system"),
        ],
        swiftSettings: settings,
        linkerSettings: ownRuntime
    ),
]

// MARK: Tests

let testTargets: [Target] = [
    module(
        "TestKit",
        ["Basics", "Kernel", "Seal", "StorePostgres", "Web", "Webhooks", "Composition", hummingbird, logging]
    ),
    tests("ArchitectureTests", []),
    tests("BasicsTests", ["Basics"]),
    tests("CQLTests", ["Basics", "Codes", "Geo", "Tabular", "CQL", "Mask", "Store", "StorePostgres", "StoreSQLite"]),
    tests("CheckTests", ["Basics", "Codes", "Tabular", "Mask", "Check"]),
    tests("CodesTests", ["Basics", "Codes"]),
    tests(
        "NodeTests",
        [
            "Basics", "CQL", "Catalogue", "Codes", "Composition", "Tabular", "Mask", "Store", "StorePostgres",
            "StoreSQLite", "Connect",
            "Kernel",
            "Lake",
            "Collect", "Declare", "Derive", "Enforcement", "Flow", "Open", "Tiles", "Web", "Webhooks", "CZstd",
            hummingbird,
            .product(name: "HummingbirdTesting", package: "hummingbird"),
        ]
    ),
    tests("HarvestTests", ["Basics", "Harvest", "Tabular"]),
    tests("SealTests", ["Basics", "Seal"]),
    tests("TabularTests", ["Basics", "Tabular"]),
    tests("TilesTests", ["Basics", "Geo", "Tiles"]),
]

let package = Package(
    name: "tongqu",
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.0.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.20.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(
            url: "https://github.com/apple/swift-configuration",
            from: "1.4.0",
            traits: ["CommandLineArguments", "YAML"]
        ),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: systemLibraries + floor0 + floor1 + floor2 + floor3 + floor4 + floor5 + testTargets,
    swiftLanguageModes: [.v6]
)
