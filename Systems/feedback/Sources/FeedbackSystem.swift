/// The public's remarks on resources of the catalogue: a pack that comes with the program.
public enum FeedbackSystem {
    /// Its declaration, `pack.yaml`.
    public static let declaration: [UInt8] = PackageResources.pack_yaml
}
