import AsyncHTTPClient
import Basics

/// Pages of other people's catalogues, by HTTP.
public enum PageSource {
    /// The bytes at an address, tried again where the source is busy; no redirects to elsewhere are followed.
    ///
    /// - Throws: `source.invalid`, `source.unreachable`, `source.refused`, `source.malformed`.
    public static func bytes(_ address: String, accept: String, limit: Int = 256 << 20) async throws -> [UInt8] {
        try RESTSource.check(address: address, head: "accept")
        return try await RESTSource(address: address, limit: limit).bytes(accept: accept)
    }
}
